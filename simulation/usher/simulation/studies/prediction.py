"""How well predicted days meet the recorded ones: figures by day and by hour, with intervals.

A day's prediction is the spread of many days of its scenario; the recorded figure is one more day,
so it is held against a prediction interval, never against the confidence interval of a mean.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from datetime import date

import numpy as np
from msgspec import Struct

from usher.queue.measures import Measures, measure, measure_by_interval
from usher.router.trials.call_log import CallDay
from usher.router.trials.log_figures import contact_facts
from usher.simulation.experiment import Case, Plan, Progress, bounds_ms, experiment
from usher.simulation.samples import Sample, Sums
from usher.simulation.statistics import prediction_interval
from usher.simulation.studies.calibration import (
    THRESHOLD_MS,
    Calibration,
    day_policy,
    day_scenario,
)

COVERAGE = 0.9
VALUES_LEAST = 19  # for such an interval
HOUR_MIN = 60
CALLS_LEAST = 10
"""An hour with fewer calls has no figures worth the name."""
FIGURES = ("calls", "mean_wait_s", "abandoned", "answered_within")


class Predicted(Struct, frozen=True, kw_only=True):
    """One figure of one day, or of one hour of it."""

    day: str
    hour: int
    """-1 = the whole day."""
    figure: str
    recorded: float
    mean: float
    low: float
    high: float

    @property
    def is_day(self) -> bool:
        """Returns whether it is of the whole day."""
        return self.hour < 0

    @property
    def inside(self) -> bool:
        """Returns whether the recorded figure lies in the prediction interval."""
        return self.low <= self.recorded <= self.high


def predict(
    log: Mapping[date, CallDay],
    told: Calibration,
    plan: Plan,
    executor: Executor,
    progress: Progress | None = None,
) -> list[Predicted]:
    """Returns all figures of these days, predicted from the calibration and their own staff."""
    names = {str(day): found for day, found in log.items()}
    policy = day_policy()
    cases = [
        Case(name, day_scenario(name, told.counted, told.presence, found), policy)
        for name, found in names.items()
    ]
    results = experiment(cases, plan, executor, progress)
    rows: list[Predicted] = []
    for result in results:
        rows += _of_day(result.case.name, names[result.case.name], result.samples, result.case)
    return rows


def covered(rows: Sequence[Predicted], figure: str, *, by_hour: bool) -> float | None:
    """Returns the share of days, or of day-hours, inside their interval; None without any."""
    chosen = [row for row in rows if row.figure == figure and row.is_day != by_hour]
    return sum(row.inside for row in chosen) / len(chosen) if chosen else None


def as_csv(rows: Sequence[Predicted]) -> str:
    """Returns a line for each figure of each day and hour; the hour of a whole day is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("day", "hour", "figure", "recorded", "mean", "low", "high", "inside"))
    for row in rows:
        hour = "" if row.is_day else row.hour
        figures = (row.recorded, row.mean, row.low, row.high, int(row.inside))
        writer.writerow((row.day, hour, row.figure, *figures))
    return text.getvalue()


def _of_day(name: str, found: CallDay, samples: Sequence[Sample], case: Case) -> list[Predicted]:
    facts = contact_facts(found.calls)
    whole = _recorded(measure(facts, threshold_ms=THRESHOLD_MS))
    rows = _rows(name, -1, whole, [each.all for each in samples])
    bounds = bounds_ms(case.scenario, HOUR_MIN)
    table = measure_by_interval(facts, bounds, threshold_ms=THRESHOLD_MS)
    for hour, interval in enumerate(table.intervals):
        sums = [each.intervals[hour].all for each in samples]
        if interval.measures.offered >= CALLS_LEAST:
            rows += _rows(name, hour, _recorded(interval.measures), sums)
    return rows


def _rows(
    name: str, hour: int, recorded: dict[str, float], sums: Sequence[Sums]
) -> list[Predicted]:
    rows = []
    for figure in FIGURES:
        values = [one for each in sums if (one := _simulated(each)[figure]) is not None]
        if len(values) < VALUES_LEAST:
            continue  # so few of the simulated hours had a call that there is no interval
        interval = prediction_interval(values, COVERAGE)
        rows.append(
            Predicted(
                day=name,
                hour=hour,
                figure=figure,
                recorded=recorded[figure],
                mean=float(np.mean(values)),
                low=interval.low,
                high=interval.high,
            )
        )
    return rows


def _recorded(measured: Measures) -> dict[str, float]:
    offered = max(1, measured.offered)
    return {
        "calls": float(measured.offered),
        "mean_wait_s": (measured.wait_offered.mean_ms or 0.0) / 1000,
        "abandoned": measured.abandoned / offered,
        "answered_within": measured.service_levels.of_offered or 0.0,
    }


def _simulated(sums: Sums) -> dict[str, float | None]:
    calls = sums.offered
    return {
        "calls": float(calls),
        "mean_wait_s": sums.wait_ms / calls / 1000 if calls else None,
        "abandoned": sums.abandoned / calls if calls else None,
        "answered_within": sums.level_met / calls if calls else None,
    }
