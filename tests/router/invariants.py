"""What must hold in a pool after every record and every batch: design.md part 2, in plain loops.

Written without the pool's own sums: loads are counted anew from the legs of contacts, due times are
collected by walking over all records, pairs are looked at one by one.
"""

from collections import Counter
from collections.abc import Iterator

from usher.queue import commands as c
from usher.queue.events import (
    AnyEvent,
    ContactConnected,
    ContactStarted,
    OfferMade,
    OfferWithdrawn,
)
from usher.queue.ledger import Ledger
from usher.queue.rules import RANK_ORDER, AgentProfile, Order, QueueRules
from usher.queue.state import Agent, Contact, Leg
from usher.queue.values import (
    NEVER_MS,
    AgentId,
    ChannelName,
    ContactId,
    ContactState,
    LegEnd,
    LegId,
    LegRole,
    LegState,
    Outcome,
    Presence,
)
from usher.router.pool import Pool

OWNING = (LegState.OFFERED, LegState.JOINING, LegState.ACTIVE, LegState.HELD)
TALKING = (LegState.ACTIVE, LegState.HELD)
TIMED = (LegState.OFFERED, LegState.JOINING, LegState.WRAPPING)


class Load:
    """What an agent has on it, counted from the legs of contacts."""

    def __init__(self) -> None:
        self.legs: dict[LegId, ContactId] = {}
        self.units = 0
        self.channels: Counter[ChannelName] = Counter()

    def add(self, leg: Leg) -> None:
        self.legs[leg.leg_id] = leg.contact_id
        self.units += leg.wrap_up_price if leg.state is LegState.WRAPPING else leg.price
        if leg.state is not LegState.WRAPPING:
            self.channels[leg.channel] += 1


def loads_of(ledger: Ledger) -> dict[AgentId, Load]:
    """Returns the load of every agent of the ledger."""
    loads = {agent_id: Load() for agent_id in ledger.agents}
    for contact in ledger.contacts.values():
        for leg in contact.legs:
            if leg.state is not LegState.DONE:
                assert leg.agent_id in loads, f"{leg.leg_id} is on an agent who is not there"
                loads[leg.agent_id].add(leg)
    return loads


def owner_of(contact: Contact) -> Leg | None:
    """Returns the one owner leg; more than one breaks promise 2."""
    owners = [leg for leg in contact.legs if leg.role is LegRole.OWNER and leg.state in OWNING]
    assert len(owners) <= 1, f"{contact.contact_id} has {len(owners)} owner legs"
    return owners[0] if owners else None


def check_contacts(ledger: Ledger) -> None:
    """One owner at most; state, waits and times of every contact agree with its legs."""
    for contact in ledger.contacts.values():
        owner = owner_of(contact)
        _check_state(contact, owner)
        _check_legs(contact)
        assert contact.waited_ms >= 0 and contact.time_waited_ms(ledger.at_ms) >= 0
        assert contact.leg_count >= len(contact.legs)
        assert contact.enqueued_ms <= ledger.at_ms
        assert contact.changed_position <= ledger.position
    live = sum(one.state is not ContactState.ENDED for one in ledger.contacts.values())
    assert live == ledger.live_count


def _check_state(contact: Contact, owner: Leg | None) -> None:
    state = contact.state
    talking = owner is not None and owner.state in TALKING
    if state is ContactState.ENDED:
        assert owner is None
        assert contact.outcome is not Outcome.NONE
        assert contact.waiting_since_ms == NEVER_MS
        assert contact.retire_ms >= contact.ended_ms >= contact.enqueued_ms
        assert not contact.pauses
        return
    assert (contact.outcome, contact.ended_ms) == (Outcome.NONE, NEVER_MS)
    if owner is None or owner.state is LegState.OFFERED:
        assert state is ContactState.WAITING
    else:
        assert state is ContactState.ENGAGED
    assert (contact.waiting_since_ms == NEVER_MS) is talking


def _check_legs(contact: Contact) -> None:
    numbers = [int(leg.leg_id.rpartition(".")[2]) for leg in contact.legs]
    assert numbers == sorted(set(numbers))
    for leg in contact.legs:
        assert leg.contact_id == contact.contact_id
        done = leg.state is LegState.DONE
        assert done is (leg.end is not LegEnd.NONE) is (leg.ended_ms != NEVER_MS)
        assert not done or leg.active_ms != NEVER_MS, "a leg never active is not kept"
        assert (leg.held_since_ms != NEVER_MS) is (leg.state is LegState.HELD)
        assert leg.hold_ms >= 0
        happened = [leg.offered_ms, leg.joined_ms, leg.active_ms, leg.wrapping_ms, leg.ended_ms]
        times = [each for each in happened if each != NEVER_MS]
        assert times == sorted(times)
        assert leg.grace_due_ms == NEVER_MS or leg.state in OWNING


