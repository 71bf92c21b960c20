"""`usher simulate` and `usher compare`: what the command line takes."""

from pathlib import Path
from typing import Annotated

import typer

from usher.simulation.commands import options


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(simulate)
    app.command()(compare)


def simulate(
    scenario: Annotated[Path, options.SCENARIO],
    *,
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
    """Run a scenario many times; tell waits, service level, abandonment, occupancy, cost."""
    from usher.simulation.studies import comparison, outputs, running

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
    asked = comparison.Asked(scenarios=(scenario,), runs=runs, files=files)
    raise typer.Exit(comparison.simulate(asked, options.console()))


def compare(
    scenarios: Annotated[
        list[Path],
        typer.Argument(help="Scenario files; the others are compared with the first."),
    ],
    *,
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
    """Run several scenarios with the same customers; tell the differences with intervals."""
    from usher.simulation.studies import comparison, outputs, running

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
    asked = comparison.Asked(scenarios=tuple(scenarios), runs=runs, files=files)
    raise typer.Exit(comparison.compare(asked, options.console()))
