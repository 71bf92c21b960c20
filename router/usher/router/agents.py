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

The last three change with the records. They are written when somebody reads them: most matches look
at a few agents only, in plain lists.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from usher.queue.rules import AgentProfile, ChannelCapacity, Roster
from usher.queue.state import Agent
from usher.queue.values import NEVER_MS, AgentId, ChannelName, Presence
from usher.router.scoring import NOT_IDLE, Ints, Longs

NOT_SERVED = 1 << 20
"""A price that no agent can pay: 1000 * (it + any units) still fits into int32."""

# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_READY: Final = Presence.READY


def may_be_offered(agent: Agent, profile: AgentProfile) -> bool:
    """Returns whether the agent is there for new contacts at all, whatever its room."""
    return agent.presence is _READY and not agent.lost and agent.session > 0 and not profile.closed


class Agents:
    """Static and dynamic columns of all agents of a roster.

    Also as plain lists, for whoever looks at a few: `room` as `free`, `since_ms` as `idle_since`,
    and `legs` by channel. `with_room` holds the indexes of those that may have room for something.
    """

    def __init__(self, roster: Roster) -> None:
        self.profiles = sorted(roster.agents, key=lambda profile: profile.id)
        self.ids = [profile.agent_id for profile in self.profiles]
        self.index = {agent_id: index for index, agent_id in enumerate(self.ids)}
        names = {name for profile in self.profiles for name in profile.capacity.channels}
        self.channels = {name: number for number, name in enumerate(sorted(names))}
        count, width = len(self.ids), len(self.channels)
        self.units = np.array([profile.capacity.units for profile in self.profiles], np.int32)
        self.price = np.full((width, count), NOT_SERVED, np.int32)
        self._left = np.zeros((width, count), np.int32)
        self._free = np.full(count, -1, np.int32)
        self._idle_since = np.full(count, NOT_IDLE, np.int64)
        self.kits: list[tuple[int, ...]] = []
        self.kit = np.zeros(count, np.int64)
        self._forget_records()
        self._enter_capacities()
        self.least_price = int(self.price.min()) if self.price.size else 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def free(self) -> Ints:
        """Returns the column."""
        self._write()
        return self._free

    @property
    def left(self) -> Ints:
        """Returns the columns, one row per channel."""
        self._write()
        return self._left

    @property
    def idle_since(self) -> Longs:
        """Returns the column."""
        self._write()
        return self._idle_since

    def load(self, agents: Iterable[Agent]) -> None:
        """Rebuilds the dynamic columns; an agent that is not named is not there."""
        self._forget_records()
        self._free.fill(-1)
        self._idle_since.fill(NOT_IDLE)
        self._fill_left()
        for agent in agents:
            self.refresh(agent)

    def refresh(self, agent: Agent) -> int:
        """Takes over a new record; returns its index if the agent got freer by it, else -1."""
        index = self.index.get(agent.agent_id)
        if index is None:
            return -1
        profile, since_ms, legs = self.profiles[index], agent.idle_since_ms, agent.channel_legs
        old_room, old_legs = self.room[index], self.legs[index]
        room = profile.capacity.units - agent.units_used if may_be_offered(agent, profile) else -1
        busy = since_ms == NEVER_MS or (legs and any(legs.values()))
        self._unwritten[index] = None
        self.room[index] = room
        self.legs[index] = legs.copy()
        self.since_ms[index] = NOT_IDLE if busy else since_ms
        if room < self.least_price:
            self.with_room.discard(index)
            return -1
        self.with_room.add(index)
        return index if room > old_room or _has_fewer(legs, old_legs) else -1

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

    def _forget_records(self) -> None:
        count = len(self.ids)
        self.room = [-1] * count
        self.with_room: set[int] = set()
        self.since_ms = [NOT_IDLE] * count
        self.legs: list[Mapping[ChannelName, int]] = [{}] * count
        self._unwritten: dict[int, None] = {}
        self._written_legs: list[Mapping[ChannelName, int]] = [{}] * count

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
                self._left[self.channels[name], index] = capacity.most

    def _write(self) -> None:
        """Writes the records that have changed since the last time into the columns."""
        if not self._unwritten:
            return
        for index in self._unwritten:
            self._free[index] = self.room[index]
            self._idle_since[index] = self.since_ms[index]
            written, legs = self._written_legs[index], self.legs[index]
            if legs is not written and legs != written:
                self._write_left(index, written, legs)
                self._written_legs[index] = legs
        self._unwritten.clear()

    def _write_left(
        self, index: int, old: Mapping[ChannelName, int], new: Mapping[ChannelName, int]
    ) -> None:
        """Writes the channels whose legs differ."""
        served: dict[ChannelName, ChannelCapacity] = self.profiles[index].capacity.channels
        for name in old if not new else {**old, **new}:
            count = new.get(name, 0)
            if count != old.get(name, 0) and name in served:
                self._left[self.channels[name], index] = served[name].most - count


def _has_fewer(legs: Mapping[ChannelName, int], old_legs: Mapping[ChannelName, int]) -> bool:
    """Returns whether there are fewer legs of some channel than before."""
    return any(legs.get(name, 0) < count for name, count in old_legs.items())
