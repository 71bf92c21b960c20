"""How long people were willing to wait: laws fitted to waits that service may have cut short.

For calibrating a scenario. Waits with a mark for who left come in, frozen figures go out; it must
not know files or logs. Who was served would have waited longer than the recorded wait: that wait
is right-censored. At equal times abandons come before censorings: the served were still at risk.
(The same definitions as in `usher.router.trials.patience`, which draws single calls for a replay.)

Sources: Kaplan & Meier 1958, with the variance of Greenwood 1926; exponential: total waited over
number of abandons, as in Brown et al. 2005; intervals of rates: Garwood 1936.
"""

from collections.abc import Sequence
from math import log
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import special

from usher.simulation.distributions import AnyDistribution, Empirical, Exponential, Weibull
from usher.simulation.fitting.durations import DECIMALS, VALUES_MOST, WeibullFit, fit_weibull

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]
Mask = NDArray[np.bool_]

WAITING_LEAST: Final = 10
BANDS_S: Final = (0.0, 5.0, 10.0, 20.0, 30.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0)


class PatienceFit(Struct, frozen=True, eq=False, kw_only=True):
    """Three ways to say the same: a curve, an exponential, a Weibull; and the hazard by bands."""

    contacts: int
    """All that were given; those who did not wait (0 s, served) change no other figure."""
    abandoned: int
    waited_s: float
    """All waits together, of served and abandoned."""
    curve: "PatienceCurve"
    exponential: "ExponentialPatience"
    weibull: "WeibullPatience | None"
    """None if it has no greatest likelihood; see `fit_weibull`."""
    hazards: tuple["Hazard", ...]

    def from_curve(
        self,
        *,
        values_max: int = VALUES_MOST,
        waiting_least: int = WAITING_LEAST,
        tail_mean_s: float | None = None,
    ) -> "CurvePatience":
        """Returns the curve as a distribution of `values_max` equally likely values.

        The curve is used up to the last abandonment at which at least `waiting_least` were
        waiting: later steps are chance. Whoever is left there goes on with an exponential of
        `tail_mean_s`, by default the mean of the exponential fit; compare 1 / `per_s` of the last
        hazards, as who has waited long may be more patient than the average.

        Curve and tail are cut into slices of equal probability, each standing by its mean, to a
        microsecond: so the mean of the distribution is the area under curve and tail. Raises
        ValueError if values_max or waiting_least is less than 1, tail_mean_s is not above 0, or
        nobody left while so many were waiting.
        """
        if values_max < 1 or waiting_least < 1:
            raise ValueError(f"{values_max=}, {waiting_least=}, expected at least 1")
        if tail_mean_s is not None and not 0 < tail_mean_s < np.inf:
            raise ValueError(f"tail_mean_s is {tail_mean_s}, expected a time above 0")
        used = self.curve.upto(waiting_least)
        if not len(used.times_s) or self.exponential.mean_s is None:
            lack = f"expected an abandonment while at least {waiting_least} were waiting"
            raise ValueError(f"no curve of {self.contacts} contacts: {lack}")
        mean_s = tail_mean_s or self.exponential.mean_s
        return CurvePatience(
            distribution=Empirical(tuple(_sliced(used, mean_s, values_max).tolist())),
            tail_share=float(used.survival[-1]),
            tail_from_s=float(used.times_s[-1]),
            tail_mean_s=mean_s,
        )


class PatienceCurve(Struct, frozen=True, eq=False, kw_only=True):
    """Kaplan-Meier: the share still willing to wait; one row per time at which somebody left."""

    times_s: Floats
    """Ascending."""
    waiting: Int64s
    """How many were still waiting just before."""
    abandoned: Int64s
    survival: Floats
    """The share willing to wait longer than this; 0 at the end only if the longest wait of all
    was abandoned, and nobody was served after as long."""
    variance: Floats
    """Of the survival, by Greenwood; 0 where the survival is 0."""

    def willing(self, wait_s: float) -> float:
        """Returns the share willing to wait longer than this; past the end, that at the end."""
        at = int(np.searchsorted(self.times_s, wait_s, side="right"))
        return float(self.survival[at - 1]) if at else 1.0

    def upto(self, waiting_least: int) -> "PatienceCurve":
        """Returns the steps at which at least so many were still waiting."""
        rows = int(np.count_nonzero(self.waiting >= waiting_least))  # it only falls
        return PatienceCurve(
            times_s=self.times_s[:rows],
            waiting=self.waiting[:rows],
            abandoned=self.abandoned[:rows],
            survival=self.survival[:rows],
            variance=self.variance[:rows],
        )

    def distance(self, law: AnyDistribution) -> float:
        """Returns the largest gap between this curve and the survival of a law, up to the end."""
        if not len(self.times_s):
            return 0.0
        ends = np.concatenate(([1.0], self.survival))
        # At and just before each step; a law may step there as well.
        just_before_s = np.nextafter(self.times_s, 0.0)
        at = np.array([law.survival(time_s) for time_s in self.times_s.tolist()])
        before = np.array([law.survival(time_s) for time_s in just_before_s.tolist()])
        return float(np.maximum(np.abs(at - ends[1:]), np.abs(before - ends[:-1])).max())


