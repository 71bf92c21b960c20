"""What a call to Usher may raise: one tree, by what the caller can do about it.

    UsherError
    ├── InvalidRequest      the request can never be right: mend it
    ├── NotFound            it names something that is not there
    ├── AlreadyExists       it makes something that is there
    ├── WrongState          not in the present state; `facts` tell it
    ├── Exhausted           a limit is reached: come again after `retry_after_s`
    ├── Unavailable         no answer; the effect is unknown, the same request id resolves it
    └── ServerFault         a bug of the server's; `facts["incident"]` finds it in its log

`reason` is stable and for machines (OFFER_GONE, QUEUE_FULL ...); the message is for people.
"""

from collections.abc import Mapping
from typing import Final

import grpc
from google.rpc import error_details_pb2, status_pb2

DETAILS: Final = "grpc-status-details-bin"


class UsherError(Exception):
    """A call that did not succeed."""

    def __init__(
        self,
        message: str,
        reason: str = "",
        facts: Mapping[str, str] | None = None,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(f"{reason}: {message}" if reason else message)
        self.message = message
        self.reason = reason
        self.facts = dict(facts or {})
        self.retry_after_s = retry_after_s


class InvalidRequest(UsherError):
    """The request can never be right; `facts` name field and rule."""


class NotFound(UsherError):
    """It names something that is not there."""


class AlreadyExists(UsherError):
    """It makes something that is already there."""


class WrongState(UsherError):
    """Not in the present state."""


class Exhausted(UsherError):
    """A limit is reached, for now."""


class Unavailable(UsherError):
    """No answer came, after all repeats."""


class ServerFault(UsherError):
    """The server failed."""


_KINDS: Final[dict[grpc.StatusCode, type[UsherError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: WrongState,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Exhausted,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,  # by a server that went down; ours is a CancelledError
}


def error_of(failed: grpc.aio.AioRpcError) -> UsherError:
    """Returns the typed error of a failed call, with what its details say."""
    kind = _KINDS.get(failed.code(), ServerFault)
    info, retry_after_s = error_details_pb2.ErrorInfo(), 0.0
    for detail in _status_of(failed).details:
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
        else:
            detail.Unpack(info)
    return kind(failed.details() or "", info.reason, info.metadata, retry_after_s)


def _status_of(failed: grpc.aio.AioRpcError) -> status_pb2.Status:
    for key, value in failed.trailing_metadata() or ():
        if key == DETAILS and isinstance(value, bytes):
            return status_pb2.Status.FromString(value)
    return status_pb2.Status()
