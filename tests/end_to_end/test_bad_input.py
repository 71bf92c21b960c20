"""Bad input over real gRPC: a clear status for all of it, never UNKNOWN or INTERNAL."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
import pytest
import structlog
from google.protobuf.message import Message
from tests.end_to_end.served import Refusal, Served, refused, served

from usher.router.client import new_contact
from usher.router.service import agent_service, router_service, server_service, walk_in_service
from usher.router.service.rpc import BATCH_BYTES_MAX, MESSAGE_BYTES_MAX, Unary
from usher.v1 import agent_pb2, contact_pb2, leg_pb2
from usher.v1 import agent_service_pb2 as agents_pb
from usher.v1 import router_service_pb2 as pb

pytestmark = pytest.mark.asyncio

CODE = grpc.StatusCode
LEGITIMATE = {
    CODE.OK,
    CODE.INVALID_ARGUMENT,
    CODE.NOT_FOUND,
    CODE.ALREADY_EXISTS,
    CODE.FAILED_PRECONDITION,
    CODE.RESOURCE_EXHAUSTED,
}
METHODS = {
    f"/{module.NAME}/{name}": method
    for module in (router_service, agent_service, walk_in_service, server_service)
    for name, method in module.METHODS.items()
}
CHANGING = [
    path
    for path, method in METHODS.items()
    if "request_id" in method.request.DESCRIPTOR.fields_by_name
]
BYTES_SEED = 7
CONTACT = new_contact(
    "main",
    "chat",
    contact_id="c1",
    topic="bill",
    complexity=3,
    languages=["en"],
    relationships={"anna": 5},
    attributes={"name": "Zoe"},
)


def filled(request: type[Message]) -> Message:
    """A valid-looking request of the type: every field that it has."""
    values: dict[str, Any] = {
        "request_id": "r1",
        "contact_id": "c1",
        "agent_id": "anna",
        "leg_id": "c1.1",
        "queue": "main",
        "channel": "chat",
        "reason": "why",
        "session": 1,
        "presence": agent_pb2.PRESENCE_READY,
        "contact": CONTACT,
        "contacts": [CONTACT],
        "contact_ids": ["c1"],
        "update_mask": {"paths": ["topic"]},
        "branch": "north",
        "desk": "1",
        "service": "cash",
        "join_id": "j1",
        "ticket_id": "j1",
        "party_size": 2,
        "needs": ["stairs"],
        "kiosk_time": {"seconds": 1},
        "attributes": {"name": "Zoe"},
    }
    names = {field.name for field in request.DESCRIPTOR.fields}
    return request(**{name: value for name, value in values.items() if name in names})


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The bytes with some changed, cut, doubled, or replaced by noise."""
    spoiled = bytearray(data or b"\x0a\x01a")
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(spoiled) + 1)
        match dice.randrange(4):
            case 0:
                spoiled[place : place + 1] = dice.randbytes(1)
            case 1:
                del spoiled[place:]
            case 2:
                spoiled[place:place] = dice.randbytes(dice.randint(1, 8))
            case _:
                spoiled += spoiled[place:]
    return bytes(spoiled[:10_000])


@pytest.mark.parametrize("path", METHODS)
async def test_no_bytes_are_answered_with_an_error_of_ours(
    path: str, scaled: Callable[[int], int], capfd: pytest.CaptureFixture[str]
) -> None:
    method, dice = METHODS[path], random.Random(f"{BYTES_SEED}{path}")
    valid = filled(method.request).SerializeToString()
    codes: Counter[grpc.StatusCode] = Counter()
    with structlog.testing.capture_logs() as logs:
        async with served() as usher, usher.client() as client:
            await client.sign_in("anna")
            call = _raw(usher, path, unary=isinstance(method, Unary))
            for _ in range(max(10, scaled(300))):
                spoiled = [mutated(valid, dice) for _ in range(5)] + [dice.randbytes(20)]
                codes.update(await asyncio.gather(*(call(data) for data in spoiled)))
    assert set(codes) <= LEGITIMATE, codes
    assert codes[CODE.INVALID_ARGUMENT] > 0
    assert [] == [line for line in logs if line["event"] == "call_failed"]
    assert "Traceback" not in "".join(capfd.readouterr())


