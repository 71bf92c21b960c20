"""Reading call logs: a made-up file for each rule and oddity, and the real one beside it."""

import gzip
from datetime import date
from pathlib import Path

import pytest

from usher.router.trials.call_log import (
    COLUMNS,
    DEFAULT_DATE,
    Call,
    CallLogError,
    CallOutcome,
    LogDay,
    LogFindings,
    days,
    default_day,
    is_regular,
    read_calls,
    read_day,
    read_log,
)

DAY = date(1999, 2, 2)
REAL = "data/anonymous_bank_1999_jan_feb.csv.gz"


def line(**values: object) -> str:
    """A row of the log: a caller who waited 10 s and talked for 60 s, unless told otherwise."""
    row: dict[str, object] = {
        **dict.fromkeys(COLUMNS, ""),
        **{"date": DAY, "vru_entry_s": 30_000, "vru_line": "AA0101", "call_id": 7, "customer": 12},
        **{"priority": 2, "type": "PS", "vru_exit_s": 30_005, "vru_time": 5, "q_time": 10},
        **{"q_start_s": 30_006, "q_exit_s": 30_016, "outcome": "AGENT", "ser_time": 60},
        **{"ser_start_s": 30_015, "ser_exit_s": 30_075, "server": "A01"},
    }
    assert not values.keys() - row.keys()
    return ",".join(str(value) for value in (row | values).values())


NOT_QUEUED = {"q_start_s": "", "q_exit_s": "", "q_time": 0}
HUNG_UP = {"outcome": "HANG", "ser_start_s": "", "ser_exit_s": "", "server": ""}


def log(folder: Path, *lines: str) -> Path:
    path = folder / "calls.csv"
    path.write_text("\n".join((",".join(COLUMNS), *lines)) + "\n", encoding="utf-8")
    return path


def only(folder: Path, **values: object) -> tuple[Call, LogFindings]:
    found = read_day(log(folder, line(**values)), DAY)
    (call,) = found.calls
    return call, found.findings


def test_a_served_call_has_its_wait_its_talk_and_its_agent(tmp_path: Path) -> None:
    call, _ = only(tmp_path)
    assert call == Call(
        number="c0001",
        arrival_s=30_006,
        type="PS",
        priority=2,
        customer=12,
        outcome=CallOutcome.SERVED,
        wait_s=10,
        talk_start_s=30_015,
        talk_s=60,
        agent="A01",
    )


def test_who_did_not_queue_arrived_at_the_menu_exit_and_waited_nothing(tmp_path: Path) -> None:
    call, _ = only(tmp_path, **NOT_QUEUED)
    assert (30_005, 0) == (call.arrival_s, call.wait_s)


def test_who_hung_up_in_the_queue_abandoned_at_the_recorded_wait(tmp_path: Path) -> None:
    call, _ = only(tmp_path, **HUNG_UP)
    assert (CallOutcome.ABANDONED, 10, None, "") == (
        call.outcome,
        call.wait_s,
        call.talk_s,
        call.agent,
    )


def test_phantoms_and_callers_of_the_menu_alone_sought_no_agent(tmp_path: Path) -> None:
    path = log(tmp_path, line(outcome="PHANTOM"), line(**HUNG_UP | NOT_QUEUED), line())
    found = read_day(path, DAY).findings
    assert (3, 1, 1, 1) == (found.rows, found.phantoms, found.menu_only, found.calls)


def test_calls_are_numbered_by_arrival_then_by_line(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        line(q_start_s=30_010, customer=3),
        line(q_start_s=30_008, customer=1),
        line(q_start_s=30_008, customer=2),
        line(date="1999-02-03", customer=9),
    )
    assert [("c0001", 1), ("c0002", 2), ("c0003", 3)] == [
        (call.number, call.customer) for call in read_calls(path, DAY)
    ]


