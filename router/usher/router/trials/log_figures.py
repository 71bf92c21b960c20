"""The figures of a call log itself: its measures, and who seems to have been on duty.

By the same definitions as Usher's own figures, so that the two can stand side by side. It must not
know files, the server or the policy. Presence is not in the log: it is guessed from the talks.
"""

from collections import defaultdict
from collections.abc import Iterable

import msgspec
import numpy as np

from usher.queue.measures import (
    SHORT_ABANDON_MS,
    ContactFacts,
    HandleFigures,
    LegFacts,
    Measures,
    Outcome,
    handle_figures,
    measure,
)
from usher.queue.occupancy import LegSegments, OccupancyFigures, PresenceSegments, occupancy
from usher.router.trials.call_log import DAY_S, Call, CallOutcome

DUTY_GAP_S = 600


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """When an agent was on duty, guessed from talks, and what the agent was seen doing."""

    agent: str
    intervals_s: tuple[tuple[int, int], ...]
    """(from, until) in seconds after midnight, ascending, apart by at least the gap."""
    types: tuple[str, ...]
    """Types of call served, by name: a guess at skills."""
    talks: int


class LogMeasures(msgspec.Struct, frozen=True, kw_only=True):
    """The log's own figures. Duty is guessed from talks, so occupancy is a guess as well."""

    measures: Measures
    handle: HandleFigures
    """Talk only: the log shows no after-call time. Talks without an agent are among them."""
    occupancy: OccupancyFigures
    """Of the agents recorded."""


def agents_on_duty(calls: Iterable[Call], gap_s: int = DUTY_GAP_S) -> list[Duty]:
    """Who was on duty when, by agent name: between talks that are closer than the gap.

    Calls served by nobody on record add to no duty (`LogFindings.agents_not_recorded`); neither
    do talks of 0 s that no other talk is near.
    """
    talks: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.agent:
            talks[call.agent].append(call)
    duties = [_duty(agent, talks[agent], gap_s) for agent in sorted(talks)]
    return [duty for duty in duties if duty.intervals_s]


def log_measures(
    calls: Iterable[Call],
    *,
    threshold_ms: int = 20_000,
    short_abandon_ms: int = SHORT_ABANDON_MS,
    gap_s: int = DUTY_GAP_S,
) -> LogMeasures:
    """The log's own figures by the definitions that Usher's figures go by."""
    listed = list(calls)
    duties = agents_on_duty(listed, gap_s)
    return LogMeasures(
        measures=measure(
            contact_facts(listed), threshold_ms=threshold_ms, short_abandon_ms=short_abandon_ms
        ),
        handle=handle_figures(_leg_facts(listed)),
        occupancy=_occupancy(listed, duties),
    )


def contact_facts(calls: Iterable[Call]) -> ContactFacts:
    """The calls as columns, in ms after midnight of their day."""
    listed = list(calls)
    waited_s = np.array([call.arrival_s + call.wait_s for call in listed], dtype=np.int64)
    served = np.array([call.outcome is CallOutcome.SERVED for call in listed], dtype=np.bool_)
    talk_s = np.array([call.talk_s or 0 for call in listed], dtype=np.int64)
    return ContactFacts(
        arrived_ms=1000 * np.array([call.arrival_s for call in listed], dtype=np.int64),
        answered_ms=np.where(served, 1000 * waited_s, -1),
        ended_ms=1000 * (waited_s + talk_s),
        outcome=np.where(served, Outcome.COMPLETED, Outcome.ABANDONED).astype(np.uint8),
    )


def _duty(agent: str, talks: list[Call], gap_s: int) -> Duty:
    intervals_s: list[tuple[int, int]] = []
    for start_s, end_s in sorted(_talk(call) for call in talks):
        if intervals_s and start_s - intervals_s[-1][1] < gap_s:
            from_s, until_s = intervals_s.pop()
            intervals_s.append((from_s, max(until_s, end_s)))
        else:
            intervals_s.append((start_s, end_s))
    return Duty(
        agent=agent,
        intervals_s=tuple((start_s, end_s) for start_s, end_s in intervals_s if end_s > start_s),
        types=tuple(sorted({call.type for call in talks})),
        talks=len(talks),
    )


def _talk(call: Call) -> tuple[int, int]:
    start_s = call.talk_start_s or 0
    return start_s, start_s + (call.talk_s or 0)


def _leg_facts(calls: list[Call]) -> LegFacts:
    served = [call for call in calls if call.outcome is CallOutcome.SERVED]
    index = {name: at for at, name in enumerate(sorted({call.agent for call in served}))}
    nothing = np.zeros(len(served), dtype=np.int64)
    return LegFacts(
        agent=np.array([index[call.agent] for call in served], dtype=np.int64),
        active_ms=np.array([1000 * _talk(call)[0] for call in served], dtype=np.int64),
        talk_ms=np.array([1000 * (call.talk_s or 0) for call in served], dtype=np.int64),
        hold_ms=nothing,
        wrap_up_ms=nothing,
    )


def _occupancy(calls: list[Call], duties: list[Duty]) -> OccupancyFigures:
    index = {duty.agent: at for at, duty in enumerate(duties)}
    on_duty = [(at, *span) for at, duty in enumerate(duties) for span in duty.intervals_s]
    talks = [(index[call.agent], *_talk(call)) for call in calls if call.agent in index]
    shifts = np.array(on_duty, dtype=np.int64).reshape(-1, 3)
    legs = np.array(talks, dtype=np.int64).reshape(-1, 3)
    return occupancy(
        PresenceSegments(
            agent=shifts[:, 0],
            from_ms=1000 * shifts[:, 1],
            until_ms=1000 * shifts[:, 2],
            kind=np.zeros(len(shifts), dtype=np.uint8),
        ),
        LegSegments(
            agent=legs[:, 0],
            from_ms=1000 * legs[:, 1],
            until_ms=1000 * legs[:, 2],
            units=np.ones(len(legs), dtype=np.int64),
        ),
        np.ones(len(duties), dtype=np.int64),
        from_ms=0,
        until_ms=1000 * 2 * DAY_S,
    )
