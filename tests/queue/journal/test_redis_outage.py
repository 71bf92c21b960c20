"""The journal on a real Redis that is away for a time: what is found afterwards, what is told.

The other cases of a lost connection are in test_redis.py.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.queue.journal.redis_server import (
    SAFE,
    RedisServer,
    journal_on,
    opening_fails,
    running_redis,
)

from usher.queue.journal import redis_owner, redis_writer
from usher.queue.journal.contract import (
    Batch,
    JournalBroken,
    JournalError,
    JournalFull,
    JournalUnavailable,
)
from usher.queue.journal.redis import RedisJournal

KEY = "usher:{default/main}:"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path / "redis") as running:
        yield running


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """These servers have only just started, and nobody's owner has to come back."""
    monkeypatch.setattr(redis_owner, "SETTLE_S", 0)


def batch(body: bytes = b"body") -> Batch:
    return Batch(version=1, at_ms=7, count=1, body=body)


def cut(server: RedisServer) -> None:
    server.do("CLIENT", "KILL", "TYPE", "normal")


async def repeated(work: Callable[[], Awaitable[None]]) -> None:
    """Does it again after each outage, as the runner does."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await work()
            except JournalUnavailable:
                await asyncio.sleep(0.01)


async def _ended_early(server: RedisServer, journal: RedisJournal) -> None:
    """Appends two batches, then takes the second one from Redis, whose token stays."""
    await journal.append(0, batch(b"a"))
    kept = server.do("HMGET", KEY + "meta", "position", "checksum")
    await journal.append(1, batch(b"b"))
    server.do("XDEL", KEY + "log", "2-0")
    server.do("XSETID", KEY + "log", "1-0")
    server.do("HSET", KEY + "meta", "position", kept[0], "checksum", kept[1])


# --- a Redis that came back with less ----------------------------------------------------------


def test_an_idle_journal_whose_end_is_gone_takes_no_snapshot(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await _ended_early(server, journal)
            cut(server)
            with pytest.raises(JournalBroken, match="ends at position 1, and 2 was acknowledged"):
                await repeated(lambda: journal.write_snapshot(2, 1, [b"piece"]))
            assert 0 == server.do("EXISTS", KEY + "snapshots")
        async with journal_on(server) as journal:  # what is left is whole
            assert 1 == journal.position

    asyncio.run(scenario())


def test_an_idle_journal_learns_by_itself_that_its_end_is_gone(server: RedisServer) -> None:
    async def scenario() -> None:
        news: asyncio.Queue[JournalError | None] = asyncio.Queue()
        async with journal_on(server) as journal:
            journal.listen(news.put_nowait)
            await _ended_early(server, journal)
            cut(server)
            async with asyncio.timeout(30):
                assert isinstance(await news.get(), JournalBroken)

    asyncio.run(scenario())


def test_another_batch_at_the_end_ends_the_journal(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await journal.append(0, batch())
            server.do("HSET", KEY + "meta", "checksum", "other")
            cut(server)
            with pytest.raises(JournalBroken, match="without its last appends"):
                await repeated(lambda: journal.delete_private(["c"]))

    asyncio.run(scenario())


def test_an_end_that_is_gone_is_seen_without_memory_too(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await _ended_early(server, journal)
            server.do("CONFIG", "SET", "maxmemory", 1)
            cut(server)
            with pytest.raises(JournalBroken, match="ends at position 1, and 2 was acknowledged"):
                await repeated(lambda: journal.delete_private(["c"]))

    asyncio.run(scenario())


# --- snapshots ---------------------------------------------------------------------------------


def test_a_snapshot_after_one_that_was_cut_off_is_whole(server: RedisServer) -> None:
    async def scenario() -> None:
        async def cut_off() -> AsyncIterator[bytes]:
            yield b"stale"
            server.kill()
            yield b"lost"

        async with journal_on(server) as journal:
            await journal.append(0, batch())
            with pytest.raises(JournalUnavailable):
                await journal.write_snapshot(1, 1, cut_off())
            with pytest.raises(JournalUnavailable):  # as the removal of what was begun, before it
                await journal.delete_private(["c"])
            server.start()
            await journal.write_snapshot(1, 2, [b"a", b"b"])
            snapshot = await journal.latest_snapshot()
            assert snapshot is not None
            assert (2, (b"a", b"b")) == (snapshot.version, snapshot.pieces)

    asyncio.run(scenario())


def test_a_snapshot_begins_without_pieces(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await journal.append(0, batch())
            server.do("RPUSH", KEY + "snapshot:1", b"stale")
            await journal.write_snapshot(1, 1, [b"a", b"b"])
            assert [b"a", b"b"] == server.do("LRANGE", KEY + "snapshot:1", 0, -1)

    asyncio.run(scenario())


# --- a login that is refused ---------------------------------------------------------------------


def test_a_password_that_was_changed_is_waited_for_by_reads_as_well(server: RedisServer) -> None:
    async def scenario() -> None:
        server.do("ACL", "SETUSER", "usher", "on", ">old", "~*", "&*", "+@all")
        journal = await RedisJournal.open(f"redis://usher:old@127.0.0.1:{server.port}")
        server.do("ACL", "SETUSER", "usher", "<old", ">new")
        cut(server)
        with pytest.raises(JournalUnavailable, match="does not accept the name and password"):
            await journal.private(["c"])
        with pytest.raises(JournalUnavailable, match="does not accept the name and password"):
            await journal.append(0, batch())
        server.do("ACL", "SETUSER", "usher", ">old")
        assert {} == await journal.private(["c"])
        await journal.append(0, batch())
        await journal.close()

    asyncio.run(scenario())


def test_a_wrong_password_is_told_over_a_socket_of_the_machine(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "r.sock"
        options = *SAFE, "--unixsocket", str(path)
        with running_redis(tmp_path / "redis", *options, password="right-one"):
            refused = await opening_fails(f"unix://:wrong-one@{path}")
            assert JournalError is type(refused)
            assert "does not accept the name and password" in str(refused)
            assert "-one" not in str(refused)

    asyncio.run(scenario())


# --- what is under way ---------------------------------------------------------------------------


def test_a_close_during_an_outage_leaves_nobody_waiting(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_writer, "STOP_S", 0.2)

    async def scenario() -> None:
        journal = await RedisJournal.open(server.url())
        server.freeze()
        many = 2 * redis_writer.GROUP_MOST
        appends = (journal.append(n, batch(b"%d" % n)) for n in range(many))
        under_way = asyncio.gather(*appends, journal.delete_private(["c"]), return_exceptions=True)
        await asyncio.sleep(0.05)  # a part is sent, the rest is queued behind it
        await journal.close()
        try:
            async with asyncio.timeout(5):
                outcomes = await under_way
        finally:
            server.thaw()
        assert {JournalUnavailable} == {type(one) for one in outcomes}
        assert many + 1 == len(outcomes)

    asyncio.run(scenario())


def test_no_memory_at_the_second_try_does_not_say_that_nothing_was_written(
    server: RedisServer,
) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await journal.append(0, batch(b"a"))
            server.do("CONFIG", "SET", "maxmemory", 1)
            cut(server)
            with pytest.raises(JournalUnavailable):
                await journal.append(1, batch(b"b"))
            with pytest.raises(JournalFull):
                await journal.append(1, batch(b"b"))
            server.do("CONFIG", "SET", "maxmemory", 0)
            await journal.append(1, batch(b"b"))
            assert 2 == journal.position

    asyncio.run(scenario())
