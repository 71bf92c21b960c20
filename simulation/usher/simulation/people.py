"""Who takes part in a run: the customers by type, the agents, and what the clock makes of them.

`ScenarioPeople` are drawn from a scenario; `recorded_day` has those of a day that was recorded. It
must not know the pool.
"""

from collections.abc import Iterator
from typing import Protocol

from usher.queue import commands as c
from usher.queue.rules import Roster
from usher.simulation.customers import Kind
from usher.simulation.scenario import Scenario
from usher.simulation.staff import Turn, Worker, hire, roster_of, turns
from usher.simulation.streams import Streams


class People(Protocol):
    """Those of one run; a world takes them once."""

    kinds: list[Kind]
    """By the type's place in the scenario."""
    workers: list[Worker]
    """All agents of the run, in the order of their indexes."""
    roster: Roster
    """The one that the run begins with."""

    def turns(self) -> Iterator[Turn]:
        """Yields what the clock makes of the agents."""
        ...

    def changes(self) -> Iterator[tuple[int, c.SetPolicy | c.SetRoster]]:
        """Yields the policies and rosters that come into force later, and when (ms)."""
        ...


class ScenarioPeople:
    """Customers and agents as a scenario has them."""

    def __init__(self, scenario: Scenario, streams: Streams) -> None:
        self._scenario = scenario
        self._streams = streams
        named = enumerate(scenario.types.items())
        self.kinds = [Kind(name, index, rules, streams) for index, (name, rules) in named]
        self.workers = hire(scenario, streams)
        self.roster = roster_of(scenario, self.workers)

    def turns(self) -> Iterator[Turn]:
        """Yields what the clock makes of the present agents."""
        return turns(self._scenario, self.workers, self._streams)

    def changes(self) -> Iterator[tuple[int, c.SetPolicy | c.SetRoster]]:
        """Yields nothing: a scenario has one policy and one roster."""
        return iter(())
