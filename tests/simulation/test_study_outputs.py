"""Files of studies: refused before anything is run, or written with the day beside them."""

import json
import sys
from pathlib import Path

import polars
import pytest
from tests.simulation.test_report_exports import lines
from tests.simulation.test_report_tables import long_run, results

from usher.simulation.report.exports import as_csv, day_as_csv
from usher.simulation.studies.outputs import Files, check_files, day_file, write
from usher.simulation.studies.running import StudyRefused


def page() -> str:
    return "<html>"


def all_files(folder: Path) -> Files:
    names = Files.__struct_fields__
    return Files(**{name: folder / f"told.{name}" for name in names})


def test_files_are_written_with_the_day_by_interval_beside_them(tmp_path: Path) -> None:
    check_files(all_files(tmp_path))
    write(results(), all_files(tmp_path), page)
    expected = {f"told.{name}" for name in Files.__struct_fields__}
    assert {*expected, "told.day.csv", "told.day.parquet"} == {
        path.name for path in tmp_path.iterdir()
    }
    assert as_csv(results()) == (tmp_path / "told.csv").read_text(encoding="utf-8")
    assert day_as_csv(results()) == (tmp_path / "told.day.csv").read_text(encoding="utf-8")
    for name in ("told", "told.day"):
        table = polars.read_parquet(tmp_path / f"{name}.parquet")
        told = lines((tmp_path / f"{name}.csv").read_text(encoding="utf-8"))
        assert told == lines(table.write_csv())
    assert 2 == len(json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))["cases"])
    assert page() == (tmp_path / "told.html").read_text(encoding="utf-8")


def test_a_long_run_has_no_day_to_write(tmp_path: Path) -> None:
    write((long_run(),), all_files(tmp_path), page)
    assert [] == list(tmp_path.glob("*.day.*"))


def test_the_day_stands_beside_under_the_same_ending() -> None:
    assert Path("a/told.day.csv") == day_file(Path("a/told.csv"))
    assert Path("a/told.2026.day.parquet") == day_file(Path("a/told.2026.parquet"))
    assert Path("told.day") == day_file(Path("told"))


@pytest.mark.parametrize("name", Files.__struct_fields__)
def test_a_file_that_could_not_be_written_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudyRefused, match=f"--{name} .*: there is no folder .*none"):
        check_files(Files(**{name: tmp_path / "none" / "told"}))
    with pytest.raises(StudyRefused, match="found a folder, expected the name of a file"):
        check_files(Files(**{name: tmp_path}))


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("html", "matplotlib", "reports"), ("parquet", "polars", "frames")],
)
def test_a_file_that_needs_an_extra_is_refused_without_it(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StudyRefused, match=rf'pip install "usher-router\[{extra}\]"'):
        check_files(Files(**{name: Path("told")}))
    check_files(Files(json=Path("told"), csv=Path("told")))
