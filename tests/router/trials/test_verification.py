"""A journal executed anew: equal events, the first difference named, other versions unjudged."""

from collections.abc import Callable
from random import Random

import msgspec
import pytest
from tests.router import pool_kit as kit

from usher.queue import commands as c
from usher.queue.codec import Record
from usher.queue.errors import Refused
from usher.queue.events import OfferMade
from usher.queue.rules import Order, Requirement
from usher.queue.values import AgentId, ContactId
from usher.router.pool import Pool
from usher.router.service.opening import Versions
from usher.router.trials.verification import Verification, verify

VERSIONS = Versions("0.1.0", "2.0", "1.0")  # as `kit.set_up` writes them


class Appends:
    """The records of a driven pool, one append after every so many batches."""

    def __init__(self, driven: kit.Driven, batches: int = 1) -> None:
        self._driven = driven
        self._batches = batches
        self._seen = self._from = 0
        self.all: list[list[Record]] = []
        driven.after_batch = self._count
        self.cut()

    def cut(self) -> None:
        if len(self._driven.records) > self._from:
            self.all.append(self._driven.records[self._from :])
            self._from = len(self._driven.records)

    def _count(self) -> None:
        self._seen += 1
        if self._seen % self._batches == 0:
            self.cut()

    def verified(self, versions: Versions = VERSIONS) -> Verification:
        self.cut()
        return verify(self.all, versions)


def changed(appends: Appends, change: Callable[[Record], Record]) -> list[list[Record]]:
    return [[change(record) for record in records] for records in appends.all]


def busy(batches: int, seed: int = 1) -> tuple[kit.Driven, Appends]:
    """A random quarter of an hour of a small pool; whole turns share a millisecond now and then."""
    random = Random(seed)
    rules = kit.policy(
        kit.queue("main", requirements=(Requirement("a", 1, 8),)),
        kit.queue("vip", level=1, order=Order.FCFS),
        kit.queue("now", most_waiting=2),
        channels={"voice": kit.channel(wrap_up_ms=500)},
    )
    driven = kit.Driven.opened(
        rules,
        *(
            kit.profile(f"a{n}", 2, channels={"voice": (1, 2, 1)}, skills={"a": n + 1})
            for n in range(6)
        ),
    )
    appends = Appends(driven, batches)
    for step in range(400):
        if random.random() < 0.3:
            driven.wait(random.randint(1, 2_000))
        try:
            driven.give(_random_command(driven, random, step))
        except Refused:
            continue
    return driven, appends


def _random_command(driven: kit.Driven, random: Random, step: int) -> c.AnyCommand:
    contacts = list(driven.pool.ledger.contacts.values())
    owned = [one.owner for one in contacts if one.owner is not None]
    kind = random.random()
    if kind < 0.45 or not owned:
        queue = random.choice(("main", "main", "vip", "now"))
        return c.EnqueueContact(kit.PLATFORM, kit.new(f"c{step}", queue))
    leg = random.choice(owned)
    contact_id = ContactId(leg.contact_id)
    if kind < 0.6:
        return c.AcceptOffer(kit.PLATFORM, leg.agent_id, leg.leg_id)
    if kind < 0.65:
        return c.DeclineOffer(kit.PLATFORM, leg.agent_id, leg.leg_id)
    if kind < 0.75:
        return c.ConnectContact(kit.PLATFORM, contact_id)
    if kind < 0.95:
        return c.CompleteContact(kit.PLATFORM, contact_id)
    if kind < 0.98:
        return c.AbandonContact(kit.PLATFORM, contact_id)
    return c.SignIn(kit.PLATFORM, AgentId(f"a{random.randrange(6)}"))


@pytest.mark.parametrize("batches", [1, 2, 7, 40])
def test_what_the_pool_did_comes_out_the_same_however_it_was_appended(batches: int) -> None:
    driven, appends = busy(batches)
    found = appends.verified()
    assert found.difference is None
    assert (len(driven.records), 0) == (found.executed, found.unjudged)
    assert driven.pool.state_hash() == found.state_hash


def test_an_altered_event_is_named_with_position_command_expected_and_got() -> None:
    _, appends = busy(1)
    appends.cut()
    offers = [
        record.position
        for records in appends.all
        for record in records
        if any(isinstance(event, OfferMade) for event in record.events)
    ]
    at = offers[len(offers) // 2]

    def bend(record: Record) -> Record:
        if record.position != at:
            return record
        first, *rest = record.events
        assert isinstance(first, OfferMade)
        better = msgspec.structs.replace(first, score=first.score + 1)
        return msgspec.structs.replace(record, events=(better, *rest))

    found = verify(changed(appends, bend), VERSIONS).difference
    assert found is not None
    assert at == found.position
    assert "MatchContacts" == found.command["type"]  # type: ignore[index]
    assert found.expected[0]["score"] == found.got[0]["score"] + 1  # type: ignore[index]


def test_a_match_that_should_have_been_recorded_is_a_difference() -> None:
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"))
    driven.pool.apply(  # behind the back of `Driven`: no match follows
        events := driven.pool.execute(c.EnqueueContact(kit.PLATFORM, kit.new("c1")), driven.at_ms),
        driven.at_ms,
    )
    enqueue = c.EnqueueContact(kit.PLATFORM, kit.new("c1"))
    records = [*driven.records, Record(driven.pool.position, driven.at_ms, enqueue, events)]
    found = verify([records], VERSIONS).difference
    assert found is not None
    assert "MatchContacts" == found.command["type"]  # type: ignore[index]
    assert [] == found.expected


def test_a_command_that_would_be_refused_is_a_difference() -> None:
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"))
    driven.enqueue("c1")
    twice = msgspec.structs.replace(driven.records[-2], position=driven.pool.position + 1)
    found = verify([[*driven.records, twice]], VERSIONS).difference
    assert found is not None
    assert str(found.got).startswith("refused: CONTACT_EXISTS")


def test_records_of_other_versions_are_replayed_and_not_judged() -> None:
    driven, appends = busy(1)
    found = appends.verified(Versions("0.1.0", "2.1", "1.0"))
    assert (0, len(driven.records)) == (found.executed, found.unjudged)
    assert ("usher 0.1.0, numpy 2.0, scipy 1.0",) == found.other_versions
    assert driven.pool.state_hash() == found.state_hash


def test_a_restart_begins_with_new_columns_and_may_change_the_rules() -> None:
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1", channels={"chat": (1, 1, 0)}))
    appends = Appends(driven)
    driven.enqueue("c1")
    driven.pool = Pool.restore(driven.pool.snapshot().pieces())
    new_roster = kit.roster(kit.profile("a1"), version="r2")
    for command in (kit.set_up(kit.policy(), new_roster)[0], c.SetRoster(kit.PLATFORM, new_roster)):
        driven.accept(command)  # one append without a match, as a server opens
    appends.cut()
    driven.settle()
    assert "a1" == driven.owner_of("c1")
    assert appends.verified().difference is None
