"""Archive files: what is read is what was archived, or it is refused."""

import asyncio
import gzip
from pathlib import Path
from random import Random

import pytest

from usher.queue.journal import archive as module
from usher.queue.journal.archive import Archive, ArchiveFile
from usher.queue.journal.chain import first_link, next_link
from usher.queue.journal.contract import (
    JournalCorrupt,
    JournalError,
    JournalTrimmed,
    StoredBatch,
)

FLIPS = 200


def batches(number: int, first: int = 1, seed: int = 1) -> list[StoredBatch]:
    """Batches of 1 to 3 records from position `first` on, an hour apart."""
    random, found, position = Random(seed), list[StoredBatch](), first - 1
    for hour in range(number):
        count = random.randint(1, 3)
        position += count
        body = random.randbytes(random.choice((0, 50, 3000)))
        found.append(StoredBatch(1, position, count, hour * 3_600_000, body))
    return found


def written(folder: Path, *files: list[StoredBatch], incarnation: str = "one") -> Archive:
    archive = Archive(folder, incarnation)
    for content in files:
        writer = archive.writer()
        writer.add(content)
        writer.finish()
    return archive


def two_files(folder: Path) -> tuple[Archive, list[StoredBatch]]:
    whole = batches(40)
    return written(folder, whole[:24], whole[24:]), whole


def read(archive: Archive, after: int, through: int) -> list[StoredBatch]:
    async def steps() -> list[StoredBatch]:
        return [batch async for step in archive.read(after, through) for batch in step]

    return asyncio.run(steps())


def test_an_archive_without_a_folder_is_empty(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "none", "one")
    assert ([], 0) == (archive.files(), archive.position)
    assert (0, first_link("one")) == archive.end()
    assert [] == read(archive, 0, 0)
    assert not archive.folder.exists()


def test_what_was_archived_is_read_over_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEP_BYTES", 4_000)
    archive, whole = two_files(tmp_path / "archive")
    last = whole[-1].position
    assert whole == read(archive, 0, last)
    middle = whole[10].position
    assert whole[11:] == read(archive, middle, last)
    assert whole[11:30] == read(archive, middle, whole[29].position)


def test_checksums_are_those_of_the_journal(tmp_path: Path) -> None:
    archive, whole = two_files(tmp_path)
    link = first_link("one")
    for batch, checksum in archive.batches(0, whole[-1].position):
        link = next_link(link, batch)
        assert link == checksum
    assert (whole[-1].position, link) == archive.end() == Archive(tmp_path, "one").end()


def test_names_tell_positions_and_the_day_and_sort(tmp_path: Path) -> None:
    archive, whole = two_files(tmp_path)
    first, second = archive.files()
    end, last = whole[23].position, whole[-1].position
    assert f"0000000000000001-{end:016}_1970-01-01.journal.gz" == first.path.name
    assert f"{end + 1:016}-{last:016}_1970-01-02.journal.gz" == second.path.name
    assert (0, end, end, last) == (first.after, first.position, second.after, second.position)


