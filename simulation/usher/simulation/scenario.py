"""A scenario: what a planner asks about. Customers by type, agents by group, how long it goes on.

Pure data with its own bounds; rules that span several values are in `scenario_rules`. How contacts
are routed does not stand here: queues, skills asked for, channels and weights are the service's own
policy, which the scenario only names. Distributions are in seconds, times of day in minutes since
midnight, and a duration ending in `_ms` is whole milliseconds.
"""

from enum import Enum
from typing import Annotated

from msgspec import Meta, Struct, field

from usher.queue.branches import DESKS_MAX, BranchId, Minute, ServiceCode
from usher.queue.measures import ServiceLevel
from usher.queue.rules import Capacity, Duration
from usher.queue.values import ChannelName, Code, Level, QueueName
from usher.simulation.distributions import AnyDistribution, NotNegative, Positive, Share

NAME_PATTERN = r"^[A-Za-z0-9_-]{1,48}\Z"
"""Of types and groups: ids of contacts and agents are made of them, and names of streams."""

TypeName = Annotated[str, Meta(pattern=NAME_PATTERN)]
GroupName = TypeName

AGENTS_MOST = 10_000
Agents = Annotated[int, Meta(ge=0, le=AGENTS_MOST)]
Days = Annotated[int, Meta(ge=1, le=366)]
Paces = Annotated[tuple[Positive, ...], Meta(min_length=1)]


