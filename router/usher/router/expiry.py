"""Decides what happens by itself: leases, joining and wrap-up limits, graces, pauses, retirement.

One pass takes due deadlines in order of time until one touches a contact or an agent that the pass
has already touched; the runner repeats passes while something is due. So each is decided on the
state that the earlier ones left.
"""

from typing import Final

from usher.queue.commands import ExpireDeadlines
from usher.queue.deadlines import Deadline, Due
from usher.queue.events import (
    AnyEvent,
    ContactExpired,
    ContactRequeued,
    ContactsRetired,
    OfferExpired,
    PauseEnded,
    PresenceSet,
    WrapUpFinished,
)
from usher.queue.ledger import Ledger
from usher.queue.state import Contact, Leg
from usher.queue.values import AgentId, ContactId, LegEnd, LegState, Presence
from usher.router.engagement import fail_joining
from usher.router.lookups import channel_rules, pause_until_ms, retire_at_ms

PASS_MAX = 256

END_OF_DAY = "end_of_day"
"""Reason of the end of a ticket that was left when its service day closed."""

MISSED_OFFERS = "missed_offers"
"""Reason of the not-ready presence of an agent that let offers time out."""

# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_RETIREMENT: Final = Due.RETIREMENT


def expire_deadlines(ledger: Ledger, command: ExpireDeadlines, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the events of one pass, at most PASS_MAX deadlines; empty if nothing is due."""
    events: list[AnyEvent] = []
    retired: list[ContactId] = []
    contacts: set[ContactId] = set()
    agents: set[AgentId] = set()
    for deadline in ledger.deadlines.due(at_ms, PASS_MAX):
        contact_id = deadline.contact_id
        if contact_id in contacts:
            break
        contacts.add(contact_id)
        if deadline.kind is _RETIREMENT:
            retired.append(contact_id)
            continue
        contact = ledger.contacts[contact_id]
        agent_id = _touched_agent(contact, deadline)
        if agent_id in agents:
            break
        if agent_id is not None:
            agents.add(agent_id)
        events.extend(_expire(ledger, contact, deadline, at_ms))
    if retired:
        events.append(ContactsRetired(tuple(retired)))
    return tuple(events)


def _touched_agent(contact: Contact, deadline: Deadline) -> AgentId | None:
    """Returns the agent whose record changes with the deadline, if there is one."""
    leg = contact.owner if deadline.kind is Due.CLOSING else contact.leg(deadline.leg_id)
    return None if leg is None else leg.agent_id


def _expire(
    ledger: Ledger, contact: Contact, deadline: Deadline, at_ms: int
) -> tuple[AnyEvent, ...]:
    if deadline.kind is Due.CLOSING:
        retire_ms = retire_at_ms(ledger, contact, at_ms, 0)
        return (ContactExpired(contact.contact_id, 0, retire_ms, END_OF_DAY),)
    if deadline.kind is Due.PAUSE:
        return (PauseEnded(contact.contact_id, deadline.agent_id),)
    leg = contact.leg(deadline.leg_id)
    if leg is None:
        return ()
    if deadline.kind is Due.GRACE:
        return (_requeued_as_lost(contact, leg),)
    if leg.state is LegState.OFFERED:
        return _expire_offer(ledger, contact, leg, at_ms)
    if leg.state is LegState.JOINING:
        return fail_joining(ledger, contact, leg, "joining_limit", at_ms)
    return (WrapUpFinished(contact.contact_id, leg.leg_id, "limit"),)


def _expire_offer(ledger: Ledger, contact: Contact, leg: Leg, at_ms: int) -> tuple[AnyEvent, ...]:
    pause_ms = pause_until_ms(ledger, contact, at_ms)
    expired = OfferExpired(contact.contact_id, leg.leg_id, pause_ms)
    agent = ledger.agents[leg.agent_id]
    missed_max = channel_rules(ledger, leg.channel).missed_offers_max
    missed = agent.missed.get(leg.channel, 0) + 1
    if agent.presence is Presence.READY and missed_max and missed >= missed_max:
        return (expired, PresenceSet(agent.agent_id, Presence.NOT_READY, MISSED_OFFERS))
    return (expired,)


def _requeued_as_lost(contact: Contact, leg: Leg) -> ContactRequeued:
    queue = contact.facts.queue
    return ContactRequeued(contact.contact_id, leg.leg_id, queue, LegEnd.LOST, 0, 0, "session_lost")
