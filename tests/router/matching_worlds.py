"""Random small worlds for the matcher: policies, rosters, contacts, agents, from a seed."""

from random import Random

from usher.queue import rules as r
from usher.queue import values as v
from usher.queue.state import Agent, Contact

AT_MS = 10_000_000
CHANNELS = (v.Channel.CHAT, v.Channel.VOICE, v.Channel.EMAIL)
SKILLS = ("billing", "cards", "loans")
LANGUAGES = ("de", "en", "fr")
GROUPS = ("north", "south")
WEIGHTS = (
    r.Weights(),
    r.Weights(
        skill_fit=0, relationship=500, channel_preference=100, workload=300, idle=100, urgency=0
    ),
    r.Weights(skill_fit=1, relationship=0, channel_preference=0, workload=0, idle=0, urgency=2),
)


def some(random: Random, names: tuple[str, ...], most: int = 3) -> tuple[str, ...]:
    """Returns up to `most` of the names, often none."""
    return tuple(random.sample(names, random.randint(0, min(most, len(names)))))


def random_policy(random: Random, queues: int = 4, one: bool = False) -> r.Policy:
    """Returns a policy; `one`: all queues share rank, level and the order `score`."""
    return r.Policy(
        version="p1", queues=tuple(_queue(random, f"q{number}", one) for number in range(queues))
    )


def _queue(random: Random, name: str, one: bool) -> r.QueueRules:
    level = 0 if one else random.randint(0, 1)
    ranks = list(r.Rank)
    return r.QueueRules(
        name=v.QueueName(name),
        requirements=tuple(
            r.Requirement(skill, random.randint(0, 4), random.randint(1, 10), random.randint(1, 5))
            for skill in some(random, SKILLS, 2)
        ),
        groups=some(random, GROUPS, 1),
        rank=r.Rank.LIVE if one else random.choice(ranks),
        level=level,
        order=r.Order.SCORE if one or level else r.Order.FCFS,
        head_start_ms=random.choice((0, 0, 5000)),
        service_target_ms=random.choice((1000, 20_000)),
        weights=random.choice(WEIGHTS),
    )


def random_roster(
    random: Random, agents: int, channels: tuple[v.ChannelName, ...] = CHANNELS, units: int = 6
) -> r.Roster:
    """Returns a roster of agents a0, a1 ..."""
    return r.Roster(
        version="r1",
        agents=tuple(_profile(random, f"a{number}", channels, units) for number in range(agents)),
    )


def _profile(
    random: Random, agent_id: str, channels: tuple[v.ChannelName, ...], units: int
) -> r.AgentProfile:
    served = random.sample(channels, random.randint(1, len(channels)))
    capacity = {
        name: r.ChannelCapacity(
            price=random.randint(0, 3),
            most=random.randint(1, 3),
            wrap_up_price=random.randint(0, 1),
        )
        for name in served
    }
    return r.AgentProfile(
        id=agent_id,
        capacity=r.Capacity(units=random.randint(1, units), channels=capacity),
        groups=some(random, GROUPS),
        skills={skill: random.randint(1, 10) for skill in some(random, SKILLS)},
        languages=some(random, LANGUAGES),
        closed=random.random() < 0.05,
    )


def random_agents(random: Random, roster: r.Roster, free: float = 0.6) -> dict[v.AgentId, Agent]:
    """Returns the agents' records, most of them ready."""
    return {profile.agent_id: random_agent(random, profile, free) for profile in roster.agents}


def random_agent(random: Random, profile: r.AgentProfile, free: float = 0.6) -> Agent:
    """Returns one record within the capacity of its profile."""
    legs: dict[v.ChannelName, int] = {}
    units = 0
    if random.random() > free:
        for name, capacity in profile.capacity.channels.items():
            legs[name] = random.randint(0, capacity.most)
            units += legs[name] * capacity.price
    return Agent(
        profile.agent_id,
        session=int(random.random() < 0.95),
        presence=random.choice((v.Presence.READY,) * 9 + (v.Presence.NOT_READY,)),
        lost=random.random() < 0.05,
        idle_since_ms=random.choice((v.NEVER_MS, AT_MS - 1000, AT_MS - random.randint(0, 10**6))),
        units_used=units,
        channel_legs=legs,
    )


def random_contacts(  # noqa: PLR0917  # a table of how much there is of what
    random: Random,
    policy: r.Policy,
    roster: r.Roster,
    count: int,
    channels: tuple[v.ChannelName, ...] = CHANNELS,
    plain: float = 0.5,
) -> dict[v.ContactId, Contact]:
    """Returns contacts c1, c2 ... that wait."""
    return {
        contact.contact_id: contact
        for contact in (
            random_contact(random, policy, roster, number, channels, plain)
            for number in range(1, count + 1)
        )
    }


def random_contact(  # noqa: PLR0917
    random: Random,
    policy: r.Policy,
    roster: r.Roster,
    number: int,
    channels: tuple[v.ChannelName, ...] = CHANNELS,
    plain: float = 0.5,
) -> Contact:
    """Returns one waiting contact; with chance `plain` it sees all agents of a kind alike."""
    ids = [profile.agent_id for profile in roster.agents]
    queue, channel = random.choice(policy.queues).name, random.choice(channels)
    counts = random.randint(0, 10), *(random.randint(0, 5) for _ in range(3))
    urgency = random.choice((v.Urgency(), v.Urgency(*counts)))
    facts = v.ContactFacts(queue, channel, urgency=urgency)
    pauses: dict[v.AgentId, int] = {}
    if random.random() > plain:
        near = random.sample(ids, min(len(ids), random.randint(0, 3)))
        facts = v.ContactFacts(
            queue,
            channel,
            languages=some(random, (*LANGUAGES, "nl", "EN")),
            urgency=urgency,
            relationships=tuple(
                v.Relationship(each, random.choice((-1000, 1000, random.randint(-999, 999))))
                for each in near
            ),
            preferences=tuple(
                v.ChannelPreference(name, random.randint(0, 1000))
                for name in random.sample((*channels, v.Channel.VIDEO), random.randint(0, 2))
            ),
        )
        if random.random() < 0.4:
            pauses = dict.fromkeys(random.sample(ids, min(len(ids), 2)), AT_MS + 1000)
    since_ms = AT_MS - random.choice((0, 5000, random.randint(0, 60_000)))
    waited_ms = random.choice((0, 0, 3000))
    return Contact(
        v.ContactId(f"c{number}"),
        facts,
        "platform",
        number,
        v.ContactState.WAITING,
        since_ms,
        since_ms,
        waited_ms,
        number,
        pauses=pauses,
    )
