"""Between contact and agent: connect, fail, hold, complete, re-queue, wrap up."""

import pytest
from tests.router.pool_kit import (
    PLATFORM,
    Driven,
    channel,
    leg_id,
    new,
    policy,
    profile,
    queue,
)

from usher.queue import commands as c
from usher.queue.rules import Connects
from usher.queue.values import (
    AgentId,
    ContactId,
    ContactState,
    LegEnd,
    LegState,
    Outcome,
    QueueName,
)

ANN, BOB, C1 = AgentId("ann"), AgentId("bob"), ContactId("c1")


def driven(**rules: object) -> Driven:
    return Driven.opened(
        policy(
            queue("main", **rules),
            queue("letters", channels=("email",)),
            channels={"chat": channel(wrap_up_ms=7_000), "pigeon": PIGEON},
            ended_kept_ms=1_000,
        ),
        profile("ann", 2, channels={"voice": (1, 2, 1), "pigeon": (1, 1, 0), "chat": (1, 2, 1)}),
    )


PIGEON = channel(connects=Connects.CONNECT, failures_max=2, joining_limit_ms=5_000)

NEEDS_STATE: dict[str, c.AnyCommand] = {
    "hold": c.HoldContact(PLATFORM, C1),
    "resume": c.ResumeContact(PLATFORM, C1),
    "complete": c.CompleteContact(PLATFORM, C1),
    "fail": c.ConnectFailed(PLATFORM, C1),
    "wrap": c.FinishWrapUp(PLATFORM, ANN, leg_id("c1")),
}
ALLOWED: dict[str, set[str]] = {
    "nobody": set(),
    "offered": set(),
    "joining": {"fail"},
    "active": {"hold", "complete"},
    "held": {"resume", "complete"},
}


@pytest.mark.parametrize("stage", ALLOWED)
@pytest.mark.parametrize("name", NEEDS_STATE)
def test_a_command_needs_the_leg_in_its_state(stage: str, name: str) -> None:
    day = driven()
    if stage == "nobody":
        day.give(c.SignOut(PLATFORM, ANN, 0))
    leg = day.enqueue("c1")
    if stage in ("joining", "active", "held"):
        day.take(leg)
    if stage in ("active", "held"):
        day.connect("c1")
    if stage == "held":
        day.give(NEEDS_STATE["hold"])
    if name in ALLOWED[stage]:
        assert day.give(NEEDS_STATE[name])
    else:
        assert day.refusal(NEEDS_STATE[name]) in ("LEG_STATE", "LEG_NOT_FOUND")


def test_nothing_but_wrap_up_goes_on_after_the_end() -> None:
    day = driven(wrap_up_ms=5_000)
    day.talk("c1")
    day.complete("c1")
    for name in ("hold", "resume", "complete", "fail"):
        assert "CONTACT_ENDED" == day.refusal(NEEDS_STATE[name])
    connect = c.ConnectContact(PLATFORM, C1, ANN)
    assert "CONTACT_ENDED" == day.refusal(connect)
    assert "CONTACT_NOT_FOUND" == day.refusal(c.HoldContact(PLATFORM, ContactId("c9")))
    day.give(NEEDS_STATE["wrap"])
    assert LegEnd.COMPLETED is day.contact("c1").legs[0].end


def test_wrap_up_is_the_queues_or_else_the_channels() -> None:
    day = driven()
    day.talk("c1")
    day.complete("c1")
    assert LegState.DONE is day.contact("c1").legs[0].state
    leg = day.enqueue("c2", "main", "chat")
    day.take(leg)
    day.complete("c2")
    assert day.at_ms + 7_000 == day.contact("c2").legs[0].due_ms


def test_wrap_up_is_finished_by_its_own_agent() -> None:
    day = Driven.opened(policy(queue("main", wrap_up_ms=5_000)), profile("ann"), profile("bob"))
    day.talk("c1")
    day.complete("c1")
    assert "ann" == day.contact("c1").legs[0].agent_id
    wrong = c.FinishWrapUp(PLATFORM, BOB, leg_id("c1"))
    assert "OFFER_OF_ANOTHER_AGENT" == day.refusal(wrong)


def test_failures_put_the_contact_back_and_then_end_it() -> None:
    day = driven(decline_pause_ms=0)
    for failures in (1, 2):
        day.take(day.contact("c1").owner if failures > 1 else day.enqueue("c1", "main", "pigeon"))
        day.give(c.ConnectFailed(PLATFORM, C1, "rain"))
    contact = day.contact("c1")
    assert (Outcome.FAILED, "rain") == (contact.outcome, contact.reason)
    assert {} == day.agent("ann").missed


def test_work_that_never_had_a_queue_ends_with_its_first_failure() -> None:
    day = driven()
    joining = LegState.JOINING
    day.give(c.StartContact(PLATFORM, new("d1", "", "pigeon"), ANN, joining))
    day.wait(5_000)
    assert Outcome.FAILED is day.contact("d1").outcome


def test_a_talk_that_the_customer_ends_is_completed() -> None:
    day = driven()
    day.talk("c1")
    day.give(c.AbandonContact(PLATFORM, C1))
    contact = day.contact("c1")
    assert (Outcome.COMPLETED, "customer_left") == (contact.outcome, contact.reason)


def test_a_connection_clears_what_the_agent_missed_on_the_channel() -> None:
    rules = {"voice": channel(connects=Connects.CONNECT, missed_offers_max=3)}
    day = Driven.opened(policy(queue("main", decline_pause_ms=0), channels=rules), profile("ann"))
    day.enqueue("c1")
    day.wait(20_000)
    assert {"voice": 1} == day.agent("ann").missed
    day.connect("c1")
    assert {} == day.agent("ann").missed


@pytest.mark.parametrize(
    ("target", "reason"), [("nowhere", "QUEUE_NOT_FOUND"), ("letters", "QUEUE_CLOSED")]
)
def test_a_contact_cannot_go_where_there_is_no_line_for_it(target: str, reason: str) -> None:
    day = driven()
    day.enqueue("c1")
    assert reason == day.refusal(c.RequeueContact(PLATFORM, C1, QueueName(target)))


def test_a_requeued_contact_outlives_the_wrap_up_of_its_first_talk() -> None:
    day = driven(wrap_up_ms=60_000)
    day.talk("c1")
    day.give(c.RequeueContact(PLATFORM, C1))
    day.give(c.AbandonContact(PLATFORM, C1))
    assert ContactState.ENDED is day.contact("c1").state
    day.wait(2_000)
    assert {leg_id("c1"): C1} == day.agent("ann").legs
    day.wait(60_000)
    assert {} == day.agent("ann").legs
    assert C1 not in day.pool.ledger.contacts


def test_a_talk_that_is_cancelled_wraps_up() -> None:
    day = driven(wrap_up_ms=5_000)
    day.talk("c1")
    day.give(c.CancelContact(PLATFORM, C1, "fraud"))
    assert LegState.WRAPPING is day.contact("c1").legs[0].state
