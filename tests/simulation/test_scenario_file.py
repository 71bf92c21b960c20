"""Scenario files: a sound one arrives as written, a wrong one is refused with every line."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct, inspect

from usher.queue.measures import ServiceLevel
from usher.queue.rules import Capacity, ChannelCapacity
from usher.queue.values import Channel, QueueName
from usher.router.findings import Finding
from usher.router.service.durations import parse_duration
from usher.router.service.file_hours import parse_minute
from usher.router.service.file_shape import ShapeReader
from usher.router.service.files import FileRefused
from usher.simulation import distributions, scenario
from usher.simulation.distributions import (
    Empirical,
    Erlang,
    Exponential,
    Gamma,
    Hyperexponential,
    LogNormal,
    Uniform,
)
from usher.simulation.files.scenario_file import (
    DURATION_PATTERN,
    TIME_PATTERN,
    read_scenario,
    scenario_schema,
)
from usher.simulation.scenario import (
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
    Target,
)

POLICY = """\
version = "1"
[channels.voice]
wrap_up = "1m"
[queues.billing]
channels = ["voice", "chat"]
requirements = [{ skill = "billing", least = 3 }]
"""
SOUND = """\
name = "monday"
policy = "policy.toml"
[types.call]
queue = "billing"
channel = "voice"
arrivals = { kind = "poisson", per_hour = 60 }
handling = { kind = "exponential", average = 180 }
[capacities.phone]
units = 10
channels.voice = { price = 10 }
[groups.front]
capacity = "phone"
agents = 4
skills = { billing = 5 }
"""
FULL = """\
name = "monday"
title = "A Monday in November"
policy = "../policy.toml"
horizon = { kind = "day", opens = "08:00", closes = "18:00", finish = "1h30m" }
queue_most = 500
outages = [{ site = "north", from = "10:00", until_min = 615 }]

[target]
level = "of_answered"
threshold = "30s"
short_abandon_ms = 2500

[types.call]
queue = "billing"
channel = "voice"
handling = { kind = "lognormal", average = 180, deviation = 150.5 }
patience = { kind = "hyperexponential", shares = [0.25, 0.75], averages = [10, 200] }
wrap_up = { kind = "erlang", average = 20, phases = 2 }
balking = { kind = "uniform", low = 60, high = 600 }
batch = [0.9, 0.1]
redial = { share = 0.5, after = { kind = "exponential", average = 3600 } }
value = -1.5
languages = ["en"]
[types.call.arrivals]
kind = "curve"
counts = [10, 12.5, 0]
starts = "08:00"
every = "1h"
day_factor = { kind = "gamma", average = 1, deviation = 0.1 }
[types.call.retrial]
share = 1
after = { kind = "empirical", values = [60, 90.5] }
most = 2

[types.chat]
queue = "billing"
channel = "chat"
arrivals = { kind = "listed", at_s = [30_000, 30_000.5] }
handling = { kind = "exponential", average = 300 }

[types.letter]
queue = "billing"
channel = "voice"
arrivals.kind = "gaps"
arrivals.gap = { kind = "exponential", average = 60 }
handling = { kind = "exponential", average = 300 }

[capacities.phone]
units = 10
channels.voice = { price = 10 }

[groups.front]
capacity = "phone"
site = "north"
skills = { billing = 5 }
speed = { call = 1.25 }
quality = { call = 0.9 }
absence = 0.05
returns_after = "90s"
cost_per_hour = 31
[[groups.front.shifts]]
agents = 3
from = "08:00"
until = "16:00"
breaks = [{ from = "12:00", until = "12:30" }]
[[groups.front.shifts]]
agents = 2
from_min = 600
until_min = 1440

