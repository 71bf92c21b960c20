"""Reads a journal from the first record to the last: archive files, then a SQLite file or Redis.

A file is locked like by a server, so that nothing is appended meanwhile; on Redis a server may go
on, and what comes after the opening is not read (`redis_reading`). Nothing is written into the
journal, and private fields and remembered requests are never looked at. It must not know the pool.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import apsw
import msgspec

from usher.queue.codec import Record, UnknownRecordVersion, decode_records
from usher.queue.journal import sqlite_rows
from usher.queue.journal.archive import FOLDER, Archive, Link
from usher.queue.journal.contract import (
    JournalCorrupt,
    JournalError,
    JournalTrimmed,
    JournalVersionUnknown,
    StoredBatch,
)
from usher.queue.journal.redis_place import masked, missing
from usher.queue.journal.sqlite_files import (
    READER_PRAGMAS,
    LockFile,
    check_sqlite_version,
    read_head,
    read_meta,
    translated,
)

JOURNAL_NAMES = ("*.sqlite", "*.sqlite3", "*.db", "*.journal")


class NoJournal(JournalError):
    """When there is no journal at this path, or several to choose from."""


class NoArchive(JournalTrimmed):
    """When a journal was trimmed, and the folder with what was before is not there."""

    def __init__(self, begins_after: int, folder: Path | None) -> None:
        super().__init__(begins_after)
        place = "nobody said where they are" if folder is None else f"there is no {folder}"
        self.args = (f"{self.args[0]}; {place}: name their folder with --archive",)


class Source(Protocol):
    """Where the batches of a journal come from."""

    incarnation: str
    begin: Link
    """Position and checksum behind which its batches go on: beyond 0 what is before is archived."""

    def batches(self) -> Iterator[StoredBatch]:
        """Yields the batches behind `begin`. Raises JournalCorrupt at the first that does not
        continue the chain, or if the last ones are missing."""
        ...


class JournalReading:
    """A journal that is open for reading, at `place`. Made by `reading`."""

    def __init__(self, place: str, source: Source, archive: Path | None) -> None:
        self.place = place
        self.incarnation = source.incarnation
        self._source = source
        self._archive = archive

    def batches(self) -> Iterator[StoredBatch]:
        """Yields all batches from the first. Raises NoArchive where one is needed,
        JournalCorrupt at the first batch that does not continue the chain."""
        if self._source.begin[0]:
            yield from self._archived(self._source.begin)
        yield from self._source.batches()

    def _archived(self, begin: Link) -> Iterator[StoredBatch]:
        """Yields what was trimmed; the journal must go on from its last checksum."""
        position, checksum = begin
        if self._archive is None or not self._archive.is_dir():
            raise NoArchive(position, self._archive)
        last = b""
        for batch, link in Archive(self._archive, self.incarnation).batches(0, position):
            yield batch
            last = link
        if last != checksum:
            reason = f"{self._archive} is not what this journal was trimmed of"
            raise JournalCorrupt(reason, position)

    def appends(self) -> Iterator[list[Record]]:
        """Yields the records of each append. Raises as `batches` does, and JournalVersionUnknown
        for the format of a later Usher."""
        for stored in self.batches():
            yield decoded(stored)

    def records(self) -> Iterator[Record]:
        """Yields all records one by one. Raises as `appends` does."""
        for records in self.appends():
            yield from records


@contextmanager
def reading(place: Path | str, archive: Path | None = None) -> Iterator[JournalReading]:
    """Opens the journal at a path, its file or the folder that holds it, or at a Redis's address.

    `archive`: folder of its archive files; None = `archive` beside the file, none for Redis.

    Raises NoJournal, JournalLocked (a server has the file, named by its process id), or what a
    damaged or an unreachable one raises.
    """
    text = str(place)
    if "://" in text:
        with _on_redis(text) as source:
            yield JournalReading(masked(text), source, archive)
        return
    file = journal_file(Path(place))
    with _in_file(file) as source:
        yield JournalReading(str(file), source, archive or file.parent / FOLDER)


@contextmanager
def _on_redis(url: str) -> Iterator[Source]:
    try:
        from usher.router.trials import redis_reading
    except ModuleNotFoundError as error:
        raise missing(error) from error
    with redis_reading.reading(url) as source:
        yield source


@contextmanager
def _in_file(file: Path) -> Iterator[Source]:
    check_sqlite_version()
    try:
        lock = LockFile(file)
    except OSError as error:
        raise NoJournal(f"{file}: cannot be locked: {error.strerror}") from error
    try:
        with _connected(file) as connection:
            yield _File(connection)
    except (apsw.Error, OSError) as error:
        raise translated(error) from error
    finally:
        lock.release()


class _File:
    """The batches of a SQLite file."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.incarnation, _ = read_meta(connection)
        self._position, _ = read_head(connection, self.incarnation)
        self.begin = sqlite_rows.find_begin(connection, self.incarnation)

    def batches(self) -> Iterator[StoredBatch]:
        """See Source.batches."""
        link = self.begin
        while True:
            stored, link = sqlite_rows.read_batches(self._connection, link)
            if not stored:
                break
            yield from stored
        if link[0] < self._position:
            raise JournalCorrupt(f"the batches up to {self._position} are missing", link[0])


def journal_file(path: Path) -> Path:
    """The file of a journal: the path itself, or the only one in that folder or its `data`."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise NoJournal(f"{path}: there is no journal")
    folders = (path, path / "data")
    found = sorted({file for one in folders for name in JOURNAL_NAMES for file in one.glob(name)})
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise NoJournal(f"{path}: expected one journal in this folder, found {names}")
    return found[0]


def decoded(stored: StoredBatch) -> list[Record]:
    """The records of one batch. Raises JournalVersionUnknown or JournalCorrupt."""
    try:
        return decode_records(stored.version, stored.body)
    except UnknownRecordVersion as error:
        raise JournalVersionUnknown(stored.version, stored.position) from error
    except msgspec.MsgspecError as error:
        raise JournalCorrupt(f"batch {stored.position} does not decode: {error}") from error


@contextmanager
def _connected(file: Path) -> Iterator[apsw.Connection]:
    uri = file.absolute().as_uri()
    if not file.with_name(file.name + "-wal").exists():
        # Closed in good order, and locked: without this the reader would leave a WAL behind.
        uri += "?immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(uri, flags=flags)
    try:
        for name, value in READER_PRAGMAS:
            connection.execute(f"PRAGMA {name} = {value}").fetchall()
        yield connection
    finally:
        connection.close()
