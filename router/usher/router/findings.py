"""What is found wrong with a policy, roster or branches, and the checks that all of them need.

A check returns all findings, never only the first. Must not know files, lines or gRPC: a place is
a path of names as the files write them, `("queues", "sales", "requirements", 1, "least")`.
"""

import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec
from msgspec import Struct

Place = tuple[str | int, ...]

LIST_MAX = 100
"""Entries of one list or table of a queue, agent or branch: requirements, groups, lines."""


class Severity(StrEnum):
    """An error refuses the policy or roster; with a warning it is usable, but somebody may wait."""

    ERROR = "error"
    WARNING = "warning"


class Reason(StrEnum):
    """What a finding is about; stable, for machines."""

    OUT_OF_BOUNDS = "OUT_OF_BOUNDS"
    BAD_NAME = "BAD_NAME"
    DUPLICATE = "DUPLICATE"
    TOO_MANY = "TOO_MANY"
    NO_QUEUE = "NO_QUEUE"
    UNKNOWN_CHANNEL = "UNKNOWN_CHANNEL"
    UNKNOWN_GROUP = "UNKNOWN_GROUP"
    WEIGHTS_OVER_LIMIT = "WEIGHTS_OVER_LIMIT"
    WANTED_UNDER_LEAST = "WANTED_UNDER_LEAST"
    MIXED_ORDERS = "MIXED_ORDERS"
    NO_CHANNEL = "NO_CHANNEL"
    CAPACITY_TOO_SMALL = "CAPACITY_TOO_SMALL"
    WRAP_UP_TOO_DEAR = "WRAP_UP_TOO_DEAR"
    CHANNEL_NEVER_FITS = "CHANNEL_NEVER_FITS"
    SKILL_UNHELD = "SKILL_UNHELD"
    QUEUE_UNSERVED = "QUEUE_UNSERVED"


class Finding(Struct, frozen=True):
    """One thing that is wrong: where, which rule, and what was found against what is expected."""

    place: Place
    reason: str
    message: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = place_text(self.place)
        return f"{place}: {self.message}" if place else self.message


def place_text(place: Place) -> str:
    """Returns a place as TOML writes it: `queues.sales.requirements[1].least`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = re.fullmatch("[A-Za-z0-9_-]+", part)
            text += ("." if text else "") + (part if bare else json.dumps(part))
    return text


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """Returns the findings that refuse a policy or roster, without the warnings."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def out_of_bounds(value: Struct) -> Finding | None:
    """Returns what breaks the bounds of the structs, None if nothing does."""
    # Values made by hand were never checked by msgspec; what follows here relies on their types.
    try:
        msgspec.convert(msgspec.to_builtins(value), type(value))
    except msgspec.ValidationError as error:
        return Finding((), Reason.OUT_OF_BOUNDS, str(error))
    return None


def check_list(place: Place, values: list[str] | tuple[str, ...], what: str) -> Iterator[Finding]:
    """Yields what is wrong with a list of names: too long, a name again (at its index)."""
    yield from too_many(place, len(values), LIST_MAX, "entries")
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            message = f'found {what} "{value}" again, expected each one once'
            yield Finding((*place, index), Reason.DUPLICATE, message)
        seen.add(value)


def repeated(place: Place, names: list[str], what: str) -> Iterator[Finding]:
    """Yields each name that comes again, at its name under the place."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            message = f'found {what} "{name}" again, expected each one once'
            yield Finding((*place, name), Reason.DUPLICATE, message)
        seen.add(name)


def bad_name(place: Place, name: str, pattern: str) -> Iterator[Finding]:
    """Yields a name that does not match."""
    # fullmatch: `$` alone would let a line break at the end pass.
    if re.fullmatch(pattern, name) is None:
        message = f'found "{name}", expected text that matches {pattern}'
        yield Finding(place, Reason.BAD_NAME, message)


def too_many(place: Place, count: int, most: int, what: str) -> Iterator[Finding]:
    """Yields a count over its limit."""
    if count > most:
        yield Finding(place, Reason.TOO_MANY, f"found {count} {what}, expected at most {most}")
