"""What the tests of whole servers may ask for."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Writes a line with a test's figures to the terminal, past pytest's capture."""
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    capture = pytestconfig.pluginmanager.get_plugin("capturemanager")

    def write(line: str) -> None:
        if reporter is None:  # a worker of xdist
            return
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            reporter.ensure_newline()
            reporter.write_line(f"  {line}")

    return write
