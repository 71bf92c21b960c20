"""Pictures of board and desk: from steps by themselves, and through watches that go wrong."""

from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import grpc
import pytest
from tests.router.client import ticket_kit
from tests.router.client.scripted_server import HANG, NO_PATIENCE, scripted

from usher.queue.tickets import TicketState
from usher.router.client import ServerFault, Unavailable
from usher.router.client.pictures import BoardKeeper, BoardPicture, DeskKeeper, pictures
from usher.router.client.walk_in_results import BoardRow, BoardStep, DeskStep, Ticket
from usher.v1 import ticket_pb2, watch_pb2
from usher.v1 import walk_in_service_pb2 as pb

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def board_step(*, begins: bool = False, ends: bool = True, **rest: Any) -> BoardStep:
    """A step of a board with nothing in it but what is given."""
    plain: dict[str, Any] = {"rows": (), "gone": (), "waiting": {}, "position": 1, "time": NOON}
    return BoardStep(begins=begins, ends=ends, **{**plain, **rest})


def row(number: str, minute: int = 0, state: TicketState = TicketState.CALLED) -> BoardRow:
    """A row called so many minutes after noon."""
    return BoardRow(number, "1", state, NOON + timedelta(minutes=minute), 1)


def ticket(ticket_id: str, place: int = 0, minute: int = 0) -> Ticket:
    """A ticket at a place in its queue."""
    state = TicketState.WAITING if place else TicketState.CALLED
    joined = NOON + timedelta(minutes=minute)
    return ticket_kit.told(ticket_id, state=state, joined=joined, queue_position=place)


def desk_step(*, begins: bool = False, ends: bool = True, **rest: Any) -> DeskStep:
    """A step of a desk with nothing in it but what is given."""
    plain: dict[str, Any] = {"agent_id": None, "tickets": (), "waiting": (), "gone": ()}
    return DeskStep(begins=begins, ends=ends, position=1, time=NOON, **{**plain, **rest})


def numbers(picture: BoardPicture | None) -> list[str]:
    """The numbers on the board, from above."""
    assert picture is not None
    return [each.number for each in picture.rows]


def test_a_board_shows_the_latest_call_first() -> None:
    keeper = BoardKeeper()
    first = keeper.take_in(board_step(begins=True, rows=(row("A1", 3), row("A2", 5))))
    then = keeper.take_in(board_step(rows=(row("B1", 4), row("A1", 6))))
    assert ["A2", "A1"] == numbers(first)
    assert ["A1", "A2", "B1"] == numbers(then)


def test_a_number_that_is_gone_leaves_the_board_and_counts_are_kept() -> None:
    keeper = BoardKeeper()
    keeper.take_in(board_step(begins=True, rows=(row("A1"),), waiting={"cash": 2, "loans": 1}))
    picture = keeper.take_in(board_step(gone=("A1",), waiting={"cash": 3}))
    assert picture is not None
    assert ((), {"cash": 3, "loans": 1}) == (picture.rows, picture.waiting)


def test_a_picture_comes_only_after_a_whole_step() -> None:
    keeper = BoardKeeper()
    assert keeper.take_in(board_step(begins=True, ends=False, rows=(row("A1"),))) is None
    assert ["A1", "A2"] == numbers(keeper.take_in(board_step(rows=(row("A2"),))))


def test_a_bookmark_makes_no_picture() -> None:
    keeper = BoardKeeper()
    keeper.take_in(board_step(begins=True))
    assert keeper.take_in(board_step()) is None


def test_a_snapshot_makes_a_board_forget_what_it_held() -> None:
    keeper = BoardKeeper()
    keeper.take_in(board_step(begins=True, rows=(row("A1"),), waiting={"cash": 2}))
    picture = keeper.take_in(board_step(begins=True, rows=(row("A2"),), waiting={"cash": 1}))
    assert ["A2"] == numbers(picture)


def test_a_desk_has_each_ticket_in_one_place() -> None:
    keeper = DeskKeeper()
    line = (ticket("a1", 1), ticket("a2", 2))
    keeper.take_in(desk_step(begins=True, agent_id="anna", waiting=line))
    called = keeper.take_in(desk_step(tickets=(ticket("a1"),), waiting=(ticket("a2", 1),)))
    back = keeper.take_in(desk_step(waiting=(ticket("a1", 2),)))
    left = keeper.take_in(desk_step(gone=("a2",)))
    assert called is not None and back is not None and left is not None
    assert (["a1"], ["a2"]) == (ids(called.tickets), ids(called.waiting))
    assert ([], ["a2", "a1"]) == (ids(back.tickets), ids(back.waiting))
    assert ("anna", ["a1"]) == (left.agent_id, ids(left.waiting))


def test_a_desk_lists_who_waits_by_place_then_by_arrival() -> None:
    line = (ticket("b2", 2, minute=1), ticket("b1", 1, minute=2), ticket("a1", 1, minute=1))
    picture = DeskKeeper().take_in(desk_step(begins=True, waiting=line))
    assert picture is not None
    assert ["a1", "b1", "b2"] == ids(picture.waiting)


def test_a_desk_that_nobody_sits_at_says_so() -> None:
    keeper = DeskKeeper()
    keeper.take_in(desk_step(begins=True, agent_id="anna"))
    picture = keeper.take_in(desk_step(agent_id=""))
    assert picture is not None
    assert "" == picture.agent_id


