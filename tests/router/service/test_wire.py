"""Translation between messages and the core's values; limits: see test_bad_input."""

from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.queue.errors import Invalid
from usher.queue.state import Contact, Leg
from usher.queue.values import (
    AgentId,
    ChannelName,
    ContactFacts,
    ContactId,
    ContactState,
    Found,
    LegEnd,
    LegId,
    LegRole,
    LegState,
    Origin,
    Outcome,
    Presence,
    QueueName,
    Urgency,
)
from usher.router.client.requests import Urgency as ClientUrgency
from usher.router.client.requests import new_contact
from usher.router.client.results import contact_of, leg_of
from usher.router.service.wire import choices, fields, views
from usher.router.service.wire.contacts import attributes_of, change_of, wanted_contact
from usher.router.service.wire.tokens import PageToken, Sealer, WatchToken
from usher.v1 import agent_pb2, contact_pb2, leg_pb2

KEY = bytes(range(32))
EVERY_MS = st.integers(0, 2**45)


@pytest.mark.parametrize(
    ("kind", "numbers", "wrapper"),
    [
        (Origin, choices.ORIGIN_NUMBERS, contact_pb2.Origin),
        (ContactState, choices.STATE_NUMBERS, contact_pb2.ContactState),
        (Outcome, choices.OUTCOME_NUMBERS, contact_pb2.Outcome),
        (LegRole, choices.ROLE_NUMBERS, leg_pb2.LegRole),
        (LegState, choices.LEG_STATE_NUMBERS, leg_pb2.LegState),
        (LegEnd, choices.LEG_END_NUMBERS, leg_pb2.LegEnd),
        (Found, choices.FOUND_NUMBERS, leg_pb2.Found),
        (Presence, choices.PRESENCE_NUMBERS, agent_pb2.Presence),
    ],
)
def test_every_member_of_a_closed_list_has_the_number_of_its_name(
    kind: type[Enum], numbers: dict[Enum | None, int], wrapper: object
) -> None:
    members = [member for member in numbers if member is not None]
    names = {wrapper.Name(numbers[member]): member.value for member in members}  # type: ignore[attr-defined]
    assert list(kind) == members
    assert len(set(numbers.values())) == len(numbers)
    assert len(wrapper.keys()) - 1 <= len(numbers)  # type: ignore[attr-defined]
    for name, value in names.items():
        assert name.lower().endswith(value) or (value, numbers) == ("none", numbers)


def test_a_contact_of_the_client_is_what_the_core_gets() -> None:
    message = new_contact(
        "service",
        "voice",
        contact_id="c1",
        origin=Origin.BOT,
        topic="bill",
        complexity=4,
        languages=("de", "en"),
        urgency=ClientUrgency(tier=2, abandons=1),
        relationships={"anna": 700},
        preferences={"chat": 10},
        attributes={"b": "2", "a": "1"},
    )
    wanted = wanted_contact(message)
    facts = wanted.contact.facts
    assert ("c1", "service", "voice", Origin.BOT) == (
        wanted.contact.contact_id,
        facts.queue,
        facts.channel,
        facts.origin,
    )
    assert (("de", "en"), Urgency(2, 0, 1, 0), "bill", 4) == (
        facts.languages,
        facts.urgency,
        facts.topic,
        facts.complexity,
    )
    assert [("anna", 700)] == [(one.agent_id, one.strength) for one in facts.relationships]
    assert [("chat", 10)] == [(one.channel, one.strength) for one in facts.preferences]
    assert {"a": "1", "b": "2"} == attributes_of(wanted.private)


def test_a_bare_contact_has_the_defaults_of_the_core_and_nothing_private() -> None:
    wanted = wanted_contact(contact_pb2.NewContact(queue="q", channel="chat"))
    assert ContactFacts(QueueName("q"), ChannelName("chat")) == wanted.contact.facts
    assert (b"", "") == (wanted.private, wanted.contact.contact_id)


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True), st.text(max_size=9)))
def test_attributes_come_back_as_they_were_in_any_order(attributes: dict[str, str]) -> None:
    some = dict(list(attributes.items())[:32])
    there = wanted_contact(new_contact("q", "chat", attributes=some)).private
    turned = dict(reversed(some.items()))
    assert there == wanted_contact(new_contact("q", "chat", attributes=turned)).private
    assert some == attributes_of(there)


def test_a_refusal_of_attributes_shows_nothing_of_them() -> None:
    with pytest.raises(Invalid) as caught:
        wanted_contact(new_contact("q", "chat", attributes={"Zoe Meier": "x"}))
    assert "Zoe" not in str(caught.value)


