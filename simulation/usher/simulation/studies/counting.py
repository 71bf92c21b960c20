"""What days of a call log tell by counting: arrivals, factors, talks, patience, priority.

The days are taken as they are; nothing is simulated. What a log does not show, who was there and
what agents did between talks, is no matter of this file.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from usher.router.trials.call_log import Call, CallDay, CallOutcome
from usher.simulation.distributions import Empirical
from usher.simulation.fitting.arrivals import ArrivalFit, fit_arrivals
from usher.simulation.fitting.durations import fit_empirical
from usher.simulation.fitting.patience import CurvePatience, PatienceFit, fit_patience
from usher.simulation.studies.recorded_days import PRIORITIES

DAY_S = 86_400
INTERVAL_MIN = 60
"""What makes half-hours differ lasts longer: neighbours of a day are alike (bank of 1999: their
residuals correlate by 0.35). A factor for each half-hour would make hours too much alike."""
VALUES_MOST = 200
"""Of an empirical distribution: a file of them is still for people."""
OWN_LEAST = 500
"""A type with fewer talks has those of all types, with fewer abandons the patience of all."""

Floats = NDArray[np.float64]
Log = Mapping[date, CallDay]


class TypeFit(Struct, frozen=True, eq=False, kw_only=True):
    """What the days tell of one type of call."""

    calls: int
    abandoned: int
    mean: Floats
    """Calls of the mean day by interval, shape (intervals,)."""
    talks: Empirical
    """Seconds, of who was served."""
    patience: CurvePatience
    """The Kaplan-Meier curve as values to draw from."""
    high_share: float
    """Of priority 2 among those whose priority was recorded: those who queued."""


class Counted(Struct, frozen=True, eq=False, kw_only=True):
    """What the days tell without a simulation."""

    days: int
    calls: int
    arrivals: ArrivalFit
    """Counts of calls that sought an agent, by hour, whoever worked."""
    talks: Empirical
    patience: PatienceFit
    types: dict[str, TypeFit]


def counted(log: Log) -> Counted:
    """Returns what these days tell; raises ValueError if there are no calls or no talks."""
    calls = [call for found in log.values() for call in found.calls]
    talks_s = _talks_s(calls)
    if not len(talks_s):
        raise ValueError(f"found {len(calls)} calls on {len(log)} days and no talk among them")
    arrivals = fit_arrivals(counts_of(log))
    talks, patience = fit_empirical(talks_s, VALUES_MOST), patience_of(calls)
    left = patience.from_curve(values_max=VALUES_MOST)
    by_type: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_type[call.type].append(call)
    return Counted(
        days=len(log),
        calls=len(calls),
        arrivals=arrivals,
        talks=talks,
        patience=patience,
        types={
            name: _type_fit(chosen, len(log), talks, left)
            for name, chosen in sorted(by_type.items())
        },
    )


def _type_fit(calls: Sequence[Call], days: int, talks: Empirical, left: CurvePatience) -> TypeFit:
    abandoned = sum(call.outcome is CallOutcome.ABANDONED for call in calls)
    own = len(calls) - abandoned >= OWN_LEAST
    return TypeFit(
        calls=len(calls),
        abandoned=abandoned,
        mean=_by_interval(calls) / days,
        talks=fit_empirical(_talks_s(calls), VALUES_MOST) if own else talks,
        patience=patience_of(calls).from_curve(values_max=VALUES_MOST)
        if abandoned >= OWN_LEAST
        else left,
        high_share=_high_share(calls),
    )


def _talks_s(calls: Sequence[Call]) -> Floats:
    return np.array([c.talk_s for c in calls if c.talk_s is not None], dtype=np.float64)


def patience_of(calls: Sequence[Call]) -> PatienceFit:
    """Returns the patience that these waits tell of."""
    waits_s = np.array([call.wait_s for call in calls], dtype=np.float64)
    return fit_patience(waits_s, np.array([c.outcome is CallOutcome.ABANDONED for c in calls]))


def counts_of(log: Log) -> Floats:
    """Returns the calls by day and interval; who came after midnight counts to the last one."""
    return np.array([_by_interval(found.calls) for found in log.values()])


def _by_interval(calls: Sequence[Call]) -> Floats:
    at = [min(call.arrival_s, DAY_S - 1) // (60 * INTERVAL_MIN) for call in calls]
    return np.bincount(at, minlength=DAY_S // (60 * INTERVAL_MIN)).astype(np.float64)


def _high_share(calls: Sequence[Call]) -> float:
    """Priority is recorded of those who queued; who found a free agent at once has none."""
    known = [call.priority for call in calls if call.priority in PRIORITIES.values()]
    return known.count(PRIORITIES["high"]) / len(known) if known else 0.0
