"""Wakes the runner when a deadline is due: sleeps on the loop's own timer, never polls.

It must not know what is due.
"""

import asyncio
from collections.abc import Callable

from usher.router.service.clock import Clock

SLEEP_MOST_S = 10.0  # the clock is slewed by up to 0.5%: look at it again after that long


class Alarm:
    """One alarm at a time; `ring` may also come too early, and looks at the clock itself."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due_ms: int | None = None

    def set(self, due_ms: int | None) -> None:
        """Rings when the clock shows `due_ms`; None = not at all."""
        if due_ms == self._due_ms:
            return
        self.off()
        if due_ms is not None:
            self.set_in(min(self._clock.seconds_until(due_ms), SLEEP_MOST_S))
            self._due_ms = due_ms

    def set_in(self, seconds: float) -> None:
        """Rings after so many real seconds."""
        self.off()
        self._timer = self._loop.call_later(seconds, self._now)

    def off(self) -> None:
        """Does not ring."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._due_ms = None

    def _now(self) -> None:
        self._timer = self._due_ms = None
        self._ring()
