"""What a branch's journal must show, record by record, while no server has it.

    number twice, called while it is at a desk, called out of turn, offered over capacity

Order is judged by plain loops over the replayed ledger: first come, first served among the tickets
that the desk and its clerk may serve.
"""

from collections import Counter
from pathlib import Path

from usher.queue.codec import Record, decode_records
from usher.queue.commands import CallNext
from usher.queue.events import AnyEvent, OfferMade
from usher.queue.journal.contract import Journal
from usher.queue.journal.sqlite import SqliteJournal
from usher.queue.ticket_events import TicketCalled, TicketIssued
from usher.queue.tickets import Ticket, TicketState, ticket_state
from usher.queue.values import AgentId, ContactId
from usher.router.pool import Pool


class BranchJournal:
    """A journal replayed from its first record; `findings` is what should not be."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.findings: list[str] = []
        self.calls: Counter[ContactId] = Counter()
        self.issued: dict[ContactId, Ticket] = {}
        self.snapshot_hash = ""
        self.snapshot_position = 0
        self._numbers: Counter[tuple[str, str, str, str]] = Counter()

    async def read_file(self, path: Path) -> None:
        """Replays the journal in a file."""
        journal = await SqliteJournal.open(path)
        try:
            await self.read(journal)
        finally:
            await journal.close()

    async def read(self, journal: Journal) -> None:
        """Replays all records; keeps the latest snapshot's hash beside the pool's own."""
        async for stored in journal.read(0):
            for record in decode_records(stored.version, stored.body):
                self._before(record)
                self.pool.apply(record.events, record.at_ms)
                self._after(record)
        snapshot = await journal.latest_snapshot()
        if snapshot is not None:
            self.snapshot_position = snapshot.position
            self.snapshot_hash = Pool.restore(snapshot.pieces).state_hash()

    def _before(self, record: Record) -> None:
        for event in record.events:
            if isinstance(event, TicketIssued) and event.ticket.label:
                self._note_number(event.ticket)
            elif isinstance(event, TicketCalled):
                self._check_call(record, event)

    def _note_number(self, ticket: Ticket) -> None:
        if ticket.contact_id in self.issued:
            self._find(f"{ticket.contact_id} got a second ticket")
        self.issued[ticket.contact_id] = ticket
        key = (ticket.branch, ticket.line, ticket.date, ticket.label)
        self._numbers[key] += 1
        if self._numbers[key] > 1:
            self._find(f"number {key} was issued twice")

    def _check_call(self, record: Record, event: TicketCalled) -> None:
        ledger = self.pool.ledger
        self.calls[event.contact_id] += 1
        if ticket_state(ledger.contacts[event.contact_id]) is not TicketState.WAITING:
            self._find(f"{event.contact_id} was called while it was at a desk")
        if isinstance(record.command, CallNext):
            first = self._first_for(record.events, event)
            if first != event.contact_id:
                self._find(f"{event.desk} called {event.contact_id} before {first}")

    def _first_for(self, events: tuple[AnyEvent, ...], event: TicketCalled) -> ContactId | None:
        """Returns whose turn it is at the desk, by plain loops."""
        ledger = self.pool.ledger
        desk = ledger.desks[event.desk]
        agents = [each.agent_id for each in events if isinstance(each, OfferMade)]
        waiting = []
        for contact_id, ticket in ledger.tickets.items():
            contact = ledger.contacts[contact_id]
            if ticket.branch != desk.branch or ticket_state(contact) is not TicketState.WAITING:
                continue
            skilled = self._has_skills(agents[-1], contact_id)
            if skilled and (not desk.services or ticket.service in desk.services):
                waiting.append((contact.order_ms + ticket.shift_ms, contact.sequence, contact_id))
        return min(waiting)[2] if waiting else None

    def _has_skills(self, agent_id: AgentId, contact_id: ContactId) -> bool:
        ledger = self.pool.ledger
        skills = ledger.profiles[agent_id].skills
        queue = ledger.queues[ledger.contacts[contact_id].facts.queue]
        return all(skills.get(one.skill, 0) >= one.least for one in queue.requirements)

    def _after(self, record: Record) -> None:
        ledger = self.pool.ledger
        for event in record.events:
            if isinstance(event, OfferMade):
                agent = ledger.agents[event.agent_id]
                units = ledger.profiles[event.agent_id].capacity.units
                if agent.units_used > units:
                    self._find(f"{event.agent_id} has {agent.units_used} units of {units}")
        for contact_id, contact in self.pool.take_changes().contacts.items():
            owners = sum(leg.owns for leg in contact.legs)
            if owners > 1:
                self._find(f"{contact_id} has {owners} owner legs")

    def _find(self, what: str) -> None:
        self.findings.append(f"at {self.pool.position + 1}: {what}")
