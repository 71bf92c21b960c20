"""The command `usher`: thin functions that read options and hand over.

Imports are made when needed, so that `usher --help` is quick. `serve` and `health` are read by
`service.entry`, where the command begins.
"""

import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="usher",
    help="An omnichannel contact router.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

JOURNAL = "File or folder of the journal, or its address on Redis (redis://...)."
ARCHIVE = "Folder of its archive files; default: `archive` beside the journal's file."


@app.callback()
def usher() -> None:
    """An omnichannel contact router."""


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def serve(context: typer.Context) -> None:
    """Serve a pool until a signal (`usher serve --help`)."""
    from usher.router.service.entry import serve as run

    raise typer.Exit(run(context.args))


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def health(context: typer.Context) -> None:
    """Ask a server whether it serves (`usher health --help`)."""
    from usher.router.trials.health_check import health as run

    raise typer.Exit(run(context.args, os.environ))


@app.command()
def load(
    csv: Annotated[Path, typer.Argument(help="Call log: CSV, plain or gzip.")],
    *,
    date: Annotated[str, typer.Option(help="Day of the log, YYYY-MM-DD.")] = "1999-02-02",
    hours: Annotated[str, typer.Option(help="Only these hours of the day, such as 10-12.")] = "",
    rate: Annotated[int | None, typer.Option(min=1, help="Clock rate; default 60.")] = None,
    after_call: Annotated[str, typer.Option(help="Work after each call.")] = "30s",
    answer: Annotated[str, typer.Option(help="From an offer to its acceptance.")] = "2s",
    seed: Annotated[int, typer.Option(help="Seed of the drawn patience and talks.")] = 1,
    target: Annotated[
        str | None, typer.Option(help="host:port of a server started with the written files.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Only write policy.toml and roster.toml here.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Keep files, journal and log of the own server here.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report here as JSON.")] = None,
    zone: Annotated[str, typer.Option(help="Time zone of the log, for its hours.")] = "",
) -> None:
    """Replay a day of a call log through a real server; its figures beside the log's own."""
    from usher.router.trials import commands

    asked = commands.LoadAsked(
        csv=csv,
        day=date,
        rate=rate,
        after_call=after_call,
        answer=answer,
        seed=seed,
        hours=hours,
        zone=zone,
        target=target,
        write=write,
        data=data,
        report=report,
    )
    raise typer.Exit(commands.load(asked, _console()))


@app.command()
def demo(
    *,
    seconds: Annotated[float, typer.Option(min=1.0, help="How long customers arrive.")] = 30.0,
    rate: Annotated[int, typer.Option(min=1, help="Clock rate.")] = 30,
    seed: Annotated[int, typer.Option(help="Seed of all that is made up.")] = 1,
) -> None:
    """Show a busy quarter of an hour of a made-up contact centre through a real server."""
    from usher.router.trials.commands import demo as run

    raise typer.Exit(run(seconds, rate, seed, _console()))


@app.command()
def inspect(
    journal: Annotated[str, typer.Argument(envvar="USHER_JOURNAL", help=JOURNAL)],
    *,
    archive: Annotated[Path | None, typer.Option(envvar="USHER_ARCHIVE_DIR", help=ARCHIVE)] = None,
    contact: Annotated[str | None, typer.Option(help="The story of this contact.")] = None,
    first: Annotated[
        int | None, typer.Option("--from", help="The records from this position on.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Tell what a journal holds, but never private fields. A file must not be in a server's use."""
    from usher.router.trials.commands import Place
    from usher.router.trials.commands import inspect as run

    raise typer.Exit(run(Place(journal, archive), contact, first, _console(), json=json))


@app.command()
def verify(
    journal: Annotated[str, typer.Argument(envvar="USHER_JOURNAL", help=JOURNAL)],
    *,
    archive: Annotated[Path | None, typer.Option(envvar="USHER_ARCHIVE_DIR", help=ARCHIVE)] = None,
    json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> None:
    """Execute a journal's commands again and demand the events that it holds.

    What other versions wrote is replayed, and each pair that was offered checked: was it allowed?
    """
    from usher.router.trials.commands import Place, verify_journal

    raise typer.Exit(verify_journal(Place(journal, archive), _console(), json=json))


def add_commands() -> None:
    """Adds the commands of the floors above, which say by an entry point that they are there."""
    for floor in entry_points(group="usher.commands"):
        floor.load()(app)


def main() -> None:
    """The entry point of the distribution."""
    app()


def _console() -> "Console":
    from rich.console import Console

    return Console()


add_commands()

if __name__ == "__main__":
    main()
