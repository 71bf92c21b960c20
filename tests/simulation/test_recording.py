"""A day read from a journal's records, and how agents stood and what would have helped in it."""

from datetime import date

import pytest
from tests.router import pool_kit as kit
from tests.router.branch_kit import BranchDay
from tests.simulation.recorded_kit import (
    BILLING,
    START_S,
    answered_day,
    lunch_day,
    opened,
    policy,
    queue,
    recording_of,
    replay_of,
)

from usher.queue import commands as c
from usher.queue.measures import Outcome
from usher.queue.values import ContactId, Presence
from usher.simulation.freeing import Change, freeings
from usher.simulation.recorded_day import PatienceLeft, Work
from usher.simulation.staff import Does
from usher.simulation.standing import standing
from usher.simulation.studies.journal_days import chosen_day
from usher.simulation.studies.recording import moments, record_day


def test_a_course_has_the_contact_as_it_came_and_as_it_ended() -> None:
    courses = {one.contact_id: one for one in recording_of(lunch_day().records).courses}
    assert ["c1", "c2", "c3", "c4"] == list(courses)
    assert [13, 326, 33] == [
        courses[ContactId(name)].last.answered_ms // 1000 - START_S for name in ("c1", "c2", "c3")
    ]
    assert Outcome.ABANDONED is courses[ContactId("c4")].outcome
    assert ["a1"] == [leg.agent_id for leg in courses[ContactId("c2")].talks]


def test_a_visitor_who_does_not_come_to_the_desk_is_a_no_show() -> None:
    day = BranchDay.staffed("1")
    day.join("j1")
    day.next("1")
    day.give(c.MarkNoShow(*day.at("1"), ContactId("j1")))
    (course,) = recording_of(day.records).courses
    assert (Outcome.NO_SHOW, True) == (course.outcome, course.has_ticket)


def test_stays_tell_presence_with_its_reason_until_the_last_record() -> None:
    stays = recording_of(answered_day().records).stays
    of_a2 = [stay for stay in stays if stay.agent_id == "a2"]
    assert [(Presence.NOT_READY, "lunch", 90), (Presence.READY, "", 210)] == [
        (stay.presence, stay.reason, stay.until_ms // 1000 - START_S) for stay in of_a2
    ]


def test_a_day_ends_with_its_last_contact_and_leaves_the_next_day_out() -> None:
    records = lunch_day().records
    cut_ms = kit.START_MS + 25_000
    first = record_day(records, 0, cut_ms)
    second = record_day(records, cut_ms, 2 * cut_ms)
    assert ["c1", "c2"] == [one.contact_id for one in first.courses]
    assert ["c3", "c4"] == [one.contact_id for one in second.courses]
    assert Outcome.COMPLETED is first.courses[1].outcome  # read on beyond the end of the day
    assert "p1" == second.policies[0][1].version  # in force when the day began


def test_what_agents_do_by_the_clock_can_be_done_again() -> None:
    turns = replay_of(answered_day().records).day.turns
    of_a2 = [(turn.at_ms // 1000 - START_S, turn.does) for turn in turns if turn.agent_id == "a2"]
    assert [(0, Does.BREAK), (0, Does.SIGN_IN), (90, Does.BACK)] == of_a2
    assert Does.SIGN_OUT is [turn for turn in turns if turn.agent_id == "a1"][-1].does


def test_a_talk_is_taken_over_with_all_its_lengths() -> None:
    contacts = replay_of(lunch_day().records).day.contacts
    assert Work(2_000, 1_000, 300_000, 10_000) == contacts[0].work
    assert (60_000, True, None) == (contacts[3].waited_ms, contacts[3].left, contacts[3].work)


def test_patience_that_is_drawn_is_longer_than_the_wait() -> None:
    left = PatienceLeft(values_ms=(10.0, 20.0, 30.0), tail_mean_ms=100.0)
    assert [20, 30] == [left.longer_than(10, chance) for chance in (0.0, 0.99)]
    assert 31 == left.longer_than(30, 0.0)
    assert 31 + 69 == left.longer_than(30, 0.5)  # 100 ln 2 beyond the last value


def test_every_agent_stands_in_one_row() -> None:
    ((_, ledger),) = moments(lunch_day().records, [kit.START_MS + 100_000])
    found = standing(ledger, ContactId("c2"), kit.START_MS + 100_000)
    assert (3, 0, 1, 0) == (found.agents, found.no_channel, found.not_fit, found.signed_out)
    assert {"skill billing": 1} == found.lacks
    assert ({"lunch": ("a2",)}, ("a1",), ()) == (found.away, found.full, found.free)
    assert {"billing": 1} == found.busy_with
    assert (0, None) == (found.ahead, found.offered_to)


def test_changes_that_help_are_found_by_the_routers_own_match() -> None:
    at_ms = kit.START_MS + 105_000
    ((_, ledger),) = moments(lunch_day().records, [at_ms])
    found = {one.change: one for one in freeings(ledger, ContactId("c2"), at_ms)}
    assert {
        Change.NEED: "a3",
        Change.PRESENCE: "a2",
        Change.ROOM: "a1",
        Change.AGENT: "one-more-0",
    } == {change: one.agent_id for change, one in found.items()}
    assert "queue billing without the need of skill billing" == found[Change.NEED].what
    assert "one agent ready instead of away (lunch)" == found[Change.PRESENCE].what
    assert () == freeings(ledger, ContactId("c2"), at_ms, found.values())


def test_a_change_that_helps_who_is_ahead_does_not_help_who_is_behind() -> None:
    at_ms = kit.START_MS + 150_000
    ((_, ledger),) = moments(lunch_day().records, [at_ms])
    found = freeings(ledger, ContactId("c4"), at_ms)
    assert [(Change.AGENTS, "2 more agents with billing")] == [
        (one.change, one.what) for one in found
    ]
    assert 1 == standing(ledger, ContactId("c4"), at_ms).ahead


def test_a_contact_that_is_being_offered_waits_for_nobody_else() -> None:
    at_ms = kit.START_MS + 324_000
    ((_, ledger),) = moments(lunch_day().records, [at_ms])
    assert "a1" == standing(ledger, ContactId("c2"), at_ms).offered_to
    assert () == freeings(ledger, ContactId("c2"), at_ms)


def test_a_pause_after_a_declined_offer_is_a_reason_and_a_change() -> None:
    driven = opened(policy(queue("billing", BILLING), queue("sales")))
    driven.at(10)
    driven.decline(driven.enqueue("c1", "billing"))
    found = standing(driven.pool.ledger, ContactId("c1"), driven.at_ms)
    assert ("a1",) == found.paused
    (first, *_) = freeings(driven.pool.ledger, ContactId("c1"), driven.at_ms)
    assert (Change.PAUSE, "a1") == (first.change, first.agent_id)


@pytest.mark.parametrize(
    ("first", "last", "asked", "found"),
    [
        (100, 300, "", date(1970, 1, 1)),
        (100, 3 * 86_400_000, "", date(1970, 1, 3)),
        (80_000_000, 90_000_000, "", date(1970, 1, 1)),
        (100, 3 * 86_400_000, "1970-01-02", date(1970, 1, 2)),
    ],
)
def test_the_day_is_the_last_whole_one_unless_asked(
    first: int, last: int, asked: str, found: date
) -> None:
    assert found == chosen_day((first, last), asked, "UTC", "journal").day
