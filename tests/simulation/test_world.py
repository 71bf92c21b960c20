"""What people do in a run: answering, wrap-up, breaks, shifts, outages, retrials, balking."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from usher.queue.measures import Outcome
from usher.queue.occupancy import PresenceKind
from usher.queue.rules import (
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Connects,
    Order,
    Policy,
    QueueRules,
    Requirement,
)
from usher.queue.values import Channel, QueueName
from usher.simulation.checks import BrokenRun, check_batch
from usher.simulation.distributions import Deterministic, Exponential, Gamma
from usher.simulation.rows import Batch
from usher.simulation.scenario import (
    Again,
    Break,
    ContactType,
    Curve,
    Day,
    Group,
    Listed,
    Outage,
    Poisson,
    Scenario,
    Shift,
    Steady,
)
from usher.simulation.streams import Streams
from usher.simulation.world import Unstable, World

MINUTE_MS = 60_000
VOICE = Capacity(units=1, channels={Channel.VOICE: ChannelCapacity(wrap_up_price=1)})


def policy(*, lost_grace_ms: int | None = None, **queue: Any) -> Policy:
    rules = ChannelRules(
        connects=Connects.CONNECT,
        wrap_up_ms=600_000,
        missed_offers_max=1,
        lost_grace_ms=lost_grace_ms,
    )
    help_queue = QueueRules(name=QueueName("help"), order=Order.FCFS, **queue)
    return Policy(version="p", queues=(help_queue,), channels={Channel.VOICE: rules})


def calls(*at_s: float, **rules: Any) -> ContactType:
    given: dict[str, Any] = {"arrivals": Listed(at_s=at_s), "handling": Deterministic(100)}
    return ContactType(queue=QueueName("help"), channel=Channel.VOICE, **(given | rules))


def day(kind: ContactType, group: Group, **more: Any) -> Scenario:
    return Scenario(name="day", types={"call": kind}, groups={"front": group}, **more)


def run(scenario: Scenario, rules: Policy | None = None, seed: int = 1) -> Batch:
    (batch,) = World(scenario, rules or policy(), Streams(seed)).batches()
    return batch


def agents(number: int = 1, **more: Any) -> Group:
    return Group(capacity=VOICE, agents=number, **more)


def test_a_call_is_answered_after_ringing_and_wrapped_up() -> None:
    group = agents(answering=Deterministic(4))
    batch = run(day(calls(10, wrap_up=Deterministic(30)), group))
    rows, legs = batch.contacts, batch.legs
    assert [10_000] == rows.arrived_ms.tolist()
    assert [14_000] == rows.answered_ms.tolist() == legs.active_ms.tolist()
    assert [114_000] == rows.ended_ms.tolist() == legs.talked_ms.tolist()
    assert [144_000] == legs.done_ms.tolist()
    assert [Outcome.COMPLETED] == rows.outcome.tolist()


def test_a_wrap_up_ends_at_the_limit_of_the_policy() -> None:
    batch = run(day(calls(10, wrap_up=Deterministic(3_000)), agents()))
    assert [600_000] == (batch.legs.done_ms - batch.legs.talked_ms).tolist()


def test_who_has_no_patience_left_leaves_the_queue_in_order() -> None:
    batch = run(day(calls(0, 1, 2, patience=Deterministic(50)), agents()))
    assert [
        Outcome.ABANDONED,
        Outcome.ABANDONED,
        Outcome.COMPLETED,
    ] == batch.contacts.outcome.tolist()
    assert [50_000, 50_000, 0] == batch.contacts.waits_ms.tolist()


def test_a_speed_of_two_halves_the_handling_time() -> None:
    batch = run(day(calls(0), agents(speed={"call": 2.0})))
    assert [50_000] == batch.contacts.ended_ms.tolist()


def test_the_end_of_a_shift_finishes_the_call_and_takes_no_other() -> None:
    shifts = (Shift(agents=1, from_min=0, until_min=1), Shift(agents=1, from_min=10, until_min=20))
    batch = run(day(calls(30, 70), Group(capacity=VOICE, shifts=shifts)))
    assert [30_000, 600_000] == batch.contacts.answered_ms.tolist()
    assert [130_000, 700_000] == batch.contacts.ended_ms.tolist()
    draining = batch.presence.kind == PresenceKind.DRAINING
    assert [70_000] == (batch.presence.until_ms - batch.presence.from_ms)[draining].tolist()


def test_a_break_stops_new_calls_until_it_is_over() -> None:
    pause = Break(from_min=1, until_min=5)
    shift = Shift(agents=1, from_min=0, until_min=60, breaks=(pause,))
    batch = run(day(calls(90), Group(capacity=VOICE, shifts=(shift,))))
    assert [5 * MINUTE_MS] == batch.contacts.answered_ms.tolist()
    away = batch.presence.kind == PresenceKind.NOT_READY
    assert 4 * MINUTE_MS == int((batch.presence.until_ms - batch.presence.from_ms)[away].sum())


def test_a_site_that_is_out_takes_nothing_and_lets_calls_go_on() -> None:
    scenario = day(
        calls(30, 90),
        agents(site="north"),
        outages=(Outage(site="north", from_min=1, until_min=9),),
    )
    batch = run(scenario)
    assert [30_000, 9 * MINUTE_MS] == batch.contacts.answered_ms.tolist()
    assert 130_000 == batch.contacts.ended_ms[0]


def test_who_is_cut_off_by_an_outage_waits_again_after_the_grace() -> None:
    outage = Outage(site="north", from_min=1, until_min=9)
    scenario = day(calls(30, 90), agents(site="north"), outages=(outage,))
    batch = run(scenario, policy(lost_grace_ms=10_000))
    # The first keeps its place, is answered anew when the site is back, and talks all over again.
    assert [640_000, 740_000] == batch.contacts.ended_ms.tolist()
    assert [30_000, 640_000] == batch.contacts.answered_ms.tolist()


def test_an_agent_who_is_too_slow_misses_the_offer_and_comes_back() -> None:
    group = agents(answering=Deterministic(25), returns_after_ms=30_000)
    batch = run(day(calls(0, patience=Deterministic(70)), group), policy(offer_timeout_ms=20_000))
    assert [Outcome.ABANDONED] == batch.contacts.outcome.tolist()
    away = batch.presence.kind == PresenceKind.NOT_READY
    assert 30_000 == (batch.presence.until_ms - batch.presence.from_ms)[away][0]


def test_absent_agents_are_nowhere() -> None:
    batch = run(day(calls(0, patience=Deterministic(60)), agents(absence=1.0)))
    assert [Outcome.ABANDONED] == batch.contacts.outcome.tolist()
    assert 0 == len(batch.presence.agent)


def test_who_left_comes_again_as_often_as_allowed() -> None:
    retrial = Again(share=1.0, after=Deterministic(300), most=2)
    kind = calls(0, 0, patience=Deterministic(10), handling=Deterministic(3_000), retrial=retrial)
    batch = run(day(kind, agents()))
    assert [1, 2, 3] == batch.contacts.attempt[batch.contacts.outcome == Outcome.ABANDONED].tolist()
    assert [0, 310_000, 620_000] == sorted(
        batch.contacts.arrived_ms[batch.contacts.outcome == Outcome.ABANDONED].tolist()
    )


def test_who_was_served_in_vain_calls_again() -> None:
    kind = calls(0, redial=Again(share=1.0, after=Deterministic(60), most=1))
    batch = run(day(kind, agents(quality={"call": 0.0})))
    assert [1, 2] == batch.contacts.attempt.tolist()
    assert [0, 160_000] == batch.contacts.arrived_ms.tolist()


def test_a_full_queue_turns_away_at_the_door() -> None:
    batch = run(day(calls(0, 1, 2), agents()), policy(most_waiting=1))
    assert [Outcome.OTHER] == batch.contacts.outcome[batch.contacts.arrived_ms == 2_000].tolist()
    assert 2 == int(np.sum(batch.contacts.outcome == Outcome.COMPLETED))


def test_who_is_told_too_long_a_wait_balks() -> None:
    kind = calls(0, 1, 150, 151, balking=Deterministic(50))
    batch = run(day(kind, agents()))
    turned = batch.contacts.outcome == Outcome.OTHER
    assert [151_000] == batch.contacts.arrived_ms[turned].tolist()  # told 99 s, with one before it


def test_contacts_of_a_batch_come_at_once() -> None:
    batch = run(day(calls(5, 6, batch=(0.0, 0.0, 1.0)), agents(6)))
    assert [5_000] * 3 + [6_000] * 3 == sorted(batch.contacts.arrived_ms.tolist())


def test_work_with_two_at_once_is_slower_for_both() -> None:
    capacity = Capacity(units=2, channels={Channel.VOICE: ChannelCapacity(most=2)})
    group = Group(capacity=capacity, agents=1, slowdown={Channel.VOICE: (1.0, 0.5)})
    batch = run(day(calls(0, 50), group))
    # 50 s alone, then half of the pace: the first has 50 s left and takes 100; the second has 50 s
    # left when it is alone again.
    assert [150_000, 200_000] == batch.contacts.ended_ms.tolist()


def test_nobody_comes_after_closing_and_the_day_ends_when_all_is_done() -> None:
    horizon = Day(opens_min=0, closes_min=2, finish_ms=3600_000)
    batch = run(day(calls(10, 100, 130), agents(), horizon=horizon))
    assert 2 == len(batch.contacts.arrived_ms)
    assert 210_000 == batch.until_ms


def test_who_is_left_at_the_end_of_the_day_is_open() -> None:
    horizon = Day(closes_min=1, finish_ms=60_000)
    batch = run(day(calls(10, handling=Deterministic(3_000)), agents(), horizon=horizon))
    assert [Outcome.OPEN] == batch.contacts.outcome.tolist()
    assert [-1] == batch.contacts.ended_ms.tolist()


def test_a_run_that_only_grows_is_stopped() -> None:
    kind = ContactType(
        queue=QueueName("help"),
        channel=Channel.VOICE,
        arrivals=Poisson(per_hour=3600),
        handling=Exponential(100),
    )
    scenario = day(kind, agents(2), horizon=Steady(), queue_most=200)
    with pytest.raises(Unstable, match="more than 200 contacts of call wait"):
        list(World(scenario, policy(), Streams(1)).batches())


def busy_day(**more: Any) -> Scenario:
    kind = calls(
        arrivals=Curve(counts=(40, 60, 30), starts_min=480, every_min=60),
        handling=Exponential(120),
        patience=Exponential(200),
        wrap_up=Exponential(20),
        retrial=Again(share=0.5, after=Exponential(300)),
    )
    return day(kind, agents(2), horizon=Day(opens_min=480, closes_min=660), **more)


def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    first, again, other = (run(busy_day(), seed=seed) for seed in (5, 5, 6))
    assert first.contacts.ended_ms.tolist() == again.contacts.ended_ms.tolist()
    assert first.contacts.arrived_ms.tolist() != other.contacts.arrived_ms.tolist()


def test_two_policies_meet_the_same_people() -> None:
    scenario = busy_day()
    rules = policy(requirements=(Requirement("english", least=0),))
    first, second = run(scenario), run(scenario, replace(rules, version="other"))
    slow = run(replace(scenario, groups={"front": agents(1)}))
    for other in (second, slow):
        came = [
            sorted(batch.contacts.arrived_ms[batch.contacts.attempt == 1].tolist())
            for batch in (first, other)
        ]
        assert came[0] == came[1]
    assert slow.contacts.waits_ms.mean() > first.contacts.waits_ms.mean()


def test_a_busy_day_is_busy_for_all_types() -> None:
    curve = Curve(counts=(100,), starts_min=480, every_min=60, day_factor=Gamma(1.0, 0.5))
    types = {name: calls(arrivals=curve, patience=Deterministic(1)) for name in ("first", "second")}
    scenario = Scenario(name="day", types=types, groups={"front": agents(1)})
    counts = [np.bincount(run(scenario, seed=seed).contacts.type) for seed in range(30)]
    first, second = np.array(counts).T
    assert np.corrcoef(first, second)[0, 1] > 0.9
    assert 2 < first.var(ddof=1) / first.mean()


def test_a_run_that_contradicts_itself_is_found_out() -> None:
    batch = run(busy_day())
    check_batch(batch)
    ended_ms = batch.contacts.ended_ms.copy()
    ended_ms[3] += 1
    wrong = replace(batch, contacts=replace(batch.contacts, ended_ms=ended_ms))
    with pytest.raises(BrokenRun, match="ms inside, by rows"):
        check_batch(wrong)
    lost = replace(batch, totals=(replace(batch.totals[0], arrived=batch.totals[0].arrived + 1),))
    with pytest.raises(BrokenRun, match="flow of type 0"):
        check_batch(lost)
