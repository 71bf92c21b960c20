from typing import Any

from usher.queue.journal.contract import JournalFull
from usher.queue.journal.memory import MemoryJournal
from usher.queue.values import AgentId
from usher.router.service.lease import SessionLeases
from usher.router.service.runner import Runner

A0 = AgentId("a0")


async def leased(kit: Any, journal: MemoryJournal, **settings: Any) -> tuple[Runner, SessionLeases]:
    """Agent a0 has signed in with a lease of 30 s."""
    runner = await kit.runner(journal, **settings)
    leases = SessionLeases(runner)
    await leases.start()
    await kit.send(runner, kit.sign_in("a0", lease_ms=30_000), "s")
    leases.renew(A0, 1, 30_000)
    return runner, leases


async def let_pass(kit: Any, runner: Runner, leases: SessionLeases, ms: int) -> bool:
    """Moves the clock; returns whether a0 is lost then."""
    runner.clock.advance(ms)  # type: ignore[attr-defined]
    leases.wake()
    await kit.turn(20)
    return runner.pool.ledger.agents[A0].lost


def test_a_session_without_a_sign_of_life_is_lost(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner, leases = await leased(kit, MemoryJournal())
        assert not await let_pass(kit, runner, leases, 29_999)
        assert await let_pass(kit, runner, leases, 1)
        assert 0 == len(leases)

    run(scenario())


def test_a_sign_of_life_renews_the_lease(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner, leases = await leased(kit, MemoryJournal())
        for _ in range(5):
            assert not await let_pass(kit, runner, leases, 20_000)
            leases.renew(A0, 1, 30_000)
        assert await let_pass(kit, runner, leases, 30_000)

    run(scenario())


def test_an_earlier_session_renews_nothing(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner, leases = await leased(kit, MemoryJournal())
        await kit.send(runner, kit.sign_in("a0", lease_ms=30_000), "s2")
        leases.renew(A0, 2, 30_000)
        assert not await let_pass(kit, runner, leases, 20_000)
        leases.renew(A0, 1, 30_000)
        assert await let_pass(kit, runner, leases, 10_000)

    run(scenario())


def test_a_shorter_lease_counts_at_once(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner, leases = await leased(kit, MemoryJournal())
        leases.renew(A0, 1, 5_000)
        assert await let_pass(kit, runner, leases, 5_000)

    run(scenario())


def test_a_session_that_needs_no_sign_of_life_is_not_lost(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner, leases = await leased(kit, MemoryJournal())
        leases.renew(A0, 1, 0)
        assert not await let_pass(kit, runner, leases, 10**9)

    run(scenario())


def test_a_forgotten_session_is_not_lost(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner, leases = await leased(kit, MemoryJournal())
        leases.forget(A0)
        assert not await let_pass(kit, runner, leases, 10**9)

    run(scenario())


def test_after_a_restart_a_session_has_one_full_lease(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        runner, leases = await leased(kit, journal)
        await kit.send(runner, kit.sign_in("a1"), "s1")
        await leases.stop()
        await runner.close()
        runner = await kit.runner(journal)
        leases = SessionLeases(runner)
        await leases.start()
        assert 1 == len(leases)
        assert not await let_pass(kit, runner, leases, 29_999)
        assert await let_pass(kit, runner, leases, 1)
        assert not runner.pool.ledger.agents[AgentId("a1")].lost

    run(scenario())


def test_a_loss_that_could_not_be_recorded_is_tried_again(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        journal = kit.GatedJournal()
        runner, leases = await leased(kit, journal, journal_full_pause_ms=0)
        journal.errors.append(JournalFull())
        assert not await let_pass(kit, runner, leases, 30_000)
        assert not await let_pass(kit, runner, leases, 999)
        assert await let_pass(kit, runner, leases, 1)

    run(scenario())
