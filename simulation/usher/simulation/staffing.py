"""Staffings: how many agents work when, as counts of posts, and as the shifts of a scenario.

A post is work that any number of agents of one group may be given: one interval of the day while
needs are searched for, a shift with its breaks when they are covered. It must not know what a
staffing is to reach, or how one is found.

    counts by post -> shifts by group -> scenario

Of posts by interval, agents stay as long as the counts allow: a group of 3, 4, 4, 2 is two who work
four intervals, one who works three and one who works two. If everybody came and went at each bound
instead, those who finish a talk would be there beside those who come, and a staffing would look
better than it is.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from usher.simulation.scenario import Day, Group, GroupName, Scenario, Shift

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]
Move = tuple[tuple[int, int], ...]
"""So many agents more (or fewer, if negative) on some posts: (index of the post, change) each."""

MIN_PER_HOUR = 60


class Timetable(Struct, frozen=True, kw_only=True):
    """The opening hours of a day in `count` equal intervals."""

    opens_min: int
    interval_min: int
    count: int

    @property
    def interval_s(self) -> float:
        """Returns the length of an interval."""
        return self.interval_min * 60.0

    @property
    def interval_hours(self) -> float:
        """Returns the length of an interval."""
        return self.interval_min / MIN_PER_HOUR

    def starts_min(self, interval: int) -> int:
        """Returns when an interval begins; that of `count` is when the last one ends."""
        return self.opens_min + interval * self.interval_min


class Post(Struct, frozen=True, kw_only=True):
    """What one agent is given to do; `shift` is of one agent."""

    group: GroupName
    intervals: tuple[int, ...]
    """In which it is on duty, ascending."""
    shift: Shift
    cost: float
    """Of one agent a day, breaks included."""


class Posts(Struct, frozen=True, kw_only=True):
    """All posts that a staffing may use; counts have one entry for each, in this order.

    `by_interval`: every group has one post for each interval, group by group.
    """

    timetable: Timetable
    posts: tuple[Post, ...]
    by_interval: bool = False

    def costs(self) -> Floats:
        """Returns the cost of one agent for each post."""
        return np.array([post.cost for post in self.posts], dtype=np.float64)

    def cost(self, counts: Int64s) -> float:
        """Returns the cost of a day."""
        return float(self.costs() @ counts)

    def agent_hours(self, counts: Int64s) -> float:
        """Returns the hours of all agents, breaks included."""
        minutes = [post.shift.until_min - post.shift.from_min for post in self.posts]
        return float(counts @ np.array(minutes, dtype=np.float64)) / MIN_PER_HOUR

    def on_duty(self, counts: Int64s) -> dict[GroupName, Int64s]:
        """Returns the agents on duty by group and interval; arrays of `timetable.count`."""
        duty: dict[GroupName, Int64s] = {}
        for post, count in zip(self.posts, counts.tolist(), strict=True):
            row = duty.setdefault(post.group, np.zeros(self.timetable.count, dtype=np.int64))
            row[list(post.intervals)] += count
        return duty

    def scenario(self, scenario: Scenario, counts: Int64s) -> Scenario:
        """Returns the scenario with these agents and no others."""
        shifts: dict[GroupName, list[Shift]] = {name: [] for name in scenario.groups}
        if self.by_interval:
            for name, row in self.on_duty(counts).items():
                shifts[name] += stretches(row, self.timetable)
        else:
            for post, count in zip(self.posts, counts.tolist(), strict=True):
                if count:
                    shifts[post.group].append(replace(post.shift, agents=count))
        groups = {
            name: replace(group, agents=0, shifts=tuple(shifts[name]))
            for name, group in scenario.groups.items()
        }
        return replace(scenario, groups=groups)


def timetable_of(scenario: Scenario, interval_min: int) -> Timetable:
    """Returns the intervals of a scenario's day; raises ValueError if it has none."""
    day = scenario.horizon
    if not isinstance(day, Day):
        raise ValueError('horizon: found a steady run, expected a day (kind = "day") to staff')
    open_min = day.closes_min - day.opens_min
    if interval_min < 1 or open_min % interval_min:
        raise ValueError(
            f"found intervals of {interval_min} min, expected a length that divides the "
            f"{open_min} min from opening to closing"
        )
    return Timetable(
        opens_min=day.opens_min, interval_min=interval_min, count=open_min // interval_min
    )


def posts_by_interval(scenario: Scenario, timetable: Timetable) -> Posts:
    """Returns a post for each group and interval."""
    prices = prices_per_hour(scenario)
    posts = tuple(
        _interval_post(name, interval, timetable, price)
        for name, price in prices.items()
        for interval in range(timetable.count)
    )
    return Posts(timetable=timetable, posts=posts, by_interval=True)


def prices_per_hour(scenario: Scenario) -> dict[GroupName, float]:
    """Returns what an hour costs by group; 1 for each unless all groups have a price."""
    groups = scenario.groups
    priced = all(group.cost_per_hour > 0 for group in groups.values())
    return {name: group.cost_per_hour if priced else 1.0 for name, group in groups.items()}


def stretches(row: Sequence[int] | Int64s, timetable: Timetable) -> Iterator[Shift]:
    """Yields the shifts of agents who stay as long as the counts by interval allow.

    Who comes last goes first: the n-th agent works where at least n are wanted.
    """
    bounds: Counter[tuple[int, int]] = Counter()
    wanted = np.asarray(row, dtype=np.int64)
    for number in range(1, int(wanted.max(initial=0)) + 1):
        works = np.concatenate(([0], wanted >= number, [0]))
        begins, ends = np.flatnonzero(np.diff(works) == 1), np.flatnonzero(np.diff(works) == -1)
        bounds.update(zip(begins.tolist(), ends.tolist(), strict=True))
    for (begins_at, ends_at), agents in bounds.items():
        yield Shift(
            agents=agents,
            from_min=timetable.starts_min(begins_at),
            until_min=timetable.starts_min(ends_at),
        )


def agents_working(group: Group, timetable: Timetable) -> Floats:
    """Returns the agents of a group by interval, on average over it, without those on a break."""
    starts = timetable.opens_min + timetable.interval_min * np.arange(timetable.count)
    ends = starts + timetable.interval_min
    working = np.full(timetable.count, float(group.agents))

    def share(from_min: int, until_min: int) -> Floats:
        inside = np.minimum(ends, until_min) - np.maximum(starts, from_min)
        shares: Floats = np.maximum(inside, 0) / timetable.interval_min
        return shares

    for shift in group.shifts:
        working += shift.agents * share(shift.from_min, shift.until_min)
        for pause in shift.breaks:
            working -= shift.agents * share(pause.from_min, pause.until_min)
    return working


def moved(counts: Int64s, move: Move) -> Int64s:
    """Returns the counts after a move."""
    after = counts.copy()
    for at, change in move:
        after[at] += change
    return after


def _interval_post(name: GroupName, interval: int, timetable: Timetable, price: float) -> Post:
    from_min = timetable.starts_min(interval)
    until_min = timetable.starts_min(interval + 1)
    return Post(
        group=name,
        intervals=(interval,),
        shift=Shift(agents=1, from_min=from_min, until_min=until_min),
        cost=price * timetable.interval_hours,
    )
