"""Pages of contacts and agents: they end at their size, or at a number of bytes."""

from hashlib import blake2b

import msgspec
from msgspec import Struct

from usher.queue.values import Presence
from usher.router.pool import Pool
from usher.router.service.wire import fields, views
from usher.router.service.wire.router import ContactFilter
from usher.router.service.wire.tokens import PageToken, Sealer
from usher.v1 import agent_service_pb2, router_service_pb2

BYTES_MAX = 2 * 1024 * 1024


class Place(Struct, frozen=True):
    """Where a page begins: after the entry `after`; tokens are sealed for `list_name`."""

    list_name: str
    after: int | str
    size: int
    sealer: Sealer

    def token(self, after: int | str) -> str:
        """Returns the token of the page that begins after this entry."""
        return self.sealer.seal(PageToken(self.list_name, after))


def contacts_place(
    request: router_service_pb2.ListContactsRequest, wanted: ContactFilter, sealer: Sealer
) -> Place:
    """Returns where the page of contacts begins; raises Invalid."""
    return _place("contacts", (request.page_size, request.page_token), wanted, sealer, -1)


def agents_place(
    request: agent_service_pb2.ListAgentsRequest, wanted: tuple[Presence, ...], sealer: Sealer
) -> Place:
    """Returns where the page of agents begins; raises Invalid."""
    return _place("agents", (request.page_size, request.page_token), wanted, sealer, "")


def contacts_page(wanted: ContactFilter, place: Place, pool: Pool) -> bytes:
    """Returns the reply of ListContacts."""
    after = place.after if isinstance(place.after, int) else -1
    found = (
        contact
        for contact in pool.ledger.contacts.values()
        if contact.sequence > after and wanted.shows(contact)
    )
    reply = router_service_pb2.ListContactsResponse(position=pool.position)
    last, size = None, 0
    for contact in found:
        if len(reply.contacts) == place.size or size >= BYTES_MAX:
            reply.next_page_token = place.token(last.sequence if last else -1)
            break
        view = views.contact_view(contact)
        reply.contacts.append(view)
        last, size = contact, size + view.ByteSize()
    return reply.SerializeToString()


def agents_page(wanted: tuple[Presence, ...], place: Place, pool: Pool) -> bytes:
    """Returns the reply of ListAgents."""
    agents = pool.ledger.agents
    after = str(place.after)
    reply = agent_service_pb2.ListAgentsResponse(position=pool.position)
    for agent_id in sorted(name for name in agents if name > after):
        if wanted and agents[agent_id].presence not in wanted:
            continue
        if len(reply.agents) == place.size:
            reply.next_page_token = place.token(reply.agents[-1].agent_id)
            break
        reply.agents.append(views.agent_view(pool.ledger, agents[agent_id]))
    return reply.SerializeToString()


def _place(
    kind: str,
    page: tuple[int, str],
    wanted: object,
    sealer: Sealer,
    start: int | str,
) -> Place:
    """The name of a list holds its filter, so that a token of another filter is noticed."""
    size = fields.page_size_of(page[0])
    digest = blake2b(msgspec.msgpack.encode(wanted), digest_size=8).hexdigest()
    list_name = f"{kind}/{digest}"
    token = sealer.open_page(page[1], list_name)
    return Place(list_name, start if token is None else token.after, size, sealer)
