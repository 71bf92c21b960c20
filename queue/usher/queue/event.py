"""The base of all events. What an event is, `events` tells."""

from msgspec import Struct


class Event(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Base of all events."""
