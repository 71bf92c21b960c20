"""Checks of a scenario as a whole: by itself, and against the policy that is to route it.

`scenario` bounds each value by itself; here stands what several values must be together, and
`scenario_routing` has what the policy adds. A check returns all findings: with an error a run would
fail, never end or mean nothing; a warning says that something has no effect, or another one than
it seems to have. Must not know files or lines.
"""

from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from usher.queue.branches import MINUTES_OF_DAY, Branches
from usher.queue.rules import Policy
from usher.queue.values import Channel
from usher.router.branch_policy import minute_text
from usher.router.findings import Finding, Place, Reason, out_of_bounds, too_many
from usher.simulation.figures import ALL
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
from usher.simulation.scenario_findings import unknown, warning
from usher.simulation.scenario_hours import ROUNDING, arrivals_within, ends_min
from usher.simulation.scenario_routing import check_routing
from usher.simulation.staff import heads

_FACTOR_OFF = 1e-3  # fitted factors come rounded


class ScenarioReason(StrEnum):
    """What a finding about a scenario by itself is about; stable, for machines."""

    NAME_TAKEN = "NAME_TAKEN"
    NO_TYPE = "NO_TYPE"
    NO_GROUP = "NO_GROUP"
    QUEUE_OR_BRANCH = "QUEUE_OR_BRANCH"
    BRANCH_AND_SERVICE = "BRANCH_AND_SERVICE"
    NO_VISITORS = "NO_VISITORS"
    SHARES_OFF = "SHARES_OFF"
    NOT_ASCENDING = "NOT_ASCENDING"
    RECORD_OFF = "RECORD_OFF"
    NO_GAP = "NO_GAP"
    BEYOND_MIDNIGHT = "BEYOND_MIDNIGHT"
    OUTSIDE_HOURS = "OUTSIDE_HOURS"
    FACTOR_OFF = "FACTOR_OFF"
    ARRIVALS_END = "ARRIVALS_END"
    OF_A_DAY = "OF_A_DAY"
    REDIAL_NEVER = "REDIAL_NEVER"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    SLOWDOWN_NEVER = "SLOWDOWN_NEVER"
    UNKNOWN_SITE = "UNKNOWN_SITE"
    ENDS_BEFORE_IT_BEGINS = "ENDS_BEFORE_IT_BEGINS"
    OUTSIDE_SHIFT = "OUTSIDE_SHIFT"
    OVERLAP = "OVERLAP"


def check_scenario(
    scenario: Scenario, policy: Policy | None, branches: Branches | None = None
) -> list[Finding]:
    """Returns all findings about a scenario; empty = sound.

    `branches`: services and branches of the policy file. Without a policy only what needs none is
    checked.
    """
    if (finding := out_of_bounds(scenario)) is not None:
        return [finding]
    findings = list(_check_sizes(scenario))
    for name, rules in scenario.types.items():
        place: Place = ("types", name)
        if name == ALL:
            message = f'found the name "{ALL}", which stands for all types in reports'
            findings.append(Finding(place, ScenarioReason.NAME_TAKEN, message))
        findings += _check_type(place, rules)
        findings += _check_arrivals((*place, "arrivals"), rules.arrivals, scenario.horizon)
        findings += _check_redial((*place, "redial"), name, scenario)
    for name, group in scenario.groups.items():
        place = ("groups", name)
        findings += _check_types_named(place, group, scenario)
        findings += _check_slowdown((*place, "slowdown"), group)
        findings += _check_shifts((*place, "shifts"), group)
    findings += _check_horizon(scenario)
    findings += _check_outages(scenario)
    if policy is not None:
        findings += check_routing(scenario, policy, branches)
    return findings


def _check_sizes(scenario: Scenario) -> Iterator[Finding]:
    if not scenario.types:
        message = "found no type of contacts, expected at least one: nobody would come"
        yield Finding(("types",), ScenarioReason.NO_TYPE, message)
    if not scenario.groups:
        message = "found no group of agents, expected at least one: nobody would be served"
        yield Finding(("groups",), ScenarioReason.NO_GROUP, message)
    agents = sum(map(heads, scenario.groups.values()))
    yield from too_many(("groups",), agents, AGENTS_MOST, "agents of all groups and shifts")


# types of contacts


