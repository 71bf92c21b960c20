"""Calibration from days that were made up with known figures, and the prediction of another day."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from usher.queue.measures import Outcome
from usher.queue.rules import Capacity, ChannelCapacity
from usher.queue.values import Channel, QueueName
from usher.router.trials.call_log import Call, CallDay, CallOutcome, LogFindings
from usher.simulation.distributions import Deterministic, Exponential
from usher.simulation.experiment import Plan
from usher.simulation.rows import Batch
from usher.simulation.scenario import ContactType, Curve, Day, Group, Scenario, Shift
from usher.simulation.streams import Streams
from usher.simulation.studies.calibration import Calibration, calibrate, mean_wait_s
from usher.simulation.studies.prediction import FIGURES, covered, predict
from usher.simulation.studies.recorded_days import ReplayRules, replay_policy
from usher.simulation.world import World

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


@pytest.fixture(scope="module")
def log() -> dict[date, CallDay]:
    """Three mornings of three agents, as a log shows them."""
    voice = ChannelCapacity(price=1, most=1, wrap_up_price=1)
    kind = ContactType(
        queue=QueueName("regular"),
        channel=Channel.VOICE,
        arrivals=Curve(counts=(38.0,) * 8, starts_min=480, every_min=30),
        handling=Exponential(TALK_S),
        patience=Exponential(PATIENCE_S),
        wrap_up=Deterministic(AFTER_CALL_S),
    )
    shift = Shift(agents=3, from_min=480, until_min=720)
    group = Group(capacity=Capacity(units=1, channels={Channel.VOICE: voice}), shifts=(shift,))
    scenario = Scenario(
        name="morning",
        types={"regular": kind},
        groups={"staff": group},
        horizon=Day(opens_min=480, closes_min=720),
    )
    policy = replay_policy(ReplayRules(after_call_s=AFTER_CALL_S))
    found = {}
    for number in range(3):
        (batch,) = World(scenario, policy, Streams(8, number)).batches()
        day = date(2026, 11, 2 + number)
        found[day] = CallDay(day=day, calls=recorded(batch), findings=NO_FINDINGS)
    return found


@pytest.fixture(scope="module")
def told(log: dict[date, CallDay]) -> Calibration:
    """The calibration of these days."""
    with ThreadPoolExecutor(1) as executor:
        return calibrate(log, executor)


def test_hidden_work_after_calls_is_found_again(
    log: dict[date, CallDay], told: Calibration
) -> None:
    assert pytest.approx(AFTER_CALL_S, abs=4) == told.replayed.after_call_s
    assert pytest.approx(mean_wait_s(log), rel=0.03) == told.replayed.mean_wait_s


def test_talks_patience_and_arrivals_are_those_of_the_days(
    log: dict[date, CallDay], told: Calibration
) -> None:
    calls = sum(len(found.calls) for found in log.values())
    assert (3, calls) == (told.days, told.calls)
    assert pytest.approx(TALK_S, rel=0.1) == told.talks.mean
    assert pytest.approx(PATIENCE_S, rel=0.3) == told.patience.exponential.mean_s
    assert pytest.approx(calls / 3) == float(told.arrivals.curve(0).mean.sum())
    assert 0.0 == told.high_share


def test_a_day_like_the_others_lies_within_its_prediction(
    log: dict[date, CallDay], told: Calibration
) -> None:
    (day,) = list(log)[:1]
    with ThreadPoolExecutor(1) as executor:
        rows = predict({day: log[day]}, told, Plan(replications=19, interval_min=60), executor)
    assert set(FIGURES) == {row.figure for row in rows if row.hour < 0}
    assert 1.0 == covered(rows, "calls", by_hour=False)
    assert {8, 9, 10, 11} == {row.hour for row in rows if row.hour >= 0}
    assert all(row.low <= row.mean <= row.high for row in rows)
    assert covered(rows, "no such figure", by_hour=True) is None
