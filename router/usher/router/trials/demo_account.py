"""Whether every visitor of a demo is accounted for: one ticket, one number, one end, one desk.

Asked are the tickets as the server tells them at the end, its list of contacts, and the journal. It
must not know plans, clocks or the console.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from msgspec import Struct

from usher.queue.codec import Record
from usher.queue.events import AnyEvent, ContactEnding
from usher.queue.rules import AgentProfile
from usher.queue.ticket_events import (
    TicketCalled,
    TicketIssued,
    TicketRecalled,
    TicketReturned,
    TicketTransferred,
)
from usher.queue.tickets import TicketState
from usher.queue.values import ChannelName
from usher.router.client import Ticket
from usher.router.trials.observed import milliseconds
from usher.v1 import contact_pb2, leg_pb2

NAMED_MAX = 5


class BranchAccount(Struct, frozen=True, kw_only=True):
    """The count at the end. `findings` empty = every visitor is accounted for."""

    calls: int
    recalls: int
    returned: int
    transferred: int
    same_number: int
    """Tickets whose number another ticket of the same day has."""
    called_twice: int
    """Tickets that were called while they were at a desk, or after their end."""
    lost: int
    """Visits without exactly one begin and one end."""
    findings: tuple[str, ...]


def account_branch(
    planned: Sequence[str], tickets: Sequence[Ticket], records: Iterable[Record]
) -> BranchAccount:
    """Asks tickets and journal about the planned visits."""
    book = _Book(chain.from_iterable(record.events for record in records))
    known = {ticket.ticket_id: ticket for ticket in tickets}
    lost = [each for each in planned if not _is_whole(each, known.get(each), book)]
    same = _same_numbers(tickets)
    findings = (
        *_finding("not one ticket and one end", lost),
        *_finding("a number twice", same),
        *_finding("called while at a desk, or ended", book.called_twice),
    )
    return BranchAccount(
        calls=book.counts[TicketCalled],
        recalls=book.counts[TicketRecalled],
        returned=book.counts[TicketReturned],
        transferred=book.counts[TicketTransferred],
        same_number=len(same),
        called_twice=len(book.called_twice),
        lost=len(lost),
        findings=findings,
    )


class _Book:
    """What the journal tells of tickets."""

    def __init__(self, events: Iterable[AnyEvent]) -> None:
        self.counts: Counter[type[AnyEvent]] = Counter()
        self.issued: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.called_twice: list[str] = []
        self._in_line: set[str] = set()
        for event in events:
            self.counts[type(event)] += 1
            self._take(event)

    def _take(self, event: AnyEvent) -> None:
        match event:
            case TicketIssued():
                self.issued[event.contact_id] += 1
                if event.ticket.number:
                    self._in_line.add(event.contact_id)
            case TicketReturned() | TicketTransferred():
                self._in_line.add(event.contact_id)
            case TicketCalled():
                if event.contact_id not in self._in_line:
                    self.called_twice.append(event.contact_id)
                self._in_line.discard(event.contact_id)
            case ContactEnding():
                self.ended[event.contact_id] += 1
                self._in_line.discard(event.contact_id)


def overbooked(
    contacts: Iterable[contact_pb2.Contact], agents: Iterable[AgentProfile], facts: set[str]
) -> list[str]:
    """Returns agents whose live legs were more than their capacity at any moment.

    `facts`: contacts that began as a fact (without ticket), which capacity cannot refuse.
    """
    profiles: Mapping[str, AgentProfile] = {agent.id: agent for agent in agents}
    changes: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for contact in contacts:
        if contact.contact_id not in facts:
            for leg in contact.legs:
                changes[leg.agent_id] += _price_changes(leg, profiles[leg.agent_id])
    return [
        agent_id
        for agent_id, of_agent in sorted(changes.items())
        if _most(of_agent) > profiles[agent_id].capacity.units
    ]


def _price_changes(leg: leg_pb2.Leg, agent: AgentProfile) -> list[tuple[int, int]]:
    """Returns (when, units more) from the offer, at the begin of wrap-up, at the end."""
    price = agent.capacity.channels[ChannelName(leg.channel)]
    offered_ms, ended_ms = milliseconds(leg.offer_time), milliseconds(leg.end_time)
    wrapping_ms = milliseconds(leg.wrapping_time) or ended_ms
    wrap_up = price.wrap_up_price if leg.HasField("wrapping_time") else 0
    return [
        (offered_ms, price.price),
        (wrapping_ms, wrap_up - price.price),
        (ended_ms, -wrap_up),
    ]


def _most(changes: list[tuple[int, int]]) -> int:
    """Returns the most units in use; what ends at a moment makes room for what begins at it."""
    used = most = 0
    for _, more in sorted(changes):
        used += more
        most = max(most, used)
    return most


def _is_whole(ticket_id: str, ticket: Ticket | None, book: _Book) -> bool:
    is_ended = ticket is not None and ticket.state is TicketState.ENDED
    return is_ended and book.issued[ticket_id] == 1 and book.ended[ticket_id] == 1


def _same_numbers(tickets: Iterable[Ticket]) -> list[str]:
    numbers: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for ticket in tickets:
        if ticket.number:
            numbers[ticket.branch, ticket.date, ticket.number].append(ticket.ticket_id)
    return [each for ids in numbers.values() if len(ids) > 1 for each in ids]


def _finding(kind: str, ids: Sequence[str]) -> tuple[str, ...]:
    if not ids:
        return ()
    more = ", ..." if len(ids) > NAMED_MAX else ""
    return (f"{kind}: {len(ids)} ({', '.join(ids[:NAMED_MAX])}{more})",)
