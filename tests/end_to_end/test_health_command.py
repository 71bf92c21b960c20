"""`usher health` against a real server: serving, draining, not there."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from tests.end_to_end.served import served
from tests.end_to_end.server_process import free_port

from usher.router.service.agent_service import NAME
from usher.router.trials.health_check import default_address

pytestmark = pytest.mark.asyncio

LIMIT_S = 60.0
GIVEN_UP_S = 20.0  # half a second is asked for; the rest is for a slow machine


class Said:
    """What the command said, and its exit code."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr


async def test_a_server_that_serves_is_healthy() -> None:
    async with served() as usher:
        said = await _health(usher.address)
        one_service = await _health(usher.address, "--service", NAME)
    assert (0, f"{usher.address}: serving\n", "") == (said.code, said.out, said.err)
    assert 0 == one_service.code


async def test_without_an_address_it_asks_where_the_environment_says() -> None:
    async with served() as usher:
        port = usher.address.rpartition(":")[2]
        said = await _health(environment={"USHER_LISTEN": f"0.0.0.0:{port}"})
    assert (0, f"127.0.0.1:{port}: serving\n") == (said.code, said.out)


async def test_a_server_that_drains_is_not() -> None:
    async with served() as usher:
        await usher.server._health.draining()  # the first step of a drain, held
        said = await _health(usher.address)
    assert (1, "") == (said.code, said.out)
    assert f"{usher.address}: not serving (NOT_SERVING)\n" == said.err


async def test_a_service_that_is_not_there_is_not() -> None:
    async with served() as usher:
        said = await _health(usher.address, "--service", "usher.v1.NoSuchService")
    assert (1, "") == (said.code, said.out)
    assert "no service usher.v1.NoSuchService" in said.err


async def test_where_nobody_listens_there_is_no_answer() -> None:
    address = f"127.0.0.1:{free_port()}"
    said = await _health(address)
    assert (3, "") == (said.code, said.out)
    assert f"{address}: no answer: " in said.err and "refused" in said.err
    assert "Traceback" not in said.err


async def test_a_server_that_hangs_is_given_up_in_time() -> None:
    async with _hanging() as address:
        began_s = time.monotonic()
        said = await _health(address, "--timeout", "0.5")
        took_s = time.monotonic() - began_s
    assert (3, f"{address}: no answer within 0.5 s\n") == (said.code, said.err)
    assert 0.5 <= took_s < GIVEN_UP_S


async def test_it_works_over_a_socket_file() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # the path of a socket must be short
        async with served(listen=f"unix:{Path(folder, 's')}") as usher:
            said = await _health(usher.address)
    assert (0, f"{usher.address}: serving\n") == (said.code, said.out)


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "inf", "soon"])
async def test_a_time_limit_has_to_be_one(wrong: str) -> None:
    said = await _health("127.0.0.1:1", "--timeout", wrong)
    assert 2 == said.code
    assert f"more than 0 seconds, not {wrong}" in said.err


@pytest.mark.parametrize(
    ("listen", "asked"),
    [
        ("0.0.0.0:7000", "127.0.0.1:7000"),
        ("[::]:7000", "[::1]:7000"),
        ("10.0.0.7:7000", "10.0.0.7:7000"),
        ("unix:/run/usher", "unix:/run/usher"),
    ],
)
async def test_an_address_to_listen_on_gives_one_to_ask(listen: str, asked: str) -> None:
    assert asked == default_address({"USHER_LISTEN": listen})
    assert "127.0.0.1:7460" == default_address({})


async def _health(*arguments: str, environment: Mapping[str, str] | None = None) -> Said:
    command = [sys.executable, "-m", "usher.router.service.entry", "health", *arguments]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=dict(environment or {}),
        check=False,
    )
    return Said(done)


@asynccontextmanager
async def _hanging() -> AsyncIterator[str]:
    """A server that takes health calls and does not answer them."""

    async def check(request: bytes, context: object) -> bytes:
        await asyncio.Event().wait()
        return health_pb2.HealthCheckResponse().SerializeToString()

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(check)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
