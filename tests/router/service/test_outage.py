"""A pool whose journal's store goes away and comes back, under the runner."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from usher.queue.errors import UnknownContact
from usher.queue.journal.contract import (
    Batch,
    JournalError,
    JournalFull,
    JournalTaken,
    JournalUnavailable,
    RememberedRequest,
)
from usher.queue.journal.memory import MemoryJournal
from usher.router.service import outage, runner
from usher.router.service.lease import SessionLeases
from usher.router.service.opening import load_pool
from usher.router.service.unavailable import JournalAway, JournalIsFull


class FarJournal(MemoryJournal):
    """A memory journal as if its store were elsewhere: it may be away, and may lose replies."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.replies_lost = 0
        self.full = False
        self.tries = 0
        self.listener: Callable[[JournalError | None], None] | None = None
        self._last: tuple[int, Batch] | None = None

    def listen(self, listener: Callable[[JournalError | None], None]) -> None:
        self.listener = listener

    async def append(self, expected_position: int, batch: Batch) -> None:
        self.tries += 1
        if self.away:
            raise JournalUnavailable("the store is down")
        if (expected_position, batch) != self._last:
            if self.full:
                raise JournalFull
            await super().append(expected_position, batch)
            self._last = (expected_position, batch)
        if self.replies_lost:
            self.replies_lost -= 1
            raise JournalUnavailable("the reply was lost")

    async def request(self, request_id: str) -> RememberedRequest | None:
        if self.away:
            raise JournalUnavailable("the store is down")
        return await super().request(request_id)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again soon, and counts each outage as a long one."""
    monkeypatch.setattr(outage, "PAUSE_MOST_S", 0.005)
    monkeypatch.setattr(outage, "PAUSE_FIRST_S", 0.005)
    monkeypatch.setattr(runner, "OUTAGE_LEAST_S", 0.001)


async def back(kit: Any, served: Any, journal: FarJournal) -> None:
    """The store comes back; returns when the pool goes on."""
    journal.away = journal.full = False
    async with asyncio.timeout(30):
        while served.outage.stuck:  # noqa: ASYNC110  # nobody sets an event for it
            await asyncio.sleep(0.001)
    await kit.turn()


def test_callers_are_turned_away_and_the_pool_goes_on_by_itself(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal)
        await kit.send(served, kit.enqueue("c0"), "q0")
        journal.away = True
        with pytest.raises(JournalAway) as away:
            await kit.send(served, kit.enqueue("c1"), "q1")
        assert 1_000 == away.value.retry_after_ms
        with pytest.raises(JournalAway):
            await kit.send(served, kit.enqueue("c2"), "q2")
        with pytest.raises(JournalAway):
            await served.read(lambda pool: pool.position)
        with pytest.raises(JournalAway):  # a repeat, of what is remembered and of what is stuck
            await kit.send(served, kit.enqueue("c0"), "q0")
        with pytest.raises(JournalAway):
            await kit.send(served, kit.enqueue("c1"), "q1")
        assert not served.failed.is_set()
        await back(kit, served, journal)
        assert b"5 waiting nobody" == await kit.send(served, kit.enqueue("c1"), "q1")
        assert b"4 waiting nobody" == await kit.send(served, kit.enqueue("c0"), "q0")
        assert {"c0", "c1"} == set(served.pool.ledger.contacts)  # c2 was not even tried
        assert (await load_pool(journal)).pool.state_hash() == served.pool.state_hash()

    run(scenario())


def test_what_was_executed_on_it_and_reads_are_let_go_too(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        served = await kit.runner(journal)
        watch = served.feed.subscribe(None, 10)
        journal.gate.clear()
        journal.errors.append(JournalUnavailable("gone"))
        waiting = [kit.begin(served, kit.enqueue("c1"), "q1")]
        await kit.turn()
        waiting.append(kit.begin(served, kit.enqueue("c2"), "q2"))
        waiting.append(kit.begin(served, kit.abandon("c9"), "b9"))
        waiting.append(asyncio.create_task(served.read(lambda pool: pool.position)))
        await kit.turn()
        journal.gate.set()
        for one in waiting:
            with pytest.raises(JournalAway):
                await one
        await back(kit, served, journal)
        assert 5 <= await served.read(lambda pool: pool.position)
        assert b"4 waiting nobody" == await kit.send(served, kit.enqueue("c1"), "q1")
        assert b"5 waiting nobody" == await kit.send(served, kit.enqueue("c2"), "q2")
        with pytest.raises(UnknownContact):
            await kit.send(served, kit.abandon("c9"), "b9")
        seen = [one.position for one in await anext(watch)]
        assert [4, 5] == seen[:2]  # a watch misses nothing

    run(scenario())


def test_a_repeat_that_finds_the_store_away_ends_nothing(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal)
        await kit.send(served, kit.enqueue("c1"), "q1")
        journal.away = True
        with pytest.raises(JournalAway):
            await kit.send(served, kit.enqueue("c1"), "q1")
        assert not served.failed.is_set()
        assert not served.outage.stuck
        journal.away = False
        assert b"4 waiting nobody" == await kit.send(served, kit.enqueue("c1"), "q1")

    run(scenario())


def test_an_append_whose_replies_were_lost_counts_once(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal)
        journal.replies_lost = 3
        with pytest.raises(JournalAway):
            await kit.send(served, kit.enqueue("c1"), "q1")
        await back(kit, served, journal)
        assert b"4 waiting nobody" == await kit.send(served, kit.enqueue("c1"), "q1")
        assert ["EnqueueContact", "OpenPool"] == await kit.commands(journal, after=3)

    run(scenario())


def test_a_store_that_is_full_after_an_outage_is_waited_for(kit: Any, run: Any) -> None:
    """The first try may have been written: it must not be rolled back."""

    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal)
        journal.away = journal.full = True
        with pytest.raises(JournalAway):
            await kit.send(served, kit.enqueue("c1"), "q1")
        journal.away, tries = False, journal.tries
        async with asyncio.timeout(30):
            while journal.tries < tries + 3:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert served.outage.stuck
        await back(kit, served, journal)
        assert b"4 waiting nobody" == await kit.send(served, kit.enqueue("c1"), "q1")
        journal.full = True
        with pytest.raises(JournalIsFull):  # without an outage it is
            await kit.send(served, kit.enqueue("c2"), "q2")

    run(scenario())


def test_a_store_that_goes_while_a_pool_is_restored_is_waited_for(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal, journal_full_pause_ms=0)
        journal.full = True
        gone = iter((True, True, False))

        async def latest_snapshot() -> None:
            if next(gone, False):
                raise JournalUnavailable("gone")

        journal.latest_snapshot = latest_snapshot  # type: ignore[method-assign]
        with pytest.raises(JournalIsFull):
            await kit.send(served, kit.enqueue("c1"), "q1")
        await back(kit, served, journal)
        await kit.turn(20)
        assert b"4 waiting nobody" == await kit.send(served, kit.enqueue("c1"), "q1")

    run(scenario())


def test_offers_that_ran_out_meanwhile_are_nobodys_miss(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal)
        await kit.send(served, kit.sign_in("a0"), "s0")
        await kit.send(served, kit.enqueue("c1"), "q1")
        journal.away = True
        with pytest.raises(JournalAway):
            await kit.send(served, kit.enqueue("c2"), "q2")
        served.clock.advance(60_000)  # an offer runs for 20 s
        served.wake()
        await kit.turn()
        before = served.pool.position
        await back(kit, served, journal)
        commands = await kit.commands(journal, after=before)
        assert "OpenPool" == commands[0]
        assert {} == served.pool.ledger.agents["a0"].missed

    run(scenario())


def test_a_short_outage_moves_nothing(kit: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "OUTAGE_LEAST_S", 1_000.0)

    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal)
        journal.away = True
        with pytest.raises(JournalAway):
            await kit.send(served, kit.enqueue("c1"), "q1")
        await back(kit, served, journal)
        assert ["EnqueueContact"] == await kit.commands(journal, after=3)

    run(scenario())


def test_sessions_get_a_full_lease_after_an_outage(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal)
        leases = SessionLeases(served)
        await leases.start()
        await kit.send(served, kit.sign_in("a0", lease_ms=30_000), "s")
        leases.renew("a0", 1, 30_000)
        journal.away = True
        with pytest.raises(JournalAway):
            await kit.send(served, kit.enqueue("c1"), "q1")
        served.clock.advance(60_000)  # no desktop could be heard
        leases.wake()
        await kit.turn()
        await back(kit, served, journal)
        served.clock.advance(29_000)
        leases.wake()
        await kit.turn(20)
        assert not served.pool.ledger.agents["a0"].lost
        served.clock.advance(1_001)
        leases.wake()
        await kit.turn(20)
        assert served.pool.ledger.agents["a0"].lost
        await leases.stop()

    run(scenario())


def test_whoever_asks_is_told_when_the_store_goes_and_comes(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal)
        told: list[bool] = []
        served.outage.listeners.append(told.append)
        assert journal.listener is not None
        journal.listener(JournalUnavailable("an idle journal noticed it"))
        journal.away = True
        with pytest.raises(JournalAway):
            await kit.send(served, kit.enqueue("c1"), "q1")
        assert [False] == told
        journal.listener(None)
        assert [False] == told  # the append is still stuck
        await back(kit, served, journal)
        assert [False, True] == told

    run(scenario())


def test_a_journal_that_was_taken_over_ends_the_pool_at_once(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal)
        assert journal.listener is not None
        journal.listener(JournalTaken("by another"))
        assert served.failed.is_set()

    run(scenario())


def test_a_drain_within_an_outage_ends_when_the_store_is_back(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal)
        journal.away = True
        with pytest.raises(JournalAway):
            await kit.send(served, kit.enqueue("c1"), "q1")
        draining = asyncio.create_task(served.drain())
        await kit.turn()
        assert not draining.done()
        journal.away = False
        await draining
        snapshot = await journal.latest_snapshot()
        assert snapshot is not None
        assert served.pool.position == snapshot.position == journal.position

    run(scenario())


def test_closing_within_an_outage_returns(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal)
        journal.away = True
        with pytest.raises(JournalAway):
            await kit.send(served, kit.enqueue("c1"), "q1")
        await served.close()
        assert 3 == journal.position

    run(scenario())


def test_a_snapshot_that_meets_an_outage_is_left_out(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = FarJournal()
        served = await kit.runner(journal, snapshot_records=2)

        async def write_snapshot(*_: object) -> None:
            raise JournalUnavailable("gone")

        journal.write_snapshot = write_snapshot  # type: ignore[assignment,method-assign]
        for number in range(5):
            await kit.send(served, kit.enqueue(f"c{number}"), f"q{number}")
        await kit.turn()
        assert not served.failed.is_set()

    run(scenario())
