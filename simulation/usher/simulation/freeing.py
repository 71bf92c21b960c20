"""What would have given a waiting contact an agent at a moment: single changes, tried one by one.

    the moment's ledger + one change -> a matcher of its own -> is the contact among its pairs?

So the router's own match judges, others who wait included: a change that helps somebody who comes
first does not help this contact. The change is made at the moment itself; what an earlier change
would have made of the hours before is not asked. It must not know journals or runs.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from usher.queue.ledger import Ledger
from usher.queue.rules import AgentProfile, Capacity, Policy, QueueRules, Requirement, Roster
from usher.queue.state import Agent, Contact, copied
from usher.queue.values import AgentId, ContactId, Presence
from usher.router.matching import Matcher
from usher.router.policy import kinds_of
from usher.simulation.standing import Candidates, candidates, configured

TRIED_MOST = 10
"""Agents of one kind that are tried one after the other."""
NUMBERS = (2, 3, 4, 6, 8, 12, 16, 24, 32)
NEWCOMER = "one-more"


class Change(StrEnum):
    """Kinds of changes, the smallest first."""

    PAUSE = "pause"
    NEED = "need"
    PRESENCE = "presence"
    ROOM = "room"
    AGENT = "agent"
    AGENTS = "agents"


class Freeing(Struct, frozen=True):
    """A change after which the contact is offered to an agent at once."""

    change: Change
    what: str
    agent_id: AgentId
    count: int = 1
    """How many of them it takes."""
    key: str = ""
    """The same for changes that differ only in their number."""


def freeings(
    ledger: Ledger, contact_id: ContactId, at_ms: int, known: Iterable[Freeing] = ()
) -> tuple[Freeing, ...]:
    """Returns every change that helps at this moment, but for those known that are not larger.

    Where one agent is too few, the number that is enough (of `NUMBERS`). Nothing for a contact that
    does not wait, or is being offered. Raises as `standing` does.
    """
    contact = ledger.contacts[contact_id]
    if not contact.waits_unoffered or contact_id in ledger.tickets:
        return ()
    scene = _Scene(ledger, contact, at_ms)
    least = {one.key: one.count for one in known}
    found: list[Freeing] = []
    for change, key, count, what, trial in _trials(scene):
        if least.get(key, count + 1) <= count:
            continue
        taker = trial.taker(contact_id, at_ms)
        if taker is not None:
            least[key] = count
            found.append(Freeing(change, what, taker, count, key))
    return tuple(found)


class _Trial(Struct, frozen=True, eq=False):
    """A moment of a pool, changed or not."""

    policy: Policy
    roster: Roster
    contacts: Mapping[ContactId, Contact]
    agents: Mapping[AgentId, Agent]

    def taker(self, contact_id: ContactId, at_ms: int) -> AgentId | None:
        """Returns whom a match offers the contact to; None if to nobody."""
        matcher = Matcher(self.policy, self.roster)
        matcher.load(self.contacts, self.agents)
        pairs = {pair.contact_id: pair.agent_id for pair in matcher.pairs(at_ms)}
        return pairs.get(contact_id)


class _Scene:
    """The moment as it was, and who could serve the contact."""

    def __init__(self, ledger: Ledger, contact: Contact, at_ms: int) -> None:
        policy, roster = configured(ledger)
        waiting = {
            contact_id: one
            for contact_id, one in ledger.contacts.items()
            if one.waits_unoffered and contact_id not in ledger.tickets
        }
        self.at_ms = at_ms
        self.contact = contact
        self.now = _Trial(policy, roster, waiting, ledger.agents)
        self.queue = next(one for one in policy.queues if one.name == contact.facts.queue)
        self.found: Candidates = candidates(policy, roster, ledger, contact)

    def with_contact(self, contact: Contact) -> _Trial:
        """Returns the moment with another record of the contact."""
        contacts = {**self.now.contacts, contact.contact_id: contact}
        return replace(self.now, contacts=contacts)

    def with_queue(self, queue: QueueRules) -> _Trial:
        """Returns the moment with other rules of the contact's queue."""
        policy = self.now.policy
        queues = tuple(queue if one.name == queue.name else one for one in policy.queues)
        return replace(self.now, policy=replace(policy, queues=queues))

    def with_agents(self, agents: Iterable[Agent]) -> _Trial:
        """Returns the moment with other records of some agents."""
        changed = {agent.agent_id: agent for agent in agents}
        return replace(self.now, agents={**self.now.agents, **changed})

    def with_profile(self, profile: AgentProfile) -> _Trial:
        """Returns the moment with another profile of an agent."""
        agents = self.now.roster.agents
        others = tuple(profile if one.id == profile.id else one for one in agents)
        return replace(self.now, roster=replace(self.now.roster, agents=others))

    def with_newcomers(self, profile: AgentProfile, count: int) -> _Trial:
        """Returns the moment with so many more agents like this one, signed in and idle."""
        more = [replace(profile, id=f"{NEWCOMER}-{number}") for number in range(count)]
        agents = {
            one.agent_id: Agent(
                one.agent_id,
                session=1,
                presence=Presence.READY,
                presence_since_ms=self.at_ms,
                signed_in_ms=self.at_ms,
                idle_since_ms=self.at_ms,
            )
            for one in more
        }
        roster = replace(self.now.roster, agents=(*self.now.roster.agents, *more))
        return replace(self.now, roster=roster, agents={**self.now.agents, **agents})


