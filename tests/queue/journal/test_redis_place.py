"""Addresses of journals on Redis, and what kind of Redis may hold one: no server is needed."""

import pytest

from usher.queue.journal.contract import JournalError, JournalUnavailable
from usher.queue.journal.redis_place import Place, keys_of, masked, read_place
from usher.queue.journal.redis_server import UNKNOWN, check, durability, parsed, server_of

INFO = b"# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nuptime_in_seconds:17\r\n"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://localhost", Place("redis", "localhost")),
        ("redis://10.0.0.1:7000/3", Place("redis", "10.0.0.1", 7000, database=3)),
        ("redis://[::1]:7000?pool=a/b-c", Place("redis", "::1", 7000, pool="a/b-c")),
        ("redis://:p%40%2Fw@h/", Place("redis", "h", password="p@/w")),
        ("redis://me:pw@h", Place("redis", "h", user="me", password="pw")),
        ("rediss://h?ca=/etc/ca.pem", Place("rediss", "h", ca="/etc/ca.pem")),
        ("unix:///run/redis.sock?db=2", Place("unix", path="/run/redis.sock", database=2)),
        ("unix://:pw@/run/r.sock", Place("unix", path="/run/r.sock", password="pw")),
    ],
)
def test_an_address_is_read(url: str, place: Place) -> None:
    assert place == read_place(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "redis:h",
        "redis://",
        "redis://h:port",
        "redis://h/zero",
        "redis://h/0?pool=main",
        "redis://h/0?pool=a/b/c",
        "redis://h/0?pool={a}/b",
        "redis://h/0?pool=a/b&pool=a/c",
        "redis://h/0?ca=/etc/ca.pem",
        "redis://h/0?timeout=3",
        "redis://me@h",
        "unix://host/path",
    ],
)
def test_a_wrong_address_is_told(url: str) -> None:
    with pytest.raises(JournalError, match="is no address of a journal"):
        read_place(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hush@h:6379/0",
        "redis://user:hush@h:port",
        "redis://:hush/hush@h",
        "redis://:hush@h?nonsense=1",
        "rediss://hush:@h",
        "nonsense://:hush@h",
    ],
)
def test_no_text_holds_the_password(url: str) -> None:
    texts = [masked(url)]
    try:
        place = read_place(url)
        texts += [str(place), repr(place)]
    except JournalError as error:
        texts += [str(error), repr(error)]
    assert [] == [text for text in texts if "hush" in text]


def test_a_place_as_text_leads_back_to_it() -> None:
    for url in ("redis://[::1]:7/3?pool=a/b", "unix:///run/r?db=2&pool=a/b"):
        assert url == str(read_place(url))


def test_all_keys_of_a_pool_lie_in_one_slot() -> None:
    keys = keys_of("default/main")
    assert "usher:{default/main}:meta" == keys.meta
    assert "usher:{default/main}:snapshot:7" == keys.pieces(7)
    assert all("{default/main}" in key for key in keys)


def said(changes: dict[str, str]) -> dict[str, str]:
    return parsed(INFO) | changes


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"redis_version": "6.0.16"}, "is Redis 6.0.16: 6.2 or newer is needed"),
        ({"redis_version": "5"}, "6.2 or newer"),
        ({"redis_version": "next"}, "6.2 or newer"),
        ({"redis_mode": "sentinel"}, "name the primary that it watches"),
        ({"redis_mode": "cluster"}, "cluster-enabled no"),
        ({"cluster_enabled": "1"}, "cluster-enabled no"),
        ({"maxmemory_policy": "allkeys-lru"}, "set it to noeviction"),
        ({"maxmemory_policy": "volatile-ttl"}, "set it to noeviction"),
    ],
)
def test_a_redis_that_will_not_do_is_told_why(changes: dict[str, str], why: str) -> None:
    with pytest.raises(JournalError, match=why) as told:
        check("redis://h", server_of(said(changes), {}))
    assert not isinstance(told.value, JournalUnavailable)


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"role": "slave"}, "name the primary"), ({"loading": "1"}, "wait until it has")],
)
def test_what_may_pass_is_told_apart(changes: dict[str, str], why: str) -> None:
    with pytest.raises(JournalUnavailable, match=why):
        check("redis://h", server_of(said(changes), {}))


@pytest.mark.parametrize("version", ["6.2.0", "6.2.14", "7.0.15", "8.4.1", "10.0.0-rc1"])
def test_a_redis_that_is_new_enough_is_taken(version: str) -> None:
    check("redis://h", server_of(said({"redis_version": version}), {}))


def test_valkey_is_taken_and_named() -> None:
    server = server_of(said({"redis_version": "7.2.4", "valkey_version": "9.0.1"}), {})
    check("redis://h", server)
    assert durability(server).startswith("Valkey 9.0.1, ")


@pytest.mark.parametrize(
    ("aof", "settings", "promise"),
    [
        ("1", {"appendfsync": "always"}, "every acknowledged append survives"),
        ("1", {"appendfsync": "everysec"}, "the last second or two"),
        ("1", {"appendfsync": "no"}, "the last half minute"),
        ("1", {}, "CONFIG GET is not allowed"),
        ("0", {"save": ""}, "nothing survives"),
        ("0", {"save": "60 1000"}, "since its last save"),
        ("0", {}, "since its last save"),
    ],
)
def test_what_an_append_survives_is_told(aof: str, settings: dict[str, str], promise: str) -> None:
    line = durability(server_of(said({"aof_enabled": aof}), settings))
    assert promise in line
    assert "replicas" not in line
    assert 200 > len(line)  # a log value has no more


def test_replicas_promise_nothing() -> None:
    server = server_of(said({"aof_enabled": "1", "connected_slaves": "2"}), {})
    assert UNKNOWN == server.appendfsync
    assert "replicas: 2, a failover to one may lose" in durability(server)
