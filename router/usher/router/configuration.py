"""Decides the commands of the server itself: opening the pool, setting policy and roster."""

from msgspec.structs import replace

from usher.queue.commands import OpenPool, SetPolicy, SetRoster
from usher.queue.errors import ClockRateFixed, PolicyRefused
from usher.queue.events import AnyEvent, OfferWithdrawn, PolicySet, PoolOpened, RosterSet
from usher.queue.ledger import Ledger, moved_leg
from usher.queue.rules import Policy, Roster
from usher.queue.values import ContactState, LegState
from usher.router.findings import Finding, errors_of
from usher.router.lookups import policy_of
from usher.router.policy import check_policy, check_roster


def open_pool(ledger: Ledger, command: OpenPool, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the opening; raises ClockRateFixed at another clock rate than the journal's."""
    if ledger.clock_rate and command.clock_rate != ledger.clock_rate:
        raise ClockRateFixed(
            f"the journal was written at clock rate {ledger.clock_rate},"
            f" the server is started at {command.clock_rate}",
            journal_rate=ledger.clock_rate,
            clock_rate=command.clock_rate,
        )
    outage_ms = max(0, at_ms - ledger.at_ms) if ledger.position else 0
    opened = PoolOpened(
        command.usher_version,
        command.numpy_version,
        command.scipy_version,
        command.clock_rate,
        outage_ms,
    )
    return (opened, *_overslept_offers(ledger, outage_ms, at_ms))


def _overslept_offers(ledger: Ledger, outage_ms: int, at_ms: int) -> tuple[OfferWithdrawn, ...]:
    """Returns the offers that ran out while the server was away: taken back, nobody's miss."""
    legs = [leg for contact in ledger.contacts.values() for leg in contact.legs]
    return tuple(
        OfferWithdrawn(leg.contact_id, leg.leg_id, "outage")
        for leg in legs
        if leg.state is LegState.OFFERED and moved_leg(leg, outage_ms).due_ms <= at_ms
    )


def set_policy(ledger: Ledger, command: SetPolicy, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the policy with those queues kept, closed, that it leaves out while they are live.

    Raises PolicyRefused with every finding that is an error.
    """
    refuse(check_policy(command.policy), "policy")
    return (PolicySet(_with_live_queues(ledger, command.policy)),)


def _with_live_queues(ledger: Ledger, policy: Policy) -> Policy:
    old = ledger.policy
    if old is None:
        return policy
    live = [c.facts for c in ledger.contacts.values() if c.state is not ContactState.ENDED]
    names = {queue.name for queue in policy.queues}
    left_out = {facts.queue for facts in live} - names
    closed = tuple(replace(queue, closed=True) for queue in old.queues if queue.name in left_out)
    lost_channels = {
        facts.channel: rules
        for facts in live
        if policy.channel_rules(facts.channel) is None
        and (rules := old.channel_rules(facts.channel)) is not None
    }
    channels = {**policy.channels, **lost_channels}
    return replace(policy, queues=policy.queues + closed, channels=channels)


def set_roster(ledger: Ledger, command: SetRoster, at_ms: int) -> tuple[AnyEvent, ...]:
    """Returns the roster with those agents kept, closed, that it leaves out while they work.

    Raises PolicyRefused with every finding that is an error.
    """
    refuse(check_roster(command.roster, policy_of(ledger)), "roster")
    names = {profile.agent_id for profile in command.roster.agents}
    closed = tuple(
        replace(ledger.profiles[agent_id], closed=True)
        for agent_id, agent in ledger.agents.items()
        if agent_id not in names and agent.legs
    )
    roster = Roster(version=command.roster.version, agents=command.roster.agents + closed)
    return (RosterSet(roster),)


def refuse(findings: list[Finding], what: str) -> None:
    errors = errors_of(findings)
    if errors:
        lines = "; ".join(str(error) for error in errors)
        raise PolicyRefused(f"the {what} has {len(errors)} errors: {lines}", findings=len(errors))
