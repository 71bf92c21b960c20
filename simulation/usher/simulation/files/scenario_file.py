"""Scenario files: read and checked as a whole with their policy, or refused with all that is wrong.

    bytes -> TOML -> shape (file_shape) -> structs -> checks across values (scenario_rules)

The form is that of policy and roster files: tables by name, named capacities, durations and times
of day as text. What comes in several kinds, such as a distribution, is a table with the key `kind`.
A refusal holds one finding per line, those of the policy file first. The JSON schema for editors is
made of the same shape that the reader uses. Must not run anything.
"""

import inspect as source
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias, cast

import msgspec
from msgspec import NODEFAULT, Struct, inspect
from msgspec.structs import replace

from usher.queue.branches import Branches
from usher.queue.rules import Capacity, Policy
from usher.queue.values import CODE_PATTERN
from usher.router.findings import Finding, Severity
from usher.router.policy import check_capacity, known_channels
from usher.router.service.file_shape import (
    ShapeReader,
    ShapeReason,
    choices_of,
    is_time,
    optional_field,
    struct_shape,
    text_key,
    with_types,
)
from usher.router.service.files import (
    IN_POLICY_FILE,
    FileFinding,
    FileRefused,
    PolicyFile,
    TomlFile,
)
from usher.simulation.files.history import History, curve_of
from usher.simulation.scenario import ContactType, Group, Scenario, TypeName
from usher.simulation.scenario_findings import unknown
from usher.simulation.scenario_routing import RoutingReason
from usher.simulation.scenario_rules import ScenarioReason, check_scenario
from usher.simulation.scenario_visits import VisitReason

_Table: TypeAlias = dict[str, object]
_Tables: TypeAlias = dict[str, dict[str, object]]

_PATH_MOST = 4096
_UNREAD = "unread"  # in place of a name that is missing or wrong, while the rest is checked
_NEEDS_ALL = {
    ScenarioReason.NO_TYPE,
    ScenarioReason.NO_GROUP,
    ScenarioReason.UNKNOWN_TYPE,
    ScenarioReason.UNKNOWN_SITE,
    ScenarioReason.REDIAL_NEVER,
    RoutingReason.NOBODY_SERVES,
    VisitReason.DESK_NEVER,
    VisitReason.SERVICE_WITHOUT_DESK,
}
"""Findings that mean nothing while a table is left out because of its shape."""

DURATION_PATTERN = "^(?=.)([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?([0-9]{1,12}ms)?$"
TIME_PATTERN = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"


class HistoryReason(StrEnum):
    """What a finding about arrivals from a file is about; stable, for machines."""

    BAD_HISTORY = "BAD_HISTORY"


class ReadScenario(Struct, frozen=True):
    """A sound scenario, the policy that it names, and what is doubtful about them.

    `branches`: services and branches of the policy file, without desks; None if it has none.
    """

    scenario: Scenario
    policy: Policy
    warnings: tuple[FileFinding, ...]
    branches: Branches | None = None


def read_scenario(path: Path) -> ReadScenario:
    """Returns the scenario of a file and its policy, which is named relative to the file.

    Raises `FileRefused` with the findings of both files, each at its line in its own file.
    """
    file = TomlFile(path)
    if file.values is None:
        raise FileRefused(file.located(file.findings))
    reader = ShapeReader()
    read = reader.read_struct(file.values, scenario_shape(), ())
    of_shape = [*reader.findings, *_unknown_capacities(file.values)]
    of_shape += _taken_from_history(read, path.parent)
    policy, of_policy = _read_policy(path.parent, read.get("policy"))
    scenario = _scenario(read, of_shape)
    found = _joined(of_shape, _of_values(scenario, policy, file.values, read))
    if policy is not None:
        of_policy = policy.located(one for one in found if one.place[:1] in IN_POLICY_FILE)
    of_scenario = file.located(one for one in found if one.place[:1] not in IN_POLICY_FILE)
    located = [*of_policy, *of_scenario]
    if policy is None or any(one.severity is Severity.ERROR for one in located):
        raise FileRefused(located)
    return ReadScenario(scenario, policy.policy, tuple(located), policy.branches)


