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

What branches, kiosks and desks say stands in `transcript_visits`.
"""

from collections.abc import Callable
from pathlib import Path

from tests.router.pool_kit import (
    Driven,
    new,
    person,
    policy,
    replayed,
    roster,
    through_bytes,
)
from tests.router.transcript_reading import (
    Options,
    agent_profile,
    channel_rules,
    duration,
    facts_of,
    platform,
    queue_rules,
    values_of,
    word,
)
from tests.router.transcript_telling import (
    agent_line,
    contact_line,
    desk_line,
    event_line,
    moment,
    ticket_line,
)
from tests.router.transcript_visits import PARTS, VISIT_VERBS, Visits

from usher.queue import commands as c
from usher.queue.errors import Refused
from usher.queue.rules import AgentProfile, ChannelRules, QueueRules
from usher.queue.values import (
    SYSTEM,
    Actor,
    AgentId,
    ChannelName,
    ContactId,
    LegId,
    LegState,
    Presence,
    QueueName,
)


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
        self._visits = Visits(self._driven)
        self._driven.give(c.OpenPool(SYSTEM, "0.1.0", "2.0", "1.0", 1))
        self._driven.pool.take_changes()

    def run(self, words: list[str]) -> list[str]:
        """Runs one command; returns the lines that tell its outcome."""
        self._shown = []
        verb, *rest = words
        plain = [each for each in rest if "=" not in each]
        options = dict(each.split("=", 1) for each in rest if "=" in each)
        try:
            self._do(verb, plain, options)
        except Refused as refused:
            self._shown.append(f"    refused {refused.reason}: {refused}")
        changes = self._driven.pool.take_changes()
        lines = [line for line in self._shown if line]
        lines += [f"    {contact_line(each)}" for each in changes.contacts.values()]
        lines += [f"    {agent_line(each)}" for each in changes.agents.values()]
        ledger = self._driven.pool.ledger
        here = [one for one in changes.tickets.values() if one.contact_id in ledger.contacts]
        lines += [f"    {ticket_line(ledger, each)}" for each in here]
        lines += [f"    {desk_line(ledger, each)}" for each in changes.desks]
        return lines

    def check_replay(self) -> None:
        """The records lead to the same state again."""
        again = replayed(through_bytes(self._driven.records))
        assert again.state_hash() == self._driven.pool.state_hash()

    def _do(self, verb: str, plain: list[str], options: Options) -> None:
        match verb:
            case "queue":
                self._queues.append(queue_rules(plain[0], options))
            case "channel":
                self._channels[plain[0]] = channel_rules(options)
            case "agent":
                self._agents.append(agent_profile(plain[0], int(plain[1]), options))
            case "standing":
                self._shown += self._visits.standings(plain[0])
            case _ if verb in PARTS:
                self._visits.gather(verb, plain, options)
            case "after":
                self._driven.wait(duration(plain[0]))
            case "restart":
                opening = c.OpenPool(SYSTEM, "0.1.1", "2.0", "1.0", 1)
                self._driven.give(opening, after_ms=duration(plain[0]))
            case _:
                self._driven.give(self._command(verb, plain, options))

    def _command(self, verb: str, plain: list[str], options: Options) -> c.AnyCommand:
        match verb:
            case "policy":
                rules = values_of(options)
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
            case _ if verb in VISIT_VERBS:
                return self._visits.command(verb, plain, options)
            case _:
                return CONTACT_COMMANDS[verb](platform(options), plain, options)

    def _agent_command(self, verb: str, plain: list[str], options: Options) -> c.AnyCommand:
        name = AgentId(plain[0])
        agent = self._driven.pool.ledger.agents.get(name)
        own = person(name) if "from" not in options else platform(options)
        present = agent.session if agent is not None and "from" not in options else 0
        session = int(options.get("session", present))
        match verb:
            case "sign-in":
                reason = options.get("not_ready", "")
                presence = Presence.NOT_READY if reason else Presence.READY
                return c.SignIn(own, name, presence, reason, duration(options.get("lease", "0s")))
            case "sign-out":
                return c.SignOut(own, name, session)
            case "lose":
                return c.LoseSession(SYSTEM, name, session)
            case "presence":
                return c.SetPresence(own, name, session, Presence(plain[1]), word(plain, 2))
            case "accept":
                return c.AcceptOffer(own, name, LegId(plain[1]), session)
            case "decline":
                return c.DeclineOffer(own, name, LegId(plain[1]), session, word(plain, 2))
            case _:
                return c.FinishWrapUp(own, name, LegId(plain[1]), session)

    def _show_record(self) -> None:
        record = self._driven.records[-1]
        at = moment(record.at_ms)
        self._shown.append(f"    {record.position} {at} {type(record.command).__name__}")
        self._shown += [f"        {event_line(event)}" for event in record.events]


Make = Callable[[Actor, list[str], Options], c.AnyCommand]

CONTACT_COMMANDS: dict[str, Make] = {
    "enqueue": lambda by, plain, more: c.EnqueueContact(by, new(*plain, **facts_of(more))),
    "enqueue-all": lambda by, plain, more: c.EnqueueContacts(
        by, tuple(new(*each.split(":")) for each in plain)
    ),
    "update": lambda by, plain, more: c.UpdateContact(
        by, ContactId(plain[0]), c.FactChanges(**{**facts_of(more)})
    ),
    "abandon": lambda by, plain, more: c.AbandonContact(by, ContactId(plain[0])),
    "cancel": lambda by, plain, more: c.CancelContact(by, ContactId(plain[0]), word(plain, 1)),
    "hold": lambda by, plain, more: c.HoldContact(by, ContactId(plain[0])),
    "resume": lambda by, plain, more: c.ResumeContact(by, ContactId(plain[0])),
    "complete": lambda by, plain, more: c.CompleteContact(by, ContactId(plain[0]), word(plain, 1)),
    "connect": lambda by, plain, more: c.ConnectContact(
        by, ContactId(plain[0]), AgentId(word(plain, 1))
    ),
    "connect-failed": lambda by, plain, more: c.ConnectFailed(
        by, ContactId(plain[0]), word(plain, 1)
    ),
    "requeue": lambda by, plain, more: c.RequeueContact(
        by, ContactId(plain[0]), QueueName(word(plain, 1)), word(plain, 2)
    ),
    "start": lambda by, plain, more: c.StartContact(
        by,
        new(plain[0], plain[1].strip("-"), plain[2], **facts_of(more)),
        AgentId(plain[3]),
        LegState.JOINING if "joining" in more else LegState.ACTIVE,
    ),
    "sync": lambda by, plain, more: c.SyncContacts(
        by, ChannelName(plain[0]), int(plain[1]), tuple(map(ContactId, plain[2:]))
    ),
}
