"""Rules of a scenario: a sound one has no findings; each rule is broken once, and once nearly."""

import numpy as np
import pytest
from msgspec.structs import replace

from usher.queue.rules import (
    AgentProfile,
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Policy,
    QueueRules,
    Requirement,
)
from usher.queue.values import Channel, ChannelName, QueueName
from usher.router.findings import Place, Reason, Severity, errors_of
from usher.router.skills import Skills
from usher.simulation.distributions import Deterministic, Empirical, Exponential, Gamma
from usher.simulation.scenario import (
    AGENTS_MOST,
    Again,
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
)
from usher.simulation.scenario_routing import RoutingReason, check_routing
from usher.simulation.scenario_rules import ScenarioReason, check_scenario

SALES = QueueName("sales")
VOICE, CHAT = Channel.VOICE, Channel.CHAT
POLICY = Policy(
    version="1",
    queues=(
        QueueRules(
            name=SALES,
            channels=(VOICE, CHAT),
            requirements=(Requirement("sales", 3), Requirement("contracts", 0)),
            groups=("front", "back"),
        ),
        QueueRules(name=QueueName("other"), wrap_up_ms=0),
    ),
    channels={VOICE: ChannelRules(wrap_up_ms=30_000), CHAT: ChannelRules(automatic_accept=True)},
)
CALL = ContactType(
    arrivals=Poisson(per_hour=60),
    handling=Exponential(180),
    channel=VOICE,
    queue=SALES,
    patience=Exponential(120),
)
BOTH = Capacity(12, {VOICE: ChannelCapacity(12), CHAT: ChannelCapacity(4, 3)})
FRONT = Group(
    capacity=BOTH, agents=4, skills={"sales": 3}, groups=("front",), languages=("en",), site="north"
)
SOUND = Scenario(
    name="monday",
    types={"call": CALL},
    groups={"front": FRONT},
    horizon=Day(opens_min=480, closes_min=1080),
)

Found = tuple[Place, str, Severity]


def found(scenario: Scenario, policy: Policy | None = POLICY) -> list[Found]:
    return [(one.place, one.reason, one.severity) for one in check_scenario(scenario, policy)]


def with_type(**values: object) -> Scenario:
    return replace(SOUND, types={"call": replace(CALL, **values)})


def with_group(**values: object) -> Scenario:
    return replace(SOUND, groups={"front": replace(FRONT, **values)})


def shift(from_min: int, until_min: int, *breaks: tuple[int, int]) -> Shift:
    rest = tuple(Break(from_min=one, until_min=other) for one, other in breaks)
    return Shift(agents=2, from_min=from_min, until_min=until_min, breaks=rest)


def outage(from_min: int, until_min: int, site: str = "north") -> Outage:
    return Outage(site=site, from_min=from_min, until_min=until_min)


def curve(*counts: float, **values: object) -> Curve:
    return replace(Curve(counts=counts, starts_min=480, every_min=60), **values)


def test_a_sound_scenario_has_no_findings() -> None:
    assert [] == check_scenario(SOUND, POLICY)


