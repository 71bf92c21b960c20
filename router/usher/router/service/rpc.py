"""Between gRPC and the services: raw bytes in, raw bytes out, every error a status.

    bytes -> admitted? -> deadline? -> parsed -> pool, actor -> the service's method -> bytes

Handlers take bytes because gRPC answers UNKNOWN, with a traceback in the log, to bytes that are no
message. There is one wrapper for unary calls and one for watches, and no interceptor: this is the
path of every call. It must not know what a method does.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from msgspec import Struct

from usher.queue.values import Actor
from usher.router.service.access import Actors
from usher.router.service.served import Call, Pools
from usher.router.service.status import (
    DeadlinePast,
    MalformedRequest,
    RequestTooLarge,
    abort,
)

MESSAGE_BYTES_MAX: Final = 256 * 1024
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024

Context = grpc.aio.ServicerContext[bytes, bytes]
Write = Callable[[bytes], Awaitable[None]]


RequestType = TypeVar("RequestType", bound=Message)


class Unary(Struct, Generic[RequestType], frozen=True):
    """A method with one reply. `default_actor` is who calls where the metadata does not say."""

    request: type[RequestType]
    run: Callable[[RequestType, Call], Awaitable[bytes]]
    default_actor: Callable[[RequestType], Actor]
    bytes_max: int = MESSAGE_BYTES_MAX


class Watch(Struct, Generic[RequestType], frozen=True):
    """A method that streams: `run` writes until it is cancelled or raises."""

    request: type[RequestType]
    run: Callable[[RequestType, Call, Write], Awaitable[None]]
    default_actor: Callable[[RequestType], Actor]
    bytes_max: int = MESSAGE_BYTES_MAX


Method = Unary[Any] | Watch[Any]


class Gate:
    """Makes the handlers of all services over the same pools."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._actors = Actors()

    def handlers(self, service: str, methods: Mapping[str, Method]) -> grpc.GenericRpcHandler:
        """Returns what a gRPC server needs to serve the methods of one service."""
        wrapped: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(self.unary(f"{service}/{name}", method))
            if isinstance(method, Unary)
            else grpc.unary_stream_rpc_method_handler(self.watch(f"{service}/{name}", method))
            for name, method in methods.items()
        }
        return grpc.method_handlers_generic_handler(service, wrapped)

    def unary(self, path: str, method: Unary[Any]) -> Callable[[bytes, Context], Awaitable[bytes]]:
        """Returns the handler of a method with one reply."""
        pools, run = self._pools, method.run

        async def serve(data: bytes, context: Context) -> bytes:
            try:
                pools.enter()
                try:
                    request = _parsed(data, method)
                    return await run(request, self._call(request, method, context))
                finally:
                    pools.leave()
            except Exception as error:
                failure = error
            return await abort(context, failure, path)

        return serve

    def watch(self, path: str, method: Watch[Any]) -> Callable[[bytes, Context], Awaitable[None]]:
        """Returns the handler of a stream; gRPC needs its CancelledError to come through."""

        async def stream(data: bytes, context: Context) -> None:
            try:
                request = _parsed(data, method)
                await method.run(request, self._call(request, method, context), context.write)
                return
            except Exception as error:
                failure = error
            await abort(context, failure, path)

        return stream

    def _call(self, request: Any, method: Method, context: Context) -> Call:
        remaining_s = context.time_remaining()
        if remaining_s is not None and remaining_s <= 0:
            raise DeadlinePast("the deadline was past when the call was reached")
        pool = self._pools.named(request.pool)
        actor = self._actors.named(context.invocation_metadata())
        return Call(pool, actor or method.default_actor(request))


def _parsed(data: bytes, method: Method) -> Any:
    if len(data) > method.bytes_max:
        raise RequestTooLarge("request", f"at most {method.bytes_max} bytes", size=len(data))
    try:
        return method.request.FromString(data)
    except DecodeError:
        name = method.request.DESCRIPTOR.full_name
        raise MalformedRequest("request", f"bytes of a {name}") from None
