"""A small day in the life of a journal, with what must be found after each of its steps."""

from collections.abc import AsyncIterator
from random import Random
from typing import NamedTuple

from usher.queue.journal.contract import (
    Batch,
    Journal,
    JournalFull,
    PrivateFields,
    RememberedRequest,
    Snapshot,
    StoredBatch,
)


class Found(NamedTuple):
    """All that a journal holds but its snapshots."""

    batches: list[StoredBatch]
    requests: list[RememberedRequest]
    private: dict[str, bytes]

    def copied(self) -> "Found":
        return Found(self.batches.copy(), self.requests.copy(), self.private.copy())


NOTHING = Found([], [], {})


async def found_in(journal: Journal, after: int = 0) -> Found:
    """Return what the journal holds, read through every door; batches behind `after`."""
    batches = [batch async for batch in journal.read(after)]
    ids = await journal.request_ids()
    requests = [await journal.request(name) for name in ids]
    private = await journal.private([f"c{number}" for number in range(200)])
    assert None not in requests
    return Found(batches, [request for request in requests if request is not None], private)


class Day:
    """Drives a journal step by step and keeps what it must hold.

    `states[n]` is what it holds after n steps; `done` steps were acknowledged; the later ones in
    `states` were begun.
    """

    def __init__(self, seed: int) -> None:
        self.states = [NOTHING]
        self.done = 0
        self.full = 0  # how many steps met a full disk, and were tried again
        self.snapshots: list[Snapshot] = []
        self.snapshots_done = 0
        self._random = Random(seed)

    async def pass_by(self, journal: Journal) -> None:
        """Append, delete, append, take snapshots."""
        for _ in range(4):
            await self._append(journal)
        await self._delete(journal)
        await self._snapshot(journal)
        await self._append(journal)
        await self._snapshot(journal)
        await self._append(journal)
        await self._snapshot(journal)
        await self._delete(journal)
        for _ in range(3):
            await self._append(journal)

    def allowed(self) -> list[Found]:
        """Return the states that may be found now: all that was acknowledged is there."""
        return self.states[self.done :]

    def allowed_snapshots(self) -> list[Snapshot | None]:
        """Return the snapshots of which one must be found as the latest."""
        if self.snapshots_done == 0:
            return [None, *self.snapshots]
        return [*self.snapshots[self.snapshots_done - 1 :]]

    async def _append(self, journal: Journal) -> None:
        state = self.states[-1].copied()
        last = state.batches[-1].position if state.batches else 0
        batch = self._batch(len(state.batches), last)
        position = last + batch.count
        state.batches.append(
            StoredBatch(batch.version, position, batch.count, batch.at_ms, batch.body)
        )
        state.requests.extend(batch.requests)
        kept = [r for r in state.requests if r.position > batch.forget_requests_through]
        for fields in batch.private:
            state.private.pop(fields.contact_id, None)
            if fields.content is not None:
                state.private[fields.contact_id] = fields.content
        self.states.append(Found(state.batches, kept, state.private))
        try:
            await journal.append(last, batch)
        except JournalFull:
            self.full += 1
            await journal.append(last, batch)
        self.done += 1

    def _batch(self, number: int, last: int) -> Batch:
        count = self._random.randint(1, 4)
        requests = tuple(
            RememberedRequest(f"r{position}", b"digest", position, number, b"answer %d" % position)
            for position in range(last + 1, last + count + 1)
        )
        private = tuple(
            PrivateFields(f"c{position}", self._random.randbytes(self._random.randint(0, 200)))
            for position in range(last + 1, last + count + 1)
        )
        return Batch(
            version=1,
            at_ms=1000 + number,
            count=count,
            body=self._random.randbytes(self._random.choice((50, 400, 5000))),
            private=(*private, PrivateFields(f"c{max(1, last - 6)}", None)),
            requests=requests,
            forget_requests_through=max(0, last - 8),
        )

    async def _delete(self, journal: Journal) -> None:
        state = self.states[-1].copied()
        names = self._random.sample(sorted(state.private), min(2, len(state.private)))
        for name in names:
            del state.private[name]
        self.states.append(state)
        try:
            await journal.delete_private(names)
        except JournalFull:
            self.full += 1
            await journal.delete_private(names)
        self.done += 1

    async def _snapshot(self, journal: Journal) -> None:
        position = self.states[-1].batches[-1].position
        pieces = tuple(self._random.randbytes(6000) for _ in range(3))
        self.snapshots.append(Snapshot(position, 1, pieces))

        async def with_appends() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece
                await self._append(journal)

        try:
            await journal.write_snapshot(position, 1, with_appends())
        except JournalFull:
            self.full += 1
            await journal.write_snapshot(position, 1, pieces)
        self.snapshots_done = len(self.snapshots)


class TrimmingDay(Day):
    """A day after which the journal is trimmed, added to, and trimmed once more."""

    async def pass_by(self, journal: Journal) -> None:
        """See Day; `states` hold the batches behind where the journal begins."""
        await super().pass_by(journal)
        await self._trim(journal)
        await self._append(journal)
        await self._trim(journal)

    async def _trim(self, journal: Journal) -> None:
        state = self.states[-1].copied()
        through = state.batches[1].position
        del state.batches[:2]
        self.states.append(state)
        try:
            await journal.trim(through)
        except JournalFull:
            self.full += 1
            await journal.trim(through)
        self.done += 1
