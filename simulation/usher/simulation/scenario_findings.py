"""How findings about a scenario are worded: unknown names, warnings, lists of names.

It must not know what is checked.
"""

import difflib
from collections.abc import Iterable

from usher.router.findings import Finding, Place, Severity

NAMED_MOST = 10


def unknown(place: Place, reason: str, name: str, expected: str, known: Iterable[str]) -> Finding:
    """Returns that a name is none of those that are known, with the nearest of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    return Finding(place, reason, f'found "{name}", expected {expected}: {listed(names)}{hint}')


def warning(place: Place, reason: str, message: str) -> Finding:
    """Returns a finding that does not refuse the scenario."""
    return Finding(place, reason, message, Severity.WARNING)


def listed(names: Iterable[str]) -> str:
    """Returns the first of some names with commas between them; "none" if all are empty."""
    given = [name for name in names if name]
    more = [f"{len(given) - NAMED_MOST} more"] if len(given) > NAMED_MOST else []
    return ", ".join(given[:NAMED_MOST] + more) or "none"
