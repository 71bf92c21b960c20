"""The files of a SQLite journal: lock, connections, pragmas, statements, creation, recovery.

It must not know threads or asyncio: all here runs once, at start, or is plain text.
"""

import fcntl
import os
import secrets
from pathlib import Path
from typing import Final

import apsw

from usher.queue.journal.chain import first_link, meta_checksum
from usher.queue.journal.contract import (
    JournalBroken,
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalLocked,
)

FORMAT = 1
PAGE_BYTES = 4096
BUSY_MS = 5_000  # another program (a backup, a shell) may hold the file for a moment

# Before this one a WAL file with two connections can be corrupted (sqlite.org/wal.html, "The
# WAL-reset bug").
OLDEST_SQLITE = (3, 51, 3)

WRITER_PRAGMAS: Final = (
    ("page_size", str(PAGE_BYTES)),
    ("journal_mode", "WAL"),
    ("wal_autocheckpoint", "0"),  # the writer does it after the reply, not within a commit
    ("journal_size_limit", "67108864"),  # bytes of WAL that stay on disk after a checkpoint
    ("cache_size", "-16000"),  # KiB when negative
    ("temp_store", "MEMORY"),
    ("mmap_size", "0"),  # an I/O error in a mapped file is a signal, not an error code
    ("secure_delete", "ON"),  # a deleted name is overwritten, not only unlinked
    ("cell_size_check", "ON"),
    ("trusted_schema", "OFF"),
    ("fullfsync", "ON"),  # macOS: fsync alone leaves the data in the drive's cache
    ("checkpoint_fullfsync", "ON"),
)
READER_PRAGMAS: Final = (
    ("query_only", "ON"),
    ("mmap_size", "0"),
    ("cell_size_check", "ON"),
    ("trusted_schema", "OFF"),
)
SYNCHRONOUS: Final = {
    "FULL": "every acknowledged append survives a power cut",
    "NORMAL": "a power cut may lose the last acknowledged appends",
}

