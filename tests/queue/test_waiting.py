"""Columns of waiting contacts against a plain dict, and their lines."""

from random import Random

import numpy as np

from usher.queue import values as v
from usher.queue.state import Contact, Leg, copied
from usher.queue.waiting import LINKED, PREFERS, Waiting

CHAT = v.Channel.CHAT


def contact_of(
    number: int,
    queue: str = "q",
    since_ms: int = 1000,
    relationships: tuple[v.Relationship, ...] = (),
) -> Contact:
    known = v.ContactFacts(v.QueueName(queue), CHAT, relationships=relationships)
    return Contact(
        v.ContactId(f"c{number}"),
        known,
        "p",
        number,
        v.ContactState.WAITING,
        since_ms,
        since_ms,
        0,
        number,
    )


def test_a_contact_waits_unoffered_while_nobody_owns_it() -> None:
    contact = contact_of(1)
    leg = Leg(
        v.LegId("c1.1"), contact.contact_id, v.AgentId("a"), CHAT, v.LegRole.OWNER,
        v.LegState.OFFERED, 1, 0, 0, 0,
    )  # fmt: skip
    assert contact.waits_unoffered
    assert not copied(contact, legs=(leg,)).waits_unoffered
    assert copied(contact, legs=(copied(leg, state=v.LegState.DONE),)).waits_unoffered
    assert not copied(contact, state=v.ContactState.ENGAGED).waits_unoffered


def test_random_puts_and_drops_keep_columns_and_lines_right() -> None:
    random = Random(5)
    waiting = Waiting(2)
    there: dict[v.ContactId, tuple[Contact, int, int, list[tuple[int, int]]]] = {}
    for number in range(1500):
        if there and random.random() < 0.4:
            contact_id = random.choice(list(there))
            assert there.pop(contact_id)[1] == waiting.drop(contact_id)
        else:
            contact = contact_of(number, random.choice("xyz"), random.randint(0, 50))
            tastes = [(random.randint(0, 1), random.randint(1, 1000))] * random.randint(0, 1)
            entry = contact, random.randint(0, 9), random.randint(0, 600), tastes
            there[contact.contact_id] = entry
            waiting.put(*entry)
    check(waiting, there)
    for contact_id in list(there)[:-3]:
        waiting.drop(contact_id)
        del there[contact_id]
    check(waiting, there)


def test_cleared_columns_are_as_new_ones() -> None:
    waiting = Waiting(2)
    known = v.Relationship(v.AgentId("ann"), 500)
    for number, kind in enumerate([3, 1, 3]):
        waiting.put(contact_of(number, relationships=(known,)), kind, 60, [(1, 700)])
    assert [3, 1, 3] == waiting.clear()
    assert (0, 0, False, {}) == (
        len(waiting),
        waiting.count("q"),
        waiting.preferring,
        waiting.links,
    )
    later = contact_of(7)
    waiting.put(later, 2, 0)
    check(waiting, {later.contact_id: (later, 2, 0, [])})


def check(
    waiting: Waiting, there: dict[v.ContactId, tuple[Contact, int, int, list[tuple[int, int]]]]
) -> None:
    assert set(there) == set(waiting.row_of)
    assert len(there) == len(waiting)
    for contact, kind, need, tastes in there.values():
        row = waiting.row_of[contact.contact_id]
        assert contact is waiting.contacts[row]
        assert (contact.order_ms, contact.sequence) == (
            waiting.order_ms[row],
            waiting.sequence[row],
        )
        assert (kind, need) == (waiting.kind[row], waiting.need[row])
        rows = np.array([row])
        expected = [dict(tastes).get(channel, 0) for channel in (0, 1)]
        assert expected == [int(waiting.tastes([channel], rows)[0]) for channel in (0, 1)]
        assert bool(tastes) == bool(waiting.marks[row] & PREFERS)
    for queue in "xyz":
        line = sorted(
            (each[0] for each in there.values() if each[0].facts.queue == queue),
            key=lambda each: (each.order_ms, each.sequence),
        )
        assert len(line) == waiting.count(v.QueueName(queue))
        for place, contact in enumerate(line, 1):
            assert place == waiting.position(contact.contact_id)


def test_a_line_has_two_ends_by_time_waited() -> None:
    waiting = Waiting(0)
    assert waiting.ends_ms(v.QueueName("q")) is None
    for number, since_ms in enumerate((30, 10, 20)):
        waiting.put(contact_of(number, since_ms=since_ms), 0, 0)
    assert (10, 30) == waiting.ends_ms(v.QueueName("q"))
    waiting.drop(v.ContactId("c0"))
    assert (10, 20) == waiting.ends_ms(v.QueueName("q"))


def test_who_is_not_there_has_position_0() -> None:
    assert 0 == Waiting(0).position(v.ContactId("x"))
    assert 0 == Waiting(0).count(v.QueueName("x"))
    assert v.ContactId("x") not in Waiting(0)


def test_the_strongest_of_several_preferences_for_a_channel_counts() -> None:
    waiting = Waiting(2)
    waiting.put(contact_of(1), 0, 0, [(0, 5), (0, 9), (1, 3)])
    assert [9] == waiting.tastes([0, 1], np.array([0])).tolist()
    assert waiting.preferring


def test_links_lead_from_agents_to_contacts() -> None:
    waiting = Waiting(0)
    friend, tired = v.AgentId("friend"), v.AgentId("tired")
    known = v.Relationship(friend, 7), v.Relationship(tired, 7)
    linked = copied(contact_of(1, relationships=known), pauses={tired: 9})
    waiting.put(linked, 0, 0)
    waiting.put(contact_of(2, relationships=(v.Relationship(friend, 1),)), 0, 0)
    assert {friend: ["c1", "c2"], tired: ["c1"]} == {
        agent_id: list(contacts) for agent_id, contacts in waiting.links.items()
    }
    assert LINKED == waiting.marks[0]
    waiting.drop(v.ContactId("c1"))
    assert {friend: ["c2"]} == {key: list(each) for key, each in waiting.links.items()}
    waiting.drop(v.ContactId("c2"))
    assert {} == waiting.links
