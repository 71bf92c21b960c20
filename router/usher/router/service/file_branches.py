"""Services, branches and desks of the two files: rows to structs, findings back to their rows.

The policy file holds services and branches, the roster file desks. Rows whose shape is wrong are
left out before the checks across values; a finding's place is that of the row in its file. Must
not know lines, or open files.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias, TypeVar, cast

import msgspec

from usher.queue.branches import Branch, Branches, DateHours, Desk, Service, WeekdayHours
from usher.queue.rules import Policy, Roster
from usher.router.branch_policy import WEEKDAYS, BranchReason, check_branches
from usher.router.findings import Finding, Place
from usher.router.service.file_hours import parse_openings, parse_weekdays
from usher.router.service.file_shape import ShapeReason

VERSION_MOST = 64

NEEDS_ALL = {
    BranchReason.UNKNOWN_QUEUE,
    BranchReason.UNKNOWN_SERVICE,
    BranchReason.UNKNOWN_BRANCH,
    BranchReason.SERVICE_NOT_OFFERED,
    BranchReason.NOBODY_SERVES,
    BranchReason.SERVICE_NOWHERE,
    BranchReason.SERVICE_WITHOUT_DESK,
    BranchReason.NO_LINE,
    BranchReason.NO_HOURS,
}
"""Findings that mean nothing while a table is left out because of its shape."""

Row: TypeAlias = Mapping[str, object]
_Kind = TypeVar("_Kind", Service, Branch, Desk)


class Rows:
    """The rows of one array of tables that are sound by shape, with their numbers in the file."""

    def __init__(self, name: str, read: Row, findings: Iterable[Finding]) -> None:
        found = read.get(name)
        rows = cast(list[Row], found) if isinstance(found, list) else []
        wrong = {one.place[1] for one in findings if one.place[:1] == (name,) and one.place[1:]}
        self.numbers = [number for number in range(len(rows)) if number not in wrong]
        self.rows = [rows[number] for number in self.numbers]

    def structs(self, kind: type[_Kind]) -> tuple[_Kind, ...]:
        """Returns the rows as structs."""
        return tuple(msgspec.convert(row, kind) for row in self.rows)


class BranchTables:
    """What a policy file holds of branches, and a roster file of desks."""

    def __init__(self, policy: Row, roster: Row, findings: list[Finding]) -> None:
        self._rows = {
            "services": Rows("services", policy, findings),
            "branches": Rows("branches", policy, findings),
            "desks": Rows("desks", roster, findings),
        }
        self._keys = [_keys_by_day(row) for row in self._rows["branches"].rows]

    def plan(self, policy: Policy, roster: Roster) -> Branches | None:
        """Returns the branches under a version of their own; None if there is nothing at all."""
        if not any(rows.numbers for rows in self._rows.values()):
            return None
        return Branches(
            version=f"{policy.version}/{roster.version}"[:VERSION_MOST],
            services=self._rows["services"].structs(Service),
            branches=tuple(_branch(row) for row in self._rows["branches"].rows),
            desks=self._rows["desks"].structs(Desk),
        )

    def check(self, plan: Branches, policy: Policy, roster: Roster) -> list[Finding]:
        """Returns what is wrong with the values, each at its place as the files write it."""
        found = [*_unknown_zones(plan), *check_branches(plan, policy, roster)]
        return [*self.as_written(found), *self._days_again()]

    def as_written(self, findings: Iterable[Finding]) -> list[Finding]:
        """Returns the findings at the places that the files write, each once."""
        # A range of weekdays is one place: what is wrong with it is said once.
        written = (
            msgspec.structs.replace(finding, place=self._as_written(finding.place))
            for finding in findings
        )
        return list(dict.fromkeys(written))

    def _days_again(self) -> Iterator[Finding]:
        branches = self._rows["branches"]
        for number, row, keys in zip(branches.numbers, branches.rows, self._keys, strict=True):
            for key in _table(row, "hours"):
                again = [day for day in parse_weekdays(key) if keys[day] != key]
                if again:
                    message = f'found "{WEEKDAYS[again[0]]}" again: it is in "{keys[again[0]]}" too'
                    place = ("branches", number, "hours", key)
                    yield Finding(place, ShapeReason.KEY_GIVEN_TWICE, message)

    def _as_written(self, place: Place) -> Place:
        rows = self._rows.get(str(place[0])) if place else None
        if rows is None or len(place) < 2:
            return place
        number = cast(int, place[1])
        rest = place[2:]
        if rest[:1] == ("hours",) and rest[1:2] and rest[1] in WEEKDAYS:
            rest = "hours", self._keys[number].get(WEEKDAYS.index(rest[1]), rest[1]), *rest[2:]
        return place[0], rows.numbers[number], *rest


def _keys_by_day(row: Row) -> dict[int, str]:
    """Returns under which key the hours of a weekday stand; the first one if there are several."""
    keys: dict[int, str] = {}
    for key in _table(row, "hours"):
        for day in parse_weekdays(key):
            keys.setdefault(day, key)
    return keys


def _branch(row: Row) -> Branch:
    hours = _table(row, "hours")
    week = tuple(
        WeekdayHours(day, parse_openings(hours[key])) for day, key in _keys_by_day(row).items()
    )
    dates = tuple(
        DateHours(date, parse_openings(text)) for date, text in _table(row, "dates").items()
    )
    rest = {key: value for key, value in row.items() if key not in ("hours", "dates")}
    return msgspec.structs.replace(msgspec.convert(rest, Branch), week=week, dates=dates)


def _unknown_zones(plan: Branches) -> Iterator[Finding]:
    if not plan.branches:
        return
    from usher.router.service.calendars import zone_of, zones

    for index, branch in enumerate(plan.branches):
        if zone_of(branch.time_zone) is None:
            close = difflib.get_close_matches(branch.time_zone, zones(), n=1)
            hint = f'; did you mean "{close[0]}"?' if close else ' such as "Europe/Berlin"'
            yield Finding(
                ("branches", index, "time_zone"),
                ShapeReason.UNKNOWN_TIME_ZONE,
                f'found "{branch.time_zone}", expected a time zone of the IANA data{hint}',
            )


def _table(row: Row, key: str) -> dict[str, str]:
    return cast(dict[str, str], row.get(key) or {})
