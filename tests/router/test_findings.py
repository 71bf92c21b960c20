"""Findings and the checks that policy, roster and branches share."""

import pytest
from tests.router.pool_kit import policy, queue

from usher.queue.values import CODE_PATTERN
from usher.router.findings import (
    LIST_MAX,
    Finding,
    Reason,
    Severity,
    bad_name,
    check_list,
    errors_of,
    out_of_bounds,
    place_text,
    repeated,
    too_many,
)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", ()),
        ("queues.sales.requirements[1].least", ("queues", "sales", "requirements", 1, "least")),
        ('queues."a/b"', ("queues", "a/b")),
    ],
)
def test_a_place_is_written_as_toml_does(text: str, place: tuple[str | int, ...]) -> None:
    assert text == place_text(place)


def test_a_finding_as_text_begins_with_its_place() -> None:
    assert "queues: gone" == str(Finding(("queues",), Reason.NO_QUEUE, "gone"))
    assert "gone" == str(Finding((), Reason.NO_QUEUE, "gone"))


def test_warnings_are_no_errors() -> None:
    error = Finding((), Reason.NO_QUEUE, "gone")
    warning = Finding((), Reason.SKILL_UNHELD, "away", Severity.WARNING)

    assert [error] == errors_of([warning, error])


def test_what_breaks_a_bound_is_said() -> None:
    finding = out_of_bounds(policy(queue("a", level=-1)))

    assert finding is not None
    assert (Reason.OUT_OF_BOUNDS, True) == (finding.reason, "level" in finding.message)
    assert out_of_bounds(policy()) is None


def test_a_list_is_short_and_holds_each_name_once() -> None:
    assert [] == list(check_list(("a",), ["x", "y"], "name"))
    (finding,) = check_list(("a",), ["x", "y", "x"], "name")
    assert (("a", 2), Reason.DUPLICATE) == (finding.place, finding.reason)
    (finding,) = check_list(("a",), [str(number) for number in range(LIST_MAX + 1)], "name")
    assert (("a",), Reason.TOO_MANY) == (finding.place, finding.reason)


def test_a_repeated_name_stands_at_its_own_place() -> None:
    (finding,) = repeated(("queues",), ["a", "b", "a"], "queue name")

    assert (("queues", "a"), Reason.DUPLICATE) == (finding.place, finding.reason)


@pytest.mark.parametrize(("name", "is_sound"), [("a/b", True), ("a b", False), ("a\n", False)])
def test_a_name_matches_as_a_whole(name: str, is_sound: bool) -> None:
    assert is_sound == (not list(bad_name((), name, CODE_PATTERN)))


def test_a_count_may_reach_its_limit() -> None:
    assert [] == list(too_many((), 3, 3, "things"))
    (finding,) = too_many((), 4, 3, "things")
    assert "found 4 things, expected at most 3" == finding.message
