"""What a watcher of a board, a desk or a ticket holds, kept as the protocol says."""

import asyncio
from collections.abc import Callable
from typing import Any

from usher.router.service.look_watching import News
from usher.v1 import ticket_pb2, watch_pb2

SNAPSHOT = watch_pb2.WATCH_STEP_SNAPSHOT
CHANGES = watch_pb2.WATCH_STEP_CHANGES
BOOKMARK = watch_pb2.WATCH_STEP_BOOKMARK
CALLED = ticket_pb2.TICKET_STATE_CALLED
LIMIT_S = 30.0
QUICK = {News.NONE: 0.05, News.SLIGHT: 0.02, News.NEWS: 0.0}
"""Bookmarks and slight news come soon."""


class Picture:
    """What a watcher of any of the three holds, kept as the protocol says."""

    def __init__(self) -> None:
        self.position = 0
        self.token = ""
        self.heads: list[watch_pb2.WatchHead] = []
        self.agent_id = ""
        self.rows: dict[str, Any] = {}
        self.lines: dict[str, int] = {}
        self.tickets: dict[str, Any] = {}
        self.waiting: dict[str, Any] = {}
        self.place = 0

    @property
    def steps(self) -> list[int]:
        """The steps so far but bookmarks."""
        ends = (head.step for head in self.heads if not head.more)
        return [step for step in ends if step != BOOKMARK]

    def take_in(self, message: Any) -> None:
        """Keeps what a message tells."""
        head = message.head
        within = bool(self.heads) and self.heads[-1].more
        if head.step == SNAPSHOT and not within:
            self.rows, self.lines, self.tickets, self.waiting = {}, {}, {}, {}
        if head.step != SNAPSHOT:
            assert head.first_position == self.position + 1
        assert bool(head.token) != head.more
        self._keep(message)
        if not head.more:
            assert head.position >= self.position
            self.position, self.token = head.position, head.token
        self.heads.append(head)

    async def until(self, stream: Any, reached: Callable[["Picture"], bool]) -> None:
        """Reads until that is true at the end of a step."""
        async with asyncio.timeout(LIMIT_S):
            while not self.heads or self.heads[-1].more or not reached(self):
                self.take_in(await stream.read())

    def _keep(self, message: Any) -> None:
        fields = message.DESCRIPTOR.fields_by_name
        if "rows" in fields:
            self.rows.update((row.number, row) for row in message.rows)
            self.lines.update((line.line, line.waiting) for line in message.lines)
            for number in message.gone_numbers:
                self.rows.pop(number, None)
        elif "waiting" in fields:
            if message.HasField("agent_id"):
                self.agent_id = message.agent_id
            told = {one.ticket_id: one for one in message.tickets}
            waits = {one.ticket.ticket_id: one for one in message.waiting}
            for name in (*told, *waits, *message.gone_ticket_ids):
                self.tickets.pop(name, None)
                self.waiting.pop(name, None)
            self.tickets |= told
            self.waiting |= waits
        elif message.HasField("ticket"):
            self.tickets = {message.ticket.ticket_id: message.ticket}
            self.place = message.standing.position

    def state(self) -> Any:
        """What is shown, to be compared; without figures that only time moves."""
        rows = {n: (row.desk, row.state, row.calls) for n, row in self.rows.items()}
        tickets = {
            n: (one.state, one.desk, dict(one.attributes)) for n, one in self.tickets.items()
        }
        waiting = {n: one.standing.position for n, one in self.waiting.items()}
        return self.agent_id, rows, self.lines, tickets, waiting, self.place


def called(number: str) -> Callable[[Picture], bool]:
    """Whether the board shows a call of that number."""
    return lambda picture: number in picture.rows and picture.rows[number].state == CALLED


def at_place(place: int) -> Callable[[Picture], bool]:
    """Whether the phone shows that place."""
    return lambda picture: picture.place == place


def anything(_picture: Picture) -> bool:
    """Any whole step will do."""
    return True


def states(picture: Picture) -> dict[str, int]:
    """States by number of what is on the board."""
    return {number: row.state for number, row in picture.rows.items()}
