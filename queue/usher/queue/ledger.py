"""The ledger: who waits, who is free, who is on what. `apply` is the only writer of state.

    event -> apply -> records (copied, changed, put back) -> due times, touched records

While records are read back, and in a ledger that nobody else looks into, they are changed in place.

It reads no policy and decides nothing: every figure stands in the event. The same events in the
same order give the same ledger, live, on replay, and after snapshot and tail (`state_hash`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import assert_never, get_args

import msgspec

from usher.queue import applying_agents, applying_contacts, applying_offers, applying_tickets
from usher.queue.branches import (
    Branch,
    BranchDays,
    Branches,
    BranchName,
    Calendar,
    Desk,
    DeskId,
    LineName,
    Service,
    ServiceName,
)
from usher.queue.deadlines import Deadlines, DeferredDeadlines
from usher.queue.events import (
    AnyEvent,
    PolicySet,
    PoolEvent,
    PoolOpened,
    RosterSet,
)
from usher.queue.rules import (
    DEFAULT_CHANNELS,
    AgentProfile,
    ChannelRules,
    Policy,
    QueueRules,
    Roster,
)
from usher.queue.state import Agent, Contact, Leg, copied, duplicate
from usher.queue.tickets import Seat, Series, Ticket
from usher.queue.values import NEVER_MS, AgentId, ChannelName, ContactId, LegId, LegState, QueueName


class Touched:
    """Records that were put in place since the last look; ended legs with their final state."""

    def __init__(self) -> None:
        self.contacts: dict[ContactId, Contact] = {}
        self.legs: dict[LegId, Leg] = {}
        self.agents: dict[AgentId, Agent] = {}
        self.retired: list[ContactId] = []
        self.tickets: dict[ContactId, Ticket] = {}
        self.desks: dict[DeskId, None] = {}


class Ledger:
    """State of one pool. Everything public here may be read; only `apply` changes it.

    `recent_*` are the records put in place by the record being applied; `touched` gathers over
    records until it is taken. `in_place`: contacts and agents are changed where they are, and not
    gathered, because nobody holds one over a change.
    """

    def __init__(self, *, in_place: bool = False) -> None:
        self.in_place = in_place
        self.contacts: dict[ContactId, Contact] = {}
        self.agents: dict[AgentId, Agent] = {}
        self.policy: Policy | None = None
        self.roster: Roster | None = None
        self.position = 0
        self.at_ms = 0
        self.contacts_seen = 0
        self.live_count = 0
        self.clock_rate = 0
        self.versions: tuple[str, str, str] = ("", "", "")
        self.queues: dict[QueueName, QueueRules] = {}
        self.channels: dict[ChannelName, ChannelRules] = {}
        self.profiles: dict[AgentId, AgentProfile] = {}
        self.tickets: dict[ContactId, Ticket] = {}
        self.series: dict[tuple[BranchName, LineName], Series] = {}
        self.seats: dict[DeskId, Seat] = {}
        self.desk_of: dict[AgentId, DeskId] = {}
        self.plan: Branches | None = None
        self.calendar: Calendar | None = None
        self.branches: dict[BranchName, Branch] = {}
        self.services: dict[ServiceName, Service] = {}
        self.desks: dict[DeskId, Desk] = {}
        self.days: dict[BranchName, BranchDays] = {}
        self.deadlines = Deadlines(self.contacts, self.tickets)
        self.touched = Touched()
        self.recent_contacts: dict[ContactId, Contact] = {}
        self.recent_agents: dict[AgentId, Agent] = {}

    def apply(self, event: AnyEvent, at_ms: int) -> None:
        """Applies one event of the record at `position` + 1."""
        self.apply_all((event,), at_ms)

    def apply_all(self, events: Sequence[AnyEvent], at_ms: int) -> None:
        """Applies events of the record at `position` + 1, one after the other."""
        contacts, in_place, position = self.contacts, self.in_place, self.position + 1
        for event in events:
            kind = type(event)
            change = _CHANGES.get(kind)
            if change is None:
                _OTHERS[kind](self, event, at_ms)
                continue
            contact = contacts[event.contact_id]  # type: ignore[union-attr]
            if in_place:
                change(self, contact, event, at_ms)
                contact.changed_position = position
                self.recent_contacts[contact.contact_id] = contact
            else:
                contact = duplicate(contact)
                change(self, contact, event, at_ms)
                self.put_contact(contact)

    def close_record(self, at_ms: int) -> None:
        """Ends a record: all its events are applied."""
        self.position += 1
        self.at_ms = at_ms
        self.recent_contacts.clear()
        self.recent_agents.clear()

    def take_touched(self) -> Touched:
        """Returns what was touched since the last call."""
        touched, self.touched = self.touched, Touched()
        return touched

    def put_contact(self, contact: Contact) -> None:
        """Puts a changed copy in place. For the applying modules only."""
        contact.changed_position = self.position + 1
        self.contacts[contact.contact_id] = contact
        self.recent_contacts[contact.contact_id] = contact
        if not self.in_place:
            self.touched.contacts[contact.contact_id] = contact

    def put_agent(self, agent: Agent) -> None:
        """Puts a changed copy in place. For the applying modules only."""
        self.agents[agent.agent_id] = agent
        self.recent_agents[agent.agent_id] = agent
        if not self.in_place:
            self.touched.agents[agent.agent_id] = agent

    def apply_pool(self, event: PoolEvent, at_ms: int) -> None:
        """Applies one event of the pool as a whole."""
        match event:
            case PoolOpened():
                self.clock_rate = event.clock_rate
                self.versions = (event.usher_version, event.numpy_version, event.scipy_version)
                self._move_due_times(event.outage_ms)
            case PolicySet(policy):
                self.set_policy(policy)
            case RosterSet(roster):
                self.set_roster(roster)
                _keep_agents_of(self, roster)
            case _:
                assert_never(event)

    def set_policy(self, policy: Policy) -> None:
        """Takes the policy as it is (also on restore)."""
        self.policy = policy
        self.queues = {queue.name: queue for queue in policy.queues}
        self.channels = {**DEFAULT_CHANNELS, **policy.channels}

    def set_roster(self, roster: Roster) -> None:
        """Takes the roster as it is (also on restore)."""
        self.roster = roster
        self.profiles = {profile.agent_id: profile for profile in roster.agents}

    def set_branches(self, plan: Branches) -> None:
        """Takes the branches as they are (also on restore)."""
        self.plan = plan
        self.branches = {branch.name: branch for branch in plan.branches}
        self.services = {service.name: service for service in plan.services}
        self.desks = {desk.desk_id: desk for desk in plan.desks}

    def set_calendar(self, calendar: Calendar) -> None:
        """Takes the calendar as it is (also on restore)."""
        self.calendar = calendar
        self.days = {days.branch: days for days in calendar.branches}

    def leave_desk(self, agent_id: AgentId) -> None:
        """The agent's desk, if there is one, is open no longer. For the applying modules only."""
        desk = self.desk_of.pop(agent_id, None)
        if desk is not None:
            del self.seats[desk]
            self.touched.desks[desk] = None

    def _move_due_times(self, outage_ms: int) -> None:
        if outage_ms == 0:
            return
        for contact in list(self.contacts.values()):
            if all(leg.state is LegState.DONE for leg in contact.legs):
                continue  # most have ended: nothing of theirs is due but their retirement
            legs = tuple(moved_leg(leg, outage_ms) for leg in contact.legs)
            if any(new is not old for new, old in zip(legs, contact.legs, strict=True)):
                moved = copied(contact, legs=legs)
                if contact.retire_ms != NEVER_MS:  # not before the last wrap-up of its legs
                    wrapping = [leg.due_ms for leg in legs if leg.state is LegState.WRAPPING]
                    moved.retire_ms = max([contact.retire_ms, *wrapping])
                self.put_contact(moved)
                self.touched.legs.update({leg.leg_id: leg for leg in legs})
                self.deadlines.add_all(moved)

    @contextmanager
    def replaying(self, *, in_place: bool = True) -> Iterator[None]:
        """While it is open only records are applied; due times are derived from them at its end.

        `in_place` False: for whoever keeps records meanwhile, and asks what was touched.
        """
        self.deadlines = DeferredDeadlines(self.contacts, self.tickets)
        before, self.in_place = self.in_place, in_place
        try:
            yield
        finally:
            self.in_place = before
            self.recent_contacts.clear()
            self.recent_agents.clear()
            self.deadlines = Deadlines(self.contacts, self.tickets)
            self.deadlines.rebuild()

    def state_hash(self) -> str:
        """Returns a digest of the whole state: equal states give equal digests."""
        digest = blake2b(digest_size=16)
        for part in self.parts():
            digest.update(_CANONICAL.encode(part))
        return digest.hexdigest()

    def parts(self) -> list[object]:
        """Returns the state as plain parts in a fixed order."""
        figures = [self.position, self.at_ms, self.contacts_seen, self.clock_rate, self.versions]
        parts: list[object] = [
            figures,
            self.policy,
            self.roster,
            [self.agents[agent_id] for agent_id in sorted(self.agents)],
            [self.contacts[contact_id] for contact_id in sorted(self.contacts)],
        ]
        return parts if self.plan is None else parts + self._branch_parts()

    def _branch_parts(self) -> list[object]:
        return [
            self.plan,
            self.calendar,
            [self.tickets[contact_id] for contact_id in sorted(self.tickets)],
            [self.series[key] for key in sorted(self.series)],
            [self.seats[desk] for desk in sorted(self.seats)],
        ]


