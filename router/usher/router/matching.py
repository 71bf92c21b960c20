"""The matcher: which contact is offered to which agent now. Driven by the pool.

    load / note  ->  pairs(at_ms)  ->  (the pool offers them, notes what changed)  ->  settle

After a match no allowed pair is left. So the next one need only look at contacts that changed,
against all agents with room, and at agents that got freer, against all contacts: one changed
contact costs one row, one freed agent one column. `pairs` depends on the records, the policy, the
roster and `at_ms`, not on the way they came in. All that is kept here is a cache of the ledger.
Knows no events and no clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from usher.queue.rules import Order, Policy, Roster
from usher.queue.state import Agent, Contact
from usher.queue.tickets import Ticket
from usher.queue.values import AgentId, ChannelName, ContactId, Found, QueueName
from usher.queue.waiting import Waiting
from usher.router import single
from usher.router.agents import Agents
from usher.router.field import Field
from usher.router.joint import warm_up
from usher.router.kinds import Kinds
from usher.router.lobby import NO_TICKETS, Lobby
from usher.router.scoring import Flags, Longs, need
from usher.router.stages import Stages

__all__ = ["Matcher", "Pair", "warm_up"]

TOGETHER = 8
"""So many changed contacts go into the columns together; fewer are quicker one by one."""


class Pair(NamedTuple):
    """A contact to be offered to an agent; prices in units of the agent's capacity."""

    contact_id: ContactId
    agent_id: AgentId
    score: int
    found: Found
    price: int
    wrap_up_price: int


