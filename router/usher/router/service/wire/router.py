"""RouterService: from requests to commands, and from what came of them to replies.

`*_command` raise Invalid. `*_answer` are called when the batch of the command was executed and give
the bytes of the reply, which are remembered with the request id: they never hold a private field.
"""

from collections.abc import Iterable

from msgspec import Struct

from usher.queue import commands, events
from usher.queue.errors import UnknownContact
from usher.queue.ledger import Ledger
from usher.queue.state import Contact
from usher.queue.values import (
    Actor,
    AgentId,
    ChannelName,
    ContactId,
    ContactState,
    LegState,
    NewContact,
    Outcome,
    QueueName,
)
from usher.router.pool import Pool
from usher.router.service.wire import choices, fields, views
from usher.router.service.wire.answers import Events
from usher.router.service.wire.contacts import Change, Wanted, wanted_contact
from usher.v1 import router_service_pb2 as pb

CONTACTS_MAX = 1_000
SYNC_MAX = 100_000
NAMED_MAX = 1_000
QUEUES_MAX = 100
LIVE_STATES = tuple(state for state in ContactState if state is not ContactState.ENDED)


def wanted_contacts(request: pb.EnqueueContactsRequest) -> tuple[Wanted, ...]:
    """Returns the checked contacts of a batch; raises Invalid."""
    fields.whole(len(request.contacts), "contacts", 1, CONTACTS_MAX)
    return tuple(
        wanted_contact(contact, f"contacts[{index}]")
        for index, contact in enumerate(request.contacts)
    )


def update_command(
    request: pb.UpdateContactRequest, actor: Actor, change: Change
) -> commands.UpdateContact:
    """Returns the command; private fields travel beside it."""
    contact_id = fields.contact_id_of(request.contact.contact_id, "contact.contact_id")
    return commands.UpdateContact(actor, contact_id, change.facts)


def cancel_command(request: pb.CancelContactRequest, actor: Actor) -> commands.CancelContact:
    """Returns the command."""
    return commands.CancelContact(
        actor,
        fields.contact_id_of(request.contact_id),
        fields.optional_code(request.reason, "reason"),
    )


def connect_command(request: pb.ConnectContactRequest, actor: Actor) -> commands.ConnectContact:
    """Returns the command."""
    agent_id = fields.optional_id(request.agent_id, "agent_id")
    return commands.ConnectContact(
        actor, fields.contact_id_of(request.contact_id), AgentId(agent_id)
    )


def connect_failed_command(
    request: pb.ConnectFailedRequest, actor: Actor
) -> commands.ConnectFailed:
    """Returns the command."""
    return commands.ConnectFailed(
        actor,
        fields.contact_id_of(request.contact_id),
        fields.optional_code(request.reason, "reason"),
    )


def start_command(
    request: pb.StartContactRequest, actor: Actor, contact: NewContact
) -> commands.StartContact:
    """Returns the command."""
    return commands.StartContact(
        actor,
        contact,
        fields.agent_id_of(request.agent_id),
        fields.chosen(request.leg_state, "leg_state", choices.STARTING_STATES),
    )


def complete_command(request: pb.CompleteContactRequest, actor: Actor) -> commands.CompleteContact:
    """Returns the command."""
    return commands.CompleteContact(
        actor,
        fields.contact_id_of(request.contact_id),
        fields.optional_code(request.disposition, "disposition"),
        request.resolved if request.HasField("resolved") else None,
    )


def requeue_command(request: pb.RequeueContactRequest, actor: Actor) -> commands.RequeueContact:
    """Returns the command."""
    return commands.RequeueContact(
        actor,
        fields.contact_id_of(request.contact_id),
        QueueName(fields.optional_code(request.queue, "queue")),
        fields.optional_code(request.reason, "reason"),
    )


def sync_command(request: pb.SyncContactsRequest, actor: Actor) -> commands.SyncContacts:
    """Returns the command."""
    fields.at_most(len(request.contact_ids), "contact_ids", SYNC_MAX)
    live = tuple(fields.contact_id_of(name, "contact_ids") for name in request.contact_ids)
    position = fields.whole(request.as_of_position, "as_of_position", 0, fields.SESSION_MAX)
    channel = ChannelName(fields.needed_code(request.channel, "channel"))
    return commands.SyncContacts(actor, channel, position, live)


def enqueue_answer(contact_id: ContactId, pool: Pool, _happened: Events) -> bytes:
    """Returns the reply of EnqueueContact."""
    reply = pb.EnqueueContactResponse(position=pool.position)
    _fill_placement(reply.placement, pool, contact_id)
    return reply.SerializeToString()


def enqueue_all_answer(contact_ids: Iterable[ContactId], pool: Pool, _happened: Events) -> bytes:
    """Returns the reply of EnqueueContacts."""
    reply = pb.EnqueueContactsResponse(position=pool.position)
    for contact_id in contact_ids:
        _fill_placement(reply.placements.add(), pool, contact_id)
    return reply.SerializeToString()


def requeue_answer(contact_id: ContactId, pool: Pool, _happened: Events) -> bytes:
    """Returns the reply of RequeueContact."""
    reply = pb.RequeueContactResponse(position=pool.position)
    _fill_placement(reply.placement, pool, contact_id)
    return reply.SerializeToString()


