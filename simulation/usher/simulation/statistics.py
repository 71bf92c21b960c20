"""Statistics of experiments: how far the figures of replications, or of a long run, can be trusted.

Figures come in, one per replication and independent of those of the other replications; frozen
intervals go out. It must not know what the figures mean, draw random numbers or run anything.

What is not known is None, never NaN and never infinite, so that JSON can hold every result:

    one replication         an interval with a mean, but with None for `low` and `high`
    nothing to divide by    no ratio, and None instead of an interval

Two experiments that were given the same days (common random numbers) are compared by the paired
intervals: what a day does to both is not counted as chance.

Sources: Law 2015, "Simulation Modeling and Analysis", chapters 4, 9 and 10 (t intervals, paired
differences, number of replications, batch means); Cochran 1977, "Sampling Techniques", chapter 6
(ratio of sums); those of single rules stand where the rule is.
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil, floor, inf, sqrt
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Figures = Sequence[float] | Floats | NDArray[np.int64]
"""One row of numbers within +-`LARGEST`, at least one."""
Ratio = tuple[Figures, Figures]
"""Numerators and denominators, as for `ratio_interval`."""

LARGEST: Final = 1e60
DENOMINATOR_LEAST: Final = 1e-60
"""Within these two, the squares of figures and of their quotients are still finite."""
REPLICATIONS_MOST: Final = 1_000_000_000
BATCHES_LEAST: Final = 8
"""From here on the normal law of von Neumann's ratio is close enough (Young 1941)."""
CORRELATED_BELOW: Final = 0.1
"""Batches with a p-value below this count as correlated. Large for a test, because the mistake to
fear is the other one: to trust an interval that is too narrow."""
WARM_UP_BATCH: Final = 5
WARM_UP_BATCHES_LEAST: Final = 10
WARM_UP_BATCHES_LEFT: Final = 5
"""The rule may not leave fewer batches than this: a few that happen to lie close together look
settled (Hoad, Robinson and Davies 2010)."""

_RANK_OFF: Final = 1e-9


