"""The made-up contact centre of the load tests: its rules, its people, how long they take.

What is said here both load generators share. It must not know how calls are made.
"""

import argparse
import math
from pathlib import Path
from random import Random

from msgspec import Struct


class Kind(Struct, frozen=True):
    """One kind of contact. Times are means of exponential ones, in seconds.

    `share` of all arrivals. `at_once` contacts of it fit one agent.
    """

    name: str
    queue: str
    channel: str
    share: float
    talk_s: float
    wrap_up_s: float
    at_once: int


CALL = Kind("call", "calls", "voice", share=0.45, talk_s=3.0, wrap_up_s=0.5, at_once=1)
CHAT = Kind("chat", "chats", "chat", share=0.35, talk_s=4.0, wrap_up_s=0.0, at_once=3)
VISIT = Kind("visit", "visits", "walk_in", share=0.20, talk_s=3.0, wrap_up_s=0.0, at_once=1)
KINDS = (CALL, CHAT, VISIT)

BRANCHES = ("north", "south", "east", "west")
SERVICES = ("account", "cash")
WALK_S = 0.5
"""From the call of a ticket to the visitor at the desk."""
RECALLED = 0.10
"""Of so many called tickets the visitor comes at the second call."""
NO_SHOWS = 0.03
TRANSFERRED = 0.05
WATCHED = 0.25
"""So many visitors follow their ticket on the phone."""

REACTION_S = 0.3
"""From an offer on the screen to its acceptance."""
DIAL_S = 0.1
"""From a call's acceptance to the platform's word that it is connected."""
PATIENCE_S = 20.0
"""A customer who is not answered gives up after about this time."""
READS = 0.2
"""Of so many contacts the platform asks once how they stand."""
IMPATIENT = 0.1
"""Of the Locust customers who have to wait so many hang up soon."""
OCCUPANCY = 0.85
"""What part of the agents' time the offered work is."""


def agents_for(kind: Kind, rate: float) -> int:
    """Returns how many agents keep up with so many arrivals a second, of all kinds together."""
    joining_s = WALK_S if kind is VISIT else DIAL_S
    busy_s = REACTION_S + joining_s + kind.talk_s + kind.wrap_up_s
    return max(2, math.ceil(rate * kind.share * busy_s / kind.at_once / OCCUPANCY))


def agent_ids(kind: Kind, count: int) -> list[str]:
    """Returns the ids of the agents for one kind."""
    return [f"{kind.name}-{number:04d}" for number in range(count)]


def draw_s(chance: Random, mean_s: float) -> float:
    """Returns an exponential time, at most five times its mean."""
    return min(chance.expovariate(1 / mean_s), 5 * mean_s) if mean_s else 0.0


def post_of(agent_id: str) -> tuple[str, str]:
    """Returns branch and desk of a clerk."""
    number = agent_id.rpartition("-")[2]
    return BRANCHES[int(number) % len(BRANCHES)], number


def policy() -> str:
    """Returns the policy file."""
    lines = ['version = "load"', 'ended_kept = "20s"', "contacts_max = 1000000"]
    for kind in KINDS:
        lines += [
            f"[queues.{kind.queue}]",
            f'channels = ["{kind.channel}"]',
            'offer_timeout = "30s"',
            f'wrap_up = "{30 if kind.wrap_up_s else 0}s"',
            f"requirements = [{{skill = '{kind.name}', least = 1, wanted = 8}}]",
        ]
    for service in SERVICES:
        lines += ["[[services]]", f'name = "{service}"', f'queue = "{VISIT.queue}"']
        lines.append(f'usual = "{VISIT.talk_s:g}s"')
    for branch in BRANCHES:
        lines += ["[[branches]]", f'name = "{branch}"', 'time_zone = "UTC"']
        lines.append('hours = { mon-sun = "00:00-24:00" }')
        for service in SERVICES:
            lines += ["[[branches.lines]]", f'name = "{service}"', f'services = ["{service}"]']
            lines.append(f'prefix = "{service[0].upper()}"')
    return "\n".join(lines) + "\n"


def roster(rate: float) -> str:
    """Returns the roster file for so many arrivals a second. Clerks take a chat at idle times."""
    lines = ['version = "load"']
    for kind in KINDS:
        lines += [f"[capacities.{kind.name}]", f"units = {2 if kind is VISIT else kind.at_once}"]
        price = {"price": 1, "most": kind.at_once, "wrap_up_price": 1 if kind.wrap_up_s else 0}
        if kind is VISIT:
            price["price"] = 2
            lines.append(f"channels.{CHAT.channel} = {{price = 1, most = 1}}")
        priced = ", ".join(f"{name} = {value}" for name, value in price.items())
        lines.append(f"channels.{kind.channel} = {{{priced}}}")
        for number, agent_id in enumerate(agent_ids(kind, agents_for(kind, rate))):
            more = f", {CHAT.name} = 1" if kind is VISIT else ""
            lines += [f"[agents.{agent_id}]", f'capacity = "{kind.name}"']
            lines.append(f"skills = {{{kind.name} = {2 + number % 9}{more}}}")
    for agent_id in agent_ids(VISIT, agents_for(VISIT, rate)):
        branch, desk = post_of(agent_id)
        lines += ["[[desks]]", f'branch = "{branch}"', f'name = "{desk}"']
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes policy.toml and roster.toml, for a server that the generators are pointed to."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--rate", type=float, default=100.0, help="arrivals a second to keep up with"
    )
    given = parser.parse_args()
    write(given.folder, given.rate)


def write(folder: Path, rate: float) -> tuple[Path, Path]:
    """Writes policy.toml and roster.toml into the folder and returns where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "policy.toml", folder / "roster.toml"
    files[0].write_text(policy())
    files[1].write_text(roster(rate))
    return files


if __name__ == "__main__":
    main()
