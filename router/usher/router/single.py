"""One contact against a few agents, a few contacts against one agent with room for one: no arrays.

For so few pairs array calls cost more. Equal to `stages` in every score and choice (a test compares
them). Reads the same columns, changes nothing, knows nothing beyond them.
"""

from collections.abc import Iterable

from usher.queue.rules import Order
from usher.queue.state import Contact
from usher.queue.values import TERM_MAX, Found
from usher.queue.waiting import Waiting
from usher.router.agents import Agents
from usher.router.kinds import Kinds
from usher.router.scoring import IDLE_STEP_MS, urgency_of_one

PAIRS_MAX = 16


def best_agent(
    agents: Agents, kinds: Kinds, contact: Contact, places: Iterable[int], at_ms: int
) -> tuple[int, int] | None:
    """Returns (index, score but for the urgency) of the best agent, ties by longest idle, then id.

    `places`: indexes of agents, rising. None if none of them may be offered the contact. The
    contact's kind must be known.
    """
    kind = kinds.number(contact.facts)
    channel = agents.channels.get(contact.facts.channel)
    if kind is None or channel is None:
        return None
    fits, prices, left = kinds.fit[kind], agents.price[channel], agents.left[channel]
    weights = kinds.rules[kind].weights
    best: tuple[int, int, int] | None = None
    for index in places:
        fit, price, free = fits.item(index), prices.item(index), agents.free.item(index)
        if fit < 0 or price > free or left.item(index) <= 0:
            continue
        if contact.pauses and agents.ids[index] in contact.pauses:
            continue
        units = agents.units.item(index)
        since = agents.idle_since.item(index)
        idle = min(max((at_ms - since) // IDLE_STEP_MS, 0), TERM_MAX)
        score = weights.skill_fit * fit + weights.idle * idle
        score += weights.workload * (TERM_MAX - TERM_MAX * (units - free + price) // units)
        score += _liking(agents, contact, index, weights.relationship, weights.channel_preference)
        if best is None or (-score, since) < best[:2]:
            best = -score, since, index
    return None if best is None else (best[2], -best[0])


def best_contact(
    agents: Agents, kinds: Kinds, waiting: Waiting, index: int, at_ms: int
) -> tuple[int, int, Found] | None:
    """Returns (row, score, found) of the contact that the agent is offered; None if there is none.

    The agent must have room for one contact only, whichever it is.
    """
    best: tuple[tuple[int, ...], int, int] | None = None
    alone = True
    for row, contact in enumerate(waiting.contacts):
        kind, order_ms = waiting.kind.item(row), contact.order_ms
        stage = kinds.stage.item(kind)
        fcfs = kinds.orders[stage] is Order.FCFS
        key: tuple[int, ...] = (stage, order_ms - kinds.head_ms.item(kind), contact.sequence)
        if fcfs and best is not None and key > best[0]:
            continue  # whatever it scores
        fitting = best_agent(agents, kinds, contact, (index,), at_ms)
        if fitting is None:
            continue
        score = fitting[1] + urgency(kinds, contact, waiting.need.item(row), at_ms)
        if not fcfs:
            key = (stage, -score, order_ms, contact.sequence)
        if best is not None and best[0][0] == stage:
            alone = False
        if best is None or key < best[0]:
            if best is not None and stage < best[0][0]:
                alone = True
            best = key, row, score
    if best is None:
        return None
    key, row, score = best
    if kinds.orders[key[0]] is Order.FCFS:
        return row, score, Found.FCFS
    return row, score, Found.ROW if alone else Found.COLUMN


def urgency(kinds: Kinds, contact: Contact, needs: int, at_ms: int) -> int:
    """Returns weight * urgency of the contact; its kind must be known."""
    kind = kinds.number(contact.facts)
    if kind is None:
        return 0
    rules = kinds.rules[kind]
    waited_ms = at_ms - contact.order_ms + rules.head_start_ms
    return rules.weights.urgency * urgency_of_one(waited_ms, rules.service_target_ms, needs)


def _liking(
    agents: Agents, contact: Contact, index: int, relationship: int, preference: int
) -> int:
    """Returns the weighted terms of what the customer brings along."""
    facts = contact.facts
    total = 0
    if facts.relationships:
        strengths = {each.agent_id: each.strength for each in facts.relationships}
        total += relationship * strengths.get(agents.ids[index], 0)
    if facts.preferences:
        served = agents.profiles[index].capacity.channels
        liked = (each.strength for each in facts.preferences if each.channel in served)
        total += preference * max(liked, default=0)
    return total
