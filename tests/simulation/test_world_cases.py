"""The simulator, driving the router's pool, against the exact answers of queueing theory.

Every metric of `shared/queueing_cases.json` that a run can give lies within four standard errors,
by the means of batches of one long run with a fixed seed. Issue 4, "must show" 1 and 2.
"""

import json
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from tests.simulation.queueing_readings import Reader
from tests.simulation.queueing_worlds import Model, class_model, model, steady

from usher.simulation.rows import Batch
from usher.simulation.streams import Streams
from usher.simulation.world import World

pytestmark = pytest.mark.theory

Case = dict[str, Any]
CONTACTS = 50_000
BATCHES = 15
STANDARD_ERRORS = 4
SEED = 20261122

ONE_QUEUE = (
    *("erlang_b_10_8", "erlang_b_100_95"),
    *("erlang_c_mm5_4", "erlang_c_mm12_42", "erlang_c_mm50_47"),
    *("erlang_a_n10_l95", "erlang_a_n10_l120", "erlang_a_n50_l50", "erlang_a_whitt_n100_th1"),
    *("mmck_1_5", "mmck_12_20"),
    *("mg1_det", "mg1_e2", "mg1_ln_brown_ps", "mdc_1_0.8", "mdc_10_8.0", "me2c_2_1.6"),
    *("mmng_exp_check", "mmng_det2", "mmng_unif4", "mmng_whitt_ln11", "dm1"),
    *("chat_slots", "acw_c5", "halfin_whitt_100", "garnett_100_100_2"),
)
CLASSES = ("prio_np_c1", "prio_np_c10", "prio_mg1", "v_model_prio_ab")
NOT_OF_A_RUN = {
    *("sigma", "residual", "ratio_to_mmc", "p_wait_approx", "p_abandon_approx"),
    "mean_offered_wait",
}
"""Constants of a formula; approximations; the wait that somebody with endless patience would have
had."""
RARE = {("mdc_10_8.0", "p_empty")}
"""Two ten-thousandths of the time: a run hardly sees it."""
SLOW_TO_MIX = {"erlang_c_mm50_47", "halfin_whitt_100", "mmng_whitt_ln11"}
"""One relaxation takes 1,000 contacts and more (about 1 / (sqrt(n mu) - sqrt(lam))^2 of time): the
batches of a short run hang together and tell errors that are too small."""


@pytest.fixture(scope="session")
def cases(shared: Path) -> dict[str, Case]:
    read = json.loads((shared / "queueing_cases.json").read_text(encoding="utf-8"))
    return {case["id"]: case for case in read["cases"]}


@pytest.mark.parametrize("name", ONE_QUEUE)
def test_one_queue_gives_what_theory_says(
    cases: dict[str, Case], name: str, scaled: Callable[[int], int]
) -> None:
    if name in SLOW_TO_MIX and scaled(CONTACTS) < CONTACTS:
        pytest.skip("needs the long run: USHER_FULL=1")
    case = cases[name]
    _check(case, model(case["params"]), scaled(CONTACTS))


@pytest.mark.parametrize("name", CLASSES)
def test_two_classes_give_what_theory_says(
    cases: dict[str, Case], name: str, scaled: Callable[[int], int]
) -> None:
    case = cases[name]
    _check(case, class_model(case["params"]), scaled(CONTACTS))


def _check(case: Case, one: Model, contacts: int) -> None:
    world = World(steady(one, contacts, BATCHES), one.policy, Streams(SEED))
    batches = list(world.batches())
    reader = Reader(one.unit_s, case["params"].get("servers", 1), case["metrics"])
    assert {} == _far_off(case, batches, reader)


def _far_off(case: Case, batches: list[Batch], reader: Reader) -> dict[str, str]:
    """Returns the metrics that are not within STANDARD_ERRORS, with what was found."""
    found = {}
    for name, metric in case["metrics"].items():
        if name in NOT_OF_A_RUN or (case["id"], name) in RARE:
            continue
        # Of a percentile: so many wait no longer.
        expected = float(name[-2:]) / 100 if name.startswith("wait_p") else metric
        values = reader.values(name, batches)
        error = values.std(ddof=1) / sqrt(len(values))
        off = abs(values.mean() - expected)
        if off > STANDARD_ERRORS * error + 1e-4 * abs(expected):
            found[name] = f"{values.mean():.5g}, expected {expected:.5g}: {off / error:.1f} errors"
    return found
