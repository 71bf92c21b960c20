"""Damaged files: what is read is what was written, or it is refused."""

import asyncio
import os
import shutil
from pathlib import Path
from random import Random

import pytest
from tests.queue.journal.files import a_day, look, with_rows
from tests.queue.journal.workload import Day, Found

from usher.queue.journal.contract import (
    JournalCorrupt,
    JournalError,
    Snapshot,
)
from usher.queue.journal.sqlite import SqliteJournal

FLIPS = 2_000 if os.environ.get("USHER_FULL") == "1" else 300


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_bytes(b"this is not a database at all, " * 100)
    other = tmp_path / "other.db"
    with_rows(other, "CREATE TABLE notes (a)")
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(JournalCorrupt):
            asyncio.run(look(path))
        assert path.read_bytes()[100:] == before[100:], "and left as it was"


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM batches WHERE position = (SELECT min(position) FROM batches)",
        "DELETE FROM batches WHERE position = (SELECT position FROM batches LIMIT 1 OFFSET 3)",
        "DELETE FROM batches WHERE position = (SELECT max(position) FROM batches)",
        "UPDATE batches SET at_ms = at_ms + 1 WHERE at_ms = 1002",
        "UPDATE batches SET version = 2 WHERE at_ms = 1002",
        "UPDATE batches SET body = zeroblob(length(body)) WHERE at_ms = 1002",
        "UPDATE batches SET checksum = zeroblob(16) WHERE at_ms = 1002",
        "UPDATE batches SET count = count + 1 WHERE at_ms = 1002",
        "UPDATE requests SET content = zeroblob(9)",
        "UPDATE private SET content = x'00'",
        "UPDATE meta SET secret = zeroblob(32)",
        "UPDATE meta SET incarnation = 'another'",
        "DELETE FROM meta",
        "DROP TABLE private",
    ],
)
def test_every_altered_or_lost_row_is_found(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "pool.db"
    a_day(path)
    with_rows(path, damage)
    with pytest.raises(JournalCorrupt):
        asyncio.run(look(path))


def test_the_place_of_the_damage_is_said(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"
    found, _ = a_day(path)
    fourth = found.batches[3]
    with_rows(path, f"UPDATE batches SET body = x'00' WHERE position = {fourth.position}")
    with pytest.raises(JournalCorrupt, match=f"ends at {fourth.position}") as corrupt:
        asyncio.run(look(path))
    assert corrupt.value.position == found.batches[2].position


def test_a_batch_of_another_journal_is_found(tmp_path: Path) -> None:
    """Two journals with the same batches: their chains differ all the same."""
    for name in ("a.db", "b.db"):
        a_day(tmp_path / name)
    with_rows(
        tmp_path / "a.db",
        f"ATTACH '{tmp_path / 'b.db'}' AS b",
        "DELETE FROM batches",
        "INSERT INTO batches SELECT * FROM b.batches",
    )
    with pytest.raises(JournalCorrupt):
        asyncio.run(look(tmp_path / "a.db"))


def nothing_made_up(path: Path, whole: Found, snapshots: Snapshot, place: str) -> bool:
    """Check that what can still be read is what was written; return whether it was refused."""
    try:
        found, snapshot = asyncio.run(look(path))
    except JournalError:
        return True
    assert found.batches == whole.batches[: len(found.batches)], place
    assert [request for request in found.requests if request not in whole.requests] == [], place
    assert found.private.items() <= whole.private.items(), place
    assert snapshot is None or snapshot.position <= snapshots.position, place
    return False


def test_a_flipped_bit_is_found_or_harmless(tmp_path: Path) -> None:
    path, damaged = tmp_path / "pool.db", tmp_path / "damaged.db"
    whole, snapshot = a_day(path)
    content, random = path.read_bytes(), Random(5)
    refused = 0
    for _ in range(FLIPS):
        bit = random.randrange(len(content) * 8)
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        damaged.write_bytes(flipped)
        refused += nothing_made_up(damaged, whole, snapshot, f"bit {bit}")
    assert refused > FLIPS // 20


def test_a_flipped_bit_in_a_batch_is_always_found(tmp_path: Path) -> None:
    path, damaged = tmp_path / "pool.db", tmp_path / "damaged.db"
    whole, _ = a_day(path)
    content, random = path.read_bytes(), Random(6)
    for _ in range(FLIPS):
        body = random.choice(whole.batches).body[:40]
        begin = content.index(body)
        flipped = bytearray(content)
        flipped[begin + random.randrange(len(body))] ^= 1 << random.randrange(8)
        damaged.write_bytes(flipped)
        with pytest.raises(JournalCorrupt):
            asyncio.run(look(damaged))


def test_a_truncated_file_is_found(tmp_path: Path) -> None:
    path, damaged = tmp_path / "pool.db", tmp_path / "damaged.db"
    whole, snapshot = a_day(path)
    content, random = path.read_bytes(), Random(7)
    sizes = [1, 50, 100, 511, 512, 4095, 4096, 4097, len(content) - 1]
    sizes += [random.randrange(1, len(content)) for _ in range(FLIPS // 10)]
    refused = 0
    for size in sizes:
        damaged.write_bytes(content[:size])
        refused += nothing_made_up(damaged, whole, snapshot, f"cut to {size}")
    # What is left passes only if no more than snapshots and free pages were cut off.
    assert refused > len(sizes) * 3 // 4


def test_a_damaged_wal_gives_a_whole_beginning(tmp_path: Path) -> None:
    """A WAL ends where its checksums end, so damage there looks like an earlier power cut."""

    async def killed() -> list[Found]:
        journal = await SqliteJournal.open(tmp_path / "pool.db")
        day = Day(seed=2)
        await day.pass_by(journal)
        for name in ("pool.db", "pool.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / f"killed-{name}")
        await journal.close()
        return day.states

    states, random = asyncio.run(killed()), Random(8)
    content = (tmp_path / "killed-pool.db").read_bytes()
    wal = (tmp_path / "killed-pool.db-wal").read_bytes()
    lengths = set()
    for number in range(FLIPS // 10):
        place = tmp_path / str(number)
        place.mkdir()
        (place / "pool.db").write_bytes(content)
        flipped = bytearray(wal)
        flipped[random.randrange(len(wal))] ^= 1 << random.randrange(8)
        (place / "pool.db-wal").write_bytes(flipped)
        found, _ = asyncio.run(look(place / "pool.db"))
        assert found in states
        lengths.add(len(found.batches))
    assert len(lengths) > 3
