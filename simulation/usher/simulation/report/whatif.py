"""What a replay of a recorded day tells: beside what was recorded, and who fared worst, why.

Rows of text for the terminal and the page, and plain values for JSON. It must not know files.
"""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from usher.simulation.experiment import Result
from usher.simulation.figures import ALL, FIGURES, Unit, figure_named
from usher.simulation.report.markup import Markup, element, listing, paragraph, table, text
from usher.simulation.report.standings import clock_text, length_text, standing_text
from usher.simulation.report.summary import difference, estimate, figures_of, types_of
from usher.simulation.report.tables import empty_table, filled
from usher.simulation.report.wording import (
    difference_text,
    estimate_text,
    figure_title,
    unit_text,
)
from usher.simulation.studies.fared import Doing, Fared, Seen

Row = tuple[str, ...]

BY_TYPE = ("service_level", "abandoned", "mean_wait")
_MONEY = ("cost", "cost_per_contact")
FARED_HEADERS: Row = ("contact", "type", "came", "recorded", "first", "second", "difference (s)")


class Told:
    """Recorded day and replays under two policies, as rows."""

    def __init__(self, recorded: Result, first: Result, second: Result) -> None:
        self._recorded = recorded
        self._first = first
        self._second = second

    @property
    def headers(self) -> Row:
        """Returns the heads of the tables of figures."""
        names = (self._first.case.name, self._second.case.name)
        return ("recorded", f"replayed: {names[0]}", f"replayed: {names[1]}", "difference")

    @property
    def fared_title(self) -> str:
        """Returns what the table of the worst shows."""
        names = (self._first.case.name, self._second.case.name)
        return f"fared worst: first = {names[0]}, second = {names[1]}"

    def figure_rows(self) -> list[Row]:
        """Returns a row for each figure of all contacts."""
        target = self._first.case.scenario.target
        return [
            (figure_title(one, target), unit_text(one.unit), *self._cells(one.name, ALL))
            for one in FIGURES
            if one.name not in _MONEY
        ]

    def type_rows(self, name: str) -> list[Row]:
        """Returns one figure by type of contact."""
        types = [one for one in types_of(self._first) if one != ALL]
        return [(kind, *self._cells(name, kind)) for kind in types]

    def type_title(self, name: str) -> str:
        """Returns what a table by type shows."""
        figure = figure_named(name)
        title = figure_title(figure, self._first.case.scenario.target)
        return f"{title} by type ({unit_text(figure.unit)})"

    def values(self) -> dict[str, object]:
        """Returns what was recorded, by type and figure."""
        kinds = types_of(self._recorded)
        return {"recorded": {kind: figures_of(self._recorded, kind) for kind in kinds}}

    def _cells(self, name: str, kind: str) -> Row:
        figure = figure_named(name)
        sides = (self._recorded, self._first, self._second)
        found = [estimate_text(estimate(figure, one, kind), figure.unit) for one in sides]
        other = difference(figure, self._first, self._second, kind)
        return (*found, difference_text(other, figure.unit))


def show(told: Told, worst: Sequence[Fared], notes: Iterable[str], console: Console) -> None:
    """Prints all tables, who fared worst and why, and what to know."""
    console.print(
        filled(empty_table("the day", ("figure", "unit"), told.headers), told.figure_rows())
    )
    for name in BY_TYPE:
        rows = told.type_rows(name)
        console.print(filled(empty_table(told.type_title(name), ("type",), told.headers), rows))
    if worst:
        names, numbers = FARED_HEADERS[:3], FARED_HEADERS[3:]
        console.print(filled(empty_table(told.fared_title, names, numbers), fared_rows(worst)))
        for each in worst:
            console.print(Text(each.contact.contact_id))
            for line in why_lines(each):
                console.print(Padding(Text(line), (0, 0, 0, 4), expand=False))
    else:
        console.print(NOBODY_WORSE)
    for note in notes:
        console.print(Text(note))


