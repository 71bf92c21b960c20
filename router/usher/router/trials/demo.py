"""`usher demo`: a busy quarter of an hour through a real server, shown while it happens.

    plan -> own server in a temporary folder -> drive -> live table -> summary, count

Without a terminal it prints plain lines every few seconds. It must not know how a script is played.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from usher.queue.measures import Measures, measure
from usher.router.trials.accounting import Account, account
from usher.router.trials.driver import Drive
from usher.router.trials.gateway import Gateway
from usher.router.trials.journal_reading import reading
from usher.router.trials.load import Run, Watcher, drive, driving
from usher.router.trials.load_console import clock_text, done_share, time_left
from usher.router.trials.load_report import Driving, server_facts
from usher.router.trials.observed import Observed, milliseconds
from usher.router.trials.own_server import own_server
from usher.router.trials.script import Script
from usher.v1 import contact_pb2

PLATFORM = "demo"
PLAIN_EVERY_S = 3.0
WAITING = contact_pb2.CONTACT_STATE_WAITING


class QueueNow(Struct, frozen=True):
    """One queue at this moment."""

    name: str
    waiting: int
    engaged: int
    answered: int
    abandoned: int
    longest_ms: int


class QueueSummary(Struct, frozen=True):
    """One queue at the end; service levels for its own target."""

    name: str
    target_ms: int
    measures: Measures


class DemoSummary(Struct, frozen=True):
    """What a demo ends with."""

    queues: tuple[QueueSummary, ...]
    whole: Measures
    driving: Driving
    account: Account
    position: int
    durability: str
    sync_p99_ms: float


async def run_demo(script: Script, clock_rate: int, watcher: Watcher) -> DemoSummary:
    """Plays the script against a server of its own. Raises ServerDown, UsherError."""
    with TemporaryDirectory(prefix="usher-demo-") as made:
        folder = Path(made)
        async with (
            own_server(folder, script.policy, script.roster, clock_rate) as own,
            Gateway(own.address, PLATFORM) as gateway,
        ):
            run = await drive(script, gateway, watcher, own)
        with reading(own.data) as journal:
            planned = [contact.contact_id for contact in script.contacts]
            seen = run.drive.observed
            counted = account(planned, seen, run.contacts, journal.records())
    return summary(script, run, counted)


def summary(script: Script, run: Run, counted: Account) -> DemoSummary:
    """The figures of a demo by queue, each with its own service target."""
    queues = tuple(
        QueueSummary(
            rules.name,
            rules.service_target_ms,
            measure(
                server_facts([one for one in run.contacts if one.queue == rules.name], 0),
                threshold_ms=rules.service_target_ms,
            ),
        )
        for rules in script.policy.queues
    )
    return DemoSummary(
        queues=queues,
        whole=measure(server_facts(run.contacts, 0), threshold_ms=20_000),
        driving=driving(run),
        account=counted,
        position=run.server.position,
        durability=run.server.durability,
        sync_p99_ms=run.server.counters.get("sync_p99_us", 0) / 1000,
    )


@contextmanager
def demo_display(console: Console) -> Iterator[Callable[[Drive], None]]:
    """Yields the watcher: a live table on a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        yield _PlainLines(console).show
        return
    with Live(Text("the server starts"), console=console, refresh_per_second=8) as live:
        yield lambda playing: live.update(_picture(playing))


