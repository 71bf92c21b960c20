"""`usher simulate` and `usher compare` as a planner runs them, on the scenarios that come along."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from usher.simulation.files.scenario_file import read_scenario

SCENARIOS = Path(__file__).parents[2] / "simulation/usher/simulation/scenarios"
HELP_DESK = SCENARIOS / "help_desk.toml"
USHER = (sys.executable, "-m", "usher.router.cli")
HEEDING_INTERRUPTS = (
    *(sys.executable, "-c"),
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    " os.execv(sys.argv[1], sys.argv[1:])",
)
"""Runs what follows as a terminal would: tests may be run in the background, where a shell has
interrupts ignored, and whoever is started there inherits that."""


def usher(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command of `usher` to its end, on a wide screen."""
    environment = {**os.environ, "COLUMNS": "160", "TERM": "dumb"}
    return subprocess.run(
        [*USHER, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(SCENARIOS.glob("*.toml")) if ".policy." not in path.name],
    ids=lambda path: path.stem,
)
def test_every_scenario_that_comes_along_is_sound(path: Path) -> None:
    assert () == read_scenario(path).warnings


def test_a_day_is_simulated_told_and_written(tmp_path: Path) -> None:
    files = {name: tmp_path / f"told.{name}" for name in ("json", "csv", "html")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    ended = usher("simulate", HELP_DESK, "--replications", "2", "--processes", "2", *options)
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    for told in ("service level", "cost per answered contact", "2 replications", "08:30"):
        assert told in ended.stdout
    assert json.loads(files["json"].read_text(encoding="utf-8"))
    assert "help-desk" in files["csv"].read_text(encoding="utf-8")
    page = files["html"].read_text(encoding="utf-8")
    assert "<svg" in page and "Help desk" in page


def test_the_result_does_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    told = []
    for processes in ("1", "2"):
        path = tmp_path / f"{processes}.json"
        arguments = ("--replications", "3", "--processes", processes, "--json", str(path))
        assert 0 == usher("simulate", HELP_DESK, *arguments).returncode
        told.append(path.read_text(encoding="utf-8"))
    assert told[0] == told[1]


def test_two_scenarios_are_compared_with_the_same_people(tmp_path: Path) -> None:
    for path in SCENARIOS.glob("help_desk*.toml"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    fewer = HELP_DESK.read_text(encoding="utf-8").replace("agents = 4", "agents = 3")
    (tmp_path / "fewer.toml").write_text(fewer.replace('"help-desk"', '"fewer"'), encoding="utf-8")
    both = (tmp_path / "help_desk.toml", tmp_path / "fewer.toml")
    ended = usher("compare", *both, "--replications", "3")
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert "fewer" in ended.stdout and "help-desk" in ended.stdout
    alone = usher("compare", HELP_DESK)
    assert (2, True) == (alone.returncode, "at least two scenarios" in alone.stdout)


def test_as_many_days_as_a_wanted_width_takes(tmp_path: Path) -> None:
    path = tmp_path / "told.json"
    until = ("--until", "service_level=0.2", "--json", str(path))
    ended = usher("simulate", HELP_DESK, *until)
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    for wrong in ("service_level", "service_level=-1", "speed=1"):
        refused = usher("simulate", HELP_DESK, "--until", wrong)
        assert (2, True) == (refused.returncode, "expected" in refused.stdout), refused.stdout


def test_every_finding_of_a_wrong_scenario_is_told_with_its_line(tmp_path: Path) -> None:
    policy = "help_desk.policy.toml"
    (tmp_path / policy).write_text((SCENARIOS / policy).read_text(encoding="utf-8"))
    wrong = HELP_DESK.read_text(encoding="utf-8")
    wrong = wrong.replace('queue = "mail"', 'queue = "male"').replace(
        "average = 240", "average = 0"
    )
    path = tmp_path / "wrong.toml"
    path.write_text(wrong, encoding="utf-8")
    ended = usher("simulate", path)
    assert 2 == ended.returncode
    assert "wrong.toml:12: types.call.patience.average: found 0" in ended.stdout, ended.stdout
    assert 'wrong.toml:20: types.mail.queue: found "male"' in ended.stdout, ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def test_an_interrupt_leaves_what_was_finished() -> None:
    for seconds in (5, 15, 45):  # on a busy machine no run may be finished after a few
        code, told = _interrupted(seconds)
        assert 130 == code, told
        assert "Traceback" not in told
        if "stopped before any run was finished" not in told:
            break
    assert "replications, 95% confidence intervals" in told


def _interrupted(seconds: float) -> tuple[int, str]:
    """Returns exit code and all that was told by a command that is interrupted after a while."""
    command = [*USHER, "simulate", str(HELP_DESK), "--replications", "5000", "--processes", "2"]
    with subprocess.Popen(
        [*HEEDING_INTERRUPTS, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            time.sleep(seconds)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the command
            told, _ = process.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return process.returncode, told
