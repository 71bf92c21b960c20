"""`usher staff` as a planner runs it: a whole proposal, what is refused, an interrupt."""

import json
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from tests.end_to_end.test_study_commands import (
    HEEDING_INTERRUPTS,
    HELP_DESK,
    USHER,
    usher,
)
from typer.testing import CliRunner

from usher.simulation.commands import staff
from usher.simulation.files.scenario_file import read_scenario

FEW = ("--every", "120", "--replications", "2", "--runs", "30", "--processes", "1")
ASKED = ("--service-level", "0.7", "--for", "call")


def test_a_staffing_is_found_told_and_written(tmp_path: Path) -> None:
    files = {name: tmp_path / f"told.{name}" for name in ("json", "csv", "html")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    out = tmp_path / "proposed.toml"
    shifts = ("--shift", "8h/30m", "--shift", "4h:08:00-18:00")
    ended = usher("staff", HELP_DESK, *ASKED, *FEW, *shifts, *options, "--out", out)
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    for told in (
        "agents by interval",
        "worst interval",
        "The proposed shifts cost",
        "call contacts",
    ):
        assert told in ended.stdout, ended.stdout
    told_json = json.loads(files["json"].read_text(encoding="utf-8"))
    agents = told_json["staffing"]["agents"]["first"]
    assert 5 == len(agents["theory"]) == len(agents["shifts"])
    lines = files["csv"].read_text(encoding="utf-8").splitlines()
    assert "from,until,group,theory,by_interval,shifts,today" == lines[0]
    assert 1 + 2 * 5 == len(lines)
    page = files["html"].read_text(encoding="utf-8")
    assert "Service level against its target" in page and "What a service level takes" in page
    proposed = read_scenario(out).scenario
    assert "proposed" == proposed.name
    worked = {
        (shift["group"], shift["from"], shift["until"], shift["agents"])
        for shift in told_json["staffing"]["shifts"]["worked"]
    }
    assert worked == {
        (name, _clock(shift.from_min), _clock(shift.until_min), shift.agents)
        for name, group in proposed.groups.items()
        for shift in group.shifts
    }
    assert {240, 480} >= {
        shift.until_min - shift.from_min
        for group in proposed.groups.values()
        for shift in group.shifts
    }


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "no target is given"),
        (("--service-level", "80"), "share is to be between 0 and 1, without both, not 80"),
        ((*ASKED, "--threshold", "soon"), 'found --threshold "soon", expected a duration such as'),
        (("--service-level", "0.8", "--for", "male"), 'found type "male", expected one of call, m'),
        ((*ASKED, "--shift", "8"), 'found --shift "8", expected a length'),
        ((*ASKED, "--shift", "11h"), "expected one that fits into the hours 08:00-18:00"),
        ((*ASKED, "--every", "7"), "found intervals of 7 min, expected a length that divides"),
        ((*ASKED, "--html", "/no/folder/told.html"), "there is no folder /no/folder"),
    ],
)
def test_what_cannot_be_staffed_is_refused(arguments: tuple[str, ...], told: str) -> None:
    app = typer.Typer()
    staff.add_to(app)
    ended = CliRunner().invoke(app, [str(HELP_DESK), *arguments])
    shown = " ".join(ended.output.split())
    assert (2, True) == (ended.exit_code, told in shown), ended.output


def test_targets_that_the_allowed_agents_cannot_meet_are_told() -> None:
    ended = usher("staff", HELP_DESK, *ASKED, *FEW, "--agents-most", "1")
    told = 'the targets cannot be met: service level of "call" from 08:00 on: found 0'
    assert (2, True) == (ended.returncode, told in ended.stdout), ended.stdout + ended.stderr
    assert "expected at least 0.7; more than 1 are not allowed" in " ".join(ended.stdout.split())


def test_an_interrupt_leaves_the_best_so_far() -> None:
    for seconds in (6, 20, 60):  # on a busy machine no staffing may be tried after a few
        code, told = _interrupted(seconds)
        assert 130 == code, told
        assert "Traceback" not in told
        if "agents by interval" in told:
            break
    assert "it was stopped" in told


def _interrupted(seconds: int) -> tuple[int, str]:
    """Returns how a long search ends that is interrupted after so many seconds."""
    command = [*HEEDING_INTERRUPTS, *USHER, "staff", str(HELP_DESK), *ASKED, "--processes", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        with suppress(subprocess.TimeoutExpired):
            running.wait(seconds)
        running.send_signal(signal.SIGINT)
        return running.wait(60), running.communicate()[0]
