"""Watches over real gRPC: snapshot, numbered changes, tokens, resets, bookmarks, slow readers."""

import asyncio
from typing import Any

import grpc
import pytest
from tests.end_to_end.served import Refusal, Served, roster, served

from usher.queue.journal.memory import MemoryJournal
from usher.router.client import new_contact
from usher.router.service import watching
from usher.v1 import agent_service_pb2 as agents_pb
from usher.v1 import leg_pb2, watch_pb2
from usher.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.asyncio

SNAPSHOT = watch_pb2.WATCH_STEP_SNAPSHOT
CHANGES = watch_pb2.WATCH_STEP_CHANGES
BOOKMARK = watch_pb2.WATCH_STEP_BOOKMARK


class Watched:
    """A watcher's picture, kept as the protocol says."""

    def __init__(self) -> None:
        self.contacts: dict[str, Any] = {}
        self.position = 0
        self.token = ""
        self.messages: list[Any] = []

    def take_in(self, message: Any) -> None:
        head = message.head
        within = bool(self.messages) and self.messages[-1].head.more
        if head.step == SNAPSHOT and not within:
            self.contacts.clear()
        if head.step != SNAPSHOT:
            assert head.first_position == self.position + 1
        for contact in message.contacts:
            self.contacts[contact.contact_id] = contact
        for name in message.gone_contact_ids:
            self.contacts.pop(name, None)
        assert bool(head.token) != head.more
        if not head.more:
            self.position, self.token = head.position, head.token
        self.messages.append(message)

    async def until(self, stream: Any, position: int) -> None:
        while self.position < position:
            self.take_in(await stream.read())


async def test_a_watch_starts_with_a_snapshot_in_parts_and_goes_on_with_changes() -> None:
    async with served() as usher, usher.client() as client:
        await client.enqueue_all(
            [new_contact("main", "chat", contact_id=f"c{n}") for n in range(600)]
        )
        picture = Watched()
        stream = usher.router.WatchContacts(pb.WatchContactsRequest())
        await picture.until(stream, 1)
        parts = len(picture.messages)
        position = await client.cancel("c3")
        await picture.until(stream, position)
        stream.cancel()
    assert parts == 3 and 600 == len(picture.contacts)
    assert [True, True, False] == [one.head.more for one in picture.messages[:3]]
    assert CHANGES == picture.messages[-1].head.step
    assert ["c3"] == [one.contact_id for one in picture.messages[-1].contacts]


async def test_a_token_resumes_without_loss_and_without_a_snapshot() -> None:
    async with served() as usher, usher.client() as client:
        whole, cut = Watched(), Watched()
        everything = usher.router.WatchContacts(pb.WatchContactsRequest())
        position = 0
        for n in range(30):
            stream = usher.router.WatchContacts(pb.WatchContactsRequest(token=cut.token))
            placed = await client.enqueue("main", "chat", contact_id=f"c{n}")
            await cut.until(stream, placed.position)
            stream.cancel()
            position = await client.cancel(f"c{n // 2}") if n % 2 else placed.position
        last = usher.router.WatchContacts(pb.WatchContactsRequest(token=cut.token))
        await cut.until(last, position)
        await whole.until(everything, position)
        everything.cancel()
        last.cancel()
    assert [SNAPSHOT] == [m.head.step for m in cut.messages if m.head.step != CHANGES]
    live = {name for name, one in whole.contacts.items() if not one.HasField("end_time")}
    assert live == {name for name, one in cut.contacts.items() if not one.HasField("end_time")}


async def test_a_filtered_watch_tells_what_has_left_also_after_it_was_cut() -> None:
    async with served() as usher, usher.client() as client:
        await client.sign_in("anna")
        picture = Watched()
        request = pb.WatchContactsRequest(queues=["main"])
        stream = usher.router.WatchContacts(request)
        for name in ("c1", "c2"):
            await client.start("anna", "chat", queue="main", contact_id=name)
        placed = await client.enqueue("chats", "chat", contact_id="other")
        moved = await client.requeue("c1", queue="chats")
        await picture.until(stream, moved.position)
        stream.cancel()
        assert {"c2"} == set(picture.contacts)
        moved = await client.requeue("c2", queue="chats")
        back = await client.start("anna", "chat", queue="main", contact_id="c3")
        request.token = picture.token
        stream = usher.router.WatchContacts(request)
        await picture.until(stream, back[2])
        stream.cancel()
    assert {"c3"} == set(picture.contacts)
    assert placed.position < moved.position


async def test_a_token_of_another_journal_or_too_old_resets() -> None:
    first_journal, tokens = MemoryJournal(), []
    async with served(journal=first_journal) as usher:
        tokens.append(await _token(usher))
    async with served() as usher:
        tokens.append("bm9uc2Vuc2U=")
        heads = [await _head(usher, token) for token in tokens]
        fresh = await _head(usher, "")
    assert [True, True, False] == [head.reset for head in (*heads, fresh)]
    async with served(feed_batches_max=2) as usher, usher.client() as client:
        token = await _token(usher)
        for n in range(5):
            await client.enqueue("main", "chat", contact_id=f"c{n}")
        head = await _head(usher, token)
    assert head.reset and SNAPSHOT == head.step


async def test_a_token_of_another_filter_is_refused() -> None:
    async with served() as usher:
        token = await _token(usher)
        request = pb.WatchContactsRequest(queues=["main"], token=token)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await usher.router.WatchContacts(request).read()
    assert "token" in Refusal(caught.value).fields


