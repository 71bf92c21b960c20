"""Patience: the curve by hand, the known curve of the real log, and draws from it."""

import math
from pathlib import Path

import numpy as np
import pytest

from usher.router.trials import patience as module
from usher.router.trials.call_log import Call, CallOutcome, read_log
from usher.router.trials.patience import Patience, PatienceError, fit_patience

REAL = "data/anonymous_bank_1999_jan_feb.csv.gz"


def call(wait_s: int, *, left: bool = False, number: int = 1) -> Call:
    return Call(
        number=f"c{number:04d}",
        arrival_s=0,
        type="PS",
        priority=0,
        customer=0,
        outcome=CallOutcome.ABANDONED if left else CallOutcome.SERVED,
        wait_s=wait_s,
        talk_start_s=None if left else wait_s,
        talk_s=None if left else 60,
        agent="",
    )


def crowd() -> list[Call]:
    """20 callers: 5 leave at 10 s, 5 are answered at 10 s, 2 leave at 30 s, 8 answered at 40 s."""
    return [call(10, left=True)] * 5 + [call(10)] * 5 + [call(30, left=True)] * 2 + [call(40)] * 8


def test_the_curve_is_kaplan_meier_with_the_answered_censored() -> None:
    fit = fit_patience(crowd())
    assert [10, 30] == fit.times_s.tolist()
    assert [1.0, 0.75, 0.75] == [fit.willing(9), fit.willing(10), fit.willing(29)]
    assert 0.75 * 0.8 == pytest.approx(fit.willing(30))


def test_the_exponential_fit_is_time_waited_over_abandons() -> None:
    assert (5 * 10 + 5 * 10 + 2 * 30 + 8 * 40) / 7 == fit_patience(crowd()).mean_s


def test_who_did_not_wait_changes_neither_curve_nor_mean() -> None:
    fit, more = fit_patience(crowd()), fit_patience(crowd() + [call(0)] * 9)
    assert (20, 29) == (fit.calls, more.calls)
    assert fit.survival.tolist() == more.survival.tolist()
    assert fit.mean_s == more.mean_s


def test_past_its_end_the_curve_goes_on_exponentially() -> None:
    fit = fit_patience(crowd())
    assert fit.willing(30) / math.e == pytest.approx(fit.willing(30 + fit.mean_s))


def test_the_curve_ends_where_fewer_than_ten_still_wait() -> None:
    late = [call(50, left=True), *[call(60)] * 3]
    assert [10, 30] == fit_patience([*crowd()[:-4], *late]).times_s.tolist()


def test_without_abandons_there_is_nothing_to_fit() -> None:
    for calls in ([], [call(30)] * 40, [call(30, left=True)] * 3):
        with pytest.raises(PatienceError):
            fit_patience(calls)


def test_an_abandoned_call_leaves_at_its_recorded_wait() -> None:
    assert 30.0 == fit_patience(crowd()).draw_s(call(30, left=True), seed=4)


def test_a_served_call_is_always_willing_to_wait_longer_than_it_did() -> None:
    fit = fit_patience(crowd())
    for wait_s in (0, 9, 10, 29, 30, 31, 5_000):
        drawn = [fit.draw_s(call(wait_s, number=one), seed=4) for one in range(200)]
        assert wait_s < min(drawn)
        assert all(map(math.isfinite, drawn))


def test_a_draw_depends_on_the_seed_and_the_call_alone() -> None:
    fit = fit_patience(crowd())
    first = [fit.draw_s(call(40, number=one), seed=4) for one in range(50)]
    again = [fit.draw_s(call(40, number=one), seed=4) for one in reversed(range(50))]
    assert first == again[::-1]
    assert first != [fit.draw_s(call(40, number=one), seed=5) for one in range(50)]
    assert 50 == len(set(first))


@pytest.mark.parametrize("waited_s", [0, 10, 60])
def test_draws_follow_the_curve_given_what_was_already_waited(waited_s: int) -> None:
    fit = fit_patience(crowd())
    drawn = np.array([fit.draw_s(call(waited_s, number=one), seed=1) for one in range(4_000)])
    for longer_s in (20, 35, 100, 200):
        expected = min(1.0, fit.willing(longer_s) / fit.willing(waited_s))
        assert expected == pytest.approx(float(np.mean(drawn > longer_s)), abs=0.03)


def test_uniform_numbers_are_the_same_for_ever() -> None:
    assert 0.0 < module._uniform("1/c0001") < 1.0
    assert UNIFORM == module._uniform("1/c0001")


UNIFORM = 0.20893127680551793


def test_the_real_log_has_its_known_curve(shared: Path) -> None:
    log = read_log(shared / REAL)
    fit: Patience = fit_patience(one for day in log.values() for one in day.calls)
    known = {5: 0.988, 20: 0.935, 60: 0.833, 120: 0.724, 300: 0.510, 600: 0.311}
    for wait_s, expected in known.items():
        assert expected == pytest.approx(fit.willing(wait_s), abs=0.015)
    assert 372 == pytest.approx(fit.mean_s, rel=0.06)
