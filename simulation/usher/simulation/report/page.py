"""The report as one page: what was asked, what came of it in tables and plots, how far to trust it.

The file needs no other and no internet, reads on a phone, in the dark and on paper. Everything that
comes from a name is escaped. Writing it somewhere is the caller's affair.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from usher.simulation.experiment import Result
from usher.simulation.figures import Figure, figure_named
from usher.simulation.report.markup import (
    NOTHING_ELSE,
    Markup,
    element,
    inline_svg,
    listing,
    paragraph,
    scrolled,
    section,
    style,
    table,
    terms,
    text,
)
from usher.simulation.report.question import (
    GROUP_HEADERS,
    TYPE_HEADERS,
    case_rows,
    group_rows,
    type_rows,
)
from usher.simulation.report.summary import (
    COURSES,
    check_results,
    day_parts,
    estimate,
    is_day,
    types_of,
)
from usher.simulation.report.tables import comparison_rows, day_rows, figure_rows
from usher.simulation.report.wording import (
    basis_text,
    estimate_text,
    figure_title,
    findings,
    mark_text,
    unit_text,
)

if TYPE_CHECKING:
    from usher.simulation.report.plots import Plot

Section: TypeAlias = tuple[str, str, Markup]
"""The id of a section, a word of our own; its heading; its content."""

_IN_SHORT: Final = ("service_level", "abandoned", "mean_wait", "occupancy", "agent_hours", "cost")


class ReportsMissing(Exception):
    """Plots cannot be drawn: matplotlib, an optional extra, cannot be imported."""

    def __init__(self, cause: ImportError) -> None:
        super().__init__(
            f'a page with plots needs matplotlib ({cause}): pip install "usher-router[reports]"'
        )


def page(
    results: Sequence[Result],
    title: str,
    notes: Sequence[str] = (),
    more: Sequence[Section] = (),
) -> str:
    """Returns the report of cases, the first of which the others are compared with, as HTML.

    `notes` are sentences and `more` sections of the caller's own. Raises ValueError for no
    results, ReportsMissing without matplotlib.
    """
    check_results(results)
    day_plots, case_plots = _plots(results)
    sections: list[Section] = [
        ("short", "In short", _in_short(results)),
        *more,
        ("asked", "What was asked", _asked(results)),
        ("compared", f"Compared with {results[0].case.name}", _compared(results, case_plots)),
        ("day", "Through the day", _through_the_day(results, day_plots)),
        ("figures", "All figures", _all_figures(results)),
        ("reading", "How to read this", listing(reading(results))),
    ]
    return document(title, basis_of(results), sections, warnings=findings(results), notes=notes)


def document(
    title: str,
    basis: str,
    sections: Sequence[Section],
    *,
    warnings: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> str:
    """Returns a page that stands alone; sections without content are left out.

    `basis` is a sentence under the title, what the figures are of.
    """
    told = [(name, heading, content) for name, heading, content in sections if content]
    body = element(
        "body",
        element("header", element("h1", text(title)), paragraph(basis)),
        _warning(warnings),
        listing(notes) if notes else Markup(""),
        _contents([(name, heading) for name, heading, _ in told]),
        element("main", *(section(name, heading, content) for name, heading, content in told)),
    )
    return f'<!doctype html>\n<html lang="en">\n{_head(title)}\n{body}\n</html>\n'


def _plots(results: Sequence[Result]) -> tuple[tuple["Plot", ...], tuple["Plot", ...]]:
    try:
        from usher.simulation.report import plots
    except ImportError as error:
        raise ReportsMissing(error) from error
    return plots.day_plots(results), plots.case_plots(results)


def _head(title: str) -> Markup:
    return element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{NOTHING_ELSE}">'),
        element("title", text(title)),
        style(),
    )


def _contents(entries: Sequence[tuple[str, str]]) -> Markup:
    links = (element("a", text(heading), href=f"#{name}") for name, heading in entries)
    items = (element("li", link) for link in links)
    return element("nav", element("ul", *items), aria_label="Contents")


def _warning(sentences: Sequence[str]) -> Markup:
    if not sentences:
        return Markup("")
    heading = element("h2", text("Before you trust the figures"))
    return element("div", heading, listing(sentences), class_="warning", role="note")


def basis_of(results: Sequence[Result]) -> str:
    """Returns what figures of cases are based on, in a sentence."""
    bases = list(dict.fromkeys(map(basis_text, results)))
    if len(bases) > 1:
        return "; ".join(f"{result.case.name}: {basis_text(result)}" for result in results) + "."
    many = f"{len(results)} cases that met the same people, each with " if results[1:] else ""
    return f"{many}{bases[0]}."


def _in_short(results: Sequence[Result]) -> Markup:
    targets = {result.case.scenario.target for result in results}
    target = results[0].case.scenario.target
    figures = [figure for name in _IN_SHORT if _is_told(figure := figure_named(name), results)]

    def header(one: Figure) -> str:
        name = figure_title(one, target) if len(targets) == 1 else one.title
        return f"{name} ({unit_text(one.unit)})"

    rows = [
        [
            result.case.name,
            *(estimate_text(estimate(figure, result), figure.unit) for figure in figures),
        ]
        for result in results
    ]
    return table("Of all contacts", ["case", *map(header, figures)], rows)


def _is_told(figure: Figure, results: Sequence[Result]) -> bool:
    """Returns False for a cost of 0 in all cases: no group has a price."""
    intervals = [estimate(figure, result) for result in results]
    return figure.name != "cost" or any(one is not None and one.mean > 0 for one in intervals)


def _asked(results: Sequence[Result]) -> Markup:
    first = results[0]
    parts = [asked_of(result, None if result is first else first) for result in results]
    return Markup("".join(parts))


def asked_of(result: Result, first: Result | None) -> Markup:
    """Returns what a case is about; what is as in the first one is not told again."""
    name, scenario = result.case.name, result.case.scenario
    rows = {
        f"Types of contact, {name}": (TYPE_HEADERS, type_rows),
        f"Groups of agents, {name}": (GROUP_HEADERS, group_rows),
    }
    content = [element("h3", text(name)), terms(case_rows(result.case))]
    for caption, (headers, rows_of) in rows.items():
        told = rows_of(scenario)
        if first is not None and told == rows_of(first.case.scenario):
            content.append(paragraph(f"{caption}: as in {first.case.name}."))
        else:
            content.append(table(caption, headers, told, words=len(headers)))
    return Markup("".join(content))


def _compared(results: Sequence[Result], plots: Sequence["Plot"]) -> Markup:
    if len(results) < 2:
        return Markup("")
    first = results[0]
    headers = ["figure", "unit", *(result.case.name for result in results[1:])]
    caption = f"Difference from {first.case.name}"
    differences = table(caption, headers, comparison_rows(results), words=2)
    return Markup(differences + paragraph(mark_text(first)) + "".join(map(drawn, plots)))


def _through_the_day(results: Sequence[Result], plots: Sequence["Plot"]) -> Markup:
    headers = ["from", *(f"{course.title} ({unit_text(course.unit)})" for course in COURSES)]
    tables = [
        table(f"{result.case.name} by interval", headers, day_rows(parts))
        for result in results
        if (parts := day_parts(result))
    ]
    return Markup("".join([*map(drawn, plots), *tables]))


def _all_figures(results: Sequence[Result]) -> Markup:
    tables = [
        table(
            f"{result.case.name}: {basis_text(result)}",
            ["figure", "unit", *types_of(result)],
            figure_rows(result),
            words=2,
        )
        for result in results
    ]
    return Markup("".join(tables))


def drawn(plot: "Plot") -> Markup:
    """Returns a drawn plot with its words."""
    words = element("figcaption", element("h3", text(plot.title)), paragraph(plot.caption))
    image = scrolled(plot.title, inline_svg(plot.svg, plot.name, plot.alt))
    return element("figure", words, image)


def reading(results: Sequence[Result]) -> list[str]:
    """Returns how to read figures, in sentences."""
    confidence = f"{results[0].confidence * 100:g}%"
    lines = [
        f"84.2 ± 1.2 says: with a confidence of {confidence} the long-run mean lies between 83.0 "
        "and 85.4. A single day can lie far outside.",
        "Shares and mean waits are of all contacts of all replications together: a busy day counts "
        "more than a quiet one.",
        "Waits are of contacts answered or abandoned. The median, the wait that 90% do not exceed "
        "and the longest are taken in each replication by nearest rank, then averaged.",
        "Occupancy is busy time / available time of agents; by units of capacity for agents who "
        "have several contacts at once.",
        "Cost is signed-in time at the price of the group, in the scenario's own money.",
    ]
    if any(map(is_day, results)):
        lines.append(
            "An interval of the day holds the contacts that came in it, whenever they were "
            "answered; its agents are those signed in, on breaks too."
        )
    return lines
