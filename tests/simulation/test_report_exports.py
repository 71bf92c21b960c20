"""Exports of results: what other programs read is what the figures are, and nothing is lost."""

import csv
import io
import json
from typing import Any

import pytest
from msgspec.structs import replace
from tests.simulation.test_report_tables import REPLICATIONS, long_run, results

from usher.simulation.experiment import Result
from usher.simulation.figures import ALL, FIGURES, difference_of, figure_named, interval_of
from usher.simulation.report.exports import (
    DAY_COLUMNS,
    FIGURE_COLUMNS,
    as_csv,
    as_json,
    day_as_csv,
    figure_columns,
)
from usher.simulation.report.summary import COURSES, day_parts
from usher.simulation.report.tables import figure_rows

TYPES = ("buy", "ask")


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    told: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return told


def alone() -> Result:
    """Returns a case with one replication, so without intervals."""
    first = results()[0]
    return replace(first, samples=first.samples[:1], numbers=first.numbers[:1])


def test_a_line_of_csv_is_a_figure_of_a_type_of_a_case() -> None:
    told = lines(as_csv(results()))
    of_contacts = [figure for figure in FIGURES if not figure.of_staff]
    assert 2 * (len(FIGURES) + len(TYPES) * len(of_contacts)) == len(told)
    assert list(FIGURE_COLUMNS) == list(told[0])
    by_name = {result.case.name: result for result in results()}
    for line in told:
        figure = figure_named(line["figure"])
        expected = interval_of(figure, by_name[line["case"]].samples, line["type"])
        assert expected is not None
        bounds = tuple(float(line[name]) for name in ("mean", "low", "high"))
        assert (expected.mean, expected.low, expected.high) == bounds
        assert (figure.unit.value, "0.95") == (line["unit"], line["confidence"])
        assert str(REPLICATIONS) == line["samples"]


def test_a_figure_has_the_title_of_the_terminal() -> None:
    told = {line["title"] for line in lines(as_csv(results()))}
    assert {row[0] for row in figure_rows(results()[0])} == told
    assert "service level of_offered, within 20 s" in told
    assert (
        "service level of_offered, within 20 s"
        == (read(as_json(results()))["figures"]["service_level"]["title"])
    )
    assert {course.title for course in COURSES} == {
        line["title"] for line in lines(day_as_csv(results()))
    }


def test_a_line_of_another_case_tells_its_difference_from_the_first() -> None:
    told = lines(as_csv(results()))
    names = ("difference", "difference_low", "difference_high")
    assert {""} == {line[name] for line in told for name in names if line["case"] == "today"}
    line = next(
        line
        for line in told
        if (line["case"], line["type"], line["figure"]) == ("one more", "ask", "abandoned")
    )
    samples = (results()[0].samples, results()[1].samples)
    expected = difference_of(figure_named("abandoned"), *samples, type_name="ask")
    assert expected is not None
    assert (expected.mean, expected.low, expected.high) == tuple(
        float(line[name]) for name in names
    )


def test_an_interval_of_the_day_is_a_line_for_each_figure() -> None:
    told = lines(day_as_csv(results()))
    assert list(DAY_COLUMNS) == list(told[0])
    assert 2 * 6 * len(COURSES) == len(told)
    line = next(
        line
        for line in told
        if (line["case"], line["from"], line["figure"]) == ("one more", "10:30", "mean_wait")
    )
    spread = day_parts(results()[1])[3].figures["mean_wait"]
    assert spread is not None
    assert ("11:00", "s") == (line["until"], line["unit"])
    assert (spread.mean, spread.low, spread.high) == tuple(
        float(line[name]) for name in ("mean", "p5", "p95")
    )


def test_a_long_run_has_no_lines_by_interval() -> None:
    assert [] == lines(day_as_csv((long_run(),)))


