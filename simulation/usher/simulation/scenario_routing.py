"""Checks of a scenario against the policy that is to route it: who would serve whom, and how.

The policy is sound by itself (`usher.router.policy`), the scenario is within its bounds;
`scenario_rules` has the checks that need no policy. A check returns all findings. Must not know
files or lines.
"""

from collections.abc import Iterator
from enum import StrEnum

from msgspec.structs import replace

from usher.queue.branches import Branches
from usher.queue.rules import ChannelRules, Policy, QueueRules, Roster
from usher.queue.values import AgentId, ChannelName, QueueName
from usher.router.findings import Finding, Place, Reason
from usher.router.policy import check_roster, known_channels
from usher.simulation.scenario import (
    ContactType,
    Day,
    Group,
    GroupName,
    Listed,
    Scenario,
    Steady,
    TypeName,
)
from usher.simulation.scenario_findings import NAMED_MOST, listed, unknown, warning
from usher.simulation.scenario_visits import Premises, check_not_visitors
from usher.simulation.staff import Worker, roster_of

_MS_PER_S = 1000
_MS_PER_MIN = 60_000


class RoutingReason(StrEnum):
    """What a finding about a scenario under a policy is about; stable, for machines."""

    UNKNOWN_QUEUE = "UNKNOWN_QUEUE"
    CHANNEL_NOT_TAKEN = "CHANNEL_NOT_TAKEN"
    NOBODY_SERVES = "NOBODY_SERVES"
    WRAP_UP_NEVER = "WRAP_UP_NEVER"
    WRAP_UP_CUT_OFF = "WRAP_UP_CUT_OFF"
    ANSWERING_TOO_SLOW = "ANSWERING_TOO_SLOW"
    RETRIAL_NEVER = "RETRIAL_NEVER"


def check_routing(
    scenario: Scenario, policy: Policy, branches: Branches | None = None
) -> list[Finding]:
    """Returns all findings about how a scenario fits a policy and its branches; empty = it fits.

    Those about services and branches by themselves are at their places in the policy file.
    """
    roster = _one_of_each_group(scenario)
    premises = Premises(scenario, policy, branches)
    routing = _Routing(scenario, policy, premises)
    findings = premises.check(roster)
    for name, rules in scenario.types.items():
        findings += routing.check_type(("types", name), rules)
    for name, group in scenario.groups.items():
        place: Place = ("groups", name)
        findings += routing.check_answering((*place, "answering"), group)
        findings += premises.check_group(place, group, routing.served_by(group))
    return findings + list(_check_profiles(scenario, policy, roster))


def servers_of(
    scenario: Scenario, policy: Policy, branches: Branches | None = None
) -> dict[TypeName, tuple[GroupName, ...]]:
    """Returns the groups that may serve each type while on duty, in the scenario's order."""
    routing = _Routing(scenario, policy, Premises(scenario, policy, branches))
    return {name: tuple(routing.servers(rules)) for name, rules in scenario.types.items()}


