"""The programs of the examples run as they stand there, against the example files."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
from tests.end_to_end.server_process import ServerProcess

LIMIT_S = 30.0
ALWAYS = 'hours = { mon-sun = "00:00-24:00" }'
NEVER = 'hours = { mon-sun = "closed" }'


@pytest.mark.branch
def test_a_visit_at_the_branch_is_told_by_kiosk_phone_desk_and_board(
    repo: Path, tmp_path: Path
) -> None:
    said = asyncio.run(_run(repo, tmp_path, ALWAYS))
    assert "kiosk  C001, place 1" in said
    assert "desk   calls C001: Ida" in said
    assert "phone  C001 ended 1\nphone  served\n" in said
    assert "board  -   waiting" in said


@pytest.mark.branch
def test_the_program_says_that_the_branch_is_closed(repo: Path, tmp_path: Path) -> None:
    assert "Main street is closed" in asyncio.run(_run(repo, tmp_path, NEVER))


async def _run(repo: Path, folder: Path, hours: str) -> str:
    policy = (repo / "examples" / "policy.toml").read_text(encoding="utf-8")
    roster = (repo / "examples" / "roster.toml").read_text(encoding="utf-8")
    at_any_hour, found = re.subn(r"^hours = .*$", hours, policy, flags=re.MULTILINE)
    assert found == 1
    server = ServerProcess(folder, re.sub(r"^dates = .*$", "", at_any_hour, flags=re.M), roster)
    try:
        await server.start()
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, str(repo / "examples" / "branch.py"), server.target),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(run.communicate(), LIMIT_S)
        assert run.returncode == 0, said.decode()
        await server.terminate()
    finally:
        server.close()
    return said.decode()
