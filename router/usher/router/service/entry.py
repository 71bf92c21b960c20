"""Where the command `usher` begins. All but `serve` and `health` go on to `usher.router.cli`.

A restart of the server is counted in tenths of a second, and the import of typer (with pydantic)
takes two of them: so the command that is restarted does without, and so does the one that is run
every few seconds to see whether the server is well.
"""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usher.queue.branches import Branches
    from usher.queue.rules import Policy, Roster
    from usher.router.service.settings import Settings

EXIT_REFUSED = 2
RETENTION = "Days in the journal, such as 30d; older ones go to archive files. Default: all stay."


class _Refused(Exception):
    """What keeps the server from starting, for the person who started it."""


def main() -> None:
    """The entry point of the distribution."""
    if sys.argv[1:2] == ["serve"]:
        sys.exit(serve(sys.argv[2:]))
    if sys.argv[1:2] == ["health"]:
        from usher.router.trials.health_check import health

        sys.exit(health(sys.argv[2:], os.environ))
    from usher.router.cli import app

    app()


def serve(arguments: Sequence[str]) -> int:
    """Serves a pool until a signal; returns the exit code. Tells what keeps it from starting."""
    gc.disable()  # imports and replay make no garbage; the server switches it on when it serves
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the products are small: threads only spin
    from usher.router.service.settings import SettingsError, read_settings

    given = vars(_parser().parse_args(arguments))
    reflection, file = given.pop("reflection"), given.pop("settings")
    try:
        return _serve(read_settings(file, os.environ, given), reflection=reflection)
    except (SettingsError, _Refused) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="usher serve",
        description="Serve a pool until a signal; without files, under the rules of its journal.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--policy", metavar="FILE", help="Policy file (TOML).")
    add("--roster", metavar="FILE", help="Roster file (TOML).")
    add("--data", dest="data_dir", metavar="FOLDER", help="Folder of the journal; ':memory:'.")
    add("--journal", metavar="URL", help="Journal on Redis: redis://host:6379/0?pool=tenant/pool.")
    add("--retention", dest="retention_days", type=_days, metavar="DAYS", help=RETENTION)
    add("--archive", dest="archive_dir", metavar="FOLDER", help="Folder of the archive files.")
    add("--listen", help="host:port; anything but loopback is open to the network.")
    add("--clock-rate", type=int, metavar="N", help="Run the clock n times faster.")
    add("--reflection", action="store_true", help="Let tools list the services.")
    add("--log-format", choices=("console", "json"), help="How events are logged.")
    add("--settings", type=Path, metavar="FILE", help="Settings file (TOML).")
    return parser


def _days(text: str) -> int:
    number = text.removesuffix("d")
    if not (number.isascii() and number.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days such as 30d")
    return int(number)


def _serve(settings: "Settings", *, reflection: bool) -> int:
    from usher.queue.errors import Refused
    from usher.queue.journal.contract import JournalError
    from usher.router.service import server

    policy, roster, branches = _read_rules(settings.policy, settings.roster)
    serving = partial(server.run, branches=branches, reflection=reflection, on_ready=_say_ready)
    try:
        return serving(settings, policy, roster)
    except (JournalError, Refused, OSError) as error:
        raise _Refused(str(error)) from error


def _say_ready(address: str) -> None:
    """One line for whoever started the process and waits for its address."""
    sys.stdout.write(f"usher serves on {address}\n")
    sys.stdout.flush()


def _read_rules(policy: str, roster: str) -> "tuple[Policy | None, Roster | None, Branches | None]":
    """Returns what the files hold, or nothing without files; tells warnings.

    Files without any branch say that there is none: those of the journal end.
    """
    from usher.queue.branches import Branches
    from usher.router.service.files import FileRefused, read_configuration

    if not policy and not roster:
        return None, None, None
    if not policy or not roster:
        raise _Refused("give --policy and --roster together: each is checked against the other")
    try:
        read = read_configuration(Path(policy), Path(roster))
    except FileRefused as error:
        raise _Refused(str(error)) from error
    for warning in read.warnings:
        sys.stderr.write(f"{warning}\n")
    return read.policy, read.roster, read.branches or Branches(version=read.policy.version)


if __name__ == "__main__":
    main()
