"""A made-up day of a call log: some forty calls within ten minutes, a few of each kind.

Three agents take calls of two types; callers leave, one has priority, one call has no talk and one
type is served by nobody.
"""

import subprocess
import sys
from datetime import date
from pathlib import Path

from usher.router.trials.call_log import COLUMNS

DAY = date(1999, 2, 2)
FIRST_S = 8 * 3600
CALLS = 42
LEFT = 7
USHER = (sys.executable, "-m", "usher.router.cli")


def write_day(folder: Path) -> Path:
    """Writes the log and returns where it is."""
    rows = [_row(number) for number in range(CALLS)]
    path = folder / "calls.csv"
    path.write_text("\n".join((",".join(COLUMNS), *rows)) + "\n", encoding="utf-8")
    return path


def usher(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command of `usher` to its end."""
    return subprocess.run(
        [*USHER, *map(str, arguments)], capture_output=True, text=True, timeout=100, check=False
    )


def _row(number: int) -> str:
    """Every sixth caller left after 20 s; the others waited 2 to 6 s and talked for 20 to 49 s."""
    arrival_s = FIRST_S + 14 * number
    left, kind = number % 6 == 3, "NE" if number % 4 == 0 else "PS"
    wait_s = 20 if left else 2 + number % 5
    row: dict[str, object] = {
        **dict.fromkeys(COLUMNS, ""),
        **{"date": DAY, "vru_entry_s": arrival_s - 6, "vru_line": "AA0101", "call_id": number},
        **{"customer": 0, "priority": 2 if number % 10 == 1 else 1, "type": kind},
        **{"vru_exit_s": arrival_s - 1, "vru_time": 5, "q_start_s": arrival_s},
        **{"q_exit_s": arrival_s + wait_s, "q_time": wait_s, "ser_time": 0},
    }
    if left:
        return _joined(row | {"outcome": "HANG", "type": "TT" if number == 3 else kind})
    talk_s, start_s = 20 + number % 30, arrival_s + wait_s
    talk = {"ser_start_s": start_s, "ser_exit_s": start_s + talk_s, "ser_time": talk_s}
    return _joined(row | talk | {"outcome": "AGENT", "server": f"A0{1 + number % 3}"})


def _joined(row: dict[str, object]) -> str:
    return ",".join(str(value) for value in row.values())
