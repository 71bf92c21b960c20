"""Reads a journal on Redis from the first batch to the last; it owns nothing and writes nothing.

A server may go on with it meanwhile: what comes after the opening is not read. It never looks at
private fields or remembered requests. It must not know the pool.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from usher.queue.journal import redis_rows as rows
from usher.queue.journal.contract import JournalCorrupt, JournalError, StoredBatch
from usher.queue.journal.redis_place import Keys, keys_of, read_place
from usher.queue.journal.redis_reader import Reader
from usher.queue.journal.redis_rows import Meta

Pages = AsyncGenerator[list[StoredBatch], None]


class RedisReading:
    """A journal on Redis that is open for reading. Made by `reading`."""

    def __init__(self, place: str, keys: Keys, runner: asyncio.Runner, reader: Reader) -> None:
        self.place = place
        self._keys = keys
        self._runner = runner
        self._reader = reader
        meta = runner.run(self._meta())
        self.incarnation, self.position = meta.incarnation, meta.position
        self.begin = runner.run(reader.begin(keys.log, meta.incarnation))

    def batches(self) -> Iterator[StoredBatch]:
        """Yields the batches behind `begin` up to where the journal was when it was opened.

        Raises JournalCorrupt at the first that does not continue the chain, or if the last ones
        are missing.
        """
        pages = self._reader.batches(self._keys.log, self.begin)
        last = self.begin[0]
        try:
            while last < self.position:
                page = self._runner.run(_next(pages))
                for batch in page:
                    if batch.position <= self.position:
                        yield batch
                    last = batch.position
                if not page:
                    raise JournalCorrupt(f"the batches up to {self.position} are missing", last)
        finally:
            self._runner.run(_close(pages))

    async def _meta(self) -> Meta:
        reply, log = await self._reader.ask(
            ("HMGET", self._keys.meta, *rows.META_FIELDS), ("EXISTS", self._keys.log)
        )
        meta = rows.read_meta(reply)
        if meta is None and log:
            raise JournalCorrupt("it has batches, but does not say who it is")
        if meta is None:
            raise JournalError(f"{self.place}: there is no journal")
        return meta


@contextmanager
def reading(url: str) -> Iterator[RedisReading]:
    """Opens the journal at an address; raises JournalError, JournalUnavailable, JournalCorrupt."""
    place = read_place(url)
    with asyncio.Runner() as runner:
        reader = Reader(place)
        try:
            yield RedisReading(str(place), keys_of(place.pool), runner, reader)
        finally:
            runner.run(reader.close())


async def _next(pages: Pages) -> list[StoredBatch]:
    return await anext(pages, [])


async def _close(pages: Pages) -> None:
    await pages.aclose()