def test_stamps_past_midnight_go_on_with_the_day(tmp_path: Path) -> None:
    times = {"vru_entry_s": 86_363, "vru_exit_s": 86_363, "q_start_s": 86_368, "q_exit_s": 3}
    call, findings = only(tmp_path, **times, ser_start_s=3, ser_exit_s=55)
    assert (86_368, 35, 86_403, 52) == (
        call.arrival_s,
        call.wait_s,
        call.talk_start_s,
        call.talk_s,
    )
    assert 3 == findings.past_midnight


def test_a_queue_joined_after_midnight_still_belongs_to_its_day(tmp_path: Path) -> None:
    times = {"vru_entry_s": 86_390, "vru_exit_s": 2, "q_start_s": 2, "q_exit_s": 12}
    call, findings = only(tmp_path, **times, ser_start_s=12, ser_exit_s=20)
    assert (86_402, 10, 86_412, 8) == (
        call.arrival_s,
        call.wait_s,
        call.talk_start_s,
        call.talk_s,
    )
    assert 0 == findings.menu_exit_before_entry


def test_negative_lengths_become_nothing(tmp_path: Path) -> None:
    call, findings = only(tmp_path, q_exit_s=30_000, ser_exit_s=30_010)
    assert (0, 0) == (call.wait_s, call.talk_s)
    assert (1, 1) == (findings.negative_stays, findings.negative_talks)


def test_lengths_over_an_hour_are_cut_to_one(tmp_path: Path) -> None:
    call, findings = only(tmp_path, q_exit_s=34_006, ser_start_s=34_006, ser_exit_s=84_006)
    assert (3_600, 3_600) == (call.wait_s, call.talk_s)
    assert (1, 1) == (findings.long_stays, findings.long_talks)


def test_a_talk_before_arrival_leaves_arrival_and_wait_as_they_are(tmp_path: Path) -> None:
    call, findings = only(tmp_path, ser_start_s=29_990)
    assert (30_006, 10, 29_990) == (call.arrival_s, call.wait_s, call.talk_start_s)
    assert 1 == findings.early_talks
    assert 0 == only(tmp_path, ser_start_s=30_004)[1].early_talks


def test_a_menu_exit_before_its_entry_is_only_counted(tmp_path: Path) -> None:
    call, findings = only(tmp_path, vru_entry_s=30_050)
    assert (30_006, 1) == (call.arrival_s, findings.menu_exit_before_entry)


def test_a_talk_of_who_hung_up_is_left_out(tmp_path: Path) -> None:
    call, findings = only(tmp_path, outcome="HANG")
    assert (CallOutcome.ABANDONED, None, "") == (call.outcome, call.talk_s, call.agent)
    assert 1 == findings.talks_of_hung_up


def test_served_without_talk_stamps_is_served_with_a_talk_of_nothing(tmp_path: Path) -> None:
    call, findings = only(tmp_path, ser_start_s="", ser_exit_s="")
    assert (CallOutcome.SERVED, 30_016, 0) == (call.outcome, call.talk_start_s, call.talk_s)
    assert 1 == findings.talks_not_recorded


def test_served_without_an_agent_is_counted(tmp_path: Path) -> None:
    call, findings = only(tmp_path, server="")
    assert ("", 1) == (call.agent, findings.agents_not_recorded)


def test_talks_of_one_agent_that_overlap_by_more_than_a_second_are_counted(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        line(ser_start_s=100, ser_exit_s=200),
        line(ser_start_s=199, ser_exit_s=300),
        line(ser_start_s=298, ser_exit_s=400),
        line(ser_start_s=298, ser_exit_s=400, server="A02"),
    )
    assert 1 == read_day(path, DAY).findings.overlapping_talks


def test_gzip_is_known_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    path = log(tmp_path, line())
    plain = read_calls(path, DAY)
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert plain == read_calls(path, DAY)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("q_start_s", "9:30", "whole number"),
        ("q_start_s", "-5", "whole number"),
        ("ser_exit_s", "999999", "two days"),
        ("outcome", "LOST", "none of AGENT, HANG, PHANTOM"),
        ("q_exit_s", "", "needed"),
        ("vru_entry_s", "", "needed"),
        ("date", "02/02/1999", "no date"),
        ("customer", "Ann", "whole number"),
        ("priority", "", "whole number"),
        ("server", "A 1", "no code"),
        ("type", "P" * 65, "no code"),
    ],
)
def test_a_wrong_value_is_named_with_line_and_column(
    tmp_path: Path, column: str, value: str, rule: str
) -> None:
    path = log(tmp_path, line(), line(**{column: value}))
    with pytest.raises(CallLogError, match=rf"calls\.csv: line 3, column {column}: .*{rule}"):
        read_calls(path, DAY)


