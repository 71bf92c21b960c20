"""Local days as UTC milliseconds: where a day starts, and the bounds of its intervals.

The core compares whole numbers and knows no calendar; this file is where a zone becomes numbers.
It must not know contacts or measures.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

MINUTE_MS = 60_000


def midnight_ms(day: date, zone: str) -> int:
    """UTC ms of the first moment of this local day (01:00 where a change skips midnight).

    Raises ValueError for a zone that is not known.
    """
    # Fold 0 is the earlier of two midnights, and the moment of the change for a missing one.
    local = datetime(day.year, day.month, day.day, tzinfo=_zone(zone))
    return int(local.timestamp()) * 1000


def day_bounds_ms(day: date, zone: str, *, step_minutes: int = 30) -> NDArray[np.int64]:
    """Bounds of the intervals of a local day in UTC ms: n + 1 for n intervals, ascending, the
    last one is the next local midnight. A day of 23 or 25 hours has fewer or more intervals.

    Bounds stand where the local clock shows a multiple of the step. An interval is shorter or
    longer only where the clock moves by less than a step inside it.
    Raises ValueError for an unknown zone or a step that does not divide the day.
    """
    if step_minutes < 1 or 24 * 60 % step_minutes:
        raise ValueError(f"step_minutes {step_minutes} does not divide a day of 1440 minutes")
    bounds_ms = [midnight_ms(day, zone)]
    end_ms = midnight_ms(day + timedelta(days=1), zone)
    while bounds_ms[-1] < end_ms:
        bounds_ms.append(min(_next_bound_ms(bounds_ms[-1], zone, step_minutes), end_ms))
    return np.array(bounds_ms, dtype=np.int64)


def _next_bound_ms(at_ms: int, zone: str, step_minutes: int) -> int:
    local = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(_zone(zone))
    past_step_ms = local.second * 1000
    past_step_ms += (local.hour * 60 + local.minute) % step_minutes * MINUTE_MS
    return at_ms + step_minutes * MINUTE_MS - past_step_ms


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as missing:
        raise ValueError(f"time zone {name!r} is not known here") from missing
