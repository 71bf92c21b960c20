"""How many agents each interval needs by theory: where a search for a staffing starts.

Each interval is taken as a queue of its own in steady state (SIPP, "stationary independent period
by period"; Green, Kolesar & Soares 2001): Erlang A where contacts lose patience, Erlang C where
they do not. One skill, one contact at a time, everybody on duty. It must not know shifts, skills,
pools or the simulator.

Why the fewest agents may be searched by halves: one agent more multiplies the density of the
offered wait V at x > 0 by exp(-service_rate x) and a constant (the form in `theory.patience`), so V
falls in the order of likelihood ratios. What is asked of V or of V given "answered" therefore gets
better with every agent: all four service levels, the speed of answer, the share that abandons.
Occupancy falls with every agent too: shown here by tests, not by a proof.
"""

from collections.abc import Callable, Sequence
from math import ceil, exp, expm1, isfinite
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy import special

from usher.queue.measures import ServiceLevel
from usher.simulation.theory.birth_death import Impatient, Waits
from usher.simulation.theory.erlang import Delay, erlang_c

Int64s = NDArray[np.int64]

AGENTS_MOST: Final = 10_000
ROUNDING: Final = 1e-9  # a target missed by less (a share, or relative) is missed by arithmetic


class Demand(Struct, frozen=True, kw_only=True):
    """What one interval asks for; raises ValueError."""

    arrivals_per_s: float
    handling_s: float
    """Mean of talk, hold and wrap-up together."""
    patience_s: float | None = None
    """Mean patience, exponential; None: nobody leaves."""

    def __post_init__(self) -> None:
        if not (isfinite(self.arrivals_per_s) and self.arrivals_per_s >= 0):
            raise ValueError(f"arrivals_per_s is to be at least 0, not {self.arrivals_per_s}")
        _check_positive("handling_s", self.handling_s)
        if self.patience_s is not None:
            _check_positive("patience_s (None if endless)", self.patience_s)

    @property
    def load(self) -> float:
        """Returns the offered load in erlangs."""
        return self.arrivals_per_s * self.handling_s


class LevelTarget(Struct, frozen=True, kw_only=True):
    """At least `share` by the service level of this name; raises ValueError.

    All four names have a closed form here. Without abandons they are the same. `OF_ANSWERED` does
    not look at abandons: where patience is short, very few agents meet it.
    """

    name: ServiceLevel
    share: float
    threshold_s: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share is to be between 0 and 1, without both, not {self.share}")
        if not (isfinite(self.threshold_s) and self.threshold_s >= 0):
            raise ValueError(f"threshold_s is to be at least 0, not {self.threshold_s}")


class Targets(Struct, frozen=True, kw_only=True):
    """What an interval is to reach, all of it; raises ValueError if nothing is asked."""

    service_level: LevelTarget | None = None
    speed_of_answer_s: float | None = None
    """Most that the answered wait on average."""
    abandon_share: float | None = None
    """Largest share of abandoned / offered; without patience any is met."""
    occupancy: float | None = None
    """Largest busy share of the agents' time, wrap-up is busy; 1 at most."""

    def __post_init__(self) -> None:
        asked = {name: getattr(self, name) for name in self.__struct_fields__}
        if all(target is None for target in asked.values()):
            raise ValueError(f"no target is given; at least one of {', '.join(asked)} is to be")
        for name in ("speed_of_answer_s", "abandon_share", "occupancy"):
            if asked[name] is not None:
                _check_positive(name, asked[name])
        for name in ("abandon_share", "occupancy"):
            if asked[name] is not None and asked[name] > 1:
                raise ValueError(f"{name} is to be at most 1, not {asked[name]}")


def needs(
    demands: Sequence[Demand], targets: Targets, *, least: int = 0, most: int = AGENTS_MOST
) -> Int64s:
    """Returns the fewest agents for each interval, shape (len(demands),).

    Raises ValueError as `agents_needed` does, with the index of the interval.
    """
    found = np.zeros(len(demands), dtype=np.int64)
    for at, demand in enumerate(demands):
        try:
            found[at] = agents_needed(demand, targets, least=least, most=most)
        except ValueError as error:
            raise ValueError(f"interval {at}: {error}") from error
    return found


def agents_needed(
    demand: Demand, targets: Targets, *, least: int = 0, most: int = AGENTS_MOST
) -> int:
    """Returns the fewest agents, `least` or more, that meet all targets.

    Without arrivals that is `least`, with arrivals at least one. Raises ValueError if `most`
    agents do not meet them, or if patience is too long for the sums of Erlang A.
    """
    if not 0 <= least <= most:
        raise ValueError(f"least is to be from 0 to most, not {least=} {most=}")
    if demand.arrivals_per_s == 0:
        return least
    found = _fewest(
        lambda agents: meets(demand, agents, targets),
        lowest=max(least, 1),
        guess=ceil(min(demand.load, most)),
        highest=most,
    )
    if found is None:
        raise ValueError(f"no number of agents up to {most} meets {targets} with {demand}")
    return found


