"""Policy and roster files: sound ones read back equal, wrong ones are refused with every line."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.queue.rules import (
    DEFAULT_CHANNELS,
    AgentKind,
    AgentProfile,
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Connects,
    Order,
    Policy,
    QueueRules,
    Rank,
    Requirement,
    Roster,
    Weights,
)
from usher.queue.values import CHANNELS, Channel, ChannelName
from usher.router.findings import Place
from usher.router.service.durations import duration_text, parse_duration
from usher.router.service.file_lines import key_lines, line_of
from usher.router.service.files import (
    FileRefused,
    read_configuration,
    read_policy,
    read_roster,
    write_policy,
    write_roster,
)

EXAMPLES = Path(__file__).parents[3] / "examples"
POLICY = 'version = "1"\n[queues.sales]\n'
ROSTER = 'version = "1"\n[capacities.phone]\nunits = 10\nchannels.voice = { price = 10 }\n'


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


@pytest.fixture
def roster_path(tmp_path: Path) -> Path:
    return tmp_path / "roster.toml"


def refusal(path: Path, text: str, policy: Policy | None = None) -> list[str]:
    """Returns what is said about a wrong file, without the folder."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileRefused) as caught:
        read_policy(path) if policy is None else read_roster(path, policy)
    return [str(one).removeprefix(f"{path.parent}/") for one in caught.value.findings]


def test_the_examples_are_sound() -> None:
    read = read_configuration(EXAMPLES / "policy.toml", EXAMPLES / "roster.toml")

    assert () == read.warnings
    assert read.branches is not None
    assert {"voice", "chat", "email", "walk_in"} <= {
        channel for queue in read.policy.queues for channel in queue.channels
    }


def test_the_examples_read_back_equal(policy_path: Path, roster_path: Path) -> None:
    read = read_configuration(EXAMPLES / "policy.toml", EXAMPLES / "roster.toml")
    policy_path.write_text(write_policy(read.policy, read.branches), encoding="utf-8")
    roster_path.write_text(write_roster(read.roster, read.branches), encoding="utf-8")

    assert read == read_configuration(policy_path, roster_path)


def test_values_of_a_policy_file_arrive(policy_path: Path) -> None:
    policy_path.write_text(
        """
        version = "2026-11"
        ended_kept = "1h30m"
        [channels.voice]
        wrap_up_ms = 1500
        [channels.chat]
        lost_grace = "never"
        [channels.fax]
        [queues."a/b.c"]
        requirements = [{ skill = "sales", least = 3, wanted = 7 }]
        rank = "deferred"
        order = "fcfs"
        offer_timeout = "20s500ms"
        service_target_ms = 45_000
        most_waiting = 0
        [queues."a/b.c".weights]
        idle = 1
        """,
        encoding="utf-8",
    )
    voice = DEFAULT_CHANNELS[Channel.VOICE]

    assert read_policy(policy_path) == Policy(
        version="2026-11",
        ended_kept_ms=5_400_000,
        channels={
            Channel.VOICE: ChannelRules(
                connects=voice.connects,
                joining_limit_ms=voice.joining_limit_ms,
                wrap_up_ms=1500,
                missed_offers_max=voice.missed_offers_max,
                lost_grace_ms=None,
            ),
            Channel.CHAT: ChannelRules(lost_grace_ms=None),
            ChannelName("fax"): ChannelRules(),
        },
        queues=(
            QueueRules(
                name="a/b.c",  # type: ignore[arg-type]
                requirements=(Requirement("sales", 3, 7),),
                rank=Rank.DEFERRED,
                order=Order.FCFS,
                offer_timeout_ms=20_500,
                service_target_ms=45_000,
                most_waiting=0,
                weights=Weights(idle=1),
            ),
        ),
    )


