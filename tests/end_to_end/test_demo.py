"""`usher demo`: the plan is the same for a seed, and a short one runs to its summary."""

import signal
import subprocess

from tests.end_to_end.small_day import USHER, usher

from usher.router.policy import check_policy, check_roster
from usher.router.trials.demo_plan import plan_demo


def test_the_plan_is_a_busy_quarter_of_an_hour_and_the_same_for_the_same_seed() -> None:
    script = plan_demo()
    assert 25 == len(script.roster.agents)
    assert 250 <= len(script.contacts) <= 350
    assert {"voice", "video", "chat", "sms", "email", "walk_in"} == {
        one.channel for one in script.contacts
    }
    assert script == plan_demo()
    assert script != plan_demo(seed=2)
    assert [] == [*check_policy(script.policy), *check_roster(script.roster, script.policy)]


def test_a_short_demo_shows_plain_lines_and_ends_with_a_summary() -> None:
    ended = usher("demo", "--seconds", "5", "--rate", "60")
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert "agents:" in ended.stdout
    for said in ("of_offered", "offers:", "journal:", "synchronous=FULL", "0 lost"):
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
