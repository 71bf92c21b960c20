"""Applies the events of a contact to the ledger: from arrival over talk and end to retirement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from usher.queue import events as e
from usher.queue.applying_legs import (
    begin_leg,
    change_leg,
    end_leg,
    leg_of,
    wrap_leg,
)
from usher.queue.applying_offers import begin_talk, pause
from usher.queue.lifecycle import move_contact
from usher.queue.state import Contact, Leg, copied, duplicate
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


def apply_contact(ledger: Ledger, event: e.ContactEvent, at_ms: int) -> None:
    """Applies one event of a contact."""
    match event:
        case e.ContactEnqueued(contact_id, facts, platform):
            ledger.put_contact(_arrived(ledger, contact_id, facts, platform, at_ms))
        case e.ContactStarted():
            _start(ledger, event, at_ms)
        case e.ContactsRetired(contact_ids):
            for contact_id in contact_ids:
                del ledger.contacts[contact_id]
            ledger.touched.retired.extend(contact_ids)
        case _:
            contact = duplicate(ledger.contacts[event.contact_id])
            _change(ledger, contact, event, at_ms)
            ledger.put_contact(contact)


_Change = (
    e.ContactUpdated
    | e.ContactConnected
    | e.ContactConnectFailed
    | e.ContactHeld
    | e.ContactResumed
    | e.ContactRequeued
    | e.EndingEvent
    | e.WrapUpFinished
    | e.PauseEnded
)


def _change(ledger: Ledger, contact: Contact, event: _Change, at_ms: int) -> None:
    match event:
        case e.ContactEnding():
            _end(ledger, contact, event, at_ms)
        case e.WrapUpFinished(leg_id=leg_id):
            end_leg(ledger, contact, leg_of(contact, leg_id), at_ms, LegEnd.COMPLETED)
        case e.ContactConnected():
            _connect(ledger, contact, event, at_ms)
        case _:
            _change_leg_or_facts(ledger, contact, event, at_ms)


_SmallChange = (
    e.ContactUpdated
    | e.ContactConnectFailed
    | e.ContactHeld
    | e.ContactResumed
    | e.ContactRequeued
    | e.PauseEnded
)


def _change_leg_or_facts(ledger: Ledger, contact: Contact, event: _SmallChange, at_ms: int) -> None:
    match event:
        case e.ContactUpdated(facts=facts):
            contact.facts = facts
        case e.ContactHeld(leg_id=leg_id):
            old = leg_of(contact, leg_id)
            held = copied(old, state=LegState.HELD, held_since_ms=at_ms)
            change_leg(ledger, contact, old, held)
        case e.ContactResumed(leg_id=leg_id):
            old = leg_of(contact, leg_id)
            hold_ms = old.hold_ms + at_ms - old.held_since_ms
            back = copied(old, state=LegState.ACTIVE, held_since_ms=NEVER_MS, hold_ms=hold_ms)
            change_leg(ledger, contact, old, back)
        case e.ContactConnectFailed():
            leg = leg_of(contact, event.leg_id)
            end_leg(ledger, contact, leg, at_ms, LegEnd.FAILED)
            contact.failures += 1
            contact.state = move_contact(contact.state, ContactState.WAITING)
            pause(ledger, contact, leg.agent_id, event.pause_until_ms)
        case e.ContactRequeued():
            _requeue(ledger, contact, event, at_ms)
        case e.PauseEnded(agent_id=agent_id):
            contact.pauses = {a: due for a, due in contact.pauses.items() if a != agent_id}
        case _:
            assert_never(event)


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
