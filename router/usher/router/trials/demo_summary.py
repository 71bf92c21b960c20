"""The end of a demo on the console: figures by queue, the branch's own, the count."""

from rich.console import Console
from rich.table import Table

from usher.queue.tickets import VisitOutcome
from usher.router.trials.demo import BranchSummary, DemoSummary

USUAL = (VisitOutcome.SERVED, VisitOutcome.UNRESOLVED, VisitOutcome.NO_SHOW, VisitOutcome.LEFT)


def print_summary(found: DemoSummary, console: Console) -> None:
    """Prints the figures by queue and line, the offers, the journal and the count."""
    for table in (_waits_table(found), _levels_table(found), _branch_table(found.branch)):
        console.print(table)
    for line in (*branch_lines(found.branch), *summary_lines(found)):
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
        "abandons_\nwithin_\nexcluded",
        "abandons_\nwithin_\nmet",
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


def _branch_table(found: BranchSummary) -> Table:
    """By the line that the number was drawn from, wherever the visitor was sent on to."""
    there = {each for line in found.lines for each, count in line.outcomes.items() if count}
    shown = [each for each in VisitOutcome if each in there.union(USUAL)]
    table = Table(title="tickets of the branch", title_justify="left")
    table.add_column("line")
    names = [each.value.replace("_", "-") for each in shown]
    for name in ("numbers", *names, "mean wait"):
        table.add_column(name, justify="right")
    for line in found.lines:
        counts = [str(line.outcomes[each]) for each in shown]
        mean_ms = line.measures.wait_offered.mean_ms
        table.add_row(line.name, f"{line.first} to {line.last}", *counts, _seconds(mean_ms))
    return table


def branch_lines(found: BranchSummary) -> list[str]:
    """What stands below the table of the branch."""
    counted, (p50_ms, p95_ms) = found.account, found.shown_after_ms
    beside = [f"{count} by {channel}" for channel, count in sorted(found.beside.items())]
    return [
        f"desks: {counted.calls} calls and {counted.recalls} recalls; "
        f"{counted.transferred} visitors sent on to the other line, "
        f"{counted.returned} back to their own, {found.without_ticket} served without a ticket",
        f"the {found.clerks} clerks served beside their visitors: {', '.join(beside) or 'nobody'}",
        f"board: showed a call {p50_ms:.0f} ms (P50), {p95_ms:.0f} ms (P95) after it was asked for",
        f"waits told at the kiosk: {found.promised}; {found.within_p50} came true within their "
        f"P50, {found.within_p90} within their P90",
    ]


def summary_lines(found: DemoSummary) -> list[str]:
    """What stands at the very end: how it was driven, and the count."""
    driven, counted, visits = found.driving, found.account, found.branch.account
    ends = ", ".join(f"{count} {name}" for name, count in driven.offer_ends.items()) or "none"
    tickets = sum(sum(line.outcomes.values()) for line in found.branch.lines)
    return [
        f"{counted.planned} contacts and {tickets + found.branch.without_ticket} visitors in "
        f"{driven.seconds:.0f} s (clock rate {driven.clock_rate}) over gRPC",
        f"offers: {driven.offers} made; came to nothing: {ends}",
        f"journal: {found.position} records, sync P99 {found.sync_p99_ms:.1f} ms, "
        f"{found.durability}",
        f"tickets: {tickets} drawn, {visits.same_number} with the same number, "
        f"{visits.called_twice} called twice, {visits.lost} lost (by tickets, journal)",
        *(f"  {finding}" for finding in visits.findings),
        f"agents: {len(found.overbooked)} over their capacity at any time",
        *(f"  {agent_id}" for agent_id in found.overbooked),
        f"contacts: {counted.answered} answered, {counted.abandoned} abandoned, "
        f"{counted.lost} lost, {counted.served_twice} served twice "
        f"(by {', '.join(counted.witnesses)})",
        *(f"  {finding}" for finding in counted.findings),
    ]


def _seconds(value_ms: float | None) -> str:
    return "-" if value_ms is None else f"{value_ms / 1000:.0f} s"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
