"""The journal in memory: for demos, trials and tests. Same promises as the others, no disk.

It must not know the codec or the pool. What it holds is gone with the process.
"""

import secrets
from bisect import bisect_right
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence

from usher.queue.journal.contract import (
    SNAPSHOTS_KEPT,
    Batch,
    JournalClosed,
    JournalError,
    JournalTrimmed,
    PositionConflict,
    RememberedRequest,
    Snapshot,
    StoredBatch,
    check_batch,
    check_trim,
    each_piece,
)
from usher.queue.journal.remembered import RememberedIds


class MemoryJournal:
    """A journal that lasts as long as the process."""

    durability = "memory: nothing outlives the process"

    def __init__(self) -> None:
        self.incarnation = secrets.token_hex(8)
        self.secret = secrets.token_bytes(32)
        self.position = 0
        self.begins_after = 0
        self._batches: list[StoredBatch] = []
        self._ends: list[int] = []  # position of each batch, to find where a read begins
        self._ids = RememberedIds()
        self._requests: dict[str, RememberedRequest] = {}
        self._private: dict[str, bytes] = {}
        self._ended: dict[str, tuple[int, bytes]] = {}  # with the position of its batch
        self._snapshots: list[Snapshot] = []
        self._closed = False

    def sync_times_ms(self) -> list[float]:
        """See Journal.sync_times_ms: nothing is synced."""
        return []

    async def append(self, expected_position: int, batch: Batch) -> None:
        """See Journal.append."""
        self._check_open()
        check_batch(expected_position, batch)
        if expected_position != self.position:
            raise PositionConflict(expected_position, self.position)
        self.position += batch.count
        self._ends.append(self.position)
        self._batches.append(
            StoredBatch(batch.version, self.position, batch.count, batch.at_ms, batch.body)
        )
        self._keep_private(batch)
        self._keep_requests(batch)
        self._keep_ended(batch)

    async def read(self, after: int) -> AsyncIterator[StoredBatch]:
        """See Journal.read."""
        self._check_open()
        while after < self.position:
            if after < self.begins_after:
                raise JournalTrimmed(self.begins_after)
            batch = self._batches[bisect_right(self._ends, after)]
            yield batch
            after = batch.position

    async def request(self, request_id: str) -> RememberedRequest | None:
        """See Journal.request."""
        self._check_open()
        if self._ids.position(request_id) is None:
            return None
        return self._requests[request_id]

    async def request_ids(self) -> dict[str, tuple[int, int]]:
        """See Journal.request_ids."""
        self._check_open()
        return self._ids.places()

    async def private(self, contact_ids: Sequence[str]) -> dict[str, bytes]:
        """See Journal.private."""
        self._check_open()
        return {name: self._private[name] for name in contact_ids if name in self._private}

    async def delete_private(self, contact_ids: Sequence[str]) -> None:
        """See Journal.delete_private."""
        self._check_open()
        for name in contact_ids:
            self._private.pop(name, None)

    async def write_snapshot(
        self, position: int, version: int, pieces: AsyncIterable[bytes] | Iterable[bytes]
    ) -> None:
        """See Journal.write_snapshot."""
        self._check_open()
        if position > self.position:
            raise PositionConflict(position, self.position)
        kept = tuple([piece async for piece in each_piece(pieces)])
        self._snapshots.append(Snapshot(position, version, kept))
        del self._snapshots[:-SNAPSHOTS_KEPT]

    async def latest_snapshot(self) -> Snapshot | None:
        """See Journal.latest_snapshot."""
        self._check_open()
        return self._snapshots[-1] if self._snapshots else None

    async def covered_position(self) -> int:
        """See Journal.covered_position."""
        self._check_open()
        whole = len(self._snapshots) == SNAPSHOTS_KEPT
        return min(one.position for one in self._snapshots) if whole else 0

    async def trim(self, through: int) -> None:
        """See Journal.trim."""
        self._check_open()
        if through <= self.begins_after:
            return
        index = bisect_right(self._ends, through)
        ends_there = index > 0 and self._ends[index - 1] == through
        check_trim(through, await self.covered_position(), ends_there=ends_there)
        del self._batches[:index], self._ends[:index]
        self._ended = {name: row for name, row in self._ended.items() if row[0] > through}
        self.begins_after = through

    async def ended(self, contact_id: str) -> bytes | None:
        """See Journal.ended."""
        self._check_open()
        row = self._ended.get(contact_id)
        return None if row is None else row[1]

    def listen(self, listener: Callable[[JournalError | None], None]) -> None:
        """See Journal.listen: there is nothing to tell."""

    async def close(self) -> None:
        """See Journal.close."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise JournalClosed("the journal is closed")

    def _keep_private(self, batch: Batch) -> None:
        for fields in batch.private:
            if fields.content is None:
                self._private.pop(fields.contact_id, None)
            else:
                self._private[fields.contact_id] = fields.content

    def _keep_requests(self, batch: Batch) -> None:
        self._ids.remember(batch.requests)
        self._requests.update((request.request_id, request) for request in batch.requests)
        for request_id in self._ids.forget_through(batch.forget_requests_through):
            del self._requests[request_id]

    def _keep_ended(self, batch: Batch) -> None:
        for contact in batch.ended:
            self._ended[contact.contact_id] = self.position, contact.content
