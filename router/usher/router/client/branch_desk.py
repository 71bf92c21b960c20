"""A clerk's desk at a branch: call, serve, finish.

    async with usher.branch_desk("north", "1", agent_id="anna") as desk:
        if ticket := await desk.call_next():
            await desk.start()
            await desk.finish()

Beside visitors the clerk may be offered chats and calls, which `offers` of every desk yields. It
must not know gRPC.
"""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing, suppress
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from usher.queue.tickets import Place, TicketState, VisitOutcome
from usher.queue.values import Channel, LegState, Presence
from usher.router.client.desk import Desk, DeskCalls
from usher.router.client.errors import NotFound, UsherError, WrongState
from usher.router.client.kiosk import id_of
from usher.router.client.pictures import DeskKeeper, DeskPicture, pictures
from usher.router.client.results import Leg
from usher.router.client.walk_in_results import DeskStep, Ticket

GONE_FROM_DESK: Final = frozenset({"TICKET_ENDED", "TICKET_AT_ANOTHER_DESK", "TICKET_NOT_FOUND"})
AT_DESK: Final = (LegState.JOINING, LegState.ACTIVE, LegState.HELD)


class BranchDesk(Desk):
    """A desk of a branch with its clerk. Made by `Usher.branch_desk`.

    `ticket`: the one that was last called here or is served, None when the desk is done with it.
    """

    ticket: Ticket | None = None

    def __init__(
        self,
        usher: DeskCalls,
        place: tuple[str, str],
        agent_id: str,
        presence: Presence,
        lease: timedelta | None,
    ) -> None:
        super().__init__(usher, agent_id, presence, lease)
        self.branch, self.name = place

    async def __aenter__(self) -> Self:
        """Signs in and opens the desk; takes over the visitor whom an earlier session left."""
        await super().__aenter__()
        try:
            await self.usher.open_desk(
                self.branch, self.name, self.agent_id, session=self.session.number
            )
            if any(_is_visit(leg) and leg.state in AT_DESK for leg in self.session.legs):
                self.ticket = await self._ticket_here()
        except BaseException:
            await super().__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the desk and signs out. With a visitor there the clerk drains instead."""
        try:
            with suppress(WrongState, NotFound):
                await self.usher.close_desk(self.branch, self.name, session=self.session.number)
        finally:
            await super().__aexit__(kind, error, trace)

    async def call_next(self) -> Ticket | None:
        """Calls who comes next for this desk; None = nobody waits whom it may serve."""
        found = await self.usher.call_next(self.branch, self.name, session=self.session.number)
        self.ticket = found or self.ticket
        return found

    async def call(self, ticket: Ticket | str) -> Ticket:
        """Calls this ticket."""
        self.ticket = await self.usher.call_ticket(
            self.branch, self.name, id_of(ticket), session=self.session.number
        )
        return self.ticket

    async def recall(self) -> Ticket:
        """Calls the called ticket once more."""
        here = self._here()
        return await self._kept(
            here[2], self.usher.recall_ticket(*here, session=self.session.number)
        )

    async def start(self, ticket: Ticket | str | None = None) -> Ticket:
        """A fact: the visitor is here; with `ticket` one who came without being called here."""
        ticket_id = self._here()[2] if ticket is None else id_of(ticket)
        return await self._kept(
            ticket_id,
            self.usher.start_serving(
                self.branch, self.name, ticket_id, session=self.session.number
            ),
        )

    async def finish(
        self,
        outcome: VisitOutcome = VisitOutcome.SERVED,
        *,
        disposition: str = "",
        resolved: bool | None = None,
    ) -> Ticket:
        """The visit is over: served, unresolved or referred."""
        return await self._done(
            self.usher.finish_serving(
                *self._here(),
                outcome=outcome,
                disposition=disposition,
                resolved=resolved,
                session=self.session.number,
            )
        )

    async def finish_wrap_up(self) -> None:
        """The after-work of visits is done, where the policy gives time for some."""
        agent = await self.usher.get_agent(self.agent_id)
        for leg in agent.legs:
            if _is_visit(leg) and leg.state is LegState.WRAPPING:
                await self.usher.finish_wrap_up(
                    self.agent_id, leg.leg_id, session=self.session.number
                )

    async def no_show(self) -> Ticket:
        """The called visitor did not come; by itself it happens when the grace is over."""
        return await self._done(self.usher.mark_no_show(*self._here(), session=self.session.number))

    async def return_(self, *, last: bool = False, reason: str = "") -> Ticket:
        """The ticket goes back to its line: before all who wait there, or behind them."""
        return await self._done(
            self.usher.return_ticket(
                *self._here(),
                place=Place.LAST if last else Place.FIRST,
                reason=reason,
                session=self.session.number,
            )
        )

    async def transfer(self, service: str, *, reason: str = "") -> Ticket:
        """The visitor goes on to wait for another service, with the time waited so far."""
        return await self._done(
            self.usher.transfer_ticket(
                *self._here(), service, reason=reason, session=self.session.number
            )
        )

    async def serve_without_ticket(
        self, service: str, *, join_id: str = "", party_size: int = 1, customer_id: str = ""
    ) -> Ticket:
        """A fact: a visitor without a ticket is served here."""
        self.ticket = await self.usher.serve_without_ticket(
            self.branch,
            self.name,
            service,
            join_id=join_id,
            party_size=party_size,
            customer_id=customer_id,
            session=self.session.number,
        )
        return self.ticket

    async def watch(self) -> AsyncGenerator[DeskPicture, None]:
        """Yields who sits here, the visitor with attributes, and who waits; resumes by itself."""
        async with aclosing(pictures(self._watch, DeskKeeper().take_in)) as shown:
            async for picture in shown:
                yield picture

    def _watch(self) -> AsyncGenerator[DeskStep, None]:
        return self.usher.watch_desk(self.branch, self.name)

    async def _ticket_here(self) -> Ticket | None:
        async with aclosing(self.watch()) as shown:
            picture = await anext(shown)
        return picture.tickets[0] if picture.tickets else None

    def _here(self) -> tuple[str, str, str]:
        """Returns branch, desk and ticket; raises WrongState without a ticket."""
        if self.ticket is None:
            raise WrongState(f"no ticket was called to desk {self.branch}/{self.name}", "NO_TICKET")
        return self.branch, self.name, self.ticket.ticket_id

    async def _kept(self, ticket_id: str, call: Awaitable[Ticket]) -> Ticket:
        """Returns the ticket after a call that leaves it at the desk.

        Refused, only that ticket may be forgotten: the desk's own one is perhaps another.
        """
        try:
            self.ticket = await call
        except UsherError as error:
            if self.ticket is not None and self.ticket.ticket_id == ticket_id:
                self._forget_if_gone(error)
            raise
        return self.ticket

    async def _done(self, call: Awaitable[Ticket]) -> Ticket:
        """Returns the ticket after a call by which the desk is done with it."""
        ticket = await self._kept(self._here()[2], call)
        self.ticket = None
        return ticket

    def _forget_if_gone(self, error: UsherError) -> None:
        """The grace was over, the visitor left, or somebody else moved the ticket."""
        if error.reason in GONE_FROM_DESK or error.facts.get("state") == TicketState.WAITING.value:
            self.ticket = None

    def _is_offered(self, leg: Leg) -> bool:
        return not _is_visit(leg)


def _is_visit(leg: Leg) -> bool:
    return leg.channel == Channel.WALK_IN
