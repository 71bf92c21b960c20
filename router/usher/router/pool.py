"""The pool: contacts and agents that are matched together; one deterministic state machine.

    events = pool.execute(command, at_ms)     checks, decides; writes nothing; may raise Refused
    pool.apply(events, at_ms)                 the only writer of state; one whole record

No clock, no randomness, no I/O: time and ids come with the command. The host persists a record
before anything that depends on it leaves. The same records give the same state (`state_hash`).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, assert_never

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

_CONFIGURING = (c.OpenPool, c.SetPolicy, c.SetRoster, c.SetBranches, c.SetCalendar)
_AGENT_COMMANDS = (
    c.SignIn,
    c.SetPresence,
    c.SignOut,
    c.LoseSession,
    c.AcceptOffer,
    c.DeclineOffer,
    c.FinishWrapUp,
)
_WALK_IN_COMMANDS = (c.JoinLine, c.LeaveLine, c.DeskCommand)
_POOL_COMMANDS = (c.ExpireDeadlines, c.MatchContacts, *_CONFIGURING)


class Pool:
    """Contacts, agents, policy and roster of one pool, and the decisions on them."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._matcher: Matcher | None = None
        self._matched = False
        self._looked = False

    @property
    def position(self) -> int:
        """Returns the number of records applied so far."""
        return self.ledger.position

    def execute(self, command: c.AnyCommand, at_ms: int) -> tuple[AnyEvent, ...]:
        """Returns what the command leads to; raises Refused. Writes nothing."""
        if isinstance(command, _POOL_COMMANDS):
            return self._decide_pool(command, at_ms)
        if isinstance(command, _AGENT_COMMANDS):
            return self._decide_agent(command, at_ms)
        if isinstance(command, _WALK_IN_COMMANDS):
            return decide_walk_in(self.ledger, self.matcher, command, at_ms)
        return self._decide_contact(command, at_ms)

    def apply(self, events: Sequence[AnyEvent], at_ms: int) -> None:
        """Applies all events of one record; the position is one higher afterwards."""
        ledger = self.ledger
        policy, roster = ledger.policy, ledger.roster
        for event in events:
            ledger.apply(event, at_ms)
        if ledger.policy is not policy or ledger.roster is not roster:
            self._matcher = None
        if self._matcher is not None:
            self._matcher.note(ledger.recent_contacts, ledger.recent_agents)
            if self._matched:
                self._matcher.settle()
                self._matched = False
        ledger.close_record(at_ms)

    def replay(self, events: Sequence[AnyEvent], at_ms: int) -> None:
        """Applies one record of a journal that is read back: as `apply`, for nobody who matches."""
        self._matcher = None
        self.ledger.replay(events, at_ms)

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
        ledger = self.ledger
        if ledger.policy is None or ledger.roster is None:
            return False
        first_look, self._looked = not self._looked, True
        if first_look and not any(c.waits_unoffered for c in ledger.contacts.values()):
            return False  # a restart with nobody waiting serves before the columns are made
        return self.matcher.needs_match

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
        """Returns this moment of the pool: cheap to take, written in pieces later."""
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

    def _decide_contact(self, command: c.ContactCommand, at_ms: int) -> tuple[AnyEvent, ...]:
        ledger = self.ledger
        match command:
            case c.EnqueueContact():
                return arrivals.enqueue_contact(ledger, self.matcher, command, at_ms)
            case c.CompleteContact():
                return engagement.complete_contact(ledger, command, at_ms)
            case c.EnqueueContacts():
                return arrivals.enqueue_contacts(ledger, self.matcher, command, at_ms)
            case c.AbandonContact():
                return engagement.abandon_contact(ledger, command, at_ms)
            case c.ConnectContact():
                return engagement.connect_contact(ledger, command, at_ms)
            case c.UpdateContact():
                return arrivals.update_contact(ledger, command, at_ms)
            case c.StartContact():
                return arrivals.start_contact(ledger, command, at_ms)
            case c.SyncContacts():
                return arrivals.sync_contacts(ledger, command, at_ms)
            case _:
                return self._decide_engaged(command, at_ms)

    def _decide_engaged(
        self,
        command: c.CancelContact
        | c.ConnectFailed
        | c.HoldContact
        | c.ResumeContact
        | c.RequeueContact,
        at_ms: int,
    ) -> tuple[AnyEvent, ...]:
        ledger = self.ledger
        match command:
            case c.CancelContact():
                return engagement.cancel_contact(ledger, command, at_ms)
            case c.ConnectFailed():
                return engagement.connect_failed(ledger, command, at_ms)
            case c.HoldContact():
                return engagement.hold_contact(ledger, command, at_ms)
            case c.ResumeContact():
                return engagement.resume_contact(ledger, command, at_ms)
            case c.RequeueContact():
                return engagement.requeue_contact(ledger, command, at_ms)
            case _:
                assert_never(command)

    def _decide_agent(self, command: c.AgentCommand, at_ms: int) -> tuple[AnyEvent, ...]:
        ledger = self.ledger
        match command:
            case c.AcceptOffer():
                return offers.accept_offer(ledger, command, at_ms)
            case c.DeclineOffer():
                return offers.decline_offer(ledger, command, at_ms)
            case c.FinishWrapUp():
                return engagement.finish_wrap_up(ledger, command, at_ms)
            case c.SignIn():
                return presence.sign_in(ledger, command, at_ms)
            case c.SetPresence():
                return presence.set_presence(ledger, command, at_ms)
            case c.SignOut():
                return presence.sign_out(ledger, command, at_ms)
            case c.LoseSession():
                return presence.lose_session(ledger, command, at_ms)
            case _:
                assert_never(command)

    def _decide_pool(self, command: c.PoolCommand, at_ms: int) -> tuple[AnyEvent, ...]:
        match command:
            case c.MatchContacts():
                return self._match(at_ms)
            case c.ExpireDeadlines():
                return expiry.expire_deadlines(self.ledger, at_ms)
            case c.OpenPool():
                return configuration.open_pool(self.ledger, command, at_ms)
            case c.SetPolicy():
                return configuration.set_policy(self.ledger, command, at_ms)
            case c.SetRoster():
                return configuration.set_roster(self.ledger, command, at_ms)
            case c.SetBranches():
                return branch_configuration.set_branches(self.ledger, command, at_ms)
            case c.SetCalendar():
                return branch_configuration.set_calendar(self.ledger, command, at_ms)
            case _:
                assert_never(command)

    def _match(self, at_ms: int) -> tuple[AnyEvent, ...]:
        """Returns the offers of a match.

        What the matcher has seen is settled when they are applied, or at once if there are none:
        such a match is left out of the journal.
        """
        pairs = self.matcher.pairs(at_ms)
        self._matched = bool(pairs)
        if not pairs:
            self.matcher.settle()
        return offers.make_offers(self.ledger, pairs, at_ms)
