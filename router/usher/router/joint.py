"""Joint assignment: as many contacts as can be placed, at the greatest sum of scores.

An agent with room for several contacts is several columns, its slots: the next slot has more load
and is not idle, so it is never worth more than the one before. Where channels of different price
or room meet at an agent it has one slot per round. The problem is first cut down, without changing
its optimum:

    rows      with n columns in all, only the best n contacts of each class matter; later only the
              best n of each column
    columns   with m rows, only the best m agents, then the best m slots, of each class matter

(If a row had a column outside its best m, one of those m would be unused: changing over loses
nothing; the same for columns.) What is left goes to SciPy if it is small enough. A forbidden pair
is priced so low that no sum of scores outweighs one more allowed pair. Knows no waiting, no rounds,
no events.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from usher.router.field import IDLE, WORKLOAD, Field, Lane
from usher.router.problem import TABLE_CELLS_MAX, Problem
from usher.router.scoring import (
    LEAST,
    NOT_IDLE,
    SCORE_BOUND,
    Flags,
    Ints,
    Longs,
    first,
)

SLOTS_FIRST = 4
"""So many slots of an agent are looked at first, and as many times more if that was too few."""

_TIE_BITS = 24  # more than any number of rows or columns in a table of TABLE_CELLS_MAX


class Chosen(NamedTuple):
    """Pairs of a problem: positions in its rows, positions in its places, scores."""

    item: Longs
    place: Longs
    score: Longs


class Columns(NamedTuple):
    """Slots of agents: position in the problem's places, number of the slot (0 = next contact)."""

    place: Longs
    slot: Longs


def warm_up() -> None:
    """Imports the solver (0.9 s) and runs it once; for a thread beside a server that starts."""
    _solve(np.zeros((1, 1), np.int64))


def slots(field: Field, kinds: Longs, places: Longs, most: int) -> tuple[Longs, Longs]:
    """Returns per place (slots, price of one), at most `most` slots.

    Where the channels of these kinds that are open at the place differ in price or room: one slot.
    """
    channels = sorted(set(field.kinds.channel.take(kinds).tolist()))
    free = field.free[places]
    room = np.zeros(places.size, np.int64)
    price = np.zeros(places.size, np.int64)
    mixed = np.zeros(places.size, np.bool_)
    if len(channels) == 1:
        lane = field.lane(channels[0])
        return _room(lane, places, free, most), lane.price[places].astype(np.int64)
    for channel in channels:
        lane = field.lane(channel)
        is_open, its_price = lane.open[places], lane.price[places]
        its_room = _room(lane, places, free, most)
        mixed |= is_open & (room > 0) & ((room != its_room) | (price != its_price))
        room = np.where(is_open, its_room, room)
        price = np.where(is_open, its_price, price)
    room[mixed] = 1
    return room, price


