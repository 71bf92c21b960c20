"""Service figures of contacts and legs: waits, abandonment, service levels, handle time.

For the service, the replay of call logs and the simulator, so that all three mean the same by
the same word. It must not know clocks, calendars, zones, pools or messages: columns come in,
frozen figures go out. A figure without data is None, never NaN. Occupancy is in `occupancy`.

What counts as what (every contact is in exactly one of the six rows)

    answered         answered_ms >= 0, whatever happened later
    abandoned        never answered, outcome ABANDONED (short ones are among them, and also
                     counted apart)
    callbacks        never answered, outcome CALLBACK: a place kept is no abandon
    no-shows         never answered, outcome NO_SHOW: called to a desk, and did not come
    ended otherwise  never answered, any other outcome (cancelled, lost, moved, expired ...)
    open waiting     never answered, outcome OPEN

Offered = answered + abandoned. The other four are in no share and no service level.
A re-offer is no new contact; a transfer is one contact with two legs.
"""

from collections.abc import Iterator
from enum import Enum, IntEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Mask = NDArray[np.bool_]

NEVER = -1
SHORT_ABANDON_MS = 5_000


class Outcome(IntEnum):
    """How a contact stands, as far as the measures tell it apart."""

    OPEN = 0
    COMPLETED = 1
    ABANDONED = 2
    CALLBACK = 3
    OTHER = 4
    NO_SHOW = 5


class ServiceLevel(Enum):
    """The names a service level goes by; it is never given without one.

    T = threshold, A = answered, A_T = answered after a wait <= T, B = abandoned,
    B_T = abandoned after a wait <= T. Short abandons are part of B in each of them.
    """

    OF_OFFERED = "of_offered"
    """A_T / (A + B): every abandon is a miss."""
    OF_ANSWERED = "of_answered"
    """A_T / A: abandons are not looked at."""
    ABANDONS_WITHIN_EXCLUDED = "abandons_within_excluded"
    """A_T / (A + B - B_T): who left within the threshold is neither hit nor miss."""
    ABANDONS_WITHIN_MET = "abandons_within_met"
    """(A_T + B_T) / (A + B): who left within the threshold is a hit."""


class IntervalBy(Enum):
    """The moment that puts a contact into an interval."""

    ARRIVAL = "arrival"
    ANSWER = "answer"
    """When the wait ended: the answer, or the end of a contact that was never answered."""


