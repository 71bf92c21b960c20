"""Where a journal on Redis lies: the address, the pool, the names of its keys. Pure.

    redis://[user:password@]host[:port][/database][?pool=tenant/pool]
    rediss://...  the same over TLS; ?ca=FILE names the authority that signed the server's key
    unix://[user:password@]/path/of/the/socket[?db=n&pool=tenant/pool]

It must not know redis-py. A password never gets into a text that is shown: see `masked`.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from usher.queue.journal.contract import JournalError

POOL: Final = "default/main"
PORT: Final = 6379
FORMS: Final = "redis://host:6379/0?pool=default/main, rediss://... or unix:///path?db=0"

_POOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,64}")
_OPTIONS: Final = {
    "redis": {"pool"},
    "rediss": {"pool", "ca"},
    "unix": {"pool", "db"},
}
_SECRET: Final = re.compile(r"(?<=://).*@", re.DOTALL)


class _Wrong(ValueError):
    """What is wrong with an address, in words that hold nothing of it."""


class Place(Struct, frozen=True):
    """A Redis and a pool on it. As text: the address without name and password."""

    scheme: str
    host: str = ""
    port: int = PORT
    path: str = ""  # of the socket
    database: int = 0
    user: str = ""
    password: str = ""
    ca: str = ""
    pool: str = POOL

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.path}?db={self.database}&pool={self.pool}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{self.database}?pool={self.pool}"

    def __repr__(self) -> str:
        return f"Place({self})"


class Keys(NamedTuple):
    """The keys of one pool, described in append.lua and redis_rows.py; all lie in one slot."""

    meta: str
    log: str
    requests: str
    private: str
    snapshots: str
    ended: str
    retired: str

    def pieces(self, number: int) -> str:
        """Return the key of the pieces of one snapshot: a list."""
        return f"{self.snapshots[:-1]}:{number}"


def keys_of(pool: str) -> Keys:
    """Return the names of a pool's keys."""
    return Keys(*(f"usher:{{{pool}}}:{name}" for name in Keys._fields))


def read_place(url: str) -> Place:
    """Return what an address names; raise JournalError, without its password, for a wrong one."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in _OPTIONS:
            raise _Wrong(f"expected {FORMS}")
        return _place(parts, _options(parts))
    except _Wrong as error:
        raise JournalError(f"{masked(url)} is no address of a journal: {error}") from None
    except ValueError:  # its text may hold a part of the password
        advice = "special characters in a password are written as %XX"
        raise JournalError(f"{masked(url)} is no address of a journal: {advice}") from None


def missing(error: ModuleNotFoundError) -> JournalError:
    """Return what to say where redis-py is not installed."""
    advice = "pip install 'usher-router[redis]'"
    return JournalError(f"a journal on Redis needs {error.name}: {advice}")


def masked(url: str) -> str:
    """Return an address, right or wrong, without the name and password in it."""
    return _SECRET.sub("***@", url)


def _options(parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    options = dict(pairs)
    unknown = sorted(set(options) - _OPTIONS[parts.scheme])
    if unknown or len(options) < len(pairs):
        known = ", ".join(sorted(_OPTIONS[parts.scheme]))
        raise _Wrong(f"options are {known}, each at most once")
    if not _POOL_NAME.fullmatch(options.setdefault("pool", POOL)):
        raise _Wrong("a pool is named tenant/pool, with letters, digits, _ and -")
    return options


def _place(parts: SplitResult, options: dict[str, str]) -> Place:
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user and not password:
        raise _Wrong("a user needs a password; a password alone is :password@")
    place = Place(parts.scheme, user=user, password=password, pool=options["pool"])
    if parts.scheme == "unix":
        if parts.hostname or not parts.path:
            raise _Wrong("expected unix:///path")
        database = _database(options.get("db", "0"))
        return replace(place, path=unquote(parts.path), database=database)
    if not parts.hostname:
        raise _Wrong("the host is missing")
    return replace(
        place,
        host=parts.hostname,
        port=PORT if parts.port is None else parts.port,
        database=_database(parts.path.strip("/") or "0"),
        ca=options.get("ca", ""),
    )


def _database(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise _Wrong("the database is a whole number")
    return int(text)
