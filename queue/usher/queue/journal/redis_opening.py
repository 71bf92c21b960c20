"""Opening a journal on Redis: become its owner, then read what must be known before the first call.

    look at the server -> take the pool -> meta, last batch, requests, snapshots -> is all there?

It must not know how a journal is used afterwards.
"""

import secrets
from typing import Final, NamedTuple

from usher.queue.journal import redis_rows as rows
from usher.queue.journal.chain import first_link
from usher.queue.journal.contract import JournalCorrupt, RememberedRequest
from usher.queue.journal.redis_link import Link
from usher.queue.journal.redis_owner import Owner, connected, take
from usher.queue.journal.redis_place import Keys, keys_of, read_place
from usher.queue.journal.redis_reader import Reader
from usher.queue.journal.redis_rows import Command, StoredSnapshot
from usher.queue.journal.redis_server import durability

REQUESTS_AT_ONCE: Final = 1_000  # batches of them


class Opened(NamedTuple):
    """What opening gives. `requests`: each with the position of its batch, in order."""

    owner: Owner
    link: Link
    reader: Reader
    durability: str
    meta: rows.Meta
    requests: list[tuple[int, RememberedRequest]]
    snapshots: dict[int, StoredSnapshot | None]
    begins_after: int


async def opened(url: str, silent_s: int) -> Opened:
    """Return what a journal needs; leave nothing open when it raises (see RedisJournal.open)."""
    place = read_place(url)
    owner = Owner(place, keys_of(place.pool), secrets.token_hex(8), silent_s)
    reader = Reader(place)
    link: Link | None = None
    try:
        link, server = await connected(owner)
        await _check_not_beheaded(owner.keys, link)
        incarnation, secret = secrets.token_hex(8), secrets.token_bytes(32)
        new = rows.meta_words(incarnation, secret, first_link(incarnation))
        await take(owner, link, server, new)
        meta, requests, snapshots = await _find(owner.keys, reader)
        begins_after, _ = await reader.begin(owner.keys.log, meta.incarnation)
        await _drop_halves(owner, link, snapshots)
    except BaseException:
        await reader.close()
        if link is not None:
            await link.drop()
        raise
    promise = durability(server)
    return Opened(owner, link, reader, promise, meta, requests, snapshots, begins_after)


def dropping(keys: Keys, number: int) -> tuple[Command, Command]:
    """Return the commands that remove what there is of a snapshot."""
    return ("HDEL", keys.snapshots, number), ("UNLINK", keys.pieces(number))


async def _check_not_beheaded(keys: Keys, link: Link) -> None:
    """Raise JournalCorrupt for batches without the key that says whose they are."""
    if await link.call("EXISTS", keys.log) and not await link.call("EXISTS", keys.meta):
        raise JournalCorrupt("it has batches, but does not say who it is")


async def _find(
    keys: Keys, reader: Reader
) -> tuple[rows.Meta, list[tuple[int, RememberedRequest]], dict[int, StoredSnapshot | None]]:
    """Return what there is beside the batches, once it was seen that their end is there.

    Raises JournalCorrupt when something belongs to a later batch, or the last one is missing.
    """
    meta_reply, last, snapshots_reply = await reader.ask(
        ("HMGET", keys.meta, *rows.META_FIELDS),
        ("XREVRANGE", keys.log, "+", "-", "COUNT", 1),
        ("HGETALL", keys.snapshots),
    )
    meta = rows.read_meta(meta_reply)
    if meta is None:
        raise JournalCorrupt("it does not say who it is")
    requests = await _all_requests(keys, reader)
    snapshots = rows.read_snapshots(snapshots_reply)
    end = rows.read_head(last) or (0, first_link(meta.incarnation))
    beside = [one.position for one in snapshots.values() if one is not None]
    mentioned = max([meta.position, *beside, *(request.position for _, request in requests)])
    if mentioned > end[0]:
        raise JournalCorrupt(f"position {mentioned} was written, but is missing", end[0])
    if end != (meta.position, meta.checksum):
        raise JournalCorrupt("the last batch is another one than the last that was appended")
    return meta, requests, snapshots


async def _all_requests(keys: Keys, reader: Reader) -> list[tuple[int, RememberedRequest]]:
    """Return all requests that are not forgotten, in the order of their batches."""
    forgotten, beyond = 0, "-"
    requests: list[tuple[int, RememberedRequest]] = []
    while True:
        command = ("XRANGE", keys.requests, beyond, "+", "COUNT", REQUESTS_AT_ONCE)
        (reply,) = await reader.ask(command)
        through, found = rows.read_requests(reply)
        forgotten = max(forgotten, through)
        requests += found
        positions = [position for position, _ in rows.entries(reply)]
        if len(positions) < REQUESTS_AT_ONCE:
            return [(batch, one) for batch, one in requests if one.position > forgotten]
        beyond = f"({positions[-1]}-0"


async def _drop_halves(
    owner: Owner, link: Link, snapshots: dict[int, StoredSnapshot | None]
) -> None:
    """Remove what is left of snapshots that were never finished."""
    for number in [one for one, stored in snapshots.items() if stored is None]:
        del snapshots[number]
        command = owner.owned_command(*dropping(owner.keys, number))
        owner.done(await link.call(*command))
