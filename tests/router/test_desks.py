"""Who sits at a desk, and which ticket is called to it."""

import pytest
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
    desk,
    rules,
)
from tests.router.pool_kit import PLATFORM, SUPERVISOR, channel, person, roster

from usher.queue import commands as c
from usher.queue.events import OfferMade, OfferWithdrawn
from usher.queue.rules import Connects
from usher.queue.tickets import Place, TicketState, VisitOutcome
from usher.queue.values import (
    SYSTEM,
    AgentId,
    ContactId,
    Found,
    LegState,
    Presence,
)

J1 = ContactId("j1")


def lose(day: BranchDay, agent_id: str) -> None:
    day.give(c.LoseSession(SYSTEM, AgentId(agent_id), day.agent(agent_id).session))


# who sits where


def test_an_agent_who_is_signed_in_sits_down_and_gets_up() -> None:
    day = BranchDay.begun()
    day.sit("ann", "1")
    assert "ann" == day.sits_at("1")
    assert () == day.sit("ann", "1")
    day.give(c.CloseDesk(*day.at("1")))
    assert "" == day.sits_at("1")
    assert {} == day.pool.ledger.desk_of


def test_who_sits_down_at_another_desk_leaves_the_first() -> None:
    day = BranchDay.staffed("1")
    day.sit("ann", "2")
    assert ("", "ann") == (day.sits_at("1"), day.sits_at("2"))


def test_a_desk_where_somebody_sits_is_taken() -> None:
    day = BranchDay.staffed("1")
    bob = c.OpenDesk(person("bob"), NORTH, "1", 1, AgentId("bob"))
    assert "DESK_TAKEN" == day.refusal(bob)
    day.give(c.SetPresence(PLATFORM, AgentId("ann"), 0, Presence.NOT_READY, "lunch"))
    assert "DESK_TAKEN" == day.refusal(bob)


def test_nobody_changes_desks_with_a_visitor_there() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.next("1")
    away = c.OpenDesk(person("ann"), NORTH, "2", 1, AgentId("ann"))
    for command in (away, c.CloseDesk(*day.at("1"))):
        assert "DESK_BUSY" == day.refusal(command)
    day.serve("1", "j1")
    for command in (away, c.CloseDesk(*day.at("1"))):
        assert "DESK_BUSY" == day.refusal(command)
    day.finish("1", "j1")
    day.sit("ann", "2")


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (("nowhere", "1", 0, "bob"), "BRANCH_NOT_FOUND"),
        (("north", "9", 0, "bob"), "DESK_NOT_FOUND"),
        (("north", "2", 0, "zoe"), "AGENT_NOT_FOUND"),
        (("north", "2", 7, "bob"), "SESSION_SUPERSEDED"),
    ],
)
def test_who_or_what_is_not_there_cannot_be_seated(at: tuple[object, ...], reason: str) -> None:
    day = BranchDay.staffed("1")
    assert reason == day.refusal(c.OpenDesk(PLATFORM, *at))  # type: ignore[arg-type]


def test_who_is_not_signed_in_sits_at_no_desk() -> None:
    day = BranchDay.begun()
    day.give(c.SignOut(PLATFORM, AgentId("bob"), 0))
    assert "AGENT_NOT_SIGNED_IN" == day.refusal(c.OpenDesk(PLATFORM, NORTH, "1", 0, AgentId("bob")))


def test_a_desk_command_is_for_who_sits_there() -> None:
    day = BranchDay.staffed("1")
    assert "DESK_TAKEN" == day.refusal(c.CallNext(person("bob"), NORTH, "1", 1))
    assert "INVALID_FIELD" == day.refusal(c.CallNext(person("ann"), NORTH, "1", 0))
    assert "SESSION_SUPERSEDED" == day.refusal(c.CallNext(person("ann"), NORTH, "1", 9))
    assert () == day.give(c.CallNext(PLATFORM, NORTH, "1", 0))


def test_a_desk_that_is_not_open_does_nothing() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    for command in (
        c.CallNext(PLATFORM, NORTH, "2", 0),
        c.CallTicket(PLATFORM, NORTH, "2", 0, J1),
        c.StartServing(PLATFORM, NORTH, "2", 0, J1),
        c.ServeWithoutTicket(
            PLATFORM, NORTH, "2", 0, day.joining("w1").contact, day.ticket("j1").service
        ),
        c.CloseDesk(PLATFORM, NORTH, "2", 0),
    ):
        assert "DESK_NOT_OPEN" == day.refusal(command)


