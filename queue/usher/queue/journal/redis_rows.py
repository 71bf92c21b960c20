"""What a journal on Redis writes and reads back: words of commands, replies checked.

The keys that an append writes are described in append.lua. The others:

    usher:{<pool>}:snapshots     hash  number -> msgpack (position, version, pieces, checksum);
                                       '' while it is being written
    usher:{<pool>}:snapshot:<n>  list  the pieces of snapshot n
    usher:{<pool>}:ended         hash  contact id -> position of its batch in 8 bytes, last state,
                                       4 bytes of checksum
    usher:{<pool>}:retired       stream, entry ids as in the log; ids: msgpack list of contact ids

Pure: it must not know connections. Whatever is read is checked before it is returned.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from usher.queue.journal.chain import (
    meta_checksum,
    next_link,
    private_checksum,
    requests_checksum,
    without_checksum,
)
from usher.queue.journal.contract import (
    Batch,
    EndedContact,
    JournalCorrupt,
    JournalError,
    PrivateFields,
    RememberedRequest,
    StoredBatch,
)

FORMAT: Final = 1
POSITION_BYTES: Final = 8

Word = bytes | str | int
Command = tuple[Word, ...]
Head = tuple[int, bytes]  # position and checksum of a batch: where the next one goes on

_encode_requests = msgspec.msgpack.Encoder().encode
_decode_requests = msgspec.msgpack.Decoder(tuple[RememberedRequest, ...]).decode
_encode_snapshot = msgspec.msgpack.Encoder().encode
_decode_snapshot = msgspec.msgpack.Decoder(tuple[int, int, int, bytes]).decode
_encode_names = msgspec.msgpack.Encoder().encode
_decode_names = msgspec.msgpack.Decoder(list[str]).decode

META_FIELDS: Final = ("format", "incarnation", "secret", "seal", "position", "checksum")


class Meta(NamedTuple):
    """Who a journal is, and where it stands."""

    incarnation: str
    secret: bytes
    position: int
    checksum: bytes


class StoredSnapshot(NamedTuple):
    """A complete snapshot without its pieces."""

    position: int
    version: int
    pieces: int
    checksum: bytes


# --- writing -------------------------------------------------------------------------------


def append_words(head: Head, batch: Batch) -> tuple[Head, list[Word]]:
    """Return the new head and what append.lua takes after the token."""
    position = head[0] + batch.count
    stored = StoredBatch(batch.version, position, batch.count, batch.at_ms, batch.body)
    checksum = next_link(head[1], stored)
    through, content, seal = batch.forget_requests_through, b"", 0
    if batch.requests or through:
        content = _encode_requests(batch.requests)
        seal = requests_checksum(position, through, content)
    words: list[Word] = [head[0], position, checksum]
    words += (batch.version, batch.count, batch.at_ms, batch.body, through, content, seal)
    put, deleted = _private_words(batch.private)
    ended, retired = _ended_words(position, batch.ended)
    words += (len(put) // 2, len(ended) // 2, retired, *put, *ended, *deleted)
    return (position, checksum), words


def _private_words(private: Sequence[PrivateFields]) -> tuple[list[Word], list[Word]]:
    """Return what is put, and whose are deleted; the last word on each counts."""
    put: list[Word] = []
    deleted: list[Word] = []
    for name, content in {fields.contact_id: fields.content for fields in private}.items():
        if content is None:
            deleted.append(name)
        else:
            put += name, content + private_checksum(name, content)
    return put, deleted


def _ended_words(position: int, ended: Sequence[EndedContact]) -> tuple[list[Word], bytes]:
    """Return the last states by id, and the list of the ids."""
    if not ended:
        return [], b""
    states = {one.contact_id: one.content for one in ended}
    at = position.to_bytes(POSITION_BYTES, "big")
    words: list[Word] = []
    for name, content in states.items():
        words += name, at + content + private_checksum(name, at + content)
    return words, _encode_names(list(states))


def meta_words(incarnation: str, secret: bytes, start: bytes) -> list[Word]:
    """Return the fields of a new journal that say who it is, and that it is empty."""
    seal = meta_checksum(FORMAT, incarnation, secret)
    values: Command = (FORMAT, incarnation, secret, seal, 0, start)
    return [word for pair in zip(META_FIELDS, values, strict=True) for word in pair]


def owned_words(commands: Sequence[Command]) -> list[Word]:
    """Return what owned.lua takes after the token."""
    return [word for command in commands for word in (len(command), *command)]


def snapshot_row(stored: StoredSnapshot) -> bytes:
    """Return what stands for a complete snapshot."""
    return _encode_snapshot(stored)


# --- reading -------------------------------------------------------------------------------


def read_meta(reply: object) -> Meta | None:
    """Return who the journal is; None if there is none.

    Raises JournalCorrupt, and JournalError for another format.
    """
    fields = listed(reply)
    if all(field is None for field in fields):
        return None
    form, incarnation, secret, seal, position, checksum = (text(field) for field in fields)
    version = number(form)
    try:
        known = Meta(incarnation.decode(), secret, number(position), checksum)
    except UnicodeDecodeError:
        raise JournalCorrupt("its incarnation is not readable") from None
    if seal != meta_checksum(version, known.incarnation, secret):
        raise JournalCorrupt("incarnation and secret do not match their checksum")
    if version != FORMAT:
        raise JournalError(f"the keys have format {version}, this build reads {FORMAT}")
    return known


def read_batches(reply: object, head: Head) -> tuple[list[StoredBatch], Head]:
    """Return the batches of a part of the log that follows `head`, and the new head.

    Raises JournalCorrupt at the first batch that does not continue the chain.
    """
    batches: list[StoredBatch] = []
    for position, fields in entries(reply):
        batch, checksum = _batch(position, fields, head[0])
        if batch.count < 1 or position - batch.count != head[0]:
            reason = f"the next batch has {batch.count} records and ends at {position}"
            raise JournalCorrupt(reason, head[0])
        if checksum != next_link(head[1], batch):
            reason = f"the checksum of the batch that ends at {position} does not hold"
            raise JournalCorrupt(reason, head[0])
        batches.append(batch)
        head = position, checksum
    return batches, head


def read_head(reply: object) -> Head | None:
    """Return position and checksum of the one batch in a part of the log; None if it is empty."""
    for position, fields in entries(reply):
        return position, _batch(position, fields, position)[1]
    return None


def _batch(position: int, fields: list[bytes], after: int) -> tuple[StoredBatch, bytes]:
    if fields[::2] != [b"version", b"count", b"at_ms", b"body", b"checksum"]:
        raise JournalCorrupt("a batch is not readable", after)
    version, count, at_ms, body, checksum = fields[1::2]
    stored = StoredBatch(number(version), position, number(count), number(at_ms), body)
    return stored, checksum


def read_begin(reply: object) -> Head | None:
    """Return position and checksum of the first batch if it does not begin at 1: see Reader."""
    for position, fields in entries(reply):
        batch, checksum = _batch(position, fields, position)
        if batch.count != position:
            return position, checksum
    return None


def read_requests(reply: object) -> tuple[int, list[tuple[int, RememberedRequest]]]:
    """Return what is forgotten through, and requests each with the position of its batch."""
    forgotten = 0
    requests: list[tuple[int, RememberedRequest]] = []
    for position, fields in entries(reply):
        if fields[::2] != [b"through", b"content", b"checksum"]:
            raise JournalCorrupt(f"the remembered requests at {position} are not readable")
        through, content, checksum = number(fields[1]), fields[3], number(fields[5])
        if checksum != requests_checksum(position, through, content):
            said = f"the remembered requests at {position} do not match their checksum"
            raise JournalCorrupt(said)
        forgotten = max(forgotten, through)
        requests += [(position, request) for request in _decode_requests(content)]
    return forgotten, requests


def read_private(contact_ids: Sequence[str], reply: object) -> dict[str, bytes]:
    """Return the private fields of those contacts that have some."""
    found: dict[str, bytes] = {}
    for name, stored in zip(contact_ids, listed(reply), strict=True):
        if stored is None:
            continue
        found[name] = without_checksum("private fields", name, text(stored))
    return found


def read_ended(contact_id: str, reply: object) -> tuple[int, bytes]:
    """Return the position of the batch that retired a contact, and its last state."""
    content = without_checksum("last states", contact_id, text(reply))
    return int.from_bytes(content[:POSITION_BYTES], "big"), content[POSITION_BYTES:]


def ended_by(through: int, contact_ids: Sequence[str], reply: object) -> list[str]:
    """Return those of the contacts that no later batch than the one at `through` retired."""
    states = zip(contact_ids, listed(reply), strict=True)
    return [one for one, row in states if row is not None and read_ended(one, row)[0] <= through]


def read_retired(reply: object) -> tuple[list[str], int]:
    """Return whom a part of the stream names, and the position of its last entry; 0 if empty."""
    names: list[str] = []
    last = 0
    for position, fields in entries(reply):
        last = position
        try:
            names += _decode_names(fields[1])
        except (msgspec.MsgspecError, IndexError):
            raise JournalCorrupt(f"who left the pool at {position} is not readable") from None
    return names, last


def read_snapshots(reply: object) -> dict[int, StoredSnapshot | None]:
    """Return the snapshots by number, newest first; None for one that is not whole."""
    fields = [text(field) for field in listed(reply)]
    found: dict[int, StoredSnapshot | None] = {}
    for name, row in sorted(zip(fields[::2], fields[1::2], strict=True), key=_by_number):
        try:
            found[number(name)] = StoredSnapshot(*_decode_snapshot(row)) if row else None
        except msgspec.MsgspecError:
            found[number(name)] = None
    return found


def _by_number(field: tuple[bytes, bytes]) -> int:
    return -number(field[0])


def entries(reply: object) -> list[tuple[int, list[bytes]]]:
    """Return position and fields of each entry of a part of a stream."""
    found: list[tuple[int, list[bytes]]] = []
    for entry in listed(reply):
        name, fields = listed(entry)
        found.append((number(text(name).partition(b"-")[0]), [text(f) for f in listed(fields)]))
    return found


def listed(reply: object) -> list[object]:
    """Return a list as it was read; raise JournalCorrupt for anything else."""
    if not isinstance(reply, list):
        raise JournalCorrupt("what is stored has another type than was written")
    return reply


def text(reply: object) -> bytes:
    """Return bytes as they were read; raise JournalCorrupt for anything else."""
    if not isinstance(reply, bytes):
        raise JournalCorrupt("a stored value is missing")
    return reply


def number(reply: bytes) -> int:
    """Return a stored whole number; raise JournalCorrupt for anything else."""
    try:
        return int(reply)
    except ValueError:
        raise JournalCorrupt("a stored number is not readable") from None
