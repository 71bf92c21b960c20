"""A real server with branches, spoken to by raw stubs as kiosks, desks, boards and phones.

north   open day and night; lines a (A: cash, post) and b (B from 100: advice); desks 1, 2, 3
south   never open; line a; desk 1
ann     serves all; bob has no skill for advice; zoe takes chats alone
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message
from tests.end_to_end.served import Refusal, Served, refused, served
from tests.router import branch_kit as kit

from usher.queue.branches import (
    MINUTES_OF_DAY,
    Branch,
    Branches,
    BranchName,
    Opening,
    WeekdayHours,
)
from usher.queue.rules import Policy, Roster
from usher.router.trials.demo import zone_in_the_morning
from usher.v1 import agent_service_pb2 as agents_pb
from usher.v1 import ticket_pb2
from usher.v1 import walk_in_service_pb2 as pb
from usher.v1.walk_in_service_pb2_grpc import WalkInServiceStub

WHOLE_DAYS = tuple(WeekdayHours(day, (Opening(0, MINUTES_OF_DAY),)) for day in range(7))
ZOE = kit.clerk("zoe", channels={"chat": (1, 1, 0)})


def plan(version: str = "b1") -> Branches:
    """Both branches, in a zone where no test meets the end of a service day."""
    zone = zone_in_the_morning(datetime.now(UTC))
    north = Branch(name=BranchName("north"), time_zone=zone, lines=kit.LINES, week=WHOLE_DAYS)
    south = Branch(name=BranchName("south"), time_zone=zone, lines=kit.LINES)
    desks = (*kit.DESKS, kit.desk("south", "1"))
    return kit.branches(*kit.SERVICES, north, south, *desks, version=version)


def roster() -> Roster:
    """Ann, Bob and Zoe."""
    return kit.roster_of(kit.ANN, kit.BOB, ZOE)


class OpenBranch:
    """The server. Requests name branch north where they do not say, and get a request id each."""

    def __init__(self, usher: Served) -> None:
        self.usher = usher
        self.walk_ins: Any = WalkInServiceStub(usher.channel)

    async def ask(self, method: str, actor: str = "", **fields: Any) -> Any:
        """Returns the reply; raises what gRPC raises."""
        metadata = (("usher-actor", actor),) if actor else ()
        return await getattr(self.walk_ins, method)(self.request(method, fields), metadata=metadata)

    async def refused(self, method: str, actor: str = "", **fields: Any) -> Refusal:
        """Returns how the call was refused; fails if it was not."""
        return await refused(self.ask(method, actor, **fields))

    def watch(self, method: str, **fields: Any) -> Any:
        """Opens a stream."""
        return getattr(self.walk_ins, method)(self.request(method, fields))

    def request(self, method: str, fields: dict[str, Any]) -> Message:
        """Returns the request with what is the same for all."""
        kind: type[Message] = getattr(pb, f"{method}Request")
        known = kind.DESCRIPTOR.fields_by_name
        if "branch" in known:
            fields.setdefault("branch", "north")
        if "request_id" in known and "request_id" not in fields:
            fields["request_id"] = uuid4().hex
        return kind(**fields)

    async def sit(self, agent_id: str, desk: str) -> int:
        """Signs an agent in and opens a desk for it; returns the session."""
        sign_in = agents_pb.SignInRequest(request_id=uuid4().hex, agent_id=agent_id)
        platform = (("usher-actor", "platform/desks"),)  # its sessions need no sign of life
        reply = await self.usher.agents.SignIn(sign_in, metadata=platform)
        await self.ask("OpenDesk", desk=desk, agent_id=agent_id)
        return int(reply.session)

    async def join(self, join_id: str, service: str = "cash", **fields: Any) -> pb.JoinLineResponse:
        """Draws a ticket."""
        reply: pb.JoinLineResponse = await self.ask(
            "JoinLine", join_id=join_id, service=service, **fields
        )
        return reply

    async def join_many(self, count: int) -> None:
        """Draws that many tickets: j0, j1, ..."""
        for start in range(0, count, 50):
            names = (f"j{number}" for number in range(start, min(start + 50, count)))
            await asyncio.gather(*map(self.join, names))

    async def next(self, desk: str, **fields: Any) -> ticket_pb2.Ticket:
        """Calls who comes next; fails if nobody does."""
        reply: pb.CallNextResponse = await self.ask("CallNext", desk=desk, **fields)
        assert reply.HasField("ticket")
        return reply.ticket

    async def serve(self, desk: str) -> ticket_pb2.Ticket:
        """Calls who comes next, and the visitor comes."""
        ticket = await self.next(desk)
        reply = await self.ask("StartServing", desk=desk, ticket_id=ticket.ticket_id)
        serving: ticket_pb2.Ticket = reply.ticket
        return serving

    async def finish(self, desk: str, ticket_id: str, **fields: Any) -> ticket_pb2.Ticket:
        """The visit is over."""
        reply = await self.ask("FinishServing", desk=desk, ticket_id=ticket_id, **fields)
        ended: ticket_pb2.Ticket = reply.ticket
        return ended


@contextlib.asynccontextmanager
async def open_branch(policy: Policy | None = None, **how: Any) -> AsyncIterator[OpenBranch]:
    """Serves while it is open; `how` as in `served`."""
    how.setdefault("branches", plan())
    async with served(policy or kit.rules(), how.pop("agents", roster()), **how) as usher:
        yield OpenBranch(usher)
