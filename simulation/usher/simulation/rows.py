"""What a run leaves behind: a row per contact and per leg, and sums over time.

Rows are handed on in batches, so that a long run needs the memory of one. Times are ms of the run's
clock. It must not know pools or scenarios.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from usher.queue.measures import ContactFacts, LegFacts
from usher.queue.occupancy import LegSegments, PresenceSegments

Int64s = NDArray[np.int64]


class ContactRows(Struct, frozen=True, eq=False, kw_only=True):
    """One row per contact that has ended, in the order of their ends."""

    type: Int64s
    """int64, index of its type in the order of the scenario."""
    arrived_ms: Int64s
    """int64: when it came."""
    answered_ms: Int64s
    """int64: when the first agent was with the customer; -1 = never."""
    ended_ms: Int64s
    """int64: when it ended; a contact turned away at the door ends when it comes."""
    outcome: Int64s
    """int64, a code of `usher.queue.measures.Outcome`; OTHER = turned away, balked, sent home."""
    agent: Int64s
    """int64, index of the agent who was with the customer first; -1 = nobody."""
    attempt: Int64s
    """int64: 1 for a customer's first try, more for retrials and redials."""
    number: Int64s
    """int64, 1 for the first contact of its type that came in the run, and so on."""

    def facts(self, chosen: NDArray[np.bool_] | None = None) -> ContactFacts:
        """Returns the columns that measures go by, of the chosen rows or of all."""
        take = slice(None) if chosen is None else chosen
        return ContactFacts(
            arrived_ms=self.arrived_ms[take],
            answered_ms=self.answered_ms[take],
            ended_ms=self.ended_ms[take],
            outcome=self.outcome[take].astype(np.uint8),
        )

    @property
    def waits_ms(self) -> Int64s:
        """Returns until the answer, or until the end of who was never answered."""
        until_ms = np.where(self.answered_ms >= 0, self.answered_ms, self.ended_ms)
        return until_ms - self.arrived_ms


class LegRows(Struct, frozen=True, eq=False, kw_only=True):
    """One row per leg that is done and that an agent had taken."""

    agent: Int64s
    """int64, index of the agent."""
    type: Int64s
    """int64, index of the contact's type."""
    taken_ms: Int64s
    """int64: when the agent took it: a call connects, a visitor is called to the desk."""
    active_ms: Int64s
    """int64: when agent and customer were together; -1 = the customer did not come."""
    talked_ms: Int64s
    """int64: when the customer left the agent, or was awaited no more."""
    done_ms: Int64s
    """int64: when the wrap-up was over."""
    units: Int64s
    """int64, units of capacity it took while live."""

    def facts(self) -> LegFacts:
        """Returns the columns that measures of handling go by."""
        return LegFacts(
            agent=self.agent,
            active_ms=self.active_ms,
            talk_ms=np.where(self.active_ms >= 0, self.talked_ms - self.active_ms, 0),
            hold_ms=np.zeros(len(self.agent), dtype=np.int64),
            wrap_up_ms=self.done_ms - self.talked_ms,
        )

    def segments(self) -> LegSegments:
        """Returns the legs as segments of live time, joining included."""
        return LegSegments(
            agent=self.agent, from_ms=self.taken_ms, until_ms=self.done_ms, units=self.units
        )


class TypeTotals(Struct, frozen=True, kw_only=True):
    """Sums over a stretch of time, of one type of contact."""

    arrived: int
    ended: int
    inside_from: int
    """Contacts waiting or served when the stretch began."""
    inside_until: int
    """Contacts waiting or served when it ended."""
    waiting_ms: int
    """Integral of the number waiting."""
    inside_ms: int
    """Integral of the number waiting or served (wrap-up is not the customer's)."""
    left_inside_ms: int
    """Time inside, in this stretch, of those who are inside at its end and stand in no row."""


class Batch(Struct, frozen=True, eq=False, kw_only=True):
    """All of one stretch of a run: [from_ms, until_ms]."""

    from_ms: int
    until_ms: int
    contacts: ContactRows
    legs: LegRows
    presence: PresenceSegments
    totals: tuple[TypeTotals, ...]
    """By type, in the order of the scenario."""
    busy_ms: int
    """Sum over agents of the time with at least one live leg."""
    wrapping_ms: int
    """Integral of the number of legs in wrap-up."""


def contact_rows(rows: list[tuple[int, ...]]) -> ContactRows:
    """Returns the rows as columns, in the order of the fields."""
    table = np.array(rows, dtype=np.int64).reshape(-1, len(ContactRows.__struct_fields__))
    return ContactRows(**dict(zip(ContactRows.__struct_fields__, table.T, strict=True)))


def leg_rows(rows: list[tuple[int, ...]]) -> LegRows:
    """Returns the rows as columns, in the order of the fields."""
    table = np.array(rows, dtype=np.int64).reshape(-1, len(LegRows.__struct_fields__))
    return LegRows(**dict(zip(LegRows.__struct_fields__, table.T, strict=True)))


def presence_segments(rows: list[tuple[int, ...]]) -> PresenceSegments:
    """Returns rows of (agent, from_ms, until_ms, kind) as columns."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    agent, from_ms, until_ms, kind = table
    return PresenceSegments(
        agent=agent, from_ms=from_ms, until_ms=until_ms, kind=kind.astype(np.uint8)
    )
