"""What a trial saw of the pool through its two watches, step by step.

Counts what would break a promise (two owner legs at once, an end taken back), keeps the last state
of each contact and the presence of each agent. It must not know how commands are sent.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct

from usher.queue.values import Channel
from usher.v1 import agent_pb2, agent_service_pb2, contact_pb2, leg_pb2, router_service_pb2

ENDED = contact_pb2.CONTACT_STATE_ENDED
LIVE = (
    leg_pb2.LEG_STATE_OFFERED,
    leg_pb2.LEG_STATE_JOINING,
    leg_pb2.LEG_STATE_ACTIVE,
    leg_pb2.LEG_STATE_HELD,
)
SERVED = (leg_pb2.LEG_STATE_ACTIVE, leg_pb2.LEG_STATE_HELD)


class PresenceChange(Struct, frozen=True):
    """From when on an agent had a presence (a value of usher.v1.Presence)."""

    at_ms: int
    presence: int


class Observed:
    """Everything seen so far; `take_*` take in one message of a watch."""

    def __init__(self) -> None:
        self.contacts: dict[str, contact_pb2.Contact] = {}
        self.ends: Counter[str] = Counter()
        """How often each contact was seen to end: more than once breaks a promise."""
        self.serving: defaultdict[str, set[str]] = defaultdict(set)
        """Legs by contact that were seen with agent and customer together."""
        self.double_owned: set[str] = set()
        """Contacts seen with two live owner legs at once."""
        self.offers: set[str] = set()
        self.offer_ends: Counter[str] = Counter()
        """Legs that ended before they were served, by reason."""
        self.presence: defaultdict[str, list[PresenceChange]] = defaultdict(list)
        self.legs: dict[str, leg_pb2.Leg] = {}
        """Legs that are not done, by id."""
        self.position = 0
        self.server_ms = 0

    def take_contacts(self, step: router_service_pb2.WatchContactsResponse) -> list[str]:
        """Returns the ids of contacts that have ended in this step."""
        self.position = max(self.position, step.head.position)
        self.server_ms = max(self.server_ms, milliseconds(step.head.server_time))
        return [contact.contact_id for contact in step.contacts if self._take_contact(contact)]

    def take_offers(self, step: agent_service_pb2.WatchOffersResponse) -> list[leg_pb2.Leg]:
        """Returns the legs of this step: new ones, changed ones, ended ones."""
        self.position = max(self.position, step.head.position)
        for agent in step.agents:
            self._take_agent(agent)
        legs = [watched.leg for watched in step.legs]
        for leg in legs:
            self._take_leg(leg)
        return legs

    def working(self) -> set[str]:
        """Agents that are signed in, as far as was seen."""
        return {
            agent_id
            for agent_id, changes in self.presence.items()
            if changes[-1].presence != agent_pb2.PRESENCE_OFFLINE
        }

    def _take_contact(self, contact: contact_pb2.Contact) -> bool:
        contact_id = contact.contact_id
        known = self.contacts.get(contact_id)
        self.contacts[contact_id] = contact
        if owners(contact.legs) > 1:
            self.double_owned.add(contact_id)
        for leg in contact.legs:
            if leg.HasField("active_time"):
                self.serving[contact_id].add(leg.leg_id)
        was_over, is_over = known is not None and known.state == ENDED, contact.state == ENDED
        if is_over and not was_over:
            self.ends[contact_id] += 1
        if was_over and not is_over:
            self.ends[contact_id] += 1  # an end was taken back
        return is_over and not was_over

    def _take_leg(self, leg: leg_pb2.Leg) -> None:
        is_offer = leg.channel != Channel.WALK_IN  # a clerk calls a visitor: nothing is offered
        if is_offer:
            self.offers.add(leg.leg_id)
        if leg.state in SERVED:
            self.serving[leg.contact_id].add(leg.leg_id)
        if leg.state != leg_pb2.LEG_STATE_DONE:
            self.legs[leg.leg_id] = leg
            return
        self.legs.pop(leg.leg_id, None)
        if is_offer and not leg.HasField("active_time"):
            name = leg_pb2.LegEnd.Name(leg.end).removeprefix("LEG_END_").lower()
            self.offer_ends[name] += 1

    def _take_agent(self, agent: agent_pb2.Agent) -> None:
        changes = self.presence[agent.agent_id]
        since_ms = milliseconds(agent.presence_time)
        if not changes or (changes[-1].at_ms, changes[-1].presence) != (since_ms, agent.presence):
            changes.append(PresenceChange(since_ms, agent.presence))


def owners(legs: Iterable[leg_pb2.Leg]) -> int:
    """How many of these legs own their contact now."""
    return sum(leg.role == leg_pb2.LEG_ROLE_OWNER and leg.state in LIVE for leg in legs)


def milliseconds(stamp: Timestamp) -> int:
    """Whole ms of a timestamp."""
    return stamp.seconds * 1000 + stamp.nanos // 1_000_000
