"""What must hold of tickets, desks and numbers after every record and batch, in plain loops.

Beside `invariants`, and written as that is: without the pool's own sums and columns.
"""

from tests.router.invariants import has_room, knows, loads_of, owner_of, stage_of

from usher.queue import commands as c
from usher.queue.branches import BranchName, Desk, DeskId
from usher.queue.events import AnyEvent, OfferAccepted, OfferMade, OfferWithdrawn
from usher.queue.ledger import Ledger
from usher.queue.rules import Order
from usher.queue.state import Contact
from usher.queue.ticket_events import TicketCalled, TicketIssued
from usher.queue.tickets import Ticket, TicketState, ticket_state
from usher.queue.values import AgentId, Channel, ContactState, Found, LegState, Presence
from usher.router.pool import Pool

Number = tuple[str, str, str, int]
"""Branch, line, service day and number: no two tickets have the same."""

CALLS = (c.CallNext, c.CallTicket)


def check_numbers(drawn: set[Number], events: tuple[AnyEvent, ...]) -> None:
    """No number of a line and service day is drawn twice; `drawn` gathers them."""
    for event in events:
        if isinstance(event, TicketIssued) and event.ticket.label:
            ticket = event.ticket
            number = (ticket.branch, ticket.line, ticket.date, ticket.number)
            assert number not in drawn, f"{number} was drawn before"
            drawn.add(number)


def check_tickets(ledger: Ledger) -> None:
    """A ticket is at a desk if and only if it is called or served there; labels differ."""
    _check_labels(ledger)
    for contact_id, ticket in ledger.tickets.items():
        contact = ledger.contacts[contact_id]
        assert contact_id == ticket.contact_id == contact.contact_id
        assert contact.facts.channel == Channel.WALK_IN
        assert ticket.branch in ledger.branches or contact.state is ContactState.ENDED
        assert not ticket.desk or ticket.desk.startswith(f"{ticket.branch}/")
        owner = owner_of(contact)
        match ticket_state(contact):
            case TicketState.WAITING:
                assert "" == ticket.desk and owner is None, "nobody is offered a ticket"
            case TicketState.CALLED:
                assert owner is not None and ticket.calls and ticket.called_ms >= 0
                assert ledger.seats[ticket.desk].agent_id == owner.agent_id
            case TicketState.SERVING:
                assert owner is not None
                seat = ledger.seats.get(ticket.desk)
                assert not ticket.desk or (seat and seat.agent_id == owner.agent_id)
            case TicketState.ENDED:
                assert owner is None


def _check_labels(ledger: Ledger) -> None:
    """No two live tickets of a branch and service day show the same."""
    shown = [
        (ticket.branch, ticket.date, ticket.label)
        for contact_id, ticket in ledger.tickets.items()
        if ticket.label and ledger.contacts[contact_id].state is not ContactState.ENDED
    ]
    assert len(set(shown)) == len(shown)


def check_desks(ledger: Ledger) -> None:
    """Seats and desks of agents are one thing seen from two sides; who has gone sits nowhere."""
    assert {seat.agent_id: desk for desk, seat in ledger.seats.items()} == ledger.desk_of
    assert len(ledger.seats) == len(ledger.desk_of)
    for desk, seat in ledger.seats.items():
        assert desk == seat.desk and desk in ledger.desks
        agent = ledger.agents[seat.agent_id]
        assert agent.lost or agent.presence is not Presence.OFFLINE


def check_lobby(pool: Pool) -> None:
    """The lobby has the waiting tickets in their order, and no others; the match has none."""
    ledger = pool.ledger
    standing: dict[str, TicketState] = {}
    for name in {ticket.branch for ticket in ledger.tickets.values()}:
        lobby = pool.matcher.lobby
        standings = lobby.standings(ledger, name)
        expected = sorted(_waiting_at(ledger, name), key=lambda one: _place(ledger, one))
        assert [one.contact_id for one in expected] == list(standings)
        places: dict[str, int] = {}
        for contact in expected:
            place = places[contact.facts.queue] = places.get(contact.facts.queue, 0) + 1
            assert place == standings[contact.contact_id].position
        standing |= dict.fromkeys(standings, TicketState.WAITING)
        standing |= dict.fromkeys(lobby.at_desks(name), TicketState.CALLED)
    for contact_id in ledger.tickets:
        state = ticket_state(ledger.contacts[contact_id])
        at_desk = state in (TicketState.CALLED, TicketState.SERVING)
        shown = TicketState.CALLED if at_desk else state
        assert shown is standing.pop(contact_id, TicketState.ENDED)
        assert 0 == pool.queue_position(contact_id), "a ticket is in no queue of the match"
    assert {} == standing


