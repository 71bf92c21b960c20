"""Checks of branches as a whole: services, lines, desks and hours, against policy and roster.

`usher.queue.branches` bounds each value by itself; here stands what several values must be
together. Places are paths as the files write them: `("branches", 0, "lines", 1, "services", 2)`,
hours by weekday or date, `("branches", 0, "hours", "mon")`. Must not know files, lines of files,
time zones or gRPC.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

from usher.queue.branches import (
    BRANCHES_MAX,
    DESKS_MAX,
    Branch,
    Branches,
    BranchName,
    Desk,
    Line,
    Opening,
    Service,
    ServiceName,
)
from usher.queue.rules import Connects, Policy, Roster
from usher.queue.values import Channel, QueueName
from usher.router.findings import (
    Finding,
    Place,
    Reason,
    Severity,
    check_list,
    out_of_bounds,
    repeated,
    too_many,
)
from usher.router.policy import kinds_of, may_serve

SERVICES_MAX = 1000
DATES_MAX = 1000
"""Dates of one branch with hours of their own."""

OPENINGS_MAX = 24
"""Open stretches of one day."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Names of weekdays as files write them; the place is the number in `WeekdayHours`."""

_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class BranchReason(StrEnum):
    """What a finding about branches is about, beside the general reasons; for machines."""

    UNKNOWN_QUEUE = "UNKNOWN_QUEUE"
    QUEUE_TAKES_NO_VISITORS = "QUEUE_TAKES_NO_VISITORS"
    CONNECTS_BY_ACCEPTING = "CONNECTS_BY_ACCEPTING"
    UNKNOWN_SERVICE = "UNKNOWN_SERVICE"
    SERVICE_IN_TWO_LINES = "SERVICE_IN_TWO_LINES"
    LABELS_REPEAT = "LABELS_REPEAT"
    HOURS_BACKWARDS = "HOURS_BACKWARDS"
    HOURS_OVERLAP = "HOURS_OVERLAP"
    NO_SUCH_DATE = "NO_SUCH_DATE"
    UNKNOWN_BRANCH = "UNKNOWN_BRANCH"
    SERVICE_NOT_OFFERED = "SERVICE_NOT_OFFERED"
    NOBODY_SERVES = "NOBODY_SERVES"
    SERVICE_NOWHERE = "SERVICE_NOWHERE"
    SERVICE_WITHOUT_DESK = "SERVICE_WITHOUT_DESK"
    NO_LINE = "NO_LINE"
    NO_HOURS = "NO_HOURS"


def check_branches(plan: Branches, policy: Policy, roster: Roster) -> list[Finding]:
    """Returns all findings about branches and how they fit policy and roster; empty = sound."""
    if (finding := out_of_bounds(plan)) is not None:
        return [finding]
    findings = list(_check_sizes(plan))
    findings += _check_channel(plan, policy)
    findings += _check_services(plan, policy, roster)
    services = {service.name for service in plan.services}
    desks = _desks_by_branch(plan)
    findings += _again(("branches",), [branch.name for branch in plan.branches], "branch")
    for index, branch in enumerate(plan.branches):
        place = ("branches", index)
        findings += _check_lines((*place, "lines"), branch, services)
        findings += _check_hours(place, branch)
        findings += _ungiven(place, branch, desks.get(branch.name, []))
    findings += _check_desks(plan)
    return findings


def _check_sizes(plan: Branches) -> Iterator[Finding]:
    yield from too_many(("services",), len(plan.services), SERVICES_MAX, "services")
    yield from too_many(("branches",), len(plan.branches), BRANCHES_MAX, "branches")
    yield from too_many(("desks",), len(plan.desks), DESKS_MAX, "desks")


def _check_channel(plan: Branches, policy: Policy) -> Iterator[Finding]:
    rules = policy.channel_rules(Channel.WALK_IN)
    if plan.services and rules is not None and rules.connects is not Connects.CONNECT:
        yield Finding(
            ("channels", Channel.WALK_IN, "connects"),
            BranchReason.CONNECTS_BY_ACCEPTING,
            'found "accept", expected "connect": a visitor who is called is not yet at the desk',
        )


