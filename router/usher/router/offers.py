"""Decides offers: making them from pairs, accept, decline, and withdrawing what no longer fits."""

from typing import TYPE_CHECKING, Final

from usher.queue.commands import AcceptOffer, DeclineOffer
from usher.queue.errors import ContactEnded, NotYourOffer, OfferGone, UnknownLeg
from usher.queue.events import (
    AnyEvent,
    OfferAccepted,
    OfferDeclined,
    OfferMade,
    OfferWithdrawn,
)
from usher.queue.ledger import Ledger
from usher.queue.rules import ChannelRules, Connects
from usher.queue.state import Agent, Contact, Leg
from usher.queue.values import (
    AgentId,
    ChannelName,
    ContactId,
    ContactState,
    LegId,
    LegState,
)
from usher.router.lookups import (
    agent_in_session,
    channel_rules,
    known_agent,
    pause_until_ms,
    policy_of,
)

if TYPE_CHECKING:
    from usher.router.matching import Pair


# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_ACCEPT: Final = Connects.ACCEPT
_ACTIVE: Final = LegState.ACTIVE


def make_offers(ledger: Ledger, pairs: "list[Pair]", at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns an offer per pair, accepted at once where the channel says so."""
    version = policy_of(ledger).version
    events: list[AnyEvent] = []
    for pair in pairs:
        contact = ledger.contacts[pair.contact_id]
        facts = contact.facts
        leg_id = LegId(f"{pair.contact_id}.{contact.leg_count + 1}")
        events.append(
            OfferMade(
                pair.contact_id,
                leg_id,
                pair.agent_id,
                pair.price,
                pair.wrap_up_price,
                at_ms + ledger.queues[facts.queue].offer_timeout_ms,
                pair.score,
                version,
                pair.found,
            )
        )
        rules = channel_rules(ledger, facts.channel)
        if rules.automatic_accept:
            events.append(_accepted(pair.contact_id, leg_id, rules, at_ms))
    return tuple(events)


def accept_offer(ledger: Ledger, command: AcceptOffer, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the acceptance: the leg joins, or is active where acceptance connects."""
    agent = agent_in_session(ledger, command, command.agent_id, command.session)
    leg = _open_offer(ledger, agent, command.leg_id)
    rules = channel_rules(ledger, leg.channel)
    return (_accepted(leg.contact_id, leg.leg_id, rules, at_ms),)


def _accepted(
    contact_id: ContactId, leg_id: LegId, rules: ChannelRules, at_ms: int
) -> OfferAccepted:
    if rules.connects is _ACCEPT:
        return OfferAccepted(contact_id, leg_id, _ACTIVE, 0)
    return OfferAccepted(contact_id, leg_id, LegState.JOINING, at_ms + rules.joining_limit_ms)


def decline_offer(ledger: Ledger, command: DeclineOffer, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the decline: the contact keeps its place, the pair pauses."""
    agent = agent_in_session(ledger, command, command.agent_id, command.session)
    leg = _open_offer(ledger, agent, command.leg_id)
    contact = ledger.contacts[leg.contact_id]
    pause_ms = pause_until_ms(ledger, contact, at_ms)
    return (OfferDeclined(leg.contact_id, leg.leg_id, pause_ms, command.reason),)


def _open_offer(ledger: Ledger, agent: Agent, leg_id: LegId) -> Leg:
    """Returns the agent's open offer; raises UnknownLeg, ContactEnded, NotYourOffer, OfferGone."""
    contact_id, _, number = leg_id.rpartition(".")
    contact = ledger.contacts.get(ContactId(contact_id))
    if contact is None or not _is_number(number, contact.leg_count):
        raise UnknownLeg(f"no leg {leg_id!r} in this pool", leg_id=leg_id)
    if contact.state is ContactState.ENDED:
        raise ContactEnded(
            f"contact {contact_id!r} has ended: {contact.outcome.value}",
            contact_id=contact_id,
            state=contact.state.value,
            outcome=contact.outcome.value,
        )
    leg = contact.leg(leg_id)
    if leg is not None and leg.agent_id != agent.agent_id:
        raise NotYourOffer(f"leg {leg_id!r} is another agent's", leg_id=leg_id)
    if leg is None or leg.state is not LegState.OFFERED:
        state = "gone" if leg is None else leg.state.value
        raise OfferGone(
            f"the offer {leg_id!r} is no longer open: the leg is {state}",
            leg_id=leg_id,
            state=state,
            contact_state=contact.state.value,
        )
    return leg


def _is_number(text: str, most: int) -> bool:
    """Returns whether the text is a whole number 1 .. most, written as leg ids have it."""
    # isdigit alone lets superscripts through; a very long number is no int to Python either.
    plain = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    return plain and 1 <= int(text) <= most


def price_of(ledger: Ledger, agent_id: AgentId, channel: ChannelName) -> tuple[int, int]:
    """Returns price and wrap-up price in units of one leg of the channel for this agent.

    A channel that the agent's capacity does not list costs all units: facts of a platform are
    recorded for any agent, and leave no room for more.
    """
    capacity = ledger.profiles[agent_id].capacity
    listed = capacity.channels.get(channel)
    if listed is None:
        return capacity.units, 0
    return listed.price, listed.wrap_up_price


def withdraw_what_no_longer_fits(
    ledger: Ledger, agent_id: AgentId, channel: ChannelName, price: int
) -> tuple[OfferWithdrawn, ...]:
    """Returns withdrawals of the agent's open offers, newest first, until the rest fits.

    Called when a leg of `channel` at `price` comes upon the agent as a fact.
    """
    agent = known_agent(ledger, agent_id)
    capacity = ledger.profiles[agent_id].capacity
    units_used = agent.units_used + price
    counts = dict(agent.channel_legs)
    counts[channel] = counts.get(channel, 0) + 1
    withdrawn: list[OfferWithdrawn] = []
    for leg in open_offers(ledger, agent):
        listed = capacity.channels.get(leg.channel)
        most = listed.most if listed is not None else 0
        if units_used <= capacity.units and counts[leg.channel] <= most:
            continue
        units_used -= leg.price
        counts[leg.channel] -= 1
        withdrawn.append(OfferWithdrawn(leg.contact_id, leg.leg_id, "no_room"))
    return tuple(withdrawn)


def open_offers(ledger: Ledger, agent: Agent) -> list[Leg]:
    """Returns the agent's open offers, newest first (later offered, then later leg id)."""
    legs = [agent_leg(ledger, agent, leg_id) for leg_id in agent.legs]
    offers = [leg for leg in legs if leg.state is LegState.OFFERED]
    return sorted(offers, key=lambda leg: (leg.offered_ms, leg.leg_id), reverse=True)


def agent_leg(ledger: Ledger, agent: Agent, leg_id: LegId) -> Leg:
    """Returns one of the agent's live or wrapping legs."""
    contact: Contact = ledger.contacts[agent.legs[leg_id]]
    leg = contact.leg(leg_id)
    if leg is None:
        raise UnknownLeg(f"no leg {leg_id!r} in this pool", leg_id=leg_id)
    return leg