def _check_type(place: Place, rules: ContactType) -> Iterator[Finding]:
    if bool(rules.queue) == bool(rules.branch):
        found = f'queue "{rules.queue}" and branch "{rules.branch}"' if rules.queue else "neither"
        message = f'found {found}, expected either "queue" or "branch"'
        yield Finding(place, ScenarioReason.QUEUE_OR_BRANCH, message)
    if bool(rules.branch) != bool(rules.service):
        key, missing = ("branch", "service") if rules.branch else ("service", "branch")
        message = f'found {key} "{getattr(rules, key)}", expected a {missing} with it'
        yield Finding((*place, key), ScenarioReason.BRANCH_AND_SERVICE, message)
    if rules.branch and rules.channel != Channel.WALK_IN:
        message = f'found "{rules.channel}", expected "{Channel.WALK_IN}": they take a ticket'
        yield Finding((*place, "channel"), ScenarioReason.NO_VISITORS, message)
    total = sum(rules.batch)
    if rules.batch and abs(total - 1) > ROUNDING:
        message = f"found shares that add up to {total:.12g}, expected 1"
        yield Finding((*place, "batch"), ScenarioReason.SHARES_OFF, message)
    came = rules.arrivals
    recorded = isinstance(came, Listed) and (came.handling_s or came.patience_s)
    if recorded and any(rules.batch[1:]):
        message = "found batches, but each recorded duration is of one contact: expected none"
        yield Finding((*place, "batch"), ScenarioReason.RECORD_OFF, message)


def _check_arrivals(place: Place, arrivals: Arrivals, horizon: Day | Steady) -> Iterator[Finding]:
    match arrivals:
        case Curve():
            yield from _check_curve(place, arrivals)
        case Listed():
            yield from _check_listed(place, arrivals)
        case Gaps() if arrivals.gap.mean <= 0:
            message = "found gaps that are all 0 s, expected a mean above 0: the run would not end"
            yield Finding((*place, "gap"), ScenarioReason.NO_GAP, message)
    if isinstance(horizon, Day):
        yield from _check_hours(place, arrivals, horizon)
    elif isinstance(arrivals, Curve | Listed):
        kind = arrivals.__struct_config__.tag
        message = f'found "{kind}", which ends; expected "poisson" or "gaps" in a steady run'
        yield Finding((*place, "kind"), ScenarioReason.ARRIVALS_END, message)


def _check_curve(place: Place, curve: Curve) -> Iterator[Finding]:
    until_min = ends_min(curve)
    if until_min > MINUTES_OF_DAY:
        counts = f"{len(curve.counts)} counts for {curve.every_min} min each"
        found = (
            f'{counts} from "{minute_text(curve.starts_min)}" on, until "{minute_text(until_min)}"'
        )
        message = f'found {found}, expected an end at "24:00" or before'
        yield Finding((*place, "counts"), ScenarioReason.BEYOND_MIDNIGHT, message)
    factors = {"day_factor": curve.day_factor, "interval_factor": curve.interval_factor}
    for key, factor in factors.items():
        if factor is not None and abs(factor.mean - 1) > _FACTOR_OFF:
            message = (
                f"found a mean of {factor.mean:g}, expected 1: the counts are multiplied by it"
            )
            yield warning((*place, key), ScenarioReason.FACTOR_OFF, message)


def _check_listed(place: Place, arrivals: Listed) -> Iterator[Finding]:
    for index, (before, at_s) in enumerate(pairwise(arrivals.at_s), start=1):
        if at_s < before:
            message = f"found {at_s:g} after {before:g}, expected moments in ascending order"
            yield Finding((*place, "at_s", index), ScenarioReason.NOT_ASCENDING, message)
            break
    for key, record in (("handling_s", arrivals.handling_s), ("patience_s", arrivals.patience_s)):
        if record and len(record) != len(arrivals.at_s):
            message = f"found {len(record)} durations, expected {len(arrivals.at_s)}, as of at_s"
            yield Finding((*place, key), ScenarioReason.RECORD_OFF, message)


