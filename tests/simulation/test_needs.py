"""Agents needed by theory: published values, brute force, and what no number of agents meets."""

import json
from collections.abc import Callable
from math import exp, factorial, inf, nan, pi, sin
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from usher.queue.measures import ServiceLevel
from usher.simulation.distributions import Exponential
from usher.simulation.needs import (
    Demand,
    LevelTarget,
    Targets,
    agents_needed,
    lagged,
    meets,
    needs,
)
from usher.simulation.theory.birth_death import Impatient
from usher.simulation.theory.patience import GeneralPatience

pytestmark = pytest.mark.theory

Case = dict[str, Any]
BIT = 1e-6  # a target harder by this is met by one agent more


def _level(name: ServiceLevel, share: float, threshold_s: float) -> Targets:
    return Targets(service_level=LevelTarget(name=name, share=share, threshold_s=threshold_s))


def _of_offered(share: float, threshold_s: float) -> Targets:
    return _level(ServiceLevel.OF_OFFERED, share, threshold_s)


@pytest.fixture(scope="session")
def cases(shared: Path) -> dict[str, Case]:
    read = json.loads((shared / "queueing_cases.json").read_text(encoding="utf-8"))
    return {case["id"]: case for case in read["cases"]}


def _demand(case: Case) -> Demand:
    given = case["params"]
    patience_s = 1 / given["theta"] if "theta" in given else None
    return Demand(arrivals_per_s=given["lam"], handling_s=1 / given["mu"], patience_s=patience_s)


@pytest.mark.parametrize(
    ("name", "metric", "targets"),
    [
        ("erlang_a_n10_l95", "p_served_within_1", lambda x: _of_offered(x - BIT, 1.0)),
        (
            "erlang_a_n10_l95",
            "p_wait_le_1_given_served",
            lambda x: _level(ServiceLevel.OF_ANSWERED, x - BIT, 1.0),
        ),
        (
            "erlang_a_n10_l120",
            "mean_wait_served",
            lambda x: Targets(speed_of_answer_s=x + BIT),
        ),
        ("erlang_a_n50_l50", "p_abandon", lambda x: Targets(abandon_share=x + BIT)),
        ("erlang_a_n50_l50", "occupancy", lambda x: Targets(occupancy=x + BIT)),
        ("erlang_a_whitt_n100_th1", "p_abandon", lambda x: Targets(abandon_share=x + BIT)),
        ("erlang_a_whitt_n100_th1", "p_served_within_0.1", lambda x: _of_offered(x - BIT, 0.1)),
        ("erlang_c_mm12_42", "p_wait_le_0.3333", lambda x: _of_offered(x - BIT, 1 / 3)),
        ("erlang_c_mm50_47", "mean_wait", lambda x: Targets(speed_of_answer_s=x + BIT)),
        ("erlang_c_mm5_4", "occupancy", lambda x: Targets(occupancy=x + BIT)),
    ],
)
def test_a_published_value_is_reached_by_the_published_number_and_not_by_fewer(
    cases: dict[str, Case], name: str, metric: str, targets: Callable[[float], Targets]
) -> None:
    case = cases[name]
    servers, value = case["params"]["servers"], case["metrics"][metric]
    assert servers == agents_needed(_demand(case), targets(value))
    harder = value + 2 * BIT if metric.startswith(("p_served", "p_wait_le")) else value - 2 * BIT
    assert servers + 1 == agents_needed(_demand(case), targets(harder))


def test_levels_that_leave_out_or_forgive_early_abandons_follow_from_the_published_tail(
    cases: dict[str, Case],
) -> None:
    later = cases["mmng_exp_check"]["metrics"]["p_wait_gt_1"]
    case = cases["erlang_a_n10_l95"]
    within = case["metrics"]["p_served_within_1"]
    for name, value in (
        (ServiceLevel.ABANDONS_WITHIN_MET, 1 - later),
        (ServiceLevel.ABANDONS_WITHIN_EXCLUDED, within / (within + later)),
    ):
        assert 10 == agents_needed(_demand(case), _level(name, value - BIT, 1.0))
        assert 11 == agents_needed(_demand(case), _level(name, value + BIT, 1.0))


@pytest.mark.parametrize(("agents", "load", "patience_s"), [(4, 7.0, 0.3), (60, 55.0, 5.0)])
def test_all_names_of_the_level_agree_with_patience_of_any_law(
    agents: int, load: float, patience_s: float
) -> None:
    within = Impatient(agents, load, 1.0, 1 / patience_s).solve().p_served_within(0.2)
    waits = GeneralPatience(agents, load, 1.0, Exponential(patience_s)).solve()
    later = waits.p_wait_gt(0.2)
    levels = {
        ServiceLevel.OF_OFFERED: within,
        ServiceLevel.OF_ANSWERED: within / (1 - waits.p_abandon),
        ServiceLevel.ABANDONS_WITHIN_EXCLUDED: within / (within + later),
        ServiceLevel.ABANDONS_WITHIN_MET: 1 - later,
    }
    demand = Demand(arrivals_per_s=load, handling_s=1.0, patience_s=patience_s)
    for name, level in levels.items():
        assert meets(demand, agents, _level(name, level - BIT, 0.2)), name
        assert not meets(demand, agents, _level(name, level + BIT, 0.2)), name


