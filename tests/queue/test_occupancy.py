"""Occupancy against time lines drawn by hand and counted ms by ms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.queue.occupancy import (
    LegSegments,
    OccupancyFigures,
    PresenceKind,
    PresenceSegments,
    occupancy,
    occupancy_by_agent,
    occupancy_by_interval,
)

READY, NOT_READY, DRAINING = PresenceKind
Segment = tuple[int, int, int, int]


def presence(*rows: Segment) -> PresenceSegments:
    """Stretches as (agent, from_ms, until_ms, kind)."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return PresenceSegments(
        agent=table[:, 0],
        from_ms=table[:, 1],
        until_ms=table[:, 2],
        kind=table[:, 3].astype(np.uint8),
    )


def legs(*rows: Segment) -> LegSegments:
    """Stretches as (agent, from_ms, until_ms, units)."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return LegSegments(
        agent=table[:, 0], from_ms=table[:, 1], until_ms=table[:, 2], units=table[:, 3]
    )


def of_one(shown: PresenceSegments, worked: LegSegments, capacity: int = 1) -> OccupancyFigures:
    return occupancy(shown, worked, np.array([capacity]), from_ms=0, until_ms=1_000)


def test_occupancy_is_time_with_a_leg_over_signed_in_time_less_not_ready() -> None:
    found = of_one(presence((0, 0, 80, READY), (0, 80, 100, NOT_READY)), legs((0, 10, 50, 1)))
    assert (100, 20, 80, 40) == (
        found.signed_in_ms,
        found.not_ready_ms,
        found.available_ms,
        found.busy_ms,
    )
    assert 0.5 == found.occupancy


def test_overlapping_legs_count_once_in_time_and_each_in_units() -> None:
    found = of_one(presence((0, 0, 100, READY)), legs((0, 0, 50, 2), (0, 25, 75, 1)), capacity=4)
    assert (75, 150, 400) == (found.busy_ms, found.used_unit_ms, found.capacity_unit_ms)
    assert (0.75, 0.375) == (found.occupancy, found.occupancy_by_units)


def test_not_ready_counts_from_the_moment_no_leg_is_live() -> None:
    found = of_one(presence((0, 0, 40, READY), (0, 40, 100, NOT_READY)), legs((0, 20, 60, 1)))
    assert (40, 60, 40) == (found.not_ready_ms, found.available_ms, found.busy_ms)


def test_work_while_signed_out_is_told_apart() -> None:
    found = of_one(presence((0, 0, 40, READY)), legs((0, 20, 60, 1)))
    assert (20, 20, 0.5) == (found.busy_ms, found.busy_signed_out_ms, found.occupancy)


def test_draining_is_signed_in_time() -> None:
    assert 60 == of_one(presence((0, 0, 60, DRAINING)), legs()).available_ms


def test_without_available_time_there_is_no_occupancy() -> None:
    for found in (of_one(presence(), legs()), of_one(presence((0, 0, 9, NOT_READY)), legs())):
        assert (None, None) == (found.occupancy, found.occupancy_by_units)


def test_segments_are_cut_to_the_intervals() -> None:
    found = occupancy_by_interval(
        presence((0, 0, 100, READY)), legs((0, 40, 80, 1)), np.array([1]), np.array([0, 50, 90])
    )
    assert [(50, 10), (40, 30)] == [(one.available_ms, one.busy_ms) for one in found]


def test_agents_are_kept_apart() -> None:
    found = occupancy_by_agent(
        presence((1, 0, 100, READY), (0, 0, 50, READY)),
        legs((0, 0, 25, 1), (1, 0, 25, 1)),
        np.array([1, 1, 1]),
        from_ms=0,
        until_ms=1_000,
    )
    assert [0.5, 0.25, None] == [one.occupancy for one in found]


def test_segments_and_agents_out_of_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="segment 0 ends before it starts"):
        legs((0, 9, 8, 1))
    with pytest.raises(ValueError, match="segment 1 ends before it starts"):
        presence((0, 1, 2, READY), (0, 9, 8, READY))
    with pytest.raises(ValueError, match=r"not within 0\.\.0"):
        of_one(presence((1, 0, 5, READY)), legs())
    with pytest.raises(ValueError, match="window"):
        occupancy(presence(), legs(), np.array([1]), from_ms=5, until_ms=4)


SEGMENTS = st.tuples(
    st.integers(0, 2), st.integers(0, 40), st.integers(0, 20), st.sampled_from(PresenceKind)
)


def by_the_ms(shown: list[Segment], worked: list[Segment], capacity: list[int]) -> list[int]:
    signed = available = busy = outside = used = room = 0
    for agent, units in enumerate(capacity):
        for at in range(5, 50):
            kinds = [row[3] for row in shown if row[0] == agent and row[1] <= at < row[2]]
            prices = [row[3] for row in worked if row[0] == agent and row[1] <= at < row[2]]
            there = bool(kinds) and (NOT_READY not in kinds or bool(prices))
            signed += bool(kinds)
            available += there
            busy += there and bool(prices)
            outside += bool(prices) and not kinds
            used += sum(prices) if there else 0
            room += units if there else 0
    return [signed, available, busy, outside, used, room]


@given(st.lists(SEGMENTS, max_size=8), st.lists(SEGMENTS, max_size=8))
def test_the_sweep_agrees_with_counting_each_ms(
    shown: list[Segment], worked: list[Segment]
) -> None:
    shown = [(agent, start, start + length, kind) for agent, start, length, kind in shown]
    worked = [(agent, start, start + length, kind + 1) for agent, start, length, kind in worked]
    capacity = [1, 3, 2]
    found = occupancy(presence(*shown), legs(*worked), np.array(capacity), from_ms=5, until_ms=50)
    assert by_the_ms(shown, worked, capacity) == [
        found.signed_in_ms,
        found.available_ms,
        found.busy_ms,
        found.busy_signed_out_ms,
        found.used_unit_ms,
        found.capacity_unit_ms,
    ]
