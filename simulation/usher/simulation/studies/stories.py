"""The worst waits of a recorded day: each with its story, why it waited, what would have freed it.

    Recording -> the longest waits -> moments of each wait
    records, once more -> the ledger at each moment -> how agents stood, which changes help

It must not know files, simulations, or how this is shown.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from usher.queue.codec import Record
from usher.queue.ledger import Ledger
from usher.queue.rules import QueueRules
from usher.queue.state import Leg
from usher.queue.values import NEVER_MS, AgentId, ChannelName, ContactId, ContactState, QueueName
from usher.simulation.freeing import Change, Freeing, freeings
from usher.simulation.standing import LineStanding, Standing, line_standing, standing
from usher.simulation.studies.recording import Course, Recording, moments

LOOKS = 6
"""Moments of a wait that are looked into, evenly from its beginning on."""
_SIZES = {change: size for size, change in enumerate(Change)}


class Asking(Struct, frozen=True, kw_only=True):
    """An offer of the contact to an agent, and what came of it; ms since the day began."""

    agent_id: AgentId
    offered_ms: int
    joined_ms: int
    """Accepted; -1 = never."""
    active_ms: int
    ended_ms: int
    end: str
    """`completed`, `declined`, `expired`, `withdrawn` ...; `none` = not over."""


class Freed(Struct, frozen=True, kw_only=True):
    """A change that would have given the contact an agent at this moment, the first looked at."""

    change: Change
    what: str
    agent_id: AgentId
    from_ms: int


class Story(Struct, frozen=True, kw_only=True):
    """One contact and its wait; times in ms since the day began."""

    contact_id: ContactId
    queue: QueueName
    channel: ChannelName
    came_ms: int
    target_ms: int
    """Of its queue."""
    waited_ms: int
    """Until an agent was there, until it left, or until the journal ends."""
    ended: str
    """`answered`, `abandoned`, `open` or `other`."""
    answered_by: AgentId | None
    has_ticket: bool
    askings: tuple[Asking, ...]
    standings: tuple[Standing, ...] = ()
    lines: tuple[LineStanding, ...] = ()
    """In place of standings, for a ticket."""
    freed: tuple[Freed, ...] = ()
    """The smallest change first."""


class Worst(Struct, frozen=True):
    """The longest waits, measured by the target of each queue: of those who were answered (or wait
    still), and of those who left."""

    waits: tuple[Story, ...]
    abandons: tuple[Story, ...]


def worst_waits(recording: Recording, count: int) -> Worst:
    """Returns the longest waits / target of the queue, not looked into yet; `count` of either."""
    told = [_story(one, recording) for one in recording.courses if not one.was_started]
    ordered = sorted(told, key=lambda one: (-one.waited_ms / one.target_ms, one.came_ms))
    waited = [one for one in ordered if one.waited_ms > 0]
    return Worst(
        tuple([one for one in waited if one.ended in ("answered", "open")][:count]),
        tuple([one for one in waited if one.ended == "abandoned"][:count]),
    )


def looked_into(
    worst: Worst,
    records: Iterable[Record],
    from_ms: int,
    progress: Callable[[int, int], None] | None = None,
) -> Worst:
    """Returns the same with how agents stood at moments of each wait, and what would have helped.

    `records` are the journal's from its first on; `progress` is told (looked at, all).
    """
    sights = [_Sight(one) for one in (*worst.waits, *worst.abandons)]
    wanted = sorted(
        ((at_ms + from_ms, place) for place, one in enumerate(sights) for at_ms in one.moments()),
    )
    todo: dict[int, list[_Sight]] = {}
    for at_ms, place in wanted:
        todo.setdefault(at_ms, []).append(sights[place])
    for done, (at_ms, ledger) in enumerate(moments(records, todo), start=1):
        for sight in todo[at_ms]:
            sight.look(ledger, at_ms, from_ms)
        if progress is not None:
            progress(done, len(todo))
    told = [sight.told() for sight in sights]
    return Worst(tuple(told[: len(worst.waits)]), tuple(told[len(worst.waits) :]))


class _Sight:
    """What is seen of one wait."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._standings: list[Standing] = []
        self._lines: list[LineStanding] = []
        self._found: list[tuple[Freeing, int]] = []

    def moments(self) -> Iterator[int]:
        """Yields the moments to look at."""
        length_ms = _pending_until(self._story) - self._story.came_ms
        for part in sorted({length_ms * at // LOOKS for at in range(LOOKS)}):
            yield self._story.came_ms + part

    def look(self, ledger: Ledger, at_ms: int, from_ms: int) -> None:
        """Looks at how it is at this moment, if it still waits."""
        contact = ledger.contacts.get(self._story.contact_id)
        if contact is None or contact.state is not ContactState.WAITING:
            return
        if self._story.has_ticket:
            line = line_standing(ledger, contact.contact_id, at_ms)
            self._lines.append(replace(line, at_ms=at_ms - from_ms))
            return
        stands = standing(ledger, contact.contact_id, at_ms)
        self._standings.append(replace(stands, at_ms=at_ms - from_ms))
        known = [freeing for freeing, _ in self._found]
        found = freeings(ledger, contact.contact_id, at_ms, known)
        self._found += [(freeing, at_ms - from_ms) for freeing in found]

    def told(self) -> Story:
        """Returns the story with all that was seen."""
        ordered = sorted(self._found, key=lambda one: (_SIZES[one[0].change], one[1]))
        freed = (
            Freed(change=one.change, what=one.what, agent_id=one.agent_id, from_ms=at_ms)
            for one, at_ms in ordered
        )
        return replace(
            self._story,
            standings=tuple(self._standings),
            lines=tuple(self._lines),
            freed=tuple(freed),
        )


def _story(course: Course, recording: Recording) -> Story:
    came, talks, queue = course.came, course.talks, course.came.facts.queue
    waited_ms = course.waited_until_ms(recording.last_ms) - came.enqueued_ms
    ended = "answered" if talks else course.outcome.name.lower()
    return Story(
        contact_id=course.contact_id,
        queue=queue,
        channel=came.facts.channel,
        came_ms=came.enqueued_ms - recording.from_ms,
        target_ms=recording.queues.get(queue, QueueRules(name=queue)).service_target_ms,
        waited_ms=waited_ms,
        ended=ended,
        answered_by=talks[0].agent_id if talks else None,
        has_ticket=course.has_ticket,
        askings=tuple(_askings(course.legs, recording.from_ms)),
    )


def _askings(legs: Sequence[Leg], from_ms: int) -> Iterator[Asking]:
    """Yields the offers up to the first that led to a talk."""
    for leg in legs:
        yield Asking(
            agent_id=leg.agent_id,
            offered_ms=leg.offered_ms - from_ms,
            joined_ms=_since(leg.joined_ms, from_ms),
            active_ms=_since(leg.active_ms, from_ms),
            ended_ms=_since(leg.ended_ms, from_ms),
            end=leg.end.value,
        )
        if leg.active_ms != NEVER_MS:
            return


def _since(at_ms: int, from_ms: int) -> int:
    return NEVER_MS if at_ms == NEVER_MS else at_ms - from_ms


def _pending_until(story: Story) -> int:
    """Returns when the offer was made that led to the talk, else when the wait ended."""
    until_ms = story.came_ms + story.waited_ms
    last = story.askings[-1] if story.askings else None
    return last.offered_ms if last is not None and last.active_ms != NEVER_MS else until_ms
