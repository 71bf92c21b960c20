"""Checks of a scenario as a whole: by itself, and against the policy that is to route it.

`scenario` bounds each value by itself; here stands what several values must be together. A check
returns all findings: an error would make a run meaningless or end it, a warning says that
something given has no effect, or another one than it seems. Must not know files or lines.
"""

import difflib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from msgspec.structs import replace

from usher.queue.branches import MINUTES_OF_DAY
from usher.queue.rules import Policy, QueueRules
from usher.queue.values import AgentId, Channel
from usher.router.branch_policy import minute_text
from usher.router.findings import (
    Finding,
    Place,
    Reason,
    Severity,
    bad_name,
    out_of_bounds,
    too_many,
)
from usher.router.policy import check_roster, known_channels
from usher.simulation.scenario import (
    AGENTS_MOST,
    Arrivals,
    ContactType,
    Curve,
    Day,
    Gaps,
    Group,
    Listed,
    Scenario,
    Steady,
)
from usher.simulation.staff import Worker, roster_of

NAME_PATTERN = r"^[A-Za-z0-9_-]{1,48}\Z"
"""Of types and groups: ids of contacts and agents, and streams of chance, are made of the name."""

_SHARES_OFF = 1e-9
_FACTOR_OFF = 1e-3  # fitted factors come rounded
_NAMED_MOST = 10
_S_PER_MIN = 60
_MS_PER_S = 1000
_MS_PER_MIN = 60_000


class ScenarioReason(StrEnum):
    """What a finding about a scenario is about, beside the router's own reasons; for machines."""

    NO_TYPE = "NO_TYPE"
    NO_GROUP = "NO_GROUP"
    QUEUE_OR_BRANCH = "QUEUE_OR_BRANCH"
    BRANCH_AND_SERVICE = "BRANCH_AND_SERVICE"
    UNKNOWN_QUEUE = "UNKNOWN_QUEUE"
    CHANNEL_NOT_TAKEN = "CHANNEL_NOT_TAKEN"
    NOBODY_SERVES = "NOBODY_SERVES"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    SLOWDOWN_NEVER = "SLOWDOWN_NEVER"
    UNKNOWN_SITE = "UNKNOWN_SITE"
    ENDS_BEFORE_IT_BEGINS = "ENDS_BEFORE_IT_BEGINS"
    OUTSIDE_SHIFT = "OUTSIDE_SHIFT"
    OVERLAP = "OVERLAP"
    SHARES_NOT_WHOLE = "SHARES_NOT_WHOLE"
    NOT_ASCENDING = "NOT_ASCENDING"
    NO_GAP = "NO_GAP"
    BEYOND_MIDNIGHT = "BEYOND_MIDNIGHT"
    OUTSIDE_HOURS = "OUTSIDE_HOURS"
    DAY_FACTOR_OFF = "DAY_FACTOR_OFF"
    ARRIVALS_END = "ARRIVALS_END"
    OF_A_DAY = "OF_A_DAY"
    WRAP_UP_NEVER = "WRAP_UP_NEVER"
    WRAP_UP_CUT = "WRAP_UP_CUT"
    ANSWERING_TOO_SLOW = "ANSWERING_TOO_SLOW"
    RETRIAL_NEVER = "RETRIAL_NEVER"
    REDIAL_NEVER = "REDIAL_NEVER"


def check_scenario(scenario: Scenario, policy: Policy | None) -> list[Finding]:
    """Returns all findings about a scenario, in its own order; empty = sound.

    Without a policy only what needs none is checked.
    """
    if (finding := out_of_bounds(scenario)) is not None:
        return [finding]
    routing = None if policy is None else _Routing(scenario, policy)
    findings = list(_check_sizes(scenario))
    for name, rules in scenario.types.items():
        place: Place = ("types", name)
        findings += bad_name(place, name, NAME_PATTERN)
        findings += _check_type(place, rules)
        findings += _check_arrivals((*place, "arrivals"), rules.arrivals, scenario.horizon)
        findings += _check_redial((*place, "redial"), name, scenario)
        findings += routing.check_type(place, rules) if routing else ()
    for name, group in scenario.groups.items():
        place = ("groups", name)
        findings += bad_name(place, name, NAME_PATTERN)
        findings += _check_group(place, group, scenario)
        findings += routing.check_group(place, group) if routing else ()
    findings += routing.check_roster() if routing else ()
    findings += _check_horizon(scenario)
    findings += _check_outages(scenario)
    return findings


