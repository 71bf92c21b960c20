"""Decides how contacts come in and their facts change: enqueue, start, update, sync."""

from collections import Counter
from typing import TYPE_CHECKING, Final

from usher.queue.commands import (
    EnqueueContact,
    EnqueueContacts,
    FactChanges,
    StartContact,
    SyncContacts,
    UpdateContact,
)
from usher.queue.errors import (
    ContactExists,
    Invalid,
    PoolFull,
    PositionAhead,
    QueueClosed,
    QueueFull,
    UnknownQueue,
)
from usher.queue.events import (
    AnyEvent,
    ContactEnqueued,
    ContactLost,
    ContactStarted,
    ContactUpdated,
)
from usher.queue.ledger import Ledger
from usher.queue.state import Contact
from usher.queue.values import (
    Actor,
    ActorKind,
    ContactFacts,
    ContactId,
    ContactState,
    LegId,
    LegState,
    NewContact,
    QueueName,
)
from usher.router.lookups import (
    known_agent,
    known_channel,
    live_contact,
    policy_of,
    retire_at_ms,
    wrap_until_ms,
)
from usher.router.offers import price_of, withdraw_what_no_longer_fits

if TYPE_CHECKING:
    from usher.router.matching import Matcher

BATCH_MAX = 1000

# Bound once: before Python 3.12 a look-up in an Enum class takes longer than what is done with it.
_PLATFORM: Final = ActorKind.PLATFORM


def enqueue_contact(
    ledger: Ledger, matcher: "Matcher", command: EnqueueContact, at_ms: int
) -> tuple[AnyEvent, ...]:
    """Returns the arrival of one contact, or raises."""
    new = command.contact
    check_room(ledger, 1)
    _check_new_id(ledger, new.contact_id)
    check_queue(ledger, new.facts)
    if ledger.queues[new.facts.queue].most_waiting is not None:
        _check_most_waiting(ledger, matcher, (new,), at_ms)
    return (ContactEnqueued(new.contact_id, new.facts, platform_of(command.actor)),)


def enqueue_contacts(
    ledger: Ledger, matcher: "Matcher", command: EnqueueContacts, at_ms: int
) -> tuple[AnyEvent, ...]:
    """Returns the arrival of all contacts, or raises: all or none."""
    contacts = command.contacts
    if not 1 <= len(contacts) <= BATCH_MAX:
        raise Invalid("contacts", f"1 to {BATCH_MAX} contacts", count=len(contacts))
    check_room(ledger, len(contacts))
    seen: set[ContactId] = set()
    for new in contacts:
        if new.contact_id in seen:
            raise Invalid("contacts.contact_id", "named twice", contact_id=new.contact_id)
        seen.add(new.contact_id)
        _check_new_id(ledger, new.contact_id)
        check_queue(ledger, new.facts)
    _check_most_waiting(ledger, matcher, contacts, at_ms)
    platform = platform_of(command.actor)
    return tuple(ContactEnqueued(new.contact_id, new.facts, platform) for new in contacts)


def platform_of(actor: Actor) -> str:
    """Returns the id of the platform whose contact it is, or empty."""
    return actor.id if actor.kind is _PLATFORM else ""


def check_room(ledger: Ledger, count: int) -> None:
    contacts_max = policy_of(ledger).contacts_max
    if ledger.live_count + count > contacts_max:
        raise PoolFull(
            f"the pool holds {ledger.live_count} live contacts of at most {contacts_max}",
            live=ledger.live_count,
            contacts_max=contacts_max,
        )


def _check_new_id(ledger: Ledger, contact_id: ContactId) -> None:
    known = ledger.contacts.get(contact_id)
    if known is not None:
        raise ContactExists(
            f"contact {contact_id!r} is already in the pool: {known.state.value}",
            contact_id=contact_id,
            state=known.state.value,
        )


def check_queue(ledger: Ledger, facts: ContactFacts) -> None:
    queue = ledger.queues.get(facts.queue)
    if queue is None:
        raise UnknownQueue(f"no queue {facts.queue!r} in the policy", queue=facts.queue)
    if queue.closed:
        raise QueueClosed(
            f"queue {facts.queue!r} is closed to new contacts", queue=facts.queue, state="closed"
        )
    known_channel(ledger, facts.channel)
    if queue.channels and facts.channel not in queue.channels:
        raise Invalid(
            "channel",
            f"queue {facts.queue!r} takes only {', '.join(queue.channels)}, not {facts.channel!r}",
            queue=facts.queue,
            channel=facts.channel,
        )