class _Routing:
    """What the policy makes of the scenario's types."""

    def __init__(self, scenario: Scenario, policy: Policy, premises: Premises) -> None:
        self._scenario = scenario
        self._premises = premises
        self._channels: dict[ChannelName, ChannelRules] = known_channels(policy)
        self._queues: dict[QueueName, QueueRules] = {
            queue.name: queue for queue in policy.queues if not queue.closed
        }

    def check_type(self, place: Place, rules: ContactType) -> Iterator[Finding]:
        """Yields the first thing that keeps contacts of a type from being served, or all else."""
        name, channel = rules.queue, rules.channel
        queue = self._queue_of(rules)
        if channel not in self._channels:
            where, expected = (*place, "channel"), "a channel of the policy"
            yield unknown(where, Reason.UNKNOWN_CHANNEL, channel, expected, self._channels)
        elif name and queue is None:
            where, expected = (*place, "queue"), "an open queue of the policy"
            yield unknown(where, RoutingReason.UNKNOWN_QUEUE, name, expected, self._queues)
        elif name and queue is not None and queue.channels and channel not in queue.channels:
            expected = f'a channel that queue "{name}" takes: {listed(queue.channels)}'
            message = f'found "{channel}", expected {expected}'
            yield Finding((*place, "channel"), RoutingReason.CHANNEL_NOT_TAKEN, message)
        else:
            if rules.branch and rules.service:
                yield from self._premises.check_type(place, rules)
            if queue is not None:
                yield from _check_service(place, self._lacking(rules, queue))
                yield from self._check_wrap_up((*place, "wrap_up"), rules, queue)
                yield from _check_retrial((*place, "retrial"), rules, queue)
        yield from check_not_visitors(place, rules)

    def served_by(self, group: Group) -> Iterator[str]:
        """Yields the types that a group may serve; also those whose queue is not known."""
        horizon = self._scenario.horizon
        for name, rules in self._scenario.types.items():
            queue = self._queue_of(rules)
            if queue is None or not _lacks(group, rules, queue, horizon):
                yield name

    def servers(self, rules: ContactType) -> Iterator[GroupName]:
        """Yields the groups that may serve a type while on duty."""
        queue = self._queue_of(rules)
        for name, group in self._scenario.groups.items():
            if queue is not None and not _lacks_on_duty(group, rules, queue):
                yield name

    def _queue_of(self, rules: ContactType) -> QueueRules | None:
        """Returns the queue that contacts wait in; of visitors that of their service."""
        if not rules.branch:
            return self._queues.get(rules.queue)
        service = self._premises.service_of(rules)
        return None if service is None else self._queues.get(service.queue)

    def check_answering(self, place: Place, group: Group) -> Iterator[Finding]:
        """Yields the queues whose offers to this group would mostly run out."""
        if group.answering is None:
            return
        mean_s = group.answering.mean
        for name, timeout_ms in self._offer_timeouts_ms(group).items():
            if mean_s * _MS_PER_S > timeout_ms:
                message = (
                    f"found a mean of {mean_s:g} s, expected at most {timeout_ms / _MS_PER_S:g} s, "
                    f'the offer timeout of queue "{name}": many offers will run out'
                )
                yield warning(place, RoutingReason.ANSWERING_TOO_SLOW, message)

    def _offer_timeouts_ms(self, group: Group) -> dict[QueueName, int]:
        """Returns the timeouts of the queues whose contacts the group has to accept."""
        timeouts_ms = {}
        for rules in self._scenario.types.values():
            queue, channel = self._queues.get(rules.queue), self._channels.get(rules.channel)
            if queue is None or channel is None or channel.automatic_accept:
                continue
            if not _lacks(group, rules, queue, self._scenario.horizon):
                timeouts_ms[queue.name] = queue.offer_timeout_ms
        return timeouts_ms

    def _lacking(self, rules: ContactType, queue: QueueRules) -> dict[str, dict[str, str]]:
        horizon = self._scenario.horizon
        return {
            name: _lacks(group, rules, queue, horizon)
            for name, group in self._scenario.groups.items()
        }

    def _check_wrap_up(
        self, place: Place, rules: ContactType, queue: QueueRules
    ) -> Iterator[Finding]:
        if rules.wrap_up is None:
            return
        limit_ms = queue.wrap_up_ms
        if limit_ms is None:
            limit_ms = self._channels[rules.channel].wrap_up_ms
        found = f"found a mean of {rules.wrap_up.mean:g} s"
        where = f'queue "{queue.name}" on channel "{rules.channel}"'
        if limit_ms == 0:
            message = f"{found}, but the policy gives {where} no wrap-up: it would never happen"
            yield Finding(place, RoutingReason.WRAP_UP_NEVER, message)
        elif rules.wrap_up.mean * _MS_PER_S > limit_ms:
            limit = f"{limit_ms / _MS_PER_S:g} s, the wrap-up of {where}"
            message = f"{found}, expected at most {limit}: it is cut off there"
            yield warning(place, RoutingReason.WRAP_UP_CUT_OFF, message)