def _check_sizes(scenario: Scenario) -> Iterator[Finding]:
    if not scenario.types:
        message = "found no type of contacts, expected at least one: nothing would happen"
        yield Finding(("types",), ScenarioReason.NO_TYPE, message)
    if not scenario.groups:
        message = "found no group of agents, expected at least one"
        yield Finding(("groups",), ScenarioReason.NO_GROUP, message)
    agents = sum(
        group.agents + sum(shift.agents for shift in group.shifts)
        for group in scenario.groups.values()
    )
    yield from too_many(("groups",), agents, AGENTS_MOST, "agents in all groups and shifts")


# types


def _check_type(place: Place, rules: ContactType) -> Iterator[Finding]:
    if bool(rules.queue) == bool(rules.branch):
        found = f'both queue "{rules.queue}" and branch "{rules.branch}"' if rules.queue else "none"
        message = f'found {found}, expected either "queue", or "branch" and "service"'
        yield Finding(place, ScenarioReason.QUEUE_OR_BRANCH, message)
    if bool(rules.branch) != bool(rules.service):
        message = f'found branch "{rules.branch}" and service "{rules.service}", expected both'
        yield Finding(place, ScenarioReason.BRANCH_AND_SERVICE, message)
    if rules.branch and rules.channel != Channel.WALK_IN:
        message = f'found "{rules.channel}", expected "{Channel.WALK_IN}": they come with a ticket'
        yield Finding((*place, "channel"), ScenarioReason.CHANNEL_NOT_TAKEN, message)
    total = sum(rules.batch)
    if rules.batch and abs(total - 1) > _SHARES_OFF:
        message = f"found shares that add up to {total:.12g}, expected 1"
        yield Finding((*place, "batch"), ScenarioReason.SHARES_NOT_WHOLE, message)


def _check_arrivals(place: Place, arrivals: Arrivals, horizon: Day | Steady) -> Iterator[Finding]:
    match arrivals:
        case Curve():
            yield from _check_curve(place, arrivals)
        case Listed():
            yield from _check_listed((*place, "at_s"), arrivals)
        case Gaps() if arrivals.gap.mean <= 0:
            message = "found gaps that are all 0 s, expected a mean above 0: time would stand still"
            yield Finding((*place, "gap"), ScenarioReason.NO_GAP, message)
    if isinstance(horizon, Day):
        yield from _check_hours(place, arrivals, horizon)
    elif isinstance(arrivals, Curve | Listed):
        kind = arrivals.__struct_config__.tag
        message = f'found "{kind}", expected "poisson" or "gaps": a steady run needs no end of them'
        yield Finding((*place, "kind"), ScenarioReason.ARRIVALS_END, message)


def _check_curve(place: Place, curve: Curve) -> Iterator[Finding]:
    ends_min = curve.starts_min + curve.every_min * len(curve.counts)
    if ends_min > MINUTES_OF_DAY:
        message = (
            f"found {len(curve.counts)} counts for {curve.every_min} min each from "
            f'"{minute_text(curve.starts_min)}" on, which end {ends_min - MINUTES_OF_DAY} min after '
            'midnight, expected an end at "24:00" or before'
        )
        yield Finding((*place, "counts"), ScenarioReason.BEYOND_MIDNIGHT, message)
    factor = curve.day_factor
    if factor is not None and abs(factor.mean - 1) > _FACTOR_OFF:
        message = f"found a mean of {factor.mean:g}, expected 1: all counts are multiplied by it"
        yield _warning((*place, "day_factor"), ScenarioReason.DAY_FACTOR_OFF, message)


def _check_listed(place: Place, listed: Listed) -> Iterator[Finding]:
    for index in range(1, len(listed.at_s)):
        before, at_s = listed.at_s[index - 1 : index + 1]
        if at_s < before:
            message = f"found {at_s:g} after {before:g}, expected moments in ascending order"
            yield Finding((*place, index), ScenarioReason.NOT_ASCENDING, message)
            return


