"""What visitors and clerks do in a run: lines, desks, walks, no-shows, breaks, calls in between."""

from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace
from tests.simulation.branch_worlds import (
    BOTH,
    GRACE_MS,
    MINUTE_MS,
    branches,
    calls,
    clerks,
    day,
    policy,
    run,
    visit,
    visitors,
)

from usher.queue.measures import Outcome
from usher.queue.occupancy import PresenceKind, occupancy
from usher.queue.rules import Capacity, ChannelCapacity
from usher.queue.values import Channel
from usher.simulation.distributions import Deterministic, Exponential, Uniform
from usher.simulation.rows import Batch
from usher.simulation.scenario import (
    Again,
    Break,
    Curve,
    Day,
    Desks,
    Group,
    Outage,
    Poisson,
    Shift,
    Steady,
    Weekday,
)
from usher.simulation.streams import Streams
from usher.simulation.world import World

CALLS_ONLY = Capacity(units=1, channels={Channel.VOICE: ChannelCapacity()})


def shift(from_min: int, until_min: int, *breaks: tuple[int, int]) -> Shift:
    pauses = tuple(Break(from_min=one, until_min=other) for one, other in breaks)
    return Shift(agents=1, from_min=from_min, until_min=until_min, breaks=pauses)


def on_shifts(*shifts: Shift, **more: object) -> Group:
    return replace(clerks(0), shifts=shifts, **more)


def test_a_visitor_is_called_walks_to_the_desk_and_is_served() -> None:
    batch = run(visit(visitors(10, walk=Deterministic(20)), clerks()))
    rows, legs = batch.contacts, batch.legs
    assert ([30_000], [130_000]) == (rows.answered_ms.tolist(), rows.ended_ms.tolist())
    assert [10_000] == legs.taken_ms.tolist()
    assert ([30_000], [130_000]) == (legs.active_ms.tolist(), legs.done_ms.tolist())
    assert [Outcome.COMPLETED] == rows.outcome.tolist()


def test_a_clerk_is_busy_from_the_call_on() -> None:
    batch = run(visit(visitors(10, walk=Deterministic(20)), clerks()))
    found = occupancy(
        batch.presence, batch.legs.segments(), np.array([1]), from_ms=0, until_ms=batch.until_ms
    )
    assert 120_000 == found.busy_ms == batch.busy_ms


def test_the_next_visitor_is_called_when_the_one_before_has_gone() -> None:
    batch = run(visit(visitors(0, 1, 2, walk=Deterministic(5)), clerks()))
    assert [5_000, 110_000, 215_000] == batch.contacts.answered_ms.tolist()


def test_who_does_not_show_up_costs_the_clerk_the_grace() -> None:
    batch = run(visit(visitors(0, 1, no_show=1.0), clerks()))
    assert [Outcome.NO_SHOW] * 2 == batch.contacts.outcome.tolist()
    assert [GRACE_MS, 2 * GRACE_MS] == batch.contacts.ended_ms.tolist()
    assert [-1, -1] == batch.legs.active_ms.tolist() == batch.contacts.answered_ms.tolist()
    assert 2 * GRACE_MS == batch.busy_ms


def test_who_walks_longer_than_the_grace_has_not_come() -> None:
    late = run(visit(visitors(0, walk=Deterministic(61)), clerks()))
    in_time = run(visit(visitors(0, walk=Deterministic(60)), clerks()))
    assert [Outcome.NO_SHOW] == late.contacts.outcome.tolist()
    assert [Outcome.COMPLETED] == in_time.contacts.outcome.tolist()


def test_a_policy_may_call_again_who_did_not_come() -> None:
    batch = run(visit(visitors(0, no_show=1.0), clerks()), policy({"failures_max": 2}))
    assert [2 * GRACE_MS] == batch.contacts.ended_ms.tolist()
    assert [0, GRACE_MS] == batch.legs.taken_ms.tolist()


def test_a_clerk_waits_out_the_pause_after_a_call_that_failed() -> None:
    rules = policy({"failures_max": 2}, decline_pause_ms=30_000)
    batch = run(visit(visitors(0, no_show=1.0), clerks()), rules)
    assert [0, GRACE_MS + 30_000] == batch.legs.taken_ms.tolist()


def test_patience_ends_in_the_line_and_not_on_the_way_to_the_desk() -> None:
    kind = visitors(0, 1, patience=Deterministic(30), walk=Deterministic(40))
    batch = run(visit(kind, clerks()))
    assert [Outcome.ABANDONED, Outcome.COMPLETED] == batch.contacts.outcome.tolist()
    assert [30_000, 40_000] == batch.contacts.waits_ms.tolist()


