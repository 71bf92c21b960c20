"""A staffing proposed for a scenario: by theory, by interval, by shifts; and cases to hold it to.

    demands -> theory -> search by interval -> shifts -> cases: today, shifts, by interval, and a
    few agents more and fewer

It must not know files, screens or how a report is made.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from usher.simulation.demands import given, theory_counts
from usher.simulation.experiment import Case
from usher.simulation.goals import Check, Evidence, Goals, checks_of
from usher.simulation.scenario import GroupName
from usher.simulation.shift_plan import ShiftPlan, ShiftRule, check_rule, rules_of, shift_plan
from usher.simulation.staffing import (
    Floats,
    Int64s,
    Posts,
    Timetable,
    posts_by_interval,
    timetable_of,
)
from usher.simulation.staffing_search import Ending, Found, search
from usher.simulation.trials import Machinery, Setting, Trials

TODAY: Final = "today"
SHIFTS: Final = "shifts"
BY_INTERVAL: Final = "by interval"
STEPS: Final = (-2, -1, 1, 2)
STEP_SHARE: Final = 0.05
"""Of the agents on duty: what one step of a trade-off curve adds or takes, at least one agent."""
STARTS_MOST: Final = 3
TRIALS_OF_SHIFTS: Final = 10
"""For so many staffings in shifts the search by interval leaves replications."""
_ROOM: Final = 20


class Proposal(Struct, frozen=True, eq=False, kw_only=True):
    """What was found. `plan` is None if the search ended before its goals were met."""

    goals: Goals
    timetable: Timetable
    theory: dict[GroupName, Int64s]
    posts: Posts
    found: Found
    """By interval."""
    checks: tuple[Check, ...]
    seen: Evidence | None
    """What the replications of the search showed of it; None if they were not all run."""
    plan: ShiftPlan | None
    runs: int
    staffings: int

    @property
    def is_stopped(self) -> bool:
        """Returns whether an interrupt ended it."""
        endings = [self.found.ending, *([] if self.plan is None else [self.plan.found.ending])]
        return Ending.STOPPED in endings

    def needed(self) -> dict[GroupName, Int64s]:
        """Returns the agents found by group and interval."""
        return self.posts.on_duty(self.found.counts)

    def on_duty(self) -> dict[GroupName, Floats] | None:
        """Returns the agents on duty by the shifts, by group, on average over each interval."""
        if self.plan is None:
            return None
        duty = {name: np.zeros(self.timetable.count) for name in self.theory}
        for name, row in self.plan.posts.on_duty(self.plan.found.counts).items():
            duty[name] = row.reshape(self.timetable.count, -1).mean(axis=1)
        return duty


def propose(
    setting: Setting,
    rules: Sequence[ShiftRule],
    machinery: Machinery,
    agents_most: int | None = None,
) -> Proposal:
    """Returns a staffing for the setting's scenario.

    `rules`: the kinds of shift of every group; none: those that the group works today.
    `agents_most` on duty at once; None: four times what theory says at its peak, and 20. Raises
    ValueError for what cannot be staffed, Unreachable if no allowed number of agents meets the
    goals.
    """
    timetable = check_asked(setting, rules)
    posts = posts_by_interval(setting.scenario, timetable)
    counted = machinery.ledger
    trials = Trials(setting, posts, machinery)
    theory = _by_theory(setting, timetable, None)
    starts = _starts(setting, posts, theory)
    most = agents_most or _far_more(starts, timetable)
    counted.reserve(min(counted.left // 4, TRIALS_OF_SHIFTS * setting.plan.replications))
    within = [_within(start, most, timetable) for start in starts]
    found = search(trials, posts, within, agents_most=most, tell=machinery.tell)
    counted.reserve(0)
    plan = None
    if found.is_met and found.ending is not Ending.STOPPED:
        needs = posts.on_duty(found.counts)
        plan = shift_plan(needs, _kinds(setting, rules), setting, timetable, machinery)
    return Proposal(
        goals=setting.goals,
        timetable=timetable,
        theory=theory,
        posts=posts,
        found=found,
        checks=trials.checks,
        seen=trials.remembered(found.counts),
        plan=plan,
        runs=counted.runs,
        staffings=counted.staffings,
    )


def check_asked(setting: Setting, rules: Sequence[ShiftRule]) -> Timetable:
    """Returns the intervals of the day; raises ValueError for what is known to be impossible."""
    timetable = timetable_of(setting.scenario, setting.plan.interval_min)
    checks_of(setting.goals, setting.scenario, timetable.count)
    for rule in rules:
        check_rule(rule, timetable)
    return timetable


def cases_of(proposal: Proposal, today: Case) -> tuple[Case, ...]:
    """Returns today's case, the shifts, the staffing by interval, and some with more and fewer."""
    scenario = today.scenario
    cases = [replace(today, name=TODAY)]
    if proposal.plan is not None:
        plan = proposal.plan
        staffed = plan.posts.scenario(scenario, plan.found.counts)
        cases.append(replace(today, name=SHIFTS, scenario=staffed))
    for step, counts in ((0, proposal.found.counts), *_variations(proposal).items()):
        name = f"{BY_INTERVAL} {step:+d}" if step else BY_INTERVAL
        staffed = proposal.posts.scenario(scenario, counts)
        cases.append(replace(today, name=name, scenario=staffed))
    return tuple(cases)


