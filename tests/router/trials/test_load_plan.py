"""A day of a log as a script: queues, skills, shifts, patience and talks."""

from datetime import date

import msgspec
import pytest

from usher.queue.rules import Order
from usher.router.policy import check_policy, check_roster
from usher.router.trials.call_log import Call, CallDay, CallOutcome, LogFindings
from usher.router.trials.load_plan import LoadOptions, LoadPlanError, plan_day

NO_FINDINGS = LogFindings(**dict.fromkeys(LogFindings.__struct_fields__, 0))
REGULAR = Call(
    number="c0001",
    arrival_s=1_000,
    type="PS",
    priority=0,
    customer=0,
    outcome=CallOutcome.SERVED,
    wait_s=10,
    talk_start_s=1_010,
    talk_s=100,
    agent="A01",
)


def day(*calls: Call) -> CallDay:
    return CallDay(day=date(1999, 2, 2), calls=calls, findings=NO_FINDINGS)


def call(number: int, **changes: object) -> Call:
    arrival_s = 1_000 + 60 * number
    base = {"number": f"c{number:04d}", "arrival_s": arrival_s, "talk_start_s": arrival_s + 10}
    return msgspec.structs.replace(REGULAR, **(base | changes))  # type: ignore[arg-type]


def abandoned(number: int, wait_s: int, **changes: object) -> Call:
    gone = {"outcome": CallOutcome.ABANDONED, "talk_start_s": None, "talk_s": None, "agent": ""}
    return call(number, wait_s=wait_s, **(gone | changes))


def many(count: int = 30) -> list[Call]:
    """Enough calls that a patience can be fitted: every third one left."""
    return [abandoned(n, 20 + n) if n % 3 == 0 else call(n) for n in range(1, count + 1)]


def test_a_type_is_a_queue_and_a_skill_and_priority_two_has_a_head_start() -> None:
    calls = [call(1), call(2, type="NE", priority=2, agent="A02"), call(3, priority=2)]
    script = plan_day(day(*calls), LoadOptions(after_call_ms=7_000)).script
    queues = {queue.name: queue for queue in script.policy.queues}
    assert {"NE.high": 90_000, "PS": 0, "PS.high": 90_000} == {
        name: queue.head_start_ms for name, queue in queues.items()
    }
    assert {Order.FCFS} == {queue.order for queue in queues.values()}
    assert ["NE"] == [one.skill for one in queues["NE.high"].requirements]
    assert {"A01": {"PS"}, "A02": {"NE"}} == {
        one.id: set(one.skills) for one in script.roster.agents
    }
    assert 7_000 == script.policy.channels["voice"].wrap_up_ms  # type: ignore[index]
    assert [] == [*check_policy(script.policy), *check_roster(script.roster, script.policy)]


def test_a_type_that_nobody_served_needs_no_skill() -> None:
    script = plan_day(day(call(1), abandoned(2, 5, type="TT")), LoadOptions()).script
    assert () == {queue.name: queue for queue in script.policy.queues}["TT"].requirements  # type: ignore[index]


def test_who_left_leaves_at_the_recorded_wait_and_who_was_served_after_it() -> None:
    plan = plan_day(day(*many()), LoadOptions())
    planned = {one.contact_id: one for one in plan.script.contacts}
    for one in plan.calls:
        patience_ms = planned[one.number].patience_ms
        assert patience_ms is not None
        if one.outcome is CallOutcome.ABANDONED:
            assert 1000 * one.wait_s == patience_ms
        else:
            assert 1000 * one.wait_s < patience_ms


def test_talks_are_as_recorded_and_drawn_from_the_type_for_who_left() -> None:
    calls = [*many(), call(40, type="NE", talk_s=777, agent="A02"), abandoned(41, 9, type="NE")]
    planned = {one.contact_id: one for one in plan_day(day(*calls), LoadOptions()).script.contacts}
    assert 777_000 == planned["c0040"].handle_ms == planned["c0041"].handle_ms
    assert {100_000} == {planned[one.number].handle_ms for one in many()}


def test_the_same_seed_gives_the_same_day_and_another_one_another() -> None:
    first, again, other = (
        plan_day(day(*many()), LoadOptions(seed=seed)).script.contacts for seed in (1, 1, 2)
    )
    assert first == again
    assert [one.patience_ms for one in first] != [one.patience_ms for one in other]


def test_shifts_are_the_stretches_between_close_talks_and_close_is_the_last_arrival() -> None:
    calls = [call(1), call(2), call(30), abandoned(31, 5)]
    script = plan_day(day(*calls), LoadOptions()).script
    assert [(1_070_000, 1_230_000), (2_810_000, 2_910_000)] == [
        (one.from_ms, one.until_ms) for one in script.shifts
    ]
    assert 1000 * (1_000 + 60 * 31) == script.close_ms
    assert 1000 * (1_000 + 60) - 5_000 == script.start_ms


def test_some_hours_have_their_calls_and_those_on_duty_then() -> None:
    calls = [call(1), call(2), call(30, agent="A02"), call(31, agent="A02"), call(80)]
    options = LoadOptions(from_ms=2_820_000, until_ms=2_900_000)
    script = plan_day(day(*calls), options).script
    assert ["c0031"] == [one.contact_id for one in script.contacts]
    assert [("A02", 2_815_000)] == [(one.agent_id, one.from_ms) for one in script.shifts]


def test_a_day_without_calls_or_agents_is_refused() -> None:
    with pytest.raises(LoadPlanError, match="0 calls"):
        plan_day(day(), LoadOptions())
    with pytest.raises(LoadPlanError, match="0 shifts"):
        plan_day(day(abandoned(1, 5)), LoadOptions())
