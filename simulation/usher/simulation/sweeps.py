"""Sweeps: one case made into many, at places whose values are varied.

    "groups.first.shifts[0].agents=3..5" -> Axis -> grid -> a case for each combination of values

The cases of a sweep meet the same people, as those of any experiment do. Everything is checked
before anything is run: a place that is not there, a value out of bounds, a combination that makes
no sound scenario. It must not know runs, files or screens.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import combinations, product
from math import prod
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from usher.router.branch_policy import minute_text
from usher.router.findings import Finding, Place, Reason, errors_of, place_text, too_many
from usher.router.policy import check_policy
from usher.router.service.durations import duration_text
from usher.router.service.file_shape import ShapeReason, is_time, text_key
from usher.simulation.experiment import Case, Varied
from usher.simulation.places import POLICY, STEP, ValuesRefused, place_of, spot_of, with_value
from usher.simulation.scenario_rules import check_scenario

CASES_MOST: Final = 200
"""Cases of one sweep, that as it stands not counted."""
AS_IT_STANDS: Final = "as it stands"

_AXIS: Final = re.compile(rf"(?P<place>(?:{STEP})+)\s*=(?P<values>.*)", re.DOTALL)
_NUMBER: Final = r"-?[0-9]{1,12}(?:\.[0-9]{1,12})?"
_RANGE: Final = re.compile(
    rf"(?P<first>{_NUMBER})\.\.(?P<last>{_NUMBER})(?:\.\.(?P<step>{_NUMBER}))?"
)
FACTOR: Final = " (factor)"
"""Behind the name of a place whose value is multiplied."""

_FACTORS: Final = "x"
_FORM: Final = "PLACE=VALUES, with values such as 8..12, 0.5..1..0.1, 10,12,16 or x0.9..1.1..0.1"
_WITHOUT_EFFECT: Final = {("name",), ("title",), (POLICY,)}
_OFF: Final = 9
"""Digits after the point that a product of a factor keeps."""

_Values: TypeAlias = tuple[object, ...]


class Axis(Struct, frozen=True, kw_only=True):
    """A place, and the values that it takes one after the other, in the forms of the files.

    With `factors` it takes what stands there times each value: a number, or all numbers of a list.
    """

    place: Place
    values: _Values
    factors: bool = False


class _Choice(Struct, frozen=True):
    """One value of an axis: what is put there, and how it is told."""

    value: object
    varied: Varied
    text: str


def axis_of(text: str) -> Axis:
    """Returns the axis of `PLACE=VALUES`; raises ValuesRefused if the text is none.

    Values stand between commas: numbers, text, ranges `first..last` or `first..last..step` with
    both ends; all of them behind one `x` are factors. Lists and tables are written as in TOML.
    """
    match = _AXIS.fullmatch(f".{text.strip()}")
    if match is None:
        message = f'found "{text}", expected {_FORM}'
        raise ValuesRefused([Finding((), ShapeReason.BAD_TEXT, message)])
    place, given = place_of(match["place"][1:]), match["values"].strip()
    factors = re.match(rf"{_FACTORS}(?=[0-9.])", given) is not None
    values = tuple(_values(place, given.removeprefix(_FACTORS) if factors else given))
    return Axis(place=place, values=values, factors=factors)


def _values(place: Place, text: str) -> Iterator[object]:
    try:
        if re.search(r'["\'{\[]', text):
            yield from tomllib.loads(f"values = [{text}]")["values"]
            return
    except tomllib.TOMLDecodeError as error:
        message = f"found {text}, expected values as in TOML: {error}"
        raise ValuesRefused([Finding(place, ShapeReason.SYNTAX, message)]) from error
    for part in map(str.strip, text.split(",")):
        if not part:
            message = f'found "{text}", expected a value on each side of a comma'
            raise ValuesRefused([Finding(place, ShapeReason.BAD_TEXT, message)])
        match = _RANGE.fullmatch(part)
        yield from [_value(part)] if match is None else _range(place, match)


def _value(text: str) -> object:
    """Returns a number or truth value; all else is text, which needs no quotes here."""
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, int | float) else text


def _range(place: Place, match: re.Match[str]) -> Iterator[int | float]:
    # In decimals: 0.8 + 2 x 0.1 is to be 1.0.
    first, last, step = (Decimal(match[name] or 1) for name in ("first", "last", "step"))
    if step <= 0 or last < first:
        message = f"found {match[0]}, expected first..last..step that goes up"
        raise ValuesRefused([Finding(place, ShapeReason.OUT_OF_RANGE, message)])
    count = int((last - first) / step) + 1
    if findings := list(too_many(place, count, CASES_MOST, "values")):
        raise ValuesRefused(findings)
    whole = first == int(first) and step == int(step)
    for number in range(count):
        value = first + number * step
        yield int(value) if whole else float(value)


def grid(case: Case, axes: Sequence[Axis]) -> tuple[Case, ...]:
    """Returns the case as it stands, then one for each combination, the last axis fastest.

    A combination that is the case as it stands is not there twice. Each case tells what was varied
    by name and in `varied`, under the full names of the places. Raises ValuesRefused with all that
    is wrong.
    """
    choices = _choices(case, axes)
    stands = dict(_stands(case, axis) for axis in axes)
    short = [label.removesuffix(FACTOR) for label in labels(list(stands))]
    cases = [replace(case, name=AS_IT_STANDS, varied=stands)]
    for chosen in product(*choices):
        told = zip(short, chosen, strict=True)
        name = ", ".join(f"{label}={choice.text}" for label, choice in told)
        varied = dict(zip(stands, (choice.varied for choice in chosen), strict=True))
        other = replace(_combined(case, axes, chosen), name=name, varied=varied)
        if (other.scenario, other.policy) != (case.scenario, case.policy):
            cases.append(other)
    if findings := list(_unsound(cases)):
        raise ValuesRefused(findings)
    return tuple(cases)


def _stands(case: Case, axis: Axis) -> tuple[str, Varied]:
    """Returns the full name of what an axis varies, and what it is as the case stands."""
    spot = spot_of(case, axis.place)
    name = place_text(spot.place)
    return (f"{name}{FACTOR}", 1.0) if axis.factors else (name, _told(spot.plain))


def labels(names: Sequence[str]) -> tuple[str, ...]:
    """Returns short names for those in `Case.varied`: ends of places that tell them apart."""
    places = [place_of(name.removesuffix(FACTOR)) for name in names]
    return tuple(
        _label(place, [one for one in places if one != place]) + name[len(place_text(place)) :]
        for name, place in zip(names, places, strict=True)
    )


def _label(place: Place, others: Sequence[Place]) -> str:
    tail, starts = place, [at for at, step in enumerate(place) if isinstance(step, str)]
    for start in reversed(starts):
        tail = place[start:]
        if start == 0 or all(other[-len(tail) :] != tail for other in others):
            break
    last = tail[-1]
    if isinstance(last, str) and (last.endswith("_ms") or is_time(last)):
        tail = (*tail[:-1], text_key(last))
    return place_text(tail)


def _choices(case: Case, axes: Sequence[Axis]) -> list[list[_Choice]]:
    """Returns the values of each axis, each of which fits its place by itself."""
    findings = list(_of_axes(axes))
    choices: list[list[_Choice]] = []
    for axis in axes:
        choices.append([])
        for value in axis.values:
            try:
                choices[-1].append(_choice(case, axis, value))
            except ValuesRefused as refused:
                findings += [one for one in refused.findings if one not in findings]
    if not findings:
        findings += _of_places(case, axes, choices)
    if findings:
        raise ValuesRefused(findings)
    return choices


def _of_axes(axes: Sequence[Axis]) -> Iterator[Finding]:
    if not axes:
        message = f"found nothing to vary, expected {_FORM}"
        yield Finding((), ShapeReason.MISSING_KEY, message)
    count = prod(len(axis.values) for axis in axes)
    what = " x ".join(str(len(axis.values)) for axis in axes)
    yield from too_many((), count, CASES_MOST, f"cases ({what})")
    for axis in axes:
        if axis.place in _WITHOUT_EFFECT:
            message = "found a name, which changes no run; the policy is varied at places in it"
            yield Finding(axis.place, Reason.OUT_OF_BOUNDS, message)
        if not axis.values:
            yield Finding(axis.place, ShapeReason.MISSING_KEY, "found no value, expected some")


def _of_places(
    case: Case, axes: Sequence[Axis], choices: Sequence[Sequence[_Choice]]
) -> Iterator[Finding]:
    """Yields places that come twice or within each other, and values that come twice."""
    places = [spot_of(case, axis.place).place for axis in axes]
    for one, other in combinations(places, 2):
        least = min(len(one), len(other))
        if one[:least] == other[:least]:
            message = f"found {place_text(one)} as well, expected each place once"
            yield Finding(other, Reason.DUPLICATE, message)
    for place, of_axis in zip(places, choices, strict=True):
        texts = [choice.text for choice in of_axis]
        for text in dict.fromkeys(text for text in texts if texts.count(text) > 1):
            yield Finding(place, Reason.DUPLICATE, f"found {text} again, expected each value once")


def _choice(case: Case, axis: Axis, value: object) -> _Choice:
    """Raises ValuesRefused if the place is not there or the value does not fit."""
    spot = spot_of(case, axis.place)
    given = _times(spot.plain, value, spot.place) if axis.factors else value
    changed = spot_of(with_value(case, spot, given), axis.place)
    name, varied = place_text(spot.place), _told(changed.plain)
    if axis.factors:
        name, varied = f"{name}{FACTOR}", _told(value)
    return _Choice(given, varied, varied_text(varied, name))


def _times(plain: object, factor: object, place: Place) -> object:
    if isinstance(plain, list):
        return [_times(one, factor, (*place, at)) for at, one in enumerate(plain)]
    numbers = (int, float)
    if isinstance(plain, bool) or not isinstance(plain, numbers) or not isinstance(factor, numbers):
        message = f"found {_told(plain)} to multiply by {factor}, expected numbers"
        raise ValuesRefused([Finding(place, ShapeReason.WRONG_TYPE, message)])
    product_ = round(plain * factor, _OFF)
    return int(product_) if isinstance(plain, int) and product_ == int(product_) else product_


def _told(plain: object) -> Varied:
    """Returns a number, text or nothing as it is; lists and tables as JSON."""
    if plain is None or isinstance(plain, str | int | float):
        return plain
    return msgspec.json.encode(plain).decode()


def varied_text(value: Varied, name: str) -> str:
    """Returns a value in `Case.varied` under this name, as a file would write it."""
    if isinstance(value, bool | None):
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, int) and name.endswith("_ms"):
        return duration_text(value)
    if isinstance(value, int) and is_time(name.rpartition(".")[2]):
        return minute_text(value)
    number = f"{value:.12g}" if isinstance(value, float) else str(value)
    return f"x{number}" if name.endswith(FACTOR) else number


def _combined(case: Case, axes: Sequence[Axis], chosen: Sequence[_Choice]) -> Case:
    for axis, choice in zip(axes, chosen, strict=True):
        case = with_value(case, spot_of(case, axis.place), choice.value)
    return case


def _unsound(cases: Sequence[Case]) -> Iterator[Finding]:
    """Yields what makes cases unsound as a whole: each finding once, with the first such case."""
    found: dict[tuple[Place, str], Finding] = {}
    for case in cases:
        of_policy = [
            replace(one, place=(POLICY, *one.place)) for one in errors_of(check_policy(case.policy))
        ]
        as_whole = check_scenario(case.scenario, case.policy, case.branches)
        for one in of_policy or errors_of(as_whole):
            told = replace(one, message=f"with {case.name}: {one.message}")
            found.setdefault((one.place, one.reason), told)
    yield from found.values()
