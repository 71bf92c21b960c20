"""A server process that is measured: its processor time, its syncs, what the hypervisor took.

It must not know what is asked of the server.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import grpc

from usher.v1 import server_service_pb2 as servers
from usher.v1 import server_service_pb2_grpc as server_stubs

START_LIMIT_S = 30.0


class MeasuredServer:
    """A server process and where it listens."""

    def __init__(self, process: subprocess.Popen[str], target: str) -> None:
        self.process = process
        self.target = target

    def cpu_s(self) -> float:
        """Returns the processor seconds used so far, user and system."""
        return cpu_s(self.process.pid)

    def counters(self) -> dict[str, int]:
        """Returns what Usher counts."""
        with grpc.insecure_channel(self.target) as channel:
            answer = server_stubs.ServerServiceStub(channel).GetServer(servers.GetServerRequest())
        return dict(answer.counters)

    def sync_p99_ms(self) -> float:
        """Returns the p99 of the journal's last syncs."""
        return self.counters()["sync_p99_us"] / 1000

    def wait_until_serving(self) -> None:
        """Returns when it answers; ends the program if it does not."""
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.counters()
                return
            except grpc.RpcError:
                time.sleep(0.1)
        raise SystemExit("the server does not serve")


def cpu_s(pid: int) -> float:
    """Returns the processor seconds that a process has used, user and system (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_s() -> tuple[float, float]:
    """Returns the processors' time that was used or taken by anybody, and all of it (Linux)."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    ticks = [int(field) / os.sysconf("SC_CLK_TCK") for field in fields]
    idle, waiting_for_disk = ticks[3], ticks[4]
    return sum(ticks) - idle - waiting_for_disk, sum(ticks)


def others_share(before: tuple[float, float], after: tuple[float, float], ours_s: float) -> float:
    """Returns the share of the processors that went to others between two readings of `busy_s`."""
    return max(0.0, after[0] - before[0] - ours_s) / max(1e-9, after[1] - before[1])


def free_port() -> int:
    """Returns a port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_process(
    command: Sequence[str], output: IO[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process that is told to end, and waited for, when the context closes.

    All that it says goes to `output`; without one it has a pipe for its standard output.
    """
    out = output or subprocess.PIPE
    with subprocess.Popen(command, stdout=out, stderr=output, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
