"""Files that studies write: page, JSON, CSV, Parquet. Asked for and checked before anything is run.

It must not know what a study asks.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from usher.simulation.experiment import Result
from usher.simulation.report import exports
from usher.simulation.report.frames import FramesMissing, frame
from usher.simulation.report.page import ReportsMissing
from usher.simulation.report.summary import is_day
from usher.simulation.studies.running import StudyRefused


class Files(Struct, frozen=True, kw_only=True):
    """Where to write what; None = not. Beside CSV and Parquet stands the day by interval."""

    html: Path | None = None
    json: Path | None = None
    csv: Path | None = None
    parquet: Path | None = None


def check_files(files: Files) -> None:
    """Raises StudyRefused if a file could not be written for sure: nobody is to wait for that."""
    for name, path in asdict(files).items():
        if path is None:
            continue
        if path.is_dir():
            raise StudyRefused(f"--{name} {path}: found a folder, expected the name of a file")
        if not path.parent.is_dir():
            raise StudyRefused(f"--{name} {path}: there is no folder {path.parent}")
    if files.html is not None:
        _need("matplotlib", ReportsMissing)
    if files.parquet is not None:
        _need("polars", FramesMissing)


def _need(module: str, missing: Callable[[ImportError], ReportsMissing | FramesMissing]) -> None:
    try:
        import_module(module)
    except ImportError as error:
        raise StudyRefused(str(missing(error))) from error


def write(
    results: Sequence[Result],
    files: Files,
    page: Callable[[], str],
    *,
    apart: Sequence[Result] = (),
    more: Mapping[str, object] = exports.NOTHING_MORE,
) -> None:
    """Writes what was asked for; raises OSError, and what a missing extra raises.

    Results `apart` stand first in CSV and Parquet, and are compared with none. `more` is the
    caller's own, for JSON.
    """
    everything = (*apart, *results)
    by_interval = any(map(is_day, everything))
    if files.json is not None:
        files.json.write_text(exports.as_json(results, more), encoding="utf-8")
    if files.csv is not None:
        files.csv.write_text(exports.as_csv(results, apart), encoding="utf-8")
        if by_interval:
            day_file(files.csv).write_text(exports.day_as_csv(everything), encoding="utf-8")
    if files.parquet is not None:
        frame(exports.figure_columns(results, apart)).write_parquet(files.parquet)
        if by_interval:
            frame(exports.day_columns(everything)).write_parquet(day_file(files.parquet))
    if files.html is not None:
        files.html.write_text(page(), encoding="utf-8")


def day_file(path: Path) -> Path:
    """Returns where the day by interval stands: `told.day.csv` for `told.csv`."""
    return path.with_name(f"{path.stem}.day{path.suffix}")
