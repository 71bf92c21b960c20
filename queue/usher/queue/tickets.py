"""Tickets: what a contact that walks in has beside what every contact has.

A ticket stands in the ledger under its contact's id, the kiosk's `join_id`. Where it stands
follows from the contact and its owner leg (`ticket_state`). Numbers come from series, one per line
of a branch, which begin anew with a service day and never go back to an earlier one.
"""

from enum import Enum
from typing import Final

from msgspec import Struct

from usher.queue.branches import BranchName, DeskId, Line, LineName, ServiceName
from usher.queue.state import Contact
from usher.queue.values import (
    NEVER_MS,
    AgentId,
    ClosedList,
    ContactId,
    ContactState,
    LegState,
    Outcome,
)

NO_DESK: Final = DeskId("")
PARTY_MAX = 100
NEEDS_MAX = 8


class TicketState(Enum):
    """Where a ticket stands: waiting <-> called -> serving -> ended; each may return to waiting."""

    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    ENDED = "ended"


class VisitOutcome(ClosedList):
    """How a visit ended: a closed list.

    The first three are the clerk's word (FinishServing); the others follow from what happened.
    """

    NONE = "none"
    SERVED = "served"
    UNRESOLVED = "unresolved"
    REFERRED = "referred"
    NO_SHOW = "no_show"
    LEFT = "left"
    REMOVED = "removed"
    CLOSED = "closed"
    LOST = "lost"


CLERKS_OUTCOMES: Final = (VisitOutcome.SERVED, VisitOutcome.UNRESOLVED, VisitOutcome.REFERRED)

_FOLLOWS: Final = {
    Outcome.NONE: VisitOutcome.NONE,
    Outcome.COMPLETED: VisitOutcome.SERVED,
    Outcome.ABANDONED: VisitOutcome.LEFT,
    Outcome.CANCELLED: VisitOutcome.REMOVED,
    Outcome.EXPIRED: VisitOutcome.CLOSED,
    Outcome.NO_SHOW: VisitOutcome.NO_SHOW,
    Outcome.LOST: VisitOutcome.LOST,
    Outcome.MOVED: VisitOutcome.REFERRED,
    Outcome.FAILED: VisitOutcome.NO_SHOW,
}


class Place(ClosedList):
    """Where a returned ticket stands in its line."""

    FIRST = "first"
    LAST = "last"


class Ticket(Struct, frozen=True, array_like=True, gc=False):
    """A visitor's ticket.

    `number` 0 and `label` '' = served without a ticket. `date`: its service day. `closes_ms`: it
    ends then if it is still in the line. `desk`: where it was called to or is served; NO_DESK while
    it waits, and with an agent who sits at none. `shift_ms` is added to the time from which it
    counts as waiting (after a return).
    """

    contact_id: ContactId
    branch: BranchName
    line: LineName
    service: ServiceName
    date: str
    number: int
    label: str
    closes_ms: int
    party_size: int = 1
    needs: tuple[str, ...] = ()
    desk: DeskId = NO_DESK
    calls: int = 0
    called_ms: int = NEVER_MS
    shift_ms: int = 0
    finished: VisitOutcome = VisitOutcome.NONE


class Series(Struct, frozen=True, array_like=True, gc=False):
    """How far the numbers of a line have come on its latest service day."""

    branch: BranchName
    line: LineName
    date: str
    last: int


class Seat(Struct, frozen=True, array_like=True, gc=False):
    """An open desk: who sits there since when."""

    desk: DeskId
    agent_id: AgentId
    since_ms: int


def ticket_state(contact: Contact) -> TicketState:
    """Returns where the ticket of this contact stands."""
    if contact.state is ContactState.ENDED:
        return TicketState.ENDED
    owner = contact.owner
    if owner is None or owner.state is LegState.OFFERED:
        return TicketState.WAITING
    return TicketState.CALLED if owner.state is LegState.JOINING else TicketState.SERVING


def visit_outcome(contact: Contact, ticket: Ticket) -> VisitOutcome:
    """Returns how the visit ended: the clerk's word, else what follows from the contact's end."""
    if ticket.finished is not VisitOutcome.NONE and contact.outcome is Outcome.COMPLETED:
        return ticket.finished
    return _FOLLOWS[contact.outcome]


def next_number(series: Series | None, line: Line, date: str) -> tuple[str, int]:
    """Returns (service day, number) of the next ticket.

    A date before the one that the series has reached (a branch that moved to another time zone)
    goes on in the later one: no number of a day comes twice.
    """
    if series is None or date > series.date:
        return date, line.start
    return series.date, series.last + 1


def label_of(line: Line, number: int) -> str:
    """Returns the number as it is shown, e.g. A007."""
    return f"{line.prefix}{number:0{line.width}d}"
