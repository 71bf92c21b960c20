"""Records to bytes and back: the journal's format.

A record is one command with the events it led to. A version is never changed: what is added comes
at the end with a default, anything else is a new version, and old ones are read for ever.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from usher.queue.commands import AnyCommand
from usher.queue.events import AnyEvent

RECORD_VERSION = 2
_READ: Final = (1, 2)  # 2 added what walks in; all of 1 is read as it was


class UnknownRecordVersion(Exception):
    """The journal was written by a later Usher than this one."""


class Record(Struct, frozen=True, array_like=True, gc=False):
    """One accepted command: what was asked, when, and what has happened."""

    position: int
    at_ms: int
    command: AnyCommand
    events: tuple[AnyEvent, ...]
    request_id: str = ""


class ReplayRecord(Struct, frozen=True, array_like=True, gc=False):
    """A record as replay needs it: what was asked is left encoded, it is not looked at."""

    position: int
    at_ms: int
    command: msgspec.Raw
    events: tuple[AnyEvent, ...]
    request_id: str = ""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Record])
_REPLAY_DECODER = msgspec.msgpack.Decoder(list[ReplayRecord])


def encode_records(records: Sequence[Record]) -> bytes:
    """Returns the body of one batch, in format RECORD_VERSION."""
    return _ENCODER.encode(records)


def decode_records(version: int, body: bytes) -> list[Record]:
    """Returns the records of a body.

    Raises UnknownRecordVersion for a format this Usher does not know, msgspec.DecodeError for bytes
    that are not of the format.
    """
    _check_version(version)
    return _DECODER.decode(body)


def decode_for_replay(version: int, body: bytes) -> list[ReplayRecord]:
    """Returns what of the records is applied; raises as `decode_records` does."""
    _check_version(version)
    return _REPLAY_DECODER.decode(body)


def _check_version(version: int) -> None:
    if version not in _READ:
        raise UnknownRecordVersion(
            f"records of version {version}: this Usher reads versions 1 to {RECORD_VERSION}"
        )
