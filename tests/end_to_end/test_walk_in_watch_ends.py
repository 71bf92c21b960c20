"""Watches of boards, tickets and desks: tokens, bookmarks, limits, how they end."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.end_to_end.open_branch import OpenBranch, open_branch
from tests.end_to_end.served import Refusal
from tests.end_to_end.watch_picture import (
    BOOKMARK,
    CALLED,
    LIMIT_S,
    QUICK,
    SNAPSHOT,
    Picture,
    anything,
    states,
)

from usher.queue.journal.memory import MemoryJournal
from usher.router.service import look_watching, watching
from usher.v1 import router_service_pb2 as router_pb
from usher.v1 import walk_in_service_pb2 as pb
from usher.v1 import watch_pb2
from usher.v1.walk_in_service_pb2_grpc import WalkInServiceStub

pytestmark = [pytest.mark.asyncio, pytest.mark.branch]

Watch = tuple[str, dict[str, Any]]
WATCHES: list[Watch] = [
    ("WatchTicket", {"ticket_id": "j0"}),
    ("WatchBoard", {}),
    ("WatchDesk", {"desk": "1"}),
]
NARROW = (("grpc.http2.lookahead_bytes", 1_024), ("grpc.http2.bdp_probe", 0))
"""A connection that takes no more than it must before it is read."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bookmarks and slight news come soon."""
    monkeypatch.setattr(look_watching, "TOLD_EVERY_S", QUICK)


async def test_a_token_too_old_or_of_another_journal_resets() -> None:
    journal = MemoryJournal()
    async with open_branch(journal=journal) as hall:
        await hall.join("j0")
        tokens = [await _token(hall, one) for one in WATCHES]
    async with open_branch() as hall:
        await hall.join("j0")
        tokens += ["bm9uc2Vuc2U="] * 3
        for token, watch in zip(tokens, WATCHES * 2, strict=True):
            head = await _head(hall, watch, token)
            assert (True, SNAPSHOT) == (head.reset, head.step)
            assert not (await _head(hall, watch, "")).reset
    async with open_branch(feed_batches_max=2) as hall:
        await hall.join("j0")
        tokens = [await _token(hall, one) for one in WATCHES]
        for n in range(1, 5):
            await hall.join(f"j{n}")
        heads = [await _head(hall, *one) for one in zip(WATCHES, tokens, strict=True)]
    assert [(True, SNAPSHOT)] * 3 == [(head.reset, head.step) for head in heads]


