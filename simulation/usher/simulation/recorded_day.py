"""A recorded day as the people of a run: who came, who was at work, how long each talk took.

Taken over is what does not depend on the routing: arrivals with their facts, how long people are
known to have been willing to wait, the lengths of talks and of wrap-up, who was signed in when,
rosters. Never taken over is what became of it: who served whom, who waited how long. What the day
does not show is drawn:

    patience of who was answered      longer than the wait, by what is fitted to the day
    talk of who was never answered    that of somebody who was answered that day

Each contact has numbers of its own for that, so two policies meet the same people. It must not know
journals, logs or how the day is compared.
"""

from bisect import bisect_right
from collections.abc import Iterator
from math import log1p

from msgspec import Struct
from msgspec.structs import replace

from usher.queue import commands as c
from usher.queue.rules import AgentProfile, Policy, Roster
from usher.queue.values import SYSTEM, AgentId, ContactFacts, ContactId, QueueName
from usher.simulation.customers import Customer, Kind, Stretch
from usher.simulation.scenario import ContactType, GroupName, Scenario, TypeName
from usher.simulation.staff import Does, Turn, Worker
from usher.simulation.streams import Chances, Streams

FOR_EVER = -1


class Work(Struct, frozen=True):
    """What an answered contact takes, in ms: until an agent accepts, until they are connected,
    talk (hold included), wrap-up."""

    answering_ms: int
    connecting_ms: int
    talk_ms: int
    wrap_up_ms: int


class PatienceLeft(Struct, frozen=True, kw_only=True):
    """How long people are willing to wait: values in ms, ascending, all equally likely.

    Who is willing to wait longer than the last of them goes on with an exponential of this mean.
    """

    values_ms: tuple[float, ...]
    tail_mean_ms: float

    def longer_than(self, waited_ms: int, chance: float) -> int:
        """Returns a patience above a wait, ms; `chance` is a number from 0 to below 1."""
        first = bisect_right(self.values_ms, waited_ms)
        left = len(self.values_ms) - first
        if left:
            return max(waited_ms + 1, round(self.values_ms[first + int(chance * left)]))
        return waited_ms + 1 + round(-self.tail_mean_ms * log1p(-chance))


class RecordedContact(Struct, frozen=True, kw_only=True):
    """A contact as it came. It waited at least `waited_ms`; `left`: it then left unanswered."""

    contact_id: ContactId
    type: TypeName
    at_ms: int
    facts: ContactFacts
    waited_ms: int
    left: bool
    work: Work | None
    """None = it was never answered, or its talk was not over when the recording ended."""
    onward: "tuple[RecordedStretch, ...]" = ()
    """Where it was passed on to, one after the other."""
    refusals: tuple[int, ...] = ()
    """What became of its first offers, in ms: declined after so long, -1 = ran out unanswered."""
    rang_ms: int = 0
    """So long an agent had been asked when the customer left: the answer would have come later."""


class RecordedStretch(Struct, frozen=True, kw_only=True):
    """A further wait of a contact that was passed on to a queue, and its talk."""

    queue: QueueName
    waited_ms: int
    left: bool
    work: Work | None


class RecordedTurn(Struct, frozen=True):
    """What an agent did by the clock."""

    at_ms: int
    agent_id: AgentId
    does: Does


class RecordedDay(Struct, frozen=True, eq=False, kw_only=True):
    """All of it; times in ms since midnight of the day."""

    contacts: tuple[RecordedContact, ...]
    """In the order of their arrival."""
    patience: dict[TypeName, PatienceLeft | None]
    """None: nobody of that channel left, so nobody is taken to leave."""
    unseen: dict[TypeName, tuple[Work, ...]]
    """What to draw from for contacts without work; at least one for each type that has such."""
    agents: tuple[tuple[AgentProfile, GroupName], ...]
    """All agents of the day, each with a group of the scenario that is as the agent is."""
    turns: tuple[RecordedTurn, ...]
    rosters: tuple[tuple[int, Roster], ...]
    """The first one holds from the beginning."""
    policies: tuple[tuple[int, Policy], ...] = ()
    """Policies that came into force during the day, after the one that the run begins with."""


