"""`usher calibrate`: read recorded calls, fit, predict the days kept for the check, write.

It must not know how anything is fitted or shown.
"""

import re
from datetime import date
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from usher.router.service.file_hours import WEEKDAYS_FORM, WEEKDAYS_PATTERN, parse_weekdays
from usher.router.service.files import write_policy
from usher.router.trials.call_log import CallDay, CallLogError
from usher.simulation.experiment import Plan
from usher.simulation.files.call_table import read_days
from usher.simulation.files.scenario_text import scenario_toml
from usher.simulation.studies import calibration_tables as report
from usher.simulation.studies.calibration import (
    GAPS_S,
    Calibration,
    Presence,
    calibrate,
    day_policy,
    usual_scenario,
)
from usher.simulation.studies.prediction import HOUR_MIN, Predicted, as_csv, predict
from usher.simulation.studies.running import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_STOPPED,
    StudyRefused,
    exit_code,
    pool_of,
    progress_bar,
)

DAYS_LEAST = 3
CHECK_EVERY = 5
POLICY_SUFFIX = ".policy.toml"

Days = dict[date, CallDay]


class Asked(Struct, frozen=True, kw_only=True):
    """What the command line asks for; days as text, empty = not given."""

    log: Path
    first: str
    last: str
    check_from: str
    check_until: str
    weekdays: str
    out: Path | None
    csv: Path | None
    replications: int
    seed: int
    processes: int | None


def calibrate_log(asked: Asked, console: Console) -> int:
    """Calibrates, checks, tells and writes; returns the exit code."""
    return exit_code(lambda: _study(asked, console), console)


def _study(asked: Asked, console: Console) -> int:
    for path in (asked.out, asked.csv):
        if path is not None and not path.parent.is_dir():  # told now, not after minutes
            raise StudyRefused(f"{path}: found no folder {path.parent}")
    used, kept = _split(asked)
    console.print(report.days_text(used, kept), highlight=False)
    try:
        told = _calibrated(used, asked, console)
    except KeyboardInterrupt:
        console.print("stopped before the fit was finished")
        return EXIT_STOPPED
    report.show_calibration(told, console)
    rows = _checked(kept, told, asked, console)
    if rows:
        report.show_check(rows, console)
    else:
        console.print("stopped before the check was finished" if kept else "no day for a check")
    try:
        _write(told, rows, asked, console)
    except OSError as error:
        console.print(str(error), markup=False)
        return EXIT_FAILED
    return EXIT_STOPPED if kept and not rows else EXIT_OK


# days


def _split(asked: Asked) -> tuple[Days, Days]:
    """Returns the days to calibrate on and those kept for the check; raises StudyRefused."""
    days = _read(asked)
    chosen = _between(days, asked.first, asked.last)
    if asked.check_from or asked.check_until:
        kept = _between(days, asked.check_from, asked.check_until)
        chosen = {day: found for day, found in chosen.items() if day not in kept}
        if not kept:
            raise StudyRefused(f"{asked.log}: no day within --check-from and --check-until")
    else:
        listed = list(chosen)[CHECK_EVERY - 1 :: CHECK_EVERY]
        kept = {day: chosen.pop(day) for day in listed}
    if len(chosen) < DAYS_LEAST:
        found = f"found {len(chosen)} days with calls to calibrate on"
        raise StudyRefused(f"{asked.log}: {found}, expected at least {DAYS_LEAST}")
    return chosen, kept


def _read(asked: Asked) -> Days:
    pattern = asked.weekdays.lower()
    if re.fullmatch(WEEKDAYS_PATTERN, pattern) is None:
        raise StudyRefused(f'found --weekdays "{asked.weekdays}", expected {WEEKDAYS_FORM}')
    try:
        found = read_days(asked.log)
    except CallLogError as error:
        raise StudyRefused(str(error)) from error
    except OSError as error:
        raise StudyRefused(f"{asked.log}: cannot be read: {error.strerror}") from error
    numbers = parse_weekdays(pattern)
    return {day: calls for day, calls in found.items() if calls.calls and day.weekday() in numbers}


def _between(days: Days, first: str, last: str) -> Days:
    from_day = _date(first) if first else date.min
    until_day = _date(last) if last else date.max
    if from_day > until_day:
        raise StudyRefused(f"found {first} to {last}, expected the first day before the last")
    return {day: found for day, found in days.items() if from_day <= day <= until_day}


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise StudyRefused(f'found the day "{text}", expected YYYY-MM-DD') from error


# runs


def _calibrated(days: Days, asked: Asked, console: Console) -> Calibration:
    with pool_of(asked.processes) as executor, progress_bar(console) as bar:
        task = bar.add_task("fitting", total=None)

        def tell(tried: Presence) -> None:
            bar.update(task, description=report.try_text(tried), advance=1)

        try:
            return calibrate(days, executor, seed=asked.seed, gaps_s=GAPS_S, progress=tell)
        except ValueError as error:
            raise StudyRefused(f"{asked.log}: {error}") from error
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def _checked(days: Days, told: Calibration, asked: Asked, console: Console) -> list[Predicted]:
    if not days:
        return []
    plan = Plan(replications=asked.replications, seed=asked.seed, interval_min=HOUR_MIN)
    with pool_of(asked.processes) as executor, progress_bar(console) as bar:
        task = bar.add_task("checking", total=None)
        try:
            return predict(
                days,
                told,
                plan,
                executor,
                lambda done, planned: bar.update(task, completed=done, total=planned),
            )
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


# files


def _write(told: Calibration, rows: list[Predicted], asked: Asked, console: Console) -> None:
    if asked.csv is not None:
        asked.csv.write_text(as_csv(rows), encoding="utf-8")
    if asked.out is not None:
        policy = asked.out.with_name(asked.out.stem + POLICY_SUFFIX)
        scenario = usual_scenario(told, _name(asked.log), policy.name)
        policy.write_text(write_policy(day_policy()), encoding="utf-8")
        asked.out.write_text(scenario_toml(scenario), encoding="utf-8")
        console.print(f"written: {asked.out}, {policy}", markup=False, highlight=False)


def _name(path: Path) -> str:
    """Returns the file's name as that of a scenario."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.split(".")[0]).strip("-_")
    return plain[:64] or "calibrated"