def _check_hours(place: Place, arrivals: Arrivals, day: Day) -> Iterator[Finding]:
    """Yields that some of the arrivals lie outside the opening hours."""
    if day.closes_min <= day.opens_min:
        return
    match arrivals:
        case Curve():
            key, total = "counts", sum(arrivals.counts)
            inside = sum(_counts_within(arrivals, day))
        case Listed():
            key, total = "at_s", len(arrivals.at_s)
            opens_s, closes_s = day.opens_min * _S_PER_MIN, day.closes_min * _S_PER_MIN
            inside = sum(opens_s <= at_s < closes_s for at_s in arrivals.at_s)
        case _:
            return
    if total - inside > _SHARES_OFF * total:
        message = (
            f"found {total - inside:g} of {total:g} arrivals outside the opening hours, "
            f'"{minute_text(day.opens_min)}" to "{minute_text(day.closes_min)}": they do not come'
        )
        yield _warning((*place, key), ScenarioReason.OUTSIDE_HOURS, message)


def _counts_within(curve: Curve, day: Day) -> Iterator[float]:
    for index, expected in enumerate(curve.counts):
        begins_min = curve.starts_min + index * curve.every_min
        ends_min = begins_min + curve.every_min
        within_min = min(ends_min, day.closes_min) - max(begins_min, day.opens_min)
        yield expected * max(0, within_min) / curve.every_min


def _check_redial(place: Place, name: str, scenario: Scenario) -> Iterator[Finding]:
    if scenario.types[name].redial is None:
        return
    if all(group.quality.get(name, 1.0) >= 1 for group in scenario.groups.values()):
        message = f'no group has a quality below 1 for "{name}": all is resolved, nobody comes back'
        yield _warning(place, ScenarioReason.REDIAL_NEVER, message)


# groups, shifts, times of day


def _check_group(place: Place, group: Group, scenario: Scenario) -> Iterator[Finding]:
    for table, names in (("speed", group.speed), ("quality", group.quality)):
        for name in names:
            if name not in scenario.types:
                reason = ScenarioReason.UNKNOWN_TYPE
                yield _unknown((*place, table, name), reason, "a type", scenario.types)
    yield from _check_slowdown((*place, "slowdown"), group)
    for index, shift in enumerate(group.shifts):
        where = (*place, "shifts", index)
        whole = _Span(where, shift.from_min, shift.until_min)
        breaks = [
            _Span((*where, "breaks", number), one.from_min, one.until_min)
            for number, one in enumerate(shift.breaks)
        ]
        yield from (*_check_spans([whole]), *_check_spans(breaks))
        for one in breaks:
            if one.from_min < whole.from_min or one.until_min > whole.until_min:
                message = f"found {one}, expected it within the shift, {whole}"
                yield Finding(one.place, ScenarioReason.OUTSIDE_SHIFT, message)


