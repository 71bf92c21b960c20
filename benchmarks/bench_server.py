"""Usher with its durable journal against a bare grpc.aio echo server, side by side in one run.

    python benchmarks/bench_server.py [--json] [--rounds 5] [--seconds 3] [--patience 180]

Same machine, same client code in another process, the same message sizes; rounds alternate between
the two, figures are medians over the rounds. Each pair of rounds has new processes of both: what a
process gets through differs by 10% and more from one start to the next, and stays so while it runs.
A pair of rounds begins when others leave the machine alone, waited for so many seconds in all:
other processes and the hypervisor (`steal`). A pair from which they took more than 1% of the
processors is repeated, up to three times as many in all; the least disturbed ones count. The last
line is one JSON object:

    commands_vs_echo        steady state: 1,000 agents, 90% busy, a chat = enqueue + accept +
                            complete, offers on one stream: commands/s over echo's calls/s
    enqueue_vs_echo         enqueue alone, agents with room for all: calls/s over echo's calls/s
    p99_vs_echo             open loop (Poisson arrivals) at 70% of each one's own capacity, the
                            highest such rate that leaves no growing queue: p99 less two sync p99,
                            over echo's p99. The machine's own speed drifts, so the capacity is
                            found as a share of what the closed loop gets through directly before,
                            and every rate follows from a closed loop directly before its round
    batch_contacts_vs_echo  EnqueueContacts of 100, all matched: contacts/s over echo's calls/s
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import monotonic, process_time

from measured_server import (
    MeasuredServer,
    busy_s,
    free_port,
    others_share,
    running_process,
)

HERE = Path(__file__).parent
SIZES = "Enqueue=75,Accept=45,Complete=6,Batch=7600"
AGENTS = 1000
BUSY = 900
ROOM = 1000  # units of an agent: room for all contacts of a round
QUIET = 0.01  # most of the processors' time that others may take from a round
PAIRS_MOST = 3  # times the rounds that count
OF_CAPACITY = 0.7
STEP = 1.08
PROBE_S = 3.0
OVERLOADED_MS = 100.0  # a rate 4% above capacity is found out within a probe
CLOSED_S = 1.5  # a closed loop that long tells the machine's speed
WAIT_S = 180.0
LOOK_S = 1.0
Figures = dict[str, float]
Options = tuple[list[str], list[str]]
"""What one round is asked for: of Usher, of the echo server."""


class Server(MeasuredServer):
    """A server process under test, with rounds of the client against it."""

    def __init__(self, process: subprocess.Popen[str], target: str, echo: bool) -> None:
        super().__init__(process, target)
        self.echo = echo
        self._rounds = 0

    def round(self, scenario: str, *options: str) -> Figures:
        """Runs one round against it and returns the client's figures and the server's CPU."""
        self._rounds += 1
        before, machine, ours_s = self.cpu_s(), busy_s(), self.cpu_s() + _client_s()
        command = [sys.executable, str(HERE / "bench_client.py"), "--target", self.target]
        command += ["--scenario", scenario, "--tag", f"r{os.getpid()}-{self._rounds}", *options]
        command += ["--echo"] if self.echo else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"the client failed:\n{done.stderr}")
        figures: Figures = json.loads(done.stdout.splitlines()[-1])
        if figures:
            figures["cpu_us"] = (self.cpu_s() - before) / max(1, figures["units"]) * 1e6
            ours_s = self.cpu_s() + _client_s() - ours_s
            figures["others"] = others_share(machine, busy_s(), ours_s)
            figures["sync_p99_ms"] = 0.0 if self.echo else self.sync_p99_ms()
        return figures


@contextmanager
def echo_server() -> Iterator[Server]:
    """A running echo server."""
    with running_process(
        [sys.executable, str(HERE / "echo_server.py"), "--sizes", SIZES]
    ) as process:
        yield Server(process, _listening(process), echo=True)


@contextmanager
def usher_server(units: int, busy: int = 0) -> Iterator[Server]:
    """A running Usher with its agents signed in, `busy` of them in a chat."""
    with tempfile.TemporaryDirectory(prefix="usher-bench-") as folder:
        yield from _usher_server(Path(folder), units, busy)


def _usher_server(folder: Path, units: int, busy: int) -> Iterator[Server]:
    policy, roster = folder / "policy.toml", folder / "roster.toml"
    policy.write_text(_POLICY)
    roster.write_text(_roster(units))
    port = free_port()
    command = [sys.executable, "-m", "usher.router.cli", "serve", "--listen", f"127.0.0.1:{port}"]
    command += ["--policy", str(policy), "--roster", str(roster), "--data", str(folder / "data")]
    with running_process(command) as process:
        server = Server(process, f"127.0.0.1:{port}", echo=False)
        server.wait_until_serving()
        server.round("prepare", "--agents", str(AGENTS), "--busy", str(busy))
        yield server


_POLICY = """\
version = "bench"
ended_kept = "20s"
contacts_max = 1000000

