"""ServerService: what the server tells of itself."""

from collections import Counter
from hashlib import blake2b
from typing import Final

import msgspec

from usher.queue.ledger import Ledger
from usher.queue.rules import Policy, Roster

_CANONICAL: Final = msgspec.json.Encoder(order="deterministic")


def rules_digest(rules: Policy | Roster | None) -> str:
    """Returns the same text for equal policies or rosters, wherever they were read."""
    return blake2b(_CANONICAL.encode(rules), digest_size=16).hexdigest()


def pool_counters(ledger: Ledger) -> dict[str, int]:
    """Returns how many contacts and agents there are in each state."""
    contacts = Counter(contact.state.value for contact in ledger.contacts.values())
    agents = Counter(agent.presence.value for agent in ledger.agents.values())
    return {
        **{f"contacts_{state}": count for state, count in contacts.items()},
        **{f"agents_{presence}": count for presence, count in agents.items()},
    }
