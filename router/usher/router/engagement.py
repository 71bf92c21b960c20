"""Decides what happens between contact and agent: connect, fail, hold, complete, re-queue, end.

What a platform reports as fact is never refused for capacity; only an ended contact refuses it.
"""

from typing import Final

from usher.queue.commands import (
    AbandonContact,
    CancelContact,
    CompleteContact,
    ConnectContact,
    ConnectFailed,
    FinishWrapUp,
    HoldContact,
    RequeueContact,
    ResumeContact,
)
from usher.queue.errors import (
    ContactNotEngaged,
    Invalid,
    LegNotInState,
    NotYourOffer,
    QueueClosed,
    UnknownLeg,
    UnknownQueue,
)
from usher.queue.events import (
    AnyEvent,
    ContactAbandoned,
    ContactCancelled,
    ContactCompleted,
    ContactConnected,
    ContactConnectFailed,
    ContactFailed,
    ContactHeld,
    ContactNoShow,
    ContactRequeued,
    ContactResumed,
    WrapUpFinished,
)
from usher.queue.ledger import Ledger
from usher.queue.lifecycle import TALKING_LEGS
from usher.queue.state import Contact, Leg
from usher.queue.ticket_events import TicketTaken
from usher.queue.tickets import NO_DESK
from usher.queue.values import AgentId, ContactId, LegEnd, LegId, LegState, QueueName
from usher.router.lookups import (
    agent_in_session,
    channel_rules,
    known_agent,
    live_contact,
    pause_until_ms,
    queue_rules,
    retire_at_ms,
    wrap_until_ms,
)
from usher.router.offers import price_of, withdraw_what_no_longer_fits

_NO_LEG = LegId("")

# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_ACTIVE: Final = LegState.ACTIVE
_HELD: Final = LegState.HELD


