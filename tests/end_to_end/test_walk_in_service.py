"""WalkInService over real gRPC: the way of a visitor through every method."""

import asyncio
import time
from pathlib import Path

import grpc
import pytest
from msgspec.structs import replace
from tests.end_to_end.open_branch import open_branch, plan
from tests.router import branch_kit as kit

from usher.queue.journal.memory import MemoryJournal
from usher.v1 import router_service_pb2 as router_pb
from usher.v1 import ticket_pb2
from usher.v1 import walk_in_service_pb2 as pb

pytestmark = [pytest.mark.asyncio, pytest.mark.branch]

CODE = grpc.StatusCode
WAITING = ticket_pb2.TICKET_STATE_WAITING
CALLED = ticket_pb2.TICKET_STATE_CALLED
SERVING = ticket_pb2.TICKET_STATE_SERVING
ENDED = ticket_pb2.TICKET_STATE_ENDED
ZOE = {"name": "Zoe"}


async def test_a_visit_from_the_kiosk_to_the_end() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        joined = await hall.join("j1", party_size=2, needs=["stairs"], attributes=ZOE)
        called = await hall.next("1")
        again = (await hall.ask("RecallTicket", desk="1", ticket_id="j1")).ticket
        serving = (await hall.ask("StartServing", desk="1", ticket_id="j1")).ticket
        ended = await hall.finish("1", "j1", disposition="paid", resolved=True)
        contact = await hall.usher.router.GetContact(router_pb.GetContactRequest(contact_id="j1"))
    assert ("A001", 1, WAITING) == (
        joined.ticket.number,
        joined.standing.position,
        joined.ticket.state,
    )
    assert joined.standing.HasField("wait")
    states = [one.state for one in (called, again, serving, ended)]
    assert [CALLED, CALLED, SERVING, ENDED] == states
    assert [1, 2, 2, 2] == [one.calls for one in (called, again, serving, ended)]
    assert again.due_time.ToMilliseconds() > called.due_time.ToMilliseconds()
    assert (ticket_pb2.VISIT_OUTCOME_SERVED, 2, ["stairs"], "1") == (
        ended.outcome,
        ended.party_size,
        list(ended.needs),
        ended.desk,
    )
    assert ("paid", True) == (contact.contact.disposition, contact.contact.resolved)


async def test_attributes_go_to_the_desk_that_has_the_visitor_and_nowhere_else() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        joined = await hall.join("j1", attributes=ZOE)
        got = await hall.ask("GetTicket", ticket_id="j1")
        called = await hall.next("1", request_id="call")
        repeated = await hall.next("1", request_id="call")
        recalled = (await hall.ask("RecallTicket", desk="1", ticket_id="j1")).ticket
        serving = (await hall.ask("StartServing", desk="1", ticket_id="j1")).ticket
        ended = await hall.finish("1", "j1")
        late = await hall.next("1", request_id="call")
        journal = hall.usher.server.runner.journal
        remembered = await journal.request("call")
    told = [dict(one.attributes) for one in (called, repeated, recalled, serving)]
    assert [ZOE] * 4 == told
    untold = (joined.ticket, got.ticket, ended, late)
    assert [{}] * 4 == [dict(one.attributes) for one in untold]
    assert remembered is not None and b"Zoe" not in remembered.answer


async def test_the_same_join_id_is_the_same_ticket_whoever_asks_again() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        first = await hall.join("j1", request_id="j1", attributes=ZOE)
        same = await hall.join(
            "j1", request_id="j1", attributes=ZOE, kiosk_time={"seconds": int(time.time())}
        )
        other = await hall.join("j1", "post", attributes={"name": "Kim"})
        listed = await hall.ask("ListServices")
        called = await hall.next("1")
        third = await hall.join("j1")
    assert first == same
    assert first.ticket.number == other.ticket.number and first.position < other.position
    assert 1 == listed.services[0].waiting
    assert ZOE == dict(called.attributes)  # those of the first
    assert (CALLED, "1", 0) == (third.ticket.state, third.ticket.desk, third.standing.position)


