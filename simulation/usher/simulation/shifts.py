"""Shifts that cover the agents each interval needs, at the least cost.

A whole-number program after Dantzig 1954 and Segal 1974: one unknown per pattern, one row per
interval. Every place of a break is a pattern of its own. Where the needs come from, and how long an
interval is, is the caller's affair. It must not know queues, agents by name, skills or calendars.

    minimise    sum of cost[p] agents[p]  +  shortage_cost * sum of missing[i]
    so that     sum of agents[p] over the patterns on duty in i  +  missing[i]  >=  needs[i]

The needs of one interval and then the shifts, in two steps, can be far from the best of both
together (Avramidis et al. 2010): a search that simulates is to start here, not to end here.
"""

from collections.abc import Sequence
from itertools import product
from math import inf, isfinite, prod
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array, eye_array, hstack, vstack

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]

PATTERNS_MOST: Final = 100_000
GAP_MOST: Final = 0.001
NODES_MOST: Final = 1_000
_INFEASIBLE: Final = 2  # a status of `milp`


class Break(Struct, frozen=True):
    """Off duty for `length` intervals, `offset` intervals after the shift began."""

    offset: int
    length: int = 1


class BreakWindow(Struct, frozen=True):
    """A break of `length` intervals beginning `earliest` to `latest` intervals into the shift."""

    earliest: int
    latest: int
    length: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.earliest <= self.latest or self.length < 1:
            raise ValueError(f"0 <= earliest <= latest and length >= 1 are to hold, not {self}")


class ShiftPattern(Struct, frozen=True, kw_only=True):
    """A shift that any number of agents may work; all times in intervals. Raises ValueError.

    Breaks lie within the shift, one after the other.
    """

    name: str
    start: int
    length: int
    """From the start to the end, breaks included."""
    breaks: tuple[Break, ...] = ()
    cost: float = 1.0
    """Per agent, in any unit."""
    agents_most: int | None = None

    def __post_init__(self) -> None:
        if self.start < 0 or self.length < 1:
            raise ValueError(f"{self.name}: start >= 0 and length >= 1 are to hold, not {self}")
        if not (isfinite(self.cost) and self.cost >= 0):
            raise ValueError(f"{self.name}: cost is to be at least 0, not {self.cost}")
        if self.agents_most is not None and self.agents_most < 0:
            raise ValueError(f"{self.name}: agents_most is to be at least 0: {self.agents_most}")
        if not _in_order(self.breaks, self.length):
            raise ValueError(f"{self.name}: breaks are to follow each other within: {self.breaks}")

    @property
    def end(self) -> int:
        """Returns the first interval after the shift."""
        return self.start + self.length

    def on_duty(self) -> Int64s:
        """Returns the indices of the intervals it works, ascending."""
        works = np.ones(self.length, dtype=np.bool_)
        for pause in self.breaks:
            works[pause.offset : pause.offset + pause.length] = False
        return self.start + np.flatnonzero(works).astype(np.int64)


class Cover(Struct, frozen=True, eq=False, kw_only=True):
    """Shifts for a day, and what they do to it. Arrays have one entry per interval."""

    agents: dict[str, int]
    """How many work each pattern, by name, in the order given; those without are left out."""
    on_duty: Int64s
    shortage: Int64s
    """Needed and not on duty; all 0 if nothing may be missing."""
    surplus: Int64s
    """On duty and not needed."""
    shift_cost: float
    shortage_cost: float
    bound: float
    """No plan costs less: proven, up to the rounding of the solver."""

    @property
    def cost(self) -> float:
        """Returns the cost of the shifts and of what is missing."""
        return self.shift_cost + self.shortage_cost

    @property
    def gap(self) -> float:
        """Returns how far above the proven bound the cost may be, as a share of the cost."""
        return (self.cost - self.bound) / self.cost if self.cost else 0.0


def cover(
    needs: Int64s | Sequence[int],
    patterns: Sequence[ShiftPattern],
    *,
    shortage_cost: float | None = None,
    agents_most: int | None = None,
    gap_most: float = GAP_MOST,
    nodes_most: int = NODES_MOST,
) -> Cover:
    """Returns the cheapest cover of the needs, or one proven to be nearly as cheap.

    `shortage_cost` is the price of one agent missing for one interval; None: none may be missing.
    `agents_most` limits all agents together. The search ends once no plan can be cheaper by more
    than the share `gap_most` of all cost, shortage included (0: by more than 1e-6), or after
    `nodes_most` nodes of its tree with the best plan so far; `Cover.gap` tells what is left. Both
    limit work and not time: the same input gives the same result with the same SciPy. Among equally
    cheap plans the choice of its solver, HiGHS, stands. Thousands of patterns may take minutes.

    Raises ValueError for needs, patterns or limits that make no sense; if the needs cannot be
    covered, naming the first interval that no pattern, or no allowed number of agents, covers; and
    if the nodes do not suffice for any plan.
    """
    wanted = _checked_needs(needs)
    _check_patterns(patterns, len(wanted))
    _check_limits(shortage_cost, agents_most)
    if nodes_most < 1 or not 0 <= gap_most < 1:
        raise ValueError(f"nodes_most >= 1 and 0 <= gap_most < 1: {nodes_most=} {gap_most=}")
    program = _Program(wanted, patterns, shortage_cost, agents_most)
    if shortage_cost is None:
        program.check_each_interval()
    return program.told(*program.solve(gap_most, nodes_most))


