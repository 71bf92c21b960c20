"""Decides how visitors come and go by themselves: join a line, leave it.

A ticket is a contact: it arrives like any other, and its ticket in the same record. The kiosk's
`join_id` is the contact's id, so a repeat finds the ticket whatever became of the first answer.
"""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from usher.queue.branches import Line, Service, ServiceDay
from usher.queue.commands import JoinLine, LeaveLine
from usher.queue.errors import Invalid, JoinIdReused, QueueFull
from usher.queue.events import AnyEvent, ContactAbandoned, ContactEnqueued
from usher.queue.ledger import Ledger
from usher.queue.ticket_events import TicketIssued
from usher.queue.tickets import (
    NEEDS_MAX,
    PARTY_MAX,
    Ticket,
    TicketState,
    label_of,
    next_number,
    ticket_state,
)
from usher.queue.values import Channel, ContactFacts, ContactId, NewContact
from usher.router.arrivals import check_queue, check_room, platform_of
from usher.router.branch_lookups import (
    check_kiosk_clock,
    known_branch,
    live_ticket,
    not_in_state,
    offered_service,
    open_day,
    open_desks,
)
from usher.router.lookups import retire_at_ms

if TYPE_CHECKING:
    from usher.router.matching import Matcher


def join_line(
    ledger: Ledger, matcher: "Matcher", command: JoinLine, at_ms: int
) -> tuple[AnyEvent, ...]:
    """Returns the arrival and the ticket; nothing for a repeat, whose ticket is there.

    Raises UnknownBranch, UnknownService, ServiceClosed, JoinIdReused, KioskClockWrong,
    BranchClosed, QueueFull, PoolFull and what the queue refuses.
    """
    contact_id = command.contact.contact_id
    if contact_id in ledger.contacts:
        _check_same(ledger, command, contact_id)
        return ()
    branch = known_branch(ledger, command.branch)
    service, line = offered_service(branch, ledger, command.service)
    check_party(command.party_size, command.needs)
    check_kiosk_clock(branch, command.kiosk_ms, at_ms)
    day = open_day(ledger, branch, at_ms)
    check_room(ledger, 1)
    facts = facts_of(command.contact, service)
    check_queue(ledger, facts)
    _check_most_waiting(ledger, matcher, command, facts)
    ticket = _ticket(ledger, matcher, command, line, day)
    platform = platform_of(command.actor)
    return (ContactEnqueued(contact_id, facts, platform), TicketIssued(contact_id, ticket))


def leave_line(ledger: Ledger, command: LeaveLine, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the visitor's leaving; raises UnknownTicket, TicketEnded, TicketNotInState."""
    contact, ticket = live_ticket(ledger, command.contact_id)
    state = ticket_state(contact)
    if state is TicketState.SERVING:
        raise not_in_state(ticket, state, TicketState.WAITING, TicketState.CALLED)
    retire_ms = retire_at_ms(ledger, contact, at_ms, 0)
    return (ContactAbandoned(contact.contact_id, 0, retire_ms, "left_line"),)


def facts_of(contact: NewContact, service: Service) -> ContactFacts:
    """Returns the facts of a visitor: in the service's queue, walked in."""
    return replace(contact.facts, queue=service.queue, channel=Channel.WALK_IN)


def check_party(party_size: int, needs: tuple[str, ...]) -> None:
    """Raises Invalid for a party or needs out of bounds."""
    if not 1 <= party_size <= PARTY_MAX:
        raise Invalid("party_size", f"1 to {PARTY_MAX} persons", party_size=party_size)
    if len(needs) > NEEDS_MAX:
        raise Invalid("needs", f"at most {NEEDS_MAX} codes", count=len(needs))


def _check_same(ledger: Ledger, command: JoinLine, contact_id: ContactId) -> None:
    """Raises JoinIdReused unless the contact is a ticket of this branch and line.

    A service that has left the branch meanwhile does not make the ticket another one.
    """
    ticket = ledger.tickets.get(contact_id)
    if ticket is not None and ticket.label and ticket.branch == command.branch:
        branch = ledger.branches.get(command.branch)
        line = branch.line_of(command.service) if branch is not None else None
        if line is None or line.name == ticket.line or command.service == ticket.service:
            return
    raise JoinIdReused(
        f"join id {contact_id!r} is in use by something else", join_id=contact_id, state="in use"
    )


def _check_most_waiting(
    ledger: Ledger, matcher: "Matcher", command: JoinLine, facts: ContactFacts
) -> None:
    """Raises QueueFull where more would wait at the branch than the queue allows and desks take."""
    branch, service = command.branch, command.service
    most_waiting = ledger.queues[facts.queue].most_waiting
    if most_waiting is None:
        return
    waiting = matcher.lobby.count(branch, facts.queue)
    free = sum(
        1
        for desk, agent_id, empty in open_desks(ledger, branch)
        if empty and desk.serves(service) and matcher.lobby.suits(agent_id, facts)
    )
    if waiting >= max(most_waiting, free):
        raise QueueFull(
            f"{waiting} tickets wait for {service!r} at branch {branch!r},"
            f" at most {most_waiting} may",
            queue=facts.queue,
            waiting=waiting,
            most_waiting=most_waiting,
        )


def _ticket(
    ledger: Ledger, matcher: "Matcher", command: JoinLine, line: Line, day: ServiceDay
) -> Ticket:
    """Returns the ticket with the next number whose label no live ticket shows.

    It may show one where a new version has renamed a line or changed prefixes.
    """
    branch = command.branch
    date, number = next_number(ledger.series.get((branch, line.name)), line, day.date)
    while matcher.lobby.shows(branch, date, label_of(line, number)):
        number += 1
    return Ticket(
        contact_id=command.contact.contact_id,
        branch=branch,
        line=line.name,
        service=command.service,
        date=date,
        number=number,
        label=label_of(line, number),
        closes_ms=day.closes_ms,
        party_size=command.party_size,
        needs=command.needs,
    )
