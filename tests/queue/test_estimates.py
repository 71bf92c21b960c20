"""The range of a wait: against exact quantiles, and against desks that are played by dice."""

from random import Random

import pytest
from scipy.stats import gamma

from usher.queue.estimates import WaitRange, wait_range

USUAL_MS = 300_000


def equal(pieces: int, desks: int) -> WaitRange:
    return wait_range(pieces * USUAL_MS, pieces * USUAL_MS**2, desks)


def coverage(wait: WaitRange, pieces: int, desks: int) -> tuple[float, float]:
    """Chances that the wait is at most p50 and p90: pieces of work worked off by desks in turn.

    The n-th end of memoryless work at m busy desks comes after an Erlang(n, m / usual) time.
    """
    scale = USUAL_MS / desks
    below = gamma.cdf([wait.p50_ms, wait.p90_ms], pieces, scale=scale)
    return float(below[0]), float(below[1])


@pytest.mark.parametrize("desks", range(1, 11))
def test_half_and_nine_of_ten_wait_no_longer_than_the_range_says(desks: int) -> None:
    for pieces in range(1, 21):
        half, most = coverage(equal(pieces, desks), pieces, desks)
        assert 0.485 <= half <= 0.515, (pieces, half)
        assert 0.890 <= most <= 0.910, (pieces, most)


def test_the_range_is_good_for_the_first_and_better_further_back() -> None:
    assert pytest.approx(gamma.ppf(0.5, 1) * USUAL_MS, rel=0.05) == equal(1, 1).p50_ms
    for pieces in (5, 20, 100):
        expected = gamma.ppf([0.5, 0.9], pieces, scale=USUAL_MS / 3)
        wait = equal(pieces, 3)
        assert pytest.approx(expected[0], rel=0.002) == wait.p50_ms
        assert pytest.approx(expected[1], rel=0.02) == wait.p90_ms


@pytest.mark.parametrize("desks", [1, 3, 8])
@pytest.mark.parametrize("usual", [[60_000, 900_000], [120_000, 120_000, 300_000, 1_500_000]])
def test_a_mix_of_short_and_long_work_is_covered_as_well(desks: int, usual: list[int]) -> None:
    work = [usual[number % len(usual)] for number in range(6)]
    wait = wait_range(sum(work), sum(each**2 for each in work), desks)
    random = Random(7)
    waits = [played(random, work, desks) for _ in range(4_000)]
    half = sum(each <= wait.p50_ms for each in waits) / len(waits)
    most = sum(each <= wait.p90_ms for each in waits) / len(waits)
    assert 0.40 <= half <= 0.60, half
    assert 0.84 <= most <= 0.97, most


def played(random: Random, work: list[int], desks: int) -> float:
    """Returns the sum of memoryless times of these pieces, worked off by that many together."""
    return sum(random.expovariate(1 / each) for each in work) / desks


def test_more_work_takes_longer_and_more_desks_take_less() -> None:
    ranges = [equal(pieces, 2) for pieces in range(20)]
    assert ranges == sorted(ranges, key=lambda each: (each.p50_ms, each.p90_ms))
    fewer = [equal(6, desks).p90_ms for desks in range(1, 10)]
    assert fewer == sorted(fewer, reverse=True)
    assert all(each.p50_ms <= each.p90_ms for each in ranges)


def test_without_work_nobody_waits() -> None:
    assert WaitRange(0, 0) == wait_range(0, 0, 3)


def test_the_range_of_the_longest_work_there_may_be_is_a_number() -> None:
    longest = 400 * 24 * 3600 * 1000
    count = 200_000
    wait = wait_range(count * longest, count * longest**2, 1)
    assert 0 < wait.p50_ms < wait.p90_ms
    assert isinstance(wait.p50_ms, int) and isinstance(wait.p90_ms, int)
