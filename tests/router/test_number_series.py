"""Numbers, hours and ends of service days across the changes of the clock, through the pool.

The moments in UTC were worked out by hand; what the pool knows of them is the calendar alone.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.router.pool_kit import PLATFORM, Driven, policy, profile, queue

from usher.queue import commands as c
from usher.queue.branches import (
    Branch,
    Branches,
    BranchName,
    Line,
    LineName,
    Opening,
    Service,
    ServiceName,
    WeekdayHours,
)
from usher.queue.tickets import Ticket
from usher.queue.values import (
    SYSTEM,
    Channel,
    ContactFacts,
    ContactId,
    ContactState,
    NewContact,
    Outcome,
    QueueName,
)
from usher.router.service.calendars import expand

pytestmark = pytest.mark.branch

BRANCH = BranchName("north")


def ms(text: str) -> int:
    """Returns the milliseconds of `2026-03-28T23:00` or `2026-03-28T22:59:59.999` in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def plan(zone: str, *openings: Opening, version: str = "b1", **rules: Any) -> Branches:
    """One branch with a line of one service, open every day as given."""
    branch = Branch(
        name=BRANCH,
        time_zone=zone,
        lines=(Line(name=LineName("a"), prefix="A", services=(ServiceName("cash"),)),),
        week=tuple(WeekdayHours(day, openings) for day in range(7)),
        **rules,
    )
    service = Service(name=ServiceName("cash"), queue=QueueName("counter"))
    return Branches(version=version, services=(service,), branches=(branch,))


class Lobby:
    """A pool with one branch: visitors join at given moments."""

    def __init__(self, branches: Branches, at: str) -> None:
        self.day = Driven(at_ms=ms(at))
        opened = Driven.opened(
            policy(queue("counter")), profile("ann", channels={"walk_in": (1, 1, 0)}), ready=False
        )
        for record in opened.records:
            self.day.give(record.command)
        self.joined = 0
        self.set(branches)

    def set(self, branches: Branches) -> None:
        self.day.give(c.SetBranches(SYSTEM, branches))
        self.day.give(c.SetCalendar(SYSTEM, expand(branches, self.day.at_ms)))

    def go_to(self, at: str) -> None:
        self.day.wait(ms(at) - self.day.at_ms)

    def join(self, at: str) -> Ticket:
        self.go_to(at)
        self.joined += 1
        command = join_line(f"v{self.joined}")
        self.day.give(command)
        return self.day.pool.ledger.tickets[command.contact.contact_id]

    def refusal(self, at: str) -> str:
        self.go_to(at)
        return self.day.refusal(join_line("nobody"))


def join_line(join_id: str) -> c.JoinLine:
    contact = NewContact(ContactId(join_id), ContactFacts(QueueName(""), Channel.WALK_IN))
    return c.JoinLine(PLATFORM, contact, BRANCH, ServiceName("cash"))


