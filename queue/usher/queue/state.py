"""The records a pool's state is made of: contact, leg, agent.

A record in the ledger is never changed in place: `apply` copies it, changes the copy and puts that
in its place. So whoever holds a record (a snapshot, a feed, a reply) holds one moment of it. Only
where nobody does, contacts and agents are changed in place (`Ledger.in_place`).
"""

from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec import Struct, field

from usher.queue.values import (
    NEVER_MS,
    AgentId,
    ChannelName,
    ContactFacts,
    ContactId,
    ContactState,
    Found,
    LegEnd,
    LegId,
    LegRole,
    LegState,
    Outcome,
    Presence,
)

# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_OWNER: Final = LegRole.OWNER
_WAITING: Final = ContactState.WAITING
_WRAPPING: Final = LegState.WRAPPING
_DONE: Final = LegState.DONE


class Leg(Struct, array_like=True, gc=False):
    """One agent on one contact. Units are charged while it is live or wrapping.

    `due_ms`: end of the lease (offered), of the joining limit or of wrap-up. `grace_due_ms`: when
    the contact re-queues because the desktop is lost. `hold_ms` is the sum of ended holds.
    """

    leg_id: LegId
    contact_id: ContactId
    agent_id: AgentId
    channel: ChannelName
    role: LegRole
    state: LegState
    price: int
    wrap_up_price: int
    due_ms: int
    offered_ms: int
    score: int = 0
    policy_version: str = ""
    found: Found | None = None
    joined_ms: int = NEVER_MS
    active_ms: int = NEVER_MS
    held_since_ms: int = NEVER_MS
    hold_ms: int = 0
    wrapping_ms: int = NEVER_MS
    ended_ms: int = NEVER_MS
    grace_since_ms: int = NEVER_MS
    grace_due_ms: int = NEVER_MS
    end: LegEnd = LegEnd.NONE

    @property
    def units(self) -> int:
        """Returns the units it costs its agent now."""
        state = self.state
        if state is _WRAPPING:
            return self.wrap_up_price
        return 0 if state is _DONE else self.price

    @property
    def owns(self) -> bool:
        """Returns whether it is a live owner leg (identity tests: hashing an Enum is slow)."""
        state = self.state
        return state is not _WRAPPING and state is not _DONE and self.role is _OWNER


class Contact(Struct, array_like=True, gc=False):
    """One contact. `legs` holds the live legs and those that were once active.

    `sequence` numbers contacts by arrival in the pool. `waiting_since_ms` is NEVER_MS unless the
    contact is waiting or joining; `waited_ms` is time waited before that. `failures` counts failed
    joinings after which it waited again.
    """

    contact_id: ContactId
    facts: ContactFacts
    platform: str
    sequence: int
    state: ContactState
    enqueued_ms: int
    waiting_since_ms: int
    waited_ms: int
    changed_position: int
    legs: tuple[Leg, ...] = ()
    leg_count: int = 0
    failures: int = 0
    pauses: dict[AgentId, int] = field(default_factory=dict)
    answered_ms: int = NEVER_MS
    ended_ms: int = NEVER_MS
    retire_ms: int = NEVER_MS
    outcome: Outcome = Outcome.NONE
    reason: str = ""
    disposition: str = ""
    resolved: bool | None = None

    @property
    def owner(self) -> Leg | None:
        """Returns the live owner leg (offered, joining, active or held), or None."""
        for leg in reversed(self.legs):
            if leg.owns:
                return leg
        return None

    @property
    def failed_joinings(self) -> int:
        """Returns how often joining has failed, the time that ended it included."""
        return self.failures + (self.outcome is Outcome.FAILED or self.outcome is Outcome.NO_SHOW)

    @property
    def waits_unoffered(self) -> bool:
        """Returns whether it waits and nobody is asked to take it now."""
        return self.state is _WAITING and (not self.legs or self.owner is None)

    @property
    def order_ms(self) -> int:
        """Returns the moment from which it counts as waiting: smaller = earlier in the queue."""
        return self.waiting_since_ms - self.waited_ms

    def time_waited_ms(self, at_ms: int) -> int:
        """Returns the time waited up to `at_ms`, over all waits so far."""
        if self.waiting_since_ms == NEVER_MS:
            return self.waited_ms
        return self.waited_ms + max(0, at_ms - self.waiting_since_ms)

    def leg(self, leg_id: LegId) -> Leg | None:
        """Returns the leg of this id, or None."""
        legs = self.legs
        if legs and legs[-1].leg_id == leg_id:
            return legs[-1]
        for leg in reversed(legs):
            if leg.leg_id == leg_id:
                return leg
        return None


RecordType = TypeVar("RecordType", bound=Struct)


class Agent(Struct, array_like=True, gc=False):
    """One agent of the roster, signed in or not.

    `legs` are its live and wrapping legs by id, with their contact; `channel_legs` counts those not
    wrapping. `idle_since_ms` counts from the end of the last leg, sign-in or return to ready.
    `missed` counts timeouts in a row by channel. `lease_ms` 0 = the session needs no heartbeat.
    """

    agent_id: AgentId
    session: int = 0
    presence: Presence = Presence.OFFLINE
    reason: str = ""
    lost: bool = False
    presence_since_ms: int = NEVER_MS
    signed_in_ms: int = NEVER_MS
    idle_since_ms: int = NEVER_MS
    legs: dict[LegId, ContactId] = field(default_factory=dict)
    units_used: int = 0
    channel_legs: dict[ChannelName, int] = field(default_factory=dict)
    missed: dict[ChannelName, int] = field(default_factory=dict)
    lease_ms: int = 0


if TYPE_CHECKING:

    def duplicate(record: RecordType) -> RecordType:
        """Returns an equal record that may be changed: `copied` without changes, in one C call."""

else:
    duplicate = methodcaller("__copy__")


def copied(record: RecordType, /, **changes: Any) -> RecordType:
    """Returns a copy of the record with the changes; the record stays as it was."""
    copy = duplicate(record)
    for name, value in changes.items():
        setattr(copy, name, value)
    return copy
