"""What must hold after a kill: asked of the server that was started again, and of its journal.

Each check returns findings as lines of text, one per broken promise; none = all is well. So the
test asserts that there are none, and its control that there are some.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from tests.end_to_end.kill_load import (
    ACTOR,
    REFUSALS,
    UNITS,
    VOICE_PRICE,
    Book,
    Caller,
    Deed,
    Fate,
)
from tests.end_to_end.server_process import ServerProcess

from usher.queue.codec import Record, decode_records
from usher.queue.journal.contract import Journal
from usher.queue.journal.sqlite import SqliteJournal
from usher.queue.ledger import Touched
from usher.router.pool import Pool
from usher.v1 import agent_service_pb2 as agents_pb
from usher.v1 import agent_service_pb2_grpc, contact_pb2, leg_pb2, router_service_pb2_grpc
from usher.v1 import router_service_pb2 as router_pb

AT_ONCE = 32
PAGE = 1_000
LOST = "lost"
"""First word of every finding that an acknowledged command is gone."""

_OWNING = (
    leg_pb2.LEG_STATE_OFFERED,
    leg_pb2.LEG_STATE_JOINING,
    leg_pb2.LEG_STATE_ACTIVE,
    leg_pb2.LEG_STATE_HELD,
)
_ALL_STATES = (
    contact_pb2.CONTACT_STATE_WAITING,
    contact_pb2.CONTACT_STATE_ENGAGED,
    contact_pb2.CONTACT_STATE_ENDED,
)


async def each(deeds: Iterable[Deed], work: Callable[[Deed], Awaitable[list[str]]]) -> list[str]:
    """Returns the findings of all, a few at once, taken up in the order of sending."""
    line = iter(list(deeds))
    found: list[str] = []

    async def worker() -> None:
        for deed in line:
            found.extend(await work(deed))

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return found


class Aftermath(NamedTuple):
    """What a kill left: commands sent since the kill before, and those without a verdict."""

    commands: int
    unknown: int
    done: int  # of the unknown: repeated, they had succeeded or did
    findings: list[str]


async def aftermath(server: ServerProcess, book: Book, since: int) -> Aftermath:
    """Resolves and checks all that was sent since the book had so many deeds."""
    acknowledged = book.with_fate(Fate.ACKNOWLEDGED, since)
    unknown = book.with_fate(Fate.UNKNOWN, since)
    findings = await repeat_acknowledged(server, acknowledged)
    findings += await resolve_unknown(server, unknown)
    findings += await effects_shown(server, book, since)
    findings += await owners_and_capacity(server)
    done = sum(deed.fate is Fate.ACKNOWLEDGED for deed in unknown)
    return Aftermath(len(book) - since, len(unknown), done, findings)


async def repeat_acknowledged(server: ServerProcess, deeds: Iterable[Deed]) -> list[str]:
    """Repeats what was acknowledged: the reply has to be the same to the bit."""
    async with server.channel() as channel:
        caller = Caller(channel)

        async def work(deed: Deed) -> list[str]:
            answer, code = await caller.again(deed)
            if code is not None:
                return [f"{LOST}: {deed.method} {deed.request_id}: repeated gives {code}"]
            if answer != deed.answer:
                return [f"{LOST}: {deed.method} {deed.request_id}: another reply than before"]
            return []

        return await each(deeds, work)


async def resolve_unknown(server: ServerProcess, deeds: Iterable[Deed]) -> list[str]:
    """Repeats what nobody knows of: it succeeds or is properly refused, and so it stays."""
    async with server.channel() as channel:
        caller = Caller(channel)

        async def work(deed: Deed) -> list[str]:
            first = deed.code
            deed.was_unknown = True
            await caller.send(deed)
            found = []
            if first is not grpc.StatusCode.UNAVAILABLE:
                found.append(f"{deed.method} {deed.request_id}: ended with {first} at first")
            if deed.fate is Fate.UNKNOWN:
                found.append(f"{deed.method} {deed.request_id}: repeated gives {deed.code}")
            if deed.fate is Fate.REFUSED and deed.code not in REFUSALS:
                found.append(f"{deed.method} {deed.request_id}: refused with {deed.code}")
            return found

        return await each(deeds, work)


# --- what the server shows -----------------------------------------------------------------


async def effects_shown(server: ServerProcess, book: Book, since: int) -> list[str]:
    """Checks that contacts are at or past what was acknowledged of them."""
    deeds = [deed for deed in list(book.deeds.values())[since:] if deed.fate is Fate.ACKNOWLEDGED]
    failures = _failures(book)
    async with server.channel() as channel:
        get = router_service_pb2_grpc.RouterServiceStub(channel).GetContact

        async def work(deed: Deed) -> list[str]:
            if not deed.contact_id:
                return []
            try:
                request = router_pb.GetContactRequest(contact_id=deed.contact_id)
                reply = await get(request, metadata=ACTOR)
            except grpc.aio.AioRpcError as error:
                return [f"{LOST}: {deed.method} {deed.request_id}: no contact ({error.code()})"]
            if not shows(deed, reply.contact, failures):
                return [f"{LOST}: {deed.method} {deed.request_id}: not seen in its contact"]
            return []

        return await each(deeds, work)


def _failures(book: Book) -> Counter[str]:
    """Returns how many failed joinings of each contact were acknowledged."""
    deeds = book.with_fate(Fate.ACKNOWLEDGED)
    return Counter(deed.contact_id for deed in deeds if deed.method == "ConnectFailed")


def shows(deed: Deed, contact: contact_pb2.Contact, failures: Counter[str]) -> bool:
    """Returns whether the contact is at or past what the deed made of it."""
    ended = contact.state == contact_pb2.CONTACT_STATE_ENDED
    leg = _leg_of(contact, deed)
    match deed.method:
        case "EnqueueContact":
            sent = deed.request.contact
            same = contact.customer_id == sent.customer_id and contact.channel == sent.channel
            return same and (ended or dict(contact.attributes) == dict(sent.attributes))
        case "AcceptOffer":
            return contact.channel == "voice" or leg.HasField("active_time")
        case "ConnectContact":
            return bool(leg.HasField("active_time"))
        case "DeclineOffer":
            return leg.state not in _OWNING
        case "ConnectFailed":
            return contact.failures >= failures[contact.contact_id]
        case "RequeueContact":
            return leg.state in (leg_pb2.LEG_STATE_WRAPPING, leg_pb2.LEG_STATE_DONE)
        case "FinishWrapUp":
            return leg.state == leg_pb2.LEG_STATE_DONE
        case "AbandonContact":
            return ended and contact.outcome == deed.reply.outcome
        case "CompleteContact":
            return ended and contact.outcome == contact_pb2.OUTCOME_COMPLETED
        case _:
            return True


def _leg_of(contact: contact_pb2.Contact, deed: Deed) -> leg_pb2.Leg:
    """Returns the deed's leg as it is now; an empty one if the contact no longer has it."""
    wanted = deed.leg.leg_id if deed.leg is not None else ""
    return next((leg for leg in contact.legs if leg.leg_id == wanted), leg_pb2.Leg())


