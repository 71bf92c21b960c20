"""Beginning, changing and ending a leg on both its records: the contact's and the agent's.

Used by the applying modules only. Copies come in, copies go out; nothing is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usher.queue.lifecycle import move_leg
from usher.queue.state import Agent, Contact, Leg, duplicate
from usher.queue.values import NEVER_MS, AgentId, LegEnd, LegId, LegState, Presence

if TYPE_CHECKING:
    from usher.queue.ledger import Ledger


# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_WRAPPING: Final = LegState.WRAPPING
_DONE: Final = LegState.DONE
_DRAINING: Final = Presence.DRAINING


class BrokenLedger(RuntimeError):
    """An event does not fit the state it is applied to: a bug or a journal of another pool."""


def begin_leg(ledger: Ledger, contact: Contact, leg: Leg) -> None:
    """Adds a leg to a contact's copy and charges its agent."""
    contact.legs = (*contact.legs, leg)
    contact.leg_count += 1
    agent = agent_copy(ledger, leg.agent_id)
    agent.legs[leg.leg_id] = leg.contact_id
    agent.units_used += leg.units
    agent.channel_legs[leg.channel] = agent.channel_legs.get(leg.channel, 0) + 1
    ledger.put_agent(agent)
    ledger.touched.legs[leg.leg_id] = leg


def change_leg(ledger: Ledger, contact: Contact, old: Leg, new: Leg) -> None:
    """Puts a changed leg in the old one's place on a contact's copy (no end, no wrap-up)."""
    move_leg(old.state, new.state)
    if len(contact.legs) == 1:
        contact.legs = (new,)
    else:
        contact.legs = tuple(new if leg is old else leg for leg in contact.legs)
    ledger.touched.legs[new.leg_id] = new


def wrap_leg(ledger: Ledger, contact: Contact, leg: Leg, at_ms: int, until_ms: int) -> None:
    """Moves an active or held leg to wrap-up until `until_ms`; its end will be `completed`."""
    wrapping = _off_hold(leg, at_ms)
    wrapping.state = move_leg(leg.state, _WRAPPING)
    wrapping.wrapping_ms = at_ms
    wrapping.due_ms = until_ms
    wrapping.grace_due_ms = NEVER_MS
    contact.legs = tuple(wrapping if other is leg else other for other in contact.legs)
    agent = agent_copy(ledger, leg.agent_id)
    agent.units_used += wrapping.units - leg.units
    _count_down(agent, leg)
    ledger.put_agent(agent)
    ledger.touched.legs[leg.leg_id] = wrapping
    ledger.deadlines.add_leg(wrapping)


def end_leg(ledger: Ledger, contact: Contact, leg: Leg, at_ms: int, end: LegEnd) -> None:
    """Ends a leg on a contact's copy and frees its agent; one never active leaves the contact."""
    done = _off_hold(leg, at_ms)
    done.state = move_leg(leg.state, _DONE)
    done.ended_ms = at_ms
    done.end = end
    done.grace_due_ms = NEVER_MS
    was_active = leg.active_ms != NEVER_MS
    if len(contact.legs) == 1:
        contact.legs = (done,) if was_active else ()
    else:
        legs = [done if other is leg else other for other in contact.legs]
        contact.legs = tuple(other for other in legs if other is not done or was_active)
    _free(ledger, leg, at_ms, was_active)
    ledger.touched.legs[leg.leg_id] = done


def _free(ledger: Ledger, leg: Leg, at_ms: int, was_active: bool) -> None:
    agent = agent_copy(ledger, leg.agent_id)
    agent.legs.pop(leg.leg_id, None)
    agent.units_used -= leg.units
    if leg.state is not _WRAPPING:
        _count_down(agent, leg)
    if was_active and not agent.legs:
        agent.idle_since_ms = at_ms
    if agent.presence is _DRAINING and not agent.legs:
        agent.presence = Presence.OFFLINE
        agent.presence_since_ms = at_ms
        ledger.leave_desk(agent.agent_id)
    ledger.put_agent(agent)


def _count_down(agent: Agent, leg: Leg) -> None:
    left = agent.channel_legs[leg.channel] - 1
    if left:
        agent.channel_legs[leg.channel] = left
    else:
        del agent.channel_legs[leg.channel]


def _off_hold(leg: Leg, at_ms: int) -> Leg:
    copy = duplicate(leg)
    if leg.held_since_ms != NEVER_MS:
        copy.hold_ms += at_ms - leg.held_since_ms
        copy.held_since_ms = NEVER_MS
    return copy


def agent_copy(ledger: Ledger, agent_id: AgentId) -> Agent:
    """Returns a copy of the agent's record whose tables may be changed too.

    The record itself where records are changed in place.
    """
    if ledger.in_place:
        return ledger.agents[agent_id]
    agent = duplicate(ledger.agents[agent_id])
    agent.legs = agent.legs.copy()
    agent.channel_legs = agent.channel_legs.copy()
    return agent


def leg_of(contact: Contact, leg_id: LegId) -> Leg:
    """Returns the leg; raises BrokenLedger if the contact has none of that id."""
    leg = contact.leg(leg_id)
    if leg is None:
        raise BrokenLedger(f"contact {contact.contact_id} has no leg {leg_id}")
    return leg
