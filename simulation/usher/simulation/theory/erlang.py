"""Erlang's formulas: calls lost (B) and calls delayed (C), with the whole law of the wait.

Offered load = rate / service_rate, in erlangs. Sources: Erlang 1917; the recursion of B in
Jagerman 1974; C and its exponential tail in Cooper 1981.
"""

from math import exp, log
from typing import Final

from msgspec import Struct

SERVERS_MOST: Final = 1_000_000


def erlang_b(servers: int, load: float) -> float:
    """Returns the probability that a call is lost, M/G/c/c; raises ValueError."""
    if servers < 0 or load < 0:
        raise ValueError("servers and load are not to be negative")
    lost = 1.0
    for busy in range(1, servers + 1):
        lost = load * lost / (busy + load * lost)
    return lost


def erlang_c(servers: int, rate: float, service_rate: float) -> "Delay":
    """Returns the law of the wait in M/M/c; raises ValueError if the queue would grow for ever."""
    if servers < 1 or rate <= 0 or service_rate <= 0:
        raise ValueError("servers, rate and service_rate are to be positive")
    load = rate / service_rate
    if load >= servers:
        raise ValueError(f"{load:.6g} erlangs need more than {servers} servers")
    lost = erlang_b(servers, load)
    p_wait = servers * lost / (servers - load * (1 - lost))
    return Delay(p_wait, servers * service_rate - rate, rate, load, servers)


class Delay(Struct, frozen=True):
    """The wait in M/M/c, first come first served: 0, or with `p_wait` exponential(`drain_rate`)."""

    p_wait: float
    drain_rate: float
    rate: float
    load: float
    servers: int

    @property
    def mean_wait(self) -> float:
        """Returns the mean wait over all."""
        return self.p_wait / self.drain_rate

    @property
    def mean_wait_if_wait(self) -> float:
        """Returns the mean wait of those who wait."""
        return 1 / self.drain_rate

    @property
    def var_wait(self) -> float:
        """Returns the variance of the wait over all."""
        return self.p_wait * (2 - self.p_wait) / self.drain_rate**2

    @property
    def mean_queue(self) -> float:
        """Returns the mean number waiting (Little)."""
        return self.rate * self.mean_wait

    @property
    def mean_in_system(self) -> float:
        """Returns the mean number waiting and served."""
        return self.mean_queue + self.load

    @property
    def occupancy(self) -> float:
        """Returns the busy share of the servers."""
        return self.load / self.servers

    def p_wait_le(self, t: float) -> float:
        """Returns P(wait <= t)."""
        return 1 - self.p_wait * exp(-self.drain_rate * t)

    def wait_quantile(self, share: float) -> float:
        """Returns the wait that `share` of all do not exceed; 0 <= share < 1."""
        if share <= 1 - self.p_wait:
            return 0.0
        return log(self.p_wait / (1 - share)) / self.drain_rate


def servers_for(
    rate: float, service_rate: float, within: float, share: float, least: int = 1
) -> int:
    """Returns the fewest servers with P(wait <= within) >= share, by Erlang C."""
    if not 0 <= share < 1:
        raise ValueError("share is to be at least 0 and less than 1")
    servers = max(least, int(rate / service_rate) + 1)
    while erlang_c(servers, rate, service_rate).p_wait_le(within) < share:
        servers += 1
        if servers > SERVERS_MOST:
            raise ValueError("no number of servers reaches this")
    return servers
