"""Checks of a policy and a roster as a whole, and their digests.

`usher.queue.rules` bounds each value by itself; here stands what several values must be together.
A check returns all findings. Must not know files, lines or gRPC.
"""

import hashlib
from collections.abc import Hashable, Iterator

import msgspec

from usher.queue.rules import (
    AGENTS_MAX,
    DEFAULT_CHANNELS,
    QUEUES_MAX,
    SKILLS_MAX,
    AgentProfile,
    Capacity,
    ChannelRules,
    Order,
    Policy,
    QueueRules,
    Rank,
    Requirement,
    Roster,
    Weights,
)
from usher.queue.values import CODE_PATTERN, LANGUAGE_PATTERN, ChannelName, Code, QueueName
from usher.router.findings import (
    Finding,
    Place,
    Reason,
    Severity,
    bad_name,
    check_list,
    out_of_bounds,
    repeated,
    too_many,
)

WEIGHTS_SUM_MAX = 1000
"""A weighted sum of terms within -1000..1000 then stays under 2^20 (exact in float32)."""

CHANNELS_MAX = 64
"""Channels of a policy, the built-in ones counted."""


def check_policy(policy: Policy) -> list[Finding]:
    """Returns all findings about a policy by itself, in its own order; empty = sound."""
    if (finding := out_of_bounds(policy)) is not None:
        return [finding]
    findings = list(_check_sizes(policy))
    findings += repeated(("queues",), [queue.name for queue in policy.queues], "queue name")
    for name in policy.channels:
        findings += bad_name(("channels", name), name, CODE_PATTERN)
    channels = known_channels(policy)
    for queue in policy.queues:
        findings += _check_queue(queue, channels)
    findings += _check_orders(policy.queues)
    return findings


def check_roster(roster: Roster, policy: Policy) -> list[Finding]:
    """Returns all findings about a roster and how it fits the policy, in the roster's order.

    Each capacity is reported once, at the first agent that has it.
    """
    if (finding := out_of_bounds(roster)) is not None:
        return [finding]
    findings = list(_check_agent_count(roster, policy))
    findings += repeated(("agents",), [agent.id for agent in roster.agents], "agent id")
    channels = known_channels(policy)
    seen: set[bytes] = set()
    for agent in roster.agents:
        place = ("agents", agent.id)
        findings += _check_agent(place, agent)
        encoded = _CANONICAL.encode(agent.capacity)
        if encoded not in seen:
            seen.add(encoded)
            findings += check_capacity((*place, "capacity"), agent.capacity, channels)
    findings += _check_service(roster, policy)
    return findings


def check_capacity(
    place: Place, capacity: Capacity, channels: dict[ChannelName, ChannelRules]
) -> Iterator[Finding]:
    """Yields what is wrong with one capacity; `channels` are those that the policy knows."""
    for name in capacity.channels:
        if name not in channels:
            yield _unknown_channel((*place, "channels", name), name, channels)
    for name, one in capacity.channels.items():
        if one.wrap_up_price > one.price:
            yield Finding(
                (*place, "channels", name, "wrap_up_price"),
                Reason.WRAP_UP_TOO_DEAR,
                f"found {one.wrap_up_price}, expected at most the price {one.price}:"
                " else ending a talk would overfill the agent",
            )
    dear = [name for name, one in capacity.channels.items() if one.price > capacity.units]
    if not capacity.channels:
        yield Finding(
            (*place, "channels"),
            Reason.NO_CHANNEL,
            "found no channel, expected at least one: only channels listed here are offered",
        )
    elif len(dear) == len(capacity.channels):
        cheapest = min(one.price for one in capacity.channels.values())
        yield Finding(
            (*place, "units"),
            Reason.CAPACITY_TOO_SMALL,
            f"found {capacity.units} units, expected at least {cheapest}, the lowest price of "
            "its channels: nothing could ever be offered",
        )
    else:
        for name in dear:
            price = capacity.channels[name].price
            yield Finding(
                (*place, "channels", name, "price"),
                Reason.CHANNEL_NEVER_FITS,
                f"found price {price} with {capacity.units} units: this channel is never offered",
                Severity.WARNING,
            )


