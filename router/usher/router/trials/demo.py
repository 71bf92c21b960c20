"""`usher demo`: a busy quarter of an hour through a real server, shown while it happens.

    plan -> own server in a temporary folder -> drive, branch -> live table -> summary, count

The contacts are driven as in a load trial; visitors and clerks of the branch are played beside
them, with the same staff. It must not know the console.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from msgspec import Struct

from usher.queue.measures import ContactFacts, Measures, Outcome, measure
from usher.queue.tickets import VisitOutcome
from usher.router.client import Patience, Ticket, connect
from usher.router.trials.accounting import Account, account
from usher.router.trials.demo_account import BranchAccount, account_branch, overbooked
from usher.router.trials.demo_branch import BranchDay
from usher.router.trials.demo_plan import DemoPlan
from usher.router.trials.driver import Drive
from usher.router.trials.gateway import Gateway
from usher.router.trials.journal_reading import reading
from usher.router.trials.load import Run, drive, driving
from usher.router.trials.load_report import Driving, server_facts
from usher.router.trials.own_server import own_server
from usher.v1 import contact_pb2

PLATFORM = "demo"
LOCAL_HOUR = 10
"""What a clock on the branch's wall shows when the demo begins."""
SERVICE_TARGET_MS = 120_000
PATIENCE = Patience(call_s=30.0, total_s=5.0)  # the server is ours: if it is away, it is gone

Show = Callable[[Drive, BranchDay], None]
"""Called a few times a second while the demo runs."""


class QueueSummary(Struct, frozen=True):
    """One queue at the end; service levels for its own target."""

    name: str
    target_ms: int
    measures: Measures


class LineSummary(Struct, frozen=True):
    """The tickets of one line of the branch."""

    name: str
    first: str
    last: str
    outcomes: dict[VisitOutcome, int]
    measures: Measures


class BranchSummary(Struct, frozen=True, kw_only=True):
    """The branch at the end."""

    lines: tuple[LineSummary, ...]
    without_ticket: int
    promised: int
    """Visitors who got a range at the kiosk and came to a desk."""
    within_p50: int
    within_p90: int
    clerks: int
    beside: dict[str, int]
    """What the clerks did beside their visitors: served contacts by channel."""
    shown_after_ms: tuple[float, float]
    """Real time from the sending of a call to its standing on the board: P50, P95."""
    races: dict[str, int]
    account: BranchAccount


class DemoSummary(Struct, frozen=True, kw_only=True):
    """What a demo ends with."""

    queues: tuple[QueueSummary, ...]
    driving: Driving
    account: Account
    overbooked: tuple[str, ...]
    """Agents that had more at once than their capacity."""
    branch: BranchSummary
    position: int
    durability: str
    sync_p99_ms: float

    @property
    def is_well(self) -> bool:
        """Whether all are accounted for and no promise was broken."""
        wrong = self.account.unaccounted or self.branch.account.findings or self.overbooked
        return not wrong and not self.driving.stalled


def zone_in_the_morning(now: datetime) -> str:
    """Returns a time zone where it is mid-morning: no demo then meets the end of a service day."""
    ahead = LOCAL_HOUR - now.astimezone(UTC).hour
    if ahead < -12:  # there is no such zone, but the same hour of the next day
        ahead += 24
    return f"Etc/GMT{-ahead:+d}"  # by POSIX's sign: GMT-3 is three hours ahead


async def run_demo(plan: DemoPlan, clock_rate: int, show: Show) -> DemoSummary:
    """Plays the plan against a server of its own. Raises ServerDown, UsherError."""
    script = plan.script
    with TemporaryDirectory(prefix="usher-demo-") as made:
        folder = Path(made)
        starting = own_server(
            folder, script.policy, script.roster, clock_rate, branches=script.branches
        )
        async with (
            starting as own,
            Gateway(own.address, PLATFORM) as gateway,
            connect(own.address, actor=f"platform/{PLATFORM}", patience=PATIENCE) as usher,
        ):
            branch = BranchDay(plan.branch, usher)
            run = await drive(
                script, gateway, lambda playing: show(playing, branch), own, beside=branch
            )
            tickets = await branch.tickets()
        with reading(own.data) as journal:
            visits = [visit.ticket_id for visit in plan.branch.visits]
            of_visits = account_branch(visits, tickets, journal.records())
            planned = [contact.contact_id for contact in script.contacts]
            listed = [each for each in run.contacts if each.contact_id not in set(visits)]
            counted = account(planned, run.drive.observed, listed, journal.records())
    return _summary(plan, run, counted, _branch_summary(branch, tickets, listed, of_visits))


