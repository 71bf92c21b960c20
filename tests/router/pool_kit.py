"""Builders for tests of the pool, and `Driven`: a pool that is driven as the runner drives it.

A batch is: the callers' commands by arrival, passes of ExpireDeadlines while something is due, one
MatchContacts. Every record is kept, so that a test can replay, re-execute or encode what happened.
"""

from collections.abc import Callable, Iterable
from typing import Any

from usher.queue import commands as c
from usher.queue.codec import RECORD_VERSION, Record, decode_records, encode_records
from usher.queue.errors import Refused
from usher.queue.events import AnyEvent
from usher.queue.rules import (
    AgentProfile,
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Policy,
    QueueRules,
    Roster,
)
from usher.queue.state import Agent, Contact, Leg
from usher.queue.values import (
    SYSTEM,
    Actor,
    ActorKind,
    AgentId,
    ChannelName,
    ContactFacts,
    ContactId,
    LegId,
    NewContact,
    QueueName,
)
from usher.router.pool import Pool

PLATFORM = Actor(ActorKind.PLATFORM, "pbx")
SUPERVISOR = Actor(ActorKind.SUPERVISOR, "boss")
START_MS = 1_000_000
PASSES_MAX = 100_000

Price = tuple[int, int, int]
"""Price, most and wrap-up price of one channel at an agent."""


def person(agent_id: str) -> Actor:
    """An agent as the one who gives a command."""
    return Actor(ActorKind.AGENT, agent_id)


def queue(name: str, **rules: Any) -> QueueRules:
    """A queue with the default rules but for those given."""
    return QueueRules(name=QueueName(name), **rules)


def policy(*queues: QueueRules, version: str = "p1", **rules: Any) -> Policy:
    """A policy of these queues (without any: one named `main`)."""
    channels = {ChannelName(name): one for name, one in rules.pop("channels", {}).items()}
    chosen = queues or (queue("main"),)
    return Policy(version=version, queues=chosen, channels=channels, **rules)


def channel(**rules: Any) -> ChannelRules:
    """Rules of a channel with defaults but for those given."""
    return ChannelRules(**rules)


def profile(agent_id: str, units: int = 1, **rest: Any) -> AgentProfile:
    """An agent; `channels` maps a channel to (price, most, wrap-up price), else one voice call."""
    prices: dict[str, Price] = rest.pop("channels", {"voice": (1, 1, 0)})
    channels = {ChannelName(name): ChannelCapacity(*price) for name, price in prices.items()}
    return AgentProfile(id=agent_id, capacity=Capacity(units, channels), **rest)


def roster(*agents: AgentProfile, version: str = "r1") -> Roster:
    """A roster of these agents."""
    return Roster(version=version, agents=agents)


def new(
    contact_id: str, queue_name: str = "main", channel_name: str = "voice", **facts: Any
) -> Any:
    """A contact as a platform brings it."""
    brought = ContactFacts(QueueName(queue_name), ChannelName(channel_name), **facts)
    return NewContact(ContactId(contact_id), brought)


def set_up(rules: Policy, agents: Roster) -> list[c.AnyCommand]:
    """The commands by which a server opens a pool."""
    return [
        c.OpenPool(SYSTEM, "0.1.0", "2.0", "1.0", 1),
        c.SetPolicy(SYSTEM, rules),
        c.SetRoster(SYSTEM, agents),
    ]