def test_a_hundred_calls_of_three_minutes_in_half_an_hour_need_fourteen_agents() -> None:
    demand = Demand(arrivals_per_s=100 / 1800, handling_s=180.0)
    assert 14 == agents_needed(demand, _of_offered(0.8, 20.0))
    assert 0.8 > _erlang_c_level(13, 10.0, 20 / 180)
    assert 0.8 <= _erlang_c_level(14, 10.0, 20 / 180)


def _erlang_c_level(agents: int, load: float, threshold: float) -> float:
    """P(wait <= threshold mean services), by the sums of the textbook."""
    top = load**agents / factorial(agents) * agents / (agents - load)
    wait = top / (top + sum(load**busy / factorial(busy) for busy in range(agents)))
    return 1 - wait * exp(-(agents - load) * threshold)


def test_the_search_finds_what_counting_up_finds() -> None:
    random = np.random.default_rng(7)
    for _ in range(80):
        demand, targets = _any_demand(random), _any_targets(random)
        least = int(random.integers(0, 4))
        counted = next(n for n in range(max(least, 1), 400) if meets(demand, n, targets))
        assert counted == agents_needed(demand, targets, least=least), (demand, targets)


def _any_demand(random: np.random.Generator) -> Demand:
    load, handling_s = random.choice([0.05, 0.8, 4.0, 20.0]), random.choice([30.0, 400.0])
    patience_s = random.choice([None, 5.0, 60.0, 400.0, 3600.0])
    return Demand(arrivals_per_s=load / handling_s, handling_s=handling_s, patience_s=patience_s)


def _any_targets(random: np.random.Generator) -> Targets:
    level = LevelTarget(
        name=list(ServiceLevel)[random.integers(4)],
        share=random.choice([0.3, 0.8, 0.95]),
        threshold_s=random.choice([0.0, 20.0, 90.0]),
    )
    return Targets(
        service_level=random.choice([None, level]),
        speed_of_answer_s=random.choice([None, 3.0, 60.0]),
        abandon_share=random.choice([None, 0.02, 0.2]),
        occupancy=random.choice([0.6, 0.85, 1.0]),
    )


@pytest.mark.parametrize("patience", [0.001, 0.1, 0.5, 1.0, 3.0, 100.0])
def test_occupancy_falls_with_every_agent(patience: float) -> None:
    for load in (0.01, 0.5, 3.0, 30.0, 90.0):
        sizes = [*range(1, 30), *range(30, int(1.5 * load) + 30, 7)]
        queues = [Impatient(size, load, 1.0, 1 / patience).solve() for size in sizes]
        rises = np.diff([queue.occupancy for queue in queues])
        assert rises.max() < 1e-11, (load, patience)


def test_the_hardest_of_several_targets_decides() -> None:
    demand = Demand(arrivals_per_s=0.05, handling_s=240.0, patience_s=120.0)
    alone = [
        _of_offered(0.8, 20.0),
        Targets(speed_of_answer_s=1.0),
        Targets(abandon_share=0.05),
        Targets(occupancy=0.7),
    ]
    together = Targets(
        service_level=alone[0].service_level,
        speed_of_answer_s=1.0,
        abandon_share=0.05,
        occupancy=0.7,
    )
    found = [agents_needed(demand, targets) for targets in alone]
    assert len(found) == len(set(found))
    assert max(found) == agents_needed(demand, together)


def test_an_occupancy_that_is_met_to_the_digit_needs_no_further_agent() -> None:
    # 45 erlangs; in floating point their share of 50 agents is 0.9000000000000001.
    demand = Demand(arrivals_per_s=125 / 1800, handling_s=648.0)
    assert 50 == agents_needed(demand, Targets(occupancy=0.9))


def test_without_patience_the_queue_is_to_have_a_steady_state() -> None:
    demand = Demand(arrivals_per_s=0.5, handling_s=20.0)
    assert 11 == agents_needed(demand, Targets(abandon_share=0.5))
    assert not meets(demand, 10, Targets(occupancy=1.0))


def test_with_patience_fewer_agents_than_erlangs_may_do() -> None:
    demand = Demand(arrivals_per_s=0.5, handling_s=20.0, patience_s=30.0)
    assert 6 == agents_needed(demand, Targets(abandon_share=0.42))


