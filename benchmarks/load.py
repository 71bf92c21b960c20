"""Both load generators against servers of their own, on each journal, in one table: `make load`.

    python benchmarks/load.py [--rates 20,60] [--seconds 8] [--users 75] [--journals sqlite,redis]

Each row has a fresh server with an empty journal. `open N/s`: open_loop.py, N arrivals a second,
latency from the intended moment. `locust N`: locustfile.py with N users, a closed loop, whose
percentiles hide the waiting that a slow server spares its users. Processor time is the server
process's own, for 1,000 calls of the generator. `late p99` is how late the client itself sent, a
part of its latencies; `others` is what of the processors went to anything but generator, server and
Redis, the hypervisor's other guests included: with much of either, the row tells of the machine,
and --tries repeats it. Locust's HTML reports are kept under build/load.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import load_world as world
from measured_server import (
    MeasuredServer,
    busy_s,
    cpu_s,
    free_port,
    others_share,
    running_process,
)

HERE = Path(__file__).resolve().parent
REPORTS = HERE.parent / "build" / "load"
SERVE = [sys.executable, "-m", "usher.router.service.entry", "serve"]
WARM_UP_S = 4.0  # two seconds after its start a server imports its solver
ALONE = 0.05  # most of the processors that others may use in a row that is not repeated
LOCUST_ARRIVALS = 0.2  # a second, for each Locust user: what the roster has to keep up with
Figures = dict[str, Any]


class Load(NamedTuple):
    """One row: its name, what generates it, and the arrivals a second that it comes to."""

    name: str
    command: list[str]
    rate: float
    is_locust: bool


def loads(given: argparse.Namespace) -> list[Load]:
    """Returns what is run against each journal."""
    seconds = f"{given.seconds:g}"
    rows = [
        Load(
            f"open {rate:g}/s",
            [str(HERE / "open_loop.py"), "--rate", str(rate), "--seconds", seconds],
            rate,
            is_locust=False,
        )
        for rate in map(float, given.rates.split(","))
    ]
    if given.users:
        users = str(given.users)
        command = ["-m", "locust", "-f", str(HERE / "locustfile.py"), "--headless", "--users"]
        command += [users, "--spawn-rate", users, "--run-time", f"{given.seconds + 2:g}s"]
        command += ["--reset-stats", "--only-summary", "--loglevel", "WARNING"]
        rate = given.users * LOCUST_ARRIVALS
        rows.append(Load(f"locust {users}", command, rate, is_locust=True))
    return rows


@contextmanager
def redis_server(folder: Path) -> Iterator[tuple[str, int]]:
    """A Redis that syncs every append; yields its URL and process id."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    command += ["--maxmemory-policy", "noeviction"]
    with (folder / "redis.log").open("w") as log, running_process(command, log) as process:
        yield f"redis://127.0.0.1:{port}", process.pid


@contextmanager
def usher_server(folder: Path, journal: list[str], rate: float) -> Iterator[MeasuredServer]:
    """A server with a roster for so many arrivals a second."""
    policy, roster = world.write(folder, rate)
    target = f"127.0.0.1:{free_port()}"
    command = [*SERVE, "--listen", target, "--policy", str(policy), "--roster", str(roster)]
    with (folder / "log").open("w") as log, running_process([*command, *journal], log) as process:
        server = MeasuredServer(process, target)
        try:
            server.wait_until_serving()
        except SystemExit as error:
            raise SystemExit(f"{error}\n{(folder / 'log').read_text()[-2000:]}") from error
        time.sleep(WARM_UP_S)
        yield server


def least_disturbed(load: Load, journal: str, tries: int, folder: Path) -> Figures:
    """Returns the figures of the first try that others left alone, else of the least disturbed."""
    found: list[Figures] = []
    while len(found) < tries and not (found and found[-1]["others"] <= ALONE):
        place = folder / f"{journal}-{load.name.replace('/', '-')}-{len(found)}"
        found.append(measure(load, journal, place))
    return min(found, key=lambda row: float(row["others"]))


