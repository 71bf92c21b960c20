"""Pieces of a page that stands alone: elements, tables, plots set into the text, its style.

Words and names are escaped; only what is `Markup` already is taken as it is. It must not know
results.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final, NewType

from usher.simulation.report.colours import IN_THE_DARK, NAMES

Markup = NewType("Markup", str)

NOTHING_ELSE: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""The page's own rule for browsers: load nothing, run nothing, but take the style it brings."""

_TAG: Final = re.compile(r"<[^>]+>")
_ID: Final = re.compile(r'(?<= id=")|(?<=href="#)|(?<=url\(#)')
_SIZE: Final = re.compile(r' (?:width|height)="[0-9.]+pt"')
_SVG_STYLE: Final = re.compile(r"<style.*?</style>", re.DOTALL)
_COLOUR: Final = re.compile("|".join(NAMES))


def element(tag: str, *content: Markup, **attributes: str) -> Markup:
    """Returns an element; a name of an attribute may end in "_" (`class_`), "_" within is "-"."""
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{text(value)}"'
        for name, value in attributes.items()
    )
    return Markup(f"<{tag}{told}>{''.join(content)}</{tag}>")


def text(words: str) -> Markup:
    """Returns words as they are to be read; signs that cannot be shown are replaced."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in words)
    return Markup(escape(shown))


def paragraph(words: str) -> Markup:
    """Returns a paragraph of words."""
    return element("p", text(words))


def section(name: str, title: str, *content: Markup) -> Markup:
    """Returns a section with its heading; `name` is its id, a word of our own."""
    heading = element("h2", text(title), id=f"{name}-title")
    return element("section", heading, *content, id=name, aria_labelledby=f"{name}-title")


def listing(lines: Sequence[str]) -> Markup:
    """Returns a list of sentences."""
    return element("ul", *(element("li", text(line)) for line in lines))


def terms(rows: Sequence[Sequence[str]]) -> Markup:
    """Returns a list of terms, each with what is said of it."""
    return element(
        "dl", *(Markup(element("dt", text(a)) + element("dd", text(b))) for a, b in rows)
    )


def table(
    caption: str, headers: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1
) -> Markup:
    """Returns a table whose first cell names the row; after `words` columns come numbers.

    It scrolls by itself where the page is narrow.
    """

    def look(column: int) -> dict[str, str]:
        return {"class_": "number"} if column >= words else {}

    heads = [
        element("th", text(header), scope="col", **look(column))
        for column, header in enumerate(headers)
    ]
    lines = [
        element(
            "tr",
            element("th", text(row[0]), scope="row"),
            *(element("td", text(cell), **look(at)) for at, cell in enumerate(row[1:], start=1)),
        )
        for row in rows
    ]
    whole = element(
        "table",
        element("caption", text(caption)),
        element("thead", element("tr", *heads)),
        element("tbody", *lines),
    )
    return scrolled(caption, whole)


def scrolled(label: str, content: Markup) -> Markup:
    """Returns what may be wider than the page, so that a keyboard can move it too."""
    return element("div", content, class_="wide", role="region", aria_label=label, tabindex="0")


def inline_svg(svg: str, name: str, label: str) -> Markup:
    """Returns a drawing as a part of a page: its colours by name, ids of its own, as wide as fits.

    `label` is what is read out in its place.
    """
    drawing = _SVG_STYLE.sub("", svg[svg.index("<svg") :])
    drawing = _TAG.sub(lambda tag: _of_page(tag[0], name), drawing)
    start, rest = drawing.split(">", 1)
    return Markup(f'{_SIZE.sub("", start)} role="img" aria-label="{text(label)}">{rest}')


def style() -> Markup:
    """Returns the style of the page, for light and dark screens and for paper."""
    light = _properties({colour: colour for colour in NAMES})
    dark = _properties(IN_THE_DARK)
    return element(
        "style",
        Markup(
            f":root{{color-scheme:light dark;{light}}}\n"
            f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{_RULES}"
        ),
    )


def _of_page(tag: str, name: str) -> str:
    prefixed = _ID.sub(f"{name}-", tag)
    return _COLOUR.sub(lambda colour: f"var(--{NAMES[colour[0]]})", prefixed)


def _properties(shown: Mapping[str, str]) -> str:
    return "".join(f"--{name}:{shown[colour]};" for colour, name in NAMES.items())


_RULES: Final = """
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:60rem;background:var(--paper);
  color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
  overflow-wrap:break-word}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.3rem;line-height:1.3;margin:2.5rem 0 .75rem;padding-top:.75rem;
  border-top:1px solid var(--grid)}
h3{font-size:1.05rem;margin:1.75rem 0 .25rem}
p,ul,dl{margin:.5rem 0;max-width:45rem}
a{color:inherit}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;list-style:none}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}
dt{font-weight:600}
dd{margin:0}
.warning{margin:1.5rem 0;padding:.25rem 1rem .5rem;border:1px solid var(--series-1);
  border-left-width:.4rem}
.warning h2{margin:.25rem 0;padding:0;border:0;font-size:1.1rem}
.wide{overflow-x:auto;margin:.75rem 0}
.wide:focus-visible{outline:2px solid var(--series-0);outline-offset:2px}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.25rem 0}
th,td{padding:.3rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid)}
th{font-weight:600}
thead th{vertical-align:bottom;border-bottom:2px solid var(--ink)}
tbody th{font-weight:400;min-width:8rem}
.number{text-align:right;white-space:nowrap}
thead .number{white-space:normal}
figure{margin:0}
figcaption p{margin:.25rem 0;font-size:.9rem}
svg{display:block;width:100%;height:auto;min-width:34rem}
svg *{stroke-linejoin:round;stroke-linecap:butt}
svg text{font-family:inherit!important}
@media (max-width:40rem){
  body{padding-top:1rem}
  h1{font-size:1.4rem}
  dl{grid-template-columns:1fr;gap:0}
  dd{margin-bottom:.5rem}
  tbody th{position:sticky;left:0;max-width:9rem;background:var(--paper)}
}
@page{margin:1.5cm}
@media print{
  body{padding:0;max-width:none;font-size:10pt}
  nav{display:none}
  h2,h3{break-after:avoid}
  figure,tr,.warning{break-inside:avoid}
  .wide{overflow:visible}
  table{font-size:8pt}
  svg{min-width:0}
}
"""