[queues.help]
channels = ["chat"]
offer_timeout = "1h"
requirements = [{skill = "help", least = 2, wanted = 8}]
"""


def _roster(units: int) -> str:
    lines = ['version = "bench"', "[capacities.chats]", f"units = {units}"]
    lines.append(f"channels.chat = {{price = 1, most = {units}}}")
    for number in range(AGENTS):
        level = 2 + number % 9
        lines.append(f"[agents.agent-{number:05d}]")
        lines.append(f'capacity = "chats"\nskills = {{help = {level}}}')
    return "\n".join(lines) + "\n"


def _listening(process: subprocess.Popen[str]) -> str:
    if process.stdout is None:
        raise SystemExit("the server has no output")
    return process.stdout.readline().split()[-1]


Pair = tuple[Server, Server]
"""Usher and the echo server."""


@contextmanager
def both(units: int, busy: int = 0) -> Iterator[Pair]:
    """New processes of both."""
    with echo_server() as echo, usher_server(units, busy) as usher:
        yield usher, echo


def alternating(
    pair: Callable[[], AbstractContextManager[Pair]],
    rounds: int,
    scenario: tuple[str, str],
    asked: Callable[[Server, Server], Options],
) -> tuple[list[Figures], list[Figures]]:
    """Returns the figures of both over alternating rounds: of the pairs least disturbed."""
    pairs: list[tuple[Figures, Figures]] = []
    while len(_quiet(pairs)) < rounds and len(pairs) < PAIRS_MOST * rounds:
        with pair() as (usher, echo):
            PATIENCE.until_quiet()
            options = asked(usher, echo)
            bare = echo.round(scenario[1], *options[1])
            pairs.append((usher.round(scenario[0], *options[0]), bare))
    kept = sorted(pairs, key=_disturbance)[:rounds]
    print(f"\n{len(pairs)} pairs of rounds; most that others took of those that count: ", end="")
    print(f"{max(map(_disturbance, kept)):.1%}")
    return [ours for ours, _ in kept], [bare for _, bare in kept]


def _quiet(pairs: list[tuple[Figures, Figures]]) -> list[tuple[Figures, Figures]]:
    return [pair for pair in pairs if _disturbance(pair) <= QUIET]


def _disturbance(pair: tuple[Figures, Figures]) -> float:
    return max(figures["others"] for figures in pair)


class Patience:
    """Waits for moments in which others take nothing, for `left_s` in all."""

    def __init__(self) -> None:
        self.left_s = WAIT_S

    def until_quiet(self) -> None:
        """Returns when others take nothing from a machine that works, or patience is at its end.

        What an idle processor would not have got is told nowhere, so this works while it looks.
        """
        while self.left_s > 0:
            before, worked_s, look_end_s = busy_s(), process_time(), monotonic() + LOOK_S
            while monotonic() < look_end_s:
                pass
            self.left_s -= LOOK_S
            if others_share(before, busy_s(), process_time() - worked_s) <= QUIET:
                return


PATIENCE = Patience()


def _client_s() -> float:
    """Returns the processor seconds of this process and of all clients that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime + process_time()


def mid(figures: list[Figures], name: str) -> float:
    """Returns the median of one figure over the rounds."""
    return median(row[name] for row in figures)


def show(title: str, ours: list[Figures], bare: list[Figures]) -> None:
    """Prints both as rows."""
    print(f"{title}  (sync p99 {mid(ours, 'sync_p99_ms'):.2f} ms)")
    print(f"{'':8}{'per s':>10}{'p50 ms':>10}{'p99 ms':>10}{'p99.9 ms':>10}{'server CPU us':>15}")
    for name, rows in (("usher", ours), ("echo", bare)):
        cells = (mid(rows, key) for key in ("per_s", "p50_ms", "p99_ms", "p999_ms", "cpu_us"))
        per_s, p50, p99, p999, cpu = cells
        print(f"{name:8}{per_s:10.0f}{p50:10.2f}{p99:10.2f}{p999:10.2f}{cpu:15.0f}")


def measure(rounds: int, seconds: float) -> Figures:
    """Runs all scenarios and returns the ratios with the figures behind them."""
    time_box = ["--seconds", str(seconds)]
    result: Figures = {}
    for scenario in (_measure_steady, _measure_enqueue, _measure_open, _measure_batch):
        scenario(rounds, time_box, result)
    return result


