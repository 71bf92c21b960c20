"""From journal to archive: nothing lost and nothing twice, wherever it is cut short."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from usher.queue.journal import archive as archive_module
from usher.queue.journal import archiving as archiving_module
from usher.queue.journal.archive import Archive, ArchiveWriter
from usher.queue.journal.archiving import DAY_MS, ArchiveUnfit, Archiving, Moved
from usher.queue.journal.contract import Batch, Journal, JournalFull, StoredBatch
from usher.queue.journal.memory import MemoryJournal
from usher.queue.journal.sqlite import SqliteJournal

HOUR_MS = 3_600_000
DAYS = 4
NOW_MS = DAYS * DAY_MS


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is three batches."""
    for module in (archive_module, archiving_module):
        monkeypatch.setattr(module, "STEP_BYTES", 300)


async def fill(journal: Journal, *, snapshots: int = 2, every_ms: int = 3 * HOUR_MS) -> None:
    """Append DAYS days of batches of two records, then take snapshots of the end."""
    for at_ms in range(0, NOW_MS, every_ms):
        body = str(at_ms).encode().ljust(100)
        await journal.append(journal.position, Batch(1, at_ms, 2, body))
    for _ in range(snapshots):
        await journal.write_snapshot(journal.position, 1, [b"state"])


async def everything(journal: Journal, after: int = 0) -> list[StoredBatch]:
    return [stored async for stored in journal.read(after)]


async def both(journal: Journal, archive: Archive) -> list[StoredBatch]:
    """Returns what archive and journal hold together, where the journal takes over."""
    begins = journal.begins_after
    archived = [batch async for step in archive.read(0, begins) for batch in step]
    return archived + await everything(journal, begins)


def archiving(journal: Journal, archive: Archive, **more: Any) -> Archiving:
    return Archiving(journal, archive, pause_s=0, **more)


async def move_all(work: Archiving, before_ms: int) -> list[Moved]:
    moved = []
    while (one := await work.move(before_ms)) is not None:
        moved.append(one)
    return moved


# --- what goes and what stays ----------------------------------------------------------------


def test_whole_days_go_each_into_a_file_of_its_own(tmp_path: Path) -> None:
    async def test() -> None:
        journal = MemoryJournal()
        archive = Archive(tmp_path, journal.incarnation)
        await fill(journal)
        whole = await everything(journal)
        moved = await move_all(archiving(journal, archive), 2 * DAY_MS)
        assert [8, 8] == [one.batches for one in moved]
        assert [16, 32] == [one.through for one in moved] == [f.position for f in archive.files()]
        assert 32 == journal.begins_after
        assert whole == await both(journal, archive)
        assert {2 * DAY_MS, 3 * DAY_MS} <= {one.at_ms for one in await everything(journal, 32)}

    asyncio.run(test())


@pytest.mark.parametrize(
    ("before_ms", "days"),
    [(0, 0), (DAY_MS - 1, 0), (DAY_MS, 1), (2 * DAY_MS - 1, 1), (10 * DAY_MS, DAYS)],
)
def test_a_day_goes_when_all_of_it_is_old_enough_by_the_times_of_records(
    tmp_path: Path, before_ms: int, days: int
) -> None:
    async def test() -> None:
        journal = MemoryJournal()
        archive = Archive(tmp_path, journal.incarnation)
        await fill(journal)
        await move_all(archiving(journal, archive), before_ms)
        assert days == len(archive.files())
        assert 16 * days == journal.begins_after

    asyncio.run(test())


def test_a_file_ends_at_its_size(tmp_path: Path) -> None:
    async def test() -> None:
        journal = MemoryJournal()
        archive = Archive(tmp_path, journal.incarnation)
        await fill(journal)
        whole = await everything(journal)
        moved = await move_all(archiving(journal, archive, file_bytes=450), DAY_MS)
        assert [5, 3] == [one.batches for one in moved]
        assert whole == await both(journal, archive)

    asyncio.run(test())


def test_what_no_two_snapshots_cover_stays(tmp_path: Path) -> None:
    async def test() -> None:
        journal = MemoryJournal()
        archive = Archive(tmp_path / "archive", journal.incarnation)
        await fill(journal, snapshots=1)
        assert [] == await move_all(archiving(journal, archive), NOW_MS)
        assert not archive.folder.exists()
        await journal.write_snapshot(21, 1, [b"an older one, say"])
        moved = await move_all(archiving(journal, archive), NOW_MS)
        assert [16, 20] == [one.through for one in moved]

    asyncio.run(test())


def test_an_empty_journal_has_nothing_to_archive(tmp_path: Path) -> None:
    async def test() -> None:
        journal = MemoryJournal()
        archive = Archive(tmp_path, journal.incarnation)
        assert None is await archiving(journal, archive).move(NOW_MS)

    asyncio.run(test())


