"""`usher simulate` and `usher compare`: read files, run, tell.

It must not know how a run or a report is made.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from usher.router.service.files import FileRefused
from usher.simulation.experiment import Case, Plan, Result, experiment
from usher.simulation.figures import figure_named
from usher.simulation.files.scenario_file import read_scenario
from usher.simulation.report import exports, tables
from usher.simulation.report.page import ReportsMissing, page
from usher.simulation.world import Unstable

EXIT_OK, EXIT_FAILED, EXIT_REFUSED, EXIT_STOPPED = 0, 1, 2, 130


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


class _Refused(Exception):
    """What keeps a study from being run, for the person who asked."""


def simulate(asked: Asked, console: Console) -> int:
    """Runs one scenario; returns the exit code."""
    return _study(asked, console)


def compare(asked: Asked, console: Console) -> int:
    """Runs several scenarios with the same people; returns the exit code."""
    if len(asked.scenarios) < 2:
        console.print("compare needs at least two scenarios; one alone: usher simulate")
        return EXIT_REFUSED
    return _study(asked, console)


def _study(asked: Asked, console: Console) -> int:
    try:
        cases = _cases(asked.scenarios, console)
        plan = _plan(asked)
        results = _run(cases, plan, asked.processes, console)
    except (_Refused, FileRefused) as error:
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return EXIT_REFUSED
    except Unstable as error:
        console.print(f"stopped: {error}", markup=False, highlight=False)
        return EXIT_FAILED
    except BrokenProcessPool:
        console.print("stopped: a process that simulated has died")
        return EXIT_FAILED
    return _tell(results, asked, console)


def _cases(paths: Sequence[Path], console: Console) -> list[Case]:
    cases: list[Case] = []
    for path in paths:
        read = read_scenario(path)
        for warning in read.warnings:
            console.print(str(warning), markup=False, highlight=False, soft_wrap=True)
        visits = [name for name, rules in read.scenario.types.items() if rules.branch]
        if visits:
            raise _Refused(f"{path}: types.{visits[0]}.branch: visitors cannot be simulated")
        name, number = read.scenario.name, 2
        while any(case.name == name for case in cases):
            name, number = f"{read.scenario.name} {number}", number + 1
        cases.append(Case(name, read.scenario, read.policy))
    return cases


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
        raise _Refused(str(error)) from error


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


def _run(
    cases: list[Case], plan: Plan, processes: int | None, console: Console
) -> tuple[Result, ...]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with pool_of(processes) as executor, Progress(*columns, console=console) as bar:
        task = bar.add_task("runs", total=None)
        try:
            return experiment(
                cases,
                plan,
                executor,
                lambda done, planned: bar.update(task, completed=done, total=planned),
            )
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


@contextmanager
def pool_of(processes: int | None) -> Iterator[Executor]:
    """Processes that simulate; they leave an interrupt to the one that asked.

    They are started while it is ignored here, which they inherit: one that came while they are
    still importing would else end them.
    """
    count = processes or len(os.sched_getaffinity(0))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the products are small: threads only spin
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for _ in range(count):
                pool.submit(_start)
        finally:
            signal.signal(signal.SIGINT, before)
        yield pool


def _start() -> None:
    """Makes a process start."""


def _tell(results: tuple[Result, ...], asked: Asked, console: Console) -> int:
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


def _write(results: tuple[Result, ...], asked: Asked) -> None:
    if asked.json is not None:
        asked.json.write_text(exports.as_json(results), encoding="utf-8")
    if asked.csv is not None:
        asked.csv.write_text(exports.as_csv(results), encoding="utf-8")
    if asked.html is not None:
        title = " and ".join(result.case.scenario.title or result.case.name for result in results)
        asked.html.write_text(page(results, title, ()), encoding="utf-8")