[groups.online]
capacity = { units = 9, channels.chat = { price = 3, most = 3 } }
agents = 2
skills = { billing = 5 }
slowdown = { chat = [1, 0.8, 0.7] }
answering = { kind = "exponential", average = 2.5 }
"""
AS_WRITTEN = Scenario(
    name="monday",
    title="A Monday in November",
    policy="../policy.toml",
    horizon=Day(opens_min=480, closes_min=1080, finish_ms=5_400_000),
    queue_most=500,
    outages=(Outage(site="north", from_min=600, until_min=615),),
    target=Target(level=ServiceLevel.OF_ANSWERED, threshold_ms=30_000, short_abandon_ms=2500),
    types={
        "call": ContactType(
            queue=QueueName("billing"),
            channel=Channel.VOICE,
            arrivals=Curve(
                counts=(10, 12.5, 0), starts_min=480, every_min=60, day_factor=Gamma(1, 0.1)
            ),
            handling=LogNormal(180, 150.5),
            patience=Hyperexponential((0.25, 0.75), (10, 200)),
            wrap_up=Erlang(20, 2),
            balking=Uniform(60, 600),
            batch=(0.9, 0.1),
            redial=Again(share=0.5, after=Exponential(3600)),
            retrial=Again(share=1, after=Empirical((60, 90.5)), most=2),
            value=-1.5,
            languages=("en",),
        ),
        "chat": ContactType(
            queue=QueueName("billing"),
            channel=Channel.CHAT,
            arrivals=Listed(at_s=(30_000, 30_000.5)),
            handling=Exponential(300),
        ),
        "letter": ContactType(
            queue=QueueName("billing"),
            channel=Channel.VOICE,
            arrivals=Gaps(gap=Exponential(60)),
            handling=Exponential(300),
        ),
    },
    groups={
        "front": Group(
            capacity=Capacity(10, {Channel.VOICE: ChannelCapacity(10)}),
            site="north",
            skills={"billing": 5},
            speed={"call": 1.25},
            quality={"call": 0.9},
            absence=0.05,
            returns_after_ms=90_000,
            cost_per_hour=31,
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
        "online": Group(
            capacity=Capacity(9, {Channel.CHAT: ChannelCapacity(3, 3)}),
            agents=2,
            skills={"billing": 5},
            slowdown={Channel.CHAT: (1, 0.8, 0.7)},
            answering=Exponential(2.5),
        ),
    },
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    return tmp_path / "scenario.toml"


def refusal(path: Path, text: str) -> list[str]:
    """Returns what is said about a wrong file, without the folder."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileRefused) as caught:
        read_scenario(path)
    return [str(one).replace(f"{path.parent}/", "") for one in caught.value.findings]


def test_a_file_with_all_forms_arrives_as_written(path: Path) -> None:
    below = path.parent / "monday" / "scenario.toml"
    below.parent.mkdir()
    below.write_text(FULL, encoding="utf-8")
    read = read_scenario(below)

    assert AS_WRITTEN == read.scenario
    assert "1" == read.policy.version
    assert () == read.warnings


def test_a_short_file_has_the_defaults_of_the_structs(path: Path) -> None:
    path.write_text(SOUND, encoding="utf-8")
    read = read_scenario(path).scenario

    assert (Day(), Target(), 20_000) == (read.horizon, read.target, read.queue_most)
    assert Poisson(per_hour=60) == read.types["call"].arrivals


