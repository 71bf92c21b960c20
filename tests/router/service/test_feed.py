import asyncio
from typing import Any

import pytest

from usher.queue.branches import BranchName, LineName, ServiceName
from usher.queue.state import Agent
from usher.queue.tickets import Ticket
from usher.queue.values import AgentId, ContactId
from usher.router.service.feed import Feed, Lagged, Published, TooOld, WatchesFull

SERVICE = ServiceName("cash")


def batch(position: int, *agents: str) -> Published:
    touched = tuple(Agent(AgentId(agent_id)) for agent_id in agents)
    return Published(position, position, position * 10, agents=touched)


def positions(batches: list[Published]) -> list[int]:
    return [published.position for published in batches]


def test_gives_what_is_published_after_subscribing(run: Any) -> None:
    async def scenario() -> None:
        feed = Feed(5, 50)
        subscription = feed.subscribe(None, 10)
        feed.publish(batch(6))
        assert [6] == positions(await anext(subscription))

    run(scenario())


def test_gives_all_that_is_there_at_once(run: Any) -> None:
    async def scenario() -> None:
        feed = Feed(5, 50)
        subscription = feed.subscribe(5, 10)
        for position in (6, 7, 8):
            feed.publish(batch(position))
        assert [6, 7, 8] == positions(await anext(subscription))

    run(scenario())


def test_wakes_a_reader_that_waits(run: Any) -> None:
    async def scenario() -> None:
        feed = Feed(5, 50)
        reading = asyncio.create_task(anext(feed.subscribe(None, 10)))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        feed.publish(batch(6))
        assert [6] == positions(await reading)

    run(scenario())


def test_resumes_without_gap_or_repeat(run: Any) -> None:
    async def scenario() -> None:
        feed = Feed(5, 50)
        for position in range(6, 12):
            feed.publish(batch(position))
        subscription = feed.subscribe(8, 10)
        feed.publish(batch(12))
        assert [9, 10, 11, 12] == positions(await anext(subscription))

    run(scenario())


def test_what_the_ring_let_go_is_too_old() -> None:
    feed = Feed(5, 50, batches_max=3)
    for position in range(6, 12):
        feed.publish(batch(position))
    feed.subscribe(8, 10)
    with pytest.raises(TooOld, match="8 to 11"):
        feed.subscribe(7, 10)


def test_the_ring_is_bounded_by_records_too() -> None:
    feed = Feed(5, 50, records_max=4)
    for position in range(6, 12):
        feed.publish(batch(position, "a1", "a2"))
    feed.subscribe(9, 10)
    with pytest.raises(TooOld):
        feed.subscribe(8, 10)


def test_what_was_before_the_server_opened_is_too_old() -> None:
    with pytest.raises(TooOld):
        Feed(5, 50).subscribe(4, 10)


def test_a_position_that_is_not_reached_is_not_served() -> None:
    with pytest.raises(TooOld):
        Feed(5, 50).subscribe(6, 10)


def test_a_slow_reader_is_told_that_it_lagged_and_costs_no_more(run: Any) -> None:
    async def scenario() -> None:
        feed = Feed(5, 50)
        slow = feed.subscribe(None, 2)
        quick = feed.subscribe(None, 10)
        for position in (6, 7, 8):
            feed.publish(batch(position))
        with pytest.raises(Lagged):
            await anext(slow)
        assert [6, 7, 8] == positions(await anext(quick))

    run(scenario())


def test_a_reader_that_lagged_may_resume(run: Any) -> None:
    async def scenario() -> None:
        feed = Feed(5, 50)
        slow = feed.subscribe(None, 2)
        for position in (6, 7, 8):
            feed.publish(batch(position))
        with pytest.raises(Lagged):
            await anext(slow)
        assert [6, 7, 8] == positions(await anext(feed.subscribe(5, 3)))

    run(scenario())


def test_more_to_catch_up_than_the_limit_is_too_old() -> None:
    feed = Feed(5, 50)
    for position in (6, 7, 8):
        feed.publish(batch(position))
    with pytest.raises(TooOld, match="3 batches"):
        feed.subscribe(5, 2)


def test_an_agents_watch_gets_only_what_touches_the_agent(run: Any) -> None:
    async def scenario() -> None:
        feed = Feed(5, 50)
        feed.publish(batch(6, "a1"))
        feed.publish(batch(7, "a2"))
        subscription = feed.subscribe(5, 10, AgentId("a1"))
        feed.publish(batch(8, "a2"))
        feed.publish(batch(9, "a1", "a2"))
        assert [6, 9] == positions(await anext(subscription))

    run(scenario())