def test_values_of_a_roster_file_arrive(policy_path: Path, roster_path: Path) -> None:
    policy_path.write_text(POLICY, encoding="utf-8")
    roster_path.write_text(
        ROSTER + '[agents.anna]\ncapacity = "phone"\nskills = { sales = 7 }\nkind = "virtual"\n'
        '[agents.7]\ncapacity = "phone"\nlanguages = ["en", "he"]\n',
        encoding="utf-8",
    )
    phone = Capacity(units=10, channels={Channel.VOICE: ChannelCapacity(price=10)})
    read = read_roster(roster_path, read_policy(policy_path))

    assert read == Roster(
        version="1",
        agents=(
            AgentProfile(id="anna", capacity=phone, skills={"sales": 7}, kind=AgentKind.VIRTUAL),
            AgentProfile(id="7", capacity=phone, languages=("en", "he")),
        ),
    )
    assert read.agents[0].capacity is read.agents[1].capacity


def test_everything_wrong_with_a_policy_is_said_at_once(policy_path: Path) -> None:
    text = """\
version = 7
ended_kept = "soon"
[channels.voice]
wrap_up = 30
lost_grace = -1
[queues.sales]
channels = ["voice", "fax"]
ofer_timeout = "20s"
requirements = [
    { skill = "sales", least = 3 },
    { skill = "con tracts", least = 11, wanted = true },
]
[queues.support]
channels = ["fax"]
rank = "high"
order = "fcfs"
most_waiting = 1.5
offer_timeout = "20s"
offer_timeout_ms = 20
wrap_up = "never"
[queues.chat]
channels = ["voice", "fax"]
[queues.chat.weights]
idle = 900
"""
    code = "expected text that matches ^[A-Za-z0-9][A-Za-z0-9_./-]{0,63}\\Z"
    duration = 'expected a duration such as "250ms", "20s", "1m30s" or "2h"; whole milliseconds go'

    assert [
        f"policy.toml:1: version: found 7, {code.replace(code[9:], 'text')}",
        f'policy.toml:2: ended_kept: found "soon", {duration} with the key "ended_kept_ms"',
        f'policy.toml:4: channels.voice.wrap_up: found 30, {duration} with the key "wrap_up_ms"',
        "policy.toml:5: channels.voice.lost_grace: found -1, "
        f'{duration} with the key "lost_grace_ms"',
        "policy.toml:8: queues.sales.ofer_timeout: found an unknown key; "
        'did you mean "offer_timeout"?',
        f'policy.toml:11: queues.sales.requirements[1].skill: found "con tracts", {code}',
        "policy.toml:11: queues.sales.requirements[1].least: found 11, "
        "expected a whole number from 0 to 10",
        "policy.toml:11: queues.sales.requirements[1].wanted: found true, "
        "expected a whole number from 1 to 10",
        'policy.toml:15: queues.support.rank: found "high", '
        'expected "absolute" or "live" or "deferred"',
        "policy.toml:17: queues.support.most_waiting: found 1.5, "
        "expected a whole number from 0 to 1000000",
        'policy.toml:18: queues.support.offer_timeout: found both "offer_timeout" and '
        '"offer_timeout_ms", expected one of them',
        "policy.toml:19: queues.support.offer_timeout_ms: found 20, "
        "expected a whole number from 1000 to 86400000",
        'policy.toml:20: queues.support.wrap_up: found "never", '
        f'{duration} with the key "wrap_up_ms"',
        'policy.toml:22: queues.chat.channels[1]: found channel "fax", expected one that the '
        "policy names or a built-in one: " + ", ".join(sorted(CHANNELS)),
        "policy.toml:23: queues.chat.weights: found a sum of 1750, expected at most 1000 "
        "(a weight that is left out counts with its default)",
    ] == refusal(policy_path, text)


