"""Tickets that wait: who is next for a clerk. It is whom the match would give that clerk.

Shown by a scalar twin, and by the matcher itself over equal contacts that are pushed.
"""

from random import Random

import pytest
from tests.router.branch_kit import (
    ANN,
    BOB,
    DESKS,
    MINUTE_MS,
    SERVICES,
    BranchDay,
    branch,
    branches,
    line,
    service,
)
from tests.router.matching_worlds import (
    AT_MS,
    random_agent,
    random_contacts,
    random_policy,
    random_roster,
)
from tests.router.pool_kit import policy, queue
from tests.router.scalar_twin import Twin

from usher.queue import commands as c
from usher.queue.branches import BranchName, LineName, ServiceName
from usher.queue.rules import Order, Policy, Rank, Roster
from usher.queue.state import Agent, Contact, copied
from usher.queue.tickets import Ticket
from usher.queue.values import (
    AgentId,
    Channel,
    ContactId,
    Found,
    Presence,
)
from usher.router.lobby import Lobby
from usher.router.matching import Matcher

WALK_IN = Channel.WALK_IN
NAMES = tuple(map(ServiceName, ("cash", "post", "advice")))
NORTH, SOUTH = BranchName("north"), BranchName("south")
Next = tuple[ContactId, int, Found] | None


# next


class Scene:
    """A random lobby and one clerk at a desk with room for a visitor."""

    def __init__(self, seed: int, contacts: int) -> None:
        self.random = random = Random(seed)
        self.policy: Policy = random_policy(random, one=random.random() < 0.5)
        channels = (WALK_IN, Channel.CHAT)
        self.roster: Roster = random_roster(random, random.choice((1, 4)), channels)
        found = random_contacts(random, self.policy, self.roster, contacts, (WALK_IN,))
        self.contacts = found
        self.tickets = {each: self._ticket(each) for each in found}
        self.serves = set(random.sample(NAMES, random.randint(1, 3)))
        self.agents = {
            one.agent_id: random_agent(random, one, free=0.5) for one in self.roster.agents
        }

    def _ticket(self, contact_id: ContactId) -> Ticket:
        random = self.random
        at = random.choice((NORTH, NORTH, NORTH, SOUTH))
        latest_ms = AT_MS - self.contacts[contact_id].order_ms
        shift_ms = random.choice((0, 0, 0, min(latest_ms, random.randint(-30_000, 30_000))))
        asked = random.choice(NAMES)
        day, label = "2026-03-02", contact_id.upper()
        return Ticket(contact_id, at, LineName("a"), asked, day, 1, label, 0, shift_ms=shift_ms)

    def clerks(self) -> list[Agent]:
        """Those who have room for a visitor."""
        found = []
        for profile in self.roster.agents:
            agent, capacity = self.agents[profile.agent_id], profile.capacity
            listed = capacity.channels.get(WALK_IN)
            if listed is None or agent.channel_legs.get(WALK_IN, 0) >= listed.most:
                continue
            if agent.units_used + listed.price <= capacity.units:
                found.append(agent)
        return found

    def here(self) -> dict[ContactId, Contact]:
        """The tickets that may be called: of this branch and service, each in its moved place."""
        found = {}
        for contact_id, contact in self.contacts.items():
            ticket = self.tickets[contact_id]
            if ticket.branch == NORTH and ticket.service in self.serves:
                waited_ms = contact.waited_ms - ticket.shift_ms
                found[contact_id] = copied(contact, waited_ms=waited_ms)
        return found

    def lobby(self) -> Lobby:
        matcher = Matcher(self.policy, self.roster, self.tickets)
        matcher.load(self.contacts, self.agents)
        return matcher.lobby

    def next(self, agent: Agent) -> Next:
        """What the lobby gives the clerk."""
        free = self._units(agent) - agent.units_used
        serves = self.serves.__contains__
        return self.lobby().next_for(agent.agent_id, NORTH, serves, free, AT_MS)

    def _units(self, agent: Agent) -> int:
        (units,) = (
            one.capacity.units for one in self.roster.agents if one.agent_id == agent.agent_id
        )
        return units

    def open_to_offers(self, agent: Agent) -> tuple[Roster, dict[AgentId, Agent]]:
        """The same clerk as the only agent, ready, with room for one visitor."""
        (profile,) = (one for one in self.roster.agents if one.agent_id == agent.agent_id)
        ready = copied(agent, session=1, presence=Presence.READY, lost=False)
        open_profile = _changed(profile, closed=False, capacity=_one_more(profile.capacity, agent))
        return Roster(version="r", agents=(open_profile,)), {agent.agent_id: ready}


def _changed(record: object, **changes: object) -> object:
    fields = {name: getattr(record, name) for name in record.__struct_fields__}  # type: ignore[attr-defined]
    return type(record)(**{**fields, **changes})


