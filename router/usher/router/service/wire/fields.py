"""Checks of single fields of requests, and times as messages have them.

Every check returns the value in the core's type or raises `Invalid`, which names field and rule.
The usual case costs one match of an expression; nothing here knows a particular request.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Final, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from usher.queue.errors import Invalid
from usher.queue.values import NEVER_MS, AgentId, ContactId, LegId

ID_RULE: Final = "required, [A-Za-z0-9_-]{1,64}"
OPTIONAL_ID_RULE: Final = "[A-Za-z0-9_-]{1,64} or empty"
LEG_RULE: Final = "required, a leg id as an offer gave it"
CODE_RULE: Final = "a code: a letter or digit, then at most 63 of A-Z a-z 0-9 _ . / -"
LANGUAGE_RULE: Final = "a language tag such as en or pt-BR"

PAGE_SIZE: Final = 100
PAGE_SIZE_MAX: Final = 1_000
SESSION_MAX: Final = 2**53
DAY_MS: Final = 24 * 3600 * 1000
SECONDS_MAX: Final = 253_402_300_799
"""The last second of the year 9999."""

CODE_MAX: Final = 64
CODES_KNOWN: Final = 4_096

_id = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch
_leg_id = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[0-9]{1,9}){1,3}").fullmatch
_matches_code = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,63}").fullmatch
_language = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}").fullmatch

EnumType = TypeVar("EnumType", bound=Enum)
Number = TypeVar("Number", bound=int)


@lru_cache(CODES_KNOWN)
def _known_code(value: str) -> bool:
    return _matches_code(value) is not None


def _is_code(value: str) -> bool:
    """Returns whether it is a code: the same few come again and again, so they are remembered."""
    return len(value) <= CODE_MAX and _known_code(value)


def needed_id(value: str, field: str) -> str:
    """Returns an id that must be there."""
    if _id(value) is None:
        raise Invalid(field, ID_RULE)
    return value


def optional_id(value: str, field: str) -> str:
    """Returns an id that may be empty."""
    if value and _id(value) is None:
        raise Invalid(field, OPTIONAL_ID_RULE)
    return value


def contact_id_of(value: str, field: str = "contact_id") -> ContactId:
    """Returns the id of a contact that must be named."""
    return ContactId(needed_id(value, field))


def agent_id_of(value: str, field: str = "agent_id") -> AgentId:
    """Returns the id of an agent that must be named."""
    return AgentId(needed_id(value, field))


def leg_id_of(value: str, field: str = "leg_id") -> LegId:
    """Returns the id of a leg that must be named."""
    if _leg_id(value) is None:
        raise Invalid(field, LEG_RULE)
    return LegId(value)


def session_of(value: int) -> int:
    """Returns a session number; 0 = none."""
    return whole(value, "session", 0, SESSION_MAX)


def needed_code(value: str, field: str) -> str:
    """Returns a code that must be there."""
    if not _is_code(value):
        raise Invalid(field, f"required, {CODE_RULE}")
    return value


def optional_code(value: str, field: str) -> str:
    """Returns a code that may be empty."""
    if value and not _is_code(value):
        raise Invalid(field, f"{CODE_RULE}, or empty")
    return value


def whole(value: int, field: str, least: int, most: int) -> int:
    """Returns a whole number within its bounds."""
    if not least <= value <= most:
        raise Invalid(field, f"{least}..{most}")
    return value


def codes_of(values: Iterable[str], field: str, most: int) -> tuple[str, ...]:
    """Returns codes in their order."""
    codes = tuple(values)
    at_most(len(codes), field, most)
    return tuple(needed_code(code, field) for code in codes)


def languages_of(values: Iterable[str], field: str, most: int) -> tuple[str, ...]:
    """Returns language tags in their order."""
    languages = tuple(values)
    at_most(len(languages), field, most)
    for language in languages:
        if _language(language) is None:
            raise Invalid(field, LANGUAGE_RULE)
    return languages


def at_most(count: int, field: str, most: int) -> None:
    """Checks the length of a list."""
    if count > most:
        raise Invalid(field, f"at most {most}")


def chosen(value: Number, field: str, choices: Mapping[Number, EnumType]) -> EnumType:
    """Returns what a number of an enum stands for; numbers we do not know are refused."""
    found = choices.get(value)
    if found is None:
        names = ", ".join(choice.value for choice in choices.values())
        raise Invalid(field, f"one of: {names}")
    return found


def duration_ms(value: Duration, field: str, most_ms: int) -> int:
    """Returns a duration in whole milliseconds, 0 .. most_ms."""
    if not 0 <= value.nanos < 1_000_000_000 or not 0 <= value.seconds * 1000 <= most_ms:
        raise Invalid(field, f"0 to {most_ms // 1000} seconds")
    return min(most_ms, value.seconds * 1000 + value.nanos // 1_000_000)


def time_ms(value: Timestamp, field: str) -> int:
    """Returns a time in whole milliseconds since 1970."""
    if not 0 <= value.nanos < 1_000_000_000 or not 0 <= value.seconds <= SECONDS_MAX:
        raise Invalid(field, "a time of the years 1970 to 9999")
    return value.seconds * 1000 + value.nanos // 1_000_000


def page_size_of(value: int) -> int:
    """Returns how many entries a page may have: too many are cut, 0 is the usual."""
    if value < 0:
        raise Invalid("page_size", f"0..{PAGE_SIZE_MAX}")
    return min(value, PAGE_SIZE_MAX) or PAGE_SIZE


def timestamp(at_ms: int) -> Timestamp | None:
    """Returns the time as a message has it; None (a field left out) for what has not happened."""
    return None if at_ms == NEVER_MS else time_of(at_ms)


def time_of(at_ms: int) -> Timestamp:
    """Returns a time that has come, or is known to come, as a message has it."""
    return Timestamp(seconds=at_ms // 1000, nanos=at_ms % 1000 * 1_000_000)


def set_time(message: Timestamp | Duration, ms: int) -> None:
    """Sets a time or a span in place."""
    message.seconds = ms // 1000
    message.nanos = ms % 1000 * 1_000_000


def duration(span_ms: int) -> Duration:
    """Returns the span as a message has it."""
    return Duration(seconds=span_ms // 1000, nanos=span_ms % 1000 * 1_000_000)