class ExponentialPatience(Struct, frozen=True, kw_only=True):
    """The same hazard at all times: total waited / abandoned."""

    mean_s: float | None
    """None if nobody left: then all that is known is the lower bound."""
    low_s: float
    """Confidence interval of the mean, from that of a Poisson count of abandons. Conservative."""
    high_s: float | None
    """None if nobody left."""

    @property
    def distribution(self) -> Exponential:
        """Returns it for a scenario; raises ValueError if nobody left."""
        if self.mean_s is None:
            raise ValueError("nobody left: expected at least one abandonment for a mean patience")
        return Exponential(self.mean_s)


class WeibullPatience(Struct, frozen=True, kw_only=True):
    """By greatest likelihood from the waits above 0 s."""

    fit: WeibullFit
    left_at_once: int
    """Abandons after 0 s: they have no logarithm and are left out."""
    p_exponential: float
    """Chance of so great a gain in likelihood if the shape were 1 (likelihood ratio, chi-square
    with one degree of freedom)."""

    @property
    def distribution(self) -> Weibull:
        """Returns it for a scenario."""
        return self.fit.distribution


class Hazard(Struct, frozen=True, kw_only=True):
    """Abandons per second waited, between two waits."""

    from_s: float
    until_s: float | None
    """An abandonment after exactly this wait is in this band; None = without end."""
    waited_s: float
    """What all together waited within the band."""
    abandoned: int
    per_s: float | None
    """abandoned / waited_s; None, with its confidence interval, if nobody waited."""
    low_per_s: float | None
    high_per_s: float | None


class CurvePatience(Struct, frozen=True, kw_only=True):
    """A Kaplan-Meier curve as a distribution, and what of it is no observation."""

    distribution: Empirical
    tail_share: float
    """The share whom nobody saw leave: still willing at the end of the curve. 0 = no tail."""
    tail_from_s: float
    """The end of the curve: the last abandonment used."""
    tail_mean_s: float
    """Mean of the exponential assumed from there on."""


def fit_patience(
    waits_s: Floats,
    abandoned: Mask,
    *,
    bands_s: Sequence[float] = BANDS_S,
    confidence: float = 0.95,
) -> PatienceFit:
    """Fits waits of shape (n,), s, where `abandoned` (bool, same shape) tells who left.

    `bands_s` are the ascending lower bounds of the hazard's bands, first 0; the last has no end.
    Nobody may have left: then there are figures, but no distribution. Raises ValueError for a
    wait that is negative or not finite, if nobody waited at all, and for other shapes or types.
    """
    waits_s, abandoned = _checked(waits_s, abandoned)
    _check_bands(bands_s)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, expected more than 0 and less than 1")
    count, waited_s = int(np.count_nonzero(abandoned)), float(waits_s.sum())
    low, high = _rate_bounds(count, waited_s, confidence)
    return PatienceFit(
        contacts=len(waits_s),
        abandoned=count,
        waited_s=waited_s,
        curve=fit_curve(waits_s, abandoned),
        exponential=ExponentialPatience(
            mean_s=waited_s / count if count else None,
            low_s=1 / high,
            high_s=1 / low if count else None,
        ),
        weibull=_weibull(waits_s, abandoned),
        hazards=_hazards(waits_s, abandoned, bands_s, confidence),
    )


