"""What agents do with a customer they have: serve, finish, wrap up, or lose the customer.

    take -> begin -> finish -> (wrap-up) -> done        take -> the customer does not come -> done
                     pass on -> (wrap-up) -> done, while the customer waits for a further agent

An agent is busy from `take` on. The same for contacts and visitors; it must not know how an agent
got the customer.
"""

from copy import copy
from functools import partial
from typing import Final

from usher.queue import commands as c
from usher.queue import events as e
from usher.queue.measures import Outcome
from usher.queue.values import LegId
from usher.simulation.crowd import Crowd
from usher.simulation.customers import PASSED_ON, PLATFORM, Customer
from usher.simulation.duty import Duty
from usher.simulation.engine import Engine
from usher.simulation.pace import SharedWork
from usher.simulation.recorder import Recorder
from usher.simulation.staff import Worker

_NO_LEG = LegId("")
# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_COMPLETED: Final = Outcome.COMPLETED


class Work:
    """All work in progress; from now on it reacts to what becomes of contacts and legs.

    `wrapping`: legs in wrap-up, with customer, agent, and since when.
    """

    def __init__(self, engine: Engine, recorder: Recorder, duty: Duty, crowd: Crowd) -> None:
        self._engine = engine
        self._recorder = recorder
        self._duty = duty
        self._crowd = crowd
        self._live = crowd.live
        self._shared: dict[tuple[int, str], SharedWork] = {}
        self.wrapping: dict[LegId, tuple[Customer, Worker, int]] = {}
        engine.on(e.ContactConnected, self._connected)
        engine.on(e.ContactRequeued, self.requeued)
        engine.on(e.ContactCompleted, self._completed)
        engine.on(e.ContactAbandoned, self._abandoned)
        engine.on(e.ContactFailed, self._ended_otherwise)
        engine.on(e.ContactNoShow, self._not_come)
        engine.on(e.ContactExpired, self._ended_otherwise)
        engine.on(e.WrapUpFinished, self._wrapped_up)

    def take(self, customer: Customer) -> Worker:
        """The agent of the customer's leg has it from now on; returns the agent."""
        worker = customer.worker
        if worker is None:
            raise ValueError(f"{customer.contact_id} is served by nobody")
        customer.taken_ms = self._engine.now_ms
        self._recorder.taken(worker, customer.taken_ms)
        return worker

    def begin(self, customer: Customer) -> None:
        """Agent and customer are together from now on."""
        now_ms, kind, worker = self._engine.now_ms, customer.kind, customer.worker
        if customer.taken_ms < 0 or worker is None:
            worker = self.take(customer)
        customer.waiting = False
        kind.count(now_ms, -1, 0)
        customer.talk_from_ms = now_ms
        if customer.answered_ms < 0:
            customer.answered_ms, customer.served_by = now_ms, worker.index
            self._crowd.answered(customer)
        work_ms = customer.handling_ms / worker.group.speed.get(kind.name, 1.0)
        shared = self._shared_work(worker, customer) if worker.group.slowdown else None
        if shared is not None:
            shared.begin(customer, work_ms, self._finish)
        else:
            leg_id = customer.leg_id
            self._engine.later(round(work_ms), partial(self._finish_leg, customer, leg_id))

    def wait_again(self, customer: Customer) -> None:
        """The customer is without an agent, and waits anew."""
        self._part(customer, 0)
        self._crowd.be_patient(customer)

    def requeued(self, event: e.ContactRequeued) -> None:
        """The contact is back in its queue or in another one, or the ticket in its line."""
        customer = self._live[event.contact_id]
        self._part(customer, event.wrap_until_ms)
        if event.reason == PASSED_ON:
            customer.go_on()
        self._crowd.be_patient(customer)

    def _part(self, customer: Customer, wrap_until_ms: int) -> None:
        """Ends the customer's leg, and takes everything of it from the customer."""
        self._leave_shared(customer)
        # A wrap-up goes on while the customer may already be on its next leg.
        self._end_leg(copy(customer), wrap_until_ms)
        if not customer.waiting:
            customer.kind.count(self._engine.now_ms, 1, 0)
        customer.waiting, customer.worker, customer.leg_id = True, None, _NO_LEG
        customer.taken_ms = customer.talk_from_ms = -1

    def _shared_work(self, worker: Worker, customer: Customer) -> SharedWork | None:
        channel = customer.facts.channel
        paces = worker.group.slowdown.get(channel)
        if paces is None:
            return None
        key = (worker.index, channel)
        if key not in self._shared:
            self._shared[key] = SharedWork(self._engine, paces)
        return self._shared[key]

    def _leave_shared(self, customer: Customer) -> None:
        worker = customer.worker
        if worker is not None and worker.group.slowdown and not customer.waiting:
            shared = self._shared_work(worker, customer)
            if shared is not None:
                shared.end(customer)

    def _let_go(self, customer: Customer) -> None:
        """The agent who had taken the customer has no more to do with it."""
        worker, now_ms = customer.worker, self._engine.now_ms
        if worker is not None and customer.taken_ms >= 0:
            self._recorder.leg(worker, customer, now_ms, now_ms)
            customer.taken_ms = -1
            self._duty.done(worker)

    def _connected(self, event: e.ContactConnected) -> None:
        self.begin(self._live[event.contact_id])

    def _finish_leg(self, customer: Customer, leg_id: LegId) -> None:
        if customer.leg_id == leg_id and not customer.waiting and not customer.over:
            self._finish(customer)

    def _finish(self, customer: Customer) -> None:
        kind, worker = customer.kind, customer.worker
        if customer.onward:
            self._engine.do(customer.transfer())
            return
        resolved = None
        if kind.rules.redial is not None and worker is not None:
            resolved = kind.resolved.happens(worker.group.quality.get(kind.name, 1.0))
        self._engine.do(customer.completion(resolved))

    def _completed(self, event: e.ContactCompleted) -> None:
        customer = self._live[event.contact_id]
        self._leave_shared(customer)
        self._crowd.end(customer, _COMPLETED)
        self._end_leg(customer, event.wrap_until_ms)
        if event.resolved is False:
            self._crowd.come_again(customer, customer.kind.redial)

    def _end_leg(self, customer: Customer, wrap_until_ms: int) -> None:
        """Ends a leg, at once or after its wrap-up; `customer` stays as it is on this leg."""
        now_ms, worker = self._engine.now_ms, customer.worker
        if worker is None or wrap_until_ms <= now_ms:
            self._let_go(customer)
            return
        self.wrapping[customer.leg_id] = (customer, worker, now_ms)
        self._recorder.wrapping(now_ms, 1)
        after_ms = customer.wrap_up_ms
        self._engine.later(after_ms, partial(self._finish_wrap_up, customer.leg_id))
        self._duty.changed(worker)

    def _finish_wrap_up(self, leg_id: LegId) -> None:
        if leg_id in self.wrapping:
            worker = self.wrapping[leg_id][1]
            self._engine.do(c.FinishWrapUp(PLATFORM, worker.agent_id, leg_id))

    def _wrapped_up(self, event: e.WrapUpFinished) -> None:
        now_ms = self._engine.now_ms
        customer, worker, talked_ms = self.wrapping.pop(event.leg_id)
        self._recorder.wrapping(now_ms, -1)
        self._recorder.leg(worker, customer, talked_ms, now_ms)
        self._duty.done(worker)

    def _abandoned(self, event: e.ContactAbandoned) -> None:
        customer = self._live[event.contact_id]
        self._crowd.end(customer, Outcome.ABANDONED)
        self._crowd.come_again(customer, customer.kind.retrial)
        if customer.worker is not None:  # whose offer is gone with it
            self._duty.changed(customer.worker)

    def _not_come(self, event: e.ContactNoShow) -> None:
        customer = self._live[event.contact_id]
        self._crowd.end(customer, Outcome.NO_SHOW)
        self._let_go(customer)

    def _ended_otherwise(self, event: e.ContactEnding) -> None:
        customer = self._live[event.contact_id]
        self._crowd.end(customer, Outcome.OTHER)
        self._let_go(customer)
