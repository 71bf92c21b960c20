"""`usher load` through a real server: a small made-up day, and an hour of the real log."""

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.end_to_end.small_day import CALLS, DAY, LEFT, usher, write_day
from tests.end_to_end.yardstick import Yardstick

from usher.router.trials.call_log import read_day
from usher.router.trials.commands import load_report_of
from usher.router.trials.load_plan import LoadOptions, plan_day
from usher.router.trials.load_report import LoadReport
from usher.router.trials.own_server import own_server

REAL = "data/anonymous_bank_1999_jan_feb.csv.gz"
RATE = 300


class Loaded(NamedTuple):
    """A small day replayed: its folder, what was printed, the report, what the machine lost."""

    folder: Path
    printed: str
    report: LoadReport
    stalled_ms: float  # by the server's clock


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """The day at RATE times its pace."""
    folder = tmp_path_factory.mktemp("load")
    report = folder / "report.json"
    with Yardstick(folder) as yardstick:
        ended = usher(
            *("load", write_day(folder), "--rate", str(RATE), "--after-call", "5s"),
            *("--data", folder / "kept", "--report", report),
        )
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    stalled_ms = 1000 * RATE * yardstick.stalled_s()
    return Loaded(folder, ended.stdout, load_report_of(report), stalled_ms)


def test_every_call_is_answered_or_left_and_all_witnesses_agree(loaded: Loaded) -> None:
    counted = loaded.report.account
    assert (CALLS, 0, 0, 0, ()) == (
        counted.planned,
        counted.unaccounted,
        counted.lost,
        counted.served_twice,
        counted.findings,
    )
    assert CALLS == counted.answered + counted.abandoned
    assert ("watches", "list of contacts", "journal") == counted.witnesses


def test_the_report_has_the_figures_of_both_sides(loaded: Loaded) -> None:
    report, printed = loaded.report, loaded.printed
    assert (CALLS, CALLS - LEFT, LEFT) == (
        report.log.measures.offered,
        report.log.measures.answered,
        report.log.measures.abandoned,
    )
    ours = report.usher.measures
    assert (CALLS, report.account.answered) == (ours.offered, ours.answered)
    assert CALLS == sum(hour.measures.offered for hour in report.usher.by_hour)
    wrap_up_ms, talk_ms = report.usher.handle.mean_wrap_up_ms, report.usher.handle.mean_talk_ms
    assert wrap_up_ms is not None
    assert talk_ms is not None
    assert 2_500 <= wrap_up_ms <= 7_500 + loaded.stalled_ms  # 5 s are 17 ms of the wall
    logged_ms = report.log.handle.mean_talk_ms
    assert logged_ms is not None
    assert 0.9 * logged_ms <= talk_ms <= 1.4 * logged_ms + loaded.stalled_ms
    assert 0 < (report.usher.occupancy.occupancy or 0) <= 1
    for name in ("of_offered", "of_answered", "abandons_within_excluded", "abandons_within_met"):
        assert name in printed
    assert f"contacts: {CALLS} sent" in printed
    assert "commands were sent late by" in printed


def test_the_written_files_are_those_that_the_own_server_starts_from(
    loaded: Loaded,
) -> None:
    folder = loaded.folder
    calls = folder / "calls.csv"
    written = usher("load", calls, "--after-call", "5s", "--write", folder / "written")
    assert 0 == written.returncode
    assert written.stdout.startswith("usher serve --clock-rate 60 ")
    for name in ("policy.toml", "roster.toml"):
        again = (folder / "written" / name).read_text(encoding="utf-8")
        assert (folder / "kept" / name).read_text(encoding="utf-8") == again


@pytest.mark.asyncio
async def test_a_given_server_is_used_once_and_only_under_the_rules_of_the_day(
    tmp_path: Path,
) -> None:
    calls = write_day(tmp_path)
    script = plan_day(read_day(calls, DAY), LoadOptions(after_call_ms=5_000)).script
    async with own_server(tmp_path, script.policy, script.roster, 300) as server:

        async def load(*arguments: str) -> tuple[int, str]:
            options = ("load", calls, "--target", server.address, "--after-call", *arguments)
            ended = await asyncio.to_thread(usher, *options)
            return ended.returncode, ended.stdout

        code, said = await load("6s")
        assert (2, True) == (code, "another policy" in said)
        code, said = await load("5s", "--rate", "60")
        assert (2, True) == (code, "runs at rate 300, expected 60" in said)
        code, said = await load("5s")
        assert (0, True) == (code, "(by watches, list of contacts)" in said), said
        code, said = await load("5s")
        assert (2, True) == (code, "has had contacts already" in said)
    code, said = await load("5s")
    assert (2, True) == (code, "no answer from the server" in said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--date", "1999-02-03"), "no row for 1999-02-03"),
        (("--date", "soon"), "is no date"),
        (("--after-call", "a while"), "--after-call"),
        (("--hours", "12-10"), "--hours"),
        (("--hours", "12-13"), "0 calls"),
        (("--zone", "Nowhere/At-All"), "--zone"),
    ],
)
def test_what_cannot_be_replayed_is_said_in_a_line(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    ended = usher("load", write_day(tmp_path), *arguments)
    assert 2 == ended.returncode
    assert said in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def test_an_hour_of_the_real_log_is_accounted_for(shared: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ended = usher(*("load", shared / REAL, "--rate", "600", "--hours", "10-11", "--report", report))
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    counted = load_report_of(report).account
    assert (155, 155) == (counted.planned, counted.answered + counted.abandoned)
    assert 0 == counted.unaccounted
