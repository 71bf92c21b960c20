"""The world of a run: virtual time, made-up people, and the router's own pool.

    a customer comes, loses patience, an agent answers, finishes, a shift ends ...   (agenda)
        -> command -> Pool.execute -> events -> Pool.apply -> what people do about it -> agenda

No rule of routing stands here. The pool's time is the run's: ms since midnight of its day. The same
scenario, policy, seed and replication give the same run.
"""

from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from typing import Final

import numpy as np
import scipy

from usher.queue import commands as c
from usher.queue import events as e
from usher.queue.errors import Refused
from usher.queue.measures import Outcome
from usher.queue.rules import Policy
from usher.queue.values import (
    SYSTEM,
    Actor,
    ActorKind,
    ContactId,
    ContactState,
    LegId,
    LegState,
    QueueName,
)
from usher.router.pool import Pool
from usher.simulation.arriving import MS_PER_MIN
from usher.simulation.checks import BrokenRun, check_batch
from usher.simulation.customers import Customer, Kind, enqueued
from usher.simulation.duty import Duty
from usher.simulation.engine import Engine
from usher.simulation.pace import SharedWork
from usher.simulation.people import People, ScenarioPeople
from usher.simulation.recorded_day import RecordedDay, RecordedPeople
from usher.simulation.recorder import Recorder
from usher.simulation.rows import Batch
from usher.simulation.scenario import Day, Scenario, Steady
from usher.simulation.staff import Worker
from usher.simulation.streams import Streams

PLATFORM: Final = Actor(ActorKind.PLATFORM, "simulation")
PASSED_ON: Final = "passed_on"
"""Reason for which a contact goes back to wait for a further agent."""

Reply = type[c.AcceptOffer] | type[c.DeclineOffer]


class Unstable(Exception):
    """More contacts wait than the scenario allows: the run would grow without end."""


