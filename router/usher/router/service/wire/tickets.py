"""Tickets as messages. A view shows one moment, and no private field unless it is handed one."""

from typing import TYPE_CHECKING

from usher.queue.branches import DeskId
from usher.queue.estimates import WaitRange
from usher.queue.state import Contact
from usher.queue.tickets import Ticket, TicketState, ticket_state, visit_outcome
from usher.queue.values import NEVER_MS
from usher.router.service.wire import choices
from usher.router.service.wire.contacts import attributes_of
from usher.router.service.wire.fields import set_time
from usher.v1 import ticket_pb2

if TYPE_CHECKING:
    from usher.router.lobby import Standing


def ticket_view(
    contact: Contact, ticket: Ticket, at_ms: int, private: bytes | None = None
) -> ticket_pb2.Ticket:
    """Returns the ticket as it is at `at_ms`; `private` None = without attributes."""
    facts, state = contact.facts, ticket_state(contact)
    view = ticket_pb2.Ticket(
        ticket_id=ticket.contact_id,
        branch=ticket.branch,
        line=ticket.line,
        service=ticket.service,
        date=ticket.date,
        number=ticket.label,
        party_size=ticket.party_size,
        needs=ticket.needs,
        languages=facts.languages,
        state=choices.TICKET_STATE_NUMBERS[state],
        outcome=choices.VISIT_OUTCOME_NUMBERS[visit_outcome(contact, ticket)],
        desk=desk_name(ticket.desk),
        calls=ticket.calls,
        customer_id=facts.customer_id,
        journey_id=facts.journey_id,
    )
    _fill_times(view, contact, ticket, state)
    set_time(view.waited, contact.time_waited_ms(at_ms))
    if private:
        view.attributes.update(attributes_of(private))
    return view


def standing_view(standing: "Standing | None") -> ticket_pb2.Standing:
    """Returns the place and the wait; None = it does not wait."""
    if standing is None:
        return ticket_pb2.Standing()
    return ticket_pb2.Standing(position=standing.position, wait=wait_view(standing.wait))


def wait_view(wait: WaitRange | None) -> ticket_pb2.WaitRange | None:
    """Returns the range; None (a field left out) without an estimate."""
    if wait is None:
        return None
    view = ticket_pb2.WaitRange()
    set_time(view.p50, wait.p50_ms)
    set_time(view.p90, wait.p90_ms)
    return view


def desk_name(desk: DeskId) -> str:
    """Returns the desk's name at its branch; empty for none."""
    return desk.partition("/")[2]


def _fill_times(
    view: ticket_pb2.Ticket, contact: Contact, ticket: Ticket, state: TicketState
) -> None:
    set_time(view.join_time, contact.enqueued_ms)
    if ticket.called_ms != NEVER_MS:
        set_time(view.call_time, ticket.called_ms)
    owner = contact.owner
    if state is TicketState.CALLED and owner is not None:
        set_time(view.due_time, owner.due_ms)
    if contact.answered_ms != NEVER_MS:
        set_time(view.start_time, contact.answered_ms)
    if contact.ended_ms != NEVER_MS:
        set_time(view.end_time, contact.ended_ms)
