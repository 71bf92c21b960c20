"""The page: complete, safe to open, readable without eyes, the same every time."""

import ast
import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.simulation.branch_worlds import branches, clerks, policy, visit, visitors
from tests.simulation.report_kit import (
    EVIL,
    Reader,
    plots,
    reader,
    whole_page,
    with_name,
)
from tests.simulation.test_report_tables import long_run, results

import usher.simulation.report as package
from usher.queue.rules import Capacity, ChannelCapacity
from usher.queue.values import Channel
from usher.simulation.distributions import Deterministic, Exponential, LogNormal
from usher.simulation.experiment import Case
from usher.simulation.report.drawing import (
    Line,
)
from usher.simulation.report.page import ReportsMissing, page
from usher.simulation.report.question import (
    GROUP_HEADERS,
    TYPE_HEADERS,
    case_rows,
    group_rows,
    type_rows,
)
from usher.simulation.report.summary import day_parts
from usher.simulation.report.tables import comparison_rows, day_rows, figure_rows
from usher.simulation.scenario import (
    Again,
    Break,
    ContactType,
    Desks,
    Gaps,
    Group,
    Shift,
    Steady,
)


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
    told |= {
        "09:00-12:00",
        "10:00-11:00",
        "queue buy",
        "queue ask",
        "exponential, mean 120 s, deviation 120 s",
        "1 x chat",
    }
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


def test_a_branch_is_told_with_its_hours_and_desks() -> None:
    desks = (Desks(branch="main", count=3), Desks(branch="main", count=1, services=("cash",)))
    scenario = visit(visitors(0), clerks(), desks=desks)
    case = Case("branch", scenario, policy(), branches((540, 720), (780, 1020)))
    told = ("Branch", "main: open 09:00-12:00, 13:00-17:00 (mon), 4 desks")
    assert told in case_rows(case)
    alone = replace(case, scenario=replace(scenario, desks=(), horizon=Steady()))
    assert ("Branch", "main: always open, 1 desk") in case_rows(alone)


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
    drawn = {name for name, module in importers if module.endswith(".drawing")}
    assert {"plots", "curves", "staffing_page"} == drawn
    plotted = {name for name, module in importers if module.endswith(".plots")}
    assert {"curves", "staffing_page"} == plotted
    assert set() == {name for name, module in importers if module.endswith(".curves")}
