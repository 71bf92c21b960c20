"""Lifecycles as tables: which states of contact, leg and presence may follow which.

    contact   scheduled -> waiting <-> engaged -> ended      (asleep, parked: later)
    leg       offered -> joining -> active <-> held -> wrapping -> done
    presence  offline -> ready <-> not-ready, draining -> offline

A contact is waiting while its owner leg is offered and engaged from joining on; if joining fails it
waits again. `move_*` return the new state or raise `IllegalMove`: a bug in the deciding code, never
an answer to a caller, whose refusals are in `errors`.
"""

from typing import Final

from usher.queue.values import ContactState, LegState, Presence

C, L, P = ContactState, LegState, Presence

CONTACT_MOVES: Final[dict[ContactState, frozenset[ContactState]]] = {
    C.SCHEDULED: frozenset({C.WAITING, C.ENDED}),
    C.WAITING: frozenset({C.ENGAGED, C.PARKED, C.ENDED}),
    C.ENGAGED: frozenset({C.WAITING, C.ASLEEP, C.PARKED, C.ENDED}),
    C.ASLEEP: frozenset({C.WAITING, C.ENGAGED, C.ENDED}),
    C.PARKED: frozenset({C.WAITING, C.ENDED}),
    C.ENDED: frozenset(),
}

LEG_MOVES: Final[dict[LegState, frozenset[LegState]]] = {
    L.OFFERED: frozenset({L.JOINING, L.ACTIVE, L.DONE}),
    L.JOINING: frozenset({L.ACTIVE, L.DONE}),
    L.ACTIVE: frozenset({L.HELD, L.WRAPPING, L.DONE}),
    L.HELD: frozenset({L.ACTIVE, L.WRAPPING, L.DONE}),
    L.WRAPPING: frozenset({L.DONE}),
    L.DONE: frozenset(),
}

PRESENCE_MOVES: Final[dict[Presence, frozenset[Presence]]] = {
    P.OFFLINE: frozenset({P.READY, P.NOT_READY}),
    P.READY: frozenset({P.NOT_READY, P.DRAINING, P.OFFLINE}),
    P.NOT_READY: frozenset({P.READY, P.DRAINING, P.OFFLINE}),
    P.DRAINING: frozenset({P.READY, P.NOT_READY, P.OFFLINE}),
}

LIVE_LEGS: Final = frozenset({L.OFFERED, L.JOINING, L.ACTIVE, L.HELD})
"""States in which a leg of role owner owns its contact."""

TALKING_LEGS: Final = frozenset({L.ACTIVE, L.HELD})
"""States in which agent and customer are together."""


class IllegalMove(RuntimeError):
    """A move that the tables do not have."""


def move_contact(old: ContactState, new: ContactState) -> ContactState:
    """Returns `new`; raises IllegalMove unless it is `old` or may follow it."""
    if new is not old and new not in CONTACT_MOVES[old]:
        raise IllegalMove(f"contact {old.value} -> {new.value}")
    return new


def move_leg(old: LegState, new: LegState) -> LegState:
    """Returns `new`; raises IllegalMove unless it is `old` or may follow it."""
    if new is not old and new not in LEG_MOVES[old]:
        raise IllegalMove(f"leg {old.value} -> {new.value}")
    return new


def move_presence(old: Presence, new: Presence) -> Presence:
    """Returns `new`; raises IllegalMove unless it is `old` or may follow it."""
    if new is not old and new not in PRESENCE_MOVES[old]:
        raise IllegalMove(f"presence {old.value} -> {new.value}")
    return new
