"""`usher load`: replays a day of a call log through a real server and reports what came of it.

    call log -> plan -> policy.toml, roster.toml -> server (own, or a given one)
             -> drive (customers, agents) -> account (nobody lost) -> figures beside the log's

It must not know the console: progress goes to a `Watcher`, the report is returned.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from usher.queue.codec import Record
from usher.router.client.errors import Unavailable
from usher.router.policy import policy_digest, roster_digest
from usher.router.trials.accounting import Account, account
from usher.router.trials.call_log import CallDay
from usher.router.trials.driver import Beside, Drive
from usher.router.trials.gateway import Gateway
from usher.router.trials.journal_reading import reading
from usher.router.trials.load_plan import LoadOptions, LoadPlan, plan_day
from usher.router.trials.load_report import (
    Driving,
    LoadReport,
    connect_ms,
    log_side,
    usher_figures,
)
from usher.router.trials.own_server import OwnServer, own_server
from usher.router.trials.script import Script
from usher.v1 import contact_pb2, server_service_pb2

PLATFORM = "load"
WATCH_EVERY_S = 0.2
DEFAULT_RATE = 60

Watcher = Callable[[Drive], None]
"""Called a few times a second while a drive runs."""


class WrongServer(Exception):
    """The given server is not one for this day: it runs under other rules or has had contacts."""


class LoadJob(Struct, frozen=True, kw_only=True):
    """What is to be replayed, and where."""

    day: CallDay
    options: LoadOptions
    clock_rate: int | None
    """None = that of the target."""
    target: str | None
    """None = a server of our own."""
    folder: Path | None
    """Where the own server keeps its files and journal; None = a temporary folder."""
    bounds_ms: NDArray[np.int64]
    """Bounds of the hours, in ms after the day's midnight."""


async def run_load(job: LoadJob, watcher: Watcher) -> LoadReport:
    """Replays the day and returns the report. Raises LoadPlanError, WrongServer, ServerDown,
    UsherError."""
    plan = plan_day(job.day, job.options)
    with _folder(job.folder) as folder:
        async with AsyncExitStack() as stack:
            own: OwnServer | None = None
            if job.target is None:
                script = plan.script
                rate = job.clock_rate or DEFAULT_RATE
                own = await stack.enter_async_context(
                    own_server(folder, script.policy, script.roster, rate)
                )
            address = own.address if own is not None else str(job.target)
            gateway = await stack.enter_async_context(Gateway(address, PLATFORM))
            run = await drive(plan.script, gateway, watcher, own, expected_rate=job.clock_rate)
        if own is None:
            counted = _counted(plan.script, run, None)
        else:
            with reading(own.data) as journal:  # it has stopped: nothing comes any more
                counted = _counted(plan.script, run, journal.records())
    return _report(job, plan, run, counted)


class Run(Struct, frozen=True, kw_only=True):
    """A drive that has ended, with what the server listed at its end."""

    drive: Drive
    gateway: Gateway
    contacts: list[contact_pb2.Contact]
    server: server_service_pb2.GetServerResponse
    seconds: float


async def drive(
    script: Script,
    gateway: Gateway,
    watcher: Watcher,
    own: OwnServer | None,
    *,
    expected_rate: int | None = None,
    beside: Beside | None = None,
) -> Run:
    """Plays a script against the server behind the gateway. Raises WrongServer, ServerDown."""
    server = await _checked(script, gateway, expected_rate)
    playing = Drive(script, gateway, server.clock_rate, beside)
    began_s = time.monotonic()
    tasks = [asyncio.create_task(_watch(playing, watcher))]
    if own is not None:
        tasks.append(asyncio.create_task(own.ended()))
    run = asyncio.create_task(playing.run())
    try:
        done, _ = await asyncio.wait((run, *tasks), return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        for task in (run, *tasks):
            task.cancel()
        await asyncio.gather(run, *tasks, return_exceptions=True)
    seconds = time.monotonic() - began_s
    watcher(playing)
    contacts = await gateway.contacts()
    server = await gateway.server()
    return Run(drive=playing, gateway=gateway, contacts=contacts, server=server, seconds=seconds)


async def _checked(
    script: Script, gateway: Gateway, expected_rate: int | None
) -> server_service_pb2.GetServerResponse:
    """What the server tells of itself; raises WrongServer if the script is not for it."""
    try:
        server = await gateway.greet()
    except Unavailable as error:
        raise WrongServer(f"no answer from the server: {error.message}") from error
    if expected_rate is not None and server.clock_rate != expected_rate:
        raise WrongServer(
            f"the server's clock runs at rate {server.clock_rate}, expected {expected_rate}"
        )
    for what, found, expected in (
        ("policy", server.policy_digest, policy_digest(script.policy)),
        ("roster", server.roster_digest, roster_digest(script.roster)),
    ):
        if found != expected:
            raise WrongServer(f"the server runs under another {what} than that of {script.name}")
    if any(count for name, count in server.counters.items() if name.startswith("contacts_")):
        raise WrongServer("the server has had contacts already: a replay needs an empty journal")
    return server


async def _watch(playing: Drive, watcher: Watcher) -> None:
    while True:
        await asyncio.sleep(WATCH_EVERY_S)
        if playing.began_ms:
            watcher(playing)


def _counted(script: Script, run: Run, records: Iterator[Record] | None) -> Account:
    planned = [contact.contact_id for contact in script.contacts]
    return account(planned, run.drive.observed, run.contacts, records)


def _report(job: LoadJob, plan: LoadPlan, run: Run, counted: Account) -> LoadReport:
    playing, server = run.drive, run.server
    return LoadReport(
        day=job.day.day.isoformat(),
        after_call_ms=job.options.after_call_ms,
        answer_ms=job.options.answer_ms,
        seed=job.options.seed,
        account=counted,
        usher=usher_figures(
            run.contacts, playing.observed.presence, playing.began_ms, job.bounds_ms
        ),
        log=log_side(plan.calls, job.bounds_ms),
        driving=driving(run),
        server={
            "usher": server.usher_version,
            "numpy": server.numpy_version,
            "scipy": server.scipy_version,
            "policy": server.policy_version,
            "durability": server.durability,
            "position": str(server.position),
            "sync_p99_ms": f"{server.counters.get('sync_p99_us', 0) / 1000:.2f}",
        },
    )


def driving(run: Run) -> Driving:
    """How a drive went."""
    playing = run.drive
    return Driving(
        clock_rate=playing.clock.rate,
        seconds=round(run.seconds, 3),
        calls=sum(run.gateway.calls.values()),
        races=dict(playing.races.most_common()),
        offers=len(playing.observed.offers),
        offer_ends=dict(playing.observed.offer_ends.most_common()),
        lateness=playing.agenda.lateness(),
        connect_ms=connect_ms(run.contacts),
        uncertain_ms=round(playing.clock.uncertain_ms(), 3),
        stalled=playing.stalled,
    )


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with TemporaryDirectory(prefix="usher-load-") as made:
        yield Path(made)
