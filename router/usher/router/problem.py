"""One joint problem, reduced: contacts and places that have an allowed pair, contacts in classes.

Contacts that see every place alike (same kind, same preferences as far as these agents tell them
apart, no link to one of these agents) are one class; a score is the contact's own part plus its
class's value at the place. So a thousand contacts of one queue cost one row of values. What is left
out has no allowed pair, so a problem is the same whether it was built from all contacts and agents
or only from the changed ones. Class numbers decide nothing.
"""

from typing import NamedTuple

import numpy as np

from usher.queue.state import Contact
from usher.queue.values import TERM_MAX, AgentId
from usher.queue.waiting import LINKED, PREFERS
from usher.router.field import PREFERENCE, RELATIONSHIP, Field
from usher.router.scoring import FORBIDDEN, LEAST, Flags, Ints, Longs

TABLE_CELLS_MAX = 4_000_000
"""Largest table of values that is ever built (int32: 16 MB); beyond it the match is greedy."""

NOTHING = np.zeros(0, np.int64)


class Links(NamedTuple):
    """Links of these contacts to agents of the field: position in the rows, place, strength."""

    item: Longs
    place: Longs
    strength: Longs
    paused: Flags

    def where(self, flags: Flags) -> "Links":
        """Returns the links at which the flags are true."""
        return Links(self.item[flags], self.place[flags], self.strength[flags], self.paused[flags])


class Problem(NamedTuple):
    """Rows of the waiting columns against places of the field.

    `own`: per row the part of the score that no agent changes. `class_of`: per row its class.
    `kinds`: per class its kind. `values`: classes x places, FORBIDDEN where not allowed; empty if
    it would be larger than TABLE_CELLS_MAX.
    """

    rows: Longs
    own: Longs
    class_of: Longs
    kinds: Longs
    places: Longs
    values: Ints

    @property
    def too_large(self) -> bool:
        """Returns whether there is no table of values."""
        return self.values.size == 0


def build(field: Field, rows: Longs) -> Problem | None:
    """Returns the reduced problem of these contacts, None if there is no allowed pair."""
    kind = field.waiting.kind.take(rows)
    kinds = _distinct(kind)
    table = field.table(kinds)
    allowed = table > LEAST
    served: Flags = np.any(allowed, axis=1)
    if not served.all():
        kept = served[_number_of(kinds, kind)].nonzero()[0]
        if not kept.size:
            return None
        rows, kind = rows[kept], kind[kept]
        kinds, table, allowed = kinds[served], table[served], allowed[served]
    local = _number_of(kinds, kind)
    links = _links(field, rows)
    if links is not None:
        links = links.where(allowed[local[links.item], links.place])
    has_pair, places = _with_pair(local, allowed, links)
    if not places.size:
        return None
    own = field.urgency(rows)
    taste = _tastes(field, rows, kind, places)
    if taste is not None and taste.shape[0] == 1:
        own += taste[0]
        taste = None
    if taste is None and links is None:
        return Problem(rows, own, local, kinds, places, table[:, places])
    base = Base(table, kinds, local, places, field, taste)
    problem = _finish(base, has_pair, links)
    return problem._replace(rows=rows[problem.rows], own=own[problem.rows])


def _distinct(kind: Longs) -> Longs:
    if int(kind.min()) == int(kind.max()):
        return kind[:1]
    return np.bincount(kind).nonzero()[0]


def _number_of(kinds: Longs, kind: Longs) -> Longs:
    """Returns per contact the position of its kind in `kinds` (0 for kinds that are not in it)."""
    if kinds.size == 1:
        return np.zeros(kind.size, np.int64)
    position = np.zeros(int(kind.max()) + 1, np.int64)
    position[kinds] = np.arange(kinds.size)
    return position[kind]


class Base(NamedTuple):
    """What the classes' values are made from (see `_values`)."""

    table: Ints
    kinds: Longs
    local: Longs
    places: Longs
    field: Field
    taste: Longs | None


def _finish(base: Base, has_pair: Flags, links: Links | None) -> Problem:
    """Forms the classes, drops contacts without a pair, fills in the values.

    Of the problem, `rows` are still positions in the rows, and `own` is empty.
    """
    class_of = base.local if base.taste is None else _split(base.local, base.taste)
    if links is not None and links.item.size:
        linked = np.bincount(links.item, minlength=class_of.size).nonzero()[0]
        class_of = class_of.copy()
        class_of[linked] = class_of.max() + 1 + np.arange(linked.size)
    kept = has_pair.nonzero()[0]
    _, one_of, renumbered = np.unique(class_of[kept], return_index=True, return_inverse=True)
    samples = kept[one_of]
    kinds = base.kinds[base.local[samples]]
    values = np.zeros((0, 0), np.int32)
    if samples.size * base.places.size <= TABLE_CELLS_MAX:
        values = _values(base, samples)
        if links is not None:
            _apply(links, values, base, class_of, samples)
    return Problem(kept, NOTHING, renumbered.reshape(-1), kinds, base.places, values)