def test_everything_wrong_with_a_roster_is_said_at_once(
    policy_path: Path, roster_path: Path
) -> None:
    policy_path.write_text(POLICY, encoding="utf-8")
    text = """\
[capacities.small]
units = 1
channels.voice = { price = 2 }
[capacities.wrong]
units = 0
channels.chat.price = 1
[agents."an na"]
capacity = "phone"
[agents.boris]
capacity = "wrong"
[agents.carmen]
capacity = "phone"
groups = "front"
skills = { sales = 0, a = "b" }
[agents.dov]
capacity = "fone"
[agents.esther]
capacity = "small"
languages = ["en", "english"]
[agents]
farid.groups = []
"""
    said = refusal(roster_path, text, read_policy(policy_path))

    assert [
        "roster.toml:1: version",
        "roster.toml:2: capacities.small.units",
        "roster.toml:5: capacities.wrong.units",
        'roster.toml:7: agents."an na"',
        'roster.toml:8: agents."an na".capacity',
        "roster.toml:12: agents.carmen.capacity",
        "roster.toml:13: agents.carmen.groups",
        "roster.toml:14: agents.carmen.skills.sales",
        "roster.toml:14: agents.carmen.skills.a",
        "roster.toml:16: agents.dov.capacity",
        "roster.toml:19: agents.esther.languages[1]",
        "roster.toml:21: agents.farid.capacity",
    ] == [line.split(": ")[0] + ": " + line.split(": ")[1] for line in said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("queues = 1", "queues: found 1, expected a table"),
        ("queues.a = 1", "queues.a: found 1, expected a table"),
        ("queues.a.weights = [1]", "queues.a.weights: found a list, expected a table"),
        ("queues.a.groups = {}", "queues.a.groups: found a table, expected a list"),
        ("queues.a.closed = 1", "queues.a.closed: found 1, expected true or false"),
        (
            'queues.a.wrap_up_ms = "20s"',
            'queues.a.wrap_up_ms: found "20s", expected a whole number from 0 to 34560000000 '
            '(as text, "20s", its key is "wrap_up")',
        ),
        (
            "queues.a.zzz = 1979-05-27",
            "queues.a.zzz: found an unknown key; expected channels, requirements, groups, rank",
        ),
        (
            "queues.a.rank = 1979-05-27",
            'queues.a.rank: found 1979-05-27, expected "absolute" or "live" or "deferred"',
        ),
        (
            "queues.a.requirements = [{}]",
            'queues.a.requirements[0].skill: expected the key "skill": text that matches',
        ),
        (f'queues.a.rank = "{"x" * 99}"', f'queues.a.rank: found "{"x" * 59}..., expected'),
        ("bogus = 1", "bogus: found an unknown key; expected version"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused(policy_path: Path, text: str, said: str) -> None:
    rest = "" if text.startswith("queues =") else "[queues.sales]\n"
    (finding,) = refusal(policy_path, f'version = "1"\n{text}\n{rest}')

    assert finding.startswith(f"policy.toml:2: {said}")


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("version = \n", 1, "no valid TOML"),
        ('version = "1"\n[queues.a]\n[queues.b]\n[queues.a]\n', 4, "twice"),
        ('version = "1"\n[queues.a]\nlevel = 1\nlevel = 2\n', 4, "overwrite"),
        ("x = " + "[" * 5000, 0, "nested too deep"),
        ("x = 1\ny = " + "9" * 5000, 2, "no valid TOML"),
    ],
)
def test_what_is_no_toml_is_refused(policy_path: Path, text: str, line: int, part: str) -> None:
    (said,) = refusal(policy_path, text)

    assert said.startswith(f"policy.toml:{line}: " if line else "policy.toml: ")
    assert part in said


def test_what_is_no_text_is_refused(policy_path: Path) -> None:
    policy_path.write_bytes(b'version = "1"\n# \xff\n')

    with pytest.raises(FileRefused, match="line 2 is no valid UTF-8"):
        read_policy(policy_path)


def test_a_missing_file_is_refused(policy_path: Path) -> None:
    with pytest.raises(FileRefused, match=r"policy\.toml: cannot be read: No such file"):
        read_policy(policy_path)


def test_a_byte_order_mark_and_windows_line_ends_are_read(policy_path: Path) -> None:
    policy_path.write_bytes(b"\xef\xbb\xbf" + POLICY.replace("\n", "\r\n").encode())

    assert "1" == read_policy(policy_path).version


def test_a_missing_key_is_said_at_its_table(policy_path: Path, roster_path: Path) -> None:
    policy_path.write_text(POLICY, encoding="utf-8")
    text = ROSTER + "\n\n[agents.anna]\ngroups = []\n"

    assert [
        'roster.toml:7: agents.anna.capacity: expected the key "capacity": '
        "text that matches ^[A-Za-z0-9][A-Za-z0-9_./-]{0,63}\\Z"
    ] == refusal(roster_path, text, read_policy(policy_path))


def test_what_only_a_left_out_table_brought_about_is_not_said(policy_path: Path) -> None:
    said = refusal(policy_path, 'version = "1"\n[queues.sales]\nlevel = "high"\n')

    assert 1 == len(said)
    assert "queues.sales.level" in said[0]