def check_agents(ledger: Ledger) -> None:
    """What every agent is said to have on it is what the contacts' legs say."""
    loads = loads_of(ledger)
    for agent_id, agent in ledger.agents.items():
        load = loads[agent_id]
        assert load.legs == agent.legs
        assert load.units == agent.units_used
        assert dict(load.channels) == agent.channel_legs
        assert agent_id in ledger.profiles
        assert not (agent.lost and agent.presence is not Presence.OFFLINE)
        if not agent.lost:
            graced = [leg for leg in _legs_of(ledger, agent) if leg.grace_due_ms != NEVER_MS]
            assert [] == graced, "only a lost desktop has graces running"
        if agent.lost:
            offered = [leg for leg in _legs_of(ledger, agent) if leg.state is LegState.OFFERED]
            assert [] == offered, "a lost desktop has no offers"
        if agent.presence is Presence.DRAINING:
            assert agent.legs, "an agent without work has drained"


def _legs_of(ledger: Ledger, agent: Agent) -> Iterator[Leg]:
    for leg_id, contact_id in agent.legs.items():
        leg = ledger.contacts[contact_id].leg(leg_id)
        assert leg is not None
        yield leg


def due_times(ledger: Ledger) -> list[int]:
    """Returns all that is due, now or later, by walking over all records."""
    due: list[int] = []
    for contact in ledger.contacts.values():
        due += [leg.due_ms for leg in contact.legs if leg.state in TIMED]
        due += [leg.grace_due_ms for leg in contact.legs if leg.grace_due_ms != NEVER_MS]
        if contact.state is ContactState.ENDED:
            due.append(contact.retire_ms)
        else:
            due += contact.pauses.values()
            if (closes_ms := _closes_ms(ledger, contact)) is not None:
                due.append(closes_ms)
    return due


def _closes_ms(ledger: Ledger, contact: Contact) -> int | None:
    """Returns when a ticket ends that is left in its line, or called."""
    ticket, owner = ledger.tickets.get(contact.contact_id), owner_of(contact)
    served = owner is not None and owner.state in TALKING
    return None if ticket is None or served else ticket.closes_ms


def check_deadlines(pool: Pool) -> None:
    """The next deadline is neither missed nor made up."""
    assert min(due_times(pool.ledger), default=None) == pool.next_deadline()


def has_room(profile: AgentProfile, load: Load, channel: ChannelName) -> bool:
    """Returns whether one more leg of the channel fits beside the load."""
    listed = profile.capacity.channels.get(channel)
    if listed is None:
        return False
    fits = load.units + listed.price <= profile.capacity.units
    return fits and load.channels[channel] < listed.most


def may_serve(ledger: Ledger, contact: Contact, agent_id: AgentId) -> bool:
    """Returns whether the contact may be offered to the agent, room apart."""
    agent, profile = ledger.agents[agent_id], ledger.profiles[agent_id]
    if profile.closed or agent.lost or agent.presence is not Presence.READY:
        return False
    return knows(ledger, contact, profile) and agent_id not in contact.pauses


def knows(ledger: Ledger, contact: Contact, profile: AgentProfile) -> bool:
    """Returns whether the agent has what the contact's queue and languages ask for."""
    queue = ledger.queues.get(contact.facts.queue)
    if queue is None or (queue.groups and not set(queue.groups) & set(profile.groups)):
        return False
    if any(profile.skills.get(one.skill, 0) < one.least for one in queue.requirements):
        return False
    return _speak_alike(contact, profile)


def _speak_alike(contact: Contact, profile: AgentProfile) -> bool:
    if not contact.facts.languages or not profile.languages:
        return True
    spoken = {language.lower() for language in profile.languages}
    return any(language.lower() in spoken for language in contact.facts.languages)


def waiting_unoffered(ledger: Ledger) -> list[Contact]:
    """Returns who waits and is offered to nobody; not those with a ticket: desks call them."""
    waiting = [one for one in ledger.contacts.values() if one.state is ContactState.WAITING]
    pushed = [contact for contact in waiting if contact.contact_id not in ledger.tickets]
    return [contact for contact in pushed if owner_of(contact) is None]


def check_nobody_waits_in_vain(ledger: Ledger) -> None:
    """Promise 3: no contact waits while an agent who may take it has room."""
    loads = loads_of(ledger)
    for contact in waiting_unoffered(ledger):
        for agent_id, profile in ledger.profiles.items():
            free = has_room(profile, loads[agent_id], contact.facts.channel)
            assert not (free and may_serve(ledger, contact, agent_id)), (
                f"{contact.contact_id} waits while {agent_id} is free"
            )


def check_waiting_have_a_queue(ledger: Ledger) -> None:
    """Who waits does so in a queue of the policy: else nobody would ever be asked."""
    for contact in ledger.contacts.values():
        if contact.state is ContactState.WAITING:
            assert contact.facts.queue in ledger.queues, f"{contact.contact_id} waits in no queue"


