"""Virtual time around the router's pool: acts in order, then what is due, then the match.

As the service's runner does it, so that no second order of things exists. People react to events;
a reaction gives no command itself, it puts an act on the agenda, or among those that are done
before the match of this very moment. It must not know who the people are.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

from usher.queue import commands as c
from usher.queue.event import Event
from usher.queue.events import AnyEvent
from usher.queue.values import SYSTEM
from usher.router.pool import Pool
from usher.simulation.agenda import Act, Agenda

_MATCH: Final = c.MatchContacts(SYSTEM)
_EXPIRE: Final = c.ExpireDeadlines(SYSTEM)
_FORGET_EVERY = 256

Happened = TypeVar("Happened", bound=Event)


class Engine:
    """The pool, the agenda and the present moment (ms of the run's clock)."""

    def __init__(self) -> None:
        self.pool = Pool(shared=False)
        self.agenda = Agenda()
        self.now_ms = 0
        self._reactions: dict[type, Callable[..., None]] = {}
        self._at_once: deque[Act] = deque()
        self._steps = 0
        self._due_ms: int | None = None
        self._due_known = False
        self._unmatched = False
        """Whether a record has been applied since the last look whether a match is needed."""

    def on(self, kind: type[Happened], react: Callable[[Happened], None]) -> None:
        """What people do about an event of this kind; one reaction for each kind."""
        self._reactions[kind] = react

    def do(self, command: c.AnyCommand) -> tuple[AnyEvent, ...]:
        """Gives the pool a command and lets people react; raises Refused, then nothing is done."""
        pool, now_ms, reactions = self.pool, self.now_ms, self._reactions
        events = pool.execute(command, now_ms)
        if events:
            pool.apply(events, now_ms)
            self._due_known, self._unmatched = False, True
            for event in events:
                reaction = reactions.get(type(event))
                if reaction is not None:
                    reaction(event)
        return events

    def later(self, after_ms: int, act: Act) -> None:
        """Puts an act on the agenda, so long from now."""
        self.agenda.put(self.now_ms + after_ms, act)

    def at_once(self, act: Act) -> None:
        """An act to be done before the match of this moment."""
        self._at_once.append(act)

    def next_ms(self) -> int | None:
        """Returns when something happens next, None if nothing is to come."""
        at_ms, due_ms = self.agenda.next_ms(), self._next_change()
        if at_ms is None or due_ms is None:
            return due_ms if at_ms is None else at_ms
        return min(at_ms, due_ms)

    def step(self) -> bool:
        """Takes the next act, or what is due before it; returns False if nothing is to come."""
        due_ms = self._due_ms if self._due_known else self._next_change()
        planned = self.agenda.take(due_ms)
        if planned is not None:
            self.now_ms, act = planned
            act()
        elif due_ms is not None:
            self.now_ms = max(self.now_ms, due_ms)
            self.do(_EXPIRE)
        else:
            return False
        self._steps += 1
        if self._steps % _FORGET_EVERY == 0:
            self._forget()
        while self._at_once:
            self._at_once.popleft()()
        if self._unmatched:
            if self.pool.needs_match:
                self.do(_MATCH)
            self._unmatched = False
        return True

    def _next_change(self) -> int | None:
        """Returns when the pool changes by itself next: another time only after a record."""
        if not self._due_known:
            self._due_ms, self._due_known = self.pool.next_change(), True
        return self._due_ms

    def _forget(self) -> None:
        """Lets go of contacts that have ended, many at once: nobody asks for them."""
        self.pool.take_changes()  # kept for watches, of which a run has none
        due_ms = self.pool.next_deadline()
        if due_ms is not None and due_ms <= self.now_ms:
            self.do(_EXPIRE)
