"""What was asked, in words: a scenario's hours, target, types of contact and groups of agents.

Rows of text come out, for any kind of table. It must not know results or markup.
"""

from collections import Counter
from collections.abc import Iterator
from math import sqrt

from usher.queue.values import ChannelName
from usher.router.branch_policy import minute_text
from usher.simulation.distributions import AnyDistribution, Deterministic
from usher.simulation.experiment import Case
from usher.simulation.premises import desk_rows, openings_min
from usher.simulation.report.wording import LEVELS, NOTHING, level_text
from usher.simulation.scenario import (
    Again,
    Arrivals,
    ContactType,
    Curve,
    Day,
    Gaps,
    Group,
    Listed,
    Poisson,
    Scenario,
    Shift,
    Steady,
)

Row = tuple[str, ...]

TYPE_HEADERS: Row = (
    *("type", "channel", "goes to", "arrivals", "patience", "handling", "wrap-up", "also"),
)
GROUP_HEADERS: Row = (
    *("group", "agents", "hours", "breaks", "at once", "skills", "absence", "cost per hour"),
)


def case_rows(case: Case) -> tuple[Row, ...]:
    """Returns what holds for the whole of a case: (what, text) each."""
    scenario, target = case.scenario, case.scenario.target
    rows: list[Row] = [
        ("Scenario", f"{scenario.name}: {scenario.title}" if scenario.title else scenario.name),
        ("Policy", case.policy.version),
        ("Time", horizon_text(scenario.horizon)),
        ("Target", f"{level_text(target)} = {LEVELS[target.level]}"),
    ]
    rows += _branch_rows(case)
    rows += [
        ("Outage", f"site {one.site}, {_span_text(one.from_min, one.until_min)}")
        for one in scenario.outages
    ]
    return tuple(rows)


def type_rows(scenario: Scenario) -> tuple[Row, ...]:
    """Returns a row under `TYPE_HEADERS` for each type of contact."""
    return tuple(_type_row(name, rules) for name, rules in scenario.types.items())


def group_rows(scenario: Scenario) -> tuple[Row, ...]:
    """Returns rows under `GROUP_HEADERS`: one for each shift of a group, one for its others."""
    return tuple(
        row for name, group in scenario.groups.items() for row in _rows_of_group(name, group)
    )


def _branch_rows(case: Case) -> Iterator[Row]:
    """Yields the branches that have desks: when they are open, and how many desks."""
    day, desks = case.scenario.horizon, Counter[str]()
    for row in desk_rows(case.scenario):
        desks[row.branch] += row.count
    for branch in case.branches.branches if case.branches is not None else ():
        if branch.name not in desks:
            continue
        hours = "always open"
        if isinstance(day, Day):
            spans = ", ".join(_span_text(*span) for span in openings_min(branch, day))
            hours = f"open {spans} ({day.weekday.value})"
        count = desks[branch.name]
        yield "Branch", f"{branch.name}: {hours}, {count} desk{'s' if count > 1 else ''}"


def horizon_text(horizon: Day | Steady) -> str:
    """Returns how long it goes on."""
    match horizon:
        case Day():
            return f"a day, open {_span_text(horizon.opens_min, horizon.closes_min)}"
        case Steady():
            return (
                f"one long run: {horizon.batches:,} batches of {horizon.batch:,} contacts, after "
                f"a warm-up of {horizon.warm_up:,}"
            )


def arrivals_text(arrivals: Arrivals) -> str:
    """Returns how many contacts come, and by what rule."""
    match arrivals:
        case Poisson():
            return f"{arrivals.per_hour:,.6g} an hour at random"
        case Gaps():
            return f"one after another, gap {duration_text(arrivals.gap)}"
        case Listed():
            return f"{len(arrivals.at_s):,} at listed moments"
        case Curve():
            return _curve_text(arrivals)


def duration_text(law: AnyDistribution | None) -> str:
    """Returns a law of durations by its kind, mean and standard deviation."""
    if law is None:
        return NOTHING
    if isinstance(law, Deterministic):
        return f"always {law.value:,.4g} s"
    kind = law.__struct_config__.tag
    return f"{kind}, mean {law.mean:,.4g} s, deviation {sqrt(law.variance):,.4g} s"


def _type_row(name: str, rules: ContactType) -> Row:
    return (
        name,
        rules.channel,
        f"queue {rules.queue}" if rules.queue else f"branch {rules.branch}, {rules.service}",
        arrivals_text(rules.arrivals),
        "for ever" if rules.patience is None else duration_text(rules.patience),
        duration_text(rules.handling),
        duration_text(rules.wrap_up),
        _also_text(rules),
    )


def _also_text(rules: ContactType) -> str:
    told = {
        "come in batches": bool(rules.batch),
        "some turn away when told the wait": rules.balking is not None,
        f"{_share_text(rules.no_show)} do not show up": rules.no_show > 0,
        f"walk {duration_text(rules.walk)}": rules.walk is not None,
        _again_text("of those who left come again", rules.retrial): rules.retrial is not None,
        _again_text("of those served in vain call again", rules.redial): rules.redial is not None,
    }
    return "; ".join(words for words, holds in told.items() if holds) or NOTHING


def _again_text(who: str, again: Again | None) -> str:
    if again is None:
        return ""
    return f"{_share_text(again.share)} {who} after {duration_text(again.after)}"


def _share_text(share: float) -> str:
    return f"{share * 100:.3g}%"


def _curve_text(curve: Curve) -> str:
    ends_min = curve.starts_min + curve.every_min * len(curve.counts)
    span = _span_text(curve.starts_min, min(ends_min, 1440))
    text = f"{sum(curve.counts):,.6g} a day by a curve, {span}"
    if curve.day_factor is None:
        return text
    deviation = _share_text(sqrt(curve.day_factor.variance))
    return f"{text}; days differ by a factor of deviation {deviation}"


def _rows_of_group(name: str, group: Group) -> list[Row]:
    ends = (
        _channels_text(group),
        ", ".join(f"{skill} {level}" for skill, level in group.skills.items()) or NOTHING,
        _share_text(group.absence),
        f"{group.cost_per_hour:,.2f}",
    )
    rows: list[Row] = []
    if group.agents or not group.shifts:
        rows.append((name, str(group.agents), "all the time", NOTHING, *ends))
    rows += [(name, str(shift.agents), *_shift_texts(shift), *ends) for shift in group.shifts]
    return rows


def _shift_texts(shift: Shift) -> tuple[str, str]:
    breaks = ", ".join(_span_text(each.from_min, each.until_min) for each in shift.breaks)
    return _span_text(shift.from_min, shift.until_min), breaks or NOTHING


def _channels_text(group: Group) -> str:
    def at_once(channel: ChannelName) -> int:
        known = group.capacity.channels[channel]
        return min(known.most, group.capacity.units // known.price) if known.price else known.most

    return ", ".join(f"{at_once(name)} x {name}" for name in group.capacity.channels)


def _span_text(from_min: int, until_min: int) -> str:
    return f"{minute_text(from_min)}-{minute_text(until_min)}"