def test_appends_go_on_meanwhile(tmp_path: Path) -> None:
    async def test() -> None:
        journal = await SqliteJournal.open(tmp_path / "pool.db")
        archive = Archive(tmp_path / "archive", journal.incarnation)
        await fill(journal)
        before = await everything(journal)
        moving = asyncio.create_task(move_all(archiving(journal, archive), NOW_MS))
        added = 0
        while not moving.done():
            await journal.append(journal.position, Batch(1, NOW_MS, 1, b"new"))
            added += 1
        assert DAYS == len(await moving)
        assert added > DAYS
        found = await both(journal, archive)
        assert (before, added) == (found[: len(before)], len(found) - len(before))
        await journal.close()

    asyncio.run(test())


# --- cut short -------------------------------------------------------------------------------


class Killed(Exception):
    """Stands for the end of the process."""


class Cut:
    """Counts what is done to disk and journal, and ends the process at one of these points."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.done: list[str] = []

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **more: Any) -> Any:
            self.step(f"before {name}")
            result = work(*given, **more)
            self.step(f"after {name}")
            return result

        return counted

    def step(self, name: str) -> None:
        self.done.append(name)
        if len(self.done) == self.at:
            raise Killed(name)

    def arm(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(archive_module.os, "fsync", self.around("sync", os.fsync))
        patch.setattr(Path, "rename", self.around("rename", Path.rename))
        patch.setattr(ArchiveWriter, "add", self.around("add", ArchiveWriter.add))
        patch.setattr(ArchiveWriter, "abandon", lambda _: None)  # who is killed tidies nothing up
        trim, cut = MemoryJournal.trim, self

        async def counted_trim(journal: MemoryJournal, through: int) -> None:
            cut.step("before trim")
            await trim(journal, through)
            cut.step("after trim")

        patch.setattr(MemoryJournal, "trim", counted_trim)


async def cut_at(point: int, folder: Path, kind: type[Archiving]) -> tuple[Cut, bool, bool]:
    """Returns the points that were passed, whether all batches are still there, and in the end."""
    journal, cut = MemoryJournal(), Cut(point)
    archive = Archive(folder, journal.incarnation)
    await fill(journal, every_ms=4 * HOUR_MS)
    whole = await everything(journal)
    with pytest.MonkeyPatch.context() as patch:
        cut.arm(patch)
        with suppress(Killed):
            await move_all(kind(journal, archive, pause_s=0), 2 * DAY_MS)
    again = Archive(folder, journal.incarnation)
    try:
        is_whole = whole == await both(journal, again)
        await move_all(kind(journal, again, pause_s=0), 2 * DAY_MS)
        ends_whole = whole == await both(journal, again)
        ends_whole &= 24 == journal.begins_after == again.position
    except Exception:  # whatever it is, what was there is not to be had
        return cut, False, False
    return cut, is_whole, ends_whole


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files left open
def test_cut_short_anywhere_nothing_is_lost_and_the_next_call_finishes(tmp_path: Path) -> None:
    cut, _, _ = asyncio.run(cut_at(0, tmp_path / "all", Archiving))
    points = len(cut.done)
    assert 30 == points
    for point in range(1, points + 1):
        cut, is_whole, ends_whole = asyncio.run(cut_at(point, tmp_path / str(point), Archiving))
        assert point == len(cut.done)
        assert (True, True) == (is_whole, ends_whole), cut.done[-1]


def test_a_file_is_synced_named_and_its_name_synced_before_anything_is_trimmed(
    tmp_path: Path,
) -> None:
    cut, _, _ = asyncio.run(cut_at(0, tmp_path, Archiving))
    done = [name.removeprefix("after ") for name in cut.done if name.startswith("after")]
    one_day = ["add", "add", "sync", "rename", "sync", "trim", "trim"]
    assert one_day + one_day == done


class TrimsFirst(Archiving):
    """The control: the right steps in the wrong order."""

    async def _write(self, before_ms: int) -> Any:
        journal = self._journal
        due = [batch async for batch in self._due(before_ms)]
        if not due:
            return None
        await journal.trim(due[-1].position)
        writer = self._archive.writer()
        writer.add(due)
        return writer.finish()

    async def _trim(self, through: int) -> Moved:
        return Moved("", through, 1, 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files left open
def test_control_the_other_order_loses_batches(tmp_path: Path) -> None:
    cut, _, ends = asyncio.run(cut_at(0, tmp_path / "all", TrimsFirst))
    assert ends, "without a cut it does as well"
    lost = [
        cut.done[point - 1]
        for point in range(1, len(cut.done) + 1)
        if not asyncio.run(cut_at(point, tmp_path / str(point), TrimsFirst))[1]
    ]
    assert "after trim" in lost


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from usher.queue.journal import archive as module
from usher.queue.journal.archive import Archive, ArchiveWriter
from usher.queue.journal.archiving import Archiving
from usher.queue.journal.sqlite import SqliteJournal

module.STEP_BYTES = 300
path, point = Path(sys.argv[1]), sys.argv[2]

def die(*_given, **_more):
    os.kill(os.getpid(), signal.SIGKILL)

if point == "trim":
    trim = SqliteJournal.trim
    async def trim_and_die(journal, through):
        await trim(journal, through)
        die()
    SqliteJournal.trim = trim_and_die
else:
    steps = {"sync": (os, "fsync"), "name": (Path, "rename"), "finish": (module, "_sync_folder")}
    owner, name = steps[point]
    setattr(owner, name, die)

async def run():
    journal = await SqliteJournal.open(path)
    archive = Archive(path.parent / "archive", journal.incarnation)
    archive.folder.mkdir(exist_ok=True)
    await Archiving(journal, archive, pause_s=0).move(10**12)

asyncio.run(run())
"""