def patterns(
    *,
    intervals: int,
    lengths: Sequence[int],
    every: int = 1,
    windows: Sequence[BreakWindow] = (),
    cost_per_interval: float = 1.0,
    breaks_paid: bool = True,
) -> list[ShiftPattern]:
    """Returns all shifts of these lengths that start at 0, every, 2 every ... and end in time.

    Each break is taken at every place of its window that leaves them one after the other; each
    combination is a pattern, named start+length and offset x length of each break: "16+34/15x2".
    Raises ValueError if a window reaches beyond a shift or a shift beyond the last interval, if
    breaks leave each other no place, or for more than PATTERNS_MOST patterns.
    """
    if every < 1 or any(length < 1 for length in lengths):
        raise ValueError(f"every and lengths are to be at least 1, not {every=} {lengths=}")
    made: list[ShiftPattern] = []
    for length in lengths:
        if length > intervals:
            raise ValueError(f"a shift of {length} does not fit into {intervals} intervals")
        places = _places(windows, length)
        for start in range(0, intervals - length + 1, every):
            for breaks in places:
                off = 0 if breaks_paid else sum(pause.length for pause in breaks)
                cost = cost_per_interval * (length - off)
                made.append(_named(start, length, breaks, cost))
            if len(made) > PATTERNS_MOST:
                raise ValueError(f"more than {PATTERNS_MOST} patterns: {lengths=} {windows=}")
    return made


class _Program:
    """The program in columns: the patterns in order, then one for what is missing per interval."""

    def __init__(
        self,
        needs: Int64s,
        patterns: Sequence[ShiftPattern],
        shortage_cost: float | None,
        agents_most: int | None,
    ) -> None:
        self._needs = needs
        self._patterns = patterns
        self._shortage_cost = shortage_cost
        self._agents_most = agents_most
        self._costs: Floats = np.array([pattern.cost for pattern in patterns], dtype=np.float64)
        self._duties = _duties(patterns, len(needs))
        peak = int(needs.max(initial=0))  # a pattern never needs more agents than that
        limits = [peak if one.agents_most is None else one.agents_most for one in patterns]
        self._limits: Int64s = np.minimum(np.array(limits, dtype=np.int64), peak)

    def check_each_interval(self) -> None:
        """Raises ValueError at the first interval whose need cannot be met, whatever is paid."""
        reached = self._duties @ self._limits
        reached = reached if self._agents_most is None else np.minimum(reached, self._agents_most)
        short = np.flatnonzero(reached < self._needs)
        if not len(short):
            return
        at = int(short[0])
        if not self._duties[[at], :].nnz:
            raise ValueError(f"interval {at} needs {self._needs[at]} agents, no pattern covers it")
        raise ValueError(
            f"interval {at} needs {self._needs[at]} agents, its patterns have at most {reached[at]}"
        )

    def solve(self, gap_most: float, nodes_most: int) -> tuple[Int64s, float]:
        """Returns the agents by pattern and the proven bound of the cost; raises ValueError."""
        count = len(self._costs)
        missing_most = self._needs if self._shortage_cost else np.zeros_like(self._needs)
        costs = np.append(self._costs, np.full(len(self._needs), self._shortage_cost or 0.0))
        found = milp(
            costs,
            integrality=np.ones_like(costs),
            bounds=Bounds(0, np.append(self._limits, missing_most)),
            constraints=self._rows(),
            options={"mip_rel_gap": gap_most, "node_limit": nodes_most},
        )
        if found.x is None and found.status == _INFEASIBLE:
            # Each interval alone can be met, so only the limit on all together is in the way.
            raise ValueError(f"{self._agents_most} agents are too few to cover all intervals")
        if found.x is None:
            raise ValueError(f"no plan found with {nodes_most} nodes: {found.message}")
        counts = np.rint(found.x[:count]).astype(np.int64)
        return counts, max(0.0, float(found.mip_dual_bound))

    def told(self, counts: Int64s, bound: float) -> Cover:
        """Returns what these agents by pattern do; all but the bound follows from them alone."""
        on_duty = self._duties @ counts
        shortage = np.maximum(self._needs - on_duty, 0)
        shift_cost = float(self._costs @ counts)
        shortage_cost = float(shortage.sum()) * (self._shortage_cost or 0.0)
        chosen = zip(self._patterns, counts.tolist(), strict=True)
        return Cover(
            agents={pattern.name: count for pattern, count in chosen if count},
            on_duty=on_duty,
            shortage=shortage,
            surplus=np.maximum(on_duty - self._needs, 0),
            shift_cost=shift_cost,
            shortage_cost=shortage_cost,
            bound=min(bound, shift_cost + shortage_cost),
        )

    def _rows(self) -> LinearConstraint:
        count, intervals = len(self._costs), len(self._needs)
        matrix = hstack((self._duties, eye_array(intervals)), format="csc")
        least, most = self._needs.astype(np.float64), np.full(intervals, inf)
        if self._agents_most is not None:
            everybody = np.concatenate((np.ones(count), np.zeros(intervals)))[np.newaxis]
            matrix = vstack((matrix, csc_array(everybody)), format="csc")
            least, most = np.append(least, 0.0), np.append(most, self._agents_most)
        return LinearConstraint(matrix, least, most)


