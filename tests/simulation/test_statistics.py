"""Statistics of experiments: intervals cover as often as they say, and rules give known answers."""

from itertools import permutations
from math import inf, nan, sqrt

import msgspec
import numpy as np
import pytest
from scipy import signal, stats

from usher.simulation.statistics import (
    BatchInterval,
    Floats,
    Interval,
    Prediction,
    batch_interval,
    difference_interval,
    enough,
    mean_interval,
    merged,
    prediction_interval,
    ratio_difference_interval,
    ratio_interval,
    replications_needed,
    warm_up_length,
)

pytestmark = pytest.mark.theory

TRIALS = 2_000
LAW = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09]
"""The ten observations of Law 2015, section 4.5: 1.34 +- 0.24 with confidence 0.9."""


def holds(interval: Interval | None, truth: float) -> bool:
    assert interval is not None
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


def half_width(interval: Interval | None) -> float:
    assert interval is not None
    assert interval.half_width is not None
    return interval.half_width


def autoregressive(random: np.random.Generator, correlation: float, size: int) -> Floats:
    """Returns a steady series of mean 0 and deviation 1 whose neighbours correlate like this."""
    shocks = random.normal(0.0, sqrt(1 - correlation**2), size)
    shocks[0] = random.normal()
    return np.asarray(signal.lfilter([1.0], [1.0, -correlation], shocks), dtype=np.float64)


def test_the_interval_of_a_mean_is_the_published_one() -> None:
    interval = mean_interval(LAW, 0.9)
    assert pytest.approx(1.343) == interval.mean
    assert pytest.approx(0.24, abs=0.005) == interval.half_width
    assert pytest.approx((interval.low, interval.high)) == stats.t.interval(
        0.9, 9, np.mean(LAW), stats.sem(LAW)
    )
    assert (0.9, 10) == (interval.confidence, interval.count)


def test_one_value_has_a_mean_and_no_bounds_and_can_be_written() -> None:
    interval = mean_interval([3.0])
    assert Interval(mean=3.0, low=None, high=None, confidence=0.95, count=1) == interval
    assert interval.half_width is None
    written = b'{"mean":3.0,"low":null,"high":null,"confidence":0.95,"count":1}'
    assert written == msgspec.json.encode(interval)
    assert interval == msgspec.json.decode(written, type=Interval)


def test_equal_values_have_an_interval_of_exactly_no_width() -> None:
    assert Interval(0.1, 0.1, 0.1, 0.95, 7) == mean_interval([0.1] * 7)


def test_95_of_100_intervals_of_a_mean_hold_it() -> None:
    trials = np.random.default_rng(1).normal(20.0, 3.0, (TRIALS, 5))
    assert 0.93 <= np.mean([holds(mean_interval(one), 20.0) for one in trials]) <= 0.97


def test_the_interval_of_a_ratio_is_the_one_computed_by_hand() -> None:
    # Ratio 30 / 40, residuals 0.5, 1.5, -2 with variance 6.5 / 2, mean denominator 40 / 3.
    interval = ratio_interval(np.array([8, 9, 13]), np.array([10, 10, 20]))
    assert interval is not None
    assert 0.75 == interval.mean
    assert pytest.approx(4.302653 * sqrt(3.25 / 3) / (40 / 3)) == half_width(interval)


def test_a_ratio_to_equal_denominators_is_a_mean() -> None:
    interval = ratio_interval([4 * one for one in LAW], [4.0] * len(LAW))
    assert interval is not None
    assert pytest.approx(mean_interval(LAW).mean) == interval.mean
    assert pytest.approx(half_width(mean_interval(LAW))) == half_width(interval)


def test_95_of_100_intervals_of_a_ratio_hold_it() -> None:
    random = np.random.default_rng(2)
    offered = random.poisson(300.0, (TRIALS, 8))
    # A busy day is a worse day. E[offered * share] = 300 * 0.8 - 0.002 * Var[offered].
    answered = random.binomial(offered, 0.8 - 0.002 * (offered - 300))
    truth = 0.8 - 0.002
    covered = [holds(ratio_interval(x, y), truth) for x, y in zip(answered, offered, strict=True)]
    assert 0.93 <= np.mean(covered) <= 0.97


