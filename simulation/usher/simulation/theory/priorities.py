"""Priorities without interruption: Cobham 1954 (one server), Davis 1966 (several).

Class 0 goes first. Lists run over the classes; rates per unit of time.
"""

from collections.abc import Sequence

from usher.simulation.distributions import AnyDistribution
from usher.simulation.theory.erlang import erlang_c


def waits_by_class(servers: int, rates: Sequence[float], service_rate: float) -> list[float]:
    """Returns the mean wait of each class in M/M/c with one service rate; raises ValueError."""
    busy = servers * service_rate
    ahead = erlang_c(servers, sum(rates), service_rate).p_wait / busy
    return _cobham(ahead, [rate / busy for rate in rates])


def waits_by_class_single(
    rates: Sequence[float], services: Sequence[AnyDistribution]
) -> list[float]:
    """Returns the mean wait of each class in M/G/1 with a service law each; raises ValueError."""
    pairs = list(zip(rates, services, strict=True))
    loads = [rate * service.mean for rate, service in pairs]
    if sum(loads) >= 1:
        raise ValueError("the load is to be less than 1")
    residual = sum(rate * service.second_moment for rate, service in pairs) / 2
    return _cobham(residual, loads)


def _cobham(ahead: float, loads: Sequence[float]) -> list[float]:
    waits, before = [], 0.0
    for load in loads:
        through = before + load
        waits.append(ahead / ((1 - before) * (1 - through)))
        before = through
    return waits
