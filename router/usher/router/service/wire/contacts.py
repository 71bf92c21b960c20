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
    try:
        contact_id = fields.optional_id(message.contact_id, "contact_id")
        facts = _facts(message, queue_needed=queue_needed)
        private = private_of(message.attributes)
        return Wanted(NewContact(ContactId(contact_id), facts), private)
    except Invalid as error:
        raise Invalid(f"{place}.{error.field}", error.rule) from None


def _facts(message: contact_pb2.NewContact, *, queue_needed: bool) -> ContactFacts:
    """The path of every contact: what is absent costs one look, names of fields are constants."""
    queue_check = fields.needed_code if queue_needed else fields.optional_code
    return ContactFacts(
        QueueName(queue_check(message.queue, "queue")),
        ChannelName(fields.needed_code(message.channel, "channel")),
        fields.chosen(message.origin, "origin", choices.ORIGINS),
        fields.optional_id(message.customer_id, "customer_id"),
        fields.optional_id(message.journey_id, "journey_id"),
        fields.optional_code(message.topic, "topic"),
        fields.whole(message.complexity, "complexity", 0, 10),
        _languages(message),
        urgency_of(message.urgency) if message.HasField("urgency") else _NO_URGENCY,
        _relationships(message) if message.relationships else (),
        _preferences(message) if message.preferences else (),
        _waited_ms(message) if message.HasField("waited") else 0,
    )


def attributes_of(private: bytes | None) -> dict[str, str]:
    """Returns the attributes that a contact's private fields hold."""
    return _DECODER.decode(private) if private else {}


def _languages(message: contact_pb2.NewContact) -> tuple[str, ...]:
    if not message.languages:
        return ()
    return fields.languages_of(message.languages, "languages", LANGUAGES_MAX)


def urgency_of(urgency: contact_pb2.Urgency) -> Urgency:
    """Returns the checked urgency; raises Invalid."""
    return Urgency(
        fields.whole(urgency.tier, "urgency.tier", 0, 10),
        fields.whole(urgency.failed_bots, "urgency.failed_bots", 0, COUNT_MAX),
        fields.whole(urgency.abandons, "urgency.abandons", 0, COUNT_MAX),
        fields.whole(urgency.switches, "urgency.switches", 0, COUNT_MAX),
    )


def _relationships(message: contact_pb2.NewContact) -> tuple[Relationship, ...]:
    fields.at_most(len(message.relationships), "relationships", RELATIONSHIPS_MAX)
    found = tuple(
        Relationship(
            AgentId(fields.needed_id(item.agent_id, "relationships.agent_id")),
            fields.whole(item.strength, "relationships.strength", -TERM_MAX, TERM_MAX),
        )
        for item in message.relationships
    )
    return _once(found, "relationships", lambda item: item.agent_id)


def _preferences(message: contact_pb2.NewContact) -> tuple[ChannelPreference, ...]:
    fields.at_most(len(message.preferences), "preferences", PREFERENCES_MAX)
    found = tuple(
        ChannelPreference(
            ChannelName(fields.needed_code(item.channel, "preferences.channel")),
            fields.whole(item.strength, "preferences.strength", 0, TERM_MAX),
        )
        for item in message.preferences
    )
    return _once(found, "preferences", lambda item: item.channel)


def _once(items: tuple[Item, ...], field: str, key: Callable[[Item], str]) -> tuple[Item, ...]:
    if len({key(item) for item in items}) < len(items):
        raise Invalid(field, "names nothing twice")
    return items


def _waited_ms(message: contact_pb2.NewContact) -> int:
    return fields.duration_ms(message.waited, "waited", WAITED_MAX_MS)


def private_of(given: Mapping[str, str]) -> bytes:
    """Returns the checked attributes as they are stored, empty for none; raises Invalid."""
    if not given:
        return b""
    attributes = dict(given)
    _check_attributes(attributes)
    return _ENCODER.encode(attributes)


def _check_attributes(attributes: Mapping[str, str]) -> None:
    """The refusals name neither key nor value: both may be personal."""
    fields.at_most(len(attributes), "attributes", ATTRIBUTES_MAX)
    total = 0
    for key, value in attributes.items():
        if _key(key) is None:
            raise Invalid("attributes", "keys are [A-Za-z0-9_.-]{1,64}")
        size = len(value) if value.isascii() else len(value.encode())
        if size > ATTRIBUTE_BYTES_MAX:
            raise Invalid("attributes", f"a value has at most {ATTRIBUTE_BYTES_MAX} bytes")
        total += len(key) + size
    if total > ATTRIBUTES_BYTES_MAX:
        raise Invalid("attributes", f"at most {ATTRIBUTES_BYTES_MAX} bytes in total")


class Change(Struct, frozen=True, gc=False):
    """New values of a contact. `private` None = as it is; empty = none any more."""

    facts: FactChanges
    private: bytes | None


_CHANGERS: Final[Mapping[str, Callable[[contact_pb2.NewContact], object]]] = {
    "topic": lambda message: fields.optional_code(message.topic, "topic"),
    "complexity": lambda message: fields.whole(message.complexity, "complexity", 0, 10),
    "languages": _languages,
    "customer_id": lambda message: fields.optional_id(message.customer_id, "customer_id"),
    "journey_id": lambda message: fields.optional_id(message.journey_id, "journey_id"),
    "urgency": lambda message: urgency_of(message.urgency),
    "relationships": _relationships,
    "preferences": _preferences,
}


def change_of(message: contact_pb2.NewContact, paths: tuple[str, ...]) -> Change:
    """Returns the new values of the fields that `paths` name; raises Invalid."""
    strange = [path for path in paths if path not in _CHANGERS and path != "attributes"]
    if strange or not paths:
        raise Invalid("update_mask", f"some of: {', '.join([*_CHANGERS, 'attributes'])}")
    try:
        named: dict[str, Any] = {
            path: _CHANGERS[path](message) for path in paths if path in _CHANGERS
        }
        private = private_of(message.attributes) if "attributes" in paths else None
    except Invalid as error:
        raise Invalid(f"contact.{error.field}", error.rule) from None
    return Change(FactChanges(**named), private)


def private_fields(contact_id: ContactId, private: bytes) -> tuple[PrivateFields, ...]:
    """Returns what the journal is to store beside the record; nothing if there is nothing."""
    return (PrivateFields(contact_id, private),) if private else ()
