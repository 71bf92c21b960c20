"""The client of the server benchmark: one process, one round, one JSON object as its last line.

The same code calls Usher and the bare echo server with the same requests; only the method path, and
with Usher the stream of offers, differ. Closed loop: `--callers` at a time. Open loop: Poisson
arrivals at `--rate`, latency counted from the intended moment, so that a slow server hides nothing.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable

import grpc

from usher.v1 import agent_service_pb2 as agents
from usher.v1 import contact_pb2 as contacts
from usher.v1 import leg_pb2 as legs
from usher.v1 import router_service_pb2 as router

QUEUE = "help"
PATHS = {
    "Enqueue": "/usher.v1.RouterService/EnqueueContact",
    "Batch": "/usher.v1.RouterService/EnqueueContacts",
    "Complete": "/usher.v1.RouterService/CompleteContact",
    "Accept": "/usher.v1.AgentService/AcceptOffer",
    "SignIn": "/usher.v1.AgentService/SignIn",
    "Watch": "/usher.v1.AgentService/WatchOffers",
}
ACTOR = (("usher-actor", "platform/bench"),)
OPTIONS = [("grpc.max_receive_message_length", 64 << 20)]
Call = Callable[..., Awaitable[bytes]]


class Caller:
    """The calls of one target, raw bytes in and out."""

    def __init__(self, channel: grpc.aio.Channel, echo: bool, tag: str) -> None:
        self.echo = echo
        self._tag = tag
        self._number = 0
        self.calls: dict[str, Call] = {
            name: channel.unary_unary(f"/echo.Echo/{name}" if echo else path)
            for name, path in PATHS.items()
            if name != "Watch"
        }
        self._watch = channel.unary_stream(PATHS["Watch"])
        self.offers: dict[str, asyncio.Future[tuple[str, str]]] = {}

    def next_id(self) -> str:
        """Returns an id that no other round uses."""
        self._number += 1
        return f"{self._tag}-{self._number}"

    def new_contact(self, contact_id: str) -> contacts.NewContact:
        """Returns a chat of a known customer."""
        return contacts.NewContact(
            contact_id=contact_id, queue=QUEUE, channel="chat", customer_id="c-4711", topic="bill"
        )

    async def enqueue(self) -> str:
        """Enqueues one contact and returns its id."""
        contact_id = self.next_id()
        request = router.EnqueueContactRequest(
            request_id=f"e{contact_id}", contact=self.new_contact(contact_id)
        )
        answer = await self.calls["Enqueue"](request.SerializeToString(), metadata=ACTOR)
        if not self.echo:
            router.EnqueueContactResponse.FromString(answer)
        return contact_id

    async def enqueue_batch(self, size: int) -> int:
        """Enqueues a batch and returns how many of it were offered at once."""
        ids = [self.next_id() for _ in range(size)]
        request = router.EnqueueContactsRequest(
            request_id=f"b{ids[0]}", contacts=[self.new_contact(contact_id) for contact_id in ids]
        )
        answer = await self.calls["Batch"](request.SerializeToString(), metadata=ACTOR)
        if self.echo:
            return size
        placements = router.EnqueueContactsResponse.FromString(answer).placements
        return sum(place.WhichOneof("place") == "offer" for place in placements)

    async def accept(self, agent_id: str, leg_id: str) -> None:
        """Accepts an offer for the agent."""
        request = agents.AcceptOfferRequest(
            request_id=f"a{leg_id.replace('.', '-')}", agent_id=agent_id, leg_id=leg_id
        )
        await self.calls["Accept"](request.SerializeToString(), metadata=ACTOR)

    async def complete(self, contact_id: str) -> None:
        """Completes a contact."""
        request = router.CompleteContactRequest(
            request_id=f"c{contact_id}", contact_id=contact_id, disposition="done"
        )
        await self.calls["Complete"](request.SerializeToString(), metadata=ACTOR)

    async def serve_one(self) -> None:
        """A contact from arrival to end: three calls; the offer comes by the stream."""
        if self.echo:
            contact_id = await self.enqueue()
            await self.accept("agent-0001", f"{contact_id}.1")
            await self.complete(contact_id)
            return
        offer: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
        expected = f"{self._tag}-{self._number + 1}"
        self.offers[expected] = offer
        contact_id = await self.enqueue()
        agent_id, leg_id = await offer
        await self.accept(agent_id, leg_id)
        await self.complete(contact_id)

    async def watch(self, ready: asyncio.Event) -> None:
        """Hands the offers of the stream to those who wait for them."""
        stream = self._watch(agents.WatchOffersRequest().SerializeToString(), metadata=ACTOR)
        async for message in stream:
            step = agents.WatchOffersResponse.FromString(message)
            ready.set()
            for watched in step.legs:
                leg = watched.leg
                if leg.state == legs.LEG_STATE_OFFERED:
                    offer = self.offers.pop(leg.contact_id, None)
                    if offer is not None:
                        offer.set_result((leg.agent_id, leg.leg_id))


async def prepare(caller: Caller, agent_count: int, busy: int) -> None:
    """Signs all agents in and gives `busy` of them a chat each."""
    for number in range(agent_count):
        request = agents.SignInRequest(
            request_id=caller.next_id(), agent_id=f"agent-{number:05d}", presence="PRESENCE_READY"
        )
        await caller.calls["SignIn"](request.SerializeToString(), metadata=ACTOR)
    for _ in range(busy):
        contact_id = caller.next_id()
        request = router.EnqueueContactRequest(
            request_id=f"e{contact_id}", contact=caller.new_contact(contact_id)
        )
        answer = await caller.calls["Enqueue"](request.SerializeToString(), metadata=ACTOR)
        offer = router.EnqueueContactResponse.FromString(answer).placement.offer
        await caller.accept(offer.agent_id, offer.leg_id)


async def closed_loop(
    step: Callable[[], Awaitable[int]], callers: int, seconds: float
) -> tuple[int, float, list[float]]:
    """Returns units done, seconds taken and the latency of each step in ms."""
    done = 0
    took_ms: list[float] = []
    began = time.perf_counter()
    end = began + seconds

    async def call() -> None:
        nonlocal done
        while (start := time.perf_counter()) < end:
            units = await step()  # not `done += await`: that would read `done` before waiting
            done += units
            took_ms.append((time.perf_counter() - start) * 1000)

    await asyncio.gather(*(call() for _ in range(callers)))
    return done, time.perf_counter() - began, took_ms


async def open_loop(
    step: Callable[[], Awaitable[int]], rate: float, seconds: float, seed: int
) -> tuple[int, float, list[float]]:
    """Starts steps at Poisson moments; latency counts from the intended moment."""
    chance = random.Random(seed)
    took_ms: list[float] = []
    running: set[asyncio.Task[None]] = set()
    began = time.perf_counter()
    due = began

    async def call(intended: float) -> None:
        try:
            await step()
        except grpc.aio.AioRpcError:
            return  # turned away by an overloaded server: it counts as not answered
        took_ms.append((time.perf_counter() - intended) * 1000)

    while (due := due + chance.expovariate(rate)) < began + seconds:
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(call(due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return len(took_ms), time.perf_counter() - began, took_ms


async def run(given: argparse.Namespace) -> dict[str, object]:
    """Runs one round and returns its figures."""
    async with grpc.aio.insecure_channel(given.target, options=OPTIONS) as channel:
        caller = Caller(channel, given.echo, given.tag)
        if given.scenario == "prepare":
            await prepare(caller, given.agents, given.busy)
            return {}
        watching = None
        if given.scenario == "steady" and not given.echo:
            ready = asyncio.Event()
            watching = asyncio.create_task(caller.watch(ready))
            await ready.wait()
        units, seconds, took_ms = await _drive(given, caller)
        if watching is not None:
            watching.cancel()
        return figures(units, seconds, took_ms)


async def _drive(given: argparse.Namespace, caller: Caller) -> tuple[int, float, list[float]]:
    async def steady() -> int:
        await caller.serve_one()
        return 3

    async def enqueue() -> int:
        await caller.enqueue()
        return 1

    async def batch() -> int:
        return await caller.enqueue_batch(given.batch)

    step = {"steady": steady, "enqueue": enqueue, "batch": batch}[given.scenario]
    await step()  # connects: that is not what is measured
    if given.rate:
        return await open_loop(step, given.rate, given.seconds, seed=7)
    return await closed_loop(step, given.callers, given.seconds)


def figures(units: int, seconds: float, took_ms: list[float]) -> dict[str, object]:
    """Returns rate and percentiles (nearest rank)."""
    took_ms.sort()

    def percentile(share: float) -> float:
        if not took_ms:
            return 0.0
        return took_ms[min(len(took_ms) - 1, int(share * len(took_ms)))]

    return {
        "units": units,
        "per_s": units / seconds,
        "p50_ms": percentile(0.50),
        "p90_ms": percentile(0.90),
        "p95_ms": percentile(0.95),
        "p99_ms": percentile(0.99),
        "p999_ms": percentile(0.999),
    }


def main() -> None:
    """Reads the round from the command line, runs it and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--scenario", choices=["prepare", "steady", "enqueue", "batch"])
    parser.add_argument("--tag", required=True, help="makes the ids of this round its own")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--callers", type=int, default=48)
    parser.add_argument("--rate", type=float, default=0.0, help="open loop, steps per second")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--busy", type=int, default=0)
    print(json.dumps(asyncio.run(run(parser.parse_args()))), flush=True)


if __name__ == "__main__":
    main()
