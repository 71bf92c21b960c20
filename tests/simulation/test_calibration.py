"""Calibration from days that were made up with known figures, and the prediction of another day."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from usher.queue.measures import Outcome
from usher.queue.rules import Capacity, ChannelCapacity
from usher.queue.values import Channel, QueueName
from usher.router.trials.call_log import Call, CallDay, CallOutcome, LogFindings
from usher.simulation.distributions import Deterministic, Exponential, Gamma
from usher.simulation.experiment import Plan
from usher.simulation.rows import Batch
from usher.simulation.scenario import ContactType, Curve, Day, Group, Scenario, Shift
from usher.simulation.scenario_rules import check_scenario
from usher.simulation.streams import Streams
from usher.simulation.studies.calibration import (
    Calibration,
    calibrate,
    day_policy,
    usual_scenario,
)
from usher.simulation.studies.counting import counted
from usher.simulation.studies.prediction import FIGURES, as_csv, covered, predict
from usher.simulation.studies.recorded_days import ReplayRules, replay_policy
from usher.simulation.world import World

Log = dict[date, CallDay]

TALK_S, PATIENCE_S, AFTER_CALL_S = 100.0, 300.0, 25.0
NO_FINDINGS = LogFindings(**dict.fromkeys(LogFindings.__struct_fields__, 0))


def recorded(batch: Batch) -> tuple[Call, ...]:
    """Returns the calls as a log shows them: no work after a call, no presence."""
    rows, legs = batch.contacts, batch.legs
    talks_s = {
        (agent, active_ms): (talked_ms - active_ms) // 1000
        for agent, active_ms, talked_ms in zip(
            legs.agent.tolist(), legs.active_ms.tolist(), legs.talked_ms.tolist(), strict=True
        )
    }
    calls = []
    for place in rows.arrived_ms.argsort().tolist():
        agent, answered_ms = int(rows.agent[place]), int(rows.answered_ms[place])
        served = rows.outcome[place] == Outcome.COMPLETED
        calls.append(
            Call(
                number=f"c{place:04d}",
                arrival_s=int(rows.arrived_ms[place]) // 1000,
                type="PS",
                priority=1,
                customer=0,
                outcome=CallOutcome.SERVED if served else CallOutcome.ABANDONED,
                wait_s=int(rows.waits_ms[place]) // 1000,
                talk_start_s=answered_ms // 1000 if served else None,
                talk_s=talks_s[agent, answered_ms] if served else None,
                agent=f"agent-{agent}" if served else "",
            )
        )
    return tuple(calls)


def made_up(days: int, per_hour: tuple[float, ...], factor: Gamma | None) -> Log:
    """Mornings from eight o'clock on of three agents, as a log shows them."""
    voice = ChannelCapacity(price=1, most=1, wrap_up_price=1)
    closes_min = 480 + 60 * len(per_hour)
    kind = ContactType(
        queue=QueueName("regular"),
        channel=Channel.VOICE,
        arrivals=Curve(counts=per_hour, starts_min=480, every_min=60, day_factor=factor),
        handling=Exponential(TALK_S),
        patience=Exponential(PATIENCE_S),
        wrap_up=Deterministic(AFTER_CALL_S),
    )
    shift = Shift(agents=3, from_min=480, until_min=closes_min)
    group = Group(capacity=Capacity(units=1, channels={Channel.VOICE: voice}), shifts=(shift,))
    scenario = Scenario(
        name="morning",
        types={"regular": kind},
        groups={"staff": group},
        horizon=Day(opens_min=480, closes_min=closes_min),
    )
    policy = replay_policy(ReplayRules(after_call_s=AFTER_CALL_S))
    found = {}
    for number in range(days):
        (batch,) = World(scenario, policy, Streams(8, number)).batches()
        day = date(2026, 11, 2) + timedelta(days=number)
        found[day] = CallDay(day=day, calls=recorded(batch), findings=NO_FINDINGS)
    return found


@pytest.fixture(scope="module")
def log() -> Log:
    """Three mornings that differ by chance alone."""
    return made_up(3, (76.0,) * 4, None)


@pytest.fixture(scope="module")
def told(log: Log) -> Calibration:
    """The calibration of these days."""
    with ThreadPoolExecutor(1) as executor:
        return calibrate(log, executor, gaps_s=(600, 1200))


