"""A long replay leaves due times out and derives them at its end, the same as the live pool has."""

from tests.router.pool_kit import Driven, channel, policy, profile, queue

from usher.router.pool import Pool


def test_after_a_replay_the_same_is_due_as_in_the_live_pool() -> None:
    live = Driven.opened(
        policy(
            queue("main", offer_timeout_ms=20_000), channels={"voice": channel(wrap_up_ms=9_000)}
        ),
        profile("anna"),
        profile("boris"),
        profile("carmen"),
    )
    live.complete(live.talk("wrapping").contact_id)
    live.decline(live.enqueue("paused"))
    live.enqueue("offered")
    live.complete(live.talk("ended").contact_id)
    pool = Pool()
    with pool.ledger.replaying():
        for record in live.records:
            pool.apply(record.events, record.at_ms)
    assert live.pool.state_hash() == pool.state_hash()
    assert _due(live.pool) == _due(pool)
    assert 3 < len(_due(pool))


def _due(pool: Pool) -> set[object]:
    return set(pool.ledger.deadlines.due(1 << 60, 1_000))


def test_only_the_first_look_goes_by_the_contacts_alone() -> None:
    live = Driven.opened(policy(queue("main")), profile("anna"))
    live.complete(live.talk("ended").contact_id)
    pool = Pool()
    with pool.ledger.replaying():
        for record in live.records:
            pool.replay(record.events, record.at_ms)
    assert not pool.needs_match
    assert pool._matcher is None
    assert not pool.needs_match
    assert pool._matcher is not None, "each turn would look through all contacts"
