"""The theory module where no table is needed: models that must agree, and what is refused."""

import pytest

from usher.simulation.distributions import Exponential, Gamma
from usher.simulation.theory.approximations import garnett, halfin_whitt_p_wait
from usher.simulation.theory.birth_death import Impatient
from usher.simulation.theory.erlang import erlang_b, erlang_c, servers_for
from usher.simulation.theory.patience import GeneralPatience
from usher.simulation.theory.priorities import waits_by_class, waits_by_class_single
from usher.simulation.theory.single_server import mean_wait_mg1

pytestmark = pytest.mark.theory


def test_two_ways_to_impatience_agree() -> None:
    rates = (40.0, 1.0)
    one = Impatient(42, *rates, patience_rate=0.4).solve()
    other = GeneralPatience(42, *rates, Exponential(2.5)).solve()
    assert pytest.approx(one.p_abandon, rel=1e-8) == other.p_abandon
    assert pytest.approx(one.mean_wait, rel=1e-8) == other.mean_wait
    assert pytest.approx(one.p_wait, rel=1e-8) == other.p_wait


def test_a_large_room_without_patience_is_erlang_c() -> None:
    roomy = Impatient(12, 4.2, 0.5, 0.0, room=400).solve()
    delay = erlang_c(12, 4.2, 0.5)
    assert pytest.approx(delay.mean_wait, rel=1e-9) == roomy.mean_wait
    assert pytest.approx(delay.p_wait_le(1 / 3), rel=1e-9) == roomy.p_served_within(1 / 3)


def test_everything_that_waits_is_served_or_leaves() -> None:
    waits = Impatient(10, 12.0, 1.0, 0.5).solve()
    assert pytest.approx(1 - waits.p_abandon) == waits.p_served_within(1e6)
    assert pytest.approx(12 * (1 - waits.p_abandon)) == 10 * waits.occupancy


def test_one_class_waits_as_if_there_were_no_classes() -> None:
    assert pytest.approx(erlang_c(5, 4.0, 1.0).mean_wait) == waits_by_class(5, [4.0], 1.0)[0]
    service = Gamma(1.0, 0.5)
    assert pytest.approx(mean_wait_mg1(0.8, service)) == waits_by_class_single([0.8], [service])[0]


def test_as_few_servers_as_reach_the_target() -> None:
    servers = servers_for(95.0, 1.0, within=0.1, share=0.8)
    assert erlang_c(servers, 95.0, 1.0).p_wait_le(0.1) >= 0.8
    assert erlang_c(servers - 1, 95.0, 1.0).p_wait_le(0.1) < 0.8


def test_a_very_large_group_is_no_trouble() -> None:
    assert 0 < erlang_b(10_000, 9_900.0) < 0.02
    assert 0 < Impatient(2_000, 2_100.0, 1.0, 0.2).solve().p_abandon < 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: erlang_b(-1, 1.0),
        lambda: erlang_c(4, 4.0, 1.0),
        lambda: erlang_c(0, 4.0, 1.0),
        lambda: servers_for(4.0, 1.0, within=1.0, share=1.0),
        lambda: Impatient(4, 4.0, 1.0, 0.0),
        lambda: Impatient(4, 4.0, 1.0, -1.0),
        lambda: Impatient(1, 1e9, 1.0, 1e-9).solve(),
        lambda: GeneralPatience(0, 4.0, 1.0, Exponential(1.0)),
        lambda: mean_wait_mg1(1.0, Exponential(1.0)),
        lambda: waits_by_class_single([0.6, 0.4], [Exponential(1.0), Exponential(1.0)]),
        lambda: halfin_whitt_p_wait(0.0),
        lambda: garnett(0.0, 100.0, 0.0),
    ],
)
def test_what_has_no_answer_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        wrong()  # type: ignore[operator]
