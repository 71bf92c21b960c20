"""The branches of the pool's model: plans, calendars, and what may be drawn for visitors.

Service days of two hours follow each other, open for a hundred minutes; what is left ends ten
minutes later. So a program of an hour or a day meets closing times and new numbers.
"""

from hypothesis import strategies as st
from tests.router.branch_kit import branch, branches, desk, line, service
from tests.router.pool_kit import START_MS

from usher.queue.branches import BranchDays, Branches, BranchName, Calendar, ServiceDay
from usher.queue.tickets import Place, VisitOutcome
from usher.queue.values import NEVER_MS

MINUTE_MS = 60_000
DAY_MS = 120 * MINUTE_MS
DAYS = 40

PAY, ASK = service("pay", "main", 4 * MINUTE_MS), service("ask", "help", MINUTE_MS)
BUY = service("buy", "sales", 9 * MINUTE_MS)
QUICK, FEW = service("quick", "small"), service("few", "limited", MINUTE_MS)

NORTH = branch(
    "north",
    line("a", "pay", "ask", "quick", prefix="A", start=98, width=2),
    line("b", "buy", "few", prefix="B"),
    grace_ms=2 * MINUTE_MS,
)
SOUTH = branch("south", line("a", "pay"), clock_tolerance_ms=1_000)
NORTH_DESKS = (
    desk("north", "1"),
    desk("north", "2", "pay", "buy"),
    desk("north", "3", "ask", "few"),
)

PLANS = (
    branches(PAY, ASK, BUY, QUICK, FEW, NORTH, SOUTH, *NORTH_DESKS, desk("south", "1")),
    branches(
        PAY,
        BUY,
        branch("north", line("a", "pay", prefix="C"), line("b", "buy"), title="New"),
        *NORTH_DESKS[:1],
        desk("north", "4"),
        version="b2",
    ),
    branches(PAY, SOUTH, desk("south", "1"), desk("south", "2"), version="b3"),
    branches(service("pay", "nowhere"), branch("north", line("a", "pay")), version="bad"),
)


def _days(name: str, first: int, closes_after_ms: int) -> BranchDays:
    """Service days numbered from `first`; a lower one is a date that goes back."""
    return BranchDays(
        BranchName(name), tuple(_day(number, first, closes_after_ms) for number in range(DAYS))
    )


def _day(number: int, first: int, closes_after_ms: int) -> ServiceDay:
    starts_ms = START_MS - MINUTE_MS + number * DAY_MS
    closes_ms = starts_ms + 100 * MINUTE_MS
    date = f"2026-{(first + number) // 28 + 1:02}-{(first + number) % 28 + 1:02}"
    hours = ((starts_ms, closes_ms - 10 * MINUTE_MS), (closes_ms - 5 * MINUTE_MS, closes_ms))
    return ServiceDay(date, starts_ms, starts_ms + DAY_MS, closes_ms + closes_after_ms, hours)


CALENDARS = tuple(
    Calendar(tuple(_days(name, first, closes_after_ms) for name in names))
    for names, first, closes_after_ms in (
        (("north", "south"), 30, 10 * MINUTE_MS),
        (("north", "south"), 30, 10 * MINUTE_MS),
        (("north", "south"), 29, 0),
        (("south",), 31, 30 * MINUTE_MS),
    )
)


def plan_for(queues: set[str]) -> Branches:
    """Returns the first plan whose services have their queues."""
    return next(one for one in PLANS if {each.queue for each in one.services} <= queues)


branch_names = st.sampled_from(("north", "south", "nowhere"))
desk_names = st.sampled_from(("1", "2", "3", "4"))
service_names = st.sampled_from(("pay", "ask", "buy", "quick", "few", "dance"))
places = st.sampled_from(Place)
outcomes = st.sampled_from((*[VisitOutcome.SERVED] * 9, *VisitOutcome))
parties = st.sampled_from((*[1] * 9, 4, 0))
kiosk_clocks = st.sampled_from((*[None] * 15, 0, -14 * MINUTE_MS, 16 * MINUTE_MS))
"""How far the kiosk's clock is off; None = not said."""


def kiosk_ms(off_ms: int | None, at_ms: int) -> int:
    """Returns what the kiosk's clock shows, NEVER_MS if it does not say."""
    return NEVER_MS if off_ms is None else at_ms + off_ms
