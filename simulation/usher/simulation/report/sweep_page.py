"""The report of a sweep as one page: curves, trade-off, a row for each case.

Built of the pieces of `page`. What `page` tells of each case by type and by interval would be as
long as there are cases; that is in the exports.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from usher.simulation.experiment import Result
from usher.simulation.figures import Figure
from usher.simulation.report.markup import Markup, listing, paragraph, table
from usher.simulation.report.page import (
    ReportsMissing,
    Section,
    asked_of,
    basis_of,
    document,
    drawn,
    reading,
)
from usher.simulation.report.summary import check_results, varied_places
from usher.simulation.report.tables import sweep_rows
from usher.simulation.report.wording import figure_title, findings, mark_text, unit_text
from usher.simulation.sweeps import labels

if TYPE_CHECKING:
    from usher.simulation.report.plots import Plot


def sweep_page(
    results: Sequence[Result], figures: Sequence[Figure], title: str, notes: Sequence[str] = ()
) -> str:
    """Returns the report of a sweep, whose first case is as it stands, as HTML.

    Raises ValueError for no results, ReportsMissing without matplotlib.
    """
    check_results(results)
    first = results[0]
    plots = "".join(map(drawn, _plots(results, figures)))
    sections: list[Section] = [
        ("varied", "What was varied", _varied(results)),
        ("plots", "What changes", Markup(plots)),
        ("cases", "All cases", Markup(_cases(results, figures) + paragraph(mark_text(first)))),
        ("asked", "What was asked", asked_of(first, None)),
        ("reading", "How to read this", listing(reading(results))),
    ]
    return document(title, basis_of(results), sections, warnings=findings(results), notes=notes)


def _plots(results: Sequence[Result], figures: Sequence[Figure]) -> tuple["Plot", ...]:
    try:
        from usher.simulation.report import curves
    except ImportError as error:
        raise ReportsMissing(error) from error
    return curves.sweep_plots(results, figures)


def _varied(results: Sequence[Result]) -> Markup:
    return listing(varied_places(results))


def _cases(results: Sequence[Result], figures: Sequence[Figure]) -> Markup:
    target = results[0].case.scenario.target
    places = labels(varied_places(results))
    headers = [*places]
    for figure in figures:
        title = figure_title(figure, target)
        headers.append(f"{title} ({unit_text(figure.unit)})")
        headers.append(f"difference ({unit_text(figure.unit, difference=True)})")
    caption = f"Differences are from the first row, {results[0].case.name}"
    return table(caption, headers, sweep_rows(results, figures), words=len(places))
