"""The queueing systems of `shared/queueing_cases.json` as scenarios.

A mean service of 1 in the cases is UNIT_S seconds here, so that whole milliseconds are fine enough.
Where a case has its own unit (seconds, minutes) that is kept.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

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
from usher.simulation.scenario import Arrivals, ContactType, Gaps, Group, Poisson, Scenario, Steady

UNIT_S = 100.0
HOUR_S = 3600
LONG_MS = 24 * 3600 * 1000


class Model(Struct):
    """A scenario with its policy, the length of its unit in seconds."""

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
