"""The journal on Redis (6.2 or newer) or Valkey: one pool's keys in one slot, a script per write.

    usher:{<pool>}:meta          hash    who the journal is, who owns it, where it ends
    usher:{<pool>}:log           stream  the batches, ids `<position>-0`
    usher:{<pool>}:requests      stream  remembered requests, one entry per batch, same ids
    usher:{<pool>}:private       hash    private fields by contact
    usher:{<pool>}:snapshots     hash    the snapshots that there are
    usher:{<pool>}:snapshot:<n>  list    the pieces of one
    usher:{<pool>}:ended         hash    last states of contacts that have left the pool
    usher:{<pool>}:retired       stream  who left with which batch, same ids

    append, deletes, snapshots -> Writer (one connection, one script each) -> the caller goes on
    read, request, private, latest_snapshot -> Reader (another connection)

Fields are told in append.lua and redis_rows.py. It must not know the codec or the pool.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Final, Self

from usher.queue.journal import redis_rows as rows
from usher.queue.journal.chain import SnapshotSum, first_link
from usher.queue.journal.contract import (
    SNAPSHOTS_KEPT,
    Batch,
    JournalClosed,
    JournalCorrupt,
    JournalError,
    JournalTrimmed,
    PositionConflict,
    RememberedRequest,
    Snapshot,
    StoredBatch,
    check_batch,
    check_trim,
    each_piece,
)
from usher.queue.journal.redis_opening import Opened, dropping, opened
from usher.queue.journal.redis_owner import SILENT_S
from usher.queue.journal.redis_rows import Command, Head, StoredSnapshot
from usher.queue.journal.redis_writer import Append, Call, Writer
from usher.queue.journal.remembered import RememberedIds

NAMES_AT_ONCE: Final = 1_000
PIECES_AT_ONCE: Final = 4
RETIRED_AT_ONCE: Final = 100  # batches of them


class RedisJournal:
    """A journal on Redis. Made by `RedisJournal.open`."""

    def __init__(self, found: Opened) -> None:
        """Use `open`; this takes over what was opened."""
        self.incarnation = found.meta.incarnation
        self.secret = found.meta.secret
        self.durability = found.durability
        self.begins_after = found.begins_after
        self._keys = found.owner.keys
        self._ids = RememberedIds()
        self._batch_of: dict[str, int] = {}  # position of the batch by remembered id
        self._snapshots = found.snapshots
        self._last_number = max(found.snapshots, default=0)  # no number is used again
        self._closing: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._reader = found.reader
        head = found.meta.position, found.meta.checksum
        self._writer = Writer(found.owner, found.link, head, self._take_in)
        for position, request in found.requests:
            self._remember(position, (request,))

    @classmethod
    async def open(cls, url: str, *, silent_s: int = SILENT_S) -> Self:
        """Open or create the journal at the address and become its owner.

        An owner that said nothing for `silent_s` counts as gone. Raises JournalLocked,
        JournalUnavailable, JournalFull, JournalCorrupt, or JournalError for an address, a password
        or a Redis that will not do.
        """
        return cls(await opened(url, silent_s))

    @property
    def position(self) -> int:
        """See Journal.position."""
        return self._writer.head[0]

    async def append(self, expected_position: int, batch: Batch) -> None:
        """See Journal.append."""
        self._check_usable()
        check_batch(expected_position, batch)
        future: asyncio.Future[None] = self._loop.create_future()
        self._writer.put(Append(future, expected_position, batch))
        await future

    async def read(self, after: int) -> AsyncIterator[StoredBatch]:
        """See Journal.read."""
        self._check_usable()
        if after < self.begins_after:
            raise JournalTrimmed(self.begins_after)
        target, head = self.position, await self._head_at(after)
        last = head[0]
        async with aclosing(self._reader.batches(self._keys.log, head)) as pages:
            async for batches in pages:
                for batch in batches:
                    yield batch
                    last = batch.position
        if last < target:
            raise JournalCorrupt(f"the batches up to {target} are missing", last)

    async def request(self, request_id: str) -> RememberedRequest | None:
        """See Journal.request."""
        self._check_usable()
        position, batch = self._ids.position(request_id), self._batch_of.get(request_id)
        if position is None or batch is None:
            return None
        (reply,) = await self._ask(("XRANGE", self._keys.requests, f"{batch}-0", f"{batch}-0"))
        for _, request in rows.read_requests(reply)[1]:
            if request.request_id == request_id and request.position == position:
                return request
        return None

    async def request_ids(self) -> dict[str, tuple[int, int]]:
        """See Journal.request_ids."""
        self._check_usable()
        return self._ids.places()

    async def private(self, contact_ids: Sequence[str]) -> dict[str, bytes]:
        """See Journal.private."""
        self._check_usable()
        found: dict[str, bytes] = {}
        for names in _portions(contact_ids):
            (reply,) = await self._ask(("HMGET", self._keys.private, *names))
            found |= rows.read_private(names, reply)
        return found

    async def delete_private(self, contact_ids: Sequence[str]) -> None:
        """See Journal.delete_private. What was in the append-only file goes with its rewrite."""
        self._check_usable()
        for names in _portions(contact_ids):
            await self._write(("HDEL", self._keys.private, *names))

    async def write_snapshot(
        self, position: int, version: int, pieces: AsyncIterable[bytes] | Iterable[bytes]
    ) -> None:
        """See Journal.write_snapshot."""
        self._check_usable()
        if position > self.position:
            raise PositionConflict(position, self.position)
        self._last_number += 1
        number = self._last_number
        self._snapshots[number] = None
        try:
            clear = "UNLINK", self._keys.pieces(number)
            await self._write(("HSET", self._keys.snapshots, number, b""), clear)
            stored = await self._add_pieces(number, position, version, pieces)
            row = rows.snapshot_row(stored)
            await self._write(("HSET", self._keys.snapshots, number, row))
        except BaseException:
            # What was begun is of no use. Nobody waits for its removal: a snapshot without its
            # row does not count, and the next start removes it too.
            del self._snapshots[number]
            self._write_unwatched(*dropping(self._keys, number))
            raise
        self._snapshots[number] = stored
        whole = sorted(one for one, known in self._snapshots.items() if known is not None)
        for old in whole[:-SNAPSHOTS_KEPT]:
            del self._snapshots[old]
            await self._write(*dropping(self._keys, old))

    async def latest_snapshot(self) -> Snapshot | None:
        """See Journal.latest_snapshot."""
        self._check_usable()
        for number in sorted(self._snapshots, reverse=True):
            stored = self._snapshots[number]
            if stored is None:
                continue
            pieces, total = await self._pieces(number, stored)
            if len(pieces) == stored.pieces and total == stored.checksum:
                return Snapshot(stored.position, stored.version, pieces)
        return None

    async def covered_position(self) -> int:
        """See Journal.covered_position."""
        self._check_usable()
        whole = [one for _, one in sorted(self._snapshots.items()) if one is not None]
        kept = [one.position for one in whole[-SNAPSHOTS_KEPT:]]
        return min(kept) if len(kept) == SNAPSHOTS_KEPT else 0

    async def trim(self, through: int) -> None:
        """See Journal.trim."""
        self._check_usable()
        if through <= self.begins_after:
            return
        end = f"{through}-0"
        (reply,) = await self._ask(("XRANGE", self._keys.log, end, end))
        ends_there = bool(rows.entries(reply))
        check_trim(through, await self.covered_position(), ends_there=ends_there)
        await self._trim_ended(through)
        await self._write(("XTRIM", self._keys.log, "MINID", "=", end))
        self.begins_after = max(self.begins_after, through)

    async def ended(self, contact_id: str) -> bytes | None:
        """See Journal.ended."""
        self._check_usable()
        (reply,) = await self._ask(("HGET", self._keys.ended, contact_id))
        return None if reply is None else rows.read_ended(contact_id, reply)[1]

    def listen(self, listener: Callable[[JournalError | None], None]) -> None:
        """See Journal.listen."""
        self._writer.listener = listener

    def sync_times_ms(self) -> list[float]:
        """Return how long the last appends took: the way to Redis, its sync, the way back."""
        return list(self._writer.sync_times_ms)

    async def close(self) -> None:
        """See Journal.close."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    # --- on the loop -----------------------------------------------------------------------

    def _take_in(self, batch: Batch) -> None:
        """Remember what an acknowledged append brought (called by the writer)."""
        if batch.requests:
            self._remember(self.position, batch.requests)
        if batch.forget_requests_through:
            for name in self._ids.forget_through(batch.forget_requests_through):
                del self._batch_of[name]

    def _remember(self, batch_position: int, requests: Sequence[RememberedRequest]) -> None:
        self._ids.remember(requests)
        for request in requests:
            self._batch_of[request.request_id] = batch_position

    async def _head_at(self, after: int) -> Head:
        """Return the last batch that ends at `after` or before: a read begins behind it."""
        upto = f"{after}-0"
        (reply,) = await self._ask(("XREVRANGE", self._keys.log, upto, "-", "COUNT", 1))
        return rows.read_head(reply) or (0, first_link(self.incarnation))

    async def _ask(self, *commands: Command) -> list[object]:
        return await self._reader.ask(*commands)

    async def _write(self, *commands: Command) -> object:
        self._check_usable()
        return await self._write_unwatched(*commands)

    def _write_unwatched(self, *commands: Command) -> "asyncio.Future[object]":
        future: asyncio.Future[object] = self._loop.create_future()
        future.add_done_callback(_taken_note_of)
        self._writer.put(Call(future, commands))
        return future

    async def _add_pieces(
        self,
        number: int,
        position: int,
        version: int,
        pieces: AsyncIterable[bytes] | Iterable[bytes],
    ) -> StoredSnapshot:
        """Write the pieces one by one; return what stands for the whole."""
        total, count = SnapshotSum(position, version), 0
        async for content in each_piece(pieces):
            total.add(content)
            await self._write(("RPUSH", self._keys.pieces(number), content))
            count += 1
        return StoredSnapshot(position, version, count, total.digest())

    async def _trim_ended(self, through: int) -> None:
        """Drop who had ended by then. An id that was used again stays until its last batch goes."""
        keys, last = self._keys, f"{through}-0"
        while True:
            command = ("XRANGE", keys.retired, "-", last, "COUNT", RETIRED_AT_ONCE)
            (reply,) = await self._ask(command)
            names, upto = rows.read_retired(reply)
            if not upto:
                return
            gone: list[str] = []
            for some in _portions(names):
                (states,) = await self._ask(("HMGET", keys.ended, *some))
                gone += rows.ended_by(through, some, states)
            drops = [("HDEL", keys.ended, *some) for some in _portions(gone)]
            await self._write(*drops, ("XTRIM", keys.retired, "MINID", "=", f"{upto + 1}-0"))

    async def _pieces(self, number: int, stored: StoredSnapshot) -> tuple[tuple[bytes, ...], bytes]:
        """Return the pieces of a snapshot as they are stored, and their checksum."""
        key, pieces = self._keys.pieces(number), list[bytes]()
        total = SnapshotSum(stored.position, stored.version)
        for first in range(0, stored.pieces, PIECES_AT_ONCE):
            last = first + PIECES_AT_ONCE - 1
            (reply,) = await self._ask(("LRANGE", key, first, last))
            for piece in rows.listed(reply):
                pieces.append(rows.text(piece))
                total.add(pieces[-1])
        return tuple(pieces), total.digest()

    def _check_usable(self) -> None:
        if self._closing is not None:
            raise JournalClosed("the journal is closed")
        if self._writer.refusal is not None:
            raise self._writer.refusal.with_traceback(None)

    async def _close(self) -> None:
        """Close in reverse order of opening."""
        await self._writer.stop()
        await self._reader.close()


def _portions(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[at : at + NAMES_AT_ONCE] for at in range(0, len(names), NAMES_AT_ONCE)]


def _taken_note_of(future: "asyncio.Future[object]") -> None:
    if not future.cancelled():
        future.exception()  # nobody may be waiting any more