def test_a_ratio_to_nothing_is_none_and_one_denominator_tells_no_spread() -> None:
    assert ratio_interval([0.0, 0.0], [0.0, 0.0]) is None
    assert ratio_difference_interval(([1.0], [2.0]), ([0.0], [0.0])) is None
    assert Interval(0.5, None, None, 0.95, 3) == ratio_interval([0.0, 3.0, 0.0], [0.0, 6.0, 0.0])
    assert Interval(0.5, None, None, 0.95, 1) == ratio_interval([3.0], [6.0])
    one, both = ([3.0, 0.0], [6.0, 0.0]), ([1.0, 2.0], [4.0, 4.0])
    assert Interval(0.125, None, None, 0.95, 2) == ratio_difference_interval(one, both)
    assert Interval(-0.125, None, None, 0.95, 2) == ratio_difference_interval(both, one)


def test_days_without_denominators_count_as_days_that_change_nothing_of_the_ratio() -> None:
    # Residuals 1, -1, 0 and mean denominator 20 / 3.
    interval = ratio_interval([6.0, 4.0, 0.0], [10.0, 10.0, 0.0])
    assert interval is not None
    assert (0.5, 3) == (interval.mean, interval.count)
    assert pytest.approx(4.302653 * sqrt(1 / 3) / (20 / 3)) == half_width(interval)


def test_the_paired_interval_is_that_of_the_differences() -> None:
    # Differences 1, 2, 3: mean 2, variance 1.
    interval = difference_interval([11.0, 22.0, 33.0], [10.0, 20.0, 30.0])
    assert 2.0 == interval.mean
    assert pytest.approx(4.302653 / sqrt(3)) == half_width(interval)
    assert -2.0 == difference_interval([10.0, 20.0, 30.0], [11.0, 22.0, 33.0]).mean


def test_pairs_that_saw_the_same_days_are_told_apart_more_narrowly() -> None:
    random = np.random.default_rng(3)
    days = random.normal(100.0, 20.0, 40)
    first, second = days + random.normal(5.0, 2.0, 40), days + random.normal(0.0, 2.0, 40)
    paired = half_width(difference_interval(first, second))
    unpaired = sqrt(half_width(mean_interval(first)) ** 2 + half_width(mean_interval(second)) ** 2)
    assert paired < unpaired / 4
    assert paired < half_width(difference_interval(first, second[::-1])) / 4


def test_a_paired_difference_of_ratios_to_equal_denominators_is_that_of_means() -> None:
    first, second = np.array(LAW), np.array(LAW[::-1])
    calls = np.full(len(LAW), 50.0)
    plain = difference_interval(first, second)
    ratios = ratio_difference_interval((50 * first, calls), (50 * second + 50, calls))
    assert ratios is not None
    assert pytest.approx(plain.mean - 1) == ratios.mean
    assert pytest.approx(half_width(plain)) == half_width(ratios)


def test_two_equal_ratios_differ_by_exactly_nothing() -> None:
    ratio = ([8.0, 9.0, 13.0], [10.0, 10.0, 20.0])
    assert Interval(0.0, 0.0, 0.0, 0.95, 3) == ratio_difference_interval(ratio, ratio)


def test_95_of_100_paired_intervals_of_two_ratios_hold_their_difference() -> None:
    random = np.random.default_rng(4)
    offered = random.poisson(300.0, (TRIALS, 8))
    mood = random.uniform(-0.1, 0.1, (TRIALS, 8))
    lost = offered - random.binomial(offered, 0.05)  # the second plan takes fewer calls
    first, second = random.binomial(offered, 0.8 + mood), random.binomial(lost, 0.75 + mood)
    intervals = [
        ratio_difference_interval((first[at], offered[at]), (second[at], lost[at]))
        for at in range(TRIALS)
    ]
    assert 0.93 <= np.mean([holds(one, 0.05) for one in intervals]) <= 0.97
    apart = [
        sqrt(
            half_width(ratio_interval(first[at], offered[at])) ** 2
            + half_width(ratio_interval(second[at], lost[at])) ** 2
        )
        for at in range(TRIALS)
    ]
    assert np.mean([half_width(one) for one in intervals]) < 0.6 * np.mean(apart)


