"""Events: what has happened in a pool. Only events change its state, and each tells all it changes.

Pure data, tagged, journalled. An event carries every figure that was taken from the policy (prices,
due times), so that replay reads no policy and never scores again. Times ending in `_ms` are
milliseconds UTC; `at_ms` of the event itself stands in its record.
"""

from msgspec import Struct

from usher.queue.event import Event
from usher.queue.rules import Policy, Roster
from usher.queue.ticket_events import BranchEvent, TicketEvent
from usher.queue.values import (
    AgentId,
    ContactFacts,
    ContactId,
    Found,
    LegEnd,
    LegId,
    LegState,
    Presence,
    QueueName,
)


class ContactEnqueued(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A contact has arrived and waits. `platform` = id of the platform that brought it, or ''."""

    contact_id: ContactId
    facts: ContactFacts
    platform: str


class ContactUpdated(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The facts of a contact are now these."""

    contact_id: ContactId
    facts: ContactFacts


class OfferMade(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A contact is offered to an agent as owner; a lease until `due_ms`.

    `price` and `wrap_up_price` are the units that the leg costs the agent while live / wrapping.
    """

    contact_id: ContactId
    leg_id: LegId
    agent_id: AgentId
    price: int
    wrap_up_price: int
    due_ms: int
    score: int
    policy_version: str
    found: Found


class OfferAccepted(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The agent takes it: the leg is joining (until `due_ms`) or at once active."""

    contact_id: ContactId
    leg_id: LegId
    state: LegState
    due_ms: int


class OfferDeclined(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The agent does not take it; the pair pauses until `pause_until_ms`."""

    contact_id: ContactId
    leg_id: LegId
    pause_until_ms: int
    reason: str


class OfferExpired(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The lease ran out; the contact keeps its place, the pair pauses, the miss is counted."""

    contact_id: ContactId
    leg_id: LegId
    pause_until_ms: int


class OfferWithdrawn(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The offer (or joining leg) is taken back through nobody's fault; the contact waits on."""

    contact_id: ContactId
    leg_id: LegId
    reason: str


class ContactConnected(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Customer and agent are connected: leg `leg_id` is active.

    A leg not yet known is begun with the given prices. The owner leg that another agent had
    (`replaced_leg_id`, or empty) ends in the same event as `replaced_end`.
    """

    contact_id: ContactId
    leg_id: LegId
    agent_id: AgentId
    price: int
    wrap_up_price: int
    replaced_leg_id: LegId
    replaced_end: LegEnd


class ContactConnectFailed(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Joining has failed; the contact waits again at its old place, the pair pauses."""

    contact_id: ContactId
    leg_id: LegId
    pause_until_ms: int
    reason: str


class ContactHeld(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The customer is on hold."""

    contact_id: ContactId
    leg_id: LegId


class ContactResumed(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The customer is off hold."""

    contact_id: ContactId
    leg_id: LegId


class ContactStarted(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Work begun outside the router is now known: a contact with an owner leg."""

    contact_id: ContactId
    facts: ContactFacts
    platform: str
    leg_id: LegId
    agent_id: AgentId
    state: LegState
    price: int
    wrap_up_price: int
    due_ms: int


class ContactRequeued(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The contact waits again, in `queue`; its owner leg (or empty) ended as `end` or wraps up.

    `wrap_until_ms` 0 = no wrap-up. `pause_until_ms` 0 = the pair does not pause.
    """

    contact_id: ContactId
    leg_id: LegId
    queue: QueueName
    end: LegEnd
    wrap_until_ms: int
    pause_until_ms: int
    reason: str


class ContactEnding(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Base of the events that end a contact.

    Offered and joining legs end as withdrawn; an active or held leg wraps up until
    `wrap_until_ms` (0 = it is done at once). The contact may leave the pool at `retire_at_ms`.
    """

    contact_id: ContactId
    wrap_until_ms: int
    retire_at_ms: int
    reason: str


class ContactCompleted(ContactEnding, frozen=True, array_like=True, tag=True, gc=False):
    """The work with the customer is done."""

    disposition: str = ""
    resolved: bool | None = None


class ContactAbandoned(ContactEnding, frozen=True, array_like=True, tag=True, gc=False):
    """The customer left before an agent was active."""


class ContactCancelled(ContactEnding, frozen=True, array_like=True, tag=True, gc=False):
    """The contact was called off."""


class ContactLost(ContactEnding, frozen=True, array_like=True, tag=True, gc=False):
    """Its platform no longer knows it."""


class ContactFailed(ContactEnding, frozen=True, array_like=True, tag=True, gc=False):
    """Joining failed as often as its channel allows."""


class ContactNoShow(ContactEnding, frozen=True, array_like=True, tag=True, gc=False):
    """The customer did not come as often as its channel allows."""


class ContactExpired(ContactEnding, frozen=True, array_like=True, tag=True, gc=False):
    """Its time ran out: the service day of its ticket is over."""


class WrapUpFinished(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The leg is done, by the agent or at its limit."""

    contact_id: ContactId
    leg_id: LegId
    reason: str


class PauseEnded(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The pair may be offered again."""

    contact_id: ContactId
    agent_id: AgentId


class ContactsRetired(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Ended contacts leave the pool."""

    contact_ids: tuple[ContactId, ...]


class AgentSignedIn(Event, frozen=True, array_like=True, tag=True, gc=False):
    """Session number `session` of the agent begins; it fences off earlier ones."""

    agent_id: AgentId
    session: int
    presence: Presence
    reason: str
    lease_ms: int = 0


class PresenceSet(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The agent's presence is now this."""

    agent_id: AgentId
    presence: Presence
    reason: str


class AgentSignedOut(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The session has ended by itself; with live legs the agent drains, else it is offline."""

    agent_id: AgentId


class LegGrace(Struct, frozen=True, array_like=True, gc=False):
    """A live leg whose contact re-queues at `due_ms` unless its agent comes back."""

    leg_id: LegId
    due_ms: int


class SessionLost(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The desktop is gone: no offers; `graces` re-queue later, other live legs stay."""

    agent_id: AgentId
    graces: tuple[LegGrace, ...]


class PoolOpened(Event, frozen=True, array_like=True, tag=True, gc=False):
    """A server took up the pool; running leases and graces move on by at most `outage_ms`."""

    usher_version: str
    numpy_version: str
    scipy_version: str
    clock_rate: int
    outage_ms: int


class PolicySet(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The policy is now this; queues left out while live stand in it as closed."""

    policy: Policy


class RosterSet(Event, frozen=True, array_like=True, tag=True, gc=False):
    """The roster is now this; agents left out while working stand in it as closed."""

    roster: Roster


OfferEvent = OfferMade | OfferAccepted | OfferDeclined | OfferExpired | OfferWithdrawn
EndingEvent = (
    ContactCompleted
    | ContactAbandoned
    | ContactCancelled
    | ContactLost
    | ContactFailed
    | ContactNoShow
    | ContactExpired
)
ContactEvent = (
    ContactEnqueued
    | ContactUpdated
    | ContactConnected
    | ContactConnectFailed
    | ContactHeld
    | ContactResumed
    | ContactStarted
    | ContactRequeued
    | EndingEvent
    | WrapUpFinished
    | PauseEnded
    | ContactsRetired
)
AgentEvent = AgentSignedIn | PresenceSet | AgentSignedOut | SessionLost
PoolEvent = PoolOpened | PolicySet | RosterSet
AnyEvent = ContactEvent | OfferEvent | AgentEvent | PoolEvent | TicketEvent | BranchEvent
