"""Whether each contact is accounted for: every way to lose one or to serve one twice is found."""

from collections.abc import Callable

import pytest
from tests.router import pool_kit as kit

from usher.queue import commands as c
from usher.queue.codec import Record
from usher.queue.events import ContactAbandoned, ContactConnected
from usher.queue.values import ContactId
from usher.router.trials.accounting import Account, account
from usher.router.trials.observed import Observed
from usher.v1 import contact_pb2, leg_pb2, router_service_pb2

PLANNED = ("c1", "c2")


def leg(number: int = 1, agent: str = "a1", from_s: int = 10, **more: object) -> leg_pb2.Leg:
    made = leg_pb2.Leg(
        leg_id=f"c1.{number}",
        contact_id="c1",
        agent_id=agent,
        channel="voice",
        role=leg_pb2.LEG_ROLE_OWNER,
        state=leg_pb2.LEG_STATE_DONE,
        **more,  # type: ignore[arg-type]
    )
    made.active_time.FromSeconds(from_s)
    return made


def contact(contact_id: str, outcome: int, *legs: leg_pb2.Leg) -> contact_pb2.Contact:
    made = contact_pb2.Contact(
        contact_id=contact_id,
        state=contact_pb2.CONTACT_STATE_ENDED,
        outcome=outcome,  # type: ignore[arg-type]
        legs=legs,
    )
    made.end_time.FromSeconds(30)
    return made


def answered() -> contact_pb2.Contact:
    return contact("c1", contact_pb2.OUTCOME_COMPLETED, leg())


def left() -> contact_pb2.Contact:
    return contact("c2", contact_pb2.OUTCOME_ABANDONED)


def seen(*contacts: contact_pb2.Contact) -> Observed:
    observed = Observed()
    for one in contacts:
        observed.take_contacts(router_service_pb2.WatchContactsResponse(contacts=[one]))
    return observed


def records(connects: int = 1) -> list[Record]:
    """The journal of one contact that was answered and one that left."""
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"))
    driven.talk("c1")
    driven.complete("c1")
    found = [one for one in driven.records if isinstance(one.command, c.EnqueueContact)]
    enqueue = c.EnqueueContact(kit.PLATFORM, kit.new("c2"))
    leave = c.AbandonContact(kit.PLATFORM, ContactId("c2"))
    gone = ContactAbandoned(ContactId("c2"), 0, 0, "")
    arrived = type(found[0].events[0])(  # type: ignore[call-arg]
        ContactId("c2"), kit.new("c2").facts, "pbx"
    )
    extra = [event for one in driven.records for event in one.events if _connects(event)]
    again = [Record(0, 0, leave, (_other_leg(event),)) for event in extra[: connects - 1]]
    return [
        *driven.records,
        Record(0, 0, enqueue, (arrived,)),
        Record(0, 0, leave, (gone,)),
        *again,
    ]


def _connects(event: object) -> bool:
    return isinstance(event, ContactConnected)


def _other_leg(event: object) -> ContactConnected:
    assert isinstance(event, ContactConnected)
    values = {name: getattr(event, name) for name in event.__struct_fields__}
    return ContactConnected(**(values | {"leg_id": kit.leg_id("c1", 9)}))


def test_one_answered_and_one_that_left_are_accounted_for() -> None:
    found = account(PLANNED, seen(answered(), left()), [answered(), left()], records())
    assert () == found.findings
    assert (2, 1, 1, 0, 0, 0) == (
        found.planned,
        found.answered,
        found.abandoned,
        found.unaccounted,
        found.lost,
        found.served_twice,
    )
    assert ("watches", "list of contacts", "journal") == found.witnesses


def _twice() -> contact_pb2.Contact:
    return contact("c1", contact_pb2.OUTCOME_COMPLETED, leg(1), leg(2, "a2"))


def _waiting() -> contact_pb2.Contact:
    return contact_pb2.Contact(contact_id="c2", state=contact_pb2.CONTACT_STATE_WAITING)


def _double_owned() -> contact_pb2.Contact:
    live = [leg(n, f"a{n}") for n in (1, 2)]
    for one in live:
        one.state = leg_pb2.LEG_STATE_ACTIVE
    return contact_pb2.Contact(contact_id="c1", state=contact_pb2.CONTACT_STATE_ENGAGED, legs=live)


LOST: dict[str, Callable[[], Account]] = {
    "not listed": lambda: account(PLANNED, seen(answered(), left()), [answered()]),
    "still waiting": lambda: account(PLANNED, seen(answered(), left()), [answered(), _waiting()]),
    "never seen to end": lambda: account(PLANNED, seen(answered()), [answered(), left()]),
    "ended twice": lambda: account(
        PLANNED, seen(answered(), left(), _waiting(), left()), [answered(), left()]
    ),
    "ended as lost": lambda: account(
        PLANNED,
        seen(answered(), left()),
        [answered(), contact("c2", contact_pb2.OUTCOME_LOST)],
    ),
    "no end in the journal": lambda: account(
        PLANNED, seen(answered(), left()), [answered(), left()], records()[:-1]
    ),
}
TWICE: dict[str, Callable[[], Account]] = {
    "two served legs in the list": lambda: account(
        PLANNED, seen(answered(), left()), [_twice(), left()]
    ),
    "two served legs in the watch": lambda: account(
        PLANNED, seen(_twice(), left()), [answered(), left()]
    ),
    "two owners at once": lambda: account(
        PLANNED, seen(_double_owned(), answered(), left()), [answered(), left()]
    ),
    "two connections in the journal": lambda: account(
        PLANNED, seen(answered(), left()), [answered(), left()], records(connects=2)
    ),
    "an agent on two calls": lambda: account(
        PLANNED,
        seen(answered(), contact("c2", contact_pb2.OUTCOME_COMPLETED, leg(5, from_s=20))),
        [answered(), contact("c2", contact_pb2.OUTCOME_COMPLETED, leg(5, from_s=20))],
    ),
}


@pytest.mark.parametrize("case", LOST)
def test_a_lost_contact_is_found(case: str) -> None:
    found = LOST[case]()
    assert (1, 1) == (found.lost, found.unaccounted), found.findings


@pytest.mark.parametrize("case", TWICE)
def test_a_contact_served_twice_is_found(case: str) -> None:
    found = TWICE[case]()
    assert (1, 1) == (found.served_twice, found.unaccounted), found.findings


def test_an_outcome_that_its_legs_do_not_bear_out_is_found() -> None:
    served_by_nobody = contact("c1", contact_pb2.OUTCOME_COMPLETED)
    found = account(PLANNED, seen(served_by_nobody, left()), [served_by_nobody, left()])
    assert ("list: outcome and legs disagree: 1 (c1)",) == found.findings


def test_a_contact_of_somebody_else_is_found() -> None:
    stranger = contact("x9", contact_pb2.OUTCOME_ABANDONED)
    found = account(PLANNED, seen(answered(), left()), [answered(), left(), stranger])
    assert ("list: not of this trial: 1 (x9)",) == found.findings
