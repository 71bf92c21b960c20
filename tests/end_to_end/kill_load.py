"""A load of commands against a real server, and a book of what became of each of them.

    watch of all offers -> legs that want something -> callers -> raw calls -> Book

Callers bring contacts, accept, connect, complete, decline, requeue and abandon them, many at once.
A call that ends without a verdict (the server was killed) is `unknown`: it may have happened.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Any

import grpc
from google.protobuf.message import Message
from tests.end_to_end.server_process import ServerProcess

from usher.v1 import agent_service_pb2 as agents_pb
from usher.v1 import contact_pb2, leg_pb2
from usher.v1 import router_service_pb2 as router_pb

AGENTS = 40
CHATS_MOST = 3
VOICE_PRICE = 3
UNITS = 3
CALLERS = 48
WAITING_MOST = 120
ACTOR = (("usher-actor", "platform/kill-load"),)
CALL_LIMIT_S = 20.0
IDLE_S = 0.002
REFUSALS = (
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)

POLICY = """\
version = "kill"
ended_kept = "1d"
contacts_max = 1000000
channels.voice = { wrap_up = "1s" }

[queues.help]
requirements = [{ skill = "help", least = 2, wanted = 8 }]
offer_timeout = "1h"
decline_pause = "1s"

[queues.sales]
channels = ["chat", "voice"]
requirements = [{ skill = "sales" }]
order = "fcfs"
level = 1
offer_timeout = "1h"
decline_pause = "1s"
"""


def roster() -> str:
    """Returns the file of AGENTS agents: one call, or up to three chats at a time."""
    lines = ['version = "kill"', "[capacities.desk]", f"units = {UNITS}"]
    lines.append(f"channels.chat = {{ price = 1, most = {CHATS_MOST} }}")
    lines.append(f"channels.voice = {{ price = {VOICE_PRICE}, wrap_up_price = {VOICE_PRICE} }}")
    for number in range(AGENTS):
        skills = f"help = {2 + number % 9}" + (", sales = 5" if number % 3 == 0 else "")
        lines.append(f'[agents.{agent_id(number)}]\ncapacity = "desk"\nskills = {{ {skills} }}')
    return "\n".join(lines) + "\n"


def agent_id(number: int) -> str:
    """Returns the id of one agent."""
    return f"agent-{number:03d}"


class Fate(Enum):
    """What the caller knows of a command."""

    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Deed:
    """One command as it was sent, and what came of it. `leg` is the one it was about."""

    def __init__(self, method: str, request: Any, leg: leg_pb2.Leg | None = None) -> None:
        self.method = method
        self.request = request
        self.leg = leg
        self.content: bytes = request.SerializeToString()
        self.fate = Fate.SENT
        self.answer = b""
        self.code: grpc.StatusCode | None = None
        self.was_unknown = False

    @property
    def request_id(self) -> str:
        """Returns the id that makes a repeat harmless."""
        return str(self.request.request_id)

    @property
    def reply(self) -> Any:
        """Returns the acknowledged reply as a message."""
        return REPLIES[self.method].FromString(self.answer)

    @property
    def contact_id(self) -> str:
        """Returns the contact it is about, or "" (none, or not known to the caller)."""
        if self.leg is not None:
            return self.leg.contact_id
        if self.method == "EnqueueContact":
            given: str = self.request.contact.contact_id
            return given or (self.reply.placement.contact_id if self.answer else "")
        return getattr(self.request, "contact_id", "")


REPLIES: dict[str, type[Message]] = {
    "EnqueueContact": router_pb.EnqueueContactResponse,
    "AbandonContact": router_pb.AbandonContactResponse,
    "ConnectContact": router_pb.ConnectContactResponse,
    "ConnectFailed": router_pb.ConnectFailedResponse,
    "CompleteContact": router_pb.CompleteContactResponse,
    "RequeueContact": router_pb.RequeueContactResponse,
    "SignIn": agents_pb.SignInResponse,
    "AcceptOffer": agents_pb.AcceptOfferResponse,
    "DeclineOffer": agents_pb.DeclineOfferResponse,
    "FinishWrapUp": agents_pb.FinishWrapUpResponse,
}
_OF_AGENTS = {"SignIn", "AcceptOffer", "DeclineOffer", "FinishWrapUp"}


class Caller:
    """Sends commands as raw bytes, so that replies can be compared to the bit."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._calls: dict[str, Any] = {
            method: channel.unary_unary(_path(method)) for method in REPLIES
        }

    async def send(self, deed: Deed) -> None:
        """Sends it and writes down what came of it."""
        try:
            answer = await self._calls[deed.method](
                deed.content, timeout=CALL_LIMIT_S, metadata=ACTOR
            )
        except grpc.aio.AioRpcError as error:
            deed.code = error.code()
            deed.fate = Fate.REFUSED if deed.code in REFUSALS else Fate.UNKNOWN
            return
        deed.answer = bytes(answer)
        deed.fate = Fate.ACKNOWLEDGED

    async def again(self, deed: Deed) -> tuple[bytes, grpc.StatusCode | None]:
        """Sends the same bytes again; returns the answer, or the code of the refusal."""
        try:
            answer = await self._calls[deed.method](
                deed.content, timeout=CALL_LIMIT_S, metadata=ACTOR
            )
        except grpc.aio.AioRpcError as error:
            return b"", error.code()
        return bytes(answer), None


