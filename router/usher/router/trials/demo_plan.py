"""A made-up busy quarter of an hour: a small contact centre and its branch, by a seed.

Pure planning. Nobody in it is real, and no figure is measured: rates and lengths are chosen so that
most agents are busy, some customers wait and a few leave. It must not know server or console.
"""

import math
from functools import partial
from random import Random
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from usher.queue.rules import (
    DEFAULT_CHANNELS,
    AgentProfile,
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Connects,
    Order,
    Policy,
    QueueRules,
    Rank,
    Requirement,
    Roster,
)
from usher.queue.values import Channel, ChannelName, QueueName
from usher.router.trials.demo_visits import KINDS, BranchPlan, clerk_profiles, plan_branch
from usher.router.trials.script import Answer, PlannedContact, Script, Shift

MINUTE_MS = 60_000
LENGTH_MS = 15 * MINUTE_MS
SIGN_IN_MS = 2_000  # agents sign in one after another before the first customer comes
OPEN_MS = 10_000
SIGMA = 0.5
LONGEST_S = 300.0
VERSION = "demo"


class Stream(Struct, frozen=True, kw_only=True):
    """One kind of customer: how often it comes, how long it waits and is served."""

    queue: str
    channel: ChannelName
    per_minute: float
    handle_s: float
    """Mean; spread as a lognormal, at most five minutes."""
    patience_s: float | None
    """Mean of an exponential; None = waits for ever."""
    topics: tuple[str, ...]


STREAMS = (
    Stream(
        queue="sales",
        channel=Channel.VOICE,
        per_minute=1.8,
        handle_s=110,
        patience_s=150,
        topics=("contract", "offer"),
    ),
    Stream(
        queue="support",
        channel=Channel.VOICE,
        per_minute=2.2,
        handle_s=120,
        patience_s=180,
        topics=("fault", "invoice"),
    ),
    Stream(
        queue="support",
        channel=Channel.VIDEO,
        per_minute=0.4,
        handle_s=150,
        patience_s=120,
        topics=("installation",),
    ),
    Stream(
        queue="chat",
        channel=Channel.CHAT,
        per_minute=6.5,
        handle_s=170,
        patience_s=240,
        topics=("invoice", "delivery"),
    ),
    Stream(
        queue="chat",
        channel=Channel.SMS,
        per_minute=2.0,
        handle_s=60,
        patience_s=None,
        topics=("delivery",),
    ),
    Stream(
        queue="mail",
        channel=Channel.EMAIL,
        per_minute=4.5,
        handle_s=80,
        patience_s=None,
        topics=("complaint", "contract"),
    ),
)

_PHONE = Capacity(
    units=6,
    channels={
        Channel.VOICE: ChannelCapacity(price=6, wrap_up_price=6),
        Channel.VIDEO: ChannelCapacity(price=6, wrap_up_price=6),
    },
)
_MIXED = Capacity(
    units=6,
    channels={
        Channel.VOICE: ChannelCapacity(price=6, wrap_up_price=4),
        Channel.CHAT: ChannelCapacity(price=2, most=3),
        Channel.SMS: ChannelCapacity(price=1, most=3),
        Channel.EMAIL: ChannelCapacity(price=3, most=1),
    },
)
_WRITING = Capacity(
    units=6,
    channels={
        Channel.CHAT: ChannelCapacity(price=2, most=3),
        Channel.SMS: ChannelCapacity(price=1, most=4),
        Channel.EMAIL: ChannelCapacity(price=3, most=2),
    },
)
_TEAMS: tuple[tuple[str, int, Capacity, tuple[str, ...]], ...] = (
    ("phone", 8, _PHONE, ("sales", "support")),
    ("mixed", 7, _MIXED, ("support", "writing", "sales")),
    ("writing", 5, _WRITING, ("writing",)),
)


class DemoPlan(Struct, frozen=True, kw_only=True):
    """A whole demo: what the drive plays, and the branch beside it."""

    script: Script
    branch: BranchPlan


def plan_demo(*, length_ms: int = LENGTH_MS, seed: int = 1, time_zone: str = "Etc/UTC") -> DemoPlan:
    """The plan of a demo of this length; the same for the same arguments."""
    random = Random(seed)
    close_ms = OPEN_MS + length_ms
    arrivals = sorted(
        (arrive_ms, at)
        for at, stream in enumerate(STREAMS)
        for arrive_ms in _arrivals(stream.per_minute, length_ms, random)
    )
    contacts = tuple(
        _planned(f"demo-{number:04d}", STREAMS[at], arrive_ms, random)
        for number, (arrive_ms, at) in enumerate(arrivals, 1)
    )
    team = _team(random)
    shifts = tuple(
        Shift(agent_id=agent.id, from_ms=SIGN_IN_MS + 200 * at, until_ms=close_ms)
        for at, agent in enumerate(team)
    )
    clerks = clerk_profiles(random)
    coming = partial(_arrivals, length_ms=length_ms, random=random)
    branch = plan_branch(random, coming, time_zone)
    script = Script(
        name=VERSION,
        policy=_policy(),
        roster=Roster(version=VERSION, agents=(*team, *clerks)),
        branches=branch.branches,
        contacts=contacts,
        shifts=shifts,
        start_ms=0,
        close_ms=close_ms,
    )
    return DemoPlan(script=script, branch=branch)


