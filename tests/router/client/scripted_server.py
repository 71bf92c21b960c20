"""A gRPC server on loopback that answers what a test tells it to: for what no real one would say.

A script of a method is a list; each call takes its next entry. Of a unary method an entry is the
reply, of a watch a list of messages. A status code in place of a reply or message fails the call;
in a watch a number is a silence in seconds, and `HANG` leaves it open.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from usher.router.client import Patience, Usher, connect
from usher.v1 import walk_in_service_pb2 as pb

HANG: Final = "hang"
LIMIT_S: Final = 20.0
QUICK: Final = Patience(call_s=5.0, total_s=5.0, pause_s=0.01, pause_most_s=0.05)
NO_PATIENCE: Final = Patience(call_s=5.0, total_s=0.0, pause_s=0.01)
SERVICE: Final = "usher.v1.WalkInService"


class Scripted:
    """A client of the server, and the requests that it has had, by method."""

    usher: Usher

    def __init__(self, scripts: Mapping[str, list[Any]]) -> None:
        self.requests: dict[str, list[Any]] = {name: [] for name in scripts}
        self._scripts = {name: iter(script) for name, script in scripts.items()}

    def handlers(self) -> grpc.GenericRpcHandler:
        """Returns the handlers of all scripted methods."""
        found = {name: self._handler(name) for name in self._scripts}
        return grpc.method_handlers_generic_handler(SERVICE, found)

    def _handler(self, name: str) -> Any:
        make = (
            grpc.unary_stream_rpc_method_handler
            if name.startswith("Watch")
            else grpc.unary_unary_rpc_method_handler
        )
        serve = self._watch(name) if name.startswith("Watch") else self._call(name)
        request: type[Message] = getattr(pb, f"{name}Request")
        return make(serve, request.FromString, lambda reply: reply.SerializeToString())

    def _call(self, name: str) -> Any:
        async def call(request: Any, context: Any) -> Any:
            self.requests[name].append(request)
            return await _said(next(self._scripts[name]), context)

        return call

    def _watch(self, name: str) -> Any:
        async def watch(request: Any, context: Any) -> AsyncIterator[Any]:
            self.requests[name].append(request)
            for message in next(self._scripts[name]):
                if message is HANG:
                    await asyncio.Event().wait()
                elif isinstance(message, float):
                    await asyncio.sleep(message)
                else:
                    yield await _said(message, context)

        return watch


async def _said(entry: Any, context: Any) -> Any:
    if isinstance(entry, grpc.StatusCode):
        await context.abort(entry, "as the script says")
    return entry


@contextlib.asynccontextmanager
async def scripted(
    *, patience: Patience = QUICK, pool: str = "", **scripts: list[Any]
) -> AsyncIterator[Scripted]:
    """Serves the scripts on a free port, to a client, while the context is open."""
    script = Scripted(scripts)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((script.handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with (
            asyncio.timeout(LIMIT_S),
            connect(f"127.0.0.1:{port}", pool=pool, patience=patience) as script.usher,
        ):
            yield script
    finally:
        await server.stop(None)
