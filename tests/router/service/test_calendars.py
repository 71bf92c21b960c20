"""Hours and service days in UTC. The times of day expected here were worked out by hand."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.queue.branches import (
    Branch,
    Branches,
    BranchName,
    DateHours,
    Opening,
    ServiceDay,
    WeekdayHours,
)
from usher.router.service.calendars import ZoneUnknown, expand, zone_of, zones

pytestmark = pytest.mark.branch

HOUR_MS = 3_600_000
NINE_TO_FIVE = (Opening(9 * 60, 17 * 60),)


def ms(text: str) -> int:
    """Returns the milliseconds of `2026-03-28T23:00` in UTC."""
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1000


def text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


def branch(zone: str, *openings: Opening, **rules: Any) -> Branch:
    """A branch with these openings on every day of the week."""
    rules.setdefault("week", tuple(WeekdayHours(day, openings) for day in range(7)))
    return Branch(name=BranchName("b"), time_zone=zone, lines=(), **rules)


def days_of(one: Branch, at: str, count: int = 15) -> tuple[ServiceDay, ...]:
    plan = Branches(version="1", branches=(one,))
    (expanded,) = expand(plan, ms(at), count).branches
    return expanded.days


def day_of(one: Branch, date: str) -> ServiceDay:
    return next(day for day in days_of(one, f"{date}T12:00") if day.date == date)


def shown(day: ServiceDay) -> list[str]:
    return [f"{text(opens)} {text(closes)}" for opens, closes in day.openings]


# --- The changes between winter and summer time ---------------------------------------------------

CHANGES = {
    "Berlin, 23 hours": (
        "Europe/Berlin",
        ("2026-03-28", "2026-03-27T23:00", "2026-03-28T08:00", "2026-03-28T16:00", 24),
        ("2026-03-29", "2026-03-28T23:00", "2026-03-29T07:00", "2026-03-29T15:00", 23),
        ("2026-03-30", "2026-03-29T22:00", "2026-03-30T07:00", "2026-03-30T15:00", 24),
    ),
    "Berlin, 25 hours": (
        "Europe/Berlin",
        ("2026-10-24", "2026-10-23T22:00", "2026-10-24T07:00", "2026-10-24T15:00", 24),
        ("2026-10-25", "2026-10-24T22:00", "2026-10-25T08:00", "2026-10-25T16:00", 25),
        ("2026-10-26", "2026-10-25T23:00", "2026-10-26T08:00", "2026-10-26T16:00", 24),
    ),
    "New York, 23 hours": (
        "America/New_York",
        ("2026-03-07", "2026-03-07T05:00", "2026-03-07T14:00", "2026-03-07T22:00", 24),
        ("2026-03-08", "2026-03-08T05:00", "2026-03-08T13:00", "2026-03-08T21:00", 23),
        ("2026-03-09", "2026-03-09T04:00", "2026-03-09T13:00", "2026-03-09T21:00", 24),
    ),
    "New York, 25 hours": (
        "America/New_York",
        ("2026-10-31", "2026-10-31T04:00", "2026-10-31T13:00", "2026-10-31T21:00", 24),
        ("2026-11-01", "2026-11-01T04:00", "2026-11-01T14:00", "2026-11-01T22:00", 25),
        ("2026-11-02", "2026-11-02T05:00", "2026-11-02T14:00", "2026-11-02T22:00", 24),
    ),
    "Auckland, 25 hours": (
        "Pacific/Auckland",
        ("2026-04-04", "2026-04-03T11:00", "2026-04-03T20:00", "2026-04-04T04:00", 24),
        ("2026-04-05", "2026-04-04T11:00", "2026-04-04T21:00", "2026-04-05T05:00", 25),
        ("2026-04-06", "2026-04-05T12:00", "2026-04-05T21:00", "2026-04-06T05:00", 24),
    ),
    "Auckland, 23 hours": (
        "Pacific/Auckland",
        ("2026-09-26", "2026-09-25T12:00", "2026-09-25T21:00", "2026-09-26T05:00", 24),
        ("2026-09-27", "2026-09-26T12:00", "2026-09-26T20:00", "2026-09-27T04:00", 23),
        ("2026-09-28", "2026-09-27T11:00", "2026-09-27T20:00", "2026-09-28T04:00", 24),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_days_and_hours_are_right_around_a_change(change: str) -> None:
    zone, *expected = CHANGES[change]
    found = days_of(branch(zone, *NINE_TO_FIVE), expected[1][1], 2)

    assert expected == [
        (
            day.date,
            text(day.starts_ms),
            *(text(moment) for moment in day.openings[0]),
            (day.ends_ms - day.starts_ms) // HOUR_MS,
        )
        for day in found
    ]


@pytest.mark.parametrize(
    ("zone", "minute", "begins"),
    [  # the second of the three is the day of the change
        ("Europe/Berlin", 150, ("2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30")),
        ("Europe/Berlin", 150, ("2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30")),
        ("America/New_York", 150, ("2026-03-07T07:30", "2026-03-08T07:00", "2026-03-09T06:30")),
        ("America/New_York", 90, ("2026-10-31T05:30", "2026-11-01T05:30", "2026-11-02T06:30")),
        ("Pacific/Auckland", 150, ("2026-04-03T13:30", "2026-04-04T13:30", "2026-04-05T14:30")),
        ("Pacific/Auckland", 150, ("2026-09-25T14:30", "2026-09-26T14:00", "2026-09-27T13:30")),
    ],
)
def test_a_day_begins_after_a_gap_and_at_the_first_of_two(
    zone: str, minute: int, begins: tuple[str, ...]
) -> None:
    days = days_of(branch(zone, day_begins_min=minute), begins[1], 3)

    assert begins == tuple(text(day.starts_ms) for day in days[:3])


SPRING, AUTUMN = "2026-03-29", "2026-10-25"


@pytest.mark.parametrize(
    ("date", "opening", "hours"),
    [
        (SPRING, Opening(135, 165), []),
        (SPRING, Opening(150, 210), ["2026-03-29T01:00 2026-03-29T01:30"]),
        (SPRING, Opening(90, 150), ["2026-03-29T00:30 2026-03-29T01:00"]),
        (AUTUMN, Opening(60, 150), ["2026-10-24T23:00 2026-10-25T00:30"]),
        (AUTUMN, Opening(150, 210), ["2026-10-25T00:30 2026-10-25T02:30"]),
        (AUTUMN, Opening(0, 1440), ["2026-10-24T22:00 2026-10-25T23:00"]),
    ],
)
def test_hours_within_a_change_count_from_its_first_moment(
    date: str, opening: Opening, hours: list[str]
) -> None:
    assert hours == shown(day_of(branch("Europe/Berlin", opening), date))


def test_far_east_the_date_is_ahead_of_utc() -> None:
    day = day_of(branch("Pacific/Kiritimati", *NINE_TO_FIVE), "2027-01-01")

    assert ("2026-12-31T10:00", "2027-01-01T10:00") == (text(day.starts_ms), text(day.ends_ms))
    assert ["2026-12-31T19:00 2027-01-01T03:00"] == shown(day)


@pytest.mark.parametrize("begins_min", [0, 240])
def test_a_date_that_a_zone_skipped_has_no_service_day(begins_min: int) -> None:
    days = days_of(branch("Pacific/Apia", *NINE_TO_FIVE, day_begins_min=begins_min), "2011-12-30")

    assert ["2011-12-29", "2011-12-31", "2012-01-01"] == [
        day.date for day in days if "2011-12-29" <= day.date <= "2012-01-01"
    ]
    assert {24} == {(day.ends_ms - day.starts_ms) // HOUR_MS for day in days}


# --- Service days and their hours -----------------------------------------------------------------


def test_days_reach_from_the_one_before_to_two_weeks_ahead() -> None:
    at = "2026-06-10T12:00"
    days = days_of(branch("Europe/Berlin"), at)

    assert [f"2026-06-{number:02d}" for number in range(9, 25)] == [day.date for day in days]
    assert days[-1].ends_ms >= ms(at) + 14 * 24 * HOUR_MS


def test_a_day_begins_with_its_first_millisecond() -> None:
    one = Branches(version="1", branches=(branch("Europe/Berlin", day_begins_min=240),))
    begin_ms = ms("2026-06-10T02:00")
    before, then = (expand(one, at_ms).branches[0] for at_ms in (begin_ms - 1, begin_ms))

    assert ("2026-06-08", "2026-06-09") == (before.days[0].date, then.days[0].date)
    day = then.day_at(begin_ms)
    assert day is not None and "2026-06-10" == day.date
    day = then.day_at(begin_ms - 1)
    assert day is not None and "2026-06-09" == day.date


def test_hours_after_midnight_belong_to_the_service_day_that_has_not_ended() -> None:
    friday, saturday = WeekdayHours(4, (Opening(1320, 1440),)), WeekdayHours(5, (Opening(0, 150),))
    bar = branch("Europe/Berlin", week=(friday, saturday), day_begins_min=240)

    assert ["2026-06-12T20:00 2026-06-13T00:30"] == shown(day_of(bar, "2026-06-12"))
    assert [] == shown(day_of(bar, "2026-06-13"))


def test_hours_across_the_begin_of_a_service_day_are_parted_there() -> None:
    always = branch("Europe/Berlin", Opening(0, 1440), day_begins_min=240)

    assert ["2026-06-12T02:00 2026-06-13T02:00"] == shown(day_of(always, "2026-06-12"))


def test_a_date_has_its_own_hours_or_none() -> None:
    dates = (DateHours("2026-12-24", (Opening(540, 720),)), DateHours("2026-12-25"))
    one = branch("Europe/Berlin", *NINE_TO_FIVE, dates=dates)

    assert ["2026-12-24T08:00 2026-12-24T11:00"] == shown(day_of(one, "2026-12-24"))
    assert [] == shown(day_of(one, "2026-12-25"))
    assert ["2026-12-26T08:00 2026-12-26T16:00"] == shown(day_of(one, "2026-12-26"))


def test_openings_come_in_order_and_as_one_where_they_touch_or_overlap() -> None:
    openings = Opening(840, 900), Opening(540, 600), Opening(570, 660), Opening(660, 720)

    assert ["2026-06-12T07:00 2026-06-12T10:00", "2026-06-12T12:00 2026-06-12T13:00"] == shown(
        day_of(branch("Europe/Berlin", *openings), "2026-06-12")
    )


@pytest.mark.parametrize(
    ("opening", "close_after_ms", "closes"),
    [
        (Opening(540, 1020), HOUR_MS, "2026-06-12T16:00"),
        (Opening(540, 1020), 0, "2026-06-12T15:00"),
        (Opening(540, 1410), HOUR_MS, "2026-06-12T22:00"),
        (Opening(540, 1440), 0, "2026-06-12T22:00"),
        (None, HOUR_MS, "2026-06-12T22:00"),
    ],
)
def test_tickets_end_after_the_last_closing_time_and_with_the_day_at_latest(
    opening: Opening | None, close_after_ms: int, closes: str
) -> None:
    openings = [opening] if opening else []
    one = branch("Europe/Berlin", *openings, close_after_ms=close_after_ms)

    assert closes == text(day_of(one, "2026-06-12").closes_ms)


def test_branches_of_one_time_zone_keep_their_own_hours() -> None:
    early = branch("Europe/Berlin", Opening(420, 480))
    late = branch("Europe/Berlin", Opening(1200, 1260), day_begins_min=60)
    calendar = expand(Branches(version="1", branches=(early, late)), ms("2026-06-12T12:00"))

    assert [
        ("2026-06-11T22:00", ["2026-06-12T05:00 2026-06-12T06:00"]),
        ("2026-06-11T23:00", ["2026-06-12T18:00 2026-06-12T19:00"]),
    ] == [(text(one.days[1].starts_ms), shown(one.days[1])) for one in calendar.branches]


@pytest.mark.parametrize("name", ["Mars/Olympus", "../zoneinfo/UTC", "Europe", "/etc/localtime"])
def test_an_unknown_time_zone_is_refused_with_its_branch(name: str) -> None:
    with pytest.raises(ZoneUnknown, match=f'found "{name}" at branch "b"'):
        days_of(branch(name), "2026-06-12T12:00")
    assert zone_of(name) is None


def test_the_zones_of_this_machine_have_data() -> None:
    names = zones()

    assert {"Europe/Berlin", "America/New_York", "Pacific/Auckland"} <= set(names)
    assert zone_of(names[0]) is not None


# --- Any branch at any time -----------------------------------------------------------------------

ZONES = (
    *("Europe/Berlin", "America/New_York", "Pacific/Auckland", "Pacific/Kiritimati"),
    *("Australia/Lord_Howe", "Pacific/Chatham", "America/St_Johns", "Antarctica/Troll"),
    *("Africa/Casablanca", "America/Sao_Paulo", "Asia/Beirut", "Asia/Kathmandu"),
)
minutes = st.integers(0, 1440)
openings = st.lists(
    st.tuples(minutes, minutes)
    .filter(lambda pair: pair[0] < pair[1])
    .map(lambda pair: Opening(*pair)),
    max_size=3,
).map(tuple)
weeks = st.lists(openings, min_size=7, max_size=7).map(
    lambda days: tuple(WeekdayHours(day, hours) for day, hours in enumerate(days))
)
any_branch = st.builds(
    branch,
    st.sampled_from(ZONES),
    week=weeks,
    day_begins_min=st.integers(0, 1439),
    close_after_ms=st.integers(0, 12 * HOUR_MS),
)
any_second = st.integers(ms("2005-01-01T00:00") // 1000, ms("2040-01-01T00:00") // 1000)


def is_open_by_the_wall(one: Branch, wall: datetime) -> bool:
    minute = wall.hour * 60 + wall.minute
    hours = one.week[wall.weekday()].openings
    return any(opening.opens_min <= minute < opening.closes_min for opening in hours)


@given(any_branch, any_second)
def test_days_join_and_hold_their_hours(one: Branch, from_s: int) -> None:
    from_ms = from_s * 1000
    days = expand(Branches(version="1", branches=(one,)), from_ms).branches[0].days

    assert 16 == len(days)
    assert days[1].starts_ms <= from_ms < days[1].ends_ms
    assert all(day.ends_ms == later.starts_ms for day, later in pairwise(days))
    assert all(day.date < later.date for day, later in pairwise(days))
    for day in days:
        moments = [day.starts_ms, *(each for pair in day.openings for each in pair), day.ends_ms]
        assert moments == sorted(moments)
        assert all(opens < closes for opens, closes in day.openings)
        assert max(moments[:-1]) <= day.closes_ms <= day.ends_ms


@given(any_branch, any_second, st.integers(0, 13 * 24 * 3600))
def test_days_and_hours_are_those_of_the_clock_on_the_wall(
    one: Branch, from_s: int, later_s: int
) -> None:
    wall = datetime.fromtimestamp(from_s + later_s, ZoneInfo(one.time_zone))
    days = expand(Branches(version="1", branches=(one,)), from_s * 1000).branches[0]
    day = days.day_at((from_s + later_s) * 1000)
    assert day is not None
    if wall.utcoffset() != wall.replace(fold=1 - wall.fold).utcoffset():
        return  # shown twice: which of the two counts is a rule of ours, tested by hand above

    begun = wall.replace(tzinfo=None) - timedelta(minutes=one.day_begins_min)
    assert begun.date().isoformat() == day.date
    assert is_open_by_the_wall(one, wall) == day.is_open((from_s + later_s) * 1000)
