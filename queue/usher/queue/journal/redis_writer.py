"""The task that writes a journal on Redis: one connection, jobs in order, appends in groups.

    jobs -> a run of appends in one go -> replies in order -> outcomes       nothing to do: a beat
               │ connection lost                                             (am I still the owner?)
               └── connect again, send what has no reply once more ── fails ──> JournalUnavailable

An append may be sent twice: the script knows the one it has written. Callers only wait for futures,
so one that is cancelled leaves the connection as it was. It must not know what a batch holds.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any, Final

from usher.queue.journal.contract import (
    Batch,
    JournalBroken,
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalTaken,
    JournalUnavailable,
    PositionConflict,
)
from usher.queue.journal.redis_link import Link
from usher.queue.journal.redis_owner import Owner, connected_again, release
from usher.queue.journal.redis_rows import Command, Head, append_words, listed, number, text

GROUP_MOST: Final = 64  # appends that are sent together
BEAT_S: Final = 1.0
SYNCS_TIMED: Final = 500
STOP_S: Final = 3.0


class Append:
    """A queued append."""

    __slots__ = ("after", "batch", "command", "expected_position", "future")

    def __init__(self, future: asyncio.Future[None], expected_position: int, batch: Batch) -> None:
        self.future = future
        self.expected_position = expected_position
        self.batch = batch
        self.command: Command = ()
        self.after: Head = (0, b"")


class Call:
    """Other queued commands of the owner, all or none; the future gets the last one's reply."""

    __slots__ = ("commands", "future")

    def __init__(self, future: asyncio.Future[object], commands: Sequence[Command]) -> None:
        self.future = future
        self.commands = commands


Job = Append | Call