def _kinds(setting: Setting, rules: Sequence[ShiftRule]) -> dict[GroupName, tuple[ShiftRule, ...]]:
    """Returns the kinds of shift by group: those given, or those that the group works today."""
    timetable = timetable_of(setting.scenario, setting.plan.interval_min)
    return {
        name: tuple(rules) or rules_of(group, timetable)
        for name, group in setting.scenario.groups.items()
    }


def _by_theory(
    setting: Setting, timetable: Timetable, preferred: GroupName | None
) -> dict[GroupName, Int64s]:
    scenario, goals = setting.scenario, setting.goals
    shares = given(
        scenario, setting.policy, timetable, preferred=preferred, branches=setting.branches
    )
    wanted = goals.wanted_types(scenario)
    return theory_counts(scenario, shares, goals.targets, wanted, timetable)


def _starts(setting: Setting, posts: Posts, theory: dict[GroupName, Int64s]) -> list[Int64s]:
    """Returns where searches begin: types with the cheapest group, or together with one group.

    A group that serves many types has fewer agents idle than groups of their own; theory by group
    alone does not show that. The cheapest of these starts, with the first one among them.
    """
    names = setting.scenario.groups
    first = np.concatenate([theory[name] for name in names])
    others: list[Int64s] = []
    for preferred in names:
        counts = _by_theory(setting, posts.timetable, preferred)
        start = np.concatenate([counts[name] for name in names])
        if not any((start == other).all() for other in (first, *others)):
            others.append(start)
    return [first, *sorted(others, key=posts.cost)[: STARTS_MOST - 1]]


def _variations(proposal: Proposal) -> Mapping[int, Int64s]:
    """Returns staffings by interval with so many steps of agents more or fewer in each interval.

    They are of the group that has most agents there; where somebody is needed, one stays.
    """
    groups, count = len(proposal.theory), proposal.timetable.count
    found = proposal.found.counts.reshape(groups, count)
    largest, total = found.argmax(axis=0), found.sum(axis=0)
    size = np.maximum(1, np.rint(STEP_SHARE * total)).astype(np.int64)
    variations = {}
    for step in STEPS:
        counts, columns = found.copy(), np.arange(count)
        changed = counts[largest, columns] + np.where(total > 0, step * size, 0)
        counts[largest, columns] = np.maximum(changed, np.minimum(total, 1))
        variations[step] = counts.reshape(-1)
    return variations


def _far_more(starts: Sequence[Int64s], timetable: Timetable) -> int:
    """Returns so many agents at once that more would not help: targets are then out of reach."""
    peaks = [start.reshape(-1, timetable.count).sum(axis=0).max() for start in starts]
    return 4 * int(max(peaks)) + _ROOM


def _within(start: Int64s, agents_most: int, timetable: Timetable) -> Int64s:
    """Returns a start with no more agents on duty at once than are allowed."""
    rows = start.reshape(-1, timetable.count).copy()
    for group in reversed(range(len(rows))):
        over = np.maximum(rows.sum(axis=0) - agents_most, 0)
        rows[group] -= np.minimum(rows[group], over)
    return rows.reshape(-1)
