"""From what a batch touched to what the feed tells of it.

Tickets and branches follow from the contacts, agents and desks that were touched; where a pool has
no branches this costs nothing. It must not know who watches.
"""

from usher.queue.branches import BranchName
from usher.queue.ledger import Ledger, Touched
from usher.queue.tickets import Ticket
from usher.queue.values import ContactId
from usher.router.pool import Pool
from usher.router.service.feed import Published


class Publishing:
    """Tells the batches of one pool. It remembers the rules, whose change touches every branch."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._rules = _rules(pool.ledger)

    def published(self, changes: Touched, first_position: int) -> Published:
        """Returns the batch from `first_position` up to where the pool is."""
        ledger = self._pool.ledger
        tickets = _tickets(ledger, changes)
        return Published(
            first_position=first_position,
            position=ledger.position,
            at_ms=ledger.at_ms,
            contacts=tuple(changes.contacts.values()),
            legs=tuple(changes.legs.values()),
            agents=tuple(changes.agents.values()),
            retired=tuple(changes.retired),
            tickets=tuple(tickets.values()),
            branches=self._branches(changes, tickets),
        )

    def _branches(
        self, changes: Touched, tickets: dict[ContactId, Ticket]
    ) -> frozenset[BranchName]:
        ledger = self._pool.ledger
        if ledger.plan is None:
            return frozenset()
        rules, self._rules = self._rules, _rules(ledger)
        if any(new is not old for new, old in zip(self._rules, rules, strict=True)):
            return frozenset(ledger.branches)
        touched = {ticket.branch for ticket in tickets.values()}
        desks = [*changes.desks, *(ledger.desk_of.get(agent_id) for agent_id in changes.agents)]
        touched.update(BranchName(desk.partition("/")[0]) for desk in desks if desk is not None)
        return frozenset(touched)


def _tickets(ledger: Ledger, changes: Touched) -> dict[ContactId, Ticket]:
    known = ledger.tickets
    if not known:
        return changes.tickets
    touched = {name: known[name] for name in changes.contacts if name in known}
    return {**changes.tickets, **touched}


def _rules(ledger: Ledger) -> tuple[object, ...]:
    return ledger.plan, ledger.calendar, ledger.policy, ledger.roster
