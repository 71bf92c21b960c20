"""What WalkInService refuses over real gRPC: each with its code, its reason, and the facts."""

import time
from typing import Any

import grpc
import pytest
from msgspec.structs import replace
from tests.end_to_end.open_branch import open_branch, plan
from tests.end_to_end.served import refused
from tests.router import branch_kit as kit

from usher.queue.branches import Opening, WeekdayHours
from usher.v1 import ticket_pb2

pytestmark = [pytest.mark.asyncio, pytest.mark.branch]

CODE = grpc.StatusCode
WAITING = ticket_pb2.TICKET_STATE_WAITING
CALLED = ticket_pb2.TICKET_STATE_CALLED
SERVING = ticket_pb2.TICKET_STATE_SERVING
ENDED = ticket_pb2.TICKET_STATE_ENDED
ZOE = {"name": "Zoe"}


async def test_what_is_not_there_is_not_found() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        await hall.join("j1")
        refusals = [
            await hall.refused("ListServices", branch="west"),
            await hall.refused("JoinLine", branch="west", join_id="j", service="cash"),
            await hall.refused("JoinLine", join_id="j", service="cake"),
            await hall.refused("OpenDesk", desk="9", agent_id="ann"),
            await hall.refused("OpenDesk", desk="1", agent_id="nobody"),
            await hall.refused("CallNext", desk="9"),
            await hall.refused("CallNext", branch="west", desk="1"),
            await hall.refused("CallTicket", desk="1", ticket_id="j"),
            await hall.refused("GetTicket", ticket_id="j"),
            await hall.refused("LeaveLine", ticket_id="j"),
        ]
    assert {CODE.NOT_FOUND} == {refusal.code for refusal in refusals}
    assert [
        ("BRANCH_NOT_FOUND", {"branch": "west"}),
        ("BRANCH_NOT_FOUND", {"branch": "west"}),
        ("SERVICE_NOT_FOUND", {"branch": "north", "service": "cake"}),
        ("DESK_NOT_FOUND", {"branch": "north", "desk": "9"}),
        ("AGENT_NOT_FOUND", {"agent_id": "nobody"}),
        ("DESK_NOT_FOUND", {"branch": "north", "desk": "9"}),
        ("BRANCH_NOT_FOUND", {"branch": "west"}),
        ("TICKET_NOT_FOUND", {"ticket_id": "j"}),
        ("TICKET_NOT_FOUND", {"ticket_id": "j"}),
        ("TICKET_NOT_FOUND", {"ticket_id": "j"}),
    ] == [(refusal.reason, refusal.facts) for refusal in refusals]
    assert all(refusal.infos == 1 for refusal in refusals)


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("WatchTicket", {"ticket_id": "j"}),
        ("WatchBoard", {"branch": "west"}),
        ("WatchDesk", {"branch": "west", "desk": "1"}),
        ("WatchDesk", {"desk": "9"}),
    ],
)
async def test_a_watch_of_nothing_is_refused_at_once(method: str, fields: dict[str, Any]) -> None:
    async with open_branch() as hall:
        refusal = await refused(hall.watch(method, **fields).read())
    assert CODE.NOT_FOUND is refusal.code and refusal.reason.endswith("_NOT_FOUND")


async def test_a_closed_branch_says_when_it_opens() -> None:
    later = plan()
    opens = time.gmtime(time.time() + 2 * 3600)  # in two hours, if the zone were UTC
    south = replace(later.branches[1], time_zone="Etc/UTC", week=_half_hour(opens.tm_hour))
    later = replace(later, branches=(later.branches[0], south))
    async with open_branch(branches=later) as hall:
        refusal = await hall.refused("JoinLine", branch="south", join_id="j", service="cash")
        reply = await hall.ask("ListServices", branch="south")
    assert (CODE.FAILED_PRECONDITION, "BRANCH_CLOSED") == (refusal.code, refusal.reason)
    assert ("south", "closed") == (refusal.facts["branch"], refusal.facts["state"])
    assert 0 < int(refusal.facts["opens_in_ms"]) <= 24 * 3600 * 1000
    assert "south" in refusal.message and "PreconditionFailure" in refusal.details
    assert not reply.open and reply.open_time.ToMilliseconds() > time.time() * 1000


async def test_a_ticket_that_ended_says_how() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        await hall.join("j1")
        await hall.ask("LeaveLine", ticket_id="j1")
        refusals = [
            await hall.refused("LeaveLine", ticket_id="j1"),
            await hall.refused("CallTicket", desk="1", ticket_id="j1"),
            await hall.refused("StartServing", desk="1", ticket_id="j1"),
            await hall.refused("FinishServing", desk="1", ticket_id="j1"),
        ]
    assert {(CODE.FAILED_PRECONDITION, "TICKET_ENDED")} == {(r.code, r.reason) for r in refusals}
    facts = {"ticket_id": "j1", "state": "ended", "outcome": "left"}
    assert all(refusal.facts == facts and "A001" in refusal.message for refusal in refusals)


