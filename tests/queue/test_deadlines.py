"""The heap of due times: in order, never stale, never twice."""

from msgspec.structs import replace

from usher.queue.branches import BranchName, LineName, ServiceName
from usher.queue.deadlines import Deadlines, DeferredDeadlines, Due
from usher.queue.state import Contact, Leg, copied
from usher.queue.tickets import Ticket
from usher.queue.values import (
    NEVER_MS,
    AgentId,
    ChannelName,
    ContactFacts,
    ContactId,
    ContactState,
    LegId,
    LegRole,
    LegState,
    QueueName,
)

ANN = AgentId("ann")
FACTS = ContactFacts(QueueName("main"), ChannelName("chat"))


def leg(contact_id: str, due_ms: int, state: LegState = LegState.OFFERED) -> Leg:
    name, channel = ContactId(contact_id), ChannelName("chat")
    return Leg(LegId(f"{name}.1"), name, ANN, channel, LegRole.OWNER, state, 1, 0, due_ms, 0)


def contact(name: str, *legs: Leg, state: ContactState = ContactState.WAITING) -> Contact:
    return Contact(ContactId(name), FACTS, "", 1, state, 0, 0, 0, 1, legs)


def table(*contacts: Contact) -> dict[ContactId, Contact]:
    return {each.contact_id: each for each in contacts}


def test_the_earliest_comes_first_whatever_the_order_of_adding() -> None:
    contacts = table(contact("a", leg("a", 30)), contact("b", leg("b", 20)))
    deadlines = Deadlines(contacts)
    for each in contacts.values():
        deadlines.add_all(each)
    assert 20 == deadlines.next_ms()
    assert ["b", "a"] == [each.contact_id for each in deadlines.due(30, 9)]
    assert ["b"] == [each.contact_id for each in deadlines.due(29, 9)]
    assert ["b"] == [each.contact_id for each in deadlines.due(30, 1)]


def test_what_is_due_stays_until_its_record_has_moved_on() -> None:
    contacts = table(contact("a", leg("a", 30)))
    deadlines = Deadlines(contacts)
    deadlines.add_all(contacts[ContactId("a")])
    assert deadlines.due(30, 9) == deadlines.due(30, 9) != []
    contacts[ContactId("a")] = contact("a", leg("a", 30, LegState.ACTIVE))
    assert [] == deadlines.due(30, 9)
    assert deadlines.next_ms() is None


def test_a_time_that_was_put_off_is_due_at_the_new_one_only() -> None:
    contacts = table(contact("a", leg("a", 50)))
    deadlines = Deadlines(contacts)
    deadlines.add_leg(leg("a", 30))
    deadlines.add_leg(leg("a", 50))
    assert 50 == deadlines.next_ms()
    assert [50] == [each.due_ms for each in deadlines.due(90, 9)]


def test_a_time_that_was_added_twice_is_due_once() -> None:
    contacts = table(contact("a", leg("a", 30)))
    deadlines = Deadlines(contacts)
    for _ in range(3):
        deadlines.add_leg(leg("a", 30))
    assert 1 == len(deadlines.due(30, 9))


def test_a_grace_counts_for_live_owner_legs_alone() -> None:
    graced = copied(leg("a", 0, LegState.ACTIVE), grace_due_ms=40)
    contacts = table(contact("a", graced))
    deadlines = Deadlines(contacts)
    deadlines.add_all(contacts[ContactId("a")])
    assert [Due.GRACE] == [each.kind for each in deadlines.due(40, 9)]
    back = contact("a", copied(graced, grace_due_ms=NEVER_MS))
    contacts[ContactId("a")] = back
    assert deadlines.next_ms() is None


def test_pauses_end_with_the_contact_and_only_the_end_lets_it_retire() -> None:
    paused = copied(contact("a"), pauses={ANN: 40})
    contacts = table(paused)
    deadlines = Deadlines(contacts)
    deadlines.add_all(paused)
    assert 40 == deadlines.next_ms()
    ended = copied(paused, state=ContactState.ENDED, retire_ms=90)
    contacts[ContactId("a")] = ended
    deadlines.add_retirement(ended)
    assert 90 == deadlines.next_ms()
    assert [Due.RETIREMENT] == [each.kind for each in deadlines.due(90, 9)]
    del contacts[ContactId("a")]
    assert deadlines.next_ms() is None


