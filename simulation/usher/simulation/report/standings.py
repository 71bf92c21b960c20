"""Why a contact waited, in words: how all agents stood towards it at a moment.

The same in the terminal and on the page. It must not know where a standing comes from.
"""

from collections.abc import Mapping
from typing import TypeVar

from usher.simulation.standing import LineStanding, Standing

Name = TypeVar("Name", bound=str)

MS_PER_S = 1000


def clock_text(at_ms: int) -> str:
    """Returns ms since midnight as a time of day, `10:04:10`; after a day it goes on with 24."""
    minutes, seconds = divmod(at_ms // MS_PER_S, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}"


def length_text(length_ms: float) -> str:
    """Returns a length of time: `2:10`, or `1:02:10` from an hour on."""
    minutes, seconds = divmod(round(length_ms / MS_PER_S), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def line_text(one: LineStanding) -> str:
    """Returns how the desks stood: `6 of 8 desks open, 5 of them busy; 3 tickets ahead`."""
    open_desks = f"{one.open} of {one.desks} desks open, {one.busy} of them busy"
    return (
        f"{open_desks}; {one.ahead or 'no'} ticket{'s' if one.ahead != 1 else ''} ahead in its line"
    )


def standing_text(one: Standing) -> str:
    """Returns a sentence without its moment: `of 12 agents 3 full (sales 2, billing 1), ...`."""
    if one.offered_to is not None:
        return f"it was being offered to {one.offered_to}"
    rows = {
        "without the channel": one.no_channel,
        f"not fit{_in_brackets(one.lacks, 'lacking')}": one.not_fit,
        "signed out": one.signed_out,
        **{f"away ({reason})": len(agents) for reason, agents in one.away.items()},
        "paused for it": len(one.paused),
        f"full{_in_brackets(one.busy_with, 'with')}": len(one.full),
        "free": len(one.free),
    }
    told = ", ".join(f"{count} {what}" for what, count in rows.items() if count)
    return f"of {one.agents} agents {told or 'none'}; {_ahead_text(one)}"


def _in_brackets(counts: Mapping[Name, int], word: str) -> str:
    told = ", ".join(f"{count} {word} {name}" for name, count in counts.items())
    return f" ({told})" if told else ""


def _ahead_text(one: Standing) -> str:
    ahead = f"{one.ahead or 'nobody'} ahead in its queue"
    others = sum(one.others.values())
    if not others:
        return ahead
    wait = "1 other waits" if others == 1 else f"{others} others wait"
    return f"{ahead}, {wait}{_in_brackets(one.others, 'in')}"
