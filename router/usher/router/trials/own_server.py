"""A server of a trial's own: a real `usher serve` in its own process, on a free loopback port.

Its folder holds policy.toml, roster.toml, the journal under `data` and the log. It must not know
what the trial does with it.
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from usher.queue.branches import Branches
from usher.queue.rules import Policy, Roster
from usher.router.service.files import write_policy, write_roster

START_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0
LOG_TAIL_BYTES = 2_000

_READY = "usher serves on "  # what `usher serve` says on its standard output, then the address


class ServerDown(Exception):
    """The server did not start, or ended; the message holds the end of its log."""


class OwnServer:
    """A running server. `address` is where it listens."""

    def __init__(self, folder: Path, address: str, process: Process) -> None:
        self.folder = folder
        self.address = address
        self._process = process

    @property
    def data(self) -> Path:
        """The folder of its journal."""
        return self.folder / "data"

    async def ended(self) -> None:
        """Returns never; raises ServerDown when the process ends by itself."""
        code = await self._process.wait()
        raise ServerDown(f"the server ended with {code}\n{log_tail(self.folder)}")

    async def stop(self) -> None:
        """Lets it drain and end; kills it if it does not."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_LIMIT_S)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Ends it at once, with SIGKILL."""
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def own_server(
    folder: Path,
    policy: Policy,
    roster: Roster,
    clock_rate: int,
    *,
    branches: Branches | None = None,
) -> AsyncIterator[OwnServer]:
    """Serves these rules from `folder` while the context is open. Raises ServerDown."""
    policy_file, roster_file = write_rules(folder, policy, roster, branches)
    command = [
        *(sys.executable, "-m", "usher.router.cli", "serve"),
        *("--listen", "127.0.0.1:0", "--clock-rate", str(clock_rate)),
        *("--policy", str(policy_file), "--roster", str(roster_file)),
        *("--data", str(folder / "data")),
    ]
    with log_file(folder).open("ab") as log:
        # A session of its own: ctrl-C at the terminal is for the trial, which then stops it.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=log, start_new_session=True
        )
    server = OwnServer(folder, "", process)
    try:
        server.address = await _address(folder, process)
        yield server
    finally:
        await asyncio.shield(server.stop())


def write_rules(
    folder: Path, policy: Policy, roster: Roster, branches: Branches | None = None
) -> tuple[Path, Path]:
    """Writes policy.toml and roster.toml into the folder and returns where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    policy_file, roster_file = folder / "policy.toml", folder / "roster.toml"
    policy_file.write_text(write_policy(policy, branches), encoding="utf-8")
    roster_file.write_text(write_roster(roster, branches), encoding="utf-8")
    return policy_file, roster_file


def log_file(folder: Path) -> Path:
    """Where the server of this folder writes its log."""
    return folder / "server.log"


def log_tail(folder: Path) -> str:
    """The end of the server's log, without a first half line."""
    with suppress(OSError):
        text = log_file(folder).read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        return text.strip()
    return ""


async def _address(folder: Path, process: Process) -> str:
    """Reads where the server listens from what it says when it is ready."""
    assert process.stdout is not None
    with suppress(TimeoutError):
        async with asyncio.timeout(START_LIMIT_S):
            async for line in process.stdout:
                text = line.decode(errors="replace").strip()
                if text.startswith(_READY):
                    return text.removeprefix(_READY)
            code = await process.wait()
            raise ServerDown(f"the server ended with {code}\n{log_tail(folder)}")
    raise ServerDown(f"the server was not ready in {START_LIMIT_S:.0f} s\n{log_tail(folder)}")
