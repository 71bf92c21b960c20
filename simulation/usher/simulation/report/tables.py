"""Tables for the terminal: the figures of a case, its day by intervals, its distance from another.

Names are shown as they are, never read as markup. It must not know files or plots.
"""

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from usher.router.branch_policy import minute_text
from usher.simulation.experiment import Result
from usher.simulation.figures import ALL, FIGURES, Figure, Unit
from usher.simulation.report.summary import (
    COURSES,
    DayPart,
    Spread,
    check_results,
    day_parts,
    difference,
    differences_of,
    estimate,
    has_figure,
    is_day,
    types_of,
    varied_places,
)
from usher.simulation.report.wording import (
    MARK,
    basis_text,
    column_texts,
    difference_text,
    estimate_text,
    figure_title,
    findings,
    mark_text,
    unit_text,
)
from usher.simulation.sweeps import labels, varied_text

Row = tuple[str, ...]

_WORD: Final = 7
FINDINGS_MOST: Final = 5
"""Of a sweep, whose cases mostly have the same ones."""


def show(results: Sequence[Result], console: Console) -> None:
    """Prints all tables of all cases, and what to know about them; raises ValueError for none."""
    check_results(results)
    for result in results:
        console.print(figures_table(result))
        console.print(basis_text(result), highlight=False)
        if is_day(result):
            console.print(day_table(result))
    if len(results) > 1:
        console.print(comparison_table(results))
        console.print(mark_text(results[0]), highlight=False)
    for finding in findings(results):
        console.print(Text(finding, style="bold"))


def show_sweep(results: Sequence[Result], figures: Sequence[Figure], console: Console) -> None:
    """Prints the table of a sweep and what to know about it; raises ValueError for none."""
    check_results(results)
    console.print(sweep_table(results, figures))
    first = results[0]
    console.print(basis_text(first), highlight=False)
    console.print(
        Text(f"below a figure: what it has more than in the first row, {first.case.name}")
    )
    console.print(mark_text(first), highlight=False)
    found = findings(results)
    for finding in found[:FINDINGS_MOST]:
        console.print(Text(finding, style="bold"))
    if len(found) > FINDINGS_MOST:
        rest = f"and {len(found) - FINDINGS_MOST} more like these, in the page and the JSON"
        console.print(Text(rest, style="bold"))


def figures_table(result: Result) -> Table:
    """Returns the figures of a case: of all types together and of each, with half-widths."""
    table = empty_table(result.case.name, ("figure", "unit"), types_of(result))
    return filled(table, figure_rows(result))


def day_table(result: Result) -> Table:
    """Returns the intervals of a day; without any row for a long run.

    Figures are sums over replications, so a share is of all contacts. They stand where contacts
    come, not where they are answered.
    """
    # Ten columns fit into 80 letters: headings word by word, one space between, and nothing else.
    heads = [_head(_by_word(course.title), course.unit) for course in COURSES]
    table = empty_table(f"{result.case.name} by interval", ("from",), heads)
    table.box, table.show_edge, table.pad_edge = box.SIMPLE_HEAD, False, False
    table.padding = 0
    return filled(table, day_rows(day_parts(result)))


def comparison_table(results: Sequence[Result], type_name: str = ALL) -> Table:
    """Returns what each case has more than the first, with paired half-widths and marks."""
    check_results(results)
    of_type = "" if type_name == ALL else f", {type_name}"
    heads = [result.case.name for result in results[1:]]
    title = f"difference from {results[0].case.name}{of_type}"
    return filled(
        empty_table(title, ("figure", "unit"), heads), comparison_rows(results, type_name)
    )


def rows_table(title: str, headers: Sequence[str], rows: Sequence[Row], *, words: int) -> Table:
    """Returns a table of these rows; after `words` columns come numbers."""
    return filled(empty_table(title, headers[:words], headers[words:]), rows)


def sweep_table(results: Sequence[Result], figures: Sequence[Figure]) -> Table:
    """Returns a row for each case: what was varied, then figures, each above its difference."""
    target = results[0].case.scenario.target
    heads = [_head(figure_title(figure, target), figure.unit) for figure in figures]
    names = labels(varied_places(results))
    table = empty_table(f"figures by {', '.join(varied_places(results))}", names, heads)
    table.show_lines = True
    count = len(names)
    for cells in sweep_rows(results, figures):
        pairs = zip(cells[count::2], cells[count + 1 :: 2], strict=True)
        table.add_row(*map(Text, cells[:count]), *(_with_difference(*pair) for pair in pairs))
    return table


def figure_rows(result: Result) -> tuple[Row, ...]:
    """Returns a row for each figure: title, unit, and what it is for each of `types_of`."""
    return tuple(
        (
            figure_title(figure, result.case.scenario.target),
            unit_text(figure.unit),
            *(
                estimate_text(estimate(figure, result, name), figure.unit)
                for name in types_of(result)
            ),
        )
        for figure in FIGURES
    )


def comparison_rows(results: Sequence[Result], type_name: str = ALL) -> tuple[Row, ...]:
    """Returns a row for each figure there is of a type: title, unit, each case - the first."""
    first, others = results[0], results[1:]
    columns = [differences_of(first, other, type_name) for other in others]
    return tuple(
        (
            figure_title(figure, first.case.scenario.target),
            unit_text(figure.unit, difference=True),
            *(difference_text(column[figure.name], figure.unit) for column in columns),
        )
        for figure in FIGURES
        if has_figure(figure, type_name)
    )


def sweep_rows(results: Sequence[Result], figures: Sequence[Figure]) -> tuple[Row, ...]:
    """Returns a row for each case: what was varied, then each figure and its difference.

    Differences are from the first case; there they are empty.
    """
    places = varied_places(results)
    return tuple(
        (
            *(varied_text(result.case.varied.get(place), place) for place in places),
            *(text for figure in figures for text in _both(figure, results[0], result)),
        )
        for result in results
    )


def day_rows(parts: Sequence[DayPart]) -> tuple[Row, ...]:
    """Returns a row for each interval: when it begins, then `COURSES` in their order."""
    columns = [
        column_texts([_mean(part.figures[course.name]) for part in parts], course.unit)
        for course in COURSES
    ]
    return tuple(zip((minute_text(part.from_min) for part in parts), *columns, strict=True))


def _both(figure: Figure, first: Result, result: Result) -> Row:
    estimated = estimate_text(estimate(figure, result), figure.unit)
    if result is first:
        return estimated, ""
    return estimated, difference_text(difference(figure, first, result), figure.unit)


def _mean(spread: Spread | None) -> float | None:
    return None if spread is None else spread.mean


def empty_table(title: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    """Returns a table with its head: `names` are words, `numbers` stand to the right."""
    table = Table(title=Text(title), title_justify="left")
    for name in names:
        table.add_column(Text(name))
    for name in numbers:
        table.add_column(Text(name), justify="right")
    return table


def _by_word(title: str) -> str:
    return "\n".join(wrap(title, _WORD, break_long_words=False))


def _head(title: str, unit: Unit) -> str:
    return f"{title}\n{unit_text(unit)}"


def _with_difference(estimated: str, differs: str) -> Text:
    cell = Text(estimated)
    if differs:
        cell.append(f"\n{differs}", style="bold" if differs.endswith(MARK) else "")
    return cell


def filled(table: Table, rows: Sequence[Row]) -> Table:
    """Returns the table with these rows; what differs is bold."""
    for row in rows:
        table.add_row(*(Text(cell, style="bold" if cell.endswith(MARK) else "") for cell in row))
    return table
