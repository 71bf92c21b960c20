"""Policy and roster as they are journalled: what the router gives meaning to, and what files hold.

Pure data with its own bounds (msgspec checks them when a file or journal is read). Rules that span
several values (a queue that asks for a skill nobody knows) are checked by `usher.router.policy`.
Durations are whole milliseconds; files may write "90s" (the edge that reads them translates).
"""

from enum import Enum
from typing import Annotated

from msgspec import Meta, Struct, field

from usher.queue.values import CHANNELS, AgentId, Channel, ChannelName, Code, Id, Level, QueueName

Duration = Annotated[int, Meta(ge=0, le=400 * 24 * 3600 * 1000)]
Weight = Annotated[int, Meta(ge=0, le=1000)]
Units = Annotated[int, Meta(ge=1, le=10_000)]
Price = Annotated[int, Meta(ge=0, le=10_000)]
Most = Annotated[int, Meta(ge=1, le=1000)]

QUEUES_MAX = 1000
AGENTS_MAX = 100_000
SKILLS_MAX = 1000


class Rank(Enum):
    """Every contact of a rank comes before the next rank."""

    ABSOLUTE = "absolute"
    LIVE = "live"
    DEFERRED = "deferred"


RANK_ORDER = {Rank.ABSOLUTE: 0, Rank.LIVE: 1, Rank.DEFERRED: 2}


class Order(Enum):
    """How contacts of one rank and level are placed: jointly by score, or one by one by age."""

    SCORE = "score"
    FCFS = "fcfs"


class Connects(Enum):
    """What ends joining on a channel: the agent's acceptance, or the platform's ConnectContact."""

    ACCEPT = "accept"
    CONNECT = "connect"


class ChannelRules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits and habits of one channel.

    `missed_offers_max` timeouts in a row make the agent not-ready (0 = never). `lost_grace_ms`:
    how long a lost desktop may take to come back before its contacts re-queue (None = they stay).
    `failures_max` failed joinings end the contact (as no-show where the customer was to come).
    """

    connects: Connects = Connects.ACCEPT
    automatic_accept: bool = False
    joining_limit_ms: Duration = 60_000
    wrap_up_ms: Duration = 0
    missed_offers_max: Annotated[int, Meta(ge=0, le=100)] = 3
    lost_grace_ms: Duration | None = 30_000
    failures_max: Annotated[int, Meta(ge=1, le=100)] = 3
    failure_is_no_show: bool = False


_LIVE_MEDIA = ChannelRules(
    connects=Connects.CONNECT, missed_offers_max=1, lost_grace_ms=None, joining_limit_ms=30_000
)

DEFAULT_CHANNELS: dict[ChannelName, ChannelRules] = {
    **{name: ChannelRules() for name in CHANNELS},
    Channel.VOICE: _LIVE_MEDIA,
    Channel.VIDEO: _LIVE_MEDIA,
    Channel.CALLBACK: ChannelRules(
        connects=Connects.CONNECT, lost_grace_ms=None, joining_limit_ms=120_000
    ),
    Channel.WALK_IN: ChannelRules(
        connects=Connects.CONNECT,
        lost_grace_ms=None,
        joining_limit_ms=180_000,
        failures_max=1,
        failure_is_no_show=True,
    ),
}


class Requirement(Struct, frozen=True, forbid_unknown_fields=True):
    """A skill that a queue asks for: `least` level needed, `wanted` level scored, its `weight`.

    `least` 0 = preferred only: an agent without the skill may still be offered the contact.
    """

    skill: Code
    least: Annotated[int, Meta(ge=0, le=10)] = 1
    wanted: Level = 10
    weight: Annotated[int, Meta(ge=1, le=100)] = 1


class Weights(Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of the score's terms; their sum is at most 1000 (checked by the router's policy)."""

    skill_fit: Weight = 300
    relationship: Weight = 150
    channel_preference: Weight = 50
    workload: Weight = 150
    idle: Weight = 150
    urgency: Weight = 200


class QueueRules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules of one queue.

    `channels` and `groups` empty = all. `level`: strict priority within the rank, higher first.
    `head_start_ms` counts in fcfs order and urgency, in no measure. `most_waiting` None = no limit,
    0 = only if somebody is free now. `wrap_up_ms` None = the channel's. `closed` = left out by a
    later policy while contacts were live: finishes those, takes no new ones.
    """

    name: Annotated[QueueName, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,63}\Z")]
    channels: tuple[ChannelName, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    groups: tuple[Code, ...] = ()
    rank: Rank = Rank.LIVE
    level: Annotated[int, Meta(ge=0, le=1000)] = 0
    head_start_ms: Duration = 0
    order: Order = Order.SCORE
    most_waiting: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    offer_timeout_ms: Annotated[int, Meta(ge=1000, le=24 * 3600 * 1000)] = 20_000
    decline_pause_ms: Duration = 60_000
    wrap_up_ms: Duration | None = None
    service_target_ms: Annotated[int, Meta(ge=1000, le=30 * 24 * 3600 * 1000)] = 20_000
    short_abandon_ms: Duration = 5_000
    weights: Weights = Weights()
    closed: bool = False


class Policy(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All rules of a pool under one version name; state, replaced whole by `PolicySet`.

    `exact_cells_max`: largest joint problem (contacts x places at agents) solved exactly; the
    default keeps the solver's worst problem (costs i x j) near 10 ms.
    `ended_kept_ms`: how long an ended contact stays readable in the pool.
    """

    version: Code
    queues: tuple[QueueRules, ...] = ()
    channels: dict[ChannelName, ChannelRules] = field(default_factory=dict)
    exact_cells_max: Annotated[int, Meta(ge=16, le=100_000_000)] = 40_000
    ended_kept_ms: Duration = 15 * 60 * 1000
    contacts_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 200_000

    def channel_rules(self, channel: ChannelName) -> ChannelRules | None:
        """Returns the rules of a channel: the policy's own, else the default's, else None."""
        return self.channels.get(channel) or DEFAULT_CHANNELS.get(channel)


class AgentKind(Enum):
    """Human, or virtual: a bot that hands over to humans."""

    HUMAN = "human"
    VIRTUAL = "virtual"


class ChannelCapacity(Struct, frozen=True, forbid_unknown_fields=True):
    """What one live leg of a channel costs an agent, in units, and how many it may have."""

    price: Price = 1
    most: Most = 1
    wrap_up_price: Price = 0


class Capacity(Struct, frozen=True, forbid_unknown_fields=True):
    """An agent's capacity: `units` in total; only channels listed here are offered."""

    units: Units
    channels: dict[ChannelName, ChannelCapacity]


class AgentProfile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who an agent is: what it can do and how much at once. `seniority` 0..10 is for later terms.

    `closed` = left out by a later roster while it had live work: no new offers.
    """

    id: Id
    capacity: Capacity
    groups: tuple[Code, ...] = ()
    site: str = ""
    skills: dict[Code, Level] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    seniority: Annotated[int, Meta(ge=0, le=10)] = 0
    kind: AgentKind = AgentKind.HUMAN
    closed: bool = False

    @property
    def agent_id(self) -> AgentId:
        """Returns the id in its own type."""
        return AgentId(self.id)


class Roster(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All agents of a pool under one version name; replaced whole by `RosterSet`."""

    version: Code
    agents: tuple[AgentProfile, ...] = ()
