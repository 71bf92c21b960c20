"""Service of a recorded day by interval and by queue, as the live figures are defined.

Waits, abandonment and levels by `usher.queue.measures`, each queue with the target of its policy;
occupancy by `usher.queue.occupancy`. Work that began outside the router never waited and is in no
row. It must not know files or simulations.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from usher.queue.measures import Measures, measure, measure_by_interval
from usher.queue.occupancy import occupancy_by_interval
from usher.queue.rules import QueueRules
from usher.queue.values import QueueName
from usher.simulation.studies.recording import Recording

Int64s = NDArray[np.int64]


class Service(Struct, frozen=True, kw_only=True):
    """Sums of some contacts; `within` = answered within the target of their queue."""

    contacts: int = 0
    offered: int = 0
    answered: int = 0
    abandoned: int = 0
    within: int = 0
    wait_ms: float = 0.0
    """Sum over answered and abandoned."""

    @property
    def level(self) -> float | None:
        """Returns the service level of_offered, None if nobody was offered."""
        return self.within / self.offered if self.offered else None

    @property
    def mean_wait_ms(self) -> float | None:
        """Returns the mean wait of answered and abandoned, None without any."""
        return self.wait_ms / self.offered if self.offered else None


class ServicePart(Struct, frozen=True, kw_only=True):
    """An interval of the day, ms since it began: who came in it, and how busy agents were."""

    from_ms: int
    until_ms: int
    service: Service
    occupancy: float | None
    agents: float
    """Signed in, on average."""


class QueueService(Struct, frozen=True, kw_only=True):
    """A queue of the day."""

    queue: QueueName
    target_ms: int
    service: Service


class DayService(Struct, frozen=True, kw_only=True):
    """A day: as a whole, by queue, by interval."""

    whole: Service
    queues: tuple[QueueService, ...]
    parts: tuple[ServicePart, ...]


def day_service(recording: Recording, bounds_ms: Int64s) -> DayService:
    """Returns the service of a day; `bounds_ms` are ascending, ms UTC.

    Intervals before the first and after the last with contacts or agents are left out.
    """
    rules = recording.queues
    names = sorted({one.came.facts.queue for one in recording.courses if not one.was_started})
    queues, columns = [], []
    for name in names:
        whole, parts = _of_queue(recording, rules.get(name, QueueRules(name=name)), bounds_ms)
        queues.append(whole)
        columns.append(parts)
    sums = [_sum(column) for column in zip(*columns, strict=True)]
    sums = sums or [Service()] * (len(bounds_ms) - 1)
    return DayService(
        whole=_sum([queue.service for queue in queues]),
        queues=tuple(queues),
        parts=_with_agents(recording, bounds_ms, sums),
    )


def _of_queue(
    recording: Recording, rules: QueueRules, bounds_ms: Int64s
) -> tuple[QueueService, list[Service]]:
    chosen = [
        not one.was_started and one.came.facts.queue == rules.name for one in recording.courses
    ]
    facts = recording.facts(np.array(chosen, dtype=np.bool_))
    target_ms, short_ms = rules.service_target_ms, rules.short_abandon_ms
    table = measure_by_interval(facts, bounds_ms, threshold_ms=target_ms, short_abandon_ms=short_ms)
    whole = QueueService(
        queue=rules.name,
        target_ms=target_ms,
        service=_service(measure(facts, threshold_ms=target_ms, short_abandon_ms=short_ms)),
    )
    return whole, [_service(interval.measures) for interval in table.intervals]


def _service(measured: Measures) -> Service:
    wait, level = measured.wait_offered, measured.service_levels.of_offered
    return Service(
        contacts=measured.contacts,
        offered=measured.offered,
        answered=measured.answered,
        abandoned=measured.abandoned,
        within=round((level or 0.0) * measured.offered),
        wait_ms=wait.count * (wait.mean_ms or 0.0),
    )


def _sum(rows: Sequence[Service]) -> Service:
    names = Service.__struct_fields__
    return Service(**{name: sum(getattr(row, name) for row in rows) for name in names})


def _with_agents(
    recording: Recording, bounds_ms: Int64s, services: Sequence[Service]
) -> tuple[ServicePart, ...]:
    profiles = sorted(recording.profiles.values(), key=lambda profile: profile.id)
    index = {profile.agent_id: at for at, profile in enumerate(profiles)}
    units = np.array([profile.capacity.units for profile in profiles], dtype=np.int64)
    presence, legs = recording.presence_segments(index), recording.leg_segments(index)
    figures = occupancy_by_interval(presence, legs, units, bounds_ms)
    parts = [
        ServicePart(
            from_ms=int(start) - recording.from_ms,
            until_ms=int(end) - recording.from_ms,
            service=service,
            occupancy=figure.occupancy,
            agents=figure.signed_in_ms / int(end - start),
        )
        for start, end, service, figure in zip(
            bounds_ms[:-1], bounds_ms[1:], services, figures, strict=True
        )
    ]
    told = [at for at, part in enumerate(parts) if part.service.contacts or part.agents]
    return tuple(parts[told[0] : told[-1] + 1]) if told else ()
