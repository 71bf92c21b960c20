"""What only a journal in a file can get wrong: starts, locks, a full disk."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace
from tests.queue.journal.files import a_day, look, rows, with_rows

from usher.queue.journal.contract import (
    Batch,
    EndedContact,
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalLocked,
    PrivateFields,
    RememberedRequest,
    Snapshot,
    StoredBatch,
)
from usher.queue.journal.sqlite import COMMITS_TIMED, SqliteJournal
from usher.queue.journal.sqlite_files import OLDEST_SQLITE, check_sqlite_version


def batch(number: int = 0, size_bytes: int = 10) -> Batch:
    return Batch(version=1, at_ms=number, count=1, body=bytes(size_bytes))


# --- starts and locks ------------------------------------------------------------------------


def test_all_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    assert a_day(path) == asyncio.run(look(path))
    assert not path.with_name("pool.db-wal").exists(), "a clean close leaves one file"


def test_a_journal_keeps_its_identity(tmp_path: Path) -> None:
    async def identity(name: str) -> tuple[str, bytes, int]:
        journal = await SqliteJournal.open(tmp_path / name)
        await journal.append(journal.position, batch())
        await journal.close()
        return journal.incarnation, journal.secret, journal.position

    first, again, other = (asyncio.run(identity(name)) for name in ("a.db", "a.db", "b.db"))
    assert (*first[:2], 2) == again
    assert first[0] != other[0]
    assert first[1] != other[1]


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    async def two() -> None:
        path = tmp_path / "pool.db"
        journal = await SqliteJournal.open(path)
        with pytest.raises(JournalLocked, match=f"process id {os.getpid()}"):
            await SqliteJournal.open(path)
        await journal.append(0, batch())
        await journal.close()
        second = await SqliteJournal.open(path)
        assert second.position == 1
        await second.close()

    asyncio.run(two())


HOLDER = """
import asyncio, sys
from usher.queue.journal.contract import Batch
from usher.queue.journal.sqlite import SqliteJournal

async def hold():
    journal = await SqliteJournal.open(sys.argv[1])
    for number in range(5):
        await journal.append(number, Batch(version=1, at_ms=number, count=1, body=b"x"))
    print("holding", flush=True)
    await asyncio.sleep(60)

