"""A small pool with its journal and runner, for the tests of the runtime."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from usher.queue import commands as c
from usher.queue.branches import Branches
from usher.queue.codec import Record, decode_records
from usher.queue.journal.contract import Batch, Journal, PrivateFields
from usher.queue.journal.memory import MemoryJournal
from usher.queue.rules import (
    AgentProfile,
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Policy,
    QueueRules,
    Roster,
)
from usher.queue.values import (
    Actor,
    ActorKind,
    AgentId,
    Channel,
    ContactFacts,
    ContactId,
    LegId,
    NewContact,
    Presence,
    QueueName,
)
from usher.router.pool import Pool
from usher.router.service.clock import Clock, ManualClock
from usher.router.service.opening import Opened, Versions, open_pool
from usher.router.service.runner import Runner, Submission
from usher.router.service.settings import Settings

PLATFORM = Actor(ActorKind.PLATFORM, "pbx")
START_MS = 1_700_000_000_000
VERSIONS = Versions("0.1.0", "2", "1")


class GatedJournal(MemoryJournal):
    """A memory journal whose sync waits for a gate, and fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.errors: list[Exception] = []
        self.appends = 0

    async def append(self, expected_position: int, batch: Batch) -> None:
        self.appends += 1
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        await super().append(expected_position, batch)


class Kit:
    """What the tests of the runtime need to talk to a pool."""

    GatedJournal = GatedJournal
    START_MS = START_MS

    @staticmethod
    def policy(version: str = "p1", *, most_waiting: int | None = None) -> Policy:
        return Policy(
            version=version,
            queues=(
                QueueRules(name=QueueName("help"), offer_timeout_ms=20_000),
                QueueRules(name=QueueName("limited"), most_waiting=most_waiting),
            ),
            channels={Channel.CHAT: ChannelRules()},
        )

    @staticmethod
    def roster(version: str = "r1", agents: int = 2, room: int = 1) -> Roster:
        capacity = Capacity(room, {Channel.CHAT: ChannelCapacity(most=room)})
        profiles = tuple(AgentProfile(id=f"a{n}", capacity=capacity) for n in range(agents))
        return Roster(version=version, agents=profiles)

    async def open(
        self,
        journal: Journal,
        clock: Clock | None = None,
        policy: Policy | None = None,
        roster: Roster | None = None,
        *,
        branches: Branches | None = None,
    ) -> Opened:
        taken = clock or ManualClock(START_MS)
        opening = partial(open_pool, journal, policy or self.policy(), roster or self.roster())
        return await opening(VERSIONS, lambda _: taken, branches=branches)

    async def runner(
        self, journal: Journal, opened: Opened | None = None, **settings: Any
    ) -> Runner:
        opened = opened or await self.open(journal)
        runner = Runner(opened, journal, Settings(**{"turn_every_ms": 0, **settings}))
        runner.start()
        await self.turn()
        return runner

    @staticmethod
    async def turn(times: int = 8) -> None:
        """Lets the loop go round until all that can go on has gone on."""
        for _ in range(times):
            await asyncio.sleep(0)

    @staticmethod
    def new(contact_id: str, queue: str = "help") -> NewContact:
        return NewContact(ContactId(contact_id), ContactFacts(QueueName(queue), Channel.CHAT))

    def enqueue(self, contact_id: str, queue: str = "help") -> c.EnqueueContact:
        return c.EnqueueContact(PLATFORM, self.new(contact_id, queue))

    def enqueue_all(self, *contact_ids: str) -> c.EnqueueContacts:
        return c.EnqueueContacts(PLATFORM, tuple(self.new(one) for one in contact_ids))

    @staticmethod
    def sign_in(agent_id: str, lease_ms: int = 0) -> c.SignIn:
        return c.SignIn(PLATFORM, AgentId(agent_id), Presence.READY, "", lease_ms)

    @staticmethod
    def accept(agent_id: str, leg_id: str) -> c.AcceptOffer:
        return c.AcceptOffer(PLATFORM, AgentId(agent_id), LegId(leg_id))

    @staticmethod
    def abandon(contact_id: str) -> c.AbandonContact:
        return c.AbandonContact(PLATFORM, ContactId(contact_id))

    @staticmethod
    def submission(
        command: c.AnyCommand,
        request_id: str = "",
        digest: bytes = b"d",
        private: dict[str, bytes | None] | None = None,
    ) -> Submission:
        """The answer tells position, state and agent of the contact (or only the position)."""
        fields = tuple(PrivateFields(name, content) for name, content in (private or {}).items())
        contact = getattr(command, "contact", None)
        contact_id = getattr(contact, "contact_id", getattr(command, "contact_id", None))

        def answer(pool: Pool, _events: object) -> bytes:
            known = pool.ledger.contacts.get(contact_id) if contact_id else None
            if known is None:
                return f"{pool.position}".encode()
            agent_id = known.owner.agent_id if known.owner else "nobody"
            return f"{pool.position} {known.state.value} {agent_id}".encode()

        return Submission(command, request_id, digest, fields, answer)

    async def send(
        self, runner: Runner, command: c.AnyCommand, request_id: str = "", **more: Any
    ) -> bytes:
        return await runner.submit(self.submission(command, request_id, **more))

    def begin(
        self, runner: Runner, command: c.AnyCommand, request_id: str = "", **more: Any
    ) -> asyncio.Task[bytes]:
        return asyncio.create_task(self.send(runner, command, request_id, **more))

    @staticmethod
    async def records(journal: Journal, after: int = 0) -> list[Record]:
        return [
            record
            async for stored in journal.read(after)
            for record in decode_records(stored.version, stored.body)
            if record.position > after
        ]

    async def commands(self, journal: Journal, after: int = 0) -> list[str]:
        return [type(record.command).__name__ for record in await self.records(journal, after)]


@pytest.fixture
def kit() -> Kit:
    return Kit()


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Runs a scenario on a loop of its own; tasks left over are ended."""

    async def whole(scenario: Coroutine[Any, Any, None]) -> None:
        await scenario
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        for task in others:
            with suppress(asyncio.CancelledError, Exception):
                await task

    return lambda scenario: asyncio.run(whole(scenario))