def _check_services(plan: Branches, policy: Policy, roster: Roster) -> Iterator[Finding]:
    yield from _again(("services",), [service.name for service in plan.services], "service")
    lines = [line for branch in plan.branches for line in branch.lines]
    offered = {service for line in lines for service in line.services}
    queues = {queue.name: queue for queue in policy.queues if not queue.closed}
    clerks = [a for a in kinds_of(roster) if Channel.WALK_IN in a.capacity.channels]
    for index, service in enumerate(plan.services):
        place = ("services", index)
        if service.closed:
            continue
        queue = queues.get(service.queue)
        if queue is None:
            yield _unknown_queue(place, service, queues)
        elif queue.channels and Channel.WALK_IN not in queue.channels:
            yield Finding(
                (*place, "queue"),
                BranchReason.QUEUE_TAKES_NO_VISITORS,
                f'found queue "{queue.name}", whose channels are {", ".join(queue.channels)}: '
                f'expected one that takes "{Channel.WALK_IN}"',
            )
        elif not any(may_serve(clerk, queue) for clerk in clerks):
            message = (
                f'no agent of the roster who may serve queue "{queue.name}" has capacity for '
                f'channel "{Channel.WALK_IN}"'
            )
            yield Finding(place, BranchReason.NOBODY_SERVES, message, Severity.WARNING)
        if service.name not in offered:
            message = f'no line of any branch gives tickets for service "{service.name}"'
            yield Finding(place, BranchReason.SERVICE_NOWHERE, message, Severity.WARNING)


def _unknown_queue(place: Place, service: Service, queues: Iterable[QueueName]) -> Finding:
    known = ", ".join(sorted(queues)) or "none"
    message = f'found queue "{service.queue}", expected an open queue of the policy: {known}'
    return Finding((*place, "queue"), BranchReason.UNKNOWN_QUEUE, message)


def _check_lines(place: Place, branch: Branch, services: set[ServiceName]) -> Iterator[Finding]:
    lines = branch.lines
    yield from check_list(place, [line.name for line in lines], "line")
    line_of: dict[ServiceName, Line] = {}
    for number, line in enumerate(lines):
        where = (*place, number, "services")
        yield from check_list(where, line.services, "service")
        for index, service in enumerate(line.services):
            if service not in services:
                yield _unknown_service((*where, index), service, services)
            first = line_of.setdefault(service, line)
            if first is not line:
                yield Finding(
                    (*where, index),
                    BranchReason.SERVICE_IN_TWO_LINES,
                    f'found service "{service}", which is in line "{first.name}" already: '
                    "expected each service of a branch in one line",
                )
    yield from _check_labels(place, lines)
    if not any(line.services for line in lines) and not branch.closed:
        message = f'branch "{branch.name}" has no line with a service: nobody can take a ticket'
        yield Finding(place, BranchReason.NO_LINE, message, Severity.WARNING)


def _check_labels(place: Place, lines: tuple[Line, ...]) -> Iterator[Finding]:
    """Yields lines whose numbers look the same on the board: at once, or on a busy day."""
    by_start = sorted(range(len(lines)), key=lambda number: (lines[number].start, number))
    last: dict[str, Line] = {}
    for number in by_start:
        line = lines[number]
        before = last.get(line.prefix.upper())
        last[line.prefix.upper()] = line
        if before is None:
            continue
        where = (*place, number, "prefix" if line.prefix else "start")
        room = line.start - before.start
        if room == 0:
            message = (
                f'found prefix "{line.prefix}" and start {line.start} as of line "{before.name}": '
                "expected numbers that differ on the board"
            )
            yield Finding(where, BranchReason.LABELS_REPEAT, message)
        else:
            message = (
                f'found prefix "{line.prefix}" as of line "{before.name}", which comes to the same '
                f"numbers after {room} tickets of a day"
            )
            yield Finding(where, BranchReason.LABELS_REPEAT, message, Severity.WARNING)


