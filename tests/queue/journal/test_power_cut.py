"""Power cuts and failing disks beneath the real SqliteJournal: nothing acknowledged is lost.

USHER_FULL=1 runs 1,000 power cuts, otherwise 100.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import apsw
import pytest
from tests.queue.journal.files import look
from tests.queue.journal.power_cut import Disk, FaultyVfs, fails_once, failure, power_goes_at
from tests.queue.journal.workload import Day, Found, TrimmingDay, found_in

from usher.queue.journal.contract import Batch, JournalBroken, JournalError, PrivateFields
from usher.queue.journal.sqlite import SqliteJournal

pytestmark = pytest.mark.crash

POINTS = 1_000 if os.environ.get("USHER_FULL") == "1" else 100
CHECKPOINT_PAGES = 25  # so that a short day has several checkpoints


@pytest.fixture(scope="module")
def vfs() -> Iterator[FaultyVfs]:
    faulty = FaultyVfs()
    yield faulty
    faulty.unregister()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in memory where there is one: these tests decide what a sync does."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


async def pass_day(vfs: FaultyVfs, path: Path, synchronous: str, day: Day) -> None:
    """Run a day on the faulty disk until it ends or the disk does."""
    journal = await SqliteJournal.open(
        path, synchronous, vfs=vfs.name, checkpoint_pages=CHECKPOINT_PAGES
    )
    try:
        await day.pass_by(journal)
    except JournalBroken:
        await every_call_says_broken(journal)
        raise
    finally:
        await journal.close()


async def every_call_says_broken(journal: SqliteJournal) -> None:
    with pytest.raises(JournalBroken):
        await journal.delete_private(["c1"])
    with pytest.raises(JournalBroken):
        await journal.request("r1")
    with pytest.raises(JournalBroken):
        await journal.write_snapshot(0, 1, [])
    with pytest.raises(JournalBroken):
        await found_in(journal)


def run_day(
    vfs: FaultyVfs, folder: Path, fault: Callable[[str, int], None], seed: int, synchronous: str
) -> tuple[Day, Disk, bool]:
    """Return the day, the disk after it, and whether the day came to its end."""
    vfs.disk = disk = Disk(fault)
    day = TrimmingDay(seed)
    try:
        asyncio.run(pass_day(vfs, folder / "pool.db", synchronous, day))
    except JournalError:
        return day, disk, False
    return day, disk, True


def operations_of_a_day(vfs: FaultyVfs, folder: Path, synchronous: str) -> list[str]:
    (folder / "whole").mkdir()
    _, disk, ended = run_day(vfs, folder / "whole", lambda kind, number: None, 0, synchronous)
    assert ended
    return disk.kinds


def cut_and_look(
    vfs: FaultyVfs, folder: Path, seed: int, operations: int, synchronous: str
) -> tuple[Day, Found, object]:
    """Cut the power at a random moment of a day; return the day and what is found after it."""
    random = Random(seed)
    before, after = folder / f"before{seed}", folder / f"after{seed}"
    before.mkdir()
    after.mkdir()
    cut_at = random.randint(1, operations)
    day, disk, _ = run_day(vfs, before, power_goes_at(cut_at), seed, synchronous)
    disk.power_cut(after, random)
    found, snapshot = asyncio.run(look(after / "pool.db", trimmed=True))
    return day, found, snapshot


def test_after_a_power_cut_all_that_was_acknowledged_is_there(vfs: FaultyVfs, folder: Path) -> None:
    operations = len(operations_of_a_day(vfs, folder, "FULL"))
    steps = set()
    for seed in range(POINTS):
        day, found, snapshot = cut_and_look(vfs, folder, seed, operations, "FULL")
        assert found in day.allowed(), f"seed {seed}: {day.done} steps were acknowledged"
        assert snapshot in day.allowed_snapshots(), f"seed {seed}"
        steps.add(day.done)
    assert len(steps) > 10, "the cuts did not fall all over the day"


def test_control_without_a_sync_of_each_commit_something_is_lost(
    vfs: FaultyVfs, folder: Path
) -> None:
    operations = len(operations_of_a_day(vfs, folder, "NORMAL"))
    lost = 0
    for seed in range(POINTS):
        day, found, _ = cut_and_look(vfs, folder, seed, operations, "NORMAL")
        assert found in day.states, f"seed {seed}: not even a state that once was"
        lost += found not in day.allowed()
    assert lost > POINTS // 10


def fault_points(operations: list[str], kinds: tuple[str, ...]) -> list[int]:
    points = [number for number, kind in enumerate(operations, 1) if kind in kinds]
    return points if POINTS >= 1_000 else points[:: max(1, len(points) // POINTS)]


def test_nothing_is_acknowledged_after_a_failed_write_or_sync(vfs: FaultyVfs, folder: Path) -> None:
    operations = operations_of_a_day(vfs, folder, "FULL")
    broken = 0
    for number in fault_points(operations, ("write", "sync", "truncate")):
        place = folder / str(number)
        place.mkdir()
        fault = fails_once(number, apsw.SQLITE_IOERR_FSYNC)
        day, _, ended = run_day(vfs, place, fault, 0, "FULL")
        found, snapshot = asyncio.run(look(place / "pool.db", trimmed=True))
        assert found in day.allowed(), f"operation {number}"
        assert snapshot in day.allowed_snapshots(), f"operation {number}"
        broken += not ended
    assert broken > len(operations) // 4 * min(1, POINTS / 1_000)


def test_a_full_disk_is_said_and_forgotten(vfs: FaultyVfs, folder: Path) -> None:
    operations = operations_of_a_day(vfs, folder, "FULL")
    full = 0
    for number in fault_points(operations, ("write",)):
        place = folder / str(number)
        place.mkdir()
        day, disk, ended = run_day(vfs, place, fails_once(number, apsw.SQLITE_FULL), 0, "FULL")
        if day.done == 0 and not ended:
            continue  # it met the disk while it was being opened
        assert ended, f"operation {number} of {len(disk.kinds)}"
        found, _ = asyncio.run(look(place / "pool.db", trimmed=True))
        assert found == day.states[-1], f"operation {number}"
        full += day.full
    assert full > 10


def test_what_is_queued_behind_a_failed_sync_fails_too(vfs: FaultyVfs, folder: Path) -> None:
    armed = False

    def fault(kind: str, number: int) -> None:
        nonlocal armed
        if armed and kind == "sync":
            armed = False  # once: the disk works again at once, and must not be believed
            raise failure(apsw.SQLITE_IOERR_FSYNC)

    async def queue_up() -> tuple[object, ...]:
        nonlocal armed
        journal = await SqliteJournal.open(folder / "pool.db", vfs=vfs.name)
        await journal.append(0, batch(PrivateFields("c1", b"stays")))
        armed = True
        outcomes = await asyncio.gather(
            journal.append(1, batch()),
            journal.delete_private(["c1"]),
            journal.append(2, batch()),
            journal.append(1, batch()),
            return_exceptions=True,
        )
        await every_call_says_broken(journal)
        await journal.close()
        return outcomes

    vfs.disk = Disk(fault)
    assert [type(outcome) for outcome in asyncio.run(queue_up())] == [JournalBroken] * 4
    wal = folder / "pool.db-wal"
    assert wal.exists(), "a close that moves the WAL into the file would be a retried sync"
    found, _ = asyncio.run(look(folder / "pool.db"))
    assert found.private == {"c1": b"stays"}
    assert len(found.batches) in (1, 2), "the batch of the failed sync may be there or not"


def batch(*private: PrivateFields) -> Batch:
    return Batch(version=1, at_ms=0, count=1, body=b"body", private=private)
