"""The generators of `make load`, small: every kind of user gets through, nothing fails."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.end_to_end.server_process import ServerProcess

pytestmark = pytest.mark.asyncio

LIMIT_S = 100.0
ARRIVALS = 20

OF_CALLS = {"EnqueueContact", "AcceptOffer", "ConnectContact", "CompleteContact", "FinishWrapUp"}
OF_BRANCHES = {"JoinLine", "CallNext", "StartServing", "FinishServing"}


@pytest_asyncio.fixture
async def server(repo: Path, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server with the rules of the load tests."""
    command = [str(repo / "benchmarks" / "load_world.py"), str(tmp_path), "--rate", str(ARRIVALS)]
    await _run(command)
    texts = [(tmp_path / name).read_text() for name in ("policy.toml", "roster.toml")]
    running = ServerProcess(tmp_path, *texts)
    try:
        await running.start()
        yield running
    finally:
        running.close()


async def test_the_open_loop_gets_through_all_that_happens(
    repo: Path, server: ServerProcess
) -> None:
    command = [str(repo / "benchmarks" / "open_loop.py"), "--target", server.target]
    command += ["--rate", str(ARRIVALS), "--seconds", "4", "--warm", "2", "--boards", "4"]
    told = json.loads((await _run(command)).splitlines()[-1])
    assert {} == told["errors_by_reason"]
    assert set() == (OF_CALLS | OF_BRANCHES) - set(told["by_call"])
    assert told["units"] == sum(one["units"] for one in told["by_call"].values())
    assert told["boards"]["units"] > 0
    assert 0 < told["p50_ms"] <= told["p99_ms"] <= told["p999_ms"]
    assert told["server_cpu_s"] > 0 and told["sync_p99_ms"] > 0


async def test_the_users_of_locust_get_through(
    repo: Path, server: ServerProcess, tmp_path: Path
) -> None:
    figures, report = tmp_path / "figures.json", tmp_path / "report.html"
    command = ["-m", "locust", "-f", str(repo / "benchmarks" / "locustfile.py"), "--headless"]
    command += ["--host", server.target, "--users", "75", "--spawn-rate", "75"]
    command += ["--run-time", "10s", "--reset-stats", "--only-summary", "--loglevel", "WARNING"]
    said = await _run([*command, "--figures", str(figures), "--html", str(report)])
    told: dict[str, Any] = json.loads(figures.read_text())
    assert {} == told["errors_by_reason"]
    assert told["units"] > 0 and told["server_cpu_s"] > 0
    assert set() == {name for name in OF_CALLS | OF_BRANCHES if name not in said}
    assert "<html" in report.read_text()
    assert "Traceback" not in said


async def _run(arguments: list[str]) -> str:
    """Runs Python and returns all that it said."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert 0 == done.returncode, done.stdout
    return str(done.stdout)
