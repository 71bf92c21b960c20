"""One contact against a few agents, a few contacts against one agent with room for one: no arrays.

For so few pairs array calls cost more. Equal to `stages` in every score and choice (a test compares
them). Reads the lists of agents and the lines of what waits, changes nothing, knows nothing beyond
them.
"""

from collections.abc import Iterable
from typing import Final

from usher.queue.rules import Order, Weights
from usher.queue.state import Contact
from usher.queue.values import TERM_MAX, Found
from usher.queue.waiting import Waiting
from usher.router.agents import Agents
from usher.router.kinds import Kinds
from usher.router.scoring import idle_of_one, need, urgency_of_one

PAIRS_MAX = 16

# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_FCFS: Final = Order.FCFS
_FOUND_FCFS: Final = Found.FCFS
_FOUND_ROW: Final = Found.ROW


def best_agent(
    agents: Agents, kinds: Kinds, contact: Contact, places: Iterable[int], at_ms: int
) -> tuple[int, int] | None:
    """Returns (index, score but for the urgency) of the best agent, ties by longest idle, then id.

    `places`: indexes of agents with room, rising. None if none of them may be offered the contact.
    The policy must have the contact's queue.
    """
    facts = contact.facts
    kind = kinds.number(facts)
    if kind is None:
        return None
    channel, weights = facts.channel, kinds.queues[facts.queue].weights
    liked, pauses = facts.relationships or facts.preferences, contact.pauses
    best: tuple[int, int, int] | None = None
    for index in places:
        fit, room = kinds.fit.item(kind, index), agents.room[index]
        capacity = agents.profiles[index].capacity
        listed = capacity.channels.get(channel)
        if fit < 0 or listed is None or listed.price > room:
            continue
        if agents.legs[index].get(channel, 0) >= listed.most or agents.ids[index] in pauses:
            continue
        units, since_ms = capacity.units, agents.since_ms[index]
        used_after = units - room + listed.price
        score = weights.skill_fit * fit + weights.idle * idle_of_one(at_ms, since_ms)
        score += weights.workload * (TERM_MAX - TERM_MAX * used_after // units)
        if liked:
            score += _liking(agents, contact, index, weights)
        if best is None or (-score, since_ms) < best[:2]:
            best = -score, since_ms, index
    return None if best is None else (best[2], -best[0])


def best_contact(
    agents: Agents, kinds: Kinds, waiting: Waiting, index: int, at_ms: int
) -> tuple[Contact, int, Found] | None:
    """Returns (contact, score, found) of what the agent is offered; None if there is nothing.

    The agent must have room for one contact only, whichever it is.
    """
    best: tuple[tuple[int, ...], Contact, int] | None = None
    alone = True
    for name, line in waiting.lines.items():
        rules, stage = kinds.queues[name], kinds.stages[name]
        if best is not None and stage > best[0][0]:
            continue
        fcfs = rules.order is _FCFS
        for order_ms, sequence, contact in line:
            key: tuple[int, ...] = (stage, order_ms - rules.head_start_ms, sequence)
            if fcfs and best is not None and key > best[0]:
                break  # whatever it and those behind it score
            fitting = best_agent(agents, kinds, contact, (index,), at_ms)
            if fitting is None:
                continue
            score = fitting[1] + urgency(kinds, contact, at_ms)
            if not fcfs:
                key = (stage, -score, order_ms, sequence)
            if best is not None and best[0][0] == stage:
                alone = False
            if best is None or key < best[0]:
                if best is not None and stage < best[0][0]:
                    alone = True
                best = key, contact, score
            if fcfs:
                break
    if best is None:
        return None
    key, contact, score = best
    return contact, score, found(kinds, contact, alone=alone)


def found(kinds: Kinds, contact: Contact, *, alone: bool) -> Found:
    """Returns how the pair was found: `alone` = the contact was the only one in question."""
    if kinds.queues[contact.facts.queue].order is _FCFS:
        return _FOUND_FCFS
    return _FOUND_ROW if alone else Found.COLUMN


def urgency(kinds: Kinds, contact: Contact, at_ms: int) -> int:
    """Returns weight * urgency of the contact; the policy must have its queue."""
    rules = kinds.queues[contact.facts.queue]
    waited_ms = at_ms - contact.order_ms + rules.head_start_ms
    needs = need(contact.facts.urgency)
    return rules.weights.urgency * urgency_of_one(waited_ms, rules.service_target_ms, needs)


def _liking(agents: Agents, contact: Contact, index: int, weights: Weights) -> int:
    """Returns the weighted terms of what the customer brings along."""
    facts = contact.facts
    total = 0
    if facts.relationships:
        strengths = {each.agent_id: each.strength for each in facts.relationships}
        total += weights.relationship * strengths.get(agents.ids[index], 0)
    if facts.preferences:
        served = agents.profiles[index].capacity.channels
        liked = (each.strength for each in facts.preferences if each.channel in served)
        total += weights.channel_preference * max(liked, default=0)
    return total
