"""Days that are not in steady state, against exact answers: a queue from empty, a load that moves.

Means over days lie within four standard errors of the figures of `shared/queueing_cases.json`.
Issue 4, "must show" 1.
"""

import json
from collections.abc import Callable, Iterator
from math import sin, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from tests.simulation.queueing_worlds import model

from usher.queue.rules import Policy
from usher.simulation.distributions import Exponential
from usher.simulation.rows import Batch
from usher.simulation.scenario import Curve, Day, Poisson, Scenario
from usher.simulation.streams import Streams
from usher.simulation.world import World

pytestmark = pytest.mark.theory

Floats = NDArray[np.float64]
SEED = 20261122
STANDARD_ERRORS = 4
MIN_MS = 60_000
MINUTES = 1440


@pytest.fixture(scope="session")
def cases(shared: Path) -> dict[str, dict[str, Any]]:
    read = json.loads((shared / "queueing_cases.json").read_text(encoding="utf-8"))
    return {case["id"]: case for case in read["cases"]}


def test_a_day_from_empty_gives_what_the_forward_equations_say(
    cases: dict[str, dict[str, Any]], scaled: Callable[[int], int]
) -> None:
    case = cases["transient_mm12_day"]
    params, metrics = case["params"], case["metrics"]
    one = model({"lam": params["lam"], "mu": params["mu"], "servers": params["servers"]})
    kind = replace(
        one.scenario.types["one"],
        arrivals=Poisson(per_hour=params["lam"] * 60),
        handling=Exponential(60 / params["mu"]),
    )
    closes_min = params["horizon"]
    scenario = replace(one.scenario, types={"one": kind}, horizon=Day(closes_min=closes_min))
    found = np.array(
        [
            _of_day(batch, 20_000, closes_min * MIN_MS)
            for batch in _days(scenario, one.policy, scaled(100))
        ]
    )
    arrived, in_target, waited_min, busy_min = found.T
    _near(metrics["expected_arrivals"], arrived)
    _near(metrics["expected_in_target"], in_target)
    _near(0, in_target - metrics["service_level"] * arrived)
    _near(0, waited_min - metrics["mean_wait"] * arrived)
    _near(metrics["occupancy_to_480"], busy_min / closes_min / params["servers"])


def _of_day(batch: Batch, target_ms: int, closes_ms: int) -> tuple[float, float, float, float]:
    """Returns arrivals, those answered within the target, minutes waited, minutes talked."""
    rows, legs = batch.contacts, batch.legs
    in_target = (rows.answered_ms >= 0) & (rows.waits_ms <= target_ms)
    until_ms = np.minimum(legs.talked_ms, closes_ms)
    busy_ms = np.maximum(until_ms - legs.active_ms, 0).sum()
    waited_ms = rows.waits_ms.sum()
    return len(rows.type), in_target.sum(), waited_ms / MIN_MS, busy_ms / MIN_MS


def test_a_load_that_moves_is_followed_as_late_as_theory_says(
    cases: dict[str, dict[str, Any]], scaled: Callable[[int], int]
) -> None:
    """Infinitely many servers: as many as are never all busy. Two periods pass before the look."""
    case = cases["mt_m_inf"]
    unit_min, from_unit = 75, 4 * np.pi
    rates = [100 + 20 * sin(minute / unit_min) for minute in np.arange(MINUTES) + 0.5]
    one = model({"lam": 1.0, "mu": 1.0, "servers": 200})
    curve = Curve(counts=tuple(rate / unit_min for rate in rates), every_min=1)
    kind = replace(one.scenario.types["one"], arrivals=curve, handling=Exponential(unit_min * 60.0))
    scenario = replace(one.scenario, types={"one": kind}, horizon=Day())
    times_ms = [(from_unit + time) * unit_min * MIN_MS for time in case["params"]["times"]]
    found = np.array(
        [
            [_at_work(batch, at_ms) for at_ms in times_ms]
            for batch in _days(scenario, one.policy, scaled(100))
        ]
    )
    for time, counts in zip(case["params"]["times"], found.T, strict=True):
        mean = case["metrics"][f"m_{time}"]
        _near(mean, counts)
        spread = mean * sqrt(2 / (len(counts) - 1))  # of the variance: the counts are Poisson
        assert abs(counts.var(ddof=1) - mean) <= STANDARD_ERRORS * spread


def _at_work(batch: Batch, at_ms: float) -> int:
    legs = batch.legs
    return int(((legs.active_ms <= at_ms) & (at_ms < legs.talked_ms)).sum())


def _days(scenario: Scenario, policy: Policy, count: int) -> Iterator[Batch]:
    for number in range(count):
        yield from World(scenario, policy, Streams(SEED, number)).batches()


def _near(expected: float, values: Floats) -> None:
    error = values.std(ddof=1) / sqrt(len(values))
    assert abs(values.mean() - expected) <= STANDARD_ERRORS * error
