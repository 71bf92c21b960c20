"""Which request ids the pool has answered, so that the journal is asked on a true repeat only.

Bounded in count and time. Forgetting is decided now and then, not with each batch, and always for
all up to one position, as the journal does. It must not know answers or digests."""

from collections.abc import Iterable

from usher.queue.journal.contract import RememberedRequest

LOOK_EVERY_MS = 60_000
SPARE_SHARE = 20  # at the limit one in so many is forgotten, so that forgetting comes in bulk


class KnownRequests:
    """Positions of remembered requests by id, oldest first."""

    def __init__(self, places: dict[str, tuple[int, int]], count_max: int, kept_ms: int) -> None:
        self._places = places
        self._count_max = count_max
        self._kept_ms = kept_ms
        self._looked_ms = 0

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._places

    def __len__(self) -> int:
        return len(self._places)

    def replace(self, places: dict[str, tuple[int, int]]) -> None:
        """Starts over with what a journal has."""
        self._places = places

    def add(self, requests: Iterable[RememberedRequest]) -> None:
        """Adds requests in the order of their positions."""
        for request in requests:
            self._places[request.request_id] = (request.position, request.at_ms)

    def forget(self, request_id: str) -> None:
        """Drops one that the journal no longer has."""
        self._places.pop(request_id, None)

    def due_through(self, at_ms: int, coming: int) -> int:
        """Returns the position up to which all shall be forgotten now; 0 = none yet.

        `coming`: how many are about to be added, so that there are never more than the limit.
        """
        over = len(self._places) + coming - self._count_max
        if over <= 0 and at_ms - self._looked_ms < LOOK_EVERY_MS:
            return 0
        self._looked_ms = at_ms
        too_many = over + self._count_max // SPARE_SHARE if over > 0 else 0
        through = 0
        for count, (position, answered_ms) in enumerate(self._places.values()):
            if count >= too_many and at_ms - answered_ms <= self._kept_ms:
                break
            through = position
        return through

    def forget_through(self, position: int) -> None:
        """Drops all at `position` or before."""
        gone = []
        for request_id, (at_position, _) in self._places.items():
            if at_position > position:
                break
            gone.append(request_id)
        for request_id in gone:
            del self._places[request_id]
