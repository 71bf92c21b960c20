"""Visitors come and go by themselves: joining a line, its numbers, leaving it."""

import pytest
from tests.router.branch_kit import (
    ANN,
    BOB,
    DATES,
    DAY_MS,
    DESKS,
    HOUR_MS,
    KIOSK,
    LEFT_END_MS,
    LINES,
    MINUTE_MS,
    NORTH,
    OPEN_UNTIL_MS,
    PLAN,
    SERVICES,
    BranchDay,
    branch,
    branches,
    calendar,
    line,
    rules,
)
from tests.router.pool_kit import PLATFORM, START_MS, policy, queue

from usher.queue import commands as c
from usher.queue.branches import BranchDays, Calendar, ServiceDay
from usher.queue.rules import Order
from usher.queue.tickets import NEEDS_MAX, PARTY_MAX, Place, TicketState, VisitOutcome
from usher.queue.values import SYSTEM, ContactId


def leave(contact_id: str) -> c.LeaveLine:
    return c.LeaveLine(KIOSK, ContactId(contact_id))


# numbers


def test_a_visitor_gets_the_next_number_of_the_services_line() -> None:
    day = BranchDay.begun()
    assert ["A001", "A002", "B100", "A003"] == [
        day.join("j1", "cash").label,
        day.join("j2", "post").label,
        day.join("j3", "advice").label,
        day.join("j4", "cash").label,
    ]
    ticket = day.ticket("j2")
    assert ("north", "a", "post", DATES[0], 2) == (
        ticket.branch,
        ticket.line,
        ticket.service,
        ticket.date,
        ticket.number,
    )
    assert TicketState.WAITING is day.state("j2")
    assert "kiosk" == day.contact("j2").platform


def test_a_number_beyond_the_width_of_its_line_is_shown_whole() -> None:
    short = branch("north", line("a", "cash", "post", width=2, start=99), LINES[1])
    day = BranchDay.begun(plan=branches(*SERVICES, short, *DESKS))
    assert ["99", "100"] == [day.join("j1").label, day.join("j2").label]


def test_lines_of_two_branches_count_for_themselves() -> None:
    plan = branches(*SERVICES, branch("north", *LINES), branch("south", *LINES), *DESKS)
    day = BranchDay.begun(plan=plan)
    assert ["A001", "A001", "A002"] == [
        day.join("j1").label,
        day.join("j2", branch="south").label,
        day.join("j3").label,
    ]


def test_numbers_begin_anew_with_a_service_day_and_not_before() -> None:
    day = BranchDay.begun()
    day.join("j1")
    day.at_ms = OPEN_UNTIL_MS - 1
    assert ("A002", DATES[0]) == (day.join("j2").label, day.ticket("j2").date)
    day.at_ms = START_MS - HOUR_MS + DAY_MS
    assert ("A001", DATES[1]) == (day.join("j3").label, day.ticket("j3").date)


def test_numbers_go_on_over_a_restart_and_a_new_version_of_the_branches() -> None:
    day = BranchDay.begun()
    day.join("j1")
    day.restart()
    day.set_branches(branches(*SERVICES, branch("north", *LINES, title="North"), *DESKS))
    assert "A002" == day.join("j2").label


def test_a_line_that_was_renamed_gives_no_number_that_a_live_ticket_shows() -> None:
    day = BranchDay.begun()
    day.join("j1")
    day.join("j2")
    renamed = line("x", "cash", "post", prefix="A")
    day.set_branches(branches(*SERVICES, branch("north", renamed, LINES[1]), *DESKS))
    day.give(leave("j2"))
    assert ["A002", "A003"] == [day.join("j3").label, day.join("j4", "post").label]
    day.restart()
    assert "A004" == day.join("j5").label
    day.wait(DAY_MS)
    assert "A001" == day.join("k1").label


def test_lines_that_swap_their_prefixes_go_past_each_others_live_tickets() -> None:
    day = BranchDay.begun()
    for name in ("j1", "j2", "j3"):
        day.join(name)
    swapped = line("a", "cash", "post", prefix="B"), line("b", "advice", prefix="A", start=2)
    day.set_branches(branches(*SERVICES, branch("north", *swapped), *DESKS))
    assert ["A004", "B004"] == [day.join("j4", "advice").label, day.join("j5").label]


def test_a_date_that_goes_back_goes_on_in_the_later_series() -> None:
    day = BranchDay.begun()
    day.join("j1")
    days = calendar().branches[0].days
    earlier = ServiceDay("2026-03-01", *(getattr(days[0], name) for name in _REST))
    day.give(c.SetCalendar(SYSTEM, Calendar((BranchDays(NORTH, (earlier, *days[1:])),))))
    ticket = day.join("j2")
    assert (DATES[0], 2, "A002") == (ticket.date, ticket.number, ticket.label)
    assert LEFT_END_MS == ticket.closes_ms


_REST = ("starts_ms", "ends_ms", "closes_ms", "openings")


# join


