"""Columns of the contacts that wait unoffered, and their lines: who is next in which queue.

A contact is here while its state is waiting and no agent owns it. Rows are dense and their order
means nothing (a row that leaves is filled with the last one): who comes first is told by
`order_ms`, then `sequence`. What `kind` and `need` mean is known to whoever puts contacts in; this
module knows no agent's state, no policy and no score.

    column       dtype   meaning
    order_ms     int64   moment from which the contact counts as waiting; smaller = earlier
    sequence     int64   number by arrival in the pool
    kind         int64   number of the contact's kind, given by the caller
    need         int64   urgency points that time does not change, given by the caller
    marks        int64   sum of PREFERS (has channel preferences) and LINKED (names single agents)
    preferences  int16   one row per channel: strength 0..1000 of the customer's preference
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from usher.queue.state import Contact
from usher.queue.values import AgentId, ContactId, QueueName

PREFERS = 1
LINKED = 2

_COLUMNS = 5
_ROWS_FIRST = 64

Longs = NDArray[np.int64]


class Waiting:
    """All contacts that wait unoffered. `channels` is how many channels have a preference row."""

    def __init__(self, channels: int) -> None:
        self.contacts: list[Contact] = []
        self.row_of: dict[ContactId, int] = {}
        self.links: dict[AgentId, dict[ContactId, None]] = {}
        self.lines: dict[QueueName, list[tuple[int, int, Contact]]] = {}
        """By queue, in order: (order_ms, sequence, contact); no two have the same sequence."""
        self._preferring = 0
        self._table = np.zeros((_COLUMNS, _ROWS_FIRST), np.int64)
        self._tastes = np.zeros((channels, _ROWS_FIRST), np.int16)
        self._name_columns()

    def __len__(self) -> int:
        return len(self.contacts)

    def __contains__(self, contact_id: ContactId) -> bool:
        return contact_id in self.row_of

    def put(
        self, contact: Contact, kind: int, need: int, preferences: Sequence[tuple[int, int]] = ()
    ) -> None:
        """Adds a contact that is not there yet. `preferences`: (channel row, strength) pairs."""
        row = len(self.contacts)
        if row == self._table.shape[1]:
            self._grow()
        order_ms, sequence = contact.order_ms, contact.sequence
        self.contacts.append(contact)
        self.row_of[contact.contact_id] = row
        self.order_ms[row] = order_ms
        self.sequence[row] = sequence
        self.kind[row] = kind
        self.need[row] = need
        marks = 0
        if preferences:
            marks = PREFERS
            self._preferring += 1
            for channel, strength in preferences:
                self._tastes[channel, row] = max(strength, int(self._tastes[channel, row]))
        if contact.facts.relationships or contact.pauses:
            marks |= LINKED
            for agent_id in _linked_agents(contact):
                self.links.setdefault(agent_id, {})[contact.contact_id] = None
        self.marks[row] = marks
        line = self.lines.get(contact.facts.queue)
        if line is None:
            line = self.lines[contact.facts.queue] = []
        insort(line, (order_ms, sequence, contact))

    def put_all(
        self, contacts: Sequence[Contact], kinds: Sequence[int], needs: Sequence[int]
    ) -> None:
        """Adds contacts that are not there yet and have neither preferences nor links."""
        begin, count = len(self.contacts), len(contacts)
        while begin + count > self._table.shape[1]:
            self._grow()
        order_ms = [contact.order_ms for contact in contacts]
        sequence = [contact.sequence for contact in contacts]
        rows = slice(begin, begin + count)
        self._table[:, rows] = (order_ms, sequence, kinds, needs, [0] * count)
        self.contacts += contacts
        for row, contact in enumerate(contacts, begin):
            self.row_of[contact.contact_id] = row
            line = self.lines.setdefault(contact.facts.queue, [])
            insort(line, (order_ms[row - begin], sequence[row - begin], contact))

    def drop(self, contact_id: ContactId) -> int:
        """Takes a contact out (it must be there); returns its kind."""
        row = self.row_of.pop(contact_id)
        contact = self.contacts[row]
        kind = int(self.kind[row])
        marks = int(self.marks[row])
        if marks & LINKED:
            self._unlink(contact)
        line = self.lines[contact.facts.queue]
        del line[bisect_left(line, (contact.order_ms, contact.sequence))]
        self._fill(row)
        if marks & PREFERS:
            self._preferring -= 1
        return kind

    def clear(self) -> list[int]:
        """Takes all contacts out at once; returns their kinds."""
        count = len(self.contacts)
        kinds: list[int] = self.kind[:count].tolist()
        self.contacts.clear()
        self.row_of.clear()
        self.links.clear()
        self.lines.clear()
        if self._preferring:
            self._tastes[:, :count] = 0
            self._preferring = 0
        return kinds

    def position(self, contact_id: ContactId) -> int:
        """Returns 1 for the first in its queue, 2 for the next ...; 0 if it does not wait here.

        The head start of a queue is the same for all in it and so changes nothing within it.
        """
        row = self.row_of.get(contact_id)
        if row is None:
            return 0
        contact = self.contacts[row]
        line = self.lines[contact.facts.queue]
        return bisect_left(line, (contact.order_ms, contact.sequence)) + 1

    def count(self, queue: QueueName) -> int:
        """Returns how many wait unoffered in the queue."""
        return len(self.lines.get(queue, ()))

    def ends_ms(self, queue: QueueName) -> tuple[int, int] | None:
        """Returns the order times of the first and the last in the queue; None if it is empty."""
        line = self.lines.get(queue)
        return (line[0][0], line[-1][0]) if line else None

    def rows_of(self, contact_ids: Iterable[ContactId]) -> Longs:
        """Returns the rows of contacts that are there."""
        row_of = self.row_of
        return np.array([row_of[contact_id] for contact_id in contact_ids], np.int64)

    def tastes(self, channels: Sequence[int], rows: Longs) -> NDArray[np.int32]:
        """Returns per row the strongest preference among the channels (0 = none)."""
        best = np.zeros(rows.size, np.int32)
        if self._preferring:
            for channel in channels:
                np.maximum(best, self._tastes[channel].take(rows), out=best)
        return best

    @property
    def preferring(self) -> bool:
        """Returns whether any contact here has channel preferences."""
        return self._preferring > 0

    def _name_columns(self) -> None:
        self.order_ms, self.sequence, self.kind, self.need, self.marks = self._table

    def _grow(self) -> None:
        """Doubles the columns."""
        self._table = np.concatenate([self._table, np.zeros_like(self._table)], axis=1)
        self._tastes = np.concatenate([self._tastes, np.zeros_like(self._tastes)], axis=1)
        self._name_columns()

    def _fill(self, row: int) -> None:
        """Moves the last row into the hole; what lies past the end keeps no preference."""
        last = len(self.contacts) - 1
        moved = self.contacts.pop()
        if row != last:
            self.contacts[row] = moved
            self.row_of[moved.contact_id] = row
            self._table[:, row] = self._table[:, last]
        if self._preferring:
            self._tastes[:, row] = self._tastes[:, last]
            self._tastes[:, last] = 0

    def _unlink(self, contact: Contact) -> None:
        for agent_id in _linked_agents(contact):
            linked = self.links.get(agent_id)
            if linked is not None:
                linked.pop(contact.contact_id, None)
                if not linked:
                    del self.links[agent_id]


def _linked_agents(contact: Contact) -> list[AgentId]:
    return [*(each.agent_id for each in contact.facts.relationships), *contact.pauses]
