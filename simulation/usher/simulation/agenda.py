"""What is to happen in virtual time, in order.

Acts of one moment come in the order in which they were put in, so a run is the same every time. An
act is never taken out early: it looks whether it still holds. It must not know what the acts do.
"""

import heapq
from collections.abc import Callable
from itertools import count

Act = Callable[[], None]


class Agenda:
    """The acts to come; times in ms of the run's clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Act]] = []
        self._numbers = count()

    def put(self, at_ms: int, act: Act) -> None:
        """Adds an act."""
        heapq.heappush(self._heap, (at_ms, next(self._numbers), act))

    def next_ms(self) -> int | None:
        """Returns when the next act is due, None if there is none."""
        return self._heap[0][0] if self._heap else None

    def take(self, until_ms: int | None) -> tuple[int, Act] | None:
        """Takes the next act out and returns (time, act); None if none is due until then.

        `until_ms` None = whenever it is due.
        """
        heap = self._heap
        if not heap or (until_ms is not None and heap[0][0] > until_ms):
            return None
        at_ms, _, act = heapq.heappop(heap)
        return at_ms, act
