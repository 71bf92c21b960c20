"""What the commands `load`, `demo`, `inspect` and `verify` do: check what was asked, run, print.

Each returns its exit code: 0 well, 1 the trial or the check failed, 2 it could not be done at all.
The command line's own options are read in `usher.router.cli`.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rich.console import Console

from usher.queue.journal.contract import JournalError
from usher.router.client.errors import UsherError
from usher.router.service.durations import DURATION_FORM, parse_duration
from usher.router.trials.call_log import DAY_S, CallLogError, read_day
from usher.router.trials.day import day_bounds_ms, midnight_ms
from usher.router.trials.inspection import (
    JournalSummary,
    live_contacts,
    record_facts,
    record_line,
    story,
    summarise,
    time_text,
)
from usher.router.trials.journal_reading import reading
from usher.router.trials.load_plan import LoadOptions, LoadPlanError, plan_day
from usher.router.trials.load_report import LoadReport, hour_bounds_ms
from usher.router.trials.own_server import ServerDown, write_rules
from usher.router.trials.verification import Verification, present_versions, verify

WELL, FAILED, NOT_DONE, INTERRUPTED = 0, 1, 2, 130

_HOURS = re.compile(r"([0-9]{1,2})-([0-9]{1,2})")

Result = TypeVar("Result")


class NotDone(Exception):
    """What was asked cannot be done; the message says why."""


class Place(NamedTuple):
    """A journal, and the folder of its archive files; None = beside it."""

    journal: str
    archive: Path | None


class LoadAsked(Struct, frozen=True, kw_only=True):
    """Options of `usher load` as they were typed."""

    csv: Path
    day: str
    rate: int | None
    after_call: str
    answer: str
    seed: int
    hours: str
    zone: str
    target: str | None
    write: Path | None
    data: Path | None
    report: Path | None


def load(asked: LoadAsked, console: Console) -> int:
    """Replays a day, or only writes its policy and roster."""
    from usher.router.trials.load import DEFAULT_RATE, LoadJob, WrongServer, run_load
    from usher.router.trials.load_console import load_progress, print_report

    def job() -> LoadJob:
        day = read_day(asked.csv, _date(asked.day))
        return LoadJob(
            day=day,
            options=_load_options(asked),
            clock_rate=asked.rate or (None if asked.target else DEFAULT_RATE),
            target=asked.target,
            folder=asked.data,
            bounds_ms=_hour_bounds_ms(day.day, asked.zone),
        )

    def run() -> int:
        if asked.write is not None:
            return _write_rules(job(), asked.write, console)
        with load_progress(console) as watcher:
            report = _run(run_load(job(), watcher))
        print_report(report, console)
        if asked.report is not None:
            asked.report.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        return FAILED if report.account.unaccounted or report.driving.stalled else WELL

    expected = (CallLogError, LoadPlanError, WrongServer)
    return _answered(run, console, expected)


def demo(seconds: float, rate: int, seed: int, console: Console) -> int:
    """Plays the demo and prints its summary."""
    from usher.router.trials.demo import run_demo, zone_in_the_morning
    from usher.router.trials.demo_live import demo_display
    from usher.router.trials.demo_plan import plan_demo
    from usher.router.trials.demo_summary import print_summary

    def run() -> int:
        plan = plan_demo(
            length_ms=round(seconds * rate * 1000),
            seed=seed,
            time_zone=zone_in_the_morning(datetime.now(UTC)),
        )
        with demo_display(console) as show:
            found = _run(run_demo(plan, rate, show))
        print_summary(found, console)
        return WELL if found.is_well else FAILED

    return _answered(run, console)


def inspect(
    place: Place, contact: str | None, first: int | None, console: Console, *, json: bool
) -> int:
    """Prints a summary, the records from a position on, or the story of one contact."""

    def run() -> int:
        with reading(place.journal, place.archive) as journal:
            if contact is not None:
                return _print_story(list(story(journal.records(), contact)), contact, console, json)
            if first is not None:
                for record in journal.records():
                    if record.position >= first:
                        line = _json(record_facts(record)) if json else record_line(record)
                        _print_line(console, line)
                return WELL
            found = summarise(journal.place, journal.incarnation, journal.records())
        for line in [_json(found)] if json else summary_lines(found):
            _print_line(console, line)
        return WELL

    return _answered(run, console)


def verify_journal(place: Place, console: Console, *, json: bool) -> int:
    """Executes a journal anew, checks pair by pair what other versions wrote; 1 at a difference."""

    def run() -> int:
        with reading(place.journal, place.archive) as journal:
            found = verify(journal.appends(), present_versions())
        for line in [_json(found)] if json else verification_lines(found):
            _print_line(console, line)
        return WELL if found.difference is None else FAILED

    return _answered(run, console)


def summary_lines(found: JournalSummary) -> list[str]:
    """The summary of a journal for a person."""
    lines = [f"{found.path}  journal {found.incarnation}", f"records      {found.records}"]
    if found.first_ms is not None and found.last_ms is not None:
        lines.append(f"span         {time_text(found.first_ms)} to {time_text(found.last_ms)}")
    lines += [
        f"opened       at {one.position}, {time_text(one.at_ms)}: usher {one.usher_version}, "
        f"numpy {one.numpy_version}, scipy {one.scipy_version}, clock rate {one.clock_rate}"
        for one in found.openings
    ]
    lines += [
        f"{one.what:<12} {one.version} at {one.position}, {time_text(one.at_ms)}"
        for one in found.rules
    ]
    return [
        *lines,
        f"commands     {_counts(found.commands)}",
        f"contacts     {found.contacts}: {_counts(found.outcomes)}",
        f"offers       {_counts(found.offers)}",
        f"in the pool  {live_contacts(found)} live contacts; by state: {_counts(found.live)}",
        f"agents       {_counts(found.agents)}",
        f"state hash   {found.state_hash}",
    ]


def verification_lines(found: Verification) -> list[str]:
    """The outcome of a verification for a person."""
    lines = [f"{found.executed} of {found.records} records executed again with equal events"]
    lines.append(f"{found.idle_matches} matches that were not recorded found nothing, as they must")
    if found.replayed:
        lines.append(
            f"{found.replayed} records were written under other versions "
            f"({'; '.join(found.other_versions)}): replayed; each of their {found.pairs} offers "
            "was allowed, whether another would be made now was not asked"
        )
    differs = found.difference
    if differs is None:
        return [*lines, f"state hash {found.state_hash}"]
    return [
        *lines,
        f"DIFFERENT at position {differs.position}, {time_text(differs.at_ms)}",
        f"  command   {_json(differs.command)}",
        f"  recorded  {_json(differs.expected)}",
        f"  now       {_json(differs.got)}",
    ]


def _answered(
    run: Callable[[], int], console: Console, expected: tuple[type[Exception], ...] = ()
) -> int:
    """Runs a command; what is wrong with the input or the server is said in one line."""
    kinds: tuple[type[Exception], ...] = (NotDone, JournalError, UsherError, ServerDown, OSError)
    try:
        return run()
    except KeyboardInterrupt:
        console.print("stopped")
        return INTERRUPTED
    except (*kinds, *expected) as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return NOT_DONE


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


def _load_options(asked: LoadAsked) -> LoadOptions:
    from_ms, until_ms = _hours_ms(asked.hours)
    return LoadOptions(
        after_call_ms=_duration_ms("--after-call", asked.after_call),
        answer_ms=_duration_ms("--answer", asked.answer),
        seed=asked.seed,
        from_ms=from_ms,
        until_ms=until_ms,
    )


def _write_rules(job: Any, folder: Path, console: Console) -> int:
    script = plan_day(job.day, job.options).script
    policy, roster = write_rules(folder, script.policy, script.roster)
    rate = job.clock_rate or 60
    _print_line(
        console, f"usher serve --clock-rate {rate} --policy {policy} --roster {roster} --data DIR"
    )
    return WELL


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise NotDone(f"--date: {text!r} is no date YYYY-MM-DD") from error


def _duration_ms(option: str, text: str) -> int:
    found_ms = parse_duration(text)
    if found_ms is None:
        raise NotDone(f"{option}: {text!r} is not {DURATION_FORM}")
    return found_ms


def _hours_ms(text: str) -> tuple[int, int]:
    """`10-12` as ms after midnight; empty = the whole day and what spills over."""
    if not text:
        return 0, 2 * DAY_S * 1000
    found = _HOURS.fullmatch(text)
    if found is None or int(found[1]) >= int(found[2]):
        raise NotDone(f"--hours: {text!r} is not like 10-12")
    return int(found[1]) * 3_600_000, int(found[2]) * 3_600_000


def _hour_bounds_ms(day: date, zone: str) -> NDArray[np.int64]:
    """Bounds of the hours after midnight; with a zone those of its local clock on that day."""
    if not zone:
        return hour_bounds_ms()
    try:
        bounds_ms = day_bounds_ms(day, zone, step_minutes=60) - midnight_ms(day, zone)
    except ValueError as error:
        raise NotDone(f"--zone: {error}") from error
    return np.append(bounds_ms, 2 * DAY_S * 1000)


def _print_story(told: list[tuple[Any, int]], contact: str, console: Console, json: bool) -> int:
    for record, since_ms in told:
        line = record_line(record, about=contact)
        _print_line(
            console, _json(record_facts(record)) if json else f"+{since_ms / 1000:9.3f} s  {line}"
        )
    if not told:
        raise NotDone(f"no record of this journal names contact {contact!r}")
    return WELL


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _print_line(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def load_report_of(path: Path) -> LoadReport:
    """A report that `--report` wrote, read back."""
    return msgspec.json.decode(path.read_bytes(), type=LoadReport)
