"""The thread that owns the read-only connection of a SQLite journal.

It must not know what is read: it runs functions over its connection, one after the other.
"""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

import apsw

from usher.queue.journal.contract import JournalError
from usher.queue.journal.sqlite_files import translated

T = TypeVar("T")

_Job = tuple["asyncio.Future[object]", Callable[[apsw.Connection], object]]


class Reader:
    """Runs reads in its thread; the event loop waits for each with `call`."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="journal-reader", daemon=True)
        self._thread.start()

    async def call(self, work: Callable[[apsw.Connection], T]) -> T:
        """Return what `work` returns. Raises JournalCorrupt, or JournalBroken on an I/O error."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((future, work))  # type: ignore[arg-type]  # one queue for all result types
        return await future

    def stop(self) -> None:
        """Do what is queued, close the connection, end the thread. Blocks until then."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            result, error = self._outcome(work)
            try:
                self._loop.call_soon_threadsafe(_resolve, future, result, error)
            except RuntimeError:  # the loop was closed: nobody waits any more
                continue
        self._connection.close()

    def _outcome(
        self, work: Callable[[apsw.Connection], object]
    ) -> tuple[object, JournalError | None]:
        try:
            return work(self._connection), None
        except Exception as error:  # edge of the thread: damaged bytes fail in many ways
            return None, translated(error)


def _resolve(future: "asyncio.Future[object]", result: object, error: JournalError | None) -> None:
    if future.done():  # its caller was cancelled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
