"""Values that commands, events and records share: ids, closed lists, what a contact brings along.

Pure data. Knows nothing of the pool, of time's passing, or of how anything is stored. What was
written to a journal is read for ever: fields are only added, at the end, with a default.
"""

from enum import Enum
from typing import Annotated, NewType

from msgspec import Meta, Struct

ContactId = NewType("ContactId", str)
AgentId = NewType("AgentId", str)
LegId = NewType("LegId", str)
QueueName = NewType("QueueName", str)
ChannelName = NewType("ChannelName", str)

ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}\Z"
"""Ids from callers: no dot (derived ids have one), no phone number sign, no address."""

CODE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,63}\Z"
"""Codes (topic, reason, disposition, skill, queue, channel, group): of a list, never free text."""

LANGUAGE_PATTERN = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}\Z"
"""Language tags as in BCP 47, short forms only."""

NEVER_MS = -1
"""Stands for 'has not happened' in columns and records of times."""

TERM_MAX = 1000
LEVEL_MAX = 10


class Channel:
    """Names of the channels that every policy has; a policy may name further ones."""

    VOICE = ChannelName("voice")
    VIDEO = ChannelName("video")
    CHAT = ChannelName("chat")
    MESSAGE = ChannelName("message")
    SMS = ChannelName("sms")
    EMAIL = ChannelName("email")
    SOCIAL = ChannelName("social")
    WEB_FORM = ChannelName("web_form")
    CALLBACK = ChannelName("callback")
    TASK = ChannelName("task")
    WALK_IN = ChannelName("walk_in")


CHANNELS = (
    Channel.VOICE,
    Channel.VIDEO,
    Channel.CHAT,
    Channel.MESSAGE,
    Channel.SMS,
    Channel.EMAIL,
    Channel.SOCIAL,
    Channel.WEB_FORM,
    Channel.CALLBACK,
    Channel.TASK,
    Channel.WALK_IN,
)


class ClosedList(Enum):
    """Base of the closed lists. Members are hashed by identity: Enum's own hash runs in Python."""

    __hash__ = object.__hash__


class Origin(ClosedList):
    """How a contact came to be. A bot's escalation is an origin, not a channel."""

    INBOUND = "inbound"
    CALLBACK = "callback"
    TRANSFER = "transfer"
    BOT = "bot"
    OUTBOUND = "outbound"


class ContactState(ClosedList):
    """Where a contact stands; `lifecycle` holds the legal moves."""

    SCHEDULED = "scheduled"
    WAITING = "waiting"
    ENGAGED = "engaged"
    ASLEEP = "asleep"
    PARKED = "parked"
    ENDED = "ended"


class Outcome(ClosedList):
    """How a contact ended: a closed list."""

    NONE = "none"
    COMPLETED = "completed"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    NO_SHOW = "no_show"
    LOST = "lost"
    MOVED = "moved"
    FAILED = "failed"


class LegRole(ClosedList):
    """What one agent is on one contact; at most one live owner leg per contact."""

    OWNER = "owner"
    CONSULT = "consult"
    PARTICIPANT = "participant"


class LegState(ClosedList):
    """Where a leg stands: offered -> joining -> active <-> held -> wrapping -> done."""

    OFFERED = "offered"
    JOINING = "joining"
    ACTIVE = "active"
    HELD = "held"
    WRAPPING = "wrapping"
    DONE = "done"


class LegEnd(ClosedList):
    """Why a leg is done."""

    NONE = "none"
    COMPLETED = "completed"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    MOVED = "moved"
    FAILED = "failed"
    REQUEUED = "requeued"
    LOST = "lost"


class Presence(ClosedList):
    """Whether an agent takes work; `draining` finishes its work and goes offline."""

    OFFLINE = "offline"
    READY = "ready"
    NOT_READY = "not_ready"
    DRAINING = "draining"


class Found(ClosedList):
    """How the pair of an offer was found; recorded with the offer. `picked`: by a person."""

    ROW = "row"
    COLUMN = "column"
    JOINT = "joint"
    GREEDY = "greedy"
    FCFS = "fcfs"
    PICKED = "picked"


class ActorKind(ClosedList):
    """Who gives a command."""

    PLATFORM = "platform"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    SYSTEM = "system"


class Actor(Struct, frozen=True, array_like=True, gc=False):
    """Who gave a command; journalled with it."""

    kind: ActorKind
    id: str


SYSTEM = Actor(ActorKind.SYSTEM, "usher")

Level = Annotated[int, Meta(ge=1, le=LEVEL_MAX)]
Code = Annotated[str, Meta(pattern=CODE_PATTERN)]
Id = Annotated[str, Meta(pattern=ID_PATTERN)]


class Relationship(Struct, frozen=True, array_like=True, gc=False):
    """Past dealings of this customer with one agent, already decayed and weighted by outcome.

    `strength` is -1000 (never again) .. 1000 (always helped well).
    """

    agent_id: AgentId
    strength: int


class ChannelPreference(Struct, frozen=True, array_like=True, gc=False):
    """How much this customer likes to be served on a channel: `strength` 0 .. 1000."""

    channel: ChannelName
    strength: int


class Urgency(Struct, frozen=True, array_like=True, gc=False):
    """What makes a contact urgent beside its wait; all are facts that the caller knows.

    `tier` 0 (none) .. 10 (highest). The counts are of this journey so far.
    """

    tier: int = 0
    failed_bots: int = 0
    abandons: int = 0
    switches: int = 0


class ContactFacts(Struct, frozen=True, array_like=True, gc=False):
    """What is known of a contact beside its state. Codes and figures only: nothing personal.

    `complexity` 0 (unknown) .. 10. `languages` in order of preference: an agent must speak one of
    them. `waited_ms` is time waited that it brings along from an earlier contact of its journey.
    """

    queue: QueueName
    channel: ChannelName
    origin: Origin = Origin.INBOUND
    customer_id: str = ""
    journey_id: str = ""
    topic: str = ""
    complexity: int = 0
    languages: tuple[str, ...] = ()
    urgency: Urgency = Urgency()
    relationships: tuple[Relationship, ...] = ()
    preferences: tuple[ChannelPreference, ...] = ()
    waited_ms: int = 0


class NewContact(Struct, frozen=True, array_like=True, gc=False):
    """A contact as a caller brings it: its id and its facts."""

    contact_id: ContactId
    facts: ContactFacts
