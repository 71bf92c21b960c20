"""What every store of a pool's journal promises.

A journal deals in bytes: it neither decodes a batch nor knows what a contact is. It must not know
the codec, the pool or gRPC. The stores are `memory`, `sqlite` and `redis`.

The error tree, and when each is raised:

    JournalError
    ├── PositionConflict       the expected position is not the last one; nothing was written
    ├── JournalFull            no room on the disk or in the store; nothing written, still usable
    ├── JournalUnavailable     the store is away; whether it wrote is unknown; still usable
    ├── JournalBroken          a write or sync failed; fatal, every later call raises it at once
    ├── JournalLocked          another server has this journal open
    ├── JournalTaken           another server has taken this journal over; fatal like a broken one
    ├── JournalCorrupt         a checksum or the chain of positions does not hold
    │   └── JournalTrimmed     what is asked for lies before the beginning of the journal
    ├── JournalVersionUnknown  a body or snapshot of a format that this build cannot read
    └── JournalClosed          a call after close()
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from typing import Protocol

from msgspec import Struct

PIECE_BYTES_MOST = 1 << 20  # a larger piece of a snapshot would hold up the appends behind it
SNAPSHOTS_KEPT = 2  # the newest, and the one before it in case the newest is damaged


class JournalError(Exception):
    """Base of all that a journal raises on its own account."""


class PositionConflict(JournalError):
    """The caller expected another last position: it is not the owner it believes to be."""

    def __init__(self, expected_position: int, last_position: int) -> None:
        super().__init__(f"expected position {expected_position}, the last is {last_position}")
        self.expected_position = expected_position
        self.last_position = last_position


class JournalFull(JournalError):
    """There is no room. The append was rolled back; the journal is as before and usable."""


class JournalUnavailable(JournalError):
    """The store cannot be reached, or takes no writes now. The same call may succeed later."""


class JournalBroken(JournalError):
    """A write or sync failed. What it left behind is known only after a restart."""


class JournalLocked(JournalError):
    """Another server has the journal open."""

    def __init__(self, path: str, pid: str) -> None:
        super().__init__(f"{path} is in use by the server with process id {pid or 'unknown'}")
        self.path = path
        self.pid = pid


class JournalTaken(JournalError):
    """Another server has taken the journal over: nothing of this one is written any more."""


class JournalCorrupt(JournalError):
    """Stored bytes are not those that were written. `position` is the last one that holds."""

    def __init__(self, reason: str, position: int | None = None) -> None:
        place = "" if position is None else f" after position {position}"
        super().__init__(f"journal is damaged{place}: {reason}")
        self.reason = reason
        self.position = position


class JournalTrimmed(JournalCorrupt):
    """Batches are asked for that lie before the beginning: archived, if they are not lost."""

    def __init__(self, begins_after: int) -> None:
        self.reason = f"it begins after position {begins_after}"
        self.position = None
        self.begins_after = begins_after
        JournalError.__init__(
            self,
            f"the journal begins after position {begins_after}: what was before lies in archive"
            " files, or is lost",
        )


class JournalVersionUnknown(JournalError):
    """A batch or snapshot has a format version that this build cannot read."""

    def __init__(self, version: int, position: int) -> None:
        super().__init__(f"format version {version} at position {position} is unknown here")
        self.version = version
        self.position = position


class JournalClosed(JournalError):
    """The journal was closed by its owner."""


class PrivateFields(Struct, frozen=True):
    """Private fields of one contact, encoded by the caller; None deletes what is stored."""

    contact_id: str
    content: bytes | None


class RememberedRequest(Struct, frozen=True, array_like=True):
    """A request that succeeded: its answer is given again when the same id comes again."""

    request_id: str
    digest: bytes  # of the translated request, so that altered content is noticed
    position: int  # of the record that it made
    at_ms: int
    answer: bytes


class EndedContact(Struct, frozen=True):
    """A contact that leaves the pool: its last state, encoded by the caller."""

    contact_id: str
    content: bytes


class Batch(Struct, frozen=True):
    """What one append writes, whole or not at all.

    `requests` are ordered by position, and lie within the positions of this batch.
    """

    version: int  # format of the body
    at_ms: int
    count: int  # records in the body, at least 1
    body: bytes
    private: tuple[PrivateFields, ...] = ()
    requests: tuple[RememberedRequest, ...] = ()
    forget_requests_through: int = 0  # drop remembered requests at this position or before
    ended: tuple[EndedContact, ...] = ()


class StoredBatch(Struct, frozen=True):
    """A batch as it is read back."""

    version: int
    position: int  # of its last record
    count: int
    at_ms: int
    body: bytes


class Snapshot(Struct, frozen=True):
    """The state of a pool after the record at `position`."""

    position: int
    version: int
    pieces: tuple[bytes, ...]


class Journal(Protocol):
    """One pool's journal, with its private fields, remembered requests and snapshots.

    Positions count records from 1; 0 is the position of an empty journal. All methods belong to
    one event loop. Every method may raise JournalBroken and JournalClosed, and with a store that
    is a server of its own JournalUnavailable and JournalTaken.
    """

    @property
    def incarnation(self) -> str:
        """Random id made when the journal was created."""
        ...

    @property
    def secret(self) -> bytes:
        """32 random bytes made when the journal was created, for HMACs."""
        ...

    @property
    def position(self) -> int:
        """Position of the last record whose append has been acknowledged."""
        ...

    @property
    def begins_after(self) -> int:
        """The position after which reads may begin: 0, or where the journal was trimmed."""
        ...

    @property
    def durability(self) -> str:
        """One line for the operator: what an acknowledged append survives."""
        ...

    async def append(self, expected_position: int, batch: Batch) -> None:
        """Write the batch after `expected_position`; return once it is as durable as promised.

        Several may be under way; they are written in the order of the calls.
        Raises PositionConflict or JournalFull, and then nothing was written. After
        JournalUnavailable the same append is to be repeated until it succeeds: what the store
        has written already is not written twice. Those that were under way behind it fail with it.
        """
        ...

    def read(self, after: int) -> AsyncIterator[StoredBatch]:
        """Yield the batches that end after position `after`, in order.

        Raises JournalCorrupt at the first batch that does not continue the chain, JournalTrimmed
        when `after` lies before `begins_after`.
        """
        ...

    async def request(self, request_id: str) -> RememberedRequest | None:
        """Return what is remembered of a request; None if nothing (any more)."""
        ...

    async def request_ids(self) -> dict[str, tuple[int, int]]:
        """Return (position, at_ms) by id of all remembered requests, in order of position."""
        ...

    async def private(self, contact_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the private fields by contact; contacts without any are left out."""
        ...

    async def delete_private(self, contact_ids: Sequence[str]) -> None:
        """Delete the private fields of these contacts; unknown ones are passed over."""
        ...

    async def write_snapshot(
        self, position: int, version: int, pieces: AsyncIterable[bytes] | Iterable[bytes]
    ) -> None:
        """Store a snapshot piece by piece; appends go on in between; it counts once complete.

        Raises PositionConflict when `position` lies past the last record, JournalFull, and
        ValueError for a piece over PIECE_BYTES_MOST.
        """
        ...

    async def latest_snapshot(self) -> Snapshot | None:
        """Return the newest complete and undamaged snapshot."""
        ...

    async def covered_position(self) -> int:
        """Return up to where SNAPSHOTS_KEPT snapshots stand for all before; 0 with fewer."""
        ...

    async def trim(self, through: int) -> None:
        """Drop what came up to `through`, the end of a batch: batches, and contacts ended by then.

        Appends wait meanwhile, so a long stretch is dropped in steps. The batch that ends there is
        kept, unread, for its checksum. Nothing happens where the journal begins later anyway.
        Raises ValueError, and drops nothing, where no batch ends or beyond `covered_position`;
        JournalFull.
        """
        ...

    async def ended(self, contact_id: str) -> bytes | None:
        """Return the last state of a contact that has left the pool; None if nothing (any more).

        Of an id that was used again it is the last contact that left.
        """
        ...

    def sync_times_ms(self) -> list[float]:
        """Return how long the last syncs took, each in ms; empty where there are none."""
        ...

    def listen(self, listener: Callable[[JournalError | None], None]) -> None:
        """Have `listener` told what happens to the store, also while nobody calls.

        JournalUnavailable: it is away; None: it is back; JournalTaken or JournalBroken: this
        journal is over. One listener; a store in this process never has anything to tell.
        """
        ...

    async def close(self) -> None:
        """Finish what is queued and let go of the store. May be called twice."""
        ...