def test_at_one_moment_wrap_up_ends_before_its_contact_retires() -> None:
    wrapping = leg("a", 60, LegState.WRAPPING)
    ended = copied(contact("a", wrapping, state=ContactState.ENDED), retire_ms=60)
    deadlines = Deadlines(table(ended))
    deadlines.add_all(ended)
    assert [Due.LEG, Due.RETIREMENT] == [each.kind for each in deadlines.due(60, 9)]


def ticket(name: str, closes_ms: int) -> Ticket:
    names = BranchName("north"), LineName("a"), ServiceName("cash")
    return Ticket(ContactId(name), *names, "2026-03-02", 1, "A001", closes_ms)


def closing(one: Contact, its: Ticket) -> Deadlines:
    deadlines = Deadlines(table(one), {its.contact_id: its})
    deadlines.rebuild()
    return deadlines


def test_a_ticket_ends_when_its_day_closes_while_it_waits_or_is_called() -> None:
    called = contact("a", leg("a", 99, LegState.JOINING), state=ContactState.ENGAGED)
    for one in (contact("a"), called):
        deadlines = closing(one, ticket("a", 40))
        assert 40 == deadlines.next_ms()
        assert [Due.CLOSING] == [each.kind for each in deadlines.due(40, 9)]


def test_who_is_served_or_has_ended_is_not_closed() -> None:
    served = contact("a", leg("a", 0, LegState.ACTIVE), state=ContactState.ENGAGED)
    held = contact("a", leg("a", 0, LegState.HELD), state=ContactState.ENGAGED)
    ended = contact("a", state=ContactState.ENDED)
    for one in (served, held, ended):
        assert [] == closing(one, ticket("a", 40)).due(99, 9)


def test_a_closing_that_was_moved_is_due_at_the_new_time_only() -> None:
    contacts, tickets = table(contact("a")), {ContactId("a"): ticket("a", 40)}
    deadlines = Deadlines(contacts, tickets)
    for closes_ms in (40, 60, 50):
        tickets[ContactId("a")] = replace(tickets[ContactId("a")], closes_ms=closes_ms)
        deadlines.add_closing(tickets[ContactId("a")])
    assert [50] == [each.due_ms for each in deadlines.due(99, 9)]
    del tickets[ContactId("a")]
    assert deadlines.next_ms() is None


def test_at_one_moment_a_called_visitors_grace_ends_before_the_day_closes() -> None:
    called = contact("a", leg("a", 40, LegState.JOINING), state=ContactState.ENGAGED)
    deadlines = closing(called, ticket("a", 40))
    assert [Due.LEG, Due.CLOSING] == [each.kind for each in deadlines.due(40, 9)]


def test_what_was_found_due_and_is_put_off_is_due_at_the_new_time_only() -> None:
    one, other = leg("a", 30), contact("b", leg("b", 40))
    contacts = table(contact("a", one), other)
    deadlines = Deadlines(contacts)
    for each in contacts.values():
        deadlines.add_all(each)
    assert ["a", "b"] == [each.contact_id for each in deadlines.due(50, 9)]
    contacts[ContactId("a")] = contact("a", leg("a", 45))
    deadlines.add_leg(leg("a", 45))
    assert 40 == deadlines.next_ms()
    assert [40, 45] == [each.due_ms for each in deadlines.due(50, 9)]
    assert [40] == [each.due_ms for each in deadlines.due(44, 9)]


def test_the_due_time_of_a_leg_that_was_taken_back_never_comes() -> None:
    one = leg("a", 30)
    contacts = table(contact("a", one), contact("b", leg("b", 40)))
    deadlines = Deadlines(contacts)
    deadlines.add_leg(contacts[ContactId("b")].legs[0])
    deadlines.add_leg(one)
    deadlines.take_back(leg("b", 40))
    deadlines.take_back(one)
    assert 40 == deadlines.next_ms()


def test_deferred_deadlines_take_nothing() -> None:
    one = copied(contact("a", leg("a", 30)), pauses={ANN: 40}, retire_ms=50)
    deadlines = DeferredDeadlines(table(one))
    deadlines.add_all(one)
    deadlines.add_grace(leg("a", 30))
    deadlines.add_closing(ticket("a", 30))
    assert deadlines.next_ms() is None
