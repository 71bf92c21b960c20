"""Retention: what of the journal is older than so many days goes to archive files, quietly.

    sleep -> is the first day over since so many days? -> archive it, trim it -> log, look again

Age is counted back from the last record's time, not from a clock: a journal that nothing is added
to keeps what it has. It must not know records, or how batches are archived (`archiving` does).
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from usher.queue.journal.archive import FOLDER, Archive
from usher.queue.journal.archiving import DAY_MS, PAUSE_S, Archiving
from usher.queue.journal.contract import (
    Journal,
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalUnavailable,
)
from usher.router.service.settings import IN_MEMORY, Settings
from usher.router.service.telemetry import logger

FIRST_LOOK_S: Final = 60.0  # a start has better to do
LOOK_AGAIN_S: Final = 600.0


class RetentionRefused(JournalError):
    """A journal that is not to be trimmed, or has no place for archive files."""


def archive_of(settings: Settings, incarnation: str) -> Archive | None:
    """Returns the archive of the settings, None if none can be.

    Raises RetentionRefused where the journal is to be trimmed nevertheless.
    """
    if settings.data_dir == IN_MEMORY and not settings.journal:
        missing = "a journal in memory is gone with the process: nothing could be read back"
    elif settings.archive_dir:
        return Archive(Path(settings.archive_dir), incarnation)
    elif settings.journal:
        missing = "a journal on Redis needs archive_dir: a folder that every node of it can reach"
    else:
        return Archive(Path(settings.data_dir) / FOLDER, incarnation)
    if settings.retention_days:
        raise RetentionRefused(f"retention of {settings.retention_days} days: {missing}")
    return None


class Retention:
    """The one task that trims the journal of a running pool. `last_ms`: time of the last record."""

    def __init__(
        self,
        journal: Journal,
        archive: Archive,
        days: int,
        last_ms: Callable[[], int],
        *,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._archiving = Archiving(journal, archive, pause_s=pause_s)
        self._kept_ms = days * DAY_MS
        self._last_ms = last_ms
        self._told = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Ends it, also in the middle: the next start goes on there."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def look(self) -> int:
        """Archives and trims all that is old enough; returns the number of batches.

        What cannot be done now is logged, once for each reason in a row, and left for later.
        """
        batches, before_ms = 0, self._last_ms() - self._kept_ms
        try:
            while (moved := await self._archiving.move(before_ms)) is not None:
                batches += moved.batches
                logger().info(
                    "journal_trimmed",
                    position=moved.through,
                    batches=moved.batches,
                    size_bytes=moved.size_bytes,
                    source=moved.file,
                )
            self._told = ""
        except (OSError, JournalFull, JournalUnavailable) as error:
            self._tell("archive_postponed", error)
        except JournalCorrupt as error:
            self._tell("archive_damaged", error)
        except JournalError as error:
            self._tell("archive_refused", error)
        return batches

    async def _keep(self) -> None:
        await asyncio.sleep(FIRST_LOOK_S)
        while True:
            await self.look()
            await asyncio.sleep(LOOK_AGAIN_S)

    def _tell(self, event: str, error: Exception) -> None:
        """Logs what is in the way; it holds paths and positions, nothing personal."""
        reason = f"{type(error).__name__}: {error}"
        if reason != self._told:
            self._told = reason
            logger().error(event, reason=reason)
