"""One connection to Redis: commands go out together, replies come back in their order.

redis-py's own client is left out: it would add a pool, retries, health checks and a reshaping of
replies behind our back, and here it has to be known what was sent and what was answered. A link is
never mended: after a failure or a cancelled caller its state is unknown, so it is dropped and
another one is made. It must not know what the commands mean.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final, Protocol, Self, cast

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from usher.queue.journal.contract import JournalError, JournalFull, JournalUnavailable
from usher.queue.journal.redis_place import Place
from usher.queue.journal.redis_rows import Command, Word

CONNECT_S: Final = 2.0
REPLY_S: Final = 3.0  # a sync on a slow disk takes its time; sending again is harmless

# Redis before 7 puts the code of an error within a script into the middle of its text; redis-py
# takes those that it knows off the front and keeps them as `status_code`.
_CODE: Final = re.compile(r"(?:^|[\s-])(OOM|READONLY|MISCONF|LOADING|NOREPLICAS|BUSY|NOSCRIPT)\b")
_ADVICE: Final = {
    "READONLY": "it is a read-only replica: name the primary",
    "MISCONF": "it cannot write to its disk, and so takes no writes: see its log",
    "LOADING": "it is still loading its data: wait until it has",
    "NOREPLICAS": "it has fewer replicas than its min-replicas-to-write, and so takes no writes",
    "BUSY": "it is busy with a script of somebody else",
    "NOSCRIPT": "it has forgotten the scripts: they will be loaded again",
}


class _Connection(Protocol):
    """What is used of a connection of redis-py, with the types that it lacks."""

    async def connect(self) -> None: ...
    def pack_commands(self, commands: Sequence[Command]) -> list[bytes]: ...
    async def send_packed_command(self, command: list[bytes]) -> None: ...
    async def read_response(self) -> object: ...
    async def disconnect(self, nowait: bool = False) -> None: ...


class Link:
    """A connection that is there, or was. `name` is what CLIENT LIST calls it."""

    def __init__(self, place: Place, name: str) -> None:
        """Use `connect`."""
        self._place = place
        self._connection = _connection(place, name)

    @classmethod
    async def connect(cls, place: Place, name: str) -> Self:
        """Return a link; raise JournalUnavailable, with what to do, when there is none to be had.

        Raises JournalError when Redis does not accept the name and password.
        """
        link = cls(place, name)
        try:
            async with asyncio.timeout(CONNECT_S):
                await link._connection.connect()
        except BaseException as error:
            await link.drop()
            # Over a unix socket redis-py wraps what Redis answered to the greeting.
            said = error.__cause__ if isinstance(error.__cause__, RedisError) else error
            if isinstance(said, AuthenticationError | NoPermissionError):
                raise JournalError(f"{place} does not accept the name and password") from None
            if isinstance(said, ResponseError | BusyLoadingError):
                raise refusal(place, said) from None
            if isinstance(error, RedisError | OSError):
                reason = f"{place} cannot be reached, is Redis running there? {_plain(error)}"
                raise JournalUnavailable(reason) from None
            raise
        return link

    async def send(self, commands: Sequence[Command]) -> None:
        """Send commands in one go; raise JournalUnavailable when the connection is lost."""
        try:
            await self._connection.send_packed_command(self._connection.pack_commands(commands))
        except (RedisError, OSError) as error:
            raise self._lost(error) from None

    async def receive(self) -> object:
        """Return the next reply. Raises what an error reply means, and JournalUnavailable."""
        try:
            return await self._connection.read_response()
        except (ResponseError, BusyLoadingError) as error:
            raise refusal(self._place, error) from None
        except (RedisError, OSError) as error:
            raise self._lost(error) from None

    async def call(self, *command: Word) -> Any:
        """Return the reply to one command; raises as `receive` does."""
        await self.send([command])
        return await self.receive()

    async def drop(self) -> None:
        """Close the connection without a word. May be called twice."""
        try:
            await self._connection.disconnect(nowait=True)
        except (RedisError, OSError):
            return

    def _lost(self, error: Exception) -> JournalUnavailable:
        what = "does not answer" if isinstance(error, TimeoutError) else "is gone"
        return JournalUnavailable(f"{self._place} {what}: {_plain(error)}")


def refusal(place: Place, error: Exception) -> JournalError:
    """Return the journal's error for an error reply of Redis."""
    found = _CODE.search(f"{getattr(error, 'status_code', '')} {error}")
    code = found.group(1) if found else ""
    if code == "OOM":
        return JournalFull(f"{place} is full: raise its maxmemory, or free some")
    if code:
        return JournalUnavailable(f"{place} refuses: {_ADVICE[code]}")
    if isinstance(error, NoPermissionError):
        return JournalError(f"{place}: the user lacks a permission: {_plain(error)}")
    return JournalError(f"{place}: {_plain(error)}")


def _connection(place: Place, name: str) -> _Connection:
    options: dict[str, Any] = {
        "db": place.database,
        "username": place.user or None,
        "password": place.password or None,
        "socket_timeout": REPLY_S,
        "socket_connect_timeout": CONNECT_S,
        "client_name": name,
        "protocol": 2,  # every server has it, and replies come as they are
        "driver_info": None,
    }
    kind: Any = Connection
    if place.scheme == "unix":
        kind, options["path"] = UnixDomainSocketConnection, place.path
    else:
        options |= {"host": place.host, "port": place.port}
    if place.scheme == "rediss":
        kind = SSLConnection
        options |= {"ssl_cert_reqs": "required", "ssl_ca_certs": place.ca or None}
    return cast(_Connection, kind(**options))


def _plain(error: Exception) -> str:
    """Return what was said, in one line of a bearable length."""
    return " ".join(str(error).split())[:200] or type(error).__name__
