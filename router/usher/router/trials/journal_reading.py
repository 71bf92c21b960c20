"""Reads a SQLite journal from the first record to the last while no server has it.

It takes the server's lock, so that nothing is appended meanwhile, writes nothing into the journal
and never looks at private fields or remembered requests. It must not know the pool.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from usher.queue.codec import Record, UnknownRecordVersion, decode_records
from usher.queue.journal import sqlite_rows
from usher.queue.journal.contract import (
    JournalCorrupt,
    JournalError,
    JournalVersionUnknown,
    StoredBatch,
)
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


class JournalReading:
    """A journal that is open for reading. Made by `reading`."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.path = path
        self._connection = connection
        self.incarnation, _ = read_meta(connection)
        self.position, _ = read_head(connection, self.incarnation)

    def batches(self) -> Iterator[StoredBatch]:
        """Yields all batches. Raises JournalCorrupt at the first that does not continue the chain,
        or if the last ones are missing."""
        link = sqlite_rows.find_link(self._connection, self.incarnation, 0)
        while True:
            stored, link = sqlite_rows.read_batches(self._connection, link)
            if not stored:
                break
            yield from stored
        if link[0] < self.position:
            raise JournalCorrupt(f"the batches up to {self.position} are missing", link[0])

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
def reading(path: Path) -> Iterator[JournalReading]:
    """Opens the journal at a path, which is its file or the folder that holds it.

    Raises NoJournal, JournalLocked (a server has it, named by its process id), or what a damaged
    one raises.
    """
    check_sqlite_version()
    file = journal_file(path)
    try:
        lock = LockFile(file)
    except OSError as error:
        raise NoJournal(f"{file}: cannot be locked: {error.strerror}") from error
    try:
        with _connected(file) as connection:
            yield JournalReading(file, connection)
    except (apsw.Error, OSError) as error:
        raise translated(error) from error
    finally:
        lock.release()


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
