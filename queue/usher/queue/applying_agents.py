"""Applies the events of an agent to the ledger: sign-in, presence, sign-out, lost session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from usher.queue.applying_legs import agent_copy, change_leg, leg_of
from usher.queue.events import (
    AgentSignedIn,
    AgentSignedOut,
    PresenceSet,
    SessionLost,
)
from usher.queue.lifecycle import move_presence
from usher.queue.state import Agent, copied
from usher.queue.values import NEVER_MS, AgentId, LegId, Presence

if TYPE_CHECKING:
    from usher.queue.ledger import Ledger


def _sign_in(ledger: Ledger, event: AgentSignedIn, at_ms: int) -> None:
    agent = agent_copy(ledger, event.agent_id)
    if agent.presence is Presence.OFFLINE:
        agent.signed_in_ms = at_ms
    _set_presence(agent, event.presence, at_ms)
    agent.session = event.session
    agent.reason = event.reason
    agent.lease_ms = event.lease_ms
    agent.lost = False
    agent.missed = {}
    ledger.put_agent(agent)
    for leg_id in agent.legs:
        _set_grace(ledger, agent.agent_id, leg_id, NEVER_MS, NEVER_MS)


def _set_presence(agent: Agent, presence: Presence, at_ms: int) -> None:
    if agent.presence is not presence:
        agent.presence = move_presence(agent.presence, presence)
        agent.presence_since_ms = at_ms
        if presence is Presence.READY:
            agent.idle_since_ms = at_ms


def _change_presence(ledger: Ledger, event: PresenceSet, at_ms: int) -> None:
    agent = agent_copy(ledger, event.agent_id)
    _set_presence(agent, event.presence, at_ms)
    agent.reason = event.reason
    agent.missed = {}
    ledger.put_agent(agent)


def _sign_out(ledger: Ledger, event: AgentSignedOut, at_ms: int) -> None:
    agent = agent_copy(ledger, event.agent_id)
    _set_presence(agent, Presence.DRAINING if agent.legs else Presence.OFFLINE, at_ms)
    agent.reason = ""
    agent.lease_ms = 0
    ledger.put_agent(agent)
    if agent.presence is Presence.OFFLINE:
        ledger.leave_desk(agent.agent_id)


def _lose(ledger: Ledger, event: SessionLost, at_ms: int) -> None:
    agent = agent_copy(ledger, event.agent_id)
    _set_presence(agent, Presence.OFFLINE, at_ms)
    agent.lost = True
    agent.lease_ms = 0
    ledger.put_agent(agent)
    for grace in event.graces:
        _set_grace(ledger, agent.agent_id, grace.leg_id, at_ms, grace.due_ms)


def _set_grace(
    ledger: Ledger, agent_id: AgentId, leg_id: LegId, since_ms: int, due_ms: int
) -> None:
    contact = copied(ledger.contacts[ledger.agents[agent_id].legs[leg_id]])
    leg = leg_of(contact, leg_id)
    if leg.grace_due_ms == due_ms:
        return
    graced = copied(leg, grace_since_ms=since_ms, grace_due_ms=due_ms)
    change_leg(ledger, contact, leg, graced)
    ledger.put_contact(contact)
    if due_ms != NEVER_MS:
        ledger.deadlines.add_grace(graced)


CHANGES: Final[dict[type, Callable[..., None]]] = {
    AgentSignedIn: _sign_in,
    PresenceSet: _change_presence,
    AgentSignedOut: _sign_out,
    SessionLost: _lose,
}
"""What each event does, given the ledger, the event and its time."""