def _check_hours(place: Place, arrivals: Arrivals, day: Day) -> Iterator[Finding]:
    """Yields that some of the arrivals are at times when the day is not open."""
    told = arrivals_within(arrivals, [(day.opens_min, day.closes_min)])
    if told is not None and day.opens_min < day.closes_min and told.outside:
        hours = f'"{minute_text(day.opens_min)}" to "{minute_text(day.closes_min)}"'
        found = f"found {told.outside:g} of {told.total:g} arrivals"
        message = f"{found} outside the opening hours, {hours}: they do not come"
        yield warning((*place, told.key), ScenarioReason.OUTSIDE_HOURS, message)


def _check_redial(place: Place, name: str, scenario: Scenario) -> Iterator[Finding]:
    qualities = [group.quality.get(name, 1.0) for group in scenario.groups.values()]
    if scenario.types[name].redial is not None and all(quality >= 1 for quality in qualities):
        found = "found a redial of those whose matter is not resolved"
        message = f'{found}, but no group has a quality below 1 for "{name}"'
        yield warning(place, ScenarioReason.REDIAL_NEVER, message)


# groups of agents


def _check_types_named(place: Place, group: Group, scenario: Scenario) -> Iterator[Finding]:
    for table, names in (("speed", group.speed), ("quality", group.quality)):
        for name in names:
            if name not in scenario.types:
                where, expected = (*place, table, name), "a type of the scenario"
                yield unknown(where, ScenarioReason.UNKNOWN_TYPE, name, expected, scenario.types)


def _check_slowdown(place: Place, group: Group) -> Iterator[Finding]:
    channels, units = group.capacity.channels, group.capacity.units
    for name in group.slowdown:
        if name not in channels:
            expected = "a channel of the group's capacity"
            yield unknown((*place, name), Reason.UNKNOWN_CHANNEL, name, expected, channels)
            continue
        price, most = channels[name].price, channels[name].most
        at_once = min(most, units // price) if price else most
        if at_once < 2:
            message = f"found capacity for {at_once} at once, expected it for two at least"
            yield Finding((*place, name), ScenarioReason.SLOWDOWN_NEVER, message)


def _check_shifts(place: Place, group: Group) -> Iterator[Finding]:
    """Yields wrong shifts and breaks. Shifts may overlap: those are different people."""
    for index, shift in enumerate(group.shifts):
        where = (*place, index)
        whole = _Span(where, shift.from_min, shift.until_min)
        breaks = [
            _Span((*where, "breaks", number), one.from_min, one.until_min)
            for number, one in enumerate(shift.breaks)
        ]
        yield from _check_spans([whole])
        yield from _check_spans(breaks)
        for one in breaks:
            outside = one.from_min < whole.from_min or one.until_min > whole.until_min
            if outside and whole.from_min < whole.until_min:
                message = f"found {one}, expected it within the shift, {whole}"
                yield Finding(one.place, ScenarioReason.OUTSIDE_SHIFT, message)


# the run


def _check_horizon(scenario: Scenario) -> Iterator[Finding]:
    day = scenario.horizon
    if isinstance(day, Day):
        yield from _check_spans([_Span(("horizon",), day.opens_min, day.closes_min)])
        return
    found: list[tuple[Place, int]] = [(("outages",), len(scenario.outages))]
    found += [(("groups", name, "shifts"), len(g.shifts)) for name, g in scenario.groups.items()]
    for place, count in found:
        if count:
            message = f"found {count}, expected none: they are of a day, and the run is steady"
            yield Finding(place, ScenarioReason.OF_A_DAY, message)


def _check_outages(scenario: Scenario) -> Iterator[Finding]:
    sites = {group.site for group in scenario.groups.values() if group.site}
    by_site: dict[str, list[_Span]] = {}
    for index, one in enumerate(scenario.outages):
        span = _Span(("outages", index), one.from_min, one.until_min)
        by_site.setdefault(one.site, []).append(span)
        if one.site not in sites:
            where, expected = (*span.place, "site"), "the site of a group"
            yield unknown(where, ScenarioReason.UNKNOWN_SITE, one.site, expected, sites)
    for spans in by_site.values():
        yield from _check_spans(spans)


class _Span(NamedTuple):
    """A stretch of a day, and where it stands in the scenario."""

    place: Place
    from_min: int
    until_min: int

    def __str__(self) -> str:
        return f'"{minute_text(self.from_min)}" to "{minute_text(self.until_min)}"'


def _check_spans(spans: list[_Span]) -> Iterator[Finding]:
    """Yields those that do not end after they begin, and those that overlap another one."""
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
