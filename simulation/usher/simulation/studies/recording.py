"""A recorded day: what one pass over a journal's records tells of contacts, agents and rules.

    records -> Ledger.apply -> what each record touched -> Recording

What an event means is left to the ledger; here stands only what became of its records over time.
All moments are ms UTC as the journal has them. It must not know files, zones or simulations.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from usher.queue import events as e
from usher.queue import measures
from usher.queue.codec import Record
from usher.queue.ledger import Ledger
from usher.queue.occupancy import LegSegments, PresenceKind, PresenceSegments
from usher.queue.rules import AgentProfile, Policy, QueueRules, Roster
from usher.queue.state import Agent, Contact, Leg
from usher.queue.ticket_events import TicketIssued
from usher.queue.values import (
    NEVER_MS,
    AgentId,
    ContactId,
    ContactState,
    LegEnd,
    LegId,
    LegState,
    Outcome,
    Presence,
    QueueName,
)

Rules = TypeVar("Rules", Policy, Roster)

KINDS = {
    Presence.READY: PresenceKind.READY,
    Presence.NOT_READY: PresenceKind.NOT_READY,
    Presence.DRAINING: PresenceKind.DRAINING,
}
_OUTCOMES = {
    Outcome.NONE: measures.Outcome.OPEN,
    Outcome.COMPLETED: measures.Outcome.COMPLETED,
    Outcome.ABANDONED: measures.Outcome.ABANDONED,
    Outcome.NO_SHOW: measures.Outcome.NO_SHOW,
}


class Course(Struct, frozen=True, eq=False, kw_only=True):
    """One contact: as it came, and as the last record left it."""

    came: Contact
    last: Contact
    legs: tuple[Leg, ...]
    """All that there were, offers that led to nothing too, each as it was at last."""
    requeues: tuple[tuple[int, QueueName], ...]
    """When it went from an agent back to wait, and in which queue."""
    was_updated: bool
    """More became known of it after it had come."""
    was_started: bool
    """Work begun outside the router: it never waited."""
    has_ticket: bool

    @property
    def contact_id(self) -> ContactId:
        """Returns its id."""
        return self.came.contact_id

    @property
    def outcome(self) -> measures.Outcome:
        """Returns how it ended, as far as measures tell it apart."""
        return _OUTCOMES.get(self.last.outcome, measures.Outcome.OTHER)

    @property
    def talks(self) -> tuple[Leg, ...]:
        """Returns the legs on which an agent was with the customer."""
        return tuple(leg for leg in self.legs if leg.active_ms != NEVER_MS)

    def waited_until_ms(self, last_ms: int) -> int:
        """Returns when the first wait was over; `last_ms` if it is not."""
        if self.last.answered_ms != NEVER_MS:
            return self.last.answered_ms
        return last_ms if self.last.ended_ms == NEVER_MS else self.last.ended_ms


class Stay(Struct, frozen=True, kw_only=True):
    """A stretch of one presence of one agent, with one reason; signed out there is none."""

    agent_id: AgentId
    from_ms: int
    until_ms: int
    presence: Presence
    reason: str
    from_position: int
    """Of the record that it began with; with `until_position` what was first of one moment."""
    until_position: int
    ends_lost: bool = False
    """It ended because the desktop was lost."""
    goes_on: bool = False
    """It was not over when the recording ended."""


class Recording(Struct, frozen=True, eq=False, kw_only=True):
    """A day [from_ms, until_ms): the contacts that came in it, whenever they ended.

    `stays` and rules are all that reach into the day; policies and rosters begin with the one that
    was in force when it began.
    """

    from_ms: int
    until_ms: int
    last_ms: int
    """Of the last record that was read."""
    courses: tuple[Course, ...]
    """In the order of their arrival."""
    stays: tuple[Stay, ...]
    """Agent by agent, in the order of time."""
    policies: tuple[tuple[int, Policy], ...]
    rosters: tuple[tuple[int, Roster], ...]

    @property
    def profiles(self) -> dict[AgentId, AgentProfile]:
        """Returns all agents of all rosters, each as its last one has it."""
        return {one.agent_id: one for _, roster in self.rosters for one in roster.agents}

    @property
    def queues(self) -> dict[QueueName, QueueRules]:
        """Returns all queues of all policies, each as its last one has it."""
        return {queue.name: queue for _, policy in self.policies for queue in policy.queues}

    def facts(self, chosen: NDArray[np.bool_]) -> measures.ContactFacts:
        """Returns the chosen contacts as columns that measures go by."""
        courses = [one for one, wanted in zip(self.courses, chosen, strict=True) if wanted]
        last = [course.last for course in courses]
        outcome = [course.outcome for course in courses]
        return measures.ContactFacts(
            arrived_ms=np.array([one.enqueued_ms for one in last], dtype=np.int64),
            answered_ms=np.array([one.answered_ms for one in last], dtype=np.int64),
            ended_ms=np.array([one.ended_ms for one in last], dtype=np.int64),
            outcome=np.array(outcome, dtype=np.uint8),
        )

    def presence_segments(self, index: dict[AgentId, int]) -> PresenceSegments:
        """Returns the stays as columns; `index` is that of the agents."""
        rows = [
            (index[stay.agent_id], stay.from_ms, stay.until_ms, KINDS[stay.presence])
            for stay in self.stays
        ]
        agent, from_ms, until_ms, kind = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        return PresenceSegments(
            agent=agent, from_ms=from_ms, until_ms=until_ms, kind=kind.astype(np.uint8)
        )

    def leg_segments(self, index: dict[AgentId, int]) -> LegSegments:
        """Returns live legs as columns: joining to done, wrap-up at its own price."""
        rows = [
            (index[leg.agent_id], *stretch)
            for course in self.courses
            for leg in course.legs
            for stretch in _stretches(leg, self.last_ms)
        ]
        agent, from_ms, until_ms, units = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        return LegSegments(agent=agent, from_ms=from_ms, until_ms=until_ms, units=units)


def record_day(records: Iterable[Record], from_ms: int, until_ms: int) -> Recording:
    """Returns what the records tell of [from_ms, until_ms); they begin with the journal's first.

    Records are read until the last contact of the day has ended and is wrapped up.
    """
    reader = _Reader(from_ms, until_ms)
    with reader.ledger.replaying(in_place=False):
        for record in records:
            if record.at_ms >= until_ms and not reader.open:
                break
            reader.take(record)
    return reader.recording()


def moments(records: Iterable[Record], at_ms: Iterable[int]) -> Iterator[tuple[int, Ledger]]:
    """Yields the ledger as it stood at each of these ascending moments, all records of it applied.

    The ledger goes on when the next one is asked for: nothing of it is to be kept. Moments behind
    the last record have the state that this one left.
    """
    ledger, wanted = Ledger(), iter(at_ms)
    next_ms = next(wanted, None)
    with ledger.replaying():
        for record in records:
            while next_ms is not None and record.at_ms > next_ms:
                yield next_ms, ledger
                next_ms = next(wanted, None)
            if next_ms is None:
                return
            _apply(ledger, record)
            ledger.take_touched()
        while next_ms is not None:
            yield next_ms, ledger
            next_ms = next(wanted, None)


def _apply(ledger: Ledger, record: Record) -> None:
    for event in record.events:
        ledger.apply(event, record.at_ms)
    ledger.close_record(record.at_ms)


class _Reader:
    """Follows the ledger from record to record; `open`: contacts of the day that are not over."""

    def __init__(self, from_ms: int, until_ms: int) -> None:
        self.ledger = Ledger()
        self.open: set[ContactId] = set()
        self._from_ms = from_ms
        self._until_ms = until_ms
        self._last_ms = 0
        self._came: dict[ContactId, Contact] = {}
        self._last: dict[ContactId, Contact] = {}
        self._legs: dict[ContactId, dict[LegId, Leg]] = {}
        self._requeues: dict[ContactId, list[tuple[int, QueueName]]] = {}
        self._updated: set[ContactId] = set()
        self._started: set[ContactId] = set()
        self._tickets: set[ContactId] = set()
        self._stays: list[Stay] = []
        self._present: dict[AgentId, Stay] = {}
        self._policies: list[tuple[int, Policy]] = []
        self._rosters: list[tuple[int, Roster]] = []

    def take(self, record: Record) -> None:
        """Takes the next record."""
        _apply(self.ledger, record)
        self._last_ms = record.at_ms
        for event in record.events:
            self._note(event, record.at_ms)
        touched = self.ledger.take_touched()
        for contact in touched.contacts.values():
            self._take_contact(contact)
        for leg in touched.legs.values():
            if leg.contact_id in self._came:
                self._legs[leg.contact_id][leg.leg_id] = leg
        for agent in touched.agents.values():
            self._take_agent(agent, record.at_ms)

    def recording(self) -> Recording:
        """Returns what was read."""
        lasting = [
            replace(stay, until_ms=self._last_ms, goes_on=True) for stay in self._present.values()
        ]
        ordered = sorted(self._came.values(), key=lambda contact: contact.sequence)
        both = (*self._stays, *lasting)
        stays = [stay for stay in both if stay.until_ms > self._from_ms]
        return Recording(
            from_ms=self._from_ms,
            until_ms=self._until_ms,
            last_ms=self._last_ms,
            courses=tuple(self._course(contact) for contact in ordered),
            stays=tuple(sorted(stays, key=lambda stay: (stay.agent_id, stay.from_ms))),
            policies=tuple(self._policies),
            rosters=tuple(self._rosters),
        )

    def _course(self, came: Contact) -> Course:
        contact_id = came.contact_id
        return Course(
            came=came,
            last=self._last[contact_id],
            legs=tuple(self._legs[contact_id].values()),
            requeues=tuple(self._requeues.get(contact_id, ())),
            was_updated=contact_id in self._updated,
            was_started=contact_id in self._started,
            has_ticket=contact_id in self._tickets,
        )

    def _note(self, event: e.AnyEvent, at_ms: int) -> None:
        match event:
            case e.PolicySet(policy):
                self._set(self._policies, at_ms, policy)
            case e.RosterSet(roster):
                self._set(self._rosters, at_ms, roster)
                kept = {profile.agent_id for profile in roster.agents}
                for agent_id in [one for one in self._present if one not in kept]:
                    self._leave(agent_id, at_ms, lost=False)
            case e.ContactRequeued(contact_id, queue=queue, end=LegEnd.REQUEUED):
                self._requeues.setdefault(contact_id, []).append((at_ms, queue))
            case e.ContactStarted(contact_id):
                self._started.add(contact_id)
            case e.ContactUpdated(contact_id):
                self._updated.add(contact_id)
            case TicketIssued(contact_id):
                self._tickets.add(contact_id)
            case _:
                return

    def _set(self, rules: list[tuple[int, Rules]], at_ms: int, one: Rules) -> None:
        if at_ms <= self._from_ms:
            rules.clear()
        if at_ms < self._until_ms:
            rules.append((at_ms, one))

    def _take_contact(self, contact: Contact) -> None:
        contact_id = contact.contact_id
        if contact_id not in self._came:
            if not self._from_ms <= contact.enqueued_ms < self._until_ms:
                return
            self._came[contact_id] = contact
            self._legs[contact_id] = {}
        self._last[contact_id] = contact
        live = any(leg.state is not LegState.DONE for leg in contact.legs)
        if contact.state is ContactState.ENDED and not live:
            self.open.discard(contact_id)
        else:
            self.open.add(contact_id)

    def _take_agent(self, agent: Agent, at_ms: int) -> None:
        if agent.agent_id not in self.ledger.agents:
            return  # no longer in the roster
        now = self._present.get(agent.agent_id)
        if agent.presence is Presence.OFFLINE:
            if now is not None:
                self._leave(agent.agent_id, at_ms, lost=agent.lost)
            return
        reason = agent.reason if agent.presence is Presence.NOT_READY else ""
        if now is not None and now.presence is agent.presence and now.reason == reason:
            return
        if now is not None:
            self._leave(agent.agent_id, at_ms, lost=False)
        self._present[agent.agent_id] = Stay(
            agent_id=agent.agent_id,
            from_ms=at_ms,
            until_ms=at_ms,
            presence=agent.presence,
            reason=reason,
            from_position=self.ledger.position,
            until_position=self.ledger.position,
        )

    def _leave(self, agent_id: AgentId, at_ms: int, *, lost: bool) -> None:
        stay = self._present.pop(agent_id)
        if at_ms > stay.from_ms:
            position = self.ledger.position
            over = replace(stay, until_ms=at_ms, until_position=position, ends_lost=lost)
            self._stays.append(over)


def _stretches(leg: Leg, last_ms: int) -> Iterator[tuple[int, int, int]]:
    """Yields (from_ms, until_ms, units) of a leg that was more than an offer."""
    if leg.joined_ms == NEVER_MS:
        return
    ended_ms = last_ms if leg.ended_ms == NEVER_MS else leg.ended_ms
    if leg.wrapping_ms == NEVER_MS:
        yield leg.joined_ms, ended_ms, leg.price
        return
    yield leg.joined_ms, leg.wrapping_ms, leg.price
    yield leg.wrapping_ms, ended_ms, leg.wrap_up_price