def test_everything_wrong_with_a_file_is_said_at_once(path: Path) -> None:
    text = """\
nam = "monday"
policy = "policy.toml"
horizon = { kind = "daily" }
[target]
threshold = 20
[types.call]
queue = "billing"
channel = "voice"
arrivals = { per_hour = 60 }
handling = { kind = "exponental", average = 180 }
patience = { kind = "uniform", low = 20, high = 10 }
wrap_up = { kind = "hyperexponential", shares = [0.5, 0.4], averages = [1, 2] }
balking = 20
walk = { kind = "exponential", averag = 20 }
no_show = 1.5
[types.chat]
queue = "billing"
channel = "chat"
arrivals = { kind = "curve", counts = [], every = "90s", starts = "8:00" }
handling = { kind = "empirical", values = [1, nan, -1, true, "x"] }
retrial = { share = 0.5, after = { kind = "gamma", average = 0, deviation = inf } }
[types.mail]
queue = "mail"
channel = "email"
arrivals = { kind = "poisson", per_hour = 60 }
handling = { kind = "exponential", average = 180 }
batch = [0.5, 0.4]
[capacities.phone]
units = 0
channels.voice.price = 1
[groups.front]
capacity = "fone"
agents = 4
[groups.back]
capacity = 7
[groups.side]
capacity = { units = 1, channels.fax = {} }
[[groups.side.shifts]]
agents = 1
until = "16:00"
"""

    assert [
        'scenario.toml:1: nam: found an unknown key; did you mean "name"?',
        'scenario.toml:1: name: expected the key "name": '
        "text that matches ^[A-Za-z0-9][A-Za-z0-9_./-]{0,63}\\Z",
        'scenario.toml:3: horizon.kind: found "daily", expected "day" or "steady"; '
        'did you mean "day"?',
        "scenario.toml:5: target.threshold: found 20, expected a duration such as "
        '"250ms", "20s", "1m30s" or "2h"; whole milliseconds go with the key "threshold_ms"',
        "scenario.toml:9: types.call.arrivals.kind: found nothing, expected "
        '"poisson" or "curve" or "gaps" or "listed" or "history"',
        f'scenario.toml:10: types.call.handling.kind: found "exponental", expected {KINDS}; '
        'did you mean "exponential"?',
        'scenario.toml:11: types.call.patience: found kind = "uniform", low = 20.0, high = 10.0: '
        "low is to be less than high",
        'scenario.toml:12: types.call.wrap_up: found kind = "hyperexponential", '
        "shares = [0.5, 0.4], averages = [1.0, 2.0]: the shares are to add up to 1",
        f'scenario.toml:13: types.call.balking: found 20, expected a table whose "kind" is {KINDS}',
        'scenario.toml:14: types.call.walk.averag: found an unknown key; did you mean "average"?',
        'scenario.toml:14: types.call.walk.average: expected the key "average": '
        "a finite number above 0",
        "scenario.toml:15: types.call.no_show: found 1.5, "
        "expected a finite number of at least 0 and of at most 1",
        "scenario.toml:19: types.chat.arrivals.counts: found 0 entries, expected at least 1",
        'scenario.toml:19: types.chat.arrivals.every: found "90s", expected whole minutes such as '
        '"30m" or "1h"; whole minutes go with the key "every_min"',
        'scenario.toml:19: types.chat.arrivals.starts: found "8:00", expected a time of day such '
        'as "04:00", from "00:00" to "24:00"',
        *(
            f"scenario.toml:20: types.chat.handling.values[{index}]: found {shown}, "
            "expected a finite number of at least 0"
            for index, shown in ((1, "nan"), (2, "-1"), (3, "true"), (4, '"x"'))
        ),
        "scenario.toml:21: types.chat.retrial.after.average: found 0, "
        "expected a finite number above 0",
        "scenario.toml:21: types.chat.retrial.after.deviation: found inf, "
        "expected a finite number above 0",
        'scenario.toml:23: types.mail.queue: found "mail", '
        "expected an open queue of the policy: billing",
        "scenario.toml:27: types.mail.batch: found shares that add up to 0.9, expected 1",
        "scenario.toml:29: capacities.phone.units: found 0, "
        "expected a whole number from 1 to 10000",
        'scenario.toml:32: groups.front.capacity: found "fone", '
        'expected one of [capacities]: phone; did you mean "phone"?',
        "scenario.toml:35: groups.back.capacity: found 7, expected text that matches "
        "^[A-Za-z0-9][A-Za-z0-9_./-]{0,63}\\Z or a table",
        "scenario.toml:38: groups.side.shifts[0].from_min: "
        'expected the key "from": a time of day such as "04:00"',
    ] == refusal(path, text)


KINDS = " or ".join(
    f'"{kind}"'
    for kind in (
        *("exponential", "deterministic", "uniform", "lognormal", "gamma"),
        *("erlang", "weibull", "hyperexponential", "empirical"),
    )
)


