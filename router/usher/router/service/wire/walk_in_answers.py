"""WalkInService: what came of commands, and what is asked, as replies.

Answers are made after the whole batch and leave after its sync, so they tell the state then; which
ticket a desk called stands in the events of its own command. No answer holds a private field: it is
remembered.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from usher.queue.branches import Branch, BranchDays, BranchName, ServiceName, desk_id_of
from usher.queue.ledger import Ledger
from usher.queue.ticket_events import TicketCalled
from usher.queue.tickets import Ticket, TicketState, ticket_state
from usher.queue.values import ContactId
from usher.router.branch_lookups import known_branch, known_ticket
from usher.router.pool import Pool
from usher.router.service.wire import fields
from usher.router.service.wire.answers import Events
from usher.router.service.wire.contacts import attributes_of
from usher.router.service.wire.tickets import standing_view, ticket_view, wait_view
from usher.v1 import ticket_pb2
from usher.v1 import walk_in_service_pb2 as pb

if TYPE_CHECKING:
    from usher.router.lobby import Newcomer, Standing

AT_DESK = (TicketState.CALLED, TicketState.SERVING)
_AT_DESK_NUMBERS = (ticket_pb2.TICKET_STATE_CALLED, ticket_pb2.TICKET_STATE_SERVING)

Answer = Callable[[Pool, Events], bytes]


TicketReply = (
    pb.CallNextResponse
    | pb.CallTicketResponse
    | pb.RecallTicketResponse
    | pb.StartServingResponse
    | pb.MarkNoShowResponse
    | pb.ReturnTicketResponse
    | pb.TransferTicketResponse
    | pb.FinishServingResponse
    | pb.ServeWithoutTicketResponse
)
"""A reply to a desk about one ticket."""


def join_answer(contact_id: ContactId, pool: Pool, _happened: Events) -> bytes:
    """Returns the reply of JoinLine, for the first time and for a repeat."""
    ticket = pool.ledger.tickets.get(contact_id)
    reply = pb.JoinLineResponse(
        ticket=_answered_view(pool, contact_id),
        standing=standing_view(standing_of(pool, ticket) if ticket is not None else None),
        position=pool.position,
    )
    return reply.SerializeToString()


def ticket_answer(reply: type[TicketReply], contact_id: ContactId) -> Answer:
    """Returns what makes the replies to desks about this ticket."""
    return partial(_ticket_answer, reply, contact_id)


def call_next_answer(pool: Pool, happened: Events) -> bytes:
    """Returns the reply of CallNext: with the ticket that this very command called, if any."""
    for event in happened:
        if isinstance(event, TicketCalled):
            return _ticket_answer(pb.CallNextResponse, event.contact_id, pool, happened)
    return pb.CallNextResponse(position=pool.position).SerializeToString()


def shown_ticket_id(reply: TicketReply) -> ContactId | None:
    """Returns the ticket of a reply whose visitor is called to the desk or there."""
    if reply.HasField("ticket") and reply.ticket.state in _AT_DESK_NUMBERS:
        return ContactId(reply.ticket.ticket_id)
    return None


def is_at_desk(ledger: Ledger, contact_id: ContactId, branch: str, desk: str) -> bool:
    """Returns whether the ticket is called to this desk now, or served there."""
    ticket, contact = ledger.tickets.get(contact_id), ledger.contacts.get(contact_id)
    if ticket is None or contact is None:
        return False
    return ticket.desk == desk_id_of(branch, desk) and ticket_state(contact) in AT_DESK


def with_attributes(reply: TicketReply, private: bytes) -> bytes:
    """Returns the encoded reply with the visitor's private fields."""
    reply.ticket.attributes.update(attributes_of(private))
    return reply.SerializeToString()


def ticket_reply(contact_id: ContactId, at_ms: int, pool: Pool) -> bytes:
    """Returns the reply of GetTicket; raises UnknownTicket."""
    contact, ticket = known_ticket(pool.ledger, contact_id)
    reply = pb.GetTicketResponse(
        ticket=ticket_view(contact, ticket, at_ms),
        standing=standing_view(standing_of(pool, ticket)),
        position=pool.position,
    )
    return reply.SerializeToString()


def standing_of(pool: Pool, ticket: Ticket) -> "Standing | None":
    """Returns where a ticket stands, None if it does not wait."""
    standings = pool.matcher.lobby.standings(pool.ledger, ticket.branch)
    return standings.get(ticket.contact_id)


def services_reply(name: BranchName, at_ms: int, pool: Pool) -> bytes:
    """Returns the reply of ListServices; raises UnknownBranch."""
    ledger = pool.ledger
    branch = known_branch(ledger, name)
    newcomers = pool.matcher.lobby.newcomers(ledger, branch, at_ms)
    reply = pb.ListServicesResponse(
        branch=branch.name,
        title=branch.title,
        time_zone=branch.time_zone,
        services=[
            _service_view(ledger, line.name, service, newcomers[service])
            for line in branch.lines
            for service in line.services
            if service in newcomers
        ],
        position=pool.position,
    )
    _fill_hours(reply, branch, ledger.days.get(name), at_ms)
    return reply.SerializeToString()


def _ticket_answer(
    reply: type[TicketReply], contact_id: ContactId, pool: Pool, _happened: Events
) -> bytes:
    view = _answered_view(pool, contact_id)
    return reply(ticket=view, position=pool.position).SerializeToString()


def _answered_view(pool: Pool, contact_id: ContactId) -> ticket_pb2.Ticket:
    """Returns the ticket as the batch left it, also where it has left the pool with that batch."""
    ledger = pool.ledger
    contact = ledger.contacts.get(contact_id) or ledger.touched.contacts.get(contact_id)
    ticket = ledger.tickets.get(contact_id) or ledger.touched.tickets.get(contact_id)
    if contact is None or ticket is None:
        return ticket_pb2.Ticket(ticket_id=contact_id, state=ticket_pb2.TICKET_STATE_ENDED)
    return ticket_view(contact, ticket, ledger.at_ms)


def _service_view(
    ledger: Ledger, line: str, name: ServiceName, newcomer: "Newcomer"
) -> pb.OfferedService:
    service = ledger.services[name]
    return pb.OfferedService(
        service=service.name,
        title=service.title,
        line=line,
        usual=fields.duration(service.usual_ms) if service.usual_ms else None,
        desks=newcomer.desks,
        waiting=newcomer.waiting,
        wait=wait_view(newcomer.wait),
    )


def _fill_hours(
    reply: pb.ListServicesResponse, branch: Branch, days: BranchDays | None, at_ms: int
) -> None:
    """Sets whether it is open, until when, or from when on."""
    if branch.closed or days is None:
        return
    day = days.day_at(at_ms)
    reply.open = day is not None and day.is_open(at_ms)
    closes_ms, opens_ms = days.closes_next_ms(at_ms), days.opens_next_ms(at_ms)
    if reply.open and closes_ms is not None:
        fields.set_time(reply.close_time, closes_ms)
    elif not reply.open and opens_ms is not None:
        fields.set_time(reply.open_time, opens_ms)
