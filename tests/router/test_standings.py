"""Where tickets stand and how long they may wait: a twin in plain loops, desks played by dice."""

import heapq
from fractions import Fraction
from random import Random

import pytest
from tests.router.branch_kit import (
    CASH_MS,
    LINES,
    MINUTE_MS,
    SECOND_MS,
    SERVICES,
    BranchDay,
    branch,
    branches,
    clerk,
    desk,
    line,
    rules,
    service,
)
from tests.router.pool_kit import PLATFORM

from usher.queue import commands as c
from usher.queue.estimates import WaitRange, wait_range
from usher.queue.rules import Order, Rank
from usher.queue.state import Contact
from usher.queue.tickets import Place
from usher.queue.values import AgentId, Channel, ContactId, Presence
from usher.router.lobby import Newcomer, Standing

WALK_IN = Channel.WALK_IN


def plain_standings(day: BranchDay) -> dict[str, tuple[int, WaitRange | None]]:
    """The twin: by turn; shares of work in fractions, free desks found by looking at legs."""
    ledger = day.pool.ledger
    waiting = [
        one
        for one in ledger.contacts.values()
        if one.contact_id in ledger.tickets and one.state.value == "waiting"
    ]
    waiting.sort(key=lambda one: _turn(day, one))
    places: dict[str, int] = {}
    found: dict[str, tuple[int, WaitRange | None]] = {}
    for at, contact in enumerate(waiting):
        name = contact.facts.queue
        places[name] = places.get(name, 0) + 1
        found[contact.contact_id] = places[name], _plain_wait(day, contact, waiting[:at])
    return found


def _turn(day: BranchDay, contact: Contact) -> tuple[int, ...]:
    rule = day.pool.ledger.queues[contact.facts.queue]
    order_ms = contact.order_ms + day.ticket(contact.contact_id).shift_ms
    rank = [Rank.ABSOLUTE, Rank.LIVE, Rank.DEFERRED].index(rule.rank)
    scored = int(rule.order is Order.SCORE)
    return rank, -rule.level, scored, order_ms - rule.head_start_ms, contact.sequence


def _plain_wait(day: BranchDay, contact: Contact, before: list[Contact]) -> WaitRange | None:
    mine = _desks_for(day, contact)
    if not mine:
        return None
    ahead, work, squares = Fraction(0), Fraction(0), Fraction(0)
    for other in before:
        theirs = _desks_for(day, other)
        if mine & theirs:
            usual_ms = _usual_ms(day, other)
            if not usual_ms:
                return None
            share = Fraction(len(mine & theirs), len(theirs))
            ahead += share
            work += share * usual_ms
            squares += share * usual_ms**2
    free = sum(1 for number in mine if _is_free(day, number))
    if ahead < free:
        return WaitRange(0, 0)
    usual_ms = _usual_ms(day, contact)
    if not usual_ms:
        return None
    left = (ahead - free) / ahead if ahead else Fraction(1)
    desks = len(mine)
    return wait_range(int(work * left) + usual_ms, int(squares * left) + usual_ms**2, desks)


def _usual_ms(day: BranchDay, contact: Contact) -> int:
    return day.pool.ledger.services[day.ticket(contact.contact_id).service].usual_ms


def _desks_for(day: BranchDay, contact: Contact) -> set[str]:
    ledger, asked = day.pool.ledger, day.ticket(contact.contact_id).service
    needs = [one.skill for one in ledger.queues[contact.facts.queue].requirements]
    found = set()
    for one in ledger.desks.values():
        agent_id = day.sits_at(one.name)
        if not agent_id or day.agent(agent_id).presence not in (
            Presence.READY,
            Presence.NOT_READY,
        ):
            continue
        profile = ledger.profiles[AgentId(agent_id)]
        spoken, wanted = set(profile.languages), set(contact.facts.languages)
        speaks = not spoken or not wanted or bool(spoken & wanted)
        has_skills = all(skill in profile.skills for skill in needs)
        if one.serves(asked) and speaks and has_skills and WALK_IN in profile.capacity.channels:
            found.add(one.name)
    return found


def _is_free(day: BranchDay, number: str) -> bool:
    agent = day.agent(day.sits_at(number))
    capacity = day.pool.ledger.profiles[agent.agent_id].capacity
    price = capacity.channels[WALK_IN].price
    held = sum(
        leg.price
        for contact in day.pool.ledger.contacts.values()
        for leg in contact.legs
        if leg.leg_id in agent.legs and leg.state.value != "offered"
    )
    return WALK_IN not in agent.channel_legs and capacity.units - held >= price


STAFF = (
    clerk("ann", "advice"),
    clerk("bob", languages=("fr",)),
    clerk("cat", "advice", languages=("de", "en")),
    clerk("dan", channels={"chat": (1, 2, 0)}),
    clerk("eve", units=4),
)
HALL = branches(
    *SERVICES,
    service("odd", "cash"),
    branch("north", line("a", "cash", "post", "odd", prefix="A"), LINES[1]),
    *(desk("north", number) for number in ("1", "2")),
    desk("north", "3", "post", "advice"),
    desk("north", "4"),
    desk("north", "5", "cash", "odd"),
)
SEATS = {"1": "ann", "2": "bob", "3": "cat", "4": "dan", "5": "eve"}


