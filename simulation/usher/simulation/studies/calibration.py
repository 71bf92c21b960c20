"""A scenario from days of a call log: what can be counted, and what has to be fitted.

    days -> arrival curves, talks, patience, priority                                (`counting`)
         -> for each duty gap: agents on duty, pauses seen while callers waited      (`presence`),
            calls given the agents, day and interval factor                  (`fitting.staffed`)
         -> made-up days of these figures with each day's own agents: the pauses are scaled until
            mean wait, abandonment and service level are as near to the recorded ones, and the
            pauses to those seen, as can be (least squares of relative differences)

With any gap there are pauses that give the recorded mean wait: a wide gap has more agents there,
who would have to pause for longer. The pauses that were seen tell the gaps apart: the gap with the
least squares is taken. It must not know how the figures are shown.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import date

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from usher.queue.measures import measure
from usher.queue.rules import Policy
from usher.queue.values import Channel, QueueName
from usher.router.trials.call_log import CallDay
from usher.router.trials.log_figures import contact_facts
from usher.simulation.distributions import Empirical
from usher.simulation.experiment import Case, Job, run
from usher.simulation.fitting.patience import WAITING_LEAST, CurvePatience, fit_patience
from usher.simulation.fitting.staffed import StaffedFit, fit_staffed
from usher.simulation.scenario import ContactType, Curve, Day, Group, Scenario
from usher.simulation.studies.counting import (
    INTERVAL_MIN,
    VALUES_MOST,
    Counted,
    Floats,
    counted,
    counts_of,
)
from usher.simulation.studies.presence import (
    Pauses,
    agents_by_interval,
    day_staff,
    pauses_of,
    usual_staff,
)
from usher.simulation.studies.recorded_days import (
    FINISH_MS,
    MINUTES,
    ReplayRules,
    replay_policy,
)

GAPS_S = (600, 1200, 1800)
"""Duty gaps that are tried."""
THRESHOLD_MS = 20_000
SCALES = (0.1, 4.0)
"""Of the pauses seen: beyond, they have nothing to do with what made callers wait."""
TRIED_SCALES = (0.75, 1.5)
MADE_DAYS = 3
"""Days made up for each recorded one while fitting."""
WRAP_UP_MOST_S = 4 * 3600.0

Log = Mapping[date, CallDay]


class Service(Struct, frozen=True, kw_only=True):
    """How callers fared, over all calls."""

    calls: float
    """Per day."""
    mean_wait_s: float
    """Of served and lost."""
    abandoned: float
    answered_within: float
    """Share of all, within THRESHOLD_MS."""

    @property
    def moments(self) -> tuple[float, float, float]:
        """Returns what the fit is to meet."""
        return self.mean_wait_s, self.abandoned, self.answered_within

    def misfit(self, wanted: "Service") -> float:
        """Returns the sum of squares of how far the moments are off, relatively."""
        pairs = zip(self.moments, wanted.moments, strict=True)
        return sum((own / other - 1) ** 2 for own, other in pairs if other)


class Presence(Struct, frozen=True, eq=False, kw_only=True):
    """Who was there and what kept agents from the next caller, with one duty gap."""

    gap_s: int
    """Agents are on duty between talks closer than this."""
    calls: StaffedFit
    """Calls of a day, given these agents."""
    pauses: int
    """How many were seen to their end."""
    seen: CurvePatience
    """The pauses after a talk, by Kaplan-Meier."""
    scale: float
    """What they are multiplied with for the made-up days to be as recorded; 1 = as seen."""
    modelled: Service
    """Of the days made up with it."""

    def misfit(self, wanted: Service) -> float:
        """Returns how far off the made-up days are, and the pauses from those seen."""
        return self.modelled.misfit(wanted) + (self.scale - 1) ** 2

    @property
    def hidden(self) -> Empirical:
        """Returns the work after a call that the log does not show, in seconds."""
        values = self.seen.distribution.values
        return Empirical(tuple(round(self.scale * one, 3) for one in values))


class Calibration(Struct, frozen=True, eq=False, kw_only=True):
    """What the days tell."""

    counted: Counted
    recorded: Service
    presence: Presence
    tried: tuple[Presence, ...]
    """With each duty gap, the one taken among them."""
    staff: Group
    """Of a usual day."""


Told = Callable[[Presence], None]


def calibrate(
    log: Log,
    executor: Executor,
    *,
    seed: int = 1,
    gaps_s: Sequence[int] = GAPS_S,
    progress: Told | None = None,
) -> Calibration:
    """Returns what these days tell; `progress` hears of each try.

    Raises ValueError if there are no calls, no talks, or if nobody ever waited.
    """
    figures, recorded = counted(log), recorded_service(log)

    def fitted(gap_s: int) -> Presence:
        return _fitted(_Made(log, figures, executor, seed, progress), gap_s, recorded)

    tried = tuple(map(fitted, gaps_s))
    chosen = min(tried, key=lambda one: one.misfit(recorded))
    return Calibration(
        counted=figures,
        recorded=recorded,
        presence=chosen,
        tried=tried,
        staff=usual_staff(log, chosen.gap_s),
    )


def recorded_service(log: Log) -> Service:
    """Returns how the callers of these days fared."""
    calls = [call for found in log.values() for call in found.calls]
    measured = measure(contact_facts(calls), threshold_ms=THRESHOLD_MS)
    return Service(
        calls=measured.offered / len(log),
        mean_wait_s=(measured.wait_offered.mean_ms or 0.0) / 1000,
        abandoned=measured.abandoned / measured.offered,
        answered_within=measured.service_levels.of_offered or 0.0,
    )


def day_scenario(name: str, figures: Counted, presence: Presence, day: CallDay) -> Scenario:
    """Returns a day like those of the calibration, with the agents of a recorded one."""
    agents = agents_by_interval(day.calls, presence.gap_s, INTERVAL_MIN)
    calls = presence.calls.expected(agents)
    return _scenario(name, figures, presence, (calls, day_staff(day.calls, presence.gap_s)))


def usual_scenario(told: Calibration, name: str, policy: str) -> Scenario:
    """Returns the usual day of a calibration, with the usual staff, open while calls came."""
    day = _scenario(name, told.counted, told.presence, (told.presence.calls.mean, told.staff))
    at = np.flatnonzero(told.counted.arrivals.curve(0).mean)
    opens_min, closes_min = int(at[0]) * INTERVAL_MIN, (int(at[-1]) + 1) * INTERVAL_MIN
    horizon = Day(opens_min=opens_min, closes_min=closes_min, finish_ms=FINISH_MS)
    title = f"Usual day of {told.counted.days} recorded ones"
    return replace(day, title=title, policy=policy, horizon=horizon)


def day_policy() -> Policy:
    """Returns the policy that such days are routed by."""
    rules = ReplayRules(after_call_s=WRAP_UP_MOST_S)
    return replace(replay_policy(rules), version="calibrated")


def _scenario(
    name: str, figures: Counted, presence: Presence, given: tuple[Floats, Group]
) -> Scenario:
    """`given`: the calls to expect by interval, and the agents."""
    calls, staff = given
    usual = presence.calls.mean
    level = np.divide(calls, usual, out=np.ones_like(usual), where=usual > 0)
    types = {}
    for kind, found in figures.types.items():
        for queue, share in (("regular", 1 - found.high_share), ("high", found.high_share)):
            if share > 0:
                named = kind or "call"
                types[named if queue == "regular" else f"{named}-high"] = ContactType(
                    queue=QueueName(queue),
                    channel=Channel.VOICE,
                    arrivals=_curve(found.mean * level * share, presence),
                    handling=found.talks,
                    patience=found.patience.distribution,
                    wrap_up=presence.hidden,
                )
    horizon = Day(finish_ms=FINISH_MS)
    return Scenario(name=name, types=types, groups={"staff": staff}, horizon=horizon)


def _curve(counts: Floats, presence: Presence) -> Curve:
    return Curve(
        counts=tuple(np.round(counts, 4).tolist()),
        every_min=INTERVAL_MIN,
        day_factor=presence.calls.day_factor,
        interval_factor=presence.calls.interval_factor,
    )


class _Made(Struct, frozen=True):
    """Days made up with the agents of recorded ones."""

    log: Log
    figures: Counted
    executor: Executor
    seed: int
    progress: Told | None

    def service(self, presence: Presence) -> Service:
        """Returns how made-up callers fare."""
        policy = day_policy()
        cases = [
            Case(str(day), day_scenario(str(day), self.figures, presence, found), policy)
            for day, found in self.log.items()
        ]
        # A number for each: the same one would give all days the same factor.
        jobs = [
            Job(case, self.seed, number, MINUTES)
            for number, case in enumerate(case for case in cases for _ in range(MADE_DAYS))
        ]
        sums = [each.all for samples in self.executor.map(run, jobs) for each in samples]
        offered = sum(each.offered for each in sums)
        return Service(
            calls=offered / len(jobs),
            mean_wait_s=sum(each.wait_ms for each in sums) / offered / 1000,
            abandoned=sum(each.abandoned for each in sums) / offered,
            answered_within=sum(each.level_met for each in sums) / offered,
        )


def _fitted(made: _Made, gap_s: int, recorded: Service) -> Presence:
    """Returns the presence with this gap and the scale of the pauses that meets the moments best.

    With the same chance in every try the moments are nearly linear in the scale (checked with the
    bank of 1999: 0.5 to 2). So two tries give the scale of least squares, and a third what it does.
    """
    pauses = pauses_of(made.log, gap_s)
    agents = [agents_by_interval(day.calls, gap_s, INTERVAL_MIN) for day in made.log.values()]
    first = Presence(
        gap_s=gap_s,
        calls=fit_staffed(counts_of(made.log), np.array(agents)),
        pauses=int(pauses.ended.sum()),
        seen=_curve_of(pauses),
        scale=1.0,
        modelled=recorded,
    )

    def tried(scale: float) -> Presence:
        guess = replace(first, scale=scale)
        found = replace(guess, modelled=made.service(guess))
        if made.progress is not None:
            made.progress(found)
        return found

    low, high = map(tried, TRIED_SCALES)
    return tried(_least_squares(low, high, recorded))


def _curve_of(pauses: Pauses) -> CurvePatience:
    """Raises ValueError if nobody waited while an agent paused, so that nothing was seen."""
    if not pauses.ended.any():
        raise ValueError(
            "found no pause of an agent, named in the log, while a caller waited: "
            "nothing tells the work after a call"
        )
    return fit_patience(pauses.seen_s, pauses.ended).from_curve(
        values_max=VALUES_MOST, waiting_least=min(WAITING_LEAST, int(pauses.ended.sum()))
    )


def _least_squares(low: Presence, high: Presence, recorded: Service) -> float:
    """Returns the scale with the least `misfit`, on lines through both tries."""
    wanted = np.array([*recorded.moments, 1.0])
    used = wanted > 0
    at_low, at_high = (
        np.array([*one.modelled.moments, one.scale])[used] / wanted[used] for one in (low, high)
    )
    slope = (at_high - at_low) / (high.scale - low.scale)
    best = low.scale + float(slope @ (1 - at_low)) / float(slope @ slope)
    return float(np.clip(best, *SCALES))
