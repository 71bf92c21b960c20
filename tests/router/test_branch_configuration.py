"""New branches and calendars over live tickets, seats and series: nothing in use is dropped."""

from tests.router.branch_kit import (
    ANN,
    BOB,
    DATES,
    DESKS,
    HOUR_MS,
    LEFT_END_MS,
    LINES,
    NORTH,
    PLAN,
    SERVICES,
    BranchDay,
    branch,
    branches,
    calendar,
    desk,
    line,
    rules,
    service,
)
from tests.router.pool_kit import (
    PLATFORM,
    Driven,
    person,
    policy,
    queue,
    replayed,
    roster,
    set_up,
    through_bytes,
)

from usher.queue import commands as c
from usher.queue.branches import BranchDays, Branches, BranchName, Calendar, Desk, DeskId
from usher.queue.events import AnyEvent
from usher.queue.ticket_events import TicketTaken
from usher.queue.tickets import TicketState, VisitOutcome
from usher.queue.values import SYSTEM, ContactId
from usher.router.pool import Pool

SOUTH = branches(SERVICES[2], branch("south", LINES[1]), desk("south", "1"), version="b2")
"""Leaves out the north with its desks, and the services cash and post."""


def plan_of(day: Driven) -> Branches:
    assert day.pool.ledger.plan is not None
    return day.pool.ledger.plan


def desks_of(day: Driven) -> dict[DeskId, bool]:
    return {one.desk_id: one.closed for one in plan_of(day).desks}


# branches


def test_without_visitors_a_new_version_is_taken_as_it_is() -> None:
    day = BranchDay.staffed()
    day.set_branches(SOUTH)
    assert SOUTH == plan_of(day)
    assert {} == day.pool.ledger.seats == day.pool.ledger.desk_of


def test_a_branch_left_out_stays_closed_with_its_desks_until_its_last_visitor_has_gone() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.set_branches(SOUTH)
    assert [("south", False), ("north", True)] == [
        (one.name, one.closed) for one in plan_of(day).branches
    ]
    assert [("advice", False), ("cash", True)] == [
        (one.name, one.closed) for one in plan_of(day).services
    ]
    assert {"south/1": False, "north/1": False, "north/2": False, "north/3": False} == desks_of(day)
    for asked in ("cash", "advice"):
        assert day.refusal(day.joining("j2", asked)) in ("BRANCH_CLOSED", "SERVICE_CLOSED")
    assert "j1" == day.next("2")
    day.serve("2", "j1")
    day.finish("2", "j1")
    assert VisitOutcome.SERVED is day.outcome("j1")
    day.set_branches(SOUTH)
    assert SOUTH == plan_of(day)
    assert {} == day.pool.ledger.seats


def test_a_desk_left_out_ends_its_visit_and_calls_no_more() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.join("j2")
    day.call_and_serve("1", "j1")
    day.set_branches(branches(*SERVICES, branch("north", *LINES), DESKS[1], version="b2"))
    assert {"north/2": False, "north/1": True} == desks_of(day)
    day.finish("1", "j1")
    assert "DESK_NOT_OPEN" == day.refusal(c.CallNext(*day.at("1")))
    taking = c.OpenDesk(PLATFORM, NORTH, "1", 0, BOB.agent_id)
    assert "DESK_NOT_OPEN" == day.refusal(taking)
    assert "j2" == day.next("2")
    day.set_branches(branches(*SERVICES, branch("north", *LINES), DESKS[1], version="b3"))
    assert {"north/2": False} == desks_of(day)
    assert "" == day.sits_at("1")


def test_a_desk_left_out_before_its_branch_calls_no_more() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.join("j2")
    day.call_and_serve("1", "j1")
    day.set_branches(branches(*SERVICES, branch("north", *LINES), DESKS[1], version="b2"))
    day.set_branches(SOUTH)
    assert {"south/1": False, "north/2": False, "north/1": True} == desks_of(day)
    day.finish("1", "j1")
    assert "DESK_NOT_OPEN" == day.refusal(c.CallNext(*day.at("1")))
    assert "j2" == day.next("2")


def test_a_branch_stays_while_a_desk_of_it_has_a_visitor_of_another() -> None:
    south = branch("south", *LINES), desk("south", "1")
    day = BranchDay.begun(plan=branches(*PLAN.services, *PLAN.branches, *PLAN.desks, *south))
    at_south = (person("ann"), BranchName("south"), "1", 1)
    day.give(c.OpenDesk(*at_south, ANN.agent_id))
    day.join("j1")
    day.connect("j1", "ann")
    taken = (TicketTaken(ContactId("j1"), DeskId("south/1")),)  # as older versions wrote
    day.pool.apply(taken, day.at_ms)
    day.set_branches(PLAN)
    assert [("north", False), ("south", True)] == [
        (one.name, one.closed) for one in plan_of(day).branches
    ]
    day.give(c.FinishServing(*at_south, ContactId("j1"), VisitOutcome.SERVED))
    day.set_branches(PLAN)
    assert PLAN == plan_of(day)
    assert {} == day.pool.ledger.seats


