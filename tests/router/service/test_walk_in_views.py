"""What a look means to a phone, a board and a desk: news, slight news, or nothing."""

from tests.router.branch_kit import NORTH, BranchDay

from usher.queue.branches import DeskId
from usher.queue.values import ContactId
from usher.router.service.branch_look import BranchLook, Wanted, look_at
from usher.router.service.look_watching import LookView, News
from usher.router.service.walk_in_watch import NEAR, TicketView
from usher.router.service.walk_in_watch_board import BoardView
from usher.router.service.walk_in_watch_desk import DeskView

NOTHING, SLIGHT, NEWS = News.NONE, News.SLIGHT, News.NEWS


class Watched:
    """A branch with ann and bob at desks, and one view of it that has told all."""

    def __init__(self, day: BranchDay, view: LookView) -> None:
        self.day = day
        self.view = view
        self.before: BranchLook | None = None
        view.snapshot(self.look())

    def look(self) -> BranchLook:
        """The branch as it is now."""
        view = self.view
        wanted = Wanted(
            tickets=() if view.ticket_id is None else (view.ticket_id,),
            desks=() if view.desk_id is None else (view.desk_id,),
            private={},
        )
        self.before = look_at(self.day.pool, NORTH, wanted, self.before)
        return self.before

    def news(self) -> News:
        """What the branch as it is now means; then it counts as told."""
        look = self.look()
        news = self.view.news(look)
        if news is not NOTHING:
            self.view.changes(look)
        assert NOTHING is self.view.news(look)
        return news


def ticket_view(day: BranchDay, join_id: str) -> TicketView:
    """A phone's view of a ticket."""
    return TicketView(day.ticket(join_id), lambda: day.at_ms)


def test_nothing_is_news_before_the_first_look_is_told() -> None:
    day = BranchDay.staffed()
    day.join("j0")
    wanted = Wanted(tickets=(), desks=(DeskId("north/1"),), private={})
    look = look_at(day.pool, NORTH, wanted, None)
    views: list[LookView] = [
        ticket_view(day, "j0"),
        BoardView(NORTH),
        DeskView(NORTH, "1", lambda: 0),
    ]
    assert [NOTHING] * 3 == [view.news(look) for view in views]


def test_places_near_the_front_are_news_to_a_phone_others_are_slight() -> None:
    day = BranchDay.staffed("1")
    for n in range(NEAR + 2):
        day.join(f"j{n}")
    near = Watched(day, ticket_view(day, f"j{NEAR}"))
    far = Watched(day, ticket_view(day, f"j{NEAR + 1}"))
    day.call("1", "j0")
    assert [NEWS, SLIGHT] == [near.news(), far.news()]  # now tenth and eleventh
    day.sit("bob", "2")
    assert [SLIGHT, SLIGHT] == [near.news(), far.news()]  # a shorter wait
    day.enqueue("c1", "chats", "chat")
    assert [NOTHING, NOTHING] == [near.news(), far.news()]
    day.call("2", f"j{NEAR + 1}")
    assert NEWS is far.news()


def test_a_phone_is_over_when_its_ticket_has_ended() -> None:
    day = BranchDay.staffed("1")
    day.join("j0")
    phone = Watched(day, ticket_view(day, "j0"))
    day.call_and_serve("1", "j0")
    assert NEWS is phone.news() and not phone.view.over
    day.finish("1", "j0")
    look = phone.look()
    assert NEWS is phone.view.news(look)
    phone.view.changes(look)
    assert phone.view.over


def test_a_ticket_that_has_left_the_pool_is_told_as_ended() -> None:
    day = BranchDay.staffed("1")
    day.join("j0")
    phone = Watched(day, ticket_view(day, "j0"))
    day.call_and_serve("1", "j0")
    day.finish("1", "j0")
    ledger, name = day.pool.ledger, ContactId("j0")
    del ledger.tickets[name], ledger.contacts[name]
    look = phone.look()
    assert NEWS is phone.view.news(look)
    assert 1 == len(phone.view.changes(look)) and phone.view.over


def test_rows_are_news_to_a_board_how_many_wait_is_slight() -> None:
    day = BranchDay.staffed("1")
    board = Watched(day, BoardView(NORTH))
    day.join("j0")
    assert SLIGHT is board.news()
    day.join("j1", "advice")
    day.call("1", "j0")
    assert NEWS is board.news()
    day.join("j2")
    assert SLIGHT is board.news()


def test_visitors_and_clerk_are_news_to_a_desk_who_waits_is_slight() -> None:
    day = BranchDay.staffed()
    desk = Watched(day, DeskView(NORTH, "2", lambda: day.at_ms))
    day.join("j0", "advice")
    assert NOTHING is desk.news()  # bob gives none
    day.join("j1")
    assert SLIGHT is desk.news()
    day.call("1", "j0")
    assert NOTHING is desk.news()  # another desk's visitor
    day.call("2", "j1")
    assert NEWS is desk.news()
    day.serve("2", "j1")
    day.finish("2", "j1")
    assert NEWS is desk.news()
    day.sit("bob", "3")
    assert NEWS is desk.news()
