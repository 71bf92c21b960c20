"""What all studies share: cases from files, processes that simulate, a progress bar, exit codes.

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

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from usher.router.service.files import FileRefused
from usher.simulation.experiment import Case, Plan, Result, experiment
from usher.simulation.files.scenario_file import read_scenario
from usher.simulation.world import Unstable

EXIT_OK, EXIT_FAILED, EXIT_REFUSED, EXIT_STOPPED = 0, 1, 2, 130


class StudyRefused(Exception):
    """What keeps a study from being run, for the person who asked."""


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
        read = read_scenario(path)
        for warning in read.warnings:
            console.print(str(warning), markup=False, highlight=False, soft_wrap=True)
        visits = [name for name, rules in read.scenario.types.items() if rules.branch]
        if visits:
            raise StudyRefused(f"{path}: types.{visits[0]}.branch: visitors cannot be simulated")
        name, number = read.scenario.name, 2
        while any(case.name == name for case in cases):
            name, number = f"{read.scenario.name} {number}", number + 1
        cases.append(Case(name, read.scenario, read.policy))
    return cases


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
