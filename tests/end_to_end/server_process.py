"""A real `usher serve` in its own process: start it, wait until it serves, kill or stop it.

Always the same folder and port, so that a server can be started again on its journal. Its standard
error goes to `<folder>/server.log`; a server that does not come up is told with that log's end.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

USHER = (sys.executable, "-m", "usher.router.service.entry", "serve")
START_LIMIT_S = 30.0
LOG_TAIL_BYTES = 4_000

# Not min_reconnect_backoff_ms: it also limits how long a connection attempt may take, and a stalled
# machine needs more than the 20 ms that would suit a repeat.
CHANNEL_OPTIONS = (
    ("grpc.enable_retries", 0),  # a caller's repeat is the test's own business
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 50),
    ("grpc.use_local_subchannel_pool", 1),  # no memory of an earlier server's refusals
)


class ServerDied(Exception):
    """The process ended, or did not serve in time; the message holds the end of its log."""


class ServerProcess:
    """One server on `folder`, with `policy` and `roster` as texts of TOML.

    `command` is what is run before the flags; `environment` is added to this process's own.
    """

    def __init__(
        self,
        folder: Path,
        policy: str,
        roster: str,
        *,
        command: Sequence[str] = USHER,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.log = folder / "server.log"
        self.target = f"127.0.0.1:{free_port()}"
        self._policy = folder / "policy.toml"
        self._roster = folder / "roster.toml"
        self._policy.write_text(policy, encoding="utf-8")
        self._roster.write_text(roster, encoding="utf-8")
        self._command = tuple(command)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Returns the process that was started last."""
        if self._process is None:
            raise ServerDied("the server was never started")
        return self._process

    async def start(self) -> float:
        """Starts it and returns the seconds from exec to the first health reply SERVING."""
        began_s = time.monotonic()
        self._execute()
        await self._until_serving(began_s + START_LIMIT_S)
        return time.monotonic() - began_s

    def cpu_s(self) -> float:
        """Returns the processor seconds that it has used (Linux)."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """Kills it with SIGKILL and returns when it is gone."""
        self.process.kill()
        self.process.wait()

    async def terminate(self, limit_s: float = START_LIMIT_S) -> tuple[int, float]:
        """Sends SIGTERM; returns the exit code and the seconds it took to end."""
        began_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        while self.process.poll() is None:
            if time.monotonic() - began_s > limit_s:
                self.kill()
                raise ServerDied(f"did not end within {limit_s} s of SIGTERM\n{self._log_tail()}")
            await asyncio.sleep(0.01)
        return self.process.returncode, time.monotonic() - began_s

    def close(self) -> None:
        """Makes sure that nothing runs on. May be called at any time."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def channel(self) -> grpc.aio.Channel:
        """Returns a new channel to it, without retries."""
        return grpc.aio.insecure_channel(self.target, options=CHANNEL_OPTIONS)

    def _execute(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, *self._flags()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )

    def _flags(self) -> list[str]:
        files = ["--policy", str(self._policy), "--roster", str(self._roster)]
        return ["--listen", self.target, *files, "--data", str(self.data_dir)]

    async def _until_serving(self, end_s: float) -> None:
        await self._until_listening(end_s)
        async with self.channel() as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            while True:
                self._check_alive(end_s)
                try:
                    reply = await check(health_pb2.HealthCheckRequest(), timeout=1.0)
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.01)
                    continue
                if reply.status == health_pb2.HealthCheckResponse.SERVING:
                    return
                await asyncio.sleep(0.01)

    async def _until_listening(self, end_s: float) -> None:
        """Waits for the port by plain connects: gRPC would back off between its attempts."""
        host, port = self.target.split(":")
        while True:
            self._check_alive(end_s)
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.01)
                continue
            writer.close()
            await writer.wait_closed()
            return

    def _check_alive(self, end_s: float) -> None:
        code = self.process.poll()
        if code is not None:
            raise ServerDied(f"ended with {code}\n{self._log_tail()}")
        if time.monotonic() > end_s:
            self.kill()
            raise ServerDied(f"does not serve\n{self._log_tail()}")

    def _log_tail(self) -> str:
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")


def machine_is_busy() -> bool:
    """Returns whether others use so much of the machine that times on the wall say little.

    The load of the last minute counts what a test and its server do as well: two processes.
    """
    return os.getloadavg()[0] > (os.cpu_count() or 1) + 0.5


def free_port() -> int:
    """Returns a port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
