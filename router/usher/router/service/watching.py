"""The course of a watch: snapshot or resumption, then changes, with bookmarks in between.

    subscribe -> (no usable token: snapshot at P) -> steps of the feed past P -> ... -> bookmark ...

The snapshot is read from the pool, which is ahead of the feed: batches up to its position are
passed over. A step coalesces what came while the last one was written: views are of state, so the
last word on each thing is enough. What a message holds is the business of the view.

`Course` is what every watch has: heads, tokens, writing. `Watching` follows the batches of the
feed; watches that look at a branch as it is are in `look_watching`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, Generic, NoReturn, Protocol, TypeVar

from usher.queue.state import Agent, Contact, Leg
from usher.queue.values import AgentId, ContactId, LegId
from usher.router.pool import Pool
from usher.router.service.feed import Published, Subscription
from usher.router.service.served import ServedPool
from usher.router.service.unavailable import Draining, Lagged, TooOld
from usher.router.service.wire.fields import time_of
from usher.router.service.wire.tokens import WatchToken
from usher.v1 import watch_pb2

BOOKMARK_S: Final = 5.0
WRITE_S: Final = 30.0
"""A reader that takes nothing for so long is let go: its token brings it back."""
RESUME_MS: Final = 100


class _Content(Protocol):
    """A message of a watch."""

    def SerializeToString(self) -> bytes: ...


Content = TypeVar("Content", bound=_Content)
Headed = Callable[..., _Content]
"""The type of a watch's messages: takes `head`."""
Item = TypeVar("Item")
Write = Callable[[bytes], Awaitable[None]]


class Changes:
    """The last word on each thing that a run of batches touched."""

    def __init__(self, batches: Iterable[Published]) -> None:
        self.contacts: dict[ContactId, Contact] = {}
        self.legs: dict[LegId, Leg] = {}
        self.agents: dict[AgentId, Agent] = {}
        self.retired: dict[ContactId, None] = {}
        for batch in batches:
            self.contacts.update((one.contact_id, one) for one in batch.contacts)
            self.legs.update((one.leg_id, one) for one in batch.legs)
            self.agents.update((one.agent_id, one) for one in batch.agents)
            self.retired.update(dict.fromkeys(batch.retired))


class View(Protocol[Content]):
    """What one kind of watch shows. Its messages come without a head.

    `name` holds the filter. `agent_id` None = batches of all agents. `every_s` = longest silence.
    """

    name: str
    agent_id: AgentId | None
    every_s: float
    content: type[Content]

    def snapshot(self, pool: Pool) -> Iterator[Content]:
        """Returns messages of all there is; reads the pool before it returns."""
        ...

    def resume(self, pool: Pool) -> None:
        """Learns what a watcher who resumes may hold."""
        ...

    def changes(self, changes: Changes) -> Iterator[Content]:
        """Returns messages of what has changed; none if nothing that it shows has."""
        ...

    def alive(self) -> None:
        """The reader has taken all so far; raises what ends the watch."""
        ...