async def test_the_first_attributes_stay_also_in_the_journal() -> None:
    journal = MemoryJournal()
    async with open_branch(journal=journal) as hall:
        await hall.join("j1", attributes=ZOE)
        await asyncio.gather(*(hall.join("j1", attributes={"name": f"{n}"}) for n in range(5)))
    async with open_branch(journal=journal) as hall:
        await hall.sit("ann", "1")
        assert ZOE == dict((await hall.next("1")).attributes)


async def test_a_join_is_the_same_after_a_restart(tmp_path: Path) -> None:
    async with open_branch(data_dir=tmp_path) as hall:
        first = await hall.join("j1", request_id="j1")
        second = await hall.join("j2")
    async with open_branch(data_dir=tmp_path) as hall:
        again = [await hall.join("j1", request_id="j1"), await hall.join("j2")]
        third = await hall.join("j3")
    numbers = [one.ticket.number for one in (first, second, *again, third)]
    assert ["A001", "A002", "A001", "A002", "A003"] == numbers


async def test_two_desks_at_once_get_two_tickets_and_a_third_nobody() -> None:
    async with open_branch() as hall:
        for desk, agent in (("1", "ann"), ("2", "bob")):
            await hall.sit(agent, desk)
        await hall.join("j1")
        await hall.join("j2")
        first, second = await asyncio.gather(hall.next("1"), hall.next("2"))
        await hall.ask("MarkNoShow", desk="1", ticket_id=first.ticket_id)
        nobody = await hall.ask("CallNext", desk="1")
    assert {"A001", "A002"} == {first.number, second.number}
    assert ["1", "2"] == [first.desk, second.desk]
    assert not nobody.HasField("ticket") and nobody.position > 0


async def test_a_desk_calls_what_its_clerk_may_serve() -> None:
    agents = kit.roster_of(kit.clerk("bob", languages=("de",)))
    async with open_branch(agents=agents) as hall:
        await hall.sit("bob", "2")
        await hall.join("j1", "advice")
        await hall.join("j2", languages=["fr"])
        await hall.join("j3", languages=["fr", "de"])
        assert "j3" == (await hall.next("2")).ticket_id


async def test_a_ticket_goes_back_first_or_last_and_on_to_another_service() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        for n in range(3):
            await hall.join(f"j{n}")
        await hall.next("1")
        back = await hall.ask("ReturnTicket", desk="1", ticket_id="j0", reason="papers")
        first = await hall.ask("GetTicket", ticket_id="j0")
        assert "j0" == (await hall.serve("1")).ticket_id
        last = pb.RETURN_PLACE_LAST
        await hall.ask("ReturnTicket", desk="1", ticket_id="j0", place=last)
        behind = await hall.ask("GetTicket", ticket_id="j0")
        await hall.serve("1")
        moved = await hall.ask("TransferTicket", desk="1", ticket_id="j1", service="advice")
        elsewhere = await hall.ask("GetTicket", ticket_id="j1")
    assert (WAITING, "", 1) == (back.ticket.state, back.ticket.desk, first.standing.position)
    assert (3, "A001") == (behind.standing.position, behind.ticket.number)
    assert ("advice", "A002", WAITING) == (
        moved.ticket.service,
        moved.ticket.number,
        moved.ticket.state,
    )
    assert 1 == elsewhere.standing.position
    assert first.ticket.waited.ToMilliseconds() >= 0


async def test_how_visits_end() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        for n in range(5):
            await hall.join(f"j{n}")
        await hall.ask("LeaveLine", ticket_id="j0")
        await hall.next("1")
        no_show = (await hall.ask("MarkNoShow", desk="1", ticket_id="j1")).ticket
        for join_id, outcome in (("j2", "UNRESOLVED"), ("j3", "REFERRED")):
            await hall.serve("1")
            number = ticket_pb2.VisitOutcome.Value(f"VISIT_OUTCOME_{outcome}")
            await hall.finish("1", join_id, outcome=number)
        cancel = router_pb.CancelContactRequest(request_id="x", contact_id="j4")
        await hall.usher.router.CancelContact(cancel)
        ended = [(await hall.ask("GetTicket", ticket_id=f"j{n}")).ticket for n in range(5)]
    outcomes = ["LEFT", "NO_SHOW", "UNRESOLVED", "REFERRED", "REMOVED"]
    names = [ticket_pb2.VisitOutcome.Name(one.outcome) for one in ended]
    assert [f"VISIT_OUTCOME_{outcome}" for outcome in outcomes] == names
    assert {ENDED} == {one.state for one in ended} and no_show == ended[1]
    assert all(one.HasField("end_time") for one in ended)


