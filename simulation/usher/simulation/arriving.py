"""When contacts of one type come: an endless or ended row of moments in whole ms.

Taken one interval at a time, so that a run of any length needs the memory of one. It must not know
what comes.
"""

from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.random import Generator

from usher.simulation.distributions import AnyDistribution
from usher.simulation.scenario import Arrivals, Curve, Gaps, Listed, Poisson
from usher.simulation.streams import BLOCK, MS_PER_S, Streams

MS_PER_MIN = 60_000
MS_PER_HOUR = 3_600_000


class Luck:
    """What is common to all types of a day: how busy the day is, and each interval of it.

    All types draw their factors from the same numbers, so a busy day is busy for all of them.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def day_factor(self, curve: Curve) -> float:
        """Returns the factor of the day."""
        if curve.day_factor is None:
            return 1.0
        return float(curve.day_factor.draw(self._streams.generator("day factor"), 1)[0])

    def interval_factors(self, curve: Curve) -> list[float]:
        """Returns a factor for each interval."""
        if curve.interval_factor is None:
            return [1.0] * len(curve.counts)
        generator = self._streams.generator("interval factors")
        factors: list[float] = curve.interval_factor.draw(generator, len(curve.counts)).tolist()
        return factors


def arrival_times(
    arrivals: Arrivals, from_ms: int, generator: Generator, luck: Luck
) -> Iterator[int]:
    """Returns the moments, ascending; none before `from_ms` but those of a list."""
    match arrivals:
        case Poisson():
            return _gaps_ms(from_ms, MS_PER_HOUR / arrivals.per_hour, generator)
        case Gaps():
            return _renewals(from_ms, arrivals.gap, generator)
        case Listed():
            return iter([round(at_s * MS_PER_S) for at_s in arrivals.at_s])
        case Curve():
            return (at_ms for at_ms in _of_curve(arrivals, generator, luck) if at_ms >= from_ms)


def _gaps_ms(from_ms: int, mean_ms: float, generator: Generator) -> Iterator[int]:
    at_ms = float(from_ms)
    while True:
        moments = at_ms + np.cumsum(generator.exponential(mean_ms, BLOCK))
        at_ms = float(moments[-1])
        yield from np.rint(moments).astype(np.int64).tolist()


def _renewals(from_ms: int, gap: AnyDistribution, generator: Generator) -> Iterator[int]:
    at_ms = float(from_ms)
    while True:
        moments = at_ms + np.cumsum(gap.draw(generator, BLOCK) * MS_PER_S)
        at_ms = float(moments[-1])
        yield from np.rint(moments).astype(np.int64).tolist()


def _of_curve(curve: Curve, generator: Generator, luck: Luck) -> Iterator[int]:
    """Within an interval the number is Poisson and the moments are uniform: a Poisson process."""
    of_day, factors = luck.day_factor(curve), luck.interval_factors(curve)
    every_ms = curve.every_min * MS_PER_MIN
    starts_ms = count(curve.starts_min * MS_PER_MIN, every_ms)
    for expected, factor, start_ms in zip(curve.counts, factors, starts_ms, strict=False):
        number = int(generator.poisson(expected * of_day * factor))
        moments = np.sort(generator.integers(start_ms, start_ms + every_ms, number))
        yield from moments.tolist()