def scenario_shape() -> inspect.StructType:
    """Returns the shape of a scenario file: a group may name its capacity; a policy is needed."""
    scenario, group = struct_shape(Scenario), struct_shape(Group)
    names = inspect.StrType(pattern=CODE_PATTERN)
    capacity = struct_shape(Capacity)
    entry = with_types(group, capacity=inspect.UnionType((names, capacity)))
    types = inspect.DictType(inspect.type_info(TypeName), _with_history(struct_shape(ContactType)))
    shape = with_types(
        scenario,
        types=types,
        groups=inspect.DictType(names, entry),
        policy=inspect.StrType(min_length=1, max_length=_PATH_MOST),
    )
    fields = (replace(one, required=one.required or one.name == "policy") for one in shape.fields)
    capacities = optional_field("capacities", inspect.DictType(names, capacity))
    return replace(shape, fields=(*fields, capacities))


def _with_history(kind: inspect.StructType) -> inspect.StructType:
    """Returns the shape of a type whose arrivals may come from a file, too."""
    arrivals = next(field.type for field in kind.fields if field.name == "arrivals")
    kinds = choices_of(cast("inspect.UnionType", arrivals))
    return with_types(kind, arrivals=inspect.UnionType((*kinds, struct_shape(History))))


def _taken_from_history(read: _Table, folder: Path) -> Iterator[Finding]:
    """Puts a curve in the place of each history; yields those that cannot be used."""
    types = _tables(read, "types")
    for name, kind in list(types.items()):
        arrivals = kind.get("arrivals")
        if not isinstance(arrivals, dict) or arrivals.get("kind") != "history":
            continue
        try:
            curve = curve_of(msgspec.convert(arrivals, History), folder)
        except ValueError as error:
            place = ("types", name, "arrivals", "file")
            yield Finding(place, HistoryReason.BAD_HISTORY, str(error))
            del types[name]
            continue
        types[name] = {**kind, "arrivals": msgspec.to_builtins(curve)}
    if "types" in read:
        read["types"] = types


def _read_policy(folder: Path, name: object) -> tuple[PolicyFile | None, list[FileFinding]]:
    if not isinstance(name, str):
        return None, []
    try:
        return PolicyFile(folder / name), []
    except FileRefused as refused:
        return None, list(refused.findings)


def _scenario(read: _Table, of_shape: list[Finding]) -> Scenario:
    """Returns the scenario without what was found wrong by its shape.

    Of the tables by name the wrong entries are left out, of everything else the whole value.
    """
    wrong = {finding.place[0] for finding in of_shape if finding.place}
    capacities = _tables(read, "capacities")
    groups = {
        name: {**group, "capacity": _capacity(group["capacity"], capacities)}
        for name, group in _tables(read, "groups").items()
    }
    plain = {
        "name": _UNREAD,
        **{key: value for key, value in read.items() if key not in wrong and key != "capacities"},
        "types": _tables(read, "types"),
        "groups": {name: group for name, group in groups.items() if group["capacity"] is not None},
    }
    return msgspec.convert(plain, Scenario)


def _capacity(given: object, capacities: _Tables) -> object:
    return capacities.get(given) if isinstance(given, str) else given


def _unknown_capacities(values: _Table) -> Iterator[Finding]:
    named = _tables(values, "capacities")
    for name, group in _tables(values, "groups").items():
        capacity = group.get("capacity") if isinstance(group, dict) else None
        if isinstance(capacity, str) and capacity not in named:
            place, expected = ("groups", name, "capacity"), "one of [capacities]"
            yield unknown(place, ShapeReason.UNKNOWN_CAPACITY, capacity, expected, named)


def _of_values(
    scenario: Scenario, file: PolicyFile | None, values: _Table, read: _Table
) -> Iterator[Finding]:
    """Yields what is wrong across values; with a named capacity at its own table, once."""
    policy, branches = (None, None) if file is None else (file.policy, file.branches)
    if policy is not None:
        for capacity_name, plain in _tables(read, "capacities").items():
            capacity = msgspec.convert(plain, Capacity)
            place = ("capacities", capacity_name)
            yield from check_capacity(place, capacity, known_channels(policy))
    groups = _tables(values, "groups")
    for finding in check_scenario(scenario, policy, branches):
        table, name, key = (*finding.place, "", "", "")[:3]
        in_capacity = table == "groups" and key == "capacity"
        if not (in_capacity and isinstance(groups[str(name)]["capacity"], str)):
            yield finding


