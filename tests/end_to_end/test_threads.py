"""gRPC's poller, told apart from the loop's thread in a server that runs."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from tests.end_to_end.kill_load import POLICY, roster
from tests.end_to_end.server_process import ServerProcess

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(sys.platform != "linux", reason="SCHED_BATCH is Linux's"),
]

LOOKS = 200  # it is set right after the health reply


async def test_one_thread_does_not_push_the_loop_aside(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, POLICY, roster())
    try:
        await server.start()
        pid = server.process.pid
        for _ in range(LOOKS):
            if patient := _patient_threads(pid):
                break
            await asyncio.sleep(0.05)
    finally:
        server.close()
    assert 1 == len(patient), "gRPC's poller is not found by its name any more"
    assert pid not in patient


def _patient_threads(pid: int) -> list[int]:
    threads = [int(place.name) for place in Path(f"/proc/{pid}/task").iterdir()]
    return [one for one in threads if os.sched_getscheduler(one) == os.SCHED_BATCH]
