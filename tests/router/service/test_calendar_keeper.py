import asyncio
from typing import Any

import pytest

from usher.queue.branches import Branch, Branches, BranchName, Opening, WeekdayHours
from usher.queue.commands import SetBranches, SetCalendar
from usher.queue.journal.contract import JournalFull
from usher.queue.journal.memory import MemoryJournal
from usher.queue.values import SYSTEM
from usher.router.service.calendar_keeper import REACH_MS, SLEEP_MOST_S, CalendarKeeper
from usher.router.service.calendars import expand
from usher.router.service.clock import ManualClock
from usher.router.service.runner import Runner

DAY_MS = 24 * 3600 * 1000
LIMIT_S = 20.0


def plan(version: str = "b1", zone: str = "Europe/Berlin") -> Branches:
    week = (WeekdayHours(0, (Opening(540, 1020),)),)
    branch = Branch(name=BranchName("north"), time_zone=zone, lines=(), week=week)
    return Branches(version=version, branches=(branch,))


async def kept(
    kit: Any, journal: MemoryJournal, branches: Branches | None, rate: int = 1, **settings: Any
) -> tuple[Runner, CalendarKeeper]:
    clock = ManualClock(kit.START_MS, rate=rate)
    opened = await kit.open(journal, clock, branches=branches)
    runner = await kit.runner(journal, opened, **settings)
    return runner, CalendarKeeper(runner)


async def days_set(kit: Any, journal: MemoryJournal) -> list[str]:
    """Returns the last service day of every calendar that was set."""
    records = await kit.records(journal)
    calendars = [each.command.calendar for each in records if isinstance(each.command, SetCalendar)]
    return [calendar.branches[0].days[-1].date for calendar in calendars]


def test_the_calendar_is_renewed_when_it_reaches_less_than_13_days(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner, keeper = await kept(kit, journal, plan())
        clock = runner.clock
        assert isinstance(clock, ManualClock)
        assert ["2023-11-28"] == await days_set(kit, journal)
        ends_ms = runner.pool.ledger.days[BranchName("north")].days[-1].ends_ms
        clock.advance(ends_ms - REACH_MS - 1 - clock.now_ms())
        assert 0.001 == await keeper.look()
        assert ["2023-11-28"] == await days_set(kit, journal)
        clock.advance(1)
        await keeper.look()
        assert ["2023-11-28", "2023-11-30"] == await days_set(kit, journal)
        assert expand(plan(), clock.now_ms()) == runner.pool.ledger.calendar

    run(scenario())


def test_it_looks_by_itself_when_woken_and_no_longer_when_stopped(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner, keeper = await kept(kit, journal, plan())
        keeper.start()
        clock = runner.clock
        assert isinstance(clock, ManualClock)
        clock.advance(3 * DAY_MS)
        keeper.wake()
        async with asyncio.timeout(LIMIT_S):
            while len(await days_set(kit, journal)) == 1:
                await kit.turn()
        await keeper.stop()
        clock.advance(3 * DAY_MS)
        keeper.wake()
        await kit.turn(20)
        assert 2 == len(await days_set(kit, journal))

    run(scenario())


def test_other_branches_get_a_calendar(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner, keeper = await kept(kit, journal, None)
        assert [] == await days_set(kit, journal)
        await kit.send(runner, SetBranches(SYSTEM, plan()))
        await keeper.look()
        assert expand(plan(), kit.START_MS) == runner.pool.ledger.calendar
        await kit.send(runner, SetBranches(SYSTEM, plan("b2", "Pacific/Auckland")))
        await keeper.look()
        assert expand(plan("b2", "Pacific/Auckland"), kit.START_MS) == runner.pool.ledger.calendar

    run(scenario())


def test_branches_with_the_same_hours_get_no_new_calendar(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner, keeper = await kept(kit, journal, plan())
        await kit.send(runner, SetBranches(SYSTEM, plan("b2")))
        await keeper.look()
        assert 1 == len(await days_set(kit, journal))

    run(scenario())


def test_a_fast_clock_is_followed(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner, keeper = await kept(kit, journal, plan(), rate=10_000)
        clock = runner.clock
        assert isinstance(clock, ManualClock)
        ends_ms = runner.pool.ledger.days[BranchName("north")].days[-1].ends_ms
        seconds = await keeper.look()
        assert clock.seconds_until(ends_ms - REACH_MS) == seconds < SLEEP_MOST_S
        clock.advance(3 * DAY_MS // 10_000)
        await keeper.look()
        assert expand(plan(), kit.START_MS + 3 * DAY_MS) == runner.pool.ledger.calendar

    run(scenario())


def test_a_calendar_that_could_not_be_recorded_is_tried_again(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner, keeper = await kept(kit, journal, plan(), journal_full_pause_ms=0)
        clock = runner.clock
        assert isinstance(clock, ManualClock)
        clock.advance(3 * DAY_MS)
        await kit.send(runner, kit.sign_in("a0"), "s0")
        journal.errors.append(JournalFull())
        await keeper.look()
        assert 1 == len(await days_set(kit, journal))
        await keeper.look()
        assert 2 == len(await days_set(kit, journal))

    run(scenario())


def test_an_unknown_time_zone_is_told_and_the_pool_goes_on(
    kit: Any, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner, keeper = await kept(kit, journal, plan())
        await kit.send(runner, SetBranches(SYSTEM, plan("b2", "Mars/Olympus")))
        await keeper.look()
        await keeper.look()
        assert 1 == len(await days_set(kit, journal))
        assert b"waiting nobody" in await kit.send(runner, kit.enqueue("c1"), "q1")

    run(scenario())
    told = capsys.readouterr()
    assert 1 == (told.out + told.err).count("calendar_not_set")
    assert "TIME_ZONE_UNKNOWN" in told.out + told.err
