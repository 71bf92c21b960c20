"""Whether one recorded offer was allowed: the rules of the match for a single pair, and why not.

The ledger is the one before the record; within the record, what earlier events of it charged to an
agent or took off again counts. Nothing is scored and nothing chosen: another score, or another
allowed agent, is no fault. Presence, capacity and pauses are read off the records, what an agent
may serve off the compiled policy. It must not know journals or versions.
"""

from collections import Counter
from collections.abc import Iterator

from usher.queue import commands as c
from usher.queue.branches import DeskId, desk_id_of
from usher.queue.events import AnyEvent, OfferMade, OfferWithdrawn
from usher.queue.ledger import Ledger
from usher.queue.rules import AgentProfile
from usher.queue.state import Contact
from usher.queue.values import AgentId, ChannelName, ContactId
from usher.router.agents import may_be_offered
from usher.router.branch_lookups import given_at
from usher.router.pool import Pool


def faults(
    pool: Pool, command: c.AnyCommand, events: tuple[AnyEvent, ...]
) -> Iterator[tuple[OfferMade, str]]:
    """Yields the offers of a record that were not allowed, each with the reason.

    `pool` is as it was before the record.
    """
    admission = _Admission(pool, command)
    for event in events:
        if isinstance(event, OfferWithdrawn):
            admission.give_back(event)
        elif isinstance(event, OfferMade):
            fault = admission.fault(event)
            if fault:
                yield event, fault
            admission.charge(event)


class _Admission:
    """One record on its way: what it has charged so far, on top of the ledger before it."""

    def __init__(self, pool: Pool, command: c.AnyCommand) -> None:
        self._pool = pool
        self._ledger: Ledger = pool.ledger
        self._command = command
        self._units: Counter[AgentId] = Counter()
        self._legs: Counter[tuple[AgentId, ChannelName]] = Counter()
        self._offered: set[ContactId] = set()

    def fault(self, offer: OfferMade) -> str:
        """Returns why the offer was not allowed; empty if it was."""
        contact = self._ledger.contacts.get(offer.contact_id)
        profile = self._ledger.profiles.get(offer.agent_id)
        if contact is None:
            return f"contact {offer.contact_id} is not in the pool"
        if profile is None:
            return f"agent {offer.agent_id} is not in the roster"
        if not contact.waits_unoffered or contact.contact_id in self._offered:
            return f"contact {contact.contact_id} does not wait, or is offered already"
        match self._command:
            case c.CallNext() | c.CallTicket() as call:
                desk_id = desk_id_of(call.branch, call.desk)
                there = self._is_called(contact, profile, desk_id)
            case c.MatchContacts():
                there = self._is_there(contact, profile)
            case _:
                return f"{type(self._command).__name__} makes no offers"
        return there or self._suits(contact, profile) or self._room(contact, profile, offer)

    def charge(self, offer: OfferMade) -> None:
        """Counts an offer against its agent."""
        contact = self._ledger.contacts.get(offer.contact_id)
        self._offered.add(offer.contact_id)
        self._units[offer.agent_id] += offer.price
        if contact is not None:
            self._legs[offer.agent_id, contact.facts.channel] += 1

    def give_back(self, withdrawn: OfferWithdrawn) -> None:
        """Takes a leg that was there before the record off its agent."""
        contact = self._ledger.contacts.get(withdrawn.contact_id)
        leg = None if contact is None else contact.leg(withdrawn.leg_id)
        if leg is not None:
            self._units[leg.agent_id] -= leg.units
            self._legs[leg.agent_id, leg.channel] -= 1

    def _is_there(self, contact: Contact, profile: AgentProfile) -> str:
        if contact.contact_id in self._ledger.tickets:
            return f"contact {contact.contact_id} has a ticket: desks call it"
        agent = self._ledger.agents[profile.agent_id]
        if may_be_offered(agent, profile):
            return ""
        how = "closed" if profile.closed else "lost" if agent.lost else agent.presence.value
        return f"agent {profile.id} is not there for offers: {how}"

    def _is_called(self, contact: Contact, profile: AgentProfile, desk_id: DeskId) -> str:
        """Returns why the clerk could not call the ticket: an own act, whatever the presence."""
        desk = self._ledger.desks.get(desk_id)
        if desk is None or self._ledger.desk_of.get(profile.agent_id) != desk_id:
            return f"agent {profile.id} does not sit at desk {desk_id}"
        if desk.closed or profile.closed:
            return f"agent {profile.id} or desk {desk_id} was left out of the rules"
        ticket = self._ledger.tickets.get(contact.contact_id)
        if ticket is None or ticket.branch != desk.branch:
            return f"contact {contact.contact_id} has no ticket of branch {desk.branch}"
        if not given_at(self._ledger, desk, ticket.service):
            return f"desk {desk.desk_id} does not give service {ticket.service}"
        return ""

    def _suits(self, contact: Contact, profile: AgentProfile) -> str:
        facts = contact.facts
        if facts.channel not in profile.capacity.channels:
            return f"agent {profile.id} does not serve channel {facts.channel}"
        if not self._pool.matcher.lobby.suits(profile.agent_id, facts):
            return (
                f"agent {profile.id} lacks a skill, group or language that queue {facts.queue}"
                f" or contact {contact.contact_id} asks for"
            )
        picked = isinstance(self._command, c.CallTicket)
        if profile.agent_id in contact.pauses and not picked:
            return f"the pair pauses until {contact.pauses[profile.agent_id]}"
        return ""

    def _room(self, contact: Contact, profile: AgentProfile, offer: OfferMade) -> str:
        channel, capacity = contact.facts.channel, profile.capacity
        listed = capacity.channels[channel]
        if (offer.price, offer.wrap_up_price) != (listed.price, listed.wrap_up_price):
            return (
                f"the offer costs {offer.price} units and {offer.wrap_up_price} in wrap-up, by the"
                f" roster {listed.price} and {listed.wrap_up_price}"
            )
        agent_id = profile.agent_id
        agent = self._ledger.agents[agent_id]
        units = agent.units_used + self._units[agent_id] + offer.price
        legs = agent.channel_legs.get(channel, 0) + self._legs[agent_id, channel] + 1
        if units > capacity.units:
            return f"agent {profile.id} would have {units} of {capacity.units} units"
        if legs > listed.most:
            return f"agent {profile.id} would have {legs} of {listed.most} legs of {channel}"
        return ""
