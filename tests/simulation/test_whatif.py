"""What-if on recorded days: the replay meets the day, differences are paired, reasons are seen."""

import asyncio
import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console
from tests.conftest import REPO
from tests.router import pool_kit as kit
from tests.simulation.recorded_kit import (
    BILLING,
    START_S,
    RecordedPool,
    answered_day,
    lunch_day,
    opened,
    policy,
    queue,
    replay_of,
    simulated_records,
    write_journal,
)

from usher.queue import commands as c
from usher.queue.journal.sqlite import SqliteJournal
from usher.queue.rules import Policy
from usher.queue.values import SYSTEM, AgentId, ContactId, QueueName
from usher.router.service.files import FileRefused, write_policy
from usher.router.trials.call_log import Call, CallDay, CallOutcome, LogFindings
from usher.simulation.experiment import Plan, Result, experiment
from usher.simulation.figures import FIGURES, figure_named
from usher.simulation.files.scenario_file import read_scenario
from usher.simulation.recorded_day import Work, draws
from usher.simulation.report.summary import difference, estimate
from usher.simulation.report.whatif import why_lines
from usher.simulation.rows import ContactRows
from usher.simulation.scenario import Day
from usher.simulation.staff import Does
from usher.simulation.streams import Streams
from usher.simulation.studies.fared import fared_worst, looked_into, waits_of
from usher.simulation.studies.journal_replay import OUTSIDE
from usher.simulation.studies.log_replay import log_replay
from usher.simulation.studies.outputs import Files
from usher.simulation.studies.replay import Replay
from usher.simulation.studies.running import StudyRefused
from usher.simulation.studies.whatif import (
    Asked,
    Source,
    cases_of,
    check_policy_fits,
    recorded_result,
    whatif_day,
)
from usher.simulation.studies.whatif import (
    replay_of as replay_asked,
)
from usher.simulation.world import World

HOUR_MS = 3_600_000
SCENARIOS = REPO / "simulation/usher/simulation/scenarios"

# Sales come first, and everybody may take billing too: a3 is no longer kept for sales.
OPEN = policy(queue("billing"), queue("sales", level=5), version="open")
SALES_FIRST = policy(queue("billing", BILLING, level=1), queue("sales", level=2), version="strict")
NEEDY = policy(queue("billing", BILLING), queue("sales", BILLING), version="needy")


def compared(replay: Replay, other: Policy, replications: int = 3) -> tuple[Result, Result]:
    plan = Plan(replications=replications, seed=1, keep_contacts=True)
    with ThreadPoolExecutor(1) as executor:
        first, second = experiment(cases_of(replay, other), plan, executor)
    return first, second


def test_a_day_on_which_all_are_answered_is_replayed_to_the_millisecond() -> None:
    replay = replay_of(answered_day().records)
    assert (0, 0) == draws(replay.day)
    (batch,) = World(replay.scenario, replay.policy, Streams(1), recorded=replay.day).batches()
    recorded, rows = replay.recorded.contacts, batch.contacts
    order = np.argsort(rows.number)
    assert [1, 2, 3, 4] == rows.number[order].tolist()
    assert [3, 50, 67.5, 101.75] == ((rows.waits_ms[order]) / 1000).tolist()
    for column in ("arrived_ms", "answered_ms", "ended_ms", "agent"):
        assert getattr(recorded, column).tolist() == getattr(rows, column)[order].tolist()
    done = [sorted(legs.done_ms.tolist()) for legs in (batch.legs, replay.recorded.legs)]
    assert done[0] == done[1]


def test_a_busy_day_with_shifts_and_abandons_is_replayed_to_the_millisecond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = read_scenario(SCENARIOS / "contact_centre.toml")
    short = replace(read.scenario, horizon=Day(opens_min=480, closes_min=600, finish_ms=HOUR_MS))
    records = simulated_records(short, read.policy, monkeypatch)
    replay = replay_of(records)
    patience, talks = draws(replay.day)
    assert patience > 200 and talks > 20  # who was answered, who left
    for seed in (1, 2):
        (batch,) = World(
            replay.scenario, replay.policy, Streams(seed), recorded=replay.day
        ).batches()
        assert rows_of(replay.recorded.contacts) == rows_of(batch.contacts)


