"""What has changed in a pool, batch by batch, for those who watch it.

The runner publishes a batch after its sync, so nothing here can be lost again. A ring holds the
last batches for those who resume; each subscription has a bounded line of references to batches
that it has not read yet. An agent's own watch is woken only by batches that touch that agent: with
a thousand desktops connected a batch costs as much as the few agents in it. Who looks after a
branch is woken only by batches that touch it, and needs no line: it looks at the branch as it is.

It must not know gRPC, filters other than agent and branch, or the journal.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from msgspec import Struct

from usher.queue.branches import BranchName
from usher.queue.state import Agent, Contact, Leg
from usher.queue.tickets import Ticket
from usher.queue.values import AgentId, ContactId
from usher.router.service.unavailable import Lagged, TooOld, WatchesFull

__all__ = ["Feed", "Lagged", "Published", "Subscription", "TooOld", "WatchesFull"]


class Published(Struct, frozen=True):
    """One synced batch, positions `first_position` to `position`: the records it touched, as it
    left them.

    `tickets`: also those of which only the contact was touched. `branches`: where tickets, desks or
    clerks were touched, or the rules.
    """

    first_position: int
    position: int
    at_ms: int
    contacts: tuple[Contact, ...] = ()
    legs: tuple[Leg, ...] = ()
    agents: tuple[Agent, ...] = ()
    retired: tuple[ContactId, ...] = ()
    tickets: tuple[Ticket, ...] = ()
    branches: frozenset[BranchName] = frozenset()

    @property
    def records(self) -> int:
        """Returns how many records it holds on to."""
        parts = (self.contacts, self.legs, self.agents, self.retired, self.tickets)
        return sum(map(len, parts))

    def agent_ids(self) -> set[AgentId]:
        """Returns the agents that it touches, by themselves, a leg, or a contact with a leg of
        theirs."""
        ids = {agent.agent_id for agent in self.agents}
        ids.update(leg.agent_id for leg in self.legs)
        ids.update(leg.agent_id for contact in self.contacts for leg in contact.legs)
        return ids


class Subscription:
    """An async iterator of lists of batches: all that has come since the last list."""

    def __init__(self, feed: "Feed", agent_id: AgentId | None, limit: int) -> None:
        self.agent_id = agent_id
        self._feed = feed
        self._limit = limit
        self._pending: deque[Published] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lagged = False
        self._closed = False

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> list[Published]:
        """Returns what is there, waiting for at least one batch.

        Raises Lagged if more than the limit came without being read; ends once closed.
        """
        while not self._pending:
            if self._lagged:
                raise Lagged("the watch did not keep up with the feed")
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        batches = list(self._pending)
        self._pending.clear()
        return batches

    def close(self) -> None:
        """Ends it; an iteration that waits stops. May be called twice."""
        self._closed = True
        self._feed.drop(self)
        self._wake()

    def put(self, published: Published) -> None:
        """Adds a batch, or marks the reader as too slow (called by the feed)."""
        if len(self._pending) >= self._limit:
            self._pending.clear()
            self._lagged = True
            self._feed.drop(self)
        else:
            self._pending.append(published)
        self._wake()

    def begin(self, backlog: Iterable[Published]) -> None:
        """Sets what it starts with (called by the feed)."""
        self._pending.extend(backlog)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class BranchBell:
    """Rings when a batch touches its branch; once for all that come before it is heard."""

    def __init__(self, feed: "Feed", branch: BranchName) -> None:
        self.branch = branch
        self.closed = False
        self._feed = feed
        self._rung = asyncio.Event()

    @property
    def rung(self) -> bool:
        """Returns whether a batch has come that nobody has heard of."""
        return self._rung.is_set()

    async def heard(self) -> None:
        """Waits until it rings, or was closed."""
        await self._rung.wait()
        self._rung.clear()

    def ring(self) -> None:
        """A batch touched the branch (called by the feed)."""
        self._rung.set()

    def close(self) -> None:
        """It rings for the last time. May be called twice."""
        self.closed = True
        self._feed.take_down(self)
        self._rung.set()


class Feed:
    """The feed of one pool. `position`, `at_ms`: of the last published batch (for bookmarks)."""

    def __init__(
        self,
        position: int,
        at_ms: int,
        *,
        batches_max: int = 10_000,
        records_max: int = 100_000,
        subscriptions_max: int = 10_000,
    ) -> None:
        self.position = position
        self.at_ms = at_ms
        self._covered_after = position
        self._batches_max = batches_max
        self._records_max = records_max
        self._subscriptions_max = subscriptions_max
        self._ring: deque[Published] = deque()
        self._records = 0
        self._count = 0
        self._whole: dict[Subscription, None] = {}
        self._by_agent: dict[AgentId, dict[Subscription, None]] = {}
        self._bells: dict[BranchName, BranchBell] = {}
        self._closed = False

    def subscribe(
        self, after_position: int | None, limit: int, agent_id: AgentId | None = None
    ) -> Subscription:
        """Returns a subscription to all batches past `after_position` (None = from now on).

        With `agent_id` only those that touch that agent. `limit` bounds the batches waiting to be
        read. Raises TooOld if the ring does not cover the position, or more than `limit` lie
        between; WatchesFull at the limit of subscriptions.
        """
        self._check_room()
        subscription = Subscription(self, agent_id, limit)
        subscription.begin(self._backlog(after_position, limit, agent_id))
        if self._closed:
            subscription.close()
            return subscription
        self._lines(agent_id)[subscription] = None
        self._count += 1
        return subscription

    def admit(self) -> None:
        """Counts a watch that reads no batches, until `leave`; raises WatchesFull."""
        self._check_room()
        self._count += 1

    def leave(self) -> None:
        """A watch that was admitted has ended."""
        self._count -= 1

    def hang_up(self, branch: BranchName) -> BranchBell:
        """Returns the bell of a branch: one per branch hangs at a time."""
        bell = self._bells[branch] = BranchBell(self, branch)
        if self._closed:
            bell.close()
        return bell

    def take_down(self, bell: BranchBell) -> None:
        """The bell rings no more; one that does not hang is passed over."""
        if self._bells.get(bell.branch) is bell:
            del self._bells[bell.branch]

    def tickets_since(self, position: int, limit: int, branch: BranchName) -> list[Ticket] | None:
        """Returns the tickets of a branch that were touched past `position`; None = nothing was.

        Raises TooOld as `subscribe` does.
        """
        missed = self._missed(position, limit, lambda published: branch in published.branches)
        if not missed:
            return None
        return [ticket for one in missed for ticket in one.tickets if ticket.branch == branch]

    def publish(self, published: Published) -> None:
        """Adds a synced batch and wakes those whom it concerns."""
        self.position, self.at_ms = published.position, published.at_ms
        self._ring.append(published)
        self._records += published.records
        while len(self._ring) > self._batches_max or self._records > self._records_max:
            oldest = self._ring.popleft()
            self._records -= oldest.records
            self._covered_after = oldest.position
        for subscription in tuple(self._whole):
            subscription.put(published)
        if self._by_agent:
            self._publish_to_agents(published)
        if self._bells:
            for branch in published.branches & self._bells.keys():
                self._bells[branch].ring()

    def drop(self, subscription: Subscription) -> None:
        """Forgets a subscription; an unknown one is passed over."""
        lines = self._lines(subscription.agent_id)
        if lines.pop(subscription, False) is None:
            self._count -= 1
        if not lines and subscription.agent_id is not None:
            del self._by_agent[subscription.agent_id]

    def close(self) -> None:
        """Ends all subscriptions, once they have read what they have; later ones end at once."""
        self._closed = True
        everyone = [*self._whole, *(one for lines in self._by_agent.values() for one in lines)]
        for subscription in everyone:
            subscription.close()
        for bell in list(self._bells.values()):
            bell.close()

    def _publish_to_agents(self, published: Published) -> None:
        for agent_id in published.agent_ids():
            for subscription in tuple(self._by_agent.get(agent_id, ())):
                subscription.put(published)

    def _lines(self, agent_id: AgentId | None) -> dict[Subscription, None]:
        return self._whole if agent_id is None else self._by_agent.setdefault(agent_id, {})

    def _check_room(self) -> None:
        if self._count >= self._subscriptions_max:
            raise WatchesFull(f"{self._count} watches are open, the most allowed", 1000)

    def _backlog(
        self, after_position: int | None, limit: int, agent_id: AgentId | None
    ) -> list[Published]:
        if after_position is None:
            return []

        def concerns(published: Published) -> bool:
            return agent_id is None or agent_id in published.agent_ids()

        return self._missed(after_position, limit, concerns)

    def _missed(
        self, after_position: int, limit: int, concerns: Callable[[Published], bool]
    ) -> list[Published]:
        if after_position == self.position:
            return []
        if not self._covered_after <= after_position < self.position:
            raise TooOld(f"the feed covers {self._covered_after} to {self.position}")
        missed: list[Published] = []
        for published in reversed(self._ring):
            if published.position <= after_position:
                break
            if concerns(published):
                missed.append(published)
        if len(missed) > limit:
            raise TooOld(f"{len(missed)} batches since {after_position}, more than {limit}")
        return missed[::-1]