def _path(method: str) -> str:
    service = "AgentService" if method in _OF_AGENTS else "RouterService"
    return f"/usher.v1.{service}/{method}"


class Book:
    """All that was sent to one journal, by request id, in the order of sending."""

    def __init__(self) -> None:
        self.deeds: dict[str, Deed] = {}

    def note(self, deed: Deed) -> None:
        """Writes down a command that is about to be sent."""
        self.deeds[deed.request_id] = deed

    def with_fate(self, fate: Fate, since: int = 0) -> list[Deed]:
        """Returns those of one fate, leaving out the first `since` ever sent."""
        return [deed for deed in list(self.deeds.values())[since:] if deed.fate is fate]

    def __len__(self) -> int:
        return len(self.deeds)


class Load:
    """Callers that keep a contact centre busy. May run again and again on one journal."""

    def __init__(self, book: Book, seed: int, *, callers: int = CALLERS) -> None:
        self.book = book
        self._random = random.Random(seed)
        self._callers = callers
        self._numbers: Iterator[int] = iter(range(1, 1 << 40))
        self._legs: deque[leg_pb2.Leg] = deque()
        self._waiting: deque[str] = deque()
        self._stop = asyncio.Event()
        self.watch_codes: list[grpc.StatusCode] = []

    async def sign_in(self, server: ServerProcess) -> None:
        """Signs all agents in, each with a command of the book."""
        async with server.channel() as channel:
            caller = Caller(channel)
            for number in range(AGENTS):
                request = agents_pb.SignInRequest(agent_id=agent_id(number))
                await self._do(caller, Deed("SignIn", self._named(request)))

    async def run(self, server: ServerProcess) -> None:
        """Loads the server until `stop`; calls under way then run to their end."""
        self._stop.clear()
        self._legs.clear()
        async with server.channel() as channel:
            caller = Caller(channel)
            watch = asyncio.create_task(self._watch(channel))
            await asyncio.gather(*(self._work(caller) for _ in range(self._callers)))
            watch.cancel()
            await asyncio.wait([watch])

    def stop(self) -> None:
        """Has each caller end with the call that it is on."""
        self._stop.set()

    async def _watch(self, channel: grpc.aio.Channel) -> None:
        """Collects legs that want something, from the snapshot on."""
        open_watch = channel.unary_stream(
            "/usher.v1.AgentService/WatchOffers",
            request_serializer=agents_pb.WatchOffersRequest.SerializeToString,
            response_deserializer=agents_pb.WatchOffersResponse.FromString,
        )
        try:
            async for message in open_watch(agents_pb.WatchOffersRequest(), metadata=ACTOR):
                self._legs.extend(watched.leg for watched in message.legs)
        except grpc.aio.AioRpcError as error:
            self.watch_codes.append(error.code())

    async def _work(self, caller: Caller) -> None:
        while not self._stop.is_set():
            deed = self._next_deed()
            if deed is None:
                await asyncio.sleep(IDLE_S)
                continue
            await self._do(caller, deed)

    async def _do(self, caller: Caller, deed: Deed) -> None:
        self.book.note(deed)
        await caller.send(deed)
        if deed.fate is Fate.ACKNOWLEDGED and deed.method in ("EnqueueContact", "RequeueContact"):
            placement = deed.reply.placement
            if placement.WhichOneof("place") == "queue_position":
                self._waiting.append(placement.contact_id)
        if deed.fate is Fate.UNKNOWN:
            self._stop.set()

    # choosing

    def _next_deed(self) -> Deed | None:
        while self._legs:
            deed = self._for_leg(self._legs.popleft())
            if deed is not None:
                return deed
        if self._waiting and self._random.random() < 0.1:
            return self._abandon(self._waiting.popleft())
        if len(self._waiting) < WAITING_MOST:
            return self._enqueue()
        return self._abandon(self._waiting.popleft())

    def _for_leg(self, leg: leg_pb2.Leg) -> Deed | None:
        match leg.state:
            case leg_pb2.LEG_STATE_OFFERED:
                return self._for_offer(leg)
            case leg_pb2.LEG_STATE_JOINING:
                return self._for_joining(leg)
            case leg_pb2.LEG_STATE_ACTIVE:
                return self._for_talk(leg)
            case leg_pb2.LEG_STATE_WRAPPING if self._random.random() < 0.5:
                request = agents_pb.FinishWrapUpRequest(agent_id=leg.agent_id, leg_id=leg.leg_id)
                return Deed("FinishWrapUp", self._named(request), leg)
            case _:
                return None

    def _for_offer(self, leg: leg_pb2.Leg) -> Deed:
        draw = self._random.random()
        if draw < 0.04:
            return self._abandon(leg.contact_id)
        if draw < 0.10:
            decline = agents_pb.DeclineOfferRequest(agent_id=leg.agent_id, leg_id=leg.leg_id)
            return Deed("DeclineOffer", self._named(decline), leg)
        accept = agents_pb.AcceptOfferRequest(agent_id=leg.agent_id, leg_id=leg.leg_id)
        return Deed("AcceptOffer", self._named(accept), leg)

    def _for_joining(self, leg: leg_pb2.Leg) -> Deed:
        if self._random.random() < 0.05:
            failed = router_pb.ConnectFailedRequest(contact_id=leg.contact_id, reason="no_line")
            return Deed("ConnectFailed", self._named(failed), leg)
        connect = router_pb.ConnectContactRequest(contact_id=leg.contact_id)
        return Deed("ConnectContact", self._named(connect), leg)

    def _for_talk(self, leg: leg_pb2.Leg) -> Deed:
        draw = self._random.random()
        if draw < 0.05:
            return self._abandon(leg.contact_id)
        if draw < 0.15:
            requeue = router_pb.RequeueContactRequest(contact_id=leg.contact_id, queue="help")
            return Deed("RequeueContact", self._named(requeue), leg)
        complete = router_pb.CompleteContactRequest(contact_id=leg.contact_id, resolved=True)
        return Deed("CompleteContact", self._named(complete), leg)

    def _abandon(self, contact_id: str) -> Deed:
        request = router_pb.AbandonContactRequest(contact_id=contact_id)
        return Deed("AbandonContact", self._named(request))

    def _enqueue(self) -> Deed:
        """Returns a new contact; every second one leaves the id to the server."""
        request = self._named(router_pb.EnqueueContactRequest())
        contact: contact_pb2.NewContact = request.contact
        own_id = self._random.random() < 0.5
        contact.contact_id = f"c-{request.request_id}" if own_id else ""
        contact.customer_id = request.request_id
        contact.queue = self._random.choice(("help", "help", "sales"))
        contact.channel = "voice" if self._random.random() < 0.3 else "chat"
        contact.attributes["name"] = f"caller of {request.request_id}"
        return Deed("EnqueueContact", request)

    def _named(self, request: Any) -> Any:
        request.request_id = f"r{next(self._numbers)}"
        return request