def known_channels(policy: Policy) -> dict[ChannelName, ChannelRules]:
    """Returns the rules of every channel of a policy by name: the built-in ones and its own."""
    return {**DEFAULT_CHANNELS, **policy.channels}


def policy_digest(policy: Policy) -> str:
    """Returns 32 hexadecimal digits, equal for equal policies in whatever order of dicts."""
    return _digest(policy)


def roster_digest(roster: Roster) -> str:
    """Returns 32 hexadecimal digits, equal for equal rosters in whatever order of dicts."""
    return _digest(roster)


_CANONICAL = msgspec.json.Encoder(order="deterministic")


def _digest(value: Policy | Roster) -> str:
    return hashlib.blake2b(_CANONICAL.encode(value), digest_size=16).hexdigest()


def _check_sizes(policy: Policy) -> Iterator[Finding]:
    if not any(not queue.closed for queue in policy.queues):
        yield Finding(("queues",), Reason.NO_QUEUE, "found no open queue, expected at least one")
    yield from too_many(("queues",), len(policy.queues), QUEUES_MAX, "queues")
    yield from too_many(("channels",), len(known_channels(policy)), CHANNELS_MAX, "channels")
    yield from too_many(("queues",), len(_asked_skills(policy)), SKILLS_MAX, "skills")


def _check_queue(queue: QueueRules, channels: dict[ChannelName, ChannelRules]) -> Iterator[Finding]:
    place = ("queues", queue.name)
    yield from bad_name(place, queue.name, CODE_PATTERN)
    yield from check_list((*place, "channels"), queue.channels, "channel")
    for index, name in enumerate(queue.channels):
        if name not in channels:
            yield _unknown_channel((*place, "channels", index), name, channels)
    yield from check_list((*place, "groups"), queue.groups, "group")
    for index, group in enumerate(queue.groups):
        yield from bad_name((*place, "groups", index), group, CODE_PATTERN)
    yield from _check_requirements((*place, "requirements"), queue.requirements)
    yield from _check_weights((*place, "weights"), queue.weights)


def _check_requirements(place: Place, requirements: tuple[Requirement, ...]) -> Iterator[Finding]:
    yield from check_list(place, [one.skill for one in requirements], "skill")
    for index, one in enumerate(requirements):
        yield from bad_name((*place, index, "skill"), one.skill, CODE_PATTERN)
        if one.wanted < one.least:
            yield Finding(
                (*place, index, "wanted"),
                Reason.WANTED_UNDER_LEAST,
                f"found wanted level {one.wanted}, expected at least {one.least}, the least level",
            )


def _check_weights(place: Place, weights: Weights) -> Iterator[Finding]:
    total = sum(msgspec.structs.astuple(weights))
    if total > WEIGHTS_SUM_MAX:
        yield Finding(
            place,
            Reason.WEIGHTS_OVER_LIMIT,
            f"found a sum of {total}, expected at most {WEIGHTS_SUM_MAX} "
            "(a weight that is left out counts with its default)",
        )


def _check_orders(queues: tuple[QueueRules, ...]) -> Iterator[Finding]:
    """Yields each queue whose order differs from the first one's of its rank and level."""
    first: dict[tuple[Rank, int], tuple[QueueName, Order]] = {}
    for queue in queues:
        name, order = first.setdefault((queue.rank, queue.level), (queue.name, queue.order))
        if queue.order is not order:
            yield Finding(
                ("queues", queue.name, "order"),
                Reason.MIXED_ORDERS,
                f'found "{queue.order.value}", expected "{order.value}" as in queue "{name}": one '
                f'order per rank and level (here "{queue.rank.value}", level {queue.level})',
            )


def _check_agent_count(roster: Roster, policy: Policy) -> Iterator[Finding]:
    yield from too_many(("agents",), len(roster.agents), AGENTS_MAX, "agents")
    held = {skill for agent in roster.agents for skill in agent.skills}
    yield from too_many(
        ("agents",), len(held | _asked_skills(policy)), SKILLS_MAX, "skills with the policy's"
    )


