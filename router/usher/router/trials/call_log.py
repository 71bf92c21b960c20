"""Reads a call log (CSV, plain or gzip, one row per call) into the calls of a day.

For load replay; `log_figures` measures what was read and `patience` fits it. It must not know the
server, the client or the policy. A call that sought an agent is one with outcome AGENT, or HANG
after it joined the queue; PHANTOM rows and callers who left in the voice menu are no such calls.

What is done with oddities of the recording; `LogFindings` counts each of them:

    stamp of the next day      86,400 s are added to one half a day before its forerunner
    exit before start          a queue stay or a talk with a negative length gets length 0
    over an hour               a queue stay or a talk is cut to 3,600 s (outlier of recording)
    talk before arrival        kept: arrival stays queue start, else menu exit
    menu exit before entry     kept: the stamps of the queue are what counts
    talk of who hung up        left out: the call is abandoned, as its outcome says
    served, no talk stamps     served, talk of 0 s, begun at the end of the wait
    served, no agent           served, agent "" (some agent has to take it in a replay)
    overlapping talks          kept; an agent on duty is on duty once

The recorded wait is the stay in the queue, 0 for a caller who found a free agent at once.
"""

import csv
import gzip
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import msgspec

DAY_S = 86_400
LONGEST_S = 3_600
OVERLAP_S = 1
EARLY_TALK_S = 2
COLUMNS = (
    *("date", "vru_entry_s", "vru_line", "call_id", "customer", "priority", "type"),
    *("vru_exit_s", "vru_time", "q_start_s", "q_exit_s", "q_time", "outcome"),
    *("ser_start_s", "ser_exit_s", "ser_time", "server"),
)

DEFAULT_DATE = date(1999, 2, 2)
"""A busy, complete regular day of the shared bank log; `default_day` tells why."""


class CallLogError(ValueError):
    """When a file is no such log or has no such day; names line and column where there is one."""


class CallOutcome(Enum):
    """How a call that sought an agent came out."""

    SERVED = "served"
    ABANDONED = "abandoned"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call that sought an agent; times in whole seconds after local midnight of its day."""

    number: str
    """c0001 ..: by arrival, then by line of the file; the same at each reading."""
    arrival_s: int
    type: str
    priority: int
    """2 high, 1 regular, 0 regular or not recorded."""
    customer: int
    """Surrogate id; 0 = not known."""
    outcome: CallOutcome
    wait_s: int
    talk_start_s: int | None
    """None if not served; may be a little before arrival + wait, as recorded."""
    talk_s: int | None
    """None if not served."""
    agent: str
    """Who served it; "" if nobody did or nobody was recorded."""


class LogFindings(msgspec.Struct, frozen=True, kw_only=True):
    """What was met in the rows of a day; the treatment is on top of this file."""

    rows: int
    phantoms: int
    menu_only: int
    """Left in the voice menu: never sought an agent."""
    calls: int
    past_midnight: int
    """Stamps, not calls."""
    negative_stays: int
    long_stays: int
    negative_talks: int
    long_talks: int
    early_talks: int
    """Talk more than 2 s before arrival."""
    menu_exit_before_entry: int
    talks_of_hung_up: int
    talks_not_recorded: int
    agents_not_recorded: int
    overlapping_talks: int
    """Consecutive talks of one agent that overlap by more than 1 s."""


class CallDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day of the log: its calls by arrival, and what was found in reading them."""

    day: date
    calls: tuple[Call, ...]
    findings: LogFindings


