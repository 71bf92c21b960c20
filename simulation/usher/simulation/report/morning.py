"""The morning page: a recorded day's service by interval, its worst waits, each with its reasons.

Rows and sentences for the terminal and the page. It must not know files or journals.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from usher.queue.values import NEVER_MS
from usher.simulation.arriving import MS_PER_MIN
from usher.simulation.figures import Unit
from usher.simulation.freeing import NEWCOMER, Change
from usher.simulation.report.markup import Markup, element, listing, paragraph, table, text
from usher.simulation.report.page import ReportsMissing, document, drawn
from usher.simulation.report.standings import clock_text, length_text, line_text, standing_text
from usher.simulation.report.tables import empty_table, filled
from usher.simulation.report.wording import column_texts, value_text
from usher.simulation.studies.service import DayService, Service, ServicePart
from usher.simulation.studies.stories import Asking, Freed, Story, Worst

if TYPE_CHECKING:
    from usher.simulation.report.drawing import Line
    from usher.simulation.report.plots import Plot

Row = tuple[str, ...]
Values = Sequence[float | None]

COUNTS: Row = ("came", "offered", "answered", "left", "level\n%", "wait\ns")
PART_HEADERS: Row = ("from", *COUNTS, "busy\n%", "agents")
QUEUE_HEADERS: Row = ("queue", "target\ns", *COUNTS)
STORY_HEADERS: Row = ("contact", "queue", "channel", "came", "waited", "end")
READING = (
    "Offered = answered or left; level = answered within the target of the queue / offered; wait "
    "is the mean of the offered.",
    "A contact stands in the interval in which it came. Busy is the occupancy: busy / available "
    "time of agents. Agents is who was signed in on average.",
    "The worst waits are the longest against the target of their queue: two minutes of a call are "
    "worse than ten of a mail.",
    "Why: each agent by the first thing that stood in the way, by the router's own rules, with all "
    "that waited at the moment.",
    "What would have freed it: single changes, each made at the moment told and judged by the "
    "router's own match; what an earlier change would have made of the hours before is not asked.",
)
SHOWN = 2
"""Moments of a wait that the terminal tells; the page has all."""
NOTHING_FREES = "No single change that was tried would have given it an agent at these moments."
TICKET = "It held a ticket: desks call, so what would have freed it is not looked for."


def show(service: DayService, worst: Worst, notes: Iterable[str], console: Console) -> None:
    """Prints the page as text."""
    parts = empty_table("service by interval", PART_HEADERS[:1], PART_HEADERS[1:])
    console.print(filled(parts, part_rows(service.parts)))
    queues = empty_table("service by queue", QUEUE_HEADERS[:1], QUEUE_HEADERS[1:])
    console.print(filled(queues, queue_rows(service)))
    for title, stories in _lists(worst):
        console.print(Text(title, style="bold"))
        if not stories:
            console.print("none")
        for story in stories:
            console.print(Text(" · ".join(story_row(story))))
            for line in story_lines(story, SHOWN):
                console.print(Padding(Text(line), (0, 0, 0, 4), expand=False))
    for note in notes:
        console.print(Text(note))


def morning_page(
    title: str, basis: str, service: DayService, worst: Worst, notes: Sequence[str]
) -> str:
    """Returns the page as HTML; raises ReportsMissing without matplotlib."""
    plots = _plots(service.parts)
    parts = table("Service by interval", _one_line(PART_HEADERS), part_rows(service.parts))
    queues = table("Service by queue", _one_line(QUEUE_HEADERS), queue_rows(service))
    sections = [
        ("service", "Service", Markup("".join([queues, *map(drawn, plots), parts]))),
        *((name, title, _stories(stories)) for name, (title, stories) in _named(worst)),
        ("reading", "How to read this", listing(READING)),
    ]
    return document(title, basis, sections, notes=notes)


def _one_line(headers: Row) -> Row:
    return tuple(f"{name} ({unit})" if unit else name for name, _, unit in map(_split, headers))


def _split(header: str) -> tuple[str, str, str]:
    return header.partition("\n")


def part_rows(parts: Sequence[ServicePart]) -> list[Row]:
    """Returns a row under `PART_HEADERS` for each interval."""
    columns = _columns([part.service for part in parts])
    starts = [clock_text(part.from_ms)[:5] for part in parts]
    busy = column_texts([part.occupancy for part in parts], Unit.SHARE)
    agents = column_texts([part.agents for part in parts], Unit.COUNT)
    return list(zip(starts, *columns, busy, agents, strict=True))


def queue_rows(service: DayService) -> list[Row]:
    """Returns a row under `QUEUE_HEADERS` for each queue, and one for all."""
    names = [*(one.queue or "none" for one in service.queues), "all"]
    targets = [*(f"{one.target_ms / 1000:g}" for one in service.queues), ""]
    columns = _columns([*(one.service for one in service.queues), service.whole])
    return list(zip(names, targets, *columns, strict=True))


def _columns(services: Sequence[Service]) -> list[Row]:
    waits_s = [None if one.mean_wait_ms is None else one.mean_wait_ms / 1000 for one in services]
    return [
        tuple(str(one.contacts) for one in services),
        tuple(str(one.offered) for one in services),
        tuple(str(one.answered) for one in services),
        tuple(str(one.abandoned) for one in services),
        column_texts([one.level for one in services], Unit.SHARE),
        column_texts(waits_s, Unit.SECONDS),
    ]


def _lists(worst: Worst) -> list[tuple[str, tuple[Story, ...]]]:
    return [
        ("Worst waits of who was answered", worst.waits),
        ("Worst waits of who left", worst.abandons),
    ]


def _named(worst: Worst) -> list[tuple[str, tuple[str, tuple[Story, ...]]]]:
    return list(zip(("waits", "abandons"), _lists(worst), strict=True))


def _stories(stories: Sequence[Story]) -> Markup:
    if not stories:
        return paragraph("None.")
    told = [
        table(
            "By wait / target of the queue, the longest first",
            STORY_HEADERS,
            list(map(story_row, stories)),
            words=4,
        )
    ]
    for story in stories:
        told.append(element("h3", text(f"{story.contact_id}: {length_text(story.waited_ms)}")))
        told.append(listing(story_lines(story)))
    return Markup("".join(told))


def story_row(story: Story) -> Row:
    """Returns a row under `STORY_HEADERS`."""
    end = f"answered by {story.answered_by}" if story.answered_by else story.ended
    return (
        story.contact_id,
        story.queue or "none",
        story.channel,
        clock_text(story.came_ms),
        length_text(story.waited_ms),
        end,
    )


def story_lines(story: Story, most: int | None = None) -> list[str]:
    """Returns what happened, why it waited and what would have freed it, in sentences.

    Of the moments looked at `most` are told, evenly from the first on.
    """
    lines = [_asking_text(one) for one in story.askings]
    if story.has_ticket:
        told = story.lines[:: _step(story.lines, most)]
        return [*lines, *(_at(one.at_ms, story, line_text(one)) for one in told), TICKET]
    looks = story.standings[:: _step(story.standings, most)]
    lines += [_at(one.at_ms, story, standing_text(one)) for one in looks]
    lines += [
        f"From {clock_text(one.from_ms)} on, after {length_text(one.from_ms - story.came_ms)}: "
        f"{one.what} would have given it {_taker_text(one)}."
        for one in _first_of_each(story.freed, most)
    ]
    return lines if story.freed or not story.standings else [*lines, NOTHING_FREES]


def _at(at_ms: int, story: Story, words: str) -> str:
    return f"At {clock_text(at_ms)}, after {length_text(at_ms - story.came_ms)}: {words}."


def _step(looks: Sequence[object], most: int | None) -> int:
    return 1 if most is None else max(1, -(-len(looks) // most))


def _first_of_each(freed: Sequence[Freed], most: int | None) -> Sequence[Freed]:
    """Returns one change of each kind where not all are told."""
    if most is None:
        return freed
    return list({one.change: one for one in reversed(freed)}.values())[::-1]


def _taker_text(one: Freed) -> str:
    if not one.agent_id.startswith(NEWCOMER):
        return one.agent_id
    return "one of them" if one.change is Change.AGENTS else "that agent"


def _asking_text(one: Asking) -> str:
    told = f"Offered to {one.agent_id} at {clock_text(one.offered_ms)}"
    if one.active_ms != NEVER_MS:
        return f"{told}, who was there at {clock_text(one.active_ms)}."
    ended = "" if one.ended_ms == NEVER_MS else f" at {clock_text(one.ended_ms)}"
    return f"{told}: {one.end}{ended}."


def whole_text(service: Service) -> str:
    """Returns the day in a sentence."""
    wait = length_text(service.mean_wait_ms or 0.0)
    level = value_text(service.level, Unit.SHARE)
    return (
        f"{service.contacts} contacts came, {service.answered} were answered, {service.abandoned} "
        f"left; mean wait {wait}, {level}% answered within their target."
    )


def _plots(parts: Sequence[ServicePart]) -> "list[Plot]":
    try:
        from usher.simulation.report.drawing import draw_lines
        from usher.simulation.report.plots import Plot
    except ImportError as error:
        raise ReportsMissing(error) from error
    return [
        Plot(
            name=title.lower().replace(" ", "-"),
            title=title,
            caption="Of the contacts that came in the interval.",
            alt=f"{title} by interval; the table has the same figures.",
            svg=draw_lines(
                [_line(label, parts, values) for label, values in lines.items()],
                axis,
                is_whole=axis == "%",
            ),
        )
        for title, (axis, lines) in (_views(parts) if parts else {}).items()
    ]


def _views(parts: Sequence[ServicePart]) -> dict[str, tuple[str, dict[str, Values]]]:
    """Returns what is drawn: by title its axis and lines."""
    services = [part.service for part in parts]
    return {
        "Who came": (
            "contacts",
            {
                "answered": [one.answered for one in services],
                "abandoned": [one.abandoned for one in services],
            },
        ),
        "Mean wait": ("wait (s)", {"mean wait": [_seconds(one) for one in services]}),
        "Level and occupancy": (
            "%",
            {
                "level": [_percent(one.level) for one in services],
                "occupancy": [_percent(part.occupancy) for part in parts],
            },
        ),
    }


def _line(label: str, parts: Sequence[ServicePart], values: Values) -> "Line":
    from usher.simulation.report.drawing import Line

    bounds_ms = [*(one.from_ms for one in parts), parts[-1].until_ms]
    none = np.full(len(parts), np.nan)
    return Line(
        label=label,
        bounds_min=np.array(bounds_ms, dtype=np.float64) / MS_PER_MIN,
        mean=np.array([np.nan if one is None else one for one in values], dtype=np.float64),
        low=none,
        high=none,
    )


def _seconds(service: Service) -> float | None:
    return None if service.mean_wait_ms is None else service.mean_wait_ms / 1000


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100
