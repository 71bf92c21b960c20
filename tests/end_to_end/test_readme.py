"""The client example of the README runs as it stands there, against the example files."""

import asyncio
import re
import sys
from pathlib import Path

from tests.end_to_end.server_process import ServerProcess


def test_the_client_of_the_readme_runs(repo: Path, tmp_path: Path) -> None:
    readme = (repo / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert code is not None
    said = asyncio.run(_run(code[1], repo, tmp_path))
    assert "dov" in said
    assert "{'name': 'Ida'}" in said


async def _run(code: str, repo: Path, folder: Path) -> str:
    policy = (repo / "examples" / "policy.toml").read_text(encoding="utf-8")
    roster = (repo / "examples" / "roster.toml").read_text(encoding="utf-8")
    server = ServerProcess(folder, policy, roster)
    try:
        await server.start()
        program = code.replace("127.0.0.1:7460", server.target)
        run = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(run.communicate(), 30)
        assert run.returncode == 0, said.decode()
        await server.terminate()
    finally:
        server.close()
    return said.decode()