async def owners_and_capacity(server: ServerProcess) -> list[str]:
    """Checks all contacts that are not over: one owner each, nobody has more than fits."""
    found: list[str] = []
    used: Counter[str] = Counter()
    for contact in await list_contacts(server, _ALL_STATES[:2]):
        owners = [leg for leg in contact.legs if leg.state in _OWNING]
        if len(owners) > 1:
            found.append(f"contact {contact.contact_id} has {len(owners)} owner legs")
        for leg in owners:
            used[leg.agent_id] += VOICE_PRICE if leg.channel == "voice" else 1
    found += [f"{who} has legs of {units} units" for who, units in used.items() if units > UNITS]
    async with server.channel() as channel:
        stub = agent_service_pb2_grpc.AgentServiceStub(channel)
        reply = await stub.ListAgents(agents_pb.ListAgentsRequest(page_size=PAGE), metadata=ACTOR)
    for agent in reply.agents:
        if agent.units_used > agent.units or agent.units_used < used[agent.agent_id]:
            found.append(f"{agent.agent_id}: {agent.units_used} units used of {agent.units}")
    return found


async def list_contacts(server: ServerProcess, states: Iterable[Any]) -> list[Any]:
    """Returns all contacts in these states, page by page."""
    contacts: list[Any] = []
    async with server.channel() as channel:
        stub = router_service_pb2_grpc.RouterServiceStub(channel)
        request = router_pb.ListContactsRequest(page_size=PAGE, states=list(states))
        while True:
            reply = await stub.ListContacts(request, metadata=ACTOR)
            contacts += reply.contacts
            if not reply.next_page_token:
                return contacts
            request.page_token = reply.next_page_token


