"""Usher's figures of a replayed day beside the log's own, by the same definitions.

What the server told is turned into columns on the log's time line (ms after its midnight) and goes
through `usher.queue.measures`, as the log did. It must not know how the replay was driven.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from usher.queue.measures import (
    ContactFacts,
    HandleFigures,
    IntervalMeasures,
    LegFacts,
    Measures,
    Outcome,
    handle_figures,
    measure,
    measure_by_interval,
)
from usher.queue.occupancy import (
    LegSegments,
    OccupancyFigures,
    PresenceKind,
    PresenceSegments,
    occupancy,
)
from usher.router.trials.accounting import Account
from usher.router.trials.call_log import DAY_S, Call
from usher.router.trials.log_figures import contact_facts, log_measures
from usher.router.trials.observed import PresenceChange, milliseconds
from usher.router.trials.server_clock import Lateness
from usher.v1 import agent_pb2, contact_pb2

THRESHOLD_MS = 20_000

_KINDS = {
    agent_pb2.PRESENCE_READY: PresenceKind.READY,
    agent_pb2.PRESENCE_NOT_READY: PresenceKind.NOT_READY,
    agent_pb2.PRESENCE_DRAINING: PresenceKind.DRAINING,
}
_OUTCOMES = {
    contact_pb2.OUTCOME_UNSPECIFIED: Outcome.OPEN,
    contact_pb2.OUTCOME_COMPLETED: Outcome.COMPLETED,
    contact_pb2.OUTCOME_ABANDONED: Outcome.ABANDONED,
}

Contacts = Sequence[contact_pb2.Contact]
Presences = Mapping[str, Sequence[PresenceChange]]


class Figures(Struct, frozen=True, kw_only=True):
    """One side of the report. Occupancy of the log is of duty guessed from talks, talk only."""

    measures: Measures
    handle: HandleFigures
    occupancy: OccupancyFigures
    by_hour: tuple[IntervalMeasures, ...]
    """Bounds in ms after the midnight of the day."""


class Driving(Struct, frozen=True, kw_only=True):
    """How the replay went: the same day at another clock rate should differ in nothing else."""

    clock_rate: int
    seconds: float
    calls: int
    """gRPC commands and reads sent."""
    races: dict[str, int]
    """Refused because the server had decided otherwise meanwhile, by method and reason."""
    offers: int
    offer_ends: dict[str, int]
    """Offers that did not lead to a talk, by reason."""
    lateness: Lateness
    connect_ms: float | None
    """Mean time from an offer to agent and customer together: the answer delay, and the wire."""
    uncertain_ms: float
    """Half the width of what is known of the server's clock, in its own ms."""
    stalled: bool


class LoadReport(Struct, frozen=True, kw_only=True):
    """Everything a replay shows."""

    day: str
    after_call_ms: int
    answer_ms: int
    seed: int
    account: Account
    usher: Figures
    log: Figures
    driving: Driving
    server: dict[str, str]


def usher_figures(
    contacts: Contacts,
    presences: Presences,
    began_ms: int,
    bounds_ms: NDArray[np.int64],
) -> Figures:
    """The figures of what the server told; `began_ms` = server time of the day's midnight."""
    facts = server_facts(contacts, began_ms)
    return Figures(
        measures=measure(facts, threshold_ms=THRESHOLD_MS),
        handle=handle_figures(_leg_facts(contacts)),
        occupancy=_occupancy(contacts, presences, began_ms),
        by_hour=_by_hour(facts, bounds_ms),
    )


def log_side(calls: Iterable[Call], bounds_ms: NDArray[np.int64]) -> Figures:
    """The figures of the log."""
    listed = list(calls)
    whole = log_measures(listed, threshold_ms=THRESHOLD_MS)
    return Figures(
        measures=whole.measures,
        handle=whole.handle,
        occupancy=whole.occupancy,
        by_hour=_by_hour(contact_facts(listed), bounds_ms),
    )


def hour_bounds_ms() -> NDArray[np.int64]:
    """Bounds of the hours after midnight; what arrives after the day's end is in the last row."""
    return np.array([*range(0, DAY_S + 1, 3600), 2 * DAY_S], dtype=np.int64) * 1000


