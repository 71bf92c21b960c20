"""Kinds of contacts: all contacts of one queue, channel and list of languages share what is static.

A kind has one row over all agents (skill fit, NOT_FIT where an agent may never serve it) and the
figures of its queue as columns over kinds. Kinds that no waiting contact uses are dropped when room
is needed, so that odd lists of languages cannot fill the memory. Knows no time and no load.

    column      dtype   meaning
    fit         int16   kinds x agents: skill fit 0..1000, or NOT_FIT
    channel     int64   number of the channel in `Agents.channels`; 0 if nobody serves it (no fit)
    stage       int64   place of (rank, level) among the stages: smaller comes first
    head_ms     int64   head start of the queue
    target_ms   int64   service target of the queue
    weights     int64   one row per weight, in the order of WEIGHT_NAMES
"""

import numpy as np

from usher.queue.rules import RANK_ORDER, Order, Policy, QueueRules
from usher.queue.values import ChannelName, ContactFacts, QueueName
from usher.router.agents import Agents
from usher.router.scoring import WEIGHT_NAMES, Longs
from usher.router.skills import NOT_FIT, Skills

KINDS_FIRST = 64

Key = tuple[QueueName, ChannelName, tuple[str, ...]]


class Kinds:
    """All kinds in use, numbered; numbers are used again and never decide anything."""

    def __init__(self, policy: Policy, agents: Agents) -> None:
        self._agents = agents
        self._skills = Skills(policy, agents.profiles)
        self.queues = {queue.name: queue for queue in policy.queues}
        stages = sorted({_stage(queue) for queue in policy.queues})
        places = {stage: place for place, stage in enumerate(stages)}
        self.stages = {queue.name: places[_stage(queue)] for queue in policy.queues}
        self.orders = [Order.SCORE if scored else Order.FCFS for _, _, scored in stages]
        self._numbers: dict[Key, int] = {}
        self._unused = list(range(max(KINDS_FIRST, 2 * len(policy.queues)) - 1, -1, -1))
        self.uses = [0] * len(self._unused)
        self.rules: list[QueueRules] = []
        self._make_columns(len(self._unused))

    def number(self, facts: ContactFacts) -> int | None:
        """Returns the number of the contact's kind, None if the policy lacks its queue."""
        key = (facts.queue, facts.channel, facts.languages)
        number = self._numbers.get(key)
        if number is None and facts.queue in self.queues:
            number = self._new(key)
        return number

    def hold(self, number: int) -> None:
        """One more contact of this kind waits."""
        self.uses[number] += 1

    def release(self, number: int) -> None:
        """One contact of this kind waits no longer."""
        self.uses[number] -= 1

    def used(self) -> Longs:
        """Returns the numbers of the kinds of which contacts wait."""
        return np.array([number for number, uses in enumerate(self.uses) if uses], np.int64)

    def _new(self, key: Key) -> int:
        if not self._unused:
            self._make_room()
        number = self._unused.pop()
        queue = self.queues[key[0]]
        channel = self._agents.channels.get(key[1])
        if channel is None:
            self.fit[number] = NOT_FIT
        else:
            self.fit[number] = self._skills.fit(queue, key[2])
        self._numbers[key] = number
        self.channel[number] = channel or 0
        self.stage[number] = self.stages[queue.name]
        self.head_ms[number] = queue.head_start_ms
        self.target_ms[number] = queue.service_target_ms
        self.weights[:, number] = [getattr(queue.weights, name) for name in WEIGHT_NAMES]
        while len(self.rules) <= number:
            self.rules.append(queue)
        self.rules[number] = queue
        return number

    def _make_room(self) -> None:
        """Drops the kinds without a waiting contact; doubles the table if few were such."""
        idle = [(key, number) for key, number in self._numbers.items() if not self.uses[number]]
        for key, number in idle:
            del self._numbers[key]
            self._unused.append(number)
        size = len(self.uses)
        if len(idle) < size // 2:
            fit, table = self.fit, self._table
            self._make_columns(2 * size)
            self.fit[:size], self._table[:, :size] = fit, table
            self.uses.extend([0] * size)
            self._unused[:0] = range(2 * size - 1, size - 1, -1)

    def _make_columns(self, size: int) -> None:
        """Makes empty columns; memory that no kind has used yet costs nothing."""
        self.fit = np.empty((size, len(self._agents)), np.int16)
        self._table = np.zeros((4 + len(WEIGHT_NAMES), size), np.int64)
        self.channel, self.stage, self.head_ms, self.target_ms = self._table[:4]
        self.weights = self._table[4:]


def _stage(queue: QueueRules) -> tuple[int, int, int]:
    """Returns the sort key of the queue's stage (a policy with two orders in one is refused)."""
    return (RANK_ORDER[queue.rank], -queue.level, 0 if queue.order is Order.FCFS else 1)