def random_hall(random: Random) -> BranchDay:
    """A hall with some desks open, some visitors at them, chats in between, and lines."""
    seats = {number: who for number, who in SEATS.items() if random.random() < 0.7}
    day = BranchDay.begun(plan=HALL, agents=STAFF, seats=seats)
    for number in range(random.randint(0, 3)):
        day.enqueue(f"chat{number}", "chats", "chat")
        if random.random() < 0.5 and day.contact(f"chat{number}").owner is not None:
            day.take(day.contact(f"chat{number}").owner)
    for number in range(random.randint(1, 9)):
        asked = random.choice(("cash", "cash", "post", "advice", "advice", "odd"))
        spoken = random.choice(((), (), ("fr",), ("de", "fr")))
        day.join(f"j{number}", asked, after_ms=random.choice((0, SECOND_MS)), languages=spoken)
    for number in seats:
        if random.random() < 0.5:
            _call_and_perhaps_return(day, number, random)
    return day


def _call_and_perhaps_return(day: BranchDay, number: str, random: Random) -> None:
    command = c.CallNext(*day.at(number))
    if day.sits_at(number) == "dan" or day.agent(day.sits_at(number)).units_used:
        return
    events = day.give(command)
    if events and random.random() < 0.4:
        contact_id = str(events[-1].contact_id)  # type: ignore[union-attr]
        day.put_back(number, contact_id, random.choice(list(Place)))


def test_standings_are_what_plain_loops_say() -> None:
    random = Random(11)
    waits: set[bool] = set()
    for _ in range(150):
        day = random_hall(random)
        got = {one: (each.position, each.wait) for one, each in day.standings().items()}
        expected = plain_standings(day)
        assert list(expected) == list(got)
        assert expected == got
        waits |= {wait is None for _, wait in got.values()}
    assert {True, False} == waits


def test_the_first_who_finds_a_free_desk_waits_for_nobody() -> None:
    day = BranchDay.staffed()
    for name in ("j1", "j2", "j3"):
        day.join(name)
    waits = [each.wait for each in day.standings().values()]
    assert [WaitRange(0, 0)] * 2 == waits[:2]
    assert wait_range(CASH_MS, CASH_MS**2, 2) == waits[2]
    day.next("1")
    assert [WaitRange(0, 0)] == [each.wait for each in day.standings().values()][:1]
    day.next("2")
    assert [wait_range(CASH_MS, CASH_MS**2, 2)] == [each.wait for each in day.standings().values()]


def test_there_is_no_estimate_without_an_open_desk_that_gives_the_service() -> None:
    day = BranchDay.staffed("1", "2")
    day.join("j1", "advice")
    day.join("j2", "cash")
    assert None not in [each.wait for each in day.standings().values()]
    day.give(c.CloseDesk(*day.at("1")))
    assert [True, False] == [each.wait is None for each in day.standings().values()]
    day.give(c.SignOut(PLATFORM, AgentId("bob"), 0))
    assert [True, True] == [each.wait is None for each in day.standings().values()]


def test_there_is_no_estimate_behind_work_of_unknown_length() -> None:
    plan = branches(
        SERVICES[0],
        service("odd", "cash"),
        branch("north", line("a", "cash", "odd")),
        desk("north", "1"),
    )
    day = BranchDay.staffed("1", plan=plan)
    for name, asked in (("j1", "cash"), ("j2", "cash"), ("j3", "odd"), ("j4", "cash")):
        day.join(name, asked)
    assert [False, False, True, True] == [each.wait is None for each in day.standings().values()]


def test_a_desk_whose_clerk_has_other_work_is_not_free() -> None:
    day = BranchDay.staffed("1", agents=(clerk("ann"),))
    day.take(day.enqueue("chat", "chats", "chat"))
    day.join("j1")
    assert wait_range(CASH_MS, CASH_MS**2, 1) == day.standings()["j1"].wait
    day.complete("chat")
    assert WaitRange(0, 0) == day.standings()["j1"].wait


def test_positions_count_per_queue_and_begin_with_1() -> None:
    day = BranchDay.staffed()
    for name, asked in (("j1", "cash"), ("j2", "advice"), ("j3", "post"), ("j4", "advice")):
        day.join(name, asked, after_ms=SECOND_MS)
    assert {"j1": 1, "j2": 1, "j3": 2, "j4": 2} == {
        name: each.position for name, each in day.standings().items()
    }
    day.next("1")
    assert {"j2": 1, "j3": 1, "j4": 2} == {
        name: each.position for name, each in day.standings().items()
    }