def ids(tickets: tuple[Ticket, ...]) -> list[str]:
    """The ids of tickets."""
    return [each.ticket_id for each in tickets]


# --- through a watch -----------------------------------------------------------------------------


def snapshot(position: int, *called: str) -> pb.WatchBoardResponse:
    """A whole snapshot of a board."""
    return told(watch_pb2.WATCH_STEP_SNAPSHOT, 0, position, *called)


def changes(first: int, position: int, *called: str) -> pb.WatchBoardResponse:
    """A step of changes."""
    return told(watch_pb2.WATCH_STEP_CHANGES, first, position, *called)


def bookmark(first: int, position: int) -> pb.WatchBoardResponse:
    """A sign of life."""
    return told(watch_pb2.WATCH_STEP_BOOKMARK, first, position)


def told(
    step: watch_pb2.WatchStep.ValueType, first: int, position: int, *called: str
) -> pb.WatchBoardResponse:
    """A message that is a step by itself."""
    head = watch_pb2.WatchHead(
        step=step, first_position=first, position=position, token=f"after {position}"
    )
    state = ticket_pb2.TICKET_STATE_CALLED
    rows = [pb.BoardRow(number=number, desk="1", state=state) for number in called]
    return pb.WatchBoardResponse(head=head, rows=rows)


@pytest.mark.asyncio
async def test_a_board_that_is_cut_goes_on_from_its_token() -> None:
    script = [[snapshot(7, "A1"), changes(8, 9, "A2")], [changes(10, 12, "A3"), HANG]]
    async with scripted(WatchBoard=script) as server:
        async with aclosing(server.usher.board("north")) as board:
            shown = [await anext(board) for _ in range(3)]
        asked = [request.token for request in server.requests["WatchBoard"]]
    assert [["A1"], ["A1", "A2"], ["A1", "A2", "A3"]] == [numbers(each) for each in shown]
    assert ["", "after 9"] == asked
    assert [7, 9, 12] == [each.position for each in shown]


@pytest.mark.asyncio
async def test_a_step_that_does_not_join_the_one_before_is_a_fault_of_the_server() -> None:
    script = [[snapshot(7, "A1"), bookmark(8, 8), changes(10, 12, "A2"), HANG]]
    async with (
        scripted(WatchBoard=script) as server,
        aclosing(server.usher.board("north")) as board,
    ):
        await anext(board)
        with pytest.raises(ServerFault) as found:
            await anext(board)
    assert "WATCH_GAP" == found.value.reason


@pytest.mark.asyncio
async def test_a_picture_grows_old_while_the_server_is_silent_and_young_again() -> None:
    script = [[snapshot(7, "A1"), 0.5, bookmark(8, 8), HANG]]
    seen = []
    async with scripted(WatchBoard=script) as server:
        watch = partial(server.usher.watch_board, "north")
        async with aclosing(pictures(watch, BoardKeeper().take_in, stale_after_s=0.1)) as shown:
            async for picture in shown:
                seen.append(picture)
                if len(seen) > 1 and not picture.stale:
                    break
    first, *old, last = seen
    assert old and [each.age_s for each in old] == sorted({each.age_s for each in old})
    assert (False, True, False) == (first.stale, old[0].stale, last.stale)
    assert [["A1"]] * len(seen) == [numbers(each) for each in seen]


@pytest.mark.asyncio
async def test_a_board_that_has_shown_something_never_gives_up() -> None:
    away, full = [grpc.StatusCode.UNAVAILABLE], [grpc.StatusCode.RESOURCE_EXHAUSTED]
    script = [[snapshot(7, "A1")], away, full, [snapshot(9, "A2"), HANG]]
    async with (
        scripted(patience=NO_PATIENCE, WatchBoard=script) as server,
        aclosing(server.usher.board("north")) as board,
    ):
        shown = [await anext(board) for _ in range(2)]
    assert [["A1"], ["A2"]] == [numbers(each) for each in shown]


@pytest.mark.asyncio
async def test_a_picture_grows_old_over_watches_that_fail_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("usher.router.client.pictures.PAUSE_S", 0.06)
    away = [[grpc.StatusCode.UNAVAILABLE]] * 5
    script = [[snapshot(7, "A1")], *away, [snapshot(9, "A2"), HANG]]
    async with scripted(patience=NO_PATIENCE, WatchBoard=script) as server:
        watch = partial(server.usher.watch_board, "north")
        async with aclosing(pictures(watch, BoardKeeper().take_in, stale_after_s=0.1)) as board:
            first, old = await anext(board), await anext(board)
            async for last in board:
                if not last.stale:
                    break
    assert (False, True, False) == (first.stale, old.stale, last.stale)
    assert ["A1"] == numbers(old)
    assert ["A2"] == numbers(last)


@pytest.mark.asyncio
async def test_a_board_that_never_showed_anything_says_that_nobody_answers() -> None:
    script = [[grpc.StatusCode.UNAVAILABLE]]
    async with (
        scripted(patience=NO_PATIENCE, WatchBoard=script) as server,
        aclosing(server.usher.board("north")) as board,
    ):
        with pytest.raises(Unavailable):
            await anext(board)
