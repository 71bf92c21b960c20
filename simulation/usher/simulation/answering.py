"""What agents do about offers: they hear of one, take it after a while, and are connected.

    offered -> (answering) -> accepted -> (connecting) -> connected -> work
                           -> declined, or nobody answers

It must not know what becomes of the work. Visitors are not offered: `visits`.
"""

from functools import partial
from typing import Final, TypeAlias

from usher.queue import commands as c
from usher.queue import events as e
from usher.queue.errors import Refused
from usher.queue.values import ChannelName, LegId, LegState
from usher.router.policy import known_channels
from usher.simulation.crowd import Crowd
from usher.simulation.customers import PLATFORM, Customer
from usher.simulation.duty import Duty
from usher.simulation.engine import Engine
from usher.simulation.staff import Worker
from usher.simulation.work import Work

Reply: TypeAlias = type[c.AcceptOffer] | type[c.DeclineOffer]

# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_ACTIVE: Final = LegState.ACTIVE


class Answering:
    """Offers to all agents; from now on it reacts to those that are made and accepted.

    It is to be there before the pool has its first policy.
    """

    def __init__(self, engine: Engine, crowd: Crowd, duty: Duty, work: Work) -> None:
        self._engine = engine
        self._live = crowd.live
        self._workers = duty.workers
        self._work = work
        self._automatic: set[ChannelName] = set()
        engine.on(e.PolicySet, self._policy_set)
        engine.on(e.OfferMade, self._offered)
        engine.on(e.OfferAccepted, self._accepted)

    def _policy_set(self, event: e.PolicySet) -> None:
        channels = known_channels(event.policy).items()
        self._automatic = {name for name, rules in channels if rules.automatic_accept}

    def _offered(self, event: e.OfferMade) -> None:
        customer = self._live[event.contact_id]
        worker = self._workers[event.agent_id]
        customer.leg_id, customer.worker, customer.price = event.leg_id, worker, event.price
        kind = customer.kind
        if kind.walks_in or kind.rules.channel in self._automatic:
            return
        reply, after_ms = self._reply_to(customer, worker, event.due_ms)
        if after_ms >= 0:
            self._engine.later(after_ms, partial(self._give, reply, customer, event.leg_id))

    def _reply_to(self, customer: Customer, worker: Worker, due_ms: int) -> tuple[Reply, int]:
        """Returns what becomes of an offer, and after how long in ms; -1 = nobody answers it."""
        if customer.refusals:
            after_ms, *later = customer.refusals
            customer.refusals = tuple(later)
            return c.DeclineOffer, after_ms
        if customer.answering_ms >= 0:  # who answered is taken to do so in time under any policy
            return c.AcceptOffer, min(customer.answering_ms, due_ms - self._engine.now_ms)
        return c.AcceptOffer, worker.answering.next_ms() if worker.answering else 0

    def _give(self, reply: Reply, customer: Customer, leg_id: LegId) -> None:
        worker = customer.worker
        if customer.waiting and customer.leg_id == leg_id and worker is not None:
            try:
                self._engine.do(reply(PLATFORM, worker.agent_id, leg_id))
            except Refused:
                return  # the offer is gone: it came too late

    def _accepted(self, event: e.OfferAccepted) -> None:
        customer = self._live[event.contact_id]
        if event.state is _ACTIVE:
            self._work.begin(customer)
        elif not customer.kind.walks_in:
            after_ms = min(customer.connecting_ms, event.due_ms - self._engine.now_ms)
            self._engine.later(after_ms, partial(self._connect, customer, event.leg_id))

    def _connect(self, customer: Customer, leg_id: LegId) -> None:
        if customer.waiting and customer.leg_id == leg_id:
            self._engine.do(c.ConnectContact(PLATFORM, customer.contact_id))
