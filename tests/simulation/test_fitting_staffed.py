"""Calls given the staff: known relations are found again, and none where there is none."""

import numpy as np
import pytest
from numpy.typing import NDArray

from usher.simulation.fitting.staffed import fit_staffed

DAYS, INTERVALS = 400, 10
MEAN, STAFF = np.linspace(30, 120, INTERVALS), np.linspace(3, 12, INTERVALS)


def made(
    by_day: float, by_interval: float, variances: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns (counts, staff) of days whose staff differs by day and, by itself, by interval."""
    random = np.random.default_rng(5)
    days = random.normal(0, 0.2, (DAYS, 1))
    hours = random.normal(0, 0.1, (DAYS, INTERVALS))
    staff = STAFF * np.exp(days + hours)
    of_day = np.log(staff.sum(axis=1, keepdims=True) / STAFF.sum())
    beyond = np.log(staff / STAFF) - of_day
    expected = MEAN * np.exp(by_day * of_day + by_interval * beyond)
    for variance, shape in zip(variances, ((DAYS, 1), (DAYS, INTERVALS)), strict=True):
        if variance:
            expected = expected * random.gamma(1 / variance, variance, shape)
    return random.poisson(expected).astype(np.float64), staff


def test_how_calls_follow_the_staff_is_found_again() -> None:
    found = fit_staffed(*made(1.3, 0.5, (0.0, 0.0)))
    assert pytest.approx(1.3, abs=0.05) == found.by_day
    assert pytest.approx(0.5, abs=0.05) == found.by_interval
    assert pytest.approx(0.0, abs=0.001) == found.day_variance
    assert pytest.approx(0.0, abs=0.002) == found.interval_variance


def test_what_days_and_intervals_vary_by_beside_the_staff_is_found_again() -> None:
    found = fit_staffed(*made(1.0, 0.5, (0.02, 0.04)))
    # The total of a day holds a part of what its intervals vary by.
    assert pytest.approx(0.02 + 0.04 * (MEAN**2).sum() / MEAN.sum() ** 2, rel=0.2) == (
        found.day_variance
    )
    assert pytest.approx(0.04, rel=0.15) == found.interval_variance
    assert found.day_factor is not None and found.interval_factor is not None
    assert pytest.approx(found.day_variance**0.5) == found.day_factor.deviation


def test_calls_that_do_not_follow_the_staff_are_expected_as_on_the_mean_day() -> None:
    counts, staff = made(0.0, 0.0, (0.0, 0.0))
    found = fit_staffed(counts, staff)
    assert pytest.approx(0.0, abs=0.03) == found.by_day
    assert pytest.approx(found.mean, rel=0.03) == found.expected(2 * found.staff)


def test_twice_the_staff_brings_twice_the_calls_where_they_go_together() -> None:
    found = fit_staffed(*made(1.0, 1.0, (0.0, 0.0)))
    assert pytest.approx(2 * found.mean, rel=0.06) == found.expected(2 * found.staff)


def test_days_with_the_same_staff_have_no_relation_and_no_factor() -> None:
    counts = np.full((3, INTERVALS), 50.0)
    found = fit_staffed(counts, np.full((3, INTERVALS), 4.0))
    assert (0.0, 0.0) == (found.by_day, found.by_interval)
    assert found.day_factor is None and found.interval_factor is None
    assert pytest.approx(50.0) == found.expected(np.full(INTERVALS, 4.0))


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\) with a sum of 6 and \(3, 2\)"):
        fit_staffed(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="with a sum of 0"):
        fit_staffed(np.zeros((2, 3)), np.ones((2, 3)))