def _joined(of_shape: list[Finding], of_values: Iterable[Finding]) -> list[Finding]:
    """Returns both, without what a left-out table alone brought about."""
    if not of_shape:
        return list(of_values)
    return of_shape + [one for one in of_values if one.reason not in _NEEDS_ALL]


def _tables(values: _Table, key: str) -> _Tables:
    found = values.get(key)
    return cast(_Tables, found) if isinstance(found, dict) else {}


# the schema


def scenario_schema() -> dict[str, object]:
    """Returns the JSON schema (draft 2020-12) of a scenario file, for editors.

    It tells form and bounds of each value; what values must be together is found by reading.
    """
    schema = _Schema()
    root = schema.table(scenario_shape())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scenario of Usher's planner",
        **root,
        "$defs": schema.definitions,
    }


class _Schema:
    """Shapes as JSON schema; each struct stands once among the definitions."""

    def __init__(self) -> None:
        self.definitions: _Table = {}

    def of(self, shape: inspect.Type) -> _Table:
        """Returns the schema of a value."""
        match shape:
            case inspect.StructType(cls=kind):
                if kind.__name__ not in self.definitions:
                    self.definitions[kind.__name__] = self.table(shape)
                return {"$ref": f"#/$defs/{kind.__name__}"}
            case inspect.UnionType():
                choices = [self.of(one) for one in choices_of(shape)]
                return choices[0] if len(choices) == 1 else {"anyOf": choices}
            case inspect.DictType():
                names, values = self.of(shape.key_type), self.of(shape.value_type)
                return {"type": "object", "propertyNames": names, "additionalProperties": values}
            case inspect.VarTupleType():
                entries = {"minItems": shape.min_length, "maxItems": shape.max_length}
                return {"type": "array", "items": self.of(shape.item_type), **_given(entries)}
            case inspect.EnumType():
                return {"enum": [one.value for one in shape.cls]}
            case inspect.BoolType():
                return {"type": "boolean"}
            case inspect.IntType() | inspect.FloatType() | inspect.StrType():
                return _plain(shape)
        raise NotImplementedError(f"no schema for {shape}")

    def table(self, shape: inspect.StructType) -> _Table:
        """Returns the schema of a table with these fields, each under all its keys."""
        properties: _Table = {}
        rules: list[_Table] = []
        required = [field.name for field in shape.fields if field.required]
        if shape.tag_field is not None:
            properties[shape.tag_field] = {"const": shape.tag}
            required.insert(0, shape.tag_field)
        for field in shape.fields:
            properties[field.name] = {**self.of(field.type), **_default(field)}
            key = text_key(field.name)
            if key != field.name:
                properties[key] = _text(field.name)
                either: list[_Table] = [{"required": [key]}, {"required": [field.name]}]
                rules.append({"oneOf": either} if field.required else {"not": {"allOf": either}})
                required = [one for one in required if one != field.name]
        return {
            "type": "object",
            "description": source.cleandoc(shape.cls.__doc__ or ""),
            "properties": properties,
            "required": required,
            "additionalProperties": False,
            **({"allOf": rules} if rules else {}),
        }


def _plain(shape: inspect.IntType | inspect.FloatType | inspect.StrType) -> _Table:
    if isinstance(shape, inspect.StrType):
        # ECMA's expressions have no \Z; their $ takes no line break at the end.
        pattern = shape.pattern and shape.pattern.replace(r"\Z", "$")
        lengths = {"minLength": shape.min_length, "maxLength": shape.max_length}
        return {"type": "string", **_given({"pattern": pattern, **lengths})}
    bounds = {
        "minimum": shape.ge,
        "exclusiveMinimum": shape.gt,
        "maximum": shape.le,
        "exclusiveMaximum": shape.lt,
    }
    kind = "integer" if isinstance(shape, inspect.IntType) else "number"
    return {"type": kind, **_given(bounds)}


def _text(name: str) -> _Table:
    """Returns the schema of a field that is written as text."""
    if is_time(name):
        return {"type": "string", "pattern": TIME_PATTERN, "examples": ["08:30"]}
    return {"type": "string", "pattern": DURATION_PATTERN, "examples": ["20s", "1m30s", "2h"]}


def _default(field: inspect.Field) -> _Table:
    if field.required or field.default in (None, NODEFAULT):
        return {}
    return {"default": msgspec.json.decode(msgspec.json.encode(field.default))}


def _given(keywords: Mapping[str, object]) -> _Table:
    return {key: value for key, value in keywords.items() if value is not None}
