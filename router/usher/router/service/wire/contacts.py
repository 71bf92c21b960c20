"""From NewContact messages to facts and private fields, with every limit checked.

Field names in refusals are those of the request: `contact.complexity`, `contacts[3].queue`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from usher.queue.commands import FactChanges
from usher.queue.errors import Invalid
from usher.queue.journal.contract import PrivateFields
from usher.queue.values import (
    TERM_MAX,
    AgentId,
    ChannelName,
    ChannelPreference,
    ContactFacts,
    ContactId,
    NewContact,
    QueueName,
    Relationship,
    Urgency,
)
from usher.router.service.wire import choices, fields
from usher.v1 import contact_pb2

LANGUAGES_MAX: Final = 8
RELATIONSHIPS_MAX: Final = 32
PREFERENCES_MAX: Final = 32
WAITED_MAX_MS: Final = 31 * fields.DAY_MS
COUNT_MAX: Final = 1_000
ATTRIBUTES_MAX: Final = 32
ATTRIBUTE_BYTES_MAX: Final = 1_024
ATTRIBUTES_BYTES_MAX: Final = 8 * 1_024

_NO_URGENCY: Final = Urgency()
_key = re.compile(r"[A-Za-z0-9_.-]{1,64}").fullmatch
_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")
_DECODER: Final = msgspec.msgpack.Decoder(dict[str, str])

Item = TypeVar("Item", Relationship, ChannelPreference)


class Wanted(Struct, frozen=True, gc=False):
    """A contact as it was asked for: its id may be missing yet. `private` is empty or encoded."""

    contact: NewContact
    private: bytes


def wanted_contact(
    message: contact_pb2.NewContact, place: str = "contact", *, queue_needed: bool = True
) -> Wanted:
    """Returns the checked contact; raises Invalid. `place` leads the names of its fields."""
    queue_check = fields.needed_code if queue_needed else fields.optional_code
    facts = ContactFacts(
        QueueName(queue_check(message.queue, f"{place}.queue")),
        ChannelName(fields.needed_code(message.channel, f"{place}.channel")),
        fields.chosen(message.origin, f"{place}.origin", choices.ORIGINS),
        fields.optional_id(message.customer_id, f"{place}.customer_id"),
        fields.optional_id(message.journey_id, f"{place}.journey_id"),
        fields.optional_code(message.topic, f"{place}.topic"),
        fields.whole(message.complexity, f"{place}.complexity", 0, 10),
        _languages(message, place),
        _urgency(message, place),
        _relationships(message, place),
        _preferences(message, place),
        _waited_ms(message, place),
    )
    contact_id = fields.optional_id(message.contact_id, f"{place}.contact_id")
    return Wanted(NewContact(ContactId(contact_id), facts), _private(message, place))


def attributes_of(private: bytes | None) -> dict[str, str]:
    """Returns the attributes that a contact's private fields hold."""
    return _DECODER.decode(private) if private else {}


def _languages(message: contact_pb2.NewContact, place: str) -> tuple[str, ...]:
    if not message.languages:
        return ()
    return fields.languages_of(message.languages, f"{place}.languages", LANGUAGES_MAX)


def _urgency(message: contact_pb2.NewContact, place: str) -> Urgency:
    if not message.HasField("urgency"):
        return _NO_URGENCY
    urgency, place = message.urgency, f"{place}.urgency"
    return Urgency(
        fields.whole(urgency.tier, f"{place}.tier", 0, 10),
        fields.whole(urgency.failed_bots, f"{place}.failed_bots", 0, COUNT_MAX),
        fields.whole(urgency.abandons, f"{place}.abandons", 0, COUNT_MAX),
        fields.whole(urgency.switches, f"{place}.switches", 0, COUNT_MAX),
    )


