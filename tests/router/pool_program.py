"""A pool under checks: every command is tried first, every record and batch is looked at.

refused        -> the state is as it was
executed       -> nothing written until it is applied
end of program -> live = replay of the encoded records = each snapshot + tail = executed again
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine
from tests.router import invariants, walk_in_invariants
from tests.router.pool_kit import PLATFORM, Driven, new, person, replayed, through_bytes
from tests.router.pool_watch import Watch
from tests.router.pool_world import Brought

from usher.queue import commands as c
from usher.queue.errors import Refused
from usher.queue.events import AnyEvent
from usher.queue.state import Agent, Contact, Leg
from usher.queue.values import (
    AgentId,
    ContactId,
    LegState,
    Presence,
    QueueName,
)
from usher.router.admission import faults
from usher.router.pool import Pool

Item = TypeVar("Item")


class CheckedPool(RuleBasedStateMachine):
    """A pool under checks; a program of commands is a subclass with its rules."""

    def __init__(self) -> None:
        super().__init__()
        self.driven = Driven()
        self.watch = Watch()
        self.snapshots: list[list[bytes]] = []
        self.facts: tuple[AnyEvent, ...] = ()
        self.whole = True
        self.arrivals = 0
        self.branched = False
        self.numbers: set[walk_in_invariants.Number] = set()
        self.driven.before_record = self._before_record
        self.driven.after_record = self._after_record
        self.driven.after_batch = self._after_batch

    def _before_record(self, command: c.AnyCommand, events: tuple[AnyEvent, ...]) -> None:
        ledger = self.driven.pool.ledger
        invariants.check_offers(ledger, command, events)
        assert [] == list(faults(self.driven.pool, command, events))
        invariants.check_withdrawn(ledger, events)
        walk_in_invariants.check_call(ledger, command, events)
        walk_in_invariants.check_numbers(self.numbers, events)
        self.watch.hear(ledger, events, self.driven.at_ms)
        self.facts = invariants.facts_among(ledger, events)

    def _after_record(self) -> None:
        pool = self.driven.pool
        invariants.check_contacts(pool.ledger)
        invariants.check_agents(pool.ledger)
        invariants.check_deadlines(pool)
        invariants.check_waiting_have_a_queue(pool.ledger)
        invariants.check_what_stays_fits(pool.ledger, self.facts)
        walk_in_invariants.check_tickets(pool.ledger)
        walk_in_invariants.check_desks(pool.ledger)
        self.watch.look(pool)

    def _after_batch(self) -> None:
        pool = self.driven.pool
        assert all(due_ms > self.driven.at_ms for due_ms in invariants.due_times(pool.ledger))
        if pool.ledger.roster is not None:
            invariants.check_nobody_waits_in_vain(pool.ledger)
            invariants.check_positions(pool)
            walk_in_invariants.check_lobby(pool)

    def do(self, command: c.AnyCommand, after_ms: int = 0, *, settle: bool = True) -> None:
        """Gives a command; a refusal must change nothing, an execution must write nothing."""
        driven = self.driven
        self.whole = False
        driven.at_ms += after_ms
        before = driven.pool.state_hash()
        try:
            driven.pool.execute(command, driven.at_ms)
            assert before == driven.pool.state_hash(), "execute has written"
            driven.accept(command)
        except Refused as refused:
            assert refused.message and refused.reason != "REFUSED"
            if not driven.records or driven.records[-1].command is not command:
                self._check_refusal_left_no_trace(before)
        if settle:
            driven.settle()
        self.whole = True

    def enter(
        self, command: c.EnqueueContact | c.EnqueueContacts, after_ms: int, **how: bool
    ) -> None:
        """Lets contacts arrive: no queue gets longer than its most waiting by it."""
        self.driven.at_ms += after_ms
        self.driven.match()
        before = self._waiting_by_queue()
        self.do(command, settle=False)
        queues = self.driven.pool.ledger.queues
        for name, count in self._waiting_by_queue().items():
            most_waiting = queues[name].most_waiting
            assert most_waiting is None or count <= max(most_waiting, before[name])
        if how.get("settle", True):
            self.driven.settle()

    def _waiting_by_queue(self) -> Counter[QueueName]:
        waiting = invariants.waiting_unoffered(self.driven.pool.ledger)
        return Counter(contact.facts.queue for contact in waiting)

    def _check_refusal_left_no_trace(self, before: str) -> None:
        last = self.driven.records[-1:] and self.driven.records[-1].command
        if not isinstance(last, c.MatchContacts):  # the match before an enqueue with a limit
            assert before == self.driven.pool.state_hash()

    def contact_id(self, which: int) -> ContactId:
        """A contact of the pool, ended ones too; the last number is always unknown."""
        known = list(self.driven.pool.ledger.contacts)
        return known[which % len(known)] if known and which < 11 else ContactId("unknown")

    def contact(self, brought: Brought) -> Any:
        """A new contact in some queue of the policy; at times a known id or an odd queue."""
        which, queue_name, medium, known = brought
        self.arrivals += 1
        contact_id = self.contact_id(which) if which in (1, 2) else f"c{self.arrivals}"
        queues = list(self.driven.pool.ledger.queues) if which > 3 else []
        chosen = queues[which % len(queues)] if queues else queue_name
        return new(contact_id, chosen, medium, **known)

    def live(self, which: int, *states: LegState) -> Contact | None:
        """A contact whose owner leg is in one of the states."""
        found = [
            contact
            for contact in self.driven.pool.ledger.contacts.values()
            if (owner := invariants.owner_of(contact)) is not None and owner.state in states
        ]
        return pick(found, which)

    def leg(self, which: int, *states: LegState) -> Leg | None:
        """A leg in one of the states."""
        everyone = self.driven.pool.ledger.contacts.values()
        return pick([leg for one in everyone for leg in one.legs if leg.state in states], which)

    def session(self, agent_id: str, which: int) -> int:
        """Mostly the agent's present session; sometimes none, an old one, one to come."""
        agent: Agent | None = self.driven.pool.ledger.agents.get(AgentId(agent_id))
        present = agent.session if agent is not None else 1
        return {0: 0, 1: present - 1, 2: present + 1}.get(which, present)

    def fill(self, which: int) -> None:
        """Where there is nothing to act on: somebody signs in or arrives, so that there will be."""
        agents = self.driven.pool.ledger.agents
        away = [each for each, one in agents.items() if one.presence is Presence.OFFLINE]
        if away and which % 2:
            agent_id = away[which % len(away)]
            self.do(c.SignIn(person(agent_id), agent_id))
        else:
            medium = ("voice", "email", "chat", "callback", "walk_in")[which % 5]
            brought = self.contact((4 + which, "", medium, {}))
            self.do(c.EnqueueContact(PLATFORM, brought))

    def teardown(self) -> None:
        driven = self.driven
        if not self.whole:
            return  # a step has failed: what it left says nothing
        driven.settle()
        self.watch.check_records_untouched()
        records = through_bytes(driven.records)
        assert records == driven.records
        expected = driven.pool.state_hash()
        assert expected == replayed(records).state_hash()
        for pieces in self.snapshots:
            assert expected == replayed(records, Pool.restore(pieces)).state_hash()
        for again in (Pool(), Pool(shared=False)):
            for record in records:
                assert record.events == again.execute(record.command, record.at_ms)
                again.apply(record.events, record.at_ms)
            assert expected == again.state_hash()


def pick(found: Sequence[Item], which: int) -> Item | None:
    """Returns one of what was found; None where nothing was."""
    return found[which % len(found)] if found else None
