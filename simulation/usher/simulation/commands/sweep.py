"""`usher sweep`: what the command line takes."""

from pathlib import Path
from typing import Annotated

import typer

from usher.simulation.commands import options

PLACES = """A place is named as in the files, one of the policy behind "policy". Values
stand between commas: numbers, text, or ranges with both ends; behind an x
they multiply what stands there.

\b
--vary "groups.first.shifts[0].agents=3..6"
--vary "types.call.arrivals.counts=x0.9..1.2..0.1"
--vary "types.call.patience.average=120,240"
--vary "policy.queues.calls.head_start=0s,30s,1m"
"""

VARY = typer.Option("--vary", help="PLACE=VALUES; may be repeated, then each goes with each.")
FIGURES = typer.Option(
    "--figures",
    help="Figures of the table and the curves, with commas: service_level, mean_wait, occupancy, "
    "cost ...; the files hold all.",
)


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=f"{sweep.__doc__}\n\n{PLACES}")(sweep)


def sweep(
    scenario: Annotated[Path, options.SCENARIO],
    *,
    vary: Annotated[list[str], VARY],
    figures: Annotated[list[str] | None, FIGURES] = None,
    replications: Annotated[int, options.REPLICATIONS] = 20,
    until: Annotated[list[str] | None, options.UNTIL] = None,
    most: Annotated[int, options.MOST] = 1_000,
    seed: Annotated[int, options.SEED] = 1,
    confidence: Annotated[float, options.CONFIDENCE] = 0.95,
    every: Annotated[int, options.EVERY] = 30,
    processes: Annotated[int | None, options.PROCESSES] = None,
    html: Annotated[Path | None, options.HTML] = None,
    json: Annotated[Path | None, options.JSON] = None,
    csv: Annotated[Path | None, options.CSV] = None,
    parquet: Annotated[Path | None, options.PARQUET] = None,
) -> None:
    """Vary values of a scenario or its policy; tell what changes, with the same customers."""
    from usher.simulation.studies import outputs, running, sweeping

    runs = running.Runs(
        replications=replications,
        until=tuple(until or ()),
        most=most,
        seed=seed,
        confidence=confidence,
        every_min=every,
        processes=processes,
    )
    files = outputs.Files(html=html, json=json, csv=csv, parquet=parquet)
    asked = sweeping.Asked(
        scenario=scenario,
        vary=tuple(vary),
        figures=tuple(figures or ()),
        runs=runs,
        files=files,
    )
    raise typer.Exit(sweeping.sweep(asked, options.console()))
