"""What a report says, as figures: of each case, by interval of its day, against the first case.

Tables, exports, plots and the page all take their figures from here, so that they agree. It must
not know how figures are written or drawn.
"""

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct

from usher.simulation.arriving import MS_PER_MIN
from usher.simulation.experiment import Result
from usher.simulation.figures import ALL, FIGURES, Figure, Unit, difference_of, interval_of
from usher.simulation.samples import IntervalSums, Sample
from usher.simulation.scenario import Day
from usher.simulation.statistics import Interval

BAND = (0.05, 0.95)
"""The shares of replications below the lower and the upper edge of a band."""


class Course(Struct, frozen=True):
    """A figure that is followed through the day: sum of parts / sum of wholes over replications."""

    name: str
    title: str
    unit: Unit
    part: Callable[[IntervalSums], float]
    whole: Callable[[IntervalSums], float]


class Spread(Struct, frozen=True):
    """A figure of one interval of the day, and how replications differ in it.

    `low` and `high` are no confidence interval but the quantiles `BAND` of the replications, linear
    between neighbours (Hyndman and Fan 1996, definition 7); None unless two have the figure.
    """

    mean: float
    low: float | None
    high: float | None


class DayPart(Struct, frozen=True):
    """One interval of the day, in minutes since midnight; a figure without data is None."""

    from_min: int
    until_min: int
    figures: dict[str, Spread | None]


def _length_ms(one: IntervalSums) -> float:
    return one.until_ms - one.from_ms


def _offered(one: IntervalSums) -> float:
    return one.all.offered


def _with_any(one: IntervalSums) -> float:
    return float(one.all.offered > 0)


COURSES: tuple[Course, ...] = (
    Course("contacts", "contacts", Unit.COUNT, lambda one: one.all.contacts, lambda _: 1.0),
    Course(
        "service_level",
        "service level",
        Unit.SHARE,
        lambda one: one.all.level_met,
        lambda one: one.all.level_of,
    ),
    Course("mean_wait", "mean wait", Unit.SECONDS, lambda one: one.all.wait_ms / 1000, _offered),
    Course("wait_p50", "median wait", Unit.SECONDS, lambda one: one.all.p50_ms / 1000, _with_any),
    Course(
        "wait_p90", "90% wait at most", Unit.SECONDS, lambda one: one.all.p90_ms / 1000, _with_any
    ),
    Course("abandoned", "abandoned", Unit.SHARE, lambda one: one.all.abandoned, _offered),
    Course(
        "occupancy",
        "occupancy",
        Unit.SHARE,
        lambda one: one.staff.busy_ms,
        lambda one: one.staff.available_ms,
    ),
    Course(
        "mean_waiting", "contacts waiting", Unit.COUNT, lambda one: one.mean_waiting, lambda _: 1.0
    ),
    Course(
        "on_duty",
        "agents signed in",
        Unit.COUNT,
        lambda one: one.staff.signed_in_ms / _length_ms(one),
        lambda _: 1.0,
    ),
)
COURSE_BY_NAME = {course.name: course for course in COURSES}


def check_results(results: Sequence[Result]) -> None:
    """Raises ValueError if there is nothing to report."""
    if not results:
        raise ValueError("found no results, expected at least one")


def types_of(result: Result) -> tuple[str, ...]:
    """Returns the columns of a case: all types together, then each."""
    return (ALL, *result.case.scenario.types)


def varied_places(results: Sequence[Result]) -> tuple[str, ...]:
    """Returns the places that a sweep has varied; none of cases that were not swept."""
    return tuple(dict.fromkeys(place for result in results for place in result.case.varied))


def has_figure(figure: Figure, type_name: str) -> bool:
    """Returns False for figures of all agents where one type of contact is asked for."""
    return type_name == ALL or not figure.of_staff


def estimate(figure: Figure, result: Result, type_name: str = ALL) -> Interval | None:
    """Returns a figure with its interval; None without data, or of staff for one type."""
    if not result.samples or not has_figure(figure, type_name):
        return None
    return interval_of(figure, result.samples, type_name, result.confidence)


def difference(
    figure: Figure, first: Result, second: Result, type_name: str = ALL
) -> Interval | None:
    """Returns second - first over the replications that both have; None where one has no data."""
    both = type_name in types_of(first) and type_name in types_of(second)
    one, other = paired(first, second)
    if not both or not one or not has_figure(figure, type_name):
        return None
    return difference_of(figure, one, other, type_name=type_name, confidence=first.confidence)


def paired(first: Result, second: Result) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Returns the samples of the replications that both have, in the same order.

    An experiment that was stopped may have finished other replications of one case than of the
    other. Nothing is returned if a replication has not as many samples in both: a day and a long
    run have no pairs.
    """
    one, other = _by_number(first), _by_number(second)
    common = [number for number in first.numbers if number in other]
    if any(len(one[number]) != len(other[number]) for number in common):
        return (), ()
    return (
        tuple(each for number in common for each in one[number]),
        tuple(each for number in common for each in other[number]),
    )


def excludes_zero(interval: Interval | None) -> bool:
    """Returns whether an interval is known and lies on one side of 0."""
    if interval is None or interval.low is None or interval.high is None:
        return False
    return interval.low > 0 or interval.high < 0


def figures_of(result: Result, type_name: str = ALL) -> dict[str, Interval | None]:
    """Returns all figures that there are of a type, by name, in the order of `FIGURES`."""
    return {
        figure.name: estimate(figure, result, type_name)
        for figure in FIGURES
        if has_figure(figure, type_name)
    }


def differences_of(
    first: Result, second: Result, type_name: str = ALL
) -> dict[str, Interval | None]:
    """Returns second - first for all figures that there are of a type, by name."""
    return {
        figure.name: difference(figure, first, second, type_name)
        for figure in FIGURES
        if has_figure(figure, type_name)
    }


def is_day(result: Result) -> bool:
    """Returns False for a long run, which has no intervals of a day."""
    return isinstance(result.case.scenario.horizon, Day)


def day_parts(result: Result) -> tuple[DayPart, ...]:
    """Returns the intervals of the day in their order; none of a long run, or without samples."""
    if not is_day(result) or not result.samples:
        return ()
    columns = zip(*(one.intervals for one in result.samples), strict=True)
    return tuple(_day_part(column) for column in columns)


def _day_part(column: Sequence[IntervalSums]) -> DayPart:
    return DayPart(
        from_min=column[0].from_ms // MS_PER_MIN,
        until_min=column[0].until_ms // MS_PER_MIN,
        figures={course.name: _spread(course, column) for course in COURSES},
    )


def _spread(course: Course, column: Sequence[IntervalSums]) -> Spread | None:
    parts = np.array([course.part(one) for one in column], dtype=np.float64)
    wholes = np.array([course.whole(one) for one in column], dtype=np.float64)
    known = wholes > 0
    if not known.any():
        return None
    mean = float(parts[known].sum() / wholes[known].sum())
    if np.count_nonzero(known) < 2:
        return Spread(mean, None, None)
    low, high = np.quantile(parts[known] / wholes[known], BAND)
    return Spread(mean, float(low), float(high))


def _by_number(result: Result) -> dict[int, tuple[Sample, ...]]:
    if not result.numbers:
        return {}
    each = len(result.samples) // len(result.numbers)
    return {
        number: result.samples[place * each : (place + 1) * each]
        for place, number in enumerate(result.numbers)
    }
