"""The one place where a server is put together, and taken apart in reverse order.

    journal -> pool (snapshot, tail) -> runner -> leases, calendar -> services -> gRPC
    drain: not serving -> admit nothing -> finish, snapshot, end watches -> stop gRPC -> close

A signal drains; a journal that failed ends the process at once with exit code 70, and the restart
rebuilds from what was synced.
"""

import asyncio
import gc
import importlib
import importlib.metadata
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc

from usher.queue.branches import Branches
from usher.queue.journal.contract import Journal
from usher.queue.journal.memory import MemoryJournal
from usher.queue.journal.redis_place import missing
from usher.queue.rules import Policy, Roster
from usher.router.lookups import NotConfigured
from usher.router.service import (
    agent_service,
    router_service,
    server_service,
    threads,
    walk_in_service,
)
from usher.router.service.calendar_keeper import CalendarKeeper
from usher.router.service.clock import Clock
from usher.router.service.health import Health, add_reflection
from usher.router.service.lease import SessionLeases
from usher.router.service.opening import Opened, Versions, open_pool
from usher.router.service.rpc import BATCH_BYTES_MAX, Gate
from usher.router.service.runner import Runner
from usher.router.service.served import MAIN, Pools, ServedPool
from usher.router.service.settings import IN_MEMORY, Settings, printable
from usher.router.service.telemetry import configure_logging, log_loop_error, logger

if TYPE_CHECKING:
    from usher.queue.journal.archive import Archive

JOURNAL_FILE: Final = "main.journal"
EXIT_FATAL: Final = 70
STOP_GRACE_S: Final = 1.0
WATCHDOG_S: Final = 5.0
ANSWERS_S: Final = 0.2
LINE_LOOK_S: Final = 0.05
LINE_LOOKS: Final = 100
LINE_QUIET: Final = 4  # looks in a row without a newcomer: a busy machine hands over slowly

GrpcServer = grpc.aio.Server

WARM_UP_AFTER_S: Final = 2.0
# Records make no cycles and are not tracked; what is imported and loaded is frozen. So collections
# find little, and are rare: each holds every call up meanwhile.
COLLECTED_AFTER: Final = (5_000, 20, 1_000)
OPTIONS: Final = (
    # A kilobyte above our own limit, so that ours, which says more, is met first.
    ("grpc.max_receive_message_length", BATCH_BYTES_MAX + 1024),
    ("grpc.max_metadata_size", 16 * 1024),
    # gRPC cancels at random what it has not handed over, and does not say why. So a connection
    # with more streams than all watches and admitted calls is refused further ones (UNAVAILABLE).
    ("grpc.max_concurrent_streams", 12_000),
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 30_000),
    ("grpc.so_reuseport", 0),  # two servers on one port would share its calls
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)
SERVICES: Final = {
    router_service.NAME: router_service.METHODS,
    agent_service.NAME: agent_service.METHODS,
    walk_in_service.NAME: walk_in_service.METHODS,
    server_service.NAME: server_service.METHODS,
}


class Server:
    """A running server. `address` is where it listens, with the port that it got."""

    def __init__(
        self, address: str, pool: ServedPool, pools: Pools, health: Health, grpc_server: GrpcServer
    ) -> None:
        self.address = address
        self.runner = pool.runner
        self._pool = pool
        self._pools = pools
        self._health = health
        self._grpc_server = grpc_server
        self._drained = False

    async def drain(self) -> None:
        """Takes nothing new, finishes what it has, ends the watches. May be called twice."""
        if self._drained:
            return
        self._drained = True
        logger().info("draining", position=self.runner.pool.position)
        await self._health.draining()
        self._pools.drain()
        await self._pool.leases.stop()
        try:
            async with asyncio.timeout(self.runner.settings.drain_ms / 1000):
                await self.runner.drain()
        except TimeoutError:
            logger().warning("drain_cut_short", position=self.runner.feed.position)
        await self.runner.close()
        await self._answer_the_line()
        await self._grpc_server.stop(STOP_GRACE_S)

    async def _answer_the_line(self) -> None:
        """Turns away who had called already: gRPC would cancel them without a word."""
        quiet = 0
        for _ in range(LINE_LOOKS):
            seen = self._pools.turned_away
            await asyncio.sleep(LINE_LOOK_S)
            quiet = quiet + 1 if seen == self._pools.turned_away else 0
            if quiet == LINE_QUIET:
                return