def rows_of(rows: ContactRows) -> dict[tuple[int, int], tuple[int, ...]]:
    columns = (rows.arrived_ms, rows.answered_ms, rows.outcome, rows.agent)
    keys = zip(rows.type.tolist(), rows.number.tolist(), strict=True)
    return dict(zip(keys, zip(*(column.tolist() for column in columns), strict=True), strict=True))


def test_who_left_leaves_after_the_same_wait_and_the_others_have_more_patience() -> None:
    replay = replay_of(lunch_day().records)
    assert (3, 1) == draws(replay.day)
    for seed in range(5):
        (batch,) = World(
            replay.scenario, replay.policy, Streams(seed), recorded=replay.day
        ).batches()
        waits = dict(zip(batch.contacts.answered_ms.tolist(), batch.contacts.waits_ms, strict=True))
        assert 60_000 == waits[-1]  # c4; nobody who was answered left
        assert 4 == len(waits)


def test_the_same_policy_on_both_sides_differs_in_nothing() -> None:
    replay = replay_of(lunch_day().records)
    first, second = compared(replay, replay.policy)
    assert "p1 2" == second.case.name
    for figure in FIGURES:
        found = difference(figure, first, second)
        assert found is None or (0.0, 0.0, 0.0) == (found.mean, found.low, found.high)
    assert [] == fared_worst(first, second, 10)


def test_another_policy_meets_the_same_people_and_helps_them() -> None:
    replay = replay_of(lunch_day().records)
    first, second = compared(replay, OPEN)
    one, other = waits_of(first, second)
    assert [3_000, 306_000, 3_000, 60_000] == one.waits_ms[0].tolist()
    # a3 takes c2 at once; c3 of sales then waits for it, and c4 finds nobody and leaves.
    assert [3_000, 3_000] == other.waits_ms[0, :2].tolist()
    found = difference(figure_named("mean_wait"), first, second)
    assert found is not None and found.mean < 0


def test_who_fared_worst_is_told_with_what_stood_in_the_way() -> None:
    replay = replay_of(lunch_day().records)
    first, second = compared(replay, OPEN)
    with ThreadPoolExecutor(1) as executor:
        worst = looked_into(fared_worst(first, second, 10), first, second, 1, executor)
    assert ["c3"] == [one.contact.contact_id for one in worst]
    seen = worst[0].seen
    assert seen is not None and seen.doing is not None
    assert (3_000, "a3") == (seen.first_wait_ms, seen.taken_by)
    assert [("c2", "billing", (START_S + 20) * 1000)] == list(seen.doing.contacts)
    assert {"a1", "a3"} == set(seen.standings[0].full)
    assert {"lunch": ("a2",)} == {
        "lunch" if reason == "break" else reason: agents
        for reason, agents in seen.standings[0].away.items()
    }
    lines = why_lines(worst[0])
    assert any("a3 then had c2 of queue billing since 00:17:00" in line for line in lines)
    assert any("2 full (2 with billing)" in line for line in lines)


def test_a_policy_that_came_into_force_during_the_day_does_so_in_the_replay() -> None:

    driven = two_of_billing(40)
    driven.give(c.SetPolicy(SYSTEM, policy(queue("billing"), queue("sales"), version="p2")))
    driven.answer("c2")  # a3 may take it now
    driven.at(60)
    driven.finish("c2")
    driven.finish("c1")
    replay = replay_of(driven.records)
    assert [(kit.START_MS + 40_000, "p2")] == [
        (at_ms, one.version) for at_ms, one in replay.day.policies
    ]
    first, second = compared(replay, replay.policy, 1)
    one, other = waits_of(first, second)
    assert [3_000, 23_000] == one.waits_ms[0].tolist()
    assert 23_000 < other.waits_ms[0, 1]  # p1 all day long: c2 waits for a1


def two_of_billing(until_s: float) -> RecordedPool:
    """c1 has a1 from 13 s on, c2 waits from 20 s on."""

    driven = opened()
    driven.at(10)
    driven.enqueue("c1", "billing")
    driven.answer("c1")
    driven.at(20)
    driven.enqueue("c2", "billing")
    driven.at(until_s)
    return driven


def test_contacts_that_cannot_be_played_again_are_counted() -> None:

    driven = lunch_day()
    driven.at(420)
    driven.give(c.StartContact(kit.PLATFORM, kit.new("s1", "sales"), AgentId("a3")))
    driven.enqueue("x1", "billing")
    driven.enqueue("x2", "billing")
    driven.give(c.CancelContact(kit.PLATFORM, ContactId("x2"), "mistake"))
    replay = replay_of(driven.records)
    assert {1} == set(replay.left_out.values()) and 2 == len(replay.left_out)
    assert ["c1", "c2", "c3", "c4", "x1"] == [one.contact_id for one in replay.day.contacts]


