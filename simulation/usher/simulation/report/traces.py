"""The rows of one run as columns: its contacts, legs, presences, and the day of each agent.

Times are whole milliseconds since midnight of the run's day. What never happened is None. It must
not know how the run came about.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from usher.queue.measures import Outcome
from usher.queue.occupancy import OccupancyFigures, PresenceKind, occupancy_by_agent
from usher.simulation.report.exports import Columns, ColumnType, Field, columns_of
from usher.simulation.rows import Batch, Int64s
from usher.simulation.samples import MS_PER_HOUR, capacity_units
from usher.simulation.staff import Worker

CONTACT_COLUMNS: Final[Mapping[str, ColumnType]] = {
    "type": str,
    **dict.fromkeys(("arrived_ms", "answered_ms", "ended_ms", "wait_ms"), int),
    "outcome": str,
    "agent": str,
    "attempt": int,
}
"""Of a line for each contact, in the order of their ends.

`wait_ms` is None for who never waited: turned away, balked. `outcome` is the name in lower case of
an `Outcome`: `open` still waited at the end, `other` was turned away. `agent` was the first one
with the customer. `attempt` is 1 for a first try.
"""

LEG_COLUMNS: Final[Mapping[str, ColumnType]] = {
    **dict.fromkeys(("agent", "type"), str),
    **dict.fromkeys(("active_ms", "talked_ms", "done_ms", "units"), int),
}
"""Of a line for each leg that is done: together from active to talked, wrapped up until done."""

PRESENCE_COLUMNS: Final[Mapping[str, ColumnType]] = {
    **dict.fromkeys(("agent", "group", "presence"), str),
    **dict.fromkeys(("from_ms", "until_ms"), int),
}
"""Of a line for each stretch of signed-in time; presence is `ready`, `not_ready` or `draining`."""

AGENT_COLUMNS: Final[Mapping[str, ColumnType]] = {
    **dict.fromkeys(("agent", "group"), str),
    **dict.fromkeys(("signed_in_ms", "available_ms", "busy_ms"), int),
    "occupancy": float,
    **dict.fromkeys(("legs", "talk_ms", "wrap_up_ms"), int),
    "cost": float,
}
"""Of a line for each agent, absent ones too; as `usher.queue.occupancy` has it."""


class Trace(Struct, frozen=True, eq=False):
    """One run: all its batches; types and workers in the order of the indexes in their rows."""

    types: tuple[str, ...]
    workers: tuple[Worker, ...]
    batches: tuple[Batch, ...]


def contact_columns(trace: Trace) -> Columns:
    """Returns `CONTACT_COLUMNS`."""
    return columns_of(CONTACT_COLUMNS, _contacts(trace))


def leg_columns(trace: Trace) -> Columns:
    """Returns `LEG_COLUMNS`."""
    return columns_of(LEG_COLUMNS, _legs(trace))


def presence_columns(trace: Trace) -> Columns:
    """Returns `PRESENCE_COLUMNS`, by the ends of the stretches."""
    return columns_of(PRESENCE_COLUMNS, _presences(trace))


def agent_columns(trace: Trace) -> Columns:
    """Returns `AGENT_COLUMNS`: sums over the whole run."""
    units = capacity_units(trace.workers)
    figures = [
        occupancy_by_agent(
            batch.presence,
            batch.legs.segments(),
            units,
            from_ms=batch.from_ms,
            until_ms=batch.until_ms,
        )
        for batch in trace.batches
    ]
    return columns_of(
        AGENT_COLUMNS, (_agent_row(trace, worker, figures) for worker in trace.workers)
    )


def _contacts(trace: Trace) -> Iterator[tuple[Field, ...]]:
    for batch in trace.batches:
        rows = batch.contacts
        for kind, arrived_ms, answered_ms, ended_ms, wait_ms, code, agent, attempt in _rows(
            *(rows.type, rows.arrived_ms, rows.answered_ms, rows.ended_ms, rows.waits_ms),
            *(rows.outcome, rows.agent, rows.attempt),
        ):
            outcome = Outcome(code)
            waited = outcome not in (Outcome.OPEN, Outcome.OTHER) or answered_ms >= 0
            yield (
                *(trace.types[kind], arrived_ms, _known(answered_ms), _known(ended_ms)),
                wait_ms if waited else None,
                outcome.name.lower(),
                _agent(trace, agent) if agent >= 0 else None,
                attempt,
            )


def _legs(trace: Trace) -> Iterator[tuple[Field, ...]]:
    for batch in trace.batches:
        rows = batch.legs
        for agent, kind, *others in _rows(
            *(rows.agent, rows.type, rows.active_ms, rows.talked_ms, rows.done_ms, rows.units)
        ):
            yield (_agent(trace, agent), trace.types[kind], *others)


def _presences(trace: Trace) -> Iterator[tuple[Field, ...]]:
    for batch in trace.batches:
        rows = batch.presence
        for agent, kind, *span_ms in _rows(
            *(rows.agent, rows.kind.astype(np.int64), rows.from_ms, rows.until_ms)
        ):
            presence = PresenceKind(kind).name.lower()
            yield (_agent(trace, agent), _group(trace, agent), presence, *span_ms)


def _agent_row(
    trace: Trace, worker: Worker, figures: Sequence[Sequence[OccupancyFigures]]
) -> tuple[Field, ...]:
    index = worker.index
    mine = [of_batch[index] for of_batch in figures]
    signed_in_ms = sum(one.signed_in_ms for one in mine)
    available_ms, busy_ms = sum(one.available_ms for one in mine), sum(one.busy_ms for one in mine)
    legs = [(batch.legs, batch.legs.agent == index) for batch in trace.batches]
    talk_ms = sum(int((rows.talked_ms - rows.active_ms)[own].sum()) for rows, own in legs)
    wrap_up_ms = sum(int((rows.done_ms - rows.talked_ms)[own].sum()) for rows, own in legs)
    return (
        *(worker.agent_id, _group(trace, index), signed_in_ms, available_ms, busy_ms),
        busy_ms / available_ms if available_ms else None,
        *(sum(int(own.sum()) for _, own in legs), talk_ms, wrap_up_ms),
        worker.group.cost_per_hour * signed_in_ms / MS_PER_HOUR,
    )


def _rows(*columns: Int64s) -> Iterator[tuple[int, ...]]:
    return zip(*(column.tolist() for column in columns), strict=True)


def _known(at_ms: int) -> int | None:
    return at_ms if at_ms >= 0 else None


def _agent(trace: Trace, index: int) -> str:
    return trace.workers[index].agent_id


def _group(trace: Trace, index: int) -> str:
    # An id is the name of the group and a number, as `staff.hire` gives them.
    return trace.workers[index].agent_id.rpartition("-")[0]
