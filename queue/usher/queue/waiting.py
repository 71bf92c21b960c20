"""The contacts that wait unoffered: their lines (who is next in which queue), and columns of them.

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

The columns are written when somebody reads them: where few wait, nobody does. What is here stands
as it was put in, whatever has become of the contact's record meanwhile.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from usher.queue.state import Contact
from usher.queue.values import AgentId, ContactId, QueueName

PREFERS = 1
LINKED = 2

_ROWS_FIRST = 64
_FEW = 4  # so many rows are written quicker one by one
_ORDER_MS, _SEQUENCE, _KIND, _NEED, _MARKS = range(5)

Longs = NDArray[np.int64]
Line = list[tuple[int, int, Contact]]
"""One queue in order: (order_ms, sequence, contact); no two have the same sequence."""


class Waiting:
    """All contacts that wait unoffered. `channels` is how many channels have a preference row.

    `rows` holds the figures of the columns, one tuple for each contact of `contacts`.
    """

    def __init__(self, channels: int) -> None:
        self.contacts: list[Contact] = []
        self.rows: list[tuple[int, int, int, int, int]] = []
        self.row_of: dict[ContactId, int] = {}
        self.lines: dict[QueueName, Line] = {}
        self.links: dict[AgentId, dict[ContactId, None]] = {}
        self._linked: dict[ContactId, list[AgentId]] = {}
        self._line_of: list[Line] = []
        self._preferring = 0
        self._unwritten: dict[int, None] = {}
        self._table = np.zeros((5, _ROWS_FIRST), np.int64)
        self._tastes = np.zeros((channels, _ROWS_FIRST), np.int16)

    def __len__(self) -> int:
        return len(self.contacts)

    def __contains__(self, contact_id: ContactId) -> bool:
        return contact_id in self.row_of

    @property
    def order_ms(self) -> Longs:
        """Returns the column."""
        column: Longs = self._written()[_ORDER_MS]
        return column

    @property
    def sequence(self) -> Longs:
        """Returns the column."""
        column: Longs = self._written()[_SEQUENCE]
        return column

    @property
    def kind(self) -> Longs:
        """Returns the column."""
        column: Longs = self._written()[_KIND]
        return column

    @property
    def need(self) -> Longs:
        """Returns the column."""
        column: Longs = self._written()[_NEED]
        return column

    @property
    def marks(self) -> Longs:
        """Returns the column."""
        column: Longs = self._written()[_MARKS]
        return column

    def put(
        self, contact: Contact, kind: int, need: int, preferences: Sequence[tuple[int, int]] = ()
    ) -> None:
        """Adds a contact that is not there yet. `preferences`: (channel row, strength) pairs."""
        row = len(self.contacts)
        contact_id, queue = contact.contact_id, contact.facts.queue
        order_ms, sequence = contact.order_ms, contact.sequence
        marks = self._prefer(row, preferences) if preferences else 0
        if contact.facts.relationships or contact.pauses:
            marks |= self._link(contact)
        line = self.lines.get(queue)
        if line is None:
            line = self.lines[queue] = []
        insort(line, (order_ms, sequence, contact))
        self.contacts.append(contact)
        self.rows.append((order_ms, sequence, kind, need, marks))
        self.row_of[contact_id] = row
        self._line_of.append(line)
        self._unwritten[row] = None

    def drop(self, contact_id: ContactId) -> int:
        """Takes a contact out (it must be there); returns its kind."""
        row = self.row_of.pop(contact_id)
        order_ms, sequence, kind, _, marks = self.rows[row]
        if marks & LINKED:
            self._unlink(contact_id)
        line = self._line_of[row]
        del line[bisect_left(line, (order_ms, sequence))]
        self._fill(row)
        if marks & PREFERS:
            self._preferring -= 1
        return kind

    def clear(self) -> list[int]:
        """Takes all contacts out at once; returns their kinds."""
        kinds = [row[_KIND] for row in self.rows]
        if self._preferring:
            self._tastes.fill(0)
            self._preferring = 0
        self.contacts.clear()
        self.rows.clear()
        self.row_of.clear()
        self.lines.clear()
        self.links.clear()
        self._linked.clear()
        self._line_of.clear()
        self._unwritten.clear()
        return kinds

    def position(self, contact_id: ContactId) -> int:
        """Returns 1 for the first in its queue, 2 for the next ...; 0 if it does not wait here.

        The head start of a queue is the same for all in it and so changes nothing within it.
        """
        row = self.row_of.get(contact_id)
        if row is None:
            return 0
        return bisect_left(self._line_of[row], self.rows[row][:_KIND]) + 1

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
            self._grow_tastes()
            for channel in channels:
                np.maximum(best, self._tastes[channel].take(rows), out=best)
        return best

    @property
    def preferring(self) -> bool:
        """Returns whether any contact here has channel preferences."""
        return self._preferring > 0

    def _written(self) -> Longs:
        """Returns the columns, with all in them that has changed since the last time."""
        if self._unwritten:
            rows = [row for row in self._unwritten if row < len(self.rows)]
            self._unwritten.clear()
            while len(self.rows) > self._table.shape[1]:
                self._table = np.concatenate([self._table, np.zeros_like(self._table)], axis=1)
            if len(rows) > _FEW:
                self._table[:, rows] = np.array([self.rows[row] for row in rows], np.int64).T
            else:
                for row in rows:
                    self._table[:, row] = self.rows[row]
        return self._table

    def _prefer(self, row: int, preferences: Iterable[tuple[int, int]]) -> int:
        """Writes the preferences of a new row down; returns its mark."""
        self._grow_tastes()
        self._preferring += 1
        for channel, strength in preferences:
            self._tastes[channel, row] = max(strength, int(self._tastes[channel, row]))
        return PREFERS

    def _link(self, contact: Contact) -> int:
        """Writes down which agents the contact names; returns its mark."""
        contact_id = contact.contact_id
        agents = [*(each.agent_id for each in contact.facts.relationships), *contact.pauses]
        self._linked[contact_id] = agents
        for agent_id in agents:
            self.links.setdefault(agent_id, {})[contact_id] = None
        return LINKED

    def _unlink(self, contact_id: ContactId) -> None:
        for agent_id in self._linked.pop(contact_id):
            linked = self.links.get(agent_id)
            if linked is not None:
                linked.pop(contact_id, None)
                if not linked:
                    del self.links[agent_id]

    def _fill(self, row: int) -> None:
        """Moves the last row into the hole; what lies past the end keeps no preference."""
        last = len(self.contacts) - 1
        moved, figures, line = self.contacts.pop(), self.rows.pop(), self._line_of.pop()
        if row != last:
            self.contacts[row], self.rows[row], self._line_of[row] = moved, figures, line
            self.row_of[moved.contact_id] = row
            self._unwritten[row] = None
        if self._preferring:
            self._move_tastes(last, row)

    def _move_tastes(self, old: int, new: int) -> None:
        self._grow_tastes()
        self._tastes[:, new] = self._tastes[:, old]
        self._tastes[:, old] = 0

    def _grow_tastes(self) -> None:
        """Makes room for the row that comes next."""
        while self._tastes.shape[1] <= len(self.contacts):
            self._tastes = np.concatenate([self._tastes, np.zeros_like(self._tastes)], axis=1)
