"""What the tests of pages and plots share: a page, a reader of it, lines that were drawn."""

from functools import cache
from html.parser import HTMLParser

import numpy as np
from msgspec.structs import replace
from tests.simulation.test_report_tables import results

from usher.simulation.experiment import Result
from usher.simulation.report.drawing import (
    Line,
)
from usher.simulation.report.page import page
from usher.simulation.report.plots import Plot, case_plots, day_plots

EVIL = "</title><script>alert('1')</script>\"& --> ]]> $x$ \x00"
VOID = {"meta"}


class Reader(HTMLParser):
    """Reads a page: its elements with attributes, its text, and what is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.wrong: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.wrong += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def named(self, *tags: str) -> list[tuple[str, dict[str, str]]]:
        return [(tag, attributes) for tag, attributes in self.elements if tag in tags]


@cache
def whole_page() -> str:
    return page(results(), "Tuesdays", ("Made-up figures.",))


@cache
def reader() -> Reader:
    return Reader(whole_page())


@cache
def plots() -> dict[str, Plot]:
    return {plot.name: plot for plot in (*day_plots(results()), *case_plots(results()))}


def with_name(result: Result, name: str) -> Result:
    return replace(result, case=replace(result.case, name=name))


def line(label: str, *values: float) -> Line:
    bounds, column = np.arange(len(values) + 1) * 30.0, np.array(values)
    return Line(label=label, bounds_min=bounds, mean=column, low=column, high=column)
