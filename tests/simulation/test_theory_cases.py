"""The theory module against the exact answers of `shared/queueing_cases.json`, to six digits.

Only what has a closed form or a convergent integral; the simulator answers for the rest.
"""

import json
from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from usher.simulation.distributions import (
    AnyDistribution,
    Deterministic,
    Erlang,
    Exponential,
    LogNormal,
    Uniform,
)
from usher.simulation.theory.approximations import garnett, halfin_whitt_p_wait
from usher.simulation.theory.birth_death import Impatient, Slots
from usher.simulation.theory.erlang import erlang_b, erlang_c
from usher.simulation.theory.patience import GeneralPatience
from usher.simulation.theory.priorities import waits_by_class, waits_by_class_single
from usher.simulation.theory.single_server import mean_wait_mg1, p_wait_gim1

pytestmark = pytest.mark.theory

Case = dict[str, Any]
DIGITS = 1e-6


@pytest.fixture(scope="session")
def cases(shared: Path) -> dict[str, Case]:
    read = json.loads((shared / "queueing_cases.json").read_text(encoding="utf-8"))
    return {case["id"]: case for case in read["cases"]}


def _check(case: Case, **told: float) -> None:
    for name, value in told.items():
        expected = case["metrics"][name]
        assert pytest.approx(expected, rel=DIGITS, abs=1e-12) == value, (case["id"], name)


def _times(case: Case, start: str) -> dict[str, float]:
    """Returns the metrics whose names hold a time, with it; 0.3333 means a third."""
    found = {}
    for name in case["metrics"]:
        if name.startswith(start):
            text = name.removeprefix(start).removesuffix("_given_served")
            found[name] = 1 / 3 if text == "0.3333" else float(text)
    return found


@pytest.mark.parametrize("name", ["erlang_b_10_8", "erlang_b_100_95"])
def test_calls_lost(cases: dict[str, Case], name: str) -> None:
    case = cases[name]
    servers, load = case["params"]["servers"], case["params"]["offered_load"]
    lost = erlang_b(servers, load)
    busy = load * (1 - lost)
    _check(case, p_block=lost, mean_busy=busy, occupancy=busy / servers)


@pytest.mark.parametrize("name", ["erlang_c_mm5_4", "erlang_c_mm12_42", "erlang_c_mm50_47"])
def test_calls_delayed(cases: dict[str, Case], name: str) -> None:
    case, given = cases[name], cases[name]["params"]
    delay = erlang_c(given["servers"], given["lam"], given["mu"])
    _check(case, p_wait=delay.p_wait, mean_wait=delay.mean_wait, var_wait=delay.var_wait)
    _check(case, mean_wait_if_wait=delay.mean_wait_if_wait, mean_queue=delay.mean_queue)
    _check(case, mean_in_system=delay.mean_in_system, occupancy=delay.occupancy)
    _check(case, wait_p90=delay.wait_quantile(0.9))
    _check(case, **{key: delay.p_wait_le(t) for key, t in _times(case, "p_wait_le_").items()})


@pytest.mark.parametrize(
    "name",
    ["erlang_a_n10_l95", "erlang_a_n10_l120", "erlang_a_n50_l50", "erlang_a_whitt_n100_th1"],
)
def test_impatient_callers(cases: dict[str, Case], name: str) -> None:
    case, given = cases[name], cases[name]["params"]
    room = given.get("waiting_room")
    waits = Impatient(given["servers"], given["lam"], given["mu"], given["theta"], room).solve()
    timed = ("p_served_within_", "p_wait_le_")
    plain = [key for key in case["metrics"] if not key.startswith(timed)]
    _check(case, **{key: getattr(waits, key) for key in plain})
    within = _times(case, "p_served_within_")
    _check(case, **{key: waits.p_served_within(t) for key, t in within.items()})
    given_served = _times(case, "p_wait_le_")
    _check(case, **{key: waits.p_wait_le_given_served(t) for key, t in given_served.items()})


