"""Why the runtime does not serve a call, whatever the pool thinks of it: one tree.

    NotServed
    ├── RequestIdReused   the id was used with other content            -> FAILED_PRECONDITION
    ├── InboxFull         more is waiting to be executed than allowed   -> RESOURCE_EXHAUSTED
    ├── JournalIsFull     no room for the record; nothing has changed   -> RESOURCE_EXHAUSTED
    ├── JournalAway       the journal's store is away; effect unknown   -> UNAVAILABLE
    ├── WatchesFull       as many watches as allowed are open           -> RESOURCE_EXHAUSTED
    ├── PoolUnavailable   the pool has stopped; the effect is unknown   -> UNAVAILABLE
    ├── Draining          the server is about to stop                   -> UNAVAILABLE
    ├── CommandFailed     a bug of ours, this command had no effect     -> INTERNAL
    ├── TooOld            the feed no longer holds what was asked for   -> (reset and a snapshot)
    └── Lagged            the reader of a feed was too slow             -> (resume or reset)

Refusals of the pool itself are in `usher.queue.errors`. Knows nothing of gRPC.
"""

from typing import ClassVar


class NotServed(Exception):
    """A call that the runtime does not serve. `retry_after_ms` None = no advice."""

    reason: ClassVar[str] = "NOT_SERVED"

    def __init__(self, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_ms = retry_after_ms


class RequestIdReused(NotServed):
    """The request id stands for a request with other content."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request_id {request_id} was used for a request with other content")
        self.request_id = request_id


class InboxFull(NotServed):
    """More contacts are waiting to be executed than the settings allow."""

    reason = "INBOX_FULL"


class JournalIsFull(NotServed):
    """The journal has no room. The command was rolled back: nothing has changed."""

    reason = "JOURNAL_FULL"


class JournalAway(NotServed):
    """The journal's store cannot be reached. Repeating the request id later resolves it."""

    reason = "JOURNAL_UNAVAILABLE"


class WatchesFull(NotServed):
    """As many watches as the settings allow are open."""

    reason = "WATCHES_FULL"


class PoolUnavailable(NotServed):
    """The pool has stopped serving. Repeating the request id elsewhere or later resolves it."""

    reason = "POOL_UNAVAILABLE"


class Draining(NotServed):
    """The server finishes what it has and takes nothing new."""

    reason = "DRAINING"


class CommandFailed(NotServed):
    """A bug: this command alone failed, without effect. The log tells more under `incident`."""

    reason = "COMMAND_FAILED"

    def __init__(self, incident: str) -> None:
        super().__init__(f"the command failed inside the server; incident {incident}")
        self.incident = incident


class TooOld(NotServed):
    """The feed no longer (or not yet) covers the position: start over from a snapshot."""

    reason = "POSITION_TOO_OLD"


class Lagged(NotServed):
    """The reader did not keep up with the feed: resume from its last position, or start over."""

    reason = "WATCH_LAGGED"
