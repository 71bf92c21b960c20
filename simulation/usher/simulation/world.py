"""The world of a run: virtual time, made-up people, and the router's own pool.

    a customer comes, loses patience, an agent answers, finishes, a shift ends ...   (agenda)
        -> command -> Pool.execute -> events -> Pool.apply -> what people do about it -> agenda

Who does what: customers `crowd`, agents `duty`, `answering`, `work`, clerks and visitors `visits`.
Who takes part: `people`.
No rule of routing stands here or there. The pool's time is the run's: ms since midnight of its day.
The same scenario, policy, seed and replication give the same run.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import scipy

from usher.queue import commands as c
from usher.queue.branches import Branches
from usher.queue.measures import Outcome
from usher.queue.rules import Policy
from usher.queue.values import SYSTEM, ContactState
from usher.router.pool import Pool
from usher.simulation.answering import Answering
from usher.simulation.arriving import MS_PER_MIN
from usher.simulation.checks import BrokenRun, check_batch
from usher.simulation.crowd import Crowd, Unstable
from usher.simulation.customers import Kind
from usher.simulation.duty import Duty
from usher.simulation.engine import Engine
from usher.simulation.people import People, ScenarioPeople
from usher.simulation.premises import (
    DAY_MS,
    calendar_around,
    calendar_of,
    desk_rows,
    has_visitors,
    with_desks,
)
from usher.simulation.recorded_day import RecordedDay, RecordedPeople
from usher.simulation.recorder import Recorder
from usher.simulation.rows import Batch
from usher.simulation.scenario import Day, Scenario, Steady
from usher.simulation.seats import Seats
from usher.simulation.streams import Streams
from usher.simulation.visits import Visits
from usher.simulation.work import Work

__all__ = ["Unstable", "World"]


class World:
    """One run of a scenario under a policy; `batches` is to be taken once.

    `branches`: services and branches of the policy file, where the scenario has visitors; raises
    ValueError if it has some and there are none. `recorded`: a day whose people come and work
    instead of drawn ones. `workers`: all agents, in the order of the indexes that rows name them
    by.
    """

    def __init__(
        self,
        scenario: Scenario,
        policy: Policy,
        streams: Streams,
        *,
        branches: Branches | None = None,
        recorded: RecordedDay | None = None,
    ) -> None:
        self._scenario = scenario
        self._engine = Engine()
        people = _people_of(scenario, streams, recorded)
        self.workers = people.workers
        self._recorder = Recorder(people.kinds, self.workers)
        day = scenario.horizon
        self._opens_ms = day.opens_min * MS_PER_MIN if isinstance(day, Day) else 0
        self._closes_ms = day.closes_min * MS_PER_MIN if isinstance(day, Day) else None
        self._crowd = Crowd(self._engine, self._recorder, self._closes_ms, scenario.queue_most)
        duty = Duty(self._engine, self.workers, self._recorder)
        self._work = Work(self._engine, self._recorder, duty, self._crowd)
        Answering(self._engine, self._crowd, duty, self._work)
        self._configure(policy, people)
        if has_visitors(scenario):
            seats = Seats(self._engine, self._open_branches(branches))
            Visits(self._engine, self._crowd, duty, self._work, seats)
        duty.begin(people.turns())
        self._arrivals = {kind.name: kind.arrivals(self._opens_ms) for kind in people.kinds}
        for kind in people.kinds:
            self._await_next(kind)

    def watch(self, at_ms: int, look: Callable[[Pool], None]) -> None:
        """Lets somebody look at the pool at a moment of the run, after what was put there before.

        The pool changes its records in place: they are to be read at once, and none to be kept.
        """
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
        while self._crowd.live or self._work.wrapping or engine.now_ms < closes_ms:
            next_ms = engine.next_ms()
            if next_ms is None:
                break
            if next_ms > last_ms:
                engine.now_ms = last_ms
                break
            engine.step()
        for customer in self._crowd.live.values():
            self._recorder.contact(customer, Outcome.OPEN, engine.now_ms)
        return self._checked(self._recorder.cut(engine.now_ms))

    def _steady(self, steady: Steady) -> Iterator[Batch]:
        self._next_batch(steady.warm_up)
        for _ in range(steady.batches):
            yield self._next_batch(steady.batch)

    def _next_batch(self, size: int) -> Batch:
        recorder, step = self._recorder, self._engine.step
        while recorder.ended < size:
            if not step():
                raise Unstable("nothing is left to happen before the run is at its end")
        return self._checked(self._recorder.cut(self._engine.now_ms, self._crowd.live.values()))

    def _checked(self, batch: Batch) -> Batch:
        """Returns the batch if its accounts and the pool's agree; raises BrokenRun."""
        check_batch(batch)
        contacts = self._engine.pool.ledger.contacts.values()
        inside = sum(contact.state is not ContactState.ENDED for contact in contacts)
        if inside != len(self._crowd.live):
            raise BrokenRun(f"{len(self._crowd.live)} contacts are inside, {inside} in the pool")
        return batch

    # what the pool is told before anybody comes

    def _configure(self, policy: Policy, people: People) -> None:
        engine = self._engine
        engine.do(c.OpenPool(SYSTEM, "simulation", np.__version__, scipy.__version__))
        engine.do(c.SetPolicy(SYSTEM, policy))
        engine.do(c.SetRoster(SYSTEM, people.roster))
        for at_ms, change in people.changes():
            engine.agenda.put(at_ms, partial(self._change, change))

    def _change(self, change: c.SetPolicy | c.SetRoster) -> None:
        self._engine.do(change)

    def _open_branches(self, branches: Branches | None) -> Branches:
        """Returns the branches with their desks, which are open from now on by their hours."""
        if branches is None:
            raise ValueError("the scenario has visitors or desks, but there are no branches")
        plan = with_desks(branches, desk_rows(self._scenario))
        self._engine.do(c.SetBranches(SYSTEM, plan))
        day = self._scenario.horizon
        if isinstance(day, Day):
            self._engine.do(c.SetCalendar(SYSTEM, calendar_of(plan, day)))
        else:
            self._go_on(plan)
        return plan

    def _go_on(self, plan: Branches) -> None:
        """Another day of a long run begins."""
        calendar = calendar_around(plan, self._engine.now_ms)
        self._engine.do(c.SetCalendar(SYSTEM, calendar))
        self._engine.later(DAY_MS, partial(self._go_on, plan))

    # customers come

    def _await_next(self, kind: Kind) -> None:
        at_ms = next(self._arrivals[kind.name], None)
        if at_ms is not None and (self._closes_ms is None or at_ms < self._closes_ms):
            self._engine.agenda.put(at_ms, partial(self._come, kind))

    def _come(self, kind: Kind) -> None:
        for _ in range(kind.batch()):
            self._crowd.come(kind, 1)
        self._await_next(kind)


def _people_of(scenario: Scenario, streams: Streams, recorded: RecordedDay | None) -> People:
    if recorded is None:
        return ScenarioPeople(scenario, streams)
    return RecordedPeople(recorded, scenario, streams)