def test_a_desk_that_comes_back_is_as_before() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.next("1")
    day.set_branches(SOUTH)
    day.set_branches(PLAN)
    assert PLAN == plan_of(day)
    day.serve("1", "j1")
    day.finish("1", "j1")
    assert "A002" == day.join("j2").label
    assert "j2" == day.next("1")


def test_a_service_left_out_is_given_at_every_desk_to_those_who_wait_for_it() -> None:
    day = BranchDay.staffed()
    day.join("j1", "post")
    rest = branches(
        SERVICES[0],
        SERVICES[2],
        branch("north", line("a", "cash"), line("b", "advice", prefix="B")),
        desk("north", "1", "cash"),
        desk("north", "2", "advice"),
        version="b2",
    )
    day.set_branches(rest)
    assert "SERVICE_NOT_FOUND" == day.refusal(day.joining("j2", "post"))
    assert day.standings()["j1"].wait is not None
    assert "j1" == day.next("2")


def test_a_service_that_leaves_one_branch_is_given_there_to_those_who_wait_for_it() -> None:
    south = branch("south", *LINES), desk("south", "1")
    given = [desk("north", number, "cash", "post", "advice") for number in ("1", "2")]
    day = BranchDay.staffed(plan=branches(*SERVICES, branch("north", *LINES), *given, *south))
    day.join("j1", "advice")
    day.join("j2", "advice")
    less = [desk("north", number, "cash", "post") for number in ("1", "2")]
    north = branch("north", LINES[0])
    day.set_branches(branches(*SERVICES, north, *less, *south, version="b2"))
    assert day.standings()["j1"].wait is not None
    assert "SKILL_MISSING" == day.refusal(c.CallTicket(*day.at("2"), ContactId("j1")))  # bob's
    assert "j1" == day.next("1")
    day.serve("1", "j1")
    day.finish("1", "j1")
    day.call("1", "j2")


def test_numbers_go_on_where_the_line_stays_and_begin_where_it_is_new() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    other = branch("north", line("a", "cash", prefix="X", start=50), line("c", "post"))
    day.set_branches(branches(*SERVICES[:2], other, *DESKS, version="b2"))
    assert ["X002", "001"] == [day.join("j2").label, day.join("j3", "post").label]


def test_wrong_branches_change_nothing_and_say_what_is_wrong() -> None:
    day = BranchDay.staffed()
    wrong = branches(service("cash", "nowhere"), branch("north", line("a", "cash")))
    assert "POLICY_REFUSED" == day.refusal(c.SetBranches(SYSTEM, wrong))


def test_branches_may_come_before_policy_and_roster_of_an_empty_pool() -> None:
    day = Driven()
    opening, *_ = set_up(rules(), roster(ANN))
    day.give(opening)
    day.give(c.SetBranches(SYSTEM, PLAN))
    assert PLAN == plan_of(day)


def test_a_policy_that_leaves_out_a_queue_keeps_those_who_wait_in_it() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.give(c.SetPolicy(SYSTEM, policy(queue("chats"), version="p2")))
    assert ["j1"] == day.in_line()
    assert "j1" == day.next("1")


def test_a_new_roster_keeps_tickets_seats_and_places() -> None:
    day = BranchDay.staffed()
    for name in ("j1", "j2", "j3"):
        day.join(name)
    day.next("1")
    day.set_roster(roster(ANN, BOB, version="r2"))
    assert ["j2", "j3"] == day.in_line()
    assert ("ann", "bob") == (day.sits_at("1"), day.sits_at("2"))
    assert TicketState.CALLED is day.state("j1")
    assert "j2" == day.next("2")


# the calendar


def test_a_new_calendar_moves_the_closing_of_live_tickets_alone() -> None:
    day = BranchDay.staffed()
    day.join("gone")
    day.join("j1")
    day.give(c.LeaveLine(SYSTEM, ContactId("gone")))
    earlier = LEFT_END_MS - HOUR_MS
    day.give(c.SetCalendar(SYSTEM, calendar(closes_ms=earlier)))
    assert (earlier, LEFT_END_MS) == (
        day.ticket("j1").closes_ms,
        day.ticket("gone").closes_ms,
    )
    day.wait(earlier - day.at_ms)
    assert VisitOutcome.CLOSED is day.outcome("j1")


def test_a_closing_that_is_put_off_counts_from_then_on() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    later = LEFT_END_MS + HOUR_MS
    day.give(c.SetCalendar(SYSTEM, calendar(closes_ms=later)))
    day.wait(LEFT_END_MS - day.at_ms)
    assert TicketState.WAITING is day.state("j1")
    day.wait(HOUR_MS)
    assert VisitOutcome.CLOSED is day.outcome("j1")


