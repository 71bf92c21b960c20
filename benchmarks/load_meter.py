"""What the open loop measures: calls at the moments they are meant for, and what came of them.

It must not know who makes the calls.
"""

import asyncio
import time
from collections import Counter
from typing import Any

import grpc
from bench_client import figures
from load_steps import RACES, Step, reason_of


class Found:
    """What came of calls."""

    def __init__(self) -> None:
        self.took_ms: dict[str, list[float]] = {}
        self.late_ms: list[float] = []
        self.errors: Counter[str] = Counter()
        self.races: Counter[str] = Counter()


class Meter(Found):
    """What is measured of the calls that are meant for the time between `begin_s` and `end_s`."""

    def __init__(self, begin_s: float, end_s: float) -> None:
        super().__init__()
        self.begin_s = begin_s
        self.end_s = end_s
        self.idle = asyncio.Event()
        self._under_way = 0

    async def measured(self, step: Step, due_s: float) -> Any | None:
        """Takes the step at its moment; returns the reply, or None if there is none."""
        if not self.begin_s <= due_s < self.end_s:
            return await _reply(step, due_s, Found())
        self._under_way += 1
        self.idle.clear()
        try:
            return await _reply(step, due_s, self)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self.idle.set()

    def told(self) -> dict[str, Any]:
        """Returns the figures: of all calls, and by name."""
        seconds = self.end_s - self.begin_s
        every = [ms for some in self.took_ms.values() for ms in some]
        errors = self.errors.total()
        return {
            **figures(len(every) - errors, seconds, every),
            "errors": errors,
            "races": self.races.total(),
            "late_p99_ms": figures(0, seconds, self.late_ms)["p99_ms"],
            "errors_by_reason": dict(self.errors),
            "by_call": {
                name: figures(len(some), seconds, some)
                for name, some in sorted(self.took_ms.items())
            },
        }


async def _reply(step: Step, due_s: float, found: Found) -> Any | None:
    await until(due_s)
    found.late_ms.append((time.perf_counter() - due_s) * 1000)
    try:
        return await step.begin()
    except grpc.aio.AioRpcError as failed:
        reason = reason_of(failed)
        (found.races if reason in RACES else found.errors)[f"{step.name} {reason}"] += 1
        return None
    finally:
        took_ms = (time.perf_counter() - due_s) * 1000
        found.took_ms.setdefault(step.name, []).append(took_ms)


async def until(due_s: float) -> None:
    """Waits for a moment of `time.perf_counter`."""
    wait_s = due_s - time.perf_counter()
    if wait_s > 0:
        await asyncio.sleep(wait_s)