def _values(base: Base, samples: Longs) -> Ints:
    """Returns classes x places without links; `samples`: one contact of each class."""
    values = base.table[np.ix_(base.local[samples], base.places)]
    if base.taste is not None:
        weights = base.field.kinds.weights[PREFERENCE].take(base.kinds[base.local[samples]])
        kit = base.field.kit()[base.places]
        kits = np.flatnonzero(np.bincount(kit))
        taste = base.taste[:, samples].T * weights[:, None]
        values += taste[:, np.searchsorted(kits, kit)].astype(np.int32)
        values[values <= LEAST] = FORBIDDEN
    return values


def _apply(links: Links, values: Ints, base: Base, class_of: Longs, samples: Longs) -> None:
    """Writes relationships and pauses into the classes' values (each linked contact is a class)."""
    number_of = np.full(class_of.size, -1, np.int64)
    number_of[samples] = np.arange(samples.size)
    place_at = np.full(base.table.shape[1], -1, np.int64)
    place_at[base.places] = np.arange(base.places.size)
    number, place = number_of[links.item], place_at[links.place]
    there = (number >= 0) & (place >= 0)
    links, number, place = links.where(there), number[there], place[there]
    weights = base.field.kinds.weights[RELATIONSHIP].take(base.kinds[base.local[links.item]])
    values[number, place] += (weights * links.strength).astype(np.int32)
    values[number[links.paused], place[links.paused]] = FORBIDDEN


def _with_pair(local: Longs, allowed: Flags, links: Links | None) -> tuple[Flags, Longs]:
    """Returns which contacts (each kind has allowed places) and which places have a pair."""
    if links is None or not links.paused.any():
        return np.ones(local.size, np.bool_), np.any(allowed, axis=0).nonzero()[0]
    paused = links.where(links.paused)
    lost = np.bincount(paused.item, minlength=local.size)
    has_pair = np.count_nonzero(allowed, axis=1)[local] > lost
    pauses = np.zeros(allowed.shape, np.int64)
    np.add.at(pauses, (local[paused.item], paused.place), 1)
    contacts = np.bincount(local, minlength=allowed.shape[0])
    return has_pair, np.flatnonzero((allowed & (pauses < contacts[:, None])).any(axis=0))


def _tastes(field: Field, rows: Longs, kind: Longs, places: Longs) -> Longs | None:
    """Returns the preference term per set of channels (of the agents at these places) and contact.

    With one set only, it comes weighted: it is a part of the contact's own. None: no preferences.
    """
    waiting = field.waiting
    if not waiting.preferring or not (waiting.marks.take(rows) & PREFERS).any():
        return None
    kits = np.flatnonzero(np.bincount(field.kit()[places]))
    taste = np.stack([waiting.tastes(field.agents.kits[kit], rows) for kit in kits.tolist()])
    if kits.size == 1:
        weighted: Longs = taste * field.kinds.weights[PREFERENCE].take(kind)
        return weighted
    return taste.astype(np.int64)


def _split(class_of: Longs, taste: Longs) -> Longs:
    """Returns finer classes: contacts of one class have equal preference terms everywhere."""
    for terms in taste:
        _, class_of = np.unique(class_of * (TERM_MAX + 1) + terms, return_inverse=True)
        class_of = class_of.reshape(-1)
    return class_of


def _links(field: Field, rows: Longs) -> Links | None:
    """Returns the links between these contacts and the field, looked up from the shorter side."""
    if not field.waiting.links:
        return None
    linked = np.flatnonzero(field.waiting.marks.take(rows) & LINKED)
    if not linked.size:
        return None
    if linked.size <= 2 * field.index.size:
        found = _links_by_contact(field, rows, linked)
    else:
        found = _links_by_agent(field, rows)
    if not found:
        return None
    columns = np.array(found, np.int64).T
    return Links(columns[0], columns[1], columns[2], columns[3] > 0)


def _links_by_contact(field: Field, rows: Longs, linked: Longs) -> list[tuple[int, ...]]:
    contacts = field.waiting.contacts
    return [
        (item, place, strength or 0, strength is None)
        for item in linked.tolist()
        for place, strength in field.links(contacts[rows[item]])
    ]


def _links_by_agent(field: Field, rows: Longs) -> list[tuple[int, ...]]:
    waiting, ids = field.waiting, field.agents.ids
    item_at = np.full(len(waiting), -1, np.int64)
    item_at[rows] = np.arange(rows.size)
    found: list[tuple[int, ...]] = []
    for place, index in enumerate(field.index.tolist()):
        for contact_id in waiting.links.get(ids[index], ()):
            row = waiting.row_of[contact_id]
            if item_at[row] >= 0:
                strength = _strength(waiting.contacts[row], ids[index])
                found.append((int(item_at[row]), place, strength or 0, strength is None))
    return found


def _strength(contact: Contact, agent_id: AgentId) -> int | None:
    """Returns the strength of the relationship with the agent, None if the pair pauses."""
    if agent_id in contact.pauses:
        return None
    return {each.agent_id: each.strength for each in contact.facts.relationships}.get(agent_id, 0)
