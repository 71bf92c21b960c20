"""A server whose journal lies on a real Redis: what keeps it from starting, outages, no room."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.end_to_end.kill_load import POLICY, roster
from tests.end_to_end.served import Served, refused, served
from tests.end_to_end.server_process import USHER, ServerProcess
from tests.queue.journal.redis_server import RedisServer, journal_on, running_redis

from usher.router.service import router_service
from usher.v1 import contact_pb2
from usher.v1 import router_service_pb2 as pb
from usher.v1 import server_service_pb2 as about_pb

pytestmark = pytest.mark.branch

LIMIT_S = 60.0
SECRET = "open-sesame"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path / "redis", password=SECRET) as server:
        yield server


@asynccontextmanager
async def served_on(redis: RedisServer, **settings: Any) -> AsyncIterator[Served]:
    async with journal_on(redis) as journal, served(journal=journal, **settings) as running:
        yield running


def enqueue(contact_id: str) -> pb.EnqueueContactRequest:
    contact = contact_pb2.NewContact(contact_id=contact_id, queue="main", channel="chat")
    contact.attributes["name"] = f"name of {contact_id}"
    return pb.EnqueueContactRequest(request_id=f"q-{contact_id}", contact=contact)


async def health(running: Served, service: str = "") -> Any:
    stub = health_pb2_grpc.HealthStub(running.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


async def until_health(running: Served, status: Any) -> None:
    async with asyncio.timeout(LIMIT_S):
        while await health(running, router_service.NAME) != status:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# --- starting ----------------------------------------------------------------------------------


def refused_start(folder: Path, url: str, code: int = 2) -> str:
    """Returns the one line that a server says which does not start."""
    for name, text in (("policy.toml", POLICY), ("roster.toml", roster())):
        (folder / name).write_text(text)
    files = ["--policy", str(folder / "policy.toml"), "--roster", str(folder / "roster.toml")]
    ended = subprocess.run(
        [*USHER, "--journal", url, "--listen", "127.0.0.1:0", *files],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert code == ended.returncode, ended.stderr
    assert "" == ended.stdout
    assert 1 == len(ended.stderr.splitlines()), ended.stderr
    assert SECRET not in ended.stderr
    return ended.stderr


def test_what_keeps_a_server_from_starting_is_told_in_one_line(
    redis: RedisServer, tmp_path: Path
) -> None:
    redis.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    assert "set it to noeviction" in refused_start(tmp_path, redis.url())
    redis.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    redis.do("CONFIG", "SET", "maxmemory", "1")
    assert "raise its maxmemory" in refused_start(tmp_path, redis.url())
    redis.do("CONFIG", "SET", "maxmemory", "0")
    redis.do("REPLICAOF", "127.0.0.1", "1")
    assert "name the primary" in refused_start(tmp_path, redis.url())
    redis.kill()
    assert "is Redis running there?" in refused_start(tmp_path, redis.url())
    wrong = f"redis://:{SECRET}@127.0.0.1:{redis.port}/0?pool=main"
    assert "a pool is named tenant/pool" in refused_start(tmp_path, wrong)
    assert "--journal" not in refused_start(tmp_path, "memcached://localhost")


def test_a_wrong_password_is_told_in_one_line(redis: RedisServer, tmp_path: Path) -> None:
    said = refused_start(tmp_path, f"redis://:{SECRET}-not@127.0.0.1:{redis.port}")
    assert "does not accept the name and password" in said


def test_a_second_server_is_told_who_has_the_pool(redis: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served_on(redis) as running:
            said = await asyncio.to_thread(refused_start, tmp_path, redis.url())
            assert "is in use by the server with process id" in said
            await running.router.EnqueueContact(enqueue("c1"))

    asyncio.run(scenario())


def test_a_server_tells_where_its_journal_is_and_never_its_password(
    redis: RedisServer, tmp_path: Path
) -> None:
    environment = {"USHER_JOURNAL": redis.url(), "USHER_LOG_LEVEL": "debug"}
    server = ServerProcess(tmp_path, POLICY, roster(), environment=environment)

    async def scenario() -> None:
        await server.start()
        await asyncio.to_thread(redis.kill)
        code, _ = await server.terminate()
        assert 0 == code  # there was nothing under way

    try:
        asyncio.run(scenario())
    finally:
        server.close()
    log = server.log.read_text()
    assert f"journal=redis://***@127.0.0.1:{redis.port}/0" in log
    assert "appendfsync=always: every acknowledged append survives" in log
    assert SECRET not in log
    assert not server.data_dir.exists()


def test_a_server_on_sqlite_does_not_import_redis(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from tests.end_to_end.served import served\n"
        "async def scenario():\n"
        f"    async with served(data_dir=__import__('pathlib').Path({str(tmp_path)!r})):\n"
        "        print([name for name in sys.modules if name.partition('.')[0] == 'redis'])\n"
        "asyncio.run(scenario())\n"
    )
    repo = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=repo, capture_output=True, text=True, check=True
    )
    assert "[]" == ended.stdout.splitlines()[0]


# --- serving -----------------------------------------------------------------------------------


def test_an_outage_turns_callers_away_and_passes(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with served_on(redis) as running:
            await running.router.EnqueueContact(enqueue("c1"))
            assert SERVING == await health(running, router_service.NAME)
            await asyncio.to_thread(redis.kill)
            away = await refused(running.router.EnqueueContact(enqueue("c2")))
            assert (grpc.StatusCode.UNAVAILABLE, "JOURNAL_UNAVAILABLE") == (away.code, away.reason)
            assert 0 < away.retry_s
            for call in (
                running.router.EnqueueContact(enqueue("c1")),
                running.router.EnqueueContact(enqueue("c3")),
                running.router.GetContact(pb.GetContactRequest(contact_id="c1")),
                running.about.GetServer(about_pb.GetServerRequest()),
            ):
                assert "JOURNAL_UNAVAILABLE" == (await refused(call)).reason
            assert SERVING == await health(running)  # the process is well
            assert NOT_SERVING == await health(running, router_service.NAME)
            await asyncio.to_thread(redis.start)
            await until_health(running, SERVING)
            for name in ("c1", "c2", "c3"):
                await running.router.EnqueueContact(enqueue(name))
            listed = await running.router.ListContacts(pb.ListContactsRequest())
            assert ["c1", "c2", "c3"] == sorted(one.contact_id for one in listed.contacts)
        async with served_on(redis) as running:
            reply = await running.router.GetContact(pb.GetContactRequest(contact_id="c2"))
            assert "name of c2" == reply.contact.attributes["name"]

    asyncio.run(scenario())


def test_an_idle_server_tells_that_its_store_is_away(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with served_on(redis) as running:
            await asyncio.to_thread(redis.kill)
            await until_health(running, NOT_SERVING)
            assert SERVING == await health(running)
            await asyncio.to_thread(redis.start)
            await until_health(running, SERVING)

    asyncio.run(scenario())


def test_a_redis_that_hangs_is_an_outage_too(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with served_on(redis) as running:
            redis.freeze()
            away = await refused(running.router.EnqueueContact(enqueue("c1")))
            assert "JOURNAL_UNAVAILABLE" == away.reason
            redis.thaw()
            await until_health(running, SERVING)
            await running.router.EnqueueContact(enqueue("c1"))
            listed = await running.router.ListContacts(pb.ListContactsRequest())
            assert 1 == len(listed.contacts)

    asyncio.run(scenario())


def test_no_room_refuses_and_changes_nothing(redis: RedisServer) -> None:
    async def scenario() -> None:
        async with served_on(redis, journal_full_pause_ms=0) as running:
            await running.router.EnqueueContact(enqueue("c1"))
            redis.do("CONFIG", "SET", "maxmemory", "1")
            full = await refused(running.router.EnqueueContact(enqueue("c2")))
            assert grpc.StatusCode.RESOURCE_EXHAUSTED == full.code
            assert "JOURNAL_FULL" == full.reason
            assert 0 < full.retry_s
            listed = await running.router.ListContacts(pb.ListContactsRequest())
            assert ["c1"] == [one.contact_id for one in listed.contacts]
            redis.do("CONFIG", "SET", "maxmemory", "0")
            await running.router.EnqueueContact(enqueue("c2"))

    asyncio.run(scenario())


def test_a_server_that_was_taken_over_ends(redis: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = ServerProcess(
            tmp_path, POLICY, roster(), environment={"USHER_JOURNAL": redis.url()}
        )
        try:
            await server.start()
            redis.do("HSET", "usher:{default/main}:meta", "token", "of-another", "owner", "7 on b")
            async with asyncio.timeout(LIMIT_S):
                while server.process.poll() is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert 70 == server.process.returncode
            assert "was taken over by 7 on b" in server.log.read_text()
        finally:
            server.close()

    asyncio.run(scenario())
