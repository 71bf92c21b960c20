"""The language of the transcripts: commands in, the full outcome out.

A transcript is text. `#` begins a comment, `>` a command; what is indented is the outcome and is
written by the run: every record with its events and all their figures, or the refusal, then a line
for each contact and agent that was touched. Times are counted from the start (`+20s`).

    > queue NAME [channels=a,b] [groups=a,b] [skills=name:least:wanted,..] [rank= level= order=] ...
    > channel NAME [automatic_accept=yes] [connects=connect] [wrap_up=10s] ...
    > policy VERSION [ended_kept=15m] [contacts_max=9]      takes the queues and channels above it
    > agent NAME UNITS [voice=price/most/wrap-up] ... [groups= skills=name:level languages=]
    > roster VERSION                                        takes the agents above it
    > after 10s | restart 10s
    > enqueue ID QUEUE CHANNEL [languages= waited= tier= knows=ann:900 from=crm]
    > enqueue-all ID:QUEUE:CHANNEL ...
    > update ID [languages= tier= topic=]
    > abandon ID | cancel ID [REASON] | hold ID | resume ID | complete ID [DISPOSITION]
    > connect ID [AGENT] | connect-failed ID [REASON] | requeue ID [QUEUE] [REASON]
    > start ID QUEUE CHANNEL AGENT [joining=yes]            QUEUE `-` = none
    > sync CHANNEL POSITION [ID ...]
    > sign-in AGENT [not_ready=REASON lease=30s] | sign-out AGENT | lose AGENT [session=1]
    > presence AGENT ready|not_ready|draining [REASON]
    > accept|decline|wrapped AGENT LEG [session=1] [from=pbx]
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from tests.router.pool_kit import (
    PLATFORM,
    START_MS,
    Driven,
    new,
    person,
    policy,
    profile,
    replayed,
    roster,
    through_bytes,
)

from usher.queue import commands as c
from usher.queue.errors import Refused
from usher.queue.events import AnyEvent, Event, PolicySet, PoolOpened, RosterSet
from usher.queue.rules import AgentProfile, ChannelRules, QueueRules, Requirement
from usher.queue.state import Agent, Contact, Leg
from usher.queue.values import (
    NEVER_MS,
    SYSTEM,
    Actor,
    ActorKind,
    AgentId,
    ChannelName,
    ContactFacts,
    ContactId,
    LegId,
    LegState,
    Presence,
    QueueName,
    Relationship,
    Urgency,
)

Options = dict[str, str]

MOMENTS = {"due_ms", "pause_until_ms", "wrap_until_ms", "retire_at_ms"}
UNITS_MS = (("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def rewritten(path: Path) -> str:
    """Runs a transcript; returns it with the outcome of this run."""
    play = Play()
    lines: list[str] = []
    for line in path.read_text().splitlines():
        if line.startswith(">"):
            lines += [line, *play.run(line[1:].split())]
        elif not line.startswith(" "):
            lines.append(line)
    play.check_replay()
    return "\n".join(lines) + "\n"


class Play:
    """One run of a transcript."""

    def __init__(self) -> None:
        self._driven = Driven()
        self._driven.after_record = self._show_record
        self._shown: list[str] = []
        self._queues: list[QueueRules] = []
        self._channels: dict[str, ChannelRules] = {}
        self._agents: list[AgentProfile] = []
        self._driven.give(c.OpenPool(SYSTEM, "0.1.0", "2.0", "1.0", 1))
        self._driven.pool.take_changes()

    def run(self, words: list[str]) -> list[str]:
        """Runs one command; returns the lines that tell its outcome."""
        self._shown = []
        verb, *rest = words
        plain = [word for word in rest if "=" not in word]
        options = dict(word.split("=", 1) for word in rest if "=" in word)
        try:
            self._do(verb, plain, options)
        except Refused as refused:
            self._shown.append(f"    refused {refused.reason}: {refused}")
        changes = self._driven.pool.take_changes()
        lines = [line for line in self._shown if line]
        lines += [f"    {_contact(each)}" for each in changes.contacts.values()]
        lines += [f"    {_agent(each)}" for each in changes.agents.values()]
        return lines

    def check_replay(self) -> None:
        """The records lead to the same state again."""
        again = replayed(through_bytes(self._driven.records))
        assert again.state_hash() == self._driven.pool.state_hash()

    def _do(self, verb: str, plain: list[str], options: Options) -> None:
        match verb:
            case "queue":
                self._queues.append(_queue(plain[0], options))
            case "channel":
                self._channels[plain[0]] = _channel_rules(options)
            case "agent":
                self._agents.append(_profile(plain[0], int(plain[1]), options))
            case "after":
                self._driven.wait(_duration(plain[0]))
            case "restart":
                opening = c.OpenPool(SYSTEM, "0.1.1", "2.0", "1.0", 1)
                self._driven.give(opening, after_ms=_duration(plain[0]))
            case _:
                self._driven.give(self._command(verb, plain, options))

    def _command(self, verb: str, plain: list[str], options: Options) -> c.AnyCommand:
        match verb:
            case "policy":
                rules = _values(options)
                set_policy = policy(
                    *self._queues, version=plain[0], channels=self._channels, **rules
                )
                self._queues, self._channels = [], {}
                return c.SetPolicy(SYSTEM, set_policy)
            case "roster":
                agents, self._agents = self._agents, []
                return c.SetRoster(SYSTEM, roster(*agents, version=plain[0]))
            case "sign-in" | "sign-out" | "lose" | "presence" | "accept" | "decline" | "wrapped":
                return self._agent_command(verb, plain, options)
            case _:
                return CONTACT_COMMANDS[verb](_platform(options), plain, options)

    def _agent_command(self, verb: str, plain: list[str], options: Options) -> c.AnyCommand:
        name = AgentId(plain[0])
        agent = self._driven.pool.ledger.agents.get(name)
        own = person(name) if "from" not in options else _platform(options)
        present = agent.session if agent is not None and "from" not in options else 0
        session = int(options.get("session", present))
        match verb:
            case "sign-in":
                reason = options.get("not_ready", "")
                presence = Presence.NOT_READY if reason else Presence.READY
                return c.SignIn(own, name, presence, reason, _duration(options.get("lease", "0s")))
            case "sign-out":
                return c.SignOut(own, name, session)
            case "lose":
                return c.LoseSession(SYSTEM, name, session)
            case "presence":
                return c.SetPresence(own, name, session, Presence(plain[1]), _word(plain, 2))
            case "accept":
                return c.AcceptOffer(own, name, LegId(plain[1]), session)
            case "decline":
                return c.DeclineOffer(own, name, LegId(plain[1]), session, _word(plain, 2))
            case _:
                return c.FinishWrapUp(own, name, LegId(plain[1]), session)

    def _show_record(self) -> None:
        record = self._driven.records[-1]
        at = _moment(record.at_ms)
        self._shown.append(f"    {record.position} {at} {type(record.command).__name__}")
        self._shown += [f"        {_event(event)}" for event in record.events]


Make = Callable[[Actor, list[str], Options], c.AnyCommand]

CONTACT_COMMANDS: dict[str, Make] = {
    "enqueue": lambda by, plain, more: c.EnqueueContact(by, new(*plain, **_facts(more))),
    "enqueue-all": lambda by, plain, more: c.EnqueueContacts(
        by, tuple(new(*each.split(":")) for each in plain)
    ),
    "update": lambda by, plain, more: c.UpdateContact(
        by, ContactId(plain[0]), c.FactChanges(**{**_facts(more)})
    ),
    "abandon": lambda by, plain, more: c.AbandonContact(by, ContactId(plain[0])),
    "cancel": lambda by, plain, more: c.CancelContact(by, ContactId(plain[0]), _word(plain, 1)),
    "hold": lambda by, plain, more: c.HoldContact(by, ContactId(plain[0])),
    "resume": lambda by, plain, more: c.ResumeContact(by, ContactId(plain[0])),
    "complete": lambda by, plain, more: c.CompleteContact(by, ContactId(plain[0]), _word(plain, 1)),
    "connect": lambda by, plain, more: c.ConnectContact(
        by, ContactId(plain[0]), AgentId(_word(plain, 1))
    ),
    "connect-failed": lambda by, plain, more: c.ConnectFailed(
        by, ContactId(plain[0]), _word(plain, 1)
    ),
    "requeue": lambda by, plain, more: c.RequeueContact(
        by, ContactId(plain[0]), QueueName(_word(plain, 1)), _word(plain, 2)
    ),
    "start": lambda by, plain, more: c.StartContact(
        by,
        new(plain[0], plain[1].strip("-"), plain[2], **_facts(more)),
        AgentId(plain[3]),
        LegState.JOINING if "joining" in more else LegState.ACTIVE,
    ),
    "sync": lambda by, plain, more: c.SyncContacts(
        by, ChannelName(plain[0]), int(plain[1]), tuple(map(ContactId, plain[2:]))
    ),
}


# reading


def _word(plain: list[str], at: int) -> str:
    return plain[at] if len(plain) > at else ""


def _platform(options: Options) -> Actor:
    return Actor(ActorKind.PLATFORM, options["from"]) if "from" in options else PLATFORM


def _duration(text: str) -> int:
    for unit, unit_ms in UNITS_MS:
        if text.endswith(unit) and text.removesuffix(unit).isdigit():
            return int(text.removesuffix(unit)) * unit_ms
    return int(text.removesuffix("ms"))


def _values(options: Options) -> dict[str, Any]:
    """Durations get their unit into the name, numbers and yes become what they are."""
    values: dict[str, Any] = {}
    for name, text in options.items():
        if text[-1] in "hms" and text[0].isdigit():
            values[f"{name}_ms"] = _duration(text)
        elif text in ("yes", "no"):
            values[name] = text == "yes"
        else:
            values[name] = int(text) if text.isdigit() else text
    return values


def _queue(name: str, options: Options) -> QueueRules:
    lists: dict[str, Any] = {
        key: options.pop(key).split(",") for key in ("channels", "groups") if key in options
    }
    asked = [one.split(":") for one in options.pop("skills", "").split(",") if one]
    needs = [Requirement(skill, int(least), int(wanted)) for skill, least, wanted in asked]
    values: dict[str, Any] = {"name": name, **_values(options), **lists, "requirements": needs}
    return msgspec.convert(msgspec.to_builtins(values), QueueRules)


def _channel_rules(options: Options) -> ChannelRules:
    values = _values(options)
    if values.get("lost_grace") == "never":
        values["lost_grace_ms"] = values.pop("lost_grace") and None
    return msgspec.convert(values, ChannelRules)


def _profile(name: str, units: int, options: Options) -> AgentProfile:
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


def _facts(options: Options) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if "languages" in options:
        facts["languages"] = tuple(options["languages"].split(","))
    if "waited" in options:
        facts["waited_ms"] = _duration(options["waited"])
    if "tier" in options:
        facts["urgency"] = Urgency(tier=int(options["tier"]))
    if "topic" in options:
        facts["topic"] = options["topic"]
    if "knows" in options:
        known = [one.split(":") for one in options["knows"].split(",")]
        facts["relationships"] = tuple(Relationship(AgentId(a), int(s)) for a, s in known)
    return facts


# telling


def _moment(at_ms: int) -> str:
    return f"+{_span(at_ms - START_MS)}"


def _span(span_ms: int) -> str:
    seconds, rest_ms = divmod(span_ms, 1000)
    return f"{seconds}.{rest_ms:03}s" if rest_ms else f"{seconds}s"


def _event(event: AnyEvent) -> str:
    name = type(event).__name__
    match event:
        case PolicySet(policy=rules):
            queues = [f"{one.name}{' (closed)' * one.closed}" for one in rules.queues]
            return f"{name} {rules.version}: {', '.join(queues)}"
        case RosterSet(roster=agents):
            people = [f"{one.id}{' (closed)' * one.closed}" for one in agents.agents]
            return f"{name} {agents.version}: {', '.join(people)}"
        case PoolOpened(outage_ms=outage_ms):
            return f"{name} outage={_span(outage_ms)}"
        case _:
            return f"{name} {_fields(event)}"


def _fields(record: Event | ContactFacts) -> str:
    told = []
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if value in ("", (), None, Urgency()) or (name.endswith("_ms") and value == 0):
            continue
        told.append(_field(name, value))
    return " ".join(told)


def _field(name: str, value: Any) -> str:
    label = name.removesuffix("_ms").removesuffix("_at").removesuffix("_id")
    if isinstance(value, ContactFacts):
        return _fields(value)
    if name in MOMENTS:
        return f"{label}={_moment(value)}"
    if name.endswith("_ms"):
        return f"{label}={_span(value)}"
    if name == "graces":
        return "graces=" + ",".join(f"{one.leg_id}:{_moment(one.due_ms)}" for one in value)
    return f"{label}={_plain(value)}"


def _plain(value: Any) -> str:
    match value:
        case Urgency(tier=tier):
            return f"tier:{tier}"
        case Relationship(agent_id=agent_id, strength=strength):
            return f"{agent_id}:{strength}"
        case tuple():
            return ",".join(map(_plain, value))
        case _:
            return str(getattr(value, "value", value))


def _contact(contact: Contact) -> str:
    told = [f"contact {contact.contact_id} {contact.state.value}"]
    if contact.facts.queue:
        told.append(f"in {contact.facts.queue}")
    if contact.ended_ms != NEVER_MS:
        told.append(f"{contact.outcome.value} at {_moment(contact.ended_ms)}")
    if contact.waiting_since_ms != NEVER_MS:
        told.append(f"since {_moment(contact.waiting_since_ms)}")
    if contact.waited_ms:
        told.append(f"waited {_span(contact.waited_ms)}")
    if contact.failures:
        told.append(f"failures {contact.failures}")
    told += [f"not to {name} before {_moment(until)}" for name, until in contact.pauses.items()]
    told += [_leg(leg) for leg in contact.legs]
    return "; ".join(told)


def _leg(leg: Leg) -> str:
    told = [f"{leg.leg_id} {leg.agent_id} {leg.state.value}"]
    if leg.state in (LegState.OFFERED, LegState.JOINING, LegState.WRAPPING):
        told.append(f"until {_moment(leg.due_ms)}")
    if leg.state is LegState.DONE:
        told.append(leg.end.value)
    if leg.hold_ms:
        told.append(f"held {_span(leg.hold_ms)}")
    if leg.grace_due_ms != NEVER_MS:
        told.append(f"grace {_moment(leg.grace_due_ms)}")
    return " ".join(told)


def _agent(agent: Agent) -> str:
    told = [f"agent {agent.agent_id} {agent.presence.value}"]
    told += [f"({agent.reason})"] if agent.reason else []
    told += ["lost"] if agent.lost else []
    told.append(f"session {agent.session}")
    told.append(f"units {agent.units_used}")
    told += [f"{name} {count}" for name, count in agent.channel_legs.items()]
    told += [f"legs {','.join(agent.legs)}"] if agent.legs else []
    told += [f"missed {name} {count}" for name, count in agent.missed.items()]
    if agent.idle_since_ms != NEVER_MS and not agent.legs:
        told.append(f"idle {_moment(agent.idle_since_ms)}")
    return " ".join(told)
