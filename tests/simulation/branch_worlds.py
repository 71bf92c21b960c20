"""Small branches for tests: a branch with a line, clerks at its desks, visitors, and calls."""

from typing import Any

from msgspec.structs import replace

from usher.queue.branches import (
    Branch,
    Branches,
    BranchName,
    Line,
    LineName,
    Opening,
    Service,
    ServiceName,
    WeekdayHours,
)
from usher.queue.rules import (
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Connects,
    Order,
    Policy,
    QueueRules,
    Requirement,
)
from usher.queue.values import Channel, QueueName
from usher.simulation.distributions import Deterministic
from usher.simulation.rows import Batch
from usher.simulation.scenario import ContactType, Group, Listed, Scenario
from usher.simulation.streams import Streams
from usher.simulation.world import World

MINUTE_MS = 60_000
GRACE_MS = 60_000
ADVICE = Requirement("advice", 3)

VISITORS_ONLY = Capacity(units=1, channels={Channel.WALK_IN: ChannelCapacity(wrap_up_price=1)})
BOTH = Capacity(
    units=1,
    channels={
        Channel.WALK_IN: ChannelCapacity(wrap_up_price=1),
        Channel.VOICE: ChannelCapacity(wrap_up_price=1),
    },
)


def policy(walk_in: dict[str, Any] | None = None, **queue: Any) -> Policy:
    """A queue of each service, and one of calls; `walk_in` changes the rules of that channel."""
    desk = ChannelRules(
        connects=Connects.CONNECT, lost_grace_ms=None, failures_max=1, failure_is_no_show=True
    )
    voice = ChannelRules(connects=Connects.CONNECT, missed_offers_max=0, lost_grace_ms=None)
    plain: dict[str, Any] = {"order": Order.FCFS, "decline_pause_ms": 0} | queue
    return Policy(
        version="branch",
        queues=(
            QueueRules(name=QueueName("cash"), channels=(Channel.WALK_IN,), **plain),
            QueueRules(
                name=QueueName("advice"),
                channels=(Channel.WALK_IN,),
                requirements=(ADVICE,),
                **plain,
            ),
            QueueRules(name=QueueName("calls"), channels=(Channel.VOICE,), **plain),
        ),
        channels={Channel.WALK_IN: replace(desk, **(walk_in or {})), Channel.VOICE: voice},
        ended_kept_ms=0,
    )


def branches(*hours_min: tuple[int, int], **more: Any) -> Branches:
    """One branch, `main`, with cash and advice; open on Mondays at these times, or all day."""
    openings = tuple(Opening(*one) for one in hours_min or ((0, 1440),))
    branch: dict[str, Any] = {"grace_ms": GRACE_MS, "week": (WeekdayHours(0, openings),)} | more
    names = (ServiceName("cash"), ServiceName("advice"))
    services = tuple(Service(name=name, queue=QueueName(name)) for name in names)
    line = Line(name=LineName("all"), services=names)
    main = Branch(name=BranchName("main"), time_zone="UTC", lines=(line,), **branch)
    return Branches(version="branches", services=services, branches=(main,))


def visitors(*at_s: float, **rules: Any) -> ContactType:
    """Visitors for cash who come at these moments and take 100 s, unless told otherwise."""
    given: dict[str, Any] = {
        "arrivals": Listed(at_s=at_s),
        "handling": Deterministic(100),
        "channel": Channel.WALK_IN,
        "branch": "main",
        "service": "cash",
    }
    return ContactType(**(given | rules))


def calls(*at_s: float, **rules: Any) -> ContactType:
    """Calls that come at these moments and take 100 s, unless told otherwise."""
    given: dict[str, Any] = {"arrivals": Listed(at_s=at_s), "handling": Deterministic(100)}
    return ContactType(queue=QueueName("calls"), channel=Channel.VOICE, **(given | rules))


def clerks(number: int = 1, capacity: Capacity = VISITORS_ONLY, **more: Any) -> Group:
    """Clerks of the branch."""
    given: dict[str, Any] = {"desk_branch": "main"} | more
    return Group(capacity=capacity, agents=number, **given)


def day(types: dict[str, ContactType], groups: dict[str, Group], **more: Any) -> Scenario:
    """A Monday."""
    return Scenario(name="day", types=types, groups=groups, **more)


def run(
    scenario: Scenario,
    rules: Policy | None = None,
    known: Branches | None = None,
    seed: int = 1,
) -> Batch:
    """Returns what a day leaves."""
    world = World(scenario, rules or policy(), Streams(seed), branches=known or branches())
    (batch,) = world.batches()
    return batch


def visit(kind: ContactType, group: Group, **more: Any) -> Scenario:
    """A day of one type of visitors and one group of clerks."""
    return day({"visit": kind}, {"desk": group}, **more)
