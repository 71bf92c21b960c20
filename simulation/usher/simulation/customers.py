"""The customers of a run: one type's sources of chance, and one contact on its way.

What is drawn for a customer is drawn when the customer comes, whatever the routing does later, so
that two policies meet the same people. It must not know the pool.
"""

from collections.abc import Iterator

from msgspec import Struct

from usher.queue.values import (
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
        self.talk_from_ms = -1
        sources = kind.first if attempt == 1 else kind.later
        self.patience_ms = sources.patience.next_ms() if sources.patience else -1
        self.handling_ms = sources.handling.next_ms()
        self.wrap_up_ms = sources.wrap_up.next_ms() if sources.wrap_up else 0
        self.answering_ms = -1
        """From an offer to its acceptance; -1 = as the agent answers."""
        self.onward: tuple[Stretch, ...] = ()
        """Where it is passed on to when a talk is over."""
        self.refusals: tuple[int, ...] = ()
        """What becomes of its first offers: declined after so many ms, -1 = not answered at all."""
        self.connecting_ms = 0
        """From the acceptance until customer and agent are together."""
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

    def go_on(self) -> None:
        """The next stretch begins: the customer waits for a further agent."""
        stretch, *later = self.onward
        self.onward = tuple(later)
        self.patience_ms = stretch.patience_ms
        self.answering_ms, self.connecting_ms = stretch.answering_ms, stretch.connecting_ms
        self.handling_ms, self.wrap_up_ms = stretch.handling_ms, stretch.wrap_up_ms


class Sources:
    """What a customer's own times are drawn from.

    Who comes again has sources of its own: how many do depends on the routing, and must not move
    what those draw who come for the first time.
    """

    def __init__(self, name: str, rules: ContactType, streams: Streams) -> None:
        self.patience: Source | None = durations(f"{name}/patience", rules.patience, streams)
        self.handling: Source = Durations(rules.handling, streams.generator(f"{name}/handling"))
        self.wrap_up = durations(f"{name}/wrap_up", rules.wrap_up, streams)


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
        self.walk = durations(f"{name}/walk", rules.walk, streams)
        self.balking = durations(f"{name}/balking", rules.balking, streams)
        self.shows = streams.chances(f"{name}/no_show")
        self.resolved = streams.chances(f"{name}/resolved")
        self.retrial = Return(f"{name}/retrial", rules.retrial, streams)
        self.redial = Return(f"{name}/redial", rules.redial, streams)
        self._batches = streams.chances(f"{name}/batch")
        self.began = 0
        self.ended = 0
        self.waiting = 0
        self.inside = 0
        self.waiting_ms = 0
        self.inside_ms = 0
        self.counted_ms = 0
        self.last_wait_ms = 0
        """Wait of the one who was answered last: what a new one is told when others wait."""

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
        """Returns the next contact of this type."""
        self.began += 1
        return Customer(self, self.began, attempt, at_ms)

    def count(self, at_ms: int, waiting: int, inside: int) -> None:
        """Adds to those waiting and inside from now on, and to their sums over time before it."""
        past_ms = at_ms - self.counted_ms
        self.waiting_ms += self.waiting * past_ms
        self.inside_ms += self.inside * past_ms
        self.counted_ms = at_ms
        self.waiting += waiting
        self.inside += inside


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


def enqueued(customer: Customer) -> NewContact:
    """Returns the contact as its platform brings it."""
    return NewContact(customer.contact_id, customer.facts)
