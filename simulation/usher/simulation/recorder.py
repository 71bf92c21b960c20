"""Writes down what happens in a run and hands it on as batches.

It must not know the pool; the world tells it what it has seen.
"""

from collections.abc import Iterable
from typing import Final

from usher.queue.measures import Outcome
from usher.simulation.customers import Customer, Kind
from usher.simulation.rows import Batch, TypeTotals, contact_rows, leg_rows, presence_segments
from usher.simulation.staff import OFFLINE, Worker

# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_OPEN: Final = Outcome.OPEN


class Recorder:
    """Rows and sums since the last cut."""

    def __init__(self, kinds: list[Kind], workers: list[Worker]) -> None:
        self._kinds = kinds
        self._workers = workers
        self._contacts: list[tuple[int, ...]] = []
        self._legs: list[tuple[int, ...]] = []
        self._presence: list[tuple[int, ...]] = []
        self._from_ms = 0
        self._busy = _Level()
        self._wrapping = _Level()
        self._before = [(0, 0, 0) for _ in kinds]
        self.ended = 0
        """How many contacts have ended since the last cut."""

    def contact(self, customer: Customer, outcome: Outcome, at_ms: int) -> None:
        """Writes a contact down that has ended at this moment (OPEN = it has not)."""
        kind = customer.kind
        is_open = outcome is _OPEN
        self.ended += 1
        kind.ended += not is_open
        self._contacts.append(
            (
                kind.index,
                customer.arrived_ms,
                customer.answered_ms,
                -1 if is_open else at_ms,
                outcome,
                customer.served_by,
                customer.attempt,
                customer.number,
            )
        )

    def taken(self, worker: Worker, at_ms: int) -> None:
        """An agent has a customer from now on, or has called one."""
        worker.live += 1
        if worker.live == 1:
            self._busy.change(at_ms, 1)

    def wrapping(self, at_ms: int, change: int) -> None:
        """So many more legs wrap up from now on."""
        self._wrapping.change(at_ms, change)

    def leg(self, worker: Worker, customer: Customer, talked_ms: int, at_ms: int) -> None:
        """Writes a leg down that is done at this moment."""
        worker.live -= 1
        if worker.live == 0:
            self._busy.change(at_ms, -1)
        kind = customer.kind
        self._legs.append(
            (
                worker.index,
                kind.index,
                customer.taken_ms,
                customer.talk_from_ms,
                talked_ms,
                at_ms,
                customer.price,
            )
        )

    def presence(self, worker: Worker, kind: int, at_ms: int) -> None:
        """The worker's presence is of this kind from now on, a `PresenceKind` or OFFLINE."""
        if worker.presence_kind != OFFLINE and at_ms > worker.present_since_ms:
            since_ms = worker.present_since_ms
            self._presence.append((worker.index, since_ms, at_ms, worker.presence_kind))
        worker.presence_kind, worker.present_since_ms = kind, at_ms

    def cut(self, at_ms: int, inside: Iterable[Customer] = ()) -> Batch:
        """Returns all since the last cut and begins anew; `inside` = those who stand in no row."""
        for worker in self._workers:
            self.presence(worker, worker.presence_kind, at_ms)
        batch = Batch(
            from_ms=self._from_ms,
            until_ms=at_ms,
            contacts=contact_rows(self._contacts),
            legs=leg_rows(self._legs),
            presence=presence_segments(self._presence),
            totals=self._totals(at_ms, inside),
            busy_ms=self._busy.take_ms(at_ms),
            wrapping_ms=self._wrapping.take_ms(at_ms),
        )
        self._contacts, self._legs, self._presence = [], [], []
        self._from_ms, self.ended = at_ms, 0
        return batch

    def _totals(self, at_ms: int, inside: Iterable[Customer]) -> tuple[TypeTotals, ...]:
        left_ms = [0] * len(self._kinds)
        for customer in inside:
            left_ms[customer.kind.index] += at_ms - max(customer.arrived_ms, self._from_ms)
        return tuple(self._total(kind, at_ms, left_ms[kind.index]) for kind in self._kinds)

    def _total(self, kind: Kind, at_ms: int, left_ms: int) -> TypeTotals:
        waiting_ms, inside_ms = kind.take_integrals_ms(at_ms)
        began, ended, inside = self._before[kind.index]
        totals = TypeTotals(
            arrived=kind.began - began,
            ended=kind.ended - ended,
            inside_from=inside,
            inside_until=kind.inside,
            waiting_ms=waiting_ms,
            inside_ms=inside_ms,
            left_inside_ms=left_ms,
        )
        self._before[kind.index] = (kind.began, kind.ended, kind.inside)
        return totals


class _Level:
    """A number of things that go on at once, and its integral over time."""

    def __init__(self) -> None:
        self._number = 0
        self._sum_ms = 0

    def change(self, at_ms: int, by: int) -> None:
        """So many more go on from now on (the integral is summed as `Kind.count` does)."""
        self._sum_ms -= by * at_ms
        self._number += by

    def take_ms(self, at_ms: int) -> int:
        """Returns the integral up to now and begins anew."""
        whole_ms = self._number * at_ms
        sum_ms, self._sum_ms = self._sum_ms + whole_ms, -whole_ms
        return sum_ms