def _relationships(message: contact_pb2.NewContact, place: str) -> tuple[Relationship, ...]:
    if not message.relationships:
        return ()
    place = f"{place}.relationships"
    fields.at_most(len(message.relationships), place, RELATIONSHIPS_MAX)
    found = tuple(
        Relationship(
            AgentId(fields.needed_id(item.agent_id, f"{place}.agent_id")),
            fields.whole(item.strength, f"{place}.strength", -TERM_MAX, TERM_MAX),
        )
        for item in message.relationships
    )
    return _once(found, place, lambda item: item.agent_id)


def _preferences(message: contact_pb2.NewContact, place: str) -> tuple[ChannelPreference, ...]:
    if not message.preferences:
        return ()
    place = f"{place}.preferences"
    fields.at_most(len(message.preferences), place, PREFERENCES_MAX)
    found = tuple(
        ChannelPreference(
            ChannelName(fields.needed_code(item.channel, f"{place}.channel")),
            fields.whole(item.strength, f"{place}.strength", 0, TERM_MAX),
        )
        for item in message.preferences
    )
    return _once(found, place, lambda item: item.channel)


def _once(items: tuple[Item, ...], place: str, key: Callable[[Item], str]) -> tuple[Item, ...]:
    if len({key(item) for item in items}) < len(items):
        raise Invalid(place, "names nothing twice")
    return items


def _waited_ms(message: contact_pb2.NewContact, place: str) -> int:
    if not message.HasField("waited"):
        return 0
    return fields.duration_ms(message.waited, f"{place}.waited", WAITED_MAX_MS)


def _private(message: contact_pb2.NewContact, place: str) -> bytes:
    if not message.attributes:
        return b""
    attributes = dict(message.attributes)
    _check_attributes(attributes, f"{place}.attributes")
    return _ENCODER.encode(attributes)


def _check_attributes(attributes: Mapping[str, str], place: str) -> None:
    """The refusals name neither key nor value: both may be personal."""
    fields.at_most(len(attributes), place, ATTRIBUTES_MAX)
    total = 0
    for key, value in attributes.items():
        if _key(key) is None:
            raise Invalid(place, "keys are [A-Za-z0-9_.-]{1,64}")
        size = len(value.encode())
        if size > ATTRIBUTE_BYTES_MAX:
            raise Invalid(place, f"a value has at most {ATTRIBUTE_BYTES_MAX} bytes")
        total += len(key) + size
    if total > ATTRIBUTES_BYTES_MAX:
        raise Invalid(place, f"at most {ATTRIBUTES_BYTES_MAX} bytes in total")


class Change(Struct, frozen=True, gc=False):
    """New values of a contact. `private` None = as it is; empty = none any more."""

    facts: FactChanges
    private: bytes | None


_CHANGERS: Final[Mapping[str, Callable[[contact_pb2.NewContact, str], object]]] = {
    "topic": lambda m, p: fields.optional_code(m.topic, f"{p}.topic"),
    "complexity": lambda m, p: fields.whole(m.complexity, f"{p}.complexity", 0, 10),
    "languages": _languages,
    "customer_id": lambda m, p: fields.optional_id(m.customer_id, f"{p}.customer_id"),
    "journey_id": lambda m, p: fields.optional_id(m.journey_id, f"{p}.journey_id"),
    "urgency": _urgency,
    "relationships": _relationships,
    "preferences": _preferences,
}


def change_of(message: contact_pb2.NewContact, paths: tuple[str, ...]) -> Change:
    """Returns the new values of the fields that `paths` name; raises Invalid."""
    if not paths:
        raise Invalid("update_mask", "names at least one field")
    named: dict[str, Any] = {}
    for path in paths:
        if path in _CHANGERS:
            named[path] = _CHANGERS[path](message, "contact")
        elif path != "attributes":
            raise Invalid("update_mask", f"fields are: {', '.join([*_CHANGERS, 'attributes'])}")
    private = _private(message, "contact") if "attributes" in paths else None
    return Change(FactChanges(**named), private)


def private_fields(contact_id: ContactId, private: bytes) -> tuple[PrivateFields, ...]:
    """Returns what the journal is to store beside the record; nothing if there is nothing."""
    return (PrivateFields(contact_id, private),) if private else ()
