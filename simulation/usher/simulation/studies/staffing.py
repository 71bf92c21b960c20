"""`usher staff`: read a scenario, search a staffing, hold it against today's, tell.

It must not know how a staffing is found or a report is made.
"""

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from usher.queue.measures import ServiceLevel
from usher.queue.values import CODE_PATTERN
from usher.router.service.durations import DURATION_FORM, parse_duration
from usher.simulation.experiment import Case, Plan, Result
from usher.simulation.figures import ALL
from usher.simulation.files.scenario_text import scenario_toml
from usher.simulation.goals import Goals
from usher.simulation.needs import LevelTarget, Targets
from usher.simulation.proposal import BY_INTERVAL, SHIFTS, Proposal, cases_of, check_asked, propose
from usher.simulation.report import exports
from usher.simulation.report.page import ReportsMissing, page
from usher.simulation.report.staffing import warnings
from usher.simulation.report.staffing_exports import staffing_csv, staffing_told
from usher.simulation.report.staffing_tables import show
from usher.simulation.scenario import Scenario, Target
from usher.simulation.shift_plan import ShiftRule
from usher.simulation.staffing_rise import Unreachable
from usher.simulation.studies import running
from usher.simulation.studies.shift_texts import parse_shift
from usher.simulation.trials import Ledger, Machinery, Setting
from usher.simulation.world import Unstable

MS_PER_S = 1000

Made = TypeVar("Made")


class Limits(Struct, frozen=True):
    """What is to be reached; None: not asked."""

    service_level: float | None
    speed_of_answer_s: float | None
    abandonment: float | None
    occupancy: float | None
    left: float


class Counting(Struct, frozen=True):
    """How and where; None: as the scenario says."""

    level: ServiceLevel | None
    threshold: str | None
    types: tuple[str, ...]
    in_every_interval: bool
    sure: bool


class Agents(Struct, frozen=True):
    """What staffings may be; no shifts: those of today."""

    shifts: tuple[str, ...]
    most: int | None


class Effort(Struct, frozen=True):
    """How much is simulated."""

    replications: int
    runs_most: int
    seed: int
    every_min: int
    processes: int | None


class Files(Struct, frozen=True):
    """What is written where."""

    html: Path | None
    json: Path | None
    csv: Path | None
    out: Path | None


