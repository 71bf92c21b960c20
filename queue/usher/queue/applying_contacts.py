"""Applies the events of a contact to the ledger: from arrival over talk and end to retirement."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from usher.queue import events as e
from usher.queue.applying_legs import (
    begin_leg,
    change_leg,
    end_leg,
    leg_of,
    wrap_leg,
)
from usher.queue.applying_offers import begin_talk, pause
from usher.queue.applying_tickets import back_in_line, forget_ticket
from usher.queue.lifecycle import move_contact
from usher.queue.state import Contact, Leg, copied
from usher.queue.values import (
    NEVER_MS,
    AgentId,
    ContactFacts,
    ContactId,
    ContactState,
    LegEnd,
    LegId,
    LegRole,
    LegState,
    Outcome,
    QueueName,
)

if TYPE_CHECKING:
    from usher.queue.ledger import Ledger


# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_WAITING: Final = ContactState.WAITING
_ENDED: Final = ContactState.ENDED
_DONE: Final = LegState.DONE
_WRAPPING: Final = LegState.WRAPPING


def _enqueue(ledger: Ledger, event: e.ContactEnqueued, at_ms: int) -> None:
    contact = _arrived(ledger, event.contact_id, event.facts, event.platform, at_ms)
    ledger.put_contact(contact)


def _arrived(
    ledger: Ledger, contact_id: ContactId, facts: ContactFacts, platform: str, at_ms: int
) -> Contact:
    ledger.contacts_seen += 1
    ledger.live_count += 1
    return Contact(
        contact_id,
        facts,
        platform,
        ledger.contacts_seen,
        _WAITING,
        at_ms,
        at_ms,
        facts.waited_ms,
        0,
    )


def _start(ledger: Ledger, event: e.ContactStarted, at_ms: int) -> None:
    contact = _arrived(ledger, event.contact_id, event.facts, event.platform, at_ms)
    leg = _new_leg(contact, event.leg_id, event.agent_id, event.price, at_ms)
    leg.wrap_up_price = event.wrap_up_price
    leg.due_ms = event.due_ms
    leg.joined_ms = at_ms
    contact.state = move_contact(contact.state, ContactState.ENGAGED)
    if event.state is LegState.ACTIVE:
        begin_talk(contact, leg, at_ms)
    else:
        leg.state = LegState.JOINING
        ledger.deadlines.add_leg(leg)
    begin_leg(ledger, contact, leg)
    ledger.put_contact(contact)


def _retire(ledger: Ledger, event: e.ContactsRetired, at_ms: int) -> None:
    for contact_id in event.contact_ids:
        del ledger.contacts[contact_id]
        if contact_id in ledger.tickets:
            forget_ticket(ledger, contact_id)
    ledger.touched.retired.extend(event.contact_ids)


def _new_leg(contact: Contact, leg_id: LegId, agent_id: AgentId, price: int, at_ms: int) -> Leg:
    channel = contact.facts.channel
    state = LegState.ACTIVE
    return Leg(
        leg_id, contact.contact_id, agent_id, channel, LegRole.OWNER, state, price, 0, 0, at_ms
    )


def _connect(ledger: Ledger, contact: Contact, event: e.ContactConnected, at_ms: int) -> None:
    if event.replaced_leg_id:
        replaced = leg_of(contact, event.replaced_leg_id)
        end_leg(ledger, contact, replaced, at_ms, event.replaced_end)
    old = contact.leg(event.leg_id)
    if old is None:
        leg = _new_leg(contact, event.leg_id, event.agent_id, event.price, at_ms)
        leg.wrap_up_price = event.wrap_up_price
        begin_talk(contact, leg, at_ms)
        begin_leg(ledger, contact, leg)
    else:
        leg = copied(old)
        begin_talk(contact, leg, at_ms)
        change_leg(ledger, contact, old, leg)
        _forget_misses(ledger, leg)
    contact.state = move_contact(contact.state, ContactState.ENGAGED)


def _fail_to_connect(
    ledger: Ledger, contact: Contact, event: e.ContactConnectFailed, at_ms: int
) -> None:
    leg = leg_of(contact, event.leg_id)
    end_leg(ledger, contact, leg, at_ms, LegEnd.FAILED)
    contact.failures += 1
    contact.state = move_contact(contact.state, ContactState.WAITING)
    pause(ledger, contact, leg.agent_id, event.pause_until_ms)
    if contact.contact_id in ledger.tickets:
        back_in_line(ledger, contact.contact_id)


def _update(ledger: Ledger, contact: Contact, event: e.ContactUpdated, at_ms: int) -> None:
    contact.facts = event.facts


def _hold(ledger: Ledger, contact: Contact, event: e.ContactHeld, at_ms: int) -> None:
    old = leg_of(contact, event.leg_id)
    change_leg(ledger, contact, old, copied(old, state=LegState.HELD, held_since_ms=at_ms))


def _resume(ledger: Ledger, contact: Contact, event: e.ContactResumed, at_ms: int) -> None:
    old = leg_of(contact, event.leg_id)
    hold_ms = old.hold_ms + at_ms - old.held_since_ms
    back = copied(old, state=LegState.ACTIVE, held_since_ms=NEVER_MS, hold_ms=hold_ms)
    change_leg(ledger, contact, old, back)


def _end_pause(ledger: Ledger, contact: Contact, event: e.PauseEnded, at_ms: int) -> None:
    contact.pauses = {a: due for a, due in contact.pauses.items() if a != event.agent_id}


def _finish_wrap_up(ledger: Ledger, contact: Contact, event: e.WrapUpFinished, at_ms: int) -> None:
    end_leg(ledger, contact, leg_of(contact, event.leg_id), at_ms, LegEnd.COMPLETED)


def _forget_misses(ledger: Ledger, leg: Leg) -> None:
    agent = ledger.agents[leg.agent_id]
    if leg.channel in agent.missed:
        missed = {name: n for name, n in agent.missed.items() if name != leg.channel}
        ledger.put_agent(copied(agent, missed=missed))


def _requeue(ledger: Ledger, contact: Contact, event: e.ContactRequeued, at_ms: int) -> None:
    if event.leg_id:
        leg = leg_of(contact, event.leg_id)
        if event.wrap_until_ms:
            wrap_leg(ledger, contact, leg, at_ms, event.wrap_until_ms)
        else:
            end_leg(ledger, contact, leg, at_ms, event.end)
        pause(ledger, contact, leg.agent_id, event.pause_until_ms)
    if event.queue != contact.facts.queue:
        contact.facts = _in_queue(contact.facts, event.queue)
    contact.state = move_contact(contact.state, ContactState.WAITING)
    if contact.waiting_since_ms == NEVER_MS:
        contact.waiting_since_ms = at_ms
    if contact.contact_id in ledger.tickets:
        back_in_line(ledger, contact.contact_id)


def _in_queue(facts: ContactFacts, queue: QueueName) -> ContactFacts:
    return ContactFacts(
        queue, *(getattr(facts, name) for name in ContactFacts.__struct_fields__[1:])
    )


_OUTCOMES: Final[dict[type, Outcome]] = {
    e.ContactCompleted: Outcome.COMPLETED,
    e.ContactAbandoned: Outcome.ABANDONED,
    e.ContactCancelled: Outcome.CANCELLED,
    e.ContactLost: Outcome.LOST,
    e.ContactFailed: Outcome.FAILED,
    e.ContactNoShow: Outcome.NO_SHOW,
    e.ContactExpired: Outcome.EXPIRED,
}


def _end(ledger: Ledger, contact: Contact, event: e.EndingEvent, at_ms: int) -> None:
    outcome = _OUTCOMES[type(event)]
    if isinstance(event, e.ContactCompleted):
        contact.disposition = event.disposition
        contact.resolved = event.resolved
    for leg in contact.legs:
        if leg.state is _DONE or leg.state is _WRAPPING:
            continue
        if leg.active_ms == NEVER_MS:
            failed = outcome is Outcome.FAILED or outcome is Outcome.NO_SHOW
            end_leg(ledger, contact, leg, at_ms, LegEnd.FAILED if failed else LegEnd.WITHDRAWN)
        elif event.wrap_until_ms:
            wrap_leg(ledger, contact, leg, at_ms, event.wrap_until_ms)
        else:
            end = LegEnd.LOST if outcome is Outcome.LOST else LegEnd.COMPLETED
            end_leg(ledger, contact, leg, at_ms, end)
    if contact.waiting_since_ms != NEVER_MS:
        contact.waited_ms += max(0, at_ms - contact.waiting_since_ms)
        contact.waiting_since_ms = NEVER_MS
    contact.state = move_contact(contact.state, _ENDED)
    contact.outcome = outcome
    contact.reason = event.reason
    contact.ended_ms = at_ms
    contact.retire_ms = event.retire_at_ms
    contact.pauses = {}
    ledger.live_count -= 1
    ledger.deadlines.add_retirement(contact)


CHANGES: Final[dict[type, Callable[..., None]]] = {
    e.ContactUpdated: _update,
    e.ContactConnected: _connect,
    e.ContactConnectFailed: _fail_to_connect,
    e.ContactHeld: _hold,
    e.ContactResumed: _resume,
    e.ContactRequeued: _requeue,
    e.WrapUpFinished: _finish_wrap_up,
    e.PauseEnded: _end_pause,
    **dict.fromkeys(_OUTCOMES, _end),
}
"""What each event does, given the ledger, a copy of its contact, the event and its time."""

ARRIVALS: Final[dict[type, Callable[..., None]]] = {
    e.ContactEnqueued: _enqueue,
    e.ContactStarted: _start,
    e.ContactsRetired: _retire,
}
"""The events that bring contacts or take them away, given the ledger, the event and its time."""