class LogDay(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the list of days."""

    day: date
    calls: int
    served: int
    abandoned: int
    agents: int
    regular: bool
    """A weekday there: Sunday to Thursday."""


def read_calls(path: Path, day: date) -> list[Call]:
    """The calls of this day that sought an agent, by arrival. Raises as `read_day`."""
    return list(read_day(path, day).calls)


def read_day(path: Path, day: date) -> CallDay:
    """One day of the log. Raises CallLogError for a wrong file or a day that it does not have,
    OSError for a file that cannot be read."""
    found = _read(path, day)
    if day not in found:
        raise CallLogError(f"{path}: no row for {day}")
    return found[day]


def read_log(path: Path) -> dict[date, CallDay]:
    """All days of the log, by date. Raises as `read_day`."""
    return _read(path, None)


def days(path: Path) -> list[LogDay]:
    """The days of the log with their counts, by date. Raises as `read_day`."""
    return [_log_day(found) for found in read_log(path).values()]


def default_day(listed: Iterable[LogDay]) -> date:
    """The regular day that only one regular day in twenty exceeds in calls.

    Busy, but not the most extreme one, which tends to be odd in other ways too. For the shared log
    that is `DEFAULT_DATE`: calls in every hour from 07:00 to 24:00, all six types, an abandonment
    and a mean wait (.106, 37 s) not far from those of all regular days (.121, 43 s).
    Raises CallLogError if there is no regular day.
    """
    regular = sorted((one for one in listed if one.regular), key=lambda one: (one.calls, one.day))
    if not regular:
        raise CallLogError("the log has no regular day (Sunday to Thursday)")
    return regular[(len(regular) - 1) * 19 // 20].day


def is_regular(day: date) -> bool:
    """Whether this is a weekday there: Sunday to Thursday."""
    return day.isoweekday() not in (5, 6)


def _log_day(found: CallDay) -> LogDay:
    served = sum(call.outcome is CallOutcome.SERVED for call in found.calls)
    return LogDay(
        day=found.day,
        calls=len(found.calls),
        served=served,
        abandoned=len(found.calls) - served,
        agents=len({call.agent for call in found.calls if call.agent}),
        regular=is_regular(found.day),
    )


def _read(path: Path, wanted: date | None) -> dict[date, CallDay]:
    tallies: defaultdict[date, Counter[str]] = defaultdict(Counter)
    calls: defaultdict[date, list[Call]] = defaultdict(list)
    for row in _rows(path):
        day = row.day()
        if wanted in (None, day):
            call = _call(row, tallies[day])
            calls[day] += [call] if call else []
    return {day: _call_day(day, calls[day], tallies[day]) for day in sorted(tallies)}


def _call_day(day: date, calls: list[Call], tally: Counter[str]) -> CallDay:
    ordered = sorted(calls, key=lambda call: call.arrival_s)
    tally["overlapping_talks"] = _overlapping_talks(ordered)
    tally["calls"] = len(ordered)
    return CallDay(
        day=day,
        calls=tuple(
            msgspec.structs.replace(call, number=f"c{at:04d}") for at, call in enumerate(ordered, 1)
        ),
        findings=LogFindings(**{name: tally[name] for name in LogFindings.__struct_fields__}),
    )


def _call(row: "_Row", tally: Counter[str]) -> Call | None:
    """The row as a call without number, or None if nobody sought an agent; tallies oddities."""
    tally["rows"] += 1
    outcome = row.one_of("outcome", ("AGENT", "HANG", "PHANTOM"))
    served, queued = outcome == "AGENT", row.stamp_s("q_start_s") is not None
    if outcome == "PHANTOM" or not (served or queued):
        tally["phantoms" if outcome == "PHANTOM" else "menu_only"] += 1
        return None
    arrival_s = _arrival_s(row, "q_start_s" if queued else "vru_exit_s", tally)
    wait_s = _stay_s(row, arrival_s, tally) if queued else 0
    talk_start_s, talk_s = _talk_s(row, arrival_s, wait_s, tally) if served else (None, None)
    tally["talks_of_hung_up"] += not served and row.stamp_s("ser_start_s") is not None
    agent = row.code("server") if served else ""
    tally["agents_not_recorded"] += served and not agent
    return Call(
        number="",
        arrival_s=arrival_s,
        type=row.code("type"),
        priority=row.whole("priority"),
        customer=row.whole("customer"),
        outcome=CallOutcome.SERVED if served else CallOutcome.ABANDONED,
        wait_s=wait_s,
        talk_start_s=talk_start_s,
        talk_s=talk_s,
        agent=agent,
    )


def _arrival_s(row: "_Row", column: str, tally: Counter[str]) -> int:
    entry_s = row.stamp_needed_s("vru_entry_s")
    menu_exit_s = row.stamp_needed_s("vru_exit_s")
    tally["menu_exit_before_entry"] += entry_s - DAY_S // 2 <= menu_exit_s < entry_s
    return _after(row.stamp_needed_s(column), entry_s, tally)


def _stay_s(row: "_Row", q_start_s: int, tally: Counter[str]) -> int:
    q_exit_s = row.stamp_needed_s("q_exit_s")
    stay_s = _after(q_exit_s, q_start_s, tally) - q_start_s
    tally["negative_stays"] += stay_s < 0
    tally["long_stays"] += stay_s > LONGEST_S
    return min(max(stay_s, 0), LONGEST_S)


def _talk_s(row: "_Row", arrival_s: int, wait_s: int, tally: Counter[str]) -> tuple[int, int]:
    start_s, exit_s = row.stamp_s("ser_start_s"), row.stamp_s("ser_exit_s")
    if start_s is None or exit_s is None:
        tally["talks_not_recorded"] += 1
        return arrival_s + wait_s, 0
    start_s = _after(start_s, arrival_s, tally)
    talk_s = _after(exit_s, start_s, tally) - start_s
    tally["early_talks"] += start_s < arrival_s - EARLY_TALK_S
    tally["negative_talks"] += talk_s < 0
    tally["long_talks"] += talk_s > LONGEST_S
    return start_s, min(max(talk_s, 0), LONGEST_S)


def _after(stamp_s: int, earlier_s: int, tally: Counter[str]) -> int:
    """The stamp on the time line of the day: one far before its forerunner is of the next day."""
    if stamp_s >= earlier_s - DAY_S // 2:
        return stamp_s
    tally["past_midnight"] += 1
    return stamp_s + DAY_S


def _overlapping_talks(calls: list[Call]) -> int:
    talks: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for call in calls:
        if call.agent and call.talk_start_s is not None:
            talks[call.agent].append((call.talk_start_s, call.talk_start_s + (call.talk_s or 0)))
    ordered = [sorted(spans) for spans in talks.values()]
    pairs = (pair for spans in ordered for pair in pairwise(spans))
    return sum(next_start_s < end_s - OVERLAP_S for (_, end_s), (next_start_s, _) in pairs)


class _Row:
    """One line with its place, so that a wrong value can say where it stands."""

    def __init__(self, path: Path, line: int, values: dict[str, str]) -> None:
        self._path, self._line, self._values = path, line, values

    def error(self, column: str, rule: str) -> CallLogError:
        value = self._values[column][:40]
        return CallLogError(f"{self._path}: line {self._line}, column {column}: {value!r} {rule}")

    def day(self) -> date:
        try:
            return date.fromisoformat(self._values["date"])
        except ValueError as wrong:
            raise self.error("date", "is no date YYYY-MM-DD") from wrong

    def whole(self, column: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", self._values[column]):
            raise self.error(column, "is no whole number of at most 9 digits")
        return int(self._values[column])

    def stamp_s(self, column: str) -> int | None:
        """Seconds after midnight; None = it did not happen."""
        if not self._values[column]:
            return None
        stamp_s = self.whole(column)
        if stamp_s >= 2 * DAY_S:
            raise self.error(column, "is not within two days after midnight")
        return stamp_s

    def stamp_needed_s(self, column: str) -> int:
        stamp_s = self.stamp_s(column)
        if stamp_s is None:
            raise self.error(column, "is empty but needed here")
        return stamp_s

    def one_of(self, column: str, allowed: tuple[str, ...]) -> str:
        if self._values[column] not in allowed:
            raise self.error(column, f"is none of {', '.join(allowed)}")
        return self._values[column]

    def code(self, column: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", self._values[column]):
            raise self.error(column, "is no code of letters, digits, _ and - (at most 64)")
        return self._values[column]


def _rows(path: Path) -> Iterator[_Row]:
    with open_text(path) as text:
        lines = csv.reader(text, strict=True)
        header = next(lines, [])
        if tuple(header) != COLUMNS:
            raise CallLogError(f"{path}: line 1, {_header_fault(header)}")
        for values in lines:
            if len(values) != len(COLUMNS):
                short = f"{len(values)} columns instead of {len(COLUMNS)}"
                raise CallLogError(f"{path}: line {lines.line_num}, {short}")
            yield _Row(path, lines.line_num, dict(zip(COLUMNS, values, strict=True)))


def _header_fault(header: list[str]) -> str:
    for at, (found, expected) in enumerate(zip(header, COLUMNS, strict=False), 1):
        if found != expected:
            return f"column {at} is {found[:40]!r} instead of {expected!r}: no call log"
    return f"{len(header)} columns instead of {len(COLUMNS)}: no call log"


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Opens a CSV, plain or gzip. Raises CallLogError for what is none, OSError."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    opener = gzip.open if packed else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as text:
            yield text
    except (EOFError, zlib.error, gzip.BadGzipFile) as broken:
        raise CallLogError(f"{path}: the gzip file is damaged or cut short: {broken}") from broken
    except UnicodeDecodeError as wrong:
        raise CallLogError(f"{path}: no UTF-8 text at byte {wrong.start}") from wrong
    except csv.Error as wrong:
        raise CallLogError(f"{path}: no CSV: {wrong}") from wrong
