"""WalkInService: translation between messages and the core's values, and its bounds."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.router.branch_kit import BranchDay

from usher.queue import commands as c
from usher.queue.errors import Invalid
from usher.queue.tickets import (
    CLERKS_OUTCOMES,
    NEEDS_MAX,
    PARTY_MAX,
    Place,
    TicketState,
    VisitOutcome,
)
from usher.queue.values import NEVER_MS, Actor, ActorKind, Channel, ContactId, Origin, Urgency
from usher.router.service.wire import choices, fields
from usher.router.service.wire import walk_ins as wire
from usher.router.service.wire.contacts import private_of
from usher.router.service.wire.tickets import ticket_view
from usher.v1 import ticket_pb2
from usher.v1 import walk_in_service_pb2 as pb

KIOSK = Actor(ActorKind.PLATFORM, "kiosk-1")
DESK = {"branch": "north", "desk": "1", "session": 7}
VISIT = {**DESK, "ticket_id": "j1"}
JOIN = {"join_id": "j1", "branch": "north", "service": "cash"}
AT_DESK = (KIOSK, "north", "1", 7)


@pytest.mark.parametrize(
    ("kind", "numbers", "wrapper"),
    [
        (TicketState, choices.TICKET_STATE_NUMBERS, ticket_pb2.TicketState),
        (VisitOutcome, choices.VISIT_OUTCOME_NUMBERS, ticket_pb2.VisitOutcome),
        (Place, choices.RETURN_PLACE_NUMBERS, pb.ReturnPlace),
    ],
)
def test_every_member_of_a_closed_list_has_the_number_of_its_name(
    kind: Any, numbers: dict[Any, int], wrapper: Any
) -> None:
    assert list(kind) == list(numbers)
    assert len(set(numbers.values())) == len(numbers)
    for member, number in numbers.items():
        unsaid = wrapper.Name(number).endswith("UNSPECIFIED") and member.value == "none"
        assert unsaid or wrapper.Name(number).lower().endswith(f"_{member.value}")
    assert len(wrapper.keys()) - ("NONE" not in kind.__members__) == len(numbers)


def test_a_clerk_may_say_its_own_outcomes_only() -> None:
    assert set(CLERKS_OUTCOMES) == set(choices.CLERKS_OUTCOMES.values())


def test_a_bare_join_has_the_defaults_of_the_core() -> None:
    command = wire.join_command(pb.JoinLineRequest(**JOIN), KIOSK)
    assert (KIOSK, "north", "cash", 1, (), NEVER_MS) == (
        command.actor,
        command.branch,
        command.service,
        command.party_size,
        command.needs,
        command.kiosk_ms,
    )
    contact = command.contact
    assert ("j1", "", Channel.WALK_IN, Origin.INBOUND, Urgency()) == (
        contact.contact_id,
        contact.facts.queue,
        contact.facts.channel,
        contact.facts.origin,
        contact.facts.urgency,
    )


def test_a_full_join_is_what_the_core_gets() -> None:
    request = pb.JoinLineRequest(
        **JOIN,
        languages=["de", "pt-BR"],
        needs=["wheelchair", "interpreter"],
        party_size=100,
        kiosk_time={"seconds": 1_700_000_000, "nanos": 123_456_789},
        customer_id="kim",
        journey_id="house",
        urgency={"tier": 3},
    )
    command = wire.join_command(request, KIOSK)
    facts = command.contact.facts
    assert (("de", "pt-BR"), "kim", "house", Urgency(3)) == (
        facts.languages,
        facts.customer_id,
        facts.journey_id,
        facts.urgency,
    )
    assert (("wheelchair", "interpreter"), 100, 1_700_000_000_123) == (
        command.needs,
        command.party_size,
        command.kiosk_ms,
    )


def test_a_kiosk_time_of_1970_is_one() -> None:
    request = pb.JoinLineRequest(**JOIN, kiosk_time={})
    assert 0 == wire.join_command(request, KIOSK).kiosk_ms


LONG = "x" * 65
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no join_id": ({"join_id": ""}, "join_id"),
    "join_id with a dot": ({"join_id": "a.b"}, "join_id"),
    "join_id too long": ({"join_id": LONG}, "join_id"),
    "no branch": ({"branch": ""}, "branch"),
    "branch with a slash": ({"branch": "north/1"}, "branch"),
    "no service": ({"service": ""}, "service"),
    "service in words": ({"service": "cash please"}, "service"),
    "language in words": ({"languages": ["English!"]}, "languages"),
    "nine languages": ({"languages": ["en"] * 9}, "languages"),
    "nine needs": ({"needs": ["stairs"] * 9}, "needs"),
    "needs in words": ({"needs": ["no stairs"]}, "needs"),
    "an empty need": ({"needs": [""]}, "needs"),
    "party below zero": ({"party_size": -1}, "party_size"),
    "party too large": ({"party_size": 101}, "party_size"),
    "kiosk before 1970": ({"kiosk_time": {"seconds": -1}}, "kiosk_time"),
    "kiosk after 9999": ({"kiosk_time": {"seconds": 253_402_300_800}}, "kiosk_time"),
    "nanos of the kiosk": ({"kiosk_time": {"nanos": 1_000_000_000}}, "kiosk_time"),
    "phone number as customer": ({"customer_id": "+49 30 12345"}, "customer_id"),
    "journey too long": ({"journey_id": LONG}, "journey_id"),
    "tier": ({"urgency": {"tier": 11}}, "urgency.tier"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_field_of_a_join_is_named(name: str) -> None:
    wrong, place = WRONG[name]
    with pytest.raises(Invalid) as caught:
        wire.join_command(pb.JoinLineRequest(**{**JOIN, **wrong}), KIOSK)
    assert place == caught.value.field


def test_what_is_just_within_the_limits_is_taken() -> None:
    request = pb.JoinLineRequest(
        join_id="x" * 64,
        branch="x" * 64,
        service="x" * 64,
        languages=["en"] * 8,
        needs=["x" * 64] * NEEDS_MAX,
        party_size=PARTY_MAX,
        kiosk_time={"seconds": fields.SECONDS_MAX, "nanos": 999_999_999},
    )
    assert NEEDS_MAX == len(wire.join_command(request, KIOSK).needs)


def test_attributes_have_the_limits_of_every_contact() -> None:
    assert b"" == private_of({})
    with pytest.raises(Invalid, match="at most 32"):
        private_of({f"k{n}": "" for n in range(33)})


TRANSLATED: list[tuple[Callable[[Any, Actor], Any], Any, Any]] = [
    (wire.close_command, pb.CloseDeskRequest(**DESK), c.CloseDesk(*AT_DESK)),
    (wire.open_command, pb.OpenDeskRequest(**DESK, agent_id="ann"), c.OpenDesk(*AT_DESK, "ann")),
    (wire.call_next_command, pb.CallNextRequest(**DESK), c.CallNext(*AT_DESK)),
    (wire.call_command, pb.CallTicketRequest(**VISIT), c.CallTicket(*AT_DESK, "j1")),
    (wire.recall_command, pb.RecallTicketRequest(**VISIT), c.RecallTicket(*AT_DESK, "j1")),
    (wire.start_command, pb.StartServingRequest(**VISIT), c.StartServing(*AT_DESK, "j1")),
    (wire.no_show_command, pb.MarkNoShowRequest(**VISIT), c.MarkNoShow(*AT_DESK, "j1")),
    (
        wire.return_command,
        pb.ReturnTicketRequest(**VISIT),
        c.ReturnTicket(*AT_DESK, "j1", Place.FIRST),
    ),
    (
        wire.return_command,
        pb.ReturnTicketRequest(**VISIT, place=pb.RETURN_PLACE_LAST, reason="papers"),
        c.ReturnTicket(*AT_DESK, "j1", Place.LAST, "papers"),
    ),
    (
        wire.transfer_command,
        pb.TransferTicketRequest(**VISIT, service="advice", reason="loan"),
        c.TransferTicket(*AT_DESK, "j1", "advice", "loan"),
    ),
    (
        wire.finish_command,
        pb.FinishServingRequest(**VISIT),
        c.FinishServing(*AT_DESK, "j1", VisitOutcome.SERVED),
    ),
    (
        wire.finish_command,
        pb.FinishServingRequest(
            **VISIT,
            outcome=ticket_pb2.VISIT_OUTCOME_REFERRED,
            disposition="tax-office",
            resolved=False,
        ),
        c.FinishServing(*AT_DESK, "j1", VisitOutcome.REFERRED, "tax-office", False),
    ),
    (wire.leave_command, pb.LeaveLineRequest(ticket_id="j1"), c.LeaveLine(KIOSK, "j1")),
]


@pytest.mark.parametrize(("translate", "request_", "command"), TRANSLATED)
def test_a_request_is_its_command(
    translate: Callable[[Any, Actor], Any], request_: Any, command: Any
) -> None:
    assert command == translate(request_, KIOSK)


def test_a_visit_without_a_ticket_is_its_command() -> None:
    request = pb.ServeWithoutTicketRequest(
        **DESK, join_id="w1", service="cash", customer_id="kim", party_size=3
    )
    command = wire.without_ticket_command(request, KIOSK)
    facts = command.contact.facts
    assert ("w1", "kim", Channel.WALK_IN, "cash", 3) == (
        command.contact.contact_id,
        facts.customer_id,
        facts.channel,
        command.service,
        command.party_size,
    )


@pytest.mark.parametrize(("translate", "request_"), [one[:2] for one in TRANSLATED])
def test_every_field_of_a_desk_is_checked(
    translate: Callable[[Any, Actor], Any], request_: Any
) -> None:
    bad = {"branch": "a b", "desk": "", "session": -1, "ticket_id": "a.b", "agent_id": ""}
    bad |= {"reason": "a reason", "service": "", "disposition": "in words", "place": 99}
    bad |= {"outcome": ticket_pb2.VISIT_OUTCOME_NO_SHOW}
    for field in request_.DESCRIPTOR.fields_by_name.keys() & bad.keys():
        request = type(request_)()
        request.CopyFrom(request_)
        setattr(request, field, bad[field])
        with pytest.raises(Invalid) as caught:
            translate(request, KIOSK)
        assert field == caught.value.field


def test_a_ticket_shows_its_whole_way() -> None:
    day = BranchDay.staffed()
    day.join("j1", party_size=2, needs=("stairs",), languages=())
    contact_id = ContactId("j1")

    def shown(private: bytes | None = None) -> ticket_pb2.Ticket:
        contact, ticket = day.contact("j1"), day.ticket("j1")
        return ticket_view(contact, ticket, day.at_ms + 1_500, private)

    waiting = shown()
    day.call("1", "j1")
    called = shown()
    day.serve("1", "j1")
    serving = shown(private_of({"name": "Zoe"}))
    day.finish("1", "j1", outcome=VisitOutcome.UNRESOLVED)
    ended = shown()
    assert contact_id == waiting.ticket_id
    assert ("A001", "a", "cash", 2, ["stairs"]) == (
        waiting.number,
        waiting.line,
        waiting.service,
        waiting.party_size,
        list(waiting.needs),
    )
    assert [1, 2, 3, 4] == [one.state for one in (waiting, called, serving, ended)]
    assert ["", "1", "1", "1"] == [one.desk for one in (waiting, called, serving, ended)]
    assert (1_500_000_000, 0) == (waiting.waited.ToNanoseconds(), waiting.calls)
    times = ("call_time", "due_time", "start_time", "end_time")
    told = [[one.HasField(time) for time in times] for one in (waiting, called, serving, ended)]
    assert [False] * 4 == told[0]
    assert [True, True, False, False] == told[1]
    assert [True, False, True, False] == told[2]
    assert [True, False, True, True] == told[3]
    assert ticket_pb2.VISIT_OUTCOME_UNRESOLVED == ended.outcome
    assert [{}, {"name": "Zoe"}] == [dict(one.attributes) for one in (called, serving)]
