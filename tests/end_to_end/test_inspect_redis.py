"""`usher inspect` and `usher verify` on a journal on a real Redis, which no server has to leave."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.end_to_end.kill_load import POLICY, Book, Fate, Load, roster
from tests.end_to_end.server_process import USHER, ServerProcess
from tests.end_to_end.small_day import usher
from tests.queue.journal.redis_server import RedisServer, running_redis

LOAD_S = 0.5
SECRET = "hush-hush"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis with the journal of a server that has ended, and was read while it served."""
    folder = tmp_path_factory.mktemp("redis")
    with running_redis(folder / "redis", password=SECRET) as running:
        asyncio.run(_play(folder, running))
        yield running


async def _play(folder: Path, redis: RedisServer) -> None:
    command = (*USHER, "--journal", redis.url())
    server = ServerProcess(folder, POLICY, roster(), command=command)
    load = Load(Book(), seed=1)
    try:
        await server.start()
        await load.sign_in(server)
        running = asyncio.create_task(load.run(server))
        await asyncio.sleep(LOAD_S)
        meanwhile = await asyncio.to_thread(usher, "verify", redis.url(), "--json")
        load.stop()
        await running
        assert 0 == meanwhile.returncode, meanwhile.stdout
        assert json.loads(meanwhile.stdout)["executed"] > 0
        assert load.book.with_fate(Fate.ACKNOWLEDGED)
        code, _ = await server.terminate()
        assert 0 == code
    finally:
        server.close()


def test_it_is_executed_again_with_equal_events(redis: RedisServer) -> None:
    ended = usher("verify", redis.url(), "--json")
    assert 0 == ended.returncode, ended.stdout
    told = json.loads(ended.stdout)
    last = json.loads(usher("inspect", redis.url(), "--from", "1", "--json").stdout.split("\n")[-2])
    assert told["records"] == told["executed"] == last["position"] > 100
    assert (
        told["state_hash"]
        == json.loads(usher("inspect", redis.url(), "--json").stdout)["state_hash"]
    )


def test_the_address_may_stand_in_the_environment(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USHER_JOURNAL", redis.url())
    assert 0 == usher("inspect").returncode


def test_nothing_of_it_is_changed_and_no_password_is_shown(redis: RedisServer) -> None:
    before = redis.do("HGETALL", "usher:{default/main}:meta")
    told = usher("inspect", redis.url())
    assert 0 == told.returncode
    assert SECRET not in told.stdout + told.stderr
    assert "redis://***@127.0.0.1" in told.stdout
    assert before == redis.do("HGETALL", "usher:{default/main}:meta")


def test_what_cannot_be_read_is_said_in_a_line(redis: RedisServer) -> None:
    elsewhere = usher("inspect", redis.url("default/other"))
    assert 2 == elsewhere.returncode
    assert "there is no journal" in elsewhere.stdout
    refused = usher("verify", redis.url(password="wrong"))
    assert 2 == refused.returncode
    assert "wrong" not in refused.stdout.replace("wrong password", "")
    nobody = usher("verify", "redis://127.0.0.1:1")
    assert 2 == nobody.returncode
    for ended in (elsewhere, refused, nobody):
        assert 1 == len(ended.stdout.splitlines())
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("where", ["last", "middle"])
def test_a_batch_that_is_gone_is_found_out(redis: RedisServer, where: str) -> None:
    log = "usher:{default/main}:log"
    entries = redis.do("XRANGE", log, "-", "+")
    name = entries[-1 if where == "last" else len(entries) // 2][0].decode()
    pool = f"default/{where}"
    for part in ("meta", "log"):
        whole = redis.do("DUMP", f"usher:{{default/main}}:{part}")
        redis.do("RESTORE", f"usher:{{{pool}}}:{part}", 0, whole)
    redis.do("XDEL", f"usher:{{{pool}}}:log", name)
    ended = usher("verify", redis.url(pool))
    assert 2 == ended.returncode
    assert "journal is damaged" in ended.stdout
