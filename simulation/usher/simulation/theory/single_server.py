"""One server with a service of any law (M/G/1), or arrivals of any law (GI/M/1)."""

from collections.abc import Callable

from scipy.optimize import brentq

from usher.simulation.distributions import AnyDistribution


def mean_wait_mg1(rate: float, service: AnyDistribution) -> float:
    """Returns the mean wait in M/G/1 (Pollaczek 1930, Khinchine 1932); raises ValueError."""
    load = rate * service.mean
    if load >= 1:
        raise ValueError("the load is to be less than 1")
    return rate * service.second_moment / (2 * (1 - load))


def p_wait_gim1(service_rate: float, transform: Callable[[float], float]) -> float:
    """Returns P(wait > 0) in GI/M/1, Kendall's sigma; the mean wait is sigma/(mu (1 - sigma)).

    `transform(s)` is the Laplace transform E[exp(-s A)] of the time between arrivals. Kendall 1953.
    """
    excess = lambda sigma: transform(service_rate * (1 - sigma)) - sigma  # noqa: E731
    return float(brentq(excess, 0.0, 1 - 1e-9, xtol=1e-15))
