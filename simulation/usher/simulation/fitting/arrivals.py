"""How many come: mean curves of the day, and how much days and intervals differ beyond chance.

For calibrating a scenario. Counts (days x intervals) come in, frozen figures go out; it must not
know files, logs, calendars or how long an interval is. The model, by day class c (a weekday):

    N[d, i] ~ Poisson(F[d] x mean[c, i])        F[d] ~ gamma with mean 1 and variance 1 / alpha

F is the day factor (Whitt 1999, Avramidis, Deslauriers & L'Ecuyer 2004): a planner does not know
the size of the day to come. What the model leaves unexplained is told as a variance / mean.
"""

from collections.abc import Iterable
from math import sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import special

from usher.simulation.distributions import Gamma

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]


class Dispersion(Struct, frozen=True, kw_only=True):
    """How much counts vary about what is expected of them, against Poisson counts.

    Pearson's statistic: the sum of (count - expected)^2 / expected, for Poisson counts about
    chi-square with `degrees` degrees of freedom (Cochran 1954).
    """

    ratio: float
    """Variance / mean: statistic / degrees; 1 = Poisson."""
    statistic: float
    degrees: int
    p_value: float
    """Chance of so large a statistic if the counts were Poisson."""


class ArrivalCurve(Struct, frozen=True, eq=False, kw_only=True):
    """The mean day of one class: counts per interval, shape (intervals,)."""

    day_class: int
    days: int
    mean: Floats
    low: Floats | None
    """Confidence interval of each mean, by Student's t over the days, at least 0; None with one
    day. An interval in which nobody ever came has 0 to 0: the days say nothing of its spread."""
    high: Floats | None


class DayFactor(Struct, frozen=True, eq=False, kw_only=True):
    """The gamma factor of a day, mean 1, one for all classes."""

    relative_variance: float | None
    """1 / alpha, at least 0; 0 = the days' totals vary no more than Poisson counts do, None = no
    class with two days and a call, so that nothing is known."""
    dispersion: Dispersion | None
    """Of the days' totals about the mean of their class; its degrees tell how well 1 / alpha is
    known: its relative standard error is about sqrt(2 / degrees). None as above."""
    by_day: Floats
    """Total of each day / mean total of its class, shape (days,); 1 in a class without a call."""

    @property
    def alpha(self) -> float | None:
        """Returns the shape of the gamma; None = no factor, or nothing known."""
        return 1 / self.relative_variance if self.relative_variance else None

    @property
    def distribution(self) -> Gamma | None:
        """Returns the law of the factor; None = no factor, or nothing known."""
        return Gamma(1.0, sqrt(self.relative_variance)) if self.relative_variance else None


class ArrivalFit(Struct, frozen=True, eq=False, kw_only=True):
    """What a scenario needs to bring these days forth again."""

    curves: tuple[ArrivalCurve, ...]
    """By class, ascending."""
    day_factor: DayFactor
    intervals: Dispersion | None
    """Of the counts about the mean of class and interval: with what the day factor does."""
    intervals_given_day: Dispersion | None
    """Of the counts about total of the day x share of the interval in its class: what is left
    when the day factor is known. Free of any estimate of alpha: given its total, a day of the
    model is multinomial. None, both, if no class has two days (here: and two intervals)."""

    def curve(self, day_class: int) -> ArrivalCurve:
        """Returns the curve of this class; raises ValueError if there is none."""
        for one in self.curves:
            if one.day_class == day_class:
                return one
        known = [one.day_class for one in self.curves]
        raise ValueError(f"day class {day_class} is not among {known}")


def fit_arrivals(
    counts: Floats, day_classes: Int64s | None = None, *, confidence: float = 0.95
) -> ArrivalFit:
    """Fits curves and day factor to counts of shape (days, intervals), with a class for each day.

    `day_classes` has shape (days,), any whole numbers, such as weekdays; without it all days are
    of class 0. `confidence` is that of the curves' bounds. Raises ValueError for a count that is
    negative or not finite, for shapes that do not fit, and for a confidence not within 0 and 1.
    """
    counts = _checked(counts)
    classes = _checked_classes(day_classes, len(counts))
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, expected more than 0 and less than 1")
    tables = {int(one): counts[classes == one] for one in np.unique(classes)}
    return ArrivalFit(
        curves=tuple(_curve(one, table, confidence) for one, table in tables.items()),
        day_factor=_day_factor(counts.sum(axis=1), classes),
        intervals=_dispersion(_about_mean(table) for table in tables.values()),
        intervals_given_day=_dispersion(_about_shares(table) for table in tables.values()),
    )


