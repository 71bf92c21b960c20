"""The matcher as the pool drives it: changes one by one, positions, who is admitted."""

from collections import Counter
from random import Random

import pytest
from tests.router.match_kit import (
    CHAT,
    World,
    ids,
    loaded,
    plain_contact,
    plain_world,
    ready,
    seat_all,
    world_of,
)
from tests.router.matching_worlds import (
    AT_MS,
    random_agent,
    random_contact,
)
from tests.router.scalar_twin import Twin

from usher.queue import rules as r
from usher.queue import values as v
from usher.queue.state import copied
from usher.router.matching import Matcher, warm_up


@pytest.mark.parametrize("seed", range(25))
def test_the_order_of_contacts_and_agents_in_the_ledger_decides_nothing(seed: int) -> None:
    policy, roster, contacts, agents = world_of(seed, 40, 12, one=seed % 2 == 0)
    random = Random(seed)
    expected = loaded((policy, roster, contacts, agents)).pairs(AT_MS)
    mixed_contacts, mixed_agents = list(contacts.items()), list(agents.items())
    random.shuffle(mixed_contacts)
    random.shuffle(mixed_agents)
    profiles = random.sample(roster.agents, len(roster.agents))
    roster = r.Roster(version="r", agents=tuple(profiles))
    mixed = policy, roster, dict(mixed_contacts), dict(mixed_agents)
    assert expected == loaded(mixed).pairs(AT_MS)


@pytest.mark.parametrize("seed", range(25))
def test_changes_noted_one_by_one_give_what_a_fresh_start_gives(seed: int) -> None:
    random = Random(seed)
    world = world_of(seed, 20, random.choice((3, 10)), one=seed % 2 == 0)
    policy, roster, contacts, agents = world
    profiles = {profile.agent_id: profile for profile in roster.agents}
    matcher = loaded(world)
    for step in range(30):
        pairs = matcher.pairs(AT_MS + step)
        assert pairs == matcher.pairs(AT_MS + step)
        assert pairs == loaded(world).pairs(AT_MS + step)
        seat_all(world, pairs, matcher)
        matcher.settle()
        assert not matcher.needs_match
        assert [] == matcher.pairs(AT_MS + step) == loaded(world).pairs(AT_MS + step)
        for _ in range(random.randint(0, 3)):
            agent = random_agent(random, random.choice(list(profiles.values())), 0.7)
            agents[agent.agent_id] = agent
            matcher.note([], [agent])
        for number in random.sample(range(1, 60), random.randint(0, 4)):
            contact = random_contact(random, policy, roster, number)
            if random.random() < 0.4:
                contact = copied(contact, state=v.ContactState.ENDED)
            contacts[contact.contact_id] = contact
            matcher.note([contact], [])
        check_positions(world, matcher)


def check_positions(world: World, matcher: Matcher) -> None:
    waiting = Twin(*world, AT_MS).waiting()
    seen: Counter[str] = Counter()
    for contact in waiting:
        seen[contact.facts.queue] += 1
        assert seen[contact.facts.queue] == matcher.queue_position(contact.contact_id)
    assert seen == Counter({q.name: matcher.waiting_count(q.name) for q in world[0].queues})
    assert 0 == matcher.queue_position(v.ContactId("nobody"))


@pytest.mark.parametrize("seed", range(40))
def test_admits_says_whether_some_agent_may_take_it_now(seed: int) -> None:
    random = Random(seed)
    world = world_of(seed, 0, 4)
    policy, roster, _, agents = world
    matcher = loaded(world)
    for number in range(10):
        contact = random_contact(random, policy, roster, number)
        twin = Twin(policy, roster, {}, agents, AT_MS)
        assert twin.any_allowed([contact]) is matcher.admits(contact, AT_MS)
        expected = {contact.contact_id} if twin.any_allowed([contact]) else set()
        assert expected == matcher.placed([contact], AT_MS)


