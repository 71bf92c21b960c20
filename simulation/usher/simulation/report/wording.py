"""Figures in words: numbers with their units, what an experiment found, how far to trust it.

The same in the terminal and on the page. It must not know tables, markup or drawings.
"""

from collections.abc import Sequence
from math import floor, log10

from usher.queue.measures import ServiceLevel
from usher.router.branch_policy import minute_text
from usher.simulation.experiment import Result
from usher.simulation.figures import Figure, Unit, figure_named, value_of
from usher.simulation.report.summary import Course, DayPart, excludes_zero, is_day, paired
from usher.simulation.scenario import Target
from usher.simulation.statistics import BATCHES_LEAST, Interval, batch_interval

NOTHING = "-"
MARK = " *"
MARK_MEANS = (
    "* the interval of the difference does not contain 0; where nothing differs, that still "
    "happens to about one in {often} by chance"
)
UNITS = {
    Unit.SHARE: "%",
    Unit.SECONDS: "s",
    Unit.COUNT: "count",
    Unit.HOURS: "h",
    Unit.MONEY: "money",
}
LEVELS = {
    ServiceLevel.OF_OFFERED: "answered in time / (answered + abandoned)",
    ServiceLevel.OF_ANSWERED: "answered in time / answered",
    ServiceLevel.ABANDONS_WITHIN_EXCLUDED: (
        "answered in time / (answered + abandoned, without those who left in time)"
    ),
    ServiceLevel.ABANDONS_WITHIN_MET: (
        "(answered in time + left in time) / (answered + abandoned)"
    ),
}
_DECIMALS_MOST = 4
_WIDTH_LEAST = 1e-9
"""A half-width below this share of the mean comes of rounding."""


def estimate_text(interval: Interval | None, unit: Unit, *, signed: bool = False) -> str:
    """Returns `84.2 ± 1.2` in the unit of `unit_text`, with two digits of the half-width.

    Without bounds it returns the mean alone, and without data `NOTHING`.
    """
    if interval is None:
        return NOTHING
    half_width = interval.half_width
    if half_width is None:
        return value_text(interval.mean, unit, signed=signed)
    if half_width <= _WIDTH_LEAST * max(1.0, abs(interval.mean)):
        return f"{value_text(interval.mean, unit, signed=signed)} ± 0"
    scale = 100 if unit is Unit.SHARE else 1
    decimals = min(_DECIMALS_MOST, max(0, 1 - floor(log10(half_width * scale))))
    mean = _number(interval.mean * scale, decimals, signed=signed)
    return f"{mean} ± {_number(half_width * scale, decimals)}"


def difference_text(interval: Interval | None, unit: Unit) -> str:
    """Returns a difference with its sign, and with `MARK` if its interval does not contain 0."""
    return estimate_text(interval, unit, signed=True) + (MARK if excludes_zero(interval) else "")


def value_text(value: float | None, unit: Unit, *, signed: bool = False) -> str:
    """Returns a number without bounds in the unit of `unit_text`; None is `NOTHING`."""
    return column_texts([value], unit, signed=signed)[0]


def column_texts(
    values: Sequence[float | None], unit: Unit, *, signed: bool = False
) -> tuple[str, ...]:
    """Returns numbers without bounds, all with as many decimals as the largest is shown with."""
    known = [value for value in values if value is not None]
    decimals, scale = _decimals(known, unit), 100 if unit is Unit.SHARE else 1
    return tuple(
        NOTHING if value is None else _number(value * scale, decimals, signed=signed)
        for value in values
    )


def unit_text(unit: Unit, *, difference: bool = False) -> str:
    """Returns the unit that texts of figures are in; shares differ by percentage points."""
    return "points" if difference and unit is Unit.SHARE else UNITS[unit]


def figure_title(figure: Figure, target: Target) -> str:
    """Returns the title of a figure; that of a service level tells its name and threshold."""
    return level_text(target) if figure.name == "service_level" else figure.title


def level_text(target: Target) -> str:
    """Returns `service level of_offered, within 20 s`."""
    return f"service level {target.level.value}, within {target.threshold_ms / 1000:,.10g} s"


def basis_text(result: Result) -> str:
    """Returns how many replications a result rests on, and how sure its intervals are."""
    count = len(result.samples)
    batches = count > len(result.numbers) > 0
    what = "batch" if batches else "replication"
    many = what if count == 1 else f"{what}es" if batches else f"{what}s"
    if count < 2:
        return f"{count} {many}, no intervals"
    return f"{count} {many}, {result.confidence * 100:g}% confidence intervals"


