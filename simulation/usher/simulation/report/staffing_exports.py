"""A proposed staffing for other programs: CSV by interval, and what goes into the JSON.

Text and plain values come out; it must not know files.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from usher.router.branch_policy import minute_text
from usher.simulation.experiment import Result
from usher.simulation.goals import Check, interval_at
from usher.simulation.proposal import Proposal
from usher.simulation.report.exports import Field, csv_text
from usher.simulation.report.staffing import (
    agents_by_interval,
    compared_names,
    evidence_of,
    named,
    sentences,
    warnings,
)
from usher.simulation.scenario import Scenario
from usher.simulation.staffing_search import Found

COLUMNS: Final = ("from", "until", "group", "theory", "by_interval", "shifts", "today")


def staffing_csv(proposal: Proposal, scenario: Scenario) -> str:
    """Returns CSV under `COLUMNS`: the agents of each group in each interval."""
    times = proposal.timetable
    rows: list[Sequence[Field]] = []
    for name, columns in agents_by_interval(proposal, scenario).items():
        for at in range(times.count):
            span = (minute_text(times.starts_min(at)), minute_text(times.starts_min(at + 1)))
            cells: list[Field] = [
                float(columns[key][at]) if key in columns else None
                for key in ("theory", "by interval", "shifts", "today")
            ]
            rows.append((*span, name, *cells))
    return csv_text(COLUMNS, rows)


def staffing_told(
    proposal: Proposal, scenario: Scenario, results: Sequence[Result]
) -> Mapping[str, object]:
    """Returns the proposal as plain values: agents by group and interval, shifts, checks."""
    plan, times = proposal.plan, proposal.timetable
    by_group = {
        name: {key: np.round(column, 3).tolist() for key, column in columns.items()}
        for name, columns in agents_by_interval(proposal, scenario).items()
    }
    return {
        "goals": proposal.goals,
        "from": [minute_text(times.starts_min(at)) for at in range(times.count)],
        "interval_min": times.interval_min,
        "agents": by_group,
        "by_interval": _found(proposal.found),
        "shifts": None if plan is None else {**_found(plan.found), "worked": _shifts(proposal)},
        "staffings": proposal.staffings,
        "runs": proposal.runs,
        "said": sentences(proposal, results),
        "warnings": warnings(proposal, results),
        "checks": {
            name: _checks(proposal, result)
            for name in compared_names(proposal)
            if (result := named(results, name)) is not None
        },
    }


def _found(found: Found) -> dict[str, object]:
    return {"is_met": found.is_met, "ending": found.ending.name}


def _shifts(proposal: Proposal) -> list[object]:
    if proposal.plan is None:
        return []
    posts, counts = proposal.plan.posts.posts, proposal.plan.found.counts.tolist()
    return [
        {
            "group": post.group,
            "agents": count,
            "from": minute_text(post.shift.from_min),
            "until": minute_text(post.shift.until_min),
            "breaks": [
                [minute_text(one.from_min), minute_text(one.until_min)] for one in post.shift.breaks
            ],
        }
        for post, count in zip(posts, counts, strict=True)
        if count
    ]


def _checks(proposal: Proposal, result: Result) -> list[object]:
    evidence = evidence_of(proposal, result)
    return [
        _check(proposal, check) | {"found": interval_at(evidence, at, result.confidence)}
        for at, check in enumerate(proposal.checks)
    ]


def _check(proposal: Proposal, check: Check) -> dict[str, object]:
    times = proposal.timetable
    at = None if check.interval is None else minute_text(times.starts_min(check.interval))
    return {
        "figure": check.figure.name,
        "type": check.type_name,
        "from": at,
        "limit": check.limit,
        "at_least": check.at_least,
        "binding": check.binding,
    }
