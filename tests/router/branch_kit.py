"""Builders for tests of branches, and `BranchDay`: a driven pool with a branch that is open.

    branch north   line a (prefix A): cash, post     line b (prefix B, from 100): advice
    desks 1, 2, 3  all services each
    ann            serves all; bob has no skill for advice; both take chats too, a visitor costs all

The first service day begins an hour before the clock of the tests; it is open for ten hours, and
tickets that are left end an hour after that. Days last 24 hours.
"""

from typing import Any

from tests.router.pool_kit import PLATFORM, START_MS, Driven, person, policy, queue, set_up
from tests.router.pool_kit import profile as agent_profile
from tests.router.pool_kit import roster as roster_of

from usher.queue import commands as c
from usher.queue.branches import (
    Branch,
    BranchDays,
    Branches,
    BranchName,
    Calendar,
    Desk,
    DeskId,
    Line,
    LineName,
    Service,
    ServiceDay,
    ServiceName,
)
from usher.queue.events import AnyEvent
from usher.queue.rules import AgentProfile, Order, Policy, Requirement, Roster
from usher.queue.tickets import Place, Ticket, TicketState, VisitOutcome, ticket_state
from usher.queue.tickets import visit_outcome as outcome_of
from usher.queue.values import (
    SYSTEM,
    Actor,
    ActorKind,
    AgentId,
    ChannelName,
    ContactFacts,
    ContactId,
    NewContact,
    QueueName,
)
from usher.router.lobby import Standing
from usher.router.pool import Pool

KIOSK = Actor(ActorKind.PLATFORM, "kiosk")
NORTH = BranchName("north")

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

DAY_BEGINS_MS = START_MS - HOUR_MS
OPEN_UNTIL_MS = DAY_BEGINS_MS + 10 * HOUR_MS
LEFT_END_MS = OPEN_UNTIL_MS + HOUR_MS
DATES = ("2026-03-02", "2026-03-03", "2026-03-04")

CLERK = {"walk_in": (2, 1, 0), "chat": (1, 2, 0)}
CASH_MS, POST_MS, ADVICE_MS = 5 * MINUTE_MS, 2 * MINUTE_MS, 15 * MINUTE_MS


def service(name: str, queue_name: str = "", usual_ms: int = 0, **rest: Any) -> Service:
    """A service in the queue of its name, or another."""
    chosen = QueueName(queue_name or name)
    return Service(name=ServiceName(name), queue=chosen, usual_ms=usual_ms, **rest)


def line(name: str, *services: str, **rest: Any) -> Line:
    """A line of these services."""
    return Line(name=LineName(name), services=tuple(map(ServiceName, services)), **rest)


def branch(name: str, *lines: Line, **rest: Any) -> Branch:
    """A branch with these lines; its hours are in the calendar alone."""
    return Branch(name=BranchName(name), time_zone="Europe/Berlin", lines=lines, **rest)


def desk(branch_name: str, name: str, *services: str) -> Desk:
    """A desk that gives these services (none = all of its branch)."""
    given = tuple(map(ServiceName, services))
    return Desk(branch=BranchName(branch_name), name=name, services=given)


def branches(*parts: Service | Branch | Desk, version: str = "b1") -> Branches:
    """All branches of a pool, of these parts."""
    return Branches(
        version=version,
        services=tuple(one for one in parts if isinstance(one, Service)),
        branches=tuple(one for one in parts if isinstance(one, Branch)),
        desks=tuple(one for one in parts if isinstance(one, Desk)),
    )


SERVICES = (
    service("cash", usual_ms=CASH_MS),
    service("post", "cash", usual_ms=POST_MS),
    service("advice", usual_ms=ADVICE_MS),
)
LINES = (
    line("a", "cash", "post", prefix="A"),
    line("b", "advice", prefix="B", start=100),
)
DESKS = tuple(desk("north", number) for number in ("1", "2", "3"))
PLAN = branches(*SERVICES, branch("north", *LINES), *DESKS)