NOBODY_WORSE = "No contact waits longer under the second policy, on average over replications."


def sections(told: Told, worst: Sequence[Fared]) -> list[tuple[str, str, Markup]]:
    """Returns sections of a page: (name, heading, content)."""
    figures = table("All contacts", ("figure", "unit", *told.headers), told.figure_rows(), words=2)
    types = [
        table(told.type_title(name), ("type", *told.headers), told.type_rows(name))
        for name in BY_TYPE
    ]
    return [
        ("recorded", "Recorded and replayed", Markup("".join([figures, *types]))),
        ("worst", "Who fared worst", _fared_markup(told, worst)),
    ]


def _fared_markup(told: Told, worst: Sequence[Fared]) -> Markup:
    if not worst:
        return paragraph(NOBODY_WORSE)
    parts = [table(told.fared_title, FARED_HEADERS, fared_rows(worst), words=3)]
    for each in worst:
        parts.append(element("h3", text(each.contact.contact_id)))
        parts.append(listing(why_lines(each)))
    return Markup("".join(parts))


def fared_rows(worst: Sequence[Fared]) -> list[Row]:
    """Returns a row under `FARED_HEADERS` for each."""
    return [
        (
            each.contact.contact_id,
            each.contact.type,
            clock_text(each.contact.at_ms),
            f"{length_text(each.contact.waited_ms)}{_recorded_end(each)}",
            f"{estimate_text(each.first_wait, Unit.SECONDS)} s{_left_text(each.first_left)}",
            f"{estimate_text(each.second_wait, Unit.SECONDS)} s{_left_text(each.second_left)}",
            difference_text(each.difference, Unit.SECONDS),
        )
        for each in worst
    ]


def _recorded_end(each: Fared) -> str:
    if each.contact.left:
        return ", left"
    return "" if each.contact.work is not None else ", open"


def _left_text(share: float) -> str:
    return f", {share * 100:.0f}% left" if share else ""


def why_lines(each: Fared) -> list[str]:
    """Returns what was seen of a contact in the replication most like the mean, in sentences."""
    seen = each.seen
    if seen is None:
        return []
    waits = (length_text(seen.first_wait_ms), length_text(seen.second_wait_ms))
    lines = [f"In replication {seen.replication} it waited {waits[0]}, then {waits[1]}."]
    lines += [f"At {clock_text(one.at_ms)}: {standing_text(one)}." for one in seen.standings]
    return [*lines, *_taken_lines(seen)]


def _taken_lines(seen: Seen) -> list[str]:
    if seen.taken_by is None or seen.doing is None:
        return []
    when = clock_text(seen.doing.at_ms)
    return [
        f"Under the first policy {seen.taken_by} answered it at {when}; under the second "
        f"{seen.taken_by} {_doing_text(seen.doing)}."
    ]


def _doing_text(doing: Doing) -> str:
    had = ", ".join(
        f"{contact_id} of queue {queue} since {clock_text(since_ms)}"
        for contact_id, queue, since_ms in doing.contacts
    )
    away = f"was away ({doing.away})" if doing.away else ""
    if not had:
        return f"then {away or 'had nothing'}"
    return f"then {away + ' and ' if away else ''}had {had}"


def as_values(
    worst: Sequence[Fared], left_out: Mapping[str, int], notes: Sequence[str]
) -> dict[str, object]:
    """Returns what JSON holds beside the figures of the cases."""
    return {
        "left_out": dict(left_out),
        "notes": list(notes),
        "worst": [
            {
                "contact_id": each.contact.contact_id,
                "type": each.contact.type,
                "came_ms": each.contact.at_ms,
                "recorded_wait_ms": each.contact.waited_ms,
                "recorded_left": each.contact.left,
                "first_wait_s": each.first_wait,
                "second_wait_s": each.second_wait,
                "difference_s": each.difference,
                "first_left": each.first_left,
                "second_left": each.second_left,
                "seen": each.seen,
                "why": why_lines(each),
            }
            for each in worst
        ],
    }
