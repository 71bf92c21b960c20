"""Plays a branch beside the contacts of a demo: visitors who come and leave, clerks who call them.

    visitor   join --- patience ends ---> leave
    clerk     call -> (recall, no-show) -> start -> finish, transfer, return

Both use the typed client, as a kiosk and a desk do. A clerk calls when nothing else keeps it busy
and the board shows that somebody waits; chats and calls to the same clerk are played by the drive.
What crosses a decision of the server is counted in `races`. It must not know how it is shown.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from usher.queue.tickets import TicketState
from usher.router.client import BranchDesk, Ticket, Usher, WrongState
from usher.router.client.pictures import BoardPicture
from usher.router.client.walk_in_results import Branch
from usher.router.trials.demo_visits import (
    BRANCH,
    BranchPlan,
    Clerk,
    Ending,
    PlannedVisit,
    Stop,
)
from usher.router.trials.driver import Drive
from usher.v1 import leg_pb2

LEASE = timedelta(days=1)  # by the server's clock, which runs fast
ASK_EVERY_S = 1.0

Result = TypeVar("Result")


class BranchDay:
    """The branch of one run; see `driver.Beside`."""

    def __init__(self, plan: BranchPlan, usher: Usher) -> None:
        self.plan = plan
        self.picture = BoardPicture()
        """What the board shows."""
        self.offer: Branch | None = None
        """What the kiosk shows."""
        self.joined: dict[str, Ticket] = {}
        """Tickets as they were when they were drawn."""
        self.shown_after_ms: list[float] = []
        """Real time from a call being sent to its standing on the board."""
        self.races: Counter[str] = Counter()
        self._usher = usher
        self._kiosk = usher.kiosk(BRANCH)
        self._visits = {visit.ticket_id: visit for visit in plan.visits}
        self._open = set(self._visits)
        self._called: set[str] = set()
        self._stops: Counter[str] = Counter()
        self._asked_s: dict[str, float] = {}
        self._without_ticket: deque[PlannedVisit] = deque()
        self._tried: dict[str, int] = {}
        self._at_work: set[str] = set()
        self._closing = False
        self._news = asyncio.Event()
        self._drive: Drive

    # --- beside a drive --------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether all visits have ended."""
        return not self._open

    def begin(self, drive: Drive) -> None:
        """Puts the day into the agenda."""
        self._drive = drive
        drive.agenda.soon(self._follow_board)
        drive.agenda.soon(self._ask_services)
        for clerk in self.plan.clerks:
            drive.agenda.at(drive.began_ms + clerk.from_ms, partial(self._work, clerk))
        for visit in self.plan.visits:
            drive.agenda.at(drive.began_ms + visit.arrive_ms, partial(self._visit, visit))

    def moved(self) -> None:
        """Legs have changed."""
        self._news.set()

    def ended(self, contact_id: str) -> None:
        """A contact has ended."""
        self._open.discard(contact_id)
        self._news.set()

    async def close(self) -> None:
        """Returns when all clerks have closed their desks."""
        self._closing = True
        self._news.set()
        await self._until(lambda: not self._at_work)

    async def tickets(self) -> list[Ticket]:
        """All tickets as the server has them now."""
        return [await self._usher.get_ticket(ticket_id) for ticket_id in self._visits]

    # --- visitors --------------------------------------------------------------------------------

    async def _visit(self, visit: PlannedVisit) -> None:
        if not visit.has_ticket:
            self._without_ticket.append(visit)
            self._news.set()
            return
        arrived_ms = self._drive.clock.now_ms()
        ticket = await self._kiosk.join(
            visit.service, join_id=visit.ticket_id, attributes=visit.attributes
        )
        self.joined[visit.ticket_id] = ticket
        await self._sleep_until(arrived_ms + visit.patience_ms)
        if visit.ticket_id not in self._called:
            await self._attempt("LeaveLine", self._kiosk.leave(ticket))

    async def _follow_board(self) -> None:
        async for picture in self._usher.board(BRANCH):
            self.picture = picture
            for row in picture.rows:
                asked_s = self._asked_s.pop(row.number, None)
                if asked_s is not None and row.state is TicketState.CALLED:
                    self.shown_after_ms.append(1000 * (time.monotonic() - asked_s))
            self._news.set()

    async def _ask_services(self) -> None:
        while True:
            self.offer = await self._kiosk.services()
            await asyncio.sleep(ASK_EVERY_S)

    # --- clerks ----------------------------------------------------------------------------------

    async def _work(self, clerk: Clerk) -> None:
        self._at_work.add(clerk.agent_id)
        opening = self._usher.branch_desk(BRANCH, clerk.desk, agent_id=clerk.agent_id, lease=LEASE)
        async with opening as desk:
            while not self._closing:
                if self._may_call(clerk):
                    await self._call(clerk, desk)
                else:
                    await self._next_news()
        self._at_work.discard(clerk.agent_id)
        self._news.set()

    def _may_call(self, clerk: Clerk) -> bool:
        """Whether the clerk has no other work, and somebody waits whom it has not asked for."""
        if self._is_busy(clerk):
            return False
        news = self.picture.position > self._tried.get(clerk.desk, -1)
        return bool(self._without_ticket) or (news and any(self.picture.waiting.values()))

    def _is_busy(self, clerk: Clerk) -> bool:
        return any(
            leg.agent_id == clerk.agent_id and leg.state != leg_pb2.LEG_STATE_OFFERED
            for leg in self._drive.observed.legs.values()
        )

    async def _call(self, clerk: Clerk, desk: BranchDesk) -> None:
        if self._without_ticket:
            visit = self._without_ticket.popleft()
            await desk.serve_without_ticket(visit.service, join_id=visit.ticket_id)
            await self._serve(desk, visit)
            return
        self._tried[clerk.desk] = self.picture.position
        asked_s = time.monotonic()
        try:
            ticket = await desk.call_next()
        except WrongState as refusal:  # a chat or call has come in between
            self._note("CallNext", refusal)
            self._tried.pop(clerk.desk)
            await self._next_news()
            return
        if ticket is not None:
            self._asked_s[ticket.number] = asked_s
            self._called.add(ticket.ticket_id)
            visit = self._visits[ticket.ticket_id]
            if await self._comes(clerk, desk, visit):
                await self._serve(desk, visit)

    async def _comes(self, clerk: Clerk, desk: BranchDesk, visit: PlannedVisit) -> bool:
        """Waits for the visitor and returns whether there is one."""
        if visit.stops:
            await self._sleep(visit.walk_ms)
            return await self._attempt("StartServing", desk.start())
        grace_ms = self.plan.branches.branches[0].grace_ms or 0
        await self._sleep(grace_ms / 2)
        await self._attempt("RecallTicket", desk.recall())
        if visit.is_marked:
            await self._sleep(grace_ms / 2)
            await self._attempt("MarkNoShow", desk.no_show())
        else:  # the server ends it when the grace is over
            await self._until(lambda: visit.ticket_id not in self._open)
        return False

    async def _serve(self, desk: BranchDesk, visit: PlannedVisit) -> None:
        stop = visit.stops[self._stops[visit.ticket_id]]
        self._stops[visit.ticket_id] += 1
        await self._sleep(stop.handle_ms)
        await self._attempt(stop.ending.name.title(), self._sent_on(desk, visit, stop))

    def _sent_on(self, desk: BranchDesk, visit: PlannedVisit, stop: Stop) -> Awaitable[Ticket]:
        match stop.ending:
            case Ending.FINISH:
                return desk.finish(visit.outcome)
            case Ending.TRANSFER:
                return desk.transfer(visit.other_service)
            case Ending.RETURN:
                return desk.return_(last=True, reason="form")

    # --- time and news ---------------------------------------------------------------------------

    async def _sleep(self, span_ms: float) -> None:
        await self._sleep_until(self._drive.clock.now_ms() + span_ms)

    async def _sleep_until(self, at_ms: float) -> None:
        await asyncio.sleep(self._drive.clock.seconds_until(at_ms))

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            await self._next_news()

    async def _next_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _attempt(self, name: str, call: Awaitable[Result]) -> bool:
        """Returns whether the server took it; a race that was lost is counted."""
        try:
            await call
        except WrongState as refusal:
            self._note(name, refusal)
            return False
        return True

    def _note(self, name: str, refusal: WrongState) -> None:
        self.races[f"{name}: {refusal.reason}"] += 1
