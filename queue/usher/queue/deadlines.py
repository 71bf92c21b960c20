"""Due times of a pool: what happens by itself, and when.

A heap of entries that are checked against the records only when they come up: an entry whose record
has moved on is dropped then. So setting a due time is one push, and nothing is ever searched for.
The heap is derived from the records and is part of no snapshot.
"""

import heapq
from enum import IntEnum
from typing import Final

from msgspec import Struct

from usher.queue.state import Contact, Leg
from usher.queue.tickets import Ticket, TicketState, ticket_state
from usher.queue.values import NEVER_MS, AgentId, ContactId, ContactState, LegId, LegState


class Due(IntEnum):
    """Kinds of due times, in the order in which those of one moment come."""

    LEG = 0
    GRACE = 1
    PAUSE = 2
    RETIREMENT = 3
    CLOSING = 4


# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_LEG: Final = Due.LEG
_GRACE: Final = Due.GRACE
_PAUSE: Final = Due.PAUSE
_RETIREMENT: Final = Due.RETIREMENT
_CLOSING: Final = Due.CLOSING
_OFFERED: Final = LegState.OFFERED
_JOINING: Final = LegState.JOINING
_WRAPPING: Final = LegState.WRAPPING


class Deadline(Struct, frozen=True, order=True, gc=False):
    """One due time; ordered by its fields. `leg_id` is set for LEG, GRACE, `agent_id` for PAUSE."""

    due_ms: int
    kind: Due
    contact_id: ContactId
    leg_id: LegId
    agent_id: AgentId


_NO_LEG = LegId("")
_NO_AGENT = AgentId("")


class Deadlines:
    """The heap. Reads the contacts and tickets it was given, never changes them."""

    def __init__(
        self,
        contacts: dict[ContactId, Contact],
        tickets: dict[ContactId, Ticket] | None = None,
    ) -> None:
        self._contacts = contacts
        self._tickets = {} if tickets is None else tickets
        self._heap: list[Deadline] = []
        self._retirements: list[Deadline] = []
        """Apart from the others: whoever need not be prompt about them can ask for the rest."""
        self._new_legs: list[Leg] = []
        """Not in the heap yet: an offer accepted at once is taken back before anybody looks."""
        self._found: list[Deadline] = []
        """Taken out of the heaps when they were due; most stand no more at the next look."""

    def add_leg(self, leg: Leg) -> None:
        """Adds the end of a lease, of joining or of wrap-up."""
        self._new_legs.append(leg)

    def take_back(self, leg: Leg) -> None:
        """The leg is due no more. It need not be told: what stands no more is dropped anyway."""
        if self._new_legs and self._new_legs[-1] is leg:
            self._new_legs.pop()

    def add_grace(self, leg: Leg) -> None:
        """Adds the moment when the leg's contact re-queues."""
        heapq.heappush(self._heap, _of_grace(leg))

    def add_pause(self, contact_id: ContactId, agent_id: AgentId, until_ms: int) -> None:
        """Adds the end of a pause between contact and agent."""
        heapq.heappush(self._heap, _of_pause(contact_id, agent_id, until_ms))

    def add_retirement(self, contact: Contact) -> None:
        """Adds the moment when an ended contact leaves the pool."""
        heapq.heappush(self._retirements, _of_retirement(contact))

    def add_closing(self, ticket: Ticket) -> None:
        """Adds the moment when a ticket that is left ends."""
        heapq.heappush(self._heap, _of_closing(ticket))

    def add_all(self, contact: Contact) -> None:
        """Adds whatever is due for this contact (after a restore, or when due times moved)."""
        for entry in _all_of(contact):
            heapq.heappush(self._heap, entry)
        if contact.retire_ms != NEVER_MS:
            heapq.heappush(self._retirements, _of_retirement(contact))

    def rebuild(self) -> None:
        """Takes what is due for all contacts, in place of what it holds."""
        contacts = self._contacts.values()
        self._heap = [entry for contact in contacts for entry in _all_of(contact)]
        self._heap += map(_of_closing, self._tickets.values())
        self._new_legs, self._found = [], []
        self._retirements = [_of_retirement(c) for c in contacts if c.retire_ms != NEVER_MS]
        heapq.heapify(self._heap)
        heapq.heapify(self._retirements)

    def next_ms(self) -> int | None:
        """Returns the next due time in ms, or None."""
        first, second = self.next_change_ms(), self._next_of(self._retirements)
        if first is None or second is None:
            return second if first is None else first
        return min(first, second)

    def next_change_ms(self) -> int | None:
        """Returns the next due time of anything but a retirement in ms, or None."""
        if self._new_legs or self._found:
            self._take_in()
        return self._next_of(self._heap) if self._heap else None

    def _take_in(self) -> None:
        """Puts what stands of the new legs, and of what was found due, into the heaps."""
        found, self._found = self._found, []
        for entry in found:
            if self._stands(entry):
                heap = self._retirements if entry.kind is _RETIREMENT else self._heap
                heapq.heappush(heap, entry)
        new_legs, self._new_legs = self._new_legs, []
        for leg in new_legs:
            contact = self._contacts.get(leg.contact_id)
            present = None if contact is None else contact.leg(leg.leg_id)
            if present is not None and _leg_has_due(present) and present.due_ms == leg.due_ms:
                heapq.heappush(self._heap, _of_leg(leg))

    def _next_of(self, heap: list[Deadline]) -> int | None:
        while heap:
            if self._stands(heap[0]):
                return heap[0].due_ms
            heapq.heappop(heap)
        return None

    def due(self, at_ms: int, most: int) -> list[Deadline]:
        """Returns up to `most` deadlines due by `at_ms` in order of time; they stay due."""
        self._take_in()
        found = self._due_of(self._heap, at_ms, most)
        retirements = self._due_of(self._retirements, at_ms, most)
        self._found = found + retirements
        return sorted(self._found)[:most] if retirements else found

    def _due_of(self, heap: list[Deadline], at_ms: int, most: int) -> list[Deadline]:
        found: list[Deadline] = []
        while heap and heap[0].due_ms <= at_ms and len(found) < most:
            entry = heapq.heappop(heap)
            if self._stands(entry) and (not found or found[-1] != entry):
                found.append(entry)
        return found

    def _stands(self, entry: Deadline) -> bool:
        contact = self._contacts.get(entry.contact_id)
        if contact is None:
            return False
        kind = entry.kind
        if kind is _RETIREMENT:
            return contact.retire_ms == entry.due_ms
        if kind is _LEG or kind is _GRACE:
            leg = contact.leg(entry.leg_id)
            return leg is not None and _leg_stands(leg, entry)
        if kind is _PAUSE:
            pause_ms = contact.pauses.get(entry.agent_id)
            return contact.state is not ContactState.ENDED and pause_ms == entry.due_ms
        ticket = self._tickets.get(entry.contact_id)
        return ticket is not None and _closes(contact, ticket, entry.due_ms)


