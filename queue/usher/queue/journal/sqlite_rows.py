"""The rows of a SQLite journal: what is written for a batch, a snapshot, a delete, and read back.

Plain functions over a connection, each within a transaction of its caller. It must not know
threads, queues or asyncio. Whatever is read is checked before it is returned.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import apsw
import msgspec

from usher.queue.journal.chain import (
    CHECKSUM_BYTES,
    PRIVATE_CHECKSUM_BYTES,
    SnapshotSum,
    first_link,
    next_link,
    private_checksum,
    requests_checksum,
    snapshot_checksum,
    without_checksum,
)
from usher.queue.journal.contract import (
    SNAPSHOTS_KEPT,
    Batch,
    EndedContact,
    JournalCorrupt,
    PositionConflict,
    PrivateFields,
    RememberedRequest,
    Snapshot,
    StoredBatch,
)
from usher.queue.journal.sqlite_files import STATEMENTS, stored_bytes, stored_int

READ_BYTES_MOST = 4 << 20  # of bodies in one step of a read: between steps appends may checkpoint

_encode_requests = msgspec.msgpack.Encoder().encode
_decode_requests = msgspec.msgpack.Decoder(tuple[RememberedRequest, ...]).decode
_encode_json = msgspec.json.Encoder().encode

Link = tuple[int, bytes]  # position and checksum of a batch: where the next one goes on


# --- writing -------------------------------------------------------------------------------


def write_group(connection: apsw.Connection, head: Link, batches: Sequence[Batch]) -> Link:
    """Write batches after `head`, with all that comes with them; return the new head.

    One statement and so one transaction: see append.sql.
    """
    head, index, bodies = _batches(head, batches)
    requests = [request for batch in batches for request in batch.requests]
    through = max([batch.forget_requests_through for batch in batches])
    content = checksum = None
    if requests or through:
        content = _encode_requests(requests)
        checksum = requests_checksum(head[0], through, content)
    private = _private([fields for batch in batches for fields in batch.private])
    ended = _ended([contact for batch in batches for contact in batch.ended])
    beside = (content, checksum, *private, *ended)
    connection.execute(STATEMENTS["append"], (index, bodies, head[0], through, *beside))
    return head


def _batches(head: Link, batches: Sequence[Batch]) -> tuple[Link, bytes, bytes]:
    """Return the new head, where each body lies, and the bodies with their checksums."""
    (position, link), first = head, 1
    index: list[tuple[int, ...]] = []
    bodies: list[bytes] = []
    for batch in batches:
        position += batch.count
        stored = StoredBatch(batch.version, position, batch.count, batch.at_ms, batch.body)
        link = next_link(link, stored)
        size_bytes = len(batch.body)
        index.append((position, batch.version, batch.count, batch.at_ms, first, size_bytes))
        bodies += batch.body, link
        first += size_bytes + CHECKSUM_BYTES
    return (position, link), _encode_json(index), b"".join(bodies)


def _private(private: Sequence[PrivateFields]) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Return where each content lies, the contents, and whose are deleted.

    The last word on a contact counts.
    """
    if not private:
        return None, None, None
    index: dict[str, int] = {}
    contents: list[bytes] = []
    deleted: list[str] = []
    first = 1
    for name, content in {fields.contact_id: fields.content for fields in private}.items():
        if content is None:
            deleted.append(name)
            continue
        size_bytes = len(content) + PRIVATE_CHECKSUM_BYTES
        index[name] = first << 32 | size_bytes
        contents += content, private_checksum(name, content)
        first += size_bytes
    return _encode_json(index), b"".join(contents), _encode_json(deleted) if deleted else None


def _ended(ended: Sequence[EndedContact]) -> tuple[bytes | None, bytes | None]:
    """Return where each last state lies, and the last states."""
    if not ended:
        return None, None
    index: list[tuple[str, int, int]] = []
    contents: list[bytes] = []
    first = 1
    for contact in ended:
        size_bytes = len(contact.content) + PRIVATE_CHECKSUM_BYTES
        index.append((contact.contact_id, first, size_bytes))
        contents += contact.content, private_checksum(contact.contact_id, contact.content)
        first += size_bytes
    return _encode_json(index), b"".join(contents)


