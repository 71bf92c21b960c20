"""Who sits at which desk of a branch, and who stands there because all are taken.

Who sits where is the pool's knowledge; here stands what a clerk does about it: takes the first free
desk that is of use, leaves it for a break. It must not know visitors.
"""

from collections import defaultdict

from usher.queue import commands as c
from usher.queue.branches import Branches, BranchName, Desk, ServiceName
from usher.queue.errors import DeskBusy
from usher.queue.rules import AgentProfile
from usher.queue.values import Channel, Presence
from usher.router.policy import may_serve
from usher.simulation.customers import PLATFORM
from usher.simulation.engine import Engine
from usher.simulation.staff import Worker


class Seats:
    """The desks of all branches, for these clerks; each has a profile in the pool's roster."""

    def __init__(self, engine: Engine, plan: Branches) -> None:
        self._engine = engine
        self._plan = plan
        self._branches = {branch.name: branch for branch in plan.branches}
        self._useful: dict[int, list[Desk]] = {}
        self._standing: defaultdict[str, dict[Worker, None]] = defaultdict(dict)

    def sit(self, worker: Worker) -> bool:
        """Returns whether the clerk sits at a desk now; one who finds none stands and waits."""
        ledger = self._engine.pool.ledger
        if worker.agent_id in ledger.desk_of:
            return True
        standing = self._standing[worker.group.desk_branch]
        for desk in self._desks_for(worker):
            if self._is_free(desk):
                at_desk = (PLATFORM, desk.branch, desk.name, 0, worker.agent_id)
                self._engine.do(c.OpenDesk(*at_desk))
                standing.pop(worker, None)
                return True
        standing[worker] = None
        return False

    def leave(self, worker: Worker) -> None:
        """The clerk gives the desk up, unless a visitor is there or on the way."""
        place = self.place(worker)
        if place is not None:
            try:
                self._engine.do(c.CloseDesk(PLATFORM, *place, 0))
            except DeskBusy:
                return  # asked again when the visit is over

    def away(self, worker: Worker) -> None:
        """The clerk does not wait for a desk any more."""
        self._standing[worker.group.desk_branch].pop(worker, None)

    def standing(self, branch: str) -> list[Worker]:
        """Returns who waits for a desk there, the longest first."""
        return list(self._standing[branch])

    def place(self, worker: Worker) -> tuple[BranchName, str] | None:
        """Returns branch and name of the desk where the clerk sits, None without one."""
        desk_id = self._engine.pool.ledger.desk_of.get(worker.agent_id)
        if desk_id is None:
            return None
        branch, _, name = desk_id.partition("/")
        return BranchName(branch), name

    def _is_free(self, desk: Desk) -> bool:
        """A desk whose clerk has gone or lost the desktop is free once no visitor is there."""
        ledger = self._engine.pool.ledger
        seat = ledger.seats.get(desk.desk_id)
        if seat is None:
            return True
        clerk = ledger.agents[seat.agent_id]
        return clerk.presence is Presence.OFFLINE and not clerk.legs

    def _desks_for(self, worker: Worker) -> list[Desk]:
        """Returns the desks of the clerk's branch that give anything which the clerk may serve."""
        found = self._useful.get(worker.index)
        if found is None:
            profile = self._engine.pool.ledger.profiles[worker.agent_id]
            given = self._may_serve(profile, worker.group.desk_branch)
            found = [
                desk
                for desk in self._plan.desks
                if desk.branch == worker.group.desk_branch and any(map(desk.serves, given))
            ]
            self._useful[worker.index] = found
        return found

    def _may_serve(self, profile: AgentProfile, name: str) -> list[ServiceName]:
        """Returns the services of a branch whose visitors the clerk may serve."""
        if Channel.WALK_IN not in profile.capacity.channels:
            return []
        branch, queues = self._branches[BranchName(name)], self._engine.pool.ledger.queues
        return [
            service.name
            for service in self._plan.services
            if branch.line_of(service.name) is not None
            and may_serve(profile, queues[service.queue])
        ]