class DeferredDeadlines(Deadlines):
    """Takes no entries while records are replayed: most would be stale before anyone looks."""

    def add_leg(self, leg: Leg) -> None:
        """See Deadlines."""

    def add_grace(self, leg: Leg) -> None:
        """See Deadlines."""

    def add_pause(self, contact_id: ContactId, agent_id: AgentId, until_ms: int) -> None:
        """See Deadlines."""

    def add_retirement(self, contact: Contact) -> None:
        """See Deadlines."""

    def add_closing(self, ticket: Ticket) -> None:
        """See Deadlines."""

    def add_all(self, contact: Contact) -> None:
        """See Deadlines."""


def _all_of(contact: Contact) -> list[Deadline]:
    """Returns all that is due of a contact but its retirement."""
    found: list[Deadline] = []
    for leg in contact.legs:
        if _leg_has_due(leg):
            found.append(_of_leg(leg))
        if leg.grace_due_ms != NEVER_MS:
            found.append(_of_grace(leg))
    for agent_id, until_ms in contact.pauses.items():
        found.append(_of_pause(contact.contact_id, agent_id, until_ms))
    return found


def _of_leg(leg: Leg) -> Deadline:
    return Deadline(leg.due_ms, _LEG, leg.contact_id, leg.leg_id, _NO_AGENT)


def _of_grace(leg: Leg) -> Deadline:
    return Deadline(leg.grace_due_ms, _GRACE, leg.contact_id, leg.leg_id, _NO_AGENT)


def _of_pause(contact_id: ContactId, agent_id: AgentId, until_ms: int) -> Deadline:
    return Deadline(until_ms, _PAUSE, contact_id, _NO_LEG, agent_id)


def _of_retirement(contact: Contact) -> Deadline:
    return Deadline(contact.retire_ms, _RETIREMENT, contact.contact_id, _NO_LEG, _NO_AGENT)


def _of_closing(ticket: Ticket) -> Deadline:
    return Deadline(ticket.closes_ms, _CLOSING, ticket.contact_id, _NO_LEG, _NO_AGENT)


def _closes(contact: Contact, ticket: Ticket, due_ms: int) -> bool:
    """Returns whether the ticket is left in its line, or called: who is served stays."""
    in_line = ticket_state(contact) in (TicketState.WAITING, TicketState.CALLED)
    return in_line and ticket.closes_ms == due_ms


def _leg_stands(leg: Leg, entry: Deadline) -> bool:
    if entry.kind is _GRACE:
        return leg.grace_due_ms == entry.due_ms and leg.owns
    return _leg_has_due(leg) and leg.due_ms == entry.due_ms


def _leg_has_due(leg: Leg) -> bool:
    state = leg.state
    return state is _OFFERED or state is _JOINING or state is _WRAPPING