def _summary(plan: DemoPlan, run: Run, counted: Account, branch: BranchSummary) -> DemoSummary:
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
        for rules in plan.script.policy.queues
    )
    facts = {visit.ticket_id for visit in plan.branch.visits if not visit.has_ticket}
    return DemoSummary(
        queues=queues,
        driving=driving(run),
        account=counted,
        overbooked=tuple(overbooked(run.contacts, plan.script.roster.agents, facts)),
        branch=branch,
        position=run.server.position,
        durability=run.server.durability,
        sync_p99_ms=run.server.counters.get("sync_p99_us", 0) / 1000,
    )


def _branch_summary(
    branch: BranchDay,
    tickets: Sequence[Ticket],
    contacts: Sequence[contact_pb2.Contact],
    counted: BranchAccount,
) -> BranchSummary:
    clerks = {clerk.agent_id for clerk in branch.plan.clerks}
    legs = [leg for each in contacts for leg in each.legs if leg.agent_id in clerks]
    drawn = [ticket for ticket in tickets if ticket.number]
    waits = [
        (wait, ticket.started - ticket.joined)
        for ticket in drawn
        if (wait := branch.joined[ticket.ticket_id].wait) is not None
        and ticket.started is not None
        and ticket.joined is not None
    ]
    return BranchSummary(
        lines=tuple(
            _line_summary(name, [each for each in drawn if each.line == name])
            for name in sorted({ticket.line for ticket in drawn})
        ),
        without_ticket=len(tickets) - len(drawn),
        promised=len(waits),
        within_p50=sum(waited <= wait.p50 for wait, waited in waits),
        within_p90=sum(waited <= wait.p90 for wait, waited in waits),
        clerks=len(clerks),
        beside=Counter(leg.channel for leg in legs if leg.HasField("active_time")),
        shown_after_ms=_percentiles(branch.shown_after_ms),
        races=dict(branch.races.most_common()),
        account=counted,
    )


def _line_summary(name: str, tickets: Sequence[Ticket]) -> LineSummary:
    numbers = sorted(ticket.number for ticket in tickets)
    outcomes = [ticket.outcome for ticket in tickets]
    return LineSummary(
        name=name,
        first=numbers[0],
        last=numbers[-1],
        outcomes={each: outcomes.count(each) for each in VisitOutcome},
        measures=measure(_facts(tickets), threshold_ms=SERVICE_TARGET_MS),
    )


def _facts(tickets: Sequence[Ticket]) -> ContactFacts:
    """Tickets as columns: the wait ends when the visitor is first at a desk."""
    outcomes = [
        Outcome.ABANDONED if ticket.outcome is VisitOutcome.LEFT else Outcome.OTHER
        for ticket in tickets
    ]
    return ContactFacts(
        arrived_ms=_times([ticket.joined for ticket in tickets]),
        answered_ms=_times([ticket.started for ticket in tickets]),
        ended_ms=_times([ticket.ended for ticket in tickets]),
        outcome=np.array(outcomes, dtype=np.uint8),
    )


def _times(times: Sequence[datetime | None]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(
        [-1 if time is None else round(1000 * time.timestamp()) for time in times], dtype=np.int64
    )


def _percentiles(values_ms: Sequence[float]) -> tuple[float, float]:
    if not values_ms:
        return 0.0, 0.0
    p50_ms, p95_ms = np.percentile(values_ms, (50, 95), method="inverted_cdf")
    return float(p50_ms), float(p95_ms)
