"""The control of the kill tests: a server that answers first and writes afterwards.

It is Usher with all its parts but for a journal whose `append` returns at once; the batch is
written a little later, in the background. Takes the flags of `usher serve` that the tests give.
"""

import argparse
import asyncio
import signal
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

from usher.queue.journal.contract import (
    Batch,
    Journal,
    JournalError,
    PositionConflict,
    RememberedRequest,
    Snapshot,
    StoredBatch,
)
from usher.router.service.files import read_configuration
from usher.router.service.server import open_journal, running_server
from usher.router.service.settings import Settings

LATE_S = 0.05


class CarelessJournal:
    """A journal that promises what it has not done yet."""

    def __init__(self, honest: Journal) -> None:
        self.incarnation = honest.incarnation
        self.secret = honest.secret
        self.durability = "none"
        self.position = honest.position
        self.begins_after = honest.begins_after
        self._honest = honest
        self._late: set[asyncio.Task[None]] = set()

    async def append(self, expected_position: int, batch: Batch) -> None:
        """Says that it is done, and does it LATE_S later."""
        if expected_position != self.position:
            raise PositionConflict(expected_position, self.position)
        self.position += batch.count
        task = asyncio.create_task(self._append_late(expected_position, batch))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _append_late(self, expected_position: int, batch: Batch) -> None:
        await asyncio.sleep(LATE_S)
        await self._honest.append(expected_position, batch)

    async def _settled(self) -> None:
        while self._late:
            await asyncio.wait(self._late)

    async def read(self, after: int) -> AsyncIterator[StoredBatch]:
        """See Journal.read."""
        await self._settled()
        async for batch in self._honest.read(after):
            yield batch

    async def request(self, request_id: str) -> RememberedRequest | None:
        """See Journal.request."""
        await self._settled()
        return await self._honest.request(request_id)

    async def request_ids(self) -> dict[str, tuple[int, int]]:
        """See Journal.request_ids."""
        await self._settled()
        return await self._honest.request_ids()

    async def private(self, contact_ids: Sequence[str]) -> dict[str, bytes]:
        """See Journal.private."""
        await self._settled()
        return await self._honest.private(contact_ids)

    async def delete_private(self, contact_ids: Sequence[str]) -> None:
        """See Journal.delete_private."""
        await self._settled()
        await self._honest.delete_private(contact_ids)

    async def write_snapshot(
        self, position: int, version: int, pieces: AsyncIterable[bytes] | Iterable[bytes]
    ) -> None:
        """See Journal.write_snapshot."""
        await self._settled()
        await self._honest.write_snapshot(position, version, pieces)

    async def latest_snapshot(self) -> Snapshot | None:
        """See Journal.latest_snapshot."""
        return await self._honest.latest_snapshot()

    def listen(self, listener: Callable[[JournalError | None], None]) -> None:
        """See Journal.listen."""
        self._honest.listen(listener)

    async def covered_position(self) -> int:
        """See Journal.covered_position."""
        return await self._honest.covered_position()

    async def trim(self, through: int) -> None:
        """See Journal.trim."""
        await self._honest.trim(through)

    async def ended(self, contact_id: str) -> bytes | None:
        """See Journal.ended."""
        await self._settled()
        return await self._honest.ended(contact_id)

    def sync_times_ms(self) -> list[float]:
        """See Journal.sync_times_ms."""
        return self._honest.sync_times_ms()

    async def close(self) -> None:
        """See Journal.close."""
        await self._settled()
        await self._honest.close()


async def serve(given: argparse.Namespace) -> None:
    """Serves until SIGTERM."""
    read = read_configuration(given.policy, given.roster)
    settings = Settings(listen=given.listen, data_dir=given.data)
    journal = CarelessJournal(await open_journal(settings))
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with running_server(settings, read.policy, read.roster, journal=journal):
        await stopped.wait()
    await journal.close()


def main() -> None:
    """Reads the flags and serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--roster", type=Path, required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--data", required=True)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
