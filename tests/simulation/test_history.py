"""Arrivals of a scenario from a CSV of counts or of single contacts."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from usher.router.service.files import FileRefused
from usher.simulation.distributions import Gamma
from usher.simulation.files.history import History, curve_of
from usher.simulation.files.scenario_file import read_scenario, scenario_schema
from usher.simulation.scenario import Curve

SCENARIOS = Path(__file__).parents[2] / "simulation/usher/simulation/scenarios"
DAYS = 40


def counts_file(folder: Path, *, by_contact: bool = False) -> tuple[Path, np.ndarray]:
    """Writes days of which each has a factor of its own; returns the counts of 8 and 9 o'clock."""
    random = np.random.default_rng(7)
    factor = random.gamma(25, 1 / 25, DAYS)
    counts = random.poisson(np.outer(factor, [60.0, 90.0]))
    lines = ["arrived" if by_contact else "day,from,count,note"]
    for index, row in enumerate(counts.tolist()):
        day = date(2026, 1, 1) + timedelta(days=index)
        for hour, count in zip((8, 9), row, strict=True):
            if by_contact:
                lines += [f"{day} 0{hour}:{at % 60:02d}:05" for at in range(count)]
            else:
                lines.append(f"{day},0{hour}:00,{count},x")
    path = folder / "history.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path, counts


@pytest.mark.parametrize("by_contact", [False, True])
def test_the_curve_is_the_mean_of_the_days_and_they_differ_by_a_factor(
    tmp_path: Path, by_contact: bool
) -> None:
    path, counts = counts_file(tmp_path, by_contact=by_contact)
    curve = curve_of(History(file=path.name, every_min=60), tmp_path)
    assert 24 == len(curve.counts)
    assert counts.mean(axis=0).tolist() == pytest.approx(curve.counts[8:10], rel=1e-5)
    assert 0 == sum(curve.counts[:8]) + sum(curve.counts[10:])
    assert isinstance(curve.day_factor, Gamma)
    assert 0.2 == pytest.approx(curve.day_factor.deviation, rel=0.35)


def test_days_that_differ_by_chance_alone_have_no_factor(tmp_path: Path) -> None:
    lines = [f"2026-01-{day:02d},08:00,{count}" for day, count in ((1, 60), (2, 61), (3, 60))]
    (tmp_path / "c.csv").write_text("\n".join(["day,from,count", *lines]), encoding="utf-8")
    assert curve_of(History(file="c.csv"), tmp_path).day_factor is None


def test_a_scenario_takes_its_arrivals_from_a_file_beside_it(tmp_path: Path) -> None:
    _, counts = counts_file(tmp_path)
    scenario = read_scenario(scenario_with(tmp_path, "history.csv")).scenario
    arrivals = scenario.types["call"].arrivals
    assert isinstance(arrivals, Curve)
    assert counts.mean() * 2 == pytest.approx(sum(arrivals.counts), rel=1e-5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("day,from\n2026-01-01,08:00\n", "line 1: found the columns day, from, expected day, from"),
        ("day,from,count\n2026-01-01,08:00,-3\n", 'line 2: found the count "-3"'),
        ("day,from,count\n2026-01-01,8 o,3\n", 'line 2: found "2026-01-01 8 o"'),
        ("arrived\nyesterday\n", 'line 2: found "yesterday", expected YYYY-MM-DD HH:MM[:SS]'),
        ("arrived\n", "found no day in it"),
        (None, "No such file"),
    ],
)
def test_a_wrong_file_is_told_with_its_line_at_the_place_in_the_scenario(
    tmp_path: Path, text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / "h.csv").write_text(text, encoding="utf-8")
    path = scenario_with(tmp_path, "h.csv")
    with pytest.raises(FileRefused) as refused:
        read_scenario(path)
    (finding,) = refused.value.findings
    assert told in finding.message
    line = path.read_text(encoding="utf-8").splitlines()[finding.line - 1]
    assert 'kind = "history"' in line


def test_editors_know_it() -> None:
    assert '"history"' in str(scenario_schema()).replace("'", '"')


def scenario_with(folder: Path, file: str) -> Path:
    """Returns the help desk with the arrivals of its calls from this file."""
    for name in ("help_desk.toml", "help_desk.policy.toml"):
        (folder / name).write_text((SCENARIOS / name).read_text(encoding="utf-8"), encoding="utf-8")
    path = folder / "help_desk.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("arrivals"))
    lines[at] = f'arrivals = {{kind = "history", file = "{file}", every = "1h"}}'
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
