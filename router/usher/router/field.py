"""The field of one match: the agents that may have room, with what is taken from it while matching.

Arrays here are over the field's places (a place is an agent's position in the field, places are in
the order of agent ids). A match spends room in them without touching the columns of `Agents`: they
are copies, or become copies with the first contact that takes room. What costs something is worked
out on demand, once: a lane per channel, values per kind.
"""

from bisect import bisect_left
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from usher.queue.state import Contact
from usher.queue.values import TERM_MAX, AgentId
from usher.queue.waiting import LINKED, PREFERS, Waiting
from usher.router.agents import Agents
from usher.router.kinds import Kinds
from usher.router.scoring import (
    FORBIDDEN,
    LEAST,
    NOT_IDLE,
    Flags,
    Ints,
    Longs,
    idle,
    urgency,
    urgency_of_one,
    workload,
)

Kind = TypeVar("Kind", bound=np.generic)

SKILL, RELATIONSHIP, PREFERENCE, WORKLOAD, IDLE, URGENCY = range(6)
"""Rows of `Kinds.weights`, in the order of WEIGHT_NAMES."""


class Lane:
    """One channel over the places: price, legs left, workload term, room for one more or not."""

    def __init__(self, price: Ints, left: Ints, free: Ints, units: Ints) -> None:
        self.price = price
        self.left = left
        self.work = workload(units - free + price, units)
        self.open: Flags = (free >= price) & (left > 0)


