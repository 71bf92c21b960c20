"""Agents whom other work keeps from contacts: visitors at desks, work begun outside the router.

That work is not played again, as no policy routes it, but who has it has no room meanwhile. So an
agent counts as away for as long as such work left no room for anything else. It must not know
runs.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from usher.queue.rules import AgentProfile
from usher.queue.state import Leg
from usher.queue.values import NEVER_MS, AgentId, Presence
from usher.simulation.studies.recording import Course, Stay

REASON = "other_work"

Span = tuple[int, int]


def with_other_work(
    stays: Iterable[Stay],
    courses: Iterable[Course],
    profiles: dict[AgentId, AgentProfile],
    last_ms: int,
) -> list[Stay]:
    """Returns the stays, each ready one cut where these courses left its agent no room."""
    spans: dict[AgentId, list[Span]] = {}
    for course in courses:
        for leg in course.legs:
            profile = profiles[leg.agent_id]
            spans.setdefault(leg.agent_id, []).extend(_full_spans(leg, profile, last_ms))
    return [piece for stay in stays for piece in _cut(stay, _merged(spans.get(stay.agent_id, ())))]


def _full_spans(leg: Leg, profile: AgentProfile, last_ms: int) -> Iterator[Span]:
    """Yields from when to when the leg left no room for another channel, wrap-up by its price."""
    others = [one.price for name, one in profile.capacity.channels.items() if name != leg.channel]
    least = min(others, default=profile.capacity.units + 1)
    ended_ms = last_ms if leg.ended_ms == NEVER_MS else leg.ended_ms
    talked_ms = ended_ms if leg.wrapping_ms == NEVER_MS else leg.wrapping_ms
    stretches = ((leg.joined_ms, talked_ms, leg.price), (talked_ms, ended_ms, leg.wrap_up_price))
    for from_ms, until_ms, price in stretches:
        is_full = price + least > profile.capacity.units
        if leg.joined_ms != NEVER_MS and from_ms < until_ms and is_full:
            yield from_ms, until_ms


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for from_ms, until_ms in sorted(spans):
        if merged and from_ms <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], until_ms)
        else:
            merged.append((from_ms, until_ms))
    return merged


def _cut(stay: Stay, spans: Sequence[Span]) -> Iterator[Stay]:
    """Yields the pieces of a stay: ready, and away within the spans."""
    from_ms = stay.from_ms
    inside = [(a, b) for a, b in spans if b > stay.from_ms and a < stay.until_ms]
    if stay.presence is not Presence.READY or not inside:
        yield stay
        return
    for start_ms, end_ms in inside:
        if start_ms > from_ms:
            yield replace(stay, from_ms=from_ms, until_ms=start_ms, goes_on=False, ends_lost=False)
        is_last = end_ms >= stay.until_ms
        from_ms = min(end_ms, stay.until_ms)
        yield replace(
            stay,
            from_ms=max(start_ms, stay.from_ms),
            until_ms=from_ms,
            presence=Presence.NOT_READY,
            reason=REASON,
            goes_on=is_last and stay.goes_on,
            ends_lost=is_last and stay.ends_lost,
        )
    if from_ms < stay.until_ms:
        yield replace(stay, from_ms=from_ms)
