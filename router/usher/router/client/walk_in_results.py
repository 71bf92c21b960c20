"""What calls of WalkInService return: frozen structs in plain Python types, as in `results`."""

from datetime import datetime, timedelta

from google.protobuf.message import Message
from msgspec import Struct

from usher.queue.tickets import TicketState, VisitOutcome
from usher.router.client.results import time_of
from usher.router.service.wire import choices
from usher.v1 import ticket_pb2
from usher.v1 import walk_in_service_pb2 as pb


class Wait(Struct, frozen=True):
    """A wait from now on: half of the visitors wait at most `p50`, nine of ten at most `p90`."""

    p50: timedelta
    p90: timedelta


class Ticket(Struct, frozen=True, kw_only=True):
    """A visitor's ticket as of a journal position.

    `number` as it is shown, '' = served without a ticket. `desk` has called or serves it. `due`:
    until when a called visitor may come. `waited` so far. `queue_position`: 1 = next, 0 = does not
    wait, or was not told. `wait` None = no estimate. `attributes` only at the desk that has it.
    """

    ticket_id: str
    branch: str
    line: str
    service: str
    date: str
    number: str
    party_size: int
    needs: tuple[str, ...]
    languages: tuple[str, ...]
    state: TicketState
    outcome: VisitOutcome
    desk: str
    calls: int
    called: datetime | None
    due: datetime | None
    joined: datetime | None
    started: datetime | None
    ended: datetime | None
    waited: timedelta
    customer_id: str
    journey_id: str
    attributes: dict[str, str]
    queue_position: int
    wait: Wait | None
    position: int


class OfferedService(Struct, frozen=True):
    """A service of a branch. `usual` time at the desk, `wait` of who would join now."""

    service: str
    title: str
    line: str
    usual: timedelta | None
    desks: int
    waiting: int
    wait: Wait | None


class Branch(Struct, frozen=True):
    """A branch as visitors find it now. `closes`, or when it `opens` next, if that is known."""

    branch: str
    title: str
    time_zone: str
    is_open: bool
    closes: datetime | None
    opens: datetime | None
    services: tuple[OfferedService, ...]
    position: int


class TicketStep(Struct, frozen=True):
    """A part of a watch of one ticket. `ticket` None = unchanged."""

    begins: bool
    ticket: Ticket | None
    position: int
    time: datetime | None


class BoardRow(Struct, frozen=True):
    """A number on the board. A board sounds again when `calls` grows."""

    number: str
    desk: str
    state: TicketState
    called: datetime | None
    calls: int


class BoardStep(Struct, frozen=True, kw_only=True):
    """A part of a watch of a board. `begins`: forget what you hold; `ends`: the step is whole.

    `waiting`: tickets that wait by line, of the lines whose count has changed.
    """

    begins: bool
    ends: bool
    rows: tuple[BoardRow, ...]
    gone: tuple[str, ...]
    waiting: dict[str, int]
    position: int
    time: datetime | None


class DeskStep(Struct, frozen=True, kw_only=True):
    """A part of a watch of a desk. `begins`: forget what you hold; `ends`: the step is whole.

    `agent_id` None = unchanged, '' = nobody sits there. `tickets`: called to the desk or served
    there. `waiting`: those that the clerk may serve. `gone`: tickets that are neither any more.
    """

    begins: bool
    ends: bool
    agent_id: str | None
    tickets: tuple[Ticket, ...]
    waiting: tuple[Ticket, ...]
    gone: tuple[str, ...]
    position: int
    time: datetime | None


def ticket_of(
    message: ticket_pb2.Ticket, standing: ticket_pb2.Standing | None, position: int
) -> Ticket:
    """Returns a ticket with its place and wait, as of a journal position."""
    return Ticket(
        ticket_id=message.ticket_id,
        branch=message.branch,
        line=message.line,
        service=message.service,
        date=message.date,
        number=message.number,
        party_size=message.party_size,
        needs=tuple(message.needs),
        languages=tuple(message.languages),
        state=choices.TICKET_STATES[message.state],
        outcome=choices.VISIT_OUTCOMES[message.outcome],
        desk=message.desk,
        calls=message.calls,
        called=time_of(message, "call_time"),
        due=time_of(message, "due_time"),
        joined=time_of(message, "join_time"),
        started=time_of(message, "start_time"),
        ended=time_of(message, "end_time"),
        waited=message.waited.ToTimedelta(),
        customer_id=message.customer_id,
        journey_id=message.journey_id,
        attributes=dict(message.attributes),
        queue_position=0 if standing is None else standing.position,
        wait=None if standing is None else _wait_of(standing),
        position=position,
    )


def branch_of(reply: pb.ListServicesResponse) -> Branch:
    """Returns a branch with what it offers."""
    return Branch(
        branch=reply.branch,
        title=reply.title,
        time_zone=reply.time_zone,
        is_open=reply.open,
        closes=time_of(reply, "close_time"),
        opens=time_of(reply, "open_time"),
        services=tuple(_service_of(service) for service in reply.services),
        position=reply.position,
    )


def ticket_step_of(message: pb.WatchTicketResponse, *, begins: bool) -> TicketStep:
    """Returns a message of WatchTicket."""
    head = message.head
    ticket = None
    if message.HasField("ticket"):
        ticket = ticket_of(message.ticket, message.standing, head.position)
    return TicketStep(begins, ticket, head.position, time_of(head, "server_time"))


def board_step_of(message: pb.WatchBoardResponse, *, begins: bool) -> BoardStep:
    """Returns a message of WatchBoard."""
    head = message.head
    return BoardStep(
        begins=begins,
        ends=not head.more,
        rows=tuple(_row_of(row) for row in message.rows),
        gone=tuple(message.gone_numbers),
        waiting={count.line: count.waiting for count in message.lines},
        position=head.position,
        time=time_of(head, "server_time"),
    )


def desk_step_of(message: pb.WatchDeskResponse, *, begins: bool) -> DeskStep:
    """Returns a message of WatchDesk."""
    head = message.head
    at = head.position
    return DeskStep(
        begins=begins,
        ends=not head.more,
        agent_id=message.agent_id if message.HasField("agent_id") else None,
        tickets=tuple(ticket_of(ticket, None, at) for ticket in message.tickets),
        waiting=tuple(ticket_of(each.ticket, each.standing, at) for each in message.waiting),
        gone=tuple(message.gone_ticket_ids),
        position=at,
        time=time_of(head, "server_time"),
    )


def _service_of(message: pb.OfferedService) -> OfferedService:
    return OfferedService(
        service=message.service,
        title=message.title,
        line=message.line,
        usual=message.usual.ToTimedelta() if message.HasField("usual") else None,
        desks=message.desks,
        waiting=message.waiting,
        wait=_wait_of(message),
    )


def _row_of(message: pb.BoardRow) -> BoardRow:
    return BoardRow(
        number=message.number,
        desk=message.desk,
        state=choices.TICKET_STATES[message.state],
        called=time_of(message, "call_time"),
        calls=message.calls,
    )


def _wait_of(message: Message) -> Wait | None:
    """Returns the wait in a field of the message, None if there is no estimate."""
    if not message.HasField("wait"):
        return None
    wait: ticket_pb2.WaitRange = message.wait  # type: ignore[attr-defined]  # both kinds have it
    return Wait(wait.p50.ToTimedelta(), wait.p90.ToTimedelta())