def mark_text(result: Result) -> str:
    """Returns what the mark of a difference means."""
    return MARK_MEANS.format(often=round(1 / (1 - result.confidence)))


def findings(results: Sequence[Result]) -> tuple[str, ...]:
    """Returns what a reader must know before trusting the figures, in sentences; mostly nothing."""
    found: list[str] = []
    if any(result.stopped for result in results):
        found.append("Stopped early: the figures rest on the replications that were finished.")
    if not all(result.reached for result in results):
        found.append("The wanted widths of the intervals were not reached.")
    for result in results:
        found += [f"{result.case.name}: {text}" for text in _findings_of(result)]
    for result in results[1:]:
        found += _findings_of_pair(results[0], result)
    return tuple(found)


def _findings_of(result: Result) -> list[str]:
    samples = result.samples
    if not samples:
        return ["no replication was finished, there are no figures."]
    found: list[str] = []
    if len(samples) == 1:
        found.append("one replication tells nothing about chance, so there are no intervals.")
    open_mean = sum(one.all.still_waiting for one in samples) / len(samples)
    if is_day(result) and open_mean > 0:
        found.append(
            f"on average {value_text(open_mean, Unit.COUNT)} of a day's contacts still waited when "
            "the run ended; they are in no share and no wait."
        )
    if _alike(result):
        found.append(
            "neighbouring batches have alike waits, so the intervals are too narrow; longer "
            "batches are needed."
        )
    return found


def _alike(result: Result) -> bool:
    """Returns whether the batches of a long run are too short to count as independent."""
    if is_day(result) or len(result.numbers) != 1 or len(result.samples) < BATCHES_LEAST:
        return False
    figure = figure_named("mean_wait")
    waits = [value_of(figure, one) for one in result.samples]
    known = [wait for wait in waits if wait is not None]
    return len(known) == len(waits) and not batch_interval(known, result.confidence).uncorrelated


def _findings_of_pair(first: Result, second: Result) -> list[str]:
    name, other = second.case.name, first.case.name
    found: list[str] = []
    if first.case.scenario.target != second.case.scenario.target:
        found.append(
            f"{name} counts the service level otherwise than {other} "
            f"({level_text(second.case.scenario.target)}; "
            f"{level_text(first.case.scenario.target)}): the two do not compare."
        )
    both = len(paired(first, second)[0])
    if not both and first.samples and second.samples:
        found.append(f"{name} and {other} have no replication in common, so no differences.")
    elif both < max(len(first.samples), len(second.samples)) and both:
        found.append(f"{name} is compared with {other} over the {both} samples that both have.")
    return found


def extremes_text(parts: Sequence[DayPart], course: Course) -> str:
    """Returns `lowest 62.0 % at 11:30, highest 98.0 % at 08:00`, or that there is nothing."""
    known = [
        (spread.mean, minute_text(part.from_min))
        for part in parts
        if (spread := part.figures[course.name]) is not None
    ]
    if not known:
        return "no data"
    low, high = min(known, key=lambda pair: pair[0]), max(known, key=lambda pair: pair[0])
    lowest, highest = with_unit(low[0], course.unit), with_unit(high[0], course.unit)
    return f"lowest {lowest} at {low[1]}, highest {highest} at {high[1]}"


def with_unit(value: float, unit: Unit) -> str:
    """Returns a number with its unit, which counts do not need."""
    text = value_text(value, unit)
    return text if unit is Unit.COUNT else f"{text} {unit_text(unit)}"


def _decimals(values: Sequence[float], unit: Unit) -> int:
    match unit:
        case Unit.MONEY:
            return 2
        case Unit.SHARE | Unit.HOURS:
            return 1
        case Unit.SECONDS | Unit.COUNT:
            if all(value == floor(value) for value in values):
                return 0
            largest = max(map(abs, values))
            return 2 if largest < 10 else 1 if largest < 100 else 0


def _number(value: float, decimals: int, *, signed: bool = False) -> str:
    text = f"{value:+,.{decimals}f}" if signed else f"{value:,.{decimals}f}"
    is_zero = not text.strip("+-0.,")
    return text.lstrip("+-") if is_zero else text