def _check_hours(place: Place, branch: Branch) -> Iterator[Finding]:
    names = [WEEKDAYS[hours.weekday] for hours in branch.week]
    yield from repeated((*place, "hours"), names, "weekday")
    for name, hours in zip(names, branch.week, strict=True):
        yield from _check_openings((*place, "hours", name), hours.openings)
    where = (*place, "dates")
    yield from too_many(where, len(branch.dates), DATES_MAX, "dates")
    yield from repeated(where, [hours.date for hours in branch.dates], "date")
    for special in branch.dates:
        if not _is_date(special.date):
            message = f'found "{special.date}", expected a date of the calendar'
            yield Finding((*where, special.date), BranchReason.NO_SUCH_DATE, message)
        yield from _check_openings((*where, special.date), special.openings)
    is_ever_open = any(hours.openings for hours in branch.week)
    is_ever_open = is_ever_open or any(special.openings for special in branch.dates)
    if not branch.closed and not is_ever_open:
        message = f'branch "{branch.name}" has no opening hours: it is never open'
        yield Finding((*place, "hours"), BranchReason.NO_HOURS, message, Severity.WARNING)


def _check_openings(place: Place, openings: tuple[Opening, ...]) -> Iterator[Finding]:
    yield from too_many(place, len(openings), OPENINGS_MAX, "stretches")
    for one in openings:
        if one.closes_min <= one.opens_min:
            message = f"found {opening_text(one)}, expected that it closes after it opens"
            yield Finding(place, BranchReason.HOURS_BACKWARDS, message)
    ordered = sorted(openings, key=lambda one: (one.opens_min, one.closes_min))
    for one, other in pairwise(ordered):
        if other.opens_min < one.closes_min:
            message = f"found {opening_text(one)} and {opening_text(other)}, which overlap"
            yield Finding(place, BranchReason.HOURS_OVERLAP, message)


def opening_text(opening: Opening) -> str:
    """Returns an opening as files write it: `09:00-12:30`."""
    return f"{minute_text(opening.opens_min)}-{minute_text(opening.closes_min)}"


def minute_text(minute: int) -> str:
    """Returns a time of day as files write it: `09:00`; the end of the day is `24:00`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _is_date(text: str) -> bool:
    year, month, day = (int(part) for part in re.findall("[0-9]+", text))
    if not (year and 1 <= month <= 12 and 1 <= day <= _MONTH_DAYS[month - 1]):
        return False
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return (month, day) != (2, 29) or is_leap


def _ungiven(place: Place, branch: Branch, desks: list[Desk]) -> Iterator[Finding]:
    """Yields the services of a branch that none of its desks gives."""
    if branch.closed:
        return
    for number, line in enumerate(branch.lines):
        for index, service in enumerate(line.services):
            if not any(desk.serves(service) for desk in desks):
                message = f'no desk of branch "{branch.name}" serves "{service}"'
                where = (*place, "lines", number, "services", index)
                yield Finding(where, BranchReason.SERVICE_WITHOUT_DESK, message, Severity.WARNING)


def _check_desks(plan: Branches) -> Iterator[Finding]:
    yield from _again(("desks",), [desk.desk_id for desk in plan.desks], "desk")
    branches = {branch.name: branch for branch in plan.branches}
    for index, desk in enumerate(plan.desks):
        place = ("desks", index)
        yield from check_list((*place, "services"), desk.services, "service")
        branch = branches.get(desk.branch)
        if branch is None:
            known = ", ".join(sorted(branches)[:20]) or "none"
            message = f'found branch "{desk.branch}", expected one of the branches: {known}'
            yield Finding((*place, "branch"), BranchReason.UNKNOWN_BRANCH, message)
            continue
        for number, service in enumerate(desk.services):
            if branch.line_of(service) is None:
                message = f'found service "{service}", which branch "{branch.name}" does not offer'
                where = (*place, "services", number)
                yield Finding(where, BranchReason.SERVICE_NOT_OFFERED, message)


def _desks_by_branch(plan: Branches) -> dict[BranchName, list[Desk]]:
    desks: dict[BranchName, list[Desk]] = {}
    for desk in plan.desks:
        desks.setdefault(desk.branch, []).append(desk)
    return desks


def _unknown_service(place: Place, service: ServiceName, services: Iterable[str]) -> Finding:
    known = ", ".join(sorted(services)[:20]) or "none"
    message = f'found service "{service}", expected one of the services: {known}'
    return Finding(place, BranchReason.UNKNOWN_SERVICE, message)


def _again(place: Place, names: Sequence[str], what: str) -> Iterator[Finding]:
    """Yields each name of a list of tables that comes again, at the later table."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            message = f'found {what} "{name}" again, expected each one once'
            yield Finding((*place, index, "name"), Reason.DUPLICATE, message)
        seen.add(name)
