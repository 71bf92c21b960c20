"""Who was there, and what kept agents from the next caller: from days of a call log.

A log shows talks, and no presence. An agent is taken to be on duty between talks closer than a gap.
On duty, what an agent does after a talk is hidden: work after the call, rest, a short break. It
shows only while somebody waits, as a free agent would have taken the caller:

    talk ----|   pause                |---- next talk      somebody waited all the while: its length
    talk ----|   pause     ...        |---- next talk      the queue ran empty: at least until then

So pauses are right-censored durations, and the curve of Kaplan & Meier 1958 is their distribution.
It must not know how a scenario is run.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from math import inf

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from usher.router.trials.call_log import Call, CallDay
from usher.simulation.scenario import Group, Shift
from usher.simulation.studies.recorded_days import MINUTES, group_of, staff_from

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

STAFF_MIN = 30
"""Length of the intervals of a usual day's staff."""


class Pauses(Struct, frozen=True, eq=False):
    """What was seen of the time between a talk and the same agent's next, both shape (n,)."""

    seen_s: Floats
    ended: Mask
    """False: the queue ran empty, so that the pause was at least so long."""


def pauses_of(log: Mapping[date, CallDay], gap_s: int) -> Pauses:
    """Returns the pauses of these days within stretches of duty: those shorter than the gap."""
    found = [pause for day in log.values() for pause in _of_day(day.calls, gap_s)]
    return Pauses(
        np.array([seen_s for seen_s, _ in found], dtype=np.float64),
        np.array([ended for _, ended in found], dtype=np.bool_),
    )


def duty_s(calls: Sequence[Call], gap_s: int) -> list[tuple[int, int]]:
    """Returns when somebody was on duty, in seconds after midnight, agent by agent.

    Before the first talk of a stretch and after the last one an agent was there as well: as long as
    between two of its talks on average, as for the range of points spread evenly by chance (the end
    of n of them is to be expected a further (n + 1) / (n - 1) - 1 = 2 / (n - 1) of the range away,
    half on each side). A talk that no other is near is left out.
    """
    found = []
    for talks in _talks_s(calls).values():
        for stretch in _stretches(talks, gap_s):
            if len(stretch) > 1:
                idle_s = sum(max(0, after[0] - before[1]) for before, after in pairwise(stretch))
                margin_s = round(idle_s / (len(stretch) - 1))
                end_s = max(end_s for _, end_s in stretch)
                found.append((max(0, stretch[0][0] - margin_s), end_s + margin_s))
    return found


def day_staff(calls: Sequence[Call], gap_s: int) -> Group:
    """Returns the agents on duty."""
    return staff_from(duty_s(calls, gap_s))


def agents_by_interval(calls: Sequence[Call], gap_s: int, every_min: int) -> Floats:
    """Returns how many agents were on duty on average in each interval of the day."""
    stretches = np.array(duty_s(calls, gap_s), dtype=np.float64).reshape(-1, 2)
    bounds_s = np.arange(0, MINUTES + 1, every_min, dtype=np.float64) * 60
    from_s, until_s = stretches.T[:, :, None]
    inside_s = np.minimum(until_s, bounds_s[1:]) - np.maximum(from_s, bounds_s[:-1])
    mean: Floats = np.maximum(inside_s, 0).sum(axis=0) / np.diff(bounds_s)
    return mean


def usual_staff(log: Mapping[date, CallDay], gap_s: int) -> Group:
    """Returns as many agents by half-hour as were there on average, to the nearest whole one."""
    days = [agents_by_interval(day.calls, gap_s, STAFF_MIN) for day in log.values()]
    return group_of(_shifts(np.rint(np.mean(days, axis=0)).astype(int).tolist()))


def _of_day(calls: Sequence[Call], gap_s: int) -> Iterator[tuple[float, bool]]:
    queue = _Queue(calls)
    for talks in _talks_s(calls).values():
        for (_, end_s), (start_s, _) in pairwise(talks):
            if 0 <= start_s - end_s < gap_s:  # talks that overlap have no pause
                empty_s = queue.empty_from(end_s)
                yield min(start_s, empty_s) - end_s, empty_s >= start_s


def _talks_s(calls: Sequence[Call]) -> dict[str, list[tuple[int, int]]]:
    """Returns the talks of each agent on record, (from, until), in the order of time."""
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for call in calls:
        if call.agent and call.talk_start_s is not None:
            found[call.agent].append((call.talk_start_s, call.talk_start_s + (call.talk_s or 0)))
    return {agent: sorted(talks) for agent, talks in sorted(found.items())}


def _stretches(talks: list[tuple[int, int]], gap_s: int) -> Iterator[list[tuple[int, int]]]:
    stretch, end_s = talks[:1], talks[0][1]
    for talk in talks[1:]:
        if talk[0] - end_s >= gap_s:
            yield stretch
            stretch = []
        stretch.append(talk)
        end_s = max(end_s, talk[1])
    yield stretch


class _Queue:
    """How many waited at each moment of a day; who is served leaves as the talk starts."""

    def __init__(self, calls: Sequence[Call]) -> None:
        changes: defaultdict[int, int] = defaultdict(int)
        for call in calls:
            left_s = call.arrival_s + call.wait_s
            if call.talk_start_s is not None:  # recorded up to 2 s before the end of the wait
                left_s = min(left_s, max(call.talk_start_s, call.arrival_s))
            changes[call.arrival_s] += 1
            changes[left_s] -= 1
        self._times_s = np.array(sorted(changes), dtype=np.float64)
        self._waiting = np.cumsum([changes[at_s] for at_s in sorted(changes)])
        self._empty_s = self._times_s[self._waiting == 0]

    def empty_from(self, at_s: float) -> float:
        """Returns when, from this moment on, nobody waits for the first time."""
        last = int(np.searchsorted(self._times_s, at_s, side="right")) - 1
        if last < 0 or self._waiting[last] == 0:
            return at_s
        after = int(np.searchsorted(self._empty_s, at_s, side="right"))
        return float(self._empty_s[after]) if after < len(self._empty_s) else inf


def _shifts(agents: Sequence[int]) -> tuple[Shift, ...]:
    """Returns shifts that cover these numbers exactly: the k-th one works where k are needed."""
    spans: defaultdict[tuple[int, int], int] = defaultdict(int)
    for level in range(max(agents, default=0)):
        edges = np.flatnonzero(np.diff([0, *(np.array(agents) > level).astype(int), 0]))
        for from_, until in edges.reshape(-1, 2).tolist():
            spans[from_ * STAFF_MIN, until * STAFF_MIN] += 1
    return tuple(
        Shift(agents=number, from_min=from_min, until_min=until_min)
        for (from_min, until_min), number in sorted(spans.items())
    )
