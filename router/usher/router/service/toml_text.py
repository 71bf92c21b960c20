"""TOML text of plain values: keys, headers, tables on a line; durations as files have them.

For what writes policy, roster and scenario files. It must not know what the values mean.
"""

import json
import re
from collections.abc import Mapping
from enum import Enum
from math import isfinite

from usher.router.branch_policy import minute_text
from usher.router.service.durations import duration_text
from usher.router.service.file_shape import is_time, text_key

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_MS_PER_MIN = 60_000
_WHOLE_MOST = 10**15  # beyond it a float does not hold every whole number


def file_pair(key: str, value: object) -> tuple[str, object]:
    """Returns a field of a struct as a file writes it, durations and times of day as text."""
    if not isinstance(value, int) or text_key(key) == key:
        return key, value
    if key.endswith("_ms"):
        return text_key(key), duration_text(value)
    return text_key(key), minute_text(value) if is_time(key) else duration_text(value * _MS_PER_MIN)


def pairs(fields: Mapping[str, object]) -> list[str]:
    """Returns a line per field; TOML has no null, a field without a value is left out."""
    return [pair(key, one) for key, one in fields.items() if one is not None]


def pair(key: str, value: object) -> str:
    """Returns the line of a key."""
    return f"{key_text(key)} = {value_text(value)}"


def value_text(value: object) -> str:
    """Returns a value on one line; raises ValueError for a number that is not finite."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _number_text(value)
        case str():
            return _quoted(value)
        case Enum():
            return value_text(value.value)
        case dict():
            inner = ", ".join(pair(str(key), one) for key, one in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return "[" + ", ".join(map(value_text, value)) + "]"
        case _:
            raise NotImplementedError(f"no TOML form for {type(value).__name__}")


def header(*names: str) -> str:
    """Returns the line that begins the table of this name."""
    return "[" + ".".join(map(key_text, names)) + "]"


def key_text(name: str) -> str:
    """Returns a key, in quotes where it needs them."""
    return name if _BARE_KEY.fullmatch(name) else _quoted(name)


def _number_text(number: float) -> str:
    if not isfinite(number):
        raise ValueError(f"found {number}, expected a finite number")
    whole = number.is_integer() and abs(number) < _WHOLE_MOST
    return str(int(number)) if whole else repr(float(number))


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, but JSON leaves DEL as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