def test_enough_looks_at_the_width_wanted_and_at_the_least_count() -> None:
    interval = Interval(-20.0, -22.0, -18.0, 0.95, 6)
    assert enough(interval, half_width=2.0, least=6)
    assert not enough(interval, half_width=1.99)
    assert enough(interval, relative=0.1)
    assert not enough(interval, relative=0.099)
    assert not enough(interval, half_width=2.0, least=7)
    assert not enough(Interval(0.0, -1.0, 1.0, 0.95, 6), relative=0.5)
    assert not enough(mean_interval([3.0]), half_width=1e9)


def test_as_many_replications_as_bring_the_half_width_and_no_more() -> None:
    # Variance 0.31 of ten: 1.761 * sqrt(0.31 / 15) = 0.253, 1.753 * sqrt(0.31 / 16) = 0.244.
    ten = 1.833113 * sqrt(0.31 / 10)
    assert 16 == replications_needed(Interval(2.0, 2.0 - ten, 2.0 + ten, 0.9, 10), 0.25)
    deviation = np.std(LAW, ddof=1)
    for wanted in (0.29, 0.1, 0.01, 0.001):
        needed = replications_needed(mean_interval(LAW), wanted)
        assert needed is not None
        t = stats.t.ppf(0.975, [needed - 1, needed - 2])
        assert t[0] * deviation / sqrt(needed) <= wanted < t[1] * deviation / sqrt(needed - 1)


def test_no_more_replications_are_needed_when_the_half_width_is_reached() -> None:
    for count in range(3, 25):
        interval = mean_interval(np.arange(float(count)))
        assert count == replications_needed(interval, half_width(interval))
        assert count + 1 == replications_needed(interval, half_width(interval) * 0.9999)
    assert 7 == replications_needed(mean_interval([0.1] * 7), 1e-9)
    assert replications_needed(mean_interval([3.0]), 1.0) is None


def test_a_further_day_falls_between_the_outer_values() -> None:
    ten = prediction_interval([9.0, 3.0, 7.0, 1.0, 5.0, 2.0, 8.0, 4.0, 6.0], 0.8)
    assert Prediction(1.0, 9.0, 0.8, 0.8, 9) == ten
    # k = floor(40 * 0.05) = 2, though in floating point 1 - 0.9 is less than 0.1.
    assert Prediction(2.0, 38.0, 0.9, 0.9, 39) == prediction_interval(np.arange(1.0, 40.0))
    assert Prediction(1.0, 30.0, 0.9, 29 / 31, 30) == prediction_interval(np.arange(1.0, 31.0))


@pytest.mark.parametrize("count", [19, 30, 64])
def test_further_days_fall_in_as_often_as_the_ranks_say(count: int) -> None:
    random = np.random.default_rng(6)
    trials = random.lognormal(3.0, 1.0, (TRIALS, count))
    told = [prediction_interval(one) for one in trials]
    within = [
        one.low <= day <= one.high
        for one, day in zip(told, random.lognormal(3.0, 1.0, TRIALS), strict=True)
    ]
    assert pytest.approx(told[0].coverage_reached, abs=0.02) == np.mean(within)
    assert 0.9 <= told[0].coverage_reached


def test_too_few_days_for_a_prediction_are_refused_with_the_number_that_would_do() -> None:
    with pytest.raises(ValueError, match=r"18 values are too few for 0\.9, expected at least 19"):
        prediction_interval(np.arange(18.0))
    with pytest.raises(ValueError, match=r"38 values are too few for 0\.95, expected at least 39"):
        prediction_interval(np.arange(38.0), 0.95)
    assert 39 == prediction_interval(np.arange(39.0), 0.95).count


def test_von_neumanns_ratio_of_a_staircase_is_the_one_computed_by_hand() -> None:
    # Seven steps of 1; squared distances from 4.5: 42. C = 1 - 7 / 84, z = C * sqrt(63 / 6).
    stairs = batch_interval(np.arange(1.0, 9.0))
    assert pytest.approx(7 / 42) == stairs.neumann_ratio
    assert pytest.approx(26.25 / 42) == stairs.lag_one
    assert pytest.approx(stats.norm.sf(11 / 12 * sqrt(63 / 6))) == stairs.p_value
    assert not stairs.uncorrelated
    assert mean_interval(np.arange(1.0, 9.0)) == stairs.interval