def _arrivals(per_minute: float, length_ms: int, random: Random) -> list[int]:
    """A Poisson process whose rate swells to the middle, its mean kept (thinning)."""
    found: list[int] = []
    most_per_ms = 1.23 * per_minute / MINUTE_MS
    at_ms = random.expovariate(most_per_ms)
    while at_ms < length_ms:
        swell = 0.6 + 0.63 * math.sin(math.pi * at_ms / length_ms)
        if random.random() < swell / 1.23:
            found.append(OPEN_MS + int(at_ms))
        at_ms += random.expovariate(most_per_ms)
    return found


def _planned(contact_id: str, stream: Stream, arrive_ms: int, random: Random) -> PlannedContact:
    mean_log = math.log(stream.handle_s) - SIGMA * SIGMA / 2
    handle_s = min(max(random.lognormvariate(mean_log, SIGMA), 5.0), LONGEST_S)
    patience_s = None if stream.patience_s is None else random.expovariate(1 / stream.patience_s)
    return PlannedContact(
        contact_id=contact_id,
        queue=stream.queue,
        channel=stream.channel,
        arrive_ms=arrive_ms,
        patience_ms=None if patience_s is None else int(1000 * (5 + patience_s)),
        handle_ms=int(1000 * handle_s),
        answer_ms=random.randint(1_500, 6_000),
        first_answers=_first_answers(random),
        topic=random.choice(stream.topics),
        tier=random.choice((0, 0, 0, 0, 2, 5)),
        attributes={"name": f"Customer {contact_id[-4:]}"},
    )


def _first_answers(random: Random) -> tuple[Answer, ...]:
    """Now and then an agent declines, or lets an offer ring out."""
    chance = random.random()
    if chance < 0.02:
        return (Answer.MISS,)
    return (Answer.DECLINE,) if chance < 0.06 else ()


def _policy() -> Policy:
    live = ChannelRules(
        connects=Connects.CONNECT, wrap_up_ms=15_000, missed_offers_max=0, lost_grace_ms=None
    )
    # Nobody in the demo comes back from "missed too many": it would only end earlier.
    written = ChannelRules(missed_offers_max=0)
    return Policy(
        version=VERSION,
        queues=_queues(),
        channels={
            **dict.fromkeys((Channel.VOICE, Channel.VIDEO), live),
            Channel.WALK_IN: replace(DEFAULT_CHANNELS[Channel.WALK_IN], wrap_up_ms=10_000),
            **dict.fromkeys((Channel.CHAT, Channel.SMS, Channel.EMAIL), written),
        },
        ended_kept_ms=3 * 24 * 60 * MINUTE_MS,
    )


def _queues() -> tuple[QueueRules, ...]:
    def queue(name: str, skill: str, *channels: ChannelName, **rules: Any) -> QueueRules:
        needed = (Requirement(skill=skill, least=1, wanted=8),)
        return QueueRules(name=QueueName(name), channels=channels, requirements=needed, **rules)

    return (
        queue("sales", "sales", Channel.VOICE),
        queue("support", "support", Channel.VOICE, Channel.VIDEO, head_start_ms=15_000),
        queue("chat", "writing", Channel.CHAT, Channel.SMS, service_target_ms=45_000),
        *(
            queue(
                *(kind.service, kind.service, Channel.WALK_IN),
                level=1,
                order=Order.FCFS,
                service_target_ms=2 * MINUTE_MS,
            )
            for kind in KINDS
        ),
        queue(
            *("mail", "writing", Channel.EMAIL),
            rank=Rank.DEFERRED,
            order=Order.FCFS,
            service_target_ms=10 * MINUTE_MS,
        ),
    )


def _team(random: Random) -> list[AgentProfile]:
    return [
        AgentProfile(
            id=f"{team}-{number:02d}",
            capacity=capacity,
            groups=(team,),
            site="centre",
            skills={skill: random.randint(3, 9) for skill in skills},
        )
        for team, count, capacity, skills in _TEAMS
        for number in range(1, count + 1)
    ]