def test_a_policy_without_the_queues_of_the_day_is_refused_with_every_finding() -> None:
    replay = replay_of(lunch_day().records)
    with pytest.raises(FileRefused) as refused:
        check_policy_fits(replay, policy(queue("help"), version="other"), "other.toml")
    assert ["the day's types.billing.queue", "the day's types.sales.queue"] == [
        one.place for one in refused.value.findings
    ]
    assert "other.toml: the day's types.billing.queue: found " in str(refused.value)
    check_policy_fits(replay, NEEDY, "needy.toml")


def test_what_was_recorded_stands_beside_the_replays() -> None:
    replay = replay_of(answered_day().records)
    recorded = recorded_result(replay, 30, 0.95)
    first, _ = compared(replay, SALES_FIRST, 1)
    for name in ("contacts", "answered", "mean_wait", "service_level", "longest_wait"):
        figure = figure_named(name)
        one, other = estimate(figure, recorded), estimate(figure, first)
        assert one is not None and other is not None
        assert one.mean == pytest.approx(other.mean)


def test_a_call_log_is_replayed_with_its_guessed_hours() -> None:
    calls = [_call(f"c{at}", 1_000 + 60 * at, wait_s=5, talk_s=50) for at in range(6)]
    calls.append(_call("c9", 1_100, wait_s=40, talk_s=None))
    ordered = tuple(sorted(calls, key=lambda call: call.arrival_s))
    found = dict.fromkeys(LogFindings.__struct_fields__, 0)
    day = CallDay(day=date(1999, 1, 3), calls=ordered, findings=LogFindings(**found))
    replay = log_replay(day, 1_000, None, 30)
    assert (7, 2) == (len(replay.day.contacts), len(replay.day.turns))
    first, second = compared(replay, replay.policy, 2)
    assert [] == fared_worst(first, second, 10)
    one, _ = waits_of(first, second)
    assert one.waits_ms[0, 0] == 5_000  # the agent's first talk begins then


def _call(number: str, arrival_s: int, *, wait_s: int, talk_s: int | None) -> Call:
    served = talk_s is not None
    return Call(
        number=number,
        arrival_s=arrival_s,
        type="PS",
        priority=1,
        customer=0,
        outcome=CallOutcome.SERVED if served else CallOutcome.ABANDONED,
        wait_s=wait_s,
        talk_start_s=arrival_s + wait_s if served else None,
        talk_s=talk_s,
        agent="ANN" if served else "",
    )


def source(journal: Path, **changes: Any) -> Source:
    plain = Source(
        place=str(journal), day="", zone="UTC", archive=None, within="", after_call="30s"
    )
    return replace(plain, **changes)


def asked(journal: Path, other: Path, **changes: Any) -> Asked:
    plain = Asked(
        source=source(journal),
        policy=other,
        against=None,
        worst=10,
        replications=2,
        seed=1,
        confidence=0.95,
        every_min=30,
        processes=1,
        files=Files(),
    )
    return replace(plain, **changes)


