"""Lookouts: one look for all who watch a branch, never before what it shows is synced."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from tests.router import branch_kit as branch

from usher.queue import commands as c
from usher.queue.branches import DeskId
from usher.queue.errors import UnknownDesk
from usher.queue.journal.contract import JournalError
from usher.queue.values import SYSTEM, AgentId, ContactId, Presence
from usher.router.branch_lookups import known_desk
from usher.router.service import lookout as module
from usher.router.service.branch_look import BranchLook
from usher.router.service.clock import ManualClock
from usher.router.service.lookout import Lookout, Lookouts
from usher.router.service.runner import Runner
from usher.router.service.unavailable import PoolUnavailable, WatchesFull

Run = Callable[[Coroutine[Any, Any, None]], None]
Open = Callable[..., Awaitable[Runner]]


class Reader:
    """Somebody who watches, and counts. `wants`: whether a look is news."""

    branch = branch.NORTH
    ticket_id: ContactId | None = None
    desk_id: DeskId | None = None
    wants = True

    def __init__(self) -> None:
        self.looks: list[BranchLook] = []
        self.woken = asyncio.Event()

    def see(self, look: BranchLook) -> bool:
        self.looks.append(look)
        return self.wants

    def wake(self) -> None:
        self.woken.set()


@pytest.fixture
def open_runner(kit: Any, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a pool with branch north, where bob sits at desk 1. Looks follow without a pause."""
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    monkeypatch.setattr(module, "PAUSE_PER_TOLD_S", 0.0)

    async def open_(**settings: Any) -> Runner:
        journal = kit.GatedJournal()
        rules, roster = branch.rules(), branch.roster_of(branch.ANN, branch.BOB)
        taken = await kit.open(journal, ManualClock(branch.START_MS), rules, roster)
        runner: Runner = await kit.runner(journal, taken, **settings)
        for command in (
            c.SetBranches(SYSTEM, branch.PLAN),
            c.SetCalendar(SYSTEM, branch.calendar()),
            c.SignIn(branch.KIOSK, AgentId("bob"), Presence.READY, "", 0),
            c.OpenDesk(branch.KIOSK, branch.NORTH, "1", 0, AgentId("bob")),
        ):
            await kit.send(runner, command)
        return runner

    return open_


def join(contact_id: str) -> c.JoinLine:
    """A visitor takes a ticket."""
    return c.JoinLine(
        branch.KIOSK, branch.visitor(contact_id), branch.NORTH, branch.SERVICES[0].name
    )


def test_a_batch_costs_one_look_for_all(kit: Any, run: Run, open_runner: Open) -> None:
    async def scenario() -> None:
        runner = await open_runner()
        readers = [Reader() for _ in range(40)]
        lookouts = Lookouts(runner)
        opened = [lookouts.followed(reader) for reader in readers]
        entered = [one.__enter__() for one in opened]
        assert 1 == len(set(entered))
        first = await entered[0].look()
        await kit.send(runner, join("j0"))
        await asyncio.gather(*(reader.woken.wait() for reader in readers))
        await kit.turn()
        assert [2] * 40 == [len(reader.looks) for reader in readers]
        assert all(reader.looks[1] is readers[0].looks[1] for reader in readers)
        assert [] == list(first.waiting)
        assert ["j0"] == list(readers[0].looks[1].waiting)
        for one in opened:
            one.__exit__(None, None, None)

    run(scenario())


def test_a_batch_elsewhere_costs_none(kit: Any, run: Run, open_runner: Open) -> None:
    async def scenario() -> None:
        runner, reader = await open_runner(), Reader()
        with Lookouts(runner).followed(reader) as lookout:
            look = await lookout.look()
            await kit.send(runner, c.SignIn(branch.KIOSK, AgentId("ann"), Presence.READY, "", 0))
            await kit.turn(20)
            assert 1 == len(reader.looks)
            assert look.position < runner.feed.position == lookout.position

    run(scenario())


def test_what_is_not_synced_is_not_seen(kit: Any, run: Run, open_runner: Open) -> None:
    async def scenario() -> None:
        runner, reader = await open_runner(), Reader()
        gate = runner.journal.gate  # type: ignore[attr-defined]
        with Lookouts(runner).followed(reader) as lookout:
            await lookout.look()
            gate.clear()
            joining = kit.begin(runner, join("j0"))
            await kit.turn()
            looking = asyncio.create_task(lookout.look())
            await kit.turn(20)
            assert 1 == len(reader.looks) and not looking.done()
            gate.set()
            await joining
            assert ["j0"] == list((await looking).waiting)

    run(scenario())