def server_facts(contacts: Contacts, began_ms: int) -> ContactFacts:
    """Contacts as columns, in ms after the day's midnight."""
    arrived = [milliseconds(one.enqueue_time) - began_ms for one in contacts]
    return ContactFacts(
        arrived_ms=np.maximum(np.array(arrived, dtype=np.int64), 0),
        answered_ms=_times([one.answer_time for one in contacts], began_ms),
        ended_ms=_times([one.end_time for one in contacts], began_ms),
        outcome=np.array(
            [_OUTCOMES.get(one.outcome, Outcome.OTHER) for one in contacts], dtype=np.uint8
        ),
    )


def connect_ms(contacts: Contacts) -> float | None:
    """Mean ms by the server's clock from an offer until agent and customer are together."""
    took_ms = [
        milliseconds(leg.active_time) - milliseconds(leg.offer_time)
        for one in contacts
        for leg in one.legs
        if leg.HasField("active_time")
    ]
    return sum(took_ms) / len(took_ms) if took_ms else None


def _times(stamps: Sequence[object], began_ms: int) -> NDArray[np.int64]:
    """-1 where a thing has not happened: such a stamp is 0."""
    times_ms = np.array([milliseconds(one) for one in stamps], dtype=np.int64)  # type: ignore[arg-type]
    return np.where(times_ms > 0, times_ms - began_ms, -1)


def _leg_facts(contacts: Contacts) -> LegFacts:
    """Legs that were served: talk ends with wrap-up or with the leg."""
    legs = [leg for one in contacts for leg in one.legs if leg.HasField("active_time")]
    index = _index(leg.agent_id for leg in legs)
    active = [milliseconds(leg.active_time) for leg in legs]
    wrapping = [milliseconds(leg.wrapping_time) for leg in legs]
    ended = [milliseconds(leg.end_time) for leg in legs]
    talked = [
        wrap or end or start for start, wrap, end in zip(active, wrapping, ended, strict=True)
    ]
    hold = [leg.held.ToMilliseconds() for leg in legs]
    wrapped = [max(0, end - wrap) if wrap else 0 for wrap, end in zip(wrapping, ended, strict=True)]
    held = _column(hold)
    return LegFacts(
        agent=_column([index[leg.agent_id] for leg in legs]),
        active_ms=_column(active),
        talk_ms=np.maximum(_column(talked) - _column(active) - held, 0),
        hold_ms=held,
        wrap_up_ms=_column(wrapped),
    )


def _occupancy(contacts: Contacts, presences: Presences, began_ms: int) -> OccupancyFigures:
    """From the moment agent and customer are together to the end of wrap-up, over duty."""
    legs = [leg for one in contacts for leg in one.legs if leg.HasField("active_time")]
    index = _index([*presences, *(leg.agent_id for leg in legs)])
    ends = [milliseconds(leg.end_time) for leg in legs]
    last_ms = max(
        [change.at_ms for changes in presences.values() for change in changes] + ends + [1]
    )
    spans = [
        (index[agent_id], from_ms, until_ms, _KINDS[presence])
        for agent_id, changes in presences.items()
        for from_ms, until_ms, presence in _stretches(changes, last_ms)
        if presence in _KINDS
    ]
    shifts = np.array(spans, dtype=np.int64).reshape(-1, 4)
    return occupancy(
        PresenceSegments(
            agent=shifts[:, 0],
            from_ms=shifts[:, 1],
            until_ms=shifts[:, 2],
            kind=shifts[:, 3].astype(np.uint8),
        ),
        LegSegments(
            agent=_column([index[leg.agent_id] for leg in legs]),
            from_ms=_column([milliseconds(leg.active_time) for leg in legs]),
            until_ms=_column([end or last_ms for end in ends]),
            units=np.ones(len(legs), dtype=np.int64),
        ),
        np.ones(len(index), dtype=np.int64),
        from_ms=0,
        until_ms=last_ms + 1,
    )


def _stretches(
    changes: Sequence[PresenceChange], last_ms: int
) -> Iterable[tuple[int, int, agent_pb2.Presence.ValueType]]:
    ends = [change.at_ms for change in changes[1:]] + [last_ms]
    for change, until_ms in zip(changes, ends, strict=True):
        yield change.at_ms, max(change.at_ms, until_ms), change.presence  # type: ignore[misc]


def _by_hour(facts: ContactFacts, bounds_ms: NDArray[np.int64]) -> tuple[IntervalMeasures, ...]:
    return measure_by_interval(facts, bounds_ms, threshold_ms=THRESHOLD_MS).intervals


_Name = TypeVar("_Name")


def _index(names: Iterable[_Name]) -> dict[_Name, int]:
    return {name: at for at, name in enumerate(dict.fromkeys(names))}


def _column(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
