"""What every journal promises: one set of tests, every store runs it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from tests.queue.journal.redis_server import running_redis

from usher.queue.journal.contract import (
    PIECE_BYTES_MOST,
    Batch,
    EndedContact,
    Journal,
    JournalClosed,
    JournalTrimmed,
    PositionConflict,
    PrivateFields,
    RememberedRequest,
    Snapshot,
    StoredBatch,
)
from usher.queue.journal.memory import MemoryJournal
from usher.queue.journal.redis import RedisJournal
from usher.queue.journal.sqlite import SqliteJournal

Test = Callable[[Journal], Awaitable[None]]
Runner = Callable[[Test], None]


STORES = ("memory", "sqlite", "redis")


async def _open(store: str, folder: Path, server: Any) -> Journal:
    if store == "memory":
        return MemoryJournal()
    if store == "sqlite":
        return await SqliteJournal.open(folder / "pool.db")
    return await RedisJournal.open(server.url())


@pytest.fixture(params=STORES)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Runner:
    """Return what runs a test against a new journal and closes it."""
    store = request.param

    async def with_journal(test: Test, server: Any) -> None:
        journal = await _open(store, tmp_path, server)
        try:
            await test(journal)
        finally:
            await journal.close()

    def whole(test: Test) -> None:
        with running_redis(tmp_path / "redis") if store == "redis" else nullcontext() as server:
            asyncio.run(with_journal(test, server))

    return whole


def batch(count: int = 1, body: bytes = b"body", at_ms: int = 7, **others: object) -> Batch:
    return Batch(version=1, at_ms=at_ms, count=count, body=body, **others)  # type: ignore[arg-type]


def remembered(name: str, position: int, answer: bytes = b"answer") -> RememberedRequest:
    return RememberedRequest(name, b"digest of " + name.encode(), position, position * 10, answer)


async def everything(journal: Journal, after: int = 0) -> list[StoredBatch]:
    return [stored async for stored in journal.read(after)]


def test_an_empty_journal_has_nothing_to_say(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        assert journal.position == 0
        assert len(journal.secret) == 32
        assert journal.incarnation
        assert journal.durability
        assert await everything(journal) == []
        assert await journal.request("r1") is None
        assert await journal.request_ids() == {}
        assert await journal.private(["c1"]) == {}
        assert await journal.latest_snapshot() is None
        await journal.delete_private(["c1"])

    run(test)


def test_what_is_appended_is_read_in_order(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await journal.append(0, batch(3, b"first", 5))
        await journal.append(3, batch(1, b"", 6))
        await journal.append(4, batch(2, b"x" * 10_000, 6))
        assert journal.position == 6
        assert await everything(journal) == [
            StoredBatch(1, 3, 3, 5, b"first"),
            StoredBatch(1, 4, 1, 6, b""),
            StoredBatch(1, 6, 2, 6, b"x" * 10_000),
        ]

    run(test)


@pytest.mark.parametrize(
    ("after", "ends"), [(0, [3, 5]), (2, [3, 5]), (3, [5]), (4, [5]), (5, []), (9, [])]
)
def test_read_begins_after_a_position(run: Runner, after: int, ends: list[int]) -> None:
    async def test(journal: Journal) -> None:
        await journal.append(0, batch(3))
        await journal.append(3, batch(2))
        assert [stored.position for stored in await everything(journal, after)] == ends

    run(test)


def test_a_long_journal_is_read_whole(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        body = bytes(1 << 20)
        for number in range(11):
            await journal.append(number, batch(body=body))
        assert [stored.position for stored in await everything(journal)] == list(range(1, 12))

    run(test)


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_another_position_than_the_last_is_a_conflict(run: Runner, expected: int) -> None:
    async def test(journal: Journal) -> None:
        await journal.append(0, batch(2))
        refused = batch(
            private=(PrivateFields("c1", b"x"),), requests=(remembered("r1", expected + 1),)
        )
        with pytest.raises(PositionConflict) as conflict:
            await journal.append(expected, refused)
        assert (conflict.value.expected_position, conflict.value.last_position) == (expected, 2)
        assert journal.position == 2
        assert len(await everything(journal)) == 1
        assert await journal.private(["c1"]) == {}
        assert await journal.request("r1") is None
        await journal.append(2, batch())
        assert journal.position == 3

    run(test)


def test_appends_under_way_are_written_in_order(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await asyncio.gather(*(journal.append(n, batch(body=b"%d" % n)) for n in range(200)))
        assert [stored.body for stored in await everything(journal)] == [
            b"%d" % n for n in range(200)
        ]

    run(test)


def test_one_conflict_does_not_touch_its_neighbours(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        outcomes = await asyncio.gather(
            journal.append(0, batch(body=b"a")),
            journal.append(0, batch(body=b"stale")),
            journal.append(1, batch(body=b"b")),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [
            type(None),
            PositionConflict,
            type(None),
        ]
        assert [stored.body for stored in await everything(journal)] == [b"a", b"b"]

    run(test)


@pytest.mark.parametrize(
    "wrong",
    [
        batch(0),
        batch(-1),
        batch(2, requests=(remembered("r", 5),)),
        batch(2, requests=(remembered("r", 8),)),
        batch(2, requests=(remembered("r", 7), remembered("s", 6))),
    ],
)
def test_a_batch_that_does_not_add_up_is_refused(run: Runner, wrong: Batch) -> None:
    async def test(journal: Journal) -> None:
        await journal.append(0, batch(5))
        with pytest.raises(ValueError):
            await journal.append(5, wrong)
        assert journal.position == 5

    run(test)


def test_requests_are_remembered_with_the_batch(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        first, second, third = remembered("r1", 1), remembered("r2", 3, b""), remembered("r3", 4)
        await journal.append(0, batch(3, requests=(first, second)))
        await journal.append(3, batch(1, requests=(third,)))
        assert await journal.request("r1") == first
        assert await journal.request("r2") == second
        assert await journal.request("r3") == third
        assert await journal.request("r4") is None
        assert list((await journal.request_ids()).items()) == [
            ("r1", (1, 10)),
            ("r2", (3, 30)),
            ("r3", (4, 40)),
        ]

    run(test)


def test_forgotten_requests_are_gone(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        requests = tuple(remembered(f"r{n}", n) for n in (1, 2, 3))
        await journal.append(0, batch(3, requests=requests))
        await journal.append(3, batch(requests=(remembered("r4", 4),), forget_requests_through=2))
        assert list(await journal.request_ids()) == ["r3", "r4"]
        assert await journal.request("r2") is None
        assert await journal.request("r3") == requests[2]
        await journal.append(4, batch(forget_requests_through=4))
        assert await journal.request_ids() == {}

    run(test)


def test_an_id_that_comes_again_has_its_newest_answer(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await journal.append(0, batch(requests=(remembered("r1", 1, b"old"),)))
        await journal.append(1, batch(requests=(remembered("r1", 2, b"new"),)))
        assert await journal.request("r1") == remembered("r1", 2, b"new")
        await journal.append(2, batch(forget_requests_through=1))
        assert await journal.request_ids() == {"r1": (2, 20)}

    run(test)


def test_private_fields_are_kept_replaced_and_deleted(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        keep = tuple(PrivateFields(f"c{n}", b"%d" % n * n) for n in range(100))
        await journal.append(0, batch(private=keep))
        assert await journal.private([f"c{n}" for n in range(101)]) == {
            fields.contact_id: fields.content for fields in keep
        }
        change = (
            PrivateFields("c1", b"new"),
            PrivateFields("c2", None),
            PrivateFields("c3", b"seen by nobody"),
            PrivateFields("c3", None),
            PrivateFields("c4", None),
            PrivateFields("c4", b"last"),
            PrivateFields("never", None),
        )
        await journal.append(1, batch(private=change))
        found = await journal.private(["c1", "c2", "c3", "c4", "c5"])
        assert found == {"c1": b"new", "c4": b"last", "c5": b"55555"}
        await journal.delete_private(["c1", "c5", "never"])
        assert await journal.private(["c1", "c4", "c5"]) == {"c4": b"last"}

    run(test)


def test_private_fields_may_be_empty(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await journal.append(0, batch(private=(PrivateFields("c1", b""),)))
        assert await journal.private(["c1"]) == {"c1": b""}

    run(test)


def test_any_id_and_any_bytes_come_back(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        odd = ['"', "'", "\\", "null", "17", "é", "a b", "c.1"]
        fields = tuple(PrivateFields(name, bytes(range(256))) for name in odd)
        await journal.append(0, batch(private=fields))
        assert await journal.private(odd) == dict.fromkeys(odd, bytes(range(256)))

    run(test)


def test_a_snapshot_comes_back(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await journal.append(0, batch(5))
        pieces = (b"a" * PIECE_BYTES_MOST, b"", b"c")
        await journal.write_snapshot(4, 9, pieces)
        assert await journal.latest_snapshot() == Snapshot(4, 9, pieces)
        await journal.write_snapshot(5, 9, ())
        assert await journal.latest_snapshot() == Snapshot(5, 9, ())

    run(test)


def test_appends_go_on_between_pieces(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await journal.append(0, batch())

        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                await journal.append(journal.position, batch())
                assert await journal.latest_snapshot() is None
                yield b"%d" % number

        await journal.write_snapshot(1, 1, pieces())
        assert journal.position == 4
        assert await journal.latest_snapshot() == Snapshot(1, 1, (b"0", b"1", b"2"))

    run(test)


def test_a_half_snapshot_does_not_count(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await journal.append(0, batch())
        await journal.write_snapshot(1, 1, [b"whole"])

        def broken_off() -> Iterator[bytes]:
            yield b"half"
            raise RuntimeError("broken off")

        with pytest.raises(RuntimeError, match="broken off"):
            await journal.write_snapshot(1, 2, broken_off())
        with pytest.raises(ValueError, match="the most is"):
            await journal.write_snapshot(1, 2, [b"half", bytes(PIECE_BYTES_MOST + 1)])
        assert await journal.latest_snapshot() == Snapshot(1, 1, (b"whole",))

    run(test)


def test_a_snapshot_of_what_was_not_appended_is_refused(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await journal.append(0, batch(2))
        with pytest.raises(PositionConflict):
            await journal.write_snapshot(3, 1, [b"future"])
        assert await journal.latest_snapshot() is None

    run(test)


def test_a_closed_journal_takes_nothing(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        under_way = asyncio.ensure_future(journal.append(0, batch()))
        await asyncio.sleep(0)
        await journal.close()
        await under_way  # what was queued is finished
        await journal.close()
        with pytest.raises(JournalClosed):
            await journal.append(1, batch())
        with pytest.raises(JournalClosed):
            await everything(journal)
        with pytest.raises(JournalClosed):
            await journal.private(["c1"])
        with pytest.raises(JournalClosed):
            await journal.request("r1")
        with pytest.raises(JournalClosed):
            await journal.write_snapshot(0, 1, [])

    run(test)


def test_a_cancelled_caller_leaves_the_journal_whole(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        under_way = asyncio.ensure_future(journal.append(0, batch(body=b"a")))
        await asyncio.sleep(0)
        under_way.cancel()
        await journal.append(1, batch(body=b"b"))
        assert [stored.body for stored in await everything(journal)] == [b"a", b"b"]

    run(test)


# --- trimming --------------------------------------------------------------------------------


async def covered(journal: Journal, batches: int = 4) -> None:
    """Append batches of two records each and take two snapshots of their end."""
    for number in range(batches):
        await journal.append(journal.position, batch(2, b"%d" % number))
    for _ in range(2):
        await journal.write_snapshot(journal.position, 1, [b"all"])


def test_a_new_journal_begins_at_its_beginning(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        assert journal.begins_after == 0
        assert await journal.covered_position() == 0
        await journal.trim(0)

    run(test)


def test_what_is_trimmed_is_gone_and_the_rest_is_read_and_added_to(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await covered(journal)
        await journal.trim(4)
        assert journal.begins_after == 4
        assert [stored.position for stored in await everything(journal, 4)] == [6, 8]
        assert [stored.position for stored in await everything(journal, 7)] == [8]
        await journal.append(8, batch())
        await journal.trim(2)
        await journal.trim(8)
        assert (journal.begins_after, journal.position) == (8, 9)
        assert [stored.position for stored in await everything(journal, 8)] == [9]

    run(test)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_read_before_the_beginning_is_refused(run: Runner, after: int) -> None:
    async def test(journal: Journal) -> None:
        await covered(journal)
        await journal.trim(4)
        with pytest.raises(JournalTrimmed, match="begins after position 4"):
            await everything(journal, after)

    run(test)


def test_the_whole_journal_may_be_trimmed(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await covered(journal)
        await journal.trim(8)
        assert await everything(journal, 8) == []
        await journal.append(8, batch(body=b"next"))
        assert [stored.body for stored in await everything(journal, 8)] == [b"next"]

    run(test)


def test_no_more_is_trimmed_than_two_snapshots_cover(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await journal.append(0, batch(2))
        await journal.write_snapshot(2, 1, [b"one"])
        with pytest.raises(ValueError, match="2 snapshots cover only 0"):
            await journal.trim(2)
        await journal.append(2, batch(2))
        await journal.write_snapshot(4, 1, [b"two"])
        assert await journal.covered_position() == 2
        with pytest.raises(ValueError, match="cover only 2"):
            await journal.trim(4)
        assert len(await everything(journal)) == 2
        await journal.trim(2)
        assert len(await everything(journal, 2)) == 1

    run(test)


@pytest.mark.parametrize("through", [3, 9])
def test_a_journal_is_trimmed_where_a_batch_ends(run: Runner, through: int) -> None:
    async def test(journal: Journal) -> None:
        await covered(journal)
        with pytest.raises(ValueError, match=f"trim through {through}: expected the end"):
            await journal.trim(through)
        assert len(await everything(journal)) == 4

    run(test)


def test_a_read_goes_on_while_what_it_has_read_is_trimmed(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        await covered(journal)
        seen = []
        async for stored in journal.read(0):
            seen.append(stored.position)
            await journal.trim(stored.position)
        assert seen == [2, 4, 6, 8]

    run(test)


def test_requests_private_fields_and_snapshots_outlive_trimming(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        request = remembered("r1", 1)
        beside = {"requests": (request,), "private": (PrivateFields("c1", b"name"),)}
        await journal.append(0, batch(**beside))
        await covered(journal)
        await journal.trim(9)
        assert await journal.request("r1") == request
        assert await journal.private(["c1"]) == {"c1": b"name"}
        assert await journal.latest_snapshot() == Snapshot(9, 1, (b"all",))

    run(test)


def test_contacts_that_ended_are_found_until_their_batch_is_trimmed(run: Runner) -> None:
    async def test(journal: Journal) -> None:
        assert await journal.ended("c1") is None
        gone = tuple(EndedContact(f"c{n}", b"%d" % n * n) for n in range(300))
        await journal.append(0, batch(ended=gone))
        await journal.append(1, batch(ended=(EndedContact("c7", b"again"),)))
        await covered(journal)
        assert await journal.ended("c0") == b""
        assert await journal.ended("c299") == b"299" * 299
        assert await journal.ended("c7") == b"again"
        await journal.trim(1)
        assert await journal.ended("c299") is None
        assert await journal.ended("c7") == b"again"
        await journal.trim(2)
        assert await journal.ended("c7") is None
        await journal.append(journal.position, batch(ended=(EndedContact("c7", b"third"),)))
        assert await journal.ended("c7") == b"third"

    run(test)
