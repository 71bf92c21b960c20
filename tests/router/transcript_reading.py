"""How transcripts are read: words and options to rules, agents and facts."""

from typing import Any

import msgspec
from tests.router.pool_kit import PLATFORM, profile

from usher.queue.rules import AgentProfile, ChannelRules, QueueRules, Requirement
from usher.queue.values import Actor, ActorKind, AgentId, Relationship, Urgency

Options = dict[str, str]

UNITS_MS = (("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def word(plain: list[str], at: int) -> str:
    """Returns the plain word at a place, or empty."""
    return plain[at] if len(plain) > at else ""


def platform(options: Options) -> Actor:
    """Returns who speaks: the platform named by `from`, or the usual one."""
    return Actor(ActorKind.PLATFORM, options["from"]) if "from" in options else PLATFORM


def duration(text: str) -> int:
    """Returns a duration in ms."""
    for unit, unit_ms in UNITS_MS:
        if text.endswith(unit) and text.removesuffix(unit).isdigit():
            return int(text.removesuffix(unit)) * unit_ms
    return int(text.removesuffix("ms"))


def values_of(options: Options) -> dict[str, Any]:
    """Durations get their unit into the name, numbers and yes become what they are."""
    values: dict[str, Any] = {}
    for name, text in options.items():
        if text[-1] in "hms" and text[0].isdigit():
            values[f"{name}_ms"] = duration(text)
        elif text in ("yes", "no"):
            values[name] = text == "yes"
        else:
            values[name] = int(text) if text.isdigit() else text
    return values


def queue_rules(name: str, options: Options) -> QueueRules:
    """Returns the rules of a queue."""
    lists: dict[str, Any] = {
        key: options.pop(key).split(",") for key in ("channels", "groups") if key in options
    }
    asked = [one.split(":") for one in options.pop("skills", "").split(",") if one]
    needs = [Requirement(skill, int(least), int(wanted)) for skill, least, wanted in asked]
    values: dict[str, Any] = {"name": name, **values_of(options), **lists, "requirements": needs}
    return msgspec.convert(msgspec.to_builtins(values), QueueRules)


def channel_rules(options: Options) -> ChannelRules:
    """Returns the rules of a channel."""
    values = values_of(options)
    if values.get("lost_grace") == "never":
        values["lost_grace_ms"] = values.pop("lost_grace") and None
    return msgspec.convert(values, ChannelRules)


def agent_profile(name: str, units: int, options: Options) -> AgentProfile:
    """Returns an agent of the roster."""
    split = {key: tuple(options.pop(key, "").split(",")) for key in ("groups", "languages")}
    levels = [one.split(":") for one in options.pop("skills", "").split(",") if one]
    prices = {each: tuple(map(int, price.split("/"))) for each, price in options.items()}
    return profile(
        name,
        units,
        channels=prices,
        skills={skill: int(level) for skill, level in levels},
        **{key: tuple(filter(None, value)) for key, value in split.items()},
    )


def facts_of(options: Options) -> dict[str, Any]:
    """Returns what is known of a contact."""
    facts: dict[str, Any] = {}
    if "languages" in options:
        facts["languages"] = tuple(options["languages"].split(","))
    if "waited" in options:
        facts["waited_ms"] = duration(options["waited"])
    if "tier" in options:
        facts["urgency"] = Urgency(tier=int(options["tier"]))
    if "topic" in options:
        facts["topic"] = options["topic"]
    if "knows" in options:
        known = [one.split(":") for one in options["knows"].split(",")]
        facts["relationships"] = tuple(Relationship(AgentId(a), int(s)) for a, s in known)
    return facts