class RecordedPeople:
    """The people of a run: a recorded day, and what is drawn for it."""

    def __init__(self, day: RecordedDay, scenario: Scenario, streams: Streams) -> None:
        self._day = day
        drawn: dict[TypeName, list[_Drawn]] = {name: [] for name in scenario.types}
        for one in _drawn(day, streams):
            drawn[one.recorded.type].append(one)
        self.kinds: list[Kind] = [
            RecordedKind(name, index, rules, streams, drawn[name])
            for index, (name, rules) in enumerate(scenario.types.items())
        ]
        self.workers = [
            Worker(index, profile.agent_id, scenario.groups[group], None)
            for index, (profile, group) in enumerate(day.agents)
        ]
        self.roster = day.rosters[0][1]

    def turns(self) -> Iterator[Turn]:
        """Yields what the clock makes of the agents."""
        workers = {worker.agent_id: worker for worker in self.workers}
        for turn in self._day.turns:
            yield Turn(turn.at_ms, workers[turn.agent_id], turn.does)

    def changes(self) -> Iterator[tuple[int, c.SetPolicy | c.SetRoster]]:
        """Yields the policies and rosters that come into force later, and when."""
        for at_ms, policy in self._day.policies:
            yield at_ms, c.SetPolicy(SYSTEM, policy)
        for at_ms, roster in self._day.rosters[1:]:
            yield at_ms, c.SetRoster(SYSTEM, roster)


class RecordedKind(Kind):
    """The contacts of one type, as they were recorded; number n is the n-th that came."""

    def __init__(
        self,
        name: TypeName,
        index: int,
        rules: ContactType,
        streams: Streams,
        drawn: "list[_Drawn]",
    ) -> None:
        super().__init__(name, index, rules, streams)
        self._drawn = drawn

    def arrivals(self, from_ms: int) -> Iterator[int]:
        """Returns when its contacts come."""
        return iter([one.recorded.at_ms for one in self._drawn])

    def customer(self, attempt: int, at_ms: int) -> Customer:
        """Returns the next contact of this type."""
        one = self._drawn[self.began]
        customer = super().customer(attempt, at_ms)
        customer.contact_id, customer.facts = one.recorded.contact_id, one.recorded.facts
        customer.patience_ms = one.patience_ms
        customer.refusals, customer.onward = one.recorded.refusals, one.onward
        customer.answering_ms = one.work.answering_ms
        customer.connecting_ms = one.work.connecting_ms
        customer.handling_ms = one.work.talk_ms
        customer.wrap_up_ms = one.work.wrap_up_ms
        return customer


class _Drawn(Struct, frozen=True):
    """A contact with what is drawn for it where the day does not tell."""

    recorded: RecordedContact
    patience_ms: int
    work: Work
    onward: tuple[Stretch, ...]


def _drawn(day: RecordedDay, streams: Streams) -> Iterator[_Drawn]:
    count = len(day.contacts)
    patience = streams.generator("patience left").random(count).tolist()
    works = streams.generator("work of who was not answered").random(count).tolist()
    further = streams.chances("further stretches")
    for one, of_patience, of_work in zip(day.contacts, patience, works, strict=True):
        work = one.work or _one_of(day.unseen[one.type], of_work)
        if one.rang_ms:
            work = replace(work, answering_ms=max(work.answering_ms, one.rang_ms + 1))
        onward = tuple(_stretch(day, one.type, each, further) for each in one.onward)
        yield _Drawn(one, _patience_ms(day, one.type, one, of_patience), work, onward)


def _stretch(day: RecordedDay, kind: TypeName, one: RecordedStretch, further: Chances) -> Stretch:
    of_patience, of_work = further.next(), further.next()
    work = one.work or _one_of(day.unseen[kind], of_work)
    return Stretch(
        queue=one.queue,
        patience_ms=_patience_ms(day, kind, one, of_patience),
        answering_ms=work.answering_ms,
        connecting_ms=work.connecting_ms,
        handling_ms=work.talk_ms,
        wrap_up_ms=work.wrap_up_ms,
    )


def _one_of(works: tuple[Work, ...], chance: float) -> Work:
    return works[int(chance * len(works))]


def _patience_ms(
    day: RecordedDay, kind: TypeName, one: RecordedContact | RecordedStretch, chance: float
) -> int:
    left = day.patience[kind]
    if one.left:
        return one.waited_ms
    return FOR_EVER if left is None else left.longer_than(one.waited_ms, chance)


def draws(day: RecordedDay) -> tuple[int, int]:
    """Returns how many contacts have a drawn patience, and how many a drawn talk."""
    patience = sum(day.patience[one.type] is not None and not one.left for one in day.contacts)
    return patience, sum(one.work is None for one in day.contacts)
