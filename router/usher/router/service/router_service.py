"""RouterService: what platforms ask. Each method translates, submits, and translates back."""

from collections.abc import Mapping
from functools import partial

from usher.queue import commands
from usher.queue.errors import UnknownContact
from usher.queue.journal.contract import PrivateFields
from usher.queue.values import Actor
from usher.router.pool import Pool
from usher.router.service.access import DEFAULT_PLATFORM
from usher.router.service.contact_watch import watch_contacts
from usher.router.service.ended import find_ended
from usher.router.service.rpc import BATCH_BYTES_MAX, Method, Unary, Watch
from usher.router.service.served import Call, named_contact
from usher.router.service.wire import fields, pages
from usher.router.service.wire import router as wire
from usher.router.service.wire.answers import position_answer
from usher.router.service.wire.contacts import change_of, private_fields, wanted_contact
from usher.v1 import router_service_pb2 as pb

NAME = "usher.v1.RouterService"


async def enqueue_contact(request: pb.EnqueueContactRequest, call: Call) -> bytes:
    """Adds a contact."""
    wanted = wanted_contact(request.contact)
    contact = named_contact(wanted.contact)
    command = commands.EnqueueContact(call.actor, contact)
    asked = (commands.EnqueueContact(call.actor, wanted.contact), wanted.private)
    private = private_fields(contact.contact_id, wanted.private)
    answer = partial(wire.enqueue_answer, contact.contact_id)
    return await call.submit(request.request_id, command, answer, private, asked)


async def enqueue_contacts(request: pb.EnqueueContactsRequest, call: Call) -> bytes:
    """Adds up to 1,000 contacts, all or none."""
    wanted = wire.wanted_contacts(request)
    contacts = tuple(named_contact(one.contact) for one in wanted)
    contact_ids = tuple(contact.contact_id for contact in contacts)
    private = tuple(
        PrivateFields(contact_id, one.private)
        for contact_id, one in zip(contact_ids, wanted, strict=True)
        if one.private
    )
    command = commands.EnqueueContacts(call.actor, contacts)
    asked = ("EnqueueContacts", call.actor, wanted)
    answer = partial(wire.enqueue_all_answer, contact_ids)
    return await call.submit(request.request_id, command, answer, private, asked)


async def get_contact(request: pb.GetContactRequest, call: Call) -> bytes:
    """Returns one contact, with its attributes while it is in the pool."""
    contact_id = fields.contact_id_of(request.contact_id)
    runner = call.pool.runner

    def view(pool: Pool) -> bytes:
        return wire.contact_reply(contact_id, pool, runner.private.get(contact_id))

    try:
        return await runner.read(view)
    except UnknownContact:
        contact = await find_ended(runner.journal, runner.outage, contact_id)
        if contact is None:
            raise
        return wire.ended_reply(contact, await runner.read(_position))


async def list_contacts(request: pb.ListContactsRequest, call: Call) -> bytes:
    """Returns contacts by arrival."""
    wanted = wire.list_filter(request)
    place = pages.contacts_place(request, wanted, call.pool.sealer)
    return await call.pool.runner.read(partial(pages.contacts_page, wanted, place))


async def update_contact(request: pb.UpdateContactRequest, call: Call) -> bytes:
    """Changes what is known of a contact."""
    change = change_of(request.contact, tuple(request.update_mask.paths))
    command = wire.update_command(request, call.actor, change)
    asked = (command, change.private)
    private: tuple[PrivateFields, ...] = ()
    if change.private is not None:
        private = (PrivateFields(command.contact_id, change.private or None),)
    return await call.submit(request.request_id, command, _UPDATED, private, asked)


async def abandon_contact(request: pb.AbandonContactRequest, call: Call) -> bytes:
    """The customer left."""
    contact_id = fields.contact_id_of(request.contact_id)
    command = commands.AbandonContact(call.actor, contact_id)
    return await call.submit(request.request_id, command, wire.abandon_answer)


async def cancel_contact(request: pb.CancelContactRequest, call: Call) -> bytes:
    """Calls a contact off."""
    command = wire.cancel_command(request, call.actor)
    return await call.submit(request.request_id, command, _CANCELLED)


async def connect_contact(request: pb.ConnectContactRequest, call: Call) -> bytes:
    """A fact: customer and agent are connected."""
    command = wire.connect_command(request, call.actor)
    answer = partial(wire.connect_answer, command.contact_id)
    return await call.submit(request.request_id, command, answer)


