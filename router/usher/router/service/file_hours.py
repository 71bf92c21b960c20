"""Hours as text: times of day, open stretches of a day, weekdays. Knows no file.

"09:00-12:30, 13:30-17:00"    "closed"    mon    mon-fri    sat-mon
"""

import re
from collections.abc import Iterable

from usher.queue.branches import Opening
from usher.router.branch_policy import WEEKDAYS, opening_text

CLOSED = "closed"

_TIME = r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)"
_STRETCH = f"{_TIME} *- *{_TIME}"
_DAY = f"(?:{'|'.join(WEEKDAYS)})"

OPENINGS_PATTERN = f"{CLOSED}|{_STRETCH}(?: *, *{_STRETCH})*"
WEEKDAYS_PATTERN = f"{_DAY}(?:-{_DAY})?"
DATE_PATTERN = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

TIME_FORM = 'a time of day such as "04:00"'
OPENINGS_FORM = 'hours such as "09:00-12:30, 13:30-17:00", or "closed"'
WEEKDAYS_FORM = 'a weekday or a range of them, such as "sat" or "mon-fri"'
DATE_FORM = 'a date such as "2026-12-24"'


def parse_minute(text: str) -> int | None:
    """Returns the minutes since midnight that a time of day stands for, or None if it is none."""
    if re.fullmatch(_TIME, text) is None:
        return None
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def parse_openings(text: str) -> tuple[Opening, ...]:
    """Returns the open stretches of a text that matches OPENINGS_PATTERN."""
    minutes = [parse_minute(time) or 0 for time in re.findall(_TIME, text)]
    return tuple(map(Opening, minutes[::2], minutes[1::2]))


def openings_text(openings: Iterable[Opening]) -> str:
    """Returns the text of open stretches that `parse_openings` reads as the same."""
    return ", ".join(map(opening_text, openings)) or CLOSED


def parse_weekdays(text: str) -> list[int]:
    """Returns the numbers of the weekdays of a text that matches WEEKDAYS_PATTERN."""
    first, *rest = (WEEKDAYS.index(name) for name in text.split("-"))
    last = rest[0] if rest else first
    return [number % 7 for number in range(first, first + (last - first) % 7 + 1)]
