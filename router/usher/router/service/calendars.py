"""Hours and service days of branches in ms UTC: the one place that knows time zones.

A wall time means its first moment: one that the clock shows twice counts when it is shown first,
one that it skips is the first moment after the gap. Opening, closing and the begin of a service day
all go by this one rule, so days join, and what lies within a gap shrinks to nothing.

Hours belong to the dates of the wall calendar, whenever the service day begins: with days that
begin at 04:00, what opens on Saturday from 00:00 to 02:30 belongs to Friday's service day.

It must not know the pool, or when a calendar is due. Imported only where there are branches: zone
data is read from files, those of the system before those of the distribution `tzdata`, once per
process.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from usher.queue.branches import (
    Branch,
    BranchDays,
    Branches,
    Calendar,
    Opening,
    ServiceDay,
)
from usher.queue.errors import Invalid

DAYS_AHEAD = 15
"""Service days from the present one on: at least two weeks from any moment."""

_EDGE_DAYS = 3  # dates looked at on either side: a day may begin late, a date may not exist

Stretch = tuple[int, int]


class ZoneUnknown(Invalid):
    """A branch's time zone is in no zone data of this machine."""

    reason = "TIME_ZONE_UNKNOWN"


def expand(plan: Branches, from_ms: int, days: int = DAYS_AHEAD) -> Calendar:
    """Returns the calendar of all branches, from the service day before the one of `from_ms` on.

    `days` counts the service days from that of `from_ms`; the one before it comes on top. Raises
    ZoneUnknown.
    """
    walls: dict[str, _Wall] = {}
    expanded = []
    for branch in plan.branches:
        wall = walls.setdefault(branch.time_zone, _Wall(branch))
        service_days = tuple(_service_days(branch, wall, from_ms, days))
        expanded.append(BranchDays(branch.name, service_days))
    return Calendar(tuple(expanded))


def zone_of(name: str) -> ZoneInfo | None:
    """Returns the time zone of that name in the IANA data; None if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not there; no name of a zone; a folder of zones
        return None


def zones() -> list[str]:
    """Returns the names of all time zones that this machine knows, in order."""
    return sorted(available_timezones())


def _service_days(branch: Branch, wall: "_Wall", from_ms: int, days: int) -> Iterator[ServiceDay]:
    today = wall.date_at(from_ms)
    dates = [today + timedelta(number) for number in range(-_EDGE_DAYS, days + _EDGE_DAYS)]
    begins = _begins(branch, wall, dates)
    present = bisect_right(begins, from_ms, key=lambda begin: begin[1]) - 1
    stretches = _merged(_stretches(branch, wall, dates))
    for (day, starts_ms), (_, ends_ms) in pairwise(begins[present - 1 : present + days + 1]):
        openings = tuple(_within(stretches, starts_ms, ends_ms))
        closes_ms = ends_ms
        if openings:
            closes_ms = min(openings[-1][1] + branch.close_after_ms, ends_ms)
        yield ServiceDay(day.isoformat(), starts_ms, ends_ms, closes_ms, openings)


def _begins(branch: Branch, wall: "_Wall", dates: Sequence[date]) -> list[tuple[date, int]]:
    """Returns when the service day of each date begins; a date that a zone skipped has none."""
    begins: list[tuple[date, int]] = []
    for day in dates:
        begin_ms = wall.first_ms(day, branch.day_begins_min)
        is_there = wall.date_at(wall.first_ms(day, 0)) == day
        if is_there and (not begins or begin_ms > begins[-1][1]):
            begins.append((day, begin_ms))
    return begins


def _stretches(branch: Branch, wall: "_Wall", dates: Iterable[date]) -> Iterator[Stretch]:
    week = {hours.weekday: hours.openings for hours in branch.week}
    special = {hours.date: hours.openings for hours in branch.dates}
    for day in dates:
        openings: tuple[Opening, ...] = week.get(day.weekday(), ())
        for opening in special.get(day.isoformat(), openings):
            opens_ms = wall.first_ms(day, opening.opens_min)
            closes_ms = wall.first_ms(day, opening.closes_min)
            if opens_ms < closes_ms:
                yield opens_ms, closes_ms


def _merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Returns the stretches in order; those that overlap or touch have become one."""
    merged: list[Stretch] = []
    for opens_ms, closes_ms in sorted(stretches):
        if merged and opens_ms <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(closes_ms, merged[-1][1])
        else:
            merged.append((opens_ms, closes_ms))
    return merged


def _within(stretches: Sequence[Stretch], starts_ms: int, ends_ms: int) -> Iterator[Stretch]:
    for opens_ms, closes_ms in stretches:
        if opens_ms < ends_ms and closes_ms > starts_ms:
            yield max(opens_ms, starts_ms), min(closes_ms, ends_ms)


class _Wall:
    """The clock on the wall of a branch, and of all others in its time zone."""

    def __init__(self, branch: Branch) -> None:
        zone = zone_of(branch.time_zone)
        if zone is None:
            raise ZoneUnknown(
                "branches.time_zone",
                f'found "{branch.time_zone}" at branch "{branch.name}", expected a time zone of'
                " the IANA data that this machine has",
                branch=branch.name,
                time_zone=branch.time_zone,
            )
        self._zone = zone
        self._known: dict[tuple[date, int], int] = {}

    def date_at(self, at_ms: int) -> date:
        """Returns the date that it shows at a moment."""
        return self._shown(at_ms // 1000).date()

    def first_ms(self, day: date, minute: int) -> int:
        """Returns the first moment at which it shows this time, or a later one."""
        first_ms = self._known.get((day, minute))
        if first_ms is None:
            first_ms = self._known[day, minute] = self._first_s(day, minute) * 1000
        return first_ms

    def _first_s(self, day: date, minute: int) -> int:
        wanted = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
        moment_s = _seconds(wanted.replace(tzinfo=self._zone, fold=0))
        if self._shown(moment_s) == wanted:
            return moment_s
        return self._end_of_gap_s(wanted, moment_s)

    def _end_of_gap_s(self, wanted: datetime, after_s: int) -> int:
        # PEP 495: in a gap, fold 1 gives a moment before the change and fold 0 one after it.
        before_s = _seconds(wanted.replace(tzinfo=self._zone, fold=1))
        while after_s - before_s > 1:
            middle_s = (before_s + after_s) // 2
            if self._shown(middle_s) < wanted:
                before_s = middle_s
            else:
                after_s = middle_s
        return after_s

    def _shown(self, moment_s: int) -> datetime:
        return datetime.fromtimestamp(moment_s, self._zone).replace(tzinfo=None, fold=0)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)
