"""What desktops do, and platforms on behalf of agents (session 0)."""

from collections.abc import AsyncIterator
from datetime import timedelta

from usher.queue.values import Presence
from usher.router.client import results
from usher.router.client.calls import PoolCalls
from usher.router.client.requests import duration_of
from usher.router.service.wire import choices
from usher.v1 import agent_service_pb2 as pb
from usher.v1.agent_service_pb2_grpc import AgentServiceStub


class AgentCalls(PoolCalls):
    """AgentService. Every method raises UsherError; `request_id` is made where it is not given."""

    _agents: AgentServiceStub

    async def sign_in(
        self,
        agent_id: str,
        *,
        presence: Presence = Presence.READY,
        reason: str = "",
        lease: timedelta | None = None,
        request_id: str = "",
    ) -> results.Session:
        """Begins a session; an earlier one ends and its work goes on in this one."""
        request = pb.SignInRequest(
            agent_id=agent_id,
            presence=choices.PRESENCE_NUMBERS[presence],
            reason=reason,
            lease=None if lease is None else duration_of(lease),
        )
        reply = await self._command(self._agents.SignIn, request, request_id)
        return results.session_of(agent_id, reply)

    async def sign_out(self, agent_id: str, *, session: int = 0, request_id: str = "") -> Presence:
        """Ends the session; with live work the agent drains first."""
        request = pb.SignOutRequest(agent_id=agent_id, session=session)
        reply = await self._command(self._agents.SignOut, request, request_id)
        return choices.PRESENCES[reply.presence]

    async def set_presence(
        self,
        agent_id: str,
        presence: Presence,
        *,
        reason: str = "",
        session: int = 0,
        request_id: str = "",
    ) -> Presence:
        """Ready, not ready with a reason, or draining; returns the presence now."""
        request = pb.SetPresenceRequest(
            agent_id=agent_id,
            presence=choices.PRESENCE_NUMBERS[presence],
            reason=reason,
            session=session,
        )
        reply = await self._command(self._agents.SetPresence, request, request_id)
        return choices.PRESENCES[reply.presence]

    async def heartbeat(self, agent_id: str, session: int) -> float:
        """A sign of life; returns the seconds that the session lives without another."""
        request = pb.HeartbeatRequest(pool=self._pool, agent_id=agent_id, session=session)
        reply = await self._caller.call(self._agents.Heartbeat, request)
        return float(reply.lease.ToTimedelta().total_seconds())

    async def accept(
        self, agent_id: str, leg_id: str, *, session: int = 0, request_id: str = ""
    ) -> results.Accepted:
        """Takes an offer."""
        request = pb.AcceptOfferRequest(agent_id=agent_id, leg_id=leg_id, session=session)
        return results.accepted_of(
            await self._command(self._agents.AcceptOffer, request, request_id)
        )

    async def decline(
        self,
        agent_id: str,
        leg_id: str,
        *,
        reason: str = "",
        session: int = 0,
        request_id: str = "",
    ) -> int:
        """Does not take an offer; returns the position."""
        request = pb.DeclineOfferRequest(
            agent_id=agent_id, leg_id=leg_id, reason=reason, session=session
        )
        reply = await self._command(self._agents.DeclineOffer, request, request_id)
        return int(reply.position)

    async def finish_wrap_up(
        self, agent_id: str, leg_id: str, *, session: int = 0, request_id: str = ""
    ) -> int:
        """The work after a contact is done; returns the position."""
        request = pb.FinishWrapUpRequest(agent_id=agent_id, leg_id=leg_id, session=session)
        reply = await self._command(self._agents.FinishWrapUp, request, request_id)
        return int(reply.position)

    async def get_agent(self, agent_id: str) -> results.Agent:
        """Returns one agent with its legs."""
        request = pb.GetAgentRequest(pool=self._pool, agent_id=agent_id)
        reply = await self._caller.call(self._agents.GetAgent, request)
        return results.agent_of(reply.agent)

    async def agents(self) -> AsyncIterator[results.Agent]:
        """Yields all agents by id, without their legs, page by page."""
        request = pb.ListAgentsRequest(pool=self._pool, page_size=1_000)
        while True:
            reply = await self._caller.call(self._agents.ListAgents, request)
            for agent in reply.agents:
                yield results.agent_of(agent)
            request.page_token = reply.next_page_token
            if not request.page_token:
                return

    async def watch_offers(
        self, agent_id: str = "", *, session: int = 0, token: str = ""
    ) -> AsyncIterator[results.OffersStep]:
        """Yields legs and presences as they change, of one agent or all; resumes by itself."""
        request = pb.WatchOffersRequest(pool=self._pool, agent_id=agent_id, session=session)
        watch = self._caller.watch(self._agents.WatchOffers, request, token=token)
        async for message, begins in watch:
            yield results.offers_step_of(message, begins=begins)
