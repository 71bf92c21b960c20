"""kill -9 of the Redis below a serving Usher: nothing acknowledged is lost, nothing done twice.

    load -> SIGKILL of Redis -> calls end UNAVAILABLE -> Redis starts again -> the same server goes
    on by itself -> checks -> load ...

Issue 3, "must show" 4. The control runs the same on a Redis that keeps nothing, and must find
something lost: a test that cannot fail shows nothing.
"""

import asyncio
import random
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.end_to_end import kill_checks as checks
from tests.end_to_end.kill_load import POLICY, Book, Fate, Load, roster
from tests.end_to_end.server_process import USHER, ServerProcess
from tests.queue.journal.redis_server import FORGETFUL, RedisServer, journal_on, running_redis

from usher.router.service import router_service

pytestmark = [pytest.mark.branch, pytest.mark.crash]

KILLS = 20
CONTROL_KILLS_MOST = 5
LOAD_S = (0.6, 1.4)
DOWN_S = (0.0, 0.6)
BACK_LIMIT_S = 60.0
SNAPSHOT_RECORDS = 3_000

Tell = Callable[[str], None]


class Round(NamedTuple):
    """What one kill did."""

    left: checks.Aftermath
    away_s: float


@asynccontextmanager
async def started(folder: Path, redis: RedisServer) -> AsyncIterator[ServerProcess]:
    """A server on that Redis, which takes snapshots often."""
    environment = {"USHER_SNAPSHOT_RECORDS": str(SNAPSHOT_RECORDS)}
    command = (*USHER, "--journal", redis.url())
    server = ServerProcess(folder, POLICY, roster(), command=command, environment=environment)
    try:
        await server.start()
        yield server
    finally:
        server.close()


async def until_ready(server: ServerProcess) -> None:
    """Waits until the services say that they serve, which needs the journal's store.

    A server that has ended, because Redis came back without its journal, is started again.
    """
    request = health_pb2.HealthCheckRequest(service=router_service.NAME)
    async with asyncio.timeout(BACK_LIMIT_S):
        while True:
            if server.process.poll() is not None:
                await server.start()
            async with server.channel() as channel:
                try:
                    reply = await health_pb2_grpc.HealthStub(channel).Check(request)
                except grpc.aio.AioRpcError:
                    continue
                if reply.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            await asyncio.sleep(0.01)


async def load_and_kill_redis(
    server: ServerProcess, redis: RedisServer, load: Load, times: random.Random
) -> Round:
    """Loads, kills Redis, starts it again, resolves and checks."""
    since = len(load.book)
    running = asyncio.create_task(load.run(server))
    await asyncio.sleep(times.uniform(*LOAD_S))
    await asyncio.to_thread(redis.kill)
    killed_s = time.monotonic()
    await running  # the load stops by itself: no command gets a verdict
    await asyncio.sleep(times.uniform(*DOWN_S))
    await asyncio.to_thread(redis.start)
    await until_ready(server)
    away_s = time.monotonic() - killed_s
    return Round(await checks.aftermath(server, load.book, since), away_s)


@pytest.mark.timeout(1200)
def test_no_kill_of_redis_loses_or_doubles_a_command(
    tmp_path: Path, full: bool, tell: Tell
) -> None:
    asyncio.run(_kill_again_and_again(tmp_path, KILLS if full else 3, tell))


async def _kill_again_and_again(folder: Path, kills: int, tell: Tell) -> None:
    book = Book()
    load = Load(book, seed=kills)
    times = random.Random(kills)
    rounds: list[Round] = []
    with running_redis(folder / "redis") as redis:
        async with started(folder, redis) as server:
            await load.sign_in(server)
            process_id = server.process.pid
            for number in range(kills):
                one = await load_and_kill_redis(server, redis, load, times)
                assert [] == one.left.findings, f"kill {number + 1}"
                assert "is in use by the server" in await second_server(folder, redis)
                rounds.append(one)
            everything = book.with_fate(Fate.ACKNOWLEDGED)
            assert [] == await checks.repeat_acknowledged(server, everything)
            assert [] == await checks.one_contact_each(server, book)
            assert process_id == server.process.pid, "the server has not served throughout"
            code, _ = await server.terminate()
            assert 0 == code
        journalled = await _check_journal(redis, book)
    _tell_figures(rounds, book, journalled, tell)
    assert sum(one.left.unknown for one in rounds) >= kills, "the kills met no call under way"


async def second_server(folder: Path, redis: RedisServer) -> str:
    """Returns what another server on the same pool says when it is refused."""
    command = [*USHER, "--journal", redis.url(), "--listen", "127.0.0.1:0"]
    files = ["--policy", str(folder / "policy.toml"), "--roster", str(folder / "roster.toml")]
    ended = await asyncio.to_thread(
        subprocess.run, [*command, *files], capture_output=True, text=True, timeout=60, check=False
    )
    assert 2 == ended.returncode, ended.stderr
    return ended.stderr


async def _check_journal(redis: RedisServer, book: Book) -> checks.Journalled:
    """Replays the whole journal and compares it with the book and with the last live state."""
    journalled = checks.Journalled()
    async with journal_on(redis) as journal:
        await journalled.read_from(journal)
    journalled.check(book)
    return journalled


def _tell_figures(
    rounds: list[Round], book: Book, journalled: checks.Journalled, tell: Tell
) -> None:
    for line in checks.figures([one.left for one in rounds], book, journalled):
        tell(line)
    away = sorted(one.away_s for one in rounds)
    tell(f"from the kill to serving again: median {median(away):.2f} s, most {away[-1]:.2f} s")


@pytest.mark.timeout(300)
def test_a_redis_that_keeps_nothing_is_found_out(tmp_path: Path, tell: Tell) -> None:
    asyncio.run(_find_forgetful_out(tmp_path, tell))


async def _find_forgetful_out(folder: Path, tell: Tell) -> None:
    load = Load(Book(), seed=1)
    with running_redis(folder / "redis", *FORGETFUL) as redis:
        async with started(folder, redis) as server:
            assert "nothing survives an end of Redis" in server.log.read_text()
            for number in range(1, CONTROL_KILLS_MOST + 1):
                await until_ready(server)  # one that died of the former kill is started again
                await load.sign_in(server)
                one = await load_and_kill_redis(server, redis, load, random.Random(number))
                lost = [text for text in one.left.findings if text.startswith(checks.LOST)]
                if lost:
                    tell(f"control: kill {number} lost {len(lost)} acknowledged: {lost[0]}")
                    return
    pytest.fail(f"{CONTROL_KILLS_MOST} kills of a Redis without a file: nothing was lost")
