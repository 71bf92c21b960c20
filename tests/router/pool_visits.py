"""The acts of a program with branches: kiosks join, desks call, serve and send on.

Most acts find what they need (an open desk, a called ticket); where there is none, they do what
comes before it: a clerk sits down, a visitor joins, a desk calls. Some name what is not there.
"""

from typing import Any

from hypothesis import strategies as st
from tests.router.branch_kit import visitor
from tests.router.pool_acts import VISITS, act
from tests.router.pool_halls import (
    CALENDARS,
    PLANS,
    branch_names,
    desk_names,
    kiosk_clocks,
    kiosk_ms,
    outcomes,
    parties,
    places,
    plan_for,
    service_names,
)
from tests.router.pool_kit import PLATFORM, SUPERVISOR, person
from tests.router.pool_program import CheckedPool, pick
from tests.router.pool_world import agent_names, anything, facts, settled, some_time

from usher.queue import commands as c
from usher.queue.branches import BranchName, ServiceName
from usher.queue.state import Agent
from usher.queue.tickets import Place, TicketState, VisitOutcome, ticket_state
from usher.queue.values import SYSTEM, Actor, AgentId, Channel, ContactId, Presence

WAITING, CALLED, SERVING = TicketState.WAITING, TicketState.CALLED, TicketState.SERVING
At = tuple[Actor, BranchName, str, int]
"""Who speaks at which desk of which branch, with which session."""


