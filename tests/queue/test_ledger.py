"""The ledger: records are replaced, never changed, so a moment can be held; bugs are told."""

from typing import get_args

import msgspec
import pytest
from tests.router.branch_kit import BranchDay
from tests.router.pool_kit import PLATFORM, Driven, leg_id, policy, profile, queue, replayed

from usher.queue import applying_agents, applying_contacts, applying_offers, applying_tickets
from usher.queue import commands as c
from usher.queue.applying_legs import BrokenLedger
from usher.queue.branches import DeskId
from usher.queue.events import AgentSignedOut, AnyEvent, ContactHeld, OfferExpired, PoolEvent
from usher.queue.ledger import Ledger
from usher.queue.lifecycle import IllegalMove
from usher.queue.ticket_events import DeskClosed, DeskOpened
from usher.queue.tickets import Place
from usher.queue.values import NEVER_MS, SYSTEM, AgentId, ContactId, ContactState, LegState

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
    others = [applying_contacts.ARRIVALS, applying_agents.CHANGES, applying_tickets.CHANGES]
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


@pytest.mark.parametrize("kept", [True, False])
def test_a_replay_leaves_records_as_they_were_if_somebody_keeps_them(kept: bool) -> None:
    day = driven()
    day.enqueue("c1")
    waiting = len(day.records)
    day.take(day.contact("c1").owner)
    day.connect("c1")
    day.complete("c1")
    pool = replayed([])
    with pool.ledger.replaying(in_place=not kept):
        replayed(day.records[:waiting], pool)
        contact = pool.ledger.contacts[C1]
        pool.ledger.take_touched()
        replayed(day.records, pool)
        assert kept == (ContactState.WAITING is contact.state)
        assert kept == (C1 in pool.ledger.take_touched().contacts)
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


# tickets, desks, branches


def test_what_touches_tickets_and_desks_is_gathered_until_it_is_taken() -> None:
    day = BranchDay.staffed("1")
    day.pool.take_changes()
    day.join("j1")
    day.next("1")
    changes = day.pool.take_changes()
    assert {ContactId("j1"): day.ticket("j1")} == changes.tickets
    assert {} == changes.desks
    day.give(c.SignOut(PLATFORM, AgentId("bob"), 0))
    day.serve("1", "j1")
    day.finish("1", "j1")
    day.give(c.CloseDesk(*day.at("1")))
    assert [DeskId("north/1")] == list(day.pool.take_changes().desks)


def test_a_held_ticket_is_one_moment() -> None:
    day = BranchDay.staffed("1")
    held = day.join("j1")
    before = msgspec.msgpack.encode(held)
    day.next("1")
    day.put_back("1", "j1", Place.LAST)
    assert before == msgspec.msgpack.encode(held)
    assert held is not day.ticket("j1")


def test_a_desk_has_one_clerk_and_a_clerk_one_desk_whatever_the_events() -> None:
    ledger = BranchDay.begun().pool.ledger
    ann, bob, one, two = AgentId("ann"), AgentId("bob"), DeskId("north/1"), DeskId("north/2")
    for event, expected in (
        (DeskOpened(one, ann), {one: ann}),
        (DeskOpened(two, ann), {two: ann}),
        (DeskOpened(one, bob), {one: bob, two: ann}),
        (DeskOpened(two, bob), {two: bob}),
        (DeskOpened(two, ann), {two: ann}),
        (DeskClosed(one), {two: ann}),
        (DeskClosed(two), {}),
    ):
        ledger.apply(event, 5)
        assert expected == {desk: seat.agent_id for desk, seat in ledger.seats.items()}
        assert {who: desk for desk, who in expected.items()} == ledger.desk_of


def test_a_ticket_whose_contact_leaves_the_pool_leaves_it_too() -> None:
    day = BranchDay.begun()
    day.join("j1")
    day.wait(day.ticket("j1").closes_ms - day.at_ms)
    assert [ContactId("j1")] == list(day.pool.ledger.tickets)
    day.wait(15 * 60_000)
    assert {} == day.pool.ledger.tickets == day.pool.ledger.contacts


def test_a_pool_without_branches_has_the_state_that_it_had_before_there_were_any() -> None:
    assert 5 == len(driven().pool.ledger.parts())
    assert 10 == len(BranchDay.begun().pool.ledger.parts())


def test_after_a_replay_the_closing_of_tickets_is_due_as_in_the_live_pool() -> None:
    day = BranchDay.staffed("1")
    for name in ("j1", "j2", "j3"):
        day.join(name)
    day.call_and_serve("1", "j1")
    pool = replayed([])
    with pool.ledger.replaying():
        for record in day.records:
            pool.replay(record.events, record.at_ms)
    assert day.pool.state_hash() == pool.state_hash()
    closes_ms = day.ticket("j2").closes_ms
    assert closes_ms == pool.next_deadline() == day.pool.next_deadline()
    names = [each.contact_id for each in pool.ledger.deadlines.due(closes_ms, 9)]
    assert ["j2", "j3"] == names
