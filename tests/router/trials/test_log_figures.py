"""Duty guessed from talks, and the log's own figures against the known ones."""

from datetime import date
from pathlib import Path

import pytest

from usher.router.trials.call_log import DEFAULT_DATE as DAY
from usher.router.trials.call_log import Call, CallDay, CallOutcome, is_regular, read_log
from usher.router.trials.log_figures import agents_on_duty, log_measures

REAL = "data/anonymous_bank_1999_jan_feb.csv.gz"


@pytest.fixture(scope="module")
def real_log(shared: Path) -> dict[date, CallDay]:
    return read_log(shared / REAL)


def served(agent: str, talk_start_s: int, talk_s: int, *, kind: str = "PS", wait: int = 0) -> Call:
    return Call(
        number=f"c{talk_start_s:04d}",
        arrival_s=talk_start_s - wait,
        type=kind,
        priority=0,
        customer=0,
        outcome=CallOutcome.SERVED,
        wait_s=wait,
        talk_start_s=talk_start_s,
        talk_s=talk_s,
        agent=agent,
    )


def abandoned(arrival_s: int, wait_s: int) -> Call:
    return Call(
        number=f"c{arrival_s:04d}",
        arrival_s=arrival_s,
        type="NW",
        priority=0,
        customer=0,
        outcome=CallOutcome.ABANDONED,
        wait_s=wait_s,
        talk_start_s=None,
        talk_s=None,
        agent="",
    )


def test_an_agent_is_on_duty_between_talks_closer_than_the_gap() -> None:
    calls = [
        served("A2", 50, 10, kind="IN"),
        served("A1", 100, 60),
        served("A1", 759, 41, kind="NE"),
        served("A1", 1_400, 20),
        abandoned(0, 9),
    ]
    first, second = agents_on_duty(calls)
    assert ("A1", ((100, 800), (1_400, 1_420)), ("NE", "PS"), 3) == (
        first.agent,
        first.intervals_s,
        first.types,
        first.talks,
    )
    assert ("A2", ((50, 60),), ("IN",)) == (second.agent, second.intervals_s, second.types)
    assert ((100, 1_420),) == agents_on_duty(calls, gap_s=601)[0].intervals_s


def test_a_long_talk_covers_short_ones_that_overlap_it() -> None:
    (duty,) = agents_on_duty([served("A1", 0, 2_000), served("A1", 100, 5)])
    assert ((0, 2_000),) == duty.intervals_s


def test_talks_without_an_agent_or_a_length_put_nobody_on_duty() -> None:
    assert [] == agents_on_duty([served("", 0, 50), served("A1", 90, 0)])


def test_the_figures_of_a_log_go_by_the_common_measures() -> None:
    calls = [
        served("A1", 100, 60, wait=30),
        served("A1", 200, 40, wait=10),
        served("", 300, 20),
        abandoned(100, 4),
    ]
    found = log_measures(calls)
    assert (4, 3, 1, 1) == (
        found.measures.offered,
        found.measures.answered,
        found.measures.abandoned,
        found.measures.abandoned_short,
    )
    assert (11_000.0, 0.5) == (
        found.measures.wait_offered.mean_ms,
        found.measures.service_levels.of_offered,
    )
    assert (3, 40_000.0) == (found.handle.legs, found.handle.mean_handle_ms)
    assert 100 / 140 == found.occupancy.occupancy


def test_a_log_without_calls_has_no_figures() -> None:
    found = log_measures([])
    assert None is found.measures.abandon_share is found.occupancy.occupancy


def test_the_real_log_has_its_known_waits_and_service_levels(
    real_log: dict[date, CallDay],
) -> None:
    whole = log_measures(call for one in real_log.values() for call in one.calls).measures
    levels = whole.service_levels
    assert 0.53 == pytest.approx(levels.of_offered, abs=0.01)
    assert 0.60 == pytest.approx(levels.of_answered, abs=0.01)
    assert levels.of_offered < levels.abandons_within_excluded < levels.of_answered  # type: ignore[operator]
    assert levels.of_offered < levels.abandons_within_met < levels.of_answered  # type: ignore[operator]
    # 372 s in the three months.
    assert 372 == pytest.approx(whole.wait_offered.mean_ms / whole.abandon_share / 1000, rel=0.06)  # type: ignore[operator]


def test_the_regular_days_of_the_real_log_have_their_known_figures(
    real_log: dict[date, CallDay],
) -> None:
    days = [one for one in real_log.values() if is_regular(one.day)]
    found = log_measures(call for one in days for call in one.calls).measures
    assert 43_000 == pytest.approx(found.wait_offered.mean_ms, abs=500)
    assert 0.121 == pytest.approx(found.abandon_share, abs=0.0005)
    assert 0.511 == pytest.approx(found.service_levels.of_offered, abs=0.0005)


def test_a_real_day_has_its_agents_and_a_sensible_occupancy(real_log: dict[date, CallDay]) -> None:
    calls = real_log[DAY].calls
    duties = agents_on_duty(calls)
    assert 18 == len(duties)
    assert sum(call.agent != "" for call in calls) == sum(duty.talks for duty in duties)
    occupancy = log_measures(calls).occupancy.occupancy
    assert occupancy is not None
    assert 0.5 < occupancy < 0.95
