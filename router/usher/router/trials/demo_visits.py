"""A made-up branch for the demo: its services, lines, desks and clerks, and who walks in.

Pure planning, like `demo_plan`. The branch is open day and night, so that the demo can be run at
any hour; its time zone is for the caller to choose.
"""

import math
from collections.abc import Callable
from enum import Enum
from random import Random

from msgspec import Struct

from usher.queue.branches import (
    MINUTES_OF_DAY,
    Branch,
    Branches,
    BranchName,
    Desk,
    Line,
    LineName,
    Opening,
    Service,
    ServiceName,
    WeekdayHours,
)
from usher.queue.rules import AgentProfile, Capacity, ChannelCapacity
from usher.queue.tickets import VisitOutcome
from usher.queue.values import Channel, QueueName

BRANCH = "north"
VERSION = "demo"
GRACE_MS = 45_000
CLERKS = 6
BETWEEN_MS = 20_000
"""From a call to the visitor at the desk, and after the visit: it keeps the desk as well."""
SIGMA = 0.4
LONGEST_S = 300.0
LEAST_PATIENCE_S = 60.0


class Kind(Struct, frozen=True):
    """One kind of visitor. `handle_s` is a mean; `skilled` of the clerks may serve it."""

    service: str
    title: str
    prefix: str
    per_minute: float
    handle_s: float
    skilled: int


KINDS = (
    Kind("cash", "Cash and parcels", "A", per_minute=1.9, handle_s=50, skilled=6),
    Kind("accounts", "Accounts and cards", "B", per_minute=0.9, handle_s=100, skilled=4),
)


class Ending(Enum):
    """How a visitor leaves a desk."""

    FINISH = "finish"
    TRANSFER = "transfer"
    """To the line of the other service."""
    RETURN = "return"
    """Back to the line, behind the others: a form has to be filled in first."""


class Stop(Struct, frozen=True):
    """One time at a desk."""

    handle_ms: int
    ending: Ending = Ending.FINISH


class PlannedVisit(Struct, frozen=True, kw_only=True):
    """One visitor. `patience_ms`: gives the ticket up if it is not called by then."""

    ticket_id: str
    service: str
    arrive_ms: int
    patience_ms: int
    walk_ms: int
    """From the call to the desk."""
    stops: tuple[Stop, ...]
    """Empty = does not come when called."""
    outcome: VisitOutcome = VisitOutcome.SERVED
    other_service: str = ""
    has_ticket: bool = True
    is_marked: bool = True
    """Of who does not come: the clerk says so, and does not wait for the end of the grace."""
    attributes: dict[str, str] = {}
    """Private fields."""


class Clerk(Struct, frozen=True):
    """Who works at which desk from when on."""

    desk: str
    agent_id: str
    from_ms: int


class BranchPlan(Struct, frozen=True, kw_only=True):
    """All that happens at the branch."""

    branches: Branches
    clerks: tuple[Clerk, ...]
    visits: tuple[PlannedVisit, ...]


def plan_branch(
    random: Random, arrivals: Callable[[float], list[int]], time_zone: str
) -> BranchPlan:
    """The plan of the branch; `arrivals` gives arrival times in ms for a rate per minute."""
    came = sorted(
        (arrive_ms, at) for at, kind in enumerate(KINDS) for arrive_ms in arrivals(kind.per_minute)
    )
    visits = tuple(
        _visit(f"visit-{number:04d}", KINDS[at], arrive_ms, random)
        for number, (arrive_ms, at) in enumerate(came, 1)
    )
    clerks = tuple(
        Clerk(str(number), f"branch-{number:02d}", from_ms=2_000 + 1_000 * number)
        for number in range(1, CLERKS + 1)
    )
    return BranchPlan(branches=_branches(time_zone), clerks=clerks, visits=visits)


def clerk_profiles(random: Random) -> list[AgentProfile]:
    """The clerks: all write beside their visitors, the first two take calls as well."""
    units = 6
    writing = {
        Channel.WALK_IN: ChannelCapacity(price=units, wrap_up_price=units),
        Channel.CHAT: ChannelCapacity(price=3),
    }
    calling = {**writing, Channel.VOICE: ChannelCapacity(price=units, wrap_up_price=units)}
    return [
        AgentProfile(
            id=f"branch-{number:02d}",
            capacity=Capacity(units=units, channels=calling if number <= 2 else writing),
            groups=("branch",),
            site=BRANCH,
            skills={skill: random.randint(3, 9) for skill in _skills(number)},
        )
        for number in range(1, CLERKS + 1)
    ]


def _skills(number: int) -> list[str]:
    served = [kind.service for kind in KINDS if number > CLERKS - kind.skilled]
    return [*served, "writing", "support"] if number <= 2 else [*served, "writing"]


def _branches(time_zone: str) -> Branches:
    whole_day = (Opening(0, MINUTES_OF_DAY),)
    branch = Branch(
        name=BranchName(BRANCH),
        title="North",
        time_zone=time_zone,
        lines=tuple(
            Line(
                name=LineName(kind.service),
                services=(ServiceName(kind.service),),
                prefix=kind.prefix,
            )
            for kind in KINDS
        ),
        week=tuple(WeekdayHours(weekday, whole_day) for weekday in range(7)),
        grace_ms=GRACE_MS,
    )
    return Branches(
        version=f"{VERSION}/{VERSION}",
        services=tuple(
            Service(
                name=ServiceName(kind.service),
                queue=QueueName(kind.service),
                usual_ms=int(1000 * kind.handle_s) + BETWEEN_MS,
                title=kind.title,
            )
            for kind in KINDS
        ),
        branches=(branch,),
        desks=tuple(
            Desk(branch=BranchName(BRANCH), name=str(number)) for number in range(1, CLERKS + 1)
        ),
    )


def _visit(ticket_id: str, kind: Kind, arrive_ms: int, random: Random) -> PlannedVisit:
    patience_s = LEAST_PATIENCE_S + random.expovariate(1 / 500)
    chance = random.random()
    stops = _stops(kind, chance, random)
    return PlannedVisit(
        ticket_id=ticket_id,
        service=kind.service,
        arrive_ms=arrive_ms,
        patience_ms=int(1000 * patience_s),
        walk_ms=random.randint(4_000, 15_000),
        stops=stops,
        outcome=VisitOutcome.UNRESOLVED if random.random() < 0.05 else VisitOutcome.SERVED,
        other_service=next(other.service for other in KINDS if other is not kind),
        has_ticket=chance < 0.96,
        is_marked=random.random() < 0.5,
        attributes={"name": f"Visitor {ticket_id[-4:]}"},
    )


def _stops(kind: Kind, chance: float, random: Random) -> tuple[Stop, ...]:
    """Some do not come, some are sent on, a few have to fill in a form first."""
    whole = Stop(_handle_ms(kind.handle_s, random))
    if chance < 0.07:
        return ()
    if chance < 0.15:
        return Stop(_handle_ms(25, random), Ending.TRANSFER), whole
    if chance < 0.19:
        return Stop(_handle_ms(25, random), Ending.RETURN), whole
    return (whole,)


def _handle_ms(mean_s: float, random: Random) -> int:
    mean_log = math.log(mean_s) - SIGMA * SIGMA / 2
    return int(1000 * min(max(random.lognormvariate(mean_log, SIGMA), 5.0), LONGEST_S))