def delete_private(connection: apsw.Connection, contact_ids: Sequence[str]) -> None:
    """Delete the private fields of these contacts."""
    connection.execute(STATEMENTS["delete private"], (_encode_json(contact_ids),))


def begin_snapshot(
    connection: apsw.Connection, last_position: int, position: int, version: int
) -> int:
    """Return the number of a new, incomplete snapshot of the state at `position`."""
    if position > last_position:
        raise PositionConflict(position, last_position)
    connection.execute(STATEMENTS["begin snapshot"], (position, version))
    return connection.last_insert_rowid()


def add_piece(connection: apsw.Connection, snapshot_id: int, piece: int, content: bytes) -> None:
    """Write one piece of a snapshot."""
    connection.execute(STATEMENTS["add piece"], (snapshot_id, piece, content))


def complete_snapshot(
    connection: apsw.Connection, snapshot_id: int, pieces: int, total: SnapshotSum
) -> list[int]:
    """Make a snapshot count; return the numbers of those that no longer do.

    Only their rows go here; their pieces take long and are dropped one snapshot at a time.
    """
    connection.execute(STATEMENTS["complete snapshot"], (pieces, total.digest(), snapshot_id))
    rows = connection.execute(STATEMENTS["snapshots"]).fetchall()
    complete = [stored_int(row[0]) for row in rows]
    dropped = complete[SNAPSHOTS_KEPT:]
    connection.executemany(STATEMENTS["drop snapshot"], [(number,) for number in dropped])
    return dropped


def drop_snapshot(connection: apsw.Connection, snapshot_id: int) -> None:
    """Remove what there is of a snapshot."""
    with _not_overwriting(connection):
        connection.execute(STATEMENTS["drop snapshot"], (snapshot_id,))
        connection.execute(STATEMENTS["drop pieces"], (snapshot_id,))


def trim(connection: apsw.Connection, through: int) -> None:
    """Drop the batches before the one that ends at `through`, and the contacts ended by then."""
    with _not_overwriting(connection):
        connection.execute(STATEMENTS["trim batches"], (through,))
        connection.execute(STATEMENTS["trim ended"], (through,))


@contextmanager
def _not_overwriting(connection: apsw.Connection) -> Iterator[None]:
    """Deletes are quick meanwhile: these megabytes hold no private fields."""
    connection.execute("PRAGMA secure_delete = OFF").fetchall()
    try:
        yield
    finally:
        connection.execute("PRAGMA secure_delete = ON").fetchall()


# --- reading -------------------------------------------------------------------------------


def find_begin(connection: apsw.Connection, incarnation: str) -> Link:
    """Return the position and checksum behind which reads may begin.

    A trimmed journal begins with the last batch that was archived: what is before it is unknown
    here, so it is not read, but its checksum is where the chain goes on.
    """
    for position, count, checksum in connection.execute(STATEMENTS["first batch"]):
        if position != count:
            return stored_int(position), stored_bytes(checksum)
    return 0, first_link(incarnation)


def ends_batch(connection: apsw.Connection, position: int) -> bool:
    """Return whether a batch ends at this position."""
    return bool(connection.execute(STATEMENTS["batch at"], (position,)).fetchall())


def covered_position(connection: apsw.Connection) -> int:
    """Return the least position of the newest SNAPSHOTS_KEPT snapshots, 0 with fewer."""
    rows = connection.execute(STATEMENTS["snapshots"]).fetchall()
    positions = [stored_int(row[1]) for row in rows[:SNAPSHOTS_KEPT]]
    return min(positions) if len(positions) == SNAPSHOTS_KEPT else 0


def find_link(connection: apsw.Connection, incarnation: str, after: int) -> Link:
    """Return the last batch that ends at `after` or before: a read begins behind it."""
    for position, checksum in connection.execute(STATEMENTS["batch at or before"], (after,)):
        return position, stored_bytes(checksum, after)
    return 0, first_link(incarnation)


def read_batches(connection: apsw.Connection, link: Link) -> tuple[list[StoredBatch], Link]:
    """Return the next batches, at most about READ_BYTES_MOST, and the last one's link.

    Raises JournalCorrupt at the first batch that does not continue the chain.
    """
    batches: list[StoredBatch] = []
    size_bytes = 0
    for *row, checksum in connection.execute(STATEMENTS["batches after"], (link[0],)):
        batch = _checked_batch(row, checksum, link)
        batches.append(batch)
        link = batch.position, checksum
        size_bytes += len(batch.body)
        if size_bytes > READ_BYTES_MOST:
            break
    return batches, link