def test_without_arrivals_the_given_least_number_is_needed() -> None:
    quiet = Demand(arrivals_per_s=0.0, handling_s=300.0)
    assert 0 == agents_needed(quiet, _of_offered(0.8, 20.0))
    assert 2 == agents_needed(quiet, _of_offered(0.8, 20.0), least=2)
    assert 3 == agents_needed(
        Demand(arrivals_per_s=1e-9, handling_s=1.0), Targets(occupancy=1.0), least=3
    )


def test_each_interval_stands_alone() -> None:
    day = [Demand(arrivals_per_s=rate, handling_s=180.0) for rate in (0.0, 100 / 1800, 0.0)]
    found = needs(day, _of_offered(0.8, 20.0), least=1)
    assert [1, 14, 1] == found.tolist()
    assert np.int64 == found.dtype
    assert [] == needs([], _of_offered(0.8, 20.0)).tolist()


def test_an_interval_that_cannot_be_met_is_named() -> None:
    day = [Demand(arrivals_per_s=rate, handling_s=100.0) for rate in (0.0, 0.1, 0.9)]
    with pytest.raises(ValueError, match="interval 2: no number of agents up to 40 meets"):
        needs(day, _of_offered(0.8, 20.0), most=40)


def test_a_ceiling_of_occupancy_beyond_all_agents_is_refused() -> None:
    demand = Demand(arrivals_per_s=1.0, handling_s=100.0, patience_s=60.0)
    with pytest.raises(ValueError, match=r"up to 1000 meets .*occupancy=0.05"):
        agents_needed(demand, Targets(occupancy=0.05), most=1000)
    assert 2000 == agents_needed(demand, Targets(occupancy=0.05))


def test_the_lagged_rate_is_the_mean_over_the_interval_moved_back() -> None:
    rates = (0.0, 4.0, 8.0, 0.0, 0.0)
    day = [Demand(arrivals_per_s=rate, handling_s=450.0) for rate in rates]
    assert [0.0, 3.0, 7.0, 2.0, 0.0] == _rates(lagged(day, interval_s=1800.0))
    assert [0.0, 2.0, 6.0, 4.0, 0.0] == _rates(lagged(day, interval_s=900.0))
    assert [0.0, 0.0, 2.0, 6.0, 4.0] == _rates(lagged(day, interval_s=300.0))
    assert [0.0, 0.0, 0.0, 4.0, 8.0] == _rates(lagged(day, interval_s=225.0))


def test_before_the_first_interval_its_own_rate_holds() -> None:
    day = [Demand(arrivals_per_s=rate, handling_s=900.0) for rate in (6.0, 2.0)]
    assert [6.0, 4.0] == _rates(lagged(day, interval_s=1800.0))
    assert [6.0, 6.0] == _rates(lagged(day, interval_s=600.0))


def test_the_lag_brings_the_load_nearer_to_the_exact_one(cases: dict[str, Case]) -> None:
    length = pi / 50
    day = [
        Demand(arrivals_per_s=100 + 20 * sin((at + 0.5) * length), handling_s=1.0)
        for at in range(150)
    ]
    exact = {round(t / length): cases["mt_m_inf"]["metrics"][f"m_{t}"] for t in (2, 3, 4, 5, 6)}
    lag = lagged(day, interval_s=length)
    off = [sum(abs(row[at].load - m) for at, m in exact.items()) for row in (day, lag)]
    assert off[1] < 0.6 * off[0]


def _rates(demands: list[Demand]) -> list[float]:
    return [demand.arrivals_per_s for demand in demands]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: Demand(arrivals_per_s=-1.0, handling_s=1.0), "arrivals_per_s .* not -1.0"),
        (lambda: Demand(arrivals_per_s=nan, handling_s=1.0), "arrivals_per_s .* not nan"),
        (lambda: Demand(arrivals_per_s=1.0, handling_s=0.0), "handling_s .* not 0.0"),
        (lambda: Demand(arrivals_per_s=1.0, handling_s=1.0, patience_s=inf), "None if endless"),
        (lambda: _of_offered(1.0, 20.0), "share .* not 1.0"),
        (lambda: _of_offered(0.8, -1.0), "threshold_s .* not -1.0"),
        (Targets, "no target is given"),
        (lambda: Targets(speed_of_answer_s=0.0), "speed_of_answer_s .* not 0.0"),
        (lambda: Targets(abandon_share=0.0), "abandon_share .* not 0.0"),
        (lambda: Targets(occupancy=1.1), "occupancy .* at most 1, not 1.1"),
        (lambda: lagged([], interval_s=0.0), "interval_s .* not 0.0"),
        (
            lambda: agents_needed(
                Demand(arrivals_per_s=0.0, handling_s=1.0), Targets(occupancy=1.0), least=-1
            ),
            "least=-1",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Callable[[], object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        wrong()