def test_placed_are_the_newcomers_that_would_be_offered_at_once() -> None:
    world = plain_world(0, 3, most=2)
    matcher = loaded(world)
    newcomers = [plain_contact(number) for number in range(9)]
    assert {each.contact_id for each in newcomers[:6]} == matcher.placed(newcomers, AT_MS)
    assert {each.contact_id for each in newcomers[:4]} == matcher.placed(newcomers[:4], AT_MS)
    assert set() == matcher.placed([], AT_MS)
    assert 0 == matcher.waiting_count(v.QueueName("q"))


def test_a_match_is_needed_only_while_somebody_waits() -> None:
    world = plain_world(1, 1)
    contact = world[2].popitem()[1]
    matcher = loaded(world)
    assert not matcher.needs_match
    matcher.note([contact], [])
    assert matcher.needs_match
    matcher.settle()
    busy = ready("a000", units_used=1, channel_legs={CHAT: 1})
    matcher.note([], [busy])
    assert not matcher.needs_match
    matcher.note([], [ready("a000")])
    assert matcher.needs_match


def test_a_pause_holds_the_pair_until_it_ends() -> None:
    world = plain_world(1, 2)
    first = v.AgentId("a000")
    contact = copied(world[2][v.ContactId("c00001")], pauses={first: AT_MS + 1})
    matcher = loaded(world)
    matcher.note([contact], [])
    assert [("c00001", "a001")] == ids(matcher.pairs(AT_MS))
    matcher.note([], [ready("a001", presence=v.Presence.NOT_READY)])
    assert [] == matcher.pairs(AT_MS)
    matcher.settle()
    matcher.note([copied(contact, pauses={})], [])
    assert [("c00001", "a000")] == ids(matcher.pairs(AT_MS))


def test_price_of_a_leg_is_the_rosters() -> None:
    matcher = loaded(plain_world(0, 1))
    assert (1, 0) == matcher.price_of(v.AgentId("a000"), CHAT)
    assert matcher.price_of(v.AgentId("a000"), v.Channel.VOICE) is None
    assert matcher.price_of(v.AgentId("a001"), CHAT) is None


def test_a_channel_that_nobody_serves_waits() -> None:
    world = plain_world(1, 1)
    contact = world[2][v.ContactId("c00001")]
    contact.facts = v.ContactFacts(v.QueueName("q"), v.Channel.VIDEO)
    matcher = loaded(world)
    assert [] == matcher.pairs(AT_MS)
    assert not matcher.admits(contact, AT_MS)
    assert 1 == matcher.queue_position(contact.contact_id)


def test_a_second_load_forgets_the_first() -> None:
    world = plain_world(3, 1)
    matcher = loaded(world)
    assert 3 == matcher.waiting_count(v.QueueName("q"))
    matcher.load({}, {})
    assert 0 == matcher.waiting_count(v.QueueName("q"))
    assert not matcher.needs_match
    assert not matcher.admits(plain_contact(9), AT_MS)


def test_a_queue_that_the_policy_lacks_never_matches() -> None:
    world = plain_world(1, 1)
    contact = world[2].popitem()[1]
    stranger = copied(contact, facts=v.ContactFacts(v.QueueName("other"), CHAT))
    matcher = loaded(world)
    matcher.note([stranger], [])
    assert not matcher.needs_match
    assert [] == matcher.pairs(AT_MS)
    assert 0 == matcher.queue_position(stranger.contact_id)
    assert not matcher.admits(stranger, AT_MS)


def test_languages_of_many_lists_do_not_fill_the_memory() -> None:
    world = plain_world(0, 2)
    matcher = loaded(world)
    for number in range(300):
        facts = v.ContactFacts(v.QueueName("q"), CHAT, languages=(f"x{number}",))
        contact = copied(plain_contact(1), facts=facts)
        matcher.note([contact], [])
        assert 1 == len(matcher.pairs(AT_MS))
        matcher.note([copied(contact, state=v.ContactState.ENDED)], [])
        matcher.settle()
    assert len(matcher._kinds.uses) < 200


def test_the_solver_can_be_warmed_up() -> None:
    warm_up()