def _check_slowdown(place: Place, group: Group) -> Iterator[Finding]:
    channels = group.capacity.channels
    for name, paces in group.slowdown.items():
        known = channels.get(name)
        if known is None:
            expected = "a channel of the group's capacity"
            yield _unknown((*place, name), Reason.UNKNOWN_CHANNEL, expected, channels)
            continue
        most = min(known.most, group.capacity.units // known.price) if known.price else known.most
        if most < 2 or not paces:
            message = (
                f"found {len(paces)} paces and capacity for {most} at once, expected at least one "
                "pace and capacity for two or more"
            )
            yield Finding((*place, name), ScenarioReason.SLOWDOWN_NEVER, message)


def _check_horizon(scenario: Scenario) -> Iterator[Finding]:
    day = scenario.horizon
    if isinstance(day, Day):
        yield from _check_spans([_Span(("horizon",), day.opens_min, day.closes_min)])
        return
    tables: list[tuple[Place, int]] = [(("outages",), len(scenario.outages))]
    for name, group in scenario.groups.items():
        tables.append((("groups", name, "shifts"), len(group.shifts)))
    for place, count in tables:
        if count:
            message = f"found {count}, expected none in a steady run: they are of a day"
            yield Finding(place, ScenarioReason.OF_A_DAY, message)


def _check_outages(scenario: Scenario) -> Iterator[Finding]:
    sites = {group.site for group in scenario.groups.values() if group.site}
    by_site: dict[str, list[_Span]] = {}
    for index, one in enumerate(scenario.outages):
        place: Place = ("outages", index)
        by_site.setdefault(one.site, []).append(_Span(place, one.from_min, one.until_min))
        if one.site not in sites:
            where = (*place, "site")
            yield _unknown(where, ScenarioReason.UNKNOWN_SITE, "a group's site", sites, one.site)
    for spans in by_site.values():
        yield from _check_spans(spans)


class _Span(NamedTuple):
    """A stretch of a day, and where it stands."""

    place: Place
    from_min: int
    until_min: int

    def __str__(self) -> str:
        return f'"{minute_text(self.from_min)}" to "{minute_text(self.until_min)}"'


def _check_spans(spans: list[_Span]) -> Iterator[Finding]:
    """Yields spans that end before they begin, and those that overlap another one."""
    last: _Span | None = None
    for one in sorted(spans, key=lambda span: span.from_min):
        if one.until_min <= one.from_min:
            message = f"found {one}, expected an end after the beginning"
            yield Finding(one.place, ScenarioReason.ENDS_BEFORE_IT_BEGINS, message)
            continue
        if last is not None and one.from_min < last.until_min:
            message = f"found {one}, which overlaps {last}"
            yield Finding(one.place, ScenarioReason.OVERLAP, message)
        if last is None or one.until_min > last.until_min:
            last = one


# against the policy


class _Routing:
    """What the policy makes of the scenario."""

    def __init__(self, scenario: Scenario, policy: Policy) -> None:
        self._scenario = scenario
        self._policy = policy
        self._channels = known_channels(policy)
        self._queues = {queue.name: queue for queue in policy.queues if not queue.closed}

    def check_type(self, place: Place, rules: ContactType) -> Iterator[Finding]:
        queue = self._queues.get(rules.queue)
        if rules.channel not in self._channels:
            where, expected = (*place, "channel"), "a channel of the policy"
            found = rules.channel
            yield _unknown(where, Reason.UNKNOWN_CHANNEL, expected, self._channels, found)
        elif queue is None and rules.queue:
            where, expected = (*place, "queue"), "an open queue of the policy"
            yield _unknown(where, ScenarioReason.UNKNOWN_QUEUE, expected, self._queues, rules.queue)
        elif queue is not None and queue.channels and rules.channel not in queue.channels:
            taken = ", ".join(queue.channels)
            message = f'found "{rules.channel}", expected what queue "{queue.name}" takes: {taken}'
            yield Finding((*place, "channel"), ScenarioReason.CHANNEL_NOT_TAKEN, message)
        else:
            yield from self._unserved(place, rules, queue)
            if queue is not None:
                yield from self._check_wrap_up((*place, "wrap_up"), rules, queue)
                yield from _check_retrial((*place, "retrial"), rules, queue)

    def check_group(self, place: Place, group: Group) -> Iterator[Finding]:
        if group.answering is None:
            return
        timeouts_ms = {}
        for rules in self._scenario.types.values():
            queue, channel = self._queues.get(rules.queue), self._channels.get(rules.channel)
            if queue is None or channel is None or channel.automatic_accept:
                continue
            if not _missing(group, rules, queue, self._scenario.horizon):
                timeouts_ms[queue.name] = queue.offer_timeout_ms
        mean_s = group.answering.mean
        for name, timeout_ms in timeouts_ms.items():
            if mean_s * _MS_PER_S > timeout_ms:
                message = (
                    f"found a mean of {mean_s:g} s, expected at most {timeout_ms / _MS_PER_S:g} s, "
                    f'the offer timeout of queue "{name}": many offers run out'
                )
                where = (*place, "answering")
                yield _warning(where, ScenarioReason.ANSWERING_TOO_SLOW, message)

    def check_roster(self) -> Iterator[Finding]:
        """Yields what the pool would refuse about the agents, one of each group."""
        groups = self._scenario.groups
        workers = [
            Worker(index, AgentId(str(index)), group, None)
            for index, group in enumerate(groups.values())
        ]
        names = list(groups)
        for finding in check_roster(roster_of(self._scenario, workers), self._policy):
            table, *rest = finding.place
            if table == "agents" and rest:
                group_place = ("groups", names[int(rest[0])], *rest[1:])
                yield replace(finding, place=group_place)
            elif table == "agents":
                yield replace(finding, place=("groups",))

    def _check_wrap_up(
        self, place: Place, rules: ContactType, queue: QueueRules
    ) -> Iterator[Finding]:
        if rules.wrap_up is None:
            return
        limit_ms = queue.wrap_up_ms
        if limit_ms is None:
            limit_ms = self._channels[rules.channel].wrap_up_ms
        mean_s, limit_s = rules.wrap_up.mean, limit_ms / _MS_PER_S
        where = f'queue "{queue.name}" on channel "{rules.channel}"'
        if limit_ms == 0:
            message = f"found a mean of {mean_s:g} s, but the policy gives {where} no wrap-up"
            yield Finding(place, ScenarioReason.WRAP_UP_NEVER, message)
        elif mean_s > limit_s:
            message = f"found a mean of {mean_s:g} s, expected at most {limit_s:g} s: {where}"
            yield _warning(place, ScenarioReason.WRAP_UP_CUT, f"{message} is cut off there")

    def _unserved(
        self, place: Place, rules: ContactType, queue: QueueRules | None
    ) -> Iterator[Finding]:
        groups = self._scenario.groups
        horizon = self._scenario.horizon
        missing = {name: _missing(one, rules, queue, horizon) for name, one in groups.items()}
        if not missing or not all(missing.values()) or not (queue or rules.branch):
            return
        first = next(iter(missing.values()))
        excluding = [need for need in first if all(need in one for one in missing.values())]
        listed = list(missing.items())[:_NAMED_MOST]
        if excluding:
            said = "; ".join(
                f"expected {need}, found "
                + ", ".join(f"{one[need]} ({name})" for name, one in listed)
                for need in excluding
            )
        else:
            lacks = ((name, *next(iter(one.items()))) for name, one in listed)
            said = "; ".join(f"{name} has {found}, not {need}" for name, need, found in lacks)
        yield Finding(place, ScenarioReason.NOBODY_SERVES, f"no group can serve it: {said}")


def _missing(
    group: Group, rules: ContactType, queue: QueueRules | None, horizon: Day | Steady
) -> dict[str, str]:
    """Returns what a group would need to serve contacts of a type, and what it has instead."""
    missing: dict[str, str] = {}
    channel, capacity = rules.channel, group.capacity
    known = capacity.channels.get(channel)
    if known is None:
        missing[f'capacity for channel "{channel}"'] = _list(capacity.channels)
    elif known.price > capacity.units:
        missing[f'units for the price of channel "{channel}"'] = (
            f"{capacity.units} of {known.price}"
        )
    if queue is None and group.desk_branch != rules.branch:
        missing[f'desks at branch "{rules.branch}"'] = _list([group.desk_branch])
    if queue is not None and queue.groups and not set(queue.groups) & set(group.groups):
        missing[f"one of the groups {_list(queue.groups)}"] = _list(group.groups)
    for asked in queue.requirements if queue is not None else ():
        level = group.skills.get(asked.skill, 0)
        if level < asked.least:
            missing[f'skill "{asked.skill}" at level {asked.least} or above'] = f"level {level}"
    spoken = {language.lower() for language in group.languages}
    if spoken and rules.languages and not spoken & {one.lower() for one in rules.languages}:
        missing[f"one of the languages {_list(rules.languages)}"] = _list(group.languages)
    if not _is_ever_on_duty(group, horizon):
        missing["somebody on duty"] = "nobody"
    return missing


def _is_ever_on_duty(group: Group, horizon: Day | Steady) -> bool:
    if group.absence >= 1:
        return False
    if group.agents or isinstance(horizon, Steady):
        return bool(group.agents or any(shift.agents for shift in group.shifts))
    last_min = horizon.closes_min + horizon.finish_ms / _MS_PER_MIN
    return any(
        shift.agents and shift.until_min > horizon.opens_min and shift.from_min < last_min
        for shift in group.shifts
    )


def _check_retrial(place: Place, rules: ContactType, queue: QueueRules) -> Iterator[Finding]:
    never_leaves = rules.patience is None and rules.balking is None and queue.most_waiting is None
    if rules.retrial is not None and never_leaves:
        message = (
            'found a retrial, but nobody leaves or is turned away: expected "patience" or "balking"'
        )
        yield _warning(place, ScenarioReason.RETRIAL_NEVER, message)


def _unknown(
    place: Place, reason: str, expected: str, known: Iterable[str], found: str = ""
) -> Finding:
    """Returns that a name is not known; `found` is left out where it is the end of the place."""
    name = found or str(place[-1])
    close = difflib.get_close_matches(name, known, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    names = sorted(known)
    return Finding(place, reason, f'found "{name}", expected {expected}: {_list(names)}{hint}')


def _warning(place: Place, reason: ScenarioReason, message: str) -> Finding:
    return Finding(place, reason, message, Severity.WARNING)


def _list(names: Iterable[str]) -> str:
    given = [name for name in names if name]
    more = [f"{len(given) - _NAMED_MOST} more"] if len(given) > _NAMED_MOST else []
    return ", ".join(given[:_NAMED_MOST] + more) or "none"