class Field:
    """The agents of one match. `index`: their indexes in `Agents`, rising."""

    def __init__(
        self, agents: Agents, kinds: Kinds, waiting: Waiting, at_ms: int, index: Longs
    ) -> None:
        self.agents = agents
        self.kinds = kinds
        self.waiting = waiting
        self.at_ms = at_ms
        self.index = index
        self._whole = index.size == agents.free.size
        self.units = self._here(agents.units)
        self.free = self._here(agents.free)
        self.since = self._here(agents.idle_since)
        self._owned = not self._whole
        self.idle = idle(at_ms, self.since)
        self._lanes: dict[int, Lane] = {}
        self._values: dict[int, Ints] = {}
        self._kit: Longs | None = None

    def lane(self, channel: int) -> Lane:
        """Returns the channel's lane."""
        lane = self._lanes.get(channel)
        if lane is None:
            price = self._here(self.agents.price[channel])
            left = self._here(self.agents.left[channel])
            if self._whole and self._owned:
                left = left.copy()
            lane = self._lanes[channel] = Lane(price, left, self.free, self.units)
        return lane

    def values(self, kind: int) -> Ints:
        """Returns per place what a plain contact of the kind scores there, but for its urgency.

        FORBIDDEN where the agent may not be offered it. Not to be changed by the caller.
        """
        values = self._values.get(kind)
        if values is None:
            lane = self.lane(int(self.kinds.channel[kind]))
            fit = self._here(self.kinds.fit[kind])
            weights = self.kinds.rules[kind].weights
            values = np.multiply(fit, weights.skill_fit, dtype=np.int32)
            values += lane.work * weights.workload
            values += self.idle * weights.idle
            values[~(lane.open & (fit >= 0))] = FORBIDDEN
            self._values[kind] = values
        return values

    def table(self, kinds: Longs) -> Ints:
        """Returns kinds x places: `values` of several kinds, worked out together."""
        numbers = kinds.tolist()
        new = [each for each in numbers if each not in self._values]
        if len(new) > 1:
            table = self._work_out(new)
            if len(new) == len(numbers):
                return table
        return np.stack([self.values(each) for each in numbers])

    def values_for(self, row: int) -> Ints:
        """Returns the same for the very contact in this row: with its preferences and links."""
        _, _, kind, _, marks = self.waiting.rows[row]
        values = self.values(kind)
        if not marks:
            return values
        weights = self.kinds.rules[kind].weights
        if marks & PREFERS:
            values = values + weights.channel_preference * self._taste(row)
        if marks & LINKED:
            values = values.copy()
            for place, strength in self.links(self.waiting.contacts[row]):
                if strength is None:
                    values[place] = FORBIDDEN
                else:
                    values[place] += weights.relationship * strength
        return values

    def links(self, contact: Contact) -> list[tuple[int, int | None]]:
        """Returns (place, strength) of the relationships here, (place, None) of the pauses here."""
        strengths: dict[AgentId, int | None] = {
            each.agent_id: each.strength for each in contact.facts.relationships
        }
        strengths.update(dict.fromkeys(contact.pauses))
        found = []
        for agent_id, strength in strengths.items():
            place = self.place(agent_id)
            if place >= 0:
                found.append((place, strength))
        return found

    def place(self, agent_id: AgentId) -> int:
        """Returns the agent's place, -1 if it is not in the field."""
        index = self.agents.index.get(agent_id, -1)
        if index < 0 or self._whole:
            return index
        place = bisect_left(self.index, index)
        return place if place < self.index.size and self.index[place] == index else -1

    def kit(self) -> Longs:
        """Returns per place the number of the agent's set of channels."""
        if self._kit is None:
            self._kit = self._here(self.agents.kit)
        return self._kit

    def urgency(self, rows: Longs) -> Longs:
        """Returns weight * urgency of the contacts in these rows."""
        waiting, kinds = self.waiting, self.kinds
        kind = waiting.kind.take(rows)
        if int(kind.min()) == int(kind.max()):
            kind = kind[:1]  # one kind: columns of one figure
        waited = self.at_ms - waiting.order_ms.take(rows) + kinds.head_ms.take(kind)
        points = urgency(waited, kinds.target_ms.take(kind), waiting.need.take(rows))
        weighted: Longs = kinds.weights[URGENCY].take(kind) * points
        return weighted

    def urgency_of_one(self, row: int) -> int:
        """Returns the same for one contact."""
        order_ms, _, kind, need, _ = self.waiting.rows[row]
        rules = self.kinds.rules[kind]
        waited = self.at_ms - order_ms + rules.head_start_ms
        return rules.weights.urgency * urgency_of_one(waited, rules.service_target_ms, need)

    def ask_for_one(self, free: int, channel: int) -> None:
        """The only agent of the field asks by itself: it has `free` units, for one contact."""
        self._own()
        self.free[0] = free
        self.lane(channel).left[0] = 1

    def take(self, place: int, channel: int) -> None:
        """Spends room at one place: the next contact meets an agent with one more leg."""
        self._own()
        lane = self.lane(channel)
        free = int(self.free[place]) - int(lane.price[place])
        self.free[place] = free
        lane.left[place] -= 1
        self.since[place] = NOT_IDLE
        self.idle[place] = 0
        units = int(self.units[place])
        for each in self._lanes.values():
            price = int(each.price[place])
            each.work[place] = TERM_MAX - TERM_MAX * (units - free + price) // units
            each.open[place] = free >= price and each.left[place] > 0
        for kind, values in self._values.items():
            values[place] = self._value(kind, place)

    def take_all(self, places: Longs, channels: Longs) -> None:
        """Spends room at many places at once (a place may come several times)."""
        self._own()
        for channel in set(channels.tolist()):
            lane = self.lane(channel)
            taken = places[channels == channel]
            np.subtract.at(self.free, taken, lane.price[taken])
            np.subtract.at(lane.left, taken, 1)
        self.since[places] = NOT_IDLE
        self.idle[places] = 0
        for channel, lane in self._lanes.items():
            self._lanes[channel] = Lane(lane.price, lane.left, self.free, self.units)
        self._values.clear()

    def _here(self, column: NDArray[Kind]) -> NDArray[Kind]:
        """Returns the column of all agents over the places; the very column if all are here."""
        return column if self._whole else column.take(self.index)

    def _own(self) -> None:
        """Makes copies of what a contact changes, before the first one does."""
        if not self._owned:
            self._owned = True
            self.free = self.free.copy()
            self.since = self.since.copy()
            for lane in self._lanes.values():
                lane.left = lane.left.copy()

    def _work_out(self, kinds: list[int]) -> Ints:
        """Fills in `values` of several kinds at once; returns them as a table."""
        fit = self.kinds.fit[kinds]
        if not self._whole:
            fit = fit.take(self.index, axis=1)
        channels = self.kinds.channel[kinds].tolist()
        work, is_open = self.lane(channels[0]).work, self.lane(channels[0]).open
        if len(set(channels)) > 1:
            lanes = [self.lane(channel) for channel in channels]
            work = np.stack([lane.work for lane in lanes])
            is_open = np.stack([lane.open for lane in lanes])
        weights = self.kinds.weights[:, kinds].astype(np.int32)[:, :, None]
        table: Ints = fit * weights[SKILL]
        table += work * weights[WORKLOAD]
        table += self.idle * weights[IDLE]
        table[~(is_open & (fit >= 0))] = FORBIDDEN
        self._values.update(zip(kinds, table, strict=True))
        return table

    def _value(self, kind: int, place: int) -> int:
        """Returns one figure of `values`, for an agent that has a leg and so is not idle."""
        lane = self._lanes[int(self.kinds.channel[kind])]
        fit = int(self.kinds.fit[kind, self.index[place]])
        if fit < 0 or not lane.open[place]:
            return FORBIDDEN
        weights = self.kinds.rules[kind].weights
        return int(weights.skill_fit * fit + weights.workload * int(lane.work[place]))

    def _taste(self, row: int) -> Ints:
        """Returns the channel preference term of one contact at every place."""
        rows = np.array([row])
        per_kit = [int(self.waiting.tastes(kit, rows)[0]) for kit in self.agents.kits]
        return np.array(per_kit, np.int32)[self.kit()]


def best(values: Ints, since: Longs) -> int:
    """Returns the place of the greatest value (ties: longest idle, id), -1 if none is allowed."""
    place = int(values.argmax())
    top = values[place]
    if top <= LEAST:
        return -1
    equal = (values == top).nonzero()[0]
    return place if equal.size == 1 else int(equal[since.take(equal).argmin()])
