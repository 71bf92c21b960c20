"""The ledger: records are replaced, never changed, so a moment can be held; bugs are told."""

from typing import get_args

import msgspec
import pytest
from tests.router.pool_kit import PLATFORM, Driven, leg_id, policy, profile, queue, replayed

from usher.queue import applying_agents, applying_contacts, applying_offers
from usher.queue import commands as c
from usher.queue.applying_legs import BrokenLedger
from usher.queue.events import AgentSignedOut, AnyEvent, ContactHeld, OfferExpired, PoolEvent
from usher.queue.ledger import Ledger
from usher.queue.lifecycle import IllegalMove
from usher.queue.values import NEVER_MS, SYSTEM, AgentId, ContactId, LegState

C1 = ContactId("c1")


def driven() -> Driven:
    return Driven.opened(policy(queue("main", wrap_up_ms=60_000)), profile("ann"))


def test_a_held_record_is_one_moment() -> None:
    day = driven()
    day.enqueue("c1")
    contact, agent = day.contact("c1"), day.agent("ann")
    before = msgspec.msgpack.encode([contact, agent])
    day.take(contact.owner)
    day.connect("c1")
    day.complete("c1")
    assert before == msgspec.msgpack.encode([contact, agent])
    assert day.contact("c1") is not contact


def test_every_event_has_what_applies_it() -> None:
    arms = [applying_offers.CHANGES, applying_contacts.CHANGES]
    others = [applying_contacts.ARRIVALS, applying_agents.CHANGES]
    applied = [kind for table in (*arms, *others) for kind in table]
    assert len(applied) == len(set(applied))
    assert {*applied, *get_args(PoolEvent)} == set(get_args(AnyEvent))


def test_a_ledger_begins_empty_and_equal() -> None:
    assert Ledger().state_hash() == Ledger().state_hash()
    assert 0 == Ledger().position


def test_an_event_of_a_leg_that_is_not_there_is_a_bug_that_is_told() -> None:
    day = driven()
    day.enqueue("c1")
    with pytest.raises(BrokenLedger, match=r"c1 has no leg c1\.9"):
        day.pool.ledger.apply(OfferExpired(C1, leg_id("c1", 9), 0), day.at_ms)


def test_an_event_that_the_tables_do_not_allow_is_a_bug_that_is_told() -> None:
    day = driven()
    day.enqueue("c1")
    with pytest.raises(IllegalMove, match="leg offered -> held"):
        day.pool.ledger.apply(ContactHeld(C1, leg_id("c1")), day.at_ms)


def test_draining_ends_with_the_last_leg() -> None:
    day = driven()
    day.talk("c1")
    day.pool.ledger.apply(AgentSignedOut(AgentId("ann")), day.at_ms)
    assert "draining" == day.agent("ann").presence.value
    day.complete("c1")
    assert "draining" == day.agent("ann").presence.value
    day.wait(60_000)
    assert "offline" == day.agent("ann").presence.value


def test_the_next_deadline_of_a_replay_is_that_of_the_live_pool() -> None:
    day = driven()
    day.talk("c1")
    day.complete("c1")
    day.enqueue("c2")
    pool = replayed([])
    with pool.ledger.replaying():
        replayed(day.records, pool)
        assert pool.next_deadline() is None
    assert day.pool.next_deadline() == pool.next_deadline() == day.at_ms + 20_000
    assert day.pool.state_hash() == pool.state_hash()


def test_an_outage_keeps_a_contact_as_long_as_its_wrap_up() -> None:
    day = Driven.opened(
        policy(queue("main", wrap_up_ms=60_000), ended_kept_ms=1_000), profile("ann")
    )
    day.talk("c1")
    day.complete("c1")
    day.give(c.OpenPool(SYSTEM, "0.1.0", "2.0", "1.0", 1), after_ms=45_000)
    leg = day.contact("c1").legs[0]
    assert (LegState.WRAPPING, day.at_ms + 60_000) == (leg.state, leg.due_ms)
    assert leg.due_ms <= day.contact("c1").retire_ms
    day.wait(61_000)
    assert {} == day.agent("ann").legs


def test_time_waited_is_counted_up_to_the_moment_asked_for() -> None:
    day = driven()
    day.give(c.SignOut(PLATFORM, AgentId("ann"), 0))
    day.enqueue("c1", waited_ms=5_000)
    contact = day.contact("c1")
    assert 5_000 == contact.time_waited_ms(day.at_ms)
    assert 8_000 == contact.time_waited_ms(day.at_ms + 3_000)
    day.wait(3_000)
    day.connect("c1", "ann")
    assert 8_000 == day.contact("c1").time_waited_ms(day.at_ms + 60_000)
    assert NEVER_MS == day.contact("c1").waiting_since_ms