def _duties(patterns: Sequence[ShiftPattern], intervals: int) -> csc_array:
    """Returns 1 where the pattern of a column is on duty in the interval of a row."""
    rows = [pattern.on_duty() for pattern in patterns]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    indices = np.concatenate((np.zeros(0, dtype=np.int64), *rows))
    ones = np.ones(len(indices), dtype=np.int64)
    return csc_array((ones, indices, ends), shape=(intervals, len(patterns)))


def _places(windows: Sequence[BreakWindow], length: int) -> list[tuple[Break, ...]]:
    """Returns the breaks at every combination of places; raises ValueError if there is none."""
    for window in windows:
        if window.latest + window.length > length:
            raise ValueError(f"{window} reaches beyond a shift of {length} intervals")
    if prod(window.latest - window.earliest + 1 for window in windows) > PATTERNS_MOST:
        raise ValueError(f"more than {PATTERNS_MOST} places of breaks: {windows}")
    choices = [
        [Break(offset, window.length) for offset in range(window.earliest, window.latest + 1)]
        for window in windows
    ]
    found = [breaks for breaks in product(*choices) if _in_order(breaks, length)]
    if not found:
        raise ValueError(f"no places leave the breaks one after the other: {windows}")
    return found


def _named(start: int, length: int, breaks: tuple[Break, ...], cost: float) -> ShiftPattern:
    pauses = "".join(f"/{pause.offset}x{pause.length}" for pause in breaks)
    name = f"{start}+{length}{pauses}"
    return ShiftPattern(name=name, start=start, length=length, breaks=breaks, cost=cost)


def _in_order(breaks: Sequence[Break], length: int) -> bool:
    """Returns whether each break has a length and begins when the one before has ended."""
    free_from = 0
    for pause in breaks:
        if pause.offset < free_from or pause.length < 1:
            return False
        free_from = pause.offset + pause.length
    return free_from <= length


def _checked_needs(needs: Int64s | Sequence[int]) -> Int64s:
    wanted = np.asarray(needs)
    if wanted.ndim != 1 or not len(wanted) or wanted.dtype.kind not in "iu":
        raise ValueError(f"needs are to be whole numbers, one per interval, not {needs!r}")
    if wanted.min() < 0:
        raise ValueError(f"needs are to be at least 0, not {wanted.min()} at {wanted.argmin()}")
    return wanted.astype(np.int64)


def _check_limits(shortage_cost: float | None, agents_most: int | None) -> None:
    if shortage_cost is not None and not (isfinite(shortage_cost) and shortage_cost > 0):
        raise ValueError(f"shortage_cost is to be positive, or None: {shortage_cost}")
    if agents_most is not None and agents_most < 0:
        raise ValueError(f"agents_most is to be at least 0, or None: {agents_most}")


def _check_patterns(patterns: Sequence[ShiftPattern], intervals: int) -> None:
    if len(patterns) > PATTERNS_MOST:
        raise ValueError(f"at most {PATTERNS_MOST} patterns are allowed, not {len(patterns)}")
    names: set[str] = set()
    for pattern in patterns:
        if pattern.name in names:
            raise ValueError(f"the name {pattern.name!r} is to stand for one pattern")
        if pattern.end > intervals:
            raise ValueError(f"{pattern.name}: ends at {pattern.end}, after {intervals} intervals")
        names.add(pattern.name)