async def test_bytes_that_are_no_message_are_named_so() -> None:
    async with served() as usher:
        refusal = await refused(usher.channel.unary_unary(_path("EnqueueContact"))(b"\xff\xff"))
    assert (CODE.INVALID_ARGUMENT, "MALFORMED_REQUEST") == (refusal.code, refusal.reason)
    assert 1 == refusal.infos and "usher" == refusal.info.domain


async def test_health_is_asked_with_any_bytes() -> None:
    async with served() as usher:
        check = usher.channel.unary_unary("/grpc.health.v1.Health/Check")
        refusal = await refused(check(b"\xff\xff"))
        assert b"\x08\x01" == await check(b"")  # SERVING
        unknown = await refused(check(b"\x0a\x01x"))
    assert (CODE.INVALID_ARGUMENT, CODE.NOT_FOUND) == (refusal.code, unknown.code)


async def test_a_message_has_a_size() -> None:
    async with served() as usher:
        long = usher.channel.unary_unary(_path("GetContact"))
        over = await refused(long(b"\x12" + bytes(MESSAGE_BYTES_MAX)))
        batch = usher.channel.unary_unary(_path("EnqueueContacts"))
        in_bounds = await refused(batch(bytes(MESSAGE_BYTES_MAX + 1)))
        beyond = await refused(batch(bytes(BATCH_BYTES_MAX + 100)))
        far_beyond = await refused(batch(bytes(2 * BATCH_BYTES_MAX)))
    assert (CODE.INVALID_ARGUMENT, "REQUEST_TOO_LARGE") == (over.code, over.reason)
    assert "MALFORMED_REQUEST" == in_bounds.reason
    assert "REQUEST_TOO_LARGE" == beyond.reason
    assert CODE.RESOURCE_EXHAUSTED is far_beyond.code  # by gRPC itself, before it is read