def test_an_update_changes_only_what_its_mask_names() -> None:
    message = new_contact("", "", topic="new", complexity=9, attributes={"a": "1"})
    change = change_of(message, ("topic", "languages"))
    assert ("new", None, ()) == (
        change.facts.topic,
        change.facts.complexity,
        change.facts.languages,
    )
    assert change.private is None
    assert {"a": "1"} == attributes_of(change_of(message, ("attributes",)).private)
    for paths in ((), ("queue",), ("contact_id",)):
        with pytest.raises(Invalid):
            change_of(message, paths)


@given(st.text(max_size=70))
def test_ids_are_checked_to_the_last_character(text: str) -> None:
    plain = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
    fits = 1 <= len(text) <= 64 and set(text) <= plain
    try:
        taken = fields.needed_id(text, "id") == text
    except Invalid:
        taken = False
    assert fits == taken


@pytest.mark.parametrize("name", ["abc\n", "a.b", "é", "+1", "a b", "a/b", ""])
def test_what_is_no_id_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        fields.contact_id_of(name)


@pytest.mark.parametrize("name", ["c1", "c1.", ".1", "c1.x", "c 1.1", "c1.1.1.1.1", "c1.1\n"])
def test_what_is_no_leg_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        fields.leg_id_of(name)
    assert "c1.1" == fields.leg_id_of("c1.1")


@given(EVERY_MS)
def test_times_keep_their_milliseconds(at_ms: int) -> None:
    message = fields.time_of(at_ms)
    assert at_ms == message.seconds * 1000 + message.nanos // 1_000_000
    span = fields.duration(at_ms)
    assert at_ms == fields.duration_ms(span, "waited", 2**46)


def test_views_tell_all_there_is() -> None:
    leg = Leg(
        leg_id=LegId("c1.1"),
        contact_id=ContactId("c1"),
        agent_id=AgentId("anna"),
        channel=ChannelName("chat"),
        role=LegRole.OWNER,
        state=LegState.HELD,
        price=1,
        wrap_up_price=0,
        due_ms=5_000,
        offered_ms=1_000,
        active_ms=2_500,
    )
    contact = Contact(
        contact_id=ContactId("c1"),
        facts=ContactFacts(QueueName("q"), ChannelName("chat")),
        platform="pbx",
        sequence=1,
        state=ContactState.ENGAGED,
        enqueued_ms=999,
        waiting_since_ms=-1,
        waited_ms=1_500,
        changed_position=12,
        legs=(leg,),
        resolved=False,
    )
    told = contact_of(views.contact_view(contact))
    assert (ContactState.ENGAGED, False, 12) == (told.state, told.resolved, told.changed_position)
    assert (LegState.HELD, None) == (told.legs[0].state, told.legs[0].due)
    assert told.enqueued is not None and 999_000 == told.enqueued.microsecond
    assert told.legs[0] == leg_of(views.leg_view(leg))
    assert {} == told.attributes


def test_tokens_are_opened_by_their_own_key_only() -> None:
    sealer, other = Sealer(KEY), Sealer(KEY[::-1])
    text = sealer.seal(PageToken("contacts/x", 7))
    assert PageToken("contacts/x", 7) == sealer.open_page(text, "contacts/x")
    assert sealer.open_page("", "contacts/x") is None
    for opener, name in ((other, "contacts/x"), (sealer, "contacts/y")):
        with pytest.raises(Invalid):
            opener.open_page(text, name)


@given(st.integers(0, 60), st.integers(1, 255))
def test_a_token_with_one_byte_changed_is_refused(place: int, change: int) -> None:
    from base64 import urlsafe_b64decode, urlsafe_b64encode

    sealer = Sealer(KEY)
    raw = bytearray(urlsafe_b64decode(sealer.seal(PageToken("agents/x", "anna"))))
    raw[place % len(raw)] ^= change
    with pytest.raises(Invalid):
        sealer.open_page(urlsafe_b64encode(bytes(raw)).decode(), "agents/x")


def test_a_watch_token_that_cannot_be_opened_leads_to_a_reset() -> None:
    sealer, token = Sealer(KEY), WatchToken("offers/anna", "abc", 7)
    text = sealer.seal(token)
    assert token == sealer.open_watch(text, "offers/anna")
    assert Sealer(KEY[::-1]).open_watch(text, "offers/anna") is None
    assert sealer.open_watch("é" * 2_000, "offers/anna") is None
    with pytest.raises(Invalid):
        sealer.open_watch(text, "offers/bert")
    with pytest.raises(Invalid):
        sealer.open_watch(sealer.seal(PageToken("offers/anna", 7)), "offers/anna")
