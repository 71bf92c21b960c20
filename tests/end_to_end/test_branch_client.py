"""Kiosk, desk and board of the typed client, against a real server with a branch that is open."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio
from msgspec.structs import replace
from tests.end_to_end.served import Served, served
from tests.end_to_end.server_process import ServerProcess
from tests.router import branch_kit as kit

from usher.queue.branches import (
    MINUTES_OF_DAY,
    Branch,
    Branches,
    BranchName,
    Opening,
    WeekdayHours,
)
from usher.queue.rules import DEFAULT_CHANNELS
from usher.queue.tickets import TicketState, VisitOutcome
from usher.queue.values import Channel, LegState, Presence
from usher.router.client import (
    BoardPicture,
    DeskPicture,
    NotFound,
    Ticket,
    Usher,
    WrongState,
    connect,
)
from usher.router.service.file_text import write_policy, write_roster
from usher.router.trials.demo import zone_in_the_morning

pytestmark = [pytest.mark.asyncio, pytest.mark.branch]

LIMIT_S = 30.0
WHOLE_DAYS = tuple(WeekdayHours(day, (Opening(0, MINUTES_OF_DAY),)) for day in range(7))

Shown = TypeVar("Shown", BoardPicture, DeskPicture, Ticket)


def plan() -> Branches:
    """Branch north, open day and night, and branch south, which is never open."""
    zone = zone_in_the_morning(datetime.now(UTC))  # no test meets the end of a service day
    north = Branch(name=BranchName("north"), time_zone=zone, lines=kit.LINES, week=WHOLE_DAYS)
    south = Branch(name=BranchName("south"), time_zone=zone, lines=kit.LINES)
    return kit.branches(*kit.SERVICES, north, south, *kit.DESKS, kit.desk("south", "1"))


def serving() -> AbstractAsyncContextManager[Served]:
    """A server with both branches and the two clerks, ann and bob."""
    roster = kit.roster_of(kit.ANN, kit.BOB)
    return served(kit.rules(), roster, branches=plan())


@pytest_asyncio.fixture
async def usher() -> AsyncIterator[Usher]:
    """A client of a server with a branch."""
    async with serving() as server, server.client() as client:
        yield client


async def until(shown: AsyncGenerator[Shown, None], reached: Callable[[Shown], bool]) -> Shown:
    """Returns the first picture of which that is true."""
    async for picture in shown:
        if reached(picture):
            return picture
    raise AssertionError("the watch has ended")


async def test_a_visit_from_the_kiosk_to_the_end(usher: Usher) -> None:
    kiosk = usher.kiosk("north")
    async with (
        usher.branch_desk("north", "1", agent_id="ann") as desk,
        aclosing(usher.board("north")) as board,
    ):
        ticket = await kiosk.join("cash", attributes={"name": "Ida"})
        lobby = await until(board, lambda picture: picture.waiting.get("a") == 1)
        called = await desk.call_next()
        on_board = await until(board, lambda picture: bool(picture.rows))
        serving = await desk.start()
        ended = await desk.finish(VisitOutcome.UNRESOLVED, disposition="papers", resolved=False)
        cleared = await until(board, lambda picture: not picture.rows)
    assert ("A001", TicketState.WAITING, 1) == (ticket.number, ticket.state, ticket.queue_position)
    assert () == lobby.rows
    assert called is not None and called.ticket_id == ticket.ticket_id
    assert ({}, {"name": "Ida"}) == (ticket.attributes, called.attributes)
    assert ("1", 1, TicketState.CALLED) == (called.desk, called.calls, called.state)
    (row,) = on_board.rows
    assert ("A001", "1", TicketState.CALLED) == (row.number, row.desk, row.state)
    assert TicketState.SERVING is serving.state
    assert (TicketState.ENDED, VisitOutcome.UNRESOLVED) == (ended.state, ended.outcome)
    assert {"a": 0, "b": 0} == cleared.waiting
    assert desk.ticket is None


async def test_a_kiosk_tells_what_a_branch_offers_and_how_long_one_would_wait(usher: Usher) -> None:
    kiosk = usher.kiosk("north")
    before = await kiosk.services()
    async with usher.branch_desk("north", "1", agent_id="bob"):
        await kiosk.join("cash")
        staffed = await kiosk.services()
    assert before.is_open and before.closes is None  # by day and by night
    assert ["cash", "post", "advice"] == [each.service for each in before.services]
    assert [None] * 3 == [each.wait for each in before.services]  # no desk is open
    cash, _, advice = staffed.services
    assert (1, 1, "a") == (cash.desks, cash.waiting, cash.line)
    assert cash.wait is not None and cash.wait.p50 <= cash.wait.p90
    assert (0, None) == (advice.desks, advice.wait)  # bob has no skill for it


async def test_the_same_join_id_is_the_same_ticket(usher: Usher) -> None:
    kiosk = usher.kiosk("north")
    first = await kiosk.join("cash", join_id="kiosk-7-0001")
    again = await kiosk.join("cash", join_id="kiosk-7-0001")
    other = await kiosk.join("cash")
    assert ("A001", "A001", "A002") == (first.number, again.number, other.number)


async def test_a_phone_follows_its_ticket_to_the_end(usher: Usher) -> None:
    kiosk = usher.kiosk("north")
    ahead = await kiosk.join("cash")
    ticket = await kiosk.join("cash")
    async with aclosing(kiosk.watch(ticket)) as phone:
        assert 2 == (await anext(phone)).queue_position
        await kiosk.leave(ahead)
        await until(phone, lambda told: told.queue_position == 1)
        async with usher.branch_desk("north", "2", agent_id="bob") as desk:
            await desk.call_next()
            called = await until(phone, lambda told: told.state is TicketState.CALLED)
            await desk.start()
            await desk.finish()
        rest = [told async for told in phone]
    assert "2" == called.desk and called.due is not None
    assert VisitOutcome.SERVED is rest[-1].outcome


async def test_a_ticket_that_was_given_up_is_told_as_left(usher: Usher) -> None:
    kiosk = usher.kiosk("north")
    ticket = await kiosk.join("cash")
    await kiosk.leave(ticket.ticket_id)
    told = [each async for each in kiosk.watch(ticket)]
    assert [VisitOutcome.LEFT] == [each.outcome for each in told]


async def test_two_desks_at_once_get_two_tickets(usher: Usher) -> None:
    kiosk = usher.kiosk("north")
    drawn = [await kiosk.join("cash") for _ in range(2)]
    async with (
        usher.branch_desk("north", "1", agent_id="ann") as one,
        usher.branch_desk("north", "2", agent_id="bob") as other,
    ):
        called = await asyncio.gather(one.call_next(), other.call_next())
        await asyncio.gather(one.no_show(), other.no_show())
        nobody = await one.call_next()
    assert {each.number for each in drawn} == {each.number for each in called if each is not None}
    assert nobody is None and one.ticket is None


async def test_all_that_a_desk_may_do_with_a_ticket(usher: Usher) -> None:
    kiosk = usher.kiosk("north")
    first, second = await kiosk.join("cash"), await kiosk.join("cash")
    async with usher.branch_desk("north", "1", agent_id="ann") as desk:
        await desk.call_next()
        recalled = await desk.recall()
        back = await desk.return_(last=True)
        assert (await desk.call_next() or back).ticket_id == second.ticket_id
        sent_on = await desk.transfer("advice")
        await desk.call(sent_on)
        await desk.return_()
        await desk.call(first)
        missed = await desk.no_show()
        without = await desk.serve_without_ticket("post", party_size=2)
        await desk.finish()
        walked_up = await desk.start(second)
        referred = await desk.finish(VisitOutcome.REFERRED)
    assert (2, first.ticket_id) == (recalled.calls, recalled.ticket_id)
    assert (TicketState.WAITING, "") == (back.state, back.desk)
    assert (TicketState.WAITING, "advice") == (sent_on.state, sent_on.service)
    assert VisitOutcome.NO_SHOW is missed.outcome
    assert ("", 2, TicketState.SERVING) == (without.number, without.party_size, without.state)
    assert TicketState.SERVING is walked_up.state
    assert VisitOutcome.REFERRED is referred.outcome


async def test_a_desk_without_a_ticket_says_so(usher: Usher) -> None:
    async with usher.branch_desk("north", "1", agent_id="ann") as desk:
        with pytest.raises(WrongState) as found:
            await desk.start()
    assert "NO_TICKET" == found.value.reason


async def test_a_desk_forgets_a_ticket_that_was_given_up_after_the_call(usher: Usher) -> None:
    kiosk = usher.kiosk("north")
    await kiosk.join("cash")
    async with usher.branch_desk("north", "1", agent_id="ann") as desk:
        called = await desk.call_next()
        assert called is not None
        await kiosk.leave(called)
        with pytest.raises(WrongState) as found:
            await desk.start()
        assert desk.ticket is None
    assert "TICKET_ENDED" == found.value.reason


async def test_a_desk_keeps_its_visitor_when_another_one_cannot_be_served(usher: Usher) -> None:
    kiosk = usher.kiosk("north")
    await kiosk.join("cash")
    left = await kiosk.join("cash")
    async with usher.branch_desk("north", "1", agent_id="ann") as desk:
        called = await desk.call_next()
        await kiosk.leave(left)
        with pytest.raises(WrongState):
            await desk.start(left)
        assert desk.ticket == called
        assert TicketState.SERVING is (await desk.start()).state
        await desk.finish()


async def test_a_desk_sees_its_visitor_and_who_waits_for_it(usher: Usher) -> None:
    kiosk = usher.kiosk("north")
    async with (
        usher.branch_desk("north", "1", agent_id="bob") as desk,
        aclosing(desk.watch()) as screen,
    ):
        empty = await anext(screen)
        for service in ("cash", "post", "advice"):
            await kiosk.join(service, attributes={"name": service})
        line = await until(screen, lambda picture: len(picture.waiting) == 2)
        await desk.call_next()
        busy = await until(screen, lambda picture: bool(picture.tickets))
        await desk.return_(last=True)
        again = await until(screen, lambda picture: not picture.tickets)
    assert ("bob", (), ()) == (empty.agent_id, empty.tickets, empty.waiting)
    assert ["cash", "post"] == [each.service for each in line.waiting]  # he may not give advice
    assert [1, 2] == [each.queue_position for each in line.waiting]
    assert [{"name": "cash"}] == [each.attributes for each in busy.tickets]
    assert ["post"] == [each.service for each in busy.waiting]
    assert ["post", "cash"] == [each.service for each in again.waiting]


async def test_a_clerk_is_offered_chats_only_while_there_is_room(usher: Usher) -> None:
    await usher.kiosk("north").join("cash")
    async with usher.branch_desk("north", "1", agent_id="ann") as desk:
        await desk.call_next()
        await desk.start()
        placed = await usher.enqueue("chats", "chat", contact_id="c1")
        await desk.finish()
        async with aclosing(desk.offers()) as offers:
            work = await anext(offers)
            assert await work.accept()
        with pytest.raises(NotFound):
            await usher.get_ticket("c1")
        await work.complete()
    assert placed.offer is None  # a visitor takes all
    assert ("c1", "chat") == (work.contact.contact_id, work.contact.channel)


async def test_a_clerk_who_is_not_ready_calls_visitors_and_gets_no_chats(usher: Usher) -> None:
    await usher.kiosk("north").join("cash")
    opening = usher.branch_desk("north", "1", agent_id="ann", presence=Presence.NOT_READY)
    async with opening as desk:
        placed = await usher.enqueue("chats", "chat")
        assert await desk.call_next() is not None
        await desk.no_show()
    assert placed.offer is None


async def test_a_desk_is_closed_and_the_clerk_signed_out_at_the_end(usher: Usher) -> None:
    async with usher.branch_desk("north", "1", agent_id="ann"):
        with pytest.raises(WrongState) as found:
            async with usher.branch_desk("north", "1", agent_id="bob"):
                pass
    async with usher.branch_desk("north", "1", agent_id="bob"):
        presences = [(await usher.get_agent(name)).presence for name in ("ann", "bob")]
    async with aclosing(usher.watch_desk("north", "1")) as steps:
        left = await anext(steps)
    assert "DESK_TAKEN" == found.value.reason
    assert "" == left.agent_id
    assert [Presence.OFFLINE, Presence.READY] == presences
    assert Presence.OFFLINE is (await usher.get_agent("bob")).presence


async def test_a_visitor_stays_with_the_clerk_over_a_new_session(usher: Usher) -> None:
    await usher.kiosk("north").join("cash", attributes={"name": "Ida"})
    async with usher.branch_desk("north", "1", agent_id="ann") as desk:
        await desk.call_next()
        await desk.start()
    draining = await usher.get_agent("ann")
    async with usher.branch_desk("north", "1", agent_id="ann") as desk:
        found = desk.ticket
        await desk.finish()
    assert Presence.DRAINING is draining.presence
    assert [LegState.ACTIVE] == [leg.state for leg in draining.legs]
    assert found is not None
    assert ({"name": "Ida"}, TicketState.SERVING) == (found.attributes, found.state)


async def test_after_work_ends_by_the_word_of_the_clerk() -> None:
    channels = {"walk_in": replace(DEFAULT_CHANNELS[Channel.WALK_IN], wrap_up_ms=3_600_000)}
    roster = kit.roster_of(kit.clerk("ann", channels={"walk_in": (2, 1, 2)}))
    async with (
        served(kit.rules(channels=channels), roster, branches=plan()) as server,
        server.client() as usher,
        asyncio.timeout(LIMIT_S),
        usher.branch_desk("north", "1", agent_id="ann") as desk,
    ):
        await desk.serve_without_ticket("cash")
        await desk.finish()
        await usher.kiosk("north").join("cash")
        with pytest.raises(WrongState) as found:
            await desk.call_next()
        await desk.finish_wrap_up()
        assert await desk.call_next() is not None
        await desk.no_show()
    assert "DESK_BUSY" == found.value.reason


async def test_a_closed_branch_says_so(usher: Usher) -> None:
    kiosk = usher.kiosk("south")
    branch = await kiosk.services()
    with pytest.raises(WrongState) as found:
        await kiosk.join("cash")
    assert (False, None) == (branch.is_open, branch.closes)
    assert "BRANCH_CLOSED" == found.value.reason


async def test_what_is_not_there_is_not_found(usher: Usher) -> None:
    for asking, reason in (
        (partial(usher.services, "west"), "BRANCH_NOT_FOUND"),
        (partial(usher.join_line, "north", "loans"), "SERVICE_NOT_FOUND"),
        (partial(usher.get_ticket, "nobody"), "TICKET_NOT_FOUND"),
        (partial(usher.call_next, "north", "9"), "DESK_NOT_FOUND"),
    ):
        with pytest.raises(NotFound) as found:
            await asking()
        assert reason == found.value.reason


async def test_a_platform_speaks_for_a_clerk(usher: Usher) -> None:
    await usher.sign_in("ann")
    await usher.open_desk("north", "1", "ann")
    drawn = await usher.join_line("north", "cash")
    called = await usher.call_ticket("north", "1", drawn.ticket_id)
    await usher.mark_no_show("north", "1", called.ticket_id)
    await usher.close_desk("north", "1")
    assert VisitOutcome.NO_SHOW is (await usher.get_ticket(drawn.ticket_id)).outcome


async def test_board_and_numbers_go_on_over_a_restart(tmp_path: Path) -> None:
    branches = plan()
    roster = kit.roster_of(kit.ANN)
    process = ServerProcess(
        tmp_path, write_policy(kit.rules(), branches), write_roster(roster, branches)
    )
    try:
        await process.start()
        async with (
            asyncio.timeout(LIMIT_S),
            connect(process.target) as usher,
            aclosing(usher.board("north")) as board,
        ):
            kiosk = usher.kiosk("north")
            drawn = await kiosk.join("cash", join_id="one")
            await until(board, lambda picture: picture.waiting.get("a") == 1)
            process.kill()
            await process.start()
            again = await kiosk.join("cash", join_id="one")
            await kiosk.join("cash")
            lobby = await until(board, lambda picture: picture.waiting.get("a") == 2)
            async with usher.branch_desk("north", "1", agent_id="ann") as desk:
                await desk.call_next()
                called = await until(board, lambda picture: bool(picture.rows))
                await desk.no_show()
        await process.terminate()
    finally:
        process.close()
    assert ("A001", "A001") == (drawn.number, again.number)
    assert not lobby.stale
    assert ["A001"] == [row.number for row in called.rows]
