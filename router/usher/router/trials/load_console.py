"""The console side of `usher load`: a progress bar while it runs, the report as tables.

Without a terminal the progress is a plain line every few seconds. It must not know how a replay
works.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from usher.queue.measures import Measures
from usher.router.trials.driver import Drive, Phase
from usher.router.trials.load_report import Figures, LoadReport

PLAIN_EVERY_S = 5.0


@contextmanager
def load_progress(console: Console) -> Iterator[Callable[[Drive], None]]:
    """Yields the watcher of a drive."""
    if not console.is_terminal:
        yield _PlainLines(console).show
        return
    columns = (
        TextColumn("{task.fields[clock]}"),
        BarColumn(),
        TextColumn("{task.fields[over]}/{task.fields[all]} ended"),
        TextColumn("{task.fields[waiting]} waiting"),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0, clock="starting", over=0, all=0, waiting=0, left="")

        def show(drive: Drive) -> None:
            progress.update(
                task,
                completed=done_share(drive),
                clock=clock_text(drive.now_ms()),
                over=drive.over,
                all=len(drive.callers),
                waiting=waiting(drive),
                left=time_left(drive),
            )

        yield show


class _PlainLines:
    """Progress for a log file or a CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told_s = time.monotonic()

    def show(self, drive: Drive) -> None:
        if time.monotonic() - self._told_s < PLAIN_EVERY_S:
            return
        self._told_s = time.monotonic()
        self._console.print(
            f"{clock_text(drive.now_ms())}  {drive.over}/{len(drive.callers)} ended, "
            f"{waiting(drive)} waiting, {time_left(drive)}",
            highlight=False,
        )


def done_share(drive: Drive) -> float:
    """How far the day has come, 0..1, by its clock until the last arrival."""
    script = drive.script
    length_ms = max(1, script.close_ms - script.start_ms)
    return min(1.0, max(0.0, (drive.now_ms() - script.start_ms) / length_ms))


def time_left(drive: Drive) -> str:
    """Real time until the last arrival, as text."""
    left_s = (drive.script.close_ms - drive.now_ms()) / 1000 / drive.clock.rate
    if left_s <= 0:
        return "the queue empties"
    return f"{int(left_s) // 60}:{int(left_s) % 60:02d} left"


def waiting(drive: Drive) -> int:
    """Customers who wait now."""
    return sum(one.phase in (Phase.WAITING, Phase.ANSWERING) for one in drive.callers.values())