def test_findings_of_both_files_come_at_once(policy_path: Path, roster_path: Path) -> None:
    policy_path.write_text(
        'version = "1"\n[queues.sales]\nchannels = [\n  "fax",\n]\n', encoding="utf-8"
    )
    roster_path.write_text(ROSTER + '[agents.anna]\ncapacity = "fone"\n', encoding="utf-8")

    with pytest.raises(FileRefused) as caught:
        read_configuration(policy_path, roster_path)
    assert [
        (str(policy_path), 4, "queues.sales.channels[0]"),
        (str(roster_path), 6, "agents.anna.capacity"),
    ] == [(one.file, one.line, one.place) for one in caught.value.findings]


def test_the_policys_group_is_located_in_the_policy_file(
    policy_path: Path, roster_path: Path
) -> None:
    policy_path.write_text(POLICY + 'groups = ["gone"]\n', encoding="utf-8")
    roster_path.write_text(ROSTER, encoding="utf-8")

    with pytest.raises(FileRefused, match=r"policy\.toml:3: queues\.sales\.groups\[0\]: found"):
        read_configuration(policy_path, roster_path)


def test_a_warning_has_its_line_and_does_not_refuse(policy_path: Path, roster_path: Path) -> None:
    policy_path.write_text(POLICY + 'requirements = [{ skill = "a" }]\n', encoding="utf-8")
    roster_path.write_text(ROSTER + '[agents.anna]\ncapacity = "phone"\n', encoding="utf-8")
    (warning,) = read_configuration(policy_path, roster_path).warnings

    assert str(warning).startswith(
        f"{policy_path}:3: warning: queues.sales.requirements[0].least: found least level 1"
    )


def test_a_roster_read_alone_names_no_line_for_what_the_policy_says(
    policy_path: Path, roster_path: Path
) -> None:
    policy_path.write_text(POLICY + 'groups = ["gone"]\n', encoding="utf-8")
    (said,) = refusal(roster_path, ROSTER, read_policy(policy_path))

    assert said.startswith('roster.toml: queues.sales.groups[0]: found group "gone"')


# --- Lines ---------------------------------------------------------------------------------------

TRICKY = '''\
# [not.a.table]
version = "a # b" # c
"quo\\u0074ed.key" = 'lit[eral'
long = """
[no.table]
x = "\\"""
""""
raw = \'\'\'
y = 1\'\'\'\'
[a.b]  # comment [c]
c.d = 1
c . e = { f = [1, 2.5, { g = 1979-05-27T07:32:00Z }], "h" = {} }
list = [
  "x", # ]
  [
    "y",
  ],
]
[ a ]
k = -1_000
[[a.t]]
n = 1
[[a.t]]
n = 2
[a.t.sub]
m = +inf
[[a.t.deep]]
z = 1
[[a.t.deep]]
z = 2'''


def places(value: object, base: Place = ()) -> Iterator[Place]:
    pairs: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(value, dict):
        pairs = iter(value.items())
    elif isinstance(value, list):
        pairs = iter(enumerate(value))
    for key, one in pairs:
        yield (*base, key)
        yield from places(one, (*base, key))


def test_every_place_of_a_tricky_text_has_a_line() -> None:
    lines = key_lines(TRICKY)

    assert set(places(tomllib.loads(TRICKY))) == set(lines)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("version",), 2),
        (("quoted.key",), 3),
        (("long",), 4),
        (("raw",), 8),
        (("a", "b"), 10),
        (("a", "b", "c"), 11),
        (("a", "b", "c", "d"), 11),
        (("a", "b", "c", "e", "f", 2, "g"), 12),
        (("a", "b", "c", "e", "h"), 12),
        (("a", "b", "list", 0), 14),
        (("a", "b", "list", 1, 0), 16),
        (("a",), 19),
        (("a", "k"), 20),
        (("a", "t", 1, "n"), 24),
        (("a", "t", 1, "sub", "m"), 26),
        (("a", "t", 1, "deep", 1, "z"), 30),
        (("a", "b", "c", "missing"), 11),
        (("a", "k_ms"), 20),
        (("missing",), 1),
    ],
)
def test_a_place_is_found_in_its_line(place: Place, line: int) -> None:
    assert line == line_of(key_lines(TRICKY), place)


