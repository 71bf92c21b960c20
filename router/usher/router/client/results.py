"""What calls to Usher return: frozen structs in plain Python types.

Times are aware datetimes in UTC, by the server's clock; None = has not happened.
"""

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct

from usher.queue.values import ContactState, LegEnd, LegState, Origin, Outcome, Presence
from usher.router.service.wire import choices
from usher.v1 import agent_pb2, agent_service_pb2, contact_pb2, leg_pb2, server_service_pb2
from usher.v1 import router_service_pb2 as router_pb


class Offer(Struct, frozen=True):
    """To whom a contact is offered."""

    leg_id: str
    agent_id: str
    state: LegState
    lease_end: datetime | None
    score: int


class Placement(Struct, frozen=True):
    """Where a contact stands: with an agent, or at a place in the queue (1 = next, 0 = neither)."""

    contact_id: str
    offer: Offer | None
    queue_position: int
    position: int


class Leg(Struct, frozen=True):
    """One agent on one contact. `due`: end of the offer, of joining or of wrap-up."""

    leg_id: str
    contact_id: str
    agent_id: str
    channel: str
    state: LegState
    end: LegEnd
    due: datetime | None
    offered: datetime | None
    active: datetime | None
    ended: datetime | None
    score: int


class Contact(Struct, frozen=True):
    """One contact. `attributes` are there in `get_contact` and with offers only."""

    contact_id: str
    queue: str
    channel: str
    origin: Origin
    state: ContactState
    outcome: Outcome
    customer_id: str
    journey_id: str
    topic: str
    complexity: int
    languages: tuple[str, ...]
    attributes: dict[str, str]
    reason: str
    disposition: str
    resolved: bool | None
    platform: str
    enqueued: datetime | None
    answered: datetime | None
    ended: datetime | None
    legs: tuple[Leg, ...]
    changed_position: int


class Agent(Struct, frozen=True):
    """One agent of the roster."""

    agent_id: str
    presence: Presence
    reason: str
    lost: bool
    units_used: int
    units: int
    groups: tuple[str, ...]
    site: str
    presence_since: datetime | None
    legs: tuple[Leg, ...]


class Session(Struct, frozen=True):
    """A session of an agent: `number` fences off desktops that it replaced."""

    agent_id: str
    number: int
    lease_s: float
    legs: tuple[Leg, ...]
    position: int


class Accepted(Struct, frozen=True):
    """An offer that was taken. `due`: end of joining; None when it is active."""

    contact_id: str
    state: LegState
    due: datetime | None
    position: int


class Synced(Struct, frozen=True):
    """What a sync found; the lists hold the first 1,000."""

    lost: tuple[str, ...]
    lost_count: int
    unknown: tuple[str, ...]
    unknown_count: int
    position: int


class ServerInfo(Struct, frozen=True):
    """What runs, under which rules, and how safe its journal is."""

    time: datetime | None
    clock_rate: int
    usher_version: str
    numpy_version: str
    scipy_version: str
    policy_version: str
    policy_digest: str
    roster_version: str
    roster_digest: str
    journal_incarnation: str
    durability: str
    position: int
    counters: dict[str, int]


class ContactsStep(Struct, frozen=True):
    """A part of a watch of contacts. `begins`: forget what you hold, a snapshot starts here."""

    begins: bool
    contacts: tuple[Contact, ...]
    gone: tuple[str, ...]
    position: int
    time: datetime | None


class WatchedLeg(Struct, frozen=True):
    """A leg, with its contact when it is new to the watch."""

    leg: Leg
    contact: Contact | None


class OffersStep(Struct, frozen=True):
    """A part of a watch of offers. `begins`: forget what you hold, a snapshot starts here."""

    begins: bool
    legs: tuple[WatchedLeg, ...]
    agents: tuple[Agent, ...]
    position: int
    time: datetime | None


def time_of(message: Message, name: str) -> datetime | None:
    """Returns the time in a field of the message, None if it is not there."""
    if not message.HasField(name):
        return None
    found: Timestamp = getattr(message, name)
    return found.ToDatetime(UTC)


def placement_of(message: router_pb.Placement, position: int) -> Placement:
    """Returns a placement as of a journal position."""
    offer = offer_of(message.offer) if message.HasField("offer") else None
    return Placement(message.contact_id, offer, message.queue_position, position)


