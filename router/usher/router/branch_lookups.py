"""Finding what a walk-in command names, or refusing it with the right reason. Reads the ledger."""

from usher.queue.branches import (
    Branch,
    BranchName,
    Desk,
    DeskId,
    Line,
    Service,
    ServiceDay,
    ServiceName,
    desk_id_of,
)
from usher.queue.commands import DeskCommand, TicketCommand
from usher.queue.errors import (
    BranchClosed,
    DeskNotOpen,
    DeskTaken,
    KioskClockWrong,
    ServiceClosed,
    TicketAtAnotherDesk,
    TicketEnded,
    TicketNotInState,
    UnknownBranch,
    UnknownDesk,
    UnknownService,
    UnknownTicket,
)
from usher.queue.ledger import Ledger
from usher.queue.state import Agent, Contact
from usher.queue.tickets import Ticket, TicketState, ticket_state, visit_outcome
from usher.queue.values import (
    NEVER_MS,
    ActorKind,
    AgentId,
    Channel,
    ContactId,
    ContactState,
    Presence,
)
from usher.router.lookups import agent_in_session
from usher.router.offers import open_offers

_AT_WORK = (Presence.READY, Presence.NOT_READY)


def known_branch(ledger: Ledger, name: BranchName) -> Branch:
    """Returns the branch; raises UnknownBranch."""
    branch = ledger.branches.get(name)
    if branch is None:
        raise UnknownBranch(f"no branch {name!r} in this pool", branch=name)
    return branch


def offered_service(branch: Branch, ledger: Ledger, name: ServiceName) -> tuple[Service, Line]:
    """Returns the service and its line at the branch; raises UnknownService, ServiceClosed."""
    service, line = ledger.services.get(name), branch.line_of(name)
    if service is None or line is None:
        raise UnknownService(
            f"branch {branch.name!r} does not offer service {name!r}",
            branch=branch.name,
            service=name,
        )
    if service.closed:
        raise ServiceClosed(
            f"service {name!r} is no longer given", service=name, branch=branch.name, state="closed"
        )
    return service, line


def open_day(ledger: Ledger, branch: Branch, at_ms: int) -> ServiceDay:
    """Returns the service day if the branch is open; raises BranchClosed with the next opening."""
    days = ledger.days.get(branch.name)
    day = days.day_at(at_ms) if days is not None else None
    if not branch.closed and day is not None and day.is_open(at_ms):
        return day
    facts: dict[str, str | int] = {"branch": branch.name, "state": "closed"}
    opens_ms = days.opens_next_ms(at_ms) if days is not None and not branch.closed else None
    if opens_ms is not None:
        facts["opens_in_ms"] = opens_ms - at_ms
    raise BranchClosed(f"branch {branch.name!r} is closed now", **facts)


def check_kiosk_clock(branch: Branch, kiosk_ms: int, at_ms: int) -> None:
    """Raises KioskClockWrong if the kiosk's time is off by more than the branch tolerates."""
    if kiosk_ms == NEVER_MS or abs(kiosk_ms - at_ms) <= branch.clock_tolerance_ms:
        return
    off_s = (kiosk_ms - at_ms) // 1000
    raise KioskClockWrong(
        f"the kiosk's clock is {abs(off_s)} s {'ahead of' if off_s > 0 else 'behind'} the server's;"
        f" branch {branch.name!r} tolerates {branch.clock_tolerance_ms // 1000} s",
        branch=branch.name,
        off_s=off_s,
    )


def known_ticket(ledger: Ledger, contact_id: ContactId) -> tuple[Contact, Ticket]:
    """Returns a ticket, live or ended, with its contact; raises UnknownTicket."""
    ticket = ledger.tickets.get(contact_id)
    contact = ledger.contacts.get(contact_id)
    if ticket is None or contact is None:
        raise UnknownTicket(f"no ticket {contact_id!r} in this pool", ticket_id=contact_id)
    return contact, ticket


def live_ticket(ledger: Ledger, contact_id: ContactId) -> tuple[Contact, Ticket]:
    """Returns a live ticket with its contact; raises UnknownTicket, or TicketEnded."""
    contact, ticket = known_ticket(ledger, contact_id)
    if contact.state is ContactState.ENDED:
        outcome = visit_outcome(contact, ticket).value
        raise TicketEnded(
            f"ticket {_shown(ticket)} has ended: {outcome}",
            ticket_id=contact_id,
            state="ended",
            outcome=outcome,
        )
    return contact, ticket


def ticket_at_branch(ledger: Ledger, command: TicketCommand) -> tuple[Contact, Ticket]:
    """Returns a live ticket of the desk's branch; raises UnknownTicket, or TicketEnded."""
    contact, ticket = live_ticket(ledger, command.contact_id)
    if ticket.branch != command.branch:
        raise UnknownTicket(
            f"ticket {ticket.label} is of branch {ticket.branch!r}, not {command.branch!r}",
            ticket_id=ticket.contact_id,
            branch=ticket.branch,
        )
    return contact, ticket


