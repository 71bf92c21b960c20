"""Lookouts: who keeps an eye on a branch, for all who watch it.

    batch touches the branch -> bell -> one look, read once synced -> the watches it is news for

However many boards, desks and phones watch a branch, a batch costs one look. The more have to be
told, the longer until the next: telling must not take the time that calls need. It must not know
messages or gRPC.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from usher.queue.branches import BranchName, DeskId
from usher.queue.values import ContactId
from usher.router.pool import Pool
from usher.router.service.branch_look import BranchLook, Wanted, look_at
from usher.router.service.runner import Runner
from usher.router.service.unavailable import NotServed

AT_ONCE: Final = 16
"""So many are woken together; between them calls have their turn."""
PAUSE_S: Final = 0.02
PAUSE_PER_TOLD_S: Final = 0.0003
"""About three times what it takes to tell one watch."""
LOOK_AGAIN_S: Final = 5.0
"""Looked at also without a batch: what depends on the clock moves on."""


class Viewer(Protocol):
    """Who watches a branch."""

    branch: BranchName
    ticket_id: ContactId | None
    desk_id: DeskId | None

    def see(self, look: BranchLook) -> bool:
        """Takes notice of a look; returns whether there is something to tell now."""
        ...

    def wake(self) -> None:
        """Tells what there is to tell, soon."""
        ...


class Lookout:
    """Looks at one branch. `latest` is synced; `over`: there will be no further look."""

    def __init__(self, runner: Runner, branch: BranchName) -> None:
        self.latest: BranchLook | None = None
        self.over = False
        self.failure: Exception | None = None
        self._runner = runner
        self._branch = branch
        self._viewers: dict[Viewer, None] = {}
        self._before: tuple[Pool, BranchLook] | None = None
        self._looks = self._latest_look = 0
        self._heard_position = 0
        self._told = 0  # watches that told something since the last pause
        self._bell = runner.feed.hang_up(branch)
        self._task = asyncio.create_task(self._keep())

    @property
    def position(self) -> int:
        """Returns up to where nothing has changed since the latest look, as far as is told."""
        latest = 0 if self.latest is None else self.latest.position
        if self._bell.rung or latest < self._heard_position:
            return latest
        return max(latest, self._runner.feed.position)

    async def look(self, check: Callable[[Pool], object] | None = None) -> BranchLook:
        """Returns the branch as it is now, once synced; raises what `check` of the pool refuses."""

        def see(pool: Pool) -> tuple[int, BranchLook]:
            if check is not None:
                check(pool)
            return self._see(pool)

        self._take(*await self._runner.read(see))
        assert self.latest is not None
        return self.latest

    def join(self, viewer: Viewer) -> None:
        """One more watches."""
        self._viewers[viewer] = None

    def leave(self, viewer: Viewer) -> bool:
        """One less watches; returns whether nobody does: then it has ended."""
        del self._viewers[viewer]
        if self._viewers:
            return False
        self._bell.close()
        self._task.cancel()
        return True

    def _see(self, pool: Pool) -> tuple[int, BranchLook]:
        before = self._before
        wanted = Wanted(
            tickets={one.ticket_id for one in self._viewers if one.ticket_id is not None},
            desks={one.desk_id for one in self._viewers if one.desk_id is not None},
            private=self._runner.private,
        )
        known = before[1] if before is not None and before[0] is pool else None
        look = look_at(pool, self._branch, wanted, known)
        self._before = pool, look
        self._looks += 1
        return self._looks, look

    def _take(self, number: int, look: BranchLook) -> None:
        """Takes a synced look, unless a later one came before it, and wakes whom it concerns."""
        if number < self._latest_look:
            return
        self._latest_look, self.latest = number, look
        concerned = [viewer for viewer in self._viewers if viewer.see(look)]
        self._told += len(concerned)
        concerned.sort(key=lambda viewer: viewer.ticket_id is not None)  # all that is shown first
        self._wake(concerned)

    def _wake(self, viewers: list[Viewer]) -> None:
        for viewer in viewers[:AT_ONCE]:
            viewer.wake()
        if len(viewers) > AT_ONCE:
            asyncio.get_running_loop().call_soon(self._wake, viewers[AT_ONCE:])

    async def _keep(self) -> None:
        try:
            while not self._bell.closed:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        await self._bell.heard()
                    self._heard_position = self._runner.feed.position
                with suppress(NotServed):  # the journal's store is away: the next bell, or later
                    await self.look()
                pause_s, self._told = PAUSE_S + PAUSE_PER_TOLD_S * self._told, 0
                await asyncio.sleep(pause_s)
            self._look_a_last_time()
        except Exception as error:
            self.failure = error
        self.over = True
        for viewer in self._viewers:
            viewer.wake()

    def _look_a_last_time(self) -> None:
        """The pool has stopped: what was executed may be seen if all of it is synced."""
        pool = self._runner.pool
        if pool.position == self._runner.feed.position:
            self._take(*self._see(pool))


class Lookouts:
    """The lookouts of one pool: one for each branch that somebody watches."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._by_branch: dict[BranchName, Lookout] = {}

    @contextmanager
    def followed(self, viewer: Viewer) -> Iterator[Lookout]:
        """Gives the lookout of the viewer's branch while it is open; raises WatchesFull."""
        feed, branch = self._runner.feed, viewer.branch
        feed.admit()
        lookout = self._by_branch.get(branch)
        if lookout is None or lookout.over:
            lookout = self._by_branch[branch] = Lookout(self._runner, branch)
        lookout.join(viewer)
        try:
            yield lookout
        finally:
            feed.leave()
            if lookout.leave(viewer) and self._by_branch.get(branch) is lookout:
                del self._by_branch[branch]
