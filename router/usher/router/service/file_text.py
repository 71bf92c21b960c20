"""Writes a policy or a roster as TOML text that `files` reads back as an equal one.

A policy is written with every value, so that the file means the same under later defaults; of an
agent only what differs from the default. The version of branches is not written: a reader makes it
of those of the two files.
"""

import json
import re

import msgspec
from msgspec import Struct

from usher.queue.branches import Branch, Branches
from usher.queue.rules import AgentProfile, Capacity, ChannelRules, Policy, QueueRules, Roster
from usher.router.branch_policy import WEEKDAYS, minute_text
from usher.router.service.durations import duration_text
from usher.router.service.file_hours import openings_text
from usher.router.service.file_shape import NEVER

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ID_ONLY = AgentProfile(id="x", capacity=Capacity(units=1, channels={}))


def write_policy(policy: Policy, branches: Branches | None = None) -> str:
    """Returns the TOML text of a sound policy, with services and branches if they are given."""
    lines = _pairs({**_plain(policy), "queues": None, "channels": None})
    for name, rules in policy.channels.items():
        lines += ["", _header("channels", name), *_pairs(_channel(rules))]
    for queue in policy.queues:
        lines += ["", _header("queues", queue.name), *_pairs(_queue(queue))]
    if branches is not None:
        for service in branches.services:
            lines += ["", "[[services]]", *_pairs(_plain(service))]
        for branch in branches.branches:
            lines += _branch_lines(branch)
    return "\n".join(lines) + "\n"


def _branch_lines(branch: Branch) -> list[str]:
    week = {WEEKDAYS[hours.weekday]: openings_text(hours.openings) for hours in branch.week}
    dates = {special.date: openings_text(special.openings) for special in branch.dates}
    plain = {**_plain(branch), "week": None, "lines": None, "hours": week, "dates": dates}
    lines = ["", "[[branches]]", *_pairs(plain)]
    for line in branch.lines:
        lines += ["", "[[branches.lines]]", *_pairs(_plain(line))]
    return lines


def write_roster(roster: Roster, branches: Branches | None = None) -> str:
    """Returns the TOML text of a sound roster, with desks if branches are given.

    Equal capacities stand once, with a made-up name.
    """
    names: dict[bytes, str] = {}
    lines = _pairs({"version": roster.version})
    for agent in roster.agents:
        key = _capacity_key(agent.capacity)
        if key not in names:
            names[key] = f"capacity_{len(names) + 1}"
            lines += ["", _header("capacities", names[key]), *_pairs(_plain(agent.capacity))]
    for agent in roster.agents:
        entry = {"capacity": names[_capacity_key(agent.capacity)], **_own_values(agent)}
        lines += ["", _header("agents", agent.id), *_pairs(entry)]
    for desk in branches.desks if branches is not None else ():
        lines += ["", "[[desks]]", *_pairs(_plain(desk))]
    return "\n".join(lines) + "\n"


def _channel(rules: ChannelRules) -> dict[str, object]:
    plain = _plain(rules)
    # Left out would mean the channel's default, which may be a time.
    return {**plain, "lost_grace": NEVER} if rules.lost_grace_ms is None else plain


def _queue(queue: QueueRules) -> dict[str, object]:
    return {key: value for key, value in _plain(queue).items() if key != "name"}


def _own_values(agent: AgentProfile) -> dict[str, object]:
    default = _plain(_ID_ONLY)
    return {
        key: value
        for key, value in _plain(agent).items()
        if key not in ("id", "capacity") and value != default[key]
    }


def _capacity_key(capacity: Capacity) -> bytes:
    return msgspec.json.encode(capacity, order="deterministic")


def _plain(value: Struct) -> dict[str, object]:
    """Returns the fields as a file writes them, durations and times as text; None stays None."""
    fields: dict[str, object] = msgspec.to_builtins(value)
    return dict(_file_pair(key, one) for key, one in fields.items())


def _file_pair(key: str, value: object) -> tuple[str, object]:
    if key.endswith("_ms") and isinstance(value, int):
        return key.removesuffix("_ms"), duration_text(value)
    if key.endswith("_min") and isinstance(value, int):
        return key.removesuffix("_min"), minute_text(value)
    return key, value


def _pairs(fields: dict[str, object]) -> list[str]:
    """Returns a line per field; TOML has no null, a field without a value is left out."""
    return [f"{_key(key)} = {_value(one)}" for key, one in fields.items() if one is not None]


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return _quoted(value)
        case dict():
            inner = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return "[" + ", ".join(_value(one) for one in value) + "]"
        case _:
            raise NotImplementedError(f"no TOML form for {type(value).__name__}")


def _header(*names: str) -> str:
    return "[" + ".".join(_key(name) for name in names) + "]"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, but JSON leaves DEL as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
