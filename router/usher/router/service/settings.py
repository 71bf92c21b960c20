"""Settings of a server: read once, checked, printable. Flags before environment before file before
defaults.

A file is TOML with these names; in the environment they are USHER_ and the name in capitals.
Durations are whole milliseconds. It must not know what the settings are used for."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

PREFIX = "USHER_"
IN_MEMORY = ":memory:"

Count = Annotated[int, Meta(ge=1, le=10_000_000)]
DurationMs = Annotated[int, Meta(ge=0, le=30 * 24 * 3600 * 1000)]


class SettingsError(Exception):
    """A setting is wrong; the message names the source, the setting and the rule."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings, with their defaults.

    `journal`: where the journal lies, redis://...; empty = embedded, in `data_dir`.
    `turn_every_ms`: a busy server lets commands gather for so long to share a batch and its sync.
    `batch_contacts_max`: contacts executed as one batch. `requests_max`, `requests_kept_ms`: how
    many answers are remembered, and how long. `feed_*`: what is kept for watches that resume.
    `watch_batches_max`: what one slow watch may leave unread. `snapshot_records`,
    `snapshot_every_ms`: a snapshot is due after so many records, or so long after the last one if
    something changed. `journal_full_pause_ms`: how long commands are refused at once after the disk
    was full. `retention_days`: what is older leaves the journal for archive files; 0 = all is kept.
    `archive_dir`: their folder; empty = `archive` in `data_dir`."""

    data_dir: Annotated[str, Meta(min_length=1, max_length=4096)] = "usher-data"
    journal: Annotated[str, Meta(pattern=r"^($|(redis|rediss|unix)://)", max_length=4096)] = ""
    listen: Annotated[str, Meta(pattern=r"^(\S+:[0-9]{1,5}|unix:\S+)$")] = "127.0.0.1:7460"
    policy: str = ""
    roster: str = ""
    clock_rate: Annotated[int, Meta(ge=1, le=10_000)] = 1
    inbox_contacts_max: Count = 10_000
    turn_every_ms: Annotated[int, Meta(ge=0, le=1_000)] = 10
    batch_contacts_max: Annotated[int, Meta(ge=1, le=10_000)] = 256
    requests_max: Count = 200_000
    requests_kept_ms: DurationMs = 24 * 3600 * 1000
    feed_batches_max: Count = 10_000
    feed_records_max: Count = 50_000
    watches_max: Count = 10_000
    watch_batches_max: Count = 2_000
    snapshot_records: Count = 200_000
    snapshot_every_ms: DurationMs = 15 * 60 * 1000
    journal_full_pause_ms: DurationMs = 1_000
    retention_days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    archive_dir: Annotated[str, Meta(max_length=4096)] = ""
    lease_default_ms: Annotated[int, Meta(ge=1_000, le=24 * 3600 * 1000)] = 30_000
    drain_ms: DurationMs = 10_000
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def read_settings(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Returns the settings; flags that are None count as not given. Raises SettingsError."""
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if file is not None:
        layers.append((str(file), _from_file(file)))
    layers.append(("environment", _from_environment(environment or {})))
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    layers.append(("flags", given))
    merged: dict[str, Any] = {}
    for source, layer in layers:
        _checked(source, layer)
        merged |= layer
    return _checked("settings", merged)


def printable(settings: Settings) -> dict[str, object]:
    """Returns all settings by name, as plain values without passwords."""
    values: dict[str, object] = msgspec.structs.asdict(settings)
    if settings.journal:
        from usher.queue.journal.redis_place import masked

        values["journal"] = masked(settings.journal)
    return values


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    names = Settings.__struct_fields__
    return {
        name: environment[PREFIX + name.upper()]
        for name in names
        if PREFIX + name.upper() in environment
    }


def _checked(source: str, layer: Mapping[str, Any]) -> Settings:
    try:
        return msgspec.convert(dict(layer), Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{source}: {error}") from error