STATEMENTS: Final = {
    "begin": "BEGIN IMMEDIATE",
    "commit": "COMMIT",
    "rollback": "ROLLBACK",
    "append": """
        INSERT INTO appends (batches, bodies, position, forgotten_through, requests,
                             requests_checksum, private, contents, deleted, ended, last_states)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
    "delete private": """
        DELETE FROM private WHERE contact_id IN (SELECT value FROM json_each(?))""",
    "private": """
        SELECT contact_id, content FROM private
        WHERE contact_id IN (SELECT value FROM json_each(?))""",
    "batch at or before": """
        SELECT position, checksum FROM batches
        WHERE position <= ? ORDER BY position DESC LIMIT 1""",
    "first batch": "SELECT position, count, checksum FROM batches ORDER BY position LIMIT 1",
    "batch at": "SELECT 1 FROM batches WHERE position = ?",
    "trim batches": "DELETE FROM batches WHERE position < ?",
    "trim ended": """
        DELETE FROM ended WHERE row < ifnull(
            (SELECT row FROM ended WHERE position > ? ORDER BY row LIMIT 1),
            (SELECT max(row) + 1 FROM ended))""",
    "ended": "SELECT content FROM ended WHERE contact_id = ?",
    "batches after": """
        SELECT version, position, count, at_ms, body, checksum FROM batches
        WHERE position > ? ORDER BY position""",
    "requests of batch": """
        SELECT position, forgotten_through, content, checksum FROM requests
        WHERE position >= ? ORDER BY position LIMIT 1""",
    "all requests": """
        SELECT position, forgotten_through, content, checksum FROM requests ORDER BY position""",
    "begin snapshot": "INSERT INTO snapshots (position, version) VALUES (?, ?)",
    "add piece": "INSERT INTO snapshot_pieces (snapshot_id, piece, content) VALUES (?, ?, ?)",
    "complete snapshot": """
        UPDATE snapshots SET pieces = ?, checksum = ? WHERE snapshot_id = ?""",
    "drop snapshot": "DELETE FROM snapshots WHERE snapshot_id = ?",
    "drop pieces": "DELETE FROM snapshot_pieces WHERE snapshot_id = ?",
    "drop half snapshots": "DELETE FROM snapshots WHERE pieces IS NULL",
    "drop loose pieces": """
        DELETE FROM snapshot_pieces
        WHERE snapshot_id NOT IN (SELECT snapshot_id FROM snapshots)""",
    "snapshots": """
        SELECT snapshot_id, position, version, pieces, checksum FROM snapshots
        WHERE pieces IS NOT NULL ORDER BY snapshot_id DESC""",
    "pieces": """
        SELECT piece, content FROM snapshot_pieces WHERE snapshot_id = ? ORDER BY piece""",
    "meta": "SELECT format, incarnation, secret, checksum FROM meta",
    "write meta": """
        INSERT INTO meta (only_row, format, incarnation, secret, checksum)
        VALUES (1, ?, ?, ?, ?)""",
    "tables": "SELECT count(*) FROM sqlite_schema",
    "last positions": """
        SELECT (SELECT max(position) FROM batches),
               max(ifnull((SELECT max(position) FROM requests), 0),
                   ifnull((SELECT max(position) FROM snapshots WHERE pieces IS NOT NULL), 0))""",
}


def check_sqlite_version() -> str:
    """Return the version of SQLite; raise JournalError when it is too old to be safe."""
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")[:3]) < OLDEST_SQLITE:
        oldest = ".".join(str(part) for part in OLDEST_SQLITE)
        raise JournalError(f"SQLite {version} can corrupt a journal; {oldest} or newer is needed")
    return version


def translated(error: BaseException) -> JournalError:
    """Return the journal's error for one of SQLite, the system or the VFS."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, JournalError):
        return error
    if isinstance(error, apsw.FullError):
        return JournalFull(said)
    if isinstance(error, apsw.IOError | OSError):
        return JournalBroken(said)
    return JournalCorrupt(said)


class LockFile:
    """`<path>.lock`, held while the journal is open; it goes with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock, or raise JournalLocked with the process id of its holder."""
        lock_path = path.with_name(path.name + ".lock")
        self._file = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise JournalLocked(str(path), pid) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next server in. The file stays: removing it would race with a new holder."""
        os.close(self._file)


def open_writer(path: Path, synchronous: str, vfs: str | None) -> apsw.Connection:
    """Return the writing connection, tables made if the file is new."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
    try:
        connection.set_busy_timeout(BUSY_MS)
        is_new = _is_new(connection, path)
        for name, value in (*WRITER_PRAGMAS, ("synchronous", synchronous)):
            connection.execute(f"PRAGMA {name} = {value}").fetchall()
        if is_new:
            _create(connection)
        connection.execute(_text("append.sql"))
        connection.execute(STATEMENTS["drop half snapshots"])
        connection.execute(STATEMENTS["drop loose pieces"])
        connection.execute(_text("ended.sql"))  # last: the file is a journal
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path, vfs: str | None) -> apsw.Connection:
    """Return the read-only connection; the writing one is open already."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
    connection.set_busy_timeout(BUSY_MS)
    for name, value in READER_PRAGMAS:
        connection.execute(f"PRAGMA {name} = {value}").fetchall()
    return connection


def read_meta(connection: apsw.Connection) -> tuple[str, bytes]:
    """Return incarnation and secret; raise JournalCorrupt if they are not as written."""
    rows = connection.execute(STATEMENTS["meta"]).fetchall()
    if len(rows) != 1:
        raise JournalCorrupt("it does not say who it is")
    version, incarnation, secret, checksum = rows[0]
    version, secret = stored_int(version), stored_bytes(secret)
    if not isinstance(incarnation, str):
        raise JournalCorrupt("its incarnation is not readable")
    if checksum != meta_checksum(version, incarnation, secret):
        raise JournalCorrupt("incarnation and secret do not match their checksum")
    if version != FORMAT:
        raise JournalError(f"the tables have format {version}, this build reads {FORMAT}")
    return incarnation, secret


def read_head(connection: apsw.Connection, incarnation: str) -> tuple[int, bytes]:
    """Return position and checksum of the last batch.

    Raises JournalCorrupt when something beside the journal belongs to a later batch: then the
    end of the journal is lost.
    """
    last, mentioned = connection.execute(STATEMENTS["last positions"]).fetchall()[0]
    last_position = 0 if last is None else stored_int(last)
    if stored_int(mentioned) > last_position:
        raise JournalCorrupt(f"position {mentioned} was written, but is missing", last_position)
    for _, checksum in connection.execute(STATEMENTS["batch at or before"], (last_position,)):
        return last_position, stored_bytes(checksum, last_position)
    return 0, first_link(incarnation)


def stored_int(value: object, position: int | None = None) -> int:
    """Return a whole number as it was read; raise JournalCorrupt for anything else."""
    if not isinstance(value, int):
        raise JournalCorrupt("a stored number is not readable", position)
    return value


def stored_bytes(value: object, position: int | None = None) -> bytes:
    """Return bytes as they were read; raise JournalCorrupt for anything else."""
    if not isinstance(value, bytes):
        raise JournalCorrupt("stored bytes are not readable", position)
    return value


def _is_new(connection: apsw.Connection, path: Path) -> bool:
    """Return whether there are no tables yet; raise JournalCorrupt if there once were.

    A start that was cut short leaves an empty file or one empty page.
    """
    if connection.execute(STATEMENTS["tables"]).get:
        return False
    if path.stat().st_size not in (0, PAGE_BYTES):
        raise JournalCorrupt("it has content, but no tables")
    return True


def _create(connection: apsw.Connection) -> None:
    """Make the tables in one transaction: after a power cut there are all or none."""
    incarnation, secret = secrets.token_hex(8), secrets.token_bytes(32)
    checksum = meta_checksum(FORMAT, incarnation, secret)
    connection.execute(STATEMENTS["begin"])
    connection.execute(_text("schema.sql"))
    connection.execute(STATEMENTS["write meta"], (FORMAT, incarnation, secret, checksum))
    connection.execute(STATEMENTS["commit"])


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
