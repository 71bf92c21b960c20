"""Branches of a run: its desks, and the hours of its day."""

from msgspec.structs import replace
from tests.simulation.branch_worlds import branches, clerks, day, visitors

from usher.queue.branches import BranchName
from usher.simulation.premises import (
    DAY_MS,
    calendar_around,
    calendar_of,
    desk_rows,
    has_visitors,
    with_desks,
)
from usher.simulation.scenario import Day, Desks, Shift, Weekday

MAIN = BranchName("main")
MINUTE_MS = 60_000
SHIFTS = tuple(Shift(agents=2, from_min=start, until_min=start + 60) for start in (0, 60))


def test_a_branch_without_desks_of_its_own_has_one_for_each_clerk() -> None:
    groups = {"one": clerks(2), "other": replace(clerks(1), shifts=SHIFTS)}
    assert (Desks(branch=MAIN, count=7),) == desk_rows(day({}, groups))


def test_desks_that_are_told_are_all_that_a_branch_has() -> None:
    told = (Desks(branch=MAIN, count=1, services=("cash",)), Desks(branch=MAIN, count=2))
    scenario = day({}, {"one": clerks(5)}, desks=told)
    assert told == desk_rows(scenario)
    desks = with_desks(branches(), told).desks
    assert ["main/1", "main/2", "main/3"] == [desk.desk_id for desk in desks]
    assert [("cash",), (), ()] == [desk.services for desk in desks]


def test_a_scenario_has_visitors_if_somebody_takes_a_ticket_or_sits_at_a_desk() -> None:
    alone = replace(clerks(), desk_branch="")
    assert has_visitors(day({"visit": visitors(0)}, {"desk": alone}))
    assert has_visitors(day({}, {"desk": clerks()}))
    assert not has_visitors(day({}, {"desk": alone}))


def test_a_day_is_open_by_its_weekday_within_the_hours_of_the_run() -> None:
    plan = branches((540, 720), (840, 1080), close_after_ms=30 * MINUTE_MS, day_begins_min=240)
    (found,) = calendar_of(plan, Day(opens_min=600, closes_min=900)).branches[0].days
    expected = ((600 * MINUTE_MS, 720 * MINUTE_MS), (840 * MINUTE_MS, 900 * MINUTE_MS))
    assert expected == found.openings
    assert (0, DAY_MS + 240 * MINUTE_MS) == (found.starts_ms, found.ends_ms)
    assert 930 * MINUTE_MS == found.closes_ms
    (closed,) = calendar_of(plan, Day(weekday=Weekday.SATURDAY)).branches[0].days
    assert () == closed.openings


def test_tickets_of_a_day_end_with_it_at_the_latest() -> None:
    plan = branches((540, 1440), close_after_ms=120 * MINUTE_MS)
    (found,) = calendar_of(plan, Day()).branches[0].days
    assert DAY_MS == found.closes_ms


def test_a_long_run_is_always_open() -> None:
    days = calendar_around(branches(), 5 * DAY_MS + 7).branches[0]
    assert [4, 5, 6] == [one.starts_ms // DAY_MS for one in days.days]
    for at_ms in (4 * DAY_MS, 5 * DAY_MS + 7, 7 * DAY_MS - 1):
        found = days.day_at(at_ms)
        assert found is not None and found.is_open(at_ms)
        assert at_ms + DAY_MS <= found.closes_ms
    assert sorted(one.date for one in days.days) == [one.date for one in days.days]
