"""What kind of Redis this is: may a journal lie on it, and what does it promise?

    INFO, CONFIG GET -> Server -> checked -> a line on durability

Pure but for `look`. It must not know the keys of a journal.
"""

from typing import Final

from msgspec import Struct

from usher.queue.journal.contract import JournalError, JournalUnavailable
from usher.queue.journal.redis_link import Link

OLDEST: Final = (6, 2)
UNKNOWN: Final = "unknown"

_SYNCS: Final = {
    "always": "every acknowledged append survives a kill and a power cut of Redis",
    "everysec": "a power cut of Redis may lose the last second or two of acknowledged appends",
    "no": "a power cut of Redis may lose the last half minute or so of acknowledged appends",
    UNKNOWN: "how often it syncs is unknown (CONFIG GET is not allowed)",
}
_ENGINES: Final = (("valkey_version", "Valkey"), ("redis_version", "Redis"))


class Server(Struct, frozen=True):
    """What a Redis says of itself. `appendfsync` and `save` may be UNKNOWN."""

    engine: str
    version: str
    speaks: str  # the version of Redis whose commands it has
    mode: str
    role: str
    loading: bool
    evicts: str
    up_s: int
    replicas: int
    append_only: bool
    appendfsync: str = UNKNOWN
    save: str = UNKNOWN


async def look(link: Link) -> Server:
    """Return what the server says of itself; raises what a lost link raises."""
    info = parsed(await link.call("INFO"))
    settings: dict[str, str] = {}
    for name in ("appendfsync", "save"):
        try:
            reply = await link.call("CONFIG", "GET", name)
        except JournalUnavailable:
            raise
        except JournalError:  # not allowed, as with most hosted ones
            continue
        if isinstance(reply, list) and len(reply) == 2:
            settings[name] = bytes(reply[1]).decode(errors="replace")
    return server_of(info, settings)


def parsed(info: bytes) -> dict[str, str]:
    """Return the lines of INFO by name."""
    lines = info.decode(errors="replace").splitlines()
    return {name: value for name, found, value in (line.partition(":") for line in lines) if found}


def server_of(info: dict[str, str], settings: dict[str, str]) -> Server:
    """Return what INFO and CONFIG GET say; what is not told counts as the harmless value."""
    speaks = info.get("redis_version", "")
    engine, version = next(
        ((name, info[field]) for field, name in _ENGINES if field in info), ("Redis", "")
    )
    cluster = info.get("cluster_enabled", "0") == "1"
    mode = info.get("redis_mode", info.get("server_mode", "standalone"))
    return Server(
        engine=engine,
        version=version,
        speaks=speaks,
        mode="cluster" if cluster else mode,
        role=info.get("role", "master"),
        loading=info.get("loading", "0") == "1",
        evicts=info.get("maxmemory_policy", "noeviction"),
        up_s=_whole(info.get("uptime_in_seconds", "")),
        replicas=_whole(info.get("connected_slaves", "")),
        append_only=info.get("aof_enabled", "0") == "1",
        appendfsync=settings.get("appendfsync", UNKNOWN),
        save=settings.get("save", UNKNOWN),
    )


def check(place: object, server: Server) -> None:
    """Raise JournalError for a server that no journal may lie on: why, and what to do.

    JournalUnavailable is raised for what passes.
    """
    if server.mode == "sentinel":
        raise JournalError(f"{place} is a Sentinel: name the primary that it watches")
    if server.mode == "cluster":
        raise JournalError(f"{place} is part of a cluster: use a Redis with cluster-enabled no")
    if _numbers(server.speaks) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        said = server.speaks or "of an unknown version"
        raise JournalError(f"{place} is Redis {said}: {oldest} or newer is needed")
    if server.role != "master":
        raise JournalUnavailable(f"{place} is a read-only replica: name the primary")
    if server.loading:
        raise JournalUnavailable(f"{place} is still loading its data: wait until it has")
    if server.evicts != "noeviction":
        raise JournalError(
            f"{place} has maxmemory-policy {server.evicts}, under which it may throw the journal"
            f" away: set it to noeviction"
        )


def durability(server: Server) -> str:
    """Return one line: what an acknowledged append survives."""
    name = f"{server.engine} {server.version}"
    if server.append_only:
        promise = _SYNCS.get(server.appendfsync, _SYNCS[UNKNOWN])
        kept = f"appendonly, appendfsync={server.appendfsync}: {promise}"
    elif server.save == "":
        kept = "no appendonly, no save: nothing survives an end of Redis"
    else:
        kept = "no appendonly: an end of Redis may lose all since its last save, often minutes"
    if not server.replicas:
        return f"{name}, {kept}"
    behind = "a failover to one may lose the last acknowledged appends"
    return f"{name}, {kept}; replicas: {server.replicas}, {behind}"


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading whole numbers of a version; none of what is no version."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0
