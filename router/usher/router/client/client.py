"""The client: every call of the services with plain Python values and typed results.

    async with connect("127.0.0.1:7460") as usher:
        placed = await usher.enqueue("service", "voice", attributes={"name": "Zoe"})

It makes request ids, and repeats a call that got no answer under the same id. It must not know how
a server is built.
"""

from collections.abc import AsyncGenerator
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Final, Self

import grpc

from usher.queue.values import Presence
from usher.router.client.branch_desk import BranchDesk
from usher.router.client.calls import Caller, Patience
from usher.router.client.desk import Desk, DeskCalls
from usher.router.client.kiosk import Kiosk
from usher.router.client.pictures import BoardKeeper, BoardPicture, pictures
from usher.router.client.results import ServerInfo, server_of
from usher.v1.agent_service_pb2_grpc import AgentServiceStub
from usher.v1.router_service_pb2_grpc import RouterServiceStub
from usher.v1.server_service_pb2 import GetServerRequest
from usher.v1.server_service_pb2_grpc import ServerServiceStub
from usher.v1.walk_in_service_pb2_grpc import WalkInServiceStub

PLATFORM: Final = "platform/default"
PATIENCE: Final = Patience()
OPTIONS: Final = (
    ("grpc.enable_retries", 0),  # we repeat ourselves, under one request id and one patience
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)


class Usher(DeskCalls):
    """A connection to one pool, in the name of one actor. Used as an async context."""

    def __init__(
        self, channel: grpc.aio.Channel, *, pool: str, actor: str, patience: Patience
    ) -> None:
        self._channel = channel
        self._pool = pool
        self._patience = patience
        self._caller = Caller(actor, patience)
        self._router = RouterServiceStub(channel)
        self._agents = AgentServiceStub(channel)
        self._walk_ins = WalkInServiceStub(channel)
        self._server = ServerServiceStub(channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._channel.close()

    async def server(self) -> ServerInfo:
        """Returns what runs, under which rules, and how safe its journal is."""
        request = GetServerRequest(pool=self._pool)
        return server_of(await self._caller.call(self._server.GetServer, request))

    def agent(
        self,
        agent_id: str,
        *,
        presence: Presence = Presence.READY,
        lease: timedelta | None = None,
    ) -> Desk:
        """Returns the agent's desk, to be opened by `async with`: signs in, and out at its end."""
        return Desk(self._as_agent(agent_id), agent_id, presence, lease)

    def kiosk(self, branch: str) -> Kiosk:
        """Returns a kiosk of the branch."""
        return Kiosk(self, branch)

    def branch_desk(
        self,
        branch: str,
        desk: str,
        *,
        agent_id: str,
        presence: Presence = Presence.READY,
        lease: timedelta | None = None,
    ) -> BranchDesk:
        """Returns a desk of the branch with its clerk, to be opened by `async with`.

        A clerk who is not ready calls visitors all the same, and is offered nothing beside them.
        """
        itself = self._as_agent(agent_id)
        return BranchDesk(itself, (branch, desk), agent_id, presence, lease)

    def board(self, branch: str) -> AsyncGenerator[BoardPicture, None]:
        """Yields what the branch's board shows after each change; resumes by itself.

        Raises UsherError, but goes on for ever once it has shown something: while the server is
        silent the picture comes again with its `age_s`.
        """
        return pictures(partial(self.watch_board, branch), BoardKeeper().take_in)

    def _as_agent(self, agent_id: str) -> "Usher":
        actor = f"agent/{agent_id}"
        return Usher(self._channel, pool=self._pool, actor=actor, patience=self._patience)


def connect(
    address: str = "127.0.0.1:7460",
    *,
    pool: str = "",
    actor: str = PLATFORM,
    patience: Patience = PATIENCE,
) -> Usher:
    """Returns a connection, to be used by `async with` inside a running event loop.

    `actor` is `platform/<id>`, `supervisor/<id>` or `agent/<id>`; a desk speaks as its own agent.
    """
    channel = grpc.aio.insecure_channel(address, options=OPTIONS)
    return Usher(channel, pool=pool, actor=actor, patience=patience)
