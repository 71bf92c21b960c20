"""How long the machine itself kept everybody waiting while a test ran.

Virtual machines stop for seconds and disks take half a second to sync; a time on the wall then says
nothing of Usher. A process of its own does next to nothing at a steady pace, sleeps and syncs a few
bytes in the test's folder, and notes each beat that took far too long: a stall. It shares nothing
with the server under test, so a slow server makes no stall.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, Self

BEAT_S = 0.01
SYNC_BEATS = 5  # beats between two syncs
STALL_S = 0.06  # a beat that takes longer is one; sleep and sync take 11 to 15 ms


class Stall(NamedTuple):
    """One stretch in which the machine did nothing for the yardstick, by `time.monotonic`."""

    begin_s: float
    end_s: float


class Yardstick:
    """Beats from entering to leaving; `folder` is where it syncs. Afterwards tells the stalls."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.stalls: tuple[Stall, ...] = ()

    def __enter__(self) -> Self:
        command = [sys.executable, __file__, str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        printed, _ = self._process.communicate(timeout=30)
        rows = (map(float, line.split()) for line in printed.splitlines())
        self.stalls = tuple(Stall(*row) for row in rows)

    def stalled_s(self) -> float:
        """Returns the sum of all stalls in seconds."""
        return sum(end_s - begin_s for begin_s, end_s in self.stalls)

    def stalled_within(self, begin_s: float, end_s: float) -> bool:
        """Returns whether a stall met that time, or the backlog that it left: as long again."""
        return any(
            stall.begin_s < end_s and begin_s < 2 * stall.end_s - stall.begin_s
            for stall in self.stalls
        )


def _beat(folder: Path) -> None:
    """Beats until SIGTERM; writes begin and end of each stall."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    number = 0
    with (folder / "yardstick").open("wb", buffering=0) as file:
        while True:
            number += 1
            begin_s = time.monotonic()
            time.sleep(BEAT_S)
            if number % SYNC_BEATS == 0:
                file.write(b"a beat\n")
                os.fsync(file.fileno())
            end_s = time.monotonic()
            if end_s - begin_s > STALL_S:
                sys.stdout.write(f"{begin_s} {end_s}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    _beat(Path(sys.argv[1]))
