"""What a branch looks like at one journal position: made once, for all who watch the branch.

What is unchanged since the look before is the same object, so that a watch finds by identity what
it has to tell. It must not know messages, or who watches.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from usher.queue.branches import BranchName, DeskId, LineName
from usher.queue.ledger import Ledger
from usher.queue.state import Contact
from usher.queue.tickets import Ticket, TicketState, ticket_state
from usher.queue.values import NEVER_MS, AgentId, ContactId
from usher.router.pool import Pool

if TYPE_CHECKING:
    from usher.router.lobby import Class, Standing


class Seen(Struct, eq=False):
    """A ticket at that moment. `standing` None = it does not wait.

    `encoded` is room for the watches' message about it, as of `encoded_ms`: many tell the same.
    """

    contact: Contact
    ticket: Ticket
    standing: "Standing | None"
    encoded: bytes = b""
    encoded_ms: int = NEVER_MS


Tickets = dict[ContactId, Seen]


class Shared:
    """A part of a look that many watches show. What differs from an earlier one is encoded once.

    `number` tells them apart without holding on to them.
    """

    _numbers = count(1)

    def __init__(self) -> None:
        self.number = next(self._numbers)
        self._since: dict[int, list[bytes]] = {}

    def since(self, earlier: "Shared", make: Callable[[], list[bytes]]) -> list[bytes]:
        """Returns what `make` gives, or gave for the same earlier one."""
        found = self._since.get(earlier.number)
        if found is None:
            found = self._since[earlier.number] = make()
        return found


class Row(Struct, frozen=True, array_like=True, gc=False):
    """A row of the board."""

    number: str
    desk: DeskId
    state: TicketState
    called_ms: int
    calls: int


class Board(Shared):
    """All that a board shows. `rows` by number, `lines`: how many wait in each."""

    def __init__(self, rows: dict[str, Row], lines: dict[LineName, int]) -> None:
        super().__init__()
        self.rows = rows
        self.lines = lines


class Turns(Shared):
    """Waiting tickets that a desk may call, by their turn. Desks of equal skill share one."""

    def __init__(self, tickets: Tickets) -> None:
        super().__init__()
        self.tickets = tickets


class BranchLook(Struct, frozen=True):
    """A branch at `position`.

    `waiting` by their turn, `at_desks` called or served. For the desks asked for: `turns_at`, what
    the clerk there may call, `visits_at`, tickets there, and `private`, private fields of those.
    `ended`: of the tickets asked for, those that are not live.
    """

    position: int
    standings: "dict[ContactId, Standing]"
    seats: dict[DeskId, AgentId]
    waiting: Tickets
    at_desks: Tickets
    board: Board
    turns_at: dict[DeskId, Turns]
    visits_at: dict[DeskId, Tickets]
    private: dict[ContactId, bytes]
    ended: Tickets

    def ticket(self, contact_id: ContactId) -> Seen | None:
        """Returns the ticket, live or ended, if it is in this look."""
        return (
            self.waiting.get(contact_id)
            or self.at_desks.get(contact_id)
            or self.ended.get(contact_id)
        )


class Wanted(Struct, frozen=True):
    """What a look is to hold beside what it always does."""

    tickets: Collection[ContactId]
    desks: Collection[DeskId]
    private: Mapping[ContactId, bytes]


def look_at(
    pool: Pool, branch: BranchName, wanted: Wanted, before: BranchLook | None
) -> BranchLook:
    """Returns the branch as the pool has it now; `before`: an earlier look at the same pool."""
    ledger = pool.ledger
    standings = pool.matcher.lobby.standings(ledger, branch)
    seats = {
        desk: seat.agent_id
        for desk, seat in ledger.seats.items()
        if desk.partition("/")[0] == branch
    }
    if before is not None and before.standings is standings and before.seats == seats:
        look = replace(before, position=pool.position)
    else:
        look = _new_look(pool, branch, seats, before)
    visits_at = _visits_at(look, wanted.desks)
    there = [name for visits in visits_at.values() for name in visits]
    return replace(
        look,
        turns_at=_turns_at(pool, branch, look, wanted.desks),
        visits_at=visits_at,
        private={name: wanted.private[name] for name in there if name in wanted.private},
        ended=_ended(ledger, look, wanted.tickets),
    )


def _new_look(
    pool: Pool, branch: BranchName, seats: dict[DeskId, AgentId], before: BranchLook | None
) -> BranchLook:
    """Returns what does not depend on what is wanted; of the desks, what they had before."""
    ledger, lobby = pool.ledger, pool.matcher.lobby
    standings = lobby.standings(ledger, branch)
    at_desks = _seen_all(ledger, lobby.at_desks(branch), {}, before)
    waiting = _seen_all(ledger, standings, standings, before)
    board = _board(ledger, branch, waiting, at_desks)
    if before is not None and _alike(before.board, board):
        board = before.board
    return BranchLook(
        position=pool.position,
        standings=standings,
        seats=seats,
        waiting=waiting,
        at_desks=at_desks,
        board=board,
        turns_at={} if before is None else before.turns_at,
        visits_at={},
        private={},
        ended={},
    )


def _seen_all(
    ledger: Ledger,
    contact_ids: Iterable[ContactId],
    standings: "dict[ContactId, Standing]",
    before: BranchLook | None,
) -> Tickets:
    contacts, tickets = ledger.contacts, ledger.tickets
    found: Tickets = {}
    for name in contact_ids:
        contact, ticket, standing = contacts[name], tickets[name], standings.get(name)
        old = None if before is None else before.waiting.get(name) or before.at_desks.get(name)
        if (
            old is not None
            and old.contact is contact
            and old.ticket is ticket
            and old.standing == standing
        ):
            found[name] = old
        else:
            found[name] = Seen(contact, ticket, standing)
    return found


def _board(ledger: Ledger, branch: BranchName, waiting: Tickets, at_desks: Tickets) -> Board:
    """Returns rows in the order of the last move, and the lines of the branch."""
    rows = {}
    for seen in at_desks.values():
        ticket, state = seen.ticket, ticket_state(seen.contact)
        if ticket.label:
            row = Row(ticket.label, ticket.desk, state, ticket.called_ms, ticket.calls)
            rows[ticket.label] = row
    known = ledger.branches.get(branch)
    lines = {line.name: 0 for line in known.lines} if known is not None else {}
    for seen in waiting.values():
        lines[seen.ticket.line] = lines.get(seen.ticket.line, 0) + 1
    return Board(rows, lines)


def _alike(one: Board, other: Board) -> bool:
    return one.rows == other.rows and one.lines == other.lines


def _visits_at(look: BranchLook, desks: Collection[DeskId]) -> dict[DeskId, Tickets]:
    visits: dict[DeskId, Tickets] = {desk: {} for desk in desks}
    for name, seen in look.at_desks.items():
        if seen.ticket.desk in visits:
            visits[seen.ticket.desk][name] = seen
    return visits


def _turns_at(
    pool: Pool, branch: BranchName, look: BranchLook, desks: Collection[DeskId]
) -> dict[DeskId, Turns]:
    """Returns what the desks may call; where it is as before, the same objects."""
    if not desks:
        return {}
    class_of = pool.matcher.lobby.classes(branch)
    classes = set(class_of.values())
    by_skill: dict[frozenset[Class], Turns] = {}
    found: dict[DeskId, Turns] = {}
    for desk_id in desks:
        able = _able(pool, look, desk_id, classes)
        turns = by_skill.get(able)
        if turns is None:
            mine = {name: seen for name, seen in look.waiting.items() if class_of[name] in able}
            turns = by_skill[able] = Turns(mine)
        old = look.turns_at.get(desk_id)
        found[desk_id] = old if old is not None and old.tickets == turns.tickets else turns
    return found


def _able(
    pool: Pool, look: BranchLook, desk_id: DeskId, classes: "Collection[Class]"
) -> "frozenset[Class]":
    """Returns the classes of tickets that the desk's clerk may serve there; none without one."""
    desk, agent_id = pool.ledger.desks.get(desk_id), look.seats.get(desk_id)
    if desk is None or agent_id is None:
        return frozenset()
    served_by = partial(pool.matcher.lobby.served_by, pool.ledger, agent_id, desk)
    return frozenset(which for which in classes if served_by(which))


def _ended(ledger: Ledger, look: BranchLook, contact_ids: Collection[ContactId]) -> Tickets:
    return {
        name: Seen(ledger.contacts[name], ledger.tickets[name], None)
        for name in contact_ids
        if name not in look.waiting and name not in look.at_desks and name in ledger.tickets
    }
