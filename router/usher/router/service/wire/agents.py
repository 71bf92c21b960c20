"""AgentService: from requests to commands, and from what came of them to replies.

As in `wire.router`: `*_command` raise Invalid, `*_answer` give bytes that are remembered and hold
no private field. The session is told to the desktop that signed in and to nobody else.
"""

from usher.queue import commands
from usher.queue.errors import SessionSuperseded
from usher.queue.events import AgentSignedIn, OfferAccepted
from usher.queue.ledger import Ledger
from usher.queue.values import Actor, ActorKind, AgentId, LegState, Presence
from usher.router.lookups import known_agent, signed_in
from usher.router.pool import Pool
from usher.router.service.wire import choices, fields, views
from usher.router.service.wire.answers import Events
from usher.v1 import agent_pb2
from usher.v1 import agent_service_pb2 as pb

LEASE_LEAST_MS = 5_000
LEASE_MOST_MS = fields.DAY_MS


def sign_in_command(request: pb.SignInRequest, actor: Actor, default_ms: int) -> commands.SignIn:
    """Returns the command; `default_ms` is the lease of a desktop that names none.

    A platform that signs its agents in needs to give no sign of life, unless it asks for a lease.
    """
    if actor.kind is not ActorKind.AGENT:
        default_ms = 0
    return commands.SignIn(
        actor,
        fields.agent_id_of(request.agent_id),
        fields.chosen(request.presence, "presence", choices.SIGN_IN_PRESENCES),
        fields.optional_code(request.reason, "reason"),
        _lease_ms(request, default_ms),
    )


def _lease_ms(request: pb.SignInRequest, default_ms: int) -> int:
    if not request.HasField("lease"):
        return default_ms
    lease_ms = fields.duration_ms(request.lease, "lease", LEASE_MOST_MS)
    return fields.whole(lease_ms, "lease in ms", LEASE_LEAST_MS, LEASE_MOST_MS)


def sign_out_command(request: pb.SignOutRequest, actor: Actor) -> commands.SignOut:
    """Returns the command."""
    return commands.SignOut(
        actor, fields.agent_id_of(request.agent_id), fields.session_of(request.session)
    )


def presence_command(request: pb.SetPresenceRequest, actor: Actor) -> commands.SetPresence:
    """Returns the command."""
    return commands.SetPresence(
        actor,
        fields.agent_id_of(request.agent_id),
        fields.session_of(request.session),
        fields.chosen(request.presence, "presence", choices.SET_PRESENCES),
        fields.optional_code(request.reason, "reason"),
    )


def accept_command(request: pb.AcceptOfferRequest, actor: Actor) -> commands.AcceptOffer:
    """Returns the command."""
    return commands.AcceptOffer(
        actor,
        fields.agent_id_of(request.agent_id),
        fields.leg_id_of(request.leg_id),
        fields.session_of(request.session),
    )


def decline_command(request: pb.DeclineOfferRequest, actor: Actor) -> commands.DeclineOffer:
    """Returns the command."""
    return commands.DeclineOffer(
        actor,
        fields.agent_id_of(request.agent_id),
        fields.leg_id_of(request.leg_id),
        fields.session_of(request.session),
        fields.optional_code(request.reason, "reason"),
    )


def finish_command(request: pb.FinishWrapUpRequest, actor: Actor) -> commands.FinishWrapUp:
    """Returns the command."""
    return commands.FinishWrapUp(
        actor,
        fields.agent_id_of(request.agent_id),
        fields.leg_id_of(request.leg_id),
        fields.session_of(request.session),
    )


def sign_in_answer(command: commands.SignIn, pool: Pool, happened: Events) -> bytes:
    """Returns the reply of SignIn: the session that this very command began."""
    agent = pool.ledger.agents.get(command.agent_id)
    begun = next((event for event in happened if isinstance(event, AgentSignedIn)), None)
    return pb.SignInResponse(
        session=begun.session if begun else 0,
        lease=fields.duration(command.lease_ms),
        legs=[views.leg_view(leg) for leg in views.legs_of(pool.ledger, agent)] if agent else [],
        position=pool.position,
    ).SerializeToString()


def sign_out_answer(agent_id: AgentId, pool: Pool, _happened: Events) -> bytes:
    """Returns the reply of SignOut."""
    presence = _presence(pool.ledger, agent_id)
    return pb.SignOutResponse(presence=presence, position=pool.position).SerializeToString()


def presence_answer(agent_id: AgentId, pool: Pool, _happened: Events) -> bytes:
    """Returns the reply of SetPresence."""
    presence = _presence(pool.ledger, agent_id)
    return pb.SetPresenceResponse(presence=presence, position=pool.position).SerializeToString()


def accept_answer(pool: Pool, happened: Events) -> bytes:
    """Returns the reply of AcceptOffer."""
    reply = pb.AcceptOfferResponse(position=pool.position)
    for event in happened:
        if isinstance(event, OfferAccepted):
            reply.contact_id = event.contact_id
            reply.state = choices.LEG_STATE_NUMBERS[event.state]
            if event.state is LegState.JOINING:
                reply.due_time.CopyFrom(fields.time_of(event.due_ms))
    return reply.SerializeToString()


def _presence(ledger: Ledger, agent_id: AgentId) -> agent_pb2.Presence.ValueType:
    agent = ledger.agents.get(agent_id)
    return choices.PRESENCE_NUMBERS[agent.presence if agent else Presence.OFFLINE]


def session_lease_ms(agent_id: AgentId, session: int, pool: Pool) -> int:
    """Returns the lease of the agent's session; raises unless it is the present one."""
    agent = known_agent(pool.ledger, agent_id)
    if session != agent.session or agent.lost:
        raise SessionSuperseded(
            f"session {session} of agent {agent_id!r} is over", agent_id=agent_id, session=session
        )
    return signed_in(agent).lease_ms


def heartbeat_reply(lease_ms: int) -> bytes:
    """Returns the reply of Heartbeat."""
    return pb.HeartbeatResponse(lease=fields.duration(lease_ms)).SerializeToString()


def agent_reply(agent_id: AgentId, pool: Pool) -> bytes:
    """Returns the reply of GetAgent; raises UnknownAgent."""
    agent = known_agent(pool.ledger, agent_id)
    view = views.agent_view(pool.ledger, agent, with_legs=True)
    return pb.GetAgentResponse(agent=view, position=pool.position).SerializeToString()


def wanted_presences(request: pb.ListAgentsRequest) -> tuple[Presence, ...]:
    """Returns the presences that a list shows; empty = all."""
    found = {fields.chosen(one, "presences", choices.PRESENCES) for one in request.presences}
    return tuple(presence for presence in Presence if presence in found)