class Course:
    """How far an open watch is, and what it has told. `name` holds its filter."""

    def __init__(self, pool: ServedPool, name: str, content: Headed, write: Write) -> None:
        self.position = 0  # all up to here is taken in
        self._told = 0  # all up to here is told: the client can resume from it
        self._pool = pool
        self._name = name
        self._content = content
        self._write = write

    def place_of(self, token_text: str) -> int | None:
        """Returns the position that a token of this journal resumes after; raises Invalid."""
        token = self._pool.sealer.open_watch(token_text, self._name) if token_text else None
        if token is None or token.incarnation != self._pool.journal.incarnation:
            return None
        return token.position

    def resume(self, position: int) -> None:
        """The client holds all up to this position."""
        self.position = self._told = position

    def move_on(self, position: int) -> None:
        """All up to this position is taken in."""
        self.position = max(self.position, position)

    async def tell_snapshot(self, parts: Iterable[bytes], *, reset: bool) -> None:
        """Writes all there is. `reset`: the client's token was of no use."""
        await self._tell(watch_pb2.WATCH_STEP_SNAPSHOT, iter(parts), reset=reset)

    async def tell_changes(self, parts: Iterable[bytes]) -> None:
        """Writes what has changed since the last step."""
        await self._tell(watch_pb2.WATCH_STEP_CHANGES, iter(parts))

    async def tell_nothing(self) -> None:
        """Writes that nothing has changed."""
        await self._tell(watch_pb2.WATCH_STEP_BOOKMARK, iter(()))

    async def end(self) -> NoReturn:
        """Writes a token of the end; raises Draining."""
        await self.tell_nothing()
        raise Draining("the watch ends with the server; resume it", RESUME_MS)

    async def _tell(
        self,
        step: watch_pb2.WatchStep.ValueType,
        parts: Iterator[bytes],
        *,
        reset: bool = False,
    ) -> None:
        """Writes one step: each message but the last says that more follows."""
        part = next(parts, b"")
        for following in parts:
            await self._send(step, part, reset=reset, more=True)
            part, reset = following, False
        await self._send(step, part, reset=reset, more=False)
        self._told = self.position

    async def _send(
        self, step: watch_pb2.WatchStep.ValueType, part: bytes, *, reset: bool, more: bool
    ) -> None:
        """Writes a message: its head, and the rest as it was encoded."""
        is_snapshot = step == watch_pb2.WATCH_STEP_SNAPSHOT
        head = watch_pb2.WatchHead(
            step=step,
            reset=reset,
            more=more,
            first_position=0 if is_snapshot else self._told + 1,
            position=self.position,
            token="" if more else self._token(),
            server_time=time_of(self._pool.runner.clock.now_ms()),
        )
        try:
            async with asyncio.timeout(WRITE_S):
                await self._write(self._content(head=head).SerializeToString() + part)
        except TimeoutError:
            raise Lagged("the watch was not read; resume it", RESUME_MS) from None

    def _token(self) -> str:
        incarnation = self._pool.journal.incarnation
        return self._pool.sealer.seal(WatchToken(self._name, incarnation, self.position))


class Watching(Generic[Content]):
    """One open watch of what batches change."""

    def __init__(self, pool: ServedPool, view: View[Content], write: Write) -> None:
        self._pool = pool
        self._view = view
        self._course = Course(pool, view.name, view.content, write)

    async def run(self, token_text: str) -> None:
        """Streams until it is cancelled or something ends it: Draining, Lagged, Refused."""
        subscription = self._subscribe(token_text)
        try:
            if self._course.position:
                await self._pool.runner.read(self._view.resume)
            else:
                await self._tell_snapshot(reset=bool(token_text))
            self._view.alive()
            await self._follow(subscription)
        finally:
            subscription.close()

    def _subscribe(self, token_text: str) -> Subscription:
        """Returns the subscription after the token's position, or from now on without one."""
        runner, agent_id = self._pool.runner, self._view.agent_id
        limit = runner.settings.watch_batches_max
        position = self._course.place_of(token_text)
        if position is not None:
            try:
                subscription = runner.feed.subscribe(position, limit, agent_id)
            except TooOld:
                pass
            else:
                self._course.resume(position)
                return subscription
        return runner.feed.subscribe(None, limit, agent_id)

    async def _tell_snapshot(self, *, reset: bool) -> None:
        def seen(pool: Pool) -> tuple[int, Iterator[Content]]:
            return pool.position, self._view.snapshot(pool)

        position, messages = await self._pool.runner.read(seen)
        self._course.move_on(position)
        await self._course.tell_snapshot(_encoded(messages), reset=reset)

    async def _follow(self, subscription: Subscription) -> None:
        feed, course = self._pool.runner.feed, self._course
        while True:
            quiet_through = feed.position  # if the wait is in vain, there was nothing up to here
            try:
                async with asyncio.timeout(self._view.every_s):
                    batches = await anext(subscription)
            except TimeoutError:
                course.move_on(quiet_through)
                await course.tell_nothing()
            except StopAsyncIteration:
                course.move_on(feed.position)
                await course.end()
            else:
                await self._take_in(batches)
            self._view.alive()

    async def _take_in(self, batches: list[Published]) -> None:
        fresh = [batch for batch in batches if batch.position > self._course.position]
        if not fresh:
            return
        self._course.move_on(fresh[-1].position)
        messages = list(self._view.changes(Changes(fresh)))
        if messages:
            await self._course.tell_changes(_encoded(messages))


def _encoded(messages: Iterable[Content]) -> Iterator[bytes]:
    return (message.SerializeToString() for message in messages)


def portions(items: list[Item], most: int) -> Iterator[list[Item]]:
    """Returns the items in lists of at most `most`; no list for no items."""
    for start in range(0, len(items), most):
        yield items[start : start + most]
