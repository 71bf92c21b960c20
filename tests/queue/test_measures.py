"""Figures of contacts and legs against counts made by hand and by plain loops."""

from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.queue.measures import (
    ContactFacts,
    IntervalBy,
    LegFacts,
    Measures,
    Outcome,
    ServiceLevel,
    handle_by_agent,
    handle_figures,
    handle_time_ms,
    measure,
    measure_by_interval,
    service_level,
)

Row = tuple[int, int, int, int]


def facts(*rows: Row) -> ContactFacts:
    """Contacts as (arrived_ms, answered_ms, ended_ms, outcome)."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return ContactFacts(
        arrived_ms=table[:, 0],
        answered_ms=table[:, 1],
        ended_ms=table[:, 2],
        outcome=table[:, 3].astype(np.uint8),
    )


def legs(*rows: tuple[int, int, int, int, int]) -> LegFacts:
    """Legs as (agent, active_ms, talk_ms, hold_ms, wrap_up_ms)."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 5)
    return LegFacts(
        agent=table[:, 0],
        active_ms=table[:, 1],
        talk_ms=table[:, 2],
        hold_ms=table[:, 3],
        wrap_up_ms=table[:, 4],
    )


def answered(arrived_ms: int, wait_ms: int, talk_ms: int = 1_000) -> Row:
    answered_ms = arrived_ms + wait_ms
    return arrived_ms, answered_ms, answered_ms + talk_ms, Outcome.COMPLETED


def abandoned(arrived_ms: int, wait_ms: int) -> Row:
    return arrived_ms, -1, arrived_ms + wait_ms, Outcome.ABANDONED


# Three answered within 20 s, two later; one left within 5 s, one within 20 s, one later.
MIXED = facts(
    answered(0, 0),
    answered(1_000, 10_000),
    answered(2_000, 20_000),
    answered(3_000, 20_001),
    answered(4_000, 90_000),
    abandoned(5_000, 5_000),
    abandoned(6_000, 20_000),
    abandoned(7_000, 60_000),
)


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        (3 / 8, ServiceLevel.OF_OFFERED),
        (3 / 5, ServiceLevel.OF_ANSWERED),
        (3 / 6, ServiceLevel.ABANDONS_WITHIN_EXCLUDED),
        (5 / 8, ServiceLevel.ABANDONS_WITHIN_MET),
    ],
)
def test_each_name_of_the_service_level_has_its_own_formula(
    expected: float, name: ServiceLevel
) -> None:
    assert expected == service_level(MIXED, name, threshold_ms=20_000)


def test_a_short_abandon_is_counted_apart_and_still_an_abandon() -> None:
    found = measure(MIXED, threshold_ms=20_000)
    assert (8, 3, 1) == (found.offered, found.abandoned, found.abandoned_short)
    assert (3 / 8, 2 / 7) == (found.abandon_share, found.abandon_share_without_short)


def test_the_limit_of_a_short_abandon_is_an_argument() -> None:
    found = measure(MIXED, threshold_ms=20_000, short_abandon_ms=20_000)
    assert (3, 2) == (found.abandoned, found.abandoned_short)


def test_waits_are_told_for_answered_abandoned_and_both() -> None:
    found = measure(MIXED, threshold_ms=20_000)
    assert 140_001 / 5 == found.wait_answered.mean_ms
    assert 85_000 / 3 == found.wait_abandoned.mean_ms
    assert 225_001 / 8 == found.wait_offered.mean_ms
    assert (90_000, 60_000) == (found.wait_answered.longest_ms, found.wait_abandoned.longest_ms)


def test_a_percentile_is_the_wait_of_nearest_rank() -> None:
    found = measure(facts(*(answered(0, wait) for wait in range(100, 0, -1))), threshold_ms=0)
    waits = found.wait_answered
    assert (50, 90, 95, 99) == (waits.p50_ms, waits.p90_ms, waits.p95_ms, waits.p99_ms)
    few = measure(facts(answered(0, 7), answered(0, 9)), threshold_ms=0).wait_answered
    assert (7, 9, 9) == (few.p50_ms, few.p90_ms, few.longest_ms)


def test_callbacks_no_shows_other_ends_and_open_contacts_are_in_no_share() -> None:
    found = measure(
        facts(
            answered(0, 1_000),
            (0, -1, 9_000, Outcome.CALLBACK),
            (0, -1, 9_000, Outcome.OTHER),
            (0, -1, 9_000, Outcome.NO_SHOW),
            (0, -1, 9_000, Outcome.COMPLETED),
            (0, -1, -1, Outcome.OPEN),
            (0, 50_000, -1, Outcome.OPEN),
        ),
        threshold_ms=20_000,
    )
    assert (7, 2, 2, 0) == (found.contacts, found.offered, found.answered, found.abandoned)
    assert (1, 1, 2, 1, 1) == (
        found.callbacks,
        found.no_shows,
        found.ended_otherwise,
        found.open_waiting,
        found.open_answered,
    )
    assert 1 / 2 == found.service_levels.of_offered
    assert 0.0 == found.abandon_share


