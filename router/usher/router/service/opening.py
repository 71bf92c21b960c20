"""A pool from its journal: latest snapshot, then the tail; then the records of taking it up.

Replay applies events and never executes. Taking up appends OpenPool, and policy, roster, branches
and their calendar if they differ from those the pool has, as one batch before anything is served.
It must not know gRPC or the files that policy and roster come from."""

import gc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from usher.queue.branches import Branches
from usher.queue.codec import (
    RECORD_VERSION,
    Record,
    UnknownRecordVersion,
    decode_for_replay,
    encode_records,
)
from usher.queue.commands import (
    AnyCommand,
    OpenPool,
    SetBranches,
    SetCalendar,
    SetPolicy,
    SetRoster,
)
from usher.queue.journal.contract import (
    Batch,
    Journal,
    JournalCorrupt,
    JournalTrimmed,
    JournalVersionUnknown,
    StoredBatch,
)
from usher.queue.rules import Policy, Roster
from usher.queue.values import SYSTEM, ContactId, ContactState
from usher.router.pool import Pool
from usher.router.service.clock import Clock
from usher.router.service.feed import Feed, Published
from usher.router.service.inbox import Submission, no_answer
from usher.router.service.publishing import Publishing
from usher.router.service.settings import Settings
from usher.router.snapshots import SNAPSHOT_VERSION, SnapshotUnreadable

if TYPE_CHECKING:
    from usher.queue.journal.archive import Archive


class Versions(Struct, frozen=True):
    """What the pool computes with; the same versions promise the same decisions."""

    usher: str
    numpy: str
    scipy: str


class Loaded(Struct, frozen=True):
    """A pool as its journal has it. `requests`: (position, at_ms) by id, by position."""

    pool: Pool
    requests: dict[str, tuple[int, int]]
    private: dict[ContactId, bytes]
    replayed: int


class Opened(Struct, frozen=True):
    """A pool that was taken up, ready to be served.

    `published`: what taking it up changed, so that a watch that saw all before it can go on.
    """

    pool: Pool
    requests: dict[str, tuple[int, int]]
    private: dict[ContactId, bytes]
    clock: Clock
    replayed: int
    published: Published


async def load_pool(journal: Journal, archive: "Archive | None" = None) -> Loaded:
    """Returns the pool after the last record, with what is kept beside it.

    Where no snapshot covers what was trimmed it is read from the archive. Raises
    JournalVersionUnknown for a format of a later Usher, JournalCorrupt for damage, JournalTrimmed
    without an archive.
    """
    with _without_collector():
        pool = await _from_snapshot(journal)
        replayed = 0
        with pool.ledger.replaying():
            async for stored in _stored(journal, archive, pool.position):
                replayed += _replay(pool, stored)
        pool.take_changes()
    if pool.position != journal.position:
        raise JournalCorrupt(f"records end before {journal.position}", pool.position)
    requests = await journal.request_ids()
    contacts = pool.ledger.contacts.values()
    live = [each.contact_id for each in contacts if each.state is not ContactState.ENDED]
    kept = await journal.private(live)
    private = {ContactId(name): content for name, content in kept.items()}
    return Loaded(pool, requests, private, replayed)


async def open_pool(
    journal: Journal,
    policy: Policy | None,
    roster: Roster | None,
    versions: Versions,
    clock_of: Callable[[int], Clock] = Clock,
    *,
    branches: Branches | None = None,
    archive: "Archive | None" = None,
) -> Opened:
    """Returns the pool, taken up with this policy, roster and branches (None = those it has).

    `clock_of` makes the clock from the last record's time in milliseconds. Raises what `load_pool`
    does, and Refused: ClockRateFixed, PolicyRefused, ZoneUnknown.
    """
    loaded = await load_pool(journal, archive)
    pool = loaded.pool
    clock = clock_of(pool.ledger.at_ms)
    commands: list[AnyCommand] = [
        OpenPool(SYSTEM, versions.usher, versions.numpy, versions.scipy, clock.rate)
    ]
    if policy is not None and not _same_policy(pool.ledger.policy, policy):
        commands.append(SetPolicy(SYSTEM, policy))
    if roster is not None and not _same_roster(pool.ledger.roster, roster):
        commands.append(SetRoster(SYSTEM, roster))
    if branches is not None and not _same_branches(pool.ledger.plan, branches):
        commands.append(SetBranches(SYSTEM, branches))
    at_ms = clock.now_ms()
    published = await _append(journal, pool, _and_calendar(pool, commands, at_ms), at_ms)
    gc.freeze()  # what was loaded stays: the collector need not look at it again and again
    return Opened(pool, loaded.requests, loaded.private, clock, loaded.replayed, published)


