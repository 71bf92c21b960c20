"""WalkInService: from requests to commands, and from what came of them to replies.

As in `wire.router`: `*_command` raise Invalid, `*_answer` give bytes that are remembered and hold
no private field.
"""

from typing import Protocol

from usher.queue import commands
from usher.queue.branches import BranchName, ServiceName
from usher.queue.tickets import NEEDS_MAX, PARTY_MAX
from usher.queue.values import (
    NEVER_MS,
    Actor,
    Channel,
    ContactFacts,
    ContactId,
    NewContact,
    Origin,
    QueueName,
    Urgency,
)
from usher.router.service.wire import choices, fields
from usher.router.service.wire.contacts import LANGUAGES_MAX, urgency_of
from usher.v1 import walk_in_service_pb2 as pb

_NO_URGENCY = Urgency()


class OfDesk(Protocol):
    """A request of a desk."""

    branch: str
    desk: str
    session: int


class OfTicket(OfDesk, Protocol):
    """A request of a desk about one ticket."""

    ticket_id: str


def join_command(request: pb.JoinLineRequest, actor: Actor) -> commands.JoinLine:
    """Returns the command."""
    return commands.JoinLine(
        actor,
        NewContact(fields.contact_id_of(request.join_id, "join_id"), _visitor(request)),
        branch_of(request.branch),
        _service_of(request.service),
        _party_size(request.party_size),
        fields.codes_of(request.needs, "needs", NEEDS_MAX),
        _kiosk_ms(request),
    )


def leave_command(request: pb.LeaveLineRequest, actor: Actor) -> commands.LeaveLine:
    """Returns the command."""
    return commands.LeaveLine(actor, ticket_id_of(request.ticket_id))


def open_command(request: pb.OpenDeskRequest, actor: Actor) -> commands.OpenDesk:
    """Returns the command."""
    return commands.OpenDesk(actor, *_desk(request), fields.agent_id_of(request.agent_id))


def close_command(request: pb.CloseDeskRequest, actor: Actor) -> commands.CloseDesk:
    """Returns the command."""
    return commands.CloseDesk(actor, *_desk(request))


def call_next_command(request: pb.CallNextRequest, actor: Actor) -> commands.CallNext:
    """Returns the command."""
    return commands.CallNext(actor, *_desk(request))


def call_command(request: pb.CallTicketRequest, actor: Actor) -> commands.CallTicket:
    """Returns the command."""
    return commands.CallTicket(actor, *_ticket(request))


def recall_command(request: pb.RecallTicketRequest, actor: Actor) -> commands.RecallTicket:
    """Returns the command."""
    return commands.RecallTicket(actor, *_ticket(request))


def start_command(request: pb.StartServingRequest, actor: Actor) -> commands.StartServing:
    """Returns the command."""
    return commands.StartServing(actor, *_ticket(request))


def no_show_command(request: pb.MarkNoShowRequest, actor: Actor) -> commands.MarkNoShow:
    """Returns the command."""
    return commands.MarkNoShow(actor, *_ticket(request))


def return_command(request: pb.ReturnTicketRequest, actor: Actor) -> commands.ReturnTicket:
    """Returns the command."""
    place = fields.chosen(request.place, "place", choices.RETURN_PLACES)
    reason = fields.optional_code(request.reason, "reason")
    return commands.ReturnTicket(actor, *_ticket(request), place, reason)


def transfer_command(request: pb.TransferTicketRequest, actor: Actor) -> commands.TransferTicket:
    """Returns the command."""
    service = _service_of(request.service)
    reason = fields.optional_code(request.reason, "reason")
    return commands.TransferTicket(actor, *_ticket(request), service, reason)


def finish_command(request: pb.FinishServingRequest, actor: Actor) -> commands.FinishServing:
    """Returns the command."""
    return commands.FinishServing(
        actor,
        *_ticket(request),
        fields.chosen(request.outcome, "outcome", choices.CLERKS_OUTCOMES),
        fields.optional_code(request.disposition, "disposition"),
        request.resolved if request.HasField("resolved") else None,
    )


def without_ticket_command(
    request: pb.ServeWithoutTicketRequest, actor: Actor
) -> commands.ServeWithoutTicket:
    """Returns the command."""
    facts = ContactFacts(
        QueueName(""),
        Channel.WALK_IN,
        customer_id=fields.optional_id(request.customer_id, "customer_id"),
        journey_id=fields.optional_id(request.journey_id, "journey_id"),
    )
    return commands.ServeWithoutTicket(
        actor,
        *_desk(request),
        NewContact(fields.contact_id_of(request.join_id, "join_id"), facts),
        _service_of(request.service),
        _party_size(request.party_size),
    )


def branch_of(value: str) -> BranchName:
    """Returns the name of a branch that must be named."""
    return BranchName(fields.needed_id(value, "branch"))


def desk_of(value: str) -> str:
    """Returns the name of a desk that must be named."""
    return fields.needed_id(value, "desk")


def ticket_id_of(value: str) -> ContactId:
    """Returns the id of a ticket that must be named."""
    return fields.contact_id_of(value, "ticket_id")


def _visitor(request: pb.JoinLineRequest) -> ContactFacts:
    return ContactFacts(
        QueueName(""),
        Channel.WALK_IN,
        Origin.INBOUND,
        fields.optional_id(request.customer_id, "customer_id"),
        fields.optional_id(request.journey_id, "journey_id"),
        languages=fields.languages_of(request.languages, "languages", LANGUAGES_MAX),
        urgency=urgency_of(request.urgency) if request.HasField("urgency") else _NO_URGENCY,
    )


def _kiosk_ms(request: pb.JoinLineRequest) -> int:
    if not request.HasField("kiosk_time"):
        return NEVER_MS
    return fields.time_ms(request.kiosk_time, "kiosk_time")


def _service_of(value: str) -> ServiceName:
    return ServiceName(fields.needed_code(value, "service"))


def _party_size(value: int) -> int:
    return fields.whole(value, "party_size", 0, PARTY_MAX) or 1


def _desk(request: OfDesk) -> tuple[BranchName, str, int]:
    return branch_of(request.branch), desk_of(request.desk), fields.session_of(request.session)


def _ticket(request: OfTicket) -> tuple[BranchName, str, int, ContactId]:
    return (*_desk(request), ticket_id_of(request.ticket_id))