async def test_a_called_visitor_who_does_not_come_is_a_no_show_by_itself() -> None:
    quick = plan()
    quick = replace(quick, branches=(replace(quick.branches[0], grace_ms=100),))
    quick = replace(quick, desks=kit.DESKS)
    async with open_branch(branches=quick) as hall:
        await hall.sit("ann", "1")
        await hall.join("j1")
        await hall.next("1")
        stream = hall.watch("WatchTicket", ticket_id="j1")
        told = [message async for message in stream]
    assert ticket_pb2.VISIT_OUTCOME_NO_SHOW == told[-1].ticket.outcome


async def test_a_visit_without_a_ticket() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        asked = {"desk": "1", "join_id": "w1", "service": "advice", "customer_id": "kim"}
        visit = (await hall.ask("ServeWithoutTicket", **asked)).ticket
        same = (await hall.ask("ServeWithoutTicket", **asked)).ticket
        ended = await hall.finish("1", "w1")
    assert (SERVING, "", "1", "kim") == (visit.state, visit.number, visit.desk, visit.customer_id)
    assert visit.ticket_id == same.ticket_id and ENDED == ended.state


async def test_an_agent_speaks_for_itself_with_its_session() -> None:
    async with open_branch() as hall:
        session = await hall.sit("ann", "1")
        await hall.join("j1")
        without = await hall.refused("CallNext", "agent/ann", desk="1")
        stale = await hall.refused("CallNext", "agent/ann", desk="1", session=session + 1)
        other = await hall.refused("CallNext", "agent/bob", desk="1", session=session)
        ticket = await hall.next("1", actor="agent/ann", session=session)
    assert ["session"] == list(without.fields)
    assert "SESSION_SUPERSEDED" == stale.reason
    assert (CODE.FAILED_PRECONDITION, "DESK_TAKEN") == (other.code, other.reason)
    assert "j1" == ticket.ticket_id


async def test_a_branch_tells_what_it_offers() -> None:
    async with open_branch() as hall:
        closed_desks = await hall.ask("ListServices")
        await hall.sit("ann", "1")
        await hall.sit("bob", "2")
        for n in range(4):
            await hall.join(f"j{n}")
        reply = await hall.ask("ListServices")
        south = await hall.ask("ListServices", branch="south")
    assert [0, 0, 0] == [one.desks for one in closed_desks.services]
    told = {one.service: (one.line, one.waiting, one.desks) for one in reply.services}
    assert {"cash": ("a", 4, 2), "post": ("a", 4, 2), "advice": ("b", 0, 1)} == told
    cash = reply.services[0]
    assert cash.wait.p90.ToMilliseconds() > cash.wait.p50.ToMilliseconds() > 0
    assert kit.CASH_MS == cash.usual.ToMilliseconds()
    assert reply.open and not reply.HasField("close_time")  # by day and by night
    assert not south.open and not south.HasField("open_time")


async def test_a_desk_is_closed_and_taken_over() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        assert (await hall.ask("CloseDesk", desk="1")).position
        await hall.sit("bob", "1")
        taken = await hall.refused("OpenDesk", desk="1", agent_id="ann")
        assert (await hall.ask("OpenDesk", desk="2", agent_id="bob")).position  # moves over
        assert (await hall.ask("OpenDesk", desk="1", agent_id="ann")).position
    assert (CODE.FAILED_PRECONDITION, "DESK_TAKEN") == (taken.code, taken.reason)
    assert {"desk": "north/1", "agent_id": "bob", "state": "open"} == taken.facts
