"""What the tests of the matcher share: a loaded matcher, checks of pairs, worlds of equal parts."""

from collections.abc import Sequence
from random import Random

from tests.router.matching_worlds import (
    AT_MS,
    random_agents,
    random_contacts,
    random_policy,
    random_roster,
)
from tests.router.scalar_twin import Twin

from usher.queue import rules as r
from usher.queue import values as v
from usher.queue.state import Agent, Contact, Leg, copied
from usher.router.matching import Matcher, Pair

CHAT = v.Channel.CHAT
World = tuple[r.Policy, r.Roster, dict[v.ContactId, Contact], dict[v.AgentId, Agent]]


def loaded(world: World) -> Matcher:
    policy, roster, contacts, agents = world
    matcher = Matcher(policy, roster)
    matcher.load(contacts, agents)
    return matcher


def offer(contact: Contact, agent: Agent, pair: Pair) -> tuple[Contact, Agent]:
    """Returns the records after the offer."""
    leg = Leg(
        v.LegId(f"{contact.contact_id}.{contact.leg_count + 1}"),
        contact.contact_id,
        agent.agent_id,
        contact.facts.channel,
        v.LegRole.OWNER,
        v.LegState.OFFERED,
        pair.price,
        pair.wrap_up_price,
        AT_MS,
        AT_MS,
    )
    legs = dict(agent.channel_legs)
    legs[leg.channel] = legs.get(leg.channel, 0) + 1
    units = agent.units_used + pair.price
    return (
        copied(contact, legs=(leg,), leg_count=contact.leg_count + 1),
        copied(agent, channel_legs=legs, units_used=units),
    )


def seat_all(world: World, pairs: Sequence[Pair], matcher: Matcher | None = None) -> None:
    """Offers all pairs in the world's records, and notes it."""
    _, _, contacts, agents = world
    for pair in pairs:
        contact, agent = offer(contacts[pair.contact_id], agents[pair.agent_id], pair)
        contacts[pair.contact_id], agents[pair.agent_id] = contact, agent
        if matcher is not None:
            matcher.note([contact], [agent])


def check_pairs(world: World, pairs: Sequence[Pair]) -> None:
    """Every pair was allowed when its turn came, scores as the twin says, and none is left."""
    twin = Twin(*world, AT_MS)
    assert len(pairs) == len({pair.contact_id for pair in pairs})
    turns = {}
    for pair in pairs:
        turns.setdefault(pair.agent_id, []).append(pair)
    for pair in pairs:
        contact, desk = twin.contacts[pair.contact_id], twin.desks[pair.agent_id]
        assert twin.allowed(contact, desk), pair
        capacity = desk.profile.capacity.channels[contact.facts.channel]
        assert (capacity.price, capacity.wrap_up_price) == (pair.price, pair.wrap_up_price)
        if len(turns[pair.agent_id]) == 1:
            assert twin.score(contact, desk) == pair.score
        desk.take(contact.facts.channel)
    left = [each for each in twin.waiting() if each.contact_id not in {p.contact_id for p in pairs}]
    assert not twin.any_allowed(left)


def world_of(seed: int, contacts: int, agents: int, *, one: bool = False) -> World:
    random = Random(seed)
    policy = random_policy(random, one=one)
    roster = random_roster(random, agents)
    return (
        policy,
        roster,
        random_contacts(random, policy, roster, contacts),
        random_agents(random, roster),
    )


def ready(agent_id: str, **fields: object) -> Agent:
    changes: dict[str, object] = {"session": 1, "presence": v.Presence.READY, **fields}
    return copied(Agent(v.AgentId(agent_id)), **changes)


def plain_world(
    contacts: int, agents: int, most: int = 1, weights: r.Weights | None = None
) -> World:
    """Equal agents, equal contacts of one queue without requirements."""
    queue = r.QueueRules(name=v.QueueName("q"), weights=weights or r.Weights())
    capacity = r.Capacity(units=max(1, most), channels={CHAT: r.ChannelCapacity(most=most)})
    ids = [f"a{number:03}" for number in range(agents)]
    roster = r.Roster(
        version="r", agents=tuple(r.AgentProfile(id=each, capacity=capacity) for each in ids)
    )
    return (
        r.Policy(version="p", queues=(queue,)),
        roster,
        {contact.contact_id: contact for contact in map(plain_contact, range(1, contacts + 1))},
        {v.AgentId(each): ready(each, idle_since_ms=AT_MS - 1000) for each in ids},
    )


def plain_contact(number: int, since_ms: int = AT_MS - 1000) -> Contact:
    return Contact(
        v.ContactId(f"c{number:05}"),
        v.ContactFacts(v.QueueName("q"), CHAT),
        "platform",
        number,
        v.ContactState.WAITING,
        since_ms,
        since_ms,
        0,
        number,
    )


def ids(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    return [(pair.contact_id, pair.agent_id) for pair in pairs]