def test_hidden_work_after_calls_is_found_again(told: Calibration) -> None:
    for one in told.tried:
        seen = one.seen.distribution
        assert pytest.approx(AFTER_CALL_S, abs=1) == seen.mean
        assert pytest.approx(AFTER_CALL_S, abs=1) == float(np.median(seen.values))
    # What the made-up days need for the same waits is what was seen.
    assert pytest.approx(AFTER_CALL_S, abs=5) == told.presence.hidden.mean


def test_the_days_made_up_are_served_as_the_recorded_ones(told: Calibration) -> None:
    modelled, wanted = told.presence.modelled, told.recorded
    assert pytest.approx(wanted.mean_wait_s, rel=0.15) == modelled.mean_wait_s
    assert pytest.approx(wanted.abandoned, rel=0.15) == modelled.abandoned
    assert pytest.approx(wanted.answered_within, rel=0.15) == modelled.answered_within


def test_the_staff_of_the_mornings_is_found_again(told: Calibration) -> None:
    assert (Shift(agents=3, from_min=480, until_min=720),) == told.staff.shifts


def test_talks_patience_and_arrivals_are_those_of_the_days(log: Log, told: Calibration) -> None:
    calls = sum(len(found.calls) for found in log.values())
    figures = told.counted
    assert (3, calls) == (figures.days, figures.calls)
    assert pytest.approx(TALK_S, rel=0.1) == figures.talks.mean
    assert pytest.approx(PATIENCE_S, rel=0.3) == figures.patience.exponential.mean_s
    assert pytest.approx(calls / 3) == float(figures.arrivals.curve(0).mean.sum())
    assert ["PS"] == list(figures.types)
    assert 0.0 == figures.types["PS"].high_share


def test_curve_and_day_factor_of_many_mornings_are_found_again() -> None:
    found = counted(made_up(40, (30.0, 60.0), Gamma(1, 0.3)))
    curve = found.arrivals.curve(0).mean
    assert pytest.approx(30, rel=0.15) == float(curve[8])
    assert pytest.approx(60, rel=0.15) == float(curve[9])
    # The relative standard error of a deviation from 40 days is a ninth.
    factor = found.arrivals.day_factor.distribution
    assert factor is not None
    assert pytest.approx(0.3, rel=0.3) == factor.deviation


def test_a_day_like_the_others_lies_within_its_prediction(log: Log, told: Calibration) -> None:
    (day,) = list(log)[:1]
    with ThreadPoolExecutor(1) as executor:
        rows = predict({day: log[day]}, told, Plan(replications=19, interval_min=60), executor)
    assert set(FIGURES) == {row.figure for row in rows if row.is_day}
    assert 1.0 == covered(rows, "calls", by_hour=False)
    assert {8, 9, 10, 11} == {row.hour for row in rows if not row.is_day}
    assert all(row.low <= row.mean <= row.high for row in rows)
    assert covered(rows, "no such figure", by_hour=True) is None
    lines = as_csv(rows).splitlines()
    assert "day,hour,figure,recorded,mean,low,high,inside" == lines[0]
    assert len(rows) + 1 == len(lines)


def test_a_usual_day_is_open_while_calls_came(told: Calibration) -> None:
    usual = usual_scenario(told, "usual", "usual.policy.toml")
    assert Day(opens_min=480, closes_min=720, finish_ms=6 * 3_600_000) == usual.horizon
    assert told.staff == usual.groups["staff"]
    assert () == tuple(check_scenario(usual, day_policy()))


def test_days_without_a_named_agent_tell_no_hidden_work(log: Log) -> None:
    nameless = {
        day: replace(found, calls=tuple(replace(call, agent="") for call in found.calls))
        for day, found in log.items()
    }
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(ValueError, match="found no pause of an agent, named in the log"),
    ):
        calibrate(nameless, executor)


def test_days_without_a_talk_tell_nothing(log: Log) -> None:
    lost = {
        day: replace(found, calls=tuple(c for c in found.calls if c.talk_s is None))
        for day, found in log.items()
    }
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="and no talk among"):
        calibrate(lost, executor)
