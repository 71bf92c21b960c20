"""What a platform does with contacts."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Unpack

from google.protobuf.field_mask_pb2 import FieldMask

from usher.queue.values import ContactState, LegState, Outcome
from usher.router.client import results
from usher.router.client.calls import PoolCalls
from usher.router.client.requests import ContactOptions, new_contact
from usher.router.service.wire import choices
from usher.v1 import contact_pb2
from usher.v1 import router_service_pb2 as pb
from usher.v1.router_service_pb2_grpc import RouterServiceStub

Created = tuple[str, str, int]
"""Contact id, leg id, journal position."""


class ContactCalls(PoolCalls):
    """RouterService. Every method raises UsherError; `request_id` is made where it is not given."""

    _router: RouterServiceStub

    async def enqueue(
        self,
        queue: str,
        channel: str,
        *,
        request_id: str = "",
        **options: Unpack[ContactOptions],
    ) -> results.Placement:
        """Adds a contact and returns to whom it is offered, or its place in the queue."""
        request = pb.EnqueueContactRequest(contact=new_contact(queue, channel, **options))
        reply = await self._command(self._router.EnqueueContact, request, request_id)
        return results.placement_of(reply.placement, reply.position)

    async def enqueue_all(
        self, contacts: Sequence[contact_pb2.NewContact], *, request_id: str = ""
    ) -> list[results.Placement]:
        """Adds up to 1,000 contacts (made by `new_contact`), all or none; returns them in order."""
        request = pb.EnqueueContactsRequest(contacts=contacts)
        reply = await self._command(self._router.EnqueueContacts, request, request_id)
        return [results.placement_of(placement, reply.position) for placement in reply.placements]

    async def get_contact(self, contact_id: str) -> tuple[results.Contact, int]:
        """Returns the contact with its attributes, and its place in the queue (0 = not waiting)."""
        request = pb.GetContactRequest(pool=self._pool, contact_id=contact_id)
        reply = await self._caller.call(self._router.GetContact, request)
        return results.contact_of(reply.contact), reply.queue_position

    async def contacts(
        self, *, queue: str = "", channel: str = ""
    ) -> AsyncIterator[results.Contact]:
        """Yields the contacts that have not ended, by arrival, page by page."""
        request = pb.ListContactsRequest(
            pool=self._pool, page_size=1_000, queue=queue, channel=channel
        )
        while True:
            reply = await self._caller.call(self._router.ListContacts, request)
            for contact in reply.contacts:
                yield results.contact_of(contact)
            request.page_token = reply.next_page_token
            if not request.page_token:
                return

    async def update(
        self, contact_id: str, /, *, request_id: str = "", **changes: Unpack[ContactOptions]
    ) -> int:
        """Changes what is known of a contact (not origin, not waited); returns the position."""
        contact = new_contact("", "", **changes)
        contact.contact_id = contact_id
        paths = list(changes)
        request = pb.UpdateContactRequest(contact=contact, update_mask=FieldMask(paths=paths))
        return _position(await self._command(self._router.UpdateContact, request, request_id))

    async def abandon(self, contact_id: str, *, request_id: str = "") -> Outcome:
        """The customer left: abandoned, or completed when an agent had been there."""
        request = pb.AbandonContactRequest(contact_id=contact_id)
        reply = await self._command(self._router.AbandonContact, request, request_id)
        return choices.OUTCOMES[reply.outcome]

    async def cancel(self, contact_id: str, *, reason: str = "", request_id: str = "") -> int:
        """Calls a contact off; returns the position."""
        request = pb.CancelContactRequest(contact_id=contact_id, reason=reason)
        return _position(await self._command(self._router.CancelContact, request, request_id))

    async def connect_contact(
        self, contact_id: str, *, agent_id: str = "", request_id: str = ""
    ) -> Created:
        """A fact: customer and agent are connected (empty = the agent it was offered to)."""
        request = pb.ConnectContactRequest(contact_id=contact_id, agent_id=agent_id)
        reply = await self._command(self._router.ConnectContact, request, request_id)
        return contact_id, reply.leg_id, reply.position

    async def connect_failed(
        self, contact_id: str, *, reason: str = "", request_id: str = ""
    ) -> ContactState:
        """A fact: joining has failed; returns whether the contact waits again or has ended."""
        request = pb.ConnectFailedRequest(contact_id=contact_id, reason=reason)
        reply = await self._command(self._router.ConnectFailed, request, request_id)
        return choices.CONTACT_STATES[reply.state]

    async def hold(self, contact_id: str, *, request_id: str = "") -> int:
        """The owner put the customer on hold; returns the position."""
        request = pb.HoldContactRequest(contact_id=contact_id)
        return _position(await self._command(self._router.HoldContact, request, request_id))

    async def resume(self, contact_id: str, *, request_id: str = "") -> int:
        """The owner came back from hold; returns the position."""
        request = pb.ResumeContactRequest(contact_id=contact_id)
        return _position(await self._command(self._router.ResumeContact, request, request_id))

    async def start(
        self,
        agent_id: str,
        channel: str,
        *,
        queue: str = "",
        leg_state: LegState = LegState.ACTIVE,
        request_id: str = "",
        **options: Unpack[ContactOptions],
    ) -> Created:
        """A fact: an agent began work outside the router. `leg_state`: joining or active."""
        request = pb.StartContactRequest(
            contact=new_contact(queue, channel, **options),
            agent_id=agent_id,
            leg_state=choices.LEG_STATE_NUMBERS[leg_state],
        )
        reply = await self._command(self._router.StartContact, request, request_id)
        return reply.contact_id, reply.leg_id, reply.position

    async def complete(
        self,
        contact_id: str,
        *,
        disposition: str = "",
        resolved: bool | None = None,
        request_id: str = "",
    ) -> tuple[str, ...]:
        """The work with the customer is done; returns the legs that wrap up."""
        request = pb.CompleteContactRequest(
            contact_id=contact_id, disposition=disposition, resolved=resolved
        )
        reply = await self._command(self._router.CompleteContact, request, request_id)
        return tuple(reply.wrapping_leg_ids)

    async def requeue(
        self, contact_id: str, *, queue: str = "", reason: str = "", request_id: str = ""
    ) -> results.Placement:
        """Puts a contact back to wait, in its own queue (empty) or another."""
        request = pb.RequeueContactRequest(contact_id=contact_id, queue=queue, reason=reason)
        reply = await self._command(self._router.RequeueContact, request, request_id)
        return results.placement_of(reply.placement, reply.position)

    async def sync(
        self, channel: str, as_of_position: int, live: Sequence[str], *, request_id: str = ""
    ) -> results.Synced:
        """States all contacts of this platform that are live on the channel."""
        request = pb.SyncContactsRequest(
            channel=channel, as_of_position=as_of_position, contact_ids=live
        )
        return results.synced_of(
            await self._command(self._router.SyncContacts, request, request_id)
        )

    async def watch_contacts(
        self, queues: Sequence[str] = (), *, token: str = ""
    ) -> AsyncIterator[results.ContactsStep]:
        """Yields contacts as they change, from a snapshot on; a cut stream resumes by itself."""
        request = pb.WatchContactsRequest(pool=self._pool, queues=queues)
        watch = self._caller.watch(self._router.WatchContacts, request, token=token)
        async for message, begins in watch:
            yield results.contacts_step_of(message, begins=begins)


def _position(reply: Any) -> int:
    return int(reply.position)
