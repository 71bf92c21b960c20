"""Decides what becomes of a visitor at a desk: served, gone back, sent on, not come.

What a clerk reports as fact (the visitor is here, was served without a ticket) is never refused for
capacity or skill; it stops offers to the clerk until there is room again.
"""

from typing import TYPE_CHECKING

from usher.queue.branches import Branch, LineName, ServiceDay, desk_id_of
from usher.queue.commands import (
    CompleteContact,
    ConnectContact,
    FinishServing,
    MarkNoShow,
    RequeueContact,
    ReturnTicket,
    ServeWithoutTicket,
    StartServing,
    TransferTicket,
)
from usher.queue.errors import Invalid, JoinIdReused
from usher.queue.events import AnyEvent, ContactNoShow, ContactStarted
from usher.queue.ledger import Ledger
from usher.queue.lifecycle import TALKING_LEGS
from usher.queue.state import Contact
from usher.queue.ticket_events import (
    TicketFinished,
    TicketIssued,
    TicketReturned,
    TicketTransferred,
)
from usher.queue.tickets import (
    CLERKS_OUTCOMES,
    Place,
    Ticket,
    TicketState,
    ticket_state,
)
from usher.queue.values import Channel, ContactId, LegId, LegState, QueueName
from usher.router.arrivals import check_queue, platform_of
from usher.router.branch_lookups import (
    agent_at_desk,
    at_another_desk,
    known_branch,
    known_desk,
    offered_service,
    open_desk_of,
    ticket_at_branch,
    ticket_of_desk,
)
from usher.router.engagement import complete_contact, connect_contact, requeued
from usher.router.lookups import retire_at_ms
from usher.router.offers import price_of, withdraw_what_no_longer_fits
from usher.router.walk_ins import check_party, facts_of

if TYPE_CHECKING:
    from usher.router.matching import Matcher

DAY_MS = 24 * 3600 * 1000


