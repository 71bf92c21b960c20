"""The course of every watch: snapshot or resumption, then changes, with bookmarks in between.

    subscribe -> (no usable token: snapshot at P) -> steps of the feed past P -> ... -> bookmark ...

The snapshot is read from the pool, which is ahead of the feed: batches up to its position are
passed over. A step coalesces what came while the last one was written: views are of state, so the
last word on each thing is enough. What a message holds is the business of the two kinds of watch.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, Generic, Protocol, TypeVar

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

    @property
    def head(self) -> watch_pb2.WatchHead: ...

    def SerializeToString(self) -> bytes: ...


Content = TypeVar("Content", bound=_Content)
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


class Watching(Generic[Content]):
    """One open watch."""

    def __init__(self, pool: ServedPool, view: View[Content], write: Write) -> None:
        self._pool = pool
        self._view = view
        self._write = write
        self._position = 0  # all up to here is taken in
        self._told = 0  # all up to here is told: the client can resume from it

    async def run(self, token_text: str) -> None:
        """Streams until it is cancelled or something ends it: Draining, Lagged, Refused."""
        subscription = self._subscribe(token_text)
        try:
            if self._position:
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
        token = self._pool.sealer.open_watch(token_text, self._view.name) if token_text else None
        if token is not None and token.incarnation == self._pool.journal.incarnation:
            try:
                subscription = runner.feed.subscribe(token.position, limit, agent_id)
            except TooOld:
                pass
            else:
                self._position = self._told = token.position
                return subscription
        return runner.feed.subscribe(None, limit, agent_id)

    async def _tell_snapshot(self, *, reset: bool) -> None:
        def seen(pool: Pool) -> tuple[int, Iterator[Content]]:
            return pool.position, self._view.snapshot(pool)

        self._position, messages = await self._pool.runner.read(seen)
        await self._tell(watch_pb2.WATCH_STEP_SNAPSHOT, messages, reset=reset)

    async def _follow(self, subscription: Subscription) -> None:
        feed = self._pool.runner.feed
        while True:
            quiet_through = feed.position  # if the wait is in vain, there was nothing up to here
            try:
                async with asyncio.timeout(self._view.every_s):
                    batches = await anext(subscription)
            except TimeoutError:
                self._position = max(self._position, quiet_through)
                await self._tell(watch_pb2.WATCH_STEP_BOOKMARK, iter(()))
            except StopAsyncIteration:
                self._position = max(self._position, feed.position)
                await self._tell(watch_pb2.WATCH_STEP_BOOKMARK, iter(()))  # a token of the end
                raise Draining("the watch ends with the server; resume it", RESUME_MS) from None
            else:
                await self._take_in(batches)
            self._view.alive()

    async def _take_in(self, batches: list[Published]) -> None:
        fresh = [batch for batch in batches if batch.position > self._position]
        if not fresh:
            return
        self._position = fresh[-1].position
        messages = list(self._view.changes(Changes(fresh)))
        if messages:
            await self._tell(watch_pb2.WATCH_STEP_CHANGES, iter(messages))

    async def _tell(
        self,
        step: watch_pb2.WatchStep.ValueType,
        messages: Iterator[Content],
        *,
        reset: bool = False,
    ) -> None:
        """Writes one step: each message but the last says that more follows."""
        message = next(messages, None) or self._view.content()
        for following in messages:
            await self._send(step, message, reset=reset, more=True)
            message, reset = following, False
        await self._send(step, message, reset=reset, more=False)
        self._told = self._position

    async def _send(
        self, step: watch_pb2.WatchStep.ValueType, message: Content, *, reset: bool, more: bool
    ) -> None:
        is_snapshot = step == watch_pb2.WATCH_STEP_SNAPSHOT
        head = watch_pb2.WatchHead(
            step=step,
            reset=reset,
            more=more,
            first_position=0 if is_snapshot else self._told + 1,
            position=self._position,
            token="" if more else self._token(),
            server_time=time_of(self._pool.runner.clock.now_ms()),
        )
        message.head.CopyFrom(head)
        try:
            async with asyncio.timeout(WRITE_S):
                await self._write(message.SerializeToString())
        except TimeoutError:
            raise Lagged("the watch was not read; resume it", RESUME_MS) from None

    def _token(self) -> str:
        incarnation = self._pool.journal.incarnation
        return self._pool.sealer.seal(WatchToken(self._view.name, incarnation, self._position))


def portions(items: list[Item], most: int) -> Iterator[list[Item]]:
    """Returns the items in lists of at most `most`; no list for no items."""
    for start in range(0, len(items), most):
        yield items[start : start + most]