def check_batch(expected_position: int, batch: Batch) -> None:
    """Raise ValueError for a batch that no store may take."""
    if batch.count < 1:
        raise ValueError("a batch has at least one record")
    if batch.requests:
        first, last = batch.requests[0].position, batch.requests[-1].position
        if not expected_position < first <= last <= expected_position + batch.count:
            raise ValueError(f"requests {first} to {last} are not of this batch")


def check_trim(through: int, covered_position: int, *, ends_there: bool) -> None:
    """Raise ValueError for a position up to which no journal may be trimmed."""
    if not ends_there:
        raise ValueError(f"trim through {through}: expected the end of a batch")
    if through > covered_position:
        raise ValueError(
            f"trim through {through}: {SNAPSHOTS_KEPT} snapshots cover only {covered_position}"
        )


def check_piece(piece: bytes) -> None:
    """Raise ValueError for a piece of a snapshot that is too large."""
    if len(piece) > PIECE_BYTES_MOST:
        raise ValueError(f"a piece has {len(piece)} bytes, the most is {PIECE_BYTES_MOST}")


async def each_piece(pieces: AsyncIterable[bytes] | Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the checked pieces of a plain or an asynchronous iterable."""
    if isinstance(pieces, AsyncIterable):
        async for piece in pieces:
            check_piece(piece)
            yield piece
        return
    for piece in pieces:
        check_piece(piece)
        yield piece
