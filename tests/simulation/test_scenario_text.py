"""Scenarios written as files: what is read back is equal, and a person can read it too."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from usher.queue.measures import ServiceLevel
from usher.queue.rules import Capacity, ChannelCapacity, ChannelRules, Policy, QueueRules
from usher.queue.values import Channel, QueueName
from usher.router.service.files import write_policy
from usher.simulation.distributions import (
    AnyDistribution,
    Deterministic,
    Empirical,
    Erlang,
    Exponential,
    Gamma,
    Hyperexponential,
    LogNormal,
    Uniform,
    Weibull,
)
from usher.simulation.files.scenario_file import read_scenario
from usher.simulation.files.scenario_text import LINE_MOST, scenario_toml
from usher.simulation.scenario import (
    Again,
    Arrivals,
    Break,
    ContactType,
    Curve,
    Day,
    Gaps,
    Group,
    Listed,
    Outage,
    Poisson,
    Scenario,
    Shift,
    Steady,
    Target,
)

LIBRARY = Path("simulation/usher/simulation/scenarios")
NAMES = sorted(path.name for path in LIBRARY.glob("*.toml") if ".policy." not in path.name)
PHONE = Capacity(units=1, channels={Channel.VOICE: ChannelCapacity(1, 1, 1)})
CALL = ContactType(
    queue=QueueName("calls"),
    channel=Channel.VOICE,
    arrivals=Poisson(per_hour=60),
    handling=Exponential(180),
)
PLAIN = Scenario(
    name="plain",
    policy="policy.toml",
    types={"call": CALL},
    groups={"front": Group(capacity=PHONE, agents=4)},
)
EVERYTHING = Scenario(
    name="everything",
    title='Ein "Montag"\n\x7f',
    policy="policy.toml",
    horizon=Day(opens_min=480, closes_min=1440, finish_ms=5_400_001),
    target=Target(level=ServiceLevel.OF_ANSWERED, threshold_ms=30_000, short_abandon_ms=0),
    outages=(Outage(site="north", from_min=600, until_min=615),),
    queue_most=500,
    types={
        "call-de_1": ContactType(
            queue=QueueName("calls"),
            channel=Channel.VOICE,
            arrivals=Curve(
                counts=(10, 12.5, 1 / 3, 1e-9, 0) * 8,
                starts_min=480,
                every_min=15,
                day_factor=Gamma(1, 0.1),
                interval_factor=Gamma(1, 0.05),
            ),
            handling=Empirical(tuple(number / 7 for number in range(200))),
            patience=Hyperexponential((0.25, 0.75), (10, 200)),
            wrap_up=Erlang(20, 2),
            balking=Uniform(60, 600),
            batch=(0.9, 0.1),
            redial=Again(share=0.5, after=Weibull(3600, 0.7)),
            retrial=Again(share=1, after=LogNormal(60, 90.5), most=2),
            value=-1.5,
            languages=("en", "de-AT"),
            topic="loans",
            tier=3,
            complexity=2,
        ),
        "letter": replace(CALL, arrivals=Gaps(gap=Deterministic(600))),
        "listed": replace(
            CALL, arrivals=Listed(at_s=(30_000, 30_000.5), patience_s=(0.0, 1e6)), no_show=0.1
        ),
    },
    groups={
        "front": Group(
            capacity=PHONE,
            site="north",
            skills={"billing": 5, "a.b": 1},
            groups=("one",),
            languages=("en",),
            speed={"call-de_1": 1.25},
            quality={"call-de_1": 0.9},
            absence=0.05,
            returns_after_ms=90_000,
            cost_per_hour=31,
            answering=Exponential(2.5),
            shifts=(
                Shift(
                    agents=3,
                    from_min=480,
                    until_min=960,
                    breaks=(Break(from_min=720, until_min=750),),
                ),
                Shift(agents=2, from_min=600, until_min=1440),
            ),
        ),
        "side": Group(capacity=PHONE, agents=1, skills={"billing": 5}),
        "online": Group(
            capacity=Capacity(9, {Channel.VOICE: ChannelCapacity(3, 3)}),
            agents=2,
            slowdown={Channel.VOICE: (1, 0.8, 0.7)},
        ),
    },
)
SHOWN = """\
name = "shown"
policy = "policy.toml"
horizon = { kind = "day", opens = "08:00", closes = "18:00" }

[types.call]
arrivals = { kind = "poisson", per_hour = 60 }
handling = { kind = "lognormal", average = 180, deviation = 150.5 }
channel = "voice"
queue = "calls"

[types.call.patience]
kind = "empirical"
values = [
    1000000, 1000001, 1000002, 1000003, 1000004, 1000005, 1000006, 1000007, 1000008, 1000009,
    1000010, 1000011,
]

[capacities.front]
units = 1
channels = { voice = { wrap_up_price = 1 } }

