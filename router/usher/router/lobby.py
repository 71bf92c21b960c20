"""Live tickets, branch by branch: who is next for a desk, and how long the others may wait.

Tickets are pulled: no match offers them. A desk that calls gets what the match would give its clerk
if these were all the contacts and the clerk the only agent (`stages`, found as COLUMN or FCFS). One
table of waiting columns per branch; a ticket's `shift_ms` moves its place. Reads agents and kinds,
changes only the counts of kinds in use.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from msgspec import Struct

from usher.queue.branches import Branch, BranchName, Desk, Service, ServiceName
from usher.queue.estimates import WaitRange, wait_range
from usher.queue.ledger import Ledger
from usher.queue.state import Contact, copied
from usher.queue.tickets import Ticket
from usher.queue.values import (
    AgentId,
    Channel,
    ContactFacts,
    ContactId,
    ContactState,
    Found,
    QueueName,
)
from usher.queue.waiting import Waiting
from usher.router.agents import NOT_SERVED, Agents
from usher.router.branch_lookups import given_at, open_desks
from usher.router.field import Field
from usher.router.kinds import Kinds
from usher.router.scoring import need
from usher.router.stages import Stages

NO_TICKETS: Final[Mapping[ContactId, Ticket]] = MappingProxyType({})
EXACT_CELLS: Final = 1  # one agent: nothing is ever left to the solver
WHOLE: Final = 720_720  # divisible by 1 to 16: shares of so many desks are exact

Class = tuple[int, ServiceName]
"""Tickets of one kind and service are for the same desks."""


class Standing(Struct, frozen=True, array_like=True, gc=False):
    """Where a ticket stands: place in its queue at the branch (1 = next), wait from now on."""

    position: int
    wait: WaitRange | None


class Newcomer(Struct, frozen=True, array_like=True, gc=False):
    """What a visitor would find who joined for a service now, without languages.

    `waiting`: tickets of the service's queue at the branch. `desks`: open ones that may serve it.
    """

    waiting: int
    desks: int
    wait: WaitRange | None


class _Seen(NamedTuple):
    """Standings, and all that they depend on."""

    version: int
    desks: list[tuple[Desk, AgentId, bool]]
    services: Mapping[ServiceName, Service]
    standings: dict[ContactId, Standing]


_Label = tuple[BranchName, str, str]
"""Branch, service day, and what the ticket shows."""

Turn = tuple[int, int]
"""Stage, and time from which it counts as waiting with the queue's head start: smaller = sooner."""


