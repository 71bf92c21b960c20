"""The ids of remembered requests, oldest first.

Both stores keep them in memory: an index on disk would touch a random page for every request.
It must not know where the answers are kept.
"""

from collections import OrderedDict
from collections.abc import Iterable

from usher.queue.journal.contract import RememberedRequest


class RememberedIds:
    """(position, at_ms) by request id, in the order of positions."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def remember(self, requests: Iterable[RememberedRequest]) -> None:
        """Add requests, ordered by position; an id that is known moves to its new place."""
        places = self._places
        for request in requests:
            request_id = request.request_id
            if request_id in places:
                del places[request_id]
            places[request_id] = (request.position, request.at_ms)

    def forget_through(self, position: int) -> list[str]:
        """Drop all at `position` or before; return their ids."""
        forgotten: list[str] = []
        while self._places:
            oldest = next(iter(self._places))
            if self._places[oldest][0] > position:
                break
            del self._places[oldest]
            forgotten.append(oldest)
        return forgotten

    def position(self, request_id: str) -> int | None:
        """Return the position of a remembered request, None if it is not remembered."""
        place = self._places.get(request_id)
        return None if place is None else place[0]

    def places(self) -> dict[str, tuple[int, int]]:
        """Return (position, at_ms) of all by id, in order of position."""
        return dict(self._places)
