"""Recorded journals of every version are read and replayed for ever (`tests/histories`)."""

import os
from pathlib import Path
from typing import get_args

import pytest
from tests.router.pool_kit import (
    PLATFORM,
    Driven,
    channel,
    leg_id,
    new,
    person,
    policy,
    profile,
    queue,
    replayed,
    roster,
    set_up,
)

from usher.queue import commands as c
from usher.queue.codec import decode_records
from usher.queue.events import AnyEvent
from usher.queue.rules import Connects, Order, Policy, Rank, Requirement, Roster
from usher.queue.values import (
    SYSTEM,
    AgentId,
    ChannelName,
    ChannelPreference,
    ContactId,
    Presence,
    QueueName,
    Relationship,
    Urgency,
)
from usher.router.pool import Pool

HISTORIES = Path(__file__).resolve().parents[1] / "histories"
BODIES = sorted(HISTORIES.glob("v*.bin"))

ANN, BOB = AgentId("ann"), AgentId("bob")
C = [ContactId(f"c{number}") for number in range(20)]


@pytest.mark.parametrize("body", BODIES, ids=lambda path: path.stem)
def test_an_old_journal_leads_to_the_state_it_led_to(body: Path) -> None:
    records = decode_records(int(body.stem.removeprefix("v")), body.read_bytes())
    pool = replayed(records)
    assert records[-1].position == pool.position
    # The hash is of the records as this version holds them: a field that is added changes it. Then
    # the line for this version is added to the file, and those of older versions stay beside it.
    known = body.with_suffix(".hash").read_text().split()
    assert pool.state_hash() in known


@pytest.mark.parametrize("body", BODIES, ids=lambda path: path.stem)
def test_an_old_journal_holds_nearly_every_command_and_event(body: Path) -> None:
    records = decode_records(int(body.stem.removeprefix("v")), body.read_bytes())
    commands = {type(record.command).__name__ for record in records}
    events = {type(event).__name__ for record in records for event in record.events}
    assert 20 <= len(commands)
    assert 25 <= len(events)


def test_there_is_a_history_of_version_1() -> None:
    body = HISTORIES / "v1.bin"
    if os.environ.get("USHER_REWRITE") == "1" and not body.exists():
        driven = a_varied_day()
        body.write_bytes(driven.journal())
        body.with_suffix(".hash").write_text(driven.pool.state_hash() + "\n")
    assert body.exists()


def test_the_varied_day_has_every_command_and_event_of_today() -> None:
    driven = a_varied_day()
    commands = {type(record.command) for record in driven.records}
    events = {type(event) for record in driven.records for event in record.events}
    assert set(get_args(c.AnyCommand)) == commands
    assert set(get_args(AnyEvent)) == events
    assert driven.pool.state_hash() == replayed(driven.records, Pool()).state_hash()


def a_varied_day() -> Driven:
    """A day with every kind of command and event in it, ending with contacts in all states."""
    driven = Driven()
    for command in set_up(_policy(), _roster()):
        driven.give(command)
    _calls(driven)
    _mail_and_tickets(driven)
    _absences(driven)
    _closing_time(driven)
    return driven


def _policy() -> Policy:
    return policy(
        queue("calls", requirements=(Requirement("talking", 2, 7, 3),), wrap_up_ms=30_000),
        queue("back", rank=Rank.DEFERRED, order=Order.FCFS, head_start_ms=5_000),
        queue("desk", rank=Rank.ABSOLUTE, groups=("branch",), most_waiting=9),
        channels={
            "pigeon": channel(connects=Connects.CONNECT, failures_max=2, joining_limit_ms=5_000),
            "chat": channel(automatic_accept=True),
        },
        ended_kept_ms=120_000,
    )


