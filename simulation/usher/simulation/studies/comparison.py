"""`usher simulate` and `usher compare`: read files, run, tell.

It must not know how a run or a report is made.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from usher.simulation.experiment import Case, Result
from usher.simulation.report import tables
from usher.simulation.report.frames import FramesMissing
from usher.simulation.report.page import ReportsMissing, page
from usher.simulation.studies.outputs import Files, check_files, write
from usher.simulation.studies.running import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_REFUSED,
    EXIT_STOPPED,
    Runs,
    cases_of,
    exit_code,
    plan_of,
    run_told,
)


class Asked(Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    scenarios: tuple[Path, ...]
    runs: Runs
    files: Files


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
    def told(results: Sequence[Result]) -> str:
        names = [result.case.scenario.title or result.case.name for result in results]
        return page(results, " and ".join(names))

    check_files(asked.files)
    cases = cases_of(asked.scenarios, console)
    return run_and_tell(cases, asked.runs, asked.files, console, Telling(tables.show, told))


class Telling(Struct, frozen=True):
    """How results are told: on the screen, and as a page."""

    show: Callable[[Sequence[Result], Console], None]
    page: Callable[[Sequence[Result]], str]


def run_and_tell(
    cases: Sequence[Case], runs: Runs, files: Files, console: Console, telling: Telling
) -> int:
    """Runs cases, tells what came of them and writes it; returns the exit code."""
    results = run_told(cases, plan_of(runs), runs.processes, console)
    stopped = any(result.stopped for result in results)
    if not any(result.samples for result in results):
        console.print("stopped before any run was finished")
        return EXIT_STOPPED
    telling.show(results, console)
    try:
        write(results, files, lambda: telling.page(results))
    except (OSError, ReportsMissing, FramesMissing) as error:
        console.print(str(error), markup=False)
        return EXIT_FAILED
    return EXIT_STOPPED if stopped else EXIT_OK