_Named = tuple[Change, str, int, str, _Trial]
"""Kind, key, number, what it is in words."""


def _trials(scene: _Scene) -> Iterator[_Named]:
    yield from _without_pause(scene)
    yield from _without_need(scene)
    yield from _back(scene)
    yield from _more_room(scene)
    yield from _more_agents(scene)


def _without_pause(scene: _Scene) -> Iterator[_Named]:
    contact = scene.contact
    for agent_id in contact.pauses:
        kept = {one: due_ms for one, due_ms in contact.pauses.items() if one != agent_id}
        what = f"{agent_id} asked again without a pause"
        yield Change.PAUSE, what, 1, what, scene.with_contact(copied(contact, pauses=kept))


def _without_need(scene: _Scene) -> Iterator[_Named]:
    queue, contact = scene.queue, scene.contact
    for one in queue.requirements:
        if one.least:
            what = f"queue {queue.name} without the need of skill {one.skill}"
            yield Change.NEED, what, 1, what, scene.with_queue(_preferring(queue, one))
    if queue.groups:
        what = f"queue {queue.name} open to all groups"
        yield Change.NEED, what, 1, what, scene.with_queue(replace(queue, groups=()))
    if contact.facts.languages:
        what = f"an agent without {' or '.join(contact.facts.languages)}"
        facts = replace(contact.facts, languages=())
        yield Change.NEED, what, 1, what, scene.with_contact(copied(contact, facts=facts))


def _preferring(queue: QueueRules, asked: Requirement) -> QueueRules:
    """Returns the queue with a skill that is still scored, but no longer needed."""
    requirements = tuple(
        Requirement(one.skill, 0, one.wanted, one.weight) if one == asked else one
        for one in queue.requirements
    )
    return replace(queue, requirements=requirements)


def _back(scene: _Scene) -> Iterator[_Named]:
    """Yields for each reason of being not ready: one of its agents, then several of them."""
    away: dict[str, list[Agent]] = {}
    for index in scene.found.fitting():
        agent = scene.now.agents[scene.found.agents.ids[index]]
        if agent.presence is Presence.NOT_READY and not agent.lost:
            away.setdefault(agent.reason, []).append(_ready(agent, scene.at_ms))
    for reason, agents in away.items():
        key = f"ready instead of away ({reason})"
        for agent in agents[:TRIED_MOST]:
            yield Change.PRESENCE, key, 1, f"one agent {key}", scene.with_agents([agent])
        for count in (one for one in NUMBERS if one <= len(agents)):
            trial = scene.with_agents(agents[:count])
            yield Change.PRESENCE, key, count, f"{count} agents {key}", trial


def _ready(agent: Agent, at_ms: int) -> Agent:
    idle_ms = agent.idle_since_ms if agent.legs else at_ms
    return copied(agent, presence=Presence.READY, reason="", idle_since_ms=idle_ms)


def _more_room(scene: _Scene) -> Iterator[_Named]:
    channel, tried = scene.contact.facts.channel, 0
    for index in scene.found.fitting():
        profile = scene.found.agents.profiles[index]
        agent = scene.now.agents[profile.agent_id]
        full = agent.presence is Presence.READY and not scene.found.has_room[index]
        if not full or tried == TRIED_MOST:
            continue
        tried += 1
        listed = profile.capacity.channels[channel]
        channels = {**profile.capacity.channels, channel: replace(listed, most=listed.most + 1)}
        capacity = Capacity(profile.capacity.units + max(1, listed.price), channels)
        what = f"room for one more {channel} contact at an agent who was full"
        yield Change.ROOM, what, 1, what, scene.with_profile(replace(profile, capacity=capacity))


def _more_agents(scene: _Scene) -> Iterator[_Named]:
    """Yields one more agent of each kind that may serve the contact, then several of the first."""
    profiles = scene.found.agents.profiles
    fitting = tuple(profiles[index] for index in scene.found.fitting())
    kinds = kinds_of(replace(scene.now.roster, agents=fitting))[:TRIED_MOST]
    for profile in kinds:
        what = f"one more agent{_described(profile)}"
        yield Change.AGENT, what, 1, what, scene.with_newcomers(profile, 1)
    for profile in kinds[:1]:
        key = f"one more agent{_described(profile)}"
        for count in NUMBERS:
            what = f"{count} more agents{_described(profile)}"
            yield Change.AGENTS, key, count, what, scene.with_newcomers(profile, count)


def _described(profile: AgentProfile) -> str:
    """Returns what an agent is, by groups and skills."""
    groups = f" of group {' and '.join(profile.groups)}" if profile.groups else ""
    skills = f" with {', '.join(sorted(profile.skills))}" if profile.skills else ""
    return groups + skills
