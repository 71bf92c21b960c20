"""`usher demo`: the plan is the same for a seed, and a short one runs to its summary."""

import signal
import subprocess
from datetime import UTC, datetime

from tests.end_to_end.small_day import USHER, usher

from usher.router.branch_policy import check_branches
from usher.router.policy import check_policy, check_roster
from usher.router.service.calendars import zone_of
from usher.router.trials.demo import LOCAL_HOUR, zone_in_the_morning
from usher.router.trials.demo_plan import plan_demo
from usher.router.trials.demo_visits import CLERKS, Ending


def test_the_plan_is_a_busy_quarter_of_an_hour_and_the_same_for_the_same_seed() -> None:
    plan = plan_demo()
    script, branch = plan.script, plan.branch
    assert 20 + CLERKS == len(script.roster.agents)
    assert 250 <= len(script.contacts) + len(branch.visits) <= 350
    assert {"voice", "video", "chat", "sms", "email"} == {one.channel for one in script.contacts}
    assert plan == plan_demo()
    assert plan != plan_demo(seed=2)
    findings = [
        *check_policy(script.policy),
        *check_roster(script.roster, script.policy),
        *check_branches(branch.branches, script.policy, script.roster),
    ]
    assert [] == findings


def test_the_plan_shows_what_visitors_do() -> None:
    visits = plan_demo().branch.visits
    endings = {stop.ending for visit in visits for stop in visit.stops}
    assert set(Ending) == endings
    assert {True, False} == {bool(visit.stops) for visit in visits}  # some do not come
    assert {True, False} == {visit.has_ticket for visit in visits}
    assert 30 <= len(visits) <= 60


def test_the_branch_stands_where_it_is_morning_at_any_hour() -> None:
    for hour in range(24):
        now = datetime(2026, 11, 22, hour, 59, tzinfo=UTC)
        zone = zone_of(zone_in_the_morning(now))
        assert zone is not None
        assert LOCAL_HOUR == now.astimezone(zone).hour


def test_a_short_demo_shows_plain_lines_and_ends_with_a_summary() -> None:
    ended = usher("demo", "--seconds", "5", "--rate", "60")
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert "agents:" in ended.stdout
    assert "branch: called" in ended.stdout
    for said in ("of_offered", "offers:", "journal:", "synchronous=FULL", "0 lost"):
        assert said in ended.stdout
    for said in ("A001 to ", "0 with the same number, 0 called twice, 0 lost", "0 over their"):
        assert said in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def test_an_interrupt_stops_the_demo_and_its_server() -> None:
    command = (*USHER, "demo", "--seconds", "30")
    # A shell that runs us in the background has SIGINT ignored, and so would have the demo.
    own = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    finally:
        signal.signal(signal.SIGINT, own)
    with run:
        assert run.stdout is not None
        first = run.stdout.readline()
        run.send_signal(signal.SIGINT)
        said = first + run.communicate(timeout=30)[0]
    assert 130 == run.returncode, said
    assert said.endswith("stopped\n")
    assert "Traceback" not in said
