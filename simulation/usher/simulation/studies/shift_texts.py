"""Kinds of shift as a planner writes them: `8h`, `8h/30m`, `4h:09:00-17:00`. Knows no file."""

import re
from typing import Final

from usher.router.service.durations import parse_duration
from usher.router.service.file_hours import parse_minute
from usher.simulation.shift_plan import MINUTES_OF_DAY, ShiftRule

FORM: Final = 'a length, breaks, hours such as "8h", "8h/30m", "4h:09:00-17:00", "8h/15m/30m/15m"'
_TEXT = re.compile(r"(?P<lengths>[^:]+)(?::(?P<from>[0-9:]{5})-(?P<until>[0-9:]{5}))?")
_MS_PER_MIN = 60_000


def parse_shift(text: str) -> ShiftRule:
    """Returns the kind of shift that a text stands for; raises ValueError."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(_wrong(text))
    minutes = [_minutes(part, text) for part in match["lengths"].split("/")]
    from_min, until_min = 0, MINUTES_OF_DAY
    if match["from"] is not None:
        from_min, until_min = _time(match["from"], text), _time(match["until"], text)
    if from_min >= until_min:
        raise ValueError(_wrong(text))
    return ShiftRule(
        length_min=minutes[0],
        breaks_min=tuple(minutes[1:]),
        from_min=from_min,
        until_min=until_min,
    )


def _minutes(part: str, text: str) -> int:
    duration_ms = parse_duration(part)
    if not duration_ms or duration_ms % _MS_PER_MIN:
        raise ValueError(_wrong(text))
    return duration_ms // _MS_PER_MIN


def _time(part: str, text: str) -> int:
    minute = parse_minute(part)
    if minute is None:
        raise ValueError(_wrong(text))
    return minute


def _wrong(text: str) -> str:
    return f'found --shift "{text}", expected {FORM}'
