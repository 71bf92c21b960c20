"""The matcher: which contact is offered to which agent now. Driven by the pool.

    load / note  ->  pairs(at_ms)  ->  (the pool offers them, notes what changed)  ->  settle

After a match no allowed pair is left. So the next one need only look at contacts that changed,
against all agents with room, and at agents that got freer, against all contacts: one changed
contact costs one row, one freed agent one column. `pairs` depends on the records, the policy, the
roster and `at_ms`, not on the way they came in. All that is kept here is a cache of the ledger.
Knows no events and no clock.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from usher.queue.rules import Policy, Roster
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
"""So many changed contacts may leave the columns together; fewer are quicker one by one."""


class Pair(Struct, frozen=True, array_like=True, gc=False):
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
        self.policy = policy
        self.roster = roster
        self._exact_cells_max = policy.exact_cells_max
        self._agents = Agents(roster)
        self._kinds = Kinds(policy, self._agents)
        self._tickets = tickets
        self._lobby = Lobby(self._agents, self._kinds, tickets)
        self._waiting = Waiting(len(self._agents.channels))
        self._noted_contacts: dict[ContactId, Contact] = {}
        self._noted_agents: dict[AgentId, Agent] = {}
        self._newcomers: dict[ContactId, Contact] = {}
        """Contacts that wait and are not in the columns yet: most are offered to somebody first."""
        self._changed: dict[ContactId, None] = {}
        self._freed: dict[int, None] = {}

    def load(self, contacts: Mapping[ContactId, Contact], agents: Mapping[AgentId, Agent]) -> None:
        """Takes over a whole ledger; every contact that waits counts as changed."""
        for contact_id in list(self._waiting.row_of):
            self._kinds.release(self._waiting.drop(contact_id))
        self._lobby.clear()
        self._waiting = Waiting(len(self._agents.channels))
        self._noted_contacts, self._noted_agents = {}, {}
        self._newcomers, self._changed, self._freed = {}, {}, {}
        self._agents.load(agents.values())
        tickets = self._tickets
        self.note(
            [c for c in contacts.values() if c.waits_unoffered or c.contact_id in tickets], ()
        )

    def note(self, contacts: Iterable[Contact], agents: Iterable[Agent]) -> None:
        """These records are new or have changed; contacts may have ended."""
        self.note_records(
            {contact.contact_id: contact for contact in contacts},
            {agent.agent_id: agent for agent in agents},
        )

    def note_records(
        self, contacts: Mapping[ContactId, Contact], agents: Mapping[AgentId, Agent]
    ) -> None:
        """The same for records by their ids."""
        self._noted_contacts.update(contacts)
        self._noted_agents.update(agents)

    @property
    def lobby(self) -> Lobby:
        """Returns the tickets that wait: desks pull them, no match offers them."""
        self._refresh()
        return self._lobby

    @property
    def needs_match(self) -> bool:
        """Returns whether `pairs` may find something that it could not find before `settle`."""
        if self._noted_contacts or self._noted_agents:
            self._refresh()
        if not (self._newcomers or self._changed or self._freed):
            return False
        if self._agents.with_room:
            return True
        self.settle()  # nobody has room, so no allowed pair is left
        return False

    def pairs(self, at_ms: int) -> list[Pair]:
        """Returns the pairs to be offered now, in order of decision; changes nothing but caches."""
        if not self.needs_match:
            return []
        newcomer = self._only_candidate()
        if newcomer is not None and len(self._agents.with_room) <= single.PAIRS_MAX:
            return self._single(newcomer, sorted(self._agents.with_room), at_ms)
        if self._newcomers:
            self._enter()
        freed = self._freed_with_room()
        if self._changed:
            index = self._agents.ready()
        elif len(freed) == 1 and self._has_room_for_one(freed[0]):
            return self._column(freed[0], at_ms)
        else:
            index = np.array(freed, np.int64)
        if not index.size:
            return []
        rows = self._candidates(freed)
        if not rows.size:
            return []
        if rows.size == 1 and index.size <= single.PAIRS_MAX:
            return self._single(self._waiting.contacts[rows[0]], index.tolist(), at_ms)
        field = Field(self._agents, self._kinds, self._waiting, at_ms, index)
        stages = Stages(field, self._exact_cells_max)
        stages.run(rows)
        return [
            self._pair(
                self._waiting.contacts[seat.row], int(index[seat.place]), seat.score, seat.found
            )
            for seat in stages.seats
        ]

    def settle(self) -> None:
        """Forgets what had changed: the pairs were offered (and noted), or there were none."""
        if self._noted_contacts or self._noted_agents:
            self._refresh()
        if self._newcomers:
            self._enter()
        if self._changed:
            self._changed = {}
        if self._freed:
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
        self._enter()
        return self._waiting.position(contact_id)

    def waiting_count(self, queue: QueueName) -> int:
        """Returns how many contacts of the queue wait unoffered."""
        self._refresh()
        self._enter()
        return self._waiting.count(queue)

    def price_of(self, agent_id: AgentId, channel: ChannelName) -> tuple[int, int] | None:
        """Returns (price, wrap-up price) of a leg, None if the agent does not serve the channel."""
        return self._agents.price_of(agent_id, channel)

    def _refresh(self) -> None:
        """Takes the noted records in."""
        if self._noted_contacts:
            noted, self._noted_contacts = self._noted_contacts, {}
            if self._tickets or self._lobby.live:
                noted = self._lobby.take_in(noted)
            if len(noted) >= TOGETHER and noted.keys() >= self._waiting.row_of.keys():
                self._clear()
            for contact in noted.values():
                self._take_in(contact)
        if self._noted_agents:
            noted_agents, self._noted_agents = self._noted_agents, {}
            for agent in noted_agents.values():
                index = self._agents.refresh(agent)
                if index >= 0:
                    self._freed[index] = None
        if self._freed and not self._newcomers and not self._waiting.contacts:
            self._freed = {}  # nobody waits, so no allowed pair is left

    def _take_in(self, contact: Contact) -> None:
        """Takes a contact that has changed out of the columns; if it waits it is a newcomer."""
        contact_id = contact.contact_id
        if contact_id in self._waiting.row_of:
            self._kinds.release(self._waiting.drop(contact_id))
            self._changed.pop(contact_id, None)
        if contact.waits_unoffered and contact.facts.queue in self._kinds.queues:
            self._newcomers[contact_id] = contact
        elif self._newcomers:
            self._newcomers.pop(contact_id, None)

    def _clear(self) -> None:
        """Takes all contacts out of the columns."""
        for kind in self._waiting.clear():
            self._kinds.release(kind)
        self._changed = {}

    def _enter(self) -> None:
        """Puts the newcomers into the columns; there they count as changed."""
        newcomers, self._newcomers = self._newcomers, {}
        for contact in newcomers.values():
            kind = self._kinds.number(contact.facts)
            if kind is not None:
                _put(self._waiting, contact, kind, self._agents.channels)
                self._kinds.hold(kind)
                self._changed[contact.contact_id] = None

    def _only_candidate(self) -> Contact | None:
        """Returns the newcomer that is the only contact to be looked at, None if there are more."""
        waiting = self._waiting.contacts
        if len(self._newcomers) != 1 or self._changed or (self._freed and waiting):
            return None
        return next(iter(self._newcomers.values()))

    def _freed_with_room(self) -> list[int]:
        """Returns the agents that got freer and may have room for something, sorted."""
        with_room = self._agents.with_room
        return sorted([index for index in self._freed if index in with_room])

    def _candidates(self, freed: Sequence[int]) -> Longs:
        """Returns the rows of contacts that changed or that one of these agents could serve."""
        waiting = self._waiting
        if len(self._changed) == len(waiting):
            return np.arange(len(waiting))
        changed = waiting.rows_of(self._changed)
        if not freed:
            return changed
        kinds = self._kinds.used()
        some = self._served(kinds, np.array(freed, np.int64))
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

    def _single(self, contact: Contact, places: list[int], at_ms: int) -> list[Pair]:
        """Returns the pair of the only contact, if there is one."""
        kinds = self._kinds
        best = single.best_agent(self._agents, kinds, contact, places, at_ms)
        if best is None:
            return []
        index, score = best
        score += single.urgency(kinds, contact, at_ms)
        found = single.found(kinds, contact, alone=True)
        return [self._pair(contact, index, score, found)]

    def _has_room_for_one(self, index: int) -> bool:
        """Returns whether the agent has room for one contact at most, and few wait."""
        agents = self._agents
        one = agents.room[index] < 2 * agents.least_price
        return one and len(self._waiting.contacts) <= single.PAIRS_MAX

    def _column(self, index: int, at_ms: int) -> list[Pair]:
        """Returns the pair of the only agent, if there is one."""
        best = single.best_contact(self._agents, self._kinds, self._waiting, index, at_ms)
        if best is None:
            return []
        contact, score, found = best
        return [self._pair(contact, index, score, found)]

    def _pair(self, contact: Contact, index: int, score: int, found: Found) -> Pair:
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
    liked = contact.facts.preferences
    tastes = [(channels[each.channel], each.strength) for each in liked if each.channel in channels]
    waiting.put(contact, kind, need(contact.facts.urgency), tastes)
