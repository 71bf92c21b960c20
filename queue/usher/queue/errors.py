"""Refusals of the pool: one tree, a reason code per leaf.

    Refused
    ├── Invalid        the command can never be right        -> INVALID_ARGUMENT
    ├── NotFound       it names something that is not there  -> NOT_FOUND
    ├── Exists         it makes something that is there      -> ALREADY_EXISTS
    ├── WrongState     not in the present state              -> FAILED_PRECONDITION
    └── Exhausted      a limit is reached, for now           -> RESOURCE_EXHAUSTED

A refusal changes nothing. `reason` is stable and for machines, the message is for people and holds
the offending value; `facts` repeats the message's values by name. Knows nothing of gRPC.
"""

from typing import ClassVar


class Refused(Exception):
    """A command that the pool does not accept."""

    reason: ClassVar[str] = "REFUSED"

    def __init__(self, message: str, /, **facts: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.facts = {name: str(value) for name, value in facts.items()}


class Invalid(Refused):
    """The command can never be right, whatever the state. `field` names the culprit."""

    reason = "INVALID_FIELD"

    def __init__(self, field: str, message: str, /, **facts: str | int) -> None:
        super().__init__(f"{field}: {message}", **facts)
        self.field = field
        self.rule = message


class NotFound(Refused):
    """Something named in the command is not there."""


class UnknownContact(NotFound):
    """No such contact in the pool (never there, or ended long ago)."""

    reason = "CONTACT_NOT_FOUND"


class UnknownAgent(NotFound):
    """No such agent in the roster."""

    reason = "AGENT_NOT_FOUND"


class UnknownQueue(NotFound):
    """No such queue in the policy."""

    reason = "QUEUE_NOT_FOUND"


class UnknownChannel(NotFound):
    """No such channel in the policy."""

    reason = "CHANNEL_NOT_FOUND"


class UnknownLeg(NotFound):
    """No such leg on the contact."""

    reason = "LEG_NOT_FOUND"


class UnknownBranch(NotFound):
    """No such branch in the pool."""

    reason = "BRANCH_NOT_FOUND"


class UnknownService(NotFound):
    """No such service, or the branch does not offer it."""

    reason = "SERVICE_NOT_FOUND"


class UnknownDesk(NotFound):
    """No such desk at the branch."""

    reason = "DESK_NOT_FOUND"


class UnknownTicket(NotFound):
    """No such ticket in the pool (never there, or of an earlier day)."""

    reason = "TICKET_NOT_FOUND"


class Exists(Refused):
    """Something to be made is already there."""


class ContactExists(Exists):
    """A contact of this id is already in the pool."""

    reason = "CONTACT_EXISTS"


class JoinIdReused(Exists):
    """A contact of this id is there that is not this ticket."""

    reason = "JOIN_ID_REUSED"


class WrongState(Refused):
    """The present state does not allow it; `facts` tell the state."""


class ContactEnded(WrongState):
    """The contact has ended."""

    reason = "CONTACT_ENDED"


class ContactNotEngaged(WrongState):
    """No agent is active on the contact."""

    reason = "CONTACT_NOT_ENGAGED"


class LegNotInState(WrongState):
    """The leg is not in the state that the command needs (an offer gone, a hold not on)."""

    reason = "LEG_STATE"


class OfferGone(WrongState):
    """The offer is no longer open: expired, withdrawn, declined or taken."""

    reason = "OFFER_GONE"


class NotYourOffer(WrongState):
    """The offer is another agent's."""

    reason = "OFFER_OF_ANOTHER_AGENT"


class SessionSuperseded(WrongState):
    """The session was taken over, lost or ended: sign in again."""

    reason = "SESSION_SUPERSEDED"


class NotSignedIn(WrongState):
    """The agent is offline."""

    reason = "AGENT_NOT_SIGNED_IN"


class AgentClosed(WrongState):
    """A later roster left the agent out."""

    reason = "AGENT_CLOSED"


class QueueClosed(WrongState):
    """A later policy left the queue out; it takes no new contacts."""

    reason = "QUEUE_CLOSED"


class ClockRateFixed(WrongState):
    """The journal was written at another clock rate."""

    reason = "CLOCK_RATE_FIXED"


class PolicyRefused(WrongState):
    """The policy or roster has findings; `facts` number them."""

    reason = "POLICY_REFUSED"


class PositionAhead(WrongState):
    """A sync names a position that the journal has not reached."""

    reason = "POSITION_AHEAD"


class BranchClosed(WrongState):
    """The branch is not open now; `facts` tell when it opens next, if that is known."""

    reason = "BRANCH_CLOSED"


class ServiceClosed(WrongState):
    """A later version left the service out; it takes no new tickets."""

    reason = "SERVICE_CLOSED"


class KioskClockWrong(WrongState):
    """The kiosk's clock is further off than the branch tolerates."""

    reason = "KIOSK_CLOCK_WRONG"


class TicketEnded(WrongState):
    """The ticket has ended; `facts` tell how."""

    reason = "TICKET_ENDED"


class TicketNotInState(WrongState):
    """The ticket is not in the state that the command needs."""

    reason = "TICKET_STATE"


class TicketAtAnotherDesk(WrongState):
    """Another desk has called the ticket, or serves it."""

    reason = "TICKET_AT_ANOTHER_DESK"


class DeskNotOpen(WrongState):
    """Nobody who is signed in sits at the desk."""

    reason = "DESK_NOT_OPEN"


class DeskTaken(WrongState):
    """Another agent sits at the desk."""

    reason = "DESK_TAKEN"


class DeskBusy(WrongState):
    """A visitor is called to the desk or is there, or the clerk has no room for one more."""

    reason = "DESK_BUSY"


class SkillMissing(WrongState):
    """The clerk at the desk may not serve this ticket."""

    reason = "SKILL_MISSING"


class Exhausted(Refused):
    """A limit is reached; later it may pass."""


class QueueFull(Exhausted):
    """The queue has as many waiting as its policy allows, and nobody is free for one more."""

    reason = "QUEUE_FULL"


class PoolFull(Exhausted):
    """The pool holds as many contacts as its policy allows."""

    reason = "POOL_FULL"
