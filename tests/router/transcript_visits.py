"""The branch in the language of the transcripts.

    > service NAME [queue=NAME] [usual=5m]
    > line BRANCH NAME SERVICE,SERVICE [prefix=A] [width=3] [start=1]
    > branch NAME [grace=2m] [clock_tolerance=15m]          takes the lines of that branch above it
    > desk BRANCH/DESK [SERVICE,SERVICE]
    > branches VERSION                          takes the services, branches and desks above it
    > calendar BRANCH:DATE:FROM:OPENS:SHUTS:LEFT_END:TO ...  times as spans from the start
    > join ID SERVICE [branch=north] [party_size=2] [needs=a,b] [kiosk=5m] [languages= tier= ...]
    > leave ID
    > open DESK AGENT | close DESK | next DESK | call DESK ID | recall DESK ID
    > serve DESK ID | no-show DESK ID | back DESK ID first|last | send DESK ID SERVICE
    > finish DESK ID OUTCOME [DISPOSITION] | without DESK ID SERVICE [party_size=2]
    > standing BRANCH                           where its tickets stand, in the order of their turn

A desk speaks with the session of the agent there; `session=7` gives another one, `from=pbx` speaks
for the agent as a platform.
"""

from typing import Any

from tests.router.branch_kit import branch, branches, desk, line, service, visitor
from tests.router.pool_kit import PLATFORM, Driven, person
from tests.router.transcript_reading import (
    Options,
    duration,
    facts_of,
    platform,
    values_of,
    word,
)
from tests.router.transcript_telling import span

from usher.queue import commands as c
from usher.queue.branches import (
    Branch,
    BranchDays,
    BranchName,
    Calendar,
    Desk,
    DeskId,
    Line,
    Service,
    ServiceDay,
    ServiceName,
)
from usher.queue.tickets import Place, VisitOutcome
from usher.queue.values import NEVER_MS, SYSTEM, AgentId, ContactId

At = tuple[Any, BranchName, str, int]

VISIT_VERBS = (
    *("branches", "calendar", "join", "leave", "open", "close", "next", "call", "recall"),
    *("serve", "no-show", "back", "send", "finish", "without"),
)
PARTS = ("service", "line", "branch", "desk")


class Visits:
    """Gathers the parts of branches; makes the commands of kiosks and desks."""

    def __init__(self, driven: Driven) -> None:
        self._driven = driven
        self._services: list[Service] = []
        self._lines: dict[str, list[Line]] = {}
        self._branches: list[Branch] = []
        self._desks: list[Desk] = []

    def gather(self, verb: str, plain: list[str], options: Options) -> None:
        """Keeps a part for the next `branches`."""
        values = values_of(options)
        match verb:
            case "service":
                self._services.append(service(plain[0], values.pop("queue", ""), **values))
            case "line":
                drawn = line(plain[1], *plain[2].split(","), **values)
                self._lines.setdefault(plain[0], []).append(drawn)
            case "branch":
                lines = self._lines.pop(plain[0], [])
                self._branches.append(branch(plain[0], *lines, **values))
            case _:
                at, number = plain[0].split("/")
                self._desks.append(desk(at, number, *filter(None, word(plain, 1).split(","))))

    def command(self, verb: str, plain: list[str], options: Options) -> c.AnyCommand:
        """Returns the command of a line."""
        match verb:
            case "branches":
                parts = (*self._services, *self._branches, *self._desks)
                self._services, self._branches, self._desks = [], [], []
                return c.SetBranches(SYSTEM, branches(*parts, version=plain[0]))
            case "calendar":
                return c.SetCalendar(SYSTEM, self._calendar(plain))
            case "join":
                return self._join(plain, options)
            case "leave":
                return c.LeaveLine(platform(options), ContactId(plain[0]))
            case "open":
                name = AgentId(plain[1])
                session = int(options.get("session", self._session(name)))
                at, number = plain[0].split("/")
                return c.OpenDesk(person(name), BranchName(at), number, session, name)
            case _:
                return self._at_desk(verb, self._at(plain[0], options), plain, options)

    def _at_desk(self, verb: str, at: At, plain: list[str], options: Options) -> c.AnyCommand:
        contact_id = ContactId(word(plain, 1))
        match verb:
            case "close":
                return c.CloseDesk(*at)
            case "next":
                return c.CallNext(*at)
            case "back":
                return c.ReturnTicket(*at, contact_id, Place(plain[2]))
            case "send":
                return c.TransferTicket(*at, contact_id, ServiceName(plain[2]))
            case "finish":
                return c.FinishServing(*at, contact_id, VisitOutcome(plain[2]), word(plain, 3))
            case "without":
                party_size = int(options.pop("party_size", "1"))
                asked = ServiceName(plain[2])
                return c.ServeWithoutTicket(*at, visitor(contact_id), asked, party_size)
            case _:
                kinds = {"call": c.CallTicket, "recall": c.RecallTicket, "serve": c.StartServing}
                return kinds.get(verb, c.MarkNoShow)(*at, contact_id)

    def _at(self, name: str, options: Options) -> At:
        """Returns who speaks at the desk."""
        at, number = name.split("/")
        seat = self._driven.pool.ledger.seats.get(DeskId(name))
        if seat is None or "from" in options:
            return (platform(options) if "from" in options else PLATFORM), BranchName(at), number, 0
        session = int(options.get("session", self._session(seat.agent_id)))
        return person(seat.agent_id), BranchName(at), number, session

    def _session(self, agent_id: AgentId) -> int:
        agent = self._driven.pool.ledger.agents.get(agent_id)
        return agent.session if agent is not None else 1

    def _join(self, plain: list[str], options: Options) -> c.AnyCommand:
        at = BranchName(options.get("branch", "north"))
        kiosk_ms = NEVER_MS
        if "kiosk" in options:
            kiosk_ms = self._driven.at_ms + duration(options["kiosk"])
        return c.JoinLine(
            platform(options),
            visitor(plain[0], **facts_of(options)),
            at,
            ServiceName(plain[1]),
            int(options.get("party_size", "1")),
            tuple(filter(None, options.get("needs", "").split(","))),
            kiosk_ms,
        )

    def _calendar(self, plain: list[str]) -> Calendar:
        days: dict[str, list[ServiceDay]] = {}
        for each in plain:
            name, date, *spans = each.split(":")
            moments = [self._driven.records[0].at_ms + duration(one) for one in spans]
            starts_ms, opens_ms, shuts_ms, closes_ms, ends_ms = moments
            hours = ((opens_ms, shuts_ms),)
            days.setdefault(name, []).append(ServiceDay(date, starts_ms, ends_ms, closes_ms, hours))
        return Calendar(
            tuple(BranchDays(BranchName(name), tuple(some)) for name, some in days.items())
        )

    def standings(self, name: str) -> list[str]:
        """Tells where the tickets of a branch stand."""
        pool = self._driven.pool
        told = []
        for one, standing in pool.matcher.lobby.standings(pool.ledger, BranchName(name)).items():
            ticket, wait = pool.ledger.tickets[one], standing.wait
            range_text = "no estimate"
            if wait is not None:
                range_text = f"{span(wait.p50_ms)} to {span(wait.p90_ms)}"
            queue = pool.ledger.contacts[one].facts.queue
            told.append(f"    {standing.position} in {queue}: {ticket.label}, {range_text}")
        return told or ["    nobody waits"]