def test_the_command_tells_a_journal_under_another_policy(tmp_path: Path) -> None:
    journal = write_journal(tmp_path, lunch_day().records)
    other = tmp_path / "open.toml"
    other.write_text(write_policy(OPEN), encoding="utf-8")
    files = {name: tmp_path / f"told.{name}" for name in ("html", "json", "csv")}
    text = io.StringIO()
    code = whatif_day(asked(journal, other, files=Files(**files)), Console(file=text, width=200))
    assert 0 == code, text.getvalue()
    assert "In replication 0 it waited 0:03, then " in text.getvalue()
    told = json.loads(files["json"].read_text())
    assert ["p1", "open"] == [case["name"] for case in told["cases"]]
    assert 4 == told["recorded"]["all"]["contacts"]["mean"]
    assert ["c3"] == [one["contact_id"] for one in told["worst"]]
    by_case = {
        line["case"]: line
        for line in csv.DictReader(files["csv"].read_text().splitlines())
        if (line["type"], line["figure"]) == ("all", "mean_wait")
    }
    assert ["recorded", "p1", "open"] == list(by_case)
    assert ["", ""] == [by_case[name]["difference"] for name in ("recorded", "p1")]
    means = [float(by_case[name]["mean"]) for name in ("p1", "open")]
    assert pytest.approx(means[1] - means[0]) == float(by_case["open"]["difference"])
    assert "\nrecorded,00:" in (tmp_path / "told.day.csv").read_text()
    assert "Who fared worst" in files["html"].read_text()


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    journal = write_journal(tmp_path, lunch_day().records)
    other = tmp_path / "open.toml"
    other.write_text(write_policy(OPEN), encoding="utf-8")
    text = io.StringIO()
    files = Files(parquet=tmp_path)
    assert 2 == whatif_day(asked(journal, other, files=files), Console(file=text, width=200))
    assert "found a folder, expected the name of a file" in text.getvalue()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"day": "1999-01-01"}, "found no record of 1999-01-01"),
        ({"day": "tomorrow"}, 'found --day "tomorrow", expected a date'),
        ({"zone": "Mars/North"}, 'found --zone "Mars/North"'),
        ({"within": "soon"}, 'found --within "soon"'),
        ({"place": "nowhere"}, "nowhere: there is no journal"),
        ({"place": __file__}, "no call log"),
    ],
)
def test_nonsense_is_refused_with_what_was_expected(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    journal = write_journal(tmp_path, lunch_day().records)
    with pytest.raises(StudyRefused, match=message):
        replay_asked(source(journal, **changes), 30)


def test_an_empty_journal_is_refused(tmp_path: Path) -> None:
    async def write() -> None:
        journal = await SqliteJournal.open(tmp_path / "empty.journal")
        await journal.close()

    asyncio.run(write())
    with pytest.raises(StudyRefused, match="the journal is empty"):
        replay_asked(source(tmp_path / "empty.journal"), 30)


def test_a_group_that_no_agent_has_is_found_before_the_pool_refuses_it() -> None:
    replay = replay_of(lunch_day().records)
    closed = policy(queue("billing"), queue("sales"), queue("spare", groups=("night",)))
    with pytest.raises(FileRefused, match=r"queues\.spare\.groups\[0\]: found group \"night\""):
        check_policy_fits(replay, closed, "other.toml")


def test_an_offer_that_was_declined_is_declined_again() -> None:
    driven = opened()
    driven.at(10)
    leg = driven.enqueue("c1", "billing")
    driven.wait(5_000)
    driven.decline(leg)
    driven.wait(60_000)  # the pause is over: a1 is asked again
    driven.answer("c1")
    driven.at(100)
    driven.finish("c1")
    replay = replay_of(driven.records)
    assert ((5_000,), 68_000) == (replay.day.contacts[0].refusals, replay.day.contacts[0].waited_ms)
    (batch,) = World(replay.scenario, replay.policy, Streams(1), recorded=replay.day).batches()
    assert [68_000] == batch.contacts.waits_ms.tolist()


def test_a_desktop_that_was_lost_is_lost_again() -> None:
    driven = opened()
    driven.at(5)
    session = driven.agent("a1").session
    driven.give(c.LoseSession(SYSTEM, AgentId("a1"), session))
    driven.at(10)
    driven.enqueue("c1", "billing")
    driven.at(50)
    driven.sign_in("a1")
    driven.answer("c1")
    driven.finish("c1")
    replay = replay_of(driven.records)
    assert Does.LOSE_DESKTOP in [turn.does for turn in replay.day.turns]
    (batch,) = World(replay.scenario, replay.policy, Streams(1), recorded=replay.day).batches()
    assert [43_000] == batch.contacts.waits_ms.tolist()


def passed_on_day() -> RecordedPool:
    """c1 talks to a1 from 13 s to 60 s, then waits for sales, where a3 is from 63 s on."""
    driven = opened()
    driven.at(10)
    driven.enqueue("c1", "billing")
    driven.answer("c1")
    driven.at(20)
    driven.enqueue("c2", "billing")
    driven.at(60)
    leg = driven.contact("c1").owner
    assert leg is not None
    driven.give(c.RequeueContact(kit.PLATFORM, ContactId("c1"), QueueName("sales")))
    driven.answer("c1")
    driven.at(70)
    session = driven.agent("a1").session
    driven.give(c.FinishWrapUp(kit.person("a1"), AgentId("a1"), leg.leg_id, session))
    driven.answer("c2")
    driven.at(100)
    driven.finish("c1")
    driven.at(150)
    driven.finish("c2")
    return driven


def test_a_contact_that_was_passed_on_waits_and_talks_again() -> None:
    replay = replay_of(passed_on_day().records)
    (stretch,) = replay.day.contacts[0].onward
    assert ("sales", 3_000, False) == (stretch.queue, stretch.waited_ms, stretch.left)
    assert Work(2_000, 1_000, 37_000, 10_000) == stretch.work
    (batch,) = World(replay.scenario, replay.policy, Streams(1), recorded=replay.day).batches()
    assert [3_000, 53_000] == sorted(batch.contacts.waits_ms.tolist())
    for column in ("agent", "active_ms", "talked_ms", "done_ms"):
        both = [
            sorted(getattr(legs, column).tolist()) for legs in (batch.legs, replay.recorded.legs)
        ]
        assert both[0] == both[1]


def test_a_policy_without_a_queue_that_contacts_were_passed_on_to_is_refused() -> None:
    replay = replay_of(passed_on_day().records)
    with pytest.raises(FileRefused, match='found "sales", expected an open queue'):
        check_policy_fits(replay, policy(queue("billing", BILLING), version="o"), "other.toml")


def test_work_that_is_not_played_again_keeps_its_agent_away() -> None:
    driven = opened()
    driven.at(5)
    driven.give(c.StartContact(kit.PLATFORM, kit.new("s1", "sales"), AgentId("a1")))
    driven.at(10)
    driven.enqueue("c1", "billing")
    driven.at(50)
    driven.finish("s1")  # its wrap-up ends at 60 s
    driven.answer("c1")
    driven.finish("c1")
    replay = replay_of(driven.records)
    assert {OUTSIDE: 1} == replay.left_out
    of_a1 = [turn for turn in replay.day.turns if turn.agent_id == "a1"]
    assert [(5, Does.BREAK), (60, Does.BACK)] == [
        (turn.at_ms // 1000 - START_S, turn.does) for turn in of_a1[-2:]
    ]
    (batch,) = World(replay.scenario, replay.policy, Streams(1), recorded=replay.day).batches()
    assert [53_000] == batch.contacts.waits_ms.tolist()


def test_who_left_while_an_agent_was_asked_leaves_before_the_answer_again() -> None:
    driven = opened()
    driven.at(10)
    driven.enqueue("c1", "billing")
    driven.answer("c1")
    driven.finish("c1", 1)
    driven.at(60)
    driven.enqueue("c2", "billing")
    driven.wait(20_000 - 1)  # a1 is asked until the offer is about to run out
    driven.leave("c2")
    replay = replay_of(driven.records)
    assert [0, 19_999] == [contact.rang_ms for contact in replay.day.contacts]
    for seed in range(3):
        (batch,) = World(
            replay.scenario, replay.policy, Streams(seed), recorded=replay.day
        ).batches()
        assert [3_000, 19_999] == sorted(batch.contacts.waits_ms.tolist())
        assert -1 in batch.contacts.answered_ms.tolist()


def test_agents_who_come_at_one_moment_come_in_the_recorded_order() -> None:
    driven = opened()
    driven.sign_out("a1")
    driven.sign_out("a2")
    driven.at(10)
    driven.enqueue("c1", "billing")
    driven.at(11)
    driven.enqueue("c2", "billing")
    driven.at(20)
    driven.sign_in("a2")  # is offered c1 before a1 comes
    driven.sign_in("a1")
    driven.answer("c1")
    driven.take(driven.contact("c2").owner)
    driven.connect("c2")
    driven.at(60)
    driven.finish("c1")
    driven.finish("c2")
    replay = replay_of(driven.records)
    (batch,) = World(replay.scenario, replay.policy, Streams(1), recorded=replay.day).batches()
    assert rows_of(replay.recorded.contacts) == rows_of(batch.contacts)
    assert [1, 0] == replay.recorded.contacts.agent.tolist()


def test_the_worst_are_told_in_the_order_of_their_differences() -> None:
    replay = replace(replay_of(answered_day().records), policy=OPEN)
    first, second = compared(replay, policy(), 1)
    worst = fared_worst(first, second, 10)
    differences = [one.difference.mean for one in worst]
    assert len(differences) > 1 and sorted(differences, reverse=True) == differences
    assert worst[:1] == fared_worst(first, second, 1)
