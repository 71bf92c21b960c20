"""A recorded day made ready for runs: a scenario, the day's people, what was recorded of them.

    Recording (journal)     -> Replay
    CallDay (call log)      -> Replay

Contacts are of one type for each queue and channel, agents of one group for each profile. What
cannot be played again is counted, never dropped in silence. It must not know files, or how the
replay is run.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from usher.queue.rules import AgentProfile, Policy
from usher.queue.values import AgentId, ChannelName, QueueName
from usher.simulation.distributions import AnyDistribution, Deterministic, Empirical
from usher.simulation.figures import ALL
from usher.simulation.fitting.durations import fit_empirical
from usher.simulation.fitting.patience import fit_patience
from usher.simulation.recorded_day import PatienceLeft, RecordedContact, RecordedDay, Work
from usher.simulation.rows import Batch
from usher.simulation.scenario import (
    ContactType,
    Day,
    Group,
    GroupName,
    Listed,
    Scenario,
    Target,
    TypeName,
)
from usher.simulation.studies.running import StudyRefused

FINISH_MS = 6 * 3600 * 1000
MS_PER_S = 1000
MS_PER_MIN = 60_000
MINUTES = 1440
VALUES_MOST = 1_000

Kinds = dict[tuple[QueueName, ChannelName], TypeName]


class Replay(Struct, frozen=True, eq=False, kw_only=True):
    """A day to be run under one policy or another."""

    title: str
    scenario: Scenario
    day: RecordedDay
    """With the policies that came into force during it."""
    policy: Policy
    """The one that the day began with."""
    recorded: Batch
    """What came of it; contacts in the order of `day.contacts`."""
    left_out: dict[str, int]
    """Contacts of the day that are not played again, by the reason."""
    notes: tuple[str, ...]
    """What a reader has to know of the replay, in sentences."""


def type_names(pairs: Iterable[tuple[QueueName, ChannelName]]) -> Kinds:
    """Returns a name for each queue and channel: the queue's, unless it has several channels."""
    listed = sorted(set(pairs))
    channels = Counter(queue for queue, _ in listed)
    return {
        (queue, channel): f"{queue}/{channel}" if channels[queue] > 1 or queue == ALL else queue
        for queue, channel in listed
    }


def scenario_of(
    name: str,
    title: str,
    contacts: Sequence[RecordedContact],
    groups: dict[GroupName, Group],
    *,
    target: Target,
    every_min: int,
) -> Scenario:
    """Returns the scenario of recorded contacts: its day is as long as they come.

    Raises StudyRefused if nobody came or nobody was answered.
    """
    if not contacts:
        raise StudyRefused(f"{title}: found no contact that can be played again")
    if all(one.work is None for one in contacts):
        raise StudyRefused(f"{title}: nobody was answered, so nobody knows how long talks are")
    last_min = contacts[-1].at_ms // MS_PER_MIN
    closes_min = min(MINUTES, (last_min // every_min + 1) * every_min)
    return Scenario(
        name=name,
        title=title,
        types={kind: _type(kind, contacts) for kind in sorted({one.type for one in contacts})},
        groups=groups,
        horizon=Day(
            opens_min=contacts[0].at_ms // MS_PER_MIN // every_min * every_min,
            closes_min=closes_min,
            finish_ms=FINISH_MS,
        ),
        target=target,
    )


def _type(kind: TypeName, contacts: Sequence[RecordedContact]) -> ContactType:
    of_kind = [one for one in contacts if one.type == kind]
    facts = of_kind[0].facts
    return ContactType(
        queue=facts.queue,
        channel=facts.channel,
        arrivals=Listed(at_s=tuple(one.at_ms / MS_PER_S for one in of_kind)),
        handling=_talks(of_kind) or _talks(contacts) or Deterministic(0.0),
    )


def _talks(contacts: Sequence[RecordedContact]) -> AnyDistribution | None:
    talks_s = [one.work.talk_ms / MS_PER_S for one in contacts if one.work is not None]
    if not any(talks_s):
        return None
    found: Empirical = fit_empirical(np.array(talks_s), VALUES_MOST)
    return found


def groups_of(
    profiles: Iterable[AgentProfile],
) -> tuple[dict[GroupName, Group], dict[AgentId, GroupName]]:
    """Returns a group for each kind of agent, and the group of each agent."""
    groups: dict[GroupName, Group] = {}
    members: dict[AgentId, GroupName] = {}
    for profile in sorted(profiles, key=lambda one: one.id):
        alike = Group(
            capacity=profile.capacity,
            skills=profile.skills,
            groups=profile.groups,
            languages=profile.languages,
            site=profile.site,
        )
        name = next((name for name, one in groups.items() if one == alike), None)
        if name is None:
            name = _new_name(profile, groups)
            groups[name] = alike
        members[profile.agent_id] = name
    counts = Counter(members.values())
    return {name: replace(one, agents=counts[name]) for name, one in groups.items()}, members


def _new_name(profile: AgentProfile, taken: dict[GroupName, Group]) -> GroupName:
    words = profile.groups or tuple(sorted(profile.skills)) or ("agents",)
    name = "-".join(words)[:40].replace("/", "_").replace(".", "_")
    number = 1 + sum(one == name or one.startswith(f"{name}_") for one in taken)
    return name if number == 1 else f"{name}_{number}"


def unseen_work(contacts: Sequence[RecordedContact]) -> dict[TypeName, tuple[Work, ...]]:
    """Returns what to draw from for who was not answered: of the type, else channel, else all."""
    by_type: dict[TypeName, list[Work]] = {one.type: [] for one in contacts}
    by_channel: dict[ChannelName, list[Work]] = {one.facts.channel: [] for one in contacts}
    everything: list[Work] = []
    for one in contacts:
        if one.work is not None:
            for rows in (by_type[one.type], by_channel[one.facts.channel], everything):
                rows.append(one.work)
    channel_of = {one.type: one.facts.channel for one in contacts}
    return {
        kind: tuple(works or by_channel[channel_of[kind]] or everything)
        for kind, works in by_type.items()
    }


def patience_left(
    contacts: Sequence[RecordedContact],
) -> dict[TypeName, PatienceLeft | None]:
    """Returns the patience of each type, fitted to all contacts of its channel."""
    channel_of = {one.type: one.facts.channel for one in contacts}
    fits = {
        channel: _fit([one for one in contacts if one.facts.channel == channel])
        for channel in set(channel_of.values())
    }
    return {kind: fits[channel] for kind, channel in channel_of.items()}


def _fit(contacts: Sequence[RecordedContact]) -> PatienceLeft | None:
    waits_s = np.array([one.waited_ms / MS_PER_S for one in contacts], dtype=np.float64)
    left = np.array([one.left for one in contacts], dtype=np.bool_)
    if not left.any() or not waits_s.any():
        return None
    fit = fit_patience(waits_s, left)
    mean_s = fit.exponential.mean_s or 0.0
    try:
        values_s = fit.from_curve(values_max=VALUES_MOST).distribution.values
    except ValueError:  # so few waited at once that the curve is chance
        values_s = ()
    return PatienceLeft(
        values_ms=tuple(sorted(value * MS_PER_S for value in values_s)),
        tail_mean_ms=mean_s * MS_PER_S,
    )
