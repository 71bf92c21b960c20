"""A kiosk with a network that drops, and a ticket that is followed to its end."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from tests.router.client.scripted_server import NO_PATIENCE, scripted

from usher.queue.tickets import TicketState, VisitOutcome
from usher.router.client import Unavailable, Urgency, Wait
from usher.v1 import ticket_pb2, watch_pb2
from usher.v1 import walk_in_service_pb2 as pb

AWAY = grpc.StatusCode.UNAVAILABLE


def joined(number: str) -> pb.JoinLineResponse:
    """A reply with this number at place 3."""
    standing = ticket_pb2.Standing(position=3)
    standing.wait.p50.FromSeconds(60)
    standing.wait.p90.FromSeconds(150)
    state = ticket_pb2.TICKET_STATE_WAITING
    drawn = ticket_pb2.Ticket(ticket_id="t", number=number, state=state)
    return pb.JoinLineResponse(ticket=drawn, standing=standing, position=5)


@pytest.mark.asyncio
async def test_a_kiosk_asks_again_with_the_same_ids_while_nobody_answers() -> None:
    async with scripted(JoinLine=[AWAY, AWAY, joined("A001")]) as server:
        ticket = await server.usher.kiosk("north").join("cash", languages=["ru"])
        first, *others = server.requests["JoinLine"]
    assert "A001" == ticket.number
    assert [first, first] == others
    assert 32 == len(first.join_id) and 32 == len(first.request_id)


@pytest.mark.asyncio
async def test_each_visitor_gets_ids_of_its_own() -> None:
    async with scripted(JoinLine=[joined("A001"), joined("A002")]) as server:
        kiosk = server.usher.kiosk("north")
        await kiosk.join("cash")
        await kiosk.join("cash")
        one, other = server.requests["JoinLine"]
    assert one.join_id != other.join_id
    assert one.request_id != other.request_id


@pytest.mark.asyncio
async def test_a_kiosk_that_gave_up_asks_for_the_same_ticket_by_its_own_id() -> None:
    async with scripted(patience=NO_PATIENCE, JoinLine=[AWAY, joined("A001")]) as server:
        kiosk = server.usher.kiosk("north")
        with pytest.raises(Unavailable):
            await kiosk.join("cash", join_id="paper-1")
        await kiosk.join("cash", join_id="paper-1")
        assert ["paper-1", "paper-1"] == [each.join_id for each in server.requests["JoinLine"]]


@pytest.mark.asyncio
async def test_all_that_is_told_of_a_visitor_is_in_the_request() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    async with scripted(pool="day", JoinLine=[joined("A001")]) as server:
        await server.usher.kiosk("north").join(
            "cash",
            languages=["ru", "en"],
            needs=["wheelchair"],
            party_size=3,
            kiosk_time=noon,
            customer_id="c",
            journey_id="j",
            urgency=Urgency(tier=4),
            attributes={"name": "Ida"},
        )
        (asked,) = server.requests["JoinLine"]
    assert ("day", "north", "cash", 3) == (
        *(asked.pool, asked.branch, asked.service),
        asked.party_size,
    )
    assert (["ru", "en"], ["wheelchair"]) == (asked.languages, asked.needs)
    assert (noon, "c", "j") == (
        asked.kiosk_time.ToDatetime(UTC),
        asked.customer_id,
        asked.journey_id,
    )
    assert (4, {"name": "Ida"}) == (asked.urgency.tier, dict(asked.attributes))


@pytest.mark.asyncio
async def test_a_ticket_has_its_place_and_wait() -> None:
    async with scripted(JoinLine=[joined("A001")]) as server:
        ticket = await server.usher.kiosk("north").join("cash")
    assert (3, 5) == (ticket.queue_position, ticket.position)
    assert Wait(timedelta(seconds=60), timedelta(seconds=150)) == ticket.wait
    assert (None, None) == (ticket.called, ticket.ended)


@pytest.mark.asyncio
async def test_a_ticket_is_followed_over_a_cut_and_ends_by_itself() -> None:
    waiting = step(watch_pb2.WATCH_STEP_SNAPSHOT, 0, 4, ticket_pb2.TICKET_STATE_WAITING)
    called = step(watch_pb2.WATCH_STEP_CHANGES, 5, 6, ticket_pb2.TICKET_STATE_CALLED)
    quiet = step(watch_pb2.WATCH_STEP_BOOKMARK, 7, 7, None)
    ended = step(watch_pb2.WATCH_STEP_CHANGES, 8, 9, ticket_pb2.TICKET_STATE_ENDED)
    script = [[waiting, called], [quiet, ended]]
    async with scripted(WatchTicket=script) as server:
        seen = [each async for each in server.usher.kiosk("north").watch("t")]
        assert ["", "after 6"] == [each.token for each in server.requests["WatchTicket"]]
    states = [TicketState.WAITING, TicketState.CALLED, TicketState.ENDED]
    assert states == [each.state for each in seen]
    assert VisitOutcome.SERVED == seen[-1].outcome


def step(
    kind: watch_pb2.WatchStep.ValueType,
    first: int,
    position: int,
    state: ticket_pb2.TicketState.ValueType | None,
) -> pb.WatchTicketResponse:
    """A message of a watch of ticket t."""
    head = watch_pb2.WatchHead(
        step=kind, first_position=first, position=position, token=f"after {position}"
    )
    message = pb.WatchTicketResponse(head=head)
    if state is not None:
        message.ticket.ticket_id = "t"
        message.ticket.state = state
        if state == ticket_pb2.TICKET_STATE_ENDED:
            message.ticket.outcome = ticket_pb2.VISIT_OUTCOME_SERVED
    return message
