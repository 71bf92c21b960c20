"""The one table from errors to gRPC statuses, with the details that say more.

Each status has exactly one ErrorInfo (reason, domain, the message's values), and where they belong
BadRequest (field and rule), PreconditionFailure (the present state) and RetryInfo (when to come
again). Whatever the table does not know is a bug of ours: INTERNAL, with an incident id in the log.
"""

from collections.abc import Iterator
from typing import Final, NoReturn
from uuid import uuid4

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2
from grpc_status import rpc_status

from usher.queue.errors import Exhausted, Exists, Invalid, NotFound, Refused, WrongState
from usher.router.service.telemetry import logger, told
from usher.router.service.unavailable import (
    CommandFailed,
    Draining,
    InboxFull,
    JournalAway,
    JournalIsFull,
    Lagged,
    NotServed,
    PoolUnavailable,
    RequestIdReused,
    WatchesFull,
)
from usher.router.service.wire.fields import duration

DOMAIN: Final = "usher"
RETRY_MS: Final = 1_000
MESSAGE_MAX: Final = 1_000
"""Characters of a message or value that go out: all details travel in 8 KiB of metadata."""

Code = grpc.StatusCode


class MalformedRequest(Invalid):
    """The bytes are no message of the type that the method takes."""

    reason = "MALFORMED_REQUEST"


class RequestTooLarge(Invalid):
    """The message has more bytes than the method takes."""

    reason = "REQUEST_TOO_LARGE"


class UnknownPool(NotFound):
    """No such pool on this server."""

    reason = "POOL_NOT_FOUND"


class DeadlinePast(NotServed):
    """The caller no longer waits."""

    reason = "DEADLINE_PAST"


class TooManyCalls(Exhausted):
    """As many calls as the server admits are under way."""

    reason = "TOO_MANY_CALLS"


CODES: Final[dict[type[Exception], grpc.StatusCode]] = {
    Invalid: Code.INVALID_ARGUMENT,
    NotFound: Code.NOT_FOUND,
    Exists: Code.ALREADY_EXISTS,
    WrongState: Code.FAILED_PRECONDITION,
    Exhausted: Code.RESOURCE_EXHAUSTED,
    RequestIdReused: Code.FAILED_PRECONDITION,
    InboxFull: Code.RESOURCE_EXHAUSTED,
    JournalIsFull: Code.RESOURCE_EXHAUSTED,
    JournalAway: Code.UNAVAILABLE,
    WatchesFull: Code.RESOURCE_EXHAUSTED,
    PoolUnavailable: Code.UNAVAILABLE,
    Draining: Code.UNAVAILABLE,
    Lagged: Code.UNAVAILABLE,
    CommandFailed: Code.INTERNAL,
    DeadlinePast: Code.DEADLINE_EXCEEDED,
}

RETRIED: Final = (Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE)


def code_of(error: Exception) -> grpc.StatusCode | None:
    """Returns the code of the nearest class in the table; None for what is not expected."""
    for kind in type(error).__mro__:
        if kind in CODES:
            return CODES[kind]
    return None


def status_of(error: Exception, method: str) -> status_pb2.Status:
    """Returns the whole status; logs what is not expected, once, under its incident id."""
    code = code_of(error)
    if code is None or not isinstance(error, Refused | NotServed):
        return _incident_status(error, method)
    info = details.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=_facts(error))
    packed = [_packed(info), *map(_packed, _more_details(error, code))]
    return status_pb2.Status(
        code=code.value[0], message=error.message[:MESSAGE_MAX], details=packed
    )


async def abort(
    context: grpc.aio.ServicerContext[bytes, bytes], error: Exception, method: str
) -> NoReturn:
    """Ends the call with the status of the error; never returns."""
    status = rpc_status.to_status(status_of(error, method))
    await context.abort(status.code, status.details, status.trailing_metadata)
    raise AssertionError("abort returned")


def _facts(error: Refused | NotServed) -> dict[str, str]:
    facts: dict[str, str] = {}
    if isinstance(error, Refused):
        facts = {name: value[:MESSAGE_MAX] for name, value in error.facts.items()}
    if isinstance(error, Invalid):
        facts[error.field] = error.rule[:MESSAGE_MAX]
    if isinstance(error, RequestIdReused):
        facts["request_id"] = error.request_id
    if isinstance(error, CommandFailed):
        facts["incident"] = error.incident
    return facts


def _more_details(error: Refused | NotServed, code: grpc.StatusCode) -> Iterator[Message]:
    if isinstance(error, Invalid):
        violation = details.BadRequest.FieldViolation(
            field=error.field, description=error.rule[:MESSAGE_MAX], reason=error.reason
        )
        yield details.BadRequest(field_violations=[violation])
    if code is Code.FAILED_PRECONDITION:
        failure = details.PreconditionFailure.Violation(
            type=error.reason,
            subject=_facts(error).get("state", ""),
            description=error.message[:MESSAGE_MAX],
        )
        yield details.PreconditionFailure(violations=[failure])
    if code in RETRIED:
        wait_ms = getattr(error, "retry_after_ms", None) or RETRY_MS
        yield details.RetryInfo(retry_delay=duration(wait_ms))


def _incident_status(error: Exception, method: str) -> status_pb2.Status:
    incident = uuid4().hex[:12]
    logger().error("call_failed", incident=incident, method=method, **told(error))
    info = details.ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"incident": incident})
    return status_pb2.Status(
        code=Code.INTERNAL.value[0],
        message=f"the server failed; incident {incident}",
        details=[_packed(info)],
    )


def _packed(detail: Message) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
