"""Turns one day of a call log into a trial: rules, roster, shifts, callers with their patience.

Pure planning. It must not know the server, the client or files. What the log does not tell is
guessed, and the guesses are these:

    duty        between talks of an agent that are closer than ten minutes (`log_figures`)
    skills      the types an agent was seen to serve; a type that nobody served needs no skill
    priority    2 = 90 s ahead in a queue of its own, order first come first served
    patience    who abandoned leaves at the recorded wait unless an agent is there before; who was
                served leaves at a wait drawn from the fitted patience, which is beyond the recorded
    talk        as recorded, whoever takes the call; for who abandoned a recorded talk of its type,
                drawn by the seed
"""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from usher.queue.rules import (
    AgentProfile,
    Capacity,
    ChannelCapacity,
    ChannelRules,
    Connects,
    Order,
    Policy,
    QueueRules,
    Requirement,
    Roster,
    Weights,
)
from usher.queue.values import Channel, QueueName
from usher.router.trials.call_log import DAY_S, LONGEST_S, Call, CallDay, CallOutcome
from usher.router.trials.log_figures import Duty, agents_on_duty
from usher.router.trials.patience import Patience, PatienceError, fit_patience
from usher.router.trials.script import PlannedContact, Script, Shift

HIGH_PRIORITY = 2
HEAD_START_MS = 90_000  # README of the log: priority 2 is placed 90 s ahead in the queue
LEAD_MS = 5_000  # from the start of the trial to the first thing in it

# Limits of the server that a fast clock must not reach by the slowness of the wire: at a rate of
# 600 a reply after 20 ms is 12 s late by the server's clock.
OFFER_TIMEOUT_MS = 300_000
JOINING_LIMIT_MS = 300_000
DECLINE_PAUSE_MS = 1_000
KEPT_MS = 3 * 24 * 3600 * 1000  # ended contacts stay readable until they have been counted
SKILL_LEVEL = 5


class LoadOptions(Struct, frozen=True, kw_only=True):
    """What a user may choose about a replay."""

    after_call_ms: int = 30_000
    """Work after each call: the log does not show it, and without it waits come out too short."""
    answer_ms: int = 2_000
    """From an offer to its acceptance."""
    seed: int = 1
    from_ms: int = 0
    until_ms: int = 2 * DAY_S * 1000
    """Only calls that arrived within [from, until) of the day, and the agents on duty then."""


class LoadPlanError(ValueError):
    """When a day cannot be replayed; says why."""


class LoadPlan(Struct, frozen=True, kw_only=True):
    """A day ready to be replayed, with what was fitted."""

    script: Script
    calls: tuple[Call, ...]
    duties: tuple[Duty, ...]
    patience: Patience | None
    """None = nobody abandoned: everyone waits up to an hour."""


def plan_day(day: CallDay, options: LoadOptions) -> LoadPlan:
    """The trial of this day. Raises LoadPlanError if it has no calls or no agents."""
    calls = tuple(
        call for call in day.calls if options.from_ms <= 1000 * call.arrival_s < options.until_ms
    )
    duties = agents_on_duty(day.calls)
    shifts = tuple(one for one in _shifts(duties) if _overlaps(one, options))
    if not calls or not shifts:
        raise LoadPlanError(f"{day.day}: {len(calls)} calls, {len(shifts)} shifts: nothing to do")
    patience = _fitted(day.calls)
    served = {kind for duty in duties for kind in duty.types}
    callers = _Callers(day.calls, patience, options)
    contacts = tuple(callers.planned(call) for call in calls)
    start_ms = max(min(contacts[0].arrive_ms, shifts[0].from_ms), options.from_ms) - LEAD_MS
    script = Script(
        name=f"load-{day.day}",
        policy=_policy(f"load-{day.day}", calls, served, options),
        roster=Roster(
            version=f"load-{day.day}", agents=tuple(_profile(duty, served) for duty in duties)
        ),
        contacts=contacts,
        shifts=tuple(replace(one, from_ms=max(one.from_ms, start_ms)) for one in shifts),
        start_ms=start_ms,
        close_ms=contacts[-1].arrive_ms,
    )
    return LoadPlan(script=script, calls=calls, duties=tuple(duties), patience=patience)


def queue_of(call: Call) -> str:
    """The queue of a call: one for each type, and one for its callers of high priority."""
    kind = _skill(call.type)
    return f"{kind}.high" if call.priority == HIGH_PRIORITY else kind


