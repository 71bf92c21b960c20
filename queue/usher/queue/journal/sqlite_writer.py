"""The thread that owns the writing connection of a SQLite journal.

Work comes through a queue and is done in order; appends that wait together share a transaction.
It must not know what a batch holds. The event loop's side calls nothing here but `put` and `stop`.

    jobs -> one transaction for a run of appends, synced -> outcomes to the loop -> checkpoint

Outcomes cross to the loop only after the sync. Disk full: rolled back, all of the group fail, the
next group is tried. Any other failure: broken, nothing is tried again.
"""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Final, NamedTuple

import apsw

from usher.queue.journal.contract import (
    Batch,
    JournalBroken,
    JournalError,
    JournalFull,
    PositionConflict,
)
from usher.queue.journal.sqlite_files import STATEMENTS, translated
from usher.queue.journal.sqlite_rows import Link, write_group

GROUP_MOST = 64  # appends that share one transaction

_BEGIN: Final = STATEMENTS["begin"]
_COMMIT: Final = STATEMENTS["commit"]
_ROLLBACK: Final = STATEMENTS["rollback"]


class Append:
    """A queued append; `future` is resolved on the loop."""

    __slots__ = ("batch", "expected_position", "future")

    def __init__(self, future: asyncio.Future[None], expected_position: int, batch: Batch) -> None:
        self.future = future
        self.expected_position = expected_position
        self.batch = batch


class Call:
    """Another queued write, in a transaction of its own.

    `work` gets the connection and the position of the last record.
    """

    __slots__ = ("future", "work")

    def __init__(
        self, future: asyncio.Future[object], work: Callable[[apsw.Connection, int], object]
    ) -> None:
        self.future = future
        self.work = work


class Outcome(NamedTuple):
    """What became of a job."""

    job: Append | Call
    result: object
    error: JournalError | None


class Written(NamedTuple):
    """Outcomes that cross to the loop together."""

    outcomes: list[Outcome]
    commit_ms: float | None  # duration of the COMMIT, None if there was none


class Writer:
    """Does the jobs one after the other and hands each `Written` to `settle` on the loop."""

    def __init__(
        self,
        connection: apsw.Connection,
        head: Link,
        settle: Callable[[Written], None],
        checkpoint_pages: int,
    ) -> None:
        self._connection = connection
        self._head = head
        self._settle = settle
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[Append | Call | None] = SimpleQueue()
        self.put = self._jobs.put
        self._broken: JournalBroken | None = None
        self._checkpoint_pages = checkpoint_pages
        self._pages_at_checkpoint = self._pages_written()
        # A daemon, so that a server that has to exit after a failed sync is not held up.
        self._thread = Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Do what is queued, close the connection, end the thread. Blocks until then."""
        self.put(None)
        self._thread.join()

    # --- in the thread ---------------------------------------------------------------------

    def _run(self) -> None:
        running = True
        while running:
            jobs = self._take()
            running = jobs[-1] is not None  # nothing is put after the stop
            group: list[Append] = []
            for job in jobs:
                if isinstance(job, Append):
                    group.append(job)
                    continue
                self._append_all(group)
                group = []
                if job is not None:
                    self._report(*self._call(job))
            self._append_all(group)
        self._close()

    def _take(self) -> list[Append | Call | None]:
        """Wait for a job; return it with those that are queued behind it."""
        jobs = [self._jobs.get()]
        while jobs[-1] is not None and len(jobs) < GROUP_MOST and not self._jobs.empty():
            jobs.append(self._jobs.get())
        return jobs

    def _append_all(self, group: list[Append]) -> None:
        if group:
            self._report(*self._append_group(group))

    def _append_group(self, group: list[Append]) -> tuple[list[Outcome], float | None]:
        """Write all appends of a group in one transaction; they succeed or fail together."""
        position, batches = self._head[0], []
        outcomes: list[Outcome] = []
        for job in group:
            if job.expected_position != position:
                outcomes.append(
                    Outcome(job, None, PositionConflict(job.expected_position, position))
                )
                continue
            batches.append(job.batch)
            position += job.batch.count
            outcomes.append(Outcome(job, None, None))
        if not batches:
            return outcomes, None
        try:
            self._check_sound()
            started_s = perf_counter()
            self._head = write_group(self._connection, self._head, batches)
        except Exception as error:  # edge of the thread: whatever it is, the callers must learn it
            failure = self._failed(error)
            return [Outcome(job, None, failure) for job in group], None
        return outcomes, (perf_counter() - started_s) * 1000

    def _call(self, job: Call) -> tuple[list[Outcome], float | None]:
        try:
            self._check_sound()
            self._connection.execute(_BEGIN)
            result = job.work(self._connection, self._head[0])
            started_s = perf_counter()
            self._connection.execute(_COMMIT)
        except Exception as error:  # edge of the thread
            return [Outcome(job, None, self._failed(error))], None
        return [Outcome(job, result, None)], (perf_counter() - started_s) * 1000

    def _check_sound(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _failed(self, error: Exception) -> JournalError:
        """Return what the callers are told; after anything but a clean rollback: broken."""
        if self._broken is not None:
            return self._broken
        known = translated(error)
        if isinstance(known, JournalFull | PositionConflict) and self._rolled_back():
            return known
        self._broken = JournalBroken(f"{type(error).__name__}: {error}")
        return self._broken

    def _rolled_back(self) -> bool:
        try:
            if self._connection.in_transaction:
                self._connection.execute(_ROLLBACK)
        except apsw.Error:
            return False
        return True

    def _report(self, outcomes: list[Outcome], commit_ms: float | None) -> None:
        """Hand outcomes to the loop, then move WAL pages into the file if it is time."""
        self._send(Written(outcomes, commit_ms))
        pages = self._pages_written() - self._pages_at_checkpoint
        if pages >= self._checkpoint_pages and self._broken is None:
            self._checkpoint()

    def _pages_written(self) -> int:
        """Return how many pages this connection has written to the WAL.

        A hook on commits would say it too, but takes the interpreter lock within the commit.
        """
        return self._connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]

    def _send(self, written: Written) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle, written)
        except RuntimeError:  # the loop was closed: nobody waits any more
            return

    def _checkpoint(self) -> None:
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.FullError:
            return  # the WAL still has every page; it is tried again after the next commit
        except Exception as error:  # edge of the thread
            self._failed(error)
        self._pages_at_checkpoint = self._pages_written()

    def _close(self) -> None:
        """Close the connection. When broken, without a checkpoint: that would be a retried sync."""
        try:
            if self._broken is not None:
                self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._connection.close()
        except apsw.Error as error:
            self._failed(error)
