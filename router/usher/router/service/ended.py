"""Contacts that have left the pool: found in the store.

Their last state goes there with the record that retires them, and is read when somebody asks.
Private fields are not part of it. What is added to a contact comes last, with a default: these
states are read for as long as the journal keeps them. It must not know messages or gRPC.
"""

from collections.abc import Iterable

import msgspec

from usher.queue.events import AnyEvent, ContactsRetired
from usher.queue.journal.contract import (
    EndedContact,
    Journal,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
)
from usher.queue.ledger import Ledger
from usher.queue.state import Contact
from usher.queue.values import ContactId
from usher.router.service.outage import Outage
from usher.router.service.unavailable import PoolUnavailable

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Contact)


def last_states(ledger: Ledger, events: Iterable[AnyEvent]) -> list[EndedContact]:
    """Returns the contacts that these events, not applied yet, take out of the pool."""
    return [
        EndedContact(contact_id, _ENCODER.encode(ledger.contacts[contact_id]))
        for event in events
        if isinstance(event, ContactsRetired)
        for contact_id in event.contact_ids
    ]


async def find_ended(journal: Journal, outage: Outage, contact_id: ContactId) -> Contact | None:
    """Returns a contact that has left the pool, None if the store has none of this id (any more).

    Raises JournalAway, PoolUnavailable, JournalCorrupt.
    """
    try:
        content = await journal.ended(contact_id)
    except JournalUnavailable:
        raise outage.refusal() from None
    except JournalCorrupt:
        raise
    except JournalError:
        raise PoolUnavailable("the pool has stopped") from None
    if content is None:
        return None
    try:
        return _DECODER.decode(content)
    except msgspec.MsgspecError as error:
        raise JournalCorrupt(f"the last state of {contact_id} does not decode") from error
