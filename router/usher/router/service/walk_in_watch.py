"""WatchTicket: one ticket with its place and wait, until it has ended. Boards and desks: beside."""

from collections.abc import Callable, Sequence
from typing import Final

from google.protobuf.message import Message

from usher.queue.branches import DeskId
from usher.queue.tickets import Ticket, TicketState, ticket_state
from usher.queue.values import ContactId
from usher.router.branch_lookups import known_ticket
from usher.router.pool import Pool
from usher.router.service.branch_look import BranchLook, Seen
from usher.router.service.look_watching import LookWatching, News
from usher.router.service.rpc import Write
from usher.router.service.served import Call
from usher.router.service.wire import walk_ins as wire
from usher.router.service.wire.tickets import standing_view, ticket_view
from usher.v1 import ticket_pb2
from usher.v1 import walk_in_service_pb2 as pb

NEAR: Final = 10
"""Each step forward is news from this place on: further back, one of many."""


async def watch_ticket(request: pb.WatchTicketRequest, call: Call, write: Write) -> None:
    """Streams one ticket; ends after its end."""
    ticket_id, runner = wire.ticket_id_of(request.ticket_id), call.pool.runner
    _, ticket = await runner.read(lambda pool: known_ticket(pool.ledger, ticket_id))
    view = TicketView(ticket, runner.clock.now_ms)
    await LookWatching(call.pool, view, write).run(request.token)


class TicketView:
    """One ticket without attributes.

    A call is news at once, and so is each place near the front; an expected wait is slight.
    """

    content: type[Message] = pb.WatchTicketResponse
    desk_id: DeskId | None = None

    def __init__(self, ticket: Ticket, now_ms: Callable[[], int]) -> None:
        self.name = f"ticket/{ticket.contact_id}"
        self.branch = ticket.branch
        self.ticket_id: ContactId | None = ticket.contact_id
        self.over = False
        self._id = ticket.contact_id
        self._now_ms = now_ms
        self._told: Seen | None = None

    def check(self, pool: Pool) -> object:
        """See LookView."""
        return known_ticket(pool.ledger, self._id)

    def news(self, look: BranchLook) -> News:
        """See LookView."""
        seen, told = look.ticket(self._id), self._told
        if seen is told or told is None:
            return News.NONE
        if seen is None or seen.contact is not told.contact or seen.ticket is not told.ticket:
            return News.NEWS
        place = _place(seen)
        return News.NEWS if place != _place(told) and place <= NEAR else News.SLIGHT

    def snapshot(self, look: BranchLook) -> list[bytes]:
        """See LookView."""
        self.hold(look)
        return [self._message(look.ticket(self._id)).SerializeToString()]

    def resumed(self, look: BranchLook, touched: Sequence[Ticket]) -> list[bytes]:
        """See LookView."""
        return self.snapshot(look)

    def changes(self, look: BranchLook) -> list[bytes]:
        """See LookView."""
        return self.snapshot(look)

    def hold(self, look: BranchLook) -> None:
        """See LookView."""
        seen = look.ticket(self._id)
        self._told = seen or self._told
        self.over = seen is None or ticket_state(seen.contact) is TicketState.ENDED

    def _message(self, seen: Seen | None) -> pb.WatchTicketResponse:
        if seen is None:  # it has ended and left the pool between two looks
            ended = ticket_pb2.TICKET_STATE_ENDED
            return pb.WatchTicketResponse(ticket=ticket_pb2.Ticket(ticket_id=self._id, state=ended))
        return pb.WatchTicketResponse(
            ticket=ticket_view(seen.contact, seen.ticket, self._now_ms()),
            standing=standing_view(seen.standing),
        )


def _place(seen: Seen) -> int:
    return 0 if seen.standing is None else seen.standing.position
