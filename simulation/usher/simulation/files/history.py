"""Arrivals from history: a curve and a day factor fitted to counts or single contacts (CSV, gzip).

    day,from,count      2026-11-02,08:00,34     contacts of a day that came in an interval
    arrived             2026-11-02 08:00:05     or a row for each contact, local time

Further columns are passed over. Days of the file stand for each other; one on which nobody came has
to be there with a count of 0. It must not know scenarios.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from math import isfinite
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta

from usher.queue.branches import MINUTES_OF_DAY
from usher.router.trials.call_log import CallLogError, open_text
from usher.simulation.fitting.arrivals import fit_arrivals
from usher.simulation.scenario import Curve, Kind

_COUNTS = ("day", "from", "count")
_ARRIVED = "arrived"


class History(Kind, frozen=True, kw_only=True, tag="history"):
    """Arrivals as in a CSV file, which is named relative to the scenario: as a curve with factor.

    The file holds counts (`day`, `from`, `count`) or a row for each contact (`arrived`).
    """

    file: Annotated[str, Meta(min_length=1, max_length=4096)]
    every_min: Annotated[int, Meta(ge=1, le=MINUTES_OF_DAY)] = 30


def curve_of(history: History, folder: Path) -> Curve:
    """Returns the mean of the days as a curve, with the factor by which days differ.

    Raises ValueError for a file that cannot be used, with its line.
    """
    path = folder / history.file
    try:
        counts = _by_day(path, history.every_min)
    except CallLogError as error:
        raise ValueError(str(error)) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from error
    if not counts:
        raise ValueError(f"{path}: found no day in it")
    fit = fit_arrivals(np.array([counts[day] for day in sorted(counts)]))
    mean = [float(f"{value:.6g}") for value in fit.curve(0).mean.tolist()]
    return Curve(
        counts=tuple(mean),
        every_min=history.every_min,
        day_factor=fit.day_factor.distribution,
    )


def _by_day(path: Path, every_min: int) -> dict[date, list[float]]:
    if MINUTES_OF_DAY % every_min:
        raise ValueError(f"found intervals of {every_min} min, expected a part of 24 hours")
    counts: defaultdict[date, list[float]] = defaultdict(
        lambda: [0.0] * (MINUTES_OF_DAY // every_min)
    )
    for at, count in _rows(path):
        counts[at.date()][(at.hour * 60 + at.minute) // every_min] += count
    return counts


def _rows(path: Path) -> Iterator[tuple[datetime, float]]:
    """Yields when contacts came, and how many."""
    with open_text(path) as text:
        lines = csv.DictReader(text, strict=True)
        header = lines.fieldnames or ()
        is_counts = all(name in header for name in _COUNTS)
        if not is_counts and _ARRIVED not in header:
            raise ValueError(
                f"{path}: line 1: found the columns {', '.join(header)}, expected"
                f" {', '.join(_COUNTS)}, or {_ARRIVED}"
            )
        for row in lines:
            try:
                yield _counted(row) if is_counts else (_moment(row[_ARRIVED]), 1.0)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}: line {lines.line_num}: {error}") from None


def _counted(row: dict[str, str]) -> tuple[datetime, float]:
    count = float(row["count"])
    if not (isfinite(count) and count >= 0):
        raise ValueError(f'found the count "{row["count"]}", expected a number of at least 0')
    return _moment(f"{row['day']} {row['from']}"), count


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'found "{text}", expected YYYY-MM-DD HH:MM[:SS]') from None
