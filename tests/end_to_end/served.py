"""A real server on loopback inside the test's process, with raw stubs and the typed client."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from tests.router import pool_kit as kit

from usher.queue.branches import Branches
from usher.queue.journal.contract import Journal
from usher.queue.rules import Policy, Roster
from usher.router.client import Patience, Usher, connect
from usher.router.service.server import Server, running_server
from usher.router.service.settings import Settings
from usher.v1.agent_service_pb2_grpc import AgentServiceStub
from usher.v1.router_service_pb2_grpc import RouterServiceStub
from usher.v1.server_service_pb2_grpc import ServerServiceStub

BOTH = {"chat": (1, 1, 0), "voice": (1, 1, 0)}
QUICK = Patience(call_s=5.0, total_s=5.0, pause_s=0.01, pause_most_s=0.1)


def policy(**rules: Any) -> Policy:
    """A queue `main` for all channels, one `chats` for chats, one that takes nobody waiting."""
    queues = (
        kit.queue("main"),
        kit.queue("chats", channels=("chat",)),
        kit.queue("now", most_waiting=0),
    )
    return kit.policy(*queues, **rules)


def roster(*names: str, channels: dict[str, kit.Price] | None = None, units: int = 1) -> Roster:
    """Agents of these names for chats and calls, one at a time unless told otherwise."""
    return kit.roster(*(kit.profile(name, units, channels=channels or BOTH) for name in names))


class Served:
    """A running server with what tests call it by."""

    def __init__(self, server: Server, channel: grpc.aio.Channel) -> None:
        self.server = server
        self.address = server.address
        self.channel: Any = channel
        self.router: Any = RouterServiceStub(channel)
        self.agents: Any = AgentServiceStub(channel)
        self.about: Any = ServerServiceStub(channel)

    def client(self, actor: str = "platform/default", patience: Patience = QUICK) -> Usher:
        """A typed client of its own connection."""
        return connect(self.address, actor=actor, patience=patience)


@contextlib.asynccontextmanager
async def served(
    rules: Policy | None = None,
    agents: Roster | None = None,
    *,
    branches: Branches | None = None,
    journal: Journal | None = None,
    data_dir: Path | None = None,
    **settings: Any,
) -> AsyncIterator[Served]:
    """Serves on a free port; in memory unless a folder or a journal is given."""
    kept = str(data_dir) if data_dir else ":memory:"
    read = Settings(**{"data_dir": kept, "listen": "127.0.0.1:0", **settings})
    rules, agents = rules or policy(), agents or roster("anna", "bert")
    async with (
        running_server(read, rules, agents, branches=branches, journal=journal) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield Served(server, channel)


class Refusal:
    """What a refused call tells: code, reason and details."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code()
        self.message = error.details() or ""
        self.info = error_details_pb2.ErrorInfo()
        self.retry_s = 0.0
        self.fields: dict[str, str] = {}
        self.infos = 0
        self.details: list[str] = []
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin" and isinstance(value, bytes):
                self._read(status_pb2.Status.FromString(value))

    @property
    def reason(self) -> str:
        """The stable reason."""
        return self.info.reason

    @property
    def facts(self) -> dict[str, str]:
        """The values of the message."""
        return dict(self.info.metadata)

    def _read(self, status: status_pb2.Status) -> None:
        for detail in status.details:
            self.details.append(detail.type_url.rpartition(".")[2])
            retry, bad = error_details_pb2.RetryInfo(), error_details_pb2.BadRequest()
            if detail.Unpack(retry):
                self.retry_s = retry.retry_delay.ToTimedelta().total_seconds()
            elif detail.Unpack(bad):
                self.fields |= {one.field: one.description for one in bad.field_violations}
            elif detail.Unpack(self.info):
                self.infos += 1


async def refused(call: Any) -> Refusal:
    """Returns how the call was refused; fails if it was not."""
    try:
        reply = await call
    except grpc.aio.AioRpcError as error:
        return Refusal(error)
    raise AssertionError(f"not refused: {reply}")
