"""One call or watch over gRPC: repeated while the server does not answer, errors made typed.

A command is repeated under its own request id, so a repeat can do no harm: when the first one had
got through, its recorded answer comes again. A watch that is cut goes on from its last token.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, Protocol, TypeVar
from uuid import uuid4

import grpc
from msgspec import Struct

from usher.router.client.errors import ServerFault, Unavailable, UsherError, error_of
from usher.v1 import watch_pb2

HEADER: Final = "usher-actor"

Reply = TypeVar("Reply")


class Patience(Struct, frozen=True):
    """How long to try. `call_s`: one attempt; `total_s`: all of them, with pauses in between."""

    call_s: float = 10.0
    total_s: float = 30.0
    pause_s: float = 0.05
    pause_most_s: float = 2.0

    def pause(self, attempt: int, asked_s: float) -> float:
        """Returns the seconds to wait after a failed attempt (0 = the first), at random."""
        doubled = min(self.pause_most_s, self.pause_s * 2.0**attempt)
        return max(asked_s, doubled * random.uniform(0.5, 1.0))


def new_request_id() -> str:
    """Returns an id that no other request has."""
    return uuid4().hex


class Caller:
    """Makes calls in the name of one actor."""

    def __init__(self, actor: str, patience: Patience) -> None:
        self._metadata = ((HEADER, actor),)
        self._patience = patience

    async def call(self, method: Callable[..., Any], request: Any) -> Any:
        """Returns the reply; raises UsherError. Repeats while the server does not answer."""
        end_s = time.monotonic() + self._patience.total_s
        attempt = 0
        while True:
            try:
                return await method(request, timeout=self._patience.call_s, metadata=self._metadata)
            except grpc.aio.AioRpcError as failed:
                error = error_of(failed)
            pause_s = self._patience.pause(attempt, error.retry_after_s)
            if not isinstance(error, Unavailable) or time.monotonic() + pause_s > end_s:
                raise error
            attempt += 1
            await asyncio.sleep(pause_s)

    async def watch(
        self, method: Callable[..., Any], request: "Watch", *, token: str = ""
    ) -> AsyncGenerator[tuple[Any, bool], None]:
        """Yields each message of a watch, and whether it is the first of a snapshot.

        A watch that is cut is resumed for as long as patience lasts; then it raises UsherError.
        """
        course = _Course(token)
        silent_since_s, attempt = time.monotonic(), 0
        while True:
            request.token = course.token
            course.within_snapshot = False
            stream = method(request, metadata=self._metadata)
            try:
                async for message in stream:
                    silent_since_s, attempt = time.monotonic(), 0
                    begins = course.begins(message.head)
                    yield message, begins
                error: UsherError = Unavailable("the server ended the watch")
            except grpc.aio.AioRpcError as failed:
                error = error_of(failed)
            finally:
                stream.cancel()
            pause_s = self._patience.pause(attempt, error.retry_after_s)
            if (
                not isinstance(error, Unavailable)
                or time.monotonic() + pause_s > silent_since_s + self._patience.total_s
            ):
                raise error
            attempt += 1
            await asyncio.sleep(pause_s)


class _Course:
    """How far a watch has come. `told`: all up to here was told; None = not known yet."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.told: int | None = None
        self.within_snapshot = False

    def begins(self, head: watch_pb2.WatchHead) -> bool:
        """Takes in a head and returns whether a snapshot begins with it.

        Raises ServerFault for a step that does not join the one before: something was left out.
        """
        is_snapshot = head.step == watch_pb2.WATCH_STEP_SNAPSHOT
        if not is_snapshot and self.told is not None and head.first_position != self.told + 1:
            message = f"a step begins at {head.first_position}, but {self.told} was told last"
            raise ServerFault(message, "WATCH_GAP")
        begins = is_snapshot and not self.within_snapshot
        self.within_snapshot = is_snapshot
        if head.token:
            self.token, self.told = head.token, head.position
        return begins


class Watch(Protocol):
    """A request of a watch."""

    token: str


class PoolCalls:
    """What all calls to one pool share."""

    _pool: str
    _caller: Caller

    async def _command(self, method: Callable[..., Any], request: Any, request_id: str) -> Any:
        """Sends a command; a request id is made where none is given."""
        request.pool = self._pool
        request.request_id = request_id or new_request_id()
        return await self._caller.call(method, request)
