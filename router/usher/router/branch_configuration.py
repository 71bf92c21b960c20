"""Decides the commands that replace branches and calendar. Nothing that is in use is dropped."""

from msgspec.structs import replace

from usher.queue.branches import Branches
from usher.queue.commands import SetBranches, SetCalendar
from usher.queue.events import AnyEvent
from usher.queue.ledger import Ledger
from usher.queue.ticket_events import BranchesSet, CalendarSet, ClosingMoved
from usher.queue.tickets import Ticket
from usher.queue.values import ContactState
from usher.router.configuration import refuse
from usher.router.lookups import NotConfigured, policy_of


def set_branches(ledger: Ledger, command: SetBranches, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the branches, with those kept, closed, that are left out while they have visitors.

    So are services that visitors wait for, and desks where a visitor is, with their branches. The
    desks of a branch that is kept go on calling those who are left there; one that was left out
    before stays closed. Raises PolicyRefused.
    """
    if ledger.roster is not None:
        from usher.router.branch_policy import check_branches  # a restart without branches goes on

        found = check_branches(command.branches, policy_of(ledger), ledger.roster)
        refuse(found, "branches")
    return (BranchesSet(_with_live(ledger, command.branches)),)


def set_calendar(ledger: Ledger, command: SetCalendar, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the calendar, with the live tickets whose closing time it moves.

    A ticket closes with the service day in which it was drawn. Raises NotConfigured.
    """
    if ledger.plan is None:
        raise NotConfigured("the pool has no branches yet")
    days = {each.branch: each for each in command.calendar.branches}
    moved = tuple(
        ClosingMoved(ticket.contact_id, day.closes_ms)
        for ticket in _live_tickets(ledger)
        if ticket.branch in days
        and (day := days[ticket.branch].day_at(ledger.contacts[ticket.contact_id].enqueued_ms))
        and day.closes_ms != ticket.closes_ms
    )
    return (CalendarSet(command.calendar, moved),)


def _with_live(ledger: Ledger, plan: Branches) -> Branches:
    old = ledger.plan
    if old is None:
        return plan
    live = _live_tickets(ledger)
    at_desks = {ticket.desk for ticket in live}
    used_services = {ticket.service for ticket in live} - {each.name for each in plan.services}
    with_visitors = {each.branch for each in old.desks if each.desk_id in at_desks}
    with_visitors |= {ticket.branch for ticket in live}
    used_branches = with_visitors - {each.name for each in plan.branches}
    used_desks = at_desks - {each.desk_id for each in plan.desks}
    services = (replace(each, closed=True) for each in old.services if each.name in used_services)
    branches = (replace(each, closed=True) for each in old.branches if each.name in used_branches)
    desks = (
        replace(each, closed=each.closed or each.branch not in used_branches)
        for each in old.desks
        if each.desk_id in used_desks or each.branch in used_branches
    )
    return Branches(
        version=plan.version,
        services=(*plan.services, *services),
        branches=(*plan.branches, *branches),
        desks=(*plan.desks, *desks),
    )


def _live_tickets(ledger: Ledger) -> list[Ticket]:
    return [
        ticket
        for ticket in ledger.tickets.values()
        if ledger.contacts[ticket.contact_id].state is not ContactState.ENDED
    ]
