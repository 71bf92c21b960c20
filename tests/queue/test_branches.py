"""Branches as they are journalled: bounds of their values, service days, who gives what."""

import msgspec
import pytest

from usher.queue.branches import (
    Branch,
    BranchDays,
    Branches,
    BranchName,
    Desk,
    Line,
    LineName,
    Opening,
    Service,
    ServiceDay,
    ServiceName,
    desk_id_of,
)
from usher.queue.commands import SetBranches
from usher.queue.values import SYSTEM

CASH, ADVICE = ServiceName("cash"), ServiceName("advice")


def days() -> BranchDays:
    return BranchDays(
        BranchName("north"),
        (
            ServiceDay("2026-03-02", 100, 200, 190, ((110, 130), (150, 180))),
            ServiceDay("2026-03-03", 200, 300, 300),
            ServiceDay("2026-03-04", 300, 400, 390, ((310, 380),)),
        ),
    )


@pytest.mark.parametrize(
    ("at_ms", "date"),
    [
        (99, None),
        (100, "2026-03-02"),
        (199, "2026-03-02"),
        (200, "2026-03-03"),
        (399, "2026-03-04"),
        (400, None),
    ],
)
def test_a_moment_belongs_to_one_service_day(at_ms: int, date: str | None) -> None:
    day = days().day_at(at_ms)
    assert date == (day.date if day is not None else None)


@pytest.mark.parametrize(
    ("at_ms", "is_open"),
    [(109, False), (110, True), (129, True), (130, False), (150, True), (180, False)],
)
def test_a_branch_is_open_from_opening_up_to_closing(at_ms: int, is_open: bool) -> None:
    assert is_open is days().days[0].is_open(at_ms)


@pytest.mark.parametrize(
    ("at_ms", "opens_ms"),
    [(0, 110), (110, 150), (149, 150), (150, 310), (250, 310), (310, None)],
)
def test_a_branch_opens_next_at_its_next_opening(at_ms: int, opens_ms: int | None) -> None:
    assert opens_ms == days().opens_next_ms(at_ms)


@pytest.mark.parametrize(
    ("at_ms", "closes_ms"),
    [(109, None), (110, 130), (130, None), (179, 180), (310, 380), (380, None)],
)
def test_a_branch_closes_when_its_opening_ends(at_ms: int, closes_ms: int | None) -> None:
    assert closes_ms == days().closes_next_ms(at_ms)


def test_an_opening_that_goes_on_over_midnight_is_one() -> None:
    over = BranchDays(
        BranchName("north"),
        (
            ServiceDay("2026-03-02", 100, 200, 200, ((150, 200),)),
            ServiceDay("2026-03-03", 200, 300, 300, ((200, 220), (280, 300))),
        ),
    )
    assert [220, 220] == [over.closes_next_ms(at_ms) for at_ms in (150, 210)]
    assert over.closes_next_ms(290) is None  # the next day is not known yet


def test_a_branch_without_days_is_never_open() -> None:
    empty = BranchDays(BranchName("north"), ())
    assert empty.closes_next_ms(5) is None
    assert empty.day_at(5) is None
    assert empty.opens_next_ms(5) is None


def test_a_service_is_of_the_line_that_lists_it() -> None:
    lines = (
        Line(name=LineName("a"), services=(CASH,)),
        Line(name=LineName("b"), services=(ADVICE,)),
    )
    branch = Branch(name=BranchName("north"), time_zone="UTC", lines=lines)
    assert lines[1] == branch.line_of(ADVICE)
    assert branch.line_of(ServiceName("dance")) is None


def test_a_desk_gives_what_it_lists_and_without_a_list_all() -> None:
    some = Desk(branch=BranchName("north"), name="1", services=(CASH,))
    every = Desk(branch=BranchName("north"), name="2")
    assert (True, False) == (some.serves(CASH), some.serves(ADVICE))
    assert every.serves(ADVICE)
    assert "north/1" == some.desk_id == desk_id_of("north", "1")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Line, {"name": "a", "services": [], "width": 0}),
        (Line, {"name": "a", "services": [], "prefix": "A-"}),
        (Line, {"name": "a", "services": [], "prefix": "ABCDE"}),
        (Line, {"name": "a", "services": [], "start": -1}),
        (Branch, {"name": "a/b", "time_zone": "UTC", "lines": []}),
        (Branch, {"name": "a", "time_zone": "", "lines": []}),
        (Branch, {"name": "a", "time_zone": "UTC", "lines": [], "day_begins_min": 1440}),
        (Branch, {"name": "a", "time_zone": "UTC", "lines": [], "clock_tolerance_ms": 0}),
        (Desk, {"branch": "a", "name": "x/y"}),
        (Service, {"name": "cash", "queue": "cash", "usual_ms": -1}),
        (Service, {"name": "cash", "queue": "cash", "colour": "red"}),
        (Opening, {"opens_min": 0, "closes_min": 1441}),
    ],
)
def test_a_value_out_of_its_bounds_is_not_read(kind: type, values: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(values, kind)


def test_branches_come_back_from_the_journal_as_they_were() -> None:
    plan = Branches(
        version="b1",
        services=(Service(name=CASH, queue="cash", usual_ms=5, closed=True),),  # type: ignore[arg-type]
        branches=(
            Branch(
                name=BranchName("north"),
                time_zone="Asia/Tokyo",
                lines=(Line(name=LineName("a"), services=(CASH,), prefix="A"),),
                grace_ms=7,
            ),
        ),
        desks=(Desk(branch=BranchName("north"), name="1", services=(CASH,), closed=True),),
    )
    command = SetBranches(SYSTEM, plan)
    encoded = msgspec.msgpack.encode(command)
    assert command == msgspec.msgpack.decode(encoded, type=SetBranches)
