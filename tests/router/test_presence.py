"""Agents come, go, rest and get lost."""

import pytest
from tests.router.pool_kit import PLATFORM, Driven, channel, new, person, policy, profile

from usher.queue import commands as c
from usher.queue.rules import Roster
from usher.queue.values import SYSTEM, AgentId, ContactState, Presence

ANN = AgentId("ann")
OFFLINE, READY, NOT_READY, DRAINING = (
    Presence.OFFLINE,
    Presence.READY,
    Presence.NOT_READY,
    Presence.DRAINING,
)


def driven() -> Driven:
    prices = {"chat": (1, 3, 0), "voice": (1, 1, 0)}
    rules = policy(channels={"chat": channel(lost_grace_ms=10_000, missed_offers_max=0)})
    return Driven.opened(rules, profile("ann", 4, channels=prices))


def set_presence(day: Driven, presence: Presence, reason: str = "") -> c.SetPresence:
    return c.SetPresence(person("ann"), ANN, day.agent("ann").session, presence, reason)


@pytest.mark.parametrize(
    ("presence", "reason", "refusal"),
    [
        (OFFLINE, "", "INVALID_FIELD"),
        (NOT_READY, "", "INVALID_FIELD"),
        (DRAINING, "", "INVALID_FIELD"),
    ],
)
def test_one_signs_in_as_ready_or_as_not_ready_for_a_reason(
    presence: Presence, reason: str, refusal: str
) -> None:
    day = driven()
    assert refusal == day.refusal(c.SignIn(person("ann"), ANN, presence, reason))
    assert "AGENT_NOT_FOUND" == day.refusal(c.SignIn(person("eve"), AgentId("eve")))
    day.sign_in("ann", presence=NOT_READY, reason="coffee")
    assert (NOT_READY, "coffee") == (day.agent("ann").presence, day.agent("ann").reason)


def test_signing_in_again_takes_over_what_is_open() -> None:
    day = driven()
    leg = day.enqueue("c1", "main", "chat")
    first = day.agent("ann")
    day.sign_in("ann")
    assert first.session < day.agent("ann").session
    assert first.legs == day.agent("ann").legs
    assert first.signed_in_ms == day.agent("ann").signed_in_ms
    day.take(leg)


def test_not_ready_stops_new_offers_only() -> None:
    day = driven()
    leg = day.enqueue("c1", "main", "chat")
    day.give(set_presence(day, NOT_READY, "lunch"))
    assert day.enqueue("c2", "main", "chat") is None
    day.take(leg)
    assert () == day.give(set_presence(day, NOT_READY, "lunch"))
    day.give(set_presence(day, READY))
    assert "ann" == day.owner_of("c2")


def test_draining_without_work_is_leaving() -> None:
    day = driven()
    day.give(set_presence(day, DRAINING))
    assert OFFLINE is day.agent("ann").presence
    assert "AGENT_NOT_SIGNED_IN" == day.refusal(set_presence(day, READY))
    session = day.agent("ann").session
    assert "AGENT_NOT_SIGNED_IN" == day.refusal(c.SignOut(person("ann"), ANN, session))


def test_idle_counts_from_ready_and_from_the_last_end_but_not_from_a_missed_offer() -> None:
    day = driven()
    began_ms = day.at_ms
    day.wait(1_000)
    day.enqueue("c1", "main", "chat")
    day.wait(20_000)
    assert began_ms == day.agent("ann").idle_since_ms
    day.wait(60_000)
    day.take(day.contact("c1").owner)
    day.complete("c1")
    assert day.at_ms == day.agent("ann").idle_since_ms


def test_a_session_is_lost_once_and_only_the_present_one() -> None:
    day = driven()
    session = day.agent("ann").session
    assert () == day.give(c.LoseSession(SYSTEM, ANN, session - 1))
    assert () != day.give(c.LoseSession(SYSTEM, ANN, session))
    assert () == day.give(c.LoseSession(SYSTEM, ANN, session))
    assert "SESSION_SUPERSEDED" == day.refusal(set_presence(day, READY))


def test_a_chat_waits_again_after_the_grace_and_a_call_stays() -> None:
    day = driven()
    day.talk("v1")
    day.take(day.enqueue("c1", "main", "chat"))
    day.give(c.LoseSession(SYSTEM, ANN, day.agent("ann").session))
    day.wait(9_999)
    assert ContactState.ENGAGED is day.contact("c1").state
    day.wait(1)
    assert ContactState.WAITING is day.contact("c1").state
    day.wait(3_600_000)
    assert ContactState.ENGAGED is day.contact("v1").state
    day.sign_in("ann")
    assert "ann" == day.owner_of("c1")


def test_a_chat_that_never_had_a_queue_stays_with_a_lost_desktop() -> None:
    day = driven()
    day.give(c.StartContact(PLATFORM, new("d1", "", "chat"), ANN))
    day.give(c.LoseSession(SYSTEM, ANN, day.agent("ann").session))
    day.wait(3_600_000)
    assert "ann" == day.owner_of("d1")


def test_who_comes_back_in_time_keeps_all() -> None:
    day = driven()
    day.take(day.enqueue("c1", "main", "chat"))
    day.give(c.LoseSession(SYSTEM, ANN, day.agent("ann").session))
    day.wait(9_000)
    day.sign_in("ann")
    day.wait(60_000)
    assert "ann" == day.owner_of("c1")


def test_an_agent_left_out_signs_in_only_while_it_has_work() -> None:
    day = driven()
    day.talk("c1")
    day.give(c.SetRoster(SYSTEM, Roster(version="r2")))
    day.sign_in("ann")
    assert day.enqueue("c2") is None
    day.complete("c1")
    assert "AGENT_CLOSED" == day.refusal(c.SignIn(person("ann"), ANN))
