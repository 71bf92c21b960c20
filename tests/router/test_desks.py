"""Who sits at a desk, and which ticket is called to it."""

import pytest
from tests.router.branch_kit import (
    ANN,
    BOB,
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
)
from tests.router.pool_kit import PLATFORM, SUPERVISOR, person

from usher.queue import commands as c
from usher.queue.events import OfferMade
from usher.queue.tickets import TicketState, VisitOutcome
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
