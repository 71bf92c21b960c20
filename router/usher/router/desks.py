"""Decides who sits at a desk, and which ticket is called to it.

    open -> call next, call ticket -> (recall) -> [desk_visits] -> close

A call is an offer that the clerk takes in the same moment: the leg joins until the grace is over,
and a visitor who does not come is a no-show, never the clerk's miss. A call is the clerk's own act,
so open offers that no longer fit are withdrawn; live work that leaves no room refuses it.
"""

from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from usher.queue.branches import Desk, DeskId
from usher.queue.commands import CallNext, CallTicket, CloseDesk, OpenDesk, RecallTicket
from usher.queue.errors import AgentClosed, DeskBusy, DeskNotOpen, SkillMissing
from usher.queue.events import AnyEvent, OfferAccepted, OfferMade
from usher.queue.ledger import Ledger
from usher.queue.state import Agent, Contact
from usher.queue.ticket_events import DeskClosed, DeskOpened, TicketCalled, TicketRecalled
from usher.queue.tickets import TicketState, ticket_state
from usher.queue.values import Channel, Found, LegId, LegState, Presence
from usher.router.branch_lookups import (
    agent_at_desk,
    at_another_desk,
    desk_taken,
    given_at,
    known_desk,
    not_in_state,
    open_desk_of,
    ticket_at_branch,
    ticket_of_desk,
)
from usher.router.lookups import agent_in_session, channel_rules, policy_of, signed_in
from usher.router.offers import (
    agent_leg,
    open_offers,
    price_of,
    withdraw_what_no_longer_fits,
)

if TYPE_CHECKING:
    from usher.router.matching import Matcher