class Interval(Struct, frozen=True):
    """An estimate with its confidence interval, in the unit of the figures it was made of.

    A width of 0 says that all replications agreed, not that the figure is known exactly: shares
    near 0 or 1 do that. The bounds are not cut off at 0 or 1 either.
    """

    mean: float
    low: float | None
    """None, like `high`, if the spread is not known: two replications tell of it, one does not."""
    high: float | None
    confidence: float
    """The share, above 0 and below 1, of such intervals that hold the true value."""
    count: int
    """Of replications, pairs of replications, or batches."""

    @property
    def half_width(self) -> float | None:
        """Returns how far the bounds are from the mean, or None without bounds."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / 2


class Prediction(Struct, frozen=True):
    """An interval in which the figure of one further day falls."""

    low: float
    high: float
    coverage: float
    """The probability that was asked for."""
    coverage_reached: float
    """The probability that `low` and `high` have: at least `coverage`."""
    count: int


class BatchInterval(Struct, frozen=True):
    """The interval of one long run's mean, and whether its batches were long enough for it.

    If they are all equal, there is no correlation to tell of: `lag_one`, `neumann_ratio` and
    `p_value` are None, and they count as uncorrelated.
    """

    interval: Interval
    lag_one: float | None
    """The estimated correlation of neighbouring batch means, -1..1."""
    neumann_ratio: float | None
    """Squared steps between neighbours / squared distances from the mean, 0..4; near 2 without
    correlation, less if neighbours are alike."""
    p_value: float | None
    """The probability of so small a ratio if the batches are independent, 0..1."""

    @property
    def uncorrelated(self) -> bool:
        """Returns False if neighbours are so much alike that the interval is too narrow.

        True is no proof: few batches hide much.
        """
        return self.p_value is None or self.p_value >= CORRELATED_BELOW


def mean_interval(values: Figures, confidence: float = 0.95) -> Interval:
    """Returns the mean of the values, with Student's t; without bounds for one value alone.

    Raises ValueError for what is no `Figures`, or a confidence not between 0 and 1.
    """
    return _mean_interval(_figures("values", values), confidence)


def ratio_interval(
    numerators: Figures, denominators: Figures, confidence: float = 0.95
) -> Interval | None:
    """Returns sum of numerators / sum of denominators, e.g. answered in time / offered.

    The spread is that of the residuals numerator - ratio * denominator (delta method; Cochran
    1977, section 6.4), which is right for many replications or denominators that differ little.
    Returns None if all denominators are 0, and no bounds unless two are above 0. Raises
    ValueError as `mean_interval`, and for a negative denominator or columns of unequal length.
    """
    _check_share("confidence", confidence)
    linear = _linear("", numerators, denominators)
    if linear is None:
        return None
    return _interval(linear.ratio, linear.residuals, confidence, known=linear.known)


def difference_interval(first: Figures, second: Figures, confidence: float = 0.95) -> Interval:
    """Returns the mean of first - second, pair by pair: first[i] and second[i] saw the same day.

    Raises ValueError as `mean_interval`, and for columns of unequal length.
    """
    minuend, subtrahend = _figures("first", first), _figures("second", second)
    _check_lengths(minuend, subtrahend)
    return _mean_interval(minuend - subtrahend, confidence)


def ratio_difference_interval(
    first: Ratio, second: Ratio, confidence: float = 0.95
) -> Interval | None:
    """Returns the first ratio - the second; row i of all four columns saw the same day.

    The spread is that of the differences, day by day, of both ratios' residuals / mean
    denominator (delta method). None, missing bounds and ValueError as for `ratio_interval`.
    """
    _check_share("confidence", confidence)
    one, other = _linear("first ", *first), _linear("second ", *second)
    _check_lengths(first[0], second[0])
    if one is None or other is None:
        return None
    residuals = one.residuals - other.residuals
    known = one.known and other.known
    return _interval(one.ratio - other.ratio, residuals, confidence, known=known)


def enough(
    interval: Interval,
    *,
    half_width: float | None = None,
    relative: float | None = None,
    least: int = 2,
) -> bool:
    """Returns whether the interval is as narrow as wanted, and of at least `least` replications.

    Give either `half_width`, in the unit of the mean, or `relative`, a share of |mean|. To be off
    by at most g of the true mean, ask for g / (1 + g). Who adds replications until this holds
    should ask for ten at least (Law 2015, section 9.4.1): with few, a narrow interval is often
    luck. False without bounds. Raises ValueError unless exactly one is given, above 0.
    """
    if half_width is not None and relative is None:
        wanted = _positive("half_width", half_width)
    elif relative is not None and half_width is None:
        wanted = _positive("relative", relative) * abs(interval.mean)
    else:
        raise ValueError(f"expected either half_width or relative: {half_width=} {relative=}")
    reached = interval.half_width
    return reached is not None and reached <= wanted and interval.count >= least


def replications_needed(interval: Interval, half_width: float) -> int | None:
    """Returns how many replications in all may be expected to reach this half-width.

    The least i >= count with t(i - 1) * deviation / sqrt(i) <= half_width, where the deviation is
    what these replications showed (Law 2015, section 9.4.1). None without bounds. Raises
    ValueError if half_width is not above 0, or needs more than `REPLICATIONS_MOST`.
    """
    _positive("half_width", half_width)
    reached = interval.half_width
    if reached is None or reached <= half_width:
        return None if reached is None else interval.count
    deviation = reached * sqrt(interval.count) / _t(interval.count - 1, interval.confidence)

    def narrow(count: int) -> bool:
        return _t(count - 1, interval.confidence) * deviation / sqrt(count) <= half_width

    needed = bisect_left(range(REPLICATIONS_MOST + 1), True, lo=interval.count, key=narrow)
    if needed > REPLICATIONS_MOST:
        raise ValueError(
            f"half_width {half_width} needs more than {REPLICATIONS_MOST} replications"
        )
    return needed


def prediction_interval(values: Figures, coverage: float = 0.9) -> Prediction:
    """Returns between which of the values one further, independent, day falls.

    The bounds are values that occurred: the k-th smallest and the k-th largest of n, with
    k = floor((n + 1) * (1 - coverage) / 2). A further day falls between them with probability
    1 - 2 k / (n + 1) whatever the law of a day, more often if values repeat (Wilks 1941).
    These are the empirical quantiles at k / (n + 1) and 1 - k / (n + 1) of Hyndman and Fan 1996,
    definition 6, moved outwards to the next value instead of interpolated.

    Raises ValueError if n < 2 / (1 - coverage) - 1 (19 for 0.9): then k would be 0.
    """
    _check_share("coverage", coverage)
    ordered = np.sort(_figures("values", values))
    count = len(ordered)
    rank = floor((count + 1) * (1 - coverage) / 2 + _RANK_OFF)
    if rank < 1:
        least = ceil(2 / (1 - coverage) - 1 - _RANK_OFF)
        raise ValueError(f"{count} values are too few for {coverage}, expected at least {least}")
    return Prediction(
        low=float(ordered[rank - 1]),
        high=float(ordered[count - rank]),
        coverage=coverage,
        coverage_reached=(count + 1 - 2 * rank) / (count + 1),
        count=count,
    )


def batch_interval(batch_means: Figures, confidence: float = 0.95) -> BatchInterval:
    """Returns the mean of one long run, from the means of its equally long batches in time order.

    The warm-up is to be dropped before. Student's t holds if the batches are nearly uncorrelated;
    von Neumann's ratio (von Neumann 1941) is tested against likeness of neighbours only, since
    unlike ones make the interval too wide, not too narrow. With C = 1 - ratio / 2, the law of
    C * sqrt((n^2 - 1) / (n - 2)) is nearly standard normal (Young 1941; Fishman 1978).

    Raises ValueError as `mean_interval`, and for fewer than `BATCHES_LEAST` batches.
    """
    batches = _figures("batch_means", batch_means)
    count = len(batches)
    if count < BATCHES_LEAST:
        raise ValueError(f"{count} batches are too few, expected at least {BATCHES_LEAST}")
    interval = _mean_interval(batches, confidence)
    offsets = batches - interval.mean
    squares = float(offsets @ offsets)
    if squares == 0:
        return BatchInterval(interval, lag_one=None, neumann_ratio=None, p_value=None)
    ratio = float(np.sum(np.diff(batches) ** 2)) / squares
    likeness = (1 - ratio / 2) * sqrt((count**2 - 1) / (count - 2))
    return BatchInterval(
        interval,
        lag_one=float(offsets[:-1] @ offsets[1:]) / squares,
        neumann_ratio=ratio,
        p_value=float(special.ndtr(-likeness)),
    )


def merged(batches: Figures, times: int) -> Floats:
    """Returns the means of `times` neighbours each, for batches that were too short.

    float64[len(batches) // times], in time order. What does not fill a batch is left out at the
    beginning, where a warm-up would show longest. Raises ValueError unless 1 <= times <= length.
    """
    figures = _figures("batches", batches)
    if not 1 <= times <= len(figures):
        raise ValueError(f"times is {times}, expected 1 to {len(figures)}, the number of batches")
    return _means_of(figures[len(figures) % times :], times)


def warm_up_length(series: Figures) -> int | None:
    """Returns how many observations at the beginning of a run to drop, a multiple of 5.

    MSER-5 (White 1997; batches of five: White, Cobb and Spratt 2000): of the n batches of five
    drop the first d such that the rest has the least squared distances from its mean / (n - d)^2,
    the fewest if several do. Observations after the last whole batch are not looked at.

    Returns None if that would drop more than the first half: the run is too short to show a
    steady state, or has none. Raises ValueError for fewer than 50 observations.
    """
    observations = _figures("series", series)
    count = len(observations) // WARM_UP_BATCH
    if count < WARM_UP_BATCHES_LEAST:
        least = WARM_UP_BATCHES_LEAST * WARM_UP_BATCH
        raise ValueError(f"{len(observations)} observations are too few, expected {least}")
    batches = _means_of(observations[: count * WARM_UP_BATCH], WARM_UP_BATCH)
    dropped = int(np.argmin(_errors_of_rest(batches)[: count - WARM_UP_BATCHES_LEFT + 1]))
    return dropped * WARM_UP_BATCH if 2 * dropped <= count else None


def _errors_of_rest(batches: Floats) -> Floats:
    """Returns, for each d, the squared error of the mean of batches[d:], as MSER defines it."""
    left = np.arange(len(batches), 0, -1)
    # Summed from the end, so that a far-off beginning costs no digits of the sums behind it; and
    # from the last batch, so that a rest that does not change has an error of exactly 0.
    offsets = (batches - batches[-1])[::-1]
    sums, squares = np.cumsum(offsets)[::-1], np.cumsum(offsets**2)[::-1]
    errors: Floats = np.maximum(squares - sums**2 / left, 0.0) / left**2
    return errors


class _Linear(Struct, frozen=True, eq=False):
    """A ratio of sums, and its residuals / mean denominator, which add up to 0."""

    ratio: float
    residuals: Floats
    known: bool
    """Whether the residuals tell of a spread: that of a single denominator above 0 would be 0."""


def _linear(whose: str, numerators: Figures, denominators: Figures) -> _Linear | None:
    parts = _figures(f"{whose}numerators", numerators)
    wholes = _denominators(f"{whose}denominators", denominators)
    _check_lengths(parts, wholes)
    total = float(wholes.sum())
    if total == 0:
        return None
    ratio = float(parts.sum()) / total
    residuals = (parts - ratio * wholes) / (total / len(wholes))
    return _Linear(ratio, residuals, known=int(np.count_nonzero(wholes)) > 1)


def _mean_interval(figures: Floats, confidence: float) -> Interval:
    # From the first figure, so that equal figures have exactly their value as mean.
    mean = float(figures[0] + np.mean(figures - figures[0]))
    return _interval(mean, figures - mean, confidence)


def _interval(mean: float, residuals: Floats, confidence: float, *, known: bool = True) -> Interval:
    _check_share("confidence", confidence)
    count = len(residuals)
    if count < 2 or not known:
        return Interval(mean, None, None, confidence, count)
    error = sqrt(float(residuals @ residuals) / (count - 1) / count)
    half_width = _t(count - 1, confidence) * error
    return Interval(mean, mean - half_width, mean + half_width, confidence, count)


def _t(freedom: int, confidence: float) -> float:
    # From the lower tail: 1 - confidence is exact, (1 + confidence) / 2 may be rounded to 1.
    return -float(special.stdtrit(freedom, (1 - confidence) / 2))


def _means_of(figures: Floats, size: int) -> Floats:
    means: Floats = figures.reshape(-1, size).mean(axis=1)
    return means


def _figures(name: str, values: Figures) -> Floats:
    figures = np.asarray(values, dtype=np.float64)
    if figures.ndim != 1 or not len(figures):
        raise ValueError(f"{name} is of shape {figures.shape}, expected one row, not empty")
    sound = np.abs(figures) <= LARGEST
    if not sound.all():
        at = int(np.argmin(sound))
        raise ValueError(f"{name}[{at}] is {figures[at]}, expected a number within +-{LARGEST}")
    return figures


def _denominators(name: str, values: Figures) -> Floats:
    figures = _figures(name, values)
    sound = (figures == 0) | (figures >= DENOMINATOR_LEAST)
    if not sound.all():
        at, least = int(np.argmin(sound)), DENOMINATOR_LEAST
        raise ValueError(f"{name}[{at}] is {figures[at]}, expected 0 or at least {least}")
    return figures


def _check_lengths(one: Figures, other: Figures) -> None:
    if len(one) != len(other):
        raise ValueError(f"columns differ in length: {len(one)} and {len(other)}")


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}, expected a number above 0 and below 1")


def _positive(name: str, value: float) -> float:
    if not 0 < value < inf:
        raise ValueError(f"{name} is {value}, expected a number above 0")
    return value
