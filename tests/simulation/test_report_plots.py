"""The plots of a page: what they show, where, and how it is named."""

import re
from math import nan

import matplotlib as mpl
import numpy as np
import pytest
from msgspec.structs import replace
from tests.simulation.report_kit import line, plots, whole_page, with_name
from tests.simulation.test_report_tables import long_run, results

from usher.simulation.figures import figure_named, interval_of
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
from usher.simulation.report.markup import inline_svg
from usher.simulation.report.plots import case_plots, comparison_plot, day_plots
from usher.simulation.report.summary import COURSE_BY_NAME, day_parts


def test_two_calls_draw_the_same() -> None:
    for plot in plots().values():
        assert inline_svg(plot.svg, plot.name, plot.alt) in whole_page()


def test_a_drawing_is_not_of_the_taste_of_its_user_and_leaves_it_alone() -> None:
    expected = draw_lines([line("one", 1.0, 2.0)], "wait (s)")
    with mpl.rc_context({"font.size": 30, "xtick.major.size": 30, "svg.fonttype": "path"}):
        before = dict(mpl.rcParams)
        assert expected == draw_lines([line("one", 1.0, 2.0)], "wait (s)")
        assert before == dict(mpl.rcParams)


def test_there_is_a_plot_of_each_question() -> None:
    day = ["arrivals", "service_level", "waits", "abandoned", "queue", "on_duty", "occupancy"]
    assert [*day, "comparison", "trade_off"] == list(plots())
    assert () == case_plots(results()[:1])
    assert () == day_plots((long_run(),))


def test_axes_tell_their_units_and_the_time_of_day() -> None:
    axes = {
        "arrivals": "contacts per 30 min",
        "service_level": "service level (%)",
        "waits": "wait (s)",
        "abandoned": "abandoned (%)",
        "queue": "contacts waiting",
        "on_duty": "agents signed in",
        "occupancy": "occupancy (%)",
        "comparison": "mean wait (s)",
        "trade_off": "cost (money)",
    }
    for name, axis in axes.items():
        assert f">{axis}</text>" in plots()[name].svg
    for name in list(axes)[:7]:
        assert ">09:30</text>" in plots()[name].svg
        assert ">time of day</text>" in plots()[name].svg


def test_a_line_goes_where_the_figures_are() -> None:
    means = [each.mean for part in day_parts(results()[0]) if (each := part.figures["occupancy"])]
    drawn = line_heights(plots()["occupancy"].svg, "#0072b2")
    assert len(means) == len(drawn)
    assert pytest.approx(-1, abs=1e-6) == np.corrcoef(means, drawn)[0, 1]
    steps = line_heights(plots()["on_duty"].svg, "#0072b2")
    assert [3, 3, 4, 4, 3, 3] == [
        round(3 + (steps[0] - each) / rise(steps)) for each in levels(steps)
    ]


def line_heights(svg: str, colour: str) -> list[float]:
    """Returns the heights of the corners of the line of this colour, from the top."""
    paths = re.findall(rf'<path d="([^"]*)"[^>]*style="fill: none; stroke: {colour}', svg)
    return [float(y) for y in re.findall(r"[ML] \S+ (\S+)", max(paths, key=len))]


def rise(steps: list[float]) -> float:
    return max(steps) - min(steps)


def levels(steps: list[float]) -> list[float]:
    """Returns one height for each interval of a flight of stairs, bounds drawn twice."""
    return steps[:-1:2]


def test_one_case_shows_percentiles_of_waits_and_several_show_their_means(
    drawn: dict[str, list[Line]],
) -> None:
    day_plots(results()[:1])
    waits = {line.label: line.mean.tolist() for line in drawn["wait (s)"]}
    parts = day_parts(results()[0])
    for course in (COURSE_BY_NAME[name] for name in ("mean_wait", "wait_p50", "wait_p90")):
        means = [spread.mean for part in parts if (spread := part.figures[course.name])]
        assert means == waits[course.title]
    day_plots(results())
    assert ["today", "one more"] == [line.label for line in drawn["wait (s)"]]


def test_of_many_cases_the_first_few_are_drawn_through_the_day(
    drawn: dict[str, list[Line]],
) -> None:
    many = [with_name(results()[0], f"case {place}") for place in range(LINES_MOST + 2)]
    plot = day_plots(many)[0]
    assert "The first 4 of 6 cases." in plot.caption
    assert "band" not in plot.caption
    lines = drawn["contacts per 30 min"]
    assert ["case 0", "case 1", "case 2", "case 3"] == [line.label for line in lines]
    assert {False} == {line.with_band for line in lines}


