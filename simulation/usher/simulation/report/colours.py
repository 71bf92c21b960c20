"""The colours of plots and of the page: what is drawn in one, a page may show in another."""

from typing import Final

INK: Final = "#1f2328"
PAPER: Final = "#ffffff"
GRID: Final = "#d7dce1"
SERIES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Told apart with any colour vision (Okabe and Ito 2008); lines differ in dashes and marks too."""

IN_THE_DARK: Final = {
    INK: "#e6e9ed",
    PAPER: "#15181c",
    GRID: "#3a4149",
    **dict(zip(SERIES, ("#56b4e9", "#e69f00", "#3fc79a", "#e6a3cb"), strict=True)),
}
"""What stands for each colour on dark paper."""

NAMES: Final = {
    INK: "ink",
    PAPER: "paper",
    GRID: "grid",
    **{colour: f"series-{place}" for place, colour in enumerate(SERIES)},
}
"""The colours' names as properties of a page's style."""
