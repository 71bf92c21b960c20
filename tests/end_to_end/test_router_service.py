"""RouterService over real gRPC: what a platform sees."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.end_to_end.served import policy, refused, roster, served
from tests.router import pool_kit as kit

from usher.queue.values import ContactState, LegState, Outcome
from usher.router.client import Urgency, WrongState, new_contact
from usher.v1 import agent_service_pb2 as agents_pb
from usher.v1 import contact_pb2
from usher.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.asyncio

CODE = grpc.StatusCode


def enqueue(request_id: str, contact_id: str = "", **facts: Any) -> pb.EnqueueContactRequest:
    """A request for a chat in the queue `main`."""
    given: dict[str, Any] = {"queue": "main", "channel": "chat", "contact_id": contact_id, **facts}
    return pb.EnqueueContactRequest(request_id=request_id, contact=contact_pb2.NewContact(**given))


async def test_a_reply_to_enqueue_says_to_whom_it_is_offered_else_the_place() -> None:
    async with served(agents=roster("anna")) as usher:
        await usher.agents.SignIn(agents_pb.SignInRequest(request_id="s", agent_id="anna"))
        first = await usher.router.EnqueueContact(enqueue("r1", "c1"))
        second = await usher.router.EnqueueContact(enqueue("r2", "c2"))
        third = await usher.router.EnqueueContact(enqueue("r3", "c3"))
    assert ("anna", "c1.1") == (first.placement.offer.agent_id, first.placement.offer.leg_id)
    assert [1, 2] == [second.placement.queue_position, third.placement.queue_position]
    assert first.position < second.position < third.position


async def test_all_facts_come_back_as_they_were_given() -> None:
    facts = {
        "customer_id": "cust-1",
        "journey_id": "j-1",
        "topic": "bill/late",
        "complexity": 7,
        "languages": ["pt-BR", "en"],
        "attributes": {"name": "Zoë", "note": ""},
    }
    async with served() as usher, usher.client("platform/pbx") as client:
        placed = await client.enqueue(
            "main",
            "chat",
            urgency=Urgency(tier=3, failed_bots=1),
            relationships={"anna": -5},
            preferences={"chat": 900},
            waited=timedelta(seconds=90),
            **facts,  # type: ignore[arg-type]
        )
        reply = await usher.router.GetContact(pb.GetContactRequest(contact_id=placed.contact_id))
        listed = [contact async for contact in client.contacts()]
    told = reply.contact
    assert facts == {
        **{name: getattr(told, name) for name in facts},
        "languages": list(told.languages),
        "attributes": dict(told.attributes),
    }
    assert (3, 1) == (told.urgency.tier, told.urgency.failed_bots)
    assert ("anna", -5) == (told.relationships[0].agent_id, told.relationships[0].strength)
    assert ("chat", 900) == (told.preferences[0].channel, told.preferences[0].strength)
    assert 90 == told.waited_before.seconds
    assert ("pbx", 1) == (told.platform, reply.queue_position)
    assert [{}] == [contact.attributes for contact in listed]  # only GetContact gives them


async def test_a_repeated_request_id_gets_the_recorded_answer_and_altered_content_is_refused() -> (
    None
):
    async with served() as usher:
        first = await usher.router.EnqueueContact(enqueue("r1"))
        again = await usher.router.EnqueueContact(enqueue("r1"))
        altered = await refused(usher.router.EnqueueContact(enqueue("r1", complexity=3)))
        private = await refused(
            usher.router.EnqueueContact(enqueue("r1", attributes={"name": "Zoe"}))
        )
        other = await refused(
            usher.router.CancelContact(pb.CancelContactRequest(request_id="r1", contact_id="c"))
        )
    assert first == again
    for refusal in (altered, private, other):
        assert (CODE.FAILED_PRECONDITION, "REQUEST_ID_REUSED") == (refusal.code, refusal.reason)


async def test_repeats_at_the_same_moment_get_one_contact() -> None:
    async with served() as usher:
        calls = [usher.router.EnqueueContact(enqueue("r1")) for _ in range(20)]
        replies = await asyncio.gather(*calls)
        listed = await usher.router.ListContacts(pb.ListContactsRequest())
    assert 1 == len({reply.placement.contact_id for reply in replies}) == len(listed.contacts)


async def test_the_order_of_attributes_is_no_other_content() -> None:
    async with served() as usher:
        there = await usher.router.EnqueueContact(enqueue("r1", attributes={"a": "1", "b": "2"}))
        back = await usher.router.EnqueueContact(enqueue("r1", attributes={"b": "2", "a": "1"}))
    assert there == back


async def test_a_recorded_answer_outlives_the_server(tmp_path: Path) -> None:
    async with served(data_dir=tmp_path) as usher:
        first = await usher.router.EnqueueContact(enqueue("r1", attributes={"name": "Zoe"}))
    async with served(data_dir=tmp_path) as usher:
        again = await usher.router.EnqueueContact(enqueue("r1", attributes={"name": "Zoe"}))
        kept = await usher.router.GetContact(
            pb.GetContactRequest(contact_id=first.placement.contact_id)
        )
    assert first == again
    assert {"name": "Zoe"} == dict(kept.contact.attributes)


async def test_attributes_stand_beside_the_journal_never_in_it(tmp_path: Path) -> None:
    secret = "Zoe-Tiefgang"
    async with served(data_dir=tmp_path) as usher:
        await usher.router.EnqueueContact(enqueue("r1", "c1", attributes={"name": secret}))
        batches = [stored async for stored in usher.server.runner.journal.read(0)]
    assert batches
    assert not any(secret.encode() in stored.body for stored in batches)


async def test_a_batch_is_all_or_nothing_and_answered_in_order() -> None:
    async with served(agents=roster("anna")) as usher, usher.client() as client:
        await client.sign_in("anna")
        contacts = [new_contact("main", "chat", contact_id=f"c{n}") for n in range(50)]
        placed = await client.enqueue_all(contacts)
        double = [new_contact("main", "chat", contact_id=name) for name in ("d1", "c7")]
        request = pb.EnqueueContactsRequest(request_id="x", contacts=double)
        refusal = await refused(usher.router.EnqueueContacts(request))
        missing = await refused(usher.router.GetContact(pb.GetContactRequest(contact_id="d1")))
    assert [f"c{n}" for n in range(50)] == [one.contact_id for one in placed]
    assert placed[0].offer is not None
    assert list(range(1, 50)) == [one.queue_position for one in placed[1:]]
    assert (CODE.ALREADY_EXISTS, "CONTACT_EXISTS") == (refusal.code, refusal.reason)
    assert CODE.NOT_FOUND is missing.code


async def test_a_contact_goes_through_its_life() -> None:
    async with served(agents=roster("anna")) as usher, usher.client() as client:
        session = await client.sign_in("anna")
        placed = await client.enqueue("main", "voice", contact_id="c1")
        assert placed.offer is not None
        leg_id = placed.offer.leg_id
        accepted = await client.accept("anna", leg_id)
        assert LegState.JOINING is accepted.state and accepted.due is not None
        assert ("c1", leg_id) == (await client.connect_contact("c1"))[:2]
        await client.hold("c1")
        held, _ = await client.get_contact("c1")
        assert LegState.HELD is held.legs[0].state
        await client.resume("c1")
        assert () == await client.complete("c1", disposition="paid", resolved=True)
        ended, place = await client.get_contact("c1")
    assert (ContactState.ENDED, Outcome.COMPLETED, 0) == (ended.state, ended.outcome, place)
    assert ("paid", True) == (ended.disposition, ended.resolved)
    assert session.number == 1 and ended.legs[0].end.value == "completed"


async def test_failures_re_queues_and_ends_are_told() -> None:
    async with served(agents=roster("anna")) as usher, usher.client() as client:
        await client.sign_in("anna")
        placed = await client.enqueue("main", "voice", contact_id="c1")
        assert placed.offer is not None
        await client.accept("anna", placed.offer.leg_id)
        assert ContactState.WAITING is await client.connect_failed("c1", reason="no_answer")
        assert Outcome.ABANDONED is await client.abandon("c1")
        created = await client.start("anna", "chat", contact_id="c2")
        assert ("c2", "c2.1") == created[:2]
        again = await client.requeue("c2", queue="chats", reason="wrong_desk")
        assert ("c2", None) == (again.contact_id, again.offer) or again.offer is not None
        await client.cancel("c2", reason="mistake")
        ended, _ = await client.get_contact("c2")
    assert (Outcome.CANCELLED, "chats") == (ended.outcome, ended.queue)


async def test_the_failure_that_ends_a_contact_is_counted_too() -> None:
    names = ("anna", "bob", "carl")
    async with served(agents=roster(*names)) as usher, usher.client() as client:
        for name in names:
            await client.sign_in(name)
        await client.enqueue("main", "voice", contact_id="c1")
        for failures in (1, 2, 3):
            reply = await usher.router.GetContact(pb.GetContactRequest(contact_id="c1"))
            assert failures - 1 == reply.contact.failures
            leg = reply.contact.legs[-1]
            await client.accept(leg.agent_id, leg.leg_id)
            await client.connect_failed("c1", reason="no_answer")
        ended = (await usher.router.GetContact(pb.GetContactRequest(contact_id="c1"))).contact
    assert (contact_pb2.OUTCOME_FAILED, 3) == (ended.outcome, ended.failures)


async def test_what_is_known_of_a_contact_changes_field_by_field() -> None:
    async with served() as usher, usher.client() as client:
        await client.enqueue(
            "main", "chat", contact_id="c1", topic="old", complexity=3, attributes={"a": "1"}
        )
        await client.update("c1", topic="new")
        once, _ = await client.get_contact("c1")
        await client.update("c1", attributes={})
        twice, _ = await client.get_contact("c1")
        request = pb.UpdateContactRequest(
            request_id="u", contact=contact_pb2.NewContact(contact_id="c1")
        )
        refusal = await refused(usher.router.UpdateContact(request))
    assert ("new", 3, {"a": "1"}) == (once.topic, once.complexity, once.attributes)
    assert ("new", {}) == (twice.topic, twice.attributes)
    assert ["update_mask"] == list(refusal.fields)


async def test_a_sync_ends_what_the_platform_no_longer_knows() -> None:
    async with served() as usher, usher.client("platform/pbx") as client:
        await client.enqueue("main", "chat", contact_id="kept")
        placed = await client.enqueue("main", "chat", contact_id="gone")
        await client.enqueue("main", "chat", contact_id="later")
        found = await client.sync("chat", placed.position, ["kept", "strange"])
        states = {contact.contact_id async for contact in client.contacts()}
        ahead = pb.SyncContactsRequest(request_id="a", channel="chat", as_of_position=10**6)
        refusal = await refused(usher.router.SyncContacts(ahead))
    assert (("gone",), 1) == (found.lost, found.lost_count)
    assert (("strange",), 1) == (found.unknown, found.unknown_count)
    assert {"kept", "later"} == states
    assert (CODE.FAILED_PRECONDITION, "POSITION_AHEAD") == (refusal.code, refusal.reason)


async def test_pages_hold_every_contact_once_and_tokens_belong_to_their_filter() -> None:
    async with served() as usher, usher.client() as client:
        await client.enqueue_all(
            [new_contact("main", "chat", contact_id=f"c{n}") for n in range(25)]
        )
        request, pages = pb.ListContactsRequest(page_size=10), []
        while True:
            reply = await usher.router.ListContacts(request)
            pages.append([contact.contact_id for contact in reply.contacts])
            if not reply.next_page_token:
                break
            request.page_token = reply.next_page_token
        request.queue = "main"
        refusal = await refused(usher.router.ListContacts(request))
        waiting = pb.ListContactsRequest(states=[contact_pb2.CONTACT_STATE_ENDED])
        assert 0 == len((await usher.router.ListContacts(waiting)).contacts)
    assert [10, 10, 5] == [len(page) for page in pages]
    assert [f"c{n}" for n in range(25)] == [name for page in pages for name in page]
    assert (CODE.INVALID_ARGUMENT, ["page_token"]) == (refusal.code, list(refusal.fields))


async def test_a_page_of_large_contacts_ends_before_it_is_too_large_to_receive() -> None:
    many = {f"agent-{n:058d}": n for n in range(32)}
    async with served() as usher, usher.client() as client:
        contacts = [
            new_contact("main", "chat", contact_id=f"c{n}", relationships=many)
            for n in range(1_000)
        ]
        await client.enqueue_all(contacts)
        reply = await usher.router.ListContacts(pb.ListContactsRequest(page_size=1_000))
        listed = [contact.contact_id async for contact in client.contacts()]
    assert len(reply.contacts) < 1_000 and reply.next_page_token
    assert [f"c{n}" for n in range(1_000)] == listed


async def test_a_queue_that_takes_nobody_waiting_says_when_to_come_again() -> None:
    async with served() as usher:
        refusal = await refused(usher.router.EnqueueContact(enqueue("r", queue="now")))
    assert (CODE.RESOURCE_EXHAUSTED, "QUEUE_FULL") == (refusal.code, refusal.reason)
    assert refusal.retry_s > 0


async def test_a_refusal_tells_the_present_state() -> None:
    async with served() as usher, usher.client() as client:
        await client.enqueue("main", "chat", contact_id="c1")
        await client.cancel("c1")
        with pytest.raises(WrongState) as caught:
            await client.abandon("c1")
        hold = pb.HoldContactRequest(request_id="h", contact_id="c1")
        refusal = await refused(usher.router.HoldContact(hold))
    assert ("CONTACT_ENDED", "cancelled") == (caught.value.reason, caught.value.facts["outcome"])
    assert ["ErrorInfo", "PreconditionFailure"] == sorted(refusal.details)


async def test_a_refused_request_id_is_free_again() -> None:
    async with served(policy(), kit.roster(kit.profile("anna"))) as usher:
        await refused(usher.router.EnqueueContact(enqueue("r1", queue="nowhere")))
        reply = await usher.router.EnqueueContact(enqueue("r1", "c1"))
    assert "c1" == reply.placement.contact_id


async def test_the_actor_is_journalled_and_a_wrong_one_refused() -> None:
    async with served() as usher:
        reply = await usher.router.EnqueueContact(
            enqueue("r1", "c1"), metadata=(("usher-actor", "platform/kiosk-7"),)
        )
        refusals = [
            await refused(usher.router.EnqueueContact(enqueue("r2"), metadata=metadata))
            for metadata in (
                (("usher-actor", "system/usher"),),
                (("usher-actor", "platform/"),),
                (("usher-actor", "platform/a"), ("usher-actor", "platform/b")),
            )
        ]
        got = await usher.router.GetContact(pb.GetContactRequest(contact_id="c1"))
    assert reply.position > 0 and "kiosk-7" == got.contact.platform
    assert {CODE.INVALID_ARGUMENT} == {refusal.code for refusal in refusals}
