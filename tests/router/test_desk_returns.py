"""Visitors who go back to their line, or on to another service."""

from tests.router.branch_kit import (
    DESKS,
    LINES,
    MINUTE_MS,
    SECOND_MS,
    SERVICES,
    BranchDay,
    branch,
    branches,
)
from tests.router.pool_kit import PLATFORM

from usher.queue import commands as c
from usher.queue.branches import ServiceName
from usher.queue.tickets import Place, TicketState
from usher.queue.values import (
    ContactId,
    LegEnd,
    QueueName,
)

FIRST, LAST = Place.FIRST, Place.LAST
J1 = ContactId("j1")


# gone back


def line_of_four(day: BranchDay) -> None:
    for name in ("j1", "j2", "j3", "j4"):
        day.join(name, after_ms=MINUTE_MS)


def test_a_returned_ticket_is_before_all_others_or_behind_them() -> None:
    day = BranchDay.staffed()
    line_of_four(day)
    day.call("1", "j3")
    day.put_back("1", "j3", FIRST)
    assert ["j3", "j1", "j2", "j4"] == day.in_line()
    day.call_and_serve("1", "j1")
    day.put_back("1", "j1", LAST)
    assert ["j3", "j2", "j4", "j1"] == day.in_line()
    assert ("", TicketState.WAITING) == (day.ticket("j3").desk, day.state("j3"))


def test_returned_again_and_again_a_ticket_stands_where_it_was_put_last() -> None:
    day = BranchDay.staffed()
    line_of_four(day)
    for place, expected in (
        (LAST, ["j1", "j3", "j4", "j2"]),
        (LAST, ["j1", "j3", "j4", "j2"]),
        (FIRST, ["j2", "j1", "j3", "j4"]),
        (LAST, ["j1", "j3", "j4", "j2"]),
    ):
        day.call("1", "j2")
        day.put_back("1", "j2", place)
        assert expected == day.in_line()


def test_of_two_returned_to_the_front_the_later_is_first_and_to_the_end_last() -> None:
    day = BranchDay.staffed()
    line_of_four(day)
    day.call("1", "j3")
    day.call("2", "j4")
    day.put_back("2", "j4", FIRST)
    day.put_back("1", "j3", FIRST)
    assert ["j3", "j4", "j1", "j2"] == day.in_line()
    day.call("1", "j3")
    day.call("2", "j1")
    day.put_back("1", "j3", LAST)
    day.put_back("2", "j1", LAST)
    assert ["j4", "j2", "j3", "j1"] == day.in_line(), "though both at one moment"


def test_who_joins_after_a_return_to_the_end_is_behind_it() -> None:
    day = BranchDay.staffed()
    line_of_four(day)
    day.call("1", "j1")
    day.put_back("1", "j1", LAST)
    day.join("j5", after_ms=SECOND_MS)
    assert ["j2", "j3", "j4", "j1", "j5"] == day.in_line()


def test_a_ticket_behind_the_others_has_not_lost_its_time_waited() -> None:
    day = BranchDay.staffed()
    line_of_four(day)
    day.call("1", "j1")
    day.put_back("1", "j1", LAST)
    assert 3 * MINUTE_MS == day.contact("j1").time_waited_ms(day.at_ms)


def test_a_returned_ticket_is_called_in_its_new_place() -> None:
    day = BranchDay.staffed()
    line_of_four(day)
    day.call("1", "j1")
    day.put_back("1", "j1", LAST)
    assert ["j2", "j3"] == [day.next("1"), day.next("2")]


def test_the_clerk_who_returned_a_ticket_may_call_it_again_at_once() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.next("1")
    day.put_back("1", "j1", FIRST)
    assert "j1" == day.next("1")


def test_a_returned_ticket_has_no_legs_but_those_of_its_talks() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.call("1", "j1")
    day.put_back("1", "j1", FIRST)
    assert () == day.contact("j1").legs
    day.call_and_serve("1", "j1")
    day.put_back("1", "j1", FIRST)
    assert [LegEnd.REQUEUED] == [leg.end for leg in day.contact("j1").legs]


def test_only_who_is_at_the_desk_can_be_returned_or_sent_on() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    back = c.ReturnTicket(*day.at("1"), J1)
    on = c.TransferTicket(*day.at("1"), J1, ServiceName("advice"))
    assert ["TICKET_STATE"] * 2 == [day.refusal(back), day.refusal(on)]
    day.next("2")
    assert ["TICKET_AT_ANOTHER_DESK"] * 2 == [day.refusal(back), day.refusal(on)]


# sent on


def test_a_visitor_sent_on_waits_for_the_other_service_with_its_time_waited() -> None:
    day = BranchDay.staffed()
    day.join("j1", "cash")
    day.join("j2", "advice", after_ms=4 * MINUTE_MS)
    day.at_ms += MINUTE_MS
    day.call_and_serve("2", "j1")
    day.at_ms += 9 * MINUTE_MS
    day.send_on("2", "j1", "advice")
    ticket, contact = day.ticket("j1"), day.contact("j1")
    assert ("advice", "A001", "a", "") == (ticket.service, ticket.label, ticket.line, ticket.desk)
    assert ("advice", 5 * MINUTE_MS) == (contact.facts.queue, contact.waited_ms)
    assert ["j2", "j1"] == day.in_line(), "j2 has waited ten minutes by now"
    assert "" == day.next("2")
    day.join("j3", "advice")
    assert ["j2", "j1", "j3"] == day.in_line()
    assert "j2" == day.next("1")


def test_a_visitor_sent_on_has_its_whole_time_waited_also_after_a_return_to_the_end() -> None:
    day = BranchDay.staffed()
    day.join("j1", "cash")
    day.join("j2", "advice", after_ms=SECOND_MS)
    day.at_ms += MINUTE_MS
    day.call("1", "j1")
    day.put_back("1", "j1", LAST)
    day.call("1", "j1")
    day.send_on("1", "j1", "advice")
    assert ["j1", "j2"] == day.in_line()


def test_a_visitor_is_sent_on_to_a_service_of_the_branch_other_than_its_own() -> None:
    day = BranchDay.staffed()
    day.join("j1", "cash")
    day.call_and_serve("1", "j1")
    for name, reason in (("cash", "INVALID_FIELD"), ("dance", "SERVICE_NOT_FOUND")):
        on = c.TransferTicket(*day.at("1"), J1, ServiceName(name))
        assert reason == day.refusal(on)
    day.send_on("1", "j1", "post")
    assert ("post", "cash") == (day.ticket("j1").service, day.contact("j1").facts.queue)


def test_nobody_is_sent_on_to_a_service_that_was_left_out() -> None:
    day = BranchDay.staffed()
    day.join("j1", "cash")
    day.join("j2", "advice")
    day.call_and_serve("1", "j1")
    plan = branches(*SERVICES[:2], branch("north", LINES[0]), *DESKS, version="b2")
    day.set_branches(plan)
    on = c.TransferTicket(*day.at("1"), J1, ServiceName("advice"))
    assert "SERVICE_NOT_FOUND" == day.refusal(on)


def test_a_ticket_goes_to_another_queue_by_a_transfer_only() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    away = c.RequeueContact(PLATFORM, J1, QueueName("advice"))
    assert "INVALID_FIELD" == day.refusal(away)
    day.next("1")
    day.give(c.RequeueContact(PLATFORM, J1))
    assert (TicketState.WAITING, "") == (day.state("j1"), day.ticket("j1").desk)
    assert ["j1"] == day.in_line()