# --- Round trips ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [("0s", 0), ("250ms", 250), ("20s", 20_000), ("1m30s", 90_000), ("2h", 7_200_000)],
)
def test_durations_read_and_write(text: str, duration_ms: int) -> None:
    assert duration_ms == parse_duration(text)
    assert text == duration_text(duration_ms)


@pytest.mark.parametrize("text", ["", "20", "s", "-1s", "1.5s", "20 s", "30s1m", "1w", "20S", "²s"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert parse_duration(text) is None


@given(st.integers(0, 400 * 24 * 3600 * 1000))
def test_every_duration_reads_back(duration_ms: int) -> None:
    assert duration_ms == parse_duration(duration_text(duration_ms))


codes = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,8}", fullmatch=True)
durations = st.integers(0, 400 * 24 * 3600 * 1000)
channel_names = st.sampled_from(CHANNELS)
channel_rules = st.builds(
    ChannelRules,
    connects=st.sampled_from(Connects),
    automatic_accept=st.booleans(),
    joining_limit_ms=durations,
    wrap_up_ms=durations,
    missed_offers_max=st.integers(0, 100),
    lost_grace_ms=st.none() | durations,
    failures_max=st.integers(1, 100),
    failure_is_no_show=st.booleans(),
)
requirements = st.builds(
    Requirement, codes, st.integers(0, 5), st.integers(5, 10), st.integers(1, 100)
)
queues = st.builds(
    QueueRules,
    name=codes,
    channels=st.lists(channel_names, unique=True).map(tuple),
    requirements=st.lists(requirements, max_size=3, unique_by=lambda one: one.skill).map(tuple),
    rank=st.sampled_from(Rank),
    level=st.integers(0, 1000),
    head_start_ms=durations,
    order=st.just(Order.FCFS),
    most_waiting=st.none() | st.integers(0, 1_000_000),
    offer_timeout_ms=st.integers(1000, 86_400_000),
    wrap_up_ms=st.none() | durations,
    weights=st.builds(Weights, *[st.integers(0, 166)] * 6),
)
policies = st.builds(
    Policy,
    version=codes,
    queues=st.lists(queues, min_size=1, max_size=3, unique_by=lambda one: one.name).map(tuple),
    channels=st.dictionaries(channel_names | codes, channel_rules, max_size=3),
    exact_cells_max=st.integers(16, 100_000_000),
    ended_kept_ms=durations,
)
capacities = st.builds(
    Capacity,
    st.integers(10, 10_000),
    st.dictionaries(
        channel_names,
        st.integers(0, 10).flatmap(
            lambda price: st.builds(
                ChannelCapacity, st.just(price), st.integers(1, 1000), st.integers(0, price)
            )
        ),
        min_size=1,
        max_size=3,
    ),
)
agents = st.builds(
    AgentProfile,
    id=st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True),
    capacity=capacities,
    groups=st.lists(codes, max_size=2, unique=True).map(tuple),
    site=st.just("") | codes,
    skills=st.dictionaries(codes, st.integers(1, 10), max_size=3),
    languages=st.lists(st.sampled_from(["en", "he", "pt-BR"]), unique=True).map(tuple),
    seniority=st.integers(0, 10),
    kind=st.sampled_from(AgentKind),
    closed=st.booleans(),
)
rosters = st.builds(
    Roster,
    version=codes,
    agents=st.lists(agents, max_size=4, unique_by=lambda one: one.id).map(tuple),
)


@given(policies)
def test_every_sound_policy_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, policy: Policy
) -> None:
    path = tmp_path_factory.getbasetemp() / "policy.toml"
    path.write_text(write_policy(policy), encoding="utf-8")

    assert policy == read_policy(path)


@given(rosters)
def test_every_sound_roster_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, roster: Roster
) -> None:
    path = tmp_path_factory.getbasetemp() / "roster.toml"
    path.write_text(write_roster(roster), encoding="utf-8")
    policy = Policy(version="1", queues=(QueueRules(name="any"),))  # type: ignore[arg-type]

    assert roster == read_roster(path, policy)
