"""Trials: a staffing simulated on the same days as every other, remembered, counted.

Replication k of each staffing meets the same people (common random numbers), so staffings differ
by what they do and little by chance; and the same staffing is never run twice. It must not know
which staffings are worth a trial.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from usher.queue.branches import Branches
from usher.queue.rules import Policy
from usher.simulation.experiment import Case, Job, Plan, run
from usher.simulation.goals import Check, Evidence, Goals, checks_of, missed, row_of
from usher.simulation.scenario import Scenario
from usher.simulation.staffing import Int64s, Posts, timetable_of
from usher.simulation.world import Unstable

LOOK = 5
"""Replications before the first look at whether a staffing is clearly too small; then twice as many
before each further look."""


Tell = Callable[[str, float], None]
"""Is told what a search does, and the agent hours it has come to."""


class RunsUsedUp(Exception):
    """As many replications as were allowed have been run."""


class Setting(Struct, frozen=True, kw_only=True):
    """What staffings are tried for, `plan.replications` of each."""

    scenario: Scenario
    policy: Policy
    goals: Goals
    plan: Plan
    branches: Branches | None = None
    """Needed where the scenario has visitors."""


class Ledger:
    """Counts replications and staffings over all searches of a study."""

    def __init__(self, runs_most: int, told: Callable[["Ledger"], None] | None = None) -> None:
        self._runs_most = runs_most
        self._told = told
        self._reserved = 0
        self.runs = 0
        self.staffings = 0

    @property
    def left(self) -> int:
        """Returns how many replications may still be run."""
        return self._runs_most - self._reserved - self.runs

    def reserve(self, runs: int) -> None:
        """Keeps so many replications back for later; 0 gives them free."""
        self._reserved = runs

    def count(self, runs: int, staffings: int) -> None:
        """Raises RunsUsedUp if these would be too many; else they are counted."""
        if runs > self.left:
            raise RunsUsedUp
        self.runs += runs
        self.staffings += staffings
        if self._told is not None:
            self._told(self)


class Machinery(NamedTuple):
    """What runs replications, counts them, and is told how far a search has come."""

    executor: Executor
    ledger: Ledger
    tell: Tell | None = None


class Trials:
    """Staffings of these posts, and what replications showed of them."""

    def __init__(self, setting: Setting, posts: Posts, machinery: Machinery) -> None:
        self._setting = setting
        self._posts = posts
        self._executor = machinery.executor
        self._ledger = machinery.ledger
        self._rows: dict[bytes, list[tuple[list[float], list[float]]]] = {}
        self._unstable: set[bytes] = set()
        intervals = timetable_of(setting.scenario, setting.plan.interval_min).count
        self.checks: tuple[Check, ...] = checks_of(setting.goals, setting.scenario, intervals)
        self.replications = setting.plan.replications

    def evidence(self, counts: Int64s, replications: int | None = None) -> Evidence:
        """Returns what so many replications show, by default all; raises RunsUsedUp."""
        wanted = self.replications if replications is None else min(replications, self.replications)
        key = counts.tobytes()
        rows = self._rows.setdefault(key, [])
        if key not in self._unstable and len(rows) < wanted:
            self._ledger.count(wanted - len(rows), int(not rows))
            try:
                rows += self._run(counts, range(len(rows), wanted))
            except Unstable:
                self._unstable.add(key)
        if key in self._unstable:
            none = np.zeros((0, len(self.checks)))
            return Evidence(parts=none, wholes=none, is_unstable=True)
        table = np.array(rows[:wanted], dtype=np.float64)
        return Evidence(parts=table[:, 0, :], wholes=table[:, 1, :])

    def remembered(self, counts: Int64s) -> Evidence | None:
        """Returns what all replications showed; None if they were not all run."""
        full = len(self._rows.get(counts.tobytes(), ())) == self.replications
        return self.evidence(counts) if full else None

    def meets(self, counts: Int64s) -> bool:
        """Returns whether all replications together meet all goals; raises RunsUsedUp."""
        return not missed(self.checks, self.evidence(counts), self._setting.goals).any()

    def missed(self, evidence: Evidence) -> list[Check]:
        """Returns the binding checks that it misses."""
        flags = missed(self.checks, evidence, self._setting.goals)
        return [check for check, is_missed in zip(self.checks, flags, strict=True) if is_missed]

    def _run(self, counts: Int64s, numbers: range) -> list[tuple[list[float], list[float]]]:
        plan, posts = self._setting.plan, self._posts
        scenario = posts.scenario(self._setting.scenario, counts)
        setting = self._setting
        case = Case(scenario.name, scenario, setting.policy, setting.branches)
        jobs = [
            self._executor.submit(run, Job(case, plan.seed, number, plan.interval_min))
            for number in numbers
        ]
        try:
            return [row_of(self.checks, job.result()[0]) for job in jobs]
        finally:
            for job in jobs:
                job.cancel()
