"""`usher sweep` and the files of studies, as a planner has them, on a scenario that comes along."""

import csv
import json
from pathlib import Path

import polars
from tests.end_to_end.test_study_commands import HELP_DESK, usher

AGENTS = "groups.first.shifts[0].agents"
QUICK = ("--replications", "2", "--processes", "2")


def test_a_sweep_is_told_and_written(tmp_path: Path) -> None:
    files = {name: tmp_path / f"told.{name}" for name in ("json", "csv", "html", "parquet")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    vary = ("--vary", f"{AGENTS}=3..5", "--figures", "service_level,cost")
    ended = usher("sweep", HELP_DESK, *vary, *QUICK, *options)
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert f"figures by {AGENTS}" in ended.stdout
    assert "what it has more than in the first row, as it stands" in ended.stdout

    cases = json.loads(files["json"].read_text(encoding="utf-8"))["cases"]
    assert ["as it stands", "agents=3", "agents=5"] == [case["name"] for case in cases]
    assert [4, 3, 5] == [case["varied"][AGENTS] for case in cases]
    with files["csv"].open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    table = polars.read_parquet(files["parquet"])
    assert [line["case"] for line in lines] == table["case"].to_list()
    assert {"3", "4", "5"} == {line[AGENTS] for line in lines}
    assert {3, 4, 5} == set(table[AGENTS])
    page = files["html"].read_text(encoding="utf-8")
    assert "What changes with agents" in page and "What a service level takes" in page

    day = polars.read_parquet(tmp_path / "told.day.parquet")
    with (tmp_path / "told.day.csv").open(encoding="utf-8", newline="") as file:
        assert day.height == len(list(csv.DictReader(file))) > 0


def test_what_is_wrong_with_a_sweep_is_told_before_anything_is_run() -> None:
    vary = ("--vary", "groups.frist.absence=0.1", "--vary", f"{AGENTS}=-1,4")
    ended = usher("sweep", HELP_DESK, *vary, *QUICK)
    assert 2 == ended.returncode
    assert 'groups: found "frist", expected one of: expert, first; did you mean "first"?' in (
        ended.stdout
    )
    assert f"{AGENTS}: found -1, expected a whole number from 0 to 10000" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
    ended = usher("sweep", HELP_DESK, "--vary", f"{AGENTS}=3", "--figures", "speed", *QUICK)
    assert (2, True) == (ended.returncode, 'found figure "speed"' in ended.stdout)
