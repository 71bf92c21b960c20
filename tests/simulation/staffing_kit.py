"""Small days that the tests of staffings share: chats without answering time, simulated in ms."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np

from usher.queue.measures import ServiceLevel
from usher.queue.rules import (
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Order,
    Policy,
    QueueRules,
    Requirement,
)
from usher.queue.values import Channel, QueueName
from usher.simulation.distributions import Exponential
from usher.simulation.experiment import Plan
from usher.simulation.goals import Goals
from usher.simulation.needs import LevelTarget, Targets
from usher.simulation.scenario import ContactType, Curve, Day, Group, Scenario, Target
from usher.simulation.staffing import Int64s, Posts, posts_by_interval, timetable_of
from usher.simulation.trials import Ledger, Machinery, Setting, Trials

CAPACITY = Capacity(units=1, channels={Channel.CHAT: ChannelCapacity()})
OPENS_MIN = 480
THRESHOLD_S = 20


def policy(*queues: str) -> Policy:
    """Returns a queue for each name, which asks for the skill of that name."""
    rules = tuple(
        QueueRules(
            name=QueueName(name), order=Order.FCFS, requirements=(Requirement(skill=name, least=1),)
        )
        for name in queues
    )
    channels = {Channel.CHAT: ChannelRules(automatic_accept=True)}
    return Policy(version="p", queues=rules, channels=channels, ended_kept_ms=1000)


def chats(queue: str, *counts: float, handling_s: float = 240.0) -> ContactType:
    """Returns a type with so many contacts in each hour, who wait two minutes on average."""
    return ContactType(
        queue=QueueName(queue),
        channel=Channel.CHAT,
        arrivals=Curve(counts=counts, starts_min=OPENS_MIN, every_min=60),
        patience=Exponential(120),
        handling=Exponential(handling_s),
    )


def group(*skills: str, cost_per_hour: float = 20.0, agents: int = 1) -> Group:
    """Returns agents with these skills, who work all day."""
    return Group(
        capacity=CAPACITY,
        agents=agents,
        skills=dict.fromkeys(skills, 5),
        cost_per_hour=cost_per_hour,
    )


def scenario(types: dict[str, ContactType], groups: dict[str, Group], hours: int) -> Scenario:
    """Returns a day of so many hours."""
    return Scenario(
        name="small",
        types=types,
        groups=groups,
        horizon=Day(opens_min=OPENS_MIN, closes_min=OPENS_MIN + 60 * hours),
        target=Target(level=ServiceLevel.OF_OFFERED, threshold_ms=THRESHOLD_S * 1000),
    )


def level(share: float) -> Targets:
    """Returns a target for the service level of the small days."""
    target = LevelTarget(name=ServiceLevel.OF_OFFERED, share=share, threshold_s=THRESHOLD_S)
    return Targets(service_level=target)


def setting(day: Scenario, goals: Goals, *queues: str, replications: int = 6) -> Setting:
    """Returns what staffings of a small day are tried for, by hours."""
    plan = Plan(replications=replications, interval_min=60)
    return Setting(scenario=day, policy=policy(*queues), goals=goals, plan=plan)


def trials_of(given: Setting, runs_most: int = 100_000) -> tuple[Trials, Posts]:
    """Returns trials of staffings by interval, in this process."""
    posts = posts_by_interval(given.scenario, timetable_of(given.scenario, 60))
    return Trials(given, posts, Machinery(ThreadPoolExecutor(1), Ledger(runs_most))), posts


def best_of_all(trials: Trials, posts: Posts, most: int) -> tuple[float, Int64s]:
    """Returns the least cost of all staffings that meet the goals, and one that has it."""
    costs = posts.costs()
    found = sorted(
        (float(costs @ counts), tuple(counts.tolist())) for counts in _all(len(costs), most)
    )
    for cost, counts in found:
        staffing = np.array(counts, dtype=np.int64)
        if trials.meets(staffing):
            return cost, staffing
    raise AssertionError(f"no staffing up to {most} meets the goals")


def _all(size: int, most: int) -> Iterator[Int64s]:
    for counts in product(range(most + 1), repeat=size):
        yield np.array(counts, dtype=np.int64)
