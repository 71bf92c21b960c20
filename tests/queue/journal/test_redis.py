"""The journal on a real Redis: who owns it, what is lost and found again, what it refuses.

What every journal promises is in test_contract.py.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.queue.journal.redis_server import (
    SAFE,
    RedisServer,
    journal_on,
    opening_fails,
    running_redis,
)
from tests.queue.journal.workload import Day, found_in

from usher.queue.journal import redis_owner
from usher.queue.journal.archive import Archive
from usher.queue.journal.archiving import DAY_MS, Archiving
from usher.queue.journal.contract import (
    Batch,
    EndedContact,
    JournalBroken,
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalLocked,
    JournalTaken,
    JournalTrimmed,
    JournalUnavailable,
    PrivateFields,
    RememberedRequest,
    StoredBatch,
)
from usher.queue.journal.redis import RedisJournal
from usher.router.trials.journal_reading import reading

KEY = "usher:{default/main}:"
PERMISSIONS = (
    *("~usher:*", "+@read", "+@write", "-@dangerous"),
    *("+ping", "+info", "+client|setname", "+client|list", "+select"),
    *("+evalsha", "+script|load"),
)
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path / "redis") as running:
        yield running


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """These servers have only just started, and nobody's owner has to come back."""
    monkeypatch.setattr(redis_owner, "SETTLE_S", 0)


def batch(body: bytes = b"body", **others: Any) -> Batch:
    return Batch(version=1, at_ms=7, count=1, body=body, **others)


async def bodies(journal: RedisJournal) -> list[bytes]:
    return [stored.body async for stored in journal.read(0)]


