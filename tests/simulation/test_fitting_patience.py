"""Fitted patience: a textbook's curve, a plain loop, parameters found again, the real bank."""

import csv
import gzip
from itertools import pairwise
from math import exp, inf, sqrt
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import minimize

from usher.router.trials.call_log import DEFAULT_DATE, CallOutcome, read_day
from usher.router.trials.patience import fit_patience as fit_for_replay
from usher.simulation.distributions import AnyDistribution, Exponential, Gamma, Weibull
from usher.simulation.fitting.patience import PatienceCurve, fit_curve, fit_patience

pytestmark = pytest.mark.theory

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Observed = tuple[Floats, Mask]
CALLS = "data/anonymous_bank_1999_jan_feb.csv.gz"

# Weeks of remission under 6-MP (Freireich et al. 1963; Kalbfleisch & Prentice, The Statistical
# Analysis of Failure Time Data, section 1.1); a minus marks who was still in remission.
REMISSIONS = [6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23]
REMISSIONS += [-25, -32, -32, -34, -35]
TEXTBOOK = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
TEXTBOOK_ERRORS = [0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346]


def observed(signed: list[int]) -> Observed:
    waits = np.array(signed, dtype=np.float64)
    return np.abs(waits), waits > 0


def drawn(patience: AnyDistribution, size: int = 20_000, seed: int = 4) -> Observed:
    """Returns what is seen of this patience if service comes after 150 s on average."""
    random = np.random.default_rng(seed)
    willing_s, offered_s = patience.draw(random, size), random.exponential(150.0, size)
    return np.minimum(willing_s, offered_s), willing_s <= offered_s


def by_plain_loop(waits_s: Floats, abandoned: Mask) -> list[tuple[float, float, float]]:
    """Returns time, survival and variance of each step, by the definitions."""
    pairs = list(zip(waits_s.tolist(), abandoned.tolist(), strict=True))
    steps, survival, total = [], 1.0, 0.0
    for time_s in sorted({wait_s for wait_s, left in pairs if left}):
        waiting = sum(wait_s >= time_s for wait_s, _ in pairs)
        gone = sum(left and wait_s == time_s for wait_s, left in pairs)
        survival *= 1 - gone / waiting
        total += gone / (waiting * (waiting - gone)) if waiting > gone else 0.0
        steps.append((time_s, survival, survival**2 * total))
    return steps


def rows(curve: PatienceCurve) -> Floats:
    return np.column_stack((curve.times_s, curve.survival, curve.variance))


def area(curve: PatienceCurve) -> float:
    """Returns the area under the curve up to its last step."""
    before = np.concatenate(([1.0], curve.survival[:-1]))
    return float((np.diff(curve.times_s, prepend=0.0) * before).sum())


