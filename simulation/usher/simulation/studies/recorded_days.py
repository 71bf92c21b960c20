"""Days of a call log as scenarios: the calls that came, the agents who seem to have been there.

Presence is not in the log: an agent is on duty between talks closer than a gap, as load replay has
it. Who was served had at least as much patience as the wait: the rest is drawn. It must not know
how a scenario is run.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from usher.queue.rules import (
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Connects,
    Order,
    Policy,
    QueueRules,
)
from usher.queue.values import Channel, QueueName
from usher.router.trials.call_log import Call, CallOutcome
from usher.router.trials.log_figures import DUTY_GAP_S, agents_on_duty
from usher.simulation.distributions import Deterministic, Exponential
from usher.simulation.scenario import ContactType, Day, Group, Listed, Scenario, Shift
from usher.simulation.streams import Streams

PRIORITIES = {"regular": 1, "high": 2}
MINUTES = 1440
FINISH_MS = 6 * 3600 * 1000


class ReplayRules(Struct, frozen=True, kw_only=True):
    """What the log does not tell and a replay needs."""

    after_call_s: float = 30.0
    """Work after each call that the log does not show."""
    patience_s: float = 372.0
    """Mean of the patience that is left to who was served, exponential."""
    head_start_ms: int = 90_000
    """Of priority 2."""
    duty_gap_s: int = DUTY_GAP_S


def replay_policy(rules: ReplayRules) -> Policy:
    """Returns one queue for each priority in one order by time waited and head start."""
    queues = tuple(
        QueueRules(
            name=QueueName(name),
            order=Order.FCFS,
            head_start_ms=rules.head_start_ms if priority == PRIORITIES["high"] else 0,
        )
        for name, priority in PRIORITIES.items()
    )
    wrap_up_ms = round(rules.after_call_s * 1000)
    voice = ChannelRules(
        connects=Connects.ACCEPT, automatic_accept=True, wrap_up_ms=wrap_up_ms, lost_grace_ms=None
    )
    return Policy(version="replay", queues=queues, channels={Channel.VOICE: voice})


class Replayed(Struct, frozen=True):
    """A call as it is played again, in seconds."""

    arrival_s: float
    patience_s: float
    handling_s: float


def replay_scenario(
    name: str, calls: Sequence[Call], rules: ReplayRules, streams: Streams
) -> Scenario:
    """Returns the day with its own arrivals, talks and agents; patience of the served drawn.

    A caller who left might have talked as long as anybody served that day.
    """
    replayed = _replayed(calls, rules, streams)
    high = [call.priority == PRIORITIES["high"] for call in calls]
    types = {
        queue: _type(
            queue,
            [one for one, is_high in zip(replayed, high, strict=True) if is_high is wanted],
            rules,
        )
        for queue, wanted in (("regular", False), ("high", True))
        if wanted in high
    }
    groups = {"staff": staff_of(calls, rules)}
    horizon = Day(finish_ms=FINISH_MS)
    return Scenario(name=name, types=types, groups=groups, horizon=horizon)


def _replayed(calls: Sequence[Call], rules: ReplayRules, streams: Streams) -> list[Replayed]:
    left_s = streams.generator("patience left").exponential(rules.patience_s, len(calls))
    talks_s = np.array([call.talk_s for call in calls if call.talk_s is not None], dtype=float)
    others_s = streams.generator("talks of who left").choice(talks_s, len(calls))
    return [
        Replayed(
            call.arrival_s,
            call.wait_s + (more_s if call.outcome is CallOutcome.SERVED else 0.0),
            other_s if call.talk_s is None else call.talk_s,
        )
        for call, more_s, other_s in zip(calls, left_s.tolist(), others_s.tolist(), strict=True)
    ]


def _type(queue: str, calls: list[Replayed], rules: ReplayRules) -> ContactType:
    arrivals = Listed(
        at_s=tuple(call.arrival_s for call in calls),
        handling_s=tuple(call.handling_s for call in calls),
        patience_s=tuple(call.patience_s for call in calls),
    )
    return ContactType(
        queue=QueueName(queue),
        channel=Channel.VOICE,
        arrivals=arrivals,
        handling=Exponential(180),
        patience=Exponential(rules.patience_s),
        wrap_up=Deterministic(rules.after_call_s) if rules.after_call_s else None,
    )


def staff_of(calls: Sequence[Call], rules: ReplayRules) -> Group:
    """Returns the agents on duty."""
    found = stretches(calls, rules.duty_gap_s)
    return staff_from([(one.from_s, one.until_s) for one in found])


def staff_from(spans_s: Sequence[tuple[int, int]]) -> Group:
    """Returns an agent for each stretch of duty, in seconds; shifts go to the nearest minute."""
    minutes = [
        (round(from_s / 60), min(MINUTES, round(until_s / 60))) for from_s, until_s in spans_s
    ]
    return group_of(
        tuple(
            Shift(agents=1, from_min=from_min, until_min=until_min)
            for from_min, until_min in minutes
            if from_min < until_min
        )
    )


def group_of(shifts: tuple[Shift, ...]) -> Group:
    """Returns agents who take one call at a time."""
    voice = ChannelCapacity(price=1, most=1, wrap_up_price=1)
    return Group(capacity=Capacity(units=1, channels={Channel.VOICE: voice}), shifts=shifts)


class Stretch(Struct, frozen=True):
    """A stretch of duty of one agent, in seconds after midnight."""

    agent: str
    from_s: int
    until_s: int


def stretches(calls: Sequence[Call], gap_s: int) -> list[Stretch]:
    """Returns when somebody was on duty, agent by agent.

    A talk that no other is near says that somebody took it, not that somebody was there: such a
    stretch is left out.
    """
    starts_s: defaultdict[str, list[int]] = defaultdict(list)
    for call in calls:
        if call.talk_start_s is not None:
            starts_s[call.agent].append(call.talk_start_s)
    return [
        Stretch(duty.agent, from_s, until_s)
        for duty in agents_on_duty(calls, gap_s)
        for from_s, until_s in duty.intervals_s
        if sum(from_s <= start_s <= until_s for start_s in starts_s[duty.agent]) > 1
    ]
