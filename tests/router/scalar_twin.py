"""The matcher's rule in plain Python loops, contact by contact and agent by agent.

The twin of `usher.router.matching` in the tests: every mask, every term, the order of the stages,
the choice of row and column, ties. It shares no code with it and keeps no columns. It solves a
joint problem by going through all assignments, so only for a few contacts.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import permutations, product

from usher.queue.rules import RANK_ORDER, AgentProfile, Order, Policy, QueueRules, Roster
from usher.queue.state import Agent, Contact
from usher.queue.values import AgentId, ChannelName, ContactId, ContactState, Presence

NEVER_IDLE = 10**30


@dataclass
class Desk:
    """One agent as it stands in the course of a match."""

    profile: AgentProfile
    record: Agent
    units_used: int
    legs: dict[ChannelName, int]

    @property
    def idle_since_ms(self) -> int:
        """Returns the moment, NEVER_IDLE with legs or without a moment."""
        if any(self.legs.values()) or self.record.idle_since_ms < 0:
            return NEVER_IDLE
        return self.record.idle_since_ms

    def take(self, channel: ChannelName) -> None:
        """Gives the agent one more contact."""
        self.units_used += self.profile.capacity.channels[channel].price
        self.legs[channel] = self.legs.get(channel, 0) + 1

    def give_back(self, channel: ChannelName) -> None:
        """Undoes `take`."""
        self.units_used -= self.profile.capacity.channels[channel].price
        self.legs[channel] -= 1


@dataclass
class Twin:
    """Policy, roster, contacts, agents and the moment of one match."""

    policy: Policy
    roster: Roster
    contacts: Mapping[ContactId, Contact]
    agents: Mapping[AgentId, Agent]
    at_ms: int
    desks: dict[AgentId, Desk] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queues = {queue.name: queue for queue in self.policy.queues}
        for profile in sorted(self.roster.agents, key=lambda each: each.id):
            agent = self.agents.get(profile.agent_id)
            if agent is not None:
                legs = dict(agent.channel_legs)
                self.desks[profile.agent_id] = Desk(profile, agent, agent.units_used, legs)

    # masks

    def allowed(self, contact: Contact, desk: Desk) -> bool:
        """Returns whether the agent may be offered the contact now."""
        capacity = desk.profile.capacity.channels.get(contact.facts.channel)
        return (
            capacity is not None
            and self.is_there(desk)
            and desk.units_used + capacity.price <= desk.profile.capacity.units
            and desk.legs.get(contact.facts.channel, 0) < capacity.most
            and self.in_group(contact, desk.profile)
            and self.has_skills(contact, desk.profile)
            and self.speaks(contact, desk.profile)
            and desk.profile.id not in contact.pauses
        )

    def is_there(self, desk: Desk) -> bool:
        """Returns whether the agent takes new contacts at all."""
        record = desk.record
        if desk.profile.closed or record.lost or record.session == 0:
            return False
        return record.presence is Presence.READY

    def in_group(self, contact: Contact, profile: AgentProfile) -> bool:
        """Returns whether the agent is in one of the queue's groups, if it has any."""
        groups = self.queues[contact.facts.queue].groups
        return not groups or any(group in profile.groups for group in groups)

    def has_skills(self, contact: Contact, profile: AgentProfile) -> bool:
        """Returns whether the agent has the least level of every skill."""
        for asked in self.queues[contact.facts.queue].requirements:
            if profile.skills.get(asked.skill, 0) < asked.least:
                return False
        return True

    def speaks(self, contact: Contact, profile: AgentProfile) -> bool:
        """Returns whether they share a language, or one of them names none."""
        if not contact.facts.languages or not profile.languages:
            return True
        spoken = [tag.lower() for tag in profile.languages]
        return any(tag.lower() in spoken for tag in contact.facts.languages)

    # terms

    def score(self, contact: Contact, desk: Desk) -> int:
        """Returns the weighted sum of the terms."""
        weights = self.queues[contact.facts.queue].weights
        return (
            weights.skill_fit * self.skill_fit(contact, desk.profile)
            + weights.relationship * self.relationship(contact, desk)
            + weights.channel_preference * self.channel_preference(contact, desk.profile)
            + weights.workload * self.workload(contact, desk)
            + weights.idle * self.idle(desk)
            + weights.urgency * self.urgency(contact)
        )

    def skill_fit(self, contact: Contact, profile: AgentProfile) -> int:
        """Returns level against wanted level, weighted."""
        total = weight = 0
        for asked in self.queues[contact.facts.queue].requirements:
            level = profile.skills.get(asked.skill, 0)
            reached = level if level < asked.wanted else asked.wanted
            total += asked.weight * (reached * 1000 // asked.wanted)
            weight += asked.weight
        return total // weight if weight else 1000

    def relationship(self, contact: Contact, desk: Desk) -> int:
        """Returns the strength of the customer's relationship with the agent."""
        for each in contact.facts.relationships:
            if each.agent_id == desk.profile.id:
                return each.strength
        return 0

    def channel_preference(self, contact: Contact, profile: AgentProfile) -> int:
        """Returns the strongest preference for a channel that the agent serves."""
        best = 0
        for each in contact.facts.preferences:
            if each.channel in profile.capacity.channels and each.strength > best:
                best = each.strength
        return best

    def workload(self, contact: Contact, desk: Desk) -> int:
        """Returns what is left of the agent's units after taking it."""
        price = desk.profile.capacity.channels[contact.facts.channel].price
        return 1000 - 1000 * (desk.units_used + price) // desk.profile.capacity.units

    def idle(self, desk: Desk) -> int:
        """Returns the idle time, full after ten minutes."""
        if desk.idle_since_ms == NEVER_IDLE:
            return 0
        return min(1000, (self.at_ms - desk.idle_since_ms) * 1000 // 600_000)

    def urgency(self, contact: Contact) -> int:
        """Returns the contact's wait against its target, and what went wrong."""
        rules = self.queues[contact.facts.queue]
        waited = contact.time_waited_ms(self.at_ms) + rules.head_start_ms
        longest = 2 * rules.service_target_ms
        facts = contact.facts.urgency
        points = 500 * min(waited, longest) // longest + 30 * facts.tier
        points += 60 * min(3, facts.failed_bots)
        points += 40 * min(3, facts.abandons) + 20 * min(3, facts.switches)
        return min(1000, points)

    # choices

    def waiting(self) -> list[Contact]:
        """Returns who waits unoffered, in waiting order."""
        found = [
            contact
            for contact in self.contacts.values()
            if contact.state is ContactState.WAITING and contact.owner is None
        ]
        return sorted(found, key=lambda each: (each.order_ms, each.sequence))

    def stages(self) -> Iterator[tuple[Order, list[Contact]]]:
        """Yields (order, contacts in that order), first stage first."""
        stages: dict[tuple[int, int, int], list[Contact]] = {}
        for contact in self.waiting():
            stages.setdefault(_stage(self.queues[contact.facts.queue]), []).append(contact)
        for key in sorted(stages):
            if key[2]:
                yield Order.SCORE, stages[key]
            else:
                yield Order.FCFS, sorted(stages[key], key=self.head_order)

    def head_order(self, contact: Contact) -> tuple[int, int]:
        """Returns the key of fcfs order."""
        head_ms = self.queues[contact.facts.queue].head_start_ms
        return contact.order_ms - head_ms, contact.sequence

    def best_agent(self, contact: Contact) -> tuple[Desk, int] | None:
        """Returns the best agent for the contact, with the score."""
        best: tuple[tuple[int, int, str], Desk] | None = None
        for desk in self.desks.values():
            if self.allowed(contact, desk):
                key = (-self.score(contact, desk), desk.idle_since_ms, desk.profile.id)
                if best is None or key < best[0]:
                    best = (key, desk)
        return None if best is None else (best[1], -best[0][0])

    def best_contact(self, contacts: Iterable[Contact], desk: Desk) -> tuple[Contact, int] | None:
        """Returns the best contact for the agent, with the score."""
        best: tuple[tuple[int, int, int], Contact] | None = None
        for contact in contacts:
            if self.allowed(contact, desk):
                key = (-self.score(contact, desk), contact.order_ms, contact.sequence)
                if best is None or key < best[0]:
                    best = (key, contact)
        return None if best is None else (best[1], -best[0][0])

    def one_by_one(self, contacts: Iterable[Contact]) -> list[tuple[ContactId, AgentId, int]]:
        """Returns the pairs if each contact in turn gets its best agent; takes their room."""
        pairs = []
        for contact in contacts:
            best = self.best_agent(contact)
            if best is not None:
                desk, score = best
                desk.take(contact.facts.channel)
                pairs.append((contact.contact_id, desk.profile.agent_id, score))
        return pairs

    def optimum(self, contacts: list[Contact]) -> tuple[int, int]:
        """Returns the greatest (number of pairs, sum of scores) over all assignments."""
        desks = [desk for desk in self.desks.values() if self.is_there(desk)]
        best = 0, 0
        for choice in product((None, *range(len(desks))), repeat=len(contacts)):
            count = total = 0
            for number, desk in enumerate(desks):
                given = [each for each, at in zip(contacts, choice, strict=True) if at == number]
                score = self.best_turns(given, desk)
                if score is None:
                    break
                count, total = count + len(given), total + score
            else:
                best = max(best, (count, total))
        return best

    def best_turns(self, contacts: list[Contact], desk: Desk) -> int | None:
        """Returns the greatest sum if the agent takes all these in turn, None if it may not."""
        if not all(self.allowed(contact, desk) for contact in contacts):
            return None
        return max(
            (
                total
                for turns in permutations(contacts)
                if (total := self.sum_of_turns(turns, desk)) is not None
            ),
            default=None,
        )

    def sum_of_turns(self, turns: tuple[Contact, ...], desk: Desk) -> int | None:
        """Returns the sum of scores in this order, None if a contact does not fit."""
        total: int | None = 0
        taken = []
        for contact in turns:
            if not self.allowed(contact, desk):
                total = None
                break
            total = (total or 0) + self.score(contact, desk)
            desk.take(contact.facts.channel)
            taken.append(contact.facts.channel)
        for channel in taken:
            desk.give_back(channel)
        return total

    def any_allowed(self, contacts: Iterable[Contact]) -> bool:
        """Returns whether some contact could still be offered to some agent."""
        desks = self.desks.values()
        return any(self.allowed(contact, desk) for contact in contacts for desk in desks)


def _stage(queue: QueueRules) -> tuple[int, int, int]:
    return RANK_ORDER[queue.rank], -queue.level, 0 if queue.order is Order.FCFS else 1