BROKEN: list[tuple[Scenario, Place, str, str]] = [
    (
        replace(SOUND, types={}),
        ("types",),
        ScenarioReason.NO_TYPE,
        "found no type of contacts, expected at least one",
    ),
    (
        replace(SOUND, groups={}),
        ("groups",),
        ScenarioReason.NO_GROUP,
        "found no group of agents, expected at least one",
    ),
    (
        with_group(agents=AGENTS_MOST, shifts=(shift(480, 960),)),
        ("groups",),
        Reason.TOO_MANY,
        "found 10002 agents of all groups and shifts, expected at most 10000",
    ),
    (
        replace(SOUND, types={"call/1": CALL}),
        (),
        Reason.OUT_OF_BOUNDS,
        "`key` in `$.types`",
    ),
    (
        replace(SOUND, groups={"x" * 49: FRONT}),
        (),
        Reason.OUT_OF_BOUNDS,
        "`key` in `$.groups`",
    ),
    (
        with_type(queue=""),
        ("types", "call"),
        ScenarioReason.QUEUE_OR_BRANCH,
        'found neither, expected either "queue" or "branch"',
    ),
    (
        with_type(batch=(0.5, 0.3)),
        ("types", "call", "batch"),
        ScenarioReason.SHARES_OFF,
        "found shares that add up to 0.8, expected 1",
    ),
    (
        with_type(arrivals=Listed(at_s=(30_000, 40_000, 39_999.5, 1))),
        ("types", "call", "arrivals", "at_s", 2),
        ScenarioReason.NOT_ASCENDING,
        "found 39999.5 after 40000, expected",
    ),
    (
        with_type(arrivals=Listed(at_s=(30_000, 30_001), handling_s=(1,))),
        ("types", "call", "arrivals", "handling_s"),
        ScenarioReason.RECORD_OFF,
        "found 1 durations, expected 2, as of at_s",
    ),
    (
        with_type(arrivals=Listed(at_s=(30_000,), patience_s=(1, 2))),
        ("types", "call", "arrivals", "patience_s"),
        ScenarioReason.RECORD_OFF,
        "found 2 durations, expected 1, as of at_s",
    ),
    (
        with_type(arrivals=Listed(at_s=(30_000,), patience_s=(1,)), batch=(0.5, 0.5)),
        ("types", "call", "batch"),
        ScenarioReason.RECORD_OFF,
        "found batches, but each recorded duration is of one contact",
    ),
    (
        with_type(arrivals=Gaps(gap=Deterministic(0))),
        ("types", "call", "arrivals", "gap"),
        ScenarioReason.NO_GAP,
        "expected a mean above 0",
    ),
    (
        with_type(arrivals=curve(*[1] * 17)),
        ("types", "call", "arrivals", "counts"),
        ScenarioReason.BEYOND_MIDNIGHT,
        'found 17 counts for 60 min each from "08:00" on, until "25:00", expected',
    ),
    (
        replace(with_type(arrivals=curve(1)), horizon=Steady()),
        ("types", "call", "arrivals", "kind"),
        ScenarioReason.ARRIVALS_END,
        'found "curve", which ends; expected "poisson" or "gaps"',
    ),
    (
        replace(with_type(arrivals=Listed(at_s=(1,))), horizon=Steady()),
        ("types", "call", "arrivals", "kind"),
        ScenarioReason.ARRIVALS_END,
        'found "listed", which ends',
    ),
    (
        replace(with_group(shifts=(shift(480, 960),)), horizon=Steady()),
        ("groups", "front", "shifts"),
        ScenarioReason.OF_A_DAY,
        "found 1, expected none",
    ),
    (
        replace(SOUND, horizon=Steady(), outages=(outage(480, 500),)),
        ("outages",),
        ScenarioReason.OF_A_DAY,
        "found 1, expected none",
    ),
    (
        replace(SOUND, horizon=Day(opens_min=480, closes_min=480)),
        ("horizon",),
        ScenarioReason.ENDS_BEFORE_IT_BEGINS,
        'found "08:00" to "08:00", expected an end after the beginning',
    ),
    (
        with_group(speed={"cal": 1.1}),
        ("groups", "front", "speed", "cal"),
        ScenarioReason.UNKNOWN_TYPE,
        'found "cal", expected a type of the scenario: call; did you mean "call"?',
    ),
    (
        with_group(quality={"mail": 1.0}),
        ("groups", "front", "quality", "mail"),
        ScenarioReason.UNKNOWN_TYPE,
        'found "mail", expected a type of the scenario: call',
    ),
    (
        with_group(slowdown={ChannelName("caht"): (1.0, 0.8)}),
        ("groups", "front", "slowdown", "caht"),
        Reason.UNKNOWN_CHANNEL,
        'found "caht", expected a channel of the group\'s capacity: chat, voice; did you mean',
    ),
    (
        with_group(slowdown={VOICE: (1.0, 0.8)}),
        ("groups", "front", "slowdown", "voice"),
        ScenarioReason.SLOWDOWN_NEVER,
        "found capacity for 1 at once, expected it for two at least",
    ),
    (
        with_group(
            capacity=replace(BOTH, channels={**BOTH.channels, CHAT: ChannelCapacity(7, 3)}),
            slowdown={CHAT: (1.0, 0.8)},
        ),
        ("groups", "front", "slowdown", "chat"),
        ScenarioReason.SLOWDOWN_NEVER,
        "found capacity for 1 at once, expected it for two at least",
    ),
    (
        with_group(slowdown={CHAT: ()}),
        (),
        Reason.OUT_OF_BOUNDS,
        "slowdown",
    ),
    (
        with_group(shifts=(shift(480, 960), shift(960, 480, (500, 510)))),
        ("groups", "front", "shifts", 1),
        ScenarioReason.ENDS_BEFORE_IT_BEGINS,
        'found "16:00" to "08:00", expected',
    ),
    (
        with_group(shifts=(shift(480, 960, (600, 600)),)),
        ("groups", "front", "shifts", 0, "breaks", 0),
        ScenarioReason.ENDS_BEFORE_IT_BEGINS,
        'found "10:00" to "10:00", expected',
    ),
    (
        with_group(shifts=(shift(480, 960, (600, 630), (950, 970)),)),
        ("groups", "front", "shifts", 0, "breaks", 1),
        ScenarioReason.OUTSIDE_SHIFT,
        'found "15:50" to "16:10", expected it within the shift, "08:00" to "16:00"',
    ),
    (
        with_group(shifts=(shift(480, 960, (470, 490)),)),
        ("groups", "front", "shifts", 0, "breaks", 0),
        ScenarioReason.OUTSIDE_SHIFT,
        'found "07:50" to "08:10", expected it within the shift',
    ),
    (
        with_group(shifts=(shift(480, 960, (700, 720), (600, 640), (610, 620), (630, 635)),)),
        ("groups", "front", "shifts", 0, "breaks", 2),
        ScenarioReason.OVERLAP,
        'found "10:10" to "10:20", which overlaps "10:00" to "10:40"',
    ),
    (
        with_group(shifts=(shift(480, 960, (700, 720), (600, 640), (610, 620), (630, 635)),)),
        ("groups", "front", "shifts", 0, "breaks", 3),
        ScenarioReason.OVERLAP,
        'found "10:30" to "10:35", which overlaps "10:00" to "10:40"',
    ),
    (
        replace(SOUND, outages=(outage(600, 620, "nort"),)),
        ("outages", 0, "site"),
        ScenarioReason.UNKNOWN_SITE,
        'found "nort", expected the site of a group: north; did you mean "north"?',
    ),
    (
        replace(SOUND, outages=(outage(600, 590),)),
        ("outages", 0),
        ScenarioReason.ENDS_BEFORE_IT_BEGINS,
        'found "10:00" to "09:50", expected',
    ),
    (
        replace(SOUND, outages=(outage(600, 620), outage(590, 601))),
        ("outages", 0),
        ScenarioReason.OVERLAP,
        'found "10:00" to "10:20", which overlaps "09:50" to "10:01"',
    ),
    (
        with_type(channel="fax"),
        ("types", "call", "channel"),
        Reason.UNKNOWN_CHANNEL,
        'found "fax", expected a channel of the policy: callback, chat, email',
    ),
    (
        with_type(queue="sale"),
        ("types", "call", "queue"),
        RoutingReason.UNKNOWN_QUEUE,
        'found "sale", expected an open queue of the policy: other, sales; did you mean "sales"?',
    ),
    (
        with_type(channel=Channel.EMAIL),
        ("types", "call", "channel"),
        RoutingReason.CHANNEL_NOT_TAKEN,
        'found "email", expected a channel that queue "sales" takes: voice, chat',
    ),
    (
        with_type(queue="other", wrap_up=Exponential(20)),
        ("types", "call", "wrap_up"),
        RoutingReason.WRAP_UP_NEVER,
        'found a mean of 20 s, but the policy gives queue "other" on channel "voice" no wrap-up',
    ),
    (
        with_group(languages=("en", "EN")),
        ("groups", "front", "languages"),
        Reason.DUPLICATE,
        'found language "en" again',
    ),
    (
        with_group(capacity=Capacity(12, {**BOTH.channels, ChannelName("fax"): ChannelCapacity()})),
        ("groups", "front", "capacity", "channels", "fax"),
        Reason.UNKNOWN_CHANNEL,
        'found channel "fax", expected one that the policy names',
    ),
]


