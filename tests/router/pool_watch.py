"""A watch over one pool through its records: what must never go back, and what was handed out."""

import msgspec
from tests.router.invariants import owner_of

from usher.queue.events import (
    AnyEvent,
    ContactConnectFailed,
    ContactEnqueued,
    ContactStarted,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    SessionLost,
)
from usher.queue.ledger import Ledger, Touched
from usher.queue.state import Agent, Contact, Leg
from usher.queue.tickets import Ticket
from usher.queue.values import (
    AgentId,
    ContactId,
    ContactState,
    Found,
    LegId,
    LegState,
    QueueName,
)
from usher.router.pool import Pool


class Watch:
    """Follows one pool through its records: what must never go back, and what was handed out."""

    def __init__(self) -> None:
        self._ended: dict[tuple[ContactId, int], bytes] = {}
        self._waited: dict[tuple[ContactId, int], int] = {}
        self._sessions: dict[AgentId, int] = {}
        self._contacts: dict[ContactId, Contact] = {}
        self._legs: dict[LegId, Leg] = {}
        self._agents: dict[AgentId, Agent] = {}
        self._tickets: dict[ContactId, Ticket] = {}
        self._pauses: dict[tuple[ContactId, AgentId], int] = {}
        self._held: list[tuple[msgspec.Struct, bytes]] = []

    def hear(self, ledger: Ledger, events: tuple[AnyEvent, ...], at_ms: int) -> None:
        """Checks a record before it is applied: no pair meets again before its pause has ended."""
        for event in events:
            match event:
                case OfferDeclined() | OfferExpired() | ContactConnectFailed():
                    leg = ledger.contacts[event.contact_id].leg(event.leg_id)
                    assert leg is not None
                    pause_ms = ledger.queues[leg_queue(ledger, leg)].decline_pause_ms
                    assert event.pause_until_ms == (at_ms + pause_ms if pause_ms else 0)
                    self._pauses[leg.contact_id, leg.agent_id] = event.pause_until_ms
                case OfferMade() if event.found is not Found.PICKED:
                    pair = (event.contact_id, event.agent_id)
                    assert self._pauses.get(pair, 0) <= at_ms, "the pair still pauses"
                case ContactEnqueued() | ContactStarted():
                    gone = [pair for pair in self._pauses if pair[0] == event.contact_id]
                    for pair in gone:
                        del self._pauses[pair]
                case SessionLost():
                    assert _graces(ledger, event.agent_id, at_ms) == {
                        grace.leg_id: grace.due_ms for grace in event.graces
                    }
                case _:
                    pass

    def look(self, pool: Pool) -> None:
        """Checks the state after one record against all that was seen before it."""
        ledger = pool.ledger
        self._follow(pool.take_changes(), ledger)
        for contact in ledger.contacts.values():
            key = (contact.contact_id, contact.sequence)
            waited_ms = contact.time_waited_ms(ledger.at_ms)
            assert waited_ms >= self._waited.get(key, 0), "time waited is never lost"
            self._waited[key] = waited_ms
            if contact.state is ContactState.ENDED:
                end = msgspec.msgpack.encode([contact.outcome, contact.ended_ms, contact.reason])
                assert end == self._ended.setdefault(key, end), "an ended contact stays ended"
            else:
                assert key not in self._ended

    def _follow(self, changes: Touched, ledger: Ledger) -> None:
        """What `take_changes` hands out, kept by its reader, is the ledger."""
        for record in (*changes.contacts.values(), *changes.agents.values()):
            self._held.append((record, msgspec.msgpack.encode(record)))
        self._contacts.update(changes.contacts)
        self._tickets.update(changes.tickets)
        for contact_id in changes.retired:
            del self._contacts[contact_id]
            self._tickets.pop(contact_id, None)
        self._legs.update(changes.legs)
        self._agents.update(changes.agents)
        assert self._tickets == ledger.tickets
        assert self._contacts.keys() == ledger.contacts.keys()
        assert all(self._contacts[each] is one for each, one in ledger.contacts.items())
        assert all(self._agents[each] is one for each, one in ledger.agents.items())
        for contact in ledger.contacts.values():
            assert all(self._legs[leg.leg_id] == leg for leg in contact.legs)

    def adopt(self, pool: Pool) -> None:
        """Takes over the records of a restored pool as if they had been handed out."""
        self._contacts.clear()
        self._legs.clear()
        self._agents.clear()
        self._tickets = dict(pool.ledger.tickets)
        self._contacts.update(pool.ledger.contacts)
        self._agents.update(pool.ledger.agents)
        for contact in pool.ledger.contacts.values():
            self._legs.update({leg.leg_id: leg for leg in contact.legs})

    def check_records_untouched(self) -> None:
        """A record that was handed out is still what it was: nothing is changed in place."""
        for record, encoded in self._held:
            assert encoded == msgspec.msgpack.encode(record)


def leg_queue(ledger: Ledger, leg: Leg) -> QueueName:
    """Returns the queue in which the leg's contact is."""
    return ledger.contacts[leg.contact_id].facts.queue


def _graces(ledger: Ledger, agent_id: AgentId, at_ms: int) -> dict[LegId, int]:
    """Returns when the agent's live contacts wait again, if its desktop is lost now."""
    graces: dict[LegId, int] = {}
    assert ledger.policy is not None
    for contact in ledger.contacts.values():
        leg = owner_of(contact)
        if leg is None or leg.agent_id != agent_id or leg.state is LegState.OFFERED:
            continue
        rules = ledger.policy.channel_rules(leg.channel)
        grace_ms = rules.lost_grace_ms if rules is not None else None
        if grace_ms is not None and leg_queue(ledger, leg) in ledger.queues:
            graces[leg.leg_id] = at_ms + grace_ms
    return graces