async def test_a_token_of_another_watch_is_refused() -> None:
    async with open_branch() as hall:
        await hall.join("j0")
        await hall.join("j1")
        token = await _token(hall, WATCHES[1])
        for method, fields in (
            ("WatchBoard", {"branch": "south"}),
            ("WatchDesk", {"desk": "1"}),
            ("WatchTicket", {"ticket_id": "j1"}),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await hall.watch(method, token=token, **fields).read()
            assert ["token"] == list(Refusal(caught.value).fields)


async def test_bookmarks_move_a_quiet_watch_on(quick: None) -> None:
    async with open_branch() as hall:
        await hall.join("j0")
        pictures = [(Picture(), hall.watch(method, **fields)) for method, fields in WATCHES]
        for picture, stream in pictures:
            await picture.until(stream, anything)
        async with hall.usher.client() as client:
            placed = await client.enqueue("chats", "chat", contact_id="c1")
        for picture, stream in pictures:
            await picture.until(stream, lambda one: one.position >= placed.position)
            stream.cancel()
    for picture, _ in pictures:
        assert [SNAPSHOT] == picture.steps and BOOKMARK == picture.heads[-1].step
        assert picture.heads[-1].HasField("server_time")


async def test_watches_end_with_a_token_that_the_next_server_knows(tmp_path: Path) -> None:
    async with open_branch(data_dir=tmp_path) as hall:
        await hall.sit("ann", "1")
        await hall.join("j0")
        await hall.join("j1")
        pictures = [(Picture(), hall.watch(method, **fields)) for method, fields in WATCHES]
        for picture, stream in pictures:
            await picture.until(stream, anything)
        await hall.next("1")
        stopping = asyncio.create_task(hall.usher.server.drain())
        for picture, stream in pictures:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await picture.until(stream, lambda _: False)
            refusal = Refusal(caught.value)
            assert (grpc.StatusCode.UNAVAILABLE, "DRAINING") == (refusal.code, refusal.reason)
            assert refusal.retry_s > 0
        await stopping
        last = hall.usher.server.runner.feed.position
    assert [last] * 3 == [picture.position for picture, _ in pictures]
    assert {"A001": CALLED} == states(pictures[1][0])
    async with open_branch(data_dir=tmp_path) as hall:
        for (picture, _), (method, fields) in zip(pictures, WATCHES, strict=True):
            fresh, stream = Picture(), hall.watch(method, **fields)
            await fresh.until(stream, anything)
            resumed = hall.watch(method, token=picture.token, **fields)
            await picture.until(resumed, lambda one: one.position >= fresh.position)  # noqa: B023
            stream.cancel()
            resumed.cancel()
            assert not any(head.reset for head in picture.heads)
            assert 1 == picture.steps.count(SNAPSHOT)
            assert fresh.state() == picture.state()


async def test_a_resumed_desk_holds_nobody_whom_it_may_not_call_any_more() -> None:
    async with open_branch() as hall:
        await hall.sit("ann", "1")
        await hall.join("j0")
        picture, stream = Picture(), hall.watch("WatchDesk", desk="1")
        await picture.until(stream, lambda one: list(one.waiting) == ["j0"])
        stream.cancel()
        await hall.ask("CloseDesk", desk="1")  # no ticket is touched
        stream = hall.watch("WatchDesk", desk="1", token=picture.token)
        await picture.until(stream, lambda one: one.agent_id == "")
        stream.cancel()
    assert {} == picture.waiting
    assert not any(head.reset for head in picture.heads)


async def test_a_reader_that_takes_nothing_is_let_go_and_comes_back(
    monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    monkeypatch.setattr(watching, "WRITE_S", 0.2)
    async with (
        open_branch() as hall,
        grpc.aio.insecure_channel(hall.usher.address, options=NARROW) as narrow,
    ):
        await hall.sit("ann", "1")
        await hall.join_many(600)
        slow = WalkInServiceStub(narrow)  # type: ignore[no-untyped-call]
        request = hall.request("WatchDesk", {"desk": "1"})
        picture, stream = Picture(), slow.WatchDesk(request)
        await picture.until(stream, lambda one: len(one.waiting) == 600)
        async with asyncio.timeout(LIMIT_S):
            while _watched(hall):  # the places of all move on each time, and nobody reads it
                ticket = await hall.next("1")
                back = {"ticket_id": ticket.ticket_id, "place": pb.RETURN_PLACE_LAST}
                await hall.ask("ReturnTicket", desk="1", **back)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await picture.until(stream, lambda _: False)
        stream = hall.watch("WatchDesk", desk="1", token=picture.token)
        fresh, other = Picture(), hall.watch("WatchDesk", desk="1")
        await fresh.until(other, anything)
        await picture.until(stream, lambda one: one.position >= fresh.position)
        stream.cancel()
        other.cancel()
    refusal = Refusal(caught.value)
    assert (grpc.StatusCode.UNAVAILABLE, "WATCH_LAGGED") == (refusal.code, refusal.reason)
    assert refusal.retry_s > 0
    assert 1 == picture.steps.count(SNAPSHOT) and fresh.state() == picture.state()


async def test_the_number_of_watches_is_limited_together_with_all_others() -> None:
    async with open_branch(watches_max=2) as hall:
        board = hall.watch("WatchBoard")
        await board.read()
        contacts = hall.usher.router.WatchContacts(router_pb.WatchContactsRequest())
        await contacts.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await hall.watch("WatchBoard").read()
        contacts.cancel()
        board.cancel()
        await _until_free(hall)
    refusal = Refusal(caught.value)
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "WATCHES_FULL") == (refusal.code, refusal.reason)


async def test_watchers_that_go_leave_nothing_behind() -> None:
    async with open_branch(watches_max=1) as hall:
        for _ in range(20):
            await _until_free(hall)
        async with asyncio.timeout(LIMIT_S):
            while _watched(hall):  # noqa: ASYNC110 -- nobody tells of it
                await asyncio.sleep(0.01)


def _watched(hall: OpenBranch) -> bool:
    return bool(hall.usher.server._pool.lookouts._by_branch)


async def _token(hall: OpenBranch, watch: Watch) -> str:
    return str((await _head(hall, watch, "")).token)


async def _head(hall: OpenBranch, watch: Watch, token: str) -> watch_pb2.WatchHead:
    method, fields = watch
    stream = hall.watch(method, token=token, **fields)
    try:
        return (await stream.read()).head  # type: ignore[no-any-return]
    finally:
        stream.cancel()


async def _until_free(hall: OpenBranch) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            stream = hall.watch("WatchBoard")
            try:
                await stream.read()
                return
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.01)
            finally:
                stream.cancel()
