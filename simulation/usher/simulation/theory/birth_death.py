"""Queues whose number of contacts goes up and down by one: M/M/n+M, with or without bounds.

    j contacts inside        up: rate        down: min(j, n) service + max(j - n, 0) patience

Erlang A (Palm 1957; Garnett, Mandelbaum & Reiman 2002), M/M/c/K (Kleinrock 1975), and slots of
agents who slow down with each chat. Rates are per unit of time, any unit; durations are in it.

The wait of one who finds k waiting ahead (all n busy) and is served, with a = n service/patience,
has 1 - exp(-patience W) ~ Beta(k + 1, a + 1), and is served with probability a/(a + k + 1):
integrate the density of Garnett et al., or think of k + 1 deaths at rates n service + i patience.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

TAIL: Final = 1e-16  # of the probability: what lies beyond is left out
STATES_MOST: Final = 10_000_000


def stationary(up: Floats, down: Floats) -> Floats:
    """Returns the stationary probabilities of a birth-and-death chain, shape (len(up) + 1,).

    `up[j]` is the rate j -> j + 1, `down[j]` the rate j + 1 -> j; all positive.
    """
    steps = np.log(up) - np.log(down)
    weights = np.concatenate(([0.0], np.cumsum(steps)))
    chances = np.exp(weights - weights.max())
    probabilities: Floats = chances / chances.sum()
    return probabilities


class Impatient(Struct, frozen=True):
    """M/M/n+M in steady state: `servers` n, exponential service and patience, Poisson arrivals.

    `patience_rate` 0: nobody leaves. `room`: most that may wait; who comes then is turned away
    (blocked) and does not count as entering. Without patience and room the queue needs
    rate < servers * service_rate; use `erlang_c`.
    """

    servers: int
    rate: float
    service_rate: float
    patience_rate: float
    room: int | None = None

    def __post_init__(self) -> None:
        if self.servers < 1 or self.rate <= 0 or self.service_rate <= 0:
            raise ValueError("servers, rate and service_rate are to be positive")
        if self.patience_rate < 0 or (self.room is not None and self.room < 0):
            raise ValueError("patience_rate and room are not to be negative")
        if not self.patience_rate and self.room is None:
            raise ValueError("without patience a room is needed; see erlang_c")

    def probabilities(self) -> Floats:
        """Returns P(j inside), shape (servers + most waiting + 1,)."""
        waiting = self.room if self.room is not None else self._most_waiting()
        inside = np.arange(1, self.servers + waiting + 1)
        down = np.minimum(inside, self.servers) * self.service_rate
        down = down + np.maximum(inside - self.servers, 0) * self.patience_rate
        return stationary(np.full(len(inside), self.rate), down)

    def solve(self) -> "Waits":
        """Returns the measures of the steady state."""
        return Waits(self, self.probabilities())

    def _most_waiting(self) -> int:
        """Returns how many wait at most, but for a probability of TAIL."""
        busy = self.servers * self.service_rate
        peak = max(0.0, (self.rate - busy) / self.patience_rate)
        most = int(peak + 40 * sqrt(peak + self.servers + self.rate / self.patience_rate) + 100)
        if most > STATES_MOST:
            raise ValueError("patience is too long for this load: the queue has no bound in sight")
        return most


class Waits:
    """Measures of an `Impatient` queue. Shares are of those who entered; times in its unit."""

    def __init__(self, queue: Impatient, probabilities: Floats) -> None:
        self._queue = queue
        self._chances = probabilities
        n = queue.servers
        endless = queue.room is None
        self.p_block = 0.0 if endless else float(probabilities[-1])
        entering = probabilities if endless else probabilities[:-1] / (1 - self.p_block)
        self._at_once = float(entering[:n].sum())
        self._found = entering[n:]  # P(an entering one finds k waiting), k = 0, 1, ...
        self._ahead = np.arange(len(self._found))
        waiting = np.arange(len(probabilities)) - n
        waiting[waiting < 0] = 0
        self.rate_entering = queue.rate * (1 - self.p_block)
        self.mean_queue = float(probabilities @ waiting)
        self.var_queue = float(probabilities @ waiting**2) - self.mean_queue**2
        self.mean_in_system = float(probabilities @ np.arange(len(probabilities)))
        self.occupancy = (self.mean_in_system - self.mean_queue) / n
        self.p_wait = float(self._found.sum())
        self.p_abandon = queue.patience_rate * self.mean_queue / self.rate_entering
        self.mean_wait = self.mean_queue / self.rate_entering

    @property
    def mean_wait_served(self) -> float:
        """Returns the mean wait of the served."""
        mean, _ = self._moments_served()
        return mean

    @property
    def var_wait_served(self) -> float:
        """Returns the variance of the wait of the served."""
        mean, square = self._moments_served()
        return square - mean**2

    @property
    def mean_wait_abandoned(self) -> float:
        """Returns the mean wait of those who left; nan if nobody does."""
        if not self.p_abandon:
            return float("nan")
        served = (1 - self.p_abandon) * self.mean_wait_served
        return (self.mean_wait - served) / self.p_abandon

    def p_served_within(self, t: float) -> float:
        """Returns the share of the entering who are served after a wait of at most t."""
        a = self._patient_rate
        if a is None:
            within = special.gammainc(self._ahead + 1, self._busy_rate * t)
        else:
            x = -np.expm1(-self._queue.patience_rate * t)
            within = self._p_served * special.betainc(self._ahead + 1, a + 1, x)
        return self._at_once + float(self._found @ within)

    def p_wait_le_given_served(self, t: float) -> float:
        """Returns the share of the served who waited at most t."""
        return self.p_served_within(t) / (1 - self.p_abandon)

    @property
    def _busy_rate(self) -> float:
        return self._queue.servers * self._queue.service_rate

    @property
    def _patient_rate(self) -> float | None:
        patience = self._queue.patience_rate
        return self._busy_rate / patience if patience else None

    @property
    def _p_served(self) -> Floats:
        """Returns P(served | k ahead)."""
        a, ahead = self._patient_rate, self._ahead.astype(np.float64)
        return np.ones_like(ahead) if a is None else a / (a + ahead + 1)

    def _moments_served(self) -> tuple[float, float]:
        """Returns mean and mean square of the wait of the served."""
        a, patience, ahead = self._patient_rate, self._queue.patience_rate, self._ahead
        if a is None:
            mean = (ahead + 1) / self._busy_rate
            variance = (ahead + 1) / self._busy_rate**2
        else:
            mean = (special.digamma(a + ahead + 2) - special.digamma(a + 1)) / patience
            spread = special.polygamma(1, a + 1) - special.polygamma(1, a + ahead + 2)
            variance = spread / patience**2
        weights = self._found * self._p_served
        served = self._at_once + weights.sum()
        return float(weights @ mean / served), float(weights @ (variance + mean**2) / served)


class Slots(Struct, frozen=True):
    """One agent with several chats at a time who slows down: a birth-and-death queue with patience.

    `speeds[i]` is the rate at which each of i + 1 chats ends while i + 1 are open.
    """

    rate: float
    speeds: Sequence[float]
    patience_rate: float

    def probabilities(self) -> Floats:
        """Returns P(j inside), the last ones of no weight."""
        slots, full = len(self.speeds), len(self.speeds) * self.speeds[-1]
        like = Impatient(1, self.rate, full, self.patience_rate).probabilities()
        inside = np.arange(1, slots + len(like))
        open_chats = np.minimum(inside, slots)
        down = open_chats * np.array(self.speeds)[open_chats - 1]
        down = down + np.maximum(inside - slots, 0) * self.patience_rate
        return stationary(np.full(len(inside), self.rate), down)
