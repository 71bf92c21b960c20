"""The embedded journal: one SQLite file, a writing and a reading thread, one event loop.

    append -> Writer (group, transaction, sync) -> _settle on the loop -> the caller goes on
    read, request, private, latest_snapshot -> Reader

It must not know the codec or the pool. `schema.sql` is the document of the tables.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import apsw

from usher.queue.journal import sqlite_rows as rows
from usher.queue.journal.chain import SnapshotSum
from usher.queue.journal.contract import (
    Batch,
    JournalBroken,
    JournalClosed,
    JournalCorrupt,
    JournalError,
    JournalTrimmed,
    RememberedRequest,
    Snapshot,
    StoredBatch,
    check_batch,
    check_trim,
    each_piece,
)
from usher.queue.journal.remembered import RememberedIds
from usher.queue.journal.sqlite_files import (
    SYNCHRONOUS,
    LockFile,
    check_sqlite_version,
    open_reader,
    open_writer,
    read_head,
    read_meta,
    translated,
)
from usher.queue.journal.sqlite_reader import Reader
from usher.queue.journal.sqlite_writer import Append, Call, Writer, Written

# A checkpoint takes about as long for many pages as for few (10 to 15 ms here, a sync of the file),
# and appends wait behind it. Rare ones stay out of the p99; at 64 MiB a restart still reads the WAL
# in a blink.
CHECKPOINT_PAGES = 16_000  # of 4 KiB in the WAL
COMMITS_TIMED = 500

T = TypeVar("T")


class _Opened(NamedTuple):
    """What opening a file gives."""

    lock: LockFile
    writing: apsw.Connection
    reading: apsw.Connection
    incarnation: str
    secret: bytes
    head: rows.Link
    begins_after: int
    requests: list[RememberedRequest]


class SqliteJournal:
    """A journal in one SQLite file. Made by `SqliteJournal.open`."""

    def __init__(self, opened: _Opened, durability: str, checkpoint_pages: int) -> None:
        """Use `open`; this takes over what was opened."""
        self.incarnation = opened.incarnation
        self.secret = opened.secret
        self.position = opened.head[0]
        self.begins_after = opened.begins_after
        self.durability = durability
        self._lock = opened.lock
        self._ids = RememberedIds()
        self._ids.remember(opened.requests)
        self._commits_ms: deque[float] = deque(maxlen=COMMITS_TIMED)
        self._refusal: JournalError | None = None  # broken or closed: said to every later call
        self._closing: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(opened.writing, opened.head, self._settle, checkpoint_pages)
        self._reader = Reader(opened.reading)

    @classmethod
    async def open(
        cls,
        path: str | Path,
        synchronous: str = "FULL",
        *,
        vfs: str | None = None,
        checkpoint_pages: int = CHECKPOINT_PAGES,
    ) -> Self:
        """Open or create the journal at `path`; its folder must exist.

        Raises JournalLocked, JournalCorrupt, JournalFull, JournalBroken, or JournalError for a
        SQLite that is too old. `vfs` names the file layer of apsw (tests put their own there).
        """
        if synchronous not in SYNCHRONOUS:
            raise ValueError(f"synchronous is {synchronous!r}, not one of {list(SYNCHRONOUS)}")
        version = check_sqlite_version()
        opened = await asyncio.to_thread(_open_files, Path(path), synchronous, vfs)
        promise = SYNCHRONOUS[synchronous]
        durability = f"embedded SQLite {version}, synchronous={synchronous}: {promise}"
        return cls(opened, durability, checkpoint_pages)

    async def append(self, expected_position: int, batch: Batch) -> None:
        """See Journal.append."""
        self._check_usable()
        check_batch(expected_position, batch)
        future = self._loop.create_future()
        self._writer.put(Append(future, expected_position, batch))
        await future

    async def read(self, after: int) -> AsyncIterator[StoredBatch]:
        """See Journal.read."""
        if after < self.begins_after:
            raise JournalTrimmed(self.begins_after)
        target = self.position
        link = await self._read(partial(rows.find_link, incarnation=self.incarnation, after=after))
        coming = self._read_ahead(link)
        try:
            while True:
                batches, link = await coming
                if not batches:
                    break
                coming = self._read_ahead(link)  # read while the caller works on these
                for batch in batches:
                    yield batch
        finally:
            coming.cancel()
        if link[0] < target:
            raise JournalCorrupt(f"the batches up to {target} are missing", link[0])

    def _read_ahead(self, link: rows.Link) -> "asyncio.Task[tuple[list[StoredBatch], rows.Link]]":
        return asyncio.ensure_future(self._read(partial(rows.read_batches, link=link)))

    async def request(self, request_id: str) -> RememberedRequest | None:
        """See Journal.request."""
        position = self._ids.position(request_id)
        if position is None:
            self._check_usable()
            return None
        return await self._read(
            partial(rows.read_request, request_id=request_id, position=position)
        )

    async def request_ids(self) -> dict[str, tuple[int, int]]:
        """See Journal.request_ids."""
        self._check_usable()
        return self._ids.places()

    async def private(self, contact_ids: Sequence[str]) -> dict[str, bytes]:
        """See Journal.private."""
        return await self._read(partial(rows.read_private, contact_ids=contact_ids))

    async def delete_private(self, contact_ids: Sequence[str]) -> None:
        """See Journal.delete_private. The bytes are overwritten in the file as well."""
        await self._write(lambda connection, _: rows.delete_private(connection, contact_ids))

    async def write_snapshot(
        self, position: int, version: int, pieces: AsyncIterable[bytes] | Iterable[bytes]
    ) -> None:
        """See Journal.write_snapshot."""
        number = await self._write(
            lambda connection, last: rows.begin_snapshot(connection, last, position, version)
        )
        try:
            count, total = await self._add_pieces(number, position, version, pieces)
        except BaseException:
            # What was begun is of no use. Nobody waits for its removal: a snapshot without its
            # last piece does not count, and the next start removes it too.
            nobody: asyncio.Future[object] = self._loop.create_future()
            nobody.cancel()
            self._writer.put(Call(nobody, _dropping(number)))
            raise
        dropped = await self._write(
            lambda connection, _: rows.complete_snapshot(connection, number, count, total)
        )
        for old in dropped:
            await self._write(_dropping(old))

    async def latest_snapshot(self) -> Snapshot | None:
        """See Journal.latest_snapshot."""
        return await self._read(rows.read_latest_snapshot)

    async def covered_position(self) -> int:
        """See Journal.covered_position."""
        return await self._read(rows.covered_position)

    async def trim(self, through: int) -> None:
        """See Journal.trim. The file keeps its size: later batches take the room."""
        if through <= self.begins_after:
            return
        ends_there = await self._read(partial(rows.ends_batch, position=through))
        check_trim(through, await self.covered_position(), ends_there=ends_there)
        await self._write(lambda connection, _: rows.trim(connection, through))
        self.begins_after = max(self.begins_after, through)

    async def ended(self, contact_id: str) -> bytes | None:
        """See Journal.ended."""
        return await self._read(partial(rows.read_ended, contact_id=contact_id))

    async def close(self) -> None:
        """See Journal.close."""
        if self._closing is None:
            self._refusal = self._refusal or JournalClosed("the journal is closed")
            self._closing = asyncio.ensure_future(asyncio.to_thread(self._stop))
        await asyncio.shield(self._closing)

    def listen(self, listener: Callable[[JournalError | None], None]) -> None:
        """See Journal.listen: there is nothing to tell."""

    def sync_times_ms(self) -> list[float]:
        """Return how long the last commits (at most COMMITS_TIMED) took, sync included."""
        return list(self._commits_ms)

    def reset_sync_times(self) -> None:
        """Forget the durations so far, so that a run can be measured alone."""
        self._commits_ms.clear()

    # --- on the loop -----------------------------------------------------------------------

    def _settle(self, written: Written) -> None:
        """Take in what the writer did, then let the callers go on."""
        if written.commit_ms is not None:
            self._commits_ms.append(written.commit_ms)
        for job, result, error in written.outcomes:
            if isinstance(error, JournalBroken):
                self._refusal = error
            elif error is None and isinstance(job, Append):
                self._take_in(job)
            if job.future.done():  # its caller was cancelled
                continue
            if error is None:
                job.future.set_result(result)  # type: ignore[arg-type]  # None for an Append
            else:
                job.future.set_exception(error)

    def _take_in(self, job: Append) -> None:
        batch = job.batch
        self.position = job.expected_position + batch.count
        if batch.requests:
            self._ids.remember(batch.requests)
        if batch.forget_requests_through:
            self._ids.forget_through(batch.forget_requests_through)

    async def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        self._check_usable()
        try:
            return await self._reader.call(work)
        except JournalBroken as error:  # the disk fails: stop before it fails a write
            self._refusal = self._refusal or error
            raise

    async def _write(self, work: Callable[[apsw.Connection, int], T]) -> T:
        self._check_usable()
        future: asyncio.Future[T] = self._loop.create_future()
        self._writer.put(Call(future, work))  # type: ignore[arg-type]  # one queue for all types
        return await future

    async def _add_pieces(
        self,
        number: int,
        position: int,
        version: int,
        pieces: AsyncIterable[bytes] | Iterable[bytes],
    ) -> tuple[int, SnapshotSum]:
        """Write the pieces one by one; return how many there were and their checksum."""
        total, count = SnapshotSum(position, version), 0
        async for content in each_piece(pieces):
            total.add(content)
            await self._write(_adding(number, count, content))
            count += 1
        return count, total

    def _check_usable(self) -> None:
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)  # one object for all calls: no old frames

    def _stop(self) -> None:
        """Close in reverse order of opening. Blocks."""
        self._reader.stop()
        self._writer.stop()
        self._lock.release()


def _adding(number: int, piece: int, content: bytes) -> Callable[[apsw.Connection, int], None]:
    return lambda connection, _: rows.add_piece(connection, number, piece, content)


def _dropping(number: int) -> Callable[[apsw.Connection, int], None]:
    return lambda connection, _: rows.drop_snapshot(connection, number)


def _open_files(path: Path, synchronous: str, vfs: str | None) -> _Opened:
    """Open what a journal needs, or leave nothing open."""
    lock = LockFile(path)
    opened: list[apsw.Connection] = []
    try:
        opened.append(writing := open_writer(path, synchronous, vfs))
        incarnation, secret = read_meta(writing)
        head = read_head(writing, incarnation)
        begins_after, _ = rows.find_begin(writing, incarnation)
        requests = rows.read_all_requests(writing)
        opened.append(reading := open_reader(path, vfs))
    except Exception as error:  # a damaged file fails in many ways
        for connection in reversed(opened):
            connection.close()
        lock.release()
        raise translated(error) from error
    return _Opened(lock, writing, reading, incarnation, secret, head, begins_after, requests)
