"""Snapshots of a pool: one moment, taken at once, encoded in pieces while the pool goes on.

Taking one copies two tables of references; records are never changed in place, so the copy stays
that moment. Piece 0 is the head (figures, policy); then the roster's agents, agents' records and
contacts in runs that keep a piece under PIECE_MAX bytes.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from usher.queue.ledger import Ledger
from usher.queue.rules import AgentProfile, Policy, Roster
from usher.queue.state import Agent, Contact
from usher.queue.values import ContactState

SNAPSHOT_VERSION = 1
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


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Head | _Profiles | _Agents | _Contacts)


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


def _pieces(
    kind: type[_Profiles] | type[_Agents] | type[_Contacts], rows: Sequence[Struct]
) -> Iterator[bytes]:
    for start in range(0, len(rows), _RUN):
        yield from _split(kind, list(rows[start : start + _RUN]))


def _split(
    kind: type[_Profiles] | type[_Agents] | type[_Contacts], rows: list[Struct]
) -> Iterator[bytes]:
    piece = _ENCODER.encode(kind(rows))  # type: ignore[arg-type]
    if len(piece) <= PIECE_MAX or len(rows) == 1:
        yield piece
        return
    half = len(rows) // 2
    yield from _split(kind, rows[:half])
    yield from _split(kind, rows[half:])


def read_pieces(ledger: Ledger, pieces: Iterable[bytes]) -> None:
    """Fills an empty ledger from the pieces; raises SnapshotUnreadable."""
    head: _Head | None = None
    profiles: list[AgentProfile] = []
    for piece in pieces:
        try:
            part = _DECODER.decode(piece)
        except msgspec.DecodeError as error:
            raise SnapshotUnreadable(str(error)) from error
        match part:
            case _Head():
                head = part
            case _Profiles(rows):
                profiles.extend(rows)
            case _Agents(rows):
                ledger.agents.update({agent.agent_id: agent for agent in rows})
            case _Contacts(rows):
                ledger.contacts.update({contact.contact_id: contact for contact in rows})
    if head is None or head.version != SNAPSHOT_VERSION:
        raise SnapshotUnreadable("no head of a known version")
    _take_head(ledger, head, tuple(profiles))


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
