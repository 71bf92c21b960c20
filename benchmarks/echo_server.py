"""A bare grpc.aio server to compare with: takes bytes, answers bytes of a fixed size, no more.

Methods are /echo.Echo/<name>; `--sizes name=bytes,...` sets the size of each answer. It neither
parses nor stores: what is left is the cost of gRPC itself.
"""

import argparse
import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import grpc


def _answering(answer: bytes) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def echo(request: bytes, context: Any) -> bytes:
        return answer

    return echo


async def serve(sizes: dict[str, int], listen: str) -> None:
    """Serves until SIGTERM; prints the port on its first line."""
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(_answering(b"\0" * size))
        for name, size in sizes.items()
    }
    options = [("grpc.max_receive_message_length", 8 << 20)]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", handlers),))
    port = server.add_insecure_port(listen)
    await server.start()
    print(f"listening 127.0.0.1:{port}", flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop(0)


def main() -> None:
    """Reads the sizes and serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", required=True, help="Enqueue=90,Accept=40,...")
    parser.add_argument("--listen", default="127.0.0.1:0")
    given = parser.parse_args()
    pairs = (pair.split("=") for pair in given.sizes.split(","))
    asyncio.run(serve({name: int(size) for name, size in pairs}, given.listen))


if __name__ == "__main__":
    main()
