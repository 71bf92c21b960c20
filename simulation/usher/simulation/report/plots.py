"""Plots of results: figures through the day, cases side by side, what a service level takes.

Needs matplotlib, through `drawing`: whoever may have to do without imports this module when it
draws. It must not know pages or files.
"""

from collections.abc import Sequence
from math import nan
from typing import Final

import numpy as np
from msgspec import Struct

from usher.simulation.experiment import Result
from usher.simulation.figures import Figure, Unit, figure_named
from usher.simulation.report.drawing import (
    LINES_MOST,
    Dot,
    Line,
    Point,
    Range,
    draw_lines,
    draw_panels,
    draw_points,
)
from usher.simulation.report.summary import (
    COURSE_BY_NAME,
    DayPart,
    day_parts,
    difference,
    estimate,
    excludes_zero,
)
from usher.simulation.report.wording import (
    estimate_text,
    extremes_text,
    figure_title,
    level_text,
    unit_text,
)
from usher.simulation.statistics import Interval

BANDS_MOST: Final = 2
"""More bands than this hide each other."""
_COMPARED: Final = ("service_level", "abandoned", "mean_wait", "wait_p90", "occupancy")

_Days = Sequence[tuple[Result, Sequence[DayPart]]]


class Plot(Struct, frozen=True, kw_only=True):
    """A drawn plot: `caption` in plain words, `alt` for who does not see it."""

    name: str
    title: str
    caption: str
    alt: str
    svg: str


class _View(Struct, frozen=True, kw_only=True):
    """A plot through the day: the first figure of every case, or all figures of the only case."""

    name: str
    title: str
    axis: str
    caption: str
    courses: tuple[str, ...]
    is_whole: bool = False
    """Whether the axis is to show all from 0 to 100%."""


_VIEWS: Final = (
    _View(
        name="arrivals",
        title="Arrivals",
        axis="contacts per {length_min} min",
        caption="Contacts that came, retrials included.",
        courses=("contacts",),
    ),
    _View(
        name="service_level",
        title="Service level",
        axis="service level (%)",
        caption="{level}, of the contacts that came in the interval.",
        courses=("service_level",),
        is_whole=True,
    ),
    _View(
        name="waits",
        title="Waits",
        axis="wait (s)",
        caption="Until the answer, or until they left: contacts that came in the interval.",
        courses=("mean_wait", "wait_p50", "wait_p90"),
    ),
    _View(
        name="abandoned",
        title="Abandonment",
        axis="abandoned (%)",
        caption="The share that left, of contacts answered or abandoned that came in the interval.",
        courses=("abandoned",),
    ),
    _View(
        name="queue",
        title="Queue length",
        axis="contacts waiting",
        caption="How many contacts waited at once, on average over the interval.",
        courses=("mean_waiting",),
    ),
    _View(
        name="on_duty",
        title="Agents on duty",
        axis="agents signed in",
        caption="Signed-in time over the length of the interval, breaks included.",
        courses=("on_duty",),
    ),
    _View(
        name="occupancy",
        title="Occupancy",
        axis="occupancy (%)",
        caption="The share of available time in which agents had a contact or its wrap-up.",
        courses=("occupancy",),
        is_whole=True,
    ),
)


def day_plots(results: Sequence[Result]) -> tuple[Plot, ...]:
    """Returns the plots through the day of the first `LINES_MOST` cases; none for long runs."""
    days = [(result, parts) for result in results if (parts := day_parts(result))]
    return tuple(_day_plot(view, days) for view in _VIEWS) if days else ()


def case_plots(results: Sequence[Result]) -> tuple[Plot, ...]:
    """Returns the cases side by side and their trade-off; none unless two have figures."""
    told = [result for result in results if result.samples]
    served = [result for result in told if estimate(figure_named("service_level"), result)]
    plots = (comparison_plot(told),) if len(told) > 1 else ()
    return (*plots, trade_off_plot(served)) if len(served) > 1 else plots


def comparison_plot(results: Sequence[Result]) -> Plot:
    """Returns a panel for each of a few figures, in it a dot with an interval for each case."""
    figures = [figure_named(name) for name in (*_COMPARED, _effort(results))]
    panels = [
        (f"{figure.title} ({unit_text(figure.unit)})", _dots(figure, results)) for figure in figures
    ]
    first = results[0].case.name
    return Plot(
        name="comparison",
        title="Cases side by side",
        caption=(
            f"Means with their confidence intervals; the dashed line is {first}. A filled dot: the "
            f"paired interval of the difference from {first} does not contain 0. That can be so "
            "although the intervals shown overlap, since the cases met the same people."
        ),
        alt=cases_alt("Cases side by side", figures, results),
        svg=draw_panels(panels),
    )