def _roster() -> Roster:
    prices = {"voice": (2, 1, 1), "chat": (1, 3, 0), "pigeon": (1, 1, 0), "walk_in": (4, 1, 0)}
    return roster(
        profile("ann", 4, channels=prices, skills={"talking": 8}, groups=("branch",)),
        profile("bob", 4, channels=prices, skills={"talking": 3}, languages=("en", "fr")),
        profile("cat", 1),
    )


def _calls(driven: Driven) -> None:
    driven.sign_in("ann", lease_ms=30_000)
    driven.enqueue(
        "c1",
        "calls",
        customer_id="k1",
        journey_id="j1",
        topic="bill",
        complexity=3,
        languages=("en",),
        urgency=Urgency(2, 1, 0, 1),
        relationships=(Relationship(ANN, 500),),
        preferences=(ChannelPreference(ChannelName("chat"), 700),),
        waited_ms=4_000,
    )
    driven.take(driven.contact("c1").owner)
    driven.connect("c1")
    driven.give(c.HoldContact(PLATFORM, C[1]), after_ms=1_000)
    driven.give(c.ResumeContact(PLATFORM, C[1]), after_ms=2_000)
    driven.complete("c1", disposition="paid", resolved=True)
    driven.give(c.FinishWrapUp(person("ann"), ANN, leg_id("c1"), 1), after_ms=3_000)
    driven.give(c.EnqueueContacts(PLATFORM, (new("c2", "calls"), new("c3", "calls"))))
    driven.decline(driven.contact("c2").owner)
    driven.give(c.UpdateContact(PLATFORM, C[3], c.FactChanges(topic="card", complexity=9)))
    driven.give(c.AbandonContact(PLATFORM, C[2]), after_ms=1_500)
    driven.connect("c3", "bob")
    driven.give(c.RequeueContact(PLATFORM, C[3], QueueName("back"), "later"), after_ms=9_000)
    driven.give(c.CancelContact(SYSTEM, C[3], "mistake"))


def _mail_and_tickets(driven: Driven) -> None:
    driven.sign_in("bob")
    driven.enqueue("c4", "back", "pigeon")
    for _ in range(2):
        owner = driven.contact("c4").owner
        driven.take(owner)
        driven.give(c.ConnectFailed(PLATFORM, C[4], "lost its way"), after_ms=500)
        driven.wait(60_000)
        if driven.contact("c4").owner is None:
            break
    driven.enqueue("c5", "desk", "walk_in")
    driven.take(driven.contact("c5").owner)
    driven.wait(180_000)
    driven.enqueue("c6", "back", "voice")
    driven.wait(20_000)
    driven.give(c.SyncContacts(PLATFORM, ChannelName("voice"), driven.pool.position, ()))


def _absences(driven: Driven) -> None:
    driven.sign_in("ann")
    driven.sign_in("bob")
    for number in (7, 8, 9):
        driven.enqueue(f"c{number}", "back", "chat")
    driven.enqueue("c10", "back", "voice")
    driven.give(c.LoseSession(SYSTEM, ANN, driven.agent("ann").session))
    driven.give(c.LoseSession(SYSTEM, BOB, driven.agent("bob").session))
    driven.wait(30_000)
    driven.sign_in("bob")
    session = driven.agent("bob").session
    driven.give(c.SetPresence(person("bob"), BOB, session, Presence.NOT_READY, "lunch"))
    driven.give(c.StartContact(PLATFORM, new("c11", "", "voice"), BOB))
    driven.give(c.SignOut(person("bob"), BOB, session))


def _closing_time(driven: Driven) -> None:
    driven.give(c.OpenPool(SYSTEM, "0.1.1", "2.1", "1.1", 1), after_ms=45_000)
    driven.give(c.SetPolicy(SYSTEM, policy(queue("calls"), version="p2")))
    driven.give(
        c.SetRoster(SYSTEM, roster(profile("cat", 3, channels={"voice": (1, 3, 0)}), version="r2"))
    )
    driven.sign_in("cat")
    driven.enqueue("c12", "calls")
    driven.enqueue("c13", "calls")
    driven.take(driven.contact("c12").owner)
