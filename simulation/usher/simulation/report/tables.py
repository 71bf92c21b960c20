"""Tables for the terminal: the figures of a case, its day by intervals, its distance from another.

Names are shown as they are, never read as markup. It must not know files or plots.
"""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from usher.router.branch_policy import minute_text
from usher.simulation.experiment import Result
from usher.simulation.figures import ALL, FIGURES
from usher.simulation.report.summary import (
    COURSES,
    DayPart,
    Spread,
    check_results,
    day_parts,
    differences_of,
    estimate,
    has_figure,
    is_day,
    types_of,
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

Row = tuple[str, ...]


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


def figures_table(result: Result) -> Table:
    """Returns the figures of a case: of all types together and of each, with half-widths."""
    table = empty_table(result.case.name, ("figure", "unit"), types_of(result))
    return filled(table, figure_rows(result))


def day_table(result: Result) -> Table:
    """Returns the intervals of a day; without any row for a long run.

    Figures are sums over replications, so a share is of all contacts. They stand where contacts
    come, not where they are answered.
    """
    heads = [f"{course.title}\n{unit_text(course.unit)}" for course in COURSES]
    table = empty_table(f"{result.case.name} by interval", ("from",), heads)
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


def day_rows(parts: Sequence[DayPart]) -> tuple[Row, ...]:
    """Returns a row for each interval: when it begins, then `COURSES` in their order."""
    columns = [
        column_texts([_mean(part.figures[course.name]) for part in parts], course.unit)
        for course in COURSES
    ]
    return tuple(zip((minute_text(part.from_min) for part in parts), *columns, strict=True))


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


def filled(table: Table, rows: Sequence[Row]) -> Table:
    """Returns the table with these rows; what differs is bold."""
    for row in rows:
        table.add_row(*(Text(cell, style="bold" if cell.endswith(MARK) else "") for cell in row))
    return table