def test_the_p_value_is_the_share_of_the_orders_that_give_so_small_a_ratio() -> None:
    values = np.random.default_rng(7).normal(size=8)
    orders = values[np.array(list(permutations(range(8))))]
    ratios = np.sum(np.diff(orders) ** 2, axis=1) / np.sum((values - values.mean()) ** 2)
    assert pytest.approx(2.0) == ratios.mean()
    for order in orders[::1009]:
        told = batch_interval(order)
        assert told.neumann_ratio is not None
        share = np.mean(ratios <= told.neumann_ratio + 1e-12)
        assert pytest.approx(share, abs=0.03) == told.p_value


def test_independent_batches_are_told_as_correlated_in_one_of_ten_trials() -> None:
    trials = np.random.default_rng(8).normal(size=(TRIALS, 20))
    told = [not batch_interval(one).uncorrelated for one in trials]
    assert 0.08 <= np.mean(told) <= 0.12


def test_batches_that_are_too_short_are_told_as_correlated_and_merging_mends_them() -> None:
    random = np.random.default_rng(9)
    told: list[BatchInterval] = []
    mended: list[BatchInterval] = []
    for _ in range(200):
        short = merged(autoregressive(random, 0.9, 6_000), 5)
        told.append(batch_interval(short))
        mended.append(batch_interval(merged(short, 60)))
    assert not any(one.uncorrelated for one in told)
    assert np.mean([holds(one.interval, 0.0) for one in told]) < 0.8
    assert np.mean([one.uncorrelated for one in mended]) > 0.75
    assert np.mean([holds(one.interval, 0.0) for one in mended]) > 0.9


def test_neighbours_that_swing_are_no_fault() -> None:
    swinging = batch_interval([1.0, -1.0] * 10)
    assert swinging.lag_one is not None
    assert swinging.lag_one < -0.9
    assert swinging.uncorrelated


def test_equal_batches_have_no_correlation_to_tell_of() -> None:
    assert BatchInterval(mean_interval([0.1] * 9), None, None, None) == batch_interval([0.1] * 9)
    assert batch_interval([0.1] * 9).uncorrelated


