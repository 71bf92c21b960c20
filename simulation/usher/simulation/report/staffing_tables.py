"""A proposed staffing in the terminal. It must not know files or plots."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from usher.simulation.experiment import Case, Result
from usher.simulation.figures import figure_named
from usher.simulation.proposal import TODAY, Proposal
from usher.simulation.report.staffing import (
    COMPARED,
    MISSES_MEANS,
    SHIFT_HEADERS,
    compared_names,
    goal_headers,
    goal_rows,
    interval_headers,
    interval_rows,
    named,
    sentences,
    shift_rows,
    warnings,
)
from usher.simulation.report.tables import Row, comparison_rows, rows_table
from usher.simulation.report.wording import basis_text, findings, mark_text


def show(proposal: Proposal, today: Case, results: Sequence[Result], console: Console) -> None:
    """Prints the proposal; `results` may be empty, if it was stopped before they were made."""
    scenario = today.scenario
    headers = interval_headers(proposal, scenario, results)
    rows = interval_rows(proposal, scenario, results)
    console.print(rows_table("agents by interval", headers, rows, words=1))
    if results:
        targets = goal_rows(proposal, scenario.target, results)
        console.print(rows_table("targets", goal_headers(proposal), targets, words=3))
        basis = f"{basis_text(results[0])}, on days that the search has not seen"
        console.print(f"{basis}; {MISSES_MEANS}", highlight=False)
    if shifts := shift_rows(proposal):
        console.print(rows_table("shifts", SHIFT_HEADERS, shifts, words=1))
    compared = [one for name in compared_names(proposal) if (one := named(results, name))]
    if len(compared) > 1 and compared[0].case.name == TODAY:
        _show_cost(compared, console)
    for sentence in sentences(proposal, results):
        console.print(sentence, highlight=False, markup=False)
    for finding in (*warnings(proposal, results), *findings(compared)):
        console.print(Text(finding, style="bold"))


def _show_cost(compared: Sequence[Result], console: Console) -> None:
    rows = cost_rows(compared)
    headers = ("figure", "unit", *(one.case.name for one in compared[1:]))
    console.print(rows_table(f"difference from {TODAY}", headers, rows, words=2))
    console.print(mark_text(compared[0]), highlight=False)


def cost_rows(compared: Sequence[Result]) -> tuple[Row, ...]:
    """Returns what each case has more than the first: hours, cost, contacts answered, value."""
    titles = {figure_named(name).title for name in COMPARED}
    return tuple(row for row in comparison_rows(compared) if row[0] in titles)
