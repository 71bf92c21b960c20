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


class Exists(Refused):
    """Something to be made is already there."""


class ContactExists(Exists):
    """A contact of this id is already in the pool."""

    reason = "CONTACT_EXISTS"


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


class Exhausted(Refused):
    """A limit is reached; later it may pass."""


class QueueFull(Exhausted):
    """The queue has as many waiting as its policy allows, and nobody is free for one more."""

    reason = "QUEUE_FULL"


class PoolFull(Exhausted):
    """The pool holds as many contacts as its policy allows."""

    reason = "POOL_FULL"
