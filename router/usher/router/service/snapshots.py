"""Snapshots of a pool that serves: when one is due, and how it is written beside the appends.

A snapshot is taken between two batches (a shallow copy) and written once they are synced, piece by
piece, each made when its turn comes. It must not know what a snapshot holds.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from usher.queue.journal.contract import Journal, JournalFull, JournalUnavailable
from usher.router.pool import Pool
from usher.router.service.settings import Settings
from usher.router.service.telemetry import logger
from usher.router.snapshots import SNAPSHOT_VERSION, PoolSnapshot


class Snapshots:
    """Writes snapshots into a journal; `on_error` is told of errors that do not pass."""

    def __init__(
        self,
        journal: Journal,
        settings: Settings,
        last_position: int,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._journal = journal
        self._records = settings.snapshot_records
        self._every_s = settings.snapshot_every_ms / 1000
        self._on_error = on_error
        self._last_position = last_position
        self._loop = asyncio.get_running_loop()
        self._last_s = self._loop.time()
        self._taken: tuple[int, PoolSnapshot] | None = None
        self._task: asyncio.Task[None] | None = None

    def look(self, pool: Pool) -> None:
        """Takes a snapshot if one is due and none is under way."""
        records = pool.position - self._last_position
        late = records > 0 and self._loop.time() - self._last_s >= self._every_s
        if (late or records >= self._records) and self._task is None:
            self._taken = (pool.position, pool.snapshot())
            self._last_position = pool.position
            self._last_s = self._loop.time()

    def begin(self) -> None:
        """Writes what was taken, in the background: all up to it is synced."""
        if self._taken is not None:
            position, snapshot = self._taken
            self._taken = None
            self._task = asyncio.create_task(self.write_guarded(position, snapshot))

    def drop(self) -> None:
        """Forgets what was taken: it was rolled back."""
        self._taken = None

    async def write(self, position: int, snapshot: PoolSnapshot) -> None:
        """Writes a snapshot; one that cannot be written is told and left out: a longer tail."""
        began_s = self._loop.time()
        try:
            await self._journal.write_snapshot(position, SNAPSHOT_VERSION, _one_by_one(snapshot))
        except JournalFull:
            logger().error("snapshot_without_room", position=position)
            return
        except JournalUnavailable:
            logger().error("snapshot_without_store", position=position)
            return
        duration_ms = int((self._loop.time() - began_s) * 1000)
        logger().info("snapshot_written", position=position, duration_ms=duration_ms)

    async def write_guarded(self, position: int, snapshot: PoolSnapshot) -> None:
        """Does the same; any other error of the journal is the host's to know."""
        try:
            await self.write(position, snapshot)
        except Exception as error:
            self._on_error(error)
        finally:
            self._task = None

    async def finish(self) -> None:
        """Returns when nothing is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def cancel(self) -> None:
        """Gives up what is under way; a snapshot counts only with its last piece."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


async def _one_by_one(snapshot: PoolSnapshot) -> AsyncIterator[bytes]:
    """Yields the pieces, each made when its turn comes; the loop serves others in between."""
    for piece in snapshot.pieces():
        yield piece
        await asyncio.sleep(0)
