"""Who may write to a journal on Redis: taking it, holding it, finding that it is held.

    connect under the name of a new token -> is a server with the token in meta connected?
        yes -> JournalLocked      no -> the new token into meta, if the old one still stands there

A token is in meta only after the connection that is named after it, so whoever reads a token can
tell whether its server lives. No clock decides: a server that was taken for dead and comes back has
the wrong token, and each of its scripts is refused. It must not know batches.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha1
from pathlib import Path
from typing import Final, NamedTuple

from usher.queue.journal.contract import (
    JournalBroken,
    JournalError,
    JournalFull,
    JournalLocked,
    JournalTaken,
)
from usher.queue.journal.redis_link import Link
from usher.queue.journal.redis_place import Keys, Place
from usher.queue.journal.redis_rows import Command, Head, Word, listed, number, owned_words, text
from usher.queue.journal.redis_server import Server, check, look

SETTLE_S: Final = 3  # so long after its own start Redis may not have its clients back yet
LOOK_AGAIN_S: Final = 0.2
SILENT_S: Final = 30  # an owner says something every second; its machine may be gone

APPEND: Final = Path(__file__).with_name("append.lua").read_text(encoding="utf-8")
OWNED: Final = Path(__file__).with_name("owned.lua").read_text(encoding="utf-8")
APPEND_SHA: Final = sha1(APPEND.encode(), usedforsecurity=False).hexdigest()
OWNED_SHA: Final = sha1(OWNED.encode(), usedforsecurity=False).hexdigest()


class Owner(NamedTuple):
    """One server on one pool."""

    place: Place
    keys: Keys
    token: str
    silent_s: int = SILENT_S

    @property
    def name(self) -> str:
        """Return what its connection is called."""
        return _name(self.place, self.token)

    def append_command(self, words: Sequence[Word]) -> Command:
        """Return the call of append.lua."""
        keys = self.keys
        named = (keys.meta, keys.log, keys.requests, keys.private, keys.ended, keys.retired)
        return ("EVALSHA", APPEND_SHA, len(named), *named, self.token, *words)

    def owned_command(self, *commands: Command, token: str | None = None) -> Command:
        """Return the call of owned.lua; each command begins with its name and its key."""
        keys = list(dict.fromkeys([self.keys.meta, *(str(command[1]) for command in commands)]))
        held = self.token if token is None else token
        return ("EVALSHA", OWNED_SHA, len(keys), *keys, held, *owned_words(commands))

    def done(self, reply: object) -> object:
        """Return the reply within what owned.lua answered.

        Raises JournalTaken and JournalBroken when this server is the owner no more.
        """
        said, *rest = listed(reply)
        if said == b"done":
            return rest[0] if rest else None
        raise self.over(said, rest)

    def over(self, said: object, rest: Sequence[object]) -> JournalError:
        """Return why this server is the owner no more: the script said `taken` or `gone`."""
        if said == b"taken":
            by = text(rest[0]).decode(errors="replace") if rest else ""
            return JournalTaken(f"{self.place} was taken over by {by or 'another server'}")
        if said == b"gone":
            return JournalBroken(f"{self.place} has lost the journal: Redis came back without it")
        return JournalBroken(f"{self.place}: a script answered {said!r}")


async def connected(owner: Owner) -> tuple[Link, Server]:
    """Return a link under the owner's name to a server that was looked at; scripts are loaded.

    Raises JournalUnavailable or JournalError.
    """
    link = await Link.connect(owner.place, owner.name)
    try:
        await link.call("PING")  # the first to be refused while nothing is written to disk
        server = await look(link)
        check(owner.place, server)
        for script in (APPEND, OWNED):
            await link.call("SCRIPT", "LOAD", script)
    except BaseException:
        await link.drop()
        raise
    return link, server


async def connected_again(owner: Owner) -> tuple[Link, Head]:
    """Return a link for who owns the journal already, and where the journal ends there.

    It takes writes, if there is room. Raises JournalTaken or JournalBroken when it is the owner no
    more, JournalCorrupt when no end is told, else as `connected` does.
    """
    link, _ = await connected(owner)
    meta = owner.keys.meta
    try:
        with suppress(JournalFull):  # an append will say so
            said = owner.owned_command(("HSET", meta, "owner", _who()))
            owner.done(await link.call(*said))
        asked = owner.owned_command(("HMGET", meta, "position", "checksum"))
        position, checksum = map(text, listed(owner.done(await link.call(*asked))))
        return link, (number(position), checksum)
    except BaseException:
        await link.drop()
        raise


async def take(owner: Owner, link: Link, server: Server, new: Sequence[Word]) -> None:
    """Make this server the owner; `new`: the fields of meta, for a journal that is not there yet.

    Raises JournalLocked while another one is connected, or was quicker.
    """
    former, who = await _former(owner, link)
    up_s = float(server.up_s)
    while who:
        await _check_gone(owner, link, former, who)
        if up_s >= SETTLE_S:
            break
        await asyncio.sleep(LOOK_AGAIN_S)
        up_s += LOOK_AGAIN_S
    fields: list[Word] = ["token", owner.token, "owner", _who(), *([] if former else new)]
    command = owner.owned_command(("HSET", owner.keys.meta, *fields), token=former)
    try:
        owner.done(await link.call(*command))
    except JournalTaken:
        raise JournalLocked(str(owner.place), "") from None


async def release(owner: Owner, link: Link) -> None:
    """Say that the owner has gone of itself: the next one need not wait for it to come back."""
    command = owner.owned_command(("HSET", owner.keys.meta, "owner", ""))
    owner.done(await link.call(*command))


async def _former(owner: Owner, link: Link) -> tuple[str, str]:
    """Return the token in meta and who wrote it; '' for none, or for one that has released it."""
    fields = listed(await link.call("HMGET", owner.keys.meta, "token", "owner"))
    token, who = ("" if one is None else text(one).decode(errors="replace") for one in fields)
    return token, who


async def _check_gone(owner: Owner, link: Link, former: str, who: str) -> None:
    """Raise JournalLocked if a server with this token is connected and not silent."""
    name = _name(owner.place, former).encode()
    for line in text(await link.call("CLIENT", "LIST")).splitlines():
        fields = dict(word.partition(b"=")[::2] for word in line.split(b" "))
        if fields.get(b"name") == name and number(fields[b"idle"]) < owner.silent_s:
            address = fields.get(b"addr", b"").decode(errors="replace")
            raise JournalLocked(str(owner.place), f"{who}, connected from {address}")


def _name(place: Place, token: str) -> str:
    return f"usher:{place.pool}:{token}"


def _who() -> str:
    return f"{os.getpid()} on {socket.gethostname()}"
