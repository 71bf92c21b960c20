"""A day of a journal made ready for runs.

    Recording -> contacts with what they would have done, agents with their hours, rosters, policies

It must not know files, or how the replay is run.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from msgspec.structs import replace

from usher.queue import measures
from usher.queue.occupancy import PresenceSegments
from usher.queue.rules import Policy
from usher.queue.state import Leg
from usher.queue.values import NEVER_MS, AgentId, LegEnd, Presence
from usher.simulation.recorded_day import (
    RecordedContact,
    RecordedDay,
    RecordedStretch,
    RecordedTurn,
    Work,
)
from usher.simulation.rows import Batch, contact_rows, leg_rows
from usher.simulation.scenario import GroupName, Scenario, Target
from usher.simulation.staff import Does
from usher.simulation.studies.journal_days import MS_PER_DAY, JournalDay
from usher.simulation.studies.other_work import with_other_work
from usher.simulation.studies.recording import Course, Recording, Stay
from usher.simulation.studies.replay import (
    Kinds,
    Replay,
    groups_of,
    patience_left,
    scenario_of,
    type_names,
    unseen_work,
)
from usher.simulation.studies.running import StudyRefused

TICKETS = "visitors with a ticket, whom desks call"
OUTSIDE = "work that began outside the router"
CALLED_OFF = "called off, lost or failed before an agent was there"
LATE = "came after the 24th hour of the day"


def journal_replay(
    recording: Recording, day: JournalDay, target: Target | None, every_min: int
) -> Replay:
    """Returns the replay of a day; without a target that of its queues, if they have one in common.

    Raises StudyRefused for a day without rules, contacts, agents or answers.
    """
    title = f"{day.day} ({day.zone})"
    policy = _policy_of(recording, title)
    played = [course for course in recording.courses if _left_out(course, recording) is None]
    names = type_names((course.came.facts.queue, course.came.facts.channel) for course in played)
    contacts = [_contact(course, names, recording) for course in played]
    groups, members = groups_of(recording.profiles.values())
    scenario = scenario_of(
        str(day.day),
        title,
        contacts,
        groups,
        target=target or common_target(policy, contacts),
        every_min=every_min,
    )
    replayed = _day(_without_other_work(recording), contacts, members)
    reasons = Counter(_left_out(course, recording) for course in recording.courses)
    return Replay(
        title=title,
        scenario=scenario,
        day=replayed,
        policy=policy,
        recorded=_recorded(recording, played, scenario, replayed),
        left_out={reason: count for reason, count in reasons.items() if reason is not None},
        notes=tuple(_notes(recording, played)),
    )


def _day(
    recording: Recording,
    contacts: Sequence[RecordedContact],
    members: dict[AgentId, GroupName],
) -> RecordedDay:
    profiles = sorted(recording.profiles.values(), key=lambda profile: profile.id)
    return RecordedDay(
        contacts=tuple(contacts),
        patience=patience_left(contacts),
        unseen=unseen_work(contacts),
        agents=tuple((profile, members[profile.agent_id]) for profile in profiles),
        turns=tuple(_turns(recording)),
        rosters=tuple((_since(recording, at_ms), one) for at_ms, one in recording.rosters),
        policies=tuple((_since(recording, at_ms), one) for at_ms, one in recording.policies[1:]),
    )


def _without_other_work(recording: Recording) -> Recording:
    """Returns the recording with agents away while they had work that is not played again."""
    others = [one for one in recording.courses if one.has_ticket or one.was_started]
    stays = with_other_work(recording.stays, others, recording.profiles, recording.last_ms)
    return replace(recording, stays=tuple(stays))


def common_target(policy: Policy, contacts: Sequence[RecordedContact]) -> Target:
    """Returns the target that all queues of these contacts have, else the usual one."""
    named = {one.facts.queue for one in contacts}
    pairs = {
        (queue.service_target_ms, queue.short_abandon_ms)
        for queue in policy.queues
        if queue.name in named
    }
    if len(pairs) != 1:
        return Target()
    threshold_ms, short_ms = pairs.pop()
    return Target(threshold_ms=threshold_ms, short_abandon_ms=short_ms)


def _policy_of(recording: Recording, title: str) -> Policy:
    if not recording.policies or not recording.rosters:
        raise StudyRefused(f"{title}: no policy and roster were in force on this day")
    return recording.policies[0][1]


def _since(recording: Recording, at_ms: int) -> int:
    """Returns a moment as ms since the day began, 0 if it was before."""
    return max(0, at_ms - recording.from_ms)


def _left_out(course: Course, recording: Recording) -> str | None:
    """Returns why a contact cannot be played again, None if it can."""
    answered = course.last.answered_ms != NEVER_MS
    if course.has_ticket:
        return TICKETS
    if course.was_started:
        return OUTSIDE
    if not answered and course.outcome is measures.Outcome.OTHER:
        return CALLED_OFF
    return LATE if course.came.enqueued_ms - recording.from_ms >= MS_PER_DAY else None


def _contact(course: Course, names: Kinds, recording: Recording) -> RecordedContact:
    came, talks = course.came, course.talks
    return RecordedContact(
        contact_id=course.contact_id,
        type=names[came.facts.queue, came.facts.channel],
        at_ms=came.enqueued_ms - recording.from_ms,
        facts=came.facts,
        waited_ms=course.waited_until_ms(recording.last_ms) - came.enqueued_ms,
        left=not talks and course.outcome is measures.Outcome.ABANDONED,
        work=_work(talks[0]) if talks else None,
        rang_ms=0 if talks else _rang_ms(course),
        refusals=tuple(_refusals(course)),
        onward=tuple(_onward(course, recording.last_ms)),
    )


def _onward(course: Course, last_ms: int) -> Iterator[RecordedStretch]:
    """Yields the waits after an agent had passed it on, each with the talk that it led to."""
    for at_ms, queue in course.requeues:
        talk = next((leg for leg in course.talks if leg.active_ms >= at_ms), None)
        ended_ms = last_ms if course.last.ended_ms == NEVER_MS else course.last.ended_ms
        yield RecordedStretch(
            queue=queue,
            waited_ms=(ended_ms if talk is None else talk.active_ms) - at_ms,
            left=talk is None and course.last.ended_ms != NEVER_MS,
            work=None if talk is None else _work(talk),
        )


def _refusals(course: Course) -> Iterator[int]:
    """Yields what became of the offers before the first talk that agents did not take."""
    for leg in course.legs:
        if leg.active_ms != NEVER_MS:
            return
        if leg.end is LegEnd.DECLINED:
            yield leg.ended_ms - leg.offered_ms
        elif leg.end is LegEnd.EXPIRED:
            yield NEVER_MS


def _rang_ms(course: Course) -> int:
    """Returns how long the last offer had lasted when the customer left; 0 without one."""
    last = course.legs[-1] if course.legs else None
    is_cut = last is not None and last.ended_ms == course.last.ended_ms != NEVER_MS
    return last.ended_ms - last.offered_ms if last is not None and is_cut else 0


def _work(leg: Leg) -> Work | None:
    """Returns the lengths of a talk that was over, and of its wrap-up (to its limit, if it goes
    on)."""
    talked_ms = leg.ended_ms if leg.wrapping_ms == NEVER_MS else leg.wrapping_ms
    if talked_ms == NEVER_MS:
        return None
    done_ms = leg.due_ms if leg.ended_ms == NEVER_MS else leg.ended_ms
    return Work(
        answering_ms=leg.joined_ms - leg.offered_ms,
        connecting_ms=leg.active_ms - leg.joined_ms,
        talk_ms=talked_ms - leg.active_ms,
        wrap_up_ms=done_ms - talked_ms,
    )


# agents


def _turns(recording: Recording) -> Iterator[RecordedTurn]:
    """Yields what agents did by the clock, in the order in which it was recorded."""
    placed: list[tuple[int, RecordedTurn]] = []
    for agent_id, stays in groupby(recording.stays, key=lambda stay: stay.agent_id):
        placed += _turns_of(agent_id, list(stays), recording)
    yield from (turn for _, turn in sorted(placed, key=lambda one: one[0]))
    for (_, old), (at_ms, new) in zip(recording.rosters, recording.rosters[1:], strict=False):
        kept = {profile.agent_id for profile in new.agents}
        for profile in old.agents:
            if profile.agent_id not in kept:  # before the roster that no longer has the agent
                before_ms = max(0, _since(recording, at_ms) - 1)
                yield RecordedTurn(before_ms, profile.agent_id, Does.SIGN_OUT)


def _turns_of(
    agent_id: AgentId, stays: Sequence[Stay], recording: Recording
) -> Iterator[tuple[int, RecordedTurn]]:
    """Yields what one agent did, each with the position of its record."""
    signed_in = False
    for at, stay in enumerate(stays):
        at_ms, position = _since(recording, stay.from_ms), stay.from_position
        if stay.presence is Presence.DRAINING:
            if signed_in:
                yield position, RecordedTurn(at_ms, agent_id, Does.SIGN_OUT)
            signed_in = False
            continue
        away = stay.presence is Presence.NOT_READY
        yield position, RecordedTurn(at_ms, agent_id, Does.BREAK if away else Does.BACK)
        if not signed_in:
            yield position, RecordedTurn(at_ms, agent_id, Does.SIGN_IN)
        follows = at + 1 < len(stays) and stays[at + 1].from_ms == stay.until_ms
        signed_in = follows or stay.goes_on
        if not signed_in:
            does = Does.LOSE_DESKTOP if stay.ends_lost else Does.SIGN_OUT
            turn = RecordedTurn(_since(recording, stay.until_ms), agent_id, does)
            yield stay.until_position, turn


# what was recorded


def _recorded(
    recording: Recording, played: Sequence[Course], scenario: Scenario, day: RecordedDay
) -> Batch:
    index = {profile.agent_id: at for at, (profile, _) in enumerate(day.agents)}
    ended_ms = max([recording.until_ms, *(course.last.ended_ms for course in recording.courses)])
    segments = recording.presence_segments(index)
    return Batch(
        from_ms=0,
        until_ms=min(ended_ms, recording.last_ms) - recording.from_ms,
        contacts=contact_rows(list(_contact_rows(recording, played, scenario, day, index))),
        legs=leg_rows(list(_leg_rows(recording, index))),
        presence=PresenceSegments(
            agent=segments.agent,
            from_ms=np.maximum(segments.from_ms - recording.from_ms, 0),
            until_ms=segments.until_ms - recording.from_ms,
            kind=segments.kind,
        ),
        totals=(),
        busy_ms=0,
        wrapping_ms=0,
    )


def _contact_rows(
    recording: Recording,
    played: Sequence[Course],
    scenario: Scenario,
    day: RecordedDay,
    index: dict[AgentId, int],
) -> Iterator[tuple[int, ...]]:
    places = {name: place for place, name in enumerate(scenario.types)}
    numbers: Counter[str] = Counter()
    for course, contact in zip(played, day.contacts, strict=True):
        numbers[contact.type] += 1
        last, talks = course.last, course.talks
        answered_ms = last.answered_ms - recording.from_ms if talks else NEVER_MS
        ended_ms = NEVER_MS if last.ended_ms == NEVER_MS else last.ended_ms - recording.from_ms
        agent = index[talks[0].agent_id] if talks else -1
        number = numbers[contact.type]
        place = places[contact.type]
        yield place, contact.at_ms, answered_ms, ended_ms, course.outcome, agent, 1, number


def _leg_rows(recording: Recording, index: dict[AgentId, int]) -> Iterator[tuple[int, ...]]:
    """Yields the talks of all contacts of the day, of those too that are not played again."""
    for course in recording.courses:
        for leg in course.talks:
            done_ms = recording.last_ms if leg.ended_ms == NEVER_MS else leg.ended_ms
            talked_ms = done_ms if leg.wrapping_ms == NEVER_MS else leg.wrapping_ms
            taken_ms = leg.joined_ms if course.has_ticket else leg.active_ms
            times_ms = (taken_ms, leg.active_ms, talked_ms, done_ms)
            relative = (at_ms - recording.from_ms for at_ms in times_ms)
            yield index[leg.agent_id], -1, *relative, leg.price


def _notes(recording: Recording, played: Sequence[Course]) -> Iterator[str]:
    other = sum(one.has_ticket or one.was_started for one in recording.courses)
    if other:
        yield "Agents whom a visitor or outside work left no room count as away meanwhile."
    passed_on = sum(len(course.talks) > 1 + len(course.requeues) for course in played)
    updated = sum(course.was_updated for course in played)
    refused = sum(len(tuple(_refusals(course))) for course in played)
    failed = sum(leg.end is LegEnd.FAILED for course in played for leg in course.legs)
    if passed_on:
        yield f"{passed_on} contacts changed agents without waiting: those talks are left out."
    if updated:
        yield f"{updated} contacts were updated after they came: they are played as they came."
    if refused:
        yield f"{refused} offers were declined or missed: so are their first offers again."
    if failed:
        yield f"{failed} connections failed: in the replay none does."
    if recording.until_ms - recording.from_ms != MS_PER_DAY:
        yield "The clock was changed on this day: times are hours since midnight."