def test_the_same_batches_make_the_same_file(tmp_path: Path) -> None:
    files = [two_files(tmp_path / name)[0].files()[0].path for name in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_file_can_be_unpacked_by_any_tool(tmp_path: Path) -> None:
    archive, whole = two_files(tmp_path)
    unpacked = gzip.decompress(archive.files()[0].path.read_bytes())
    assert all(batch.body in unpacked for batch in whole[:24])


def test_a_batch_that_does_not_follow_is_not_written(tmp_path: Path) -> None:
    writer = Archive(tmp_path, "one").writer()
    with pytest.raises(ValueError, match="does not follow 0"):
        writer.add(batches(1, first=5))
    writer.abandon()
    assert [] == list(tmp_path.iterdir())


def test_a_file_that_was_never_finished_is_written_over(tmp_path: Path) -> None:
    (tmp_path / f"{1:016}.partial").write_bytes(b"as far as it came before the process was killed")
    assert [] == Archive(tmp_path, "one").files()
    archive, whole = two_files(tmp_path)
    assert whole == read(archive, 0, whole[-1].position)
    assert [file.path for file in archive.files()] == sorted(tmp_path.iterdir())


# --- damage ----------------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    whole = batches(30)
    archive = written(tmp_path, whole[:10], whole[10:20], whole[20:])
    files = archive.files()
    files[1].path.unlink()
    with pytest.raises(JournalCorrupt, match=r"does not go on after"):
        archive.files()


def test_first_files_that_were_taken_away_are_said(tmp_path: Path) -> None:
    archive, whole = two_files(tmp_path)
    archive.files()[0].path.unlink()
    end = whole[23].position
    with pytest.raises(JournalTrimmed, match=f"begins after position {end}"):
        read(archive, 0, whole[-1].position)
    assert whole[24:] == read(archive, end, whole[-1].position)
    assert whole[-1].position == Archive(tmp_path, "one").end()[0], "it can be gone on from"


def test_an_archive_that_ends_too_early_is_said(tmp_path: Path) -> None:
    archive, whole = two_files(tmp_path)
    last = whole[-1].position
    with pytest.raises(JournalCorrupt, match=f"goes on to {last + 1}"):
        read(archive, 0, last + 1)


def test_a_file_of_another_journal_is_refused(tmp_path: Path) -> None:
    archive, whole = two_files(tmp_path)
    with pytest.raises(JournalCorrupt, match="is of journal one, not two"):
        read(Archive(archive.folder, "two"), 0, whole[-1].position)
    with pytest.raises(JournalCorrupt, match="is of journal one, not two"):
        Archive(archive.folder, "two").writer()


def test_a_file_of_a_later_format_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FORMAT", 2)
    archive, whole = two_files(tmp_path)
    monkeypatch.undo()
    with pytest.raises(JournalError, match="has format 2, this build reads 1"):
        read(archive, 0, whole[-1].position)


def test_files_that_do_not_belong_together_are_found(tmp_path: Path) -> None:
    """Two archives with the same positions: a file of the one does not fit into the other."""
    one, whole = two_files(tmp_path / "one")
    other = [StoredBatch(1, b.position, b.count, b.at_ms, b.body + b"!") for b in whole]
    two = written(tmp_path / "two", other[:24], other[24:])
    one.files()[1].path.write_bytes(two.files()[1].path.read_bytes())
    with pytest.raises(JournalCorrupt, match="does not go on from the file before it"):
        read(one, 0, whole[-1].position)


def test_a_file_under_another_name_is_found(tmp_path: Path) -> None:
    archive, whole = two_files(tmp_path)
    file, second = archive.files()
    second.path.unlink()
    later = whole[23].position + 1
    file.path.rename(tmp_path / f"0000000000000001-{later:016}_1970-01-01.journal.gz")
    with pytest.raises(JournalCorrupt, match="ends early"):
        read(archive, 0, later)


def changed(file: ArchiveFile, content: bytes, whole: list[StoredBatch]) -> bool:
    """Whether what is read of a changed file was refused; what is read before that must be true."""
    file.path.write_bytes(content)
    found: list[StoredBatch] = []
    try:
        for batch, _ in Archive(file.path.parent, "one").batches(0, whole[-1].position):
            found.append(batch)
    except JournalCorrupt:
        assert found == whole[: len(found)]
        return True
    assert found == whole
    return False


def test_a_flipped_bit_is_found_or_harmless(tmp_path: Path) -> None:
    archive, whole = two_files(tmp_path)
    file, random, refused = archive.files()[0], Random(3), 0
    content = file.path.read_bytes()
    for _ in range(FLIPS):
        flipped = bytearray(content)
        flipped[random.randrange(len(content))] ^= 1 << random.randrange(8)
        refused += changed(file, bytes(flipped), whole)
    assert refused > FLIPS * 0.95


def test_a_cut_file_is_found(tmp_path: Path) -> None:
    archive, whole = two_files(tmp_path)
    file, random = archive.files()[0], Random(4)
    content = file.path.read_bytes()
    sizes = [0, 1, 10, len(content) - 1, *(random.randrange(len(content)) for _ in range(40))]
    assert [True] * len(sizes) == [changed(file, content[:size], whole) for size in sizes]