def test_findings_across_values_are_at_their_lines(path: Path) -> None:
    shifts = '[[groups.front.shifts]]\nagents = 1\nfrom = "16:00"\nuntil = "08:00"\n'
    said = refusal(path, SOUND.replace("4\n", "4\nspeed = { cal = 1 }\n") + shifts)

    assert [
        'scenario.toml:14: groups.front.speed.cal: found "cal", expected a type of the scenario: '
        'call; did you mean "call"?',
        'scenario.toml:16: groups.front.shifts[0]: found "16:00" to "08:00", '
        "expected an end after the beginning",
    ] == said


def test_what_only_a_left_out_table_brought_about_is_not_said(path: Path) -> None:
    (said,) = refusal(path, SOUND.replace("agents = 4", 'agents = "four"'))

    assert said.startswith("scenario.toml:13: groups.front.agents: found")


def test_findings_of_the_policy_stand_beside_those_of_the_scenario(path: Path) -> None:
    policy = POLICY.replace("least = 3", "least = 33")
    (path.parent / "policy.toml").write_text(policy, encoding="utf-8")
    said = refusal(path, SOUND.replace("agents = 4", "agents = 4\nsped = { call = 1 }"))

    assert [
        "policy.toml:6: queues.billing.requirements[0].least: found 33, "
        "expected a whole number from 0 to 10",
        'scenario.toml:14: groups.front.sped: found an unknown key; did you mean "speed"?',
    ] == said


def test_a_policy_that_is_not_there_is_told(path: Path) -> None:
    (said,) = refusal(path, SOUND.replace("policy.toml", "polcy.toml"))

    assert "polcy.toml: cannot be read: No such file or directory" == said


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("", 'scenario.toml:1: policy: expected the key "policy": text of 1 to 4096 characters'),
        (
            'policy = ""\n',
            'scenario.toml:2: policy: found "", expected text of 1 to 4096 characters',
        ),
        ("policy = 1\n", "scenario.toml:2: policy: found 1, expected text"),
    ],
)
def test_a_scenario_names_its_policy(path: Path, policy: str, said: str) -> None:
    assert [said] == refusal(path, SOUND.replace('policy = "policy.toml"\n', policy))


def test_a_named_capacity_is_judged_once_at_its_own_table(path: Path) -> None:
    second = '[groups.back]\ncapacity = "phone"\nagents = 1\nskills = { billing = 5 }\n'
    unused = "[capacities.spare]\nunits = 1\nchannels = {}\n"
    text = SOUND.replace("price = 10 }", "price = 10, wrap_up_price = 11 }")
    said = refusal(path, text + second + unused)

    assert [
        "scenario.toml:10: capacities.phone.channels.voice.wrap_up_price: found 11",
        "scenario.toml:21: capacities.spare.channels: found no channel",
    ] == [line.split(",")[0] for line in said]


def test_an_inline_capacity_is_judged_in_its_group(path: Path) -> None:
    inline = "capacity = { units = 10, channels = { voice = { price = 10 }, fax = {} } }"
    (said,) = refusal(path, SOUND.replace('capacity = "phone"', inline))

    assert said.startswith(
        'scenario.toml:12: groups.front.capacity.channels.fax: found channel "fax"'
    )


def test_a_warning_does_not_refuse(path: Path) -> None:
    path.write_text(SOUND + 'answering = { kind = "exponential", average = 60 }\n', "utf-8")
    (warning,) = read_scenario(path).warnings

    assert str(warning).startswith(
        f"{path}:15: warning: groups.front.answering: found a mean of 60"
    )


def test_a_table_and_a_list_in_place_of_each_other_are_refused(path: Path) -> None:
    said = refusal(path, 'name = "a"\npolicy = "policy.toml"\ntypes = []\ngroups = 1\n')

    assert [
        "scenario.toml:3: types: found a list, expected a table",
        "scenario.toml:4: groups: found 1, expected a table",
    ] == said


def test_what_is_no_toml_is_refused(path: Path) -> None:
    (said,) = refusal(path, 'name = "a"\nname = "b"\n')

    assert said.startswith("scenario.toml:2: no valid TOML")


