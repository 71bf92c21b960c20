"""Presence and pauses from hand-made days: what was seen of a pause, and how long at least."""

from datetime import date

from msgspec.structs import replace

from usher.router.trials.call_log import Call, CallDay, CallOutcome, LogFindings
from usher.simulation.scenario import Shift
from usher.simulation.studies.presence import pauses_of, usual_staff

DAY = date(2026, 11, 2)
NO_FINDINGS = LogFindings(**dict.fromkeys(LogFindings.__struct_fields__, 0))


def served(agent: str, arrival_s: int, wait_s: int, talk_s: int) -> Call:
    """Returns a call that was answered after this wait."""
    return Call(
        number="",
        arrival_s=arrival_s,
        type="PS",
        priority=1,
        customer=0,
        outcome=CallOutcome.SERVED,
        wait_s=wait_s,
        talk_start_s=arrival_s + wait_s,
        talk_s=talk_s,
        agent=agent,
    )


def left(arrival_s: int, wait_s: int) -> Call:
    """Returns a call that was given up."""
    return Call(
        number="",
        arrival_s=arrival_s,
        type="PS",
        priority=1,
        customer=0,
        outcome=CallOutcome.ABANDONED,
        wait_s=wait_s,
        talk_start_s=None,
        talk_s=None,
        agent="",
    )


def pauses(*calls: Call, gap_s: int = 600) -> list[tuple[float, bool]]:
    """Returns the pauses of a day of these calls."""
    ordered = tuple(sorted(calls, key=lambda call: call.arrival_s))
    found = pauses_of({DAY: CallDay(day=DAY, calls=ordered, findings=NO_FINDINGS)}, gap_s)
    return list(zip(found.seen_s.tolist(), found.ended.tolist(), strict=True))


def test_a_pause_while_somebody_waits_is_seen_to_its_end() -> None:
    first, next_one = served("a", 1_000, 0, 100), served("a", 1_050, 90, 60)
    assert [(40.0, True)] == pauses(first, next_one)


def test_a_pause_in_which_the_queue_runs_empty_was_at_least_so_long() -> None:
    first, next_one = served("a", 1_000, 0, 100), served("a", 1_300, 0, 60)
    assert [(30.0, False)] == pauses(first, left(1_090, 40), next_one)


def test_a_pause_without_anybody_waiting_tells_nothing() -> None:
    assert [(0.0, False)] == pauses(served("a", 1_000, 0, 100), served("a", 1_300, 5, 60))


def test_others_who_wait_show_a_pause_too() -> None:
    """The one who is served next came late, but somebody waited all the while."""
    first, next_one = served("a", 1_000, 0, 100), served("a", 1_150, 10, 60)
    assert [(60.0, True)] == pauses(first, left(1_090, 200), next_one)


def test_who_is_served_elsewhere_waits_no_longer_though_recorded_as_waiting() -> None:
    early = replace(served("b", 1_095, 7, 900), wait_s=60)
    first, next_one = served("a", 1_000, 0, 100), served("a", 1_300, 0, 60)
    assert (2.0, False) in pauses(first, early, next_one)


def test_the_time_between_two_stretches_of_duty_is_no_pause() -> None:
    first, next_one = served("a", 1_000, 0, 100), served("a", 1_050, 650, 60)
    assert [] == pauses(first, next_one, gap_s=600)
    assert [(600.0, True)] == pauses(first, next_one, gap_s=601)


def test_talks_that_overlap_have_no_pause() -> None:
    assert [] == pauses(served("a", 1_000, 0, 100), served("a", 1_050, 0, 60))


def test_the_usual_staff_is_the_mean_of_the_days_to_the_nearest_agent() -> None:
    """Two agents from 08:00 to 09:00 on one day; on the other one of them, half an hour longer."""
    hour = [served(name, 28_800 + at, 0, 300) for name in "ab" for at in range(0, 3_600, 300)]
    more = [served("a", 28_800 + at, 0, 300) for at in range(0, 5_400, 300)]
    log = {
        day: CallDay(day=day, calls=tuple(calls), findings=NO_FINDINGS)
        for day, calls in ((DAY, hour), (date(2026, 11, 3), more))
    }
    staff = usual_staff(log, 600)
    # On average 1.5 agents, then a half: halves go to the even neighbour.
    assert (Shift(agents=2, from_min=480, until_min=540),) == staff.shifts
