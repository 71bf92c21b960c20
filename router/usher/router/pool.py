"""The pool: contacts and agents that are matched together; one deterministic state machine.

    events = pool.execute(command, at_ms)     checks, decides; writes nothing; may raise Refused
    pool.apply(events, at_ms)                 the only writer of state; one whole record

No clock, no randomness, no I/O: time and ids come with the command. The host persists a record
before anything that depends on it leaves. The same records give the same state (`state_hash`).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, get_args

from usher.queue import commands as c
from usher.queue.events import AnyEvent
from usher.queue.ledger import Ledger, Touched
from usher.queue.values import ContactId
from usher.router import (
    arrivals,
    branch_configuration,
    configuration,
    engagement,
    expiry,
    offers,
    presence,
)
from usher.router.branch import decide_walk_in
from usher.router.lookups import NotConfigured
from usher.router.snapshots import PoolSnapshot, read_pieces

if TYPE_CHECKING:
    from usher.router.matching import Matcher

Decision = Callable[..., tuple[AnyEvent, ...]]

BY_LEDGER: Final[dict[type, Decision]] = {
    c.CompleteContact: engagement.complete_contact,
    c.AbandonContact: engagement.abandon_contact,
    c.ConnectContact: engagement.connect_contact,
    c.CancelContact: engagement.cancel_contact,
    c.ConnectFailed: engagement.connect_failed,
    c.HoldContact: engagement.hold_contact,
    c.ResumeContact: engagement.resume_contact,
    c.RequeueContact: engagement.requeue_contact,
    c.UpdateContact: arrivals.update_contact,
    c.StartContact: arrivals.start_contact,
    c.SyncContacts: arrivals.sync_contacts,
    c.AcceptOffer: offers.accept_offer,
    c.DeclineOffer: offers.decline_offer,
    c.FinishWrapUp: engagement.finish_wrap_up,
    c.SignIn: presence.sign_in,
    c.SetPresence: presence.set_presence,
    c.SignOut: presence.sign_out,
    c.LoseSession: presence.lose_session,
    c.ExpireDeadlines: expiry.expire_deadlines,
    c.OpenPool: configuration.open_pool,
    c.SetPolicy: configuration.set_policy,
    c.SetRoster: configuration.set_roster,
    c.SetBranches: branch_configuration.set_branches,
    c.SetCalendar: branch_configuration.set_calendar,
}
"""Who decides on a command, given the ledger, the command and its time."""

BY_COLUMNS: Final[dict[type, Decision]] = {
    c.EnqueueContact: arrivals.enqueue_contact,
    c.EnqueueContacts: arrivals.enqueue_contacts,
    **dict.fromkeys(get_args(c.WalkInCommand), decide_walk_in),
}
"""The same, given the ledger, the matcher, the command and its time.

MatchContacts stands in neither table: the pool itself decides on it. A test holds both against
AnyCommand.
"""


class Pool:
    """Contacts, agents, policy and roster of one pool, and the decisions on them.

    Records that were handed out stay what they were. In a pool that is not `shared` they do not:
    whoever drives it looks at them and holds none; it has no snapshots and tells no changes of
    contacts and agents. Decisions and state are the same.
    """

    def __init__(self, *, shared: bool = True) -> None:
        self.ledger = Ledger(in_place=not shared)
        self._matcher: Matcher | None = None
        self._matched = False
        self._looked = False

    @property
    def position(self) -> int:
        """Returns the number of records applied so far."""
        return self.ledger.position

    def execute(self, command: c.AnyCommand, at_ms: int) -> tuple[AnyEvent, ...]:
        """Returns what the command leads to; raises Refused. Writes nothing."""
        kind = type(command)
        decide = BY_LEDGER.get(kind)
        if decide is not None:
            return decide(self.ledger, command, at_ms)
        if kind is c.MatchContacts:
            return self._match(at_ms)
        return BY_COLUMNS[kind](self.ledger, self.matcher, command, at_ms)

    def apply(self, events: Sequence[AnyEvent], at_ms: int) -> None:
        """Applies all events of one record; the position is one higher afterwards."""
        ledger, matcher = self.ledger, self._matcher
        ledger.apply_all(events, at_ms)
        if matcher is None:
            pass
        elif matcher.policy is not ledger.policy or matcher.roster is not ledger.roster:
            self._matcher = None
        else:
            matcher.note_records(ledger.recent_contacts, ledger.recent_agents)
            if self._matched:
                matcher.settle()
                self._matched = False
        ledger.close_record(at_ms)

    def replay(self, events: Sequence[AnyEvent], at_ms: int) -> None:
        """Applies one record of a journal that is read back: as `apply`, for nobody who matches."""
        self._matcher = None
        self.ledger.apply_all(events, at_ms)
        self.ledger.close_record(at_ms)

    def take_changes(self) -> Touched:
        """Returns the records touched since the last call, each as it is now."""
        return self.ledger.take_touched()

    def next_deadline(self) -> int | None:
        """Returns when something happens by itself next, in ms; None = never."""
        return self.ledger.deadlines.next_ms()

    def next_change(self) -> int | None:
        """Returns the same, but for ended contacts that leave the pool: those nobody waits for."""
        return self.ledger.deadlines.next_change_ms()

    @property
    def needs_match(self) -> bool:
        """Returns whether a match may find a pair that the last one could not."""
        matcher = self._matcher
        if matcher is not None:
            return matcher.needs_match
        return self._may_match() and self.matcher.needs_match

    def _may_match(self) -> bool:
        ledger = self.ledger
        if ledger.policy is None or ledger.roster is None:
            return False
        first_look, self._looked = not self._looked, True
        # A restart with nobody waiting serves before the columns are made.
        return not first_look or any(c.waits_unoffered for c in ledger.contacts.values())

    @property
    def matcher(self) -> "Matcher":
        """Returns the compiled policy and roster with columns of the present state (a cache)."""
        if self._matcher is None:
            policy, roster = self.ledger.policy, self.ledger.roster
            if policy is None or roster is None:
                raise NotConfigured("the pool has no policy and roster yet")
            from usher.router.matching import Matcher  # NumPy: a restart serves before that

            self._matcher = Matcher(policy, roster, self.ledger.tickets)
            self._matcher.load(self.ledger.contacts, self.ledger.agents)
        return self._matcher

    def queue_position(self, contact_id: ContactId) -> int:
        """Returns the place among those waiting in its queue: 1 = next, 0 = not waiting."""
        return self.matcher.queue_position(contact_id)

    def snapshot(self) -> PoolSnapshot:
        """Returns this moment of the pool: cheap to take, written in pieces later.

        Raises RuntimeError if the pool is not shared.
        """
        if self.ledger.in_place:
            raise RuntimeError("a pool that is not shared changes its records: no snapshot of it")
        return PoolSnapshot(self.ledger)

    @classmethod
    def restore(cls, pieces: Iterable[bytes]) -> "Pool":
        """Returns the pool that the pieces were taken from."""
        pool = cls()
        read_pieces(pool.ledger, pieces)
        return pool

    def state_hash(self) -> str:
        """Returns a digest of the state; caches (columns, due times) are not part of it."""
        return self.ledger.state_hash()

    def _match(self, at_ms: int) -> tuple[AnyEvent, ...]:
        """Returns the offers of a match.

        What the matcher has seen is settled when they are applied, or at once if there are none:
        such a match is left out of the journal.
        """
        matcher = self.matcher
        pairs = matcher.pairs(at_ms)
        self._matched = bool(pairs)
        if not pairs:
            matcher.settle()
            return ()
        return offers.make_offers(self.ledger, pairs, at_ms)
