"""The queueing systems of `shared/queueing_cases.json` as scenarios; metrics read off batches.

A mean service of 1 in the cases is UNIT_S seconds here, so that whole milliseconds are fine enough.
Where a case has its own unit (seconds, minutes) that is kept.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from usher.queue.measures import Outcome
from usher.queue.rules import (
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Order,
    Policy,
    QueueRules,
)
from usher.queue.values import Channel, QueueName
from usher.simulation.distributions import (
    AnyDistribution,
    Deterministic,
    Erlang,
    Exponential,
    LogNormal,
    Uniform,
)
from usher.simulation.rows import Batch
from usher.simulation.scenario import Arrivals, ContactType, Gaps, Group, Poisson, Scenario, Steady

UNIT_S = 100.0
HOUR_S = 3600
LONG_MS = 24 * 3600 * 1000

Metric = Callable[[Batch], float]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Model(Struct):
    """A scenario with its policy, the length of its unit in seconds, and how metrics are read."""

    scenario: Scenario
    policy: Policy
    unit_s: float = UNIT_S


def model(params: dict[str, Any]) -> Model:
    """Returns the model of a stationary case with one queue."""
    unit_s = 1.0 if params.get("lam", 1) < 0.01 else UNIT_S
    servers = params.get("servers", 1)
    room = params.get("capacity_in_system")
    most = None if room is None else room - servers
    if "offered_load" in params:
        most = 0
    kind = ContactType(
        queue=QueueName("main"),
        channel=Channel.CHAT,
        arrivals=_arrivals(params, unit_s),
        handling=_handling(params, unit_s),
        wrap_up=Exponential(unit_s) if "wrap" in params else None,
        patience=_patience(params, unit_s),
    )
    slots = len(params.get("per_chat_rate_by_active", (1,)))
    group = _group(servers, slots)
    if slots > 1:
        paces = tuple(params["per_chat_rate_by_active"])
        group = _group(servers, slots, slowdown={Channel.CHAT: paces})
    scenario = Scenario(name="case", types={"one": kind}, groups={"all": group})
    queue = QueueRules(name=QueueName("main"), order=Order.FCFS, most_waiting=most)
    return Model(scenario, _policy(queue, wrap_up_ms=LONG_MS if "wrap" in params else 0), unit_s)


def class_model(params: dict[str, Any]) -> Model:
    """Returns the model of a case with two classes, the first before the second."""
    handlings: list[AnyDistribution] = [Exponential(UNIT_S), Exponential(UNIT_S)]
    if "services" in params:
        handlings[1] = Deterministic(2 * UNIT_S)
    thetas = params.get("thetas", (None, None))
    types = {
        name: ContactType(
            queue=QueueName(name),
            channel=Channel.CHAT,
            arrivals=Poisson(per_hour=rate * HOUR_S / UNIT_S),
            handling=handling,
            patience=None if theta is None else Exponential(UNIT_S / theta),
        )
        for name, rate, handling, theta in zip(
            ("first", "second"), params["lams"], handlings, thetas, strict=True
        )
    }
    queues = [
        QueueRules(name=QueueName(name), order=Order.FCFS, level=level)
        for name, level in (("first", 1), ("second", 0))
    ]
    groups = {"all": _group(params.get("servers", 1), 1)}
    return Model(Scenario(name="case", types=types, groups=groups), _policy(*queues))


def _policy(*queues: QueueRules, wrap_up_ms: int = 0) -> Policy:
    rules = ChannelRules(automatic_accept=True, wrap_up_ms=wrap_up_ms)
    return Policy(version="case", queues=queues, channels={Channel.CHAT: rules}, ended_kept_ms=0)


def _group(servers: int, slots: int, **more: Any) -> Group:
    capacity = ChannelCapacity(price=1, most=slots, wrap_up_price=1)
    return Group(
        capacity=Capacity(units=slots, channels={Channel.CHAT: capacity}), agents=servers, **more
    )


def _arrivals(params: dict[str, Any], unit_s: float) -> Arrivals:
    if "interarrival" in params:
        return Gaps(gap=Deterministic(params["interarrival"] * unit_s))
    return Poisson(per_hour=params["lam"] * HOUR_S / unit_s)


def _handling(params: dict[str, Any], unit_s: float) -> AnyDistribution:
    service = params.get("service", "")
    if service.startswith("lognormal"):
        return LogNormal(179, 189)
    if service.startswith("Erlang-2"):
        return Erlang(unit_s, 2)
    if service.startswith("deterministic") or "service_time" in params:
        return Deterministic(unit_s)
    if "talk" in params:
        return Exponential(3 * unit_s)
    return Exponential(unit_s / params.get("mu", 1))


def _patience(params: dict[str, Any], unit_s: float) -> AnyDistribution | None:
    if params.get("theta"):
        return Exponential(unit_s / params["theta"])
    match params.get("patience"):
        case "Exp mean 2":
            return Exponential(2 * unit_s)
        case "Det 2":
            return Deterministic(2 * unit_s)
        case "Uniform(0,4)":
            return Uniform(0, 4 * unit_s)
        case "lognormal mean 1 SCV 1":
            return LogNormal(unit_s, unit_s)
    return None


def steady(one: Model, contacts: int, batches: int) -> Scenario:
    """Returns the scenario as one long run of so many contacts."""
    size = contacts // batches
    horizon = Steady(warm_up=min(size, 2_000), batch=size, batches=batches)
    return replace(one.scenario, horizon=horizon)


class Reader:
    """Reads metrics off a batch, times in units of the case."""

    def __init__(self, unit_s: float, servers: int, metrics: dict[str, float]) -> None:
        self._unit_ms = unit_s * 1000
        self._servers = servers
        self._metrics = metrics

    def metric(self, name: str) -> Metric | None:
        """Returns how the metric is read, None if it is none of a run."""
        for start, read in self._with_time().items():
            if name.startswith(start):
                text = name.removeprefix(start).removesuffix("_given_served")
                limit_ms = self._unit_ms * (1 / 3 if text == "0.3333" else float(text))
                return partial(read, limit_ms)
        return self._plain().get(name)

    def _with_time(self) -> dict[str, Callable[[float, Batch], float]]:
        return {
            "p_wait_le_": self._wait_within,
            "p_served_within_": self._served_within,
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
