"""Recorded journals of every version are read and replayed for ever (`tests/histories`)."""

import os
from hashlib import blake2b
from pathlib import Path
from typing import get_args

import pytest
from tests.router.branch_kit import (
    LEFT_END_MS,
    BranchDay,
    branch,
    branches,
    desk,
    line,
    service,
)
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
from usher.queue.branches import Branches, DateHours, Opening, ServiceName, WeekdayHours
from usher.queue.codec import RECORD_VERSION, decode_records, encode_records
from usher.queue.events import AnyEvent
from usher.queue.rules import Connects, Order, Policy, Rank, Requirement, Roster
from usher.queue.tickets import Place, TicketState
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
    least_commands, least_events = {"v1": (20, 25)}.get(body.stem, (40, 41))
    assert least_commands <= len(commands)
    assert least_events <= len(events)


@pytest.mark.parametrize("version", range(1, RECORD_VERSION + 1))
def test_there_is_a_history_of_every_version(version: int) -> None:
    body = HISTORIES / f"v{version}.bin"
    rewrite = os.environ.get("USHER_REWRITE") == "1" and version == RECORD_VERSION
    if rewrite and not body.exists():
        driven = a_varied_day()
        body.write_bytes(driven.journal())
        body.with_suffix(".hash").write_text(driven.pool.state_hash() + "\n")
    assert body.exists()


def test_the_history_of_version_1_is_as_it_was_written() -> None:
    digest = blake2b((HISTORIES / "v1.bin").read_bytes(), digest_size=16).hexdigest()
    assert "22032708628941c746b2575f75cac13a" == digest


@pytest.mark.parametrize("body", BODIES, ids=lambda path: path.stem)
def test_an_old_journal_is_written_today_as_it_was_then(body: Path) -> None:
    written = body.read_bytes()
    assert written == encode_records(decode_records(int(body.stem.removeprefix("v")), written))


def test_the_varied_day_has_every_command_and_event_of_today() -> None:
    driven = a_varied_day()
    commands = {type(record.command) for record in driven.records}
    events = {type(event) for record in driven.records for event in record.events}
    assert set(get_args(c.AnyCommand)) == commands
    assert set(get_args(AnyEvent)) == events
    assert driven.pool.state_hash() == replayed(driven.records, Pool()).state_hash()


def a_varied_day() -> Driven:
    """A day with every kind of command and event in it, ending with contacts in all states."""
    driven = BranchDay()
    for command in set_up(_policy(), _roster()):
        driven.give(command)
    _calls(driven)
    _mail_and_tickets(driven)
    _absences(driven)
    _visitors(driven)
    _last_visitors(driven)
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
        *CLERKS,
    )


CLERKS = tuple(
    profile(name, 4, channels={"walk_in": (2, 1, 0), "chat": (1, 2, 0)}, groups=("branch",))
    for name in ("dan", "eve")
)


def _branches() -> Branches:
    return branches(
        service("cash", "desk", 240_000, title="Cash"),
        service("advice", "back"),
        branch(
            "north",
            line("a", "cash", prefix="A"),
            line("b", "advice", prefix="B", width=2, start=50),
            week=(WeekdayHours(0, (Opening(540, 1020),)),),
            dates=(DateHours("2026-12-25"),),
            grace_ms=60_000,
        ),
        desk("north", "1"),
        desk("north", "2", "cash"),
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


def _visitors(day: BranchDay) -> None:
    day.set_branches(_branches())
    for name, number in (("dan", "1"), ("eve", "2")):
        day.sign_in(name)
        day.sit(name, number)
    day.join("j1", party_size=2, needs=("wheelchair",), languages=("en",))
    for name, asked in (("j2", "cash"), ("j3", "advice"), ("j4", "cash"), ("j5", "cash")):
        day.join(name, asked, after_ms=1_000)
    day.next("1")
    day.give(c.RecallTicket(*day.at("1"), ContactId("j1")), after_ms=20_000)
    day.serve("1", "j1")
    day.send_on("1", "j1", "advice")
    day.call("2", "j2")
    day.put_back("2", "j2", Place.LAST)
    day.serve("2", "j4")
    day.finish("2", "j4", disposition="paid", resolved=True)
    day.next("1")
    day.give(c.MarkNoShow(*day.at("1"), ContactId("j5")))
    day.give(c.LeaveLine(PLATFORM, ContactId("j2")))
    day.give(c.ServeWithoutTicket(*day.at("2"), new("w1", "", ""), ServiceName("cash")))
    day.finish("2", "w1")
    day.give(c.CloseDesk(*day.at("2")))


def _last_visitors(day: BranchDay) -> None:
    """Tickets in all states: called, served, waiting, and those of a day that is over."""
    day.wait(LEFT_END_MS - day.at_ms)
    day.wait(13 * 3_600_000)
    day.sit("eve", "2")
    for name in ("k1", "k2", "k3"):
        day.join(name)
    day.call_and_serve("1", "k1")
    day.next("2")
    states = {day.state(name) for name in ("k1", "k2", "k3")}
    assert {TicketState.SERVING, TicketState.CALLED, TicketState.WAITING} == states


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
