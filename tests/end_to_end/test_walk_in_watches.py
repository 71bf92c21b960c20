"""Watches of boards, tickets and desks: snapshot, numbered changes, resumption."""

import asyncio

import grpc
import pytest
from tests.end_to_end.open_branch import open_branch
from tests.end_to_end.watch_picture import (
    BOOKMARK,
    CALLED,
    CHANGES,
    LIMIT_S,
    QUICK,
    SNAPSHOT,
    Picture,
    anything,
    at_place,
    called,
    states,
)

from usher.router.service import look_watching
from usher.router.service.look_watching import News
from usher.v1 import ticket_pb2

pytestmark = [pytest.mark.asyncio, pytest.mark.branch]

SERVING = ticket_pb2.TICKET_STATE_SERVING
ENDED = ticket_pb2.TICKET_STATE_ENDED


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bookmarks and slight news come soon."""
    monkeypatch.setattr(look_watching, "TOLD_EVERY_S", QUICK)


# boards


async def test_a_board_starts_with_a_snapshot_and_goes_on_with_changes() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        await hall.join("j0")
        await hall.join("j1", "advice")
        await hall.next("1")
        board, stream = Picture(), hall.watch("WatchBoard")
        await board.until(stream, anything)
        assert [SNAPSHOT] == board.steps and {"A001": CALLED} == states(board)
        assert {"a": 0, "b": 1} == board.lines
        await hall.ask("RecallTicket", desk="1", ticket_id="j0")
        await board.until(stream, lambda one: one.rows["A001"].calls == 2)
        await hall.ask("StartServing", desk="1", ticket_id="j0")
        await board.until(stream, lambda one: one.rows["A001"].state == SERVING)
        ended = await hall.ask("FinishServing", desk="1", ticket_id="j0")
        await board.until(stream, lambda one: not one.rows)
        stream.cancel()
    assert {CHANGES} == set(board.steps[1:])
    assert ended.position == board.position


async def test_a_board_tells_numbers_and_desks_and_nothing_of_people() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        stream = hall.watch("WatchBoard")
        messages = [await stream.read()]
        await hall.join("secret-join-id", attributes={"name": "Zoe"}, customer_id="kim")
        await hall.next("1")
        while not messages[-1].rows:
            messages.append(await stream.read())
        stream.cancel()
    told = b"".join(message.SerializeToString() for message in messages)
    assert b"A001" in told
    for private in (b"secret", b"Zoe", b"kim", b"ann"):
        assert private not in told


async def test_many_boards_are_told_the_same() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        boards = [(Picture(), hall.watch("WatchBoard")) for _ in range(20)]
        for board, stream in boards:
            await board.until(stream, anything)
        for n in range(5):
            await hall.join(f"j{n}")
            await hall.serve("1")
            await hall.finish("1", f"j{n}")
        await hall.join("j5")
        await hall.next("1")
        for board, stream in boards:
            await board.until(stream, called("A006"))
            stream.cancel()
    assert 1 == len({str(board.state()) for board, _ in boards})


async def test_a_board_of_another_branch_hears_nothing(quick: None) -> None:
    async with open_branch() as hall:
        board, stream = Picture(), hall.watch("WatchBoard", branch="south")
        await board.until(stream, anything)
        last = (await hall.join("j0")).position
        await board.until(stream, lambda one: one.position >= last)
        stream.cancel()
    assert [SNAPSHOT] == board.steps and {"a": 0, "b": 0} == board.lines


async def test_a_cut_board_goes_on_where_it_was() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        await hall.sit("bob", "2")
        whole, cut = Picture(), Picture()
        everything = hall.watch("WatchBoard")
        for n in range(12):
            await hall.join(f"j{n}", "cash" if n % 3 else "post")
            stream = hall.watch("WatchBoard", token=cut.token)
            desk = "12"[n % 2]
            ticket = await hall.next(desk)
            await cut.until(stream, called(ticket.number))
            stream.cancel()
            await hall.ask("StartServing", desk=desk, ticket_id=ticket.ticket_id)
            await hall.finish(desk, ticket.ticket_id)
        await hall.join("last")
        stream = hall.watch("WatchBoard", token=cut.token)
        await hall.next("1")
        for picture, source in ((cut, stream), (whole, everything)):
            await picture.until(source, called("A013"))
            await picture.until(source, lambda one: one.lines["a"] == 0)
            source.cancel()
    assert [SNAPSHOT] == [head.step for head in cut.heads if head.step not in (CHANGES, BOOKMARK)]
    assert whole.state() == cut.state()
    assert ["A013"] == list(cut.rows)


async def test_a_board_that_missed_nothing_is_told_nothing_when_it_resumes(quick: None) -> None:
    async with open_branch() as hall:
        await hall.join("j0")
        board, stream = Picture(), hall.watch("WatchBoard")
        await board.until(stream, anything)
        stream.cancel()
        async with hall.usher.client() as client:
            await client.enqueue("chats", "chat", contact_id="c1")
        stream = hall.watch("WatchBoard", token=board.token)
        await board.until(stream, lambda one: one.heads[-1].step == BOOKMARK)
        assert [SNAPSHOT] == board.steps and {"a": 1, "b": 0} == board.lines
        await hall.join("j1")
        await board.until(stream, lambda one: one.lines["a"] == 2)
        stream.cancel()
    assert [SNAPSHOT, CHANGES] == board.steps


# tickets


async def test_a_phone_follows_its_ticket_until_it_has_ended(quick: None) -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        for n in range(3):
            await hall.join(f"j{n}", attributes={"name": "Zoe"})
        phone, stream = Picture(), hall.watch("WatchTicket", ticket_id="j2")
        for n in range(3):
            await phone.until(stream, at_place(3 - n))
            await hall.serve("1")
            if n < 2:
                await hall.finish("1", f"j{n}")
        await phone.until(stream, lambda one: one.tickets["j2"].state == SERVING)
        await hall.finish("1", "j2")
        await phone.until(stream, lambda one: one.tickets["j2"].state == ENDED)
        async with asyncio.timeout(LIMIT_S):
            rest, code = await stream.read(), await stream.code()
    assert (grpc.aio.EOF, grpc.StatusCode.OK) == (rest, code)
    assert ticket_pb2.VISIT_OUTCOME_SERVED == phone.tickets["j2"].outcome
    assert {} == dict(phone.tickets["j2"].attributes)
    assert SNAPSHOT == phone.steps[0] and {CHANGES} == set(phone.steps[1:])


async def test_a_ticket_that_has_ended_is_told_and_the_stream_is_over() -> None:
    async with open_branch() as hall:
        await hall.join("j0")
        waiting = Picture()
        stream = hall.watch("WatchTicket", ticket_id="j0")
        await waiting.until(stream, anything)
        stream.cancel()
        await hall.ask("LeaveLine", ticket_id="j0")
        for token in ("", waiting.token):
            stream = hall.watch("WatchTicket", ticket_id="j0", token=token)
            messages = [message async for message in stream]
            assert [ticket_pb2.VISIT_OUTCOME_LEFT] == [one.ticket.outcome for one in messages]
            assert [CHANGES if token else SNAPSHOT] == [one.head.step for one in messages]


async def test_slight_news_waits_and_a_call_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    never = {News.NONE: 60.0, News.SLIGHT: 60.0, News.NEWS: 0.0}
    monkeypatch.setattr(look_watching, "TOLD_EVERY_S", never)
    async with open_branch() as hall:
        await hall.join("j0")
        phone, board = Picture(), Picture()
        phone_stream = hall.watch("WatchTicket", ticket_id="j0")
        board_stream = hall.watch("WatchBoard")
        await phone.until(phone_stream, anything)
        await board.until(board_stream, anything)
        await hall.sit("ann", "1")  # now there is an expected wait: slight
        await hall.join("j1")  # one more in the line: slight
        await hall.next("1")
        await phone.until(phone_stream, lambda one: one.tickets["j0"].state == CALLED)
        await board.until(board_stream, called("A001"))
        phone_stream.cancel()
        board_stream.cancel()
    assert 2 == len(phone.steps) == len(board.steps)
    assert {"a": 1, "b": 0} == board.lines  # what was slight came with the call


# desks


async def test_a_desk_sees_its_clerk_its_visitor_and_who_waits(quick: None) -> None:
    async with open_branch() as hall:
        await hall.join("j0", "advice")
        desk, stream = Picture(), hall.watch("WatchDesk", desk="2")
        await desk.until(stream, anything)
        assert ("", {}, {}) == (desk.agent_id, desk.tickets, desk.waiting)
        await hall.sit("bob", "2")
        await desk.until(stream, lambda one: one.agent_id == "bob")
        assert {} == desk.waiting  # bob gives no advice
        await hall.join("j1", attributes={"name": "Zoe"})
        await hall.join("j2")
        await desk.until(stream, lambda one: list(one.waiting) == ["j1", "j2"])
        assert [1, 2] == [one.standing.position for one in desk.waiting.values()]
        assert {} == dict(desk.waiting["j1"].ticket.attributes)
        await hall.next("2")
        await desk.until(stream, lambda one: "j1" in one.tickets)
        assert {"name": "Zoe"} == dict(desk.tickets["j1"].attributes)
        await desk.until(stream, lambda one: one.waiting["j2"].standing.position == 1)
        assert ["j2"] == list(desk.waiting)
        await hall.ask("ReturnTicket", desk="2", ticket_id="j1")
        await desk.until(stream, lambda one: set(one.waiting) == {"j1", "j2"})
        assert {} == desk.tickets
        await hall.ask("LeaveLine", ticket_id="j1")
        await hall.ask("CloseDesk", desk="2")
        await desk.until(stream, lambda one: one.agent_id == "" and not one.waiting)
        stream.cancel()
    assert {} == desk.tickets


async def test_a_desk_does_not_see_another_desks_visitor(quick: None) -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        await hall.sit("bob", "2")
        desk, stream = Picture(), hall.watch("WatchDesk", desk="2")
        await hall.join("j0", attributes={"name": "Zoe"})
        await desk.until(stream, lambda one: "j0" in one.waiting)
        await hall.next("1")
        await desk.until(stream, lambda one: not one.waiting)
        stream.cancel()
    assert {} == desk.tickets


async def test_a_cut_desk_goes_on_where_it_was(quick: None) -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        for n in range(6):
            await hall.join(f"j{n}")
        cut, stream = Picture(), hall.watch("WatchDesk", desk="1")
        await cut.until(stream, lambda one: len(one.waiting) == 6)
        stream.cancel()
        await hall.serve("1")
        await hall.finish("1", "j0")
        await hall.ask("LeaveLine", ticket_id="j3")
        await hall.join("j6")
        await hall.serve("1")
        fresh, other = Picture(), hall.watch("WatchDesk", desk="1")
        await fresh.until(other, anything)
        stream = hall.watch("WatchDesk", desk="1", token=cut.token)
        await cut.until(stream, lambda one: one.position >= fresh.position)
        stream.cancel()
        other.cancel()
    assert 1 == cut.steps.count(SNAPSHOT)
    assert fresh.state() == cut.state()
    assert {"j2", "j4", "j5", "j6"} == set(cut.waiting) and {"j1"} == set(cut.tickets)


async def test_a_long_line_comes_in_parts() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        await hall.join_many(450)
        desk, stream = Picture(), hall.watch("WatchDesk", desk="1")
        await desk.until(stream, anything)
        stream.cancel()
    assert [True] * 2 + [False] == [head.more for head in desk.heads][-3:]
    places = sorted(one.standing.position for one in desk.waiting.values())
    assert list(range(1, 451)) == places
