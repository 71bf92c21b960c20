"""Health of the services as grpc.health.v1 tells it, and reflection where it is asked for.

The empty name is liveness, that of the process: it depends on no store. The services by name are
readiness: NOT_SERVING while the journal's store is away. A server that drains is NOT_SERVING first.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection

from usher.router.service.status import MalformedRequest, abort

NAME: Final = "grpc.health.v1.Health"

Context = grpc.aio.ServicerContext[Any, Any]


class Health:
    """The health of one server: overall (the empty name) and per service."""

    def __init__(self, services: Sequence[str]) -> None:
        self._names = ("", *services)
        self._servicer = health.aio.HealthServicer()

    def handlers(self) -> grpc.GenericRpcHandler:
        """Returns the handlers; they parse their bytes themselves, as ours do."""
        check: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
            _parsing(self._servicer.Check), response_serializer=_serialized
        )
        watch: grpc.RpcMethodHandler[Any, Any] = grpc.unary_stream_rpc_method_handler(
            _parsing(self._servicer.Watch), response_serializer=_serialized
        )
        return grpc.method_handlers_generic_handler(NAME, {"Check": check, "Watch": watch})

    async def serving(self) -> None:
        """All services take calls."""
        for name in self._names:
            await self._servicer.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def store(self, *, is_there: bool) -> None:
        """The journal's store has gone or come back: the services with it, the process not."""
        status = health_pb2.HealthCheckResponse
        for name in self._names[1:]:
            await self._servicer.set(name, status.SERVING if is_there else status.NOT_SERVING)

    async def draining(self) -> None:
        """No service takes calls, and none will again."""
        await self._servicer.enter_graceful_shutdown()


def add_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Lets tools ask for the services and their messages."""
    reflection.enable_server_reflection([*services, NAME, reflection.SERVICE_NAME], server)


def _serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def _parsing(run: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[bytes, Any], Awaitable[Any]]:
    async def serve(data: bytes, context: Context) -> Any:
        try:
            request = health_pb2.HealthCheckRequest.FromString(data)
        except DecodeError:
            malformed = MalformedRequest("request", "bytes of a HealthCheckRequest")
            await abort(context, malformed, NAME)
        return await run(request, context)

    return serve
