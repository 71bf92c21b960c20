"""The methods of WalkInService with one reply. Each translates, submits, and translates back.

What a visitor's attributes say goes to the desk that has the visitor, and into no remembered
answer: it is added to the reply.
"""

from functools import partial
from typing import Protocol

from msgspec.structs import replace

from usher.queue import commands
from usher.queue.values import NEVER_MS
from usher.router.pool import Pool
from usher.router.service.served import Call
from usher.router.service.wire import walk_in_answers as answers
from usher.router.service.wire import walk_ins as wire
from usher.router.service.wire.answers import position_answer
from usher.router.service.wire.contacts import private_fields, private_of
from usher.v1 import walk_in_service_pb2 as pb


async def list_services(request: pb.ListServicesRequest, call: Call) -> bytes:
    """Returns what a branch offers now."""
    branch, runner = wire.branch_of(request.branch), call.pool.runner
    return await runner.read(partial(answers.services_reply, branch, runner.clock.now_ms()))


async def join_line(request: pb.JoinLineRequest, call: Call) -> bytes:
    """Draws a ticket. A repeat may tell the kiosk's clock anew: it is the same request."""
    command = wire.join_command(request, call.actor)
    contact_id, private = command.contact.contact_id, private_of(request.attributes)
    asked = (replace(command, kiosk_ms=NEVER_MS), private)
    answer = partial(answers.join_answer, contact_id)
    fields = private_fields(contact_id, private)
    return await call.submit(request.request_id, command, answer, fields, asked)


async def get_ticket(request: pb.GetTicketRequest, call: Call) -> bytes:
    """Returns one ticket."""
    contact_id, runner = wire.ticket_id_of(request.ticket_id), call.pool.runner
    return await runner.read(partial(answers.ticket_reply, contact_id, runner.clock.now_ms()))


async def leave_line(request: pb.LeaveLineRequest, call: Call) -> bytes:
    """The visitor gives the ticket up."""
    command = wire.leave_command(request, call.actor)
    return await call.submit(request.request_id, command, _LEFT)


async def open_desk(request: pb.OpenDeskRequest, call: Call) -> bytes:
    """An agent sits down at a desk."""
    command = wire.open_command(request, call.actor)
    return await call.submit(request.request_id, command, _OPENED)


async def close_desk(request: pb.CloseDeskRequest, call: Call) -> bytes:
    """The agent leaves the desk."""
    command = wire.close_command(request, call.actor)
    return await call.submit(request.request_id, command, _CLOSED)


async def call_next(request: pb.CallNextRequest, call: Call) -> bytes:
    """Calls the ticket that comes next for the desk."""
    command = wire.call_next_command(request, call.actor)
    encoded = await call.submit(request.request_id, command, answers.call_next_answer)
    return await _for_desk(request, call, pb.CallNextResponse, encoded)


async def call_ticket(request: pb.CallTicketRequest, call: Call) -> bytes:
    """Calls this ticket."""
    command = wire.call_command(request, call.actor)
    return await _visit(request, call, command, pb.CallTicketResponse)


async def recall_ticket(request: pb.RecallTicketRequest, call: Call) -> bytes:
    """Calls the called ticket once more."""
    command = wire.recall_command(request, call.actor)
    return await _visit(request, call, command, pb.RecallTicketResponse)


async def start_serving(request: pb.StartServingRequest, call: Call) -> bytes:
    """A fact: the visitor is at the desk."""
    command = wire.start_command(request, call.actor)
    return await _visit(request, call, command, pb.StartServingResponse)


async def mark_no_show(request: pb.MarkNoShowRequest, call: Call) -> bytes:
    """The called visitor did not come."""
    command = wire.no_show_command(request, call.actor)
    return await _visit(request, call, command, pb.MarkNoShowResponse)


async def return_ticket(request: pb.ReturnTicketRequest, call: Call) -> bytes:
    """The ticket goes back to its line."""
    command = wire.return_command(request, call.actor)
    return await _visit(request, call, command, pb.ReturnTicketResponse)


async def transfer_ticket(request: pb.TransferTicketRequest, call: Call) -> bytes:
    """The visitor goes on to wait for another service."""
    command = wire.transfer_command(request, call.actor)
    return await _visit(request, call, command, pb.TransferTicketResponse)


async def finish_serving(request: pb.FinishServingRequest, call: Call) -> bytes:
    """The visit is over."""
    command = wire.finish_command(request, call.actor)
    return await _visit(request, call, command, pb.FinishServingResponse)


async def serve_without_ticket(request: pb.ServeWithoutTicketRequest, call: Call) -> bytes:
    """A fact: a visitor without a ticket is served."""
    command = wire.without_ticket_command(request, call.actor)
    answer = answers.ticket_answer(pb.ServeWithoutTicketResponse, command.contact.contact_id)
    return await call.submit(request.request_id, command, answer)


TicketCommand = (
    commands.CallTicket
    | commands.RecallTicket
    | commands.StartServing
    | commands.MarkNoShow
    | commands.ReturnTicket
    | commands.TransferTicket
    | commands.FinishServing
)


class OfDesk(Protocol):
    """A request of a desk."""

    request_id: str
    branch: str
    desk: str


async def _visit(
    request: OfDesk, call: Call, command: TicketCommand, reply: type[answers.TicketReply]
) -> bytes:
    answer = answers.ticket_answer(reply, command.contact_id)
    encoded = await call.submit(request.request_id, command, answer)
    return await _for_desk(request, call, reply, encoded)


async def _for_desk(
    request: OfDesk, call: Call, reply_type: type[answers.TicketReply], encoded: bytes
) -> bytes:
    """Returns the reply with the visitor's attributes, if the visitor is the desk's now."""
    reply, runner = reply_type.FromString(encoded), call.pool.runner
    contact_id = answers.shown_ticket_id(reply)
    if contact_id is None or contact_id not in runner.private:
        return encoded

    def view(pool: Pool) -> bytes | None:
        if answers.is_at_desk(pool.ledger, contact_id, request.branch, request.desk):
            return runner.private.get(contact_id)
        return None

    private = await runner.read(view)
    return encoded if private is None else answers.with_attributes(reply, private)


_LEFT = position_answer(pb.LeaveLineResponse)
_OPENED = position_answer(pb.OpenDeskResponse)
_CLOSED = position_answer(pb.CloseDeskResponse)