@pytest.mark.parametrize(("scenario", "place", "reason", "said"), BROKEN)
def test_what_would_spoil_a_run_is_an_error(
    scenario: Scenario, place: Place, reason: str, said: str
) -> None:
    errors = errors_of(check_scenario(scenario, POLICY))
    (error,) = [one for one in errors if (one.place[: len(place)], one.reason) == (place, reason)]

    assert said in error.message
    assert {place[:2]} == {one.place[:2] for one in errors}


DOUBTFUL: list[tuple[Scenario, Place, str, str]] = [
    (
        with_type(arrivals=curve(10, 20, starts_min=450)),
        ("types", "call", "arrivals", "counts"),
        ScenarioReason.OUTSIDE_HOURS,
        'found 5 of 30 arrivals outside the opening hours, "08:00" to "18:00"',
    ),
    (
        with_type(arrivals=curve(10, 20, 30, starts_min=360)),
        ("types", "call", "arrivals", "counts"),
        ScenarioReason.OUTSIDE_HOURS,
        "found 30 of 60 arrivals outside",
    ),
    (
        with_type(arrivals=Listed(at_s=(28_799, 28_800, 64_799, 64_800))),
        ("types", "call", "arrivals", "at_s"),
        ScenarioReason.OUTSIDE_HOURS,
        "found 2 of 4 arrivals outside",
    ),
    (
        with_type(arrivals=curve(1, day_factor=Gamma(1.1, 0.1))),
        ("types", "call", "arrivals", "day_factor"),
        ScenarioReason.FACTOR_OFF,
        "found a mean of 1.1, expected 1",
    ),
    (
        with_type(arrivals=curve(1, interval_factor=Empirical((0.5, 1.3)))),
        ("types", "call", "arrivals", "interval_factor"),
        ScenarioReason.FACTOR_OFF,
        "found a mean of 0.9, expected 1",
    ),
    (
        with_type(redial=Again(share=0.5, after=Exponential(60))),
        ("types", "call", "redial"),
        ScenarioReason.REDIAL_NEVER,
        'no group has a quality below 1 for "call"',
    ),
    (
        with_type(wrap_up=Exponential(31)),
        ("types", "call", "wrap_up"),
        RoutingReason.WRAP_UP_CUT_OFF,
        'found a mean of 31 s, expected at most 30 s, the wrap-up of queue "sales" on',
    ),
    (
        with_type(patience=None, retrial=Again(share=0.5, after=Exponential(60))),
        ("types", "call", "retrial"),
        RoutingReason.RETRIAL_NEVER,
        'expected "patience" or "balking"',
    ),
    (
        with_group(answering=Exponential(20.5)),
        ("groups", "front", "answering"),
        RoutingReason.ANSWERING_TOO_SLOW,
        'found a mean of 20.5 s, expected at most 20 s, the offer timeout of queue "sales"',
    ),
]


