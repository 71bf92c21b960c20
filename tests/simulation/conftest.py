"""Fixtures of the simulator's tests."""

import pytest

from usher.simulation.report.drawing import (
    Line,
)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Line]]:
    """Lines by the title of their axis, as given to be drawn; nothing is drawn."""
    found: dict[str, list[Line]] = {}

    def keep(lines: list[Line], axis: str, *, is_whole: bool = False) -> str:
        found[axis] = lines
        return "<svg></svg>"

    monkeypatch.setattr("usher.simulation.report.plots.draw_lines", keep)
    return found
