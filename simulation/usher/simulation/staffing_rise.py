"""The first part of a search for a staffing: more agents, until all goals are met.

An interval that misses gets an agent of the group that helps it most for its cost; from its second
miss on, also the interval before it may get the agent, since what waits from there is carried over.
It must not know scenarios, or how replications are run.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from usher.router.branch_policy import minute_text
from usher.simulation.figures import ALL
from usher.simulation.goals import Check, Evidence, Floats, intervals_to_help, shortfalls, values
from usher.simulation.staffing import Int64s, Posts
from usher.simulation.trials import LOOK, Trials

ROUNDS_MOST: Final = 100
PATIENT_ROUNDS: Final = 3
"""So often an interval that misses gets one agent more; from then on twice as many each time."""


class Unreachable(Exception):
    """Goals that no allowed number of agents meets."""


class _Option(NamedTuple):
    """One agent more of a group, in the interval that misses or so many before it."""

    group: int
    earlier: int


class Rise:
    """Staffings by interval that grow; `agents_most` agents on duty at once at most."""

    def __init__(self, trials: Trials, posts: Posts, agents_most: int) -> None:
        self._trials = trials
        self._posts = posts
        self._costs = posts.costs()
        self._most = agents_most
        self._intervals = posts.timetable.count
        self._groups = len(posts.posts) // self._intervals
        self._misses = np.zeros(self._intervals, dtype=np.int64)

    def until_met(self, counts: Int64s, taken: Callable[[Int64s], None]) -> None:
        """Tells `taken` of each staffing, the last of which meets all goals; raises Unreachable."""
        for _ in range(ROUNDS_MOST):
            evidence = self._trials.evidence(counts)
            failing = self._trials.missed(evidence)
            if not failing:
                return
            wanted = intervals_to_help(self._trials.checks, failing, evidence)
            self._misses[wanted] += 1
            if evidence.is_unstable:
                more = self._more_of_all(counts, wanted)
            else:
                more = self._raised(counts, failing, wanted)
            if (more == counts).all():
                break
            counts = more
            taken(counts)
        raise Unreachable(self._told(counts, failing, evidence))

    def _raised(self, counts: Int64s, failing: Sequence[Check], wanted: Sequence[int]) -> Int64s:
        """Returns the staffing with agents in the wanted intervals, or before them."""
        options = [_Option(group, 0) for group in range(self._groups)]
        if any(self._misses[interval] > 1 for interval in wanted):
            options += [_Option(group, 1) for group in range(self._groups)]
        if len(options) == 1:
            return self._with(counts, dict.fromkeys(wanted, options[0]))
        gains = [self._gains(counts, option, failing, wanted) for option in options]
        best = np.argmax(np.array(gains), axis=0).tolist()
        return self._with(counts, {at: options[one] for at, one in zip(wanted, best, strict=True)})

    def _more_of_all(self, counts: Int64s, wanted: Sequence[int]) -> Int64s:
        """Returns the staffing with agents of every group: nothing tells which are missing."""
        for group in range(self._groups):
            counts = self._with(counts, dict.fromkeys(wanted, _Option(group, 0)))
        return counts

    def _gains(
        self, counts: Int64s, option: _Option, failing: Sequence[Check], wanted: Sequence[int]
    ) -> Floats:
        """Returns by how much less the wanted intervals miss with an option, for its cost."""
        more = self._with(counts, dict.fromkeys(wanted, option))
        before = self._trials.evidence(counts, LOOK)
        after = self._trials.evidence(more, LOOK)
        gains = np.zeros(len(wanted))
        if before.is_unstable or after.is_unstable:
            return gains
        checks, missed = self._trials.checks, set(failing)
        less = shortfalls(checks, values(before)) - shortfalls(checks, values(after))
        for at, check in enumerate(checks):
            if check in missed:
                gains += less[at] * np.array([check.interval in (None, one) for one in wanted])
        price = self._costs[option.group * self._intervals]
        helps: Floats = np.where(gains > 0, gains / price, gains)
        return helps

    def _with(self, counts: Int64s, options: dict[int, _Option]) -> Int64s:
        more = counts.copy()
        for interval, option in options.items():
            at = max(0, interval - option.earlier)
            on_duty = int(more.reshape(self._groups, self._intervals)[:, at].sum())
            doublings = max(0, int(self._misses[interval]) - PATIENT_ROUNDS)
            step = min(2**doublings, self._most - on_duty)
            more[option.group * self._intervals + at] += max(0, step)
        return more

    def _told(self, counts: Int64s, failing: Sequence[Check], evidence: Evidence) -> str:
        check = failing[0]
        at = self._trials.checks.index(check)
        rows = counts.reshape(self._groups, self._intervals).sum(axis=0)
        agents = int(rows.max() if check.interval is None else rows[check.interval])
        whose = "all contacts" if check.type_name == ALL else f'"{check.type_name}"'
        when = "over the day"
        if check.interval is not None:
            when = f"from {minute_text(self._posts.timetable.starts_min(check.interval))} on"
        bound = "least" if check.at_least else "most"
        found = "too many wait" if evidence.is_unstable else f"{values(evidence)[at]:.4g}"
        return (
            f"{check.figure.title} of {whose} {when}: found {found} with {agents} agents on duty, "
            f"expected at {bound} {check.limit:g}; more than {self._most} are not allowed"
        )
