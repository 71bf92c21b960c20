"""What each interval of a scenario's day asks of each group, and the agents for it by theory.

Each type of contact is given to the one group that serves it most cheaply; what a group is given
makes one queue of its own (`needs`). So the groups share no load here, though they may in the
scenario: it is where a search begins, no answer. It must not know the simulator.
"""

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from usher.queue.branches import Branches
from usher.queue.rules import Policy
from usher.simulation.needs import AGENTS_MOST, Demand, Targets, agents_needed, lagged
from usher.simulation.scenario import (
    ContactType,
    Curve,
    Gaps,
    Group,
    GroupName,
    Listed,
    Poisson,
    Scenario,
    TypeName,
)
from usher.simulation.scenario_routing import servers_of
from usher.simulation.staffing import Int64s, Timetable, prices_per_hour

Floats = NDArray[np.float64]

S_PER_MIN = 60
S_PER_HOUR = 3600
BUSY_MOST = 0.95
"""Occupancy that a group is given by theory whose types have no target of their own."""


class Given(Struct, frozen=True, kw_only=True):
    """What a group is given: its types, and what they ask for by interval."""

    types: tuple[TypeName, ...]
    demands: tuple[Demand, ...]


def given(
    scenario: Scenario,
    policy: Policy,
    timetable: Timetable,
    *,
    preferred: GroupName | None = None,
    branches: Branches | None = None,
) -> dict[GroupName, Given]:
    """Returns the demands of the groups that are given a type; raises ValueError if nobody may.

    A `preferred` group is given all that it may serve, at whatever cost. `branches` where visitors
    come.
    """
    shared: dict[GroupName, list[TypeName]] = {}
    for type_name, names in servers_of(scenario, policy, branches).items():
        if not names:
            raise ValueError(f"types.{type_name}: found no group that may serve it")
        prices = prices_per_hour(scenario)
        costs = {
            name: prices[name] * _work_s(scenario, type_name, scenario.groups[name], policy)
            for name in names
        }
        cheapest = min(costs, key=lambda name: costs[name])
        server = preferred if preferred in costs else cheapest
        shared.setdefault(server, []).append(type_name)
    return {
        name: Given(
            types=tuple(types),
            demands=_demands(scenario, policy, timetable, scenario.groups[name], types),
        )
        for name, types in shared.items()
    }


def theory_counts(
    scenario: Scenario,
    shares: Mapping[GroupName, Given],
    targets: Targets,
    wanted: Sequence[TypeName],
    timetable: Timetable,
) -> dict[GroupName, Int64s]:
    """Returns the agents by group and interval from Erlang A and C; arrays of `timetable.count`.

    `wanted`: the types that the targets are for. A group without any of them gets what keeps it
    from being busier than `BUSY_MOST`. The load follows the arrivals by one handling time
    (`needs.lagged`). Raises ValueError as `needs.agents_needed`, with group and interval.
    """
    counts = {name: np.zeros(timetable.count, dtype=np.int64) for name in scenario.groups}
    for name, share in shares.items():
        held = any(one in wanted for one in share.types)
        of_group = targets if held else Targets(occupancy=BUSY_MOST)
        there = 1 - scenario.groups[name].absence
        for at, demand in enumerate(lagged(share.demands, interval_s=timetable.interval_s)):
            try:
                needed = agents_needed(demand, of_group, most=AGENTS_MOST)
            except ValueError as error:
                raise ValueError(f'group "{name}", interval {at}: {error}') from error
            counts[name][at] = ceil(needed / there) if there > 0 else needed
    return counts


def arrivals_by_interval(rules: ContactType, timetable: Timetable) -> Floats:
    """Returns the expected contacts of a type by interval, batches counted out."""
    starts = timetable.opens_min + timetable.interval_min * np.arange(timetable.count)
    ends = starts + timetable.interval_min
    came = rules.arrivals
    counts: Floats
    match came:
        case Poisson():
            counts = np.full(timetable.count, came.per_hour * timetable.interval_hours)
        case Gaps():
            counts = np.full(timetable.count, timetable.interval_s / came.gap.mean)
        case Listed():
            bounds_s = np.append(starts, ends[-1]) * S_PER_MIN
            counts = np.histogram(came.at_s, bounds_s)[0].astype(np.float64)
        case Curve():
            counts = np.zeros(timetable.count)
            for index, expected in enumerate(came.counts):
                begins = came.starts_min + index * came.every_min
                inside = np.minimum(ends, begins + came.every_min) - np.maximum(starts, begins)
                counts += expected * np.maximum(inside, 0) / came.every_min
    size = sum(number * share for number, share in enumerate(rules.batch, start=1))
    return counts * (size or 1.0)


def _demands(
    scenario: Scenario,
    policy: Policy,
    timetable: Timetable,
    group: Group,
    types: Sequence[TypeName],
) -> tuple[Demand, ...]:
    """Returns what the types ask of the group together: rates add up, times are averages."""
    rules = [scenario.types[name] for name in types]
    work_s = np.array([_work_s(scenario, name, group, policy) for name in types])
    leave = np.array([0.0 if one.patience is None else 1 / one.patience.mean for one in rules])
    again = np.array([_tries(group, name, scenario.types[name]) for name in types])
    came = np.array([arrivals_by_interval(one, timetable) for one in rules])
    rates = again[:, np.newaxis] * came / timetable.interval_s
    demands = []
    for column in rates.T:
        total = float(column.sum())
        weights = column / total if total else np.full(len(types), 1 / len(types))
        leaving = float(weights @ leave)
        demands.append(
            Demand(
                arrivals_per_s=total,
                handling_s=float(weights @ work_s),
                patience_s=1 / leaving if leaving else None,
            )
        )
    return tuple(demands)


def _work_s(scenario: Scenario, name: TypeName, group: Group, policy: Policy) -> float:
    """Returns the time that one contact takes of an agent who has as many at once as may be."""
    rules = scenario.types[name]
    capacity = group.capacity.channels[rules.channel]
    units = group.capacity.units
    at_once = min(capacity.most, units // capacity.price) if capacity.price else capacity.most
    paces = group.slowdown.get(rules.channel, (1.0,))
    pace = max(n * paces[min(n, len(paces)) - 1] for n in range(1, at_once + 1))
    channel = policy.channel_rules(rules.channel)
    rings = group.answering is not None and not (channel is not None and channel.automatic_accept)
    ringing_s = group.answering.mean if rings and group.answering is not None else 0.0
    wrap_up_s = rules.wrap_up.mean if rules.wrap_up is not None else 0.0
    wrapping = wrap_up_s * capacity.wrap_up_price / units
    return _handling_s(rules) / group.speed.get(name, 1.0) / pace + ringing_s / at_once + wrapping


def _tries(group: Group, name: TypeName, rules: ContactType) -> float:
    """Returns how often a customer comes until the matter is resolved, or given up."""
    if rules.redial is None:
        return 1.0
    return 1 / (1 - min(0.9, (1 - group.quality.get(name, 1.0)) * rules.redial.share))


def _handling_s(rules: ContactType) -> float:
    came = rules.arrivals
    if isinstance(came, Listed) and came.handling_s:
        return float(np.mean(came.handling_s))
    return rules.handling.mean
