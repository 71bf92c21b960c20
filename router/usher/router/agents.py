"""Columns of agents: what the roster says of them, and how much room each has now.

Agents stand in the order of their ids, so that the smaller index is the smaller id. Knows nothing
of contacts, queues or scores.

    column      dtype   meaning
    units       int32   units in all
    price       int32   one row per channel: units of one leg; NOT_SERVED where the agent lacks it
    kit         int64   number of the agent's set of channels (`kits` holds the sets)
    free        int32   units left; -1 while no contact may be offered to the agent
    left        int32   one row per channel: further legs that it may have
    idle_since  int64   ms; NOT_IDLE with a leg, or if it never was idle
"""

from collections.abc import Iterable

import numpy as np

from usher.queue.rules import AgentProfile, ChannelCapacity, Roster
from usher.queue.state import Agent
from usher.queue.values import NEVER_MS, AgentId, ChannelName, Presence
from usher.router.scoring import NOT_IDLE, Longs

NOT_SERVED = 1 << 20
"""A price that no agent can pay: 1000 * (it + any units) still fits into int32."""


def may_be_offered(agent: Agent, profile: AgentProfile) -> bool:
    """Returns whether the agent is there for new contacts at all, whatever its room."""
    return (
        agent.presence is Presence.READY
        and not agent.lost
        and agent.session > 0
        and not profile.closed
    )


class Agents:
    """Static and dynamic columns of all agents of a roster."""

    def __init__(self, roster: Roster) -> None:
        self.profiles = sorted(roster.agents, key=lambda profile: profile.id)
        self.ids = [profile.agent_id for profile in self.profiles]
        self.index = {agent_id: index for index, agent_id in enumerate(self.ids)}
        names = {name for profile in self.profiles for name in profile.capacity.channels}
        self.channels = {name: number for number, name in enumerate(sorted(names))}
        count, width = len(self.ids), len(self.channels)
        self.units = np.array([profile.capacity.units for profile in self.profiles], np.int32)
        self.price = np.full((width, count), NOT_SERVED, np.int32)
        self.left = np.zeros((width, count), np.int32)
        self.free = np.full(count, -1, np.int32)
        self.idle_since = np.full(count, NOT_IDLE, np.int64)
        self.kits: list[tuple[int, ...]] = []
        self.kit = np.zeros(count, np.int64)
        self._records: list[Agent | None] = [None] * count
        self._enter_capacities()
        self.least_price = int(self.price.min()) if self.price.size else 0

    def __len__(self) -> int:
        return len(self.ids)

    def load(self, agents: Iterable[Agent]) -> None:
        """Rebuilds the dynamic columns; an agent that is not named is not there."""
        self._records = [None] * len(self)
        self.free.fill(-1)
        self.idle_since.fill(NOT_IDLE)
        self._fill_left()
        for agent in agents:
            self.refresh(agent)

    def refresh(self, agent: Agent) -> int:
        """Takes over a new record; returns its index if the agent got freer by it, else -1."""
        index = self.index.get(agent.agent_id)
        if index is None:
            return -1
        old = self._records[index]
        self._records[index] = agent
        profile = self.profiles[index]
        ready = may_be_offered(agent, profile)
        self.free[index] = profile.capacity.units - agent.units_used if ready else -1
        legs = agent.channel_legs
        since = agent.idle_since_ms
        self.idle_since[index] = NOT_IDLE if since == NEVER_MS or any(legs.values()) else since
        fewer = False
        old_legs = {} if old is None else old.channel_legs
        if legs is not old_legs and legs != old_legs:
            fewer = self._set_left(index, old_legs, legs)
        if not ready:
            return -1
        if old is None or fewer or agent.units_used < old.units_used:
            return index
        return -1 if may_be_offered(old, profile) else index

    def ready(self) -> Longs:
        """Returns the indexes of agents that may have room for something."""
        return (self.free >= self.least_price).nonzero()[0]

    def price_of(self, agent_id: AgentId, channel: ChannelName) -> tuple[int, int] | None:
        """Returns (price, wrap-up price) of a leg on the channel, None if not served."""
        index = self.index.get(agent_id)
        if index is None:
            return None
        capacity = self.profiles[index].capacity.channels.get(channel)
        return None if capacity is None else (capacity.price, capacity.wrap_up_price)

    def _enter_capacities(self) -> None:
        numbers: dict[tuple[int, ...], int] = {}
        for index, profile in enumerate(self.profiles):
            for name, capacity in profile.capacity.channels.items():
                self.price[self.channels[name], index] = capacity.price
            kit = tuple(sorted(self.channels[name] for name in profile.capacity.channels))
            self.kit[index] = numbers.setdefault(kit, len(numbers))
        self.kits = list(numbers)
        self._fill_left()

    def _fill_left(self) -> None:
        for index, profile in enumerate(self.profiles):
            for name, capacity in profile.capacity.channels.items():
                self.left[self.channels[name], index] = capacity.most

    def _set_left(
        self, index: int, old: dict[ChannelName, int], new: dict[ChannelName, int]
    ) -> bool:
        """Writes the channels whose legs differ; returns whether one has fewer than before."""
        served: dict[ChannelName, ChannelCapacity] = self.profiles[index].capacity.channels
        fewer = False
        for name in old if not new else {**old, **new}:
            count = new.get(name, 0)
            before = old.get(name, 0)
            if count != before and name in served:
                self.left[self.channels[name], index] = served[name].most - count
                fewer = fewer or count < before
        return fewer
