"""Options that several commands have, and the screen they write to."""

from typing import TYPE_CHECKING

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
CSV = typer.Option(
    "--csv", help="Write all figures here as CSV; by interval of the day beside it, NAME.day.csv."
)
PARQUET = typer.Option("--parquet", help="The same as Parquet: NAME.parquet, NAME.day.parquet.")
DAY = typer.Option(help="Day, YYYY-MM-DD; default: the last whole one.")
ZONE = typer.Option(help="Time zone of a journal's days, such as Europe/Vienna.")
ARCHIVE = typer.Option(
    "--archive", help="Folder of the journal's archive files; default: archive beside it."
)


def console() -> "Console":
    """Returns the screen."""
    from rich.console import Console

    return Console()
