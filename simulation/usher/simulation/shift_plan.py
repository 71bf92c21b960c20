"""From agents by interval to shifts: covered at the least cost, tried, raised, trimmed.

    needs by group -> cover (integer program) -> replications -> where a goal is missed: needs
    raised, covered again -> agents taken away as long as no goal is missed

Cover first and simulate afterwards can be far from the best of both together (Avramidis, Chan,
Gendreau, L'Ecuyer and Pisacane 2010). Shifts leave some intervals with more agents than they need;
the last step takes out whom these make needless, and no more. It must not know files or options.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from math import ceil, floor, gcd

import numpy as np
from msgspec import Struct

from usher.router.branch_policy import minute_text
from usher.simulation.goals import intervals_to_help
from usher.simulation.scenario import Break, Group, GroupName, Scenario, Shift
from usher.simulation.shifts import BreakWindow, ShiftPattern, cover, patterns
from usher.simulation.staffing import Int64s, Post, Posts, Timetable, prices_per_hour
from usher.simulation.staffing_search import Ending, Found, trimmed
from usher.simulation.trials import Machinery, RunsUsedUp, Setting, Trials

ROUNDS_MOST = 3
"""Covers at most, the later ones with raised needs."""
PART_MIN = 5
"""Lengths of shifts and breaks are multiples of it."""
MINUTES_OF_DAY = 1440


class ShiftRule(Struct, frozen=True, kw_only=True):
    """A kind of shift: it begins on any bound of an interval, within some hours.

    Of n breaks the k-th is around k/(n + 1) of the shift, at most 1/(4 (n + 1)) of it away.
    """

    length_min: int
    breaks_min: tuple[int, ...] = ()
    from_min: int = 0
    until_min: int = MINUTES_OF_DAY


class ShiftPlan(Struct, frozen=True, eq=False, kw_only=True):
    """Shifts for a day; `covers` tells how often the needs were covered until goals were met."""

    posts: Posts
    found: Found
    covers: int


def shift_plan(
    needs: Mapping[GroupName, Int64s],
    rules: Mapping[GroupName, Sequence[ShiftRule]],
    setting: Setting,
    timetable: Timetable,
    machinery: Machinery,
) -> ShiftPlan:
    """Returns shifts of these kinds by group that cover the needs; raises ValueError.

    As `shifts.cover`, with the group; and for a rule that does not fit the intervals or the day.
    """
    tell = machinery.tell
    wanted = {name: row.copy() for name, row in needs.items()}
    posts, counts = _covered(wanted, rules, setting.scenario, timetable)
    covers = 1
    try:
        while True:
            trials = Trials(setting, posts, machinery)
            if tell is not None:
                tell("shifts that cover the needs", posts.agent_hours(counts))
            evidence = trials.evidence(counts)
            failing = trials.missed(evidence)
            if not failing or covers == ROUNDS_MOST:
                break
            _raise(wanted, intervals_to_help(trials.checks, failing, evidence))
            posts, counts = _covered(wanted, rules, setting.scenario, timetable)
            covers += 1
        found = trimmed(trials, posts, counts, tell)
    except RunsUsedUp:
        found = Found(counts=counts, is_met=False, ending=Ending.RUNS_USED_UP)
    except (KeyboardInterrupt, CancelledError):
        found = Found(counts=counts, is_met=False, ending=Ending.STOPPED)
    return ShiftPlan(posts=posts, found=found, covers=covers)


def rules_of(group: Group, timetable: Timetable) -> tuple[ShiftRule, ...]:
    """Returns the kinds of shift that a group works today; else one as long as the day is open.

    Kinds that do not fit the intervals are left out.
    """
    kinds = dict.fromkeys(
        ShiftRule(
            length_min=shift.until_min - shift.from_min,
            breaks_min=tuple(pause.until_min - pause.from_min for pause in shift.breaks),
        )
        for shift in group.shifts
    )
    fitting = tuple(rule for rule in kinds if not _misfit(rule, timetable))
    return fitting or (ShiftRule(length_min=timetable.count * timetable.interval_min),)


def check_rule(rule: ShiftRule, timetable: Timetable) -> None:
    """Raises ValueError for a rule that does not fit the intervals or the day."""
    misfit = _misfit(rule, timetable)
    if misfit:
        raise ValueError(misfit)


def _misfit(rule: ShiftRule, timetable: Timetable) -> str:
    """Returns what is wrong with a rule, "" if nothing."""
    for what, length_min in (
        ("shift", rule.length_min),
        *(("break", one) for one in rule.breaks_min),
    ):
        if length_min < 1 or length_min % PART_MIN:
            return f"found a {what} of {length_min} min, expected a multiple of {PART_MIN} min"
    if rule.length_min <= sum(rule.breaks_min):
        return f"found {sum(rule.breaks_min)} min of breaks in a shift of {rule.length_min} min"
    opens_min, closes_min = timetable.opens_min, timetable.starts_min(timetable.count)
    room_min = min(rule.until_min, closes_min) - max(rule.from_min, opens_min)
    if rule.length_min > room_min:
        hours = f"{minute_text(opens_min)}-{minute_text(closes_min)}"
        return (
            f"found a shift of {rule.length_min} min from {minute_text(rule.from_min)} to "
            f"{minute_text(rule.until_min)}, expected one that fits into the hours {hours}"
        )
    return ""


def _covered(
    needs: Mapping[GroupName, Int64s],
    rules: Mapping[GroupName, Sequence[ShiftRule]],
    scenario: Scenario,
    timetable: Timetable,
) -> tuple[Posts, Int64s]:
    """Returns the shifts that are worked, and by how many; times are finer where breaks are."""
    prices = prices_per_hour(scenario)
    fine = _finer(timetable, [rule for kinds in rules.values() for rule in kinds])
    parts = fine.count // timetable.count
    posts: list[Post] = []
    counts: list[int] = []
    for name, row in needs.items():
        if not row.any():
            continue
        kinds = _patterns(rules[name], fine, prices[name], every=parts)
        try:
            agents = cover(np.repeat(row, parts), list(kinds.values())).agents
        except ValueError as error:
            first, length = minute_text(fine.opens_min), fine.interval_min
            raise ValueError(
                f'group "{name}": {error} (interval 0 is from {first}, each is {length} min long)'
            ) from error
        posts += [_post(name, kinds[pattern], fine) for pattern in agents]
        counts += list(agents.values())
    return Posts(timetable=fine, posts=tuple(posts)), np.array(counts, dtype=np.int64)


def _finer(timetable: Timetable, rules: Sequence[ShiftRule]) -> Timetable:
    """Returns the intervals in parts, such that all shifts and breaks are whole numbers of them."""
    lengths = [one for rule in rules for one in (rule.length_min, *rule.breaks_min)]
    part_min = gcd(timetable.interval_min, *lengths)
    count = timetable.count * timetable.interval_min // part_min
    return Timetable(opens_min=timetable.opens_min, interval_min=part_min, count=count)


def _patterns(
    rules: Sequence[ShiftRule], timetable: Timetable, price_per_hour: float, *, every: int
) -> dict[str, ShiftPattern]:
    """Returns the shifts of all kinds by name; those that two kinds have in common once.

    They begin on every `every`-th bound of the timetable.
    """
    found: dict[str, ShiftPattern] = {}
    for rule in rules:
        check_rule(rule, timetable)
        length = rule.length_min // timetable.interval_min
        made = patterns(
            intervals=timetable.count,
            lengths=(length,),
            windows=_windows(rule, length, timetable.interval_min),
            every=every,
            cost_per_interval=price_per_hour * timetable.interval_hours,
        )
        for pattern in made:
            from_min, until_min = map(timetable.starts_min, (pattern.start, pattern.end))
            if rule.from_min <= from_min and until_min <= rule.until_min:
                found[pattern.name] = pattern
    return found


def _windows(rule: ShiftRule, length: int, interval_min: int) -> tuple[BreakWindow, ...]:
    """Returns where in a shift of that many intervals each break may begin."""
    parts = len(rule.breaks_min) + 1
    windows = []
    for number, break_min in enumerate(rule.breaks_min, start=1):
        size = break_min // interval_min
        middle, reach = length * number / parts - size / 2, length / (4 * parts)
        earliest = max(0, ceil(middle - reach))
        latest = min(length - size, max(earliest, floor(middle + reach)))
        windows.append(BreakWindow(min(earliest, latest), latest, size))
    return tuple(windows)


def _post(name: GroupName, pattern: ShiftPattern, timetable: Timetable) -> Post:
    def at_min(offset: int) -> int:
        return timetable.starts_min(pattern.start + offset)

    breaks = tuple(
        Break(from_min=at_min(one.offset), until_min=at_min(one.offset + one.length))
        for one in pattern.breaks
    )
    return Post(
        group=name,
        intervals=tuple(pattern.on_duty().tolist()),
        shift=Shift(agents=1, from_min=at_min(0), until_min=at_min(pattern.length), breaks=breaks),
        cost=pattern.cost,
    )


def _raise(needs: Mapping[GroupName, Int64s], intervals: Sequence[int]) -> None:
    """Adds an agent to each of these intervals, of the group that has most there."""
    for interval in intervals:
        largest = max(needs, key=lambda name: int(needs[name][interval]))
        needs[largest][interval] += 1
