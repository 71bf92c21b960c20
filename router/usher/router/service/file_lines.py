"""Where in a TOML text each key and list entry stands: `tomllib` gives values without lines.

Reads only text that `tomllib` has accepted, so it checks nothing again. Knows no meaning of a key.
"""

import re
import tomllib

from usher.router.findings import Place

_TOKEN = re.compile(
    r'(?P<string>"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|\'[^\']*\')'
    r"|(?P<comment>#[^\n]*)|(?P<line>\n)|(?P<space>[ \t\r]+)"
    r"|(?P<word>[A-Za-z0-9_-]+)|(?P<mark>.)",
    re.DOTALL,
)


def key_lines(text: str) -> dict[Place, int]:
    """Returns the line (from 1) of each key, table and list entry of a valid TOML text by place."""
    return _Scan(text).run()


def line_of(lines: dict[Place, int], place: Place) -> int:
    """Returns the line of a place, else of what holds it (its table's header), else 1.

    A key `x_ms` or `x_min` is also looked for as `x`: files may write durations and times as text.
    """
    while place:
        last = place[-1]
        if place in lines:
            return lines[place]
        if isinstance(last, str):
            as_text = (*place[:-1], last.removesuffix("_ms").removesuffix("_min"))
            if as_text in lines:
                return lines[as_text]
        place = place[:-1]
    return 1


class _Scan:
    """One pass over the tokens. `table` is where the keys of the present line belong."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Place, int] = {}
        self.tables: dict[Place, int] = {}  # lists of tables: index of the last one
        self.table: Place = ()
        self.tokens: list[tuple[str, int]] = []
        line = 1
        for match in _TOKEN.finditer(text):
            if match.lastgroup not in ("comment", "space"):
                self.tokens.append((match.group(), line))
            line += match.group().count("\n")
        self.at = 0

    def run(self) -> dict[Place, int]:
        while self.at < len(self.tokens):
            token = self.token()
            if token == "\n":
                self.at += 1
            elif token == "[":
                self.header()
            else:
                self.pair(self.table)
        return self.lines

    def token(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else "\n"

    def header(self) -> None:
        line = self.tokens[self.at][1]
        self.at += 1
        in_list = self.token() == "["
        self.at += 1 if in_list else 0
        place = self.key((), line, through_lists=True)
        if in_list:
            self.lines.setdefault(place, line)
            self.tables[place] = self.tables.get(place, -1) + 1
            place = (*place, self.tables[place])
        elif place in self.tables:
            place = (*place, self.tables[place])
        self.lines[place] = line
        self.table = place
        self.at += 2 if in_list else 1

    def key(self, base: Place, line: int, *, through_lists: bool = False) -> Place:
        """Reads a key, dotted or not, notes each of its parts, and returns its place."""
        place = base
        while True:
            if through_lists and place in self.tables:
                place = (*place, self.tables[place])
            place = (*place, _key_name(self.token()))
            self.lines.setdefault(place, line)
            self.at += 1
            if self.token() != ".":
                return place
            self.at += 1

    def pair(self, base: Place) -> None:
        place = self.key(base, self.tokens[self.at][1])
        self.at += 1  # the equals sign
        self.value(place)

    def value(self, place: Place) -> None:
        if self.token() == "{":
            self.inline_table(place)
        elif self.token() == "[":
            self.list(place)
        else:
            while self.token() not in (",", "]", "}", "\n"):
                self.at += 1

    def inline_table(self, place: Place) -> None:
        self.at += 1
        while self.token() != "}":
            if self.token() in (",", "\n"):
                self.at += 1
            else:
                self.pair(place)
        self.at += 1

    def list(self, place: Place) -> None:
        self.at += 1
        index = 0
        while self.token() != "]":
            if self.token() in (",", "\n"):
                self.at += 1
            else:
                self.lines.setdefault((*place, index), self.tokens[self.at][1])
                self.value((*place, index))
                index += 1
        self.at += 1


def _key_name(token: str) -> str:
    if token[0] == '"':
        return str(tomllib.loads(f"key = {token}")["key"])
    return token.strip("'")
