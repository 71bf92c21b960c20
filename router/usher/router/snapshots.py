"""Snapshots of a pool: one moment, taken at once, encoded in pieces while the pool goes on.

Taking one copies two tables of references; records are never changed in place, so the copy stays
that moment. Piece 0 is the head (figures, policy); then the roster's agents, agents' records and
contacts in runs that keep a piece under PIECE_MAX bytes; branches and tickets where there are any.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, assert_never

import msgspec
from msgspec import Struct

from usher.queue.branches import Branch, BranchDays, Branches, Calendar, Desk, Service
from usher.queue.ledger import Ledger
from usher.queue.rules import AgentProfile, Policy, Roster
from usher.queue.state import Agent, Contact
from usher.queue.tickets import Seat, Series, Ticket
from usher.queue.values import ContactState

SNAPSHOT_VERSION = 2
_READ: Final = (1, 2)  # 2 added what walks in
PIECE_MAX = 1 << 20
_RUN = 500


class SnapshotUnreadable(Exception):
    """The pieces are of another version or not those of a snapshot."""


class _Head(Struct, array_like=True, tag="head"):
    version: int
    position: int
    at_ms: int
    contacts_seen: int
    clock_rate: int
    versions: tuple[str, str, str]
    policy: Policy | None
    roster_version: str | None


class _Profiles(Struct, array_like=True, tag="profiles"):
    rows: list[AgentProfile]


class _Agents(Struct, array_like=True, tag="agents"):
    rows: list[Agent]


class _Contacts(Struct, array_like=True, tag="contacts"):
    rows: list[Contact]


class _Walks(Struct, array_like=True, tag="walks"):
    version: str
    has_calendar: bool


class _Services(Struct, array_like=True, tag="services"):
    rows: list[Service]


class _Branches(Struct, array_like=True, tag="branches"):
    rows: list[Branch]


class _Desks(Struct, array_like=True, tag="desks"):
    rows: list[Desk]


class _Days(Struct, array_like=True, tag="days"):
    rows: list[BranchDays]


class _Series(Struct, array_like=True, tag="series"):
    rows: list[Series]


class _Seats(Struct, array_like=True, tag="seats"):
    rows: list[Seat]


class _Tickets(Struct, array_like=True, tag="tickets"):
    rows: list[Ticket]


_WalkIns = _Services | _Branches | _Desks | _Days | _Series | _Seats | _Tickets
_Rows = type[_Profiles | _Agents | _Contacts | _WalkIns]

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Head | _Profiles | _Agents | _Contacts | _Walks | _WalkIns)


class PoolSnapshot:
    """One moment of a pool."""

    def __init__(self, ledger: Ledger) -> None:
        roster = ledger.roster
        self._head = _Head(
            SNAPSHOT_VERSION,
            ledger.position,
            ledger.at_ms,
            ledger.contacts_seen,
            ledger.clock_rate,
            ledger.versions,
            ledger.policy,
            roster.version if roster is not None else None,
        )
        self._profiles = roster.agents if roster is not None else ()
        self._agents = tuple(ledger.agents.values())
        self._contacts = tuple(ledger.contacts.values())
        self._walks: _Walks | None = None
        self._walk_ins: list[tuple[_Rows, Sequence[Struct]]] = []
        if ledger.plan is not None:
            self._walks = _Walks(ledger.plan.version, ledger.calendar is not None)
            self._walk_ins = _walk_ins(ledger, ledger.plan)

    @property
    def position(self) -> int:
        """Returns the position that the snapshot stands for."""
        return self._head.position

    def pieces(self) -> Iterator[bytes]:
        """Yields the encoded pieces; each is made when asked for."""
        yield _ENCODER.encode(self._head)
        yield from _pieces(_Profiles, self._profiles)
        yield from _pieces(_Agents, self._agents)
        yield from _pieces(_Contacts, self._contacts)
        if self._walks is not None:
            yield _ENCODER.encode(self._walks)
        for kind, rows in self._walk_ins:
            yield from _pieces(kind, rows)


def _walk_ins(ledger: Ledger, plan: Branches) -> list[tuple[_Rows, Sequence[Struct]]]:
    return [
        (_Services, plan.services),
        (_Branches, plan.branches),
        (_Desks, plan.desks),
        (_Days, ledger.calendar.branches if ledger.calendar is not None else ()),
        (_Series, tuple(ledger.series.values())),
        (_Seats, tuple(ledger.seats.values())),
        (_Tickets, tuple(ledger.tickets.values())),
    ]


def _pieces(kind: _Rows, rows: Sequence[Struct]) -> Iterator[bytes]:
    for start in range(0, len(rows), _RUN):
        yield from _split(kind, list(rows[start : start + _RUN]))


def _split(kind: _Rows, rows: list[Struct]) -> Iterator[bytes]:
    piece = _ENCODER.encode(kind(rows))  # type: ignore[arg-type]
    if len(piece) <= PIECE_MAX or len(rows) == 1:
        yield piece
        return
    half = len(rows) // 2
    yield from _split(kind, rows[:half])
    yield from _split(kind, rows[half:])


class _Read:
    """What the pieces held so far, as far as it is put in place only once all are read."""

    def __init__(self) -> None:
        self.head: _Head | None = None
        self.walks: _Walks | None = None
        self.profiles: list[AgentProfile] = []
        self.services: list[Service] = []
        self.branches: list[Branch] = []
        self.desks: list[Desk] = []
        self.days: list[BranchDays] = []


def read_pieces(ledger: Ledger, pieces: Iterable[bytes]) -> None:
    """Fills an empty ledger from the pieces; raises SnapshotUnreadable."""
    read = _Read()
    for piece in pieces:
        try:
            part = _DECODER.decode(piece)
        except msgspec.DecodeError as error:
            raise SnapshotUnreadable(str(error)) from error
        match part:
            case _Head():
                read.head = part
            case _Profiles(rows):
                read.profiles.extend(rows)
            case _Agents(rows):
                ledger.agents.update({agent.agent_id: agent for agent in rows})
            case _Contacts(rows):
                ledger.contacts.update({contact.contact_id: contact for contact in rows})
            case _Walks():
                read.walks = part
            case _:
                _take_walk_ins(ledger, read, part)
    if read.head is None or read.head.version not in _READ:
        raise SnapshotUnreadable("no head of a known version")
    if read.walks is not None:
        _take_walks(ledger, read, read.walks)
    _take_head(ledger, read.head, tuple(read.profiles))


def _take_walk_ins(ledger: Ledger, read: _Read, part: _WalkIns) -> None:
    match part:
        case _Services(rows):
            read.services.extend(rows)
        case _Branches(rows):
            read.branches.extend(rows)
        case _Desks(rows):
            read.desks.extend(rows)
        case _Days(rows):
            read.days.extend(rows)
        case _Series(rows):
            ledger.series.update({(series.branch, series.line): series for series in rows})
        case _Seats(rows):
            ledger.seats.update({seat.desk: seat for seat in rows})
            ledger.desk_of.update({seat.agent_id: seat.desk for seat in rows})
        case _Tickets(rows):
            ledger.tickets.update({ticket.contact_id: ticket for ticket in rows})
        case _:
            assert_never(part)


def _take_walks(ledger: Ledger, read: _Read, walks: _Walks) -> None:
    plan = Branches(
        version=walks.version,
        services=tuple(read.services),
        branches=tuple(read.branches),
        desks=tuple(read.desks),
    )
    ledger.set_branches(plan)
    if walks.has_calendar:
        ledger.set_calendar(Calendar(tuple(read.days)))


def _take_head(ledger: Ledger, head: _Head, profiles: tuple[AgentProfile, ...]) -> None:
    ledger.position = head.position
    ledger.at_ms = head.at_ms
    ledger.contacts_seen = head.contacts_seen
    ledger.clock_rate = head.clock_rate
    ledger.versions = head.versions
    if head.policy is not None:
        ledger.set_policy(head.policy)
    if head.roster_version is not None:
        ledger.set_roster(Roster(version=head.roster_version, agents=profiles))
    for contact in ledger.contacts.values():
        ledger.live_count += contact.state is not ContactState.ENDED
    ledger.deadlines.rebuild()
