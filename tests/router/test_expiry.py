"""What happens by itself: in passes, each deadline on the state that the earlier ones left."""

from typing import Any

from tests.router.pool_kit import PLATFORM, Driven, channel, new, policy, profile, queue

from usher.queue import commands as c
from usher.queue.events import ContactsRetired, OfferExpired, PresenceSet
from usher.queue.values import SYSTEM, ContactId, Presence
from usher.router.expiry import MISSED_OFFERS, PASS_MAX


def driven(units: int = 9, **rules: Any) -> Driven:
    mail = channel(missed_offers_max=2, wrap_up_ms=5_000)
    return Driven.opened(
        policy(queue("main", decline_pause_ms=30_000), channels={"email": mail}, **rules),
        profile("ann", units, channels={"email": (1, 9, 0)}),
    )


def test_a_pass_with_nothing_due_does_nothing() -> None:
    day = driven()
    assert () == day.pool.execute(c.ExpireDeadlines(SYSTEM), day.at_ms)


def test_a_pass_touches_an_agent_once() -> None:
    day = driven()
    for number in range(3):
        day.enqueue(f"c{number}", "main", "email")
    day.at_ms += 20_000
    events = day.pool.execute(c.ExpireDeadlines(SYSTEM), day.at_ms)
    assert 1 == len([event for event in events if isinstance(event, OfferExpired)])
    day.settle()
    assert [] == list(day.agent("ann").legs)


def test_so_many_missed_in_a_row_make_not_ready_once() -> None:
    day = driven()
    for number in range(3):
        day.enqueue(f"c{number}", "main", "email")
    day.wait(20_000)
    agent = day.agent("ann")
    assert (Presence.NOT_READY, MISSED_OFFERS) == (agent.presence, agent.reason)
    told = [each for record in day.records for each in record.events]
    assert 1 == len([event for event in told if isinstance(event, PresenceSet)])


def test_a_pause_ends_and_the_pair_is_offered_again() -> None:
    day = driven()
    day.decline(day.enqueue("c1", "main", "email"))
    day.wait(29_999)
    assert "" == day.owner_of("c1")
    day.wait(1)
    assert "ann" == day.owner_of("c1")
    assert {} == day.contact("c1").pauses


def test_a_pass_is_bounded_and_retires_in_one_event() -> None:
    day = driven(ended_kept_ms=1_000)
    names = [f"c{number}" for number in range(PASS_MAX + 1)]
    day.give(c.EnqueueContacts(PLATFORM, tuple(new(name) for name in names)))
    for name in names:
        day.give(c.AbandonContact(PLATFORM, ContactId(name)))
    day.at_ms += 1_000
    (retired,) = day.pool.execute(c.ExpireDeadlines(SYSTEM), day.at_ms)
    assert isinstance(retired, ContactsRetired) and PASS_MAX == len(retired.contact_ids)
    day.settle()
    assert {} == day.pool.ledger.contacts


def test_wrap_up_ends_before_its_contact_leaves_even_if_nothing_is_kept() -> None:
    day = driven(ended_kept_ms=0)
    day.take(day.enqueue("c1", "main", "email"))
    day.complete("c1")
    day.wait(5_000)
    assert {} == day.agent("ann").legs
    assert {} == day.pool.ledger.contacts
