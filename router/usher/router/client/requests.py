"""From plain Python values to the messages that describe a contact."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct

from usher.queue.values import Origin
from usher.router.service.wire import choices
from usher.v1 import contact_pb2


class Urgency(Struct, frozen=True):
    """What makes a contact urgent beside its wait."""

    tier: int = 0
    failed_bots: int = 0
    abandons: int = 0
    switches: int = 0


class ContactOptions(TypedDict, total=False):
    """What may be told of a contact beside queue and channel; contact.proto says what each means.

    `relationships`: strength by agent id. `preferences`: strength by channel. `attributes` are
    private: they come back with the offer and stand in no journal or log.
    """

    contact_id: str
    origin: Origin
    customer_id: str
    journey_id: str
    topic: str
    complexity: int
    languages: Sequence[str]
    urgency: Urgency
    relationships: Mapping[str, int]
    preferences: Mapping[str, int]
    waited: timedelta
    attributes: Mapping[str, str]


def new_contact(
    queue: str, channel: str, **options: Unpack[ContactOptions]
) -> contact_pb2.NewContact:
    """Returns the message of a contact, for `enqueue_all`."""
    urgency = options.get("urgency")
    waited = options.get("waited")
    return contact_pb2.NewContact(
        contact_id=options.get("contact_id", ""),
        queue=queue,
        channel=channel,
        origin=choices.ORIGIN_NUMBERS[options.get("origin", Origin.INBOUND)],
        customer_id=options.get("customer_id", ""),
        journey_id=options.get("journey_id", ""),
        topic=options.get("topic", ""),
        complexity=options.get("complexity", 0),
        languages=options.get("languages", ()),
        urgency=None if urgency is None else urgency_message(urgency),
        relationships=[
            contact_pb2.Relationship(agent_id=agent_id, strength=strength)
            for agent_id, strength in options.get("relationships", {}).items()
        ],
        preferences=[
            contact_pb2.ChannelPreference(channel=name, strength=strength)
            for name, strength in options.get("preferences", {}).items()
        ],
        waited=None if waited is None else duration_of(waited),
        attributes=options.get("attributes", {}),
    )


def duration_of(span: timedelta) -> Duration:
    """Returns the span as a message."""
    message = Duration()
    message.FromTimedelta(span)
    return message


def time_message(time: datetime) -> Timestamp:
    """Returns an aware time as a message."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def urgency_message(urgency: Urgency) -> contact_pb2.Urgency:
    """Returns the urgency as a message."""
    return contact_pb2.Urgency(
        tier=urgency.tier,
        failed_bots=urgency.failed_bots,
        abandons=urgency.abandons,
        switches=urgency.switches,
    )