class PoolVisits(CheckedPool):
    """What visitors and clerks do."""

    def open_branches(self) -> None:
        """The branches that the policy has queues for, and clerks at the first desks."""
        self.branched = True
        self.do(c.SetBranches(SYSTEM, plan_for(set(self.driven.pool.ledger.queues))))
        self.do(c.SetCalendar(SYSTEM, CALENDARS[0]))
        for _ in range(2):
            self._seat(0)

    # -- visitors --------------------------------------------------------------------------

    @act(
        7,
        VISITS,
        which=anything,
        about=facts,
        rest=st.fixed_dictionaries({"party_size": parties, "off_ms": kiosk_clocks}),
        after_ms=some_time,
        settle=settled,
    )
    def join(self, which: int, about: dict[str, Any], settle: bool, **more: Any) -> None:
        self.driven.at_ms += more["after_ms"]
        rest = dict(more["rest"])
        clock_ms = kiosk_ms(rest.pop("off_ms"), self.driven.at_ms)
        self._join(which, about, settle, kiosk_ms=clock_ms, **rest)

    def _join(self, which: int, about: dict[str, Any], settle: bool, **rest: Any) -> None:
        """Somebody joins for one of the services of one of the branches."""
        ledger = self.driven.pool.ledger
        branch = pick(list(ledger.branches.values()), which)
        services = [] if branch is None else [n for line in branch.lines for n in line.services]
        name = BranchName("nowhere") if branch is None else branch.name
        asked = pick(services, which + self.arrivals) or ServiceName("pay")
        self.arrivals += 1
        contact = visitor(f"t{self.arrivals}", **about)
        self.do(c.JoinLine(PLATFORM, contact, name, asked, **rest), settle=settle)

    @act(1, VISITS, which=anything, at=branch_names, asked=service_names)
    def join_somewhere(self, which: int, at: str, asked: str) -> None:
        """Somebody asks for anything anywhere, perhaps by an id that is in use."""
        before = len(self.driven.pool.ledger.tickets)
        contact_id = self.contact_id(which)
        known = contact_id in self.driven.pool.ledger.contacts
        command = c.JoinLine(PLATFORM, visitor(contact_id), BranchName(at), ServiceName(asked))
        self.do(command, settle=False)
        assert not known or before == len(self.driven.pool.ledger.tickets)
        self.driven.settle()

    @act(2, VISITS, which=anything, after_ms=some_time)
    def join_again(self, which: int, after_ms: int) -> None:
        """A kiosk repeats a join: the same ticket, whatever has become of it."""
        ledger = self.driven.pool.ledger
        ticket = pick([one for one in ledger.tickets.values() if one.label], which)
        if ticket is None:
            self.advance(which)
            return
        self.driven.at_ms += after_ms
        again = visitor(ticket.contact_id)
        events = self.driven.accept(c.JoinLine(PLATFORM, again, ticket.branch, ticket.service))
        assert () == events and ticket is ledger.tickets[ticket.contact_id]
        self.driven.settle()

    @act(1, VISITS, which=anything, after_ms=some_time)
    def leave(self, which: int, after_ms: int) -> None:
        contact_id = self.ticket(which, WAITING, CALLED) or self.contact_id(which)
        self.do(c.LeaveLine(PLATFORM, contact_id), after_ms)

    # -- desks -----------------------------------------------------------------------------

    @act(2, VISITS, at=branch_names, number=desk_names, agent_id=agent_names, session=anything)
    def open_desk(self, at: str, number: str, agent_id: str, session: int) -> None:
        actor = PLATFORM if session == 0 else person(agent_id)
        token = self.session(agent_id, session)
        self.do(c.OpenDesk(actor, BranchName(at), number, token, AgentId(agent_id)))

    @act(3, VISITS, which=anything)
    def seat_somebody(self, which: int) -> None:
        if not self._seat(which):
            self.advance(which)

    def _seat(self, which: int) -> bool:
        """Somebody who takes visitors sits down at a free desk, if there are both."""
        ledger = self.driven.pool.ledger
        empty = [one for one in ledger.desks.values() if one.desk_id not in ledger.seats]
        desk = pick(empty, which)
        clerk = pick([one for one in self._clerks() if one.agent_id not in ledger.desk_of], which)
        if desk is None or clerk is None:
            return False
        if clerk.presence is Presence.OFFLINE:
            self.do(c.SignIn(person(clerk.agent_id), clerk.agent_id))
        self.do(c.OpenDesk(PLATFORM, desk.branch, desk.name, 0, clerk.agent_id))
        return True

    def _clerks(self) -> list[Agent]:
        ledger = self.driven.pool.ledger
        return [
            agent
            for agent_id, agent in ledger.agents.items()
            if Channel.WALK_IN in ledger.profiles[agent_id].capacity.channels
        ]

    @act(2, VISITS, which=anything, agent_id=agent_names, loses=st.booleans())
    def take_over(self, which: int, agent_id: str, loses: bool) -> None:
        """Somebody sits down where somebody else sits, perhaps one whose desktop is lost."""
        ledger = self.driven.pool.ledger
        seat = pick(list(ledger.seats.values()), which)
        if seat is None:
            self.advance(which)
            return
        if loses:
            self.do(c.LoseSession(SYSTEM, seat.agent_id, self.session(seat.agent_id, 3)))
        desk = ledger.desks[seat.desk]
        self.do(c.OpenDesk(PLATFORM, desk.branch, desk.name, 0, AgentId(agent_id)))

    @act(1, VISITS, which=anything, number=desk_names)
    def close_desk(self, which: int, number: str) -> None:
        self.do(c.CloseDesk(*self.at(which, number)))

    @act(7, VISITS, which=anything, number=desk_names, after_ms=some_time, settle=settled)
    def call_next(self, which: int, number: str, after_ms: int, settle: bool) -> None:
        if which and not self.ticket(which, WAITING):
            self._join(which, {}, settle)
        self.do(c.CallNext(*self.at(which, number)), after_ms, settle=settle)

    @act(2, VISITS, which=anything, other=anything, number=desk_names, after_ms=some_time)
    def call_ticket(self, which: int, other: int, number: str, after_ms: int) -> None:
        contact_id = self.ticket(other, WAITING) or self.contact_id(other)
        self.do(c.CallTicket(*self.at(which, number), contact_id), after_ms)

    @act(2, VISITS, which=anything, after_ms=some_time)
    def recall(self, which: int, after_ms: int) -> None:
        if (visit := self.visit(which, CALLED)) is not None:
            self.do(c.RecallTicket(*visit), after_ms)

    @act(6, VISITS, which=anything, after_ms=some_time, settle=settled)
    def start_serving(self, which: int, after_ms: int, settle: bool) -> None:
        if (visit := self.visit(which, CALLED)) is not None:
            self.do(c.StartServing(*visit), after_ms, settle=settle)

    @act(2, VISITS, which=anything, other=anything, number=desk_names)
    def come_uncalled(self, which: int, other: int, number: str) -> None:
        contact_id = self.ticket(other, WAITING, CALLED, SERVING) or self.contact_id(other)
        self.do(c.StartServing(*self.at(which, number), contact_id))

    @act(1, VISITS, which=anything, after_ms=some_time)
    def mark_no_show(self, which: int, after_ms: int) -> None:
        if (visit := self.visit(which, CALLED)) is not None:
            self.do(c.MarkNoShow(*visit), after_ms)

    @act(3, VISITS, which=anything, place=places, after_ms=some_time)
    def return_ticket(self, which: int, place: Place, after_ms: int) -> None:
        if (visit := self.visit(which, CALLED, SERVING)) is not None:
            self.do(c.ReturnTicket(*visit, place, "fetches_papers"), after_ms)

    @act(3, VISITS, which=anything, asked=service_names, after_ms=some_time)
    def transfer(self, which: int, asked: str, after_ms: int) -> None:
        given = list(self.driven.pool.ledger.services) if which > 2 else []
        name = pick(given, which + self.arrivals) or ServiceName(asked)
        if (visit := self.visit(which, CALLED, SERVING)) is not None:
            self.do(c.TransferTicket(*visit, name), after_ms)

    @act(5, VISITS, which=anything, said=outcomes, after_ms=some_time)
    def finish(self, which: int, said: VisitOutcome, after_ms: int) -> None:
        if (visit := self.visit(which, SERVING)) is not None:
            self.do(c.FinishServing(*visit, said, "done", True), after_ms)

    @act(2, VISITS, which=anything, number=desk_names, asked=service_names, party=parties)
    def serve_without(self, which: int, number: str, asked: str, party: int) -> None:
        self.arrivals += 1
        contact_id = self.contact_id(which) if which == 1 else f"w{self.arrivals}"
        at, name = self.at(which, number), ServiceName(asked)
        self.do(c.ServeWithoutTicket(*at, visitor(contact_id), name, party))

    # -- the server ------------------------------------------------------------------------

    @act(1, VISITS, which=st.integers(0, 3))
    def set_branches(self, which: int) -> None:
        before, ledger = self._in_use(), self.driven.pool.ledger
        branches, services, desks = before
        left_out = branches - {one.name for one in PLANS[which].branches}
        seats = {desk for desk in ledger.seats if ledger.desks[desk].branch in left_out}
        self.do(c.SetBranches(SYSTEM, PLANS[which]), settle=False)
        assert before == self._in_use()
        assert branches <= ledger.branches.keys() and services <= ledger.services.keys()
        assert desks <= {"", *ledger.desks}
        assert seats <= ledger.seats.keys(), "who waits at a branch left out is still called"
        self.driven.settle()

    def _in_use(self) -> tuple[set[str], set[str], set[str]]:
        """The branches, services and desks of live tickets."""
        ledger = self.driven.pool.ledger
        live = [
            one
            for one in ledger.tickets.values()
            if ticket_state(ledger.contacts[one.contact_id]) is not TicketState.ENDED
        ]
        return {x.branch for x in live}, {x.service for x in live}, {x.desk for x in live}

    @act(1, VISITS, which=st.integers(0, 3))
    def set_calendar(self, which: int) -> None:
        self.do(c.SetCalendar(SYSTEM, CALENDARS[which]))

    # -- choosing --------------------------------------------------------------------------

    def at(self, which: int, number: str) -> At:
        """Mostly an open desk, one without a visitor if there is one, and the session there."""
        ledger = self.driven.pool.ledger
        seats = list(ledger.seats.values())
        empty = [
            one for one in seats if Channel.WALK_IN not in ledger.agents[one.agent_id].channel_legs
        ]
        seat = pick(empty or seats, which)
        if seat is None or which == 0:
            return PLATFORM, BranchName("north"), number, 0
        desk = ledger.desks[seat.desk]
        if which in (3, 4):
            return SUPERVISOR, desk.branch, desk.name, 0
        session = self.session(seat.agent_id, which)
        return person(seat.agent_id), desk.branch, desk.name, session

    def ticket(self, which: int, *states: TicketState) -> ContactId | None:
        """A ticket in one of the states."""
        ledger = self.driven.pool.ledger
        found = [
            contact_id
            for contact_id in ledger.tickets
            if ticket_state(ledger.contacts[contact_id]) in states
        ]
        return pick(found, which)

    def visit(
        self, which: int, *states: TicketState
    ) -> tuple[Actor, BranchName, str, int, Any] | None:
        """A desk with its ticket in one of the states; sometimes they do not belong together.

        None: there is no such ticket, and what may lead to one is done.
        """
        ledger = self.driven.pool.ledger
        contact_id = self.ticket(which, *states)
        seat = ledger.seats.get(ledger.tickets[contact_id].desk) if contact_id else None
        if which == 0:
            return (*self.at(5, "1"), contact_id or self.contact_id(which))
        if contact_id is None or seat is None:
            self.advance(which)
            return None
        desk = ledger.desks[seat.desk]
        if which == 1:
            return SUPERVISOR, desk.branch, desk.name, 0, contact_id
        session = self.session(seat.agent_id, 3)
        return person(seat.agent_id), desk.branch, desk.name, session, contact_id

    def advance(self, which: int) -> None:
        """Does the next step of a visit: a clerk, a visitor, a call, the visitor at the desk."""
        called = self.ticket(which, CALLED)
        if not self.driven.pool.ledger.seats:
            self._seat(which)
        elif called is not None:
            self.visit_of(called)
        elif self.ticket(which, WAITING) is None:
            self._join(which, {}, settle=True)
        else:
            self.do(c.CallNext(*self.at(5 + which % 6, "1")))

    def visit_of(self, contact_id: ContactId) -> None:
        """The visitor comes to the desk to which it is called."""
        ledger = self.driven.pool.ledger
        desk = ledger.desks[ledger.tickets[contact_id].desk]
        self.do(c.StartServing(PLATFORM, desk.branch, desk.name, 0, contact_id))
