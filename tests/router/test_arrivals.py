"""How contacts come in: enqueue, batches, limits, work begun outside, updates, sync."""

from typing import Any

import pytest
from tests.router.pool_kit import (
    PLATFORM,
    SUPERVISOR,
    Driven,
    leg_id,
    new,
    policy,
    profile,
    queue,
    set_up,
)

from usher.queue import commands as c
from usher.queue.rules import QueueRules, Roster
from usher.queue.values import (
    SYSTEM,
    Actor,
    ActorKind,
    AgentId,
    ChannelName,
    ContactId,
    LegState,
    NewContact,
    Outcome,
)
from usher.router.arrivals import BATCH_MAX
from usher.router.pool import Pool

ANN = AgentId("ann")
VOICE = ChannelName("voice")


def driven(*queues: QueueRules, units: int = 1, **rules: Any) -> Driven:
    chosen = queues or (queue("main"),)
    one = profile("ann", units, channels={"voice": (1, units, 0)})
    return Driven.opened(policy(*chosen, **rules), one)


def several(*names: str) -> c.EnqueueContacts:
    return c.EnqueueContacts(PLATFORM, tuple(new(name) for name in names))


def test_a_pool_without_policy_refuses_to_be_asked() -> None:
    day = Driven(Pool())
    assert "POOL_NOT_CONFIGURED" == day.refusal(c.EnqueueContact(PLATFORM, new("c1")))
    assert "POOL_NOT_CONFIGURED" == day.refusal(c.StartContact(PLATFORM, new("c1"), ANN))
    assert not day.pool.needs_match
    for command in set_up(policy(), Roster(version="r1"))[:2]:
        day.give(command)
    assert "POOL_NOT_CONFIGURED" == day.refusal(c.EnqueueContact(PLATFORM, new("c1")))


@pytest.mark.parametrize(
    ("contact", "reason"),
    [
        (new("c1"), "CONTACT_EXISTS"),
        (new("c2", "nowhere"), "QUEUE_NOT_FOUND"),
        (new("c2", "main", "pigeon"), "CHANNEL_NOT_FOUND"),
        (new("c2", "letters", "voice"), "INVALID_FIELD"),
    ],
)
def test_what_does_not_fit_is_refused(contact: NewContact, reason: str) -> None:
    day = driven(queue("main"), queue("letters", channels=("email",)))
    day.enqueue("c1")
    assert reason == day.refusal(c.EnqueueContact(PLATFORM, contact))


def test_a_batch_comes_in_whole_or_not_at_all() -> None:
    day = driven()
    assert 2 == len(day.give(several("c1", "c2")))
    assert "CONTACT_EXISTS" == day.refusal(several("c3", "c1"))
    assert "INVALID_FIELD" == day.refusal(several("c3", "c4", "c3"))
    assert "INVALID_FIELD" == day.refusal(several())
    assert "INVALID_FIELD" == day.refusal(several(*map(str, range(BATCH_MAX + 1))))


def test_a_full_pool_takes_no_more_until_somebody_has_ended() -> None:
    day = driven(contacts_max=2)
    assert "POOL_FULL" == day.refusal(several("c1", "c2", "c3"))
    day.give(several("c1", "c2"))
    assert "POOL_FULL" == day.refusal(several("c3"))
    day.give(c.AbandonContact(PLATFORM, ContactId("c1")))
    day.enqueue("c3")


def test_facts_come_in_however_full_the_pool_is() -> None:
    day = driven(contacts_max=1)
    day.enqueue("c1")
    day.give(c.StartContact(PLATFORM, new("d1"), ANN))
    assert "ann" == day.owner_of("d1")


def test_a_batch_over_the_limit_comes_in_as_far_as_it_is_offered_at_once() -> None:
    day = driven(queue("main", most_waiting=1), units=2)
    assert "QUEUE_FULL" == day.refusal(several("c1", "c2", "c3", "c4"))
    day.give(several("c1", "c2", "c3"))
    assert "QUEUE_FULL" == day.refusal(several("c4"))


