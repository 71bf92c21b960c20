"""Search for the cheapest staffing that meets its goals, each staffing tried by simulation.

    rise            add agents where goals are missed, until none is
    fall            take agents away, many at once, as long as none is
    polish          try every move of a neighbourhood one by one, until none is left to take

What it finds is a local minimum on the replications it has seen, and says no more: the staffing
meets every goal over them all, and no move of the neighbourhood that lowers the cost does. A move
is tried with all replications, or with fewer if by a paired interval of 99% it clearly misses
(`goals.clearly_misses`); postponements are tried only where work is carried over (`_carries`). A
staffing elsewhere may be cheaper, and on other days the figures differ by chance: they are to be
looked at on replications that the search has not seen.

Staffings by simulation from what theory says, interval by interval, are in Feldman, Mandelbaum,
Massey and Whitt 2008; that what helps an interval may be an agent in the one before, since waiting
work is carried over, in Green, Kolesar and Soares 2001. Atlason, Epelman and Henderson 2008 solve
the same task by cutting planes from differences of simulated figures, under the assumption that
service is concave in the staffing; here no such assumption is made, and nothing is proven beyond
the neighbourhood. It must not know scenarios, or how replications are run.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from enum import Enum
from functools import partial
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from usher.simulation.goals import (
    Check,
    Floats,
    clearly_misses,
    predicted,
    shortfalls,
    values,
)
from usher.simulation.neighbourhood import first_of_postponement, moves_by_interval, removals
from usher.simulation.staffing import Int64s, Move, Posts, moved
from usher.simulation.staffing_rise import Rise
from usher.simulation.trials import LOOK, RunsUsedUp, Tell, Trials

CARRIED_MOST: Final = 3
"""Intervals in which work that was left waiting is looked for."""
CARRIED_SHARE: Final = 0.25
"""Work counts as carried over if an agent fewer costs the next interval this share of what it costs
its own."""
_ROUNDING: Final = 1e-9


class Ending(Enum):
    """Why a search ended."""

    MINIMUM = "no move of the neighbourhood is left"
    RUNS_USED_UP = "the replications that were allowed are used up"
    STOPPED = "it was stopped"


class Found(Struct, frozen=True, eq=False, kw_only=True):
    """What a search has come to. Not `is_met`: it ended before all goals were met."""

    counts: Int64s
    is_met: bool
    ending: Ending


def search(
    trials: Trials,
    posts: Posts,
    starts: Sequence[Int64s],
    *,
    agents_most: int,
    tell: Tell | None = None,
) -> Found:
    """Returns the cheapest staffing by interval that it finds from these starts.

    It rises and falls from each start, and polishes what is then the cheapest. `agents_most` agents
    on duty at once at most. Raises Unreachable if they are too few. An interrupt, or the last
    allowed replication, ends it with the best staffing so far.
    """
    best = None
    for start in starts:
        falling = _Search(trials, posts, start, tell)
        found = falling.ended(partial(falling.by_interval, agents_most))
        if best is None or _is_better(found, best, posts):
            best = found
        if found.ending is not Ending.MINIMUM:
            return replace(best, ending=found.ending)
    if best is None:
        raise ValueError("found no start, expected at least one")
    polishing = _Search(trials, posts, best.counts, tell)
    polishing.is_met = best.is_met
    return polishing.ended(partial(polishing.polish, moves_by_interval(posts)))


def trimmed(trials: Trials, posts: Posts, start: Int64s, tell: Tell | None = None) -> Found:
    """Returns a staffing that meets the goals without those of its agents it can do without.

    One that does not meet them is returned as it is.
    """
    trimming = _Search(trials, posts, start, tell)
    return trimming.ended(partial(trimming.polish, removals(posts)))


def _is_better(one: Found, other: Found, posts: Posts) -> bool:
    if one.is_met != other.is_met:
        return one.is_met
    return one.is_met and posts.cost(one.counts) < posts.cost(other.counts)


class _Search:
    """A staffing on its way; `counts` meets the goals as soon as `is_met`."""

    def __init__(self, trials: Trials, posts: Posts, start: Int64s, tell: Tell | None) -> None:
        self._trials = trials
        self._posts = posts
        self._costs = posts.costs()
        self._interval_of = [post.intervals[0] for post in posts.posts]
        self._tell = tell
        self._refused: set[bytes] = set()
        self._binding = np.array([check.binding for check in trials.checks])
        self.counts = start
        self.is_met = False

    def ended(self, run: Callable[[], None]) -> Found:
        """Returns what a run has come to, however it ended."""
        ending = Ending.MINIMUM
        try:
            run()
        except RunsUsedUp:
            ending = Ending.RUNS_USED_UP
        except (KeyboardInterrupt, CancelledError):
            ending = Ending.STOPPED
        return Found(counts=self.counts, is_met=self.is_met, ending=ending)

    def by_interval(self, agents_most: int) -> None:
        """Rises and falls."""
        Rise(self._trials, self._posts, agents_most).until_met(self.counts, self._risen)
        self.is_met = True
        if any(check.binding and check.interval is not None for check in self._trials.checks):
            self._fall_by_interval()
        else:
            self._fall_by_effect()

    def polish(self, moves: Sequence[Move]) -> None:
        """Tries all moves until none is taken any more: each was then tried from where it ends.

        A staffing that misses stays as it is.
        """
        self.is_met = self._trials.meets(self.counts)
        taken = self.is_met
        while taken:
            taken = False
            for move in self._cheaper(moves):
                while self._accepts(move):
                    taken = True

    def _risen(self, counts: Int64s) -> None:
        self.counts = counts
        self._told("more agents where targets are missed")

    # many at once

    def _fall_by_interval(self) -> None:
        """One agent fewer in every interval at once; where a goal is then missed, not there."""
        kept: set[int] = set()
        while picks := self._dearest(kept):
            while picks:
                fewer = moved(self.counts, tuple((at, -1) for at in picks))
                failing = self._failing(fewer)
                if not failing:
                    self._take(fewer, "fewer agents")
                    break
                blamed = {at for check in failing for at in self._blamed(check, picks)}
                kept |= blamed
                picks -= blamed

    def _dearest(self, kept: set[int]) -> set[int]:
        """Returns of each interval the dearest post that has an agent and is not to be kept."""
        picks: dict[int, int] = {}
        for at, interval in enumerate(self._interval_of):
            if at in kept or not self.counts[at]:
                continue
            best = picks.get(interval)
            if best is None or self._costs[at] > self._costs[best]:
                picks[interval] = at
        return set(picks.values())

    def _failing(self, counts: Int64s) -> list[Check]:
        """Returns the checks that a staffing is expected to miss, or does."""
        first = self._trials.evidence(counts, LOOK)
        if not first.is_unstable:
            figures = predicted(first, self._trials.evidence(self.counts))
            expected = self._beyond(figures)
            if expected:
                return expected
        return self._trials.missed(self._trials.evidence(counts))

    def _beyond(self, figures: Floats) -> list[Check]:
        flags = self._binding & (shortfalls(self._trials.checks, figures) > _ROUNDING)
        return [check for check, over in zip(self._trials.checks, flags, strict=True) if over]

    def _blamed(self, check: Check, picks: set[int]) -> set[int]:
        """Returns the picks that a miss is put down to: the nearest one before its end."""
        last = self._posts.timetable.count - 1
        at = last if check.interval is None else check.interval
        before = [pick for pick in picks if self._interval_of[pick] <= at]
        near = [pick for pick in before if self._interval_of[pick] >= at - CARRIED_MOST]
        if check.interval is None or not near:
            return {max(before or picks, key=lambda pick: self._interval_of[pick])}
        return {max(near, key=lambda pick: self._interval_of[pick])}

    def _fall_by_effect(self) -> None:
        """Takes away agents by what each of them costs the day's figures, the least first.

        Effects of single agents are taken to add up, then the staffing is tried: Fox 1966,
        marginal analysis.
        """
        while True:
            chosen = self._least_missed_agents()
            while chosen:
                fewer = moved(self.counts, tuple((at, -1) for at in chosen))
                if self._trials.meets(fewer):
                    self._take(fewer, "fewer agents")
                    break
                chosen = chosen[: len(chosen) // 2]
            if not chosen:
                return

    def _least_missed_agents(self) -> list[int]:
        """Returns posts whose last agents may go together, if their effects add up."""
        checks, known = self._trials.checks, self._trials.evidence(self.counts)
        room = -shortfalls(checks, values(known))[self._binding]
        losses: dict[int, Floats] = {}
        for at in np.flatnonzero(self.counts).tolist():
            first = self._trials.evidence(moved(self.counts, ((at, -1),)), LOOK)
            if not first.is_unstable:
                loss = shortfalls(checks, predicted(first, known))[self._binding] + room
                losses[at] = np.maximum(loss, 0.0)
        share = np.maximum(room, _ROUNDING)
        order = sorted(losses, key=lambda at: float(np.max(losses[at] / share)) / self._costs[at])
        chosen, left = [], room
        for at in order:
            if (left - losses[at] >= -_ROUNDING).all():
                chosen.append(at)
                left = left - losses[at]
        return chosen

    # one by one

    def _cheaper(self, moves: Iterable[Move]) -> Iterator[Move]:
        for move in moves:
            is_cheaper = sum(change * self._costs[at] for at, change in move) < -_ROUNDING
            if is_cheaper:
                first = first_of_postponement(move, self._posts)
                if first is None or self._carries(first):
                    yield move

    def _carries(self, at: int) -> bool:
        """Returns whether an agent fewer on a post is felt in the interval after it.

        Only then may work be moved between the two. Without an agent nothing is known.
        """
        if not self.counts[at]:
            return True
        first = self._trials.evidence(moved(self.counts, ((at, -1),)), LOOK)
        if first.is_unstable:
            return True
        checks, known = self._trials.checks, self._trials.evidence(self.counts)
        losses = shortfalls(checks, predicted(first, known)) - shortfalls(checks, values(known))
        here = self._interval_of[at]

        def lost(interval: int) -> float:
            own = [check.interval == interval for check in checks]
            return float(losses[own].max(initial=0.0))

        return lost(here + 1) > CARRIED_SHARE * lost(here)

    def _accepts(self, move: Move) -> bool:
        counts = moved(self.counts, move)
        if (counts < 0).any() or counts.tobytes() in self._refused:
            return False
        if not self._holds(counts):
            self._refused.add(counts.tobytes())
            return False
        self._take(counts, "one agent fewer" if len(move) == 1 else "agents exchanged")
        return True

    def _holds(self, counts: Int64s) -> bool:
        """Returns whether a staffing meets all goals; one that clearly fails is given up."""
        known = self._trials.evidence(self.counts)
        replications = LOOK
        while replications < self._trials.replications:
            first = self._trials.evidence(counts, replications)
            if clearly_misses(self._trials.checks, first, known):
                return False
            replications *= 2
        return self._trials.meets(counts)

    def _take(self, counts: Int64s, doing: str) -> None:
        self.counts = counts
        self._told(doing)

    def _told(self, doing: str) -> None:
        if self._tell is not None:
            self._tell(doing, self._posts.agent_hours(self.counts))