class Matcher:
    """Columns of one pool's contacts and agents under one policy and roster."""

    def __init__(
        self, policy: Policy, roster: Roster, tickets: Mapping[ContactId, Ticket] = NO_TICKETS
    ) -> None:
        self._exact_cells_max = policy.exact_cells_max
        self._agents = Agents(roster)
        self._kinds = Kinds(policy, self._agents)
        self._tickets = tickets
        self._lobby = Lobby(self._agents, self._kinds, tickets)
        self._waiting = Waiting(len(self._agents.channels))
        self._noted_contacts: dict[ContactId, Contact] = {}
        self._noted_agents: dict[AgentId, Agent] = {}
        self._changed: dict[ContactId, None] = {}
        self._freed: dict[int, None] = {}

    def load(self, contacts: Mapping[ContactId, Contact], agents: Mapping[AgentId, Agent]) -> None:
        """Takes over a whole ledger; every contact that waits counts as changed."""
        for contact_id in list(self._waiting.row_of):
            self._kinds.release(self._waiting.drop(contact_id))
        self._lobby.clear()
        self._waiting = Waiting(len(self._agents.channels))
        self._noted_contacts, self._noted_agents = {}, {}
        self._changed, self._freed = {}, {}
        self._agents.load(agents.values())
        tickets = self._tickets
        self.note(
            [c for c in contacts.values() if c.waits_unoffered or c.contact_id in tickets], ()
        )

    def note(self, contacts: Iterable[Contact], agents: Iterable[Agent]) -> None:
        """These records are new or have changed; contacts may have ended."""
        for contact in contacts:
            self._noted_contacts[contact.contact_id] = contact
        for agent in agents:
            self._noted_agents[agent.agent_id] = agent

    @property
    def lobby(self) -> Lobby:
        """Returns the tickets that wait: desks pull them, no match offers them."""
        self._refresh()
        return self._lobby

    @property
    def needs_match(self) -> bool:
        """Returns whether `pairs` may find something that it could not find before `settle`."""
        self._refresh()
        return bool(self._changed or self._freed)

    def pairs(self, at_ms: int) -> list[Pair]:
        """Returns the pairs to be offered now, in order of decision; changes nothing but caches."""
        if not self.needs_match:
            return []
        index = self._agents.ready() if self._changed else self._with_room(self._freed)
        if not index.size:
            return []
        if index.size == 1 and not self._changed and self._has_room_for_one(index.item()):
            return self._column(index.item(), at_ms)
        rows = self._candidates()
        if not rows.size:
            return []
        if rows.size == 1 and index.size <= single.PAIRS_MAX:
            return self._single(int(rows[0]), index.tolist(), at_ms)
        field = Field(self._agents, self._kinds, self._waiting, at_ms, index)
        stages = Stages(field, self._exact_cells_max)
        stages.run(rows)
        return [
            self._pair(seat.row, int(index[seat.place]), seat.score, seat.found)
            for seat in stages.seats
        ]

    def settle(self) -> None:
        """Forgets what had changed: the pairs were offered (and noted), or there were none."""
        self._refresh()
        self._changed = {}
        self._freed = {}

    def admits(self, contact: Contact, at_ms: int) -> bool:
        """Returns whether some agent is free now who may take the contact (known here or not).

        `at_ms` is for rules that depend on time; there is none yet.
        """
        self._refresh()
        number = self._kinds.number(contact.facts)
        agents = self._agents
        if number is None or contact.facts.channel not in agents.channels:
            return False
        channel = agents.channels[contact.facts.channel]
        may: Flags = agents.free >= agents.price[channel]
        may &= agents.left[channel] > 0
        may &= self._kinds.fit[number] >= 0
        for agent_id in contact.pauses:
            if agent_id in agents.index:
                may[agents.index[agent_id]] = False
        return bool(may.any())

    def placed(self, contacts: Sequence[Contact], at_ms: int) -> set[ContactId]:
        """Returns which of these contacts would be offered at once if all of them came together."""
        if len(contacts) == 1:
            return {each.contact_id for each in contacts if self.admits(each, at_ms)}
        self._refresh()
        trial = Waiting(len(self._agents.channels))
        for contact in contacts:
            kind = self._kinds.number(contact.facts)
            if kind is not None:
                self._kinds.hold(kind)
                _put(trial, contact, kind, self._agents.channels)
        index = self._agents.ready()
        stages = Stages(
            Field(self._agents, self._kinds, trial, at_ms, index), self._exact_cells_max
        )
        if len(trial) and index.size:
            stages.run(np.arange(len(trial)))
        for kind in trial.kind[: len(trial)].tolist():
            self._kinds.release(kind)
        return {trial.contacts[seat.row].contact_id for seat in stages.seats}

    def queue_position(self, contact_id: ContactId) -> int:
        """Returns 1 for the next in its queue (time waited, then sequence); 0 = not waiting."""
        self._refresh()
        return self._waiting.position(contact_id)

    def waiting_count(self, queue: QueueName) -> int:
        """Returns how many contacts of the queue wait unoffered."""
        self._refresh()
        return self._waiting.count(queue)

    def price_of(self, agent_id: AgentId, channel: ChannelName) -> tuple[int, int] | None:
        """Returns (price, wrap-up price) of a leg, None if the agent does not serve the channel."""
        return self._agents.price_of(agent_id, channel)

    def _refresh(self) -> None:
        """Takes the noted records into the columns."""
        if self._noted_contacts:
            noted, self._noted_contacts = self._noted_contacts, {}
            if self._tickets or len(self._lobby):
                noted = self._lobby.take_in(noted)
            if len(noted) < TOGETHER:
                for contact in noted.values():
                    self._refresh_contact(contact)
            else:
                self._refresh_contacts(noted)
        if self._noted_agents:
            noted_agents, self._noted_agents = self._noted_agents, {}
            for agent in noted_agents.values():
                index = self._agents.refresh(agent)
                if index >= 0:
                    self._freed[index] = None
        if self._freed and not len(self._waiting):
            self._freed = {}  # nobody waits, so no allowed pair is left

    def _refresh_contact(self, contact: Contact) -> None:
        contact_id = contact.contact_id
        if contact_id in self._waiting.row_of:
            self._kinds.release(self._waiting.drop(contact_id))
            self._changed.pop(contact_id, None)
        if not contact.waits_unoffered:
            return
        kind = self._kinds.number(contact.facts)
        if kind is not None:
            _put(self._waiting, contact, kind, self._agents.channels)
            self._kinds.hold(kind)
            self._changed[contact_id] = None

    def _refresh_contacts(self, noted: Mapping[ContactId, Contact]) -> None:
        """Does the same for many: after a match that left nobody waiting, all go out at once."""
        waiting, kinds = self._waiting, self._kinds
        there = [contact_id for contact_id in noted if contact_id in waiting.row_of]
        whole = len(there) == len(waiting)
        gone = waiting.clear() if whole else [waiting.drop(contact_id) for contact_id in there]
        for kind in gone:
            kinds.release(kind)
        for contact_id in there:
            self._changed.pop(contact_id, None)
        self._put_in([contact for contact in noted.values() if contact.waits_unoffered])

    def _put_in(self, contacts: Iterable[Contact]) -> None:
        plain: list[Contact] = []
        numbers: list[int] = []
        for contact in contacts:
            facts = contact.facts
            kind = self._kinds.number(facts)
            if kind is None:
                continue
            if facts.preferences or facts.relationships or contact.pauses:
                _put(self._waiting, contact, kind, self._agents.channels)
            else:
                plain.append(contact)
                numbers.append(kind)
            self._kinds.hold(kind)
            self._changed[contact.contact_id] = None
        if plain:
            needs = [need(contact.facts.urgency) for contact in plain]
            self._waiting.put_all(plain, numbers, needs)

    def _with_room(self, indexes: Iterable[int]) -> Longs:
        """Returns the agents among these that may have room for something, sorted."""
        index = np.array(sorted(indexes), np.int64)
        return index[self._agents.free.take(index) >= self._agents.least_price]

    def _candidates(self) -> Longs:
        """Returns the rows of contacts that changed or that a freed agent could serve."""
        waiting = self._waiting
        if len(self._changed) == len(waiting):
            return np.arange(len(waiting))
        changed = waiting.rows_of(self._changed)
        freed = self._with_room(self._freed)
        if not freed.size:
            return changed
        kinds = self._kinds.used()
        some = self._served(kinds, freed)
        if some.all():
            return np.arange(len(waiting))
        served = np.zeros(len(self._kinds.uses), np.bool_)
        served[kinds] = some
        chosen = served.take(waiting.kind[: len(waiting)])
        chosen[changed] = True
        return chosen.nonzero()[0]

    def _served(self, kinds: Longs, freed: Longs) -> Flags:
        """Returns which of the kinds one of these agents has room for."""
        agents = self._agents
        cells = np.ix_(self._kinds.channel[kinds], freed)
        fit = self._kinds.fit[np.ix_(kinds, freed)] >= 0
        room = (agents.price[cells] <= agents.free[freed]) & (agents.left[cells] > 0)
        served: Flags = np.any(fit & room, axis=1)
        return served

    def _single(self, row: int, places: list[int], at_ms: int) -> list[Pair]:
        """Returns the pair of the only contact, if there is one."""
        kinds, contact = self._kinds, self._waiting.contacts[row]
        best = single.best_agent(self._agents, kinds, contact, places, at_ms)
        if best is None:
            return []
        index, score = best
        score += single.urgency(kinds, contact, int(self._waiting.need[row]), at_ms)
        order = kinds.orders[kinds.stage[self._waiting.kind[row]]]
        found = Found.FCFS if order is Order.FCFS else Found.ROW
        return [self._pair(row, index, score, found)]

    def _has_room_for_one(self, index: int) -> bool:
        """Returns whether the agent has room for one contact at most, and few wait."""
        agents = self._agents
        one = agents.free.item(index) < 2 * agents.least_price
        return one and len(self._waiting) <= single.PAIRS_MAX

    def _column(self, index: int, at_ms: int) -> list[Pair]:
        """Returns the pair of the only agent, if there is one."""
        best = single.best_contact(self._agents, self._kinds, self._waiting, index, at_ms)
        return [] if best is None else [self._pair(best[0], index, best[1], best[2])]

    def _pair(self, row: int, index: int, score: int, found: Found) -> Pair:
        contact = self._waiting.contacts[row]
        profile = self._agents.profiles[index]
        capacity = profile.capacity.channels[contact.facts.channel]
        return Pair(
            contact.contact_id,
            profile.agent_id,
            score,
            found,
            capacity.price,
            capacity.wrap_up_price,
        )


def _put(
    waiting: Waiting, contact: Contact, kind: int, channels: Mapping[ChannelName, int]
) -> None:
    facts = contact.facts
    tastes = [
        (channels[each.channel], each.strength)
        for each in facts.preferences
        if each.channel in channels
    ]
    waiting.put(contact, kind, need(facts.urgency), tastes)
