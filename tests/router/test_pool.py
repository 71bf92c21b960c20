"""The pool as a whole: who decides on what, and when a match is asked for."""

from typing import get_args

from tests.router.pool_kit import PLATFORM, Driven, new, policy, profile, queue

from usher.queue import commands as c
from usher.queue.values import ContactId
from usher.router.pool import BY_COLUMNS, BY_LEDGER


def test_every_command_has_one_who_decides_on_it() -> None:
    decided = [*BY_LEDGER, *BY_COLUMNS, c.MatchContacts]
    assert len(decided) == len(set(decided))
    assert set(get_args(c.AnyCommand)) == set(decided)


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
