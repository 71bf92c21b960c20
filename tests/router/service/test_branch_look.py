"""Looks at a branch, and which branches a batch is said to touch."""

from msgspec.structs import replace
from tests.router import branch_kit as kit
from tests.router.branch_kit import NORTH, BranchDay

from usher.queue import commands as c
from usher.queue.branches import DeskId
from usher.queue.tickets import Place
from usher.queue.values import SYSTEM, ContactId
from usher.router.service.branch_look import BranchLook, Wanted, look_at
from usher.router.service.publishing import Publishing

ONE, TWO = DeskId("north/1"), DeskId("north/2")
NAMES = {ContactId(f"j{n}"): f"name {n}".encode() for n in range(9)}


def look(
    day: BranchDay, before: BranchLook | None = None, *, desks: tuple[DeskId, ...] = (ONE, TWO)
) -> BranchLook:
    """The branch as it is now."""
    wanted = Wanted(tickets=(ContactId("j0"),), desks=desks, private=NAMES)
    return look_at(day.pool, NORTH, wanted, before)


def test_a_look_holds_lines_board_and_desks() -> None:
    day = BranchDay.staffed()
    for n, service in enumerate(("cash", "advice", "cash", "post")):
        day.join(f"j{n}", service)
    day.call("1", "j0")
    seen = look(day)
    assert ["j1", "j2", "j3"] == list(seen.waiting) == day.in_line()
    assert ["j0"] == list(seen.at_desks) == list(seen.visits_at[ONE])
    assert {} == seen.visits_at[TWO]
    assert {"A001": ONE} == {number: row.desk for number, row in seen.board.rows.items()}
    assert {"a": 2, "b": 1} == seen.board.lines
    assert ["j1", "j2", "j3"] == list(seen.turns_at[ONE].tickets)
    assert ["j2", "j3"] == list(seen.turns_at[TWO].tickets)  # bob gives no advice
    assert {"j0": b"name 0"} == seen.private
    assert {ONE: "ann", TWO: "bob"} == seen.seats
    assert day.pool.position == seen.position


def test_an_ended_ticket_is_there_for_who_asked_for_it() -> None:
    day = BranchDay.staffed()
    day.join("j0")
    day.join("j1")
    day.call_and_serve("1", "j0")
    before = look(day)
    day.finish("1", "j0")
    seen = look(day, before)
    ended = seen.ticket(ContactId("j0"))
    assert ended is not None and ended is seen.ended[ContactId("j0")]
    assert None is seen.ticket(ContactId("j9"))
    assert {} == seen.private and {} == seen.board.rows


def test_what_has_not_changed_is_the_same_object() -> None:
    day = BranchDay.staffed()
    for n in range(4):
        day.join(f"j{n}")
    first = look(day)
    day.enqueue("c1", "chats", "chat")
    other = look(day, first)
    assert first.position < other.position
    assert first.waiting is other.waiting and first.board is other.board
    assert first.turns_at[ONE] is other.turns_at[ONE]
    day.call("1", "j0")
    day.put_back("1", "j0", Place.FIRST)
    back = look(day, other)
    day.join("j4")
    longer = look(day, back)
    assert back.waiting[ContactId("j1")] is longer.waiting[ContactId("j1")]
    assert back.turns_at[ONE] is not longer.turns_at[ONE]
    assert back.board is not longer.board  # one more in the line


def test_desks_of_equal_skill_share_their_turns() -> None:
    day = BranchDay.begun(agents=(kit.BOB, kit.clerk("tom")), seats={"1": "bob", "2": "tom"})
    day.join("j0")
    seen = look(day)
    assert seen.turns_at[ONE] is seen.turns_at[TWO]
    parts = [seen.turns_at[desk].since(seen.board, lambda: [b"made"]) for desk in (ONE, TWO)]
    assert parts[0] is parts[1]


def test_a_desk_without_a_clerk_may_call_nobody() -> None:
    day = BranchDay.begun()
    day.join("j0")
    seen = look(day)
    assert {} == seen.turns_at[ONE].tickets
    day.sit("bob", "1")
    assert ["j0"] == list(look(day, seen).turns_at[ONE].tickets)


