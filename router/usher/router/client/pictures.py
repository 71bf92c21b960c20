"""Whole pictures of a board or a desk, kept from the steps of a watch.

    snapshot, changes, changes ... -> keeper -> picture after each whole step

A picture that the server has not confirmed for a while comes again with its age: a wall shows what
it last knew, and says so. Once there was a picture, a cut watch is taken up again without end. It
must not know gRPC, or how a picture is drawn.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from usher.router.client.errors import Exhausted, Unavailable
from usher.router.client.walk_in_results import BoardRow, BoardStep, DeskStep, Ticket

STALE_AFTER_S: Final = 12.0
"""A server says something every five seconds, if only that there is nothing to say."""
PAUSE_S: Final = 1.0

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Picture(Struct, frozen=True, kw_only=True):
    """As of a journal position; `time` by the server's clock.

    `age_s`: seconds since the server last said so, 0 = just now.
    """

    position: int = 0
    time: datetime | None = None
    age_s: float = 0.0

    @property
    def stale(self) -> bool:
        """Returns whether the server has been silent for longer than it ever is."""
        return self.age_s > 0


class BoardPicture(Picture, frozen=True, kw_only=True):
    """What a lobby's board shows: rows with the latest call first, waiting tickets by line."""

    rows: tuple[BoardRow, ...] = ()
    waiting: dict[str, int] = {}


class DeskPicture(Picture, frozen=True, kw_only=True):
    """What a desk shows: who sits there ('' = nobody), its visitors, who waits, next ones first."""

    agent_id: str = ""
    tickets: tuple[Ticket, ...] = ()
    waiting: tuple[Ticket, ...] = ()


Step = TypeVar("Step", BoardStep, DeskStep)
Shown = TypeVar("Shown", bound=Picture)


class BoardKeeper:
    """What a board holds."""

    def __init__(self) -> None:
        self._rows: dict[str, BoardRow] = {}
        self._waiting: dict[str, int] = {}
        self._changed = False

    def take_in(self, step: BoardStep) -> BoardPicture | None:
        """Returns the new picture after the last message of a step that has changed something."""
        if step.begins:
            self._rows, self._waiting = {}, {}
        self._rows.update((row.number, row) for row in step.rows)
        self._waiting.update(step.waiting)
        for number in step.gone:
            self._rows.pop(number, None)
        self._changed |= bool(step.begins or step.rows or step.gone or step.waiting)
        if not (step.ends and self._changed):
            return None
        self._changed = False
        rows = sorted(self._rows.values(), key=lambda row: row.number)
        rows.sort(key=lambda row: row.called or _LONG_AGO, reverse=True)
        return BoardPicture(
            rows=tuple(rows), waiting=dict(self._waiting), position=step.position, time=step.time
        )


class DeskKeeper:
    """What a desk holds."""

    def __init__(self) -> None:
        self._agent_id = ""
        self._tickets: dict[str, Ticket] = {}
        self._waiting: dict[str, Ticket] = {}
        self._changed = False

    def take_in(self, step: DeskStep) -> DeskPicture | None:
        """Returns the new picture after the last message of a step that has changed something.

        A ticket stands in one place: with the desk, in the line, or nowhere.
        """
        if step.begins:
            self._agent_id, self._tickets, self._waiting = "", {}, {}
        if step.agent_id is not None:
            self._agent_id = step.agent_id
        moved = [each.ticket_id for each in (*step.tickets, *step.waiting)]
        for ticket_id in (*moved, *step.gone):
            self._tickets.pop(ticket_id, None)
            self._waiting.pop(ticket_id, None)
        self._tickets.update((each.ticket_id, each) for each in step.tickets)
        self._waiting.update((each.ticket_id, each) for each in step.waiting)
        self._changed |= bool(step.begins or step.agent_id is not None or moved or step.gone)
        if not (step.ends and self._changed):
            return None
        self._changed = False
        return DeskPicture(
            agent_id=self._agent_id,
            tickets=tuple(self._tickets.values()),
            waiting=_by_turn(self._waiting.values()),
            position=step.position,
            time=step.time,
        )


async def pictures(
    watch: Callable[[], AsyncGenerator[Step, None]],
    take_in: Callable[[Step], Shown | None],
    *,
    stale_after_s: float = STALE_AFTER_S,
) -> AsyncGenerator[Shown, None]:
    """Yields the picture after each change, and again while nothing is heard, with its age.

    Raises UsherError; Unavailable and Exhausted only as long as there was no picture yet.
    """
    shown: Shown | None = None
    heard_s = time.monotonic()
    while True:
        try:
            async with aclosing(_steps_and_silence(watch(), stale_after_s)) as steps:
                async for step in steps:
                    if step is not None:
                        heard_s = time.monotonic()
                    fresh = None if step is None else take_in(step)
                    if fresh is None and shown is not None:
                        fresh = _aged(shown, 0.0 if step else time.monotonic() - heard_s)
                    if fresh is not None and fresh is not shown:
                        shown = fresh
                        yield shown
        except (Unavailable, Exhausted) as error:
            if shown is None:
                raise
            await asyncio.sleep(max(PAUSE_S, error.retry_after_s))
            age_s = time.monotonic() - heard_s
            if age_s >= stale_after_s:
                shown = _aged(shown, age_s)
                yield shown


async def _steps_and_silence(
    steps: AsyncGenerator[Step, None], silence_s: float
) -> AsyncGenerator[Step | None, None]:
    """Yields each step, and None whenever none has come for so long."""
    coming: asyncio.Task[Step] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(steps))
            await asyncio.wait((coming,), timeout=silence_s)
            if not coming.done():
                yield None
                continue
            step, coming = coming.result(), None
            yield step
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        await steps.aclose()


def _aged(shown: Shown, age_s: float) -> Shown:
    """Returns the same picture at this age."""
    return shown if shown.age_s == age_s else replace(shown, age_s=age_s)


def _by_turn(tickets: Iterable[Ticket]) -> tuple[Ticket, ...]:
    """Returns tickets by their place, which each queue counts for itself, then by arrival."""
    joined = sorted(tickets, key=lambda each: each.joined or _LONG_AGO)
    return tuple(sorted(joined, key=lambda each: each.queue_position))
