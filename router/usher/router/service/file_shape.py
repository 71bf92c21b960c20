"""Reads the values of a policy, roster or scenario file by shape, and finds all that is wrong.

The shapes are taken from the structs, with the file's own forms on top: queues, agents, capacities
are tables by name, an agent names its capacity, a duration `x_ms` or a time of day `x_min` may be
text under `x`, hours are text by weekday or date. What comes in kinds is told apart by the tag of
its struct. A table with something wrong in it is left out, the rest goes on to the checks across
values. Knows no lines and opens no file.
"""

import difflib
import json
import re
import sys
from collections.abc import Callable
from enum import StrEnum
from math import inf
from typing import TypeAlias, cast

import msgspec
from msgspec import inspect
from msgspec.structs import replace

from usher.queue.branches import Branch, Desk, Service
from usher.queue.rules import AgentProfile, Capacity, Policy, QueueRules, Roster
from usher.queue.values import CODE_PATTERN
from usher.router.branch_policy import minute_text
from usher.router.findings import Finding, Place
from usher.router.service.durations import DURATION_FORM, parse_duration
from usher.router.service.file_hours import (
    DATE_FORM,
    DATE_PATTERN,
    OPENINGS_FORM,
    OPENINGS_PATTERN,
    TIME_FORM,
    WEEKDAYS_FORM,
    WEEKDAYS_PATTERN,
    parse_minute,
)

NEVER = "never"
"""What a file writes for 'no end' where leaving the key out means the default."""

_MAY_BE_NEVER = {"lost_grace"}

_SPANS = {"every_min"}  # minutes that are no time of day: as text, a duration
_IN_MS = DURATION_FORM, "milliseconds", 1
_IN_MINUTES = 'whole minutes such as "30m" or "1h"', "minutes", 60_000

_SHOWN_MAX = 60

_Table: TypeAlias = dict[str, object]
_Kinds: TypeAlias = dict[str, inspect.StructType]

_FORMS = {
    OPENINGS_PATTERN: OPENINGS_FORM,
    WEEKDAYS_PATTERN: WEEKDAYS_FORM,
    DATE_PATTERN: DATE_FORM,
}
"""What to say of a pattern that would say too little by itself."""


class ShapeReason(StrEnum):
    """What is wrong with the form of a file; stable, for machines."""

    NOT_READABLE = "NOT_READABLE"
    SYNTAX = "SYNTAX"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    MISSING_KEY = "MISSING_KEY"
    KEY_GIVEN_TWICE = "KEY_GIVEN_TWICE"
    WRONG_TYPE = "WRONG_TYPE"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    BAD_TEXT = "BAD_TEXT"
    UNKNOWN_KIND = "UNKNOWN_KIND"
    BAD_COMBINATION = "BAD_COMBINATION"
    UNKNOWN_CAPACITY = "UNKNOWN_CAPACITY"
    UNKNOWN_TIME_ZONE = "UNKNOWN_TIME_ZONE"


def policy_shape() -> inspect.StructType:
    """Returns the shape of a policy file: queues are tables by name; services and branches."""
    policy, queue = struct_shape(Policy), struct_shape(QueueRules)
    names = inspect.StrType(pattern=CODE_PATTERN)
    channels = cast(inspect.DictType, _field(policy, "channels").type)
    shape = with_types(
        policy,
        queues=inspect.DictType(names, _without(queue, "name")),
        channels=inspect.DictType(names, channels.value_type),
    )
    services = _tables("services", struct_shape(Service))
    return replace(shape, fields=(*shape.fields, services, _tables("branches", _branch_shape())))


def roster_shape() -> inspect.StructType:
    """Returns the shape of a roster file: agents by id, capacities by name; desks."""
    roster, agent = struct_shape(Roster), struct_shape(AgentProfile)
    names = inspect.StrType(pattern=CODE_PATTERN)
    entry = with_types(_without(agent, "id"), capacity=names)
    shape = with_types(roster, agents=inspect.DictType(_field(agent, "id").type, entry))
    capacities = optional_field("capacities", inspect.DictType(names, struct_shape(Capacity)))
    desks = _tables("desks", struct_shape(Desk))
    return replace(shape, fields=(*shape.fields, capacities, desks))