def _check_agent(place: Place, agent: AgentProfile) -> Iterator[Finding]:
    yield from check_list((*place, "groups"), agent.groups, "group")
    for index, group in enumerate(agent.groups):
        yield from bad_name((*place, "groups", index), group, CODE_PATTERN)
    if agent.site:
        yield from bad_name((*place, "site"), agent.site, CODE_PATTERN)
    for skill in agent.skills:
        yield from bad_name((*place, "skills", skill), skill, CODE_PATTERN)
    tags = [language.lower() for language in agent.languages]  # RFC 5646: case tells nothing
    yield from check_list((*place, "languages"), tags, "language")
    for index, language in enumerate(agent.languages):
        yield from bad_name((*place, "languages", index), language, LANGUAGE_PATTERN)


def _check_service(roster: Roster, policy: Policy) -> Iterator[Finding]:
    """Yields the queues that name unknown groups, unheld skills, or that nobody can serve."""
    groups = {group for agent in roster.agents for group in agent.groups}
    levels: dict[Code, int] = {}
    for agent in roster.agents:
        for skill, level in agent.skills.items():
            levels[skill] = max(level, levels.get(skill, 0))
    kinds = kinds_of(roster)
    for queue in policy.queues:
        if not queue.closed:
            findings = [*_unknown_groups(queue, groups), *_unheld_skills(queue, levels)]
            yield from findings or _unserved(queue, kinds)


def _unknown_groups(queue: QueueRules, groups: set[Code]) -> Iterator[Finding]:
    for index, group in enumerate(queue.groups):
        if group not in groups:
            yield Finding(
                ("queues", queue.name, "groups", index),
                Reason.UNKNOWN_GROUP,
                f'found group "{group}", expected a group of some agent of the roster',
            )


def _unheld_skills(queue: QueueRules, levels: dict[Code, int]) -> Iterator[Finding]:
    for index, one in enumerate(queue.requirements):
        if one.least > levels.get(one.skill, 0):
            yield Finding(
                ("queues", queue.name, "requirements", index, "least"),
                Reason.SKILL_UNHELD,
                f'found least level {one.least} of skill "{one.skill}": no agent of the roster '
                f"has it (highest there: {levels.get(one.skill, 'none')})",
                Severity.WARNING,
            )


def _unserved(queue: QueueRules, agents: list[AgentProfile]) -> Iterator[Finding]:
    able = [agent for agent in agents if may_serve(agent, queue)]
    place = ("queues", queue.name)
    if not able:
        message = "no agent of the roster has the groups and all the skills that this queue needs"
        yield Finding(place, Reason.QUEUE_UNSERVED, message, Severity.WARNING)
        return
    for index, name in enumerate(queue.channels):
        if not any(name in agent.capacity.channels for agent in able):
            yield Finding(
                (*place, "channels", index),
                Reason.QUEUE_UNSERVED,
                f'no agent who may serve this queue has capacity for channel "{name}"',
                Severity.WARNING,
            )


def may_serve(agent: AgentProfile, queue: QueueRules) -> bool:
    """Returns whether the agent has a group and all the skills that the queue needs."""
    in_group = not queue.groups or any(group in queue.groups for group in agent.groups)
    return in_group and all(
        agent.skills.get(one.skill, 0) >= one.least for one in queue.requirements
    )


def kinds_of(roster: Roster) -> list[AgentProfile]:
    """Returns one agent of each kind: thousands of agents of a roster are mostly alike."""
    return list({_kind(agent): agent for agent in roster.agents if not agent.closed}.values())


def _kind(agent: AgentProfile) -> Hashable:
    return agent.groups, tuple(sorted(agent.skills.items())), tuple(sorted(agent.capacity.channels))


def _asked_skills(policy: Policy) -> set[Code]:
    return {one.skill for queue in policy.queues for one in queue.requirements}


def _unknown_channel(
    place: Place, name: ChannelName, channels: dict[ChannelName, ChannelRules]
) -> Finding:
    known = ", ".join(sorted(channels))
    message = f'found channel "{name}", expected one that the policy names or a built-in one: '
    return Finding(place, Reason.UNKNOWN_CHANNEL, message + known)
