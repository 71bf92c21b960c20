"""Plots of a sweep: figures over what was varied, and what a service level takes in each case.

As `plots`, whoever may have to do without matplotlib imports this module when it draws.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Final

from usher.simulation.experiment import Result, Varied
from usher.simulation.figures import Figure, figure_named
from usher.simulation.report.drawing import LINES_MOST, Curve, Range, draw_curves
from usher.simulation.report.plots import Plot, cases_alt, interval_range, trade_off_plot
from usher.simulation.report.summary import estimate, varied_places
from usher.simulation.report.wording import unit_text
from usher.simulation.sweeps import labels, varied_text

POINTS_MOST: Final = 40
"""More points with names cannot be told apart in a trade-off."""

_Groups = Mapping[tuple[Varied, ...], Sequence[Result]]


def sweep_plots(results: Sequence[Result], figures: Sequence[Figure]) -> tuple[Plot, ...]:
    """Returns the curves of these figures, and the trade-off of all cases, as far as there are any.

    The last place that was varied goes from left to right, and there is a curve for each
    combination of the others; with more than `LINES_MOST` there are none. The trade-off has at most
    `POINTS_MOST` cases.
    """
    told = [result for result in results if result.samples]
    served = [result for result in told if estimate(figure_named("service_level"), result)]
    groups = _groups(told)
    curves = (curves_plot(told, figures),) if 0 < len(groups) <= LINES_MOST else ()
    return (*curves, trade_off_plot(served)) if 1 < len(served) <= POINTS_MOST else curves


def curves_plot(results: Sequence[Result], figures: Sequence[Figure]) -> Plot:
    """Returns a panel for each figure: its mean and interval over what was varied last.

    Values that are no numbers stand side by side in the order of the cases.
    """
    places = varied_places(results)
    *others, last = labels(places)
    groups, names = _groups(results), _names(results, places[-1])
    label = ", ".join(others)
    panels = [
        (
            f"{figure.title} ({unit_text(figure.unit)})",
            [_curve(figure, group, places, names) for group in groups.values()],
        )
        for figure in figures
    ]
    title = f"What changes with {last}"
    each = f" There is a line for each value of {label}." if others else ""
    return Plot(
        name="curves",
        title=title,
        caption=f"Means of the cases with their confidence intervals.{each}",
        alt=cases_alt(title, figures, results),
        svg=draw_curves(panels, _axis(places[-1], last), names),
    )


def _groups(results: Sequence[Result]) -> _Groups:
    """Returns the cases by all that was varied but the last."""
    groups: dict[tuple[Varied, ...], list[Result]] = {}
    for result in results:
        groups.setdefault(tuple(result.case.varied.values())[:-1], []).append(result)
    # A case as it stands that lies off the grid is no curve.
    found = [(key, group) for key, group in groups.items() if len(group) > 1]
    # It comes first among the cases, and its curve to its place among the others.
    return dict(sorted(found, key=lambda pair: tuple(map(_order, pair[0]))))


def _names(results: Sequence[Result], place: str) -> tuple[str, ...]:
    values = [result.case.varied[place] for result in results]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return ()
    return tuple(dict.fromkeys(varied_text(value, place) for value in values))


def _curve(
    figure: Figure, group: Sequence[Result], places: Sequence[str], names: Sequence[str]
) -> Curve:
    points: list[tuple[float, Range]] = []
    for result in group:
        found = interval_range(estimate(figure, result), figure.unit)
        if found is not None:
            points.append((_at(result.case.varied[places[-1]], places[-1], names), found))
    points.sort(key=lambda point: point[0])
    varied = group[0].case.varied
    told = zip(labels(places), places, strict=True)
    texts = [f"{label}={varied_text(varied[place], place)}" for label, place in told]
    label = ", ".join(texts[:-1])
    return Curve(label, tuple(x for x, _ in points), tuple(y for _, y in points))


def _at(value: Varied, place: str, names: Sequence[str]) -> float:
    if names:
        return names.index(varied_text(value, place))
    seconds = place.endswith("_ms")
    return float(value or 0) / (1000 if seconds else 1)


def _order(value: Varied) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, int | float) else (inf, str(value))


def _axis(place: str, label: str) -> str:
    return f"{label} (s)" if place.endswith("_ms") else label
