"""A model of the pool: programs of commands, good and bad, and what must hold after each step.

`pool_world` and `pool_halls` say what may be drawn, `pool_program` what is checked, `invariants`
and `walk_in_invariants` what must hold. Half of the programs have branches (`pool_visits`).
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from tests.conftest import FULL
from tests.router import invariants
from tests.router.pool_acts import ACTS, VISITS, act
from tests.router.pool_kit import (
    PLATFORM,
    SUPERVISOR,
    new,
    person,
    replayed,
    set_up,
    through_bytes,
)
from tests.router.pool_visits import PoolVisits
from tests.router.pool_world import (
    AGENT_NAMES,
    AGENTS,
    NAMES,
    POLICIES,
    ROSTERS,
    Brought,
    agent_names,
    anything,
    contacts,
    languages,
    platforms,
    queue_names,
    settled,
    some_time,
)

from usher.queue import commands as c
from usher.queue.values import (
    SYSTEM,
    Actor,
    AgentId,
    ChannelName,
    LegId,
    LegState,
    Presence,
    QueueName,
    Urgency,
)
from usher.router.pool import Pool

PROGRAMS = 2_000 if FULL else 200
STEPS = 70


class PoolProgram(PoolVisits):
    """One program: an opened pool, then commands as they are drawn."""

    # -- opening ---------------------------------------------------------------------------

    @initialize(which=st.integers(0, 3), ready=st.integers(0, 5), branched=st.booleans())
    def open(self, which: int, ready: int, branched: bool) -> None:
        for command in set_up(POLICIES[which % 3], ROSTERS[0]):
            self.do(command)
        assert self.driven.pool.ledger.roster is not None, "nothing could be asked of this pool"
        for one in AGENTS[:ready]:
            self.do(c.SignIn(person(one.id), one.agent_id))
        if branched:
            self.open_branches()

    # -- contacts --------------------------------------------------------------------------

    @act(6, contact=contacts, actor=platforms, after_ms=some_time, settle=settled)
    def enqueue(self, contact: Brought, actor: Actor, after_ms: int, settle: bool) -> None:
        self.enter(c.EnqueueContact(actor, self.contact(contact)), after_ms, settle=settle)

    @act(2, several=st.lists(contacts, min_size=0, max_size=6), after_ms=some_time)
    def enqueue_several(self, several: list[Brought], after_ms: int) -> None:
        self.enter(c.EnqueueContacts(PLATFORM, tuple(map(self.contact, several))), after_ms)

    @act(1, which=anything, spoken=languages, tier=st.sampled_from((None, 0, 9)))
    def update(self, which: int, spoken: tuple[str, ...], tier: int | None) -> None:
        urgency = None if tier is None else Urgency(tier=tier)
        changes = c.FactChanges(languages=spoken, urgency=urgency)
        self.do(c.UpdateContact(PLATFORM, self.contact_id(which), changes))

    @act(1, which=anything, after_ms=some_time, settle=settled)
    def abandon(self, which: int, after_ms: int, settle: bool) -> None:
        self.do(c.AbandonContact(PLATFORM, self.contact_id(which)), after_ms, settle=settle)

    @act(1, which=anything, after_ms=some_time)
    def cancel(self, which: int, after_ms: int) -> None:
        self.do(c.CancelContact(SUPERVISOR, self.contact_id(which), "mistake"), after_ms)

    @act(1, which=anything, other=st.sampled_from(("", "", *AGENT_NAMES)), after_ms=some_time)
    def connect(self, which: int, other: str, after_ms: int) -> None:
        command = c.ConnectContact(PLATFORM, self.contact_id(which), AgentId(other))
        self.do(command, after_ms)

    @act(4, which=anything, after_ms=some_time, settle=settled)
    def connect_whom_is_joined(self, which: int, after_ms: int, settle: bool) -> None:
        contact = self.live(which, LegState.JOINING)
        if contact is None:
            self.fill(which)
        else:
            self.do(c.ConnectContact(PLATFORM, contact.contact_id), after_ms, settle=settle)

    @act(1, which=anything, after_ms=some_time)
    def fail_to_connect(self, which: int, after_ms: int) -> None:
        contact = self.live(which, LegState.JOINING)
        contact_id = contact.contact_id if contact is not None else self.contact_id(which)
        self.do(c.ConnectFailed(PLATFORM, contact_id, "busy"), after_ms)

    @act(2, which=anything, after_ms=some_time)
    def hold(self, which: int, after_ms: int) -> None:
        contact = self.live(which, LegState.ACTIVE)
        contact_id = contact.contact_id if contact is not None else self.contact_id(which)
        self.do(c.HoldContact(PLATFORM, contact_id), after_ms)

    @act(2, which=anything, after_ms=some_time)
    def resume(self, which: int, after_ms: int) -> None:
        contact = self.live(which, LegState.HELD)
        contact_id = contact.contact_id if contact is not None else self.contact_id(which)
        self.do(c.ResumeContact(PLATFORM, contact_id), after_ms)

    @act(4, which=anything, after_ms=some_time, settle=settled)
    def complete(self, which: int, after_ms: int, settle: bool) -> None:
        contact = self.live(which, LegState.ACTIVE, LegState.HELD)
        contact_id = contact.contact_id if contact is not None else self.contact_id(which)
        command = c.CompleteContact(PLATFORM, contact_id, "done", True)
        self.do(command, after_ms, settle=settle)

    @act(2, which=anything, where=queue_names, after_ms=some_time)
    def requeue(self, which: int, where: str, after_ms: int) -> None:
        contact = self.live(which, *invariants.OWNING)
        contact_id = contact.contact_id if contact is not None else self.contact_id(which)
        self.do(c.RequeueContact(PLATFORM, contact_id, QueueName(where), "wrong"), after_ms)

    @act(
        2,
        contact=contacts,
        agent_id=agent_names,
        state=st.sampled_from((LegState.ACTIVE, LegState.JOINING, LegState.HELD)),
        queued=st.booleans(),
    )
    def start(self, contact: Brought, agent_id: str, state: LegState, queued: bool) -> None:
        begun = self.contact(contact)
        if not queued:
            begun = new(begun.contact_id, "", begun.facts.channel)
        self.do(c.StartContact(PLATFORM, begun, AgentId(agent_id), state))

    @act(
        1,
        medium=st.sampled_from(NAMES),
        actor=platforms,
        back=st.sampled_from((0, 0, 1, 5, -1)),
        missing=st.integers(1, 4),
    )
    def sync(self, medium: str, actor: Actor, back: int, missing: int) -> None:
        known = self.driven.pool.ledger.contacts
        live = tuple(each for at, each in enumerate(known, 1) if at % missing)
        position = max(0, self.driven.pool.position - back)
        command = c.SyncContacts(actor, ChannelName(medium), position, live)
        unchanged = {
            each: contact for each, contact in known.items() if contact.changed_position > position
        }
        self.do(command, settle=False)
        for each, contact in unchanged.items():
            assert contact is self.driven.pool.ledger.contacts[each]
        self.driven.settle()

    # -- agents ----------------------------------------------------------------------------

    @act(6, which=anything, session=anything, after_ms=some_time, settle=settled)
    def accept(self, which: int, session: int, after_ms: int, settle: bool) -> None:
        leg = self.leg(which, LegState.OFFERED)
        if leg is None:
            self.fill(which)
        else:
            actor = PLATFORM if session == 0 else person(leg.agent_id)
            number = self.session(leg.agent_id, session)
            command = c.AcceptOffer(actor, leg.agent_id, leg.leg_id, number)
            self.do(command, after_ms, settle=settle)

    @act(1, which=anything, agent_id=agent_names, number=st.integers(0, 4), tell=st.integers(0, 2))
    def answer_anything(self, which: int, agent_id: str, number: int, tell: int) -> None:
        name, leg_id = AgentId(agent_id), LegId(f"{self.contact_id(which)}.{number}")
        kinds = (c.AcceptOffer, c.DeclineOffer, c.FinishWrapUp)
        self.do(kinds[tell](PLATFORM, name, leg_id))

    @act(2, which=anything, session=anything, after_ms=some_time)
    def decline(self, which: int, session: int, after_ms: int) -> None:
        leg = self.leg(which, LegState.OFFERED)
        if leg is None:
            self.fill(which)
        else:
            number = self.session(leg.agent_id, session)
            actor = person(leg.agent_id)
            self.do(c.DeclineOffer(actor, leg.agent_id, leg.leg_id, number, "busy"), after_ms)

    @act(2, which=anything, session=anything, after_ms=some_time)
    def finish_wrap_up(self, which: int, session: int, after_ms: int) -> None:
        leg = self.leg(which, LegState.WRAPPING)
        if leg is None:
            self.fill(which)
        else:
            number = self.session(leg.agent_id, session)
            command = c.FinishWrapUp(person(leg.agent_id), leg.agent_id, leg.leg_id, number)
            self.do(command, after_ms)

    @act(3, agent_id=agent_names, presence=st.sampled_from((Presence.READY, *Presence)))
    def sign_in(self, agent_id: str, presence: Presence) -> None:
        reason = "lunch" if presence is Presence.NOT_READY else ""
        self.do(c.SignIn(person(agent_id), AgentId(agent_id), presence, reason, 30_000))

    @act(2, agent_id=agent_names, presence=st.sampled_from(Presence), session=anything)
    def set_presence(self, agent_id: str, presence: Presence, session: int) -> None:
        number = self.session(agent_id, session)
        reason = "lunch" if presence is Presence.NOT_READY else ""
        actor = PLATFORM if session == 0 else person(agent_id)
        self.do(c.SetPresence(actor, AgentId(agent_id), number, presence, reason))

    @act(1, agent_id=agent_names, session=anything)
    def sign_out(self, agent_id: str, session: int) -> None:
        number = self.session(agent_id, session)
        self.do(c.SignOut(person(agent_id), AgentId(agent_id), number))

    @act(2, agent_id=agent_names, session=anything, after_ms=some_time)
    def lose_session(self, agent_id: str, session: int, after_ms: int) -> None:
        number = self.session(agent_id, session)
        self.do(c.LoseSession(SYSTEM, AgentId(agent_id), number), after_ms)

    @act(1, which=anything)
    def lose_somebody_at_work(self, which: int) -> None:
        leg = self.leg(which, LegState.ACTIVE, LegState.HELD)
        if leg is None:
            self.fill(which)
        else:
            self.do(c.LoseSession(SYSTEM, leg.agent_id, self.session(leg.agent_id, 3)))

    @act(1, which=anything, after_ms=some_time)
    def come_back(self, which: int, after_ms: int) -> None:
        lost = [one for one in self.driven.pool.ledger.agents.values() if one.lost]
        if lost:
            agent_id = lost[which % len(lost)].agent_id
            self.do(c.SignIn(person(agent_id), agent_id), after_ms)
        else:
            self.lose_somebody_at_work(which)

    # -- the server ------------------------------------------------------------------------

    @act(1, which=st.integers(0, 4))
    def set_policy(self, which: int) -> None:
        before = self._queues_of_live_contacts()
        self.do(c.SetPolicy(SYSTEM, POLICIES[which]), settle=False)
        assert before <= {"", *self.driven.pool.ledger.queues}
        self.driven.settle()

    def _queues_of_live_contacts(self) -> set[str]:
        ledger = self.driven.pool.ledger
        live = [one for one in ledger.contacts.values() if one.ended_ms < 0]
        return {contact.facts.queue for contact in live}

    @act(1, which=st.integers(0, 3))
    def set_roster(self, which: int) -> None:
        self.do(c.SetRoster(SYSTEM, ROSTERS[which]))

    @act(2, after_ms=some_time)
    def pass_time(self, after_ms: int) -> None:
        self.driven.wait(after_ms)

    @act(1, outage_ms=some_time, rate=st.sampled_from((1, 1, 1, 2)), replay=st.booleans())
    def restart(self, outage_ms: int, rate: int, replay: bool) -> None:
        """The server stops, and later a new one goes on from the journal or from a snapshot."""
        stopped = self.driven.pool
        if replay:
            restored = replayed(through_bytes(self.driven.records))
        else:
            restored = Pool.restore(list(stopped.snapshot().pieces()))
        assert stopped.state_hash() == restored.state_hash()
        assert stopped.next_deadline() == restored.next_deadline()
        restored.take_changes()
        self.watch.adopt(restored)
        self.driven.pool = restored
        self.do(c.OpenPool(SYSTEM, "0.1.1", "2.0", "1.0", rate), outage_ms)

    @act(1)
    def take_snapshot(self) -> None:
        if len(self.snapshots) == 3:
            return
        snapshot = self.driven.pool.snapshot()
        assert snapshot.position == self.driven.pool.position
        self.snapshots.append(list(snapshot.pieces()))

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        acts = VISITS if self.branched and data.draw(st.booleans()) else ACTS
        name, drawn = data.draw(st.one_of(acts))
        getattr(self, name)(**drawn)


@pytest.mark.crash
@pytest.mark.timeout(3600)
class TestPoolPrograms(PoolProgram.TestCase):  # type: ignore[misc,valid-type]
    """Runs the programs."""

    settings = settings(
        settings.default,
        max_examples=PROGRAMS,
        stateful_step_count=STEPS,
        report_multiple_bugs=False,
        print_blob=False,
    )
