"""The server's clock seen from here, and an agenda of what is to be done when it shows what.

Every reply that tells the server's time narrows down its distance from the local monotonic clock:
the server read its clock between the sending and the arrival. It must not know messages or gRPC.
"""

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable

import numpy as np
from msgspec import Struct

Action = Callable[[], Awaitable[None]]


class ServerClock:
    """Tells the server's time in ms without asking for it."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._least_ms = -np.inf
        self._most_ms = np.inf

    def observe(self, server_ms: int, *, sent_s: float | None, received_s: float) -> None:
        """Takes in a server time, read between two monotonic times (None = sent by itself)."""
        least_ms = server_ms - received_s * 1000 * self.rate
        most_ms = np.inf if sent_s is None else server_ms + 1 - sent_s * 1000 * self.rate
        if least_ms > self._most_ms or most_ms < self._least_ms:
            # At rate 1 the server follows the wall slowly: what was learned is out of date.
            self._least_ms, self._most_ms = -np.inf, np.inf
        self._least_ms = max(self._least_ms, least_ms)
        self._most_ms = min(self._most_ms, most_ms)

    def now_ms(self) -> float:
        """The server's time now. Raises RuntimeError before the first observation."""
        return self._offset_ms() + time.monotonic() * 1000 * self.rate

    def seconds_until(self, at_ms: float) -> float:
        """Real seconds until the server's clock shows this; 0.0 if it does already."""
        return max(0.0, at_ms - self.now_ms()) / (1000 * self.rate)

    def uncertain_ms(self) -> float:
        """The server's time is known to within this, in its own ms, to either side."""
        return float(self._most_ms - self._least_ms) / 2

    def _offset_ms(self) -> float:
        if not np.isfinite(self._least_ms):
            raise RuntimeError("the server's time has not been observed")
        if not np.isfinite(self._most_ms):
            return float(self._least_ms)
        return float(self._least_ms + self._most_ms) / 2


class Lateness(Struct, frozen=True):
    """How late commands were sent, in ms of the server's clock; percentiles by nearest rank."""

    commands: int
    p50_ms: float
    p99_ms: float
    longest_ms: float


class Agenda:
    """Actions by due time; each runs as a task of its own. `run` ends with the first that fails."""

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Action]] = []
        self._added = 0
        self._sooner = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._late_ms: list[float] = []

    def at(self, due_ms: float, action: Action) -> None:
        """Runs the action when the server's clock shows `due_ms`; at once if that is past."""
        self._added += 1
        heapq.heappush(self._heap, (due_ms, self._added, action))
        if self._heap[0][1] == self._added:
            self._sooner.set()

    def soon(self, action: Action) -> None:
        """Runs the action at once; it counts in no lateness."""
        self._start(action)

    async def run(self) -> None:
        """Works the agenda off until it is cancelled. Raises what an action raised."""
        while True:
            self._sooner.clear()
            self._start_due()
            next_ms = self._heap[0][0] if self._heap else None
            wait_s = None if next_ms is None else self._clock.seconds_until(next_ms)
            sooner = asyncio.ensure_future(self._sooner.wait())
            await asyncio.wait(
                (sooner, self._failed), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
            )
            sooner.cancel()
            if self._failed.done():
                self._failed.result()

    async def close(self) -> None:
        """Stops what is still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._failed.cancel()

    def lateness(self) -> Lateness:
        """How late the due actions were begun so far."""
        late_ms = np.sort(np.array(self._late_ms or [0.0]))
        p50_ms, p99_ms = (float(late_ms[-(-p * len(late_ms) // 100) - 1]) for p in (50, 99))
        return Lateness(len(self._late_ms), p50_ms, p99_ms, float(late_ms[-1]))

    def _start_due(self) -> None:
        while self._heap and self._heap[0][0] <= self._clock.now_ms():
            due_ms, _, action = heapq.heappop(self._heap)
            self._late_ms.append(self._clock.now_ms() - due_ms)
            self._start(action)

    def _start(self, action: Action) -> None:
        task = asyncio.ensure_future(action())
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Future[None]") -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not self._failed.done():
            self._failed.set_exception(error)