class Writer:
    """Does the jobs one after the other. `head`: of the last acknowledged append."""

    def __init__(
        self, owner: Owner, link: Link, head: Head, appended: Callable[[Batch], None]
    ) -> None:
        """`appended` is told of each append, in order, before its caller goes on."""
        self.head = head
        self.refusal: JournalError | None = None  # taken or broken: said to every later call
        self.sync_times_ms: deque[float] = deque(maxlen=SYNCS_TIMED)
        self.listener: Callable[[JournalError | None], None] | None = None
        self._owner = owner
        self._link: Link | None = link
        self._appended = appended
        self._away = False
        self._jobs: deque[Job | None] = deque()
        self._wake = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def put(self, job: Job) -> None:
        """Queue a job."""
        self._jobs.append(job)
        self._wake.set()

    async def stop(self) -> None:
        """Do what is queued, say that the owner goes, close the connection.

        A Redis that does not answer is not waited for: what is queued then has no outcome.
        """
        self._jobs.append(None)
        self._wake.set()
        _, running = await asyncio.wait([self._task], timeout=STOP_S)
        if running:
            self._task.cancel()
            await asyncio.wait([self._task])
            await self._drop_link()
            self._fail_queued()

    def _fail_queued(self) -> None:
        nothing_known = JournalUnavailable(f"{self._owner.place}: closed before it answered")
        for job in self._jobs:
            if job is not None:
                _fail(job.future, self.refusal or nothing_known)
        self._jobs.clear()

    # --- the task --------------------------------------------------------------------------

    async def _run(self) -> None:
        running = True
        while running:
            group: list[Append] = []
            call: Call | None = None
            while self._jobs and call is None and running and len(group) < GROUP_MOST:
                job = self._jobs.popleft()
                if isinstance(job, Append):
                    group.append(job)
                elif job is None:
                    running = False
                else:
                    call = job
            await self._work(group, call)
            if running and not self._jobs:
                await self._rest()
        await self._leave()

    async def _work(self, group: list[Append], call: Call | None) -> None:
        """Append all of a group, then make the call; whatever happens, each gets its outcome."""
        try:
            if group:
                await self._append_all(group)
            if call is not None:
                await self._call(call)
        except Exception as error:  # edge of the task: whatever it is, the callers must learn it
            self._break(error)
        finally:
            nothing_known = JournalUnavailable(f"{self._owner.place}: cut short")
            for job in (*group, call):
                if job is not None:
                    _fail(job.future, self.refusal or nothing_known)

    async def _rest(self) -> None:
        """Wait for a job; every BEAT_S without one see whether all is well."""
        self._wake.clear()
        try:
            async with asyncio.timeout(BEAT_S):
                await self._wake.wait()
        except TimeoutError:
            if self.refusal is None:
                await self._beat()

    async def _leave(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        if self.refusal is None:
            with suppress(JournalError):  # who comes next finds out by itself
                await release(self._owner, link)
        await link.drop()

    # --- appends ---------------------------------------------------------------------------

    async def _append_all(self, group: list[Append]) -> None:
        """Settle all; what got no reply is sent a second time over a new connection."""
        waiting = self._prepared(group)
        failure: JournalError | None = None
        lost: JournalUnavailable | None = None
        for _ in range(2):
            try:
                failure = await self._exchange(waiting)
                break
            except JournalUnavailable as error:
                await self._drop_link()
                failure = lost = error
        if lost is not None and isinstance(failure, JournalFull):
            failure = lost  # what was sent first may have been written, or still arrive
        if isinstance(failure, JournalUnavailable):
            self._tell_away(failure)
        elif not isinstance(failure, JournalFull | None):
            raise failure
        if failure is not None:
            self._give_up(waiting, failure)

    def _give_up(self, waiting: deque[Append], failure: JournalError) -> None:
        """Fail what was not written, and what is queued behind it: that was executed on it."""
        behind = [job for job in self._jobs if isinstance(job, Append)]
        self._jobs = deque(job for job in self._jobs if not isinstance(job, Append))
        for job in (*waiting, *behind):
            _fail(job.future, failure)

    def _prepared(self, group: list[Append]) -> deque[Append]:
        """Return those that fit together after the head; the others are refused."""
        head = self.head
        waiting: deque[Append] = deque()
        for job in group:
            if job.expected_position != head[0]:
                _fail(job.future, PositionConflict(job.expected_position, head[0]))
                continue
            head, words = append_words(head, job.batch)
            job.after, job.command = head, self._owner.append_command(words)
            waiting.append(job)
        return waiting

    async def _exchange(self, waiting: deque[Append]) -> JournalError | None:
        """Send all that wait and take those out that are done; return why the rest is not."""
        if not waiting:
            return None
        link = await self._linked()
        started_s = perf_counter()
        await link.send([job.command for job in waiting])
        failure: JournalError | None = None
        for job in tuple(waiting):
            try:
                reply = await link.receive()
            except JournalFull as error:
                failure = failure or error
                continue
            if failure is None:  # else it was executed on one that was not written
                self._settle(job, reply)
                waiting.popleft()
        if failure is None:
            self.sync_times_ms.append((perf_counter() - started_s) * 1000)
        return failure

    def _settle(self, job: Append, reply: object) -> None:
        said, *rest = listed(reply)
        if said == b"conflict":
            raise self._lost_its_end(number(text(rest[0])))
        if said != b"done":
            raise self._owner.over(said, rest)
        self.head = job.after
        self._appended(job.batch)
        if not job.future.done():  # else its caller was cancelled
            job.future.set_result(None)

    def _lost_its_end(self, position: int) -> JournalBroken:
        """Only the owner writes, and it knows where it was: Redis has lost something."""
        return JournalBroken(
            f"{self._owner.place} ends at position {position}, and {self.head[0]} was acknowledged:"
            " Redis came back without its last appends"
        )

    # --- calls and beats -------------------------------------------------------------------

    async def _call(self, call: Call) -> None:
        try:
            reply = await self._owned(*call.commands)
        except JournalUnavailable as error:
            await self._drop_link()
            self._tell_away(error)
            _fail(call.future, error)
        except JournalFull as error:
            _fail(call.future, error)
        else:
            if not call.future.done():
                call.future.set_result(reply)

    async def _beat(self) -> None:
        """See that Redis is there and this server still the owner, and be seen."""
        try:
            try:
                await self._owned()
            except JournalUnavailable:
                await self._drop_link()
                await self._owned()
        except JournalUnavailable as error:
            await self._drop_link()
            self._tell_away(error)
        except Exception as error:  # edge of the task
            self._break(error)

    async def _owned(self, *commands: Command) -> object:
        link = await self._linked()
        return self._owner.done(await link.call(*self._owner.owned_command(*commands)))

    # --- the connection --------------------------------------------------------------------

    async def _linked(self) -> Link:
        """Return the link, a new one if there is none. Raises JournalUnavailable.

        A new one leads to a Redis that has all that was acknowledged, else JournalBroken is raised.
        """
        if self.refusal is not None:
            raise self.refusal.with_traceback(None)
        if self._link is None:
            try:
                self._link, end = await connected_again(self._owner)
            except (JournalUnavailable, JournalTaken, JournalBroken, JournalCorrupt):
                raise
            except JournalError as error:  # a password or a permission that was changed, say
                raise JournalUnavailable(str(error)) from None
            # Beyond the head there may be an append whose reply was lost.
            if end[0] <= self.head[0] and end != self.head:
                raise self._lost_its_end(end[0])
        if self._away:
            self._away = False
            self._tell(None)
        return self._link

    async def _drop_link(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.drop()

    def _tell_away(self, error: JournalUnavailable) -> None:
        if not self._away:
            self._away = True
            self._tell(error)

    def _break(self, error: Exception) -> None:
        """The journal is over: all later calls are told so."""
        if self.refusal is not None:
            return
        known = isinstance(error, JournalTaken | JournalBroken)
        self.refusal = error if known else JournalBroken(f"{type(error).__name__}: {error}")  # type: ignore[assignment]
        self._tell(self.refusal)

    def _tell(self, news: JournalError | None) -> None:
        if self.listener is not None:
            self.listener(news)


def _fail(future: "asyncio.Future[Any]", error: JournalError) -> None:
    if not future.done():
        future.set_exception(error)