def test_a_closing_in_the_past_ends_the_ticket_at_once() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.give(c.SetCalendar(SYSTEM, calendar(closes_ms=day.at_ms)), after_ms=1)
    assert VisitOutcome.CLOSED is day.outcome("j1")


def test_a_calendar_without_the_branch_or_the_day_leaves_tickets_as_they_are() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    rest = BranchDays(*(calendar().branches[0].branch, calendar().branches[0].days[1:]))
    for new in (Calendar(()), Calendar((rest,))):
        day.give(c.SetCalendar(SYSTEM, new))
        assert LEFT_END_MS == day.ticket("j1").closes_ms
        assert "BRANCH_CLOSED" == day.refusal(day.joining("j2"))


def test_a_ticket_closes_with_the_day_on_which_it_was_drawn_whatever_its_date() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    days = calendar().branches[0].days
    earlier = [type(one)(f"2026-02-0{at}", *_rest(one)) for at, one in enumerate(days, 1)]
    moved = Calendar((BranchDays(calendar().branches[0].branch, tuple(earlier)),))
    day.give(c.SetCalendar(SYSTEM, moved))
    ticket = day.join("j2")
    assert (DATES[0], LEFT_END_MS) == (ticket.date, ticket.closes_ms)
    day.give(c.SetCalendar(SYSTEM, calendar()))
    day.give(c.SetCalendar(SYSTEM, moved))
    assert LEFT_END_MS == day.ticket("j2").closes_ms


def _rest(day: object) -> list[object]:
    return [getattr(day, name) for name in ("starts_ms", "ends_ms", "closes_ms", "openings")]


def test_a_calendar_needs_branches() -> None:
    day = Driven()
    for command in set_up(rules(), roster(ANN)):
        day.give(command)
    assert "POOL_NOT_CONFIGURED" == day.refusal(c.SetCalendar(SYSTEM, calendar()))


# one state, however it is reached


def a_busy_day() -> BranchDay:
    """A day with tickets in all states, a replaced plan, an outage and a second day."""
    day = BranchDay.staffed(policy_=rules(ended_kept_ms=HOUR_MS))
    for number, asked in enumerate(("cash", "advice", "post", "cash", "cash", "post")):
        day.join(f"j{number}", asked, after_ms=1_000)
    day.next("1")
    day.call_and_serve("2", "j2")
    day.set_branches(SOUTH)
    day.restart(60_000)
    day.set_branches(PLAN)
    day.send_on("2", "j2", "advice")
    day.serve("1", day.pool.ledger.tickets[ContactId("j0")].contact_id)
    day.wait(LEFT_END_MS - day.at_ms)
    day.wait(13 * HOUR_MS)
    day.join("k1")
    return day


def test_live_replayed_and_restored_state_are_one_to_the_hash() -> None:
    day = a_busy_day()
    expected = day.pool.state_hash()
    records = through_bytes(day.records)
    assert expected == replayed(records).state_hash()
    pieces = list(day.pool.snapshot().pieces())
    assert expected == Pool.restore(pieces).state_hash()
    for cut in range(len(records)):
        early = replayed(records[:cut])
        restored = Pool.restore(list(early.snapshot().pieces()))
        assert early.state_hash() == restored.state_hash()
        assert early.next_deadline() == restored.next_deadline()
        assert expected == replayed(records, restored).state_hash()


def test_a_pool_that_is_read_back_decides_as_the_live_one_did() -> None:
    day = a_busy_day()
    again = Pool()
    for record in through_bytes(day.records):
        events: tuple[AnyEvent, ...] = again.execute(record.command, record.at_ms)
        assert record.events == events
        again.apply(events, record.at_ms)


def test_the_hash_tells_tickets_series_seats_and_calendars_apart() -> None:
    hashes = set()
    for change in (
        lambda day: None,
        lambda day: day.pool.ledger.series.clear(),
        lambda day: day.pool.ledger.seats.clear(),
        lambda day: day.pool.ledger.tickets.clear(),
        lambda day: day.pool.ledger.set_calendar(calendar(days=1)),
        lambda day: day.pool.ledger.set_branches(SOUTH),
    ):
        day = a_busy_day()
        change(day)
        hashes.add(day.pool.state_hash())
    assert 6 == len(hashes)


def test_a_seat_read_back_is_found_from_both_sides() -> None:
    day = BranchDay.staffed()
    restored = Pool.restore(list(day.pool.snapshot().pieces())).ledger
    assert day.pool.ledger.desk_of == restored.desk_of
    assert day.pool.ledger.seats == restored.seats
    assert {} != restored.desk_of
    assert isinstance(restored.desks[DeskId("north/1")], Desk)
