"""`usher morning`: what the command line takes."""

from pathlib import Path
from typing import Annotated

import typer

from usher.simulation.commands import options


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(morning)


def morning(
    journal: Annotated[
        str, typer.Argument(help="File or folder of the journal, or its address on Redis.")
    ],
    *,
    day: Annotated[str, options.DAY] = "",
    zone: Annotated[str, options.ZONE] = "UTC",
    archive: Annotated[Path | None, options.ARCHIVE] = None,
    worst: Annotated[int, typer.Option(min=0, help="Waits told of who was answered or left.")] = 10,
    every: Annotated[int, options.EVERY] = 30,
    html: Annotated[Path | None, options.HTML] = None,
    json: Annotated[Path | None, options.JSON] = None,
) -> None:
    """Tell a recorded day: service by interval, the worst waits, why, what would have helped."""
    from usher.simulation.studies import morning as study
    from usher.simulation.studies import outputs

    asked = study.Asked(
        journal=journal,
        day=day,
        zone=zone,
        archive=archive,
        worst=worst,
        every_min=every,
        files=outputs.Files(html=html, json=json),
    )
    raise typer.Exit(study.morning_of(asked, options.console()))