asyncio.run(hold())
"""


def test_after_a_kill_the_next_server_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"holding\n"
        with pytest.raises(JournalLocked, match=f"process id {holder.pid}"):
            asyncio.run(look(path))
        holder.send_signal(signal.SIGKILL)
    found, _ = asyncio.run(look(path))
    assert [stored.position for stored in found.batches] == [1, 2, 3, 4, 5]


def test_half_snapshots_and_loose_pieces_go_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    _, latest = a_day(path)
    with_rows(
        path,
        "INSERT INTO snapshots (snapshot_id, position, version) VALUES (77, 1, 1)",
        "INSERT INTO snapshot_pieces VALUES (77, 0, x'00'), (78, 0, x'00')",
    )
    assert asyncio.run(look(path))[1] == latest
    assert rows(path, "SELECT count(*) FROM snapshots") == [(2,)]
    assert rows(path, "SELECT count(*) FROM snapshot_pieces WHERE snapshot_id > 76") == [(0,)]


def test_only_the_newest_snapshots_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    a_day(path)  # which takes three
    assert rows(path, "SELECT count(*) FROM snapshots") == [(2,)]
    assert rows(path, "SELECT DISTINCT snapshot_id FROM snapshot_pieces") == [(2,), (3,)]


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"

    async def two() -> None:
        journal = await SqliteJournal.open(path)
        await journal.append(0, batch())
        await journal.write_snapshot(1, 1, [b"old one", b"of two"])
        await journal.write_snapshot(1, 1, [b"new one", b"of two"])
        await journal.close()

    asyncio.run(two())
    with_rows(path, "UPDATE snapshot_pieces SET content = x'00' WHERE snapshot_id = 2 AND piece=1")
    assert asyncio.run(look(path))[1] == Snapshot(1, 1, (b"old one", b"of two"))
    with_rows(path, "DELETE FROM snapshot_pieces WHERE snapshot_id = 1 AND piece=1")
    assert asyncio.run(look(path))[1] is None


def test_an_old_sqlite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_sqlite_version() == apsw.sqlite_lib_version()
    too_new = (OLDEST_SQLITE[0] + 1, 0, 0)
    monkeypatch.setattr("usher.queue.journal.sqlite_files.OLDEST_SQLITE", too_new)
    with pytest.raises(JournalError, match="or newer is needed"):
        check_sqlite_version()


def test_an_unknown_promise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="synchronous"):
        asyncio.run(SqliteJournal.open(tmp_path / "pool.db", "MAYBE"))


def test_the_promise_is_said(tmp_path: Path) -> None:
    async def said(synchronous: str) -> str:
        journal = await SqliteJournal.open(tmp_path / "pool.db", synchronous)
        await journal.close()
        return journal.durability

    assert "synchronous=FULL: every acknowledged" in asyncio.run(said("FULL"))
    assert "synchronous=NORMAL: a power cut may lose" in asyncio.run(said("NORMAL"))


# --- a full disk -----------------------------------------------------------------------------


def test_a_full_disk_is_rolled_back_and_passes(tmp_path: Path) -> None:
    async def fill() -> None:
        journal = await SqliteJournal.open(tmp_path / "pool.db")
        await journal.append(0, batch())
        limit(journal, pages=40)
        large = Batch(
            version=1,
            at_ms=1,
            count=1,
            body=bytes(200_000),
            private=(PrivateFields("c1", b"x"),),
            requests=(RememberedRequest("r2", b"", 2, 1, b""),),
        )
        outcomes = await asyncio.gather(
            journal.append(1, large), journal.append(2, batch()), return_exceptions=True
        )
        # They were executed one on the other, so the second fails whether or not it would fit.
        assert type(outcomes[0]) is JournalFull
        assert isinstance(outcomes[1], JournalError)
        assert journal.position == 1
        assert await journal.private(["c1"]) == {}
        assert await journal.request("r2") is None
        with pytest.raises(JournalFull):
            await journal.write_snapshot(1, 1, [bytes(200_000)])
        await journal.append(1, batch(size_bytes=100))
        limit(journal, pages=1_000_000)
        await journal.append(2, Batch(version=1, at_ms=1, count=1, body=bytes(200_000)))
        assert await journal.latest_snapshot() is None
        await journal.close()

    asyncio.run(fill())
    found, _ = asyncio.run(look(tmp_path / "pool.db"))
    assert [len(stored.body) for stored in found.batches] == [10, 100, 200_000]


def limit(journal: SqliteJournal, pages: int) -> None:
    """Give the file that many pages at most. The writer rests while this runs."""
    connection = journal._writer._connection
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()


# --- forgetting, measuring -------------------------------------------------------------------


def test_a_deleted_name_is_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"

    async def forget() -> None:
        journal = await SqliteJournal.open(path)
        secret = PrivateFields("c1", b"Ada Lovelace " * 1_000)
        await journal.append(0, Batch(version=1, at_ms=0, count=1, body=b"", private=(secret,)))
        await journal.close()
        assert b"Ada Lovelace" in path.read_bytes()
        journal = await SqliteJournal.open(path)
        await journal.delete_private(["c1"])
        await journal.close()

    asyncio.run(forget())
    assert b"Ada Lovelace" not in path.read_bytes()


def test_requests_forgotten_stay_forgotten_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"

    async def remember() -> dict[str, tuple[int, int]]:
        journal = await SqliteJournal.open(path)
        requests = tuple(RememberedRequest(f"r{n}", b"", n, n, b"") for n in (1, 2, 3))
        await journal.append(0, Batch(version=1, at_ms=0, count=3, body=b"", requests=requests))
        forget = Batch(version=1, at_ms=0, count=1, body=b"", forget_requests_through=2)
        await journal.append(3, forget)
        await journal.close()
        journal = await SqliteJournal.open(path)
        ids = await journal.request_ids()
        await journal.close()
        return ids

    assert asyncio.run(remember()) == {"r3": (3, 3)}


def test_durations_of_commits_are_kept_for_a_while(tmp_path: Path) -> None:
    async def measure() -> None:
        journal = await SqliteJournal.open(tmp_path / "pool.db")
        for number in range(3):
            await journal.append(number, batch())
        assert len(journal.sync_times_ms()) == 3
        assert all(0 < duration_ms < 10_000 for duration_ms in journal.sync_times_ms())
        journal.reset_sync_times()
        assert journal.sync_times_ms() == []
        assert journal._commits_ms.maxlen == COMMITS_TIMED
        await journal.close()

    asyncio.run(measure())


# --- trimmed ---------------------------------------------------------------------------------


def trimmed(path: Path, through: int = 6) -> list[StoredBatch]:
    """Write ten batches, trim some; return those that can still be read."""

    async def write() -> list[StoredBatch]:
        journal = await SqliteJournal.open(path)
        for number in range(10):
            gone = (EndedContact(f"c{number}", b"gone"),)
            await journal.append(number, replace(batch(number), ended=gone))
        for _ in range(2):
            await journal.write_snapshot(10, 1, [b"state"])
        await journal.trim(through)
        kept = [stored async for stored in journal.read(through)]
        await journal.close()
        return kept

    return asyncio.run(write())


def read_again(path: Path, after: int) -> tuple[int, list[StoredBatch], bytes | None, bytes | None]:
    """Return where it begins, what is read, and the contacts of the batches 6 and 7."""

    async def read() -> tuple[int, list[StoredBatch], bytes | None, bytes | None]:
        journal = await SqliteJournal.open(path)
        try:
            found = [stored async for stored in journal.read(after)]
            ended = await journal.ended("c5"), await journal.ended("c6")
            return journal.begins_after, found, *ended
        finally:
            await journal.close()

    return asyncio.run(read())


def test_a_trimmed_journal_begins_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    kept = trimmed(path)
    assert (6, kept, None, b"gone") == read_again(path, 6)
    assert [7, 8, 9, 10] == [stored.position for stored in kept]
    assert [(6,)] == rows(path, "SELECT min(position) FROM batches")


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM batches WHERE position = 6",
        "DELETE FROM batches WHERE position = 7",
        "UPDATE batches SET checksum = zeroblob(16) WHERE position = 6",
        "UPDATE batches SET body = x'00' WHERE position = 7",
        "UPDATE ended SET content = x'0000000000'",
    ],
)
def test_damage_at_the_beginning_of_a_trimmed_journal_is_found(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "pool.db"
    trimmed(path)
    with_rows(path, damage)
    with pytest.raises(JournalCorrupt):
        read_again(path, 6)


def test_the_room_of_what_was_trimmed_is_used_again(tmp_path: Path) -> None:
    async def fill(path: Path) -> tuple[int, int]:
        journal, sizes = await SqliteJournal.open(path), list[int]()
        for _ in range(2):
            begin = journal.position
            for number in range(begin, begin + 50):
                await journal.append(number, batch(number, 20_000))
            for _ in range(2):
                await journal.write_snapshot(journal.position, 1, [b"state"])
            await journal.trim(journal.position)
            await journal.close()
            sizes.append(os.stat(path).st_size)
            journal = await SqliteJournal.open(path)
        await journal.close()
        return sizes[0], sizes[1]

    first, second = asyncio.run(fill(tmp_path / "pool.db"))
    assert second <= first * 1.1


def test_a_journal_of_an_earlier_release_gets_the_table_of_ended_contacts(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    whole = a_day(path)
    with_rows(path, "DROP TABLE ended")
    assert whole == asyncio.run(look(path))
    assert [(0,)] == rows(path, "SELECT count(*) FROM ended")