def test_a_repeated_join_is_the_same_ticket_and_changes_nothing() -> None:
    day = BranchDay.begun()
    first = day.join("j1")
    before = day.pool.ledger.parts()[1:]
    assert () == day.give(day.joining("j1"))
    assert before == day.pool.ledger.parts()[1:]
    assert first == day.ticket("j1")
    assert "A002" == day.join("j2").label


def test_a_repeated_join_is_the_same_ticket_after_a_restart_and_after_its_end() -> None:
    day = BranchDay.begun()
    first = day.join("j1")
    day.restart()
    assert () == day.give(day.joining("j1"))
    assert first == day.ticket("j1")
    day.give(leave("j1"))
    assert () == day.give(day.joining("j1"))
    assert VisitOutcome.LEFT is day.outcome("j1")


def test_an_ended_ticket_is_known_until_its_day_is_over() -> None:
    day = BranchDay.begun(rules(ended_kept_ms=0))
    first = day.join("j1")
    day.give(leave("j1"))
    day.wait(LEFT_END_MS - 1 - day.at_ms)
    assert () == day.give(day.joining("j1"))
    assert first == day.ticket("j1")
    day.wait(1)
    assert {} == day.pool.ledger.tickets


def test_a_repeated_join_is_the_same_ticket_whatever_became_of_branch_and_clock() -> None:
    day = BranchDay.staffed()
    first = day.join("j1", "post")
    day.set_branches(branches(SERVICES[2], version="b2"))
    assert () == day.give(day.joining("j1", "post", kiosk_ms=0))
    assert first == day.ticket("j1")
    day.wait(OPEN_UNTIL_MS - day.at_ms)
    assert () == day.give(day.joining("j1", "post"))


def test_a_repeated_join_is_the_same_ticket_after_a_transfer() -> None:
    day = BranchDay.staffed()
    day.join("j1", "cash")
    day.call_and_serve("1", "j1")
    day.send_on("1", "j1", "advice")
    assert () == day.give(day.joining("j1", "cash"))
    assert "A001" == day.ticket("j1").label


def test_a_join_id_that_is_something_else_is_refused() -> None:
    day = BranchDay.staffed(plan=branches(*SERVICES, *PLAN.branches, branch("s", *LINES), *DESKS))
    day.enqueue("chat", "chats", "chat")
    day.join("j1")
    day.give(
        c.ServeWithoutTicket(*day.at("1"), day.joining("w1").contact, day.ticket("j1").service)
    )
    for command in (
        day.joining("chat"),
        day.joining("j1", "advice"),
        day.joining("j1", branch="s"),
        day.joining("w1"),
    ):
        assert "JOIN_ID_REUSED" == day.refusal(command)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"branch": "nowhere"}, "BRANCH_NOT_FOUND"),
        ({"service_name": "dance"}, "SERVICE_NOT_FOUND"),
        ({"party_size": 0}, "INVALID_FIELD"),
        ({"party_size": PARTY_MAX + 1}, "INVALID_FIELD"),
        ({"needs": ("wheelchair",) * (NEEDS_MAX + 1)}, "INVALID_FIELD"),
        ({"kiosk_ms": START_MS - 16 * MINUTE_MS}, "KIOSK_CLOCK_WRONG"),
        ({"kiosk_ms": START_MS + 3 * HOUR_MS}, "KIOSK_CLOCK_WRONG"),
    ],
)
def test_a_wrong_join_has_its_reason(more: dict[str, object], reason: str) -> None:
    day = BranchDay.begun()
    assert reason == day.refusal(day.joining("j1", **more))


def test_a_kiosk_clock_within_the_branches_tolerance_is_good_enough() -> None:
    day = BranchDay.begun()
    assert "A001" == day.join("j1", kiosk_ms=START_MS - 15 * MINUTE_MS).label
    assert "A002" == day.join("j2", kiosk_ms=START_MS + 15 * MINUTE_MS).label


def test_a_closed_branch_gives_no_tickets_and_says_when_it_opens() -> None:
    day = BranchDay.begun()
    day.at_ms = OPEN_UNTIL_MS
    assert "BRANCH_CLOSED" == day.refusal(day.joining("j1"))
    day.at_ms = START_MS + 4 * DAY_MS
    assert "BRANCH_CLOSED" == day.refusal(day.joining("j1"))


def test_a_ticket_has_what_the_visitor_asked_for() -> None:
    day = BranchDay.begun()
    ticket = day.join("j1", party_size=3, needs=("wheelchair",), languages=("fr",), waited_ms=9)
    assert (3, ("wheelchair",)) == (ticket.party_size, ticket.needs)
    facts = day.contact("j1").facts
    assert ("cash", "walk_in", ("fr",), 9) == (
        facts.queue,
        facts.channel,
        facts.languages,
        facts.waited_ms,
    )


# limits


def limited(most_waiting: int) -> BranchDay:
    one = queue("cash", channels=("walk_in",), order=Order.FCFS, most_waiting=most_waiting)
    plan = branches(SERVICES[0], branch("north", line("a", "cash", prefix="A")), *DESKS)
    return BranchDay.staffed(policy_=policy(one), plan=plan, agents=(ANN, BOB))


