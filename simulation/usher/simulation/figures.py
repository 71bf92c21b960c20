"""The figures of a simulation by name: what each is, its unit, and how it comes from samples.

Every figure is a ratio of sums over replications, or a mean of one value per replication; so each
has a confidence interval. It must not know how samples came about.
"""

from collections.abc import Callable, Sequence
from enum import Enum

from msgspec import Struct

from usher.simulation.samples import Sample, Staffing, Sums
from usher.simulation.statistics import (
    Interval,
    difference_interval,
    mean_interval,
    ratio_difference_interval,
    ratio_interval,
)

ALL = "all"
"""Stands for all types together."""


class Unit(Enum):
    """What a figure is counted in."""

    SHARE = "share"
    SECONDS = "s"
    COUNT = "count"
    HOURS = "h"
    MONEY = "money"


class Figure(Struct, frozen=True):
    """One figure: `part` of `whole`, or `part` alone where there is no whole."""

    name: str
    title: str
    unit: Unit
    part: Callable[[Sums, Staffing], float]
    whole: Callable[[Sums, Staffing], float] | None = None
    of_staff: bool = False
    """Of all agents: the same for every type."""


def _offered(sums: Sums, _: Staffing) -> float:
    return sums.offered


def _contacts(sums: Sums, _: Staffing) -> float:
    return sums.contacts


FIGURES: tuple[Figure, ...] = (
    Figure("contacts", "contacts", Unit.COUNT, _contacts),
    Figure("offered", "answered or abandoned", Unit.COUNT, _offered),
    Figure("answered", "answered", Unit.COUNT, lambda sums, _: sums.answered),
    Figure(
        "service_level",
        "service level",
        Unit.SHARE,
        lambda sums, _: sums.level_met,
        lambda sums, _: sums.level_of,
    ),
    Figure("abandoned", "abandoned", Unit.SHARE, lambda sums, _: sums.abandoned, _offered),
    Figure("turned_away", "turned away", Unit.SHARE, lambda sums, _: sums.turned_away, _contacts),
    Figure(
        "no_show", "did not come when called", Unit.SHARE, lambda sums, _: sums.no_shows, _contacts
    ),
    Figure("mean_wait", "mean wait", Unit.SECONDS, lambda sums, _: sums.wait_ms / 1000, _offered),
    Figure(
        "speed_of_answer",
        "mean speed of answer",
        Unit.SECONDS,
        lambda sums, _: sums.answer_wait_ms / 1000,
        lambda sums, _: sums.answered,
    ),
    Figure("wait_p50", "median wait", Unit.SECONDS, lambda sums, _: sums.p50_ms / 1000),
    Figure("wait_p90", "90% wait at most", Unit.SECONDS, lambda sums, _: sums.p90_ms / 1000),
    Figure("longest_wait", "longest wait", Unit.SECONDS, lambda sums, _: sums.longest_ms / 1000),
    Figure(
        "occupancy",
        "occupancy",
        Unit.SHARE,
        lambda _, staff: staff.busy_ms,
        lambda _, staff: staff.available_ms,
        of_staff=True,
    ),
    Figure(
        "occupancy_by_units",
        "occupancy by units",
        Unit.SHARE,
        lambda _, staff: staff.used_unit_ms,
        lambda _, staff: staff.capacity_unit_ms,
        of_staff=True,
    ),
    Figure(
        "agent_hours",
        "agent hours",
        Unit.HOURS,
        lambda _, staff: staff.signed_in_ms / 3_600_000,
        of_staff=True,
    ),
    Figure("cost", "cost", Unit.MONEY, lambda _, staff: staff.cost, of_staff=True),
    Figure(
        "cost_per_contact",
        "cost per answered contact",
        Unit.MONEY,
        lambda _, staff: staff.cost,
        lambda sums, _: sums.answered,
        of_staff=True,
    ),
    Figure("value", "value of answered contacts", Unit.MONEY, lambda sums, _: sums.value),
    Figure(
        "gain",
        "value less cost",
        Unit.MONEY,
        lambda sums, staff: sums.value - staff.cost,
        of_staff=True,
    ),
)
BY_NAME = {figure.name: figure for figure in FIGURES}


def figure_named(name: str) -> Figure:
    """Returns the figure of that name; raises ValueError that tells the known ones."""
    if name not in BY_NAME:
        raise ValueError(f'found figure "{name}", expected one of {", ".join(BY_NAME)}')
    return BY_NAME[name]


def interval_of(
    figure: Figure, samples: Sequence[Sample], type_name: str = ALL, confidence: float = 0.95
) -> Interval | None:
    """Returns the figure with its interval over samples, None where there is nothing to divide."""
    parts, wholes = _columns(figure, samples, type_name)
    if wholes is None:
        return mean_interval(parts, confidence)
    return ratio_interval(parts, wholes, confidence)


def difference_of(
    figure: Figure,
    first: Sequence[Sample],
    second: Sequence[Sample],
    *,
    type_name: str = ALL,
    confidence: float = 0.95,
) -> Interval | None:
    """Returns second - first with its interval, paired: samples of one place met the same people.

    Raises ValueError if they are not as many.
    """
    parts, wholes = _columns(figure, second, type_name)
    other_parts, other_wholes = _columns(figure, first, type_name)
    if wholes is None or other_wholes is None:
        return difference_interval(parts, other_parts, confidence)
    return ratio_difference_interval((parts, wholes), (other_parts, other_wholes), confidence)


def value_of(figure: Figure, one: Sample, type_name: str = ALL) -> float | None:
    """Returns the figure of one sample alone, None where there is nothing to divide."""
    parts, wholes = _columns(figure, [one], type_name)
    if wholes is None:
        return parts[0]
    return parts[0] / wholes[0] if wholes[0] else None


def _columns(
    figure: Figure, samples: Sequence[Sample], type_name: str
) -> tuple[list[float], list[float] | None]:
    pairs = [(_sums_of(one, type_name), one.staff) for one in samples]
    parts = [float(figure.part(sums, staff)) for sums, staff in pairs]
    if figure.whole is None:
        return parts, None
    return parts, [float(figure.whole(sums, staff)) for sums, staff in pairs]


def _sums_of(one: Sample, type_name: str) -> Sums:
    return one.all if type_name == ALL else one.types[type_name]
