"""Why nobody takes a contact at a moment: every agent by the first thing that stands in the way.

    no channel -> not fit -> signed out -> away -> paused -> full -> free

By the router's own columns (`usher.router.agents`, `kinds`, `skills`), which its match reads as
well: no rule of routing stands here. The ledger is that of a live run or of a journal replayed up
to the moment. It must not know where the ledger comes from, or what would help.
"""

from collections import Counter

from msgspec import Struct
from msgspec.structs import replace

from usher.queue.ledger import Ledger
from usher.queue.rules import Policy, QueueRules, Roster
from usher.queue.state import Agent, Contact
from usher.queue.tickets import TicketState, ticket_state
from usher.queue.values import AgentId, ContactId, Presence, QueueName
from usher.router.agents import NOT_SERVED, Agents, may_be_offered
from usher.router.kinds import Kinds
from usher.router.lookups import NotConfigured
from usher.router.skills import NOT_FIT, Skills

LOST = "desktop lost"
CLOSED = "left out of the roster"
DRAINING = "finishing its work"


class Standing(Struct, frozen=True, kw_only=True):
    """All agents of the roster, each in one row, while one contact waits."""

    at_ms: int
    agents: int
    """All there are; the rows add up to it."""
    no_channel: int
    not_fit: int
    """Who takes the channel, but lacks a skill, a group or the language."""
    signed_out: int
    away: dict[str, tuple[AgentId, ...]]
    """Signed in, but not for new contacts: by the reason."""
    paused: tuple[AgentId, ...]
    """Who did not take this contact a moment ago."""
    full: tuple[AgentId, ...]
    """Without room for it."""
    free: tuple[AgentId, ...]
    """Who may take it: none after a match, unless others come first."""
    lacks: dict[str, int]
    """Of those not fit: how many lack each need; one may lack several."""
    busy_with: dict[QueueName, int]
    """Contacts that those without room have, by queue."""
    ahead: int
    """Who waits unoffered before it in its queue."""
    others: dict[QueueName, int]
    """Who else waits unoffered, by queue."""
    offered_to: AgentId | None
    """Who is being asked, or being connected, at this moment."""


class Candidates(Struct, frozen=True, eq=False):
    """Who may serve a contact by channel, skills, groups and language; who of them has room."""

    agents: Agents
    serves: tuple[bool, ...]
    fits: tuple[bool, ...]
    has_room: tuple[bool, ...]

    def fitting(self) -> list[int]:
        """Returns the indexes of agents who may serve it as far as the roster tells."""
        both = zip(self.serves, self.fits, strict=True)
        return [index for index, (serves, fits) in enumerate(both) if serves and fits]


def standing(ledger: Ledger, contact_id: ContactId, at_ms: int) -> Standing:
    """Returns how all agents stand towards a contact that waits.

    Raises NotConfigured for a pool without policy or roster, KeyError for a contact that it does
    not have.
    """
    policy, roster = configured(ledger)
    contact = ledger.contacts[contact_id]
    found = candidates(policy, roster, ledger, contact)
    fitting = found.fitting()
    rows = _Rows(ledger, contact, found)
    for index in fitting:
        rows.take(index)
    owner = contact.owner
    return Standing(
        at_ms=at_ms,
        agents=len(found.agents),
        no_channel=found.serves.count(False),
        not_fit=found.serves.count(True) - len(fitting),
        signed_out=rows.signed_out,
        away={reason: tuple(ids) for reason, ids in rows.away.items()},
        paused=tuple(rows.paused),
        full=tuple(rows.full),
        free=tuple(rows.free),
        lacks=_lacks(policy, found, contact),
        busy_with=dict(rows.busy_with.most_common()),
        ahead=_ahead(ledger, contact),
        others=_others(ledger, contact),
        offered_to=None if owner is None else owner.agent_id,
    )


def configured(ledger: Ledger) -> tuple[Policy, Roster]:
    """Returns policy and roster; raises NotConfigured before both are set."""
    if ledger.policy is None or ledger.roster is None:
        raise NotConfigured("the pool has no policy and roster yet")
    return ledger.policy, ledger.roster


def candidates(policy: Policy, roster: Roster, ledger: Ledger, contact: Contact) -> Candidates:
    """Returns what the router's columns say of all agents and a contact."""
    agents = Agents(roster)
    agents.load(ledger.agents.values())
    kind, count = Kinds(policy, agents), len(agents)
    number = kind.number(contact.facts)
    channel = agents.channels.get(contact.facts.channel)
    none = (False,) * count
    if number is None or channel is None:
        return Candidates(agents, none, none, none)
    price = agents.price[channel]
    room = (agents.free >= price) & (agents.left[channel] > 0)
    return Candidates(
        agents,
        tuple((price < NOT_SERVED).tolist()),
        tuple((kind.fit[number] != NOT_FIT).tolist()),
        tuple(room.tolist()),
    )


