"""What kiosks, desks and boards of a branch do. `kiosk`, `branch_desk` and `pictures` build on it.

A desk's calls give the session of the agent who sits there; a platform that speaks for the agent
leaves it 0.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, TypedDict, Unpack

from usher.queue.tickets import Place, TicketState, VisitOutcome
from usher.router.client import walk_in_results as results
from usher.router.client.calls import PoolCalls, new_request_id
from usher.router.client.requests import Urgency, time_message, urgency_message
from usher.router.service.wire import choices
from usher.v1 import walk_in_service_pb2 as pb
from usher.v1.walk_in_service_pb2_grpc import WalkInServiceStub


class JoinOptions(TypedDict, total=False):
    """What may be told of a visitor beside the service; walk_in_service.proto says what each means.

    `kiosk_time`: when the visitor asked, by the kiosk's clock, aware. `attributes` are private:
    they come back at the desk and stand in no journal, log or board.
    """

    languages: Sequence[str]
    needs: Sequence[str]
    party_size: int
    kiosk_time: datetime
    customer_id: str
    journey_id: str
    urgency: Urgency
    attributes: dict[str, str]


class WalkInCalls(PoolCalls):
    """WalkInService. Every method raises UsherError; `request_id` is made where it is not given."""

    _walk_ins: WalkInServiceStub

    async def services(self, branch: str) -> results.Branch:
        """Returns what a branch offers, whether it is open, and how long one would wait."""
        request = pb.ListServicesRequest(pool=self._pool, branch=branch)
        return results.branch_of(await self._caller.call(self._walk_ins.ListServices, request))

    async def join_line(
        self,
        branch: str,
        service: str,
        *,
        join_id: str = "",
        request_id: str = "",
        **options: Unpack[JoinOptions],
    ) -> results.Ticket:
        """Draws a ticket; the same `join_id` gives the same ticket, whenever it comes again."""
        kiosk_time, urgency = options.get("kiosk_time"), options.get("urgency")
        request = pb.JoinLineRequest(
            join_id=join_id or new_request_id(),
            branch=branch,
            service=service,
            languages=options.get("languages", ()),
            needs=options.get("needs", ()),
            party_size=options.get("party_size", 1),
            kiosk_time=None if kiosk_time is None else time_message(kiosk_time),
            customer_id=options.get("customer_id", ""),
            journey_id=options.get("journey_id", ""),
            urgency=None if urgency is None else urgency_message(urgency),
            attributes=options.get("attributes", {}),
        )
        reply = await self._command(self._walk_ins.JoinLine, request, request_id)
        return results.ticket_of(reply.ticket, reply.standing, reply.position)

    async def get_ticket(self, ticket_id: str) -> results.Ticket:
        """Returns one ticket with its place and wait."""
        request = pb.GetTicketRequest(pool=self._pool, ticket_id=ticket_id)
        reply = await self._caller.call(self._walk_ins.GetTicket, request)
        return results.ticket_of(reply.ticket, reply.standing, reply.position)

    async def leave_line(self, ticket_id: str, *, request_id: str = "") -> int:
        """The visitor gives the ticket up; returns the position."""
        request = pb.LeaveLineRequest(ticket_id=ticket_id)
        reply = await self._command(self._walk_ins.LeaveLine, request, request_id)
        return int(reply.position)

    async def open_desk(
        self, branch: str, desk: str, agent_id: str, *, session: int = 0, request_id: str = ""
    ) -> int:
        """An agent who is signed in sits down at a desk; returns the position."""
        request = pb.OpenDeskRequest(branch=branch, desk=desk, agent_id=agent_id, session=session)
        reply = await self._command(self._walk_ins.OpenDesk, request, request_id)
        return int(reply.position)

    async def close_desk(
        self, branch: str, desk: str, *, session: int = 0, request_id: str = ""
    ) -> int:
        """The agent leaves the desk, not with a visitor there; returns the position."""
        request = pb.CloseDeskRequest(branch=branch, desk=desk, session=session)
        reply = await self._command(self._walk_ins.CloseDesk, request, request_id)
        return int(reply.position)

    async def call_next(
        self, branch: str, desk: str, *, session: int = 0, request_id: str = ""
    ) -> results.Ticket | None:
        """Calls the ticket that comes next for this desk; None = nobody waits that it may serve."""
        request = pb.CallNextRequest(branch=branch, desk=desk, session=session)
        reply = await self._command(self._walk_ins.CallNext, request, request_id)
        if not reply.HasField("ticket"):
            return None
        return results.ticket_of(reply.ticket, None, reply.position)

    async def call_ticket(
        self, branch: str, desk: str, ticket_id: str, *, session: int = 0, request_id: str = ""
    ) -> results.Ticket:
        """Calls this ticket."""
        request = pb.CallTicketRequest(
            branch=branch, desk=desk, session=session, ticket_id=ticket_id
        )
        return await self._at_desk(self._walk_ins.CallTicket, request, request_id)

    async def recall_ticket(
        self, branch: str, desk: str, ticket_id: str, *, session: int = 0, request_id: str = ""
    ) -> results.Ticket:
        """Calls the called ticket once more; the time to come begins anew."""
        request = pb.RecallTicketRequest(
            branch=branch, desk=desk, session=session, ticket_id=ticket_id
        )
        return await self._at_desk(self._walk_ins.RecallTicket, request, request_id)

    async def start_serving(
        self, branch: str, desk: str, ticket_id: str, *, session: int = 0, request_id: str = ""
    ) -> results.Ticket:
        """A fact: the visitor is at the desk."""
        request = pb.StartServingRequest(
            branch=branch, desk=desk, session=session, ticket_id=ticket_id
        )
        return await self._at_desk(self._walk_ins.StartServing, request, request_id)

    async def mark_no_show(
        self, branch: str, desk: str, ticket_id: str, *, session: int = 0, request_id: str = ""
    ) -> results.Ticket:
        """The called visitor did not come."""
        request = pb.MarkNoShowRequest(
            branch=branch, desk=desk, session=session, ticket_id=ticket_id
        )
        return await self._at_desk(self._walk_ins.MarkNoShow, request, request_id)

    async def return_ticket(
        self,
        branch: str,
        desk: str,
        ticket_id: str,
        *,
        place: Place = Place.FIRST,
        reason: str = "",
        session: int = 0,
        request_id: str = "",
    ) -> results.Ticket:
        """The ticket goes back to its line: before all who wait there, or behind them."""
        request = pb.ReturnTicketRequest(
            branch=branch,
            desk=desk,
            session=session,
            ticket_id=ticket_id,
            place=choices.RETURN_PLACE_NUMBERS[place],
            reason=reason,
        )
        return await self._at_desk(self._walk_ins.ReturnTicket, request, request_id)

    async def transfer_ticket(
        self,
        branch: str,
        desk: str,
        ticket_id: str,
        service: str,
        *,
        reason: str = "",
        session: int = 0,
        request_id: str = "",
    ) -> results.Ticket:
        """The visitor goes on to wait for another service, with the time waited so far."""
        request = pb.TransferTicketRequest(
            branch=branch,
            desk=desk,
            session=session,
            ticket_id=ticket_id,
            service=service,
            reason=reason,
        )
        return await self._at_desk(self._walk_ins.TransferTicket, request, request_id)

    async def finish_serving(
        self,
        branch: str,
        desk: str,
        ticket_id: str,
        *,
        outcome: VisitOutcome = VisitOutcome.SERVED,
        disposition: str = "",
        resolved: bool | None = None,
        session: int = 0,
        request_id: str = "",
    ) -> results.Ticket:
        """The visit is over: served, unresolved or referred."""
        request = pb.FinishServingRequest(
            branch=branch,
            desk=desk,
            session=session,
            ticket_id=ticket_id,
            outcome=choices.VISIT_OUTCOME_NUMBERS[outcome],
            disposition=disposition,
            resolved=resolved,
        )
        return await self._at_desk(self._walk_ins.FinishServing, request, request_id)

    async def serve_without_ticket(
        self,
        branch: str,
        desk: str,
        service: str,
        *,
        join_id: str = "",
        party_size: int = 1,
        customer_id: str = "",
        journey_id: str = "",
        session: int = 0,
        request_id: str = "",
    ) -> results.Ticket:
        """A fact: a visitor without a ticket is served; the same `join_id` is the same visit."""
        request = pb.ServeWithoutTicketRequest(
            branch=branch,
            desk=desk,
            session=session,
            join_id=join_id or new_request_id(),
            service=service,
            party_size=party_size,
            customer_id=customer_id,
            journey_id=journey_id,
        )
        return await self._at_desk(self._walk_ins.ServeWithoutTicket, request, request_id)

    async def watch_ticket(
        self, ticket_id: str, *, token: str = ""
    ) -> AsyncGenerator[results.TicketStep, None]:
        """Yields the ticket as it changes, until it has ended; a cut stream resumes by itself."""
        request = pb.WatchTicketRequest(pool=self._pool, ticket_id=ticket_id)
        watch = self._caller.watch(self._walk_ins.WatchTicket, request, token=token)
        async with aclosing(watch):
            async for message, begins in watch:
                step = results.ticket_step_of(message, begins=begins)
                yield step
                if step.ticket is not None and step.ticket.state is TicketState.ENDED:
                    return

    async def watch_board(
        self, branch: str, *, token: str = ""
    ) -> AsyncGenerator[results.BoardStep, None]:
        """Yields what a lobby's board shows, in steps; `board` makes whole pictures of them."""
        request = pb.WatchBoardRequest(pool=self._pool, branch=branch)
        watch = self._caller.watch(self._walk_ins.WatchBoard, request, token=token)
        async with aclosing(watch):
            async for message, begins in watch:
                yield results.board_step_of(message, begins=begins)

    async def watch_desk(
        self, branch: str, desk: str, *, token: str = ""
    ) -> AsyncGenerator[results.DeskStep, None]:
        """Yields a desk's visitor and who waits for it, in steps."""
        request = pb.WatchDeskRequest(pool=self._pool, branch=branch, desk=desk)
        watch = self._caller.watch(self._walk_ins.WatchDesk, request, token=token)
        async with aclosing(watch):
            async for message, begins in watch:
                yield results.desk_step_of(message, begins=begins)

    async def _at_desk(
        self, method: Callable[..., Any], request: Any, request_id: str
    ) -> results.Ticket:
        reply = await self._command(method, request, request_id)
        return results.ticket_of(reply.ticket, None, reply.position)
