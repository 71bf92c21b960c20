"""`usher staff`: what the command line takes."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from usher.queue.measures import ServiceLevel
from usher.simulation.commands import options


class By(Enum):
    """Where targets hold."""

    INTERVAL = "interval"
    DAY = "day"


LEVEL = typer.Option("--service-level", help="Least share answered in time, such as 0.8.")
NAME = typer.Option("--level", help="How that share is counted; default: as the scenario says.")
THRESHOLD = typer.Option(help='What "in time" is, such as 20s; default: as the scenario says.')
SPEED = typer.Option(help="Most that the answered wait on average, in seconds.")
ABANDONMENT = typer.Option(help="Largest share of contacts that leave, such as 0.05.")
OCCUPANCY = typer.Option(help="Largest busy share of the agents' time, such as 0.85.")
LEFT = typer.Option(min=0, max=1, help="Largest share of a type still waiting at the day's end.")
FOR = typer.Option("--for", help="Type that the targets are for, by itself; may be repeated.")
BY = typer.Option(help="Targets hold in every interval, or over the day.")
SURE = typer.Option("--sure", help="Met by the bound of the interval, not by the estimate.")
SHIFT = typer.Option(
    help="Kind of shift, with breaks and hours: 8h, 8h/30m, 4h:09:00-17:00; may be repeated. "
    "Default: the kinds that each group works today."
)
AGENTS = typer.Option(min=1, help="Agents on duty at once, at most.")
RUNS = typer.Option(min=1, help="Days that the search simulates, at most.")
CSV = typer.Option("--csv", help="Write the agents by interval here as CSV.")
OUT = typer.Option(help="Write the scenario with the proposed shifts here, for usher simulate.")


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(staff)


def staff(
    scenario: Annotated[Path, options.SCENARIO],
    *,
    share: Annotated[float | None, LEVEL] = None,
    level: Annotated[ServiceLevel | None, NAME] = None,
    threshold: Annotated[str | None, THRESHOLD] = None,
    speed_of_answer: Annotated[float | None, SPEED] = None,
    abandonment: Annotated[float | None, ABANDONMENT] = None,
    occupancy: Annotated[float | None, OCCUPANCY] = None,
    left: Annotated[float, LEFT] = 0.02,
    types: Annotated[list[str] | None, FOR] = None,
    by: Annotated[By, BY] = By.INTERVAL,
    sure: Annotated[bool, SURE] = False,
    shift: Annotated[list[str] | None, SHIFT] = None,
    agents_most: Annotated[int | None, AGENTS] = None,
    replications: Annotated[int, options.REPLICATIONS] = 20,
    runs: Annotated[int, RUNS] = 6_000,
    seed: Annotated[int, options.SEED] = 1,
    every: Annotated[int, options.EVERY] = 30,
    processes: Annotated[int | None, options.PROCESSES] = None,
    html: Annotated[Path | None, options.HTML] = None,
    json: Annotated[Path | None, options.JSON] = None,
    csv: Annotated[Path | None, CSV] = None,
    out: Annotated[Path | None, OUT] = None,
) -> None:
    """Find the fewest agents that meet targets, by interval and in shifts; against today's."""
    from usher.simulation.studies import staffing

    asked = staffing.Asked(
        scenario=scenario,
        limits=staffing.Limits(share, speed_of_answer, abandonment, occupancy, left),
        counting=staffing.Counting(level, threshold, tuple(types or ()), by is By.INTERVAL, sure),
        agents=staffing.Agents(tuple(shift or ()), agents_most),
        effort=staffing.Effort(replications, runs, seed, every, processes),
        files=staffing.Files(html, json, csv, out),
    )
    raise typer.Exit(staffing.staff(asked, options.console()))
