import pytest

from usher.router.service.clock import Clock, ManualClock

HOUR_MS = 3_600_000


class Sources:
    """A wall and a monotonic clock that are moved by hand."""

    def __init__(self, wall_ms: int) -> None:
        self.wall_ms = float(wall_ms)
        self.monotonic_ms = 5.0

    def clock(self, last_at_ms: int = 0, rate: int = 1) -> Clock:
        return Clock(
            last_at_ms,
            rate,
            wall_ns=lambda: int(self.wall_ms * 1_000_000),
            monotonic_ns=lambda: int(self.monotonic_ms * 1_000_000),
        )

    def pass_ms(self, ms: float) -> None:
        self.wall_ms += ms
        self.monotonic_ms += ms


def test_opens_at_the_time_of_the_wall() -> None:
    assert 1_000_000 == Sources(1_000_000).clock(last_at_ms=999_000).now_ms()


def test_opens_not_before_the_last_record() -> None:
    assert 1_500_000 == Sources(1_000_000).clock(last_at_ms=1_500_000).now_ms()


def test_goes_on_with_the_monotonic_clock() -> None:
    sources = Sources(1_000_000)
    clock = sources.clock()
    sources.pass_ms(1234.5)
    assert 1_001_234 == clock.now_ms()


def test_a_step_forward_is_made_up_at_half_a_millisecond_in_a_hundred() -> None:
    sources = Sources(1_000_000)
    clock = sources.clock()
    sources.wall_ms += HOUR_MS
    assert 1_000_000 == clock.now_ms()
    sources.pass_ms(100_000)
    assert 1_100_500 == clock.now_ms()


def test_a_step_back_slows_it_down_and_never_turns_it_back() -> None:
    sources = Sources(10_000_000)
    clock = sources.clock()
    sources.wall_ms -= HOUR_MS
    readings = [clock.now_ms()]
    for _ in range(1000):
        sources.pass_ms(100)
        readings.append(clock.now_ms())
    assert sorted(readings) == readings
    assert 10_000_000 + 100_000 - 500 == readings[-1]


def test_is_slewed_no_further_than_the_wall() -> None:
    sources = Sources(1_000_000)
    clock = sources.clock()
    sources.wall_ms += 3
    for _ in range(50):
        sources.pass_ms(100)
        clock.now_ms()
    assert int(sources.wall_ms) == clock.now_ms()


def test_many_looks_slew_as_much_as_one() -> None:
    sources = Sources(1_000_000)
    clock = sources.clock()
    sources.wall_ms += HOUR_MS
    for _ in range(10_000):
        sources.pass_ms(1)
        clock.now_ms()
    assert 1_010_050 == pytest.approx(clock.now_ms(), abs=1)


def test_a_rate_makes_it_faster_and_is_not_slewed() -> None:
    sources = Sources(1_000_000)
    clock = sources.clock(rate=60)
    sources.wall_ms += HOUR_MS
    sources.pass_ms(1000)
    assert 1_060_000 == clock.now_ms()


def test_tells_the_real_seconds_until_a_time() -> None:
    assert 2.0 == ManualClock(1_000_000).seconds_until(1_002_000)
    assert 0.5 == ManualClock(1_000_000, rate=4).seconds_until(1_002_000)
    assert 0.0 == ManualClock(1_000_000).seconds_until(999_000)


def test_has_come_when_no_seconds_are_left() -> None:
    sources = Sources(1_000_000)
    clock = sources.clock()
    sources.pass_ms(clock.seconds_until(1_000_001) * 1000)
    assert 1_000_001 == clock.now_ms()


def test_a_manual_clock_stands_until_moved() -> None:
    clock = ManualClock(1_000_000)
    before_ms = clock.now_ms()
    clock.advance(250)
    assert (1_000_000, 1_000_250) == (before_ms, clock.now_ms())


def test_a_rate_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="rate 0"):
        Clock(rate=0)