async def one_contact_each(server: ServerProcess, book: Book) -> list[str]:
    """Checks over all contacts, ended ones too: one for each enqueue that succeeded, no others."""
    there = Counter(contact.customer_id for contact in await list_contacts(server, _ALL_STATES))
    enqueues = [deed for deed in book.deeds.values() if deed.method == "EnqueueContact"]
    wanted = Counter(d.request_id for d in enqueues if d.fate is Fate.ACKNOWLEDGED)
    missing = [f"{LOST}: no contact of {name}" for name in wanted - there]
    return missing + [f"a contact of {name} too many" for name in there - wanted]


# --- what the journal shows ----------------------------------------------------------------


class Journalled:
    """What a journal says when it is read from its first record on, while no server has it."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.findings: list[str] = []
        self.requests: Counter[str] = Counter()
        self.snapshot_position = 0
        self.snapshot_hash = ""

    async def read(self, path: Path) -> None:
        """Reads the embedded journal of a server that has ended."""
        journal = await SqliteJournal.open(path)
        try:
            await self.read_from(journal)
        finally:
            await journal.close()

    async def read_from(self, journal: Journal) -> None:
        """Replays all records; keeps the latest snapshot's hash beside the pool's own."""
        async for stored in journal.read(0):
            for record in decode_records(stored.version, stored.body):
                self._replay(record)
        snapshot = await journal.latest_snapshot()
        if snapshot is not None:
            self.snapshot_position = snapshot.position
            self.snapshot_hash = Pool.restore(snapshot.pieces).state_hash()

    def _replay(self, record: Record) -> None:
        if record.position != self.pool.position + 1:
            self.findings.append(f"record {record.position} follows {self.pool.position}")
        self.pool.apply(record.events, record.at_ms)
        if record.request_id:
            self.requests[record.request_id] += 1
        self._check(self.pool.take_changes())

    def _check(self, changes: Touched) -> None:
        place = f"at {self.pool.position}"
        for contact in changes.contacts.values():
            owners = sum(leg.owns for leg in contact.legs)
            if owners > 1:
                self.findings.append(f"{place}: {contact.contact_id} has {owners} owner legs")
        for agent in changes.agents.values():
            if agent.units_used > UNITS:
                self.findings.append(f"{place}: {agent.agent_id} has {agent.units_used} units")

    def check(self, book: Book) -> None:
        """Asserts that book, journal and the last live state agree."""
        assert [] == self.against(book)
        assert self.pool.position == self.snapshot_position, "the drain took no snapshot"
        assert self.pool.state_hash() == self.snapshot_hash, "live state is not the replay"

    def against(self, book: Book) -> list[str]:
        """Returns what the journal and the callers' book do not agree on."""
        found = list(self.findings)
        for deed in book.deeds.values():
            wanted = 1 if deed.fate is Fate.ACKNOWLEDGED else 0
            count = self.requests[deed.request_id]
            if count < wanted:
                found.append(f"{LOST}: {deed.method} {deed.request_id} is not in the journal")
            elif count > wanted:
                name = f"{deed.method} {deed.request_id} ({deed.fate.value})"
                found.append(f"{name} is in the journal {count} times")
        found += [f"nobody sent {name}" for name in self.requests if name not in book.deeds]
        return found


def figures(rounds: Sequence[Aftermath], book: Book, journalled: Journalled) -> list[str]:
    """Returns the lines that tell what all kills together came to."""
    fates = Counter(deed.fate.value for deed in book.deeds.values())
    unknown, done = sum(one.unknown for one in rounds), sum(one.done for one in rounds)
    return [
        f"kills: {len(rounds)}; commands: {len(book)}; fates: {dict(fates)}",
        f"unknown after a kill: {unknown}, of which {done} succeeded and the rest was refused",
        f"journal: {journalled.pool.position} records, replayed = live by state hash",
    ]
