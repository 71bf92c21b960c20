"""Which contacts of a replayed day fared worst under the second policy, and why.

    both results -> waits by contact and replication -> the largest mean differences
                 -> the replication most like the mean, run once more and looked into -> why

Both sides are replays; what was recorded is only told beside them. It must not know how this is
shown.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from usher.queue.measures import Outcome
from usher.queue.values import NEVER_MS, AgentId, ContactId, ContactState, Presence, QueueName
from usher.router.pool import Pool
from usher.simulation.experiment import Case, Job, Result, world_of
from usher.simulation.recorded_day import RecordedContact, RecordedDay
from usher.simulation.report.summary import paired
from usher.simulation.samples import Sample
from usher.simulation.standing import Standing, away_reason, standing
from usher.simulation.statistics import Interval, mean_interval

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]

LOOKED_AT = (0.25, 0.5, 0.75)
"""Shares of a wait at which the pool is looked into."""
LEAST_S = 0.5
"""Who waits longer by less than this did not fare worse."""
MS_PER_S = 1000
SIGNED_OUT = "signed out"


class Doing(Struct, frozen=True, kw_only=True):
    """What an agent did at a moment."""

    agent_id: AgentId
    at_ms: int
    away: str
    """Why it got no offers; empty if it did."""
    contacts: tuple[tuple[ContactId, QueueName, int], ...]
    """What it had: contact, queue, and since when it had been offered it (ms)."""


class Seen(Struct, frozen=True, kw_only=True):
    """A contact in one replication: under the first policy, and looked into under the second."""

    replication: int
    first_wait_ms: int
    second_wait_ms: int
    taken_by: AgentId | None
    """Who answered it under the first policy; None = nobody."""
    standings: tuple[Standing, ...] = ()
    """How all agents stood towards it under the second policy."""
    doing: Doing | None = None
    """What that agent did under the second policy when it answered under the first."""


class Fared(Struct, frozen=True, kw_only=True):
    """A contact under both policies, over all replications that both have."""

    contact: RecordedContact
    first_wait: Interval
    """Mean wait in s."""
    second_wait: Interval
    difference: Interval
    """Second - first, paired, in s."""
    first_left: float
    """Share of replications in which it left unanswered."""
    second_left: float
    seen: Seen | None = None


class Waits(Struct, frozen=True, eq=False):
    """By replication (rows) and contact of the day (columns)."""

    waits_ms: Int64s
    """int64: until the answer, the leaving, or the end of the run; 0 if turned away."""
    left: NDArray[np.bool_]
    answered_ms: Int64s
    """int64, -1 = never."""
    agent: Int64s
    """int64, index of who answered, -1 = nobody."""


class Look(Struct, frozen=True, kw_only=True):
    """What is looked for in a replication: a contact, and what an agent does at a moment."""

    contact_id: ContactId
    moments_ms: tuple[int, ...]
    agent_id: AgentId | None
    taken_ms: int


class LookJob(Struct, frozen=True, eq=False):
    """A replication to be run once more; it may run in another process."""

    job: Job
    looks: tuple[Look, ...]


def fared_worst(first: Result, second: Result, count: int) -> list[Fared]:
    """Returns the contacts whose mean wait is longer under the second policy, the most first.

    At most `count`. The samples are to hold their contacts.
    """
    day, (one, other) = _day(second.case), waits_of(first, second)
    if not len(one.waits_ms):
        return []
    differences_s = (other.waits_ms - one.waits_ms) / MS_PER_S
    means_s = differences_s.mean(axis=0)
    order: list[int] = np.argsort(-means_s, kind="stable")[:count].tolist()
    return [
        Fared(
            contact=day.contacts[at],
            first_wait=mean_interval(one.waits_ms[:, at] / MS_PER_S, first.confidence),
            second_wait=mean_interval(other.waits_ms[:, at] / MS_PER_S, first.confidence),
            difference=mean_interval(differences_s[:, at], first.confidence),
            first_left=float(one.left[:, at].mean()),
            second_left=float(other.left[:, at].mean()),
        )
        for at in order
        if means_s[at] >= LEAST_S
    ]


def waits_of(first: Result, second: Result) -> tuple[Waits, Waits]:
    """Returns the waits of all contacts in the replications that both results have."""
    one, other = paired(first, second)
    return _waits(one, first.case), _waits(other, second.case)


def met(first: Result) -> float:
    """Returns the share of contacts, over all replications, that wait as recorded, to a second."""
    day = _day(first.case)
    recorded_ms = np.array([contact.waited_ms for contact in day.contacts], dtype=np.int64)
    waits_ms = _waits(first.samples, first.case).waits_ms
    return float((np.abs(waits_ms - recorded_ms) < MS_PER_S).mean())


def looked_into(
    worst: Sequence[Fared], first: Result, second: Result, seed: int, executor: Executor
) -> list[Fared]:
    """Returns the same with what was seen in the replication most like the mean of each."""
    both = _Both(first, second)
    rows: dict[int, list[Fared]] = {}
    for each in worst:
        rows.setdefault(both.row_most_like_mean(each), []).append(each)
    jobs = [
        LookJob(
            Job(second.case, seed, both.numbers[row]),
            tuple(both.look_for(each, row) for each in mine),
        )
        for row, mine in rows.items()
    ]
    found: dict[ContactId, Fared] = {}
    for (row, mine), told in zip(rows.items(), executor.map(look, jobs), strict=True):
        for each, (standings, doing) in zip(mine, told, strict=True):
            seen = replace(both.seen(each, row), standings=standings, doing=doing)
            found[each.contact.contact_id] = replace(each, seen=seen)
    return [found[each.contact.contact_id] for each in worst]


class _Both:
    """The waits of both sides, row by row the same replication."""

    def __init__(self, first: Result, second: Result) -> None:
        self._day = _day(second.case)
        self._one, self._other = waits_of(first, second)
        self._places = {each.contact_id: at for at, each in enumerate(self._day.contacts)}
        self.numbers = [number for number in first.numbers if number in set(second.numbers)]

    def row_most_like_mean(self, each: Fared) -> int:
        """Returns the row whose difference is nearest to the mean; of equal ones the first."""
        place = self._places[each.contact.contact_id]
        differences = (self._other.waits_ms - self._one.waits_ms)[:, place]
        return int(np.argmin(np.abs(differences - differences.mean())))

    def look_for(self, each: Fared, row: int) -> Look:
        """Returns what to look for in that replication."""
        at = (row, self._places[each.contact.contact_id])
        arrived_ms, wait_ms = each.contact.at_ms, int(self._other.waits_ms[at])
        answered_ms = int(self._one.answered_ms[at])
        return Look(
            contact_id=each.contact.contact_id,
            moments_ms=tuple(arrived_ms + round(share * wait_ms) for share in LOOKED_AT),
            agent_id=self._taken_by(at),
            taken_ms=answered_ms if answered_ms >= 0 else arrived_ms,
        )

    def seen(self, each: Fared, row: int) -> Seen:
        """Returns what that replication shows without looking into it."""
        at = (row, self._places[each.contact.contact_id])
        return Seen(
            replication=self.numbers[row],
            first_wait_ms=int(self._one.waits_ms[at]),
            second_wait_ms=int(self._other.waits_ms[at]),
            taken_by=self._taken_by(at),
        )

    def _taken_by(self, at: tuple[int, int]) -> AgentId | None:
        index = int(self._one.agent[at])
        return self._day.agents[index][0].agent_id if index >= 0 else None


def look(wanted: LookJob) -> list[tuple[tuple[Standing, ...], Doing | None]]:
    """Runs a replication and returns what was seen of each contact that is looked for."""
    world = world_of(wanted.job)
    seen = [_Sight(one) for one in wanted.looks]
    for sight in seen:
        for at_ms in sight.wanted.moments_ms:
            world.watch(at_ms, partial(sight.stand, at_ms))
        world.watch(sight.wanted.taken_ms, sight.do)
    for _ in world.batches():
        pass
    return [(tuple(sight.standings), sight.doing) for sight in seen]


class _Sight:
    """What is seen of one contact."""

    def __init__(self, wanted: Look) -> None:
        self.wanted = wanted
        self.standings: list[Standing] = []
        self.doing: Doing | None = None

    def stand(self, at_ms: int, pool: Pool) -> None:
        """Looks at how all agents stand towards it, if it still waits."""
        contact = pool.ledger.contacts.get(self.wanted.contact_id)
        if contact is not None and contact.state is ContactState.WAITING:
            self.standings.append(standing(pool.ledger, contact.contact_id, at_ms))

    def do(self, pool: Pool) -> None:
        """Looks at what the agent does who answered under the first policy."""
        agent = pool.ledger.agents.get(self.wanted.agent_id or AgentId(""))
        if agent is None:
            return
        contacts = [pool.ledger.contacts[contact_id] for contact_id in agent.legs.values()]
        legs = [contact.leg(leg_id) for contact, leg_id in zip(contacts, agent.legs, strict=True)]
        signed_out = agent.presence is Presence.OFFLINE and not agent.lost
        self.doing = Doing(
            agent_id=agent.agent_id,
            at_ms=self.wanted.taken_ms,
            away=SIGNED_OUT if signed_out else away_reason(pool.ledger, agent) or "",
            contacts=tuple(
                (
                    contact.contact_id,
                    contact.facts.queue,
                    NEVER_MS if leg is None else leg.offered_ms,
                )
                for contact, leg in zip(contacts, legs, strict=True)
            ),
        )


def _waits(samples: Sequence[Sample], case: Case) -> Waits:
    day = _day(case)
    shape = (len(samples), len(day.contacts))
    waits = Waits(
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape, dtype=np.bool_),
        np.full(shape, NEVER_MS, dtype=np.int64),
        np.full(shape, -1, dtype=np.int64),
    )
    places: list[list[int]] = [[] for _ in case.scenario.types]
    types = {name: at for at, name in enumerate(case.scenario.types)}
    for place, contact in enumerate(day.contacts):
        places[types[contact.type]].append(place)
    starts = np.cumsum([0, *map(len, places)])
    flat = np.array([place for column in places for place in column], dtype=np.int64)
    for row, one in enumerate(samples):
        rows = one.contacts
        if rows is None:
            raise ValueError("the samples do not hold their contacts")
        at = flat[starts[rows.type] + rows.number - 1]
        is_open = rows.outcome == Outcome.OPEN
        waits.waits_ms[row, at] = np.where(
            is_open & (rows.answered_ms < 0), one.span_ms - rows.arrived_ms, rows.waits_ms
        )
        waits.left[row, at] = (rows.answered_ms < 0) & (rows.outcome == Outcome.ABANDONED)
        waits.answered_ms[row, at] = rows.answered_ms
        waits.agent[row, at] = rows.agent
    return waits


def _day(case: Case) -> RecordedDay:
    if case.recorded is None:
        raise ValueError(f"case {case.name} has no recorded day")
    return case.recorded