@pytest.mark.parametrize(("scenario", "place", "reason", "said"), DOUBTFUL)
def test_what_has_no_effect_or_another_one_is_a_warning(
    scenario: Scenario, place: Place, reason: str, said: str
) -> None:
    (warning,) = check_scenario(scenario, POLICY)

    assert (place, reason, Severity.WARNING) == (warning.place, warning.reason, warning.severity)
    assert said in warning.message


LIMITED = replace(POLICY, queues=(replace(POLICY.queues[0], most_waiting=9), *POLICY.queues[1:]))


@pytest.mark.parametrize(
    ("scenario", "policy"),
    [
        (with_type(batch=(0.1, 0.2, 0.7)), POLICY),
        (with_type(arrivals=Listed(at_s=(30_000, 30_000, 30_001))), POLICY),
        (with_type(arrivals=curve(*[1] * 10)), POLICY),
        (with_type(arrivals=Listed(at_s=(30_000,)), batch=(0.5, 0.5)), POLICY),
        (with_type(arrivals=Listed(at_s=(30_000,), handling_s=(1,)), batch=(1.0,)), POLICY),
        (
            with_type(
                arrivals=Listed(at_s=(30_000,), patience_s=(1,)),
                patience=None,
                retrial=Again(share=0.5, after=Exponential(60)),
            ),
            POLICY,
        ),
        (with_type(arrivals=curve(0, 1, starts_min=420)), POLICY),
        (replace(with_type(arrivals=curve(*[1] * 16)), horizon=Day()), POLICY),
        (with_type(arrivals=curve(1, day_factor=Empirical((0.5, 1.5)))), POLICY),
        (with_type(arrivals=Gaps(gap=Empirical((0, 0, 1)))), POLICY),
        (replace(SOUND, horizon=Steady()), POLICY),
        (with_group(slowdown={CHAT: (1.0, 0.8)}, speed={"call": 1.2}), POLICY),
        (with_group(shifts=(shift(480, 960, (600, 615), (615, 630)), shift(500, 960))), POLICY),
        (with_group(shifts=(shift(480, 960, (480, 490), (950, 960)),)), POLICY),
        (replace(SOUND, outages=(outage(600, 620), outage(620, 630))), POLICY),
        (with_type(wrap_up=Exponential(30)), POLICY),
        (with_type(queue="other", channel=CHAT), POLICY),
        (with_group(answering=Exponential(20)), POLICY),
        (
            replace(
                with_type(channel=CHAT), groups={"front": replace(FRONT, answering=Exponential(99))}
            ),
            POLICY,
        ),
        (with_type(retrial=Again(share=0.5, after=Exponential(60))), POLICY),
        (
            with_type(
                patience=None,
                balking=Exponential(60),
                retrial=Again(share=0.5, after=Exponential(60)),
            ),
            POLICY,
        ),
        (with_type(patience=None, retrial=Again(share=0.5, after=Exponential(60))), LIMITED),
        (
            replace(
                with_type(redial=Again(share=0.5, after=Exponential(60))),
                groups={"front": replace(FRONT, quality={"call": 0.9})},
            ),
            POLICY,
        ),
        (with_type(languages=("fr", "EN")), POLICY),
        (with_type(queue="wrong", wrap_up=Exponential(99), channel="fax"), None),
    ],
)
def test_what_is_just_within_a_rule_is_sound(scenario: Scenario, policy: Policy | None) -> None:
    assert [] == check_scenario(scenario, policy)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"capacity": Capacity(12, {CHAT: ChannelCapacity(4)})},
            'expected capacity for channel "voice", found chat (front)',
        ),
        (
            {"capacity": replace(BOTH, units=11)},
            'expected units for the price of channel "voice", found 11 for 12 (front)',
        ),
        (
            {"groups": ("side",)},
            "expected one of the queue's groups, front, back, found side (front)",
        ),
        ({"groups": ()}, "expected one of the queue's groups, front, back, found none (front)"),
        (
            {"skills": {"sales": 2}},
            'expected skill "sales" of level 3 or above, found level 2 (front)',
        ),
        ({"skills": {}}, 'expected skill "sales" of level 3 or above, found none (front)'),
        ({"languages": ("fr",)}, "expected a language of en, he, found fr (front)"),
        ({"agents": 0}, "expected somebody on duty, found nobody (front)"),
        ({"absence": 1.0}, "expected somebody on duty, found nobody (front)"),
        (
            {"agents": 0, "shifts": (shift(300, 480), replace(shift(480, 960), agents=0))},
            "expected somebody on duty, found nobody (front)",
        ),
        (
            {"agents": 0, "shifts": (shift(1110, 1200),)},
            "expected somebody on duty, found nobody (front)",
        ),
        (
            {"agents": 0, "skills": {}},
            'expected skill "sales" of level 3 or above, found none (front); '
            "expected somebody on duty, found nobody (front)",
        ),
    ],
)
def test_what_keeps_all_groups_from_a_contact_is_named(
    changes: dict[str, object], said: str
) -> None:
    asking = with_type(languages=("en", "he"))
    day = Day(opens_min=480, closes_min=1080, finish_ms=30 * 60_000)
    scenario = replace(asking, groups={"front": replace(FRONT, **changes)}, horizon=day)
    (error,) = errors_of(check_scenario(scenario, POLICY))

    assert (("types", "call"), RoutingReason.NOBODY_SERVES) == (error.place, error.reason)
    assert f"no group can serve it: {said}" == error.message