def _checked_batch(row: list[object], checksum: object, link: Link) -> StoredBatch:
    last_position, last_checksum = link
    version, position, count, at_ms, body = row
    if not (
        isinstance(version, int)  # plain tests: a restart makes them a hundred thousand times
        and isinstance(position, int)
        and isinstance(count, int)
        and isinstance(at_ms, int)
        and isinstance(body, bytes)
    ):
        raise JournalCorrupt("a batch is not readable", last_position)
    batch = StoredBatch(version, position, count, at_ms, body)
    if batch.count < 1 or batch.position - batch.count != last_position:
        reason = f"the next batch has {batch.count} records and ends at {batch.position}"
        raise JournalCorrupt(reason, last_position)
    if checksum != next_link(last_checksum, batch):
        reason = f"the checksum of the batch that ends at {batch.position} does not hold"
        raise JournalCorrupt(reason, last_position)
    return batch


def read_all_requests(connection: apsw.Connection) -> list[RememberedRequest]:
    """Return all requests that are not forgotten, by position."""
    forgotten = 0
    requests: list[RememberedRequest] = []
    for row in connection.execute(STATEMENTS["all requests"]):
        through, of_batch = _checked_requests(row)
        forgotten = max(forgotten, through)
        requests += of_batch
    return [request for request in requests if request.position > forgotten]


def read_request(
    connection: apsw.Connection, request_id: str, position: int
) -> RememberedRequest | None:
    """Return the request that made the record at `position`."""
    for row in connection.execute(STATEMENTS["requests of batch"], (position,)):
        for request in _checked_requests(row)[1]:
            if request.request_id == request_id and request.position == position:
                return request
    return None


def _checked_requests(row: tuple[object, ...]) -> tuple[int, tuple[RememberedRequest, ...]]:
    position, through, content, checksum = row
    if (
        not isinstance(position, int)
        or not isinstance(through, int)
        or not isinstance(content, bytes)
        or checksum != requests_checksum(position, through, content)
    ):
        raise JournalCorrupt(f"the remembered requests at {position} do not match their checksum")
    return through, _decode_requests(content)


def read_private(connection: apsw.Connection, contact_ids: Sequence[str]) -> dict[str, bytes]:
    """Return the private fields of those contacts that have some."""
    found: dict[str, bytes] = {}
    rows = connection.execute(STATEMENTS["private"], (_encode_json(contact_ids),))
    for name, stored in rows:
        if not isinstance(name, str):
            raise JournalCorrupt("the id of a contact is not readable")
        found[name] = without_checksum("private fields", name, stored_bytes(stored))
    return found


def read_ended(connection: apsw.Connection, contact_id: str) -> bytes | None:
    """Return the last state of a contact that has left the pool, None if there is none."""
    for (stored,) in connection.execute(STATEMENTS["ended"], (contact_id,)):
        return without_checksum("last states", contact_id, stored_bytes(stored))
    return None


def read_latest_snapshot(connection: apsw.Connection) -> Snapshot | None:
    """Return the newest snapshot that is whole; a damaged one is passed over."""
    with connection:  # one transaction: none is dropped while it is read
        rows = connection.execute(STATEMENTS["snapshots"]).fetchall()
        for snapshot_id, *fields, checksum in rows:
            position, version, count = (stored_int(field) for field in fields)
            pieces = _read_pieces(connection, stored_int(snapshot_id))
            total = snapshot_checksum(position, version, pieces)
            if len(pieces) == count and checksum == total:
                return Snapshot(position, version, pieces)
    return None


def _read_pieces(connection: apsw.Connection, snapshot_id: int) -> tuple[bytes, ...]:
    """Return the pieces as they are stored, none if they cannot be read."""
    try:
        rows = connection.execute(STATEMENTS["pieces"], (snapshot_id,)).fetchall()
        return tuple([stored_bytes(content) for _, content in rows])
    except (apsw.CorruptError, JournalCorrupt):
        return ()