def _curve(day_class: int, table: Floats, confidence: float) -> ArrivalCurve:
    days, mean = len(table), table.mean(axis=0)
    if days == 1:
        return ArrivalCurve(day_class=day_class, days=1, mean=mean, low=None, high=None)
    wide = float(special.stdtrit(days - 1, (1 + confidence) / 2)) / sqrt(days)
    off = wide * table.std(axis=0, ddof=1)
    low = np.maximum(mean - off, 0.0)
    return ArrivalCurve(day_class=day_class, days=days, mean=mean, low=low, high=mean + off)


def _day_factor(totals: Floats, classes: Int64s) -> DayFactor:
    """By moments: in each class 1/alpha = variance / mean^2 - 1 / mean of the totals; classes are
    weighed by their degrees of freedom, days - 1.

    If intervals vary beyond Poisson given the day as well, that is part of this 1/alpha; so a
    scenario which has the day factor alone brings forth totals of the right variance.
    """
    by_day = np.ones(len(totals))
    excess, degrees, parts = 0.0, 0, []
    for one in np.unique(classes):
        chosen = classes == one
        own, mean = totals[chosen], float(totals[chosen].mean())
        if mean > 0:
            by_day[chosen] = own / mean
            parts.append(_about_mean(own[:, np.newaxis]))
        if mean > 0 and len(own) > 1:
            excess += (len(own) - 1) * (float(own.var(ddof=1)) / mean**2 - 1 / mean)
            degrees += len(own) - 1
    return DayFactor(
        relative_variance=max(0.0, excess / degrees) if degrees else None,
        dispersion=_dispersion(parts),
        by_day=by_day,
    )


def _about_mean(table: Floats) -> tuple[float, int]:
    """Returns Pearson's statistic of the counts about the means of their columns, and its degrees
    of freedom; columns without a call are left out."""
    mean = table.mean(axis=0)
    kept, mean = table[:, mean > 0], mean[mean > 0]
    return float(((kept - mean) ** 2 / mean).sum()), (len(table) - 1) * len(mean)


def _about_shares(table: Floats) -> tuple[float, int]:
    """Returns Pearson's statistic for rows of the same shares (homogeneity of a table), and its
    degrees of freedom; rows and columns without a call are left out."""
    kept = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if not kept.size:
        return 0.0, 0
    expected = np.outer(kept.sum(axis=1), kept.sum(axis=0)) / kept.sum()
    degrees = (kept.shape[0] - 1) * (kept.shape[1] - 1)
    return float(((kept - expected) ** 2 / expected).sum()), degrees


def _dispersion(parts: Iterable[tuple[float, int]]) -> Dispersion | None:
    statistic, degrees = 0.0, 0
    for own, own_degrees in parts:
        statistic, degrees = statistic + own, degrees + own_degrees
    if not degrees:
        return None
    return Dispersion(
        ratio=statistic / degrees,
        statistic=statistic,
        degrees=degrees,
        p_value=float(special.gammaincc(degrees / 2, statistic / 2)),
    )


def _checked(counts: Floats) -> Floats:
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 2 or not counts.size:
        raise ValueError(f"counts has the shape {counts.shape}, expected (days, intervals)")
    wrong = ~(np.isfinite(counts) & (counts >= 0))
    if wrong.any():
        day, interval = np.argwhere(wrong)[0].tolist()
        found = counts[day, interval]
        raise ValueError(f"counts[{day}, {interval}] is {found}, expected a count of at least 0")
    return counts


def _checked_classes(day_classes: Int64s | None, days: int) -> Int64s:
    if day_classes is None:
        return np.zeros(days, dtype=np.int64)
    classes = np.asarray(day_classes)
    if classes.shape != (days,) or classes.dtype.kind not in "iu":
        found = f"{classes.dtype} of the shape {classes.shape}"
        raise ValueError(f"day_classes is {found}, expected whole numbers of the shape ({days},)")
    return classes.astype(np.int64)
