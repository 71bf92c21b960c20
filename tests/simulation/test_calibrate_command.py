"""`usher calibrate` end to end: a table of calls in, a scenario that can be simulated out."""

import csv
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from usher.simulation.cli import add_to
from usher.simulation.distributions import Empirical
from usher.simulation.files.scenario_file import read_scenario
from usher.simulation.scenario import Curve
from usher.simulation.studies import calibrating

AFTER_CALL_S, AGENTS, HOURS, PER_HOUR = 20.0, 2, 2, 50
HEADER = ("arrived", "wait_s", "outcome", "talk_s", "agent", "type", "priority")


def write_table(path: Path, days: int) -> None:
    """Writes mornings of two agents: first come, first served; 20 s of work after each call."""
    random = np.random.default_rng(3)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(days):
            opens = datetime(2026, 11, 2, 8) + timedelta(days=number)
            writer.writerows(_rows(opens, random))


def _rows(opens: datetime, random: np.random.Generator) -> list[tuple[object, ...]]:
    count = random.poisson(HOURS * PER_HOUR)
    free_s, rows = [0.0] * AGENTS, []
    for at_s in np.sort(random.uniform(0, HOURS * 3600, count)):
        agent = int(np.argmin(free_s))
        wait_s, patience_s = max(0.0, free_s[agent] - at_s), random.exponential(400)
        arrived = opens + timedelta(seconds=round(at_s))
        if wait_s > patience_s:
            rows.append((arrived, f"{patience_s:.1f}", "abandoned", "", "", "loans", 1))
            continue
        talk_s = random.exponential(100)
        free_s[agent] = at_s + wait_s + talk_s + AFTER_CALL_S
        rows.append(
            (arrived, f"{wait_s:.1f}", "answered", f"{talk_s:.1f}", f"a{agent}", "loans", 1)
        )
    return rows


def run(*arguments: object) -> Result:
    """Runs the command with one process."""
    app = typer.Typer()
    add_to(app)
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments), "--processes", "1"])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five mornings; the last one is kept for the check."""
    path = tmp_path_factory.mktemp("calls") / "loan calls.csv"
    write_table(path, 5)
    return path


def test_a_table_of_calls_becomes_a_scenario_that_can_be_simulated(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrating, "GAPS_S", (900,))
    out, figures = tmp_path / "loans.toml", tmp_path / "check.csv"
    found = run(table, "--out", out, "--csv", figures, "--replications", 19)
    assert 0 == found.exit_code, found.output
    told = " ".join(found.output.split())
    for text in (
        *("calibrating on 4 days", "checking on 1 days", "a usual day by hour", "types"),
        *("duty gap and hidden work", "still willing to wait", "days not used"),
    ):
        assert text in told
    read = read_scenario(out)
    assert () == read.warnings
    assert "loan-calls" == read.scenario.name
    kind = read.scenario.types["loans"]
    assert isinstance(kind.arrivals, Curve) and isinstance(kind.wrap_up, Empirical)
    assert pytest.approx(HOURS * PER_HOUR, rel=0.15) == sum(kind.arrivals.counts)
    assert pytest.approx(AFTER_CALL_S, abs=6) == kind.wrap_up.mean
    with figures.open(encoding="utf-8") as file:
        hours = {row["hour"] for row in csv.DictReader(file)}
    assert {"", "8", "9"} == hours


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "2026-11-05"), "found 2 days with calls to calibrate on, expected at least 3"),
        (("--from", "5.11."), 'found the day "5.11.", expected YYYY-MM-DD'),
        (("--from", "2026-11-05", "--until", "2026-11-01"), "expected the first day before"),
        (("--check-from", "2027-01-01"), "no day within --check-from and --check-until"),
        (("--out", "no/such/scenario.toml"), "no/such/scenario.toml: found no folder no/such"),
        (("--weekdays", "someday"), 'found --weekdays "someday", expected a weekday or a range'),
    ],
)
def test_days_that_cannot_be_used_are_refused(
    table: Path, arguments: tuple[str, ...], said: str
) -> None:
    found = run(table, *arguments)
    assert (2, True) == (found.exit_code, said in found.output.replace("\n", " ")), found.output


def test_a_file_that_is_no_table_of_calls_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    found = run(path)
    assert (2, True) == (found.exit_code, "cannot be read: No such file" in found.output)
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    found = run(path)
    assert (2, True) == (found.exit_code, "line 1: found no column arrived" in found.output)