SERIES = {
    "Berlin, 23 hours": (
        "Europe/Berlin",
        ("2026-03-28T22:59:58", "2026-03-28", "A001"),
        ("2026-03-28T22:59:59.999", "2026-03-28", "A002"),
        ("2026-03-28T23:00", "2026-03-29", "A001"),
        ("2026-03-29T00:59:59", "2026-03-29", "A002"),  # 01:59:59 on the wall
        ("2026-03-29T01:00", "2026-03-29", "A003"),  # 03:00
        ("2026-03-29T21:59:59.999", "2026-03-29", "A004"),
        ("2026-03-29T22:00", "2026-03-30", "A001"),
    ),
    "Berlin, 25 hours": (
        "Europe/Berlin",
        ("2026-10-24T21:59:59.999", "2026-10-24", "A001"),
        ("2026-10-24T22:00", "2026-10-25", "A001"),
        ("2026-10-25T00:30", "2026-10-25", "A002"),  # 02:30
        ("2026-10-25T01:30", "2026-10-25", "A003"),  # 02:30 once more
        ("2026-10-25T22:59:59.999", "2026-10-25", "A004"),
        ("2026-10-25T23:00", "2026-10-26", "A001"),
    ),
    "New York, 23 hours": (
        "America/New_York",
        ("2026-03-08T04:59:59.999", "2026-03-07", "A001"),
        ("2026-03-08T05:00", "2026-03-08", "A001"),
        ("2026-03-08T06:59:59", "2026-03-08", "A002"),  # 01:59:59
        ("2026-03-08T07:00", "2026-03-08", "A003"),  # 03:00
        ("2026-03-09T03:59:59.999", "2026-03-08", "A004"),
        ("2026-03-09T04:00", "2026-03-09", "A001"),
    ),
    "New York, 25 hours": (
        "America/New_York",
        ("2026-11-01T03:59:59.999", "2026-10-31", "A001"),
        ("2026-11-01T04:00", "2026-11-01", "A001"),
        ("2026-11-01T05:30", "2026-11-01", "A002"),  # 01:30
        ("2026-11-01T06:30", "2026-11-01", "A003"),  # 01:30 once more
        ("2026-11-02T04:59:59.999", "2026-11-01", "A004"),
        ("2026-11-02T05:00", "2026-11-02", "A001"),
    ),
    "Auckland, 25 hours": (
        "Pacific/Auckland",
        ("2026-04-04T10:59:59.999", "2026-04-04", "A001"),
        ("2026-04-04T11:00", "2026-04-05", "A001"),
        ("2026-04-04T13:30", "2026-04-05", "A002"),  # 02:30
        ("2026-04-04T14:30", "2026-04-05", "A003"),  # 02:30 once more
        ("2026-04-05T11:59:59.999", "2026-04-05", "A004"),
        ("2026-04-05T12:00", "2026-04-06", "A001"),
    ),
    "Auckland, 23 hours": (
        "Pacific/Auckland",
        ("2026-09-26T11:59:59.999", "2026-09-26", "A001"),
        ("2026-09-26T12:00", "2026-09-27", "A001"),
        ("2026-09-26T13:59:59", "2026-09-27", "A002"),  # 01:59:59
        ("2026-09-26T14:00", "2026-09-27", "A003"),  # 03:00
        ("2026-09-27T10:59:59.999", "2026-09-27", "A004"),
        ("2026-09-27T11:00", "2026-09-28", "A001"),
    ),
    "Kiritimati, ahead of all": (
        "Pacific/Kiritimati",
        ("2026-12-31T09:59:59.999", "2026-12-31", "A001"),
        ("2026-12-31T10:00", "2027-01-01", "A001"),
        ("2026-12-31T23:59:59.999", "2027-01-01", "A002"),
        ("2027-01-01T00:00", "2027-01-01", "A003"),
        ("2027-01-01T10:00", "2027-01-02", "A001"),
    ),
}


@pytest.mark.parametrize("series", SERIES)
def test_numbers_begin_anew_with_each_service_day_and_only_then(series: str) -> None:
    zone, *expected = SERIES[series]
    lobby = Lobby(plan(zone, Opening(0, 1440)), expected[0][0])

    assert expected == [
        (at, ticket.date, ticket.label)
        for at in (each[0] for each in expected)
        for ticket in [lobby.join(at)]
    ]


@pytest.mark.parametrize(
    ("zone", "minute", "begins"),
    [
        ("Europe/Berlin", 150, ("2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30")),
        ("Europe/Berlin", 150, ("2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30")),
        ("America/New_York", 150, ("2026-03-07T07:30", "2026-03-08T07:00", "2026-03-09T06:30")),
        ("America/New_York", 90, ("2026-10-31T05:30", "2026-11-01T05:30", "2026-11-02T06:30")),
        ("Pacific/Auckland", 150, ("2026-04-03T13:30", "2026-04-04T13:30", "2026-04-05T14:30")),
        ("Pacific/Auckland", 150, ("2026-09-25T14:30", "2026-09-26T14:00", "2026-09-27T13:30")),
    ],
)
def test_a_day_that_begins_within_the_change_has_one_series(
    zone: str, minute: int, begins: tuple[str, ...]
) -> None:
    lobby = Lobby(plan(zone, Opening(0, 1440), day_begins_min=minute), begins[0])
    labels = []
    for begin in begins:
        for offset_ms in (-1, 0, 1):
            at = datetime.fromtimestamp((ms(begin) + offset_ms) / 1000, UTC)
            if ms(begin) + offset_ms >= lobby.day.at_ms:
                labels.append(lobby.join(at.replace(tzinfo=None).isoformat()).label)

    assert ["A001", "A002", "A003", "A001", "A002", "A003", "A001", "A002"] == labels