def calendar(*names: str, days: int = 3, closes_ms: int = LEFT_END_MS) -> Calendar:
    """Service days of the branches; `closes_ms`: when what is left of the first one ends."""
    return Calendar(
        tuple(
            BranchDays(
                BranchName(name), tuple(_service_day(number, closes_ms) for number in range(days))
            )
            for name in names or ("north",)
        )
    )


def _service_day(number: int, closes_ms: int) -> ServiceDay:
    shift_ms = number * DAY_MS
    starts_ms = DAY_BEGINS_MS + shift_ms
    hours = ((starts_ms, OPEN_UNTIL_MS + shift_ms),)
    return ServiceDay(DATES[number], starts_ms, starts_ms + DAY_MS, closes_ms + shift_ms, hours)


def rules(**more: Any) -> Policy:
    """The policy of the branch, and a queue of chats."""
    fcfs = Order.FCFS
    return policy(
        queue("cash", channels=("walk_in",), order=fcfs, level=2),
        queue(
            "advice",
            channels=("walk_in",),
            order=fcfs,
            level=2,
            requirements=(Requirement("advice"),),
        ),
        queue("chats", channels=("chat",), decline_pause_ms=0),
        **more,
    )


def clerk(agent_id: str, *skills: str, **rest: Any) -> AgentProfile:
    """Somebody for a desk who takes chats too, with these skills at level 5."""
    levels = dict.fromkeys(skills, 5)
    prices = rest.pop("channels", CLERK)
    return agent_profile(agent_id, rest.pop("units", 2), channels=prices, skills=levels, **rest)


ANN, BOB = clerk("ann", "advice"), clerk("bob")


def visitor(contact_id: str, **facts: Any) -> NewContact:
    """Who walks in: the queue and channel are the service's."""
    return NewContact(ContactId(contact_id), ContactFacts(QueueName(""), ChannelName(""), **facts))


