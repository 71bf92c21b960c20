"""A long journal as a busy server leaves it, made without one: pool, batches and store are real.

    made-up callers -> Execution.turn -> stage -> SqliteJournal.append

Every command has a request id that the journal remembers, and contacts have private fields, as in
service. No snapshot is written: all of it is the tail.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from usher.queue import commands as c
from usher.queue.events import AnyEvent
from usher.queue.journal.contract import PrivateFields
from usher.queue.journal.sqlite import SqliteJournal
from usher.queue.rules import Policy, Roster
from usher.queue.state import Leg
from usher.queue.values import (
    SYSTEM,
    Actor,
    ActorKind,
    AgentId,
    Channel,
    ContactFacts,
    ContactId,
    LegState,
    NewContact,
    QueueName,
)
from usher.router.pool import Pool
from usher.router.service.execution import Execution
from usher.router.service.inbox import Entry, Submission
from usher.router.service.stage import Stage
from usher.router.service.telemetry import Counters

PLATFORM = Actor(ActorKind.PLATFORM, "long")
BATCH_COMMANDS = 8
BATCH_MS = 16  # 500 commands a second
APPENDS_AT_ONCE = 64  # so that they share a sync
WAITING_MOST = 100
ANSWER = b"an answer as long as the usual one is: 48 bytes."


class LongJournal:
    """Fills the journal at `path` until it holds `events` events; `end_ms` is its last moment."""

    def __init__(self, policy: Policy, roster: Roster, *, seed: int = 1) -> None:
        self.events = 0
        self._policy = policy
        self._roster = roster
        self._random = random.Random(seed)
        self._execution = Execution(Pool(), {}, Counters())
        self._todo: deque[Leg] = deque()
        self._waiting: deque[ContactId] = deque()
        self._number = 0

    @property
    def pool(self) -> Pool:
        """Returns the pool that the journal leads to."""
        return self._execution.pool

    async def write(self, path: Path, events: int, end_ms: int) -> None:
        """Writes the journal; its last batch is at `end_ms` or a little before."""
        journal = await SqliteJournal.open(path)
        try:
            at_ms = end_ms - events // BATCH_COMMANDS * BATCH_MS
            appends = [self._append(journal, self._beginnings(), at_ms)]
            while self.events < events:
                at_ms += BATCH_MS
                commands = [self._next() for _ in range(BATCH_COMMANDS)]
                appends.append(self._append(journal, commands, at_ms))
                if len(appends) >= APPENDS_AT_ONCE:
                    await asyncio.gather(*appends)
                    appends.clear()
            await asyncio.gather(*appends)
        finally:
            await journal.close()

    def _append(
        self, journal: SqliteJournal, commands: Iterable[c.AnyCommand], at_ms: int
    ) -> asyncio.Task[None]:
        first = self.pool.position
        stage = Stage(first)
        entries = [Entry(self._submission(command)) for command in commands]
        self._execution.turn(entries, at_ms, stage)
        self.events += sum(len(record.events) for record in stage.records)
        self._look_at(stage)
        return asyncio.create_task(journal.append(first, stage.batch()))

    def _look_at(self, stage: Stage) -> None:
        """Notes what the batch left to be done."""
        self._execution.close(stage)
        published = stage.published
        if published is None:
            return
        for contact in published.contacts:
            if contact.owner is None and contact.waiting_since_ms >= 0:
                self._waiting.append(contact.contact_id)
        self._todo.extend(published.legs)

    def _submission(self, command: c.AnyCommand) -> Submission:
        self._number += 1
        private: tuple[PrivateFields, ...] = ()
        if isinstance(command, c.EnqueueContact):
            content = b"name, number and a line of text of %d" % self._number
            private = (PrivateFields(command.contact.contact_id, content),)
        request_id = "" if command.actor is SYSTEM else f"request-{self._number}"
        return Submission(command, request_id, b"d" * 16, private, _answer)

    def _beginnings(self) -> list[c.AnyCommand]:
        agents = [AgentId(profile.id) for profile in self._roster.agents]
        return [
            c.OpenPool(SYSTEM, "0", "0", "0"),
            c.SetPolicy(SYSTEM, self._policy),
            c.SetRoster(SYSTEM, self._roster),
            *(c.SignIn(PLATFORM, agent_id) for agent_id in agents),
        ]

    def _next(self) -> c.AnyCommand:
        while self._todo:
            command = self._for_leg(self._todo.popleft())
            if command is not None:
                return command
        if self._waiting and (self._random.random() < 0.05 or len(self._waiting) > WAITING_MOST):
            return c.AbandonContact(PLATFORM, self._waiting.popleft())
        return self._enqueue()

    def _for_leg(self, leg: Leg) -> c.AnyCommand | None:
        contact = self.pool.ledger.contacts.get(leg.contact_id)
        now = contact.leg(leg.leg_id) if contact is not None else None
        if now is None or now.state is not leg.state:
            return None
        draw = self._random.random()
        match leg.state:
            case LegState.OFFERED if draw < 0.05:
                return c.DeclineOffer(PLATFORM, leg.agent_id, leg.leg_id)
            case LegState.OFFERED:
                return c.AcceptOffer(PLATFORM, leg.agent_id, leg.leg_id)
            case LegState.JOINING:
                return c.ConnectContact(PLATFORM, leg.contact_id)
            case LegState.ACTIVE if draw < 0.05:
                return c.RequeueContact(PLATFORM, leg.contact_id)
            case LegState.ACTIVE:
                return c.CompleteContact(PLATFORM, leg.contact_id, "done", True)
            case LegState.WRAPPING:
                return c.FinishWrapUp(PLATFORM, leg.agent_id, leg.leg_id)
            case _:
                return None

    def _enqueue(self) -> c.EnqueueContact:
        queue = QueueName(self._random.choice(("help", "help", "sales")))
        channel = Channel.VOICE if self._random.random() < 0.3 else Channel.CHAT
        facts = ContactFacts(queue, channel, customer_id=f"customer-{self._number}", topic="bill")
        return c.EnqueueContact(PLATFORM, NewContact(ContactId(f"contact-{self._number}"), facts))


def _answer(_pool: Pool, _events: tuple[AnyEvent, ...]) -> bytes:
    return ANSWER