def test_no_more_wait_at_a_branch_than_its_queue_allows() -> None:
    day = limited(3)
    for number in range(3):
        day.join(f"j{number}")
    assert "QUEUE_FULL" == day.refusal(day.joining("j3"))
    assert () == day.give(day.joining("j2"))
    day.next("1")
    assert "A004" == day.join("j3").label


def test_with_most_waiting_0_only_who_finds_a_free_desk_may_join() -> None:
    day = limited(0)
    day.join("j1")
    day.join("j2")
    assert "QUEUE_FULL" == day.refusal(day.joining("j3"))
    day.next("1")
    assert "QUEUE_FULL" == day.refusal(day.joining("j3"))
    day.next("2")
    assert "QUEUE_FULL" == day.refusal(day.joining("j3"))
    day.serve("1", "j1")
    day.finish("1", "j1")
    assert "A003" == day.join("j3").label


def test_a_desk_whose_clerk_may_not_serve_them_takes_nobody_off_the_line() -> None:
    needing = policy(
        *(
            queue(
                each.name, order=each.order, requirements=each.requirements, most_waiting=0, level=1
            )
            for each in rules().queues[:2]
        )
    )
    day = BranchDay.begun(policy_=needing, seats={"1": "bob"})
    assert "QUEUE_FULL" == day.refusal(day.joining("j1", "advice"))
    assert "A001" == day.join("j2", "cash").label


def test_a_full_pool_gives_no_tickets() -> None:
    day = BranchDay.begun(rules(contacts_max=1))
    day.join("j1")
    assert "POOL_FULL" == day.refusal(day.joining("j2"))
    assert () == day.give(day.joining("j1"))


def test_a_queue_that_was_left_out_takes_no_visitors() -> None:
    day = BranchDay.begun()
    day.give(c.SetPolicy(SYSTEM, policy(queue("chats"), version="p2")))
    assert "QUEUE_NOT_FOUND" == day.refusal(day.joining("j1"))


# leaving


def test_who_leaves_has_left_and_is_nobodys_no_show() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.join("j2")
    day.next("1")
    day.give(leave("j1"))
    day.give(leave("j2"))
    assert [VisitOutcome.LEFT] * 2 == [day.outcome("j1"), day.outcome("j2")]
    assert {} == day.agent("ann").legs
    assert [] == day.in_line()


def test_who_is_served_does_not_leave_the_line() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.call_and_serve("1", "j1")
    assert "TICKET_STATE" == day.refusal(leave("j1"))


def test_what_is_no_live_ticket_cannot_be_left() -> None:
    day = BranchDay.begun()
    day.join("j1")
    day.give(leave("j1"))
    day.enqueue("chat", "chats", "chat")
    assert "TICKET_ENDED" == day.refusal(leave("j1"))
    assert "TICKET_NOT_FOUND" == day.refusal(leave("chat"))
    assert "TICKET_NOT_FOUND" == day.refusal(leave("j9"))


# the end of the day


def test_who_waits_or_is_called_when_the_day_closes_ends_with_it() -> None:
    day = BranchDay.staffed()
    for name in ("waits", "called", "served"):
        day.join(name)
    day.wait(LEFT_END_MS - day.at_ms - 1)
    day.call("1", "called")
    day.call_and_serve("2", "served")
    day.wait(1)
    assert VisitOutcome.CLOSED is day.outcome("waits")
    assert (VisitOutcome.CLOSED, "end_of_day") == (
        day.outcome("called"),
        day.contact("called").reason,
    )
    assert {} == day.agent("ann").legs
    assert TicketState.SERVING is day.state("served")
    day.finish("2", "served")
    assert VisitOutcome.SERVED is day.outcome("served")


def test_who_goes_back_to_a_line_that_has_closed_ends_at_once() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.join("j2")
    day.call_and_serve("1", "j1")
    day.call_and_serve("2", "j2")
    day.wait(LEFT_END_MS - day.at_ms)
    day.put_back("1", "j1", Place.FIRST)
    day.send_on("2", "j2", "advice")
    assert [VisitOutcome.CLOSED] * 2 == [day.outcome("j1"), day.outcome("j2")]


def test_tickets_that_end_and_leave_the_pool_at_one_moment_are_called_no_more() -> None:
    day = BranchDay.staffed(policy_=rules(ended_kept_ms=0))
    day.join("j1")
    day.wait(LEFT_END_MS - day.at_ms)
    assert {} == day.pool.ledger.tickets
    assert "" == day.next("1")
    assert [] == day.in_line()


def test_a_platform_that_has_lost_its_tickets_ends_them() -> None:
    day = BranchDay.begun()
    day.join("j1")
    day.join("j2")
    live = (ContactId("j2"),)
    day.give(c.SyncContacts(KIOSK, day.contact("j1").facts.channel, day.pool.position, live))
    assert VisitOutcome.LOST is day.outcome("j1")
    assert ["j2"] == day.in_line()


def test_a_ticket_that_is_cancelled_was_removed() -> None:
    day = BranchDay.begun()
    day.join("j1")
    day.give(c.CancelContact(PLATFORM, ContactId("j1"), "test"))
    assert VisitOutcome.REMOVED is day.outcome("j1")
