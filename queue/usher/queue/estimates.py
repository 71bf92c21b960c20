"""Expected waits as ranges, in whole numbers: no float, so every processor agrees.

The wait is what must be worked off before a visitor's turn, spread over the desks that could serve
the visitor. The pieces of work are taken as memoryless (exponential) with their usual lengths, so
the sum is about gamma distributed with the same mean and variance. For a gamma distribution the
median is about mean - variance / (3 mean), and 90 of 100 lie below mean + 1.28 standard deviations
(for one piece of length 1: 0.67 and 2.28, where the exponential has 0.69 and 2.30).
"""

from math import isqrt

from msgspec import Struct

P90_PERMILLE = 1282  # quantile of the normal distribution, in thousandths


class WaitRange(Struct, frozen=True, array_like=True, gc=False):
    """Half of all visitors in this place wait at most `p50_ms`, nine of ten at most `p90_ms`."""

    p50_ms: int
    p90_ms: int


def wait_range(work_ms: int, squares_ms2: int, desks: int) -> WaitRange:
    """Returns the range of a wait.

    `work_ms`: sum of the usual lengths of what comes before, `squares_ms2`: sum of their squares,
    `desks` >= 1: how many work it off.
    """
    if work_ms <= 0:
        return WaitRange(0, 0)
    mean_ms = work_ms // desks
    median_ms = (work_ms - squares_ms2 // (3 * work_ms)) // desks
    deviation_ms = isqrt(squares_ms2) // desks
    return WaitRange(max(0, median_ms), mean_ms + P90_PERMILLE * deviation_ms // 1000)
