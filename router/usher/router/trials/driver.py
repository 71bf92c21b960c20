"""Plays a script against a server: customers who come and leave, agents who answer and work.

    agenda (what is due by the server's clock) ----> Gateway ----> server
    watches (what has happened) ----> Observed, callers ----> agenda

A customer's way here, beside the server's own:

    waiting -> answering -> talking -> over
       ^  |________|______________________^        leaves when patience ends, unless talking
       |__________/                                the offer was withdrawn, expired, declined

Commands cross what the server has decided meanwhile (a caller leaves while the accept is on its
way). What is then refused for its state is counted by method and reason in `races`; any
other refusal ends the trial. It must not know logs, reports or the console.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import Enum
from functools import partial
from typing import Protocol

from usher.router.client.errors import UsherError, WrongState
from usher.router.trials.gateway import Gateway
from usher.router.trials.observed import Observed, milliseconds
from usher.router.trials.script import Answer, PlannedContact, Script, Shift
from usher.router.trials.server_clock import Agenda, ServerClock
from usher.v1 import leg_pb2

STALL_MS = 3 * 3600 * 1000  # nothing happened for longer than the longest talk: it never will
STALL_S = 30.0
PINGS = 8
PING_EVERY_S = 5.0
SIGNED_OUT_WITHIN_S = 30.0


class Phase(Enum):
    """Where a customer is, as the platform sees it."""

    COMING = "coming"
    WAITING = "waiting"
    ANSWERING = "answering"
    TALKING = "talking"
    LEAVING = "leaving"
    OVER = "over"


class Caller:
    """One customer under way."""

    __slots__ = ("leg_id", "offers", "phase", "planned")

    def __init__(self, planned: PlannedContact) -> None:
        self.planned = planned
        self.phase = Phase.COMING
        self.leg_id = ""
        self.offers = 0


class Beside(Protocol):
    """What is played beside the contacts, with the same agents and by the same clock."""

    @property
    def is_over(self) -> bool:
        """Whether all of it has ended."""
        ...

    def begin(self, drive: "Drive") -> None:
        """Puts what it does into the agenda of the drive."""
        ...

    def moved(self) -> None:
        """Legs or agents have changed."""
        ...

    def ended(self, contact_id: str) -> None:
        """A contact that is none of the script's has ended."""
        ...

    async def close(self) -> None:
        """Ends its work, before the agents are sent home."""
        ...


