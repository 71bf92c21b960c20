"""Policy and roster files: read and checked as a whole, or refused with everything that is wrong.

    bytes -> TOML -> shape (file_shape) -> structs -> checks across values (policy, branch_policy)

A refusal holds one finding per line: file, line, place in the file, what was found, what is
expected. `examples/policy.toml` and `examples/roster.toml` say what the files hold.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias, TypeVar, cast

import msgspec
from msgspec import Struct

from usher.queue.branches import Branches
from usher.queue.rules import DEFAULT_CHANNELS, AgentProfile, Capacity, Policy, Roster
from usher.queue.values import ChannelName
from usher.router.findings import Finding, Place, Reason, Severity, errors_of, place_text
from usher.router.policy import check_capacity, check_policy, check_roster, known_channels
from usher.router.service.file_branches import NEEDS_ALL, BranchTables, Row
from usher.router.service.file_lines import key_lines, line_of
from usher.router.service.file_shape import (
    ShapeReader,
    ShapeReason,
    policy_shape,
    roster_shape,
)
from usher.router.service.file_text import write_policy, write_roster

__all__ = [
    "Configuration",
    "FileFinding",
    "FileRefused",
    "PolicyFile",
    "read_configuration",
    "read_policy",
    "read_roster",
    "write_policy",
    "write_roster",
]

FILE_BYTES_MAX = 64 * 1024 * 1024

_Tables: TypeAlias = dict[str, dict[str, object]]
_UNREAD = "unread"  # in place of a version that is missing or wrong, while the rest is checked
_NO_CAPACITY: dict[str, object] = {"units": 1, "channels": {}}

_NEEDS_ALL = NEEDS_ALL | {
    Reason.NO_QUEUE,
    Reason.UNKNOWN_GROUP,
    Reason.SKILL_UNHELD,
    Reason.QUEUE_UNSERVED,
}
"""Findings that mean nothing while a table is left out because of its shape."""


IN_POLICY_FILE = {("queues",), ("channels",), ("services",), ("branches",)}
"""Where the findings of a policy file begin: tables of that file alone."""

_BRANCH_TABLES = ("services", "branches", "desks")


class FileFinding(Struct, frozen=True):
    """One thing that is wrong in a file. `line` 0 = it stands in another file than the one read."""

    file: str
    line: int
    place: str
    reason: str
    message: str
    severity: Severity

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        place = f"{self.place}: " if self.place else ""
        mark = "warning: " if self.severity is Severity.WARNING else ""
        return f"{where}: {mark}{place}{self.message}"


class FileRefused(Exception):
    """A policy or roster that cannot be used; `findings` holds all errors, and the warnings."""

    def __init__(self, findings: Iterable[FileFinding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class Configuration(Struct, frozen=True):
    """A sound policy and roster, the branches if there are any, and what is doubtful about them."""

    policy: Policy
    roster: Roster
    branches: Branches | None
    warnings: tuple[FileFinding, ...]


class PolicyFile:
    """A policy file whose roster is elsewhere. Raises `FileRefused` if the policy is not sound.

    `branches`: its services and branches, without desks; None if there are none. Their values have
    not been checked: that needs a roster and desks (`usher.router.branch_policy`).
    """

    def __init__(self, path: Path) -> None:
        self._file = TomlFile(path)
        policy, read, findings = _read_policy(self._file)
        self.policy = _sound(policy, self._file.located(findings))
        self._tables = BranchTables(read, {}, findings)
        self.branches = self._tables.plan(self.policy, Roster(version=self.policy.version))

    def located(self, findings: Iterable[Finding]) -> list[FileFinding]:
        """Returns findings about policy, services and branches with their lines in this file."""
        return self._file.located(self._tables.as_written(findings))


def read_policy(path: Path) -> Policy:
    """Returns the policy of a file, without its branches: those need a roster to be judged.

    Raises `FileRefused`, also when the file cannot be read at all.
    """
    return PolicyFile(path).policy


def read_roster(path: Path, policy: Policy) -> Roster:
    """Returns the roster of a file, fit for the policy, without desks. Raises `FileRefused`."""
    file = TomlFile(path)
    roster, _, findings = _read_roster(file, policy)
    return _sound(roster, file.located(findings))


def read_configuration(policy_path: Path, roster_path: Path) -> Configuration:
    """Returns policy, roster and the warnings about them.

    Raises `FileRefused` with the findings of both files, each at its line in its own file.
    """
    policy_file, roster_file = TomlFile(policy_path), TomlFile(roster_path)
    policy, of_policy, findings = _read_policy(policy_file)
    roster, of_roster, more = _read_roster(roster_file, policy)
    if errors_of(findings):
        more = [finding for finding in more if finding.reason not in _NEEDS_ALL]
    branches = None
    if policy is not None and roster is not None:
        tables = BranchTables(of_policy, of_roster, [*findings, *more])
        branches = tables.plan(policy, roster)
        if branches is not None:
            more += _unless_left_out(tables.check(branches, policy, roster), [*findings, *more])
    of_agents = [finding for finding in more if finding.place[:1] not in IN_POLICY_FILE]
    others = [finding for finding in more if finding.place[:1] in IN_POLICY_FILE]
    located = [*policy_file.located([*findings, *others]), *roster_file.located(of_agents)]
    return Configuration(_sound(policy, located), _sound(roster, located), branches, tuple(located))


def _unless_left_out(found: list[Finding], before: list[Finding]) -> list[Finding]:
    if not any(isinstance(one.reason, ShapeReason) for one in before):
        return found
    return [finding for finding in found if finding.reason not in _NEEDS_ALL]


_Read = TypeVar("_Read", Policy, Roster)


def _sound(value: _Read | None, findings: list[FileFinding]) -> _Read:
    if value is None or any(finding.severity is Severity.ERROR for finding in findings):
        raise FileRefused(findings)
    return value


def _read_policy(file: "TomlFile") -> tuple[Policy | None, Row, list[Finding]]:
    """Returns the policy, without the tables whose shape is wrong, what was read, all findings."""
    if file.values is None:
        return None, {}, file.findings
    reader = ShapeReader()
    read = reader.read_struct(file.values, policy_shape(), ())
    queues, channels = _tables(read, "queues"), _tables(read, "channels")
    plain = {
        "version": _UNREAD,
        **{
            key: value
            for key, value in read.items()
            if value is not None and key not in _BRANCH_TABLES
        },
        "queues": [{"name": name, **queue} for name, queue in queues.items()],
        # A channel with a wrong rule is still known to the queues that name it.
        "channels": {
            name: {**_channel_defaults(name), **channels.get(name, {})}
            for name in _tables(file.values, "channels")
        },
    }
    policy = msgspec.convert(plain, Policy)
    return policy, read, _joined(reader.findings, check_policy(policy))


def _channel_defaults(name: str) -> dict[str, object]:
    """Returns what a file leaves out of a built-in channel's table: that channel's own defaults."""
    rules = DEFAULT_CHANNELS.get(ChannelName(name))
    return {} if rules is None else msgspec.to_builtins(rules)


def _read_roster(
    file: "TomlFile", policy: Policy | None
) -> tuple[Roster | None, Row, list[Finding]]:
    """Returns the roster, without the tables whose shape is wrong, what was read, all findings.

    Without a policy only the shape is checked.
    """
    if file.values is None:
        return None, {}, file.findings
    reader = ShapeReader()
    read = reader.read_struct(file.values, roster_shape(), ())
    capacities = {
        name: msgspec.convert(plain, Capacity)
        for name, plain in _tables(read, "capacities").items()
    }
    entries = _tables(read, "agents")
    named = set(_tables(file.values, "capacities"))
    unknown = _unknown_capacities(_tables(file.values, "agents"), named)
    findings = _joined(reader.findings, unknown)
    roster = Roster(
        version=cast(str, read.get("version") or _UNREAD),
        agents=tuple(
            _agent(name, entry, capacities[str(entry["capacity"])])
            for name, entry in entries.items()
            if entry["capacity"] in capacities
        ),
    )
    if policy is None:
        return roster, read, findings
    return roster, read, _joined(findings, _check_roster(roster, capacities, policy))


def _agent(name: str, entry: dict[str, object], capacity: Capacity) -> AgentProfile:
    # One capacity object for all agents who have it: a large roster names it thousands of times.
    profile = msgspec.convert({**entry, "id": name, "capacity": _NO_CAPACITY}, AgentProfile)
    return msgspec.structs.replace(profile, capacity=capacity)


def _unknown_capacities(agents: _Tables, named: set[str]) -> Iterator[Finding]:
    for name, entry in agents.items():
        capacity = entry.get("capacity") if isinstance(entry, dict) else None
        if isinstance(capacity, str) and capacity not in named:
            known = ", ".join(sorted(named)) or "none"
            message = f'found capacity "{capacity}", expected one of [capacities]: {known}'
            yield Finding(("agents", name, "capacity"), ShapeReason.UNKNOWN_CAPACITY, message)


def _check_roster(
    roster: Roster, capacities: dict[str, Capacity], policy: Policy
) -> Iterator[Finding]:
    for name, capacity in capacities.items():
        yield from check_capacity(("capacities", name), capacity, known_channels(policy))
    for finding in check_roster(roster, policy):
        if finding.place[2:3] != ("capacity",):  # in a file it stands in a table of its own
            yield finding


def _joined(of_shape: list[Finding], of_values: Iterable[Finding]) -> list[Finding]:
    """Returns both, without what a left-out table alone brought about, or what was said already."""
    if not of_shape:
        return list(of_values)
    places = {finding.place for finding in of_shape}
    return of_shape + [
        finding
        for finding in of_values
        if finding.place not in places and finding.reason not in _NEEDS_ALL
    ]


def _tables(values: Mapping[str, object], key: str) -> _Tables:
    found = values.get(key)
    return cast(_Tables, found) if isinstance(found, dict) else {}


class TomlFile:
    """A file as TOML read it: `values` None if it could not, `findings` then says why."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.text = ""
        self.values: dict[str, object] | None = None
        self.findings: list[Finding] = []
        self.syntax_line = 0
        try:
            self.text = _read_text(path)
            self.values = tomllib.loads(self.text)
        except _Unreadable as error:
            self._refuse(ShapeReason.NOT_READABLE, str(error))
        except RecursionError:
            self._refuse(ShapeReason.SYNTAX, "found lists or tables nested too deep to be read")
        except ValueError as error:  # bad TOML, or a number with too many digits
            line = re.search(r"at line ([0-9]+)", str(error))
            self.syntax_line = int(line[1]) if line else len(self.text.splitlines())
            self._refuse(ShapeReason.SYNTAX, f"no valid TOML: {error}")

    def located(self, findings: Iterable[Finding]) -> list[FileFinding]:
        """Returns the findings with the lines where they stand in this file, by line."""
        kept = list(findings)
        lines = key_lines(self.text) if kept and self.values is not None else {}
        located = [
            FileFinding(
                self.name,
                self._line(lines, one.place),
                place_text(one.place),
                one.reason,
                one.message,
                one.severity,
            )
            for one in kept
        ]
        return sorted(located, key=lambda finding: finding.line)

    def _line(self, lines: dict[Place, int], place: Place) -> int:
        if self.values is None:
            return self.syntax_line
        elsewhere = place[:1] == ("queues",) and "queues" not in self.values
        return 0 if elsewhere else line_of(lines, place)

    def _refuse(self, reason: ShapeReason, message: str) -> None:
        self.findings.append(Finding((), reason, message))


class _Unreadable(Exception):
    """The bytes cannot be had, or are no text."""


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror}") from error
    if len(raw) > FILE_BYTES_MAX:
        raise _Unreadable(f"found more than {FILE_BYTES_MAX} bytes, expected at most that many")
    try:
        return raw.decode("utf-8-sig")  # some editors put a byte order mark in front
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _Unreadable(f"line {line} is no valid UTF-8") from error
