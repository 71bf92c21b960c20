"""`usher sweep`: one scenario with values varied at some of its places; read, run, tell.

It must not know how a run or a report is made.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct
from rich.console import Console

from usher.router.findings import Finding
from usher.simulation.experiment import Case, Result
from usher.simulation.figures import Figure, figure_named
from usher.simulation.places import ValuesRefused
from usher.simulation.report import tables
from usher.simulation.report.sweep_page import sweep_page
from usher.simulation.studies.comparison import Telling, run_and_tell
from usher.simulation.studies.outputs import Files, check_files
from usher.simulation.studies.running import Runs, StudyRefused, cases_of, exit_code
from usher.simulation.sweeps import Axis, axis_of, grid

FIGURES: Final = ("service_level", "mean_wait", "abandoned", "agent_hours")
"""What is told of each case unless others are asked for: as much as 80 columns hold."""


class Asked(Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    scenario: Path
    vary: tuple[str, ...]
    figures: tuple[str, ...]
    runs: Runs
    files: Files


def sweep(asked: Asked, console: Console) -> int:
    """Runs all cases of a sweep; returns the exit code."""
    return exit_code(lambda: _study(asked, console), console)


def _study(asked: Asked, console: Console) -> int:
    check_files(asked.files)
    figures = _figures(asked.figures)
    (case,) = cases_of([asked.scenario], console)
    cases = _cases(case, asked.vary)

    def show(results: Sequence[Result], screen: Console) -> None:
        tables.show_sweep(results, figures, screen)

    def page(results: Sequence[Result]) -> str:
        return sweep_page(results, figures, case.scenario.title or case.name)

    return run_and_tell(cases, asked.runs, asked.files, console, Telling(show, page))


def _figures(names: Sequence[str]) -> tuple[Figure, ...]:
    try:
        given = [name.strip() for text in names for name in text.split(",")]
        return tuple(map(figure_named, dict.fromkeys(given or FIGURES)))
    except ValueError as error:
        raise StudyRefused(str(error)) from error


def _cases(case: Case, texts: Sequence[str]) -> tuple[Case, ...]:
    """Returns the case as it stands and all others; raises StudyRefused with all that is wrong."""
    findings: list[Finding] = []
    axes: list[Axis] = []
    for text in texts:
        try:
            axes.append(axis_of(text))
        except ValuesRefused as refused:
            findings += refused.findings
    try:
        if findings:
            raise ValuesRefused(findings)
        return grid(case, axes)
    except ValuesRefused as refused:
        raise StudyRefused(str(refused)) from refused