class Drive:
    """One run of a script; `run` plays it to the end, with what is `beside` it."""

    def __init__(
        self, script: Script, gateway: Gateway, clock_rate: int, beside: Beside | None = None
    ) -> None:
        self.script = script
        self.clock = ServerClock(clock_rate)
        self.agenda = Agenda(self.clock)
        self.observed = Observed()
        self.races: Counter[str] = Counter()
        self.callers = {one.contact_id: Caller(one) for one in script.contacts}
        self.over = 0
        self.stalled = False
        self.began_ms = 0
        """Server time at which the script's own time 0 lies."""
        self._gateway = gateway
        self._beside = beside
        self._all_over = asyncio.Event()
        self._offers_seen = asyncio.Event()
        self._contacts_seen = asyncio.Event()
        self._agents_moved = asyncio.Event()
        self._moved_ms = 0.0
        self._moved_s = time.monotonic()
        self._on_duty: dict[str, asyncio.Lock] = {}
        self._staying: set[str] = set()

    def now_ms(self) -> float:
        """The script's own time."""
        return self.clock.now_ms() - self.began_ms

    async def run(self) -> None:
        """Plays the script; returns when all contacts have ended and all agents are offline, or
        when nothing moves any more (`stalled`). Raises UsherError."""
        await self._ping()
        tasks = [
            asyncio.create_task(one)
            for one in (self._follow_offers(), self._follow_contacts(), self._keep_time())
        ]
        try:
            # Both snapshots are whole: from here on nothing is missed.
            await self._unless_broken(tasks, self._offers_seen.wait())
            await self._unless_broken(tasks, self._contacts_seen.wait())
            self.began_ms = round(self.clock.now_ms()) - self.script.start_ms
            self._moved_ms = self.clock.now_ms()
            tasks.append(asyncio.create_task(self.agenda.run()))
            self._plan()
            await self._unless_broken(tasks, self._until_over())
            if self._beside is not None:
                await self._unless_broken(tasks, self._beside.close())
            await self._unless_broken(tasks, self._send_home())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.agenda.close()

    # --- what is due ---------------------------------------------------------------------------

    def _plan(self) -> None:
        for shift in self.script.shifts:
            self._due(shift.from_ms, partial(self._sign_in, shift.agent_id))
            self._due(shift.until_ms, partial(self._go_home, shift))
        for planned in self.script.contacts:
            self._due(planned.arrive_ms, partial(self._arrive, self.callers[planned.contact_id]))
        if self._beside is not None:
            self._beside.begin(self)
        self._check_over()

    def _due(self, script_ms: float, action: Callable[[], Awaitable[None]]) -> None:
        self.agenda.at(self.began_ms + script_ms, action)

    async def _arrive(self, caller: Caller) -> None:
        arrived_ms = self.clock.now_ms()
        caller.phase = Phase.WAITING
        await self._gateway.enqueue(caller.planned)
        if caller.planned.patience_ms is not None:
            self.agenda.at(arrived_ms + caller.planned.patience_ms, partial(self._leave, caller))

    async def _leave(self, caller: Caller) -> None:
        if caller.phase not in (Phase.WAITING, Phase.ANSWERING):
            return
        caller.phase = Phase.LEAVING
        await self._attempt("AbandonContact", self._gateway.abandon(caller.planned.contact_id))

    async def _answer(self, caller: Caller, leg: leg_pb2.Leg, answer: Answer) -> None:
        if caller.phase is not Phase.WAITING or caller.leg_id != leg.leg_id:
            self.races["offer gone before it was answered"] += 1
            return
        if answer is Answer.DECLINE:
            await self._attempt("DeclineOffer", self._gateway.decline(leg.agent_id, leg.leg_id))
            return
        caller.phase = Phase.ANSWERING
        try:
            to_connect = await self._gateway.accept(leg.agent_id, leg.leg_id)
        except WrongState as refusal:
            self._note("AcceptOffer", refusal)
            self._wait_on(caller, leg.leg_id)
            return
        # The customer may have left while the accept was under way.
        if caller.phase is Phase.ANSWERING and caller.leg_id == leg.leg_id:
            await self._talk(caller, leg, to_connect)

    async def _talk(self, caller: Caller, leg: leg_pb2.Leg, to_connect: bool) -> None:
        caller.phase = Phase.TALKING
        contact_id, began_ms = caller.planned.contact_id, self.clock.now_ms()
        if to_connect and not await self._attempt(
            "ConnectContact", self._gateway.connect(contact_id, leg.agent_id)
        ):
            self._wait_on(caller, leg.leg_id)
            return
        self.agenda.at(began_ms + caller.planned.handle_ms, partial(self._finish, caller))

    async def _finish(self, caller: Caller) -> None:
        if caller.phase is Phase.TALKING:
            await self._attempt(
                "CompleteContact", self._gateway.complete(caller.planned.contact_id)
            )

    def _wait_on(self, caller: Caller, leg_id: str) -> None:
        """The offer came to nothing: the customer waits on, or leaves if patience has ended.

        Nothing happens if it has left already, or has another offer by now.
        """
        if caller.leg_id != leg_id or caller.phase not in (Phase.ANSWERING, Phase.TALKING):
            return
        caller.phase = Phase.WAITING
        planned = caller.planned
        if planned.patience_ms is not None:
            until_ms = planned.arrive_ms + planned.patience_ms
            if self.now_ms() >= until_ms:
                self.agenda.soon(partial(self._leave, caller))

    async def _sign_in(self, agent_id: str) -> None:
        self._staying.discard(agent_id)
        async with self._desk(agent_id):
            await self._gateway.sign_in(agent_id)

    async def _go_home(self, shift: Shift) -> None:
        # The last ones on duty stay until the queue is empty: `_send_home`.
        if shift.until_ms >= self.script.close_ms:
            self._staying.add(shift.agent_id)
        else:
            await self._sign_out(shift.agent_id)

    async def _sign_out(self, agent_id: str) -> None:
        async with self._desk(agent_id):
            await self._attempt("SignOut", self._gateway.sign_out(agent_id))

    def _desk(self, agent_id: str) -> asyncio.Lock:
        """One thing at a time per agent: a shift may begin while the last one's end is sent."""
        return self._on_duty.setdefault(agent_id, asyncio.Lock())

    # --- what has happened ---------------------------------------------------------------------

    async def _follow_offers(self) -> None:
        async for step in self._gateway.watch_offers():
            received_s = time.monotonic()
            self.clock.observe(
                milliseconds(step.head.server_time), sent_s=None, received_s=received_s
            )
            for leg in self.observed.take_offers(step):
                self._take_leg(leg)
            if step.agents:
                self._agents_moved.set()
            if self._beside is not None:
                self._beside.moved()
            if step.head.token:
                self._offers_seen.set()

    async def _follow_contacts(self) -> None:
        async for step in self._gateway.watch_contacts():
            if step.contacts:
                self._moved_ms, self._moved_s = self.clock.now_ms(), time.monotonic()
            for contact_id in self.observed.take_contacts(step):
                self._end(contact_id)
            if step.head.token:
                self._contacts_seen.set()

    def _take_leg(self, leg: leg_pb2.Leg) -> None:
        caller = self.callers.get(leg.contact_id)
        if caller is None:
            return
        if leg.state == leg_pb2.LEG_STATE_OFFERED and leg.leg_id != caller.leg_id:
            self._take_offer(caller, leg)
        elif leg.state == leg_pb2.LEG_STATE_DONE and leg.leg_id == caller.leg_id:
            if caller.phase is Phase.ANSWERING:
                self._wait_on(caller, leg.leg_id)
            caller.leg_id = ""

    def _take_offer(self, caller: Caller, leg: leg_pb2.Leg) -> None:
        planned = caller.planned
        answers = planned.first_answers
        answer = answers[caller.offers] if caller.offers < len(answers) else Answer.ACCEPT
        caller.leg_id = leg.leg_id
        caller.offers += 1
        if answer is not Answer.MISS:
            due_ms = milliseconds(leg.offer_time) + planned.answer_ms
            self.agenda.at(due_ms, partial(self._answer, caller, leg, answer))

    def _end(self, contact_id: str) -> None:
        caller = self.callers.get(contact_id)
        if caller is not None and caller.phase is not Phase.OVER:
            caller.phase = Phase.OVER
            self.over += 1
        elif caller is None and self._beside is not None:
            self._beside.ended(contact_id)
        self._check_over()

    def _check_over(self) -> None:
        is_over = self._beside is None or self._beside.is_over
        if is_over and self.over == len(self.callers):
            self._all_over.set()

    # --- the whole -----------------------------------------------------------------------------

    async def _until_over(self) -> None:
        while not self._all_over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_over.wait(), timeout=1.0)
            still_ms = self.clock.now_ms() - self._moved_ms
            still_s = time.monotonic() - self._moved_s
            past_close = self.now_ms() > self.script.close_ms
            if past_close and still_ms > STALL_MS and still_s > STALL_S:
                self.stalled = True
                return

    async def _send_home(self) -> None:
        """Signs out all who are there; returns when all are offline, wrap-up done."""
        for agent_id in sorted(self.observed.working() | self._staying):
            await self._sign_out(agent_id)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SIGNED_OUT_WITHIN_S):
                await self._until_nobody_works()

    async def _until_nobody_works(self) -> None:
        while self.observed.working():
            self._agents_moved.clear()
            await self._agents_moved.wait()

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            await self._ping(1)

    async def _ping(self, times: int = PINGS) -> None:
        for _ in range(times):
            sent_s = time.monotonic()
            reply = await self._gateway.server()
            received_s = time.monotonic()
            server_ms = milliseconds(reply.server_time)
            self.clock.observe(server_ms, sent_s=sent_s, received_s=received_s)

    async def _unless_broken(
        self, tasks: list[asyncio.Task[None]], work: Awaitable[object]
    ) -> None:
        """Waits for the work; raises what one of the tasks raised meanwhile."""
        main = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait((main, *tasks), return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            main.cancel()

    async def _attempt(self, name: str, call: Awaitable[None]) -> bool:
        """Returns whether the server took it; a race that was lost is counted."""
        try:
            await call
        except WrongState as refusal:
            self._note(name, refusal)
            return False
        return True

    def _note(self, name: str, refusal: UsherError) -> None:
        self.races[f"{name}: {refusal.reason}"] += 1
