"""WalkInService: what came of commands as replies, and what a branch offers."""

from tests.router import branch_kit as kit
from tests.router.branch_kit import CASH_MS, HOUR_MS, NORTH, BranchDay

from usher.queue import commands as c
from usher.queue.branches import Calendar
from usher.queue.values import SYSTEM, ContactId
from usher.router.service.wire import walk_in_answers as answers
from usher.v1 import ticket_pb2
from usher.v1 import walk_in_service_pb2 as pb

ENDED = ticket_pb2.TICKET_STATE_ENDED


def offered(day: BranchDay) -> pb.ListServicesResponse:
    """What the branch offers now."""
    encoded = answers.services_reply(NORTH, day.at_ms, day.pool)
    return pb.ListServicesResponse.FromString(encoded)


def joined(day: BranchDay, contact_id: str) -> pb.JoinLineResponse:
    """The answer to a kiosk at this moment."""
    encoded = answers.join_answer(ContactId(contact_id), day.pool, ())
    return pb.JoinLineResponse.FromString(encoded)


def test_the_answer_to_a_join_has_the_ticket_and_its_place() -> None:
    day = BranchDay.staffed("1")
    for n in range(3):
        day.join(f"j{n}")
    reply = joined(day, "j2")
    assert ("A003", 3) == (reply.ticket.number, reply.standing.position)
    assert reply.standing.HasField("wait") and reply.standing.wait.p90.ToMilliseconds() > CASH_MS
    assert day.pool.position == reply.position


def test_a_repeat_is_answered_with_what_the_ticket_has_become() -> None:
    day = BranchDay.staffed("1")
    day.join("j0")
    day.call("1", "j0")
    reply = joined(day, "j0")
    assert (ticket_pb2.TICKET_STATE_CALLED, "1", 0) == (
        reply.ticket.state,
        reply.ticket.desk,
        reply.standing.position,
    )


def test_a_ticket_that_leaves_the_pool_with_the_batch_is_answered_as_ended() -> None:
    day = BranchDay.staffed("1", policy_=kit.rules(ended_kept_ms=0))
    day.join("j0")
    day.call_and_serve("1", "j0")
    day.at_ms = kit.LEFT_END_MS + 1
    day.pool.take_changes()
    day.finish("1", "j0")  # too late to be kept at all
    assert ContactId("j0") not in day.pool.ledger.tickets
    answer = answers.ticket_answer(pb.FinishServingResponse, ContactId("j0"))
    reply = pb.FinishServingResponse.FromString(answer(day.pool, ()))
    assert ("A001", ENDED) == (reply.ticket.number, reply.ticket.state)
    day.pool.take_changes()
    gone = joined(day, "j0")
    assert ("j0", ENDED, 0) == (gone.ticket.ticket_id, gone.ticket.state, gone.standing.position)


def test_call_next_answers_with_the_ticket_of_its_own_command() -> None:
    day = BranchDay.staffed()
    day.join("j0")
    day.join("j1")
    events = day.give(c.CallNext(*day.at("1")))
    day.give(c.CallNext(*day.at("2")))
    reply = pb.CallNextResponse.FromString(answers.call_next_answer(day.pool, events))
    assert ("j0", "1") == (reply.ticket.ticket_id, reply.ticket.desk)
    nobody = pb.CallNextResponse.FromString(answers.call_next_answer(day.pool, ()))
    assert not nobody.HasField("ticket") and day.pool.position == nobody.position


def test_only_the_desk_that_has_the_visitor_is_told_the_attributes() -> None:
    day = BranchDay.staffed()
    day.join("j0")
    ledger, contact_id = day.pool.ledger, ContactId("j0")
    assert not answers.is_at_desk(ledger, contact_id, "north", "1")
    day.call("1", "j0")
    assert answers.is_at_desk(ledger, contact_id, "north", "1")
    assert not answers.is_at_desk(ledger, contact_id, "north", "2")
    day.serve("1", "j0")
    day.finish("1", "j0")
    assert not answers.is_at_desk(ledger, contact_id, "north", "1")
    assert not answers.is_at_desk(ledger, ContactId("nobody"), "north", "1")


def test_a_branch_tells_its_services_line_by_line() -> None:
    day = BranchDay.begun()
    day.join("j0")
    reply = offered(day)
    told = [(one.service, one.line, one.waiting, one.desks) for one in reply.services]
    assert [("cash", "a", 1, 0), ("post", "a", 1, 0), ("advice", "b", 0, 0)] == told
    assert not any(one.HasField("wait") for one in reply.services)  # no desk is open
    assert CASH_MS == reply.services[0].usual.ToMilliseconds()
    assert ("north", "Europe/Berlin", day.pool.position) == (
        reply.branch,
        reply.time_zone,
        reply.position,
    )


def test_a_branch_tells_when_it_closes_and_when_it_opens() -> None:
    day = BranchDay.begun()
    reply = offered(day)
    assert reply.open and not reply.HasField("open_time")
    assert kit.OPEN_UNTIL_MS == reply.close_time.ToMilliseconds()
    day.at_ms = kit.OPEN_UNTIL_MS
    reply = offered(day)
    assert not reply.open and not reply.HasField("close_time")
    assert kit.DAY_BEGINS_MS + 24 * HOUR_MS == reply.open_time.ToMilliseconds()
    day.at_ms = kit.DAY_BEGINS_MS + 100 * HOUR_MS
    assert not offered(day).HasField("open_time")  # beyond the calendar
    day.give(c.SetCalendar(SYSTEM, Calendar(())))
    assert not offered(day).open


def test_what_is_no_longer_given_is_not_offered() -> None:
    day = BranchDay.begun()
    day.join("j0", "advice")
    without = kit.branches(*kit.SERVICES[:2], kit.branch("north", kit.LINES[0]), *kit.DESKS)
    day.set_branches(without)
    assert ["cash", "post"] == [one.service for one in offered(day).services]
