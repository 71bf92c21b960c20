"""Services, branches and desks in the files: read with policy and roster, refused by line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.queue.branches import (
    Branch,
    Branches,
    BranchName,
    DateHours,
    Desk,
    Line,
    LineName,
    Opening,
    Service,
    ServiceName,
    WeekdayHours,
)
from usher.queue.rules import Policy, QueueRules, Roster
from usher.queue.values import QueueName
from usher.router.branch_policy import BranchReason
from usher.router.service.file_shape import ShapeReason
from usher.router.service.files import (
    Configuration,
    FileRefused,
    read_configuration,
    read_policy,
    read_roster,
    write_policy,
    write_roster,
)

POLICY = """\
version = "p1"
[queues.counter]
[[services]]
name = "cash"
queue = "counter"
"""
BRANCH = """\
[[branches]]
name = "north"
time_zone = "Europe/Berlin"
hours.mon = "09:00-17:00"
[[branches.lines]]
name = "a"
services = ["cash"]
"""
ROSTER = """\
version = "r1"
[capacities.desk]
units = 1
channels.walk_in = {}
[agents.ann]
capacity = "desk"
"""
DESK = """\
[[desks]]
branch = "north"
name = "1"
"""


def read(folder: Path, policy: str, roster: str) -> Configuration:
    (folder / "policy.toml").write_text(policy, encoding="utf-8")
    (folder / "roster.toml").write_text(roster, encoding="utf-8")
    return read_configuration(folder / "policy.toml", folder / "roster.toml")


def refusal(folder: Path, policy: str, roster: str) -> list[str]:
    """Returns what is said about wrong files, without the folder."""
    with pytest.raises(FileRefused) as caught:
        read(folder, policy, roster)
    return [str(one).removeprefix(f"{folder}/") for one in caught.value.findings]


def test_values_of_branches_arrive(tmp_path: Path) -> None:
    policy = """
        version = "2026-11"
        [queues."branch/counter"]
        [[services]]
        name = "account"
        queue = "branch/counter"
        usual = "8m"
        title = "Open an account"
        [[services]]
        name = "cash"
        queue = "branch/counter"
        [[branches]]
        name = "north"
        time_zone = "Europe/Berlin"
        day_begins = "04:00"
        grace = "2m"
        close_after_ms = 60_000
        clock_tolerance = "1h"
        title = "Main street"
        hours = { mon-tue = "13:30-17:00, 09:00-12:30", sat = "00:00-24:00" }
        [branches.dates]
        2026-12-24 = "09:00-12:00"
        2026-12-25 = "closed"
        [[branches.lines]]
        name = "a"
        prefix = "A"
        width = 4
        start = 100
        services = ["account", "cash"]
        [[branches]]
        name = "south"
        time_zone = "UTC"
        lines = [{ name = "a", services = ["cash"] }]
        hours.sun = "10:00-12:00"
        """
    roster = (
        ROSTER
        + """
        [[desks]]
        branch = "north"
        name = "1"
        services = ["cash"]
        [[desks]]
        branch = "south"
        name = "1"
        [[desks]]
        branch = "north"
        name = "2"
        """
    )
    account, cash = ServiceName("account"), ServiceName("cash")
    counter, north, south = QueueName("branch/counter"), BranchName("north"), BranchName("south")
    both = (Opening(810, 1020), Opening(540, 750))

    assert read(tmp_path, policy, roster).branches == Branches(
        version="2026-11/r1",
        services=(
            Service(name=account, queue=counter, usual_ms=480_000, title="Open an account"),
            Service(name=cash, queue=counter),
        ),
        branches=(
            Branch(
                name=north,
                time_zone="Europe/Berlin",
                lines=(
                    Line(
                        name=LineName("a"),
                        services=(account, cash),
                        prefix="A",
                        width=4,
                        start=100,
                    ),
                ),
                week=(
                    *(WeekdayHours(0, both), WeekdayHours(1, both)),
                    WeekdayHours(5, (Opening(0, 1440),)),
                ),
                dates=(
                    DateHours("2026-12-24", (Opening(540, 720),)),
                    DateHours("2026-12-25"),
                ),
                day_begins_min=240,
                grace_ms=120_000,
                close_after_ms=60_000,
                clock_tolerance_ms=3_600_000,
                title="Main street",
            ),
            Branch(
                name=south,
                time_zone="UTC",
                lines=(Line(name=LineName("a"), services=(cash,)),),
                week=(WeekdayHours(6, (Opening(600, 720),)),),
            ),
        ),
        desks=(
            Desk(branch=north, name="1", services=(cash,)),
            Desk(branch=south, name="1"),
            Desk(branch=north, name="2"),
        ),
    )


def test_files_without_branches_have_none(tmp_path: Path) -> None:
    assert read(tmp_path, 'version = "1"\n[queues.a]\n', ROSTER).branches is None


def test_long_versions_are_cut(tmp_path: Path) -> None:
    policy = POLICY.replace("p1", "p" * 64) + BRANCH
    branches = read(tmp_path, policy, ROSTER + DESK).branches

    assert branches is not None
    assert "p" * 64 == branches.version


def test_each_file_is_readable_alone(tmp_path: Path) -> None:
    read(tmp_path, POLICY + BRANCH, ROSTER + DESK)
    policy = read_policy(tmp_path / "policy.toml")

    assert "p1" == policy.version
    assert "r1" == read_roster(tmp_path / "roster.toml", policy).version


WRONG_SHAPES = """\
[[services]]
name = "loans"
queu = "counter"
[[branches]]
name = "no/rth"
time_zone = ""
day_begins = "24:00"
day_begins_min = 7
grace = 90
title = 7
hours = { mo = "closed", tue = "9-17" }
dates = { 24-12 = "closed" }
[[branches]]
name = "south"
time_zone = "UTC"
day_begins = 4
hours = "09:00-17:00"
lines = [{ name = "a", services = "cash", prefix = "A1", width = 7 }]
"""


def test_everything_wrong_with_the_shape_is_said_at_once(tmp_path: Path) -> None:
    code = "text that matches ^[A-Za-z0-9][A-Za-z0-9_./-]{0,63}\\Z"
    desks = '[[desks]]\nname = 1\n[[desks]]\nbranch = "south"\nname = "1"\nservice = []\n'

    assert [
        f'policy.toml:6: services[1].queue: expected the key "queue": {code}',
        'policy.toml:8: services[1].queu: found an unknown key; did you mean "queue"?',
        'policy.toml:9: branches[0].lines: expected the key "lines": a list',
        'policy.toml:10: branches[0].name: found "no/rth", '
        "expected text that matches ^[A-Za-z0-9_-]{1,64}\\Z",
        'policy.toml:11: branches[0].time_zone: found "", expected text of 1 to 64 characters',
        'policy.toml:12: branches[0].day_begins: found both "day_begins" and "day_begins_min", '
        "expected one of them",
        "policy.toml:14: branches[0].grace: found 90, expected a duration such as "
        '"250ms", "20s", "1m30s" or "2h"; whole milliseconds go with the key "grace_ms"',
        "policy.toml:15: branches[0].title: found 7, expected text",
        'policy.toml:16: branches[0].hours.mo: found "mo", '
        'expected a weekday or a range of them, such as "sat" or "mon-fri"',
        'policy.toml:16: branches[0].hours.tue: found "9-17", '
        'expected hours such as "09:00-12:30, 13:30-17:00", or "closed"',
        'policy.toml:17: branches[0].dates.24-12: found "24-12", '
        'expected a date such as "2026-12-24"',
        "policy.toml:21: branches[1].day_begins: found 4, "
        'expected a time of day such as "04:00", from "00:00" to "23:59"',
        'policy.toml:22: branches[1].hours: found "09:00-17:00", expected a table',
        'policy.toml:23: branches[1].lines[0].services: found "cash", expected a list',
        'policy.toml:23: branches[1].lines[0].prefix: found "A1", '
        "expected text that matches ^[A-Za-z]{0,4}\\Z",
        "policy.toml:23: branches[1].lines[0].width: found 7, expected a whole number from 1 to 6",
        'roster.toml:7: desks[0].branch: expected the key "branch": '
        "text that matches ^[A-Za-z0-9_-]{1,64}\\Z",
        "roster.toml:8: desks[0].name: found 1, expected text",
        'roster.toml:12: desks[1].service: found an unknown key; did you mean "services"?',
    ] == refusal(tmp_path, POLICY + WRONG_SHAPES, ROSTER + desks)


WRONG_VALUES = """\
[[services]]
name = "loans"
queue = "counte"
[[branches]]
name = "north"
time_zone = "Europe/Berln"
[branches.hours]
mon-wed = "17:00-09:00"
sat = "09:00-12:00, 11:00-13:00"
wed = "closed"
[branches.dates]
2026-02-30 = "closed"
[[branches.lines]]
name = "a"
services = ["cash", "loan"]
[[branches.lines]]
name = "b"
services = ["cash"]
"""


def test_everything_wrong_with_the_values_is_said_at_once(tmp_path: Path) -> None:
    desks = '[[desks]]\nbranch = "south"\nname = "1"\n' + DESK + 'services = ["mail"]\n' + DESK

    expected = [
        'policy.toml:6: warning: services[1]: no line of any branch gives tickets for service "loa',
        'policy.toml:8: services[1].queue: found queue "counte", expected an open queue of the pol',
        'policy.toml:11: branches[0].time_zone: found "Europe/Berln", expected a time zone of the ',
        "policy.toml:13: branches[0].hours.mon-wed: found 17:00-09:00, expected that it closes aft",
        "policy.toml:14: branches[0].hours.sat: found 09:00-12:00 and 11:00-13:00, which overlap",
        'policy.toml:15: branches[0].hours.wed: found "wed" again: it is in "mon-wed" too',
        'policy.toml:17: branches[0].dates.2026-02-30: found "2026-02-30", expected a date of the ',
        'policy.toml:20: branches[0].lines[0].services[1]: found service "loan", expected one of t',
        'policy.toml:21: branches[0].lines[1].start: found prefix "" and start 1 as of line "a": e',
        'policy.toml:23: branches[0].lines[1].services[0]: found service "cash", which is in line ',
        'roster.toml:8: desks[0].branch: found branch "south", expected one of the branches: north',
        'roster.toml:13: desks[1].services[0]: found service "mail", which branch "north" does not',
        'roster.toml:16: desks[2].name: found desk "north/1" again, expected each one once',
    ]
    said = refusal(tmp_path, POLICY + WRONG_VALUES, ROSTER + desks)
    assert expected == [each[: len(one)] for each, one in zip(said, expected, strict=True)]


def test_a_time_zone_is_guessed(tmp_path: Path) -> None:
    (said,) = refusal(tmp_path, POLICY + BRANCH.replace("Berlin", "Berln"), ROSTER + DESK)

    assert said.endswith('did you mean "Europe/Berlin"?')


def test_what_only_a_left_out_row_brought_about_is_not_said(tmp_path: Path) -> None:
    said = refusal(tmp_path, POLICY.replace('"counter"', "1") + BRANCH, ROSTER + DESK)

    assert ["policy.toml:5: services[0].queue: found 1, expected text"] == said


def test_rows_keep_their_number_where_one_before_is_left_out(tmp_path: Path) -> None:
    wrong = BRANCH.replace('"north"', "1") + BRANCH.replace("Berlin", "Berln")
    said = refusal(tmp_path, POLICY + wrong, ROSTER + DESK)

    assert ["policy.toml:7: branches[0].name", "policy.toml:15: branches[1].time_zone"] == [
        each.split(": found")[0] for each in said
    ]


def test_a_warning_about_branches_does_not_refuse(tmp_path: Path) -> None:
    configuration = read(tmp_path, POLICY + BRANCH, ROSTER)

    assert configuration.branches is not None
    assert [(12, BranchReason.SERVICE_WITHOUT_DESK, "branches[0].lines[0].services[0]")] == [
        (each.line, each.reason, each.place) for each in configuration.warnings
    ]


def test_visitors_who_are_connected_by_acceptance_are_refused_at_the_channel(
    tmp_path: Path,
) -> None:
    policy = POLICY.replace("[queues", '[channels.walk_in]\nconnects = "accept"\n[queues')
    (said,) = refusal(tmp_path, policy + BRANCH, ROSTER + DESK)

    assert said.startswith('policy.toml:3: channels.walk_in.connects: found "accept"')


def test_branches_that_are_no_list_are_one_finding(tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as caught:
        read(tmp_path, POLICY + "[branches.north]\n", ROSTER)
    assert [(ShapeReason.WRONG_TYPE, "branches")] == [
        (each.reason, each.place) for each in caught.value.findings
    ]


# --- Round trip -----------------------------------------------------------------------------------

SERVICES = tuple(ServiceName(name) for name in ("cash", "loans", "mail"))
titles = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20)
stretches = st.lists(st.integers(0, 1440), unique=True, max_size=6).map(
    lambda minutes: tuple(map(Opening, sorted(minutes)[::2], sorted(minutes)[1::2]))
)
durations = st.integers(0, 400 * 24 * 3600 * 1000)


@st.composite
def branches(draw: st.DrawFn, name: str) -> Branch:
    offered = draw(st.permutations(SERVICES))
    cut = draw(st.integers(0, 3))
    lines = (
        Line(name=LineName("a"), prefix="A", services=tuple(offered[:cut])),
        Line(
            name=LineName("b"),
            prefix=draw(st.sampled_from(["", "b", "XYZW"])),
            services=tuple(offered[cut:]),
            width=draw(st.integers(1, 6)),
            start=draw(st.integers(0, 999_999)),
        ),
    )
    weekdays = draw(st.lists(st.integers(0, 6), unique=True))
    dates = draw(st.lists(st.dates().map(str), unique=True, max_size=3))
    return Branch(
        name=BranchName(name),
        time_zone=draw(st.sampled_from(["UTC", "Pacific/Kiritimati"])),
        lines=lines,
        week=tuple(WeekdayHours(day, draw(stretches)) for day in weekdays),
        dates=tuple(DateHours(date, draw(stretches)) for date in dates),
        day_begins_min=draw(st.integers(0, 1439)),
        grace_ms=draw(st.none() | durations),
        close_after_ms=draw(durations),
        clock_tolerance_ms=draw(st.integers(1000, 24 * 3600 * 1000)),
        title=draw(titles),
        closed=draw(st.booleans()),
    )


plans = st.builds(
    Branches,
    version=st.just("p1/r1"),
    services=st.tuples(
        *(
            st.builds(
                Service,
                name=st.just(name),
                queue=st.just(QueueName("counter")),
                usual_ms=durations,
                title=titles,
                closed=st.booleans(),
            )
            for name in SERVICES
        )
    ),
    branches=st.tuples(branches("north"), branches("south")),
    desks=st.tuples(
        st.builds(
            Desk,
            branch=st.just(BranchName("north")),
            name=st.from_regex("[A-Za-z0-9_-]{1,8}", fullmatch=True),
            services=st.lists(st.sampled_from(SERVICES), unique=True).map(tuple),
        )
    ),
)


@given(plans)
def test_all_sound_branches_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory, plan: Branches
) -> None:
    policy = Policy(version="p1", queues=(QueueRules(name=QueueName("counter")),))
    texts = write_policy(policy, plan), write_roster(Roster(version="r1"), plan)

    assert plan == read(tmp_path_factory.getbasetemp(), *texts).branches
