"""When the journal does not take an append, and it passes: its store is away, or it has no room.

    append ── JournalUnavailable ──> stuck: nothing is executed, every call is turned away
                 │ the same append again, with a growing pause (the store knows one it has written)
                 └── it succeeds ──> the pool goes on where it stood, nothing is loaded again

It must not know the pool or who waits for an outcome.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from usher.queue.journal.contract import Journal, JournalError, JournalFull, JournalUnavailable
from usher.router.service.telemetry import logger
from usher.router.service.unavailable import JournalAway, JournalIsFull

PAUSE_FIRST_S: Final = 0.05
PAUSE_MOST_S: Final = 1.0
RETRY_MS: Final = 1_000
FULL_RETRY_MS: Final = 100

T = TypeVar("T")


class Outage:
    """Whether the store of one runner's journal is there.

    `stuck`: something waits for it. `listeners` are told when it goes (False) and comes (True),
    `fatal` of what does not pass.
    """

    def __init__(self, journal: Journal, fatal: Callable[[JournalError], None]) -> None:
        self.stuck = False
        self.listeners: list[Callable[[bool], None]] = []
        self._fatal = fatal
        self._lost = False  # as the journal tells
        self._told = True
        self._reason = ""
        self._loop = asyncio.get_running_loop()
        journal.listen(self._hear)

    def refusal(self) -> JournalAway:
        """Returns what callers are told; what they sent may have happened, or happen yet."""
        return JournalAway("the journal cannot be reached; repeat the request later", RETRY_MS)

    async def through(
        self, work: Callable[[], Awaitable[T]], turn_away: Callable[[], None]
    ) -> tuple[T, float]:
        """Returns what the work gives, and for how many seconds it had to wait for the store.

        `turn_away` is called when the store is found away. Raises what else the work raises.
        """
        try:
            return await work(), 0.0
        except JournalUnavailable as error:
            self.stuck = True
            self._log(error)
        began_s = self._loop.time()
        self._tell()
        turn_away()
        done = await self._sit_out(work)
        seconds = self._loop.time() - began_s
        self.stuck, self._reason = False, ""
        logger().warning("journal_back", duration_ms=int(seconds * 1000))
        self._tell()
        return done, seconds

    async def _sit_out(self, work: Callable[[], Awaitable[T]]) -> T:
        """Waits for room as well: the append that met the outage may have been written."""
        pause_s = PAUSE_FIRST_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_MOST_S)
            try:
                return await work()
            except (JournalUnavailable, JournalFull) as error:
                self._log(error)

    def _hear(self, news: JournalError | None) -> None:
        """Takes in what the journal tells between calls."""
        if news is not None and not isinstance(news, JournalUnavailable):
            self._fatal(news)
            return
        self._lost = news is not None
        if news is not None:
            self._log(news)
        elif not self.stuck:
            self._reason = ""
        self._tell()

    def _log(self, error: JournalError) -> None:
        """Logs each reason once in a row: they hold nothing personal."""
        if str(error) != self._reason:
            self._reason = str(error)
            logger().error("journal_unavailable", reason=self._reason)

    def _tell(self) -> None:
        there = not (self.stuck or self._lost)
        if there == self._told:
            return
        self._told = there
        for listener in tuple(self.listeners):
            listener(there)


class Shortage:
    """The journal has no room: for a pause after it was found so, commands are not tried."""

    def __init__(self, pause_ms: int) -> None:
        self._pause_s = pause_ms / 1000
        self._until_s = 0.0
        self._loop = asyncio.get_running_loop()

    @property
    def left_s(self) -> float:
        """Returns the seconds that are left of the pause; 0.0 without one."""
        return max(0.0, self._until_s - self._loop.time())

    def begin(self) -> None:
        """An append found no room."""
        self._until_s = self._loop.time() + self._pause_s

    def refusal(self) -> JournalIsFull:
        """Returns what callers are told."""
        wait_ms = max(int(self.left_s * 1000), FULL_RETRY_MS)
        return JournalIsFull("the journal has no room; nothing was changed", wait_ms)


def unwatched(outcome: "asyncio.Future[bytes]") -> None:
    """Takes note of an outcome that nobody waits for, so that asyncio does not complain of it."""
    outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
