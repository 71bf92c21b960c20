"""Shifts that cover needs: examples by hand, brute force, and what cannot be covered."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from usher.simulation.shifts import (
    Break,
    BreakWindow,
    Cover,
    ShiftPattern,
    cover,
    patterns,
)

EARLY = ShiftPattern(name="early", start=0, length=3)
LATE = ShiftPattern(name="late", start=2, length=3)
LONG = ShiftPattern(name="long", start=0, length=5, breaks=(Break(2),), cost=1.5)


def test_each_part_of_the_day_has_its_shift() -> None:
    plan = cover([1, 1, 3, 2, 2], [EARLY, LATE])
    assert {"early": 1, "late": 2} == plan.agents
    assert [1, 1, 3, 2, 2] == plan.on_duty.tolist()
    assert [0] * 5 == plan.surplus.tolist() == plan.shortage.tolist()
    assert 3.0 == plan.cost == plan.bound
    assert 0.0 == plan.gap


def test_nobody_is_on_duty_in_a_break() -> None:
    assert [0, 1, 3, 4] == LONG.on_duty().tolist()
    assert {"long": 2} == cover([2, 2, 0, 2, 2], [EARLY, LATE, LONG]).agents
    plan = cover([2, 2, 1, 2, 2], [EARLY, LATE, LONG])
    assert 3.5 == plan.cost
    assert {"early": 1, "late": 1, "long": 1} == plan.agents
    assert [0, 0, 1, 0, 0] == plan.surplus.tolist()


def test_the_place_of_the_break_is_chosen_where_it_does_no_harm() -> None:
    made = patterns(intervals=5, lengths=[5], windows=[BreakWindow(1, 3)])
    assert ["0+5/1x1", "0+5/2x1", "0+5/3x1"] == [pattern.name for pattern in made]
    assert {"0+5/3x1": 2} == cover([2, 2, 2, 0, 2], made).agents
    spread = cover([2, 1, 1, 2, 2], made).agents
    assert {"0+5/1x1": 1, "0+5/2x1": 1} == spread


def test_a_pattern_takes_no_more_than_its_agents() -> None:
    few = ShiftPattern(name="cheap", start=0, length=3, cost=0.5, agents_most=2)
    plan = cover([3, 3, 3, 0, 0], [few, EARLY])
    assert {"cheap": 2, "early": 1} == plan.agents
    assert 2.0 == plan.cost


def test_what_is_not_worth_its_price_is_left_missing_and_told() -> None:
    plan = cover([1, 0, 0, 2, 2], [EARLY, LATE], shortage_cost=0.6)
    assert {"late": 2} == plan.agents
    assert [1, 0, 0, 0, 0] == plan.shortage.tolist()
    assert [0, 0, 2, 0, 0] == plan.surplus.tolist()
    assert (2.0, 0.6) == (plan.shift_cost, plan.shortage_cost)
    assert 2.6 == plan.cost
    dearer = cover([1, 0, 0, 2, 2], [EARLY, LATE], shortage_cost=1.1)
    assert {"early": 1, "late": 2} == dearer.agents


def test_with_too_few_agents_the_shortage_says_where() -> None:
    plan = cover([2, 2, 2, 0, 0], [EARLY, LATE], shortage_cost=10.0, agents_most=1)
    assert {"early": 1} == plan.agents
    assert [1, 1, 1, 0, 0] == plan.shortage.tolist()


def test_an_interval_beyond_all_patterns_can_only_be_missing() -> None:
    plan = cover([1, 1, 1, 1], [EARLY], shortage_cost=5.0)
    assert {"early": 1} == plan.agents
    assert [0, 0, 0, 1] == plan.shortage.tolist()


def test_no_needs_cost_nothing() -> None:
    plan = cover(np.zeros(5, dtype=np.int64), [EARLY, LATE])
    assert ({}, 0.0, 0.0) == (plan.agents, plan.cost, plan.gap)
    assert [0, 0] == cover([0, 0], []).on_duty.tolist()


def test_no_plan_by_brute_force_is_cheaper() -> None:
    random = np.random.default_rng(3)
    missed = 0
    for _ in range(40):
        needs, given = _any_day(random)
        price = random.choice([None, 0.35, 1.3])
        most = random.choice([None, 3, 5])
        best = _cheapest(needs, given, price, most)
        if best is None:
            missed += 1
            with pytest.raises(ValueError, match=r"interval|agents are too few"):
                cover(needs, given, shortage_cost=price, agents_most=most)
            continue
        plan = cover(needs, given, shortage_cost=price, agents_most=most, gap_most=0.0)
        assert pytest.approx(best) == plan.cost == pytest.approx(plan.bound)
        _check_told(plan, needs, given, price, most)
    assert 5 < missed < 20


def _any_day(random: np.random.Generator) -> tuple[list[int], list[ShiftPattern]]:
    """Returns needs of six intervals, and five patterns."""
    given = []
    for at in range(5):
        start, length = int(random.integers(0, 4)), int(random.integers(2, 7))
        length = min(length, 6 - start)
        breaks = (Break(int(random.integers(1, length)), 1),) if random.random() < 0.5 else ()
        given.append(
            ShiftPattern(
                name=f"p{at}",
                start=start,
                length=length,
                breaks=breaks,
                cost=float(random.integers(5, 15)) / 10,
                agents_most=random.choice([None, 1, 2]),
            )
        )
    return random.integers(0, 4, 6).tolist(), given


def _cheapest(
    needs: list[int], given: list[ShiftPattern], price: float | None, most: int | None
) -> float | None:
    """Returns the least cost over all numbers of agents up to 3 per pattern."""
    costs = []
    tops = [3 if one.agents_most is None else one.agents_most for one in given]
    for counts in product(*(range(top + 1) for top in tops)):
        if most is not None and sum(counts) > most:
            continue
        missing = sum(_missing(needs, given, counts))
        if missing and price is None:
            continue
        paid = sum(count * one.cost for count, one in zip(counts, given, strict=True))
        costs.append(paid + missing * (price or 0.0))
    return min(costs, default=None)


def _missing(needs: list[int], given: list[ShiftPattern], counts: tuple[int, ...]) -> list[int]:
    """Returns what is missing in each interval, without arrays of duty."""
    missing = list(needs)
    for count, one in zip(counts, given, strict=True):
        for at in range(one.start, one.end):
            pauses = [
                pause.offset <= at - one.start < pause.offset + pause.length for pause in one.breaks
            ]
            missing[at] -= 0 if any(pauses) else count
    return [max(0, left) for left in missing]


def _check_told(
    plan: Cover,
    needs: list[int],
    given: list[ShiftPattern],
    price: float | None,
    most: int | None,
) -> None:
    counts = tuple(plan.agents.get(one.name, 0) for one in given)
    assert _missing(needs, given, counts) == plan.shortage.tolist()
    assert needs == (plan.on_duty + plan.shortage - plan.surplus).tolist()
    assert pytest.approx(sum(plan.shortage) * (price or 0.0)) == plan.shortage_cost
    assert all(count <= (one.agents_most or 3) for count, one in zip(counts, given, strict=True))
    assert most is None or sum(counts) <= most


def test_a_search_that_ends_early_says_how_far_it_may_be_from_the_best() -> None:
    made = patterns(intervals=24, lengths=[7, 9], windows=[BreakWindow(2, 5)])
    needs = (6 + 5 * np.sin(np.arange(24) / 3)).astype(np.int64)
    best = cover(needs, made, gap_most=0.0, shortage_cost=3.0)
    rough = cover(needs, made, gap_most=0.5, shortage_cost=3.0)
    assert rough.bound <= best.cost + 1e-9 <= rough.cost + 2e-9
    assert pytest.approx((rough.cost - rough.bound) / rough.cost) == rough.gap
    assert rough.gap > best.gap == pytest.approx(0.0, abs=1e-9)


def test_the_same_day_gets_the_same_shifts() -> None:
    made = patterns(intervals=24, lengths=[8], windows=[BreakWindow(3, 5)])
    needs = (6 + 5 * np.sin(np.arange(24) / 3)).astype(np.int64)
    assert cover(needs, made).agents == cover(needs, made).agents


def test_half_a_day_of_quarters_is_covered_with_nothing_missing() -> None:
    made = patterns(intervals=48, lengths=[16, 24], every=2, windows=[BreakWindow(6, 9, 2)])
    needs = (10 + 8 * np.sin(np.arange(48) / 10)).astype(np.int64)
    plan = cover(needs, made, gap_most=0.01)
    assert 0 == plan.shortage.sum()
    assert plan.gap <= 0.01


def test_the_first_interval_that_no_pattern_covers_is_named() -> None:
    with pytest.raises(ValueError, match="interval 2 needs 4 agents, no pattern covers it"):
        cover([1, 1, 4, 1, 1], [LONG])
    with pytest.raises(ValueError, match="interval 3 needs 1 agents, no pattern covers it"):
        cover([1, 1, 1, 1, 1], [EARLY])


def test_an_interval_with_too_few_allowed_agents_is_named() -> None:
    few = ShiftPattern(name="few", start=0, length=3, agents_most=2)
    with pytest.raises(ValueError, match="interval 1 needs 3 agents, its patterns have at most 2"):
        cover([1, 3, 3], [few])
    with pytest.raises(ValueError, match="interval 0 needs 4 agents, its patterns have at most 3"):
        cover([4, 3, 3], [EARLY], agents_most=3)


def test_too_few_agents_for_all_intervals_together_are_refused() -> None:
    with pytest.raises(ValueError, match="2 agents are too few to cover all intervals"):
        cover([2, 2, 2, 2, 2], [EARLY, LATE], agents_most=2)
    assert {"early": 2, "late": 2} == cover([2] * 5, [EARLY, LATE], agents_most=4).agents


def test_patterns_start_every_so_often_and_end_in_time() -> None:
    made = patterns(intervals=10, lengths=[4, 8], every=3, cost_per_interval=2.0)
    assert ["0+4", "3+4", "6+4", "0+8"] == [pattern.name for pattern in made]
    assert [8.0, 8.0, 8.0, 16.0] == [pattern.cost for pattern in made]


def test_several_breaks_take_all_places_that_leave_them_apart() -> None:
    windows = [BreakWindow(1, 2), BreakWindow(2, 4, 2)]
    made = patterns(intervals=7, lengths=[7], windows=windows, breaks_paid=False)
    names = ["0+7/1x1/2x2", "0+7/1x1/3x2", "0+7/1x1/4x2", "0+7/2x1/3x2", "0+7/2x1/4x2"]
    assert names == [pattern.name for pattern in made]
    assert {4.0} == {pattern.cost for pattern in made}
    assert [0, 2, 5, 6] == made[1].on_duty().tolist()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: ShiftPattern(name="x", start=-1, length=2), "x: start >= 0"),
        (lambda: ShiftPattern(name="x", start=0, length=0), "length >= 1"),
        (lambda: ShiftPattern(name="x", start=0, length=2, cost=-1.0), "cost .* not -1.0"),
        (lambda: ShiftPattern(name="x", start=0, length=2, agents_most=-1), "agents_most .*-1"),
        (lambda: ShiftPattern(name="x", start=0, length=2, breaks=(Break(1, 2),)), "breaks"),
        (
            lambda: ShiftPattern(name="x", start=0, length=9, breaks=(Break(4), Break(2))),
            "follow each other",
        ),
        (lambda: BreakWindow(3, 2), "earliest <= latest"),
        (lambda: patterns(intervals=8, lengths=[4], windows=[BreakWindow(2, 4)]), "reaches beyond"),
        (lambda: patterns(intervals=8, lengths=[9]), "shift of 9 does not fit into 8"),
        (lambda: patterns(intervals=8, lengths=[4], every=0), "every=0"),
        (
            lambda: patterns(
                intervals=8, lengths=[8], windows=[BreakWindow(4, 5), BreakWindow(1, 2)]
            ),
            "one after the other",
        ),
        (
            lambda: patterns(intervals=90, lengths=[90], windows=[BreakWindow(0, 80)] * 3),
            "more than 100000 places",
        ),
        (
            lambda: patterns(intervals=900, lengths=[500], windows=[BreakWindow(0, 400)]),
            "more than 100000 patterns",
        ),
        (lambda: cover([], [EARLY]), "whole numbers, one per interval"),
        (lambda: cover(np.array([1.5, 2.0]), [EARLY]), "whole numbers"),  # type: ignore[arg-type]
        (lambda: cover([1, 1, -2], [EARLY]), "not -2 at 2"),
        (lambda: cover([1, 1], [EARLY]), "early: ends at 3, after 2 intervals"),
        (lambda: cover([1] * 5, [EARLY, LATE, EARLY]), "name 'early' is to stand for one"),
        (lambda: cover([1] * 3, [EARLY], shortage_cost=0.0), "shortage_cost .*0.0"),
        (lambda: cover([1] * 3, [EARLY], agents_most=-1), "agents_most .*-1"),
        (lambda: cover([1] * 3, [EARLY], nodes_most=0), "nodes_most=0"),
        (lambda: cover([1] * 3, [EARLY], gap_most=1.0), "gap_most=1.0"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Callable[[], object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        wrong()
