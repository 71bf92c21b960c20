"""The reading side of a journal on Redis: a connection of its own, one exchange at a time.

A read has no effect, so after a lost connection it is made once more. It must not know who owns
the journal.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from usher.queue.journal import redis_rows as rows
from usher.queue.journal.chain import first_link
from usher.queue.journal.contract import JournalError, JournalUnavailable, StoredBatch
from usher.queue.journal.redis_link import Link
from usher.queue.journal.redis_place import Place
from usher.queue.journal.redis_rows import Command, Head

READ_BYTES_MOST: Final = 4 << 20  # of bodies in one reply: Redis serves nobody else meanwhile
BATCHES_FIRST: Final = 16
BATCHES_MOST: Final = 4_000


class Reader:
    """Asks over a connection that is made when it is needed."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._link: Link | None = None
        self._was_let_in = False
        self._turn = asyncio.Lock()
        self._asking: set[asyncio.Task[list[object]]] = set()

    async def ask(self, *commands: Command) -> list[object]:
        """Return the replies. Raises JournalUnavailable, and what an error reply means."""
        # In a task: a caller that is cancelled must not leave replies in the connection.
        task = asyncio.get_running_loop().create_task(self._ask(commands))
        self._asking.add(task)
        task.add_done_callback(self._asked)
        return await asyncio.shield(task)

    async def begin(self, log: str, incarnation: str) -> Head:
        """Return the position and checksum behind which reads may begin: see JournalTrimmed.

        A trimmed journal begins with the last batch that was archived.
        """
        (reply,) = await self.ask(("XRANGE", log, "-", "+", "COUNT", 1))
        return rows.read_begin(reply) or (0, first_link(incarnation))

    async def batches(self, log: str, head: Head) -> AsyncGenerator[list[StoredBatch], None]:
        """Yield the batches of the log that follow `head`, some at a time, to its end.

        Raises JournalCorrupt at the first that does not continue the chain.
        """
        count = BATCHES_FIRST
        while True:
            beyond = f"({head[0]}-0" if head[0] else "-"
            (reply,) = await self.ask(("XRANGE", log, beyond, "+", "COUNT", count))
            batches, head = rows.read_batches(reply, head)
            yield batches
            if len(batches) < count:
                return
            size_bytes = sum(len(batch.body) for batch in batches) + 1
            count = max(1, min(BATCHES_MOST, READ_BYTES_MOST * len(batches) // size_bytes))

    async def close(self) -> None:
        """Close the connection once what was asked is answered."""
        while self._asking:
            await asyncio.wait(self._asking)
        await self._drop()

    def _asked(self, task: "asyncio.Task[list[object]]") -> None:
        self._asking.discard(task)
        if not task.cancelled():
            task.exception()  # taken note of: the caller may be gone

    async def _ask(self, commands: Sequence[Command]) -> list[object]:
        async with self._turn:
            try:
                return await self._exchange(commands)
            except JournalUnavailable:
                await self._drop()
            try:
                return await self._exchange(commands)
            except BaseException:
                await self._drop()
                raise

    async def _exchange(self, commands: Sequence[Command]) -> list[object]:
        if self._link is None:
            self._link = await self._connected()
        await self._link.send(commands)
        return [await self._link.receive() for _ in commands]

    async def _connected(self) -> Link:
        """Return a new link. Who was let in once is refused for a time only: JournalUnavailable."""
        try:
            link = await Link.connect(self._place, f"usher-reader:{self._place.pool}")
        except JournalError as error:
            if self._was_let_in and type(error) is JournalError:  # a password was changed, say
                raise JournalUnavailable(str(error)) from None
            raise
        self._was_let_in = True
        return link

    async def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.drop()