async def until(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    """Waits for what other processes or tasks bring about."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110  # nobody sets an event for it
            await asyncio.sleep(0.01)


# --- what stays ------------------------------------------------------------------------------


def test_a_day_is_found_again_after_a_kill(server: RedisServer) -> None:
    async def scenario() -> None:
        day = Day(seed=3)
        async with journal_on(server) as journal:
            await day.pass_by(journal)
            incarnation, secret = journal.incarnation, journal.secret
        server.kill()
        server.start()
        async with journal_on(server) as journal:
            assert (incarnation, secret) == (journal.incarnation, journal.secret)
            assert day.states[-1] == await found_in(journal)
            assert day.snapshots[-1] == await journal.latest_snapshot()

    asyncio.run(scenario())


def test_two_pools_know_nothing_of_each_other(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server, "a/one") as one, journal_on(server, "a/two") as two:
            await one.append(0, batch(b"one"))
            await two.append(0, batch(b"two"))
            assert [b"one"] == await bodies(one)
            assert [b"two"] == await bodies(two)
            assert one.incarnation != two.incarnation

    asyncio.run(scenario())


def test_a_journal_is_reached_over_a_socket_of_the_machine(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "r.sock"
        with running_redis(tmp_path / "redis", *SAFE, "--unixsocket", str(path)) as server:
            journal = await RedisJournal.open(f"unix://{path}?db=3&pool=a/b")
            await journal.append(0, batch())
            await journal.close()
            with server.client() as client:
                client.select(3)
                assert 1 == client.xlen("usher:{a/b}:log")

    asyncio.run(scenario())


def test_a_log_longer_than_one_reply_is_read_whole(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await asyncio.gather(*(journal.append(n, batch(b"%d" % n)) for n in range(5_000)))
            assert [b"%d" % n for n in range(5_000)] == await bodies(journal)
            assert [] == [stored async for stored in journal.read(5_000)]

    asyncio.run(scenario())


def test_more_private_fields_than_one_command_takes(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            names = [f"c{number}" for number in range(5_001)]
            put = tuple(PrivateFields(name, name.encode()) for name in names)
            await journal.append(0, batch(private=put))
            assert 5_001 == len(await journal.private(names))
            gone = tuple(PrivateFields(name, None) for name in names[:2_500])
            await journal.append(1, batch(private=gone))
            await journal.delete_private(names[2_500:5_000])
            assert {"c5000": b"c5000"} == await journal.private(names)
        assert 1 == server.do("HLEN", KEY + "private")

    asyncio.run(scenario())


def test_what_is_trimmed_leaves_redis_and_stays_in_the_archive(
    server: RedisServer, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            for number in range(10):
                gone = tuple(EndedContact(f"c{number}.{n}", b"gone") for n in range(1_500))
                await journal.append(number, batch(b"%d" % number, ended=gone))
            await journal.append(10, batch(ended=(EndedContact("c0.7", b"again"),)))
            for _ in range(2):
                await journal.write_snapshot(11, 1, [b"state"])
            archive = Archive(tmp_path / "archive", journal.incarnation)
            writer = archive.writer()
            writer.add([stored async for stored in journal.read(0)][:6])
            writer.finish()
            await journal.trim(6)
            assert 6 == server.do("XLEN", KEY + "log"), "the last archived one for its checksum"
            assert (4 * 1_500 + 1, 5) == (
                server.do("HLEN", KEY + "ended"),
                server.do("XLEN", KEY + "retired"),
            )
        async with journal_on(server) as journal:
            assert 6 == journal.begins_after
            assert [b"6", b"7"] == [stored.body async for stored in journal.read(6)][:2]
            assert b"again" == await journal.ended("c0.7")

    asyncio.run(scenario())
    with reading(server.url(), tmp_path / "archive") as journal:
        assert [b"%d" % n for n in range(10)] == [one.body for one in journal.batches()][:10]
    with reading(server.url()) as journal, pytest.raises(JournalTrimmed, match="--archive"):
        list(journal.batches())


def test_old_days_go_from_redis_to_the_archive_while_appends_go_on(
    server: RedisServer, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            for number in range(60):  # five days
                at_ms = number * DAY_MS // 12
                await journal.append(number, Batch(1, at_ms, 1, b"%d" % number))
            for _ in range(2):
                await journal.write_snapshot(60, 1, [b"state"])
            archive = Archive(tmp_path / "archive", journal.incarnation)
            work = Archiving(journal, archive, pause_s=0)
            while (moved := await work.move(4 * DAY_MS)) is not None:
                await journal.append(journal.position, batch(b"%d" % journal.position))
                assert 12 == moved.batches
            assert (48, 48, 64) == (journal.begins_after, archive.position, journal.position)

    asyncio.run(scenario())
    with reading(server.url(), tmp_path / "archive") as journal:
        assert [b"%d" % n for n in range(64)] == [one.body for one in journal.batches()]


def test_snapshots_leave_nothing_behind(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await journal.append(0, batch())
            for number in range(4):
                await journal.write_snapshot(1, number, [b"a", b"b"])
            with pytest.raises(ValueError, match="the most is"):
                await journal.write_snapshot(1, 9, [b"half", bytes(2 << 20)])
        pieces = sorted(server.do("KEYS", KEY + "snapshot:*"))
        assert [f"{KEY}snapshot:{n}".encode() for n in (3, 4)] == pieces
        # A server that was killed while it wrote leaves a half one, which the next one removes.
        server.do("HSET", KEY + "snapshots", 9, b"")
        server.do("RPUSH", KEY + "snapshot:9", b"half")
        async with journal_on(server) as journal:
            snapshot = await journal.latest_snapshot()
            assert snapshot is not None
            assert (3, (b"a", b"b")) == (snapshot.version, snapshot.pieces)
        assert pieces == sorted(server.do("KEYS", KEY + "snapshot:*"))

    asyncio.run(scenario())


# --- lost connections and replies ------------------------------------------------------------


def test_a_lost_connection_costs_no_append(server: RedisServer) -> None:
    """Connections are cut while appends are under way; what has no outcome is repeated."""

    async def scenario() -> None:
        async with journal_on(server) as journal:
            for first in range(0, 400, 20):
                positions = range(first, first + 20)
                under_way = asyncio.gather(
                    *(journal.append(n, batch(b"%d" % n)) for n in positions),
                    return_exceptions=True,
                )
                for _ in range(3):
                    await asyncio.to_thread(server.do, "CLIENT", "KILL", "TYPE", "normal")
                for number, outcome in zip(positions, await under_way, strict=True):
                    assert isinstance(outcome, JournalUnavailable | None)
                    if outcome is not None:
                        await journal.append(number, batch(b"%d" % number))
            assert 400 == journal.position
            assert [b"%d" % n for n in range(400)] == await bodies(journal)

    asyncio.run(scenario())


def test_an_append_whose_reply_was_lost_is_written_once(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await journal.append(0, batch(b"a"))
            request = RememberedRequest("r", b"d", 2, 7, b"answer")
            second = batch(b"b", requests=(request,), private=(PrivateFields("c", b"x"),))
            server.freeze()
            waiting = asyncio.ensure_future(journal.append(1, second))
            await asyncio.sleep(0.05)  # it is in the socket of a Redis that does not look
            journal._writer._link._connection._writer.close()
            server.thaw()
            await waiting
            await journal.append(2, batch(b"c"))
            assert [b"a", b"b", b"c"] == await bodies(journal)
            assert request == await journal.request("r")
            assert {"c": b"x"} == await journal.private(["c"])
            assert 1 == server.do("XLEN", KEY + "requests")

    asyncio.run(scenario())


def test_repeats_of_what_was_written_write_nothing(server: RedisServer) -> None:
    """The caller repeats all that was under way: what Redis has of it stays as it is."""

    async def scenario() -> None:
        async with journal_on(server) as journal:
            appends = [batch(b"%d" % n) for n in range(3)]
            for position, one in enumerate(appends):
                await journal.append(position, one)
            head = journal._writer.head
            start = StoredBatch(1, 1, 1, 7, b"0")
            from usher.queue.journal.chain import first_link, next_link

            journal._writer.head = 1, next_link(first_link(journal.incarnation), start)
            await asyncio.gather(journal.append(1, appends[1]), journal.append(2, appends[2]))
            assert head == journal._writer.head
            assert 3 == server.do("XLEN", KEY + "log")

    asyncio.run(scenario())


def test_a_redis_that_is_down_is_told_and_found_again(server: RedisServer) -> None:
    async def scenario() -> None:
        news: list[JournalError | None] = []
        async with journal_on(server) as journal:
            journal.listen(news.append)
            await journal.append(0, batch(b"a"))
            server.kill()
            with pytest.raises(JournalUnavailable, match="is Redis running there"):
                await journal.append(1, batch(b"b"))
            with pytest.raises(JournalUnavailable):
                await journal.delete_private(["c"])
            with pytest.raises(JournalUnavailable):
                await bodies(journal)
            server.start()
            await journal.append(1, batch(b"b"))
            assert [b"a", b"b"] == await bodies(journal)
        assert [JournalUnavailable, type(None)] == [type(one) for one in news]

    asyncio.run(scenario())


def test_all_that_was_under_way_fails_with_the_first(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            server.kill()
            appends = (journal.append(n, batch(b"%d" % n)) for n in range(200))
            outcomes = await asyncio.gather(*appends, return_exceptions=True)
            assert {JournalUnavailable} == {type(one) for one in outcomes}

    asyncio.run(scenario())


def test_an_idle_journal_notices_and_comes_back_by_itself(server: RedisServer) -> None:
    async def scenario() -> None:
        news: list[JournalError | None] = []
        async with journal_on(server) as journal:
            journal.listen(news.append)
            server.kill()
            await until(lambda: len(news) == 1)
            server.start()
            await until(lambda: len(news) == 2)
            assert [JournalUnavailable, type(None)] == [type(one) for one in news]
            names = [one["name"] for one in server.clients()]
            assert 1 == sum(name.startswith("usher:") for name in names)  # a second one sees it

    asyncio.run(scenario())


def test_forgotten_scripts_are_loaded_again(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            server.do("SCRIPT", "FLUSH")
            await journal.append(0, batch())
            assert 1 == journal.position

    asyncio.run(scenario())


def test_a_cancelled_read_leaves_the_next_one_its_own_reply(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            keep = tuple(PrivateFields(f"c{n}", b"%d" % n) for n in range(50))
            await journal.append(0, batch(private=keep))
            for number in range(50):
                reading = asyncio.ensure_future(journal.private([f"c{number}"]))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                reading.cancel()
                assert {"c7": b"7"} == await journal.private(["c7"])

    asyncio.run(scenario())


# --- owners ----------------------------------------------------------------------------------


def test_a_second_server_is_refused_and_told_who_has_it(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            refused = await opening_fails(server.url())
            assert isinstance(refused, JournalLocked)
            assert "connected from 127.0.0.1:" in str(refused)
            await journal.append(0, batch())  # the owner did not notice
        async with journal_on(server) as journal:
            assert 1 == journal.position

    asyncio.run(scenario())


def test_of_many_that_start_at_once_one_gets_it(server: RedisServer) -> None:
    async def scenario() -> None:
        for _ in range(5):
            tries = [RedisJournal.open(server.url()) for _ in range(8)]
            outcomes = await asyncio.gather(*tries, return_exceptions=True)
            got = [one for one in outcomes if isinstance(one, RedisJournal)]
            assert 7 == sum(isinstance(one, JournalLocked) for one in outcomes), outcomes
            await got[0].append(got[0].position, batch())
            await got[0].close()

    asyncio.run(scenario())


def test_an_old_owner_that_comes_back_is_fenced(server: RedisServer) -> None:
    async def scenario() -> None:
        news: list[JournalError | None] = []
        async with journal_on(server) as old:
            old.listen(news.append)
            await old.append(0, batch(b"old"))
            async with journal_on(server, silent_s=-1) as new:  # it takes the old one for gone
                await new.append(1, batch(b"new"))
                with pytest.raises(JournalTaken, match="was taken over by"):
                    await old.append(1, batch(b"late"))
                with pytest.raises(JournalTaken):
                    await old.write_snapshot(1, 1, [b"late"])
                with pytest.raises(JournalTaken):
                    await old.delete_private(["c"])
                assert [b"old", b"new"] == await bodies(new)
                assert [JournalTaken] == [type(one) for one in news]
                await old.close()
                assert isinstance(await opening_fails(server.url()), JournalLocked)

    asyncio.run(scenario())


def test_an_idle_owner_learns_that_it_was_taken_over(server: RedisServer) -> None:
    async def scenario() -> None:
        news: list[JournalError | None] = []
        async with journal_on(server) as old:
            old.listen(news.append)
            async with journal_on(server, silent_s=-1):
                await until(lambda: bool(news))
            assert [JournalTaken] == [type(one) for one in news]

    asyncio.run(scenario())


def test_an_owner_that_was_killed_is_followed_at_once(server: RedisServer) -> None:
    async def scenario() -> None:
        journal = await RedisJournal.open(server.url())
        await journal.append(0, batch(b"a"))
        journal._writer._task.cancel()  # as when its process ends: connections close, no word
        await asyncio.wait([journal._writer._task])
        await journal._writer._drop_link()
        await journal._reader.close()
        async with journal_on(server) as after:
            assert [b"a"] == await bodies(after)

    asyncio.run(scenario())


def test_after_a_restart_of_redis_the_owner_comes_first(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connections are gone with the restart: a second server waits for the owner to be back."""
    monkeypatch.setattr(redis_owner, "SETTLE_S", 20)  # whatever the machine does meanwhile

    async def scenario() -> None:
        async with journal_on(server) as journal:
            await journal.append(0, batch())
            server.kill()
            server.start()
            assert isinstance(await opening_fails(server.url()), JournalLocked)
            await journal.append(1, batch())

    asyncio.run(scenario())


def test_an_owner_that_left_is_not_waited_for(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_owner, "SETTLE_S", 3_600)

    async def scenario() -> None:
        async with asyncio.timeout(30):
            for position in range(3):
                async with journal_on(server) as journal:
                    await journal.append(position, batch())

    asyncio.run(scenario())


# --- a Redis that will not do ------------------------------------------------------------------


def test_a_server_that_is_down_is_told_in_one_line(server: RedisServer) -> None:
    async def scenario() -> None:
        server.kill()
        refused = await opening_fails(server.url())
        assert isinstance(refused, JournalUnavailable)
        assert "cannot be reached, is Redis running there?" in str(refused)
        assert "\n" not in str(refused)

    asyncio.run(scenario())


def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path) -> None:
    async def scenario() -> None:
        with running_redis(tmp_path / "redis", password="right-one") as server:
            for url in (server.url(password="wrong-one"), f"redis://127.0.0.1:{server.port}"):
                refused = await opening_fails(url)
                assert "does not accept the name and password" in str(refused)
                assert "-one" not in str(refused)
            async with journal_on(server) as journal:
                assert "-one" not in journal.durability

    asyncio.run(scenario())