class Driven:
    """A pool with its clock, its records and a place for checks after every record and batch."""

    def __init__(self, pool: Pool | None = None, at_ms: int = START_MS) -> None:
        self.pool = pool or Pool()
        self.at_ms = at_ms
        self.records: list[Record] = []
        self.before_record: Callable[[c.AnyCommand, tuple[AnyEvent, ...]], None] = _unchecked
        self.after_record: Callable[[], None] = _nothing
        self.after_batch: Callable[[], None] = _nothing

    @classmethod
    def opened(cls, rules: Policy, *agents: AgentProfile, ready: bool = True) -> "Driven":
        """A pool with this policy and these agents, all signed in as ready (or none)."""
        driven = cls()
        for command in set_up(rules, roster(*agents)):
            driven.give(command)
        if ready:
            for one in agents:
                driven.sign_in(one.id)
        return driven

    def give(self, command: c.AnyCommand, *, after_ms: int = 0) -> tuple[AnyEvent, ...]:
        """Lets time pass, then runs a batch of one command; returns its events, raises Refused."""
        self.at_ms += after_ms
        try:
            return self.accept(command)
        finally:
            self.settle()

    def accept(self, command: c.AnyCommand) -> tuple[AnyEvent, ...]:
        """Executes and applies one command of a batch; `settle` ends the batch."""
        limited = self._has_limit(command)
        if limited:
            self.match()
        events = self._record(command)
        if limited:
            self.match()
        return events

    def settle(self) -> None:
        """Ends a batch: what is due happens, then a match."""
        for _ in range(PASSES_MAX):
            due_ms = self.pool.next_deadline()
            if due_ms is None or due_ms > self.at_ms:
                break
            assert self._record(c.ExpireDeadlines(SYSTEM)), "a due pass must do something"
        else:
            raise AssertionError("deadlines never come to an end")
        self.match()
        self.after_batch()

    def match(self) -> None:
        """Matches if that may have an effect; a match without one leaves no record."""
        if self.pool.needs_match:
            self._record(c.MatchContacts(SYSTEM), keep_empty=False)

    def wait(self, wait_ms: int) -> None:
        """Lets time pass step by step, as a runner that wakes up at every deadline."""
        end_ms = self.at_ms + wait_ms
        while (due_ms := self.pool.next_deadline()) is not None and due_ms <= end_ms:
            self.at_ms = max(self.at_ms, due_ms)
            self.settle()
        self.at_ms = end_ms
        self.settle()

    def _record(self, command: c.AnyCommand, *, keep_empty: bool = True) -> tuple[AnyEvent, ...]:
        events = self.pool.execute(command, self.at_ms)
        if events or keep_empty:
            self.before_record(command, events)
            self.pool.apply(events, self.at_ms)
            position = self.pool.position
            self.records.append(Record(position, self.at_ms, command, events))
            self.after_record()
        return events

    def _has_limit(self, command: c.AnyCommand) -> bool:
        match command:
            case c.EnqueueContact(contact=contact):
                names = {contact.facts.queue}
            case c.EnqueueContacts(contacts=contacts):
                names = {contact.facts.queue for contact in contacts}
            case _:
                return False
        queues = self.pool.ledger.queues
        return any(name in queues and queues[name].most_waiting is not None for name in names)

    def sign_in(self, agent_id: str, **how: Any) -> int:
        """Signs an agent in and returns its session."""
        self.give(c.SignIn(person(agent_id), AgentId(agent_id), **how))
        return self.agent(agent_id).session

    def enqueue(self, contact_id: str, *brought: str, **facts: Any) -> Leg | None:
        """Enqueues a contact (id, queue, channel) and returns the offer it got, if any."""
        self.give(c.EnqueueContact(PLATFORM, new(contact_id, *brought, **facts)))
        return self.contact(contact_id).owner

    def take(self, leg: Leg | None, **how: Any) -> None:
        """Accepts an offer by its agent's desktop."""
        assert leg is not None, "there is no offer to take"
        session = self.agent(leg.agent_id).session
        how = {"session": session, **how}
        self.give(c.AcceptOffer(person(leg.agent_id), leg.agent_id, leg.leg_id, **how))

    def decline(self, leg: Leg | None) -> None:
        """Declines an offer by its agent's desktop."""
        assert leg is not None, "there is no offer to decline"
        session = self.agent(leg.agent_id).session
        self.give(c.DeclineOffer(person(leg.agent_id), leg.agent_id, leg.leg_id, session))

    def connect(self, contact_id: str, agent_id: str = "") -> tuple[AnyEvent, ...]:
        """The platform says that the customer is connected."""
        return self.give(c.ConnectContact(PLATFORM, ContactId(contact_id), AgentId(agent_id)))

    def talk(self, contact_id: str, *brought: str, **facts: Any) -> Leg:
        """Brings a contact into talk with whoever is offered it; returns the active leg."""
        leg = self.enqueue(contact_id, *brought, **facts)
        self.take(leg)
        self.connect(contact_id)
        owner = self.contact(contact_id).owner
        assert owner is not None
        return owner

    def complete(self, contact_id: str, **how: Any) -> tuple[AnyEvent, ...]:
        """The work with the customer is done."""
        return self.give(c.CompleteContact(PLATFORM, ContactId(contact_id), **how))

    def contact(self, contact_id: str) -> Contact:
        """The contact as it stands now."""
        return self.pool.ledger.contacts[ContactId(contact_id)]

    def agent(self, agent_id: str) -> Agent:
        """The agent as it stands now."""
        return self.pool.ledger.agents[AgentId(agent_id)]

    def owner_of(self, contact_id: str) -> str:
        """The agent on whom the contact is, or empty."""
        owner = self.contact(contact_id).owner
        return owner.agent_id if owner is not None else ""

    def refusal(self, command: c.AnyCommand) -> str:
        """The reason for which the pool refuses the command; nothing may have changed by it."""
        before = self.pool.state_hash()
        try:
            self.pool.execute(command, self.at_ms)
        except Refused as refused:
            assert before == self.pool.state_hash()
            return refused.reason
        raise AssertionError(f"was not refused: {command}")

    def journal(self) -> bytes:
        """All records as the journal would hold them."""
        return encode_records(self.records)


def replayed(records: Iterable[Record], pool: Pool | None = None) -> Pool:
    """The pool that the records lead to, from an empty one or on top of a restored one."""
    pool = pool or Pool()
    for record in records:
        if record.position > pool.position:
            pool.apply(record.events, record.at_ms)
    return pool


def through_bytes(records: list[Record]) -> list[Record]:
    """The records as they come back from the journal."""
    return decode_records(RECORD_VERSION, encode_records(records))


def leg_id(contact_id: str, number: int = 1) -> LegId:
    """The id of a contact's leg."""
    return LegId(f"{contact_id}.{number}")


def _unchecked(_command: c.AnyCommand, _events: tuple[AnyEvent, ...]) -> None:
    pass


def _nothing() -> None:
    pass
