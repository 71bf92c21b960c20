"""Calls and the rest of a clerk's work: shared staff, the grace of a call, what was left out."""

from tests.router.branch_kit import (
    ANN,
    BOB,
    CLERK,
    DESKS,
    LINES,
    MINUTE_MS,
    NORTH,
    SECOND_MS,
    SERVICES,
    BranchDay,
    branch,
    branches,
    clerk,
    rules,
)
from tests.router.pool_kit import PLATFORM, channel, person, roster

from usher.queue import commands as c
from usher.queue.events import OfferWithdrawn
from usher.queue.rules import Connects
from usher.queue.tickets import Place, TicketState, VisitOutcome
from usher.queue.values import (
    AgentId,
    ContactId,
    Presence,
)

J1 = ContactId("j1")


# shared staff


def test_a_call_takes_back_open_offers_that_no_longer_fit_newest_first() -> None:
    day = BranchDay.staffed("1", agents=(clerk("ann", units=3),))
    day.enqueue("chat1", "chats", "chat")
    day.at_ms += SECOND_MS
    day.enqueue("chat2", "chats", "chat")
    assert ["ann"] * 2 == [day.owner_of("chat1"), day.owner_of("chat2")]
    day.join("j1")
    events = day.give(c.CallNext(*day.at("1")))
    assert [("chat2", "no_room")] == [
        (e.contact_id, e.reason) for e in events if isinstance(e, OfferWithdrawn)
    ]
    assert ["ann", "ann", ""] == [day.owner_of(one) for one in ("j1", "chat1", "chat2")]
    assert {} == day.agent("ann").missed


def test_live_work_that_leaves_no_room_refuses_a_call() -> None:
    day = BranchDay.staffed("1", agents=(ANN,))
    day.join("j1")
    day.take(day.enqueue("chat", "chats", "chat"))
    for command in (c.CallNext(*day.at("1")), c.CallTicket(*day.at("1"), J1)):
        assert "DESK_BUSY" == day.refusal(command)
    day.complete("chat")
    assert "j1" == day.next("1")


def test_a_clerk_with_a_visitor_gets_no_chats_and_gets_them_again_afterwards() -> None:
    day = BranchDay.staffed("1", agents=(ANN,))
    day.join("j1")
    day.next("1")
    day.enqueue("chat", "chats", "chat")
    assert "" == day.owner_of("chat")
    day.serve("1", "j1")
    assert "" == day.owner_of("chat")
    day.finish("1", "j1")
    assert "ann" == day.owner_of("chat")


def test_a_clerk_with_room_beside_a_visitor_gets_a_chat() -> None:
    day = BranchDay.staffed("1", agents=(clerk("ann", units=3),))
    day.join("j1")
    day.call_and_serve("1", "j1")
    day.enqueue("chat1", "chats", "chat")
    day.enqueue("chat2", "chats", "chat")
    assert ["ann", ""] == [day.owner_of("chat1"), day.owner_of("chat2")]


def test_a_clerk_who_takes_no_chats_now_may_still_call() -> None:
    day = BranchDay.staffed("1")
    day.give(c.SetPresence(person("ann"), AgentId("ann"), 1, Presence.NOT_READY, "visitors"))
    day.join("j1")
    assert "j1" == day.next("1")


# the grace of a call


def test_who_does_not_come_within_the_grace_is_a_no_show_and_no_miss_of_the_clerk() -> None:
    day = BranchDay.staffed("1", agents=(ANN,))
    day.join("j1")
    before = day.agent("ann").idle_since_ms
    day.next("1")
    day.wait(3 * MINUTE_MS - 1)
    assert TicketState.CALLED is day.state("j1")
    day.wait(1)
    assert VisitOutcome.NO_SHOW is day.outcome("j1")
    ann = day.agent("ann")
    assert ({}, {}, Presence.READY, before) == (
        ann.missed,
        ann.legs,
        ann.presence,
        ann.idle_since_ms,
    )


def test_the_grace_is_the_branchs_or_else_the_channels() -> None:
    plan = branches(*SERVICES, branch("north", *LINES, grace_ms=9 * SECOND_MS), *DESKS)
    day = BranchDay.staffed("1", plan=plan)
    day.join("j1")
    day.next("1")
    day.wait(9 * SECOND_MS)
    assert VisitOutcome.NO_SHOW is day.outcome("j1")