def _check_service(place: Place, lacking: dict[str, dict[str, str]]) -> Iterator[Finding]:
    """Yields that every group lacks something: what all of them lack, else what each of them."""
    if not lacking or not all(lacking.values()):
        return
    groups = list(lacking.items())
    in_all = [need for need in groups[0][1] if all(need in lacks for _, lacks in groups)]
    if in_all:
        said = [
            f"expected {need}, found " + listed(f"{lacks[need]} ({name})" for name, lacks in groups)
            for need in in_all
        ]
    else:
        first = [(name, *next(iter(lacks.items()))) for name, lacks in groups[:NAMED_MOST]]
        said = [f'"{name}" lacks {need} (found {found})' for name, need, found in first]
    message = "no group can serve it: " + "; ".join(said)
    yield Finding(place, RoutingReason.NOBODY_SERVES, message)


def _lacks(
    group: Group, rules: ContactType, queue: QueueRules, horizon: Day | Steady
) -> dict[str, str]:
    """Returns what a group would need to serve contacts of a type, and what it has instead."""
    lacks = _lacks_on_duty(group, rules, queue)
    if not _is_ever_on_duty(group, horizon):
        lacks["somebody on duty"] = "nobody"
    return lacks


def _lacks_on_duty(group: Group, rules: ContactType, queue: QueueRules) -> dict[str, str]:
    """Returns what a group on duty would lack.

    As the pool decides (`usher.router.skills`).
    """
    channel = rules.channel
    capacity = group.capacity.channels.get(channel)
    price, units = capacity.price if capacity else 0, group.capacity.units
    spoken = {language.lower() for language in group.languages}
    asked = {language.lower() for language in rules.languages}
    lacks = {}
    if capacity is None:
        lacks[f'capacity for channel "{channel}"'] = listed(group.capacity.channels)
    if price > units:
        lacks[f'units for the price of channel "{channel}"'] = f"{units} for {price}"
    if rules.branch and group.desk_branch != rules.branch:
        lacks[f'desks at branch "{rules.branch}"'] = listed([group.desk_branch])
    lacks |= _lacks_for(queue, group)
    if spoken and asked and not spoken & asked:
        lacks[f"a language of {listed(rules.languages)}"] = listed(group.languages)
    return lacks


def _lacks_for(queue: QueueRules, group: Group) -> dict[str, str]:
    lacks = {}
    if queue.groups and not set(queue.groups) & set(group.groups):
        lacks[f"one of the queue's groups, {listed(queue.groups)}"] = listed(group.groups)
    for asked in queue.requirements:
        level = group.skills.get(asked.skill, 0)
        if level < asked.least:
            need = f'skill "{asked.skill}" of level {asked.least} or above'
            lacks[need] = f"level {level}" if level else "none"
    return lacks


def _is_ever_on_duty(group: Group, horizon: Day | Steady) -> bool:
    if group.absence >= 1:
        return False
    if group.agents or isinstance(horizon, Steady):
        return group.agents > 0 or any(shift.agents for shift in group.shifts)
    last_min = horizon.closes_min + horizon.finish_ms / _MS_PER_MIN
    return any(
        shift.agents and shift.until_min > horizon.opens_min and shift.from_min < last_min
        for shift in group.shifts
    )


def _check_retrial(place: Place, rules: ContactType, queue: QueueRules) -> Iterator[Finding]:
    recorded = isinstance(rules.arrivals, Listed) and rules.arrivals.patience_s
    waits_for_ever = rules.patience is None and not recorded
    never_leaves = waits_for_ever and rules.balking is None and queue.most_waiting is None
    if rules.retrial is not None and never_leaves:
        found = "found a retrial of those who leave or turn away, but nobody does"
        message = f'{found}: expected "patience" or "balking"'
        yield warning(place, RoutingReason.RETRIAL_NEVER, message)


def _check_profiles(scenario: Scenario, policy: Policy, roster: Roster) -> Iterator[Finding]:
    """Yields what the pool would refuse about the agents; those of a group are alike."""
    names = list(scenario.groups)
    for finding in check_roster(roster, policy):
        if finding.place[:1] == ("agents",):  # others are of queues that may be left alone
            rest = finding.place[1:]
            place = (names[int(rest[0])], *rest[1:]) if rest else ()
            yield replace(finding, place=("groups", *place))


def _one_of_each_group(scenario: Scenario) -> Roster:
    workers = [
        Worker(index, AgentId(str(index)), group, None)
        for index, group in enumerate(scenario.groups.values())
    ]
    return roster_of(scenario, workers)
