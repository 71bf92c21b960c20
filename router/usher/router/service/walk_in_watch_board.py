"""WatchBoard: what the board in a lobby shows."""

from collections.abc import Iterable, Sequence
from typing import Final

from google.protobuf.message import Message

from usher.queue.branches import BranchName, DeskId, LineName
from usher.queue.tickets import Ticket
from usher.queue.values import NEVER_MS, ContactId
from usher.router.branch_lookups import known_branch
from usher.router.pool import Pool
from usher.router.service.branch_look import Board, BranchLook, Row
from usher.router.service.look_watching import LookWatching, News
from usher.router.service.rpc import Write
from usher.router.service.served import Call
from usher.router.service.watching import portions
from usher.router.service.wire import choices
from usher.router.service.wire import walk_ins as wire
from usher.router.service.wire.fields import timestamp
from usher.router.service.wire.tickets import desk_name
from usher.v1 import walk_in_service_pb2 as pb

ROWS_PER_MESSAGE: Final = 1_000


async def watch_board(request: pb.WatchBoardRequest, call: Call, write: Write) -> None:
    """Streams the board of one branch."""
    branch = wire.branch_of(request.branch)
    await call.pool.runner.read(lambda pool: known_branch(pool.ledger, branch))
    await LookWatching(call.pool, BoardView(branch), write).run(request.token)


class BoardView:
    """Numbers that are called or served, and how many wait in each line. No names, no ids.

    Rows are news at once, how many wait is slight.
    """

    content: type[Message] = pb.WatchBoardResponse
    ticket_id: ContactId | None = None
    desk_id: DeskId | None = None
    over = False

    def __init__(self, branch: BranchName) -> None:
        self.name = f"board/{branch}"
        self.branch = branch
        self._told: Board | None = None

    def check(self, pool: Pool) -> object:
        """See LookView."""
        return known_branch(pool.ledger, self.branch)

    def news(self, look: BranchLook) -> News:
        """See LookView."""
        told = self._told
        if told is None or told is look.board:
            return News.NONE
        return News.SLIGHT if told.rows == look.board.rows else News.NEWS

    def snapshot(self, look: BranchLook) -> list[bytes]:
        """See LookView."""
        return self._all(look, [], {})

    def resumed(self, look: BranchLook, touched: Sequence[Ticket]) -> list[bytes]:
        """See LookView."""
        rows, lines = look.board.rows, look.board.lines
        labels = dict.fromkeys(ticket.label for ticket in touched if ticket.label)
        left = {ticket.line: 0 for ticket in touched if ticket.line not in lines}
        return self._all(look, [label for label in labels if label not in rows], left)

    def changes(self, look: BranchLook) -> list[bytes]:
        """See LookView."""
        new, old = look.board, self._told or _EMPTY
        self._told = new
        return new.since(old, lambda: _difference(new, old))

    def hold(self, look: BranchLook) -> None:
        """See LookView."""
        self._told = look.board

    def _all(self, look: BranchLook, gone: list[str], left: dict[LineName, int]) -> list[bytes]:
        self._told = look.board
        lines = {**look.board.lines, **left}
        return _parts(list(look.board.rows.values()), gone, lines.items())


_EMPTY: Final = Board({}, {})


def _difference(new: Board, old: Board) -> list[bytes]:
    rows = [row for number, row in new.rows.items() if old.rows.get(number) != row]
    gone = [number for number in old.rows if number not in new.rows]
    lines = {line: n for line, n in new.lines.items() if old.lines.get(line) != n}
    lines |= {line: 0 for line, n in old.lines.items() if n and line not in new.lines}
    return _parts(rows, gone, lines.items())


def _parts(rows: list[Row], gone: list[str], lines: Iterable[tuple[str, int]]) -> list[bytes]:
    """Returns the parts; the first has what is short."""
    first = pb.WatchBoardResponse(
        rows=[_row_view(row) for row in rows[:ROWS_PER_MESSAGE]],
        gone_numbers=gone,
        lines=[pb.LineCount(line=line, waiting=waiting) for line, waiting in lines],
    )
    more = portions(rows[ROWS_PER_MESSAGE:], ROWS_PER_MESSAGE)
    messages = [first, *(pb.WatchBoardResponse(rows=map(_row_view, some)) for some in more)]
    return [message.SerializeToString() for message in messages]


def _row_view(row: Row) -> pb.BoardRow:
    return pb.BoardRow(
        number=row.number,
        desk=desk_name(row.desk),
        state=choices.TICKET_STATE_NUMBERS[row.state],
        call_time=timestamp(row.called_ms) if row.called_ms != NEVER_MS else None,
        calls=row.calls,
    )
