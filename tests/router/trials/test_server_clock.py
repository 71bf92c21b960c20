"""The server's clock seen from here, and the agenda that goes by it."""

import asyncio
import time

import pytest

from usher.router.trials.server_clock import Agenda, ServerClock


def test_a_quick_answer_narrows_what_a_slow_one_left_open() -> None:
    clock = ServerClock(60)
    clock.observe(1_000_000, sent_s=10.0, received_s=10.1)
    assert 3_000.5 == pytest.approx(clock.uncertain_ms())
    clock.observe(1_002_000, sent_s=10.049, received_s=10.051)
    assert 60.5 == pytest.approx(clock.uncertain_ms())


def test_time_passes_at_the_rate_between_observations() -> None:
    clock = ServerClock(600)
    now_s = time.monotonic()
    clock.observe(5_000_000, sent_s=now_s, received_s=now_s)
    passed_ms = (time.monotonic() - now_s) * 1000 * 600
    assert 5_000_000 + passed_ms == pytest.approx(clock.now_ms(), abs=3_000)
    assert 100.0 == pytest.approx(clock.seconds_until(5_000_000 + 60_000_000), abs=0.1)
    assert 0.0 == clock.seconds_until(4_000_000)


def test_a_clock_that_moved_away_is_believed_again() -> None:
    clock = ServerClock(1)
    clock.observe(1_000, sent_s=10.0, received_s=10.001)
    clock.observe(9_000, sent_s=10.1, received_s=10.101)
    assert 0.0 < clock.uncertain_ms() < 2.0


def test_a_clock_that_was_never_seen_tells_nothing() -> None:
    with pytest.raises(RuntimeError, match="observed"):
        ServerClock(1).now_ms()


def started(rate: int) -> ServerClock:
    clock = ServerClock(rate)
    now_s = time.monotonic()
    clock.observe(1_000_000, sent_s=now_s, received_s=now_s)
    return clock


async def _play(agenda: Agenda, until: asyncio.Event) -> None:
    run = asyncio.create_task(agenda.run())
    waiting = asyncio.create_task(until.wait())
    try:
        done, _ = await asyncio.wait(
            (run, waiting), timeout=10, return_when=asyncio.FIRST_COMPLETED
        )
        assert done, "the agenda hangs"
        for one in done:
            one.result()
    finally:
        for task in (run, waiting):
            task.cancel()
        await asyncio.gather(run, waiting, return_exceptions=True)
        await agenda.close()


@pytest.mark.asyncio
async def test_actions_run_in_the_order_of_their_due_times_also_those_added_late() -> None:
    clock, done, order = started(1_000), asyncio.Event(), []
    agenda = Agenda(clock)

    def note(name: str) -> None:
        async def action() -> None:
            order.append(name)
            if name == "second":
                agenda.at(clock.now_ms(), note_soon)
            if name == "last":
                done.set()

        agenda.at(due_ms[name], action)

    async def note_soon() -> None:
        order.append("added")

    now_ms = clock.now_ms()
    due_ms = {"last": now_ms + 60_000, "first": now_ms - 5, "second": now_ms + 20_000}
    for name in due_ms:
        note(name)
    await _play(agenda, done)
    assert ["first", "second", "added", "last"] == order
    assert 4 == agenda.lateness().commands
    assert 0 <= agenda.lateness().p50_ms <= agenda.lateness().longest_ms


@pytest.mark.asyncio
async def test_what_an_action_raises_ends_the_agenda() -> None:
    agenda = Agenda(started(1_000))

    async def fail() -> None:
        raise ValueError("no such contact")

    agenda.at(0, fail)
    with pytest.raises(ValueError, match="no such contact"):
        await _play(agenda, asyncio.Event())
