"""The checks of `usher.router.policy`: what is refused, what is only doubtful, what is sound."""

from collections.abc import Callable

import msgspec
import pytest

from usher.queue.rules import (
    DEFAULT_CHANNELS,
    AgentProfile,
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Order,
    Policy,
    QueueRules,
    Rank,
    Requirement,
    Roster,
    Weights,
)
from usher.queue.values import Channel, ChannelName, QueueName
from usher.router.findings import LIST_MAX, Finding, Reason, Severity, errors_of
from usher.router.policy import (
    CHANNELS_MAX,
    check_policy,
    check_roster,
    known_channels,
    policy_digest,
    roster_digest,
)

PHONE = Capacity(units=10, channels={Channel.VOICE: ChannelCapacity(price=10)})


def queue(name: str = "sales", **rules: object) -> QueueRules:
    return msgspec.structs.replace(QueueRules(name=QueueName(name)), **rules)


def policy(*queues: QueueRules, **rules: object) -> Policy:
    return msgspec.structs.replace(Policy(version="1", queues=queues or (queue(),)), **rules)


def agent(name: str = "anna", **facts: object) -> AgentProfile:
    return msgspec.structs.replace(AgentProfile(id=name, capacity=PHONE), **facts)


def roster(*agents: AgentProfile) -> Roster:
    return Roster(version="1", agents=agents or (agent(),))


def only(findings: list[Finding]) -> tuple[object, str, Severity]:
    (finding,) = findings
    return finding.place, finding.reason, finding.severity


def capacity(**prices: int) -> Capacity:
    channels = {ChannelName(name): ChannelCapacity(price=one) for name, one in prices.items()}
    return Capacity(units=10, channels=channels)


REFUSED_POLICIES: list[tuple[Policy, tuple[str | int, ...], Reason]] = [
    (Policy(version="1"), ("queues",), Reason.NO_QUEUE),
    (policy(queue(closed=True)), ("queues",), Reason.NO_QUEUE),
    (policy(queue(), queue()), ("queues", "sales"), Reason.DUPLICATE),
    (policy(queue(channels=("fax",))), ("queues", "sales", "channels", 0), Reason.UNKNOWN_CHANNEL),
    (
        policy(queue(channels=("chat", "voice", "chat"))),
        ("queues", "sales", "channels", 2),
        Reason.DUPLICATE,
    ),
    (policy(queue(groups=("a", "a"))), ("queues", "sales", "groups", 1), Reason.DUPLICATE),
    (policy(queue(groups=("a\n",))), (), Reason.OUT_OF_BOUNDS),
    (policy(queue(name="sales\n")), (), Reason.OUT_OF_BOUNDS),
    (policy(channels={"fa x": ChannelRules()}), ("channels", "fa x"), Reason.BAD_NAME),
    (
        policy(queue(requirements=(Requirement("a"), Requirement("a", 2)))),
        ("queues", "sales", "requirements", 1),
        Reason.DUPLICATE,
    ),
    (
        policy(queue(requirements=(Requirement("a", least=6, wanted=5),))),
        ("queues", "sales", "requirements", 0, "wanted"),
        Reason.WANTED_UNDER_LEAST,
    ),
    (
        policy(queue(weights=Weights(idle=151))),
        ("queues", "sales", "weights"),
        Reason.WEIGHTS_OVER_LIMIT,
    ),
    (
        policy(queue(), queue("b", order=Order.FCFS)),
        ("queues", "b", "order"),
        Reason.MIXED_ORDERS,
    ),
    (
        policy(queue(requirements=tuple(Requirement(f"s{n}") for n in range(LIST_MAX + 1)))),
        ("queues", "sales", "requirements"),
        Reason.TOO_MANY,
    ),
    (policy(*(queue(f"q{n}") for n in range(1001))), ("queues",), Reason.TOO_MANY),
    (
        policy(channels={f"c{n}": ChannelRules() for n in range(CHANNELS_MAX)}),
        ("channels",),
        Reason.TOO_MANY,
    ),
    (policy(queue(level=1001)), (), Reason.OUT_OF_BOUNDS),
    (policy(contacts_max="many"), (), Reason.OUT_OF_BOUNDS),
]


@pytest.mark.parametrize(("wrong", "place", "reason"), REFUSED_POLICIES)
def test_a_wrong_policy_is_refused_at_its_place(
    wrong: Policy, place: tuple[str | int, ...], reason: Reason
) -> None:
    assert (place, reason, Severity.ERROR) == only(check_policy(wrong))


