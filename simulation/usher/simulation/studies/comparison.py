"""`usher simulate` and `usher compare`: read files, run, tell.

It must not know how a run or a report is made.
"""

from pathlib import Path

from msgspec import Struct
from rich.console import Console

from usher.simulation.experiment import Plan, Result
from usher.simulation.figures import figure_named
from usher.simulation.report import exports, tables
from usher.simulation.report.page import ReportsMissing, page
from usher.simulation.studies.running import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_REFUSED,
    EXIT_STOPPED,
    StudyRefused,
    cases_of,
    exit_code,
    run_told,
)


class Asked(Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    scenarios: tuple[Path, ...]
    replications: int
    until: tuple[str, ...]
    most: int
    seed: int
    confidence: float
    every_min: int
    processes: int | None
    html: Path | None
    json: Path | None
    csv: Path | None


def simulate(asked: Asked, console: Console) -> int:
    """Runs one scenario; returns the exit code."""
    return exit_code(lambda: _study(asked, console), console)


def compare(asked: Asked, console: Console) -> int:
    """Runs several scenarios with the same people; returns the exit code."""
    if len(asked.scenarios) < 2:
        console.print("compare needs at least two scenarios; one alone: usher simulate")
        return EXIT_REFUSED
    return exit_code(lambda: _study(asked, console), console)


def _study(asked: Asked, console: Console) -> int:
    cases = cases_of(asked.scenarios, console)
    results = run_told(cases, _plan(asked), asked.processes, console)
    stopped = any(result.stopped for result in results)
    if not any(result.samples for result in results):
        console.print("stopped before any run was finished")
        return EXIT_STOPPED
    tables.show(results, console)
    try:
        _write(results, asked)
    except (OSError, ReportsMissing) as error:
        console.print(str(error), markup=False)
        return EXIT_FAILED
    return EXIT_STOPPED if stopped else EXIT_OK


def _plan(asked: Asked) -> Plan:
    try:
        return Plan(
            replications=asked.replications,
            half_widths=dict(map(_half_width, asked.until)),
            most=asked.most,
            seed=asked.seed,
            confidence=asked.confidence,
            interval_min=asked.every_min,
        )
    except ValueError as error:
        raise StudyRefused(str(error)) from error


def _half_width(text: str) -> tuple[str, float]:
    name, _, width = text.partition("=")
    figure_named(name)
    try:
        value = float(width)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(
            f'found --until "{text}", expected FIGURE=HALF-WIDTH with a number above 0'
        )
    return name, value


def _write(results: tuple[Result, ...], asked: Asked) -> None:
    if asked.json is not None:
        asked.json.write_text(exports.as_json(results), encoding="utf-8")
    if asked.csv is not None:
        asked.csv.write_text(exports.as_csv(results), encoding="utf-8")
    if asked.html is not None:
        title = " and ".join(result.case.scenario.title or result.case.name for result in results)
        asked.html.write_text(page(results, title, ()), encoding="utf-8")