class ContactFacts(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One row per contact; raises ValueError where the columns contradict each other."""

    arrived_ms: Int64s
    """int64, UTC ms (or ms of any one clock, >= 0): when the contact began to wait."""
    answered_ms: Int64s
    """int64, same clock: the first owner leg became ACTIVE, so time offered and joining is
    time waited; -1 = never."""
    ended_ms: Int64s
    """int64, same clock: the contact ended; -1 while it is open."""
    outcome: NDArray[np.uint8]
    """uint8, a code of `Outcome`."""

    def __post_init__(self) -> None:
        _check_lengths(self)
        answered, ended = self.answered_ms >= 0, self.ended_ms >= 0
        _check(self.arrived_ms >= 0, "arrived_ms is below 0")
        _check(self.outcome <= max(Outcome), "outcome is no code of Outcome")
        _check(~answered | (self.answered_ms >= self.arrived_ms), "answered_ms < arrived_ms")
        _check(~ended | (self.ended_ms >= self.arrived_ms), "ended_ms < arrived_ms")
        _check(~(ended & answered) | (self.ended_ms >= self.answered_ms), "ended_ms < answered_ms")
        _check(ended == (self.outcome != Outcome.OPEN), "ended_ms and outcome disagree on open")


class LegFacts(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One row per finished leg; raises ValueError for a negative duration."""

    agent: Int64s
    """int64, index of the agent in the caller's table."""
    active_ms: Int64s
    """int64, UTC ms: when the leg became active; -1 = never (declined, failed to connect)."""
    talk_ms: Int64s
    """int64, duration."""
    hold_ms: Int64s
    """int64, duration."""
    wrap_up_ms: Int64s
    """int64, duration."""

    def __post_init__(self) -> None:
        _check_lengths(self)
        for name in ("talk_ms", "hold_ms", "wrap_up_ms"):
            _check(getattr(self, name) >= 0, f"{name} is below 0")


class WaitFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Waits of one group of contacts. A percentile p is by nearest rank: the smallest wait
    that occurred with at least p % of all waits at or below it."""

    count: int
    mean_ms: float | None
    p50_ms: int | None
    p90_ms: int | None
    p95_ms: int | None
    p99_ms: int | None
    longest_ms: int | None


class ServiceLevels(msgspec.Struct, frozen=True, kw_only=True):
    """The four service levels (shares 0..1) for one threshold; formulas at `ServiceLevel`."""

    threshold_ms: int
    of_offered: float | None
    of_answered: float | None
    abandons_within_excluded: float | None
    abandons_within_met: float | None

    def named(self, name: ServiceLevel) -> float | None:
        """The level that goes by this name."""
        match name:
            case ServiceLevel.OF_OFFERED:
                return self.of_offered
            case ServiceLevel.OF_ANSWERED:
                return self.of_answered
            case ServiceLevel.ABANDONS_WITHIN_EXCLUDED:
                return self.abandons_within_excluded
            case ServiceLevel.ABANDONS_WITHIN_MET:
                return self.abandons_within_met


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one group of contacts; counts as on top of this file, shares 0..1."""

    contacts: int
    offered: int
    answered: int
    abandoned: int
    abandoned_short: int
    """Among `abandoned`: those that waited at most `short_abandon_ms`."""
    short_abandon_ms: int
    callbacks: int
    no_shows: int
    ended_otherwise: int
    open_waiting: int
    open_answered: int
    """Among `answered`: not ended yet."""
    abandoned_after_answer: int
    """Among `answered`: waited again (transfer, requeue) and left then."""
    abandon_share: float | None
    """abandoned / offered."""
    abandon_share_without_short: float | None
    """(abandoned - abandoned_short) / (offered - abandoned_short)."""
    wait_answered: WaitFigures
    wait_abandoned: WaitFigures
    wait_offered: WaitFigures
    """Answered and abandoned together: the wait "of all"."""
    service_levels: ServiceLevels


class IntervalMeasures(msgspec.Struct, frozen=True, kw_only=True):
    """Measures of the contacts whose moment is in [from_ms, until_ms)."""

    from_ms: int
    until_ms: int
    measures: Measures


class IntervalTable(msgspec.Struct, frozen=True, kw_only=True):
    """Measures by interval. `outside` contacts have their moment in none of the intervals, or
    no such moment yet; with them the counts add up to the contacts given."""

    by: IntervalBy
    intervals: tuple[IntervalMeasures, ...]
    outside: int


class HandleFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Handle time of legs that became active; percentiles by nearest rank."""

    legs: int
    never_active: int
    mean_handle_ms: float | None
    mean_talk_ms: float | None
    mean_hold_ms: float | None
    mean_wrap_up_ms: float | None
    p50_handle_ms: int | None
    p90_handle_ms: int | None
    longest_handle_ms: int | None


def measure(
    facts: ContactFacts, *, threshold_ms: int, short_abandon_ms: int = SHORT_ABANDON_MS
) -> Measures:
    """The figures of all these contacts together. Raises ValueError for a negative limit."""
    if threshold_ms < 0 or short_abandon_ms < 0:
        raise ValueError(f"a limit is below 0: {threshold_ms=} {short_abandon_ms=}")
    return _measure(facts, np.arange(len(facts.arrived_ms)), threshold_ms, short_abandon_ms)


def measure_by_interval(
    facts: ContactFacts,
    bounds_ms: Int64s,
    *,
    threshold_ms: int,
    short_abandon_ms: int = SHORT_ABANDON_MS,
    by: IntervalBy = IntervalBy.ARRIVAL,
) -> IntervalTable:
    """The figures per interval [bounds[i], bounds[i + 1]), n + 1 ascending bounds in UTC ms.

    Raises ValueError if there are fewer than two bounds or they do not ascend.
    """
    if threshold_ms < 0 or short_abandon_ms < 0:
        raise ValueError(f"a limit is below 0: {threshold_ms=} {short_abandon_ms=}")
    check_bounds(bounds_ms)
    intervals = [
        IntervalMeasures(
            from_ms=int(bounds_ms[at]),
            until_ms=int(bounds_ms[at + 1]),
            measures=_measure(facts, rows, threshold_ms, short_abandon_ms),
        )
        for at, rows in _rows_by_interval(_moments(facts, by), bounds_ms)
    ]
    inside = sum(interval.measures.contacts for interval in intervals)
    return IntervalTable(by=by, intervals=tuple(intervals), outside=len(facts.arrived_ms) - inside)


def service_level(facts: ContactFacts, name: ServiceLevel, *, threshold_ms: int) -> float | None:
    """One service level by its name (formula there), a share 0..1; None without data."""
    return measure(facts, threshold_ms=threshold_ms).service_levels.named(name)


def handle_time_ms(legs: LegFacts) -> Int64s:
    """Handle time of each leg: talk + hold + wrap-up (int64, ms)."""
    return legs.talk_ms + legs.hold_ms + legs.wrap_up_ms


def handle_figures(legs: LegFacts) -> HandleFigures:
    """Handle time over all these legs; legs that never became active are only counted."""
    return _handle_figures(legs, np.ones(len(legs.agent), dtype=np.bool_))


def handle_by_agent(legs: LegFacts) -> dict[int, HandleFigures]:
    """Handle time by agent index, in ascending order of the index."""
    return {int(one): _handle_figures(legs, legs.agent == one) for one in np.unique(legs.agent)}


def check_bounds(bounds_ms: Int64s) -> None:
    """Raises ValueError if these are not at least two ascending bounds."""
    if len(bounds_ms) < 2:
        raise ValueError(f"intervals need at least two bounds, not {len(bounds_ms)}")
    _check(np.diff(bounds_ms) > 0, "bounds_ms do not ascend")


def _measure(facts: ContactFacts, rows: Int64s, threshold_ms: int, short_ms: int) -> Measures:
    arrived_ms, answered_ms = facts.arrived_ms[rows], facts.answered_ms[rows]
    ended_ms, outcome = facts.ended_ms[rows], facts.outcome[rows]
    answered = answered_ms >= 0
    abandoned = ~answered & (outcome == Outcome.ABANDONED)
    answer_waits_ms = (answered_ms - arrived_ms)[answered]
    abandon_waits_ms = (ended_ms - arrived_ms)[abandoned]
    answered_count, abandoned_count = len(answer_waits_ms), len(abandon_waits_ms)
    offered = answered_count + abandoned_count
    short = _count(abandon_waits_ms <= short_ms)
    callbacks = _count(~answered & (outcome == Outcome.CALLBACK))
    no_shows = _count(~answered & (outcome == Outcome.NO_SHOW))
    waiting = _count(~answered & (outcome == Outcome.OPEN))
    return Measures(
        contacts=len(rows),
        offered=offered,
        answered=answered_count,
        abandoned=abandoned_count,
        abandoned_short=short,
        short_abandon_ms=short_ms,
        callbacks=callbacks,
        no_shows=no_shows,
        ended_otherwise=len(rows) - offered - callbacks - no_shows - waiting,
        open_waiting=waiting,
        open_answered=_count(answered & (outcome == Outcome.OPEN)),
        abandoned_after_answer=_count(answered & (outcome == Outcome.ABANDONED)),
        abandon_share=share(abandoned_count, offered),
        abandon_share_without_short=share(abandoned_count - short, offered - short),
        wait_answered=_wait_figures(answer_waits_ms),
        wait_abandoned=_wait_figures(abandon_waits_ms),
        wait_offered=_wait_figures(np.concatenate((answer_waits_ms, abandon_waits_ms))),
        service_levels=_service_levels(answer_waits_ms, abandon_waits_ms, threshold_ms),
    )


def _service_levels(
    answer_waits_ms: Int64s, abandon_waits_ms: Int64s, threshold_ms: int
) -> ServiceLevels:
    answered, abandoned = len(answer_waits_ms), len(abandon_waits_ms)
    answered_within = _count(answer_waits_ms <= threshold_ms)
    abandoned_within = _count(abandon_waits_ms <= threshold_ms)
    offered = answered + abandoned
    return ServiceLevels(
        threshold_ms=threshold_ms,
        of_offered=share(answered_within, offered),
        of_answered=share(answered_within, answered),
        abandons_within_excluded=share(answered_within, offered - abandoned_within),
        abandons_within_met=share(answered_within + abandoned_within, offered),
    )


def _wait_figures(waits_ms: Int64s) -> WaitFigures:
    ordered_ms = np.sort(waits_ms)
    return WaitFigures(
        count=len(ordered_ms),
        mean_ms=_mean(ordered_ms),
        p50_ms=_nearest_rank(ordered_ms, 50),
        p90_ms=_nearest_rank(ordered_ms, 90),
        p95_ms=_nearest_rank(ordered_ms, 95),
        p99_ms=_nearest_rank(ordered_ms, 99),
        longest_ms=_nearest_rank(ordered_ms, 100),
    )


def _handle_figures(legs: LegFacts, chosen: Mask) -> HandleFigures:
    active = chosen & (legs.active_ms >= 0)
    ordered_ms = np.sort(handle_time_ms(legs)[active])
    return HandleFigures(
        legs=len(ordered_ms),
        never_active=_count(chosen) - len(ordered_ms),
        mean_handle_ms=_mean(ordered_ms),
        mean_talk_ms=_mean(legs.talk_ms[active]),
        mean_hold_ms=_mean(legs.hold_ms[active]),
        mean_wrap_up_ms=_mean(legs.wrap_up_ms[active]),
        p50_handle_ms=_nearest_rank(ordered_ms, 50),
        p90_handle_ms=_nearest_rank(ordered_ms, 90),
        longest_handle_ms=_nearest_rank(ordered_ms, 100),
    )


def _moments(facts: ContactFacts, by: IntervalBy) -> Int64s:
    if by is IntervalBy.ARRIVAL:
        return facts.arrived_ms
    return np.where(facts.answered_ms >= 0, facts.answered_ms, facts.ended_ms)


def _rows_by_interval(moments_ms: Int64s, bounds_ms: Int64s) -> Iterator[tuple[int, Int64s]]:
    """Yields each interval's index with its rows, in the order of the table. A contact without a
    moment has -1, which is below any bound in real time, and is left out even if it is not."""
    order = np.argsort(moments_ms, kind="stable")
    order = order[moments_ms[order] >= 0]
    cuts = np.searchsorted(moments_ms[order], bounds_ms, side="left")
    for at in range(len(bounds_ms) - 1):
        yield at, np.sort(order[cuts[at] : cuts[at + 1]])


def share(part: int, whole: int) -> float | None:
    """part / whole, or None if there is nothing to take a share of."""
    return part / whole if whole > 0 else None


def _mean(values: Int64s) -> float | None:
    # The sum of whole numbers is exact, so the mean does not depend on their order.
    return int(values.sum()) / len(values) if len(values) else None


def _nearest_rank(ordered: Int64s, percent: int) -> int | None:
    rank = -(-percent * len(ordered) // 100)
    return int(ordered[rank - 1]) if len(ordered) else None


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))


def _check_lengths(table: msgspec.Struct) -> None:
    lengths = {name: len(getattr(table, name)) for name in table.__struct_fields__}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns differ in length: {lengths}")


def _check(holds: Mask, rule: str) -> None:
    if not holds.all():
        raise ValueError(f"{rule} (first at row {int(np.argmin(holds))})")