def test_a_recall_is_one_more_call_with_a_new_grace() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.next("1")
    day.give(c.RecallTicket(*day.at("1"), J1), after_ms=2 * MINUTE_MS)
    assert (2, day.at_ms) == (day.ticket("j1").calls, day.ticket("j1").called_ms)
    day.wait(3 * MINUTE_MS - 1)
    assert TicketState.CALLED is day.state("j1")
    day.wait(1)
    assert VisitOutcome.NO_SHOW is day.outcome("j1")


def test_only_the_desk_that_has_called_a_ticket_recalls_it() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    assert "TICKET_STATE" == day.refusal(c.RecallTicket(*day.at("1"), J1))
    day.next("1")
    assert "TICKET_AT_ANOTHER_DESK" == day.refusal(c.RecallTicket(*day.at("2"), J1))
    day.serve("1", "j1")
    assert "TICKET_STATE" == day.refusal(c.RecallTicket(*day.at("1"), J1))


def test_an_outage_moves_the_grace_of_a_called_ticket() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.next("1")
    day.join("j2", after_ms=MINUTE_MS)
    day.restart(2 * MINUTE_MS)
    day.wait(2 * MINUTE_MS - 1)
    assert TicketState.CALLED is day.state("j1")
    day.wait(1)
    assert VisitOutcome.NO_SHOW is day.outcome("j1")


def test_a_visitor_may_get_several_graces_where_the_policy_says_so() -> None:
    again = channel(
        connects=Connects.CONNECT,
        failures_max=2,
        failure_is_no_show=True,
        lost_grace_ms=None,
        joining_limit_ms=MINUTE_MS,
    )
    day = BranchDay.staffed(policy_=rules(channels={"walk_in": again}))
    day.join("j1")
    day.next("1")
    day.wait(MINUTE_MS)
    assert (TicketState.WAITING, "") == (day.state("j1"), day.ticket("j1").desk)
    assert "" == day.next("1"), "the desk that called in vain is not asked again for a while"
    assert "j1" == day.next("2")
    day.wait(MINUTE_MS)
    assert VisitOutcome.NO_SHOW is day.outcome("j1")


# what a later version leaves out


def test_a_clerk_whom_the_roster_leaves_out_ends_its_visit_and_calls_no_more() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.join("j2")
    day.call_and_serve("1", "j1")
    day.set_roster(roster(BOB, version="r2"))
    day.finish("1", "j1")
    for command in (c.CallNext(*day.at("1")), c.CallTicket(*day.at("1"), ContactId("j2"))):
        assert "AGENT_CLOSED" == day.refusal(command)
    day.sit("bob", "2")
    assert "j2" == day.next("2")
    day.set_roster(roster(BOB, version="r3"))
    assert "" == day.sits_at("1")


def test_a_clerk_whom_the_roster_leaves_out_keeps_its_desk_only_while_a_visitor_is_there() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.call_and_serve("1", "j1")
    day.set_roster(roster(BOB, version="r2"))
    sitting = c.OpenDesk(PLATFORM, NORTH, "1", 0, BOB.agent_id)
    assert "DESK_BUSY" == day.refusal(sitting)
    day.finish("1", "j1")
    day.give(sitting)
    assert "bob" == day.sits_at("1")
    assert AgentId("ann") not in day.pool.ledger.desk_of


def test_a_clerk_gets_the_room_of_the_new_roster() -> None:
    day = BranchDay.staffed("1", agents=(ANN,))
    day.join("j1")
    day.take(day.enqueue("chat", "chats", "chat"))
    day.set_roster(roster(clerk("ann", "advice", units=3, channels=CLERK), version="r2"))
    assert "j1" == day.next("1")


def test_a_returned_ticket_is_called_again_with_a_new_leg() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.next("1")
    day.put_back("1", "j1", Place.FIRST)
    assert "j1" == day.next("2")
    owner = day.contact("j1").owner
    assert owner is not None and ("j1.2", "bob") == (owner.leg_id, owner.agent_id)
    assert 2 == day.ticket("j1").calls
