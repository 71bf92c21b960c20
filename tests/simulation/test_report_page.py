"""The page and its plots: complete, safe to open, readable without eyes, the same every time."""

import ast
import re
import sys
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from math import nan
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from msgspec.structs import replace
from tests.simulation.test_report_tables import long_run, results

import usher.simulation.report as package
from usher.queue.rules import Capacity, ChannelCapacity
from usher.queue.values import Channel
from usher.simulation.distributions import Deterministic, Exponential, LogNormal
from usher.simulation.experiment import Result
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
from usher.simulation.report.page import ReportsMissing, page
from usher.simulation.report.plots import Plot, case_plots, day_plots
from usher.simulation.report.question import (
    GROUP_HEADERS,
    TYPE_HEADERS,
    group_rows,
    type_rows,
)
from usher.simulation.report.summary import COURSE_BY_NAME, day_parts
from usher.simulation.report.tables import comparison_rows, day_rows, figure_rows
from usher.simulation.scenario import Again, Break, ContactType, Gaps, Group, Shift

EVIL = "</title><script>alert('1')</script>\"& --> ]]> $x$ \x00"
VOID = {"meta"}


class Reader(HTMLParser):
    """Reads a page: its elements with attributes, its text, and what is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.wrong: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.wrong += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def named(self, *tags: str) -> list[tuple[str, dict[str, str]]]:
        return [(tag, attributes) for tag, attributes in self.elements if tag in tags]


@cache
def whole_page() -> str:
    return page(results(), "Tuesdays", ("Made-up figures.",))


@cache
def reader() -> Reader:
    return Reader(whole_page())


@cache
def plots() -> dict[str, Plot]:
    return {plot.name: plot for plot in (*day_plots(results()), *case_plots(results()))}


def with_name(result: Result, name: str) -> Result:
    return replace(result, case=replace(result.case, name=name))


def line(label: str, *values: float) -> Line:
    bounds, column = np.arange(len(values) + 1) * 30.0, np.array(values)
    return Line(label=label, bounds_min=bounds, mean=column, low=column, high=column)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Line]]:
    """Lines by the title of their axis, as given to be drawn; nothing is drawn."""
    found: dict[str, list[Line]] = {}

    def keep(lines: list[Line], axis: str, *, is_whole: bool = False) -> str:
        found[axis] = lines
        return "<svg></svg>"

    monkeypatch.setattr("usher.simulation.report.plots.draw_lines", keep)
    return found


def test_every_element_of_the_page_is_closed_in_order() -> None:
    assert [] == reader().wrong
    assert whole_page().startswith("<!doctype html>")


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    without_names = re.sub(r' xmlns(:xlink)?="[^"]*"', "", whole_page())
    for sign in ("://", " src=", "@import", "<script", "<link", "<img", "<iframe", "<object"):
        assert sign not in without_names
    assert [] == re.findall(r"url\((?!#)", without_names)
    addresses = [
        attributes[name]
        for _, attributes in reader().elements
        for name in ("href", "xlink:href")
        if name in attributes
    ]
    assert {"#"} == {address[:1] for address in addresses}


def test_what_the_page_points_at_is_there_once() -> None:
    ids = [attributes["id"] for _, attributes in reader().elements if "id" in attributes]
    assert sorted(set(ids)) == sorted(ids)
    text = whole_page()
    targets = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)|aria-labelledby="([^"]*)"', text)
    pointed = {one for found in targets for one in found if one}
    assert pointed and set() == pointed - set(ids)


def test_everything_that_comes_from_a_name_is_escaped(drawn: dict[str, list[Line]]) -> None:
    scenario = results()[0].case.scenario
    evil = replace(
        scenario,
        title=EVIL,
        types={EVIL: scenario.types["buy"]},
        groups={EVIL: scenario.groups["front"]},
    )
    samples = tuple(replace(one, types={EVIL: one.types["buy"]}) for one in results()[0].samples)
    first = replace(with_name(results()[0], EVIL), samples=samples)
    first = replace(first, case=replace(first.case, scenario=evil))
    told = page((first, with_name(results()[1], EVIL + "2")), EVIL, (EVIL,))
    found = Reader(told)
    assert [] == found.wrong
    assert [] == found.named("script")
    assert "<script" not in told
    assert "\x00" not in told
    assert 1 == len(found.named("title"))
    assert any("<script>alert('1')" in words for words in found.words)


def test_the_page_can_be_read_without_eyes() -> None:
    levels = [int(tag[1]) for tag, _ in reader().named("h1", "h2", "h3", "h4")]
    assert 1 == levels[0] and 1 == levels.count(1)
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert {"col", "row"} == {attributes["scope"] for _, attributes in reader().named("th")}
    drawings = reader().named("svg")
    assert len(plots()) == len(drawings)
    assert {"img"} == {attributes["role"] for _, attributes in drawings}
    assert [plot.alt for plot in plots().values()] == sorted(
        (attributes["aria-label"] for _, attributes in drawings),
        key=[plot.alt for plot in plots().values()].index,
    )
    assert [("html", {"lang": "en"})] == reader().named("html")


def test_the_page_tells_what_was_asked_and_what_came_of_it() -> None:
    words = set(reader().words)
    told = {"Tuesdays", "Made-up figures.", "morning", "plain", "a day, open 09:00-12:00"}
    told |= {"10:00-11:00", "25.00", "exponential, mean 120 s, deviation 120 s", "1 x chat"}
    told |= {cell for row in figure_rows(results()[0]) for cell in row}
    told |= {cell for row in comparison_rows(results()) for cell in row}
    told |= {cell for row in day_rows(day_parts(results()[1])) for cell in row}
    assert set() == told - words
    assert "Types of contact, one more: as in today." in words
    assert "Before you trust the figures" not in words


def test_a_type_of_contact_is_told_with_all_that_is_particular_to_it() -> None:
    after = Deterministic(60)
    visitors = ContactType(
        branch="main",
        service="cards",
        channel=Channel.WALK_IN,
        arrivals=Gaps(gap=Deterministic(90)),
        handling=LogNormal(200, 100),
        walk=Deterministic(20),
        no_show=0.05,
        batch=(0.5, 0.5),
        balking=Exponential(600),
        retrial=Again(share=0.3, after=after),
        redial=Again(share=0.125, after=after),
    )
    scenario = replace(results()[0].case.scenario, types={"visit": visitors})
    (row,) = type_rows(scenario)
    assert len(TYPE_HEADERS) == len(row)
    assert (
        "visit",
        "walk_in",
        "branch main, cards",
        "one after another, gap always 90 s",
        "for ever",
        "lognormal, mean 200 s, deviation 100 s",
        "-",
    ) == row[:-1]
    assert [
        "come in batches",
        "some turn away when told the wait",
        "5% do not show up",
        "walk always 20 s",
        "30% of those who left come again after always 60 s",
        "12.5% of those served in vain call again after always 60 s",
    ] == row[-1].split("; ")


def test_a_group_of_agents_is_told_shift_by_shift() -> None:
    pause = Break(from_min=600, until_min=615)
    shift = Shift(agents=4, from_min=540, until_min=720, breaks=(pause,))
    capacity = Capacity(units=4, channels={Channel.CHAT: ChannelCapacity(price=2, most=3)})
    group = Group(
        capacity=capacity,
        agents=2,
        shifts=(shift,),
        skills={"cards": 5},
        absence=0.08,
        cost_per_hour=1234.5,
    )
    rows = group_rows(replace(results()[0].case.scenario, groups={"front": group}))
    ends = ("2 x chat", "cards 5", "8%", "1,234.50")
    assert (
        ("front", "2", "all the time", "-", *ends),
        ("front", "4", "09:00-12:00", "10:00-10:15", *ends),
    ) == rows
    assert {len(GROUP_HEADERS)} == {len(row) for row in rows}


def test_the_page_warns_before_it_tells() -> None:
    stopped = replace(long_run(), stopped=True, reached=False)
    words = Reader(page((stopped,), "Tuesdays")).words
    warnings = [at for at, each in enumerate(words) if each.startswith(("Stopped", "The wanted"))]
    assert 2 == len(warnings)
    assert max(warnings) < words.index("In short")


def test_colours_of_plots_follow_the_style_of_the_page() -> None:
    drawings = whole_page().split("</style>", 1)[1]
    assert [] == re.findall(r"#[0-9a-f]{6}\b", drawings)
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", whole_page()))
    light, dark = re.findall(r":root\{([^}]*)\}", whole_page())
    for properties in (light, dark):
        assert used <= set(re.findall(r"--([a-z0-9-]+):", properties))


def test_a_page_of_a_long_run_has_no_day() -> None:
    words = Reader(page((long_run(),), "Long")).words
    assert "Through the day" not in words
    assert "10 batches, 95% confidence intervals." in words


def test_a_page_of_nothing_finished_says_so() -> None:
    nothing = replace(long_run(), samples=(), numbers=(), stopped=True)
    told = Reader(page((nothing, long_run()), "Tuesdays"))
    assert "long: no replication was finished, there are no figures." in told.words
    assert [] == told.wrong


def test_without_matplotlib_the_page_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in ("plots", "drawing"):
        monkeypatch.delitem(sys.modules, f"usher.simulation.report.{name}")
        monkeypatch.delattr(package, name)
    with pytest.raises(ReportsMissing, match=r'pip install "usher-router\[reports\]"'):
        page(results(), "Tuesdays")


def test_only_drawings_import_matplotlib_and_the_page_only_when_it_is_made() -> None:
    folder = Path(page.__code__.co_filename).parent
    trees = {path.stem: ast.parse(path.read_text()) for path in folder.glob("*.py")}
    importers = {
        (name, node.module or "")
        for name, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
    }
    assert {"drawing"} == {name for name, module in importers if module.startswith("matplotlib")}
    assert {"plots"} == {name for name, module in importers if module.endswith(".drawing")}
    assert set() == {name for name, module in importers if module.endswith(".plots")}


def test_two_calls_draw_the_same() -> None:
    for plot in plots().values():
        assert inline_svg(plot.svg, plot.name, plot.alt) in whole_page()


def test_a_drawing_is_not_of_the_taste_of_its_user_and_leaves_it_alone() -> None:
    expected = draw_lines([line("one", 1.0, 2.0)], "wait (s)")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
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