def open_desk(ledger: Ledger, command: OpenDesk, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the opening; nothing if the agent sits there already.

    Raises UnknownBranch, UnknownDesk, UnknownAgent, SessionSuperseded, NotSignedIn, AgentClosed,
    DeskNotOpen for a desk that was left out, DeskTaken while somebody who is signed in and in the
    roster sits there, DeskBusy with a visitor there or at the agent's other desk.
    """
    desk = known_desk(ledger, command.branch, command.desk)
    agent = signed_in(agent_in_session(ledger, command, command.agent_id, command.session))
    seat = ledger.seats.get(desk.desk_id)
    if seat is not None and seat.agent_id == agent.agent_id:
        return ()
    _check_takes_work(ledger, desk, agent)
    if seat is not None:
        before = ledger.agents[seat.agent_id]
        left_out = ledger.profiles[seat.agent_id].closed
        if before.presence is not Presence.OFFLINE and not left_out:
            raise desk_taken(desk.desk_id, seat.agent_id)
        _check_empty(ledger, before)
    _check_empty(ledger, agent)
    return (DeskOpened(desk.desk_id, agent.agent_id),)


def close_desk(ledger: Ledger, command: CloseDesk, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the closing; raises UnknownDesk, DeskNotOpen, DeskTaken, DeskBusy with a visitor."""
    desk = known_desk(ledger, command.branch, command.desk)
    agent = agent_at_desk(ledger, command)
    if agent is None:
        raise DeskNotOpen(
            f"desk {desk.desk_id} is not open: nobody sits there",
            branch=command.branch,
            desk=command.desk,
            state="nobody",
        )
    _check_empty(ledger, agent)
    return (DeskClosed(desk.desk_id),)


def call_next(
    ledger: Ledger, matcher: "Matcher", command: CallNext, at_ms: int
) -> tuple[AnyEvent, ...]:
    """Returns the call of the ticket that comes next for this desk; nothing if none does.

    Raises what `open_desk_of` raises, SkillMissing for a clerk who serves no walk-ins, DeskBusy,
    and AgentClosed, DeskNotOpen for a clerk or desk that was left out.
    """
    desk, agent = open_desk_of(ledger, command)
    free = _room_for_visit(ledger, desk, agent)
    serves = cache(partial(given_at, ledger, desk))
    found = matcher.lobby.next_for(agent.agent_id, desk.branch, serves, free, at_ms)
    if found is None:
        return ()
    contact_id, score, how = found
    call = _Call(ledger.contacts[contact_id], desk, agent, score, how)
    return _called(ledger, call, at_ms)


def call_ticket(
    ledger: Ledger, matcher: "Matcher", command: CallTicket, at_ms: int
) -> tuple[AnyEvent, ...]:
    """Returns the call of this very ticket.

    Raises what `call_next` raises, UnknownTicket (also of another branch), TicketEnded,
    TicketAtAnotherDesk, TicketNotInState, SkillMissing.
    """
    desk, agent = open_desk_of(ledger, command)
    contact, ticket = ticket_at_branch(ledger, command)
    state = ticket_state(contact)
    if state is not TicketState.WAITING:
        if ticket.desk != desk.desk_id:
            raise at_another_desk(ticket, state)
        raise not_in_state(ticket, state, TicketState.WAITING)
    if not given_at(ledger, desk, ticket.service) or not matcher.lobby.may_serve(
        agent.agent_id, contact
    ):
        raise SkillMissing(
            f"agent {agent.agent_id!r} at desk {desk.desk_id} may not serve {ticket.service!r}"
            f" in the languages of ticket {ticket.label}",
            agent_id=agent.agent_id,
            desk=desk.desk_id,
            service=ticket.service,
        )
    _room_for_visit(ledger, desk, agent)
    return _called(ledger, _Call(contact, desk, agent, 0, Found.PICKED), at_ms)


def recall_ticket(ledger: Ledger, command: RecallTicket, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns one more call of the ticket that was called; the grace begins anew."""
    agent_at_desk(ledger, command)
    contact, _ = ticket_of_desk(ledger, command, TicketState.CALLED)
    owner = contact.owner
    leg_id = owner.leg_id if owner is not None else LegId("")
    due_ms = at_ms + _grace_ms(ledger, contact)
    return (TicketRecalled(contact.contact_id, leg_id, due_ms),)


class _Call(NamedTuple):
    """Which ticket is called where to whom, and how it was found."""

    contact: Contact
    desk: Desk
    agent: Agent
    score: int
    found: Found


def _called(ledger: Ledger, call: _Call, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the events of a call, after the withdrawal of offers that no longer fit."""
    contact, agent_id = call.contact, call.agent.agent_id
    price, wrap_up_price = price_of(ledger, agent_id, Channel.WALK_IN)
    withdrawn = withdraw_what_no_longer_fits(ledger, agent_id, Channel.WALK_IN, price)
    leg_id = LegId(f"{contact.contact_id}.{contact.leg_count + 1}")
    due_ms = at_ms + _grace_ms(ledger, contact)
    offer = OfferMade(
        contact.contact_id,
        leg_id,
        agent_id,
        price,
        wrap_up_price,
        due_ms,
        call.score,
        policy_of(ledger).version,
        call.found,
    )
    accepted = OfferAccepted(contact.contact_id, leg_id, LegState.JOINING, due_ms)
    return (*withdrawn, offer, accepted, TicketCalled(contact.contact_id, call.desk.desk_id))


def _grace_ms(ledger: Ledger, contact: Contact) -> int:
    branch = ledger.branches.get(ledger.tickets[contact.contact_id].branch)
    if branch is not None and branch.grace_ms is not None:
        return branch.grace_ms
    return channel_rules(ledger, Channel.WALK_IN).joining_limit_ms


def _room_for_visit(ledger: Ledger, desk: Desk, agent: Agent) -> int:
    """Returns the units that the clerk has for a visitor once open offers are taken back.

    Raises SkillMissing for a clerk whose capacity lists no walk-ins, DeskBusy, and what
    `_check_takes_work` raises.
    """
    _check_takes_work(ledger, desk, agent)
    capacity = ledger.profiles[agent.agent_id].capacity
    listed = capacity.channels.get(Channel.WALK_IN)
    if listed is None:
        raise SkillMissing(
            f"agent {agent.agent_id!r} does not serve walk-ins",
            agent_id=agent.agent_id,
            desk=desk.desk_id,
        )
    offered = sum(leg.price for leg in open_offers(ledger, agent))
    free = capacity.units - agent.units_used + offered
    if agent.channel_legs.get(Channel.WALK_IN, 0) >= listed.most:
        raise _busy(desk.desk_id, "a visitor is called or served there: finish first")
    if free < listed.price:
        raise _busy(desk.desk_id, f"agent {agent.agent_id!r} has other work and no room for more")
    return free


def _check_takes_work(ledger: Ledger, desk: Desk, agent: Agent) -> None:
    """Raises DeskNotOpen, AgentClosed for a desk or clerk that a later version left out."""
    if desk.closed:
        raise DeskNotOpen(
            f"desk {desk.desk_id} is no longer of branch {desk.branch!r}",
            branch=desk.branch,
            desk=desk.name,
            state="closed",
        )
    if ledger.profiles[agent.agent_id].closed:
        raise AgentClosed(
            f"agent {agent.agent_id!r} is no longer in the roster", agent_id=agent.agent_id
        )


def _check_empty(ledger: Ledger, agent: Agent) -> None:
    """Raises DeskBusy while a visitor is called to the agent's desk or is there."""
    desk = ledger.desk_of.get(agent.agent_id)
    if desk is None:
        return
    for leg_id in agent.legs:
        leg = agent_leg(ledger, agent, leg_id)
        ticket = ledger.tickets.get(leg.contact_id)
        if ticket is not None and ticket.desk == desk and leg.owns:
            raise _busy(desk, f"ticket {ticket.label or ticket.contact_id} is there")


def _busy(desk: DeskId, why: str) -> DeskBusy:
    return DeskBusy(f"desk {desk} is busy: {why}", desk=desk, state="busy")