def opened_again(pool: Pool, clock: Clock) -> Submission:
    """Returns what records that the pool goes on after an outage of its journal's store.

    Running leases move on by its length, and offers that ran out meanwhile are nobody's miss.
    """
    command = OpenPool(SYSTEM, *pool.ledger.versions, clock.rate)
    return Submission(command, "", b"", (), no_answer)


def feed_of(opened: Opened, settings: Settings) -> Feed:
    """Returns a feed that begins before the pool was taken up: who saw all until then goes on."""
    feed = Feed(
        opened.published.first_position - 1,
        opened.published.at_ms,
        batches_max=settings.feed_batches_max,
        records_max=settings.feed_records_max,
        subscriptions_max=settings.watches_max,
    )
    feed.publish(opened.published)
    return feed


def _and_calendar(pool: Pool, commands: list[AnyCommand], at_ms: int) -> Iterator[AnyCommand]:
    """Yields the commands and, those applied, the calendar of the branches if it has changed."""
    yield from commands
    plan = pool.ledger.plan
    if plan is None or not plan.branches:
        return
    from usher.router.service.calendars import expand

    calendar = expand(plan, at_ms)
    if calendar != pool.ledger.calendar:
        yield SetCalendar(SYSTEM, calendar)


async def _append(
    journal: Journal, pool: Pool, commands: Iterable[AnyCommand], at_ms: int
) -> Published:
    first = pool.position
    records: list[Record] = []
    for command in commands:
        events = pool.execute(command, at_ms)
        pool.apply(events, at_ms)
        records.append(Record(pool.position, at_ms, command, events))
    body = encode_records(records)
    await journal.append(first, Batch(RECORD_VERSION, at_ms, len(records), body))
    published = Publishing(pool).published(pool.take_changes(), first + 1)
    return msgspec.structs.replace(published, branches=frozenset(pool.ledger.branches))


async def _from_snapshot(journal: Journal) -> Pool:
    snapshot = await journal.latest_snapshot()
    if snapshot is None:
        return Pool()
    if snapshot.version > SNAPSHOT_VERSION:
        raise JournalVersionUnknown(snapshot.version, snapshot.position)
    try:
        pool = Pool.restore(snapshot.pieces)
    except SnapshotUnreadable as error:
        raise JournalCorrupt(f"the snapshot: {error}", snapshot.position) from error
    if pool.position != snapshot.position:
        raise JournalCorrupt(f"the snapshot is of {pool.position}", snapshot.position)
    return pool


async def _stored(
    journal: Journal, archive: "Archive | None", after: int
) -> AsyncIterator[StoredBatch]:
    """Yields the batches after a position: archived ones, then those in the journal."""
    try:
        async for stored in journal.read(after):
            yield stored
        return
    except JournalTrimmed as trimmed:
        if archive is None:
            raise
        begins_after = trimmed.begins_after
    async for step in archive.read(after, begins_after):
        for stored in step:
            yield stored
    async for stored in journal.read(begins_after):
        yield stored


def _replay(pool: Pool, stored: StoredBatch) -> int:
    """Applies the records of a batch that the pool does not have yet; returns their number."""
    try:
        records = decode_for_replay(stored.version, stored.body)
    except UnknownRecordVersion as error:
        raise JournalVersionUnknown(stored.version, stored.position) from error
    except msgspec.MsgspecError as error:
        raise JournalCorrupt(f"batch {stored.position} does not decode", pool.position) from error
    first = position = pool.position
    replay = pool.replay
    for record in records:
        if record.position <= position:
            continue
        position += 1
        if record.position != position:
            raise JournalCorrupt(f"record {record.position} comes next", pool.position)
        replay(record.events, record.at_ms)
    return position - first


def _same_policy(old: Policy | None, new: Policy) -> bool:
    """Returns whether they are equal but for queues that the pool keeps closed."""
    if old is None:
        return False
    queues = tuple(queue for queue in old.queues if not queue.closed)
    return new in (old, msgspec.structs.replace(old, queues=queues))


def _same_roster(old: Roster | None, new: Roster) -> bool:
    """Returns whether they are equal but for agents that the pool keeps closed."""
    if old is None:
        return False
    agents = tuple(agent for agent in old.agents if not agent.closed)
    return new in (old, msgspec.structs.replace(old, agents=agents))


def _same_branches(old: Branches | None, new: Branches) -> bool:
    """Returns whether they are equal but for what the pool keeps closed. Nothing is as none."""
    if old is None:
        return not (new.services or new.branches or new.desks)
    services = tuple(service for service in old.services if not service.closed)
    branches = tuple(branch for branch in old.branches if not branch.closed)
    names = {branch.name for branch in branches}
    desks = tuple(desk for desk in old.desks if not desk.closed and desk.branch in names)
    kept = msgspec.structs.replace(old, services=services, branches=branches, desks=desks)
    return new in (old, kept)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Switches the cyclic collector off: replay makes much that stays and no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
