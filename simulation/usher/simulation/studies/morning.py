"""`usher morning`: read a recorded day, tell its service and its worst waits with their reasons.

Only what was recorded is told; nothing is simulated. It must not know how a page is made.
"""

from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console

from usher.queue.journal.contract import JournalError
from usher.router.trials.day import day_bounds_ms
from usher.router.trials.journal_reading import JournalReading, reading
from usher.simulation.report import morning
from usher.simulation.report.page import ReportsMissing
from usher.simulation.studies.journal_days import JournalDay, journal_day
from usher.simulation.studies.outputs import Files, check_files
from usher.simulation.studies.recording import Recording, record_day
from usher.simulation.studies.running import (
    EXIT_FAILED,
    EXIT_OK,
    StudyRefused,
    exit_code,
    progress_bar,
)
from usher.simulation.studies.service import DayService, day_service
from usher.simulation.studies.stories import Worst, looked_into, worst_waits


class Asked(Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    journal: str
    day: str
    zone: str
    archive: Path | None
    """Of the journal's archive files; None = beside it."""
    worst: int
    every_min: int
    files: Files
    """Page and JSON."""


class Morning(Struct, frozen=True, kw_only=True):
    """All that is told of a day."""

    day: str
    zone: str
    service: DayService
    worst: Worst
    notes: tuple[str, ...]


def morning_of(asked: Asked, console: Console) -> int:
    """Tells a recorded day; returns the exit code."""
    return exit_code(lambda: _study(asked, console), console)


def _study(asked: Asked, console: Console) -> int:
    check_files(asked.files)
    try:
        with reading(asked.journal, asked.archive) as journal:
            found = read_morning(journal, asked, console)
    except (JournalError, OSError) as error:
        raise StudyRefused(str(error)) from error
    basis = f"{found.day} ({found.zone}): {morning.whole_text(found.service.whole)}"
    console.print(basis, markup=False, highlight=False)
    morning.show(found.service, found.worst, found.notes, console)
    try:
        _write(found, basis, asked.files)
    except (OSError, ReportsMissing) as error:
        console.print(str(error), markup=False)
        return EXIT_FAILED
    return EXIT_OK


def read_morning(journal: JournalReading, asked: Asked, console: Console) -> Morning:
    """Returns all that is told of a day; reads the journal twice. Raises StudyRefused."""
    day = journal_day(journal, asked.day, asked.zone)
    recording = record_day(journal.records(), day.from_ms, day.until_ms)
    if not recording.courses:
        raise StudyRefused(f"{journal.place}: no contact came on {day.day} ({day.zone})")
    try:
        bounds_ms = day_bounds_ms(day.day, day.zone, step_minutes=asked.every_min)
    except ValueError as error:
        raise StudyRefused(f"found --every {asked.every_min}: {error}") from error
    worst = worst_waits(recording, asked.worst)
    with progress_bar(console) as bar:
        task = bar.add_task("looking into waits", total=None)
        worst = looked_into(
            worst,
            journal.records(),
            day.from_ms,
            lambda done, planned: bar.update(task, completed=done, total=planned),
        )
    return Morning(
        day=str(day.day),
        zone=day.zone,
        service=day_service(recording, bounds_ms),
        worst=worst,
        notes=tuple(_notes(recording, day)),
    )


def _notes(recording: Recording, day: JournalDay) -> list[str]:
    notes = []
    started = sum(one.was_started for one in recording.courses)
    if started:
        notes.append(f"{started} contacts began outside the router; they never waited.")
    if recording.last_ms < day.until_ms:
        notes.append("The journal ends before the day does.")
    if not day.is_whole:
        notes.append("The clock was changed on this day: times are hours since midnight.")
    return notes


def _write(found: Morning, basis: str, files: Files) -> None:
    if files.json is not None:
        told = msgspec.json.format(msgspec.json.encode(found), indent=2)
        files.json.write_bytes(told + b"\n")
    if files.html is not None:
        page = morning.morning_page(
            f"The day {found.day}", basis, found.service, found.worst, found.notes
        )
        files.html.write_text(page, encoding="utf-8")