def test_where_groups_lack_different_things_each_is_told() -> None:
    deaf, idle = replace(FRONT, skills={}), replace(FRONT, agents=0)
    (error,) = check_scenario(replace(SOUND, groups={"a": deaf, "b": idle}), POLICY)

    assert (
        'no group can serve it: "a" lacks skill "sales" of level 3 or above (found none); '
        '"b" lacks somebody on duty (found nobody)'
    ) == error.message


def test_one_group_that_has_it_all_is_enough() -> None:
    deaf = replace(FRONT, skills={})

    assert [] == check_scenario(replace(SOUND, groups={"a": deaf, "b": FRONT, "c": deaf}), POLICY)


def test_a_shift_that_works_off_what_is_left_after_closing_counts() -> None:
    day = Day(opens_min=480, closes_min=1080, finish_ms=30 * 60_000)
    late = with_group(agents=0, shifts=(shift(1109, 1200),))

    assert [] == check_scenario(replace(late, horizon=day), POLICY)


def test_a_closed_queue_takes_nobody() -> None:
    closed = replace(POLICY, queues=(replace(POLICY.queues[0], closed=True), POLICY.queues[1]))
    (error,) = check_scenario(SOUND, closed)

    assert 'found "sales", expected an open queue of the policy: other' == error.message


