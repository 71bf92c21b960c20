import asyncio
from pathlib import Path
from typing import Any

import pytest

from usher.queue.errors import ContactExists, OfferGone, QueueFull, UnknownContact, UnknownLeg
from usher.queue.journal.contract import Journal, JournalBroken, JournalFull
from usher.queue.journal.memory import MemoryJournal
from usher.queue.journal.sqlite import SqliteJournal
from usher.queue.values import ContactState
from usher.router.service.clock import Clock
from usher.router.service.opening import load_pool
from usher.router.service.runner import Runner
from usher.router.service.settings import Settings
from usher.router.service.unavailable import (
    CommandFailed,
    Draining,
    InboxFull,
    JournalIsFull,
    PoolUnavailable,
    RequestIdReused,
)


def test_the_answer_to_an_enqueue_knows_the_match(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        await kit.send(runner, kit.sign_in("a0"), "s")
        assert b"6 waiting a0" == await kit.send(runner, kit.enqueue("c1"), "q1")
        assert b"7 waiting nobody" == await kit.send(runner, kit.enqueue("c2"), "q2")

    run(scenario())


def test_commands_come_by_arrival_before_deadlines_before_the_match(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await kit.runner(journal)
        await kit.send(runner, kit.sign_in("a0"), "s")
        await kit.send(runner, kit.enqueue("c1"), "q1")
        before = journal.position
        runner.clock.advance(20_000)
        both = [
            kit.begin(runner, kit.enqueue("c2"), "q2"),
            kit.begin(runner, kit.sign_in("a1"), "s1"),
        ]
        await asyncio.gather(*both)
        names = ["EnqueueContact", "SignIn", "ExpireDeadlines", "MatchContacts"]
        assert names == await kit.commands(journal, after=before)
        assert 1 == len({record.at_ms for record in await kit.records(journal, after=before)})

    run(scenario())


def test_an_accept_that_has_arrived_beats_its_own_deadline(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        await kit.send(runner, kit.sign_in("a0"), "s")
        await kit.send(runner, kit.enqueue("c1"), "q1")
        runner.clock.advance(30_000)
        await kit.send(runner, kit.accept("a0", "c1.1"), "a")
        assert ContactState.ENGAGED is runner.pool.ledger.contacts["c1"].state
        with pytest.raises(OfferGone):
            await kit.send(runner, kit.accept("a0", "c1.1"), "a2")

    run(scenario())


def test_what_is_due_happens_without_a_command(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        opened = await kit.open(journal, clock=Clock(rate=1000))  # 20 s of offer take 20 ms
        runner = await kit.runner(journal, opened)
        await kit.send(runner, kit.sign_in("a0"), "s")
        watch = runner.feed.subscribe(None, 10)
        await kit.send(runner, kit.enqueue("c1"), "q1")
        async for batches in watch:
            if any(leg.state.value == "done" for one in batches for leg in one.legs):
                break
        assert "ExpireDeadlines" in await kit.commands(journal)

    run(scenario())


def test_nothing_leaves_before_its_sync(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal)
        watch = runner.feed.subscribe(None, 10)
        journal.gate.clear()
        reply = kit.begin(runner, kit.enqueue("c1"), "q1")
        await kit.turn()
        repeat = kit.begin(runner, kit.enqueue("c1"), "q1")
        refusal = kit.begin(runner, kit.abandon("c9"), "b9")
        read = asyncio.create_task(runner.read(lambda pool: pool.position))
        fed = asyncio.create_task(anext(watch))
        await kit.turn()
        assert [False] * 5 == [one.done() for one in (reply, repeat, refusal, read, fed)]
        journal.gate.set()
        assert b"4 waiting nobody" == await reply == await repeat
        assert 4 == await read
        assert [4] == [one.position for one in await fed]
        with pytest.raises(UnknownContact):
            await refusal

    run(scenario())


def test_the_next_batch_is_executed_while_one_is_synced(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal)
        journal.gate.clear()
        first = kit.begin(runner, kit.enqueue("c1"), "q1")
        await kit.turn()
        later = [kit.begin(runner, kit.enqueue(f"c{n}"), f"q{n}") for n in (2, 3)]
        await kit.turn()
        later.append(kit.begin(runner, kit.enqueue("c4"), "q4"))
        await kit.turn()
        assert (7, 3) == (runner.pool.position, journal.position)
        read_first = asyncio.create_task(runner.read(lambda pool: len(pool.ledger.contacts)))
        journal.gate.set()
        await first
        await asyncio.gather(*later)
        assert 4 == await read_first
        assert 3 == journal.appends  # the opening, the first, and all that came meanwhile

    run(scenario())


def test_a_read_of_later_state_waits_for_the_later_sync(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal)
        journal.gate.clear()
        kit.begin(runner, kit.enqueue("c1"), "q1")
        await kit.turn()
        early = asyncio.create_task(runner.read(lambda pool: pool.position))
        await kit.turn()
        kit.begin(runner, kit.enqueue("c2"), "q2")
        await kit.turn()
        late = asyncio.create_task(runner.read(lambda pool: pool.position))
        await kit.turn()
        assert 4 == await _once_synced(journal, early)
        assert not late.done()
        journal.gate.set()
        assert 5 == await late

    async def _once_synced(journal: Any, early: Any) -> Any:
        journal.gate.set()
        journal.gate.clear()  # lets the append that waits pass, and holds the next
        return await early

    run(scenario())


def test_with_nothing_under_way_a_read_answers_at_once(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        reading = runner.read(lambda pool: pool.position)
        with pytest.raises(StopIteration) as answered:
            reading.send(None)
        assert 3 == answered.value.value

    run(scenario())


def test_with_nothing_under_way_a_refusal_needs_no_sync(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal)
        journal.gate.clear()
        with pytest.raises(UnknownContact):
            await kit.send(runner, kit.abandon("c9"), "b9")
        assert 1 == journal.appends

    run(scenario())


def test_what_a_view_refuses_comes_through(kit: Any, run: Any) -> None:
    def view(_pool: object) -> None:
        raise UnknownContact("no contact 'c9'")

    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        with pytest.raises(UnknownContact):
            await runner.read(view)

    run(scenario())


def test_a_repeat_gets_the_recorded_answer_and_changes_nothing(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await kit.runner(journal)
        answer = await kit.send(runner, kit.enqueue("c1"), "q1")
        await kit.send(runner, kit.sign_in("a0"), "s")
        before = journal.position
        assert answer == await kit.send(runner, kit.enqueue("c1"), "q1")
        assert before == journal.position

    run(scenario())


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_a_repeat_after_a_restart_gets_it_too(
    kit: Any, run: Any, tmp_path: Path, store: str
) -> None:
    async def scenario() -> None:
        journal = await _store(store, tmp_path)
        runner = await kit.runner(journal)
        answer = await kit.send(runner, kit.enqueue("c1"), "q1")
        await runner.close()
        if store == "sqlite":
            await journal.close()
            journal = await _store(store, tmp_path)
        runner = await kit.runner(journal)
        before = journal.position
        assert answer == await kit.send(runner, kit.enqueue("c1"), "q1")
        with pytest.raises(RequestIdReused):
            await kit.send(runner, kit.enqueue("c2"), "q1", digest=b"other")
        assert before == journal.position
        await runner.close()
        await journal.close()

    run(scenario())


async def _store(store: str, folder: Path) -> Journal:
    if store == "sqlite":
        return await SqliteJournal.open(folder / "pool.sqlite")
    return MemoryJournal()


def test_altered_content_under_a_known_id_is_refused(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        await kit.send(runner, kit.enqueue("c1"), "q1")
        with pytest.raises(RequestIdReused, match="q1"):
            await kit.send(runner, kit.enqueue("c2"), "q1", digest=b"other")
        assert "c2" not in runner.pool.ledger.contacts

    run(scenario())


def test_altered_content_of_one_under_way_waits_and_is_refused(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal)
        journal.gate.clear()
        kit.begin(runner, kit.enqueue("c1"), "q1")
        await kit.turn()
        altered = kit.begin(runner, kit.enqueue("c2"), "q1", digest=b"other")
        await kit.turn()
        assert not altered.done()
        journal.gate.set()
        with pytest.raises(RequestIdReused):
            await altered

    run(scenario())


def test_altered_content_of_one_that_is_refused_is_judged_by_itself(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal)
        journal.gate.clear()
        kit.begin(runner, kit.enqueue("c0"), "q0")
        await kit.turn()
        refused = kit.begin(runner, kit.abandon("c9"), "q1")
        await kit.turn()
        altered = kit.begin(runner, kit.enqueue("c1"), "q1", digest=b"other")
        await kit.turn()
        journal.gate.set()
        with pytest.raises(UnknownContact):
            await refused
        assert b"5 waiting nobody" == await altered

    run(scenario())


def test_a_refusal_is_judged_anew(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        with pytest.raises(UnknownContact):
            await kit.send(runner, kit.abandon("c1"), "b1")
        await kit.send(runner, kit.enqueue("c1"), "q1")
        assert b"5 ended nobody" == await kit.send(runner, kit.abandon("c1"), "b1")

    run(scenario())


def test_requests_are_forgotten_beyond_their_number(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await kit.runner(journal, requests_max=20)
        for n in range(30):
            await kit.send(runner, kit.enqueue(f"c{n}"), f"q{n}")
        assert 20 >= len(await journal.request_ids()) >= 19
        await kit.send(runner, kit.enqueue("c29"), "q29")
        with pytest.raises(ContactExists):
            await kit.send(runner, kit.enqueue("c0"), "q0")

    run(scenario())


def test_requests_are_forgotten_after_their_time(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await kit.runner(journal, requests_kept_ms=60_000)
        await kit.send(runner, kit.enqueue("c1"), "q1")
        runner.clock.advance(61_000)
        await kit.send(runner, kit.enqueue("c2"), "q2")
        assert ["q2"] == list(await journal.request_ids())

    run(scenario())


def test_a_full_disk_rolls_back_all_that_was_executed_on_it(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal, journal_full_pause_ms=0)
        await kit.send(runner, kit.sign_in("a0"), "s")
        await kit.send(runner, kit.enqueue("c0"), "q0", private={"c0": b"name"})
        before = (runner.pool.state_hash(), dict(runner.private), journal.position)
        journal.gate.clear()
        journal.errors.append(JournalFull())
        written = kit.begin(runner, kit.enqueue("c1"), "q1", private={"c1": b"x"})
        await kit.turn()
        on_it = [
            kit.begin(runner, kit.accept("a0", "c0.1"), "a"),
            kit.begin(runner, kit.enqueue("c1"), "q-other"),
        ]
        read = asyncio.create_task(runner.read(lambda pool: len(pool.ledger.contacts)))
        await kit.turn()
        journal.gate.set()
        for one in (written, *on_it):
            with pytest.raises(JournalIsFull) as full:
                await one
            assert full.value.retry_after_ms
        assert 1 == await read
        assert before == (runner.pool.state_hash(), dict(runner.private), journal.position)

    run(scenario())


def test_after_a_full_disk_the_pool_goes_on(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal, journal_full_pause_ms=0)
        await kit.send(runner, kit.sign_in("a0"), "s")
        journal.errors.append(JournalFull())
        with pytest.raises(JournalIsFull):
            await kit.send(runner, kit.enqueue("c1"), "q1")
        await runner.read(lambda pool: None)
        assert b"6 waiting a0" == await kit.send(runner, kit.enqueue("c1"), "q1")
        assert (await load_pool(journal)).pool.state_hash() == runner.pool.state_hash()

    run(scenario())


def test_for_a_while_after_a_full_disk_commands_are_not_tried(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal, journal_full_pause_ms=60_000)
        journal.errors.append(JournalFull())
        with pytest.raises(JournalIsFull):
            await kit.send(runner, kit.enqueue("c1"), "q1")
        appends = journal.appends
        with pytest.raises(JournalIsFull):
            await kit.send(runner, kit.enqueue("c1"), "q1")
        assert 3 == await runner.read(lambda pool: pool.position)
        assert appends == journal.appends

    run(scenario())


def test_a_broken_journal_ends_it_for_all(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        fatal: list[Exception] = []
        runner = Runner(
            await kit.open(journal), journal, Settings(turn_every_ms=0), on_fatal=fatal.append
        )
        runner.start()
        watch = runner.feed.subscribe(None, 10)
        journal.gate.clear()
        journal.errors.append(JournalBroken("I/O"))
        waiting = [kit.begin(runner, kit.enqueue("c1"), "q1")]
        await kit.turn()
        waiting.append(kit.begin(runner, kit.enqueue("c2"), "q2"))
        waiting.append(asyncio.create_task(runner.read(lambda pool: pool.position)))
        await kit.turn()
        journal.gate.set()
        for one in waiting:
            with pytest.raises(PoolUnavailable):
                await one
        with pytest.raises(PoolUnavailable):
            await kit.send(runner, kit.enqueue("c3"), "q3")
        assert runner.failed.is_set()
        assert [JournalBroken] == [type(error) for error in fatal]
        assert [] == [batches async for batches in watch]
        assert 2 == journal.appends  # the opening, and the one that broke: never a second try

    run(scenario())


def test_draining_a_pool_that_has_failed_returns(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal)
        journal.errors.append(JournalBroken("I/O"))
        with pytest.raises(PoolUnavailable):
            await kit.send(runner, kit.enqueue("c1"), "q1")
        await runner.drain()
        assert await journal.latest_snapshot() is None

    run(scenario())


def test_an_error_in_apply_ends_it_too(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        runner.pool.ledger.contacts = None  # type: ignore[assignment]
        runner.pool.execute = lambda *_: (object(),)  # type: ignore[assignment,method-assign]
        with pytest.raises(PoolUnavailable):
            await kit.send(runner, kit.enqueue("c1"), "q1")
        assert runner.failed.is_set()

    run(scenario())


def test_a_bug_in_one_command_fails_that_one_alone(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await kit.runner(journal)
        bad = kit.begin(runner, kit.enqueue("c1").__class__(None, None), "bad")
        good = kit.begin(runner, kit.enqueue("c2"), "q2")
        with pytest.raises(CommandFailed) as failed:
            await bad
        assert 8 == len(failed.value.incident)
        assert b"4 waiting nobody" == await good
        assert 1 == runner.counters.refusals["COMMAND_FAILED"]

    run(scenario())


def test_a_limited_queue_is_matched_before_and_after_each_enqueue(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        opened = await kit.open(journal, policy=kit.policy(most_waiting=0))
        runner = await kit.runner(journal, opened)
        together = [
            kit.begin(runner, kit.enqueue("c0"), "q0"),
            kit.begin(runner, kit.sign_in("a0"), "s0"),
            kit.begin(runner, kit.sign_in("a1"), "s1"),
            kit.begin(runner, kit.enqueue("c1", "limited"), "q1"),
            kit.begin(runner, kit.enqueue("c2", "limited"), "q2"),
        ]
        done = await asyncio.gather(*together, return_exceptions=True)
        assert [bytes, bytes, bytes, bytes, QueueFull] == [type(one) for one in done]
        names = ["SignIn", "SignIn", "MatchContacts", "EnqueueContact", "MatchContacts"]
        assert ["EnqueueContact", *names] == await kit.commands(journal, after=3)

    run(scenario())


def test_whom_a_limited_queue_admits_is_offered_before_the_next_command(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        opened = await kit.open(journal, policy=kit.policy(most_waiting=0))
        runner = await kit.runner(journal, opened)
        await asyncio.gather(
            kit.begin(runner, kit.sign_in("a0"), "s0"),
            kit.begin(runner, kit.enqueue("c1", "limited"), "q1"),
            kit.begin(runner, kit.sign_in("a1"), "s1"),
        )
        names = ["SignIn", "EnqueueContact", "MatchContacts", "SignIn"]
        assert names == await kit.commands(journal, after=3)

    run(scenario())


async def _held_back(kit: Any, runner: Runner, journal: Any) -> list[asyncio.Task[bytes]]:
    """Closes the gate and fills flight and stage, so that what comes next stays in the inbox."""
    journal.gate.clear()
    begun = []
    for n in (1, 2):
        begun.append(kit.begin(runner, kit.enqueue(f"held{n}"), f"held{n}"))
        await kit.turn()
    return begun


def test_a_caller_that_has_gone_before_execution_has_no_effect(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal, batch_contacts_max=1)
        begun = await _held_back(kit, runner, journal)
        gone = kit.begin(runner, kit.enqueue("c3"), "q3")
        await kit.turn()
        gone.cancel()
        journal.gate.set()
        await asyncio.gather(*begun)
        await kit.turn()
        assert {"held1", "held2"} == set(runner.pool.ledger.contacts)
        assert b"6 waiting nobody" == await kit.send(runner, kit.enqueue("c3"), "q3")

    run(scenario())


def test_a_caller_that_goes_after_execution_changes_nothing(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal)
        journal.gate.clear()
        gone = kit.begin(runner, kit.enqueue("c1"), "q1")
        await kit.turn()
        repeat = kit.begin(runner, kit.enqueue("c1"), "q1")
        await kit.turn()
        gone.cancel()
        journal.gate.set()
        assert b"4 waiting nobody" == await repeat
        assert b"4 waiting nobody" == await kit.send(runner, kit.enqueue("c1"), "q1")

    run(scenario())


def test_the_inbox_is_bounded_by_contacts(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal, batch_contacts_max=1, inbox_contacts_max=3)
        begun = await _held_back(kit, runner, journal)
        begun.append(kit.begin(runner, kit.enqueue_all("c1", "c2"), "q1"))
        await kit.turn()
        with pytest.raises(InboxFull):
            await kit.send(runner, kit.enqueue_all("c3", "c4"), "q2")
        begun.append(kit.begin(runner, kit.enqueue("c5"), "q3"))
        await kit.turn()
        journal.gate.set()
        await asyncio.gather(*begun)
        assert {"held1", "held2", "c1", "c2", "c5"} == set(runner.pool.ledger.contacts)

    run(scenario())


def test_a_batch_has_at_most_its_number_of_contacts(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await kit.runner(journal, batch_contacts_max=4)
        watch = runner.feed.subscribe(None, 100)
        await asyncio.gather(
            *(kit.begin(runner, kit.enqueue(f"c{n}"), f"q{n}") for n in range(6)),
            kit.begin(runner, kit.enqueue_all(*(f"d{n}" for n in range(9))), "d"),
            kit.begin(runner, kit.enqueue("c6"), "q6"),
        )
        sizes = [len(one.contacts) for one in await anext(watch)]
        assert [4, 2, 9, 1] == sizes

    run(scenario())


def test_private_fields_go_with_the_contact(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await kit.runner(journal)
        await kit.send(runner, kit.enqueue("c1"), "q1", private={"c1": b"name"})
        with pytest.raises(ContactExists):
            await kit.send(runner, kit.enqueue("c1"), "q2", private={"c1": b"other"})
        assert {"c1": b"name"} == runner.private
        await runner.close()
        runner = await kit.runner(journal)
        assert {"c1": b"name"} == runner.private
        await kit.send(runner, kit.abandon("c1"), "b1")
        runner.clock.advance(16 * 60_000)
        runner.wake()
        await kit.turn()
        assert {} == runner.private
        assert {} == runner.pool.ledger.contacts

    run(scenario())


def test_draining_finishes_writes_a_snapshot_and_takes_nothing_new(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner = await kit.runner(journal)
        watch = runner.feed.subscribe(None, 10)
        journal.gate.clear()
        begun = kit.begin(runner, kit.enqueue("c1"), "q1")
        await kit.turn()
        draining = asyncio.create_task(runner.drain())
        await kit.turn()
        with pytest.raises(Draining):
            await kit.send(runner, kit.enqueue("c2"), "q2")
        assert not draining.done()
        journal.gate.set()
        await draining
        assert b"4 waiting nobody" == await begun
        assert 1 == len([batches async for batches in watch])
        snapshot = await journal.latest_snapshot()
        assert snapshot is not None
        assert 4 == snapshot.position
        assert 0 == (await load_pool(journal)).replayed

    run(scenario())


def test_a_last_snapshot_that_breaks_the_journal_ends_the_drain_as_a_failure(
    kit: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise JournalBroken("its end is lost")

    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await kit.runner(journal)
        monkeypatch.setattr(journal, "write_snapshot", broken)
        await runner.drain()
        assert runner.failed.is_set()

    run(scenario())


def test_snapshots_are_written_while_serving(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await kit.runner(journal, snapshot_records=10)
        for n in range(25):
            await kit.send(runner, kit.enqueue(f"c{n}"), f"q{n}")
        await kit.turn(30)
        snapshot = await journal.latest_snapshot()
        assert snapshot is not None
        assert 20 <= snapshot.position <= 28
        assert (await load_pool(journal)).pool.state_hash() == runner.pool.state_hash()

    run(scenario())


def test_counts_commands_refusals_and_syncs(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        await kit.send(runner, kit.enqueue("c1"), "q1")
        await kit.send(runner, kit.sign_in("a0"), "s")
        with pytest.raises(UnknownLeg):
            await kit.send(runner, kit.accept("a0", "c9.1"), "a9")
        figures = runner.counters.figures()
        assert {"EnqueueContact": 1, "SignIn": 1, "AcceptOffer": 1} == figures.commands
        assert {"LEG_NOT_FOUND": 1} == figures.refusals
        assert (2, 3, 2) == (figures.batches, figures.records, figures.batch_records_max)

    run(scenario())
