"""Work with several customers at once: how far each has come while the pace changes.

An agent with n contacts of a channel at work gives each of them `paces[n - 1]` of the full pace;
with more than the list has, the last one. Whenever n changes, what is left of each is taken down
and the next end is planned anew. It must not know the pool.
"""

from collections.abc import Callable
from functools import partial

from usher.simulation.customers import Customer
from usher.simulation.engine import Engine


class SharedWork:
    """The contacts of one channel that one agent works on at the same time."""

    def __init__(self, engine: Engine, paces: tuple[float, ...]) -> None:
        self._engine = engine
        self._paces = paces
        self._left_ms: dict[Customer, float] = {}
        self._since_ms = 0
        self._plan = 0
        """Counts plans: an end that was planned before the last change holds no more."""

    def begin(self, customer: Customer, work_ms: float, finish: Callable[[Customer], None]) -> None:
        """Another contact is at work from now on; `finish` is called when its work is done."""
        self._pass_time()
        self._left_ms[customer] = work_ms
        self._finish = finish
        self._plan_ends()

    def end(self, customer: Customer) -> None:
        """The contact is at work no more."""
        self._pass_time()
        self._left_ms.pop(customer, None)
        self._plan_ends()

    def _pace(self) -> float:
        return self._paces[min(len(self._left_ms), len(self._paces)) - 1]

    def _pass_time(self) -> None:
        done_ms = (self._engine.now_ms - self._since_ms) * self._pace() if self._left_ms else 0.0
        self._since_ms = self._engine.now_ms
        for customer in self._left_ms:
            self._left_ms[customer] -= done_ms

    def _plan_ends(self) -> None:
        self._plan += 1
        if not self._left_ms:
            return
        customer = min(self._left_ms, key=lambda one: (self._left_ms[one], one.contact_id))
        after_ms = max(0, round(self._left_ms[customer] / self._pace()))
        self._engine.later(after_ms, partial(self._end_planned, customer, self._plan))

    def _end_planned(self, customer: Customer, plan: int) -> None:
        if plan == self._plan:
            self._finish(customer)
