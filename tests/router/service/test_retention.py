"""A server that trims its journal: the state stays, and what is in the way is said."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests.queue.journal.files import with_rows
from tests.router.service.conftest import VERSIONS

from usher.queue.journal.archive import Archive
from usher.queue.journal.contract import JournalCorrupt, JournalTrimmed
from usher.queue.journal.memory import MemoryJournal
from usher.queue.journal.sqlite import SqliteJournal
from usher.router.service import retention as retention_module
from usher.router.service.opening import load_pool
from usher.router.service.retention import Retention, RetentionRefused, archive_of
from usher.router.service.runner import Runner
from usher.router.service.server import JOURNAL_FILE, running_server
from usher.router.service.settings import Settings
from usher.router.trials.inspection import summarise
from usher.router.trials.journal_reading import reading
from usher.router.trials.verification import verify

HOUR_MS = 3_600_000
DAYS = 5


async def busy_days(kit: Any, journal: Any) -> Runner:
    """A pool that was busy for DAYS days, with a snapshot every few hours and one at the end."""
    runner: Runner = await kit.runner(journal, snapshot_records=20)
    await kit.send(runner, kit.sign_in("a0"), "s")
    for number in range(DAYS * 24):
        await kit.send(runner, kit.enqueue(f"c{number}"), f"q{number}")
        await kit.send(runner, kit.abandon(f"c{number}"), f"b{number}")
        runner.clock.advance(HOUR_MS)
    return runner


def retention(runner: Runner, archive: Archive, days: int = 2) -> Retention:
    return Retention(runner.journal, archive, days, lambda: runner.pool.ledger.at_ms, pause_s=0)


def test_a_restart_after_trimming_has_the_same_state(kit: Any, run: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        journal = await SqliteJournal.open(tmp_path / "main.journal")
        runner = await busy_days(kit, journal)
        batches = await retention(runner, Archive(tmp_path / "archive", journal.incarnation)).look()
        assert batches > 100
        await runner.drain()
        state = runner.pool.state_hash()
        await journal.close()
        again = await SqliteJournal.open(tmp_path / "main.journal")
        assert again.begins_after > 100
        assert state == (await load_pool(again)).pool.state_hash()
        await again.close()

    run(scenario())


def test_what_is_younger_than_the_retention_by_the_last_record_stays(
    kit: Any, run: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await busy_days(kit, journal)
        archive = Archive(tmp_path, journal.incarnation)
        await retention(runner, archive).look()
        at_ms = runner.pool.ledger.at_ms
        kept = [stored.at_ms async for stored in journal.read(journal.begins_after)]
        assert 2 * 24 <= (at_ms - min(kept)) // HOUR_MS < 3 * 24
        runner.clock.advance(10 * 24 * HOUR_MS)  # time alone makes nothing old
        assert 0 == await retention(runner, archive).look()

    run(scenario())


def test_archive_and_journal_are_inspected_and_verified_as_one(
    kit: Any, run: Any, tmp_path: Path
) -> None:
    async def scenario() -> tuple[str, int]:
        journal = await SqliteJournal.open(tmp_path / "main.journal")
        runner = await busy_days(kit, journal)
        await retention(runner, Archive(tmp_path / "archive", journal.incarnation)).look()
        await runner.close()
        await journal.close()
        return runner.pool.state_hash(), runner.pool.position

    async def whole() -> None:
        found.append(await scenario())

    found: list[tuple[str, int]] = []
    run(whole())
    (state, position) = found[0]
    with reading(tmp_path) as journal:
        summary = summarise(journal.place, journal.incarnation, journal.records())
    assert (state, position, DAYS * 24) == (summary.state_hash, summary.records, summary.contacts)
    with reading(tmp_path) as journal:
        verified = verify(journal.appends(), VERSIONS)
    assert (None, position, state) == (
        verified.difference,
        verified.executed,
        verified.state_hash,
    )
    (tmp_path / "archive").rename(tmp_path / "elsewhere")
    with reading(tmp_path) as journal, pytest.raises(JournalTrimmed):
        list(journal.records())
    with reading(tmp_path, tmp_path / "elsewhere") as journal:
        assert position == len(list(journal.records()))


def test_an_archive_that_is_sound_in_itself_but_not_of_this_journal_is_found(
    kit: Any, run: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        journal = await SqliteJournal.open(tmp_path / "main.journal")
        runner = await busy_days(kit, journal)
        archive = Archive(tmp_path / "archive", journal.incarnation)
        await retention(runner, archive).look()
        begins = journal.begins_after
        batches = [batch async for step in archive.read(0, begins) for batch in step]
        batches[5] = replace(batches[5], at_ms=batches[5].at_ms + 1)
        writer = Archive(tmp_path / "bent", journal.incarnation).writer()
        writer.add(batches)
        writer.finish()
        await runner.close()
        await journal.close()

    run(scenario())
    other = pytest.raises(JournalCorrupt, match="is not what this journal was trimmed of")
    with reading(tmp_path, tmp_path / "bent") as journal, other:
        list(journal.batches())


def test_without_a_whole_snapshot_the_pool_is_rebuilt_from_the_archive(
    kit: Any, run: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        path = tmp_path / "main.journal"
        journal = await SqliteJournal.open(path)
        archive = Archive(tmp_path / "archive", journal.incarnation)
        runner = await busy_days(kit, journal)
        await retention(runner, archive).look()
        await runner.close()
        state = runner.pool.state_hash()
        await journal.close()
        with_rows(path, "UPDATE snapshot_pieces SET content = x'00'")
        again = await SqliteJournal.open(path)
        with pytest.raises(JournalTrimmed):
            await load_pool(again)
        assert state == (await load_pool(again, archive)).pool.state_hash()
        await again.close()

    run(scenario())


def test_an_archive_that_cannot_be_written_is_logged_once_and_the_pool_serves_on(
    kit: Any, run: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await busy_days(kit, journal)
        in_the_way = tmp_path / "archive"
        in_the_way.write_bytes(b"")
        work = retention(runner, Archive(in_the_way, journal.incarnation))
        await kit.turn(50)  # the last snapshot is written
        with capture_logs() as logs:
            assert (0, 0) == (await work.look(), await work.look())
        assert ["archive_postponed"] == [one["event"] for one in logs]
        assert str(in_the_way) in logs[0]["reason"]
        assert 0 == journal.begins_after
        await kit.send(runner, kit.enqueue("later"), "later")
        in_the_way.unlink()
        with capture_logs() as logs:
            assert await work.look() > 100
        assert {"journal_trimmed"} == {one["event"] for one in logs}
        assert logs[-1]["position"] == journal.begins_after

    run(scenario())


def test_a_damaged_archive_is_logged_and_nothing_is_trimmed(
    kit: Any, run: Any, tmp_path: Path
) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner = await busy_days(kit, journal)
        archive = Archive(tmp_path, journal.incarnation)
        await retention(runner, archive, days=4).look()
        begins = journal.begins_after
        archive.files()[-1].path.write_bytes(b"")
        with capture_logs() as logs:
            await retention(runner, Archive(tmp_path, journal.incarnation)).look()
        assert ["archive_damaged"] == [one["event"] for one in logs]
        assert begins == journal.begins_after > 0

    run(scenario())


def test_the_task_begins_and_ends_with_the_server(kit: Any, run: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        work = retention(runner, Archive(tmp_path, runner.journal.incarnation))
        await work.stop()
        work.start()
        await asyncio.sleep(0)
        await work.stop()
        await work.stop()

    run(scenario())


def test_a_server_that_is_told_so_trims_its_journal(
    kit: Any, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "FIRST_LOOK_S", 0.0)

    async def scenario() -> None:
        journal = await SqliteJournal.open(tmp_path / JOURNAL_FILE)
        runner = await busy_days(kit, journal)
        await runner.drain()
        await journal.close()
        settings = Settings(data_dir=str(tmp_path), listen="127.0.0.1:0", retention_days=2)
        async with running_server(settings) as server, asyncio.timeout(20):
            while not server.runner.journal.begins_after:  # noqa: ASYNC110  # a task of its own
                await asyncio.sleep(0.01)
        assert (tmp_path / "archive").is_dir()

    run(scenario())


def test_the_archive_lies_beside_the_journal_or_where_the_settings_say() -> None:
    assert Path("usher-data/archive") == _folder(Settings())
    assert Path("elsewhere") == _folder(Settings(archive_dir="elsewhere"))
    far = Settings(journal="redis://host", archive_dir="shared", retention_days=3)
    assert Path("shared") == _folder(far)
    assert None is archive_of(Settings(journal="redis://host"), "i")
    assert None is archive_of(Settings(data_dir=":memory:", archive_dir="x"), "i")


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ({"journal": "redis://host"}, "30 days: a journal on Redis needs archive_dir"),
        ({"data_dir": ":memory:"}, "30 days: a journal in memory is gone with the process"),
        ({"data_dir": ":memory:", "archive_dir": "x"}, "gone with the process"),
    ],
)
def test_a_journal_without_a_place_for_archive_files_is_not_to_be_trimmed(
    where: dict[str, str], why: str
) -> None:
    with pytest.raises(RetentionRefused, match=why):
        archive_of(Settings(retention_days=30, **where), "i")


def _folder(settings: Settings) -> Path:
    archive = archive_of(settings, "i")
    assert archive is not None
    return archive.folder
