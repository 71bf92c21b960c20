"""The wrapper of every call, on its own: limits, deadline, actor, and what becomes of errors."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from structlog.testing import capture_logs

from usher.queue.errors import ContactEnded, Invalid
from usher.queue.values import Actor, ActorKind
from usher.router.service.access import DEFAULT_PLATFORM, Actors
from usher.router.service.rpc import Gate, Unary, Watch
from usher.router.service.served import Call, Pools
from usher.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.asyncio

CODE = grpc.StatusCode


class Ended(Exception):
    """A call that was aborted."""


class Context:
    """What the wrapper asks of gRPC's context."""

    def __init__(self, remaining_s: float | None = None, *metadata: tuple[str, str]) -> None:
        self.code: grpc.StatusCode | None = None
        self.reason = ""
        self.written: list[bytes] = []
        self._remaining_s = remaining_s
        self._metadata = metadata

    def time_remaining(self) -> float | None:
        return self._remaining_s

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata

    async def write(self, message: bytes) -> None:
        self.written.append(message)

    async def abort(self, code: grpc.StatusCode, details: str, trailing: Any) -> None:
        self.code = code
        sent = status_pb2.Status.FromString(dict(trailing)["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        assert sent.details[0].Unpack(info)
        self.reason = info.reason
        raise Ended(details)


def gate(calls_max: int = 10) -> tuple[Gate, Pools]:
    """A gate before one pool that no test looks into."""
    pools = Pools({"main": object()}, calls_max)  # type: ignore[dict-item]
    return Gate(pools), pools


def unary(run: Any) -> Unary[Any]:
    return Unary(pb.GetContactRequest, run, lambda _request: DEFAULT_PLATFORM)


async def _seen(request: Any, call: Call) -> bytes:
    return f"{request.contact_id} {call.actor.kind.value}/{call.actor.id}".encode()


async def _aborted(handler: Any, context: Context, data: bytes = b"") -> tuple[Any, str]:
    with pytest.raises(Ended):
        await handler(data, context)
    return context.code, context.reason


async def test_a_method_gets_its_request_and_the_actor() -> None:
    handler = gate()[0].unary("m", unary(_seen))
    data = pb.GetContactRequest(contact_id="c1").SerializeToString()
    assert b"c1 platform/default" == await handler(data, Context())  # type: ignore[arg-type]
    named = Context(5.0, ("user-agent", "x"), ("usher-actor", "supervisor/eva"))
    assert b"c1 supervisor/eva" == await handler(data, named)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (ContactEnded("over"), CODE.FAILED_PRECONDITION, "CONTACT_ENDED"),
        (Invalid("f", "rule"), CODE.INVALID_ARGUMENT, "INVALID_FIELD"),
        (ZeroDivisionError(), CODE.INTERNAL, "INTERNAL"),
    ],
)
async def test_an_error_becomes_a_status_and_the_call_is_over(
    error: Exception, code: grpc.StatusCode, reason: str
) -> None:
    async def run(_request: Any, _call: Call) -> bytes:
        raise error

    opened, pools = gate()
    with capture_logs():
        assert (code, reason) == await _aborted(opened.unary("m", unary(run)), Context())
    assert 0 == pools.calls


async def test_a_call_whose_deadline_is_past_is_dropped() -> None:
    handler = gate()[0].unary("m", unary(_seen))
    assert (CODE.DEADLINE_EXCEEDED, "DEADLINE_PAST") == await _aborted(handler, Context(0.0))


async def test_no_more_calls_are_admitted_than_the_limit() -> None:
    release = asyncio.Event()

    async def run(_request: Any, _call: Call) -> bytes:
        await release.wait()
        return b"done"

    opened, pools = gate(calls_max=2)
    handler: Any = opened.unary("m", unary(run))
    under_way = [asyncio.create_task(handler(b"", Context())) for _ in range(2)]
    await asyncio.sleep(0)
    assert (CODE.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS") == await _aborted(handler, Context())
    under_way[0].cancel()
    release.set()
    assert [asyncio.CancelledError, bytes] == [
        type(one) for one in await asyncio.gather(*under_way, return_exceptions=True)
    ]
    assert 0 == pools.calls
    assert b"done" == await handler(b"", Context())


async def test_a_watch_that_is_cancelled_ends_by_its_cancellation() -> None:
    async def run(_request: Any, _call: Call, write: Any) -> None:
        await write(b"first")
        await asyncio.Event().wait()

    watch = Watch(pb.WatchContactsRequest, run, lambda _request: DEFAULT_PLATFORM)
    context = Context()
    stream: Any = gate()[0].watch("m", watch)
    task = asyncio.create_task(stream(b"", context))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [b"first"] == context.written and context.code is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "platform",
        "platform/",
        "system/usher",
        "robot/r2",
        "platform/a b",
        "Platform/a",
        "a/b/c",
    ],
)
async def test_an_actor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Actors().named((("usher-actor", text),))


async def test_an_actor_is_read_once() -> None:
    actors = Actors()
    first = actors.named((("usher-actor", "agent/anna"),))
    assert Actor(ActorKind.AGENT, "anna") == first
    assert first is actors.named((("usher-actor", "agent/anna"),))
    assert actors.named(()) is None and actors.named(None) is None
