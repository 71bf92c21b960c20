"""`usher serve` with branches in its files: what the pool has of them, and after a restart."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from tests.end_to_end.server_process import ServerProcess

from usher.queue.branches import BranchName
from usher.queue.journal.sqlite import SqliteJournal
from usher.router.service.opening import Loaded, load_pool
from usher.router.service.server import JOURNAL_FILE

EXAMPLES = Path(__file__).parents[2] / "examples"
WITHOUT = "import usher.router.service.{}, sys; sys.exit('zoneinfo' in sys.modules)"


def test_branches_of_the_files_are_served_and_end_with_the_files(tmp_path: Path) -> None:
    asyncio.run(_served_twice(tmp_path))


async def _served_twice(folder: Path) -> None:
    policy, roster = (
        (EXAMPLES / name).read_text(encoding="utf-8") for name in ("policy.toml", "roster.toml")
    )
    ledger = (await _served(folder, policy, roster)).pool.ledger
    assert ["branch-1"] == list(ledger.branches)
    assert ["branch-1/1", "branch-1/2"] == list(ledger.desks)
    assert ledger.days[BranchName("branch-1")].day_at(ledger.at_ms) is not None

    without = policy.partition("[[services]]")[0], roster.partition("[[desks]]")[0]
    ledger = (await _served(folder, *without)).pool.ledger
    assert ({}, {}, {}) == (ledger.branches, ledger.services, ledger.desks)


async def _served(folder: Path, policy: str, roster: str) -> Loaded:
    """Serves for a moment, and returns what the journal has then."""
    server = ServerProcess(folder, policy, roster)
    try:
        await server.start()
        code, _ = await server.terminate()
        assert 0 == code
    finally:
        server.close()
    journal = await SqliteJournal.open(server.data_dir / JOURNAL_FILE)
    try:
        return await load_pool(journal)
    finally:
        await journal.close()


@pytest.mark.parametrize("module", ["server", "files", "calendar_keeper"])
def test_a_pool_without_branches_starts_without_zone_data(module: str) -> None:
    code = WITHOUT.format(module)

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
