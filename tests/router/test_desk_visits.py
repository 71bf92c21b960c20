"""What becomes of a visitor at a desk: served, sent back or on, not come, come without ticket."""

import pytest
from msgspec.structs import replace
from tests.router.branch_kit import (
    BOB,
    HOUR_MS,
    LINES,
    MINUTE_MS,
    OPEN_UNTIL_MS,
    PLAN,
    SECOND_MS,
    BranchDay,
    branch,
    branches,
    clerk,
    desk,
    rules,
    visitor,
)
from tests.router.pool_kit import PLATFORM, channel, policy

from usher.queue import commands as c
from usher.queue.branches import BranchName, ServiceName
from usher.queue.events import OfferWithdrawn
from usher.queue.rules import Connects, Order
from usher.queue.tickets import CLERKS_OUTCOMES, TicketState, VisitOutcome
from usher.queue.values import (
    AgentId,
    ContactId,
    Found,
    LegState,
    Outcome,
    Urgency,
)

J1 = ContactId("j1")


def with_wrap_up(wrap_up_ms: int) -> BranchDay:
    connects = channel(connects=Connects.CONNECT, wrap_up_ms=wrap_up_ms, lost_grace_ms=None)
    prices = {"walk_in": (2, 1, 2), "chat": (1, 2, 0)}
    return BranchDay.staffed(
        policy_=rules(channels={"walk_in": connects}), agents=(clerk("ann", channels=prices), BOB)
    )


# served


def test_a_visitor_who_comes_is_served_and_its_wait_has_ended() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.at_ms += MINUTE_MS
    day.call("1", "j1")
    day.at_ms += 20 * SECOND_MS
    day.serve("1", "j1")
    contact = day.contact("j1")
    assert TicketState.SERVING is day.state("j1")
    assert (MINUTE_MS + 20 * SECOND_MS, day.at_ms) == (contact.waited_ms, contact.answered_ms)
    assert () == day.serve("1", "j1")


def test_a_visitor_who_comes_uncalled_is_served_whatever_the_skill_or_room() -> None:
    day = BranchDay.staffed(agents=(clerk("ann"), BOB))
    day.take(day.enqueue("chat", "chats", "chat"))
    day.join("j1", "advice")
    desk = "1" if day.owner_of("chat") == "ann" else "2"
    day.serve(desk, "j1")
    assert (TicketState.SERVING, f"north/{desk}") == (day.state("j1"), day.ticket("j1").desk)
    assert 3 == day.agent(day.sits_at(desk)).units_used
    assert [] == day.in_line()


def test_a_visitor_who_comes_takes_offers_back_that_no_longer_fit() -> None:
    day = BranchDay.staffed("1")
    day.give(c.SignOut(PLATFORM, AgentId("bob"), 0))
    day.enqueue("chat", "chats", "chat")
    day.join("j1")
    events = day.serve("1", "j1")
    assert ["chat"] == [e.contact_id for e in events if isinstance(e, OfferWithdrawn)]
    assert "" == day.owner_of("chat")


def test_a_visitor_who_goes_to_another_desk_than_called_to_is_served_there() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.call("1", "j1")
    day.serve("2", "j1")
    assert ("bob", "north/2") == (day.owner_of("j1"), day.ticket("j1").desk)
    assert {} == day.agent("ann").legs


def test_who_is_served_at_one_desk_is_not_served_at_another() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.call_and_serve("1", "j1")
    assert "TICKET_AT_ANOTHER_DESK" == day.refusal(c.StartServing(*day.at("2"), J1))


@pytest.mark.parametrize("outcome", CLERKS_OUTCOMES)
def test_a_visit_ends_with_the_clerks_word(outcome: VisitOutcome) -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.call_and_serve("1", "j1")
    day.finish("1", "j1", outcome=outcome, disposition="paid", resolved=True)
    assert outcome is day.outcome("j1")
    contact = day.contact("j1")
    assert ("paid", True, Outcome.COMPLETED) == (
        contact.disposition,
        contact.resolved,
        contact.outcome,
    )


