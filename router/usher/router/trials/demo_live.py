"""The demo while it runs: a live table on a terminal, plain lines elsewhere.

    queues          every queue of the pool, the branch's too
    board, lines    what the lobby's board and the kiosk show
    agents, time left

It must not know how a script is played.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from usher.queue.tickets import TicketState
from usher.router.client import Wait
from usher.router.trials.demo import Show
from usher.router.trials.demo_branch import BranchDay
from usher.router.trials.driver import Drive
from usher.router.trials.load_console import clock_text, done_share, time_left
from usher.router.trials.observed import Observed, milliseconds
from usher.v1 import contact_pb2

PLAIN_EVERY_S = 3.0
BOARD_ROWS = 5
WIDTH = 76
COME, COME_AGAIN = "please come", "called again"
CALLED = TicketState.CALLED
WAITING = contact_pb2.CONTACT_STATE_WAITING


class QueueNow(Struct, frozen=True):
    """One queue at this moment."""

    name: str
    waiting: int
    engaged: int
    answered: int
    abandoned: int
    longest_ms: int


@contextmanager
def demo_display(console: Console) -> Iterator[Show]:
    """Yields what shows the demo: a live table on a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        yield _PlainLines(console).show
        return
    with Live(Text("the server starts"), console=console, refresh_per_second=8) as live:
        yield lambda playing, branch: live.update(_picture(playing, branch))


class _PlainLines:
    """The demo for a log file or a CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told_s = time.monotonic()

    def show(self, playing: Drive, branch: BranchDay) -> None:
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
            f"agents: {busy} busy, {ready} ready; {time_left(playing)}\n"
            f"       branch: {_lobby_text(branch)}"
        )
        self._console.print(line, highlight=False, soft_wrap=True)


def _lobby_text(branch: BranchDay) -> str:
    rows, waiting = branch.picture.rows, branch.picture.waiting
    called = [f"{row.number} to desk {row.desk}" for row in rows if row.state is CALLED]
    serving = [row.number for row in rows if row.state is not CALLED]
    return "; ".join(
        f"{what} {', '.join(these) or '-'}"
        for what, these in (
            ("called", called),
            ("at a desk", serving),
            ("waiting", [f"{line} {count}" for line, count in waiting.items()]),
        )
    )


def _picture(playing: Drive, branch: BranchDay) -> Group:
    ready, busy = agents_now(playing.observed)
    lobby = Table.grid(padding=(0, 2))
    lobby.add_row(_board(branch), _lines(branch))
    return Group(
        _queues(playing),
        Text(f"\n{_branch_title(playing, branch)}", style="italic"),
        lobby,
        Text(f"agents: {busy} busy, {ready} ready    {time_left(playing)}"),
        ProgressBar(total=1.0, completed=done_share(playing), width=WIDTH),
    )


def _queues(playing: Drive) -> Table:
    title = f"{clock_text(playing.now_ms())[3:]} by the server's clock"
    table = Table(title=title, width=WIDTH)
    table.add_column("queue")
    for name in ("waiting", "with an agent", "answered", "abandoned", "longest wait"):
        table.add_column(name, justify="right")
    for queue in queues_now(playing):
        waiting = f"[bold yellow]{queue.waiting}[/]" if queue.waiting else "0"
        longest = f"{queue.longest_ms / 1000:.0f} s"
        counts = (str(queue.engaged), str(queue.answered), str(queue.abandoned))
        table.add_row(queue.name, waiting, *counts, longest)
    return table


def _branch_title(playing: Drive, branch: BranchDay) -> str:
    if branch.offer is None:
        return "the branch opens"
    now = datetime.fromtimestamp(playing.clock.now_ms() / 1000, ZoneInfo(branch.offer.time_zone))
    state = "open" if branch.offer.is_open else "closed"
    drawn = len(branch.joined)
    return f"branch {branch.offer.title}, {now:%H:%M} there, {state}: {drawn} tickets drawn"


def _board(branch: BranchDay) -> Table:
    """What the lobby's board shows: the latest call first."""
    table = Table("number", "desk")
    table.add_column(width=len(COME_AGAIN))
    rows = branch.picture.rows[:BOARD_ROWS]
    for row in rows:
        is_called = row.state is CALLED
        said = "" if not is_called else COME if row.calls < 2 else COME_AGAIN
        table.add_row(row.number, row.desk, said, style="bold yellow" if is_called else "")
    for _ in range(BOARD_ROWS - len(rows)):
        table.add_row()
    return table


def _lines(branch: BranchDay) -> Table:
    """What the kiosk shows: how many wait, and how long it would take now."""
    table = Table("line")
    for name in ("waiting", "desks"):
        table.add_column(name, justify="right")
    table.add_column("wait now", justify="right", min_width=12)
    for each in branch.offer.services if branch.offer is not None else ():
        waiting = branch.picture.waiting.get(each.line, 0)
        table.add_row(each.service, str(waiting), str(each.desks), _wait_text(each.wait))
    return table


def _wait_text(wait: Wait | None) -> str:
    if wait is None:
        return "no estimate"
    if not wait.p90:
        return "none"
    p50_s, p90_s = wait.p50.total_seconds(), wait.p90.total_seconds()
    return f"{p50_s:.0f} to {p90_s:.0f} s"


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
