"""Records of the ledger as messages: contact, leg, agent.

A view shows one moment and is built once per message; it holds no private field unless it is
handed one.
"""

from usher.queue.ledger import Ledger
from usher.queue.state import Agent, Contact, Leg
from usher.queue.values import NEVER_MS, ContactFacts, LegState, Urgency
from usher.router.service.wire import choices
from usher.router.service.wire.contacts import attributes_of
from usher.router.service.wire.fields import set_time, timestamp
from usher.v1 import agent_pb2, agent_service_pb2, contact_pb2, leg_pb2

_NO_URGENCY = Urgency()
_DUE_STATES = (LegState.OFFERED, LegState.JOINING, LegState.WRAPPING)


def fill_offer(view: leg_pb2.Offer, leg: Leg) -> None:
    """Fills an empty message with the leg as the reply to an enqueue tells it."""
    state = leg.state
    view.leg_id = leg.leg_id
    view.agent_id = leg.agent_id
    view.state = choices.LEG_STATE_NUMBERS[state]
    view.score = leg.score
    if state in _DUE_STATES:
        set_time(view.lease_end_time, leg.due_ms)


def leg_view(leg: Leg) -> leg_pb2.Leg:
    """Returns the whole leg."""
    view = leg_pb2.Leg()
    fill_leg(view, leg)
    return view


def fill_leg(view: leg_pb2.Leg, leg: Leg) -> None:
    """Fills an empty message in place: handing a finished one over would copy it."""
    view.leg_id = leg.leg_id
    view.contact_id = leg.contact_id
    view.agent_id = leg.agent_id
    view.channel = leg.channel
    view.role = choices.ROLE_NUMBERS[leg.role]
    view.state = choices.LEG_STATE_NUMBERS[leg.state]
    view.end = choices.LEG_END_NUMBERS[leg.end]
    view.score = leg.score
    view.policy_version = leg.policy_version
    view.found = choices.FOUND_NUMBERS[leg.found]
    set_time(view.offer_time, leg.offered_ms)
    if leg.state in _DUE_STATES:
        set_time(view.due_time, leg.due_ms)
    if leg.active_ms != NEVER_MS:
        set_time(view.active_time, leg.active_ms)
    if leg.wrapping_ms != NEVER_MS:
        set_time(view.wrapping_time, leg.wrapping_ms)
    if leg.ended_ms != NEVER_MS:
        set_time(view.end_time, leg.ended_ms)
    if leg.hold_ms:
        set_time(view.held, leg.hold_ms)


def watched_leg_view(
    leg: Leg, contact: Contact | None, private: bytes | None
) -> agent_service_pb2.WatchedLeg:
    """Returns a leg of a watch, with its contact where one is given."""
    view = agent_service_pb2.WatchedLeg()
    fill_leg(view.leg, leg)
    if contact is not None:
        fill_contact(view.contact, contact, private)
    return view


def contact_view(contact: Contact, private: bytes | None = None) -> contact_pb2.Contact:
    """Returns the contact with its legs; `private` None = without attributes."""
    view = contact_pb2.Contact()
    fill_contact(view, contact, private)
    for leg in contact.legs:
        fill_leg(view.legs.add(), leg)
    return view


def fill_contact(view: contact_pb2.Contact, contact: Contact, private: bytes | None) -> None:
    """Fills an empty message with all but the legs."""
    _fill_facts(view, contact.facts)
    view.contact_id = contact.contact_id
    view.platform = contact.platform
    view.state = choices.STATE_NUMBERS[contact.state]
    view.outcome = choices.OUTCOME_NUMBERS[contact.outcome]
    view.reason = contact.reason
    view.disposition = contact.disposition
    view.changed_position = contact.changed_position
    view.failures = contact.failed_joinings
    if contact.resolved is not None:
        view.resolved = contact.resolved
    if private:
        view.attributes.update(attributes_of(private))
    _fill_times(view, contact)


def _fill_facts(view: contact_pb2.Contact, facts: ContactFacts) -> None:
    view.queue = facts.queue
    view.channel = facts.channel
    view.origin = choices.ORIGIN_NUMBERS[facts.origin]
    view.customer_id = facts.customer_id
    view.journey_id = facts.journey_id
    view.topic = facts.topic
    view.complexity = facts.complexity
    if facts.languages:
        view.languages.extend(facts.languages)
    if facts.urgency != _NO_URGENCY:
        view.urgency.tier = facts.urgency.tier
        view.urgency.failed_bots = facts.urgency.failed_bots
        view.urgency.abandons = facts.urgency.abandons
        view.urgency.switches = facts.urgency.switches
    for relationship in facts.relationships:
        view.relationships.add(agent_id=relationship.agent_id, strength=relationship.strength)
    for preference in facts.preferences:
        view.preferences.add(channel=preference.channel, strength=preference.strength)


def _fill_times(view: contact_pb2.Contact, contact: Contact) -> None:
    set_time(view.enqueue_time, contact.enqueued_ms)
    if contact.waiting_since_ms != NEVER_MS:
        set_time(view.waiting_since_time, contact.waiting_since_ms)
    if contact.waited_ms:
        set_time(view.waited_before, contact.waited_ms)
    if contact.answered_ms != NEVER_MS:
        set_time(view.answer_time, contact.answered_ms)
    if contact.ended_ms != NEVER_MS:
        set_time(view.end_time, contact.ended_ms)


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