def test_a_steady_run_is_told_apart_by_its_kind(path: Path) -> None:
    horizon = 'horizon = { kind = "steady", batch = 500 }\n'
    path.write_text(SOUND.replace("[types", f"{horizon}[types"), encoding="utf-8")

    assert Steady(batch=500) == read_scenario(path).scenario.horizon


# numbers with a point, in the reader that all files share


class Bounded(Struct):
    open: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    closed: Annotated[float, Meta(ge=0, le=1)] = 0.5
    free: float = 0.5


@pytest.mark.parametrize(
    ("key", "value"),
    [("open", 0.001), ("open", 0.999), ("closed", 0), ("closed", 1), ("free", -1e300), ("free", 7)],
)
def test_a_number_within_its_bounds_is_read_as_one_with_a_point(key: str, value: float) -> None:
    read, findings = read_bounded({key: value})

    assert ({key: value}, [], float) == (read, findings, type(read[key]))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("open", 0, "found 0, expected a finite number above 0 and below 1"),
        ("open", 1.0, "found 1.0, expected a finite number above 0 and below 1"),
        ("closed", -1e-9, "found -1e-09, expected a finite number of at least 0 and of at most 1"),
        ("closed", 1.1, "found 1.1, expected a finite number of at least 0 and of at most 1"),
        ("free", float("nan"), "found nan, expected a finite number"),
        ("free", float("-inf"), "found -inf, expected a finite number"),
        ("free", 10**400, f"found 1{'0' * 59}..., expected a finite number"),
        ("free", False, "found false, expected a finite number"),
        ("free", "1", 'found "1", expected a finite number'),
        ("free", [1], "found a list, expected a finite number"),
    ],
)
def test_a_number_beyond_its_bounds_is_refused(key: str, value: object, said: str) -> None:
    _, findings = read_bounded({key: value})

    assert [said] == [finding.message for finding in findings]


def read_bounded(values: dict[str, object]) -> tuple[dict[str, object], list[Finding]]:
    reader = ShapeReader()
    shape = inspect.type_info(Bounded)
    assert isinstance(shape, inspect.StructType)
    return reader.read_struct(values, shape, ()), reader.findings


# the schema


Schema = dict[str, object]


