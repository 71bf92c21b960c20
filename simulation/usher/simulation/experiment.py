"""Experiments: replications of a day, or one long run; until they are exact enough; in comparison.

    Case (scenario + policy) x replication number -> run -> samples -> figures with intervals

A replication is found by its number alone, so the result is the same on any number of processes and
under any `concurrent.futures.Executor`. Cases of one experiment share the seed: replication 7 of
each meets the same people. It must not know files or screens.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future
from queue import SimpleQueue
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from usher.queue.branches import Branches
from usher.queue.rules import Policy
from usher.simulation.arriving import MS_PER_MIN
from usher.simulation.figures import figure_named, interval_of
from usher.simulation.recorded_day import RecordedDay
from usher.simulation.rows import Batch
from usher.simulation.samples import Sample, sample
from usher.simulation.scenario import Day, Scenario
from usher.simulation.staff import Worker
from usher.simulation.statistics import enough
from usher.simulation.streams import Streams
from usher.simulation.world import Unstable, World

ROUND = 10
"""Replications between two looks at whether they are enough; also the least."""
REPLICATIONS_MOST = 100_000
INTERVAL_MIN = 30
"""Length of the intervals of the day unless another is asked for."""

Progress = Callable[[int, int], None]
Varied: TypeAlias = str | int | float | bool | None


class Case(Struct, frozen=True):
    """What is run: a scenario under a policy, by a name for reports.

    `branches`: services and branches of the policy file, needed where the scenario has visitors.
    `varied`, of the cases of a sweep: by place, the value that stands there. `recorded`: a day
    whose people come and work instead of drawn ones.
    """

    name: str
    scenario: Scenario
    policy: Policy
    branches: Branches | None = None
    varied: Mapping[str, Varied] = {}
    recorded: RecordedDay | None = None


class Plan(Struct, frozen=True, kw_only=True):
    """How often and how exactly. `half_widths` by figure: more replications until all are met.

    Without them `replications` are run; with them at most `most`. Intervals of the day are
    `interval_min` long.
    """

    replications: int = 20
    half_widths: Mapping[str, float] = {}
    most: int = 1_000
    seed: int = 1
    confidence: float = 0.95
    interval_min: int = INTERVAL_MIN
    keep_contacts: bool = False
    """Whether samples hold the contacts themselves: the memory of all of them."""

    def __post_init__(self) -> None:
        for name in self.half_widths:
            figure_named(name)
        if not 1 <= self.replications <= REPLICATIONS_MOST:
            raise ValueError(f"found {self.replications} replications, expected 1 to 100,000")
        if self.half_widths and self.most < ROUND:
            raise ValueError(f"found at most {self.most} replications, expected at least {ROUND}")


class Job(Struct, frozen=True):
    """One replication of one case, with all that it needs: it may run in another process."""

    case: Case
    seed: int
    number: int
    interval_min: int = INTERVAL_MIN
    keep_contacts: bool = False


class Result(Struct, frozen=True, kw_only=True):
    """What came of a case: samples in the order of their numbers.

    `stopped`: it was ended from outside, and the samples are those that were finished.
    """

    case: Case
    samples: tuple[Sample, ...]
    numbers: tuple[int, ...]
    confidence: float
    reached: bool = True
    """Whether the wanted half-widths were reached."""
    stopped: bool = False


_Run: TypeAlias = Future[tuple[Sample, ...]]


def run(job: Job) -> tuple[Sample, ...]:
    """Runs one replication; raises Unstable with the case, BrokenRun, and what the pool finds."""
    world = world_of(job)
    try:
        return tuple(_sample(job, batch, world.workers) for batch in world.batches())
    except Unstable as error:
        raise Unstable(f"{job.case.name}: {error}") from error


def world_of(job: Job) -> World:
    """Returns the world of one replication, before anything has happened in it."""
    case, streams = job.case, Streams(job.seed, job.number)
    return World(
        case.scenario, case.policy, streams, branches=case.branches, recorded=case.recorded
    )


def _sample(job: Job, batch: Batch, workers: list[Worker]) -> Sample:
    scenario = job.case.scenario
    found = sample(batch, scenario, workers, bounds_ms(scenario, job.interval_min))
    return replace(found, contacts=batch.contacts) if job.keep_contacts else found


def bounds_ms(scenario: Scenario, interval_min: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Returns the bounds of the intervals of a scenario's day; of a long run only two."""
    day = scenario.horizon
    if not isinstance(day, Day):
        return np.array([0, 1], dtype=np.int64)
    starts = np.arange(day.opens_min, day.closes_min, interval_min, dtype=np.int64)
    return np.append(starts, day.closes_min) * MS_PER_MIN


