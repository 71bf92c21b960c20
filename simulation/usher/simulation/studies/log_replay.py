"""A day of a call log made ready for runs, with the rules and the roster of `usher load`.

What the log does not tell is guessed as for `usher load` (`usher.router.trials.load_plan`) and in
`recorded_days`: who was on duty, work after a call. It must not know files, or how the replay is
run.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from usher.queue.occupancy import PresenceKind, PresenceSegments
from usher.queue.values import AgentId, Channel, ContactFacts, ContactId, QueueName
from usher.router.trials.call_log import Call, CallDay, CallOutcome
from usher.router.trials.load_plan import LoadOptions, LoadPlanError, plan_day, queue_of
from usher.router.trials.log_figures import DUTY_GAP_S, contact_facts
from usher.simulation.recorded_day import RecordedContact, RecordedDay, RecordedTurn, Work
from usher.simulation.rows import Batch, contact_rows, leg_rows
from usher.simulation.scenario import Scenario, Target
from usher.simulation.staff import Does
from usher.simulation.studies.recorded_days import Stretch, stretches
from usher.simulation.studies.replay import (
    MINUTES,
    MS_PER_MIN,
    MS_PER_S,
    Replay,
    groups_of,
    patience_left,
    scenario_of,
    unseen_work,
)
from usher.simulation.studies.running import StudyRefused

LATE = "came after midnight"


def log_replay(found: CallDay, after_call_ms: int, target: Target | None, every_min: int) -> Replay:
    """Returns the replay of a day; the policy is the one that `usher load --write` writes.

    Raises StudyRefused for a day without calls, agents or talks.
    """
    try:
        script = plan_day(found, LoadOptions(after_call_ms=after_call_ms)).script
    except LoadPlanError as error:
        raise StudyRefused(str(error)) from error
    day_ms = MINUTES * MS_PER_MIN
    calls = [call for call in found.calls if call.arrival_s * MS_PER_S < day_ms]
    contacts = [_contact(call, after_call_ms) for call in calls]
    groups, members = groups_of(script.roster.agents)
    scenario = scenario_of(
        str(found.day),
        f"{found.day} of the call log",
        contacts,
        groups,
        target=target or Target(),
        every_min=every_min,
    )
    on_duty = [one for one in stretches(found.calls, DUTY_GAP_S) if one.from_s < one.until_s]
    profiles = sorted(script.roster.agents, key=lambda profile: profile.id)
    day = RecordedDay(
        contacts=tuple(contacts),
        patience=patience_left(contacts),
        unseen=unseen_work(contacts),
        agents=tuple((profile, members[profile.agent_id]) for profile in profiles),
        turns=tuple(turn for one in on_duty for turn in _turns(one)),
        rosters=((0, script.roster),),
    )
    return Replay(
        title=scenario.title,
        scenario=scenario,
        day=day,
        policy=script.policy,
        recorded=_recorded(calls, day, scenario, on_duty),
        left_out=_left_out(len(found.calls) - len(calls)),
        notes=_notes(after_call_ms),
    )


def _left_out(late: int) -> dict[str, int]:
    return {LATE: late} if late else {}


def _notes(after_call_ms: int) -> tuple[str, ...]:
    return (
        "The log does not show presence: agents are taken to be on duty between talks closer than "
        f"{DUTY_GAP_S // 60} minutes.",
        f"The log does not show work after a call: {after_call_ms / MS_PER_S:g} s are assumed.",
        "Occupancy as recorded is of talks alone, without that work.",
        "The log has no policy: the first one is that of usher load, by type of call and "
        "priority, first come first served.",
    )


def _contact(call: Call, after_call_ms: int) -> RecordedContact:
    queue = QueueName(queue_of(call))
    work = None
    if call.talk_s is not None:
        work = Work(0, 0, call.talk_s * MS_PER_S, after_call_ms)
    return RecordedContact(
        contact_id=ContactId(call.number),
        type=queue,
        at_ms=call.arrival_s * MS_PER_S,
        facts=ContactFacts(queue, Channel.VOICE),
        waited_ms=call.wait_s * MS_PER_S,
        left=call.outcome is CallOutcome.ABANDONED,
        work=work,
    )


def _turns(stretch: Stretch) -> Iterator[RecordedTurn]:
    agent_id = AgentId(stretch.agent)
    yield RecordedTurn(stretch.from_s * MS_PER_S, agent_id, Does.SIGN_IN)
    yield RecordedTurn(stretch.until_s * MS_PER_S, agent_id, Does.SIGN_OUT)


def _recorded(
    calls: Sequence[Call], day: RecordedDay, scenario: Scenario, on_duty: Sequence[Stretch]
) -> Batch:
    index = {profile.agent_id: at for at, (profile, _) in enumerate(day.agents)}
    rows = [(index[AgentId(one.agent)], one.from_s, one.until_s) for one in on_duty]
    agent, from_s, until_s = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    facts = contact_facts(calls)
    return Batch(
        from_ms=0,
        until_ms=max(MINUTES * MS_PER_MIN, int(facts.ended_ms.max())),
        contacts=contact_rows(list(_contact_rows(calls, day.contacts, scenario, index))),
        legs=leg_rows(list(_leg_rows(calls, index))),
        presence=PresenceSegments(
            agent=agent,
            from_ms=from_s * MS_PER_S,
            until_ms=until_s * MS_PER_S,
            kind=np.full(len(rows), PresenceKind.READY, dtype=np.uint8),
        ),
        totals=(),
        busy_ms=0,
        wrapping_ms=0,
    )


def _contact_rows(
    calls: Sequence[Call],
    contacts: Sequence[RecordedContact],
    scenario: Scenario,
    index: dict[AgentId, int],
) -> Iterator[tuple[int, ...]]:
    places = {name: place for place, name in enumerate(scenario.types)}
    facts, numbers = contact_facts(calls), Counter[str]()
    for at, (call, contact) in enumerate(zip(calls, contacts, strict=True)):
        numbers[contact.type] += 1
        yield (
            places[contact.type],
            contact.at_ms,
            int(facts.answered_ms[at]),
            int(facts.ended_ms[at]),
            int(facts.outcome[at]),
            index.get(AgentId(call.agent), -1),
            1,
            numbers[contact.type],
        )


def _leg_rows(calls: Sequence[Call], index: dict[AgentId, int]) -> Iterator[tuple[int, ...]]:
    for call in calls:
        agent = index.get(AgentId(call.agent))
        if agent is not None and call.talk_start_s is not None and call.talk_s is not None:
            from_ms = call.talk_start_s * MS_PER_S
            until_ms = from_ms + call.talk_s * MS_PER_S
            yield agent, -1, from_ms, from_ms, until_ms, until_ms, 1
