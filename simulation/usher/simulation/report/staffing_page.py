"""A proposed staffing as a section of a page: needs and duty by interval, targets, shifts, plots.

Needs matplotlib, through `drawing`. It must not know files.
"""

from collections.abc import Sequence

import numpy as np

from usher.simulation.experiment import Case, Result
from usher.simulation.figures import Unit
from usher.simulation.goals import Check, Floats, values
from usher.simulation.proposal import Proposal
from usher.simulation.report.drawing import Line, draw_lines
from usher.simulation.report.markup import Markup, listing, paragraph, table
from usher.simulation.report.page import drawn
from usher.simulation.report.plots import Plot
from usher.simulation.report.staffing import (
    MISSES_MEANS,
    SHIFT_HEADERS,
    agents_by_interval,
    compared_names,
    evidence_of,
    goal_headers,
    goal_rows,
    interval_headers,
    interval_rows,
    named,
    sentences,
    shift_rows,
)
from usher.simulation.report.wording import figure_title, unit_text

TARGET = "target"


def section_of(proposal: Proposal, today: Case, results: Sequence[Result]) -> Markup:
    """Returns the content of the section."""
    scenario = today.scenario
    headers = interval_headers(proposal, scenario, results)
    shifts = shift_rows(proposal)
    parts = [
        listing(sentences(proposal, results)),
        table(
            "Targets",
            goal_headers(proposal),
            goal_rows(proposal, scenario.target, results),
            words=3,
        ),
        paragraph(f"{MISSES_MEANS}."),
        *map(drawn, plots(proposal, today, results)),
        table("Agents by interval", headers, interval_rows(proposal, scenario, results)),
    ]
    if shifts:
        parts.append(table("Shifts", SHIFT_HEADERS, shifts))
    return Markup("".join(parts))


def plots(proposal: Proposal, today: Case, results: Sequence[Result]) -> tuple[Plot, ...]:
    """Returns the agents by interval, then each target's figure by interval."""
    days = [check for check in proposal.checks if check.interval is None]
    checks = [check for check in days if check.figure.name != "left"]
    drawn = [_figure_plot(proposal, check, today, results) for check in checks]
    return (_agents_plot(proposal, today), *drawn)


def _agents_plot(proposal: Proposal, today: Case) -> Plot:
    agents = agents_by_interval(proposal, today.scenario)
    names = list(next(iter(agents.values())))
    totals = {
        name: np.sum([columns[name] for columns in agents.values()], axis=0) for name in names
    }
    lines = [_line(proposal, name, total, in_steps=True) for name, total in totals.items()]
    peaks = ", ".join(f"{name} at most {float(total.max()):g}" for name, total in totals.items())
    return Plot(
        name="agents",
        title="Agents by interval",
        caption="On duty without breaks: by theory, as found, by shifts, and today.",
        alt=f"Agents by interval, of all groups: {peaks}.",
        svg=draw_lines(lines, "agents"),
    )


def _figure_plot(proposal: Proposal, check: Check, today: Case, results: Sequence[Result]) -> Plot:
    unit, title = check.figure.unit, figure_title(check.figure, today.scenario.target)
    scale = 100 if unit is Unit.SHARE else 1
    places = [
        at
        for at, one in enumerate(proposal.checks)
        if one.interval is not None
        and (one.figure, one.type_name) == (check.figure, check.type_name)
    ]
    limit = np.full(len(places), check.limit * scale)
    lines = [_line(proposal, TARGET, limit, in_steps=True)]
    for name in compared_names(proposal):
        result = named(results, name)
        if result is not None:
            found = values(evidence_of(proposal, result))[places] * scale
            lines.append(_line(proposal, name, found))
    return Plot(
        name=f"target_{check.figure.name}_{proposal.checks.index(check)}",
        title=f"{check.figure.title[0].upper()}{check.figure.title[1:]} against its target",
        caption=f"{title[0].upper()}{title[1:]}, of the contacts that came in the interval.",
        alt=f"{title} by time of day against {check.limit * scale:g} {unit_text(unit)}.",
        svg=draw_lines(
            lines, f"{check.figure.title} ({unit_text(unit)})", is_whole=unit is Unit.SHARE
        ),
    )


def _line(proposal: Proposal, label: str, mean: Floats, *, in_steps: bool = False) -> Line:
    times = proposal.timetable
    bounds = [times.starts_min(at) for at in range(times.count + 1)]
    return Line(
        label=label,
        bounds_min=np.array(bounds, dtype=np.float64),
        mean=mean,
        low=mean,
        high=mean,
        in_steps=in_steps,
    )
