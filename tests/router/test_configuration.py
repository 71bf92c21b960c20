"""Opening the pool, and new policies and rosters over live contacts and sessions."""

from tests.router.pool_kit import PLATFORM, Driven, channel, policy, profile, queue, roster

from usher.queue import commands as c
from usher.queue.events import PoolOpened
from usher.queue.rules import Connects, Order, Roster
from usher.queue.values import SYSTEM, AgentId, ContactId, Presence

ANN = AgentId("ann")


def opening(rate: int = 1) -> c.OpenPool:
    return c.OpenPool(SYSTEM, "0.1.0", "2.0", "1.0", rate)


def driven() -> Driven:
    rules = policy(
        queue("main"),
        queue("odd", order=Order.FCFS, level=1),
        channels={"pigeon": channel(connects=Connects.CONNECT)},
    )
    prices = {"voice": (1, 2, 0), "pigeon": (1, 1, 0)}
    return Driven.opened(rules, profile("ann", 2, channels=prices), profile("bob"))


def test_the_first_opening_has_no_outage_and_later_ones_last_from_the_last_record() -> None:
    day = Driven()
    (opened,) = day.give(opening())
    assert isinstance(opened, PoolOpened) and 0 == opened.outage_ms
    (opened,) = day.give(opening(), after_ms=5_000)
    assert isinstance(opened, PoolOpened) and 5_000 == opened.outage_ms
    assert ("0.1.0", "2.0", "1.0") == day.pool.ledger.versions


def test_a_journal_keeps_its_clock_rate() -> None:
    day = Driven()
    day.give(opening(60))
    assert "CLOCK_RATE_FIXED" == day.refusal(opening(1))


def test_an_offer_outlasts_a_short_outage() -> None:
    day = driven()
    day.enqueue("c1")
    day.give(opening(), after_ms=15_000)
    day.wait(19_999)
    assert "ann" == day.owner_of("c1")
    day.wait(1)
    assert "ann" != day.owner_of("c1")


def test_what_a_new_policy_leaves_out_stays_closed_while_it_is_live() -> None:
    day = driven()
    day.talk("c1", "odd", "pigeon")
    day.give(c.SetPolicy(SYSTEM, policy(version="p2")))
    ledger = day.pool.ledger
    assert {"main": False, "odd": True} == {
        each.name: each.closed for each in ledger.queues.values()
    }
    assert ledger.policy is not None and "pigeon" in ledger.policy.channels
    day.complete("c1")
    day.give(c.SetPolicy(SYSTEM, policy(version="p3")))
    assert ["main"] == list(ledger.queues)
    assert ledger.policy is not None and "pigeon" not in ledger.policy.channels


def test_who_waits_in_a_closed_queue_is_still_offered() -> None:
    day = driven()
    for name in ("ann", "bob"):
        day.give(c.SignOut(PLATFORM, AgentId(name), 0))
    day.enqueue("c1", "odd")
    day.give(c.SetPolicy(SYSTEM, policy(version="p2")))
    day.sign_in("bob")
    assert "bob" == day.owner_of("c1")


def test_an_agent_left_out_finishes_its_work_and_is_then_forgotten() -> None:
    day = driven()
    day.talk("c1")
    assert "ann" == day.owner_of("c1")
    day.give(c.SetRoster(SYSTEM, roster(profile("bob"), version="r2")))
    assert day.pool.ledger.profiles[ANN].closed
    assert Presence.READY is day.agent("ann").presence
    day.complete("c1")
    day.give(c.SetRoster(SYSTEM, roster(profile("bob"), version="r3")))
    assert [AgentId("bob")] == list(day.pool.ledger.agents)


def test_a_new_roster_counts_for_the_next_offer() -> None:
    day = driven()
    for name in ("c1", "c2", "c3", "c4"):
        day.enqueue(name)
    assert "" == day.owner_of("c4")
    larger = roster(profile("ann", 3, channels={"voice": (1, 3, 0)}), profile("bob"), version="r2")
    day.give(c.SetRoster(SYSTEM, larger))
    assert "ann" == day.owner_of("c4")


def test_a_wrong_policy_or_roster_changes_nothing_and_says_what_is_wrong() -> None:
    day = driven()
    twice = policy(queue("a"), queue("a"), version="p2")
    assert "POLICY_REFUSED" == day.refusal(c.SetPolicy(SYSTEM, twice))
    empty = roster(profile("ann", channels={}), version="r2")
    assert "POLICY_REFUSED" == day.refusal(c.SetRoster(SYSTEM, empty))


def test_a_contact_that_nobody_serves_any_more_waits_in_its_place() -> None:
    day = driven()
    for name in ("ann", "bob"):
        day.give(c.SignOut(PLATFORM, AgentId(name), 0))
    day.enqueue("c1")
    day.give(c.SetRoster(SYSTEM, Roster(version="r2")))
    assert 1 == day.pool.queue_position(ContactId("c1"))
