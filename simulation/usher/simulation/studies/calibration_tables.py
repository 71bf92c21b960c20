"""What a calibration found, and how well it predicts, for the terminal.

It must not know files, or how anything was fitted.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from usher.router.branch_policy import minute_text
from usher.router.trials.call_log import CallDay
from usher.simulation.fitting.arrivals import ArrivalFit
from usher.simulation.fitting.patience import PatienceFit
from usher.simulation.studies.calibration import Calibration, Presence, Service
from usher.simulation.studies.counting import INTERVAL_MIN, Counted
from usher.simulation.studies.prediction import COVERAGE, FIGURES, Predicted, covered

HOUR_MIN = 60
PATIENCE_S = (5, 20, 60, 120, 300, 600)
TITLES = {
    "calls": "calls",
    "mean_wait_s": "mean wait, s",
    "abandoned": "abandoned",
    "answered_within": "answered within 20 s",
}
SHORT_TITLES = {**TITLES, "mean_wait_s": "wait, s", "answered_within": "in 20 s"}


def days_text(used: Mapping[date, CallDay], kept: Mapping[date, CallDay]) -> str:
    """Returns which days are used for what."""
    return f"calibrating on {_days_text(used)}; checking on {_days_text(kept)}"


def try_text(tried: Presence) -> str:
    """Returns what was tried, for the progress bar."""
    work = f"{tried.hidden.mean:.0f} s hidden work"
    return f"gap {tried.gap_s // 60} min, {work}: {tried.modelled.mean_wait_s:.0f} s wait"


def show_calibration(told: Calibration, console: Console) -> None:
    """Prints curve, factors, types, patience, presence and hidden work."""
    console.print(_curve_table(told.counted.arrivals, told))
    console.print(_factor_text(told), highlight=False)
    console.print(_types_table(told.counted))
    console.print(_patience_text(told.counted.patience), highlight=False)
    console.print(_presence_table(told))
    console.print(_presence_text(told), highlight=False)


def show_check(rows: Sequence[Predicted], console: Console) -> None:
    """Prints how days and hours lie to their prediction intervals."""
    console.print(_check_table(rows))
    console.print(_hours_table(rows))


def _days_text(days: Mapping[date, CallDay]) -> str:
    calls = sum(len(found.calls) for found in days.values())
    listed = list(days)
    span = f", {min(listed)} to {max(listed)}" if listed else ""
    return f"{len(listed)} days ({calls:,} calls{span})"


def _curve_table(arrivals: ArrivalFit, told: Calibration) -> Table:
    """By hour: the mean day, and the agents of a usual one."""
    curve = arrivals.curve(0)
    rows = []
    for hour in range(24):
        calls = float(curve.mean[hour * HOUR_MIN // INTERVAL_MIN])
        agents = _agents(told, hour * HOUR_MIN)
        if calls:
            rows.append((minute_text(hour * HOUR_MIN), f"{calls:.1f}", str(agents)))
    return _table("a usual day by hour", ("from",), ("calls", "agents"), rows)


def _agents(told: Calibration, minute: int) -> int:
    shifts = told.staff.shifts
    return sum(one.agents for one in shifts if one.from_min <= minute < one.until_min)


def _factor_text(told: Calibration) -> str:
    days = np.sqrt(told.counted.arrivals.day_factor.relative_variance or 0.0)
    calls = told.presence.calls
    given = f"{np.sqrt(calls.day_variance):.3f} given its agents"
    within = f"of an hour within it {np.sqrt(calls.interval_variance):.3f}"
    return f"standard deviation of the factor of a day {days:.3f}, {given}, {within}"


def _types_table(figures: Counted) -> Table:
    rows = [
        (
            name or "call",
            f"{found.calls:,}",
            f"{found.calls / figures.calls:.1%}",
            f"{found.abandoned / found.calls:.1%}",
            f"{found.talks.mean:.0f}",
            f"{found.patience.distribution.mean:.0f}",
            f"{found.high_share:.1%}",
        )
        for name, found in figures.types.items()
    ]
    heads = ("calls", "share", "left", "talk, s", "patience, s", "high priority")
    return _table("types", ("type",), heads, rows)


def _patience_text(patience: PatienceFit) -> str:
    shares = (f"{patience.curve.willing(wait_s):.3f} after {wait_s} s" for wait_s in PATIENCE_S)
    mean_s = patience.exponential.mean_s
    exponential = "" if mean_s is None else f"; as an exponential: mean {mean_s:.0f} s"
    return f"still willing to wait: {', '.join(shares)}{exponential}"


def _presence_table(told: Calibration) -> Table:
    rows = [("recorded", "", "", "", *_service_texts(told.recorded))]
    for one in told.tried:
        taken = " (taken)" if one is told.presence else ""
        gap = f"{one.gap_s / 60:g} min{taken}"
        seen, used = one.seen.distribution.mean, one.hidden.mean
        texts = _service_texts(one.modelled)
        rows.append((gap, f"{one.pauses:,}", f"{seen:.1f}", f"{used:.1f}", *texts))
    heads = ("pauses seen", "mean, s", "fitted, s", "wait, s", "left", "within 20 s")
    return _table("duty gap and hidden work after a call", ("gap",), heads, rows)


def _service_texts(service: Service) -> tuple[str, str, str]:
    return (
        f"{service.mean_wait_s:.1f}",
        f"{service.abandoned:.3f}",
        f"{service.answered_within:.3f}",
    )


def _presence_text(told: Calibration) -> str:
    hidden = np.array(told.presence.hidden.values)
    shares = ", ".join(f"{np.quantile(hidden, q):.0f} s ({q:.0%})" for q in (0.5, 0.9, 0.99))
    return f"hidden work after a call: {hidden.mean():.1f} s on average; at most {shares}"


def _check_table(rows: Sequence[Predicted]) -> Table:
    listed = []
    for figure in FIGURES:
        days = [row for row in rows if row.figure == figure and row.is_day]
        recorded = _number(figure, float(np.mean([row.recorded for row in days])))
        predicted = _number(figure, float(np.mean([row.mean for row in days])))
        inside = (_share(covered(rows, figure, by_hour=hours)) for hours in (False, True))
        listed.append((TITLES[figure], recorded, predicted, *inside))
    heads = ("recorded", "predicted", "days inside", "day-hours inside")
    title = f"days not used, against {COVERAGE:.0%} prediction intervals"
    return _table(title, ("mean over days",), heads, listed)


def _hours_table(rows: Sequence[Predicted]) -> Table:
    listed = []
    for hour in sorted({row.hour for row in rows if not row.is_day}):
        texts = [minute_text(hour * HOUR_MIN)]
        for figure in FIGURES[1:]:
            chosen = [row for row in rows if row.figure == figure and row.hour == hour]
            recorded = float(np.mean([row.recorded for row in chosen]))
            predicted = float(np.mean([row.mean for row in chosen]))
            inside = sum(row.inside for row in chosen)
            pair = f"{_number(figure, recorded)} / {_number(figure, predicted)}"
            texts += [pair, f"{inside}/{len(chosen)}"]
        listed.append(tuple(texts))
    heads = [text for figure in FIGURES[1:] for text in (SHORT_TITLES[figure], "inside")]
    return _table("by hour: recorded / predicted", ("from",), heads, listed)


def _number(figure: str, value: float) -> str:
    match figure:
        case "calls":
            return f"{value:,.0f}"
        case "mean_wait_s":
            return f"{value:.1f}"
        case _:
            return f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _table(
    title: str, names: Sequence[str], heads: Sequence[str], rows: Iterable[Sequence[str]]
) -> Table:
    table = Table(title=Text(title), title_justify="left")
    for name in names:
        table.add_column(Text(name))
    for head in heads:
        table.add_column(Text(head), justify="right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
