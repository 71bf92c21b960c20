"""How long callers were willing to wait, fitted from a call log, and draws from that.

Who was answered would have waited longer: that wait is censored. It must not know files or the
server. Draws depend on nothing but the fit, the seed and the call, so a replay can be repeated.

Sources: Kaplan & Meier, JASA 53 (1958) 457-481; the exponential estimate (total time waited over
number of abandons) as in Brown et al., JASA 100 (2005) 36-50.
"""

import math
from collections.abc import Iterable
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from usher.router.trials.call_log import Call, CallOutcome

AT_RISK_LEAST = 10


class PatienceError(ValueError):
    """When there is nothing to fit: no call abandoned."""


class Patience(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A fitted patience: a step curve and, past its end, an exponential tail."""

    times_s: NDArray[np.int64]
    """Waits at which callers abandoned, ascending, while at least 10 were still waiting."""
    survival: NDArray[np.float64]
    """Kaplan-Meier share still willing to wait just after each of these times, descending."""
    mean_s: float
    """Exponential fit: total waited / abandoned, in seconds."""
    calls: int
    abandoned: int

    def willing(self, wait_s: float) -> float:
        """The share of callers willing to wait longer than this: S(wait_s)."""
        at = int(np.searchsorted(self.times_s, wait_s, side="right"))
        if at < len(self.times_s):
            return float(self.survival[at - 1]) if at else 1.0
        past_s = wait_s - float(self.times_s[-1])
        return float(self.survival[-1]) * math.exp(-past_s / self.mean_s)

    def draw_s(self, call: Call, seed: int) -> float:
        """The patience of this call in seconds, the same for the same seed and call number.

        An abandoned call left at its recorded wait. A served one would have waited longer than its
        recorded wait w: drawn by inversion given that, the first time with S(t) <= u x S(w).
        """
        if call.outcome is CallOutcome.ABANDONED:
            return float(call.wait_s)
        target = _uniform(f"{seed}/{call.number}") * self.willing(call.wait_s)
        end_s, end = float(self.times_s[-1]), float(self.survival[-1])
        if target >= end and call.wait_s < end_s:
            later = self.times_s > call.wait_s
            within = later & (self.survival <= target)
            return float(self.times_s[int(np.argmax(within))])
        # Past the curve: exponential from its end on, which has no memory of what came before.
        return max(
            end_s + self.mean_s * math.log(end / target), math.nextafter(call.wait_s, math.inf)
        )


def fit_patience(calls: Iterable[Call]) -> Patience:
    """Fits the waits of these calls (of a day or of many; more calls, smoother tail).

    Calls that did not queue waited 0 s: they are in no figure but `calls`. The curve ends where
    fewer than 10 callers are still waiting, as its steps are chance from there on.
    Raises PatienceError if no call abandoned while at least 10 were waiting.
    """
    listed = list(calls)
    waits_s = np.array([call.wait_s for call in listed], dtype=np.int64)
    left = np.array([call.outcome is CallOutcome.ABANDONED for call in listed], dtype=np.bool_)
    times_s, abandons = np.unique(waits_s[left], return_counts=True)
    # At equal times abandons come before censorings, as usual: the answered are still at risk.
    at_risk = len(waits_s) - np.searchsorted(np.sort(waits_s), times_s, side="left")
    kept = at_risk >= AT_RISK_LEAST
    survival = np.cumprod(1.0 - abandons[kept] / at_risk[kept], dtype=np.float64)
    # A last step to 0 has no tail to go on with.
    kept_times_s, survival = times_s[kept][survival > 0], survival[survival > 0]
    if not len(survival) or not waits_s.sum():
        raise PatienceError(f"no patience in {len(listed)} calls, {int(left.sum())} abandoned")
    return Patience(
        times_s=kept_times_s,
        survival=survival,
        mean_s=int(waits_s.sum()) / int(left.sum()),
        calls=len(listed),
        abandoned=int(left.sum()),
    )


def _uniform(text: str) -> float:
    """A number in (0, 1) from a text, the same in every version of every library."""
    bits = int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 12
    return (bits + 0.5) / 2.0**52
