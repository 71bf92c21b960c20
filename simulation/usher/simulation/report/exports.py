"""Results as files for other programs: CSV, JSON, and columns for a data frame.

Figures are in base units, not rounded: shares 0..1, seconds, hours, the scenario's money. What is
not known is an empty field, null or None, never NaN. Text comes out; it must not know files.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from usher.router.branch_policy import minute_text
from usher.simulation.experiment import Result
from usher.simulation.figures import BY_NAME, FIGURES, Unit
from usher.simulation.report.summary import (
    COURSES,
    DayPart,
    check_results,
    day_parts,
    differences_of,
    excludes_zero,
    figures_of,
    types_of,
)
from usher.simulation.report.wording import findings
from usher.simulation.statistics import Interval

Field = str | float | int | None

FIGURE_COLUMNS = (
    *("case", "type", "figure", "unit"),
    *("mean", "low", "high", "confidence", "samples"),
)
DAY_COLUMNS = ("case", "from", "until", "figure", "unit", "mean", "p5", "p95")
NOTHING_MORE: Mapping[str, object] = {}


def as_csv(results: Sequence[Result]) -> str:
    """Returns CSV under `FIGURE_COLUMNS`: a line for each case, type and figure."""
    return _csv(FIGURE_COLUMNS, _figure_rows(results))


def day_as_csv(results: Sequence[Result]) -> str:
    """Returns CSV under `DAY_COLUMNS`: a line for each case, interval of the day and figure.

    `from` and `until` are times of day, HH:MM; p5 and p95 are the 5% and 95% quantiles of the
    replications. Long runs have no lines.
    """
    rows = (
        (result.case.name, *_times(part), course.name, course.unit.value, *_spread(part, name))
        for result in results
        for part in day_parts(result)
        for name, course in ((course.name, course) for course in COURSES)
    )
    return _csv(DAY_COLUMNS, rows)


def frame_columns(results: Sequence[Result]) -> dict[str, list[Field]]:
    """Returns tidy columns, `FIGURE_COLUMNS`, as long as the lines of `as_csv`."""
    rows = list(_figure_rows(results))
    return {name: [row[at] for row in rows] for at, name in enumerate(FIGURE_COLUMNS)}


def as_json(results: Sequence[Result], more: Mapping[str, object] = NOTHING_MORE) -> str:
    """Returns one JSON object with all that the tables hold; raises ValueError for no results.

    `figures` and `day_figures` tell titles and units by name. Of each case, `figures` and
    `difference` (from the first case) are by type, then by figure. `more` is the caller's own.
    """
    check_results(results)
    told = {
        "confidence": results[0].confidence,
        "findings": findings(results),
        "figures": {figure.name: _Told(figure.title, figure.unit) for figure in FIGURES},
        "day_figures": {course.name: _Told(course.title, course.unit) for course in COURSES},
        "cases": [_case(results[0], result) for result in results],
        **more,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n"


class _Told(Struct, frozen=True):
    title: str
    unit: Unit


def _case(first: Result, result: Result) -> Mapping[str, object]:
    scenario = result.case.scenario
    return {
        "name": result.case.name,
        "scenario": scenario.name,
        "title": scenario.title,
        "policy": result.case.policy.version,
        "horizon": scenario.horizon,
        "target": scenario.target,
        "replications": len(result.numbers),
        "samples": len(result.samples),
        "reached": result.reached,
        "stopped": result.stopped,
        "figures": {name: figures_of(result, name) for name in types_of(result)},
        "difference": None if result is first else _differences(first, result),
        "day": [_day_part(part) for part in day_parts(result)],
    }


def _differences(first: Result, result: Result) -> dict[str, dict[str, dict[str, object] | None]]:
    return {
        name: {
            figure: _difference(interval)
            for figure, interval in differences_of(first, result, name).items()
        }
        for name in types_of(result)
    }


def _difference(interval: Interval | None) -> dict[str, object] | None:
    if interval is None:
        return None
    return asdict(interval) | {"excludes_zero": excludes_zero(interval)}


def _day_part(part: DayPart) -> Mapping[str, object]:
    start, end = _times(part)
    columns = DAY_COLUMNS[-3:]
    return {"from": start, "until": end} | {
        course.name: dict(zip(columns, _spread(part, course.name), strict=True))
        for course in COURSES
    }


def _figure_rows(results: Sequence[Result]) -> Iterator[tuple[Field, ...]]:
    for result in results:
        for type_name in types_of(result):
            for name, interval in figures_of(result, type_name).items():
                start = (result.case.name, type_name, name, BY_NAME[name].unit.value)
                yield (*start, *_estimate(interval), result.confidence, len(result.samples))


def _estimate(interval: Interval | None) -> tuple[float | None, ...]:
    return (None,) * 3 if interval is None else (interval.mean, interval.low, interval.high)


def _times(part: DayPart) -> tuple[str, str]:
    return minute_text(part.from_min), minute_text(part.until_min)


def _spread(part: DayPart, name: str) -> tuple[float | None, ...]:
    spread = part.figures[name]
    return (None,) * 3 if spread is None else (spread.mean, spread.low, spread.high)


def _csv(header: Sequence[str], rows: Iterable[Sequence[Field]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
