"""Whether every contact of a trial is accounted for: ended once, served once or abandoned.

Three witnesses are asked and must agree: what the watches showed while it ran, what the server
lists at the end, and, of a server of our own, its journal. It must not know scripts or clocks.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

from usher.queue.codec import Record
from usher.queue.events import (
    ContactAbandoned,
    ContactConnected,
    ContactEnding,
    ContactEnqueued,
    OfferAccepted,
)
from usher.queue.values import LegState
from usher.router.trials.observed import ENDED, Observed, milliseconds
from usher.v1 import contact_pb2, leg_pb2

NAMED_MAX = 5
COMPLETED = contact_pb2.OUTCOME_COMPLETED
ABANDONED = contact_pb2.OUTCOME_ABANDONED


class Account(Struct, frozen=True, kw_only=True):
    """The count at the end of a trial. `findings` empty = every contact is accounted for."""

    planned: int
    answered: int
    abandoned: int
    unaccounted: int
    """Contacts with a finding."""
    served_twice: int
    lost: int
    witnesses: tuple[str, ...]
    findings: tuple[str, ...]


def account(
    planned: Sequence[str],
    observed: Observed,
    listed: Sequence[contact_pb2.Contact],
    records: Iterable[Record] | None = None,
) -> Account:
    """Asks all witnesses about the planned contacts; `records` None = the journal is not ours."""
    book = _Book(planned)
    book.ask_watches(observed)
    book.ask_list(listed)
    witnesses = ["watches", "list of contacts"]
    if records is not None:
        book.ask_journal(records)
        witnesses.append("journal")
    outcomes = Counter(contact.outcome for contact in listed)
    return Account(
        planned=len(planned),
        answered=outcomes[COMPLETED],
        abandoned=outcomes[ABANDONED],
        unaccounted=len({contact_id for contact_id, _ in book.findings}),
        served_twice=len(book.served_twice),
        lost=len(book.lost),
        witnesses=tuple(witnesses),
        findings=book.told(),
    )


class _Book:
    """Findings by contact; each is told with a few of the contacts it is about."""

    def __init__(self, planned: Sequence[str]) -> None:
        self.planned = planned
        self.findings: list[tuple[str, str]] = []
        self.lost: set[str] = set()
        self.served_twice: set[str] = set()

    def told(self) -> tuple[str, ...]:
        """One line per kind of finding."""
        kinds: defaultdict[str, list[str]] = defaultdict(list)
        for contact_id, kind in self.findings:
            kinds[kind].append(contact_id)
        return tuple(
            f"{kind}: {len(ids)} ({', '.join(ids[:NAMED_MAX])}{', ...' * (len(ids) > NAMED_MAX)})"
            for kind, ids in kinds.items()
        )

    def ask_watches(self, observed: Observed) -> None:
        """The watches saw each contact end once, with one owner at a time, served by one leg."""
        for contact_id in self.planned:
            if observed.ends[contact_id] != 1:
                self._find(contact_id, "watch: not seen to end exactly once", lost=True)
            if contact_id in observed.double_owned:
                self._find(contact_id, "watch: two owner legs at once", twice=True)
            if len(observed.serving[contact_id]) > 1:
                self._find(contact_id, "watch: served twice", twice=True)

    def ask_list(self, listed: Sequence[contact_pb2.Contact]) -> None:
        """The server lists each contact once, ended, answered by one agent or abandoned."""
        counts = Counter(contact.contact_id for contact in listed)
        for contact_id in self.planned:
            if counts[contact_id] != 1:
                self._find(contact_id, f"list: {counts[contact_id]} times", lost=True)
        known = set(self.planned)
        for contact in listed:
            if contact.contact_id not in known:
                self._find(contact.contact_id, "list: not of this trial")
            else:
                self._ask_contact(contact)
        for contact_id in _overlaps(listed):
            self._find(contact_id, "list: its agent had another contact at once", twice=True)

    def _ask_contact(self, contact: contact_pb2.Contact) -> None:
        contact_id, served = contact.contact_id, sum(_served(leg) for leg in contact.legs)
        if contact.state != ENDED:
            state = contact_pb2.ContactState.Name(contact.state).removeprefix("CONTACT_STATE_")
            self._find(contact_id, f"list: still {state.lower()}", lost=True)
        elif contact.outcome not in (COMPLETED, ABANDONED):
            outcome = contact_pb2.Outcome.Name(contact.outcome).removeprefix("OUTCOME_").lower()
            self._find(contact_id, f"list: ended as {outcome}", lost=True)
        elif served > 1:
            self._find(contact_id, "list: served twice", twice=True)
        elif served != (contact.outcome == COMPLETED):
            self._find(contact_id, "list: outcome and legs disagree")

    def ask_journal(self, records: Iterable[Record]) -> None:
        """The journal holds one arrival and one end of each, and one connection if answered."""
        arrivals: Counter[str] = Counter()
        ends: Counter[str] = Counter()
        serving: defaultdict[str, set[str]] = defaultdict(set)
        left: set[str] = set()
        for event in (event for record in records for event in record.events):
            match event:
                case ContactEnqueued():
                    arrivals[event.contact_id] += 1
                case OfferAccepted() if event.state is LegState.ACTIVE:
                    serving[event.contact_id].add(event.leg_id)
                case ContactConnected():
                    serving[event.contact_id].add(event.leg_id)
                case ContactEnding():
                    ends[event.contact_id] += 1
                    left |= {event.contact_id} if isinstance(event, ContactAbandoned) else set()
        for contact_id in self.planned:
            if arrivals[contact_id] != 1 or ends[contact_id] != 1:
                self._find(contact_id, "journal: not one arrival and one end", lost=True)
            elif len(serving[contact_id]) > 1:
                self._find(contact_id, "journal: served twice", twice=True)
            elif len(serving[contact_id]) != (contact_id not in left):
                self._find(contact_id, "journal: end and connection disagree")

    def _find(self, contact_id: str, kind: str, *, lost: bool = False, twice: bool = False) -> None:
        self.findings.append((contact_id, kind))
        if lost:
            self.lost.add(contact_id)
        if twice:
            self.served_twice.add(contact_id)


def _served(leg: leg_pb2.Leg) -> bool:
    return leg.HasField("active_time")


def _overlaps(listed: Iterable[contact_pb2.Contact]) -> list[str]:
    """Voice contacts whose agent was with two callers at once: nobody can talk on two phones."""
    talks: defaultdict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for contact in listed:
        for leg in contact.legs:
            if leg.channel == "voice" and _served(leg) and contact.HasField("end_time"):
                span_ms = (milliseconds(leg.active_time), milliseconds(contact.end_time))
                talks[leg.agent_id].append((*span_ms, contact.contact_id))
    found: list[str] = []
    for spans in talks.values():
        busy_until_ms = 0
        for from_ms, until_ms, contact_id in sorted(spans):
            if from_ms < busy_until_ms:
                found.append(contact_id)
            busy_until_ms = max(busy_until_ms, until_ms)
    return found