def start_serving(ledger: Ledger, command: StartServing, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns that the visitor is at the desk, also one who came uncalled or to the wrong desk.

    Raises UnknownTicket, TicketEnded, TicketAtAnotherDesk if another desk serves the visitor.
    """
    desk = known_desk(ledger, command.branch, command.desk)
    contact, ticket = ticket_at_branch(ledger, command)
    state = ticket_state(contact)
    if ticket.desk == desk.desk_id:  # its clerk may have signed out or lost the desktop since
        agent_at_desk(ledger, command)
        return connect_contact(ledger, ConnectContact(command.actor, contact.contact_id), at_ms)
    _, agent = open_desk_of(ledger, command)
    if state is TicketState.SERVING and ticket.desk:
        raise at_another_desk(ticket, state)
    connect = ConnectContact(command.actor, contact.contact_id, agent.agent_id)
    return connect_contact(ledger, connect, at_ms)


def mark_no_show(ledger: Ledger, command: MarkNoShow, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the end of a ticket whose visitor did not come to this desk."""
    agent_at_desk(ledger, command)
    contact, _ = ticket_of_desk(ledger, command, TicketState.CALLED)
    retire_ms = retire_at_ms(ledger, contact, at_ms, 0)
    return (ContactNoShow(contact.contact_id, 0, retire_ms, "marked"),)


def return_ticket(
    ledger: Ledger, matcher: "Matcher", command: ReturnTicket, at_ms: int
) -> tuple[AnyEvent, ...]:
    """Returns the ticket's way back to its line: before all others there, or behind them."""
    agent_at_desk(ledger, command)
    contact, ticket = ticket_of_desk(ledger, command, TicketState.CALLED, TicketState.SERVING)
    back = _back(ledger, contact, command, contact.facts.queue, at_ms)
    counts_from_ms = _counts_from_ms(contact, at_ms)
    ends = matcher.lobby.ends_ms(ticket.branch, contact.facts.queue)
    if command.place is Place.LAST:
        shift_ms = max(at_ms, ends[1] + 1 if ends is not None else at_ms) - counts_from_ms
    else:
        shift_ms = min(0, ends[0] - 1 - counts_from_ms) if ends is not None else 0
    return (*back, TicketReturned(contact.contact_id, shift_ms))


def transfer_ticket(ledger: Ledger, command: TransferTicket, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the ticket's way to another service, with the time waited so far.

    Raises what the branch and the new service's queue refuse, Invalid for the same service.
    """
    agent_at_desk(ledger, command)
    contact, ticket = ticket_of_desk(ledger, command, TicketState.CALLED, TicketState.SERVING)
    branch = known_branch(ledger, ticket.branch)
    service, _ = offered_service(branch, ledger, command.service)
    if command.service == ticket.service:
        raise Invalid("service", "another one than the ticket's", service=command.service)
    back = _back(ledger, contact, command, service.queue, at_ms)
    return (*back, TicketTransferred(contact.contact_id, command.service))


def finish_serving(ledger: Ledger, command: FinishServing, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the end of the visit with the clerk's outcome."""
    agent_at_desk(ledger, command)
    if command.outcome not in CLERKS_OUTCOMES:
        allowed = ", ".join(each.value for each in CLERKS_OUTCOMES)
        raise Invalid("outcome", f"one of {allowed}", outcome=command.outcome.value)
    contact, _ = ticket_of_desk(ledger, command, TicketState.SERVING)
    complete = CompleteContact(
        command.actor, contact.contact_id, command.disposition, command.resolved
    )
    finished = TicketFinished(contact.contact_id, command.outcome)
    return (finished, *complete_contact(ledger, complete, at_ms))


def serve_without_ticket(
    ledger: Ledger, command: ServeWithoutTicket, at_ms: int
) -> tuple[AnyEvent, ...]:
    """Returns the start of a visit without a ticket; a fact, also after closing time.

    Nothing for a repeat. Raises JoinIdReused, and what branch, service and desk refuse.
    """
    _, agent = open_desk_of(ledger, command)
    branch = known_branch(ledger, command.branch)
    service, _ = offered_service(branch, ledger, command.service)
    contact_id = command.contact.contact_id
    if contact_id in ledger.contacts:
        _check_here(ledger, command, contact_id)
        return ()
    check_party(command.party_size, ())
    facts = facts_of(command.contact, service)
    check_queue(ledger, facts)
    price, wrap_up_price = price_of(ledger, agent.agent_id, Channel.WALK_IN)
    started = ContactStarted(
        contact_id,
        facts,
        platform_of(command.actor),
        LegId(f"{contact_id}.1"),
        agent.agent_id,
        LegState.ACTIVE,
        price,
        wrap_up_price,
        0,
    )
    issued = TicketIssued(contact_id, _without_number(ledger, command, branch, at_ms))
    withdrawn = withdraw_what_no_longer_fits(ledger, agent.agent_id, Channel.WALK_IN, price)
    return (started, issued, *withdrawn)


def _back(
    ledger: Ledger,
    contact: Contact,
    command: ReturnTicket | TransferTicket,
    queue: QueueName,
    at_ms: int,
) -> tuple[AnyEvent, ...]:
    requeue = RequeueContact(command.actor, contact.contact_id, queue, command.reason)
    return requeued(ledger, contact, requeue, at_ms, pauses=False)


def _counts_from_ms(contact: Contact, at_ms: int) -> int:
    """Returns from when the contact will count as waiting once it is back, without a shift."""
    owner = contact.owner
    if owner is not None and owner.state in TALKING_LEGS:
        return at_ms - contact.waited_ms
    return contact.order_ms


def _check_here(ledger: Ledger, command: ServeWithoutTicket, contact_id: ContactId) -> None:
    """Raises JoinIdReused unless the contact is a visit without a ticket at this desk."""
    ticket = ledger.tickets.get(contact_id)
    here = desk_id_of(command.branch, command.desk)
    if ticket is not None and not ticket.label and ticket.desk == here:
        return
    raise JoinIdReused(
        f"join id {contact_id!r} is in use by something else", join_id=contact_id, state="in use"
    )


def _without_number(
    ledger: Ledger, command: ServeWithoutTicket, branch: Branch, at_ms: int
) -> Ticket:
    days = ledger.days.get(branch.name)
    day: ServiceDay | None = days.day_at(at_ms) if days is not None else None
    line = branch.line_of(command.service)
    return Ticket(
        contact_id=command.contact.contact_id,
        branch=branch.name,
        line=line.name if line is not None else LineName(""),
        service=command.service,
        date=day.date if day is not None else "",
        number=0,
        label="",
        closes_ms=day.closes_ms if day is not None else at_ms + DAY_MS,
        party_size=command.party_size,
        desk=desk_id_of(command.branch, command.desk),
    )
