"""What agents do by the clock and about offers: come, pause, go, answer, come back.

It must not know customers.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, assert_never

from usher.queue import commands as c
from usher.queue import events as e
from usher.queue.occupancy import PresenceKind
from usher.queue.values import Actor, ActorKind, Presence
from usher.simulation.engine import Engine
from usher.simulation.recorder import Recorder
from usher.simulation.staff import OFFLINE, Does, Turn, Worker

ON_BREAK = "break"
_KINDS = {
    Presence.READY: PresenceKind.READY,
    Presence.NOT_READY: PresenceKind.NOT_READY,
    Presence.DRAINING: PresenceKind.DRAINING,
}


# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_DRAINING: Final = PresenceKind.DRAINING


class Duty:
    """The presence of all workers."""

    def __init__(self, engine: Engine, workers: Iterable[Worker], recorder: Recorder) -> None:
        self._engine = engine
        self._recorder = recorder
        self.workers = {worker.agent_id: worker for worker in workers}
        self.on_change: Callable[[Worker], None] | None = None
        """Told of clerks whenever their presence or their work has changed."""
        engine.on(e.AgentSignedIn, self._signed_in)
        engine.on(e.PresenceSet, self._presence_set)
        engine.on(e.AgentSignedOut, self._signed_out)
        engine.on(e.SessionLost, self._lost)

    def begin(self, turns: Iterable[Turn]) -> None:
        """Puts all that the clock makes of the workers on the agenda."""
        for turn in turns:
            self._engine.agenda.put(turn.at_ms, partial(self._take_turn, turn.worker, turn.does))

    def done(self, worker: Worker) -> None:
        """The worker has finished a leg: a draining one without another goes home."""
        if worker.live == 0 and worker.presence_kind == _DRAINING:
            self._recorder.presence(worker, OFFLINE, self._engine.now_ms)
        self.changed(worker)

    def changed(self, worker: Worker) -> None:
        """The worker may have more room for work than before, or less to do here."""
        if self.on_change is not None and worker.group.desk_branch:
            self.on_change(worker)

    def _take_turn(self, worker: Worker, does: Does) -> None:
        match does:
            case Does.SIGN_IN:
                worker.at_work = True
                self._sign_in(worker)
            case Does.SIGN_OUT:
                worker.at_work = False
                if worker.signed_in:
                    self._engine.do(c.SignOut(_actor(worker), worker.agent_id, worker.session))
            case Does.BREAK:
                worker.on_break = True
                self._set(worker, Presence.NOT_READY, ON_BREAK)
            case Does.BACK:
                worker.on_break = False
                self._set(worker, Presence.READY)
            case Does.LOSE_DESKTOP:
                if worker.signed_in:
                    lost = c.LoseSession(_actor(worker), worker.agent_id, worker.session)
                    self._engine.do(lost)
            case Does.HAVE_DESKTOP:
                if worker.at_work:
                    self._sign_in(worker)
            case _:
                assert_never(does)

    def _sign_in(self, worker: Worker) -> None:
        presence, reason = Presence.READY, ""
        if worker.on_break:
            presence, reason = Presence.NOT_READY, ON_BREAK
        self._engine.do(c.SignIn(_actor(worker), worker.agent_id, presence, reason))

    def _set(self, worker: Worker, presence: Presence, reason: str = "") -> None:
        if worker.signed_in:
            who, session = worker.agent_id, worker.session
            self._engine.do(c.SetPresence(_actor(worker), who, session, presence, reason))

    # what the pool says of them

    def _signed_in(self, event: e.AgentSignedIn) -> None:
        worker = self.workers[event.agent_id]
        worker.session, worker.signed_in = event.session, True
        self._now(worker, event.presence)

    def _presence_set(self, event: e.PresenceSet) -> None:
        worker = self.workers[event.agent_id]
        self._now(worker, event.presence)
        if event.presence is Presence.NOT_READY and event.reason != ON_BREAK:
            self._engine.later(worker.group.returns_after_ms, partial(self._return, worker))

    def _signed_out(self, event: e.AgentSignedOut) -> None:
        worker = self.workers[event.agent_id]
        worker.signed_in = False
        draining = PresenceKind.DRAINING if worker.live else OFFLINE
        self._recorder.presence(worker, draining, self._engine.now_ms)
        self.changed(worker)

    def _lost(self, event: e.SessionLost) -> None:
        worker = self.workers[event.agent_id]
        worker.signed_in = False
        self._recorder.presence(worker, OFFLINE, self._engine.now_ms)
        self.changed(worker)

    def _return(self, worker: Worker) -> None:
        if worker.at_work and not worker.on_break:
            self._set(worker, Presence.READY)

    def _now(self, worker: Worker, presence: Presence) -> None:
        self._recorder.presence(worker, _KINDS[presence], self._engine.now_ms)
        self.changed(worker)


def _actor(worker: Worker) -> Actor:
    return Actor(ActorKind.AGENT, worker.agent_id)
