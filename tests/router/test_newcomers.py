"""What who joined now would find: it is what they find when they do."""

from collections.abc import Callable
from random import Random

import pytest
from msgspec.structs import replace
from tests.router import branch_kit as kit
from tests.router.branch_kit import NORTH, BranchDay
from tests.router.pool_kit import policy, queue

from usher.queue.branches import ServiceName
from usher.queue.estimates import WaitRange
from usher.queue.rules import Order, Policy, Requirement
from usher.router.lobby import Newcomer


def newcomers(day: BranchDay) -> dict[str, Newcomer]:
    """What they would find now, by service."""
    ledger, lobby = day.pool.ledger, day.pool.matcher.lobby
    found = lobby.newcomers(ledger, ledger.branches[NORTH], day.at_ms)
    return {str(name): newcomer for name, newcomer in found.items()}


def uneven() -> Policy:
    """Cash has a head start before post, advice stands on a higher level."""
    fcfs, walk_in = Order.FCFS, ("walk_in",)
    return policy(
        queue("cash", channels=walk_in, order=fcfs, level=1, head_start_ms=60_000),
        queue("letters", channels=walk_in, order=fcfs, level=1),
        queue(
            "advice",
            channels=walk_in,
            order=fcfs,
            level=2,
            requirements=(Requirement("advice"),),
        ),
    )


PLAN = kit.branches(
    kit.service("cash", usual_ms=kit.CASH_MS),
    kit.service("post", "letters", usual_ms=kit.POST_MS),
    kit.service("advice", usual_ms=kit.ADVICE_MS),
    kit.branch("north", *kit.LINES),
    *kit.DESKS,
)


@pytest.mark.parametrize("seed", range(30))
def test_a_newcomer_finds_what_was_told(seed: int) -> None:
    random = Random(seed)
    day = BranchDay.begun(uneven(), PLAN, seats=random.choice(({}, {"1": "ann"}, {"2": "bob"})))
    if random.random() < 0.5:
        day.sit("ann", "1")
        day.sit("bob", "2")
    for n in range(random.randrange(20)):
        after_ms = random.choice((0, 1, 30_000, 59_999, 60_000, 60_001, 100_000))
        day.join(f"j{n}", random.choice(("cash", "post", "advice")), after_ms=after_ms)
    if random.random() < 0.5 and day.sits_at("1"):
        day.next("1")
    day.at_ms += random.choice((0, 1, 60_000))
    name = random.choice(("cash", "post", "advice"))
    told = newcomers(day)[name]
    day.join("new", name)
    standing = day.standings()["new"]
    queued = [one for one in day.in_line() if day.contact(one).facts.queue == _queue(day, name)]
    assert told.wait == standing.wait
    assert told.waiting == len(queued) - 1


def test_desks_count_for_what_their_clerks_may_serve() -> None:
    day = BranchDay.staffed()
    found = newcomers(day)
    assert [2, 2, 1] == [found[name].desks for name in ("cash", "post", "advice")]
    assert WaitRange(0, 0) == found["advice"].wait
    day.sit("ann", "3")
    assert 1 == newcomers(day)["advice"].desks


def test_telling_it_changes_nothing() -> None:
    day = BranchDay.staffed()
    day.join("j0", "advice")
    lobby = day.pool.matcher.lobby
    before = lobby.standings(day.pool.ledger, NORTH)
    for _ in range(200):  # kinds without a contact would fill the table
        newcomers(day)
    assert before is lobby.standings(day.pool.ledger, NORTH)
    assert ["j0"] == day.in_line()


def test_standings_are_made_anew_only_when_something_has_changed() -> None:
    day = BranchDay.staffed()
    day.join("j0")
    lobby, ledger = day.pool.matcher.lobby, day.pool.ledger
    first = lobby.standings(ledger, NORTH)
    day.enqueue("c1", "chats", "chat")
    assert first is lobby.standings(ledger, NORTH)
    changes: list[Callable[[], object]] = [
        lambda: day.join("j1"),
        lambda: day.call("1", "j0"),
        lambda: day.sit("bob", "3"),
        lambda: day.set_branches(replace(kit.PLAN, version="b2")),
    ]
    for change in changes:
        change()
        later = lobby.standings(ledger, NORTH)
        assert first is not later
        first = later


def test_tickets_at_desks_are_known_also_to_a_new_matcher() -> None:
    day = BranchDay.staffed()
    for n in range(3):
        day.join(f"j{n}")
    day.call("1", "j0")
    day.call_and_serve("2", "j1")
    assert ["j0", "j1"] == day.pool.matcher.lobby.at_desks(NORTH)
    day.restart()
    assert {"j0", "j1"} == set(day.pool.matcher.lobby.at_desks(NORTH))
    assert ["j2"] == day.in_line()
    day.finish("2", "j1")
    day.put_back("1", "j0", kit.Place.LAST)
    assert [] == day.pool.matcher.lobby.at_desks(NORTH)
    assert ["j2", "j0"] == day.in_line()


def _queue(day: BranchDay, name: str) -> str:
    return day.pool.ledger.services[ServiceName(name)].queue
