"""What a journal holds, for a person: a summary, the records as lines, the story of one contact.

    records -> Tally (counts) and Pool.apply (state) -> JournalSummary

It must not know files of a journal, the server or the console, and never sees private fields:
records do not hold any.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec
from msgspec import Struct

from usher.queue.codec import Record
from usher.queue.events import (
    ContactAbandoned,
    ContactCancelled,
    ContactCompleted,
    ContactEnqueued,
    ContactFailed,
    ContactLost,
    ContactNoShow,
    ContactStarted,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    OfferWithdrawn,
    PolicySet,
    PoolOpened,
    RosterSet,
)
from usher.queue.values import Actor, ContactState
from usher.router.pool import Pool

_ENDINGS: dict[type, str] = {
    ContactCompleted: "completed",
    ContactAbandoned: "abandoned",
    ContactCancelled: "cancelled",
    ContactLost: "lost",
    ContactFailed: "failed",
    ContactNoShow: "no_show",
}
_OFFERS: dict[type, str] = {
    OfferMade: "made",
    OfferDeclined: "declined",
    OfferExpired: "expired",
    OfferWithdrawn: "withdrawn",
}
_LONG_LISTS = 3  # a policy or a batch of a thousand contacts is told by its size


class Opening(Struct, frozen=True):
    """When a server took up the pool, and with what it computed."""

    position: int
    at_ms: int
    usher_version: str
    numpy_version: str
    scipy_version: str
    clock_rate: int


class RulesSet(Struct, frozen=True):
    """When a policy or roster was set."""

    position: int
    at_ms: int
    what: str
    version: str


class JournalSummary(Struct, frozen=True, kw_only=True):
    """A journal at a glance. Times are UTC ms by the server's own clock."""

    path: str
    incarnation: str
    records: int
    first_ms: int | None
    last_ms: int | None
    openings: tuple[Opening, ...]
    rules: tuple[RulesSet, ...]
    commands: dict[str, int]
    contacts: int
    outcomes: dict[str, int]
    """Of all contacts that were ever there; `open` = not ended."""
    offers: dict[str, int]
    live: dict[str, int]
    """Contacts in the pool now, by state."""
    agents: dict[str, int]
    """Agents of the roster now, by presence."""
    state_hash: str


def summarise(path: str, incarnation: str, records: Iterable[Record]) -> JournalSummary:
    """The summary of a whole journal; replays it."""
    tally, pool = _Tally(), Pool()
    for record in records:
        tally.take(record)
        pool.apply(record.events, record.at_ms)
        pool.take_changes()
    ledger = pool.ledger
    ended = sum(tally.outcomes.values())
    return JournalSummary(
        path=path,
        incarnation=incarnation,
        records=tally.records,
        first_ms=tally.first_ms,
        last_ms=tally.last_ms,
        openings=tuple(tally.openings),
        rules=tuple(tally.rules),
        commands=dict(tally.commands.most_common()),
        contacts=tally.contacts,
        outcomes={**dict(tally.outcomes.most_common()), "open": tally.contacts - ended},
        offers=dict(tally.offers.most_common()),
        live=dict(Counter(one.state.value for one in ledger.contacts.values())),
        agents=dict(Counter(one.presence.value for one in ledger.agents.values())),
        state_hash=pool.state_hash(),
    )


class _Tally:
    """Counts over all records."""

    def __init__(self) -> None:
        self.records = 0
        self.contacts = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.openings: list[Opening] = []
        self.rules: list[RulesSet] = []
        self.commands: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.offers: Counter[str] = Counter()

    def take(self, record: Record) -> None:
        """Counts one record."""
        self.records += 1
        self.first_ms = record.at_ms if self.first_ms is None else self.first_ms
        self.last_ms = record.at_ms
        self.commands[type(record.command).__name__] += 1
        for event in record.events:
            self._take_event(record, event)

    def _take_event(self, record: Record, event: object) -> None:
        place = (record.position, record.at_ms)
        if isinstance(event, ContactEnqueued | ContactStarted):
            self.contacts += 1
        elif (ending := _ENDINGS.get(type(event))) is not None:
            self.outcomes[ending] += 1
        elif (offer := _OFFERS.get(type(event))) is not None:
            self.offers[offer] += 1
        elif isinstance(event, PoolOpened):
            versions = (event.usher_version, event.numpy_version, event.scipy_version)
            self.openings.append(Opening(*place, *versions, event.clock_rate))
        elif isinstance(event, PolicySet):
            self.rules.append(RulesSet(*place, "policy", event.policy.version))
        elif isinstance(event, RosterSet):
            self.rules.append(RulesSet(*place, "roster", event.roster.version))


