"""M/M/n+G: Poisson arrivals, exponential service, patience of any law, by integrals.

Source: Baccelli & Hebuterne 1981; Zeltyn & Mandelbaum 2005 (the building blocks J, J_1, J_H and E).
With S the survival of patience, H(x) its integral from 0 to x, n servers and a = rate/service_rate:

    v(x) = exp(rate H(x) - n service_rate x)          J = int v,  J_1 = int x v,  J_H = int H v
    E = sum over j < n of (a^j / j!) / (a^(n-1) / (n-1)!) = 1 / erlang_b(n - 1, a)
"""

from collections.abc import Callable
from math import exp, inf

from msgspec import Struct
from scipy.integrate import quad

from usher.simulation.distributions import AnyDistribution
from usher.simulation.theory.erlang import erlang_b


class GeneralPatience(Struct, frozen=True):
    """The queue; rates per unit of time, `patience` in the same unit. Raises ValueError."""

    servers: int
    rate: float
    service_rate: float
    patience: AnyDistribution

    def __post_init__(self) -> None:
        if self.servers < 1 or self.rate <= 0 or self.service_rate <= 0:
            raise ValueError("servers, rate and service_rate are to be positive")

    def solve(self) -> "OfferedWait":
        """Returns the measures of the steady state."""
        return OfferedWait(self)


class OfferedWait:
    """Measures of M/M/n+G. Shares are of all who come; times in the unit of the queue.

    The offered wait is what one of endless patience would wait.
    """

    def __init__(self, queue: GeneralPatience) -> None:
        self._queue = queue
        busy = queue.servers * queue.service_rate
        limited = queue.patience.limited_mean
        self._weight: Callable[[float], float] = lambda x: exp(queue.rate * limited(x) - busy * x)
        self._points = self._splits()
        whole = self._integral(lambda _x: 1.0)
        self._total = 1 / erlang_b(queue.servers - 1, queue.rate / queue.service_rate)
        self._total += queue.rate * whole
        self.p_wait = queue.rate * whole / self._total
        self.p_abandon = (1 + (queue.rate - busy) * whole) / self._total
        self.mean_offered_wait = queue.rate * self._integral(lambda x: x) / self._total
        self.mean_wait = queue.rate * self._integral(limited) / self._total
        self.mean_queue = queue.rate * self.mean_wait
        served = queue.rate * (1 - self.p_abandon)
        self.occupancy = served / busy

    def p_wait_gt(self, t: float) -> float:
        """Returns the share of those who are in the queue for longer than t."""
        later = self._integral(lambda _x: 1.0, since=t)
        rate = self._queue.rate
        return rate * self._queue.patience.survival(t) * later / self._total

    def _splits(self) -> list[float]:
        """Returns points between which the integrands are smooth and not all of them nothing."""
        queue = self._queue
        busy = queue.servers * queue.service_rate
        points, x = set(queue.patience.kinks), 1 / max(busy, queue.rate)
        while self._weight(x) > 1e-18 * max(1.0, self._weight(x / 2)) and x < 1e12:
            points.add(x)
            x *= 2
        points.add(x)
        return sorted(points)

    def _integral(self, what: Callable[[float], float], since: float = 0.0) -> float:
        total, start = 0.0, since
        for end in (*[point for point in self._points if point > since], inf):
            value, _ = quad(
                lambda x: what(x) * self._weight(x), start, end, epsabs=1e-13, epsrel=1e-11
            )
            total += value
            start = end
        return float(total)