def fit_curve(waits_s: Floats, abandoned: Mask) -> PatienceCurve:
    """Returns the whole Kaplan-Meier curve of these waits; without a step if nobody left."""
    waits_s, abandoned = _checked(waits_s, abandoned)
    times_s, left = np.unique(waits_s[abandoned], return_counts=True)
    waiting = len(waits_s) - np.searchsorted(np.sort(waits_s), times_s, side="left")
    survival = np.cumprod(1 - left / waiting, dtype=np.float64)
    stayed = np.maximum(waiting - left, 1)  # none stays only in a last step, to 0
    variance = survival**2 * np.cumsum(left / (waiting * stayed))
    return PatienceCurve(
        times_s=times_s, waiting=waiting, abandoned=left, survival=survival, variance=variance
    )


def _weibull(waits_s: Floats, abandoned: Mask) -> WeibullPatience | None:
    waited_s, left = waits_s[waits_s > 0], abandoned[waits_s > 0]
    fit = fit_weibull(waited_s, left)
    if fit is None:
        return None
    count = int(np.count_nonzero(left))
    with_shape_1 = -count * (log(float(waited_s.sum()) / count) + 1)
    gain = max(0.0, fit.log_likelihood - with_shape_1)
    return WeibullPatience(
        fit=fit,
        left_at_once=int(np.count_nonzero(abandoned)) - count,
        p_exponential=float(special.gammaincc(0.5, gain)),
    )


def _hazards(
    waits_s: Floats, abandoned: Mask, bands_s: Sequence[float], confidence: float
) -> tuple[Hazard, ...]:
    found = []
    for from_s, until_s in zip(bands_s, [*bands_s[1:], None], strict=True):
        end_s = np.inf if until_s is None else until_s
        waited_s = float(np.clip(waits_s - from_s, 0.0, end_s - from_s).sum())
        inside = abandoned & (waits_s <= end_s) & ((waits_s > from_s) | (from_s == 0))
        count = int(np.count_nonzero(inside))
        known = waited_s > 0
        low, high = _rate_bounds(count, waited_s, confidence) if known else (None, None)
        found.append(
            Hazard(
                from_s=from_s,
                until_s=until_s,
                waited_s=waited_s,
                abandoned=count,
                per_s=count / waited_s if known else None,
                low_per_s=low,
                high_per_s=high,
            )
        )
    return tuple(found)


def _rate_bounds(count: int, time_s: float, confidence: float) -> tuple[float, float]:
    """Returns the interval of a rate with `count` events in `time_s` > 0 (Garwood 1936)."""
    low = special.gammaincinv(count, (1 - confidence) / 2) if count else 0.0
    return float(low) / time_s, float(special.gammaincinv(count + 1, (1 + confidence) / 2)) / time_s


def _sliced(curve: PatienceCurve, tail_mean_s: float, slices: int) -> Floats:
    """Returns the means of slices of equal probability: the area under the quantile function of
    curve and tail from one share to the next, times `slices`."""
    shares = np.linspace(0, 1, slices + 1)
    ends = np.concatenate(([0.0], 1 - curve.survival))
    steps = curve.times_s * np.diff(ends)
    area = np.interp(shares, ends, np.concatenate(([0.0], np.cumsum(steps))))
    # The tail at survival v <= s is end + mean ln(s / v); this is its integral over v from u to s.
    s = float(curve.survival[-1])
    u = np.minimum(1 - shares, s)
    if s > 0:
        past = (s - u) + special.xlogy(u, u / s)
        area = area + (s - u) * curve.times_s[-1] + tail_mean_s * past
    return np.round(np.diff(area) * slices, DECIMALS)


def _checked(waits_s: Floats, abandoned: Mask) -> tuple[Floats, Mask]:
    waits_s, abandoned = np.asarray(waits_s, dtype=np.float64), np.asarray(abandoned)
    if waits_s.ndim != 1 or abandoned.shape != waits_s.shape or abandoned.dtype != np.bool_:
        found = f"{waits_s.shape} and {abandoned.shape} {abandoned.dtype}"
        raise ValueError(f"waits_s and abandoned are {found}, expected (n,) and (n,) bool")
    wrong = ~(np.isfinite(waits_s) & (waits_s >= 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"waits_s[{at}] is {waits_s[at]}, expected a wait of at least 0 s")
    if not waits_s.any():
        raise ValueError(f"none of {len(waits_s)} waits_s is above 0, expected at least one")
    return waits_s, abandoned


def _check_bands(bands_s: Sequence[float]) -> None:
    if not bands_s or bands_s[0] != 0 or not (np.diff(bands_s) > 0).all():
        raise ValueError(f"bands_s is {list(bands_s)}, expected 0 and then ascending times")
