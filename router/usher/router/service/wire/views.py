"""Records of the ledger as messages: contact, leg, agent.

A view shows one moment and is built once per message; it holds no private field unless it is
handed one.
"""

from collections.abc import Iterable

from usher.queue.ledger import Ledger
from usher.queue.state import Agent, Contact, Leg
from usher.queue.values import NEVER_MS, ChannelPreference, LegState, Relationship, Urgency
from usher.router.service.wire import choices
from usher.router.service.wire.contacts import attributes_of
from usher.router.service.wire.fields import duration, timestamp
from usher.v1 import agent_pb2, agent_service_pb2, contact_pb2, leg_pb2

_NO_URGENCY = Urgency()
_DUE_STATES = (LegState.OFFERED, LegState.JOINING, LegState.WRAPPING)


def offer_view(leg: Leg) -> leg_pb2.Offer:
    """Returns the leg as the reply to an enqueue tells it."""
    return leg_pb2.Offer(
        leg_id=leg.leg_id,
        agent_id=leg.agent_id,
        state=choices.LEG_STATE_NUMBERS[leg.state],
        lease_end_time=timestamp(_due_ms(leg)),
        score=leg.score,
    )


def leg_view(leg: Leg) -> leg_pb2.Leg:
    """Returns the whole leg."""
    return leg_pb2.Leg(
        leg_id=leg.leg_id,
        contact_id=leg.contact_id,
        agent_id=leg.agent_id,
        channel=leg.channel,
        role=choices.ROLE_NUMBERS[leg.role],
        state=choices.LEG_STATE_NUMBERS[leg.state],
        end=choices.LEG_END_NUMBERS[leg.end],
        due_time=timestamp(_due_ms(leg)),
        offer_time=timestamp(leg.offered_ms),
        active_time=timestamp(leg.active_ms),
        wrapping_time=timestamp(leg.wrapping_ms),
        end_time=timestamp(leg.ended_ms),
        held=duration(leg.hold_ms) if leg.hold_ms else None,
        score=leg.score,
        policy_version=leg.policy_version,
        found=choices.FOUND_NUMBERS[leg.found],
    )


def watched_leg_view(
    leg: Leg, contact: Contact | None, private: bytes | None
) -> agent_service_pb2.WatchedLeg:
    """Returns a leg of a watch, with its contact where one is given."""
    view = None if contact is None else contact_view(contact, private=private, legs=())
    return agent_service_pb2.WatchedLeg(leg=leg_view(leg), contact=view)


def contact_view(
    contact: Contact, *, private: bytes | None = None, legs: Iterable[Leg] | None = None
) -> contact_pb2.Contact:
    """Returns the contact; `legs` None = its own, `private` None = without attributes."""
    facts = contact.facts
    waiting = contact.waiting_since_ms
    return contact_pb2.Contact(
        contact_id=contact.contact_id,
        queue=facts.queue,
        channel=facts.channel,
        origin=choices.ORIGIN_NUMBERS[facts.origin],
        customer_id=facts.customer_id,
        journey_id=facts.journey_id,
        topic=facts.topic,
        complexity=facts.complexity,
        languages=facts.languages,
        urgency=_urgency_view(facts.urgency),
        relationships=[_relationship_view(item) for item in facts.relationships],
        preferences=[_preference_view(item) for item in facts.preferences],
        attributes=attributes_of(private),
        state=choices.STATE_NUMBERS[contact.state],
        outcome=choices.OUTCOME_NUMBERS[contact.outcome],
        reason=contact.reason,
        disposition=contact.disposition,
        resolved=contact.resolved,
        platform=contact.platform,
        enqueue_time=timestamp(contact.enqueued_ms),
        waiting_since_time=timestamp(waiting),
        waited_before=duration(contact.waited_ms) if contact.waited_ms else None,
        answer_time=timestamp(contact.answered_ms),
        end_time=timestamp(contact.ended_ms),
        changed_position=contact.changed_position,
        legs=[leg_view(leg) for leg in (contact.legs if legs is None else legs)],
        failures=contact.failures,
    )


def agent_view(ledger: Ledger, agent: Agent, *, with_legs: bool = False) -> agent_pb2.Agent:
    """Returns the agent with what the roster says of it; never the session, which is a secret."""
    profile = ledger.profiles.get(agent.agent_id)
    return agent_pb2.Agent(
        agent_id=agent.agent_id,
        presence=choices.PRESENCE_NUMBERS[agent.presence],
        reason=agent.reason,
        lost=agent.lost,
        presence_time=timestamp(agent.presence_since_ms),
        sign_in_time=timestamp(agent.signed_in_ms),
        idle_since_time=None if agent.legs else timestamp(agent.idle_since_ms),
        units_used=agent.units_used,
        units=profile.capacity.units if profile else 0,
        groups=profile.groups if profile else (),
        site=profile.site if profile else "",
        legs=[leg_view(leg) for leg in legs_of(ledger, agent)] if with_legs else (),
    )


def legs_of(ledger: Ledger, agent: Agent) -> list[Leg]:
    """Returns the live and wrapping legs of an agent."""
    legs = []
    for leg_id, contact_id in agent.legs.items():
        contact = ledger.contacts.get(contact_id)
        leg = contact.leg(leg_id) if contact else None
        if leg is not None:
            legs.append(leg)
    return legs


def _due_ms(leg: Leg) -> int:
    return leg.due_ms if leg.state in _DUE_STATES else NEVER_MS


def _urgency_view(urgency: Urgency) -> contact_pb2.Urgency | None:
    if urgency == _NO_URGENCY:
        return None
    return contact_pb2.Urgency(
        tier=urgency.tier,
        failed_bots=urgency.failed_bots,
        abandons=urgency.abandons,
        switches=urgency.switches,
    )


def _relationship_view(item: Relationship) -> contact_pb2.Relationship:
    return contact_pb2.Relationship(agent_id=item.agent_id, strength=item.strength)


def _preference_view(item: ChannelPreference) -> contact_pb2.ChannelPreference:
    return contact_pb2.ChannelPreference(channel=item.channel, strength=item.strength)