_CHANGES: dict[type, Callable[..., None]] = {
    **applying_offers.CHANGES,
    **applying_contacts.CHANGES,
}
_OTHERS: dict[type, Callable[..., None]] = {
    **applying_contacts.ARRIVALS,
    **applying_agents.CHANGES,
    **applying_tickets.CHANGES,
    **dict.fromkeys(get_args(PoolEvent), Ledger.apply_pool),
}
"""Who applies what, by type; a test holds both against AnyEvent."""

_CANONICAL = msgspec.msgpack.Encoder(order="deterministic")


def moved_leg(leg: Leg, outage_ms: int) -> Leg:
    """Returns the leg with lease and grace moved on by the outage, at most by their own terms."""
    starts = {
        LegState.OFFERED: leg.offered_ms,
        LegState.JOINING: leg.joined_ms,
        LegState.WRAPPING: leg.wrapping_ms,
    }
    start_ms = starts.get(leg.state)
    moved = leg
    if start_ms is not None:
        moved = copied(moved, due_ms=leg.due_ms + min(outage_ms, leg.due_ms - start_ms))
    if leg.grace_due_ms != NEVER_MS:
        term_ms = leg.grace_due_ms - leg.grace_since_ms
        moved = copied(moved, grace_due_ms=leg.grace_due_ms + min(outage_ms, term_ms))
    return moved


def _keep_agents_of(ledger: Ledger, roster: Roster) -> None:
    for agent_id in [a for a in ledger.agents if a not in ledger.profiles]:
        ledger.leave_desk(agent_id)
        gone = copied(ledger.agents[agent_id], session=0)
        ledger.put_agent(gone)
        del ledger.agents[agent_id]
    for profile in roster.agents:
        if profile.agent_id not in ledger.agents:
            ledger.put_agent(Agent(profile.agent_id))