def test_a_desk_may_call_those_who_wait_for_a_service_that_was_left_out() -> None:
    given = [kit.desk("north", number, "cash", "post", "advice") for number in ("1", "2")]
    day = BranchDay.staffed(
        plan=kit.branches(*kit.SERVICES, kit.branch("north", *kit.LINES), *given)
    )
    day.join("j0", "advice")
    less = [kit.desk("north", number, "cash", "post") for number in ("1", "2")]
    north = kit.branch("north", kit.LINES[0])
    day.set_branches(kit.branches(*kit.SERVICES[:2], north, *less, version="b2"))
    seen = look(day)
    assert ["j0"] == list(seen.turns_at[ONE].tickets)
    assert {} == seen.turns_at[TWO].tickets  # bob gives no advice
    assert "j0" == day.next("1")


def test_a_visit_without_a_number_is_not_on_the_board() -> None:
    day = BranchDay.staffed()
    visit = c.ServeWithoutTicket(*day.at("1"), kit.visitor("w1"), kit.SERVICES[0].name)
    day.give(visit)
    seen = look(day)
    assert ["w1"] == list(seen.visits_at[ONE]) and {} == seen.board.rows


# which branches a batch touches


class TwoBranches:
    """Branches north, with ann and bob at desks, and south. `touched` tells what is new."""

    def __init__(self) -> None:
        south = kit.branch("south", kit.line("a", "cash", prefix="S"))
        north = kit.branch("north", *kit.LINES)
        plan = kit.branches(*kit.SERVICES, north, south, *kit.DESKS, kit.desk("south", "1"))
        self.day = BranchDay.staffed(plan=plan)
        self.publishing = Publishing(self.day.pool)
        self.touched()

    def touched(self) -> tuple[set[str], set[str]]:
        """Returns branches and tickets that were touched since the last time."""
        pool = self.day.pool
        published = self.publishing.published(pool.take_changes(), pool.position)
        return set(published.branches), {ticket.contact_id for ticket in published.tickets}


def test_a_batch_touches_the_branches_of_its_tickets_desks_and_clerks() -> None:
    both = TwoBranches()
    day = both.day
    day.join("j0")
    day.join("s0", branch="south")
    assert ({"north", "south"}, {"j0", "s0"}) == both.touched()
    day.enqueue("c1", "chats", "chat")  # offered to a clerk at a desk
    assert ({"north"}, set()) == both.touched()
    day.call("1", "j0")
    assert ({"north"}, {"j0"}) == both.touched()
    day.give(c.AbandonContact(kit.KIOSK, ContactId("s0")))
    assert ({"south"}, {"s0"}) == both.touched()
    day.give(c.CloseDesk(*day.at("2")))
    assert ({"north"}, set()) == both.touched()
    day.sign_in("bob")
    assert (set(), set()) == both.touched()


def test_new_rules_touch_every_branch() -> None:
    both = TwoBranches()
    plan = both.day.pool.ledger.plan
    assert plan is not None
    for command in (
        c.SetCalendar(SYSTEM, kit.calendar("north", "south", days=2)),
        c.SetPolicy(SYSTEM, kit.rules(version="p2")),
        c.SetBranches(SYSTEM, replace(plan, version="b2")),
    ):
        both.day.give(command)
        assert {"north", "south"} == both.touched()[0]
    assert (set(), set()) == both.touched()


def test_a_ticket_that_ends_and_leaves_the_pool_in_one_batch_is_told() -> None:
    both = TwoBranches()
    both.day.join("s0", branch="south")
    both.touched()
    pool = both.day.pool
    both.day.give(c.LeaveLine(kit.KIOSK, ContactId("s0")))
    both.day.wait(pool.ledger.contacts[ContactId("s0")].retire_ms - both.day.at_ms)
    assert "s0" not in pool.ledger.tickets
    assert ({"south"}, {"s0"}) == both.touched()


def test_a_ticket_that_leaves_the_pool_long_after_its_end_is_not_told_again() -> None:
    both = TwoBranches()
    both.day.join("s0", branch="south")
    both.day.give(c.LeaveLine(kit.KIOSK, ContactId("s0")))
    both.touched()
    both.day.wait(both.day.pool.ledger.contacts[ContactId("s0")].retire_ms - both.day.at_ms)
    assert "s0" not in both.day.pool.ledger.tickets
    assert (set(), set()) == both.touched()