[groups.front]
capacity = "front"
shifts = [
    { agents = 3, from = "08:00", until = "16:00", breaks = [{ from = "12:00", until = "12:30" }] },
    { agents = 2, from = "10:00", until = "18:00" },
]
returns_after = "1m30s"

[groups.back]
capacity = "front"
agents = 1
"""


def read_back(scenario: Scenario, folder: Path) -> Scenario:
    """Returns what a reader makes of the text."""
    path = folder / "scenario.toml"
    path.write_text(scenario_toml(scenario), encoding="utf-8")
    return read_scenario(path).scenario


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the policy that the scenarios here name."""
    rules = ChannelRules(wrap_up_ms=60_000)
    queues = (QueueRules(name=QueueName("calls")),)
    policy = Policy(version="1", queues=queues, channels={Channel.VOICE: rules})
    (tmp_path / "policy.toml").write_text(write_policy(policy), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_of_the_library_is_read_back_as_it_was(
    name: str, repo: Path, tmp_path: Path
) -> None:
    for path in (repo / LIBRARY).glob("*.policy.toml"):
        shutil.copy(path, tmp_path)
    scenario = read_scenario(repo / LIBRARY / name).scenario
    assert scenario == read_back(scenario, tmp_path)


@pytest.mark.parametrize(
    "scenario",
    [
        PLAIN,
        EVERYTHING,
        replace(PLAIN, horizon=Steady(warm_up=0, batches=3)),
        replace(PLAIN, horizon=Day(), target=Target()),
    ],
)
def test_every_field_is_read_back_as_it_was(scenario: Scenario, folder: Path) -> None:
    assert scenario == read_back(scenario, folder)


positive = st.floats(min_value=1e-9, max_value=1e9)
share = st.floats(min_value=0, max_value=1)


@st.composite
def distributions(draw: st.DrawFn) -> AnyDistribution:
    """Any distribution of the simulator."""
    low, spread = draw(positive), draw(st.floats(0.1, 10))
    numbers = draw(st.lists(positive, min_size=1, max_size=60))
    simple: list[AnyDistribution] = [
        *(
            Exponential(low),
            Deterministic(low),
            Uniform(low, 2 * low),
            LogNormal(low, low * spread),
        ),
        *(Gamma(low, low * spread), Erlang(low, draw(st.integers(1, 99))), Weibull(low, spread)),
        Hyperexponential((1.0,), (low,)),
        Empirical(tuple(numbers)),
    ]
    return draw(st.sampled_from(simple))


@st.composite
def arrivals(draw: st.DrawFn) -> Arrivals:
    """Any arrivals that end within the day."""
    counts = draw(st.lists(positive, min_size=1, max_size=24))
    chosen: list[Arrivals] = [
        Poisson(per_hour=draw(positive)),
        Gaps(gap=Deterministic(draw(positive))),
        Listed(at_s=tuple(sorted(counts))),
        Curve(counts=tuple(counts), every_min=draw(st.integers(1, 60))),
    ]
    return draw(st.sampled_from(chosen))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(came=arrivals(), handling=distributions(), patience=distributions(), left=share)
def test_made_up_numbers_are_read_back_to_the_last_digit(
    folder: Path, came: Arrivals, handling: AnyDistribution, patience: AnyDistribution, left: float
) -> None:
    again = Again(share=left, after=patience)
    kind = replace(CALL, arrivals=came, handling=handling, patience=patience, retrial=again)
    scenario = replace(PLAIN, types={"call": kind})
    assert scenario == read_back(scenario, folder)


def test_a_person_can_read_the_text() -> None:
    kind = replace(
        CALL,
        handling=LogNormal(180, 150.5),
        patience=Empirical(tuple(float(1_000_000 + number) for number in range(12))),
    )
    lunch = (Break(from_min=720, until_min=750),)
    early = Shift(agents=3, from_min=480, until_min=960, breaks=lunch)
    late = Shift(agents=2, from_min=600, until_min=1080)
    scenario = Scenario(
        name="shown",
        policy="policy.toml",
        horizon=Day(opens_min=480, closes_min=1080),
        types={"call": kind},
        groups={
            "front": Group(capacity=PHONE, shifts=(early, late), returns_after_ms=90_000),
            "back": Group(capacity=PHONE, agents=1),
        },
    )
    assert SHOWN == scenario_toml(scenario)


def test_no_line_is_longer_than_a_screen_where_it_can_be_broken() -> None:
    assert LINE_MOST >= max(map(len, scenario_toml(EVERYTHING).splitlines()))


def test_a_number_that_is_not_finite_is_refused() -> None:
    kind = replace(CALL, handling=Exponential(float("inf")))
    with pytest.raises(ValueError, match="found inf, expected a finite number"):
        scenario_toml(replace(PLAIN, types={"call": kind}))