@pytest.mark.parametrize("outcome", [one for one in VisitOutcome if one not in CLERKS_OUTCOMES])
def test_what_is_not_the_clerks_to_say_is_no_outcome(outcome: VisitOutcome) -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.call_and_serve("1", "j1")
    assert "INVALID_FIELD" == day.refusal(c.FinishServing(*day.at("1"), J1, outcome))


def test_only_who_is_served_here_can_be_finished() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    served = VisitOutcome.SERVED
    assert "TICKET_STATE" == day.refusal(c.FinishServing(*day.at("1"), J1, served))
    day.call("1", "j1")
    assert "TICKET_STATE" == day.refusal(c.FinishServing(*day.at("1"), J1, served))
    day.serve("1", "j1")
    assert "TICKET_AT_ANOTHER_DESK" == day.refusal(c.FinishServing(*day.at("2"), J1, served))
    day.finish("1", "j1")
    assert "TICKET_ENDED" == day.refusal(c.FinishServing(*day.at("1"), J1, served))


def test_wrap_up_after_a_visit_holds_the_clerk_as_its_price_says() -> None:
    day = with_wrap_up(MINUTE_MS)
    day.join("j1")
    day.join("j2")
    day.call_and_serve("1", "j1")
    day.finish("1", "j1")
    assert LegState.WRAPPING is day.contact("j1").legs[0].state
    assert "DESK_BUSY" == day.refusal(c.CallNext(*day.at("1")))
    day.wait(MINUTE_MS)
    assert "j2" == day.next("1")


# not come


def test_who_is_marked_has_not_come_and_the_clerk_has_missed_nothing() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.next("1")
    day.give(c.MarkNoShow(*day.at("1"), J1))
    assert (VisitOutcome.NO_SHOW, "marked") == (day.outcome("j1"), day.contact("j1").reason)
    assert ({}, {}) == (day.agent("ann").missed, day.agent("ann").legs)
    assert "TICKET_ENDED" == day.refusal(c.StartServing(*day.at("1"), J1))


def test_only_who_was_called_here_can_be_marked() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    assert "TICKET_STATE" == day.refusal(c.MarkNoShow(*day.at("1"), J1))
    day.call("1", "j1")
    assert "TICKET_AT_ANOTHER_DESK" == day.refusal(c.MarkNoShow(*day.at("2"), J1))
    day.serve("1", "j1")
    assert "TICKET_STATE" == day.refusal(c.MarkNoShow(*day.at("1"), J1))


# without a ticket


def without(day: BranchDay, number: str, name: str = "w1", asked: str = "cash") -> c.AnyCommand:
    return c.ServeWithoutTicket(*day.at(number), visitor(name), ServiceName(asked))


def test_a_visitor_without_a_ticket_is_served_and_takes_no_number() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.give(without(day, "1"))
    ticket = day.ticket("w1")
    assert (0, "", "north/1", "a") == (ticket.number, ticket.label, ticket.desk, ticket.line)
    assert TicketState.SERVING is day.state("w1")
    assert "DESK_BUSY" == day.refusal(c.CallNext(*day.at("1")))
    day.finish("1", "w1")
    assert VisitOutcome.SERVED is day.outcome("w1")
    assert "A002" == day.join("j2").label


def test_serving_without_a_ticket_is_a_fact_that_room_skill_and_hours_do_not_refuse() -> None:
    day = BranchDay.staffed()
    day.at_ms = OPEN_UNTIL_MS + 2 * HOUR_MS
    day.give(without(day, "2", "w1", "advice"))
    day.give(without(day, "2", "w2"))
    assert ["bob", "bob"] == [day.owner_of("w1"), day.owner_of("w2")]
    assert 4 == day.agent("bob").units_used


def test_a_visit_without_a_ticket_takes_offers_back() -> None:
    day = BranchDay.staffed("1")
    day.give(c.SignOut(PLATFORM, AgentId("bob"), 0))
    day.enqueue("chat", "chats", "chat")
    day.give(without(day, "1"))
    assert "" == day.owner_of("chat")


def test_a_repeated_visit_without_a_ticket_is_the_same_one() -> None:
    day = BranchDay.staffed()
    day.give(without(day, "1"))
    assert () == day.give(without(day, "1"))
    assert "JOIN_ID_REUSED" == day.refusal(without(day, "2"))
    day.join("j1")
    assert "JOIN_ID_REUSED" == day.refusal(without(day, "1", "j1"))