class Kind(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """Base of what comes in several kinds, told apart by the key `kind`."""


class Poisson(Kind, frozen=True, kw_only=True, tag="poisson"):
    """Arrivals by chance alone, as many an hour at any time."""

    per_hour: Positive


class Curve(Kind, frozen=True, kw_only=True, tag="curve"):
    """Arrivals by chance around expected counts: one count for each interval from `starts_min` on.

    `day_factor` multiplies all counts of a day; its mean is to be 1. Without one, days differ by
    chance alone, which real days do not: intervals are then far too narrow (the variance of real
    weekday totals is 86 times what chance alone would give, 1999 bank). `interval_factor` does the
    same to each interval by itself, for what is left within a day.
    """

    counts: Annotated[tuple[NotNegative, ...], Meta(min_length=1)]
    starts_min: Minute = 0
    every_min: Annotated[int, Meta(ge=1, le=1440)] = 30
    day_factor: AnyDistribution | None = None
    interval_factor: AnyDistribution | None = None


class Gaps(Kind, frozen=True, kw_only=True, tag="gaps"):
    """Arrivals with independent gaps between them, such as appointments."""

    gap: AnyDistribution


class Listed(Kind, frozen=True, kw_only=True, tag="listed"):
    """Arrivals at these moments, in seconds since midnight, ascending: a recorded day.

    `handling_s` and `patience_s`, where given, are those of the contacts in the same places; they
    then stand in for what the type's distributions would draw.
    """

    at_s: tuple[NotNegative, ...]
    handling_s: tuple[NotNegative, ...] = ()
    patience_s: tuple[NotNegative, ...] = ()


Arrivals = Poisson | Curve | Gaps | Listed


class Again(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who left, or was served in vain, comes again: `share` of them, `after` so long.

    `most` times at most for one customer.
    """

    share: Share
    after: AnyDistribution
    most: Annotated[int, Meta(ge=1, le=100)] = 5


class ContactType(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Contacts of one kind: when they come, how long they wait, how long they take.

    `queue` of the policy, or `branch` and `service` for visitors who take a ticket. `patience` None
    = they wait for ever. `batch`: shares of arrivals that are 1, 2, 3 ... contacts. `balking`: who
    is told an expected wait above this turns away at once. `walk`: from the call to the desk;
    `no_show`: the share of visitors who do not come when they are called. `retrial` of those who
    left or turned away; `redial` of those whose matter was not resolved (quality of the group).
    """

    arrivals: Arrivals
    handling: AnyDistribution
    channel: ChannelName
    queue: QueueName = QueueName("")
    branch: str = ""
    service: str = ""
    patience: AnyDistribution | None = None
    wrap_up: AnyDistribution | None = None
    walk: AnyDistribution | None = None
    no_show: Share = 0.0
    batch: tuple[Share, ...] = ()
    balking: AnyDistribution | None = None
    retrial: Again | None = None
    redial: Again | None = None
    topic: str = ""
    tier: Annotated[int, Meta(ge=0, le=10)] = 0
    complexity: Annotated[int, Meta(ge=0, le=10)] = 0
    languages: tuple[str, ...] = ()
    value: float = 0.0
    """What a resolved contact brings in, in the currency of the scenario."""


class Break(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Time off within a shift; who is at work then finishes it first."""

    from_min: Minute
    until_min: Minute


class Shift(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """So many agents of a group from one time of day to another."""

    agents: Agents
    from_min: Minute
    until_min: Minute
    breaks: tuple[Break, ...] = ()


class Group(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Agents who are alike.

    `agents` work all the time, or those of `shifts` by the clock. `speed` by type of contact: 1.25
    takes four fifths of the handling time. `quality`: the share of contacts that are resolved.
    `slowdown` by channel: `[1, 0.8]` = with two at once each goes at 0.8 of its pace. `answering`:
    from the offer to its acceptance. `absence`: the share of agents who do not come on a day.
    `desk_branch`: they sit at desks of that branch and call visitors. Who has let offers time out
    is ready again after `returns_after_ms`.
    """

    capacity: Capacity
    agents: Agents = 0
    shifts: tuple[Shift, ...] = ()
    skills: dict[Code, Level] = field(default_factory=dict)
    groups: tuple[Code, ...] = ()
    languages: tuple[str, ...] = ()
    site: str = ""
    desk_branch: str = ""
    speed: dict[TypeName, Positive] = field(default_factory=dict)
    quality: dict[TypeName, Share] = field(default_factory=dict)
    slowdown: dict[ChannelName, Paces] = field(default_factory=dict)
    answering: AnyDistribution | None = None
    absence: Share = 0.0
    returns_after_ms: Duration = 60_000
    cost_per_hour: NotNegative = 0.0


class Desks(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """So many desks of a branch that are alike; `services` empty = they give all of the branch.

    A branch without any has a desk for each agent of the groups that sit there.
    """

    branch: BranchId
    count: Annotated[int, Meta(ge=1, le=DESKS_MAX)]
    services: tuple[ServiceCode, ...] = ()


class Outage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All desktops of a site are gone from one time of day to another."""

    site: str
    from_min: Minute
    until_min: Minute


class Weekday(Enum):
    """A day of the week, by which branches have their opening hours."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


class Day(Kind, frozen=True, kw_only=True, tag="day"):
    """A finite day from empty: customers come within these times; then all is worked off.

    The run ends when nobody is left, at the latest `finish_ms` after closing. Branches are open
    within these times as the policy says of this `weekday`.
    """

    opens_min: Minute = 0
    closes_min: Minute = 1440
    finish_ms: Duration = 4 * 3600 * 1000
    weekday: Weekday = Weekday.MONDAY


class Steady(Kind, frozen=True, kw_only=True, tag="steady"):
    """One long run: after a warm-up, as many batches of as many contacts that have ended."""

    warm_up: Annotated[int, Meta(ge=0)] = 1_000
    batch: Annotated[int, Meta(ge=100)] = 10_000
    batches: Annotated[int, Meta(ge=1, le=100_000)] = 20


class Target(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a service level is counted, and what counts as a short abandon."""

    level: ServiceLevel = ServiceLevel.OF_OFFERED
    threshold_ms: Duration = 20_000
    short_abandon_ms: Duration = 5_000


class Scenario(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it. `queue_most`: a run in which more contacts wait than this is stopped."""

    name: Code
    types: dict[TypeName, ContactType]
    groups: dict[GroupName, Group]
    title: str = ""
    policy: str = ""
    horizon: Day | Steady = Day()
    target: Target = Target()
    desks: tuple[Desks, ...] = ()
    outages: tuple[Outage, ...] = ()
    queue_most: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
