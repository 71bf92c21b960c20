"""Tickets as a client is told of them, with plain values but for those given."""

from datetime import timedelta
from typing import Any

from usher.queue.tickets import TicketState, VisitOutcome
from usher.router.client import Ticket

_PLAIN: dict[str, Any] = {
    "branch": "north",
    "line": "cash",
    "service": "cash",
    "date": "2026-11-22",
    "party_size": 1,
    "needs": (),
    "languages": (),
    "state": TicketState.WAITING,
    "outcome": VisitOutcome.NONE,
    "desk": "",
    "calls": 0,
    "waited": timedelta(),
    "customer_id": "",
    "journey_id": "",
    "attributes": {},
    "queue_position": 0,
    "wait": None,
    "position": 1,
    **dict.fromkeys(("called", "due", "joined", "started", "ended")),
}


def told(ticket_id: str, **values: Any) -> Ticket:
    """A ticket with its id as its number, unless these values say otherwise."""
    return Ticket(**{**_PLAIN, "ticket_id": ticket_id, "number": ticket_id.upper(), **values})