def test_merging_joins_neighbours_and_leaves_out_the_beginning() -> None:
    assert [2.5, 4.5, 6.5] == merged([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 2).tolist()
    assert [1.0, 2.0] == merged([1.0, 2.0], 1).tolist()
    assert [1.5] == merged([1.0, 2.0], 2).tolist()


def slow_warm_up_length(series: Floats) -> int | None:
    batches = [float(np.mean(series[at : at + 5])) for at in range(0, len(series) - 4, 5)]
    count = len(batches)
    errors = [
        float(np.var(batches[drop:])) / (count - drop) for drop in range(count - 4)
    ]  # np.var divides the squares by the number left once, the rule does it twice
    drop = errors.index(min(errors))
    return 5 * drop if drop <= count / 2 else None


def test_the_warm_up_is_the_one_found_by_trying_every_length() -> None:
    random = np.random.default_rng(10)
    found = []
    for _ in range(60):
        size = int(random.integers(50, 400))
        height = random.uniform(0.0, 4.0)
        fading = height * np.exp(-np.arange(size) / random.uniform(5.0, 200.0))
        series = 10 + fading + autoregressive(random, 0.5, size)
        found.append(warm_up_length(series))
        assert slow_warm_up_length(series) == found[-1]
    assert None in found
    assert len(set(found)) > 10


def test_a_known_transient_is_dropped_and_little_more() -> None:
    random = np.random.default_rng(11)
    series = random.normal(50.0, 1.0, 3_000)
    series[:300] += np.linspace(20.0, 0.0, 300)
    length = warm_up_length(series)
    assert length is not None
    assert 250 <= length <= 330
    assert pytest.approx(50.0, abs=0.1) == series[length:].mean()


def test_a_step_is_dropped_to_the_batch_and_a_level_run_is_kept_whole() -> None:
    assert 10 == warm_up_length([100.0] * 10 + [0.1] * 90)
    assert 15 == warm_up_length([100.0] * 11 + [0.1] * 89)
    assert 50 == warm_up_length([100.0] * 50 + [0.1] * 50)
    assert 50 == warm_up_length([1e9] * 10 + [5.0] * 40 + ([0.1] * 5 + [0.3] * 5) * 18)
    assert 0 == warm_up_length([0.1] * 100)


def test_a_run_that_never_settles_has_no_warm_up_length() -> None:
    assert warm_up_length(np.arange(200.0)) is None
    assert warm_up_length([100.0] * 55 + [0.1] * 45) is None


def test_a_few_observations_at_the_end_that_lie_close_are_not_taken_as_settled() -> None:
    series = np.random.default_rng(12).normal(size=500)
    series[-20:] = 0.0
    length = warm_up_length(series)
    assert length is not None
    assert length <= 250


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: mean_interval([]), "not empty"),
        (lambda: mean_interval(np.ones((2, 2))), r"\(2, 2\)"),
        (lambda: mean_interval([1.0, nan]), r"values\[1\] is nan"),
        (lambda: mean_interval([1.0, None]), r"values\[1\] is nan"),
        (lambda: mean_interval([-inf, 1.0]), r"values\[0\] is -inf"),
        (lambda: mean_interval([1e61, 1.0]), r"values\[0\] is 1e\+61"),
        (lambda: mean_interval([1.0, 2.0], 95.0), "confidence is 95"),
        (lambda: mean_interval([1.0], 0.0), "confidence is 0"),
        (lambda: ratio_interval([1.0], [0.0], nan), "confidence is nan"),
        (lambda: ratio_interval([1.0], [1.0, 2.0]), "1 and 2"),
        (lambda: ratio_interval([1.0, 2.0], [1.0, -2.0]), r"denominators\[1\] is -2"),
        (lambda: ratio_interval([1.0, 2.0], [1.0, 1e-61]), r"denominators\[1\] is 1e-61"),
        (lambda: difference_interval([1.0, 2.0], [1.0]), "2 and 1"),
        (lambda: ratio_difference_interval(([1.0], [1.0]), ([1.0] * 2, [1.0] * 2)), "1 and 2"),
        (lambda: ratio_difference_interval(([1.0], [1.0]), ([1.0], [nan])), "second denominators"),
        (lambda: enough(mean_interval(LAW)), "either half_width or relative"),
        (lambda: enough(mean_interval(LAW), half_width=1.0, relative=1.0), "either half_width"),
        (lambda: enough(mean_interval(LAW), half_width=0.0), "half_width is 0"),
        (lambda: enough(mean_interval(LAW), relative=nan), "relative is nan"),
        (lambda: replications_needed(mean_interval(LAW), -1.0), "half_width is -1"),
        (lambda: replications_needed(mean_interval(LAW), 1e-300), "more than 1000000000"),
        (lambda: prediction_interval(np.arange(99.0), 1.0), "coverage is 1"),
        (lambda: batch_interval(np.arange(7.0)), "7 batches are too few, expected at least 8"),
        (lambda: merged([1.0, 2.0], 3), "times is 3, expected 1 to 2"),
        (lambda: merged([1.0, 2.0], 0), "times is 0"),
        (lambda: warm_up_length(np.arange(49.0)), "49 observations are too few, expected 50"),
    ],
)
def test_what_has_no_answer_is_refused_by_name(wrong: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        wrong()  # type: ignore[operator]


def test_figures_at_the_limits_stay_finite() -> None:
    largest = [1e60, -1e60, 1e60, -1e60]
    assert np.isfinite(half_width(mean_interval(largest)))
    assert np.isfinite(half_width(difference_interval(largest, largest[::-1])))
    ratio = (largest, [1e-60, 0.0, 1e-60, 0.0])
    assert np.isfinite(half_width(ratio_interval(*ratio)))
    assert np.isfinite(half_width(ratio_difference_interval(ratio, ([1.0] * 4, [1e60] * 4))))
    assert warm_up_length(largest * 25) is not None
    assert 0.0 <= (batch_interval(largest * 5).neumann_ratio or nan) <= 4.0
