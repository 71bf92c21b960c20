"""Drawings by matplotlib, as SVG text: lines through a day, panels of dots, points with names.

The only file that imports matplotlib, an optional extra. Each drawing is made by itself in a fixed
style: the same numbers give the same SVG, whatever a user's matplotlib is set to. Its settings are
global while it draws, so one thread at a time may draw. It must not know results or pages.
"""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Final, Literal

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from msgspec import Struct
from numpy.typing import NDArray

from usher.router.branch_policy import minute_text
from usher.simulation.report.colours import GRID, INK, PAPER, SERIES

Floats = NDArray[np.float64]
Place = tuple[int, int, str, str]

LINES_MOST: Final = len(SERIES)

WIDTH_IN: Final = 9.0
"""At 72 points an inch; shown 900 px wide its text is 14 px high."""
MARKERS_MOST: Final = 60
TICKS_MOST: Final = 12
LABEL_MOST: Final = 28
LEGEND_MOST: Final = 70
"""In letters: what fits into one row of a legend."""

STYLE: Final[dict[str, object]] = {
    "svg.hashsalt": "usher",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.limits": [-4, 7],
    "axes.formatter.useoffset": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.dpi": 72,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
_NO_METADATA: Final = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_DASHES: Final = ("-", "--", ":", "-.")
_MARKERS: Final = ("o", "s", "^", "D")
_TICK_STEPS_MIN: Final = (15, 30, 60, 120, 180, 240)
_PANELS_A_ROW: Final = 3
_CURVES_A_ROW: Final = 2
_PLACES: Final[tuple[Place, ...]] = (
    *((8, 0, "left", "center"), (-8, 0, "right", "center")),
    *((0, 8, "center", "bottom"), (0, -8, "center", "top")),
    *((8, 8, "left", "bottom"), (8, -8, "left", "top")),
    *((-8, 8, "right", "bottom"), (-8, -8, "right", "top")),
    *((8, 20, "left", "bottom"), (8, -20, "left", "top")),
)
"""Where a name may stand beside its point, best first: x and y in points, and how it is aligned."""


class Line(Struct, frozen=True, eq=False, kw_only=True):
    """A figure through the day; one entry for each interval, NaN without data, but one bound more.

    `in_steps`: as a flight of stairs, for what changes from one moment to the next.
    """

    label: str
    bounds_min: Floats
    """Where intervals begin, and where the last one ends, in minutes since midnight."""
    mean: Floats
    low: Floats
    high: Floats
    with_band: bool = False
    in_steps: bool = False


class Range(Struct, frozen=True):
    """A mean with its bounds; without bounds all three are the same."""

    mean: float
    low: float
    high: float


class Dot(Struct, frozen=True):
    """A mean in a panel, or nothing; `filled` sets it off."""

    label: str
    range: Range | None
    filled: bool = False


class Point(Struct, frozen=True):
    """A named point with bounds both ways."""

    label: str
    x: Range
    y: Range


class Curve(Struct, frozen=True):
    """A figure over numbers, which ascend: a range for each of them."""

    label: str
    x: tuple[float, ...]
    y: tuple[Range, ...]


def draw_lines(lines: Sequence[Line], axis: str, *, is_whole: bool = False) -> str:
    """Returns lines over the time of day; a whole axis goes from 0 to 100.

    Raises ValueError unless there are 1 to `LINES_MOST` lines.
    """
    if not 1 <= len(lines) <= LINES_MOST:
        raise ValueError(f"found {len(lines)} lines, expected 1 to {LINES_MOST}")
    with _canvas(3.3) as canvas:
        columns = _legend_columns(lines)
        axes = _axes(canvas, top_in=0.1 + 0.25 * (ceil(len(lines) / columns) if columns else 0))
        handles = [_add_line(axes, line, style) for style, line in enumerate(lines)]
        axes.set_xlabel("time of day")
        axes.set_ylabel(axis)
        _set_times(axes, lines)
        _set_heights(axes, lines, is_whole=is_whole)
        if columns:
            _name_lines(canvas.figure, handles, [line.label for line in lines], columns)
        return _svg(canvas)


def draw_panels(panels: Sequence[tuple[str, Sequence[Dot]]]) -> str:
    """Returns a panel for each (title, dots): dots below each other, the first one's mean dashed.

    The dots of all panels have the same labels in the same order.
    """
    rows = ceil(len(panels) / _PANELS_A_ROW)
    height_in = rows * (0.8 + 0.29 * len(panels[0][1]))
    with _canvas(height_in) as canvas:
        canvas.figure.set_layout_engine("constrained")  # names of cases may be long
        grid = canvas.figure.subplots(rows, _PANELS_A_ROW, sharey=True, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, (title, dots) in zip(grid.flat, panels, strict=False):
            axes.set_title(title)
            _add_dots(axes, dots)
        return _svg(canvas)


def draw_points(points: Sequence[Point], x_axis: str, y_axis: str) -> str:
    """Returns points with bars both ways, each with its name beside it, clear of the others."""
    with _canvas(4.2) as canvas:
        axes = _axes(canvas)
        axes.set_xlabel(x_axis)
        axes.set_ylabel(y_axis)
        axes.margins(0.12)
        for point in points:
            axes.errorbar(
                [point.x.mean],
                [point.y.mean],
                xerr=_bars(point.x),
                yerr=_bars(point.y),
                fmt="o",
                color=SERIES[0],
                elinewidth=1.2,
                capsize=3,
            )
        _name_points(canvas.figure, axes, points)
        return _svg(canvas)


def draw_curves(
    panels: Sequence[tuple[str, Sequence[Curve]]], x_axis: str, names: Sequence[str] = ()
) -> str:
    """Returns a panel for each (title, curves), the same curves in each; bars are their bounds.

    `names`, if there are any, stand at 0, 1, 2 ... in place of numbers. There are 1 to `LINES_MOST`
    curves.
    """
    columns = min(len(panels), _CURVES_A_ROW)
    rows = ceil(len(panels) / columns)
    with _canvas(0.4 + 2.6 * rows) as canvas:
        canvas.figure.set_layout_engine("constrained")
        grid = canvas.figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, (title, curves) in zip(grid.flat, panels, strict=False):
            axes.set_title(title)
            axes.set_xlabel(_label(x_axis))
            axes.margins(0.08)
            handles = [
                _add_curve(axes, curve, style, is_line=not names)
                for style, curve in enumerate(curves)
            ]
            _set_values(axes, curves, names)
        if len(curves) > 1:
            names_of = [curve.label for curve in curves]
            _name_lines(canvas.figure, handles, names_of, 2, loc="outside upper left")
        return _svg(canvas)


@contextmanager
def _canvas(height_in: float) -> Iterator[FigureCanvasSVG]:
    """Yields an empty drawing; what is done to it is done in the fixed style."""
    with warnings.catch_warnings(), matplotlib.style.context(["default", STYLE]):
        # Text stays text, and whoever shows it has the letters that the measuring font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield FigureCanvasSVG(Figure(figsize=(WIDTH_IN, height_in)))


def _axes(canvas: FigureCanvasSVG, *, top_in: float = 0.1) -> Axes:
    """Returns the only axes of a drawing, in the same place in all drawings."""
    height_in = canvas.figure.get_figheight()
    below, above = 0.6 / height_in, 1 - top_in / height_in
    return canvas.figure.add_axes((0.085, below, 0.885, above - below))


def _svg(canvas: FigureCanvasSVG) -> str:
    text = io.StringIO()
    # Not by `savefig`, which draws everything twice.
    canvas.print_svg(text, metadata=_NO_METADATA)  # type: ignore[no-untyped-call]
    return text.getvalue()


def _add_line(axes: Axes, line: Line, style: int) -> Artist:
    colour = SERIES[style]
    if line.in_steps:
        at_min, mean, low, high = line.bounds_min, *map(_to_end, (line.mean, line.low, line.high))
    else:
        at_min = (line.bounds_min[:-1] + line.bounds_min[1:]) / 2
        mean, low, high = line.mean, line.low, line.high
    if line.with_band:
        step: Literal["post"] | None = "post" if line.in_steps else None
        axes.fill_between(at_min, low, high, step=step, color=colour, alpha=0.2, linewidth=0)
    with_markers = not line.in_steps and len(at_min) <= MARKERS_MOST
    (drawn,) = axes.plot(
        at_min,
        mean,
        color=colour,
        linestyle=_DASHES[style],
        linewidth=1.8,
        marker=_MARKERS[style] if with_markers else None,
        markersize=3.5,
        drawstyle="steps-post" if line.in_steps else "default",
    )
    return drawn


def _add_curve(axes: Axes, curve: Curve, style: int, *, is_line: bool) -> Artist:
    drawn = axes.errorbar(
        curve.x,
        [each.mean for each in curve.y],
        yerr=np.hstack([_bars(each) for each in curve.y]) if curve.y else None,
        color=SERIES[style],
        linestyle=_DASHES[style] if is_line else "none",
        linewidth=1.8,
        marker=_MARKERS[style],
        markersize=4,
        elinewidth=1.2,
        capsize=3,
    )
    return drawn.lines[0]


def _set_values(axes: Axes, curves: Sequence[Curve], names: Sequence[str]) -> None:
    """Puts a tick at each value, as far as there is room."""
    values = sorted({x for curve in curves for x in curve.x})
    if names:
        axes.set_xticks(range(len(names)), [_label(name) for name in names])
    elif len(values) <= TICKS_MOST:
        axes.set_xticks(values)


def _to_end(column: Floats) -> Floats:
    """Returns a column for bounds: the last step goes on to its end."""
    return np.append(column, column[-1])


def _set_times(axes: Axes, lines: Sequence[Line]) -> None:
    first = int(min(line.bounds_min[0] for line in lines))
    last = int(max(line.bounds_min[-1] for line in lines))
    steps = (step for step in _TICK_STEPS_MIN if (last - first) / step <= TICKS_MOST)
    step = next(steps, _TICK_STEPS_MIN[-1])
    ticks = range(-(-first // step) * step, last + 1, step)
    axes.set_xticks(ticks, [minute_text(tick) for tick in ticks])
    axes.set_xlim(first, last)


def _set_heights(axes: Axes, lines: Sequence[Line], *, is_whole: bool) -> None:
    if is_whole:
        axes.set_ylim(-3, 103)
        return
    columns = [line.high if line.with_band else line.mean for line in lines]
    columns += [line.mean for line in lines]
    highest = max((float(np.nanmax(one)) for one in columns if np.isfinite(one).any()), default=0.0)
    axes.set_ylim(-0.03 * (highest or 1), 1.08 * (highest or 1))


def _legend_columns(lines: Sequence[Line]) -> int:
    """Returns how many names stand beside each other; 0 where one line needs none."""
    if len(lines) < 2:
        return 0
    letters = sum(len(_label(line.label)) for line in lines)
    return len(lines) if letters <= LEGEND_MOST else 2


def _name_lines(
    figure: Figure,
    handles: Sequence[Artist],
    labels: Sequence[str],
    columns: int,
    *,
    loc: Literal["upper left", "outside upper left"] = "upper left",
) -> None:
    # A legend leaves out labels that begin with "_": so the names are put in afterwards.
    places = [str(place) for place in range(len(labels))]
    legend = figure.legend(handles, places, loc=loc, ncols=columns)
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(_label(label))


def _add_dots(axes: Axes, dots: Sequence[Dot]) -> None:
    axes.set_yticks(range(len(dots)), [_label(dot.label) for dot in dots])
    axes.set_ylim(len(dots) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.locator_params(axis="x", nbins=4)
    if dots[0].range is not None:
        axes.axvline(dots[0].range.mean, color=INK, linewidth=1, linestyle="--")
    for place, dot in enumerate(dots):
        if dot.range is None:
            continue
        axes.errorbar(
            [dot.range.mean],
            [place],
            xerr=_bars(dot.range),
            fmt="o",
            color=SERIES[0],
            markerfacecolor=SERIES[0] if dot.filled else PAPER,
            capsize=3,
        )


def _name_points(figure: Figure, axes: Axes, points: Sequence[Point]) -> None:
    """Puts each name where it covers the fewest points and names, the first of equal places."""
    figure.draw_without_rendering()
    at_px = axes.transData.transform([(point.x.mean, point.y.mean) for point in points])
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in at_px]
    inside = axes.get_window_extent()
    for point in points:
        note = axes.annotate(
            _label(point.label),
            (point.x.mean, point.y.mean),
            xytext=(0, 0),
            textcoords="offset points",
        )
        covered = []
        for place in _PLACES:
            _put(note, place)
            box = note.get_window_extent()
            outside = box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0
            covered.append(box.count_overlaps(taken) + len(points) * outside)
        _put(note, _PLACES[covered.index(min(covered))])
        taken.append(note.get_window_extent())


def _put(note: Annotation, place: Place) -> None:
    x, y, across, along = place
    note.set_position((x, y))
    note.set(horizontalalignment=across, verticalalignment=along)


def _bars(range_: Range) -> Floats:
    return np.array([[range_.mean - range_.low], [range_.high - range_.mean]])


def _label(name: str) -> str:
    text = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
    # The end stays: names of cases often differ there.
    return text if len(text) <= LABEL_MOST else f"{text[:17]}…{text[17 - LABEL_MOST + 1 :]}"