def trade_off_plot(results: Sequence[Result]) -> Plot:
    """Returns a point for each case: the service level over cost, or agent hours without one.

    Every case has a service level.
    """
    effort, level = figure_named(_effort(results)), figure_named("service_level")
    points = [
        Point(result.case.name, x, y)
        for result in results
        if (x := interval_range(estimate(effort, result), effort.unit)) is not None
        and (y := interval_range(estimate(level, result), level.unit)) is not None
    ]
    axes = [f"{figure.title} ({unit_text(figure.unit)})" for figure in (effort, level)]
    return Plot(
        name="trade_off",
        title="What a service level takes",
        caption=(
            f"A point for each case, with the confidence intervals of {effort.title} and of "
            "service level. Further up and to the left is better."
        ),
        alt=cases_alt("What a service level takes", [effort, level], results),
        svg=draw_points(points, axes[0], axes[1]),
    )


def _day_plot(view: _View, days: _Days) -> Plot:
    shown = days[:LINES_MOST]
    lines = _lines(view, shown)
    (first, parts), course = shown[0], COURSE_BY_NAME[view.courses[0]]
    told = {
        "level": level_text(first.case.scenario.target),
        "length_min": parts[0].until_min - parts[0].from_min,
    }
    texts = [f"{each.case.name}: {extremes_text(its, course)}" for each, its in shown]
    return Plot(
        name=view.name,
        title=view.title,
        caption=_day_caption(view.caption.format(**told), lines, len(days)),
        alt=f"{view.title} by time of day, {course.title}. {'; '.join(texts)}.",
        svg=draw_lines(lines, view.axis.format(**told), is_whole=view.is_whole),
    )


def _day_caption(text: str, lines: Sequence[Line], count: int) -> str:
    text = text[0].upper() + text[1:]
    if any(line.with_band for line in lines):
        text += " The middle 90% of the replications lie within the band of a line."
    return text if count <= LINES_MOST else f"{text} The first {LINES_MOST} of {count} cases."


def _lines(view: _View, days: _Days) -> list[Line]:
    if len(days) == 1:
        parts = days[0][1]
        return [
            _line(COURSE_BY_NAME[name].title, name, parts, with_band=name == view.courses[0])
            for name in view.courses
        ]
    with_band = len(days) <= BANDS_MOST
    return [
        _line(result.case.name, view.courses[0], parts, with_band=with_band)
        for result, parts in days
    ]


def _line(label: str, name: str, parts: Sequence[DayPart], *, with_band: bool) -> Line:
    spreads = [part.figures[name] for part in parts]
    rows = [(nan,) * 3 if each is None else (each.mean, each.low, each.high) for each in spreads]
    mean, low, high = np.array(rows, dtype=np.float64).T * _scale(COURSE_BY_NAME[name].unit)
    return Line(
        label=label,
        bounds_min=np.array([*(part.from_min for part in parts), parts[-1].until_min], np.float64),
        mean=mean,
        low=low,
        high=high,
        with_band=with_band and bool(np.isfinite(low).any()),
        in_steps=name == "on_duty",
    )


def _dots(figure: Figure, results: Sequence[Result]) -> list[Dot]:
    return [
        Dot(
            result.case.name,
            interval_range(estimate(figure, result), figure.unit),
            excludes_zero(difference(figure, results[0], result)),
        )
        for result in results
    ]


def interval_range(interval: Interval | None, unit: Unit) -> Range | None:
    """Returns an interval to be drawn, shares in percent; None without data."""
    if interval is None:
        return None
    bounds = (interval.mean, interval.low, interval.high)
    known = (interval.mean if one is None else one for one in bounds)
    # An axis is not to be scaled to what comes of rounding in sums that ought to be equal.
    return Range(*(float(f"{one * _scale(unit):.9g}") for one in known))


def _effort(results: Sequence[Result]) -> str:
    """Returns what service is set against: cost where every case has one, else agent hours."""
    cost = figure_named("cost")
    intervals = [estimate(cost, result) for result in results]
    priced = all(interval is not None and interval.mean > 0 for interval in intervals)
    return "cost" if priced else "agent_hours"


def cases_alt(title: str, figures: Sequence[Figure], results: Sequence[Result]) -> str:
    """Returns figures of cases in words, for who does not see a plot of them."""
    texts = [
        f"{result.case.name}: "
        + ", ".join(
            f"{figure_title(figure, result.case.scenario.target)} "
            f"{estimate_text(estimate(figure, result), figure.unit)} {unit_text(figure.unit)}"
            for figure in figures
        )
        for result in results
    ]
    return f"{title}. {'; '.join(texts)}."


def _scale(unit: Unit) -> int:
    return 100 if unit is Unit.SHARE else 1