@pytest.mark.parametrize(
    "sound",
    [
        policy(),
        policy(queue(channels=("fax",)), channels={ChannelName("fax"): ChannelRules()}),
        policy(queue(weights=Weights(idle=150))),
        policy(queue(weights=Weights(0, 0, 0, 0, 0, 1000))),
        policy(queue(), queue("b", order=Order.FCFS, level=1)),
        policy(queue(), queue("b", order=Order.FCFS, rank=Rank.DEFERRED)),
        policy(queue(requirements=(Requirement("a", least=5, wanted=5),))),
        policy(queue(requirements=(Requirement("a", least=0, wanted=1),))),
    ],
)
def test_a_sound_policy_has_no_findings(sound: Policy) -> None:
    assert [] == check_policy(sound)


def test_all_findings_of_a_policy_come_at_once() -> None:
    wrong = policy(
        queue(channels=("fax",), weights=Weights(idle=1000)),
        queue("b", order=Order.FCFS, requirements=(Requirement("a", least=9, wanted=1),)),
    )

    assert [
        Reason.UNKNOWN_CHANNEL,
        Reason.WEIGHTS_OVER_LIMIT,
        Reason.WANTED_UNDER_LEAST,
        Reason.MIXED_ORDERS,
    ] == [finding.reason for finding in check_policy(wrong)]


def test_a_message_names_what_was_found_and_what_is_expected() -> None:
    (finding,) = check_policy(policy(queue(weights=Weights(idle=400))))

    assert "found a sum of 1250, expected at most 1000" in finding.message


REFUSED_ROSTERS: list[tuple[Roster, Policy, tuple[str | int, ...], Reason]] = [
    (roster(agent(), agent()), policy(), ("agents", "anna"), Reason.DUPLICATE),
    (roster(agent(groups=("a", "a"))), policy(), ("agents", "anna", "groups", 1), Reason.DUPLICATE),
    (
        roster(agent(languages=("en", "english"))),
        policy(),
        ("agents", "anna", "languages", 1),
        Reason.BAD_NAME,
    ),
    (
        roster(agent(languages=("en", "EN"))),
        policy(),
        ("agents", "anna", "languages", 1),
        Reason.DUPLICATE,
    ),
    (
        roster(
            agent(capacity=Capacity(units=9, channels={Channel.VOICE: ChannelCapacity(2, 1, 3)}))
        ),
        policy(),
        ("agents", "anna", "capacity", "channels", "voice", "wrap_up_price"),
        Reason.WRAP_UP_TOO_DEAR,
    ),
    (roster(agent(site="a b")), policy(), ("agents", "anna", "site"), Reason.BAD_NAME),
    (
        roster(agent(groups=("a\n",))),
        policy(),
        (),
        Reason.OUT_OF_BOUNDS,
    ),
    (
        roster(agent(skills={"a\n": 1})),
        policy(),
        (),
        Reason.OUT_OF_BOUNDS,
    ),
    (
        roster(agent(capacity=capacity(fax=1))),
        policy(),
        ("agents", "anna", "capacity", "channels", "fax"),
        Reason.UNKNOWN_CHANNEL,
    ),
    (
        roster(agent(capacity=capacity())),
        policy(),
        ("agents", "anna", "capacity", "channels"),
        Reason.NO_CHANNEL,
    ),
    (
        roster(agent(capacity=capacity(voice=11, chat=12))),
        policy(),
        ("agents", "anna", "capacity", "units"),
        Reason.CAPACITY_TOO_SMALL,
    ),
    (
        roster(agent(groups=("a",))),
        policy(queue(groups=("a", "b"))),
        ("queues", "sales", "groups", 1),
        Reason.UNKNOWN_GROUP,
    ),
    (
        roster(agent(skills={f"s{n}": 1 for n in range(1000)})),
        policy(queue(requirements=(Requirement("other", least=0),))),
        ("agents",),
        Reason.TOO_MANY,
    ),
    (roster(agent(id="an.na")), policy(), (), Reason.OUT_OF_BOUNDS),
    (roster(agent(skills={"a": 11})), policy(), (), Reason.OUT_OF_BOUNDS),
]