def test_a_visit_without_a_ticket_names_a_service_of_the_branch() -> None:
    day = BranchDay.staffed()
    assert "SERVICE_NOT_FOUND" == day.refusal(without(day, "1", asked="dance"))
    wrong = c.ServeWithoutTicket(*day.at("1"), visitor("w1"), ServiceName("cash"), 0)
    assert "INVALID_FIELD" == day.refusal(wrong)


# facts of a platform


def test_a_platform_that_connects_a_ticket_puts_it_at_the_agents_desk() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.connect("j1", "bob")
    assert (TicketState.SERVING, "north/2") == (day.state("j1"), day.ticket("j1").desk)
    day.connect("j1", "ann")
    assert ("ann", "north/1") == (day.owner_of("j1"), day.ticket("j1").desk)
    day.finish("1", "j1")
    assert VisitOutcome.SERVED is day.outcome("j1")


def test_a_visitor_with_an_agent_at_no_desk_may_come_to_one() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.call("1", "j1")
    day.connect("j1", "bob")
    assert ("bob", "") == (day.owner_of("j1"), day.ticket("j1").desk)
    assert "TICKET_AT_ANOTHER_DESK" == day.refusal(
        c.FinishServing(*day.at("1"), J1, VisitOutcome.SERVED)
    )
    day.serve("1", "j1")
    assert ("ann", "north/1") == (day.owner_of("j1"), day.ticket("j1").desk)


def test_a_visitor_with_an_agent_at_another_branch_is_at_no_desk() -> None:
    south = branch("south", *LINES), desk("south", "1")
    plan = branches(*PLAN.services, *PLAN.branches, *PLAN.desks, *south)
    day = BranchDay.staffed("1", plan=plan)
    day.give(c.OpenDesk(PLATFORM, BranchName("south"), "1", 0, AgentId("bob")))
    day.join("j1")
    day.call("1", "j1")
    day.connect("j1", "bob")
    assert ("bob", "") == (day.owner_of("j1"), day.ticket("j1").desk)
    day.sit("bob", "2")
    day.serve("2", "j1")
    assert ("bob", "north/2") == (day.owner_of("j1"), day.ticket("j1").desk)


def test_a_visit_may_be_held_and_completed_by_a_platform() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.call_and_serve("1", "j1")
    day.give(c.HoldContact(PLATFORM, J1))
    assert TicketState.SERVING is day.state("j1")
    day.complete("j1")
    assert VisitOutcome.SERVED is day.outcome("j1")


def test_a_call_that_fails_puts_the_ticket_to_its_rule() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.next("1")
    day.give(c.ConnectFailed(PLATFORM, J1, "walked_off"))
    assert VisitOutcome.NO_SHOW is day.outcome("j1")


def test_a_lost_desktop_gives_its_visitor_back_where_the_policy_says_so() -> None:
    soon = channel(connects=Connects.CONNECT, lost_grace_ms=5 * SECOND_MS)
    day = BranchDay.staffed(policy_=rules(channels={"walk_in": soon}))
    day.join("j1")
    day.call_and_serve("1", "j1")
    day.give(c.LoseSession(PLATFORM, AgentId("ann"), 1))
    day.wait(5 * SECOND_MS)
    assert (TicketState.WAITING, "") == (day.state("j1"), day.ticket("j1").desk)
    assert "j1" == day.next("2")


def test_in_score_order_the_best_score_is_called_first_and_stands_with_the_call() -> None:
    scored = tuple(replace(each, order=Order.SCORE) for each in rules().queues)
    day = BranchDay.staffed(policy_=policy(*scored))
    day.join("j1")
    day.join("j2", after_ms=SECOND_MS, urgency=Urgency(tier=10))
    day.join("j3", after_ms=SECOND_MS)
    assert "j2" == day.next("1")
    assert "j1" == day.next("2")
    urgent, other = day.contact("j2").owner, day.contact("j1").owner
    assert urgent is not None and other is not None
    assert (Found.COLUMN, Found.COLUMN) == (urgent.found, other.found)
    assert urgent.score > other.score > 0
