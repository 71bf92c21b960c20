"""The command `usher`: thin functions that read options and hand over.

Imports are made when needed, so that `usher --help` is quick.
"""

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from usher.queue.rules import Policy, Roster
    from usher.router.service.settings import Settings

EXIT_REFUSED = 2

app = typer.Typer(
    name="usher",
    help="An omnichannel contact router.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def usher() -> None:
    """An omnichannel contact router."""


@app.command()
def serve(
    *,
    policy: Annotated[Path | None, typer.Option(help="Policy file (TOML).")] = None,
    roster: Annotated[Path | None, typer.Option(help="Roster file (TOML).")] = None,
    data: Annotated[
        str | None, typer.Option(help="Folder of the journal; ':memory:' keeps nothing.")
    ] = None,
    listen: Annotated[
        str | None, typer.Option(help="host:port; anything but loopback is open to the network.")
    ] = None,
    clock_rate: Annotated[int | None, typer.Option(help="Run the clock n times faster.")] = None,
    reflection: Annotated[bool, typer.Option(help="Let tools list the services.")] = False,
    log_format: Annotated[str | None, typer.Option(help="console or json.")] = None,
    settings: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
) -> None:
    """Serve a pool until a signal; without files, under the rules that its journal holds."""
    from usher.router.service.settings import SettingsError, read_settings

    flags = {
        "policy": str(policy) if policy else None,
        "roster": str(roster) if roster else None,
        "data_dir": data,
        "listen": listen,
        "clock_rate": clock_rate,
        "log_format": log_format,
    }
    try:
        read = read_settings(settings, os.environ, flags)
    except SettingsError as error:
        _refuse(str(error))
    raise typer.Exit(_serve(read, reflection=reflection))


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
    path: Annotated[Path, typer.Argument(help="Journal, or the folder that holds it.")],
    *,
    contact: Annotated[str | None, typer.Option(help="The story of this contact.")] = None,
    first: Annotated[
        int | None, typer.Option("--from", help="The records from this position on.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Tell what a journal holds, while no server has it: never private fields."""
    from usher.router.trials.commands import inspect as run

    raise typer.Exit(run(path, contact, first, _console(), json=json))


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="Journal, or the folder that holds it.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> None:
    """Execute a journal's commands again and demand the events that it holds."""
    from usher.router.trials.commands import verify_journal

    raise typer.Exit(verify_journal(path, _console(), json=json))


def main() -> None:
    """The entry point of the distribution."""
    app()


def _serve(settings: "Settings", *, reflection: bool) -> int:
    """Returns the exit code of a server; refuses what keeps it from starting."""
    gc.disable()  # imports and replay make no garbage; the server switches it on when it serves
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the products are small: threads only spin
    from usher.queue.errors import Refused
    from usher.queue.journal.contract import JournalError
    from usher.router.service import server
    from usher.router.service.telemetry import configure_logging

    configure_logging(settings.log_format, settings.log_level)
    policy, roster = _read_rules(settings.policy, settings.roster)
    try:
        return server.run(settings, policy, roster, reflection=reflection, on_ready=_say_ready)
    except (JournalError, Refused, OSError) as error:
        _refuse(str(error))


def _say_ready(address: str) -> None:
    """One line for whoever started the process and waits for its address."""
    typer.echo(f"usher serves on {address}")
    sys.stdout.flush()


def _read_rules(policy: str, roster: str) -> "tuple[Policy | None, Roster | None]":
    """Returns what the files hold, or nothing without files; prints every finding."""
    from usher.router.service.files import FileRefused, read_configuration

    if not policy and not roster:
        return None, None
    if not policy or not roster:
        _refuse("give --policy and --roster together: each is checked against the other")
    try:
        read = read_configuration(Path(policy), Path(roster))
    except FileRefused as error:
        _refuse(str(error))
    for warning in read.warnings:
        typer.echo(str(warning), err=True)
    return read.policy, read.roster


def _console() -> "Console":
    from rich.console import Console

    return Console()


def _refuse(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(EXIT_REFUSED)


if __name__ == "__main__":
    main()
