"""What the server tells of itself: log lines and figures, with nothing personal in either.

A log line is an event name with keys. Only keys of the list below get out, with plain short values;
a key that is not listed is dropped and its name is told. Of an exception the kind and the places in
the code are told, never its message: that may hold what a caller sent.

It must not know the pool; commands and refusals are counted by name.
"""

import asyncio
import logging
import sys
import traceback
from collections import Counter, deque
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

from msgspec import Struct

KEYS = frozenset(
    {
        *("event", "level", "timestamp", "dropped", "incident", "error", "trace", "reason"),
        *("position", "records", "contacts", "agents", "count", "batches", "pieces", "size_bytes"),
        *("at_ms", "duration_ms", "wait_ms", "retry_after_ms", "clock_rate", "rate"),
        *("command", "method", "status", "agent_id", "contact_id", "session", "pool", "signal"),
        *("listen", "data_dir", "journal", "durability", "incarnation", "policy_version"),
        *("roster_version", "usher_version", "numpy_version", "scipy_version", "sqlite_version"),
        *("finding", "place", "setting", "value", "source", "port", "process_id", "durable"),
    }
)
TEXT_MOST = 200
SYNCS_KEPT = 4096

EventDict = MutableMapping[str, Any]


def allow_listed(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Returns the event with listed keys and plain values only (a structlog processor)."""
    kept: dict[str, Any] = {}
    dropped: list[str] = []
    for key, value in event.items():
        if key not in KEYS:
            dropped.append(key)
        elif value is None or isinstance(value, bool | int | float):
            kept[key] = value
        elif key == "trace":
            kept[key] = list(value)
        else:
            kept[key] = str(value)[:TEXT_MOST]
    if dropped:
        kept["dropped"] = ",".join(sorted(dropped))
    return kept


def logger() -> Any:
    """Returns structlog's logger. Imported with the first line: a restart serves before that."""
    import structlog

    return structlog.get_logger()


def configure_logging(
    form: str = "console", level: str = "info", out: TextIO | None = None
) -> None:
    """Sets up structlog: `form` is json (a line each) or console; `out` None = stderr."""
    import structlog

    stream = out or sys.stderr
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            allow_listed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def told(error: BaseException) -> dict[str, object]:
    """Returns the keys that tell of an exception: its kind and places, not its message."""
    frames = traceback.extract_tb(error.__traceback__)
    trace = [f"{_module(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "trace": trace[-20:]}


def log_loop_error(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Logs what asyncio would print with its message (for `loop.set_exception_handler`)."""
    error = context.get("exception")
    keys = told(error) if isinstance(error, BaseException) else {}
    logger().error("loop_error", **keys)


def _module(filename: str) -> str:
    return "/".join(filename.replace("\\", "/").split("/")[-2:])


class Figures(Struct, frozen=True):
    """Counters at one moment. Append times are of the last batches, as the loop saw them, in ms."""

    commands: dict[str, int]
    refusals: dict[str, int]
    batches: int
    records: int
    batch_records_max: int
    journal_full: int
    append_p50_ms: float
    append_p99_ms: float


class Counters:
    """What the runner counts; plain attributes, read by GetServer."""

    def __init__(self) -> None:
        self.commands: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.batches = 0
        self.records = 0
        self.batch_records_max = 0
        self.journal_full = 0
        self._append_seconds: deque[float] = deque(maxlen=SYNCS_KEPT)

    def synced(self, records: int, seconds: float) -> None:
        """Counts one synced batch."""
        self.batches += 1
        self.records += records
        self.batch_records_max = max(self.batch_records_max, records)
        self._append_seconds.append(seconds)

    def figures(self) -> Figures:
        """Returns the figures as of now."""
        appends = sorted(self._append_seconds)
        return Figures(
            commands=dict(self.commands),
            refusals=dict(self.refusals),
            batches=self.batches,
            records=self.records,
            batch_records_max=self.batch_records_max,
            journal_full=self.journal_full,
            append_p50_ms=percentile(appends, 0.50) * 1000,
            append_p99_ms=percentile(appends, 0.99) * 1000,
        )


def percentile(ordered: list[float], share: float) -> float:
    """Returns the value at that share of a sorted list (nearest rank); 0 of an empty one."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