class _PlainLines:
    """The demo for a log file or a CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told_s = time.monotonic()

    def show(self, playing: Drive) -> None:
        if time.monotonic() - self._told_s < PLAIN_EVERY_S:
            return
        self._told_s = time.monotonic()
        queues = ", ".join(
            f"{queue.name} {queue.waiting} waiting {queue.answered} answered"
            for queue in queues_now(playing)
        )
        ready, busy = agents_now(playing.observed)
        line = (
            f"{clock_text(playing.now_ms())[3:]}  {queues}; "
            f"agents: {busy} busy, {ready} ready; {time_left(playing)}"
        )
        self._console.print(line, highlight=False, soft_wrap=True)


def _picture(playing: Drive) -> Group:
    table = Table(title=f"{clock_text(playing.now_ms())[3:]} by the server's clock")
    table.add_column("queue")
    for name in ("waiting", "with an agent", "answered", "abandoned", "longest wait"):
        table.add_column(name, justify="right")
    for queue in queues_now(playing):
        waiting = f"[bold yellow]{queue.waiting}[/]" if queue.waiting else "0"
        longest = f"{queue.longest_ms / 1000:.0f} s"
        counts = (str(queue.engaged), str(queue.answered), str(queue.abandoned))
        table.add_row(queue.name, waiting, *counts, longest)
    ready, busy = agents_now(playing.observed)
    line = Text(f"agents: {busy} busy, {ready} ready    {time_left(playing)}")
    return Group(table, line, ProgressBar(total=1.0, completed=done_share(playing), width=60))


def queues_now(playing: Drive) -> list[QueueNow]:
    """The queues of the policy as they were last seen."""
    now_ms = playing.clock.now_ms()
    contacts = list(playing.observed.contacts.values())
    return [
        _queue_now(rules.name, [one for one in contacts if one.queue == rules.name], now_ms)
        for rules in playing.script.policy.queues
    ]


def _queue_now(name: str, contacts: Sequence[contact_pb2.Contact], now_ms: float) -> QueueNow:
    states = Counter(one.state for one in contacts)
    waits_ms = [_wait_ms(one, now_ms) for one in contacts]
    return QueueNow(
        name=name,
        waiting=states[WAITING],
        engaged=states[contact_pb2.CONTACT_STATE_ENGAGED],
        answered=sum(one.HasField("answer_time") for one in contacts),
        abandoned=sum(one.outcome == contact_pb2.OUTCOME_ABANDONED for one in contacts),
        longest_ms=max(waits_ms, default=0),
    )


def _wait_ms(contact: contact_pb2.Contact, now_ms: float) -> int:
    came_ms = milliseconds(contact.enqueue_time)
    for name in ("answer_time", "end_time"):
        if contact.HasField(name):
            return milliseconds(getattr(contact, name)) - came_ms
    return max(0, int(now_ms) - came_ms)


def agents_now(observed: Observed) -> tuple[int, int]:
    """How many agents are signed in without work, and how many have some."""
    busy = {leg.agent_id for leg in observed.legs.values()}
    return len(observed.working() - busy), len(busy)


def print_summary(found: DemoSummary, console: Console) -> None:
    """Prints the figures by queue, the offers, the journal and the count."""
    console.print(_waits_table(found))
    console.print(_levels_table(found))
    for line in summary_lines(found):
        console.print(line, highlight=False, soft_wrap=True)


def _waits_table(found: DemoSummary) -> Table:
    table = Table(title="queues at the end", title_justify="left")
    table.add_column("queue")
    for name in ("offered", "answered", "abandoned", "mean wait", "P90", "longest"):
        table.add_column(name, justify="right")
    for queue in found.queues:
        shown, waits = queue.measures, queue.measures.wait_offered
        counts = (shown.offered, shown.answered, shown.abandoned)
        spans_ms = (waits.mean_ms, waits.p90_ms, waits.longest_ms)
        table.add_row(queue.name, *map(str, counts), *map(_seconds, spans_ms))
    return table


def _levels_table(found: DemoSummary) -> Table:
    table = Table(title="service levels by name", title_justify="left")
    table.add_column("queue")
    for name in (
        "target",
        "of_offered",
        "of_answered",
        "abandons_within\n_excluded",
        "abandons_within\n_met",
    ):
        table.add_column(name, justify="right")
    for queue in found.queues:
        levels = queue.measures.service_levels
        shares = (
            levels.of_offered,
            levels.of_answered,
            levels.abandons_within_excluded,
            levels.abandons_within_met,
        )
        table.add_row(queue.name, _seconds(queue.target_ms), *map(_percent, shares))
    return table


def summary_lines(found: DemoSummary) -> list[str]:
    """What stands below the table."""
    driven, counted = found.driving, found.account
    ends = ", ".join(f"{count} {name}" for name, count in driven.offer_ends.items()) or "none"
    return [
        f"{counted.planned} contacts in {driven.seconds:.0f} s (clock rate {driven.clock_rate}) "
        f"with {driven.calls} calls over gRPC",
        f"offers: {driven.offers} made; came to nothing: {ends}",
        f"journal: {found.position} records, sync P99 {found.sync_p99_ms:.1f} ms, "
        f"{found.durability}",
        f"contacts: {counted.answered} answered, {counted.abandoned} abandoned, "
        f"{counted.lost} lost, {counted.served_twice} served twice "
        f"(by {', '.join(counted.witnesses)})",
        *(f"  {finding}" for finding in counted.findings),
    ]


def _seconds(value_ms: float | None) -> str:
    return "-" if value_ms is None else f"{value_ms / 1000:.0f} s"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
