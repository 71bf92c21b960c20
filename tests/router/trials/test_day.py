"""Local days as UTC ms, also on the days when the clocks change."""

from datetime import date

import numpy as np
import pytest

from usher.router.trials.day import day_bounds_ms, midnight_ms

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("hours", "day", "zone"),
    [
        (24, date(1999, 2, 2), "Asia/Jerusalem"),
        (23, date(2024, 3, 29), "Asia/Jerusalem"),
        (25, date(2024, 10, 27), "Asia/Jerusalem"),
        (23, date(2024, 3, 31), "Europe/Zurich"),
        (25, date(2024, 10, 27), "Europe/Zurich"),
        (23, date(2024, 3, 10), "America/New_York"),
        (25, date(2024, 11, 3), "America/New_York"),
        (23, date(2018, 11, 4), "America/Sao_Paulo"),  # midnight itself is skipped
        (25, date(2023, 11, 5), "America/Havana"),  # midnight comes twice
    ],
)
def test_a_day_has_the_hours_that_the_zone_gives_it(hours: int, day: date, zone: str) -> None:
    bounds_ms = day_bounds_ms(day, zone, step_minutes=30)
    assert 2 * hours == len(bounds_ms) - 1
    assert {HOUR_MS // 2} == set(np.diff(bounds_ms).tolist())
    assert hours * HOUR_MS == int(bounds_ms[-1] - bounds_ms[0])


def test_days_follow_each_other_without_a_gap() -> None:
    for number in range(28, 32):
        today = day_bounds_ms(date(2024, 3, number), "Europe/Zurich")
        tomorrow = date(2024, 3, number + 1) if number < 31 else date(2024, 4, 1)
        assert midnight_ms(tomorrow, "Europe/Zurich") == today[-1]


def test_midnight_is_in_utc_ms() -> None:
    assert 917_906_400_000 == midnight_ms(date(1999, 2, 2), "Asia/Jerusalem")  # 1 Feb 22:00 UTC


def test_after_a_change_smaller_than_the_step_bounds_stand_on_full_steps_again() -> None:
    minutes = np.diff(day_bounds_ms(date(2024, 10, 6), "Australia/Lord_Howe", step_minutes=60))
    assert [60, 60, 30, 60] == (minutes[:4] // 60_000).tolist()
    assert 24 == len(minutes)


def test_wrong_zones_and_steps_are_refused() -> None:
    for zone in ("Asia/Nowhere", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="time zone"):
            midnight_ms(date(2024, 1, 1), zone)
    for step in (0, -30, 7):
        with pytest.raises(ValueError, match="step_minutes"):
            day_bounds_ms(date(2024, 1, 1), "UTC", step_minutes=step)
