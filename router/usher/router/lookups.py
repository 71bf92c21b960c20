"""Finding what a command names, or refusing it with the right reason. Reads the ledger only."""

from typing import Final

from usher.queue.commands import Command
from usher.queue.errors import (
    ContactEnded,
    Invalid,
    NotSignedIn,
    SessionSuperseded,
    UnknownAgent,
    UnknownChannel,
    UnknownContact,
    WrongState,
)
from usher.queue.ledger import Ledger
from usher.queue.rules import ChannelRules, Policy, QueueRules
from usher.queue.state import Agent, Contact
from usher.queue.values import (
    ActorKind,
    AgentId,
    ChannelName,
    ContactId,
    ContactState,
    LegState,
    Presence,
)

_NO_RULES = ChannelRules()

# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_ENDED: Final = ContactState.ENDED
_WRAPPING: Final = LegState.WRAPPING


class NotConfigured(WrongState):
    """The pool has no policy or roster yet."""

    reason = "POOL_NOT_CONFIGURED"


def policy_of(ledger: Ledger) -> Policy:
    """Returns the policy; raises NotConfigured before the first one is set."""
    if ledger.policy is None:
        raise NotConfigured("the pool has no policy yet")
    return ledger.policy


def live_contact(ledger: Ledger, contact_id: ContactId) -> Contact:
    """Returns the contact; raises UnknownContact, or ContactEnded with its outcome."""
    contact = ledger.contacts.get(contact_id)
    if contact is None:
        raise UnknownContact(f"no contact {contact_id!r} in this pool", contact_id=contact_id)
    if contact.state is _ENDED:
        raise ContactEnded(
            f"contact {contact_id!r} has ended: {contact.outcome.value}",
            contact_id=contact_id,
            state=contact.state.value,
            outcome=contact.outcome.value,
        )
    return contact


def known_agent(ledger: Ledger, agent_id: AgentId) -> Agent:
    """Returns the agent's record; raises UnknownAgent."""
    agent = ledger.agents.get(agent_id)
    if agent is None:
        raise UnknownAgent(f"no agent {agent_id!r} in the roster", agent_id=agent_id)
    return agent


def agent_in_session(ledger: Ledger, command: Command, agent_id: AgentId, session: int) -> Agent:
    """Returns the agent if the session is the present one.

    Session 0 stands for a platform or supervisor that speaks for the agent; an agent's own command
    names its session. Raises UnknownAgent, SessionSuperseded, Invalid.
    """
    agent = known_agent(ledger, agent_id)
    if session == 0 and command.actor.kind is ActorKind.AGENT:
        raise Invalid("session", "an agent's own command names the session of its sign-in")
    if session and (session != agent.session or agent.lost):
        raise SessionSuperseded(
            f"session {session} of agent {agent_id!r} is over; the present one is {agent.session}",
            agent_id=agent_id,
            session=session,
            present_session=agent.session,
        )
    return agent


def signed_in(agent: Agent) -> Agent:
    """Returns the agent; raises NotSignedIn if it is offline."""
    if agent.presence is Presence.OFFLINE:
        raise NotSignedIn(
            f"agent {agent.agent_id!r} is not signed in",
            agent_id=agent.agent_id,
            presence=agent.presence.value,
        )
    return agent


def known_channel(ledger: Ledger, channel: ChannelName) -> ChannelRules:
    """Returns the channel's rules; raises UnknownChannel."""
    rules = ledger.channels.get(channel)
    if rules is None:
        policy_of(ledger)
        raise UnknownChannel(f"no channel {channel!r} in the policy", channel=channel)
    return rules


def channel_rules(ledger: Ledger, channel: ChannelName) -> ChannelRules:
    """Returns the rules of a live contact's channel (plain ones if the policy lost them)."""
    return ledger.channels.get(channel, _NO_RULES)


def queue_rules(ledger: Ledger, contact: Contact) -> QueueRules | None:
    """Returns the rules of the contact's queue; None for work that never had a queue."""
    return ledger.queues.get(contact.facts.queue)


def wrap_until_ms(ledger: Ledger, contact: Contact, at_ms: int) -> int:
    """Returns when wrap-up of the contact's leg ends at the latest; 0 = there is none."""
    facts = contact.facts
    queue = ledger.queues.get(facts.queue)
    wrap_up_ms = queue.wrap_up_ms if queue is not None else None
    if wrap_up_ms is None:
        wrap_up_ms = ledger.channels.get(facts.channel, _NO_RULES).wrap_up_ms
    return at_ms + wrap_up_ms if wrap_up_ms else 0


def retire_at_ms(ledger: Ledger, contact: Contact, at_ms: int, wrap_until: int) -> int:
    """Returns when a contact ending now leaves the pool: after the last wrap-up of its legs."""
    last_ms = max(at_ms, wrap_until)
    for leg in contact.legs:
        if leg.state is _WRAPPING:
            last_ms = max(last_ms, leg.due_ms)
    ticket = ledger.tickets.get(contact.contact_id)
    if ticket is not None:  # until its day is over a kiosk may ask for it again
        last_ms = max(last_ms, ticket.closes_ms)
    return last_ms + policy_of(ledger).ended_kept_ms


def pause_until_ms(ledger: Ledger, contact: Contact, at_ms: int) -> int:
    """Returns until when the pair pauses after a decline, a miss or a failure; 0 = not at all."""
    queue = queue_rules(ledger, contact)
    if queue is None or queue.decline_pause_ms == 0:
        return 0
    return at_ms + queue.decline_pause_ms
