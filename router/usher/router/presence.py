"""Decides an agent's own commands: sign in, presence, sign out; and the loss of a desktop."""

from usher.queue.commands import LoseSession, SetPresence, SignIn, SignOut
from usher.queue.errors import AgentClosed, Invalid
from usher.queue.events import (
    AgentSignedIn,
    AgentSignedOut,
    AnyEvent,
    LegGrace,
    OfferWithdrawn,
    PresenceSet,
    SessionLost,
)
from usher.queue.ledger import Ledger
from usher.queue.state import Agent
from usher.queue.values import LegState, Presence
from usher.router.lookups import (
    agent_in_session,
    channel_rules,
    known_agent,
    queue_rules,
    signed_in,
)
from usher.router.offers import agent_leg, open_offers


def sign_in(ledger: Ledger, command: SignIn, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the new session; signing in again takes over with live offers and legs."""
    agent = known_agent(ledger, command.agent_id)
    if ledger.profiles[agent.agent_id].closed and not agent.legs:
        raise AgentClosed(
            f"agent {agent.agent_id!r} is no longer in the roster", agent_id=agent.agent_id
        )
    _check_presence(command.presence, command.reason)
    if command.presence is Presence.DRAINING:
        raise Invalid("presence", "sign in as ready or not-ready", presence="draining")
    return (
        AgentSignedIn(
            agent.agent_id,
            agent.session + 1,
            command.presence,
            command.reason,
            command.lease_ms,
        ),
    )


def set_presence(ledger: Ledger, command: SetPresence, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the new presence; nothing if it is already so. Draining without work is leaving."""
    agent = agent_in_session(ledger, command, command.agent_id, command.session)
    signed_in(agent)
    _check_presence(command.presence, command.reason)
    if agent.presence is command.presence and agent.reason == command.reason:
        return ()
    if command.presence is Presence.DRAINING and not agent.legs:
        return (AgentSignedOut(agent.agent_id),)
    return (PresenceSet(agent.agent_id, command.presence, command.reason),)


def _check_presence(presence: Presence, reason: str) -> None:
    if presence is Presence.OFFLINE:
        raise Invalid("presence", "ready, not-ready or draining; to go offline sign out")
    if presence is Presence.NOT_READY and not reason:
        raise Invalid("reason", "not-ready needs a reason code")


def sign_out(ledger: Ledger, command: SignOut, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the end of the session; open offers go back, live work is drained."""
    agent = agent_in_session(ledger, command, command.agent_id, command.session)
    signed_in(agent)
    withdrawn = _withdraw_offers(ledger, agent, "signed_out")
    return (*withdrawn, AgentSignedOut(agent.agent_id))


def lose_session(ledger: Ledger, command: LoseSession, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the loss of a desktop; nothing if the session is no longer the present one."""
    agent = known_agent(ledger, command.agent_id)
    over = agent.session != command.session or agent.presence is Presence.OFFLINE
    if over or agent.lost:
        return ()
    withdrawn = _withdraw_offers(ledger, agent, "session_lost")
    return (*withdrawn, SessionLost(agent.agent_id, _graces(ledger, agent, at_ms)))


def _withdraw_offers(ledger: Ledger, agent: Agent, reason: str) -> tuple[OfferWithdrawn, ...]:
    offers = open_offers(ledger, agent)
    return tuple(OfferWithdrawn(leg.contact_id, leg.leg_id, reason) for leg in offers)


def _graces(ledger: Ledger, agent: Agent, at_ms: int) -> tuple[LegGrace, ...]:
    graces: list[LegGrace] = []
    for leg_id in agent.legs:
        leg = agent_leg(ledger, agent, leg_id)
        queued = queue_rules(ledger, ledger.contacts[leg.contact_id]) is not None
        grace_ms = channel_rules(ledger, leg.channel).lost_grace_ms
        live = leg.state is not LegState.OFFERED and leg.owns
        if live and queued and grace_ms is not None:
            graces.append(LegGrace(leg_id, at_ms + grace_ms))
    return tuple(graces)