class BranchDay(Driven):
    """A driven pool with branches, spoken to as kiosks and desks speak."""

    @classmethod
    def begun(
        cls,
        policy_: Policy | None = None,
        plan: Branches = PLAN,
        agents: tuple[AgentProfile, ...] = (ANN, BOB),
        seats: dict[str, str] | None = None,
    ) -> "BranchDay":
        """A branch that is open, its agents signed in; `seats` says who sits at which desk."""
        day = cls()
        for command in set_up(policy_ or rules(), roster_of(*agents)):
            day.give(command)
        day.give(c.SetBranches(SYSTEM, plan))
        day.give(c.SetCalendar(SYSTEM, calendar(*(one.name for one in plan.branches))))
        for one in agents:
            day.sign_in(one.id)
        for number, agent_id in (seats or {}).items():
            day.sit(agent_id, number)
        return day

    @classmethod
    def staffed(cls, *numbers: str, **how: Any) -> "BranchDay":
        """A branch with ann and then bob at these desks."""
        seats = dict(zip(numbers or ("1", "2"), ("ann", "bob"), strict=False))
        return cls.begun(seats=seats, **how)

    def joining(self, contact_id: str, service_name: str = "cash", **more: Any) -> c.JoinLine:
        """The command of a kiosk at which somebody takes a ticket."""
        known = ("branch", "party_size", "needs", "kiosk_ms")
        asked = {name: more.pop(name) for name in known if name in more}
        at = BranchName(asked.pop("branch", NORTH))
        return c.JoinLine(
            KIOSK, visitor(contact_id, **more), at, ServiceName(service_name), **asked
        )

    def join(self, contact_id: str, service_name: str = "cash", **more: Any) -> Ticket:
        """Somebody takes a ticket."""
        after_ms = more.pop("after_ms", 0)
        self.give(self.joining(contact_id, service_name, **more), after_ms=after_ms)
        return self.ticket(contact_id)

    def at(self, number: str) -> tuple[Any, ...]:
        """Who speaks at a desk: (actor, branch, desk, session of the agent who sits there)."""
        agent_id = self.sits_at(number)
        if not agent_id:
            return PLATFORM, NORTH, number, 0
        return person(agent_id), NORTH, number, self.agent(agent_id).session

    def sit(self, agent_id: str, number: str, **how: Any) -> tuple[AnyEvent, ...]:
        """An agent sits down at a desk."""
        session = how.get("session", self.agent(agent_id).session)
        name = AgentId(agent_id)
        return self.give(c.OpenDesk(person(agent_id), NORTH, number, session, name))

    def next(self, number: str) -> str:
        """The desk calls whoever comes next: returns the contact's id, empty = nobody."""
        events = self.give(c.CallNext(*self.at(number)))
        return str(events[-1].contact_id) if events else ""  # type: ignore[union-attr]

    def call(self, number: str, contact_id: str) -> tuple[AnyEvent, ...]:
        """The desk calls this very ticket."""
        return self.give(c.CallTicket(*self.at(number), ContactId(contact_id)))

    def serve(self, number: str, contact_id: str) -> tuple[AnyEvent, ...]:
        """The visitor is at the desk."""
        return self.give(c.StartServing(*self.at(number), ContactId(contact_id)))

    def call_and_serve(self, number: str, contact_id: str) -> None:
        """The desk calls this ticket, and its visitor comes."""
        self.call(number, contact_id)
        self.serve(number, contact_id)

    def put_back(self, number: str, contact_id: str, place: Place) -> tuple[AnyEvent, ...]:
        """The ticket goes back to its line."""
        return self.give(c.ReturnTicket(*self.at(number), ContactId(contact_id), place))

    def send_on(self, number: str, contact_id: str, service_name: str) -> tuple[AnyEvent, ...]:
        """The visitor goes on to another service."""
        name = ServiceName(service_name)
        return self.give(c.TransferTicket(*self.at(number), ContactId(contact_id), name))

    def finish(self, number: str, contact_id: str, **how: Any) -> tuple[AnyEvent, ...]:
        """The visit is over."""
        outcome = how.pop("outcome", VisitOutcome.SERVED)
        return self.give(c.FinishServing(*self.at(number), ContactId(contact_id), outcome, **how))

    def ticket(self, contact_id: str) -> Ticket:
        """The ticket as it stands now."""
        return self.pool.ledger.tickets[ContactId(contact_id)]

    def state(self, contact_id: str) -> TicketState:
        """Where the ticket stands."""
        return ticket_state(self.contact(contact_id))

    def outcome(self, contact_id: str) -> VisitOutcome:
        """How the visit ended."""
        return outcome_of(self.contact(contact_id), self.ticket(contact_id))

    def standings(self, name: str = "north") -> dict[str, Standing]:
        """Where the waiting tickets of a branch stand, in the order of their turn."""
        pool = self.pool
        found = pool.matcher.lobby.standings(pool.ledger, BranchName(name))
        return {str(contact_id): standing for contact_id, standing in found.items()}

    def in_line(self, name: str = "north") -> list[str]:
        """The waiting tickets of a branch in the order of their turn."""
        return list(self.standings(name))

    def sits_at(self, number: str, name: str = "north") -> str:
        """Who sits at a desk, or empty."""
        seat = self.pool.ledger.seats.get(DeskId(f"{name}/{number}"))
        return str(seat.agent_id) if seat is not None else ""

    def restart(self, outage_ms: int = 0) -> None:
        """The server stops; later another one goes on from a snapshot."""
        before = self.pool.state_hash()
        self.pool = Pool.restore(list(self.pool.snapshot().pieces()))
        assert before == self.pool.state_hash()
        self.give(c.OpenPool(SYSTEM, "0.1.1", "2.0", "1.0", 1), after_ms=outage_ms)

    def set_branches(self, plan: Branches) -> None:
        """New branches, with the calendar that the edge makes of those in force."""
        self.give(c.SetBranches(SYSTEM, plan))
        assert self.pool.ledger.plan is not None
        names = (one.name for one in self.pool.ledger.plan.branches)
        self.give(c.SetCalendar(SYSTEM, calendar(*names)))

    def set_roster(self, roster: Roster) -> None:
        """A new roster."""
        self.give(c.SetRoster(SYSTEM, roster))
