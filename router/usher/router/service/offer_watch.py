"""WatchOffers: offers to one agent, or all agents, and what becomes of them.

While a desktop reads its stream, its session lives; a desktop that stops reading is lost like one
that is gone. A stream whose session was taken over, lost or ended is closed.
"""

from collections.abc import Iterator

from usher.queue.errors import Invalid, SessionSuperseded
from usher.queue.ledger import Ledger
from usher.queue.state import Agent, Contact, Leg
from usher.queue.values import AgentId, LegId, LegState, Presence
from usher.router.lookups import known_agent
from usher.router.pool import Pool
from usher.router.service.rpc import Write
from usher.router.service.served import Call, ServedPool
from usher.router.service.watching import BOOKMARK_S, Changes, Watching, portions
from usher.router.service.wire import fields, views
from usher.router.service.wire.agents import session_lease_ms
from usher.v1 import agent_service_pb2 as pb

LEGS_PER_MESSAGE = 100
AGENTS_PER_MESSAGE = 1_000
LEASE_SHARE = 3
"""Signs of life per lease: two may be late."""

Known = tuple[Presence, str, bool]


async def watch_offers(request: pb.WatchOffersRequest, call: Call, write: Write) -> None:
    """Streams the offers of one agent or of the pool."""
    agent_id = AgentId(fields.optional_id(request.agent_id, "agent_id"))
    session = fields.session_of(request.session)
    if session and not agent_id:
        raise Invalid("session", "goes with an agent_id")
    view = OffersView(call.pool, agent_id, session)
    await call.pool.runner.read(view.check)
    await Watching(call.pool, view, write).run(request.token)


class OffersView:
    """Legs and presences, of one agent or all.

    It keeps which legs it has told with their contact, and the last told presence of each agent.
    """

    content = pb.WatchOffersResponse

    def __init__(self, pool: ServedPool, agent_id: AgentId, session: int) -> None:
        self.name = f"offers/{agent_id}"
        self.agent_id = agent_id or None
        self.every_s = BOOKMARK_S
        self._pool = pool
        self._session = session
        self._lease_ms = 0
        self._over = False
        self._told: set[LegId] = set()
        self._presences: dict[AgentId, Known] = {}

    def check(self, pool: Pool) -> None:
        """Raises UnknownAgent, NotSignedIn, SessionSuperseded."""
        if self.agent_id is not None and self._session:
            self._lease_ms = session_lease_ms(self.agent_id, self._session, pool)
        elif self.agent_id is not None:
            known_agent(pool.ledger, self.agent_id)
        if self._lease_ms:
            rate = self._pool.runner.clock.rate
            self.every_s = min(BOOKMARK_S, self._lease_ms / LEASE_SHARE / rate / 1000)

    def snapshot(self, pool: Pool) -> Iterator[pb.WatchOffersResponse]:
        """See View."""
        ledger = pool.ledger
        wanted = ledger.agents.values() if self.agent_id is None else [ledger.agents[self.agent_id]]
        agents = [agent for agent in wanted if agent.presence is not Presence.OFFLINE]
        legs = [leg for agent in wanted for leg in views.legs_of(ledger, agent)]
        told = [(leg, ledger.contacts.get(leg.contact_id)) for leg in legs]
        self._told.update(leg.leg_id for leg in legs)
        self._presences.update((agent.agent_id, _known(agent)) for agent in agents)
        return self._messages(told, agents)

    def resume(self, pool: Pool) -> None:
        """See View: what the watcher holds is not known, so more is told than needed."""

    def changes(self, changes: Changes) -> Iterator[pb.WatchOffersResponse]:
        """See View."""
        legs = [
            (leg, changes.contacts.get(leg.contact_id) if self._needs_contact(leg) else None)
            for leg in changes.legs.values()
            if self.agent_id is None or leg.agent_id == self.agent_id
        ]
        agents = [agent for agent in changes.agents.values() if self._is_news(agent)]
        self._told.difference_update(leg.leg_id for leg, _ in legs if leg.state is LegState.DONE)
        return self._messages(legs, agents)

    def alive(self) -> None:
        """See View."""
        if self.agent_id is None or not self._session:
            return
        if self._over:
            raise SessionSuperseded(
                f"session {self._session} of agent {self.agent_id!r} is over",
                agent_id=self.agent_id,
                session=self._session,
            )
        self._pool.leases.renew(self.agent_id, self._session, self._lease_ms)

    def _needs_contact(self, leg: Leg) -> bool:
        """Returns whether the leg's contact was not told yet, and notes that it is now."""
        if leg.state is LegState.DONE or leg.leg_id in self._told:
            return False
        self._told.add(leg.leg_id)
        return True

    def _is_news(self, agent: Agent) -> bool:
        if self.agent_id is not None and agent.agent_id != self.agent_id:
            return False
        if self._session and (agent.session != self._session or agent.lost):
            self._over = True
        if self._presences.get(agent.agent_id) == _known(agent):
            return False
        self._presences[agent.agent_id] = _known(agent)
        return True

    def _messages(
        self, legs: list[tuple[Leg, Contact | None]], agents: list[Agent]
    ) -> Iterator[pb.WatchOffersResponse]:
        ledger: Ledger = self._pool.runner.pool.ledger
        private = self._pool.runner.private
        for some in portions(agents, AGENTS_PER_MESSAGE):
            shown = [views.agent_view(ledger, agent) for agent in some]
            yield pb.WatchOffersResponse(agents=shown)
        for pairs in portions(legs, LEGS_PER_MESSAGE):
            told = [
                views.watched_leg_view(leg, contact, private.get(leg.contact_id))
                for leg, contact in pairs
            ]
            yield pb.WatchOffersResponse(legs=told)


def _known(agent: Agent) -> Known:
    return agent.presence, agent.reason, agent.lost