def test_an_unknown_desk_or_branch_has_its_reason_whatever_is_asked_of_it() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.next("1")
    kinds = (c.CallTicket, c.RecallTicket, c.StartServing, c.MarkNoShow, c.ReturnTicket)
    for kind in kinds:
        assert "DESK_NOT_FOUND" == day.refusal(kind(PLATFORM, NORTH, "9", 0, J1))
        assert "BRANCH_NOT_FOUND" == day.refusal(kind(PLATFORM, "nowhere", "1", 0, J1))  # type: ignore[arg-type]


def test_signing_out_leaves_the_desk_and_with_a_visitor_once_that_has_gone() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.call_and_serve("1", "j1")
    for name in ("ann", "bob"):
        day.give(c.SignOut(person(name), AgentId(name), 1))
    assert ("ann", "") == (day.sits_at("1"), day.sits_at("2"))
    assert "DESK_NOT_OPEN" == day.refusal(c.CallNext(*day.at("1")))
    day.finish("1", "j1")
    assert "" == day.sits_at("1")
    assert Presence.OFFLINE is day.agent("ann").presence


def test_a_clerk_who_drains_still_serves_whom_it_has_called() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.join("j2")
    day.next("1")
    day.give(c.SignOut(person("ann"), AgentId("ann"), 1))
    day.serve("1", "j1")
    assert TicketState.SERVING is day.state("j1")
    assert "DESK_NOT_OPEN" == day.refusal(c.StartServing(*day.at("1"), ContactId("j2")))
    day.finish("1", "j1")
    assert "" == day.sits_at("1")


def test_a_lost_desktop_keeps_its_visitor_and_goes_on_when_it_is_back() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.join("j2")
    day.call_and_serve("1", "j1")
    lose(day, "ann")
    day.wait(MINUTE_MS)
    assert TicketState.SERVING is day.state("j1")
    assert "DESK_NOT_OPEN" == day.refusal(c.CallNext(PLATFORM, NORTH, "1", 0))
    day.sign_in("ann")
    assert "ann" == day.sits_at("1")
    day.finish("1", "j1")
    assert "j2" == day.next("1")


def test_for_a_lost_desktop_a_supervisor_may_say_what_became_of_the_visitor() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.next("1")
    lose(day, "ann")
    at = (SUPERVISOR, NORTH, "1", 0, J1)
    day.give(c.StartServing(*at))
    assert TicketState.SERVING is day.state("j1")
    day.give(c.FinishServing(*at, VisitOutcome.SERVED))
    assert VisitOutcome.SERVED is day.outcome("j1")


def test_the_desk_of_a_lost_desktop_is_free_for_somebody_else_once_its_visitor_has_gone() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.call_and_serve("1", "j1")
    lose(day, "ann")
    bob = c.OpenDesk(person("bob"), NORTH, "1", 1, AgentId("bob"))
    assert "DESK_BUSY" == day.refusal(bob)
    day.give(c.ReturnTicket(SUPERVISOR, NORTH, "1", 0, J1))
    day.give(bob)
    assert "bob" == day.sits_at("1")
    assert "j1" == day.next("1")
    day.sign_in("ann")
    assert AgentId("ann") not in day.pool.ledger.desk_of


def test_who_has_signed_out_has_no_desk_to_be_taken_over() -> None:
    day = BranchDay.staffed("1")
    day.give(c.SignOut(person("ann"), AgentId("ann"), 1))
    day.sit("bob", "1")
    assert "bob" == day.sits_at("1")


# calls


def test_a_call_is_an_offer_its_acceptance_and_the_ticket_at_the_desk_in_one_record() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.at_ms += 9 * SECOND_MS
    events = day.give(c.CallNext(*day.at("1")))
    assert ["OfferMade", "OfferAccepted", "TicketCalled"] == [type(e).__name__ for e in events]
    ticket, owner = day.ticket("j1"), day.contact("j1").owner
    assert ("north/1", 1, day.at_ms) == (ticket.desk, ticket.calls, ticket.called_ms)
    assert owner is not None
    assert ("ann", LegState.JOINING, Found.FCFS, 2) == (
        owner.agent_id,
        owner.state,
        owner.found,
        owner.price,
    )
    assert TicketState.CALLED is day.state("j1")


