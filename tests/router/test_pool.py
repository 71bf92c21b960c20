"""The pool as a whole: who decides on what, and when a match is asked for."""

from typing import get_args

import pytest
from tests.router.pool_kit import PLATFORM, Driven, new, policy, profile, queue, roster, set_up

from usher.queue import commands as c
from usher.queue.rules import Order
from usher.queue.values import ContactId
from usher.router.pool import BY_COLUMNS, BY_LEDGER, Pool


def test_every_command_has_one_who_decides_on_it() -> None:
    decided = [*BY_LEDGER, *BY_COLUMNS, c.MatchContacts]
    assert len(decided) == len(set(decided))
    assert set(get_args(c.AnyCommand)) == set(decided)


def busy_day(pool: Pool) -> Driven:
    """Returns two agents' day: offers taken, declined, missed; wrap-up, requeue, abandonment."""
    day = Driven(pool)
    rules = policy(queue("main", wrap_up_ms=30_000, order=Order.FCFS), queue("other", level=2))
    for command in set_up(rules, roster(profile("ann"), profile("bob"))):
        day.give(command)
    for name in ("ann", "bob"):
        day.sign_in(name)
    for number in range(12):
        day.enqueue(f"c{number}", ("main", "other")[number % 3 == 0])
    for number in range(12):
        owner = day.contact(f"c{number}").owner
        if owner is None:
            day.give(c.AbandonContact(PLATFORM, ContactId(f"c{number}")))
        elif number % 4 == 1:
            day.decline(owner)
        else:
            day.take(owner)
            day.connect(f"c{number}")
            day.wait(7_000)
            day.complete(f"c{number}")
        day.wait(20_000)
    day.wait(1_000_000)
    return day


def test_a_pool_that_is_not_shared_decides_the_same() -> None:
    shared, own = busy_day(Pool()), busy_day(Pool(shared=False))
    assert shared.records == own.records
    assert shared.pool.state_hash() == own.pool.state_hash()


def test_a_pool_that_is_not_shared_changes_its_records_in_place_and_has_no_snapshot() -> None:
    day = Driven(Pool(shared=False))
    for command in set_up(policy(), roster(profile("ann"))):
        day.give(command)
    day.sign_in("ann")
    day.enqueue("c1")
    contact, agent = day.contact("c1"), day.agent("ann")
    day.take(contact.owner)
    assert (contact, agent) == (day.contact("c1"), day.agent("ann"))
    assert contact is day.contact("c1") and agent is day.agent("ann")
    assert {} == day.pool.take_changes().contacts
    with pytest.raises(RuntimeError, match="not shared"):
        day.pool.snapshot()


def test_no_match_is_asked_for_while_nobody_has_room() -> None:
    day = Driven.opened(policy(queue("main")), profile("ann"))
    day.talk("c1")
    day.accept(c.EnqueueContact(PLATFORM, new("c2")))
    assert not day.pool.needs_match
    assert 1 == day.pool.queue_position(ContactId("c2"))
    day.accept(c.CompleteContact(PLATFORM, ContactId("c1")))
    assert day.pool.needs_match
    day.match()
    assert "ann" == day.owner_of("c2")
