"""WatchContacts: the contacts of a pool, or of some of its queues, as they change."""

from collections.abc import Iterator

from usher.queue.state import Contact
from usher.queue.values import AgentId, ContactId, ContactState
from usher.router.pool import Pool
from usher.router.service.rpc import Write
from usher.router.service.served import Call
from usher.router.service.watching import BOOKMARK_S, Changes, Watching, portions
from usher.router.service.wire import views
from usher.router.service.wire.router import ContactFilter, watch_filter
from usher.v1 import router_service_pb2 as pb

CONTACTS_PER_MESSAGE = 250
IDS_PER_MESSAGE = 10_000


async def watch_contacts(request: pb.WatchContactsRequest, call: Call, write: Write) -> None:
    """Streams the contacts that the filter shows."""
    view = ContactsView(watch_filter(request))
    await Watching(call.pool, view, write).run(request.token)


class ContactsView:
    """Contacts without attributes.

    With a filter it keeps the ids that the watcher holds, to tell which have left. Of changes that
    a resuming watcher missed it cannot know that, and names all that do not pass the filter.
    """

    agent_id: AgentId | None = None
    every_s = BOOKMARK_S
    content = pb.WatchContactsResponse

    def __init__(self, wanted: ContactFilter) -> None:
        self.name = f"contacts/{'/'.join(wanted.queues)}"
        self._wanted = wanted
        self._held: set[ContactId] = set()
        self._missed_through = 0

    def snapshot(self, pool: Pool) -> Iterator[pb.WatchContactsResponse]:
        """See View."""
        shown = [
            contact
            for contact in pool.ledger.contacts.values()
            if contact.state is not ContactState.ENDED and self._wanted.shows(contact)
        ]
        self._hold(shown)
        return _messages(shown, [])

    def resume(self, pool: Pool) -> None:
        """See View."""
        self._hold([one for one in pool.ledger.contacts.values() if self._wanted.shows(one)])
        self._missed_through = pool.position

    def changes(self, changes: Changes) -> Iterator[pb.WatchContactsResponse]:
        """See View."""
        shown = [one for one in changes.contacts.values() if self._wanted.shows(one)]
        if not self._wanted.queues:
            return _messages(shown, list(changes.retired))
        gone = [
            contact.contact_id for contact in changes.contacts.values() if self._leaves(contact)
        ]
        gone += [
            name for name in changes.retired if name in self._held or name not in changes.contacts
        ]
        self._held.difference_update(gone)
        self._hold(shown)
        return _messages(shown, gone)

    def alive(self) -> None:
        """See View."""

    def _leaves(self, contact: Contact) -> bool:
        held = contact.contact_id in self._held
        missed = contact.changed_position <= self._missed_through
        return (held or missed) and not self._wanted.shows(contact)

    def _hold(self, contacts: list[Contact]) -> None:
        if self._wanted.queues:
            self._held.update(contact.contact_id for contact in contacts)


def _messages(shown: list[Contact], gone: list[ContactId]) -> Iterator[pb.WatchContactsResponse]:
    for some in portions(shown, CONTACTS_PER_MESSAGE):
        contacts = [views.contact_view(contact) for contact in some]
        yield pb.WatchContactsResponse(contacts=contacts)
    for ids in portions(gone, IDS_PER_MESSAGE):
        yield pb.WatchContactsResponse(gone_contact_ids=ids)
