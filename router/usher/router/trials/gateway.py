"""A platform that talks to a server for a trial: the client's calls, message by message.

A trial judges the server by all that it says of legs and times, so it reads the messages
themselves; repeats, resumed watches and typed errors are the client's. It must not know scripts,
clocks or reports.
"""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import Message

from usher.router.client.calls import Caller, Patience, new_request_id
from usher.router.trials.script import PlannedContact
from usher.v1 import (
    agent_service_pb2,
    agent_service_pb2_grpc,
    contact_pb2,
    leg_pb2,
    router_service_pb2,
    router_service_pb2_grpc,
    server_service_pb2,
    server_service_pb2_grpc,
)

PATIENCE = Patience(call_s=30.0, total_s=120.0)
FIRST_PATIENCE = Patience(call_s=5.0, total_s=5.0)
PAGE_SIZE = 1_000
LEASE_S = 24 * 3600  # a day by the server's clock: trials hold no heartbeat per agent

_CHANNEL_OPTIONS = (("grpc.max_receive_message_length", 64 << 20),)


class Gateway:
    """The calls of a trial over one channel; an async context manager. Calls raise UsherError."""

    def __init__(self, target: str, platform: str) -> None:
        self._channel = grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)
        self._router = router_service_pb2_grpc.RouterServiceStub(self._channel)
        self._agents = agent_service_pb2_grpc.AgentServiceStub(self._channel)
        self._server = server_service_pb2_grpc.ServerServiceStub(self._channel)
        self._caller = Caller(f"platform/{platform}", PATIENCE)
        self._first_caller = Caller(f"platform/{platform}", FIRST_PATIENCE)
        self.calls: Counter[str] = Counter()

    async def __aenter__(self) -> "Gateway":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def greet(self) -> server_service_pb2.GetServerResponse:
        """What the server tells of itself; gives up soon if nobody answers."""
        request = server_service_pb2.GetServerRequest()
        reply: server_service_pb2.GetServerResponse = await self._first_caller.call(
            self._server.GetServer, request
        )
        return reply

    async def server(self) -> server_service_pb2.GetServerResponse:
        """What the server tells of itself."""
        reply: server_service_pb2.GetServerResponse = await self._call(
            self._server.GetServer, server_service_pb2.GetServerRequest()
        )
        return reply

    async def enqueue(self, planned: PlannedContact) -> None:
        """A contact arrives."""
        contact = contact_pb2.NewContact(
            contact_id=planned.contact_id,
            queue=planned.queue,
            channel=planned.channel,
            topic=planned.topic,
            urgency=contact_pb2.Urgency(tier=planned.tier),
            attributes=planned.attributes,
        )
        request = router_service_pb2.EnqueueContactRequest(contact=contact)
        await self._command(self._router.EnqueueContact, request)

    async def accept(self, agent_id: str, leg_id: str) -> bool:
        """Takes an offer for an agent; returns whether the contact still has to be connected."""
        request = agent_service_pb2.AcceptOfferRequest(agent_id=agent_id, leg_id=leg_id)
        reply = await self._command(self._agents.AcceptOffer, request)
        return bool(reply.state == leg_pb2.LEG_STATE_JOINING)

    async def decline(self, agent_id: str, leg_id: str) -> None:
        """Declines an offer for an agent."""
        request = agent_service_pb2.DeclineOfferRequest(
            agent_id=agent_id, leg_id=leg_id, reason="busy"
        )
        await self._command(self._agents.DeclineOffer, request)

    async def connect(self, contact_id: str, agent_id: str) -> None:
        """Reports that customer and agent are connected."""
        request = router_service_pb2.ConnectContactRequest(contact_id=contact_id, agent_id=agent_id)
        await self._command(self._router.ConnectContact, request)

    async def complete(self, contact_id: str) -> None:
        """Reports that the work with the customer is done."""
        request = router_service_pb2.CompleteContactRequest(contact_id=contact_id)
        await self._command(self._router.CompleteContact, request)

    async def abandon(self, contact_id: str) -> None:
        """Reports that the customer left."""
        request = router_service_pb2.AbandonContactRequest(contact_id=contact_id)
        await self._command(self._router.AbandonContact, request)

    async def sign_in(self, agent_id: str) -> None:
        """Begins a session for an agent, ready at once."""
        request = agent_service_pb2.SignInRequest(agent_id=agent_id)
        request.lease.FromSeconds(LEASE_S)
        await self._command(self._agents.SignIn, request)

    async def sign_out(self, agent_id: str) -> None:
        """Ends the session of an agent; with live work the agent drains."""
        request = agent_service_pb2.SignOutRequest(agent_id=agent_id)
        await self._command(self._agents.SignOut, request)

    async def watch_offers(self) -> AsyncIterator[agent_service_pb2.WatchOffersResponse]:
        """Yields the offers of the whole pool for ever; a broken stream is resumed."""
        request = agent_service_pb2.WatchOffersRequest()
        async for step, _ in self._caller.watch(self._agents.WatchOffers, request):
            yield step

    async def watch_contacts(self) -> AsyncIterator[router_service_pb2.WatchContactsResponse]:
        """Yields the contacts of the pool as they change for ever; a broken stream is resumed."""
        request = router_service_pb2.WatchContactsRequest()
        async for step, _ in self._caller.watch(self._router.WatchContacts, request):
            yield step

    async def contacts(self) -> list[contact_pb2.Contact]:
        """All contacts that the pool still has, ended ones too, by arrival."""
        states = [state for state in contact_pb2.ContactState.values() if state]
        request = router_service_pb2.ListContactsRequest(page_size=PAGE_SIZE, states=states)
        found: list[contact_pb2.Contact] = []
        while True:
            page = await self._call(self._router.ListContacts, request)
            found += page.contacts
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def _command(self, method: Any, request: Message) -> Any:
        request.request_id = new_request_id()  # type: ignore[attr-defined]  # all commands have it
        return await self._call(method, request)

    async def _call(self, method: Any, request: Message) -> Any:
        self.calls[type(request).__name__.removesuffix("Request")] += 1
        return await self._caller.call(method, request)