def ticket_of_desk(
    ledger: Ledger, command: TicketCommand, *needed: TicketState
) -> tuple[Contact, Ticket]:
    """Returns the ticket that this desk has called or serves, in one of the states needed.

    Raises UnknownBranch, UnknownDesk, UnknownTicket, TicketEnded, TicketAtAnotherDesk,
    TicketNotInState.
    """
    known_desk(ledger, command.branch, command.desk)
    contact, ticket = live_ticket(ledger, command.contact_id)
    state = ticket_state(contact)
    here = desk_id_of(command.branch, command.desk)
    if state is not TicketState.WAITING and ticket.desk != here:
        raise at_another_desk(ticket, state)
    if state not in needed:
        raise not_in_state(ticket, state, *needed)
    return contact, ticket


def at_another_desk(ticket: Ticket, state: TicketState) -> TicketAtAnotherDesk:
    """Returns the refusal of a ticket that another desk has."""
    return TicketAtAnotherDesk(
        f"ticket {_shown(ticket)} is {state.value} at desk {ticket.desk}",
        ticket_id=ticket.contact_id,
        desk=ticket.desk,
        state=state.value,
    )


def not_in_state(ticket: Ticket, state: TicketState, *needed: TicketState) -> TicketNotInState:
    """Returns the refusal of a ticket that is in another state than needed."""
    wanted = " or ".join(each.value for each in needed)
    return TicketNotInState(
        f"ticket {_shown(ticket)} is {state.value}, not {wanted}",
        ticket_id=ticket.contact_id,
        state=state.value,
        needed=wanted,
    )


def known_desk(ledger: Ledger, branch: BranchName, name: str) -> Desk:
    """Returns the desk; raises UnknownBranch, UnknownDesk."""
    known_branch(ledger, branch)
    desk = ledger.desks.get(desk_id_of(branch, name))
    if desk is None:
        raise UnknownDesk(f"no desk {name!r} at branch {branch!r}", branch=branch, desk=name)
    return desk


def open_desk_of(ledger: Ledger, command: DeskCommand) -> tuple[Desk, Agent]:
    """Returns the desk and who works there.

    Raises UnknownBranch, UnknownDesk, DeskNotOpen, and what `agent_at_desk` raises.
    """
    desk = known_desk(ledger, command.branch, command.desk)
    agent = agent_at_desk(ledger, command)
    if agent is None or agent.presence not in _AT_WORK:
        presence = "nobody" if agent is None else agent.presence.value
        raise DeskNotOpen(
            f"desk {desk.desk_id} is not open: {_why_not_open(agent)}",
            branch=command.branch,
            desk=command.desk,
            state=presence,
        )
    return desk, agent


def given_at(ledger: Ledger, desk: Desk, service: ServiceName) -> bool:
    """Returns whether the desk calls for the service; all do for one that was left out.

    It is left out of the whole pool, or of the desk's branch alone.
    """
    if desk.serves(service):
        return True
    known, branch = ledger.services.get(service), ledger.branches.get(desk.branch)
    if known is not None and known.closed:
        return True
    return branch is not None and branch.line_of(service) is None


def open_desks(ledger: Ledger, branch: BranchName) -> list[tuple[Desk, AgentId, bool]]:
    """Returns (desk, agent, whether one more visitor fits) of the desks open at the branch."""
    found = []
    for desk_id, seat in ledger.seats.items():
        desk = ledger.desks[desk_id]
        if desk.branch != branch or desk.closed:
            continue
        agent = ledger.agents[seat.agent_id]
        if agent.presence in _AT_WORK and not ledger.profiles[seat.agent_id].closed:
            found.append((desk, seat.agent_id, _has_room(ledger, agent)))
    return found


def _has_room(ledger: Ledger, agent: Agent) -> bool:
    """Returns whether the clerk can take a visitor, once open offers are taken back."""
    capacity = ledger.profiles[agent.agent_id].capacity
    listed = capacity.channels.get(Channel.WALK_IN)
    if listed is None or agent.channel_legs.get(Channel.WALK_IN, 0) >= listed.most:
        return False
    offered = sum(leg.price for leg in open_offers(ledger, agent))
    return capacity.units - agent.units_used + offered >= listed.price


def agent_at_desk(ledger: Ledger, command: DeskCommand) -> Agent | None:
    """Returns who sits at the desk, None if nobody does.

    Raises SessionSuperseded, Invalid, and DeskTaken where an agent speaks for somebody else's desk.
    """
    seat = ledger.seats.get(desk_id_of(command.branch, command.desk))
    if seat is None:
        return None
    actor = command.actor
    if actor.kind is ActorKind.AGENT and actor.id != seat.agent_id:
        raise desk_taken(seat.desk, seat.agent_id)
    return agent_in_session(ledger, command, seat.agent_id, command.session)


def desk_taken(desk: DeskId, agent_id: str) -> DeskTaken:
    """Returns the refusal of a desk where somebody else sits."""
    return DeskTaken(
        f"agent {agent_id!r} sits at desk {desk}", desk=desk, agent_id=agent_id, state="open"
    )


def _why_not_open(agent: Agent | None) -> str:
    if agent is None:
        return "nobody sits there"
    return f"agent {agent.agent_id!r} is {agent.presence.value}"


def _shown(ticket: Ticket) -> str:
    return ticket.label or repr(ticket.contact_id)
