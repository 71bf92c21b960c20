"""The stages of one match: rank by rank, in a rank strict level by level, in a level one order.

    fcfs    one by one by (time waited + head start), each to its best-scoring agent   FCFS
    score   rounds of: one contact    -> the best agent                                ROW
                       one place left -> the best contact                              COLUMN
                       both many      -> jointly (`joint`)                             JOINT
                       too many       -> the most urgent first, each to its best       GREEDY

Room that one stage takes is gone for the next. Where all contacts of a stage see every agent alike
(one class, see `problem`) a score is a contact's part plus an agent's part; then the best contacts
and the best slots of agents, both sorted, are an optimum, and no solver is needed. In `fcfs` order
the same sorting gives what going one by one gives. Knows no deadlines, no events, no clock.
"""

from typing import NamedTuple

import numpy as np

from usher.queue.rules import Order
from usher.queue.values import Found
from usher.queue.waiting import LINKED
from usher.router.field import Field, best
from usher.router.joint import Chosen, alike, assign, slots
from usher.router.problem import Problem, build
from usher.router.scoring import LEAST, Longs, first

FEW = 16
"""Up to so many contacts, picking one after the other is quicker than sorting columns."""


class Seat(NamedTuple):
    """One pair: a row of the waiting columns, a place of the field."""

    row: int
    place: int
    score: int
    found: Found