def connect_contact(ledger: Ledger, command: ConnectContact, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the connection as the platform saw it; nothing if it is already so.

    With another agent than the owner's, the old leg ends as moved (an offer as withdrawn). A ticket
    is at that agent's desk then, if there is one and it is of the ticket's branch.
    """
    contact = live_contact(ledger, command.contact_id)
    owner = contact.owner
    agent_id = command.agent_id or (owner.agent_id if owner is not None else None)
    if agent_id is None:
        raise ContactNotEngaged(
            f"contact {contact.contact_id!r} has no agent: name the one it is connected with",
            contact_id=contact.contact_id,
            state=contact.state.value,
        )
    known_agent(ledger, agent_id)
    taken = _at_the_desk_of(ledger, contact, agent_id)
    if owner is not None and owner.agent_id == agent_id:
        return (*_connect_owner(contact, owner), *taken)
    price, wrap_up_price = price_of(ledger, agent_id, contact.facts.channel)
    connected = ContactConnected(
        contact.contact_id,
        LegId(f"{contact.contact_id}.{contact.leg_count + 1}"),
        agent_id,
        price,
        wrap_up_price,
        owner.leg_id if owner is not None else _NO_LEG,
        _replaced_end(owner),
    )
    withdrawn = withdraw_what_no_longer_fits(ledger, agent_id, contact.facts.channel, price)
    return (connected, *withdrawn, *taken)


def _at_the_desk_of(ledger: Ledger, contact: Contact, agent_id: AgentId) -> tuple[TicketTaken, ...]:
    ticket = ledger.tickets.get(contact.contact_id)
    if ticket is None:
        return ()
    seat = ledger.desk_of.get(agent_id)
    here = seat is not None and ledger.desks[seat].branch == ticket.branch
    desk = seat if seat is not None and here else NO_DESK
    return () if ticket.desk == desk else (TicketTaken(contact.contact_id, desk),)


def _connect_owner(contact: Contact, owner: Leg) -> tuple[AnyEvent, ...]:
    if owner.state in TALKING_LEGS:
        return ()
    return (
        ContactConnected(
            contact.contact_id,
            owner.leg_id,
            owner.agent_id,
            owner.price,
            owner.wrap_up_price,
            _NO_LEG,
            LegEnd.NONE,
        ),
    )


def _replaced_end(owner: Leg | None) -> LegEnd:
    if owner is None:
        return LegEnd.NONE
    return LegEnd.WITHDRAWN if owner.state is LegState.OFFERED else LegEnd.MOVED


def connect_failed(ledger: Ledger, command: ConnectFailed, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the failure of a joining leg; raises LegNotInState without one."""
    contact = live_contact(ledger, command.contact_id)
    owner = contact.owner
    if owner is None or owner.state is not LegState.JOINING:
        raise _leg_refused(contact, owner, "joining")
    return fail_joining(ledger, contact, owner, command.reason, at_ms)


def fail_joining(
    ledger: Ledger, contact: Contact, leg: Leg, reason: str, at_ms: int
) -> tuple[AnyEvent, ...]:
    """Returns what a failed joining leads to: waiting again, or the end after too many.

    Work begun outside that never had a queue cannot wait: its first failure is the end.
    """
    rules = channel_rules(ledger, contact.facts.channel)
    if contact.failures + 1 >= rules.failures_max or queue_rules(ledger, contact) is None:
        end = ContactNoShow if rules.failure_is_no_show else ContactFailed
        return (end(contact.contact_id, 0, retire_at_ms(ledger, contact, at_ms, 0), reason),)
    pause_ms = pause_until_ms(ledger, contact, at_ms)
    return (ContactConnectFailed(contact.contact_id, leg.leg_id, pause_ms, reason),)


def hold_contact(ledger: Ledger, command: HoldContact, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the hold; raises LegNotInState unless the owner is active."""
    contact = live_contact(ledger, command.contact_id)
    owner = contact.owner
    if owner is None or owner.state is not LegState.ACTIVE:
        raise _leg_refused(contact, owner, "active")
    return (ContactHeld(contact.contact_id, owner.leg_id),)


def resume_contact(ledger: Ledger, command: ResumeContact, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the end of the hold; raises LegNotInState unless the owner holds."""
    contact = live_contact(ledger, command.contact_id)
    owner = contact.owner
    if owner is None or owner.state is not LegState.HELD:
        raise _leg_refused(contact, owner, "held")
    return (ContactResumed(contact.contact_id, owner.leg_id),)


def complete_contact(ledger: Ledger, command: CompleteContact, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the end of the work with the customer; raises LegNotInState unless in talk."""
    contact = live_contact(ledger, command.contact_id)
    owner = contact.owner
    if owner is None or not _talking(owner):
        raise _leg_refused(contact, owner, "active or held")
    wrap_until = wrap_until_ms(ledger, contact, at_ms)
    return (
        ContactCompleted(
            contact.contact_id,
            wrap_until,
            retire_at_ms(ledger, contact, at_ms, wrap_until),
            "",
            command.disposition,
            command.resolved,
        ),
    )


def _talking(leg: Leg) -> bool:
    return leg.state is _ACTIVE or leg.state is _HELD


def abandon_contact(ledger: Ledger, command: AbandonContact, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the customer's leaving: abandoned before an agent was active, else completed."""
    contact = live_contact(ledger, command.contact_id)
    owner = contact.owner
    if owner is not None and _talking(owner):
        wrap_until = wrap_until_ms(ledger, contact, at_ms)
        retire_ms = retire_at_ms(ledger, contact, at_ms, wrap_until)
        return (ContactCompleted(contact.contact_id, wrap_until, retire_ms, "customer_left"),)
    return (ContactAbandoned(contact.contact_id, 0, retire_at_ms(ledger, contact, at_ms, 0), ""),)


def cancel_contact(ledger: Ledger, command: CancelContact, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the contact's end as cancelled, whatever it was doing."""
    contact = live_contact(ledger, command.contact_id)
    owner = contact.owner
    talking = owner is not None and _talking(owner)
    wrap_until = wrap_until_ms(ledger, contact, at_ms) if talking else 0
    retire_ms = retire_at_ms(ledger, contact, at_ms, wrap_until)
    return (ContactCancelled(contact.contact_id, wrap_until, retire_ms, command.reason),)


def requeue_contact(ledger: Ledger, command: RequeueContact, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the contact's way back to waiting, with the time waited so far.

    An agent that gives a contact away, or back to its own queue, is not asked for it for a while.
    """
    contact = live_contact(ledger, command.contact_id)
    if command.queue not in ("", contact.facts.queue) and contact.contact_id in ledger.tickets:
        raise Invalid("queue", "a ticket goes to another service: TransferTicket")
    return requeued(ledger, contact, command, at_ms, pauses=True)


def requeued(
    ledger: Ledger, contact: Contact, command: RequeueContact, at_ms: int, *, pauses: bool
) -> tuple[AnyEvent, ...]:
    """Returns the way back to waiting; with `pauses` the pair pauses where the agent gave it away.

    Raises UnknownQueue, QueueClosed.
    """
    queue = _target_queue(ledger, contact, command.queue)
    owner = contact.owner
    if owner is None:
        leg_id, wrap_until, pause_ms = _NO_LEG, 0, 0
    else:
        leg_id = owner.leg_id
        wrap_until = wrap_until_ms(ledger, contact, at_ms) if _talking(owner) else 0
        asked_again = _talking(owner) or queue == contact.facts.queue
        pause_ms = pause_until_ms(ledger, contact, at_ms) if asked_again and pauses else 0
    end = LegEnd.REQUEUED if owner is not None and _talking(owner) else LegEnd.WITHDRAWN
    return (
        ContactRequeued(
            contact.contact_id, leg_id, queue, end, wrap_until, pause_ms, command.reason
        ),
    )


def _target_queue(ledger: Ledger, contact: Contact, name: QueueName) -> QueueName:
    target = name or contact.facts.queue
    queue = ledger.queues.get(target)
    if queue is None:
        raise UnknownQueue(f"no queue {target!r} in the policy", queue=target)
    if queue.closed and target != contact.facts.queue:
        raise QueueClosed(f"queue {target!r} is closed", queue=target, state="closed")
    if queue.channels and contact.facts.channel not in queue.channels:
        raise QueueClosed(
            f"queue {target!r} does not take channel {contact.facts.channel!r}",
            queue=target,
            channel=contact.facts.channel,
        )
    return target


def finish_wrap_up(ledger: Ledger, command: FinishWrapUp, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the end of a leg's wrap-up; raises UnknownLeg, NotYourOffer, LegNotInState."""
    agent = agent_in_session(ledger, command, command.agent_id, command.session)
    contact_id = ContactId(command.leg_id.rpartition(".")[0])
    contact = ledger.contacts.get(contact_id)
    leg = contact.leg(command.leg_id) if contact is not None else None
    if contact is None or leg is None:
        raise UnknownLeg(f"no leg {command.leg_id!r} in this pool", leg_id=command.leg_id)
    if leg.agent_id != agent.agent_id:
        raise NotYourOffer(f"leg {leg.leg_id!r} is another agent's", leg_id=leg.leg_id)
    if leg.state is not LegState.WRAPPING:
        raise _leg_refused(contact, leg, "wrapping")
    return (WrapUpFinished(contact_id, leg.leg_id, "agent"),)


def _leg_refused(contact: Contact, leg: Leg | None, needed: str) -> LegNotInState:
    state = "none" if leg is None else leg.state.value
    return LegNotInState(
        f"the owner leg of contact {contact.contact_id!r} is {state}, not {needed}",
        contact_id=contact.contact_id,
        state=contact.state.value,
        leg_state=state,
        needed=needed,
    )