class Asked(Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    scenario: Path
    limits: Limits
    counting: Counting
    agents: Agents
    effort: Effort
    files: Files


def staff(asked: Asked, console: Console) -> int:
    """Proposes a staffing; returns the exit code."""
    return running.exit_code(lambda: _study(asked, console), console)


def _study(asked: Asked, console: Console) -> int:
    _check_folders(asked.files)
    (case,) = running.cases_of((asked.scenario,), console)
    today = replace(case, scenario=replace(case.scenario, target=_target(asked, case)))
    rules = _refusing(lambda: tuple(map(parse_shift, asked.agents.shifts)))
    setting = _refusing(lambda: _setting(asked, today))
    _refusing(lambda: check_asked(setting, rules))
    with running.pool_of(asked.effort.processes) as executor:
        try:
            proposal = _proposed(asked, setting, rules, executor, console)
            results: tuple[Result, ...] = ()
            if not proposal.is_stopped:
                fresh = replace(setting.plan, seed=asked.effort.seed + 1)
                results = _held_to(cases_of(proposal, today), fresh, executor, console)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
    told = results if all(one.samples for one in results) else ()
    show(proposal, today, told, console)
    stopped = proposal.is_stopped or any(one.stopped for one in results)
    try:
        _write(asked, proposal, today, told)
    except (OSError, ReportsMissing) as error:
        console.print(str(error), markup=False)
        return running.EXIT_FAILED
    return running.EXIT_STOPPED if stopped else running.EXIT_OK


def _proposed(
    asked: Asked,
    setting: Setting,
    rules: Sequence[ShiftRule],
    executor: Executor,
    console: Console,
) -> Proposal:
    """Returns the proposal, while a line tells what the search does."""
    with console.status("agents by theory") as status:
        doing, hours = "starting", 0.0

        def tell() -> None:
            tried = f"{ledger.staffings:,} staffings, {ledger.runs:,} days simulated"
            status.update(f"{doing}: {hours:,.1f} agent hours; {tried}")

        def come_to(what: str, agent_hours: float) -> None:
            nonlocal doing, hours
            doing, hours = what, agent_hours
            tell()

        ledger = Ledger(asked.effort.runs_most, lambda _: tell())
        try:
            machinery = Machinery(executor, ledger, come_to)
            return propose(setting, rules, machinery, asked.agents.most)
        except Unreachable as error:
            raise running.StudyRefused(f"the targets cannot be met: {error}") from error
        except ValueError as error:
            raise running.StudyRefused(f"{asked.scenario}: {error}") from error


def _held_to(
    cases: Sequence[Case], plan: Plan, executor: Executor, console: Console
) -> tuple[Result, ...]:
    """Returns what the cases do on other days; only the plan's own if another one is unstable."""
    try:
        return running.run_on(executor, cases, plan, console)
    except Unstable as error:
        console.print(f"no comparison with more or fewer agents, or with today: {error}")
        kept = [case for case in cases if case.name in (SHIFTS, BY_INTERVAL)]
        return running.run_on(executor, kept, plan, console)


def _check_folders(files: Files) -> None:
    """Raises StudyRefused for a file that could not be written when all is done."""
    for path in (files.html, files.json, files.csv, files.out):
        if path is not None and not path.parent.is_dir():
            raise running.StudyRefused(f"{path}: there is no folder {path.parent}")


def _refusing(make: Callable[[], Made]) -> Made:
    """Returns what is made; what keeps it from being made is told to who asked."""
    try:
        return make()
    except ValueError as error:
        raise running.StudyRefused(str(error)) from error


def _target(asked: Asked, case: Case) -> Target:
    """Returns how the service level is counted: the scenario's own way, but for what was asked."""
    target = case.scenario.target
    if asked.counting.level is not None:
        target = replace(target, level=asked.counting.level)
    if asked.counting.threshold is None:
        return target
    threshold_ms = parse_duration(asked.counting.threshold)
    if threshold_ms is None:
        raise running.StudyRefused(
            f'found --threshold "{asked.counting.threshold}", expected {DURATION_FORM}'
        )
    return replace(target, threshold_ms=threshold_ms)


def _setting(asked: Asked, today: Case) -> Setting:
    limits, counting, effort = asked.limits, asked.counting, asked.effort
    goals = Goals(
        targets=_targets(limits, today.scenario.target),
        types=counting.types or (ALL,),
        in_every_interval=counting.in_every_interval,
        left_share=limits.left,
        sure=counting.sure,
    )
    plan = Plan(replications=effort.replications, seed=effort.seed, interval_min=effort.every_min)
    return Setting(
        scenario=today.scenario,
        policy=today.policy,
        goals=goals,
        plan=plan,
        branches=today.branches,
    )


def _targets(limits: Limits, target: Target) -> Targets:
    level = None
    if limits.service_level is not None:
        level = LevelTarget(
            name=target.level,
            share=limits.service_level,
            threshold_s=target.threshold_ms / MS_PER_S,
        )
    return Targets(
        service_level=level,
        speed_of_answer_s=limits.speed_of_answer_s,
        abandon_share=limits.abandonment,
        occupancy=limits.occupancy,
    )


def _write(asked: Asked, proposal: Proposal, today: Case, results: tuple[Result, ...]) -> None:
    scenario = today.scenario
    if asked.files.json is not None:
        more = {"staffing": staffing_told(proposal, scenario, results)}
        text = exports.as_json(results, more) if results else exports.json_text(more)
        asked.files.json.write_text(text, encoding="utf-8")
    if asked.files.csv is not None:
        asked.files.csv.write_text(staffing_csv(proposal, scenario), encoding="utf-8")
    out = asked.files.out
    if out is not None:
        text = scenario_toml(_proposed_scenario(asked, proposal, today, out))
        out.write_text(text, encoding="utf-8")
    if asked.files.html is not None and results:
        asked.files.html.write_text(_page(proposal, today, results), encoding="utf-8")


def _proposed_scenario(asked: Asked, proposal: Proposal, today: Case, out: Path) -> Scenario:
    """Returns the scenario with the shifts, or by interval without any, for a file of its own.

    Its policy is found from there; its service level is counted as was asked. It is named as the
    file, where that may be a name: beside today's scenario it is another.
    """
    posts, counts = proposal.posts, proposal.found.counts
    if proposal.plan is not None:
        posts, counts = proposal.plan.posts, proposal.plan.found.counts
    policy = os.path.relpath(asked.scenario.parent / today.scenario.policy, out.parent)
    name = out.stem if re.fullmatch(CODE_PATTERN, out.stem) else today.scenario.name
    return replace(posts.scenario(today.scenario, counts), name=name, policy=policy)


def _page(proposal: Proposal, today: Case, results: tuple[Result, ...]) -> str:
    try:
        from usher.simulation.report.staffing_page import section_of
    except ImportError as error:
        raise ReportsMissing(error) from error
    own = ("staffing", "Staffing", section_of(proposal, today, results))
    title = f"Staffing: {today.scenario.title or today.scenario.name}"
    return page(results, title, warnings(proposal, results), (own,))