@asynccontextmanager
async def running_server(
    settings: Settings,
    policy: Policy | None = None,
    roster: Roster | None = None,
    *,
    branches: Branches | None = None,
    journal: Journal | None = None,
    reflection: bool = False,
) -> AsyncIterator[Server]:
    """Serves while the context is open, and drains at its end.

    `policy`, `roster` and `branches` None = those of the journal. `journal` None = the one of the
    settings; a given one is not closed. Raises JournalError, Refused, OSError when it cannot be
    started.
    """
    async with AsyncExitStack() as stack:
        if journal is None:
            journal = await open_journal(settings)
            stack.push_async_callback(journal.close)
        archive = _archive(settings, journal)
        opening = partial(open_pool, journal, policy, roster, branches=branches, archive=archive)
        pool = await _open_pool(stack, settings, journal, opening)
        if archive is not None and settings.retention_days:
            _keep_trimmed(stack, pool.runner, archive)
        pools = Pools({MAIN: pool})
        health = Health(list(SERVICES))
        grpc_server, address = _listen(settings.listen, pools, health, reflection=reflection)
        await grpc_server.start()
        stack.push_async_callback(grpc_server.stop, None)
        server = Server(address, pool, pools, health, grpc_server)
        stack.push_async_callback(server.drain)
        await health.serving()
        follow_store(server.runner, health)
        yield server


def follow_store(runner: Runner, health: Health) -> None:
    """Has the health of the services tell whether the journal's store is there."""
    telling: set[asyncio.Task[None]] = set()  # the loop itself holds on to tasks only weakly

    def tell(is_there: bool) -> None:
        task = asyncio.create_task(health.store(is_there=is_there))
        telling.add(task)
        task.add_done_callback(telling.discard)

    runner.outage.listeners.append(tell)


async def open_journal(settings: Settings) -> Journal:
    """Returns the journal that the settings name; raises JournalError, OSError."""
    if settings.journal:
        return await _open_on_redis(settings.journal)
    if settings.data_dir == IN_MEMORY:
        return MemoryJournal()
    from usher.queue.journal.sqlite import SqliteJournal

    folder = Path(settings.data_dir)
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    return await SqliteJournal.open(folder / JOURNAL_FILE)


async def _open_on_redis(url: str) -> Journal:
    try:
        from usher.queue.journal.redis import RedisJournal
    except ModuleNotFoundError as error:
        raise missing(error) from error
    return await RedisJournal.open(url)


async def _open_pool(
    stack: AsyncExitStack,
    settings: Settings,
    journal: Journal,
    opening: Callable[[Versions, Callable[[int], Clock]], Awaitable[Opened]],
) -> ServedPool:
    versions = Versions(_version("usher-router"), _version("numpy"), _version("scipy"))
    clock_of = partial(Clock, rate=settings.clock_rate)
    opened = await opening(versions, clock_of)
    if opened.pool.ledger.policy is None or opened.pool.ledger.roster is None:
        raise NotConfigured("the journal holds no policy and roster yet: give both")
    runner = Runner(opened, journal, settings)
    stack.push_async_callback(runner.close)
    runner.start()
    leases = SessionLeases(runner)
    await leases.start()
    stack.push_async_callback(leases.stop)
    calendar_keeper = CalendarKeeper(runner)
    calendar_keeper.start()
    stack.push_async_callback(calendar_keeper.stop)
    return ServedPool(MAIN, runner, leases)


def _archive(settings: Settings, journal: Journal) -> "Archive | None":
    """Returns the archive, if there is use for one: a start has no time for imports."""
    if not settings.retention_days and not journal.begins_after:
        return None
    from usher.router.service.retention import archive_of

    return archive_of(settings, journal.incarnation)


def _keep_trimmed(stack: AsyncExitStack, runner: Runner, archive: "Archive") -> None:
    """Has old days of the journal go to the archive while the server runs."""
    from usher.router.service.retention import Retention

    days = runner.settings.retention_days
    retention = Retention(runner.journal, archive, days, lambda: runner.pool.ledger.at_ms)
    retention.start()
    stack.push_async_callback(retention.stop)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"  # run from its sources


