"""A journal executed anew: equal events, the first difference named; or pair by pair."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest
from tests.router import pool_kit as kit
from tests.router.branch_kit import BranchDay

from usher.queue import commands as c
from usher.queue.codec import Record
from usher.queue.errors import Refused
from usher.queue.events import OfferMade
from usher.queue.rules import Order, Requirement
from usher.queue.values import AgentId, ContactId, Presence
from usher.router.pool import Pool
from usher.router.service.opening import Versions
from usher.router.trials.verification import Verification, verify

VERSIONS = Versions("0.1.0", "2.0", "1.0")  # as `kit.set_up` writes them
OTHER = Versions("0.1.0", "2.1", "1.0")


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
    assert (len(driven.records), 0) == (found.executed, found.replayed)
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


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_other_versions_every_pair_of_an_honest_journal_was_allowed(seed: int) -> None:
    driven, appends = busy(1, seed)
    found = appends.verified(OTHER)
    assert found.difference is None
    assert offers_among(driven.records) == found.pairs > 50
    assert (0, len(driven.records)) == (found.executed, found.replayed)
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


# under other versions: was each pair allowed?


def offers_among(records: list[Record]) -> int:
    return sum(isinstance(event, OfferMade) for record in records for event in record.events)


def with_offer(driven: kit.Driven, number: int, **changes: object) -> list[Record]:
    """The records with the offer of this number (from 0) changed, up to it: it changes the rest."""
    left, records = number, list[Record]()
    for record in driven.records:
        events = list(record.events)
        for at, event in enumerate(record.events):
            if isinstance(event, OfferMade):
                if left == 0:
                    events[at] = msgspec.structs.replace(event, **changes)
                left -= 1
        records.append(msgspec.structs.replace(record, events=tuple(events)))
        if left < 0:
            break
    return records


def why(records: list[Record]) -> str:
    """What verify says of an altered journal: the reason, after the pairs that were allowed."""
    found = verify([[record] for record in records], OTHER)
    assert found.difference is not None, "it was taken for sound"
    assert records[-1].position == found.difference.position
    assert found.pairs == offers_among(records[:-1])
    assert isinstance(found.difference.got, str)
    return found.difference.got


def two_agents(**second: Any) -> kit.Driven:
    """Two agents, of whom `a1` is there and was offered a contact."""
    driven = kit.Driven.opened(
        kit.policy(
            kit.queue("main", requirements=(Requirement("a", 5),), groups=("g",)),
            channels={"voice": kit.channel(wrap_up_ms=60_000)},
        ),
        kit.profile("a1", skills={"a": 9}, groups=("g",), languages=("de",)),
        kit.profile("a2", **{"skills": {"a": 9}, "groups": ("g",), "languages": ("de",), **second}),
        ready=False,
    )
    driven.sign_in("a1")
    driven.enqueue("c1", languages=("de",))
    assert "a1" == driven.owner_of("c1")
    return driven


def test_control_the_same_journal_unaltered_is_sound() -> None:
    driven = two_agents()
    found = verify([driven.records], OTHER)
    assert (None, 1, 0) == (found.difference, found.pairs, found.executed)


@pytest.mark.parametrize(
    "second", [{"skills": {"a": 4}}, {"skills": {}}, {"groups": ("h",)}, {"languages": ("en",)}]
)
def test_an_agent_without_what_the_queue_or_contact_asks_for_is_found(
    second: dict[str, Any],
) -> None:
    driven = kit.Driven.opened(
        kit.policy(kit.queue("main", requirements=(Requirement("a", 5),), groups=("g",))),
        kit.profile("a1", skills={"a": 9}, groups=("g",), languages=("de",)),
        kit.profile("a2", **{"skills": {"a": 9}, "groups": ("g",), "languages": ("de",), **second}),
        kit.profile("a3", skills={"b": 1}, groups=("h",)),
    )
    driven.enqueue("c1", languages=("de",))
    assert "not allowed: agent a2 lacks a skill, group or language" in why(
        with_offer(driven, 0, agent_id="a2")
    )


def test_an_agent_who_is_not_there_is_found() -> None:
    assert "agent a2 is not there for offers: offline" in why(
        with_offer(two_agents(), 0, agent_id="a2")
    )
    driven = two_agents()
    driven.sign_in("a2", presence=Presence.NOT_READY, reason="lunch")
    driven.decline(driven.contact("c1").owner)
    driven.wait(120_000)
    assert "agent a2 is not there for offers: not_ready" in why(
        with_offer(driven, 1, agent_id="a2")
    )


def test_an_agent_beyond_its_capacity_is_found() -> None:
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"), kit.profile("a2"))
    driven.enqueue("c1")
    first = driven.owner_of("c1")
    driven.enqueue("c2")
    assert f"agent {first} would have 2 of 1 units" in why(with_offer(driven, 1, agent_id=first))


def test_two_contacts_of_one_match_count_together() -> None:
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"), kit.profile("a2"))
    both = (kit.new("c1"), kit.new("c2"))
    driven.give(c.EnqueueContacts(kit.PLATFORM, both))
    first = next(e for e in driven.records[-1].events if isinstance(e, OfferMade)).agent_id
    assert "would have 2 of 1 units" in why(with_offer(driven, 1, agent_id=first))


def test_too_many_legs_of_a_channel_are_found() -> None:
    profiles = [kit.profile(name, 9, channels={"chat": (1, 1, 0)}) for name in ("a1", "a2")]
    driven = kit.Driven.opened(kit.policy(), *profiles)
    driven.enqueue("c1", "main", "chat")
    first = driven.owner_of("c1")
    driven.enqueue("c2", "main", "chat")
    assert f"agent {first} would have 2 of 1 legs of chat" in why(
        with_offer(driven, 1, agent_id=first)
    )


def test_an_agent_who_does_not_serve_the_channel_is_found() -> None:
    chats = kit.profile("a2", channels={"chat": (1, 1, 0)})
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"), chats)
    driven.enqueue("c1")
    assert "agent a2 does not serve channel voice" in why(with_offer(driven, 0, agent_id="a2"))


def test_a_pair_that_pauses_is_found() -> None:
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"), kit.profile("a2"))
    driven.enqueue("c1")
    first = driven.owner_of("c1")
    driven.decline(driven.contact("c1").owner)
    assert "the pair pauses until" in why(with_offer(driven, 1, agent_id=first))


def test_a_contact_that_was_offered_already_is_found() -> None:
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"), kit.profile("a2"))
    driven.enqueue("c1")
    driven.enqueue("c2")
    again = {"contact_id": ContactId("c1"), "leg_id": kit.leg_id("c1", 2)}
    assert "contact c1 does not wait" in why(with_offer(driven, 1, **again))


def test_a_price_that_is_not_the_rosters_is_found() -> None:
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"))
    driven.enqueue("c1")
    assert "the offer costs 0 units" in why(with_offer(driven, 0, price=0))


def test_who_is_not_in_the_roster_or_the_pool_is_found() -> None:
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"))
    driven.enqueue("c1")
    assert "agent a9 is not in the roster" in why(with_offer(driven, 0, agent_id="a9"))
    assert "contact c9 is not in the pool" in why(with_offer(driven, 0, contact_id="c9"))


def test_another_score_or_another_allowed_agent_is_no_fault() -> None:
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"), kit.profile("a2"))
    driven.enqueue("c1")
    other = "a2" if driven.owner_of("c1") == "a1" else "a1"
    changed_records = with_offer(driven, 0, agent_id=other, score=1)
    found = verify([changed_records], OTHER)
    assert (None, 1) == (found.difference, found.pairs)
    assert verify([changed_records], VERSIONS).difference is not None


def test_a_call_to_a_desk_is_checked_by_the_rules_of_the_desk() -> None:
    day = BranchDay.staffed("1", "2")
    day.join("j1", "advice")
    assert "j1" == day.next("1")
    found = verify([day.records], OTHER)
    assert (None, 1) == (found.difference, found.pairs)
    assert "agent bob does not sit at desk north/1" in why(with_offer(day, 0, agent_id="bob"))
    assert "agent nobody is not in the roster" in why(with_offer(day, 0, agent_id="nobody"))