def measure(load: Load, journal: str, folder: Path) -> Figures:
    """Runs one load against a fresh server and returns its figures."""
    folder.mkdir()
    if journal == "sqlite":
        with usher_server(folder, ["--data", str(folder / "data")], load.rate) as server:
            return generate(load, journal, folder, server, [server.process.pid])
    with (
        redis_server(folder) as (url, pid),
        usher_server(folder, ["--journal", url], load.rate) as server,
    ):
        figures = generate(load, journal, folder, server, [server.process.pid, pid])
        counters = server.counters()
        commands = sum(count for name, count in counters.items() if name.startswith("commands_"))
        figures["redis_cpu_s_per_1000"] = cpu_s(pid) / commands * 1000
        return figures


def generate(
    load: Load, journal: str, folder: Path, server: MeasuredServer, pids: list[int]
) -> Figures:
    """Runs the generator and returns what it measured; `pids` are the processes under test."""
    file = folder / "figures.json"
    command = [sys.executable, *load.command]
    if load.is_locust:
        report = REPORTS / f"locust-{journal}.html"
        report.parent.mkdir(parents=True, exist_ok=True)
        command += ["--host", server.target, "--figures", str(file), "--html", str(report)]
    else:
        command += ["--target", server.target]
    began, ours_s = busy_s(), _ours_s(pids)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ended, ours_s = busy_s(), _ours_s(pids) - ours_s
    told = done.stdout.splitlines()[-1] if done.stdout.strip() else ""
    text = file.read_text() if load.is_locust and file.exists() else told
    if not text.startswith("{"):
        raise SystemExit(f"{load.name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    figures: Figures = json.loads(text)
    figures["others"] = others_share(began, ended, ours_s)
    figures["cpu_s_per_1000"] = figures["server_cpu_s"] / max(1, figures["units"]) * 1000
    return {"journal": journal, "load": load.name, **figures}


def _ours_s(pids: list[int]) -> float:
    """Returns the processor seconds of the processes under test and of ended generators."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + sum(map(cpu_s, pids))


HEAD = (
    f"{'journal':8} {'load':12} {'per s':>7} {'p50 ms':>8} {'p99 ms':>8} {'p99.9 ms':>9} "
    f"{'errors':>6} {'CPU-s per 1,000':>15} {'sync p99 ms':>11} {'late p99 ms':>11} {'others':>6}"
)


def line(row: Figures) -> str:
    """Returns one line of the table."""
    late = f"{row['late_p99_ms']:.1f}" if "late_p99_ms" in row else "-"
    return (
        f"{row['journal']:8} {row['load']:12} {row['per_s']:7.0f} {row['p50_ms']:8.1f} "
        f"{row['p99_ms']:8.1f} {row['p999_ms']:9.1f} {row['errors']:6d} "
        f"{row['cpu_s_per_1000']:15.2f} {row['sync_p99_ms']:11.2f} {late:>11} {row['others']:6.0%}"
    )


def notes(rows: list[Figures]) -> Iterator[str]:
    """Yields what has to be said below the table."""
    for row in rows:
        if row["errors_by_reason"]:
            yield f"{row['journal']}, {row['load']}: {row['errors_by_reason']}"
    of_redis = [row["redis_cpu_s_per_1000"] for row in rows if "redis_cpu_s_per_1000" in row]
    if of_redis:
        most = max(of_redis)
        yield f"redis-server itself: at most {most:.2f} processor-seconds per 1,000 commands"


def journals(asked: str) -> list[str]:
    """Returns the journals that can be measured here; tells why one cannot."""
    found = asked.split(",")
    if "redis" in found and not shutil.which("redis-server"):
        print("no redis-server on PATH: without the rows of Redis")
        found.remove("redis")
    return found


def main() -> None:
    """Measures all rows and prints the table, and with --json the rows as the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", default="20,60", help="arrivals a second, of the open loop")
    parser.add_argument("--seconds", type=float, default=8.0, help="measured, for each row")
    parser.add_argument("--users", type=int, default=75, help="of Locust; 0 = without it")
    parser.add_argument("--journals", default="sqlite,redis")
    parser.add_argument("--tries", type=int, default=1, help="for a row that others disturb")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows: list[Figures] = []
    began_s = time.monotonic()
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(prefix="usher-load-") as folder:
        for journal in journals(given.journals):
            for load in loads(given):
                rows.append(least_disturbed(load, journal, given.tries, Path(folder)))
                print(line(rows[-1]), flush=True)
    for note in notes(rows):
        print(note)
    print(f"{time.monotonic() - began_s:.0f} s; Locust's reports: {REPORTS}")
    if given.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
