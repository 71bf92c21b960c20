"""How long a decision of the pool takes, against the same rule in plain Python loops.

A decision: one contact (two skills asked, a language, two past agents) has arrived, a tenth of the
agents has room, `Pool.execute(MatchContacts)` finds the best of them and makes the offer. Both ways
alternate and must find the same agent with the same score; figures are medians of rounds. The loops
are the scalar twin of the tests. Then the same for 100 such contacts that arrive together, per
contact (no loops for these: a joint optimum by loops takes for ever).

    python benchmarks/bench_pool.py --json [--agents 100 1000 10000] [--rounds 50]

The last line with --json is one object: `decision_us` {agents: us}, `vs_loops` {agents: how many
times as long the loops take}, `batch_us` {agents: us per contact}.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.router.scalar_twin import Twin  # the twin lives beside the tests

from usher.queue import commands as c
from usher.queue import events as e
from usher.queue import rules as r
from usher.queue import values as v
from usher.router.matching import warm_up
from usher.router.pool import Pool

CHAT = v.Channel.CHAT
QUEUE = v.QueueName("help")
START_MS = 1_700_000_000_000
BATCH = 100
ROOM_SHARE = 0.1


def policy() -> r.Policy:
    """Returns one queue that asks for two skills."""
    asked = r.Requirement("billing", 2, 8, 2), r.Requirement("cards", 0, 6, 1)
    return r.Policy(version="bench", queues=(r.QueueRules(name=QUEUE, requirements=asked),))


def roster(random: Random, agents: int) -> r.Roster:
    """Returns agents with room for four chats."""
    capacity = r.Capacity(units=4, channels={CHAT: r.ChannelCapacity(most=4)})
    profiles = (
        r.AgentProfile(
            id=f"a{number:06}",
            capacity=capacity,
            skills={"billing": random.randint(1, 10), "cards": random.randint(1, 10)},
            languages=random.choice((("en",), ("de", "en"), ("fr",))),
        )
        for number in range(agents)
    )
    return r.Roster(version="bench", agents=tuple(profiles))


class Bench:
    """A pool with its agents signed in, most of them not ready."""

    def __init__(self, agents: int) -> None:
        self._random = Random(agents)
        self.pool = Pool()
        self.at_ms = START_MS
        self._number = 0
        self._give(c.SetPolicy(v.SYSTEM, policy()))
        self._give(c.SetRoster(v.SYSTEM, roster(self._random, agents)))
        self.ready: list[v.AgentId] = []
        for agent_id in list(self.pool.ledger.agents):
            is_ready = self._random.random() < ROOM_SHARE
            presence = v.Presence.READY if is_ready else v.Presence.NOT_READY
            self.at_ms += self._random.randint(0, 100)
            self._give(c.SignIn(v.SYSTEM, agent_id, presence, "" if is_ready else "break"))
            if is_ready:
                self.ready.append(agent_id)

    def arrive(self) -> v.ContactId:
        """Lets a contact arrive."""
        self._number += 1
        contact_id = v.ContactId(f"c{self._number}")
        near = self._random.sample(self.ready, min(2, len(self.ready)))
        facts = v.ContactFacts(
            QUEUE,
            CHAT,
            languages=("en",),
            urgency=v.Urgency(tier=self._random.randint(0, 10)),
            relationships=tuple(v.Relationship(each, 300) for each in near),
        )
        self._give(c.EnqueueContact(v.SYSTEM, v.NewContact(contact_id, facts)))
        return contact_id

    def leave(self, contact_id: v.ContactId) -> None:
        """Lets the contact go: the pool is as before."""
        self._give(c.AbandonContact(v.SYSTEM, contact_id))

    def match(self) -> tuple[tuple[e.AnyEvent, ...], float]:
        """Returns the offers of one match and the microseconds it took; nothing is applied."""
        began = time.perf_counter()
        made = self.pool.execute(c.MatchContacts(v.SYSTEM), self.at_ms)
        return made, (time.perf_counter() - began) * 1e6

    def apply(self, events: tuple[e.AnyEvent, ...]) -> None:
        """Applies what a match has found."""
        self.pool.apply(events, self.at_ms)

    def loops(self, contact_id: v.ContactId) -> tuple[tuple[v.AgentId, int], float]:
        """Returns what the loops choose and the microseconds they took."""
        ledger = self.pool.ledger
        if ledger.policy is None or ledger.roster is None:
            raise RuntimeError("the pool is not set up")
        contacts, agents = ledger.contacts, ledger.agents
        twin = Twin(ledger.policy, ledger.roster, contacts, agents, self.at_ms)
        contact = contacts[contact_id]
        began = time.perf_counter()
        best = twin.best_agent(contact)
        took_us = (time.perf_counter() - began) * 1e6
        if best is None:
            raise RuntimeError("nobody is free")
        return (best[0].profile.agent_id, best[1]), took_us

    def _give(self, command: c.AnyCommand) -> None:
        self.pool.apply(self.pool.execute(command, self.at_ms), self.at_ms)
        self.pool.take_changes()


def one_decision(bench: Bench, times: int) -> tuple[float, float]:
    """Returns the median microseconds of `times` decisions, and of one by loops, on one state."""
    ours = []
    theirs = 0.0
    for turn in range(times):
        bench.at_ms += 10
        contact_id = bench.arrive()
        made, took_us = bench.match()
        ours.append(took_us)
        if turn == 0:
            chosen, theirs = bench.loops(contact_id)
            offer = made[0]
            if not isinstance(offer, e.OfferMade) or chosen != (offer.agent_id, offer.score):
                raise RuntimeError(f"the loops chose {chosen}, the pool {offer}")
        bench.apply(made)
        bench.leave(contact_id)
    return statistics.median(ours), theirs


def batch_decision(bench: Bench) -> float:
    """Returns the microseconds per contact if many arrive together."""
    bench.at_ms += 10
    contact_ids = [bench.arrive() for _ in range(BATCH)]
    made, took_us = bench.match()
    bench.apply(made)
    for contact_id in contact_ids:
        bench.leave(contact_id)
    return took_us / BATCH


def rounds_of(agents: int, rounds: int) -> tuple[float, float, float]:
    """Returns medians: microseconds per decision, ratio of the loops, microseconds in a batch."""
    bench = Bench(agents)
    one_decision(bench, 20)
    batch_decision(bench)
    pairs = [one_decision(bench, 20) for _ in range(rounds)]
    ours = statistics.median(pair[0] for pair in pairs)
    ratio = statistics.median(theirs / mine for mine, theirs in pairs)
    return ours, ratio, _median_of(lambda: batch_decision(bench), max(3, rounds // 5))


def _median_of(measure: Callable[[], float], times: int) -> float:
    return statistics.median(measure() for _ in range(times))


def main() -> None:
    """Prints a table, with --json also one object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--agents", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=25, help="rounds of 20 decisions each")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    asked = parser.parse_args()
    warm_up()
    figures = {agents: rounds_of(agents, asked.rounds) for agents in asked.agents}
    print(f"{'agents':>8} {'us/decision':>12} {'loops/ours':>12} {f'us each of {BATCH}':>16}")
    for agents, (ours, ratio, batch) in figures.items():
        print(f"{agents:>8} {ours:>12.1f} {ratio:>12.1f} {batch:>16.1f}")
    if asked.json:
        names = "decision_us", "vs_loops", "batch_us"
        print(
            json.dumps(
                {
                    name: {str(agents): round(each[at], 1) for agents, each in figures.items()}
                    for at, name in enumerate(names)
                }
            )
        )


if __name__ == "__main__":
    main()
