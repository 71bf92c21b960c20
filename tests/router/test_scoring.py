"""Each term of the score against its scalar twin, over random whole numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.router.scalar_twin import Desk, Twin

from usher.queue import rules as r
from usher.queue import values as v
from usher.queue.state import Agent, Contact
from usher.router import scoring

CHAT = v.Channel.CHAT
REQUIREMENTS = st.lists(
    st.builds(
        r.Requirement,
        skill=st.sampled_from(["x", "y", "z"]),
        least=st.integers(0, 10),
        wanted=st.integers(1, 10),
        weight=st.integers(1, 100),
    ),
    min_size=1,
    max_size=3,
)
LEVELS = st.lists(st.integers(0, 10), min_size=3, max_size=3)
DAY_MS = 24 * 3600 * 1000


def twin_of(
    queue: r.QueueRules, profile: r.AgentProfile, record: Agent, at_ms: int = 0
) -> tuple[Twin, Desk]:
    roster = r.Roster(version="r", agents=(profile,))
    policy = r.Policy(version="p", queues=(queue,))
    twin = Twin(policy, roster, {}, {profile.agent_id: record}, at_ms)
    return twin, twin.desks[profile.agent_id]


def contact_of(at_ms: int = 0, urgency: v.Urgency | None = None) -> Contact:
    facts = v.ContactFacts(v.QueueName("q"), CHAT, urgency=urgency or v.Urgency())
    return Contact(v.ContactId("c"), facts, "", 1, v.ContactState.WAITING, at_ms, at_ms, 0, 1)


def profile_of(skills: dict[str, int], units: int = 1, price: int = 1) -> r.AgentProfile:
    capacity = r.Capacity(units=units, channels={CHAT: r.ChannelCapacity(price=price)})
    return r.AgentProfile(
        id="a", capacity=capacity, skills={name: level for name, level in skills.items() if level}
    )


@given(REQUIREMENTS, LEVELS)
def test_skill_fit(requirements: list[r.Requirement], levels: list[int]) -> None:
    skills = dict(zip("xyz", levels, strict=True))
    columns = [np.array([skills[asked.skill]], np.int8) for asked in requirements]
    queue = r.QueueRules(name=v.QueueName("q"), requirements=tuple(requirements))
    twin, desk = twin_of(queue, profile_of(skills), Agent(v.AgentId("a")))
    expected = twin.skill_fit(contact_of(), desk.profile)
    assert [expected] == scoring.skill_fit(columns, requirements).tolist()


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(1, 10_000))
def test_workload(used: int, price: int, units: int) -> None:
    queue = r.QueueRules(name=v.QueueName("q"))
    record = Agent(v.AgentId("a"), units_used=used)
    twin, desk = twin_of(queue, profile_of({}, units, price), record)
    after = np.array([used + price], np.int32)
    expected = twin.workload(contact_of(), desk)
    assert [expected] == scoring.workload(after, np.array([units], np.int32)).tolist()


@given(st.integers(0, DAY_MS), st.integers(0, DAY_MS), st.booleans())
def test_idle(since_ms: int, passed_ms: int, busy: bool) -> None:
    at_ms = since_ms + passed_ms
    record = Agent(v.AgentId("a"), idle_since_ms=since_ms, channel_legs={CHAT: int(busy)})
    twin, desk = twin_of(r.QueueRules(name=v.QueueName("q")), profile_of({}), record, at_ms)
    column = np.array([scoring.NOT_IDLE if busy else since_ms], np.int64)
    assert [twin.idle(desk)] == scoring.idle(at_ms, column).tolist()
    assert twin.idle(desk) == scoring.idle_of_one(at_ms, int(column[0]))


@given(
    st.integers(-1000, 40 * DAY_MS),
    st.integers(1000, 30 * DAY_MS),
    st.integers(0, DAY_MS),
    st.builds(v.Urgency, st.integers(0, 10), *[st.integers(0, 9)] * 3),
)
def test_urgency(waited_ms: int, target_ms: int, head_ms: int, facts: v.Urgency) -> None:
    queue = r.QueueRules(name=v.QueueName("q"), service_target_ms=target_ms, head_start_ms=head_ms)
    at_ms = 40 * DAY_MS
    twin, _ = twin_of(queue, profile_of({}), Agent(v.AgentId("a")), at_ms)
    waited_ms = max(0, waited_ms)
    expected = twin.urgency(contact_of(at_ms - waited_ms, facts))
    points = scoring.need(facts)
    columns = (np.array([each], np.int64) for each in (waited_ms + head_ms, target_ms, points))
    assert [expected] == scoring.urgency(*columns).tolist()
    assert expected == scoring.urgency_of_one(waited_ms + head_ms, target_ms, points)
    assert 0 <= expected <= 1000


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=40),
    st.integers(1, 45),
)
def test_first_gives_the_smallest_by_all_keys(keys: list[tuple[int, int]], count: int) -> None:
    order = sorted(range(len(keys)), key=lambda each: (*keys[each], each))
    columns = (np.array(column, np.int64) for column in zip(*keys, strict=True))
    assert sorted(order[:count]) == scoring.first(count, *columns).tolist()


def test_the_greatest_score_is_within_its_bound() -> None:
    weights = r.Weights()
    total = sum(getattr(weights, name) for name in scoring.WEIGHT_NAMES)
    assert 1000 == total
    assert 1000 * 1000 < scoring.SCORE_BOUND
    assert scoring.FORBIDDEN + 2 * scoring.SCORE_BOUND < scoring.LEAST < -scoring.SCORE_BOUND