LONG = "x" * 65
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "contact_id with a dot": ({"contact_id": "a.b"}, "contact.contact_id"),
    "contact_id too long": ({"contact_id": LONG}, "contact.contact_id"),
    "no queue": ({"queue": ""}, "contact.queue"),
    "queue with a space": ({"queue": "a b"}, "contact.queue"),
    "no channel": ({"channel": ""}, "contact.channel"),
    "unknown origin": ({"origin": 99}, "contact.origin"),
    "phone number as customer": ({"customer_id": "+49 30 12345"}, "contact.customer_id"),
    "journey too long": ({"journey_id": LONG}, "contact.journey_id"),
    "free text as topic": ({"topic": "my bill!"}, "contact.topic"),
    "complexity too high": ({"complexity": 11}, "contact.complexity"),
    "complexity below zero": ({"complexity": -1}, "contact.complexity"),
    "language in words": ({"languages": ["English!"]}, "contact.languages"),
    "nine languages": ({"languages": ["en"] * 9}, "contact.languages"),
    "tier": ({"urgency": {"tier": 11}}, "contact.urgency.tier"),
    "failed bots": ({"urgency": {"failed_bots": 1_001}}, "contact.urgency.failed_bots"),
    "abandons": ({"urgency": {"abandons": -1}}, "contact.urgency.abandons"),
    "switches": ({"urgency": {"switches": 1_001}}, "contact.urgency.switches"),
    "strength": (
        {"relationships": [{"agent_id": "a", "strength": -1_001}]},
        "contact.relationships.strength",
    ),
    "agent of a relationship": (
        {"relationships": [{"agent_id": "a.b"}]},
        "contact.relationships.agent_id",
    ),
    "an agent twice": (
        {"relationships": [{"agent_id": "a"}, {"agent_id": "a"}]},
        "contact.relationships",
    ),
    "33 relationships": (
        {"relationships": [{"agent_id": f"a{n}"} for n in range(33)]},
        "contact.relationships",
    ),
    "preference": (
        {"preferences": [{"channel": "chat", "strength": 1_001}]},
        "contact.preferences.strength",
    ),
    "33 preferences": (
        {"preferences": [{"channel": f"c{n}"} for n in range(33)]},
        "contact.preferences",
    ),
    "waited below zero": ({"waited": {"seconds": -1}}, "contact.waited"),
    "waited too long": ({"waited": {"seconds": 32 * 86_400}}, "contact.waited"),
    "nanos": ({"waited": {"seconds": 1, "nanos": 2_000_000_000}}, "contact.waited"),
    "33 attributes": ({"attributes": {f"k{n}": "" for n in range(33)}}, "contact.attributes"),
    "key of an attribute": ({"attributes": {"a b": ""}}, "contact.attributes"),
    "key too long": ({"attributes": {LONG: ""}}, "contact.attributes"),
    "value too long": ({"attributes": {"k": "é" * 513}}, "contact.attributes"),
    "too much in all": (
        {"attributes": {f"k{n}": "x" * 1_000 for n in range(9)}},
        "contact.attributes",
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_field_is_named_with_its_rule(name: str) -> None:
    fields, place = WRONG[name]
    contact = contact_pb2.NewContact(**{"queue": "main", "channel": "chat", **fields})
    request = pb.EnqueueContactRequest(request_id="r", contact=contact)
    async with served() as usher:
        refusal = await refused(usher.router.EnqueueContact(request))
        batch = pb.EnqueueContactsRequest(request_id="r", contacts=[CONTACT, contact])
        in_batch = await refused(usher.router.EnqueueContacts(batch))
        listed = await usher.router.ListContacts(pb.ListContactsRequest())
    assert (CODE.INVALID_ARGUMENT, "INVALID_FIELD", 1) == (
        refusal.code,
        refusal.reason,
        refusal.infos,
    )
    assert [place] == list(refusal.fields) == list(refusal.facts)
    assert place.replace("contact.", "contacts[1].", 1) in in_batch.fields
    assert 0 == len(listed.contacts)


@pytest.mark.parametrize(
    ("fields", "largest"),
    [
        ({"complexity": 10, "languages": ["en"] * 8}, "complexity"),
        ({"waited": {"seconds": 31 * 86_400}}, "waited"),
        ({"relationships": [{"agent_id": f"a{n}", "strength": 1_000} for n in range(32)]}, "r"),
        ({"attributes": {f"k{n}": "x" * 253 for n in range(32)}}, "attributes"),
        ({"contact_id": "x" * 64}, "id"),
    ],
)
async def test_what_is_just_within_a_limit_is_taken(fields: dict[str, Any], largest: str) -> None:
    contact = contact_pb2.NewContact(**{"queue": "main", "channel": "chat", **fields})
    async with served() as usher:
        request = pb.EnqueueContactRequest(request_id="r", contact=contact)
        assert (await usher.router.EnqueueContact(request)).placement.contact_id, largest


@pytest.mark.parametrize("path", CHANGING)
async def test_every_change_needs_a_request_id(path: str) -> None:
    method = METHODS[path]
    async with served() as usher:
        call = usher.channel.unary_unary(path)
        for request_id in ("", "a b", LONG):
            request: Any = filled(method.request)
            request.request_id = request_id
            refusal = await refused(call(request.SerializeToString()))
            assert CODE.INVALID_ARGUMENT is refusal.code
            assert ["request_id"] == list(refusal.fields)


@pytest.mark.parametrize("path", METHODS)
async def test_an_unknown_pool_is_not_found(path: str) -> None:
    method = METHODS[path]
    async with served() as usher:
        request: Any = filled(method.request)
        request.pool = "elsewhere"
        call = _raw(usher, path, unary=isinstance(method, Unary), whole=True)
        refusal = await call(request.SerializeToString())
        request.pool = "main"
        main = await call(request.SerializeToString())
    assert (CODE.NOT_FOUND, "POOL_NOT_FOUND") == (refusal.code, refusal.reason)
    assert main is None or "POOL_NOT_FOUND" != main.reason


@pytest.mark.parametrize(
    ("method", "request_", "reason"),
    [
        ("GetContact", pb.GetContactRequest(contact_id="c"), "CONTACT_NOT_FOUND"),
        ("AbandonContact", pb.AbandonContactRequest(contact_id="c"), "CONTACT_NOT_FOUND"),
        ("CancelContact", pb.CancelContactRequest(contact_id="c"), "CONTACT_NOT_FOUND"),
        ("ConnectContact", pb.ConnectContactRequest(contact_id="c"), "CONTACT_NOT_FOUND"),
        ("HoldContact", pb.HoldContactRequest(contact_id="c"), "CONTACT_NOT_FOUND"),
        ("CompleteContact", pb.CompleteContactRequest(contact_id="c"), "CONTACT_NOT_FOUND"),
        ("SignIn", agents_pb.SignInRequest(agent_id="zoe"), "AGENT_NOT_FOUND"),
        ("GetAgent", agents_pb.GetAgentRequest(agent_id="zoe"), "AGENT_NOT_FOUND"),
        ("Heartbeat", agents_pb.HeartbeatRequest(agent_id="zoe", session=1), "AGENT_NOT_FOUND"),
        (
            "AcceptOffer",
            agents_pb.AcceptOfferRequest(agent_id="anna", leg_id="c.1", session=1),
            "LEG_NOT_FOUND",
        ),
        (
            "EnqueueContact",
            pb.EnqueueContactRequest(contact=new_contact("no", "chat")),
            "QUEUE_NOT_FOUND",
        ),
        (
            "EnqueueContact",
            pb.EnqueueContactRequest(contact=new_contact("main", "pigeon")),
            "CHANNEL_NOT_FOUND",
        ),
        (
            "SyncContacts",
            pb.SyncContactsRequest(channel="pigeon"),
            "CHANNEL_NOT_FOUND",
        ),
    ],
)
async def test_what_is_not_there_is_not_found(method: str, request_: Any, reason: str) -> None:
    if "request_id" in request_.DESCRIPTOR.fields_by_name:
        request_.request_id = "r"
    async with served() as usher, usher.client("agent/anna") as client:
        await client.sign_in("anna")
        stub = usher.router if hasattr(usher.router, method) else usher.agents
        refusal = await refused(getattr(stub, method)(request_))
    assert (CODE.NOT_FOUND, reason) == (refusal.code, refusal.reason)


async def test_states_that_only_usher_may_say_are_refused() -> None:
    async with served() as usher:
        held = pb.StartContactRequest(
            request_id="r", contact=CONTACT, agent_id="anna", leg_state=leg_pb2.LEG_STATE_HELD
        )
        offline = agents_pb.SetPresenceRequest(
            request_id="r", agent_id="anna", session=1, presence=agent_pb2.PRESENCE_OFFLINE
        )
        refusals = [
            await refused(usher.router.StartContact(held)),
            await refused(usher.agents.SetPresence(offline)),
        ]
    assert [["leg_state"], ["presence"]] == [list(refusal.fields) for refusal in refusals]


async def test_a_page_size_is_cut_and_never_negative() -> None:
    async with served() as usher:
        await usher.router.ListContacts(pb.ListContactsRequest(page_size=10**6))
        refusal = await refused(usher.router.ListContacts(pb.ListContactsRequest(page_size=-1)))
        token = pb.ListContactsRequest(page_token="made-up")
        made_up = await refused(usher.router.ListContacts(token))
    assert [["page_size"], ["page_token"]] == [list(refusal.fields), list(made_up.fields)]


async def test_too_many_contacts_in_a_batch_or_none_are_refused() -> None:
    async with served() as usher:
        for count in (0, 1_001):
            contacts = [new_contact("main", "chat") for _ in range(count)]
            request = pb.EnqueueContactsRequest(request_id="r", contacts=contacts)
            refusal = await refused(usher.router.EnqueueContacts(request))
            assert {"contacts": "1..1000"} == refusal.fields


def _path(name: str) -> str:
    return f"/{router_service.NAME}/{name}"


def _raw(usher: Served, path: str, *, unary: bool, whole: bool = False) -> Any:
    """Returns a call with bytes that gives its code (or `whole`: its refusal, None if it went)."""

    async def call(data: bytes) -> Any:
        try:
            if unary:
                await usher.channel.unary_unary(path)(data)
            else:
                stream = usher.channel.unary_stream(path)(data)
                await stream.read()
                stream.cancel()
        except grpc.aio.AioRpcError as error:
            return Refusal(error) if whole else error.code()
        return None if whole else CODE.OK

    return call