def _fill_placement(place: pb.Placement, pool: Pool, contact_id: ContactId) -> None:
    """Tells where the contact stands: with an agent, or at a place in the queue (0 = neither)."""
    place.contact_id = contact_id
    contact = pool.ledger.contacts.get(contact_id)
    owner = contact.owner if contact is not None else None
    if owner is not None:
        views.fill_offer(place.offer, owner)
    else:
        place.queue_position = 0 if contact is None else pool.queue_position(contact_id)


def abandon_answer(pool: Pool, happened: Events) -> bytes:
    """Returns the reply of AbandonContact."""
    completed = any(isinstance(event, events.ContactCompleted) for event in happened)
    outcome = Outcome.COMPLETED if completed else Outcome.ABANDONED
    return pb.AbandonContactResponse(
        outcome=choices.OUTCOME_NUMBERS[outcome], position=pool.position
    ).SerializeToString()


def connect_answer(contact_id: ContactId, pool: Pool, _happened: Events) -> bytes:
    """Returns the reply of ConnectContact."""
    contact = pool.ledger.contacts.get(contact_id)
    owner = contact.owner if contact else None
    reply = pb.ConnectContactResponse(position=pool.position)
    if owner is not None:
        reply.leg_id, reply.agent_id = owner.leg_id, owner.agent_id
    return reply.SerializeToString()


def connect_failed_answer(contact_id: ContactId, pool: Pool, _happened: Events) -> bytes:
    """Returns the reply of ConnectFailed."""
    contact = pool.ledger.contacts.get(contact_id)
    state = contact.state if contact else ContactState.ENDED
    return pb.ConnectFailedResponse(
        state=choices.STATE_NUMBERS[state], position=pool.position
    ).SerializeToString()


def start_answer(contact_id: ContactId, pool: Pool, _happened: Events) -> bytes:
    """Returns the reply of StartContact."""
    contact = pool.ledger.contacts.get(contact_id)
    owner = contact.owner if contact else None
    return pb.StartContactResponse(
        contact_id=contact_id, leg_id=owner.leg_id if owner else "", position=pool.position
    ).SerializeToString()


def complete_answer(contact_id: ContactId, pool: Pool, _happened: Events) -> bytes:
    """Returns the reply of CompleteContact."""
    contact = pool.ledger.contacts.get(contact_id)
    wrapping = [
        leg.leg_id for leg in (contact.legs if contact else ()) if leg.state is LegState.WRAPPING
    ]
    return pb.CompleteContactResponse(
        wrapping_leg_ids=wrapping, position=pool.position
    ).SerializeToString()


def contact_reply(contact_id: ContactId, pool: Pool, private: bytes | None) -> bytes:
    """Returns the reply of GetContact; raises UnknownContact."""
    contact = pool.ledger.contacts.get(contact_id)
    if contact is None:
        raise UnknownContact(f"no contact {contact_id!r} in this pool", contact_id=contact_id)
    waits = contact.state is ContactState.WAITING and contact.owner is None
    return pb.GetContactResponse(
        contact=views.contact_view(contact, private=private),
        queue_position=pool.queue_position(contact_id) if waits else 0,
        position=pool.position,
    ).SerializeToString()


def ended_reply(contact: Contact, position: int) -> bytes:
    """Returns the reply of GetContact for one that has left the pool."""
    return pb.GetContactResponse(
        contact=views.contact_view(contact), position=position
    ).SerializeToString()


def sync_answer(live: tuple[ContactId, ...], pool: Pool, happened: Events) -> bytes:
    """Returns the reply of SyncContacts; the lists are cut, the counts are whole."""
    lost = [event.contact_id for event in happened if isinstance(event, events.ContactLost)]
    unknown = [name for name in live if not _is_live(pool.ledger, name)]
    return pb.SyncContactsResponse(
        lost_contact_ids=lost[:NAMED_MAX],
        lost_count=len(lost),
        unknown_contact_ids=unknown[:NAMED_MAX],
        unknown_count=len(unknown),
        position=pool.position,
    ).SerializeToString()


def _is_live(ledger: Ledger, contact_id: ContactId) -> bool:
    contact = ledger.contacts.get(contact_id)
    return contact is not None and contact.state is not ContactState.ENDED


def list_filter(request: pb.ListContactsRequest) -> "ContactFilter":
    """Returns which contacts a list shows."""
    states = tuple(
        fields.chosen(state, "states", choices.CONTACT_STATES) for state in request.states
    )
    queue = fields.optional_code(request.queue, "queue")
    channel = fields.optional_code(request.channel, "channel")
    return ContactFilter(
        (QueueName(queue),) if queue else (), ChannelName(channel), states or LIVE_STATES
    )


def watch_filter(request: pb.WatchContactsRequest) -> "ContactFilter":
    """Returns which contacts a watch shows."""
    fields.at_most(len(request.queues), "queues", QUEUES_MAX)
    names = sorted({fields.needed_code(name, "queues") for name in request.queues})
    return ContactFilter(tuple(QueueName(name) for name in names))


class ContactFilter(Struct, frozen=True):
    """Which contacts a list or a watch shows; empty = all."""

    queues: tuple[QueueName, ...] = ()
    channel: ChannelName = ChannelName("")
    states: tuple[ContactState, ...] = ()

    def shows(self, contact: Contact) -> bool:
        """Returns whether the contact, as it is now, belongs to the list."""
        return (
            (not self.queues or contact.facts.queue in self.queues)
            and (not self.channel or contact.facts.channel == self.channel)
            and (not self.states or contact.state in self.states)
        )
