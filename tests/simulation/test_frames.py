"""Data frames: as many rows and the values of what they are made of, also back from Parquet."""

import sys
from functools import cache
from pathlib import Path

import polars
import pytest
from msgspec.structs import replace
from polars import DataFrame
from tests.simulation.test_report_exports import lines
from tests.simulation.test_report_tables import POLICY, day, long_run, results
from tests.simulation.test_sweeps import AGENTS

from usher.queue.measures import Outcome
from usher.simulation import planner
from usher.simulation.experiment import Case, Plan
from usher.simulation.figures import ALL, difference_of, figure_named, interval_of
from usher.simulation.places import ValuesRefused, place_of, spot_of, with_value
from usher.simulation.report.exports import (
    DAY_COLUMNS,
    FIGURE_COLUMNS,
    as_csv,
    day_as_csv,
    day_columns,
    figure_columns,
)
from usher.simulation.report.frames import FramesMissing, frame
from usher.simulation.samples import Sample
from usher.simulation.sweeps import AS_IT_STANDS

CASE = Case("today", day(3), POLICY)
SMALL = Plan(replications=2, seed=5)


@cache
def study() -> planner.Study:
    return planner.simulate(CASE, SMALL, processes=1)


@cache
def run() -> planner.Run:
    return study().run(1)


def sample() -> Sample:
    """Returns what the experiment kept of the run."""
    return study().results[0].samples[1]


def told(table: DataFrame) -> list[dict[str, str]]:
    """Returns the rows of a frame as a reader of CSV would have them."""
    return lines(table.write_csv())


def test_a_frame_of_figures_holds_what_the_csv_holds() -> None:
    table = frame(figure_columns(results()))
    assert list(FIGURE_COLUMNS) == table.columns
    kinds = {str: polars.String, float: polars.Float64, int: polars.Int64}
    assert [kinds[kind] for kind in FIGURE_COLUMNS.values()] == table.dtypes
    expected = lines(as_csv(results()))
    assert len(expected) == table.height
    for line, row in zip(expected, table.iter_rows(named=True), strict=True):
        assert line == {name: "" if value is None else str(value) for name, value in row.items()}


def test_a_figure_stands_with_its_interval_and_its_difference_from_the_first_case() -> None:
    table = frame(figure_columns(results()))
    samples = [result.samples for result in results()]
    wait = figure_named("mean_wait")
    chosen = table.filter(case="one more", type="buy", figure="mean_wait").row(0, named=True)
    expected = interval_of(wait, samples[1], "buy")
    differs = difference_of(wait, *samples, type_name="buy")
    assert expected is not None and differs is not None
    assert (expected.mean, expected.low, expected.high) == (
        *(chosen["mean"], chosen["low"], chosen["high"]),
    )
    assert (differs.mean, differs.low, differs.high) == (
        *(chosen["difference"], chosen["difference_low"], chosen["difference_high"]),
    )
    first = table.filter(case="today", figure="mean_wait")
    assert 3 == first.height == first["difference"].null_count()


def test_a_frame_of_the_day_holds_what_the_csv_holds() -> None:
    table = frame(day_columns(results()))
    assert list(DAY_COLUMNS) == table.columns
    assert len(lines(day_as_csv(results()))) == table.height
    nothing = frame(day_columns((long_run(),)))
    assert (0, table.schema) == (nothing.height, nothing.schema)


def test_what_is_not_known_is_null_and_the_column_keeps_its_type() -> None:
    first = results()[0]
    alone = replace(first, samples=first.samples[:1], numbers=first.numbers[:1])
    table = frame(figure_columns((alone,)))
    assert table.height == table["low"].null_count() == table["difference"].null_count()
    assert polars.Float64 == table["low"].dtype


def test_parquet_is_read_back_equal(tmp_path: Path) -> None:
    for columns in (figure_columns(results()), day_columns(results()), day_columns(())):
        table = frame(columns)
        table.write_parquet(tmp_path / "told.parquet")
        assert table.equals(polars.read_parquet(tmp_path / "told.parquet"))


