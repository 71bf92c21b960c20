import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from usher.queue.branches import (
    Branch,
    Branches,
    BranchName,
    Line,
    LineName,
    Opening,
    Service,
    ServiceName,
    WeekdayHours,
)
from usher.queue.codec import RECORD_VERSION, Record, encode_records
from usher.queue.commands import ExpireDeadlines, JoinLine
from usher.queue.errors import ClockRateFixed, PolicyRefused
from usher.queue.journal.contract import Batch, Journal, JournalCorrupt, JournalVersionUnknown
from usher.queue.journal.memory import MemoryJournal
from usher.queue.journal.sqlite import SqliteJournal
from usher.queue.rules import Policy
from usher.queue.values import SYSTEM, Channel, ContactFacts, ContactId, NewContact, QueueName
from usher.router.service.calendars import ZoneUnknown, expand
from usher.router.service.clock import ManualClock
from usher.router.service.opening import load_pool


def test_a_new_pool_records_its_opening_policy_and_roster(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        opened = await kit.open(journal)
        assert ["OpenPool", "SetPolicy", "SetRoster"] == await kit.commands(journal)
        assert 3 == opened.pool.position == journal.position

    run(scenario())


def test_opening_again_records_only_what_differs(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        await kit.open(journal)
        await kit.open(journal)
        await kit.open(journal, roster=kit.roster("r2"))
        assert ["OpenPool", "OpenPool", "SetRoster"] == await kit.commands(journal, after=3)

    run(scenario())


def test_a_queue_kept_closed_does_not_make_the_policy_differ(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await kit.runner(journal)
        await kit.send(runner, kit.enqueue("c1", "limited"), "q1")
        await runner.drain()
        smaller = Policy(version="p2", queues=kit.policy().queues[:1])
        await kit.open(journal, policy=smaller)
        before = journal.position
        opened = await kit.open(journal, policy=smaller)
        assert ["OpenPool"] == await kit.commands(journal, after=before)
        assert opened.pool.ledger.queues["limited"].closed

    run(scenario())


def branches(
    version: str = "b1", zone: str = "Europe/Berlin", *names: str, service: str = "cash"
) -> Branches:
    lines = (Line(name=LineName("a"), services=(ServiceName(service),)),)
    week = tuple(WeekdayHours(day, (Opening(540, 1020),)) for day in range(7))
    return Branches(
        version=version,
        services=(Service(name=ServiceName(service), queue=QueueName("help")),),
        branches=tuple(
            Branch(name=BranchName(name), time_zone=zone, lines=lines, week=week)
            for name in names or ("north",)
        ),
    )


def test_branches_are_recorded_with_their_calendar(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        opened = await kit.open(journal, branches=branches())
        assert ["SetBranches", "SetCalendar"] == await kit.commands(journal, after=3)
        assert branches() == opened.pool.ledger.plan
        assert expand(branches(), kit.START_MS) == opened.pool.ledger.calendar

    run(scenario())


def test_opening_again_records_branches_and_calendar_only_where_they_differ(
    kit: Any, run: Any
) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        await kit.open(journal, branches=branches())
        await kit.open(journal, branches=branches())
        await kit.open(journal)
        await kit.open(journal, branches=branches("b2"))
        await kit.open(journal, branches=branches("b2", "Pacific/Auckland"))
        assert [
            *("OpenPool", "OpenPool"),
            *("OpenPool", "SetBranches"),
            *("OpenPool", "SetBranches", "SetCalendar"),
        ] == await kit.commands(journal, after=5)

    run(scenario())


def test_days_that_have_passed_make_the_calendar_differ(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        await kit.open(journal, branches=branches())
        later_ms = kit.START_MS + 24 * 3600 * 1000
        opened = await kit.open(journal, clock=ManualClock(later_ms))
        assert ["OpenPool", "SetCalendar"] == await kit.commands(journal, after=5)
        assert expand(branches(), later_ms) == opened.pool.ledger.calendar

    run(scenario())


def test_branches_that_are_all_left_out_end_and_never_were_is_no_change(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        none = Branches(version="none")
        await kit.open(journal, branches=none)
        assert 3 == journal.position
        await kit.open(journal, branches=branches())
        opened = await kit.open(journal, branches=none)
        assert ["OpenPool", "SetBranches"] == await kit.commands(journal, after=6)
        assert {} == opened.pool.ledger.branches

    run(scenario())


def test_what_is_kept_closed_does_not_make_the_branches_differ(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        opened = await kit.open(journal, branches=branches("b1", "UTC", "north", "south"))
        clock = ManualClock(opened.pool.ledger.days[BranchName("south")].days[1].openings[0][0])
        runner = await kit.runner(journal, await kit.open(journal, clock=clock))
        contact = NewContact(ContactId("v1"), ContactFacts(QueueName(""), Channel.WALK_IN))
        join = JoinLine(SYSTEM, contact, BranchName("south"), ServiceName("cash"))
        await kit.send(runner, join, "j1")
        await runner.drain()
        smaller = branches("b2", "UTC", "north", service="mail")
        await kit.open(journal, clock, branches=smaller)
        before = journal.position
        opened = await kit.open(journal, clock, branches=smaller)
        assert ["OpenPool"] == await kit.commands(journal, after=before)
        assert opened.pool.ledger.branches[BranchName("south")].closed
        assert opened.pool.ledger.services[ServiceName("cash")].closed

    run(scenario())


def test_an_unknown_time_zone_is_refused_and_records_nothing(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        with pytest.raises(ZoneUnknown, match="Mars/Olympus"):
            await kit.open(journal, branches=branches("b1", "Mars/Olympus"))
        assert 0 == journal.position

    run(scenario())


def test_another_clock_rate_than_the_journals_is_refused(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        await kit.open(journal, clock=ManualClock(kit.START_MS, rate=60))
        with pytest.raises(ClockRateFixed):
            await kit.open(journal, clock=ManualClock(kit.START_MS, rate=1))
        assert 3 == journal.position

    run(scenario())


def test_a_policy_with_errors_is_refused_and_records_nothing(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        queue = kit.policy().queues[0]
        with pytest.raises(PolicyRefused):
            await kit.open(journal, policy=Policy(version="p2", queues=(queue, queue)))
        assert 0 == journal.position

    run(scenario())


def test_the_clock_is_made_from_the_time_of_the_last_record(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        await kit.open(journal, clock=ManualClock(kit.START_MS))
        assert kit.START_MS == (await load_pool(journal)).pool.ledger.at_ms

    run(scenario())


def test_a_batch_of_a_later_version_is_named(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        await kit.open(journal)
        await journal.append(3, Batch(RECORD_VERSION + 1, kit.START_MS, 1, b"?"))
        with pytest.raises(JournalVersionUnknown, match=f"version {RECORD_VERSION + 1} at posit"):
            await kit.open(journal)

    run(scenario())


def test_a_snapshot_of_a_later_version_is_named(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        await kit.open(journal)
        await journal.write_snapshot(3, 99, [b"?"])
        with pytest.raises(JournalVersionUnknown, match="version 99 at position 3"):
            await kit.open(journal)

    run(scenario())


def test_records_that_do_not_follow_are_damage(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        await kit.open(journal)
        record = Record(5, kit.START_MS, ExpireDeadlines(SYSTEM), ())
        body = encode_records([record])
        await journal.append(3, Batch(RECORD_VERSION, kit.START_MS, 1, body))
        with pytest.raises(JournalCorrupt, match="record 5 comes next"):
            await kit.open(journal)

    run(scenario())


def test_bytes_that_are_no_records_are_damage(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        await journal.append(0, Batch(RECORD_VERSION, kit.START_MS, 1, b"\xc1"))
        with pytest.raises(JournalCorrupt, match="does not decode"):
            await kit.open(journal)

    run(scenario())


async def fill(kit: Any, journal: Journal, contacts: int) -> str:
    """Enqueues, matches and abandons; returns the hash of the state."""
    runner = await kit.runner(journal)
    await kit.send(runner, kit.sign_in("a0"), "s0")
    for start in range(0, contacts, 1000):
        ids = [f"c{n}" for n in range(start, min(start + 1000, contacts))]
        await kit.send(runner, kit.enqueue_all(*ids), f"q{start}")
    for start in range(0, contacts, 3000):
        left = range(start, min(start + 3000, contacts), 3)
        await asyncio.gather(*(kit.send(runner, kit.abandon(f"c{n}"), f"b{n}") for n in left))
    await runner.close()
    return runner.pool.state_hash()


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_replay_gives_the_live_state(kit: Any, run: Any, tmp_path: Path, store: str) -> None:
    async def scenario() -> None:
        journal: Journal = MemoryJournal()
        if store == "sqlite":
            journal = await SqliteJournal.open(tmp_path / "pool.sqlite")
        live = await fill(kit, journal, 30)
        assert live == (await load_pool(journal)).pool.state_hash()
        await journal.close()

    run(scenario())


def test_snapshot_and_tail_give_the_live_state(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        await fill(kit, journal, 30)
        loaded = await load_pool(journal)
        snapshot = loaded.pool.snapshot()
        await journal.write_snapshot(loaded.pool.position, 1, snapshot.pieces())
        runner = await kit.runner(journal)
        await kit.send(runner, kit.enqueue("later"), "q-later")
        await runner.close()
        again = await load_pool(journal)
        assert runner.pool.state_hash() == again.pool.state_hash()
        assert runner.pool.position - loaded.pool.position == again.replayed

    run(scenario())


def test_a_hundred_thousand_events_are_replayed_in_time(
    kit: Any,
    run: Any,
    scaled: Any,
    tmp_path: Path,
) -> None:
    """1.2 s for 100,000 on two cores; the limit here leaves room for a busy machine."""
    events = scaled(100_000)

    async def scenario() -> None:
        journal = await SqliteJournal.open(tmp_path / "pool.sqlite")
        await fill(kit, journal, events * 3 // 4)
        began_s = time.perf_counter()
        loaded = await load_pool(journal)
        seconds = time.perf_counter() - began_s
        assert loaded.pool.position == journal.position
        assert 3 * 1.2 * events / 100_000 + 0.2 > seconds
        await journal.close()

    run(scenario())