def _one_more(capacity: object, agent: Agent) -> object:
    channels = dict(capacity.channels)  # type: ignore[attr-defined]
    most = agent.channel_legs.get(WALK_IN, 0) + 1
    channels[WALK_IN] = _changed(channels[WALK_IN], most=most)
    return _changed(capacity, channels=channels)


def twin_next(scene: Scene, agent: Agent) -> tuple[ContactId, int] | None:
    """The first stage with somebody for the clerk: fcfs its first, else the best score."""
    roster, agents = scene.open_to_offers(agent)
    twin = Twin(scene.policy, roster, scene.here(), agents, AT_MS)
    seat = twin.desks[agent.agent_id]
    for order, contacts in twin.stages():
        best = None
        if order is Order.SCORE:
            best = twin.best_contact(contacts, seat)
        else:
            first = next((each for each in contacts if twin.allowed(each, seat)), None)
            best = None if first is None else (first, twin.score(first, seat))
        if best is not None:
            return best[0].contact_id, best[1]
    return None


def matched(scene: Scene, agent: Agent) -> Next:
    """What the matcher gives the clerk if the tickets were push contacts."""
    roster, agents = scene.open_to_offers(agent)
    matcher = Matcher(scene.policy, roster)
    matcher.load(scene.here(), agents)
    pairs = matcher.pairs(AT_MS)
    assert len(pairs) <= 1
    return (pairs[0].contact_id, pairs[0].score, pairs[0].found) if pairs else None


@pytest.mark.parametrize("contacts", [1, 3, 8, 20, 60])
def test_the_next_ticket_is_the_one_that_the_match_would_give_the_clerk(contacts: int) -> None:
    found = Random(contacts)
    seen: set[object] = set()
    clerks = 0
    for _ in range(60):
        scene = Scene(found.randrange(10**9), contacts)
        for agent in scene.clerks():
            expected = twin_next(scene, agent)
            got = scene.next(agent)
            assert expected == (None if got is None else got[:2])
            assert matched(scene, agent) == got
            seen.add(None if got is None else got[2])
            clerks += 1
    assert clerks > 40
    assert {None, Found.FCFS} <= seen
    assert Found.COLUMN in seen or contacts == 1


def test_tickets_of_equal_score_go_by_time_waited_and_then_by_arrival() -> None:
    scored = policy(queue("cash", channels=("walk_in",), order=Order.SCORE))
    plan = branches(SERVICES[0], branch("north", line("a", "cash")), *DESKS)
    day = BranchDay.begun(policy_=scored, plan=plan, agents=(ANN, BOB), seats={"1": "ann"})
    for name in ("j1", "j2", "j3"):
        day.join(name)
    for expected in ("j1", "j2", "j3"):
        assert expected == day.next("1")
        day.give(c.MarkNoShow(*day.at("1"), ContactId(expected)))


def ranked(**how: object) -> BranchDay:
    """Three services whose queues differ as told."""
    parts = [service(name) for name in ("cash", "post", "advice")]
    queues = [queue(name, channels=("walk_in",), **how[name]) for name in how]  # type: ignore[arg-type]
    plan = branches(*parts, branch("north", line("a", *how)), *DESKS)
    return BranchDay.begun(policy_=policy(*queues), plan=plan, seats={"1": "ann"})


def test_ranks_then_levels_then_fcfs_before_score() -> None:
    day = ranked(
        cash={"order": Order.SCORE, "rank": Rank.DEFERRED},
        post={"order": Order.FCFS, "level": 1},
        advice={"order": Order.FCFS, "rank": Rank.ABSOLUTE},
    )
    for number, asked in enumerate(("cash", "post", "advice")):
        day.join(f"j{number}", asked, after_ms=MINUTE_MS)
    assert ["j2", "j1", "j0"] == day.in_line()
    called = []
    for _ in range(3):
        called.append(day.next("1"))
        day.give(c.MarkNoShow(*day.at("1"), ContactId(called[-1])))
    assert ["j2", "j1", "j0"] == called


def test_a_head_start_counts_among_the_queues_of_a_level() -> None:
    fcfs = {"order": Order.FCFS}
    day = ranked(cash=fcfs, post={**fcfs, "head_start_ms": MINUTE_MS}, advice=fcfs)
    day.join("j1", "cash")
    day.join("j2", "post", after_ms=MINUTE_MS - 1)
    day.join("j3", "post", after_ms=2)
    assert ["j2", "j1", "j3"] == day.in_line()
    assert "j2" == day.next("1")


def test_nobody_is_next_at_a_branch_without_tickets() -> None:
    lobby = Scene(1, 4).lobby()
    agent = AgentId("a0")
    assert lobby.next_for(agent, BranchName("west"), lambda _: True, 9, AT_MS) is None
    assert lobby.next_for(agent, NORTH, lambda _: False, 9, AT_MS) is None