@pytest.mark.crash
def test_after_a_kill_at_each_step_the_next_server_finds_all_and_finishes(tmp_path: Path) -> None:
    path = tmp_path / "pool.db"

    async def begin() -> list[StoredBatch]:
        journal = await SqliteJournal.open(path)
        await fill(journal)
        whole = await everything(journal)
        await journal.close()
        return whole

    async def look(*, finish: bool) -> tuple[list[StoredBatch], int, int]:
        journal = await SqliteJournal.open(path)
        archive = Archive(tmp_path / "archive", journal.incarnation)
        if finish:
            await move_all(archiving(journal, archive), NOW_MS)
        found = await both(journal, archive), journal.begins_after, archive.position
        await journal.close()
        return found

    whole, ends = asyncio.run(begin()), []
    for point in ("sync", "name", "finish", "trim"):
        killed = subprocess.run([sys.executable, "-c", KILLED, str(path), point], check=False)
        assert -signal.SIGKILL == killed.returncode, point
        found, begins, archived = asyncio.run(look(finish=False))
        assert whole == found, point
        ends.append((begins, archived))
    assert [(0, 0), (0, 0), (0, 16), (6, 16)] == ends, "it was cut where it was meant to be"
    assert (whole, 64, 64) == asyncio.run(look(finish=True))
    assert DAYS == len(list((tmp_path / "archive").iterdir()))


# --- what is in the way ----------------------------------------------------------------------


def test_a_full_disk_trims_nothing_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        journal = MemoryJournal()
        archive = Archive(tmp_path, journal.incarnation)
        await fill(journal)
        full = OSError(28, "No space left on device")
        with monkeypatch.context() as patch:
            patch.setattr(archive_module.os, "fsync", _raising(full))
            with pytest.raises(OSError, match="No space"):
                await archiving(journal, archive).move(NOW_MS)
        assert (0, []) == (journal.begins_after, os.listdir(tmp_path))
        assert DAYS == len(await move_all(archiving(journal, archive), NOW_MS))

    asyncio.run(test())


def test_a_full_journal_is_trimmed_later(tmp_path: Path) -> None:
    class Full(MemoryJournal):
        times = 1

        async def trim(self, through: int) -> None:
            self.times -= 1
            if self.times >= 0:
                raise JournalFull("no room for the WAL")
            await super().trim(through)

    async def test() -> None:
        journal = Full()
        archive = Archive(tmp_path, journal.incarnation)
        await fill(journal)
        whole = await everything(journal)
        with pytest.raises(JournalFull):
            await archiving(journal, archive).move(NOW_MS)
        assert DAYS == len(await move_all(archiving(journal, archive), NOW_MS))
        assert whole == await both(journal, archive)

    asyncio.run(test())


def test_an_archive_that_differs_from_the_journal_keeps_it_from_being_trimmed(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        journal = MemoryJournal()
        archive = Archive(tmp_path, journal.incarnation)
        await fill(journal)
        writer = archive.writer()
        writer.add([StoredBatch(1, 2, 2, 0, b"another")])
        writer.finish()
        with pytest.raises(ArchiveUnfit, match="another batch at position 2"):
            await archiving(journal, archive).move(NOW_MS)
        assert 0 == journal.begins_after

    asyncio.run(test())


def test_an_archive_that_ends_before_the_journal_begins_is_not_gone_on_with(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        journal = MemoryJournal()
        archive = Archive(tmp_path / "one", journal.incarnation)
        await fill(journal)
        await archiving(journal, archive).move(NOW_MS)
        other = Archive(tmp_path / "two", journal.incarnation)
        with pytest.raises(ArchiveUnfit, match="ends at position 0, and the journal begins after"):
            await archiving(journal, other).move(NOW_MS)

    asyncio.run(test())


def test_the_newest_file_is_enough_to_go_on(tmp_path: Path) -> None:
    async def test() -> None:
        journal = MemoryJournal()
        archive = Archive(tmp_path, journal.incarnation)
        await fill(journal)
        await move_all(archiving(journal, archive), 2 * DAY_MS)
        archive.files()[0].path.unlink()  # taken to another place
        assert 2 == len(await move_all(archiving(journal, archive), NOW_MS))

    asyncio.run(test())


def _raising(error: Exception) -> Callable[..., Any]:
    def fails(*_given: Any) -> None:
        raise error

    return fails
