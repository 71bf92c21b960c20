"""A journal's file in tests: write one, look into it, lay another hand on it."""

import asyncio
from pathlib import Path

import apsw
from tests.queue.journal.workload import Day, Found, found_in

from usher.queue.journal.contract import Snapshot
from usher.queue.journal.sqlite import SqliteJournal


def a_day(path: Path) -> tuple[Found, Snapshot]:
    """Write a day into a new journal; return what is in it."""

    async def write() -> tuple[Found, Snapshot]:
        journal = await SqliteJournal.open(path)
        day = Day(seed=1)
        await day.pass_by(journal)
        await journal.close()
        return day.states[-1], day.snapshots[-1]

    return asyncio.run(write())


async def look(path: Path, *, trimmed: bool = False) -> tuple[Found, Snapshot | None]:
    journal = await SqliteJournal.open(path)
    try:
        begins = journal.begins_after if trimmed else 0
        return await found_in(journal, begins), await journal.latest_snapshot()
    finally:
        await journal.close()


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def with_rows(path: Path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()
