"""The days of a journal: which there are, which is meant, where it begins and ends.

This is where a time zone becomes ms UTC. It must not know what the records hold.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from usher.router.trials.day import midnight_ms
from usher.router.trials.journal_reading import JournalReading, decoded
from usher.simulation.studies.running import StudyRefused

MS_PER_DAY = 24 * 3600 * 1000


class JournalDay(Struct, frozen=True):
    """One local day: [from_ms, until_ms) in ms UTC."""

    day: date
    zone: str
    from_ms: int
    until_ms: int

    @property
    def is_whole(self) -> bool:
        """Returns False for a day on which the clock was changed."""
        return self.until_ms - self.from_ms == MS_PER_DAY


def journal_day(journal: JournalReading, asked: str, zone: str) -> JournalDay:
    """Returns the day of a journal that is asked for.

    Raises StudyRefused for an empty journal, and as `chosen_day` does.
    """
    return chosen_day(_span_ms(journal), asked, zone, journal.place)


def chosen_day(span_ms: tuple[int, int], asked: str, zone: str, place: str) -> JournalDay:
    """Returns the day asked for; without one the last whole day of the span, else the fullest.

    Raises StudyRefused for an unknown zone, what is no date, and a day outside the span.
    """
    first, last = (_local(at_ms, zone) for at_ms in span_ms)
    days = [_day(first + timedelta(days=at), zone) for at in range((last - first).days + 1)]
    if not asked:
        whole = [one for one in days if span_ms[0] <= one.from_ms and one.until_ms <= span_ms[1]]
        return whole[-1] if whole else max(days, key=lambda one: _shared_ms(one, span_ms))
    wanted = date_of(asked)
    found = next((one for one in days if one.day == wanted), None)
    if found is None:
        raise StudyRefused(
            f"{place}: found no record of {wanted}, the journal goes from {first} to {last} "
            f"({zone})"
        )
    return found


def date_of(text: str) -> date:
    """Returns the date; raises StudyRefused."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise StudyRefused(f'found --day "{text}", expected a date YYYY-MM-DD') from error


def _span_ms(journal: JournalReading) -> tuple[int, int]:
    first_ms, last_ms = None, 0
    for stored in journal.batches():
        if first_ms is None:
            first_ms = decoded(stored)[0].at_ms
        last_ms = stored.at_ms
    if first_ms is None:
        raise StudyRefused(f"{journal.place}: the journal is empty, expected a recorded day")
    return first_ms, last_ms


def _day(day: date, zone: str) -> JournalDay:
    from_ms, until_ms = midnight_ms(day, zone), midnight_ms(day + timedelta(days=1), zone)
    return JournalDay(day, zone, from_ms, until_ms)


def _local(at_ms: int, zone: str) -> date:
    try:
        midnight_ms(date(2000, 1, 1), zone)
    except ValueError as error:
        raise StudyRefused(f'found --zone "{zone}": {error}') from error
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(ZoneInfo(zone)).date()


def _shared_ms(day: JournalDay, span_ms: tuple[int, int]) -> int:
    return min(day.until_ms, span_ms[1]) - max(day.from_ms, span_ms[0])
