"""Branches of a run: their desks, and the hours of its day, as the pool is told of them.

Services, lines and opening hours are those of the policy file, desks those of the scenario. All
times are on the wall of the branch, which is the clock of the run: time zones make no difference.
It must not know who comes.
"""

from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from usher.queue.branches import (
    Branch,
    BranchDays,
    Branches,
    BranchName,
    Calendar,
    Desk,
    ServiceDay,
)
from usher.router.branch_policy import WEEKDAYS
from usher.simulation.arriving import MS_PER_MIN
from usher.simulation.scenario import Day, Desks, Scenario
from usher.simulation.staff import heads

DAY_MS = 24 * 3_600_000
TODAY = "day"
"""Stands for the date of a run's day."""


def has_visitors(scenario: Scenario) -> bool:
    """Returns whether anybody takes a ticket, or sits at a desk."""
    return any(rules.branch for rules in scenario.types.values()) or any(
        group.desk_branch for group in scenario.groups.values()
    )


def desk_rows(scenario: Scenario) -> tuple[Desks, ...]:
    """Returns all desks: those of the scenario, and one for each clerk where it tells none."""
    told = {row.branch for row in scenario.desks}
    clerks: Counter[BranchName] = Counter()
    for group in scenario.groups.values():
        if group.desk_branch and group.desk_branch not in told:
            clerks[BranchName(group.desk_branch)] += heads(group)
    others = (Desks(branch=name, count=count) for name, count in clerks.items() if count)
    return (*scenario.desks, *others)


def with_desks(known: Branches, rows: tuple[Desks, ...]) -> Branches:
    """Returns the branches with these desks; those of a branch are numbered from 1 on."""
    numbers: Counter[BranchName] = Counter()
    desks = []
    for row in rows:
        for _ in range(row.count):
            numbers[row.branch] += 1
            name = str(numbers[row.branch])
            desks.append(Desk(branch=row.branch, name=name, services=row.services))
    return replace(known, desks=tuple(desks))


def openings_min(branch: Branch, day: Day) -> tuple[tuple[int, int], ...]:
    """Returns when a branch is open on the run's day, in order, within the hours of the run.

    In minutes since midnight.
    """
    weekday = WEEKDAYS.index(day.weekday.value)
    hours = next((hours.openings for hours in branch.week if hours.weekday == weekday), ())
    clipped = (
        (max(one.opens_min, day.opens_min), min(one.closes_min, day.closes_min)) for one in hours
    )
    return tuple(sorted(span for span in clipped if span[0] < span[1]))


def calendar_of(plan: Branches, day: Day) -> Calendar:
    """Returns the run's day of all branches: one service day, whenever others begin there."""
    return Calendar(
        tuple(BranchDays(branch.name, (_service_day(branch, day),)) for branch in plan.branches)
    )


def calendar_around(plan: Branches, at_ms: int) -> Calendar:
    """Returns days of 24 hours around a moment on which all branches are open all the time.

    Tickets that are left end a day after theirs, so nobody is sent home who waits less than a day.
    """
    days = tuple(_days_around(at_ms // DAY_MS))
    return Calendar(tuple(BranchDays(branch.name, days) for branch in plan.branches))


def _service_day(branch: Branch, day: Day) -> ServiceDay:
    openings = tuple(
        (opens_min * MS_PER_MIN, closes_min * MS_PER_MIN)
        for opens_min, closes_min in openings_min(branch, day)
    )
    ends_ms = DAY_MS + branch.day_begins_min * MS_PER_MIN
    closes_ms = min(openings[-1][1] + branch.close_after_ms, ends_ms) if openings else ends_ms
    return ServiceDay(TODAY, 0, ends_ms, closes_ms, openings)


def _days_around(present: int) -> Iterator[ServiceDay]:
    for number in range(max(0, present - 1), present + 2):
        starts_ms, ends_ms = number * DAY_MS, (number + 1) * DAY_MS
        openings = ((starts_ms, ends_ms),)
        yield ServiceDay(f"{number:06d}", starts_ms, ends_ms, ends_ms + DAY_MS, openings)
