"""The course of watches that look at a branch as it is: boards, desks, phones.

    look (no usable token: snapshot) -> wait for news -> what differs from what was told -> ...

A step tells the difference between two looks, so a slow reader misses nothing but what came and
went. What is slight (expected waits, how many wait) is told at most once a second. A watch that
resumes is told all there is, and what has gone since. What a message holds is the business of the
view.
"""

import asyncio
from collections.abc import Sequence
from enum import Enum
from typing import Final, Protocol

from google.protobuf.message import Message

from usher.queue.branches import BranchName, DeskId
from usher.queue.tickets import Ticket
from usher.queue.values import ContactId
from usher.router.pool import Pool
from usher.router.service.branch_look import BranchLook
from usher.router.service.lookout import Lookout
from usher.router.service.served import ServedPool
from usher.router.service.unavailable import TooOld
from usher.router.service.watching import BOOKMARK_S, Course, Write


class News(Enum):
    """What a look means for a watch, compared with what it has told."""

    NONE = 0
    SLIGHT = 1
    NEWS = 2


TOLD_EVERY_S: Final = {News.NONE: BOOKMARK_S, News.SLIGHT: 1.0, News.NEWS: 0.0}


class LookView(Protocol):
    """What one kind of watch shows of a branch. It keeps what it has told.

    `name` holds the filter. `over`: there is nothing more to tell. Parts are encoded messages
    without a head; what they say of a look counts as told.
    """

    name: str
    branch: BranchName
    ticket_id: ContactId | None
    desk_id: DeskId | None
    content: type[Message]
    over: bool

    def check(self, pool: Pool) -> object:
        """Raises what is wrong with the wish: a desk that is not there."""
        ...

    def news(self, look: BranchLook) -> News:
        """Returns what this look means; nothing before the first one is told."""
        ...

    def snapshot(self, look: BranchLook) -> list[bytes]:
        """Returns parts with all there is."""
        ...

    def resumed(self, look: BranchLook, touched: Sequence[Ticket]) -> list[bytes]:
        """Returns parts with all there is, and which of the touched tickets are not."""
        ...

    def changes(self, look: BranchLook) -> list[bytes]:
        """Returns parts with what differs from what was told."""
        ...

    def hold(self, look: BranchLook) -> None:
        """The client holds this look already."""
        ...


class LookWatching:
    """One open watch."""

    def __init__(self, pool: ServedPool, view: LookView, write: Write) -> None:
        self.branch = view.branch
        self.ticket_id = view.ticket_id
        self.desk_id = view.desk_id
        self._pool = pool
        self._view = view
        self._course = Course(pool, view.name, view.content, write)
        self._loop = asyncio.get_running_loop()
        self._told_s = self._loop.time()
        self._woken = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, token_text: str) -> None:
        """Streams until the view is over, or something ends it: Draining, Lagged, Refused."""
        position = self._course.place_of(token_text)
        try:
            with self._pool.lookouts.followed(self) as lookout:
                look = await lookout.look(self._view.check)
                await self._begin(look, position, reset=bool(token_text))
                while not self._view.over:
                    await self._woken.wait()
                    self._woken.clear()
                    await self._step(lookout, lookout.latest or look)
        finally:
            self._wake_in(None)

    def see(self, look: BranchLook) -> bool:
        """Returns whether it will tell something now; slight news waits until it may be told."""
        news = self._view.news(look)
        left_s = self._left_s(news)
        if news is News.NONE or left_s > 0:
            self._wake_in(left_s)
            return False
        return True

    def wake(self) -> None:
        """See Viewer."""
        self._woken.set()

    async def _begin(self, look: BranchLook, position: int | None, *, reset: bool) -> None:
        """Tells a snapshot, or all that may be new to who has seen all up to the position."""
        view, course, runner = self._view, self._course, self._pool.runner
        touched: list[Ticket] | None = None
        if position is not None:
            limit = runner.settings.watch_batches_max
            try:
                touched = runner.feed.tickets_since(position, limit, view.branch)
            except TooOld:
                position = None
        if position is None:
            course.move_on(look.position)
            await course.tell_snapshot(view.snapshot(look), reset=reset)
        elif touched is None:
            course.resume(position)
            view.hold(look)
        else:
            course.resume(position)
            course.move_on(look.position)
            await course.tell_changes(view.resumed(look, touched))
        self._note_told()

    async def _step(self, lookout: Lookout, look: BranchLook) -> None:
        if lookout.failure is not None:
            raise lookout.failure
        course, is_last = self._course, lookout.over
        news = self._view.news(look)
        is_due = self._left_s(news) <= 0
        if news is not News.NONE and (is_due or is_last):
            course.move_on(look.position)
            await course.tell_changes(self._view.changes(look))
            self._note_told()
        elif is_due:
            course.move_on(lookout.position)
            await course.tell_nothing()
            self._note_told()
        else:
            self._wake_in(self._left_s(news))
        if is_last:
            course.move_on(lookout.position)
            await course.end()

    def _note_told(self) -> None:
        self._told_s = self._loop.time()
        self._wake_in(None)
        self._wake_in(TOLD_EVERY_S[News.NONE])

    def _left_s(self, news: News) -> float:
        """Returns how long such news, or none, has to wait."""
        return self._told_s + TOLD_EVERY_S[news] - self._loop.time()

    def _wake_in(self, left_s: float | None) -> None:
        """Wakes in so long, or earlier if that is set already; None = never."""
        timer = self._timer
        due_s = None if left_s is None else self._loop.time() + left_s
        if timer is not None and not timer.cancelled():
            if due_s is not None and self._loop.time() < timer.when() <= due_s:
                return
            timer.cancel()
        self._timer = None if due_s is None else self._loop.call_at(due_s, self._woken.set)
