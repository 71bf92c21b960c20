"""The moves that a search for a staffing tries one by one. It must not know what they are for.

    removal       one agent fewer on a post
    exchange      in one interval: one agent of a group for one or two of others,
                  or two agents for one of another group
    postponement  one agent more in an interval for two fewer in those after it, or before it: work
                  that is not left waiting need not be done later, and the other way round

Which of them lower the cost is for the caller to say.
"""

from collections.abc import Iterator
from itertools import combinations_with_replacement

from usher.simulation.staffing import Move, Posts


def removals(posts: Posts) -> list[Move]:
    """Returns a removal for each post, the dearest first."""
    order = sorted(range(len(posts.posts)), key=lambda at: -posts.posts[at].cost)
    return [((at, -1),) for at in order]


def moves_by_interval(posts: Posts) -> list[Move]:
    """Returns all moves between posts by interval."""
    count = posts.timetable.count
    groups = [
        list(range(first, first + count)) for first in range(0, len(posts.posts), max(count, 1))
    ]
    moves = removals(posts)
    for interval in range(count):
        moves += _exchanges([row[interval] for row in groups])
    for row in groups:
        moves += _postponements(row)
    return moves


def first_of_postponement(move: Move, posts: Posts) -> int | None:
    """Returns the earliest post of a move that moves work between intervals, None for others."""
    order = sorted((posts.posts[at].intervals[0], at) for at, _ in move)
    return order[0][1] if order[0][0] != order[-1][0] else None


def _exchanges(alike: list[int]) -> Iterator[Move]:
    """Yields the exchanges between posts of one interval."""
    pairs = list(combinations_with_replacement(alike, 2))
    for one in alike:
        others = [other for other in alike if other != one]
        for other in others:
            yield ((one, -1), (other, 1))
        for pair in pairs:
            if one not in pair:
                yield ((one, 1), *_changes(pair, -1))
                yield ((one, -1), *_changes(pair, 1))


def _postponements(row: list[int]) -> Iterator[Move]:
    """Yields the postponements of a group, both ways."""
    for way in (row, row[::-1]):
        for place in range(1, len(way)):
            yield ((way[place - 1], 1), (way[place], -2))
            if place + 1 < len(way):
                yield ((way[place - 1], 1), (way[place], -1), (way[place + 1], -1))


def _changes(pair: tuple[int, int], by: int) -> Move:
    one, other = pair
    return ((one, 2 * by),) if one == other else ((one, by), (other, by))
