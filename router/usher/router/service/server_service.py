"""ServerService: what the server tells of itself."""

import time
from collections.abc import Mapping

from usher.queue.values import Actor
from usher.router.policy import policy_digest, roster_digest
from usher.router.pool import Pool
from usher.router.service.access import DEFAULT_PLATFORM
from usher.router.service.rpc import Method, Unary
from usher.router.service.served import Call
from usher.router.service.telemetry import percentile
from usher.router.service.wire import fields
from usher.router.service.wire.server import pool_counters
from usher.v1 import server_service_pb2 as pb

NAME = "usher.v1.ServerService"


async def get_server(_request: pb.GetServerRequest, call: Call) -> bytes:
    """Returns what runs, under which rules, and how safe the journal is."""
    runner, journal = call.pool.runner, call.pool.journal

    def view(pool: Pool) -> pb.GetServerResponse:
        ledger = pool.ledger
        usher_version, numpy_version, scipy_version = ledger.versions
        return pb.GetServerResponse(
            usher_version=usher_version,
            numpy_version=numpy_version,
            scipy_version=scipy_version,
            policy_version=ledger.policy.version if ledger.policy else "",
            policy_digest=policy_digest(ledger.policy) if ledger.policy else "",
            roster_version=ledger.roster.version if ledger.roster else "",
            roster_digest=roster_digest(ledger.roster) if ledger.roster else "",
            position=pool.position,
            counters=pool_counters(ledger),
        )

    reply = await runner.read(view)
    reply.server_time.CopyFrom(fields.time_of(runner.clock.now_ms()))
    reply.clock_rate = runner.clock.rate
    reply.journal_incarnation = journal.incarnation
    reply.durability = journal.durability
    for name, count in _figures(call).items():
        reply.counters[name] = count
    return reply.SerializeToString()


def _figures(call: Call) -> dict[str, int]:
    """Counts since the start. Times in microseconds: appends as the loop sees them, syncs alone."""
    figures = call.pool.runner.counters.figures()
    syncs_ms = sorted(call.pool.journal.sync_times_ms())
    return {
        **{f"commands_{name}": count for name, count in figures.commands.items()},
        **{f"refusals_{name}": count for name, count in figures.refusals.items()},
        "batches": figures.batches,
        "records": figures.records,
        "batch_records_max": figures.batch_records_max,
        "journal_full": figures.journal_full,
        "append_p50_us": round(figures.append_p50_ms * 1000),
        "append_p99_us": round(figures.append_p99_ms * 1000),
        "sync_p50_us": round(percentile(syncs_ms, 0.50) * 1000),
        "sync_p99_us": round(percentile(syncs_ms, 0.99) * 1000),
        "cpu_us": time.process_time_ns() // 1000,
    }


def _anyone(_request: object) -> Actor:
    return DEFAULT_PLATFORM


METHODS: Mapping[str, Method] = {"GetServer": Unary(pb.GetServerRequest, get_server, _anyone)}