def check_call(ledger: Ledger, command: c.AnyCommand, events: tuple[AnyEvent, ...]) -> None:
    """Checks a call against the state before it: room, skill, and nobody before whom it calls."""
    if not isinstance(command, CALLS):
        return
    desk = ledger.desks[DeskId(f"{command.branch}/{command.desk}")]
    agent_id = ledger.seats[desk.desk_id].agent_id
    made = [event for event in events if isinstance(event, OfferMade)]
    if not made:
        assert isinstance(command, c.CallNext) and () == events
        assert [] == [one.contact_id for one in _callable(ledger, desk, agent_id)]
        return
    (offer,) = made
    contact = ledger.contacts[offer.contact_id]
    assert agent_id == offer.agent_id
    assert [OfferMade, OfferAccepted, TicketCalled] == [type(event) for event in events[-3:]]
    _check_room(ledger, offer, events)
    profile = ledger.profiles[agent_id]
    assert not desk.closed and not profile.closed, "who was left out calls no more"
    assert knows(ledger, contact, profile)
    assert _gives(ledger, desk, ledger.tickets[contact.contact_id])
    callable_ones = _callable(ledger, desk, agent_id)
    if isinstance(command, c.CallTicket):
        assert Found.PICKED is offer.found and contact.contact_id == command.contact_id
        return
    assert contact.contact_id in {one.contact_id for one in callable_ones}
    turn = _turn(ledger, contact)
    assert all(turn <= _turn(ledger, one) for one in callable_ones), "somebody comes before"


def _check_room(ledger: Ledger, offer: OfferMade, events: tuple[AnyEvent, ...]) -> None:
    """A call fits beside what the clerk has, once offers are withdrawn."""
    load = loads_of(ledger)[offer.agent_id]
    for event in events:
        if isinstance(event, OfferWithdrawn):
            leg = ledger.contacts[event.contact_id].leg(event.leg_id)
            assert leg is not None and leg.state is LegState.OFFERED
            assert leg.agent_id == offer.agent_id
            load.units -= leg.price
            load.channels[leg.channel] -= 1
    assert has_room(ledger.profiles[offer.agent_id], load, Channel.WALK_IN)


def _callable(ledger: Ledger, desk: Desk, agent_id: AgentId) -> list[Contact]:
    """Returns the waiting tickets that the desk gives and its clerk may serve."""
    profile = ledger.profiles[agent_id]
    return [
        contact
        for contact in _waiting_at(ledger, desk.branch)
        if _gives(ledger, desk, ledger.tickets[contact.contact_id])
        and knows(ledger, contact, profile)
        and agent_id not in contact.pauses
    ]


def _gives(ledger: Ledger, desk: Desk, ticket: Ticket) -> bool:
    return not desk.services or ticket.service in desk.services or _left_out(ledger, ticket)


def _left_out(ledger: Ledger, ticket: Ticket) -> bool:
    lines = ledger.branches[ticket.branch].lines
    offered = any(ticket.service in line.services for line in lines)
    return ledger.services[ticket.service].closed or not offered


def _waiting_at(ledger: Ledger, branch: BranchName) -> list[Contact]:
    return [
        contact
        for contact_id, ticket in ledger.tickets.items()
        if ticket.branch == branch
        and (contact := ledger.contacts[contact_id]).state is ContactState.WAITING
    ]


def _place(ledger: Ledger, contact: Contact) -> tuple[int, ...]:
    """Returns what the order of turns goes by: stage, time waited, arrival."""
    rules = ledger.queues[contact.facts.queue]
    counts_from_ms = contact.order_ms + ledger.tickets[contact.contact_id].shift_ms
    return (*stage_of(rules), counts_from_ms - rules.head_start_ms, contact.sequence)


def _turn(ledger: Ledger, contact: Contact) -> tuple[int, ...]:
    """Returns the same, in score order without what the score decides."""
    scored = ledger.queues[contact.facts.queue].order is Order.SCORE
    return _place(ledger, contact)[:3] if scored else _place(ledger, contact)
