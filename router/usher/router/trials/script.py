"""What a trial is going to do: who arrives when, who is on duty when, under which rules.

Times are whole milliseconds of the trial's own day, from its midnight (a log) or its start (a
demo). It must not know the server, the client or the wall's time.
"""

from enum import Enum

from msgspec import Struct

from usher.queue.branches import Branches
from usher.queue.rules import Policy, Roster


class Answer(Enum):
    """What an agent does with an offer."""

    ACCEPT = "accept"
    DECLINE = "decline"
    MISS = "miss"
    """Nothing: the offer expires."""


class PlannedContact(Struct, frozen=True, kw_only=True):
    """One customer. `patience_ms` None = waits for ever."""

    contact_id: str
    queue: str
    channel: str
    arrive_ms: int
    patience_ms: int | None
    handle_ms: int
    """From the moment agent and customer are together until the work is done."""
    answer_ms: int
    """How long the agent takes to answer an offer."""
    first_answers: tuple[Answer, ...] = ()
    """What becomes of its first offers; each later one is accepted."""
    topic: str = ""
    tier: int = 0
    attributes: dict[str, str] = {}
    """Private fields."""


class Shift(Struct, frozen=True, kw_only=True):
    """One stretch of duty of one agent."""

    agent_id: str
    from_ms: int
    until_ms: int


class Script(Struct, frozen=True, kw_only=True):
    """A whole trial. From `close_ms` on nobody goes home until the last contact has ended."""

    name: str
    policy: Policy
    roster: Roster
    contacts: tuple[PlannedContact, ...]
    shifts: tuple[Shift, ...]
    start_ms: int
    close_ms: int
    branches: Branches | None = None
