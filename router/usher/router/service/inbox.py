"""Submissions that wait to be executed, and those executed that wait for their sync.

The inbox counts contacts, not submissions: a batch of a thousand is a thousand. A submission whose
callers have all gone is passed over. It must not know the pool or the journal.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from usher.queue.commands import AnyCommand, EnqueueContacts
from usher.queue.events import AnyEvent
from usher.queue.journal.contract import PrivateFields
from usher.router.pool import Pool
from usher.router.service.unavailable import InboxFull

RETRY_MS = 200


class Submission(Struct, frozen=True):
    """A command on its way to the pool.

    `request_id` is empty for commands of the server itself only: nothing is remembered of those.
    `digest` tells an altered request under the same id. `answer` is called once the whole batch was
    executed, with the events of this command, and returns the encoded answer.
    """

    command: AnyCommand
    request_id: str
    digest: bytes
    private: tuple[PrivateFields, ...]
    answer: Callable[[Pool, tuple[AnyEvent, ...]], bytes]


def no_answer(_pool: Pool, _events: tuple[AnyEvent, ...]) -> bytes:
    """Returns the answer of commands whose submitter wants none."""
    return b""


class Entry:
    """One submission with those who wait for its outcome."""

    __slots__ = ("answer", "contacts", "position", "submission", "waiters")

    def __init__(self, submission: Submission) -> None:
        command = submission.command
        self.submission = submission
        self.contacts = len(command.contacts) if isinstance(command, EnqueueContacts) else 1
        self.waiters: list[asyncio.Future[bytes]] = []
        self.position = 0  # of its record, once executed
        self.answer = b""

    def join(self) -> asyncio.Future[bytes]:
        """Returns a future of the outcome, one per caller: any of them may be cancelled."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.waiters.append(future)
        return future

    @property
    def forsaken(self) -> bool:
        """Returns whether nobody waits any more."""
        return all(waiter.done() for waiter in self.waiters)

    def succeed(self) -> None:
        """Gives the answer to all who wait."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(self.answer)

    def fail(self, error: Exception) -> None:
        """Gives the error to all who wait."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_exception(error)


class Inbox:
    """A bounded line of entries, and the entries under way by request id."""

    def __init__(self, contacts_max: int) -> None:
        self._contacts_max = contacts_max
        self._line: deque[Entry] = deque()
        self._under_way: dict[str, Entry] = {}
        self.contacts = 0

    def __len__(self) -> int:
        return len(self._line)

    def under_way(self, request_id: str) -> Entry | None:
        """Returns the entry of this id that has no outcome yet."""
        return self._under_way.get(request_id)

    def put(self, submission: Submission) -> Entry:
        """Adds a submission; raises InboxFull, but takes what the server itself submits."""
        entry = Entry(submission)
        contacts = self.contacts + entry.contacts
        if contacts > self._contacts_max and submission.request_id:
            raise InboxFull(f"{self.contacts} contacts are waiting to be executed", RETRY_MS)
        self.contacts = contacts
        self._line.append(entry)
        if submission.request_id:
            self._under_way[submission.request_id] = entry
        return entry

    def take(self, room: int, contacts_max: int) -> list[Entry]:
        """Returns the next entries, together at most `room` contacts of `contacts_max` in all.

        One that is larger than `contacts_max` is taken alone, when all the room is free.
        """
        taken: list[Entry] = []
        while self._line:
            entry = self._line[0]
            alone = entry.contacts > contacts_max == room
            if entry.forsaken:
                self.leave(entry)
            elif entry.contacts <= room or alone:
                taken.append(entry)
                room -= entry.contacts
            else:
                break
            self._line.popleft()
            self.contacts -= entry.contacts
        return taken

    def take_all(self) -> list[Entry]:
        """Returns all entries that have not been executed."""
        entries = list(self._line)
        self._line.clear()
        self.contacts = 0
        return entries

    def leave(self, entry: Entry) -> None:
        """The entry has its outcome: its id is free again, or remembered elsewhere."""
        if entry.submission.request_id:
            self._under_way.pop(entry.submission.request_id, None)
