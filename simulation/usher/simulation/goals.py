"""What a staffing is to reach, and whether replications show that it does.

A goal is broken down into checks: one figure of one type (or of all), in one interval or over the
day, against a limit. A check is met when the ratio of sums over all replications keeps its limit:
the point estimate, or with `sure` the bound of its confidence interval on the unwelcome side. It
must not know staffings or how replications are run.

Contacts that still wait when the day is over are in no service level, so a staffing could leave
deferrable work undone: their share of each type is a check of its own.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from usher.simulation.figures import ALL, Figure, Unit, figure_named
from usher.simulation.needs import Targets
from usher.simulation.samples import IntervalSums, Sample, Staffing, Sums
from usher.simulation.scenario import Scenario, TypeName
from usher.simulation.statistics import Interval, ratio_difference_interval, ratio_interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEFT_SHARE: Final = 0.02
CLEAR_CONFIDENCE: Final = 0.99
"""How sure a miss is to be before a staffing is given up without all replications."""
WORST: Final = 4
"""For a miss over the day, one interval in so many is to get agents."""
_ROUNDING: Final = 1e-9

LEFT: Final = Figure(
    "left",
    "still waiting at the end",
    Unit.SHARE,
    lambda sums, _: sums.contacts - sums.offered - sums.turned_away,
    lambda sums, _: sums.contacts,
)


class Goals(Struct, frozen=True, kw_only=True):
    """Targets for these types, each by itself, in every interval or over the day.

    Contacts stand in the interval in which they came.
    """

    targets: Targets
    types: tuple[TypeName, ...] = (ALL,)
    in_every_interval: bool = True
    left_share: float = LEFT_SHARE
    """Largest share of a type's contacts that may still wait when the day is over."""
    sure: bool = False
    confidence: float = 0.95

    def wanted_types(self, scenario: Scenario) -> tuple[TypeName, ...]:
        """Returns the types that the targets are for."""
        return tuple(scenario.types) if ALL in self.types else self.types


class Check(Struct, frozen=True, kw_only=True):
    """One limit; `interval` None = over the day. What is not `binding` is only watched."""

    figure: Figure
    type_name: TypeName
    interval: int | None
    limit: float
    at_least: bool
    binding: bool

    @property
    def scale(self) -> float:
        """Returns what a distance from the limit is divided by: shares stay points."""
        return 1.0 if self.figure.unit is Unit.SHARE else self.limit


class Evidence(Struct, frozen=True, eq=False, kw_only=True):
    """What replications showed of each check; shape (replications, checks)."""

    parts: Floats
    wholes: Floats
    is_unstable: bool = False
    """More contacts waited than the scenario allows; then there are no replications."""

    @property
    def replications(self) -> int:
        """Returns how many."""
        return len(self.parts)

    def first(self, count: int) -> "Evidence":
        """Returns what the first ones showed."""
        return Evidence(parts=self.parts[:count], wholes=self.wholes[:count])


def asked_figures(targets: Targets) -> tuple[tuple[Figure, float, bool], ...]:
    """Returns (figure, limit, whether at least) of each target that is given."""
    level = targets.service_level
    asked = (
        ("service_level", None if level is None else level.share, True),
        ("speed_of_answer", targets.speed_of_answer_s, False),
        ("abandoned", targets.abandon_share, False),
        ("occupancy", targets.occupancy, False),
    )
    return tuple(
        (figure_named(name), limit, at_least)
        for name, limit, at_least in asked
        if limit is not None
    )


def checks_of(goals: Goals, scenario: Scenario, intervals: int) -> tuple[Check, ...]:
    """Returns the checks by figure and type: each interval, then the day; what is left comes last.

    Raises ValueError for a type that the scenario does not have.
    """
    for name in goals.types:
        if name != ALL and name not in scenario.types:
            known = ", ".join(scenario.types)
            raise ValueError(f'found type "{name}", expected one of {known}')
    checks: list[Check] = []
    for figure, limit, at_least in asked_figures(goals.targets):
        for type_name in (ALL,) if figure.of_staff else goals.types:
            places: list[int | None] = [*range(intervals), None]
            checks += [
                Check(
                    figure=figure,
                    type_name=type_name,
                    interval=interval,
                    limit=limit,
                    at_least=at_least,
                    binding=(interval is not None) == goals.in_every_interval,
                )
                for interval in places
            ]
    return (*checks, *(_left_check(name, goals.left_share) for name in scenario.types))


def row_of(checks: Sequence[Check], one: Sample) -> tuple[list[float], list[float]]:
    """Returns the parts and wholes of the checks in one replication of a day."""
    parts, wholes = [], []
    for check in checks:
        sums, staff = _place_of(check, one)
        whole = check.figure.whole
        parts.append(float(check.figure.part(sums, staff)))
        wholes.append(1.0 if whole is None else float(whole(sums, staff)))
    return parts, wholes


def values(evidence: Evidence) -> Floats:
    """Returns the figure of each check over all replications, NaN where nothing came."""
    parts, wholes = evidence.parts.sum(axis=0), evidence.wholes.sum(axis=0)
    found: Floats = np.full(len(parts), np.nan)
    np.divide(parts, wholes, out=found, where=wholes > 0)
    return found


