"""The branches of the open loop: visitors, clerks at their desks, boards.

A clerk who is free looks at the desk's list; when somebody waits, the next one is called after a
moment. What boards show is timed from the clerk's click, for every board that hangs in the branch.
"""

import asyncio
import time
from collections import defaultdict
from random import Random
from typing import Any, Protocol

import grpc
import load_world as world
from bench_client import figures
from load_branch_steps import BranchSteps, Post
from load_meter import Meter, until
from load_world import draw_s

from usher.v1 import ticket_pb2 as tickets

Called = tuple[str, str, int]
"""Branch, number, which call of it."""


class Crowd(Protocol):
    """What the lobby needs of the generator."""

    chance: Random
    meter: Meter
    chats: dict[str, int]

    def in_s(self, mean_s: float) -> float: ...
    def spawn(self, life: Any) -> None: ...


class Lobby:
    """All branches."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._looking: dict[str, asyncio.Event] = {}
        self._waiting: dict[str, set[str]] = {}  # tickets, by the clerk who may call them
        self._called: dict[Called, float] = {}
        self._shown: defaultdict[Called, list[float]] = defaultdict(list)

    def look_up(self, agent_id: str) -> None:
        """Has a clerk look at the desk's list again."""
        if looking := self._looking.get(agent_id):
            looking.set()

    async def visitor(self, steps: BranchSteps, due_s: float) -> None:
        """Looks around, draws a ticket, perhaps follows it on the phone."""
        crowd, measured = self._crowd, self._crowd.meter.measured
        branch, service = crowd.chance.choice(world.BRANCHES), crowd.chance.choice(world.SERVICES)
        if crowd.chance.random() < world.READS:
            await measured(steps.list_services(branch), due_s)
            due_s = crowd.in_s(world.REACTION_S)
        reply = await measured(steps.join_line(branch, service), due_s)
        if reply is None:
            return
        if crowd.chance.random() < world.WATCHED:
            await self._follow(steps, reply.ticket.ticket_id)
        elif crowd.chance.random() < world.READS:
            await measured(steps.get_ticket(reply.ticket.ticket_id), crowd.in_s(world.REACTION_S))

    async def clerk(self, steps: BranchSteps, post: Post) -> None:
        """Calls whoever waits, one after the other, and serves them."""
        crowd = self._crowd
        looking = self._looking[post.agent_id] = asyncio.Event()
        waiting = self._waiting[post.agent_id] = set()
        crowd.spawn(self._read_desk(steps, post))
        while True:
            await looking.wait()
            looking.clear()
            while waiting and not crowd.chats[post.agent_id]:
                due_s = crowd.in_s(world.REACTION_S)
                await until(due_s)
                if not waiting or crowd.chats[post.agent_id]:
                    continue  # another desk was faster, or a chat has begun
                reply = await crowd.meter.measured(steps.call_next(post), due_s)
                if reply is None or not reply.ticket.ticket_id:
                    break
                self._note(reply.ticket, due_s)
                await self._visit(steps, post, reply.ticket)

    async def board(self, steps: BranchSteps, branch: str) -> None:
        """Shows numbers, and notes when."""
        stream = steps.watch_board(branch).begin(None)
        while (message := await stream.read()) is not grpc.aio.EOF:
            now_s = time.perf_counter()
            for row in message.rows:
                if row.state == tickets.TICKET_STATE_CALLED:
                    self._shown[branch, row.number, row.calls].append(now_s)

    def told(self, meter: Meter) -> dict[str, Any]:
        """Returns how long calls took from the click to the boards."""
        shown_ms = [
            (shown_s - due_s) * 1000
            for called, due_s in self._called.items()
            if meter.begin_s <= due_s < meter.end_s
            for shown_s in self._shown[called]
        ]
        return {"boards": figures(len(shown_ms), meter.end_s - meter.begin_s, shown_ms)}

    async def _visit(self, steps: BranchSteps, post: Post, ticket: Any) -> None:
        crowd, measured, ticket_id = self._crowd, self._crowd.meter.measured, ticket.ticket_id
        if crowd.chance.random() < world.RECALLED:
            due_s = crowd.in_s(world.WALK_S)
            if (reply := await measured(steps.recall(post, ticket_id), due_s)) is None:
                return
            self._note(reply.ticket, due_s)
        if crowd.chance.random() < world.NO_SHOWS:
            await measured(steps.no_show(post, ticket_id), crowd.in_s(world.WALK_S))
            return
        started = await measured(steps.start_serving(post, ticket_id), crowd.in_s(world.WALK_S))
        if started is None:
            return
        last = steps.finish_serving(post, ticket_id)
        if crowd.chance.random() < world.TRANSFERRED:
            (other,) = set(world.SERVICES) - {ticket.service}
            last = steps.transfer(post, ticket_id, other)
        await measured(last, crowd.in_s(world.VISIT.talk_s))

    def _note(self, ticket: Any, due_s: float) -> None:
        self._called[ticket.branch, ticket.number, ticket.calls] = due_s

    async def _read_desk(self, steps: BranchSteps, post: Post) -> None:
        waiting = self._waiting[post.agent_id]
        stream = steps.watch_desk(post).begin(None)
        while (message := await stream.read()) is not grpc.aio.EOF:
            waiting.update(one.ticket.ticket_id for one in message.waiting)
            waiting.difference_update(one.ticket_id for one in message.tickets)
            waiting.difference_update(message.gone_ticket_ids)
            if waiting:
                self.look_up(post.agent_id)

    async def _follow(self, steps: BranchSteps, ticket_id: str) -> None:
        called = asyncio.Event()
        self._crowd.spawn(self._read_ticket(steps, ticket_id, called))
        try:
            patience_s = draw_s(self._crowd.chance, world.PATIENCE_S)
            await asyncio.wait_for(called.wait(), patience_s)
        except TimeoutError:
            await self._crowd.meter.measured(steps.leave_line(ticket_id), time.perf_counter())

    async def _read_ticket(self, steps: BranchSteps, ticket_id: str, called: asyncio.Event) -> None:
        stream = steps.watch_ticket(ticket_id).begin(None)
        while (message := await stream.read()) is not grpc.aio.EOF:
            if message.ticket.state > tickets.TICKET_STATE_WAITING:
                called.set()
