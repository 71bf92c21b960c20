"""Distributions of durations: patience, handling, answering, walking away.

A scenario names them by `kind`; all are at least 0 and their unit is whatever the reader of a field
says (scenarios: seconds). Each knows its exact moments and survival, so that theory and simulation
speak of the same thing, and draws from a generator that it is given. It must not keep any state.

Parameters are means and standard deviations of the duration itself, not of its logarithm: that is
what a report of a contact centre holds.
"""

from math import inf, log, log1p, sqrt
from typing import Annotated, Final

import numpy as np
from msgspec import Meta, Struct
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]

_SHARES_OFF: Final = 1e-9
RATIOS: Final = (1e-6, 1e100)
"""Of deviation to average: less is a constant, and beyond this squares are no numbers any more."""


class Distribution(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every distribution tells; x is a duration >= 0, an array or a number."""

    @property
    def mean(self) -> float:
        """Returns the expected duration."""
        raise NotImplementedError

    @property
    def second_moment(self) -> float:
        """Returns the expected square of the duration."""
        raise NotImplementedError

    @property
    def kinks(self) -> tuple[float, ...]:
        """Returns where the survival is not smooth: integrals are split there."""
        return ()

    def survival(self, x: float) -> float:
        """Returns P(T > x)."""
        raise NotImplementedError

    def limited_mean(self, x: float) -> float:
        """Returns E[min(T, x)], the integral of the survival from 0 to x."""
        raise NotImplementedError

    def draw(self, random: Generator, size: int) -> Floats:
        """Returns `size` independent durations."""
        raise NotImplementedError

    @property
    def variance(self) -> float:
        """Returns the variance of the duration."""
        return max(0.0, self.second_moment - self.mean**2)


class Exponential(Distribution, frozen=True, tag="exponential"):
    """Memoryless, with this mean."""

    average: Positive

    @property
    def mean(self) -> float:
        return self.average

    @property
    def second_moment(self) -> float:
        return 2 * self.average**2

    def survival(self, x: float) -> float:
        return float(np.exp(-x / self.average))

    def limited_mean(self, x: float) -> float:
        return float(-self.average * np.expm1(-x / self.average))

    def draw(self, random: Generator, size: int) -> Floats:
        return random.exponential(self.average, size)


class Deterministic(Distribution, frozen=True, tag="deterministic"):
    """Always this long."""

    value: NotNegative

    @property
    def mean(self) -> float:
        return self.value

    @property
    def second_moment(self) -> float:
        return self.value**2

    @property
    def kinks(self) -> tuple[float, ...]:
        return (self.value,)

    def survival(self, x: float) -> float:
        return float(x < self.value)

    def limited_mean(self, x: float) -> float:
        return min(x, self.value)

    def draw(self, random: Generator, size: int) -> Floats:
        del random
        return np.full(size, self.value)


class Uniform(Distribution, frozen=True, tag="uniform"):
    """Anything from `low` to `high`, all equally likely."""

    low: NotNegative
    high: Positive

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError("low is to be less than high")

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    def second_moment(self) -> float:
        return (self.low**2 + self.low * self.high + self.high**2) / 3

    @property
    def kinks(self) -> tuple[float, ...]:
        return (self.low, self.high)

    def survival(self, x: float) -> float:
        return min(1.0, max(0.0, (self.high - x) / (self.high - self.low)))

    def limited_mean(self, x: float) -> float:
        inside = min(max(x, self.low), self.high) - self.low
        return min(x, self.low) + inside - inside**2 / (2 * (self.high - self.low))

    def draw(self, random: Generator, size: int) -> Floats:
        return random.uniform(self.low, self.high, size)


class LogNormal(Distribution, frozen=True, tag="lognormal"):
    """Its logarithm is normal; talks are mostly like that (Brown et al. 2005)."""

    average: Positive
    deviation: Positive

    def __post_init__(self) -> None:
        _check_ratio(self.average, self.deviation)

    @property
    def _log_deviation(self) -> float:
        return sqrt(log1p((self.deviation / self.average) ** 2))

    @property
    def _log_mean(self) -> float:
        return log(self.average) - self._log_deviation**2 / 2

    @property
    def mean(self) -> float:
        return self.average

    @property
    def second_moment(self) -> float:
        return self.average**2 + self.deviation**2

    def survival(self, x: float) -> float:
        if x <= 0:
            return 1.0
        return float(special.ndtr((self._log_mean - log(x)) / self._log_deviation))

    def limited_mean(self, x: float) -> float:
        if x <= 0:
            return 0.0
        if x == inf:
            return self.average
        spread = self._log_deviation
        below = special.ndtr((log(x) - self._log_mean - spread**2) / spread)
        return float(self.average * below + x * self.survival(x))

    def draw(self, random: Generator, size: int) -> Floats:
        return random.lognormal(self._log_mean, self._log_deviation, size)


class Gamma(Distribution, frozen=True, tag="gamma"):
    """With this mean and standard deviation."""

    average: Positive
    deviation: Positive

    def __post_init__(self) -> None:
        _check_ratio(self.average, self.deviation)

    @property
    def _shape(self) -> float:
        return (self.average / self.deviation) ** 2

    @property
    def _scale(self) -> float:
        return self.average / self._shape

    @property
    def mean(self) -> float:
        return self.average

    @property
    def second_moment(self) -> float:
        return self.average**2 + self.deviation**2

    def survival(self, x: float) -> float:
        return float(special.gammaincc(self._shape, x / self._scale))

    def limited_mean(self, x: float) -> float:
        if x == inf:
            return self.average
        below = special.gammainc(self._shape + 1, x / self._scale)
        return float(self.average * below + x * self.survival(x))

    def draw(self, random: Generator, size: int) -> Floats:
        return random.gamma(self._shape, self._scale, size)


class Erlang(Distribution, frozen=True, tag="erlang"):
    """The sum of `phases` equal exponential phases, together with this mean."""

    average: Positive
    phases: Annotated[int, Meta(ge=1)]

    @property
    def _as_gamma(self) -> Gamma:
        return Gamma(self.average, self.average / sqrt(self.phases))

    @property
    def mean(self) -> float:
        return self.average

    @property
    def second_moment(self) -> float:
        return self.average**2 * (1 + 1 / self.phases)

    def survival(self, x: float) -> float:
        return self._as_gamma.survival(x)

    def limited_mean(self, x: float) -> float:
        return self._as_gamma.limited_mean(x)

    def draw(self, random: Generator, size: int) -> Floats:
        return self._as_gamma.draw(random, size)


class Weibull(Distribution, frozen=True, tag="weibull"):
    """With this mean; a shape below 1 means: who has waited will wait."""

    average: Positive
    shape: Positive

    @property
    def _scale(self) -> float:
        return self.average / float(special.gamma(1 + 1 / self.shape))

    @property
    def mean(self) -> float:
        return self.average

    @property
    def second_moment(self) -> float:
        return float(self._scale**2 * special.gamma(1 + 2 / self.shape))

    def survival(self, x: float) -> float:
        return float(np.exp(-((x / self._scale) ** self.shape)))

    def limited_mean(self, x: float) -> float:
        if x == inf:
            return self.average
        below = special.gammainc(1 + 1 / self.shape, (x / self._scale) ** self.shape)
        return float(self.average * below + x * self.survival(x))

    def draw(self, random: Generator, size: int) -> Floats:
        return self._scale * random.weibull(self.shape, size)


class Hyperexponential(Distribution, frozen=True, tag="hyperexponential"):
    """One of several exponentials: `averages[i]` with probability `shares[i]`."""

    shares: tuple[Share, ...]
    averages: tuple[Positive, ...]

    def __post_init__(self) -> None:
        if not self.shares or len(self.shares) != len(self.averages):
            raise ValueError("shares and averages are to be lists of the same length, not empty")
        if abs(sum(self.shares) - 1) > _SHARES_OFF:
            raise ValueError("the shares are to add up to 1")

    @property
    def _branches(self) -> list[tuple[float, Exponential]]:
        pairs = zip(self.shares, self.averages, strict=True)
        return [(share, Exponential(average)) for share, average in pairs]

    @property
    def mean(self) -> float:
        return sum(share * branch.mean for share, branch in self._branches)

    @property
    def second_moment(self) -> float:
        return sum(share * branch.second_moment for share, branch in self._branches)

    def survival(self, x: float) -> float:
        return sum(share * branch.survival(x) for share, branch in self._branches)

    def limited_mean(self, x: float) -> float:
        return sum(share * branch.limited_mean(x) for share, branch in self._branches)

    def draw(self, random: Generator, size: int) -> Floats:
        averages = random.choice(np.array(self.averages), size, p=np.array(self.shares))
        drawn: Floats = random.exponential(1.0, size) * averages
        return drawn


class Empirical(Distribution, frozen=True, tag="empirical"):
    """One of these durations, all equally likely."""

    values: tuple[NotNegative, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("values is to hold at least one duration")

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def second_moment(self) -> float:
        return float(np.mean(np.square(self.values)))

    @property
    def kinks(self) -> tuple[float, ...]:
        return tuple(sorted(set(self.values)))

    def survival(self, x: float) -> float:
        return float(np.mean(np.array(self.values) > x))

    def limited_mean(self, x: float) -> float:
        return float(np.mean(np.minimum(self.values, x)))

    def draw(self, random: Generator, size: int) -> Floats:
        drawn: Floats = random.choice(np.array(self.values), size)
        return drawn


def _check_ratio(average: float, deviation: float) -> None:
    ratio = deviation / average
    if not RATIOS[0] <= ratio <= RATIOS[1]:
        raise ValueError(
            f"deviation / average is {ratio:g}, expected {RATIOS[0]:g} to {RATIOS[1]:g}"
        )


AnyDistribution = (
    Exponential
    | Deterministic
    | Uniform
    | LogNormal
    | Gamma
    | Erlang
    | Weibull
    | Hyperexponential
    | Empirical
)