class Lobby:
    """The live tickets of all branches (`live`): those that wait, and which are at desks."""

    def __init__(self, agents: Agents, kinds: Kinds, tickets: Mapping[ContactId, Ticket]) -> None:
        self._agents = agents
        self._kinds = kinds
        self._tickets = tickets
        self._rooms: dict[BranchName, Waiting] = {}
        self._at_desks: dict[BranchName, dict[ContactId, None]] = {}
        self.live: dict[ContactId, Ticket] = {}
        self._labels: dict[_Label, int] = {}
        self._versions: dict[BranchName, int] = {}
        self._seen: dict[BranchName, _Seen] = {}

    def __len__(self) -> int:
        return len(self.live)

    def take_in(self, noted: dict[ContactId, Contact]) -> dict[ContactId, Contact]:
        """Takes over the new records of contacts with a ticket; returns the others."""
        others: dict[ContactId, Contact] = {}
        for contact_id, contact in noted.items():
            ticket = self._tickets.get(contact_id)
            if ticket is None and contact_id not in self.live:
                others[contact_id] = contact
            else:
                self._put(contact, ticket)
        return others

    def clear(self) -> None:
        """Forgets all."""
        for contact_id in list(self.live):
            self._drop(contact_id)
        self._seen.clear()

    def next_for(
        self,
        agent_id: AgentId,
        branch: BranchName,
        serves: Callable[[ServiceName], bool],
        free: int,
        at_ms: int,
    ) -> tuple[ContactId, int, Found] | None:
        """Returns (contact, score, how found) of the ticket that comes next for an agent.

        `free`: units that the agent has for it. None if no ticket that it may serve waits.
        """
        room = self._rooms.get(branch)
        channel = self._agents.channels.get(Channel.WALK_IN)
        if room is None or channel is None:
            return None
        tickets = self._tickets
        rows = [n for n, c in enumerate(room.contacts) if serves(tickets[c.contact_id].service)]
        if not rows:
            return None
        index = np.array([self._agents.index[agent_id]])
        field = Field(self._agents, self._kinds, room, at_ms, index)
        field.ask_for_one(free, channel)
        stages = Stages(field, EXACT_CELLS)
        stages.run(np.array(rows))
        if not stages.seats:
            return None
        seat = stages.seats[0]
        return room.contacts[seat.row].contact_id, seat.score, seat.found

    def may_serve(self, agent_id: AgentId, contact: Contact) -> bool:
        """Returns whether the agent has what the contact's queue and languages ask for."""
        return self.suits(agent_id, contact.facts)

    def suits(self, agent_id: AgentId, facts: ContactFacts) -> bool:
        """Returns the same for a contact that is not there yet."""
        kind = self._kinds.number(facts)
        return kind is not None and self._fits(kind, self._agents.index[agent_id])

    def count(self, branch: BranchName, queue: QueueName) -> int:
        """Returns how many tickets of the queue wait at the branch."""
        room = self._rooms.get(branch)
        return 0 if room is None else room.count(queue)

    def ends_ms(self, branch: BranchName, queue: QueueName) -> tuple[int, int] | None:
        """Returns the order times of the first and last ticket of the queue at the branch."""
        room = self._rooms.get(branch)
        return None if room is None else room.ends_ms(queue)

    def classes(self, branch: BranchName) -> dict[ContactId, Class]:
        """Returns the class of each waiting ticket of the branch."""
        room = self._rooms.get(branch)
        if room is None:
            return {}
        kinds: list[int] = room.kind[: len(room)].tolist()
        ids = [contact.contact_id for contact in room.contacts]
        return {name: (kind, self._service(name)) for name, kind in zip(ids, kinds, strict=True)}

    def served_by(self, ledger: Ledger, agent_id: AgentId, desk: Desk, which: Class) -> bool:
        """Returns whether the agent may serve tickets of the class at the desk."""
        kind, service = which
        index = self._agents.index.get(agent_id)
        return index is not None and given_at(ledger, desk, service) and self._fits(kind, index)

    def shows(self, branch: BranchName, date: str, label: str) -> bool:
        """Returns whether a live ticket of the branch has the label on this service day."""
        return (branch, date, label) in self._labels

    def at_desks(self, branch: BranchName) -> list[ContactId]:
        """Returns the tickets of the branch that are called or served, the latest last."""
        return list(self._at_desks.get(branch, ()))

    def standings(self, ledger: Ledger, branch: BranchName) -> dict[ContactId, Standing]:
        """Returns where each waiting ticket of the branch stands, in the order of their turn.

        It is the same object as long as nothing has changed that they depend on.
        """
        desks, version = open_desks(ledger, branch), self._versions.get(branch, 0)
        seen = self._seen.get(branch)
        if (
            seen is None
            or seen.version != version
            or seen.services is not ledger.services
            or seen.desks != desks
        ):
            outlook = _Outlook(ledger, desks, self._agents.index, self._fits)
            found = dict(self._stand(branch, outlook))
            self._seen[branch] = seen = _Seen(version, desks, ledger.services, found)
        return seen.standings

    def newcomers(self, ledger: Ledger, branch: Branch, at_ms: int) -> dict[ServiceName, Newcomer]:
        """Returns what would be found by who joined now, for each service that takes tickets."""
        desks = open_desks(ledger, branch.name)
        outlook = _Outlook(ledger, desks, self._agents.index, self._fits)
        coming = self._coming(ledger, branch)
        ahead = list(self._by_turn(branch.name))
        turns = [turn for turn, _, _ in ahead]
        found: dict[ServiceName, Newcomer] = {}
        counted = 0
        for kind, name, queue in sorted(coming, key=lambda one: self._turn(one[0], at_ms)):
            before = bisect_right(turns, self._turn(kind, at_ms))
            for _, _, which in ahead[counted:before]:
                outlook.count_in(which)
            counted = before
            wait, able = outlook.wait((kind, name)), outlook.able((kind, name))
            found[name] = Newcomer(self.count(branch.name, queue), able, wait)
            self._kinds.release(kind)
        return found

    def _coming(self, ledger: Ledger, branch: Branch) -> list[tuple[int, ServiceName, QueueName]]:
        """Returns (kind, service, queue) of who may come; the kinds are held until released."""
        coming = []
        for line in branch.lines:
            for name in line.services:
                service = ledger.services.get(name)
                if service is None or service.closed:
                    continue
                kind = self._kinds.number(ContactFacts(service.queue, Channel.WALK_IN))
                if kind is not None:
                    self._kinds.hold(kind)
                    coming.append((kind, name, service.queue))
        return coming

    def _put(self, contact: Contact, ticket: Ticket | None) -> None:
        self._drop(contact.contact_id)
        if ticket is None or contact.state is ContactState.ENDED:
            return
        kind = self._kinds.number(contact.facts)
        if kind is None and contact.waits_unoffered:
            return
        self.live[contact.contact_id] = ticket
        label = _label(ticket)
        self._labels[label] = self._labels.get(label, 0) + 1
        self._change(ticket.branch)
        if kind is None or not contact.waits_unoffered:
            self._at_desks.setdefault(ticket.branch, {})[contact.contact_id] = None
            return
        room = self._rooms.get(ticket.branch)
        if room is None:
            room = self._rooms[ticket.branch] = Waiting(len(self._agents.channels))
        if ticket.shift_ms:
            contact = copied(contact, waited_ms=contact.waited_ms - ticket.shift_ms)
        channels = self._agents.channels
        tastes = [
            (channels[each.channel], each.strength)
            for each in contact.facts.preferences
            if each.channel in channels
        ]
        room.put(contact, kind, need(contact.facts.urgency), tastes)
        self._kinds.hold(kind)

    def _drop(self, contact_id: ContactId) -> None:
        ticket = self.live.pop(contact_id, None)
        if ticket is None:
            return
        branch, label = ticket.branch, _label(ticket)
        left = self._labels.pop(label) - 1
        if left:  # older versions could give one label twice
            self._labels[label] = left
        self._change(branch)
        if contact_id in self._at_desks.get(branch, ()):
            del self._at_desks[branch][contact_id]
        else:
            self._kinds.release(self._rooms[branch].drop(contact_id))

    def _change(self, branch: BranchName) -> None:
        self._versions[branch] = self._versions.get(branch, 0) + 1

    def _fits(self, kind: int, index: int) -> bool:
        if self._kinds.fit.item(kind, index) < 0:
            return False
        return bool(self._agents.price.item(int(self._kinds.channel[kind]), index) < NOT_SERVED)

    def _service(self, contact_id: ContactId) -> ServiceName:
        return self._tickets[contact_id].service

    def _stand(
        self, branch: BranchName, outlook: "_Outlook"
    ) -> Iterator[tuple[ContactId, Standing]]:
        """Yields the tickets by their turn: each sees the work of those before it."""
        places: dict[QueueName, int] = {}
        for _, contact, which in self._by_turn(branch):
            place = places[contact.facts.queue] = places.get(contact.facts.queue, 0) + 1
            wait = outlook.wait(which)
            outlook.count_in(which)
            yield contact.contact_id, Standing(place, wait)

    def _by_turn(self, branch: BranchName) -> Iterator[tuple[Turn, Contact, Class]]:
        room = self._rooms.get(branch)
        if room is None:
            return
        for row in self._turns(room):
            contact, kind = room.contacts[row], int(room.kind[row])
            turn = self._turn(kind, int(room.order_ms[row]))
            yield turn, contact, (kind, self._service(contact.contact_id))

    def _turn(self, kind: int, order_ms: int) -> Turn:
        return int(self._kinds.stage[kind]), order_ms - int(self._kinds.head_ms[kind])

    def _turns(self, room: Waiting) -> list[int]:
        """Returns rows by stage, time waited with the queue's head start, arrival."""
        count = len(room)
        kind = room.kind[:count]
        age = room.order_ms[:count] - self._kinds.head_ms.take(kind)
        order = np.lexsort((room.sequence[:count], age, self._kinds.stage.take(kind)))
        turns: list[int] = order.tolist()
        return turns


