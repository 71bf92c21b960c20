"""Results as files for other programs: CSV, JSON, and columns for a data frame.

Figures are in base units, not rounded: shares 0..1, seconds, hours, the scenario's money. What is
not known is an empty field, null or None, never NaN. Beside its name for programs each figure has
the title that it has in the terminal. Text comes out; it must not know files.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from usher.router.branch_policy import minute_text
from usher.simulation.experiment import Result, Varied
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
    varied_places,
)
from usher.simulation.report.wording import figure_title, findings
from usher.simulation.statistics import Interval

Field: TypeAlias = str | float | int | None
ColumnType: TypeAlias = type[str] | type[float] | type[int]

FIGURE_COLUMNS: Final[Mapping[str, ColumnType]] = {
    **dict.fromkeys(("case", "type", "figure", "title", "unit"), str),
    **dict.fromkeys(("mean", "low", "high"), float),
    **dict.fromkeys(("difference", "difference_low", "difference_high"), float),
    "confidence": float,
    "samples": int,
}
"""Of a line for each case, type and figure; after `case` the places that a sweep has varied.

Differences are from the first case, paired.
"""

DAY_COLUMNS: Final[Mapping[str, ColumnType]] = {
    **dict.fromkeys(("case", "from", "until", "figure", "title", "unit"), str),
    **dict.fromkeys(("mean", "p5", "p95"), float),
}
"""Of a line for each case, interval of the day and figure.

`from` and `until` are times of day, HH:MM; p5 and p95 are the 5% and 95% quantiles of the
replications.
"""


class Columns(Struct, frozen=True, eq=False):
    """A table by columns, all as long: what each holds beside None, and its values."""

    types: Mapping[str, ColumnType]
    values: Mapping[str, Sequence[Field]]


NOTHING_MORE: Final[Mapping[str, object]] = {}


def as_csv(results: Sequence[Result], apart: Sequence[Result] = ()) -> str:
    """Returns CSV of `figure_columns`."""
    return _csv(figure_columns(results, apart))


def day_as_csv(results: Sequence[Result]) -> str:
    """Returns CSV under `DAY_COLUMNS`; long runs have no lines."""
    return _csv(day_columns(results))


def figure_columns(results: Sequence[Result], apart: Sequence[Result] = ()) -> Columns:
    """Returns `FIGURE_COLUMNS`, and after `case` a column for each place that was varied.

    Results `apart` come first, and are compared with none.
    """
    varied = {
        place: _type_of([result.case.varied.get(place) for result in results])
        for place in varied_places(results)
    }
    types = {"case": str, **varied, **FIGURE_COLUMNS}
    rows = (_figure_rows(each, varied) for each in (*((one,) for one in apart), results))
    return columns_of(types, chain.from_iterable(rows))


def day_columns(results: Sequence[Result]) -> Columns:
    """Returns `DAY_COLUMNS`; long runs have no lines."""
    rows = (
        (
            *(result.case.name, *_times(part), course.name, course.title, course.unit.value),
            *_spread(part, course.name),
        )
        for result in results
        for part in day_parts(result)
        for course in COURSES
    )
    return columns_of(DAY_COLUMNS, rows)


def columns_of(types: Mapping[str, ColumnType], rows: Iterable[Sequence[Field]]) -> Columns:
    """Returns rows, each as long as there are types, as columns."""
    values: dict[str, list[Field]] = {name: [] for name in types}
    for row in rows:
        for column, value in zip(values.values(), row, strict=True):
            column.append(value)
    return Columns(types, values)


def as_json(results: Sequence[Result], more: Mapping[str, object] = NOTHING_MORE) -> str:
    """Returns one JSON object with all that the tables hold; raises ValueError for no results.

    `figures` and `day_figures` tell titles and units by name. Of each case, `figures` and
    `difference` (from the first case) are by type, then by figure; `varied` is by place. `more` is
    the caller's own.
    """
    check_results(results)
    targets = [result.case.scenario.target for result in results]
    same = targets[0] if all(target == targets[0] for target in targets) else None
    told = {
        "confidence": results[0].confidence,
        "findings": findings(results),
        "figures": {
            figure.name: _Told(figure_title(figure, same) if same else figure.title, figure.unit)
            for figure in FIGURES
        },
        "day_figures": {course.name: _Told(course.title, course.unit) for course in COURSES},
        "cases": [_case(results[0], result) for result in results],
        **more,
    }
    return json_text(told)


def json_text(told: Mapping[str, object]) -> str:
    """Returns an object as JSON that people can read too."""
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n"


class _Told(Struct, frozen=True):
    title: str
    unit: Unit


def _case(first: Result, result: Result) -> Mapping[str, object]:
    scenario = result.case.scenario
    return {
        "name": result.case.name,
        "varied": result.case.varied,
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
    return {"from": start, "until": end} | {
        course.name: dict(zip(("mean", "p5", "p95"), _spread(part, course.name), strict=True))
        for course in COURSES
    }


def _figure_rows(
    results: Sequence[Result], varied: Mapping[str, ColumnType]
) -> Iterator[tuple[Field, ...]]:
    for result in results:
        case, first = result.case, results[0]
        places = [_field(case.varied.get(place), kind) for place, kind in varied.items()]
        for type_name in types_of(result):
            differences = {} if result is first else differences_of(first, result, type_name)
            for name, interval in figures_of(result, type_name).items():
                figure = BY_NAME[name]
                title = figure_title(figure, case.scenario.target)
                yield (
                    *(case.name, *places, type_name, name, title, figure.unit.value),
                    *_estimate(interval),
                    *_estimate(differences.get(name)),
                    *(result.confidence, len(result.samples)),
                )


def _type_of(values: Sequence[Varied]) -> ColumnType:
    kinds = {type(value) for value in values if value is not None}
    return int if kinds == {int} else float if kinds and kinds <= {int, float} else str


def _field(value: Varied, kind: ColumnType) -> Field:
    if value is None or kind is not str:
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _estimate(interval: Interval | None) -> tuple[float | None, ...]:
    return (None,) * 3 if interval is None else (interval.mean, interval.low, interval.high)


def _times(part: DayPart) -> tuple[str, str]:
    return minute_text(part.from_min), minute_text(part.until_min)


def _spread(part: DayPart, name: str) -> tuple[float | None, ...]:
    spread = part.figures[name]
    return (None,) * 3 if spread is None else (spread.mean, spread.low, spread.high)


def _csv(columns: Columns) -> str:
    return csv_text(tuple(columns.types), zip(*columns.values.values(), strict=True))


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Field]]) -> str:
    """Returns lines of CSV under a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