def _room(lane: Lane, places: Longs, free: Ints, most: int) -> Longs:
    """Returns how many legs of the channel fit at each place, at most `most`."""
    price = lane.price[places]
    paid = np.where(price > 0, free // np.maximum(price, 1), most)
    return np.minimum(np.minimum(lane.left[places], paid), most).astype(np.int64)


def alike(
    field: Field, problem: Problem, keys: tuple[Longs, ...], order: tuple[Longs, ...]
) -> Chosen:
    """Returns the optimum of a problem with one class and one channel, without a solver.

    The contacts first by `keys` get the best slots, in the order of `order` (both per row).
    """
    room, price = slots(field, problem.kinds, problem.places, problem.rows.size)
    count = min(problem.rows.size, int(room.sum()))
    values = problem.values[0]
    since = field.since[problem.places]
    near = first(count, -values, since)
    depth = SLOTS_FIRST
    while True:
        columns = _expand(near, np.minimum(room[near], depth))
        worth = values[columns.place] - _falls(field, problem, columns, price)[0]
        rested = np.where(columns.slot == 0, since[columns.place], NOT_IDLE)
        top = first(count, -worth, rested, columns.place, columns.slot)
        if depth >= count or int(columns.slot[top].max()) < depth - 1:
            break  # an agent's slots fall in worth: behind one that was not chosen none is
        depth *= SLOTS_FIRST
    top = top[np.lexsort((columns.slot[top], columns.place[top], rested[top], -worth[top]))]
    items = first(count, *keys)
    items = items[np.lexsort(tuple(key[items] for key in reversed(order)))]
    return Chosen(items, columns.place[top], problem.own[items] + worth[top])


def assign(
    field: Field, problem: Problem, order: tuple[Longs, Longs], cells_max: int
) -> Chosen | None:
    """Returns an exact optimum, None if the problem is too large for it. `order`: waiting order."""
    room, price = slots(field, problem.kinds, problem.places, problem.rows.size)
    items = _best_items(problem, order, int(room.sum()))
    items = items[np.lexsort((order[1][items], order[0][items]))]
    kept = _best_columns(problem.values, items.size).nonzero()[0]
    columns = _expand(kept, np.minimum(room[kept], items.size))
    if problem.kinds.size * columns.place.size > TABLE_CELLS_MAX:
        return None
    worth = problem.values[:, columns.place]
    if columns.place.size > kept.size:
        worth -= _falls(field, problem, columns, price)
        few = _best_columns(worth, items.size)
        columns, worth = Columns(columns.place[few], columns.slot[few]), worth[:, few]
    if items.size * columns.place.size > TABLE_CELLS_MAX:
        return None
    scores = worth[problem.class_of[items]] + problem.own[items][:, None]
    if items.size > columns.place.size:
        few = _best_columns(scores.T, columns.place.size)
        items, scores = items[few], scores[few]
    if scores.size > cells_max:
        return None
    row, column = _solve(scores)
    return Chosen(items[row], columns.place[column], scores[row, column])


def _solve(scores: Longs) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns rows and columns of the allowed pairs of an optimal assignment."""
    from scipy.optimize import linear_sum_assignment

    allowed = scores > LEAST
    pairs = min(scores.shape)
    priced = np.where(allowed, scores, -(2 * pairs + 1) * SCORE_BOUND).astype(np.float64)
    row, column = linear_sum_assignment(priced, maximize=True)
    kept = allowed[row, column]
    return row[kept], column[kept]


def _expand(places: Longs, room: Longs) -> Columns:
    """Returns every slot of these places, place by place."""
    total = int(room.sum())
    if total == places.size:
        return Columns(places, np.zeros(total, np.int64))
    begin = np.repeat(np.cumsum(room) - room, room)
    return Columns(np.repeat(places, room), np.arange(total) - begin)


def _falls(field: Field, problem: Problem, columns: Columns, price: Longs) -> Ints:
    """Returns classes x columns: how much less than the agent's next slot a slot is worth."""
    places = problem.places[columns.place]
    units = field.units[places].astype(np.int64)
    before = units - field.free[places] + price[columns.place]
    fall = 1000 * (before + columns.slot * price[columns.place]) // units - 1000 * before // units
    rested = np.where(columns.slot > 0, field.idle[places], 0)
    weights = field.kinds.weights[:, problem.kinds]
    total = weights[WORKLOAD][:, None] * fall + weights[IDLE][:, None] * rested
    falls: Ints = total.astype(np.int32)
    return falls


def _best_items(problem: Problem, order: tuple[Longs, Longs], most: int) -> Longs:
    """Returns the items without those that are not among the best `most` of their class."""
    sizes = np.bincount(problem.class_of)
    if sizes.max() <= most:
        return np.arange(problem.rows.size)
    by_class = np.argsort(problem.class_of, kind="stable")
    kept = []
    for end, size in zip(np.cumsum(sizes).tolist(), sizes.tolist(), strict=True):
        items = by_class[end - size : end]
        near = first(most, -problem.own[items], order[0][items], order[1][items])
        kept.append(items[near])
    return np.concatenate(kept)


def _best_columns(values: Ints | Longs, most: int) -> Flags:
    """Returns which columns are among the `most` best allowed ones of some row.

    Equal values go by position, so that the choice depends on nothing but the values.
    """
    width = values.shape[1]
    allowed = values > LEAST
    if width > most:
        keys = (values.astype(np.int64) << _TIE_BITS) - np.arange(width)
        last = np.partition(keys, width - most, axis=1)[:, width - most]
        allowed &= keys >= last[:, None]
    some: Flags = np.any(allowed, axis=0)
    return some
