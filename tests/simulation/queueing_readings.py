"""Metrics of a queueing case, read off the batches of a run: times in units of the case."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from usher.queue.measures import Outcome
from usher.simulation.rows import Batch

Metric = Callable[[Batch], float]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Reader:
    """Reads metrics off a batch, times in units of the case."""

    def __init__(self, unit_s: float, servers: int, metrics: dict[str, float]) -> None:
        self._unit_ms = unit_s * 1000
        self._servers = servers
        self._metrics = metrics

    def values(self, name: str, batches: Sequence[Batch]) -> Floats:
        """Returns the metric of each batch; raises KeyError if nothing reads it.

        Of a percentile the share that waits no longer than it is to be.
        """
        if name in ("var_queue", "p_empty"):
            return self._of_path(name, batches)
        read = self._metric(name)
        return np.array([read(batch) for batch in batches])

    def _metric(self, name: str) -> Metric:
        if name.startswith("wait_p"):
            return partial(self._entered_within, self._unit_ms * self._metrics[name])
        for start, read in self._with_time().items():
            if name.startswith(start):
                text = name.removeprefix(start).removesuffix("_given_served")
                limit_ms = self._unit_ms * (1 / 3 if text == "0.3333" else float(text))
                return partial(read, limit_ms)
        return self._plain()[name]

    def _of_path(self, name: str, batches: Sequence[Batch]) -> Floats:
        """Of all but the last batch: who is inside at the end of a run stands in no row."""
        rows = [batch.contacts for batch in batches]
        came_ms = np.concatenate([each.arrived_ms for each in rows])
        until = "answered_ms" if name == "var_queue" else "ended_ms"
        ended_ms = np.concatenate([each.ended_ms for each in rows])
        gone_ms = np.concatenate([getattr(each, until) for each in rows])
        gone_ms = np.where(gone_ms < 0, ended_ms, gone_ms)
        times_ms = np.concatenate([came_ms, gone_ms])
        steps = np.repeat([1, -1], len(came_ms))
        order = np.lexsort((-steps, times_ms))
        times_ms, lengths = times_ms[order], np.cumsum(steps[order])
        mean = self._metrics.get("mean_queue", 0.0)
        off = (lengths - mean) ** 2 if name == "var_queue" else (lengths == 0).astype(float)
        return np.array([_time_mean(times_ms, off, batch) for batch in batches[:-1]])

    def _with_time(self) -> dict[str, Callable[[float, Batch], float]]:
        return {
            "p_wait_le_": self._wait_within,
            "p_served_within_": self._served_within,
            "p_wait_gt_": lambda limit_ms, batch: 1 - self._entered_within(limit_ms, batch),
        }

    def _plain(self) -> dict[str, Metric]:
        metrics: dict[str, Metric] = {
            "p_block": lambda batch: _mean(batch.contacts.outcome == Outcome.OTHER),
            "p_wait": lambda batch: _mean(self._waits(batch) > 0),
            "p_wait_exact": lambda batch: _mean(self._waits(batch) > 0),
            "p_wait_entering": lambda batch: _mean(self._waits(batch) > 0),
            "p_abandon": lambda batch: _mean(batch.contacts.outcome == Outcome.ABANDONED),
            "p_abandon_exact": lambda batch: _mean(batch.contacts.outcome == Outcome.ABANDONED),
            "mean_wait": lambda batch: _mean(self._waits(batch)),
            "mean_wait_entering": lambda batch: _mean(self._waits(batch)),
            "mean_wait_all": lambda batch: _mean(self._waits(batch)),
            "mean_wait_if_wait": lambda batch: _mean(_positive(self._waits(batch))),
            "mean_wait_served": lambda batch: _mean(self._served_waits(batch)),
            "mean_wait_abandoned": lambda batch: _mean(self._abandoned_waits(batch)),
            "var_wait": lambda batch: self._square_off(self._waits(batch), "mean_wait"),
            "var_wait_served": lambda batch: self._square_off(
                self._served_waits(batch), "mean_wait_served"
            ),
            "mean_queue": lambda batch: (
                sum(each.waiting_ms for each in batch.totals) / _span(batch)
            ),
            "mean_in_system": lambda batch: (
                sum(each.inside_ms for each in batch.totals) / _span(batch)
            ),
            "mean_busy": lambda batch: batch.busy_ms / _span(batch),
            "occupancy": lambda batch: batch.busy_ms / _span(batch) / self._servers,
            "p_agent_idle": lambda batch: 1 - batch.busy_ms / _span(batch) / self._servers,
            "mean_active_chats": _mean_served,
            "mean_talking": _mean_served,
            "mean_wrapping": lambda batch: batch.wrapping_ms / _span(batch),
        }
        for number in (1, 2):
            metrics |= self._of_class(number)
        return metrics

    def _of_class(self, number: int) -> dict[str, Metric]:
        def waits(batch: Batch) -> Floats:
            return self._waits(batch)[self._entered(batch, batch.contacts.type == number - 1)]

        def abandoned(batch: Batch) -> float:
            chosen = batch.contacts.type == number - 1
            return _mean(batch.contacts.outcome[chosen] == Outcome.ABANDONED)

        def queue(batch: Batch) -> float:
            return batch.totals[number - 1].waiting_ms / _span(batch)

        def wait(batch: Batch) -> float:
            return _mean(waits(batch))

        return {
            f"mean_wait_class{number}": wait,
            f"mean_wait{number}": wait,
            f"mean_queue{number}": queue,
            f"p_abandon{number}": abandoned,
        }

    def _entered(self, batch: Batch, chosen: Mask) -> Mask:
        entered: Mask = chosen[batch.contacts.outcome != Outcome.OTHER]
        return entered

    def _waits(self, batch: Batch) -> Floats:
        """Of all who were let in, answered or not."""
        rows = batch.contacts
        waits: Floats = rows.waits_ms[rows.outcome != Outcome.OTHER] / self._unit_ms
        return waits

    def _served_waits(self, batch: Batch) -> Floats:
        rows = batch.contacts
        waits: Floats = rows.waits_ms[rows.answered_ms >= 0] / self._unit_ms
        return waits

    def _abandoned_waits(self, batch: Batch) -> Floats:
        rows = batch.contacts
        waits: Floats = rows.waits_ms[rows.outcome == Outcome.ABANDONED] / self._unit_ms
        return waits

    def _square_off(self, waits: Floats, mean: str) -> float:
        """Around the exact mean: around its own a batch would give too little."""
        return float(np.mean((waits - self._metrics[mean]) ** 2))

    def _wait_within(self, limit_ms: float, batch: Batch) -> float:
        return _mean(self._served_waits(batch) * self._unit_ms <= limit_ms)

    def _entered_within(self, limit_ms: float, batch: Batch) -> float:
        return _mean(self._waits(batch) * self._unit_ms <= limit_ms)

    def _served_within(self, limit_ms: float, batch: Batch) -> float:
        rows = batch.contacts
        return _mean((rows.answered_ms >= 0) & (rows.waits_ms <= limit_ms))


def _mean(values: Mask | Floats) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def _positive(values: Floats) -> Floats:
    return values[values > 0]


def _span(batch: Batch) -> int:
    return batch.until_ms - batch.from_ms


def _mean_served(batch: Batch) -> float:
    inside_ms = sum(each.inside_ms - each.waiting_ms for each in batch.totals)
    return inside_ms / _span(batch)


def _time_mean(times_ms: NDArray[np.int64], values: Floats, batch: Batch) -> float:
    """Returns the mean over a batch's time of what holds from each of these times on."""
    inside = (times_ms > batch.from_ms) & (times_ms < batch.until_ms)
    first = int(np.searchsorted(times_ms, batch.from_ms, side="right")) - 1
    held = np.append(values[first], values[inside])
    bounds_ms = np.concatenate([[batch.from_ms], times_ms[inside], [batch.until_ms]])
    return float(held @ np.diff(bounds_ms)) / _span(batch)
