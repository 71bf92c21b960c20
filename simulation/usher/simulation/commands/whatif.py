"""`usher whatif`: what the command line takes."""

from pathlib import Path
from typing import Annotated

import typer

from usher.simulation.commands import options

PLACE = typer.Argument(
    metavar="JOURNAL_OR_LOG",
    help="Journal (file, folder or redis://...) or call log (CSV, plain or gzip).",
)
POLICY = typer.Option(help="The other policy (TOML).")
AGAINST = typer.Option(help="Policy to compare with; default: the recorded one.")
WITHIN = typer.Option(help="Threshold of the service level; default: that of the queues.")
AFTER_CALL = typer.Option(help="Call log: work after each call, which it does not show.")
WORST = typer.Option(min=0, help="Contacts told that fared worst.")


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(whatif)


def whatif(
    place: Annotated[str, PLACE],
    *,
    policy: Annotated[Path, POLICY],
    against: Annotated[Path | None, AGAINST] = None,
    day: Annotated[str, options.DAY] = "",
    zone: Annotated[str, options.ZONE] = "UTC",
    archive: Annotated[Path | None, options.ARCHIVE] = None,
    within: Annotated[str, WITHIN] = "",
    after_call: Annotated[str, AFTER_CALL] = "30s",
    worst: Annotated[int, WORST] = 10,
    replications: Annotated[int, options.REPLICATIONS] = 20,
    seed: Annotated[int, options.SEED] = 1,
    confidence: Annotated[float, options.CONFIDENCE] = 0.95,
    every: Annotated[int, options.EVERY] = 30,
    processes: Annotated[int | None, options.PROCESSES] = None,
    html: Annotated[Path | None, options.HTML] = None,
    json: Annotated[Path | None, options.JSON] = None,
    csv: Annotated[Path | None, options.CSV] = None,
    parquet: Annotated[Path | None, options.PARQUET] = None,
) -> None:
    """Replay a recorded day under another policy; tell differences, and who fared worst and why."""
    from usher.simulation.studies import outputs
    from usher.simulation.studies import whatif as study

    asked = study.Asked(
        source=study.Source(
            place=place, day=day, zone=zone, archive=archive, within=within, after_call=after_call
        ),
        policy=policy,
        against=against,
        worst=worst,
        replications=replications,
        seed=seed,
        confidence=confidence,
        every_min=every,
        processes=processes,
        files=outputs.Files(html=html, json=json, csv=csv, parquet=parquet),
    )
    raise typer.Exit(study.whatif_day(asked, options.console()))
