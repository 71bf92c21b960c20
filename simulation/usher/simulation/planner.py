"""The simulator from Python: read a scenario, simulate, compare, sweep; data frames come out.

    from usher.simulation import planner

    today = planner.read("help_desk.toml")
    told = planner.sweep(today, {"groups.first.shifts[0].agents": [3, 4, 5]})
    told.figures()      # polars: a row for each case, type of contact and figure

Frames need the extra `frames`. A script that runs on processes (the default) does so under
`if __name__ == "__main__":`, since each process begins by importing it; with `processes=1` all runs
in this one. It must not know the command line.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from usher.simulation.experiment import Case, Job, Plan, Progress, Result, experiment, world_of
from usher.simulation.places import place_of
from usher.simulation.report import traces
from usher.simulation.report.exports import day_columns, figure_columns
from usher.simulation.report.frames import frame
from usher.simulation.studies.running import named_apart, pool_of, read_case
from usher.simulation.sweeps import Axis, axis_of, grid

if TYPE_CHECKING:
    from polars import DataFrame

__all__ = ["Case", "Plan", "Run", "Study", "compare", "read", "run", "simulate", "sweep"]

ScenarioLike: TypeAlias = Case | Path | str
Vary: TypeAlias = Mapping[str, Sequence[object] | str]


class Run(Struct, frozen=True, eq=False):
    """One replication with all its rows."""

    trace: traces.Trace

    def contacts(self) -> "DataFrame":
        """Returns a row for each contact; see `traces.CONTACT_COLUMNS`."""
        return frame(traces.contact_columns(self.trace))

    def legs(self) -> "DataFrame":
        """Returns a row for each leg; see `traces.LEG_COLUMNS`."""
        return frame(traces.leg_columns(self.trace))

    def presence(self) -> "DataFrame":
        """Returns a row for each stretch of presence; see `traces.PRESENCE_COLUMNS`."""
        return frame(traces.presence_columns(self.trace))

    def agents(self) -> "DataFrame":
        """Returns a row for each agent; see `traces.AGENT_COLUMNS`."""
        return frame(traces.agent_columns(self.trace))


class Study(Struct, frozen=True, eq=False):
    """What came of some cases, the first of which the others are compared with.

    `results` hold it as values; `usher.simulation.report` makes tables and pages of them.
    """

    results: tuple[Result, ...]
    seed: int

    def figures(self) -> "DataFrame":
        """Returns a row for each case, type and figure; see `exports.FIGURE_COLUMNS`."""
        return frame(figure_columns(self.results))

    def day(self) -> "DataFrame":
        """Returns a row for each case, interval and figure; see `exports.DAY_COLUMNS`."""
        return frame(day_columns(self.results))

    def run(self, number: int = 0, case: str = "") -> Run:
        """Returns replication `number` of a case, of the first one by default, run once more.

        Raises ValueError if there is no case of that name.
        """
        names = [result.case.name for result in self.results]
        if case and case not in names:
            raise ValueError(f'found case "{case}", expected one of {", ".join(names)}')
        chosen = self.results[names.index(case) if case else 0].case
        return run(chosen, number=number, seed=self.seed)


def read(path: Path | str) -> Case:
    """Returns the scenario of a file with its policy.

    Raises FileRefused with all that is wrong with the files, StudyRefused if it cannot be run.
    """
    return read_case(Path(path))[0]


def simulate(
    scenario: ScenarioLike,
    plan: Plan | None = None,
    *,
    executor: Executor | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Study:
    """Returns what came of a scenario; see `compare`."""
    return compare([scenario], plan, executor=executor, processes=processes, progress=progress)


def compare(
    scenarios: Sequence[ScenarioLike],
    plan: Plan | None = None,
    *,
    executor: Executor | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Study:
    """Returns what came of scenarios that meet the same people.

    They run on the executor, else on as many processes, by default one for each processor. An
    interrupt leaves what was finished. Raises what `read` and a run raise.
    """
    given = plan or Plan()
    cases = named_apart([one if isinstance(one, Case) else read(one) for one in scenarios])
    with _executor_of(executor, processes) as chosen:
        return Study(experiment(cases, given, chosen, progress), given.seed)


def sweep(
    scenario: ScenarioLike,
    vary: Vary,
    plan: Plan | None = None,
    *,
    executor: Executor | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Study:
    """Returns what came of a scenario as it stands, and with values varied, each with each.

    `vary` is by place: a list of values, or text as `usher sweep` takes it, such as "8..12". Raises
    ValuesRefused with all that is wrong before anything is run; see also `compare`.
    """
    case = scenario if isinstance(scenario, Case) else read(scenario)
    axes = [
        axis_of(f"{place}={values}")
        if isinstance(values, str)
        else Axis(place=place_of(place), values=tuple(values))
        for place, values in vary.items()
    ]
    cases = grid(case, axes)
    return compare(cases, plan, executor=executor, processes=processes, progress=progress)


def run(scenario: ScenarioLike, *, number: int = 0, seed: int = 1) -> Run:
    """Returns one replication with all its rows, run in this process."""
    case = scenario if isinstance(scenario, Case) else read(scenario)
    world = world_of(Job(case, seed, number))
    batches = tuple(world.batches())
    return Run(traces.Trace(tuple(case.scenario.types), tuple(world.workers), batches))


@contextmanager
def _executor_of(given: Executor | None, processes: int | None) -> Iterator[Executor]:
    if given is not None:
        yield given  # whoever gives it ends it
    elif processes == 1:
        with ThreadPoolExecutor(1) as thread:
            yield thread
    else:
        with pool_of(processes) as pool:
            yield pool
