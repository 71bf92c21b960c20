"""Recorded days of the bank replayed call by call (`shared/research/simulation.md`, section 4).

Presence guessed by a gap of ten minutes, a head start of 90 s for priority 2, patience of the
served = own wait + Exp(372 s). With 30 s of hidden work after each call the waits are as recorded;
without it they are far too short. All days with USHER_FULL=1, else every tenth.
"""

from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from usher.queue.measures import Outcome
from usher.router.trials.call_log import Call, CallDay, CallOutcome, is_regular, read_log
from usher.simulation.scenario import Listed
from usher.simulation.streams import Streams
from usher.simulation.studies.recorded_days import (
    ReplayRules,
    Stretch,
    replay_policy,
    replay_scenario,
    stretches,
)
from usher.simulation.world import World

LOG = "data/anonymous_bank_1999_jan_feb.csv.gz"
OFF = 0.05


@pytest.fixture(scope="module")
def log(shared: Path, full: bool) -> dict[date, CallDay]:
    """The regular days that had calls."""
    found = {day: calls for day, calls in read_log(shared / LOG).items() if is_regular(day)}
    return found if full else dict(list(found.items())[::10])


def replayed(log: dict[date, CallDay], rules: ReplayRules) -> tuple[float, float, float]:
    """Returns (mean wait in s, share that left, share answered within 20 s) over all days."""
    waits_s, left, within, count = 0.0, 0, 0, 0
    for day, found in log.items():
        scenario = replay_scenario(str(day), found.calls, rules, Streams(1))
        (batch,) = World(scenario, replay_policy(rules), Streams(1)).batches()
        rows = batch.contacts
        waits_s += float(rows.waits_ms.sum()) / 1000
        left += int((rows.outcome == Outcome.ABANDONED).sum())
        within += int(((rows.answered_ms >= 0) & (rows.waits_ms <= 20_000)).sum())
        count += len(rows.type)
    return waits_s / count, left / count, within / count


# Over all days as the research page has them; over every tenth as they were found here.
@pytest.mark.parametrize(
    ("after_call_s", "of_all", "of_tenth"),
    [
        (0.0, (24.4, 0.0800, 0.693), (23.1, 0.0754, 0.689)),
        (30.0, (42.1, 0.1269, 0.530), (42.4, 0.1298, 0.501)),
    ],
)
def test_hidden_work_after_calls_makes_the_waits_those_of_the_log(
    log: dict[date, CallDay],
    full: bool,
    after_call_s: float,
    of_all: tuple[float, ...],
    of_tenth: tuple[float, ...],
) -> None:
    told = replayed(log, ReplayRules(after_call_s=after_call_s))
    assert pytest.approx(of_all if full else of_tenth, rel=OFF) == told


def test_a_talk_alone_is_no_stretch_of_duty() -> None:
    calls = [
        _served("a", start_s=1_000, talk_s=100),
        _served("a", start_s=1_500, talk_s=100),
        _served("a", start_s=9_000, talk_s=100),
        _served("b", start_s=1_000, talk_s=100),
    ]
    assert [Stretch("a", 1_000, 1_600)] == stretches(calls, 600)


def test_the_patience_of_who_left_is_the_wait_and_of_the_served_is_longer() -> None:
    served = _served("a", start_s=1_000, talk_s=100)
    left = replace(served, outcome=CallOutcome.ABANDONED, agent="", talk_start_s=None, talk_s=None)
    scenario = replay_scenario("day", [left, served], ReplayRules(), Streams(1))
    arrivals = scenario.types["regular"].arrivals
    assert isinstance(arrivals, Listed)
    assert 5.0 == arrivals.patience_s[0] < arrivals.patience_s[1]
    assert (100.0, 100.0) == arrivals.handling_s  # who left might have talked like the other


def _served(agent: str, *, start_s: int, talk_s: int) -> Call:
    return Call(
        number="c",
        arrival_s=start_s - 5,
        type="PS",
        priority=1,
        customer=0,
        outcome=CallOutcome.SERVED,
        wait_s=5,
        talk_start_s=start_s,
        talk_s=talk_s,
        agent=agent,
    )