def record_facts(record: Record) -> dict[str, object]:
    """A record with the names of its fields, ready for JSON."""
    return {
        "position": record.position,
        "at": time_text(record.at_ms),
        "at_ms": record.at_ms,
        "command": facts_of(record.command),
        "events": [facts_of(event) for event in record.events],
        "request_id": record.request_id,
    }


def record_line(record: Record, about: str = "") -> str:
    """A record on one line. `about` is a contact that need not be named again."""
    command = record.command
    events = "; ".join(
        _told(event, about) for event in record.events if not about or about_contact(event, about)
    )
    return (
        f"{record.position:>8}  {time_text(record.at_ms)}  {type(command).__name__}"
        f" by {_actor_text(command.actor)}: {events or 'nothing changed'}"
    )


def story(records: Iterable[Record], contact_id: str) -> Iterator[tuple[Record, int]]:
    """Yields the records that tell of a contact, each with the ms since the first of them."""
    first_ms: int | None = None
    for record in records:
        if about_contact(record.command, contact_id) or any(
            about_contact(event, contact_id) for event in record.events
        ):
            first_ms = record.at_ms if first_ms is None else first_ms
            yield record, record.at_ms - first_ms


def about_contact(value: object, contact_id: str) -> bool:
    """Whether a command or event names this contact, as its own or in a list."""
    named = getattr(value, "contact_id", None) == contact_id
    leg_id = getattr(value, "leg_id", "")
    many = getattr(value, "contact_ids", ()) or getattr(value, "live", ())
    contacts = getattr(value, "contacts", ()) or (getattr(value, "contact", None),)
    return (
        named
        or leg_id.rpartition(".")[0] == contact_id
        or contact_id in many
        or any(getattr(one, "contact_id", None) == contact_id for one in contacts)
    )


def facts_of(value: object) -> Any:
    """A struct as a dict with its type and the fields that are not at their default."""
    match value:
        case Struct():
            fields = msgspec.structs.fields(type(value))
            told = {one.name: getattr(value, one.name) for one in fields}
            kept = {
                one.name: facts_of(told[one.name])
                for one in fields
                if one.required or told[one.name] != one.default
            }
            return {"type": type(value).__name__, **kept}
        case Enum():
            return value.value
        case list() | tuple():
            return [facts_of(one) for one in value]
        case dict():
            return {str(key): facts_of(one) for key, one in value.items()}
        case _:
            return value


def time_text(at_ms: int) -> str:
    """A moment in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def live_contacts(summary: JournalSummary) -> int:
    """How many contacts have not ended."""
    return sum(n for state, n in summary.live.items() if state != ContactState.ENDED.value)


def _actor_text(actor: Actor) -> str:
    return f"{actor.kind.value}/{actor.id}"


def _told(event: Struct, about: str) -> str:
    pairs = []
    for field in msgspec.structs.fields(type(event)):
        value = getattr(event, field.name)
        if value in ("", (), None) or (field.name == "contact_id" and value == about):
            continue
        pairs.append(f"{field.name}={_value_text(field.name, value)}")
    return " ".join([type(event).__name__, *pairs])


def _value_text(name: str, value: object) -> str:
    match value:
        case Enum():
            return str(value.value)
        case int() if name.endswith("_ms") and value > 10**11:
            return time_text(value)
        case list() | tuple() if len(value) > _LONG_LISTS:
            return f"<{len(value)}>"
        case Struct() if (version := getattr(value, "version", None)) is not None:
            return str(version)
        case Struct():
            inner = facts_of(value)
            shown = (f"{key}={one}" for key, one in inner.items() if key != "type" and one)
            return "(" + " ".join(shown) + ")"
        case list() | tuple():
            return "[" + ", ".join(_value_text("", one) for one in value) + "]"
        case _:
            return str(value)