@pytest.mark.parametrize(("wrong", "under", "place", "reason"), REFUSED_ROSTERS)
def test_a_wrong_roster_is_refused_at_its_place(
    wrong: Roster, under: Policy, place: tuple[str | int, ...], reason: Reason
) -> None:
    assert (place, reason, Severity.ERROR) == only(check_roster(wrong, under))


DOUBTFUL: list[tuple[Roster, Policy, tuple[str | int, ...], Reason]] = [
    (
        roster(agent(skills={"a": 4})),
        policy(queue(requirements=(Requirement("a", least=5),))),
        ("queues", "sales", "requirements", 0, "least"),
        Reason.SKILL_UNHELD,
    ),
    (  # each skill is held, but by nobody both
        roster(agent(skills={"a": 5}), agent("boris", skills={"b": 5})),
        policy(queue(requirements=(Requirement("a"), Requirement("b")))),
        ("queues", "sales"),
        Reason.QUEUE_UNSERVED,
    ),
    (  # the group's members lack the skill
        roster(agent(skills={"a": 5}), agent("boris", groups=("g",))),
        policy(queue(requirements=(Requirement("a"),), groups=("g",))),
        ("queues", "sales"),
        Reason.QUEUE_UNSERVED,
    ),
    (
        roster(),
        policy(queue(channels=("voice", "chat"))),
        ("queues", "sales", "channels", 1),
        Reason.QUEUE_UNSERVED,
    ),
    (roster(agent(closed=True)), policy(), ("queues", "sales"), Reason.QUEUE_UNSERVED),
    (
        roster(agent(capacity=capacity(voice=10, chat=11))),
        policy(),
        ("agents", "anna", "capacity", "channels", "chat", "price"),
        Reason.CHANNEL_NEVER_FITS,
    ),
]


@pytest.mark.parametrize(("doubtful", "under", "place", "reason"), DOUBTFUL)
def test_what_leaves_contacts_waiting_is_a_warning(
    doubtful: Roster, under: Policy, place: tuple[str | int, ...], reason: Reason
) -> None:
    findings = check_roster(doubtful, under)

    assert (place, reason, Severity.WARNING) == only(findings)
    assert [] == errors_of(findings)


@pytest.mark.parametrize(
    ("sound", "under"),
    [
        (roster(), policy()),
        (  # most times price over the units: the units hold, nothing is wrong
            roster(agent(capacity=Capacity(10, {Channel.CHAT: ChannelCapacity(4, 9)}))),
            policy(),
        ),
        (roster(), policy(queue(requirements=(Requirement("a", least=0),)))),
        (roster(), policy(queue(), queue("b", groups=("gone",), closed=True))),
        (roster(agent(languages=("en", "pt-BR", "he"), site="branch-1")), policy()),
    ],
)
def test_a_sound_roster_has_no_findings(sound: Roster, under: Policy) -> None:
    assert [] == check_roster(sound, under)


def test_a_capacity_that_many_have_is_reported_once() -> None:
    small = capacity(voice=11)
    findings = check_roster(roster(agent(capacity=small), agent("b", capacity=small)), policy())

    assert ("agents", "anna", "capacity", "units") == only(findings)[0]


def test_known_channels_are_the_built_in_ones_and_the_policys() -> None:
    own = ChannelRules(wrap_up_ms=1)
    known = known_channels(policy(channels={ChannelName("fax"): own, Channel.CHAT: own}))

    assert own == known[ChannelName("fax")] == known[Channel.CHAT]
    assert DEFAULT_CHANNELS[Channel.VOICE] == known[Channel.VOICE]


@pytest.mark.parametrize(
    ("digest", "one", "same", "other"),
    [
        (
            policy_digest,
            policy(channels={"a": ChannelRules(), "b": ChannelRules()}),
            policy(channels={"b": ChannelRules(), "a": ChannelRules()}),
            policy(channels={"a": ChannelRules(), "b": ChannelRules(wrap_up_ms=1)}),
        ),
        (
            roster_digest,
            roster(agent(skills={"a": 1, "b": 2})),
            roster(agent(skills={"b": 2, "a": 1})),
            roster(agent(skills={"a": 2, "b": 1})),
        ),
    ],
)
def test_digests_are_equal_for_equal_values_only(
    digest: Callable[[object], str], one: object, same: object, other: object
) -> None:
    assert digest(one) == digest(same)
    assert digest(one) != digest(other)
