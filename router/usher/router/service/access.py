"""Who calls. The actor travels in the metadata: `usher-actor: platform/<id>`.

There is no access control yet: the actor is believed. It is named in one place, so that later a
credential can take the header's place. The system itself never calls from outside.
"""

import re
from collections.abc import Iterable
from typing import Final

from usher.queue.errors import Invalid
from usher.queue.values import Actor, ActorKind

HEADER: Final = "usher-actor"
RULE: Final = "platform/<id>, agent/<id> or supervisor/<id>, once; ids are [A-Za-z0-9_-]{1,64}"
KNOWN_MAX: Final = 10_000

DEFAULT_PLATFORM: Final = Actor(ActorKind.PLATFORM, "default")

_actor = re.compile(r"(platform|agent|supervisor)/([A-Za-z0-9_-]{1,64})").fullmatch


class Actors:
    """Reads actors from metadata; the same text gives the same object (most calls are of a few)."""

    def __init__(self) -> None:
        self._known: dict[str | bytes, Actor] = {}

    def named(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> Actor | None:
        """Returns the actor that the metadata names, None if there is none; raises Invalid."""
        found: Actor | None = None
        for key, value in metadata or ():
            if key == HEADER:
                if found is not None:
                    raise Invalid(HEADER, RULE)
                found = self._known.get(value) or self._read(value)
        return found

    def _read(self, value: str | bytes) -> Actor:
        matched = _actor(value) if isinstance(value, str) else None
        if matched is None:
            raise Invalid(HEADER, RULE)
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[value] = actor = Actor(ActorKind(matched[1]), matched[2])
        return actor