def away_reason(ledger: Ledger, agent: Agent) -> str | None:
    """Returns why an agent who is signed in gets no offers; None if it gets them."""
    profile = ledger.profiles[agent.agent_id]
    if may_be_offered(agent, profile):
        return None
    if profile.closed:
        return CLOSED
    if agent.lost:
        return LOST
    return DRAINING if agent.presence is Presence.DRAINING else agent.reason


class _Rows:
    """Sorts agents who may serve the contact into rows."""

    def __init__(self, ledger: Ledger, contact: Contact, found: Candidates) -> None:
        self._ledger = ledger
        self._contact = contact
        self._found = found
        self.signed_out = 0
        self.away: dict[str, list[AgentId]] = {}
        self.paused: list[AgentId] = []
        self.full: list[AgentId] = []
        self.free: list[AgentId] = []
        self.busy_with: Counter[QueueName] = Counter()

    def take(self, index: int) -> None:
        """Puts the agent of this index into its row."""
        agent_id = self._found.agents.ids[index]
        agent = self._ledger.agents[agent_id]
        reason = away_reason(self._ledger, agent)
        if agent.presence is Presence.OFFLINE and not agent.lost:
            self.signed_out += 1
        elif reason is not None:
            self.away.setdefault(reason, []).append(agent_id)
        elif agent_id in self._contact.pauses:
            self.paused.append(agent_id)
        elif self._found.has_room[index]:
            self.free.append(agent_id)
        else:
            self.full.append(agent_id)
            contacts = self._ledger.contacts
            self.busy_with.update(contacts[one].facts.queue for one in agent.legs.values())


def _lacks(policy: Policy, found: Candidates, contact: Contact) -> dict[str, int]:
    """Returns how many who take the channel lack each need, taken by itself."""
    queue = next((one for one in policy.queues if one.name == contact.facts.queue), None)
    if queue is None:
        return {}
    skills = Skills(policy, found.agents.profiles)
    bare = replace(queue, requirements=(), groups=())
    needs = {
        f"skill {one.skill}": (replace(bare, requirements=(one,)), ()) for one in queue.requirements
    }
    asked: dict[str, tuple[QueueRules, tuple[str, ...]]] = {
        **needs,
        f"group {' or '.join(queue.groups)}": (replace(bare, groups=queue.groups), ()),
        f"language {' or '.join(contact.facts.languages)}": (bare, contact.facts.languages),
    }
    counts = {}
    for name, (rules, languages) in asked.items():
        lacking = (skills.fit(rules, languages) == NOT_FIT).tolist()
        counts[name] = sum(a and b for a, b in zip(lacking, found.serves, strict=True))
    return {name: count for name, count in counts.items() if count}


def _others(ledger: Ledger, contact: Contact) -> dict[QueueName, int]:
    waiting = Counter(
        other.facts.queue
        for other in ledger.contacts.values()
        if other.waits_unoffered and other is not contact
    )
    return dict(waiting.most_common())


def _ahead(ledger: Ledger, contact: Contact) -> int:
    place = (contact.order_ms, contact.sequence)
    return sum(
        other.waits_unoffered
        and other.facts.queue == contact.facts.queue
        and (other.order_ms, other.sequence) < place
        for other in ledger.contacts.values()
    )


class LineStanding(Struct, frozen=True, kw_only=True):
    """The desks of a branch while a ticket waits there: desks call, nobody is offered it."""

    at_ms: int
    desks: int
    open: int
    """Desks where somebody sits."""
    busy: int
    """Open desks with a visitor who is called or served."""
    ahead: int
    """Tickets that wait longer in its line."""


def line_standing(ledger: Ledger, contact_id: ContactId, at_ms: int) -> LineStanding:
    """Returns how the desks of a ticket's branch stand. Raises KeyError for what is no ticket."""
    ticket, contact = ledger.tickets[contact_id], ledger.contacts[contact_id]
    here = {desk_id for desk_id, desk in ledger.desks.items() if desk.branch == ticket.branch}
    line, busy, ahead = (ticket.branch, ticket.line), set(), 0
    for other_id, other in ledger.tickets.items():
        state = ticket_state(ledger.contacts[other_id])
        if state in (TicketState.CALLED, TicketState.SERVING):
            busy.add(other.desk)
        elif state is TicketState.WAITING and (other.branch, other.line) == line:
            ahead += ledger.contacts[other_id].order_ms < contact.order_ms
    seats = here & set(ledger.seats)
    return LineStanding(
        at_ms=at_ms, desks=len(here), open=len(seats), busy=len(seats & busy), ahead=ahead
    )