async def test_a_ticket_in_another_state_or_at_another_desk_says_so() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        await hall.sit("bob", "2")
        await hall.join("j1")
        waiting = await hall.refused("RecallTicket", desk="1", ticket_id="j1")
        await hall.serve("1")
        serving = await hall.refused("MarkNoShow", desk="1", ticket_id="j1")
        leaving = await hall.refused("LeaveLine", ticket_id="j1")
        elsewhere = await hall.refused("FinishServing", desk="2", ticket_id="j1")
        busy = await hall.refused("CloseDesk", desk="1")
        full = await hall.refused("CallNext", desk="1")
    assert ["TICKET_STATE"] * 3 == [one.reason for one in (waiting, serving, leaving)]
    assert ("waiting", "called") == (waiting.facts["state"], waiting.facts["needed"])
    assert ("TICKET_AT_ANOTHER_DESK", "north/1") == (elsewhere.reason, elsewhere.facts["desk"])
    assert ["DESK_BUSY"] * 2 == [busy.reason, full.reason]
    refusals = (waiting, serving, leaving, elsewhere, busy, full)
    assert {CODE.FAILED_PRECONDITION} == {refusal.code for refusal in refusals}


async def test_a_desk_that_is_not_open_or_lacks_the_skill_calls_nobody() -> None:
    async with open_branch() as hall:
        await hall.join("j1", "advice")
        not_open = await hall.refused("CallNext", desk="2")
        await hall.sit("bob", "2")
        unskilled = await hall.refused("CallTicket", desk="2", ticket_id="j1")
        await hall.sit("zoe", "3")
        chats_only = await hall.refused("CallNext", desk="3")
        offline = await hall.refused("OpenDesk", desk="1", agent_id="ann")
    assert ("DESK_NOT_OPEN", {"branch": "north", "desk": "2", "state": "nobody"}) == (
        not_open.reason,
        not_open.facts,
    )
    assert ["SKILL_MISSING"] * 2 == [unskilled.reason, chats_only.reason]
    assert ("bob", "advice") == (unskilled.facts["agent_id"], unskilled.facts["service"])
    assert "AGENT_NOT_SIGNED_IN" == offline.reason
    for refusal in (not_open, unskilled, chats_only, offline):
        assert CODE.FAILED_PRECONDITION is refusal.code


async def test_a_kiosk_clock_wrong_by_hours_is_told_by_how_much() -> None:
    async with open_branch() as hall:
        right = await hall.join("j1", kiosk_time=_time(-60))
        refusal = await hall.refused(
            "JoinLine", join_id="j2", service="cash", kiosk_time=_time(-3 * 3600)
        )
        ahead = await hall.refused(
            "JoinLine", join_id="j2", service="cash", kiosk_time=_time(3 * 3600)
        )
    assert "A001" == right.ticket.number
    assert (CODE.FAILED_PRECONDITION, "KIOSK_CLOCK_WRONG") == (refusal.code, refusal.reason)
    assert abs(int(refusal.facts["off_s"]) + 3 * 3600) < 60 and "behind" in refusal.message
    assert int(ahead.facts["off_s"]) > 3 * 3600 - 60 and "ahead" in ahead.message


async def test_a_join_id_that_is_something_else_is_refused() -> None:
    async with open_branch() as hall:
        async with hall.usher.client() as client:
            await client.enqueue("chats", "chat", contact_id="c1")
        await hall.join("j1", "cash")
        chat = await hall.refused("JoinLine", join_id="c1", service="cash")
        other_line = await hall.refused("JoinLine", join_id="j1", service="advice")
    for refusal in (chat, other_line):
        assert (CODE.ALREADY_EXISTS, "JOIN_ID_REUSED") == (refusal.code, refusal.reason)


async def test_a_request_id_of_another_request_is_refused() -> None:
    async with open_branch() as hall:
        await hall.join("j1", request_id="r")
        other = await hall.refused("JoinLine", request_id="r", join_id="j2", service="cash")
        private = await hall.refused(
            "JoinLine", request_id="r", join_id="j1", service="cash", attributes=ZOE
        )
    assert ["REQUEST_ID_REUSED"] * 2 == [other.reason, private.reason]


async def test_a_full_queue_says_so() -> None:
    limited = kit.rules()
    queues = tuple(
        replace(one, most_waiting=1) if one.name == "cash" else one for one in limited.queues
    )
    async with open_branch(replace(limited, queues=queues)) as hall:
        await hall.join("j1")
        refusal = await hall.refused("JoinLine", join_id="j2", service="cash")
    assert (CODE.RESOURCE_EXHAUSTED, "QUEUE_FULL") == (refusal.code, refusal.reason)
    assert refusal.retry_s > 0


async def test_wrong_fields_are_named() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        await hall.join("j1")
        await hall.serve("1")
        same = await hall.refused("TransferTicket", desk="1", ticket_id="j1", service="cash")
        outcome = await hall.refused(
            "FinishServing", desk="1", ticket_id="j1", outcome=ticket_pb2.VISIT_OUTCOME_LEFT
        )
        private = await hall.refused(
            "JoinLine", join_id="j2", service="cash", attributes={"a name": "Zoe"}
        )
    assert [["service"], ["outcome"], ["attributes"]] == [
        list(one.fields) for one in (same, outcome, private)
    ]
    assert {CODE.INVALID_ARGUMENT} == {one.code for one in (same, outcome, private)}
    assert "Zoe" not in private.message


async def test_a_pool_without_branches_has_none() -> None:
    async with open_branch(branches=kit.branches()) as hall:
        refusal = await hall.refused("JoinLine", join_id="j", service="cash")
        board = await refused(hall.watch("WatchBoard").read())
    assert ["BRANCH_NOT_FOUND"] * 2 == [refusal.reason, board.reason]


def _time(off_s: int) -> dict[str, int]:
    return {"seconds": int(time.time()) + off_s}


def _half_hour(hour: int) -> tuple[WeekdayHours, ...]:
    opening = Opening(hour * 60, hour * 60 + 30)
    return tuple(WeekdayHours(day, (opening,)) for day in range(7))
