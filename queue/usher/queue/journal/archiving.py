"""From the journal into archive files: old days are written away, then trimmed, step by step.

    journal ─ a whole day ─> file, synced, named ─> read back: equal to the journal? ─> trim, a step
                                                                ^                          │
                                                                └── the next step <────────┘

Only what was read back from the archive, and is what the journal has, is trimmed. So wherever it is
cut short, journal and archive together hold every batch, and the next call goes on from what it
finds. It must not know the codec, the store or any clock.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from msgspec import Struct

from usher.queue.journal.archive import STEP_BYTES, Archive, ArchiveFile, ArchiveWriter
from usher.queue.journal.contract import Journal, JournalError, StoredBatch

DAY_MS: Final = 24 * 3600 * 1000
FILE_BYTES: Final = 64 << 20  # of bodies: as much is written anew after a crash
PAUSE_S: Final = 0.05  # between two steps: who appends waits for one at most

Steps = AsyncGenerator[list[StoredBatch], None]


class ArchiveUnfit(JournalError):
    """The archive is not the one of this journal's past; nothing was trimmed."""


class Moved(Struct, frozen=True):
    """What one call has archived or trimmed. `through`: where the journal begins now."""

    file: str
    through: int
    batches: int
    size_bytes: int


class Archiving:
    """Moves old batches of a journal into its archive. One call at a time."""

    def __init__(
        self,
        journal: Journal,
        archive: Archive,
        *,
        file_bytes: int = FILE_BYTES,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._journal = journal
        self._archive = archive
        self._file_bytes = file_bytes
        self._pause_s = pause_s

    async def move(self, before_ms: int) -> Moved | None:
        """Archive and trim the journal's first day (UTC) if it was over by `before_ms`.

        Returns what was moved, None if there is nothing to move. A file ends with the day, at
        FILE_BYTES, or where snapshots cover no more. Finishes what an earlier call began. Raises
        OSError when a file cannot be written: nothing is trimmed then; ArchiveUnfit; what the
        journal raises.
        """
        begins, archived = self._journal.begins_after, await self._archived()
        if archived < begins:
            raise ArchiveUnfit(
                f"{self._archive.folder} ends at position {archived}, and the journal begins after"
                f" {begins}: the files in between are missing"
            )
        if archived == begins and await self._write(before_ms) is None:
            return None
        return await self._trim(await self._archived())

    async def _archived(self) -> int:
        return await asyncio.to_thread(lambda: self._archive.position)

    async def _write(self, before_ms: int) -> ArchiveFile | None:
        """Write the next file; return None if it is not time."""
        steps = _steps(self._due(before_ms))
        async with aclosing(steps):
            first = await anext(steps, None)
            if first is None:
                return None
            writer = await asyncio.to_thread(self._archive.writer)
            try:
                return await self._fill(writer, first, steps)
            except BaseException:
                writer.abandon()
                raise

    async def _fill(
        self, writer: ArchiveWriter, first: list[StoredBatch], steps: Steps
    ) -> ArchiveFile:
        await asyncio.to_thread(writer.add, first)
        async for step in steps:
            await asyncio.sleep(self._pause_s)
            await asyncio.to_thread(writer.add, step)
        return await asyncio.to_thread(writer.finish)

    async def _due(self, before_ms: int) -> AsyncGenerator[StoredBatch, None]:
        """Yield the batches of the next file."""
        covered, size_bytes, ends_ms = await self._journal.covered_position(), 0, 0
        async for batch in self._journal.read(self._journal.begins_after):
            ends_ms = ends_ms or (batch.at_ms // DAY_MS + 1) * DAY_MS
            over = batch.at_ms >= ends_ms or batch.position > covered
            if over or ends_ms > before_ms or size_bytes >= self._file_bytes:
                return
            size_bytes += len(batch.body)
            yield batch

    async def _trim(self, through: int) -> Moved:
        """Trim what the archive holds up to `through`, each step compared before."""
        begins, batches, size_bytes = self._journal.begins_after, 0, 0
        there = self._journal.read(begins)
        async for step in self._archive.read(begins, through):
            await self._compare(step, there)
            await self._journal.trim(step[-1].position)
            await asyncio.sleep(self._pause_s)
            batches += len(step)
            size_bytes += sum(len(batch.body) for batch in step)
        return Moved(self._archive.files()[-1].path.name, through, batches, size_bytes)

    async def _compare(
        self, step: Sequence[StoredBatch], there: AsyncIterator[StoredBatch]
    ) -> None:
        for archived in step:
            if archived != await anext(there, None):
                raise ArchiveUnfit(
                    f"{self._archive.folder} has another batch at position {archived.position}"
                    " than the journal"
                )


async def _steps(batches: AsyncGenerator[StoredBatch, None]) -> Steps:
    """Yield the batches about STEP_BYTES at a time."""
    step: list[StoredBatch] = []
    size_bytes = 0
    async with aclosing(batches):
        async for batch in batches:
            step.append(batch)
            size_bytes += len(batch.body)
            if size_bytes >= STEP_BYTES:
                yield step
                step, size_bytes = [], 0
    if step:
        yield step
