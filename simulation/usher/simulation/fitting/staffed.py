"""How many come when it is known who works: counts by day and interval, given the agents there.

Who makes the roster knows more of a day than its mean: many agents mean that many calls were
expected, and who works stays on while calls come. The model, of day d and interval i, with s the
agents there, S their mean over days, H and h the sum over the intervals of a day and its mean:

    log E[N] = log mean[i] + a + b log(H[d] / h) + c log(s[d, i] / S[i] / (H[d] / h))

fitted by quasi-likelihood (Wedderburn 1974) with the variance m + v m^2 of a gamma factor, b and c
drawn to 0 as by one prior observation (ridge). It tells what came with such a staff, not what would
come if the staff were changed. It must not know files, logs, calendars or how long an interval is.
"""

from math import sqrt
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from usher.simulation.distributions import Gamma

Floats = NDArray[np.float64]

ROUNDS: Final = 20
MEAN_LEAST: Final = 10.0  # calls of an interval: fewer say nothing of its staff
STAFF_LEAST: Final = 0.5
_PRIOR: Final = np.array([0.0, 1.0, 1.0])


class StaffedFit(Struct, frozen=True, eq=False, kw_only=True):
    """Counts given the staff, and what days and intervals still vary by."""

    mean: Floats
    """Counts of the mean day, shape (intervals,)."""
    staff: Floats
    """Agents there on the mean day, same shape."""
    level: float
    """a."""
    by_day: float
    """b: 1 = twice the agents of a day, twice the calls."""
    by_interval: float
    """c: the same for an interval, beyond what the day has."""
    day_variance: float
    """Of the factor of a day given its staff, mean 1; at least 0."""
    interval_variance: float
    """Of the factor of an interval given its day."""

    def expected(self, staff: Floats) -> Floats:
        """Returns the counts to expect with these agents by interval."""
        days, intervals = _logs(staff, self.staff, self._known)
        exponent = self.level + self.by_day * days + self.by_interval * intervals
        return self.mean * np.exp(exponent)

    @property
    def day_factor(self) -> Gamma | None:
        """Returns its law; None = days vary no more than by chance."""
        return _gamma(self.day_variance)

    @property
    def interval_factor(self) -> Gamma | None:
        """Returns its law; None = intervals vary no more than by chance."""
        return _gamma(self.interval_variance)

    @property
    def _known(self) -> NDArray[np.bool_]:
        return (self.mean >= MEAN_LEAST) & (self.staff >= STAFF_LEAST)


def fit_staffed(counts: Floats, staff: Floats) -> StaffedFit:
    """Fits counts and agents, both of shape (days, intervals); raises ValueError for others."""
    if counts.ndim != 2 or counts.shape != staff.shape or not counts.sum():
        found = f"{counts.shape} with a sum of {counts.sum():g} and {staff.shape}"
        raise ValueError(f"counts and staff are {found}, expected calls of the same shape")
    mean, usual = counts.mean(axis=0), staff.mean(axis=0)
    known = (mean >= MEAN_LEAST) & (usual >= STAFF_LEAST)
    logs = [_logs(row, usual, known) for row in staff]
    days, intervals = (np.array(rows) for rows in zip(*logs, strict=True))
    columns = np.stack([np.ones_like(days), days, intervals], axis=-1)
    coefficients = _coefficients(counts, mean, columns, mean > 0)
    expected = mean * np.exp(columns @ coefficients)
    level, by_day, by_interval = coefficients.tolist()
    return StaffedFit(
        mean=mean,
        staff=usual,
        level=level,
        by_day=by_day,
        by_interval=by_interval,
        day_variance=_excess(counts.sum(axis=1), expected.sum(axis=1), lost=2),
        interval_variance=_within(counts, expected),
    )


def _logs(staff: Floats, usual: Floats, known: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Returns log(H / h), the same at all intervals, and the log of each interval beyond it."""
    day = float(np.log(max(staff.sum(), STAFF_LEAST) / max(usual.sum(), STAFF_LEAST)))
    beyond = np.log(np.maximum(staff, STAFF_LEAST) / np.maximum(usual, STAFF_LEAST)) - day
    return np.full(len(staff), day), np.where(known, beyond, 0.0)


def _coefficients(counts: Floats, mean: Floats, columns: Floats, used: NDArray[np.bool_]) -> Floats:
    """Returns (a, b, c) by Fisher scoring, the variance of the factor first taken as 0."""
    flat, seen = columns[:, used].reshape(-1, 3), counts[:, used].ravel()
    base = np.broadcast_to(mean, counts.shape)[:, used].ravel()
    found, variance = np.zeros(3), 0.0
    for _ in range(ROUNDS):
        expected = base * np.exp(flat @ found)
        weights = expected / (1 + variance * expected)
        slope = flat.T @ (weights * (seen - expected) / expected) - _PRIOR * found
        found = found + np.linalg.solve((flat.T * weights) @ flat + np.diag(_PRIOR), slope)
        variance = _excess(seen, expected, lost=0)
    return found


def _excess(seen: Floats, expected: Floats, *, lost: int) -> float:
    """Returns v by moments: the variance of a count is m + v m^2."""
    freedom = max(len(seen) - lost, 1) / len(seen)
    beyond = float(((seen - expected) ** 2).sum()) / freedom - float(expected.sum())
    return max(0.0, beyond / float((expected**2).sum()))


def _within(counts: Floats, expected: Floats) -> float:
    """Returns v of the intervals, each day's total taken as known."""
    totals = counts.sum(axis=1, keepdims=True)
    share = expected / expected.sum(axis=1, keepdims=True)
    given = totals * share
    rows, columns = len(counts), int((counts.sum(axis=0) > 0).sum())
    if rows < 2 or columns < 2:
        return 0.0
    freedom = (rows - 1) * (columns - 1) / (rows * columns)
    beyond = float(((counts - given) ** 2).sum()) / freedom - float(given.sum())
    return max(0.0, beyond / float((given**2).sum()))


def _gamma(variance: float) -> Gamma | None:
    return Gamma(1.0, sqrt(variance)) if variance else None
