"""Joint assignment: what is cut away changes no optimum; too large problems go greedy."""

from random import Random

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from tests.router.match_kit import CHAT, World, check_pairs, loaded, plain_world
from tests.router.matching_worlds import (
    AT_MS,
    random_agents,
    random_contacts,
    random_policy,
    random_roster,
)
from tests.router.scalar_twin import Desk, Twin

from usher.queue import rules as r
from usher.queue import values as v
from usher.queue.state import Contact


def one_channel_world(seed: int, contacts: int, agents: int, plain: float) -> World:
    random = Random(seed)
    policy = random_policy(random, random.choice((1, 2, 5)), one=True)
    roster = random_roster(random, agents, (CHAT,), units=9)
    return (
        policy,
        roster,
        random_contacts(random, policy, roster, contacts, (CHAT,), plain),
        random_agents(random, roster),
    )


def full_solution(world: World) -> tuple[int, int]:
    """Returns (pairs, sum of scores) of the whole problem: every slot a column, nothing cut."""
    twin = Twin(*world, AT_MS)
    waiting = twin.waiting()
    columns: list[list[int | None]] = []
    for desk in twin.desks.values():
        columns += slot_columns(twin, waiting, desk)
    if not columns or not waiting:
        return 0, 0
    scores = np.array(
        [[-(10**12) if each is None else each for each in column] for column in columns], float
    ).T
    rows, chosen = linear_sum_assignment(scores, maximize=True)
    worth = [int(each) for each in scores[rows, chosen] if each > -(10**11)]
    return len(worth), sum(worth)


def slot_columns(twin: Twin, waiting: list[Contact], desk: Desk) -> list[list[int | None]]:
    """Returns a column of scores per slot of the agent, None where not allowed."""
    columns = []
    while len(columns) < len(waiting):
        column = [
            twin.score(contact, desk) if twin.allowed(contact, desk) else None
            for contact in waiting
        ]
        if not any(each is not None for each in column):
            break
        columns.append(column)
        desk.take(CHAT)
    return columns


@pytest.mark.parametrize("plain", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(20))
def test_the_reduced_problem_has_the_optimum_of_the_whole(seed: int, plain: float) -> None:
    random = Random(seed)
    world = one_channel_world(seed, random.choice((9, 60)), random.choice((3, 8, 60)), plain)
    pairs = loaded(world).pairs(AT_MS)
    check_pairs(world, pairs)
    assert full_solution(world) == (len(pairs), sum(pair.score for pair in pairs))


def test_many_contacts_for_a_few_freed_agents_have_the_optimum_of_the_whole() -> None:
    placed = 0
    for seed in range(10):
        world = one_channel_world(seed, 400, 4, 0.5)
        pairs = loaded(world).pairs(AT_MS)
        assert full_solution(world) == (len(pairs), sum(pair.score for pair in pairs))
        placed += len(pairs)
    assert placed > 20


def test_a_problem_above_the_policys_size_is_matched_greedily_and_says_so() -> None:
    world = one_channel_world(11, 60, 60, 0.2)
    policy = r.Policy(version="p", queues=world[0].queues, exact_cells_max=16)
    world = (policy, *world[1:])
    pairs = loaded(world).pairs(AT_MS)
    check_pairs(world, pairs)
    assert {v.Found.GREEDY} == {pair.found for pair in pairs}
    twin = Twin(*world, AT_MS)
    by_urgency = sorted(
        twin.waiting(),
        key=lambda each: -twin.urgency(each) * twin.queues[each.facts.queue].weights.urgency,
    )
    expected = twin.one_by_one(by_urgency)
    assert expected == [(p.contact_id, p.agent_id, p.score) for p in pairs]


@pytest.mark.parametrize("cells", [60 * 40, 700])
def test_a_problem_that_grows_too_large_by_slots_is_greedy(
    cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = one_channel_world(11, 60, 60, 0.2)
    monkeypatch.setattr("usher.router.joint.TABLE_CELLS_MAX", cells)
    pairs = loaded(world).pairs(AT_MS)
    check_pairs(world, pairs)
    assert {v.Found.GREEDY} == {pair.found for pair in pairs}


def test_the_most_urgent_of_many_alike_get_the_slots() -> None:
    for most in (1, 3):
        world = plain_world(40, 2, most)
        for number, contact in enumerate(world[2].values()):
            tier = v.Urgency(tier=number % 11)
            contact.facts = v.ContactFacts(contact.facts.queue, CHAT, urgency=tier)
        pairs = loaded(world).pairs(AT_MS)
        chosen = [world[2][pair.contact_id].facts.urgency.tier for pair in pairs]
        assert [10, 10, 10, 9, 9, 9][: 2 * most] == sorted(chosen, reverse=True)
        order = [world[2][pair.contact_id].sequence for pair in pairs]
        assert sorted(order) == order


def test_a_table_that_would_be_too_large_is_never_built(monkeypatch: pytest.MonkeyPatch) -> None:
    world = one_channel_world(11, 60, 60, 0.0)
    monkeypatch.setattr("usher.router.problem.TABLE_CELLS_MAX", 100)
    pairs = loaded(world).pairs(AT_MS)
    check_pairs(world, pairs)
    assert {v.Found.GREEDY} == {pair.found for pair in pairs}


def test_more_pairs_come_before_a_greater_score() -> None:
    only = dict.fromkeys(r.Weights.__struct_fields__, 0) | {"relationship": 1000}
    policy, roster, contacts, agents = plain_world(2, 2, weights=r.Weights(**only))
    friend = (v.Relationship(v.AgentId("a000"), 1000),)
    stranger, paused = contacts.values()
    facts = v.ContactFacts(stranger.facts.queue, CHAT, relationships=friend)
    stranger.facts = facts
    paused.pauses = {v.AgentId("a001"): AT_MS + 1}
    paused.facts = v.ContactFacts(
        paused.facts.queue, CHAT, relationships=(v.Relationship(v.AgentId("a000"), -1000),)
    )
    pairs = loaded((policy, roster, contacts, agents)).pairs(AT_MS)
    assert {stranger.contact_id: "a001", paused.contact_id: "a000"} == {
        pair.contact_id: pair.agent_id for pair in pairs
    }


def test_channels_of_different_price_share_an_agent_without_overfilling_it() -> None:
    world = plain_world(8, 2)
    policy, _, contacts, agents = world
    capacity = r.Capacity(
        units=5,
        channels={
            CHAT: r.ChannelCapacity(price=1, most=4),
            v.Channel.VOICE: r.ChannelCapacity(price=3, most=1),
        },
    )
    roster = r.Roster(
        version="r",
        agents=tuple(r.AgentProfile(id=each, capacity=capacity) for each in agents),
    )
    for number, contact in enumerate(contacts.values()):
        if number % 2:
            contact.facts = v.ContactFacts(contact.facts.queue, v.Channel.VOICE)
    mixed = policy, roster, contacts, agents
    pairs = loaded(mixed).pairs(AT_MS)
    check_pairs(mixed, pairs)
    assert 6 == len(pairs)
