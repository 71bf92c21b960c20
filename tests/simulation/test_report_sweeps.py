"""Reports of a sweep: its table, curves and page; and what fits into a terminal of 80 columns."""

import io
from collections.abc import Sequence
from functools import cache

import pytest
from msgspec.structs import replace
from rich.console import Console
from tests.simulation.report_kit import Reader
from tests.simulation.test_report_tables import POLICY, assert_tells, day, results
from tests.simulation.test_sweeps import AGENTS

from usher.simulation import planner
from usher.simulation.experiment import Case, Plan, Result
from usher.simulation.figures import difference_of, figure_named, interval_of
from usher.simulation.report.curves import POINTS_MOST, sweep_plots
from usher.simulation.report.drawing import LINES_MOST, Curve
from usher.simulation.report.sweep_page import sweep_page
from usher.simulation.report.tables import FINDINGS_MOST, day_table, show_sweep, sweep_rows

FIGURES = tuple(map(figure_named, ("service_level", "mean_wait", "abandoned", "agent_hours")))
COUNTS = "types.buy.arrivals.counts (factor)"

_Panels = Sequence[tuple[str, Sequence[Curve]]]


@cache
def swept() -> tuple[Result, ...]:
    """Returns 3 agents as it stands, then 2 and 4."""
    case = Case("today", day(3), POLICY)
    return planner.sweep(case, {AGENTS: "2..4"}, Plan(replications=4), processes=1).results


def with_varied(*varied: dict[str, str | int | float]) -> tuple[Result, ...]:
    """Returns as many results, alike but for what they say was varied."""
    first = swept()[0]
    return tuple(
        replace(first, case=replace(first.case, name=str(one), varied=one)) for one in varied
    )


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch) -> list[tuple[_Panels, str, Sequence[str]]]:
    """What is given to be drawn as curves; nothing is drawn."""
    found: list[tuple[_Panels, str, Sequence[str]]] = []

    def keep(drawn: _Panels, axis: str, names: Sequence[str]) -> str:
        found.append((drawn, axis, names))
        return "<svg></svg>"

    monkeypatch.setattr("usher.simulation.report.curves.draw_curves", keep)
    monkeypatch.setattr("usher.simulation.report.plots.draw_points", lambda *_: "<svg></svg>")
    return found


def shown(told: Sequence[Result], width: int = 80) -> str:
    text = io.StringIO()
    show_sweep(told, FIGURES, Console(file=text, width=width))
    return text.getvalue()


def test_a_case_is_a_row_of_figures_and_differences_from_the_first() -> None:
    rows = sweep_rows(swept(), FIGURES)
    assert ["3", "2", "4"] == [row[0] for row in rows]
    assert {""} == set(rows[0][2::2])
    for result, (_, *cells) in zip(swept()[1:], rows[1:], strict=True):
        for place, figure in enumerate(FIGURES):
            expected = interval_of(figure, result.samples)
            assert_tells(expected, figure.unit, cells[2 * place])
            differs = difference_of(figure, swept()[0].samples, result.samples)
            assert_tells(differs, figure.unit, cells[2 * place + 1])


def test_the_table_of_a_sweep_fits_into_80_columns() -> None:
    told = shown(swept())
    assert "…" not in told
    assert f"figures by {AGENTS}" in told
    assert "4 replications, 95% confidence intervals" in told


def test_of_what_a_reader_must_know_the_first_sentences_are_shown() -> None:
    few = [replace(one, samples=one.samples[:1], numbers=(0,)) for one in swept()] * 3
    told = " ".join(shown(few).split())
    assert FINDINGS_MOST == told.count("tells nothing about chance")
    assert "and 4 more like these, in the page and the JSON" in told


def test_the_table_by_interval_fits_into_80_columns() -> None:
    text = io.StringIO()
    Console(file=text, width=80).print(day_table(results()[0]))
    told = text.getvalue()
    assert "…" not in told
    for word in ("contacts", "service", "median", "abandoned", "occupancy", "signed"):
        assert word in told
    assert max(map(len, told.splitlines())) <= 80


def test_a_curve_ascends_by_what_was_varied(
    panels: list[tuple[_Panels, str, Sequence[str]]],
) -> None:
    sweep_plots(swept(), FIGURES)
    ((drawn, axis, names),) = panels
    assert ("agents", (), len(FIGURES)) == (axis, names, len(drawn))
    (curve,) = drawn[3][1]
    assert (2.0, 3.0, 4.0) == curve.x
    order = [swept()[1], swept()[0], swept()[2]]
    means = [interval_of(FIGURES[3], result.samples) for result in order]
    assert [pytest.approx(one.mean) for one in means if one] == [each.mean for each in curve.y]


def test_of_two_places_the_first_gives_the_curves(
    panels: list[tuple[_Panels, str, Sequence[str]]],
) -> None:
    grid = [{AGENTS: agents, COUNTS: one} for agents in (2, 4) for one in (0.9, 1.0, 1.1)]
    sweep_plots(with_varied({AGENTS: 3, COUNTS: 1.0}, *grid), FIGURES)
    ((drawn, axis, _),) = panels
    assert "counts (factor)" == axis
    assert [("agents=2", (0.9, 1.0, 1.1)), ("agents=4", (0.9, 1.0, 1.1))] == [
        (curve.label, curve.x) for curve in drawn[0][1]
    ]
    many = [{AGENTS: agents, COUNTS: one} for agents in range(LINES_MOST + 1) for one in (1, 2)]
    sweep_plots(with_varied(*many), FIGURES)
    assert 1 == len(panels), "more curves than can be told apart are none"


def test_values_that_are_no_numbers_have_their_names(
    panels: list[tuple[_Panels, str, Sequence[str]]],
) -> None:
    place = "policy.queues.buy.rank"
    sweep_plots(with_varied(*({place: one} for one in ("live", "absolute", "deferred"))), FIGURES)
    ((drawn, axis, names),) = panels
    assert ("rank", ("live", "absolute", "deferred")) == (axis, names)
    assert (0.0, 1.0, 2.0) == drawn[0][1][0].x


def test_durations_are_drawn_in_seconds(
    panels: list[tuple[_Panels, str, Sequence[str]]],
) -> None:
    place = "policy.queues.buy.head_start_ms"
    sweep_plots(with_varied(*({place: one} for one in (0, 30_000, 90_000))), FIGURES)
    ((drawn, axis, _),) = panels
    assert ("head_start (s)", (0.0, 30.0, 90.0)) == (axis, drawn[0][1][0].x)


def test_there_is_a_trade_off_of_as_many_cases_as_can_be_named(
    panels: list[tuple[_Panels, str, Sequence[str]]],
) -> None:
    cases = with_varied(*({AGENTS: one} for one in range(POINTS_MOST + 1)))
    assert ["curves", "trade_off"] == [plot.name for plot in sweep_plots(cases[:-1], FIGURES)]
    assert ["curves"] == [plot.name for plot in sweep_plots(cases, FIGURES)]
    assert panels


def test_the_page_of_a_sweep_holds_its_table_and_plots() -> None:
    told = Reader(sweep_page(swept(), FIGURES, "Agents", ("Made-up figures.",)))
    assert [] == told.wrong
    words = set(told.words)
    cells = {cell for row in sweep_rows(swept(), FIGURES) for cell in row if cell}
    expected = {"Agents", "Made-up figures.", AGENTS, "What changes with agents", *cells}
    assert set() == expected - words
    assert 2 == len(told.named("svg"))