def test_the_number_of_watches_is_bounded() -> None:
    feed = Feed(5, 50, subscriptions_max=2)
    first = feed.subscribe(None, 1)
    feed.subscribe(None, 1, AgentId("a1"))
    with pytest.raises(WatchesFull):
        feed.subscribe(None, 1)
    first.close()
    first.close()
    feed.subscribe(None, 1)
    with pytest.raises(WatchesFull):
        feed.subscribe(None, 1)


def test_tells_position_and_time_of_the_last_batch() -> None:
    feed = Feed(5, 50)
    feed.publish(batch(6))
    assert (6, 60) == (feed.position, feed.at_ms)


def test_closing_lets_read_what_is_there_and_ends(run: Any) -> None:
    async def scenario() -> None:
        feed = Feed(5, 50)
        for subscription in (feed.subscribe(None, 9), feed.subscribe(None, 9, AgentId("a1"))):
            feed.publish(batch(feed.position + 1, "a1"))
            feed.close()
            seen = [positions(batches) async for batches in subscription]
            assert 1 == len(seen)
        assert [] == [batches async for batches in feed.subscribe(None, 9)]

    run(scenario())


def at_branch(position: int, *branches: str, tickets: tuple[str, ...] = ()) -> Published:
    drawn = tuple(
        Ticket(ContactId(name), BranchName(branches[0]), LineName("a"), SERVICE, "", 1, name, 0)
        for name in tickets
    )
    names = frozenset(map(BranchName, branches))
    return Published(position, position, position * 10, tickets=drawn, branches=names)


def test_a_bell_rings_once_for_all_that_touched_its_branch(run: Any) -> None:
    async def scenario() -> None:
        feed = Feed(5, 50)
        bell = feed.hang_up(BranchName("north"))
        feed.publish(at_branch(6, "south"))
        feed.publish(batch(7, "a1"))
        assert not bell.rung
        feed.publish(at_branch(8, "north", "south"))
        feed.publish(at_branch(9, "north"))
        assert bell.rung
        await bell.heard()
        assert not bell.rung
        bell.close()
        await bell.heard()
        feed.publish(at_branch(10, "north"))
        assert bell.closed and not bell.rung

    run(scenario())


def test_bells_end_with_the_feed(run: Any) -> None:
    async def scenario() -> None:
        feed = Feed(5, 50)
        bells = [feed.hang_up(BranchName("north"))]
        feed.close()
        bells.append(feed.hang_up(BranchName("north")))
        for bell in bells:
            await bell.heard()
            assert bell.closed

    run(scenario())


def test_tells_which_tickets_of_a_branch_were_touched_since() -> None:
    feed = Feed(5, 50)
    feed.publish(at_branch(6, "north", tickets=("t1", "t2")))
    feed.publish(at_branch(7, "south", tickets=("t3",)))
    feed.publish(at_branch(8, "north", tickets=("t2",)))
    feed.publish(at_branch(9, "north"))  # a desk was opened
    north, south = BranchName("north"), BranchName("south")

    def labels(position: int, branch: BranchName) -> list[str] | None:
        touched = feed.tickets_since(position, 3, branch)
        return None if touched is None else [ticket.label for ticket in touched]

    assert ["t1", "t2", "t2"] == labels(5, north)
    assert ["t2"] == labels(7, north)
    assert [] == labels(8, north)
    assert None is labels(9, north)
    assert None is labels(7, south)
    for too_old in (4, 10):
        with pytest.raises(TooOld):
            labels(too_old, north)
    with pytest.raises(TooOld, match="3 batches"):
        feed.tickets_since(5, 2, north)


def test_watches_that_read_no_batches_count_too() -> None:
    feed = Feed(5, 50, subscriptions_max=2)
    feed.subscribe(None, 1)
    feed.admit()
    with pytest.raises(WatchesFull):
        feed.admit()
    with pytest.raises(WatchesFull):
        feed.subscribe(None, 1)
    feed.leave()
    feed.subscribe(None, 1)


def test_tickets_count_for_the_bound_of_the_ring() -> None:
    feed = Feed(5, 50, records_max=3)
    for position in (6, 7):
        feed.publish(at_branch(position, "north", tickets=("t1", "t2")))
    with pytest.raises(TooOld):
        feed.tickets_since(5, 9, BranchName("north"))
