"""Applies the events of an offer to the ledger: made, accepted, declined, expired, withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from usher.queue.applying_legs import agent_copy, begin_leg, change_leg, end_leg, leg_of
from usher.queue.events import (
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    OfferWithdrawn,
)
from usher.queue.lifecycle import move_contact
from usher.queue.state import Contact, Leg, duplicate
from usher.queue.values import (
    NEVER_MS,
    AgentId,
    ContactState,
    LegEnd,
    LegRole,
    LegState,
)

if TYPE_CHECKING:
    from usher.queue.ledger import Ledger


# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_OWNER: Final = LegRole.OWNER
_OFFERED: Final = LegState.OFFERED
_ACTIVE: Final = LegState.ACTIVE
_ENGAGED: Final = ContactState.ENGAGED


def _make(ledger: Ledger, contact: Contact, event: OfferMade, at_ms: int) -> None:
    leg = Leg(
        event.leg_id,
        event.contact_id,
        event.agent_id,
        contact.facts.channel,
        _OWNER,
        _OFFERED,
        event.price,
        event.wrap_up_price,
        event.due_ms,
        at_ms,
        event.score,
        event.policy_version,
        event.found,
    )
    begin_leg(ledger, contact, leg)
    ledger.deadlines.add_leg(leg)


def _accept(ledger: Ledger, contact: Contact, event: OfferAccepted, at_ms: int) -> None:
    old = leg_of(contact, event.leg_id)
    ledger.deadlines.take_back(old)
    new = duplicate(old)
    new.state = event.state
    new.due_ms = event.due_ms
    new.joined_ms = at_ms
    if event.state is _ACTIVE:
        begin_talk(contact, new, at_ms)
    else:
        ledger.deadlines.add_leg(new)
    change_leg(ledger, contact, old, new)
    contact.state = move_contact(contact.state, _ENGAGED)
    if ledger.agents[old.agent_id].missed:
        agent = agent_copy(ledger, old.agent_id)
        agent.missed = {name: n for name, n in agent.missed.items() if name != old.channel}
        ledger.put_agent(agent)


def _decline(ledger: Ledger, contact: Contact, event: OfferDeclined, at_ms: int) -> None:
    leg = leg_of(contact, event.leg_id)
    end_leg(ledger, contact, leg, at_ms, LegEnd.DECLINED)
    pause(ledger, contact, leg.agent_id, event.pause_until_ms)


def _expire(ledger: Ledger, contact: Contact, event: OfferExpired, at_ms: int) -> None:
    leg = leg_of(contact, event.leg_id)
    end_leg(ledger, contact, leg, at_ms, LegEnd.EXPIRED)
    pause(ledger, contact, leg.agent_id, event.pause_until_ms)
    _count_miss(ledger, leg)


def _withdraw(ledger: Ledger, contact: Contact, event: OfferWithdrawn, at_ms: int) -> None:
    leg = leg_of(contact, event.leg_id)
    end_leg(ledger, contact, leg, at_ms, LegEnd.WITHDRAWN)
    contact.state = move_contact(contact.state, ContactState.WAITING)


def begin_talk(contact: Contact, leg: Leg, at_ms: int) -> None:
    """The leg's copy is active from now: on the contact's copy the wait ends."""
    leg.state = _ACTIVE
    leg.active_ms = at_ms
    if leg.joined_ms == NEVER_MS:
        leg.joined_ms = at_ms
    if contact.waiting_since_ms != NEVER_MS:
        contact.waited_ms += max(0, at_ms - contact.waiting_since_ms)
        contact.waiting_since_ms = NEVER_MS
    if contact.answered_ms == NEVER_MS:
        contact.answered_ms = at_ms


def pause(ledger: Ledger, contact: Contact, agent_id: AgentId, until_ms: int) -> None:
    """The pair of the contact's copy and the agent pauses until then (0 = not at all)."""
    if until_ms:
        contact.pauses = {**contact.pauses, agent_id: until_ms}
        ledger.deadlines.add_pause(contact.contact_id, agent_id, until_ms)


def _count_miss(ledger: Ledger, leg: Leg) -> None:
    agent = agent_copy(ledger, leg.agent_id)
    agent.missed = {**agent.missed, leg.channel: agent.missed.get(leg.channel, 0) + 1}
    ledger.put_agent(agent)


CHANGES: Final[dict[type, Callable[..., None]]] = {
    OfferMade: _make,
    OfferAccepted: _accept,
    OfferDeclined: _decline,
    OfferExpired: _expire,
    OfferWithdrawn: _withdraw,
}
"""What each event does, given the ledger, a copy of its contact, the event and its time."""
