"""The pace of turns: close with time to spare, apart when busy, never held when many wait."""

import asyncio
from collections.abc import Callable

import pytest

from usher.router.service.pace import UNPACED_CONTACTS, WINDOW_S, Pace


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.used_s = 1.0

    def pace(self, most_ms: int, wake: Callable[[], None] = lambda: None) -> Pace:
        return Pace(most_ms, wake, clock=lambda: self.now_s, used=lambda: self.used_s)

    def after_windows(self, pace: Pace, share: float, count: int = 20) -> None:
        """Windows go by in which the thread used `share` of a core; each ends with a turn."""
        for _ in range(count):
            self.now_s += 20.0
            self.used_s += 20.0 * share
            assert not pace.holds(1)


@pytest.mark.parametrize(
    ("share", "apart_ms"), [(0.0, 8), (0.3, 8), (0.5, 20), (0.7, 40), (1.0, 40)]
)
def test_turns_lie_apart_by_the_share_used(share: float, apart_ms: int) -> None:
    async def scenario() -> list[bool]:
        hand = Hand()
        pace = hand.pace(40)
        hand.after_windows(pace, share)
        hand.now_s += (apart_ms - 1) / 1000
        early = pace.holds(1)
        hand.now_s += 0.0011
        return [early, pace.holds(1)]

    assert [True, False] == asyncio.run(scenario())


def test_a_burst_is_met_within_two_turns() -> None:
    async def scenario() -> bool:
        hand = Hand()
        pace = hand.pace(40)
        hand.after_windows(pace, 0.1)
        for _ in range(2):
            hand.now_s += WINDOW_S * 3
            hand.used_s += WINDOW_S * 3
            assert not pace.holds(1)
        hand.now_s += 0.039
        return pace.holds(1)

    assert asyncio.run(scenario())


def test_a_held_turn_is_woken_once() -> None:
    async def scenario() -> tuple[bool, bool, bool, int]:
        woken: list[int] = []
        hand = Hand()
        pace = hand.pace(10, lambda: woken.append(1))
        hand.after_windows(pace, 1.0)
        held, still = pace.holds(1), pace.holds(2)
        holding = pace.is_holding(2)
        await asyncio.sleep(0.03)
        return held, still, holding, len(woken)

    assert (True, True, True, 1) == asyncio.run(scenario())


def test_very_many_waiting_are_not_held() -> None:
    async def scenario() -> tuple[bool, bool]:
        hand = Hand()
        pace = hand.pace(10_000)
        hand.after_windows(pace, 1.0)
        return pace.is_holding(UNPACED_CONTACTS), pace.holds(UNPACED_CONTACTS)

    assert (False, False) == asyncio.run(scenario())


def test_with_a_most_of_zero_nothing_waits() -> None:
    async def scenario() -> bool:
        hand = Hand()
        pace = hand.pace(0)
        hand.after_windows(pace, 1.0)
        return pace.holds(1)

    assert asyncio.run(scenario()) is False
