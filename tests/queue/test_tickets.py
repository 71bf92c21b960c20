"""Numbers, labels, and where a ticket stands."""

import pytest

from usher.queue.branches import BranchName, DeskId, Line, LineName, ServiceName
from usher.queue.state import Contact, Leg
from usher.queue.tickets import (
    CLERKS_OUTCOMES,
    NO_DESK,
    Series,
    Ticket,
    TicketState,
    VisitOutcome,
    label_of,
    next_number,
    ticket_state,
    visit_outcome,
)
from usher.queue.values import (
    AgentId,
    Channel,
    ContactFacts,
    ContactId,
    ContactState,
    LegId,
    LegRole,
    LegState,
    Outcome,
    QueueName,
)

FACTS = ContactFacts(QueueName("cash"), Channel.WALK_IN)
C1, ANN = ContactId("c1"), AgentId("ann")


def line(**rules: object) -> Line:
    return Line(name=LineName("a"), services=(), **rules)  # type: ignore[arg-type]


def series(date: str, last: int) -> Series:
    return Series(BranchName("north"), LineName("a"), date, last)


def leg(state: LegState, number: int = 1) -> Leg:
    name = LegId(f"c1.{number}")
    return Leg(name, C1, ANN, Channel.WALK_IN, LegRole.OWNER, state, 1, 0, 0, 0)


def contact(state: ContactState, *legs: Leg, outcome: Outcome = Outcome.NONE) -> Contact:
    return Contact(C1, FACTS, "", 1, state, 0, 0, 0, 1, legs, outcome=outcome)


def ticket(finished: VisitOutcome = VisitOutcome.NONE) -> Ticket:
    names = BranchName("north"), LineName("a"), ServiceName("cash")
    return Ticket(C1, *names, "2026-03-02", 1, "A001", 0, finished=finished)


@pytest.mark.parametrize(
    ("before", "date", "expected"),
    [
        (None, "2026-03-02", ("2026-03-02", 7)),
        (series("2026-03-02", 7), "2026-03-02", ("2026-03-02", 8)),
        (series("2026-03-02", 41), "2026-03-03", ("2026-03-03", 7)),
        (series("2026-12-31", 41), "2027-01-01", ("2027-01-01", 7)),
        (series("2026-03-02", 41), "2026-03-01", ("2026-03-02", 42)),
        (series("2026-03-02", 3), "2026-03-02", ("2026-03-02", 4)),
    ],
)
def test_the_next_number_of_a_series(
    before: Series | None, date: str, expected: tuple[str, int]
) -> None:
    assert expected == next_number(before, line(start=7), date)


def test_no_number_of_a_day_comes_twice_however_the_dates_jump() -> None:
    drawn = []
    last: Series | None = None
    for date in ("2026-03-02", "2026-03-01", "2026-03-03", "2026-03-02", "2026-03-03"):
        for _ in range(3):
            day, number = next_number(last, line(), date)
            drawn.append((day, number))
            last = series(day, number)
    assert len(drawn) == len(set(drawn))
    assert drawn == sorted(drawn)


@pytest.mark.parametrize(
    ("rules", "number", "expected"),
    [
        ({"prefix": "A"}, 7, "A007"),
        ({"prefix": ""}, 7, "007"),
        ({"prefix": "Q", "width": 1}, 12, "Q12"),
        ({"prefix": "A"}, 1000, "A1000"),
        ({"width": 6}, 0, "000000"),
    ],
)
def test_a_number_is_shown_with_its_lines_prefix_and_width(
    rules: dict[str, object], number: int, expected: str
) -> None:
    assert expected == label_of(line(**rules), number)


@pytest.mark.parametrize(
    ("expected", "state", "legs"),
    [
        (TicketState.WAITING, ContactState.WAITING, ()),
        (TicketState.WAITING, ContactState.WAITING, (leg(LegState.OFFERED),)),
        (TicketState.WAITING, ContactState.WAITING, (leg(LegState.WRAPPING),)),
        (TicketState.CALLED, ContactState.ENGAGED, (leg(LegState.JOINING),)),
        (TicketState.SERVING, ContactState.ENGAGED, (leg(LegState.ACTIVE),)),
        (TicketState.SERVING, ContactState.ENGAGED, (leg(LegState.HELD),)),
        (TicketState.CALLED, ContactState.ENGAGED, (leg(LegState.DONE), leg(LegState.JOINING, 2))),
        (TicketState.ENDED, ContactState.ENDED, (leg(LegState.WRAPPING),)),
    ],
)
def test_a_ticket_stands_where_its_contact_and_owner_say(
    expected: TicketState, state: ContactState, legs: tuple[Leg, ...]
) -> None:
    assert expected is ticket_state(contact(state, *legs))


@pytest.mark.parametrize(
    ("expected", "outcome"),
    [
        (VisitOutcome.NONE, Outcome.NONE),
        (VisitOutcome.SERVED, Outcome.COMPLETED),
        (VisitOutcome.LEFT, Outcome.ABANDONED),
        (VisitOutcome.REMOVED, Outcome.CANCELLED),
        (VisitOutcome.CLOSED, Outcome.EXPIRED),
        (VisitOutcome.NO_SHOW, Outcome.NO_SHOW),
        (VisitOutcome.NO_SHOW, Outcome.FAILED),
        (VisitOutcome.LOST, Outcome.LOST),
        (VisitOutcome.REFERRED, Outcome.MOVED),
    ],
)
def test_how_a_visit_ended_follows_from_its_contact(
    expected: VisitOutcome, outcome: Outcome
) -> None:
    assert expected is visit_outcome(contact(ContactState.ENDED, outcome=outcome), ticket())


def test_every_end_of_a_contact_is_one_of_a_visit() -> None:
    for outcome in Outcome:
        assert visit_outcome(contact(ContactState.ENDED, outcome=outcome), ticket()) in VisitOutcome


@pytest.mark.parametrize("said", CLERKS_OUTCOMES)
def test_the_clerks_word_counts_where_the_visit_was_completed(said: VisitOutcome) -> None:
    done = contact(ContactState.ENDED, outcome=Outcome.COMPLETED)
    lost = contact(ContactState.ENDED, outcome=Outcome.LOST)
    assert said is visit_outcome(done, ticket(said))
    assert VisitOutcome.LOST is visit_outcome(lost, ticket(said))


def test_a_ticket_begins_at_no_desk() -> None:
    assert NO_DESK == ticket().desk == DeskId("")