class _Callers:
    """Turns calls into contacts; talks by type are there to draw from."""

    def __init__(
        self, calls: Iterable[Call], patience: Patience | None, options: LoadOptions
    ) -> None:
        self._patience = patience
        self._options = options
        self._talks_s: defaultdict[str, list[int]] = defaultdict(list)
        for call in calls:
            if call.talk_s:
                self._talks_s[call.type].append(call.talk_s)
                self._talks_s[""].append(call.talk_s)

    def planned(self, call: Call) -> PlannedContact:
        """The contact that this call becomes."""
        return PlannedContact(
            contact_id=call.number,
            queue=queue_of(call),
            channel=Channel.VOICE,
            arrive_ms=1000 * call.arrival_s,
            patience_ms=self._patience_ms(call),
            handle_ms=1000 * self._talk_s(call),
            answer_ms=self._options.answer_ms,
        )

    def _patience_ms(self, call: Call) -> int:
        if self._patience is None:
            return 1000 * LONGEST_S
        return round(1000 * self._patience.draw_s(call, self._options.seed))

    def _talk_s(self, call: Call) -> int:
        if call.outcome is CallOutcome.SERVED:
            return call.talk_s or 0
        talks_s = self._talks_s[call.type] or self._talks_s[""] or [0]
        return talks_s[_pick(f"{self._options.seed}/talk/{call.number}", len(talks_s))]


def _fitted(calls: Iterable[Call]) -> Patience | None:
    try:
        return fit_patience(calls)
    except PatienceError:
        return None


def _shifts(duties: Iterable[Duty]) -> tuple[Shift, ...]:
    shifts = [
        Shift(agent_id=duty.agent, from_ms=1000 * from_s, until_ms=1000 * until_s)
        for duty in duties
        for from_s, until_s in duty.intervals_s
    ]
    return tuple(sorted(shifts, key=lambda shift: (shift.from_ms, shift.agent_id)))


def _overlaps(shift: Shift, options: LoadOptions) -> bool:
    return shift.from_ms < options.until_ms and shift.until_ms > options.from_ms


def _policy(version: str, calls: Iterable[Call], served: set[str], options: LoadOptions) -> Policy:
    queues = {queue_of(call): call for call in calls}
    voice = ChannelRules(
        connects=Connects.CONNECT,
        joining_limit_ms=JOINING_LIMIT_MS,
        wrap_up_ms=options.after_call_ms,
        missed_offers_max=0,
        lost_grace_ms=None,
        failures_max=100,
    )
    return Policy(
        version=version,
        queues=tuple(_queue(name, queues[name], served) for name in sorted(queues)),
        channels={Channel.VOICE: voice},
        ended_kept_ms=KEPT_MS,
    )


def _queue(name: str, call: Call, served: set[str]) -> QueueRules:
    needed = Requirement(skill=_skill(call.type), least=1, wanted=SKILL_LEVEL)
    return QueueRules(
        name=QueueName(name),
        channels=(Channel.VOICE,),
        requirements=(needed,) if call.type in served else (),
        head_start_ms=HEAD_START_MS if call.priority == HIGH_PRIORITY else 0,
        order=Order.FCFS,
        offer_timeout_ms=OFFER_TIMEOUT_MS,
        decline_pause_ms=DECLINE_PAUSE_MS,
        # Who is longest idle is next: the log gives no reason for another choice.
        weights=Weights(
            skill_fit=100,
            relationship=0,
            channel_preference=0,
            workload=0,
            idle=800,
            urgency=100,
        ),
    )


def _profile(duty: Duty, served: set[str]) -> AgentProfile:
    one_call = ChannelCapacity(price=1, most=1, wrap_up_price=1)
    return AgentProfile(
        id=duty.agent,
        capacity=Capacity(units=1, channels={Channel.VOICE: one_call}),
        skills={_skill(kind): SKILL_LEVEL for kind in duty.types if kind in served},
    )


def _skill(kind: str) -> str:
    """The type as a code of the policy, which begins with a letter or digit and has a length."""
    if not kind:
        return "other"
    return kind[:50] if kind[0].isalnum() else f"type{kind[:50]}"


def _pick(text: str, count: int) -> int:
    """An index below `count` from a text, the same in every version of every library."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) % count
