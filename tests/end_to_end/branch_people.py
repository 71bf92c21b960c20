"""Visitors, clerks, boards and callers of a busy hour, each a task of its own over real gRPC.

    kiosk joins -> clerk calls, waits, serves, finishes -> boards show it
    calls and chats come -> offers to clerks and phone agents -> accepted, connected, completed

Times are of the pool; `Pace` turns them into the wall's. What was acknowledged is kept in `Seen`.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

import grpc
from tests.end_to_end import branch_world as world

from usher.router.client.errors import error_of
from usher.v1 import agent_service_pb2 as agents_pb
from usher.v1 import contact_pb2, leg_pb2, ticket_pb2
from usher.v1 import router_service_pb2 as router_pb
from usher.v1 import walk_in_service_pb2 as pb
from usher.v1.agent_service_pb2_grpc import AgentServiceStub
from usher.v1.router_service_pb2_grpc import RouterServiceStub
from usher.v1.walk_in_service_pb2_grpc import WalkInServiceStub

LIMIT_S = 20.0
JOIN_EVERY_S = 720.0  # of the pool, per kiosk: 200 kiosks, 1,000 visitors an hour
CALL_EVERY_S = 15.0
CHAT_EVERY_S = 12.0
NO_SHOWS, LEAVERS, RETURNS, TRANSFERS, RECALLS = 0.07, 0.04, 0.05, 0.05, 0.1
WALK_S = 15.0
TALK_S = 150.0
LOOK_AGAIN_S = 10.0


class Seen:
    """What came of all that was done: acknowledged tickets, refusals by reason, board delays."""

    def __init__(self) -> None:
        self.tickets: dict[str, ticket_pb2.Ticket] = {}
        self.refusals: Counter[str] = Counter()
        self.calls: dict[tuple[str, str, int], float] = {}  # (branch, number, calls): when asked
        self.shown: list[tuple[tuple[str, str, int], float]] = []
        self.done: Counter[str] = Counter()
        self.gaps: list[str] = []

    def delays_s(self, beside: Callable[[float, float], bool] | None = None) -> list[float]:
        """Returns how long after a desk had asked each board showed the call.

        Those for which `beside(asked_s, shown_s)` holds are left out.
        """
        times = [(self.calls[call], at_s) for call, at_s in self.shown if call in self.calls]
        return [at_s - from_s for from_s, at_s in times if not (beside and beside(from_s, at_s))]


class People:
    """All who take part. `rate`: seconds of the pool per second of the wall."""

    def __init__(self, channels: list[grpc.aio.Channel], rate: float, seed: int) -> None:
        self.seen = Seen()
        self._rate = rate
        self._random = random.Random(seed)
        self._walk_ins = [WalkInServiceStub(channel) for channel in channels]
        self._router = RouterServiceStub(channels[0])
        self._agents = AgentServiceStub(channels[0])
        self._numbers = count(1)
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._watches: list[asyncio.Task[None]] = []

    async def sign_in(self) -> None:
        """Brings everybody to work: clerks at their desks, phone agents."""
        for branch in map(world.branch_name, range(world.BRANCHES)):
            for desk in range(1, world.DESKS_EACH + 1):
                name = world.clerk(branch, desk)
                await self._do("SignIn", agents_pb.SignInRequest(agent_id=name))
                request = pb.OpenDeskRequest(branch=branch, desk=str(desk), agent_id=name)
                await self._do("OpenDesk", request)
        for number in range(world.PHONE_AGENTS):
            await self._do("SignIn", agents_pb.SignInRequest(agent_id=f"phone-{number}"))

    def start(self) -> None:
        """Begins the hour."""
        self._watches = [self._task(self._answer_offers())]
        for branch in map(world.branch_name, range(world.BRANCHES)):
            self._watches += [self._task(self._board(branch)) for _ in range(world.BOARDS_EACH)]
            self._tasks += [self._task(self._kiosk(branch)) for _ in range(world.KIOSKS_EACH)]
            for desk in range(1, world.DESKS_EACH + 1):
                self._tasks.append(self._task(self._desk(branch, str(desk))))
        self._tasks.append(self._task(self._phone("voice", CALL_EVERY_S)))
        self._tasks.append(self._task(self._phone("chat", CHAT_EVERY_S)))

    async def finish(self) -> None:
        """Ends the hour: nobody new comes, who is at work finishes; raises what anybody met."""
        self._over.set()
        await asyncio.gather(*self._tasks)
        for task in self._watches:
            task.cancel()
        results = await asyncio.gather(*self._watches, return_exceptions=True)
        for result in results:
            if not isinstance(result, asyncio.CancelledError):
                raise AssertionError(f"a watch ended: {result!r}")

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work)

    # visitors

    async def _kiosk(self, branch: str) -> None:
        while not await self._pause(self._random.expovariate(1 / JOIN_EVERY_S)):
            request = pb.JoinLineRequest(
                join_id=f"join-{next(self._numbers)}",
                branch=branch,
                service=self._random.choices(world.SERVICES, (6, 3, 1))[0],
                party_size=self._random.randint(1, 3),
            )
            reply = await self._do("JoinLine", request)
            if reply is None:
                continue
            self.seen.tickets[reply.ticket.ticket_id] = reply.ticket
            if self._random.random() < LEAVERS:
                self._tasks.append(self._task(self._leave(reply.ticket.ticket_id)))

    async def _leave(self, ticket_id: str) -> None:
        await self._pause(self._random.expovariate(1 / 120))
        await self._do("LeaveLine", pb.LeaveLineRequest(ticket_id=ticket_id))

    # clerks

    async def _desk(self, branch: str, desk: str) -> None:
        while not self._over.is_set():
            asked_s = time.monotonic()
            reply = await self._do("CallNext", pb.CallNextRequest(branch=branch, desk=desk))
            if reply is None or not reply.HasField("ticket"):
                await self._pause(LOOK_AGAIN_S * self._random.uniform(0.5, 1.5))
                continue
            ticket = reply.ticket
            self._note_call(ticket, asked_s)
            await self._serve(branch, desk, ticket)

    def _note_call(self, ticket: ticket_pb2.Ticket, asked_s: float) -> None:
        self.seen.calls[ticket.branch, ticket.number, ticket.calls] = asked_s

    async def _serve(self, branch: str, desk: str, ticket: ticket_pb2.Ticket) -> None:
        at = {"branch": branch, "desk": desk, "ticket_id": ticket.ticket_id}
        await self._pause(self._random.expovariate(1 / WALK_S))
        if self._random.random() < RECALLS:
            asked_s = time.monotonic()
            reply = await self._do("RecallTicket", pb.RecallTicketRequest(**at))
            if reply is not None:
                self._note_call(reply.ticket, asked_s)
        if self._random.random() < NO_SHOWS:
            await self._do("MarkNoShow", pb.MarkNoShowRequest(**at))
            return
        if await self._do("StartServing", pb.StartServingRequest(**at)) is None:
            return  # the visitor left the line, or the grace was over
        usual_s = world.USUAL_S[ticket.service]
        await self._pause(self._random.gammavariate(2, usual_s / 2))
        choice = self._random.random()
        if choice < RETURNS:
            place = self._random.choice((pb.RETURN_PLACE_FIRST, pb.RETURN_PLACE_LAST))
            await self._do("ReturnTicket", pb.ReturnTicketRequest(**at, place=place))
        elif choice < RETURNS + TRANSFERS:
            other = "cash" if ticket.service != "cash" else "account"
            await self._do("TransferTicket", pb.TransferTicketRequest(**at, service=other))
        else:
            await self._do("FinishServing", pb.FinishServingRequest(**at))

    # boards

    async def _board(self, branch: str) -> None:
        stub = self._walk_ins[next(self._numbers) % len(self._walk_ins)]
        position, shown = 0, {}
        async for message in stub.WatchBoard(pb.WatchBoardRequest(branch=branch)):
            now_s, head = time.monotonic(), message.head
            if head.first_position and head.first_position != position + 1:
                self.seen.gaps.append(f"{branch}: {head.first_position} follows {position}")
            if not head.more:
                position = head.position
            for row in message.rows:
                if shown.get(row.number) != row.calls:
                    self.seen.shown.append(((branch, row.number, row.calls), now_s))
                shown[row.number] = row.calls

    # calls and chats

    async def _phone(self, channel: str, every_s: float) -> None:
        while not await self._pause(self._random.expovariate(1 / every_s)):
            contact = contact_pb2.NewContact(
                contact_id=f"{channel}-{next(self._numbers)}", queue="phone", channel=channel
            )
            await self._do("EnqueueContact", router_pb.EnqueueContactRequest(contact=contact))

    async def _answer_offers(self) -> None:
        taken: set[str] = set()
        async for message in self._agents.WatchOffers(agents_pb.WatchOffersRequest()):
            for told in message.legs:
                leg = told.leg
                is_offer = leg.state == leg_pb2.LEG_STATE_OFFERED and leg.channel != "walk_in"
                if is_offer and leg.leg_id not in taken:
                    taken.add(leg.leg_id)
                    self._tasks.append(self._task(self._take(leg)))

    async def _take(self, leg: leg_pb2.Leg) -> None:
        await self._pause(self._random.expovariate(1 / 3))
        accept = agents_pb.AcceptOfferRequest(agent_id=leg.agent_id, leg_id=leg.leg_id)
        if await self._do("AcceptOffer", accept) is None:
            return
        name = leg.contact_id
        if leg.channel == "voice":
            connect = router_pb.ConnectContactRequest(contact_id=name)
            if await self._do("ConnectContact", connect) is None:
                return
        await self._pause(self._random.expovariate(1 / TALK_S))
        await self._do("CompleteContact", router_pb.CompleteContactRequest(contact_id=name))

    # all

    async def _do(self, method: str, request: Any) -> Any:
        """Returns the reply; None for a refusal for the state, whose reason is counted."""
        number = next(self._numbers)
        request.request_id = f"r{number}"
        call = getattr(self._walk_ins[number % len(self._walk_ins)], method, None)
        call = call or getattr(self._router, method, None) or getattr(self._agents, method)
        try:
            reply = await call(request, timeout=LIMIT_S, metadata=world.ACTOR)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            self.seen.refusals[f"{method} {error_of(error).reason}"] += 1
            return None
        self.seen.done[method] += 1
        return reply

    async def _pause(self, pool_s: float) -> bool:
        """Waits, until the hour is over at most; returns whether it is."""
        try:
            async with asyncio.timeout(pool_s / self._rate):
                await self._over.wait()
        except TimeoutError:
            return False
        return True
