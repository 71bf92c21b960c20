import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.queue.branches import Opening
from usher.router.branch_policy import minute_text
from usher.router.service.file_hours import (
    OPENINGS_PATTERN,
    WEEKDAYS_PATTERN,
    openings_text,
    parse_minute,
    parse_openings,
    parse_weekdays,
)


@pytest.mark.parametrize(("text", "minute"), [("00:00", 0), ("09:05", 545), ("24:00", 1440)])
def test_a_time_of_day_is_minutes_since_midnight(text: str, minute: int) -> None:
    assert minute == parse_minute(text)
    assert text == minute_text(minute)


@pytest.mark.parametrize(
    "text", ["", "9:00", "24:01", "09:60", "09.00", "09:00\n", "-1:00", "\u0660\u0669:00"]
)
def test_what_is_no_time_of_day_is_none(text: str) -> None:
    assert parse_minute(text) is None


@pytest.mark.parametrize(
    ("text", "openings"),
    [
        ("closed", ()),
        ("09:00-17:00", (Opening(540, 1020),)),
        ("13:30 - 17:00,09:00-12:30", (Opening(810, 1020), Opening(540, 750))),
        ("00:00-24:00", (Opening(0, 1440),)),
    ],
)
def test_hours_read(text: str, openings: tuple[Opening, ...]) -> None:
    assert re.fullmatch(OPENINGS_PATTERN, text)
    assert openings == parse_openings(text)


@pytest.mark.parametrize("text", ["", "open", "9-17", "09:00", "09:00-17:00,", "09:00-17:00 Uhr"])
def test_what_is_no_hours_does_not_match(text: str) -> None:
    assert not re.fullmatch(OPENINGS_PATTERN, text)


minutes = st.integers(0, 1440)


@given(st.lists(st.builds(Opening, minutes, minutes)).map(tuple))
def test_all_hours_read_back(openings: tuple[Opening, ...]) -> None:
    text = openings_text(openings)

    assert re.fullmatch(OPENINGS_PATTERN, text)
    assert openings == parse_openings(text)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon", [0]),
        ("sun", [6]),
        ("mon-fri", [0, 1, 2, 3, 4]),
        ("sat-mon", [5, 6, 0]),
        ("wed-tue", [2, 3, 4, 5, 6, 0, 1]),
        ("wed-wed", [2]),
    ],
)
def test_weekdays_read(text: str, days: list[int]) -> None:
    assert re.fullmatch(WEEKDAYS_PATTERN, text)
    assert days == parse_weekdays(text)


@pytest.mark.parametrize("text", ["", "monday", "Mon", "mon-", "mon-fri-sun", "mon,tue", "1"])
def test_what_is_no_weekday_does_not_match(text: str) -> None:
    assert not re.fullmatch(WEEKDAYS_PATTERN, text)