async def test_bookmarks_move_a_quiet_watch_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usher.router.service.contact_watch.ContactsView.every_s", 0.05)
    async with served() as usher, usher.client() as client:
        picture = Watched()
        request = pb.WatchContactsRequest(queues=["chats"])
        stream = usher.router.WatchContacts(request)
        picture.take_in(await stream.read())  # a snapshot from before the enqueue
        placed = await client.enqueue("main", "chat", contact_id="c1")
        await picture.until(stream, placed.position)
        stream.cancel()
    assert BOOKMARK == picture.messages[-1].head.step
    assert {} == picture.contacts and picture.messages[-1].head.HasField("server_time")


async def test_one_agents_watch_tells_its_offers_with_attributes_and_nothing_else() -> None:
    async with served() as usher, usher.client() as client:
        await client.sign_in("anna")
        stream = usher.agents.WatchOffers(agents_pb.WatchOffersRequest(agent_id="anna"))
        snapshot = await stream.read()
        await client.enqueue("main", "chat", contact_id="c1", attributes={"name": "Zoe"})
        offered = await stream.read()
        await client.sign_in("bert")
        await client.enqueue("main", "chat", contact_id="c2")
        await client.accept("bert", "c2.1")
        await client.accept("anna", "c1.1")
        active = await stream.read()
        await client.complete("c1")
        done = await stream.read()
        stream.cancel()
    assert ["anna"] == [agent.agent_id for agent in snapshot.agents]
    assert {"name": "Zoe"} == dict(offered.legs[0].contact.attributes)
    assert offered.legs[0].leg.HasField("due_time")
    states = [message.legs[0].leg.state for message in (offered, active, done)]
    assert [leg_pb2.LEG_STATE_OFFERED, leg_pb2.LEG_STATE_ACTIVE, leg_pb2.LEG_STATE_DONE] == states
    assert not active.legs[0].HasField("contact")  # told before
    assert leg_pb2.LEG_END_COMPLETED == done.legs[0].leg.end
    assert {"c1"} == {one.leg.contact_id for m in (offered, active, done) for one in m.legs}


async def test_the_pools_watch_tells_every_offer_and_presence() -> None:
    async with served() as usher, usher.client() as client:
        await client.sign_in("anna")
        await client.enqueue("main", "chat", contact_id="c1")
        stream = usher.agents.WatchOffers(agents_pb.WatchOffersRequest())
        snapshot = [await stream.read(), await stream.read()]
        await client.sign_in("bert")
        signed_in = await stream.read()
        await client.enqueue("main", "chat", contact_id="c2")
        offered = await stream.read()
        stream.cancel()
    assert ["anna"] == [agent.agent_id for agent in snapshot[0].agents]
    assert ["c1.1"] == [one.leg.leg_id for one in snapshot[1].legs]
    assert ["bert"] == [agent.agent_id for agent in signed_in.agents]
    assert ["c2.1"] == [one.leg.leg_id for one in offered.legs] and not offered.agents


async def test_a_slow_reader_is_let_go_and_comes_back_by_its_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "WRITE_S", 0.2)
    many = {f"agent-{n:058d}": n for n in range(32)}
    async with served(agents=roster("anna")) as usher, usher.client() as client:
        picture = Watched()
        stream = usher.router.WatchContacts(pb.WatchContactsRequest())
        picture.take_in(await stream.read())
        last = 0
        for n in range(8):  # some 20 MB that nobody reads
            contacts = [
                new_contact("main", "chat", contact_id=f"c{n}-{i}", relationships=many)
                for i in range(1_000)
            ]
            last = (await client.enqueue_all(contacts))[0].position
        await asyncio.sleep(0.5)
        refusal = await _drained(stream, picture)
        stream = usher.router.WatchContacts(pb.WatchContactsRequest(token=picture.token))
        await picture.until(stream, last)
        stream.cancel()
    assert (grpc.StatusCode.UNAVAILABLE, "WATCH_LAGGED") == (refusal.code, refusal.reason)
    assert refusal.retry_s > 0
    assert 8_000 == len(picture.contacts)


async def test_the_number_of_watches_is_limited() -> None:
    async with served(watches_max=2) as usher:
        streams = [usher.router.WatchContacts(pb.WatchContactsRequest()) for _ in range(2)]
        for stream in streams:
            await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await usher.router.WatchContacts(pb.WatchContactsRequest()).read()
        streams[0].cancel()
        await _until_free(usher)
        streams[1].cancel()
    refusal = Refusal(caught.value)
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "WATCHES_FULL") == (refusal.code, refusal.reason)
    assert refusal.retry_s > 0


async def test_a_client_that_goes_leaves_no_subscription_behind() -> None:
    async with served(watches_max=1) as usher:
        for _ in range(50):
            await _until_free(usher)


async def _until_free(usher: Served) -> None:
    while True:
        stream = usher.router.WatchContacts(pb.WatchContactsRequest())
        try:
            await stream.read()
            return
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.01)
        finally:
            stream.cancel()


async def _drained(stream: Any, picture: Watched) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while True:
            picture.take_in(await stream.read())
    return Refusal(caught.value)


async def _token(usher: Served) -> str:
    return str((await _head(usher, "")).token)


async def _head(usher: Served, token: str) -> watch_pb2.WatchHead:
    stream = usher.router.WatchContacts(pb.WatchContactsRequest(token=token))
    try:
        return (await stream.read()).head  # type: ignore[no-any-return]
    finally:
        stream.cancel()