def _listen(
    listen: str, pools: Pools, health: Health, *, reflection: bool
) -> tuple[GrpcServer, str]:
    """Returns the gRPC server, not started yet, and its address; raises OSError."""
    server = grpc.aio.server(options=OPTIONS)
    gate = Gate(pools)
    handlers = [gate.handlers(name, methods) for name, methods in SERVICES.items()]
    server.add_generic_rpc_handlers((*handlers, health.handlers()))
    if reflection:
        add_reflection(server, list(SERVICES))
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {listen}: is the port in use?") from error
    host = listen.rpartition(":")[0]
    return server, listen if listen.startswith("unix:") else f"{host}:{port}"


def run(
    settings: Settings,
    policy: Policy | None = None,
    roster: Roster | None = None,
    *,
    branches: Branches | None = None,
    reflection: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> int:
    """Runs `serve` on a loop of its own: uvloop's where it is installed, asyncio's elsewhere."""
    serving = partial(serve, branches=branches, reflection=reflection, on_ready=on_ready)
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(serving(settings, policy, roster))


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


async def serve(
    settings: Settings,
    policy: Policy | None = None,
    roster: Roster | None = None,
    *,
    branches: Branches | None = None,
    reflection: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> int:
    """Serves until a signal; returns the exit code: 0 after a drain, 70 after a fatal error."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_loop_error)
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    starting = partial(running_server, settings, policy, roster, branches=branches)
    async with starting(reflection=reflection) as server:
        gc.set_threshold(*COLLECTED_AFTER)
        gc.enable()
        threads.share()
        configure_logging(settings.log_format, settings.log_level)
        _tell(server, settings)
        if on_ready is not None:
            on_ready(server.address)
        warming = asyncio.create_task(_warm_up(server))
        await _first_of(asked_to_stop, server.runner.failed)
        if server.runner.failed.is_set():
            await asyncio.sleep(ANSWERS_S)  # the UNAVAILABLE answers go out
            os._exit(EXIT_FATAL)
        watchdog = _exit_after(settings.drain_ms / 1000 + WATCHDOG_S)
        warming.cancel()
        await server.drain()
        failed = server.runner.failed.is_set()
    watchdog.cancel()
    logger().info("stopped")
    return EXIT_FATAL if failed else 0


async def _warm_up(server: Server) -> None:
    """Imports the rest beside the first calls: neither start nor first match has time for it."""
    await asyncio.to_thread(importlib.import_module, "usher.router.matching")
    if server.runner.pool.ledger.branches:
        await asyncio.to_thread(_import_walk_ins)
    await asyncio.sleep(WARM_UP_AFTER_S)
    await asyncio.to_thread(_import_solver)
    gc.freeze()


def _import_walk_ins() -> None:
    for name in walk_in_service.IMPORTED_LATER:
        importlib.import_module(name)


def _import_solver() -> None:
    from usher.router.matching import warm_up

    warm_up()


def _tell(server: Server, settings: Settings) -> None:
    """Logs what is served, and how safely."""
    pool, journal, log = server.runner.pool, server.runner.journal, logger()
    usher_version, numpy_version, scipy_version = pool.ledger.versions
    log.info(
        "serving",
        listen=server.address,
        data_dir="" if settings.journal else settings.data_dir,
        journal=printable(settings)["journal"],
        durability=journal.durability,
        incarnation=journal.incarnation,
        position=pool.position,
        contacts=len(pool.ledger.contacts),
        agents=len(pool.ledger.agents),
        clock_rate=settings.clock_rate,
        policy_version=pool.ledger.policy.version if pool.ledger.policy else "",
        roster_version=pool.ledger.roster.version if pool.ledger.roster else "",
        usher_version=usher_version,
        numpy_version=numpy_version,
        scipy_version=scipy_version,
    )
    if not is_loopback(settings.listen):
        log.warning("no_access_control", listen=server.address)


def is_loopback(listen: str) -> bool:
    """Returns whether only this machine can reach the address."""
    host = listen.rpartition(":")[0].strip("[]")
    return listen.startswith("unix:") or host in ("localhost", "::1") or host.startswith("127.")


async def _first_of(*happenings: asyncio.Event) -> None:
    tasks = [asyncio.create_task(event.wait()) for event in happenings]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _exit_after(seconds: float) -> threading.Timer:
    """Ends the process when the drain hangs; all that was answered is synced anyway."""
    timer = threading.Timer(seconds, os._exit, (EXIT_FATAL,))
    timer.daemon = True
    timer.start()
    return timer
