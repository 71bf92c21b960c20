"""Plain tables of recorded calls: read as they stand, or refused with line and column."""

import gzip
from datetime import date
from pathlib import Path

import pytest

from usher.router.trials.call_log import CallLogError, CallOutcome
from usher.simulation.files.call_table import read_days

HEADER = "arrived,wait_s,outcome,talk_s,agent,type,priority,remark\n"
SOUND = (
    HEADER
    + "2026-11-03 00:00:05,3,answered,12.6,a-1,loans,2,x\n"
    + "2026-11-02T08:00:10,40,abandoned,,,loans,,\n"
    + "2026-11-02 08:00:05,0,answered,100,a-2,,1,\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.csv"


def refusal(path: Path, text: str) -> str:
    """Returns what is said about a wrong table, without the folder."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CallLogError) as caught:
        read_days(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_calls_are_read_by_day_in_the_order_of_their_arrival(path: Path) -> None:
    path.write_text(SOUND, encoding="utf-8")
    days = read_days(path)
    assert [date(2026, 11, 2), date(2026, 11, 3)] == list(days)
    first, second = days[date(2026, 11, 2)].calls
    assert (28_805, 28_810) == (first.arrival_s, second.arrival_s)
    assert ("a-2", 100, 28_805, 1) == (
        first.agent,
        first.talk_s,
        first.talk_start_s,
        first.priority,
    )
    assert (CallOutcome.ABANDONED, 40, None) == (second.outcome, second.wait_s, second.talk_s)
    (other,) = days[date(2026, 11, 3)].calls
    assert ("loans", 2, 13, 8) == (other.type, other.priority, other.talk_s, other.talk_start_s)


def test_a_packed_table_is_read_as_well(path: Path) -> None:
    path.write_bytes(gzip.compress(SOUND.encode()))
    assert 2 == len(read_days(path))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("8 o'clock,0,answered,1,a,,,", 'column arrived: "8 o\'clock" is no time such as'),
        ("2026-11-02,0,lost,1,a,,,", "column outcome: 'lost' is none of answered, abandoned"),
        ("2026-11-02,-1,answered,1,a,,,", "column wait_s: '-1' is not from 0 to 86400 seconds"),
        ("2026-11-02,nan,answered,1,a,,,", "column wait_s: 'nan' is not from 0 to 86400 seconds"),
        ("2026-11-02,x,answered,1,a,,,", "column wait_s: 'x' is no number of seconds"),
        ("2026-11-02,0,answered,,a,,,", "column talk_s: '' is no number of seconds"),
        ("2026-11-02,0,answered,1,A 1,,,", "column agent: 'A 1' is no code of letters, digits"),
        ("2026-11-02,0,answered,1,a,,3,", "column priority: '3' is none of 0, 1, 2"),
        ("2026-11-02,0,answered,1,a", "5 columns instead of 8"),
    ],
)
def test_a_wrong_value_is_told_with_line_and_column(path: Path, row: str, said: str) -> None:
    assert refusal(path, SOUND + row + "\n").startswith(f"calls.csv: line 5, {said}")


def test_a_file_with_other_columns_is_told_what_is_needed(path: Path) -> None:
    assert (
        "calls.csv: line 1: found no column wait_s, outcome, talk_s; expected the columns "
        "arrived, wait_s, outcome, talk_s, agent, and type and priority if known"
    ) == refusal(path, "arrived,agent\n")
    assert refusal(path, "").startswith("calls.csv: line 1: found no column arrived")
