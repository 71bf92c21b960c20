"""The one clock of a server: whole milliseconds UTC that never go back and never jump.

At opening it shows the wall's time, but never less than the last record's. From then on it follows
the monotonic clock and is slewed towards the wall by at most 0.5 ms per 100 ms, so a step of the
wall clock (or a machine that slept) fires and freezes nothing; an hour's step is made up in 200
hours. At a rate n other than 1, n milliseconds pass per real one and there is no slewing.

It must not know what the time is used for.
"""

import time
from collections.abc import Callable

NS_PER_MS = 1_000_000
SLEW_PER_MILLE = 5  # 0.5 ms per 100 ms: ten times what a poor quartz drifts, too little to feel


class Clock:
    """Time for a pool. Sources are injectable; both give nanoseconds."""

    def __init__(
        self,
        last_at_ms: int = 0,
        rate: int = 1,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if rate < 1:
            raise ValueError(f"clock rate {rate} is below 1")
        self.rate = rate
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._seen_ns = monotonic_ns()
        self._reading_ns = max(wall_ns(), last_at_ms * NS_PER_MS)

    def now_ms(self) -> int:
        """Returns the time in milliseconds UTC; never less than an earlier answer."""
        return self._now_ns() // NS_PER_MS

    def seconds_until(self, at_ms: int) -> float:
        """Returns the real seconds until the clock shows `at_ms`; 0.0 if it does already."""
        return max(0, at_ms * NS_PER_MS - self._now_ns()) / (self.rate * 1e9)

    def _now_ns(self) -> int:
        seen_ns = self._monotonic_ns()
        passed_ns = seen_ns - self._seen_ns
        if passed_ns <= 0:
            return self._reading_ns
        self._seen_ns = seen_ns
        if self.rate == 1:
            self._reading_ns += passed_ns + self._slew_ns(passed_ns)
        else:
            self._reading_ns += passed_ns * self.rate
        return self._reading_ns

    def _slew_ns(self, passed_ns: int) -> int:
        behind_ns = self._wall_ns() - self._reading_ns - passed_ns
        most_ns = passed_ns * SLEW_PER_MILLE // 1000
        return max(-most_ns, min(most_ns, behind_ns))


class ManualClock(Clock):
    """A clock that stands still until it is moved: for tests and trials."""

    def __init__(self, start_ms: int, rate: int = 1) -> None:
        self._manual_ns = start_ms * NS_PER_MS
        super().__init__(rate=rate, wall_ns=self._manual, monotonic_ns=self._manual)

    def advance(self, ms: int) -> None:
        """Lets `ms` real milliseconds pass (the reading moves by `ms` times the rate)."""
        self._manual_ns += ms * NS_PER_MS

    def _manual(self) -> int:
        return self._manual_ns
