"""The pace of turns: a lone command never waits, many gather, very many do not wait either."""

import asyncio

from usher.router.service.pace import UNPACED_CONTACTS, Pace


def test_the_first_turn_begins_at_once() -> None:
    async def scenario() -> bool:
        return Pace(50, lambda: None).holds(1)

    assert asyncio.run(scenario()) is False


def test_a_turn_right_after_another_waits_and_is_woken_once() -> None:
    async def scenario() -> tuple[bool, bool, int, bool]:
        woken: list[int] = []
        pace = Pace(20, lambda: woken.append(1))
        pace.holds(1)
        held, still = pace.holds(1), pace.holds(2)
        await asyncio.sleep(0.05)
        return held, still, len(woken), pace.holds(2)

    assert asyncio.run(scenario()) == (True, True, 1, False)


def test_a_full_inbox_does_not_wait() -> None:
    async def scenario() -> bool:
        pace = Pace(10_000, lambda: None)
        pace.holds(1)
        return pace.holds(UNPACED_CONTACTS)

    assert asyncio.run(scenario()) is False


def test_without_a_pace_nothing_waits() -> None:
    async def scenario() -> tuple[bool, bool]:
        pace = Pace(0, lambda: None)
        return pace.holds(1), pace.holds(1)

    assert asyncio.run(scenario()) == (False, False)
