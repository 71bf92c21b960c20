"""AgentService: what desktops ask. Each method translates, submits, and translates back."""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from usher.queue.values import Actor, ActorKind
from usher.router.service.access import DEFAULT_PLATFORM
from usher.router.service.offer_watch import watch_offers
from usher.router.service.rpc import Method, Unary, Watch
from usher.router.service.served import Call
from usher.router.service.wire import agents as wire
from usher.router.service.wire import fields, pages
from usher.router.service.wire.answers import position_answer
from usher.v1 import agent_service_pb2 as pb

NAME = "usher.v1.AgentService"


async def sign_in(request: pb.SignInRequest, call: Call) -> bytes:
    """Begins a session, and its lease."""
    default_ms = call.pool.runner.settings.lease_default_ms
    command = wire.sign_in_command(request, call.actor, default_ms)
    answer = partial(wire.sign_in_answer, command)
    encoded = await call.submit(request.request_id, command, answer)
    session = pb.SignInResponse.FromString(encoded).session
    call.pool.leases.renew(command.agent_id, session, command.lease_ms)
    return encoded


async def sign_out(request: pb.SignOutRequest, call: Call) -> bytes:
    """Ends the session, and its lease unless a new session has begun since."""
    command = wire.sign_out_command(request, call.actor)
    answer = partial(wire.sign_out_answer, command.agent_id)
    encoded = await call.submit(request.request_id, command, answer)
    agent = call.pool.runner.pool.ledger.agents.get(command.agent_id)
    if agent is None or not agent.lease_ms:
        call.pool.leases.forget(command.agent_id)
    return encoded


async def set_presence(request: pb.SetPresenceRequest, call: Call) -> bytes:
    """Ready, not ready with a reason, or draining."""
    command = wire.presence_command(request, call.actor)
    answer = partial(wire.presence_answer, command.agent_id)
    return await call.submit(request.request_id, command, answer)


async def heartbeat(request: pb.HeartbeatRequest, call: Call) -> bytes:
    """A sign of life: stays in memory, and is refused for any but the present session."""
    agent_id = fields.agent_id_of(request.agent_id)
    session = fields.session_of(request.session)
    lease_ms = await call.pool.runner.read(partial(wire.session_lease_ms, agent_id, session))
    call.pool.leases.renew(agent_id, session, lease_ms)
    return wire.heartbeat_reply(lease_ms)


async def accept_offer(request: pb.AcceptOfferRequest, call: Call) -> bytes:
    """Takes an offer."""
    command = wire.accept_command(request, call.actor)
    return await call.submit(request.request_id, command, wire.accept_answer)


async def decline_offer(request: pb.DeclineOfferRequest, call: Call) -> bytes:
    """Does not take an offer."""
    command = wire.decline_command(request, call.actor)
    return await call.submit(request.request_id, command, _DECLINED)


async def finish_wrap_up(request: pb.FinishWrapUpRequest, call: Call) -> bytes:
    """The work after a contact is done."""
    command = wire.finish_command(request, call.actor)
    return await call.submit(request.request_id, command, _FINISHED)


async def get_agent(request: pb.GetAgentRequest, call: Call) -> bytes:
    """Returns one agent."""
    agent_id = fields.agent_id_of(request.agent_id)
    return await call.pool.runner.read(partial(wire.agent_reply, agent_id))


async def list_agents(request: pb.ListAgentsRequest, call: Call) -> bytes:
    """Returns agents by id."""
    wanted = wire.wanted_presences(request)
    place = pages.agents_place(request, wanted, call.pool.sealer)
    return await call.pool.runner.read(partial(pages.agents_page, wanted, place))


_DECLINED = position_answer(pb.DeclineOfferResponse)
_FINISHED = position_answer(pb.FinishWrapUpResponse)


class OfAgent(Protocol):
    """A request about one agent."""

    agent_id: str


def _itself(request: OfAgent) -> Actor:
    """The agent that the request is about; a bad id is found by the field's own check."""
    return Actor(ActorKind.AGENT, request.agent_id)


def _default(_request: object) -> Actor:
    return DEFAULT_PLATFORM


METHODS: Mapping[str, Method] = {
    "SignIn": Unary(pb.SignInRequest, sign_in, _itself),
    "SignOut": Unary(pb.SignOutRequest, sign_out, _itself),
    "SetPresence": Unary(pb.SetPresenceRequest, set_presence, _itself),
    "Heartbeat": Unary(pb.HeartbeatRequest, heartbeat, _itself),
    "WatchOffers": Watch(pb.WatchOffersRequest, watch_offers, _itself),
    "AcceptOffer": Unary(pb.AcceptOfferRequest, accept_offer, _itself),
    "DeclineOffer": Unary(pb.DeclineOfferRequest, decline_offer, _itself),
    "FinishWrapUp": Unary(pb.FinishWrapUpRequest, finish_wrap_up, _itself),
    "GetAgent": Unary(pb.GetAgentRequest, get_agent, _itself),
    "ListAgents": Unary(pb.ListAgentsRequest, list_agents, _default),
}
