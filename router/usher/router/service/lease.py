"""Leases of agents' sessions: a desktop that gives no sign of life for its lease is lost.

Heartbeats stay here, in memory; only the loss becomes a command. How long a session's lease is
stands in the agent's record (0 = none, as for sessions that a platform opened), so after a restart
each such session has one full lease from then on to be heard of again. Time is the pool's clock,
which runs on the monotonic one. It must not know gRPC, or what a lost session leads to."""

import asyncio
import heapq

from msgspec import Struct

from usher.queue.commands import LoseSession
from usher.queue.errors import Refused
from usher.queue.state import Agent
from usher.queue.values import SYSTEM, AgentId, Presence
from usher.router.pool import Pool
from usher.router.service.runner import Runner, Submission, no_answer
from usher.router.service.unavailable import CommandFailed, NotServed

RETRY_MS = 1_000
SLEEP_MOST_S = 10.0


class _Lease(Struct):
    session: int
    lease_ms: int
    due_ms: int


class SessionLeases:
    """The leases of one pool's sessions."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._clock = runner.clock
        self._leases: dict[AgentId, _Lease] = {}
        self._line: list[tuple[int, AgentId]] = []  # a heap; stale entries are passed over
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._leases)

    async def start(self) -> None:
        """Gives each session that has a lease a full one from now, and begins to watch them.

        They get one again when the journal's store was away: nobody could be heard meanwhile.
        """
        for agent in await self._runner.read(_leased):
            self.renew(agent.agent_id, agent.session, agent.lease_ms)
        self._runner.outage.listeners.append(self._outage)
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Ends the watch; nobody is lost any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def renew(self, agent_id: AgentId, session: int, lease_ms: int) -> None:
        """The session was opened or gave a sign of life; `lease_ms` 0 = it needs none."""
        lease = self._leases.get(agent_id)
        if lease is not None and lease.session > session:
            return
        if lease_ms <= 0:
            self.forget(agent_id)
            return
        due_ms = self._clock.now_ms() + lease_ms
        self._leases[agent_id] = _Lease(session, lease_ms, due_ms)
        if lease is None or due_ms < lease.due_ms:
            self._put(due_ms, agent_id)

    def forget(self, agent_id: AgentId) -> None:
        """The session ended by itself."""
        self._leases.pop(agent_id, None)

    def _outage(self, is_over: bool) -> None:
        if is_over:
            for agent in _leased(self._runner.pool):
                self.renew(agent.agent_id, agent.session, agent.lease_ms)

    def wake(self) -> None:
        """Looks at the clock again (after a ManualClock was moved)."""
        self._wake.set()

    def _put(self, due_ms: int, agent_id: AgentId) -> None:
        heapq.heappush(self._line, (due_ms, agent_id))
        if self._line[0] == (due_ms, agent_id):
            self._wake.set()

    async def _watch(self) -> None:
        while True:
            self._wake.clear()
            lost = self._due()
            if lost:
                await asyncio.gather(*(self._lose(*who) for who in lost))
                continue
            try:
                async with asyncio.timeout(self._sleep_s()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _sleep_s(self) -> float | None:
        if not self._line:
            return None
        return min(self._clock.seconds_until(self._line[0][0]), SLEEP_MOST_S)

    def _due(self) -> list[tuple[AgentId, _Lease]]:
        """Returns the leases that are out; others met on the way are put back in line."""
        now_ms = self._clock.now_ms()
        lost: list[tuple[AgentId, _Lease]] = []
        while self._line and self._line[0][0] <= now_ms:
            _, agent_id = heapq.heappop(self._line)
            lease = self._leases.get(agent_id)
            if lease is None:
                continue
            if lease.due_ms > now_ms:
                heapq.heappush(self._line, (lease.due_ms, agent_id))
            else:
                lost.append((agent_id, lease))
        return lost

    async def _lose(self, agent_id: AgentId, lease: _Lease) -> None:
        command = LoseSession(SYSTEM, agent_id, lease.session)
        try:
            await self._runner.submit(Submission(command, "", b"", (), no_answer))
        except (Refused, CommandFailed):
            pass  # signed out or taken over meanwhile: there is nothing to lose
        except NotServed:
            if self._leases.get(agent_id) is lease:
                lease.due_ms = self._clock.now_ms() + RETRY_MS
                self._put(lease.due_ms, agent_id)
            return
        if self._leases.get(agent_id) is lease:
            del self._leases[agent_id]


def _leased(pool: Pool) -> list[Agent]:
    """Returns the agents whose session is there and has a lease."""
    return [
        agent
        for agent in pool.ledger.agents.values()
        if agent.lease_ms > 0 and agent.presence is not Presence.OFFLINE and not agent.lost
    ]