async def connect_failed(request: pb.ConnectFailedRequest, call: Call) -> bytes:
    """A fact: joining customer and agent has failed."""
    command = wire.connect_failed_command(request, call.actor)
    answer = partial(wire.connect_failed_answer, command.contact_id)
    return await call.submit(request.request_id, command, answer)


async def hold_contact(request: pb.HoldContactRequest, call: Call) -> bytes:
    """The owner put the customer on hold."""
    contact_id = fields.contact_id_of(request.contact_id)
    command = commands.HoldContact(call.actor, contact_id)
    return await call.submit(request.request_id, command, _HELD)


async def resume_contact(request: pb.ResumeContactRequest, call: Call) -> bytes:
    """The owner came back from hold."""
    contact_id = fields.contact_id_of(request.contact_id)
    command = commands.ResumeContact(call.actor, contact_id)
    return await call.submit(request.request_id, command, _RESUMED)


async def start_contact(request: pb.StartContactRequest, call: Call) -> bytes:
    """A fact: an agent began work outside the router."""
    wanted = wanted_contact(request.contact, queue_needed=False)
    contact = named_contact(wanted.contact)
    command = wire.start_command(request, call.actor, contact)
    asked = (wire.start_command(request, call.actor, wanted.contact), wanted.private)
    private = private_fields(contact.contact_id, wanted.private)
    answer = partial(wire.start_answer, contact.contact_id)
    return await call.submit(request.request_id, command, answer, private, asked)


async def complete_contact(request: pb.CompleteContactRequest, call: Call) -> bytes:
    """The work with the customer is done."""
    command = wire.complete_command(request, call.actor)
    answer = partial(wire.complete_answer, command.contact_id)
    return await call.submit(request.request_id, command, answer)


async def requeue_contact(request: pb.RequeueContactRequest, call: Call) -> bytes:
    """Puts an engaged contact back to wait."""
    command = wire.requeue_command(request, call.actor)
    answer = partial(wire.requeue_answer, command.contact_id)
    return await call.submit(request.request_id, command, answer)


async def sync_contacts(request: pb.SyncContactsRequest, call: Call) -> bytes:
    """A platform states all its live contacts of one channel."""
    command = wire.sync_command(request, call.actor)
    answer = partial(wire.sync_answer, command.live)
    return await call.submit(request.request_id, command, answer)


def _position(pool: Pool) -> int:
    return pool.position


_UPDATED = position_answer(pb.UpdateContactResponse)
_CANCELLED = position_answer(pb.CancelContactResponse)
_HELD = position_answer(pb.HoldContactResponse)
_RESUMED = position_answer(pb.ResumeContactResponse)


def _platform(_request: object) -> Actor:
    return DEFAULT_PLATFORM


METHODS: Mapping[str, Method] = {
    "EnqueueContact": Unary(pb.EnqueueContactRequest, enqueue_contact, _platform),
    "EnqueueContacts": Unary(
        pb.EnqueueContactsRequest, enqueue_contacts, _platform, BATCH_BYTES_MAX
    ),
    "GetContact": Unary(pb.GetContactRequest, get_contact, _platform),
    "ListContacts": Unary(pb.ListContactsRequest, list_contacts, _platform),
    "UpdateContact": Unary(pb.UpdateContactRequest, update_contact, _platform),
    "AbandonContact": Unary(pb.AbandonContactRequest, abandon_contact, _platform),
    "CancelContact": Unary(pb.CancelContactRequest, cancel_contact, _platform),
    "ConnectContact": Unary(pb.ConnectContactRequest, connect_contact, _platform),
    "ConnectFailed": Unary(pb.ConnectFailedRequest, connect_failed, _platform),
    "HoldContact": Unary(pb.HoldContactRequest, hold_contact, _platform),
    "ResumeContact": Unary(pb.ResumeContactRequest, resume_contact, _platform),
    "StartContact": Unary(pb.StartContactRequest, start_contact, _platform),
    "CompleteContact": Unary(pb.CompleteContactRequest, complete_contact, _platform),
    "RequeueContact": Unary(pb.RequeueContactRequest, requeue_contact, _platform),
    "SyncContacts": Unary(pb.SyncContactsRequest, sync_contacts, _platform, BATCH_BYTES_MAX),
    "WatchContacts": Watch(pb.WatchContactsRequest, watch_contacts, _platform),
}