def meets(demand: Demand, agents: int, targets: Targets) -> bool:
    """Returns whether this many agents meet all targets in steady state; raises ValueError."""
    if demand.arrivals_per_s == 0:
        return True
    if agents < 1:
        return False
    steady = _steady(demand, agents)
    if steady is None:
        return False
    level, speed_s = targets.service_level, targets.speed_of_answer_s
    return (
        (level is None or steady.level(level.name, level.threshold_s) >= level.share - ROUNDING)
        and (speed_s is None or _at_most(steady.speed_of_answer_s, speed_s))
        and (targets.abandon_share is None or _at_most(steady.abandon_share, targets.abandon_share))
        and (targets.occupancy is None or _at_most(steady.occupancy, targets.occupancy))
    )


def lagged(demands: Sequence[Demand], *, interval_s: float) -> list[Demand]:
    """Returns the demands with each arrival rate taken one mean handling time earlier.

    The load follows the arrivals by about that much, which matters if handling is long against the
    time in which the rate changes. Source: Green, Kolesar & Soares 2001, "Lag Avg": the mean rate
    over the interval moved back. Before the first interval its own rate is taken to hold.
    Raises ValueError.
    """
    _check_positive("interval_s", interval_s)
    moved = []
    for at, demand in enumerate(demands):
        whole, rest_s = divmod(demand.handling_s, interval_s)
        near, part = at - int(whole), rest_s / interval_s
        # Weights, not a difference of sums: no arrivals are to stay exactly 0.
        rate = part * demands[max(near - 1, 0)].arrivals_per_s
        rate += (1 - part) * demands[max(near, 0)].arrivals_per_s
        moved.append(replace(demand, arrivals_per_s=rate))
    return moved


def _fewest(holds: Callable[[int], bool], *, lowest: int, guess: int, highest: int) -> int | None:
    """Returns the least number from `lowest` to `highest` that holds, None if there is none.

    `holds` is False up to some number and True from there on. Steps that double lead from the
    guess to both sides of that number: far from the load the sums of Erlang A are long.
    """
    if lowest > highest:
        return None
    over, step = min(max(guess, lowest), highest), 1
    under = lowest - 1
    if holds(over):
        while over - step > under:
            if not holds(over - step):
                under = over - step
                break
            over, step = over - step, 2 * step
    else:
        while True:
            under, over = over, min(over + step, highest)
            if under == over:
                return None
            if holds(over):
                break
            step *= 2
    while over - under > 1:
        middle = (under + over) // 2
        under, over = (under, middle) if holds(middle) else (middle, over)
    return over


def _steady(demand: Demand, agents: int) -> "_Endless | _Limited | None":
    """Returns the queue in steady state; None if it has none."""
    service_rate = 1 / demand.handling_s
    if demand.patience_s is not None:
        rates = demand.arrivals_per_s, service_rate, 1 / demand.patience_s
        return _Limited(Impatient(agents, *rates))
    if demand.load >= agents * (1 - ROUNDING):
        return None
    return _Endless(erlang_c(agents, demand.arrivals_per_s, service_rate))


class _Endless:
    """Erlang C: nobody leaves."""

    abandon_share = 0.0

    def __init__(self, delay: Delay) -> None:
        self._delay = delay
        self.speed_of_answer_s = delay.mean_wait
        self.occupancy = delay.occupancy

    def level(self, _name: ServiceLevel, threshold_s: float) -> float:
        """Returns the service level, the same by every name."""
        return self._delay.p_wait_le(threshold_s)


class _Limited:
    """Erlang A: patience is exponential."""

    def __init__(self, queue: Impatient) -> None:
        chances = queue.probabilities()
        self._queue = queue
        self._found = chances[queue.servers :]  # P(k wait ahead), all busy; k = 0, 1, ...
        self._waits = Waits(queue, chances)
        self.abandon_share = self._waits.p_abandon
        self.occupancy = self._waits.occupancy

    @property
    def speed_of_answer_s(self) -> float:
        """Returns the mean wait of the answered."""
        return self._waits.mean_wait_served

    def level(self, name: ServiceLevel, threshold_s: float) -> float:
        """Returns the service level by this name, with shares of the offered in its formula."""
        answered_within = self._waits.p_served_within(threshold_s)
        match name:
            case ServiceLevel.OF_OFFERED:
                return answered_within
            case ServiceLevel.OF_ANSWERED:
                return answered_within / (1 - self.abandon_share)
            case ServiceLevel.ABANDONS_WITHIN_EXCLUDED:
                return answered_within / (answered_within + self._p_wait_gt(threshold_s))
            case ServiceLevel.ABANDONS_WITHIN_MET:
                return 1 - self._p_wait_gt(threshold_s)

    def _p_wait_gt(self, t: float) -> float:
        """Returns the share of all who are in the queue for longer than t.

        Who finds k waiting ahead is reached by the agents after k + 1 deaths at rates
        n service + i patience, i = 0..k, so 1 - exp(-patience V) ~ Beta(k + 1, a) with
        a = n service/patience; and is still there at t with probability exp(-patience t).
        """
        queue = self._queue
        busy = queue.servers * queue.service_rate / queue.patience_rate
        later = special.betaincc(
            np.arange(1, len(self._found) + 1), busy, -expm1(-queue.patience_rate * t)
        )
        return exp(-queue.patience_rate * t) * float(self._found @ later)


def _at_most(value: float, target: float) -> bool:
    return value <= target * (1 + ROUNDING)


def _check_positive(name: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{name} is to be positive and finite, not {value}")