def test_who_left_the_line_comes_again() -> None:
    again = Again(share=1.0, after=Deterministic(300), most=1)
    batch = run(visit(visitors(0, 1, patience=Deterministic(30), retrial=again), clerks()))
    assert [1, 1, 2] == batch.contacts.attempt.tolist()
    assert 331_000 == batch.contacts.arrived_ms[2]


def test_who_was_served_in_vain_comes_again() -> None:
    again = Again(share=1.0, after=Deterministic(60), most=1)
    batch = run(visit(visitors(0, redial=again), clerks(quality={"visit": 0.0})))
    assert [0, 160_000] == batch.contacts.arrived_ms.tolist()


def test_a_clerk_wraps_up_before_the_next_visitor() -> None:
    kind = visitors(0, 1, wrap_up=Deterministic(30))
    batch = run(visit(kind, clerks()), policy({"wrap_up_ms": 600_000}))
    assert [0, 130_000] == batch.contacts.answered_ms.tolist()
    assert [100_000, 230_000] == batch.contacts.ended_ms.tolist()


def test_a_wrap_up_that_costs_nothing_lets_the_next_visitor_come() -> None:
    free = Capacity(units=1, channels={Channel.WALK_IN: ChannelCapacity(wrap_up_price=0)})
    kind = visitors(0, 1, wrap_up=Deterministic(30))
    batch = run(visit(kind, clerks(capacity=free)), policy({"wrap_up_ms": 600_000}))
    assert [0, 100_000] == batch.contacts.answered_ms.tolist()


def test_a_line_is_called_by_skill() -> None:
    types = {"cash": visitors(1), "advice": visitors(0, service="advice")}
    groups = {"plain": clerks(), "adviser": clerks(skills={"advice": 5})}
    legs = run(day(types, groups)).legs
    assert {(0, 0), (1, 1)} == set(zip(legs.agent.tolist(), legs.type.tolist(), strict=True))


def test_the_clerk_calls_who_has_been_idle_longest() -> None:
    batch = run(visit(visitors(0, 10, 200, 250), clerks(2)))
    # The first two go to one each; the first is free 10 s before the second.
    assert [0, 1, 0, 1] == batch.legs.agent.tolist()


def test_who_is_asked_in_vain_stays_the_one_idle_longest() -> None:
    types = {"cash": visitors(10), "advice": visitors(0, service="advice")}
    groups = {"first": clerks(), "adviser": clerks(skills={"advice": 5}), "last": clerks()}
    legs = run(day(types, groups)).legs
    assert {(0, 0), (1, 1)} == set(zip(legs.agent.tolist(), legs.type.tolist(), strict=True))


def test_a_clerk_without_a_desk_calls_nobody() -> None:
    one = (Desks(branch="main", count=1),)
    limited = run(visit(visitors(0, 1), clerks(2), desks=one))
    assert [0, 100_000] == limited.contacts.answered_ms.tolist()
    assert [0, 1_000] == run(visit(visitors(0, 1), clerks(2))).contacts.answered_ms.tolist()


def test_a_desk_that_is_left_for_a_break_goes_to_who_waits_for_one() -> None:
    group = on_shifts(shift(0, 60, (1, 5)), shift(0, 60))
    one = (Desks(branch="main", count=1),)
    batch = run(visit(visitors(30, 200, 400), group, desks=one))
    # Served first until 130 s; then the other sits there, also when the break is over.
    assert [0, 1, 1] == batch.legs.agent.tolist()
    assert [30_000, 200_000, 400_000] == batch.contacts.answered_ms.tolist()


def test_a_desk_that_is_left_for_home_goes_to_who_waits_for_one() -> None:
    one = (Desks(branch="main", count=1),)
    for until_min in (1, 3):  # with a visitor at the desk, and without one
        group = on_shifts(shift(0, until_min), shift(0, 60))
        batch = run(visit(visitors(30, 200), group, desks=one))
        assert [0, 1] == batch.legs.agent.tolist()


def test_clerks_take_desks_where_they_can_serve_somebody() -> None:
    desks = (
        Desks(branch="main", count=1, services=("advice",)),
        Desks(branch="main", count=1, services=("cash",)),
    )
    types = {"cash": visitors(0), "advice": visitors(0, service="advice")}
    groups = {"plain": clerks(), "adviser": clerks(skills={"advice": 5})}
    batch = run(day(types, groups, desks=desks))
    assert [0, 0] == batch.contacts.answered_ms.tolist()


def test_who_has_no_capacity_for_visitors_takes_no_desk() -> None:
    groups = {"phone": clerks(capacity=CALLS_ONLY), "desk": clerks()}
    scenario = day({"visit": visitors(0)}, groups, desks=(Desks(branch="main", count=1),))
    assert [1] == run(scenario).legs.agent.tolist()


