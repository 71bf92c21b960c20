"""Keeps the calendar of a pool's branches ahead of its clock: a day or so before it is needed.

    sleep -> reaches less than 13 days ahead, or other branches? -> expand -> SetCalendar

Also what a later release of the time zone data changed comes in that way, after a restart. Time is
the pool's clock, at whatever rate it runs. It must not know time zones (`calendars` does, imported
with the first branch), gRPC, or what hours lead to.
"""

import asyncio
from contextlib import suppress

from usher.queue.branches import Branches, Calendar
from usher.queue.commands import SetCalendar
from usher.queue.errors import Refused
from usher.queue.values import SYSTEM
from usher.router.service.runner import Runner, Submission, no_answer
from usher.router.service.telemetry import logger
from usher.router.service.unavailable import NotServed

REACH_MS = 13 * 24 * 3600 * 1000
SLEEP_MOST_S = 10.0


class CalendarKeeper:
    """The one task that sets the calendar of a running pool."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._clock = runner.clock
        self._plan = runner.pool.ledger.plan  # opening has set the calendar of these branches
        self._told: Branches | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to keep the calendar."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Ends it; the calendar stays as it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def wake(self) -> None:
        """Looks at clock and branches again (after a ManualClock was moved)."""
        self._wake.set()

    async def look(self) -> float:
        """Sets the calendar if it is time to; returns the real seconds until the next look."""
        plan = self._runner.pool.ledger.plan
        if plan is None or not plan.branches:
            return SLEEP_MOST_S
        if plan is not self._plan or self._due_ms() <= self._clock.now_ms():
            if not await self._renew(plan):
                return SLEEP_MOST_S
            self._plan = plan
        return min(self._clock.seconds_until(self._due_ms()), SLEEP_MOST_S)

    async def _keep(self) -> None:
        while True:
            self._wake.clear()
            seconds = await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()

    def _due_ms(self) -> int:
        calendar = self._runner.pool.ledger.calendar
        branches = calendar.branches if calendar is not None else ()
        return min((each.days[-1].ends_ms for each in branches), default=0) - REACH_MS

    async def _renew(self, plan: Branches) -> bool:
        """Returns whether the pool has the calendar of these branches from now on."""
        try:
            calendar = await asyncio.to_thread(_expanded, plan, self._clock.now_ms())
            if calendar != self._runner.pool.ledger.calendar:
                command = SetCalendar(SYSTEM, calendar)
                await self._runner.submit(Submission(command, "", b"", (), no_answer))
        except (Refused, NotServed) as error:
            if self._told is not plan:
                self._told = plan
                logger().error("calendar_not_set", reason=error.reason, value=error.message)
            return False
        return True


def _expanded(plan: Branches, from_ms: int) -> Calendar:
    from usher.router.service.calendars import expand

    return expand(plan, from_ms)
