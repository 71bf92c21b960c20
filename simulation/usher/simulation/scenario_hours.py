"""How many of the arrivals that a scenario tells lie within given hours.

It must not know whose hours these are.
"""

from collections.abc import Sequence
from typing import NamedTuple

from usher.queue.branches import MINUTES_OF_DAY
from usher.simulation.scenario import Arrivals, Curve, Listed

ROUNDING = 1e-9
"""Shares of a total that differ by less come of rounding."""

_S_PER_MIN = 60

Span = tuple[int, int]
"""From one minute since midnight to another."""


class Told(NamedTuple):
    """Arrivals that stand under a key of the scenario: all of them, and those within the hours."""

    key: str
    total: float
    within: float

    @property
    def outside(self) -> float:
        """Returns how many lie outside; 0 where only rounding says so."""
        outside = self.total - self.within
        return outside if outside > ROUNDING * self.total else 0.0


def arrivals_within(arrivals: Arrivals, hours: Sequence[Span]) -> Told | None:
    """Returns how many arrivals lie within hours that do not overlap; None if no number is told.

    A curve that does not end by midnight has no such number either.
    """
    match arrivals:
        case Curve() if ends_min(arrivals) <= MINUTES_OF_DAY:
            within = sum(_of_curve(arrivals, *span) for span in hours)
            return Told("counts", sum(arrivals.counts), within)
        case Listed():
            inside = [
                at_s
                for at_s in arrivals.at_s
                for opens_min, closes_min in hours
                if opens_min * _S_PER_MIN <= at_s < closes_min * _S_PER_MIN
            ]
            return Told("at_s", len(arrivals.at_s), len(inside))
        case _:
            return None


def ends_min(curve: Curve) -> int:
    """Returns when a curve ends, in minutes since midnight."""
    return curve.starts_min + curve.every_min * len(curve.counts)


def _of_curve(curve: Curve, from_min: int, until_min: int) -> float:
    within = 0.0
    for index, expected in enumerate(curve.counts):
        begins_min = curve.starts_min + index * curve.every_min
        both_min = min(begins_min + curve.every_min, until_min) - max(begins_min, from_min)
        within += expected * max(0, both_min) / curve.every_min
    return within