def _measure_steady(rounds: int, time_box: list[str], result: Figures) -> None:
    options = (time_box, time_box)
    pair = partial(both, units=1, busy=BUSY)
    ours, bare = alternating(pair, rounds, ("steady", "steady"), lambda *_: options)
    show("steady state", ours, bare)
    result["commands_vs_echo"] = mid(ours, "per_s") / mid(bare, "per_s")
    result["commands_per_s"] = mid(ours, "per_s")
    result["command_cpu_us"] = mid(ours, "cpu_us")


def _measure_enqueue(rounds: int, time_box: list[str], result: Figures) -> None:
    options = (time_box, time_box)
    pair = partial(both, units=ROOM)
    ours, bare = alternating(pair, rounds, ("enqueue", "enqueue"), lambda *_: options)
    show("enqueue", ours, bare)
    result["enqueue_vs_echo"] = mid(ours, "per_s") / mid(bare, "per_s")
    result["enqueue_per_s"] = mid(ours, "per_s")
    result["echo_per_s"] = mid(bare, "per_s")
    result["enqueue_cpu_us"] = mid(ours, "cpu_us")
    result["echo_cpu_us"] = mid(bare, "cpu_us")


def closed_loops(*servers: Server) -> list[float]:
    """Returns what each gets through in a closed loop just now, in calls a second."""
    for _ in range(PAIRS_MOST):
        PATIENCE.until_quiet()
        rounds = [server.round("enqueue", "--seconds", str(CLOSED_S)) for server in servers]
        if max(figures["others"] for figures in rounds) <= QUIET:
            break
    return [figures["per_s"] for figures in rounds]


def open_share(server: Server) -> float:
    """Returns the capacity in an open loop, as a share of what the closed loop gets through.

    The highest Poisson rate, from 0.6 in steps of 8%, that leaves no growing queue: 97% of it is
    answered and p99 stays under OVERLOADED_MS, in one of two undisturbed tries.
    """
    share = 0.6
    while any(_sustains(server, share * STEP) for _ in range(2)):
        share *= STEP
    return share


def _sustains(server: Server, share: float) -> bool:
    for _ in range(PAIRS_MOST):
        rate = share * closed_loops(server)[0]
        figures = server.round("enqueue", "--seconds", str(PROBE_S), "--rate", str(rate))
        if figures["per_s"] >= 0.97 * rate and figures["p99_ms"] < OVERLOADED_MS:
            return True
        if figures["others"] <= QUIET:
            break
    return False


def _measure_open(rounds: int, time_box: list[str], result: Figures) -> None:
    pair = partial(both, units=ROOM)
    with pair() as servers:
        shares = [open_share(server) for server in servers]

    def at_70_percent(*servers: Server) -> Options:
        closed = closed_loops(*servers)
        rates = [OF_CAPACITY * share * per_s for share, per_s in zip(shares, closed, strict=True)]
        first, second = ([*time_box, "--rate", str(rate)] for rate in rates)
        return first, second

    ours, bare = alternating(pair, rounds, ("enqueue", "enqueue"), at_70_percent)
    sync_ms = mid(ours, "sync_p99_ms")
    show("enqueue, open loop at 70%", ours, bare)
    result["p99_vs_echo"] = (mid(ours, "p99_ms") - 2 * sync_ms) / mid(bare, "p99_ms")
    result["p99_ms"] = mid(ours, "p99_ms")
    result["echo_p99_ms"] = mid(bare, "p99_ms")
    result["sync_p99_ms"] = sync_ms
    result["open_share"], result["echo_open_share"] = shares


def _measure_batch(rounds: int, time_box: list[str], result: Figures) -> None:
    options = ([*time_box, "--callers", "4"], time_box)
    pair = partial(both, units=ROOM)
    ours, bare = alternating(pair, rounds, ("batch", "enqueue"), lambda *_: options)
    show("batches of 100 (usher: contacts; echo: calls)", ours, bare)
    result["batch_contacts_vs_echo"] = mid(ours, "per_s") / mid(bare, "per_s")
    result["batch_contacts_per_s"] = mid(ours, "per_s")
    result["batch_contact_cpu_us"] = mid(ours, "cpu_us")


def main() -> None:
    """Measures and prints a table, and with --json the ratios as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--patience", type=float, default=WAIT_S)
    given = parser.parse_args()
    PATIENCE.left_s = given.patience
    result = measure(given.rounds, given.seconds)
    rounded = {name: round(value, 3) for name, value in result.items()}
    if given.json:
        print(json.dumps(rounded))
        return
    for name, value in rounded.items():
        print(f"{name:28}{value}")


if __name__ == "__main__":
    main()
