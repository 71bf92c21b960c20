"""The world of the pool's model: policies, rosters, and what may be drawn for a command."""

from typing import Any

from hypothesis import strategies as st
from tests.router.pool_kit import PLATFORM, SUPERVISOR, channel, policy, profile, queue, roster

from usher.queue.rules import Connects, Order, Policy, Rank, Requirement
from usher.queue.values import Actor, ActorKind, AgentId, Relationship, Urgency

OTHER_PLATFORM = Actor(ActorKind.PLATFORM, "crm")

CHANNELS = {
    "voice": channel(
        connects=Connects.CONNECT, missed_offers_max=1, lost_grace_ms=None, joining_limit_ms=30_000
    ),
    "chat": channel(automatic_accept=True, wrap_up_ms=20_000),
    "email": channel(missed_offers_max=2, wrap_up_ms=3_600_000, lost_grace_ms=0),
    "callback": channel(connects=Connects.CONNECT, failures_max=2, lost_grace_ms=None),
    "walk_in": channel(
        connects=Connects.CONNECT, failures_max=2, failure_is_no_show=True, lost_grace_ms=None
    ),
}
NAMES = (*CHANNELS, "pigeon")

URGENT = queue("urgent", rank=Rank.ABSOLUTE, order=Order.FCFS, channels=("voice", "chat"))
SALES = queue("sales", level=2, requirements=(Requirement("selling", 3, 8),), wrap_up_ms=10_000)
MAIN = queue("main", level=1, order=Order.FCFS, head_start_ms=30_000, decline_pause_ms=5_000)
HELP = queue("help", level=1, order=Order.FCFS, groups=("helpers",), decline_pause_ms=0)
SMALL = queue("small", level=2, most_waiting=0)
LIMITED = queue("limited", rank=Rank.DEFERRED, most_waiting=1, offer_timeout_ms=5_000)
MAIL = queue("mail", rank=Rank.DEFERRED, channels=("email",), offer_timeout_ms=60_000)

QUEUE_NAMES = ("urgent", "sales", "main", "help", "small", "limited", "mail", "none", "")


def _policy(version: str, *queues: Any, kept_ms: int = 30_000) -> Policy:
    return policy(*queues, version=version, channels=CHANNELS, ended_kept_ms=kept_ms)


ALL = (URGENT, SALES, MAIN, HELP, SMALL, LIMITED, MAIL)
POLICIES = (
    _policy("p1", *ALL),
    _policy("p2", URGENT, MAIN, MAIL, kept_ms=0),
    _policy("p3", queue("main", order=Order.SCORE, level=2), SALES, HELP, kept_ms=600_000),
    policy(*ALL, version="p4", contacts_max=6),
    _policy("bad", queue("a", level=1), queue("b", level=1, order=Order.FCFS)),
)

PRICES = {"voice": (4, 1, 1), "chat": (2, 2, 0), "email": (2, 2, 1), "callback": (4, 1, 0)}
CLERK, FLOOR = {**PRICES, "walk_in": (4, 1, 0)}, {**PRICES, "walk_in": (2, 1, 1)}
AGENTS = (
    profile("ann", 4, channels=CLERK, skills={"selling": 9}),
    profile("bob", 4, channels=CLERK, skills={"selling": 2}, groups=("helpers",)),
    profile("cat", 6, channels=PRICES, skills={"selling": 3}, languages=("en",)),
    profile("dan", 1, channels={"email": (1, 1, 0), "chat": (0, 1, 0)}, languages=("FR", "de")),
    profile("eve", 8, channels=FLOOR, groups=("helpers", "late"), languages=("en", "fr")),
)
ROSTERS = (
    roster(*AGENTS),
    roster(*AGENTS[1:4], version="r2"),
    roster(AGENTS[0], profile("eve", 2, channels={"chat": (1, 1, 0)}), version="r3"),
    roster(*AGENTS, AGENTS[0], version="bad"),
)
AGENT_NAMES = ("ann", "bob", "cat", "dan", "eve", "nobody")

AFTER_MS = (*[0] * 8, 1, 500, 2_000, 5_000, 5_000, 20_000, 31_000, 120_000, 4_000_000)

anything = st.integers(0, 11)
some_time = st.sampled_from(AFTER_MS)
settled = st.sampled_from((True, True, True, False))
agent_names = st.sampled_from(AGENT_NAMES)
queue_names = st.sampled_from(QUEUE_NAMES)
platforms = st.sampled_from((PLATFORM, PLATFORM, PLATFORM, OTHER_PLATFORM, SUPERVISOR))
languages = st.sampled_from(((), (), (), ("fr",), ("EN", "it"), ("it",)))
facts = st.fixed_dictionaries(
    {
        "languages": languages,
        "waited_ms": st.sampled_from((0, 0, 0, 60_000)),
        "urgency": st.sampled_from((Urgency(), Urgency(tier=5), Urgency(1, 1, 1, 1))),
        "relationships": st.sampled_from(
            ((), (), (Relationship(AgentId("ann"), 900), Relationship(AgentId("bob"), -1000)))
        ),
    }
)
Brought = tuple[int, str, str, dict[str, Any]]
"""Which queue and id, the queue if the policy is not asked, the channel, the facts."""

contacts = st.tuples(
    st.integers(0, 40),
    queue_names,
    st.sampled_from(NAMES[:5] * 4 + NAMES[5:]),
    facts,
)