class World:
    """One run of a scenario under a policy; `batches` is to be taken once.

    `workers`: all agents, in the order of the indexes that rows name them by. With a recorded day
    its people come and work, instead of drawn ones.
    """

    def __init__(
        self,
        scenario: Scenario,
        policy: Policy,
        streams: Streams,
        recorded: RecordedDay | None = None,
    ) -> None:
        self._scenario = scenario
        self._policy = policy
        self._engine = Engine()
        self._people: People = (
            ScenarioPeople(scenario, streams)
            if recorded is None
            else RecordedPeople(recorded, scenario, streams)
        )
        self._kinds, self.workers = self._people.kinds, self._people.workers
        self._recorder = Recorder(self._kinds, self.workers)
        self._duty = Duty(self._engine, self.workers, self._recorder)
        self._live: dict[ContactId, Customer] = {}
        self._wrapping: dict[LegId, tuple[Customer, Worker, int]] = {}
        self._shared: dict[tuple[int, str], SharedWork] = {}
        self._last_wait_ms: dict[QueueName, int] = {}
        self._arrivals: dict[str, Iterator[int]] = {}
        day = scenario.horizon
        self._opens_ms = day.opens_min * MS_PER_MIN if isinstance(day, Day) else 0
        self._closes_ms = day.closes_min * MS_PER_MIN if isinstance(day, Day) else None
        self._set_up()

    def watch(self, at_ms: int, look: Callable[[Pool], None]) -> None:
        """Lets somebody look at the pool at a moment of the run, before what else it brings."""
        self._engine.agenda.put(at_ms, partial(look, self._engine.pool))

    def batches(self) -> Iterator[Batch]:
        """Yields what the run leaves, as the horizon says; raises Unstable."""
        horizon = self._scenario.horizon
        match horizon:
            case Day():
                yield self._day(horizon)
            case Steady():
                yield from self._steady(horizon)

    def _day(self, day: Day) -> Batch:
        engine, closes_ms = self._engine, day.closes_min * MS_PER_MIN
        last_ms = closes_ms + day.finish_ms
        while self._live or self._wrapping or engine.now_ms < closes_ms:
            next_ms = engine.next_ms()
            if next_ms is None:
                break
            if next_ms > last_ms:
                engine.now_ms = last_ms
                break
            engine.step()
        for customer in self._live.values():
            self._recorder.contact(customer, Outcome.OPEN, engine.now_ms)
        return self._checked(self._recorder.cut(engine.now_ms))

    def _steady(self, steady: Steady) -> Iterator[Batch]:
        self._next_batch(steady.warm_up)
        for _ in range(steady.batches):
            yield self._next_batch(steady.batch)

    def _next_batch(self, size: int) -> Batch:
        while self._recorder.ended < size:
            if not self._engine.step():
                raise Unstable("nothing is left to happen before the run is at its end")
        return self._checked(self._recorder.cut(self._engine.now_ms, self._live.values()))

    def _checked(self, batch: Batch) -> Batch:
        """Returns the batch if its accounts and the pool's agree; raises BrokenRun."""
        check_batch(batch)
        contacts = self._engine.pool.ledger.contacts.values()
        inside = sum(contact.state is not ContactState.ENDED for contact in contacts)
        if inside != len(self._live):
            raise BrokenRun(f"{len(self._live)} contacts are inside, {inside} in the pool")
        return batch

    def _set_up(self) -> None:
        engine = self._engine
        engine.do(c.OpenPool(SYSTEM, "simulation", np.__version__, scipy.__version__))
        engine.do(c.SetPolicy(SYSTEM, self._policy))
        engine.do(c.SetRoster(SYSTEM, self._people.roster))
        engine.on(e.PolicySet, self._policy_set)
        engine.on(e.OfferMade, self._offered)
        engine.on(e.OfferAccepted, self._accepted)
        engine.on(e.ContactConnected, self._connected)
        engine.on(e.ContactRequeued, self._requeued)
        engine.on(e.ContactCompleted, self._completed)
        engine.on(e.ContactAbandoned, self._abandoned)
        engine.on(e.ContactFailed, self._ended_otherwise)
        engine.on(e.ContactNoShow, self._ended_otherwise)
        engine.on(e.ContactExpired, self._ended_otherwise)
        engine.on(e.WrapUpFinished, self._wrapped_up)
        for at_ms, change in self._people.changes():
            engine.agenda.put(at_ms, partial(self._change, change))
        self._duty.begin(self._people.turns())
        for kind in self._kinds:
            self._arrivals[kind.name] = kind.arrivals(self._opens_ms)
            self._await_next(kind)

    def _change(self, change: c.SetPolicy | c.SetRoster) -> None:
        self._engine.do(change)

    def _policy_set(self, event: e.PolicySet) -> None:
        self._policy = event.policy

    # customers come

    def _await_next(self, kind: Kind) -> None:
        at_ms = next(self._arrivals[kind.name], None)
        if at_ms is not None and (self._closes_ms is None or at_ms < self._closes_ms):
            self._engine.agenda.put(at_ms, partial(self._come, kind))

    def _come(self, kind: Kind) -> None:
        for _ in range(kind.batch()):
            self._try(kind, 1)
        self._await_next(kind)

    def _try(self, kind: Kind, attempt: int) -> None:
        now_ms = self._engine.now_ms
        if self._closes_ms is not None and now_ms >= self._closes_ms:
            return
        customer = kind.customer(attempt, now_ms)
        if self._balks(customer):
            self._turned_away(customer)
            return
        try:
            self._engine.do(c.EnqueueContact(PLATFORM, enqueued(customer)))
        except Refused:
            self._turned_away(customer)
            return
        self._live[customer.contact_id] = customer
        kind.count(now_ms, 1, 1)
        if kind.waiting > self._scenario.queue_most:
            raise Unstable(f"more than {self._scenario.queue_most} contacts of {kind.name} wait")
        self._be_patient(customer)

    def _balks(self, customer: Customer) -> bool:
        """An announced wait is that of the last one answered in the queue, while others wait."""
        kind = customer.kind
        if kind.balking is None:
            return False
        bearable_ms = kind.balking.next_ms()
        return kind.waiting > 0 and self._last_wait_ms.get(kind.rules.queue, 0) > bearable_ms

    def _turned_away(self, customer: Customer) -> None:
        self._recorder.contact(customer, Outcome.OTHER, self._engine.now_ms)
        self._come_again(customer)

    def _come_again(self, customer: Customer) -> None:
        after_ms = customer.kind.retrial.after_ms(customer.attempt)
        if after_ms is not None:
            again = partial(self._try, customer.kind, customer.attempt + 1)
            self._engine.later(after_ms, again)

    def _be_patient(self, customer: Customer) -> None:
        if customer.patience_ms >= 0:
            customer.patience_until_ms = self._engine.now_ms + customer.patience_ms
            self._engine.later(customer.patience_ms, partial(self._lose_patience, customer))

    def _lose_patience(self, customer: Customer) -> None:
        if customer.waiting and self._engine.now_ms >= customer.patience_until_ms:
            self._engine.do(c.AbandonContact(PLATFORM, customer.contact_id))

    # agents answer

    def _offered(self, event: e.OfferMade) -> None:
        customer = self._live[event.contact_id]
        worker = self._duty.workers[event.agent_id]
        customer.leg_id, customer.worker, customer.price = event.leg_id, worker, event.price
        rules = self._policy.channel_rules(customer.facts.channel)
        if rules is not None and rules.automatic_accept:
            return
        reply: Reply = c.AcceptOffer
        after_ms = self._answering_ms(customer, worker, event.due_ms)
        if customer.refusals:
            reply, (after_ms, *later) = c.DeclineOffer, customer.refusals
            customer.refusals = tuple(later)
        if after_ms >= 0:
            self._engine.later(after_ms, partial(self._reply, reply, customer, event.leg_id))

    def _answering_ms(self, customer: Customer, worker: Worker, due_ms: int) -> int:
        """Who answered a recorded contact is taken to answer in time under any policy."""
        if customer.answering_ms >= 0:
            return min(customer.answering_ms, due_ms - self._engine.now_ms)
        return worker.answering.next_ms() if worker.answering else 0

    def _reply(self, reply: Reply, customer: Customer, leg_id: LegId) -> None:
        worker = customer.worker
        if customer.waiting and customer.leg_id == leg_id and worker is not None:
            try:
                self._engine.do(reply(PLATFORM, worker.agent_id, leg_id))
            except Refused:
                return  # the offer is gone: it came too late

    def _accepted(self, event: e.OfferAccepted) -> None:
        customer = self._live[event.contact_id]
        if event.state is LegState.ACTIVE:
            self._serve(customer)
        else:
            after_ms = min(customer.connecting_ms, event.due_ms - self._engine.now_ms)
            self._engine.later(after_ms, partial(self._connect, customer, event.leg_id))

    def _connect(self, customer: Customer, leg_id: LegId) -> None:
        if customer.waiting and customer.leg_id == leg_id:
            self._engine.do(c.ConnectContact(PLATFORM, customer.contact_id))

    def _connected(self, event: e.ContactConnected) -> None:
        self._serve(self._live[event.contact_id])

    def _requeued(self, event: e.ContactRequeued) -> None:
        customer, now_ms = self._live[event.contact_id], self._engine.now_ms
        self._leave_work(customer)
        if not customer.waiting and customer.worker is not None:
            self._wrap_up(copy(customer), customer.worker, event.wrap_until_ms)
            customer.kind.count(now_ms, 1, 0)
        customer.waiting, customer.worker, customer.leg_id = True, None, LegId("")
        if event.reason == PASSED_ON:
            customer.go_on()
        self._be_patient(customer)

    # they work

    def _serve(self, customer: Customer) -> None:
        worker, now_ms, kind = customer.worker, self._engine.now_ms, customer.kind
        if worker is None:
            raise ValueError(f"{customer.contact_id} is served by nobody")
        customer.waiting = False
        kind.count(now_ms, -1, 0)
        customer.talk_from_ms = now_ms
        if customer.answered_ms < 0:
            customer.answered_ms, customer.served_by = now_ms, worker.index
            self._last_wait_ms[kind.rules.queue] = now_ms - customer.arrived_ms
        self._recorder.served(worker, now_ms)
        work_ms = customer.handling_ms / worker.group.speed.get(kind.name, 1.0)
        shared = self._shared_work(worker, customer)
        if shared is not None:
            shared.begin(customer, work_ms, self._finish)
        else:
            leg_id = customer.leg_id
            self._engine.later(round(work_ms), partial(self._finish_leg, customer, leg_id))

    def _shared_work(self, worker: Worker, customer: Customer) -> SharedWork | None:
        channel = customer.facts.channel
        paces = worker.group.slowdown.get(channel)
        if paces is None:
            return None
        key = (worker.index, channel)
        if key not in self._shared:
            self._shared[key] = SharedWork(self._engine, paces)
        return self._shared[key]

    def _leave_work(self, customer: Customer) -> None:
        if customer.worker is not None and not customer.waiting:
            shared = self._shared_work(customer.worker, customer)
            if shared is not None:
                shared.end(customer)

    def _finish_leg(self, customer: Customer, leg_id: LegId) -> None:
        if customer.leg_id == leg_id and not customer.waiting and not customer.over:
            self._finish(customer)

    def _finish(self, customer: Customer) -> None:
        kind, worker = customer.kind, customer.worker
        if customer.onward:
            queue = customer.onward[0].queue
            passed = c.RequeueContact(PLATFORM, customer.contact_id, queue, PASSED_ON)
            self._engine.do(passed)
            return
        resolved = None
        if kind.rules.redial is not None and worker is not None:
            resolved = kind.resolved.happens(worker.group.quality.get(kind.name, 1.0))
        completed = c.CompleteContact(PLATFORM, customer.contact_id, "", resolved)
        self._engine.do(completed)

    def _completed(self, event: e.ContactCompleted) -> None:
        customer = self._live[event.contact_id]
        worker = customer.worker
        self._leave_work(customer)
        self._over(customer, Outcome.COMPLETED)
        if worker is not None:
            self._wrap_up(customer, worker, event.wrap_until_ms)
        if event.resolved is False:
            after = customer.kind.redial.after_ms(customer.attempt)
            if after is not None:
                again = partial(self._try, customer.kind, customer.attempt + 1)
                self._engine.later(after, again)

    def _wrap_up(self, customer: Customer, worker: Worker, until_ms: int) -> None:
        """Ends a leg, at once or after its wrap-up; `customer` stays as it is on this leg."""
        now_ms = self._engine.now_ms
        if until_ms <= now_ms:
            self._recorder.leg(worker, customer, now_ms, now_ms)
            self._duty.done(worker)
            return
        self._wrapping[customer.leg_id] = (customer, worker, now_ms)
        self._recorder.wrapping(now_ms, 1)
        self._engine.later(customer.wrap_up_ms, partial(self._finish_wrap_up, customer.leg_id))

    def _finish_wrap_up(self, leg_id: LegId) -> None:
        if leg_id in self._wrapping:
            worker = self._wrapping[leg_id][1]
            self._engine.do(c.FinishWrapUp(PLATFORM, worker.agent_id, leg_id))

    def _wrapped_up(self, event: e.WrapUpFinished) -> None:
        now_ms = self._engine.now_ms
        customer, worker, talked_ms = self._wrapping.pop(event.leg_id)
        self._recorder.wrapping(now_ms, -1)
        self._recorder.leg(worker, customer, talked_ms, now_ms)
        self._duty.done(worker)

    # they go

    def _abandoned(self, event: e.ContactAbandoned) -> None:
        customer = self._live[event.contact_id]
        self._over(customer, Outcome.ABANDONED)
        self._come_again(customer)

    def _ended_otherwise(self, event: e.ContactEnding) -> None:
        self._over(self._live[event.contact_id], Outcome.OTHER)

    def _over(self, customer: Customer, outcome: Outcome) -> None:
        now_ms = self._engine.now_ms
        del self._live[customer.contact_id]
        customer.over = True
        customer.kind.count(now_ms, -int(customer.waiting), -1)
        customer.waiting = False
        self._recorder.contact(customer, outcome, now_ms)