def test_a_file_of_another_kind_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    for content, fault in (
        (b"", "line 1, 0 columns instead of 17"),
        (b"date,start_min,calls\n", "line 1, column 2 is 'start_min' instead of 'vru_entry_s'"),
        (",".join(COLUMNS[:5]).encode(), "line 1, 5 columns"),
        ((",".join(COLUMNS) + "\n1999-02-02,5\n").encode(), "line 2, 2 columns instead of 17"),
        (b"\xff\xfe\x00", "no UTF-8"),
        (gzip.compress(b"date," * 1_000)[:40], "damaged or cut short"),
        (b"\x1f\x8bnothing of the kind", "damaged or cut short"),
        (b'"date', "no CSV"),
    ):
        path.write_bytes(content)
        with pytest.raises(CallLogError, match=fault):
            read_calls(path, DAY)


def test_a_day_that_is_not_in_the_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallLogError, match="no row for 1999-01-11"):
        read_calls(log(tmp_path, line()), date(1999, 1, 11))


def test_days_are_listed_with_their_counts(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        line(date="1999-02-05"),
        line(),
        line(server="A02"),
        line(**HUNG_UP),
        line(server=""),
    )
    assert [
        LogDay(day=DAY, calls=4, served=3, abandoned=1, agents=2, regular=True),
        LogDay(day=date(1999, 2, 5), calls=1, served=1, abandoned=0, agents=1, regular=False),
    ] == days(path)


def test_regular_days_are_sunday_to_thursday() -> None:
    week = [is_regular(date(1999, 1, number)) for number in range(3, 10)]
    assert [True] * 5 + [False] * 2 == week


def test_a_log_of_weekends_has_no_default_day(tmp_path: Path) -> None:
    with pytest.raises(CallLogError, match="no regular day"):
        default_day(days(log(tmp_path, line(date="1999-02-05"))))


# The numbers of the data's own page, for two of the three months that they were taken from.


def test_the_real_log_has_its_rows_and_its_known_oddities(shared: Path) -> None:
    found = [one.findings for one in read_log(shared / REAL).values()]
    assert 57 == len(found)
    assert (64_943, 518) == (sum(one.rows for one in found), sum(one.phantoms for one in found))
    assert 61_286 == sum(one.calls for one in found)
    assert 0 < sum(one.overlapping_talks for one in found) < 635
    assert 0 < sum(one.agents_not_recorded for one in found) < 1_498
    assert 7 == sum(one.long_talks for one in found)
    assert 0 == sum(one.negative_stays + one.negative_talks + one.long_stays for one in found)


def test_the_real_log_has_the_known_abandonment_by_month(shared: Path) -> None:
    listed = days(shared / REAL)
    for month, expected in ((1, 0.102), (2, 0.126)):
        chosen = [one for one in listed if one.day.month == month]
        abandoned = sum(one.abandoned for one in chosen) / sum(one.calls for one in chosen)
        assert expected == pytest.approx(abandoned, abs=0.002)


def test_the_default_day_of_the_real_log_is_busy_and_complete(shared: Path) -> None:
    listed = days(shared / REAL)
    assert DEFAULT_DATE == default_day(listed)
    assert 39 == sum(one.regular for one in listed)
    calls = read_calls(shared / REAL, DEFAULT_DATE)
    assert 1_788 == len(calls)
    assert set(range(7, 24)) == {call.arrival_s // 3_600 for call in calls}
    assert {"PS", "NW", "NE", "IN", "TT", "PE"} == {call.type for call in calls}
    assert calls == read_calls(shared / REAL, DEFAULT_DATE)
