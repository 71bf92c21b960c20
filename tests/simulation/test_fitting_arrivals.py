"""Fitted arrivals: parameters found again, what chance alone does, and the two real banks."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from math import inf, nan, sqrt
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from usher.simulation.distributions import Gamma
from usher.simulation.fitting.arrivals import Dispersion, fit_arrivals

pytestmark = pytest.mark.theory

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]
YEAR_1999 = "data/anonymous_bank_1999_calls_6min.csv.gz"
YEAR_2003 = "data/us_bank_2003_calls_5min.csv.gz"
MEAN = np.array([2.0, 9.0, 15.0, 12.0, 6.0, 1.0])


def drawn(days: int, alpha: float | None, mean: Floats = MEAN, seed: int = 8) -> Floats:
    """Returns days of the model: gamma factor, then Poisson counts."""
    random = np.random.default_rng(seed)
    factors = random.gamma(alpha, 1 / alpha, days) if alpha else np.ones(days)
    return random.poisson(np.outer(factors, mean)).astype(np.float64)


def rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


@pytest.fixture(scope="module")
def bank_1999(shared: Path) -> tuple[Floats, Int64s]:
    """Returns counts per 6 minutes of August to December, Sunday to Thursday, and weekdays."""
    days: defaultdict[date, Floats] = defaultdict(lambda: np.zeros(240))
    for row in rows(shared / YEAR_1999):
        days[date.fromisoformat(row["date"])][int(row["start_min"]) // 6] += float(row["calls"])
    kept = [day for day in sorted(days) if day.month >= 8 and day.isoweekday() not in (5, 6)]
    return np.array([days[day] for day in kept]), np.array([day.isoweekday() for day in kept])


@pytest.fixture(scope="module")
def bank_2003(shared: Path) -> tuple[Floats, Int64s]:
    """Returns counts per 5 minutes of all days, Monday to Friday, and weekdays."""
    days: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows(shared / YEAR_2003):
        days[row["date"]].append(float(row["calls"]))
    weekdays = [date.fromisoformat(day).isoweekday() for day in sorted(days)]
    return np.array([days[day] for day in sorted(days)]), np.array(weekdays)


def known(dispersion: Dispersion | None) -> Dispersion:
    assert dispersion is not None
    return dispersion


def test_curve_and_factor_are_found_again() -> None:
    fit = fit_arrivals(drawn(4_000, alpha=19.0))
    off = np.sqrt(MEAN * (1 + MEAN / 19.0) / 4_000)
    assert (np.abs(fit.curve(0).mean - MEAN) <= 4 * off).all()
    assert pytest.approx(19.0, rel=0.12) == fit.day_factor.alpha
    assert pytest.approx(1.0, abs=0.03) == known(fit.intervals_given_day).ratio
    assert known(fit.intervals_given_day).p_value > 0.01
    assert pytest.approx(1 + (MEAN / 19.0).mean(), rel=0.05) == known(fit.intervals).ratio


def test_the_factor_is_told_by_moments_of_the_totals() -> None:
    counts = np.array([[30.0, 60.0], [50.0, 70.0], [20.0, 10.0]])
    fit = fit_arrivals(counts)
    totals = np.array([90.0, 120.0, 30.0])
    variance = totals.var(ddof=1) / totals.mean() ** 2 - 1 / totals.mean()
    assert pytest.approx(variance) == fit.day_factor.relative_variance
    assert pytest.approx(1 / variance) == fit.day_factor.alpha
    assert pytest.approx([1.125, 1.5, 0.375]) == fit.day_factor.by_day
    law = fit.day_factor.distribution
    assert law == Gamma(1.0, sqrt(variance))
    assert pytest.approx(totals.var(ddof=1) / 80) == known(fit.day_factor.dispersion).ratio


def test_each_class_has_its_curve_and_all_share_a_factor() -> None:
    weekend, week = drawn(300, 30.0, MEAN / 4, seed=1), drawn(900, 30.0, MEAN, seed=2)
    classes = np.array([7] * 300 + [1] * 900)
    fit = fit_arrivals(np.concatenate((weekend, week)), classes)
    assert [(1, 900), (7, 300)] == [(one.day_class, one.days) for one in fit.curves]
    assert pytest.approx(weekend.mean(axis=0)) == fit.curve(7).mean
    assert pytest.approx(week.mean(axis=0)) == fit.curve(1).mean
    parts = [fit_arrivals(part).day_factor.relative_variance for part in (weekend, week)]
    assert parts[0] is not None and parts[1] is not None
    pooled = (299 * parts[0] + 899 * parts[1]) / 1_198
    assert pytest.approx(pooled) == fit.day_factor.relative_variance
    assert pytest.approx(30.0, rel=0.2) == fit.day_factor.alpha
    own = [part.sum(axis=1) / part.sum(axis=1).mean() for part in (weekend, week)]
    assert pytest.approx(np.concatenate(own)) == fit.day_factor.by_day
    # Classes thrown together look like a much more random day.
    assert (fit_arrivals(np.concatenate((weekend, week))).day_factor.alpha or inf) < 10


def test_days_alike_but_for_chance_have_no_factor() -> None:
    alphas, p_values = [], []
    for seed in range(200):
        factor = fit_arrivals(drawn(25, None, seed=seed)).day_factor
        alphas.append(factor.alpha)
        p_values.append(known(factor.dispersion).p_value)
    assert 0.3 < np.mean([alpha is None for alpha in alphas]) < 0.7
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert None is fit_arrivals(np.full((4, 3), 5.0)).day_factor.distribution
    assert 0.0 == fit_arrivals(np.full((4, 3), 5.0)).day_factor.relative_variance


def test_given_the_day_chance_alone_has_its_known_law() -> None:
    fits = [fit_arrivals(drawn(12, 5.0, MEAN * 4, seed=seed)) for seed in range(200)]
    p_values = [known(fit.intervals_given_day).p_value for fit in fits]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert {11 * 5} == {known(fit.intervals_given_day).degrees for fit in fits}


def test_given_the_day_it_is_the_test_of_a_table_for_equal_shares() -> None:
    tables = [drawn(6, 4.0, MEAN * 3, seed=1), drawn(9, 4.0, MEAN * 5, seed=2)]
    expected = [stats.chi2_contingency(table, correction=False) for table in tables]
    fit = fit_arrivals(np.concatenate(tables), np.array([0] * 6 + [1] * 9))
    told = known(fit.intervals_given_day)
    assert pytest.approx(sum(one.statistic for one in expected)) == told.statistic
    assert sum(one.dof for one in expected) == told.degrees
    assert pytest.approx(stats.chi2.sf(told.statistic, told.degrees)) == told.p_value


def test_intervals_that_vary_by_themselves_are_told() -> None:
    random = np.random.default_rng(6)
    own = random.gamma(20.0, 1 / 20.0, (2_000, 6)) * random.gamma(15.0, 1 / 15.0, (2_000, 1))
    fit = fit_arrivals(random.poisson(own * 20.0).astype(np.float64))
    # Given its total T, such a day is Dirichlet-multinomial with the sum of shapes A = 6 x 20:
    # its variance is (T + A) / (1 + A) times that of the multinomial.
    expected = (120 + 120) / (1 + 120)
    assert pytest.approx(expected, abs=0.11) == known(fit.intervals_given_day).ratio
    assert known(fit.intervals_given_day).p_value < 1e-6
    # Their part in the totals goes to the factor, so that totals have the right variance.
    both = 1 / 15 + (1 + 1 / 15) / (20 * 6)
    assert pytest.approx(both, abs=0.012) == fit.day_factor.relative_variance


def test_bounds_hold_the_mean_as_often_as_they_say() -> None:
    held = []
    for seed in range(300):
        curve = fit_arrivals(drawn(10, 19.0, MEAN * 5, seed=seed), confidence=0.9).curve(0)
        assert curve.low is not None and curve.high is not None
        held.append((curve.low <= MEAN * 5) & (curve.high >= MEAN * 5))
    assert pytest.approx(0.9, abs=0.05) == np.mean(held)


def test_bounds_are_students() -> None:
    curve = fit_arrivals(np.array([[4.0, 0.0], [6.0, 0.0], [11.0, 0.0]])).curve(0)
    low, high = stats.t.interval(0.95, 2, loc=7.0, scale=sqrt(13.0 / 3))
    assert low < 0
    assert curve.low is not None and curve.high is not None
    assert pytest.approx([0.0, 0.0]) == curve.low
    assert pytest.approx([high, 0.0]) == curve.high


def test_one_day_has_a_curve_and_nothing_else() -> None:
    fit = fit_arrivals(np.array([[4.0, 0.0, 9.0]]))
    assert [4.0, 0.0, 9.0] == fit.curve(0).mean.tolist()
    assert (None, None) == (fit.curve(0).low, fit.curve(0).high)
    assert (None, None) == (fit.day_factor.relative_variance, fit.day_factor.alpha)
    assert (None, None) == (fit.day_factor.dispersion, fit.day_factor.distribution)
    assert (None, None) == (fit.intervals, fit.intervals_given_day)
    assert [1.0] == fit.day_factor.by_day.tolist()


def test_closed_days_and_intervals_say_nothing_of_the_factor() -> None:
    counts = drawn(40, 10.0)
    gaps = np.zeros((40, 2))
    closed = np.zeros((5, 8))
    fit = fit_arrivals(np.vstack((np.hstack((counts, gaps)), closed)), np.array([1] * 40 + [6] * 5))
    plain = fit_arrivals(counts)
    assert plain.day_factor.relative_variance == fit.day_factor.relative_variance
    assert plain.day_factor.dispersion == fit.day_factor.dispersion
    assert plain.intervals == fit.intervals
    assert plain.intervals_given_day == fit.intervals_given_day
    assert [1.0] * 5 == fit.day_factor.by_day[40:].tolist()
    nothing = fit_arrivals(closed)
    assert (None, None) == (nothing.day_factor.relative_variance, nothing.intervals_given_day)


def test_the_bank_of_1999_has_its_known_factor(bank_1999: tuple[Floats, Int64s]) -> None:
    """Known (research): Sunday to Thursday, August to December, as one class of days: mean 1597,
    variance / mean 86, alpha 19."""
    fit = fit_arrivals(bank_1999[0])
    assert (110, 1597) == (fit.curve(0).days, round(fit.curve(0).mean.sum()))
    assert 86 == round(known(fit.day_factor.dispersion).ratio)
    assert 19 == round(fit.day_factor.alpha or 0)
    assert pytest.approx(0.23, abs=0.005) == fit.day_factor.by_day.std(ddof=1)


def test_the_bank_of_2003_has_its_known_factor(bank_2003: tuple[Floats, Int64s]) -> None:
    """Known (research): all 164 days as one class: mean 32,461, variance / mean 262, alpha 124."""
    fit = fit_arrivals(bank_2003[0])
    assert (164, 32_461) == (fit.curve(0).days, round(fit.curve(0).mean.sum()))
    assert 262 == round(known(fit.day_factor.dispersion).ratio)
    assert 124 == round(fit.day_factor.alpha or 0)


def test_by_weekday_the_bank_of_2003_is_half_as_random(bank_2003: tuple[Floats, Int64s]) -> None:
    """Known (research): Mondays 36.4 k, Thursdays 30.8 k calls; counts within weekday and time
    vary 2.2 times as much as Poisson."""
    fit = fit_arrivals(*bank_2003)
    assert [1, 2, 3, 4, 5] == [one.day_class for one in fit.curves]
    totals = {one.day_class: float(one.mean.sum()) for one in fit.curves}
    assert (36.4, 30.8) == (round(totals[1] / 1e3, 1), round(totals[4] / 1e3, 1))
    assert 2.2 == round(known(fit.intervals).ratio, 1)
    assert 1.0 < known(fit.intervals_given_day).ratio < 1.5
    assert (fit.day_factor.alpha or 0) > 1.9 * 124


@pytest.mark.parametrize(
    ("counts", "classes", "rule"),
    [
        ([1.0, 2.0], None, r"shape \(2,\)"),
        ([[], []], None, r"shape \(2, 0\)"),
        ([[1.0, 2.0], [3.0, -1.0]], None, r"counts\[1, 1\] is -1.0"),
        ([[1.0, nan]], None, r"counts\[0, 1\] is nan"),
        ([[inf, 1.0]], None, r"counts\[0, 0\] is inf"),
        ([[1.0], [2.0]], [1], r"expected whole numbers of the shape \(2,\)"),
        ([[1.0], [2.0]], [1.0, 2.0], "day_classes is float64"),
    ],
)
def test_what_are_no_counts_is_refused(
    counts: list[list[float]], classes: list[int] | None, rule: str
) -> None:
    with pytest.raises(ValueError, match=rule):
        fit_arrivals(np.array(counts), None if classes is None else np.array(classes))


def test_other_wishes_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"confidence is 0\.0"):
        fit_arrivals(np.ones((2, 2)), confidence=0.0)
    with pytest.raises(ValueError, match="day class 3 is not among"):
        fit_arrivals(np.ones((2, 2))).curve(3)