@pytest.fixture(scope="module")
def bank(shared: Path) -> Observed:
    """All that sought an agent in the two months of the file: the wait is the stay in the queue,
    0 for who was not in it, at most an hour; a stay may cross midnight."""
    waits_s, left = [], []
    with gzip.open(shared / CALLS, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            queued = row["q_start_s"] != ""
            if row["outcome"] == "AGENT" or (row["outcome"] == "HANG" and queued):
                stay_s = int(row["q_exit_s"]) - int(row["q_start_s"]) if queued else 0
                stay_s = stay_s + 86_400 if stay_s < -43_200 else stay_s
                waits_s.append(float(min(max(stay_s, 0), 3_600)))
                left.append(row["outcome"] == "HANG")
    return np.array(waits_s), np.array(left)


def test_the_curve_is_that_of_the_textbook() -> None:
    fit = fit_patience(*observed(REMISSIONS))
    assert list(TEXTBOOK) == fit.curve.times_s.tolist()
    assert [21, 17, 15, 12, 11, 7, 6] == fit.curve.waiting.tolist()
    assert [3, 1, 1, 1, 1, 1, 1] == fit.curve.abandoned.tolist()
    assert list(TEXTBOOK.values()) == np.round(fit.curve.survival, 3).tolist()
    assert TEXTBOOK_ERRORS == np.round(np.sqrt(fit.curve.variance), 4).tolist()
    assert pytest.approx(359 / 9) == fit.exponential.mean_s


def test_between_its_steps_the_curve_is_level() -> None:
    curve = fit_curve(*observed(REMISSIONS))
    willing = [curve.willing(wait) for wait in (5.9, 6, 6.9)]
    assert pytest.approx([1.0, 18 / 21, 18 / 21]) == willing
    assert curve.survival[-1] == curve.willing(1_000)


@pytest.mark.parametrize("seed", range(20))
def test_the_curve_is_that_of_a_plain_loop(seed: int) -> None:
    random = np.random.default_rng(seed)
    waits_s = random.integers(0, 12, size=random.integers(2, 60)).astype(np.float64)
    abandoned = random.random(len(waits_s)) < random.random()
    waits_s[0] = 3.0
    expected = np.array(by_plain_loop(waits_s, abandoned)).reshape(-1, 3)
    np.testing.assert_allclose(rows(fit_curve(waits_s, abandoned)), expected, rtol=1e-12)


def test_greenwood_tells_how_much_the_curve_varies() -> None:
    curves = [fit_curve(*drawn(Exponential(300.0), 200, seed)) for seed in range(300)]
    told = np.mean([curve.variance[curve.times_s <= 120][-1] for curve in curves])
    varied = np.var([curve.willing(120) for curve in curves], ddof=1)
    assert varied == pytest.approx(told, rel=0.3)
    assert exp(-120 / 300) == pytest.approx(
        np.mean([curve.willing(120) for curve in curves]), abs=0.01
    )


@pytest.mark.parametrize("law", [Exponential(372.0), Weibull(372.0, 0.6), Gamma(200.0, 100.0)])
def test_the_curve_finds_any_law_again(law: AnyDistribution) -> None:
    curve = fit_curve(*drawn(law)).upto(200)
    off = np.array([abs(curve.willing(x) - law.survival(x)) for x in curve.times_s.tolist()])
    assert (off <= 4.5 * np.sqrt(curve.variance) + 1e-3).all()
    assert off.max() <= curve.distance(law) <= off.max() + 1 / 200


@pytest.mark.parametrize("shape", [0.6, 1.0, 1.8])
def test_the_weibull_finds_its_parameters_again(shape: float) -> None:
    found = fit_patience(*drawn(Weibull(372.0, shape))).weibull
    assert found is not None
    assert pytest.approx(shape, rel=0.04) == found.distribution.shape
    assert pytest.approx(372.0, rel=0.07) == found.distribution.mean
    assert (shape == 1.0) == (found.p_exponential > 0.01)


def test_by_chance_alone_a_shape_of_1_is_doubted_as_often_as_it_says() -> None:
    fits = [fit_patience(*drawn(Exponential(372.0), 300, seed)).weibull for seed in range(200)]
    p_values = [fit.p_exponential for fit in fits if fit]
    assert 200 == len(p_values)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_the_weibull_is_that_of_a_search_for_the_greatest_likelihood() -> None:
    weeks, ended = observed(REMISSIONS)

    def loss(logs: Floats) -> float:
        scale, shape = np.exp(logs)
        density = np.log(shape / scale) + (shape - 1) * np.log(weeks / scale)
        return float(((weeks / scale) ** shape).sum() - density[ended].sum())

    best = minimize(loss, np.log([40.0, 1.0]), method="Nelder-Mead", options={"xatol": 1e-7})
    found = fit_patience(weeks, ended).weibull
    assert found is not None
    assert pytest.approx(np.exp(best.x), rel=1e-4) == (found.fit.scale_s, found.fit.shape)
    assert pytest.approx(-best.fun, abs=1e-6) == found.fit.log_likelihood


def test_the_interval_of_the_mean_holds_the_mean_as_often_as_it_says() -> None:
    held = 0
    for seed in range(300):
        told = fit_patience(*drawn(Exponential(372.0), 60, seed), confidence=0.9).exponential
        held += told.low_s <= 372.0 <= (told.high_s or inf)
    assert 0.9 - 3 * sqrt(0.09 / 300) <= held / 300 <= 0.97


def test_the_interval_of_the_mean_is_garwoods() -> None:
    """His table for a count of 9, 95 %: 4.115 to 17.085."""
    told = fit_patience(*observed(REMISSIONS)).exponential
    assert pytest.approx((359 / 17.085, 359 / 4.115), rel=1e-3) == (told.low_s, told.high_s)


def test_bands_share_out_all_time_and_all_abandons() -> None:
    waits_s, left = drawn(Exponential(372.0), 5_000)
    fit = fit_patience(np.concatenate((waits_s, [0.0, 5.0])), np.concatenate((left, [True, True])))
    assert fit.abandoned == sum(band.abandoned for band in fit.hazards)
    assert pytest.approx(fit.waited_s) == sum(band.waited_s for band in fit.hazards)
    assert all(one.until_s == other.from_s for one, other in pairwise(fit.hazards))
    for band in fit.hazards:
        assert band.per_s is not None and band.low_per_s is not None and band.high_per_s is not None
        assert band.low_per_s < band.per_s < band.high_per_s
        assert band.low_per_s / 1.3 < 1 / 372 < band.high_per_s * 1.3


def test_an_abandonment_on_the_border_belongs_to_the_band_that_it_ends() -> None:
    fit = fit_patience(*observed([10, -10, 25, -40, 30]), bands_s=(0.0, 10.0, 30.0, 90.0))
    assert [1, 2, 0, 0] == [band.abandoned for band in fit.hazards]
    assert [50.0, 55.0, 10.0, 0.0] == [band.waited_s for band in fit.hazards]
    assert [1 / 50, 2 / 55, 0.0, None] == [band.per_s for band in fit.hazards]
    assert None is fit.hazards[-1].high_per_s


def test_from_the_curve_come_values_with_its_shares_and_its_mean() -> None:
    fit = fit_patience(*drawn(Weibull(372.0, 0.7)))
    found = fit.from_curve(values_max=500)
    used = fit.curve.upto(10)
    assert 500 == len(found.distribution.values)
    assert sorted(found.distribution.values) == list(found.distribution.values)
    for wait_s in (1.0, 30.0, 250.0, found.tail_from_s):
        assert abs(used.willing(wait_s) - found.distribution.survival(wait_s)) <= 1 / 500
    tail = found.tail_share * found.tail_mean_s
    assert pytest.approx(area(used) + tail, abs=1e-5) == found.distribution.mean


def test_the_tail_is_exponential_from_the_end_of_the_curve() -> None:
    signed = [20] * 30 + [-60] * 70
    found = fit_patience(*observed(signed)).from_curve(values_max=2_000, tail_mean_s=100.0)
    assert (0.7, 20.0, 100.0) == (found.tail_share, found.tail_from_s, found.tail_mean_s)
    for past_s in (0.0, 50.0, 100.0, 300.0):
        expected = 0.7 * exp(-past_s / 100.0)
        assert pytest.approx(expected, abs=1 / 2_000) == found.distribution.survival(20.0 + past_s)
    assert pytest.approx(20.0 + 0.7 * 100.0, abs=1e-5) == found.distribution.mean
    by_default = fit_patience(*observed(signed)).from_curve()
    assert (30 * 20 + 70 * 60) / 30 == by_default.tail_mean_s


def test_where_all_left_there_is_no_tail() -> None:
    fit = fit_patience(*observed([10] * 10 + [40] * 30))
    found = fit.from_curve(values_max=4)
    assert (0.0, 40.0) == (found.tail_share, found.tail_from_s)
    assert (10.0, 40.0, 40.0, 40.0) == found.distribution.values
    assert [0.75, 0.0] == fit.curve.survival.tolist()
    assert 0.0 == fit.curve.variance[-1]


def test_where_nobody_left_there_is_a_lower_bound_and_no_law() -> None:
    fit = fit_patience(*observed([-30] * 40))
    assert 0 == len(fit.curve.times_s)
    assert 1.0 == fit.curve.willing(300)
    assert 0.0 == fit.curve.distance(Exponential(5.0))
    assert (None, None) == (fit.exponential.mean_s, fit.exponential.high_s)
    assert pytest.approx(1_200 / 3.689, rel=1e-3) == fit.exponential.low_s  # -ln(.025)
    assert None is fit.weibull
    with pytest.raises(ValueError, match="nobody left"):
        _ = fit.exponential.distribution
    with pytest.raises(ValueError, match="no curve of 40 contacts"):
        fit.from_curve()


def test_one_who_left_gives_an_exponential_and_no_curve() -> None:
    fit = fit_patience(*observed([30]))
    assert Exponential(30.0) == fit.exponential.distribution
    assert [(30.0, 0.0)] == list(zip(fit.curve.times_s, fit.curve.survival, strict=True))
    assert None is fit.weibull
    with pytest.raises(ValueError, match="no curve of 1 contacts"):
        fit.from_curve()
    assert (30.0, 30.0) == fit.from_curve(values_max=2, waiting_least=1).distribution.values


def test_who_did_not_wait_changes_neither_curve_nor_laws() -> None:
    fit, more = fit_patience(*observed([*REMISSIONS])), fit_patience(*observed([*REMISSIONS, 0, 0]))
    assert (21, 23) == (fit.contacts, more.contacts)
    assert rows(fit.curve).tolist() == rows(more.curve).tolist()
    assert (fit.exponential, fit.weibull) == (more.exponential, more.weibull)
    assert fit.hazards == more.hazards


def test_who_left_at_once_is_in_the_curve_but_not_in_the_weibull() -> None:
    waits_s, left = observed([*REMISSIONS, 0])
    left[-1] = True
    fit, plain = fit_patience(waits_s, left), fit_patience(*observed(REMISSIONS))
    assert 21 / 22 == fit.curve.willing(0)
    assert (359 / 10, 1) == (fit.exponential.mean_s, fit.hazards[0].abandoned)
    assert fit.weibull is not None and plain.weibull is not None
    assert (1, plain.weibull.fit) == (fit.weibull.left_at_once, fit.weibull.fit)


def test_the_bank_has_its_known_patience(bank: Observed) -> None:
    """Known for three months of 1999 (README of the data): 372 s, .833 after 60 s, .510 after
    300 s. The file holds two of them, so the curve is within .015 and the mean within 5 %."""
    fit = fit_patience(*bank)
    known = {5: 0.988, 20: 0.935, 60: 0.833, 120: 0.724, 300: 0.510, 600: 0.311}
    for wait_s, expected in known.items():
        assert pytest.approx(expected, abs=0.015) == fit.curve.willing(wait_s)
    assert pytest.approx(372, rel=0.05) == fit.exponential.mean_s
    assert (61_286, 7_064) == (fit.contacts, fit.abandoned)
    # The two months themselves, by `usher.router.trials.patience`.
    assert pytest.approx(354.384, abs=1e-3) == fit.exponential.mean_s
    own = [round(fit.curve.willing(wait_s), 4) for wait_s in known]
    assert [0.9871, 0.9301, 0.8252, 0.7172, 0.4982, 0.3035] == own


def test_a_replay_and_a_scenario_have_the_same_patience(shared: Path) -> None:
    calls = read_day(shared / CALLS, DEFAULT_DATE).calls
    waits_s = np.array([call.wait_s for call in calls], dtype=np.float64)
    left = np.array([call.outcome is CallOutcome.ABANDONED for call in calls])
    fit, replay = fit_patience(waits_s, left), fit_for_replay(calls)
    used = fit.curve.upto(10)
    assert replay.times_s.tolist() == used.times_s.tolist()
    np.testing.assert_allclose(used.survival, replay.survival, rtol=1e-12)
    assert replay.mean_s == fit.exponential.mean_s
    values = fit.from_curve().distribution
    for wait_s in (10, 100, 600, 1_500):
        assert pytest.approx(replay.willing(wait_s), abs=1e-3) == values.survival(wait_s)


def test_the_bank_is_nearer_to_a_weibull_than_to_an_exponential(bank: Observed) -> None:
    """And its hazard is highest in the first seconds, as Brown et al. 2005 found."""
    fit = fit_patience(*bank)
    used = fit.curve.upto(10)
    assert fit.weibull is not None
    assert fit.weibull.p_exponential < 1e-6
    assert used.distance(fit.weibull.distribution) < used.distance(fit.exponential.distribution)
    assert used.distance(fit.from_curve().distribution) <= 1 / 1_000
    highest = max(fit.hazards, key=lambda band: band.per_s or 0.0)
    assert (5.0, 10.0) == (highest.from_s, highest.until_s)


@pytest.mark.parametrize(
    ("waits_s", "abandoned", "rule"),
    [
        ([], [], "none of 0 waits_s"),
        ([0.0, 0.0], [True, False], "none of 2 waits_s"),
        ([3.0, -1.0], [True, False], r"waits_s\[1\] is -1.0"),
        ([inf, 1.0], [True, False], r"waits_s\[0\] is inf"),
        ([3.0, 1.0], [True], "expected"),
        ([3.0, 1.0], [1, 0], "bool"),
        ([[3.0]], [[True]], "expected"),
    ],
)
def test_what_is_no_wait_is_refused(waits_s: list[float], abandoned: list[bool], rule: str) -> None:
    mask = np.array(abandoned) if abandoned else np.zeros(0, dtype=np.bool_)
    for fit in (fit_patience, fit_curve):
        with pytest.raises(ValueError, match=rule):
            fit(np.array(waits_s, dtype=np.float64), mask)


@pytest.mark.parametrize("bands_s", [(), (5.0, 10.0), (0.0, 10.0, 10.0), (0.0, 9.0, 5.0)])
def test_what_are_no_bands_is_refused(bands_s: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="bands_s is"):
        fit_patience(*observed(REMISSIONS), bands_s=bands_s)


def test_other_wishes_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"confidence is 1\.0"):
        fit_patience(*observed(REMISSIONS), confidence=1.0)
    fit = fit_patience(*observed(REMISSIONS))
    for wish in ({"values_max": 0}, {"waiting_least": 0}, {"tail_mean_s": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wish))):
            fit.from_curve(**wish)  # type: ignore[arg-type]
