"""The morning page: service as the live figures count it, the worst waits with their reasons."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tests.router import pool_kit as kit
from tests.simulation.recorded_kit import (
    BILLING,
    DAY,
    lunch_day,
    opened,
    policy,
    queue,
    recording_of,
    write_journal,
)
from tests.simulation.report_kit import Reader

from usher.simulation.report.morning import NOTHING_FREES, story_lines
from usher.simulation.report.standings import clock_text, length_text
from usher.simulation.studies.morning import Asked, morning_of
from usher.simulation.studies.outputs import Files
from usher.simulation.studies.service import day_service
from usher.simulation.studies.stories import Worst, looked_into, worst_waits

HOUR_MS = 3_600_000
BOUNDS_MS = np.arange(0, 5, dtype=np.int64) * HOUR_MS // 4


def worst_of_lunch() -> Worst:
    records = lunch_day().records
    return looked_into(worst_waits(recording_of(records), 10), records, 0)


def test_service_is_counted_by_interval_with_the_target_of_each_queue() -> None:
    rules = policy(queue("billing", BILLING, service_target_ms=3_000), queue("sales"))
    driven = opened(rules)
    driven.at(10)
    driven.enqueue("c1", "billing")
    driven.answer("c1")
    driven.at(20)
    driven.enqueue("c2", "billing")
    driven.at(30)
    driven.enqueue("c3", "sales")
    driven.answer("c3")
    driven.at(113)
    driven.finish("c1", 0)  # c2 is answered at 116 s after 96 s
    driven.answer("c2")
    driven.at(216)
    driven.leave("c2")  # once in talk that is its end
    found = day_service(recording_of(driven.records), BOUNDS_MS)
    whole = found.whole
    assert (3, 3, 3, 0) == (whole.contacts, whole.offered, whole.answered, whole.abandoned)
    assert (2, pytest.approx(34_000)) == (whole.within, whole.mean_wait_ms)
    assert {"billing": 3_000, "sales": 20_000} == {one.queue: one.target_ms for one in found.queues}
    (part,) = found.parts
    assert (15 * 60_000, 30 * 60_000) == (part.from_ms, part.until_ms)
    assert whole == part.service


def test_occupancy_is_live_time_over_available_time() -> None:
    (part,) = day_service(recording_of(lunch_day().records), BOUNDS_MS).parts
    # a1 from 12 s (joining) to 323 s and 325 s to 410 s, a3 32 s to 103 s, of 410 s each.
    assert pytest.approx((311 + 85 + 71) / (2 * 410)) == part.occupancy
    assert pytest.approx(3 * 410 / 900) == part.agents


def test_a_wait_is_as_bad_as_the_target_of_its_queue_makes_it() -> None:
    slow = queue("billing", BILLING, service_target_ms=600_000)
    driven = opened(policy(slow, queue("sales", BILLING)))
    driven.at(10)
    driven.enqueue("c1", "billing")
    driven.answer("c1")
    driven.enqueue("c2", "billing")
    driven.at(50)
    driven.enqueue("c3", "sales")
    driven.at(60)
    driven.finish("c1")
    driven.answer("c2")
    driven.finish("c2")
    driven.answer("c3")
    worst = worst_waits(recording_of(driven.records), 3).waits
    assert ["c3", "c2", "c1"] == [one.contact_id for one in worst]
    assert worst[0].waited_ms < worst[1].waited_ms


def test_the_longest_waits_of_answered_and_of_left_stand_apart() -> None:
    worst = worst_waits(recording_of(lunch_day().records), 2)
    assert [("c2", 306_000), ("c1", 3_000)] == [
        (one.contact_id, one.waited_ms) for one in worst.waits
    ]
    assert [("c4", 60_000)] == [(one.contact_id, one.waited_ms) for one in worst.abandons]


def test_a_wait_is_looked_into_from_its_beginning_on() -> None:
    story = worst_of_lunch().waits[0]
    began_ms = kit.START_MS + 20_000
    assert [began_ms + 303_000 * at // 6 for at in range(6)] == [
        one.at_ms for one in story.standings
    ]
    assert {("a1",)} == {one.full for one in story.standings}


def test_each_change_is_told_with_the_moment_from_which_it_helps() -> None:
    freed = {one.change.value: one for one in worst_of_lunch().waits[0].freed}
    assert ["need", "presence", "room", "agent"] == list(freed)
    began_ms = kit.START_MS + 20_000
    # At 20 s a3 is free: without the need of billing it would have had c2 at once.
    assert (began_ms, "a3") == (freed["need"].from_ms, freed["need"].agent_id)
    assert (began_ms, "a2") == (freed["presence"].from_ms, freed["presence"].agent_id)


def test_a_need_that_was_dropped_helps_only_once_somebody_else_is_free() -> None:
    driven = opened()
    driven.at(5)
    driven.enqueue("s1", "sales")
    driven.answer("s1")  # a1: the longest idle of both
    driven.enqueue("s2", "sales")
    driven.answer("s2")  # a3
    driven.at(20)
    driven.enqueue("c1", "billing")
    driven.at(100)
    driven.finish("s2")  # a3 is free from 110 s on
    driven.at(310)
    driven.finish("s1")  # a1 from 320 s on
    driven.answer("c1")
    records = driven.records
    worst = looked_into(worst_waits(recording_of(records), 1), records, 0)
    freed = {one.change.value: one for one in worst.waits[0].freed}
    assert ("c1", 303_000) == (worst.waits[0].contact_id, worst.waits[0].waited_ms)
    assert kit.START_MS + 20_000 + 100_000 == freed["need"].from_ms
    assert kit.START_MS + 20_000 == freed["presence"].from_ms


def test_a_declined_offer_is_part_of_the_story() -> None:
    driven = opened()
    driven.at(10)
    leg = driven.enqueue("c1", "billing")
    driven.wait(5_000)
    driven.decline(leg)
    driven.wait(60_000)  # the pause is over
    driven.answer("c1")
    driven.finish("c1")
    records = driven.records
    story = looked_into(worst_waits(recording_of(records), 1), records, 0).waits[0]
    assert ["declined", "completed"] == [one.end for one in story.askings]
    lines = story_lines(story)
    assert "Offered to a1 at 00:16:50: declined at 00:16:55." == lines[0]
    assert any("a1 asked again without a pause" in line for line in lines)
    assert NOTHING_FREES not in lines


@pytest.mark.parametrize(
    ("length_ms", "text"), [(0, "0:00"), (130_000, "2:10"), (3_729_600, "1:02:10")]
)
def test_lengths_are_told_in_minutes_and_seconds(length_ms: int, text: str) -> None:
    assert text == length_text(length_ms)


def test_times_are_told_since_midnight() -> None:
    assert "10:04:10" == clock_text(36_250_999)


def test_the_command_tells_a_day_as_text_page_and_json(tmp_path: Path) -> None:
    journal = write_journal(tmp_path, lunch_day().records)
    html, told = tmp_path / "day.html", tmp_path / "day.json"
    asked = Asked(
        journal=str(journal),
        day=DAY,
        zone="UTC",
        archive=None,
        worst=10,
        every_min=15,
        files=Files(html=html, json=told),
    )
    text = io.StringIO()
    assert 0 == morning_of(asked, Console(file=text, width=160)), text.getvalue()
    assert "4 contacts came, 3 were answered, 1 left" in text.getvalue()
    assert "1 away (lunch), 1 full (1 with billing)" in text.getvalue()
    page = Reader(html.read_text())
    assert [] == page.wrong
    assert 3 == len(page.named("svg"))
    assert "one more agent with billing would have given it that agent." in " ".join(page.words)
    assert "c2" == json.loads(told.read_text())["worst"]["waits"][0]["contact_id"]


def test_a_file_that_cannot_be_written_is_refused_before_the_journal_is_opened(
    tmp_path: Path,
) -> None:
    asked = Asked(
        journal="nowhere",
        day="",
        zone="UTC",
        archive=None,
        worst=1,
        every_min=30,
        files=Files(html=tmp_path / "missing" / "day.html"),
    )
    text = io.StringIO()
    assert 2 == morning_of(asked, Console(file=text, width=160))
    assert "there is no folder" in text.getvalue()


def test_a_day_without_contacts_is_refused(tmp_path: Path) -> None:
    journal = write_journal(tmp_path, opened().records)
    asked = Asked(
        journal=str(journal), day="", zone="UTC", archive=None, worst=1, every_min=30, files=Files()
    )
    text = io.StringIO()
    assert 2 == morning_of(asked, Console(file=text, width=160))
    assert "no contact came on 1970-01-01 (UTC)" in text.getvalue()
