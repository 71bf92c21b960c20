"""WatchDesk: who sits at a desk, the visitor there, and who waits for what is given there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from google.protobuf.message import Message

from usher.queue.branches import BranchName, DeskId, desk_id_of
from usher.queue.tickets import Ticket
from usher.queue.values import AgentId, ContactId
from usher.router.branch_lookups import known_desk
from usher.router.pool import Pool
from usher.router.service.branch_look import BranchLook, Seen, Tickets
from usher.router.service.look_watching import LookWatching, News
from usher.router.service.rpc import Write
from usher.router.service.served import Call
from usher.router.service.watching import portions
from usher.router.service.wire import walk_ins as wire
from usher.router.service.wire.tickets import standing_view, ticket_view
from usher.v1 import walk_in_service_pb2 as pb

ROWS_PER_MESSAGE: Final = 200
IDS_PER_MESSAGE: Final = 1_000
ENCODED_FOR_MS: Final = 1_000
"""So old may the time waited be that a row about a waiting ticket tells."""


async def watch_desk(request: pb.WatchDeskRequest, call: Call, write: Write) -> None:
    """Streams one desk."""
    branch, desk, runner = (
        wire.branch_of(request.branch),
        wire.desk_of(request.desk),
        call.pool.runner,
    )
    await runner.read(lambda pool: known_desk(pool.ledger, branch, desk))
    view = DeskView(branch, desk, runner.clock.now_ms)
    await LookWatching(call.pool, view, write).run(request.token)


class DeskView:
    """One desk: its clerk, its tickets with attributes, the waiting tickets the clerk may serve.

    Clerk and tickets are news at once, the waiting ones are slight.
    """

    content: type[Message] = pb.WatchDeskResponse
    ticket_id: ContactId | None = None
    over = False

    def __init__(self, branch: BranchName, desk: str, now_ms: Callable[[], int]) -> None:
        self.name = f"desk/{branch}/{desk}"
        self.branch = branch
        self.desk_id: DeskId | None = desk_id_of(branch, desk)
        self._id = desk_id_of(branch, desk)
        self._desk = desk
        self._now_ms = now_ms
        self._told: _Desk | None = None

    def check(self, pool: Pool) -> object:
        """See LookView."""
        return known_desk(pool.ledger, self.branch, self._desk)

    def news(self, look: BranchLook) -> News:
        """See LookView."""
        told = self._told
        if told is None:
            return News.NONE
        if told.agent_id != _agent_at(look, self._id) or told.visits != look.visits_at[self._id]:
            return News.NEWS
        return News.NONE if told.turns is look.turns_at[self._id] else News.SLIGHT

    def snapshot(self, look: BranchLook) -> list[bytes]:
        """See LookView."""
        return self._all(look, [])

    def resumed(self, look: BranchLook, touched: Sequence[Ticket]) -> list[bytes]:
        """See LookView."""
        # Whom the clerk may call changes without the ticket, with the clerk or the desk: what the
        # watch held is somewhere in the branch, or was touched.
        held = (*(ticket.contact_id for ticket in touched), *look.waiting, *look.at_desks)
        return self._all(look, held)

    def changes(self, look: BranchLook) -> list[bytes]:
        """See LookView."""
        old = self._told
        if old is None:
            return self._all(look, [])
        new = self._told = _Desk(look, self._id)
        waiting = new.turns.since(
            old.turns, lambda: _rows(new.turns.tickets, old.turns.tickets, self._now_ms())
        )
        gone = [name for name in (*old.visits, *old.turns.tickets) if not new.has(name)]
        visits = {n: seen for n, seen in new.visits.items() if old.visits.get(n) is not seen}
        agent_id = None if new.agent_id == old.agent_id else new.agent_id
        return [self._first(agent_id, visits, look), *waiting, *_gone(gone)]

    def hold(self, look: BranchLook) -> None:
        """See LookView."""
        self._told = _Desk(look, self._id)

    def _all(self, look: BranchLook, touched: Iterable[ContactId]) -> list[bytes]:
        new = self._told = _Desk(look, self._id)
        rows = _rows(new.turns.tickets, {}, self._now_ms())
        gone = [name for name in dict.fromkeys(touched) if not new.has(name)]
        return [self._first(new.agent_id, new.visits, look), *rows, *_gone(gone)]

    def _first(self, agent_id: AgentId | None, visits: Tickets, look: BranchLook) -> bytes:
        at_ms = self._now_ms()
        tickets = [
            ticket_view(seen.contact, seen.ticket, at_ms, look.private.get(name))
            for name, seen in visits.items()
        ]
        return pb.WatchDeskResponse(agent_id=agent_id, tickets=tickets).SerializeToString()


class _Desk:
    """A desk in a look."""

    def __init__(self, look: BranchLook, desk_id: DeskId) -> None:
        self.agent_id = _agent_at(look, desk_id)
        self.visits = look.visits_at[desk_id]
        self.turns = look.turns_at[desk_id]

    def has(self, contact_id: ContactId) -> bool:
        """Returns whether the ticket is to be seen at the desk."""
        return contact_id in self.visits or contact_id in self.turns.tickets


def _agent_at(look: BranchLook, desk_id: DeskId) -> AgentId:
    return look.seats.get(desk_id, AgentId(""))


def _gone(names: list[ContactId]) -> Iterator[bytes]:
    for some in portions(names, IDS_PER_MESSAGE):
        yield pb.WatchDeskResponse(gone_ticket_ids=some).SerializeToString()


def _rows(new: Tickets, old: Tickets, at_ms: int) -> list[bytes]:
    """Returns messages with the rows of waiting tickets that are new or have changed.

    Encoded messages one behind the other are one message with the rows of all.
    """
    rows = [_encoded(seen, at_ms) for name, seen in new.items() if old.get(name) is not seen]
    return [b"".join(some) for some in portions(rows, ROWS_PER_MESSAGE)]


def _encoded(seen: Seen, at_ms: int) -> bytes:
    """Returns a message with the row of a waiting ticket: the same for all desks of the branch."""
    if not seen.encoded or at_ms - seen.encoded_ms > ENCODED_FOR_MS:
        row = pb.WaitingTicket(
            ticket=ticket_view(seen.contact, seen.ticket, at_ms),
            standing=standing_view(seen.standing),
        )
        seen.encoded = pb.WatchDeskResponse(waiting=[row]).SerializeToString()
        seen.encoded_ms = at_ms
    return seen.encoded
