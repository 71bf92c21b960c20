"""What one run adds up to: sums by type of contact, of the staff, and by interval of the day.

Sums, not shares: over replications a share is the ratio of sums (`statistics.ratio_interval`). All
by the definitions of `usher.queue.measures` and `usher.queue.occupancy`. It must not know how a run
came about.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from usher.queue.measures import Measures, ServiceLevel, measure, measure_by_interval
from usher.queue.occupancy import OccupancyFigures, occupancy, occupancy_by_interval
from usher.simulation.rows import Batch, ContactRows
from usher.simulation.scenario import Scenario, Target
from usher.simulation.staff import Worker

Mask = NDArray[np.bool_]
MS_PER_HOUR = 3_600_000


class Sums(Struct, frozen=True, kw_only=True):
    """Of one group of contacts; waits as `measures` counts them."""

    contacts: int
    offered: int
    answered: int
    abandoned: int
    turned_away: int
    """Refused by a full queue or a closed branch, balked, or sent home when the branch closed."""
    no_shows: int
    """Visitors who were called and did not come."""
    level_met: float
    """Contacts that meet the service level by its name, of `level_of`."""
    level_of: float
    wait_ms: float
    """Sum over answered and abandoned."""
    answer_wait_ms: float
    p50_ms: float
    """Percentiles of the waits of answered and abandoned by nearest rank; 0 without any."""
    p90_ms: float
    longest_ms: float
    first_tries: int
    """Among the contacts: no retrial and no redial."""
    value: float = 0.0
    """What the answered bring in: value of the type x quality of the group that answered; 0 by
    interval."""

    @property
    def still_waiting(self) -> int:
        """Returns how many are in none of these groups: they waited when the run ended."""
        return self.contacts - self.offered - self.turned_away - self.no_shows


class Staffing(Struct, frozen=True, kw_only=True):
    """Of all agents."""

    signed_in_ms: int
    available_ms: int
    busy_ms: int
    used_unit_ms: int
    capacity_unit_ms: int
    cost: float
    """Signed-in time at the price of each agent's group."""


class IntervalSums(Struct, frozen=True, kw_only=True):
    """Of the contacts that came within [from_ms, until_ms), and of the staff in that time."""

    from_ms: int
    until_ms: int
    all: Sums
    staff: Staffing
    mean_waiting: float
    types: dict[str, Sums] = {}
    """By type, where there are several."""


class Sample(Struct, frozen=True, kw_only=True):
    """One replication of a day, or one batch of a long run."""

    span_ms: int
    all: Sums
    types: dict[str, Sums]
    staff: Staffing
    intervals: tuple[IntervalSums, ...] = ()
    contacts: ContactRows | None = None
    """The contacts themselves, where a plan asks to keep them."""


def sample(
    batch: Batch, scenario: Scenario, workers: Sequence[Worker], bounds_ms: NDArray[np.int64] | None
) -> Sample:
    """Returns what a batch adds up to; by interval where bounds (ascending, ms) are given."""
    rows, target = batch.contacts, scenario.target
    everything, values = np.ones(len(rows.type), dtype=np.bool_), _values(rows, scenario, workers)
    types = {
        name: sums(rows, rows.type == index, target, values)
        for index, name in enumerate(scenario.types)
    }
    return Sample(
        span_ms=batch.until_ms - batch.from_ms,
        all=sums(rows, everything, target, values),
        types=types,
        staff=_staff(batch, workers),
        intervals=() if bounds_ms is None else _intervals(batch, scenario, workers, bounds_ms),
    )


def capacity_units(workers: Sequence[Worker]) -> NDArray[np.int64]:
    """Returns the units of capacity of each agent."""
    return np.array([worker.group.capacity.units for worker in workers], dtype=np.int64)


def sums(rows: ContactRows, chosen: Mask, target: Target, values: NDArray[np.float64]) -> Sums:
    """Returns the sums of the chosen contacts; `values`: what each row brings in."""
    facts = rows.facts(chosen)
    measured = measure(
        facts, threshold_ms=target.threshold_ms, short_abandon_ms=target.short_abandon_ms
    )
    first_tries = int(np.count_nonzero(rows.attempt[chosen] == 1))
    return _sums(measured, target, first_tries, float(values[chosen].sum()))


def _values(
    rows: ContactRows, scenario: Scenario, workers: Sequence[Worker]
) -> NDArray[np.float64]:
    """Returns what each contact brings in, expected: 0 for who was never answered."""
    by_agent = [
        [rules.value * worker.group.quality.get(name, 1.0) for worker in workers] + [0.0]
        for name, rules in scenario.types.items()
    ]
    nobody = len(workers)
    agent = np.where(rows.agent < 0, nobody, rows.agent)
    values: NDArray[np.float64] = np.array(by_agent, dtype=np.float64)[rows.type, agent]
    return values


