"""How transcripts tell what has happened: a line for an event, a contact, an agent, a ticket."""

from typing import Any

from tests.router.pool_kit import START_MS

from usher.queue.events import AnyEvent, Event, PolicySet, PoolOpened, RosterSet
from usher.queue.ledger import Ledger
from usher.queue.state import Agent, Contact, Leg
from usher.queue.ticket_events import BranchesSet, CalendarSet
from usher.queue.tickets import Ticket, TicketState, ticket_state, visit_outcome
from usher.queue.values import NEVER_MS, ContactFacts, LegState, Relationship, Urgency

MOMENTS = {
    "due_ms",
    "pause_until_ms",
    "wrap_until_ms",
    "retire_at_ms",
    "closes_ms",
    "called_ms",
}


def moment(at_ms: int) -> str:
    """Tells a time, counted from the start."""
    return f"+{span(at_ms - START_MS)}"


def span(span_ms: int) -> str:
    """Tells how long something takes."""
    seconds, rest_ms = divmod(span_ms, 1000)
    return f"{seconds}.{rest_ms:03}s" if rest_ms else f"{seconds}s"


def event_line(event: AnyEvent) -> str:
    """Tells an event with all its figures."""
    name = type(event).__name__
    match event:
        case PolicySet(policy=rules):
            queues = [f"{one.name}{' (closed)' * one.closed}" for one in rules.queues]
            return f"{name} {rules.version}: {', '.join(queues)}"
        case RosterSet(roster=agents):
            people = [f"{one.id}{' (closed)' * one.closed}" for one in agents.agents]
            return f"{name} {agents.version}: {', '.join(people)}"
        case PoolOpened(outage_ms=outage_ms):
            return f"{name} outage={span(outage_ms)}"
        case BranchesSet(branches=plan):
            parts = (plan.services, plan.branches, plan.desks)
            return f"{name} {plan.version}: " + "; ".join(_names(part) for part in parts)
        case CalendarSet(calendar=days, moved=moved):
            told = [f"{each.branch} {_days(each.days)}" for each in days.branches]
            told += [f"{one.contact_id} closes {moment(one.closes_ms)}" for one in moved]
            return f"{name} {'; '.join(told)}"
        case _:
            return f"{name} {_fields(event)}"


def _names(parts: Any) -> str:
    told = [f"{getattr(one, 'desk_id', one.name)}{' (closed)' * one.closed}" for one in parts]
    return ", ".join(told) or "none"


def _days(days: Any) -> str:
    return ", ".join(f"{day.date} {moment(day.starts_ms)}..{moment(day.ends_ms)}" for day in days)


def _fields(record: Event | ContactFacts | Ticket) -> str:
    told = []
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if value in ("", (), None, Urgency()) or (name.endswith("_ms") and value in (0, NEVER_MS)):
            continue
        told.append(_field(name, value))
    return " ".join(told)


def _field(name: str, value: Any) -> str:
    label = name.removesuffix("_ms").removesuffix("_at").removesuffix("_id")
    if isinstance(value, ContactFacts):
        return _fields(value)
    if isinstance(value, Ticket):
        return ticket_figures(value)
    if name in MOMENTS:
        return f"{label}={moment(value)}"
    if name.endswith("_ms"):
        return f"{label}={span(value)}"
    if name == "graces":
        return "graces=" + ",".join(f"{one.leg_id}:{moment(one.due_ms)}" for one in value)
    return f"{label}={_plain(value)}"


def _plain(value: Any) -> str:
    match value:
        case Urgency(tier=tier):
            return f"tier:{tier}"
        case Relationship(agent_id=agent_id, strength=strength):
            return f"{agent_id}:{strength}"
        case tuple():
            return ",".join(map(_plain, value))
        case _:
            return str(getattr(value, "value", value))


def contact_line(contact: Contact) -> str:
    """Tells where a contact stands."""
    told = [f"contact {contact.contact_id} {contact.state.value}"]
    if contact.facts.queue:
        told.append(f"in {contact.facts.queue}")
    if contact.ended_ms != NEVER_MS:
        told.append(f"{contact.outcome.value} at {moment(contact.ended_ms)}")
    if contact.waiting_since_ms != NEVER_MS:
        told.append(f"since {moment(contact.waiting_since_ms)}")
    if contact.waited_ms:
        told.append(f"waited {span(contact.waited_ms)}")
    if contact.failures:
        told.append(f"failures {contact.failures}")
    told += [f"not to {name} before {moment(until)}" for name, until in contact.pauses.items()]
    told += [_leg(leg) for leg in contact.legs]
    return "; ".join(told)


def _leg(leg: Leg) -> str:
    told = [f"{leg.leg_id} {leg.agent_id} {leg.state.value}"]
    if leg.state in (LegState.OFFERED, LegState.JOINING, LegState.WRAPPING):
        told.append(f"until {moment(leg.due_ms)}")
    if leg.state is LegState.DONE:
        told.append(leg.end.value)
    if leg.hold_ms:
        told.append(f"held {span(leg.hold_ms)}")
    if leg.grace_due_ms != NEVER_MS:
        told.append(f"grace {moment(leg.grace_due_ms)}")
    return " ".join(told)


def agent_line(agent: Agent) -> str:
    """Tells how an agent is, and what it has on it."""
    told = [f"agent {agent.agent_id} {agent.presence.value}"]
    told += [f"({agent.reason})"] if agent.reason else []
    told += ["lost"] if agent.lost else []
    told.append(f"session {agent.session}")
    told.append(f"units {agent.units_used}")
    told += [f"{name} {count}" for name, count in agent.channel_legs.items()]
    told += [f"legs {','.join(agent.legs)}"] if agent.legs else []
    told += [f"missed {name} {count}" for name, count in agent.missed.items()]
    if agent.idle_since_ms != NEVER_MS and not agent.legs:
        told.append(f"idle {moment(agent.idle_since_ms)}")
    return " ".join(told)


def ticket_line(ledger: Ledger, ticket: Ticket) -> str:
    """Tells where a ticket stands."""
    contact = ledger.contacts[ticket.contact_id]
    state = ticket_state(contact)
    told = [f"ticket {ticket.contact_id} {state.value}"]
    if state is TicketState.ENDED:
        told.append(visit_outcome(contact, ticket).value)
    return " ".join([*told, ticket_figures(ticket)])


def ticket_figures(ticket: Ticket) -> str:
    """Tells all figures of a ticket that say something."""
    told = [f"{ticket.label or 'no number'} for {ticket.service} at {ticket.branch}"]
    told.append(f"of {ticket.date}, closes {moment(ticket.closes_ms)}")
    if ticket.party_size > 1:
        told.append(f"party {ticket.party_size}")
    told += [f"needs {need}" for need in ticket.needs]
    if ticket.desk:
        told.append(f"desk {ticket.desk}")
    if ticket.calls:
        told.append(f"calls {ticket.calls}")
    if ticket.called_ms != NEVER_MS:
        told.append(f"called {moment(ticket.called_ms)}")
    if ticket.shift_ms:
        told.append(f"shifted {span(ticket.shift_ms)}")
    return ", ".join(told)


def desk_line(ledger: Ledger, desk: Any) -> str:
    """Tells who sits at a desk."""
    seat = ledger.seats.get(desk)
    return f"desk {desk} {f'has {seat.agent_id}' if seat is not None else 'is closed'}"
