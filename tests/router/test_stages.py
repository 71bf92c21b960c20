"""Pairs against the scalar twin: masks, scores, stages, choice of row and column, ties."""

from random import Random

import pytest
from tests.router.match_kit import (
    CHAT,
    check_pairs,
    ids,
    loaded,
    plain_contact,
    plain_world,
    ready,
    world_of,
)
from tests.router.matching_worlds import (
    AT_MS,
    CHANNELS,
    random_agents,
    random_contacts,
    random_policy,
    random_roster,
)
from tests.router.scalar_twin import Twin

from usher.queue import rules as r
from usher.queue import values as v
from usher.queue.state import copied
from usher.router.matching import Pair


@pytest.mark.parametrize("seed", range(60))
def test_pairs_are_allowed_scored_as_by_the_twin_and_leave_no_allowed_pair(seed: int) -> None:
    world = world_of(seed, Random(seed).choice((1, 3, 9, 40)), Random(seed).choice((1, 2, 12)))
    check_pairs(world, loaded(world).pairs(AT_MS))


@pytest.mark.parametrize("seed", range(60))
def test_one_contact_gets_the_agent_that_the_twin_gives_it(seed: int) -> None:
    world = world_of(seed, 1, 50)
    twin = Twin(*world, AT_MS)
    pairs = loaded(world).pairs(AT_MS)
    order = next(iter(twin.stages()))[0]
    found = v.Found.ROW if order is r.Order.SCORE else v.Found.FCFS
    expected = twin.one_by_one(twin.waiting())
    assert expected == [(pair.contact_id, pair.agent_id, pair.score) for pair in pairs]
    assert all(pair.found is found for pair in pairs)


@pytest.mark.parametrize("seed", range(60))
def test_one_place_goes_to_the_contact_that_the_twin_gives_it_to(seed: int) -> None:
    random = Random(seed)
    policy = random_policy(random, one=True)
    profile = r.AgentProfile(
        id="a0",
        capacity=r.Capacity(units=1, channels={CHAT: r.ChannelCapacity()}),
        skills={"billing": 9, "cards": 5},
        groups=("north", "south"),
    )
    roster = r.Roster(version="r", agents=(profile,))
    contacts = random_contacts(random, policy, roster, 40, (CHAT,))
    agents = {profile.agent_id: ready("a0", idle_since_ms=AT_MS - 5000)}
    world = policy, roster, contacts, agents
    twin = Twin(*world, AT_MS)
    best = twin.best_contact(twin.waiting(), twin.desks[v.AgentId("a0")])
    pairs = loaded(world).pairs(AT_MS)
    if best is None:
        assert [] == pairs
    else:
        assert [(best[0].contact_id, best[1])] == [(p.contact_id, p.score) for p in pairs]
        assert pairs[0].found in {v.Found.COLUMN, v.Found.ROW}


@pytest.mark.parametrize("seed", range(80))
def test_stages_in_fcfs_order_come_out_as_one_by_one(seed: int) -> None:
    random = Random(seed)
    world = world_of(seed, random.choice((5, 40, 90)), random.choice((4, 20)))
    queues = tuple(
        r.QueueRules(**{**_fields(queue), "order": r.Order.FCFS}) for queue in world[0].queues
    )
    world = (r.Policy(version="p", queues=queues), *world[1:])
    twin = Twin(*world, AT_MS)
    expected = [pair for _, stage in twin.stages() for pair in twin.one_by_one(stage)]
    pairs = loaded(world).pairs(AT_MS)
    assert sorted(expected) == sorted((p.contact_id, p.agent_id, p.score) for p in pairs)
    assert all(pair.found is v.Found.FCFS for pair in pairs)