def test_a_replica_is_refused_and_a_primary_that_becomes_one_is_waited_for(
    server: RedisServer, tmp_path: Path
) -> None:
    async def scenario() -> None:
        with running_redis(tmp_path / "other") as other:
            async with journal_on(server) as journal:
                await journal.append(0, batch())
                server.do("REPLICAOF", "127.0.0.1", other.port)
                refused = await opening_fails(server.url("a/other"))
                assert "is a read-only replica: name the primary" in str(refused)
                with pytest.raises(JournalUnavailable, match="read-only replica"):
                    await journal.append(1, batch())

    asyncio.run(scenario())


def test_a_demoted_primary_that_comes_back_goes_on(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await journal.append(0, batch())
            server.do("REPLICAOF", "127.0.0.1", 1)  # nobody is there: its data stay
            with pytest.raises(JournalUnavailable, match="read-only replica"):
                await journal.append(1, batch())
            server.do("REPLICAOF", "NO", "ONE")
            await journal.append(1, batch())
            assert 2 == journal.position

    asyncio.run(scenario())


def test_a_policy_that_throws_keys_away_is_refused(server: RedisServer) -> None:
    async def scenario() -> None:
        server.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        refused = await opening_fails(server.url())
        assert "maxmemory-policy allkeys-lru" in str(refused)
        assert "set it to noeviction" in str(refused)

    asyncio.run(scenario())


def test_a_cluster_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        with running_redis(tmp_path / "redis", *SAFE, "--cluster-enabled", "yes") as server:
            assert "cluster-enabled no" in str(await opening_fails(server.url()))

    asyncio.run(scenario())


def test_no_memory_refuses_an_append_whole(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            request = RememberedRequest("r", b"d", 2, 7, b"answer")
            second = batch(b"b", requests=(request,), private=(PrivateFields("c", b"x"),))
            await journal.append(0, batch(b"a"))
            server.do("CONFIG", "SET", "maxmemory", 1)
            outcomes = await asyncio.gather(
                journal.append(1, second), journal.append(2, batch()), return_exceptions=True
            )
            assert [JournalFull, JournalFull] == [type(one) for one in outcomes]
            assert "raise its maxmemory" in str(outcomes[0])
            with pytest.raises(JournalFull):
                await journal.write_snapshot(1, 1, [b"x"])
            assert [b"a"] == await bodies(journal)
            assert {} == await journal.private(["c"])
            assert isinstance(await opening_fails(server.url("a/new")), JournalFull)
            server.do("CONFIG", "SET", "maxmemory", 0)
            await journal.append(1, second)
            assert request == await journal.request("r")

    asyncio.run(scenario())


def test_a_redis_that_cannot_save_is_waited_for(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await journal.append(0, batch(b"a"))
            (server.folder / "dump.rdb").mkdir()  # where the file should go
            server.do("CONFIG", "SET", "save", "3600 1")
            server.do("BGSAVE")
            failed = "rdb_last_bgsave_status"
            await until(lambda: server.do("INFO", "persistence")[failed] == "err")
            with pytest.raises(JournalUnavailable, match="cannot write to its disk"):
                await journal.append(1, batch(b"b"))
            assert "cannot write to its disk" in str(await opening_fails(server.url("a/new")))
            server.do("CONFIG", "SET", "save", "")
            await journal.append(1, batch(b"b"))
            assert [b"a", b"b"] == await bodies(journal)

    asyncio.run(scenario())


def test_a_user_without_permissions_is_told_which(server: RedisServer) -> None:
    async def scenario() -> None:
        server.do("ACL", "SETUSER", "poor", "on", ">pw", "~*", "+@all", "-eval", "-evalsha")
        refused = await opening_fails(f"redis://poor:pw@127.0.0.1:{server.port}")
        assert "lacks a permission" in str(refused)
        assert "evalsha" in str(refused)

    asyncio.run(scenario())


def test_a_user_with_the_permissions_that_are_told_can_do_all(server: RedisServer) -> None:
    """The list in the README."""

    async def scenario() -> None:
        server.do("ACL", "SETUSER", "usher", "on", ">pw", *PERMISSIONS)
        journal = await RedisJournal.open(f"redis://usher:pw@127.0.0.1:{server.port}")
        day = Day(seed=4)
        await day.pass_by(journal)
        assert day.states[-1] == await found_in(journal)
        assert "CONFIG GET is not allowed" in journal.durability
        await journal.close()

    asyncio.run(scenario())


# --- damage ------------------------------------------------------------------------------------


async def _three(server: RedisServer) -> None:
    async with journal_on(server) as journal:
        for number in range(3):
            name = f"r{number}"
            request = RememberedRequest(name, b"d", number + 1, 7, b"answer")
            await journal.append(number, batch(b"%d" % number, requests=(request,)))
        await journal.append(3, batch(private=(PrivateFields("c", b"x"),)))
        await journal.write_snapshot(3, 1, [b"a", b"b"])
        await journal.write_snapshot(4, 1, [b"c", b"d"])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (("XDEL", "log", "2-0"), "the next batch has 1 records and ends at 3"),
        (("XDEL", "log", "4-0"), "position 4 was written, but is missing"),
        (("DEL", "log"), "position 4 was written, but is missing"),
        (("DEL", "meta"), "does not say who it is"),
        (("HSET", "meta", "secret", "other"), "do not match their checksum"),
        (("HSET", "meta", "position", "3"), "another one than the last"),
        (("HSET", "meta", "checksum", "x"), "another one than the last"),
        (("HSET", "private", "c", "other"), "private fields do not match"),
    ],
)
def test_damage_is_found(server: RedisServer, damage: tuple[str, ...], reason: str) -> None:
    async def scenario() -> None:
        await _three(server)
        name, key, *rest = damage
        server.do(name, KEY + key, *rest)
        with pytest.raises(JournalCorrupt, match=reason):
            async with journal_on(server) as journal:
                await bodies(journal)
                await journal.private(["c"])

    asyncio.run(scenario())


def test_an_altered_batch_is_found(server: RedisServer) -> None:
    async def scenario() -> None:
        await _three(server)
        ((_, fields),) = server.do("XREVRANGE", KEY + "log", "+", "-", "COUNT", 1)
        server.do("XDEL", KEY + "log", "4-0")
        server.do("XSETID", KEY + "log", "3-0")
        words = [word for pair in (fields | {b"body": b"other"}).items() for word in pair]
        server.do("XADD", KEY + "log", "4-0", *words)
        async with journal_on(server) as journal:
            with pytest.raises(JournalCorrupt, match="ends at 4 does not hold") as found:
                await bodies(journal)
            assert 3 == found.value.position

    asyncio.run(scenario())


def test_of_two_snapshots_the_whole_one_is_taken(server: RedisServer) -> None:
    async def scenario() -> None:
        await _three(server)
        server.do("LSET", KEY + "snapshot:2", 1, "other")
        async with journal_on(server) as journal:
            snapshot = await journal.latest_snapshot()
            assert snapshot is not None
            assert 3 == snapshot.position

    asyncio.run(scenario())


def test_another_format_is_named(server: RedisServer) -> None:
    async def scenario() -> None:
        from usher.queue.journal.chain import meta_checksum

        async with journal_on(server) as journal:
            seal = meta_checksum(2, journal.incarnation, journal.secret)
        server.do("HSET", KEY + "meta", "format", 2, "seal", seal)
        assert "format 2, this build reads 1" in str(await opening_fails(server.url()))

    asyncio.run(scenario())


def test_a_redis_that_forgot_everything_ends_the_journal(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await journal.append(0, batch())
            server.do("FLUSHALL")
            with pytest.raises(JournalBroken, match="has lost the journal"):
                await journal.append(1, batch())
            with pytest.raises(JournalBroken):
                await journal.append(1, batch())

    asyncio.run(scenario())


def test_a_redis_that_forgot_the_end_ends_the_journal(server: RedisServer) -> None:
    """As after a power cut with appendfsync everysec, or a failover to a replica behind."""

    async def scenario() -> None:
        async with journal_on(server) as journal:
            await journal.append(0, batch(b"a"))
            kept = server.do("DUMP", KEY + "meta"), server.do("DUMP", KEY + "log")
            await journal.append(1, batch(b"b"))
            for key, content in zip(("meta", "log"), kept, strict=True):
                server.do("RESTORE", KEY + key, 0, content, "REPLACE")
            with pytest.raises(JournalBroken, match="ends at position 1, and 2 was acknowledged"):
                await journal.append(2, batch(b"c"))
        async with journal_on(server) as journal:  # what is left is whole
            assert [b"a"] == await bodies(journal)

    asyncio.run(scenario())


def test_a_second_guard_stands_beside_the_position(server: RedisServer) -> None:
    async def scenario() -> None:
        async with journal_on(server) as journal:
            await journal.append(0, batch())
            server.do("HSET", KEY + "meta", "position", 0)
            journal._writer.head = 0, b""
            with pytest.raises(JournalBroken, match="ID specified in XADD"):
                await journal.append(0, batch(b"other"))
            assert 1 == server.do("XLEN", KEY + "log")

    asyncio.run(scenario())
