"""Small days in a real pool, recorded: their records, and journals of them in a file.

a1, a2   billing      a2 is at lunch      a3   sales only
"""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.router import pool_kit as kit

from usher.queue import commands as c
from usher.queue.codec import RECORD_VERSION, Record, encode_records
from usher.queue.events import AnyEvent
from usher.queue.journal.contract import Batch
from usher.queue.journal.sqlite import SqliteJournal
from usher.queue.rules import ChannelRules, Connects, Order, Policy, QueueRules, Requirement
from usher.queue.values import SYSTEM, AgentId, ContactId, Presence
from usher.router.pool import Pool
from usher.simulation.scenario import Scenario
from usher.simulation.streams import Streams
from usher.simulation.studies.journal_days import MS_PER_DAY, JournalDay
from usher.simulation.studies.journal_replay import journal_replay
from usher.simulation.studies.recording import Recording, record_day
from usher.simulation.studies.replay import Replay
from usher.simulation.world import World

DAY = "1970-01-01"
START_S = kit.START_MS // 1000
BILLING = Requirement("billing", 1, 5)


def queue(name: str, *requirements: Requirement, **rules: Any) -> QueueRules:
    return kit.queue(name, order=Order.FCFS, requirements=requirements, **rules)


def policy(*queues: QueueRules, version: str = "p1") -> Policy:
    voice = ChannelRules(
        connects=Connects.CONNECT, wrap_up_ms=60_000, joining_limit_ms=60_000, lost_grace_ms=None
    )
    chosen = queues or (queue("billing", BILLING), queue("sales"))
    return kit.policy(*chosen, version=version, channels={"voice": voice})


class RecordedPool(kit.Driven):
    """A pool with agents that answer after 2 s, connect after 1 s and wrap up for 10 s."""

    def at(self, second: float) -> None:
        """Lets time pass until that second after the start."""
        self.wait(kit.START_MS + round(second * 1000) - self.at_ms)

    def away(self, agent_id: str, reason: str) -> None:
        session = self.agent(agent_id).session
        agent, presence = AgentId(agent_id), Presence.NOT_READY
        self.give(c.SetPresence(kit.person(agent_id), agent, session, presence, reason))

    def back(self, agent_id: str) -> None:
        session = self.agent(agent_id).session
        self.give(c.SetPresence(kit.person(agent_id), AgentId(agent_id), session, Presence.READY))

    def sign_out(self, agent_id: str) -> None:
        session = self.agent(agent_id).session
        self.give(c.SignOut(kit.person(agent_id), AgentId(agent_id), session))

    def answer(self, contact_id: str) -> None:
        """The agent who is offered it takes it and is connected; 3 s go by."""
        self.wait(2_000)
        self.take(self.contact(contact_id).owner)
        self.wait(1_000)
        self.connect(contact_id)

    def finish(self, contact_id: str, wrap_up_s: float = 10) -> None:
        """The talk is over, and after its wrap-up the agent is free."""
        leg = self.contact(contact_id).owner
        assert leg is not None
        self.complete(contact_id)
        self.wait(round(wrap_up_s * 1000))
        session = self.agent(leg.agent_id).session
        self.give(c.FinishWrapUp(kit.person(leg.agent_id), leg.agent_id, leg.leg_id, session))

    def leave(self, contact_id: str) -> None:
        self.give(c.AbandonContact(kit.PLATFORM, ContactId(contact_id)))


def opened(rules: Policy | None = None) -> RecordedPool:
    """A pool with a1, a2 and a3, all ready but a2, who is at lunch."""
    agents = (
        kit.profile("a1", skills={"billing": 5}, channels={"voice": (1, 1, 1)}),
        kit.profile("a2", skills={"billing": 5}, channels={"voice": (1, 1, 1)}),
        kit.profile("a3", channels={"voice": (1, 1, 1)}),
    )
    driven = RecordedPool()
    for command in kit.set_up(rules or policy(), kit.roster(*agents)):
        driven.give(command)
    for agent in agents:
        driven.sign_in(agent.id)
    driven.away("a2", "lunch")
    return driven


def lunch_day() -> RecordedPool:
    """c1 has a1 from 10 s to 313 s, so c2 waits from 20 s to 326 s; c4 waits 60 s and leaves.

    Wrap-up of c1 ends at 323 s; a3 serves c3 of sales from 33 s to 93 s.
    """
    driven = opened()
    driven.at(10)
    driven.enqueue("c1", "billing")
    driven.answer("c1")  # 13 s
    driven.at(20)
    driven.enqueue("c2", "billing")
    driven.at(30)
    driven.enqueue("c3", "sales")
    driven.answer("c3")  # 33 s
    driven.at(93)
    driven.finish("c3")  # 103 s
    driven.at(110)
    driven.enqueue("c4", "billing")
    driven.at(170)
    driven.leave("c4")
    driven.at(313)
    driven.finish("c1")  # 323 s
    driven.answer("c2")  # 326 s
    driven.at(400)
    driven.finish("c2")
    return driven


def answered_day() -> RecordedPool:
    """Everybody is answered; four contacts of billing compete for a1, and for a2 when back."""
    driven = opened()
    driven.at(10)
    driven.enqueue("c1", "billing")
    driven.answer("c1")
    for second, contact_id in ((20, "c2"), (25.5, "c3"), (31.25, "c4")):
        driven.at(second)
        driven.enqueue(contact_id, "billing")
    driven.at(60)
    driven.finish("c1", 7)  # c2 is offered to a1 at 67 s
    driven.answer("c2")
    driven.at(90)
    driven.back("a2")  # c3 is offered to a2
    driven.answer("c3")
    driven.at(120)
    driven.finish("c3")
    driven.answer("c4")
    driven.at(150.5)
    driven.finish("c2", 5)
    driven.at(200)
    driven.finish("c4")
    driven.sign_out("a1")
    return driven


def recording_of(records: list[Record]) -> Recording:
    return record_day(kit.through_bytes(records), 0, MS_PER_DAY)


def replay_of(records: list[Record]) -> Replay:
    day = JournalDay(date.fromisoformat(DAY), "UTC", 0, MS_PER_DAY)
    return journal_replay(recording_of(records), day, None, 30)


def write_journal(folder: Path, records: list[Record]) -> Path:
    """A journal in a file, as a server leaves it."""
    path = folder / "main.journal"

    async def write() -> None:
        journal = await SqliteJournal.open(path)
        body = encode_records(records)
        await journal.append(0, Batch(RECORD_VERSION, records[-1].at_ms, len(records), body))
        await journal.close()

    asyncio.run(write())
    return path


def simulated_records(
    scenario: Scenario, rules: Policy, monkeypatch: pytest.MonkeyPatch
) -> list[Record]:
    """What a simulated day leaves in a pool's journal: a large recorded day at small cost."""
    records: list[Record] = []
    apply = Pool.apply

    def keep(pool: Pool, events: tuple[AnyEvent, ...], at_ms: int) -> None:
        apply(pool, events, at_ms)
        command = c.ExpireDeadlines(SYSTEM)  # a replay reads events only
        records.append(Record(pool.position, at_ms, command, tuple(events)))

    with monkeypatch.context() as patch:
        patch.setattr(Pool, "apply", keep)
        for _ in World(scenario, rules, Streams(1)).batches():
            pass
    return records
