"""The agents of a run: who they are, when they are there, how fast each works.

The roster is made of the scenario's groups; shifts, breaks, absence and outages become sign-ins,
presences and sign-outs, which the world gives to the pool. It must not know contacts or the pool.
"""

from collections.abc import Iterator

from msgspec import Struct

from usher.queue.rules import AgentProfile, Roster
from usher.queue.values import AgentId, ClosedList
from usher.simulation.arriving import MS_PER_MIN
from usher.simulation.scenario import Group, Scenario, Shift
from usher.simulation.streams import Durations, Streams, durations

OFFLINE = -1
"""Stands for no presence beside the codes of `PresenceKind`."""


class Worker:
    """One agent: what does not change, and how it stands now."""

    __slots__ = (
        "agent_id",
        "answering",
        "at_work",
        "group",
        "index",
        "live",
        "on_break",
        "presence_kind",
        "present_since_ms",
        "session",
        "shift",
        "signed_in",
    )

    def __init__(self, index: int, agent_id: AgentId, group: Group, shift: Shift | None) -> None:
        self.index = index
        self.agent_id = agent_id
        self.group = group
        self.shift = shift
        self.answering: Durations | None = None
        self.session = 0
        self.signed_in = False
        self.on_break = False
        self.at_work = False
        """Whether the clock says that the agent is to be there."""
        self.presence_kind = OFFLINE
        self.present_since_ms = 0
        self.live = 0
        """Live legs, wrap-up included."""


class Does(ClosedList):
    """What the clock makes a worker do."""

    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    BREAK = "break"
    BACK = "back"
    LOSE_DESKTOP = "lose_desktop"
    HAVE_DESKTOP = "have_desktop"


class Turn(Struct, frozen=True):
    """One worker does one thing at one moment."""

    at_ms: int
    worker: Worker
    does: Does


def hire(scenario: Scenario, streams: Streams) -> list[Worker]:
    """Returns all agents of the scenario, absent ones too, group by group, shift by shift."""
    workers: list[Worker] = []
    for name, group in scenario.groups.items():
        answering = durations(f"{name}/answering", group.answering, streams)
        places: list[Shift | None] = [None] * group.agents
        for shift in group.shifts:
            places += [shift] * shift.agents
        for number, place in enumerate(places, start=1):
            worker = Worker(len(workers), AgentId(f"{name}-{number:04d}"), group, place)
            worker.answering = answering
            workers.append(worker)
    return workers


def roster_of(scenario: Scenario, workers: list[Worker]) -> Roster:
    """Returns the roster that the pool is given."""
    profiles = tuple(
        AgentProfile(
            id=worker.agent_id,
            capacity=worker.group.capacity,
            groups=worker.group.groups,
            site=worker.group.site,
            skills=worker.group.skills,
            languages=worker.group.languages,
        )
        for worker in workers
    )
    return Roster(version=scenario.name, agents=profiles)


def turns(scenario: Scenario, workers: list[Worker], streams: Streams) -> Iterator[Turn]:
    """Yields what the clock makes of the present workers; who is absent does nothing."""
    chances = {name: streams.chances(f"{name}/absence") for name in scenario.groups}
    names = [name for name, group in scenario.groups.items() for _ in range(heads(group))]
    for name, worker in zip(names, workers, strict=True):
        if not chances[name].happens(worker.group.absence):
            yield from _of_worker(worker)
    for outage in scenario.outages:
        for worker in workers:
            if worker.group.site == outage.site:
                yield Turn(outage.from_min * MS_PER_MIN, worker, Does.LOSE_DESKTOP)
                yield Turn(outage.until_min * MS_PER_MIN, worker, Does.HAVE_DESKTOP)


def heads(group: Group) -> int:
    """Returns how many agents a group has, of all its shifts."""
    return group.agents + sum(shift.agents for shift in group.shifts)


def _of_worker(worker: Worker) -> Iterator[Turn]:
    shift = worker.shift
    if shift is None:
        yield Turn(0, worker, Does.SIGN_IN)
        return
    yield Turn(shift.from_min * MS_PER_MIN, worker, Does.SIGN_IN)
    for pause in shift.breaks:
        yield Turn(pause.from_min * MS_PER_MIN, worker, Does.BREAK)
        yield Turn(pause.until_min * MS_PER_MIN, worker, Does.BACK)
    yield Turn(shift.until_min * MS_PER_MIN, worker, Does.SIGN_OUT)
