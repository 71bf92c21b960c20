"""The customers of a run: one type's sources of chance, and one contact on its way.

What is drawn for a customer is drawn when the customer comes, whatever the routing does later, so
that two policies meet the same people. A customer says by which command it comes, leaves and is
done with; it must not know the pool.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from usher.queue import commands as c
from usher.queue.branches import BranchName, ServiceName
from usher.queue.tickets import VisitOutcome
from usher.queue.values import (
    Actor,
    ActorKind,
    ContactFacts,
    ContactId,
    LegId,
    NewContact,
    QueueName,
    Urgency,
)
from usher.simulation.arriving import Luck, arrival_times
from usher.simulation.scenario import Again, ContactType, Listed
from usher.simulation.staff import Worker
from usher.simulation.streams import (
    Durations,
    RecordedDurations,
    Source,
    Streams,
    durations,
)

PLATFORM: Final = Actor(ActorKind.PLATFORM, "simulation")
PASSED_ON: Final = "passed_on"
"""Reason for which a contact goes back to wait for a further agent."""

_NO_LEG = LegId("")


class Stretch(Struct, frozen=True, kw_only=True):
    """A further wait and talk of a contact that is passed on; in ms, patience -1 = for ever."""

    queue: QueueName
    patience_ms: int
    answering_ms: int
    connecting_ms: int
    handling_ms: int
    wrap_up_ms: int


class Customer:
    """One contact, from its arrival to its end; the world writes to it."""

    __slots__ = (
        "answered_ms",
        "answering_ms",
        "arrived_ms",
        "attempt",
        "connecting_ms",
        "contact_id",
        "facts",
        "handling_ms",
        "kind",
        "leg_id",
        "number",
        "onward",
        "over",
        "patience_ms",
        "patience_until_ms",
        "price",
        "refusals",
        "served_by",
        "taken_ms",
        "talk_from_ms",
        "waiting",
        "worker",
        "wrap_up_ms",
    )

    def __init__(self, kind: "Kind", number: int, attempt: int, at_ms: int) -> None:
        self.kind = kind
        self.number = number
        self.attempt = attempt
        self.contact_id = ContactId(f"{kind.prefix}{number}")
        self.facts = kind.facts
        self.arrived_ms = at_ms
        self.answered_ms = -1
        self.taken_ms = -1
        """When the agent of the leg took it; -1 = nobody has it."""
        self.talk_from_ms = -1
        """When agent and customer were together; -1 = they are not yet."""
        sources = kind.first if attempt == 1 else kind.later
        self.patience_ms = sources.patience.next_ms() if sources.patience else -1
        self.handling_ms = sources.handling.next_ms()
        self.wrap_up_ms = sources.wrap_up.next_ms() if sources.wrap_up else 0
        self.answering_ms = -1
        """From an offer to its acceptance; -1 = as the agent answers."""
        self.connecting_ms = 0
        """From the acceptance until customer and agent are together."""
        self.refusals: tuple[int, ...] = ()
        """What becomes of its first offers: declined after so many ms, -1 = not answered at all."""
        self.onward: tuple[Stretch, ...] = ()
        """Where it is passed on to when a talk is over."""
        self.served_by = -1
        """Index of the first agent who was with the customer."""
        self.worker: Worker | None = None
        """The agent of the leg that is offered or live."""
        self.leg_id = _NO_LEG
        self.price = 0
        self.waiting = True
        """Waiting for an agent, offers and joining included."""
        self.patience_until_ms = -1
        self.over = False

    def arrival(self) -> c.AnyCommand:
        """Returns how it comes."""
        return c.EnqueueContact(PLATFORM, NewContact(self.contact_id, self.facts))

    def departure(self) -> c.AnyCommand:
        """Returns how it leaves before it is served."""
        return c.AbandonContact(PLATFORM, self.contact_id)

    def completion(self, resolved: bool | None) -> c.AnyCommand:
        """Returns the end of the work with it; `resolved` None = not said."""
        return c.CompleteContact(PLATFORM, self.contact_id, "", resolved)

    def transfer(self) -> c.AnyCommand:
        """Returns how it is passed on to its next stretch: back to wait, in the queue of that."""
        return c.RequeueContact(PLATFORM, self.contact_id, self.onward[0].queue, PASSED_ON)

    def go_on(self) -> None:
        """The next stretch begins: the customer waits for a further agent."""
        stretch, *later = self.onward
        self.onward = tuple(later)
        self.patience_ms = stretch.patience_ms
        self.answering_ms, self.connecting_ms = stretch.answering_ms, stretch.connecting_ms
        self.handling_ms, self.wrap_up_ms = stretch.handling_ms, stretch.wrap_up_ms


class Visitor(Customer):
    """A customer who walks in, takes a ticket and is called to a desk."""

    __slots__ = ("branch", "desk", "shows_up", "walk_ms")

    def __init__(self, kind: "Kind", number: int, attempt: int, at_ms: int) -> None:
        super().__init__(kind, number, attempt, at_ms)
        sources = kind.first if attempt == 1 else kind.later
        self.walk_ms = sources.walk.next_ms() if sources.walk else 0
        self.shows_up = not sources.no_show.happens(kind.rules.no_show)
        self.branch = BranchName(kind.rules.branch)
        self.desk = ""
        """The desk of its branch that it is called to, or where it is served."""

    def arrival(self) -> c.AnyCommand:
        service = ServiceName(self.kind.rules.service)
        return c.JoinLine(PLATFORM, NewContact(self.contact_id, self.facts), self.branch, service)

    def departure(self) -> c.AnyCommand:
        return c.LeaveLine(PLATFORM, self.contact_id)

    def beginning(self) -> c.AnyCommand:
        """Returns that it is at the desk that it was called to."""
        return c.StartServing(PLATFORM, self.branch, self.desk, 0, self.contact_id)

    def completion(self, resolved: bool | None) -> c.AnyCommand:
        outcome = VisitOutcome.UNRESOLVED if resolved is False else VisitOutcome.SERVED
        at_desk = (PLATFORM, self.branch, self.desk, 0, self.contact_id)
        return c.FinishServing(*at_desk, outcome, resolved=resolved)


class Sources:
    """What a customer's own times are drawn from.

    Who comes again has sources of its own: how many do depends on the routing, and must not move
    what those draw who come for the first time.
    """

    def __init__(self, name: str, rules: ContactType, streams: Streams) -> None:
        self.patience: Source | None = durations(f"{name}/patience", rules.patience, streams)
        self.handling: Source = Durations(rules.handling, streams.generator(f"{name}/handling"))
        self.wrap_up = durations(f"{name}/wrap_up", rules.wrap_up, streams)
        self.walk = durations(f"{name}/walk", rules.walk, streams)
        self.no_show = streams.chances(f"{name}/no_show")


class FirstSources(Sources):
    """Those of who comes for the first time: of a recorded day as they are recorded."""

    def __init__(self, name: str, rules: ContactType, streams: Streams) -> None:
        super().__init__(name, rules, streams)
        arrivals = rules.arrivals
        if isinstance(arrivals, Listed):
            if arrivals.handling_s:
                self.handling = RecordedDurations(arrivals.handling_s)
            if arrivals.patience_s:
                self.patience = RecordedDurations(arrivals.patience_s)


class Kind:
    """One type of contact in a run: its sources, and counts of those waiting and inside."""

    def __init__(self, name: str, index: int, rules: ContactType, streams: Streams) -> None:
        self.name = name
        self.index = index
        self.rules = rules
        self.walks_in = bool(rules.branch)
        self.place = f"{rules.branch}/{rules.service}" if rules.branch else str(rules.queue)
        """Where they wait: a service at a branch, or a queue."""
        self.prefix = f"{name}-".replace("/", "_").replace(".", "_")
        self.facts = ContactFacts(
            queue=rules.queue,
            channel=rules.channel,
            topic=rules.topic,
            complexity=rules.complexity,
            languages=rules.languages,
            urgency=Urgency(tier=rules.tier),
        )
        self._generator = streams.generator(f"{name}/arrivals")
        self._luck = Luck(streams)
        self.first = FirstSources(name, rules, streams)
        self.later = Sources(f"{name}/again", rules, streams)
        self.balking = durations(f"{name}/balking", rules.balking, streams)
        self.resolved = streams.chances(f"{name}/resolved")
        self.retrial = Return(f"{name}/retrial", rules.retrial, streams)
        self.redial = Return(f"{name}/redial", rules.redial, streams)
        self._batches = streams.chances(f"{name}/batch")
        self._customers = Visitor if rules.branch else Customer
        self.began = 0
        self.ended = 0
        self.waiting = 0
        self.inside = 0
        self._waiting_ms = 0
        self._inside_ms = 0

    def arrivals(self, from_ms: int) -> Iterator[int]:
        """Returns when its contacts come."""
        return arrival_times(self.rules.arrivals, from_ms, self._generator, self._luck)

    def batch(self) -> int:
        """Returns how many come at once."""
        shares = self.rules.batch
        if not shares:
            return 1
        left = self._batches.next()
        for size, share in enumerate(shares, start=1):
            left -= share
            if left < 0:
                return size
        return len(shares)

    def customer(self, attempt: int, at_ms: int) -> Customer:
        """Returns the next contact of this type, a `Visitor` if they take tickets."""
        self.began += 1
        return self._customers(self, self.began, attempt, at_ms)

    def count(self, at_ms: int, waiting: int, inside: int) -> None:
        """Adds to those waiting and inside from now on.

        An integral over time up to T is the sum over all changes of change x (T - its moment).
        """
        self.waiting += waiting
        self.inside += inside
        self._waiting_ms -= waiting * at_ms
        self._inside_ms -= inside * at_ms

    def take_integrals_ms(self, at_ms: int) -> tuple[int, int]:
        """Returns the integrals of the numbers waiting and inside up to now, and begins anew."""
        waiting_ms, inside_ms = self.waiting * at_ms, self.inside * at_ms
        taken = self._waiting_ms + waiting_ms, self._inside_ms + inside_ms
        self._waiting_ms, self._inside_ms = -waiting_ms, -inside_ms
        return taken


class Return:
    """Whether and when a customer comes again."""

    def __init__(self, name: str, rules: Again | None, streams: Streams) -> None:
        self._rules = rules
        self._chances = streams.chances(name)
        self._after = durations(f"{name}/after", rules.after if rules else None, streams)

    def after_ms(self, attempt: int) -> int | None:
        """Returns after how long the customer of that attempt comes again, None = not at all."""
        rules, after = self._rules, self._after
        if rules is None or after is None or attempt > rules.most:
            return None
        return after.next_ms() if self._chances.happens(rules.share) else None