@pytest.mark.parametrize(
    ("zone", "opens", "closes", "ends"),
    [  # 09:00 to 17:00 on the day of a change; tickets end at 18:00
        ("Europe/Berlin", "2026-03-29T07:00", "2026-03-29T15:00", "2026-03-29T16:00"),
        ("Europe/Berlin", "2026-10-25T08:00", "2026-10-25T16:00", "2026-10-25T17:00"),
        ("America/New_York", "2026-03-08T13:00", "2026-03-08T21:00", "2026-03-08T22:00"),
        ("America/New_York", "2026-11-01T14:00", "2026-11-01T22:00", "2026-11-01T23:00"),
        ("Pacific/Auckland", "2026-04-04T21:00", "2026-04-05T05:00", "2026-04-05T06:00"),
        ("Pacific/Auckland", "2026-09-26T20:00", "2026-09-27T04:00", "2026-09-27T05:00"),
    ],
)
def test_the_branch_opens_closes_and_ends_its_day_by_the_clock_on_its_wall(
    zone: str, opens: str, closes: str, ends: str
) -> None:
    lobby = Lobby(plan(zone, Opening(540, 1020)), before(opens))

    assert "BRANCH_CLOSED" == lobby.refusal(before(opens))
    assert "A001" == lobby.join(opens).label
    last = lobby.join(before(closes))
    assert ("A002", ms(ends)) == (last.label, last.closes_ms)
    assert "BRANCH_CLOSED" == lobby.refusal(closes)
    lobby.go_to(before(ends))
    assert ContactState.WAITING is lobby.day.contact("v1").state
    lobby.go_to(ends)
    assert [Outcome.EXPIRED] * 2 == [lobby.day.contact(name).outcome for name in ("v1", "v2")]


def before(at: str) -> str:
    """Returns the millisecond before."""
    moment = datetime.fromtimestamp((ms(at) - 1) / 1000, UTC)
    return moment.replace(tzinfo=None).isoformat()


def test_a_new_calendar_within_the_day_does_not_touch_the_series() -> None:
    lobby = Lobby(plan("Europe/Berlin", Opening(0, 1440)), "2026-03-29T00:30")

    assert "A001" == lobby.join("2026-03-29T00:30").label
    lobby.go_to("2026-03-29T12:00")
    lobby.set(plan("Europe/Berlin", Opening(0, 1440), version="b2"))
    assert "A002" == lobby.join("2026-03-29T12:00").label


def test_a_branch_that_moves_to_a_zone_where_it_is_still_yesterday_gives_no_number_twice() -> None:
    lobby = Lobby(plan("Pacific/Auckland", Opening(0, 1440)), "2026-06-10T12:30")

    first = lobby.join("2026-06-10T12:30")
    lobby.set(plan("America/New_York", Opening(0, 1440), version="b2"))
    second = lobby.join("2026-06-10T12:31")
    assert [("2026-06-11", "A001"), ("2026-06-11", "A002")] == [
        (each.date, each.label) for each in (first, second)
    ]
    assert "A001" == lobby.join("2026-06-12T12:31").label


def test_closing_times_follow_new_hours() -> None:
    lobby = Lobby(plan("Europe/Berlin", Opening(540, 1020)), "2026-03-29T08:00")

    lobby.join("2026-03-29T08:00")
    lobby.set(plan("Europe/Berlin", Opening(540, 720), version="b2"))
    lobby.go_to("2026-03-29T10:59:59")
    assert ContactState.WAITING is lobby.day.contact("v1").state
    lobby.go_to("2026-03-29T11:00")
    assert Outcome.EXPIRED is lobby.day.contact("v1").outcome
