"""Checks of a scenario's visitors: branches and services of the policy file, desks, hours, walks.

`scenario_routing` asks who may serve them. A check returns all findings; those about services and
branches by themselves are at their places in the policy file. Must not know files or lines.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec.structs import replace

from usher.queue.branches import DESKS_MAX, Branch, Branches, BranchName, Service, ServiceName
from usher.queue.rules import Policy, Roster
from usher.queue.values import Channel
from usher.router.branch_policy import check_branches, minute_text
from usher.router.findings import Finding, Place, errors_of, too_many
from usher.router.policy import known_channels
from usher.simulation.premises import desk_rows, has_visitors, openings_min, with_desks
from usher.simulation.scenario import ContactType, Day, Group, Scenario
from usher.simulation.scenario_findings import listed, unknown, warning
from usher.simulation.scenario_hours import ROUNDING, arrivals_within

_MS_PER_S = 1000
_NONE = Branches(version="none")


class VisitReason(StrEnum):
    """What a finding about visitors is about; stable, for machines."""

    UNKNOWN_BRANCH = "UNKNOWN_BRANCH"
    UNKNOWN_SERVICE = "UNKNOWN_SERVICE"
    SERVICE_WITHOUT_DESK = "SERVICE_WITHOUT_DESK"
    BRANCH_CLOSED = "BRANCH_CLOSED"
    OUTSIDE_OPENINGS = "OUTSIDE_OPENINGS"
    WALK_TOO_LONG = "WALK_TOO_LONG"
    DESK_NEVER = "DESK_NEVER"
    NOT_OF_VISITORS = "NOT_OF_VISITORS"


class Premises:
    """The branches that a scenario's visitors come to, with its desks; `branches` None = none."""

    def __init__(self, scenario: Scenario, policy: Policy, branches: Branches | None) -> None:
        self._scenario = scenario
        self._policy = policy
        known = branches or _NONE
        self._branches = {branch.name: branch for branch in known.branches if not branch.closed}
        told = len(scenario.desks)
        others = [row for row in desk_rows(scenario)[told:] if row.branch in self._branches]
        self._rows = (*scenario.desks, *others)
        self._services = {service.name: service for service in known.services}
        # One desk of each row is enough to judge it, and the number of a finding is then its row.
        self._plan = with_desks(known, tuple(replace(row, count=1) for row in self._rows))

    def check(self, roster: Roster) -> list[Finding]:
        """Returns what is wrong with branches, services and desks by themselves.

        Warnings about them are left out: a scenario may leave branches of a policy alone.
        """
        if not has_visitors(self._scenario):
            return [*self._unused_desks()]
        desks = sum(row.count for row in self._rows)
        findings = [*too_many(("desks",), desks, DESKS_MAX, "desks")]
        return findings + errors_of(check_branches(self._plan, self._policy, roster))

    def service_of(self, rules: ContactType) -> Service | None:
        """Returns the service that visitors of a type come for, None if their branch has none."""
        branch = self._branches.get(BranchName(rules.branch))
        name = ServiceName(rules.service)
        if branch is None or branch.line_of(name) is None:
            return None
        return self._services.get(name)

    def check_type(self, place: Place, rules: ContactType) -> Iterator[Finding]:
        """Yields what keeps visitors of a type from coming, and what is odd about their way."""
        branch = self._branches.get(BranchName(rules.branch))
        if branch is None:
            where, expected = (*place, "branch"), "a branch of the policy"
            yield unknown(where, VisitReason.UNKNOWN_BRANCH, rules.branch, expected, self._branches)
            return
        offered = [service for line in branch.lines for service in line.services]
        if rules.service not in offered:
            where, expected = (*place, "service"), f'a service of branch "{branch.name}"'
            yield unknown(where, VisitReason.UNKNOWN_SERVICE, rules.service, expected, offered)
            return
        yield from self._check_desks((*place, "service"), branch, ServiceName(rules.service))
        yield from self._check_hours(place, branch, rules)
        yield from self._check_walk((*place, "walk"), branch, rules)

    def check_group(self, place: Place, group: Group, types: Iterable[str]) -> Iterator[Finding]:
        """Yields that a group has desks where it can call nobody; `types` = those it may serve."""
        name = group.desk_branch
        if not name:
            return
        if name not in self._branches:
            where, expected = (*place, "desk_branch"), "a branch of the policy"
            yield unknown(where, VisitReason.UNKNOWN_BRANCH, name, expected, self._branches)
        elif not any(self._scenario.types[one].branch == name for one in types):
            message = f'found branch "{name}", but no visitors come there whom the group may serve'
            yield warning((*place, "desk_branch"), VisitReason.DESK_NEVER, message)

    def _unused_desks(self) -> Iterator[Finding]:
        for index in range(len(self._scenario.desks)):
            message = "found desks, but nobody sits at any, and no visitor comes"
            yield warning(("desks", index), VisitReason.DESK_NEVER, message)

    def _check_desks(self, place: Place, branch: Branch, service: ServiceName) -> Iterator[Finding]:
        desks = [desk for desk in self._plan.desks if desk.branch == branch.name]
        if desks and not any(desk.serves(service) for desk in desks):
            given = listed(sorted({name for desk in desks for name in desk.services}))
            message = f'found "{service}", but the desks of branch "{branch.name}" give {given}'
            yield Finding(place, VisitReason.SERVICE_WITHOUT_DESK, message)

    def _check_hours(self, place: Place, branch: Branch, rules: ContactType) -> Iterator[Finding]:
        """Yields that a branch is closed all day, or when some of its visitors come."""
        day = self._scenario.horizon
        if not isinstance(day, Day):
            return
        opened = openings_min(branch, day)
        if not opened:
            found = f'found "{branch.name}", which is not open on "{day.weekday.value}"'
            hours = f'"{minute_text(day.opens_min)}" to "{minute_text(day.closes_min)}"'
            message = f"{found} within {hours}, the hours of the run: nobody could take a ticket"
            yield Finding((*place, "branch"), VisitReason.BRANCH_CLOSED, message)
            return
        come = arrivals_within(rules.arrivals, [(day.opens_min, day.closes_min)])
        let_in = arrivals_within(rules.arrivals, opened)
        if come is None or let_in is None:
            return
        lost = come.within - let_in.within
        if lost > ROUNDING * come.total:
            found = f"found {lost:g} of {come.total:g} arrivals"
            when = f'when branch "{branch.name}" is closed on "{day.weekday.value}"'
            where = (*place, "arrivals", come.key)
            message = f"{found} {when}: they are turned away"
            yield warning(where, VisitReason.OUTSIDE_OPENINGS, message)

    def _check_walk(self, place: Place, branch: Branch, rules: ContactType) -> Iterator[Finding]:
        grace_ms = branch.grace_ms
        if grace_ms is None:
            grace_ms = known_channels(self._policy)[Channel.WALK_IN].joining_limit_ms
        if rules.walk is not None and rules.walk.mean * _MS_PER_S > grace_ms:
            message = (
                f"found a mean of {rules.walk.mean:g} s, expected at most {grace_ms / _MS_PER_S:g} "
                f's, the grace of branch "{branch.name}": many will be taken for no-shows'
            )
            yield warning(place, VisitReason.WALK_TOO_LONG, message)


def check_not_visitors(place: Place, rules: ContactType) -> Iterator[Finding]:
    """Yields what only visitors have, of a type that takes no ticket."""
    if rules.branch:
        return
    for key, is_given in (("walk", rules.walk is not None), ("no_show", rules.no_show > 0)):
        if is_given:
            message = f'found "{key}", which has no effect: only visitors of a branch are called'
            yield warning((*place, key), VisitReason.NOT_OF_VISITORS, message)