class Stages:
    """Works off the stages over one field; `seats` are the pairs so far, in order of decision."""

    def __init__(self, field: Field, exact_cells_max: int) -> None:
        self._field = field
        self._waiting = field.waiting
        self._kinds = field.kinds
        self._exact_cells_max = exact_cells_max
        self._unspent: list[Seat] = []
        self.seats: list[Seat] = []

    def run(self, rows: Longs) -> None:
        """Matches the contacts in these rows (at least one), stage by stage."""
        kinds, waiting = self._kinds, self._waiting
        if rows.size == 1:
            self._stage(rows, kinds.orders[kinds.stage[waiting.kind[rows[0]]]])
            return
        stages = kinds.stage.take(waiting.kind.take(rows))
        if int(stages.min()) == int(stages.max()):
            self._stage(rows, kinds.orders[stages[0]])
            return
        for stage in np.bincount(stages).nonzero()[0].tolist():
            self._spend()
            self._stage(rows[stages == stage], kinds.orders[stage])

    def _stage(self, rows: Longs, order: Order) -> None:
        if order is Order.FCFS:
            self._first_come(rows)
        elif rows.size == 1:
            self._one_by_one(rows, Found.ROW)
        elif not self._few_alike(rows):
            self._scored(rows)

    # fcfs

    def _first_come(self, rows: Longs) -> None:
        if rows.size > FEW:
            problem = build(self._field, rows)
            if problem is None:
                return
            rows = problem.rows
            if problem.kinds.size == 1:
                order = self._head_order(rows)
                self._seat_all(problem, alike(self._field, problem, order, order), Found.FCFS)
                return
            rows = self._first_in_line(problem)
        age, sequence = self._head_order(rows)
        self._one_by_one(rows[np.lexsort((sequence, age))], Found.FCFS)

    def _first_in_line(self, problem: Problem) -> Longs:
        """Returns the contacts without those too far behind in their class to be reached."""
        age, sequence = self._head_order(problem.rows)
        most = self._room_at_most(problem)
        by_class = np.argsort(problem.class_of, kind="stable")
        ends = np.cumsum(np.bincount(problem.class_of))
        groups = np.split(by_class, ends[:-1])
        kept = [items[first(most, age[items], sequence[items])] for items in groups]
        return problem.rows[np.concatenate(kept)]

    def _room_at_most(self, problem: Problem) -> int:
        """Returns a bound of how many contacts of the problem can be placed in all."""
        total = 0
        for channel in set(self._kinds.channel.take(problem.kinds).tolist()):
            lane = self._field.lane(channel)
            total += int(lane.left[lane.open].sum())
        return min(total, problem.rows.size)

    # score

    def _few_alike(self, rows: Longs) -> bool:
        """Matches a few contacts of one kind without marks, if they are such; returns whether.

        Taking the best slot one after the other gives the optimum here, as `alike` does.
        """
        waiting, field = self._waiting, self._field
        if rows.size > FEW or waiting.marks.take(rows).any():
            return False
        kinds = waiting.kind.take(rows).tolist()
        if kinds.count(kinds[0]) != len(kinds):
            return False
        values = field.values(kinds[0])
        places = (values > LEAST).nonzero()[0]
        if not places.size:
            return True
        order = waiting.order_ms.take(rows), waiting.sequence.take(rows)
        found = Found.JOINT
        if places.size < rows.size:
            room = self._room(places, kinds[0], rows.size)
            near = first(int(room.sum()), -field.urgency(rows), *order)
            rows, order = rows[near], (order[0][near], order[1][near])
            found = Found.COLUMN if places.size == 1 and rows.size == 1 else Found.JOINT
        self._one_by_one(rows[np.lexsort((order[1], order[0]))], found)
        return True

    def _room(self, places: Longs, kind: int, most: int) -> Longs:
        """Returns how many contacts of the kind, up to `most`, each of the places can take."""
        return slots(self._field, np.array([kind]), places, most)[0]

    def _scored(self, rows: Longs) -> None:
        """Plays rounds until no allowed pair is left."""
        while True:
            self._spend()
            problem = build(self._field, rows)
            if problem is None:
                return
            taken = self._round(problem)
            if taken is None:
                return
            rows = problem.rows[np.bincount(taken, minlength=problem.rows.size) == 0]
            if not rows.size:
                return

    def _round(self, problem: Problem) -> Longs | None:
        """Seats one round; returns the items seated, None if nothing can be left to do."""
        rows, field = problem.rows, self._field
        order = self._waiting.order_ms.take(rows), self._waiting.sequence.take(rows)
        if rows.size == 1:
            self._one_by_one(rows, Found.ROW)
            return None
        if problem.too_large:
            self._greedy(rows)
            return None
        chosen, found = None, Found.JOINT
        if (
            problem.places.size == 1
            and int(slots(field, problem.kinds, problem.places, 2)[0][0]) == 1
        ):
            found = Found.COLUMN
            chosen = self._column(problem, order)
        elif problem.kinds.size == 1:
            chosen = alike(field, problem, (-problem.own, *order), order)
        else:
            chosen = assign(field, problem, order, self._exact_cells_max)
        if chosen is None:
            self._greedy(rows)
            return None
        self._seat_all(problem, chosen, found)
        channels = self._kinds.channel.take(problem.kinds)
        return chosen.item if int(channels.min()) != int(channels.max()) else None

    def _column(self, problem: Problem, order: tuple[Longs, Longs]) -> Chosen:
        """Returns the best contact for the one place."""
        scores = problem.own + problem.values[:, 0].take(problem.class_of)
        item = first(1, -scores, *order)
        return Chosen(item, np.zeros(1, np.int64), scores[item])

    def _greedy(self, rows: Longs) -> None:
        waiting = self._waiting
        keys = waiting.sequence.take(rows), waiting.order_ms.take(rows)
        order = np.lexsort((*keys, -self._field.urgency(rows)))
        self._one_by_one(rows[order], Found.GREEDY)

    # both

    def _one_by_one(self, rows: Longs, found: Found) -> None:
        """Seats the contacts in this order, each at its best place, as long as there is one."""
        field, waiting = self._field, self._waiting
        full: set[int] = set()
        last = int(rows[-1])
        for row in rows.tolist():
            kind = int(waiting.kind[row])
            if kind in full:
                continue
            values = field.values_for(row)
            place = best(values, field.since)
            if place >= 0:
                score = int(values[place]) + field.urgency_of_one(row)
                seat = Seat(row, place, score, found)
                self.seats.append(seat)
                if row == last:
                    self._unspent.append(seat)
                else:
                    field.take(place, int(self._kinds.channel[kind]))
            elif not waiting.marks[row] & LINKED:
                full.add(kind)

    def _seat_all(self, problem: Problem, chosen: Chosen, found: Found) -> None:
        """Seats pairs in waiting order; their room is spent when somebody asks for it."""
        rows = problem.rows[chosen.item]
        places = problem.places[chosen.place]
        waiting = self._waiting
        order = np.lexsort((waiting.sequence.take(rows), waiting.order_ms.take(rows)))
        columns = rows[order].tolist(), places[order].tolist(), chosen.score[order].tolist()
        seats = [Seat(*each, found) for each in zip(*columns, strict=True)]
        self.seats += seats
        self._unspent += seats

    def _spend(self) -> None:
        """Takes the room of what was seated together, before anybody else looks at it."""
        if self._unspent:
            rows = np.array([seat.row for seat in self._unspent])
            places = np.array([seat.place for seat in self._unspent])
            channels = self._kinds.channel.take(self._waiting.kind.take(rows))
            self._field.take_all(places, channels)
            self._unspent = []

    def _head_order(self, rows: Longs) -> tuple[Longs, Longs]:
        """Returns the keys of fcfs order: order time less the queue's head start, then sequence."""
        waiting = self._waiting
        head_ms = self._kinds.head_ms.take(waiting.kind.take(rows))
        return waiting.order_ms.take(rows) - head_ms, waiting.sequence.take(rows)
