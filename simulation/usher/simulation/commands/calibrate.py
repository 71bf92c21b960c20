"""`usher calibrate`: what the command line takes."""

from pathlib import Path
from typing import Annotated

import typer

from usher.simulation.commands import options

LOG = """Call log as `usher load` takes it, or a CSV with a row per call (plain or gzip): arrived
(2026-11-02 08:00:05), wait_s, outcome (answered, abandoned), talk_s, agent, and if known type,
priority (2 high, 1 regular)."""


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(calibrate)


def calibrate(
    log: Annotated[Path, typer.Argument(help=LOG)],
    *,
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")] = "",
    last: Annotated[str, typer.Option("--until", help="Last day.")] = "",
    check_from: Annotated[str, typer.Option(help="First day of the check.")] = "",
    check_until: Annotated[
        str,
        typer.Option(help="Last day of the check. Without these every fifth day is kept for it."),
    ] = "",
    weekdays: Annotated[str, typer.Option(help="Only these: mon-fri, sun-thu.")] = "mon-sun",
    out: Annotated[
        Path | None, typer.Option(help="Write the scenario here, and its policy beside it.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the predicted figures of the check here.")
    ] = None,
    replications: Annotated[
        int, typer.Option(min=19, help="Days simulated for each day of the check.")
    ] = 39,
    seed: Annotated[int, options.SEED] = 1,
    processes: Annotated[int | None, options.PROCESSES] = None,
) -> None:
    """Make a scenario of recorded calls; tell how well it predicts days that it was not made of."""
    from usher.simulation.studies import calibrating

    asked = calibrating.Asked(
        log=log,
        first=first,
        last=last,
        check_from=check_from,
        check_until=check_until,
        weekdays=weekdays,
        out=out,
        csv=csv,
        replications=replications,
        seed=seed,
        processes=processes,
    )
    raise typer.Exit(calibrating.calibrate_log(asked, options.console()))
