"""A proposed staffing in figures and words: needs and duty by interval, goals, shifts, cost.

Rows of text come out, for the terminal and the page. Results are of the cases of
`proposal.cases_of`, in their order, on replications that the search has not seen. It must not know
tables, markup or drawings.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from usher.router.branch_policy import minute_text
from usher.simulation.experiment import Result
from usher.simulation.figures import ALL, Unit, figure_named
from usher.simulation.goals import Check, Evidence, Floats, interval_at, row_of, shortfalls, values
from usher.simulation.proposal import BY_INTERVAL, SHIFTS, TODAY, Proposal
from usher.simulation.report.summary import difference, estimate, excludes_zero
from usher.simulation.report.wording import (
    NOTHING,
    column_texts,
    estimate_text,
    figure_title,
    unit_text,
    value_text,
)
from usher.simulation.scenario import Scenario, Target
from usher.simulation.staffing import agents_working
from usher.simulation.staffing_search import Ending

Row = tuple[str, ...]

MISSES: Final = " !"
MISSES_MEANS: Final = "! misses the target"
SHIFT_HEADERS: Final[Row] = ("group", "agents", "from", "until", "breaks", "agent hours")
COMPARED: Final = ("agent_hours", "cost", "cost_per_contact", "answered", "value", "gain")
_COSTS: Final = {
    SHIFTS: "The proposed shifts cost",
    BY_INTERVAL: "The staffing by interval costs",
}
_ROUNDING: Final = 1e-9


def named(results: Sequence[Result], name: str) -> Result | None:
    """Returns the result of a case, None if there is none or nothing of it was finished."""
    return next((one for one in results if one.case.name == name and one.samples), None)


def evidence_of(proposal: Proposal, result: Result) -> Evidence:
    """Returns what a result shows of the proposal's checks."""
    rows = np.array([row_of(proposal.checks, one) for one in result.samples], dtype=np.float64)
    return Evidence(parts=rows[:, 0, :], wholes=rows[:, 1, :])


def compared_names(proposal: Proposal) -> tuple[str, ...]:
    """Returns the cases that tables set beside each other."""
    return (TODAY, BY_INTERVAL) if proposal.plan is None else (TODAY, BY_INTERVAL, SHIFTS)


def agents_by_interval(proposal: Proposal, scenario: Scenario) -> dict[str, dict[str, Floats]]:
    """Returns by group what theory says, was found, is on duty by shifts and today, by interval."""
    needed, duty = proposal.needed(), proposal.on_duty()
    told: dict[str, dict[str, Floats]] = {}
    for name, group in scenario.groups.items():
        columns = {"theory": proposal.theory[name].astype(np.float64)}
        columns[BY_INTERVAL] = needed[name].astype(np.float64)
        if duty is not None:
            columns[SHIFTS] = duty[name]
        columns[TODAY] = agents_working(group, proposal.timetable)
        told[name] = columns
    return told


def interval_headers(proposal: Proposal, scenario: Scenario, results: Sequence[Result]) -> Row:
    """Returns the heads of `interval_rows`."""
    agents = agents_by_interval(proposal, scenario)
    columns = list(next(iter(agents.values())))
    heads = ["from", *columns]
    if len(agents) > 1:
        heads += [f"{name}\n{column}" for name in agents for column in columns[1:-1]]
    heads += [
        f"{check.figure.title}{_whose(check)}\n{column} ({unit_text(check.figure.unit)})"
        for check in _day_checks(proposal)
        for column in _told_columns(proposal, results)
    ]
    return tuple(heads)


def interval_rows(
    proposal: Proposal, scenario: Scenario, results: Sequence[Result]
) -> tuple[Row, ...]:
    """Returns a row for each interval: agents by way of finding, then each target's figure."""
    agents = agents_by_interval(proposal, scenario)
    names = list(next(iter(agents.values())))
    totals: list[Floats] = [
        np.sum([columns[name] for columns in agents.values()], axis=0) for name in names
    ]
    columns = [_agents_texts(total) for total in totals]
    if len(agents) > 1:
        columns += [_agents_texts(by[name]) for by in agents.values() for name in names[1:-1]]
    columns += list(_figure_columns(proposal, results))
    times = [minute_text(proposal.timetable.starts_min(at)) for at in range(len(totals[0]))]
    return tuple(zip(times, *columns, strict=True))


def goal_headers(proposal: Proposal) -> Row:
    """Returns the heads of `goal_rows`."""
    return ("figure", "unit", "where", "target", *compared_names(proposal))


