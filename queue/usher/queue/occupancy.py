"""How busy agents were: the share of their time with a live leg, and by units of capacity.

Presence and legs come as columns of segments, agents by their index in the caller's table. It must
not know why an agent was away, nor calendars or pools. Figures without data are None.

    signed in   |-----------------------------------------|
    not-ready                 |-----------|
    live legs       |----|  |----|            |------|
                        |--|                       |--|
    available   |----------------|        |---------------|    (a leg still open when not-ready
    busy            |------------|            |--------|        begins is work, so available)

Occupancy = busy / available. Not-ready while working only stops new offers, so not-ready time
counts from the moment no leg is live; else work done then would be set against no time at all.
Work outside signed-in time (a lost desktop whose call goes on) is counted apart.
"""

from enum import IntEnum
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from usher.queue.measures import Int64s, check_bounds, share


class PresenceKind(IntEnum):
    """Kinds of signed-in time; offline has no segment."""

    READY = 0
    NOT_READY = 1
    DRAINING = 2


class PresenceSegments(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One row per stretch of signed-in time of one kind; raises ValueError if one ends early."""

    agent: Int64s
    """int64, index of the agent, 0.."""
    from_ms: Int64s
    """int64, UTC ms."""
    until_ms: Int64s
    """int64, UTC ms, >= from_ms; for one that still lasts give the present moment."""
    kind: NDArray[np.uint8]
    """uint8, a code of `PresenceKind`."""

    def __post_init__(self) -> None:
        _check_segments(self.from_ms, self.until_ms)


class LegSegments(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One row per stretch of a live leg (joining to done, open offers not) at one price."""

    agent: Int64s
    """int64, index of the agent, 0.."""
    from_ms: Int64s
    """int64, UTC ms."""
    until_ms: Int64s
    """int64, UTC ms, >= from_ms."""
    units: Int64s
    """int64, units of capacity that the leg takes; its wrap-up may be a row of another price."""

    def __post_init__(self) -> None:
        _check_segments(self.from_ms, self.until_ms)


class OccupancyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of agent time and what follows from them; shares are None without available time."""

    signed_in_ms: int
    not_ready_ms: int
    """Signed in, not ready and without a live leg."""
    available_ms: int
    """signed_in_ms - not_ready_ms."""
    busy_ms: int
    """Available with at least one live leg; overlapping legs count once."""
    busy_signed_out_ms: int
    """With a live leg but not signed in; in none of the shares."""
    used_unit_ms: int
    """Units of live legs x time, while available."""
    capacity_unit_ms: int
    """Units of capacity x available time."""
    occupancy: float | None
    """busy_ms / available_ms, 0..1."""
    occupancy_by_units: float | None
    """used_unit_ms / capacity_unit_ms; over 1 if platforms reported more than the capacity."""


def occupancy(
    presence: PresenceSegments,
    legs: LegSegments,
    capacity_units: Int64s,
    *,
    from_ms: int,
    until_ms: int,
) -> OccupancyFigures:
    """Occupancy of all these agents within [from_ms, until_ms); capacity by agent index."""
    totals = _totals_by_agent(presence, legs, len(capacity_units), (from_ms, until_ms))
    return _figures(totals.sum(axis=1), int(totals[_AVAILABLE] @ capacity_units))


def occupancy_by_interval(
    presence: PresenceSegments, legs: LegSegments, capacity_units: Int64s, bounds_ms: Int64s
) -> tuple[OccupancyFigures, ...]:
    """Occupancy per interval [bounds[i], bounds[i + 1]). Raises ValueError on wrong bounds."""
    check_bounds(bounds_ms)
    return tuple(
        occupancy(presence, legs, capacity_units, from_ms=int(start), until_ms=int(end))
        for start, end in pairwise(bounds_ms)
    )


def occupancy_by_agent(
    presence: PresenceSegments,
    legs: LegSegments,
    capacity_units: Int64s,
    *,
    from_ms: int,
    until_ms: int,
) -> tuple[OccupancyFigures, ...]:
    """Occupancy of each agent within [from_ms, until_ms), in the order of the index."""
    totals = _totals_by_agent(presence, legs, len(capacity_units), (from_ms, until_ms))
    capacity_unit_ms = totals[_AVAILABLE] * capacity_units
    return tuple(
        _figures(totals[:, agent], int(capacity_unit_ms[agent]))
        for agent in range(len(capacity_units))
    )


# Rows of the totals, one column per agent.
_SIGNED_IN, _AVAILABLE, _BUSY, _BUSY_SIGNED_OUT, _USED_UNITS = range(5)


def _totals_by_agent(
    presence: PresenceSegments, legs: LegSegments, agents: int, window_ms: tuple[int, int]
) -> Int64s:
    """A sweep over each agent's time line: between two moments where something changes, the
    counts of open segments say what kind of time it is. Returns (5, agents) int64, ms.
    Raises ValueError for an agent without a capacity or a window that ends before it starts."""
    if window_ms[1] < window_ms[0]:
        raise ValueError(f"the window {window_ms} ends before it starts")
    for column in (presence.agent, legs.agent):
        if ((column < 0) | (column >= agents)).any():
            raise ValueError(f"an agent index is not within 0..{agents - 1}")
    if len(presence.agent) + len(legs.agent) == 0:
        return np.zeros((5, agents), dtype=np.int64)
    agent, at_ms, steps = _changes(presence, legs, window_ms)
    order = np.lexsort((at_ms, agent))
    agent, at_ms = agent[order], at_ms[order]
    # Each segment adds and takes away the same, so the sums are 0 again where an agent ends, and
    # the length of the step to the next agent counts for nothing.
    signed, not_ready, live, units = np.cumsum(steps[:, order], axis=1)[:, :-1]
    length_ms = np.diff(at_ms)
    working = live > 0
    available = (signed > 0) & ((not_ready == 0) | working)
    rows = (signed > 0, available, available & working, (signed == 0) & working)
    totals = [_sum_by_agent(agent[:-1], length_ms * row, agents) for row in rows]
    totals.append(_sum_by_agent(agent[:-1], length_ms * units * available, agents))
    return np.stack(totals)


def _changes(
    presence: PresenceSegments, legs: LegSegments, window_ms: tuple[int, int]
) -> tuple[Int64s, Int64s, Int64s]:
    """Agent, moment and step in (signed in, not ready, live legs, units) of all changes."""
    none = np.zeros(len(presence.agent), dtype=np.int64)
    away = (presence.kind == PresenceKind.NOT_READY).astype(np.int64)
    of_presence = np.stack((none + 1, away, none, none))
    none = np.zeros(len(legs.agent), dtype=np.int64)
    of_legs = np.stack((none, none, none + 1, legs.units))
    from_ms = np.clip(np.concatenate((presence.from_ms, legs.from_ms)), *window_ms)
    until_ms = np.clip(np.concatenate((presence.until_ms, legs.until_ms)), *window_ms)
    steps = np.concatenate((of_presence, of_legs), axis=1)
    agent = np.concatenate((presence.agent, legs.agent))
    return (
        np.concatenate((agent, agent)),
        np.concatenate((from_ms, until_ms)),
        np.concatenate((steps, -steps), axis=1),
    )


def _sum_by_agent(agent: Int64s, values: Int64s, agents: int) -> Int64s:
    # Not bincount: its weights are floats, and unit x ms sums must stay exact.
    sums = np.zeros(agents, dtype=np.int64)
    np.add.at(sums, agent, values)
    return sums


def _figures(totals: Int64s, capacity_unit_ms: int) -> OccupancyFigures:
    signed_in_ms, available_ms, busy_ms, busy_signed_out_ms, used_unit_ms = map(int, totals)
    return OccupancyFigures(
        signed_in_ms=signed_in_ms,
        not_ready_ms=signed_in_ms - available_ms,
        available_ms=available_ms,
        busy_ms=busy_ms,
        busy_signed_out_ms=busy_signed_out_ms,
        used_unit_ms=used_unit_ms,
        capacity_unit_ms=capacity_unit_ms,
        occupancy=share(busy_ms, available_ms),
        occupancy_by_units=share(used_unit_ms, capacity_unit_ms),
    )


def _check_segments(from_ms: Int64s, until_ms: Int64s) -> None:
    if (until_ms < from_ms).any():
        raise ValueError(f"segment {int(np.argmax(until_ms < from_ms))} ends before it starts")