def _check_most_waiting(
    ledger: Ledger, matcher: "Matcher", contacts: tuple[NewContact, ...], at_ms: int
) -> None:
    """Raises QueueFull where a queue would hold more waiting than its policy allows.

    The runner has matched directly before, so whoever still waits has nobody free; of the newcomers
    as many are admitted above the limit as would be offered at once, the whole batch seen together.
    """
    if all(ledger.queues[new.facts.queue].most_waiting is None for new in contacts):
        return
    limited: Counter[QueueName] = Counter(
        new.facts.queue
        for new in contacts
        if ledger.queues[new.facts.queue].most_waiting is not None
    )
    over = {
        name: matcher.waiting_count(name) + count - (ledger.queues[name].most_waiting or 0)
        for name, count in limited.items()
    }
    if all(count <= 0 for count in over.values()):
        return
    newcomers = [_as_waiting(new, number, at_ms) for number, new in enumerate(contacts)]
    placed = matcher.placed(newcomers, at_ms)
    offered = Counter(new.facts.queue for new in contacts if new.contact_id in placed)
    for name, count in over.items():
        if count > offered[name]:
            raise _queue_full(name, matcher.waiting_count(name), ledger)


def _queue_full(name: QueueName, waiting: int, ledger: Ledger) -> QueueFull:
    most_waiting = ledger.queues[name].most_waiting or 0
    return QueueFull(
        f"queue {name!r} has {waiting} waiting of at most {most_waiting}"
        " and nobody free for one more",
        queue=name,
        waiting=waiting,
        most_waiting=most_waiting,
    )


def _as_waiting(new: NewContact, number: int, at_ms: int) -> Contact:
    state, waited_ms = ContactState.WAITING, new.facts.waited_ms
    return Contact(new.contact_id, new.facts, "", number, state, at_ms, at_ms, waited_ms, 0)


def start_contact(ledger: Ledger, command: StartContact, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the start of work begun outside; a fact, never refused for capacity."""
    contact_id, facts = command.contact.contact_id, command.contact.facts
    _check_new_id(ledger, contact_id)
    rules = known_channel(ledger, facts.channel)
    if facts.queue and facts.queue not in ledger.queues:
        raise UnknownQueue(f"no queue {facts.queue!r} in the policy", queue=facts.queue)
    known_agent(ledger, command.agent_id)
    if command.leg_state is not LegState.ACTIVE and command.leg_state is not LegState.JOINING:
        raise Invalid("state", "joining or active", state=command.leg_state.value)
    joining = command.leg_state is LegState.JOINING
    price, wrap_up_price = price_of(ledger, command.agent_id, facts.channel)
    started = ContactStarted(
        contact_id,
        facts,
        platform_of(command.actor),
        LegId(f"{contact_id}.1"),
        command.agent_id,
        command.leg_state,
        price,
        wrap_up_price,
        at_ms + rules.joining_limit_ms if joining else 0,
    )
    withdrawn = withdraw_what_no_longer_fits(ledger, command.agent_id, facts.channel, price)
    return (started, *withdrawn)


def update_contact(ledger: Ledger, command: UpdateContact, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the contact's new facts; raises UnknownContact or ContactEnded."""
    contact = live_contact(ledger, command.contact_id)
    facts = _changed(contact.facts, command.changes)
    if facts == contact.facts:
        return ()
    return (ContactUpdated(contact.contact_id, facts),)


def _changed(facts: ContactFacts, changes: FactChanges) -> ContactFacts:
    new = {
        name: getattr(changes, name)
        for name in FactChanges.__struct_fields__
        if getattr(changes, name) is not None
    }
    old = {name: getattr(facts, name) for name in ContactFacts.__struct_fields__}
    return ContactFacts(**{**old, **new})


def sync_contacts(ledger: Ledger, command: SyncContacts, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the ends of the platform's own contacts of the channel that it no longer knows.

    Only contacts unchanged since `as_of_position` are judged. Raises PositionAhead.
    """
    known_channel(ledger, command.channel)
    platform = platform_of(command.actor)
    if not platform:
        raise Invalid("usher-actor", "only a platform states what it has", actor=command.actor.id)
    if command.as_of_position > ledger.position:
        raise PositionAhead(
            f"position {command.as_of_position} is ahead of the journal's {ledger.position}",
            as_of_position=command.as_of_position,
            position=ledger.position,
        )
    live = frozenset(command.live)
    missing = [
        contact
        for contact in ledger.contacts.values()
        if contact.platform == platform
        and contact.facts.channel == command.channel
        and contact.state is not ContactState.ENDED
        and contact.changed_position <= command.as_of_position
        and contact.contact_id not in live
    ]
    return tuple(_lost(ledger, contact, at_ms) for contact in missing)


def _lost(ledger: Ledger, contact: Contact, at_ms: int) -> ContactLost:
    owner = contact.owner
    talking = owner is not None and owner.active_ms >= 0
    wrap_until = wrap_until_ms(ledger, contact, at_ms) if talking else 0
    retire_ms = retire_at_ms(ledger, contact, at_ms, wrap_until)
    return ContactLost(contact.contact_id, wrap_until, retire_ms, "missing_in_sync")
