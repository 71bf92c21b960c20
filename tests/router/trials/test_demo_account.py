"""The demo's count of visitors: a broken promise is found, whoever broke it."""

from collections.abc import Sequence

from msgspec.structs import replace
from tests.router import branch_kit as kit
from tests.router import pool_kit
from tests.router.client import ticket_kit

from usher.queue import commands as c
from usher.queue.codec import Record
from usher.queue.ticket_events import TicketCalled
from usher.queue.tickets import Place, ticket_state
from usher.queue.values import ContactId
from usher.router.client import Ticket
from usher.router.trials.demo_account import BranchAccount, account_branch, overbooked
from usher.v1 import contact_pb2, leg_pb2

ANN = pool_kit.profile("ann", 6, channels={"walk_in": (6, 1, 6), "chat": (3, 1, 0)})


def told(day: kit.BranchDay) -> list[Ticket]:
    """All tickets of a driven pool as a client is told of them."""
    ledger = day.pool.ledger
    return [
        ticket_kit.told(
            ticket_id, number=ticket.label, date=ticket.date, state=ticket_state(contact)
        )
        for ticket_id, ticket in ledger.tickets.items()
        for contact in (ledger.contacts[ticket_id],)
    ]


def counted(
    day: kit.BranchDay,
    *,
    planned: Sequence[str] = ("v1", "v2", "v3"),
    tickets: Sequence[Ticket] | None = None,
    records: Sequence[Record] | None = None,
) -> BranchAccount:
    """The count of a day, with other tickets or records in place of its own."""
    return account_branch(planned, tickets or told(day), records or day.records)


def whole_day() -> kit.BranchDay:
    """Three visitors: one put back and served, one sent on and served, one who gives up."""
    day = kit.BranchDay.staffed()
    for name in ("v1", "v2", "v3"):
        day.join(name)
    day.call_and_serve("1", "v1")
    day.put_back("1", "v1", Place.LAST)
    day.call_and_serve("1", "v2")
    day.send_on("1", "v2", "advice")
    for name in ("v2", "v1"):
        day.call_and_serve("1", name)
        day.finish("1", name)
    day.call("2", "v3")
    day.give(c.LeaveLine(kit.KIOSK, ContactId("v3")))
    return day


def test_a_whole_day_is_accounted_for() -> None:
    found = counted(whole_day())
    assert () == found.findings
    assert (5, 0, 1, 1) == (found.calls, found.recalls, found.returned, found.transferred)
    assert (0, 0, 0) == (found.same_number, found.called_twice, found.lost)


def test_a_visitor_who_is_still_there_is_lost() -> None:
    day = whole_day()
    day.join("v4")
    found = counted(day, planned=("v1", "v2", "v3", "v4"))
    assert 1 == found.lost
    assert ("not one ticket and one end: 1 (v4)",) == found.findings


def test_a_visitor_whom_nobody_knows_is_lost() -> None:
    assert 1 == counted(whole_day(), planned=("v1", "v2", "v3", "ghost")).lost


def test_a_number_that_two_have_is_found() -> None:
    day = whole_day()
    first, *others = told(day)
    same = [replace(each, number=first.number) for each in others[:1]]
    found = counted(day, tickets=[first, *same, *others[1:]])
    assert 2 == found.same_number
    assert ("a number twice: 2 (v1, v2)",) == found.findings


def test_the_same_number_of_another_day_is_none_of_these() -> None:
    day = whole_day()
    first, second, third = told(day)
    other_day = replace(second, number=first.number, date="2026-03-03")
    assert 0 == counted(day, tickets=[first, other_day, third]).same_number


def test_a_call_of_a_ticket_that_is_at_a_desk_is_found() -> None:
    day = whole_day()
    twice = [replace(record, events=(*record.events, *_calls(record))) for record in day.records]
    found = counted(day, records=twice)
    assert 5 == found.called_twice
    assert any(each.startswith("called while at a desk, or ended: 5") for each in found.findings)


def _calls(record: Record) -> list[TicketCalled]:
    return [event for event in record.events if isinstance(event, TicketCalled)]


def leg(channel: str, from_s: int, until_s: int, wrapping_s: int = 0) -> leg_pb2.Leg:
    """A leg of ann with these times."""
    found = leg_pb2.Leg(agent_id="ann", channel=channel)
    found.offer_time.FromSeconds(from_s)
    found.end_time.FromSeconds(until_s)
    if wrapping_s:
        found.wrapping_time.FromSeconds(wrapping_s)
    return found


def contact(contact_id: str, *legs: leg_pb2.Leg) -> contact_pb2.Contact:
    """A contact with these legs."""
    return contact_pb2.Contact(contact_id=contact_id, legs=legs)


def test_a_chat_beside_a_visitor_is_more_than_the_clerk_can_do() -> None:
    contacts = [contact("v1", leg("walk_in", 10, 50)), contact("c1", leg("chat", 49, 60))]
    assert ["ann"] == overbooked(contacts, [ANN], set())


def test_a_chat_from_the_moment_on_at_which_the_visitor_is_gone_is_not() -> None:
    contacts = [contact("v1", leg("walk_in", 10, 50)), contact("c1", leg("chat", 50, 60))]
    assert [] == overbooked(contacts, [ANN], set())


def test_after_work_takes_room_by_its_own_price() -> None:
    contacts = [contact("c1", leg("chat", 49, 60)), contact("v1", leg("walk_in", 10, 50, 40))]
    assert ["ann"] == overbooked(contacts, [ANN], set())
    two_chats = [contact("c1", leg("chat", 10, 60)), contact("c2", leg("chat", 10, 60))]
    assert [] == overbooked(two_chats, [ANN], set())


def test_a_visit_that_began_as_a_fact_is_never_refused_and_not_counted() -> None:
    contacts = [contact("v1", leg("walk_in", 10, 50)), contact("c1", leg("chat", 49, 60))]
    assert [] == overbooked(contacts, [ANN], {"v1"})