def test_who_leaves_after_an_answer_was_answered() -> None:
    found = measure(facts((0, 5_000, 60_000, Outcome.ABANDONED)), threshold_ms=20_000)
    assert (1, 0, 1) == (found.answered, found.abandoned, found.abandoned_after_answer)
    assert 1.0 == found.service_levels.of_offered


def test_without_contacts_every_figure_is_none() -> None:
    found = measure(facts(), threshold_ms=20_000)
    assert 0 == found.contacts
    assert found.abandon_share is None
    assert found.abandon_share_without_short is None
    assert all(found.service_levels.named(name) is None for name in ServiceLevel)
    assert found.wait_offered.mean_ms is found.wait_offered.p50_ms is None


def test_excluding_all_who_left_in_time_leaves_no_service_level() -> None:
    assert None is service_level(
        facts(abandoned(0, 1_000)), ServiceLevel.ABANDONS_WITHIN_EXCLUDED, threshold_ms=20_000
    )


def test_contacts_belong_to_the_interval_of_their_arrival() -> None:
    table = measure_by_interval(
        facts(answered(99, 10), answered(100, 10), abandoned(199, 50), answered(200, 1)),
        np.array([100, 200, 300]),
        threshold_ms=20,
    )
    assert [(100, 200, 2), (200, 300, 1)] == [
        (one.from_ms, one.until_ms, one.measures.contacts) for one in table.intervals
    ]
    assert 1 == table.outside


def test_by_answer_a_contact_belongs_to_the_interval_where_its_wait_ended() -> None:
    table = measure_by_interval(
        facts(
            answered(100, 100, talk_ms=900),
            abandoned(100, 150),
            answered(100, 50),
            (100, -1, -1, Outcome.OPEN),
        ),
        np.array([100, 200, 300]),
        threshold_ms=20,
        by=IntervalBy.ANSWER,
    )
    first, second = (one.measures for one in table.intervals)
    assert (1, 0) == (first.answered, first.abandoned)
    assert (1, 1) == (second.answered, second.abandoned)
    assert 1 == table.outside


def test_a_contact_without_a_moment_is_outside_even_of_bounds_below_zero() -> None:
    table = measure_by_interval(
        facts((0, -1, -1, Outcome.OPEN)), np.array([-10, 10]), threshold_ms=1, by=IntervalBy.ANSWER
    )
    assert 1 == table.outside


@pytest.mark.parametrize("bounds", [[], [5], [5, 5], [5, 4]])
def test_bounds_that_make_no_interval_are_refused(bounds: list[int]) -> None:
    with pytest.raises(ValueError, match="bounds"):
        measure_by_interval(MIXED, np.array(bounds, dtype=np.int64), threshold_ms=1)


@pytest.mark.parametrize(
    ("rule", "row"),
    [
        ("arrived_ms is below 0", (-2, -1, 5, Outcome.ABANDONED)),
        ("answered_ms < arrived_ms", (9, 8, 10, Outcome.COMPLETED)),
        ("ended_ms < arrived_ms", (9, -1, 8, Outcome.ABANDONED)),
        ("ended_ms < answered_ms", (1, 9, 8, Outcome.COMPLETED)),
        ("disagree on open", (1, -1, 8, Outcome.OPEN)),
        ("disagree on open", (1, -1, -1, Outcome.ABANDONED)),
        ("no code", (1, -1, 8, 99)),
    ],
)
def test_columns_that_contradict_each_other_are_refused_with_the_row(rule: str, row: Row) -> None:
    with pytest.raises(ValueError, match=rf"{rule}.*row 1"):
        facts(answered(0, 1), row)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        msgspec.structs.replace(MIXED, outcome=np.zeros(3, dtype=np.uint8))


@pytest.mark.parametrize("limits", [{"threshold_ms": -1}, {"threshold_ms": 1, "short": -1}])
def test_limits_below_zero_are_refused(limits: dict[str, int]) -> None:
    threshold_ms, short_ms = limits["threshold_ms"], limits.get("short", 0)
    with pytest.raises(ValueError, match="below 0"):
        measure(MIXED, threshold_ms=threshold_ms, short_abandon_ms=short_ms)
    with pytest.raises(ValueError, match="below 0"):
        measure_by_interval(
            MIXED, np.array([0, 1]), threshold_ms=threshold_ms, short_abandon_ms=short_ms
        )


