"""kill -9 of the real server during joins and calls: every acknowledged ticket is there.

    kiosks join, desks call and serve -> SIGKILL -> start again -> repeats, checks -> ...

Issue 3, "must show" 2. A call that ends without a verdict is repeated with the same bytes.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.end_to_end import branch_world as world
from tests.end_to_end.branch_checks import BranchJournal
from tests.end_to_end.server_process import ServerProcess

from usher.queue.values import ContactId
from usher.router.service.server import JOURNAL_FILE
from usher.v1 import agent_service_pb2 as agents_pb
from usher.v1 import walk_in_service_pb2 as pb
from usher.v1.agent_service_pb2_grpc import AgentServiceStub
from usher.v1.walk_in_service_pb2_grpc import WalkInServiceStub

pytestmark = [pytest.mark.branch, pytest.mark.crash]

KILLS = 50
LOAD_S = (0.3, 1.0)
LIMIT_S = 20.0
JOINERS = 10
WAITING_MOST = 200

Tell = Callable[[str], None]


class Deed:
    """A request as it was sent, and its acknowledged reply."""

    def __init__(self, method: str, request: Any) -> None:
        self.method = method
        self.request = request
        self.reply: Any = None


class Rush:
    """Kiosks that join and desks that call, serve and finish as fast as they are answered.

    A desk whose visitor was there at a kill goes on with that visitor afterwards.
    """

    def __init__(self, seed: int) -> None:
        self.acknowledged: list[Deed] = []
        self.unknown: list[Deed] = []
        self.numbers: dict[str, tuple[str, str]] = {}
        self._at_desk: dict[tuple[str, str], str] = {}
        self._random = random.Random(seed)
        self._ids = count(1)
        self._stop = asyncio.Event()

    async def run(self, server: ServerProcess) -> None:
        """Keeps all busy until `stop`; a task ends with its first call that gets no verdict."""
        self._stop.clear()
        async with server.channel() as channel:
            stub = WalkInServiceStub(channel)
            joins = [self._join(stub) for _ in range(JOINERS)]
            desks = [
                self._desk(stub, {"branch": world.branch_name(number), "desk": str(desk)})
                for number in range(world.BRANCHES)
                for desk in range(1, world.DESKS_EACH + 1)
            ]
            await asyncio.gather(*joins, *desks)

    def stop(self) -> None:
        """Has everybody stop after the call under way."""
        self._stop.set()

    async def again(self, server: ServerProcess) -> list[str]:
        """Repeats what got no verdict, and all joins; returns what is not as it was."""
        findings: list[str] = []
        async with server.channel() as channel:
            stub = WalkInServiceStub(channel)
            unknown, self.unknown = self.unknown, []
            for deed in unknown:
                await self._send(stub, deed)
            assert not self.unknown, "a repeat on the restarted server got no verdict"
            for deed in self.acknowledged:
                findings += await self._same(stub, deed)
        self.acknowledged = []
        return findings

    async def tickets_there(self, server: ServerProcess) -> list[str]:
        """Returns the acknowledged tickets that are not there with their numbers."""
        lost = []
        async with server.channel() as channel:
            stub = WalkInServiceStub(channel)
            for ticket_id, (date, number) in self.numbers.items():
                request = pb.GetTicketRequest(ticket_id=ticket_id)
                ticket = (await stub.GetTicket(request, timeout=LIMIT_S)).ticket
                if (ticket.date, ticket.number) != (date, number):
                    lost.append(f"{ticket_id}: {number} is {ticket.number}")
        return lost

    async def _join(self, stub: WalkInServiceStub) -> None:
        while not self._stop.is_set():
            request = pb.JoinLineRequest(
                join_id=f"join-{next(self._ids)}",
                branch=world.branch_name(self._random.randrange(world.BRANCHES)),
                service=self._random.choice(world.SERVICES),
            )
            if not await self._do(stub, "JoinLine", request):
                return

    async def _desk(self, stub: WalkInServiceStub, at: dict[str, str]) -> None:
        here = at["branch"], at["desk"]
        while not self._stop.is_set():
            if here not in self._at_desk:
                if not await self._do(stub, "CallNext", pb.CallNextRequest(**at)):
                    return
                await asyncio.sleep(0.01)
                continue
            visit = {**at, "ticket_id": self._at_desk[here]}
            for method, request in (
                ("RecallTicket", pb.RecallTicketRequest(**visit)),
                ("StartServing", pb.StartServingRequest(**visit)),
                ("FinishServing", pb.FinishServingRequest(**visit)),
            ):
                if not await self._do(stub, method, request):
                    return

    async def _do(self, stub: WalkInServiceStub, method: str, request: Any) -> Deed | None:
        """Sends it; returns None if it got no verdict."""
        request.request_id = f"r{next(self._ids)}"
        deed = Deed(method, request)
        return deed if await self._send(stub, deed) else None

    async def _send(self, stub: WalkInServiceStub, deed: Deed) -> bool:
        """Sends it and notes what came of it; returns whether there was a verdict."""
        call = getattr(stub, deed.method)
        try:
            deed.reply = await call(deed.request, timeout=LIMIT_S, metadata=world.ACTOR)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                return True  # a desk that was killed in the middle has its visitor still
            self.unknown.append(deed)
            return False
        self.acknowledged.append(deed)
        if deed.method == "CallNext" and deed.reply.HasField("ticket"):
            self._at_desk[deed.request.branch, deed.request.desk] = deed.reply.ticket.ticket_id
        elif deed.method == "FinishServing":
            del self._at_desk[deed.request.branch, deed.request.desk]
        elif deed.method == "JoinLine":
            ticket = deed.reply.ticket
            self.numbers[ticket.ticket_id] = (ticket.date, ticket.number)
        return True

    async def _same(self, stub: WalkInServiceStub, deed: Deed) -> list[str]:
        """Repeats an acknowledged request; a join also under another request id."""
        requests = [deed.request]
        if deed.method == "JoinLine":
            requests.append(type(deed.request)())
            requests[1].CopyFrom(deed.request)
            requests[1].request_id = f"r{next(self._ids)}"
        found = []
        for request in requests:
            try:
                reply = await getattr(stub, deed.method)(
                    request, timeout=LIMIT_S, metadata=world.ACTOR
                )
            except grpc.aio.AioRpcError as error:
                found.append(f"lost: {deed.method} {request.request_id}: {error.details()}")
                continue
            if request is deed.request and reply != deed.reply:
                found.append(f"{deed.method} {request.request_id} is answered otherwise now")
            elif reply.ticket.number != deed.reply.ticket.number:
                found.append(f"{request.join_id} has {reply.ticket.number} now")
        return found


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[ServerProcess]:
    """A server that serves and takes snapshots often; gone at the end, however that comes."""
    environment = {"USHER_SNAPSHOT_RECORDS": "2000"}
    server = ServerProcess(folder, world.policy(3600), world.roster(), environment=environment)
    try:
        await server.start()
        yield server
    finally:
        server.close()


@pytest.mark.timeout(1200)
def test_no_kill_loses_a_ticket_or_calls_one_twice(
    tmp_path: Path, scaled: Callable[[int], int], tell: Tell
) -> None:
    asyncio.run(_kill_again_and_again(tmp_path, scaled(KILLS), tell))


async def _kill_again_and_again(folder: Path, kills: int, tell: Tell) -> None:
    rush, times = Rush(kills), random.Random(kills)
    unknown = 0
    async with started(folder) as server:
        await _open_desks(server)
        for number in range(kills):
            running = asyncio.create_task(rush.run(server))
            await asyncio.sleep(times.uniform(*LOAD_S))
            server.kill()
            rush.stop()
            await running
            unknown += len(rush.unknown)
            await server.start()
            assert [] == await rush.again(server), f"kill {number + 1}"
        assert [] == await rush.tickets_there(server)
        code, _ = await server.terminate()
        assert 0 == code
    journal = BranchJournal()
    await journal.read_file(folder / "data" / JOURNAL_FILE)
    calls = sum(journal.calls.values())
    tell(f"kills: {kills}; tickets acknowledged: {len(rush.numbers)}; calls: {calls}")
    tell(f"calls without a verdict, repeated: {unknown}; records: {journal.pool.position}")
    assert [] == journal.findings
    assert journal.pool.state_hash() == journal.snapshot_hash
    assert {ContactId(name) for name in rush.numbers} == set(journal.issued)
    assert 1 == max(journal.calls.values())
    assert unknown >= kills, "the kills met no call under way"
    assert calls >= 5 * kills


async def _open_desks(server: ServerProcess) -> None:
    ids = count(1)
    async with server.channel() as channel:
        agents, walk_ins = AgentServiceStub(channel), WalkInServiceStub(channel)
        for branch in map(world.branch_name, range(world.BRANCHES)):
            for desk in range(1, world.DESKS_EACH + 1):
                name = world.clerk(branch, desk)
                sign_in = agents_pb.SignInRequest(agent_id=name, request_id=f"open-{next(ids)}")
                await agents.SignIn(sign_in, timeout=LIMIT_S, metadata=world.ACTOR)
                opening = pb.OpenDeskRequest(branch=branch, desk=str(desk), agent_id=name)
                opening.request_id = f"open-{next(ids)}"
                await walk_ins.OpenDesk(opening, timeout=LIMIT_S, metadata=world.ACTOR)