def interval_at(evidence: Evidence, at: int, confidence: float) -> Interval | None:
    """Returns the figure of one check with its confidence interval; None without data."""
    return ratio_interval(evidence.parts[:, at], evidence.wholes[:, at], confidence)


def shortfalls(checks: Sequence[Check], figures: Floats) -> Floats:
    """Returns how far each figure is beyond its limit; not above 0 = it keeps it.

    Shares in points (0.05 = 5 points), times as a share of the limit; nothing came: 0.
    """
    beyond = [
        ((check.limit - value) if check.at_least else (value - check.limit)) / check.scale
        for check, value in zip(checks, figures.tolist(), strict=True)
    ]
    distances: Floats = np.nan_to_num(np.array(beyond), nan=0.0)
    return distances


def missed(checks: Sequence[Check], evidence: Evidence, goals: Goals) -> Flags:
    """Returns which binding checks are missed."""
    binding = np.array([check.binding for check in checks])
    if evidence.is_unstable:
        return binding
    figures = _bounds(checks, evidence, goals) if goals.sure else values(evidence)
    flags: Flags = binding & (shortfalls(checks, figures) > _ROUNDING)
    return flags


def clearly_misses(checks: Sequence[Check], partial: Evidence, known: Evidence) -> bool:
    """Returns whether a staffing may be given up after its first replications.

    `known` is another staffing with all replications, the first of which met the same people: what
    it shows over all of them, moved by the paired difference over the first ones, is beyond a limit
    even at the better bound of the difference (`CLEAR_CONFIDENCE`). The other staffing serves as a
    control variate, which needs far fewer replications than a figure by itself.
    """
    if partial.is_unstable:
        return True
    count = partial.replications
    over_all, before, after = values(known), values(known.first(count)), values(partial)
    for at, check in enumerate(checks):
        if not check.binding or np.isnan(over_all[at] + before[at] + after[at]):
            continue
        sign = -1.0 if check.at_least else 1.0
        if sign * (over_all[at] + after[at] - before[at] - check.limit) <= _ROUNDING:
            continue
        change = ratio_difference_interval(
            (partial.parts[:, at], partial.wholes[:, at]),
            (known.parts[:count, at], known.wholes[:count, at]),
            CLEAR_CONFIDENCE,
        )
        best = None if change is None else (change.high if check.at_least else change.low)
        if best is not None and sign * (over_all[at] + best - check.limit) > _ROUNDING:
            return True
    return False


def predicted(partial: Evidence, known: Evidence) -> Floats:
    """Returns the figures over all replications that the first ones let expect.

    Those of `known`, moved by the difference over the replications that both have.
    """
    change = values(partial) - values(known.first(partial.replications))
    figures: Floats = values(known) + np.nan_to_num(change, nan=0.0)
    return figures


def intervals_to_help(
    checks: Sequence[Check], failing: Sequence[Check], evidence: Evidence
) -> list[int]:
    """Returns the intervals in which agents are missing, ascending.

    Those that miss; for a miss over the day the quarter with the worst figures, for work that is
    left at the end of the day the last quarter.
    """
    last = max((check.interval for check in checks if check.interval is not None), default=0)
    some = max(1, (last + 1) // WORST)
    found: set[int] = set()
    for check in failing:
        if check.interval is not None:
            found.add(check.interval)
        elif check.figure is LEFT or evidence.is_unstable:
            found.update(range(last + 1 - some, last + 1))
        else:
            found.update(_worst(check, checks, evidence)[:some])
    return sorted(found)


def _worst(missed: Check, checks: Sequence[Check], evidence: Evidence) -> list[int]:
    """Returns the intervals by the figure that is missed over the day, the worst first."""
    beyond = shortfalls(checks, values(evidence)).tolist()
    of_intervals = [
        (far, check.interval)
        for far, check in zip(beyond, checks, strict=True)
        if check.interval is not None
        and (check.figure, check.type_name) == (missed.figure, missed.type_name)
    ]
    return [interval for _, interval in sorted(of_intervals, reverse=True)]


def _left_check(name: TypeName, share: float) -> Check:
    return Check(
        figure=LEFT, type_name=name, interval=None, limit=share, at_least=False, binding=True
    )


def _place_of(check: Check, one: Sample) -> tuple[Sums, Staffing]:
    place: Sample | IntervalSums = one if check.interval is None else one.intervals[check.interval]
    return place.types.get(check.type_name, place.all), place.staff


def _bounds(checks: Sequence[Check], evidence: Evidence, goals: Goals) -> Floats:
    """Returns the unwelcome bound of each figure; the figure itself where there is none."""
    figures = values(evidence)
    for at, check in enumerate(checks):
        interval = interval_at(evidence, at, goals.confidence) if check.binding else None
        bound = None if interval is None else (interval.low if check.at_least else interval.high)
        figures[at] = figures[at] if bound is None else bound
    return figures
