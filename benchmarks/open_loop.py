"""The open-loop load generator: contacts arrive at Poisson moments, whatever the server does.

    python benchmarks/load_world.py FOLDER --rate 200      # rules for the server
    usher serve --policy FOLDER/policy.toml --roster FOLDER/roster.toml --data FOLDER/data
    python benchmarks/open_loop.py --target 127.0.0.1:7460 --rate 100 --seconds 15

Every call has a moment at which it is meant to be sent: an arrival by the Poisson process, the rest
a drawn time after what it follows (an offer on the stream, the customer's answer). Its latency
counts from that moment, so that neither a slow server nor a slow client hides anything; how late
the client itself sent is told apart. Each agent has a stream of its own. The last line is JSON.
"""

import argparse
import asyncio
import json
import os
import time
from collections import Counter
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import grpc
import load_world as world
from load_branch_steps import BranchSteps, Post
from load_meter import Meter, until
from load_steps import OPTIONS, Step, Steps, reason_of
from load_world import Kind, draw_s
from open_loop_branch import Lobby

from usher.v1 import leg_pb2 as legs

SIGN_INS = 32


class Generator:
    """Customers, platform and agents over several connections; the lobby has its own module."""

    def __init__(self, stations: list[BranchSteps], rate: float, seed: int) -> None:
        self.chance = Random(seed)
        self.meter = Meter(0.0, 0.0)
        self.chats: Counter[str] = Counter()  # under way, by agent
        self._stations = stations
        self._rate = rate
        self._tasks: set[asyncio.Task[Any]] = set()
        self._answered: dict[str, asyncio.Event] = {}
        self._lobby = Lobby(self)

    async def open(self, boards: int) -> None:
        """Signs in all agents of the roster that are meant for the load; hangs up the boards."""
        known, gate = await self._agents_known(), asyncio.Semaphore(SIGN_INS)
        opening = [
            self._open_desktop(gate, kind, agent_id, self.station())
            for kind in world.KINDS
            for agent_id in known
            if agent_id.startswith(f"{kind.name}-")
        ]
        if not opening:
            raise SystemExit("the server's roster is not that of load_world.py")
        await asyncio.gather(*opening)
        for number in range(boards):
            branch = world.BRANCHES[number % len(world.BRANCHES)]
            self.spawn(self._lobby.board(self.station(), branch))

    async def run(self, warm_s: float, seconds: float) -> dict[str, Any]:
        """Lets contacts arrive for so long and returns the figures."""
        begin_s = time.perf_counter() + warm_s
        self.meter = Meter(begin_s, begin_s + seconds)
        arriving = asyncio.create_task(self._arrive())
        await until(begin_s)
        before = await self._counters()
        await until(self.meter.end_s)
        after = await self._counters()
        await arriving
        await self.meter.idle.wait()  # each call has a limit
        told = self.meter.told() | self._lobby.told(self.meter)
        told["server_cpu_s"] = (after["cpu_us"] - before["cpu_us"]) / 1e6
        told["sync_p99_ms"] = after["sync_p99_us"] / 1000
        return told

    def stop(self) -> None:
        """Ends what is still going on."""
        for task in self._tasks:
            task.cancel()

    def in_s(self, mean_s: float) -> float:
        """Returns the moment a drawn time from now."""
        return time.perf_counter() + draw_s(self.chance, mean_s)

    def station(self) -> BranchSteps:
        """Returns one of the connections."""
        return self.chance.choice(self._stations)

    def spawn(self, life: Any) -> None:
        """Lets something go on beside the rest; what ends it badly is counted as an error."""
        task = asyncio.create_task(life)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _arrive(self) -> None:
        due_s = time.perf_counter()
        shares = [kind.share for kind in world.KINDS]
        while (due_s := due_s + self.chance.expovariate(self._rate)) < self.meter.end_s:
            await until(due_s)
            (kind,) = self.chance.choices(world.KINDS, shares)
            if kind is world.VISIT:
                self.spawn(self._lobby.visitor(self.station(), due_s))
            else:
                self.spawn(self._customer(kind, self.station(), due_s))

    async def _customer(self, kind: Kind, steps: Steps, due_s: float) -> None:
        contact_id = steps.new_id()
        answered = self._answered[contact_id] = asyncio.Event()
        try:
            if await self.meter.measured(steps.enqueue(kind, contact_id), due_s) is None:
                return
            if self.chance.random() < world.READS:
                asked = steps.get_contact(contact_id)
                await self.meter.measured(asked, self.in_s(world.REACTION_S))
            try:
                await asyncio.wait_for(answered.wait(), draw_s(self.chance, world.PATIENCE_S))
            except TimeoutError:
                await self.meter.measured(steps.abandon(contact_id), time.perf_counter())
        finally:
            del self._answered[contact_id]

    async def _open_desktop(
        self, gate: asyncio.Semaphore, kind: Kind, agent_id: str, steps: BranchSteps
    ) -> None:
        async with gate:
            signed_in = await steps.sign_in(agent_id).begin()
            stream = steps.watch_offers(agent_id, signed_in.session).begin(None)
            await stream.read()  # the snapshot
            for leg in signed_in.legs:  # left behind by an earlier run
                finish = steps.finish_wrap_up(agent_id, signed_in.session, leg.leg_id)
                await self.meter.measured(steps.abandon(leg.contact_id), 0.0)
                await self.meter.measured(finish, 0.0)
            if kind is world.VISIT:
                post = Post(*world.post_of(agent_id), agent_id, signed_in.session)
                await steps.open_desk(post).begin()
                self.spawn(self._lobby.clerk(steps, post))
        self.spawn(self._desktop(steps, agent_id, signed_in.session, stream))

    async def _desktop(self, steps: Steps, agent_id: str, session: int, stream: Any) -> None:
        offered: set[str] = set()
        while (message := await stream.read()) is not grpc.aio.EOF:
            due_s = self.in_s(world.REACTION_S)
            for watched in message.legs:
                leg = watched.leg
                if leg.state == legs.LEG_STATE_OFFERED and leg.leg_id not in offered:
                    offered.add(leg.leg_id)
                    accept = steps.accept(agent_id, session, leg.leg_id)
                    self.spawn(self._serve(steps, accept, leg, due_s))

    async def _serve(self, steps: Steps, accept: Step, leg: Any, due_s: float) -> None:
        agent_id, measured = leg.agent_id, self.meter.measured
        if await measured(accept, due_s) is None:
            return
        if answered := self._answered.get(leg.contact_id):
            answered.set()
        self.chats[agent_id] += leg.channel == world.CHAT.channel
        try:
            await self._talk(steps, leg, accept.request.session)
        finally:
            self.chats[agent_id] -= leg.channel == world.CHAT.channel
            self._lobby.look_up(agent_id)

    async def _talk(self, steps: Steps, leg: Any, session: int) -> None:
        measured = self.meter.measured
        kind = world.CALL if leg.channel == world.CALL.channel else world.CHAT
        if kind is world.CALL:
            connect = steps.connect(leg.contact_id)
            if await measured(connect, self.in_s(world.DIAL_S)) is None:
                return
        complete = steps.complete(leg.contact_id, leg.agent_id)
        if await measured(complete, self.in_s(kind.talk_s)) is not None and kind.wrap_up_s:
            finish = steps.finish_wrap_up(leg.agent_id, session, leg.leg_id)
            await measured(finish, self.in_s(kind.wrap_up_s))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            name = reason_of(error) if isinstance(error, grpc.RpcError) else repr(error)
            self.meter.errors[f"a stream: {name}"] += 1

    async def _agents_known(self) -> list[str]:
        steps, found, token = self._stations[0], [], ""
        while True:
            page = await steps.list_agents(token).begin()
            found += [agent.agent_id for agent in page.agents]
            if not (token := page.next_page_token):
                return found

    async def _counters(self) -> dict[str, int]:
        return dict((await self._stations[0].get_server().begin()).counters)


async def run(given: argparse.Namespace) -> dict[str, Any]:
    """Runs once and returns the figures."""
    async with AsyncExitStack() as stack:
        stations = []
        for number in range(given.connections):
            channel = grpc.aio.insecure_channel(given.target, options=OPTIONS)
            await stack.enter_async_context(channel)
            stations.append(BranchSteps(channel, f"o{os.getpid()}-{number}"))
        generator = Generator(stations, given.rate, given.seed)
        await generator.open(given.boards)
        stack.callback(generator.stop)
        return await generator.run(given.warm, given.seconds)


def new_loop() -> asyncio.AbstractEventLoop:
    """Returns uvloop's loop where it is installed: the client is not what is measured."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def main() -> None:
    """Reads what to do from the command line, does it, prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", required=True, help="host:port")
    parser.add_argument("--rate", type=float, default=100.0, help="arrivals a second")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--warm", type=float, default=4.0, help="seconds before, not measured")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--boards", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        told = runner.run(run(parser.parse_args()))
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