def check_positions(pool: Pool) -> None:
    """Places in a queue count from 1 by time waited, then arrival; who is not in line has 0."""
    lines: dict[str, list[Contact]] = {}
    for contact in waiting_unoffered(pool.ledger):
        lines.setdefault(contact.facts.queue, []).append(contact)
    places = dict.fromkeys(pool.ledger.contacts, 0)
    for line in lines.values():
        line.sort(key=lambda contact: (contact.order_ms, contact.sequence))
        places.update({contact.contact_id: at for at, contact in enumerate(line, 1)})
    for contact_id, place in places.items():
        assert place == pool.queue_position(contact_id)


def check_offers(ledger: Ledger, command: c.AnyCommand, events: tuple[AnyEvent, ...]) -> None:
    """Checks the offers of a record against the state before it: promise 2, and the order of 4."""
    made = [event for event in events if isinstance(event, OfferMade)]
    if not made or isinstance(command, c.CallNext | c.CallTicket):
        return
    assert isinstance(command, c.MatchContacts)
    assert not {event.contact_id for event in made} & ledger.tickets.keys()
    assert len({event.contact_id for event in made}) == len(made)
    loads = loads_of(ledger)
    for event in made:
        contact = ledger.contacts[event.contact_id]
        profile = ledger.profiles[event.agent_id]
        assert contact.state is ContactState.WAITING and owner_of(contact) is None
        assert may_serve(ledger, contact, event.agent_id)
        assert has_room(profile, loads[event.agent_id], contact.facts.channel)
        _charge(loads[event.agent_id], contact, event)
    _check_order(ledger, made)


def _charge(load: Load, contact: Contact, event: OfferMade) -> None:
    load.units += event.price
    load.channels[contact.facts.channel] += 1


def _check_order(ledger: Ledger, made: list[OfferMade]) -> None:
    """Nobody goes empty while an agent who could take it gets one that comes after it."""
    offered = {event.contact_id for event in made}
    for contact in waiting_unoffered(ledger):
        if contact.contact_id in offered or contact.facts.queue not in ledger.queues:
            continue
        loads = loads_of(ledger)
        turn = _turn(ledger, contact)
        later = set()
        for event in made:
            other = ledger.contacts[event.contact_id]
            if _turn(ledger, other) > turn:
                later.add(event.agent_id)
            else:
                _charge(loads[event.agent_id], other, event)
        for agent_id in sorted(later):
            free = has_room(ledger.profiles[agent_id], loads[agent_id], contact.facts.channel)
            assert not (free and may_serve(ledger, contact, agent_id)), (
                f"{contact.contact_id} was passed over at {agent_id}"
            )


def _turn(ledger: Ledger, contact: Contact) -> tuple[int, ...]:
    """Returns the stage of a contact; in fcfs order also its place there."""
    queue: QueueRules = ledger.queues[contact.facts.queue]
    if queue.order is Order.SCORE:
        return stage_of(queue)
    return (*stage_of(queue), contact.order_ms - queue.head_start_ms, contact.sequence)


def stage_of(queue: QueueRules) -> tuple[int, int, int]:
    """Returns what comes first among queues: rank, level, and in a level fcfs order.

    A queue that a later policy left out may stand beside one of the other order.
    """
    return RANK_ORDER[queue.rank], -queue.level, int(queue.order is Order.SCORE)


def check_withdrawn(ledger: Ledger, events: tuple[AnyEvent, ...]) -> None:
    """Offers of one agent are withdrawn newest first, none older before one that stays.

    Those that ran out in an outage went each by its own due time.
    """
    withdrawn: dict[AgentId, list[Leg]] = {}
    for event in events:
        if isinstance(event, OfferWithdrawn) and event.reason != "outage":
            leg = ledger.contacts[event.contact_id].leg(event.leg_id)
            assert leg is not None
            withdrawn.setdefault(leg.agent_id, []).append(leg)
    for legs in withdrawn.values():
        ages = [(leg.offered_ms, leg.leg_id) for leg in legs]
        assert ages == sorted(ages, reverse=True)


def facts_among(ledger: Ledger, events: tuple[AnyEvent, ...]) -> tuple[AnyEvent, ...]:
    """Returns the events that bring work upon an agent which it had not before the record."""
    return tuple(
        event
        for event in events
        if isinstance(event, ContactStarted)
        or (
            isinstance(event, ContactConnected)
            and ledger.contacts[event.contact_id].leg(event.leg_id) is None
        )
    )


def check_what_stays_fits(ledger: Ledger, events: tuple[AnyEvent, ...]) -> None:
    """After a fact the agent's open offers still fit beside what has come upon it."""
    loads = loads_of(ledger)
    for event in events:
        if isinstance(event, ContactStarted | ContactConnected):
            capacity = ledger.profiles[event.agent_id].capacity
            load = loads[event.agent_id]
            for leg in _legs_of(ledger, ledger.agents[event.agent_id]):
                if leg.state is LegState.OFFERED:
                    assert load.units <= capacity.units
                    assert load.channels[leg.channel] <= capacity.channels[leg.channel].most
