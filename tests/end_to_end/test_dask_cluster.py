"""An experiment on a cluster of Dask: the same result as in one process, also if it is stopped."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from tests.simulation.test_report_tables import POLICY, REPLICATIONS, day, results

from usher.simulation.experiment import Case, Plan, experiment
from usher.simulation.world import Unstable

distributed = pytest.importorskip("distributed", reason="Dask is not installed")

CASES = tuple(result.case for result in results())
PLAN = Plan(replications=REPLICATIONS)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A cluster of two processes on this machine."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_the_result_is_that_of_one_process(client: Any) -> None:
    assert results() == experiment(CASES, PLAN, client.get_executor(pure=False))


def test_an_interrupt_keeps_what_is_finished_and_the_cluster_serves_the_next_one(
    client: Any,
) -> None:
    def interrupt(finished: int, planned: int) -> None:
        if (finished, planned) == (3, 2 * REPLICATIONS):
            raise KeyboardInterrupt

    stopped = experiment(CASES, PLAN, client.get_executor(pure=False), interrupt)
    assert {True} == {result.stopped for result in stopped}
    assert 3 == sum(len(result.numbers) for result in stopped)
    for kept, whole in zip(stopped, results(), strict=True):
        assert tuple(whole.samples[number] for number in kept.numbers) == kept.samples
    assert results() == experiment(CASES, PLAN, client.get_executor(pure=False))


def test_what_a_run_raises_comes_through(client: Any) -> None:
    crowded = replace(day(0), queue_most=1)
    with pytest.raises(Unstable, match="crowded: more than 1 contacts"):
        experiment((Case("crowded", crowded, POLICY),), Plan(), client.get_executor(pure=False))