def _branch_shape() -> inspect.StructType:
    branch = struct_shape(Branch)
    openings = inspect.StrType(pattern=OPENINGS_PATTERN)
    hours = inspect.DictType(inspect.StrType(pattern=WEEKDAYS_PATTERN), openings)
    dates = inspect.DictType(inspect.StrType(pattern=DATE_PATTERN), openings)
    shape = with_types(_without(branch, "week"), dates=dates)
    return replace(shape, fields=(*shape.fields, optional_field("hours", hours)))


def _tables(name: str, row: inspect.StructType) -> inspect.Field:
    return optional_field(name, inspect.VarTupleType(row))


def optional_field(name: str, kind: inspect.Type) -> inspect.Field:
    """Returns a field of a file that its struct does not have."""
    return inspect.Field(name, name, kind, required=False)


class ShapeReader:
    """Reads values by shape; `findings` holds all that was wrong so far.

    What it returns are plain values for `msgspec.convert`, without what was wrong.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def read(self, value: object, shape: inspect.Type, place: Place) -> object:
        """Returns the plain value; None where it was wrong."""
        match shape:
            case inspect.StructType():
                return self.read_struct(value, shape, place)
            case inspect.DictType():
                return self._read_tables(value, shape, place)
            case inspect.VarTupleType():
                return self._read_list(value, shape, place)
            case inspect.UnionType():
                return self._read_either(value, shape, place)
            case inspect.IntType():
                return self._read_int(value, shape, place)
            case inspect.FloatType():
                return self._read_float(value, shape, place)
            case inspect.StrType():
                return self._read_text(value, shape, place)
            case inspect.EnumType():
                known = [one.value for one in shape.cls]
                fits = isinstance(value, str) and value in known
                return self._expect(value, fits, place, " or ".join(map(_shown, known)))
            case inspect.BoolType():
                return self._expect(value, isinstance(value, bool), place, "true or false")
        raise NotImplementedError(f"{place}: no file form for {shape}")

    def read_struct(self, value: object, shape: inspect.StructType, place: Place) -> _Table:
        """Returns the sound fields of a table by their names in the struct."""
        if not isinstance(value, dict):
            self._expect(value, False, place, "a table")
            return {}
        before = len(self.findings)
        result = self._read_fields(value, shape, place)
        for field in shape.fields:
            if field.required and field.name not in value and text_key(field.name) not in value:
                key = text_key(field.name) if is_time(field.name) else field.name
                form = TIME_FORM if is_time(field.name) else _form(field.type)
                message = f'expected the key "{key}": {form}'
                self._add((*place, field.name), ShapeReason.MISSING_KEY, message)
        if len(self.findings) == before and hasattr(shape.cls, "__post_init__"):
            try:
                msgspec.convert(result, shape.cls)
            except msgspec.ValidationError as error:  # what the struct says of them together
                pairs = ", ".join(f"{key} = {_cut(json.dumps(one))}" for key, one in result.items())
                self._add(place, ShapeReason.BAD_COMBINATION, f"found {pairs}: {error}")
        return result

    def _read_fields(self, table: _Table, shape: inspect.StructType, place: Place) -> _Table:
        fields = {field.name: field for field in shape.fields}
        short = {text_key(name): name for name in fields if text_key(name) != name}
        result: _Table = {}
        for key, one in table.items():
            name = short.get(key, key)
            if key == shape.tag_field:
                result[key] = one
            elif name not in fields:
                self._unknown_key((*place, key), [*fields, *short])
            elif key in short and name in table:
                message = f'found both "{key}" and "{name}", expected one of them'
                self._add((*place, key), ShapeReason.KEY_GIVEN_TWICE, message)
            elif key in short:
                read = self._read_time if is_time(name) else self._read_duration
                result[name] = read(one, fields[name], (*place, key))
            else:
                result[name] = self.read(one, fields[name].type, (*place, key))
        return result

    def _read_either(self, value: object, shape: inspect.UnionType, place: Place) -> object:
        """Reads what may be None, comes in several kinds, or is a name in place of a table."""
        choices, kinds = choices_of(shape), _kinds(shape)
        if kinds and isinstance(value, dict):
            return self._read_kind(value, kinds, place)
        for one in choices:
            form = str if isinstance(one, inspect.StrType) else dict
            if len(choices) == 1 or isinstance(value, form):
                return self.read(value, one, place)
        return self._expect(value, False, place, _form(shape))

    def _read_kind(self, table: _Table, kinds: _Kinds, place: Place) -> object:
        key = str(next(iter(kinds.values())).tag_field)
        kind = table.get(key)
        if isinstance(kind, str) and kind in kinds:
            return self.read_struct(table, kinds[kind], place)
        reason = ShapeReason.UNKNOWN_KIND if key in table else ShapeReason.MISSING_KEY
        close = difflib.get_close_matches(str(kind), kinds, n=1)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        return self._add_value((*place, key), reason, kind, " or ".join(map(_shown, kinds)) + hint)

    def _read_tables(self, value: object, shape: inspect.DictType, place: Place) -> _Table:
        if not isinstance(value, dict):
            self._expect(value, False, place, "a table")
            return {}
        result = {}
        for key, one in value.items():
            before = len(self.findings)
            self.read(key, shape.key_type, (*place, key))
            plain = self.read(one, shape.value_type, (*place, key))
            if len(self.findings) == before:
                result[key] = plain
        return result

    def _read_list(self, value: object, shape: inspect.VarTupleType, place: Place) -> list[object]:
        if not isinstance(value, list):
            self._expect(value, False, place, "a list")
            return []
        least, most = shape.min_length or 0, shape.max_length or len(value)
        if not least <= len(value) <= most:
            limit = f"at least {least}" if len(value) < least else f"at most {most}"
            found = f"found {len(value)} entries, expected {limit}"
            self._add(place, ShapeReason.OUT_OF_RANGE, found)
        return [self.read(one, shape.item_type, (*place, index)) for index, one in enumerate(value)]

    def _read_int(self, value: object, shape: inspect.IntType, place: Place) -> object:
        if not isinstance(value, int) or isinstance(value, bool):
            expected = _form(shape)
            last = place[-1]
            if isinstance(value, str) and isinstance(last, str) and last.endswith("_ms"):
                expected += f' (as text, "{value}", its key is "{text_key(last)}")'
            return self._expect(value, False, place, expected)
        least, most = _bounds(shape)
        if least <= value <= most:
            return value
        return self._add_value(place, ShapeReason.OUT_OF_RANGE, value, _form(shape))

    def _read_float(self, value: object, shape: inspect.FloatType, place: Place) -> object:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return self._expect(value, False, place, _form(shape))
        # The first is false of nan too, and of a whole number that has too many digits.
        if abs(value) <= sys.float_info.max and _is_within(float(value), shape):
            return float(value)
        return self._add_value(place, ShapeReason.OUT_OF_RANGE, value, _form(shape))

    def _read_duration(self, value: object, field: inspect.Field, place: Place) -> object:
        if value == NEVER and place[-1] in _MAY_BE_NEVER:
            return None
        form, unit, unit_ms = _IN_MINUTES if field.name in _SPANS else _IN_MS
        duration_ms = parse_duration(value) if isinstance(value, str) else None
        if duration_ms is None or duration_ms % unit_ms:
            expected = f'{form}; whole {unit} go with the key "{field.name}"'
            return self._expect(value, False, place, expected)
        return self.read(duration_ms // unit_ms, field.type, place)

    def _read_time(self, value: object, field: inspect.Field, place: Place) -> object:
        minute = parse_minute(value) if isinstance(value, str) else None
        least, most = _bounds(cast(inspect.IntType, field.type))
        if minute is None or not least <= minute <= most:
            expected = f'{TIME_FORM}, from "{minute_text(least)}" to "{minute_text(most)}"'
            return self._expect(value, False, place, expected)
        return minute

    def _read_text(self, value: object, shape: inspect.StrType, place: Place) -> object:
        if not isinstance(value, str):
            return self._expect(value, False, place, "text")
        # fullmatch: `$` alone would let a line break at the end pass.
        fits = shape.pattern is None or re.fullmatch(shape.pattern, value)
        least, most = shape.min_length or 0, shape.max_length
        if fits and least <= len(value) and (most is None or len(value) <= most):
            return value
        return self._add_value(place, ShapeReason.BAD_TEXT, value, _form(shape))

    def _unknown_key(self, place: Place, known: list[str]) -> None:
        close = difflib.get_close_matches(str(place[-1]), known, n=1)
        expected = f'did you mean "{close[0]}"?' if close else f"expected {', '.join(known)}"
        self._add(place, ShapeReason.UNKNOWN_KEY, f"found an unknown key; {expected}")

    def _expect(self, value: object, fits: object, place: Place, expected: str) -> object:
        if fits:
            return value
        return self._add_value(place, ShapeReason.WRONG_TYPE, value, expected)

    def _add_value(self, place: Place, reason: ShapeReason, value: object, expected: str) -> object:
        self._add(place, reason, f"found {_shown(value)}, expected {expected}")
        return None

    def _add(self, place: Place, reason: ShapeReason, message: str) -> None:
        self.findings.append(Finding(place, reason, message))


def _form(shape: inspect.Type) -> str:
    match shape:
        case inspect.IntType():
            return "a whole number from {} to {}".format(*_bounds(shape))
        case inspect.FloatType(gt=gt, ge=ge, lt=lt, le=le):
            limits = {"above": gt, "of at least": ge, "below": lt, "of at most": le}
            said = " and ".join(f"{word} {one}" for word, one in limits.items() if one is not None)
            return f"a finite number {said}".rstrip()
        case inspect.UnionType():
            kinds = " or ".join(map(_shown, _kinds(shape)))
            forms = " or ".join(map(_form, choices_of(shape)))
            return f'a table whose "kind" is {kinds}' if kinds else forms
        case inspect.StrType(pattern=str() as pattern):
            return _FORMS.get(pattern, f"text that matches {pattern}")
        case inspect.StrType(max_length=int() as most):
            return f"text of {shape.min_length or 0} to {most} characters"
        case inspect.StrType():
            return "text"
        case inspect.VarTupleType():
            return "a list"
        case _:
            return "a table"


def _bounds(shape: inspect.IntType) -> tuple[int, int]:
    # Every number of the structs has both bounds; the others are what the journal can hold.
    least = -(2**63) if shape.ge is None else int(shape.ge)
    most = 2**63 - 1 if shape.le is None else int(shape.le)
    return least, most if shape.lt is None else int(shape.lt) - 1


def _is_within(number: float, shape: inspect.FloatType) -> bool:
    above, least = (-inf if one is None else one for one in (shape.gt, shape.ge))
    below, most = (inf if one is None else one for one in (shape.lt, shape.le))
    return above < number < below and least <= number <= most


_SHOWN: dict[type, Callable[[object], str]] = {
    type(None): lambda value: "nothing",
    bool: lambda value: "true" if value else "false",
    str: lambda value: _cut(json.dumps(value, ensure_ascii=False)),
    dict: lambda value: "a table",
    list: lambda value: "a list",
}


def _shown(value: object) -> str:
    show = _SHOWN.get(type(value))
    return show(value) if show else _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."


def text_key(name: str) -> str:
    """Returns the key under which a file may write a field as text, the name itself if none."""
    return name.removesuffix("_ms").removesuffix("_min")


def is_time(name: str) -> bool:
    """Returns whether a field is a time of day, written as text under its other key."""
    return name.endswith("_min") and name not in _SPANS


def choices_of(shape: inspect.UnionType) -> list[inspect.Type]:
    """Returns what a value may be beside None."""
    return [one for one in shape.types if not isinstance(one, inspect.NoneType)]


def _kinds(shape: inspect.UnionType) -> _Kinds:
    structs = (one for one in shape.types if isinstance(one, inspect.StructType))
    return {str(one.tag): one for one in structs if one.tag is not None}


def struct_shape(kind: type) -> inspect.StructType:
    """Returns the shape of a struct."""
    return cast(inspect.StructType, inspect.type_info(kind))


def _field(shape: inspect.StructType, name: str) -> inspect.Field:
    return next(field for field in shape.fields if field.name == name)


def _without(shape: inspect.StructType, name: str) -> inspect.StructType:
    return replace(shape, fields=tuple(one for one in shape.fields if one.name != name))


def with_types(shape: inspect.StructType, **types: inspect.Type) -> inspect.StructType:
    """Returns the shape with other types for these fields."""
    fields = (replace(one, type=types.get(one.name, one.type)) for one in shape.fields)
    return replace(shape, fields=tuple(fields))
