"""The customers inside: how they come, lose patience, leave, and come again.

    come -> (turned away) -> wait -> (lose patience) -> ... -> end -> (come again)

It must not know how they are routed or served.
"""

from functools import partial

from usher.queue.errors import Refused
from usher.queue.measures import Outcome
from usher.queue.values import ContactId
from usher.simulation.customers import Customer, Kind, Return
from usher.simulation.engine import Engine
from usher.simulation.recorder import Recorder

_NEVER_MS = 1 << 62


class Unstable(Exception):
    """More contacts wait than the scenario allows: the run would grow without end."""


class Crowd:
    """All who wait or are served. `closes_ms`: nobody comes from then on; None = no such time.

    A run in which more than `waiting_most` of one type wait is stopped.
    """

    def __init__(
        self, engine: Engine, recorder: Recorder, closes_ms: int | None, waiting_most: int
    ) -> None:
        self._engine = engine
        self._recorder = recorder
        self._closes_ms = closes_ms
        self._waiting_most = waiting_most
        self._last_wait_ms: dict[str, int] = {}
        self.live: dict[ContactId, Customer] = {}

    def come(self, kind: Kind, attempt: int) -> None:
        """Somebody comes, and waits unless turned away; raises Unstable."""
        now_ms = self._engine.now_ms
        if self._closes_ms is not None and now_ms >= self._closes_ms:
            return
        customer = kind.customer(attempt, now_ms)
        if self._balks(customer):
            self._turn_away(customer)
            return
        try:
            self._engine.do(customer.arrival())
        except Refused:
            self._turn_away(customer)
            return
        self.live[customer.contact_id] = customer
        kind.count(now_ms, 1, 1)
        if kind.waiting > self._waiting_most:
            raise Unstable(f"more than {self._waiting_most} contacts of {kind.name} wait")
        self.be_patient(customer)

    def be_patient(self, customer: Customer) -> None:
        """The customer waits from now on for as long as its patience lasts."""
        if customer.patience_ms >= 0:
            customer.patience_until_ms = self._engine.now_ms + customer.patience_ms
            self._engine.later(customer.patience_ms, partial(self._lose_patience, customer))

    def stay(self, customer: Customer) -> None:
        """The customer does not leave any more before it waits anew."""
        customer.patience_until_ms = _NEVER_MS

    def answered(self, customer: Customer) -> None:
        """An agent is with the customer for the first time."""
        self._last_wait_ms[customer.kind.place] = customer.answered_ms - customer.arrived_ms

    def end(self, customer: Customer, outcome: Outcome) -> None:
        """The customer is gone."""
        now_ms = self._engine.now_ms
        del self.live[customer.contact_id]
        customer.over = True
        customer.kind.count(now_ms, -int(customer.waiting), -1)
        customer.waiting = False
        self._recorder.contact(customer, outcome, now_ms)

    def come_again(self, customer: Customer, by: Return) -> None:
        """The customer may come again, as a rule of its type says."""
        after_ms = by.after_ms(customer.attempt)
        if after_ms is not None:
            again = partial(self.come, customer.kind, customer.attempt + 1)
            self._engine.later(after_ms, again)

    def _balks(self, customer: Customer) -> bool:
        """An announced wait is that of the last one answered in its place, while others wait."""
        kind = customer.kind
        if kind.balking is None:
            return False
        bearable_ms = kind.balking.next_ms()
        return kind.waiting > 0 and self._last_wait_ms.get(kind.place, 0) > bearable_ms

    def _turn_away(self, customer: Customer) -> None:
        self._recorder.contact(customer, Outcome.OTHER, self._engine.now_ms)
        self.come_again(customer, customer.kind.retrial)

    def _lose_patience(self, customer: Customer) -> None:
        if customer.waiting and self._engine.now_ms >= customer.patience_until_ms:
            self._engine.do(customer.departure())