@pytest.mark.parametrize(("desks", "busy"), [(1, 0), (1, 1), (2, 1), (3, 0), (4, 4)])
def test_the_standings_cover_what_dice_say(desks: int, busy: int) -> None:
    staff = tuple(clerk(f"a{number}") for number in range(desks))
    plan = branches(
        SERVICES[0],
        branch("north", line("a", "cash")),
        *(desk("north", str(number)) for number in range(desks)),
    )
    seats = {str(number): f"a{number}" for number in range(desks)}
    day = BranchDay.begun(plan=plan, agents=staff, seats=seats)
    for number in range(busy):
        day.join(f"v{number}")
        day.call_and_serve(str(number), f"v{number}")
    for number in range(12):
        day.join(f"j{number}")
    random = Random(desks * 10 + busy)
    runs = [played_waits(random, desks, busy, 12) for _ in range(2_000)]
    for at, standing in enumerate(day.standings().values()):
        assert standing.wait is not None
        half = sum(waits[at] <= standing.wait.p50_ms for waits in runs) / len(runs)
        most = sum(waits[at] <= standing.wait.p90_ms for waits in runs) / len(runs)
        if standing.wait == WaitRange(0, 0):
            assert 1.0 == half
        else:
            assert 0.45 <= half <= 0.55, (at, half)
            assert 0.87 <= most <= 0.93, (at, most)


def played_waits(random: Random, desks: int, busy: int, waiting: int) -> list[float]:
    """Returns the waits of a line in one run: each goes to the desk that is free first."""
    free_at = [random.expovariate(1 / CASH_MS) for _ in range(busy)] + [0.0] * (desks - busy)
    heapq.heapify(free_at)
    waits = []
    for _ in range(waiting):
        begins = heapq.heappop(free_at)
        waits.append(begins)
        heapq.heappush(free_at, begins + random.expovariate(1 / CASH_MS))
    return waits


def test_standings_are_worked_out_anew_only_when_they_may_have_changed() -> None:
    day = BranchDay.staffed()
    day.join("j1")
    lobby, ledger = day.pool.matcher.lobby, day.pool.ledger
    north = day.ticket("j1").branch
    first = lobby.standings(ledger, north)
    day.enqueue("chat", "chats", "chat")
    assert first is lobby.standings(ledger, north)
    day.join("j2")
    assert first is not day.pool.matcher.lobby.standings(ledger, north)


# who would join now, who is at a desk, whom a desk may call


def test_a_newcomer_would_find_what_who_joins_next_finds() -> None:
    random = Random(3)
    for _ in range(60):
        day = random_hall(random)
        ledger, lobby = day.pool.ledger, day.pool.matcher.lobby
        north = ledger.branches[BranchDay.joining(day, "x").branch]
        coming = lobby.newcomers(ledger, north, day.at_ms)
        for name, newcomer in coming.items():
            trial = BranchDay(type(day.pool).restore(day.pool.snapshot().pieces()), day.at_ms)
            before = trial.pool.matcher.lobby.count(north.name, ledger.services[name].queue)
            trial.join("new", name)
            standing: Standing = trial.standings()["new"]
            able = len(_desks_for(trial, trial.contact("new")))
            assert Newcomer(before, able, standing.wait) == newcomer


def test_the_lobby_knows_who_is_at_the_desks() -> None:
    day = BranchDay.staffed()
    for name in ("j1", "j2", "j3"):
        day.join(name)
    north = day.ticket("j1").branch

    def at_desks() -> list[str]:
        return list(map(str, day.pool.matcher.lobby.at_desks(north)))

    day.next("2")
    day.call_and_serve("1", "j3")
    assert {"j1", "j3"} == set(at_desks())
    day.put_back("2", "j1", Place.LAST)
    assert ["j3"] == at_desks()
    day.restart()
    assert ["j3"] == at_desks()
    day.finish("1", "j3")
    assert [] == at_desks()


def test_tickets_at_desks_that_end_and_leave_the_pool_at_once_are_forgotten() -> None:
    day = BranchDay.staffed("1", policy_=rules(ended_kept_ms=0))
    day.join("j1")
    north = day.ticket("j1").branch
    day.wait(day.ticket("j1").closes_ms - day.at_ms - MINUTE_MS)
    day.next("1")
    assert [ContactId("j1")] == day.pool.matcher.lobby.at_desks(north)
    day.wait(MINUTE_MS)
    assert {} == day.pool.ledger.tickets
    assert [] == day.pool.matcher.lobby.at_desks(north)


def test_a_desk_may_call_whom_its_clerk_may_serve() -> None:
    random = Random(4)
    for _ in range(40):
        day = random_hall(random)
        lobby, ledger = day.pool.matcher.lobby, day.pool.ledger
        for number in ("1", "2", "3", "5"):
            agent_id = day.sits_at(number)
            if not agent_id:
                continue
            one = next(each for each in ledger.desks.values() if each.name == number)
            found = {
                str(name)
                for name, which in lobby.classes(one.branch).items()
                if lobby.served_by(ledger, AgentId(agent_id), one, which)
            }
            expected = {
                name for name in day.in_line() if number in _desks_for(day, day.contact(name))
            }
            assert expected == found
