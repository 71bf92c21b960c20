"""The tables of moves: what may follow what, and that nothing follows the end."""

from enum import Enum
from typing import Any

import pytest

from usher.queue.lifecycle import (
    CONTACT_MOVES,
    LEG_MOVES,
    LIVE_LEGS,
    PRESENCE_MOVES,
    TALKING_LEGS,
    IllegalMove,
    move_contact,
    move_leg,
    move_presence,
)
from usher.queue.values import ContactState, LegState, Presence

TABLES: list[tuple[Any, Any, Any]] = [
    (ContactState, CONTACT_MOVES, move_contact),
    (LegState, LEG_MOVES, move_leg),
    (Presence, PRESENCE_MOVES, move_presence),
]


@pytest.mark.parametrize(("states", "moves", "move"), TABLES, ids=["contact", "leg", "presence"])
def test_a_move_is_legal_if_the_table_has_it_or_nothing_moves(
    states: type[Enum], moves: dict[Enum, frozenset[Enum]], move: Any
) -> None:
    assert set(states) == set(moves)
    for old in states:
        for new in states:
            if new is old or new in moves[old]:
                assert new is move(old, new)
            else:
                with pytest.raises(IllegalMove, match=f"{old.value} -> {new.value}"):
                    move(old, new)


def test_nothing_follows_the_end() -> None:
    assert frozenset() == CONTACT_MOVES[ContactState.ENDED]
    assert frozenset() == LEG_MOVES[LegState.DONE]


def test_every_live_leg_can_end_and_only_talk_can_wrap_up() -> None:
    assert all(LegState.DONE in LEG_MOVES[state] for state in LIVE_LEGS)
    wraps = {state for state, next_ones in LEG_MOVES.items() if LegState.WRAPPING in next_ones}
    assert TALKING_LEGS == wraps