def test_a_break_begins_when_the_visitor_has_gone_and_stops_calls() -> None:
    batch = run(visit(visitors(30, 70), on_shifts(shift(0, 60, (1, 5)))))
    assert [30_000, 5 * MINUTE_MS] == batch.contacts.answered_ms.tolist()
    assert 130_000 == batch.contacts.ended_ms[0]


def test_the_end_of_a_shift_serves_who_was_called_and_calls_no_other() -> None:
    kind = visitors(50, 55, walk=Deterministic(20))
    batch = run(visit(kind, on_shifts(shift(0, 1), shift(10, 20))))
    assert [70_000, 620_000] == batch.contacts.answered_ms.tolist()
    draining = batch.presence.kind == PresenceKind.DRAINING
    assert [110_000] == (batch.presence.until_ms - batch.presence.from_ms)[draining].tolist()


def test_absent_clerks_open_no_desk() -> None:
    batch = run(visit(visitors(0, patience=Deterministic(60)), clerks(absence=1.0)))
    assert [Outcome.ABANDONED] == batch.contacts.outcome.tolist()


def test_a_site_that_is_out_calls_nobody_and_serves_who_is_there() -> None:
    outage = Outage(site="north", from_min=1, until_min=9)
    batch = run(visit(visitors(30, 90), clerks(site="north"), outages=(outage,)))
    assert [30_000, 9 * MINUTE_MS] == batch.contacts.answered_ms.tolist()
    assert 130_000 == batch.contacts.ended_ms[0]


def test_a_desk_whose_site_is_out_goes_to_who_waits_for_one() -> None:
    outage = Outage(site="north", from_min=1, until_min=9)
    groups = {"first": clerks(site="north"), "second": clerks()}
    one = (Desks(branch="main", count=1),)
    batch = run(day({"visit": visitors(30, 140)}, groups, desks=one, outages=(outage,)))
    assert [0, 1] == batch.legs.agent.tolist()
    assert [30_000, 140_000] == batch.contacts.answered_ms.tolist()


def test_who_is_cut_off_by_an_outage_is_in_the_line_again() -> None:
    outage = Outage(site="north", from_min=1, until_min=9)
    groups = {"first": clerks(site="north"), "second": clerks()}
    scenario = day({"visit": visitors(30)}, groups, outages=(outage,))
    batch = run(scenario, policy({"lost_grace_ms": 10_000}))
    assert [30_000] == batch.contacts.answered_ms.tolist()
    assert [30_000, 70_000] == batch.legs.active_ms.tolist()
    assert [70_000, 170_000] == batch.legs.done_ms.tolist()


# hours


def test_a_closed_branch_turns_visitors_away() -> None:
    batch = run(visit(visitors(30, 90, 600), clerks()), known=branches((1, 5)))
    assert [Outcome.OTHER, Outcome.COMPLETED, Outcome.OTHER] == batch.contacts.outcome.tolist()


def test_who_is_left_in_the_line_is_sent_home_when_the_branch_has_closed() -> None:
    known = branches((0, 2), close_after_ms=MINUTE_MS)
    kind = visitors(0, 1, 100, handling=Deterministic(150))
    batch = run(visit(kind, clerks()), known=known)
    # Called before the end: served; still in the line then: sent home.
    assert [150_000, 180_000, 300_000] == batch.contacts.ended_ms.tolist()
    assert Outcome.OTHER == batch.contacts.outcome[1]


def test_a_branch_keeps_the_hours_of_the_weekday() -> None:
    tuesday = Day(weekday=Weekday.TUESDAY)
    batch = run(visit(visitors(0), clerks(), horizon=tuesday))
    assert [Outcome.OTHER] == batch.contacts.outcome.tolist()


def test_a_long_run_goes_on_over_many_days() -> None:
    kind = visitors(arrivals=Poisson(per_hour=6), handling=Exponential(400))
    scenario = visit(kind, clerks(), horizon=Steady(warm_up=50, batch=100, batches=5))
    batches = list(World(scenario, policy(), Streams(1), branches=branches()).batches())
    assert 3 * 24 * 60 * MINUTE_MS < batches[-1].until_ms
    assert {Outcome.COMPLETED} == {int(one) for each in batches for one in each.contacts.outcome}


# calls beside visitors


def test_a_call_comes_to_a_clerk_with_nobody_in_the_line() -> None:
    types = {"visit": visitors(0, 1), "call": calls(10)}
    batch = run(day(types, {"desk": clerks(capacity=BOTH)}))
    answered = dict(zip(batch.contacts.arrived_ms, batch.contacts.answered_ms, strict=True))
    assert {0: 0, 1_000: 100_000, 10_000: 200_000} == answered


