"""`usher inspect` and `usher verify` on a journal that a real server wrote."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import msgspec
import pytest
from tests.end_to_end.small_day import usher
from tests.router import pool_kit as kit

from usher.queue.codec import RECORD_VERSION, encode_records
from usher.queue.journal.contract import Batch
from usher.queue.journal.sqlite import SqliteJournal
from usher.router.trials.demo_plan import plan_demo
from usher.router.trials.gateway import Gateway
from usher.router.trials.load import drive
from usher.router.trials.own_server import OwnServer, own_server
from usher.router.trials.verification import present_versions

RATE = 60


@asynccontextmanager
async def played(folder: Path) -> AsyncIterator[OwnServer]:
    """A server after a minute of the demo, still running."""
    script = plan_demo(length_ms=60_000).script
    async with own_server(folder, script.policy, script.roster, RATE) as server:
        async with Gateway(server.address, "test") as gateway:
            await drive(script, gateway, lambda _: None, server)
        yield server


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a journal that was closed in good order."""
    folder = tmp_path_factory.mktemp("journal")

    async def play() -> None:
        async with played(folder) as server:
            refused = await asyncio.to_thread(usher, "inspect", server.data)
            assert 2 == refused.returncode
            assert "in use by the server with process id" in refused.stdout

    asyncio.run(play())
    return folder / "data"


def test_the_summary_tells_records_versions_outcomes_and_the_state_hash(journal: Path) -> None:
    told = json.loads(usher("inspect", journal, "--json").stdout)
    assert told["contacts"] == sum(told["outcomes"].values()) > 0
    assert 0 == told["outcomes"]["open"]
    assert RATE == told["openings"][0]["clock_rate"]
    assert {"policy", "roster"} == {one["what"] for one in told["rules"]}
    assert 32 == len(told["state_hash"])
    printed = usher("inspect", journal).stdout
    assert told["state_hash"] in printed
    assert str(told["records"]) in printed


def test_the_story_of_a_contact_goes_from_its_arrival_to_its_end(journal: Path) -> None:
    story = usher("inspect", journal, "--contact", "demo-0001").stdout.splitlines()
    assert "EnqueueContact by platform/test" in story[0]
    assert any("OfferMade" in line for line in story)
    assert "ContactCompleted" in "".join(story) or "ContactAbandoned" in "".join(story)
    assert "demo-0002" not in "".join(story)


def test_records_are_lines_and_hold_no_private_fields(journal: Path) -> None:
    lines = usher("inspect", journal, "--from", "1", "--json").stdout.splitlines()
    records = [json.loads(line) for line in lines]
    assert list(range(1, len(records) + 1)) == [one["position"] for one in records]
    assert "OpenPool" == records[0]["command"]["type"]
    assert "Customer" not in "".join(lines)  # the demo's private names
    later = usher("inspect", journal, "--from", "10", "--json").stdout.splitlines()
    assert lines[9:] == later


def test_verify_executes_all_records_with_equal_events(journal: Path) -> None:
    ended = usher("verify", journal)
    assert 0 == ended.returncode, ended.stdout
    told = json.loads(usher("verify", journal, "--json").stdout)
    assert told["records"] == told["executed"] > 0
    state_hash = json.loads(usher("inspect", journal, "--json").stdout)["state_hash"]
    assert state_hash == told["state_hash"]


def test_verify_takes_a_journal_as_a_kill_left_it(tmp_path: Path) -> None:
    async def play() -> None:
        async with played(tmp_path) as server:
            await server.kill()

    asyncio.run(play())
    assert list((tmp_path / "data").glob("*-wal"))
    ended = usher("verify", tmp_path / "data")
    assert 0 == ended.returncode, ended.stdout


OTHERS = ("0.0.1", "1.0", "1.0")


def stored(folder: Path, versions: tuple[str, str, str], **offered: object) -> Path:
    """A small journal whose versions, and some fields of its one offer, are as given."""
    driven = kit.Driven.opened(kit.policy(), kit.profile("a1"))
    driven.enqueue("c1")
    records = list(driven.records)
    opening = records[0]
    names = ("usher_version", "numpy_version", "scipy_version")
    changes = dict(zip(names, versions, strict=True))
    records[0] = _replaced(
        opening,
        command=_replaced(opening.command, **changes),
        events=(_replaced(opening.events[0], **changes),),
    )
    offer = records[-1]
    records[-1] = _replaced(offer, events=(_replaced(offer.events[0], **offered),))

    async def write() -> None:
        journal = await SqliteJournal.open(folder / "main.journal")
        body = encode_records(records)
        await journal.append(0, Batch(RECORD_VERSION, driven.at_ms, len(records), body))
        await journal.close()

    asyncio.run(write())
    return folder / "main.journal"


def _replaced(value: object, **changes: object) -> object:  # any struct, of whatever type
    return msgspec.structs.replace(value, **changes)  # type: ignore[type-var]


def test_verify_names_the_first_difference(tmp_path: Path) -> None:
    now = present_versions()
    ended = usher("verify", stored(tmp_path, (now.usher, now.numpy, now.scipy), score=77))
    assert 1 == ended.returncode
    assert "DIFFERENT at position 6" in ended.stdout
    assert '"score":77' in ended.stdout


def test_verify_asks_of_other_versions_only_whether_each_pair_was_allowed(tmp_path: Path) -> None:
    ended = usher("verify", stored(tmp_path, OTHERS, score=77))
    assert 0 == ended.returncode
    assert "usher 0.0.1, numpy 1.0, scipy 1.0" in ended.stdout
    assert "each of their 1 offers was allowed" in ended.stdout


def test_verify_names_the_first_pair_of_other_versions_that_was_not_allowed(
    tmp_path: Path,
) -> None:
    ended = usher("verify", stored(tmp_path, OTHERS, price=7))
    assert 1 == ended.returncode
    assert "DIFFERENT at position 6" in ended.stdout
    assert "not allowed: the offer costs 7 units" in ended.stdout


def test_a_damaged_journal_is_said_in_a_line(tmp_path: Path) -> None:
    path = stored(tmp_path, OTHERS)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE batches SET body = zeroblob(20)")
    connection.close()
    for command in ("inspect", "verify"):
        ended = usher(command, path)
        assert 2 == ended.returncode
        assert "journal is damaged" in ended.stdout
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["", "nothing", "empty"])
def test_where_there_is_no_journal_nothing_is_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    ended: subprocess.CompletedProcess[str] = usher("inspect", tmp_path / name)
    assert 2 == ended.returncode
    assert "journal" in ended.stdout
    assert ["empty"] == [one.name for one in tmp_path.rglob("*")]
