"""Commands of the planner's simulator, added to the command `usher` by its entry point.

Imports are made when needed, so that `usher --help` is quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

SCENARIO = typer.Argument(help="Scenario file (TOML); it names its policy.")
REPLICATIONS = typer.Option(min=1, help="Days to run, each with chance of its own.")
UNTIL = typer.Option(
    "--until",
    help="FIGURE=HALF-WIDTH (service_level=0.01): as many days as it takes; may be repeated.",
)
MOST = typer.Option(min=10, help="With --until: days at most.")
SEED = typer.Option(min=0, help="Seed of all chance; the same seed gives the same result.")
CONFIDENCE = typer.Option(min=0.5, max=0.999, help="Confidence of the intervals.")
EVERY = typer.Option("--every", min=1, max=1440, help="Length of the intervals told, in minutes.")
PROCESSES = typer.Option(min=1, help="Processes; default: one for each processor.")
HTML = typer.Option("--html", help="Write a page with plots here.")
JSON = typer.Option("--json", help="Write all figures here as JSON.")
CSV = typer.Option("--csv", help="Write all figures here as CSV.")


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(simulate)
    app.command()(compare)


def simulate(
    scenario: Annotated[Path, SCENARIO],
    *,
    replications: Annotated[int, REPLICATIONS] = 20,
    until: Annotated[list[str] | None, UNTIL] = None,
    most: Annotated[int, MOST] = 1_000,
    seed: Annotated[int, SEED] = 1,
    confidence: Annotated[float, CONFIDENCE] = 0.95,
    every: Annotated[int, EVERY] = 30,
    processes: Annotated[int | None, PROCESSES] = None,
    html: Annotated[Path | None, HTML] = None,
    json: Annotated[Path | None, JSON] = None,
    csv: Annotated[Path | None, CSV] = None,
) -> None:
    """Run a scenario many times; tell waits, service level, abandonment, occupancy, cost."""
    from usher.simulation.studies import commands

    asked = commands.Asked(
        scenarios=(scenario,),
        replications=replications,
        until=tuple(until or ()),
        most=most,
        seed=seed,
        confidence=confidence,
        every_min=every,
        processes=processes,
        html=html,
        json=json,
        csv=csv,
    )
    raise typer.Exit(commands.simulate(asked, _console()))


def compare(
    scenarios: Annotated[
        list[Path],
        typer.Argument(help="Scenario files; the others are compared with the first."),
    ],
    *,
    replications: Annotated[int, REPLICATIONS] = 20,
    until: Annotated[list[str] | None, UNTIL] = None,
    most: Annotated[int, MOST] = 1_000,
    seed: Annotated[int, SEED] = 1,
    confidence: Annotated[float, CONFIDENCE] = 0.95,
    every: Annotated[int, EVERY] = 30,
    processes: Annotated[int | None, PROCESSES] = None,
    html: Annotated[Path | None, HTML] = None,
    json: Annotated[Path | None, JSON] = None,
    csv: Annotated[Path | None, CSV] = None,
) -> None:
    """Run several scenarios with the same customers; tell the differences with intervals."""
    from usher.simulation.studies import commands

    asked = commands.Asked(
        scenarios=tuple(scenarios),
        replications=replications,
        until=tuple(until or ()),
        most=most,
        seed=seed,
        confidence=confidence,
        every_min=every,
        processes=processes,
        html=html,
        json=json,
        csv=csv,
    )
    raise typer.Exit(commands.compare(asked, _console()))


def _console() -> "Console":
    from rich.console import Console

    return Console()
