"""The pace of turns: a busy server lets commands gather, to share a batch and its sync.

    share of a core that the loop's thread used lately      turns lie apart by
    up to 30%                                                `least`: a fifth of `most_ms`
    30% .. 70%                                               least .. `most_ms`, linearly
    above                                                    `most_ms`

So a server with time to spare answers at once, and one that has none makes fewer, fuller batches:
one match, one append, one message per watch and replies in one go, which is where its time goes. It
must not know what a turn does.
"""

import asyncio
from collections.abc import Callable
from time import monotonic, thread_time
from typing import Final

UNPACED_CONTACTS: Final = 256  # so many waiting need no more company: a batch is full
WINDOW_S: Final = 0.01  # over which the share is measured; half of it counts at once
LEAST_PART: Final = 0.2
IDLE_SHARE: Final = 0.3
BUSY_SHARE: Final = 0.7

Seconds = Callable[[], float]


class Pace:
    """Belongs to one runner on the running event loop."""

    def __init__(
        self,
        most_ms: int,
        wake: Callable[[], None],
        *,
        clock: Seconds = monotonic,
        used: Seconds = thread_time,
    ) -> None:
        self._most_s = most_ms / 1000
        self._wake = wake
        self._clock = clock
        self._used = used
        self._share = 0.0
        self._apart_s = self._most_s * LEAST_PART
        self._last_s = clock()
        self._window_s, self._window_used_s = self._last_s, used()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def holds(self, contacts: int) -> bool:
        """Returns whether the turn for so many waiting contacts is to wait; wakes when it is over.

        When it is not, the turn counts as begun now.
        """
        now_s = self._clock()
        wait_s = self._last_s + self._apart_s - now_s
        if wait_s > 0 and contacts < UNPACED_CONTACTS:
            if self._timer is None:
                self._timer = self._loop.call_later(wait_s, self._end)
            return True
        self._last_s = now_s
        if now_s - self._window_s >= WINDOW_S:
            self._adapt(now_s)
        return False

    def is_holding(self, contacts: int) -> bool:
        """Returns whether the turn waits already and will be woken: nobody else need wake it."""
        return self._timer is not None and contacts < UNPACED_CONTACTS

    def _adapt(self, now_s: float) -> None:
        used_s = self._used()
        share = (used_s - self._window_used_s) / (now_s - self._window_s)
        self._window_s, self._window_used_s = now_s, used_s
        self._share += (share - self._share) / 2
        part = (self._share - IDLE_SHARE) / (BUSY_SHARE - IDLE_SHARE)
        self._apart_s = self._most_s * min(1.0, max(LEAST_PART, part))

    def _end(self) -> None:
        self._timer = None
        self._wake()
