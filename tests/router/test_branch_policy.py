"""Branches as a whole: what refuses them, and what only makes somebody wait."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.router.pool_kit import channel, policy, profile, queue, roster

from usher.queue.branches import (
    BRANCHES_MAX,
    DESKS_MAX,
    Branch,
    Branches,
    BranchName,
    DateHours,
    Desk,
    Line,
    LineName,
    Opening,
    Service,
    ServiceName,
    WeekdayHours,
)
from usher.queue.rules import AgentProfile, Connects, Policy, Requirement
from usher.queue.values import QueueName
from usher.router.branch_policy import (
    DATES_MAX,
    OPENINGS_MAX,
    SERVICES_MAX,
    BranchReason,
    check_branches,
    minute_text,
    opening_text,
)
from usher.router.findings import LIST_MAX, Place, Reason, Severity

ALL_DAY = (Opening(0, 1440),)
COUNTER = queue("counter")
CLERK = profile("ann", channels={"walk_in": (1, 1, 0)})


def service(name: str = "cash", queue_name: str = "counter", **rules: Any) -> Service:
    return Service(name=ServiceName(name), queue=QueueName(queue_name), **rules)


def line(name: str = "a", *services: str, **rules: Any) -> Line:
    named = services or ("cash",)
    return Line(name=LineName(name), services=tuple(map(ServiceName, named)), **rules)


def branch(name: str = "north", *lines: Line, **rules: Any) -> Branch:
    rules.setdefault("week", (WeekdayHours(0, ALL_DAY),))
    return Branch(
        name=BranchName(name), time_zone="Europe/Berlin", lines=lines or (line(),), **rules
    )


def desk(name: str = "1", *services: str, at: str = "north") -> Desk:
    return Desk(branch=BranchName(at), name=name, services=tuple(map(ServiceName, services)))


def plan(**parts: Any) -> Branches:
    sound = Branches(version="b1", services=(service(),), branches=(branch(),), desks=(desk(),))
    return replace(sound, **parts)


def found(
    checked: Branches, rules: Policy | None = None, *agents: AgentProfile
) -> list[tuple[Place, str, Severity]]:
    findings = check_branches(checked, rules or policy(COUNTER), roster(*(agents or (CLERK,))))
    assert all(finding.message for finding in findings)
    return [(finding.place, finding.reason, finding.severity) for finding in findings]


def error(reason: str, *place: str | int) -> list[tuple[Place, str, Severity]]:
    return [(place, reason, Severity.ERROR)]


def warning(reason: str, *place: str | int) -> list[tuple[Place, str, Severity]]:
    return [(place, reason, Severity.WARNING)]


def test_sound_branches_have_no_findings() -> None:
    assert [] == found(plan())
    assert [] == found(Branches(version="none"))


def test_values_out_of_bounds_are_one_finding() -> None:
    wrong = branch(clock_tolerance_ms=1)

    assert error(Reason.OUT_OF_BOUNDS) == found(plan(branches=(wrong,)))


# --- What refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"services": (service(), service())}, ("services", 1, "name")),
        ({"branches": (branch(), branch())}, ("branches", 1, "name")),
        ({"desks": (desk(), desk("2"), desk())}, ("desks", 2, "name")),
        ({"branches": (branch("north", line(), line("a", "other")),)}, ("branches", 0, "lines", 1)),
        (
            {"branches": (branch("north", line("a", "cash", "cash")),)},
            ("branches", 0, "lines", 0, "services", 1),
        ),
        ({"desks": (desk("1", "cash", "cash"),)}, ("desks", 0, "services", 1)),
        (
            {
                "branches": (
                    branch(
                        week=(WeekdayHours(0, ALL_DAY), WeekdayHours(0, ())),
                    ),
                )
            },
            ("branches", 0, "hours", "mon"),
        ),
        (
            {"branches": (branch(dates=(DateHours("2026-12-24"), DateHours("2026-12-24"))),)},
            ("branches", 0, "dates", "2026-12-24"),
        ),
    ],
)
def test_nothing_comes_twice(parts: dict[str, Any], place: Place) -> None:
    assert error(Reason.DUPLICATE, *place)[0] in found(plan(**parts))


def test_one_desk_name_at_two_branches_is_two_desks() -> None:
    parts = {"branches": (branch(), branch("south")), "desks": (desk(), desk(at="south"))}

    assert [] == found(plan(**parts))


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"services": tuple(service(f"s{n}") for n in range(SERVICES_MAX + 1))}, ("services",)),
        ({"branches": tuple(branch(f"b{n}") for n in range(BRANCHES_MAX + 1))}, ("branches",)),
        ({"desks": tuple(desk(f"d{n}") for n in range(DESKS_MAX + 1))}, ("desks",)),
        (
            {"branches": (branch("north", *(line(f"l{n}") for n in range(LIST_MAX + 1))),)},
            ("branches", 0, "lines"),
        ),
        (
            {"branches": (branch(dates=(DateHours("2026-12-24"),) * (DATES_MAX + 1)),)},
            ("branches", 0, "dates"),
        ),
        (
            {"branches": (branch(week=(WeekdayHours(6, ALL_DAY * (OPENINGS_MAX + 1)),)),)},
            ("branches", 0, "hours", "sun"),
        ),
    ],
)
def test_everything_has_a_limit(parts: dict[str, Any], place: Place) -> None:
    assert error(Reason.TOO_MANY, *place)[0] in found(plan(**parts))


@pytest.mark.parametrize("rules", [policy(queue("other")), policy(replace(COUNTER, closed=True))])
def test_a_service_needs_an_open_queue(rules: Policy) -> None:
    assert error(BranchReason.UNKNOWN_QUEUE, "services", 0, "queue") == found(plan(), rules)


def test_the_queue_of_a_service_takes_visitors() -> None:
    rules = policy(queue("counter", channels=("voice", "chat")))

    assert error(BranchReason.QUEUE_TAKES_NO_VISITORS, "services", 0, "queue") == found(
        plan(), rules
    )
    assert [] == found(plan(), policy(queue("counter", channels=("voice", "walk_in"))))


def test_a_visitor_is_not_connected_by_the_acceptance() -> None:
    rules = policy(COUNTER, channels={"walk_in": channel(connects=Connects.ACCEPT)})

    place = ("channels", "walk_in", "connects")
    assert error(BranchReason.CONNECTS_BY_ACCEPTING, *place) == found(plan(), rules)
    assert [] == found(Branches(version="none"), rules)


def test_a_line_has_known_services() -> None:
    lines = line("a", "cash", "loans")
    place = ("branches", 0, "lines", 0, "services", 1)

    assert error(BranchReason.UNKNOWN_SERVICE, *place) == found(
        plan(branches=(branch("north", lines),))
    )


def test_a_service_is_in_one_line_of_a_branch() -> None:
    lines = line("a", prefix="A"), line("b", prefix="B")
    place = ("branches", 0, "lines", 1, "services", 0)

    assert error(BranchReason.SERVICE_IN_TWO_LINES, *place) == found(
        plan(branches=(branch("north", *lines),))
    )


TWO_SERVICES = (service(), service("loans"))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({}, {}, error(BranchReason.LABELS_REPEAT, "branches", 0, "lines", 1, "start")),
        (
            {"prefix": "A"},
            {"prefix": "a"},
            error(BranchReason.LABELS_REPEAT, "branches", 0, "lines", 1, "prefix"),
        ),
        (
            {"prefix": "A", "start": 500},
            {"prefix": "A"},
            warning(BranchReason.LABELS_REPEAT, "branches", 0, "lines", 0, "prefix"),
        ),
        ({"prefix": "A"}, {"prefix": "B"}, []),
        ({"prefix": "A"}, {}, []),
    ],
)
def test_lines_look_different_on_the_board(
    first: dict[str, Any], second: dict[str, Any], expected: list[Any]
) -> None:
    lines = line("a", "cash", **first), line("b", "loans", **second)

    assert expected == found(plan(services=TWO_SERVICES, branches=(branch("north", *lines),)))


@pytest.mark.parametrize(
    ("openings", "reasons"),
    [
        ((Opening(540, 540),), [BranchReason.HOURS_BACKWARDS]),
        ((Opening(600, 540),), [BranchReason.HOURS_BACKWARDS]),
        ((Opening(800, 900), Opening(540, 801)), [BranchReason.HOURS_OVERLAP]),
        ((Opening(540, 600), Opening(540, 600)), [BranchReason.HOURS_OVERLAP]),
        ((Opening(800, 900), Opening(540, 800)), []),
    ],
)
def test_hours_go_forward_and_do_not_overlap(
    openings: tuple[Opening, ...], reasons: list[str]
) -> None:
    by_week = branch(week=(WeekdayHours(4, openings),))
    by_date = branch(dates=(DateHours("2026-12-24", openings),))

    for one, place in ((by_week, ("hours", "fri")), (by_date, ("dates", "2026-12-24"))):
        assert [(("branches", 0, *place), reason, Severity.ERROR) for reason in reasons] == found(
            plan(branches=(one,))
        )


@pytest.mark.parametrize(
    ("date", "is_sound"),
    [
        *(("2028-02-29", True), ("2000-02-29", True), ("2026-12-31", True), ("2026-04-30", True)),
        *(("2026-02-29", False), ("2100-02-29", False), ("2026-04-31", False)),
        *(("2026-13-01", False), ("2026-00-01", False), ("2026-01-00", False)),
        ("0000-01-01", False),
    ],
)
def test_a_date_is_one_of_the_calendar(date: str, is_sound: bool) -> None:
    expected = [] if is_sound else error(BranchReason.NO_SUCH_DATE, "branches", 0, "dates", date)

    assert expected == found(plan(branches=(branch(dates=(DateHours(date),)),)))


def test_a_desk_stands_in_a_known_branch() -> None:
    desks = desk(), desk(at="south")

    assert error(BranchReason.UNKNOWN_BRANCH, "desks", 1, "branch") == found(plan(desks=desks))


def test_a_desk_gives_what_its_branch_offers() -> None:
    parts = {"services": TWO_SERVICES, "desks": (desk("1", "cash", "loans"),)}

    assert error(BranchReason.SERVICE_NOT_OFFERED, "desks", 0, "services", 1)[0] in found(
        plan(**parts)
    )


# --- What only makes somebody wait ----------------------------------------------------------------


def test_a_service_that_no_desk_gives_is_told() -> None:
    lines = line("a", "cash"), line("b", "loans", prefix="B")
    parts = {
        "services": TWO_SERVICES,
        "branches": (branch("north", *lines),),
        "desks": (desk("1", "cash"),),
    }
    place = ("branches", 0, "lines", 1, "services", 0)

    assert warning(BranchReason.SERVICE_WITHOUT_DESK, *place) == found(plan(**parts))


@pytest.mark.parametrize(
    "agent",
    [
        profile("ann"),
        profile("ann", channels={"walk_in": (1, 1, 0)}, closed=True),
        profile("ann", channels={"walk_in": (1, 1, 0)}, skills={"cash": 2}),
        profile("ann", channels={"voice": (1, 1, 0)}, skills={"cash": 3}),
    ],
)
def test_a_service_that_nobody_can_give_is_told(agent: AgentProfile) -> None:
    rules = policy(queue("counter", requirements=(Requirement("cash", 3),)))

    assert warning(BranchReason.NOBODY_SERVES, "services", 0) == found(plan(), rules, agent)


def test_a_service_that_no_branch_offers_is_told() -> None:
    place = ("services", 1)

    assert warning(BranchReason.SERVICE_NOWHERE, *place) == found(plan(services=TWO_SERVICES))


def test_a_branch_without_hours_is_told() -> None:
    never = branch(week=(WeekdayHours(0, ()),), dates=(DateHours("2026-12-24"),))

    assert warning(BranchReason.NO_HOURS, "branches", 0, "hours") == found(plan(branches=(never,)))
    once = branch(week=(), dates=(DateHours("2026-12-24", ALL_DAY),))
    assert [] == found(plan(branches=(once,)))


def test_a_branch_where_nobody_can_take_a_ticket_is_told() -> None:
    empty = Branch(name=BranchName("south"), time_zone="UTC", lines=(), week=branch().week)

    assert warning(BranchReason.NO_LINE, "branches", 1, "lines") == found(
        plan(branches=(branch(), empty))
    )


def test_what_is_closed_waits_for_nobody() -> None:
    closed = Branch(name=BranchName("south"), time_zone="UTC", lines=(line(),), closed=True)
    gone = service("loans", "gone", closed=True)

    assert [] == found(plan(services=(service(), gone), branches=(branch(), closed)))


def test_times_are_written_as_in_the_files() -> None:
    assert "09:05" == minute_text(545)
    assert "00:00-24:00" == opening_text(Opening(0, 1440))
