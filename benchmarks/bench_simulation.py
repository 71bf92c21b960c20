"""The simulator with the production pool against SimPy and Ciw, side by side in one run.

    make build/peers  # Ciw, apart from the other packages
    python benchmarks/bench_simulation.py [--json] [--rounds 5] [--customers 20000]

Model M/M/10+M: 9.5 customers a unit of time, mean service 1, patience 2 (theta 0.5); one process
each, rounds alternate, figures are medians over the rounds, in customers per second. Each engine
tells its share of abandonments, which is to be near 0.0845. The last line is one JSON object:

    vs_simpy                Usher over SimPy (Resource, request or timeout)
    vs_ciw                  Usher over Ciw (reneging)
    skills_customers_per_s  500 agents with 12 skills, 24 queues that ask for two of them each
    two_processes           two processes with half of the customers each, over one with all
    memory_growth_mb        resident memory after the last round of four times as many customers,
                            less that after the first
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import simpy

from usher.queue.rules import (
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Order,
    Policy,
    QueueRules,
    Requirement,
)
from usher.queue.values import Channel, QueueName
from usher.simulation.distributions import Exponential
from usher.simulation.scenario import ContactType, Group, Poisson, Scenario, Steady
from usher.simulation.streams import Streams
from usher.simulation.world import World

PEERS = Path(__file__).resolve().parents[1] / "build" / "peers"
RATE, MEAN_SERVICE, MEAN_PATIENCE, SERVERS = 9.5, 1.0, 2.0, 10
UNIT_S = 100.0
HOUR_S = 3600
SKILLS, QUEUES, SKILLED = 12, 24, 500
EXPECTED_ABANDONED = 0.0845


def with_simpy(customers: int, seed: int) -> float:
    """Returns the share that abandons."""
    chance, environment = random.Random(seed), simpy.Environment()
    servers = simpy.Resource(environment, SERVERS)
    abandoned = 0

    def customer() -> Iterator[Any]:
        nonlocal abandoned
        with servers.request() as request:
            patience = environment.timeout(chance.expovariate(1 / MEAN_PATIENCE))
            yield request | patience
            if request.triggered:
                yield environment.timeout(chance.expovariate(1 / MEAN_SERVICE))
            else:
                abandoned += 1

    def arrivals() -> Iterator[Any]:
        for _ in range(customers):
            environment.process(customer())
            yield environment.timeout(chance.expovariate(RATE))

    environment.process(arrivals())
    environment.run()
    return abandoned / customers


def with_ciw(customers: int, seed: int) -> float:
    """Returns the share that abandons."""
    if str(PEERS) not in sys.path:
        sys.path.append(str(PEERS))
    try:
        import ciw
    except ModuleNotFoundError as missing:
        raise SystemExit("Ciw is not there: make build/peers") from missing
    ciw.seed(seed)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(RATE)],
        service_distributions=[ciw.dists.Exponential(1 / MEAN_SERVICE)],
        reneging_time_distributions=[ciw.dists.Exponential(1 / MEAN_PATIENCE)],
        number_of_servers=[SERVERS],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(customers, method="Finish")
    records = simulation.get_all_records()
    return sum(record.record_type == "renege" for record in records) / len(records)


def with_usher(customers: int, seed: int) -> float:
    """Returns the share that abandons."""
    chat = {Channel.CHAT: ChannelCapacity()}
    kind = ContactType(
        queue=QueueName("main"),
        channel=Channel.CHAT,
        arrivals=Poisson(per_hour=RATE * HOUR_S / UNIT_S),
        handling=Exponential(MEAN_SERVICE * UNIT_S),
        patience=Exponential(MEAN_PATIENCE * UNIT_S),
    )
    group = Group(capacity=Capacity(units=1, channels=chat), agents=SERVERS)
    queue = QueueRules(name=QueueName("main"), order=Order.FCFS)
    return _abandoned({"one": kind}, {"all": group}, (queue,), customers, seed)


def with_skills(customers: int, seed: int) -> float:
    """Returns the share that abandons where 500 agents have 3 to 5 of 12 skills."""
    chance = random.Random(seed)
    names = [f"skill-{number}" for number in range(SKILLS)]
    queues, types = [], {}
    for number in range(QUEUES):
        wanted = chance.sample(names, 2)
        queues.append(
            QueueRules(
                name=QueueName(f"queue-{number}"),
                requirements=(Requirement(wanted[0]), Requirement(wanted[1], least=0)),
            )
        )
        types[f"type-{number}"] = ContactType(
            queue=QueueName(f"queue-{number}"),
            channel=Channel.CHAT,
            arrivals=Poisson(per_hour=0.92 * SKILLED / QUEUES * HOUR_S / UNIT_S),
            handling=Exponential(UNIT_S),
            patience=Exponential(2 * UNIT_S),
        )
    capacity = Capacity(units=1, channels={Channel.CHAT: ChannelCapacity()})
    groups = {
        f"group-{number}": Group(
            capacity=capacity,
            agents=SKILLED // 25,
            skills={name: chance.randint(1, 10) for name in chance.sample(names, 4)},
        )
        for number in range(25)
    }
    return _abandoned(types, groups, tuple(queues), customers, seed)


def _abandoned(
    types: dict[str, ContactType],
    groups: dict[str, Group],
    queues: tuple[QueueRules, ...],
    customers: int,
    seed: int,
) -> float:
    rules = ChannelRules(automatic_accept=True)
    policy = Policy(version="bench", queues=queues, channels={Channel.CHAT: rules}, ended_kept_ms=0)
    batch = min(5_000, customers)
    horizon = Steady(warm_up=0, batch=batch, batches=customers // batch)
    scenario = Scenario(name="bench", types=types, groups=groups, horizon=horizon)
    abandoned = [
        int((batch.contacts.outcome == 2).sum())
        for batch in World(scenario, policy, Streams(seed)).batches()
    ]
    return sum(abandoned) / customers


def timed(engine: Callable[[int, int], float], customers: int, seed: int) -> tuple[float, float]:
    """Returns (customers per second, share that abandons)."""
    began = time.perf_counter()
    abandoned = engine(customers, seed)
    return customers / (time.perf_counter() - began), abandoned


def one_against_two(customers: int) -> float:
    """Returns how many times as fast two processes are; both are started before."""
    context = get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(with_usher, [500, 500], [1, 2]))
        began = time.perf_counter()
        list(pool.map(with_usher, [customers], [1]))
        one_s = time.perf_counter() - began
        began = time.perf_counter()
        list(pool.map(with_usher, [customers // 2] * 2, [1, 2]))
        return one_s / (time.perf_counter() - began)


def memory_growth_mb(customers: int) -> float:
    """Returns the resident memory that four times as many customers take more."""
    with_usher(customers, 1)
    before = _resident_mb()
    with_usher(4 * customers, 1)
    return _resident_mb() - before


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Measures and prints a table, and with --json the ratios as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--customers", type=int, default=20_000)
    given = parser.parse_args()
    engines = {"simpy": with_simpy, "ciw": with_ciw, "usher": with_usher}
    speeds: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(given.rounds):
        for name, engine in engines.items():
            speed, abandoned = timed(engine, given.customers, number)
            speeds[name].append(speed)
            sys.stdout.write(f"{name:8}{speed:10.0f}/s  abandoned {abandoned:.4f}\n")
    middle = {name: median(some) for name, some in speeds.items()}
    skilled = [timed(with_skills, given.customers // 2, seed)[0] for seed in range(3)]
    result = {
        "vs_simpy": middle["usher"] / middle["simpy"],
        "vs_ciw": middle["usher"] / middle["ciw"],
        "usher_customers_per_s": middle["usher"],
        "simpy_customers_per_s": middle["simpy"],
        "ciw_customers_per_s": middle["ciw"],
        "skills_customers_per_s": median(skilled),
        "two_processes": median(one_against_two(given.customers) for _ in range(3)),
        "memory_growth_mb": memory_growth_mb(given.customers),
    }
    rounded = {name: round(value, 3) for name, value in result.items()}
    if given.json:
        sys.stdout.write(json.dumps(rounded) + "\n")
        return
    for name, value in rounded.items():
        sys.stdout.write(f"{name:28}{value}\n")


if __name__ == "__main__":
    main()