def wrong(value: object, schema: Schema, root: Schema) -> Iterator[str]:
    """Yields where a value does not fit a schema; it knows the keywords that ours uses."""
    known = {"type", "properties", "required", "additionalProperties", "propertyNames", "items"}
    known |= {"$ref", "anyOf", "oneOf", "allOf", "not", "const", "enum", "pattern", "minItems"}
    known |= {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "maxItems"}
    known |= {"minLength", "maxLength", "default", "description", "examples"}
    known |= {"$schema", "$defs", "title"} if schema is root else set()
    assert set(schema) <= known
    if "$ref" in schema:
        yield from wrong(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for one in schema.get("allOf", ()):
        yield from wrong(value, one, root)
    for word, counts in (("anyOf", range(1, 99)), ("oneOf", (1,))):
        fitting = sum(not [*wrong(value, one, root)] for one in schema.get(word, ()))
        if word in schema and fitting not in counts:
            yield word
    if "not" in schema and not [*wrong(value, schema["not"], root)]:
        yield "not"
    if "const" in schema and value != schema["const"]:
        yield f"{value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{value!r} is none of {schema['enum']}"
    yield from wrong_by_type(value, schema, root)


def wrong_by_type(value: object, schema: Schema, root: Schema) -> Iterator[str]:
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    kind = types.get(schema.get("type"), int | float if "type" in schema else object)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        if "type" in schema:
            yield f"{value!r} is no {schema['type']}"
        return
    if isinstance(value, str):
        least, most = schema.get("minLength", 0), schema.get("maxLength", len(value))
        if not (least <= len(value) <= most and re.search(schema.get("pattern", ""), value)):
            yield f"{value!r} is no text for {schema}"
    elif isinstance(value, dict):
        yield from (f"{key} is missing" for key in schema.get("required", ()) if key not in value)
        for key, one in value.items():
            if "propertyNames" in schema:
                yield from wrong(key, schema["propertyNames"], root)
            rest = schema.get("additionalProperties", {})
            inner = schema.get("properties", {}).get(key, rest)
            yield from [f"{key} is not known"] if inner is False else wrong(one, inner, root)
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield "too few"
        for one in value:
            yield from wrong(one, schema.get("items", {}), root)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        least, most = schema.get("minimum", value), schema.get("maximum", value)
        fits = (above is None or value > above) and (below is None or value < below)
        if not (fits and least <= value <= most):
            yield f"{value!r} is out of bounds"


def test_the_schema_is_plain_json_and_takes_what_the_reader_takes() -> None:
    schema = scenario_schema()

    assert schema == json.loads(json.dumps(schema))
    assert r"\\Z" not in json.dumps(schema)  # no anchor of ECMA's expressions
    assert [] == [*wrong(tomllib.loads(FULL), schema, schema)]
    assert [] == [*wrong(tomllib.loads(SOUND), schema, schema)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('name = "monday"', ""),
        ('policy = "policy.toml"', 'policy = ""'),
        ("agents = 4", "agents = 4.5"),
        ("agents = 4", "agents = -1"),
        ("agents = 4", 'agents = 4\nreturns_after = "soon"'),
        ("agents = 4", 'agents = 4\nreturns_after = "20s"\nreturns_after_ms = 20000'),
        ("agents = 4", 'agents = 4\nshifts = [{ agents = 1, from = "08:00" }]'),
        ("agents = 4", 'agents = 4\nshifts = [{ agents = 1, from = "8:00", until = "09:00" }]'),
        ("agents = 4", "agents = 4\nslowdown = { voice = [0] }"),
        ("agents = 4", "agents = 4\nslowdown = { voice = [] }"),
        ("agents = 4", "agents = 4\nabsence = 1.01"),
        ('"phone"', "7"),
        ('capacity = "phone"', ""),
        ("per_hour = 60", "per_hour = 0"),
        ("per_hour = 60", "per_our = 60"),
        ('"poisson"', '"poison"'),
        ('kind = "poisson", ', ""),
        ('kind = "poisson", per_hour = 60', 'kind = "curve", counts = []'),
        ("[types.call]", '[types."a call"]'),
        ("[types.call]", '[types."a.call"]'),
        ("[types.call]", '[target]\nlevel = "of_all"\n[types.call]'),
    ],
)
def test_the_schema_refuses_a_form_that_the_reader_refuses(
    path: Path, before: str, after: str
) -> None:
    schema, text = scenario_schema(), SOUND.replace(before, after, 1)

    assert text != SOUND
    assert [] != refusal(path, text)
    assert [] != [*wrong(tomllib.loads(text), schema, schema)]


def structs() -> Iterator[type[Struct]]:
    for module in (scenario, distributions):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Struct) and value.__struct_fields__:
                yield value


@pytest.mark.parametrize("kind", [*structs(), Capacity, ChannelCapacity])
def test_every_key_of_the_structs_is_in_the_schema(kind: type[Struct]) -> None:
    schema = scenario_schema()
    table = schema if kind is Scenario else schema["$defs"][kind.__name__]
    texts = {name.removesuffix("_ms").removesuffix("_min") for name in kind.__struct_fields__}
    tag = {"kind"} if kind.__struct_config__.tag else set()
    beside = {"capacities"} if kind is Scenario else set()

    assert {*kind.__struct_fields__, *texts, *tag, *beside} == set(table["properties"])


def test_texts_fit_the_schema_if_the_reader_reads_them() -> None:
    durations = ["250ms", "20s", "1m30s", "2h", "1d12h", "0s", "", "20", "s", "1h ", "30s1m", "1S"]
    times = ["00:00", "09:59", "19:00", "23:59", "24:00", "24:01", "8:00", "08:60", "08:00:00", ""]

    assert [parse_duration(one) is not None for one in durations] == [
        re.search(DURATION_PATTERN, one) is not None for one in durations
    ]
    assert [parse_minute(one) is not None for one in times] == [
        re.search(TIME_PATTERN, one) is not None for one in times
    ]