def offer_of(message: leg_pb2.Offer) -> Offer:
    """Returns an offer."""
    return Offer(
        message.leg_id,
        message.agent_id,
        choices.LEG_STATES[message.state],
        time_of(message, "lease_end_time"),
        message.score,
    )


def leg_of(message: leg_pb2.Leg) -> Leg:
    """Returns a leg."""
    return Leg(
        leg_id=message.leg_id,
        contact_id=message.contact_id,
        agent_id=message.agent_id,
        channel=message.channel,
        state=choices.LEG_STATES[message.state],
        end=choices.LEG_ENDS[message.end],
        due=time_of(message, "due_time"),
        offered=time_of(message, "offer_time"),
        active=time_of(message, "active_time"),
        ended=time_of(message, "end_time"),
        score=message.score,
    )


def contact_of(message: contact_pb2.Contact) -> Contact:
    """Returns a contact."""
    return Contact(
        contact_id=message.contact_id,
        queue=message.queue,
        channel=message.channel,
        origin=choices.ORIGINS[message.origin],
        state=choices.CONTACT_STATES[message.state],
        outcome=choices.OUTCOMES[message.outcome],
        customer_id=message.customer_id,
        journey_id=message.journey_id,
        topic=message.topic,
        complexity=message.complexity,
        languages=tuple(message.languages),
        attributes=dict(message.attributes),
        reason=message.reason,
        disposition=message.disposition,
        resolved=message.resolved if message.HasField("resolved") else None,
        platform=message.platform,
        enqueued=time_of(message, "enqueue_time"),
        answered=time_of(message, "answer_time"),
        ended=time_of(message, "end_time"),
        legs=tuple(leg_of(leg) for leg in message.legs),
        changed_position=message.changed_position,
    )


def agent_of(message: agent_pb2.Agent) -> Agent:
    """Returns an agent."""
    return Agent(
        agent_id=message.agent_id,
        presence=choices.PRESENCES[message.presence],
        reason=message.reason,
        lost=message.lost,
        units_used=message.units_used,
        units=message.units,
        groups=tuple(message.groups),
        site=message.site,
        presence_since=time_of(message, "presence_time"),
        legs=tuple(leg_of(leg) for leg in message.legs),
    )


def session_of(agent_id: str, message: agent_service_pb2.SignInResponse) -> Session:
    """Returns a session."""
    lease_s = message.lease.ToTimedelta().total_seconds()
    legs = tuple(leg_of(leg) for leg in message.legs)
    return Session(agent_id, message.session, lease_s, legs, message.position)


def accepted_of(message: agent_service_pb2.AcceptOfferResponse) -> Accepted:
    """Returns an accepted offer."""
    state, due = choices.LEG_STATES[message.state], time_of(message, "due_time")
    return Accepted(message.contact_id, state, due, message.position)


def synced_of(message: router_pb.SyncContactsResponse) -> Synced:
    """Returns what a sync found."""
    return Synced(
        tuple(message.lost_contact_ids),
        message.lost_count,
        tuple(message.unknown_contact_ids),
        message.unknown_count,
        message.position,
    )


def server_of(message: server_service_pb2.GetServerResponse) -> ServerInfo:
    """Returns what a server told of itself."""
    names = [name for name in ServerInfo.__struct_fields__ if name not in ("time", "counters")]
    told = {name: getattr(message, name) for name in names}
    counters = dict(message.counters)
    return ServerInfo(time=time_of(message, "server_time"), counters=counters, **told)


def contacts_step_of(message: router_pb.WatchContactsResponse, *, begins: bool) -> ContactsStep:
    """Returns a part of a watch of contacts."""
    contacts = tuple(contact_of(contact) for contact in message.contacts)
    gone, head = tuple(message.gone_contact_ids), message.head
    return ContactsStep(begins, contacts, gone, head.position, time_of(head, "server_time"))


def offers_step_of(message: agent_service_pb2.WatchOffersResponse, *, begins: bool) -> OffersStep:
    """Returns a part of a watch of offers."""
    legs = tuple(
        WatchedLeg(leg_of(one.leg), contact_of(one.contact) if one.HasField("contact") else None)
        for one in message.legs
    )
    agents, head = tuple(agent_of(agent) for agent in message.agents), message.head
    return OffersStep(begins, legs, agents, head.position, time_of(head, "server_time"))
