"""Executes a journal's recorded commands anew and demands the events that were recorded.

    record -> Pool.execute(command) == events ?  -> Pool.apply(events) -> next record

Under the versions that wrote the journal every decision must come out the same. Of records written
under other versions, where a score or a choice may differ, each offer is checked by itself: was the
pair allowed, as the pool was then (`admission`)? It must not know files or the server.

Matches without effect are not recorded. Where the server certainly tried one (at the end of an
append, when time has passed, around an enqueue into a queue with a limit) it is tried here too and
must find nothing. Elsewhere, when several turns fell into one millisecond, the next recorded match
has more changes to look at than it had then: what it finds does not depend on that, as after a
match no allowed pair is left.
"""

import importlib.metadata
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from usher.queue.codec import Record
from usher.queue.commands import (
    AnyCommand,
    EnqueueContact,
    EnqueueContacts,
    MatchContacts,
    OpenPool,
    SetPolicy,
    SetRoster,
)
from usher.queue.errors import Refused
from usher.queue.events import AnyEvent, OfferMade
from usher.queue.values import SYSTEM
from usher.router.admission import faults
from usher.router.pool import Pool
from usher.router.service.opening import Versions
from usher.router.trials.inspection import facts_of

_ENCODE = msgspec.msgpack.Encoder().encode
_MATCH = MatchContacts(SYSTEM)

Events = tuple[AnyEvent, ...]


class Difference(Struct, frozen=True, kw_only=True):
    """The first record that does not come out as it was recorded."""

    position: int
    at_ms: int
    command: object
    expected: object
    """Events as recorded."""
    got: object
    """Events as executed now, or why it was refused or not allowed."""


class Verification(Struct, frozen=True, kw_only=True):
    """What came of it. Sound = no difference."""

    records: int
    executed: int
    """Records whose command was executed again with equal events."""
    replayed: int
    """Records written under other versions: applied, their offers checked pair by pair."""
    pairs: int
    """Offers that were checked in that way, and allowed."""
    other_versions: tuple[str, ...]
    idle_matches: int
    """Matches that were not recorded, tried again: they found nothing, as they must."""
    difference: Difference | None
    state_hash: str
    """After the last record that was applied."""


def verify(appends: Iterable[Sequence[Record]], versions: Versions) -> Verification:
    """Judges all records of a journal, from its first; stops at the first difference."""
    verifier = _Verifier(versions)
    for records in appends:
        for record in records:
            if not verifier.take(record):
                return verifier.result()
        if not verifier.try_match():
            break
    return verifier.result()


def present_versions() -> Versions:
    """What this installation computes with, by the names that a server gives."""
    return Versions(*(_version(name) for name in ("usher-router", "numpy", "scipy")))


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"  # run from its sources, as the server says then


class _Verifier:
    """A pool on its way through the records."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._pool = Pool()
        self._judging = False
        self._last: Record | None = None
        self._executed = self._replayed = self._pairs = self._idle_matches = 0
        self._others: list[str] = []
        self._difference: Difference | None = None

    def take(self, record: Record) -> bool:
        """Judges and applies one record; returns whether it came out as recorded."""
        command = record.command
        if isinstance(command, OpenPool):
            self._open(command)
        if not self._judging:
            return self._take_as_it_is(record)
        if self._was_matched_before(record) and not self.try_match():
            return False
        if not self._judge(record):
            return False
        self._apply(record)
        return True

    def try_match(self) -> bool:
        """Tries the match that a turn ends with; returns whether it finds nothing."""
        last = self._last
        if not self._judging or last is None:
            return True
        if isinstance(last.command, OpenPool | SetPolicy | SetRoster):
            return True  # appended before the server's first turn, which then matches
        if self._pool.needs_match:
            self._idle_matches += 1
            got, _ = self._execute(_MATCH, last.at_ms)
            if got:
                self._differ(msgspec.structs.replace(last, command=_MATCH, events=()), got)
                return False
        return True

    def result(self) -> Verification:
        """What came of it so far."""
        return Verification(
            records=self._executed + self._replayed,
            executed=self._executed,
            replayed=self._replayed,
            pairs=self._pairs,
            other_versions=tuple(dict.fromkeys(self._others)),
            idle_matches=self._idle_matches,
            difference=self._difference,
            state_hash=self._pool.state_hash(),
        )

    def _open(self, command: OpenPool) -> None:
        """A server took the pool up: from its snapshot and tail, with new columns."""
        written = Versions(command.usher_version, command.numpy_version, command.scipy_version)
        self._judging = written == self._versions
        if not self._judging:
            self._others.append(
                f"usher {written.usher}, numpy {written.numpy}, scipy {written.scipy}"
            )
        if self._pool.position:
            self._pool = Pool.restore(self._pool.snapshot().pieces())
        self._last = None

    def _take_as_it_is(self, record: Record) -> bool:
        """Applies a record of other versions if each pair that it offers was allowed."""
        for offer, fault in faults(self._pool, record.command, record.events):
            self._differ(record, f"not allowed: {fault}", (offer,))
            return False
        self._pairs += sum(isinstance(event, OfferMade) for event in record.events)
        self._replayed += 1
        self._apply(record)
        return True

    def _judge(self, record: Record) -> bool:
        got, refusal = self._execute(record.command, record.at_ms)
        if refusal is None and _equal(got, record.events):
            self._executed += 1
            return True
        self._differ(record, got if refusal is None else refusal)
        return False

    def _execute(self, command: AnyCommand, at_ms: int) -> tuple[Events, str | None]:
        try:
            return self._pool.execute(command, at_ms), None
        except Refused as refusal:
            return (), f"refused: {refusal.reason}: {refusal.message}"

    def _apply(self, record: Record) -> None:
        self._pool.apply(record.events, record.at_ms)
        self._pool.take_changes()
        self._last = record

    def _was_matched_before(self, record: Record) -> bool:
        """Whether the server certainly tried a match between the last record and this one.

        If it had found something, that match would be this record.
        """
        last = self._last
        if last is None or isinstance(record.command, MatchContacts):
            return False
        limited = self._meets_limit(last.command) or self._meets_limit(record.command)
        return limited or record.at_ms != last.at_ms

    def _meets_limit(self, command: AnyCommand) -> bool:
        """Whether it enqueues into a queue with a limit: the server matches before and after."""
        policy = self._pool.ledger.policy
        if policy is None or not isinstance(command, EnqueueContact | EnqueueContacts):
            return False
        limited = {queue.name for queue in policy.queues if queue.most_waiting is not None}
        if isinstance(command, EnqueueContact):
            return command.contact.facts.queue in limited
        return any(contact.facts.queue in limited for contact in command.contacts)

    def _differ(self, record: Record, got: Events | str, expected: Events | None = None) -> None:
        self._difference = Difference(
            position=record.position,
            at_ms=record.at_ms,
            command=facts_of(record.command),
            expected=facts_of(record.events if expected is None else expected),
            got=got if isinstance(got, str) else facts_of(got),
        )


def _equal(got: Events, expected: Events) -> bool:
    return got == expected or _ENCODE(got) == _ENCODE(expected)