@pytest.mark.parametrize("seed", range(60))
def test_few_agents_without_arrays_give_the_pair_that_columns_give(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(seed, 1, 14)
    few = loaded(world).pairs(AT_MS)
    monkeypatch.setattr("usher.router.single.PAIRS_MAX", 0)
    assert few == loaded(world).pairs(AT_MS)


@pytest.mark.parametrize("seed", range(200))
def test_a_freed_agent_gets_without_arrays_the_contact_that_columns_give(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    policy = random_policy(random)
    one = r.Capacity(units=1, channels=dict.fromkeys(CHANNELS, r.ChannelCapacity()))
    profiles = random_roster(random, 4).agents
    roster = r.Roster(version="r", agents=tuple(_with(each, capacity=one) for each in profiles))
    contacts = random_contacts(random, policy, roster, random.choice((2, 5, 16)), CHANNELS)
    freed = ready("a1", idle_since_ms=AT_MS - 4000)

    def pairs() -> list[Pair]:
        matcher = loaded((policy, roster, contacts, {}))
        matcher.settle()
        matcher.note((), [freed])
        return matcher.pairs(AT_MS)

    few = pairs()
    monkeypatch.setattr("usher.router.single.PAIRS_MAX", 0)
    assert few == pairs()


def _with(profile: r.AgentProfile, **changes: object) -> r.AgentProfile:
    fields = {name: getattr(profile, name) for name in profile.__struct_fields__}
    return r.AgentProfile(**{**fields, **changes})


def _fields(struct: r.QueueRules) -> dict[str, object]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


@pytest.mark.parametrize("seed", range(120))
def test_a_small_joint_match_is_the_optimum_of_all_assignments(seed: int) -> None:
    random = Random(seed)
    policy = random_policy(random, random.choice((1, 3)), one=True)
    roster = random_roster(random, 3, (CHAT,))
    agents = random_agents(random, roster)
    contacts = random_contacts(random, policy, roster, 4, (CHAT,), random.choice((0, 0.5, 1)))
    world = policy, roster, contacts, agents
    twin = Twin(*world, AT_MS)
    pairs = loaded(world).pairs(AT_MS)
    assert twin.optimum(twin.waiting()) == (len(pairs), sum(pair.score for pair in pairs))


def test_equal_agents_go_by_longest_idle_then_id() -> None:
    world = plain_world(1, 4, weights=r.Weights(idle=0))
    agents = world[3]
    assert [("c00001", "a000")] == ids(loaded(world).pairs(AT_MS))
    for agent_id in ("a002", "a003"):
        agents[v.AgentId(agent_id)] = ready(agent_id, idle_since_ms=AT_MS - 2000)
    assert [("c00001", "a002")] == ids(loaded(world).pairs(AT_MS))


def test_an_agent_with_a_leg_counts_as_not_idle_whatever_its_record_says() -> None:
    world = plain_world(1, 2, most=3, weights=r.Weights(workload=0))
    world[3][v.AgentId("a000")] = ready(
        "a000", idle_since_ms=AT_MS - 10**6, units_used=1, channel_legs={CHAT: 1}
    )
    assert [("c00001", "a001")] == ids(loaded(world).pairs(AT_MS))


def test_equal_contacts_go_by_waiting_order_then_sequence() -> None:
    world = plain_world(12, 1, weights=r.Weights(urgency=0))
    world[2][v.ContactId("c00007")] = plain_contact(7, AT_MS - 1001)
    assert [("c00007", "a000")] == ids(loaded(world).pairs(AT_MS))
    world[2][v.ContactId("c00004")] = plain_contact(4, AT_MS - 1001)
    assert [("c00004", "a000")] == ids(loaded(world).pairs(AT_MS))


@pytest.mark.parametrize("contacts", [3, 8, 9, 30])
def test_alike_contacts_fill_the_best_slots_in_waiting_order(contacts: int) -> None:
    world = plain_world(contacts, 4, most=5)
    twin = Twin(*world, AT_MS)
    pairs = loaded(world).pairs(AT_MS)
    assert twin.one_by_one(twin.waiting()) == [(p.contact_id, p.agent_id, p.score) for p in pairs]
    assert min(contacts, 20) == len(pairs)
    assert {v.Found.JOINT} == {pair.found for pair in pairs}


def test_a_higher_rank_and_level_takes_the_only_agent_whatever_the_score() -> None:
    queues = tuple(
        r.QueueRules(name=v.QueueName(name), rank=rank, level=level)
        for name, rank, level in (
            ("deferred", r.Rank.DEFERRED, 9),
            ("low", r.Rank.LIVE, 0),
            ("high", r.Rank.LIVE, 1),
            ("absolute", r.Rank.ABSOLUTE, 0),
        )
    )
    world = plain_world(4, 1)
    urgent = v.Urgency(10, 3, 3, 3)
    contacts = {
        v.ContactId(queue.name): copied(
            plain_contact(number),
            contact_id=v.ContactId(queue.name),
            facts=v.ContactFacts(queue.name, CHAT, urgency=urgent if number < 3 else v.Urgency()),
        )
        for number, queue in enumerate(queues)
    }
    world = (r.Policy(version="p", queues=queues), world[1], contacts, world[3])
    for expected in ("absolute", "high", "low", "deferred"):
        assert [(expected, "a000")] == ids(loaded(world).pairs(AT_MS))
        del contacts[v.ContactId(expected)]
