"""The pace of turns: under load commands gather for a moment and share a batch and its sync.

A turn begins at once when the last one lies back `every_ms`; else the next waits for the rest of
that time. A lone command so never waits, and a busy pool makes fewer, fuller batches, each with one
match, one append and one message per watch. It must not know what a turn does.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

UNPACED_CONTACTS = 64  # so many waiting are not made to wait for more company


class Pace:
    """Belongs to one runner on the running event loop."""

    def __init__(self, every_ms: int, wake: Callable[[], None]) -> None:
        self._every_s = every_ms / 1000
        self._wake = wake
        self._next_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def holds(self, contacts: int) -> bool:
        """Returns whether the turn for so many waiting contacts is to wait; wakes when it is over.

        When it is not, the turn counts as begun now.
        """
        now_s = monotonic()
        wait_s = self._next_s - now_s
        if wait_s > 0 and contacts < UNPACED_CONTACTS:
            if self._timer is None:
                self._timer = self._loop.call_later(wait_s, self._end)
            return True
        self._next_s = now_s + self._every_s
        return False

    def is_holding(self, contacts: int) -> bool:
        """Returns whether the turn waits already and will be woken: nobody else need wake it."""
        return self._timer is not None and contacts < UNPACED_CONTACTS

    def _end(self) -> None:
        self._timer = None
        self._wake()
