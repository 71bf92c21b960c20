"""Rules of visitors: a sound scenario has no findings; each rule is broken once."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.simulation.branch_worlds import branches, calls, clerks, day, policy, visitors

from usher.queue.branches import DESKS_MAX, Branches
from usher.queue.rules import Capacity, ChannelCapacity, Connects, Policy
from usher.queue.values import Channel, QueueName
from usher.router.branch_policy import BranchReason
from usher.router.findings import Place, Reason, Severity
from usher.router.service.files import FileRefused
from usher.simulation.distributions import Deterministic
from usher.simulation.files.scenario_file import read_scenario
from usher.simulation.scenario import (
    Arrivals,
    Curve,
    Day,
    Desks,
    Group,
    Listed,
    Scenario,
    Weekday,
)
from usher.simulation.scenario_routing import RoutingReason
from usher.simulation.scenario_rules import ScenarioReason, check_scenario
from usher.simulation.scenario_visits import VisitReason

SCENARIOS = Path(__file__).parents[2] / "simulation/usher/simulation/scenarios"
VISIT = visitors(0)
ADVICE = visitors(0, service="advice")
DESK = clerks(2, skills={"advice": 5})
SOUND = day({"visit": VISIT, "advice": ADVICE}, {"desk": DESK})
VOICE = Capacity(units=1, channels={Channel.VOICE: ChannelCapacity()})
MAIN = Desks(branch="main", count=1)
ERROR, WARNING = Severity.ERROR, Severity.WARNING

Broken = tuple[Scenario, Place, str, Severity, str]


def with_visit(**values: object) -> Scenario:
    return replace(SOUND, types={**SOUND.types, "visit": replace(VISIT, **values)})


def with_desks(*rows: Desks) -> Scenario:
    return replace(SOUND, desks=rows)


def with_group(name: str, group: Group) -> Scenario:
    return replace(SOUND, groups={**SOUND.groups, name: group})


def test_sound_visitors_have_no_findings() -> None:
    assert [] == check_scenario(SOUND, policy(), branches())
    desks = (Desks(branch="main", count=2), Desks(branch="main", count=1, services=("cash",)))
    assert [] == check_scenario(with_desks(*desks), policy(), branches())


BROKEN: list[Broken] = [
    (
        with_visit(branch="mian"),
        ("types", "visit", "branch"),
        VisitReason.UNKNOWN_BRANCH,
        ERROR,
        'found "mian", expected a branch of the policy: main; did you mean "main"?',
    ),
    (
        with_visit(service="cards"),
        ("types", "visit", "service"),
        VisitReason.UNKNOWN_SERVICE,
        ERROR,
        'found "cards", expected a service of branch "main": advice, cash',
    ),
    (
        with_group("more", clerks(desk_branch="north")),
        ("groups", "more", "desk_branch"),
        VisitReason.UNKNOWN_BRANCH,
        ERROR,
        'found "north", expected a branch of the policy: main',
    ),
    (
        replace(SOUND, groups={"desk": replace(DESK, desk_branch="")}),
        ("types", "visit"),
        RoutingReason.NOBODY_SERVES,
        ERROR,
        'no group can serve it: expected desks at branch "main", found none (desk)',
    ),
    (
        replace(SOUND, groups={"desk": clerks()}),
        ("types", "advice"),
        RoutingReason.NOBODY_SERVES,
        ERROR,
        'no group can serve it: expected skill "advice" of level 3 or above, found none (desk)',
    ),
    (
        with_desks(Desks(branch="main", count=2, services=("cash",))),
        ("types", "advice", "service"),
        VisitReason.SERVICE_WITHOUT_DESK,
        ERROR,
        'found "advice", but the desks of branch "main" give cash',
    ),
    (
        with_desks(Desks(branch="main", count=1), Desks(branch="north", count=1)),
        ("desks", 1, "branch"),
        BranchReason.UNKNOWN_BRANCH,
        ERROR,
        'found branch "north", expected one of the branches: main',
    ),
    (
        with_desks(Desks(branch="main", count=3, services=("advice", "cash", "cards"))),
        ("desks", 0, "services", 2),
        BranchReason.SERVICE_NOT_OFFERED,
        ERROR,
        'found service "cards", which branch "main" does not offer',
    ),
    (
        with_desks(*[Desks(branch="main", count=DESKS_MAX)] * 2),
        ("desks",),
        Reason.TOO_MANY,
        ERROR,
        "found 20000 desks, expected at most 10000",
    ),
    (
        replace(SOUND, horizon=Day(weekday=Weekday.SUNDAY)),
        ("types", "visit", "branch"),
        VisitReason.BRANCH_CLOSED,
        ERROR,
        'found "main", which is not open on "sun" within "00:00" to "24:00", the hours of the run',
    ),
    (
        with_visit(walk=Deterministic(61)),
        ("types", "visit", "walk"),
        VisitReason.WALK_TOO_LONG,
        WARNING,
        'found a mean of 61 s, expected at most 60 s, the grace of branch "main"',
    ),
    (
        with_group("idle", clerks(capacity=VOICE)),
        ("groups", "idle", "desk_branch"),
        VisitReason.DESK_NEVER,
        WARNING,
        'found branch "main", but no visitors come there whom the group may serve',
    ),
    (
        day({"call": calls(0)}, {"front": Group(capacity=VOICE, agents=1)}, desks=(MAIN,)),
        ("desks", 0),
        VisitReason.DESK_NEVER,
        WARNING,
        "found desks, but nobody sits at any, and no visitor comes",
    ),
    (
        day({"call": calls(0, no_show=0.1)}, {"front": Group(capacity=VOICE, agents=1)}),
        ("types", "call", "no_show"),
        VisitReason.NOT_OF_VISITORS,
        WARNING,
        'found "no_show", which has no effect: only visitors of a branch are called',
    ),
]


@pytest.mark.parametrize(("scenario", "place", "reason", "severity", "said"), BROKEN)
def test_a_broken_rule_is_found_at_its_place(
    scenario: Scenario, place: Place, reason: str, severity: Severity, said: str
) -> None:
    findings = check_scenario(scenario, policy(), branches())
    (found,) = (one for one in findings if one.place == place)
    assert (reason, severity) == (found.reason, found.severity)
    assert said in found.message


@pytest.mark.parametrize(
    ("arrivals", "key", "said"),
    [
        (Listed(at_s=(0, 3_599, 3_600)), "at_s", "found 1 of 3 arrivals"),
        (Curve(counts=(8, 8), every_min=40), "counts", "found 4 of 16 arrivals"),
    ],
)
def test_visitors_who_come_while_a_branch_is_closed_are_told(
    arrivals: Arrivals, key: str, said: str
) -> None:
    (found,) = check_scenario(with_visit(arrivals=arrivals), policy(), branches((0, 20), (20, 60)))
    assert (("types", "visit", "arrivals", key), WARNING) == (found.place, found.severity)
    assert f'{said} when branch "main" is closed on "mon": they are turned away' == found.message


def test_visitors_who_come_outside_the_hours_of_the_run_are_told_once() -> None:
    scenario = replace(with_visit(arrivals=Listed(at_s=(60, 3_600))), horizon=Day(closes_min=50))
    (found,) = check_scenario(scenario, policy(), branches((0, 50)))
    assert ScenarioReason.OUTSIDE_HOURS == found.reason


def test_visitors_of_a_policy_without_branches_are_refused() -> None:
    findings = check_scenario(SOUND, policy(), None)
    message = 'found "main", expected a branch of the policy: none'
    assert {message} == {one.message for one in findings}


@pytest.mark.parametrize(
    ("changes", "key", "reason", "said"),
    [
        (
            {"queue": QueueName("cash")},
            None,
            ScenarioReason.QUEUE_OR_BRANCH,
            'found queue "cash" and branch "main", expected either "queue" or "branch"',
        ),
        (
            {"service": ""},
            "branch",
            ScenarioReason.BRANCH_AND_SERVICE,
            'found branch "main", expected a service with it',
        ),
        (
            {"branch": "", "queue": "calls"},
            "service",
            ScenarioReason.BRANCH_AND_SERVICE,
            'found service "cash", expected a branch with it',
        ),
        (
            {"channel": Channel.VOICE},
            "channel",
            ScenarioReason.NO_VISITORS,
            'found "voice", expected "walk_in": they take a ticket',
        ),
    ],
)
def test_visitors_come_to_a_branch_for_a_service(
    changes: dict[str, object], key: str | None, reason: str, said: str
) -> None:
    scenario = with_visit(**changes)
    place = ("types", "visit") if key is None else ("types", "visit", key)
    found = check_scenario(scenario, policy(), branches())
    assert (place, reason, ERROR) in [(one.place, one.reason, one.severity) for one in found]
    assert said in [one.message for one in check_scenario(scenario, None)]


def in_policy(rules: Policy, known: Branches) -> list[Place]:
    return [one.place for one in check_scenario(SOUND, rules, known)]


def test_what_is_wrong_with_branches_is_at_its_place_in_the_policy() -> None:
    known = branches()
    services = (replace(known.services[0], queue=QueueName("nowhere")), known.services[1])
    assert [("services", 0, "queue")] == in_policy(policy(), replace(known, services=services))
    accept = policy({"connects": Connects.ACCEPT})
    assert [("channels", "walk_in", "connects")] == in_policy(accept, known)


def test_a_refusal_tells_the_lines_of_both_files(tmp_path: Path) -> None:
    for name in ("bank.toml", "bank.policy.toml"):
        (tmp_path / name).write_text((SCENARIOS / name).read_text(encoding="utf-8"), "utf-8")
    for name, right, wrong in (
        ("bank.policy.toml", 'queue = "advice"', 'queue = "advise"'),
        ("bank.policy.toml", '"08:00-12:30, 13:30-17:30"', '"08:00-13:30, 12:30-17:30"'),
        ("bank.toml", 'service = "account"', 'service = "acount"'),
        ("bank.toml", "count = 2\nservices = [", 'count = 2\nservices = ["cards", '),
    ):
        path = tmp_path / name
        text = path.read_text(encoding="utf-8")
        assert right in text
        path.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(FileRefused) as caught:
        read_scenario(tmp_path / "bank.toml")
    said = [f"{Path(one.file).name} {one.place}" for one in caught.value.findings]
    assert [
        "bank.policy.toml services[2].queue",
        "bank.policy.toml branches[1].hours.mon-fri",
        "bank.toml types.account-main.service",
        "bank.toml desks[1].services[0]",
    ] == said
    assert all(one.line for one in caught.value.findings)