def clock_text(at_ms: float) -> str:
    """A time of day."""
    seconds = max(0, int(at_ms // 1000))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def print_report(report: LoadReport, console: Console) -> None:
    """Prints the figures side by side, by hour, how it was driven, and the count."""
    console.print(_figures_table(report))
    console.print(_hours_table(report.usher, report.log))
    for line in driving_lines(report):
        console.print(line, highlight=False, soft_wrap=True)
    for line in account_lines(report):
        console.print(line, highlight=False, soft_wrap=True)


def _figures_table(report: LoadReport) -> Table:
    table = Table(title=f"{report.day}: Usher beside the log", title_justify="left")
    for name in ("figure", "Usher", "log"):
        table.add_column(name, justify="left" if name == "figure" else "right")
    usher, log = _figure_rows(report.usher), _figure_rows(report.log)
    for name, value in usher.items():
        table.add_row(name, value, log[name])
    return table


def _figure_rows(figures: Figures) -> dict[str, str]:
    found, levels = figures.measures, figures.measures.service_levels
    threshold = f"within {levels.threshold_ms // 1000} s"
    return {
        "offered": str(found.offered),
        "answered": str(found.answered),
        "abandoned": f"{found.abandoned} ({_percent(found.abandon_share)})",
        f"  of them within {found.short_abandon_ms // 1000} s": str(found.abandoned_short),
        "mean wait": _seconds(found.wait_offered.mean_ms),
        "mean wait of answered": _seconds(found.wait_answered.mean_ms),
        "mean wait of abandoned": _seconds(found.wait_abandoned.mean_ms),
        "wait P50": _seconds(found.wait_offered.p50_ms),
        "wait P90": _seconds(found.wait_offered.p90_ms),
        "longest wait": _seconds(found.wait_offered.longest_ms),
        f"{threshold}, of_offered": _percent(levels.of_offered),
        f"{threshold}, of_answered": _percent(levels.of_answered),
        f"{threshold}, abandons_within_excluded": _percent(levels.abandons_within_excluded),
        f"{threshold}, abandons_within_met": _percent(levels.abandons_within_met),
        "mean talk": _seconds(figures.handle.mean_talk_ms),
        "mean work after the call": _seconds(figures.handle.mean_wrap_up_ms),
        "occupancy": _percent(figures.occupancy.occupancy),
    }


def _hours_table(usher: Figures, log: Figures) -> Table:
    table = Table(title="by hour of arrival: Usher / log", title_justify="left")
    for name in ("from", "offered", "abandoned", "mean wait", "within 20 s, of_offered"):
        table.add_column(name, justify="left" if name == "from" else "right")
    for ours, theirs in zip(usher.by_hour, log.by_hour, strict=True):
        if ours.measures.contacts or theirs.measures.contacts:
            cells = zip(_hour_cells(ours.measures), _hour_cells(theirs.measures), strict=True)
            hour = clock_text(ours.from_ms)[:5]
            table.add_row(hour, *(f"{left} / {right}" for left, right in cells))
    return table


def _hour_cells(found: Measures) -> tuple[str, ...]:
    return (
        str(found.offered),
        _percent(found.abandon_share),
        _seconds(found.wait_offered.mean_ms),
        _percent(found.service_levels.of_offered),
    )


def driving_lines(report: LoadReport) -> list[str]:
    """How the replay went, and what the speed of the clock did to it."""
    driven, late = report.driving, report.driving.lateness
    lines = [
        f"replayed at clock rate {driven.clock_rate} in {driven.seconds:.1f} s with "
        f"{driven.calls} calls, "
        f"after-call time {report.after_call_ms / 1000:g} s, seed {report.seed}",
        f"a real millisecond is {driven.clock_rate / 1000:g} s of this clock: commands were sent "
        f"late by {late.p50_ms / 1000:.2f} s (P50), {late.p99_ms / 1000:.2f} s (P99), "
        f"{late.longest_ms / 1000:.2f} s (most)",
    ]
    if driven.connect_ms is not None:
        lines.append(
            f"from offer to talk {driven.connect_ms / 1000:.2f} s on average, of which "
            f"{report.answer_ms / 1000:g} s are the answer delay and the rest is the wire"
        )
    ends = ", ".join(f"{count} {name}" for name, count in driven.offer_ends.items()) or "none"
    lines.append(f"offers: {driven.offers}; came to nothing: {ends}")
    races = ", ".join(f"{name} ({count})" for name, count in driven.races.items()) or "none"
    lines.append(f"commands that crossed with a decision of the server: {races}")
    server = report.server
    lines.append(
        f"journal: {server['position']} records, sync P99 {server['sync_p99_ms']} ms, "
        f"{server['durability']}"
    )
    return lines


def account_lines(report: LoadReport) -> list[str]:
    """Whether everybody is accounted for."""
    counted = report.account
    lines = [
        f"contacts: {counted.planned} sent, {counted.answered} answered, "
        f"{counted.abandoned} abandoned, {counted.lost} lost, "
        f"{counted.served_twice} served twice, {counted.unaccounted} unaccounted "
        f"(by {', '.join(counted.witnesses)})"
    ]
    if report.driving.stalled:
        lines.append("nothing moved any more: the replay was cut short")
    return lines + [f"  {finding}" for finding in counted.findings]


def _seconds(value_ms: float | None) -> str:
    return "-" if value_ms is None else f"{value_ms / 1000:.1f} s"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
