"""Reads recorded calls: the bank's call log, or a plain table with a row per call (CSV, gzip).

    arrived     2026-11-02 08:00:05     when the call sought an agent, local time
    wait_s      12                      until it was answered or given up
    outcome     answered | abandoned
    talk_s      184.5                   empty if abandoned
    agent       A17                     who answered; empty if abandoned, or not known
    type        billing                 optional: kind of call
    priority    2                       optional: 2 high, 1 regular, 0 not recorded

Columns stand in any order and others are passed over; rows need not be ordered. It must not know
what the calls are for.
"""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from math import isfinite
from pathlib import Path

from msgspec.structs import replace

from usher.router.trials.call_log import (
    COLUMNS,
    Call,
    CallDay,
    CallLogError,
    CallOutcome,
    LogFindings,
    open_text,
    read_log,
)

NEEDED = ("arrived", "wait_s", "outcome", "talk_s", "agent")
OPTIONAL = ("type", "priority")
OUTCOMES = {"answered": CallOutcome.SERVED, "abandoned": CallOutcome.ABANDONED}
_CODE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,42})?")
_LONGEST_S = 86_400.0


def read_days(path: Path) -> dict[date, CallDay]:
    """Returns all days of a call log or of a plain table, by date.

    Raises CallLogError for a wrong file, with line and column; OSError if it cannot be read.
    """
    with open_text(path) as text:
        header = tuple(next(csv.reader(text), ()))
    if header == COLUMNS:
        return read_log(path)
    missing = [name for name in NEEDED if name not in header]
    if missing:
        needed = f"expected the columns {', '.join(NEEDED)}, and {' and '.join(OPTIONAL)} if known"
        raise CallLogError(f"{path}: line 1: found no column {', '.join(missing)}; {needed}")
    calls: defaultdict[date, list[Call]] = defaultdict(list)
    for row in _rows(path, header):
        day, call = row.call()
        calls[day].append(call)
    return {day: _day(day, calls[day]) for day in sorted(calls)}


def _day(day: date, calls: list[Call]) -> CallDay:
    ordered = sorted(calls, key=lambda call: call.arrival_s)
    tally = Counter(rows=len(calls), calls=len(calls))
    return CallDay(
        day=day,
        calls=tuple(replace(call, number=f"c{at:04d}") for at, call in enumerate(ordered, 1)),
        findings=LogFindings(**{name: tally[name] for name in LogFindings.__struct_fields__}),
    )


def _rows(path: Path, header: tuple[str, ...]) -> Iterator["_Row"]:
    with open_text(path) as text:
        lines = csv.reader(text, strict=True)
        next(lines)
        for values in lines:
            if len(values) != len(header):
                short = f"{len(values)} columns instead of {len(header)}"
                raise CallLogError(f"{path}: line {lines.line_num}, {short}")
            yield _Row(path, lines.line_num, dict(zip(header, values, strict=True)))


class _Row:
    """One line with its place, so that a wrong value can say where it stands."""

    def __init__(self, path: Path, line: int, values: dict[str, str]) -> None:
        self._path, self._line, self._values = path, line, values

    def call(self) -> tuple[date, Call]:
        """Returns the call and its day; raises CallLogError."""
        arrived, outcome = self._arrived(), self._outcome()
        served = outcome is CallOutcome.SERVED
        arrival_s = (arrived.hour * 60 + arrived.minute) * 60 + arrived.second
        wait_s = round(self._duration_s("wait_s"))
        return arrived.date(), Call(
            number="",
            arrival_s=arrival_s,
            type=self._code("type"),
            priority=self._priority(),
            customer=0,
            outcome=outcome,
            wait_s=wait_s,
            talk_start_s=arrival_s + wait_s if served else None,
            talk_s=round(self._duration_s("talk_s")) if served else None,
            agent=self._code("agent") if served else "",
        )

    def _arrived(self) -> datetime:
        try:
            return datetime.fromisoformat(self._values["arrived"])
        except ValueError as wrong:
            raise self._error("arrived", "is no time such as 2026-11-02 08:00:05") from wrong

    def _outcome(self) -> CallOutcome:
        found = OUTCOMES.get(self._values["outcome"])
        if found is None:
            raise self._error("outcome", f"is none of {', '.join(OUTCOMES)}")
        return found

    def _duration_s(self, column: str) -> float:
        try:
            duration_s = float(self._values[column])
        except ValueError as wrong:
            raise self._error(column, "is no number of seconds") from wrong
        if not (isfinite(duration_s) and 0 <= duration_s <= _LONGEST_S):
            raise self._error(column, f"is not from 0 to {_LONGEST_S:g} seconds")
        return duration_s

    def _code(self, column: str) -> str:
        value = self._values.get(column, "")
        if not _CODE.fullmatch(value):
            raise self._error(column, "is no code of letters, digits, _ and - (at most 43)")
        return value

    def _priority(self) -> int:
        value = self._values.get("priority", "") or "0"
        if value not in ("0", "1", "2"):
            raise self._error("priority", "is none of 0, 1, 2")
        return int(value)

    def _error(self, column: str, rule: str) -> CallLogError:
        value = self._values[column][:40]
        return CallLogError(f"{self._path}: line {self._line}, column {column}: {value!r} {rule}")
