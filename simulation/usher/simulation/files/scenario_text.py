"""Writes a scenario as TOML text that `scenario_file` reads back as an equal one.

    structs -> values that differ from the default, in the file's own names and units -> TOML

What fits on a line is written on one; a longer table gets a header of its own, a longer list goes
over several lines. It must not open a file.
"""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Final, cast

from msgspec import NODEFAULT, Struct, structs

from usher.queue.rules import Capacity
from usher.router.service.toml_text import file_pair, header, key_text, pair, value_text
from usher.simulation.scenario import Group, Scenario

LINE_MOST: Final = 100
_INDENT: Final = "    "

_Table = Mapping[str, object]
_Place = tuple[str, ...]


def scenario_toml(scenario: Scenario) -> str:
    """Returns the TOML text of a sound scenario; raises ValueError for a number not finite.

    Equal capacities stand once, under the name of the first group that has them. A scenario that
    names no policy is written as well, but a file of it is refused by the reader.
    """
    plain = _own_values(scenario)
    parts = [_lines((), {key: one for key, one in plain.items() if key not in ("types", "groups")})]
    parts += [_headed(("types", name), _own_values(r)) for name, r in scenario.types.items()]
    capacities = _capacities(scenario.groups)
    for name, capacity in capacities:
        parts.append(_headed(("capacities", name), _own_values(capacity)))
    for name, group in scenario.groups.items():
        capacity_name = next(one for one, capacity in capacities if capacity == group.capacity)
        entry = {**_own_values(group), "capacity": capacity_name}
        parts.append(_headed(("groups", name), entry))
    return "\n".join(line for part in parts for line in part) + "\n"


def _capacities(groups: Mapping[str, Group]) -> list[tuple[str, Capacity]]:
    found: list[tuple[str, Capacity]] = []
    for name, group in groups.items():
        if all(group.capacity != capacity for _, capacity in found):
            found.append((name, group.capacity))
    return found


# values as a file has them


def _own_values(value: Struct) -> dict[str, object]:
    """Returns the fields that differ from their default, under the keys that a file has."""
    config = type(value).__struct_config__
    found: dict[str, object] = {config.tag_field: config.tag} if config.tag_field else {}
    for field in structs.fields(value):
        own = getattr(value, field.name)
        if own != _default(field):
            key, plain = file_pair(field.name, _plain(own))
            found[key] = plain
    return found


def _default(field: structs.FieldInfo) -> object:
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return field.default


def _plain(value: object) -> object:
    match value:
        case Struct():
            return _own_values(value)
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case tuple():
            return [_plain(one) for one in value]
        case _:
            return value


# lines


def _headed(place: _Place, table: _Table) -> Iterator[str]:
    yield ""
    yield header(*place)
    yield from _lines(place, table)


def _lines(place: _Place, table: _Table) -> Iterator[str]:
    """Yields the lines of a table, last those of the tables in it that do not fit on one."""
    below: dict[str, _Table] = {}
    for key, value in table.items():
        line = pair(key, value)
        if len(line) > LINE_MOST and isinstance(value, dict):
            below[key] = cast(_Table, value)
        elif len(line) > LINE_MOST and isinstance(value, list):
            yield from _list_lines(key, value)
        else:
            yield line
    for key, inner in below.items():
        yield from _headed((*place, key), inner)


def _list_lines(key: str, values: list[object]) -> Iterator[str]:
    """Yields the lines of a long list: numbers side by side, all else one by one."""
    yield f"{key_text(key)} = ["
    if all(isinstance(one, int | float) for one in values):
        text = ", ".join(map(value_text, values)) + ","
        yield from wrap(text, LINE_MOST, initial_indent=_INDENT, subsequent_indent=_INDENT)
    else:
        yield from (f"{_INDENT}{value_text(one)}," for one in values)
    yield "]"
