"""Visitors and clerks: desks that pull who waits in a line, visitors who walk up or do not come.

    join -> wait in line -> called (the clerk is busy from now on) -> walk -> work
                                    -> does not come -> the pool ends the call at its grace

    a clerk is ready -> sits down -> calls next -> nobody to call: idle until somebody joins
                 or has room again ->              an offer rings: that comes first

Which ticket is called, and whether a clerk has room for a visitor, the pool decides. A clerk calls
the next visitor in the moment in which there is room, before the match of that moment: a call or
chat comes to who finds nobody in the line. Of several idle clerks the one calls who has been idle
longest. It must not know shifts, or what is done at a desk.
"""

from collections import defaultdict
from functools import partial

from usher.queue import commands as c
from usher.queue import events as e
from usher.queue import ticket_events as t
from usher.queue.errors import DeskBusy
from usher.queue.occupancy import PresenceKind
from usher.queue.values import ContactId, LegId
from usher.router.offers import open_offers
from usher.simulation.crowd import Crowd
from usher.simulation.customers import PLATFORM, Visitor
from usher.simulation.duty import Duty
from usher.simulation.engine import Engine
from usher.simulation.seats import Seats
from usher.simulation.staff import Worker
from usher.simulation.work import Work


class Visits:
    """All lines and desks; from now on it reacts to what becomes of tickets and clerks."""

    def __init__(self, engine: Engine, crowd: Crowd, duty: Duty, work: Work, seats: Seats) -> None:
        self._engine = engine
        self._crowd = crowd
        self._live = crowd.live
        self._work = work
        self._duty = duty
        self._seats = seats
        self._idle: defaultdict[str, dict[Worker, None]] = defaultdict(dict)
        duty.on_change = self._clerk_changed
        engine.on(t.TicketIssued, self._joined)
        engine.on(t.TicketCalled, self._called)
        engine.on(e.ContactRequeued, self._requeued)
        engine.on(e.ContactConnectFailed, self._call_failed)
        engine.on(e.PauseEnded, self._pause_ended)
        engine.on(e.OfferExpired, self._offer_gone)
        engine.on(e.OfferWithdrawn, self._offer_gone)

    # visitors

    def _joined(self, event: t.TicketIssued) -> None:
        self._engine.at_once(partial(self._invite, event.ticket.branch))

    def _called(self, event: t.TicketCalled) -> None:
        visitor = self._visitor(event.contact_id)
        if visitor is None:
            return
        visitor.desk = event.desk.partition("/")[2]
        self._crowd.stay(visitor)
        self._work.take(visitor)
        if visitor.shows_up:
            arrive = partial(self._arrive, visitor, visitor.leg_id)
            self._engine.later(visitor.walk_ms, arrive)

    def _arrive(self, visitor: Visitor, leg_id: LegId) -> None:
        """One who comes too late has no ticket any more, or is in the line again."""
        if visitor.leg_id == leg_id and visitor.waiting:
            self._engine.do(visitor.beginning())

    def _requeued(self, event: e.ContactRequeued) -> None:
        self._work.requeued(event)
        self._is_back(event.contact_id)

    def _call_failed(self, event: e.ContactConnectFailed) -> None:
        self._work.wait_again(self._live[event.contact_id])
        self._is_back(event.contact_id)

    def _pause_ended(self, event: e.PauseEnded) -> None:
        self._is_back(event.contact_id)

    def _is_back(self, contact_id: ContactId) -> None:
        """A clerk who had nobody to call may have somebody now."""
        visitor = self._visitor(contact_id)
        if visitor is not None:
            self._engine.at_once(partial(self._invite, visitor.branch))

    def _visitor(self, contact_id: ContactId) -> Visitor | None:
        customer = self._live.get(contact_id)
        return customer if isinstance(customer, Visitor) else None

    # clerks

    def _clerk_changed(self, worker: Worker) -> None:
        self._engine.at_once(partial(self._look, worker))

    def _offer_gone(self, event: e.OfferExpired | e.OfferWithdrawn) -> None:
        worker = self._live[event.contact_id].worker
        if worker is not None:
            self._duty.changed(worker)

    def _look(self, worker: Worker) -> None:
        """The clerk looks what there is to do: to sit down and call, or to leave the desk."""
        if worker.presence_kind == PresenceKind.READY:
            if self._seats.sit(worker):
                self._call_next(worker)
            return
        branch = worker.group.desk_branch
        self._idle[branch].pop(worker, None)
        self._seats.away(worker)
        if worker.presence_kind == PresenceKind.NOT_READY:
            self._seats.leave(worker)
        for other in self._seats.standing(branch):
            if other is not worker and self._seats.sit(other):
                self._call_next(other)

    def _invite(self, branch: str) -> None:
        """Somebody waits in a line of the branch: the first idle clerk who may calls."""
        for worker in list(self._idle[branch]):
            if self._call_next(worker):
                return

    def _call_next(self, worker: Worker) -> bool:
        """Returns whether the clerk has called somebody; one with nobody to call is idle."""
        place, idle = self._seats.place(worker), self._idle[worker.group.desk_branch]
        called, has_room = False, False
        if place is not None and not self._rings(worker):
            try:
                called = bool(self._engine.do(c.CallNext(PLATFORM, *place, 0)))
                has_room = not called
            except DeskBusy:
                pass  # other work leaves no room: looks again when it is done
        if has_room:
            idle.setdefault(worker)
        else:
            idle.pop(worker, None)
        return called

    def _rings(self, worker: Worker) -> bool:
        """Returns whether something is offered to the clerk: that is answered first."""
        ledger = self._engine.pool.ledger
        return bool(open_offers(ledger, ledger.agents[worker.agent_id]))
