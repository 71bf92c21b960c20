"""How long talks, wrap-ups and visits last: laws fitted to recorded durations.

For calibrating a scenario. Samples in seconds come in, frozen figures go out; it must not know
files, logs or what the durations are of. Any other unit does as well, if it is the same for all.

All laws are fitted by maximum likelihood and compared by AIC (Akaike 1974): 2 parameters - 2 log L.
That prefers the law with the right shape, not the one with the right mean: `LawFit.mean_ratio`
tells by how much a plan would be off that takes its load from the law.
"""

from collections.abc import Callable
from math import exp, log, sqrt
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import brentq

from usher.simulation.distributions import Empirical, Exponential, Gamma, LogNormal, Weibull

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]
Mask = NDArray[np.bool_]

VALUES_MOST: Final = 1_000
DECIMALS: Final = 6  # of thinned values: differences of large sums are no better
SPREADS: Final = (1e-4, 20.0)  # of the logarithms: less is a constant, more has no usable mean
SHAPES: Final = (0.05, 500.0)  # a Weibull beyond has no usable mean, or is a constant


class LawFit(Struct, frozen=True, kw_only=True):
    """One law with the parameters of greatest likelihood, and how well it fits."""

    distribution: Exponential | LogNormal | Gamma | Weibull
    log_likelihood: float
    """Of all samples used, natural logarithm of the density in 1/s."""
    aic: float
    """2 x parameters - 2 x log_likelihood: lower is better; only differences mean anything."""
    distance: float
    """Kolmogorov-Smirnov: largest gap between the shares that law and samples have below any x."""
    mean_ratio: float
    """Mean of the law / mean of the samples."""


class DurationFit(Struct, frozen=True, kw_only=True):
    """The laws that can be fitted to these samples, best first, and the samples' own figures."""

    samples: int
    """How many were used: those above 0."""
    zeros: int
    """Left out: of 0 s."""
    negatives: int
    """Left out: below 0 s, mistakes of recording."""
    mean_s: float
    deviation_s: float
    """Standard deviation of the samples used, divisor n."""
    laws: tuple[LawFit, ...]
    """By AIC, lowest first; if the samples are all equal (as to 1 in 10,000), the exponential
    alone: the likelihood of the others has no greatest value."""

    @property
    def best(self) -> LawFit:
        """Returns the law with the lowest AIC."""
        return self.laws[0]

    @property
    def distribution(self) -> Exponential | LogNormal | Gamma | Weibull:
        """Returns the distribution of the best law."""
        return self.best.distribution


class WeibullFit(Struct, frozen=True, kw_only=True):
    """The Weibull of greatest likelihood: P(T > x) = exp(-(x / scale_s) ** shape)."""

    shape: float
    scale_s: float
    log_likelihood: float

    @property
    def distribution(self) -> Weibull:
        """Returns it by its mean, as a scenario takes it."""
        return Weibull(self.scale_s * float(special.gamma(1 + 1 / self.shape)), self.shape)


def fit_durations(samples_s: Floats) -> DurationFit:
    """Fits exponential, lognormal, gamma and Weibull to these durations, shape (n,).

    Samples of 0 s and below are left out and counted. Raises ValueError if there are none above
    0 s, or if one is not finite.
    """
    used_s, zeros, negatives = _above_zero(samples_s)
    sample = _Sample(used_s)
    fits = [fit for fit in (law(sample) for law in _LAWS) if fit]
    return DurationFit(
        samples=len(used_s),
        zeros=zeros,
        negatives=negatives,
        mean_s=sample.mean,
        deviation_s=float(used_s.std()),
        laws=tuple(sorted(fits, key=lambda fit: fit.aic)),
    )


def fit_empirical(samples_s: Floats, values_max: int = VALUES_MOST) -> Empirical:
    """Returns these durations as they are, or thinned to `values_max` of them, ascending.

    Thinning cuts the ordered samples into `values_max` slices of equal probability and keeps the
    mean of each, to a microsecond: the mean stays that of the samples, and no share of those
    below some x is off by more than 1 / values_max. (Plain quantiles would lose part of a long
    tail, and with it load.) Samples of 0 s and below are left out. Raises ValueError as
    `fit_durations`, or if values_max is less than 1.
    """
    if values_max < 1:
        raise ValueError(f"values_max is {values_max}, expected at least 1")
    ordered_s = np.sort(_above_zero(samples_s)[0])
    if len(ordered_s) <= values_max:
        return Empirical(tuple(ordered_s.tolist()))
    return Empirical(tuple(slice_means(ordered_s, values_max).tolist()))


def slice_means(ordered: Floats, slices: int) -> Floats:
    """Returns the means of `slices` slices of equal probability of ascending values, ascending.

    A value on the border of two slices counts in both, by its share: the area under the quantile
    function is linear between the values.
    """
    below = np.concatenate(([0.0], np.cumsum(ordered))) / len(ordered)
    area = np.interp(np.linspace(0, len(ordered), slices + 1), np.arange(len(below)), below)
    return np.round(np.diff(area) * slices, DECIMALS)