def test_nothing_is_told_as_seen_before_it_was_looked_at(
    kit: Any, run: Run, open_runner: Open
) -> None:
    async def scenario() -> None:
        runner, reader = await open_runner(), Reader()
        with Lookouts(runner).followed(reader) as lookout:
            before = await lookout.look()
            told: list[tuple[int, int]] = []
            seen = lookout._take

            def noting(number: int, look: BranchLook) -> None:
                told.append((lookout.position, runner.feed.position))
                seen(number, look)

            lookout._take = noting  # type: ignore[method-assign]
            await kit.send(runner, join("j0"))
            told.append((lookout.position, runner.feed.position))
            await asyncio.wait_for(reader.woken.wait(), 10)
            await kit.turn()
            assert [before.position] * len(told) == [position for position, _ in told]
            assert before.position < runner.feed.position == lookout.position

    run(scenario())


def test_a_wrong_wish_is_refused(run: Run, open_runner: Open) -> None:
    async def scenario() -> None:
        runner = await open_runner()
        with Lookouts(runner).followed(Reader()) as lookout:
            with pytest.raises(UnknownDesk):
                await lookout.look(lambda pool: known_desk(pool.ledger, branch.NORTH, "9"))
            assert {DeskId("north/1"): "bob"} == (await lookout.look()).seats

    run(scenario())


def test_lookouts_end_with_the_last_who_watches(run: Run, open_runner: Open) -> None:
    async def scenario() -> None:
        runner = await open_runner(watches_max=2)
        lookouts = Lookouts(runner)
        with lookouts.followed(Reader()) as first:
            with lookouts.followed(Reader()) as second:
                assert first is second
                with pytest.raises(WatchesFull), lookouts.followed(Reader()):
                    pass
            assert not _ended(first)
        await asyncio.sleep(0)
        assert _ended(first)
        with lookouts.followed(Reader()) as third:
            assert third is not first
            await third.look()

    run(scenario())


def test_after_a_drain_all_is_seen_and_told_as_over(kit: Any, run: Run, open_runner: Open) -> None:
    async def scenario() -> None:
        runner, reader = await open_runner(), Reader()
        with Lookouts(runner).followed(reader) as lookout:
            await lookout.look()
            await kit.send(runner, join("j0"))
            await runner.drain()
            await asyncio.wait_for(_over(lookout), 10)
            assert ["j0"] == list(reader.looks[-1].waiting)
            assert runner.feed.position == lookout.position

    run(scenario())


def test_after_a_failure_nothing_unsynced_is_seen(kit: Any, run: Run, open_runner: Open) -> None:
    async def scenario() -> None:
        runner, reader = await open_runner(), Reader()
        with Lookouts(runner).followed(reader) as lookout:
            await lookout.look()
            runner.journal.errors.append(JournalError("broken"))  # type: ignore[attr-defined]
            with pytest.raises(PoolUnavailable):
                await kit.send(runner, join("j0"))
            await asyncio.wait_for(_over(lookout), 10)
            assert all(not look.waiting for look in reader.looks)
            assert lookout.position < runner.pool.position

    run(scenario())


def test_what_goes_wrong_in_a_look_ends_the_watches(
    kit: Any, run: Run, open_runner: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        runner, reader = await open_runner(), Reader()
        with Lookouts(runner).followed(reader) as lookout:
            await lookout.look()

            def broken(*_given: object) -> BranchLook:
                raise ZeroDivisionError

            monkeypatch.setattr(module, "look_at", broken)
            await kit.send(runner, join("j0"))
            await asyncio.wait_for(_over(lookout), 10)
            assert isinstance(lookout.failure, ZeroDivisionError) and reader.woken.is_set()

    run(scenario())


async def _over(lookout: Lookout) -> None:
    while not lookout.over:  # noqa: ASYNC110 -- nobody is told but who watches
        await asyncio.sleep(0)


def _ended(lookout: Lookout) -> bool:
    return lookout._task.done()