def test_handle_time_is_talk_and_hold_and_wrap_up_of_each_leg() -> None:
    transferred = legs((0, 10, 100, 20, 3), (1, 140, 50, 0, 7))
    assert [123, 57] == handle_time_ms(transferred).tolist()
    found = handle_figures(transferred)
    assert (2, 90.0, 75.0, 10.0, 5.0) == (
        found.legs,
        found.mean_handle_ms,
        found.mean_talk_ms,
        found.mean_hold_ms,
        found.mean_wrap_up_ms,
    )
    assert (57, 123, 123) == (found.p50_handle_ms, found.p90_handle_ms, found.longest_handle_ms)


def test_a_leg_that_never_became_active_has_no_handle_time() -> None:
    found = handle_figures(legs((0, -1, 0, 0, 0), (0, 5, 8, 0, 0)))
    assert (1, 1, 8.0) == (found.legs, found.never_active, found.mean_handle_ms)
    assert None is handle_figures(legs()).mean_handle_ms


def test_handle_time_is_told_by_agent() -> None:
    found = handle_by_agent(legs((7, 0, 10, 0, 0), (2, 0, 4, 0, 0), (7, 0, 20, 0, 0)))
    assert [(2, 4.0), (7, 15.0)] == [(agent, one.mean_handle_ms) for agent, one in found.items()]


def test_a_negative_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="hold_ms is below 0"):
        legs((0, 0, 1, -1, 0))


@st.composite
def contact_rows(draw: st.DrawFn) -> Row:
    arrived = draw(st.integers(0, 100))
    first_ms = arrived + draw(st.integers(0, 60))
    outcome = draw(st.sampled_from(Outcome))
    if outcome is Outcome.OPEN:
        return arrived, draw(st.sampled_from([-1, first_ms])), -1, outcome
    if draw(st.booleans()):
        return arrived, first_ms, first_ms + draw(st.integers(0, 60)), outcome
    return arrived, -1, first_ms, outcome


def levels_by_loops(rows: list[Row], threshold_ms: int) -> list[Fraction | None]:
    hits = misses = left_early = left_late = 0
    for arrived_ms, answered_ms, ended_ms, outcome in rows:
        if answered_ms != -1:
            if answered_ms - arrived_ms <= threshold_ms:
                hits += 1
            else:
                misses += 1
        elif outcome == Outcome.ABANDONED:
            if ended_ms - arrived_ms <= threshold_ms:
                left_early += 1
            else:
                left_late += 1
    everyone = hits + misses + left_early + left_late
    pairs = [
        (hits, everyone),
        (hits, hits + misses),
        (hits, everyone - left_early),
        (hits + left_early, everyone),
    ]
    return [Fraction(part, whole) if whole else None for part, whole in pairs]


@given(st.lists(contact_rows(), max_size=30), st.integers(0, 60))
def test_service_levels_agree_with_plain_loops(rows: list[Row], threshold_ms: int) -> None:
    levels = measure(facts(*rows), threshold_ms=threshold_ms).service_levels
    expected = levels_by_loops(rows, threshold_ms)
    assert [None if one is None else float(one) for one in expected] == [
        levels.named(name) for name in ServiceLevel
    ]


def counts(found: Measures) -> tuple[int, ...]:
    return (
        found.contacts,
        found.answered,
        found.abandoned,
        found.abandoned_short,
        found.callbacks,
        found.no_shows,
        found.ended_otherwise,
        found.open_waiting,
    )


@given(
    st.lists(contact_rows(), max_size=30),
    st.lists(st.integers(0, 230), min_size=2, max_size=6, unique=True),
    st.sampled_from(IntervalBy),
)
def test_no_contact_is_lost_or_counted_twice(
    rows: list[Row], bounds: list[int], by: IntervalBy
) -> None:
    table = facts(*rows)
    split = measure_by_interval(table, np.array(sorted(bounds)), threshold_ms=20, by=by)
    parts = [counts(one.measures) for one in split.intervals]
    assert len(rows) == sum(part[0] for part in parts) + split.outside
    assert all(part[0] == part[1] + part[2] + sum(part[4:]) for part in parts)
    whole = measure_by_interval(table, np.array([0, 10**6]), threshold_ms=20)
    assert whole.intervals[0].measures == measure(table, threshold_ms=20)


@given(st.lists(contact_rows(), max_size=20))
def test_figures_do_not_depend_on_the_order_of_rows(rows: list[Row]) -> None:
    turned = list(reversed(rows))
    assert measure(facts(*rows), threshold_ms=20) == measure(facts(*turned), threshold_ms=20)
