"""Executes a journal's recorded commands anew and demands the events that were recorded.

    record -> Pool.execute(command) == events ?  -> Pool.apply(events) -> next record

Under the versions that wrote the journal every decision must come out the same. Records written
under other versions are replayed but not judged (a score may differ in its last place; checking
each pair on its own is for later). It must not know files or the server.

Matches without effect are not recorded, so their places are known only where a turn of the server
certainly ended: at the end of an append, when time has passed, and around an enqueue into a queue
with a limit. There the match is tried, and must find nothing. Where several turns fell into one
millisecond, the turns are unknown, and what a recorded match had to look at may have begun after
any of them: each is tried before a difference is told.
"""

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
)
from usher.queue.errors import Refused
from usher.queue.events import AnyEvent, PolicySet, RosterSet
from usher.queue.ledger import Touched
from usher.queue.values import SYSTEM
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
    """Events as executed now, or why it was refused."""


class Verification(Struct, frozen=True, kw_only=True):
    """What came of it. Sound = no difference; whole = nothing was left unjudged."""

    records: int
    executed: int
    """Records whose command was executed again with equal events."""
    unjudged: int
    """Records written under other versions: replayed only."""
    other_versions: tuple[str, ...]
    idle_matches: int
    """Matches that were not recorded, tried again: they found nothing, as they must."""
    other_borders: int
    """Matches that came out equal only under another border between turns."""
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


class _Verifier:
    """A pool on its way through the records."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._pool = Pool()
        self._judging = False
        self._last: Record | None = None
        self._since: list[Touched] = []  # records touched since the last certain end of a turn
        self._executed = self._unjudged = self._idle_matches = self._other_borders = 0
        self._others: list[str] = []
        self._difference: Difference | None = None

    def take(self, record: Record) -> bool:
        """Judges and applies one record; returns whether it came out as recorded."""
        command = record.command
        if isinstance(command, OpenPool):
            self._open(command)
        if not self._judging:
            self._unjudged += 1
            self._apply(record)
            return True
        if self._turn_ended(record) and not self.try_match():
            return False
        limited = self._meets_limit(command)
        if limited and not self.try_match():
            return False
        if not self._judge(record):
            return False
        self._apply(record)
        return self.try_match() if limited else True

    def try_match(self) -> bool:
        """Tries the match that a turn ends with; returns whether it finds nothing."""
        last = self._last
        if not self._judging or last is None:
            return True
        if self._pool.needs_match:
            self._idle_matches += 1
            got, _ = self._execute(_MATCH, last.at_ms)
            if got:
                self._differ(msgspec.structs.replace(last, command=_MATCH, events=()), got)
                return False
        self._since.clear()
        return True

    def result(self) -> Verification:
        """What came of it so far."""
        return Verification(
            records=self._executed + self._unjudged,
            executed=self._executed,
            unjudged=self._unjudged,
            other_versions=tuple(dict.fromkeys(self._others)),
            idle_matches=self._idle_matches,
            other_borders=self._other_borders,
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
        self._since.clear()
        self._last = None

    def _judge(self, record: Record) -> bool:
        got, refusal = self._execute(record.command, record.at_ms)
        if refusal is None and _equal(got, record.events):
            self._executed += 1
            return True
        if isinstance(record.command, MatchContacts) and self._match_elsewhere(record):
            self._executed += 1
            self._other_borders += 1
            return True
        self._differ(record, got if refusal is None else refusal)
        return False

    def _match_elsewhere(self, record: Record) -> bool:
        """Tries the match as if a turn had ended after each of the records since the last end."""
        matcher = self._pool.matcher
        for begin in range(1, len(self._since)):
            matcher.settle()
            for touched in self._since[begin:]:
                matcher.note(touched.contacts.values(), touched.agents.values())
            if _equal(self._execute(_MATCH, record.at_ms)[0], record.events):
                return True
        # After a full disk the server made its pool anew, and everything counted as changed.
        matcher.load(self._pool.ledger.contacts, self._pool.ledger.agents)
        return _equal(self._execute(_MATCH, record.at_ms)[0], record.events)

    def _execute(self, command: AnyCommand, at_ms: int) -> tuple[Events, str | None]:
        try:
            return self._pool.execute(command, at_ms), None
        except Refused as refusal:
            return (), f"refused: {refusal.reason}: {refusal.message}"

    def _apply(self, record: Record) -> None:
        self._pool.apply(record.events, record.at_ms)
        touched = self._pool.take_changes()
        if isinstance(record.command, MatchContacts) or any(
            isinstance(event, PolicySet | RosterSet) for event in record.events
        ):
            self._since.clear()
        self._since.append(touched)
        self._last = record

    def _turn_ended(self, record: Record) -> bool:
        """Whether this record is certainly of another turn than the one before."""
        return self._last is not None and record.at_ms != self._last.at_ms

    def _meets_limit(self, command: AnyCommand) -> bool:
        """Whether it enqueues into a queue with a limit of most waiting: matched before and after."""
        policy = self._pool.ledger.policy
        if policy is None or not isinstance(command, EnqueueContact | EnqueueContacts):
            return False
        limited = {queue.name for queue in policy.queues if queue.most_waiting is not None}
        if isinstance(command, EnqueueContact):
            return command.contact.facts.queue in limited
        return any(contact.facts.queue in limited for contact in command.contacts)

    def _differ(self, record: Record, got: Events | str) -> None:
        self._difference = Difference(
            position=record.position,
            at_ms=record.at_ms,
            command=facts_of(record.command),
            expected=facts_of(record.events),
            got=got if isinstance(got, str) else facts_of(got),
        )


def _equal(got: Events, expected: Events) -> bool:
    return got == expected or _ENCODE(got) == _ENCODE(expected)