def test_during_a_call_no_visitor_is_called() -> None:
    types = {"visit": visitors(10), "call": calls(0)}
    batch = run(day(types, {"desk": clerks(capacity=BOTH)}))
    assert [0, 100_000] == batch.contacts.answered_ms.tolist()


def test_a_clerk_answers_what_rings_before_a_visitor_is_called() -> None:
    types = {"visit": visitors(2), "call": calls(0)}
    group = clerks(capacity=BOTH, answering=Deterministic(5))
    batch = run(day(types, {"desk": group}))
    assert [5_000, 105_000] == batch.contacts.answered_ms.tolist()


@pytest.mark.parametrize("left", ["caller", "offer"])
def test_a_clerk_whose_telephone_has_stopped_ringing_calls_who_waits(left: str) -> None:
    patience = Deterministic(3) if left == "caller" else Deterministic(60)
    types = {"visit": visitors(2), "call": calls(0, patience=patience)}
    group = clerks(capacity=BOTH, answering=Deterministic(90))
    batch = run(day(types, {"desk": group}), policy(offer_timeout_ms=4_000))
    expected_ms = 3_000 if left == "caller" else 4_000
    assert [expected_ms] == batch.contacts.answered_ms[batch.contacts.type == 0].tolist()


def busy_branch(seed: int) -> Batch:
    curve = Curve(counts=(30, 40, 20), starts_min=540, every_min=60)
    types = {
        "visit": visitors(
            arrivals=curve,
            handling=Exponential(180),
            patience=Exponential(600),
            walk=Uniform(5, 30),
            no_show=0.05,
        ),
        "advice": visitors(
            arrivals=Curve(counts=(4, 5, 3), starts_min=540, every_min=60),
            handling=Exponential(700),
            service="advice",
            walk=Uniform(5, 30),
        ),
        "call": calls(
            arrivals=curve, handling=Exponential(150), patience=Exponential(120), batch=(0.8, 0.2)
        ),
    }
    answering = Exponential(4)
    groups = {
        "shared": clerks(3, BOTH, answering=answering),
        "adviser": clerks(2, BOTH, skills={"advice": 5}, answering=answering),
        "relief": on_shifts(shift(540, 720, (600, 630)), shift(600, 660)),
    }
    horizon = Day(opens_min=540, closes_min=720)
    desks = (Desks(branch="main", count=5),)
    return run(day(types, groups, horizon=horizon, desks=desks), seed=seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_has_two_at_once_where_clerks_take_visitors_and_calls(seed: int) -> None:
    batch = busy_branch(seed)
    legs = batch.legs
    for agent in np.unique(legs.agent):
        order = np.argsort(legs.taken_ms[legs.agent == agent], kind="stable")
        spans = [column[legs.agent == agent][order] for column in (legs.taken_ms, legs.done_ms)]
        for (_, done_ms), (taken_ms, _) in pairwise(zip(*spans, strict=True)):
            assert done_ms <= taken_ms
    of_shared = legs.type[(legs.agent < 3) & (legs.active_ms >= 0)]
    assert {0, 2} == set(of_shared.tolist())
    assert {Outcome.COMPLETED, Outcome.ABANDONED, Outcome.NO_SHOW} <= set(
        batch.contacts.outcome.tolist()
    )


def test_two_policies_meet_the_same_visitors() -> None:
    kind = visitors(
        arrivals=Curve(counts=(60,), starts_min=0, every_min=60),
        handling=Exponential(150),
        walk=Uniform(0, 50),
        no_show=0.2,
        redial=Again(share=1.0, after=Deterministic(60), most=1),
    )
    quality = {"visit": 0.7}
    one, three = (run(visit(kind, clerks(number, quality=quality))) for number in (1, 3))

    def drawn(batch: Batch) -> dict[int, tuple[int, int]]:
        """By arrival of who comes for the first time: handling where served; how it ended."""
        rows, first = batch.contacts, batch.contacts.attempt == 1
        lasted_ms = np.where(rows.answered_ms >= 0, rows.ended_ms - rows.answered_ms, -1)
        pairs = zip(lasted_ms[first].tolist(), rows.outcome[first].tolist(), strict=True)
        return dict(zip(rows.arrived_ms[first].tolist(), pairs, strict=True))

    assert drawn(one) == drawn(three)
    assert one.contacts.waits_ms.mean() > three.contacts.waits_ms.mean()


def test_visitors_need_branches() -> None:
    with pytest.raises(ValueError, match="there are no branches"):
        World(visit(visitors(0), clerks()), policy(), Streams(1))
