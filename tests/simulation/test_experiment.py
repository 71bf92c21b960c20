"""Experiments on any executor: what is finished counts, what has not begun is taken back."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

import pytest
from msgspec.structs import replace
from tests.simulation.test_report_tables import REPLICATIONS, day, results

from usher.simulation.experiment import Job, Plan, Result, experiment, run
from usher.simulation.world import Unstable

CASES = tuple(result.case for result in results())
PLAN = Plan(replications=REPLICATIONS)

P = ParamSpec("P")
T = TypeVar("T")


class Hesitant(Executor):
    """Runs the first `most` jobs when they come, the last of them first, and leaves the others.

    It is asked for no more than `asked` jobs: then somebody interrupts.
    """

    def __init__(self, most: int, asked: int = 1_000) -> None:
        self.futures: list[Future[object]] = []
        self._most = most
        self._asked = asked
        self._held: list[Callable[[], None]] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if len(self.futures) == self._asked:
            raise KeyboardInterrupt
        future: Future[T] = Future()
        self.futures.append(future)  # type: ignore[arg-type]
        self._held.append(lambda: future.set_result(fn(*args, **kwargs)))
        if len(self._held) == self._most:
            for finish in reversed(self._held):
                finish()
        return future


def kept(told: tuple[Result, ...]) -> int:
    return sum(len(result.numbers) for result in told)


def test_the_order_in_which_runs_finish_changes_nothing() -> None:
    assert results() == experiment(CASES, PLAN, Hesitant(most=len(CASES) * REPLICATIONS))


def test_an_interrupt_keeps_what_is_finished_and_takes_back_the_rest() -> None:
    def interrupt(finished: int, planned: int) -> None:
        assert planned == len(CASES) * REPLICATIONS
        if finished == 3:
            raise KeyboardInterrupt

    executor = Hesitant(most=4)
    told = experiment(CASES, PLAN, executor, interrupt)
    assert ({True}, 3) == ({result.stopped for result in told}, kept(told))
    for stopped, whole in zip(told, results(), strict=True):
        assert tuple(whole.samples[number] for number in stopped.numbers) == stopped.samples
    assert [False] * 4 + [True] * 8 == [future.cancelled() for future in executor.futures]


def test_an_interrupt_while_runs_are_handed_over_takes_them_back() -> None:
    executor = Hesitant(most=100, asked=5)
    told = experiment(CASES, PLAN, executor)
    assert ({True}, 0) == ({result.stopped for result in told}, kept(told))
    assert [True] * 5 == [future.cancelled() for future in executor.futures]


def test_runs_that_somebody_else_cancels_stop_the_experiment() -> None:
    executor = Hesitant(most=2)

    def cancel(finished: int, planned: int) -> None:
        for future in executor.futures:
            future.cancel()

    told = experiment(CASES, PLAN, executor, cancel)
    assert {True} == {result.stopped for result in told}
    assert 2 == kept(told)


def test_an_unstable_run_tells_its_case() -> None:
    crowded = replace(CASES[0], name="crowded", scenario=replace(day(0), queue_most=1))
    with pytest.raises(Unstable, match="crowded: more than 1 contacts of"):
        run(Job(crowded, 1, 0, 30))