def test_who_answers_slowly_but_serves_nobody_is_no_matter() -> None:
    slow = replace(FRONT, answering=Exponential(99), skills={})

    assert [] == check_scenario(replace(SOUND, groups={"front": FRONT, "slow": slow}), POLICY)


def test_what_follows_from_another_finding_is_not_said_again() -> None:
    place: Place = ("types", "call", "arrivals", "counts")
    beyond = ScenarioReason.BEYOND_MIDNIGHT
    backwards = ScenarioReason.ENDS_BEFORE_IT_BEGINS
    day = replace(with_type(arrivals=curve(1)), horizon=Day(opens_min=1080, closes_min=480))
    shifts = with_group(shifts=(shift(960, 480, (500, 510)),))
    falling = with_type(arrivals=Listed(at_s=(40_000, 39_000, 38_000)))

    assert [(place, beyond, Severity.ERROR)] == found(with_type(arrivals=curve(*[1] * 17)))
    assert [(("horizon",), backwards, Severity.ERROR)] == found(day)
    assert [ScenarioReason.NOT_ASCENDING] == [reason for _, reason, _ in found(falling)]
    assert [(("groups", "front", "shifts", 0), backwards, Severity.ERROR)] == found(shifts)


def test_what_is_out_of_bounds_is_all_that_is_said() -> None:
    (error,) = check_scenario(with_group(agents=-1, languages=("?",)), POLICY)

    assert ((), Reason.OUT_OF_BOUNDS) == (error.place, error.reason)


def test_who_serves_whom_is_what_the_router_says() -> None:
    random = np.random.default_rng(4)
    seen = set()
    for _ in range(300):
        queue, kind, group = random_queue(random), random_type(random), random_group(random)
        policy = Policy(version="1", queues=(queue,))
        scenario = replace(SOUND, types={"call": kind}, groups={"front": group})
        profile = AgentProfile(
            id="a",
            capacity=group.capacity,
            groups=group.groups,
            skills=group.skills,
            languages=group.languages,
        )
        may = bool(Skills(policy, [profile]).fit(queue, kind.languages)[0] >= 0)
        reasons = {one.reason for one in check_routing(scenario, policy)}
        seen.add(may)

        assert may == (RoutingReason.NOBODY_SERVES not in reasons)
    assert {True, False} == seen


def some(random: np.random.Generator, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if random.random() < 0.4)


def random_queue(random: np.random.Generator) -> QueueRules:
    asked = tuple(
        Requirement(name, int(random.integers(0, 6))) for name in some(random, ("a", "b"))
    )
    return QueueRules(name=SALES, requirements=asked, groups=some(random, ("g", "h")))


def random_type(random: np.random.Generator) -> ContactType:
    return replace(CALL, languages=some(random, ("en", "HE", "fr")))


def random_group(random: np.random.Generator) -> Group:
    return replace(
        FRONT,
        skills={name: int(random.integers(1, 8)) for name in some(random, ("a", "b", "c"))},
        groups=some(random, ("g", "h", "i")),
        languages=some(random, ("EN", "he", "ru")),
    )


def test_a_type_may_not_have_the_name_of_all_types() -> None:
    (error,) = check_scenario(replace(SOUND, types={"all": CALL}), POLICY)

    assert (("types", "all"), ScenarioReason.NAME_TAKEN) == (error.place, error.reason)
