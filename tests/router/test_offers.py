"""Offers: made once, answered once, taken back newest first."""

import pytest
from tests.router.pool_kit import (
    PLATFORM,
    Driven,
    channel,
    leg_id,
    new,
    person,
    policy,
    profile,
    queue,
)

from usher.queue import commands as c
from usher.queue.events import OfferWithdrawn
from usher.queue.rules import Order
from usher.queue.values import AgentId, ContactId, ContactState, LegId, LegState

ANN, BOB = AgentId("ann"), AgentId("bob")


def driven(units: int = 1, **channels: object) -> Driven:
    kinds = {"voice": (2, 1, 0), "chat": (1, 9, 0), "email": (0, 9, 0)}
    return Driven.opened(
        policy(queue("main", order=Order.FCFS), channels=channels),
        profile("ann", units, channels=kinds),
        profile("bob", 1, channels={"voice": (1, 1, 0)}),
    )


def test_a_channel_with_automatic_accept_is_active_at_once() -> None:
    day = driven(chat=channel(automatic_accept=True))
    leg = day.enqueue("c1", "main", "chat")
    assert leg is not None and leg.state is LegState.ACTIVE
    assert ContactState.ENGAGED is day.contact("c1").state


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("c9.1", "LEG_NOT_FOUND"),
        ("c1.0", "LEG_NOT_FOUND"),
        ("c1.2", "LEG_NOT_FOUND"),
        ("c1", "LEG_NOT_FOUND"),
        ("c1.one", "LEG_NOT_FOUND"),
        ("c1.²", "LEG_NOT_FOUND"),
        ("c1." + "9" * 5_000, "LEG_NOT_FOUND"),
    ],
)
def test_a_leg_that_never_was_is_not_found(name: str, reason: str) -> None:
    day = driven()
    day.enqueue("c1", "main", "chat")
    assert reason == day.refusal(c.AcceptOffer(PLATFORM, ANN, LegId(name)))


def test_an_offer_is_answered_by_its_agent_while_it_is_open() -> None:
    day = driven()
    day.enqueue("c1", "main", "chat")
    accept = c.AcceptOffer(PLATFORM, ANN, leg_id("c1"))
    assert "OFFER_OF_ANOTHER_AGENT" == day.refusal(c.AcceptOffer(PLATFORM, BOB, leg_id("c1")))
    assert "AGENT_NOT_FOUND" == day.refusal(c.AcceptOffer(PLATFORM, AgentId("eve"), leg_id("c1")))
    day.decline(day.contact("c1").owner)
    assert "OFFER_GONE" == day.refusal(accept)
    day.give(c.CancelContact(PLATFORM, ContactId("c1")))
    assert "CONTACT_ENDED" == day.refusal(accept)


def test_an_agent_names_its_session_and_only_the_present_one_counts() -> None:
    day = driven()
    day.enqueue("c1", "main", "chat")
    old = day.agent("ann").session
    assert "INVALID_FIELD" == day.refusal(c.AcceptOffer(person("ann"), ANN, leg_id("c1")))
    day.sign_in("ann")
    late = c.AcceptOffer(person("ann"), ANN, leg_id("c1"), old)
    assert "SESSION_SUPERSEDED" == day.refusal(late)
    day.take(day.contact("c1").owner)


def test_an_accept_that_has_arrived_beats_its_own_deadline() -> None:
    day = driven()
    leg = day.enqueue("c1", "main", "chat")
    assert leg is not None
    day.give(c.AcceptOffer(PLATFORM, ANN, leg.leg_id), after_ms=25_000)
    assert ContactState.ENGAGED is day.contact("c1").state


def test_a_fact_takes_back_the_newest_offers_until_the_rest_fits() -> None:
    day = driven(units=4)
    for name in ("c1", "c2", "c3", "c4"):
        day.enqueue(name, "main", "chat")
        day.wait(1)
    events = day.give(c.StartContact(PLATFORM, new("d1", ""), ANN))
    withdrawn = [event for event in events if isinstance(event, OfferWithdrawn)]
    assert ["c4", "c3"] == [event.contact_id for event in withdrawn]
    assert "" == day.owner_of("c4") and "ann" == day.owner_of("c1")


def test_a_fact_takes_back_the_offer_of_its_own_channel_even_with_units_to_spare() -> None:
    day = driven(units=9)
    day.give(c.SignOut(PLATFORM, BOB, 0))
    day.enqueue("c1", "main", "chat")
    day.enqueue("c2")
    day.give(c.StartContact(PLATFORM, new("d1", ""), ANN))
    assert ("ann", "") == (day.owner_of("c1"), day.owner_of("c2"))
