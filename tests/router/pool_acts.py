"""The acts of a program: methods that are drawn by name with their arguments."""

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st

Act = st.SearchStrategy[tuple[str, dict[str, Any]]]
Method = TypeVar("Method", bound=Callable[..., None])

ACTS: list[Act] = []
"""Acts of every program."""

VISITS: list[Act] = []
"""Acts of a program with branches."""


def act(
    weight: int, among: list[Act] = ACTS, **drawn: st.SearchStrategy[Any]
) -> Callable[[Method], Method]:
    """Makes a method one of the acts of a program, `weight` times as likely as a rare one.

    Rules would do the same, but Hypothesis leaves out about half of the rules in each program, and
    without arrivals, sign-ins and acceptances little else can happen.
    """

    def register(method: Method) -> Method:
        name = method.__name__
        each = [st.tuples(st.just(name), st.fixed_dictionaries(drawn)) for _ in range(weight)]
        among.extend(each)
        return method

    return register
