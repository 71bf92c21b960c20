"""Checksums of what a journal stores. Pure: it must not know where the bytes lie.

The checksum of a batch covers the checksum of the batch before it, so a lost, altered or swapped
batch is found when it is read.
"""

from collections.abc import Iterable
from hashlib import blake2b
from struct import Struct
from zlib import crc32

from usher.queue.journal.contract import JournalCorrupt, StoredBatch

CHECKSUM_BYTES = 16
PRIVATE_CHECKSUM_BYTES = 4
_FOUR = Struct(">qqqq")
_TWO = Struct(">qq")


def first_link(incarnation: str) -> bytes:
    """Return what stands for the checksum before the first batch of this journal."""
    return blake2b(incarnation.encode(), digest_size=CHECKSUM_BYTES).digest()


def next_link(previous: bytes, batch: StoredBatch) -> bytes:
    """Return the checksum of a batch that follows the one with the checksum `previous`."""
    link = blake2b(previous, digest_size=CHECKSUM_BYTES)
    link.update(_FOUR.pack(batch.position, batch.version, batch.count, batch.at_ms))
    link.update(batch.body)
    return link.digest()


def meta_checksum(version: int, incarnation: str, secret: bytes) -> bytes:
    """Return the checksum of the row that says who the journal is."""
    return blake2b(f"{version} {incarnation} ".encode() + secret, digest_size=16).digest()


def snapshot_checksum(position: int, version: int, pieces: Iterable[bytes]) -> bytes:
    """Return the checksum of a whole snapshot; where pieces begin counts."""
    total = SnapshotSum(position, version)
    for piece in pieces:
        total.add(piece)
    return total.digest()


class SnapshotSum:
    """The checksum of a snapshot, piece by piece."""

    def __init__(self, position: int, version: int) -> None:
        self._sum = blake2b(_TWO.pack(position, version), digest_size=CHECKSUM_BYTES)

    def add(self, piece: bytes) -> None:
        """Take in the next piece."""
        self._sum.update(len(piece).to_bytes(8, "big"))
        self._sum.update(piece)

    def digest(self) -> bytes:
        """Return the checksum of what was added so far."""
        return self._sum.digest()


def requests_checksum(position: int, forgotten_through: int, content: bytes) -> int:
    """Return the checksum of the remembered requests of one batch."""
    return crc32(content, crc32(_TWO.pack(position, forgotten_through)))


def private_checksum(contact_id: str, content: bytes) -> bytes:
    """Return the checksum of what is kept of one contact, PRIVATE_CHECKSUM_BYTES long."""
    return crc32(content, crc32(contact_id.encode())).to_bytes(PRIVATE_CHECKSUM_BYTES, "big")


def without_checksum(what: str, contact_id: str, stored: bytes) -> bytes:
    """Return what is kept of a contact, stored with its `private_checksum` at the end.

    Raises JournalCorrupt, which says `what` it is, when the checksum does not hold.
    """
    content, checksum = stored[:-PRIVATE_CHECKSUM_BYTES], stored[-PRIVATE_CHECKSUM_BYTES:]
    if checksum != private_checksum(contact_id, content):
        raise JournalCorrupt(f"{what} do not match their checksum")
    return content