def experiment(
    cases: Sequence[Case],
    plan: Plan,
    executor: Executor,
    progress: Progress | None = None,
) -> tuple[Result, ...]:
    """Runs all cases with the same people; KeyboardInterrupt leaves what was finished.

    `progress` is told (finished, planned so far), in runs. Raises what a run raises.
    """
    once = not any(isinstance(case.scenario.horizon, Day) for case in cases)
    running = _Running(cases, plan, executor, progress)
    reached = False
    for numbers in _rounds(plan, once=once):
        running.run(numbers)
        reached = all(_exact(_samples(each), plan) for each in running.found)
        if running.stopped or (plan.half_widths and reached):
            break
    return tuple(
        Result(
            case=case,
            samples=_samples(each),
            numbers=tuple(sorted(each)),
            confidence=plan.confidence,
            reached=reached,
            stopped=running.stopped,
        )
        for case, each in zip(cases, running.found, strict=True)
    )


class _Running:
    """What has come of an experiment so far."""

    def __init__(
        self,
        cases: Sequence[Case],
        plan: Plan,
        executor: Executor,
        progress: Progress | None,
    ) -> None:
        self._cases = cases
        self._plan = plan
        self._executor = executor
        self._progress = progress
        self._planned = 0
        self._done = 0
        self.found: list[dict[int, tuple[Sample, ...]]] = [{} for _ in cases]
        self.stopped = False

    def run(self, numbers: range) -> None:
        """Runs these replications of all cases; from outside stopped, it keeps what is finished."""
        try:
            self._run(numbers)
        except (KeyboardInterrupt, CancelledError):
            self.stopped = True

    def _run(self, numbers: range) -> None:
        running: dict[_Run, tuple[int, int]] = {}
        finished: SimpleQueue[_Run] = SimpleQueue()
        try:
            for place, number, job in self._jobs(numbers):
                future = self._executor.submit(run, job)
                running[future] = (place, number)
                # Not `concurrent.futures.wait`, which looks at all that still run each time.
                future.add_done_callback(finished.put)
            self._planned += len(running)
            while running:
                future = finished.get()
                place, number = running.pop(future)
                self.found[place][number] = future.result()
                self._done += 1
                if self._progress is not None:
                    self._progress(self._done, self._planned)
        finally:
            for future in running:
                future.cancel()

    def _jobs(self, numbers: range) -> Iterator[tuple[int, int, Job]]:
        """Yields the place of a case, a replication number and what is to be run."""
        plan = self._plan
        for number in numbers:
            for place, case in enumerate(self._cases):
                job = Job(case, plan.seed, number, plan.interval_min, plan.keep_contacts)
                yield place, number, job


def _rounds(plan: Plan, *, once: bool) -> Iterator[range]:
    if once:
        yield range(1)
        return
    most = plan.most if plan.half_widths else plan.replications
    for start in range(0, most, ROUND):
        yield range(start, min(start + ROUND, most))


def _samples(found: Mapping[int, tuple[Sample, ...]]) -> tuple[Sample, ...]:
    return tuple(each for number in sorted(found) for each in found[number])


def _exact(samples: Sequence[Sample], plan: Plan) -> bool:
    for name, half_width in plan.half_widths.items():
        interval = interval_of(figure_named(name), samples, confidence=plan.confidence)
        if interval is None or not enough(interval, half_width=half_width, least=ROUND):
            return False
    return True