def _label(ticket: Ticket) -> _Label:
    return ticket.branch, ticket.date, ticket.label


class _Outlook:
    """Work before a ticket, by class, and the desks that share it."""

    def __init__(
        self,
        ledger: Ledger,
        desks: list[tuple[Desk, AgentId, bool]],
        index: Mapping[AgentId, int],
        fits: Callable[[int, int], bool],
    ) -> None:
        self._ledger = ledger
        self._desks = desks
        self._index = index
        self._fits = fits
        self._for: dict[Class, frozenset[int]] = {}
        self._work: dict[Class, tuple[int, int, int, int]] = {}

    def able(self, which: Class) -> int:
        """Returns how many open desks may serve the class."""
        return len(self._desks_for(which))

    def count_in(self, which: Class) -> None:
        """One more ticket of the class is before all whose wait is asked from now on."""
        usual_ms = self._usual_ms(which)
        count, work, squares, unknown = self._work.get(which, (0, 0, 0, 0))
        more = count + 1, work + usual_ms, squares + usual_ms**2, unknown + (not usual_ms)
        self._work[which] = more

    def wait(self, which: Class) -> WaitRange | None:
        """Returns the wait of one more ticket of the class; None = no estimate.

        Nothing is known without an open desk, or of work before it whose length is not known. A
        desk takes of another class's work the share that its own desks leave it. Free desks take
        the first at once; then the visitors at the desks count as one piece more: the first desk to
        be free ends the wait of the first who still waits.
        """
        desks, usual_ms = self._desks_for(which), self._usual_ms(which)
        if not desks:
            return None
        ahead = work = squares = 0
        for other, (count, sum_ms, sum_squares, unknown) in self._work.items():
            theirs = self._desks_for(other)
            share = WHOLE * len(desks & theirs) // len(theirs) if theirs else 0
            if share and unknown:
                return None
            ahead += share * count
            work += share * sum_ms // WHOLE
            squares += share * sum_squares // WHOLE
        free = sum(1 for place in desks if self._desks[place][2])
        if ahead < WHOLE * free:
            return WaitRange(0, 0)
        if not usual_ms:
            return None
        if ahead:
            work = work * (ahead - WHOLE * free) // ahead
            squares = squares * (ahead - WHOLE * free) // ahead
        return wait_range(work + usual_ms, squares + usual_ms**2, len(desks))

    def _usual_ms(self, which: Class) -> int:
        service = self._ledger.services.get(which[1])
        return 0 if service is None else service.usual_ms

    def _desks_for(self, which: Class) -> frozenset[int]:
        desks = self._for.get(which)
        if desks is None:
            kind, service = which
            desks = self._for[which] = frozenset(
                place
                for place, (desk, agent_id, _) in enumerate(self._desks)
                if given_at(self._ledger, desk, service) and self._fits(kind, self._index[agent_id])
            )
        return desks
