"""Branches as they are journalled: services, lines, desks, opening hours; and the calendar.

Pure data with its own bounds. Hours stand here as a person writes them (weekday, local wall time);
what they mean in milliseconds UTC is worked out at the edge, which knows time zones, and arrives as
a `Calendar`: the pool compares whole numbers. Rules that span several values are checked by
`usher.router.branch_policy`.
"""

from bisect import bisect_right
from typing import Annotated, NewType

from msgspec import Meta, Struct

from usher.queue.rules import Duration
from usher.queue.values import CODE_PATTERN, Code, Id, QueueName

BranchName = NewType("BranchName", str)
ServiceName = NewType("ServiceName", str)
LineName = NewType("LineName", str)
DeskId = NewType("DeskId", str)
"""Of a desk in its pool: `<branch>/<desk>`."""

MINUTES_OF_DAY = 24 * 60
BRANCHES_MAX = 1000
DESKS_MAX = 10_000

Minute = Annotated[int, Meta(ge=0, le=MINUTES_OF_DAY)]
Date = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
ServiceCode = Annotated[ServiceName, Meta(pattern=CODE_PATTERN)]
BranchId = Annotated[BranchName, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]


class Opening(Struct, frozen=True, forbid_unknown_fields=True):
    """One open stretch of a day, in minutes of local wall time since midnight (1440 = midnight)."""

    opens_min: Minute
    closes_min: Minute


class WeekdayHours(Struct, frozen=True, forbid_unknown_fields=True):
    """Open stretches of a weekday: 0 = Monday .. 6 = Sunday."""

    weekday: Annotated[int, Meta(ge=0, le=6)]
    openings: tuple[Opening, ...]


class DateHours(Struct, frozen=True, forbid_unknown_fields=True):
    """Open stretches of one date in place of its weekday's; none = closed."""

    date: Date
    openings: tuple[Opening, ...] = ()


class Service(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What visitors come for. The skills it asks for, order and score are those of its queue.

    `usual_ms`: usual time at the desk, for estimates; 0 = not known. `closed` = left out by a later
    version while visitors waited for it: takes no new ones.
    """

    name: ServiceCode
    queue: Annotated[QueueName, Meta(pattern=CODE_PATTERN)]
    usual_ms: Duration = 0
    title: Annotated[str, Meta(max_length=200)] = ""
    closed: bool = False


class Line(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One series of numbers at a branch, and the services whose visitors draw from it.

    The first number of a service day is `start`; a number is shown after `prefix` with at least
    `width` digits.
    """

    name: Annotated[LineName, Meta(pattern=CODE_PATTERN)]
    services: tuple[ServiceCode, ...]
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z]{0,4}\Z")] = ""
    width: Annotated[int, Meta(ge=1, le=6)] = 3
    start: Annotated[int, Meta(ge=0, le=999_999)] = 1


class Branch(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A place that visitors walk into.

    `day_begins_min`: local time at which a service day begins and numbers start anew. `grace_ms`:
    how long a called visitor may take (None = joining limit of the channel). `close_after_ms`: how
    long after the last closing time of a day tickets that are left may still be called; then they
    end. `clock_tolerance_ms`: how far a kiosk's clock may be off. `closed` = left out by a later
    version while it had visitors.
    """

    name: BranchId
    time_zone: Annotated[str, Meta(min_length=1, max_length=64)]
    lines: tuple[Line, ...]
    week: tuple[WeekdayHours, ...] = ()
    dates: tuple[DateHours, ...] = ()
    day_begins_min: Annotated[int, Meta(ge=0, lt=MINUTES_OF_DAY)] = 0
    grace_ms: Duration | None = None
    close_after_ms: Duration = 60 * 60 * 1000
    clock_tolerance_ms: Annotated[int, Meta(ge=1000, le=24 * 3600 * 1000)] = 15 * 60 * 1000
    title: Annotated[str, Meta(max_length=200)] = ""
    closed: bool = False

    def line_of(self, service: ServiceName) -> Line | None:
        """Returns the line of a service, None if the branch does not offer it."""
        return next((line for line in self.lines if service in line.services), None)


class Desk(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A place where visitors are served. `services` empty = all of its branch.

    `closed` = left out by a later version while a visitor was there: calls no more.
    """

    branch: BranchId
    name: Id
    services: tuple[ServiceCode, ...] = ()
    closed: bool = False

    @property
    def desk_id(self) -> DeskId:
        """Returns its id in the pool."""
        return desk_id_of(self.branch, self.name)

    def serves(self, service: ServiceName) -> bool:
        """Returns whether the service is given here."""
        return not self.services or service in self.services


class Branches(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All branches of a pool under one version name; replaced whole by `BranchesSet`."""

    version: Code
    services: tuple[Service, ...] = ()
    branches: tuple[Branch, ...] = ()
    desks: tuple[Desk, ...] = ()


class ServiceDay(Struct, frozen=True, array_like=True, gc=False):
    """One service day of a branch in ms UTC: [starts_ms, ends_ms), open within `openings`.

    `closes_ms`: tickets that are left then end.
    """

    date: str
    starts_ms: int
    ends_ms: int
    closes_ms: int
    openings: tuple[tuple[int, int], ...] = ()

    def is_open(self, at_ms: int) -> bool:
        """Returns whether the branch is open at that time."""
        return any(opens <= at_ms < closes for opens, closes in self.openings)


class BranchDays(Struct, frozen=True, array_like=True, gc=False):
    """The service days of one branch, in order, without gaps."""

    branch: BranchName
    days: tuple[ServiceDay, ...]

    def day_at(self, at_ms: int) -> ServiceDay | None:
        """Returns the service day of that time; None outside of those that are known."""
        place = bisect_right(self.days, at_ms, key=_starts_ms) - 1
        if place < 0 or at_ms >= self.days[place].ends_ms:
            return None
        return self.days[place]

    def opens_next_ms(self, at_ms: int) -> int | None:
        """Returns when it opens next after that time, as far as is known."""
        starts = (opens for day in self.days for opens, _ in day.openings if opens > at_ms)
        return next(starts, None)

    def closes_next_ms(self, at_ms: int) -> int | None:
        """Returns when it closes next, if it is open then and that is known.

        An opening that goes on with the next service day, as over midnight, is one.
        """
        closes_ms: int | None = None
        for day in self.days:
            for opens, closes in day.openings:
                if opens <= at_ms < closes or opens == closes_ms:
                    closes_ms = closes
        unknown = bool(self.days) and closes_ms == self.days[-1].ends_ms
        return None if unknown else closes_ms


class Calendar(Struct, frozen=True, array_like=True, gc=False):
    """Hours and service days of all branches for the coming days; replaced whole."""

    branches: tuple[BranchDays, ...]


def desk_id_of(branch: str, desk: str) -> DeskId:
    """Returns the id in the pool of a branch's desk."""
    return DeskId(f"{branch}/{desk}")


def _starts_ms(day: ServiceDay) -> int:
    return day.starts_ms