def fit_weibull(durations_s: Floats, ended: Mask) -> WeibullFit | None:
    """Returns the Weibull of greatest likelihood for durations of which some are cut short.

    `durations_s` are above 0, shape (n,); where `ended` is False the duration is only known to be
    longer (right-censored). None if there is no greatest likelihood: nothing ended, or all that
    ended did so at the longest duration; or if the shape would not lie within SHAPES. Raises
    ValueError for a duration not above 0.

    With d that ended, the shape k solves (Kalbfleisch & Prentice 2002, section 3.5, and others)

        sum(x^k ln x) / sum(x^k) - 1/k = mean of ln x of the ended,      scale^k = sum(x^k) / d

    whose left side grows with k.
    """
    if not (durations_s > 0).all():
        raise ValueError(f"durations_s has {durations_s.min()}, expected all above 0")
    if not ended.any():
        return None
    longest_s = float(durations_s.max())
    logs = np.log(durations_s / longest_s)  # at most 0, so that no power overflows
    ended_log = float(logs[ended].mean())

    def excess(shape: float) -> float:
        powers = np.exp(shape * logs)
        return float(powers @ logs / powers.sum()) - 1 / shape - ended_log

    if excess(SHAPES[0]) >= 0 or excess(SHAPES[1]) <= 0:
        return None
    shape = float(brentq(excess, *SHAPES, xtol=1e-12))
    count = int(np.count_nonzero(ended))
    scale = (float(np.exp(shape * logs).sum()) / count) ** (1 / shape)  # of the longest
    density = log(shape / (longest_s * scale)) + (shape - 1) * (ended_log - log(scale))
    return WeibullFit(
        shape=shape,
        scale_s=longest_s * scale,
        log_likelihood=count * (density - 1),  # at the maximum, sum((x / scale)^k) = count
    )


class _Sample:
    """What several laws need to know of the samples, all above 0."""

    def __init__(self, used_s: Floats) -> None:
        self.used_s = used_s
        self.size = len(used_s)
        self.mean = float(used_s.mean())
        self.log_mean = float(np.log(used_s).mean())
        self.log_deviation = float(np.log(used_s).std())

    @property
    def spreads(self) -> bool:
        """Whether a law with two parameters can be fitted at all."""
        return SPREADS[0] < self.log_deviation < SPREADS[1]

    def law(
        self,
        distribution: Exponential | LogNormal | Gamma | Weibull,
        log_likelihood: float,
        parameters: int = 2,
    ) -> LawFit:
        return LawFit(
            distribution=distribution,
            log_likelihood=log_likelihood,
            aic=2 * parameters - 2 * log_likelihood,
            distance=self._distance(distribution.survival),
            mean_ratio=distribution.mean / self.mean,
        )

    def _distance(self, survival: Callable[[float], float]) -> float:
        values, counts = np.unique(self.used_s, return_counts=True)
        below = 1 - np.array([survival(x) for x in values.tolist()])
        upto = np.cumsum(counts) / self.size
        # The samples' share jumps at each value: the gap is widest just before it or at it.
        return float(
            np.maximum(np.abs(upto - below), np.abs(below - upto + counts / self.size)).max()
        )


def _exponential(sample: _Sample) -> LawFit:
    log_likelihood = -sample.size * (log(sample.mean) + 1)
    return sample.law(Exponential(sample.mean), log_likelihood, parameters=1)


def _lognormal(sample: _Sample) -> LawFit | None:
    if not sample.spreads:
        return None
    spread = sample.log_deviation
    average = exp(sample.log_mean + spread**2 / 2)
    deviation = average * sqrt(np.expm1(spread**2))
    likelihood = -sample.size * (sample.log_mean + log(spread) + log(2 * np.pi) / 2 + 0.5)
    return sample.law(LogNormal(average, deviation), likelihood)


def _gamma(sample: _Sample) -> LawFit | None:
    """The shape k solves ln k - digamma(k) = s, s = ln(mean) - mean(ln); as 1/(2k) < ln k -
    digamma(k) < 1/k (Alzer 1997), it lies between 1/(2s) and 1/s; some more for rounding."""
    if not sample.spreads:
        return None
    lack = log(sample.mean) - sample.log_mean
    shape = float(brentq(lambda k: log(k) - special.digamma(k) - lack, 0.4 / lack, 1.1 / lack))
    scale = sample.mean / shape
    density = (shape - 1) * sample.log_mean - shape - shape * log(scale)
    likelihood = sample.size * (density - float(special.gammaln(shape)))
    return sample.law(Gamma(sample.mean, sample.mean / sqrt(shape)), likelihood)


def _weibull(sample: _Sample) -> LawFit | None:
    if not sample.spreads:
        return None
    fit = fit_weibull(sample.used_s, np.ones(sample.size, dtype=np.bool_))
    return sample.law(fit.distribution, fit.log_likelihood) if fit else None


_LAWS: Final[tuple[Callable[[_Sample], LawFit | None], ...]] = (
    _exponential,
    _lognormal,
    _gamma,
    _weibull,
)


def _above_zero(samples_s: Floats) -> tuple[Floats, int, int]:
    """Returns the samples above 0, how many were 0, how many below; raises ValueError."""
    samples_s = np.asarray(samples_s, dtype=np.float64)
    if samples_s.ndim != 1:
        raise ValueError(f"samples_s has the shape {samples_s.shape}, expected (n,)")
    if not np.isfinite(samples_s).all():
        at = int(np.argmin(np.isfinite(samples_s)))
        raise ValueError(f"samples_s[{at}] is {samples_s[at]}, expected a finite duration")
    used_s = samples_s[samples_s > 0]
    if not len(used_s):
        raise ValueError(f"none of {len(samples_s)} samples_s is above 0, expected at least one")
    return used_s, int(np.sum(samples_s == 0)), int(np.sum(samples_s < 0))
