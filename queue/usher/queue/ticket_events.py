"""Events of tickets, desks and branches.

They stand beside the contact's own events: a call is an offer, its acceptance and `TicketCalled`,
in one record.
"""

from msgspec import Struct

from usher.queue.branches import Branches, Calendar, DeskId, ServiceName
from usher.queue.event import Event
from usher.queue.tickets import Ticket, VisitOutcome
from usher.queue.values import AgentId, ContactId, LegId


class TicketIssued(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The contact has this ticket; stands behind its arrival in the same record."""

    contact_id: ContactId
    ticket: Ticket


class TicketCalled(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The ticket is called to the desk; stands behind the offer and its acceptance."""

    contact_id: ContactId
    desk: DeskId


class TicketRecalled(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The ticket is called once more, and may come until `due_ms`."""

    contact_id: ContactId
    leg_id: LegId
    due_ms: int


class TicketTaken(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The visitor stands at this desk without having been called to it."""

    contact_id: ContactId
    desk: DeskId


class TicketReturned(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The ticket is back in its line; stands behind the re-queue. See `Ticket.shift_ms`."""

    contact_id: ContactId
    shift_ms: int


class TicketTransferred(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The ticket waits for another service; stands behind the re-queue."""

    contact_id: ContactId
    service: ServiceName


class TicketFinished(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The clerk's word on how the visit ends; stands before its completion."""

    contact_id: ContactId
    outcome: VisitOutcome


class DeskOpened(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The agent sits at the desk; a desk that it had before, and who had this one, are closed."""

    desk: DeskId
    agent_id: AgentId


class DeskClosed(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Nobody sits at the desk."""

    desk: DeskId


class BranchesSet(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The branches are now these; those left out while in use stand in them as closed."""

    branches: Branches


class ClosingMoved(Struct, frozen=True, array_like=True, gc=False):
    """A live ticket that now ends at another time if it is left."""

    contact_id: ContactId
    closes_ms: int


class CalendarSet(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Hours and service days are now these."""

    calendar: Calendar
    moved: tuple[ClosingMoved, ...]


TicketEvent = (
    TicketIssued
    | TicketCalled
    | TicketRecalled
    | TicketTaken
    | TicketReturned
    | TicketTransferred
    | TicketFinished
    | DeskOpened
    | DeskClosed
)
BranchEvent = BranchesSet | CalendarSet