def test_what_is_not_known_is_an_empty_field_and_null() -> None:
    line = lines(as_csv((alone(),)))[0]
    assert ("", "") == (line["low"], line["high"])
    mean_wait = read(as_json((alone(),)))["cases"][0]["figures"][ALL]["mean_wait"]
    assert (None, None) == (mean_wait["low"], mean_wait["high"])
    nothing = replace(alone(), samples=(), numbers=())
    assert "" == lines(as_csv((nothing,)))[0]["mean"]
    assert read(as_json((nothing,)))["cases"][0]["figures"][ALL]["mean_wait"] is None


def test_names_come_back_from_csv_as_they_were() -> None:
    name = 'a "b", c\nd; é'
    told = replace(results()[0], case=replace(results()[0].case, name=name))
    assert {name} == {line["case"] for line in lines(as_csv((told,)))}
    assert {name} == {line["case"] for line in lines(day_as_csv((told,)))}
    assert name == read(as_json((told,)))["cases"][0]["name"]


def test_json_holds_the_figures_of_each_case_and_type() -> None:
    told = read(as_json(results()))
    assert ["today", "one more"] == [case["name"] for case in told["cases"]]
    for result, case in zip(results(), told["cases"], strict=True):
        assert [ALL, *TYPES] == list(case["figures"])
        for type_name, figures in case["figures"].items():
            for name, found in figures.items():
                expected = interval_of(figure_named(name), result.samples, type_name)
                assert expected is not None
                assert (expected.mean, expected.low, expected.high) == (
                    found["mean"],
                    found["low"],
                    found["high"],
                )
                assert (0.95, REPLICATIONS) == (found["confidence"], found["count"])
        assert {"level": "of_offered", "threshold_ms": 20000, "short_abandon_ms": 5000} == (
            case["target"]
        )
    assert (0.95, []) == (told["confidence"], told["findings"])


def test_json_tells_the_unit_of_every_figure() -> None:
    told = read(as_json(results()))
    assert {figure.name: figure.unit.value for figure in FIGURES} == {
        name: figure["unit"] for name, figure in told["figures"].items()
    }
    assert {course.name for course in COURSES} == set(told["day_figures"])


def test_json_holds_differences_from_the_first_case() -> None:
    first, second = read(as_json(results()))["cases"]
    assert first["difference"] is None
    samples = (results()[0].samples, results()[1].samples)
    for name in ("agent_hours", "mean_wait", "contacts"):
        expected = difference_of(figure_named(name), *samples)
        assert expected is not None and expected.low is not None and expected.high is not None
        found = second["difference"][ALL][name]
        assert (expected.mean, expected.low) == (found["mean"], found["low"])
        assert (expected.low > 0 or expected.high < 0) == found["excludes_zero"]
    assert second["difference"][ALL]["agent_hours"]["excludes_zero"]
    assert "agent_hours" not in second["difference"]["buy"]


def test_json_holds_the_intervals_of_the_day() -> None:
    day = read(as_json(results()))["cases"][0]["day"]
    assert ["09:00", "09:30", "10:00", "10:30", "11:00", "11:30"] == [part["from"] for part in day]
    spread = day_parts(results()[0])[0].figures["contacts"]
    assert spread is not None
    assert {"mean": spread.mean, "p5": spread.low, "p95": spread.high} == day[0]["contacts"]
    assert [] == read(as_json((long_run(),)))["cases"][0]["day"]


def test_json_tells_what_went_wrong() -> None:
    stopped = replace(results()[0], stopped=True, reached=False)
    told = read(as_json((stopped, results()[1])))
    assert (True, False) == (told["cases"][0]["stopped"], told["cases"][0]["reached"])
    assert 2 == len(told["findings"])


def test_columns_of_a_frame_are_the_lines_of_csv() -> None:
    columns = figure_columns(results()).values
    told = lines(as_csv(results()))
    assert list(FIGURE_COLUMNS) == list(columns)
    assert {len(told)} == {len(column) for column in columns.values()}
    assert [float(line["mean"]) for line in told] == columns["mean"]
    assert [line["figure"] for line in told] == columns["figure"]
    assert {None} == set(figure_columns((alone(),)).values["low"])


def test_no_results_are_refused() -> None:
    with pytest.raises(ValueError, match="found no results"):
        as_json(())
