"""Values of a scenario and of its policy by their place: found, and replaced.

    groups.first.shifts[0].agents    policy.queues.calls.head_start

A place is a path of names and numbers as the files write it; the policy's begin with `policy`, and
its queues go by name. A value has the form that it has in a file ("30s", "08:00") and the bounds of
its field. It must not know why a value is replaced.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from usher.queue.rules import Policy
from usher.router.findings import Finding, Place, place_text
from usher.router.service.file_shape import ShapeReader, ShapeReason, struct_shape, text_key
from usher.simulation.experiment import Case
from usher.simulation.scenario import Scenario
from usher.simulation.scenario_findings import unknown

POLICY: Final = "policy"
"""Begins the places of a policy; alone it is the key of a scenario file that names the policy."""

STEP: Final = r'\.(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*")|\[[0-9]{1,6}\]'
"""One step of a place as text, which a dot is put in front of."""

_EXPECTED: Final = {"capacities": "a capacity in its group, groups.NAME.capacity, or one of"}
"""What to say of keys that files have, but no scenario."""

_PLACE_FORM: Final = "a place such as groups.agents.shifts[0].agents"


class ValuesRefused(Exception):
    """Places that are not there, or values that do not fit them; `findings` holds all of it."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class Spot(Struct, frozen=True, eq=False):
    """Where a value stands: what holds it, under which key, and where that stands in turn."""

    holder: object
    key: str | int
    written: str | int
    """The key as it was asked for: `head_start` for `head_start_ms`."""
    place: Place
    above: "Spot | None"

    @property
    def value(self) -> object:
        """Returns what stands there."""
        return _inside(self.holder, self.key)

    @property
    def plain(self) -> object:
        """Returns what stands there, as a file would write it: tables, lists, text and numbers."""
        return _plain(self.value)


def _plain(value: object) -> object:
    plain: object = msgspec.json.decode(msgspec.json.encode(value))  # `to_builtins` keeps tuples
    return plain


def place_of(text: str) -> Place:
    """Returns the place that a text stands for; raises ValuesRefused if it stands for none."""
    steps = re.findall(STEP, f".{text.strip()}")
    if "".join(steps) != f".{text.strip()}":
        message = f"found {json.dumps(text)}, expected {_PLACE_FORM}"
        raise ValuesRefused([Finding((), ShapeReason.BAD_TEXT, message)])
    return tuple(map(_step_of, steps))


def _step_of(text: str) -> str | int:
    if text.startswith("["):
        return int(text[1:-1])
    return str(json.loads(text[1:])) if text.startswith('."') else text[1:]


def spot_of(case: Case, place: Place) -> Spot:
    """Returns where a place stands in a case; raises ValuesRefused if it does not, with names."""
    of_policy = place[:1] == (POLICY,) and len(place) > 1
    holder: object = case.policy if of_policy else case.scenario
    here: Place = (POLICY,) if of_policy else ()
    spot: Spot | None = None
    for step in place[len(here) :]:
        key, name = _key(holder, step, here)
        here = (*here, name)
        spot = Spot(holder, key, step, here, spot)
        holder = spot.value
    if spot is None:
        message = f"found no place, expected {_PLACE_FORM}"
        raise ValuesRefused([Finding((), ShapeReason.BAD_TEXT, message)])
    return spot


def _key(holder: object, step: str | int, here: Place) -> tuple[str | int, str | int]:
    """Returns the key under which something holds a step, and its name in a place."""
    match holder:
        case Struct():
            fields = {text_key(name): name for name in holder.__struct_fields__}
            name = {**fields, **{name: name for name in fields.values()}}.get(str(step))
            if name is None or isinstance(step, int):
                raise _unknown(here, step, _EXPECTED.get(str(step), "one of"), fields)
            return name, name
        case dict():
            if step not in holder:
                raise _unknown(here, step, "one of", holder)
            return step, step
        case tuple():
            return _entry(holder, step, here)
    shown = json.dumps(_plain(holder)) if holder is not None else "nothing"
    message = f"found {shown}, expected something with {_shown(step)} in it"
    raise ValuesRefused([Finding(here, ShapeReason.WRONG_TYPE, message)])


def _entry(entries: Sequence[object], step: str | int, here: Place) -> tuple[str | int, str | int]:
    """Returns the number of an entry of a list and its name: that of a queue, else the number."""
    names = [getattr(one, "name", number) for number, one in enumerate(entries)]
    if isinstance(step, int) and step < len(entries):
        return step, names[step]
    if step in names and isinstance(step, str):
        return names.index(step), step
    if any(isinstance(name, str) for name in names):
        raise _unknown(here, step, "one of", map(str, names))
    numbers = f"[0] to [{len(entries) - 1}]" if entries else "none: the list is empty"
    message = f"found {_shown(step)}, expected an entry by its number, {numbers}"
    raise ValuesRefused([Finding(here, ShapeReason.UNKNOWN_KEY, message)])


def _unknown(here: Place, step: str | int, expected: str, known: Iterable[str]) -> ValuesRefused:
    return ValuesRefused([unknown(here, ShapeReason.UNKNOWN_KEY, str(step), expected, known)])


def _shown(step: str | int) -> str:
    return place_text((step,))


def with_value(case: Case, spot: Spot, value: object) -> Case:
    """Returns the case with another value there, in the form of a file; the spot is of this case.

    Raises ValuesRefused if the value does not fit its field.
    """
    changed, at = _fitting(spot, value), cast(Spot | None, spot)
    while at is not None:
        changed, at = _exchanged(at.holder, at.key, changed), at.above
    if isinstance(changed, Policy):
        return replace(case, policy=changed)
    return replace(case, scenario=cast(Scenario, changed))


def _fitting(spot: Spot, value: object) -> object:
    """Returns a value for a spot as its field holds it: read as the table of a file would be."""
    below: list[str | int] = []
    while not isinstance(spot.holder, Struct):
        value = _exchanged(_written(_plain(spot.holder)), spot.key, value)
        below.append(spot.key)
        spot = cast(Spot, spot.above)  # the outermost is a struct
    kind, key = type(spot.holder), str(spot.key)
    table = cast(Mapping[str, object], _plain(spot.holder))
    others = cast(
        Mapping[str, object], _written({name: table[name] for name in table if name != key})
    )
    reader = ShapeReader()
    given = {**others, str(spot.written): value}
    read = reader.read_struct(given, struct_shape(kind), spot.place[:-1])
    if reader.findings:
        raise ValuesRefused(reader.findings)
    found: object = getattr(msgspec.convert({**table, key: read[key]}, kind), key)
    for step in reversed(below):
        found = _inside(found, step)
    return found


def _written(plain: object) -> object:
    """Returns a plain value without nothing in its tables: a file leaves such a key out."""
    match plain:
        case dict():
            return {key: _written(one) for key, one in plain.items() if one is not None}
        case list():
            return [_written(one) for one in plain]
    return plain


def _inside(holder: object, key: str | int) -> object:
    match holder:
        case Struct():
            return cast(object, getattr(holder, str(key)))
        case dict():
            return cast(object, holder[key])
        case tuple():
            return cast(object, holder[int(key)])
    raise NotImplementedError(f"nothing stands in {holder!r}")


def _exchanged(holder: object, key: str | int, value: object) -> object:
    match holder:
        case Struct():
            return replace(holder, **{str(key): value})
        case dict():
            return {**holder, key: value}
        case list() | tuple():
            entries = [value if at == key else one for at, one in enumerate(holder)]
            return type(holder)(entries)
    raise NotImplementedError(f"nothing stands in {holder!r}")
