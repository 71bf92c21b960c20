"""What was executed and waits for its sync: records to append, outcomes and reads to let go.

Nothing of a stage leaves before its append, and those before it, are synced. It must not know the
pool's rules, or how the journal writes.
"""

import asyncio

from usher.queue.codec import RECORD_VERSION, Record, encode_records
from usher.queue.journal.contract import Batch, EndedContact, PrivateFields, RememberedRequest
from usher.router.service.feed import Published
from usher.router.service.inbox import Entry


class Stage:
    """Executed batches that go into the journal as one append, at `first` (the position before)."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.contacts = 0
        self.records: list[Record] = []
        self.private: list[PrivateFields] = []
        self.requests: list[RememberedRequest] = []
        self.ended: list[EndedContact] = []
        self.succeeded: list[Entry] = []
        self.failed: list[tuple[Entry, Exception]] = []
        self.readers: list[asyncio.Future[bool]] = []
        self.published: Published | None = None
        self.forget_through = 0

    @property
    def empty(self) -> bool:
        """Returns whether nothing waits on it."""
        return not (self.records or self.succeeded or self.failed or self.readers)

    def batch(self) -> Batch:
        """Returns what the journal is to write, whole or not at all."""
        return Batch(
            version=RECORD_VERSION,
            at_ms=self.records[-1].at_ms,
            count=len(self.records),
            body=encode_records(self.records),
            private=tuple(self.private),
            requests=tuple(self.requests),
            forget_requests_through=self.forget_through,
            ended=tuple(self.ended),
        )

    def release(self, synced: bool) -> None:
        """Tells the reads that waited whether what they saw stands."""
        for reader in self.readers:
            if not reader.done():
                reader.set_result(synced)
        self.readers.clear()

    def let_down(self, error: Exception) -> None:
        """Gives all that waits an end: entries get the error, reads look again and find it."""
        for entry in self.entries():
            entry.fail(error)
        self.release(synced=False)

    def entries(self) -> list[Entry]:
        """Returns all that were executed, whatever came of it."""
        return self.succeeded + [entry for entry, _ in self.failed]
