"""Contacts that have left the pool are found in the store."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from usher.queue.errors import UnknownContact
from usher.queue.journal.contract import Journal, JournalUnavailable
from usher.queue.journal.memory import MemoryJournal
from usher.queue.journal.sqlite import SqliteJournal
from usher.queue.values import Actor, ActorKind, ContactId
from usher.router.service.ended import find_ended
from usher.router.service.lease import SessionLeases
from usher.router.service.router_service import get_contact
from usher.router.service.runner import Runner
from usher.router.service.served import Call, ServedPool
from usher.router.service.unavailable import JournalAway
from usher.v1 import contact_pb2
from usher.v1 import router_service_pb2 as pb

KEPT_MS = 15 * 60 * 1000
ATTRIBUTES = {"name": "Zoe"}


class Away(MemoryJournal):
    """A journal whose store cannot be reached."""

    async def ended(self, contact_id: str) -> bytes | None:
        raise JournalUnavailable("the store is down")


async def asked(runner: Runner, contact_id: str) -> pb.GetContactResponse:
    """The reply of GetContact."""
    call = Call(ServedPool("main", runner, SessionLeases(runner)), Actor(ActorKind.PLATFORM, "p"))
    reply = await get_contact(pb.GetContactRequest(contact_id=contact_id), call)
    return pb.GetContactResponse.FromString(reply)


async def retire_all(kit: Any, runner: Runner) -> None:
    runner.clock.advance(KEPT_MS)
    runner.wake()
    await kit.turn()
    await runner.read(lambda pool: None)
    assert {} == runner.pool.ledger.contacts


async def talk(kit: Any, runner: Runner, contact_id: str) -> None:
    private = {contact_id: msgspec.msgpack.encode(ATTRIBUTES)}
    await kit.send(runner, kit.enqueue(contact_id), f"q-{contact_id}", private=private)
    await kit.send(runner, kit.accept("a0", f"{contact_id}.1"), f"a-{contact_id}")
    await kit.send(runner, kit.abandon(contact_id), f"b-{contact_id}")


def test_a_contact_that_has_left_is_told_as_it_was_but_for_attributes(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        await kit.send(runner, kit.sign_in("a0"), "s")
        await talk(kit, runner, "c1")
        before = await asked(runner, "c1")
        await retire_all(kit, runner)
        after = await asked(runner, "c1")
        assert contact_pb2.ContactState.CONTACT_STATE_ENDED == after.contact.state
        assert before.contact.legs == after.contact.legs
        assert (ATTRIBUTES, {}) == (before.contact.attributes, after.contact.attributes)
        before.contact.ClearField("attributes")
        assert before.contact == after.contact
        assert runner.pool.position == after.position > before.position

    run(scenario())


def test_a_contact_that_never_was_is_not_found(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        with pytest.raises(UnknownContact, match="no contact 'c1'"):
            await asked(runner, "c1")

    run(scenario())


def test_an_id_in_use_again_is_the_live_contact(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())
        await kit.send(runner, kit.enqueue("c1"), "q1")
        await kit.send(runner, kit.abandon("c1"), "b1")
        await retire_all(kit, runner)
        await kit.send(runner, kit.enqueue("c1"), "q2")
        assert (
            contact_pb2.ContactState.CONTACT_STATE_WAITING
            == (await asked(runner, "c1")).contact.state
        )

    run(scenario())


@pytest.mark.parametrize("count", [1, 700])
def test_they_are_found_after_a_restart(kit: Any, run: Any, tmp_path: Path, count: int) -> None:
    names = [f"c{number}" for number in range(count)]

    async def lived(journal: Journal) -> None:
        runner = await kit.runner(journal)
        await kit.send(runner, kit.enqueue_all(*names), "all")
        ends = [kit.begin(runner, kit.abandon(name), f"b-{name}") for name in names]
        await asyncio.gather(*ends)
        await retire_all(kit, runner)
        await runner.drain()

    async def scenario() -> None:
        path = tmp_path / "main.journal"
        journal = await SqliteJournal.open(path)
        await lived(journal)
        await journal.close()
        journal = await SqliteJournal.open(path)
        runner = await kit.runner(journal, await kit.open(journal))
        for name in (names[0], names[-1]):
            assert name == (await asked(runner, name)).contact.contact_id
        await runner.close()
        await journal.close()

    run(scenario())


def test_while_the_store_is_away_the_caller_is_told_so(kit: Any, run: Any) -> None:
    async def scenario() -> None:
        runner = await kit.runner(MemoryJournal())

        with pytest.raises(JournalAway):
            await find_ended(Away(), runner.outage, ContactId("c1"))

    run(scenario())
