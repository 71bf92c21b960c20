"""A scenario's figures from days of a call log, and the same made into days of their own.

    days -> arrival curve and day factor, talks, patience, share of priority
         -> the work after a call that the log does not show: so much that the days, replayed with
            their own calls and agents, wait as long as they did

It must not know how the figures are shown.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import date

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from usher.queue.values import Channel, QueueName
from usher.router.trials.call_log import Call, CallDay, CallOutcome
from usher.simulation.distributions import Deterministic, Empirical, Gamma
from usher.simulation.experiment import Case, Job, run
from usher.simulation.fitting.arrivals import ArrivalFit, fit_arrivals
from usher.simulation.fitting.durations import fit_empirical
from usher.simulation.fitting.patience import CurvePatience, PatienceFit, fit_patience
from usher.simulation.scenario import ContactType, Curve, Day, Scenario
from usher.simulation.streams import Streams
from usher.simulation.studies.recorded_days import (
    FINISH_MS,
    PRIORITIES,
    ReplayRules,
    replay_policy,
    replay_scenario,
    staff_of,
)

DAY_S = 86_400
INTERVAL_MIN = 30
AFTER_CALL_MOST_S = 120.0
WAIT_OFF = 0.01
TRIES_MOST = 12
PATIENCE_VALUES = 1_000
MODELLED_DAYS = 5
"""Days made up for each recorded one when the hidden work is fitted."""

Log = Mapping[date, CallDay]


class Calibration(Struct, frozen=True, eq=False, kw_only=True):
    """What the days tell."""

    days: int
    calls: int
    arrivals: ArrivalFit
    """Counts of calls that sought an agent, by half-hour."""
    talks: Empirical
    """Seconds, of all who were served."""
    interval_factor: Gamma | None
    """What half-hours vary beyond the day factor, as a factor with mean 1; None = no more than by
    chance."""
    patience: PatienceFit
    patience_left: CurvePatience
    """The Kaplan-Meier curve as values to draw from."""
    high_share: float
    """Of priority 2 among those whose priority was recorded: those who queued."""
    mean_wait_s: float
    """As recorded."""
    replayed: "Fitted"
    """The work after a call with which the days wait as recorded, played again call by call."""
    modelled: "Fitted"
    """The same for days made up from the figures above, each with its own agents. It is less: the
    guess at who was there follows the calls that came, and made-up calls come at other times."""


class Fitted(Struct, frozen=True):
    """Work after each call that the log does not show, and the mean wait that it gives."""

    after_call_s: float
    mean_wait_s: float


def calibrate(log: Log, executor: Executor, seed: int = 1) -> Calibration:
    """Returns what these days tell. Raises ValueError if there are no calls or no talks."""
    calls = [call for found in log.values() for call in found.calls]
    talks_s = np.array([c.talk_s for c in calls if c.talk_s is not None], dtype=np.float64)
    if not len(talks_s):
        raise ValueError(f"found {len(calls)} calls on {len(log)} days and no talk among them")
    patience = _patience(calls)
    left = patience.from_curve(values_max=PATIENCE_VALUES)
    rules = ReplayRules(patience_s=patience.exponential.mean_s or left.tail_mean_s)
    wanted_s = mean_wait_s(log)

    def replayed_s(after_call_s: float) -> float:
        return _replayed_wait_s(log, replace(rules, after_call_s=after_call_s), executor, seed)

    arrivals = fit_arrivals(_counts(log))
    told = Calibration(
        days=len(log),
        calls=len(calls),
        arrivals=arrivals,
        interval_factor=_interval_factor(arrivals),
        talks=fit_empirical(talks_s),
        patience=patience,
        patience_left=left,
        high_share=_high_share(calls),
        mean_wait_s=wanted_s,
        replayed=_fitted(replayed_s, wanted_s),
        modelled=Fitted(0.0, 0.0),
    )

    def modelled_s(after_call_s: float) -> float:
        guess = replace(told, modelled=Fitted(after_call_s, 0.0))
        return _modelled_wait_s(log, guess, executor, seed)

    return replace(told, modelled=_fitted(modelled_s, wanted_s))


def predicted_scenario(name: str, told: Calibration, day: CallDay) -> Scenario:
    """Returns a day like those of the calibration, with the agents of this one."""
    factor = told.arrivals.day_factor.distribution
    mean = told.arrivals.curve(0).mean
    types = {
        queue: ContactType(
            queue=QueueName(queue),
            channel=Channel.VOICE,
            arrivals=Curve(
                counts=tuple(float(count * share) for count in mean),
                every_min=INTERVAL_MIN,
                day_factor=factor,
                interval_factor=told.interval_factor,
            ),
            handling=told.talks,
            patience=told.patience_left.distribution,
            wrap_up=Deterministic(told.modelled.after_call_s)
            if told.modelled.after_call_s
            else None,
        )
        for queue, share in (("regular", 1 - told.high_share), ("high", told.high_share))
    }
    rules = ReplayRules(after_call_s=told.modelled.after_call_s)
    return Scenario(
        name=name,
        types=types,
        groups={"staff": staff_of(day.calls, rules)},
        horizon=Day(finish_ms=FINISH_MS),
    )


def mean_wait_s(log: Log) -> float:
    """Returns the mean of all waits recorded, of served and of lost callers."""
    waits_s = [call.wait_s for found in log.values() for call in found.calls]
    return sum(waits_s) / len(waits_s)


def _patience(calls: Sequence[Call]) -> PatienceFit:
    waits_s = np.array([call.wait_s for call in calls], dtype=np.float64)
    return fit_patience(waits_s, np.array([c.outcome is CallOutcome.ABANDONED for c in calls]))


def _counts(log: Log) -> NDArray[np.float64]:
    """Returns the calls by day and interval; who came after midnight counts to the last one."""
    counts = np.zeros((len(log), DAY_S // (60 * INTERVAL_MIN)))
    for row, found in enumerate(log.values()):
        for call in found.calls:
            counts[row, min(call.arrival_s, DAY_S - 1) // (60 * INTERVAL_MIN)] += 1
    return counts


def _interval_factor(arrivals: ArrivalFit) -> Gamma | None:
    """A factor of variance v makes the variance of a count of mean m to m + v m^2.

    So the ratio variance / mean is 1 + v m on average, weighted as Pearson's statistic weights it:
    each interval alike.
    """
    left = arrivals.intervals_given_day
    mean = arrivals.curve(0).mean
    busy = mean[mean > 0]
    if left is None or left.ratio <= 1 or not len(busy):
        return None
    return Gamma(1.0, float(np.sqrt((left.ratio - 1) / busy.mean())))


def _high_share(calls: Sequence[Call]) -> float:
    """Priority is recorded of those who queued; who found a free agent at once has none."""
    known = [call.priority for call in calls if call.priority in PRIORITIES.values()]
    return known.count(PRIORITIES["high"]) / len(known) if known else 0.0


def _fitted(wait_s: Callable[[float], float], wanted_s: float) -> Fitted:
    """Returns the work after a call that gives the wanted mean wait, as near as WAIT_OFF.

    More work means longer waits, so the answer is closed in from both sides: by false position,
    the end that stays being weighted down (Illinois method, Dowell and Jarratt 1971).
    """
    low, high = 0.0, AFTER_CALL_MOST_S
    below = wait_s(low) - wanted_s
    if below >= 0:
        return Fitted(low, below + wanted_s)
    above = wait_s(high) - wanted_s
    middle, off = high, above
    for _ in range(TRIES_MOST):
        if abs(off) <= WAIT_OFF * wanted_s:
            break
        middle = low + (high - low) * below / (below - above)
        off = wait_s(middle) - wanted_s
        if off < 0:
            low, below, above = middle, off, above / 2
        else:
            high, above, below = middle, off, below / 2
    return Fitted(middle, off + wanted_s)


def _replayed_wait_s(log: Log, rules: ReplayRules, executor: Executor, seed: int) -> float:
    policy = replay_policy(rules)
    scenarios = [
        replay_scenario(str(day), found.calls, rules, Streams(seed)) for day, found in log.items()
    ]
    return _wait_s([Job(Case(one.name, one, policy), seed, 0, 60) for one in scenarios], executor)


def _modelled_wait_s(log: Log, told: Calibration, executor: Executor, seed: int) -> float:
    policy = replay_policy(ReplayRules(after_call_s=told.modelled.after_call_s))
    cases = [
        Case(str(day), predicted_scenario(str(day), told, found), policy)
        for day, found in log.items()
    ]
    jobs = [Job(case, seed, number, 60) for case in cases for number in range(MODELLED_DAYS)]
    return _wait_s(jobs, executor)


def _wait_s(jobs: Sequence[Job], executor: Executor) -> float:
    sums = [each.all for samples in executor.map(run, jobs) for each in samples]
    return sum(each.wait_ms for each in sums) / sum(each.offered for each in sums) / 1000
