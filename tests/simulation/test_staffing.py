"""Staffings as scenarios, demands by theory, shifts that cover what was found, a whole proposal."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from msgspec.structs import replace
from tests.simulation.staffing_kit import (
    OPENS_MIN,
    chats,
    group,
    level,
    policy,
    scenario,
    setting,
)

from usher.simulation.demands import arrivals_by_interval, given, theory_counts
from usher.simulation.experiment import Case, Plan, experiment
from usher.simulation.figures import ALL, figure_named, interval_of
from usher.simulation.goals import Goals, checks_of
from usher.simulation.needs import Demand, needs
from usher.simulation.proposal import cases_of, propose
from usher.simulation.scenario import (
    Break,
    Curve,
    Listed,
    Poisson,
    Shift,
    Steady,
)
from usher.simulation.shift_plan import ShiftRule, rules_of, shift_plan
from usher.simulation.staffing import (
    agents_working,
    posts_by_interval,
    stretches,
    timetable_of,
)
from usher.simulation.staffing_search import Ending
from usher.simulation.studies.shift_texts import parse_shift
from usher.simulation.trials import Ledger, Machinery


def small(hours: int = 4) -> object:
    return scenario({"ask": chats("ask", 10, 22, 15, 5)}, {"front": group("ask")}, hours)


def test_agents_stay_as_long_as_the_counts_by_interval_allow() -> None:
    table = timetable_of(small(), 60)
    shifts = {(one.from_min, one.until_min): one.agents for one in stretches([3, 4, 4, 2], table)}
    assert {(480, 720): 2, (480, 660): 1, (540, 660): 1} == shifts
    split = {(one.from_min, one.until_min): one.agents for one in stretches([1, 0, 2, 2], table)}
    assert {(480, 540): 1, (600, 720): 2} == split


def test_a_staffed_scenario_has_the_counts_on_duty() -> None:
    day = small()
    table = timetable_of(day, 30)
    posts = posts_by_interval(day, table)
    for seed in range(20):
        counts = np.random.default_rng(seed).integers(0, 6, table.count)
        staffed = posts.scenario(day, counts).groups["front"]
        assert counts.tolist() == agents_working(staffed, table).tolist()
        hours = sum(one.agents * (one.until_min - one.from_min) for one in staffed.shifts) / 60
        assert hours == posts.agent_hours(counts)


def test_breaks_and_parts_of_an_interval_count_for_what_they_are() -> None:
    pause = Break(from_min=OPENS_MIN + 90, until_min=OPENS_MIN + 120)
    shift = Shift(agents=2, from_min=OPENS_MIN + 45, until_min=OPENS_MIN + 180, breaks=(pause,))
    today = replace(group("ask"), shifts=(shift,))
    assert [1.5, 2.0, 3.0, 1.0] == agents_working(today, timetable_of(small(), 60)).tolist()


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [
        (Poisson(per_hour=30), [15.0] * 4),
        (Curve(counts=(20, 40), starts_min=OPENS_MIN, every_min=60), [10, 10, 20, 20]),
        (Curve(counts=(9,), starts_min=OPENS_MIN + 20, every_min=30), [3.0, 6.0, 0.0, 0.0]),
        (Listed(at_s=(28800.0, 30599.0, 30600.0)), [2.0, 1.0, 0.0, 0.0]),
    ],
)
def test_arrivals_are_counted_by_interval(arrivals: object, expected: list[float]) -> None:
    kind = replace(chats("ask", 1), arrivals=arrivals)
    table = timetable_of(small(2), 30)
    assert expected == pytest.approx(arrivals_by_interval(kind, table).tolist())
    pairs = replace(kind, batch=(0.5, 0.5))
    assert [1.5 * one for one in expected] == pytest.approx(
        arrivals_by_interval(pairs, table).tolist()
    )


def test_the_start_of_one_type_is_erlang_a_of_each_interval() -> None:
    day = scenario({"ask": chats("ask", 200, 450, 300, handling_s=20)}, {"front": group("ask")}, 3)
    table = timetable_of(day, 60)
    rules = policy("ask")
    theory = theory_counts(day, given(day, rules, table), level(0.8), ("ask",), table)
    demands = [
        Demand(arrivals_per_s=count / 3600, handling_s=20, patience_s=120)
        for count in (200, 450, 300)
    ]
    assert needs(demands, level(0.8)).tolist() == theory["front"].tolist()


def test_absence_and_speed_and_several_at_once_move_the_start() -> None:
    types = {"ask": chats("ask", 600.0)}
    table = timetable_of(small(1), 60)

    def start(front: object) -> int:
        day = scenario(types, {"front": front}, 1)
        shares = given(day, policy("ask"), table)
        return int(theory_counts(day, shares, level(0.8), ("ask",), table)["front"][0])

    plain = group("ask")
    needed = start(plain)
    assert needed == int(
        needs([Demand(arrivals_per_s=1 / 6, handling_s=240, patience_s=120)], level(0.8))[0]
    )
    assert -(-needed // 0.8) == start(replace(plain, absence=0.2))
    faster = int(
        needs([Demand(arrivals_per_s=1 / 6, handling_s=120, patience_s=120)], level(0.8))[0]
    )
    assert faster == start(replace(plain, speed={"ask": 2.0}))


def test_each_type_goes_to_the_group_that_serves_it_most_cheaply() -> None:
    groups = {
        "dear": group("ask", cost_per_hour=30),
        "quick": replace(group("ask", cost_per_hour=36), speed={"ask": 1.5}),
        "other": group("buy", cost_per_hour=10),
    }
    day = scenario({"ask": chats("ask", 20), "buy": chats("buy", 20)}, groups, 1)
    shares = given(day, policy("ask", "buy"), timetable_of(day, 60))
    assert {"quick": ("ask",), "other": ("buy",)} == {
        name: share.types for name, share in shares.items()
    }
    without_price = replace(day, groups=groups | {"other": group("buy", cost_per_hour=0)})
    shares = given(without_price, policy("ask", "buy"), timetable_of(day, 60))
    assert {"quick", "other"} == set(shares)
    nobody = replace(day, groups={"other": groups["other"]})
    with pytest.raises(ValueError, match=r"types\.ask: found no group that may serve it"):
        given(nobody, policy("ask", "buy"), timetable_of(day, 60))


def test_a_scenario_without_a_day_and_odd_intervals_are_refused() -> None:
    with pytest.raises(ValueError, match="found a steady run, expected a day"):
        timetable_of(replace(small(), horizon=Steady()), 30)
    with pytest.raises(ValueError, match="found intervals of 315 min, expected a length that"):
        timetable_of(small(), 7 * 45)
    with pytest.raises(ValueError, match='found type "male", expected one of ask'):
        checks_of(Goals(targets=level(0.8), types=("male",)), small(), 4)


def test_shifts_are_read_from_short_texts() -> None:
    assert ShiftRule(length_min=480) == parse_shift("8h")
    assert ShiftRule(length_min=480, breaks_min=(30,)) == parse_shift("8h/30m")
    expected = ShiftRule(length_min=270, breaks_min=(15, 15), from_min=540, until_min=1020)
    assert expected == parse_shift("4h30m/15m/15m:09:00-17:00")
    for wrong in ("", "8", "8h/", "8h:9-17", "8h:17:00-09:00", "8h:09:00", "0h", "8h20s"):
        with pytest.raises(ValueError, match=f'found --shift "{wrong}", expected a length'):
            parse_shift(wrong)


def test_shifts_of_today_are_the_kinds_that_are_offered() -> None:
    pause = Break(from_min=600, until_min=630)
    shifts = (
        Shift(agents=2, from_min=480, until_min=660),
        Shift(agents=1, from_min=540, until_min=720),
        Shift(agents=1, from_min=480, until_min=720, breaks=(pause,)),
        Shift(agents=1, from_min=480, until_min=503),
    )
    table = timetable_of(small(), 30)
    kinds = rules_of(replace(group("ask"), agents=0, shifts=shifts), table)
    assert (ShiftRule(length_min=180), ShiftRule(length_min=240, breaks_min=(30,))) == kinds
    assert (ShiftRule(length_min=240),) == rules_of(group("ask"), table)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (ShiftRule(length_min=101), "found a shift of 101 min, expected a multiple of 5 min"),
        (ShiftRule(length_min=120, breaks_min=(8,)), "found a break of 8 min, expected a mult"),
        (ShiftRule(length_min=120, breaks_min=(120,)), "found 120 min of breaks in a shift of 120"),
        (ShiftRule(length_min=300), "expected one that fits into the hours 08:00-12:00"),
        (ShiftRule(length_min=120, from_min=660), "found a shift of 120 min from 11:00 to 24:00"),
    ],
)
def test_shifts_that_fit_no_day_are_refused(rule: ShiftRule, told: str) -> None:
    given_setting = setting(small(), Goals(targets=level(0.8)), "ask")
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match=told):
        propose(given_setting, (rule,), Machinery(executor, Ledger(0)))


def test_a_proposal_covers_what_was_found_and_costs_what_it_says() -> None:
    day = small()
    given_setting = setting(day, Goals(targets=level(0.8), left_share=1.0), "ask")
    with ThreadPoolExecutor(1) as executor:
        rules = (ShiftRule(length_min=120), ShiftRule(length_min=240))
        proposal = propose(given_setting, rules, Machinery(executor, Ledger(1000)))
        cases = cases_of(proposal, Case("today", day, given_setting.policy))
        results = experiment(cases[:3], Plan(replications=6, interval_min=60), executor)
    plan = proposal.plan
    assert proposal.found.is_met and plan is not None and plan.found.is_met
    lengths = {post.shift.until_min - post.shift.from_min for post in plan.posts.posts}
    assert lengths <= {120, 240}
    assert ["today", "shifts", "by interval"] == [result.case.name for result in results]
    for result in results[1:]:
        for part in range(4):
            sums = [one.intervals[part].all for one in result.samples]
            share = sum(one.level_met for one in sums) / sum(one.level_of for one in sums)
            assert share >= 0.8, (result.case.name, part)
    cost = interval_of(figure_named("cost"), results[2].samples, ALL)
    expected = proposal.posts.cost(proposal.found.counts)
    assert cost is not None
    assert expected <= cost.mean < expected * 1.1, "who is in a talk finishes it"


def test_shifts_cover_the_needs_of_each_group_with_breaks_finer_than_an_interval() -> None:
    groups = {"front": group("ask"), "back": group("ask", cost_per_hour=30), "idle": group("ask")}
    day = scenario({"ask": chats("ask", 1)}, groups, 8)
    given_setting = setting(day, Goals(targets=level(0.01), left_share=1.0), "ask")
    table = timetable_of(day, 60)
    needs_of = {
        "front": np.array([2, 3, 5, 5, 4, 4, 2, 1]),
        "back": np.array([0, 0, 1, 1, 1, 0, 0, 0]),
        "idle": np.zeros(8, dtype=np.int64),
    }
    kinds = (ShiftRule(length_min=240, breaks_min=(15,)), ShiftRule(length_min=180))
    with ThreadPoolExecutor(1) as executor:
        no_runs = Machinery(executor, Ledger(0))
        plan = shift_plan(needs_of, dict.fromkeys(groups, kinds), given_setting, table, no_runs)
    assert Ending.RUNS_USED_UP is plan.found.ending
    duty = plan.posts.on_duty(plan.found.counts)
    assert {"front", "back"} == set(duty)
    for name, row in duty.items():
        assert (row >= np.repeat(needs_of[name], 4)).all(), name
    assert {15} == {
        pause.until_min - pause.from_min for post in plan.posts.posts for pause in post.shift.breaks
    } or not any(post.shift.breaks for post in plan.posts.posts)
    assert 180 == plan.posts.posts[-1].shift.until_min - plan.posts.posts[-1].shift.from_min


def test_what_contacts_bring_in_is_their_value_by_the_quality_of_who_answered() -> None:
    types = {
        "ask": replace(chats("ask", 20), value=6.0),
        "buy": replace(chats("buy", 20), value=10.0),
    }
    front = replace(group("ask", "buy", agents=4), quality={"ask": 0.5})
    day = scenario(types, {"front": front}, 1)
    with ThreadPoolExecutor(1) as executor:
        case = Case("day", day, policy("ask", "buy"))
        (result,) = experiment((case,), Plan(replications=2, interval_min=60), executor)
    for one in result.samples:
        ask, buy = one.types["ask"], one.types["buy"]
        assert (3.0 * ask.answered, 10.0 * buy.answered) == (ask.value, buy.value)
        assert ask.value + buy.value == pytest.approx(one.all.value)
        gain = interval_of(figure_named("gain"), [one], ALL)
        assert gain is not None
        assert one.all.value - one.staff.cost == pytest.approx(gain.mean)
        for part in one.intervals:
            by_type = [part.types["ask"], part.types["buy"]]
            assert part.all.contacts == sum(sums.contacts for sums in by_type)
            assert part.all.level_met == pytest.approx(sum(sums.level_met for sums in by_type))
