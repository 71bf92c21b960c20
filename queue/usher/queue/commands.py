"""Commands: what a pool may be asked to do. Each names its actor.

Pure data, tagged: commands stand in the journal beside the events they led to. Private fields
(names, numbers, free text) are never part of a command; they travel beside it.
"""

from msgspec import Struct

from usher.queue.branches import Branches, BranchName, Calendar, ServiceName
from usher.queue.rules import Policy, Roster
from usher.queue.tickets import Place, VisitOutcome
from usher.queue.values import (
    NEVER_MS,
    Actor,
    AgentId,
    ChannelName,
    ChannelPreference,
    ContactId,
    LegId,
    LegState,
    NewContact,
    Presence,
    QueueName,
    Relationship,
    Urgency,
)


class Command(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Base of all commands."""

    actor: Actor


class EnqueueContact(Command, frozen=True, array_like=True, tag=True, gc=False):
    """A contact arrives and waits for an agent."""

    contact: NewContact


class EnqueueContacts(Command, frozen=True, array_like=True, tag=True, gc=False):
    """Up to 1,000 contacts arrive together: all or none."""

    contacts: tuple[NewContact, ...]


class FactChanges(Struct, frozen=True, array_like=True, gc=False):
    """New values for the facts of a contact; None leaves a fact as it is."""

    topic: str | None = None
    complexity: int | None = None
    languages: tuple[str, ...] | None = None
    customer_id: str | None = None
    journey_id: str | None = None
    urgency: Urgency | None = None
    relationships: tuple[Relationship, ...] | None = None
    preferences: tuple[ChannelPreference, ...] | None = None


class UpdateContact(Command, frozen=True, array_like=True, tag=True, gc=False):
    """More has become known of a contact."""

    contact_id: ContactId
    changes: FactChanges


class AbandonContact(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The customer left. Before an agent was active: abandoned; after that: completed."""

    contact_id: ContactId


class CancelContact(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The contact is called off by its platform or a person."""

    contact_id: ContactId
    reason: str = ""


class ConnectContact(Command, frozen=True, array_like=True, tag=True, gc=False):
    """A fact: customer and agent are connected. `agent_id` empty = the agent of the owner leg."""

    contact_id: ContactId
    agent_id: AgentId = AgentId("")


class ConnectFailed(Command, frozen=True, array_like=True, tag=True, gc=False):
    """A fact: joining customer and agent has failed."""

    contact_id: ContactId
    reason: str = ""


class HoldContact(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The owner put the customer on hold."""

    contact_id: ContactId


class ResumeContact(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The owner came back from hold."""

    contact_id: ContactId


class StartContact(Command, frozen=True, array_like=True, tag=True, gc=False):
    """A fact: an agent began work outside the router. `leg_state` is joining or active."""

    contact: NewContact
    agent_id: AgentId
    leg_state: LegState = LegState.ACTIVE


class CompleteContact(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The work with the customer is done; wrap-up may follow. `resolved` None = not said."""

    contact_id: ContactId
    disposition: str = ""
    resolved: bool | None = None


class RequeueContact(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The contact goes back to wait, in its own queue (empty) or another."""

    contact_id: ContactId
    queue: QueueName = QueueName("")
    reason: str = ""


class SyncContacts(Command, frozen=True, array_like=True, tag=True, gc=False):
    """A platform states all its live contacts of one channel, as of a journal position."""

    channel: ChannelName
    as_of_position: int
    live: tuple[ContactId, ...]


class SignIn(Command, frozen=True, array_like=True, tag=True, gc=False):
    """An agent's desktop takes up the agent's session; an earlier session ends.

    `lease_ms`: without a sign of life for so long the session counts as lost (0 = never).
    """

    agent_id: AgentId
    presence: Presence = Presence.READY
    reason: str = ""
    lease_ms: int = 0


class SetPresence(Command, frozen=True, array_like=True, tag=True, gc=False):
    """Ready, not-ready with a reason, or draining. `session` 0 = given by the platform."""

    agent_id: AgentId
    session: int
    presence: Presence
    reason: str = ""


class SignOut(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The agent leaves; with live work it drains first."""

    agent_id: AgentId
    session: int


class LoseSession(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The desktop of this session gave no sign of life for its lease."""

    agent_id: AgentId
    session: int


class AcceptOffer(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The agent takes the offered contact; a platform may say so for the agent (session 0)."""

    agent_id: AgentId
    leg_id: LegId
    session: int = 0


class DeclineOffer(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The agent does not take the offered contact."""

    agent_id: AgentId
    leg_id: LegId
    session: int = 0
    reason: str = ""


class FinishWrapUp(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The agent's work after the contact is done."""

    agent_id: AgentId
    leg_id: LegId
    session: int = 0


class JoinLine(Command, frozen=True, array_like=True, tag=True, gc=False):
    """A visitor takes a ticket; the contact's id is the kiosk's `join_id`, its queue is empty.

    `kiosk_ms`: when the visitor asked, by the kiosk's clock; NEVER_MS = not said.
    """

    contact: NewContact
    branch: BranchName
    service: ServiceName
    party_size: int = 1
    needs: tuple[str, ...] = ()
    kiosk_ms: int = NEVER_MS


class LeaveLine(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The visitor gives the ticket up."""

    contact_id: ContactId


class DeskCommand(Command, frozen=True, array_like=True, tag=True, gc=False):
    """Base of what is done at a desk. `session` of the agent there; 0 = a platform speaks."""

    branch: BranchName
    desk: str
    session: int


class OpenDesk(DeskCommand, frozen=True, array_like=True, tag=True, gc=False):
    """An agent who is signed in sits down at a desk."""

    agent_id: AgentId


class CloseDesk(DeskCommand, frozen=True, array_like=True, tag=True, gc=False):
    """The agent leaves the desk; not with a visitor there."""


class CallNext(DeskCommand, frozen=True, array_like=True, tag=True, gc=False):
    """The ticket that score and order put first for this desk is called; none is no error."""


class TicketCommand(DeskCommand, frozen=True, array_like=True, tag=True, gc=False):
    """Base of what a desk does with one ticket."""

    contact_id: ContactId


class CallTicket(TicketCommand, frozen=True, array_like=True, tag=True, gc=False):
    """This waiting ticket is called."""


class RecallTicket(TicketCommand, frozen=True, array_like=True, tag=True, gc=False):
    """The called ticket is called once more."""


class StartServing(TicketCommand, frozen=True, array_like=True, tag=True, gc=False):
    """A fact: the visitor is at the desk."""


class MarkNoShow(TicketCommand, frozen=True, array_like=True, tag=True, gc=False):
    """The called visitor did not come."""


class ReturnTicket(TicketCommand, frozen=True, array_like=True, tag=True, gc=False):
    """The ticket goes back to its line."""

    place: Place = Place.FIRST
    reason: str = ""


class TransferTicket(TicketCommand, frozen=True, array_like=True, tag=True, gc=False):
    """The visitor goes on to wait for another service, with the time waited so far."""

    service: ServiceName
    reason: str = ""


class FinishServing(TicketCommand, frozen=True, array_like=True, tag=True, gc=False):
    """The visit is over, by the clerk's word."""

    outcome: VisitOutcome
    disposition: str = ""
    resolved: bool | None = None


class ServeWithoutTicket(DeskCommand, frozen=True, array_like=True, tag=True, gc=False):
    """A fact: a visitor without a ticket is served; the contact's queue is empty."""

    contact: NewContact
    service: ServiceName
    party_size: int = 1


class ExpireDeadlines(Command, frozen=True, array_like=True, tag=True, gc=False):
    """What is due by now happens (recorded by the runner)."""


class MatchContacts(Command, frozen=True, array_like=True, tag=True, gc=False):
    """Waiting contacts are offered to free agents (recorded by the runner, if with effect)."""


class OpenPool(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The server took up the pool: the versions it computes with, and the rate of its clock."""

    usher_version: str
    numpy_version: str
    scipy_version: str
    clock_rate: int = 1


class SetPolicy(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The policy is replaced whole."""

    policy: Policy


class SetRoster(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The roster is replaced whole."""

    roster: Roster


class SetBranches(Command, frozen=True, array_like=True, tag=True, gc=False):
    """The branches are replaced whole."""

    branches: Branches


class SetCalendar(Command, frozen=True, array_like=True, tag=True, gc=False):
    """Hours and service days are replaced whole."""

    calendar: Calendar


ContactCommand = (
    EnqueueContact
    | EnqueueContacts
    | UpdateContact
    | AbandonContact
    | CancelContact
    | ConnectContact
    | ConnectFailed
    | HoldContact
    | ResumeContact
    | StartContact
    | CompleteContact
    | RequeueContact
    | SyncContacts
)
AgentCommand = (
    SignIn | SetPresence | SignOut | LoseSession | AcceptOffer | DeclineOffer | FinishWrapUp
)
WalkInCommand = (
    JoinLine
    | LeaveLine
    | OpenDesk
    | CloseDesk
    | CallNext
    | CallTicket
    | RecallTicket
    | StartServing
    | MarkNoShow
    | ReturnTicket
    | TransferTicket
    | FinishServing
    | ServeWithoutTicket
)
PoolCommand = (
    ExpireDeadlines | MatchContacts | OpenPool | SetPolicy | SetRoster | SetBranches | SetCalendar
)
AnyCommand = ContactCommand | AgentCommand | WalkInCommand | PoolCommand