def goal_rows(proposal: Proposal, target: Target, results: Sequence[Result]) -> tuple[Row, ...]:
    """Returns each target over the day, and in the interval that is worst in each case."""
    cases = [named(results, name) for name in compared_names(proposal)]
    evidence = [None if one is None else evidence_of(proposal, one) for one in cases]
    rows: list[Row] = []
    for check in _day_checks(proposal, with_left=True):
        at = proposal.checks.index(check)
        start = (
            f"{figure_title(check.figure, target)}{_whose(check)}",
            unit_text(check.figure.unit),
        )
        cells = (_estimate_at(proposal, each, at) for each in evidence)
        rows.append((*start, "over the day", _limit_text(check), *cells))
        if proposal.goals.in_every_interval and check.binding is False:
            worst = (_worst_at(proposal, each, check) for each in evidence)
            rows.append((*start, "worst interval", _limit_text(check), *worst))
    return tuple(rows)


def shift_rows(proposal: Proposal) -> tuple[Row, ...]:
    """Returns a row under `SHIFT_HEADERS` for each shift that is worked, by group and time."""
    if proposal.plan is None:
        return ()
    posts, counts = proposal.plan.posts.posts, proposal.plan.found.counts.tolist()
    worked = [(post, count) for post, count in zip(posts, counts, strict=True) if count]
    order = {name: place for place, name in enumerate(proposal.theory)}
    worked.sort(
        key=lambda one: (order[one[0].group], one[0].shift.from_min, one[0].shift.until_min)
    )
    rows = []
    for post, count in worked:
        shift = post.shift
        breaks = [f"{minute_text(b.from_min)}-{minute_text(b.until_min)}" for b in shift.breaks]
        hours = count * (shift.until_min - shift.from_min) / 60
        times = (minute_text(shift.from_min), minute_text(shift.until_min))
        rows.append((post.group, str(count), *times, ", ".join(breaks) or NOTHING, f"{hours:,.1f}"))
    return tuple(rows)


def sentences(proposal: Proposal, results: Sequence[Result]) -> tuple[str, ...]:
    """Returns what came of it, in sentences: what the search did, what the plan costs and does."""
    told = [_search_text(proposal)]
    today = named(results, TODAY)
    for name in (SHIFTS, BY_INTERVAL):
        plan = named(results, name)
        if plan is not None and today is not None:
            told.append(_against_today(proposal, name, today, plan))
    return tuple(told)


def warnings(proposal: Proposal, results: Sequence[Result]) -> tuple[str, ...]:
    """Returns what keeps the proposal from being what was asked for, in sentences."""
    found, plan = proposal.found, proposal.plan
    told = []
    if not found.is_met:
        told.append(f"The staffing by interval does not meet its targets: {found.ending.value}.")
    elif found.ending is not Ending.MINIMUM:
        told.append(
            f"The staffing by interval is the best so far, not the least: {found.ending.value}."
        )
    if plan is not None and not plan.found.is_met:
        why = "" if plan.found.ending is Ending.MINIMUM else f": {plan.found.ending.value}"
        told.append(f"The shifts were not seen to meet all targets{why}.")
    elif plan is not None and plan.found.ending is not Ending.MINIMUM:
        told.append(f"The shifts may have agents to spare: {plan.found.ending.value}.")
    for name in (SHIFTS, BY_INTERVAL):
        one = named(results, name)
        if one is not None and (missing := _missing(proposal, one)):
            told.append(f"On days that the search has not seen, {name} misses {missing}.")
    return tuple(told)


def _missing(proposal: Proposal, result: Result) -> str:
    """Returns the checks that a result misses beyond what its interval leaves to chance."""
    evidence = evidence_of(proposal, result)
    beyond = shortfalls(proposal.checks, values(evidence))
    missing = []
    for at, check in enumerate(proposal.checks):
        interval = interval_at(evidence, at, result.confidence) if check.binding else None
        if interval is None or interval.low is None or interval.high is None:
            continue
        better = interval.high if check.at_least else interval.low
        surely = better < check.limit if check.at_least else better > check.limit
        if beyond[at] > _ROUNDING and surely:
            missing.append(f"{check.figure.title}{_whose(check)}{_when(proposal, check)}")
    more = [f"{len(missing) - 3} more"] if len(missing) > 3 else []
    return ", ".join(missing[:3] + more)


def _search_text(proposal: Proposal) -> str:
    goals, seen = proposal.goals, proposal.seen
    where = "in every interval" if goals.in_every_interval else "over the day"
    rule = "by the bound of the interval" if goals.sure else "by the estimate"
    hours = proposal.posts.agent_hours
    start = np.concatenate([proposal.theory[name] for name in proposal.theory])
    text = (
        f"{hours(proposal.found.counts):,.1f} agent hours by interval (theory "
        f"{hours(start):,.1f}); {proposal.staffings:,} staffings, {proposal.runs:,} days simulated"
    )
    if proposal.found.is_met and seen is not None:
        width = _widest(proposal, seen)
        text += f". Targets met {where}, {rule} over {seen.replications} days{width}"
    return f"{text}."


