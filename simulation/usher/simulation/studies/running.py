"""What all studies share: cases from files, plans, processes, a progress bar, exit codes.

It must not know what a study asks or tells.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from usher.router.service.files import FileFinding, FileRefused
from usher.simulation.experiment import Case, Plan, Result, experiment
from usher.simulation.figures import figure_named
from usher.simulation.files.scenario_file import read_scenario
from usher.simulation.world import Unstable

EXIT_OK, EXIT_FAILED, EXIT_REFUSED, EXIT_STOPPED = 0, 1, 2, 130


class StudyRefused(Exception):
    """What keeps a study from being run, for the person who asked."""


class Runs(Struct, frozen=True, kw_only=True):
    """How often and how exactly a person asks to run, as the command line takes it."""

    replications: int
    until: tuple[str, ...]
    most: int
    seed: int
    confidence: float
    every_min: int
    processes: int | None


def plan_of(runs: Runs) -> Plan:
    """Returns the plan of an experiment; raises StudyRefused."""
    try:
        return Plan(
            replications=runs.replications,
            half_widths=dict(map(_half_width, runs.until)),
            most=runs.most,
            seed=runs.seed,
            confidence=runs.confidence,
            interval_min=runs.every_min,
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


def exit_code(study: Callable[[], int], console: Console) -> int:
    """Returns what the study returns; tells what keeps it from running, with a code for it."""
    try:
        return study()
    except (StudyRefused, FileRefused) as error:
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return EXIT_REFUSED
    except Unstable as error:
        console.print(f"stopped: {error}", markup=False, highlight=False)
        return EXIT_FAILED
    except BrokenProcessPool:
        console.print("stopped: a process that simulated has died")
        return EXIT_FAILED


def cases_of(paths: Sequence[Path], console: Console) -> list[Case]:
    """Returns the scenarios of these files under names of their own; raises FileRefused."""
    cases: list[Case] = []
    for path in paths:
        case, warnings = read_case(path)
        for warning in warnings:
            console.print(str(warning), markup=False, highlight=False, soft_wrap=True)
        cases.append(case)
    return named_apart(cases)


def read_case(path: Path) -> tuple[Case, tuple[FileFinding, ...]]:
    """Returns the scenario of a file, and what is doubtful; raises FileRefused."""
    read = read_scenario(path)
    return Case(read.scenario.name, read.scenario, read.policy, read.branches), read.warnings


def named_apart(cases: Sequence[Case]) -> list[Case]:
    """Returns cases with a number behind the name of each that another had before it."""
    named: dict[str, Case] = {}
    for case in cases:
        name, number = case.name, 2
        while name in named:
            name, number = f"{case.name} {number}", number + 1
        named[name] = replace(case, name=name)
    return list(named.values())


def run_told(
    cases: Sequence[Case], plan: Plan, processes: int | None, console: Console
) -> tuple[Result, ...]:
    """Runs an experiment on processes, with a bar that tells how far it is."""
    with pool_of(processes) as executor:
        try:
            return run_on(executor, cases, plan, console)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def run_on(
    executor: Executor, cases: Sequence[Case], plan: Plan, console: Console
) -> tuple[Result, ...]:
    """Runs an experiment on processes that are there, with a bar that tells how far it is."""
    with progress_bar(console) as bar:
        task = bar.add_task("runs", total=None)
        return experiment(
            cases,
            plan,
            executor,
            lambda done, planned: bar.update(task, completed=done, total=planned),
        )


def progress_bar(console: Console) -> Progress:
    """Returns a bar with what is done, of how much, and the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)


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
