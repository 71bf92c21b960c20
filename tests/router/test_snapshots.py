"""Snapshots: a moment held at once, written in pieces, read back as the same pool."""

import msgspec
import pytest
from tests.router.pool_kit import PLATFORM, Driven, new, policy, profile, queue, replayed

from usher.queue import commands as c
from usher.queue.values import ContactId
from usher.router import snapshots
from usher.router.pool import Pool
from usher.router.snapshots import PIECE_MAX, SnapshotUnreadable


def driven() -> Driven:
    day = Driven.opened(policy(queue("main", wrap_up_ms=5_000)), profile("ann"), profile("bob"))
    day.talk("c1")
    day.complete("c1")
    day.enqueue("c2")
    return day


def test_a_snapshot_is_the_moment_at_which_it_was_taken() -> None:
    day = driven()
    snapshot, before = day.pool.snapshot(), day.pool.state_hash()
    position = day.pool.position
    day.enqueue("c3")
    day.give(c.AbandonContact(PLATFORM, ContactId("c2")))
    restored = Pool.restore(snapshot.pieces())
    assert before == restored.state_hash() != day.pool.state_hash()
    assert position == restored.position == snapshot.position


def test_a_restored_pool_goes_on_as_if_nothing_had_been() -> None:
    day = driven()
    pieces = list(day.pool.snapshot().pieces())
    restored = Driven(Pool.restore(pieces), day.at_ms)
    assert day.pool.next_deadline() == restored.pool.next_deadline()
    for each in (day, restored):
        each.enqueue("c3")
        each.wait(60_000)
    assert day.pool.state_hash() == restored.pool.state_hash()
    assert day.pool.state_hash() == replayed(day.records, Pool.restore(pieces)).state_hash()


def test_an_empty_pool_has_a_snapshot_too() -> None:
    restored = Pool.restore(Pool().snapshot().pieces())
    assert Pool().state_hash() == restored.state_hash()


def test_no_piece_is_larger_than_the_limit_and_all_are_there() -> None:
    day = Driven.opened(policy(), *(profile(f"a{number}") for number in range(1_200)))
    wide = tuple(f"x-{number:08}" for number in range(200))
    batch = tuple(new(f"c{number}", languages=wide) for number in range(1_000))
    day.give(c.EnqueueContacts(PLATFORM, batch))
    pieces = list(day.pool.snapshot().pieces())
    assert max(map(len, pieces)) <= PIECE_MAX
    assert day.pool.state_hash() == Pool.restore(pieces).state_hash()


def test_one_record_over_the_limit_is_a_piece_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "PIECE_MAX", 10)
    day = driven()
    pieces = list(day.pool.snapshot().pieces())
    assert 1 + 2 + 2 + 2 == len(pieces)
    assert day.pool.state_hash() == Pool.restore(pieces).state_hash()


def test_what_is_no_snapshot_is_refused() -> None:
    pieces = list(driven().pool.snapshot().pieces())
    for wrong in ([], pieces[1:], [b"\x00"], [pieces[0][:-1]], [*pieces, b"junk"]):
        with pytest.raises(SnapshotUnreadable):
            Pool.restore(wrong)


def test_a_snapshot_of_another_version_is_refused() -> None:
    head = msgspec.msgpack.decode(next(Pool().snapshot().pieces()))
    head[1] += 1
    with pytest.raises(SnapshotUnreadable, match="version"):
        Pool.restore([msgspec.msgpack.encode(head)])