@pytest.mark.parametrize("name", ["mmck_1_5", "mmck_12_20"])
def test_a_line_with_little_room(cases: dict[str, Case], name: str) -> None:
    case, given = cases[name], cases[name]["params"]
    room = given["capacity_in_system"] - given["servers"]
    waits = Impatient(given["servers"], given["lam"], given["mu"], 0.0, room).solve()
    _check(case, p_block=waits.p_block, p_wait_entering=waits.p_wait)
    _check(case, mean_queue=waits.mean_queue, mean_wait_entering=waits.mean_wait)
    _check(case, occupancy=waits.occupancy)
    assert pytest.approx(waits.mean_wait) == waits.mean_wait_served


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("mg1_det", Deterministic(1.0)),
        ("mg1_e2", Erlang(1.0, 2)),
        ("mg1_ln_brown_ps", LogNormal(179.0, 189.0)),
    ],
)
def test_one_server(cases: dict[str, Case], name: str, service: AnyDistribution) -> None:
    case = cases[name]
    _check(case, mean_wait=mean_wait_mg1(case["params"]["lam"], service))


@pytest.mark.parametrize("name", ["prio_np_c1", "prio_np_c10"])
def test_priorities(cases: dict[str, Case], name: str) -> None:
    case, given = cases[name], cases[name]["params"]
    first, second = waits_by_class(given["servers"], given["lams"], given["mu"])
    _check(case, mean_wait_class1=first, mean_wait_class2=second)


def test_priorities_with_a_service_of_their_own(cases: dict[str, Case]) -> None:
    services = [Exponential(1.0), Deterministic(2.0)]
    first, second = waits_by_class_single([0.3, 0.2], services)
    _check(cases["prio_mg1"], mean_wait_class1=first, mean_wait_class2=second)


@pytest.mark.parametrize(
    ("name", "patience"),
    [
        ("mmng_exp_check", Exponential(2.0)),
        ("mmng_det2", Deterministic(2.0)),
        ("mmng_unif4", Uniform(0.0, 4.0)),
        ("mmng_whitt_ln11", LogNormal(1.0, 1.0)),
    ],
)
def test_patience_of_any_law(cases: dict[str, Case], name: str, patience: AnyDistribution) -> None:
    case, given = cases[name], cases[name]["params"]
    waits = GeneralPatience(given["servers"], given["lam"], given["mu"], patience).solve()
    plain = [key for key in case["metrics"] if not key.startswith("p_wait_gt_")]
    _check(case, **{key: getattr(waits, key) for key in plain})
    _check(case, **{key: waits.p_wait_gt(t) for key, t in _times(case, "p_wait_gt_").items()})


def test_scheduled_arrivals(cases: dict[str, Case]) -> None:
    between: Callable[[float], float] = lambda s: exp(-1.25 * s)  # noqa: E731
    sigma = p_wait_gim1(1.0, between)
    _check(cases["dm1"], sigma=sigma, p_wait=sigma, mean_wait=sigma / (1 - sigma))


def test_chats_that_slow_each_other_down(cases: dict[str, Case]) -> None:
    case, given = cases["chat_slots"], cases["chat_slots"]["params"]
    speeds = given["per_chat_rate_by_active"]
    chances = Slots(given["lam"], speeds, given["theta"]).probabilities()
    inside = np.arange(len(chances))
    open_chats = np.minimum(inside, len(speeds))
    queue = float(chances @ (inside - open_chats))
    _check(case, p_wait=float(chances[len(speeds) :].sum()), p_agent_idle=float(chances[0]))
    _check(case, mean_queue=queue, mean_wait=queue / given["lam"])
    _check(case, p_abandon=given["theta"] * queue / given["lam"])
    _check(case, mean_active_chats=float(chances @ open_chats))


def test_approximations_for_many_servers(cases: dict[str, Case]) -> None:
    _check(cases["halfin_whitt_100"], p_wait_approx=halfin_whitt_p_wait(0.5))
    p_wait, p_abandon = garnett(beta=0.0, load=100.0, patience_ratio=2.0)
    _check(cases["garnett_100_100_2"], p_wait_approx=p_wait, p_abandon_approx=p_abandon)
