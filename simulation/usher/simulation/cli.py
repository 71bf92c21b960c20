"""Commands of the planner's simulator, added to the command `usher` by its entry point.

Each module of `commands` names what its commands take, and imports what they do when they are
called, so that `usher --help` is quick.
"""

import typer

from usher.simulation.commands import calibrate, morning, simulate, staff, sweep, whatif


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    simulate.add_to(app)
    sweep.add_to(app)
    staff.add_to(app)
    calibrate.add_to(app)
    whatif.add_to(app)
    morning.add_to(app)
