"""Terms of the score: whole numbers, by plain formulas over columns.

    term                formula                                                          range
    skill_fit           sum_r weight_r * (min(level, wanted) * 1000 // wanted) // sum_r weight_r
                        no requirement: 1000                                           0..1000
    workload            1000 - 1000 * (units used + price) // units                    0..1000
    idle                (now - idle since) // 600, at most 1000: full after 10 minutes;
                        0 with a leg or an open offer                                  0..1000
    relationship        strength of the customer's relationship with the agent     -1000..1000
    channel_preference  strongest preference for a channel that the agent serves       0..1000
    urgency             wait against twice the target, 500; tier, 30 each; failed bots 60,
                        abandons 40, switches 20, each counted up to 3                 0..1000

    score = sum of weight * term, weights from the queue, their sum <= 1000: so |score| < 2^20

The formulas are our own (`design.md` part 4 names the terms); all quotients are rounded down. The
position of a language in the contact's list is not in the score. Columns are int32 (times int64):
every value is whole and within bounds, so any order of summing gives the same bits on every path,
and int32 needs no rounding proof as float32 would. Knows no pool: arrays in, arrays out. Each term
has a scalar twin in `tests/router/scalar_twin.py`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from usher.queue.rules import Requirement, Weights
from usher.queue.values import TERM_MAX, Urgency

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Flags = NDArray[np.bool_]

SCORE_BOUND = 1 << 20
FORBIDDEN = -(1 << 30)
"""Stands in int32 columns for a pair that may not be: terms added to it leave it below LEAST."""
LEAST = -(1 << 29)
NOT_IDLE = 1 << 62
"""Stands for 'idle since' of an agent with legs: later than every moment."""

NO_URGENCY = Urgency()

IDLE_STEP_MS = 600  # TERM_MAX steps = ten minutes
WAIT_POINTS = 500
TIER_POINTS, BOT_POINTS, ABANDON_POINTS, SWITCH_POINTS = 30, 60, 40, 20
COUNTED_MAX = 3

WEIGHT_NAMES = Weights.__struct_fields__


def skill_fit(levels: Sequence[NDArray[np.int8]], requirements: Sequence[Requirement]) -> Ints:
    """Returns the term per agent; `levels[r]` holds each agent's level in requirement r's skill."""
    total = np.zeros(levels[0].size, np.int32)
    for level, asked in zip(levels, requirements, strict=True):
        reached = np.minimum(level, asked.wanted).astype(np.int32)
        total += asked.weight * (reached * TERM_MAX // asked.wanted)
    term: Ints = total // np.int32(sum(asked.weight for asked in requirements))
    return term


def workload(used_after: Ints, units: Ints) -> Ints:
    """Returns the term; `used_after`: units used once the contact is taken."""
    term: Ints = TERM_MAX - TERM_MAX * used_after // units
    return term


def idle(at_ms: int, since_ms: Longs) -> Ints:
    """Returns the term; `since_ms` is NOT_IDLE for an agent with legs."""
    steps = (at_ms - since_ms) // IDLE_STEP_MS
    term: Ints = np.minimum(np.maximum(steps, 0), TERM_MAX).astype(np.int32)
    return term


def need(facts: Urgency) -> int:
    """Returns the part of the urgency that time does not change, 0..660."""
    if facts is NO_URGENCY or facts == NO_URGENCY:
        return 0
    return (
        TIER_POINTS * facts.tier
        + BOT_POINTS * min(COUNTED_MAX, facts.failed_bots)
        + ABANDON_POINTS * min(COUNTED_MAX, facts.abandons)
        + SWITCH_POINTS * min(COUNTED_MAX, facts.switches)
    )


def idle_of_one(at_ms: int, since_ms: int) -> int:
    """Returns the same as `idle` for one agent."""
    steps = (at_ms - since_ms) // IDLE_STEP_MS
    if steps <= 0:
        return 0
    return steps if steps < TERM_MAX else TERM_MAX


def urgency(waited_ms: Longs, target_ms: Longs, needs: Longs) -> Ints:
    """Returns the term; `waited_ms`: time waited and head start of the queue."""
    longest = 2 * target_ms
    waited = np.minimum(np.maximum(waited_ms, 0), longest)
    points = WAIT_POINTS * waited // longest + needs
    term: Ints = np.minimum(points, TERM_MAX).astype(np.int32)
    return term


def urgency_of_one(waited_ms: int, target_ms: int, needs: int) -> int:
    """Returns the same as `urgency` for one contact (the row path asks for just one)."""
    longest_ms = 2 * target_ms
    if waited_ms <= 0:
        points = needs
    elif waited_ms >= longest_ms:
        points = WAIT_POINTS + needs
    else:
        points = WAIT_POINTS * waited_ms // longest_ms + needs
    return points if points < TERM_MAX else TERM_MAX


def first(count: int, *keys: NDArray[np.signedinteger]) -> NDArray[np.intp]:
    """Returns the positions of the `count` smallest, by the first key, ties by the next ones.

    Ties left after the last key go by position. The positions come sorted. Only values decide,
    never the way in which a partition places equal ones (it differs between processors).
    """
    pool = np.arange(keys[0].size)
    if count >= pool.size:
        return pool
    chosen = []
    for key in keys:
        values = key[pool]
        last = np.partition(values, count - 1)[count - 1]
        below = pool[values < last]
        chosen.append(below)
        count -= below.size
        pool = pool[values == last]
        if count >= pool.size:
            break
    chosen.append(pool[:count])
    return np.sort(np.concatenate(chosen))
