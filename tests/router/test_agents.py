"""Columns of agents: order, room, who got freer."""

from random import Random

import pytest
from tests.router.matching_worlds import random_agent, random_roster

from usher.queue import rules as r
from usher.queue import values as v
from usher.queue.state import Agent, copied
from usher.router.agents import Agents
from usher.router.scoring import NOT_IDLE

CHAT, VOICE = v.Channel.CHAT, v.Channel.VOICE
CAPACITY = r.Capacity(
    units=10,
    channels={
        CHAT: r.ChannelCapacity(price=2, most=3, wrap_up_price=1),
        VOICE: r.ChannelCapacity(price=10),
    },
)
READY = Agent(v.AgentId("b"), session=1, presence=v.Presence.READY, idle_since_ms=5)


def agents_of(*ids: str, closed: bool = False) -> Agents:
    profiles = tuple(r.AgentProfile(id=each, capacity=CAPACITY, closed=closed) for each in ids)
    return Agents(r.Roster(version="r", agents=profiles))


def test_agents_stand_in_the_order_of_their_ids() -> None:
    assert ["a", "b", "c"] == agents_of("c", "a", "b").ids


def test_a_record_fills_its_columns() -> None:
    agents = agents_of("a", "b")
    assert 1 == agents.refresh(copied(READY, units_used=4, channel_legs={CHAT: 2}))
    assert [-1, 6] == agents.free.tolist()
    assert [3, 1] == agents.left[agents.channels[CHAT]].tolist()
    assert [1, 1] == agents.left[agents.channels[VOICE]].tolist()
    assert [NOT_IDLE, NOT_IDLE] == agents.idle_since.tolist()
    assert [1] == agents.ready().tolist()


def test_idle_since_counts_without_legs_only() -> None:
    agents = agents_of("b")
    agents.refresh(copied(READY, channel_legs={CHAT: 0}))
    assert [5] == agents.idle_since.tolist()
    agents.refresh(copied(READY, idle_since_ms=v.NEVER_MS))
    assert [NOT_IDLE] == agents.idle_since.tolist()


@pytest.mark.parametrize(
    "changes",
    [
        {"presence": v.Presence.NOT_READY},
        {"presence": v.Presence.DRAINING},
        {"lost": True},
        {"session": 0},
    ],
)
def test_who_is_not_there_has_no_room_and_is_freer_when_back(changes: dict[str, object]) -> None:
    agents = agents_of("b")
    assert -1 == agents.refresh(copied(READY, **changes))
    assert [-1] == agents.free.tolist()
    assert 0 == agents.refresh(READY)


def test_an_agent_that_a_roster_left_out_has_no_room() -> None:
    agents = agents_of("b", closed=True)
    assert -1 == agents.refresh(READY)
    assert [] == agents.ready().tolist()


def test_only_more_room_makes_freer() -> None:
    agents = agents_of("b")
    busy = copied(READY, units_used=4, channel_legs={CHAT: 2})
    agents.refresh(READY)
    assert -1 == agents.refresh(busy)
    assert -1 == agents.refresh(copied(busy, missed={CHAT: 1}))
    assert 0 == agents.refresh(copied(busy, units_used=3))
    assert 0 == agents.refresh(copied(busy, units_used=3, channel_legs={CHAT: 1}))
    assert -1 == agents.refresh(copied(READY, units_used=3, channel_legs={VOICE: 1, CHAT: 1}))


def test_load_forgets_who_is_not_named() -> None:
    agents = agents_of("a", "b")
    agents.refresh(copied(READY, channel_legs={CHAT: 3}))
    agents.load([copied(READY, agent_id=v.AgentId("a"))])
    assert [10, -1] == agents.free.tolist()
    assert [3, 3] == agents.left[agents.channels[CHAT]].tolist()


def test_an_unknown_agent_changes_nothing() -> None:
    agents = agents_of("a")
    assert -1 == agents.refresh(READY)
    assert [-1] == agents.free.tolist()


def test_prices_are_the_rosters() -> None:
    agents = agents_of("a")
    assert (2, 1) == agents.price_of(v.AgentId("a"), CHAT)
    assert agents.price_of(v.AgentId("a"), v.Channel.EMAIL) is None
    assert agents.price_of(v.AgentId("x"), CHAT) is None
    assert 2 == agents.least_price


@pytest.mark.parametrize("seed", range(20))
def test_columns_read_now_and_then_are_those_of_records_written_one_by_one(seed: int) -> None:
    random = Random(seed)
    roster = random_roster(random, 6)
    profiles = {profile.agent_id: profile for profile in roster.agents}
    seldom, always = Agents(roster), Agents(roster)
    for _ in range(60):
        record = random_agent(random, random.choice(list(profiles.values())), 0.7)
        assert seldom.refresh(record) == always.refresh(record)
        assert always.free.tolist() == always.room
        if random.random() < 0.2:
            assert always.left.tolist() == seldom.left.tolist()
            assert always.idle_since.tolist() == seldom.idle_since.tolist() == seldom.since_ms
            assert set(seldom.ready().tolist()) == seldom.with_room
