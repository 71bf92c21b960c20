"""ServerService: what the server tells of itself."""

from collections import Counter

from usher.queue.ledger import Ledger


def pool_counters(ledger: Ledger) -> dict[str, int]:
    """Returns how many contacts and agents there are in each state."""
    contacts = Counter(contact.state.value for contact in ledger.contacts.values())
    agents = Counter(agent.presence.value for agent in ledger.agents.values())
    return {
        **{f"contacts_{state}": count for state, count in contacts.items()},
        **{f"agents_{presence}": count for presence, count in agents.items()},
    }