def _widest(proposal: Proposal, seen: Evidence) -> str:
    widths = [
        (interval.half_width, check)
        for at, check in enumerate(proposal.checks)
        if check.binding and check.figure.unit is Unit.SHARE
        if (interval := interval_at(seen, at, proposal.goals.confidence)) is not None
        if interval.half_width is not None
    ]
    if not widths:
        return ""
    width, check = max(widths, key=lambda one: one[0])
    when = _when(proposal, check)
    return f" (half-widths up to {width * 100:.1f} points, {check.figure.title}{when})"


def _against_today(proposal: Proposal, name: str, today: Result, plan: Result) -> str:
    effort = figure_named("cost")
    cost = estimate(effort, today)
    if cost is None or cost.mean == 0:
        effort = figure_named("agent_hours")
    change = difference(effort, today, plan)
    if change is None:
        return f"{name}: no replications in common with {TODAY}."
    amount = estimate_text(change, effort.unit).lstrip("-")
    way = "less" if change.mean < 0 else "more"
    unit = " agent hours" if effort.unit is Unit.HOURS else ""
    service = "; ".join(_answers(today, plan, one) for one in proposal.goals.types)
    return f"{_COSTS[name]} {amount}{unit} {way} a day than {TODAY}'s; {service}."


def _answers(today: Result, plan: Result, type_name: str) -> str:
    """Returns how a plan answers against today, by the paired interval of the service level."""
    figure = figure_named("service_level")
    change = difference(figure, today, plan, type_name)
    whose = "contacts" if type_name == ALL else f"{type_name} contacts"
    if change is None or change.low is None:
        return f"how {whose} are answered cannot be compared"
    text = f"service level {estimate_text(change, figure.unit, signed=True)} points"
    if not excludes_zero(change):
        return f"{whose} are answered as well ({text})"
    return f"{whose} are answered {'better' if change.mean > 0 else 'worse'} ({text})"


def _day_checks(proposal: Proposal, *, with_left: bool = False) -> list[Check]:
    """Returns the checks over the day, of what is left at its end too if asked for."""
    checks = [check for check in proposal.checks if check.interval is None]
    return [check for check in checks if with_left or check.figure.name != "left"]


def _told_columns(proposal: Proposal, results: Sequence[Result]) -> list[str]:
    return [name for name in compared_names(proposal)[1:] if named(results, name) is not None]


def _figure_columns(proposal: Proposal, results: Sequence[Result]) -> Iterator[list[str]]:
    for day in _day_checks(proposal):
        for name in _told_columns(proposal, results):
            result = named(results, name)
            if result is not None:
                yield _figure_texts(proposal, day, evidence_of(proposal, result))


def _figure_texts(proposal: Proposal, day: Check, evidence: Evidence) -> list[str]:
    """Returns a figure by interval; marked where it misses a target of every interval."""
    found = values(evidence)
    beyond = shortfalls(proposal.checks, found)
    places = _places(proposal, day)
    known = [None if np.isnan(found[at]) else float(found[at]) for at in places]
    texts = column_texts(known, day.figure.unit)
    return [
        text + (MISSES if proposal.checks[at].binding and beyond[at] > _ROUNDING else "")
        for at, text in zip(places, texts, strict=True)
    ]


def _places(proposal: Proposal, day: Check) -> list[int]:
    """Returns where the checks by interval stand that a check over the day sums up."""
    return [
        at
        for at, check in enumerate(proposal.checks)
        if check.interval is not None
        and (check.figure, check.type_name) == (day.figure, day.type_name)
    ]


def _estimate_at(proposal: Proposal, evidence: Evidence | None, at: int) -> str:
    if evidence is None:
        return NOTHING
    check = proposal.checks[at]
    text = estimate_text(interval_at(evidence, at, proposal.goals.confidence), check.figure.unit)
    beyond = shortfalls(proposal.checks, values(evidence))[at]
    return text + (MISSES if beyond > _ROUNDING else "")


def _worst_at(proposal: Proposal, evidence: Evidence | None, day: Check) -> str:
    if evidence is None:
        return NOTHING
    beyond = shortfalls(proposal.checks, values(evidence))
    found = values(evidence)
    places = [at for at in _places(proposal, day) if not np.isnan(found[at])]
    if not places:
        return NOTHING
    sign = -1 if day.at_least else 1
    at = max(places, key=lambda place: sign * found[place])
    text = value_text(float(found[at]), day.figure.unit) + _when(proposal, proposal.checks[at])
    return text + (MISSES if beyond[at] > _ROUNDING else "")


def _limit_text(check: Check) -> str:
    sign = ">=" if check.at_least else "<="
    return f"{sign} {value_text(check.limit, check.figure.unit)}"


def _whose(check: Check) -> str:
    return "" if check.type_name == ALL else f", {check.type_name}"


def _when(proposal: Proposal, check: Check) -> str:
    if check.interval is None:
        return ""
    return f" at {minute_text(proposal.timetable.starts_min(check.interval))}"


def _agents_texts(agents: Floats) -> list[str]:
    return [f"{one:.1f}".removesuffix(".0") for one in agents.tolist()]
