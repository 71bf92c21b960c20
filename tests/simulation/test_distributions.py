"""Every distribution: its moments, its survival and what it draws tell of the same durations."""

from itertools import pairwise
from math import inf, sqrt

import msgspec
import numpy as np
import pytest
from scipy.integrate import quad

from usher.simulation.distributions import (
    AnyDistribution,
    Deterministic,
    Empirical,
    Erlang,
    Exponential,
    Gamma,
    Hyperexponential,
    LogNormal,
    Uniform,
    Weibull,
)

pytestmark = pytest.mark.theory

DRAWS = 200_000
ALL = [
    Exponential(120.0),
    Deterministic(30.0),
    Uniform(5.0, 25.0),
    LogNormal(179.0, 189.0),
    Gamma(60.0, 90.0),
    Erlang(60.0, 3),
    Weibull(80.0, 0.7),
    Hyperexponential((0.3, 0.7), (20.0, 200.0)),
    Empirical((3.0, 3.0, 8.0, 50.0)),
]


@pytest.mark.parametrize("one", ALL, ids=lambda one: type(one).__name__)
def test_moments_are_those_of_its_survival(one: AnyDistribution) -> None:
    edges = [0.0, *one.kinks, 10 * one.mean, inf]
    pairs = list(pairwise(edges))
    mean = sum(quad(one.survival, *pair, epsrel=1e-10)[0] for pair in pairs)
    square = sum(quad(lambda x: 2 * x * one.survival(x), *pair, limit=200)[0] for pair in pairs)
    assert pytest.approx(mean, rel=1e-6) == one.mean
    assert pytest.approx(square, rel=1e-5) == one.second_moment
    assert pytest.approx(one.second_moment - one.mean**2) == one.variance


@pytest.mark.parametrize("one", ALL, ids=lambda one: type(one).__name__)
def test_the_limited_mean_is_the_integral_of_its_survival(one: AnyDistribution) -> None:
    for x in (0.5 * one.mean, 2.5 * one.mean):
        edges = [0.0, *[kink for kink in one.kinks if kink < x], x]
        pairs = pairwise(edges)
        area = sum(quad(one.survival, *pair)[0] for pair in pairs)
        assert pytest.approx(area, rel=1e-7) == one.limited_mean(x)
    assert 0 == one.limited_mean(0.0)
    assert pytest.approx(one.mean) == one.limited_mean(inf)


@pytest.mark.parametrize("one", ALL, ids=lambda one: type(one).__name__)
def test_it_draws_what_it_says(one: AnyDistribution) -> None:
    drawn = one.draw(np.random.default_rng(7), DRAWS)
    assert (DRAWS,) == drawn.shape
    assert drawn.min() >= 0
    off = 4 * sqrt(one.variance / DRAWS)
    assert abs(drawn.mean() - one.mean) <= off
    share = one.survival(one.mean)
    assert abs((drawn > one.mean).mean() - share) <= 4 * sqrt(share * (1 - share) / DRAWS)


@pytest.mark.parametrize("one", ALL, ids=lambda one: type(one).__name__)
def test_it_is_read_as_it_is_written(one: AnyDistribution) -> None:
    text = msgspec.json.encode(one)
    assert one == msgspec.json.decode(text, type=AnyDistribution)


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "exponential", "average": 0}',
        '{"kind": "exponential", "average": 3, "rate": 2}',
        '{"kind": "uniform", "low": 3, "high": 3}',
        '{"kind": "hyperexponential", "shares": [0.5, 0.4], "averages": [1, 2]}',
        '{"kind": "hyperexponential", "shares": [1], "averages": [1, 2]}',
        '{"kind": "empirical", "values": []}',
        '{"kind": "erlang", "average": 3, "phases": 0}',
        '{"kind": "lognormal", "average": 1e-300, "deviation": 1e300}',
        '{"kind": "lognormal", "average": 1, "deviation": 1e-9}',
        '{"kind": "gamma", "average": 1e-200, "deviation": 1e200}',
        '{"kind": "cauchy", "average": 3}',
    ],
)
def test_what_is_no_distribution_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=AnyDistribution)
