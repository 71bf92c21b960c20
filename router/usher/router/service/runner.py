"""The host of one pool: takes what is submitted, executes it in batches, lets it out once synced.

    submit -> inbox -> Execution.turn -> stage ->  journal.append  -> replies, reads, feed
                          (next batch executed)   (one under way)

While one append is under way, what comes is executed into the next stage, which is appended as soon
as the former is synced: one sync serves all that came meanwhile. Nothing that depends on state
leaves before the sync of all that was executed before it.

A full disk rolls the stage and all executed on it back: the pool is made again from the journal.
While the journal's store is away nothing is executed, callers are turned away, and the stage keeps
its place (`outage`). Any other error of the journal, or of `apply`, stops the runner for good;
`failed` tells it. It must not know gRPC, or what commands mean."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TypeVar

from usher.queue.errors import Refused
from usher.queue.journal.contract import Journal, JournalError, JournalFull, JournalUnavailable
from usher.queue.values import ContactId
from usher.router.pool import Pool
from usher.router.service.alarm import Alarm
from usher.router.service.execution import Execution
from usher.router.service.inbox import Entry, Inbox, Submission, no_answer
from usher.router.service.opening import Opened, feed_of, load_pool, opened_again
from usher.router.service.outage import Outage, Shortage, unwatched
from usher.router.service.pace import Pace
from usher.router.service.requests import KnownRequests
from usher.router.service.settings import Settings
from usher.router.service.snapshots import Snapshots
from usher.router.service.stage import Stage
from usher.router.service.telemetry import Counters, logger, told
from usher.router.service.unavailable import (
    CommandFailed,
    Draining,
    PoolUnavailable,
    RequestIdReused,
)

__all__ = ["Runner", "Submission", "no_answer"]

STUCK_PAUSE_S = 1.0
DRAINING_RETRY_MS = 1_000
OUTAGE_LEAST_S = 1.0  # a shorter one moves no lease

Seen = TypeVar("Seen")


class Runner:
    """Serves one pool on the running event loop."""

    def __init__(
        self,
        opened: Opened,
        journal: Journal,
        settings: Settings,
        *,
        counters: Counters | None = None,
        on_fatal: Callable[[Exception], None] | None = None,
    ) -> None:
        self.clock = opened.clock
        self.journal = journal
        self.settings = settings
        self.counters = counters or Counters()
        self.failed = asyncio.Event()
        self.feed = feed_of(opened, settings)
        self.outage = Outage(journal, self._fail)
        self._on_fatal = on_fatal
        self._execution = Execution(opened.pool, opened.private, self.counters)
        self._known = KnownRequests(
            opened.requests, settings.requests_max, settings.requests_kept_ms
        )
        self._inbox = Inbox(settings.inbox_contacts_max)
        self._in_hand: list[Entry] = []
        self._stage = Stage(opened.pool.position)
        self._flight: Stage | None = None
        self._restoring: Stage | None = None
        self._held_back = self._draining = self._stopped = False
        self._wake, self._staged, self._idle = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()
        self._shortage = Shortage(settings.journal_full_pause_ms)
        self._pace = Pace(settings.turn_every_ms, self._wake.set)
        self._alarm = Alarm(opened.clock, self._wake.set)
        last_snapshot = opened.pool.position - opened.replayed
        self._snapshots = Snapshots(journal, settings, last_snapshot, self._fail)

    @property
    def pool(self) -> Pool:
        """Returns the pool as executed, perhaps not yet synced: read it through `read`."""
        return self._execution.pool

    @property
    def private(self) -> dict[ContactId, bytes]:
        """Returns the private fields of the pool's contacts, as executed."""
        return self._execution.private

    def start(self) -> None:
        """Begins to serve; what is due already is worked off first."""
        self._tasks = [
            asyncio.create_task(self._guarded(self._execute_forever)),
            asyncio.create_task(self._guarded(self._write_forever)),
        ]
        self._wake.set()

    def wake(self) -> None:
        """Has the runner look at clock and inbox (after a ManualClock was moved)."""
        self._alarm.off()
        self._wake.set()

    async def submit(self, submission: Submission) -> bytes:
        """Returns the encoded answer once it is synced; that of the first time for a repeated id.

        Raises Refused by the pool, and NotServed: RequestIdReused, InboxFull, JournalIsFull,
        JournalAway, PoolUnavailable, Draining, CommandFailed.
        """
        request_id = submission.request_id
        while request_id:
            self._check_serving()
            entry = self._inbox.under_way(request_id)
            if entry is not None:
                if entry.submission.digest == submission.digest:
                    return await entry.join()
                with suppress(Refused, CommandFailed):  # what it comes to decides on the id
                    await entry.join()
            elif request_id in self._known:
                answer = await self._remembered(submission)
                if answer is not None:
                    return answer
            else:
                break
        self._admit()
        entry = self._inbox.put(submission)
        if not self._pace.is_holding(self._inbox.contacts):
            self._wake.set()
        return await entry.join()

    async def read(self, view: Callable[[Pool], Seen]) -> Seen:
        """Returns what `view` gives of the pool now, once all that it saw is synced.

        Raises what `view` refuses, at that same moment; JournalAway, PoolUnavailable.
        """
        while True:
            self._check_serving()
            refusal: Refused | None = None
            try:
                seen = view(self.pool)
            except Refused as error:
                refusal = error
            if await self._settled():
                if refusal is not None:
                    raise refusal
                return seen

    async def drain(self) -> None:
        """Takes nothing new, finishes all it has, writes a snapshot and stops."""
        self._draining = True
        self._note_idle()
        await self._snapshots.finish()
        while not self._idle.is_set():
            await self._idle.wait()
            await self._snapshots.finish()
        await self._stop()
        if not self.failed.is_set():
            self._stopped = True
            await self._snapshots.write_guarded(self.pool.position, self.pool.snapshot())
        self.feed.close()

    async def close(self) -> None:
        """Stops at once; what waits gets PoolUnavailable. May follow `drain`."""
        await self._stop()
        self._let_down(PoolUnavailable("the server stops"))
        self.feed.close()

    # submitting and reading

    def _check_serving(self) -> None:
        if self._stopped:
            raise PoolUnavailable("the pool has stopped")
        if self.outage.stuck:
            raise self.outage.refusal()

    def _admit(self) -> None:
        self._check_serving()
        if self._draining:
            raise Draining("the server is about to stop", DRAINING_RETRY_MS)
        if self._restoring is not None or self._shortage.left_s:
            raise self._shortage.refusal()

    async def _remembered(self, submission: Submission) -> bytes | None:
        """Returns the recorded answer, None if it was forgotten meanwhile."""
        try:
            remembered = await self.journal.request(submission.request_id)
        except JournalUnavailable:
            raise self.outage.refusal() from None
        except JournalError as error:
            self._fail(error)
            raise PoolUnavailable("the pool has stopped") from None
        if remembered is None:
            self._known.forget(submission.request_id)
            return None
        await self.read(lambda _pool: None)
        if remembered.digest != submission.digest:
            raise RequestIdReused(submission.request_id)
        return remembered.answer

    async def _settled(self) -> bool:
        """Waits for the sync of all executed so far; returns False if it was rolled back."""
        if self._restoring is not None:
            readers = self._restoring.readers
        elif self._stage.records:
            readers = self._stage.readers
        elif self._flight is not None:
            readers = self._flight.readers
        else:
            return True
        reader: asyncio.Future[bool] = self._loop.create_future()
        readers.append(reader)
        return await reader

    # executing

    async def _execute_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._restoring is not None or self.outage.stuck:
                continue
            if pause_s := self._shortage.left_s:
                self._loop.call_later(pause_s, self._wake.set)
                continue
            if self._pace.holds(self._inbox.contacts):
                continue
            self._turn()

    def _turn(self) -> None:
        most = self.settings.batch_contacts_max
        room = most - self._stage.contacts
        self._held_back = room <= 0
        if self._held_back:
            return  # the writer wakes us when it has taken this stage
        self._in_hand = self._inbox.take(room, most)
        self._execution.turn(self._in_hand, self.clock.now_ms(), self._stage)
        if self._stage.records:
            self._staged.set()
        elif self._flight is None and not self._stage.empty:
            self._settle(self._leave_stage())
        if self._inbox and self._in_hand:
            self._wake.set()
        self._in_hand = []
        if self._execution.expiry_stuck:
            self._alarm.set_in(STUCK_PAUSE_S)
        else:
            self._alarm.set(self.pool.next_deadline())
        self._note_idle()

    # writing

    async def _write_forever(self) -> None:
        while True:
            await self._staged.wait()
            self._staged.clear()
            while not self._stage.empty:
                await self._write_stage()

    async def _write_stage(self) -> None:
        stage = self._flight = self._leave_stage()
        self._snapshots.look(self.pool)
        if (self._inbox or self._held_back) and not self._pace.is_holding(self._inbox.contacts):
            self._wake.set()
        if stage.records:
            began_s = monotonic()
            try:
                await self._append(stage)
            except JournalFull:
                await self._roll_back(stage)
                return
            self.counters.synced(len(stage.records), monotonic() - began_s)
        self._flight = None
        self._settle(stage)
        self._snapshots.begin()
        self._note_idle()

    async def _append(self, stage: Stage) -> None:
        """Returns once it is in the journal, however long its store is away."""
        append = partial(self.journal.append, stage.first, stage.batch())
        _, away_s = await self.outage.through(append, partial(self._turn_away, stage))
        if away_s >= OUTAGE_LEAST_S:
            unwatched(self._inbox.put(opened_again(self.pool, self.clock)).join())
        if away_s:
            self._wake.set()

    def _turn_away(self, stage: Stage) -> None:
        """The store is away. What was executed stays: its effect is unknown to those who wait."""
        refusal = self.outage.refusal()
        for executed in (stage, self._stage):
            executed.let_down(refusal)
        self._give_up(self._inbox.take_all(), refusal)

    def _leave_stage(self) -> Stage:
        """Returns the stage, closed, and begins the next."""
        stage = self._stage
        self._execution.close(stage)
        if stage.records:
            at_ms, coming = stage.records[-1].at_ms, len(stage.requests)
            stage.forget_through = self._known.due_through(at_ms, coming)
        self._stage = Stage(self.pool.position)
        return stage

    def _settle(self, stage: Stage) -> None:
        """Lets all of a synced stage go."""
        self._known.add(stage.requests)
        if stage.forget_through:
            self._known.forget_through(stage.forget_through)
        for entry in stage.succeeded:
            self._inbox.leave(entry)
            entry.succeed()
        for entry, error in stage.failed:
            self._inbox.leave(entry)
            entry.fail(error)
        if stage.published is not None:
            self.feed.publish(stage.published)
        stage.release(synced=True)

    async def _roll_back(self, stage: Stage) -> None:
        """The disk is full: nothing of this stage and of what was executed on it has happened."""
        self.counters.journal_full += 1
        logger().error("journal_full", position=stage.first, records=len(stage.records))
        restoring = self._restoring = Stage(stage.first)
        restoring.readers = stage.readers + self._stage.readers
        self._shortage.begin()
        entries = [*stage.entries(), *self._stage.entries(), *self._inbox.take_all()]
        self._give_up(entries, self._shortage.refusal())
        self._flight = None
        self._snapshots.drop()
        load = partial(load_pool, self.journal)
        loaded, _ = await self.outage.through(load, partial(restoring.release, synced=False))
        self._execution = Execution(loaded.pool, loaded.private, self.counters)
        self._known.replace(loaded.requests)
        self._stage = Stage(loaded.pool.position)
        self._restoring = None
        restoring.release(synced=False)
        self.wake()

    def _give_up(self, entries: list[Entry], error: Exception) -> None:
        for entry in entries:
            self._inbox.leave(entry)
            entry.fail(error)

    # stopping

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Stops for good: nobody knows what the journal, or the pool, holds now."""
        if self.failed.is_set():
            return
        self.failed.set()
        reason = str(error) if isinstance(error, JournalError) else None  # holds nothing personal
        logger().critical("pool_failed", position=self.feed.position, reason=reason, **told(error))
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._let_down(PoolUnavailable("the pool has stopped"))
        self.feed.close()
        self._idle.set()
        if self._on_fatal is not None:
            self._on_fatal(error)

    def _let_down(self, error: PoolUnavailable) -> None:
        """Gives all that waits an end: entries get the error, reads look again and find it."""
        self._stopped = True
        for stage in (self._flight, self._stage, self._restoring):
            if stage is not None:
                stage.let_down(error)
        for entry in (*self._in_hand, *self._inbox.take_all()):
            entry.fail(error)
        self._in_hand, self._flight, self._stage = [], None, Stage(self.feed.position)

    def _note_idle(self) -> None:
        if not self._inbox and self._stage.empty and self._flight is None:
            self._idle.set()
        else:
            self._idle.clear()

    async def _stop(self) -> None:
        self._alarm.off()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._snapshots.cancel()