def test_a_sweep_is_a_column_for_each_place() -> None:
    vary = {AGENTS: [2, 4], "types.buy.patience.average": "x0.5..1..0.5"}
    told_ = planner.sweep(CASE, vary, Plan(replications=1), processes=1)
    table = told_.figures().filter(type=ALL, figure="agent_hours")
    assert ["case", AGENTS, "types.buy.patience.average (factor)", "type"] == table.columns[:4]
    assert [AS_IT_STANDS, "agents=2, average=x0.5"] == table["case"].to_list()[:2]
    assert [(3, 1.0), (2, 0.5), (2, 1.0), (4, 0.5), (4, 1.0)] == list(
        table.select(table.columns[1:3]).iter_rows()
    )
    assert [-1, -1, 1, 1] == [
        (hours > 0) - (hours < 0) for hours in table["difference"].to_list()[1:]
    ]


def test_a_sweep_with_a_wrong_place_runs_nothing() -> None:
    done: list[int] = []
    with pytest.raises(ValuesRefused, match='did you mean "agents"'):
        planner.sweep(
            CASE,
            {"groups.front.shifts[0].agent": [1]},
            progress=lambda finished, planned: done.append(planned),
            processes=1,
        )
    assert [] == done


def test_a_run_once_more_is_the_run_of_the_experiment() -> None:
    contacts, legs = run().contacts(), run().legs()
    assert sample().all.contacts == contacts.height
    for name, sums in sample().types.items():
        of_type = contacts.filter(type=name)
        assert (sums.contacts, sums.abandoned) == (
            *(of_type.height, of_type.filter(outcome="abandoned").height),
        )
        assert sums.wait_ms == of_type["wait_ms"].sum()
    assert contacts.filter(polars.col("agent").is_not_null()).height == legs.height
    assert {one.name.lower() for one in (Outcome.COMPLETED, Outcome.ABANDONED)} == set(
        contacts["outcome"]
    )
    never = contacts.filter(outcome="abandoned")
    assert never.height == never["answered_ms"].null_count() == never["agent"].null_count()


def test_who_is_turned_away_has_not_waited() -> None:
    spot = spot_of(CASE, place_of("policy.queues.buy.most_waiting"))
    contacts = planner.run(with_value(CASE, spot, 0)).contacts()
    away = contacts.filter(outcome="other")
    assert away.height == away["wait_ms"].null_count() > 0
    assert 0 == contacts.filter(outcome="completed")["wait_ms"].null_count()


def test_the_day_of_the_agents_adds_up_to_the_figures() -> None:
    agents, presence, staff = run().agents(), run().presence(), sample().staff
    assert ["front-0001", "front-0004"] == [agents["agent"][0], agents["agent"][-1]]
    assert {"front"} == set(agents["group"]) == set(presence["group"])
    sums = agents.sum()
    assert (staff.signed_in_ms, staff.available_ms, staff.busy_ms) == (
        *(sums["signed_in_ms"][0], sums["available_ms"][0], sums["busy_ms"][0]),
    )
    assert pytest.approx(staff.cost) == sums["cost"][0]
    assert run().legs().height == sums["legs"][0]
    lengths = presence["until_ms"] - presence["from_ms"]
    assert staff.signed_in_ms == lengths.sum()


def test_a_long_run_has_the_rows_of_all_its_batches() -> None:
    long = planner.run(long_run().case)
    total = sum(one.all.contacts for one in long_run().samples)
    assert total == long.contacts().height


def test_a_case_of_a_study_is_found_by_its_name() -> None:
    told_ = planner.compare([CASE, CASE], SMALL, processes=1)
    assert {"today", "today 2"} == set(told_.figures()["case"])
    assert told_.run(1).contacts().equals(told_.run(1, "today 2").contacts())
    with pytest.raises(ValueError, match='found case "tomorrow", expected one of today, today 2'):
        told_.run(0, "tomorrow")


def test_without_polars_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(FramesMissing, match=r'pip install "usher-router\[frames\]"'):
        study().figures()
