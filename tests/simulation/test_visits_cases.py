"""A branch in the simulator, driving the router's pool, against the exact answers of theory.

One line and n desks with exponential times are M/M/n, with patience M/M/n+M. A walk and the grace
for who does not come are part of what a visitor takes of a clerk: with one desk that is M/G/1.
Means of batches of one long run with a fixed seed, within four standard errors.
"""

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest
from tests.simulation.branch_worlds import GRACE_MS, branches, clerks, policy, visit, visitors

from usher.queue.measures import Outcome
from usher.simulation.distributions import AnyDistribution, Deterministic, Exponential
from usher.simulation.rows import Batch
from usher.simulation.scenario import ContactType, Poisson, Steady
from usher.simulation.streams import Streams
from usher.simulation.theory.birth_death import Impatient
from usher.simulation.theory.erlang import erlang_c
from usher.simulation.world import World

pytestmark = pytest.mark.theory

UNIT_S = 100.0
VISITORS = 40_000
BATCHES = 10
STANDARD_ERRORS = 4
SEED = 20261122

Metric = Callable[[Batch], float]


def kind(rate: float, **more: AnyDistribution | float) -> ContactType:
    """Visitors at so many a unit of time, who take a unit on average."""
    arrivals = Poisson(per_hour=rate * 3600 / UNIT_S)
    return visitors(arrivals=arrivals, handling=Exponential(UNIT_S), **more)


def batches_of(one: ContactType, desks: int, size: int) -> list[Batch]:
    horizon = Steady(warm_up=500, batch=size // BATCHES, batches=BATCHES)
    scenario = visit(one, clerks(desks), horizon=horizon)
    return list(World(scenario, policy(), Streams(SEED), branches=branches()).batches())


def check(batches: list[Batch], **expected: tuple[float, Metric]) -> None:
    far_off = {}
    for name, (value, read) in expected.items():
        found = np.array([read(batch) for batch in batches])
        error = found.std(ddof=1) / sqrt(len(found))
        if abs(found.mean() - value) > STANDARD_ERRORS * error + 1e-4 * value:
            far_off[name] = f"{found.mean():.5g}, expected {value:.5g}, error {error:.2g}"
    assert {} == far_off


def wait(batch: Batch) -> float:
    return float(batch.contacts.waits_ms.mean()) / 1000 / UNIT_S


def wait_of_served(batch: Batch) -> float:
    rows = batch.contacts
    return float(rows.waits_ms[rows.answered_ms >= 0].mean()) / 1000 / UNIT_S


def waited(batch: Batch) -> float:
    return float(np.mean(batch.contacts.waits_ms > 0))


def left(batch: Batch) -> float:
    return float(np.mean(batch.contacts.outcome == Outcome.ABANDONED))


def not_come(batch: Batch) -> float:
    return float(np.mean(batch.contacts.outcome == Outcome.NO_SHOW))


def in_line(batch: Batch) -> float:
    return batch.totals[0].waiting_ms / (batch.until_ms - batch.from_ms)


def busy(batch: Batch) -> float:
    """Returns the mean number of busy clerks."""
    return batch.busy_ms / (batch.until_ms - batch.from_ms)


def test_a_line_before_three_desks_waits_as_erlang_c_says(scaled: Callable[[int], int]) -> None:
    expected = erlang_c(3, 2.3, 1.0)
    check(
        batches_of(kind(2.3), 3, scaled(VISITORS)),
        mean_wait=(expected.mean_wait, wait),
        p_wait=(expected.p_wait, waited),
        mean_busy=(2.3, busy),
    )


def test_a_line_of_impatient_visitors_waits_and_leaves_as_erlang_a_says(
    scaled: Callable[[int], int],
) -> None:
    expected = Impatient(3, 3.3, 1.0, 0.5).solve()
    check(
        batches_of(kind(3.3, patience=Exponential(2 * UNIT_S)), 3, scaled(VISITORS)),
        mean_wait=(expected.mean_wait, wait),
        p_wait=(expected.p_wait, waited),
        p_abandon=(expected.p_abandon, left),
        mean_queue=(expected.mean_queue, in_line),
        mean_busy=(3 * expected.occupancy, busy),
    )


def test_a_walk_and_a_grace_are_part_of_what_a_visitor_takes(scaled: Callable[[int], int]) -> None:
    rate, walk, grace, no_show = 0.6, 0.2, GRACE_MS / 1000 / UNIT_S, 0.3
    mean = (1 - no_show) * (walk + 1) + no_show * grace
    square = (1 - no_show) * (walk**2 + 2 * walk + 2) + no_show * grace**2
    to_the_call = rate * square / (2 * (1 - rate * mean))  # Pollaczek 1930, Khinchine 1932
    check(
        batches_of(
            kind(rate, walk=Deterministic(walk * UNIT_S), no_show=no_show), 1, scaled(VISITORS)
        ),
        mean_wait=(to_the_call + walk, wait_of_served),
        mean_busy=(rate * mean, busy),
        p_no_show=(no_show, not_come),
    )