def _sums(measured: Measures, target: Target, first_tries: int = 0, value: float = 0.0) -> Sums:
    wait, answered = measured.wait_offered, measured.wait_answered
    met, of = _level(measured, target.level)
    return Sums(
        contacts=measured.contacts,
        offered=measured.offered,
        answered=measured.answered,
        abandoned=measured.abandoned,
        turned_away=measured.ended_otherwise,
        no_shows=measured.no_shows,
        level_met=met,
        level_of=of,
        wait_ms=wait.count * (wait.mean_ms or 0.0),
        answer_wait_ms=answered.count * (answered.mean_ms or 0.0),
        p50_ms=float(wait.p50_ms or 0),
        p90_ms=float(wait.p90_ms or 0),
        longest_ms=float(wait.longest_ms or 0),
        first_tries=first_tries,
        value=value,
    )


def _level(measured: Measures, name: ServiceLevel) -> tuple[float, float]:
    """Returns (met, of): numerator and denominator of the service level, as it is defined."""
    levels = measured.service_levels
    share = levels.named(name)
    left_within = ((levels.abandons_within_met or 0) - (levels.of_offered or 0)) * measured.offered
    of = {
        ServiceLevel.OF_OFFERED: float(measured.offered),
        ServiceLevel.OF_ANSWERED: float(measured.answered),
        ServiceLevel.ABANDONS_WITHIN_EXCLUDED: measured.offered - left_within,
        ServiceLevel.ABANDONS_WITHIN_MET: float(measured.offered),
    }[name]
    return (share or 0.0) * of, of


def _staff(batch: Batch, workers: Sequence[Worker]) -> Staffing:
    units = capacity_units(workers)
    window = {"from_ms": batch.from_ms, "until_ms": batch.until_ms}
    figures = occupancy(batch.presence, batch.legs.segments(), units, **window)
    segments, costs = batch.presence, np.array([w.group.cost_per_hour for w in workers])
    hours = (segments.until_ms - segments.from_ms) / MS_PER_HOUR
    cost = float(hours @ costs[segments.agent]) if len(hours) else 0.0
    return _staffing(figures, cost)


def _staffing(figures: OccupancyFigures, cost: float) -> Staffing:
    return Staffing(
        signed_in_ms=figures.signed_in_ms,
        available_ms=figures.available_ms,
        busy_ms=figures.busy_ms,
        used_unit_ms=figures.used_unit_ms,
        capacity_unit_ms=figures.capacity_unit_ms,
        cost=cost,
    )


def _intervals(
    batch: Batch, scenario: Scenario, workers: Sequence[Worker], bounds_ms: NDArray[np.int64]
) -> tuple[IntervalSums, ...]:
    rows, target = batch.contacts, scenario.target
    table = _measured(rows, bounds_ms, target)
    types = {
        name: _measured(rows, bounds_ms, target, rows.type == index)
        for index, name in enumerate(scenario.types if len(scenario.types) > 1 else ())
    }
    units = capacity_units(workers)
    staff = occupancy_by_interval(batch.presence, batch.legs.segments(), units, bounds_ms)
    waiting = _mean_waiting(rows, bounds_ms)
    return tuple(
        IntervalSums(
            from_ms=int(bounds_ms[place]),
            until_ms=int(bounds_ms[place + 1]),
            all=table[place],
            staff=_staffing(figures, 0.0),
            mean_waiting=float(mean),
            types={name: of_type[place] for name, of_type in types.items()},
        )
        for place, (figures, mean) in enumerate(zip(staff, waiting, strict=True))
    )


def _measured(
    rows: ContactRows,
    bounds_ms: NDArray[np.int64],
    target: Target,
    chosen: Mask | None = None,
) -> list[Sums]:
    """Returns the sums by interval of the chosen contacts, or of all."""
    table = measure_by_interval(
        rows.facts(chosen),
        bounds_ms,
        threshold_ms=target.threshold_ms,
        short_abandon_ms=target.short_abandon_ms,
    )
    return [_sums(each.measures, target) for each in table.intervals]


def _mean_waiting(rows: ContactRows, bounds_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns the mean number waiting by interval: waits clipped to it, over its length."""
    from_ms = rows.arrived_ms
    until_ms = from_ms + rows.waits_ms
    starts, ends = bounds_ms[:-1, None], bounds_ms[1:, None]
    inside_ms = np.minimum(until_ms, ends) - np.maximum(from_ms, starts)
    mean: NDArray[np.float64] = np.maximum(inside_ms, 0).sum(axis=1) / np.diff(bounds_ms)
    return mean
