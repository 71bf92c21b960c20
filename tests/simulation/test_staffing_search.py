"""The search for a staffing: against all staffings there are, in small cases with the same days."""

from functools import cache

import numpy as np
import pytest
from tests.simulation.staffing_kit import (
    best_of_all,
    chats,
    group,
    level,
    scenario,
    setting,
    trials_of,
)

from usher.queue.values import Channel, QueueName
from usher.simulation.distributions import Deterministic
from usher.simulation.goals import Evidence, Goals, checks_of, clearly_misses
from usher.simulation.needs import Targets
from usher.simulation.neighbourhood import moves_by_interval
from usher.simulation.scenario import ContactType, Group, Listed
from usher.simulation.staffing import Posts, moved
from usher.simulation.staffing_rise import Unreachable
from usher.simulation.staffing_search import Ending, search
from usher.simulation.trials import Trials

ANY_LEFT = 1.0


@cache
def one_type(*, in_every_interval: bool) -> tuple[Trials, Posts]:
    """Returns two hours of one type and one group."""
    day = scenario({"ask": chats("ask", 10, 25)}, {"front": group("ask")}, 2)
    goals = Goals(targets=level(0.8), left_share=ANY_LEFT, in_every_interval=in_every_interval)
    return trials_of(setting(day, goals, "ask"))


@pytest.mark.parametrize("in_every_interval", [True, False])
@pytest.mark.parametrize("start", [0, 1, 7])
def test_one_type_gets_the_least_of_all_staffings(start: int, in_every_interval: bool) -> None:
    trials, posts = one_type(in_every_interval=in_every_interval)
    expected, _ = best_of_all(trials, posts, 5)
    found = search(trials, posts, [np.full(2, start)], agents_most=20)
    assert (True, Ending.MINIMUM) == (found.is_met, found.ending)
    assert expected == float(posts.costs() @ found.counts), found.counts


def test_no_move_of_the_neighbourhood_is_left() -> None:
    trials, posts = one_type(in_every_interval=True)
    found = search(trials, posts, [np.array([9, 2])], agents_most=20).counts
    costs = posts.costs()
    for move in moves_by_interval(posts):
        other = moved(found, move)
        if (other >= 0).all() and costs @ other < costs @ found:
            assert not trials.meets(other), move


def two_types(**groups: Group) -> tuple[Trials, Posts]:
    """Returns an hour of two types, served by these groups."""
    types = {name: chats(name, 10.0) for name in ("buy", "ask")}
    goals = Goals(targets=level(0.8), types=("buy", "ask"), left_share=ANY_LEFT)
    return trials_of(setting(scenario(types, groups, 1), goals, "buy", "ask", replications=8))


@pytest.mark.parametrize("price", [22.0, 60.0])
def test_the_mix_of_groups_is_the_cheapest_of_all(price: float) -> None:
    trials, posts = two_types(
        buyers=group("buy"), askers=group("ask"), both=group("buy", "ask", cost_per_hour=price)
    )
    expected, best = best_of_all(trials, posts, 3)
    found = search(trials, posts, [np.array([2, 2, 0]), np.array([0, 0, 4])], agents_most=20)
    assert expected == float(posts.costs() @ found.counts), (best, found.counts)
    assert (price < 40) == bool(found.counts[2]), "cheap generalists are used, dear ones are not"


def test_dear_agents_are_exchanged_for_cheap_ones_who_do_the_same() -> None:
    groups = {"dear": group("ask", cost_per_hour=30), "cheap": group("ask")}
    goals = Goals(targets=level(0.8), left_share=ANY_LEFT)
    day = scenario({"ask": chats("ask", 20)}, groups, 1)
    trials, posts = trials_of(setting(day, goals, "ask"))
    expected, best = best_of_all(trials, posts, 4)
    found = search(trials, posts, [np.array([4, 0])], agents_most=20)
    assert expected == posts.cost(found.counts), (best, found.counts)
    assert 0 == found.counts[0]


def of_days(*met: float) -> Evidence:
    """Returns the service levels of days of ten contacts each."""
    parts = 10 * np.array(met)[:, np.newaxis]
    return Evidence(parts=parts, wholes=np.full_like(parts, 10.0))


@pytest.mark.parametrize(
    ("first_days", "is_clear"),
    [
        ((0.5, 0.51, 0.6, 0.4, 0.49), True),  # each day 30 points worse, give or take one
        ((0.7, 0.9, 0.85, 0.6, 0.95), False),  # some better, some worse
        ((0.79, 0.8, 0.9, 0.7, 0.79), False),  # hardly worse: 82% may still be 81%
        ((0.0, 1.0, 0.9, 0.0, 1.0), False),  # much worse, but by two days only
    ],
)
def test_a_staffing_is_given_up_early_only_if_days_in_common_tell(
    first_days: tuple[float, ...], is_clear: bool
) -> None:
    day = scenario({"ask": chats("ask", 20)}, {"front": group("ask")}, 1)
    goals = Goals(targets=level(0.75), in_every_interval=False)
    check = [one for one in checks_of(goals, day, 1) if one.binding][:1]
    known = of_days(0.8, 0.8, 0.9, 0.7, 0.8, 0.8, 0.9, 0.8, 0.8, 0.9)
    assert is_clear == clearly_misses(check, of_days(*first_days), known)


def carried_over() -> tuple[Trials, Posts]:
    """Returns two hours: six chats late in the first keep agents busy far into the second."""
    at_s = [8 * 3600 + 3000] * 6 + [9 * 3600 + 60 * minute for minute in range(1, 20)]
    kind = ContactType(
        queue=QueueName("ask"),
        channel=Channel.CHAT,
        arrivals=Listed(at_s=tuple(map(float, at_s))),
        handling=Deterministic(500.0),
    )
    day = scenario({"ask": kind}, {"front": group("ask")}, 2)
    goals = Goals(targets=Targets(speed_of_answer_s=300.0))
    return trials_of(setting(day, goals, "ask", replications=1))


def test_an_agent_in_the_interval_before_is_found_where_it_helps() -> None:
    trials, posts = carried_over()
    expected, _ = best_of_all(trials, posts, 12)
    for start in ([0, 0], [2, 12], [6, 6]):
        found = search(trials, posts, [np.array(start)], agents_most=30)
        assert expected == float(posts.costs() @ found.counts), (start, found.counts)


def test_goals_that_no_agents_meet_are_told_with_their_interval() -> None:
    trials, posts = one_type(in_every_interval=True)
    with pytest.raises(
        Unreachable, match=r"service level of all contacts from 09:00 on: found 0\."
    ):
        search(trials, posts, [np.array([3, 2])], agents_most=3)


def test_a_search_that_may_run_no_more_keeps_the_best_so_far() -> None:
    day = scenario({"ask": chats("ask", 10, 25)}, {"front": group("ask")}, 2)
    given = setting(day, Goals(targets=level(0.8), left_share=ANY_LEFT), "ask")
    trials, posts = trials_of(given, runs_most=30)
    found = search(trials, posts, [np.array([9, 9])], agents_most=20)
    assert (True, Ending.RUNS_USED_UP) == (found.is_met, found.ending)
    assert trials.remembered(found.counts) is not None
    assert found.counts.sum() < 18
