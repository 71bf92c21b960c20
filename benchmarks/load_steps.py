"""The calls of the load tests, as data: what to send, to which method, in whose name.

A channel of grpc.aio makes the methods awaitable, a plain one makes them block; the steps are the
same. It must not know when a step is taken.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
from google.protobuf.duration_pb2 import Duration
from load_world import Kind

from usher.v1 import agent_pb2 as agent_states
from usher.v1 import agent_service_pb2 as agents
from usher.v1 import contact_pb2 as contacts
from usher.v1 import router_service_pb2 as router
from usher.v1 import server_service_pb2 as servers
from usher.v1.agent_service_pb2_grpc import AgentServiceStub
from usher.v1.router_service_pb2_grpc import RouterServiceStub
from usher.v1.server_service_pb2_grpc import ServerServiceStub

CALL_LIMIT_S = 10.0
OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # each channel is a connection of its own
    ("grpc.enable_retries", 0),  # what fails is to be seen
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)
LEASE = Duration(seconds=60)
PLATFORM = "platform/load"

RACES = frozenset(
    {
        *("OFFER_GONE", "CONTACT_ENDED", "LEG_NOT_FOUND", "CONTACT_NOT_FOUND"),
        *("DESK_BUSY", "TICKET_ENDED", "TICKET_STATE", "TICKET_NOT_FOUND"),
    }
)
"""Reasons of refusals that crossing commands bring about: the world is not at fault."""


class Step(NamedTuple):
    """One call: `name` for the figures, the bound method, its request, the actor."""

    name: str
    method: Callable[..., Any]
    request: Any
    actor: str

    def begin(self, limit_s: float | None = CALL_LIMIT_S) -> Any:
        """Makes the call: the reply, an awaitable of it, or a stream."""
        return self.method(self.request, timeout=limit_s, metadata=(("usher-actor", self.actor),))


class Steps:
    """All steps over one channel. `tag` makes its ids its own."""

    def __init__(self, channel: Any, tag: str) -> None:
        self._router = RouterServiceStub(channel)
        self._agents = AgentServiceStub(channel)
        self._server = ServerServiceStub(channel)
        self._tag = tag
        self._number = 0

    def new_id(self) -> str:
        """Returns an id that nothing else has."""
        self._number += 1
        return f"{self._tag}-{self._number}"

    def get_server(self) -> Step:
        """The server's own figures."""
        return Step("GetServer", self._server.GetServer, servers.GetServerRequest(), PLATFORM)

    def enqueue(self, kind: Kind, contact_id: str) -> Step:
        """A contact arrives."""
        request = router.EnqueueContactRequest(
            request_id=f"e-{contact_id}",
            contact=contacts.NewContact(
                contact_id=contact_id,
                queue=kind.queue,
                channel=kind.channel,
                customer_id=f"customer-{self._number % 5_000}",
                topic="bill",
                attributes={"name": "Ida", "number": "+10005550100"},
            ),
        )
        return Step("EnqueueContact", self._router.EnqueueContact, request, PLATFORM)

    def get_contact(self, contact_id: str) -> Step:
        """The platform asks how a contact stands."""
        request = router.GetContactRequest(contact_id=contact_id)
        return Step("GetContact", self._router.GetContact, request, PLATFORM)

    def abandon(self, contact_id: str) -> Step:
        """The customer hangs up while waiting."""
        request = router.AbandonContactRequest(request_id=f"b-{contact_id}", contact_id=contact_id)
        return Step("AbandonContact", self._router.AbandonContact, request, PLATFORM)

    def connect(self, contact_id: str) -> Step:
        """The platform has connected the call."""
        request = router.ConnectContactRequest(request_id=f"j-{contact_id}", contact_id=contact_id)
        return Step("ConnectContact", self._router.ConnectContact, request, PLATFORM)

    def complete(self, contact_id: str, agent_id: str) -> Step:
        """The agent is done with the customer."""
        request = router.CompleteContactRequest(
            request_id=f"c-{contact_id}", contact_id=contact_id, disposition="done"
        )
        return Step("CompleteContact", self._router.CompleteContact, request, f"agent/{agent_id}")

    def sign_in(self, agent_id: str) -> Step:
        """An agent begins to work."""
        request = agents.SignInRequest(
            request_id=self.new_id(),
            agent_id=agent_id,
            presence=agent_states.PRESENCE_READY,
            lease=LEASE,
        )
        return Step("SignIn", self._agents.SignIn, request, f"agent/{agent_id}")

    def sign_out(self, agent_id: str, session: int) -> Step:
        """An agent goes home."""
        request = agents.SignOutRequest(
            request_id=self.new_id(), agent_id=agent_id, session=session
        )
        return Step("SignOut", self._agents.SignOut, request, f"agent/{agent_id}")

    def list_agents(self, page_token: str = "") -> Step:
        """Who works here."""
        request = agents.ListAgentsRequest(page_size=1_000, page_token=page_token)
        return Step("ListAgents", self._agents.ListAgents, request, PLATFORM)

    def watch_offers(self, agent_id: str, session: int) -> Step:
        """The stream of one agent's desktop."""
        request = agents.WatchOffersRequest(agent_id=agent_id, session=session)
        return Step("WatchOffers", self._agents.WatchOffers, request, f"agent/{agent_id}")

    def accept(self, agent_id: str, session: int, leg_id: str) -> Step:
        """An agent takes an offer."""
        request = agents.AcceptOfferRequest(
            request_id=self.new_id(), agent_id=agent_id, leg_id=leg_id, session=session
        )
        return Step("AcceptOffer", self._agents.AcceptOffer, request, f"agent/{agent_id}")

    def finish_wrap_up(self, agent_id: str, session: int, leg_id: str) -> Step:
        """An agent is done with the work after the call."""
        request = agents.FinishWrapUpRequest(
            request_id=self.new_id(), agent_id=agent_id, leg_id=leg_id, session=session
        )
        return Step("FinishWrapUp", self._agents.FinishWrapUp, request, f"agent/{agent_id}")


def reason_of(failed: grpc.RpcError) -> str:
    """Returns the reason that the server gave, else the name of gRPC's code."""
    from usher.router.client.errors import error_of

    return error_of(failed).reason or str(failed.code().name)  # type: ignore[arg-type]
