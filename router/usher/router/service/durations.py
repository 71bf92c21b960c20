"""Durations as text: `250ms`, `20s`, `1m30s`, `2h`, `1d12h`. Knows no file."""

import re

_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_TEXT = re.compile(
    r"(?:(?P<d>[0-9]{1,9})d)?(?:(?P<h>[0-9]{1,9})h)?(?:(?P<m>[0-9]{1,9})m)?"
    r"(?:(?P<s>[0-9]{1,9})s)?(?:(?P<ms>[0-9]{1,12})ms)?"
)

DURATION_FORM = 'a duration such as "250ms", "20s", "1m30s" or "2h"'


def parse_duration(text: str) -> int | None:
    """Returns the milliseconds that a text stands for, or None if it is no duration."""
    match = _TEXT.fullmatch(text)
    if match is None or not text:
        return None
    return sum(int(match[unit] or 0) * size for unit, size in _UNITS_MS.items())


def duration_text(duration_ms: int) -> str:
    """Returns the shortest text of a duration >= 0 that `parse_duration` reads as the same."""
    parts = []
    rest = duration_ms
    for unit, size in _UNITS_MS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
