"""Writes a policy or a roster as TOML text that `files` reads back as an equal one.

A policy is written with every value, so that the file means the same under later defaults; of an
agent only what differs from the default. The version of branches is not written: a reader makes it
of those of the two files.
"""

import msgspec
from msgspec import Struct

from usher.queue.branches import Branch, Branches
from usher.queue.rules import AgentProfile, Capacity, ChannelRules, Policy, QueueRules, Roster
from usher.router.branch_policy import WEEKDAYS
from usher.router.service.file_hours import openings_text
from usher.router.service.file_shape import NEVER
from usher.router.service.toml_text import file_pair, header, pairs

_ID_ONLY = AgentProfile(id="x", capacity=Capacity(units=1, channels={}))


def write_policy(policy: Policy, branches: Branches | None = None) -> str:
    """Returns the TOML text of a sound policy, with services and branches if they are given."""
    lines = pairs({**_plain(policy), "queues": None, "channels": None})
    for name, rules in policy.channels.items():
        lines += ["", header("channels", name), *pairs(_channel(rules))]
    for queue in policy.queues:
        lines += ["", header("queues", queue.name), *pairs(_queue(queue))]
    if branches is not None:
        for service in branches.services:
            lines += ["", "[[services]]", *pairs(_plain(service))]
        for branch in branches.branches:
            lines += _branch_lines(branch)
    return "\n".join(lines) + "\n"


def _branch_lines(branch: Branch) -> list[str]:
    week = {WEEKDAYS[hours.weekday]: openings_text(hours.openings) for hours in branch.week}
    dates = {special.date: openings_text(special.openings) for special in branch.dates}
    plain = {**_plain(branch), "week": None, "lines": None, "hours": week, "dates": dates}
    lines = ["", "[[branches]]", *pairs(plain)]
    for line in branch.lines:
        lines += ["", "[[branches.lines]]", *pairs(_plain(line))]
    return lines


def write_roster(roster: Roster, branches: Branches | None = None) -> str:
    """Returns the TOML text of a sound roster, with desks if branches are given.

    Equal capacities stand once, with a made-up name.
    """
    names: dict[bytes, str] = {}
    lines = pairs({"version": roster.version})
    for agent in roster.agents:
        key = _capacity_key(agent.capacity)
        if key not in names:
            names[key] = f"capacity_{len(names) + 1}"
            lines += ["", header("capacities", names[key]), *pairs(_plain(agent.capacity))]
    for agent in roster.agents:
        entry = {"capacity": names[_capacity_key(agent.capacity)], **_own_values(agent)}
        lines += ["", header("agents", agent.id), *pairs(entry)]
    for desk in branches.desks if branches is not None else ():
        lines += ["", "[[desks]]", *pairs(_plain(desk))]
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
    return dict(file_pair(key, one) for key, one in fields.items())