def test_contacts_of_one_batch_do_not_count_on_the_same_agent() -> None:
    day = driven(queue("a", most_waiting=0), queue("b", most_waiting=0), queue("c", level=1))
    for other in ("b", "c"):
        batch = c.EnqueueContacts(PLATFORM, (new("c1", "a"), new("c2", other)))
        assert "QUEUE_FULL" == day.refusal(batch)


@pytest.mark.parametrize(
    ("contact", "agent_id", "state", "reason"),
    [
        (new("c1"), "ann", LegState.ACTIVE, "CONTACT_EXISTS"),
        (new("d1", "nowhere"), "ann", LegState.ACTIVE, "QUEUE_NOT_FOUND"),
        (new("d1", "", "pigeon"), "ann", LegState.ACTIVE, "CHANNEL_NOT_FOUND"),
        (new("d1"), "eve", LegState.ACTIVE, "AGENT_NOT_FOUND"),
        (new("d1"), "ann", LegState.HELD, "INVALID_FIELD"),
    ],
)
def test_work_begun_outside_must_make_sense(
    contact: NewContact, agent_id: str, state: LegState, reason: str
) -> None:
    day = driven()
    day.enqueue("c1")
    assert reason == day.refusal(c.StartContact(PLATFORM, contact, AgentId(agent_id), state))


def test_a_channel_that_the_agent_does_not_serve_takes_all_its_units() -> None:
    day = driven(units=3)
    day.give(c.StartContact(PLATFORM, new("d1", "main", "walk_in"), ANN))
    assert 3 == day.agent("ann").units_used
    assert day.enqueue("c1") is None


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    day = driven()
    day.enqueue("c1", topic="bill", complexity=4, languages=("en",))
    changes = c.FactChanges(topic="card", languages=())
    update = c.UpdateContact(PLATFORM, ContactId("c1"), changes)
    assert 1 == len(day.give(update))
    facts = day.contact("c1").facts
    assert ("card", 4, ()) == (facts.topic, facts.complexity, facts.languages)
    assert () == day.give(update)


def test_a_sync_ends_only_what_is_its_own_unchanged_and_missing() -> None:
    day = driven(units=9)
    for name in ("c1", "c2", "c3"):
        day.enqueue(name)
    day.enqueue("e1", "main", "email")
    position = day.pool.position
    day.take(day.contact("c2").owner)
    day.give(c.EnqueueContact(Actor(ActorKind.PLATFORM, "crm"), new("o1")))
    day.give(c.SyncContacts(PLATFORM, VOICE, position, (ContactId("c3"),)))
    outcomes = {each.contact_id: each.outcome for each in day.pool.ledger.contacts.values()}
    assert ["c1"] == [name for name, how in outcomes.items() if how is Outcome.LOST]


def test_a_sync_loses_one_in_talk_with_its_wrap_up() -> None:
    day = driven(queue("main", wrap_up_ms=5_000))
    day.talk("c1")
    day.give(c.SyncContacts(PLATFORM, VOICE, day.pool.position, ()))
    assert LegState.WRAPPING is day.contact("c1").legs[0].state


def test_a_sync_cannot_name_a_position_to_come() -> None:
    day = driven()
    ahead = day.pool.position + 1
    assert "POSITION_AHEAD" == day.refusal(c.SyncContacts(PLATFORM, VOICE, ahead, ()))
    odd = c.SyncContacts(PLATFORM, ChannelName("pigeon"), 0, ())
    assert "CHANNEL_NOT_FOUND" == day.refusal(odd)


def test_contacts_of_nobody_are_not_those_of_a_platform() -> None:
    day = driven()
    day.give(c.EnqueueContact(SUPERVISOR, new("c1")))
    assert "" == day.contact("c1").platform
    assert () == day.give(c.SyncContacts(PLATFORM, VOICE, day.pool.position, ()))


def test_an_id_is_free_again_once_its_contact_has_left_the_pool() -> None:
    day = driven(ended_kept_ms=1_000)
    day.enqueue("c1")
    day.give(c.CancelContact(SYSTEM, ContactId("c1")))
    assert "CONTACT_EXISTS" == day.refusal(c.EnqueueContact(PLATFORM, new("c1")))
    day.wait(1_000)
    leg = day.enqueue("c1")
    assert leg is not None and leg_id("c1") == leg.leg_id
