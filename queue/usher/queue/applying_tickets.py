"""Applies the events of branches, tickets and desks to the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from usher.queue import ticket_events as e
from usher.queue.applying_legs import change_leg, leg_of
from usher.queue.state import duplicate
from usher.queue.tickets import NO_DESK, Seat, Series, Ticket
from usher.queue.values import NEVER_MS, ContactId

if TYPE_CHECKING:
    from usher.queue.ledger import Ledger


def _issue(ledger: Ledger, event: e.TicketIssued, at_ms: int) -> None:
    ticket = event.ticket
    put_ticket(ledger, ticket)
    if ticket.label:
        ledger.series[ticket.branch, ticket.line] = Series(
            ticket.branch, ticket.line, ticket.date, ticket.number
        )
    ledger.deadlines.add_closing(ticket)


def _call(ledger: Ledger, event: e.TicketCalled, at_ms: int) -> None:
    ticket = ledger.tickets[event.contact_id]
    called = replace(ticket, desk=event.desk, calls=ticket.calls + 1, called_ms=at_ms)
    put_ticket(ledger, called)


def _recall(ledger: Ledger, event: e.TicketRecalled, at_ms: int) -> None:
    ticket = ledger.tickets[event.contact_id]
    put_ticket(ledger, replace(ticket, calls=ticket.calls + 1, called_ms=at_ms))
    contact = duplicate(ledger.contacts[event.contact_id])
    old = leg_of(contact, event.leg_id)
    waits_longer = duplicate(old)
    waits_longer.due_ms = event.due_ms
    change_leg(ledger, contact, old, waits_longer)
    ledger.put_contact(contact)
    ledger.deadlines.add_leg(waits_longer)


def _take(ledger: Ledger, event: e.TicketTaken, at_ms: int) -> None:
    put_ticket(ledger, replace(ledger.tickets[event.contact_id], desk=event.desk))


def _return(ledger: Ledger, event: e.TicketReturned, at_ms: int) -> None:
    put_ticket(ledger, replace(ledger.tickets[event.contact_id], shift_ms=event.shift_ms))


def _transfer(ledger: Ledger, event: e.TicketTransferred, at_ms: int) -> None:
    ticket = ledger.tickets[event.contact_id]
    put_ticket(ledger, replace(ticket, service=event.service, shift_ms=0))


def _finish(ledger: Ledger, event: e.TicketFinished, at_ms: int) -> None:
    put_ticket(ledger, replace(ledger.tickets[event.contact_id], finished=event.outcome))


def _open_desk(ledger: Ledger, event: e.DeskOpened, at_ms: int) -> None:
    ledger.leave_desk(event.agent_id)
    seat = ledger.seats.get(event.desk)
    if seat is not None:
        ledger.leave_desk(seat.agent_id)
    ledger.seats[event.desk] = Seat(event.desk, event.agent_id, at_ms)
    ledger.desk_of[event.agent_id] = event.desk
    ledger.touched.desks[event.desk] = None


def _close_desk(ledger: Ledger, event: e.DeskClosed, at_ms: int) -> None:
    seat = ledger.seats.get(event.desk)
    if seat is not None:
        ledger.leave_desk(seat.agent_id)


def _set_branches(ledger: Ledger, event: e.BranchesSet, at_ms: int) -> None:
    ledger.set_branches(event.branches)
    for desk in [desk for desk in ledger.seats if desk not in ledger.desks]:
        ledger.leave_desk(ledger.seats[desk].agent_id)


def _set_calendar(ledger: Ledger, event: e.CalendarSet, at_ms: int) -> None:
    ledger.set_calendar(event.calendar)
    for moved in event.moved:
        ticket = replace(ledger.tickets[moved.contact_id], closes_ms=moved.closes_ms)
        put_ticket(ledger, ticket)
        ledger.deadlines.add_closing(ticket)


def put_ticket(ledger: Ledger, ticket: Ticket) -> None:
    """Puts a ticket in place. For the applying modules only."""
    ledger.tickets[ticket.contact_id] = ticket
    ledger.touched.tickets[ticket.contact_id] = ticket


def back_in_line(ledger: Ledger, contact_id: ContactId) -> None:
    """The contact waits again, whatever brought it back: its ticket is at no desk."""
    ticket = replace(ledger.tickets[contact_id], desk=NO_DESK, called_ms=NEVER_MS)
    put_ticket(ledger, ticket)
    ledger.deadlines.add_closing(ticket)


def forget_ticket(ledger: Ledger, contact_id: ContactId) -> None:
    """The contact has left the pool, and its ticket with it.

    One that was touched in the same batch is told of with it: it may have ended just now.
    """
    ticket = ledger.tickets.pop(contact_id, None)
    if ticket is not None and contact_id in ledger.touched.contacts:
        ledger.touched.tickets[contact_id] = ticket


CHANGES: Final[dict[type, Callable[..., None]]] = {
    e.TicketIssued: _issue,
    e.TicketCalled: _call,
    e.TicketRecalled: _recall,
    e.TicketTaken: _take,
    e.TicketReturned: _return,
    e.TicketTransferred: _transfer,
    e.TicketFinished: _finish,
    e.DeskOpened: _open_desk,
    e.DeskClosed: _close_desk,
    e.BranchesSet: _set_branches,
    e.CalendarSet: _set_calendar,
}
"""What each event does, given the ledger, the event and its time."""
