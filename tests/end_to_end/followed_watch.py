"""A watch that is followed over the end of its server: what it holds, and where it resumes.

It keeps the last word on each thing, as a client would, so that after the resumption it can be
compared with what the server lists.
"""

import asyncio
from typing import Any

import grpc
from tests.end_to_end.kill_checks import list_contacts
from tests.end_to_end.kill_load import ACTOR
from tests.end_to_end.server_process import ServerProcess

from usher.v1 import agent_service_pb2 as agents_pb
from usher.v1 import contact_pb2, leg_pb2, watch_pb2
from usher.v1 import router_service_pb2 as router_pb

RESUME_LIMIT_S = 20.0
_LIVE = (contact_pb2.CONTACT_STATE_WAITING, contact_pb2.CONTACT_STATE_ENGAGED)
_KINDS: dict[str, tuple[str, type[Any], type[Any]]] = {
    "WatchContacts": (
        "/usher.v1.RouterService/WatchContacts",
        router_pb.WatchContactsRequest,
        router_pb.WatchContactsResponse,
    ),
    "WatchOffers": (
        "/usher.v1.AgentService/WatchOffers",
        agents_pb.WatchOffersRequest,
        agents_pb.WatchOffersResponse,
    ),
}


class FollowedWatch:
    """One watch of the whole pool, by the name of its method.

    `held`: the last told state by id. `token`, `position`: of the last whole step. `was_reset`:
    the resumption began with a snapshot.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.held: dict[str, int] = {}
        self.token = ""
        self.position = 0
        self.was_reset = False
        self.ended_with: grpc.StatusCode | None = None

    async def follow(self, server: ServerProcess) -> None:
        """Reads the stream to its end."""
        try:
            async for message in self._messages(server):
                self._take(message)
        except grpc.aio.AioRpcError as error:
            self.ended_with = error.code()

    async def resumed(self, server: ServerProcess) -> list[str]:
        """Resumes with the token; returns where what it holds then differs from the server's.

        The server goes on meanwhile (a wrap-up ends, its agent is offered the next contact), so
        both are compared after each step, for the last time when a bookmark tells of a quiet time.
        """
        if not self.token:
            return [f"{self._kind}: ended without a token"]
        async with asyncio.timeout(RESUME_LIMIT_S):
            async for message in self._messages(server):
                self._take(message)
                if message.head.more:
                    continue
                differences = self._differences(await self._listed(server))
                if not differences or message.head.step == watch_pb2.WATCH_STEP_BOOKMARK:
                    return differences
        return [f"{self._kind}: ended before a bookmark"]

    async def _listed(self, server: ServerProcess) -> dict[str, int]:
        """Returns the states by id as the server lists them."""
        contacts = await list_contacts(server, _LIVE)
        if self._kind == "WatchContacts":
            return {contact.contact_id: contact.state for contact in contacts}
        legs = [leg for contact in contacts for leg in contact.legs]
        return {leg.leg_id: leg.state for leg in legs if leg.state in _OF_LIVE_CONTACTS}

    def _differences(self, listed: dict[str, int]) -> list[str]:
        shown = self._shown()
        return [
            f"{self._kind}: {name}: {shown.get(name)}, not {listed.get(name)}"
            for name in sorted(listed | shown)
            if listed.get(name) != shown.get(name)
        ]

    def _shown(self) -> dict[str, int]:
        live = _LIVE if self._kind == "WatchContacts" else _OF_LIVE_CONTACTS
        return {name: state for name, state in self.held.items() if state in live}

    async def _messages(self, server: ServerProcess) -> Any:
        path, request, reply = _KINDS[self._kind]
        async with server.channel() as channel:
            call = channel.unary_stream(
                path,
                request_serializer=request.SerializeToString,
                response_deserializer=reply.FromString,
            )
            async for message in call(request(token=self.token), metadata=ACTOR):
                yield message

    def _take(self, message: Any) -> None:
        head = message.head
        if head.reset:
            self.was_reset = True
            self.held.clear()
        if head.token:
            self.token, self.position = head.token, head.position
        if self._kind == "WatchContacts":
            for contact in message.contacts:
                self.held[contact.contact_id] = contact.state
        else:
            for watched in message.legs:
                self.held[watched.leg.leg_id] = watched.leg.state


_OF_LIVE_CONTACTS = (
    leg_pb2.LEG_STATE_OFFERED,
    leg_pb2.LEG_STATE_JOINING,
    leg_pb2.LEG_STATE_ACTIVE,
    leg_pb2.LEG_STATE_HELD,
)