def test_shares_are_drawn_as_per_cent_with_a_band(drawn: dict[str, list[Line]]) -> None:
    plots = day_plots(results()[:1])
    (line,) = drawn["service level (%)"]
    spread = day_parts(results()[0])[2].figures["service_level"]
    assert spread is not None and spread.low is not None and spread.high is not None
    expected = (100 * spread.mean, 100 * spread.low, 100 * spread.high)
    assert pytest.approx(expected) == (line.mean[2], line.low[2], line.high[2])
    assert line.with_band and "band of a line" in plots[1].caption
    assert [540, 570, 600, 630, 660, 690, 720] == line.bounds_min.tolist()


def test_words_in_a_plot_are_escaped_and_never_formulas() -> None:
    name = "<b> $x$ & \x00"
    drawings = (
        draw_lines([line(name, 1.0), line("_other", 2.0)], "wait (s)"),
        draw_panels([("wait (s)", [Dot(name, Range(1, 0, 2))])]),
        draw_points([Point(name, Range(1, 0, 2), Range(1, 0, 2))], "cost", "wait (s)"),
    )
    for svg in drawings:
        assert "&lt;b&gt; $x$ &amp; \ufffd</text>" in svg
        assert "<b>" not in svg and "\x00" not in svg
    assert ">_other</text>" in drawings[0]


def test_letters_that_the_measuring_font_lacks_are_drawn_without_complaint() -> None:
    assert ">店舗</text>" in draw_panels([("wait (s)", [Dot("店舗", Range(1, 0, 2))])])


def test_cases_are_compared_by_dots_that_tell_what_may_be_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: dict[str, list[Dot]] = {}

    def keep(panels: list[tuple[str, list[Dot]]]) -> str:
        found.update(panels)
        return "<svg></svg>"

    monkeypatch.setattr("usher.simulation.report.plots.draw_panels", keep)
    again = with_name(results()[0], "the same")
    comparison_plot((*results(), again))
    assert "cost (money)" in found
    level = found["service level (%)"]
    assert ["today", "one more", "the same"] == [dot.label for dot in level]
    assert [False, True, False] == [dot.filled for dot in found["occupancy (%)"]]
    expected = interval_of(figure_named("service_level"), results()[1].samples)
    assert expected is not None and expected.low is not None and expected.high is not None
    assert level[1].range is not None
    assert pytest.approx(100 * expected.mean) == level[1].range.mean
    assert pytest.approx(100 * expected.low) == level[1].range.low
    assert pytest.approx(100 * expected.high) == level[1].range.high
    free = replace(results()[0].samples[0].staff, cost=0.0)
    samples = tuple(replace(one, staff=free) for one in results()[0].samples)
    comparison_plot([replace(one, samples=samples) for one in results()])
    assert "agent hours (h)" in found


def test_a_long_name_keeps_its_end() -> None:
    dots = [Dot(f"a name that is far too long for a plot {end}", Range(1, 0, 2)) for end in "ab"]
    svg = draw_panels([("wait (s)", dots)])
    assert ["a name that is fa…r a plot a", "a name that is fa…r a plot b"] == re.findall(
        r">(a name[^<]*)<", svg
    )


def test_a_hollow_dot_may_be_chance() -> None:
    hollow, filled = (
        draw_panels([("wait (s)", [Dot("one", Range(1, 0, 2)), Dot("two", Range(2, 1, 3), far)])])
        for far in (False, True)
    )
    assert 1 == filled.count('style="fill: #0072b2; stroke: #0072b2') - hollow.count(
        'style="fill: #0072b2; stroke: #0072b2'
    )


def test_what_has_no_data_leaves_a_gap() -> None:
    drawing = draw_lines([line("one", 1.0, 2.0, nan, 4.0, 5.0)], "wait (s)")
    paths = re.findall(r'<path d="([^"]*)"[^>]*style="fill: none; stroke: #0072b2', drawing)
    assert "MLML" == re.sub("[^ML]", "", max(paths, key=len))
    empty = replace(line("one", nan, nan), with_band=True)
    assert "wait (s)" in draw_lines([empty], "wait (s)")


def test_points_at_one_place_are_named_beside_each_other() -> None:
    points = [Point(name, Range(1, 1, 1), Range(2, 2, 2)) for name in ("one", "two", "three")]
    svg = draw_points(points, "agent hours (h)", "service level (%)")
    places = re.findall(r'x="(\S+)" y="(\S+)"[^>]*>(one|two|three)<', svg)
    assert {"one", "two", "three"} == {name for _, _, name in places}
    assert 3 == len({(x, y) for x, y, _ in places})


def test_too_many_lines_are_refused() -> None:
    with pytest.raises(ValueError, match="found 0 lines, expected 1 to 4"):
        draw_lines([], "wait (s)")