def test_nobody_to_call_is_no_error() -> None:
    day = BranchDay.staffed("1", "2")
    assert "" == day.next("1")
    day.join("j1", "advice")
    assert "" == day.next("2")


def test_of_two_desks_at_once_one_gets_the_ticket_and_the_other_the_next() -> None:
    day = BranchDay.staffed()
    for name in ("j1", "j2", "j3"):
        day.join(name)
    for number in ("1", "2"):
        day.accept(c.CallNext(*day.at(number)))
    day.settle()
    assert ["north/1", "north/2", ""] == [day.ticket(j).desk for j in ("j1", "j2", "j3")]


def test_of_two_desks_that_call_one_ticket_the_second_is_told_where_it_is() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    day.accept(c.CallTicket(*day.at("1"), J1))
    assert "TICKET_AT_ANOTHER_DESK" == day.refusal(c.CallTicket(*day.at("2"), J1))
    assert "TICKET_STATE" == day.refusal(c.CallTicket(*day.at("1"), J1))


def test_a_ticket_is_never_offered_by_the_match() -> None:
    day = BranchDay.staffed()
    for name in ("j1", "j2", "j3"):
        day.join(name, after_ms=MINUTE_MS)
    made = [e for each in day.records for e in each.events if isinstance(e, OfferMade)]
    assert [] == made
    assert not day.pool.needs_match


def test_a_desk_calls_for_its_own_services_alone() -> None:
    desks = (desk("north", "1", "post"), desk("north", "2"))
    day = BranchDay.staffed(plan=branches(*SERVICES, branch("north", *LINES), *desks))
    day.join("j1", "cash")
    day.join("j2", "post")
    assert "SKILL_MISSING" == day.refusal(c.CallTicket(*day.at("1"), J1))
    assert "j2" == day.next("1")
    assert "j1" == day.next("2")


def test_a_clerk_calls_only_whom_it_has_skills_and_languages_for() -> None:
    french = clerk("bob", languages=("fr",))
    day = BranchDay.staffed(agents=(ANN, french))
    day.join("j1", "advice")
    day.join("j2", "cash", languages=("de",))
    for name in ("j1", "j2"):
        assert "SKILL_MISSING" == day.refusal(c.CallTicket(*day.at("2"), ContactId(name)))
    assert "" == day.next("2")
    day.join("j3", "cash", languages=("de", "FR"))
    assert "j3" == day.next("2")
    assert "j1" == day.next("1")


def test_who_serves_no_visitors_calls_none() -> None:
    chats = clerk("bob", channels={"chat": (1, 2, 0)})
    day = BranchDay.staffed(agents=(ANN, chats))
    day.join("j1")
    for command in (c.CallNext(*day.at("2")), c.CallTicket(*day.at("2"), J1)):
        assert "SKILL_MISSING" == day.refusal(command)


def test_a_desk_with_a_visitor_calls_no_other() -> None:
    day = BranchDay.staffed(agents=(clerk("ann", units=9), BOB))
    day.join("j1")
    day.join("j2")
    day.next("1")
    for _ in ("called", "served"):
        assert "DESK_BUSY" == day.refusal(c.CallNext(*day.at("1")))
        assert "DESK_BUSY" == day.refusal(c.CallTicket(*day.at("1"), ContactId("j2")))
        day.serve("1", "j1")
    day.finish("1", "j1")
    assert "j2" == day.next("1")


def test_what_cannot_be_called_has_its_reason() -> None:
    plan = branches(
        *SERVICES, branch("north", *LINES), branch("south", *LINES), *DESKS, desk("south", "1")
    )
    day = BranchDay.staffed(plan=plan)
    day.join("gone")
    day.give(c.LeaveLine(PLATFORM, ContactId("gone")))
    day.join("south", branch="south")
    day.enqueue("chat", "chats", "chat")
    for name, reason in (
        ("gone", "TICKET_ENDED"),
        ("south", "TICKET_NOT_FOUND"),
        ("chat", "TICKET_NOT_FOUND"),
        ("j9", "TICKET_NOT_FOUND"),
    ):
        for kind in (c.CallTicket, c.StartServing):
            assert reason == day.refusal(kind(*day.at("1"), ContactId(name)))
    assert "" == day.next("1")


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
