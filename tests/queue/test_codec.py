"""Records to bytes and back; what is no record of ours is refused by name."""

import msgspec
import pytest

from usher.queue import commands as c
from usher.queue.codec import (
    RECORD_VERSION,
    Record,
    UnknownRecordVersion,
    decode_for_replay,
    decode_records,
    encode_records,
)
from usher.queue.events import PauseEnded
from usher.queue.values import SYSTEM, AgentId, ContactId

RECORD = Record(
    7, 1_000, c.ExpireDeadlines(SYSTEM), (PauseEnded(ContactId("c1"), AgentId("ann")),), "r-1"
)


def test_records_come_back_as_they_were() -> None:
    assert [RECORD, RECORD] == decode_records(RECORD_VERSION, encode_records([RECORD, RECORD]))


def test_a_batch_without_records_is_one() -> None:
    assert [] == decode_records(RECORD_VERSION, encode_records([]))


def test_replay_reads_the_events_and_leaves_the_command_encoded() -> None:
    (record,) = decode_for_replay(RECORD_VERSION, encode_records([RECORD]))
    assert (RECORD.position, RECORD.at_ms, RECORD.events, RECORD.request_id) == (
        record.position,
        record.at_ms,
        record.events,
        record.request_id,
    )
    assert msgspec.msgpack.encode(RECORD.command) == bytes(record.command)
    with pytest.raises(UnknownRecordVersion):
        decode_for_replay(RECORD_VERSION + 1, encode_records([RECORD]))


@pytest.mark.parametrize("version", [0, RECORD_VERSION + 1])
def test_another_version_is_refused_and_says_which(version: int) -> None:
    with pytest.raises(UnknownRecordVersion, match=f"version {version}: .* {RECORD_VERSION}"):
        decode_records(version, encode_records([RECORD]))


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x91\x91\x01", encode_records([RECORD])[:-1]])
def test_bytes_that_are_no_records_are_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_records(RECORD_VERSION, body)
